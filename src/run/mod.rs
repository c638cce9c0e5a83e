//! run: the one value that a run produces: reports, exit code and recorded traces all start from it.

#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

pub mod findings;
pub mod headline;
#[cfg(test)]
pub mod sample;

use crate::compare::Look;
use crate::environment::Environment;
use crate::exit::Exit;
use crate::graph::flow::Vertex;
use crate::judge::stage::Stages;
use crate::pairing::Pair;
use crate::scenario::Scenario;
use crate::trace::InputRecord;
use crate::verdict::{Expectation, Finding, Ledger, Outcome, TensorResult, Unobserved, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format that is written; 1 had no findings.
pub const FORMAT: u32 = 2;

/// Everything about one run. Equal scenario, seed, machine, versions and threads give equal bits, `timings` aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Version of this format: [`FORMAT`].
    pub format: u32,
    /// None where two recorded traces were compared.
    pub scenario: Option<Scenario>,
    pub environment: Environment,
    pub inputs: Vec<InputRecord>,
    pub verdict: Verdict,
    pub expectation: Expectation,
    pub ledger: Ledger,
    pub tensors: Vec<TensorResult>,
    /// Names of the tensors that each node takes.
    pub graph_inputs: BTreeMap<String, Vec<String>>,
    pub unobserved: Vec<Unobserved>,
    /// Where the nodes at fault stand in the user's code, as far as the exporter of the graph says it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub places: BTreeMap<String, String>,
    /// All that there is to say, the most serious first; the first of a run that diverges is its headline.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// Assignment, loss and gradients, where the graph has a training side.
    #[serde(default)]
    pub stages: Stages,
    /// Which tensor of the one graph stands for which of the other, where two were held against each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correspondence: Option<Correspondence>,
    /// Each graph of two programs alone, in the engines; both programs on another input.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alone: Vec<Alone>,
    /// What came of each sample, where there were several; the rest is that of the one that says most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub samples: Vec<Sample>,
    /// The graph as it is drawn; the candidate's behind the reference's where there are two.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub graphs: Vec<Vec<Vertex>>,
    /// What the first tensors that are off look like.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub looks: Vec<Look>,
    /// Seconds per phase; the only part that differs between equal runs.
    pub timings: BTreeMap<String, f64>,
}

/// One of several inputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    pub name: String,
    pub exit: Exit,
    /// Where it diverges first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
}

/// What else was run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// One of two files alone, in the engines.
    #[default]
    File,
    /// Both sides on another input.
    Input,
}

/// A run beside that of two programs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alone {
    #[serde(default)]
    pub of: Of,
    /// The file, or the input.
    pub file: String,
    /// None where no engine runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Box<Run>>,
    /// What says that it cannot be run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

impl Alone {
    /// "in 'm.onnx' alone".
    pub fn place(&self) -> String {
        match self.of {
            Of::File => format!("in '{}' alone", self.file),
            Of::Input => format!("on a second input, drawn, {}", self.file),
        }
    }

    pub fn diverges(&self) -> bool {
        let outcome = self.run.as_ref().map(|run| run.verdict.outcome);
        outcome == Some(Outcome::Diverge)
    }
}

/// Two programs' tensors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Correspondence {
    pub pairs: Vec<Pair>,
    /// Tensors of either side that could have a partner.
    pub tensors: [usize; 2],
    /// Whether a side is a recording, which computes nothing.
    #[serde(default)]
    pub recorded: [bool; 2],
    /// Where steps of either side stand in the user's code.
    #[serde(default)]
    pub places: [BTreeMap<String, String>; 2],
}

impl Run {
    /// A Run as JSON says it: compiled once, here, where every crate that reads one would compile all of it again.
    ///
    /// # Errors
    /// What is no Run, with line and column.
    pub fn from_json(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// One in which no graph was run: a verdict, and what it is held against.
    pub fn bare(
        environment: Environment,
        verdict: Verdict,
        expectation: Expectation,
        ledger: Ledger,
    ) -> Self {
        Self {
            format: FORMAT,
            scenario: None,
            environment,
            inputs: vec![],
            verdict,
            expectation,
            ledger,
            tensors: vec![],
            graph_inputs: BTreeMap::new(),
            unobserved: vec![],
            places: BTreeMap::new(),
            findings: vec![],
            stages: Stages::default(),
            correspondence: None,
            alone: vec![],
            samples: vec![],
            graphs: vec![],
            looks: vec![],
            timings: BTreeMap::new(),
        }
    }

    /// The same with all that there is to say of it.
    pub fn told(self) -> Self {
        Self {
            findings: findings::of(&self),
            ..self
        }
    }
}

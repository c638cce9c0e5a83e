//! scenario: what to run, as plain data read from TOML; unknown keys are refused.

pub mod build;
pub mod domain;
mod expect;
mod find;
mod input;
pub mod load;
mod loss;
mod side;
pub mod sides;
mod subject;
pub mod subjects;
pub mod training;

pub use domain::Domain;
pub use expect::{Expect, Expected, TieFlips, Tolerance, ToleranceKind};
pub use find::Find;
pub use input::{Color, Distribution, Fit, Input, Layout};
pub use loss::Loss;
pub use side::Side;
pub use subject::{Faulty, Optimisation, Recorded, Subject, TorchScript};
pub use subjects::{Gradients, SubjectKind};
pub use training::Training;

use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// One comparison: a model, its inputs, two subjects, a tolerance and what is expected of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Version of this format; only 1 exists.
    pub format: u32,
    /// What it is called; the file's own name where not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// ONNX file, relative to the scenario's folder; beside `[second]` a trace or a port, too; empty where parameters alone are compared, or a loss.
    #[serde(default, skip_serializing_if = "is_empty")]
    pub model: PathBuf,
    /// What is compared, in the order a port breaks.
    #[serde(default = "all_stages")]
    pub stages: Vec<Stage>,
    /// Seeds generated inputs and noise.
    #[serde(default)]
    pub seed: u64,
    /// Threads of each engine; all cores where not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    #[serde(default)]
    pub tolerance: Tolerance,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, Input>,
    #[serde(default = "onnxruntime")]
    pub reference: Subject,
    #[serde(default = "libtorch")]
    pub candidate: Subject,
    /// Another program that is held against the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second: Option<Second>,
    /// How a side that is a live port is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<Live>,
    /// The training side of the graph: assigner, loss, gradients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<Training>,
    /// Steps of training that two live ports make.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train: Option<Train>,
    /// Folder of a golden of this scenario: a further opinion on every tensor that it keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub golden: Option<PathBuf>,
    /// Two lists of parameters to hold against each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Parameters>,
    /// Two forms of a loss, in the place of model and subjects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// A find of `parity fuzz`: what is replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub find: Option<Find>,
    #[serde(default)]
    pub limit: Limit,
    #[serde(default)]
    pub expect: Expect,
}

/// Where the lists of parameters come from: a model, a trace or golden that lists them, a JSON list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Parameters {
    /// The golden where not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<PathBuf>,
    /// The model where not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub candidate: Option<PathBuf>,
    /// Names that differ: `A=B`, or `A*=B*` for a whole module.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rename: Vec<String>,
}

/// Training of two live ports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Train {
    /// How many steps each makes.
    pub steps: usize,
}

/// How live ports are started and asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Live {
    /// Python that runs a port file, of several the first that has what the file imports; else that of VIRTUAL_ENV, else the first such on PATH.
    #[serde(
        default,
        deserialize_with = "one_or_several",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[cfg_attr(test, schemars(with = "OneOrSeveral"))]
    pub python: Vec<PathBuf>,
    /// Seconds that one answer may take; [`ANSWER`] where not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

impl Live {
    /// How long one answer may take.
    pub fn answer(&self) -> Duration {
        Duration::from_secs(self.limit.unwrap_or(ANSWER))
    }
}

fn one_or_several<'de, D: Deserializer<'de>>(
    from: D,
) -> std::result::Result<Vec<PathBuf>, D::Error> {
    Ok(match OneOrSeveral::deserialize(from)? {
        OneOrSeveral::One(path) => vec![path],
        OneOrSeveral::Several(paths) => paths,
    })
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
enum OneOrSeveral {
    One(PathBuf),
    Several(Vec<PathBuf>),
}

/// Seconds that one answer of a live port may take.
pub const ANSWER: u64 = 300;

/// Another form of the same network: an ONNX graph, a recorded trace, or a live port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Second {
    /// Relative to the scenario's folder.
    pub model: PathBuf,
    /// Tensors of the model by their names in it, where these are known; declared inputs and outputs of other names pair by position.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rename: BTreeMap<String, String>,
    /// File that `parity map A B` wrote and somebody has looked through: its pairs are taken as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub map: Option<PathBuf>,
}

impl Scenario {
    /// Threads of each engine: all cores where none are stated.
    pub fn cores(&self) -> usize {
        let all = || std::thread::available_parallelism().map_or(1, usize::from);
        self.threads.unwrap_or_else(all)
    }

    /// Whether a side is a live port.
    pub fn has_port(&self) -> bool {
        let second = self.second.iter().map(|s| &s.model);
        let forms = self.loss.iter().flat_map(|l| [&l.reference, &l.candidate]);
        let mut files = second.chain(forms).chain(std::iter::once(&self.model));
        files.any(|p| sides::Kind::of(p).is_ok_and(|k| k == sides::Kind::Port))
    }

    /// Whether two lists of parameters are all that there is to compare: nothing is run.
    pub fn of_parameters_alone(&self) -> bool {
        is_empty(&self.model) && self.loss.is_none()
    }

    /// Whether nothing but training of two live ports is asked for: no engine is needed.
    pub fn of_training_alone(&self) -> bool {
        self.train.is_some() && self.stages == [Stage::Train]
    }

    /// Whether the stage is asked for and has something to be run on.
    pub fn runs(&self, stage: Stage) -> bool {
        let possible = match stage {
            Stage::Preprocess | Stage::Postprocess => self.second.is_some() && self.has_port(),
            Stage::Inputs | Stage::Activations => !self.of_parameters_alone(),
            Stage::Params => self.golden.is_some() || self.parameters.is_some(),
            Stage::Assign | Stage::Loss | Stage::Grad => self.training.is_some(),
            Stage::Train => self.train.is_some(),
        };
        possible && self.stages.contains(&stage)
    }
}

/// One stage of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// What live ports make of the user's file.
    Preprocess,
    /// 0: both subjects are fed the same bits.
    Inputs,
    /// 1: which parameters there are, and which of them train.
    Params,
    /// 2: every tensor of the graph, layer by layer.
    Activations,
    /// What live ports make of the outputs.
    Postprocess,
    /// 3: which anchor is positive for which ground truth.
    Assign,
    /// 4: the terms of the loss.
    Loss,
    /// 5: the gradient of every term by predictions and parameters.
    Grad,
    /// 6: steps of training of two live ports.
    Train,
}

impl Stage {
    pub const ALL: [Stage; 9] = [
        Stage::Preprocess,
        Stage::Inputs,
        Stage::Params,
        Stage::Activations,
        Stage::Postprocess,
        Stage::Assign,
        Stage::Loss,
        Stage::Grad,
        Stage::Train,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Stage::Preprocess => "preprocess",
            Stage::Inputs => "inputs",
            Stage::Params => "params",
            Stage::Activations => "activations",
            Stage::Postprocess => "postprocess",
            Stage::Assign => "assign",
            Stage::Loss => "loss",
            Stage::Grad => "grad",
            Stage::Train => "train",
        }
    }
}

fn is_empty(path: &std::path::Path) -> bool {
    path.as_os_str().is_empty()
}

fn all_stages() -> Vec<Stage> {
    Stage::ALL.to_vec()
}

fn onnxruntime() -> Subject {
    Subject::onnxruntime()
}

fn libtorch() -> Subject {
    Subject::libtorch()
}

/// Limits the work to a part of the graph, by tensor name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Compare only these tensors (`*` stands for any text).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<String>,
    /// Compare from the step that produces this tensor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Run up to the step that produces this tensor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Refuse a run that is estimated to need more memory than this, such as "2GiB".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<String>,
}

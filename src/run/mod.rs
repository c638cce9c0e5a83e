//! run: the one value that a run produces: reports, exit code and recorded traces all start from it.

#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

pub mod findings;
pub mod headline;
#[cfg(test)]
pub mod sample;

use crate::environment::Environment;
use crate::judge::stage::Stages;
use crate::scenario::Scenario;
use crate::trace::InputRecord;
use crate::verdict::{Expectation, Finding, Ledger, TensorResult, Unobserved, Verdict};
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
    /// All that there is to say, the most serious first; the first of a run that diverges is its headline.
    #[serde(default)]
    pub findings: Vec<Finding>,
    /// Assignment, loss and gradients, where the graph has a training side.
    #[serde(default)]
    pub stages: Stages,
    /// Seconds per phase; the only part that differs between equal runs.
    pub timings: BTreeMap<String, f64>,
}

impl Run {
    /// The same with all that there is to say of it.
    pub fn told(self) -> Self {
        Self {
            findings: findings::of(&self),
            ..self
        }
    }
}

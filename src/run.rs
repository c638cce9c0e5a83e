//! run: the one value that a run produces: reports, exit code and recorded traces all start from it.

use crate::exit::Exit;
use crate::scenario::Scenario;
use crate::stage::Stages;
use crate::tensor::DType;
use crate::verdict::{Ledger, TensorResult, Unobserved, Verdict};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything about one run. Equal scenario, seed, machine, versions and threads give equal bits, `timings` aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Version of this format.
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
    /// Assignment, loss and gradients, where the graph has a training side.
    #[serde(default)]
    pub stages: Stages,
    /// Seconds per phase; the only part that differs between equal runs.
    pub timings: BTreeMap<String, f64>,
}

/// What the run depended on besides the scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    pub parity: String,
    pub reference: String,
    pub candidate: String,
    /// What the f64 shadow is computed by; None where a stated tolerance made it unnecessary.
    pub shadow: Option<String>,
    pub threads: usize,
    pub os: String,
    pub cpu: String,
    pub model_digest: String,
}

/// One input as it was fed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputRecord {
    pub name: String,
    pub dtype: DType,
    pub shape: Vec<usize>,
    pub sha256: String,
}

/// Whether the verdict is the one that the scenario expects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expectation {
    pub exit: Exit,
    /// What is not as expected; empty where everything is.
    pub unmet: Vec<String>,
}

//! scenario: what to run, as plain data read from TOML; unknown keys are refused.

pub mod build;
pub mod load;
pub mod training;

pub use training::Training;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// One comparison: a model, its inputs, two subjects, a tolerance and what is expected of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Version of this format; only 1 exists.
    pub format: u32,
    /// What it is called; the file's own name where not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// ONNX file, relative to the scenario's folder.
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
    /// The training side of the graph: assigner, loss, gradients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<Training>,
    /// Folder of a golden of this scenario: a further opinion on every tensor that it keeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub golden: Option<PathBuf>,
    /// Two lists of parameters to hold against each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Parameters>,
    #[serde(default)]
    pub limit: Limit,
    #[serde(default)]
    pub expect: Expect,
}

/// Where the lists of parameters come from: a model, a trace or golden that lists them, a JSON list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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

impl Scenario {
    /// Whether the stage is asked for and has something to be run on.
    pub fn runs(&self, stage: Stage) -> bool {
        let possible = match stage {
            Stage::Inputs | Stage::Activations => true,
            Stage::Params => self.golden.is_some() || self.parameters.is_some(),
            Stage::Assign | Stage::Loss | Stage::Grad => self.training.is_some(),
        };
        possible && self.stages.contains(&stage)
    }
}

/// One stage of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// 0: both subjects are fed the same bits.
    Inputs,
    /// 1: which parameters there are, and which of them train.
    Params,
    /// 2: every tensor of the graph, layer by layer.
    Activations,
    /// 3: which anchor is positive for which ground truth.
    Assign,
    /// 4: the terms of the loss.
    Loss,
    /// 5: the gradient of every term by predictions and parameters.
    Grad,
}

impl Stage {
    pub const ALL: [Stage; 6] = [Stage::Inputs, Stage::Params, Stage::Activations, Stage::Assign, Stage::Loss, Stage::Grad];

    pub fn name(self) -> &'static str {
        match self {
            Stage::Inputs => "inputs",
            Stage::Params => "params",
            Stage::Activations => "activations",
            Stage::Assign => "assign",
            Stage::Loss => "loss",
            Stage::Grad => "grad",
        }
    }
}

fn all_stages() -> Vec<Stage> {
    Stage::ALL.to_vec()
}

/// Where the accepted difference comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// `floor` (default): derived from the operators and the network; nothing to guess.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ToleranceKind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub atol: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rtol: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ulp: Option<u64>,
    /// Why a tolerance was chosen by hand; required unless it is `floor`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToleranceKind {
    Floor,
    Flat,
    Ulp,
    Exact,
}

/// Where one input tensor comes from: exactly one of `image`, `file`, `random`, `values`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// PNG or JPEG file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<PathBuf>,
    /// Target height and width of an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resize: Option<[u32; 2]>,
    /// `stretch` (default) or `letterbox`: keep the aspect ratio, fill right and below with `fill`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fill: Option<u8>,
    /// Channel order of an image: `rgb` (default), `bgr`, `gray`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<Color>,
    /// Multiplies every 0-255 value; 1 where not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scale: Option<f32>,
    /// Subtracted per channel, after `scale`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mean: Option<Vec<f32>>,
    /// Divides per channel, after `mean`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub std: Option<Vec<f32>>,
    /// `nchw` (default) or `nhwc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<Layout>,
    /// `.npy` or `.safetensors` file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// Name inside a safetensors file; the input's own name where not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tensor: Option<String>,
    /// Generated values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub random: Option<Distribution>,
    /// `uniform` and `integers`: smallest value; `normal`: not allowed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Largest value (included for integers).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// `constant`: the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// The values themselves, row-major, for small inputs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub values: Option<Vec<f64>>,
    /// Shape of generated or stated values, where the model leaves it open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Vec<usize>>,
    /// Sizes of named dimensions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub dims: BTreeMap<String, usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fit {
    Stretch,
    Letterbox,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Color {
    Rgb,
    Bgr,
    Gray,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    Nchw,
    Nhwc,
}

/// Named distributions of generated inputs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Evenly in [low, high); [0, 1) where not stated.
    Uniform,
    /// Mean 0, standard deviation 1.
    Normal,
    /// Evenly among the integers low ..= high, both required.
    Integers,
    /// `value` everywhere.
    Constant,
}

/// Who computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// A name from `parity list subjects`.
    pub subject: String,
    /// ONNX Runtime's graph optimisation of the observed run; `disable` where not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optimisation: Option<Optimisation>,
    /// `recorded`: the trace file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<PathBuf>,
    /// `recorded`: tensors that the trace calls differently: graph name -> trace name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rename: BTreeMap<String, String>,
    /// `kernel`: its name; the one that the model's metadata name where not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// `faulty`: the subject that it wraps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<String>,
    /// `faulty`: a name from `parity list faults`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// `faulty`: the node to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// `faulty`: the number that the fault takes (a factor, a channel).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<f64>,
    /// `faulty`: give the f64 shadow the same fault, to try the judge itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub and_shadow: bool,
}

impl Subject {
    pub fn named(subject: &str) -> Self {
        Self {
            subject: subject.into(),
            optimisation: None,
            trace: None,
            rename: BTreeMap::new(),
            kernel: None,
            of: None,
            fault: None,
            node: None,
            amount: None,
            and_shadow: false,
        }
    }

    /// The engine that really computes: what `faulty` wraps, or the subject itself.
    pub fn engine(&self) -> &str {
        self.of.as_deref().unwrap_or(&self.subject)
    }
}

fn onnxruntime() -> Subject {
    Subject::named("onnxruntime")
}

fn libtorch() -> Subject {
    Subject::named("libtorch")
}

/// ONNX Runtime's graph optimisation level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Optimisation {
    #[default]
    Disable,
    Basic,
    Extended,
    All,
}

/// Limits the work to a part of the graph, by tensor name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
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
}

/// What makes the run a pass.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    #[serde(default)]
    pub verdict: Expected,
    /// The node at which it must diverge first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// The side that must be off there: `reference`, `candidate`, or `reference_or_shadow`, `candidate_or_shadow` where the
    /// shadow's word may not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub side: Option<crate::verdict::Side>,
    /// The stage in which it must diverge first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
    /// The loss term that must diverge there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub term: Option<String>,
    /// Share of the tensors that must have been compared.
    #[serde(default = "full_coverage")]
    pub coverage: f64,
    /// Tensors that need not be compared (`*` stands for any text).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub abstain: Vec<String>,
    /// `allow` (default) or `fail`.
    #[serde(default)]
    pub tie_flips: TieFlips,
}

impl Default for Expect {
    fn default() -> Self {
        Self {
            verdict: Expected::Agree,
            first: None,
            side: None,
            stage: None,
            term: None,
            coverage: full_coverage(),
            abstain: Vec::new(),
            tie_flips: TieFlips::Allow,
        }
    }
}

fn full_coverage() -> f64 {
    0.99
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    #[default]
    Agree,
    Diverge,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TieFlips {
    #[default]
    Allow,
    Fail,
}

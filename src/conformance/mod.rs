//! conformance: the ONNX backend node tests as a judge: each case is a model of one operator with inputs and the outputs expected of it.

pub mod case;
pub mod judge;
mod known;
pub mod subset;
pub mod summary;

use serde::{Deserialize, Serialize};

/// What became of one case in one engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every output as expected.
    Passed,
    /// Another answer, or none: a crash, or too long a run.
    Failed(String),
    /// The engine, or the way that it is driven, says that it cannot do this.
    Unsupported(String),
}

/// The engines that answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Engine {
    Libtorch,
    Onnxruntime,
}

impl Engine {
    pub const ALL: [Engine; 2] = [Engine::Libtorch, Engine::Onnxruntime];

    pub fn name(self) -> &'static str {
        match self {
            Engine::Libtorch => "libtorch",
            Engine::Onnxruntime => "onnxruntime",
        }
    }
}

/// What the comparator said of corrupted copies of expected outputs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Controls {
    pub made: usize,
    /// Those that it let pass: must be none.
    pub missed: usize,
}

/// One case in both engines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseResult {
    pub name: String,
    /// The operator that the case is about.
    pub operator: String,
    /// Whether it uses the operators of [`subset`] only.
    pub common: bool,
    pub libtorch: Outcome,
    pub onnxruntime: Outcome,
    pub controls: Controls,
}

impl CaseResult {
    pub fn of(&self, engine: Engine) -> &Outcome {
        match engine {
            Engine::Libtorch => &self.libtorch,
            Engine::Onnxruntime => &self.onnxruntime,
        }
    }
}

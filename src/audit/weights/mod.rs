//! weights: what of a checkpoint arrives in the model that it is loaded into, by items and by elements.

mod transfer;

use super::Audited;
use crate::error::Result;
use crate::input::parameters;
use serde::Deserialize;
use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// What is loaded: .pt, .pth, .ckpt, TorchScript, .safetensors, .onnx, a recorded trace, or a list in JSON
    #[arg(value_name = "CHECKPOINT")]
    pub checkpoint: PathBuf,
    /// The model that it is loaded into, in any of the same forms
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,
}

impl Weights {
    /// # Errors
    /// A file that lists no parameters.
    pub fn run(&self) -> Result<Audited> {
        let checkpoint = parameters::source(&self.checkpoint)?;
        let model = parameters::source(&self.model)?;
        let audited = Audited::of("weights")
            .subject("checkpoint", &self.checkpoint)
            .subject("model", &self.model);
        Ok(audited.found(transfer::findings(&checkpoint.list, &model.list)))
    }
}

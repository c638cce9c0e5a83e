//! loss: two forms of a loss that are held against each other on drawn inputs.

use super::Domain;
use crate::tensor::DType;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Two files, each a form of the same loss.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// ONNX, TorchScript or a port, relative to the scenario's folder.
    pub reference: PathBuf,
    /// Likewise.
    pub candidate: PathBuf,
    /// What the candidate computes in; f64 where not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtype: Option<DType>,
    /// Which values each input may hold, by its name in the reference; guessed from its dtype where not stated.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub domains: BTreeMap<String, Domain>,
}

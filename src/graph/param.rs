//! param: one stored tensor of a model, as whoever lists parameters calls it.

use crate::error::{Error, Result};
use crate::tensor::{DType, checked_numel};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// One stored tensor of a model: the same object in a golden's manifest and in a trace's metadata `parameters`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Param {
    pub name: String,
    pub shape: Vec<usize>,
    pub dtype: DType,
    pub kind: Kind,
    /// None where the source cannot say (an ONNX graph).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trainable: Option<bool>,
}

/// What the framework that listed it calls it: what `parameters()` counts, or what it only keeps (running statistics, counters).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Parameter,
    Buffer,
}

impl Param {
    pub fn elements(&self) -> u64 {
        self.shape.iter().product::<usize>() as u64
    }
}

/// No name is listed twice, and the elements can be counted.
pub fn check(list: &[Param]) -> Result<()> {
    let mut seen = HashSet::new();
    let mut total = 0u64;
    for param in list {
        if !seen.insert(&param.name) {
            return Err(Error::usage(format!(
                "parameter '{}' is listed twice",
                param.name
            )));
        }
        // 2^62: both sides of a difference fit an i64.
        total = checked_numel(&param.shape)
            .ok()
            .and_then(|n| total.checked_add(n as u64))
            .filter(|n| *n < 1 << 62)
            .ok_or_else(|| {
                Error::usage(format!(
                    "parameter '{}' {:?}: too many elements to count",
                    param.name, param.shape
                ))
            })?;
    }
    Ok(())
}

/// The module of a parameter: everything before the last '.' or '/' of its name.
pub fn module(name: &str) -> &str {
    name.rfind(['.', '/']).map_or("", |at| &name[..at])
}

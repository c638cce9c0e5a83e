//! find: what a fuzz run found, so that the scenario that it wrote is replayed as it was found.

use crate::tensor::DType;
use serde::{Deserialize, Serialize};

/// A case on which a subject is not what the f64 reference of a kernel says, or the two forms of a loss differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Find {
    /// The kernel that was fuzzed, where it was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<String>,
    /// What the candidate computes in; f64 where not stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dtype: Option<DType>,
    /// Value, gradient or assignment, and of what.
    pub what: String,
    /// The case from which it was shrunk.
    pub case: u64,
}

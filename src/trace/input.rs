//! input: what a run or a recording was fed.

use crate::tensor::DType;
use serde::{Deserialize, Serialize};

/// One input as it was fed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputRecord {
    pub name: String,
    pub dtype: DType,
    pub shape: Vec<usize>,
    pub sha256: String,
}

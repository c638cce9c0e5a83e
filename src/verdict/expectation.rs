//! expectation: whether a verdict is the one that was expected.

use crate::exit::Exit;
use serde::{Deserialize, Serialize};

/// Whether the verdict is the one that the scenario expects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Expectation {
    pub exit: Exit,
    /// What is not as expected; empty where everything is.
    pub unmet: Vec<String>,
}

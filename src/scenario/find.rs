//! find: what a fuzz run found, so that the scenario that it wrote is replayed as it was found.

use serde::{Deserialize, Serialize};

/// A case on which a subject is not what the f64 reference of a kernel says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Find {
    /// The kernel whose form was fuzzed, in f64.
    pub kernel: String,
    /// Value, gradient or assignment, and of what.
    pub what: String,
    /// The case from which it was shrunk.
    pub case: u64,
}

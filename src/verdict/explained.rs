//! explained: why a place gives something else, as far as that was confirmed by applying the cause.

use crate::compare::json;
use serde::{Deserialize, Serialize};

/// What was tried on a place at fault.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// The largest error in units of what rounding allows, before anything is explained.
    #[serde(with = "json")]
    pub before: f64,
    /// Elements that are off, of how many.
    pub off: u64,
    pub of: u64,
    /// Causes each of which leaves nothing; several cannot be told apart on these inputs. Empty where none does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confirmed: Vec<Confirmed>,
    /// How many causes were tried.
    pub tried: u64,
    /// Those that leave least, where none explains.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nearest: Vec<Near>,
}

/// A cause that explains all that was observed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Confirmed {
    /// Its row (`parity list causes`); "ONE + OTHER" of two at once.
    pub cause: String,
    /// The fact as a sentence.
    pub says: String,
    /// What to do about it.
    pub next: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<f64>,
    /// What is left in units of what rounding allows.
    #[serde(with = "json")]
    pub after: f64,
}

/// A cause that does not explain it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Near {
    pub cause: String,
    #[serde(with = "json")]
    pub after: f64,
    /// Elements that stay off.
    pub off: u64,
}

impl Explained {
    /// Whether `cause` is what explains it, alone or among those that cannot be told apart.
    pub fn names(&self, cause: &str) -> bool {
        self.confirmed.iter().any(|c| c.cause == cause)
    }
}

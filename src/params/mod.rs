//! params: the parameters of two models, paired, with every element of the difference of their counts attributed to exactly one cause.

pub mod decompose;
pub mod pair;

pub use crate::graph::param::{Kind, Param, check, module};
pub use decompose::{Cause, Count, Decomposition, Difference, Group};
pub use pair::{How, Paired, Rename};

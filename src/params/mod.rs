//! params: the parameters of two models, paired, with every element of the difference of their counts attributed to exactly one cause,
//! and the values of each pair held against each other.

pub mod attributes;
pub mod decompose;
mod evidence;
mod exchanged;
pub mod fresh;
mod grow;
pub mod joined;
pub mod names;
pub mod pair;
mod prefix;
pub mod rename;
pub mod renaming;
pub mod rollup;
pub mod rule;
pub mod source;
mod unique_value;
pub mod value;
pub mod values;

pub use crate::graph::param::{Kind, Param, check, module};
pub use decompose::{Cause, Count, Decomposition, Difference, Group};
pub use pair::{How, Pair, Paired};
pub use rename::Rename;
pub use source::Source;

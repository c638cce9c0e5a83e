//! graph: do the engines of a scenario agree on inputs that it does not feed?
//!
//! A case is the scenario's model on drawn inputs, judged by the pipeline as any run is. A find is its first divergence: shrunk to smaller
//! and simpler inputs, and to the smallest part of the model that fails on what the reference computed for it.

pub mod account;
mod ask;
pub mod draw;
pub mod finding;
pub mod keep;
pub mod part;
pub mod run;
mod shrink;

pub use account::Account;
pub use ask::Inputs;
pub use run::{Listener, Task, fuzzed, run};

//! fuzz: do two implementations of a kernel, or two engines on a whole model, agree on inputs that nobody wrote a test for?
//!
//! A case is drawn from (seed, index) alone, so any part of a run can be repeated. One loop ([`run()`]) asks, counts, shrinks and keeps; what it
//! asks is a [`run::Target`]: a `kernel`, judged against the f64 reference, a `loss` in two forms, or a `model`, judged by the pipeline.

mod drawn;
pub mod kernel;
pub mod loss;
pub mod model;
pub mod options;
mod pool;
pub mod run;
pub mod saved;
mod search;
pub mod tally;

pub use options::{End, Options, Shard};
pub use run::{Target, Task, run};

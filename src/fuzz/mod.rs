//! fuzz: do two implementations of a kernel, or two engines on a whole model (`graph`), agree on inputs that nobody wrote a test for?
//!
//! A case is drawn from (seed, index) alone, so any part of a run can be repeated. What a subject says is judged against the f64
//! reference; a find is shrunk before it is reported.

pub mod account;
mod ask;
mod batched;

pub mod finding;
pub mod graph;
pub mod keep;
pub mod opinion;
pub mod options;
pub mod oracle;
mod pool;
mod relations;
pub mod run;
mod shelf;
mod shrink;
mod spread;
mod subject;

pub use account::Report;
pub use ask::replay;
pub use opinion::Subject;
pub use options::{End, Options, Shard};
pub use run::{Listener, Task, run};
pub use subject::Candidate;

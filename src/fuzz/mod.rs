//! fuzz: do two implementations of a kernel agree on inputs that nobody wrote a test for?
//!
//! A case is drawn from (seed, index) alone, so any part of a run can be repeated. What a subject says is judged against the f64
//! reference; a find is shrunk before it is reported.

pub mod draw;
pub mod opinion;
pub mod oracle;
pub mod run;

pub use opinion::Subject;
pub use run::{Options, Report, run};

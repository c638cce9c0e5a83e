//! parity: tells an engineer who ports a neural network where the port first stops being the same network, whether that place is
//! itself at fault, and why, with the numbers to prove it.
//!
//! Scenario → Subject → Trace → Comparison → Verdict. Start at [`pipeline::run`]; ARCHITECTURE.md has the map.

pub mod cause;
pub mod cli;
pub mod compare;
pub mod conformance;
pub mod digest;
pub mod environment;
pub mod error;
pub mod exit;
pub mod file;
pub mod floor;
pub mod fuzz;
pub mod golden;
pub mod graph;
pub mod hash;
pub mod input;
pub mod judge;
pub mod kernel;
pub mod machine;
pub mod native;
pub mod pairing;
pub mod params;
pub mod pipeline;
pub mod prepare;
pub mod report;
pub mod run;
pub mod scenario;
pub mod subject;
pub mod tensor;
pub mod text;
pub mod trace;
pub mod verdict;
pub mod walk;
pub mod watch;

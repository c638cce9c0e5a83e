//! parity: tells an engineer who ports a neural network where the port first stops being the same network, whether that place is
//! itself at fault, and why, with the numbers to prove it.
//!
//! Scenario → Subject → Trace → Comparison → Verdict. Start at `pipeline::run`; ARCHITECTURE.md has the map.
//!
//! What is public is what the executable `parity-engine`, the tests and the benches take: values, files, graphs, kernels, subjects, runs. The rooms that
//! prepare, walk, judge and report are its own.

// Bad input is an error with a next step, never a panic; only `cli/` prints.
#![cfg_attr(
    not(test),
    deny(
        clippy::panic,
        clippy::print_stderr,
        clippy::print_stdout,
        clippy::unwrap_used
    )
)]

pub mod audit;
pub mod cause;
pub mod checkpoint;
pub mod cli;
pub mod compare;
pub mod config;
pub mod dataset;
pub mod error;
pub mod exit;
pub mod floor;
pub mod fuzz;
pub mod golden;
pub mod graph;
pub mod hash;
pub mod input;
pub mod kernel;
pub mod native;
pub mod params;
pub mod port;
pub mod run;
pub mod scenario;
pub mod study;
pub mod subject;
pub mod tensor;
pub mod trace;
pub mod training_log;
pub mod verdict;
pub mod watch;

mod conformance;
mod digest;
mod environment;
mod file;
mod judge;
mod machine;
mod pairing;
mod pipeline;
mod prepare;
mod program;
mod python;
mod recordings;
mod report;
mod text;
mod walk;

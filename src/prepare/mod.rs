//! prepare: a scenario made ready to run, or refused: its graph, inputs and plan, what a side cannot compute, how much memory it takes.

#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

pub mod inputs;
pub mod memory;
pub mod params;
pub mod plan;
pub mod preflight;
pub mod prepared;
pub mod unsupported;

pub use plan::Plan;

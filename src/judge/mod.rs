//! judge: where differences meet tolerances; pure.

#![deny(clippy::wildcard_enum_match_arm)]

pub mod against;
pub mod alive;
pub mod exercised;
pub mod expected;
pub mod function;
pub mod golden;
pub mod network;
pub mod stage;

pub use against::{Differs, Flipped, Limit, Pair, Row, against};
pub use expected::expectation;

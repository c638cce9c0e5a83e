//! judge: where differences meet tolerances; pure.

pub mod against;

pub use against::{Differs, Limit, Row, against};

//! pass: the walks over the graph: `layers` compares every tensor as it appears, `noise` measures the floors that it asked for,
//! `preflight` refuses what cannot be compared, `gradients` goes back from the loss, `training` puts the stages behind the activations together.

pub mod accumulated;
pub mod bench;
pub mod bisect;
mod computed;
pub mod conclude;
pub mod context;
pub mod decided;
mod decision;
pub mod extract;
pub mod floors;
pub mod forward;
mod freed;
pub mod given;
pub mod gradients;
pub mod inputs;
pub mod isolated;
pub mod judged;
pub mod lacking;
pub mod layers;
pub mod memory;
pub mod noise;
#[cfg(test)]
mod paper;
pub mod params;
pub mod plan;
pub mod preflight;
pub mod quantised;
mod third;
pub mod training;
mod turns;
pub mod undecided;
pub mod unobserved;
mod values;
pub mod witness;

pub use plan::Plan;

use crate::error::Result;

/// Told how far a walk has come.
pub trait Watch {
    fn phase(&mut self, name: &str, steps: usize);
    fn step(&mut self, done: usize);
    /// Everything that is run has been read, and nothing was refused.
    ///
    /// # Errors
    /// Whoever watches cannot say so.
    fn ready(&mut self) -> Result<()> {
        Ok(())
    }
    /// Something that is to be known before the run ends.
    fn note(&mut self, _text: &str) {}
}

/// Watches nothing.
pub struct Silent;

impl Watch for Silent {
    fn phase(&mut self, _: &str, _: usize) {}
    fn step(&mut self, _: usize) {}
}

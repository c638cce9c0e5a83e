//! watch: who is told how far a run has come.

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

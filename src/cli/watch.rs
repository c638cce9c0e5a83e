//! watch: progress on a terminal, on stderr; silent where stderr is no terminal.

use crate::error::printable;
use crate::pass::Watch;
use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar per phase.
pub struct Bar(ProgressBar);

impl Bar {
    pub fn new() -> Self {
        Self(ProgressBar::hidden())
    }
}

impl Watch for Bar {
    fn phase(&mut self, name: &str, steps: usize) {
        self.0.finish_and_clear();
        self.0 = ProgressBar::new(steps as u64).with_message(name.to_string());
        if let Ok(style) = ProgressStyle::with_template("{msg:>8} [{bar:40}] {pos}/{len} nodes, {elapsed}") {
            self.0.set_style(style);
        }
    }

    fn note(&mut self, text: &str) {
        self.0.suspend(|| eprintln!("{}", printable(text)));
    }

    fn step(&mut self, done: usize) {
        self.0.set_position(done as u64);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

//! watch: progress on a terminal, on stderr; silent where stderr is no terminal.

use super::say;
use crate::error::{Result, printable};
use crate::watch::Watch;
use indicatif::{ProgressBar, ProgressStyle};

/// A progress bar per phase.
pub struct Bar {
    bar: ProgressBar,
    /// What is said once everything that is run could be read.
    first: Option<String>,
    /// What its steps are called.
    steps: &'static str,
}

impl Bar {
    pub fn new() -> Self {
        Self::behind(None)
    }

    /// Counts what is called `steps`.
    pub fn counting(steps: &'static str) -> Self {
        let mut bar = Self::new();
        bar.steps = steps;
        bar
    }

    pub fn behind(first: Option<String>) -> Self {
        Self {
            bar: ProgressBar::hidden(),
            first,
            steps: "nodes",
        }
    }
}

impl Watch for Bar {
    fn ready(&mut self) -> Result<()> {
        self.first.take().map_or(Ok(()), |text| say(&text))
    }

    fn phase(&mut self, name: &str, steps: usize) {
        self.bar.finish_and_clear();
        self.bar = ProgressBar::new(steps as u64).with_message(name.to_string());
        let steps = self.steps;
        if let Ok(style) = ProgressStyle::with_template(&format!(
            "{{msg:>8}} [{{bar:40}}] {{pos}}/{{len}} {steps}, {{elapsed}}"
        )) {
            self.bar.set_style(style);
        }
    }

    fn note(&mut self, text: &str) {
        self.bar.suspend(|| eprintln!("{}", printable(text)));
    }

    fn step(&mut self, done: usize) {
        self.bar.set_position(done as u64);
    }
}

/// The progress of what is fuzzed: cases, their rate, finds.
pub struct Cases {
    bar: ProgressBar,
    name: String,
}

impl Cases {
    /// Of `all` cases, where their number is known.
    pub fn new(name: &str, all: Option<u64>) -> Self {
        let bar = all.map_or_else(ProgressBar::no_length, ProgressBar::new);
        let shown = if all.is_some() {
            "{msg} [{bar:30}] {pos}/{len} cases"
        } else {
            "{msg} {pos} cases"
        };
        if let Ok(style) =
            ProgressStyle::with_template(&format!("{shown}, {{per_sec}}, {{elapsed}}"))
        {
            bar.set_style(style);
        }
        bar.set_message(name.to_string());
        Self {
            bar,
            name: name.to_string(),
        }
    }

    pub fn step(&mut self, drawn: u64, finds: usize) {
        if finds > 0 {
            self.bar
                .set_message(format!("{}, {finds} finds", self.name));
        }
        self.bar.set_position(drawn);
    }
}

impl Drop for Cases {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

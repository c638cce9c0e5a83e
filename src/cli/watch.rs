//! watch: progress on a terminal, on stderr; silent where stderr is no terminal.

use super::progress::{self, Progress};
use super::{look, say};
use crate::error::{Result, printable};
use crate::watch::Watch;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Instant;

/// One line over all phases of a run, with the time that is left.
pub struct Bar {
    bar: ProgressBar,
    progress: Progress,
    begin: Instant,
    /// What is said once everything that is run could be read.
    first: Option<String>,
    /// What its steps are called.
    steps: &'static str,
    /// The present phase, and how many steps it has.
    phase: (String, usize),
}

/// Of the line, in thousandths of the run.
const WHOLE: u64 = 1000;

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
            progress: Progress::default(),
            begin: Instant::now(),
            first,
            steps: "nodes",
            phase: (String::new(), 0),
        }
    }

    fn show(&mut self, done: usize) {
        let share = self.progress.share(done);
        let left = progress::left(share, self.begin.elapsed().as_secs_f64());
        let left = left.map_or(String::new(), |s| format!(", about {s:.0} s left"));
        let (name, steps) = (&self.phase.0, self.phase.1);
        self.bar
            .set_message(format!("{name} {done}/{steps} {}{left}", self.steps));
        self.bar.set_position((share * WHOLE as f64) as u64);
    }
}

impl Watch for Bar {
    fn ready(&mut self) -> Result<()> {
        let first = self.first.take().filter(|_| !look::now().quiet);
        first.map_or(Ok(()), |text| say(&text))
    }

    fn phase(&mut self, name: &str, steps: usize) {
        if self.bar.is_hidden() && !look::now().quiet {
            self.bar = ProgressBar::new(WHOLE);
            let style = "[{bar:30}] {percent:>3} % {msg}";
            if let Ok(style) = ProgressStyle::with_template(style) {
                self.bar.set_style(style);
            }
        }
        self.progress.phase(name, steps);
        self.phase = (name.to_string(), steps);
        self.show(0);
    }

    fn note(&mut self, text: &str) {
        if !look::now().quiet {
            self.bar.suspend(|| eprintln!("{}", printable(text)));
        }
    }

    fn step(&mut self, done: usize) {
        self.show(done);
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

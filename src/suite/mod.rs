//! suite: many scenarios as one value: which there are, what each of them came to, and what all of them come to.

pub mod config;
pub mod discover;
pub mod junit;
pub mod merge;
pub mod part;
#[cfg(test)]
pub mod sample;
#[cfg(test)]
mod schema;
pub mod summary;

use crate::exit::Exit;
use crate::verdict::Finding;
use part::Part;
use serde::{Deserialize, Serialize};

/// The format that is written.
pub const FORMAT: u32 = 1;

/// Scenarios that were run, each in a process of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suite {
    /// Version of this format: [`FORMAT`].
    pub format: u32,
    /// Every scenario of the whole suite, in its order: the parts of one suite say the same here.
    pub whole: Vec<String>,
    /// Which share of it these cases are.
    pub part: Part,
    pub cases: Vec<Case>,
    /// Seconds from the first to the last.
    pub seconds: f64,
}

/// One scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Case {
    /// Its file, as the suite calls it.
    pub name: String,
    pub verdict: Verdict,
    pub seconds: f64,
    /// What a tired engineer reads: the first line of the report, or of the refusal.
    pub headline: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// What the process printed, its end where it is long.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub log: String,
    /// The command that repeats it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub again: String,
    /// What it came to in the run before, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Verdict>,
}

/// What a scenario came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Exit 0: it agrees, or diverges as it expects.
    Passed,
    /// Exit 1.
    Diverged,
    /// Exit 2: the scenario, or a file that it names, is wrong.
    Refused,
    /// Exit 3.
    Failed,
    /// Exit 4.
    Uncovered,
    /// The process was ended by a signal, or by a code that is no exit of parity's.
    Crashed,
    /// It was ended at its time limit.
    TimedOut,
    /// Nobody ran it: its part of the suite is not there, or holds no word of it.
    Lost,
    /// Ctrl-C came before its end.
    Interrupted,
}

impl Verdict {
    /// Every verdict, in the order in which a summary counts them.
    pub const ALL: [Verdict; 9] = [
        Verdict::Passed,
        Verdict::Diverged,
        Verdict::Crashed,
        Verdict::TimedOut,
        Verdict::Failed,
        Verdict::Refused,
        Verdict::Uncovered,
        Verdict::Lost,
        Verdict::Interrupted,
    ];

    pub fn say(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Diverged => "diverged",
            Self::Refused => "refused",
            Self::Failed => "could not run",
            Self::Uncovered => "too little compared",
            Self::Crashed => "crashed",
            Self::TimedOut => "out of time",
            Self::Lost => "lost",
            Self::Interrupted => "interrupted",
        }
    }

    /// What it means for the exit code: what nobody ran is no pass.
    pub fn exit(self) -> Exit {
        match self {
            Self::Passed => Exit::Agree,
            Self::Diverged => Exit::Diverge,
            Self::Refused => Exit::Usage,
            Self::Failed | Self::Crashed | Self::TimedOut => Exit::Failed,
            Self::Uncovered | Self::Lost => Exit::Uncovered,
            Self::Interrupted => Exit::Interrupted,
        }
    }

    /// That of a process which ended by itself with this code.
    pub fn of_code(code: i32) -> Self {
        let known = Exit::ALL
            .iter()
            .map(|row| row.0)
            .find(|exit| *exit as i32 == code);
        match known {
            Some(Exit::Agree) => Self::Passed,
            Some(Exit::Diverge) => Self::Diverged,
            Some(Exit::Usage) => Self::Refused,
            Some(Exit::Failed) => Self::Failed,
            Some(Exit::Uncovered) => Self::Uncovered,
            Some(Exit::Interrupted) => Self::Interrupted,
            None => Self::Crashed,
        }
    }
}

impl Suite {
    /// A divergence says most; a suite in which nothing was run has shown nothing.
    pub fn exit(&self) -> Exit {
        let each = self.cases.iter().map(|case| case.verdict.exit());
        each.reduce(Exit::or_worse).unwrap_or(Exit::Uncovered)
    }

    pub fn count(&self, verdict: Verdict) -> usize {
        let of = |case: &&Case| case.verdict == verdict;
        self.cases.iter().filter(of).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_of_a_suite_is_its_worst_and_nothing_run_is_no_pass() {
        use Verdict::*;
        for (verdicts, exit) in [
            (&[Passed, Passed][..], Exit::Agree),
            (&[Passed, Crashed, TimedOut, Diverged, Lost], Exit::Diverge),
            (&[Passed, Crashed], Exit::Failed),
            (&[Passed, Lost], Exit::Uncovered),
            (&[Passed, Refused], Exit::Usage),
            (&[], Exit::Uncovered),
        ] {
            assert_eq!(sample::suite(verdicts).exit(), exit, "{verdicts:?}");
        }
    }

    #[test]
    fn only_exit_0_is_a_pass_and_a_code_of_nobody_is_a_crash() {
        for code in -1..300 {
            let verdict = Verdict::of_code(code);
            assert_eq!(verdict == Verdict::Passed, code == 0, "{code}");
            let known = Exit::ALL.iter().any(|row| row.0 as i32 == code);
            assert_eq!(verdict == Verdict::Crashed, !known, "{code}");
        }
    }

    #[test]
    fn every_verdict_is_counted_by_a_word_of_its_own() {
        let words: std::collections::BTreeSet<_> = Verdict::ALL.map(Verdict::say).into();
        assert_eq!(words.len(), Verdict::ALL.len());
    }
}

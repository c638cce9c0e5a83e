//! exit: what the process says to a script; the only place where a number is given a meaning.

use serde::{Deserialize, Serialize};

/// The exit code of every command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// 0: everything required was compared and agrees, or diverges exactly where it was expected to.
    Agree = 0,
    /// 1: a divergence that was not expected, or an expected one that is missing or elsewhere.
    Diverge = 1,
    /// 2: the command line, scenario or an input file is wrong; nothing was run.
    Usage = 2,
    /// 3: it could not be run: a library is missing, an engine failed, the disk is full.
    Failed = 3,
    /// 4: nothing was compared, or less than the required coverage.
    Uncovered = 4,
    /// 130: it was interrupted before its end, and nothing had been found.
    Interrupted = 130,
}

impl Exit {
    /// Every code with its one-line meaning, in numeric order.
    pub const ALL: [(Exit, &'static str); 6] = [
        (Exit::Agree, "agree"),
        (Exit::Diverge, "diverge"),
        (Exit::Usage, "usage, scenario or input wrong"),
        (Exit::Failed, "could not run"),
        (
            Exit::Uncovered,
            "nothing compared, or less than the required coverage",
        ),
        (
            Exit::Interrupted,
            "interrupted before its end, nothing found so far",
        ),
    ];
}

impl Exit {
    /// What two results come to: a divergence says more than a run that was broken off, that more than what was not compared, and agreement least.
    pub fn or_worse(self, other: Exit) -> Exit {
        match [self, other].contains(&Exit::Diverge) {
            true => Exit::Diverge,
            false => self.max(other),
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        (exit as u8).into()
    }
}

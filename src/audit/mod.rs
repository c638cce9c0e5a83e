//! audit: what the files of a training tell without running it: one folder and one row per audit.

mod audited;
pub mod freeze;
mod movement;
pub mod preflight;
pub mod weights;

pub use audited::{Audited, Table};

use crate::error::Result;
use clap::Subcommand;
use serde::Deserialize;
use std::path::Path;

/// Every audit with what it is asked: on the command line, or as a table of a file.
#[derive(Clone, Debug, PartialEq, Subcommand, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audit {
    /// Hold a checkpoint against the model that it is loaded into: what is transferred, by items and by elements
    Weights(weights::Weights),
    /// Hold what is meant to be frozen against what is, and look whether what must train does
    Freeze(freeze::Freeze),
}

impl Audit {
    /// Its name on the command line and in a file.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Weights(_) => "weights",
            Self::Freeze(_) => "freeze",
        }
    }

    /// Takes every relative path as one below `folder`.
    pub fn within(&mut self, folder: &Path) {
        match self {
            Self::Weights(asked) => asked.within(folder),
            Self::Freeze(asked) => asked.within(folder),
        }
    }

    /// # Errors
    /// A file that cannot be read at all; what is wrong inside of one is a finding.
    pub fn run(&self) -> Result<Audited> {
        match self {
            Self::Weights(asked) => asked.run(),
            Self::Freeze(asked) => asked.run(),
        }
    }
}

/// Places that a finding shows of many that are alike.
const SHOWN: usize = 5;

/// "1 item", "3 items".
fn counted(n: usize, word: &str) -> String {
    match n {
        1 => format!("1 {word}"),
        n => format!("{n} {word}s"),
    }
}

//! audit: what the files of a training tell without running it: one folder and one row per audit.

mod audited;
mod movement;
pub mod segmentation;
pub mod weights;

pub use audited::{Audited, Table};

use crate::error::Result;
use clap::Subcommand;
use serde::Deserialize;

/// Every audit with what it is asked: on the command line, or as a table of a file.
#[derive(Clone, Debug, PartialEq, Subcommand, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audit {
    /// Hold a checkpoint against the model that it is loaded into: what is transferred, by items and by elements
    Weights(weights::Weights),
    /// Look at a segmentation: confusion matrix, mean IoU under each public formula, collapse, and which formula gives a number that was seen
    Segmentation(segmentation::Segmentation),
}

impl Audit {
    /// # Errors
    /// A file that cannot be read at all; what is wrong inside of one is a finding.
    pub fn run(&self) -> Result<Audited> {
        match self {
            Self::Weights(asked) => asked.run(),
            Self::Segmentation(asked) => asked.run(),
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

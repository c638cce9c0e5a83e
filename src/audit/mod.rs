//! audit: what the files of a training tell without running it: one folder and one row per audit.

mod audited;
pub mod data;
pub mod weights;

pub use audited::{Audited, Table};

use crate::error::Result;
use crate::watch::Watch;
use clap::Subcommand;
use serde::Deserialize;

/// Every audit with what it is asked: on the command line, or as a table of a file.
#[derive(Clone, Debug, PartialEq, Subcommand, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audit {
    /// Hold a checkpoint against the model that it is loaded into: what is transferred, by items and by elements
    Weights(weights::Weights),
    /// Look at all images, labels, depth and label maps of a data set: what is missing, damaged, out of range, in two splits
    Data(data::Data),
}

impl Audit {
    /// # Errors
    /// A file that cannot be read at all; what is wrong inside of one is a finding.
    pub fn run(&self, watch: &mut dyn Watch) -> Result<Audited> {
        match self {
            Self::Weights(asked) => asked.run(),
            Self::Data(asked) => asked.run(watch),
        }
    }
}

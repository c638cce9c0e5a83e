//! audit: what the files of a training tell without running it: one folder and one row per audit.

mod audited;
pub mod config;
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
    /// Hold what a config says against what is there: paths, weights, data, losses, metadata, switches and arguments
    Config(config::Config),
}

impl Audit {
    /// # Errors
    /// A file that cannot be read at all; what is wrong inside of one is a finding.
    pub fn run(&self) -> Result<Audited> {
        match self {
            Self::Weights(asked) => asked.run(),
            Self::Config(asked) => asked.run(),
        }
    }
}

//! audit: what the files of a training tell without running it: one folder and one row per audit.

mod audited;
pub mod bundle;
pub mod config;
pub mod data;
pub mod freeze;
pub mod log;
mod movement;
pub mod port;
pub mod preflight;
pub mod record;
pub mod segmentation;
pub mod weights;

pub use audited::{Audited, Line, Picture, Plot, Table};

use crate::error::Result;
use crate::watch::Watch;
use clap::Subcommand;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Every audit with what it is asked: on the command line, or as a table of a file.
#[derive(Clone, Debug, PartialEq, Subcommand, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audit {
    /// Hold a checkpoint against the model that it is loaded into: what is transferred, by items and by elements
    Weights(weights::Weights),
    /// Hold what is meant to be frozen against what is, and look whether what must train does
    Freeze(freeze::Freeze),
    /// Hold a detection run against its baseline and its targets, and write the record of the experiment
    Record(record::Record),
    /// Look at a segmentation: confusion matrix, mean IoU under each public formula, collapse, and which formula gives a number that was seen
    Segmentation(segmentation::Segmentation),
    /// Hold what a config says against what is there: paths, weights, data, losses, metadata, switches and arguments
    Config(config::Config),
    /// Look at all images, labels, depth and label maps of a data set: what is missing, damaged, out of range, in two splits
    Data(data::Data),
    /// What the logs of a training say of it: dead and missing terms, NaN, explosions, milestones, gradients, counts, warnings
    Log(log::Log),
    /// Start a live port and look at it without a reference: runs at the edges, gradients and optimiser, terms, assigner, whether it learns one image by heart
    Port(port::Port),
}

/// What one audit is asked.
pub trait Asked {
    /// Its name on the command line and in a file.
    fn name(&self) -> &'static str;

    /// Takes every relative path as one below `folder`.
    fn within(&mut self, folder: &Path);

    /// # Errors
    /// A file that cannot be read at all; what is wrong inside of one is a finding.
    fn run(&self, watch: &mut dyn Watch) -> Result<Audited>;
}

impl Audit {
    /// The one row of each.
    #[must_use]
    pub fn asked(self) -> Box<dyn Asked> {
        match self {
            Self::Weights(asked) => Box::new(asked),
            Self::Data(asked) => Box::new(asked),
            Self::Config(asked) => Box::new(asked),
            Self::Freeze(asked) => Box::new(asked),
            Self::Segmentation(asked) => Box::new(asked),
            Self::Log(asked) => Box::new(asked),
            Self::Record(asked) => Box::new(asked),
            Self::Port(asked) => Box::new(asked),
        }
    }
}

/// Takes every one of `paths` that is relative as one below `folder`.
fn below<'a>(folder: &Path, paths: impl IntoIterator<Item = &'a mut PathBuf>) {
    for path in paths {
        *path = folder.join(&*path);
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

/// Whether it holds 0, 1, 2, …: the integral of a distribution over bins, which nobody trains.
fn counts_up(value: &crate::tensor::Tensor) -> bool {
    let all = value.to_f64();
    all.len() > 1 && all.iter().enumerate().all(|(i, v)| *v == i as f64)
}

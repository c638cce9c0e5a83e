//! front: the words of what shows parity itself: the demo, a first scenario, a saved result, completions, the manual.

use super::super::reports;
use super::Live;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Demo {
    /// Print the Run as JSON instead of the story
    #[arg(long)]
    pub json: bool,
}

#[derive(clap::Args)]
pub struct Init {
    /// Reference: a model (.onnx), a live port (net.py) or a recorded trace (.safetensors)
    #[arg(value_name = "A")]
    pub target: PathBuf,
    /// Candidate, likewise; where none is named both engines compute the model A
    #[arg(value_name = "B")]
    pub candidate: Option<PathBuf>,
    /// Input of a bare model, as in `parity run`
    #[arg(long, value_name = "NAME=VALUE")]
    pub input: Vec<String>,
    /// The scenario's file; A.toml or A-B.toml here where not stated
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub live: Live,
    /// Print the Run as JSON instead of the report
    #[arg(long)]
    pub json: bool,
}

#[derive(clap::Args)]
pub struct Show {
    /// What --json printed, or --report json=FILE wrote: of a run or of a suite
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Print it as JSON, in the present format
    #[arg(long)]
    pub json: bool,
    /// Write a view into a file besides: NAME=FILE, NAME from `parity list reports`; several times for several
    #[arg(long, value_name = "NAME=FILE", value_parser = reports::parse)]
    pub report: Vec<reports::Into>,
    /// Show all tensors, not only the decisive ones
    #[arg(long)]
    pub all: bool,
}

#[derive(clap::Args)]
pub struct Completions {
    /// Shell whose completions are printed
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

#[derive(clap::Args)]
pub struct Manual {
    /// Write a page for every command into this folder (parity.1, parity-run.1, ...) instead of printing the first one
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
}

//! suite: the words of `parity test` and `parity merge`.

use super::super::reports;
use super::threads;
use crate::suite::part::Part;
use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Test {
    /// Scenarios, or folders of them; where none is named those that parity.toml or [tool.parity] in pyproject.toml states, else scenarios/
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Only scenarios whose path holds this ('*' matches any text); several times for several
    #[arg(short = 'k', value_name = "PATTERN")]
    pub pattern: Vec<String>,
    /// How many run at once, each in a process of its own; the config's, else half the cores
    #[arg(short, long, value_name = "N", value_parser = threads())]
    pub jobs: Option<usize>,
    /// One scenario may take this long; the config's, else 600
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Run the I-th of N shares; `parity merge` makes the whole of them
    #[arg(long, value_name = "I/N")]
    pub partition: Option<Part>,
    /// An earlier `parity test --json`: what was otherwise then is said; the run before, where not stated
    #[arg(long, value_name = "EARLIER")]
    pub against: Option<PathBuf>,
    /// Run again whenever a scenario, or a file that it names, changes
    #[arg(long, conflicts_with = "json")]
    pub watch: bool,
    /// Print the result as JSON instead of the summary
    #[arg(long)]
    pub json: bool,
    /// Write the result into a file besides: NAME=FILE, NAME one of terminal, json, junit; several times for several
    #[arg(long, value_name = "NAME=FILE", value_parser = reports::parse)]
    pub report: Vec<reports::Into>,
}

#[derive(clap::Args)]
pub struct Merge {
    /// What `parity test --partition I/N --json` printed, of every part
    #[arg(value_name = "PART", required = true, num_args = 1..)]
    pub parts: Vec<PathBuf>,
    /// Print the whole as JSON instead of the summary
    #[arg(long)]
    pub json: bool,
    /// Write the whole into a file besides: NAME=FILE, NAME one of terminal, json, junit; several times for several
    #[arg(long, value_name = "NAME=FILE", value_parser = reports::parse)]
    pub report: Vec<reports::Into>,
}

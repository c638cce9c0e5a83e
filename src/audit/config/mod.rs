//! config: what a config says against what is there: paths, the model, data and weights that it names, losses, metadata, switches and arguments.

use super::{Asked, Audited, below};
use crate::config::{self, Missed, print};
use crate::error::Result;
use crate::verdict::{Finding, Severity};
use crate::watch::Watch;
use serde::Deserialize;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, Default, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The config: mmengine's (.py, .json, .yaml), or ultralytics' args.yaml, data yaml or model yaml
    #[arg(value_name = "CONFIG")]
    pub config: PathBuf,
    /// A folder with packages whose configs are bases (`mmdet::...`), or such a package
    #[arg(long, value_name = "FOLDER")]
    #[serde(default)]
    pub search: Vec<PathBuf>,
    /// Print the whole dictionary instead of an audit, bases merged in
    #[arg(long, value_name = "FORM", num_args = 0..=1, default_missing_value = "json")]
    #[serde(default)]
    pub print: Option<Form>,
}

/// How a dictionary is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// JSON: tuples are arrays
    Json,
    /// A literal of Python: tuples are told from lists
    Python,
}

impl Asked for Config {
    fn name(&self) -> &'static str {
        "config"
    }

    fn within(&mut self, folder: &Path) {
        below(folder, self.search.iter_mut().chain([&mut self.config]));
    }

    fn run(&self, _: &mut dyn Watch) -> Result<Audited> {
        let read = config::load(&self.config, &self.search)?;
        let audited = Audited::of("config").subject("config", &self.config);
        let missed = read.missed.iter().map(|m| not_evaluated(&read, m));
        let mut audited = audited.found(missed);
        audited.printed = self.print.map(|form| match form {
            Form::Json => format!("{:#}\n", print::json(&read.tree)),
            Form::Python => print::python(&read.tree) + "\n",
        });
        Ok(audited)
    }
}

fn not_evaluated(config: &config::Config, missed: &Missed) -> Finding {
    let what = format!("not evaluated: {} ({})", missed.excerpt, missed.why);
    Finding::new("not_evaluated", config.place(missed.at), what).severity(Severity::Unjudged)
}

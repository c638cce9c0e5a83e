//! freeze: what is meant to be frozen against what is, and whether what must train does: gradients asked for, groups of the optimiser, movement.

mod frozen;
mod gather;
mod groups;
mod meant;
mod state;
mod training;

use super::movement;
use super::{Asked, Audited, below};
use crate::error::{Error, Result};
use crate::watch::Watch;
use serde::Deserialize;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, Default, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// The training as it is: a checkpoint with its optimiser (.pt, .pth, .ckpt), a recorded training step, or a list of parameters that says which train
    #[arg(value_name = "STATE")]
    pub state: PathBuf,
    /// An earlier checkpoint of the same training: what moved since; several, the oldest first, for a table by epoch
    #[arg(long, value_name = "CHECKPOINT")]
    #[serde(default)]
    pub before: Vec<PathBuf>,
    /// A recorded training step of the same model: which parameters ask for a gradient, and what it is
    #[arg(long, value_name = "TRACE")]
    pub recorded: Option<PathBuf>,
    /// What is meant to be frozen: a parameter, a module, or a pattern ('*' matches any text)
    #[arg(long, value_name = "NAME")]
    #[serde(default)]
    pub frozen: Vec<String>,
    /// A config that says what is meant to be frozen: lr_mult = 0 of mmengine's custom_keys, freeze of ultralytics' args.yaml
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// What must train: a module or parameter, with its number of parameters where that is known (pooling=515)
    #[arg(long, value_name = "NAME[=COUNT]")]
    #[serde(default)]
    pub train: Vec<String>,
    /// A value that a parameter must begin with: alpha=0.5
    #[arg(long, value_name = "NAME=VALUE")]
    #[serde(default)]
    pub initial: Vec<String>,
}

impl Asked for Freeze {
    fn name(&self) -> &'static str {
        "freeze"
    }

    fn within(&mut self, folder: &Path) {
        let files = self.before.iter_mut().chain(&mut self.recorded);
        let files = files.chain(&mut self.config);
        below(folder, files.chain([&mut self.state]));
    }

    fn run(&self, _: &mut dyn Watch) -> Result<Audited> {
        let recorded = self.recorded.as_deref();
        let mut gathered = gather::state(&self.state, &self.before, recorded, &self.frozen)?;
        if let Some(unused) = gathered.state.unused() {
            let state = &gathered.state;
            let says = format!("--frozen {unused}: no parameter is called so or lies below it");
            let names = state.params.iter().map(|p| p.name.as_str());
            return Err(Error::usage(says).next(crate::error::hint(unused, names)));
        }
        let mut absent = vec![];
        if let Some(config) = &self.config {
            let names = gathered.state.trained().map(|p| p.name.as_str());
            let (meant, unused) = meant::frozen(config, names)?;
            absent = unused;
            gathered.state.frozen.extend(meant);
        }
        let state = &gathered.state;
        let musts = self.train.iter().map(|t| training::Must::parse(t));
        let musts = musts.collect::<Result<Vec<_>>>()?;
        let initial = self.initial.iter().map(|t| training::initial(t));
        let initial = initial.collect::<Result<Vec<_>>>()?;
        let mut audited = Audited::of("freeze").subject("state", &self.state);
        for earlier in &self.before {
            audited = audited.subject("earlier", earlier);
        }
        if let Some(recorded) = &self.recorded {
            audited = audited.subject("recorded", recorded);
        }
        if let Some(config) = &self.config {
            audited = audited.subject("config", config);
        }
        audited = audited
            .found(absent)
            .found(frozen::findings(state))
            .found(groups::findings(state))
            .found(training::findings(state, &musts))
            .found(training::begun(&gathered.begun, &initial))
            .table("by module", &state::COLUMNS, state.table());
        for (title, moved) in &gathered.epochs {
            audited = audited.table(title, &movement::COLUMNS, movement::table(moved));
        }
        Ok(audited)
    }
}

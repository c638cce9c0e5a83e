//! log: what a training's own logs say of it: terms that are dead or never appear, NaN, explosions, whether it learns, milestones, gradients, counts, warnings.

mod asked;
mod counts;
mod damage;
mod expected;
mod falls;
mod gradients;
mod loaded;
mod metrics;
mod milestone;
mod reference;
mod terms;
mod values;
mod watched;
mod words;

use super::weights::Weights;
use super::{Asked, Audited, below};
use crate::error::{Error, Result};
use crate::text;
use crate::training_log::{self, Log as Read};
use crate::verdict::{Finding, Severity};
use crate::watch::Watch;
use asked::{Declared, Shape};
use milestone::Milestone;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use terms::Terms;

#[derive(Clone, Debug, Default, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    /// Logs of one training: results.csv, mmengine's JSON or .log, what was printed, an event file of TensorBoard, or what parity_port.watch wrote
    #[arg(value_name = "LOG", required = true)]
    pub logs: Vec<PathBuf>,
    /// A term or metric that is configured and must appear (several times for several)
    #[arg(long, value_name = "NAME")]
    #[serde(default)]
    pub expect: Vec<String>,
    /// A term that is 0 by design, as DFL where there is none (several times for several)
    #[arg(long, value_name = "NAME")]
    #[serde(default)]
    pub may_be_zero: Vec<String>,
    /// The name of the total; without it `loss`, `total_loss` and the like, else the sum of the terms
    #[arg(long, value_name = "NAME")]
    pub total: Option<String>,
    /// The training must learn: the total falls by more than 50 % and each term falls
    #[arg(long)]
    #[serde(default)]
    pub learns: bool,
    /// One image is overfitted: the total must fall by 90 % at least, and each term fall
    #[arg(long)]
    #[serde(default)]
    pub overfit: bool,
    /// What must be reached: "mAP50 > 15 % at epoch 10" (by epoch 10: until then at any time; at step 1000; at end)
    #[arg(long, value_name = "TEXT")]
    #[serde(default)]
    pub milestone: Vec<Milestone>,
    /// The log of a run that is right: losses must have its scale, and its terms be there
    #[arg(long, value_name = "FILE")]
    pub reference: Option<PathBuf>,
    /// How many images a split has: train=30300
    #[arg(long, value_name = "SPLIT=N")]
    #[serde(default)]
    pub images: Vec<Declared>,
    /// How many objects the labels of a split hold: val=38759
    #[arg(long, value_name = "SPLIT=N")]
    #[serde(default)]
    pub instances: Vec<Declared>,
    /// How many images of a split have no object
    #[arg(long, value_name = "SPLIT=N")]
    #[serde(default)]
    pub backgrounds: Vec<Declared>,
    /// How many images or labels of a split are known to be corrupt
    #[arg(long, value_name = "SPLIT=N")]
    #[serde(default)]
    pub corrupt: Vec<Declared>,
    /// The checkpoint of "Transferred x/y items", to say which they are
    #[arg(long, value_name = "FILE", requires = "model")]
    pub checkpoint: Option<PathBuf>,
    /// The model that it was loaded into
    #[arg(long, value_name = "FILE", requires = "checkpoint")]
    pub model: Option<PathBuf>,
    /// How many classes there are, where watch does not say it
    #[arg(long, value_name = "N")]
    pub classes: Option<u64>,
    /// The label that is ignored, where watch does not say it
    #[arg(long, value_name = "LABEL", allow_hyphen_values = true)]
    pub ignore: Option<i64>,
    /// The shape of an input in the first batch that watch saw: depth=16x1x640x640
    #[arg(long, value_name = "NAME=SHAPE")]
    #[serde(default)]
    pub input: Vec<Shape>,
}

/// One log as detectors see it.
pub struct Held {
    pub file: String,
    pub log: Read,
}

impl Held {
    fn open(path: &Path) -> Result<Self> {
        let log = training_log::open(path)?;
        Ok(Self::of(&path.display().to_string(), log))
    }

    #[must_use]
    pub fn of(file: &str, log: Read) -> Self {
        Self {
            file: file.into(),
            log,
        }
    }

    /// The file and where in it.
    fn at(&self, place: impl std::fmt::Display) -> String {
        format!("{}, {place}", self.file)
    }
}

impl Asked for Log {
    fn name(&self) -> &'static str {
        "log"
    }

    fn within(&mut self, folder: &Path) {
        let files = [&mut self.reference, &mut self.checkpoint, &mut self.model];
        below(folder, files.into_iter().flatten().chain(&mut self.logs));
    }

    fn run(&self, watch: &mut dyn Watch) -> Result<Audited> {
        watch.phase("reading logs", self.logs.len());
        let mut held = vec![];
        for path in &self.logs {
            held.push(Held::open(path)?);
            watch.step(held.len());
        }
        let reference = self.reference.as_deref().map(Held::open).transpose()?;
        let mut audited = Audited::of("log");
        for (path, held) in self.logs.iter().zip(&held) {
            audited = audited.subject(held.log.form.word(), path);
        }
        if let Some(path) = &self.reference {
            audited = audited.subject("reference", path);
        }
        audited = audited.found(self.findings(&held, reference.as_ref()));
        audited = audited.found(self.weights(&held, watch)?);
        for one in &held {
            audited = self.tables(one, audited);
        }
        Ok(audited)
    }
}

impl Log {
    /// All that the logs say; pure.
    #[must_use]
    pub fn findings(&self, all: &[Held], reference: Option<&Held>) -> Vec<Finding> {
        let mut found: Vec<Finding> = all.iter().flat_map(|held| self.of_one(held)).collect();
        found.extend(expected::findings(&self.expect, all));
        found.extend(self.milestone.iter().map(|m| m.judge(all)));
        found.extend(
            reference
                .map(|r| reference::findings(self, all, r))
                .unwrap_or_default(),
        );
        found.extend(self.unused(all));
        found
    }

    fn of_one(&self, held: &Held) -> Vec<Finding> {
        let mut found = damage::findings(held);
        let terms = Terms::of(self, held);
        found.extend(values::findings(&terms));
        found.extend(falls::findings(&terms));
        found.extend(metrics::findings(&terms));
        found.extend(gradients::findings(held));
        found.extend(loaded::findings(held));
        found.extend(counts::findings(self, held));
        found.extend(words::findings(held));
        found.extend(watched::findings(self, held));
        if found.is_empty() {
            let next = "name a log that a training wrote: results.csv, scalars.json, the printed log, events.out.tfevents...";
            let empty = Finding::new(
                "nothing_logged",
                &held.file,
                "it holds neither a loss nor a metric nor a line that is known",
            );
            found.push(empty.severity(Severity::Unjudged).next([next.to_string()]));
        }
        found
    }

    /// What was asked and met nothing to be asked of.
    fn unused(&self, all: &[Held]) -> Vec<Finding> {
        let mut found = counts::unused(self, all);
        found.extend(falls::unused(self, all));
        found.extend(watched::unused(self, all));
        found
    }

    /// What `parity audit weights` says of the items that were transferred.
    fn weights(&self, all: &[Held], watch: &mut dyn Watch) -> Result<Vec<Finding>> {
        let (checkpoint, model) = match (&self.checkpoint, &self.model) {
            (Some(checkpoint), Some(model)) => (checkpoint, model),
            (None, None) => return Ok(vec![]),
            _ => {
                return Err(Error::usage(
                    "checkpoint and model go together: name both files",
                ));
            }
        };
        let asked = Weights {
            checkpoint: checkpoint.clone(),
            model: model.clone(),
            ..Weights::default()
        };
        let found = asked.run(watch)?.findings;
        Ok(loaded::explained(
            all,
            &checkpoint.display().to_string(),
            found,
        ))
    }

    fn tables(&self, held: &Held, audited: Audited) -> Audited {
        let terms = Terms::of(self, held);
        let rows: Vec<Vec<String>> = terms.rows();
        let audited = match rows.is_empty() {
            true => audited,
            false => audited.table(
                &format!("{}: terms and metrics", held.file),
                &terms::COLUMNS,
                rows,
            ),
        };
        watched::table(held, audited)
    }
}

/// "21.4 %".
fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// "180.0 → 140.0".
fn from_to(from: f64, to: f64) -> String {
    format!("{} → {}", text::number(from), text::number(to))
}

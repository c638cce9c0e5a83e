//! weights: what of a checkpoint arrives in the model that it is loaded into, by items and by elements.

pub mod family;
mod item;
mod live;
mod transfer;
mod values;

use super::movement;
use super::{Asked, Audited, below};
use crate::error::{Error, Result};
use crate::params::Rename;
use crate::params::pair::pair;
use crate::verdict::{Finding, Severity};
use crate::watch::Watch;
pub use item::names_it;
use serde::Deserialize;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, Default, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// What is loaded: .pt, .pth, .ckpt, TorchScript, .safetensors, .onnx, a recorded trace, or a list in JSON
    #[arg(value_name = "CHECKPOINT")]
    pub checkpoint: PathBuf,
    /// The model that it is loaded into, in any of the same forms
    #[arg(value_name = "MODEL")]
    pub model: PathBuf,
    /// The model is as it was after loading: what arrives must hold the checkpoint's values
    #[arg(long)]
    #[serde(default)]
    pub loaded: bool,
    /// Both are checkpoints of one training, the earlier one first: says what moved and by how much, and what did not
    #[arg(long, conflicts_with_all = ["loaded", "except", "rename"])]
    #[serde(default)]
    pub moved: bool,
    /// Parameters that are meant to begin anew: a name, or what it begins with ('*' matches any text)
    #[arg(long, value_name = "NAME")]
    #[serde(default)]
    pub except: Vec<String>,
    /// Item that the loader renames: CHECKPOINT=MODEL, or A*=B* for every name that starts with A
    #[arg(long, value_name = "A=B")]
    #[serde(default)]
    pub rename: Vec<String>,
    /// Python that runs a side that is a live port (net.py): a checkpoint that is one gives its parameters, a model that is one is loaded and read back
    #[arg(long, value_name = "PYTHON")]
    #[serde(default)]
    pub python: Vec<PathBuf>,
    /// One answer of a live port may take this long; 300 seconds where not stated
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    #[serde(default)]
    pub port_limit: Option<u64>,
}

impl Asked for Weights {
    fn name(&self) -> &'static str {
        "weights"
    }

    fn within(&mut self, folder: &Path) {
        below(folder, [&mut self.checkpoint, &mut self.model]);
    }

    fn run(&self, _: &mut dyn Watch) -> Result<Audited> {
        if self.moved {
            return movement::audit("weights", &self.checkpoint, &self.model);
        }
        let renames = self.rename.iter().map(|r| Rename::parse(r));
        let renames = renames.collect::<Result<Vec<_>>>()?;
        let checkpoint = live::source(self, &self.checkpoint)?;
        let (model, put) = live::loaded(self, &checkpoint, &renames)?;
        let loaded = self.loaded || !put.is_empty();
        let pairs = pair(&checkpoint, &model, &renames)?;
        let items = item::all(&model.list, &pairs, &self.except);
        if let Some(pattern) = item::unused(&model.list, &self.except) {
            let says = format!("--except {pattern}: the model has no such parameter");
            return Err(Error::usage(says));
        }
        let audited = Audited::of("weights")
            .subject("checkpoint", &self.checkpoint)
            .subject("model", &self.model);
        Ok(audited
            .found(put)
            .found(family::findings(&checkpoint.list, &model.list))
            .found(transfer::findings(&items, item::left(&pairs)))
            .found(values::partial(&items, [&checkpoint, &model])?)
            .found(values::findings(&items, &checkpoint, loaded))
            .found(unread(&checkpoint.left_out))
            .table("of the model", &transfer::COLUMNS, transfer::table(&items)))
    }
}

/// Objects that the checkpoint holds and nobody reads.
fn unread(left_out: &[String]) -> Option<Finding> {
    let n = left_out.len();
    let what = format!("{n} objects in the file are no tensors, and were not made");
    let finding = Finding::new("unread", "checkpoint", what)
        .facts(left_out.iter().take(super::SHOWN).cloned())
        .severity(Severity::Note);
    (n > 0).then_some(finding)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lists in JSON, written anew.
    fn audit(checkpoint: &[(&str, &[usize])], model: &[(&str, &[usize])]) -> Audited {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, list: &[(&str, &[usize])]| {
            let one = |p: &(&str, &[usize])| serde_json::json!({"name": p.0, "shape": p.1, "dtype": "f32", "kind": "parameter"});
            let list: Vec<_> = list.iter().map(one).collect();
            let path = folder.path().join(name);
            std::fs::write(&path, serde_json::to_string(&list).unwrap()).unwrap();
            path
        };
        let asked = Weights {
            checkpoint: write("c.json", checkpoint),
            model: write("m.json", model),
            ..Weights::default()
        };
        asked.run(&mut crate::watch::Silent).unwrap()
    }

    fn kinds(audited: &Audited) -> Vec<(&str, Severity)> {
        let all = audited.findings.iter();
        all.map(|f| (f.kind.as_str(), f.severity)).collect()
    }

    const SMALL: &[(&str, &[usize])] = &[
        ("stem.weight", &[8, 3, 3, 3]),
        ("norm.weight", &[8]),
        ("norm.running_mean", &[8]),
        ("norm.num_batches_tracked", &[]),
        ("head.weight", &[10, 8]),
        ("head.bias", &[10]),
    ];

    #[test]
    fn what_fits_is_found_right_with_its_number() {
        let same = audit(SMALL, SMALL);
        assert_eq!(kinds(&same), [("transfer", Severity::Note)]);
        assert_eq!(
            same.findings[0].what,
            "6 of 6 items are transferred: 4 parameters, 1 statistic, 1 counter; 100.00 % of the elements of parameters (314 of 314)"
        );
    }

    #[test]
    fn a_channel_that_is_left_random_a_head_for_other_classes_and_another_size_are_told_apart() {
        let mut four = SMALL.to_vec();
        four[0].1 = &[8, 4, 3, 3];
        let partial = audit(SMALL, &four);
        assert_eq!(kinds(&partial)[0], ("partial", Severity::Fault));
        assert!(
            partial.findings[0]
                .what
                .contains("3 of 4 input channels of 'stem.weight'")
        );
        let mut other = SMALL.to_vec();
        other[4].1 = &[20, 8];
        other[5].1 = &[20];
        assert_eq!(
            kinds(&audit(SMALL, &other)),
            [("transfer", Severity::Note), ("head", Severity::Note)]
        );
        let wide: Vec<(&str, &[usize])> = vec![
            ("stem.weight", &[16, 3, 3, 3]),
            ("norm.weight", &[16]),
            ("norm.running_mean", &[16]),
            ("norm.num_batches_tracked", &[]),
            ("head.weight", &[10, 16]),
            ("head.bias", &[10]),
        ];
        let sizes = audit(SMALL, &wide);
        assert_eq!(
            kinds(&sizes)[..3],
            [
                ("size", Severity::Fault),
                ("transfer", Severity::Fault),
                ("shape", Severity::Fault)
            ]
        );
        assert!(sizes.findings[0].what.contains("2 x as wide"), "{sizes:#?}");
    }

    #[test]
    fn names_below_a_prefix_and_names_that_are_missing_are_faults() {
        let prefixed: Vec<(String, &[usize])> = SMALL
            .iter()
            .map(|(n, s)| (format!("module.{n}"), *s))
            .collect();
        let prefixed: Vec<(&str, &[usize])> =
            prefixed.iter().map(|(n, s)| (n.as_str(), *s)).collect();
        let audited = audit(&prefixed, SMALL);
        assert_eq!(kinds(&audited)[0], ("transfer", Severity::Fault));
        let renamed = &audited.findings[1];
        assert_eq!(renamed.kind, "renamed");
        assert!(renamed.facts[0].contains("module.* = *"), "{renamed:#?}");
        let missing = audit(&SMALL[..4], SMALL);
        let fault = missing.findings.iter().find(|f| f.kind == "missing");
        assert!(fault.unwrap().what.contains("2 of the model's items"));
        let more = audit(SMALL, &SMALL[..4]);
        assert!(kinds(&more).contains(&("left", Severity::Note)));
        assert_eq!(more.count(Severity::Fault), 0);
    }
}

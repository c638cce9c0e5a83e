//! folder: which audits apply to what lies in a folder, by the names of its files and what the small ones hold.

use crate::audit::{Audit, config, data, freeze, log, weights};
use crate::checkpoint;
use crate::error::{Error, Result};
use crate::input::yaml;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Folders in each other, and entries, that are looked at: a data set has more, and its yaml stands on top.
const DEEP: usize = 5;
const MOST: usize = 200_000;

/// Bytes of a yaml or a config that is looked into.
const SMALL: u64 = 1 << 20;

/// What one folder holds.
#[derive(Debug, Default)]
struct Held {
    logs: Vec<PathBuf>,
    checkpoints: Vec<PathBuf>,
    configs: Vec<PathBuf>,
    data: Vec<PathBuf>,
}

/// The audits that apply, folder by folder.
///
/// # Errors
/// A folder that cannot be read, or has nothing to audit.
pub fn audits(folder: &Path) -> Result<Vec<Audit>> {
    let all: Vec<Audit> = held(folder).into_values().flat_map(of).collect();
    match all.is_empty() {
        false => Ok(all),
        true => Err(Error::usage("nothing in it is known to an audit").next(
            "it is looked for data yamls, args.yaml and mmengine configs, results.csv and other logs, checkpoints; or name audits in a file: docs/AUDIT.md",
        )),
    }
}

/// Every file that an audit of the folder reads, but for the data itself.
#[must_use]
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let all = held(folder).into_values();
    all.flat_map(|h| [h.logs, h.checkpoints, h.configs, h.data].concat())
        .collect()
}

fn held(folder: &Path) -> BTreeMap<PathBuf, Held> {
    let mut by: BTreeMap<PathBuf, Held> = BTreeMap::new();
    let walk = WalkDir::new(folder).max_depth(DEEP).sort_by_file_name();
    let hidden = |name: &std::ffi::OsStr| name.as_encoded_bytes().starts_with(b".");
    let shown = walk
        .into_iter()
        .filter_entry(move |e| e.depth() == 0 || !hidden(e.file_name()));
    for entry in shown
        .take(MOST)
        .flatten()
        .filter(|e| e.file_type().is_file())
    {
        let home = entry.path().parent().unwrap_or(folder).to_path_buf();
        put(by.entry(home).or_default(), entry.into_path());
    }
    by
}

fn put(held: &mut Held, path: PathBuf) {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let end = path
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    match end.as_str() {
        _ if name == "results.csv"
            || name.contains("tfevents")
            || name.ends_with(".log.json")
            || name == "scalars.json"
            || end == "jsonl" =>
        {
            held.logs.push(path)
        }
        "log" => held.logs.push(path),
        "pt" | "pth" | "ckpt" if checkpoint::is_one(&path) => held.checkpoints.push(path),
        "yaml" | "yml" => match kind(&path) {
            Some(Yaml::Data) => held.data.push(path),
            Some(Yaml::Settings) => held.configs.push(path),
            None => {}
        },
        "py" if is_mmengine(&path) => held.configs.push(path),
        _ => {}
    }
}

pub(super) enum Yaml {
    Data,
    Settings,
}

/// Looked at before anything is read.
fn is_small(path: &Path) -> bool {
    path.metadata().is_ok_and(|m| m.len() < SMALL)
}

/// Names and a split are a data set; a task and a mode are ultralytics' settings.
pub(super) fn kind(path: &Path) -> Option<Yaml> {
    let read = is_small(path).then(|| yaml::load(path).ok()).flatten()?;
    let has = |key: &str| read.get(key).is_some();
    match () {
        () if (has("names") || has("nc")) && (has("train") || has("val")) => Some(Yaml::Data),
        () if has("task") && has("mode") && has("model") => Some(Yaml::Settings),
        () => None,
    }
}

/// A config names a model, a base or a pipeline on top.
fn is_mmengine(path: &Path) -> bool {
    let text = is_small(path).then(|| std::fs::read_to_string(path).ok());
    let begins = |line: &str| {
        [
            "_base_ =",
            "model = dict(",
            "train_pipeline =",
            "train_cfg =",
        ]
        .iter()
        .any(|w| line.starts_with(w))
    };
    text.flatten().is_some_and(|t| t.lines().any(begins))
}

/// The audits of one folder: its logs together, its checkpoints from the oldest to the newest.
fn of(mut held: Held) -> Vec<Audit> {
    let age = |path: &PathBuf| path.metadata().and_then(|m| m.modified()).ok();
    held.checkpoints.sort_by_key(age);
    let mut all = vec![];
    all.extend(held.data.into_iter().map(|data| {
        Audit::Data(data::Data {
            data,
            ..data::Data::default()
        })
    }));
    all.extend(held.configs.into_iter().map(|config| {
        Audit::Config(config::Config {
            config,
            ..config::Config::default()
        })
    }));
    if !held.logs.is_empty() {
        all.push(Audit::Log(log::Log {
            logs: held.logs,
            ..log::Log::default()
        }));
    }
    let newest = held.checkpoints.pop();
    if let (Some(oldest), Some(newest)) = (held.checkpoints.first(), &newest) {
        all.push(Audit::Weights(weights::Weights {
            checkpoint: oldest.clone(),
            model: newest.clone(),
            moved: true,
            ..weights::Weights::default()
        }));
    }
    all.extend(newest.map(|state| {
        Audit::Freeze(freeze::Freeze {
            state,
            ..freeze::Freeze::default()
        })
    }));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_in_a_folder_names_the_audits_that_apply() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        assert!(
            audits(root)
                .unwrap_err()
                .to_string()
                .contains("nothing in it")
        );
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/audits/freeze");
        std::fs::create_dir(root.join("weights")).unwrap();
        for name in ["frozen-begin.pt", "frozen.pt"] {
            std::fs::copy(fixture.join(name), root.join("weights").join(name)).unwrap();
        }
        for (name, text) in [
            ("results.csv", "epoch,train/box_loss\n1,2\n"),
            ("args.yaml", "task: detect\nmode: train\nmodel: n.yaml\n"),
            ("data.yaml", "train: a\nval: b\nnames: [car]\n"),
            ("other.yaml", "a: 1\n"),
            ("config.py", "_base_ = 'b.py'\n"),
            ("tool.py", "import os\n"),
            (".hidden.yaml", "train: a\nnames: [car]\n"),
        ] {
            std::fs::write(root.join(name), text).unwrap();
        }
        let all = audits(root).unwrap();
        let names: Vec<&str> = all.into_iter().map(|a| a.asked().name()).collect();
        assert_eq!(
            names,
            ["data", "config", "config", "log", "weights", "freeze"]
        );
    }
}

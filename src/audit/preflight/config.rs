//! config: which audits apply to the training that a config describes: the config itself, the data yaml that it names, the log that lies beside it.

use super::folder::{Yaml, kind};
use crate::audit::{Audit, config, data, log};
use crate::input::yaml;
use std::path::{Path, PathBuf};

/// Whether a file is a training's config and no list of audits.
#[must_use]
pub fn is_one(path: &Path) -> bool {
    let end = path.extension().and_then(|e| e.to_str()).unwrap_or("");
    ["py", "yaml", "yml"].contains(&end)
}

/// The audits that apply; the config is asked whatever it holds.
pub fn audits(path: &Path) -> Vec<Audit> {
    let data = match kind(path) {
        Some(Yaml::Data) => Some(path.to_path_buf()),
        Some(Yaml::Settings) => named(path),
        None => None,
    };
    let data = data.map(|data| {
        Audit::Data(data::Data {
            data,
            ..data::Data::default()
        })
    });
    let own = Audit::Config(config::Config {
        config: path.into(),
        ..config::Config::default()
    });
    let beside = path.with_file_name("results.csv");
    let log = beside.is_file().then(|| {
        Audit::Log(log::Log {
            logs: vec![beside],
            ..log::Log::default()
        })
    });
    std::iter::once(own).chain(data).chain(log).collect()
}

/// The data yaml of ultralytics' settings, from the working folder or from theirs.
fn named(path: &Path) -> Option<PathBuf> {
    let read = yaml::load(path).ok()?;
    let stated = Path::new(read.get("data")?.as_str()?);
    let own = path.parent().unwrap_or(Path::new("")).join(stated);
    [stated.to_path_buf(), own]
        .into_iter()
        .find(|p| p.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_config_brings_its_data_and_the_log_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let args = write(
            "args.yaml",
            "task: detect\nmode: train\nmodel: n.yaml\ndata: sets.yaml\n",
        );
        let names = |path: &Path| {
            let all = audits(path).into_iter();
            all.map(|a| a.asked().name()).collect::<Vec<_>>()
        };
        assert_eq!(names(&args), ["config"]);
        let data = write("sets.yaml", "train: a\nval: b\nnames: [car]\n");
        assert_eq!(names(&args), ["config", "data"]);
        write("results.csv", "epoch,train/box_loss\n1,2\n");
        assert_eq!(names(&args), ["config", "data", "log"]);
        assert_eq!(names(&data), ["config", "data", "log"]);
        assert!(is_one(&args) && is_one(Path::new("c.py")) && !is_one(Path::new("p.toml")));
    }
}

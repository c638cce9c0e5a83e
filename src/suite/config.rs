//! config: what a project says of its suite: `parity.toml`, or `[tool.parity]` in `pyproject.toml`, here or in the nearest folder above.

use crate::error::{Error, Place, Result};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The suite of a project.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Config {
    /// Scenarios, folders of them, or patterns of paths (`*` stands for any text), relative to this file; `scenarios` where not stated.
    #[serde(default)]
    pub scenarios: Vec<String>,
    /// Paths that are left out (`*` stands for any text).
    #[serde(default)]
    pub exclude: Vec<String>,
    /// How many run at once; half the cores where not stated.
    #[serde(default)]
    pub jobs: Option<usize>,
    /// Seconds that one scenario may take; 600 where not stated.
    #[serde(default)]
    pub limit: Option<u64>,
}

/// A config, and the folder that its paths are relative to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub config: Config,
    pub file: PathBuf,
}

/// The nearest config of `folder` and those above it.
///
/// # Errors
/// One is there that cannot be read, or has a key that nobody knows.
pub fn nearest(folder: &Path) -> Result<Option<Found>> {
    for above in folder.ancestors() {
        for (name, read) in [
            ("parity.toml", own as Read),
            ("pyproject.toml", python as Read),
        ] {
            let file = above.join(name);
            let Ok(text) = std::fs::read_to_string(&file) else {
                continue;
            };
            if let Some(config) = read(&text).at(file.display())? {
                return Ok(Some(Found { config, file }));
            }
        }
    }
    Ok(None)
}

type Read = fn(&str) -> Result<Option<Config>>;

fn own(text: &str) -> Result<Option<Config>> {
    let config: Config = toml::from_str(text).map_err(|e| wrong(&e))?;
    check(config).map(Some)
}

/// A file of other tools, too: what does not speak of parity is nobody's fault here.
fn python(text: &str) -> Result<Option<Config>> {
    let Ok(whole) = toml::from_str::<toml::Table>(text) else {
        return Ok(None);
    };
    let tool = whole.get("tool").and_then(|tool| tool.get("parity"));
    let read = |table: &toml::Value| table.clone().try_into::<Config>().map_err(|e| wrong(&e));
    tool.map(read).transpose()?.map(check).transpose()
}

fn wrong(e: &toml::de::Error) -> Error {
    Error::usage(e.message().to_string())
        .next("it takes scenarios, exclude, jobs and limit (docs/SUITES.md)")
}

fn check(config: Config) -> Result<Config> {
    match (config.jobs, config.limit) {
        (Some(0), _) => Err(Error::usage("jobs = 0: nothing would run")),
        (_, Some(0)) => Err(Error::usage("limit = 0: nothing runs in no time")),
        _ => Ok(config),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_file_that_speaks_of_parity_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let below = dir.path().join("a/b");
        std::fs::create_dir_all(&below).unwrap();
        let write = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        write(
            "pyproject.toml",
            "[tool.parity]\nscenarios = ['ports']\njobs = 3\n",
        );
        write("a/pyproject.toml", "[project]\nname = 'another'\n");
        let found = nearest(&below).unwrap().unwrap();
        assert_eq!(found.file, dir.path().join("pyproject.toml"));
        assert_eq!(
            (found.config.scenarios, found.config.jobs),
            (vec!["ports".to_string()], Some(3))
        );
        write("a/parity.toml", "limit = 5\n");
        assert_eq!(nearest(&below).unwrap().unwrap().config.limit, Some(5));
    }

    #[test]
    fn a_key_that_nobody_knows_and_no_jobs_are_refused() {
        for (text, word) in [
            ("scenario = ['a']", "unknown field `scenario`"),
            ("jobs = 0", "jobs = 0"),
            ("limit = 0", "limit = 0"),
            ("jobs = 'many'", "invalid type"),
        ] {
            let says = own(text).unwrap_err().to_string();
            assert!(says.contains(word), "{says}");
            let table = format!("[tool.parity]\n{text}");
            assert!(python(&table).is_err(), "{table}");
        }
        assert_eq!(python("[tool.black]\nline = 1"), Ok(None));
    }
}

//! discover: which scenarios a suite has: those that are named, those below the folders that are named, those of the project.

use super::config::Found;
use crate::error::{Error, Place, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use wildmatch::WildMatch;

/// Where a project keeps its scenarios that says nothing of it.
const FOLDER: &str = "scenarios";

/// The scenarios of a suite.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovered {
    /// Their files, sorted, each once.
    pub scenarios: Vec<String>,
    /// Files in the folders that end in .toml and are no scenarios.
    pub others: Vec<String>,
}

/// Of `paths`; of the project where there is none.
///
/// # Errors
/// A path that is not there; no scenario.
pub fn discover(paths: &[PathBuf], found: Option<&Found>) -> Result<Discovered> {
    let mut all = Discovered::default();
    match (paths, found) {
        ([], Some(found)) => project(found, &mut all)?,
        ([], None) if !Path::new(FOLDER).is_dir() => {
            return Err(Error::usage("there is no suite here: no parity.toml, no [tool.parity] in pyproject.toml, no folder 'scenarios'")
                .next("name scenarios or folders of them: parity test PATH; docs/SUITES.md"));
        }
        ([], None) => below(Path::new(FOLDER), &mut all)?,
        (paths, _) => paths.iter().try_for_each(|path| below(path, &mut all))?,
    }
    let left_out = found.filter(|_| paths.is_empty()).map(exclude);
    let is_in = |name: &String| !left_out.as_ref().is_some_and(|out| out(name));
    let sorted = |list: Vec<String>| -> Vec<String> {
        let once: BTreeSet<String> = list.into_iter().filter(is_in).collect();
        once.into_iter().collect()
    };
    let (scenarios, others) = (sorted(all.scenarios), sorted(all.others));
    match scenarios.is_empty() {
        true => Err(Error::uncovered(format!(
            "no scenario was found ({} files end in .toml and state no format)",
            others.len()
        ))
        .next("a scenario states format = 1: docs/SCENARIO.md")),
        false => Ok(Discovered { scenarios, others }),
    }
}

/// Those whose name holds one of the patterns; all where there is none.
///
/// # Errors
/// None does.
pub fn chosen(all: Vec<String>, patterns: &[String]) -> Result<Vec<String>> {
    if patterns.is_empty() {
        return Ok(all);
    }
    let wild: Vec<WildMatch> = patterns
        .iter()
        .map(|p| WildMatch::new(&format!("*{p}*")))
        .collect();
    let fits = |name: &&String| wild.iter().any(|w| w.matches(name));
    let kept: Vec<String> = all.iter().filter(fits).cloned().collect();
    match kept.is_empty() {
        true => Err(Error::usage(format!(
            "-k {}: no scenario of {} has such a name",
            patterns.join(" -k "),
            all.len()
        ))
        .next(format!("the first is called {}", all[0]))),
        false => Ok(kept),
    }
}

/// What a project's config names.
fn project(found: &Found, all: &mut Discovered) -> Result<()> {
    let own = found.file.parent().unwrap_or(Path::new(""));
    let default = [FOLDER.to_string()];
    let stated = match found.config.scenarios.is_empty() {
        true => &default[..],
        false => &found.config.scenarios,
    };
    for text in stated {
        let path = seen_from_here(&own.join(text));
        let place = || format!("{}: scenarios = '{text}'", found.file.display());
        if !text.contains('*') {
            below(&path, all).at(place())?;
            continue;
        }
        let (mut below_it, pattern) = (
            Discovered::default(),
            WildMatch::new(&path.to_string_lossy()),
        );
        // Everything below the folder that the pattern begins with.
        let folder = text.split('*').next().unwrap_or_default();
        let folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
        below(&seen_from_here(&own.join(folder)), &mut below_it).at(place())?;
        let before = all.scenarios.len();
        all.scenarios.extend(
            below_it
                .scenarios
                .into_iter()
                .filter(|name| pattern.matches(name)),
        );
        if all.scenarios.len() == before {
            return Err(Error::usage("no scenario has such a path")).at(place());
        }
    }
    Ok(())
}

fn exclude(found: &Found) -> impl Fn(&String) -> bool + use<> {
    let own = found.file.parent().unwrap_or(Path::new("")).to_path_buf();
    let pattern =
        |text: &String| WildMatch::new(&seen_from_here(&own.join(text)).to_string_lossy());
    let out: Vec<WildMatch> = found.config.exclude.iter().map(pattern).collect();
    move |name| out.iter().any(|w| w.matches(name))
}

/// As a person here would write it.
fn seen_from_here(path: &Path) -> PathBuf {
    let here = std::env::current_dir().unwrap_or_default();
    match path.strip_prefix(&here) {
        Ok(below) if below.as_os_str().is_empty() => PathBuf::from("."),
        Ok(below) => below.into(),
        Err(_) => path.into(),
    }
}

/// A file as it is; of a folder all that end in .toml.
fn below(path: &Path, all: &mut Discovered) -> Result<()> {
    let text = |path: &Path| crate::file::as_text(path).map(str::to_string);
    let about = path.metadata().map_err(|e| Error::usage(e.to_string()));
    if about.at(path.display())?.is_file() {
        all.scenarios.push(text(path)?);
        return Ok(());
    }
    let hidden =
        |e: &walkdir::DirEntry| e.depth() > 0 && e.file_name().as_encoded_bytes().starts_with(b".");
    for entry in walkdir::WalkDir::new(path)
        .into_iter()
        .filter_entry(|e| !hidden(e))
    {
        let file = entry.map_err(|e| Error::usage(e.to_string()))?.into_path();
        if file.is_file() && file.extension().is_some_and(|e| e == "toml") {
            let name = text(file.strip_prefix(".").unwrap_or(&file))?;
            match is_scenario(&file) {
                true => all.scenarios.push(name),
                false => all.others.push(name),
            }
        }
    }
    Ok(())
}

/// One that cannot be read is one: its run says what is wrong.
fn is_scenario(file: &Path) -> bool {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let table = toml::from_str::<toml::Table>(&text);
    table.map_or(true, |table| table.contains_key("format"))
}

#[cfg(test)]
mod tests {
    use super::super::config::Config;
    use super::*;

    const OWN: &str = "format = 1\nmodel = 'm.onnx'\n";

    fn project() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("scenarios/b.toml", OWN),
            ("scenarios/a.toml", OWN),
            ("scenarios/deep/c.toml", OWN),
            ("scenarios/broken.toml", "format = = 1"),
            ("scenarios/.hidden/d.toml", OWN),
            ("scenarios/audit.toml", "[log]\n"),
            ("scenarios/notes.md", ""),
        ] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    /// The names without the folder of the test.
    fn names(dir: &Path, found: Result<Discovered>) -> [Vec<String>; 2] {
        let found = found.unwrap();
        let short = |list: Vec<String>| {
            let one = |n: String| {
                Path::new(&n)
                    .strip_prefix(dir)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_string()
            };
            list.into_iter().map(one).collect()
        };
        [short(found.scenarios), short(found.others)]
    }

    #[test]
    fn a_folder_gives_every_scenario_below_it_once_and_says_what_is_none() {
        let dir = project();
        let paths = [
            dir.path().join("scenarios"),
            dir.path().join("scenarios/a.toml"),
        ];
        let [scenarios, others] = names(dir.path(), discover(&paths, None));
        assert_eq!(
            scenarios,
            [
                "scenarios/a.toml",
                "scenarios/b.toml",
                "scenarios/broken.toml",
                "scenarios/deep/c.toml"
            ]
        );
        assert_eq!(others, ["scenarios/audit.toml"]);
        assert!(discover(&[dir.path().join("gone")], None).is_err());
    }

    #[test]
    fn a_project_states_patterns_and_what_is_left_out() {
        let dir = project();
        let of = |scenarios: &[&str], exclude: &[&str]| {
            let own = |list: &[&str]| list.iter().map(|s| s.to_string()).collect();
            let config = Config {
                scenarios: own(scenarios),
                exclude: own(exclude),
                ..Config::default()
            };
            discover(
                &[],
                Some(&Found {
                    config,
                    file: dir.path().join("parity.toml"),
                }),
            )
        };
        let [all, _] = names(dir.path(), of(&[], &["scenarios/broken.toml"]));
        assert_eq!(
            all,
            [
                "scenarios/a.toml",
                "scenarios/b.toml",
                "scenarios/deep/c.toml"
            ]
        );
        let [deep, _] = names(dir.path(), of(&["scenarios/deep/*.toml"], &[]));
        assert_eq!(deep, ["scenarios/deep/c.toml"]);
        assert!(of(&["scenarios/none*.toml"], &[]).is_err());
        assert!(of(&["gone"], &[]).is_err());
        assert!(of(&["scenarios/deep"], &["*"]).is_err());
    }

    #[test]
    fn a_pattern_chooses_by_name_and_one_that_chooses_nothing_is_refused() {
        let all = ["x/yolo.toml", "x/relu.toml"].map(String::from).to_vec();
        let of = |k: &[&str]| {
            chosen(
                all.clone(),
                &k.iter().map(|s| s.to_string()).collect::<Vec<_>>(),
            )
        };
        assert_eq!(of(&[]).unwrap().len(), 2);
        assert_eq!(of(&["yolo"]).unwrap(), ["x/yolo.toml"]);
        assert_eq!(of(&["x/r*u"]).unwrap(), ["x/relu.toml"]);
        assert_eq!(of(&["yolo", "relu"]).unwrap().len(), 2);
        assert!(
            of(&["gelu"])
                .unwrap_err()
                .to_string()
                .contains("x/yolo.toml")
        );
    }
}

//! preflight: every audit that a file names, that applies to a folder, or that a live port is asked, on one screen; beside an earlier one, what was mended.

mod change;
mod config;
mod folder;

use super::port::Port;
use super::{Asked, Audit, Audited};
use crate::error::{Error, Place, Result};
use crate::exit::Exit;
use crate::verdict::{Finding, Severity};
use crate::watch::Watch;
pub use change::{Change, changes};
pub use config::is_one as is_config;
pub use folder::files;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;

/// The format of the file, and of what is printed as JSON.
pub const FORMAT: u32 = 1;

/// What a preflight came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preflight {
    pub format: u32,
    pub target: String,
    pub audits: Vec<Audited>,
    /// Kinds of faults that the file expects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<BTreeSet<String>>,
}

/// What a file says is expected.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    /// Kinds of all faults, each once.
    faults: BTreeSet<String>,
}

/// Runs every audit of the file at `path`; its paths are relative to its folder.
///
/// # Errors
/// No TOML, a key that no audit has, nothing to audit.
pub fn of_file(path: &Path, watch: &mut dyn Watch) -> Result<Preflight> {
    let place = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| Error::usage(e.to_string()));
    let (audits, expected) = text.and_then(|text| parse(&text)).at(&place)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let audits = audits.into_iter().map(|audit| {
        let mut audit = audit.asked();
        audit.within(folder);
        audit
    });
    of(&place, audits, expected, watch)
}

/// Starts a live port and looks at it alone.
///
/// # Errors
/// It does not start, or breaks.
pub fn of_port(asked: Port, watch: &mut dyn Watch) -> Result<Preflight> {
    let target = asked.port.display().to_string();
    Ok(Preflight {
        format: FORMAT,
        target,
        audits: vec![asked.run(watch)?],
        expected: None,
    })
}

/// Runs every audit that applies to what lies in a folder.
///
/// # Errors
/// Nothing to audit.
pub fn of_folder(path: &Path, watch: &mut dyn Watch) -> Result<Preflight> {
    let place = path.display().to_string();
    let audits = folder::audits(path).at(&place)?;
    of(&place, audits.into_iter().map(Audit::asked), None, watch)
}

/// Runs every audit that applies to the training that a config describes.
///
/// # Errors
/// No such file.
pub fn of_config(path: &Path, watch: &mut dyn Watch) -> Result<Preflight> {
    let place = path.display().to_string();
    crate::file::is_there(path).at(&place)?;
    of(
        &place,
        config::audits(path).into_iter().map(Audit::asked),
        None,
        watch,
    )
}

fn of(
    target: &str,
    audits: impl Iterator<Item = Box<dyn Asked>>,
    expected: Option<Expect>,
    watch: &mut dyn Watch,
) -> Result<Preflight> {
    let audits: Vec<Audited> = audits.map(|a| tried(&*a, watch)).collect();
    match audits.is_empty() {
        true => Err(Error::usage(format!("{target}: nothing to audit"))
            .next("name an audit as a table, such as [data]; parity audit --help lists them")),
        false => Ok(Preflight {
            format: FORMAT,
            target: target.into(),
            audits,
            expected: expected.map(|e| e.faults),
        }),
    }
}

/// The audits that a file names, in its order, and what it expects.
fn parse(text: &str) -> Result<(Vec<Audit>, Option<Expect>)> {
    let wrong = |e: toml::de::Error| Error::usage(e.to_string().trim_end().replace('\n', " "));
    let mut whole: toml::Table = toml::from_str(text).map_err(wrong)?;
    let expected = whole
        .remove("expect")
        .map(toml::Value::try_into)
        .transpose();
    let expected = expected.map_err(wrong).at("[expect]")?;
    match whole.remove("format") {
        None => {}
        Some(toml::Value::Integer(n)) if n == i64::from(FORMAT) => {}
        Some(other) => {
            return Err(Error::usage(format!(
                "format {other}: this reads format {FORMAT}"
            )));
        }
    }
    let mut audits = vec![];
    for (name, value) in whole {
        let all = match value {
            toml::Value::Array(all) => all,
            one => vec![one],
        };
        for asked in all {
            let tagged = toml::Table::from_iter([(name.clone(), asked)]);
            let audit = toml::Value::Table(tagged).try_into().map_err(wrong);
            audits.push(audit.at(format!("[{name}]"))?);
        }
    }
    Ok((audits, expected))
}

/// An audit that cannot be run is one that was not made, and so is one that has nothing to say.
fn tried(audit: &dyn Asked, watch: &mut dyn Watch) -> Audited {
    let name = audit.name();
    let not_run = |what: String| Finding::new("not_run", name, what).severity(Severity::Unjudged);
    match audit.run(watch) {
        Ok(audited) if audited.findings.is_empty() => {
            let next = format!("parity audit {name} --help says what can be given beside it");
            let nothing = not_run("nothing in its files could be looked at".into());
            audited.found([nothing.next([next])])
        }
        Ok(audited) => audited,
        Err(e) => Audited::of(name).found([not_run(e.message).next(e.next)]),
    }
}

impl Preflight {
    /// All findings with the audit that made them, the most serious first.
    #[must_use]
    pub fn findings(&self) -> Vec<(&str, &Finding)> {
        let all = self.audits.iter();
        let mut all: Vec<(&str, &Finding)> = all
            .flat_map(|a| a.findings.iter().map(|f| (a.audit.as_str(), f)))
            .collect();
        all.sort_by_key(|(_, f)| f.severity);
        all
    }

    /// Kinds of the faults.
    #[must_use]
    pub fn faults(&self) -> BTreeSet<String> {
        let all = self.findings().into_iter();
        all.filter(|(_, f)| f.is_fault())
            .map(|(_, f)| f.kind.clone())
            .collect()
    }

    /// Where faults are expected these and no others agree.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match &self.expected {
            Some(expected) if *expected == self.faults() => Exit::Agree,
            Some(_) => Exit::Diverge,
            None => {
                let all = self.audits.iter().map(Audited::exit);
                all.reduce(Exit::or_worse).unwrap_or(Exit::Uncovered)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::Silent;

    #[test]
    fn a_file_names_audits_once_or_several_times_and_says_what_it_expects() {
        let text = "format = 1\n[expect]\nfaults = [\"size\"]\n[freeze]\nstate = \"a.pt\"\n[[weights]]\ncheckpoint = \"n.pt\"\nmodel = \"s.pt\"\n[[weights]]\ncheckpoint = \"a\"\nmodel = \"b\"\n";
        let (audits, expected) = parse(text).unwrap();
        let names: Vec<&str> = audits.into_iter().map(|a| a.asked().name()).collect();
        assert_eq!(names, ["freeze", "weights", "weights"]);
        assert!(expected.unwrap().faults.contains("size"));
    }

    #[test]
    fn an_unknown_audit_or_key_is_refused_and_one_that_cannot_run_is_not_passed() {
        for (text, words) in [
            ("[wieghts]\nmodel = \"s.pt\"\n", "wieghts"),
            ("[freeze]\nstat = \"a.pt\"\n", "stat"),
            ("format = 9\n", "this reads format 1"),
        ] {
            let says = parse(text).unwrap_err().to_string();
            assert!(says.contains(words), "{says}");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("p.toml");
        std::fs::write(&file, "[freeze]\nstate = \"none.pt\"\n").unwrap();
        let flown = of_file(&file, &mut Silent).unwrap();
        assert_eq!(flown.audits[0].findings[0].kind, "not_run");
        assert_eq!(flown.exit(), Exit::Uncovered);
        // A state dict alone says nothing of freezing.
        let saved = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/checkpoints/zip.pt"
        );
        std::fs::write(&file, format!("[freeze]\nstate = \"{saved}\"\n")).unwrap();
        let flown = of_file(&file, &mut Silent).unwrap();
        assert_eq!(flown.audits[0].findings[0].kind, "not_run");
        std::fs::write(&file, "").unwrap();
        assert!(of_file(&file, &mut Silent).is_err());
    }
}

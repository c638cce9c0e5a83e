//! before: what each scenario came to the time before: kept in the user's cache, or an earlier result that is named.

use crate::digest;
use crate::error::{Error, Place, Result};
use crate::suite::{Suite, Verdict};
use crate::trace::write::replace;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Verdicts by the scenario's name.
pub type Before = BTreeMap<String, Verdict>;

/// Those of the result `against`, else of the last run here.
///
/// # Errors
/// The result that is named is none.
pub fn read(against: Option<&Path>, whole: &[String]) -> Result<Before> {
    let Some(path) = against else {
        let kept = place().and_then(|path| std::fs::read_to_string(path).ok());
        let kept: Option<Before> = kept.and_then(|text| serde_json::from_str(&text).ok());
        return Ok(kept.unwrap_or_default());
    };
    let text = std::fs::read_to_string(path).map_err(|e| Error::usage(e.to_string()));
    let earlier = text.and_then(|text| suite(&text));
    let earlier = earlier.at(format!("--against {}", path.display()))?;
    let named = earlier
        .cases
        .into_iter()
        .filter(|case| whole.contains(&case.name));
    Ok(named.map(|case| (case.name, case.verdict)).collect())
}

/// A suite as JSON.
///
/// # Errors
/// It is none.
pub fn suite(text: &str) -> Result<Suite> {
    let read: Suite = serde_json::from_str(text).map_err(|e| {
        Error::usage(format!("no suite as JSON: {e}")).next("parity test --json prints one")
    })?;
    match read.format {
        crate::suite::FORMAT => Ok(read),
        other => Err(Error::usage(format!(
            "a suite of format {other}, and 1 is known"
        ))),
    }
}

/// Keeps the verdicts of this run for the next one; those of scenarios that were not run stay. A cache that cannot be written is none.
pub fn keep(suite: &Suite) {
    let Some(path) = place() else { return };
    let mut all = read(None, &[]).unwrap_or_default();
    all.extend(
        suite
            .cases
            .iter()
            .map(|case| (case.name.clone(), case.verdict)),
    );
    let folder = path.parent().unwrap_or(Path::new(""));
    if std::fs::create_dir_all(folder).is_ok()
        && let Ok(text) = serde_json::to_vec(&all)
    {
        let _ = replace(&path, &text);
    }
}

/// Of this folder, in the user's cache.
fn place() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    let home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache"));
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(home)?;
    let name = digest::of_bytes(here.as_os_str().as_encoded_bytes());
    Some(
        cache
            .join("parity")
            .join("suites")
            .join(format!("{}.json", &name[..16])),
    )
}

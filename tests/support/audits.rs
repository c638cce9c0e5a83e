//! audits: what an audit says, as tests ask for it.

use super::*;
use parity::audit::Audited;
use parity::verdict::Severity;

/// `parity audit` with `words`, as JSON.
pub fn audit(words: &[&str]) -> (Ran, Audited) {
    let dir = tempfile::tempdir().unwrap();
    let mut all = vec!["audit"];
    all.extend(words);
    all.push("--json");
    let ran = Call::new(PARITY, dir.path(), &all).run();
    let read = serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {ran}"));
    (ran, read)
}

/// Kind and place of everything that is not found right.
pub fn wrong(audited: &Audited) -> Vec<(&str, &str)> {
    let all = audited.findings.iter();
    let wrong = all.filter(|f| f.severity != Severity::Note);
    wrong.map(|f| (f.kind.as_str(), f.place.as_str())).collect()
}

/// What is said of one kind.
pub fn said<'a>(audited: &'a Audited, kind: &str) -> &'a str {
    let found = audited.findings.iter().find(|f| f.kind == kind);
    found.map_or("", |f| &f.what)
}

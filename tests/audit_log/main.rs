//! `parity audit log`: the stories' logs, faulty and clean; faults drawn into clean logs of every layout; logs of the real tools; hostile files.

#[path = "../support/mod.rs"]
mod support;

mod drawn;
mod hostile;
mod layout;
mod real;
mod stories;

use parity::audit::log::Log;
use parity::audit::{Asked, Audited};
use parity::verdict::{Finding, Severity};
use parity::watch::Silent;
use std::path::{Path, PathBuf};

/// Writes a log and runs the audit on it, with what else is asked.
fn audit(folder: &Path, name: &str, text: impl AsRef<[u8]>, asked: Log) -> Audited {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    let logs = vec![path];
    Log { logs, ..asked }.run(&mut Silent).unwrap()
}

/// What is neither right nor merely known.
fn bad(audited: &Audited) -> Vec<&Finding> {
    audited
        .findings
        .iter()
        .filter(|f| f.severity != Severity::Note)
        .collect()
}

fn kinds(audited: &Audited) -> Vec<&str> {
    bad(audited).iter().map(|f| f.kind.as_str()).collect()
}

fn names(all: &[&str]) -> Vec<String> {
    all.iter().map(|n| (*n).to_string()).collect()
}

fn fixtures() -> PathBuf {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/logs");
    std::env::var_os("PARITY_TRAINING_LOGS").map_or_else(own, PathBuf::from)
}

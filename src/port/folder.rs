//! folder: where parity and a worker exchange files: the user's alone, removed at the end; what a killed run left is removed by the next.

use crate::error::{Error, Result};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

const PREFIX: &str = "parity-port-";
/// A younger folder may not be locked yet.
const YOUNG: Duration = Duration::from_secs(60);

/// A folder with a private name, locked as long as it is used.
pub struct Folder {
    dir: tempfile::TempDir,
    _lock: File,
}

impl Folder {
    pub fn make() -> Result<Self> {
        sweep(&std::env::temp_dir());
        let failed = |e: std::io::Error| {
            Error::failed(format!("{}: {e}", std::env::temp_dir().display()))
                .next("set TMPDIR to a folder that can be written to")
        };
        let dir = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir()
            .map_err(failed)?;
        let lock = File::create(lock_of(dir.path())).map_err(failed)?;
        lock.lock().map_err(failed)?;
        Ok(Self { dir, _lock: lock })
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

fn lock_of(folder: &Path) -> PathBuf {
    folder.join("lock")
}

/// Removes folders below `all` whose run is gone. One of another user refuses, and stays.
fn sweep(all: &Path) {
    let entries = std::fs::read_dir(all).into_iter().flatten().flatten();
    let ours = entries.filter(|e| e.file_name().to_string_lossy().starts_with(PREFIX));
    let is_old = |e: &std::fs::DirEntry| {
        let age = e
            .metadata()
            .and_then(|m| m.modified())
            .map(|m| m.elapsed().unwrap_or_default());
        age.is_ok_and(|age| age > YOUNG)
    };
    for entry in ours.filter(is_old) {
        if File::open(lock_of(&entry.path())).is_ok_and(|lock| lock.try_lock().is_ok()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_run_left_is_removed_and_what_is_in_use_stays() {
        let all = tempfile::tempdir().unwrap();
        let made = |name: &str, age: u64| {
            let folder = all.path().join(name);
            std::fs::create_dir(&folder).unwrap();
            let lock = File::create(lock_of(&folder)).unwrap();
            let when = std::time::SystemTime::now() - Duration::from_secs(age);
            File::open(&folder).unwrap().set_modified(when).unwrap();
            lock
        };
        let used = made("parity-port-used", 1000);
        used.lock().unwrap();
        for (name, age) in [
            ("parity-port-left", 1000),
            ("parity-port-new", 1),
            ("parity-other", 1000),
        ] {
            made(name, age);
        }
        sweep(all.path());
        let mut there: Vec<_> = std::fs::read_dir(all.path())
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        there.sort();
        assert_eq!(
            there,
            ["parity-other", "parity-port-new", "parity-port-used"]
        );
    }
}

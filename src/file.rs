//! file: what the user names is a file that can be read, and of the kind that is meant; else what it is, and what is done with such a file.

mod content;

use crate::error::{Code, Error, Place, Result};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The kinds of files that are taken for one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Model,
    Scenario,
    Trace,
    Array,
    Image,
    Archive,
    Pickle,
}

/// How each kind begins, or is called; the first row that fits.
const KINDS: [(&[u8], &str, Kind); 11] = [
    (b"\x93NUMPY", "", Kind::Array),
    (b"\x89PNG", "", Kind::Image),
    (b"\xff\xd8\xff", "", Kind::Image),
    (b"PK\x03\x04", "", Kind::Archive),
    (b"\x80\x02", "", Kind::Pickle),
    (b"\x80\x04", "", Kind::Pickle),
    (b"", "onnx", Kind::Model),
    (b"", "toml", Kind::Scenario),
    (b"", "safetensors", Kind::Trace),
    (b"", "json", Kind::Trace),
    (b"", "npy", Kind::Array),
];

impl Kind {
    /// What the file at `path` is, by its bytes, else by its name.
    pub fn of(path: &Path) -> Option<Self> {
        let mut head = Vec::new();
        let _ = std::fs::File::open(path).and_then(|f| f.take(16).read_to_end(&mut head));
        let called = path
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or("")
            .to_lowercase();
        let fits = |row: &&(&[u8], &str, Kind)| {
            if row.1.is_empty() {
                head.starts_with(row.0)
            } else {
                row.1 == called
            }
        };
        let by = |named: bool| {
            let mut rows = KINDS.iter().filter(|row| row.1.is_empty() != named);
            rows.find(fits).map(|row| row.2)
        };
        by(false).or_else(|| content::of(path)).or_else(|| by(true))
    }

    /// What it is, and what is done with it.
    fn say(self) -> (&'static str, &'static str) {
        match self {
            Kind::Model => (
                "an ONNX model",
                "parity run MODEL compares engines on it and writes traces by --record; parity map and parity params read it",
            ),
            Kind::Scenario => ("a scenario", "parity run SCENARIO"),
            Kind::Trace => (
                "a file of tensors",
                "parity compare A B, or parity run MODEL --against FILE",
            ),
            Kind::Array => (
                "a numpy array",
                "feed it to a model: parity run MODEL --input NAME=FILE",
            ),
            Kind::Image => (
                "an image",
                "feed it to a model: parity run MODEL --input NAME=FILE",
            ),
            Kind::Archive => (
                "a zip archive, as PyTorch and numpy write them",
                "save tensors by safetensors.torch.save_file; a TorchScript module is a subject of a scenario: docs/SCENARIO.md",
            ),
            Kind::Pickle => (
                "a Python pickle",
                "save its tensors by safetensors.torch.save_file",
            ),
        }
    }
}

/// Refuses what is missing, a folder, or empty.
///
/// # Errors
/// It is one of these.
pub fn is_there(path: &Path) -> Result<()> {
    let missing = |why: &str| Err(Error::usage(why).kind(Code::MissingFile));
    match std::fs::metadata(path) {
        Err(e) => missing(&e.to_string()),
        Ok(about) if about.is_dir() => missing("it is a folder, and a file is meant"),
        Ok(about) if about.is_file() && about.len() == 0 => missing("the file is empty"),
        Ok(_) => Ok(()),
    }
}

/// The bytes of the file at `path`.
///
/// # Errors
/// It cannot be read, or is empty.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    is_there(path)?;
    std::fs::read(path).map_err(|e| Error::usage(e.to_string()).kind(Code::MissingFile))
}

/// A file of another kind than was meant: what it is, and what is done with such a one.
pub fn mistaken(path: &Path, meant: Kind) -> Option<Error> {
    let (what, next) = Kind::of(path).filter(|kind| *kind != meant)?.say();
    Some(
        Error::usage(format!("it is {what}"))
            .next(next)
            .kind(Code::WrongFile),
    )
}

/// A file that could not be read as what was meant, with what it is where that is another kind.
pub fn unreadable(e: Error, path: &Path, meant: Kind) -> Error {
    match mistaken(path, meant) {
        Some(other) => Error {
            message: format!("{}; {}", e.message, other.message),
            ..other
        },
        None => e,
    }
}

/// A path that can stand in a scenario, which is text.
///
/// # Errors
/// It is not UTF-8.
pub fn as_text(path: &Path) -> Result<&str> {
    path.to_str().ok_or_else(|| {
        let escaped = path.as_os_str().as_encoded_bytes().escape_ascii();
        Error::usage(format!(
            "the path \"{escaped}\" is not UTF-8, and a scenario is text that names it"
        ))
        .next("rename it, or link to it by another name")
    })
}

/// Files of a folder, by name; what is hidden is none.
///
/// # Errors
/// It cannot be read, or holds none.
pub fn listed(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = std::fs::read_dir(folder).map_err(|e| Error::usage(e.to_string()));
    let entries = read
        .at(folder.display())?
        .filter_map(std::result::Result::ok);
    let hidden = |p: &Path| {
        p.file_name()
            .is_some_and(|n| n.as_encoded_bytes().starts_with(b"."))
    };
    let seen = |p: &PathBuf| p.is_file() && !hidden(p);
    let mut all: Vec<PathBuf> = entries.map(|e| e.path()).filter(seen).collect();
    all.sort();
    match all.is_empty() {
        true => Err(Error::usage(format!(
            "folder {} holds no file",
            folder.display()
        ))),
        false => Ok(all),
    }
}

/// Whether it is a file that may be started.
pub fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_by_its_first_bytes_before_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let cases: [(&str, &[u8], Option<Kind>); 9] = [
            ("m.onnx", b"\x08\x07", Some(Kind::Model)),
            ("m.onnx", b"\x89PNG\r\n", Some(Kind::Image)),
            ("x.npy", b"", Some(Kind::Array)),
            ("x.bin", b"\x93NUMPY\x01", Some(Kind::Array)),
            ("net.pt", b"PK\x03\x04", Some(Kind::Archive)),
            ("net.pth", b"\x80\x02\x8a", Some(Kind::Pickle)),
            ("t.SAFETENSORS", b"\x40\0\0\0", Some(Kind::Trace)),
            ("s.toml", b"format = 1", Some(Kind::Scenario)),
            ("notes.txt", b"hello", None),
        ];
        for (name, bytes, kind) in cases {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(Kind::of(&path), kind, "{name}");
        }
    }
}

//! store: a golden in its folder. Data files are called by their content and `manifest.json` is renamed into place last, so that at
//! every moment, `kill -9` included, the folder holds the old golden or the new one, whole.

use super::manifest::{self, DataFile, Files, Line, Manifest, Stored};
use super::{Golden, Held, Value, pack};
use crate::digest;
use crate::error::{Error, Place, Result};
use crate::graph::param;
use crate::trace::file::{self, Opened};
use crate::trace::write::replace;
use std::collections::HashSet;
use std::path::{Component, Path};

pub const MANIFEST: &str = "manifest.json";

/// Opens the golden in `folder`, verified.
pub fn open(folder: &Path) -> Result<Golden> {
    let place = || format!("golden {}", folder.display());
    let text = std::fs::read_to_string(folder.join(MANIFEST)).map_err(|e| {
        Error::usage(format!("{MANIFEST}: {e}"))
            .next(format!(
                "parity bless TRACE --golden {} --scenario NAME proposes one",
                folder.display()
            ))
            .at(place())
    })?;
    let manifest = manifest::read(&text).at(MANIFEST).at(place())?;
    load(folder, &manifest).at(place())
}

/// Opens the golden in `folder`, which must belong to `scenario`.
pub fn open_for(folder: &Path, scenario: &str) -> Result<Golden> {
    let golden = open(folder)?;
    belongs(&golden, folder, scenario)?;
    Ok(golden)
}

/// A golden of another scenario is never compared with.
pub fn belongs(golden: &Golden, folder: &Path, scenario: &str) -> Result<()> {
    if golden.facts.scenario == scenario {
        return Ok(());
    }
    let message = format!(
        "golden {}: belongs to scenario '{}', not to '{scenario}'",
        folder.display(),
        golden.facts.scenario
    );
    Err(Error::usage(message)
        .next("name the golden of that scenario, or bless into another folder"))
}

/// SHA-256 of the manifest in `folder`; None where no golden is.
pub fn manifest_digest(folder: &Path) -> Result<Option<String>> {
    match std::fs::read(folder.join(MANIFEST)) {
        Ok(bytes) => Ok(Some(digest::of_bytes(&bytes))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::failed(format!(
            "golden {}: {MANIFEST}: {e}",
            folder.display()
        ))),
    }
}

/// The golden that `manifest` describes and whose data lies in `folder`.
pub(super) fn load(folder: &Path, manifest: &Manifest) -> Result<Golden> {
    if let Some(fault) = manifest.sketch.fault() {
        return Err(Error::usage(format!("{MANIFEST}: {fault}")));
    }
    manifest
        .parameters
        .iter()
        .try_for_each(|list| param::check(list))
        .at(MANIFEST)?;
    let (values, sketches) = (
        data(folder, &manifest.files.values)?,
        data(folder, &manifest.files.sketches)?,
    );
    let tensors = manifest
        .tensors
        .iter()
        .map(|(name, line)| {
            Ok((
                name.clone(),
                held(name, line, manifest, (values.as_ref(), sketches.as_ref()))
                    .at(format!("tensor '{name}'"))?,
            ))
        })
        .collect::<Result<_>>()?;
    nothing_else(manifest, values.as_ref(), Stored::Full)?;
    nothing_else(manifest, sketches.as_ref(), Stored::Sketch)?;
    Ok(Golden {
        facts: manifest.facts(),
        settings: manifest.sketch,
        tensors,
        parameters: manifest.parameters.clone(),
    })
}

/// Opens a data file after its size and digest were found to be the manifest's.
fn data(folder: &Path, file: &Option<DataFile>) -> Result<Option<Opened>> {
    let Some(stated) = file else { return Ok(None) };
    let mut parts = Path::new(&stated.file).components();
    if !matches!(
        (parts.next(), parts.next()),
        (Some(Component::Normal(_)), None)
    ) {
        return Err(Error::usage(format!(
            "{MANIFEST}: file '{}' leaves the golden's folder: refused",
            stated.file
        )));
    }
    let path = folder.join(&stated.file);
    let mend = "restore it from version control, or remove the golden and bless again";
    let bytes = std::fs::read(&path)
        .map_err(|e| Error::usage(format!("file '{}': {e}", stated.file)).next(mend))?;
    let fact = if bytes.len() as u64 != stated.size {
        format!(
            "has {} bytes, the manifest says {}",
            bytes.len(),
            stated.size
        )
    } else if digest::of_bytes(&bytes) != stated.sha256 {
        format!(
            "has SHA-256 {}, the manifest says {}",
            digest::of_bytes(&bytes),
            stated.sha256
        )
    } else {
        return file::open(&path).map(Some);
    };
    Err(Error::usage(format!("file '{}' {fact}", stated.file)).next(mend))
}

fn held(
    name: &str,
    line: &Line,
    manifest: &Manifest,
    files: (Option<&Opened>, Option<&Opened>),
) -> Result<Held> {
    let missing = |what: &str| {
        Error::usage(format!(
            "it is stored as '{what}', but the manifest names no such file"
        ))
    };
    let value = match line.stored {
        Stored::Full => {
            let file = files.0.ok_or_else(|| missing("full"))?;
            let tensor = file
                .tensor(name)?
                .ok_or_else(|| Error::usage("it is not in the file of values"))?;
            let (has, wants) = (
                (tensor.dtype(), tensor.shape()),
                (line.dtype, &line.shape[..]),
            );
            if has != wants {
                return Err(Error::usage(format!(
                    "it is {} {:?}, the manifest says {} {:?}",
                    has.0, has.1, wants.0, wants.1
                )));
            }
            if digest::of_bytes(tensor.bytes()) != line.sha256 {
                return Err(Error::usage(format!(
                    "its bytes do not have the SHA-256 that the manifest says, {}",
                    line.sha256
                )));
            }
            Value::Full(tensor)
        }
        Stored::Sketch => {
            let file = files.1.ok_or_else(|| missing("sketch"))?;
            Value::Sketch(pack::unpack(
                file,
                name,
                line.dtype,
                &line.shape,
                manifest.sketch,
            )?)
        }
    };
    Ok(Held {
        sha256: line.sha256.clone(),
        value,
        entry: line.from.clone(),
    })
}

/// A data file holds what the manifest lists and nothing more.
fn nothing_else(manifest: &Manifest, file: Option<&Opened>, stored: Stored) -> Result<()> {
    let listed = manifest
        .tensors
        .iter()
        .filter(|(_, l)| l.stored == stored)
        .map(|(n, _)| n.clone());
    let known: HashSet<String> = match stored {
        Stored::Full => listed.collect(),
        Stored::Sketch => listed
            .flat_map(|n| pack::PARTS.map(|part| format!("{part}:{n}")))
            .collect(),
    };
    match file.and_then(|f| f.names().find(|n| !known.contains(*n))) {
        Some(name) => Err(Error::usage(format!(
            "tensor '{name}' is in a data file, but not in {MANIFEST}"
        ))),
        None => Ok(()),
    }
}

/// The files of a golden, ready to be written.
pub(super) struct Packed {
    pub manifest: Manifest,
    files: Vec<(String, Vec<u8>)>,
}

impl Packed {
    pub fn of(golden: &Golden) -> Result<Self> {
        let full = golden
            .tensors
            .iter()
            .filter_map(|(name, held)| match &held.value {
                Value::Full(t) => Some((name.clone(), t)),
                Value::Sketch(_) => None,
            });
        let parts: Vec<_> = golden
            .tensors
            .iter()
            .flat_map(|(name, held)| match &held.value {
                Value::Full(_) => vec![],
                Value::Sketch(s) => pack::parts(name, s),
            })
            .collect();
        let mut files = Vec::new();
        let mut add = |kind: &str, bytes: Vec<u8>| {
            let sha256 = digest::of_bytes(&bytes);
            let file = format!("{kind}-{}.safetensors", &sha256[..16]);
            let stated = DataFile {
                file: file.clone(),
                size: bytes.len() as u64,
                sha256,
            };
            files.push((file, bytes));
            stated
        };
        let any_full = golden
            .tensors
            .values()
            .any(|h| matches!(h.value, Value::Full(_)));
        let values = any_full
            .then(|| pack::bytes(full))
            .transpose()?
            .map(|b| add("values", b));
        let sketches = (!parts.is_empty())
            .then(|| pack::bytes(parts.iter().map(|(n, t)| (n.clone(), t))))
            .transpose()?;
        let sketches = sketches.map(|b| add("sketches", b));
        Ok(Self {
            manifest: Manifest::of(golden, Files { values, sketches }),
            files,
        })
    }

    /// Writes the data files, then `text` as the file `last`, which alone makes them count; then removes what nothing names any more.
    pub fn write(&self, folder: &Path, last: &str, text: &str) -> Result<()> {
        let io = |e: std::io::Error| {
            Error::failed(format!("golden {}: {e}", folder.display())).next("nothing was replaced")
        };
        std::fs::create_dir_all(folder).map_err(io)?;
        for (file, bytes) in &self.files {
            replace(&folder.join(file), bytes)?;
        }
        sync(folder);
        replace(&folder.join(last), text.as_bytes())?;
        sync(folder);
        sweep(
            folder,
            &self
                .files
                .iter()
                .map(|(file, _)| file.as_str())
                .collect::<Vec<_>>(),
        );
        Ok(())
    }
}

/// Puts `golden` into `folder`, in place of the one that is there.
pub fn put(folder: &Path, golden: &Golden) -> Result<()> {
    let packed = Packed::of(golden)?;
    packed.write(folder, MANIFEST, &packed.manifest.text()?)
}

/// Flushes the names in `folder`; where the system cannot, a crash of the machine (not of the process) may lose the newest.
fn sync(folder: &Path) {
    if let Ok(handle) = std::fs::File::open(folder) {
        let _ = handle.sync_all();
    }
}

/// Removes our own files that are not among `kept`; a file that stays does no harm and is swept the next time.
pub(super) fn sweep(folder: &Path, kept: &[&str]) {
    let ours = |name: &str| {
        let data = (name.starts_with("values-") || name.starts_with("sketches-"))
            && name.ends_with(".safetensors");
        (data || name.starts_with(".parity-")) && !kept.contains(&name)
    };
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(ours) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

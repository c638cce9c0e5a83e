//! bundle: what somebody who is asked for help needs of a run, as one zip file below 1 MB: the beginning of its logs, settings, what its checkpoints are, and
//! what the audits found; names and home folders are replaced.

mod private;

use super::preflight::{self, Preflight};
use super::weights::family;
use crate::checkpoint;
use crate::digest;
use crate::error::{Error, Result};
use crate::file;
use crate::input::parameters;
use crate::training_log;
use crate::watch::Watch;
use private::Private;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Cursor, Read, Write};
use std::path::{Path, PathBuf};
use zip::write::{SimpleFileOptions, ZipWriter};

/// Iterations of a log that go in, and lines of what a training printed: its words before the first stand in front of them.
const ITERATIONS: usize = 100;
const LINES: usize = 500;

/// Bytes of one text, and of all of them: what is left of a megabyte is for the zip's own records.
const LARGEST: usize = 1 << 17;
const MOST: usize = 900_000;

/// A text of the bundle.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub name: String,
    pub text: String,
    /// Something was left out at its end.
    pub is_cut: bool,
}

/// Everything that goes in of the run in `folder`; `told` writes the report of its preflight.
///
/// # Errors
/// A folder that cannot be read or has nothing to audit.
pub fn parts(
    folder: &Path,
    told: impl Fn(&Preflight) -> String,
    watch: &mut dyn Watch,
) -> Result<Vec<Part>> {
    let flown = preflight::of_folder(folder, watch)?;
    let private = Private::of(folder);
    let part = |name: &str, text: String| {
        let clean = private.replaced(&text);
        let end = clean.floor_char_boundary(LARGEST);
        Part {
            name: name.into(),
            is_cut: end < clean.len(),
            text: clean[..end].into(),
        }
    };
    let findings =
        serde_json::to_string_pretty(&flown).map_err(|e| Error::failed(e.to_string()))?;
    let mut all = vec![
        part("report.txt", told(&flown)),
        part("versions.json", format!("{:#}\n", versions())),
        part("findings.json", findings),
    ];
    let mut checkpoints = vec![];
    for path in preflight::files(folder) {
        let name = path.strip_prefix(folder).unwrap_or(&path);
        let name = format!("run/{}", name.display()).replace('\\', "/");
        if checkpoint::is_one(&path) {
            checkpoints.push(described(&path, &name));
        } else if name.contains("tfevents") {
            all.push(part(&format!("{name}.csv"), scalars(&path)));
        } else {
            all.push(part(&name, beginning(&path)));
        }
    }
    if !checkpoints.is_empty() {
        all.push(part(
            "checkpoints.json",
            format!("{:#}\n", Value::Array(checkpoints)),
        ));
    }
    Ok(fitted(all))
}

/// All of them within the bound: the longest are shortened first.
fn fitted(mut all: Vec<Part>) -> Vec<Part> {
    let mut bound = LARGEST;
    while all.iter().map(|p| p.text.len()).sum::<usize>() > MOST && bound > 1 {
        bound /= 2;
        for part in all.iter_mut().filter(|p| p.text.len() > bound) {
            let end = part.text.floor_char_boundary(bound);
            part.text.truncate(end);
            part.is_cut = true;
        }
    }
    all
}

/// The parts as a zip file, and a list of what was cut.
///
/// # Errors
/// Never, in memory.
pub fn zipped(parts: &[Part]) -> Result<Vec<u8>> {
    let failed = |e: String| Error::failed(format!("bundle: {e}"));
    let mut zip = ZipWriter::new(Cursor::new(vec![]));
    let cut: Vec<&str> = parts
        .iter()
        .filter(|p| p.is_cut)
        .map(|p| p.name.as_str())
        .collect();
    let cut = (!cut.is_empty()).then(|| ("cut.txt".to_string(), cut.join("\n") + "\n"));
    let texts = parts.iter().map(|p| (p.name.clone(), p.text.clone()));
    for (name, text) in texts.chain(cut) {
        zip.start_file(name, SimpleFileOptions::default())
            .map_err(|e| failed(e.to_string()))?;
        zip.write_all(text.as_bytes())
            .map_err(|e| failed(e.to_string()))?;
    }
    let held = zip.finish().map_err(|e| failed(e.to_string()))?;
    Ok(held.into_inner())
}

fn versions() -> Value {
    json!({
        "parity": env!("CARGO_PKG_VERSION"),
        "system": std::env::consts::OS,
        "processor": std::env::consts::ARCH,
        "threads": std::thread::available_parallelism().map_or(0, usize::from),
    })
}

/// Digest, size and family of a checkpoint; why it is not read.
fn described(path: &Path, name: &str) -> Value {
    let bytes = path.metadata().map_or(0, |m| m.len());
    let digest = file::read(path)
        .map(|b| digest::of_bytes(&b))
        .unwrap_or_else(|e| e.message);
    let held = match parameters::source(path) {
        Err(e) => json!({"not_read": e.message}),
        Ok(source) => json!({
            "items": source.list.len(),
            "elements": source.list.iter().map(|p| p.elements()).sum::<u64>(),
            "size": family::of(&source.list).map(|s| s.say()),
            "not_read": source.left_out.len(),
        }),
    };
    json!({"file": name, "bytes": bytes, "sha256": digest, "held": held})
}

/// The first lines of a text: of a table and of JSON lines those of the first iterations.
fn beginning(path: &Path) -> String {
    let lines = match path
        .extension()
        .is_some_and(|e| e == "csv" || e == "json" || e == "jsonl")
    {
        true => ITERATIONS + 1,
        false => LINES,
    };
    let read = std::fs::File::open(path).map(|f| {
        let mut from = BufReader::new(f.take(LARGEST as u64 + 1));
        let mut text = vec![];
        for _ in 0..lines {
            match from.read_until(b'\n', &mut text) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    });
    read.unwrap_or_else(|e| format!("not read: {e}\n"))
}

/// Scalars of the first iterations of an event file, as a table.
fn scalars(path: &Path) -> String {
    let log = match training_log::open(path) {
        Ok(log) => log,
        Err(e) => return format!("not read: {}\n", e.message),
    };
    let mut text = "name,step,value\n".to_string();
    for (name, series) in &log.series {
        let early = series.points.iter().take(ITERATIONS);
        for point in early {
            let step = point.place.step.unwrap_or(0);
            text += &format!("{name},{step},{}\n", point.mean);
        }
    }
    text
}

/// Where it is written where nobody says so: beside the folder, under its name.
#[must_use]
pub fn default_path(folder: &Path) -> PathBuf {
    let name = folder.canonicalize().ok();
    let name = name
        .as_deref()
        .and_then(Path::file_name)
        .unwrap_or_default();
    PathBuf::from(format!("{}.parity.zip", name.to_string_lossy()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::watch::Silent;

    #[test]
    fn a_run_is_one_small_file_with_what_was_found_and_without_names() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        let rows: String = (0..50_000)
            .map(|i| format!("{i},{}\n", 5.0 / (1.0 + f64::from(i))))
            .collect();
        std::fs::write(
            root.join("results.csv"),
            format!("epoch,train/box_loss\n{rows}"),
        )
        .unwrap();
        let printed = "loading /home/somebody/data/a.png\n".repeat(100_000);
        std::fs::write(root.join("train.log"), printed).unwrap();
        let fixture =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/audits/freeze/frozen.pt");
        std::fs::copy(fixture, root.join("last.pt")).unwrap();
        let parts = parts(
            root,
            |f| format!("{} audits\n", f.audits.len()),
            &mut Silent,
        )
        .unwrap();
        let find = |name: &str| parts.iter().find(|p| p.name == name).unwrap();
        assert_eq!(find("run/results.csv").text.lines().count(), ITERATIONS + 1);
        assert!(!find("run/train.log").text.contains("somebody"));
        assert!(find("checkpoints.json").text.contains("sha256"));
        assert!(find("findings.json").text.contains("\"audit\""));
        let zip = zipped(&parts).unwrap();
        assert!(zip.len() < 1_000_000, "{}", zip.len());
        let mut read = zip::ZipArchive::new(Cursor::new(zip)).unwrap();
        assert!(read.by_name("report.txt").is_ok());
    }

    #[test]
    fn many_long_texts_are_shortened_until_they_fit() {
        let part = |i: usize| Part {
            name: format!("{i}"),
            text: "é".repeat(60_000),
            is_cut: false,
        };
        let all = fitted((0..40).map(part).collect());
        assert!(all.iter().map(|p| p.text.len()).sum::<usize>() <= MOST);
        assert!(all.iter().all(|p| p.is_cut));
        assert!(zipped(&all).unwrap().len() < 1_000_000);
    }
}

//! find: every golden below a folder, by its manifest alone; whether its data are whole is asked when one is opened.

use super::manifest::{self, DataFile, Manifest};
use super::store::MANIFEST;
use crate::error::{Error, Place, Result};
use std::path::{Path, PathBuf};

/// How deep goldens lie at most: golden/NAME/SUBJECT.
const DEPTH: usize = 3;

/// A folder with a manifest.
pub struct Found {
    pub folder: PathBuf,
    pub manifest: Result<Manifest>,
}

impl Found {
    /// Bytes of the data files, as the manifest states them.
    pub fn size(manifest: &Manifest) -> u64 {
        let files: [&Option<DataFile>; 2] = [&manifest.files.values, &manifest.files.sketches];
        files.into_iter().flatten().map(|f| f.size).sum()
    }
}

/// The folder `golden` of `from`, or of the nearest folder above that has one.
pub fn home(from: &Path) -> Option<PathBuf> {
    from.ancestors()
        .map(|folder| folder.join("golden"))
        .find(|golden| golden.is_dir())
}

/// Goldens in `folder` and below, by name; links are not followed.
pub fn below(folder: &Path) -> Vec<Found> {
    let mut found = Vec::new();
    look(folder, DEPTH, &mut found);
    found.sort_by(|a, b| a.folder.cmp(&b.folder));
    found
}

fn look(folder: &Path, depth: usize, found: &mut Vec<Found>) {
    if folder.join(MANIFEST).is_file() {
        found.push(Found {
            folder: folder.to_path_buf(),
            manifest: read(folder),
        });
    }
    let entries = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|_| depth > 0);
    let folders = entries.filter(|e| e.file_type().is_ok_and(|t| t.is_dir()));
    folders.for_each(|e| look(&e.path(), depth - 1, found));
}

fn read(folder: &Path) -> Result<Manifest> {
    let text =
        std::fs::read_to_string(folder.join(MANIFEST)).map_err(|e| Error::usage(e.to_string()));
    text.and_then(|t| manifest::read(&t)).at(MANIFEST)
}

//! folder: a folder of images without a yaml: each folder below that of the images is a split.

use super::{Rules, of_folder};
use crate::audit::data::Data;
use crate::audit::data::set::{Classes, Set};
use crate::error::{Error, Place, Result};
use std::path::{Path, PathBuf};

pub fn set(root: &Path, data: &Data, rules: &Rules) -> Result<Set> {
    let images = root.join(data.images.as_deref().unwrap_or(Path::new("images")));
    let images = std::fs::canonicalize(&images)
        .map_err(|e| {
            Error::usage(e.to_string()).next("--images DIR names the folder of the images")
        })
        .at(images.display())?;
    let mut set = Set {
        root: root.into(),
        classes: data.classes(),
        channels: data.channels,
        ..Set::default()
    };
    if set.classes == Classes::Unknown && root.join("classes.txt").is_file() {
        let text = std::fs::read_to_string(root.join("classes.txt")).unwrap_or_default();
        let names = text.lines().map(str::trim).filter(|l| !l.is_empty());
        let names: std::collections::BTreeMap<i64, String> =
            (0..).zip(names.map(String::from)).collect();
        set.classes = Classes::Below(names.len(), names);
    }
    for (split, folder) in splits(&images) {
        let source = of_folder(&mut set, &split, &split, &folder, rules);
        if !source.items.is_empty() {
            set.sources.push(source);
        }
    }
    Ok(set)
}

/// Folders called as splits are, wherever they lie first; else the images are one split.
fn splits(images: &Path) -> Vec<(String, PathBuf)> {
    const NAMES: [&str; 8] = [
        "train",
        "training",
        "val",
        "valid",
        "validation",
        "test",
        "train2017",
        "val2017",
    ];
    let there = NAMES.iter().map(|n| (n.to_string(), images.join(n)));
    let there: Vec<_> = there.filter(|(_, p)| p.is_dir()).collect();
    match there.is_empty() {
        true => vec![("all".into(), images.to_path_buf())],
        false => there,
    }
}

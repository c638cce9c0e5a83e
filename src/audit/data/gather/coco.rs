//! coco: the JSON files of a set, and the folder in which the images of each lie.

use crate::audit::data::Data;
use crate::audit::data::kinds::{self, Kind};
use crate::audit::data::problem::{Problem, shown};
use crate::audit::data::set::{Classes, Item, Label, Set, Source};
use crate::dataset::coco::{self, Coco};
use crate::dataset::{Wrong, WrongKind, files as walked};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

pub fn set(path: &Path, data: &Data) -> Result<Set> {
    let (root, files) = match path.is_file() {
        true => {
            let parent = path.parent().unwrap_or(path);
            let above = parent.file_name().is_some_and(|n| n == "annotations");
            let root = if above { parent.parent() } else { Some(parent) };
            (
                root.unwrap_or(parent).to_path_buf(),
                vec![path.to_path_buf()],
            )
        }
        false => (path.to_path_buf(), files(path)),
    };
    if files.is_empty() {
        return Err(Error::usage(format!(
            "{}: no JSON file lies there",
            path.display()
        )));
    }
    let mut set = Set {
        root: data.root.clone().unwrap_or(root),
        channels: data.channels,
        ..Set::default()
    };
    for file in files {
        match coco::load(&file) {
            Ok(read) => gather(&mut set, &file, read, data),
            Err(e) => {
                let place = shown(&set.root, &file);
                set.problems
                    .push(Problem::new(&kinds::LABEL_SYNTAX, place, e.message));
            }
        }
    }
    Ok(set)
}

/// The annotations of instances; where none is called so, all.
pub fn files(root: &Path) -> Vec<PathBuf> {
    let json = |p: &Path| walked::has_extension(p, &["json"]);
    let mut all = walked::below(&root.join("annotations"), json).files;
    if all.is_empty() {
        let two = walkdir::WalkDir::new(root).max_depth(2).sort_by_file_name();
        let is = |p: &PathBuf| {
            let name = p
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .to_lowercase();
            json(p)
                && (name.contains("coco")
                    || name.starts_with("instances")
                    || name.starts_with("annotations"))
        };
        all = two
            .into_iter()
            .filter_map(|e| Some(e.ok()?.into_path()))
            .filter(is)
            .collect();
    }
    let named = |p: &&PathBuf| {
        p.file_name()
            .is_some_and(|n| n.to_string_lossy().starts_with("instances"))
    };
    match all.iter().any(|p| named(&p)) {
        true => all.iter().filter(named).cloned().collect(),
        false => all,
    }
}

/// `instances_val2017.json` is of val2017; a file beside its images is of its folder.
fn split_of(file: &Path) -> String {
    let stem = file
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let parent = file.parent().and_then(Path::file_name);
    match stem.starts_with("_annotations") {
        true => parent.unwrap_or_default().to_string_lossy().into_owned(),
        false => {
            let short = stem
                .strip_prefix("instances_")
                .or(stem.strip_prefix("annotations_"));
            short.unwrap_or(&stem).to_string()
        }
    }
}

fn gather(set: &mut Set, file: &Path, read: Coco, data: &Data) {
    let split = split_of(file);
    let names: Vec<&str> = read.images.iter().map(|(name, _)| name.as_str()).collect();
    let folder = folder(set, file, &split, &names, data);
    let place = shown(&set.root, file);
    let wrong = |w: &Wrong, place: &str| {
        let kind: &'static Kind = match w.kind {
            WrongKind::Repeated => &kinds::REPEATED_ID,
            other => kinds::of_wrong(other),
        };
        Problem::new(kind, format!("{place}: {}", w.at), &w.what)
    };
    set.problems
        .extend(read.wrong.iter().map(|w| wrong(w, &place)));
    repeated(set, &place, &names);
    categories(set, &place, &read);
    let item = |(name, mut labels): (String, crate::dataset::Labels)| {
        labels
            .objects
            .iter_mut()
            .for_each(|o| o.at = format!("{place}: {}", o.at));
        labels
            .wrong
            .iter_mut()
            .for_each(|w| w.at = format!("{place}: {}", w.at));
        Item {
            image: folder.join(name),
            depth: None,
            label: Label::Listed(labels),
        }
    };
    let source = Source {
        name: split.clone(),
        split,
        items: read.images.into_iter().map(item).collect(),
        rule: format!("images of {place}"),
        place: folder.clone(),
        ..Source::default()
    };
    if source.items.is_empty() {
        let what = "it lists no image";
        set.problems
            .push(Problem::new(&kinds::EMPTY_SOURCE, place, what));
    }
    set.sources.push(source);
}

/// The folder in which most of the images lie, of those that are usual.
fn folder(set: &Set, file: &Path, split: &str, names: &[&str], data: &Data) -> PathBuf {
    let root = &set.root;
    let own = file.parent().unwrap_or(root);
    if let Some(images) = &data.images {
        let below = root.join(images);
        let of_split = below.join(split);
        return if of_split.is_dir() { of_split } else { below };
    }
    let usual = [
        own.to_path_buf(),
        root.join(split),
        root.join("images").join(split),
        root.join("images"),
        root.join(split).join("images"),
        root.join("JPEGImages"),
        root.to_path_buf(),
    ];
    let step = (names.len() / 20).max(1);
    let there = |folder: &PathBuf| {
        names
            .iter()
            .step_by(step)
            .filter(|n| folder.join(n).exists())
            .count()
    };
    let best = usual.iter().rev().max_by_key(|folder| there(folder));
    let best = best.filter(|folder| there(folder) > 0);
    let named = usual[1..4].iter().find(|folder| folder.is_dir());
    best.or(named).unwrap_or(&usual[0]).clone()
}

fn repeated(set: &mut Set, place: &str, names: &[&str]) {
    let mut before = std::collections::HashMap::new();
    for (i, name) in names.iter().enumerate() {
        if let Some(first) = before.insert(*name, i) {
            let what = format!("{name} is images[{first}], too");
            let at = format!("{place}: images[{i}]");
            set.problems
                .push(Problem::new(&kinds::REPEATED_ID, at, what));
        }
    }
}

/// All files of a set must list the same categories.
fn categories(set: &mut Set, place: &str, read: &Coco) {
    let mut own = std::collections::BTreeMap::new();
    for (i, (id, name)) in read.categories.iter().enumerate() {
        if let Some(before) = own.insert(*id, name.clone()) {
            let what = format!("category {id} is '{before}' and '{name}'");
            let at = format!("{place}: categories[{i}]");
            set.problems
                .push(Problem::new(&kinds::REPEATED_ID, at, what));
        }
    }
    match &set.classes {
        Classes::Ids(all) if *all != own => {
            let differs = own.iter().find(|(id, name)| all.get(id) != Some(name));
            let differs = differs.or_else(|| all.iter().find(|(id, _)| !own.contains_key(id)));
            let differs = differs.map_or(String::new(), |(id, name)| format!(": {id} '{name}'"));
            let what = format!(
                "its {} categories are not those of the file before it{differs}",
                own.len()
            );
            set.problems.push(Problem::new(
                &kinds::CONTRADICTION,
                format!("{place}: categories"),
                what,
            ));
            let mut all = all.clone();
            all.extend(own);
            set.classes = Classes::Ids(all);
        }
        _ => set.classes = Classes::Ids(own),
    }
}

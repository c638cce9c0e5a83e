//! duplicates: one image in two splits: by its bytes and pixels where all were decoded, else by name, size and bytes.

use super::kinds;
use super::labels::Looked;
use super::problem::{Problem, shown};
use super::set::Set;
use crate::dataset::pixels::Mark;
use crate::digest;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// An image of a split.
type Image<'a> = (&'a str, &'a Path);

/// Images that two splits have in common; and how many a split has more than once, where all were decoded.
pub fn wrong(set: &Set, sources: &[Looked], pixels: bool) -> (Vec<Problem>, usize) {
    match pixels {
        true => by_marks(set, sources),
        false => (by_name(set, sources), 0),
    }
}

fn by_marks(set: &Set, sources: &[Looked]) -> (Vec<Problem>, usize) {
    let mut first: HashMap<Mark, Image> = HashMap::new();
    let (mut problems, mut within) = (vec![], 0);
    for (source, looked) in sources {
        for (item, seen) in looked {
            let Some(marks) = &seen.marks else { continue };
            let own: Image = (&source.split, &item.image);
            let pixels = marks.pixels.as_ref().ok();
            let met = [Some(&marks.file), pixels].map(|m| m.and_then(|m| first.get(m).copied()));
            let (alike, before) = match met {
                [Some(before), _] => ("bytes", Some(before)),
                [None, other] => ("pixels", other),
            };
            match before {
                Some((split, image)) if split != own.0 => {
                    problems.push(duplicate(set, own, (split, image), alike));
                }
                Some((_, image)) if image != own.1 => within += 1,
                _ => {}
            }
            first.entry(marks.file).or_insert(own);
            pixels.map(|mark| first.entry(*mark).or_insert(own));
        }
    }
    (problems, within)
}

fn duplicate(set: &Set, own: Image, before: Image, alike: &str) -> Problem {
    let what = match own.1 == before.1 {
        true => format!("it is both of {} and of {}", before.0, own.0),
        false => format!(
            "the {alike} of {} of {}, and it is of {}",
            shown(&set.root, before.1),
            before.0,
            own.0
        ),
    };
    Problem::new(&kinds::DUPLICATE, shown(&set.root, own.1), what)
}

/// Images of one name and size in two splits; only their bytes are read.
fn by_name(set: &Set, sources: &[Looked]) -> Vec<Problem> {
    let images = || {
        let of = |(source, looked): &'_ Looked<'_>| {
            let own = looked.iter().map(|(item, _)| item.image.as_path());
            own.map(|image| (source.split.clone(), image.to_path_buf()))
                .collect::<Vec<_>>()
        };
        sources.iter().flat_map(of)
    };
    let name = |path: &Path| path.file_name().unwrap_or_default().to_os_string();
    let mut splits: HashMap<OsString, HashSet<String>> = HashMap::new();
    for (split, image) in images() {
        splits.entry(name(&image)).or_default().insert(split);
    }
    let mut sizes: BTreeMap<(OsString, u64), Vec<(String, PathBuf)>> = BTreeMap::new();
    for (split, image) in images().filter(|(_, i)| splits[&name(i)].len() > 1) {
        let size = image.metadata().map_or(0, |m| m.len());
        if size > 0 {
            sizes
                .entry((name(&image), size))
                .or_default()
                .push((split, image));
        }
    }
    sizes.values().flat_map(|alike| equal(set, alike)).collect()
}

/// Those of another split whose bytes are those of an earlier one.
fn equal(set: &Set, alike: &[(String, PathBuf)]) -> Vec<Problem> {
    if alike.iter().all(|(split, _)| *split == alike[0].0) {
        return vec![];
    }
    let mut first: HashMap<String, Image> = HashMap::new();
    let mut problems = vec![];
    for (split, image) in alike {
        let Ok(bytes) = std::fs::read(image) else {
            continue;
        };
        let before = *first
            .entry(digest::of_bytes(&bytes))
            .or_insert((split, image));
        if before.0 != split {
            problems.push(duplicate(set, (split, image), before, "bytes"));
        }
    }
    problems
}

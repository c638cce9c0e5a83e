//! duplicates: one image in two splits: by its bytes and pixels where all were decoded, else by name, size and bytes.

use super::kinds;
use super::labels::Looked;
use super::problem::{Problem, shown};
use super::set::Set;
use crate::dataset::pixels::Mark;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::path::Path;

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

/// Images of one name in two splits; their bytes are read where their sizes are one.
fn by_name(set: &Set, sources: &[Looked]) -> Vec<Problem> {
    let mut first: HashMap<&OsStr, Vec<Image>> = HashMap::new();
    let mut problems = vec![];
    for (source, looked) in sources {
        for (item, _) in looked {
            let own: Image = (&source.split, &item.image);
            let alike = first
                .entry(item.image.file_name().unwrap_or_default())
                .or_default();
            let before = alike
                .iter()
                .find(|(split, path)| *split != own.0 && same(path, own.1));
            if let Some(before) = before {
                problems.push(duplicate(set, own, *before, "bytes"));
            }
            alike.push(own);
        }
    }
    problems
}

fn same(a: &Path, b: &Path) -> bool {
    if a == b {
        return true;
    }
    let size = |p: &Path| p.metadata().ok().map(|m| m.len()).filter(|n| *n > 0);
    size(a).is_some() && size(a) == size(b) && std::fs::read(a).ok() == std::fs::read(b).ok()
}

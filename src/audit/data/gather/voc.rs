//! voc: JPEGImages/, Annotations/ and the lists of ImageSets/, of one folder or of one for each year.

use crate::audit::data::Data;
use crate::audit::data::kinds;
use crate::audit::data::problem::{Problem, shown};
use crate::audit::data::set::{Item, Label, Set, Source};
use crate::dataset::files;
use crate::error::{Error, Result};
use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Lists of splits; those of single classes stand beside them.
const LISTS: [&str; 4] = ["train", "val", "trainval", "test"];

/// The folders that have annotations: this one, or those of years below it.
pub fn years(root: &Path) -> Option<Vec<PathBuf>> {
    let is = |p: &Path| p.join("Annotations").is_dir();
    if is(root) {
        return Some(vec![root.into()]);
    }
    let listed = std::fs::read_dir(root).ok()?;
    let mut all: Vec<PathBuf> = listed
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| is(p))
        .collect();
    all.sort();
    (!all.is_empty()).then_some(all)
}

pub fn set(root: &Path, data: &Data) -> Result<Set> {
    let years = years(root).ok_or_else(|| {
        Error::usage(format!(
            "{}: no folder Annotations lies there",
            root.display()
        ))
    })?;
    let mut set = Set {
        root: root.into(),
        classes: data.classes(),
        channels: data.channels,
        ..Set::default()
    };
    for year in years {
        let images = data.images.as_deref().unwrap_or(Path::new("JPEGImages"));
        let images = year.join(images);
        let found = files::below(&images, files::is_image);
        let refused = found
            .refused
            .iter()
            .map(|(path, why)| Problem::new(&kinds::NOT_READ, shown(root, path), why));
        set.problems.extend(refused);
        let by_stem: HashMap<OsString, PathBuf> = found
            .files
            .iter()
            .filter_map(|p| Some((p.file_stem()?.to_os_string(), p.clone())))
            .collect();
        let begin = set.sources.len();
        for (split, list) in lists(&year) {
            let source = listed(&mut set, &year, &images, &split, &list, &by_stem);
            set.sources.push(source);
        }
        if begin == set.sources.len() {
            let source = whole(&year, &images, &found.files);
            set.sources.push(source);
        }
        let orphans = orphans(&set, &year, &by_stem);
        set.problems.extend(orphans);
    }
    Ok(set)
}

fn lists(year: &Path) -> Vec<(String, PathBuf)> {
    let folders = ["Main", "Segmentation", ""].map(|f| year.join("ImageSets").join(f));
    let of = |folder: &PathBuf| {
        let all = LISTS
            .iter()
            .map(|n| (n.to_string(), folder.join(format!("{n}.txt"))));
        all.filter(|(_, p)| p.is_file()).collect::<Vec<_>>()
    };
    let mut all = folders
        .iter()
        .map(of)
        .find(|all| !all.is_empty())
        .unwrap_or_default();
    // Where its parts are listed, their union is no split of its own.
    let parts = ["train", "val"]
        .iter()
        .all(|p| all.iter().any(|(n, _)| n == p));
    all.retain(|(n, _)| !(parts && n == "trainval"));
    all
}

fn item(year: &Path, image: PathBuf) -> Item {
    let stem = image.file_stem().unwrap_or_default();
    let mut xml = stem.to_os_string();
    xml.push(".xml");
    let label = Label::Voc(year.join("Annotations").join(xml));
    Item {
        image,
        depth: None,
        label,
    }
}

fn listed(
    set: &mut Set,
    year: &Path,
    images: &Path,
    split: &str,
    list: &Path,
    by_stem: &HashMap<OsString, PathBuf>,
) -> Source {
    let text = std::fs::read(list).unwrap_or_default();
    let place = shown(&set.root, list);
    let text = String::from_utf8(text).unwrap_or_else(|e| {
        let what = format!("byte {} is no UTF-8", e.utf8_error().valid_up_to());
        set.problems
            .push(Problem::new(&kinds::LABEL_ENCODING, &place, what));
        String::from_utf8_lossy(e.as_bytes()).into_owned()
    });
    let ids = text.lines().filter_map(|l| l.split_whitespace().next());
    let image = |id: &str| {
        let known = by_stem.get(std::ffi::OsStr::new(id)).cloned();
        known.unwrap_or_else(|| images.join(format!("{id}.jpg")))
    };
    let items: Vec<Item> = ids.map(|id| item(year, image(id))).collect();
    if items.is_empty() {
        set.problems.push(Problem::new(
            &kinds::EMPTY_SOURCE,
            &place,
            "it lists no image",
        ));
    }
    let year_name = year.file_name().unwrap_or_default().to_string_lossy();
    Source {
        split: split.into(),
        name: if *year == set.root {
            split.into()
        } else {
            year_name.into()
        },
        items,
        place: list.into(),
        rule: "JPEGImages/ID.jpg has Annotations/ID.xml".into(),
        ..Source::default()
    }
}

fn whole(year: &Path, images: &Path, all: &[PathBuf]) -> Source {
    Source {
        split: "all".into(),
        name: "all".into(),
        place: images.into(),
        items: all.iter().map(|p| item(year, p.clone())).collect(),
        rule: "JPEGImages/ID.jpg has Annotations/ID.xml".into(),
        ..Source::default()
    }
}

/// Annotations whose image is not there and that no list names: those that one names are missed as its images.
fn orphans(set: &Set, year: &Path, by_stem: &HashMap<OsString, PathBuf>) -> Vec<Problem> {
    let xml = files::below(&year.join("Annotations"), |p| {
        files::has_extension(p, &["xml"])
    });
    let known: std::collections::HashSet<&PathBuf> = set
        .sources
        .iter()
        .flat_map(|s| &s.items)
        .filter_map(|i| i.label.path())
        .collect();
    let lost = |p: &&PathBuf| {
        let stem = p.file_stem().unwrap_or_default();
        !by_stem.contains_key(stem) && !known.contains(p)
    };
    let problem = |p: &PathBuf| {
        Problem::new(
            &kinds::ORPHAN_LABEL,
            shown(&set.root, p),
            "an annotation whose image is not there",
        )
    };
    xml.files.iter().filter(lost).map(problem).collect()
}

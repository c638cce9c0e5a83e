//! gather: which images, labels, depth and label maps belong together, in each layout; nothing but folders and lists is read.

mod coco;
mod folder;
mod voc;
mod yaml;

use super::Data;
use super::kinds;
use super::problem::{Problem, shown};
use super::set::{Item, Label, Set, Source};
use crate::dataset::files;
use crate::dataset::rule::{Rule, with_extension};
use crate::error::{Error, Place, Result};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How data lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// A text file per image, under a data yaml or folders images/ and labels/
    Yolo,
    /// A JSON file per split
    Coco,
    /// An XML file per image: JPEGImages/, Annotations/, ImageSets/
    Voc,
}

/// The set that `data` names.
///
/// # Errors
/// It names nothing that is a data set.
pub fn set(data: &Data) -> Result<Set> {
    let path = std::fs::canonicalize(&data.data).map_err(|e| Error::usage(e.to_string()));
    let path = path.at(data.data.display())?;
    let rules = Rules::of(data)?;
    let stated = data.images.is_some().then_some(Layout::Yolo);
    let layout = data.layout.or_else(|| guessed(&path)).or(stated);
    match layout {
        Some(Layout::Coco) => coco::set(&path, data),
        Some(Layout::Voc) => voc::set(&path, data),
        Some(Layout::Yolo) | None if path.is_file() => yaml::set(&path, data, &rules),
        Some(Layout::Yolo) => match only_yaml(&path) {
            Some(file) => yaml::set(&file, data, &rules),
            None => folder::set(&path, data, &rules),
        },
        None => Err(Error::usage(format!(
            "{}: neither a data yaml lies there, nor images/, annotations/*.json or JPEGImages/",
            data.data.display()
        ))
        .next("name the data yaml, the JSON file or the folder above; --images DIR and --layout say what is not told by names")),
    }
}

fn guessed(path: &Path) -> Option<Layout> {
    if path.is_file() {
        return match files::has_extension(path, &["json"]) {
            true => Some(Layout::Coco),
            false => Some(Layout::Yolo),
        };
    }
    if voc::years(path).is_some() {
        return Some(Layout::Voc);
    }
    if only_yaml(path).is_some() {
        return Some(Layout::Yolo);
    }
    if !coco::files(path).is_empty() {
        return Some(Layout::Coco);
    }
    path.join("images").is_dir().then_some(Layout::Yolo)
}

/// The one yaml of a folder that states `train` or `val`.
fn only_yaml(folder: &Path) -> Option<PathBuf> {
    let listed = std::fs::read_dir(folder).ok()?;
    let is = |p: &PathBuf| files::has_extension(p, &["yaml", "yml"]);
    let states = |p: &PathBuf| {
        let read = crate::input::yaml::load(p);
        read.is_ok_and(|y| !y["train"].is_null() || !y["val"].is_null())
    };
    let listed = listed.filter_map(|e| Some(e.ok()?.path()));
    let mut all = listed.filter(is).filter(states);
    let first = all.next()?;
    all.next().is_none().then_some(first)
}

/// Where what belongs to an image is looked for.
pub struct Rules {
    pub label: Rule,
    pub depth: Option<Rule>,
    pub map: Option<Rule>,
}

impl Rules {
    fn of(data: &Data) -> Result<Self> {
        let declared = |option: &str, words: &[String]| {
            let bad = |word: &str| {
                Error::usage(format!("{option} {word}: no FROM=TO"))
                    .next(format!("as in {option} images/rgb=labels/rgb"))
            };
            Rule::declared(words).map_err(bad)
        };
        let some = |option: &str, words: &[String]| match words.is_empty() {
            true => Ok(None),
            false => declared(option, words).map(Some),
        };
        Ok(Self {
            label: declared("--pair", &data.pair)?,
            depth: some("--depth", &data.depth)?,
            map: some("--maps", &data.maps)?,
        })
    }

    /// Where the label of `image` is; one that the rule does not apply to has its label nowhere.
    fn label(&self, image: &Path) -> Label {
        match &self.map {
            Some(rule) => {
                let path = rule.apply(image).unwrap_or_default();
                Label::Map(files::image_like(&path).unwrap_or_else(|| path.with_extension("png")))
            }
            None => {
                let path = self.label.apply(image).unwrap_or_default();
                Label::Yolo(with_extension(&path, "txt"))
            }
        }
    }

    fn said(&self) -> String {
        self.map.as_ref().unwrap_or(&self.label).said()
    }
}

/// A source of the images below `folder`.
fn of_folder(set: &mut Set, split: &str, name: &str, folder: &Path, rules: &Rules) -> Source {
    let found = files::below(folder, files::is_image);
    for (path, why) in &found.refused {
        let problem = Problem::new(&kinds::NOT_READ, shown(&set.root, path), why);
        set.problems.push(problem);
    }
    let probe = folder.join("_");
    let label_folder = rules
        .map
        .is_none()
        .then(|| rules.label.apply(&probe))
        .flatten();
    Source {
        split: split.into(),
        name: name.into(),
        place: folder.into(),
        items: items(&found.files, rules),
        label_folder: label_folder.and_then(|p| p.parent().map(Path::to_path_buf)),
        depth_folder: None,
        has_depth: rules.depth.is_some(),
        rule: rules.said(),
    }
}

fn items(images: &[PathBuf], rules: &Rules) -> Vec<Item> {
    let item = |image: &PathBuf| Item {
        image: image.clone(),
        label: rules.label(image),
        depth: rules.depth.as_ref().map(|rule| {
            let path = rule.apply(image).unwrap_or_default();
            files::image_like(&path).unwrap_or(path)
        }),
    };
    images.iter().map(item).collect()
}

/// The depth maps below `folder`, by path without extension.
fn depth_below(folder: &Path) -> BTreeMap<PathBuf, PathBuf> {
    let found = files::below(folder, files::is_raster);
    let stem = |p: &PathBuf| p.strip_prefix(folder).unwrap_or(p).with_extension("");
    found.files.into_iter().map(|p| (stem(&p), p)).collect()
}

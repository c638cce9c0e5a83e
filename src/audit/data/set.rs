//! set: a data set as it is gathered before anything is opened: sources of each split, and what belongs to each image.

use super::problem::Problem;
use crate::dataset::{Class, Labels};
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Clone, Debug, Default)]
pub struct Set {
    /// What paths are said relative to.
    pub root: PathBuf,
    pub sources: Vec<Source>,
    pub classes: Classes,
    pub channels: Option<u64>,
    /// Columns of a row with keypoints.
    pub keypoints: Option<usize>,
    pub problems: Vec<Problem>,
}

/// Images of one folder or list, of one split.
#[derive(Clone, Debug, Default)]
pub struct Source {
    pub split: String,
    /// As it is stated.
    pub name: String,
    /// The folder or the list.
    pub place: PathBuf,
    pub items: Vec<Item>,
    /// Where nothing but what belongs to this source should lie: labels, depth; None for a list, which may be a part.
    pub label_folder: Option<PathBuf>,
    pub depth_folder: Option<PathBuf>,
    pub has_depth: bool,
    /// How the labels are looked for.
    pub rule: String,
}

impl Source {
    /// "train: a/images".
    pub fn said(&self) -> String {
        match self.name.is_empty() || self.name == self.split {
            true => self.split.clone(),
            false => format!("{}: {}", self.split, self.name),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Item {
    pub image: PathBuf,
    pub depth: Option<PathBuf>,
    pub label: Label,
}

/// Where the label of an image is.
#[derive(Clone, Debug)]
pub enum Label {
    Yolo(PathBuf),
    Voc(PathBuf),
    Map(PathBuf),
    Listed(Labels),
}

impl Label {
    pub fn path(&self) -> Option<&PathBuf> {
        match self {
            Self::Yolo(path) | Self::Voc(path) | Self::Map(path) => Some(path),
            Self::Listed(_) => None,
        }
    }
}

/// Which classes there are.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Classes {
    #[default]
    Unknown,
    /// Ids below a number, some with names.
    Below(usize, BTreeMap<i64, String>),
    /// Ids that a file lists.
    Ids(BTreeMap<i64, String>),
    Names(Vec<String>),
}

impl Classes {
    /// Why `class` is none of them.
    pub fn refuse(&self, class: &Class) -> Option<String> {
        match (self, class) {
            (Self::Below(n, _), Class::Id(id)) if *id < 0 || *id >= *n as i64 => {
                let last = n.saturating_sub(1);
                Some(format!("class {id}, where {n} are declared: 0 … {last}"))
            }
            (Self::Ids(all), Class::Id(id)) if !all.contains_key(id) => Some(format!(
                "category {id} is not among the {} listed",
                all.len()
            )),
            (Self::Names(all), Class::Name(name)) if !all.contains(name) => Some(format!(
                "class '{name}' is not among the {} given",
                all.len()
            )),
            _ => None,
        }
    }

    pub fn name(&self, class: &Class) -> String {
        match (self, class) {
            (_, Class::Name(name)) => name.clone(),
            (Self::Below(_, names) | Self::Ids(names), Class::Id(id)) => {
                let name = names.get(id).map(|n| format!(" {n}"));
                format!("{id}{}", name.unwrap_or_default())
            }
            (_, Class::Id(id)) => id.to_string(),
        }
    }

    pub fn count(&self) -> Option<usize> {
        match self {
            Self::Unknown => None,
            Self::Below(n, _) => Some(*n),
            Self::Ids(all) => Some(all.len()),
            Self::Names(all) => Some(all.len()),
        }
    }
}

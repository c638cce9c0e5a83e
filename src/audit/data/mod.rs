//! data: whether images, labels, depth and label maps are what a training takes them for: all that is wrong with any, by file and line.

mod boxes;
mod classes;
mod counts;
mod duplicates;
mod gather;
mod images;
mod kinds;
mod labels;
mod look;
mod maps;
mod problem;
mod set;

use super::{Asked, Audited, below};
use crate::dataset::parallel;
use crate::dataset::{Class, label_map::Counted};
use crate::error::{Error, Result};
use crate::text::number;
use crate::verdict::Finding;
use crate::watch::Watch;
pub use gather::Layout;
use labels::Looked;
use look::{Look, Seen};
use problem::Problem;
use serde::Deserialize;
use set::{Classes, Item, Label, Set, Source};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Classes that a table lists.
const LISTED: usize = 100;
/// Sources that have a column of their own.
const COLUMNS: usize = 6;

#[derive(Clone, Debug, Default, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// A data yaml, a JSON file of COCO's, or the folder above the images
    #[arg(value_name = "DATA")]
    pub data: PathBuf,
    /// How the data lies; told by names where it is not stated
    #[arg(long, value_enum)]
    #[serde(default)]
    pub layout: Option<Layout>,
    /// The folder that paths of the yaml are relative to, in the place of its `path`
    #[arg(long, value_name = "DIR")]
    #[serde(default)]
    pub root: Option<PathBuf>,
    /// The folder of the images, where no yaml states it
    #[arg(long, value_name = "DIR")]
    #[serde(default)]
    pub images: Option<PathBuf>,
    /// Where labels are: a part of an image's path becomes another, as images/rgb=labels/rgb; several are applied in turn
    #[arg(long, value_name = "FROM=TO")]
    #[serde(default)]
    pub pair: Vec<String>,
    /// Where depth maps are, as images/rgb=images/d; a yaml states it by train_depth
    #[arg(long, value_name = "FROM=TO")]
    #[serde(default)]
    pub depth: Vec<String>,
    /// Labels are maps of a class per pixel, and where they are, as img_dir=ann_dir; .jpg=_ids.png replaces the end of a name
    #[arg(long, value_name = "FROM=TO")]
    #[serde(default)]
    pub maps: Vec<String>,
    /// The number of classes, where no file states it
    #[arg(long, value_name = "N")]
    #[serde(default)]
    pub classes: Option<usize>,
    /// The names of the classes in their order, where no file states them
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    #[serde(default)]
    pub names: Vec<String>,
    /// A value of label maps that is no class, as -1 or 255
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    #[serde(default)]
    pub ignore: Vec<i64>,
    /// Channels that the network takes, depth among them
    #[arg(long, value_name = "N")]
    #[serde(default)]
    pub channels: Option<u64>,
    /// Images that a split is said to have, as train=30300
    #[arg(long, value_name = "SPLIT=N")]
    #[serde(default)]
    pub count: Vec<String>,
    /// Decode every image, and look for equal ones by their pixels
    #[arg(long)]
    #[serde(default)]
    pub pixels: bool,
}

impl Asked for Data {
    fn name(&self) -> &'static str {
        "data"
    }

    fn within(&mut self, folder: &Path) {
        below(
            folder,
            std::iter::once(&mut self.data).chain(&mut self.root),
        );
    }

    fn run(&self, watch: &mut dyn Watch) -> Result<Audited> {
        let set = self.gathered()?;
        let items: Vec<&Item> = set.sources.iter().flat_map(|s| &s.items).collect();
        watch.phase("data", items.len());
        let look = Look {
            set: &set,
            pixels: self.pixels,
            ignore: &self.ignore,
        };
        let mut seen = parallel::map(&items, |item| look.at(item), |done| watch.step(done));
        let mut problems = set.problems.clone();
        seen.iter_mut()
            .for_each(|s| problems.append(&mut s.problems));
        let looked = by_source(&set, &seen);
        let (more, notes) = self.together(&set, &looked)?;
        problems.extend(more);
        let audited = Audited::of("data")
            .subject("data", &self.data)
            .subject("root", &set.root);
        let audited = audited.found(problem::findings(problems)).found(notes);
        let audited = audited.table(
            "sources",
            &counts::COLUMNS,
            looked.iter().map(counts::row).collect(),
        );
        Ok(with_classes(audited, &set, &looked))
    }
}

impl Data {
    fn gathered(&self) -> Result<Set> {
        let mut set = gather::set(self)?;
        if set.classes == Classes::Unknown || self.classes.is_some() || !self.names.is_empty() {
            let stated = self.classes();
            set.classes = if stated == Classes::Unknown {
                set.classes
            } else {
                stated
            };
        }
        match set.sources.iter().all(|s| s.items.is_empty()) && set.problems.is_empty() {
            true => Err(
                Error::usage(format!("{}: no image lies there", self.data.display()))
                    .next("--images DIR names the folder of the images"),
            ),
            false => Ok(set),
        }
    }

    /// The classes that the command states.
    fn classes(&self) -> Classes {
        let voc = self.layout == Some(Layout::Voc) || self.data.join("Annotations").is_dir();
        match (self.classes, self.names.is_empty()) {
            (_, false) if voc => Classes::Names(self.names.clone()),
            (n, false) => {
                let names = (0..).zip(self.names.clone()).collect();
                Classes::Below(n.unwrap_or(self.names.len()), names)
            }
            (Some(n), true) => Classes::Below(n, BTreeMap::new()),
            (None, true) => Classes::Unknown,
        }
    }

    /// What only all images together show.
    fn together(&self, set: &Set, looked: &[Looked]) -> Result<(Vec<Problem>, Vec<Finding>)> {
        let mut problems = labels::wrong(set, looked);
        let headed: Vec<_> = looked
            .iter()
            .flat_map(|(_, all)| all)
            .map(|(i, s)| (*i, s.header, s.depth))
            .collect();
        let mut odd = images::wrong(set, &headed);
        labels::depth_unnamed(set, &mut odd);
        problems.extend(odd);
        let histograms: Vec<_> = looked.iter().map(|l| (l.0, histogram(l))).collect();
        let pairs: Vec<_> = histograms.iter().map(|(s, h)| (*s, h)).collect();
        problems.extend(classes::wrong(&set.classes, &pairs));
        problems.extend(looked.iter().filter_map(normalised));
        problems.extend(looked.iter().filter_map(|l| self.mostly_ignored(l)));
        let (duplicates, within) = duplicates::wrong(set, looked, self.pixels);
        problems.extend(duplicates);
        let mut splits: BTreeMap<&str, counts::Count> = BTreeMap::new();
        for of in looked {
            let own = counts::of(of);
            splits.entry(&of.0.split).or_default().add(own);
        }
        let declared = counts::declared(&self.count, &splits)?;
        problems.extend(counts::wrong(&declared, &splits));
        Ok((problems, self.notes(set, looked, &splits, within)))
    }

    /// More than half of the pixels of a source teach nothing.
    fn mostly_ignored(&self, (source, looked): &Looked) -> Option<Problem> {
        let share = ignored(looked, &self.ignore)?;
        (share > 0.5).then(|| {
            let what = format!(
                "{} % of the pixels of its label maps are ignored",
                number(100.0 * share)
            );
            Problem::new(&kinds::MAP_SHARE, source.said(), what)
        })
    }

    /// What was found right, with its number.
    fn notes(
        &self,
        set: &Set,
        looked: &[Looked],
        splits: &BTreeMap<&str, counts::Count>,
        within: usize,
    ) -> Vec<Finding> {
        let note = |place: &str, what: String| {
            let kind = &kinds::RIGHT;
            Finding::new(kind.name, place, what).severity(kind.severity)
        };
        let split = |(name, c): (&&str, &counts::Count)| {
            let what = format!(
                "{} images, {} of them whole: {} with objects, {} with an empty label, {} without; {} objects",
                c.images, c.whole, c.labelled, c.empty, c.unlabelled, c.objects
            );
            note(name, what)
        };
        let mut notes: Vec<Finding> = splits.iter().map(split).collect();
        for (source, all) in looked {
            if let Some(share) = ignored(all, &self.ignore) {
                let what = format!(
                    "{} % of the pixels of its label maps are ignored",
                    number(100.0 * share)
                );
                notes.push(note(&source.said(), what));
            }
        }
        match (self.pixels, within) {
            (false, _) => notes.push(note("pixels", "headers and ends of the images were read; --pixels decodes them and looks for equal ones".into())),
            (true, 0) => notes.push(note("pixels", "all images that have a header were decoded".into())),
            (true, n) => notes.push(note("pixels", format!("{n} images are equal to another one of their split"))),
        }
        if set.classes == Classes::Unknown {
            notes.push(note("classes", "no list of classes is given (--classes, --names): those of the labels are taken as they are".into()));
        }
        notes
    }
}

fn by_source<'a>(set: &'a Set, seen: &'a [Seen]) -> Vec<Looked<'a>> {
    let mut rest = seen;
    let of = |source: &'a Source| {
        let (own, behind) = rest.split_at(source.items.len());
        rest = behind;
        (source, source.items.iter().zip(own).collect())
    };
    set.sources.iter().map(of).collect()
}

fn histogram((_, looked): &Looked) -> classes::Histogram {
    let mut all = classes::Histogram::new();
    for class in looked.iter().flat_map(|(_, seen)| &seen.classes) {
        *all.entry(class.clone()).or_default() += 1;
    }
    all
}

/// Boxes of a format that has pixels are nearly all within one of them.
fn normalised((source, looked): &Looked) -> Option<Problem> {
    let pixels = |item: &Item| matches!(item.label, Label::Listed(_) | Label::Voc(_));
    let objects = looked.iter().filter(|(item, _)| pixels(item));
    let (specks, all) = objects.fold((0, 0), |(s, n), (_, seen)| {
        (s + seen.specks, n + seen.classes.len())
    });
    (all >= 3 && specks * 10 >= all * 9).then(|| {
        let what = format!("{specks} of its {all} boxes are no pixel wide and high, as shares of the image's sides are");
        Problem::new(&kinds::NORMALISED, source.said(), what)
    })
}

/// The share of the pixels of label maps that are ignored.
fn ignored(looked: &[(&Item, &Seen)], ignore: &[i64]) -> Option<f64> {
    let maps = || looked.iter().filter_map(|(_, seen)| seen.map.as_ref());
    let all: u64 = maps().map(Counted::pixels).sum();
    let ignored: u64 = maps().map(|m| maps::ignored(m, ignore)).sum();
    (all > 0 && !ignore.is_empty()).then(|| ignored as f64 / all as f64)
}

/// How often each class occurs in each source, or in each split of many; of label maps, in how many.
fn with_classes(audited: Audited, set: &Set, looked: &[Looked]) -> Audited {
    let mut splits: BTreeMap<String, classes::Histogram> = BTreeMap::new();
    for of in looked {
        let column = match looked.len() > COLUMNS {
            true => of.0.split.clone(),
            false => of.0.said(),
        };
        let all = splits.entry(column).or_default();
        histogram(of)
            .into_iter()
            .for_each(|(class, n)| *all.entry(class).or_default() += n);
    }
    let known = match &set.classes {
        Classes::Below(n, _) => (0..(*n).min(LISTED) as i64).map(Class::Id).collect(),
        Classes::Ids(all) => all.keys().map(|id| Class::Id(*id)).collect(),
        Classes::Names(all) => all.iter().cloned().map(Class::Name).collect(),
        Classes::Unknown => vec![],
    };
    let met = splits.values().flat_map(|h| h.keys().cloned());
    let all: std::collections::BTreeSet<Class> = known.into_iter().chain(met).collect();
    let row = |class: &Class| {
        let of = |h: &classes::Histogram| h.get(class).copied().unwrap_or(0).to_string();
        std::iter::once(set.classes.name(class))
            .chain(splits.values().map(of))
            .collect()
    };
    let rows: Vec<Vec<String>> = all.iter().take(LISTED).map(row).collect();
    let columns: Vec<&str> = std::iter::once("class")
        .chain(splits.keys().map(String::as_str))
        .collect();
    let title = match all.len() > LISTED {
        true => format!("objects by class (the first {LISTED} of {})", all.len()),
        false => "objects by class".into(),
    };
    audited.table(&title, &columns, rows)
}

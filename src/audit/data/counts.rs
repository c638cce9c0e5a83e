//! counts: how many images, labels, depth maps and objects each source has; held against what is declared.

use super::kinds;
use super::labels::Looked;
use super::look::Labelled;
use super::problem::Problem;
use crate::error::{Error, Result};
use std::collections::BTreeMap;

/// Of one source, or of a split.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub images: usize,
    pub labelled: usize,
    pub empty: usize,
    pub unlabelled: usize,
    pub objects: usize,
    pub depth: usize,
    /// Images that can be read with a label, or none that is due, and depth where it is given.
    pub whole: usize,
}

impl Count {
    pub fn add(&mut self, other: Self) {
        self.images += other.images;
        self.labelled += other.labelled;
        self.empty += other.empty;
        self.unlabelled += other.unlabelled;
        self.objects += other.objects;
        self.depth += other.depth;
        self.whole += other.whole;
    }
}

pub const COLUMNS: [&str; 9] = [
    "split",
    "source",
    "images",
    "with objects",
    "empty label",
    "no label",
    "objects",
    "depth",
    "whole",
];

pub fn of((source, looked): &Looked) -> Count {
    let mut count = Count::default();
    for (item, seen) in looked {
        count.images += 1;
        count.objects += seen.classes.len();
        count.labelled += usize::from(seen.labelled == Labelled::Objects);
        count.empty += usize::from(seen.labelled == Labelled::Empty);
        count.unlabelled += usize::from(seen.labelled == Labelled::Missing);
        count.depth += usize::from(seen.depth.is_some());
        let has_depth = !source.has_depth || seen.depth.is_some();
        let has_label = matches!(seen.labelled, Labelled::Objects | Labelled::Empty)
            || item.label.path().is_none();
        count.whole += usize::from(seen.header.is_some() && has_depth && has_label);
    }
    count
}

pub fn row((source, looked): &Looked) -> Vec<String> {
    let c = of(&(*source, looked.clone()));
    let numbers = [
        c.images,
        c.labelled,
        c.empty,
        c.unlabelled,
        c.objects,
        c.depth,
        c.whole,
    ];
    let names = [source.split.clone(), source.name.clone()];
    names
        .into_iter()
        .chain(numbers.map(|n| n.to_string()))
        .collect()
}

/// `train=30300`.
///
/// # Errors
/// A word that says no such thing, or names no split.
pub fn declared<'a>(
    words: &'a [String],
    splits: &BTreeMap<&str, Count>,
) -> Result<Vec<(&'a str, usize)>> {
    let one = |word: &'a String| {
        let said = word
            .split_once('=')
            .and_then(|(s, n)| Some((s, n.replace([',', '_'], "").parse().ok()?)));
        let (split, n) = said.ok_or_else(|| {
            Error::usage(format!("--count {word}: no SPLIT=N")).next("as in --count train=30300")
        })?;
        match splits.contains_key(split) {
            true => Ok((split, n)),
            false => {
                let all: Vec<&str> = splits.keys().copied().collect();
                Err(
                    Error::usage(format!("--count {word}: there is no split '{split}'"))
                        .next(format!("the splits: {}", all.join(", "))),
                )
            }
        }
    };
    words.iter().map(one).collect()
}

pub fn wrong(declared: &[(&str, usize)], splits: &BTreeMap<&str, Count>) -> Vec<Problem> {
    let differs = |(split, n): &(&str, usize)| {
        let c = splits.get(split)?;
        (c.images != *n || c.whole != *n).then(|| {
            let what = format!(
                "{n} images are declared, {} are there, {} of them whole",
                c.images, c.whole
            );
            let parts = format!(
                "{} have objects, {} an empty label, {} none, {} depth",
                c.labelled, c.empty, c.unlabelled, c.depth
            );
            (
                c.images,
                Problem::new(&kinds::COUNT, *split, what).fact(parts),
                *n,
            )
        })
    };
    // An image without a label is no fault by itself: what is whole counts only where fewer images are there, or depth lacks.
    let all = declared
        .iter()
        .filter_map(|d| Some((differs(d)?, splits.get(d.0)?)));
    let due = |((images, _, n), c): &((usize, Problem, usize), &Count)| {
        images != n || (c.depth > 0 && c.depth < *n)
    };
    all.filter(due)
        .map(|((_, problem, _), _)| problem)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_images_or_depth_than_declared_is_said_and_backgrounds_are_not() {
        let count = |images, depth| Count {
            images,
            depth,
            whole: images - 2,
            unlabelled: 2,
            labelled: images - 2,
            ..Count::default()
        };
        let of = |c: Count| {
            let splits = BTreeMap::from([("train", c)]);
            let words = ["train=30,300".to_string()];
            wrong(&declared(&words, &splits).unwrap(), &splits).len()
        };
        assert_eq!(of(count(30_300, 0)), 0);
        assert_eq!(of(count(23_829, 0)), 1);
        assert_eq!(of(count(30_300, 23_829)), 1);
        assert_eq!(of(count(30_300, 30_300)), 0);
        let splits = BTreeMap::from([("val", Count::default())]);
        assert!(declared(&["train=1".into()], &splits).is_err());
        assert!(declared(&["val".into()], &splits).is_err());
    }
}

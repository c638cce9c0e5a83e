//! segmentation: what predictions and labels of a segmentation come to, and which formula gives the number that was seen.

mod findings;
mod matrix;
mod seen;
mod tally;

use super::{Asked, Audited, below};
use crate::error::{Error, Result};
use crate::input::label_map::Maps;
use crate::kernel::metric::mean_iou::Measure;
use crate::kernel::metric::pixel_confusion::{Confusion, Ignored};
use crate::text::few;
use crate::verdict::{Finding, Severity};
use crate::watch::Watch;
use seen::{Seen, percent};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use tally::{Rules, Tally};

#[derive(Clone, Debug, Default, PartialEq, clap::Args, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Segmentation {
    /// Predictions: a folder of PNG, .npy or .safetensors maps, or one such file; class indices, or logits [N, C, H, W]
    #[arg(long, value_name = "PATH")]
    pub predictions: Option<PathBuf>,
    /// Labels in the same forms, paired with predictions by the names of files without their extension
    #[arg(long, value_name = "PATH")]
    pub labels: Option<PathBuf>,
    /// A confusion matrix of counts, .npy or .json: its rows are labels
    #[arg(long, value_name = "FILE")]
    pub matrix: Option<PathBuf>,
    /// The rows of the matrix are predictions, as ultralytics has them
    #[arg(long, requires = "matrix")]
    #[serde(default)]
    pub rows_are_predictions: bool,
    /// Number of classes
    #[arg(long, value_name = "N")]
    pub classes: Option<usize>,
    /// A value of labels that does not count; may be given several times
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    #[serde(default)]
    pub ignore: Vec<i64>,
    /// Label 0 is ignored and 1 is class 0, as mmseg's reduce_zero_label does
    #[arg(long)]
    #[serde(default)]
    pub reduce_zero_label: bool,
    /// Names of the classes in order, separated by commas
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    #[serde(default)]
    pub names: Vec<String>,
    /// A number that was taken for the mean IoU, as it was printed (2.70, 13.5%, 0.027): which formula gives it is looked for
    #[arg(long, value_name = "NUMBER")]
    pub seen: Option<String>,
}

impl Asked for Segmentation {
    fn name(&self) -> &'static str {
        "segmentation"
    }

    fn within(&mut self, folder: &Path) {
        let files = [&mut self.predictions, &mut self.labels, &mut self.matrix];
        below(folder, files.into_iter().flatten());
    }

    fn run(&self, watch: &mut dyn Watch) -> Result<Audited> {
        let seen: Option<Seen> = self.seen.as_deref().map(str::parse).transpose()?;
        let given = self.given()?;
        let mut tally = Tally::new(self.rules(given.as_ref())?);
        let mut audited = Audited::of("segmentation");
        for (part, path) in [
            ("predictions", &self.predictions),
            ("labels", &self.labels),
            ("matrix", &self.matrix),
        ] {
            audited = path.iter().fold(audited, |a, p| a.subject(part, p));
        }
        let mut found = self.count(&mut tally, watch)?;
        if let Some((given, path)) = given.as_ref().zip(self.matrix.as_deref()) {
            found.extend(self.held_against(&mut tally, given, path));
        }
        if let Some(seen) = &seen {
            let truth = truth(&tally);
            found.extend(seen::findings(seen, &tally, truth.as_deref()));
        }
        let audited = audited.found(found);
        Ok(match tally.confusion.sum() {
            0 => audited,
            _ => audited.table("per class", &COLUMNS, self.table(&tally.confusion)),
        })
    }
}

impl Segmentation {
    fn given(&self) -> Result<Option<Confusion>> {
        let load = |path: &PathBuf| matrix::load(path, self.rows_are_predictions);
        self.matrix.as_ref().map(load).transpose()
    }

    fn rules(&self, given: Option<&Confusion>) -> Result<Rules> {
        let named = (!self.names.is_empty()).then_some(self.names.len());
        let all = [self.classes, given.map(Confusion::classes), named];
        let mut stated = all.into_iter().flatten();
        let Some(classes) = stated.next().filter(|n| *n > 0) else {
            return Err(Error::usage("the number of classes is not known").next("--classes N"));
        };
        if let Some(other) = stated.find(|n| *n != classes) {
            let fact = format!("{classes} and {other} classes are stated");
            return Err(Error::usage(fact)
                .next("--classes, --names and the sides of the matrix are one number"));
        }
        Ok(Rules {
            classes,
            ignore: self.ignore.clone(),
            reduce_zero: self.reduce_zero_label,
        })
    }

    /// Counts what maps are given.
    fn count(&self, tally: &mut Tally, watch: &mut dyn Watch) -> Result<Vec<Finding>> {
        let classes = Some(tally.rules.classes);
        match (&self.labels, &self.predictions) {
            (None, None) if self.matrix.is_none() && self.seen.is_none() => {
                Err(Error::usage("nothing to look at")
                    .next("--predictions PATH --labels PATH, or --matrix FILE"))
            }
            (None, None) => Ok(vec![]),
            (None, Some(path)) => {
                let fact = format!("predictions {} without labels", path.display());
                Err(Error::usage(fact).next("--labels PATH"))
            }
            (Some(path), None) => {
                let mut labels = Maps::open(path, None)?;
                let mut found = unreadable(&labels, "label");
                let names: Vec<String> = labels.names().map(String::from).collect();
                watch.phase("labels", names.len());
                for (i, name) in names.into_iter().enumerate() {
                    watch.step(i);
                    let place = labels.place(&name);
                    match labels.get(&name, None) {
                        Ok(map) => tally.label(&map, &place),
                        Err(e) => found.push(unread("label", &place, &e)),
                    }
                }
                found.extend(findings::of_labels(tally, &path.display().to_string()));
                Ok(grouped(found))
            }
            (Some(path), Some(other)) => {
                let (mut labels, mut predicted) =
                    (Maps::open(path, None)?, Maps::open(other, classes)?);
                let mut found = unreadable(&labels, "label");
                found.extend(unreadable(&predicted, "prediction"));
                found.extend(pairs(&mut labels, &mut predicted, tally, watch)?);
                found.extend(findings::of_labels(tally, &path.display().to_string()));
                found.extend(findings::of_pairs(tally, &other.display().to_string()));
                Ok(grouped(found))
            }
        }
    }

    /// The given matrix alone, or against the one that was counted here.
    fn held_against(&self, tally: &mut Tally, given: &Confusion, path: &Path) -> Vec<Finding> {
        let place = path.display().to_string();
        let counted = tally.confusion.clone();
        if counted.pixels() == 0 {
            tally.confusion = given.clone();
            return findings::of_matrix(tally, &place);
        }
        let n = given.classes();
        let same = |other: &Confusion| {
            (0..n * n).all(|i| other.at(i / n, i % n) == counted.at(i / n, i % n))
        };
        let differs = (0..n * n)
            .filter(|i| given.at(i / n, i % n) != counted.at(i / n, i % n))
            .count();
        vec![if same(given) {
            Finding::new(
                "matrix_equal",
                place,
                format!("the matrix is that of these maps: {} pixels", counted.sum()),
            )
            .severity(Severity::Note)
        } else if given.sum() == 0 {
            Finding::new(
                "matrix_empty",
                place,
                format!(
                    "the matrix is empty; these maps give {} pixels",
                    counted.sum()
                ),
            )
            .next([
                "call its update for every batch, before the metric is computed or reset".into(),
            ])
        } else if same(&given.transposed()) {
            Finding::new("matrix_transposed", place, "the matrix is that of these maps with labels and predictions exchanged")
                .next(["IoU is the same, recall and precision are exchanged: hand over labels and predictions in the order that it wants".into()])
        } else {
            let what = format!(
                "{differs} of {} counts differ from those of these maps; its sum is {}, theirs {}",
                n * n,
                given.sum(),
                counted.sum()
            );
            Finding::new("matrix_differs", place, what).next([
                "compare what is ignored, and the size that predictions are brought to".into(),
            ])
        }]
    }

    fn table(&self, m: &Confusion) -> Vec<Vec<String>> {
        let row = |c: usize| {
            let class = m.class(c, Ignored::Out);
            let name = self
                .names
                .get(c)
                .map_or(c.to_string(), |n| format!("{c} {n}"));
            let share = class.truth as f64 / m.sum() as f64;
            let counts = [class.truth, class.predicted, class.correct].map(|n| n.to_string());
            let own = [Measure::Iou.of(class), share].map(percent);
            [vec![name], counts.to_vec(), own.to_vec()].concat()
        };
        (0..m.classes()).map(row).collect()
    }
}

const COLUMNS: [&str; 6] = ["class", "truth", "predicted", "correct", "IoU", "share"];

/// Pairs of the same name are counted; what has no partner is a finding. Two files of one map each need no name.
fn pairs(
    labels: &mut Maps,
    predicted: &mut Maps,
    tally: &mut Tally,
    watch: &mut dyn Watch,
) -> Result<Vec<Finding>> {
    let mut found = vec![];
    let classes = Some(tally.rules.classes);
    let names: Vec<String> = labels.names().map(String::from).collect();
    let others: Vec<String> = predicted.names().map(String::from).collect();
    let alone = names.len() == 1 && others.len() == 1;
    let mut missing = vec![];
    watch.phase("pairs", names.len());
    for (i, name) in names.iter().enumerate() {
        watch.step(i);
        let other = if alone { &others[0] } else { name };
        let place = labels.place(name);
        if !others.contains(other) {
            missing.push(name.as_str());
            continue;
        }
        let from = predicted.place(other);
        match (labels.get(name, None), predicted.get(other, classes)) {
            (Ok(label), Ok(map)) => tally.pair(&label, &map, &place, &from),
            (label, map) => {
                found.extend(label.err().map(|e| unread("label", &place, &e)));
                found.extend(map.err().map(|e| unread("prediction", &from, &e)));
            }
        }
    }
    let orphans: Vec<&str> = others
        .iter()
        .map(String::as_str)
        .filter(|o| !alone && !names.iter().any(|n| n == o))
        .collect();
    if missing.len() == names.len() && !names.is_empty() {
        let fact = format!(
            "no label has a prediction of its name: labels {}; predictions {}",
            few(names.iter().map(String::as_str), 3),
            few(others.iter().map(String::as_str), 3)
        );
        return Err(Error::usage(fact).next("name both alike"));
    }
    let unpaired = |all: &[&str], what: &str, without: &str| {
        let first = all.first()?;
        let what = format!(
            "{} {what} have no {without}: {}",
            all.len(),
            few(all.iter().copied(), 3)
        );
        Some(
            Finding::new("unpaired", *first, what)
                .next(["a metric over part of a set is not that of the set".into()]),
        )
    };
    found.extend(unpaired(&missing, "labels", "prediction"));
    found.extend(unpaired(&orphans, "predictions", "label"));
    Ok(found)
}

fn unreadable(maps: &Maps, side: &str) -> Vec<Finding> {
    let all = maps.unreadable.iter();
    all.map(|(path, e)| unread(side, &path.display().to_string(), e))
        .collect()
}

fn unread(side: &str, place: &str, e: &Error) -> Finding {
    let what = format!("this {side} cannot be read: {}", e.message);
    Finding::new("unreadable", place, what).next(e.next.clone())
}

/// Many unreadable files are one finding: the first, its number, and the next few.
fn grouped(found: Vec<Finding>) -> Vec<Finding> {
    let (bad, mut rest): (Vec<_>, Vec<_>) = found.into_iter().partition(|f| f.kind == "unreadable");
    let more = bad.len().saturating_sub(1);
    let mut all = bad.into_iter();
    if let Some(first) = all.next() {
        let others = all.take(4).map(|f| format!("{}: {}", f.place, f.what));
        let facts = (more > 0).then(|| format!("{more} more cannot be read"));
        rest.insert(0, first.facts(facts).facts(others));
    }
    rest
}

/// Pixels of each class of the labels.
fn truth(tally: &Tally) -> Option<Vec<u64>> {
    let m = &tally.confusion;
    if m.sum() > 0 {
        return Some(
            (0..m.classes())
                .map(|c| m.class(c, Ignored::Out).truth)
                .collect(),
        );
    }
    let of = |c: usize| {
        let value = c as i64 + i64::from(tally.rules.reduce_zero);
        let held = tally
            .labels
            .all
            .get(&value)
            .filter(|_| !tally.rules.ignore.contains(&value));
        held.map_or(0, |v| v.pixels)
    };
    (tally.maps > 0).then(|| (0..m.classes()).map(of).collect())
}

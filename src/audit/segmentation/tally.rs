//! tally: pairs of maps, counted pixel by pixel: the confusion matrix, what lies outside of the classes, what would fit better turned.

use crate::input::label_map::Map;
use crate::kernel::metric::mean_iou::{Absent, Formula, Measure};
use crate::kernel::metric::pixel_confusion::{Confusion, Ignored};
use std::collections::BTreeMap;

/// Different values of one side that are counted apart; an image that is no label map has more.
const VALUES: usize = 4096;
/// Pairs that are tried turned.
const TURNED: usize = 32;
/// Places of one value that are kept.
pub const PLACES: usize = 3;

/// What a value of a map means.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    pub classes: usize,
    pub ignore: Vec<i64>,
    /// Label 0 is ignored, and every other one counts from 0.
    pub reduce_zero: bool,
}

/// How often one value occurs, and where first.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Value {
    pub pixels: u64,
    pub places: Vec<String>,
}

/// The values of one side.
#[derive(Clone, Debug, Default)]
pub struct Values {
    pub all: BTreeMap<i64, Value>,
    /// Pixels of further values.
    pub more: u64,
}

/// How a prediction may lie against its label.
pub const TURNS: [&str; 5] = [
    "as they are",
    "flipped left to right",
    "flipped upside down",
    "turned by half",
    "transposed",
];

#[derive(Clone, Debug)]
pub struct Tally {
    pub rules: Rules,
    pub confusion: Confusion,
    pub maps: usize,
    pub labels: Values,
    pub predictions: Values,
    /// Pairs whose sizes differ: the place and both sizes.
    pub sizes: Vec<String>,
    /// Predictions with logits that are no numbers.
    pub not_finite: Vec<(String, u64)>,
    /// Sum over images and their number, of each formula of one image.
    pub by_image: BTreeMap<(Measure, Absent), (f64, u64)>,
    /// Agreeing pixels of the first pairs, in the order of `TURNS`, and their pixels.
    pub turned: ([u64; 5], u64),
}

impl Rules {
    /// The class of a label; None is what is ignored or no class.
    fn label(&self, value: i64) -> Option<usize> {
        let value = match (self.ignore.contains(&value), self.reduce_zero) {
            (true, _) => return None,
            (false, true) => value - 1,
            (false, false) => value,
        };
        self.class(value)
    }

    /// A prediction that is a class counts as one, even where that class is ignored in labels.
    fn class(&self, value: i64) -> Option<usize> {
        usize::try_from(value).ok().filter(|c| *c < self.classes)
    }

    /// Whether a label may have this value.
    pub fn is_label(&self, value: i64) -> bool {
        let zero = self.reduce_zero && value == 0;
        zero || self.ignore.contains(&value) || self.label(value).is_some()
    }

    pub fn is_prediction(&self, value: i64) -> bool {
        self.ignore.contains(&value) || self.class(value).is_some()
    }
}

impl Values {
    fn count(&mut self, map: &Map, place: &str) {
        let mut own: BTreeMap<i64, u64> = BTreeMap::new();
        // Labels come in runs: the same value is looked up once.
        for run in map.values.chunk_by(|a, b| a == b) {
            *own.entry(run[0]).or_default() += run.len() as u64;
        }
        for (value, n) in own {
            if self.all.len() >= VALUES && !self.all.contains_key(&value) {
                self.more += n;
                continue;
            }
            let held = self.all.entry(value).or_default();
            held.pixels += n;
            if held.places.len() < PLACES {
                held.places.push(place.into());
            }
        }
    }
}

impl Tally {
    #[must_use]
    pub fn new(rules: Rules) -> Self {
        Self {
            confusion: Confusion::new(rules.classes),
            rules,
            maps: 0,
            labels: Values::default(),
            predictions: Values::default(),
            sizes: vec![],
            not_finite: vec![],
            by_image: BTreeMap::new(),
            turned: ([0; 5], 0),
        }
    }

    /// A label without its prediction: what there is to know of labels.
    pub fn label(&mut self, label: &Map, place: &str) {
        self.maps += 1;
        self.labels.count(label, place);
    }

    pub fn pair(&mut self, label: &Map, predicted: &Map, place: &str, from: &str) {
        self.label(label, place);
        self.predictions.count(predicted, from);
        if predicted.not_finite > 0 {
            self.not_finite.push((from.into(), predicted.not_finite));
        }
        if (label.height, label.width) != (predicted.height, predicted.width) {
            self.sizes.push(format!(
                "{place} is {} x {}, {from} {} x {}",
                label.height, label.width, predicted.height, predicted.width
            ));
            return;
        }
        let mut own = Confusion::new(self.rules.classes);
        for (t, p) in label.values.iter().zip(&predicted.values) {
            own.add(self.rules.label(*t), self.rules.class(*p), 1);
        }
        self.image(&own);
        self.confusion.merge(&own);
        if self.maps <= TURNED {
            self.turn(label, predicted);
        }
    }

    fn image(&mut self, own: &Confusion) {
        for measure in Measure::ALL {
            for absent in Absent::ALL {
                let value = Formula::Mean(measure, absent, Ignored::Out).of(own);
                if own.sum() > 0 && !value.is_nan() {
                    let held = self.by_image.entry((measure, absent)).or_default();
                    *held = (held.0 + value, held.1 + 1);
                }
            }
        }
    }

    fn turn(&mut self, label: &Map, predicted: &Map) {
        let (h, w) = (label.height, label.width);
        for y in 0..h {
            for x in 0..w {
                let Some(truth) = self.rules.label(label.values[y * w + x]) else {
                    continue;
                };
                let at = |y: usize, x: usize| {
                    self.rules.class(predicted.values[y * w + x]) == Some(truth)
                };
                let (v, u) = (h - 1 - y, w - 1 - x);
                let agree = [at(y, x), at(y, u), at(v, x), at(v, u), h == w && at(x, y)];
                self.turned.1 += 1;
                let sums = self.turned.0.iter_mut().zip(agree);
                sums.for_each(|(n, a)| *n += u64::from(a));
            }
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A map of one row or more.
    pub fn map(width: usize, values: &[i64]) -> Map {
        Map {
            height: values.len() / width,
            width,
            values: values.to_vec(),
            not_finite: 0,
        }
    }

    pub fn tally(rules: Rules, pairs: &[(Map, Map)]) -> Tally {
        let mut out = Tally::new(rules);
        for (i, (label, predicted)) in pairs.iter().enumerate() {
            out.pair(label, predicted, &format!("l{i}.png"), &format!("p{i}.png"));
        }
        out
    }

    #[test]
    fn a_pixel_is_counted_where_its_label_and_its_prediction_say() {
        let rules = Rules {
            classes: 2,
            ignore: vec![255],
            reduce_zero: false,
        };
        let t = tally(rules, &[(map(3, &[0, 1, 255]), map(3, &[1, 255, 0]))]);
        assert_eq!(t.confusion.at(0, 1), 1);
        assert_eq!(t.confusion.at(1, 2), 1);
        assert_eq!(t.confusion.at(2, 0), 1);
        assert_eq!(t.labels.all[&255].places, ["l0.png"]);
    }

    #[test]
    fn a_zero_label_is_ignored_and_the_rest_counts_from_zero() {
        let rules = Rules {
            classes: 2,
            ignore: vec![],
            reduce_zero: true,
        };
        let t = tally(rules.clone(), &[(map(3, &[0, 1, 2]), map(3, &[0, 0, 1]))]);
        assert_eq!((t.confusion.diagonal(), t.confusion.ignored()), (2, 1));
        assert!(rules.is_label(2) && rules.is_label(0) && !rules.is_label(3));
        assert!(!rules.is_prediction(2));
    }

    #[test]
    fn sizes_that_differ_are_not_counted() {
        let rules = Rules {
            classes: 2,
            ..Rules::default()
        };
        let t = tally(rules, &[(map(3, &[0, 1, 1]), map(2, &[0, 1]))]);
        assert_eq!(t.sizes, ["l0.png is 1 x 3, p0.png 1 x 2"]);
        assert_eq!(t.confusion.pixels(), 0);
    }
}

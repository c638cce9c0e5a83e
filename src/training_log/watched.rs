//! watched: what `parity_port.watch` writes of a training, one JSON object a line: norms of gradients, classes predicted, labels, the confusion matrix, inputs and whether they matter (docs/audit/log.md).

use super::json::{number, object};
use super::lines::{self, Line};
use super::{Damage, Form, Log, Place, Series};
use indexmap::IndexMap;
use serde_json::{Map, Value};
use std::io::{BufRead, Result};

/// The key of the first line, whose value is the version of the format.
const HEAD: &str = "parity_watch";
/// The key of the line that says what the model is made of.
const PARTS: &str = "attributes";
/// The largest matrix that is read.
const CLASSES: usize = 1000;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Watched {
    /// How many classes the first line declares, and which label is ignored.
    pub classes: Option<u64>,
    pub ignore: Option<i64>,
    /// Norms of gradients by module.
    pub gradients: IndexMap<String, Series>,
    /// Lines that say what was predicted.
    pub predicted: Vec<Predicted>,
    pub predicted_lines: u64,
    /// Lines in which one class alone was predicted.
    pub collapsed: u64,
    pub labels: Labels,
    /// The share of labels that is ignored.
    pub ignored: Series,
    pub confusion: Confusion,
    /// Of the first line that has them.
    pub inputs: Vec<Input>,
    pub inputs_at: Option<Place>,
    /// How far each channel of an input moves the output, and where it was tried last.
    pub moves: IndexMap<String, (Vec<f64>, Place)>,
    /// Classes and plain attributes of the model's parts, by path.
    pub parts: IndexMap<String, Part>,
    /// What could not be looked at, why, and where that was said first.
    pub not_tried: IndexMap<String, (String, Place)>,
}

/// A module, or an object that one keeps.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub class: String,
    pub values: Map<String, Value>,
}

/// What one line says of predictions.
#[derive(Clone, Debug, PartialEq)]
pub struct Predicted {
    pub place: Place,
    pub classes: usize,
    /// The most frequent and its share.
    pub most: String,
    pub share: f64,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labels {
    pub lowest: Series,
    pub highest: Series,
    /// Classes that occur, with their shares in the last line that says so.
    pub shares: IndexMap<String, f64>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Confusion {
    pub lines: u64,
    pub sum: Series,
    /// Lines behind the first that say another matrix than the line before.
    pub changes: u64,
    pub last: Vec<Vec<f64>>,
    pub at: Option<Place>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    pub name: String,
    pub shape: Vec<u64>,
    pub dtype: String,
    pub min: f64,
    pub max: f64,
    /// By channel.
    pub mean: Vec<f64>,
    pub std: Vec<f64>,
}

/// Whether a first line is one of watch's.
#[must_use]
pub fn is_one(line: &str) -> bool {
    line.contains(&format!("\"{HEAD}\""))
}

pub fn read(from: impl BufRead) -> Result<Log> {
    let mut log = Log::new(Form::Watched);
    let mut watched = Watched::default();
    lines::each(from, |line| {
        let Some(object) = object(&line, &mut log) else {
            return;
        };
        match object.get(PARTS) {
            _ if object.contains_key(HEAD) => watched.head(&object),
            Some(Value::Object(parts)) => watched.parts(parts),
            _ => watched.line(&line, &object, &mut log),
        }
    })?;
    log.watched = Some(watched);
    Ok(log)
}

impl Watched {
    fn head(&mut self, object: &Map<String, Value>) {
        self.classes = object.get("classes").and_then(Value::as_u64);
        self.ignore = object.get("ignore").and_then(Value::as_i64);
    }

    fn parts(&mut self, parts: &Map<String, Value>) {
        let of = |(name, part): (&String, &Value)| {
            let class = part.get("class")?.as_str()?.to_string();
            let values = part.get("values")?.as_object()?.clone();
            Some((name.clone(), Part { class, values }))
        };
        self.parts.extend(parts.iter().filter_map(of));
    }

    fn line(&mut self, line: &Line, object: &Map<String, Value>, log: &mut Log) {
        let count = |key: &str| object.get(key).and_then(number);
        let place = Place {
            epoch: count("epoch"),
            step: count("step").map(|s| s as u64),
            ..Place::line(line.number)
        };
        log.row(place);
        for (key, value) in object {
            let is_read = match (key.as_str(), value) {
                ("step" | "epoch", _) => true,
                ("grad_norm", Value::Object(all)) => self.gradients(all, place),
                ("predicted", Value::Object(all)) => self.predicted(all, place),
                ("labels", Value::Object(all)) => self.labels(all, place),
                ("ignored", share) => number(share).map(|s| self.ignored.push(s, place)).is_some(),
                ("confusion", Value::Array(rows)) => self.confusion(rows, place),
                ("inputs", Value::Object(all)) => self.inputs(all, place),
                ("moves", Value::Object(all)) => self.moves(all, place),
                ("not_tried", Value::Object(all)) => self.not_tried(all, place),
                ("grad_norm" | "predicted" | "labels" | "confusion" | "inputs" | "moves", _) => {
                    false
                }
                (name, value) => number(value).map(|v| log.push(name, place, v)).is_some(),
            };
            if !is_read {
                log.damage(
                    Damage::Unreadable,
                    format!("line {}, key '{key}'", line.number),
                );
            }
        }
    }

    fn gradients(&mut self, all: &Map<String, Value>, place: Place) -> bool {
        for (module, norm) in all {
            // None where no gradient arrives at all: the module is frozen or unused.
            let norm = if norm.is_null() {
                Some(0.0)
            } else {
                number(norm)
            };
            let Some(norm) = norm else { return false };
            if self.gradients.len() < CLASSES || self.gradients.contains_key(module) {
                self.gradients
                    .entry(module.clone())
                    .or_default()
                    .push(norm, place);
            }
        }
        true
    }

    fn predicted(&mut self, all: &Map<String, Value>, place: Place) -> bool {
        let shares = shares(all);
        let present = shares.iter().filter(|s| *s.1 > 0.0);
        let Some((most, share)) = present.clone().max_by(|a, b| a.1.total_cmp(b.1)) else {
            return false;
        };
        let new = Predicted {
            place,
            classes: present.count(),
            most: most.clone(),
            share: *share,
        };
        self.predicted_lines += 1;
        self.collapsed += u64::from(new.classes == 1);
        // The last hundred are where a training has come to.
        if self.predicted.len() == 100 {
            self.predicted.remove(0);
        }
        self.predicted.push(new);
        true
    }

    fn labels(&mut self, all: &Map<String, Value>, place: Place) -> bool {
        let value = |key: &str| all.get(key).and_then(number);
        let (Some(min), Some(max)) = (value("min"), value("max")) else {
            return false;
        };
        self.labels.lowest.push(min, place);
        self.labels.highest.push(max, place);
        if let Some(Value::Object(all)) = all.get("shares") {
            self.labels.shares = shares(all);
        }
        true
    }

    fn confusion(&mut self, rows: &[Value], place: Place) -> bool {
        let row = |row: &Value| {
            row.as_array()?
                .iter()
                .map(number)
                .collect::<Option<Vec<f64>>>()
        };
        let Some(matrix) = rows
            .iter()
            .take(CLASSES)
            .map(row)
            .collect::<Option<Vec<_>>>()
        else {
            return false;
        };
        self.confusion.changes +=
            u64::from(self.confusion.lines > 0 && self.confusion.last != matrix);
        self.confusion.lines += 1;
        self.confusion
            .sum
            .push(matrix.iter().flatten().sum(), place);
        self.confusion.last = matrix;
        self.confusion.at = Some(place);
        true
    }

    fn inputs(&mut self, all: &Map<String, Value>, place: Place) -> bool {
        if self.inputs_at.is_some() {
            return true;
        }
        self.inputs_at = Some(place);
        let read: Option<Vec<Input>> = all
            .iter()
            .take(CLASSES)
            .map(|(name, said)| input(name, said))
            .collect();
        self.inputs = read.unwrap_or_default();
        self.inputs.len() == all.len().min(CLASSES)
    }

    fn moves(&mut self, all: &Map<String, Value>, place: Place) -> bool {
        for (name, by) in all.iter().take(CLASSES) {
            let by = by
                .as_array()
                .and_then(|all| all.iter().map(number).collect::<Option<Vec<f64>>>());
            let Some(by) = by else { return false };
            self.moves.insert(name.clone(), (by, place));
        }
        true
    }

    fn not_tried(&mut self, all: &Map<String, Value>, place: Place) -> bool {
        for (what, why) in all.iter().take(CLASSES) {
            let why = why.as_str().unwrap_or("no reason is given").to_string();
            self.not_tried.entry(what.clone()).or_insert((why, place));
        }
        true
    }
}

fn shares(all: &Map<String, Value>) -> IndexMap<String, f64> {
    let share = |(class, share): (&String, &Value)| Some((class.clone(), number(share)?));
    all.iter().take(CLASSES * 10).filter_map(share).collect()
}

fn input(name: &str, said: &Value) -> Option<Input> {
    let value = |key: &str| said.get(key).and_then(number);
    let list = |key: &str| {
        said.get(key)?
            .as_array()?
            .iter()
            .map(number)
            .collect::<Option<Vec<f64>>>()
    };
    Some(Input {
        name: name.into(),
        shape: said
            .get("shape")?
            .as_array()?
            .iter()
            .map(Value::as_u64)
            .collect::<Option<_>>()?,
        dtype: said
            .get("dtype")
            .and_then(Value::as_str)
            .unwrap_or("?")
            .into(),
        min: value("min")?,
        max: value("max")?,
        mean: list("mean")?,
        std: list("std")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_gradients_predictions_labels_and_inputs() {
        let text = concat!(
            "{\"parity_watch\": 1, \"classes\": 37, \"ignore\": -1}\n",
            "{\"step\": 0, \"inputs\": {\"image\": {\"shape\": [2, 3, 4, 4], \"dtype\": \"float32\", \"min\": 0, \"max\": 1, \"mean\": [0.5, 0.5, 0], \"std\": [1, 1, 0]}}, \"moves\": {\"image\": [0.5, 0.1, 0]}}\n",
            "{\"step\": 10, \"grad_norm\": {\"backbone\": NaN, \"head\": null}, \"not_tried\": {\"moves\": \"why\"}, \"predicted\": {\"0\": 0.75, \"4\": 0.25}, \"labels\": {\"min\": -1, \"max\": 36}, \"ignored\": 0.136, \"confusion\": [[1, 0], [0, 1]], \"loss\": 2.5}\n",
            "{\"step\": 20, \"predicted\": 3}\n",
        );
        assert!(is_one(text.lines().next().unwrap()));
        let log = read(text.as_bytes()).unwrap();
        let watched = log.watched.as_ref().unwrap();
        assert_eq!((watched.classes, watched.ignore), (Some(37), Some(-1)));
        assert_eq!(watched.inputs[0].shape, [2, 3, 4, 4]);
        assert_eq!(watched.moves["image"].0, [0.5, 0.1, 0.0]);
        assert_eq!(watched.gradients["backbone"].bad, 1);
        assert_eq!(watched.not_tried["moves"].0, "why");
        let predicted = &watched.predicted[0];
        assert_eq!(
            (predicted.classes, predicted.most.as_str(), predicted.share),
            (2, "0", 0.75)
        );
        assert_eq!(watched.labels.highest.last.unwrap().value, 36.0);
        assert_eq!(watched.confusion.sum.last.unwrap().value, 2.0);
        assert_eq!(log.series["loss"].last.unwrap().value, 2.5);
        assert_eq!(
            log.damages[&Damage::Unreadable].first,
            ["line 4, key 'predicted'"]
        );
    }
}

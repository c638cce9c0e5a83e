//! json: a log of one JSON object a line: mmengine's (by epochs and by iterations) and mmcv 1's, lines of training and validation mixed.

use super::lines::{self, Line};
use super::{Damage, Form, Kind, Log, Place, name};
use serde_json::{Map, Value};
use std::io::{BufRead, Result};

/// Keys that say where a line stands.
const COUNTS: [&str; 3] = ["epoch", "iter", "step"];

pub fn read(from: impl BufRead) -> Result<Log> {
    let mut log = Log::new(Form::Json);
    lines::each(from, |line| {
        if let Some(object) = object(&line, &mut log) {
            row(&line, &object, &mut log);
        }
    })?;
    Ok(log)
}

/// The object of a line; what is none is said.
pub fn object(line: &Line, log: &mut Log) -> Option<Map<String, Value>> {
    if line.bytes.iter().all(u8::is_ascii_whitespace) {
        return None;
    }
    let said = format!("line {}", line.number);
    if line.cut {
        log.damage(Damage::TooLong, said);
        return None;
    }
    match parse(line.bytes) {
        Some(Value::Object(object)) => Some(object),
        _ => {
            let kind = if line.ended {
                Damage::Unreadable
            } else {
                Damage::Cut
            };
            log.damage(kind, said);
            None
        }
    }
}

/// JSON as Python writes it, in which NaN and Infinity are numbers.
fn parse(bytes: &[u8]) -> Option<Value> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}');
    if let Ok(value) = serde_json::from_str(text) {
        return Some(value);
    }
    serde_json::from_str(&quoted(text)).ok()
}

/// The same text with NaN, Infinity and -Infinity between quotes, but for where they are quoted already.
fn quoted(text: &str) -> String {
    let (mut out, mut rest, mut inside) = (String::new(), text, false);
    while let Some(c) = rest.chars().next() {
        let word = ["NaN", "-Infinity", "Infinity"]
            .into_iter()
            .find(|w| rest.starts_with(w));
        let taken = match word {
            Some(word) if !inside => {
                out += &format!("\"{word}\"");
                word.len()
            }
            _ if inside && c == '\\' => {
                let two = c.len_utf8() + rest[1..].chars().next().map_or(0, char::len_utf8);
                out += &rest[..two];
                two
            }
            _ => {
                inside ^= c == '"';
                out.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    out
}

/// A number, those too that JSON has no form for.
#[must_use]
pub fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(n) => n.as_f64(),
        Value::String(s) if ["NaN", "Infinity", "-Infinity"].contains(&s.as_str()) => {
            super::number(s)
        }
        _ => None,
    }
}

fn row(line: &Line, object: &Map<String, Value>, log: &mut Log) {
    let validation = is_validation(object);
    let place = place(line, object, validation, log);
    let values: Vec<(String, f64)> = object
        .iter()
        .filter(|(key, _)| !COUNTS.contains(&key.as_str()))
        .flat_map(|(key, value)| numbers(key, value))
        .collect();
    if values.is_empty() {
        return;
    }
    if validation {
        log.rows += 1;
    } else {
        log.row(place);
    }
    for (key, value) in values {
        log.push(&called(&key, validation), place, value);
    }
}

/// mmcv 1 says so; mmengine's lines of validation hold times, count by `step` alone and have no learning rate.
fn is_validation(object: &Map<String, Value>) -> bool {
    let has = |key: &&str| object.contains_key(*key);
    match object.get("mode").and_then(Value::as_str) {
        Some(mode) => mode != "train",
        None => has(&"data_time") && !["iter", "lr", "epoch", "loss"].iter().any(has),
    }
}

/// A line of validation stands where the training was: its own `step` is an epoch, an iteration or 0, as it happens to be set up.
fn place(line: &Line, object: &Map<String, Value>, validation: bool, log: &Log) -> Place {
    let count = |key: &str| object.get(key).and_then(number);
    let own = Place {
        epoch: count("epoch"),
        step: count("step").or(count("iter")).map(|s| s as u64),
        ..Place::line(line.number)
    };
    match log.last {
        Some(last) if validation => Place { at: own.at, ..last },
        None if validation && own.epoch.is_none() => Place {
            epoch: own.step.map(|s| s as f64),
            step: None,
            ..own
        },
        _ => own,
    }
}

/// The numbers of a value: itself, or those of an object by key.
fn numbers(key: &str, value: &Value) -> Vec<(String, f64)> {
    match value {
        Value::Object(inner) => inner
            .iter()
            .filter_map(|(k, v)| Some((format!("{key}/{k}"), number(v)?)))
            .collect(),
        _ => number(value)
            .map(|v| (key.to_string(), v))
            .into_iter()
            .collect(),
    }
}

/// A loss of validation has its own name.
fn called(key: &str, validation: bool) -> String {
    match validation && Kind::of(key) == Kind::Loss && !name::is_validation(key) {
        true => format!("val/{key}"),
        false => key.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Log {
        read(text.as_bytes()).unwrap()
    }

    #[test]
    fn lines_of_validation_stand_where_the_training_was() {
        let text = r#"{"lr": 0.1, "loss": 2.0, "epoch": 1, "iter": 8, "step": 8}
{"coco/bbox_mAP": 0.25, "data_time": 0.1, "step": 1}
"#;
        let map = of(text).series["coco/bbox_mAP"].last.unwrap();
        assert_eq!(map.place.to_string(), "epoch 1, step 8, line 2");
        let text = text
            .replace("\"epoch\": 1, ", "")
            .replace("\"step\": 1", "\"step\": 0");
        let map = of(&text).series["coco/bbox_mAP"].last.unwrap();
        assert_eq!(map.place.to_string(), "step 8, line 2");
    }

    #[test]
    fn nan_as_python_writes_it_is_a_number_and_inside_a_string_it_is_text() {
        let log =
            of("{\"loss\": NaN, \"loss_a\": -Infinity, \"lr\": 1, \"note\": \"a \\\" NaN\"}\n");
        assert_eq!((log.series["loss"].bad, log.series["loss_a"].bad), (1, 1));
        assert!(log.damages.is_empty());
    }

    #[test]
    fn mmcv_1_names_the_mode_and_what_is_no_number_is_no_value() {
        let text = "{\"env_info\": \"Linux\", \"seed\": null}\n{\"mode\": \"train\", \"epoch\": 1, \"iter\": 50, \"lr\": 0.1, \"loss\": 1.5}\n{\"mode\": \"val\", \"epoch\": 1, \"iter\": 9, \"lr\": 0.1, \"loss\": 2.5, \"bbox_mAP\": 0.3}\n";
        let log = of(text);
        assert_eq!(log.series["val/loss"].last.unwrap().value, 2.5);
        assert_eq!(log.series["bbox_mAP"].last.unwrap().place.epoch, Some(1.0));
    }

    #[test]
    fn a_line_that_is_none_is_said_and_a_cut_end_is_told_from_it() {
        let log = of("{\"loss\": 1.0, \"iter\": 1}\nhello\n{\"loss\": 1.0, \"it");
        assert_eq!(log.damages[&Damage::Unreadable].first, ["line 2"]);
        assert_eq!(log.damages[&Damage::Cut].first, ["line 3"]);
    }
}

//! settings: what two runs were set to: every key of args.yaml that differs, and which of these were meant to.

use super::declared::Change;
use crate::verdict::{Finding, Severity};
use serde_json::{Map, Value};

/// Keys that name a run: where it is kept says nothing of what it does.
const NAMES: [&str; 4] = ["name", "project", "save_dir", "exist_ok"];
/// Keys of ultralytics' augmentation.
pub const AUGMENTATION: [&str; 17] = [
    "hsv_h",
    "hsv_s",
    "hsv_v",
    "degrees",
    "translate",
    "scale",
    "shear",
    "perspective",
    "flipud",
    "fliplr",
    "bgr",
    "mosaic",
    "mixup",
    "copy_paste",
    "auto_augment",
    "erasing",
    "close_mosaic",
];

/// Key, value of the run, value of the baseline; None where one has no such key.
pub type Difference = (String, Option<Value>, Option<Value>);

/// Every key that differs.
pub fn differences(run: &Map<String, Value>, baseline: &Map<String, Value>) -> Vec<Difference> {
    let mut keys: Vec<&String> = run.keys().chain(baseline.keys()).collect();
    keys.sort();
    keys.dedup();
    let differs = |k: &&String| !same(run.get(*k), baseline.get(*k));
    let of = |k: &String| (k.clone(), run.get(k).cloned(), baseline.get(k).cloned());
    keys.into_iter().filter(differs).map(of).collect()
}

/// 1 and 1.0 are one number.
fn same(a: Option<&Value>, b: Option<&Value>) -> bool {
    match (a.and_then(Value::as_f64), b.and_then(Value::as_f64)) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

/// A value as it is shown.
pub fn shown(value: Option<&Value>) -> String {
    value.map_or("not there".into(), ToString::to_string)
}

pub fn findings(all: &[Difference], change: &Change, place: &str) -> Vec<Finding> {
    let row = |(k, a, b): &Difference| {
        format!(
            "{k}: {}, the baseline {}",
            shown(a.as_ref()),
            shown(b.as_ref())
        )
    };
    let declared = |d: &&Difference| change.keys.contains(&d.0);
    let (names, rest): (Vec<&Difference>, Vec<&Difference>) =
        all.iter().partition(|d| NAMES.contains(&d.0.as_str()));
    let (meant, more): (Vec<&Difference>, Vec<&Difference>) = rest.into_iter().partition(declared);
    let mut out = vec![];
    if let Some(first) = more.first() {
        let what = format!(
            "{} keys differ that were not meant to: {}",
            more.len(),
            row(first)
        );
        let place = format!("{place}: {}", first.0);
        let next = "repeat one of both runs with these alike, or declare them: [change] keys";
        out.push(
            Finding::new("undeclared_difference", place, what)
                .facts(more.iter().skip(1).map(|d| row(d)))
                .next([next.into()]),
        );
    }
    let absent: Vec<&str> = change
        .keys
        .iter()
        .filter(|k| !all.iter().any(|d| d.0 == **k))
        .map(String::as_str)
        .collect();
    if let Some(first) = absent.first() {
        let what = format!(
            "declared to differ, and alike in both runs: {}",
            absent.join(", ")
        );
        out.push(
            Finding::new("change_missing", format!("{place}: {first}"), what)
                .next(["look whether the change reached the run".into()]),
        );
    }
    if more.is_empty() && absent.is_empty() {
        let what = match meant.is_empty() {
            true => "no key differs but names of runs".to_string(),
            false => format!("{} keys differ, all of them declared", meant.len()),
        };
        let facts = meant.iter().chain(&names).map(|d| row(d));
        out.push(
            Finding::new("settings", place, what)
                .facts(facts)
                .severity(Severity::Note),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(run: Value, baseline: Value, keys: &[&str], want: &[(&str, Severity)]) {
        let (Value::Object(run), Value::Object(baseline)) = (run, baseline) else {
            panic!("two objects");
        };
        let change = Change {
            keys: keys.iter().map(|k| (*k).into()).collect(),
            ..Change::default()
        };
        let all = findings(&differences(&run, &baseline), &change, "args.yaml");
        let said: Vec<_> = all.iter().map(|f| (f.kind.as_str(), f.severity)).collect();
        assert_eq!(said, want, "{all:?}");
    }

    #[test]
    fn more_than_the_declared_change_is_a_fault_and_less_too() {
        let base = json!({"epochs": 300, "lr0": 0.01, "name": "a", "box": 7.5});
        let note = [("settings", Severity::Note)];
        check(
            json!({"epochs": 300.0, "lr0": 0.01, "name": "b", "box": 7.5}),
            base.clone(),
            &[],
            &note,
        );
        check(
            json!({"epochs": 300, "lr0": 0.01, "name": "b", "box": 9}),
            base.clone(),
            &["box"],
            &note,
        );
        let more = [("undeclared_difference", Severity::Fault)];
        check(
            json!({"epochs": 300, "lr0": 0.02, "name": "b", "box": 9}),
            base.clone(),
            &["box"],
            &more,
        );
        check(
            json!({"lr0": 0.01, "name": "b", "box": 7.5}),
            base.clone(),
            &[],
            &more,
        );
        let less = [("change_missing", Severity::Fault)];
        check(base.clone(), base, &["box"], &less);
    }
}

//! fields: the record itself: every field that a reader looks for, from a file or as declared; what neither has is missing.

use super::declared::{Declared, METRICS};
use super::settings::AUGMENTATION;
use super::side::Side;
use super::targets::Numbers;
use crate::audit::Table;
use crate::text::number;
use crate::verdict::{Finding, Severity};

/// What stands where nothing is known.
const MISSING: &str = "missing";
/// Fields of args.yaml that a record has.
const SETTINGS: [(&str, &str); 12] = [
    ("device", "device"),
    ("dataset", "data"),
    ("base_model", "model"),
    ("image size", "imgsz"),
    ("batch", "batch"),
    ("epochs", "epochs"),
    ("patience", "patience"),
    ("optimizer", "optimizer"),
    ("lr0", "lr0"),
    ("lrf", "lrf"),
    ("warm-up", "warmup_epochs"),
    ("seed", "seed"),
];
/// Fields that are declared, or said by a checkpoint.
const DECLARED: [&str; 11] = [
    "command",
    "begin",
    "end",
    "status",
    "commit",
    "versions",
    "train_images",
    "val_images",
    "classes",
    "preprocessing",
    "author",
];

type Row = (String, Option<String>, Option<String>);

/// The record, and what of it is missing.
pub fn table(
    declared: &Declared,
    run: &Side,
    baseline: Option<&Side>,
    numbers: (&Numbers, &Numbers),
    counted: &[(&str, String)],
    code: Option<String>,
) -> (Table, Option<Finding>) {
    let mut rows: Vec<Row> = vec![];
    let fact = |name: &str| declared.facts.get(name).cloned();
    for name in DECLARED {
        let own = fact(name).or_else(|| run.said.get(name).cloned());
        let own = own.or_else(|| counted.iter().find(|c| c.0 == name).map(|c| c.1.clone()));
        rows.push((
            name.replace('_', " "),
            own,
            baseline.and_then(|b| b.said.get(name).cloned()),
        ));
    }
    rows.push((
        "duration".into(),
        duration(run),
        baseline.and_then(duration),
    ));
    for (name, key) in SETTINGS {
        let own = fact(name).or_else(|| run.setting(key));
        rows.push((
            name.replace('_', " "),
            own,
            baseline.and_then(|b| b.setting(key)),
        ));
    }
    let own = fact("augmentation").or_else(|| augmentation(run));
    rows.push(("augmentation".into(), own, baseline.and_then(augmentation)));
    rows.extend(change(declared));
    rows.push(("change: difference of the code".into(), code, None));
    for (name, called) in METRICS {
        let of = |all: &Numbers| all.get(name).map(|k| number(k.value));
        rows.push((called.into(), of(numbers.0), of(numbers.1)));
    }
    if let Some(notes) = fact("notes") {
        rows.push(("notes".into(), Some(notes), None));
    }
    let missing: Vec<String> = rows
        .iter()
        .filter(|r| r.1.is_none())
        .map(|r| r.0.clone())
        .collect();
    (shown(rows, baseline.is_some()), said(&missing, run))
}

fn shown(rows: Vec<Row>, both: bool) -> Table {
    let cell = |v: Option<String>| v.unwrap_or_else(|| MISSING.into());
    let row = |(name, own, base): Row| match both {
        true => vec![name, cell(own), cell(base)],
        false => vec![name, cell(own)],
    };
    let columns = ["field", "run", "baseline"]
        .into_iter()
        .take(if both { 3 } else { 2 });
    Table {
        title: "record".into(),
        columns: columns.map(String::from).collect(),
        rows: rows.into_iter().map(row).collect(),
    }
}

fn said(missing: &[String], run: &Side) -> Option<Finding> {
    let first = missing.first()?;
    let what = format!(
        "{} fields of the record have no data: {}",
        missing.len(),
        missing.join(", ")
    );
    let next = "declare what no file holds under [facts] and [measured.run]; AP by size needs predictions.json and --truth";
    Some(
        Finding::new(
            "missing",
            format!("{}: {first}", run.folder.display()),
            what,
        )
        .next([next.into()])
        .severity(Severity::Note),
    )
}

fn duration(side: &Side) -> Option<String> {
    let last = side.history.as_ref()?.column("time")?.last().copied()?;
    last.is_finite()
        .then(|| format!("{} h", number(last / 3600.0)))
}

fn augmentation(side: &Side) -> Option<String> {
    let of = |key: &&str| side.setting(key).map(|v| format!("{key} {v}"));
    let all: Vec<String> = AUGMENTATION.iter().filter_map(of).collect();
    (!all.is_empty()).then(|| all.join(", "))
}

/// The change of the code, as it was declared.
fn change(declared: &Declared) -> Vec<Row> {
    let c = &declared.change;
    let keys = (!c.keys.is_empty()).then(|| c.keys.join(", "));
    let parts = [
        ("file", &c.file),
        ("class", &c.class),
        ("method", &c.method),
        ("lines", &c.lines),
        ("what", &c.what),
        ("keys", &keys),
    ];
    parts
        .into_iter()
        .map(|(part, v)| (format!("change: {part}"), v.clone(), None))
        .collect()
}

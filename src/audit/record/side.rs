//! side: what the folder of one run holds: settings, epochs, detections, the best checkpoint; each may be missing.

use super::boxes::{self, Found, Truth};
use super::course;
use super::history::History;
use super::sizes::{self, Judged};
use super::targets::{Known, Numbers};
use crate::checkpoint::{self, Scalar};
use crate::error::Result;
use crate::graph::param::Kind;
use crate::input::{parameters, yaml};
use crate::verdict::{Finding, Severity};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One run.
pub struct Side {
    pub folder: PathBuf,
    pub settings: Map<String, Value>,
    pub history: Option<History>,
    pub found: Option<Found>,
    pub judged: Option<Judged>,
    /// Numbers in the order of trust: declared, evaluated here, logged.
    pub layers: [Numbers; 3],
    /// What its checkpoint says of itself: version, date, commit.
    pub said: BTreeMap<&'static str, String>,
    pub findings: Vec<Finding>,
}

/// What a checkpoint of ultralytics says of itself, and the field of the record.
const SAID: [(&str, &str); 3] = [
    ("version", "versions"),
    ("date", "end"),
    ("git.commit", "commit"),
];

impl Side {
    /// # Errors
    /// The folder is none, or detections that were asked for cannot be read.
    pub fn read(
        folder: &Path,
        truth: Option<&Truth>,
        predictions: Option<&Path>,
        first: Option<i64>,
    ) -> Result<Self> {
        crate::file::listed(folder)?;
        let mut out = Self {
            folder: folder.into(),
            settings: Map::new(),
            history: None,
            found: None,
            judged: None,
            layers: Default::default(),
            said: BTreeMap::new(),
            findings: vec![],
        };
        out.read_settings();
        out.read_history();
        out.read_checkpoint();
        if let Some(truth) = truth {
            out.read_detections(truth, predictions, first)?;
        }
        Ok(out)
    }

    fn unread(&mut self, file: &Path, why: String, next: &str) {
        let found = Finding::new("unreadable", file.display().to_string(), why);
        self.findings
            .push(found.next([next.to_string()]).severity(Severity::Unjudged));
    }

    fn read_settings(&mut self) {
        let file = self.folder.join("args.yaml");
        match yaml::load(&file) {
            Ok(Value::Object(all)) => self.settings = all,
            Ok(_) => self.unread(
                &file,
                "it holds no settings by name".into(),
                "give the args.yaml that the training wrote",
            ),
            Err(e) => self.unread(
                &file,
                format!("the settings of the run cannot be read: {}", e.message),
                "give the args.yaml that the training wrote",
            ),
        }
    }

    fn read_history(&mut self) {
        let file = self.folder.join("results.csv");
        match History::load(&file) {
            Ok(history) if history.rows.is_empty() => self.unread(
                &file,
                "it has no epoch".into(),
                "look how the training ended",
            ),
            Ok(history) => {
                self.layers[2] = logged(&history, &file);
                let planned = self.settings.get("epochs").and_then(Value::as_f64);
                self.findings.extend(course::findings(
                    &history,
                    &file.display().to_string(),
                    planned,
                ));
                self.history = Some(history);
            }
            Err(e) => self.unread(
                &file,
                format!("the epochs of the run cannot be read: {}", e.message),
                "give the results.csv that the training wrote",
            ),
        }
    }

    fn read_checkpoint(&mut self) {
        let names = ["weights/best.pt", "weights/last.pt"];
        let Some(file) = names
            .iter()
            .map(|n| self.folder.join(n))
            .find(|f| f.is_file())
        else {
            return;
        };
        match parameters::source(&file) {
            Ok(source) => {
                let own = source.list.iter().filter(|p| p.kind == Kind::Parameter);
                let count: u64 = own.map(crate::params::Param::elements).sum();
                let known = Known {
                    value: count as f64,
                    from: file.display().to_string(),
                };
                self.layers[1].insert("parameters", known);
            }
            Err(e) => self.unread(&file, e.message, "give a checkpoint that torch.save wrote"),
        }
        if let Ok(held) = checkpoint::open(&file) {
            for (path, field) in SAID {
                if let Some(Scalar::Text(text)) = held.scalars.get(path) {
                    self.said.insert(field, text.clone());
                }
            }
        }
    }

    fn read_detections(
        &mut self,
        truth: &Truth,
        given: Option<&Path>,
        first: Option<i64>,
    ) -> Result<()> {
        let own = self.folder.join("predictions.json");
        let Some(path) = given
            .map(PathBuf::from)
            .or_else(|| own.is_file().then_some(own))
        else {
            return Ok(());
        };
        let found = boxes::found(&path, truth, first)?;
        let place = path.display().to_string();
        self.findings.extend(sizes::findings(&found, &place));
        let network = self.settings.get("imgsz").and_then(Value::as_f64);
        let judged = sizes::judge(truth, &found, network);
        self.layers[1].extend(sizes::numbers(&judged.original, &place));
        (self.judged, self.found) = (Some(judged), Some(found));
        Ok(())
    }

    /// A setting as text.
    pub fn setting(&self, key: &str) -> Option<String> {
        self.settings
            .get(key)
            .filter(|v| !v.is_null())
            .map(|v| v.as_str().map_or_else(|| v.to_string(), String::from))
    }
}

/// The numbers of the best epoch, in percent.
fn logged(history: &History, file: &Path) -> Numbers {
    let Some(row) = course::best(history) else {
        return Numbers::new();
    };
    let names = [
        ("map50", "mAP50"),
        ("map", "mAP50-95"),
        ("precision", "precision"),
        ("recall", "recall"),
    ];
    let of = |(name, column): (&'static str, &str)| {
        let value = 100.0 * history.metric(column)?[row];
        let from = format!("{}, line {}", file.display(), row + 2);
        value.is_finite().then_some((name, Known { value, from }))
    };
    names.into_iter().filter_map(of).collect()
}

/// The numbers of both sides: each from the most trusted source that both have, else from the own best.
pub fn settled(run: &Side, baseline: Option<&Side>) -> (Numbers, Numbers) {
    let (mut own, mut base) = (Numbers::new(), Numbers::new());
    for (name, _) in super::declared::METRICS {
        let of = |side: &Side, layer: usize| side.layers[layer].get(name).cloned();
        let first = |side: &Side| (0..3).find_map(|l| of(side, l));
        let both = baseline.and_then(|b| (0..3).find_map(|l| of(run, l).zip(of(b, l))));
        let (a, b) = match both {
            Some((a, b)) => (Some(a), Some(b)),
            None => (first(run), baseline.and_then(first)),
        };
        own.extend(a.map(|k| (name, k)));
        base.extend(b.map(|k| (name, k)));
    }
    (own, base)
}

//! training_log: what a training wrote of itself: curves by name, what a plain log says beside them, and what of a file cannot be read.

mod events;
mod json;
mod lines;
pub mod name;
mod plain;
mod said;
mod series;
mod spoken;
mod table;
pub mod watched;

pub use name::Kind;
pub use said::{Count, Counted, Level, Mismatched, Said, Transferred, Words};
pub use series::{At, Place, Point, Series, Value};

use crate::error::{Error, Place as _, Result};
use crate::file;
use indexmap::IndexMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// Names of one log that are kept; a log of more is no log.
const NAMES: usize = 2000;
/// Places of each kind of damage that are kept.
const SHOWN: usize = 5;

/// What wrote a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A table with commas: ultralytics' results.csv, Lightning's metrics.csv.
    Table,
    /// One JSON object a line: mmengine's scalars.json.
    Json,
    /// Event files of TensorBoard.
    Events,
    /// What `parity_port.watch` wrote.
    Watched,
    /// What a training printed.
    Plain,
}

impl Form {
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Json => "JSON lines",
            Self::Events => "event file",
            Self::Watched => "watch",
            Self::Plain => "plain log",
        }
    }
}

/// Why a part of a file was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Damage {
    /// It ends in the middle of something.
    Cut,
    /// A line that is none of its kind.
    Unreadable,
    /// A row with more or fewer values than the header has names.
    Ragged,
    /// A line beyond the bound.
    TooLong,
    /// Bytes that do not have their checksum.
    Checksum,
    /// More names than are kept.
    Names,
}

/// One kind of damage: how often, and the first places.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Damages {
    pub count: u64,
    pub first: Vec<String>,
}

/// One log, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Log {
    pub form: Form,
    /// By name, in the order of appearance.
    pub series: IndexMap<String, Series>,
    /// Rows, lines or records with at least one value.
    pub rows: u64,
    /// Where the last of them stands.
    pub last: Option<Place>,
    /// Where a count of epochs or steps went back: a run that was resumed, or two that write into one file.
    pub restarts: Vec<Place>,
    pub said: Said,
    pub watched: Option<watched::Watched>,
    pub damages: std::collections::BTreeMap<Damage, Damages>,
}

impl Log {
    #[must_use]
    pub fn new(form: Form) -> Self {
        Self {
            form,
            series: IndexMap::new(),
            rows: 0,
            last: None,
            restarts: vec![],
            said: Said::default(),
            watched: None,
            damages: std::collections::BTreeMap::new(),
        }
    }

    /// The place of the name among the series; None where there are too many.
    fn id(&mut self, name: &str) -> Option<usize> {
        if let Some(id) = self.series.get_index_of(name) {
            return Some(id);
        }
        if self.series.len() == NAMES {
            self.damage(Damage::Names, format!("'{name}'"));
            return None;
        }
        let (id, _) = self.series.insert_full(name.into(), Series::default());
        Some(id)
    }

    fn push(&mut self, name: &str, place: Place, value: f64) {
        if let Some(id) = self.id(name) {
            self.series[id].push(value, place);
        }
    }

    /// A row begins here.
    fn row(&mut self, place: Place) {
        self.rows += 1;
        if let Some(last) = self.last {
            let back =
                |a: Option<f64>, b: Option<f64>| matches!((a, b), (Some(a), Some(b)) if b < a);
            let steps = (last.step.map(|s| s as f64), place.step.map(|s| s as f64));
            // Steps may begin anew in every epoch.
            let begun = last.epoch.is_none() && back(steps.0, steps.1);
            if back(last.epoch, place.epoch) || begun {
                self.restarts.push(place);
                self.restarts.truncate(SHOWN);
            }
        }
        self.last = Some(place);
    }

    fn damage(&mut self, kind: Damage, place: String) {
        let held = self.damages.entry(kind).or_default();
        held.count += 1;
        if held.first.len() < SHOWN {
            held.first.push(place);
        }
    }

    #[must_use]
    pub fn is_damaged(&self, kind: Damage) -> bool {
        self.damages.contains_key(&kind)
    }
}

/// Reads the log at `path`, of whatever form it is.
///
/// # Errors
/// It cannot be read, or is of no form that is known.
pub fn open(path: &Path) -> Result<Log> {
    read(path).at(format!("log {}", path.display()))
}

fn read(path: &Path) -> Result<Log> {
    file::is_there(path)?;
    let file = File::open(path).map_err(|e| Error::usage(e.to_string()))?;
    let mut from = BufReader::with_capacity(1 << 16, file);
    let form = form(from.fill_buf().map_err(|e| Error::failed(e.to_string()))?)?;
    from_reader(form, from)
}

/// Reads a log of a form that is known.
///
/// # Errors
/// It cannot be read on.
pub fn from_reader(form: Form, from: impl BufRead) -> Result<Log> {
    let read = match form {
        Form::Table => table::read(from),
        Form::Json => json::read(from),
        Form::Watched => watched::read(from),
        Form::Events => events::read(from),
        Form::Plain => plain::read(from),
    };
    read.map_err(|e| Error::failed(e.to_string()))
}

/// A log in memory: what fuzzers ask.
///
/// # Errors
/// It is of no form that is known.
pub fn parse(bytes: &[u8]) -> Result<Log> {
    from_reader(form(bytes)?, bytes)
}

/// What wrote a file that begins like this.
fn form(head: &[u8]) -> Result<Form> {
    if head.starts_with(b"\xff\xfe") || head.starts_with(b"\xfe\xff") {
        return Err(
            Error::usage("it is UTF-16, as PowerShell redirects what a program prints")
                .next("iconv -f UTF-16 -t UTF-8 LOG > LOG.utf8"),
        );
    }
    if events::is_one(head) {
        return Ok(Form::Events);
    }
    let text = String::from_utf8_lossy(head);
    let line = text.trim_start_matches('\u{feff}').trim_start();
    if line.starts_with('{') {
        return Ok(match watched::is_one(line.lines().next().unwrap_or("")) {
            true => Form::Watched,
            false => Form::Json,
        });
    }
    if head.contains(&0) {
        return Err(Error::usage(
            "it is neither text nor an event file of TensorBoard",
        ));
    }
    Ok(match table::is_one(line) {
        true => Form::Table,
        false => Form::Plain,
    })
}

/// A number as logs write it; None where the text is none.
fn number(text: &str) -> Option<f64> {
    let text = text.trim().trim_matches('"');
    match text.to_lowercase().as_str() {
        "nan" | "-nan" | "+nan" => Some(f64::NAN),
        "inf" | "+inf" | "infinity" => Some(f64::INFINITY),
        "-inf" | "-infinity" => Some(f64::NEG_INFINITY),
        _ if text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => {
            text.parse().ok()
        }
        _ => None,
    }
}

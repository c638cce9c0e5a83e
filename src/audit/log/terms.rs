//! terms: the names of a log that are judged: terms of the loss, their total, metrics; and the table of them.

use super::{Held, Log, percent};
use crate::text::number;
use crate::training_log::name::{is_total, is_validation, meant};
use crate::training_log::{Kind, Series};

/// One name of a log.
pub struct Term<'a> {
    pub name: &'a str,
    pub kind: Kind,
    pub validation: bool,
    pub series: &'a Series,
    /// It is declared to be 0 by design.
    pub may_be_zero: bool,
}

/// The names of one log, and the total of what is trained.
pub struct Terms<'a> {
    pub held: &'a Held,
    pub asked: &'a Log,
    pub all: Vec<Term<'a>>,
    pub total: Option<Total>,
}

pub struct Total {
    pub name: String,
    pub series: Series,
    /// It is added up here: the log has none.
    pub summed: bool,
}

/// Where nothing is said to the contrary a curve is judged from so many points on.
pub const FEW: u64 = 5;
pub const SOME: u64 = 10;

pub const COLUMNS: [&str; 7] = [
    "name", "points", "first", "end", "lowest", "highest", "fell by",
];

impl<'a> Terms<'a> {
    #[must_use]
    pub fn of(asked: &'a Log, held: &'a Held) -> Self {
        let names: Vec<&str> = held.log.series.keys().map(String::as_str).collect();
        let zero: Vec<&str> = asked
            .may_be_zero
            .iter()
            .flat_map(|w| meant(w, &names))
            .collect();
        let expected: Vec<&str> = asked.expect.iter().flat_map(|w| meant(w, &names)).collect();
        let one = |(name, series): (&'a String, &'a Series)| {
            let known = Kind::of(name);
            let named = zero.contains(&name.as_str()) || expected.contains(&name.as_str());
            Term {
                name,
                // What is expected of a log is a term, whatever it is called.
                kind: if named && known == Kind::Other {
                    Kind::Loss
                } else {
                    known
                },
                validation: is_validation(name),
                series,
                may_be_zero: zero.contains(&name.as_str()),
            }
        };
        let all: Vec<Term> = held.log.series.iter().map(one).collect();
        let total = total(asked, &all);
        Self {
            held,
            asked,
            all,
            total,
        }
    }

    /// Terms of the loss that is trained, without the total.
    pub fn trained(&self) -> impl Iterator<Item = &Term<'a>> {
        let total = self
            .total
            .as_ref()
            .map(|t| t.name.clone())
            .unwrap_or_default();
        self.losses()
            .filter(move |t| !t.validation && t.name != total)
    }

    pub fn losses(&self) -> impl Iterator<Item = &Term<'a>> {
        self.all.iter().filter(|t| t.kind == Kind::Loss)
    }

    pub fn metrics(&self) -> impl Iterator<Item = &Term<'a>> {
        self.all.iter().filter(|t| t.kind == Kind::Metric)
    }

    #[must_use]
    pub fn rows(&self) -> Vec<Vec<String>> {
        let shown = self.losses().chain(self.metrics());
        let summed = self.total.iter().filter(|t| t.summed);
        let mut rows: Vec<Vec<String>> = summed.map(|t| row(&t.name, &t.series, true)).collect();
        rows.extend(
            shown
                .take(100)
                .map(|t| row(t.name, t.series, t.kind == Kind::Loss)),
        );
        rows
    }
}

fn row(name: &str, series: &Series, falls: bool) -> Vec<String> {
    let value = |v: Option<crate::training_log::Value>| v.map_or("-".into(), |v| number(v.value));
    let fell = drop(series).filter(|_| falls).map_or("-".into(), percent);
    vec![
        name.into(),
        (series.count + series.bad).to_string(),
        value(series.first),
        series.end().map_or("-".into(), number),
        value(series.lowest),
        value(series.highest),
        fell,
    ]
}

/// The share of its first value by which a series has fallen at its end.
#[must_use]
pub fn drop(series: &Series) -> Option<f64> {
    let first = series.first?.value;
    (series.count > 1 && first != 0.0).then_some((first - series.end()?) / first.abs())
}

/// The total as it is named, else as logs call it, else the sum of what is trained.
fn total(asked: &Log, all: &[Term]) -> Option<Total> {
    let losses = || all.iter().filter(|t| t.kind == Kind::Loss && !t.validation);
    let names: Vec<&str> = all.iter().map(|t| t.name).collect();
    let named = match &asked.total {
        Some(word) => meant(word, &names).first().copied(),
        None => losses().map(|t| t.name).find(|n| is_total(n)),
    };
    let of = |name: &str| {
        all.iter()
            .find(|t| t.name == name)
            .map(|t| t.series.clone())
    };
    if let Some((name, series)) = named.and_then(|n| Some((n, of(n)?))) {
        let name = name.to_string();
        return Some(Total {
            name,
            series,
            summed: false,
        });
    }
    let terms: Vec<&Series> = losses().map(|t| t.series).collect();
    let series = Series::sum(&terms)?;
    Some(Total {
        name: "sum of the terms".into(),
        series,
        summed: true,
    })
}

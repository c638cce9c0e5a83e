//! movement: two checkpoints of one training: what moved between them and by how much, and what did not.

use super::{Audited, SHOWN, counted};
use crate::error::{Error, Result};
use crate::input::parameters;
use crate::params::names;
use crate::params::pair::{Paired, by_names};
use crate::params::value::{Relation, relation};
use crate::params::{Param, Source, module};
use crate::tensor::Tensor;
use crate::text::number;
use crate::verdict::{Finding, Severity};
use indexmap::IndexMap;
use std::path::Path;

/// How far one item moved: ‖later − earlier‖ / ‖earlier‖; infinite where it was 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Moved {
    pub name: String,
    pub elements: u64,
    pub relative: f64,
    /// A running statistic, or a counter.
    pub is_statistic: bool,
}

/// What became of every item that both have.
///
/// # Errors
/// A file that lists no parameters, a value that cannot be read, values that a side does not keep, nothing in common.
pub fn between(earlier: &Source, later: &Source) -> Result<Vec<Moved>> {
    if !earlier.has_values() || !later.has_values() {
        let says = "a side keeps no values, and what moves is seen in values only";
        return Err(Error::usage(says).next("name two checkpoints"));
    }
    let pairs = by_names(earlier, later, &[], &relation)?;
    let both = pairs.into_iter().filter_map(|p| match p {
        Paired::Both(pair) => Some(pair),
        Paired::OnlyReference(_) | Paired::OnlyCandidate(_) => None,
    });
    let one = |pair: crate::params::pair::Pair| -> Result<Option<Moved>> {
        let relative = match &pair.relation {
            Relation::Equal => 0.0,
            Relation::NotCompared => return Ok(None),
            Relation::Layout(_)
            | Relation::Near { .. }
            | Relation::Other(_)
            | Relation::Drawn(_) => {
                let value = |of: &Source, p: &Param| of.value(&p.name);
                match (
                    value(earlier, pair.reference)?,
                    value(later, pair.candidate)?,
                ) {
                    (Some(a), Some(b)) if a.shape() == b.shape() => apart(&a, &b),
                    _ => return Ok(None),
                }
            }
        };
        Ok(Some(Moved {
            name: pair.candidate.name.clone(),
            elements: pair.candidate.elements(),
            relative,
            is_statistic: names::is_statistic(&pair.candidate.name),
        }))
    };
    let all: Vec<Moved> = both
        .map(one)
        .filter_map(Result::transpose)
        .collect::<Result<_>>()?;
    match all.is_empty() {
        true => Err(Error::uncovered(
            "the two checkpoints have no item in common: nothing was compared",
        )),
        false => Ok(all),
    }
}

fn apart(a: &Tensor, b: &Tensor) -> f64 {
    let (a, b) = (a.to_f64(), b.to_f64());
    let norm = |all: &mut dyn Iterator<Item = f64>| all.map(|v| v * v).sum::<f64>().sqrt();
    let apart = norm(&mut a.iter().zip(&b).map(|(x, y)| y - x));
    match apart == 0.0 {
        true => 0.0,
        false => apart / norm(&mut a.iter().copied()),
    }
}

/// The audit of two checkpoints alone.
///
/// # Errors
/// As [`between`].
pub fn audit(name: &str, earlier: &Path, later: &Path) -> Result<Audited> {
    let moved = between(&parameters::source(earlier)?, &parameters::source(later)?)?;
    Ok(Audited::of(name)
        .subject("earlier", earlier)
        .subject("later", later)
        .found(findings(&moved))
        .table("movement", &COLUMNS, table(&moved)))
}

fn findings(all: &[Moved]) -> Vec<Finding> {
    let of = |statistic: bool| -> Vec<&Moved> {
        let own = all.iter().filter(|m| m.is_statistic == statistic);
        own.collect()
    };
    let one = |own: Vec<&Moved>, word: &str| {
        let still: Vec<&&Moved> = own.iter().filter(|m| m.relative == 0.0).collect();
        let what = format!(
            "{} of {} moved",
            own.len() - still.len(),
            counted(own.len(), word)
        );
        let facts = still
            .iter()
            .take(SHOWN)
            .map(|m| format!("'{}' did not", m.name));
        let finding = Finding::new("movement", word, what).facts(facts);
        (!own.is_empty()).then(|| finding.severity(Severity::Note))
    };
    let odd = all
        .iter()
        .filter(|m| !m.relative.is_finite() && m.relative.is_nan());
    let odd = odd.map(|m| Finding::new("not_finite", &m.name, "holds what is no number"));
    let still = all.iter().all(|m| m.relative == 0.0);
    let alike = Finding::new(
        "movement",
        "later",
        "nothing moved: both hold the same values",
    )
    .next(["these are two copies of one state: look at which file is written when".to_string()]);
    [one(of(false), "parameter"), one(of(true), "statistic")]
        .into_iter()
        .flatten()
        .chain(odd)
        .chain(still.then_some(alike))
        .collect()
}

pub const COLUMNS: [&str; 5] = ["module", "items", "moved", "elements", "largest relative"];

/// One row for each module.
pub fn table(all: &[Moved]) -> Vec<Vec<String>> {
    let mut by: IndexMap<&str, Vec<&Moved>> = IndexMap::new();
    for moved in all {
        by.entry(module(&moved.name)).or_default().push(moved);
    }
    let row = |(place, own): (&str, Vec<&Moved>)| {
        let largest = own.iter().map(|m| m.relative).fold(0.0, f64::max);
        vec![
            place.to_string(),
            own.len().to_string(),
            own.iter().filter(|m| m.relative != 0.0).count().to_string(),
            own.iter().map(|m| m.elements).sum::<u64>().to_string(),
            number(largest),
        ]
    };
    by.into_iter().map(row).collect()
}

//! pairs: two changes at once, tried where no single one explains: the few that leave least, each with every row on top.

use super::evaluate::Bench;
use super::trial::{self, On, Trial};
use super::{PER_NUMBER, rows};
use crate::cause::fault::Fault;
use crate::error::Result;

/// Changes on which others are tried.
const FIRST: usize = 3;

/// Elements beyond which no pairs are tried: each costs as much as a whole table.
const MOST: usize = 1 << 19;

/// Every pair of one of the nearest single changes and another row.
///
/// # Errors
/// Memory that runs out.
pub fn all(
    (bench, part): (&Bench, Option<&Bench>),
    singles: &[Trial],
    without: &[String],
) -> Result<Vec<Trial>> {
    let mut found = vec![];
    if bench.elements() > MOST {
        return Ok(found);
    }
    for first in nearest(singles) {
        let Some(base) = &first.graph else { continue };
        let Some(on) = On::of(bench, base, part)? else {
            continue;
        };
        let is_other = |row: &&'static Fault| {
            row.name != first.name && !(replaces(row.name) && replaces(&first.name))
        };
        for row in rows(without).filter(is_other) {
            let all = trial::all(&on, row)?;
            found.extend(all.into_iter().map(|second| both(bench, first, second)));
        }
    }
    Ok(found)
}

/// Whether the row puts another operator into the place of the node's: of two that do, the second is all that stands there.
fn replaces(name: &str) -> bool {
    name.ends_with("-instead")
}

/// Changes of the graph that leave least, each name once.
fn nearest(singles: &[Trial]) -> Vec<&Trial> {
    // What does nothing here would lend its name to whatever explains.
    let mut all: Vec<&Trial> = singles
        .iter()
        .filter(|t| t.graph.is_some() && t.changes)
        .collect();
    all.sort_by(|a, b| a.left.total_cmp(&b.left));
    let mut found: Vec<&Trial> = vec![];
    for t in all {
        if found.len() < FIRST && found.iter().all(|f| f.name != t.name) {
            found.push(t);
        }
    }
    found
}

/// The second on top of the first; in the order of their names, since that tells nothing.
fn both(bench: &Bench, first: &Trial, second: Trial) -> Trial {
    let numbers = first.numbers + second.numbers;
    let mut sides = [
        (first.name.clone(), first.says.clone(), first.next.clone()),
        (second.name, second.says, second.next),
    ];
    sides.sort();
    let [one, other] = sides;
    Trial {
        name: format!("{} + {}", one.0, other.0),
        says: format!("{}, and {}", one.1, other.1),
        next: format!("{}; {}", one.2, other.2),
        numbers,
        confirmed: second.confirmed && second.changes && bench.elements() >= PER_NUMBER * numbers,
        amount: None,
        changes: second.changes,
        after: second.after,
        left: second.left,
        ..second
    }
}

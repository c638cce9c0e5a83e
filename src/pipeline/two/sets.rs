//! sets: results of which nobody says how many rows there are, or in which order: boxes, scores and classes of what is left. Rows are looked for in any order,
//! those of all results of a set together.

use super::postprocess::Made;
use super::results::{Held, alike};
use crate::port::Tensors;
use crate::tensor::Tensor;
use std::collections::HashSet;

/// More rows are no set that somebody looks through.
const ROWS: usize = 2000;

/// Results with one row for each member.
pub struct Set<'a> {
    pub names: Vec<&'a String>,
    /// How many there are on either side.
    pub rows: [usize; 2],
}

/// How many rows either side has, where these may be members of a set: not one for each sample.
pub fn is_set(expected: &Tensor, found: &Tensor, samples: Option<usize>) -> Option<[usize; 2]> {
    let ([e, row @ ..], [f, other @ ..]) = (expected.shape(), found.shape()) else {
        return None;
    };
    let alike = expected.dtype() == found.dtype() && row == other;
    let free = [e, f].iter().any(|n| Some(**n) != samples);
    (alike && free && *e.max(f) <= ROWS).then_some([*e, *f])
}

impl Set<'_> {
    /// Number by number where that is enough, else row by row in any order.
    pub fn held(&self, made: &Made, found: &Tensors) -> Vec<(String, Held)> {
        let one = |name: &&String| ((*name).clone(), made.tensor(name, &found[*name]));
        let in_order: Vec<(String, Held)> = self.names.iter().map(one).collect();
        let same = |(_, held): &(String, Held)| matches!(held, Held::Same(_));
        match in_order.iter().all(same) {
            true => in_order,
            false => vec![(self.names[0].clone(), self.in_any_order(made, found))],
        }
    }

    fn in_any_order(&self, made: &Made, found: &Tensors) -> Held {
        let names: Vec<String> = self.names.iter().map(|n| format!("'{n}'")).collect();
        let (names, [ours, theirs]) = (names.join(", "), self.rows);
        let alike = self.counterparts(made, found);
        if alike == ours && alike == theirs {
            return Held::Same(format!(
                "{names}: the same {ours} rows, in another order, which is not judged"
            ));
        }
        if !self.is_steady(made) {
            return Held::Open(format!(
                "{names}: {alike} rows are alike of {ours} in the reference and {theirs} in the candidate, and which there are is decided by how outputs are rounded"
            ));
        }
        Held::Off(vec![format!(
            "{names}: {} of {ours} rows of the reference and {} of {theirs} of the candidate have no counterpart",
            ours - alike,
            theirs - alike
        )])
    }

    /// Whether the reference's own rows stay where outputs are off by a rounding.
    fn is_steady(&self, made: &Made) -> bool {
        let like = |run: &Tensors, name: &String| {
            let moved = run.get(name).map(Tensor::shape);
            moved == Some(made.expected[name].shape())
        };
        made.moved.iter().all(|run| {
            self.names.iter().all(|name| like(run, name))
                && self.counterparts(made, run) == self.rows[0]
        })
    }

    /// How many rows of the reference have one of `found` each.
    fn counterparts(&self, made: &Made, found: &Tensors) -> usize {
        let columns: Vec<Column> = self
            .names
            .iter()
            .map(|name| Column::of(made, name, &found[*name]))
            .collect();
        let rows = found[self.names[0]].shape()[0];
        let mut taken: HashSet<usize> = HashSet::new();
        for own in 0..self.rows[0] {
            let is = |other: &usize| columns.iter().all(|column| column.alike(own, *other));
            let free = (0..rows).find(|other| !taken.contains(other) && is(other));
            taken.extend(free);
        }
        taken.len()
    }
}

/// One result of either side, row by row.
struct Column {
    sides: [Vec<f64>; 2],
    width: usize,
    allowed: f64,
}

impl Column {
    fn of(made: &Made, name: &str, found: &Tensor) -> Self {
        let expected = &made.expected[name];
        let allowed = (0..expected.numel().max(1)).map(made.allowed(name));
        Self {
            sides: [expected.to_f64(), found.to_f64()],
            width: expected.shape()[1..].iter().product(),
            allowed: allowed.fold(0.0, f64::max),
        }
    }

    fn alike(&self, own: usize, other: usize) -> bool {
        let row = |side: usize, i: usize| &self.sides[side][i * self.width..(i + 1) * self.width];
        let pairs = row(0, own).iter().zip(row(1, other));
        pairs.into_iter().all(|(a, b)| alike(*a, *b, self.allowed))
    }
}

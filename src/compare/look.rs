//! look: what two tensors that differ look like, small enough to keep: where they differ (pooled), how their values are spread, which elements are furthest apart.
//!
//! The plane is made of the two last axes; every other axis is pooled over it. A cell is the largest |candidate − reference| of its elements; one in which NaN
//! or an infinity stands against anything else is infinite.

use super::{Extreme, json};
use crate::tensor::View;
use serde::{Deserialize, Serialize};

/// Tensors of a run that are looked at: the first that are off; those behind them are off for these, mostly.
pub const LOOKS: usize = 4;
/// Cells of a side of the plane at most.
const SIDE: usize = 32;
/// Bins of a histogram.
const BINS: usize = 32;
/// Elements that are listed.
const WORST: usize = 8;

/// Two tensors of one shape, the first that are off.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Look {
    pub tensor: String,
    /// Whether the candidate's is what its node gives on the reference's values.
    #[serde(default)]
    pub alone: bool,
    pub shape: Vec<usize>,
    pub heat: Heat,
    pub spread: Spread,
    /// The furthest apart first.
    pub worst: Vec<Extreme>,
}

/// |difference|, pooled.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Heat {
    /// Of the plane, before it was pooled.
    pub plane: [usize; 2],
    pub rows: usize,
    pub columns: usize,
    /// Row by row.
    #[serde(with = "json::list")]
    pub cells: Vec<f64>,
}

/// How many finite values of either side lie in each of equally wide bins.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    #[serde(with = "json")]
    pub from: f64,
    #[serde(with = "json")]
    pub to: f64,
    pub reference: Vec<u64>,
    pub candidate: Vec<u64>,
}

/// What `candidate` looks like beside `reference`; None where there is nothing to lay over each other.
pub fn look(tensor: &str, reference: View<'_>, candidate: View<'_>, alone: bool) -> Option<Look> {
    if reference.shape != candidate.shape || reference.numel() == 0 {
        return None;
    }
    let both = Both {
        reference,
        candidate,
    };
    Some(Look {
        tensor: tensor.into(),
        alone,
        shape: reference.shape.to_vec(),
        heat: both.heat(),
        spread: both.spread(),
        worst: both.worst(),
    })
}

/// Both tensors, read element by element: they may be as large as half of the memory.
struct Both<'a> {
    reference: View<'a>,
    candidate: View<'a>,
}

impl Both<'_> {
    /// Equal values are 0 apart, whatever they are; what cannot be subtracted is infinitely far apart.
    fn apart(&self, i: usize) -> f64 {
        let (r, c) = (self.reference.get(i), self.candidate.get(i));
        if r == c || r.is_nan() && c.is_nan() {
            return 0.0;
        }
        let d = (c - r).abs();
        if d.is_nan() { f64::INFINITY } else { d }
    }

    fn heat(&self) -> Heat {
        let (down, across) = match self.reference.shape {
            [] => (1, 1),
            [n] => (1, *n),
            [.., rows, columns] => (*rows, *columns),
        };
        let (rows, columns) = (down.min(SIDE), across.min(SIDE));
        let mut cells = vec![0.0f64; rows * columns];
        for i in 0..self.reference.numel() {
            let (y, x) = (i / across % down, i % across);
            let cell = y * rows / down * columns + x * columns / across;
            cells[cell] = cells[cell].max(self.apart(i));
        }
        let cells = cells.into_iter().map(short).collect();
        Heat {
            plane: [down, across],
            rows,
            columns,
            cells,
        }
    }

    fn spread(&self) -> Spread {
        let sides = [self.reference, self.candidate];
        let all = sides.iter().flat_map(finite);
        let (from, to) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| {
            (a.min(v), b.max(v))
        });
        if from > to {
            return Spread::default();
        }
        let [reference, candidate] = sides.map(|side| binned(&side, from, to));
        Spread {
            from,
            to,
            reference,
            candidate,
        }
    }

    /// The furthest apart, the first of equals first.
    fn worst(&self) -> Vec<Extreme> {
        let mut worst: Vec<Extreme> = Vec::with_capacity(WORST + 1);
        for index in 0..self.reference.numel() {
            let value = self.apart(index);
            let least = worst.get(WORST - 1).map_or(0.0, |w| w.value);
            if value <= least {
                continue;
            }
            let at = worst.partition_point(|w| w.value >= value);
            let (reference, candidate) = (self.reference.get(index), self.candidate.get(index));
            worst.insert(
                at,
                Extreme {
                    value,
                    index,
                    reference,
                    candidate,
                    exact: None,
                },
            );
            worst.truncate(WORST);
        }
        worst
    }
}

fn finite<'a>(side: &'a View<'a>) -> impl Iterator<Item = f64> + 'a {
    let all = (0..side.numel()).map(|i| side.get(i));
    all.filter(|v| v.is_finite())
}

fn binned(side: &View, from: f64, to: f64) -> Vec<u64> {
    // Halves, because the width of all of f64 is more than it holds.
    let width = to / 2.0 - from / 2.0;
    let mut bins = vec![0u64; BINS];
    for v in finite(side) {
        let share = if width > 0.0 {
            (v / 2.0 - from / 2.0) / width
        } else {
            0.0
        };
        bins[((share * BINS as f64) as usize).min(BINS - 1)] += 1;
    }
    bins
}

/// Four significant digits: what is drawn needs no more, and a file is read by people.
fn short(x: f64) -> f64 {
    format!("{x:.3e}").parse().unwrap_or(x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    fn of(shape: &[usize], r: &[f32], c: &[f32]) -> Look {
        let [r, c] = [r, c].map(|v| Tensor::of(shape, v));
        look("t", r.view(), c.view(), true).unwrap()
    }

    #[test]
    fn a_cell_is_the_largest_difference_of_all_that_was_pooled_into_it() {
        let mut c = vec![0f32; 2 * 64 * 100];
        c[64 * 100 + 63 * 100 + 99] = -3.0;
        c[1] = 0.5;
        let heat = of(&[2, 64, 100], &vec![0.0; c.len()], &c).heat;
        assert_eq!((heat.plane, heat.rows, heat.columns), ([64, 100], 32, 32));
        assert_eq!((heat.cells[0], heat.cells[32 * 32 - 1]), (0.5, 3.0));
        assert_eq!(heat.cells.iter().filter(|c| **c > 0.0).count(), 2);
        assert_eq!(of(&[], &[1.0], &[3.0]).heat.cells, [2.0]);
        let row = of(&[3], &[1.0; 3], &[1.0, 2.0, 1.0]).heat;
        assert_eq!((row.rows, row.cells), (1, vec![0.0, 1.0, 0.0]));
    }

    #[test]
    fn every_finite_value_is_in_one_bin_and_what_is_not_finite_in_none() {
        let spread = of(&[4], &[0.0, 1.0, 2.0, f32::NAN], &[0.0, 0.0, 2.0, 2.0]).spread;
        assert_eq!((spread.from, spread.to), (0.0, 2.0));
        assert_eq!((spread.reference[0], spread.reference[16]), (1, 1));
        assert_eq!((spread.candidate[0], spread.candidate[31]), (2, 2));
        assert_eq!(spread.reference.iter().sum::<u64>(), 3);
        let [low, high] = [f64::MIN, f64::MAX].map(|v| Tensor::of(&[1], &[v]));
        let all = look("t", low.view(), high.view(), true).unwrap().spread;
        assert_eq!((all.reference[0], all.candidate[31]), (1, 1));
    }

    #[test]
    fn the_worst_come_first_and_a_nan_against_a_number_is_worst_of_all() {
        let c: Vec<f32> = (0..20u8).map(f32::from).collect();
        let seen = of(&[20], &[0.0; 20], &c);
        let places: Vec<usize> = seen.worst.iter().map(|w| w.index).collect();
        assert_eq!(places, [19, 18, 17, 16, 15, 14, 13, 12]);
        let seen = of(&[3], &[0.0, f32::NAN, f32::NAN], &[9.0, 1.0, f32::NAN]);
        assert_eq!((seen.worst[0].index, seen.worst.len()), (1, 2));
        assert_eq!(seen.heat.cells, [9.0, f64::INFINITY, 0.0]);
    }

    #[test]
    fn other_shapes_and_nothing_at_all_are_not_laid_over_each_other() {
        let [one, two, none] =
            [vec![1f32], vec![1.0, 2.0], vec![]].map(|v| Tensor::of(&[v.len()], &v));
        assert_eq!(look("t", one.view(), two.view(), true), None);
        assert_eq!(look("t", none.view(), none.view(), true), None);
    }
}

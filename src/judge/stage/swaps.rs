//! swaps: which differing owners of two recordings are ties, told by what they were decided by: no kernel has to know the rule.
//!
//! Convention: an object that gains one anchor and loses another has exchanged them where its metrics of both are nearer than what moves them; an
//! anchor that goes from one object to another, where its overlaps with both are. An anchor that is gained alone is no tie.

use super::assign::Assigned;
use crate::judge::{Flipped, Limit, against};
use crate::tensor::Tensor;
use crate::verdict::Judgement;
use std::collections::HashSet;

/// What decided, `[B, G, A]`, and how far each of its numbers may be moved.
pub struct Decided {
    rows: usize,
    anchors: usize,
    values: Vec<f64>,
    moves: Vec<f64>,
}

impl Decided {
    /// None where the tensor is not by image, object and anchor; `moves` says by how much a number of that size may be off.
    pub fn read(tensor: &Tensor, moves: &dyn Fn(f64) -> f64) -> Option<Self> {
        let [_, rows, anchors] = *tensor.shape() else {
            return None;
        };
        let values = tensor.to_f64();
        Some(Self {
            rows,
            anchors,
            moves: values.iter().map(|v| moves(*v)).collect(),
            values,
        })
    }

    /// Whether the numbers at two places, (image, object, anchor) each, are nearer than what moves them.
    fn ties(&self, a: [usize; 3], b: [usize; 3]) -> bool {
        let at = |[image, row, anchor]: [usize; 3]| {
            let inside = row < self.rows && anchor < self.anchors;
            let i = (image * self.rows + row) * self.anchors + anchor;
            Some((*self.values.get(i).filter(|_| inside)?, self.moves[i]))
        };
        let Some(((x, by), (y, too))) = at(a).zip(at(b)) else {
            return false;
        };
        let (gap, bound) = ((x - y).abs(), by.max(too));
        let judged = against(&Flipped, Limit::Margin { gap, bound });
        matches!(judged, Judgement::Tie(_))
    }
}

/// Anchors, counted over all images, whose owners differ by a tie.
pub fn ties(
    [ours, theirs]: [&Assigned; 2],
    metric: Option<&Decided>,
    overlap: Option<&Decided>,
) -> HashSet<usize> {
    let mut found = HashSet::new();
    let differing = || (0..ours.owner.len()).filter(|i| ours.owner[*i] != theirs.owner[*i]);
    let place = |i: usize, row: usize| [i / ours.anchors, row, i % ours.anchors];
    for i in differing() {
        match (ours.owner[i], theirs.owner[i]) {
            (Some(a), Some(b)) => {
                let tie = overlap.is_some_and(|o| o.ties(place(i, a), place(i, b)));
                found.extend(tie.then_some(i));
            }
            (Some(row), None) => {
                let lost = |j: &usize| {
                    (ours.owner[*j], theirs.owner[*j]) == (None, Some(row))
                        && j / ours.anchors == i / ours.anchors
                        && !found.contains(j)
                        && metric.is_some_and(|m| m.ties(place(i, row), place(*j, row)))
                };
                let partner = differing().find(lost);
                found.extend(partner.iter().flat_map(|j| [i, *j]));
            }
            (None, _) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One image of four anchors.
    fn of(owner: [Option<usize>; 4]) -> Assigned {
        Assigned {
            images: 1,
            anchors: 4,
            owner: owner.to_vec(),
            labels: None,
            boxes: None,
            scores: None,
            unit: 0.0,
        }
    }

    #[test]
    fn anchors_of_equal_metric_are_exchanged_and_others_are_not() {
        let (a, b) = (Some(0), Some(1));
        let metric = [[0.5, 0.5, 0.2, 0.5 + 1e-9], [0.1, 0.1, 0.1, 0.1]].concat();
        let overlap = [[0.7, 0.3, 0.2, 0.1], [0.7, 0.4, 0.2, 0.1]].concat();
        let read = |v: &[f64], by: f64| {
            Decided::read(&Tensor::from_vec(&[1, 2, 4], v.to_vec()), &|_| by).unwrap()
        };
        for (ours, theirs, by, want) in [
            (
                [a, None, None, None],
                [None, a, None, None],
                0.0,
                vec![0, 1],
            ),
            ([a, None, None, None], [None, None, a, None], 0.0, vec![]),
            ([a, None, None, None], [None, None, None, a], 0.0, vec![]),
            (
                [a, None, None, None],
                [None, None, None, a],
                1e-8,
                vec![0, 3],
            ),
            // A gain without a loss, and one loss for two gains.
            ([a, None, None, None], [None; 4], 1.0, vec![]),
            ([a, a, None, None], [None, None, None, a], 1e-8, vec![0, 3]),
            // From one object to another: by the overlap.
            ([a, None, None, None], [b, None, None, None], 0.0, vec![0]),
            ([None, a, None, None], [None, b, None, None], 0.0, vec![]),
        ] {
            let found = ties(
                [&of(ours), &of(theirs)],
                Some(&read(&metric, by)),
                Some(&read(&overlap, 0.0)),
            );
            let mut found: Vec<usize> = found.into_iter().collect();
            found.sort_unstable();
            assert_eq!(found, want, "{ours:?} {theirs:?} {by}");
        }
    }

    #[test]
    fn without_what_decided_and_where_it_is_no_number_nothing_is_a_tie() {
        let sides = [
            &of([Some(0), None, None, None]),
            &of([None, Some(0), None, None]),
        ];
        assert!(ties(sides, None, None).is_empty());
        let nan = Tensor::from_vec(&[1, 1, 4], vec![f64::NAN; 4]);
        let nan = Decided::read(&nan, &|_| f64::INFINITY).unwrap();
        assert!(ties(sides, Some(&nan), None).is_empty());
        assert!(Decided::read(&Tensor::of(&[4], &[0.0; 4]), &|_| 0.0).is_none());
    }
}

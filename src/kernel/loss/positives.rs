//! positives: what do the box terms of every positive anchor cost, and in which direction?
//!
//! Convention: boxes and targets in grid units; each positive has one weight, the sum of its soft targets times a factor of its own;
//! the distribution term is the mean over the four sides. Targets and weights are detached.

use super::box_loss::BoxLoss;
use super::dfl::{Dfl, Expectation, MARGIN};
use super::inputs::Inputs;
use crate::kernel::assign::Assignment;
use crate::kernel::boxes::{distances, scaled};
use crate::kernel::iou::Overlap;
use crate::kernel::number::{Function, KINK};
use std::collections::BTreeMap;

/// One positive anchor.
#[derive(Clone, Debug, PartialEq)]
pub struct Positive {
    pub image: usize,
    pub anchor: usize,
    /// Row of ground truth.
    pub gt: usize,
    /// Sum of the soft targets, times the anchor's factor.
    pub weight: f64,
    /// Target box in grid units.
    pub target: [f64; 4],
    /// 1 − similarity, unweighted.
    pub box_loss: f64,
    /// Distribution focal loss, unweighted; 0 without distribution.
    pub dfl: f64,
    /// Gradient of `box_loss` with respect to the anchor's distances.
    pub box_gradient: Vec<f64>,
    /// How near the predicted box is to one where `box_loss` has no gradient, in grid units.
    pub kink: f64,
    /// On such a box: between which numbers each entry of `box_gradient` lies beside it, None where one is not finite; empty elsewhere.
    pub box_beside: Vec<Option<[f64; 2]>>,
    /// Gradient of `dfl`; empty without distribution.
    pub dfl_gradient: Vec<f64>,
}

/// The positives of a batch; `factor` gives each (image, anchor) an additional weight.
pub fn positives(
    inputs: &Inputs,
    decoded: &[[f64; 4]],
    assignments: &[Assignment],
    overlap: Overlap,
    factor: impl Fn(usize, usize) -> f64,
) -> Vec<Positive> {
    let mut out = Vec::new();
    for (image, assignment) in assignments.iter().enumerate() {
        let weights = assignment.weights();
        for (gt, anchor) in assignment.pairs() {
            let target = scaled(
                assignment.boxes[anchor],
                1.0 / inputs.anchors.strides[anchor],
            );
            let weight = weights[anchor] * factor(image, anchor);
            let (x, loss) = (
                decoded[image * inputs.anchors.len() + anchor],
                BoxLoss::to(target, overlap),
            );
            let by_distances = |by_corner: [f64; 4]| chained(inputs, (image, anchor), by_corner);
            let (kink, g) = (loss.kink(&x), loss.gradient(&x));
            let box_beside = if kink <= KINK {
                beside(&loss, &x, by_distances)
            } else {
                Vec::new()
            };
            let (dfl, dfl_gradient) = distribution_term(inputs, (image, anchor), target);
            out.push(Positive {
                image,
                anchor,
                gt,
                weight,
                target,
                box_loss: loss.value(&x),
                dfl,
                box_gradient: by_distances([g[0], g[1], g[2], g[3]]),
                kink,
                box_beside,
                dfl_gradient,
            });
        }
    }
    out
}

/// A gradient by the corners as one by the anchor's distances: ∂x1 and ∂y1 turn round on the way to left and top.
fn chained(inputs: &Inputs, (b, a): (usize, usize), g: [f64; 4]) -> Vec<f64> {
    let by_side = [-g[0], -g[1], g[2], g[3]];
    if inputs.reg_max == 0 {
        return by_side.to_vec();
    }
    let sides = inputs.sides(b, a).chunks(inputs.reg_max + 1).zip(by_side);
    sides
        .flat_map(|(s, g)| Expectation.gradient(s).into_iter().map(move |d| d * g))
        .collect()
}

/// Between which numbers the gradient by every distance lies beside a kink: each belongs to one corner.
fn beside(
    loss: &BoxLoss,
    x: &[f64; 4],
    by_distances: impl Fn([f64; 4]) -> Vec<f64>,
) -> Vec<Option<[f64; 2]>> {
    let slopes: [Option<[f64; 2]>; 4] = std::array::from_fn(|i| loss.beside(x, i));
    let [one, other] =
        [0, 1].map(|end| by_distances(slopes.map(|s| s.map_or(f64::NAN, |s| s[end]))));
    let both =
        |(a, b): (f64, f64)| (a.is_finite() && b.is_finite()).then_some([a.min(b), a.max(b)]);
    one.into_iter().zip(other).map(both).collect()
}

fn distribution_term(inputs: &Inputs, (b, a): (usize, usize), target: [f64; 4]) -> (f64, Vec<f64>) {
    if inputs.reg_max == 0 {
        return (0.0, Vec::new());
    }
    let away = distances(inputs.anchors.points[a], target);
    let sides = inputs.sides(b, a).chunks(inputs.reg_max + 1).zip(away);
    let (values, gradients): (Vec<f64>, Vec<Vec<f64>>) = sides
        .map(|(s, t)| (Dfl::new(t, inputs.reg_max), s))
        .map(|(f, s)| {
            (
                f.value(s),
                f.gradient(s)
                    .into_iter()
                    .map(|g| g / 4.0)
                    .collect::<Vec<f64>>(),
            )
        })
        .unzip();
    (values.iter().sum::<f64>() / 4.0, gradients.concat())
}

/// By level, how many sides of targets lie beyond the last bin and are cut off, and of how many; empty without distribution.
pub fn cut_off(inputs: &Inputs, positives: &[Positive]) -> Vec<[usize; 2]> {
    if inputs.reg_max == 0 {
        return vec![];
    }
    let mut all = vec![[0, 0]; inputs.anchors.grids.len()];
    let levels: Vec<usize> = inputs.anchors.levels();
    for p in positives {
        let mut before = 0;
        let of = |size: &usize| {
            before += size;
            p.anchor < before
        };
        let away = distances(inputs.anchors.points[p.anchor], p.target);
        let beyond = |side: &&f64| **side > inputs.reg_max as f64 - MARGIN;
        if let Some(level) = levels.iter().position(of) {
            all[level][0] += away.iter().filter(beyond).count();
            all[level][1] += away.len();
        }
    }
    all
}

/// `[B, A]` how near each predicted box is to a kink of its box loss, in grid units; infinite for background.
pub fn kinks(inputs: &Inputs, positives: &[Positive]) -> Vec<f64> {
    let mut out = vec![f64::INFINITY; inputs.images() * inputs.anchors.len()];
    positives
        .iter()
        .for_each(|p| out[p.image * inputs.anchors.len() + p.anchor] = p.kink);
    out
}

/// What lies beside the kinks, by index into the gradient of the box term, weighted and times its factor as that is.
pub fn besides(
    inputs: &Inputs,
    positives: &[Positive],
    factor: f64,
) -> BTreeMap<usize, Option<[f64; 2]>> {
    let of = |p: &Positive| {
        let (start, factor) = (
            (p.image * inputs.anchors.len() + p.anchor) * inputs.columns(),
            p.weight * factor,
        );
        let scaled =
            move |(i, s): (usize, &Option<[f64; 2]>)| (start + i, s.map(|s| s.map(|g| g * factor)));
        p.box_beside
            .iter()
            .enumerate()
            .map(scaled)
            .collect::<Vec<_>>()
    };
    positives.iter().flat_map(of).collect()
}

/// Gradients scattered to `[B, A, 4·(R + 1)]`: box and distribution term, each weighted and times its factor.
pub fn scatter(inputs: &Inputs, positives: &[Positive], factors: [f64; 2]) -> [Vec<f64>; 2] {
    let mut out = [
        vec![0.0; inputs.distances.len()],
        vec![0.0; inputs.distances.len()],
    ];
    for p in positives {
        let start = (p.image * inputs.anchors.len() + p.anchor) * inputs.columns();
        for (out, (gradient, factor)) in out
            .iter_mut()
            .zip([&p.box_gradient, &p.dfl_gradient].into_iter().zip(factors))
        {
            out[start..]
                .iter_mut()
                .zip(gradient)
                .for_each(|(o, g)| *o = g * p.weight * factor);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::inputs::sample::Batch;
    use super::super::v8_detection::V8Detection;
    use super::*;

    #[test]
    fn the_gradients_on_either_side_of_a_kink_lie_within_the_slopes_beside_it() {
        let loss = V8Detection::ultralytics_8_3_155();
        // Equal logits mean 7.5 cells: the boxes around the last points of a row end after 15, where the object ends.
        let batch = Batch::of(15, &[0.5], &[0.0], &[[4.0, 3.0, 120.0, 121.0]], true);
        let assignments = loss.assign(&batch.inputs()).unwrap();
        let at = |batch: &Batch| {
            positives(
                &batch.inputs(),
                &batch.inputs().decode(),
                &assignments,
                loss.overlap,
                |_, _| 1.0,
            )
        };
        let all = at(&batch);
        assert!(all.iter().any(|p| p.kink > KINK && p.box_beside.is_empty()));
        let (i, on) = all
            .iter()
            .enumerate()
            .find(|(_, p)| p.kink <= KINK)
            .unwrap();
        assert!(on.box_beside.len() == 64 && on.box_beside.iter().all(Option::is_some));
        // The right side, a little shorter and a little longer.
        let gradients = [-1e-6, 1e-6].map(|step| {
            let mut moved = batch.clone();
            moved.distances[on.anchor * 64 + 2 * 16 + 15] += step;
            let p = at(&moved).swap_remove(i);
            assert!(p.kink > KINK);
            p.box_gradient
        });
        for k in 32..48 {
            let [least, most] = on.box_beside[k].unwrap();
            let near = |v: f64| (least - 1e-7..=most + 1e-7).contains(&v);
            assert!(
                near(on.box_gradient[k]) && gradients.iter().all(|g| near(g[k])),
                "{k}: {least} to {most}, {gradients:?}"
            );
        }
        assert!(
            (gradients[0][47] - gradients[1][47]).abs() > 1e-3,
            "the derivative jumps there"
        );
        assert_eq!(
            kinks(&batch.inputs(), &all)
                .iter()
                .filter(|k| **k <= KINK)
                .count(),
            besides(&batch.inputs(), &all, 1.0).len() / 64
        );
    }
}

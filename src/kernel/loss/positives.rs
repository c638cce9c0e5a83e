//! positives: what do the box terms of every positive anchor cost, and in which direction?
//!
//! Convention: boxes and targets in grid units; each positive has one weight, the sum of its soft targets times a factor of its own;
//! the distribution term is the mean over the four sides. Targets and weights are detached.

use super::box_loss::BoxLoss;
use super::dfl::{Dfl, Expectation};
use super::inputs::Inputs;
use crate::kernel::assign::Assignment;
use crate::kernel::boxes::{distances, scaled};
use crate::kernel::iou::Overlap;
use crate::kernel::number::Function;

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
            let target = scaled(assignment.boxes[anchor], 1.0 / inputs.anchors.strides[anchor]);
            let weight = weights[anchor] * factor(image, anchor);
            let (box_loss, box_gradient) = box_term(inputs, decoded, (image, anchor), BoxLoss::to(target, overlap));
            let (dfl, dfl_gradient) = distribution_term(inputs, (image, anchor), target);
            out.push(Positive { image, anchor, gt, weight, target, box_loss, dfl, box_gradient, dfl_gradient });
        }
    }
    out
}

/// Value and gradient of the box loss: ∂x1 and ∂y1 turn round on the way to left and top.
fn box_term(inputs: &Inputs, decoded: &[[f64; 4]], (b, a): (usize, usize), loss: BoxLoss) -> (f64, Vec<f64>) {
    let x = decoded[b * inputs.anchors.len() + a];
    let g = loss.gradient(&x);
    let by_side = [-g[0], -g[1], g[2], g[3]];
    let gradient = if inputs.reg_max == 0 {
        by_side.to_vec()
    } else {
        let sides = inputs.sides(b, a).chunks(inputs.reg_max + 1).zip(by_side);
        sides.flat_map(|(s, g)| Expectation.gradient(s).into_iter().map(move |d| d * g)).collect()
    };
    (loss.value(&x), gradient)
}

fn distribution_term(inputs: &Inputs, (b, a): (usize, usize), target: [f64; 4]) -> (f64, Vec<f64>) {
    if inputs.reg_max == 0 {
        return (0.0, Vec::new());
    }
    let away = distances(inputs.anchors.points[a], target);
    let sides = inputs.sides(b, a).chunks(inputs.reg_max + 1).zip(away);
    let (values, gradients): (Vec<f64>, Vec<Vec<f64>>) = sides
        .map(|(s, t)| (Dfl::new(t, inputs.reg_max), s))
        .map(|(f, s)| (f.value(s), f.gradient(s).into_iter().map(|g| g / 4.0).collect::<Vec<f64>>()))
        .unzip();
    (values.iter().sum::<f64>() / 4.0, gradients.concat())
}

/// Gradients scattered to `[B, A, 4·(R + 1)]`: box and distribution term, each weighted and times its factor.
pub fn scatter(inputs: &Inputs, positives: &[Positive], factors: [f64; 2]) -> [Vec<f64>; 2] {
    let mut out = [vec![0.0; inputs.distances.len()], vec![0.0; inputs.distances.len()]];
    for p in positives {
        let start = (p.image * inputs.anchors.len() + p.anchor) * inputs.columns();
        for (out, (gradient, factor)) in out.iter_mut().zip([&p.box_gradient, &p.dfl_gradient].into_iter().zip(factors)) {
            out[start..].iter_mut().zip(gradient).for_each(|(o, g)| *o = g * p.weight * factor);
        }
    }
    out
}

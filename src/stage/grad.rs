//! grad: the gradient of every term with respect to predictions and parameters, in backward order: the first that differs, and how.
//!
//! "The reference has none either" is told apart from "lost here": a missing gradient stands for zeros, and zeros are held against
//! the same floor as any other value.

use crate::compare::{compare, json};
use crate::floor::noise::{Floor, R, axis_for};
use crate::golden::estimate::{self, Estimate, Seen};
use crate::golden::sketch::Sketch;
use crate::tensor::Tensor;
use serde::{Deserialize, Serialize};

/// What the stage found for one opinion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub who: String,
    pub against: String,
    pub terms: Vec<TermGradients>,
}

/// The gradients of one term's contribution, in backward order: predictions first, then parameters from the last layer to the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TermGradients {
    pub term: String,
    pub gradients: Vec<Gradient>,
}

/// One gradient, judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gradient {
    pub name: String,
    pub state: State,
    /// L2 norms; None where no path leads back.
    pub norm_reference: Option<f64>,
    pub norm_candidate: Option<f64>,
    /// Error / (R · spread), for the largest element and the root mean square; over 1 diverges.
    #[serde(with = "json")]
    pub ratio: f64,
    #[serde(with = "json")]
    pub max_abs: f64,
    #[serde(with = "json")]
    pub rel_l2: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Agrees,
    Differs,
    /// Neither has any.
    BothAbsent,
    /// The reference has one, here it is missing or all zero.
    LostHere,
    /// It is here, and the reference has none.
    OnlyHere,
    /// Shapes differ.
    OtherShape,
}

impl State {
    pub fn say(self) -> &'static str {
        match self {
            State::Agrees => "agrees",
            State::Differs => "differs",
            State::BothAbsent => "is absent on both sides",
            State::LostHere => "is lost here",
            State::OnlyHere => "is there, the reference has none",
            State::OtherShape => "has another shape",
        }
    }

    pub fn over(self) -> bool {
        match self {
            State::Agrees | State::BothAbsent => false,
            State::Differs | State::LostHere | State::OnlyHere | State::OtherShape => true,
        }
    }
}

impl Report {
    /// The first gradient that differs: in the order of the terms, each in backward order.
    pub fn first(&self) -> Option<(&str, &Gradient)> {
        self.terms.iter().find_map(|t| t.gradients.iter().find(|g| g.state.over()).map(|g| (t.term.as_str(), g)))
    }

    /// How many gradients were held against a floor.
    pub fn compared(&self) -> usize {
        self.terms.iter().map(|t| t.gradients.len()).sum()
    }
}

/// Holds one gradient against the f64 reference; `floor` is the spread of the reference under rounding noise.
pub fn judge(name: &str, reference: Option<&Tensor>, candidate: Option<&Tensor>, floor: Option<&Floor>) -> Gradient {
    let out = |state, ratio, max_abs, rel_l2| Gradient {
        name: name.into(),
        state,
        norm_reference: reference.map(norm),
        norm_candidate: candidate.map(norm),
        ratio,
        max_abs,
        rel_l2,
    };
    let shape = match (reference, candidate) {
        (None, None) => return out(State::BothAbsent, 0.0, 0.0, 0.0),
        (Some(r), Some(c)) if r.shape() != c.shape() => return out(State::OtherShape, f64::INFINITY, f64::INFINITY, f64::INFINITY),
        (Some(t), _) | (None, Some(t)) => t.shape().to_vec(),
    };
    let wide = |t: Option<&Tensor>| t.map_or_else(|| vec![0.0; shape.iter().product()], Tensor::to_f64);
    let (r, c) = (wide(reference), wide(candidate));
    let zero = |v: &[f64]| v.iter().all(|x| *x == 0.0);
    if zero(&r) && zero(&c) {
        return out(State::BothAbsent, 0.0, 0.0, 0.0);
    }
    let lost = (zero(&c), zero(&r));
    let (r, c) = (Tensor::from_vec(&shape, r), Tensor::from_vec(&shape, c));
    let comparison = compare(r.view(), c.view(), axis_for(&shape));
    let Some(m) = comparison.metrics() else { return out(State::OtherShape, f64::INFINITY, f64::INFINITY, f64::INFINITY) };
    let ratio = match floor {
        _ if m.specials.conflicts > 0 => f64::INFINITY,
        Some(floor) => floor.ratio(&m.pools()) / R,
        None if comparison.identical() => 0.0,
        None => f64::INFINITY,
    };
    let state = match (ratio <= 1.0, lost) {
        (true, _) => State::Agrees,
        (false, (true, _)) => State::LostHere,
        (false, (_, true)) => State::OnlyHere,
        (false, _) => State::Differs,
    };
    out(state, ratio, m.max_abs.value, m.rel_l2)
}

/// The same for a gradient of which a golden keeps a sketch.
pub fn judge_sketch(name: &str, reference: Option<&Tensor>, golden: &Sketch, floor: Option<&Floor>) -> Gradient {
    let out = |state, ratio, distance, relative| Gradient {
        name: name.into(),
        state,
        norm_reference: reference.map(norm),
        norm_candidate: Some(golden.norm),
        ratio,
        max_abs: distance,
        rel_l2: relative,
    };
    let nothing = reference.is_none_or(|t| t.to_f64().iter().all(|v| *v == 0.0));
    if nothing && golden.norm == 0.0 {
        return out(State::BothAbsent, 0.0, 0.0, 0.0);
    }
    let narrow = |t: &Tensor| Tensor::from_vec(t.shape(), t.to_f64().iter().map(|v| *v as f32).collect::<Vec<f32>>());
    match (reference.map(narrow).map(|t| estimate::against(golden, t.view())), floor) {
        (Some(Seen::Values(e)), Some(floor)) => {
            let ratio = estimate_ratio(&e, floor, golden.shape.iter().product());
            out(if ratio <= 1.0 { State::Agrees } else { State::Differs }, ratio, e.distance, e.relative)
        }
        (Some(Seen::Attributes(_)), _) => out(State::OtherShape, f64::INFINITY, f64::INFINITY, f64::INFINITY),
        (None, _) => out(State::OnlyHere, f64::INFINITY, golden.norm, f64::INFINITY),
        (Some(_), _) => out(State::Differs, f64::INFINITY, f64::INFINITY, f64::INFINITY),
    }
}

/// How an estimated distance stands to a floor: the larger of the smallest distance that the estimate allows (three standard errors)
/// over the spread's norm, and the largest sampled error over the largest spread.
pub fn estimate_ratio(e: &Estimate, floor: &Floor, numel: usize) -> f64 {
    let per_channel = numel as f64 / floor.rms.len().max(1) as f64;
    let spread = floor.rms.iter().map(|r| r * r * per_channel).sum::<f64>().sqrt();
    let least = (e.distance - e.resolution).max(0.0) / (1.0 + 1.5 * e.error);
    let over = |error: f64, floor: f64| if error == 0.0 { 0.0 } else { error / (R * floor) };
    let sampled = over(e.sample.max_abs.value, floor.max.iter().copied().fold(0.0, f64::max));
    over(least, spread).max(sampled)
}

/// The L2 norm.
pub fn norm(t: &Tensor) -> f64 {
    t.to_f64().iter().map(|v| v * v).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Channels;

    fn floor(spread: f64) -> Floor {
        let mut f = Floor { axis: None, ..Default::default() };
        f.add(&Channels { axis: 0, max: vec![spread], sum_sq: vec![3.0 * spread * spread], count: 3 });
        f
    }

    fn t(v: [f64; 3]) -> Tensor {
        Tensor::of(&[3], &v)
    }

    #[test]
    fn a_gradient_is_judged_by_the_spread_of_the_reference() {
        let (a, near, far) = (t([1.0, 2.0, 3.0]), t([1.0, 2.0, 3.0 + 1e-7]), t([1.0, 2.0, 3.1]));
        assert_eq!(judge("w", Some(&a), Some(&near), Some(&floor(1e-7))).state, State::Agrees);
        assert_eq!(judge("w", Some(&a), Some(&far), Some(&floor(1e-7))).state, State::Differs);
        assert_eq!(judge("w", Some(&a), Some(&t([1.0, 2.0, f64::NAN])), Some(&floor(1e-7))).state, State::Differs);
        assert_eq!(judge("w", Some(&a), Some(&Tensor::of(&[1], &[1.0])), None).state, State::OtherShape);
    }

    #[test]
    fn none_on_both_sides_is_told_apart_from_lost_here() {
        let (a, zero) = (t([1.0, 2.0, 3.0]), t([0.0; 3]));
        for (reference, candidate, state) in [
            (None, None, State::BothAbsent),
            (Some(&zero), None, State::BothAbsent),
            (None, Some(&zero), State::BothAbsent),
            (Some(&a), None, State::LostHere),
            (Some(&a), Some(&zero), State::LostHere),
            (None, Some(&a), State::OnlyHere),
        ] {
            assert_eq!(judge("w", reference, candidate, Some(&floor(1e-7))).state, state, "{reference:?} {candidate:?}");
        }
        // A gradient that is zero but for rounding has not been lost.
        assert_eq!(judge("w", Some(&t([1e-9, -1e-9, 0.0])), None, Some(&floor(1e-8))).state, State::Agrees);
    }

    #[test]
    fn a_gradient_whose_reference_no_noise_moves_must_be_equal() {
        let a = t([1.0, 2.0, 3.0]);
        assert_eq!(judge("w", Some(&a), Some(&a), None).state, State::Agrees);
        assert_eq!(judge("w", Some(&a), Some(&t([1.0, 2.0, 4.0])), None).state, State::Differs);
    }
}

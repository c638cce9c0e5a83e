//! grad: the gradient of every term with respect to predictions and parameters, in backward order: the first that differs, and how.
//!
//! "The reference has none either" is told apart from "lost here": a missing gradient stands for zeros, and zeros are held against
//! the same floor as any other value.

use super::golden::Sketched;
use crate::compare::{compare, json};
use crate::floor::noise::{Floor, axis_for};
use crate::golden::estimate::{self, Seen};
use crate::golden::sketch::Sketch;
use crate::judge::{Differs, Limit, against};
use crate::tensor::Tensor;
use crate::verdict::Judgement;
use serde::{Deserialize, Serialize};

/// What the stage found for one opinion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub who: String,
    pub against: String,
    pub terms: Vec<TermGradients>,
    /// Why terms were not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abstained: Option<String>,
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
    /// It differs, and nothing can be said of how far rounding moves it.
    NotJudged,
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
            State::NotJudged => {
                "is not judged: a noisy run of the f64 graph left the domain of an operator"
            }
        }
    }

    pub fn over(self) -> bool {
        match self {
            State::Agrees | State::BothAbsent | State::NotJudged => false,
            State::Differs | State::LostHere | State::OnlyHere | State::OtherShape => true,
        }
    }

    /// Whether it was held against a floor.
    pub fn compared(self) -> bool {
        self.over() || self == State::Agrees
    }
}

impl Report {
    /// The first gradient that differs: in the order of the terms, each in backward order.
    pub fn first(&self) -> Option<(&str, &Gradient)> {
        self.terms.iter().find_map(|t| {
            t.gradients
                .iter()
                .find(|g| g.state.over())
                .map(|g| (t.term.as_str(), g))
        })
    }

    /// How many gradients were held against a floor.
    pub fn compared(&self) -> usize {
        self.terms
            .iter()
            .flat_map(|t| &t.gradients)
            .filter(|g| g.state.compared())
            .count()
    }

    /// The first that nothing can be said of.
    pub fn unjudged(&self) -> Option<(&str, &Gradient)> {
        self.terms.iter().find_map(|t| {
            t.gradients
                .iter()
                .find(|g| g.state == State::NotJudged)
                .map(|g| (t.term.as_str(), g))
        })
    }

    /// Whether the loss as it is trained was looked at: the total's gradients, or those of all its terms, which are these.
    pub fn is_whole(&self, terms: &[&str]) -> bool {
        let has = |term: &str| {
            self.terms
                .iter()
                .any(|t| t.term == term && !t.gradients.is_empty())
        };
        has("total") || (!terms.is_empty() && terms.iter().all(|t| has(t)))
    }

    /// One of which nothing was judged.
    pub fn nothing(who: &str, against: &str, why: String) -> Self {
        Self {
            who: who.into(),
            against: against.into(),
            terms: vec![],
            abstained: Some(why),
        }
    }
}

/// What the f64 graph says of one gradient.
#[derive(Clone, Copy, Default)]
pub struct Exact<'a> {
    /// Of the raw term; None where no path leads back.
    pub gradient: Option<&'a Tensor>,
    /// Its spread under rounding noise.
    pub floor: Option<&'a Floor>,
}

impl Exact<'_> {
    fn judged(
        &self,
        name: &str,
        norm_candidate: Option<f64>,
        state: State,
        [ratio, max_abs, rel_l2]: [f64; 3],
    ) -> Gradient {
        Gradient {
            name: name.into(),
            state,
            norm_reference: self.gradient.map(norm),
            norm_candidate,
            ratio,
            max_abs,
            rel_l2,
        }
    }

    /// The judgement of a difference of the term times `weight`, and error / tolerance, NaN where there is none. What no noise moves must be equal.
    fn holds(&self, difference: &impl Differs, weight: f64) -> (Judgement, f64) {
        let floor = Floor::sum(self.floor.iter().map(|f| (*f, weight)));
        let judgement = against(
            difference,
            floor
                .as_ref()
                .map_or(Limit::Exact { proved: None }, Limit::Spread),
        );
        let ratio = judgement.ratio().unwrap_or(f64::NAN);
        (judgement, ratio)
    }
}

/// Nothing to say, and nothing in common.
const NONE: [f64; 3] = [0.0; 3];
const UNLIKE: [f64; 3] = [f64::INFINITY; 3];

/// Holds one gradient against the f64 graph's. The opinion is that of the term times `weight`; norms are those of the raw term.
pub fn judge(name: &str, exact: Exact, candidate: Option<&Tensor>, weight: f64) -> Gradient {
    let out =
        |state, numbers| exact.judged(name, candidate.map(|c| norm(c) / weight), state, numbers);
    let shape = match (exact.gradient, candidate) {
        (None, None) => return out(State::BothAbsent, NONE),
        (Some(r), Some(c)) if r.shape() != c.shape() => return out(State::OtherShape, UNLIKE),
        (Some(t), _) | (None, Some(t)) => t.shape().to_vec(),
    };
    let wide =
        |t: Option<&Tensor>| t.map_or_else(|| vec![0.0; shape.iter().product()], Tensor::to_f64);
    let (mut r, c) = (wide(exact.gradient), wide(candidate));
    let zero = |v: &[f64]| v.iter().all(|x| *x == 0.0);
    let lost = (zero(&c), zero(&r));
    if lost == (true, true) {
        return out(State::BothAbsent, NONE);
    }
    r.iter_mut().for_each(|v| *v *= weight);
    let (r, c) = (Tensor::from_vec(&shape, r), Tensor::from_vec(&shape, c));
    let comparison = compare(r.view(), c.view(), axis_for(&shape));
    let Some(m) = comparison.metrics() else {
        return out(State::OtherShape, UNLIKE);
    };
    let (judgement, ratio) = exact.holds(m, weight);
    let state = match (judgement, lost) {
        (Judgement::Within(_) | Judgement::Tie(_), _) => State::Agrees,
        (Judgement::NotJudged(_), _) => State::NotJudged,
        (Judgement::Over(_), (true, _)) => State::LostHere,
        (Judgement::Over(_), (_, true)) => State::OnlyHere,
        (Judgement::Over(_), _) => State::Differs,
    };
    out(state, [ratio, m.max_abs.value, m.rel_l2])
}

/// The same for a gradient of which a golden keeps a sketch.
pub fn judge_sketch(name: &str, exact: Exact, golden: &Sketch, weight: f64) -> Gradient {
    let out = |state, numbers| exact.judged(name, Some(golden.norm / weight), state, numbers);
    if golden.norm == 0.0
        && exact
            .gradient
            .is_none_or(|t| t.to_f64().iter().all(|v| *v == 0.0))
    {
        return out(State::BothAbsent, NONE);
    }
    let Some(gradient) = exact.gradient else {
        return out(State::OnlyHere, [f64::INFINITY, golden.norm, f64::INFINITY]);
    };
    let narrow = gradient
        .to_f64()
        .iter()
        .map(|v| (v * weight) as f32)
        .collect::<Vec<f32>>();
    let seen = estimate::against(golden, Tensor::from_vec(gradient.shape(), narrow).view());
    let (judgement, ratio) = exact.holds(
        &Sketched {
            seen: &seen,
            numel: gradient.numel(),
        },
        weight,
    );
    let state = match judgement {
        Judgement::Within(_) | Judgement::Tie(_) => State::Agrees,
        Judgement::NotJudged(_) => State::NotJudged,
        Judgement::Over(_) => State::Differs,
    };
    match &seen {
        Seen::Attributes(_) => out(State::OtherShape, UNLIKE),
        Seen::Values(e) => out(state, [ratio, e.distance, e.relative]),
        Seen::NotFinite { .. } => out(State::Differs, UNLIKE),
    }
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
        let mut f = Floor {
            axis: None,
            ..Default::default()
        };
        f.add(&Channels {
            axis: 0,
            max: vec![spread],
            sum_sq: vec![3.0 * spread * spread],
            count: 3,
        });
        f
    }

    fn t(v: [f64; 3]) -> Tensor {
        Tensor::of(&[3], &v)
    }

    fn found(
        gradient: Option<&Tensor>,
        candidate: Option<&Tensor>,
        floor: Option<&Floor>,
    ) -> State {
        judge("w", Exact { gradient, floor }, candidate, 1.0).state
    }

    #[test]
    fn a_gradient_is_judged_by_the_spread_of_the_reference() {
        let (a, near, far) = (
            t([1.0, 2.0, 3.0]),
            t([1.0, 2.0, 3.0 + 1e-7]),
            t([1.0, 2.0, 3.1]),
        );
        assert_eq!(
            found(Some(&a), Some(&near), Some(&floor(1e-7))),
            State::Agrees
        );
        assert_eq!(
            found(Some(&a), Some(&far), Some(&floor(1e-7))),
            State::Differs
        );
        assert_eq!(
            found(Some(&a), Some(&t([1.0, 2.0, f64::NAN])), Some(&floor(1e-7))),
            State::Differs
        );
        assert_eq!(
            found(Some(&a), Some(&Tensor::of(&[1], &[1.0])), None),
            State::OtherShape
        );
    }

    #[test]
    fn an_open_floor_is_no_tolerance() {
        let (a, off, nan) = (t([1.0, 2.0, 3.0]), t([9.0; 3]), t([1.0, f64::NAN, 3.0]));
        let open = floor(f64::INFINITY);
        assert_eq!(found(Some(&a), Some(&off), Some(&open)), State::NotJudged);
        assert_eq!(found(Some(&a), Some(&a), Some(&open)), State::Agrees);
        assert_eq!(found(Some(&a), Some(&nan), Some(&open)), State::Differs);
        let judged = judge(
            "w",
            Exact {
                gradient: Some(&a),
                floor: Some(&open),
            },
            Some(&off),
            0.5,
        );
        assert!(judged.ratio.is_nan() && !judged.state.over() && !judged.state.compared());
    }

    #[test]
    fn what_neither_has_is_not_counted_as_held_against_a_floor() {
        let a = t([1.0, 2.0, 3.0]);
        let one = |g: Option<&Tensor>| {
            judge(
                "w",
                Exact {
                    gradient: g,
                    floor: Some(&floor(1e-7)),
                },
                g,
                1.0,
            )
        };
        let terms = vec![TermGradients {
            term: "total".into(),
            gradients: vec![one(None), one(Some(&a))],
        }];
        let report = Report {
            who: "candidate".into(),
            against: "f64 graph".into(),
            terms,
            abstained: None,
        };
        assert_eq!((report.compared(), report.is_whole(&[])), (1, true));
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
            assert_eq!(
                found(reference, candidate, Some(&floor(1e-7))),
                state,
                "{reference:?} {candidate:?}"
            );
        }
        // A gradient that is zero but for rounding has not been lost.
        assert_eq!(
            found(Some(&t([1e-9, -1e-9, 0.0])), None, Some(&floor(1e-8))),
            State::Agrees
        );
    }

    #[test]
    fn a_gradient_whose_reference_no_noise_moves_must_be_equal() {
        let a = t([1.0, 2.0, 3.0]);
        assert_eq!(found(Some(&a), Some(&a), None), State::Agrees);
        assert_eq!(
            found(Some(&a), Some(&t([1.0, 2.0, 4.0])), None),
            State::Differs
        );
    }

    #[test]
    fn an_opinion_on_the_weighted_term_is_judged_as_one_on_the_raw_term() {
        let (a, near) = (t([1.0, 2.0, 3.0]), [1.0, 2.0, 3.0 + 1e-7]);
        let raw = judge(
            "w",
            Exact {
                gradient: Some(&a),
                floor: Some(&floor(1e-7)),
            },
            Some(&t(near)),
            1.0,
        );
        let halved = judge(
            "w",
            Exact {
                gradient: Some(&a),
                floor: Some(&floor(1e-7)),
            },
            Some(&t(near.map(|v| v * 0.5))),
            0.5,
        );
        assert_eq!(
            (halved.state, halved.ratio, halved.norm_candidate),
            (raw.state, raw.ratio, raw.norm_candidate)
        );
        assert_eq!(
            judge(
                "w",
                Exact {
                    gradient: Some(&a),
                    floor: Some(&floor(1e-7))
                },
                Some(&a),
                0.5
            )
            .state,
            State::Differs
        );
    }
}

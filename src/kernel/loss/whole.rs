//! whole: a whole detection loss, whichever it is, with its hyper-parameters: assignment, items, total and the gradient of each term.
//!
//! Convention: terms in the order of the loss's items; gradients are those of an item times what the total takes it by (v8: the batch size).

use super::gold_yolo::{Assigner, GoldYolo};
use super::inputs::Inputs;
use super::positives::Positive;
use super::v8_detection::V8Detection;
use crate::error::{Error, Result};
use crate::kernel::assign::Assignment;
use crate::kernel::iou::Kind;
use serde::{Deserialize, Serialize};

/// A loss that `[training]` may name.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Whole {
    GoldYolo(GoldYolo),
    V8(V8Detection, usize),
}

/// What all terms are divided by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// By the sum of the soft targets.
    #[default]
    Weight,
    /// By the number of positives, or 1.
    Mean,
    /// By nothing.
    Sum,
}

/// Hyper-parameters that are not those of the dialect; None leaves the dialect's.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Hyper {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top_k: Option<usize>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alpha: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beta: Option<f64>,
    /// Added to the largest metric before a soft target is divided by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eps: Option<f64>,
    /// Bins of a side; 1 for a distance itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bins: Option<usize>,
    /// What the terms are multiplied by, in the order of the items.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gains: Option<[f64; 3]>,
    /// The similarity of the box term.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iou: Option<Kind>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reduction: Option<Reduction>,
}

/// What it says of a batch.
pub struct Evaluated {
    pub assignments: Vec<Assignment>,
    pub positives: Vec<Positive>,
    pub items: [f64; 3],
    pub total: f64,
    pub normaliser: f64,
    /// Of every item as the total takes it, by scores and by distances; None where it does not depend on them.
    pub gradients: [[Option<Vec<f64>>; 2]; 3],
}

impl Whole {
    /// R: the largest bin of a side.
    pub fn reg_max(&self) -> usize {
        match self {
            Self::GoldYolo(loss) => loss.reg_max,
            Self::V8(_, reg_max) => *reg_max,
        }
    }

    pub fn gains(&self) -> [f64; 3] {
        match self {
            Self::GoldYolo(loss) => loss.gains,
            Self::V8(loss, _) => loss.gains,
        }
    }

    /// What the total takes the items by, of a batch of `images`.
    pub fn batch(&self, images: usize) -> f64 {
        match self {
            Self::GoldYolo(_) => 1.0,
            Self::V8(..) => images as f64,
        }
    }

    /// The same with other hyper-parameters.
    ///
    /// # Errors
    /// One that the loss has not, or that is no number it can be.
    pub fn with(self, hyper: &Hyper) -> Result<Self> {
        hyper.check()?;
        let kind = |own: Kind| hyper.iou.unwrap_or(own);
        match self {
            Self::GoldYolo(mut loss) => {
                loss.assigner = assigner(loss.assigner, hyper)?;
                loss.overlap.kind = kind(loss.overlap.kind);
                loss.gains = hyper.gains.unwrap_or(loss.gains);
                loss.reg_max = hyper.bins.map_or(loss.reg_max, |bins| bins - 1);
                Ok(Self::GoldYolo(loss))
            }
            Self::V8(mut loss, reg_max) => {
                aligned(&mut loss.assigner, hyper);
                loss.overlap.kind = kind(loss.overlap.kind);
                loss.gains = hyper.gains.unwrap_or(loss.gains);
                Ok(Self::V8(loss, hyper.bins.map_or(reg_max, |bins| bins - 1)))
            }
        }
    }

    /// Assigns, then evaluates.
    ///
    /// # Errors
    /// What [`Inputs::check`] and the assigner refuse.
    pub fn evaluate(&self, inputs: &Inputs, reduction: Reduction) -> Result<Evaluated> {
        self.evaluate_with(inputs, reduction, &|_| ())
    }

    /// The same, with what every image is assigned changed before the terms are made of it.
    ///
    /// # Errors
    /// As [`Self::evaluate`].
    pub fn evaluate_with(
        &self,
        inputs: &Inputs,
        reduction: Reduction,
        change: &dyn Fn(&mut Assignment),
    ) -> Result<Evaluated> {
        let changed = |mut all: Vec<Assignment>| {
            all.iter_mut().for_each(change);
            all
        };
        let made = match self {
            Self::GoldYolo(loss) => {
                let all = changed(loss.assign(inputs)?);
                of_gold_yolo(loss.evaluate_with(inputs, all)?)
            }
            Self::V8(loss, _) => {
                let all = changed(loss.assign(inputs)?);
                of_v8(loss.evaluate_with(inputs, all)?)
            }
        };
        Ok(made.divided(reduction))
    }
}

impl Evaluated {
    /// The same, divided by something else than the sum of the soft targets.
    fn divided(mut self, reduction: Reduction) -> Self {
        let own = match reduction {
            Reduction::Weight => return self,
            Reduction::Mean => self.positives.len().max(1) as f64,
            Reduction::Sum => 1.0,
        };
        let factor = self.normaliser / own;
        let gradients = self.gradients.iter_mut().flatten().flatten().flatten();
        gradients.for_each(|g| *g *= factor);
        self.items.iter_mut().for_each(|i| *i *= factor);
        self.total *= factor;
        self.normaliser = own;
        self
    }
}

fn of_gold_yolo(e: super::gold_yolo::Evaluation) -> Evaluated {
    Evaluated {
        normaliser: e.normaliser(),
        assignments: e.assignments,
        positives: e.positives,
        items: e.items,
        total: e.total,
        // The class term reaches the scores alone, the others the distances.
        gradients: [
            [None, Some(e.box_gradient)],
            [None, Some(e.dfl_gradient)],
            [Some(e.score_gradient), None],
        ],
    }
}

fn of_v8(e: super::v8_detection::Evaluation) -> Evaluated {
    Evaluated {
        normaliser: e.score_sum.max(1.0),
        assignments: e.assignments,
        positives: e.positives,
        items: e.items,
        total: e.total,
        gradients: [
            [None, Some(e.box_gradient)],
            [Some(e.score_gradient), None],
            [None, Some(e.dfl_gradient)],
        ],
    }
}

fn assigner(own: Assigner, hyper: &Hyper) -> Result<Assigner> {
    let exponents = [hyper.alpha, hyper.beta, hyper.eps];
    match own {
        Assigner::TaskAligned(mut rule) => {
            aligned(&mut rule, hyper);
            Ok(Assigner::TaskAligned(rule))
        }
        Assigner::Atss(..) if exponents.iter().any(Option::is_some) => {
            let fact = "alpha, beta and eps are TaskAligned's: ATSS has none of them";
            Err(Error::usage(fact).next("leave them out, or choose the kernel without warm-up"))
        }
        Assigner::Atss(mut rule, size) => {
            rule.topk = hyper.top_k.unwrap_or(rule.topk);
            Ok(Assigner::Atss(rule, size))
        }
    }
}

fn aligned(rule: &mut crate::kernel::assign::task_aligned::TaskAligned, hyper: &Hyper) {
    rule.topk = hyper.top_k.unwrap_or(rule.topk);
    rule.alpha = hyper.alpha.unwrap_or(rule.alpha);
    rule.beta = hyper.beta.unwrap_or(rule.beta);
    rule.eps = hyper.eps.unwrap_or(rule.eps);
}

impl Hyper {
    /// # Errors
    /// A number that no loss can have.
    fn check(&self) -> Result<()> {
        let wrong = |what: String, next: &str| Err(Error::usage(what).next(next.to_string()));
        let counts = [("top_k", self.top_k), ("bins", self.bins)];
        if let Some((key, _)) = counts.iter().find(|(_, n)| *n == Some(0)) {
            return wrong(format!("{key} is 0"), "give 1 or more");
        }
        let numbers = [
            ("alpha", self.alpha),
            ("beta", self.beta),
            ("eps", self.eps),
        ];
        let bad = |v: f64| !(v.is_finite() && v >= 0.0);
        if let Some((key, Some(v))) = numbers.into_iter().find(|(_, v)| v.is_some_and(bad)) {
            return wrong(
                format!("{key} is {v}"),
                "give a finite number that is not negative",
            );
        }
        let gains = self.gains.into_iter().flatten();
        match gains.into_iter().find(|g| !(g.is_finite() && *g > 0.0)) {
            Some(gain) => wrong(
                format!("a gain is {gain}"),
                "give three positive numbers: a term that is left out has none to be judged by",
            ),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::inputs::sample::Batch;
    use super::*;
    use approx::assert_relative_eq;

    fn batch() -> Batch {
        Batch::of(
            0,
            &[0.3, 0.6, 0.1, 0.8],
            &[0.8, 1.4, 0.7, 1.2, 0.6],
            &[[6.0, 5.0, 38.0, 41.0], [9.0, 9.0, 25.0, 30.0]],
            false,
        )
    }

    fn of(hyper: Hyper, reduction: Reduction) -> Evaluated {
        let loss = Whole::GoldYolo(GoldYolo::n()).with(&hyper).unwrap();
        loss.evaluate(&batch().inputs(), reduction).unwrap()
    }

    #[test]
    fn every_hyper_parameter_moves_what_it_is_of_and_nothing_in_front_of_it() {
        let plain = of(Hyper::default(), Reduction::Weight);
        let owners = |e: &Evaluated| {
            e.assignments
                .iter()
                .map(|a| a.owner.clone())
                .collect::<Vec<_>>()
        };
        let fewer = of(
            Hyper {
                top_k: Some(2),
                ..Hyper::default()
            },
            Reduction::Weight,
        );
        assert!(fewer.positives.len() < plain.positives.len());
        let softer = of(
            Hyper {
                beta: Some(1.0),
                ..Hyper::default()
            },
            Reduction::Weight,
        );
        assert_ne!(softer.assignments[0].scores, plain.assignments[0].scores);
        let giou = of(
            Hyper {
                iou: Some(Kind::Giou),
                ..Hyper::default()
            },
            Reduction::Weight,
        );
        assert_eq!(owners(&giou), owners(&plain));
        assert!(giou.items[0] != plain.items[0] && giou.items[2] == plain.items[2]);
        let gains = of(
            Hyper {
                gains: Some([5.0, 0.5, 1.0]),
                ..Hyper::default()
            },
            Reduction::Weight,
        );
        assert_relative_eq!(gains.items[0], 2.0 * plain.items[0], max_relative = 1e-14);
    }

    #[test]
    fn a_reduction_changes_the_divisor_and_with_it_values_and_gradients_alike() {
        let plain = of(Hyper::default(), Reduction::Weight);
        for (reduction, divisor) in [
            (Reduction::Sum, 1.0),
            (Reduction::Mean, plain.positives.len() as f64),
        ] {
            let other = of(Hyper::default(), reduction);
            let factor = plain.normaliser / divisor;
            assert_eq!(other.normaliser, divisor);
            assert_relative_eq!(other.total, plain.total * factor, max_relative = 1e-14);
            let (Some(a), Some(b)) = (&other.gradients[0][1], &plain.gradients[0][1]) else {
                panic!()
            };
            let pairs = a.iter().zip(b);
            pairs.for_each(|(a, b)| assert_relative_eq!(*a, b * factor, max_relative = 1e-13));
        }
    }

    #[test]
    fn what_a_loss_has_not_and_what_is_no_number_is_refused_by_name() {
        let warm = Whole::GoldYolo(GoldYolo::n().warm_up());
        let refused = |loss: Whole, hyper: Hyper| loss.with(&hyper).unwrap_err().message;
        let n = || Whole::GoldYolo(GoldYolo::n());
        assert!(
            refused(
                warm,
                Hyper {
                    alpha: Some(1.0),
                    ..Hyper::default()
                }
            )
            .contains("ATSS has none")
        );
        assert!(
            refused(
                n(),
                Hyper {
                    top_k: Some(0),
                    ..Hyper::default()
                }
            )
            .contains("top_k is 0")
        );
        assert!(
            refused(
                n(),
                Hyper {
                    beta: Some(f64::NAN),
                    ..Hyper::default()
                }
            )
            .contains("beta is NaN")
        );
        assert!(
            refused(
                n(),
                Hyper {
                    gains: Some([0.0, 1.0, 1.0]),
                    ..Hyper::default()
                }
            )
            .contains("a gain is 0")
        );
        assert!(
            warm.with(&Hyper {
                top_k: Some(4),
                ..Hyper::default()
            })
            .is_ok()
        );
    }
}

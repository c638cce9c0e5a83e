//! loss: a ledger of the terms: value, weight, normaliser, contribution, gradient into each prediction, and what is wrong with them.

use crate::compare::{compare, json};
use crate::floor::Family;
use crate::floor::noise::{Floor, R};
use crate::judge::{Limit, against};
use crate::kernel::loss::Weighted;
use crate::scenario::training::{ITEMS, NORMALISER, TOTAL, losses, raw};
use crate::tensor::Tensor;
use crate::verdict::{Explained, Finding, Judgement, LOST_GRADIENT, UNUSED_WEIGHT};
use serde::{Deserialize, Serialize};

/// What one opinion says of the loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    pub who: String,
    /// Raw terms, in the order of the loss.
    pub terms: Vec<f64>,
    pub items: Vec<f64>,
    pub total: f64,
    pub normaliser: f64,
    /// Unit roundoff of the dtype that the loss is in.
    pub unit: f64,
}

/// What one opinion says of the loss, as far as it says anything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    pub who: String,
    /// Every raw term of the loss, in its order.
    pub terms: Vec<(&'static str, Option<f64>)>,
    pub items: Option<Vec<f64>>,
    pub total: Option<f64>,
    pub normaliser: Option<f64>,
    /// Unit roundoff of the dtype that the loss is in.
    pub unit: f64,
    /// What the total takes the items by, where that is not 1: the batch size.
    pub batch: Option<f64>,
}

/// The ledger.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub terms: Vec<Term>,
    pub checks: Vec<Check>,
    pub flags: Vec<Finding>,
    /// In which form the kernel gives what a side gives that is off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Explained>,
    /// What nobody could look at, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub untested: Vec<String>,
}

/// One term.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Term {
    pub name: String,
    #[serde(with = "json")]
    pub weight: f64,
    pub opinions: Vec<TermValue>,
    /// Norm of the gradient of the contribution into each prediction tensor, by opinion.
    pub into: Vec<Into>,
    /// How it was computed, as far as both sides recorded that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
}

/// One step of a term on both sides.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// `per_element`, `weight`, `product`, `sum`, `normaliser`, `value`.
    pub step: String,
    pub tensor: String,
    pub reference: Option<Size>,
    pub candidate: Option<Size>,
    pub judgement: Judgement,
}

/// What a tensor comes to, whatever its order.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Size {
    pub elements: usize,
    #[serde(with = "json")]
    pub sum: f64,
    #[serde(with = "json")]
    pub norm: f64,
}

impl Size {
    pub fn of(tensor: &Tensor) -> Self {
        let values = tensor.to_f64();
        Self {
            elements: values.len(),
            sum: values.iter().sum(),
            norm: super::grad::norm(tensor),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TermValue {
    pub who: String,
    /// After division by the normaliser, before the weight.
    #[serde(with = "json")]
    pub value: f64,
    /// None where it is not known.
    pub normaliser: Option<f64>,
    /// What it adds to the total.
    #[serde(with = "json")]
    pub contribution: f64,
    /// What the f64 kernel makes of this opinion's own inputs, where it takes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kernel: Option<f64>,
}

impl TermValue {
    /// How many times what the kernel says it is.
    pub fn ratio(&self) -> Option<f64> {
        let kernel = self.kernel?;
        Some(if self.value == kernel {
            1.0
        } else {
            self.value / kernel
        })
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Into {
    pub who: String,
    pub tensor: String,
    /// L2 norm; None where no path leads back.
    pub norm: Option<f64>,
}

/// A value held against the f64 reference on the same predictions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    pub who: String,
    pub tensor: String,
    #[serde(with = "json")]
    pub value: f64,
    #[serde(with = "json")]
    pub expected: f64,
    pub judgement: Judgement,
}

impl Said {
    /// The opinion on a loss of these terms, in tensors of the standard names.
    pub fn read(who: &str, terms: &[&'static str], get: &dyn Fn(&str) -> Option<Tensor>) -> Self {
        let one = |name: &str| {
            get(name)
                .filter(|t| t.numel() == 1)?
                .to_f64()
                .first()
                .copied()
        };
        let items = get(ITEMS).map(|t| t.to_f64());
        let unit = losses(terms)
            .iter()
            .filter_map(|n| get(n))
            .map(|t| t.dtype().unit_roundoff())
            .fold(0.0, f64::max);
        Self {
            who: who.into(),
            terms: terms.iter().map(|t| (*t, one(&raw(t)))).collect(),
            items: items.filter(|items| items.len() == terms.len()),
            total: one(TOTAL),
            normaliser: one(NORMALISER),
            unit,
            batch: None,
        }
    }

    /// By standard name, each with what of it is not there as None.
    fn values(&self) -> Vec<(String, Option<f64>)> {
        let terms = self.terms.iter().map(|(term, value)| (raw(term), *value));
        let whole = [(TOTAL, self.total), (NORMALISER, self.normaliser)];
        terms.chain(whole.map(|(n, v)| (n.into(), v))).collect()
    }

    /// Standard names of what is not there.
    pub fn lacks(&self) -> Vec<String> {
        let items = self.items.is_none().then(|| ITEMS.to_string());
        self.values()
            .into_iter()
            .filter(|v| v.1.is_none())
            .map(|v| v.0)
            .chain(items)
            .collect()
    }

    /// Whether it says anything.
    pub fn is_empty(&self) -> bool {
        self.items.is_none() && self.values().iter().all(|v| v.1.is_none())
    }

    /// Everything, where everything is there.
    pub fn whole(&self) -> Option<Values> {
        Some(Values {
            who: self.who.clone(),
            terms: self.terms.iter().map(|t| t.1).collect::<Option<_>>()?,
            items: self.items.clone()?,
            total: self.total? / self.batch.unwrap_or(1.0),
            normaliser: self.normaliser?,
            unit: self.unit,
        })
    }
}

/// Gives the floor of a tensor by standard name.
pub type Floors<'a> = &'a dyn Fn(&str) -> Option<&'a Floor>;

impl Values {
    /// Whether two numbers of this opinion are one but for the rounding of a number of size `scale`.
    pub fn same(&self, a: f64, b: f64, scale: f64) -> bool {
        (a - b).abs() <= Family::Arithmetic.allowed(1) * self.unit * scale
    }

    /// The permutation under which the items are the weighted terms, where it is not the declared one.
    pub fn order(&self, terms: &[Weighted]) -> Option<Vec<usize>> {
        let both = self.terms.iter().zip(terms);
        let weighted: Vec<f64> = both.map(|(raw, t)| raw * t.weight).collect();
        self.matched(&weighted, vec![])
            .filter(|order| !order.is_sorted())
    }

    /// The first order that begins with `begun` in which the items are the weighted terms; where they are as declared, that is the first.
    fn matched(&self, weighted: &[f64], begun: Vec<usize>) -> Option<Vec<usize>> {
        let Some(item) = self.items.get(begun.len()) else {
            return Some(begun);
        };
        let next = |i: &usize| !begun.contains(i) && self.same(weighted[*i], *item, item.abs());
        let mut longer = (0..weighted.len()).filter(next);
        longer.find_map(|i| self.matched(weighted, [&begun[..], &[i]].concat()))
    }
}

impl Report {
    /// Flags and values that no clean loss has.
    pub fn over(&self) -> bool {
        self.first().is_some()
    }

    /// The first thing that is wrong: (who, tensor or term, sentence).
    pub fn first(&self) -> Option<(String, String)> {
        let check = self.checks.iter().filter(|c| c.judgement.over());
        let say = |c: &Check| {
            format!(
                "{}: '{}' is {:e}, the f64 reference says {:e}",
                c.who, c.tensor, c.value, c.expected
            )
        };
        let mut checks = check.map(|c| (c.tensor.clone(), say(c))).peekable();
        let flag = |unused: bool| {
            // Gradients have a stage of their own.
            let judged = |f: &&Finding| {
                f.is_fault() && f.kind != LOST_GRADIENT && (f.kind == UNUSED_WEIGHT) == unused
            };
            let mut flags = self.flags.iter().filter(judged);
            flags.next().map(|f| (f.place.clone(), f.what.clone()))
        };
        // A weight that does not act is why the total is off; a term that is off is worse.
        let term = checks.next_if(|c| c.0 != TOTAL);
        term.or_else(|| flag(true))
            .or_else(|| checks.next())
            .or_else(|| flag(false))
    }

    /// Why these terms of `who` were not all judged; None where they were, or lie behind flips at ties.
    pub fn unjudged(&self, who: &str, terms: &[&str]) -> Option<String> {
        let found = |tensor: &str| {
            self.checks
                .iter()
                .find(|c| c.who == who && c.tensor == tensor)
        };
        let why = |tensor: &str| {
            let why = found(tensor)?
                .judgement
                .why()
                .filter(|why| !why.excuses())?;
            Some(format!("{who}: '{tensor}' was not judged: {why}"))
        };
        let term = |t: &&str| {
            let name = raw(t);
            match (found(&name), found(ITEMS)) {
                (Some(_), _) => why(&name),
                (None, Some(_)) => why(ITEMS),
                (None, None) => Some(format!("{who}: '{name}' is missing")),
            }
        };
        terms
            .iter()
            .find_map(term)
            .or_else(|| why(TOTAL))
            .or_else(|| why(NORMALISER))
            .or_else(|| {
                let nothing = !self.checks.iter().any(|c| c.who == who);
                nothing.then(|| format!("{who}: nothing of the loss was compared"))
            })
    }
}

/// `ours` against what the f64 reference says of the same predictions, as far as both say anything. Where a term is not there, its weighted
/// item is held against the reference's.
pub fn checks(ours: &Said, reference: &Said, floors: Floors) -> Vec<Check> {
    let check = |tensor: String, value: f64, expected: f64| {
        let judgement = held(value, expected, floors(&tensor));
        Check {
            who: ours.who.clone(),
            tensor,
            value,
            expected,
            judgement,
        }
    };
    let both = ours.values().into_iter().zip(reference.values());
    let mut out: Vec<Check> = both
        .filter_map(|((tensor, own), (_, expected))| Some(check(tensor, own?, expected?)))
        .collect();
    let lacks_term = ours.terms.iter().any(|t| t.1.is_none());
    if let (Some(own), Some(expected), true) = (&ours.items, &reference.items, lacks_term) {
        let apart = |i: &usize| (own[*i] - expected[*i]).abs();
        let nan = |i: &usize| own[*i].is_nan() != expected[*i].is_nan();
        let all = 0..own.len();
        let largest = || all.clone().max_by(|a, b| apart(a).total_cmp(&apart(b)));
        let worst = all.clone().find(nan).or_else(largest);
        out.extend(worst.map(|i| check(ITEMS.into(), own[i], expected[i])));
    }
    out
}

/// One number against the expected one; the floor's channels are those of the tensor that it is of.
fn held(value: f64, expected: f64, floor: Option<&Floor>) -> Judgement {
    let one = |v: f64| Tensor::from_vec(&[], vec![v]);
    let widest = floor.map(|f| Floor {
        axis: None,
        max: vec![widest(f)],
        rms: vec![widest(f)],
        runs: f.runs,
    });
    let limit = widest
        .as_ref()
        .map_or(Limit::Unknown("no noise floor"), Limit::Spread);
    against(
        &compare(one(expected).view(), one(value).view(), None),
        limit,
    )
}

/// The largest spread of any channel.
fn widest(floor: &Floor) -> f64 {
    // Not `f64::max`, which drops NaN.
    floor
        .max
        .iter()
        .copied()
        .fold(0.0, |most, s| if s <= most { most } else { s })
}

/// What can be told from the values alone. A term that the reference itself has dead is expected to be.
pub fn flags(
    ours: &Values,
    reference: &Values,
    terms: &[Weighted],
    floors: Floors,
) -> Vec<Finding> {
    let who = &ours.who;
    let spread = |name: &str| floors(name).map(widest);
    let dead = |(i, term): (usize, &Weighted)| {
        let term = term.name;
        if ours.terms[i] == 0.0 {
            let what = format!("{who}: term '{term}' is exactly 0");
            let expected = reference.terms[i] == 0.0;
            Some(Finding::new("zero_value", term, what).expected(expected))
        } else if spread(&raw(term)) == Some(0.0) {
            let what = format!("{who}: term '{term}' does not move when the predictions do");
            Some(Finding::new("constant", term, what))
        } else {
            None
        }
    };
    let (own, right) = (ours.normaliser, reference.normaliser);
    let another = spread(NORMALISER).is_some_and(|s| (own - right).abs() > R * s);
    let normaliser = another.then(|| {
        let what =
            format!("{who}: terms are divided by {own:e}, the reference divides by {right:e}");
        Finding::new("normaliser", "total", what)
            .number("own", own)
            .number("reference", right)
    });
    let dead = terms.iter().enumerate().filter_map(dead);
    dead.chain(normaliser).map(|f| f.of(who)).collect()
}

#[cfg(test)]
pub mod sample {
    //! Opinions on a loss.

    use super::{Said, Values};
    use crate::floor::noise::Floor;
    use crate::kernel::loss::Weighted;

    pub fn values(who: &str) -> Values {
        Values {
            who: who.into(),
            terms: vec![0.5, 0.25, 2.0],
            items: vec![1.25, 0.125, 2.0],
            total: 3.375,
            normaliser: 8.0,
            unit: 2f64.powi(-24),
        }
    }

    pub const NAMES: [&str; 3] = ["iou", "dfl", "cls"];

    pub fn terms() -> Vec<Weighted> {
        weighted(&NAMES, &[2.5, 0.5, 1.0])
    }

    pub fn weighted(names: &[&'static str], weights: &[f64]) -> Vec<Weighted> {
        let of = |(name, weight): (&&'static str, &f64)| Weighted {
            name,
            weight: *weight,
        };
        names.iter().zip(weights).map(of).collect()
    }

    pub fn said(v: &Values) -> Said {
        let Values {
            who,
            terms,
            items,
            total,
            normaliser,
            unit,
        } = v.clone();
        Said {
            who,
            terms: NAMES.into_iter().zip(terms.into_iter().map(Some)).collect(),
            items: Some(items),
            total: Some(total),
            normaliser: Some(normaliser),
            unit,
            batch: None,
        }
    }

    pub fn floor(spread: f64) -> Floor {
        Floor {
            axis: None,
            max: vec![spread],
            rms: vec![spread],
            runs: 4,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::sample::{NAMES, floor, said, terms, values};
    use super::*;

    /// Checks and flags where rounding moves every tensor by so much.
    fn found(ours: &Values, reference: &Values, spread: f64) -> (Vec<Check>, Vec<Finding>) {
        let floor = floor(spread);
        (
            checks(&said(ours), &said(reference), &|_| Some(&floor)),
            flags(ours, reference, &terms(), &|_| Some(&floor)),
        )
    }

    fn kinds(ours: &Values) -> Vec<(String, bool)> {
        let found = found(ours, &values("kernel"), 1e-7).1;
        let of = |f: Finding| (f.kind.clone(), f.is_fault());
        found.into_iter().map(of).collect()
    }

    fn fault(kind: &str) -> [(String, bool); 1] {
        [(kind.into(), true)]
    }

    #[test]
    fn equal_values_raise_nothing_and_pass_every_check() {
        assert!(kinds(&values("reference")).is_empty());
        assert!(
            found(&values("reference"), &values("kernel"), 1e-7)
                .0
                .iter()
                .all(|c| c.judgement == Judgement::Within(0.0))
        );
    }

    #[test]
    fn another_normaliser_is_found_and_rounding_is_not() {
        let ours = Values {
            normaliser: 9.0,
            ..values("candidate")
        };
        assert_eq!(kinds(&ours), fault("normaliser"));
        let ours = Values {
            normaliser: 8.0 + 1e-8,
            ..values("candidate")
        };
        assert!(kinds(&ours).is_empty());
        let wrong = Values {
            total: 3.4,
            ..values("candidate")
        };
        let found = found(&wrong, &values("kernel"), 1e-7).0;
        assert_eq!(
            found
                .iter()
                .filter(|c| c.judgement.over())
                .map(|c| c.tensor.as_str())
                .collect::<Vec<_>>(),
            ["loss.total"]
        );
    }

    #[test]
    fn a_dead_term_is_a_fault_unless_the_reference_has_it_too() {
        let dead = Values {
            terms: vec![0.5, 0.0, 2.0],
            items: vec![1.25, 0.0, 2.0],
            total: 3.25,
            ..values("candidate")
        };
        assert_eq!(kinds(&dead), fault("zero_value"));
        let both = Values {
            who: "kernel".into(),
            ..dead.clone()
        };
        let found = found(&dead, &both, 1e-7).1;
        assert_eq!(
            (found[0].kind.as_str(), found[0].is_fault()),
            ("zero_value", false)
        );
    }

    #[test]
    fn a_term_that_nothing_moves_is_constant() {
        let (none, some) = (floor(0.0), floor(1e-7));
        let still = |n: &str| Some(if n == "loss.iou" { &none } else { &some });
        let found = flags(&values("candidate"), &values("kernel"), &terms(), &still);
        assert_eq!(
            found
                .iter()
                .map(|f| (f.kind.as_str(), f.place.as_str()))
                .collect::<Vec<_>>(),
            [("constant", "iou")]
        );
    }

    #[test]
    fn a_floor_without_end_and_none_at_all_judge_nothing_but_what_is_no_number() {
        let off = Values {
            terms: vec![0.6, 0.25, 2.0],
            ..values("candidate")
        };
        let report = Report {
            checks: found(&off, &values("kernel"), f64::INFINITY).0,
            ..Report::default()
        };
        assert!(
            !report.over()
                && report
                    .unjudged("candidate", &NAMES)
                    .unwrap()
                    .starts_with("candidate: 'loss.iou' was not judged: no noise floor")
        );
        let none = checks(&said(&off), &said(&values("kernel")), &|_| None);
        assert!(
            Report {
                checks: none,
                ..Report::default()
            }
            .unjudged("candidate", &NAMES)
            .is_some()
        );
        let nan = Values {
            terms: vec![f64::NAN, 0.25, 2.0],
            ..values("candidate")
        };
        assert!(
            Report {
                checks: found(&nan, &values("kernel"), f64::INFINITY).0,
                ..Report::default()
            }
            .over()
        );
        let same = Report {
            checks: found(&values("candidate"), &values("kernel"), f64::INFINITY).0,
            ..Report::default()
        };
        assert_eq!(
            (same.over(), same.unjudged("candidate", &NAMES)),
            (false, None)
        );
    }

    #[test]
    fn what_is_there_is_judged_and_what_is_missing_is_named() {
        let floor = floor(1e-7);
        let report = |said: &Said| {
            let kernel = self::said(&values("kernel"));
            Report {
                checks: checks(said, &kernel, &|_| Some(&floor)),
                ..Report::default()
            }
        };
        let whole = said(&values("candidate"));
        let no_normaliser = Said {
            normaliser: None,
            ..whole.clone()
        };
        assert_eq!(
            (
                no_normaliser.lacks(),
                report(&no_normaliser).unjudged("candidate", &NAMES)
            ),
            (vec!["loss.normaliser".to_string()], None)
        );
        let wrong = Said {
            total: Some(9.0),
            ..no_normaliser
        };
        assert_eq!(report(&wrong).first().unwrap().0, TOTAL);
        let items_only = Said {
            terms: NAMES.map(|t| (t, None)).to_vec(),
            normaliser: None,
            ..whole.clone()
        };
        assert_eq!(report(&items_only).unjudged("candidate", &NAMES), None);
        let wrong = Said {
            items: Some(vec![1.25, 0.125, 2.1]),
            ..items_only
        };
        assert_eq!(report(&wrong).first().unwrap().0, ITEMS);
        let total_only = Said {
            terms: NAMES.map(|t| (t, None)).to_vec(),
            items: None,
            normaliser: None,
            ..whole
        };
        assert_eq!(
            report(&total_only).unjudged("candidate", &NAMES).unwrap(),
            "candidate: 'loss.iou' is missing"
        );
        assert!(Said::default().is_empty() && !total_only.is_empty());
    }
}

//! loss: a ledger of the terms: value, weight, normaliser, contribution, gradient into each prediction, and what is wrong with them.

use super::unused_weight;
use crate::compare::{compare, json};
use crate::floor::Family;
use crate::floor::noise::{Floor, R};
use crate::judge::{Limit, against};
use crate::scenario::training::{LOSSES, TERMS};
use crate::tensor::Tensor;
use crate::verdict::Judgement;
use serde::{Deserialize, Serialize};

/// What one opinion says of the loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Values {
    pub who: String,
    /// Raw terms in the order of `TERMS`.
    pub terms: [f64; 3],
    pub items: [f64; 3],
    pub total: f64,
    pub normaliser: f64,
    /// Unit roundoff of the dtype that the loss is in.
    pub unit: f64,
}

/// What one opinion says of the loss, as far as it says anything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    pub who: String,
    /// In the order of `TERMS`.
    pub terms: [Option<f64>; 3],
    pub items: Option<[f64; 3]>,
    pub total: Option<f64>,
    pub normaliser: Option<f64>,
    /// Unit roundoff of the dtype that the loss is in.
    pub unit: f64,
}

/// The ledger.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub terms: Vec<Term>,
    pub checks: Vec<Check>,
    pub flags: Vec<Flag>,
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

/// Something wrong with a term.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Flag {
    pub who: String,
    pub term: String,
    pub kind: FlagKind,
    pub says: String,
    /// Whether the f64 reference has it too, so that it is no fault.
    pub expected: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlagKind {
    /// The value is exactly 0.
    ZeroValue,
    /// No gradient reaches any prediction.
    ZeroGradient,
    /// No gradient reaches one of the predictions that the f64 graph's reaches.
    MissingGradient,
    /// Rounding noise on the predictions does not move it.
    Constant,
    /// The normaliser is not the one of the reference.
    Normaliser,
    /// The items are weighted terms in another order.
    ItemOrder,
    /// A weight that the loss declares does not act on its term.
    UnusedWeight,
    /// An intermediate result is larger than every declared shape of the loss.
    Broadcast,
}

/// What the checks call the sum of the items.
const TOTAL: &str = "loss.total";
/// What they call the weighted terms, which stand for terms that are not there.
const ITEMS: &str = "loss.items";

impl Said {
    /// The opinion in tensors of the standard names.
    pub fn read(who: &str, get: &dyn Fn(&str) -> Option<Tensor>) -> Self {
        let one = |name: &str| {
            get(name)
                .filter(|t| t.numel() == 1)?
                .to_f64()
                .first()
                .copied()
        };
        let unit = LOSSES
            .iter()
            .filter_map(|n| get(n))
            .map(|t| t.dtype().unit_roundoff())
            .fold(0.0, f64::max);
        Self {
            who: who.into(),
            terms: TERMS.map(|t| one(&format!("loss.{t}"))),
            items: get(ITEMS).and_then(|t| t.to_f64().try_into().ok()),
            total: one(TOTAL),
            normaliser: one("loss.normaliser"),
            unit,
        }
    }

    /// By standard name, each with what of it is not there as None.
    fn values(&self) -> [(String, Option<f64>); 5] {
        let [a, b, c] = TERMS.map(|t| format!("loss.{t}"));
        let [x, y, z] = self.terms;
        [
            (a, x),
            (b, y),
            (c, z),
            (TOTAL.into(), self.total),
            ("loss.normaliser".into(), self.normaliser),
        ]
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
        self.lacks().len() == LOSSES.len()
    }

    /// Everything, where everything is there.
    pub fn whole(&self) -> Option<Values> {
        let [a, b, c] = self.terms;
        let (terms, who, unit) = ([a?, b?, c?], self.who.clone(), self.unit);
        Some(Values {
            who,
            terms,
            items: self.items?,
            total: self.total?,
            normaliser: self.normaliser?,
            unit,
        })
    }
}

/// Gives the floor of a tensor by standard name.
pub type Floors<'a> = &'a dyn Fn(&str) -> Option<&'a Floor>;

impl Values {
    /// Whether two numbers of this opinion are one but for the rounding of a number of size `scale`.
    pub(super) fn same(&self, a: f64, b: f64, scale: f64) -> bool {
        (a - b).abs() <= Family::Arithmetic.allowed(1) * self.unit * scale
    }

    /// The permutation under which the items are the weighted terms, where it is not the declared one.
    pub(super) fn order(&self, weights: [f64; 3]) -> Option<[usize; 3]> {
        let weighted = [0, 1, 2].map(|i| self.terms[i] * weights[i]);
        let fits = |order: &[usize; 3]| {
            order
                .iter()
                .zip(self.items)
                .all(|(i, item)| self.same(weighted[*i], item, item.abs()))
        };
        let orders = [
            [0, 1, 2],
            [0, 2, 1],
            [1, 0, 2],
            [1, 2, 0],
            [2, 0, 1],
            [2, 1, 0],
        ];
        orders.into_iter().find(fits).filter(|o| *o != orders[0])
    }
}

impl FlagKind {
    /// Whether it is the stage of the gradients that judges it.
    fn of_gradients(self) -> bool {
        matches!(self, FlagKind::ZeroGradient | FlagKind::MissingGradient)
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
            let judged = |f: &&Flag| {
                !f.expected
                    && !f.kind.of_gradients()
                    && (f.kind == FlagKind::UnusedWeight) == unused
            };
            let mut flags = self.flags.iter().filter(judged);
            flags.next().map(|f| (f.term.clone(), f.says.clone()))
        };
        // A weight that does not act is why the total is off; a term that is off is worse.
        let term = checks.next_if(|c| c.0 != TOTAL);
        term.or_else(|| flag(true))
            .or_else(|| checks.next())
            .or_else(|| flag(false))
    }

    /// Why the terms of `who` were not all judged; None where they were, or lie behind flips at ties.
    pub fn unjudged(&self, who: &str) -> Option<String> {
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
            let name = format!("loss.{t}");
            match (found(&name), found(ITEMS)) {
                (Some(_), _) => why(&name),
                (None, Some(_)) => why(ITEMS),
                (None, None) => Some(format!("{who}: '{name}' is missing")),
            }
        };
        TERMS
            .iter()
            .find_map(term)
            .or_else(|| why(TOTAL))
            .or_else(|| why("loss.normaliser"))
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
    if let (Some(own), Some(expected), true) =
        (ours.items, reference.items, ours.terms.contains(&None))
    {
        let apart = |i: &usize| (own[*i] - expected[*i]).abs();
        let nan = |i: &usize| own[*i].is_nan() != expected[*i].is_nan();
        let worst = (0..3)
            .find(nan)
            .or_else(|| (0..3).max_by(|a, b| apart(a).total_cmp(&apart(b))))
            .unwrap_or(0);
        out.push(check(ITEMS.into(), own[worst], expected[worst]));
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
pub fn flags(ours: &Values, reference: &Values, weights: [f64; 3], floors: Floors) -> Vec<Flag> {
    let spread = |name: &str| floors(name).map(widest);
    let mut flags = Vec::new();
    let mut flag = |term: &str, kind, says: String, expected| {
        flags.push(Flag {
            who: ours.who.clone(),
            term: term.into(),
            kind,
            says,
            expected,
        })
    };
    for (i, term) in TERMS.iter().enumerate() {
        let name = format!("loss.{term}");
        if ours.terms[i] == 0.0 {
            let expected = reference.terms[i] == 0.0;
            flag(
                term,
                FlagKind::ZeroValue,
                format!("{}: term '{term}' is exactly 0", ours.who),
                expected,
            );
        } else if spread(&name) == Some(0.0) {
            flag(
                term,
                FlagKind::Constant,
                format!(
                    "{}: term '{term}' does not move when the predictions do",
                    ours.who
                ),
                false,
            );
        }
    }
    let apart = (ours.normaliser - reference.normaliser).abs();
    if spread("loss.normaliser").is_some_and(|s| apart > R * s) {
        let says = format!(
            "{}: terms are divided by {:e}, the reference divides by {:e}",
            ours.who, ours.normaliser, reference.normaliser
        );
        flag("total", FlagKind::Normaliser, says, false);
    }
    if let Some(order) = ours.order(weights) {
        let names: Vec<&str> = order.iter().map(|i| TERMS[*i]).collect();
        let says = format!(
            "{}: loss.items holds [{}], expected [{}]",
            ours.who,
            names.join(", "),
            TERMS.join(", ")
        );
        flag("total", FlagKind::ItemOrder, says, false);
    }
    flags.extend(unused_weight::flags(ours, reference, weights));
    flags
}

/// Whether an intermediate of the loss is larger than anything that its declared shapes can give: an accidental broadcast.
///
/// Declared are [B, A, columns] and [B, G, A]; `largest` is the product of the larger.
pub fn broadcast(
    who: &str,
    tensor: &str,
    shape: &[usize],
    largest: usize,
    term: &str,
) -> Option<Flag> {
    let numel: usize = shape.iter().product();
    (numel > largest).then(|| Flag {
        who: who.into(),
        term: term.into(),
        kind: FlagKind::Broadcast,
        says: format!("{who}: '{tensor}' {shape:?} has {numel} elements, the declared shapes of the loss hold at most {largest}"),
        expected: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(who: &str) -> Values {
        Values {
            who: who.into(),
            terms: [0.5, 0.25, 2.0],
            items: [1.25, 0.125, 2.0],
            total: 3.375,
            normaliser: 8.0,
            unit: 2f64.powi(-24),
        }
    }

    const WEIGHTS: [f64; 3] = [2.5, 0.5, 1.0];

    fn said(v: &Values) -> Said {
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
            terms: terms.map(Some),
            items: Some(items),
            total: Some(total),
            normaliser: Some(normaliser),
            unit,
        }
    }

    fn floor(spread: f64) -> Floor {
        Floor {
            axis: None,
            max: vec![spread],
            rms: vec![spread],
            runs: 4,
        }
    }

    /// Checks and flags where rounding moves every tensor by so much.
    fn found(ours: &Values, reference: &Values, spread: f64) -> (Vec<Check>, Vec<Flag>) {
        let floor = floor(spread);
        (
            checks(&said(ours), &said(reference), &|_| Some(&floor)),
            flags(ours, reference, WEIGHTS, &|_| Some(&floor)),
        )
    }

    fn kinds(ours: &Values) -> Vec<(FlagKind, bool)> {
        found(ours, &values("kernel"), 1e-7)
            .1
            .iter()
            .map(|f| (f.kind, f.expected))
            .collect()
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
        assert_eq!(kinds(&ours), [(FlagKind::Normaliser, false)]);
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
            terms: [0.5, 0.0, 2.0],
            items: [1.25, 0.0, 2.0],
            total: 3.25,
            ..values("candidate")
        };
        assert_eq!(kinds(&dead), [(FlagKind::ZeroValue, false)]);
        let both = Values {
            who: "kernel".into(),
            ..dead.clone()
        };
        let found = found(&dead, &both, 1e-7).1;
        assert_eq!(
            (found[0].kind, found[0].expected),
            (FlagKind::ZeroValue, true)
        );
    }

    #[test]
    fn a_term_that_nothing_moves_is_constant() {
        let (none, some) = (floor(0.0), floor(1e-7));
        let still = |n: &str| Some(if n == "loss.iou" { &none } else { &some });
        let found = flags(&values("candidate"), &values("kernel"), WEIGHTS, &still);
        assert_eq!(
            found
                .iter()
                .map(|f| (f.kind, f.term.as_str()))
                .collect::<Vec<_>>(),
            [(FlagKind::Constant, "iou")]
        );
    }

    #[test]
    fn items_in_another_order_name_that_order() {
        let mixed = Values {
            items: [2.0, 1.25, 0.125],
            ..values("candidate")
        };
        let found = found(&mixed, &values("kernel"), 1e-7).1;
        assert_eq!(found[0].kind, FlagKind::ItemOrder);
        assert!(
            found[0].says.contains("[cls, iou, dfl]"),
            "{}",
            found[0].says
        );
    }

    #[test]
    fn an_intermediate_larger_than_every_declared_shape_is_a_broadcast() {
        assert!(broadcast("candidate", "t", &[1, 84, 20], 84 * 20, "iou").is_none());
        let flag = broadcast("candidate", "t", &[84, 84], 84 * 20, "iou").unwrap();
        assert!(flag.says.contains("7056 elements"), "{}", flag.says);
    }

    #[test]
    fn a_weight_that_does_not_act_explains_a_total_that_is_off() {
        let raw = Values {
            items: [0.5, 0.125, 2.0],
            total: 2.625,
            ..values("candidate")
        };
        let report = |ours: &Values| {
            let (checks, flags) = found(ours, &values("kernel"), 1e-7);
            Report {
                checks,
                flags,
                ..Report::default()
            }
        };
        assert_eq!(report(&raw).first().unwrap().0, "iou");
        assert_eq!(
            report(&Values {
                total: 3.4,
                ..values("candidate")
            })
            .first()
            .unwrap()
            .0,
            TOTAL
        );
        assert_eq!(
            report(&Values {
                terms: [0.5, 0.3, 2.0],
                ..raw
            })
            .first()
            .unwrap()
            .0,
            "loss.dfl"
        );
    }

    #[test]
    fn a_floor_without_end_and_none_at_all_judge_nothing_but_what_is_no_number() {
        let off = Values {
            terms: [0.6, 0.25, 2.0],
            ..values("candidate")
        };
        let report = Report {
            checks: found(&off, &values("kernel"), f64::INFINITY).0,
            ..Report::default()
        };
        assert!(
            !report.over()
                && report
                    .unjudged("candidate")
                    .unwrap()
                    .starts_with("candidate: 'loss.iou' was not judged: no noise floor")
        );
        let none = checks(&said(&off), &said(&values("kernel")), &|_| None);
        assert!(
            Report {
                checks: none,
                ..Report::default()
            }
            .unjudged("candidate")
            .is_some()
        );
        let nan = Values {
            terms: [f64::NAN, 0.25, 2.0],
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
        assert_eq!((same.over(), same.unjudged("candidate")), (false, None));
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
                report(&no_normaliser).unjudged("candidate")
            ),
            (vec!["loss.normaliser".to_string()], None)
        );
        let wrong = Said {
            total: Some(9.0),
            ..no_normaliser
        };
        assert_eq!(report(&wrong).first().unwrap().0, TOTAL);
        let items_only = Said {
            terms: [None; 3],
            normaliser: None,
            ..whole.clone()
        };
        assert_eq!(report(&items_only).unjudged("candidate"), None);
        let wrong = Said {
            items: Some([1.25, 0.125, 2.1]),
            ..items_only
        };
        assert_eq!(report(&wrong).first().unwrap().0, ITEMS);
        let total_only = Said {
            terms: [None; 3],
            items: None,
            normaliser: None,
            ..whole
        };
        assert_eq!(
            report(&total_only).unjudged("candidate").unwrap(),
            "candidate: 'loss.iou' is missing"
        );
        assert!(Said::default().is_empty() && !total_only.is_empty());
    }
}

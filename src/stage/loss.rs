//! loss: a ledger of the terms: value, weight, normaliser, contribution, gradient into each prediction, and what is wrong with them.

use super::unused;
use crate::compare::json;
use crate::floor::Family;
use crate::floor::noise::R;
use crate::scenario::training::TERMS;
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

/// The ledger.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub terms: Vec<Term>,
    pub checks: Vec<Check>,
    pub flags: Vec<Flag>,
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
    #[serde(with = "json")]
    pub normaliser: f64,
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
    /// |value − expected| / (R · spread); over 1 diverges.
    #[serde(with = "json")]
    pub ratio: f64,
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

impl Values {
    /// Whether two numbers of this opinion are one but for the rounding of a number of size `scale`.
    pub(super) fn same(&self, a: f64, b: f64, scale: f64) -> bool {
        (a - b).abs() <= Family::Arithmetic.allowed(1) * self.unit * scale
    }

    /// The permutation under which the items are the weighted terms, where it is not the declared one.
    pub(super) fn order(&self, weights: [f64; 3]) -> Option<[usize; 3]> {
        let weighted = [0, 1, 2].map(|i| self.terms[i] * weights[i]);
        let fits = |order: &[usize; 3]| order.iter().zip(self.items).all(|(i, item)| self.same(weighted[*i], item, item.abs()));
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
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
        let check = self.checks.iter().filter(|c| c.ratio > 1.0 || c.ratio.is_nan());
        let say = |c: &Check| format!("{}: '{}' is {:e}, the f64 reference says {:e}", c.who, c.tensor, c.value, c.expected);
        let mut checks = check.map(|c| (c.tensor.clone(), say(c))).peekable();
        let flag = |unused: bool| {
            let judged = |f: &&Flag| !f.expected && !f.kind.of_gradients() && (f.kind == FlagKind::UnusedWeight) == unused;
            let mut flags = self.flags.iter().filter(judged);
            flags.next().map(|f| (f.term.clone(), f.says.clone()))
        };
        // A weight that does not act is why the total is off; a term that is off is worse.
        let term = checks.next_if(|c| c.0 != TOTAL);
        term.or_else(|| flag(true)).or_else(|| checks.next()).or_else(|| flag(false))
    }
}

/// `ours` against what the f64 reference says of the same predictions; `spread` gives the floor of a tensor by standard name.
pub fn checks(ours: &Values, reference: &Values, spread: &dyn Fn(&str) -> f64) -> Vec<Check> {
    let named = TERMS.iter().enumerate().map(|(i, t)| (format!("loss.{t}"), ours.terms[i], reference.terms[i]));
    let rest = [(TOTAL.to_string(), ours.total, reference.total), ("loss.normaliser".to_string(), ours.normaliser, reference.normaliser)];
    named
        .chain(rest)
        .map(|(tensor, value, expected)| {
            let (error, floor) = ((value - expected).abs(), R * spread(&tensor));
            let ratio = if error == 0.0 { 0.0 } else { error / floor };
            Check { who: ours.who.clone(), tensor, value, expected, ratio }
        })
        .collect()
}

/// What can be told from the values alone. A term that the reference itself has dead is expected to be.
pub fn flags(ours: &Values, reference: &Values, weights: [f64; 3], spread: &dyn Fn(&str) -> f64) -> Vec<Flag> {
    let mut flags = Vec::new();
    let mut flag =
        |term: &str, kind, says: String, expected| flags.push(Flag { who: ours.who.clone(), term: term.into(), kind, says, expected });
    for (i, term) in TERMS.iter().enumerate() {
        let name = format!("loss.{term}");
        if ours.terms[i] == 0.0 {
            let expected = reference.terms[i] == 0.0;
            flag(term, FlagKind::ZeroValue, format!("{}: term '{term}' is exactly 0", ours.who), expected);
        } else if spread(&name) == 0.0 {
            flag(term, FlagKind::Constant, format!("{}: term '{term}' does not move when the predictions do", ours.who), false);
        }
    }
    let share = (ours.normaliser - reference.normaliser).abs() / reference.normaliser.abs();
    if share > R * spread("loss.normaliser") / reference.normaliser.abs() {
        let says = format!("{}: terms are divided by {:e}, the reference divides by {:e}", ours.who, ours.normaliser, reference.normaliser);
        flag("total", FlagKind::Normaliser, says, false);
    }
    if let Some(order) = ours.order(weights) {
        let names: Vec<&str> = order.iter().map(|i| TERMS[*i]).collect();
        let says = format!("{}: loss.items holds [{}], expected [{}]", ours.who, names.join(", "), TERMS.join(", "));
        flag("total", FlagKind::ItemOrder, says, false);
    }
    flags.extend(unused::flags(ours, reference, weights));
    flags
}

/// Whether an intermediate of the loss is larger than anything that its declared shapes can give: an accidental broadcast.
///
/// Declared are [B, A, columns] and [B, G, A]; `largest` is the product of the larger.
pub fn broadcast(who: &str, tensor: &str, shape: &[usize], largest: usize, term: &str) -> Option<Flag> {
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
        Values { who: who.into(), terms: [0.5, 0.25, 2.0], items: [1.25, 0.125, 2.0], total: 3.375, normaliser: 8.0, unit: 2f64.powi(-24) }
    }

    const WEIGHTS: [f64; 3] = [2.5, 0.5, 1.0];
    const SPREAD: fn(&str) -> f64 = |_| 1e-7;

    fn kinds(ours: &Values) -> Vec<(FlagKind, bool)> {
        flags(ours, &values("kernel"), WEIGHTS, &SPREAD).iter().map(|f| (f.kind, f.expected)).collect()
    }

    #[test]
    fn equal_values_raise_nothing_and_pass_every_check() {
        assert!(kinds(&values("reference")).is_empty());
        assert!(checks(&values("reference"), &values("kernel"), &SPREAD).iter().all(|c| c.ratio == 0.0));
    }

    #[test]
    fn another_normaliser_is_found_and_rounding_is_not() {
        let ours = Values { normaliser: 9.0, ..values("candidate") };
        assert_eq!(kinds(&ours), [(FlagKind::Normaliser, false)]);
        let ours = Values { normaliser: 8.0 + 1e-8, ..values("candidate") };
        assert!(kinds(&ours).is_empty());
        let wrong = Values { total: 3.4, ..values("candidate") };
        let found = checks(&wrong, &values("kernel"), &SPREAD);
        assert_eq!(found.iter().filter(|c| c.ratio > 1.0).map(|c| c.tensor.as_str()).collect::<Vec<_>>(), ["loss.total"]);
    }

    #[test]
    fn a_dead_term_is_a_fault_unless_the_reference_has_it_too() {
        let dead = Values { terms: [0.5, 0.0, 2.0], items: [1.25, 0.0, 2.0], total: 3.25, ..values("candidate") };
        assert_eq!(kinds(&dead), [(FlagKind::ZeroValue, false)]);
        let both = Values { who: "kernel".into(), ..dead.clone() };
        let found = flags(&dead, &both, WEIGHTS, &SPREAD);
        assert_eq!((found[0].kind, found[0].expected), (FlagKind::ZeroValue, true));
    }

    #[test]
    fn a_term_that_nothing_moves_is_constant() {
        let still = |n: &str| if n == "loss.iou" { 0.0 } else { 1e-7 };
        let found = flags(&values("candidate"), &values("kernel"), WEIGHTS, &still);
        assert_eq!(found.iter().map(|f| (f.kind, f.term.as_str())).collect::<Vec<_>>(), [(FlagKind::Constant, "iou")]);
    }

    #[test]
    fn items_in_another_order_name_that_order() {
        let mixed = Values { items: [2.0, 1.25, 0.125], ..values("candidate") };
        let found = flags(&mixed, &values("kernel"), WEIGHTS, &SPREAD);
        assert_eq!(found[0].kind, FlagKind::ItemOrder);
        assert!(found[0].says.contains("[cls, iou, dfl]"), "{}", found[0].says);
    }

    #[test]
    fn an_intermediate_larger_than_every_declared_shape_is_a_broadcast() {
        assert!(broadcast("candidate", "t", &[1, 84, 20], 84 * 20, "iou").is_none());
        let flag = broadcast("candidate", "t", &[84, 84], 84 * 20, "iou").unwrap();
        assert!(flag.says.contains("7056 elements"), "{}", flag.says);
    }

    #[test]
    fn a_weight_that_does_not_act_explains_a_total_that_is_off() {
        let raw = Values { items: [0.5, 0.125, 2.0], total: 2.625, ..values("candidate") };
        let report = |ours: &Values| Report {
            terms: vec![],
            checks: checks(ours, &values("kernel"), &SPREAD),
            flags: flags(ours, &values("kernel"), WEIGHTS, &SPREAD),
        };
        assert_eq!(report(&raw).first().unwrap().0, "iou");
        assert_eq!(report(&Values { total: 3.4, ..values("candidate") }).first().unwrap().0, TOTAL);
        assert_eq!(report(&Values { terms: [0.5, 0.3, 2.0], ..raw }).first().unwrap().0, "loss.dfl");
    }
}

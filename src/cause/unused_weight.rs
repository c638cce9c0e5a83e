//! unused weight: weights of the loss that do not act: an item is its raw term or has another term's weight, or the total lacks a contribution.
//!
//! Every opinion is held against its own values, so that only its own rounding stands between them. One multiplication gives an
//! item and two additions the total; both get the bound of one arithmetic step, which leaves a port that multiplies before it
//! divides two roundings more.

use super::loss::Beside;
use super::{Cause, Test};
use crate::judge::stage::loss::Values;
use crate::kernel::loss::Weighted;
use crate::verdict::{Finding, UNUSED_WEIGHT};

pub const CAUSE: Cause = Cause {
    name: UNUSED_WEIGHT,
    asks: "does a weight of the loss not act: on an item, or in the total?",
    test: Test::Loss(test),
};

/// A weight that does not act, and how that was told.
struct Unused {
    term: usize,
    says: String,
}

/// Weights that do not act in this opinion; one that does not act in the f64 reference either is expected.
fn test(of: &Beside) -> Vec<Finding> {
    let (who, theirs) = (&of.ours.who, found(of.reference, of.terms));
    let says = |u: Unused| {
        let expected = theirs.iter().any(|t| t.term == u.term);
        Finding::new(
            CAUSE.name,
            of.terms[u.term].name,
            format!("{who}: {}", u.says),
        )
        .of(who)
        .expected(expected)
    };
    found(of.ours, of.terms).into_iter().map(says).collect()
}

fn found(v: &Values, terms: &[Weighted]) -> Vec<Unused> {
    // Items in another order have their weights.
    let items = (0..terms.len())
        .filter(|_| v.order(terms).is_none())
        .filter_map(|term| {
            Some(Unused {
                term,
                says: item(v, terms, term)?,
            })
        });
    items.chain(summands(v, terms)).collect()
}

/// What item `i` is instead of its weighted term.
fn item(v: &Values, terms: &[Weighted], i: usize) -> Option<String> {
    let (raw, item) = (v.terms[i], v.items[i]);
    let Weighted { name: term, weight } = terms[i];
    let is = |w: f64| v.same(item, w * raw, (w * raw).abs());
    if is(weight) {
        return None;
    }
    let mut others = terms.iter().enumerate().filter(|(j, _)| *j != i);
    let other = others.find(|(_, t)| is(t.weight));
    match (is(1.0), other) {
        (true, _) => Some(format!(
            "the weight {weight} of term '{term}' is not applied: its item is the raw term, {item:e}"
        )),
        (false, Some((_, other))) => Some(format!(
            "term '{term}' has the weight of '{}', {}, instead of its own, {weight}",
            other.name, other.weight
        )),
        (false, None) => None,
    }
}

/// What is to be put for an item, so that the total is a sum again.
#[derive(Clone, Copy, PartialEq)]
enum Summand {
    Item,
    Nothing,
    Raw,
}

/// Contributions that the total lacks or has without their weight, although every item is right by itself.
fn summands(v: &Values, terms: &[Weighted]) -> Vec<Unused> {
    let value = |i: usize, s: Summand| match s {
        Summand::Item => v.items[i],
        Summand::Nothing => 0.0,
        Summand::Raw => v.terms[i],
    };
    let fits = |s: &Vec<Summand>| {
        let parts: Vec<f64> = s.iter().enumerate().map(|(i, s)| value(i, *s)).collect();
        v.same(
            v.total,
            parts.iter().sum(),
            parts.iter().map(|p| p.abs()).sum(),
        )
    };
    let says = |i: usize, s: Summand| match s {
        Summand::Item => None,
        Summand::Nothing => Some(format!(
            "the total {:e} lacks term '{}', which contributes {:e}",
            v.total, terms[i].name, v.items[i]
        )),
        Summand::Raw => Some(format!(
            "the total {:e} has the raw term '{}', {:e}, instead of the weighted one, {:e}",
            v.total, terms[i].name, v.terms[i], v.items[i]
        )),
    };
    let sum = tried(terms.len())
        .into_iter()
        .find(fits)
        .unwrap_or_default();
    let unused = |(term, s): (usize, &Summand)| {
        Some(Unused {
            term,
            says: says(term, *s)?,
        })
    };
    sum.iter().enumerate().filter_map(unused).collect()
}

/// At most so many contributions are wrong at once: what is tried grows with the terms to this power.
const CHANGED: usize = 3;

/// What is put for the items of a loss of `n` terms, the fewest changes first.
fn tried(n: usize) -> Vec<Vec<Summand>> {
    let changed = |s: &Vec<Summand>| s.iter().filter(|s| **s != Summand::Item).count();
    let mut all = vec![vec![]];
    for _ in 0..n {
        let longer = |last: Summand| all.iter().map(move |head| [&head[..], &[last]].concat());
        let each = [Summand::Item, Summand::Nothing, Summand::Raw]
            .into_iter()
            .flat_map(longer);
        all = each.filter(|s| changed(s) <= CHANGED).collect();
    }
    all.sort_by_key(changed);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn term(name: &'static str, weight: f64) -> Weighted {
        Weighted { name, weight }
    }

    const TERMS: &[Weighted] = &[term("iou", 2.5), term("dfl", 0.5), term("cls", 1.0)];
    const UNIT: f64 = 5.960464477539063e-8;

    fn clean() -> Values {
        Values {
            who: "candidate".into(),
            terms: vec![0.5, 0.25, 2.0],
            items: vec![1.25, 0.125, 2.0],
            total: 3.375,
            normaliser: 8.0,
            unit: UNIT,
        }
    }

    /// The flagged terms are `terms`, and every sentence has its word.
    fn check(ours: Values, terms: &[(&str, &str)]) {
        let found = test(&Beside {
            ours: &ours,
            reference: &clean(),
            terms: TERMS,
        });
        assert_eq!(
            found.iter().map(|f| f.place.as_str()).collect::<Vec<_>>(),
            terms.iter().map(|t| t.0).collect::<Vec<_>>(),
            "{ours:?}"
        );
        for (flag, (_, word)) in found.iter().zip(terms) {
            assert!(flag.is_fault() && flag.what.contains(word), "{}", flag.what);
        }
    }

    #[test]
    fn weights_that_act_raise_nothing_whatever_rounding_does() {
        check(clean(), &[]);
        check(
            Values {
                total: 3.375 * (1.0 + 2.0 * UNIT),
                items: vec![1.25 * (1.0 + UNIT), 0.125, 2.0],
                ..clean()
            },
            &[],
        );
        // No term, no weight to be seen.
        check(
            Values {
                terms: vec![0.5, 0.0, 2.0],
                items: vec![1.25, 0.0, 2.0],
                total: 3.25,
                ..clean()
            },
            &[],
        );
        check(
            Values {
                items: vec![2.0, 1.25, 0.125],
                ..clean()
            },
            &[],
        );
        check(
            Values {
                total: f64::NAN,
                items: vec![f64::NAN; 3],
                ..clean()
            },
            &[],
        );
    }

    #[test]
    fn a_weight_that_was_never_applied_is_named_with_its_term() {
        check(
            Values {
                items: vec![0.5, 0.125, 2.0],
                total: 2.625,
                ..clean()
            },
            &[("iou", "2.5 of term 'iou' is not applied")],
        );
        check(
            Values {
                items: vec![0.5, 0.25, 2.0],
                total: 2.75,
                ..clean()
            },
            &[("iou", "raw term"), ("dfl", "raw term")],
        );
    }

    #[test]
    fn a_weight_that_another_term_got_is_named_with_both() {
        let says = "has the weight of";
        check(
            Values {
                items: vec![0.25, 0.625, 2.0],
                total: 2.875,
                ..clean()
            },
            &[("iou", says), ("dfl", says)],
        );
    }

    #[test]
    fn a_total_that_lacks_a_contribution_names_it() {
        check(
            Values {
                total: 3.25,
                ..clean()
            },
            &[("dfl", "lacks term 'dfl', which contributes 1.25e-1")],
        );
        check(
            Values {
                total: 2.0,
                ..clean()
            },
            &[("iou", "lacks"), ("dfl", "lacks")],
        );
        check(
            Values {
                total: 2.625,
                ..clean()
            },
            &[("iou", "raw term 'iou', 5e-1")],
        );
    }

    #[test]
    fn a_weight_that_the_reference_does_not_use_either_is_expected() {
        let raw = Values {
            items: vec![0.5, 0.125, 2.0],
            total: 2.625,
            ..clean()
        };
        let found = test(&Beside {
            ours: &raw,
            reference: &raw,
            terms: TERMS,
        });
        assert_eq!(
            found
                .iter()
                .map(|f| (f.place.as_str(), f.is_fault()))
                .collect::<Vec<_>>(),
            [("iou", false)]
        );
    }
}

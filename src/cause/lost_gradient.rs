//! lost gradient: terms from which no gradient, or not every gradient, reaches the predictions.
//!
//! The stage of the gradients judges them; the ledger says here which term is dead, where the f64 graph's is not.

use super::loss::Reach;
use super::{Cause, Test};
use crate::verdict::{Finding, LOST_GRADIENT};

pub const CAUSE: Cause = Cause {
    name: LOST_GRADIENT,
    asks: "does a gradient of a term not reach a prediction that the f64 graph's reaches?",
    test: Test::Gradients(test),
};

fn reaches(norm: Option<f64>) -> bool {
    norm.is_some_and(|n| n != 0.0)
}

fn test(of: &Reach) -> Vec<Finding> {
    let mut others: Vec<&str> = of.into.iter().map(|i| i.0).collect();
    others.retain(|who| *who != of.reference);
    others.dedup();
    others.iter().flat_map(|who| of_opinion(of, who)).collect()
}

/// What of the term is dead for `who`; where it is dead in the reference too, that is no fault.
fn of_opinion(of: &Reach, who: &str) -> Vec<Finding> {
    let norms = |whose: &str| -> Vec<(&str, Option<f64>)> {
        let whose = of.into.iter().filter(|i| i.0 == whose);
        whose.map(|i| (i.1, i.2)).collect()
    };
    let (own, term) = (norms(who), of.term);
    let right: Vec<_> = norms(of.reference)
        .into_iter()
        .filter(|(_, norm)| reaches(*norm))
        .collect();
    let says = |what: String| Finding::new(CAUSE.name, term, what).of(who);
    if !own.iter().any(|(_, norm)| reaches(*norm)) {
        let what = format!("{who}: no gradient of term '{term}' reaches any prediction");
        return vec![says(what).expected(right.is_empty())];
    }
    let lost = |tensor: &str| own.iter().any(|(t, norm)| *t == tensor && !reaches(*norm));
    let missing = |(tensor, norm): (&str, Option<f64>)| {
        let (norm, reference) = (norm.unwrap_or_default(), of.reference);
        says(format!(
            "{who}: no gradient of term '{term}' reaches '{tensor}', in the {reference} its norm is {norm:e}"
        ))
        .number("reference", norm)
    };
    right
        .into_iter()
        .filter(|(tensor, _)| lost(tensor))
        .map(missing)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A term whose gradients into scores and distances have these norms, in the f64 graph and in the candidate: how many predictions each
    /// finding names, and whether it is a fault.
    fn found(right: [Option<f64>; 2], own: [Option<f64>; 2]) -> Vec<(usize, bool)> {
        let tensors = ["pred_scores", "pred_distri"];
        let into = |who: &'static str, norms: [Option<f64>; 2]| {
            let one = move |(tensor, norm)| (who, tensor, norm);
            tensors.into_iter().zip(norms).map(one)
        };
        let all = into("f64 graph", right).chain(into("candidate", own));
        let found = test(&Reach {
            term: "iou",
            into: all.collect(),
            reference: "f64 graph",
        });
        let named = |f: &Finding| tensors.iter().filter(|t| f.what.contains(**t)).count();
        found.iter().map(|f| (named(f), f.is_fault())).collect()
    }

    #[test]
    fn a_term_that_moves_what_the_reference_moves_is_alive() {
        assert_eq!(found([None, Some(2.0)], [None, Some(2.1)]), []);
        assert_eq!(found([Some(0.0), Some(2.0)], [None, Some(2.0)]), []);
    }

    #[test]
    fn a_term_without_any_gradient_is_dead_and_a_fault_unless_the_reference_has_none_either() {
        assert_eq!(found([None, Some(2.0)], [None, None]), [(0, true)]);
        assert_eq!(
            found([None, Some(2.0)], [Some(0.0), Some(0.0)]),
            [(0, true)]
        );
        assert_eq!(found([None, Some(0.0)], [None, None]), [(0, false)]);
    }

    #[test]
    fn one_prediction_that_no_gradient_reaches_any_more_is_named() {
        assert_eq!(
            found([Some(1.0), Some(2.0)], [Some(1.0), None]),
            [(1, true)]
        );
    }
}

//! lost gradient: terms from which no gradient, or not every gradient, reaches the predictions.
//!
//! The stage of the gradients judges them; the ledger says here which term is dead, where the f64 graph's is not.

use super::loss::{Flag, FlagKind, Into, Term};

/// What the ledger's gradients into the predictions show, per opinion; `reference` is whose gradients are right.
pub fn flags(terms: &[Term], reference: &str) -> Vec<Flag> {
    terms
        .iter()
        .flat_map(|term| of_term(term, reference))
        .collect()
}

fn of_term(term: &Term, reference: &str) -> Vec<Flag> {
    let reaches = |i: &Into| i.norm.is_some_and(|n| n != 0.0);
    let right: Vec<&Into> = term
        .into
        .iter()
        .filter(|i| i.who == reference && reaches(i))
        .collect();
    let mut others: Vec<&str> = term
        .into
        .iter()
        .map(|i| i.who.as_str())
        .filter(|w| *w != reference)
        .collect();
    others.dedup();
    let flag = |who: &str, kind, says, expected| Flag {
        who: who.into(),
        term: term.name.clone(),
        kind,
        says,
        expected,
    };
    let of_opinion = |who: &&str| -> Vec<Flag> {
        let own: Vec<&Into> = term.into.iter().filter(|i| i.who == **who).collect();
        if !own.iter().any(|i| reaches(i)) {
            let says = format!(
                "{who}: no gradient of term '{}' reaches any prediction",
                term.name
            );
            return vec![flag(who, FlagKind::ZeroGradient, says, right.is_empty())];
        }
        let lost = right
            .iter()
            .filter(|r| own.iter().any(|i| i.tensor == r.tensor && !reaches(i)));
        let missing = |r: &&Into| {
            let norm = r.norm.unwrap_or_default();
            let says = format!(
                "{who}: no gradient of term '{}' reaches '{}', in the {reference} its norm is {norm:e}",
                term.name, r.tensor
            );
            flag(who, FlagKind::MissingGradient, says, false)
        };
        lost.map(missing).collect()
    };
    others.iter().flat_map(of_opinion).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A term whose gradients into scores and distances have these norms, in the f64 graph and in the candidate.
    fn kinds(right: [Option<f64>; 2], own: [Option<f64>; 2]) -> Vec<(FlagKind, bool)> {
        let into = |who: &str, norms: [Option<f64>; 2]| {
            let one = |(tensor, norm): (&str, Option<f64>)| Into {
                who: who.into(),
                tensor: tensor.into(),
                norm,
            };
            ["pred_scores", "pred_distri"]
                .into_iter()
                .zip(norms)
                .map(one)
                .collect::<Vec<_>>()
        };
        let term = Term {
            name: "iou".into(),
            weight: 2.5,
            opinions: vec![],
            into: [into("f64 graph", right), into("candidate", own)].concat(),
        };
        flags(&[term], "f64 graph")
            .iter()
            .map(|f| (f.kind, f.expected))
            .collect()
    }

    #[test]
    fn a_term_that_moves_what_the_reference_moves_is_alive() {
        assert_eq!(kinds([None, Some(2.0)], [None, Some(2.1)]), []);
        assert_eq!(kinds([Some(0.0), Some(2.0)], [None, Some(2.0)]), []);
    }

    #[test]
    fn a_term_without_any_gradient_is_dead_and_a_fault_unless_the_reference_has_none_either() {
        assert_eq!(
            kinds([None, Some(2.0)], [None, None]),
            [(FlagKind::ZeroGradient, false)]
        );
        assert_eq!(
            kinds([None, Some(2.0)], [Some(0.0), Some(0.0)]),
            [(FlagKind::ZeroGradient, false)]
        );
        assert_eq!(
            kinds([None, Some(0.0)], [None, None]),
            [(FlagKind::ZeroGradient, true)]
        );
    }

    #[test]
    fn one_prediction_that_no_gradient_reaches_any_more_is_named() {
        assert_eq!(
            kinds([Some(1.0), Some(2.0)], [Some(1.0), None]),
            [(FlagKind::MissingGradient, false)]
        );
    }
}

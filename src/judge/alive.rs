//! alive: what agreement says nothing of: where NaN and infinities are made, and outputs that are dead.

use crate::compare::Specials;
use crate::tensor::Tensor;
use crate::verdict::{Accumulated, Ancestry, Born, Special, TensorResult, Unjudged, Why};
use std::collections::HashMap;

/// For each kind of special value the first node of each side that makes it: the tensor has some, and nothing in front of the node does.
/// `tensors` are in executable order; `fed` says whether a graph input that the step takes holds such values.
pub fn born(
    tensors: &[TensorResult],
    ancestry: &Ancestry,
    fed: &dyn Fn(usize, Special) -> bool,
) -> Vec<Born> {
    let mut all = Vec::new();
    for special in [Special::NaN, Special::Infinity] {
        let mut has: HashMap<usize, [bool; 2]> = HashMap::new();
        let mut found: [Option<&TensorResult>; 2] = [None, None];
        for t in tensors {
            let Some(specials) = specials(t) else {
                continue;
            };
            let counts = counts(specials, special);
            let before = |side: usize| {
                fed(t.step, special)
                    || ancestry.0[t.step]
                        .iter()
                        .any(|p| has.get(p).is_some_and(|h| h[side]))
            };
            for side in [0, 1] {
                if counts[side] > 0 && found[side].is_none() && !before(side) {
                    found[side] = Some(t);
                }
            }
            let own = has.entry(t.step).or_insert([false; 2]);
            *own = [own[0] || counts[0] > 0, own[1] || counts[1] > 0];
        }
        all.extend(told(found, special));
    }
    all
}

fn specials(t: &TensorResult) -> Option<&Specials> {
    match &t.accumulated {
        Accumulated::Compared { comparison, .. } => comparison.metrics().map(|m| &m.specials),
        Accumulated::TieFlip { .. } | Accumulated::NotJudged { .. } => None,
    }
}

/// How many elements of the reference and of the candidate are such.
fn counts(s: &Specials, special: Special) -> [u64; 2] {
    match special {
        Special::NaN => [s.nan_reference, s.nan_candidate],
        Special::Infinity => [s.inf_reference, s.inf_candidate],
    }
}

/// One line where both sides make it at the same node, else one for each.
fn told(found: [Option<&TensorResult>; 2], special: Special) -> Vec<Born> {
    let born = |t: &TensorResult, reference: bool, candidate: bool| {
        let elements = specials(t).map_or([0, 0], |s| counts(s, special));
        Born {
            special,
            node: t.node.clone(),
            op: t.op.clone(),
            tensor: t.name.clone(),
            reference,
            candidate,
            elements,
        }
    };
    match found {
        [Some(r), Some(c)] if r.name == c.name => vec![born(r, true, true)],
        [r, c] => r
            .map(|t| born(t, true, false))
            .into_iter()
            .chain(c.map(|t| born(t, false, true)))
            .collect(),
    }
}

/// Whether all inputs are constant: constant ones make constant outputs.
pub fn still<'a>(mut inputs: impl Iterator<Item = &'a Tensor>) -> bool {
    inputs.all(|t| {
        let size = t.dtype().size();
        t.bytes()
            .chunks(size)
            .all(|element| element == &t.bytes()[..size])
    })
}

/// An output that is all NaN on both sides, or, where it has several elements, all zero or all equal: two dead networks agree. `natural` says that
/// equal elements are what it is made of: a constant image, a scene without objects; then only NaN is dead.
pub fn dead(name: &str, reference: &Tensor, candidate: &Tensor, natural: bool) -> Option<Unjudged> {
    let how = |t: &Tensor| {
        let values = t.to_f64();
        let first = *values.first()?;
        match (
            values.iter().all(|v| v.is_nan()),
            values.iter().all(|v| *v == first),
        ) {
            (true, _) => Some("NaN".to_string()),
            (_, true) if values.len() > 1 && !natural => Some(format!("{first}")),
            _ => None,
        }
    };
    let both = reference.dtype().is_float() && candidate.dtype().is_float();
    let (r, c) = (how(reference).filter(|_| both)?, how(candidate)?);
    let says = format!(
        "every element of it is {r}{} on both sides: that they agree says nothing",
        if r == c {
            String::new()
        } else {
            format!(" or {c}")
        }
    );
    Some(Unjudged {
        what: format!("output '{name}'"),
        why: Why::Dead(says),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::compare;
    use crate::verdict::{ToleranceBy, sample};

    const NAN: f32 = f32::NAN;
    const INF: f32 = f32::INFINITY;
    const FINE: [f32; 2] = [1.0, 2.0];
    const BAD: [f32; 2] = [1.0, NAN];

    fn result(step: usize, reference: [f32; 2], candidate: [f32; 2]) -> TensorResult {
        let (r, c) = (Tensor::of(&[2], &reference), Tensor::of(&[2], &candidate));
        let comparison = compare(r.view(), c.view(), None);
        TensorResult {
            accumulated: Accumulated::Compared {
                comparison,
                ratio: 0.0,
                by: ToleranceBy::Exact,
            },
            ..sample::tensor(step)
        }
    }

    /// Where it says that special values are made: the node, on which sides, and how many elements of each.
    fn check(
        says: &str,
        tensors: &[TensorResult],
        parents: &[&[usize]],
        fed: Option<usize>,
        want: &[(Special, &str, bool, bool, [u64; 2])],
    ) {
        let ancestry = Ancestry(parents.iter().map(|p| p.to_vec()).collect());
        let found = born(tensors, &ancestry, &|step, _| fed == Some(step));
        let found: Vec<_> = found
            .iter()
            .map(|b| {
                (
                    b.special,
                    b.node.as_str(),
                    b.reference,
                    b.candidate,
                    b.elements,
                )
            })
            .collect();
        assert_eq!(found, want, "{says}");
    }

    #[test]
    fn the_node_that_makes_the_first_nan_is_named_with_its_side_also_where_both_agree() {
        let chain: &[&[usize]] = &[&[], &[0], &[1]];
        let apart: &[&[usize]] = &[&[], &[]];
        let of = |sides: &[[[f32; 2]; 2]]| {
            sides
                .iter()
                .enumerate()
                .map(|(i, [r, c])| result(i, *r, *c))
                .collect::<Vec<_>>()
        };
        let (both, none) = ([BAD, BAD], [FINE, FINE]);
        let nan = Special::NaN;
        check("nothing special", &of(&[none, none]), chain, None, &[]);
        check(
            "inherited by the third",
            &of(&[none, both, both]),
            chain,
            None,
            &[(nan, "n1", true, true, [1, 1])],
        );
        let sides = [
            (nan, "n1", true, false, [1, 1]),
            (nan, "n0", false, true, [0, 1]),
        ];
        check(
            "each side at its own node",
            &of(&[[FINE, BAD], both]),
            chain,
            None,
            &sides,
        );
        check(
            "the candidate alone",
            &of(&[[FINE, [NAN, NAN]]]),
            chain,
            None,
            &[(nan, "n0", false, true, [0, 2])],
        );
        check(
            "the reference alone",
            &of(&[[BAD, FINE]]),
            chain,
            None,
            &[(nan, "n0", true, false, [1, 0])],
        );
        check(
            "the first of two that make some",
            &of(&[both, both]),
            apart,
            None,
            &[(nan, "n0", true, true, [1, 1])],
        );
        let inf = Special::Infinity;
        let kinds = [
            (nan, "n1", true, true, [1, 1]),
            (inf, "n0", true, true, [1, 1]),
        ];
        check(
            "a NaN out of an infinity is another kind",
            &of(&[[[1.0, INF], [-INF, 1.0]], both]),
            chain,
            None,
            &kinds,
        );
    }

    #[test]
    fn what_was_fed_is_not_made_by_whoever_hands_it_on() {
        let chain: &[&[usize]] = &[&[], &[0]];
        let nan = Special::NaN;
        check(
            "through two nodes",
            &[result(0, BAD, BAD), result(1, BAD, BAD)],
            chain,
            Some(0),
            &[],
        );
        check(
            "the reference's",
            &[result(0, BAD, FINE), result(1, BAD, BAD)],
            chain,
            Some(0),
            &[(nan, "n1", false, true, [1, 1])],
        );
        check(
            "the candidate's",
            &[result(0, FINE, BAD), result(1, BAD, BAD)],
            chain,
            Some(0),
            &[(nan, "n1", true, false, [1, 1])],
        );
        let outputs = [
            result(0, BAD, BAD),
            result(0, FINE, FINE),
            result(1, BAD, BAD),
        ];
        check(
            "out of the first of two outputs",
            &outputs,
            chain,
            Some(0),
            &[],
        );
        let outputs = [
            result(0, FINE, FINE),
            result(0, BAD, BAD),
            result(1, BAD, BAD),
        ];
        check("out of the second", &outputs, chain, Some(0), &[]);
        check(
            "of no NaN one is made",
            &[result(0, FINE, FINE), result(1, BAD, BAD)],
            chain,
            Some(0),
            &[(nan, "n1", true, true, [1, 1])],
        );
    }

    #[test]
    fn two_dead_outputs_are_said_and_living_ones_are_not() {
        let of = |v: &[f32]| Tensor::of(&[v.len()], v);
        let zeros = Tensor::of(&[2], &[0i64, 0]);
        for (r, c, says) in [
            (of(&[NAN]), of(&[NAN]), "NaN"),
            (of(&[NAN, NAN]), of(&[NAN, NAN]), "NaN"),
            (of(&[0.0, 0.0]), of(&[0.0, -0.0]), "0"),
            (of(&[0.5, 0.5]), of(&[0.5, 0.5]), "0.5"),
            (of(&[0.5, 0.5]), of(&[2.0, 2.0]), "0.5 or 2"),
            (of(&[0.0]), of(&[0.0]), ""),
            (of(&[0.0, 1.0]), of(&[0.0, 0.0]), ""),
            (of(&[0.0, 0.0]), of(&[0.0, 1.0]), ""),
            (of(&[NAN, 1.0]), of(&[NAN, 1.0]), ""),
            (of(&[]), of(&[]), ""),
            (zeros.clone(), zeros.clone(), ""),
            (of(&[0.0, 0.0]), zeros.clone(), ""),
            (zeros, of(&[0.0, 0.0]), ""),
        ] {
            let found = |natural| dead("y", &r, &c, natural).map(|u| (u.what, u.why.to_string()));
            let line = |says: &str| {
                (
                    "output 'y'".into(),
                    format!(
                        "every element of it is {says} on both sides: that they agree says nothing"
                    ),
                )
            };
            assert_eq!(
                found(false),
                (!says.is_empty()).then(|| line(says)),
                "{:?} {:?}",
                r.to_f64(),
                c.to_f64()
            );
            let only_nan = (says == "NaN").then(|| line(says));
            assert_eq!(
                found(true),
                only_nan,
                "of constant inputs: {:?} {:?}",
                r.to_f64(),
                c.to_f64()
            );
        }
    }
}

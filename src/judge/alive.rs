//! alive: what agreement says nothing of: where NaN and infinities are made, and outputs that are dead.

use crate::compare::Specials;
use crate::tensor::Tensor;
use crate::verdict::{Accumulated, Ancestry, Born, Special, TensorResult, Unjudged, Why};
use std::collections::HashMap;

/// For each kind of special value the first node of each side that makes it: the tensor has some, and nothing in front of the node does.
/// `tensors` are in executable order; `fed` says whether a graph input that the step takes holds such values.
pub fn born(tensors: &[TensorResult], ancestry: &Ancestry, fed: &dyn Fn(usize, Special) -> bool) -> Vec<Born> {
    let mut all = Vec::new();
    for special in [Special::NaN, Special::Infinity] {
        let mut has: HashMap<usize, [bool; 2]> = HashMap::new();
        let mut found: [Option<&TensorResult>; 2] = [None, None];
        for t in tensors {
            let Some(specials) = specials(t) else { continue };
            let counts = counts(specials, special);
            let before = |side: usize| fed(t.step, special) || ancestry.0[t.step].iter().any(|p| has.get(p).is_some_and(|h| h[side]));
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
        Born { special, node: t.node.clone(), op: t.op.clone(), tensor: t.name.clone(), reference, candidate, elements }
    };
    match found {
        [Some(r), Some(c)] if r.name == c.name => vec![born(r, true, true)],
        [r, c] => r.map(|t| born(t, true, false)).into_iter().chain(c.map(|t| born(t, false, true))).collect(),
    }
}

/// An output that is all NaN on both sides, or, where it has several elements, all zero or all equal: two dead networks agree. `natural` says that
/// equal elements are what it is made of: a constant image, a scene without objects; then only NaN is dead.
pub fn dead(name: &str, reference: &Tensor, candidate: &Tensor, natural: bool) -> Option<Unjudged> {
    let how = |t: &Tensor| {
        let values = t.to_f64();
        let first = *values.first()?;
        match (values.iter().all(|v| v.is_nan()), values.iter().all(|v| *v == first)) {
            (true, _) => Some("NaN".to_string()),
            (_, true) if values.len() > 1 && !natural => Some(format!("{first}")),
            _ => None,
        }
    };
    let both = reference.dtype().is_float() && candidate.dtype().is_float();
    let (r, c) = (how(reference).filter(|_| both)?, how(candidate)?);
    let says = format!(
        "every element of it is {r}{} on both sides: that they agree says nothing",
        if r == c { String::new() } else { format!(" or {c}") }
    );
    Some(Unjudged { what: format!("output '{name}'"), why: Why::Dead(says) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::compare;
    use crate::verdict::{Isolated, ToleranceBy};

    const NAN: f32 = f32::NAN;

    fn result(step: usize, reference: [f32; 2], candidate: [f32; 2]) -> TensorResult {
        let (r, c) = (Tensor::of(&[2], &reference), Tensor::of(&[2], &candidate));
        TensorResult {
            name: format!("t{step}"),
            node: format!("n{step}"),
            op: "Op".into(),
            step,
            dtype: None,
            shape: vec![2],
            macs: 0,
            accumulated: Accumulated::Compared { comparison: compare(r.view(), c.view(), None), ratio: 0.0, by: ToleranceBy::Exact },
            isolated: Isolated::NotJudged { why: Why::Random },
            repeat_noise: None,
            inside: None,
        }
    }

    fn born_of(tensors: &[TensorResult], fed: bool) -> Vec<(Special, String, bool, bool)> {
        let chain = Ancestry((0..tensors.len()).map(|i| if i == 0 { vec![] } else { vec![i - 1] }).collect());
        born(tensors, &chain, &|step, _| fed && step == 0).into_iter().map(|b| (b.special, b.node, b.reference, b.candidate)).collect()
    }

    #[test]
    fn the_node_that_makes_the_first_nan_is_named_with_its_side_also_where_both_agree() {
        let (fine, bad) = ([1.0, 2.0], [1.0, NAN]);
        let at = |node: &str, r, c| (Special::NaN, node.to_string(), r, c);
        assert_eq!(born_of(&[result(0, fine, fine), result(1, fine, fine)], false), []);
        assert_eq!(born_of(&[result(0, fine, fine), result(1, bad, bad), result(2, bad, bad)], false), [at("n1", true, true)]);
        assert_eq!(born_of(&[result(0, fine, bad), result(1, bad, bad)], false), [at("n1", true, false), at("n0", false, true)]);
        assert_eq!(born_of(&[result(0, bad, bad), result(1, bad, bad)], true), [], "what came in was not made here");
        let inf = [f32::INFINITY, 1.0];
        assert_eq!(born_of(&[result(0, inf, inf), result(1, bad, bad)], false).len(), 2);
    }

    #[test]
    fn two_dead_outputs_are_said_and_living_ones_are_not() {
        let of = |v: &[f32]| Tensor::of(&[v.len()], v);
        for (r, c, says) in [
            (of(&[NAN]), of(&[NAN]), true),
            (of(&[NAN, NAN]), of(&[NAN, NAN]), true),
            (of(&[0.0, 0.0]), of(&[0.0, -0.0]), true),
            (of(&[0.5, 0.5]), of(&[0.5, 0.5]), true),
            (of(&[0.0]), of(&[0.0]), false),
            (of(&[0.0, 1.0]), of(&[0.0, 0.0]), false),
            (of(&[]), of(&[]), false),
            (Tensor::of(&[2], &[0i64, 0]), Tensor::of(&[2], &[0i64, 0]), false),
        ] {
            assert_eq!(dead("y", &r, &c, false).is_some(), says, "{:?} {:?}", r.to_f64(), c.to_f64());
            let nan = says && r.to_f64()[0].is_nan();
            assert_eq!(dead("y", &r, &c, true).is_some(), nan, "of constant inputs: {:?} {:?}", r.to_f64(), c.to_f64());
        }
    }
}

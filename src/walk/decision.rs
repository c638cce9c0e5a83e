//! decision: two sides that decide otherwise: is each decision what the node gives on that side's own inputs?
//!
//! A differing decision is a tie only where that is proved: each side's output is the node's own answer to that side's own inputs, and those
//! inputs were compared and are within. No margin and no floor is asked then. Where the inputs of a side are not at hand, the f64 margin on
//! the reference's inputs stands in for them.

use crate::error::Result;
use crate::floor::{Alone, Rounding};
use crate::subject::{Feed, Judge};
use crate::tensor::{DType, Tensor};

/// Whether `value`, which a side has for output `index` of a step, is what the node gives on that side's inputs `feed`. An error where the node
/// refuses them.
pub fn is_own(
    judge: &mut dyn Judge,
    step: usize,
    index: usize,
    value: &Tensor,
    feed: Feed,
) -> Result<bool> {
    let shadow = judge.eval(step, feed)?;
    let Some(alone) = decides(&judge.rounding(step, feed, &shadow)?[index]) else {
        return Ok(same(value, &shadow[index]));
    };
    if same(value, &shadow[index]) {
        return Ok(true);
    }
    match alone {
        Alone::Function => Ok(false),
        Alone::Order | Alone::Rounds => near(judge, step, index, value, &shadow[index], feed),
    }
}

/// Whether the border is nearer than what the node itself rounds.
fn near(
    judge: &mut dyn Judge,
    step: usize,
    index: usize,
    value: &Tensor,
    shadow: &Tensor,
    feed: Feed,
) -> Result<bool> {
    if value.shape() != shadow.shape() {
        return Ok(false);
    }
    Ok(match narrowed(shadow, value.dtype()).ok() {
        Some(shadow) => judge.margin(step, feed, index, &shadow, value)? == Some(0.0),
        None => false,
    })
}

/// The shadow in the dtype of a side.
pub fn narrowed(shadow: &Tensor, dtype: DType) -> Result<Tensor> {
    if shadow.dtype() == dtype {
        Ok(shadow.clone())
    } else {
        Tensor::from_f64(dtype, shadow.shape(), &shadow.to_f64())
    }
}

/// How an output decides; None where it rounds or moves data.
pub fn decides(rounding: &Rounding) -> Option<Alone> {
    match rounding {
        Rounding::Decision(alone) | Rounding::Selection(alone) => Some(*alone),
        Rounding::Exact | Rounding::Within { .. } | Rounding::Random => None,
    }
}

/// Whether `side` is the shadow's value, widened.
pub fn same(side: &Tensor, shadow: &Tensor) -> bool {
    let equal = |(a, b): (&f64, &f64)| a == b || a.is_nan() && b.is_nan();
    if side.shape() != shadow.shape() || side.dtype().is_float() != shadow.dtype().is_float() {
        return false;
    }
    match (side.to_i64(), shadow.to_i64()) {
        (Some(a), Some(b)) => a == b,
        _ => side.to_f64().iter().zip(&shadow.to_f64()).all(equal),
    }
}

#[cfg(test)]
mod tests {
    use super::super::paper::{self, Paper, floats, integers};
    use super::*;

    #[test]
    fn a_decision_is_a_sides_own_where_the_node_gives_it_on_that_sides_inputs() {
        let both = ["n: Both x -> twice whole"];
        let of = |op: &str| vec![format!("n: {op} x -> y")];
        let both: Vec<String> = both.map(str::to_string).into();
        let wide = |v: &[f64]| Tensor::from_vec(&[v.len()], v.to_vec());
        for (says, nodes, index, x, value, want) in [
            (
                "what it gives",
                of("Round"),
                0,
                floats(&[0.6, 2.0]),
                integers(&[1, 2]),
                true,
            ),
            (
                "in another integer",
                of("Round"),
                0,
                floats(&[0.6, 2.0]),
                Tensor::of(&[2], &[1i32, 2]),
                true,
            ),
            (
                "another one, however near the border",
                of("Round"),
                0,
                floats(&[0.5, 2.0]),
                integers(&[0, 2]),
                false,
            ),
            (
                "near what it rounds before",
                of("Blurred"),
                0,
                floats(&[0.495, 2.0]),
                integers(&[1, 2]),
                true,
            ),
            (
                "near, in another integer",
                of("Blurred"),
                0,
                floats(&[0.495, 2.0]),
                Tensor::of(&[2], &[1i32, 2]),
                true,
            ),
            (
                "too far for that",
                of("Blurred"),
                0,
                floats(&[0.4, 2.0]),
                integers(&[1, 2]),
                false,
            ),
            (
                "near, of another shape",
                of("Blurred"),
                0,
                floats(&[0.495, 2.0]),
                integers(&[1]),
                false,
            ),
            (
                "an order whose border nobody can tell",
                of("NonMaxSuppression"),
                0,
                floats(&[0.5]),
                integers(&[0]),
                false,
            ),
            (
                "the second output",
                both.clone(),
                1,
                floats(&[0.6]),
                integers(&[1]),
                true,
            ),
            (
                "another second output",
                both.clone(),
                1,
                floats(&[0.6]),
                integers(&[0]),
                false,
            ),
            (
                "what does not decide, the same",
                of("Double"),
                0,
                floats(&[1.5]),
                wide(&[3.0]),
                true,
            ),
            (
                "what does not decide, another",
                of("Double"),
                0,
                floats(&[1.5]),
                wide(&[3.5]),
                false,
            ),
        ] {
            let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
            let mut judge = Paper(paper::graph(&["x"], &nodes, &[]));
            let feed = |n: &str| (n == "x").then(|| x.clone());
            assert_eq!(
                is_own(&mut judge, 0, index, &value, &feed).unwrap(),
                want,
                "{says}"
            );
        }
        let mut judge = Paper(paper::graph(&["x"], &["n: Refuses x -> y"], &[]));
        assert!(
            is_own(&mut judge, 0, 0, &integers(&[1]), &|_| Some(floats(&[0.6]))).is_err(),
            "a node that refuses the inputs"
        );
    }

    #[test]
    fn a_side_has_the_shadows_value_in_any_width_of_the_same_kind() {
        let (nan, big) = (f32::NAN, 1i64 << 53);
        let wide = |shape: &[usize], v: &[f64]| Tensor::from_vec(shape, v.to_vec());
        for (side, shadow, want) in [
            (floats(&[1.0, 2.0]), wide(&[2], &[1.0, 2.0]), true),
            (floats(&[1.0, 2.0]), wide(&[2], &[1.0, 3.0]), false),
            (floats(&[0.0]), wide(&[1], &[-0.0]), true),
            (floats(&[nan, 1.0]), wide(&[2], &[f64::NAN, 1.0]), true),
            (floats(&[nan]), wide(&[1], &[1.0]), false),
            (floats(&[1.0]), wide(&[1], &[f64::NAN]), false),
            (floats(&[1.0, 2.0]), wide(&[2, 1], &[1.0, 2.0]), false),
            (floats(&[1.0, 2.0]), wide(&[1], &[1.0]), false),
            (floats(&[1.0]), integers(&[1]), false),
            (integers(&[1]), wide(&[1], &[1.0]), false),
            (integers(&[big]), integers(&[big]), true),
            (integers(&[big]), integers(&[big + 1]), false),
            (Tensor::of(&[1], &[7i32]), integers(&[7]), true),
            (Tensor::of(&[1], &[7i32]), integers(&[8]), false),
        ] {
            assert_eq!(
                same(&side, &shadow),
                want,
                "{side:?} {:?}, {shadow:?} {:?}",
                side.to_f64(),
                shadow.to_f64()
            );
        }
    }

    #[test]
    fn a_shadow_is_brought_to_the_dtype_of_a_side_and_left_exact_where_it_has_it() {
        let exact = integers(&[(1 << 53) + 1]);
        assert_eq!(narrowed(&exact, DType::I64).unwrap().bytes(), exact.bytes());
        let narrow = narrowed(&Tensor::of(&[1], &[0.1f64]), DType::F32).unwrap();
        assert_eq!(narrow.values::<f32>(), Some(&[0.1f32][..]));
    }

    #[test]
    fn decisions_and_selections_decide_and_nothing_else_does() {
        let within = Rounding::Within {
            family: crate::floor::Family::Arithmetic,
            scale: floats(&[1.0]),
            terms: 1,
        };
        for (rounding, want) in [
            (Rounding::Decision(Alone::Rounds), Some(Alone::Rounds)),
            (Rounding::Selection(Alone::Order), Some(Alone::Order)),
            (Rounding::Exact, None),
            (within, None),
            (Rounding::Random, None),
        ] {
            assert_eq!(decides(&rounding), want, "{rounding:?}");
        }
    }
}

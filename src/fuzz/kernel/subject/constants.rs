//! constants: how far may a form be off because its file rounded its constants?
//!
//! Exporters store in f32 what the code wrote in decimal. Every such constant is moved by two roundings of its dtype either way; what that does to
//! an answer is its floor (`fuzz::spread`). A constant of few digits was not rounded.

use crate::floor::noise;
use crate::graph::Graph;
use crate::tensor::{DType, Tensor};
use indexmap::IndexMap;
use rand::Rng;

/// The same for every case: the constants are.
const SEED: u64 = 0x636f_6e73_7461_6e74;

/// The form with its rounded constants moved, otherwise in each run; None where none was rounded.
pub fn moved(form: &Graph, run: u32) -> Option<Graph> {
    let mut weights: IndexMap<String, Tensor> = form.weights.clone();
    let mut steps = form.steps.clone();
    // A node that gives a constant becomes a weight.
    steps.retain(|s| {
        match (
            s.op(),
            s.outputs.as_slice(),
            s.nodes[0].attributes.get("value").and_then(|a| a.tensor()),
        ) {
            ("Constant", [name], Some(Ok(t))) if is_rounded(&t) => {
                weights.insert(name.clone(), t).is_some()
            }
            _ => true,
        }
    });
    let mut signs = noise::signs(SEED, run, 0);
    let mut any = false;
    for t in weights.values_mut().filter(|t| is_rounded(t)) {
        let step = 2.0 * t.dtype().unit_roundoff();
        let one = |v: f64| {
            if signs.next_u32() & 1 == 0 {
                v * (1.0 + step)
            } else {
                v * (1.0 - step)
            }
        };
        *t = Tensor::from_f64(
            t.dtype(),
            t.shape(),
            &t.to_f64().into_iter().map(one).collect::<Vec<f64>>(),
        )
        .ok()?;
        any = true;
    }
    any.then(|| Graph {
        weights,
        steps,
        ..form.clone()
    })
}

/// Whether a constant is one that its dtype cannot hold as it was written: it fills more than half of the digits.
fn is_rounded(t: &Tensor) -> bool {
    t.dtype().is_float()
        && t.dtype() != DType::F64
        && t.to_f64()
            .iter()
            .any(|v| digits(*v) > digits_of(t.dtype()) / 2)
}

/// Binary digits of a number, those of a dtype.
fn digits(v: f64) -> u32 {
    let mantissa = v.to_bits() & ((1 << 52) - 1) | 1 << 52;
    if v.is_finite() && v != 0.0 {
        53 - mantissa.trailing_zeros()
    } else {
        0
    }
}

fn digits_of(dtype: DType) -> u32 {
    -dtype.unit_roundoff().log2() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constant_of_few_digits_was_not_rounded_and_one_in_f64_is_as_it_was_written() {
        let of = |v: f32| is_rounded(&Tensor::from_vec(&[], vec![v]));
        for exact in [0.0, 0.5, 1.0, 2.0, 4.0, 16.0, 640.0, 0.75, f32::INFINITY] {
            assert!(!of(exact), "{exact}");
        }
        for rounded in [1e-7, 1e-9, 0.1, std::f32::consts::PI, 0.4052847] {
            assert!(of(rounded), "{rounded}");
        }
        assert!(!is_rounded(&Tensor::from_vec(&[], vec![1e-7f64])));
        assert!(!is_rounded(&Tensor::from_vec(&[], vec![16_777_217i64])));
    }
}

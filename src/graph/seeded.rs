//! seeded: the rule `seeded-1`: weights from a seed and a parameter's name, bit for bit the same in every language.
//!
//! A model that states `parity.weights = "seeded-1 seed=N"` in its metadata leaves its parameters' data out: docs/WEIGHTS.md has
//! the rule. Integers wrap at 64 bits; reals are f64 with + − × ÷ and √ only, rounded once to f32.

use super::proto::TensorProto;
use crate::error::{Error, Result};
use crate::hash;
use crate::tensor::{DType, Tensor, checked_numel};

/// The metadata key that names the rule.
pub const KEY: &str = "parity.weights";

/// Numbers that one drawn tensor holds at most.
const MOST: usize = 1 << 30;

/// From v in [−1, 1), the fan-in and the element's index to the value.
type Value = fn(v: f64, fan_in: f64, index: usize) -> f64;

/// The roles of a name, first match first: the last parts of its name, ranks, value. `#` stands for a number, `*` for a word.
const ROLES: &[(&[&str], std::ops::Range<usize>, Value)] = &[
    (&["num_batches_tracked"], 0..9, |_, _, _| 0.0),
    (&["running_mean"], 1..2, |v, _, _| v * 0.1),
    (&["running_var"], 1..2, |v, _, _| 1.0 + v * 0.25),
    (&["proj"], 0..9, |_, _, i| i as f64),
    (&["proj_conv", "weight"], 0..9, |_, _, i| i as f64),
    (&["cls_preds", "#", "bias"], 1..2, |v, _, _| {
        v * 0.1 - 4.59511985013459
    }),
    (&["reg_preds", "#", "bias"], 1..2, |v, _, _| v * 0.1 + 1.0),
    (&["cls_preds", "#", "weight"], 2..9, |v, fan, _| {
        v * (0.375 / fan).sqrt()
    }),
    (&["reg_preds", "#", "weight"], 2..9, |v, fan, _| {
        v * (0.375 / fan).sqrt()
    }),
    (&["weight"], 2..9, |v, fan, _| v * (6.0 / fan).sqrt()),
    (&["branches", "*", "weight"], 1..2, |v, _, _| {
        0.5 + v * 0.125
    }),
    (&["branches", "*", "bn", "weight"], 1..2, |v, _, _| {
        0.5 + v * 0.125
    }),
    (&["weight"], 1..2, |v, _, _| 1.0 + v * 0.25),
    (&["bias"], 1..2, |v, _, _| v * 0.1),
];

/// The seed that the metadata's text states.
///
/// # Errors
/// Another rule, or no number.
pub fn seed(text: &str) -> Result<u64> {
    let seed = text
        .strip_prefix("seeded-1 seed=")
        .and_then(|n| n.parse().ok());
    seed.ok_or_else(|| {
        Error::usage(format!("metadata '{KEY}' is '{text}'"))
            .next("expected 'seeded-1 seed=N': docs/WEIGHTS.md")
    })
}

/// Whether the tensor was left without data.
pub fn is_empty(t: &TensorProto) -> bool {
    let external = t.data_location == Some(1);
    let typed = t.float_data.is_empty()
        && t.double_data.is_empty()
        && t.int32_data.is_empty()
        && t.int64_data.is_empty();
    !external
        && typed
        && t.uint64_data.is_empty()
        && t.raw_data.as_ref().is_none_or(|r| r.is_empty())
        && !t.dims.contains(&0)
}

/// The parameter `name` of `shape` under `seed`: f32, or i64 for a step counter.
///
/// # Errors
/// A name or rank that the rule has no role for, more than 2³⁰ elements.
pub fn draw(name: &str, shape: &[usize], seed: u64) -> Result<Tensor> {
    let numel = checked_numel(shape)?;
    if numel > MOST {
        return Err(Error::usage(format!(
            "weight '{name}' {shape:?}: {numel} numbers are more than the rule draws ({MOST})"
        )));
    }
    let value = role(name, shape.len()).ok_or_else(|| {
        Error::usage(format!(
            "weight '{name}' {shape:?} has no data and no role in seeded-1"
        ))
        .next("docs/WEIGHTS.md lists the names it knows")
    })?;
    let fan_in = shape.iter().skip(1).product::<usize>() as f64;
    let key = key(name, seed);
    let at = |i: usize| {
        let bits = hash::bits(key, i as u64) >> 40;
        value(bits as f64 / (1u64 << 23) as f64 - 1.0, fan_in, i)
    };
    if name.ends_with("num_batches_tracked") {
        return Ok(Tensor::from_vec(shape, vec![0i64; numel]));
    }
    Ok(Tensor::from_vec(
        shape,
        (0..numel).map(|i| at(i) as f32).collect::<Vec<_>>(),
    ))
}

/// The dtype that the rule draws `name` in.
pub fn dtype(name: &str) -> DType {
    if name.ends_with("num_batches_tracked") {
        DType::I64
    } else {
        DType::F32
    }
}

fn role(name: &str, rank: usize) -> Option<Value> {
    let parts: Vec<&str> = name.split('.').collect();
    let part = |have: &str, want: &str| match want {
        "#" => !have.is_empty() && have.bytes().all(|b| b.is_ascii_digit()),
        "*" => !have.is_empty() && have.bytes().all(|b| b.is_ascii_lowercase()),
        _ => have == want,
    };
    let ends = |tail: &[&str]| {
        parts.len() >= tail.len()
            && parts[parts.len() - tail.len()..]
                .iter()
                .zip(tail)
                .all(|(h, w)| part(h, w))
    };
    ROLES
        .iter()
        .find(|(tail, ranks, _)| ranks.contains(&rank) && ends(tail))
        .map(|row| row.2)
}

/// FNV-1a of the name's UTF-8 bytes, xor the first output of splitmix64 for this seed.
pub(super) fn key(name: &str, seed: u64) -> u64 {
    hash::fnv(name.as_bytes()) ^ hash::bits(seed, 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Deserialize)]
    struct Stored {
        seed: u64,
        /// By name: shape, SHA-256, kind, block types.
        tensors: BTreeMap<String, (Vec<usize>, String, String, Vec<String>)>,
    }

    /// The digests are numpy's.
    #[test]
    fn every_parameter_of_gold_yolo_has_the_bits_that_numpy_draws() {
        let text = include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/golden/gold_yolo/weights.json"
        ));
        let stored: Stored = serde_json::from_str(text).unwrap();
        assert!(stored.tensors.len() > 500, "{}", stored.tensors.len());
        for (name, (shape, sha256, ..)) in &stored.tensors {
            let drawn = draw(name, shape, stored.seed).unwrap();
            assert_eq!(drawn.dtype(), dtype(name));
            assert_eq!(digest::of_bytes(drawn.bytes()), *sha256, "{name}");
        }
    }

    #[test]
    fn another_seed_or_name_gives_other_weights_and_an_unknown_name_none() {
        let bits = |name: &str, seed| draw(name, &[4, 3], seed).unwrap().to_f64();
        assert_ne!(bits("a.weight", 0), bits("a.weight", 1));
        assert_ne!(bits("a.weight", 0), bits("b.weight", 0));
        assert!(
            draw("a.gamma", &[4], 0)
                .unwrap_err()
                .message
                .contains("no role")
        );
        assert!(
            draw("a.weight", &[1 << 20, 1 << 20], 0)
                .unwrap_err()
                .message
                .contains("more than the rule draws")
        );
        assert!(seed("seeded-2 seed=1").is_err() && seed("seeded-1 seed=x").is_err());
        assert_eq!(seed("seeded-1 seed=7").unwrap(), 7);
    }
}

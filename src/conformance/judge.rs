//! judge: outputs against what the suite expects, by this project's own comparator; and corrupted copies that it must not let pass.

use super::{Controls, Outcome};
use crate::compare::{Tolerance, judge};
use crate::tensor::{DType, Tensor, Value};

/// How the suite judges numbers: |have − want| <= atol + rtol·|want|.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    pub rtol: f64,
    pub atol: f64,
}

/// Whether `have` is what was expected.
pub fn outputs(want: &[Value], have: &[Value], allowed: Allowed) -> Outcome {
    if want.len() != have.len() {
        return Outcome::Failed(format!("{} outputs, expected {}", have.len(), want.len()));
    }
    let difference = want
        .iter()
        .zip(have)
        .enumerate()
        .find_map(|(i, (w, h))| Some((i, differs(w, h, allowed)?)));
    difference.map_or(Outcome::Passed, |(i, why)| {
        Outcome::Failed(format!("output {i}: {why}"))
    })
}

/// In what `have` differs; None where it agrees.
fn differs(want: &Value, have: &Value, allowed: Allowed) -> Option<String> {
    match (want, have) {
        (Value::Tensor(w), Value::Tensor(h)) => numbers(w, h, allowed),
        (Value::Narrow(d, w), Value::Narrow(e, h)) if d == e => numbers(w, h, allowed),
        (Value::Strings(s, w), Value::Strings(t, h)) => {
            (s != t || w != h).then(|| format!("{h:?} {t:?}, expected {w:?} {s:?}"))
        }
        (Value::Sequence(w), Value::Sequence(h)) if w.len() == h.len() => {
            w.iter().zip(h).find_map(|(w, h)| differs(w, h, allowed))
        }
        (Value::Optional(Some(w)), Value::Optional(Some(h))) => differs(w, h, allowed),
        (Value::Optional(None), Value::Optional(None)) => None,
        // The suite's runner unwraps an optional that holds something.
        (Value::Optional(Some(w)), h) => differs(w, h, allowed),
        _ => Some(format!("{have:?}, expected {want:?}")),
    }
}

fn numbers(want: &Tensor, have: &Tensor, allowed: Allowed) -> Option<String> {
    if (want.dtype(), want.shape()) != (have.dtype(), have.shape()) {
        return Some(format!("{have:?}, expected {want:?}"));
    }
    let tolerance = match want.dtype().is_float() {
        true => Tolerance::Flat {
            atol: allowed.atol,
            rtol: allowed.rtol,
        },
        false => Tolerance::Exact,
    };
    let judged = judge(want.view(), have.view(), &tolerance);
    let at = judged.first?;
    let (h, w) = (have.to_f64()[at], want.to_f64()[at]);
    Some(format!(
        "{} of {} elements differ, first [{at}]: {h}, expected {w}",
        judged.failing,
        want.numel()
    ))
}

/// Corrupts the first output of numbers (beyond its tolerance; with a NaN, where the dtype has one; in another shape) and counts
/// what the comparator lets pass.
pub fn controls(want: &[Value], allowed: Allowed) -> Controls {
    let first = want
        .iter()
        .enumerate()
        .find_map(|(i, v)| v.tensor().filter(|t| t.numel() > 0).map(|t| (i, t)));
    let Some((i, tensor)) = first else {
        return Controls::default();
    };
    let mut tally = Controls::default();
    for corrupted in corrupted(tensor) {
        let mut have = want.to_vec();
        have[i] = Value::Tensor(corrupted);
        tally.made += 1;
        tally.missed += usize::from(outputs(want, &have, allowed) == Outcome::Passed);
    }
    tally
}

fn corrupted(t: &Tensor) -> Vec<Tensor> {
    let other_shape = Tensor::from_bytes(t.dtype(), [t.shape(), &[1]].concat(), t.bytes());
    // Half as much again and a half: beyond rtol in every float dtype; NaN and infinities become a number.
    let far = |x: f64| {
        if x.is_finite() {
            x * 1.5 + 0.5f64.copysign(x)
        } else {
            0.0
        }
    };
    let moved = match t.dtype().is_float() {
        true => with_first(t, far),
        false => flipped(t),
    };
    let nan = t.dtype().is_float().then(|| match t.to_f64()[0].is_nan() {
        // A NaN that is expected is corrupted by a number in its place.
        true => with_first(t, |_| 1.0),
        false => with_first(t, |_| f64::NAN),
    });
    [Some(moved), nan, other_shape.ok()]
        .into_iter()
        .flatten()
        .collect()
}

/// The first element, a float, replaced.
fn with_first(t: &Tensor, f: impl Fn(f64) -> f64) -> Tensor {
    let x = f(t.to_f64()[0]);
    let first = match t.dtype() {
        DType::F64 => x.to_le_bytes().to_vec(),
        DType::F16 => half::f16::from_f64(x).to_le_bytes().to_vec(),
        DType::BF16 => half::bf16::from_f64(x).to_le_bytes().to_vec(),
        _ => (x as f32).to_le_bytes().to_vec(),
    };
    let bytes = [&first, &t.bytes()[first.len()..]].concat();
    Tensor::from_bytes(t.dtype(), t.shape().to_vec(), &bytes).expect("as many bytes as before")
}

/// The lowest bit of the first element, an integer or a boolean, turned over.
fn flipped(t: &Tensor) -> Tensor {
    let mut bytes = t.bytes().to_vec();
    bytes[0] ^= 1;
    Tensor::from_bytes(t.dtype(), t.shape().to_vec(), &bytes).expect("as many bytes as before")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUITE: Allowed = Allowed {
        rtol: 1e-3,
        atol: 1e-7,
    };

    fn check(want: Value, have: Value, passes: bool) {
        assert_eq!(
            outputs(
                std::slice::from_ref(&want),
                std::slice::from_ref(&have),
                SUITE
            ) == Outcome::Passed,
            passes,
            "{want:?} {have:?}"
        );
    }

    fn f32s(v: &[f32]) -> Value {
        Value::Tensor(Tensor::of(&[v.len()], v))
    }

    #[test]
    fn numbers_within_the_suites_tolerance_pass_and_everything_else_must_be_equal() {
        check(f32s(&[1.0, f32::NAN]), f32s(&[1.0009, f32::NAN]), true);
        check(f32s(&[1.0]), f32s(&[1.0011]), false);
        check(
            f32s(&[1.0]),
            Value::Tensor(Tensor::of(&[1], &[1f64])),
            false,
        );
        check(
            f32s(&[1.0]),
            Value::Tensor(Tensor::of(&[1, 1], &[1f32])),
            false,
        );
        check(
            Value::Tensor(Tensor::of(&[1], &[1000i64])),
            Value::Tensor(Tensor::of(&[1], &[1001i64])),
            false,
        );
        let words = |w: &str| Value::Strings(vec![1], vec![w.to_string()]);
        check(words("a"), words("a"), true);
        check(words("a"), words("b"), false);
        check(
            Value::Sequence(vec![f32s(&[1.0])]),
            Value::Sequence(vec![f32s(&[1.0])]),
            true,
        );
        check(
            Value::Sequence(vec![f32s(&[1.0])]),
            Value::Sequence(vec![]),
            false,
        );
        check(
            Value::Optional(None),
            Value::Optional(Some(Box::new(words("a")))),
            false,
        );
    }

    #[test]
    fn no_corrupted_copy_passes_whatever_the_dtype() {
        let halves: Vec<half::f16> = vec![half::f16::from_f32(3.0)];
        let floats = [
            f32s(&[0.0, 1.0]),
            f32s(&[f32::NAN]),
            f32s(&[f32::INFINITY]),
            Value::Tensor(Tensor::of(&[1], &halves)),
        ];
        for want in floats {
            assert_eq!(controls(&[want], SUITE), Controls { made: 3, missed: 0 });
        }
        assert_eq!(
            controls(&[Value::Tensor(Tensor::of(&[1], &[7i32]))], SUITE),
            Controls { made: 2, missed: 0 }
        );
        assert_eq!(controls(&[f32s(&[])], SUITE), Controls::default());
    }
}

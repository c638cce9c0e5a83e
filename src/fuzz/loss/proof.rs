//! proof: does a form that was asked to compute in f64 do so throughout?
//!
//! Seventeen points on a line shorter than four steps of f32: what computes in f64 is straight there, and what is rounded to f32 anywhere
//! goes in steps or not at all.

use super::form::{Form, double};
use crate::error::{Error, Result};
use crate::hash;
use crate::subject::Answered;
use crate::subject::kernels::edit::floats;
use crate::tensor::{DType, Tensor};

/// Points on a line, and how long it is, relative to each number.
const POINTS: u32 = 17;
const LENGTH: f64 = 1.0 / (1 << 22) as f64;
/// How far from straight a line may be.
const BENT: f64 = 1e-4;

/// Whether the form is straight on most of the lines on which it moves.
///
/// # Errors
/// What the form refuses; one that says something else of the same inputs, or moves on no line.
pub fn computes_in_f64(form: &mut dyn Form, cases: &[Vec<Tensor>]) -> Result<bool> {
    let (mut moving, mut straight) = (0, 0);
    for given in cases {
        let first = form.answer(given)?;
        repeats(&first, &form.answer(given)?)?;
        let is_wide = |(_, t): &(String, Tensor)| !t.dtype().is_float() || t.dtype() == DType::F64;
        if !first.values.iter().all(is_wide) {
            return Ok(false);
        }
        let at = |k: u32| form.answer(&along(given, k)).map(|a| numbers(&a));
        if numbers(&first).is_empty() {
            // Whole numbers are what they are.
            return Ok(true);
        }
        let line = (0..POINTS).map(at).collect::<Result<Vec<_>>>()?;
        if let Some(is) = is_straight(&line) {
            moving += 1;
            straight += usize::from(is);
        }
    }
    if moving == 0 {
        return Err(Error::uncovered("no number that it gives on plain inputs moves with them, so whether it computes in f64 cannot be told")
            .next("are these the domains of the inputs? --domain NAME=DOMAIN"));
    }
    Ok(2 * straight > moving)
}

/// Every float `k` steps nearer to 0, some faster than others.
fn along(given: &[Tensor], k: u32) -> Vec<Tensor> {
    let step = LENGTH * f64::from(k) / f64::from(POINTS - 1);
    let pace =
        |i: usize, e: usize| 0.5 + (hash::bits(i as u64, e as u64) >> 12) as f64 * 2f64.powi(-53);
    let one = |(i, t): (usize, &Tensor)| floats(&double(t), |e, v| v * (1.0 - step * pace(i, e)));
    given.iter().enumerate().map(one).collect()
}

fn numbers(said: &Answered) -> Vec<f64> {
    let is_float = |(_, t): &&(String, Tensor)| t.dtype().is_float();
    let of = |(_, t): &(String, Tensor)| t.to_f64();
    said.values.iter().filter(is_float).flat_map(of).collect()
}

/// Whether all numbers that move do so evenly; None where none does.
fn is_straight(line: &[Vec<f64>]) -> Option<bool> {
    let (first, last) = (line.first()?, line.last()?);
    let (mut moves, mut even) = (false, true);
    for i in 0..first.len() {
        let (a, b) = (first[i], last[i]);
        let rounding = 1e-13 * a.abs().max(b.abs());
        let span = (b - a).abs();
        if !span.is_finite() || span <= rounding / BENT {
            continue;
        }
        moves = true;
        let steps = (line.len() - 1) as f64;
        let off = |(k, y): (usize, &Vec<f64>)| (y[i] - (a + (b - a) * k as f64 / steps)).abs();
        even &= line
            .iter()
            .enumerate()
            .map(off)
            .all(|off| off <= BENT * span + rounding);
    }
    moves.then_some(even)
}

/// A form is a function of what it is given.
fn repeats(first: &Answered, second: &Answered) -> Result<()> {
    let same = |(a, b): (&f64, &f64)| {
        a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= 1e-6 * a.abs()
    };
    match numbers(first).iter().zip(&numbers(second)).all(same) {
        true => Ok(()),
        false => Err(Error::usage(
            "it gives other values on the same inputs: it keeps a state or draws random numbers",
        )
        .next("take the state out, or save it in evaluation mode")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A function of the one number that it is given.
    struct Of(fn(f64) -> f64);

    impl Form for Of {
        fn answer(&mut self, given: &[Tensor]) -> Result<Answered> {
            let values = given[0]
                .to_f64()
                .into_iter()
                .map(self.0)
                .collect::<Vec<_>>();
            let values = vec![("y".to_string(), Tensor::from_vec(given[0].shape(), values))];
            Ok(Answered {
                values,
                gradients: vec![],
            })
        }
    }

    fn proof(f: fn(f64) -> f64) -> Result<bool> {
        let cases = [0.3f32, -1.7, 12.5].map(|x| vec![Tensor::of(&[2], &[x, 3.0 * x])]);
        computes_in_f64(&mut Of(f), &cases)
    }

    fn is_proved(f: fn(f64) -> f64) -> bool {
        proof(f).unwrap()
    }

    #[test]
    fn what_is_rounded_to_f32_anywhere_is_no_f64() {
        assert!(is_proved(|x| (x * x).exp().ln_1p()));
        assert!(is_proved(|x| (x - 0.25).abs().sqrt()));
        assert!(!is_proved(|x| f64::from(x as f32) * 3.0), "the input");
        assert!(
            !is_proved(|x| f64::from((x * x) as f32) + x),
            "a part of it"
        );
        assert!(!is_proved(|x| f64::from((x * 1.1) as f32).sqrt()));
        let stills: [fn(f64) -> f64; 2] = [|_| 1.0, |_| f64::NAN];
        for still in stills {
            let e = proof(still).unwrap_err();
            assert!(e.message.contains("cannot be told"), "{}", e.message);
        }
    }
}

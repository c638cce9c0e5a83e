//! judged: one output of one engine against the f64 shadow, by the rounding that its operator is allowed; and a copy that is off, refused.

use parity::error::Result;
use parity::floor::{Alone, Family, Rounding, family};
use parity::tensor::Tensor;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// The judge's margin between the shadow and a candidate.
pub type Margin<'a> = &'a mut dyn FnMut(&Tensor) -> Result<Option<f64>>;

/// The worst error in units of u·√K·S, or what is wrong.
pub fn held(
    tensor: &Tensor,
    shadow: &Tensor,
    rounding: &Rounding,
    margin: Margin,
) -> std::result::Result<f64, String> {
    if tensor.shape() != shadow.shape() {
        return Err(format!(
            "shape {:?}, shadow {:?}",
            tensor.shape(),
            shadow.shape()
        ));
    }
    match rounding {
        Rounding::Random => Ok(0.0),
        Rounding::Exact => exact(tensor, shadow),
        // A function of its inputs has no ties.
        Rounding::Decision(Alone::Function) | Rounding::Selection(Alone::Function) => {
            decided(tensor, shadow, &mut |_| Ok(None))
        }
        Rounding::Decision(_) | Rounding::Selection(_) => decided(tensor, shadow, margin),
        Rounding::Within {
            family,
            scale,
            terms,
        } => within(tensor, shadow, *family, &scale.to_f64(), *terms),
    }
}

fn exact(tensor: &Tensor, shadow: &Tensor) -> std::result::Result<f64, String> {
    let (have, want) = (tensor.to_f64(), shadow.to_f64());
    let same = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
    // Integers beyond 2^53 are told apart by their own bits.
    let integers = tensor.dtype() == shadow.dtype() && !tensor.dtype().is_float();
    let alike = have.iter().zip(&want).all(same) && (!integers || tensor.bytes() == shadow.bytes());
    if alike {
        Ok(0.0)
    } else {
        Err(format!("{have:?} shadow {want:?}"))
    }
}

/// The same decision, or a tie.
fn decided(tensor: &Tensor, shadow: &Tensor, margin: Margin) -> std::result::Result<f64, String> {
    let (have, want) = (tensor.to_f64(), shadow.to_f64());
    let same = |(a, b): (&f64, &f64)| a == b || a.is_nan() && b.is_nan();
    if have.iter().zip(&want).all(same) {
        return Ok(0.0);
    }
    let like = if tensor.dtype().is_float() {
        Tensor::of(tensor.shape(), &have)
    } else {
        tensor.clone()
    };
    match margin(&like) {
        Ok(Some(0.0)) => Ok(0.0),
        margin => Err(format!("{have:?} shadow {want:?}, margin {margin:?}")),
    }
}

fn within(
    tensor: &Tensor,
    shadow: &Tensor,
    family: Family,
    scale: &[f64],
    terms: usize,
) -> std::result::Result<f64, String> {
    let (unit, tiny) = (tensor.dtype().unit_roundoff(), tensor.dtype().tiny());
    let mut worst = 0f64;
    for (i, (a, b)) in tensor.to_f64().iter().zip(&shadow.to_f64()).enumerate() {
        if !b.is_finite() || a == b {
            if !(a == b || a.is_nan() && b.is_nan()) {
                return Err(format!("[{i}] {a} shadow {b}"));
            }
            continue;
        }
        // Nothing bounds it; S that is NaN is a formula that is wrong.
        if scale[i] == f64::INFINITY {
            continue;
        }
        let error = ((a - b).abs() - tiny).max(0.0);
        let ratio = error / (scale[i] * unit * (terms.max(1) as f64).sqrt());
        let bound = scale[i] * family::bound(family, terms, unit);
        // What is more than the dtype holds may overflow on its way, or not.
        if !a.is_finite() && scale[i] + bound > tensor.dtype().largest() {
            continue;
        }
        if a.is_nan() || error > bound || !bound.is_finite() {
            return Err(format!(
                "[{i}] {a} shadow {b}: {ratio:.1} of u·√K·S ({family:?}, K {terms}, S {})",
                scale[i]
            ));
        }
        worst = worst.max(if error == 0.0 { 0.0 } else { ratio });
    }
    Ok(worst)
}

/// `tensor` passed; a copy that is off by more than it may be does not, or the check could not fail.
pub fn refuses_what_is_off(
    tensor: &Tensor,
    shadow: &Tensor,
    rounding: &Rounding,
    margin: Margin,
) -> std::result::Result<(), String> {
    let off = match rounding {
        Rounding::Random => return Ok(()),
        _ if tensor.numel() == 0 => {
            Tensor::from_bytes(tensor.dtype(), [tensor.shape(), &[0]].concat(), &[])
                .expect("nothing in it")
        }
        Rounding::Exact => flipped(tensor, &[tensor.numel() / 2]),
        // Every element: one of them alone may be a tie.
        Rounding::Decision(_) | Rounding::Selection(_) => {
            flipped(tensor, &(0..tensor.numel()).collect::<Vec<_>>())
        }
        Rounding::Within {
            family,
            scale,
            terms,
        } => match moved(tensor, shadow, *family, &scale.to_f64(), *terms) {
            Some(off) => off,
            None => return Ok(()),
        },
    };
    let all_tied = |margin: Margin| off.numel() > 0 && matches!(margin(&off), Ok(Some(0.0)));
    match (held(&off, shadow, rounding, margin), rounding) {
        (Err(_), _) => Ok(()),
        (Ok(_), Rounding::Decision(_) | Rounding::Selection(_)) if all_tied(margin) => Ok(()),
        (Ok(_), _) => Err(format!(
            "{:?} passes for {:?}",
            off.to_f64(),
            shadow.to_f64()
        )),
    }
}

/// The last bit of some elements the other way round; 0 where that is no other number.
fn flipped(tensor: &Tensor, elements: &[usize]) -> Tensor {
    let (mut bytes, size, before) = (
        tensor.bytes().to_vec(),
        tensor.dtype().size(),
        tensor.to_f64(),
    );
    for i in elements {
        let own = &mut bytes[i * size..][..size];
        if before[*i].is_nan() {
            own.fill(0)
        } else {
            own[0] ^= 1
        }
    }
    Tensor::from_bytes(tensor.dtype(), tensor.shape().to_vec(), &bytes)
        .expect("as many bytes as before")
}

/// One element as little beyond its bound as its dtype can say; None where no element has a bound.
fn moved(
    tensor: &Tensor,
    shadow: &Tensor,
    family: Family,
    scale: &[f64],
    terms: usize,
) -> Option<Tensor> {
    let at = (0..scale.len())
        .map(|i| (i + scale.len() / 2) % scale.len())
        .find(|i| scale[*i] < f64::INFINITY)?;
    let (mut values, want) = (tensor.to_f64(), shadow.to_f64());
    let (dtype, b) = (tensor.dtype(), want[at]);
    let allowed = scale[at] * family::bound(family, terms, dtype.unit_roundoff()) + dtype.tiny();
    let mut step = 2.0 * allowed;
    values[at] = if b.is_finite() { b } else { 0.0 };
    while b.is_finite() && (dtype.round(values[at]) - b).abs() <= allowed {
        values[at] = b + step.copysign(b);
        step *= 2.0;
    }
    Some(Tensor::from_f64(dtype, tensor.shape(), &values).expect("as many values as before"))
}

/// Appends a new worst error where PARITY_RATIOS asks for it.
pub fn record(rounding: &Rounding, op: &str, engine: &str, ratio: f64) {
    static WORST: Mutex<BTreeMap<String, f64>> = Mutex::new(BTreeMap::new());
    let (Some(path), Rounding::Within { family, .. }) =
        (std::env::var_os("PARITY_RATIOS"), rounding)
    else {
        return;
    };
    let key = format!("{} {op} {engine}", family.name());
    let mut worst = WORST.lock().expect("no test panics here");
    let before = worst.entry(key.clone()).or_insert(-1.0);
    if ratio > *before {
        *before = ratio;
        let mut file = std::fs::OpenOptions::new()
            .append(true)
            .create(true)
            .open(path)
            .expect("a file to append to");
        std::io::Write::write_all(&mut file, format!("{key} {ratio:.3}\n").as_bytes())
            .expect("an append");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parity::tensor::DType;

    fn no_margin(_: &Tensor) -> Result<Option<f64>> {
        Ok(None)
    }

    fn check(tensor: &Tensor, shadow: &[f64], rounding: &Rounding, passes: bool) {
        let shadow = Tensor::of(&[shadow.len()], shadow);
        assert_eq!(
            held(tensor, &shadow, rounding, &mut no_margin).is_ok(),
            passes,
            "{tensor:?} {rounding:?}"
        );
    }

    #[test]
    fn what_is_within_its_bound_or_has_none_passes_and_what_is_beyond_does_not() {
        let bound = |s: f64| Rounding::Within {
            family: Family::Arithmetic,
            scale: Tensor::of(&[1], &[s]),
            terms: 1,
        };
        let of = |v: f32| Tensor::of(&[1], &[v]);
        check(
            &of(1.0 + 3.0 * f32::EPSILON / 2.0),
            &[1.0],
            &bound(1.0),
            true,
        );
        check(&of(1.0 + 3.0 * f32::EPSILON), &[1.0], &bound(1.0), false);
        check(&of(2.0), &[1.0], &bound(f64::INFINITY), true);
        check(&of(2.0), &[1.0], &bound(f64::NAN), false);
        check(&of(f32::NAN), &[1.0], &bound(1.0), false);
        check(&of(f32::MAX), &[f64::INFINITY], &bound(1.0), false);
        check(&of(1.0), &[1.0, 1.0], &bound(1.0), false);
    }

    #[test]
    fn bits_and_integers_beyond_what_f64_holds_are_told_apart() {
        check(
            &Tensor::of(&[1], &[-0.0f32]),
            &[0.0],
            &Rounding::Exact,
            false,
        );
        let large = |v: i64| Tensor::of(&[1], &[v]);
        assert!(exact(&large((1 << 53) + 1), &large(1 << 53)).is_err());
        assert!(
            exact(
                &Tensor::of(&[1], &[u64::MAX]),
                &Tensor::of(&[1], &[u64::MAX - 1])
            )
            .is_err()
        );
        assert!(decided(&large(1), &large(2), &mut |_| Ok(Some(0.25))).is_err());
        assert!(decided(&large(1), &large(2), &mut |_| Ok(Some(0.0))).is_ok());
    }

    #[test]
    fn a_check_that_lets_everything_pass_is_noticed() {
        let tensor = Tensor::of(&[2], &[1.0f32, 2.0]);
        let shadow = Tensor::of(&[2], &[1.0f64, 2.0]);
        let decision = |m: f64| {
            refuses_what_is_off(
                &tensor,
                &shadow,
                &Rounding::Decision(Alone::Function),
                &mut |_| Ok(Some(m)),
            )
        };
        assert!(decision(0.5).is_ok() && decision(0.0).is_ok());
        let scale = Tensor::of(&[2], &[1.0f64; 2]);
        let within = Rounding::Within {
            family: Family::Arithmetic,
            scale,
            terms: 1,
        };
        let off = moved(&tensor, &shadow, Family::Arithmetic, &[1.0; 2], 1).expect("a bound");
        assert!(held(&off, &shadow, &within, &mut no_margin).is_err());
        assert!(
            (off.to_f64()[1] - 2.0).abs() < 1e-5,
            "as little as f32 can say"
        );
        assert!(flipped(&Tensor::of(&[1], &[f32::NAN]), &[0]).to_f64() == [0.0]);
        assert_eq!(
            flipped(
                &Tensor::from_bytes(DType::Bool, vec![1], &[1]).unwrap(),
                &[0]
            )
            .to_f64(),
            [0.0]
        );
    }
}

//! alike: equal terms round alike, so that a sum of them may be further off than one of as many terms that differ.
//!
//! How s + t is rounded is a function of t and of the binade of s. A term that comes m times is therefore rounded m times the same way, while
//! the roundings of terms that differ are independent: the variance of the whole is Σm², over the different terms, times that of one
//! rounding. B = max(β, γ·√K)·u·S is the case in which every m is 1; here √K becomes √Σm², which is K where all terms are equal (and
//! K·u·S holds for any sum). Zeros round nothing.
//!
//! Σm² is drawn and not counted (Alon, Matias and Szegedy, 1996, "The space complexity of approximating the frequency moments"): every number
//! is replaced by a sign that equal numbers share, and the operator itself sums the signs; the mean of the squares is Σm². The product
//! of two signs is such a sign of the pair, so that products, convolutions and equations need no code of their own.

use super::super::call::Call;
use super::common::{done, is_float};
use parity::error::Result;
use parity::floor::Family;
use parity::hash;
use tch::{Kind, Tensor};

/// How often signs are drawn.
const RUNS: u64 = 8;

/// What comes fewer times is within what β and γ allow beyond anything seen: a sum of pairs has twice the variance, not twice the error.
const FEW: usize = 8;

/// Σm² up to this many times K may be the draw's own spread, and is taken for K.
const SPREAD: f64 = 2.0;

/// `scale`, multiplied so that B is max(β, γ·√Σm²)·u·S. `factors` are the inputs of which every term holds a number; `sum` is what the
/// operator makes of other inputs, without any weights of its own.
pub fn scaled(
    call: &Call,
    (family, terms): (Family, usize),
    scale: Tensor,
    factors: &[usize],
    sum: Sum,
) -> Result<Tensor> {
    let Some(squares) = squares(call, factors, sum)? else {
        return Ok(scale);
    };
    done(|| {
        let repeated = squares
            .f_ge(SPREAD * terms as f64)?
            .f_to_kind(Kind::Double)?;
        let factor = squares
            .f_mul(&repeated)?
            .f_sqrt()?
            .f_mul_scalar(family.gamma() / family.allowed(terms))?
            .f_clamp_min(1.0)?;
        scale.f_mul(&factor)
    })
}

/// `scale` where the number of roundings n, `met`, differs from element to element: B is max(β, min(n, γ·√Σm²))·u·S with the γ of sums, since
/// n roundings of at most u·S each bound any sum.
pub fn counted(
    call: &Call,
    (family, met): (Family, &Tensor),
    scale: &Tensor,
    factors: &[usize],
    sum: Sum,
) -> Result<Tensor> {
    let drawn = squares(call, factors, sum)?;
    done(|| {
        let met = met.f_to_kind(Kind::Double)?;
        let squares = match drawn {
            Some(drawn) => {
                drawn.f_where_self(&drawn.f_ge_tensor(&met.f_mul_scalar(SPREAD)?)?, &met)?
            }
            None => met.shallow_clone(),
        };
        let steps = squares
            .f_sqrt()?
            .f_mul_scalar(Family::Reduction.gamma())?
            .f_minimum(&met)?;
        scale.f_mul(&steps.f_div_scalar(family.allowed(1))?.f_clamp_min(1.0)?)
    })
}

/// What an operator makes of the same call on other inputs.
pub type Sum<'a> = &'a dyn Fn(&Call) -> Result<Tensor>;

/// Σm² of every output element; None where no term can come often enough to matter.
pub fn squares(call: &Call, factors: &[usize], sum: Sum) -> Result<Option<Tensor>> {
    if !may_repeat(call, factors)? {
        return Ok(None);
    }
    let mut all: Option<Tensor> = None;
    for run in 0..RUNS {
        let signs = |(i, t): (usize, &Option<Tensor>)| {
            t.as_ref()
                .map(|t| signs(t, run << 8 | i as u64))
                .transpose()
        };
        let signed = call.with_inputs(
            call.inputs()
                .iter()
                .enumerate()
                .map(signs)
                .collect::<Result<_>>()?,
        );
        let total = sum(&signed)?;
        let own = done(|| {
            total
                .f_to_kind(Kind::Double)?
                .f_square()?
                .f_div_scalar(RUNS as f64)
        })?;
        all = Some(all.map_or(Ok(own.shallow_clone()), |before| {
            done(|| before.f_add(&own))
        })?);
    }
    Ok(all)
}

/// Floats replaced by signs that equal numbers share, another for every `salt`; zeros and integers (indices, shapes) stay.
fn signs(t: &Tensor, salt: u64) -> Result<Tensor> {
    if !is_float(t) {
        return Ok(t.shallow_clone());
    }
    let sign = |key: u32| match key << 1 {
        0 => 0.0,
        _ if hash::bits(u64::from(key) ^ salt << 32, 0) >> 63 == 0 => 1.0,
        _ => -1.0,
    };
    let signs: Vec<f32> = keys(t)?.into_iter().map(sign).collect();
    done(|| Tensor::f_from_slice(&signs)?.f_reshape(t.size()))
}

/// Whether terms can be equal [`FEW`] times or more: whether each of the numbers that they are made of can.
fn may_repeat(call: &Call, factors: &[usize]) -> Result<bool> {
    let mut inputs: Vec<&Tensor> = factors
        .iter()
        .filter_map(|i| call.optional(*i))
        .filter(|t| is_float(t))
        .collect();
    // The smallest first: it is counted fastest, and is mostly the weight.
    inputs.sort_by_key(|t| t.numel());
    for t in &inputs {
        let mut keys = keys(t)?;
        keys.retain(|key| key << 1 != 0);
        if !crowded(&keys) {
            return Ok(false);
        }
        keys.sort_unstable();
        if !keys.windows(FEW).any(|w| w[0] == w[FEW - 1]) {
            return Ok(false);
        }
    }
    Ok(!inputs.is_empty())
}

/// Whether [`FEW`] numbers fall together somewhere in a table of four places a number: where none do, none can be equal, and nothing is sorted.
fn crowded(keys: &[u32]) -> bool {
    let bits = (4 * keys.len())
        .next_power_of_two()
        .trailing_zeros()
        .clamp(8, 24);
    let mut met = vec![0u8; 1 << bits];
    keys.iter().any(|key| {
        let place = &mut met[(hash::bits(u64::from(*key), 0) >> (64 - bits)) as usize];
        *place += 1;
        usize::from(*place) == FEW
    })
}

/// The bits of every number in single precision: in an f64 walk equal numbers may differ by their last bit.
fn keys(t: &Tensor) -> Result<Vec<u32>> {
    let narrow: Vec<f32> = done(|| {
        Vec::try_from(
            t.f_detach()?
                .f_to_kind(Kind::Float)?
                .f_contiguous()?
                .f_reshape([-1])?,
        )
    })?;
    Ok(narrow.into_iter().map(f32::to_bits).collect())
}

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, f32s, random};
    use approx::assert_relative_eq;
    use parity::tensor;

    const K: usize = 1600;

    fn same(n: usize) -> tensor::Tensor {
        f32s(&[n], &vec![0.3; n])
    }

    /// Repeats of 4 numbers, in stripes or one after the other.
    fn four(n: usize, run: usize) -> tensor::Tensor {
        f32s(
            &[n],
            &(0..n)
                .map(|i| [0.3f32, 0.7, 0.11, -0.9][i / run % 4])
                .collect::<Vec<_>>(),
        )
    }

    fn drawn(seed: u64) -> tensor::Tensor {
        random(&[K], seed, -1.0, 1.0)
    }

    /// S of the product of two vectors, in units of Σ|a||b|; as MatMul, and as a convolution with a kernel as long as its input.
    fn check(a: &tensor::Tensor, b: &tensor::Tensor, want: f64, within: f64) {
        let plain: f64 = a
            .to_f64()
            .iter()
            .zip(b.to_f64())
            .map(|(a, b)| (a * b).abs())
            .sum();
        let shaped = |t: &tensor::Tensor| {
            f32s(
                &[1, 1, K],
                &t.to_f64().iter().map(|v| *v as f32).collect::<Vec<_>>(),
            )
        };
        let product = Case::new("MatMul", 13)
            .with(a.clone())
            .with(b.clone())
            .scale()
            .expect("it rounds")[0];
        let conv = Case::new("Conv", 13)
            .with(shaped(a))
            .with(shaped(b))
            .scale()
            .expect("it rounds")[0];
        assert_relative_eq!(product / plain, want, max_relative = within);
        assert_relative_eq!(conv / plain, want, max_relative = within);
    }

    #[test]
    fn terms_that_differ_leave_the_bound_as_it_is() {
        check(&drawn(1), &drawn(2), 1.0, 1e-12);
        // A constant image under weights that differ makes products that differ.
        check(&same(K), &drawn(2), 1.0, 1e-12);
        check(&drawn(1), &four(K, 1), 1.0, 1e-12);
    }

    #[test]
    fn terms_that_repeat_add_their_errors_up() {
        let all = (K as f64).sqrt();
        check(&same(K), &same(K), all, 1e-6);
        check(&same(K), &four(K, 1), all / 2.0, 0.5);
        check(&four(K, 1), &four(K, 400), all / 4.0, 0.5);
        check(&four(K, 400), &four(K, 400), all / 2.0, 0.5);
    }

    #[test]
    fn one_row_of_equal_numbers_is_found_among_others() {
        let mut rows = random(&[9, K], 3, -1.0, 1.0).to_f64();
        rows[4 * K..5 * K].fill(0.3);
        let x = f32s(&[9, K], &rows.iter().map(|v| *v as f32).collect::<Vec<_>>());
        let scale = Case::new("ReduceSum", 11)
            .with(x)
            .ints("axes", &[1])
            .scale()
            .expect("it rounds");
        let plain = |i: usize| rows[i * K..][..K].iter().map(|v| v.abs()).sum::<f64>();
        for (i, s) in scale.iter().enumerate() {
            assert_relative_eq!(
                s / plain(i),
                if i == 4 { (K as f64).sqrt() } else { 1.0 },
                max_relative = 1e-6
            );
        }
    }
}

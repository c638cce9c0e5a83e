//! common: what the kernels of several families share: axes, indices, errors and margins.

use super::super::call::Call;
use super::super::convert::torch_error;
use parity::error::{Error, Result};
use parity::tensor::DType;
use tch::{Device, Kind, TchError, Tensor};

pub type Torch = std::result::Result<Tensor, TchError>;

/// Absolute error in units of u·S that hides the range in which f32 is subnormal or flushed to zero: 2⁻¹²⁶ / 2⁻²⁴.
pub const UNDERFLOW: f64 = 1.0 / (1u128 << 102) as f64;

/// Infinite where the squares of x sum to more than single precision holds over the axes, else 0: nothing bounds what an engine then gives.
pub fn beyond(x: &Tensor, over: &[i64]) -> Torch {
    unbounded(&f64_of(x)?.f_square()?.f_sum_dim_intlist(over, true, None)?)
}

/// Infinite where a sum that is taken on the way is more than single precision holds, else 0.
pub fn unbounded(sum: &Tensor) -> Torch {
    let sum = f64_of(sum)?;
    sum.f_zeros_like()?
        .f_masked_fill(&sum.f_gt(f64::from(f32::MAX))?, f64::INFINITY)
}

/// S of a mean of `terms` numbers, which nothing bounds where their sum overflows before it is divided.
pub fn unless_unbounded(mean: &Tensor, terms: usize) -> Torch {
    mean.f_add(&unbounded(&mean.f_mul_scalar(terms as f64)?)?)
}

/// What the `p`-th root `y` of a sum of powers may be off by in units of u where each of its `terms` may be flushed to zero.
pub fn flushed(y: &Tensor, terms: usize, p: f64) -> Torch {
    let lost = terms as f64 * f64::from(f32::MIN_POSITIVE);
    y.f_pow_tensor_scalar(p)?
        .f_add_scalar(lost)?
        .f_pow_tensor_scalar(1.0 / p)?
        .f_sub(y)?
        .f_div_scalar(DType::F32.unit_roundoff())
}

/// What libtorch computes in several steps, with its error as ours.
pub fn done<T>(steps: impl FnOnce() -> std::result::Result<T, TchError>) -> Result<T> {
    steps().map_err(torch_error)
}

/// The only output of a kernel.
pub fn one(result: Torch) -> Result<Vec<Tensor>> {
    Ok(vec![result.map_err(torch_error)?])
}

/// The only scale of an operator that sums `terms` terms.
pub fn scaled(result: Torch, terms: usize) -> Result<Vec<(Tensor, usize)>> {
    Ok(vec![(result.map_err(torch_error)?, terms)])
}

pub fn is_float(t: &Tensor) -> bool {
    matches!(
        t.kind(),
        Kind::Double | Kind::Float | Kind::Half | Kind::BFloat16
    )
}

/// Input `i`, which must be of floats.
///
/// Kernels that give libtorch a number beside a tensor ask for it: tch frees that number before it reads libtorch's error, and
/// panics if there is one, so such calls must not be able to fail.
pub fn float<'a>(call: &'a Call, i: usize) -> Result<&'a Tensor> {
    let x = call.input(i)?;
    if is_float(x) {
        Ok(x)
    } else {
        Err(Error::usage(format!(
            "input {i} should be floats, is {:?}",
            x.kind()
        )))
    }
}

/// Input `i`, which must be of numbers: floats or integers.
pub fn number<'a>(call: &'a Call, i: usize) -> Result<&'a Tensor> {
    let x = call.input(i)?;
    if x.kind() == Kind::Bool {
        return Err(Error::usage(format!(
            "input {i} should be numbers, is Bool"
        )));
    }
    Ok(x)
}

/// Smallest and largest integer of a kind, both exact in f64; None of a wider one and of floats.
pub fn range(kind: Kind) -> Option<(i64, i64)> {
    Some(match kind {
        Kind::Uint8 => (0, 255),
        Kind::Int8 => (-128, 127),
        Kind::Int16 => (-32_768, 32_767),
        Kind::Int => (i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => return None,
    })
}

/// Numbers of f64 cut towards zero to integers of `kind`, those beyond its ends at the ends.
pub fn cut(y: &Tensor, kind: Kind) -> Torch {
    // The largest that f64 has below the end of a wider one.
    let widest = (-9_223_372_036_854_774_784, 9_223_372_036_854_774_784);
    let (low, high) = range(kind).unwrap_or(widest);
    y.f_trunc()?
        .f_clamp(low as f64, high as f64)?
        .f_to_kind(kind)
}

/// 0, 1, ... n − 1.
pub fn counted(n: i64) -> Result<Tensor> {
    if !(0..=1 << 28).contains(&n) {
        return Err(Error::usage(format!("{n} numbers cannot be counted")));
    }
    Tensor::f_arange(n, (Kind::Int64, Device::Cpu)).map_err(torch_error)
}

/// An axis counted from the front; ONNX counts negative ones from the back.
pub fn axis(axis: i64, rank: usize) -> Result<usize> {
    let front = if axis < 0 { axis + rank as i64 } else { axis };
    usize::try_from(front)
        .ok()
        .filter(|a| *a < rank)
        .ok_or_else(|| Error::usage(format!("axis {axis} is outside rank {rank}")))
}

/// Axes counted from the front, each at most once.
pub fn axes(list: &[i64], rank: usize) -> Result<Vec<usize>> {
    let mut axes = list
        .iter()
        .map(|a| axis(*a, rank))
        .collect::<Result<Vec<_>>>()?;
    axes.sort_unstable();
    match axes.windows(2).find(|w| w[0] == w[1]) {
        Some(twice) => Err(Error::usage(format!("axis {} is stated twice", twice[0]))),
        None => Ok(axes),
    }
}

/// The integers that moved from attribute `name` to input `i` in a later opset.
pub fn moved(call: &Call, i: usize, name: &str) -> Result<Option<Vec<i64>>> {
    match call.ints(name)? {
        Some(list) => Ok(Some(list)),
        None => call.integers(i),
    }
}

pub fn signed(axes: &[usize]) -> Vec<i64> {
    axes.iter().map(|a| *a as i64).collect()
}

/// `shape` with 1 everywhere but at `axis`, so that a vector lies along it.
pub fn along(rank: usize, axis: usize, len: i64) -> Vec<i64> {
    (0..rank).map(|d| if d == axis { len } else { 1 }).collect()
}

/// Number of elements; None where it does not fit (or a dimension is negative).
pub fn count(shape: &[i64]) -> Result<i64> {
    let n = shape
        .iter()
        .try_fold(1i64, |n, d| if *d < 0 { None } else { n.checked_mul(*d) });
    n.ok_or_else(|| Error::usage(format!("{shape:?} is no shape of a tensor")))
}

/// `a` op `b` on sizes from a file, refused where it overflows.
pub fn fits(n: Option<i64>) -> Result<i64> {
    n.filter(|n| n.unsigned_abs() < 1 << 48)
        .ok_or_else(|| Error::usage("a size or an offset is beyond what memory can hold"))
}

/// As many numbers as there are axes, each `default` where the list is absent.
pub fn per_axis(list: Option<Vec<i64>>, len: usize, default: i64, what: &str) -> Result<Vec<i64>> {
    let list = list.unwrap_or_else(|| vec![default; len]);
    if list.len() != len {
        return Err(Error::usage(format!(
            "{what} {list:?} should be {len} numbers"
        )));
    }
    list.iter().map(|v| fits(Some(*v))).collect()
}

/// Indices into a dimension of `len`: negative ones count from the back, those outside are refused.
pub fn wrapped(indices: &Tensor, len: i64) -> Result<Tensor> {
    // Looked at here: as tensors these are seven calls of libtorch, more than what is done with a few indices.
    let i = indices.f_to_kind(Kind::Int64).map_err(torch_error)?;
    let values: Vec<i64> = i
        .f_reshape([-1])
        .and_then(Vec::try_from)
        .map_err(torch_error)?;
    if let Some(out) = values.iter().find(|v| !(-len..len).contains(v)) {
        return Err(Error::usage(format!(
            "index {out} is outside a dimension of {len}"
        )));
    }
    match values.iter().any(|v| *v < 0) {
        true => i
            .f_where_self(
                &i.f_ge(0).map_err(torch_error)?,
                &i.f_add_scalar(len).map_err(torch_error)?,
            )
            .map_err(torch_error),
        false => Ok(i),
    }
}

/// A vector of 64-bit integers.
pub fn vector(values: &[i64]) -> Torch {
    Tensor::f_from_slice(values)
}

/// `values` in `kind`, shaped so that they lie along `axis` of `rank`.
pub fn weights(values: &[f64], kind: Kind, rank: usize, axis: usize) -> Torch {
    Tensor::f_from_slice(values)?
        .f_to_kind(kind)?
        .f_reshape(along(rank, axis, values.len() as i64))
}

/// A tensor full of `value`.
pub fn full(shape: &[i64], value: f64, kind: Kind) -> Torch {
    Tensor::f_full(shape, value, (kind, Device::Cpu))
}

/// Largest `distance` among the elements where `reference` and `candidate` differ.
pub fn largest_where_different(
    distance: Torch,
    reference: &Tensor,
    candidate: &Tensor,
) -> Result<f64> {
    let largest = || {
        let differs = reference.f_ne_tensor(candidate)?;
        let hit = distance?
            .f_to_kind(Kind::Double)?
            .f_broadcast_to(differs.size())?
            .f_masked_select(&differs)?;
        if hit.numel() == 0 {
            Ok(0.0)
        } else {
            hit.f_max()?.f_double_value(&[])
        }
    };
    largest().map_err(torch_error)
}

/// `distance` at the worst element where the sides differ and one of them is not among `alternatives`, what rounding inside the operator may
/// make of it; infinite where even that is 0, and 0 where there is no such element.
pub fn largest_beyond(
    alternatives: &[Tensor],
    distance: &Tensor,
    reference: &Tensor,
    candidate: &Tensor,
) -> Result<f64> {
    let largest = || {
        let known = |t: &Tensor| {
            let t = f64_of(t)?;
            let hit = |a: &Tensor| {
                f64_of(a)?
                    .f_eq_tensor(&t)?
                    .f_logical_or(&f64_of(a)?.f_isnan()?.f_logical_and(&t.f_isnan()?)?)
            };
            alternatives
                .iter()
                .try_fold(t.f_zeros_like()?.f_to_kind(Kind::Bool)?, |seen, a| {
                    seen.f_logical_or(&hit(a)?)
                })
        };
        let differs = reference.f_ne_tensor(candidate)?;
        let beyond = known(reference)?
            .f_logical_and(&known(candidate)?)?
            .f_logical_not()?
            .f_logical_and(&differs)?;
        let hit = f64_of(distance)?
            .f_broadcast_to(beyond.size())?
            .f_masked_select(&beyond)?;
        if hit.numel() == 0 {
            Ok(0.0)
        } else {
            hit.f_max()?
                .f_double_value(&[])
                .map(|d| if d > 0.0 { d } else { f64::INFINITY })
        }
    };
    largest().map_err(torch_error)
}

pub fn f64_of(t: &Tensor) -> Torch {
    t.f_to_kind(Kind::Double)
}

//! reduce: sums, means, products and extremes over axes.

use super::super::call::Call;
use super::super::convert::torch_error;
use super::common::{Torch, axes, axis, moved, one, scaled, signed};
use super::{Op, Scale, op};
use parity::error::{Error, Result};
use parity::floor::Family::{Arithmetic, Reduction};
use tch::{Kind, Tensor};

type Over = fn(&Tensor, &[i64], bool) -> Torch;

/// Axes to reduce over, keepdims; no axes at all where the operator is to do nothing.
fn plan(call: &Call) -> Result<(Vec<i64>, bool)> {
    let (rank, keep) = (call.input(0)?.dim(), call.int("keepdims", 1)? != 0);
    let nothing = call.int("noop_with_empty_axes", 0)? != 0;
    let over = match moved(call, 1, "axes")?.filter(|list| !list.is_empty()) {
        Some(list) => axes(&list, rank)?,
        None if nothing => Vec::new(),
        None => (0..rank).collect(),
    };
    Ok((signed(&over), keep))
}

/// `f` over the axes, after `before` and followed by `after`, which hold also where no axis is reduced.
fn reduce(call: &Call, f: Over) -> Result<Vec<Tensor>> {
    let (over, keep) = plan(call)?;
    let x = call.input(0)?;
    one(if over.is_empty() { Ok(x.shallow_clone()) } else { f(x, &over, keep) })
}

fn on(call: &Call, before: fn(&Tensor) -> Torch, f: Over, after: fn(&Tensor) -> Torch) -> Result<Vec<Tensor>> {
    let mapped = before(call.input(0)?).map_err(torch_error)?;
    let mut inputs: Vec<_> = call.inputs().iter().map(|t| t.as_ref().map(Tensor::shallow_clone)).collect();
    inputs[0] = Some(mapped);
    let reduced = reduce(&call.with_inputs(inputs), f)?;
    // The attributes were read by the copy.
    plan(call)?;
    reduced.iter().map(|t| after(t).map_err(torch_error)).collect()
}

fn same(x: &Tensor) -> Torch {
    Ok(x.shallow_clone())
}

fn sum(x: &Tensor, over: &[i64], keep: bool) -> Torch {
    x.f_sum_dim_intlist(over, keep, x.kind())
}

/// Integers are divided like everywhere: towards zero.
fn mean(x: &Tensor, over: &[i64], keep: bool) -> Torch {
    match super::common::is_float(x) {
        true => x.f_mean_dim(over, keep, x.kind()),
        false => sum(x, over, keep)?.f_div_scalar_mode(over.iter().map(|a| x.size()[*a as usize]).product::<i64>(), "trunc"),
    }
}

fn product(x: &Tensor, over: &[i64], keep: bool) -> Torch {
    let all = over.iter().rev().try_fold(x.shallow_clone(), |y, a| y.f_prod_dim_int(*a, true, x.kind()))?;
    if keep {
        return Ok(all);
    }
    let shape: Vec<i64> = all.size().iter().enumerate().filter(|(d, _)| !over.contains(&(*d as i64))).map(|(_, n)| *n).collect();
    all.f_reshape(shape)
}

fn log_sum_exp(call: &Call) -> Result<Vec<Tensor>> {
    reduce(call, |x, over, keep| x.f_logsumexp(over, keep))
}

/// Number of elements that one output element comes from.
fn terms(call: &Call) -> Result<usize> {
    let dims = call.input(0)?.size();
    Ok(plan(call)?.0.iter().map(|a| dims[*a as usize]).product::<i64>() as usize)
}

/// 1 + |y| + max|x|: the exponent, the logarithm, and the shift that keeps both finite.
fn log_scale(call: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let (over, keep) = plan(call)?;
    let largest = || {
        let x = call.input(0).map_err(|e| tch::TchError::Kind(e.message))?.f_abs()?;
        let top = if over.is_empty() { x } else { x.f_amax(&over, keep)? };
        top.f_add(&outputs[0].f_abs()?)?.f_add_scalar(1)
    };
    scaled(largest(), terms(call)?)
}

fn arg(call: &Call, extreme: fn(&Tensor, i64, bool) -> Torch) -> Result<Vec<Tensor>> {
    let x = call.input(0)?;
    let (at, keep) = (axis(call.int("axis", 0)?, x.dim())? as i64, call.int("keepdims", 1)? != 0);
    if call.int("select_last_index", 0)? == 0 {
        return one(extreme(x, at, keep));
    }
    let last = x.size()[at as usize] - 1;
    one(x.f_flip([at]).and_then(|x| extreme(&x, at, keep)?.f_neg()?.f_add_scalar(last)))
}

/// Difference of the two chosen values.
fn arg_margin(call: &Call, _: usize, reference: &Tensor, candidate: &Tensor) -> Result<f64> {
    let x = call.input(0)?;
    let (at, keep) = (axis(call.int("axis", 0)?, x.dim())? as i64, call.int("keepdims", 1)? != 0);
    let chosen = |index: &Tensor| x.f_gather(at, &if keep { index.shallow_clone() } else { index.f_unsqueeze(at)? }, false)?.f_to_kind(Kind::Double);
    let distance = || {
        let d = chosen(reference)?.f_sub(&chosen(candidate)?)?.f_abs()?;
        if keep { Ok(d) } else { d.f_squeeze_dim(at) }
    };
    super::common::largest_where_different(distance(), reference, candidate)
}

/// Equal values keep the order of the input, which is what ONNX asks for.
fn top_k(call: &Call) -> Result<Vec<Tensor>> {
    let x = call.input(0)?;
    let at = axis(call.int("axis", -1)?, x.dim())? as i64;
    let k = match call.int_if("k")? {
        Some(k) => Some(k),
        None => call.integers(1)?.and_then(|k| k.first().copied()),
    };
    let k = k.filter(|k| (0..=x.size()[at as usize]).contains(k)).ok_or_else(|| Error::usage(format!("k {k:?} does not fit {:?}", x.size())))?;
    let largest = call.int("largest", 1)? != 0;
    call.known("sorted");
    let best = || {
        let (values, indices) = x.f_sort_stable(true, at, largest)?;
        Ok((values.f_narrow(at, 0, k)?, indices.f_narrow(at, 0, k)?))
    };
    let (values, indices) = best().map_err(torch_error)?;
    Ok(vec![values, indices])
}

fn top_margin(call: &Call, output: usize, reference: &Tensor, candidate: &Tensor) -> Result<f64> {
    let x = call.input(0)?;
    let at = axis(call.int("axis", -1)?, x.dim())? as i64;
    let value = |t: &Tensor| if output == 0 { t.f_to_kind(Kind::Double) } else { x.f_gather(at, t, false)?.f_to_kind(Kind::Double) };
    let distance = || value(reference)?.f_sub(&value(candidate)?)?.f_abs();
    super::common::largest_where_different(distance(), reference, candidate)
}

fn cum_sum(call: &Call) -> Result<Vec<Tensor>> {
    let (x, at) = (call.input(0)?, cum_axis(call)?);
    let (reverse, exclusive) = (call.int("reverse", 0)? != 0, call.int("exclusive", 0)? != 0);
    let len = x.size()[at as usize];
    let summed = || -> Torch {
        let x = if reverse { x.f_flip([at])? } else { x.shallow_clone() };
        let y = if exclusive && len > 0 {
            let zero = x.f_narrow(at, 0, 1)?.f_zeros_like()?;
            Tensor::f_cat(&[zero, x.f_narrow(at, 0, len - 1)?], at)?.f_cumsum(at, x.kind())?
        } else {
            x.f_cumsum(at, x.kind())?
        };
        if reverse { y.f_flip([at]) } else { Ok(y) }
    };
    one(summed())
}

fn cum_axis(call: &Call) -> Result<i64> {
    let at = call.integers(1)?.and_then(|a| a.first().copied()).ok_or_else(|| Error::usage("input 1 (axis) is missing"))?;
    Ok(axis(at, call.input(0)?.dim())? as i64)
}

fn cum_terms(call: &Call) -> Result<usize> {
    Ok(call.input(0)?.size()[cum_axis(call)? as usize] as usize)
}

/// Indices axis by axis, where libtorch gives them element by element.
fn non_zero(call: &Call) -> Result<Vec<Tensor>> {
    one(call.input(0)?.f_nonzero().and_then(|t| t.f_transpose(0, 1)?.f_contiguous()))
}

const SUM: Scale = Scale::Absolute(Reduction, terms);

pub const OPS: &[Op] = &[
    op("ReduceSum", 1, |c| reduce(c, sum), SUM),
    op("ReduceMean", 1, |c| reduce(c, mean), SUM),
    op("ReduceMax", 1, |c| reduce(c, |x, over, keep| x.f_amax(over, keep)), Scale::Exact),
    op("ReduceMin", 1, |c| reduce(c, |x, over, keep| x.f_amin(over, keep)), Scale::Exact),
    op("ReduceProd", 1, |c| reduce(c, product), SUM),
    op("ReduceL1", 1, |c| on(c, |x| x.f_abs(), sum, same), SUM),
    op("ReduceL2", 1, |c| on(c, |x| x.f_square(), sum, |y| y.f_sqrt()), SUM),
    op("ReduceSumSquare", 1, |c| on(c, |x| x.f_square(), sum, same), SUM),
    op("ReduceLogSum", 1, |c| on(c, same, sum, |y| y.f_log()), Scale::By(Reduction, log_scale)),
    op("ReduceLogSumExp", 1, log_sum_exp, Scale::By(Reduction, log_scale)),
    op("ArgMax", 1, |c| arg(c, |x, at, keep| x.f_argmax(at, keep)), Scale::Decision(arg_margin)),
    op("ArgMin", 1, |c| arg(c, |x, at, keep| x.f_argmin(at, keep)), Scale::Decision(arg_margin)),
    op("TopK", 1, top_k, Scale::Selection(top_margin)),
    op("CumSum", 11, cum_sum, Scale::Absolute(Arithmetic, cum_terms)),
    op("NonZero", 9, non_zero, Scale::Exact),
];

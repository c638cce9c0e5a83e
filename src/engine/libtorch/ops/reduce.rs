//! reduce: sums, means, products and extremes over axes.

use super::super::call::Call;
use super::super::convert::torch_error;
use super::common::{
    Torch, UNDERFLOW, axes, axis, cut, done, flushed, moved, one, signed, unbounded,
    unless_unbounded,
};
use super::{Op, Scale, alike, op};
use parity::error::{Error, Result};
use parity::floor::Alone::Function;
use parity::floor::Family::Reduction;
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
    one(if over.is_empty() {
        Ok(x.shallow_clone())
    } else {
        f(x, &over, keep)
    })
}

/// The same node on another first input.
fn with_first<'a>(call: &Call<'a>, first: Tensor) -> Call<'a> {
    let rest = call
        .inputs()
        .iter()
        .skip(1)
        .map(|t| t.as_ref().map(Tensor::shallow_clone));
    call.with_inputs(std::iter::once(Some(first)).chain(rest).collect())
}

fn on(
    call: &Call,
    before: fn(&Tensor) -> Torch,
    f: Over,
    after: fn(&Tensor) -> Torch,
) -> Result<Vec<Tensor>> {
    let mapped = before(call.input(0)?).map_err(torch_error)?;
    let reduced = reduce(&with_first(call, mapped), f)?;
    // The attributes were read by the copy.
    plan(call)?;
    reduced
        .iter()
        .map(|t| after(t).map_err(torch_error))
        .collect()
}

fn same(x: &Tensor) -> Torch {
    Ok(x.shallow_clone())
}

fn sum(x: &Tensor, over: &[i64], keep: bool) -> Torch {
    x.f_sum_dim_intlist(over, keep, x.kind())
}

/// The extreme over the axes; of nothing it is the smallest (or largest) number there is. A boolean is a number here.
fn extreme(x: &Tensor, over: &[i64], keep: bool, largest: bool) -> Torch {
    let empty = over.iter().any(|a| x.size()[*a as usize] == 0);
    if x.kind() == Kind::Bool && !empty {
        return extreme(&x.f_to_kind(Kind::Uint8)?, over, keep, largest)?.f_to_kind(Kind::Bool);
    }
    if empty {
        let least = match (x.kind(), largest) {
            (Kind::Half | Kind::BFloat16 | Kind::Float | Kind::Double, true) => f64::NEG_INFINITY,
            (Kind::Half | Kind::BFloat16 | Kind::Float | Kind::Double, false) => f64::INFINITY,
            (Kind::Bool, largest) => f64::from(!largest),
            _ => return Err(tch::TchError::Kind("the extreme of no integers".into())),
        };
        return sum(x, over, keep)?.f_to_kind(x.kind())?.f_full_like(least);
    }
    if largest {
        x.f_amax(over, keep)
    } else {
        x.f_amin(over, keep)
    }
}

/// Integers are divided like everywhere: towards zero.
fn mean(x: &Tensor, over: &[i64], keep: bool) -> Torch {
    let n: i64 = over.iter().map(|a| x.size()[*a as usize]).product();
    match super::common::is_float(x) {
        true => x.f_mean_dim(over, keep, x.kind()),
        false if n == 0 => Err(tch::TchError::Kind("the mean of no integers".into())),
        false => sum(x, over, keep)?.f_div_scalar_mode(n, "trunc"),
    }
}

fn product(x: &Tensor, over: &[i64], keep: bool) -> Torch {
    let all = over.iter().rev().try_fold(x.shallow_clone(), |y, a| {
        y.f_prod_dim_int(*a, true, x.kind())
    })?;
    if keep {
        return Ok(all);
    }
    let shape: Vec<i64> = all
        .size()
        .iter()
        .enumerate()
        .filter(|(d, _)| !over.contains(&(*d as i64)))
        .map(|(_, n)| *n)
        .collect();
    all.f_reshape(shape)
}

/// Of integers the root or logarithm is one, cut towards zero.
fn whole(call: &Call, made: Result<Vec<Tensor>>) -> Result<Vec<Tensor>> {
    let kind = call.input(0)?.kind();
    let back = |t: &Tensor| match t.kind() == kind {
        true => Ok(t.shallow_clone()),
        false => cut(t, kind),
    };
    let made = made?;
    made.iter().map(|t| back(t).map_err(torch_error)).collect()
}

/// Floats as they are, integers in f64.
fn wide(x: &Tensor) -> Torch {
    match super::common::is_float(x) {
        true => same(x),
        false => x.f_to_kind(Kind::Double),
    }
}

fn log_sum_exp(call: &Call) -> Result<Vec<Tensor>> {
    let over = |x: &Tensor, over: &[i64], keep| wide(x)?.f_logsumexp(over, keep);
    whole(call, reduce(call, over))
}

/// Number of elements that one output element comes from.
fn terms(call: &Call) -> Result<usize> {
    let dims = call.input(0)?.size();
    Ok(plan(call)?
        .0
        .iter()
        .map(|a| dims[*a as usize])
        .product::<i64>() as usize)
}

/// |y|, and what may be flushed to zero on the way.
fn product_scale(call: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    summed(
        call,
        outputs[0].f_abs().and_then(|y| y.f_add_scalar(UNDERFLOW)),
        same,
    )
}

/// |y| + Σ|x|/|Σx|: the logarithm, and the relative error of what it is taken of, unless that overflows.
fn log_of_sum_scale(call: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let size = sum_scale(call)?.remove(0).0;
    let k = terms(call)?;
    let scale = done(|| {
        size.f_div(&outputs[0].f_exp()?)?
            .f_add(&outputs[0].f_abs()?)?
            .f_add(&unbounded(&outputs[0].f_exp()?)?)
    })?;
    Ok(vec![(scale, k)])
}

/// 1 + |y| + max|x|: the exponent, the logarithm, and the shift that keeps both finite; −∞ adds nothing and is not shifted by.
fn log_scale(call: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let (over, keep) = plan(call)?;
    let largest = || {
        let x = call
            .input(0)
            .map_err(|e| tch::TchError::Kind(e.message))?
            .f_abs()?;
        let x = x.f_masked_fill(&x.f_isinf()?, 0)?;
        let top = if over.is_empty() {
            x
        } else {
            x.f_amax(&over, keep)?
        };
        top.f_add(&outputs[0].f_abs()?)?.f_add_scalar(1)
    };
    // A zero is a term, too, once its exponential is taken.
    summed(call, largest(), |x| {
        x.f_masked_fill(&x.f_eq(0)?, f64::from(f32::MIN_POSITIVE))
    })
}

fn arg(call: &Call, extreme: fn(&Tensor, i64, bool) -> Torch) -> Result<Vec<Tensor>> {
    let x = call.input(0)?;
    let (at, keep) = (
        axis(call.int("axis", 0)?, x.dim())? as i64,
        call.int("keepdims", 1)? != 0,
    );
    if call.int("select_last_index", 0)? == 0 {
        return one(extreme(x, at, keep));
    }
    let last = x.size()[at as usize] - 1;
    one(x
        .f_flip([at])
        .and_then(|x| extreme(&x, at, keep)?.f_neg()?.f_add_scalar(last)))
}

/// Difference of the two chosen values; an index that is none has no value to be near to.
fn arg_margin(call: &Call, _: usize, reference: &Tensor, candidate: &Tensor) -> Result<f64> {
    let x = call.input(0)?;
    let (at, keep) = (
        axis(call.int("axis", 0)?, x.dim())? as i64,
        call.int("keepdims", 1)? != 0,
    );
    let chosen = |index: &Tensor| {
        x.f_gather(
            at,
            &if keep {
                index.shallow_clone()
            } else {
                index.f_unsqueeze(at)?
            },
            false,
        )?
        .f_to_kind(Kind::Double)
    };
    let distance = || {
        let d = chosen(reference)?.f_sub(&chosen(candidate)?)?.f_abs()?;
        if keep { Ok(d) } else { d.f_squeeze_dim(at) }
    };
    Ok(
        super::common::largest_where_different(distance(), reference, candidate)
            .unwrap_or(f64::INFINITY),
    )
}

/// Equal values keep the order of the input, which is what ONNX asks for.
fn top_k(call: &Call) -> Result<Vec<Tensor>> {
    let x = call.input(0)?;
    let at = axis(call.int("axis", -1)?, x.dim())? as i64;
    let k = match call.int_if("k")? {
        Some(k) => Some(k),
        None => call.integers(1)?.and_then(|k| k.first().copied()),
    };
    let k = k
        .filter(|k| (0..=x.size()[at as usize]).contains(k))
        .ok_or_else(|| Error::usage(format!("k {k:?} does not fit {:?}", x.size())))?;
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
    let value = |t: &Tensor| {
        if output == 0 {
            t.f_to_kind(Kind::Double)
        } else {
            x.f_gather(at, t, false)?.f_to_kind(Kind::Double)
        }
    };
    let distance = || value(reference)?.f_sub(&value(candidate)?)?.f_abs();
    Ok(
        super::common::largest_where_different(distance(), reference, candidate)
            .unwrap_or(f64::INFINITY),
    )
}

/// Indices axis by axis, where libtorch gives them element by element.
fn non_zero(call: &Call) -> Result<Vec<Tensor>> {
    one(call
        .input(0)?
        .f_nonzero()
        .and_then(|t| t.f_transpose(0, 1)?.f_contiguous()))
}

/// S of a sum over the axes, or of what is made of it; `terms_of` makes its terms of the input.
fn summed(
    call: &Call,
    scale: Torch,
    terms_of: fn(&Tensor) -> Torch,
) -> Result<Vec<(Tensor, usize)>> {
    let (k, own) = (terms(call)?, terms_of(call.input(0)?).map_err(torch_error)?);
    let on_terms = with_first(call, own);
    let scale = alike::scaled(
        &on_terms,
        (Reduction, k),
        scale.map_err(torch_error)?,
        &[0],
        &|c| Ok(reduce(c, sum)?.remove(0)),
    )?;
    Ok(vec![(scale, k)])
}

/// Σ|x|.
fn sum_scale(call: &Call) -> Result<Vec<(Tensor, usize)>> {
    let size = reduce(
        &with_first(call, call.input(0)?.f_abs().map_err(torch_error)?),
        sum,
    )?
    .remove(0);
    summed(call, Ok(size), same)
}

/// The mean of |x|; nothing bounds a mean whose sum overflows before it is divided.
fn mean_scale(call: &Call, _: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let k = terms(call)?;
    let size = call.input(0)?.f_abs().map_err(torch_error)?;
    let mean = reduce(&with_first(call, size), mean)?.remove(0);
    summed(call, unless_unbounded(&mean, k), same)
}

/// |y|: all terms are positive.
fn positive_scale(call: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    summed(call, outputs[0].f_abs(), |x| x.f_abs())
}

/// |y|, and what squares lose that are flushed to zero. Nothing bounds a root whose squares overflow.
fn root_scale(call: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let k = terms(call)?;
    let size = |y: Tensor| {
        y.f_add(&flushed(&y, k, 2.0)?)?
            .f_add(&unbounded(&y.f_square()?)?)
    };
    summed(call, outputs[0].f_abs().and_then(size), |x| x.f_abs())
}

const POSITIVE: Scale = Scale::By(Reduction, positive_scale);

pub const OPS: &[Op] = &[
    op(
        "ReduceSum",
        1,
        |c| reduce(c, sum),
        Scale::By(Reduction, |c, _| sum_scale(c)),
    ),
    op(
        "ReduceMean",
        1,
        |c| reduce(c, mean),
        Scale::By(Reduction, mean_scale),
    ),
    op(
        "ReduceMax",
        1,
        |c| reduce(c, |x, over, keep| extreme(x, over, keep, true)),
        Scale::Exact,
    ),
    op(
        "ReduceMin",
        1,
        |c| reduce(c, |x, over, keep| extreme(x, over, keep, false)),
        Scale::Exact,
    ),
    op(
        "ReduceProd",
        1,
        |c| reduce(c, product),
        Scale::By(Reduction, product_scale),
    ),
    op("ReduceL1", 1, |c| on(c, |x| x.f_abs(), sum, same), POSITIVE),
    op(
        "ReduceL2",
        1,
        |c| whole(c, on(c, |x| wide(x)?.f_square(), sum, |y| y.f_sqrt())),
        Scale::By(Reduction, root_scale),
    ),
    op(
        "ReduceSumSquare",
        1,
        |c| on(c, |x| x.f_square(), sum, same),
        POSITIVE,
    ),
    op(
        "ReduceLogSum",
        1,
        |c| whole(c, on(c, wide, sum, |y| y.f_log())),
        Scale::By(Reduction, log_of_sum_scale),
    ),
    op(
        "ReduceLogSumExp",
        1,
        log_sum_exp,
        Scale::By(Reduction, log_scale),
    ),
    op(
        "ArgMax",
        1,
        |c| arg(c, |x, at, keep| x.f_argmax(at, keep)),
        Scale::Decision(Function, arg_margin),
    ),
    op(
        "ArgMin",
        1,
        |c| arg(c, |x, at, keep| x.f_argmin(at, keep)),
        Scale::Decision(Function, arg_margin),
    ),
    op("TopK", 1, top_k, Scale::Selection(Function, top_margin)),
    op("NonZero", 9, non_zero, Scale::Exact),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, cast, f32s, i64s, random, whole};
    use parity::tensor::{DType, Tensor};
    use proptest::prelude::*;

    fn six() -> Tensor {
        f32s(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    }

    #[test]
    fn the_root_of_integers_is_an_integer() {
        for dtype in [DType::I32, DType::I64] {
            let of = |shape: &[usize], values: &[f32]| cast(&f32s(shape, values), dtype);
            Case::new("ReduceL2", 18)
                .with(of(&[2, 2], &[3.0, -4.0, 5.0, 6.0]))
                .with(i64s(&[1]))
                .gives(&[of(&[2, 1], &[5.0, 7.0])]);
        }
        for op in ["ReduceLogSum", "ReduceLogSumExp"] {
            let case = Case::new(op, 18)
                .with(cast(&f32s(&[2], &[3.0, 4.0]), DType::I32))
                .with(i64s(&[0]));
            assert_eq!(case.torch().unwrap()[0].dtype(), DType::I32, "{op}");
        }
    }

    #[test]
    fn axes_move_from_the_attribute_to_an_input() {
        Case::new("ReduceSum", 11)
            .with(six())
            .ints("axes", &[-1])
            .gives(&[f32s(&[2, 1], &[6.0, 15.0])]);
        Case::new("ReduceSum", 13)
            .with(six())
            .with(i64s(&[0]))
            .int("keepdims", 0)
            .gives(&[f32s(&[3], &[5.0, 7.0, 9.0])]);
        Case::new("ReduceMean", 13)
            .with(six())
            .ints("axes", &[0, 1])
            .int("keepdims", 0)
            .gives(&[f32s(&[], &[3.5])]);
        Case::new("ReduceMax", 18)
            .with(six())
            .with(i64s(&[1]))
            .gives(&[f32s(&[2, 1], &[3.0, 6.0])]);
        Case::new("ReduceSum", 13)
            .with(six())
            .gives(&[f32s(&[1, 1], &[21.0])]);
        Case::new("ReduceSum", 13)
            .with(six())
            .with(i64s(&[]))
            .int("noop_with_empty_axes", 1)
            .gives(&[six()]);
        Case::new("ReduceSum", 13)
            .with(six())
            .with(i64s(&[2]))
            .refused("axis 2 is outside rank 2");
        Case::new("ReduceProd", 18)
            .with(six())
            .with(i64s(&[0, 1]))
            .int("keepdims", 0)
            .gives(&[f32s(&[], &[720.0])]);
        Case::new("ReduceSum", 13)
            .with(Tensor::of(&[2], &[i32::MAX, -1]))
            .gives(&[Tensor::of(&[1], &[i32::MAX - 1])]);
        Case::new("ReduceMean", 18)
            .with(Tensor::of(&[2], &[-3i32, 0]))
            .gives(&[Tensor::of(&[1], &[-1i32])]);
    }

    #[test]
    fn equal_terms_round_alike_and_their_errors_add_up() {
        // ONNX Runtime sums columns one by one: 348 u·S here, where 5·√2048 is 226.
        let x = |v: f32| f32s(&[1, 2048, 2], &vec![v; 4096]);
        for op in ["ReduceSum", "ReduceMean"] {
            Case::new(op, 11).with(x(0.3)).ints("axes", &[1]).check();
            Case::new(op, 11)
                .with(x(0.3))
                .ints("axes", &[1])
                .int("keepdims", 0)
                .check();
            let scale = |t| {
                Case::new(op, 11)
                    .with(t)
                    .ints("axes", &[1])
                    .scale()
                    .unwrap()
            };
            let (equal, other) = (
                scale(x(0.3))[0],
                scale(random(&[1, 2048, 2], 3, 0.3, 0.3001))[0],
            );
            assert!((40.0..46.0).contains(&(equal / other)), "{equal} {other}");
        }
    }

    #[test]
    fn the_first_of_equals_is_chosen_unless_the_last_is_asked_for() {
        let x = || f32s(&[2, 3], &[7.0, 7.0, 1.0, 0.0, 0.0, 0.0]);
        Case::new("ArgMax", 13)
            .with(x())
            .int("axis", 1)
            .gives(&[Tensor::of(&[2, 1], &[0i64, 0])]);
        Case::new("ArgMax", 13)
            .with(x())
            .int("axis", -1)
            .int("keepdims", 0)
            .int("select_last_index", 1)
            .gives(&[i64s(&[1, 2])]);
        Case::new("ArgMin", 13)
            .with(x())
            .int("axis", 1)
            .int("keepdims", 0)
            .gives(&[i64s(&[2, 0])]);
        let choice = Case::new("ArgMax", 13)
            .with(x())
            .int("axis", 1)
            .int("keepdims", 0);
        assert_eq!(choice.margin(0, &i64s(&[0, 0]), &i64s(&[1, 2])), Some(0.0));
        assert_eq!(choice.margin(0, &i64s(&[0, 0]), &i64s(&[2, 0])), Some(6.0));
    }

    #[test]
    fn the_best_keep_their_order_among_equals() {
        let x = || f32s(&[5], &[1.0, 3.0, 3.0, 2.0, 3.0]);
        Case::new("TopK", 11)
            .with(x())
            .with(i64s(&[4]))
            .outputs(2)
            .gives(&[f32s(&[4], &[3.0, 3.0, 3.0, 2.0]), i64s(&[1, 2, 4, 3])]);
        Case::new("TopK", 11)
            .with(x())
            .with(i64s(&[2]))
            .int("largest", 0)
            .outputs(2)
            .gives(&[f32s(&[2], &[1.0, 2.0]), i64s(&[0, 3])]);
        Case::new("TopK", 9)
            .with(x())
            .int("k", 1)
            .outputs(2)
            .check();
        Case::new("TopK", 11)
            .with(x())
            .with(i64s(&[6]))
            .outputs(2)
            .refused("does not fit");
    }

    #[test]
    fn non_zeros_are_found_by_their_places() {
        Case::new("NonZero", 13)
            .with(f32s(&[2, 2], &[0.0, 1.0, -2.0, 0.0]))
            .gives(&[Tensor::of(&[2, 2], &[0i64, 1, 1, 0])]);
        Case::new("NonZero", 13)
            .with(f32s(&[2], &[0.0, 0.0]))
            .gives(&[Tensor::of::<i64>(&[1, 0], &[])]);
    }

    proptest! {
        #![proptest_config(cases(96))]
        #[test]
        fn reductions_stay_in_their_bound(
            op in prop::sample::select(vec!["ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp"]),
            a in 1usize..5, b in 1usize..40, c in 1usize..40, axes in prop::sample::select(vec![vec![0i64], vec![1], vec![-1], vec![1, 2], vec![0, 1], vec![0, -1], vec![0, 1, 2]]),
            keep in 0i64..2, low in prop::sample::select(vec![-1f32, 0.2]), seed: u64,
        ) {
            Case::new(op, 18).with(random(&[a, b, c], seed, low, 1.5)).with(i64s(&axes)).int("keepdims", keep).check();
        }

        #[test]
        fn long_sums_stay_in_their_bound(op in prop::sample::select(vec!["ReduceSum", "ReduceMean", "ReduceL2"]), n in 1000usize..20000, low in prop::sample::select(vec![-1f32, 0.0]), seed: u64) {
            Case::new(op, 18).with(random(&[2, n], seed, low, 1.0)).with(i64s(&[1])).check();
            Case::new(op, 18).with(random(&[n, 2], seed, low, 1.0)).with(i64s(&[0])).check();
        }

        #[test]
        fn choices_agree(op in prop::sample::select(vec!["ArgMax", "ArgMin"]), n in 1usize..20, m in 1usize..6, axis in -2i64..2, last in 0i64..2, k in 1i64..6, seed: u64) {
            let x = || whole(&[n, m], seed, -4, 4).to_f64().iter().map(|v| *v as f32).collect::<Vec<_>>();
            Case::new(op, 13).with(f32s(&[n, m], &x())).int("axis", axis).int("select_last_index", last).check();
            let k = k.min([n, m][axis.rem_euclid(2) as usize] as i64);
            Case::new("TopK", 11).with(f32s(&[n, m], &x())).with(i64s(&[k])).int("axis", axis).int("largest", last).outputs(2).check();
        }
    }
}

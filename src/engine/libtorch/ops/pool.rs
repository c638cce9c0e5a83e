//! pool: maxima and means over windows.

use super::super::call::Call;
use super::super::convert::torch_error;
use super::common::{Torch, done, flushed, is_float, one, signed, unbounded, unless_unbounded};
use super::window::{Window, framed, spatial};
use super::{Op, Scale, alike, op};
use parity::error::{Error, Result};
use parity::floor::Family::Reduction;
use tch::{Kind, Tensor};

fn window(call: &Call, spatial: &[i64]) -> Result<Window> {
    let kernel = call
        .ints("kernel_shape")?
        .ok_or_else(|| Error::usage("attribute 'kernel_shape' is missing"))?;
    Window::of(call, spatial, kernel)
}

/// Padding never wins: it is −∞.
fn max_pool(call: &Call) -> Result<Vec<Tensor>> {
    let by_columns = call.int("storage_order", 0)? != 0;
    let x = call.input(0)?;
    let spatial = spatial(x)?;
    let w = window(call, &spatial)?;
    if call.wants(1) {
        return max_pool_indices(call, x, &spatial, &w, by_columns);
    }
    let counts = w.count(&spatial, call.int("ceil_mode", 0)? != 0)?;
    if counts.contains(&0) {
        // libtorch refuses what ONNX Runtime leaves empty: an image smaller than its window.
        return one(x.f_new_zeros([&x.size()[..2], &counts].concat(), (x.kind(), x.device())));
    }
    let after = w.filled(&spatial, &counts);
    let pooled = || -> Torch {
        // Small integers are exact in f32, and only there is −∞.
        let wide = if is_float(x) {
            x.shallow_clone()
        } else {
            x.f_to_kind(Kind::Float)?
        };
        let wide = framed(&wide, &w.before, &after, f64::NEG_INFINITY)?;
        let none = vec![0; spatial.len()];
        let y = match spatial.len() {
            1 => wide.f_max_pool1d(&w.kernel, &w.stride, &none, &w.dilation, false),
            2 => wide.f_max_pool2d(&w.kernel, &w.stride, &none, &w.dilation, false),
            _ => wide.f_max_pool3d(&w.kernel, &w.stride, &none, &w.dilation, false),
        };
        y?.f_to_kind(x.kind())
    };
    one(pooled())
}

/// NaN where every element in which the sides differ has NaN in its window: whether NaN is the largest, ONNX does not say (ONNX Runtime passes
/// over it, libtorch keeps it). What else differs is no matter of taste.
fn max_pool_margin(call: &Call, _: usize, reference: &Tensor, candidate: &Tensor) -> Result<f64> {
    let nan = call
        .input(0)?
        .f_isnan()
        .and_then(|n| n.f_to_kind(Kind::Double))
        .map_err(torch_error)?;
    let windows = max_pool(&call.with_inputs(vec![Some(nan)]))?.remove(0);
    done(|| {
        let differ = reference.f_ne_tensor(candidate)?;
        let elsewhere = differ.f_logical_and(&windows.f_ne(1.0)?)?.f_any()?;
        Ok(if elsewhere.f_int64_value(&[])? == 0 {
            f64::NAN
        } else {
            f64::INFINITY
        })
    })
}

/// The largest of each window and its place in the whole tensor, counted by rows or by columns of its image; of equals the first.
fn max_pool_indices(
    call: &Call,
    x: &Tensor,
    spatial: &[i64],
    w: &Window,
    by_columns: bool,
) -> Result<Vec<Tensor>> {
    let counts = w.count(spatial, call.int("ceil_mode", 0)? != 0)?;
    let area = super::common::count(spatial)?;
    let after = w.filled(spatial, &counts);
    let place = super::common::counted(area)?;
    done(|| {
        let order: Vec<i64> = if by_columns {
            (0..spatial.len() as i64).rev().collect()
        } else {
            (0..spatial.len() as i64).collect()
        };
        let turned: Vec<i64> = order.iter().map(|d| spatial[*d as usize]).collect();
        let place = place
            .f_reshape(turned)?
            .f_permute(order)?
            .f_unsqueeze(0)?
            .f_unsqueeze(0)?
            .f_to_kind(Kind::Double)?;
        let wide = framed(
            &x.f_to_kind(if is_float(x) { x.kind() } else { Kind::Float })?,
            &w.before,
            &after,
            f64::NEG_INFINITY,
        )?;
        let (values, places) = (
            windows(&wide, w, &counts)?,
            windows(&framed(&place, &w.before, &after, 0.0)?, w, &counts)?,
        );
        let best = values.f_argmax(-1, true)?;
        let own = places
            .f_expand(values.size(), false)?
            .f_gather(-1, &best, false)?
            .f_squeeze_dim(-1)?
            .f_to_kind(Kind::Int64)?;
        let image = Tensor::f_arange(x.size()[0] * x.size()[1], (Kind::Int64, x.device()))?
            .f_mul_scalar(area)?;
        let image =
            image.f_reshape([vec![x.size()[0], x.size()[1]], vec![1; spatial.len()]].concat())?;
        let y = values
            .f_gather(-1, &best, false)?
            .f_squeeze_dim(-1)?
            .f_to_kind(x.kind())?;
        Ok(vec![y, own.f_add(&image)?])
    })
}

/// The elements of every window along a new last axis.
fn windows(x: &Tensor, w: &Window, counts: &[i64]) -> Torch {
    let mut y = x.shallow_clone();
    for (d, n) in counts.iter().enumerate() {
        let axis = d as i64 + 2;
        y = y
            .f_unfold(axis, w.reach(d), w.stride[d])?
            .f_narrow(axis, 0, *n)?;
        y = y.f_slice(-1, 0, None, w.dilation[d])?;
    }
    let kept = 2 + counts.len();
    let shape = [&y.size()[..kept], &[-1]].concat();
    y.f_reshape(shape)
}

/// Each value back at the place that its index states, zeros elsewhere.
fn max_unpool(call: &Call) -> Result<Vec<Tensor>> {
    let (x, index) = (call.input(0)?, call.input(1)?);
    let spatial = spatial(x)?;
    let w = window(call, &spatial)?;
    let own: Vec<i64> = (0..spatial.len())
        .map(|d| (spatial[d] - 1) * w.stride[d] - w.before[d] - w.after[d] + w.kernel[d])
        .collect();
    let inferred = [&x.size()[..2], &own].concat();
    let total = super::common::count(&inferred)?;
    let index = super::common::wrapped(index, total)?;
    let filled = done(|| {
        Tensor::f_zeros([total], (x.kind(), x.device()))?
            .f_scatter(0, &index.f_reshape([-1])?, &x.f_reshape([-1])?)?
            .f_reshape(&inferred)
    })?;
    let Some(shape) = call.integers(2)? else {
        return Ok(vec![filled]);
    };
    if shape.len() != inferred.len() || shape.iter().zip(&inferred).any(|(s, i)| s < i) {
        return Err(Error::usage(format!(
            "the output {shape:?} is smaller than {inferred:?}"
        )));
    }
    let after: Vec<i64> = shape.iter().zip(&inferred).map(|(s, i)| s - i).collect();
    one(framed(&filled, &vec![0; after.len()], &after, 0.0))
}

/// (Σ|x|ᵖ)^(1/p) over each window.
fn lp_pool(call: &Call) -> Result<Vec<Tensor>> {
    let (x, p) = (super::common::float(call, 0)?, call.int("p", 2)? as f64);
    let spatial = spatial(x)?;
    let w = window(call, &spatial)?;
    let after = w.filled(
        &spatial,
        &w.count(&spatial, call.int("ceil_mode", 0)? != 0)?,
    );
    one((|| {
        window_sum(
            &framed(&x.f_abs()?.f_pow_tensor_scalar(p)?, &w.before, &after, 0.0)?,
            &w,
        )?
        .f_pow_tensor_scalar(1.0 / p)
    })())
}

fn global_lp(call: &Call) -> Result<Vec<Tensor>> {
    let (x, p) = (super::common::float(call, 0)?, call.int("p", 2)? as f64);
    let over = spatial_axes(call)?;
    one((|| {
        x.f_abs()?
            .f_pow_tensor_scalar(p)?
            .f_sum_dim_intlist(over, true, None)?
            .f_pow_tensor_scalar(1.0 / p)
    })())
}

/// The sum over each window divided by how many of its elements count: pads do if asked for, what ceil mode adds never does.
fn average_pool(call: &Call) -> Result<Vec<Tensor>> {
    let x = call.input(0)?;
    let spatial = spatial(x)?;
    let w = window(call, &spatial)?;
    let after = w.filled(
        &spatial,
        &w.count(&spatial, call.int("ceil_mode", 0)? != 0)?,
    );
    let include = call.int("count_include_pad", 0)? != 0;
    let averaged = || -> Torch {
        let ones = Tensor::f_ones(
            [vec![1, 1], spatial.clone()].concat(),
            (x.kind(), x.device()),
        )?;
        let frame = if include { 1.0 } else { 0.0 };
        let beyond: Vec<i64> = after
            .iter()
            .zip(&w.after)
            .map(|(all, pads)| all - pads)
            .collect();
        let counted = framed(
            &framed(&ones, &w.before, &w.after, frame)?,
            &vec![0; spatial.len()],
            &beyond,
            0.0,
        )?;
        window_sum(&framed(x, &w.before, &after, 0.0)?, &w)?.f_div(&window_sum(&counted, &w)?)
    };
    one(averaged())
}

fn window_sum(x: &Tensor, w: &Window) -> Torch {
    let n = w.kernel.len();
    let dims = x.size();
    let images = x.f_reshape([vec![dims[0] * dims[1], 1], dims[2..].to_vec()].concat())?;
    let ones = Tensor::f_ones(
        [vec![1, 1], w.kernel.clone()].concat(),
        (x.kind(), x.device()),
    )?;
    let none = vec![0; n];
    let sums = images.f_convolution(
        &ones,
        None::<&Tensor>,
        &w.stride,
        &none,
        &w.dilation,
        false,
        &none,
        1,
    )?;
    sums.f_reshape([vec![dims[0], dims[1]], sums.size()[2..].to_vec()].concat())
}

fn spatial_axes(call: &Call) -> Result<Vec<i64>> {
    match call.input(0)?.dim() {
        rank @ 3.. => Ok(signed(&(2..rank).collect::<Vec<_>>())),
        rank => Err(Error::usage(format!(
            "an input of rank {rank} has no spatial axes"
        ))),
    }
}

fn global_average(call: &Call) -> Result<Vec<Tensor>> {
    one(call.input(0)?.f_mean_dim(spatial_axes(call)?, true, None))
}

/// S of a mean or norm over windows or whole images of `k` elements, whose terms are `x`: Σ over the same.
fn pooled(
    call: &Call,
    scale: Tensor,
    x: Tensor,
    k: usize,
    sum: alike::Sum,
) -> Result<Vec<(Tensor, usize)>> {
    Ok(vec![(
        alike::scaled(
            &call.with_inputs(vec![Some(x)]),
            (Reduction, k),
            scale,
            &[0],
            sum,
        )?,
        k,
    )])
}

/// Σ over each window.
fn window_sums(call: &Call) -> Result<Tensor> {
    let x = call.input(0)?;
    let spatial = spatial(x)?;
    let w = window(call, &spatial)?;
    let after = w.filled(
        &spatial,
        &w.count(&spatial, call.int("ceil_mode", 0)? != 0)?,
    );
    done(|| window_sum(&framed(x, &w.before, &after, 0.0)?, &w))
}

fn image_sums(call: &Call) -> Result<Tensor> {
    let over = spatial_axes(call)?;
    let x = call.input(0)?;
    done(|| x.f_sum_dim_intlist(over, true, None))
}

/// The operator on |x|; nothing bounds a mean whose sum overflows before it is divided.
fn mean_scale(
    call: &Call,
    mean: fn(&Call) -> Result<Vec<Tensor>>,
    k: usize,
    sum: alike::Sum,
) -> Result<Vec<(Tensor, usize)>> {
    let x = call.input(0)?;
    let mean = mean(&call.with_inputs(vec![Some(done(|| x.f_abs())?)]))?.remove(0);
    let scale = done(|| unless_unbounded(&mean, k))?;
    pooled(call, scale, x.shallow_clone(), k, sum)
}

/// |y|: all terms are positive; and what powers lose that are flushed to zero. Nothing bounds a root whose powers overflow.
fn norm_scale(
    call: &Call,
    outputs: &[Tensor],
    k: usize,
    sum: alike::Sum,
) -> Result<Vec<(Tensor, usize)>> {
    let (x, y, p) = (call.input(0)?, &outputs[0], call.int("p", 2)? as f64);
    let (y, x) = done(|| {
        Ok((
            y.f_add(&flushed(y, k, p)?)?
                .f_add(&unbounded(&y.f_pow_tensor_scalar(p)?)?)?,
            x.f_abs()?,
        ))
    })?;
    pooled(call, y, x, k, sum)
}

fn global_max(call: &Call) -> Result<Vec<Tensor>> {
    Ok(vec![
        call.input(0)?
            .f_amax(spatial_axes(call)?, true)
            .map_err(torch_error)?,
    ])
}

fn window_terms(call: &Call) -> Result<usize> {
    Ok(window(call, &spatial(call.input(0)?)?)?.volume() as usize)
}

fn image_terms(call: &Call) -> Result<usize> {
    Ok(spatial(call.input(0)?)?.iter().product::<i64>() as usize)
}

pub const OPS: &[Op] = &[
    op("MaxPool", 1, max_pool, Scale::Copies(max_pool_margin)),
    op(
        "AveragePool",
        1,
        average_pool,
        Scale::By(Reduction, |c, _| {
            mean_scale(c, average_pool, window_terms(c)?, &window_sums)
        }),
    ),
    op(
        "LpPool",
        2,
        lp_pool,
        Scale::By(Reduction, |c, y| {
            norm_scale(c, y, window_terms(c)?, &window_sums)
        }),
    ),
    op(
        "GlobalLpPool",
        2,
        global_lp,
        Scale::By(Reduction, |c, y| {
            norm_scale(c, y, image_terms(c)?, &image_sums)
        }),
    ),
    op("MaxUnpool", 9, max_unpool, Scale::Exact),
    op(
        "GlobalAveragePool",
        1,
        global_average,
        Scale::By(Reduction, |c, _| {
            mean_scale(c, global_average, image_terms(c)?, &image_sums)
        }),
    ),
    op("GlobalMaxPool", 1, global_max, Scale::Exact),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, f32s, random};
    use parity::tensor::Tensor;
    use proptest::prelude::*;

    fn five() -> Tensor {
        f32s(&[1, 1, 5], &[-1.0, -2.0, -3.0, -4.0, -5.0])
    }

    #[test]
    fn padding_never_wins_and_a_window_must_start_inside() {
        let pool = |ceil: i64, pads: &[i64]| {
            Case::new("MaxPool", 12)
                .with(five())
                .ints("kernel_shape", &[2])
                .ints("strides", &[2])
                .int("ceil_mode", ceil)
                .ints("pads", pads)
        };
        pool(0, &[0, 0]).gives(&[f32s(&[1, 1, 2], &[-1.0, -3.0])]);
        pool(1, &[0, 0]).gives(&[f32s(&[1, 1, 3], &[-1.0, -3.0, -5.0])]);
        pool(0, &[1, 0]).gives(&[f32s(&[1, 1, 3], &[-1.0, -2.0, -4.0])]);
        pool(1, &[1, 1]).gives(&[f32s(&[1, 1, 3], &[-1.0, -2.0, -4.0])]);
        pool(0, &[1, 0]).outputs(2).gives(&[
            f32s(&[1, 1, 3], &[-1.0, -2.0, -4.0]),
            Tensor::of(&[1, 1, 3], &[0i64, 1, 3]),
        ]);
        Case::new("MaxPool", 12)
            .with(five())
            .ints("kernel_shape", &[9])
            .refused("windows of 9");
        Case::new("MaxPool", 12)
            .with(five())
            .refused("kernel_shape");
    }

    #[test]
    fn what_a_maximum_makes_of_nan_is_open_and_nothing_else_is() {
        let nan = f32::NAN;
        let case = Case::new("MaxPool", 12)
            .with(f32s(&[1, 1, 4], &[1.0, nan, 2.0, 3.0]))
            .ints("kernel_shape", &[2]);
        let of = |reference: [f32; 3], candidate: [f32; 3]| {
            case.margin(
                0,
                &f32s(&[1, 1, 3], &reference),
                &f32s(&[1, 1, 3], &candidate),
            )
        };
        assert!(of([1.0, 2.0, 3.0], [nan, nan, 3.0]).is_some_and(f64::is_nan));
        assert_eq!(of([1.0, 2.0, 3.0], [nan, nan, 4.0]), Some(f64::INFINITY));
        assert_eq!(of([1.0, 2.0, nan], [1.0, 2.0, 3.0]), Some(f64::INFINITY));
    }

    #[test]
    fn small_integers_are_pooled_as_they_are() {
        let x = Tensor::of(&[1, 1, 4], &[3i8, -128, -5, -7]);
        Case::new("MaxPool", 12)
            .with(x)
            .ints("kernel_shape", &[2])
            .ints("strides", &[2])
            .gives(&[Tensor::of(&[1, 1, 2], &[3i8, -5])]);
    }

    #[test]
    fn pads_count_only_if_asked_for() {
        let pool = |include: i64, ceil: i64| {
            let case = Case::new("AveragePool", 19)
                .with(five())
                .ints("kernel_shape", &[2])
                .ints("strides", &[2])
                .int("ceil_mode", ceil);
            case.ints("pads", &[1, 0]).int("count_include_pad", include)
        };
        pool(0, 0).gives(&[f32s(&[1, 1, 3], &[-1.0, -2.5, -4.5])]);
        pool(1, 0).gives(&[f32s(&[1, 1, 3], &[-0.5, -2.5, -4.5])]);
        let last = |include: i64| {
            Case::new("AveragePool", 19)
                .with(five())
                .ints("kernel_shape", &[2])
                .ints("strides", &[2])
                .int("ceil_mode", 1)
                .int("count_include_pad", include)
        };
        last(0).gives(&[f32s(&[1, 1, 3], &[-1.5, -3.5, -5.0])]);
        last(1).gives(&[f32s(&[1, 1, 3], &[-1.5, -3.5, -5.0])]);
    }

    #[test]
    fn an_image_smaller_than_its_window_leaves_nothing() {
        let of = |stride: i64| {
            let case = Case::new("MaxPool", 11).with(random(&[1, 2, 1, 6], 3, -1.0, 1.0));
            case.ints("kernel_shape", &[2, 2])
                .ints("strides", &[stride, 1])
        };
        assert_eq!(of(1).check()[0].shape(), [1, 2, 0, 5]);
        // ONNX Runtime divides -1 by 2 towards zero and finds one window; rounded down, as ONNX says, there is none.
        assert_eq!(of(2).torch().unwrap()[0].shape(), [1, 2, 0, 5]);
        assert_eq!(of(2).ort().unwrap()[0].shape(), [1, 2, 1, 5]);
    }

    #[test]
    fn a_mean_of_equal_numbers_rounds_alike_at_every_step() {
        // ONNX Runtime is off by 512 u·S here, where 5·√9800 is 495.
        let flat = |v: f32| f32s(&[1, 2, 70, 140], &vec![v; 2 * 9800]);
        Case::new("GlobalAveragePool", 13)
            .with(flat(0.954_778_43))
            .check();
        let scale = |t| Case::new("GlobalAveragePool", 13).with(t).scale().unwrap();
        let (equal, other) = (
            scale(flat(0.3))[0],
            scale(random(&[1, 2, 70, 140], 3, 0.2, 0.4))[0],
        );
        assert!((90.0..100.0).contains(&(equal / other)), "{equal} {other}");
    }

    proptest! {
        #![proptest_config(cases(128))]
        #[test]
        fn pools_agree(
            op in prop::sample::select(vec!["MaxPool", "AveragePool"]), rank in 1usize..4, kernel in 1i64..5, stride in 1i64..4, dilation in 1i64..3,
            before in 0i64..3, after in 0i64..3, ceil in 0i64..2, include in 0i64..2, auto in prop::sample::select(vec!["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]), seed: u64,
        ) {
            let dims = [&[2, 3][..], &[9, 10, 11][..rank]].concat();
            let case = Case::new(op, 19).with(random(&dims, seed, -1.0, 1.0)).ints("kernel_shape", &vec![kernel; rank]).ints("strides", &vec![stride; rank]);
            let case = match auto {
                "NOTSET" => case.ints("pads", &[vec![before.min(kernel - 1); rank], vec![after.min(kernel - 1); rank]].concat()).int("ceil_mode", ceil),
                // ONNX Runtime refuses windows that leave gaps here.
                _ if kernel < stride => case.text("auto_pad", "VALID"),
                _ => case.text("auto_pad", auto),
            };
            let case = if auto == "NOTSET" { case.ints("dilations", &vec![dilation; rank]) } else { case };
            if op == "MaxPool" { case.check() } else { case.int("count_include_pad", include).check() };
        }

        #[test]
        fn global_pools_stay_in_their_bound(op in prop::sample::select(vec!["GlobalAveragePool", "GlobalMaxPool"]), rank in 1usize..4, n in 1usize..40, seed: u64) {
            Case::new(op, 13).with(random(&[&[2, 3][..], &[n, n, 3][..rank]].concat(), seed, -1.0, 1.0)).check();
        }
    }
}

//! deform: DeformConv, whose kernel elements read the image where offsets say; Col2Im, which adds columns back into an image.

use super::super::call::Call;
use super::super::perturbed;
use super::common::{count, counted, done, float, one, per_axis};
use super::window::Window;
use super::{Op, Scale, alike, op};
use parity::error::{Error, Result};
use parity::floor::Family::{Convolution, Reduction};
use tch::{TchError, Tensor};

type Torch<T> = std::result::Result<T, TchError>;

fn deform(call: &Call) -> Result<Vec<Tensor>> {
    let (x, w, offset) = (float(call, 0)?, float(call, 1)?, float(call, 2)?);
    let (&[n, channels, height, width], &[out, _, kh, kw]) =
        (x.size().as_slice(), w.size().as_slice())
    else {
        return Err(Error::failed(format!(
            "only images are supported, not {:?}",
            x.size()
        )));
    };
    let (groups, shares) = (call.int("group", 1)?, call.int("offset_group", 1)?);
    let window = Window::of(
        call,
        &[height, width],
        call.ints("kernel_shape")?.unwrap_or_else(|| vec![kh, kw]),
    )?;
    let size = window.count(&[height, width], false)?;
    let taps = kh * kw;
    if groups < 1
        || shares < 1
        || channels % shares != 0
        || offset.size() != [n, shares * taps * 2, size[0], size[1]]
    {
        return Err(Error::usage(format!(
            "offsets {:?} do not fit {:?} and {:?}",
            offset.size(),
            x.size(),
            w.size()
        )));
    }
    let columns = sampled(call, &window, &size, shares)?;
    let y = done(|| {
        let area = size[0] * size[1];
        let columns = columns.f_reshape([n, groups, channels / groups * taps, area])?;
        let weight = w.f_reshape([1, groups, out / groups, channels / groups * taps])?;
        weight
            .f_matmul(&columns)?
            .f_reshape([n, out, size[0], size[1]])
    })?;
    one(match call.optional(3) {
        None => Ok(y),
        Some(bias) => bias.f_reshape([1, -1, 1, 1]).and_then(|b| y.f_add(&b)),
    })
}

/// The image at the place of every kernel element of every output element: [n, channels, taps, height, width].
fn sampled(call: &Call, window: &Window, size: &[i64], shares: i64) -> Result<Tensor> {
    let (x, offset) = (float(call, 0)?, float(call, 2)?);
    let (dims, taps) = (x.size(), window.volume());
    let (n, channels, height, width) = (dims[0], dims[1], dims[2], dims[3]);
    let places = [
        counted(size[0])?,
        counted(size[1])?,
        counted(window.kernel[0])?,
        counted(window.kernel[1])?,
    ];
    let mask = call.optional(4);
    done(|| {
        let kind = x.kind();
        let base = |d: usize, shape: [i64; 3], tap_shape: [i64; 3]| -> Torch<Tensor> {
            let out = places[d]
                .f_mul_scalar(window.stride[d])?
                .f_sub_scalar(window.before[d])?
                .f_reshape(shape)?;
            let tap = places[d + 2].f_mul_scalar(window.dilation[d])?;
            let tap = match d {
                0 => tap
                    .f_reshape([-1, 1])?
                    .f_expand([window.kernel[0], window.kernel[1]], false)?,
                _ => tap
                    .f_reshape([1, -1])?
                    .f_expand([window.kernel[0], window.kernel[1]], false)?,
            };
            out.f_add(&tap.f_reshape(tap_shape)?)?.f_to_kind(kind)
        };
        let moved = offset.f_reshape([n, shares, taps, 2, size[0], size[1]])?;
        let y = moved
            .f_select(3, 0)?
            .f_add(&base(0, [1, -1, 1], [taps, 1, 1])?)?;
        let at = moved
            .f_select(3, 1)?
            .f_add(&base(1, [1, 1, -1], [taps, 1, 1])?)?;
        let image = x.f_reshape([n, shares, channels / shares, height * width])?;
        let (top, left) = (y.f_floor()?, at.f_floor()?);
        let (down, right) = (y.f_sub(&top)?, at.f_sub(&left)?);
        let mut sum: Option<Tensor> = None;
        for (i, j) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            let (row, column) = (top.f_add_scalar(i)?, left.f_add_scalar(j)?);
            let inside = row
                .f_ge(0)?
                .f_logical_and(&row.f_lt(height)?)?
                .f_logical_and(&column.f_ge(0)?)?
                .f_logical_and(&column.f_lt(width)?)?;
            let share = |rest: &Tensor, far: i64| {
                if far == 1 {
                    Ok(rest.shallow_clone())
                } else {
                    rest.f_neg()?.f_add_scalar(1)
                }
            };
            let weight = share(&down, i)?
                .f_mul(&share(&right, j)?)?
                .f_mul(&inside.f_to_kind(kind)?)?;
            let index = row
                .f_clamp(0, height - 1)?
                .f_mul_scalar(width)?
                .f_add(&column.f_clamp(0, width - 1)?)?
                .f_to_kind(tch::Kind::Int64)?;
            let index = index.f_reshape([n, shares, 1, -1])?.f_expand(
                [n, shares, channels / shares, taps * size[0] * size[1]],
                false,
            )?;
            let part = image
                .f_gather(3, &index, false)?
                .f_mul(&weight.f_reshape([n, shares, 1, -1])?)?;
            sum = Some(match sum {
                None => part,
                Some(sum) => sum.f_add(&part)?,
            });
        }
        let sum = sum.ok_or_else(|| TchError::Kind("no corner".into()))?;
        let sum = match mask {
            Some(m) => sum.f_mul(&m.f_reshape([n, shares, 1, -1])?)?,
            None => sum,
        };
        sum.f_reshape([n, channels, taps, size[0], size[1]])
    })
}

/// Image, weight and bias of `values`, read at the places of `call`.
fn read_alike<'a>(call: &Call<'a>, values: &dyn Fn(usize) -> Option<Tensor>) -> Call<'a> {
    let places = |i: usize| call.optional(i).map(Tensor::shallow_clone);
    call.with_inputs(
        (0..call.inputs().len())
            .map(|i| {
                if matches!(i, 2 | 4) {
                    places(i)
                } else {
                    values(i)
                }
            })
            .collect(),
    )
}

/// The sum of products as of any convolution, and what moved places make of it.
fn deform_scale(call: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let k = count(&call.input(1)?.size()[1..])? as usize + usize::from(call.optional(3).is_some());
    let size = |i: usize| call.optional(i).and_then(|t| t.f_abs().ok());
    let size = deform(&read_alike(call, &size))?.remove(0);
    let kind = call.input(0)?.kind();
    let sum = |c: &Call| {
        Ok(deform(&read_alike(call, &|i| {
            c.optional(i).and_then(|t| t.f_to_kind(kind).ok())
        }))?
        .remove(0))
    };
    let size = alike::scaled(call, (Convolution, k), size, &[0, 1], &sum)?;
    perturbed::moved(call, &outputs[0], &size, (Convolution, k), deform)
}

/// Columns of blocks, added back where the blocks lay.
fn col2im(call: &Call) -> Result<Vec<Tensor>> {
    let x = call.input(0)?;
    let image = call
        .integers(1)?
        .ok_or_else(|| Error::usage("input 1 is missing"))?;
    let block = per_axis(call.integers(2)?, image.len(), 1, "the block")?;
    let n = image.len();
    let window = Window::of(call, &image, block.clone())?;
    let blocks = window.count(&image, false)?;
    let (taps, places) = (count(&block)?, count(&blocks)?);
    let &[batch, rows, columns] = x.size().as_slice() else {
        return Err(Error::usage(format!("columns {:?}", x.size())));
    };
    if taps == 0 || rows % taps != 0 || columns != places {
        return Err(Error::usage(format!(
            "{:?} are no blocks of {block:?} in {image:?}",
            x.size()
        )));
    }
    let framed: Vec<i64> = (0..n)
        .map(|d| image[d] + window.before[d] + window.after[d])
        .collect();
    if taps.saturating_mul(places) > 1 << 28 {
        return Err(Error::usage(format!(
            "{places} blocks of {block:?} are more than memory should hold"
        )));
    }
    // The flat place in the framed image of every element of every block.
    let mut index = vec![0i64; (taps * places) as usize];
    for (at, slot) in index.iter_mut().enumerate() {
        let (mut tap, mut place) = (at as i64 / places, at as i64 % places);
        let mut step = 1;
        for d in (0..n).rev() {
            *slot +=
                step * (place % blocks[d] * window.stride[d] + tap % block[d] * window.dilation[d]);
            (tap, place) = (tap / block[d], place / blocks[d]);
            step *= framed[d];
        }
    }
    let total = count(&framed)?;
    one((|| {
        let flat = Tensor::f_zeros([batch, rows / taps, total], (x.kind(), x.device()))?;
        let added = flat.f_index_add(
            2,
            &Tensor::f_from_slice(&index)?,
            &x.f_reshape([batch, rows / taps, taps * places])?,
        )?;
        let mut y = added.f_reshape([&[batch, rows / taps][..], &framed].concat())?;
        for (d, (before, len)) in window.before.iter().zip(&image).enumerate() {
            y = y.f_narrow(d as i64 + 2, *before, *len)?;
        }
        y.f_contiguous()
    })())
}

/// At most one element of every block meets the same place.
fn col_terms(call: &Call) -> Result<usize> {
    Ok(count(&call.integers(2)?.unwrap_or_default())?.max(1) as usize)
}

pub const OPS: &[Op] = &[
    op(
        "DeformConv",
        19,
        deform,
        Scale::By(Convolution, deform_scale),
    ),
    op(
        "Col2Im",
        18,
        col2im,
        Scale::Absolute(Reduction, col_terms, &[0]),
    ),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, f32s, i64s, random};
    use proptest::prelude::*;

    #[test]
    fn blocks_that_overlap_add_up() {
        let x = f32s(&[1, 2, 3], &[1.0, 2.0, 3.0, 10.0, 20.0, 30.0]);
        let case = || {
            Case::new("Col2Im", 18)
                .with(x.clone())
                .with(i64s(&[1, 4]))
                .with(i64s(&[1, 2]))
        };
        case().gives(&[f32s(&[1, 1, 1, 4], &[1.0, 12.0, 23.0, 30.0])]);
        Case::new("Col2Im", 18)
            .with(x.clone())
            .with(i64s(&[1, 9]))
            .with(i64s(&[1, 2]))
            .refused("no blocks");
    }

    #[test]
    fn offsets_of_zero_are_a_convolution() {
        let x = f32s(&[1, 1, 2, 2], &[1.0, 2.0, 3.0, 4.0]);
        let case = |offset: f32| {
            Case::new("DeformConv", 19)
                .with(x.clone())
                .with(f32s(&[1, 1, 1, 1], &[2.0]))
                .with(f32s(&[1, 2, 2, 2], &[offset; 8]))
        };
        assert_eq!(
            case(0.0).torch().expect("a convolution")[0].to_f64(),
            [2.0, 4.0, 6.0, 8.0]
        );
        assert_eq!(
            case(0.5).torch().expect("a convolution")[0].to_f64(),
            [5.0, 3.0, 3.5, 2.0]
        );
    }

    /// (stride, dilation, pad before, pad after) of one axis.
    type Axis = (i64, i64, i64, i64);

    fn axis() -> impl Strategy<Value = Axis> {
        (1i64..3, 1i64..3, 0i64..3, 0i64..3)
    }

    fn placed(case: Case, axes: &[Axis]) -> Case {
        let all = |f: fn(&Axis) -> i64| axes.iter().map(f).collect::<Vec<_>>();
        case.ints("strides", &all(|a| a.0))
            .ints("dilations", &all(|a| a.1))
            .ints("pads", &[all(|a| a.2), all(|a| a.3)].concat())
    }

    /// How many windows of `kernel` an axis of `len` holds.
    fn windows(len: usize, kernel: usize, (stride, dilation, before, after): Axis) -> usize {
        ((len as i64 + before + after - dilation * (kernel as i64 - 1) - 1) / stride + 1) as usize
    }

    #[test]
    fn blocks_with_holes_are_added_where_the_standard_has_them_in_any_number_of_dimensions() {
        // ONNX Runtime 1.31 misplaces them unless there are two: the property below leaves those out.
        let columns: Vec<f32> = (1..9).map(|v| v as f32).collect();
        let case = Case::new("Col2Im", 18)
            .with(f32s(&[1, 4, 2], &columns))
            .with(i64s(&[4]))
            .with(i64s(&[2]))
            .ints("dilations", &[2]);
        let want: Vec<f64> = columns.iter().map(|v| *v as f64).collect();
        assert_eq!(case.torch().expect("it runs")[0].to_f64(), want);
        assert_ne!(
            case.ort().expect("it runs")[0].to_f64(),
            want,
            "ONNX Runtime is mended: the property can take every dilation"
        );
    }

    proptest! {
        #![proptest_config(cases(64))]
        #[test]
        fn moved_taps_stay_in_their_bound(
            batch in 1usize..3, group in 1usize..3, shares in 1usize..3, per in 1usize..3, out in 1usize..3, kernel in (1usize..4, 1usize..4), size in (5usize..8, 5usize..8),
            axes in (axis(), axis()), reach in 0.0f32..4.0, bias: bool, mask: bool, seed: u64,
        ) {
            let (channels, taps) = (group * shares * per, kernel.0 * kernel.1);
            let to = [windows(size.0, kernel.0, axes.0), windows(size.1, kernel.1, axes.1)];
            let case = Case::new("DeformConv", 19).with(random(&[batch, channels, size.0, size.1], seed, -1.0, 1.0));
            let case = case.with(random(&[group * out, channels / group, kernel.0, kernel.1], !seed, -1.0, 1.0));
            let case = case.with(random(&[batch, shares * taps * 2, to[0], to[1]], seed ^ 1, -reach, reach));
            let case = if bias { case.with(random(&[group * out], seed ^ 2, -1.0, 1.0)) } else { case.without() };
            let case = if mask { case.with(random(&[batch, shares * taps, to[0], to[1]], seed ^ 3, 0.0, 1.0)) } else { case };
            placed(case, &[axes.0, axes.1]).int("group", group as i64).int("offset_group", shares as i64).check();
        }

        #[test]
        fn columns_added_back_stay_in_their_bound(
            batch in 1usize..3, channels in 1usize..4, image in prop::collection::vec(5usize..8, 1..4), block in prop::collection::vec(1usize..4, 3), axes in prop::collection::vec(axis(), 3), seed: u64,
        ) {
            let n = image.len();
            let axes: Vec<Axis> = axes.iter().map(|a| if n == 2 { *a } else { (a.0, 1, a.2, a.3) }).collect();
            let places: usize = (0..n).map(|d| windows(image[d], block[d], axes[d])).product();
            let taps: usize = block[..n].iter().product();
            let all = |v: &[usize]| i64s(&v.iter().map(|d| *d as i64).collect::<Vec<_>>());
            let case = Case::new("Col2Im", 18).with(random(&[batch, channels * taps, places], seed, -1.0, 1.0)).with(all(&image)).with(all(&block[..n]));
            placed(case, &axes[..n]).check();
        }
    }
}

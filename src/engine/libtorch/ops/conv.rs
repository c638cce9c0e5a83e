//! conv: Conv and ConvTranspose over 1 to 3 spatial axes.

use super::super::call::Call;
use super::common::{Torch, done, one, per_axis};
use super::window::{Window, framed, spatial};
use super::{Op, Scale, op};
use parity::error::{Error, Result};
use parity::floor::Family::Convolution;
use tch::{Kind, Tensor};

/// The kernel's lengths, which the attribute must not contradict.
pub fn weight_kernel(call: &Call, weight: &Tensor, spatial: &[i64]) -> Result<Vec<i64>> {
    Ok(shape_of(call, weight, spatial)?.1)
}

fn weight_shape(call: &Call, spatial: &[i64]) -> Result<(i64, Vec<i64>)> {
    shape_of(call, call.input(1)?, spatial)
}

fn shape_of(call: &Call, weight: &Tensor, spatial: &[i64]) -> Result<(i64, Vec<i64>)> {
    let dims = weight.size();
    let stated = call.ints("kernel_shape")?;
    match dims.as_slice() {
        [_, channels, kernel @ ..]
            if kernel.len() == spatial.len() && stated.as_deref().is_none_or(|s| s == kernel) =>
        {
            Ok((*channels, kernel.to_vec()))
        }
        _ => Err(Error::usage(format!(
            "weight {dims:?} does not fit the input or kernel_shape {stated:?}"
        ))),
    }
}

fn groups(call: &Call) -> Result<i64> {
    let groups = call.int("group", 1)?;
    if groups < 1 {
        return Err(Error::usage(format!("attribute 'group' is {groups}")));
    }
    Ok(groups)
}

/// What is convolved: f16 as f32, whose result is rounded once. Libtorch's own f16 convolution sums in f32 as well, but one product at a time.
fn single(t: &Tensor) -> Result<Tensor> {
    done(|| {
        if t.kind() == Kind::Half {
            t.f_to_kind(Kind::Float)
        } else {
            Ok(t.shallow_clone())
        }
    })
}

pub fn conv(call: &Call) -> Result<Vec<Tensor>> {
    let (kind, x, weight, groups) = (
        call.input(0)?.kind(),
        &single(call.input(0)?)?,
        &single(call.input(1)?)?,
        groups(call)?,
    );
    let bias = call.optional(2).map(single).transpose()?;
    let spatial = spatial(x)?;
    let w = Window::of(call, &spatial, weight_shape(call, &spatial)?.1)?;
    if x.kind() == tch::Kind::Double
        && spatial.len() == 2
        && groups == x.size()[1]
        && groups == weight.size()[0]
    {
        return one(framed(x, &w.before, &w.after, 0.0)
            .and_then(|x| depthwise(&x, weight, bias.as_ref(), &w)));
    }
    let convolved = |x: &Tensor, pads: &[i64]| {
        let none = vec![0; spatial.len()];
        x.f_convolution(
            weight,
            bias.as_ref(),
            &w.stride,
            pads,
            &w.dilation,
            false,
            none,
            groups,
        )?
        .f_to_kind(kind)
    };
    // libtorch pads both ends alike.
    if w.before == w.after {
        return one(convolved(x, &w.before));
    }
    one(framed(x, &w.before, &w.after, 0.0).and_then(|x| convolved(&x, &vec![0; spatial.len()])))
}

/// One filter per channel, as a sum of shifted inputs: libtorch has no f64 kernel for it and would run one product per channel.
fn depthwise(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, w: &Window) -> Torch {
    let out = |d: usize| (x.size()[d + 2] - w.reach(d)) / w.stride[d] + 1;
    let (height, width) = (out(0), out(1));
    let size = weight.size();
    let mut sum: Option<Tensor> = None;
    for (i, j) in (0..size[2]).flat_map(|i| (0..size[3]).map(move |j| (i, j))) {
        let (top, left) = (i * w.dilation[0], j * w.dilation[1]);
        let rows = x.f_slice(2, top, top + (height - 1) * w.stride[0] + 1, w.stride[0])?;
        let part = rows.f_slice(3, left, left + (width - 1) * w.stride[1] + 1, w.stride[1])?;
        let tap = weight
            .f_select(2, i)?
            .f_select(2, j)?
            .f_reshape([1, -1, 1, 1])?;
        sum = Some(match sum {
            None => part.f_mul(&tap)?,
            Some(sum) => sum.f_addcmul(&part, &tap)?,
        });
    }
    let sum = sum.map_or_else(|| x.f_zeros_like(), Ok)?;
    match bias {
        None => Ok(sum),
        Some(bias) => sum.f_add(&bias.f_reshape([1, -1, 1, 1])?),
    }
}

/// The convolution without pads, cropped by the pads, grown by the output padding, then biased.
fn conv_transpose(call: &Call) -> Result<Vec<Tensor>> {
    let (kind, x, weight, groups) = (
        call.input(0)?.kind(),
        &single(call.input(0)?)?,
        &single(call.input(1)?)?,
        groups(call)?,
    );
    let bias = call.optional(2).map(single).transpose()?;
    let spatial = spatial(x)?;
    let w = Window::of(call, &spatial, weight_shape(call, &spatial)?.1)?;
    let (before, after) = crops(call, &w, &spatial)?;
    let grown = || -> Torch {
        let none = vec![0; spatial.len()];
        let y = x.f_convolution(
            weight,
            None::<&Tensor>,
            &w.stride,
            &none,
            &w.dilation,
            true,
            &none,
            groups,
        )?;
        let y = framed(&y, &before, &after, 0.0)?;
        let y = match &bias {
            None => y,
            Some(bias) => {
                y.f_add(&bias.f_reshape([vec![1, -1], vec![1; spatial.len()]].concat())?)?
            }
        };
        y.f_to_kind(kind)
    };
    one(grown())
}

/// What is added (negative: cropped) before and after the unpadded result.
fn crops(call: &Call, w: &Window, spatial: &[i64]) -> Result<(Vec<i64>, Vec<i64>)> {
    let n = spatial.len();
    let extra = per_axis(call.ints("output_padding")?, n, 0, "output_padding")?;
    let full: Vec<i64> = (0..n)
        .map(|d| (spatial[d] - 1) * w.stride[d] + w.reach(d) + extra[d])
        .collect();
    let auto = call.text("auto_pad", "NOTSET")?;
    let shape = match call.ints("output_shape")? {
        Some(shape) => Some(per_axis(
            Some(shape[shape.len().saturating_sub(n)..].to_vec()),
            n,
            0,
            "output_shape",
        )?),
        None if auto.starts_with("SAME") => {
            Some((0..n).map(|d| spatial[d] * w.stride[d]).collect())
        }
        None => None,
    };
    let Some(shape) = shape else {
        return Ok((
            w.before.iter().map(|p| -p).collect(),
            (0..n).map(|d| extra[d] - w.after[d]).collect(),
        ));
    };
    let total: Vec<i64> = (0..n).map(|d| full[d] - shape[d]).collect();
    // What the kernel does not reach is zeros at the end.
    let small = |d: usize| if total[d] < 0 { 0 } else { total[d] / 2 };
    let before: Vec<i64> = (0..n)
        .map(|d| {
            if auto == "SAME_UPPER" || total[d] < 0 {
                small(d)
            } else {
                total[d] - small(d)
            }
        })
        .collect();
    let after = (0..n).map(|d| extra[d] - (total[d] - before[d])).collect();
    Ok((before.iter().map(|p| -p).collect(), after))
}

/// Products that one output element sums, and the bias.
pub fn terms(call: &Call) -> Result<usize> {
    let dims = call.input(1)?.size();
    Ok(dims.iter().skip(1).product::<i64>() as usize + call.optional(2).is_some() as usize)
}

/// At most every stride-th element of the kernel meets the same output element.
fn transposed_terms(call: &Call) -> Result<usize> {
    let dims = call.input(1)?.size();
    let strides = per_axis(
        call.ints("strides")?,
        dims.len().saturating_sub(2),
        1,
        "strides",
    )?;
    let met: i64 = dims
        .iter()
        .skip(2)
        .zip(&strides)
        .map(|(k, s)| (k + s - 1) / s.max(&1))
        .product();
    Ok((met * dims.first().unwrap_or(&1) / groups(call)?) as usize
        + call.optional(2).is_some() as usize)
}

pub const OPS: &[Op] = &[
    op(
        "Conv",
        1,
        conv,
        Scale::Absolute(Convolution, terms, &[0, 1]),
    ),
    op(
        "ConvTranspose",
        1,
        conv_transpose,
        Scale::Absolute(Convolution, transposed_terms, &[0, 1]),
    ),
];

#[cfg(test)]
mod tests {
    use super::super::super::convert::{from_torch, to_torch};
    use super::super::against_ort::{Case, cases, cast, f32s, random};
    use parity::tensor::DType;
    use proptest::prelude::*;
    use tch::Kind;

    fn ones(shape: &[usize]) -> parity::tensor::Tensor {
        f32s(shape, &vec![1.0; shape.iter().product()])
    }

    #[test]
    fn pads_may_differ_between_the_ends() {
        let case = Case::new("Conv", 11)
            .with(f32s(&[1, 1, 3], &[1.0, 2.0, 3.0]))
            .with(ones(&[1, 1, 2]));
        case.clone()
            .ints("pads", &[1, 0])
            .gives(&[f32s(&[1, 1, 3], &[1.0, 3.0, 5.0])]);
        case.clone()
            .ints("pads", &[0, 1])
            .gives(&[f32s(&[1, 1, 3], &[3.0, 5.0, 3.0])]);
        case.clone()
            .text("auto_pad", "SAME_LOWER")
            .gives(&[f32s(&[1, 1, 3], &[1.0, 3.0, 5.0])]);
        case.clone()
            .text("auto_pad", "SAME_UPPER")
            .gives(&[f32s(&[1, 1, 3], &[3.0, 5.0, 3.0])]);
        case.clone()
            .text("auto_pad", "VALID")
            .gives(&[f32s(&[1, 1, 2], &[3.0, 5.0])]);
        case.ints("kernel_shape", &[3]).refused("does not fit");
    }

    #[test]
    fn a_transposed_convolution_adds_its_bias_to_the_output_padding_too() {
        let case = || {
            Case::new("ConvTranspose", 11)
                .with(f32s(&[1, 1, 2], &[1.0, 2.0]))
                .with(ones(&[1, 1, 2]))
                .with(f32s(&[1], &[10.0]))
        };
        case()
            .ints("strides", &[2])
            .ints("output_padding", &[1])
            .gives(&[f32s(&[1, 1, 5], &[11.0, 11.0, 12.0, 12.0, 10.0])]);
        case()
            .ints("strides", &[2])
            .ints("pads", &[1, 0])
            .gives(&[f32s(&[1, 1, 3], &[11.0, 12.0, 12.0])]);
        case()
            .ints("strides", &[2])
            .ints("output_shape", &[3])
            .gives(&[f32s(&[1, 1, 3], &[11.0, 12.0, 12.0])]);
        case()
            .ints("strides", &[2])
            .ints("output_shape", &[5])
            .gives(&[f32s(&[1, 1, 5], &[11.0, 11.0, 12.0, 12.0, 10.0])]);
    }

    /// x, w and b in f16, and what libtorch's own f16 convolution, its f32 one and its f64 one make of them.
    fn halves(
        channels: usize,
        size: usize,
        seed: u64,
    ) -> ([parity::tensor::Tensor; 3], [Vec<f64>; 3]) {
        let half = |shape: &[usize], i: u64| cast(&random(shape, seed ^ i, -1.0, 1.0), DType::F16);
        let fed = [
            half(&[1, channels, size, size], 1),
            half(&[channels, channels, 3, 3], 2),
            half(&[channels], 3),
        ];
        let of = |kind: Kind| {
            let [x, w, b] = fed.each_ref().map(|t| to_torch(t).unwrap().to_kind(kind));
            let y = x
                .conv2d(&w, Some(&b), [1, 1], [1, 1], [1, 1], 1)
                .to_kind(Kind::Double);
            from_torch(&y).unwrap().to_f64()
        };
        let all = [Kind::Half, Kind::Float, Kind::Double].map(of);
        (fed, all)
    }

    #[test]
    fn half_precision_is_convolved_in_single_as_exactly_as_libtorch_does_it_itself() {
        for (channels, seed) in [(1, 1), (8, 2), (64, 3)] {
            let ([x, w, b], [own, _, exact]) = halves(channels, 9, seed);
            let ours = Case::new("Conv", 11)
                .with(x)
                .with(w)
                .with(b)
                .ints("pads", &[1; 4])
                .torch()
                .unwrap()
                .remove(0)
                .to_f64();
            let off = |y: &[f64]| {
                y.iter()
                    .zip(&exact)
                    .map(|(y, e)| (y - e).abs())
                    .fold(0.0, f64::max)
            };
            let same = ours.iter().zip(&own).filter(|(a, b)| a == b).count();
            assert!(
                off(&ours) <= off(&own) && 100 * same >= 98 * own.len(),
                "{channels}: {} {}, {same} of {}",
                off(&ours),
                off(&own),
                own.len()
            );
        }
    }

    #[test]
    fn half_precision_takes_no_more_than_five_times_as_long_as_single() {
        let ([x, w, b], _) = halves(32, 40, 4);
        let fastest = |dtype: DType| {
            let case = Case::new("Conv", 11)
                .with(cast(&x, dtype))
                .with(cast(&w, dtype))
                .with(cast(&b, dtype))
                .ints("pads", &[1; 4]);
            let once = || {
                let start = std::time::Instant::now();
                case.torch().unwrap();
                start.elapsed()
            };
            (0..7).map(|_| once()).min().unwrap()
        };
        let (single, half) = (fastest(DType::F32), fastest(DType::F16));
        assert!(half <= 5 * single, "f16 {half:?}, f32 {single:?}");
    }

    #[test]
    fn what_cannot_be_convolved_is_refused() {
        let conv = |shape: &[usize]| {
            Case::new("Conv", 11)
                .with(ones(shape))
                .with(ones(&[2, 3, 2]))
        };
        conv(&[1, 2, 5]).refused("libtorch");
        conv(&[1, 3]).refused("no batch");
        conv(&[1, 3, 5]).ints("strides", &[0]).refused("stride");
        conv(&[1, 3, 5])
            .ints("strides", &[1, 1])
            .refused("should be 1 numbers");
        conv(&[1, 3, 5]).int("group", 0).refused("'group' is 0");
        conv(&[1, 3, 1]).refused("libtorch");
    }

    proptest! {
        #![proptest_config(cases(96))]
        #[test]
        fn convolutions_stay_in_their_bound(
            rank in 1usize..4, group in 1usize..4, channels in 1usize..40, kernel in 1usize..4, stride in 1i64..3, dilation in 1i64..3,
            before in 0i64..3, after in 0i64..3, auto in prop::sample::select(vec!["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]), bias: bool, seed: u64,
        ) {
            let dims = [&[2, group * channels][..], &[7, 8, 9][..rank]].concat();
            let weight = [&[group * 2, channels][..], &[kernel, kernel, 2][..rank]].concat();
            let case = Case::new("Conv", 11).with(random(&dims, seed, -1.0, 1.0)).with(random(&weight, !seed, -1.0, 1.0));
            let case = if bias { case.with(random(&[group * 2], seed, -1.0, 1.0)) } else { case };
            let case = case.int("group", group as i64).ints("strides", &vec![stride; rank]);
            // ONNX Runtime has auto_pad only without dilation.
            let case = if auto == "NOTSET" { case.ints("pads", &[vec![before; rank], vec![after; rank]].concat()).ints("dilations", &vec![dilation; rank]) } else { case };
            case.text("auto_pad", auto).check();
        }

        #[test]
        fn transposed_convolutions_stay_in_their_bound(
            rank in 1usize..4, group in 1usize..3, channels in 1usize..20, kernel in 2usize..4, stride in 1i64..3, dilation in 1i64..3,
            before in 0i64..2, after in 0i64..2, more in 0i64..2, bias: bool, seed: u64,
        ) {
            let dims = [&[2, group * channels][..], &[3, 4, 5][..rank]].concat();
            let weight = [&[group * channels, 2][..], &[kernel, 2, kernel][..rank]].concat();
            let case = Case::new("ConvTranspose", 11).with(random(&dims, seed, -1.0, 1.0)).with(random(&weight, !seed, -1.0, 1.0));
            let case = if bias { case.with(random(&[group * 2], seed, -1.0, 1.0)) } else { case };
            let case = case.int("group", group as i64).ints("strides", &vec![stride; rank]).ints("dilations", &vec![dilation; rank]);
            case.ints("pads", &[vec![before; rank], vec![after; rank]].concat()).ints("output_padding", &vec![more.min(stride - 1); rank]).check();
        }

        #[test]
        fn an_output_shape_is_reached_by_either_end(
            stride in 1i64..4, kernel in 1usize..5, less in 0i64..4, auto in prop::sample::select(vec!["NOTSET", "SAME_UPPER", "SAME_LOWER"]), seed: u64,
        ) {
            let case = Case::new("ConvTranspose", 11).with(random(&[1, 2, 5], seed, -1.0, 1.0)).with(random(&[2, 3, kernel], !seed, -1.0, 1.0));
            let full = 4 * stride + kernel as i64;
            let case = case.ints("strides", &[stride]).text("auto_pad", auto);
            case.clone().ints("output_shape", &[(full - less).max(1)]).check();
            if auto != "NOTSET" && kernel as i64 >= stride {
                case.check();
            }
        }
    }
}

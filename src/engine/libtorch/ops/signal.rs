//! signal: Fourier transforms, windows and the mel scale.

use super::super::call::Call;
use super::common::{axis, counted, done, float, one};
use super::retype::kind_or;
use super::{Op, Scale, op};
use parity::error::{Error, Result};
use parity::floor::Family::{Reduction, Transcendental};
use std::f64::consts::PI;
use tch::{Kind, Tensor};

/// One integer of input `i`, if it is given.
fn number(call: &Call, i: usize) -> Result<Option<i64>> {
    Ok(call.integers(i)?.and_then(|v| v.first().copied()))
}

/// [..., 1] of real parts or [..., 2] of both, as complex numbers without the last axis; in f64, because what cancels in a transform
/// is otherwise rounding noise.
fn complex(x: &Tensor) -> Result<Tensor> {
    let wide = done(|| x.f_to_kind(Kind::Double))?;
    match x.size().last() {
        Some(1) => done(|| {
            let real = wide.f_squeeze_dim(-1)?;
            Tensor::f_complex(&real, &real.f_zeros_like()?)
        }),
        Some(2) => done(|| {
            Tensor::f_complex(
                &wide.f_select(-1, 0)?.f_contiguous()?,
                &wide.f_select(-1, 1)?.f_contiguous()?,
            )
        }),
        other => Err(Error::usage(format!(
            "the last dimension is {other:?}: 1 for real numbers, 2 for complex ones"
        ))),
    }
}

/// The axis that is transformed, which is not the last one.
fn dft_axis(call: &Call, x: &Tensor) -> Result<usize> {
    let stated = if call.opset < 20 {
        call.int("axis", 1)?
    } else {
        number(call, 2)?.unwrap_or(-2)
    };
    match axis(stated, x.dim())? {
        at if at + 1 < x.dim() => Ok(at),
        _ => Err(Error::usage("the axis is that of real and imaginary parts")),
    }
}

fn dft(call: &Call) -> Result<Vec<Tensor>> {
    let x = float(call, 0)?;
    let at = dft_axis(call, x)?;
    let (inverse, onesided) = (call.int("inverse", 0)? != 0, call.int("onesided", 0)? != 0);
    let len = x.size()[at];
    let n = number(call, 1)?.unwrap_or(if inverse && onesided {
        2 * (len - 1)
    } else {
        len
    });
    let z = complex(x)?;
    transformed(&z, n, at as i64, inverse, onesided, x.kind())
}

fn transformed(
    z: &Tensor,
    n: i64,
    at: i64,
    inverse: bool,
    onesided: bool,
    kind: Kind,
) -> Result<Vec<Tensor>> {
    one((|| {
        if inverse && onesided {
            return z
                .f_fft_irfft(n, at, "backward")?
                .f_unsqueeze(-1)?
                .f_to_kind(kind);
        }
        let y = if inverse {
            z.f_fft_ifft(n, at, "backward")?
        } else {
            z.f_fft_fft(n, at, "backward")?
        };
        let y = if onesided {
            y.f_narrow(at, 0, n / 2 + 1)?
        } else {
            y
        };
        y.f_view_as_real()?.f_to_kind(kind)
    })())
}

/// ‖x‖₂·(1 + 2πN) of each transform of length N: an engine that does not reduce the angle 2πjk/N rounds it by u of its size, which is up
/// to 2πN, and the errors of the terms are independent.
fn angles(x: &Tensor, over: [i64; 2], n: i64, y: &Tensor) -> Result<Vec<(Tensor, usize)>> {
    let size = done(|| {
        let norm = x
            .f_to_kind(Kind::Double)?
            .f_square()?
            .f_sum_dim_intlist(&over[..], true, None)?
            .f_sqrt()?;
        norm.f_mul_scalar(1.0 + 2.0 * PI * n as f64)?
            .f_broadcast_to(y.size())
    })?;
    Ok(vec![(size, 1)])
}

fn dft_scale(call: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let (x, y) = (float(call, 0)?, &outputs[0]);
    let at = dft_axis(call, x)?;
    angles(
        x,
        [at as i64, x.dim() as i64 - 1],
        x.size()[at].max(y.size()[at]),
        y,
    )
}

/// Windowed frames of the signal: [batch, frames, length, parts].
fn frames(call: &Call) -> Result<Tensor> {
    let x = float(call, 0)?;
    let x = if x.dim() == 2 {
        done(|| x.f_unsqueeze(-1))?
    } else {
        x.shallow_clone()
    };
    let step = number(call, 1)?
        .filter(|s| *s > 0)
        .ok_or_else(|| Error::usage("the frame step should be positive"))?;
    let window = call.optional(2);
    let &[_, samples, _] = x.size().as_slice() else {
        return Err(Error::usage(format!("a signal of shape {:?}", x.size())));
    };
    let length = number(call, 3)?
        .or(window.map(|w| w.numel() as i64))
        .unwrap_or(samples);
    if !(1..=samples).contains(&length) {
        return Err(Error::usage(format!(
            "frames of {length} in a signal of {samples}"
        )));
    }
    done(|| {
        let frames = x.f_unfold(1, length, step)?.f_transpose(2, 3)?;
        match window {
            Some(w) => frames.f_mul(&w.f_reshape([1, 1, -1, 1])?),
            None => Ok(frames),
        }
    })
}

fn stft(call: &Call) -> Result<Vec<Tensor>> {
    let (frames, onesided) = (frames(call)?, call.int("onesided", 1)? != 0);
    transformed(
        &complex(&frames)?,
        frames.size()[2],
        2,
        false,
        onesided,
        frames.kind(),
    )
}

fn stft_scale(call: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let frames = frames(call)?;
    angles(&frames, [2, 3], frames.size()[2], &outputs[0])
}

/// Σ aᵢ cos(2πi·n/N): N is the size, or one less where the window is not to repeat.
fn window(call: &Call, coefficients: &[f64]) -> Result<Vec<Tensor>> {
    let size = number(call, 0)?.ok_or_else(|| Error::usage("input 0 is missing"))?;
    let periodic = call.int("periodic", 1)? != 0;
    let kind = kind_or(call, "output_datatype", super::cast::single(call))?;
    let n = counted(size)?;
    let turns = if periodic { size } else { size - 1 } as f64;
    one((|| {
        let angle = n.f_to_kind(Kind::Double)?.f_mul_scalar(2.0 * PI / turns)?;
        let mut y = angle.f_zeros_like()?;
        for (i, a) in coefficients.iter().enumerate() {
            y = y.f_add(&angle.f_mul_scalar(i as f64)?.f_cos()?.f_mul_scalar(*a)?)?;
        }
        y.f_to_kind(kind)
    })())
}

/// Triangles between points that lie equally far apart on the mel scale, over the bins of a spectrum.
fn mel(call: &Call) -> Result<Vec<Tensor>> {
    let need =
        |i: usize| number(call, i)?.ok_or_else(|| Error::usage(format!("input {i} is missing")));
    let edge = |i: usize| {
        call.floats(i)?
            .and_then(|v| v.first().copied())
            .ok_or_else(|| Error::usage(format!("input {i} is missing")))
    };
    let (bands, length, rate, low, high) = (need(0)?, need(1)?, need(2)?, edge(3)?, edge(4)?);
    if bands < 1 || length < 1 || rate < 1 || bands.saturating_mul(length) > 1 << 28 {
        return Err(Error::usage(format!(
            "{bands} mel bins of a transform of {length} at {rate} Hz"
        )));
    }
    let bins = length / 2 + 1;
    let (to_mel, from_mel) = (
        |f: f64| 2595.0 * (1.0 + f / 700.0).log10(),
        |m: f64| 700.0 * (10f64.powf(m / 2595.0) - 1.0),
    );
    let step = (to_mel(high) - to_mel(low)) / (bands + 2) as f64;
    let points: Vec<i64> = (0..bands + 2)
        .map(|i| {
            ((length + 1) as f64 * from_mel(to_mel(low) + i as f64 * step) / rate as f64).floor()
                as i64
        })
        .collect();
    let mut values = vec![0f64; (bins * bands) as usize];
    for band in 0..bands as usize {
        let (left, middle, right) = (points[band], points[band + 1], points[band + 2]);
        let mut set = |bin: i64, v: f64| {
            if (0..bins).contains(&bin) {
                values[bin as usize * bands as usize + band] = v
            }
        };
        if left == middle {
            set(middle, 1.0);
        } else {
            (left..=middle).for_each(|j| set(j, (j - left) as f64 / (middle - left) as f64));
        }
        if right > middle {
            (middle..right).for_each(|j| set(j, (right - j) as f64 / (right - middle) as f64));
        }
    }
    let kind = kind_or(call, "output_datatype", super::cast::single(call))?;
    one(Tensor::f_from_slice(&values).and_then(|t| t.f_reshape([bins, bands])?.f_to_kind(kind)))
}

pub const OPS: &[Op] = &[
    op("DFT", 17, dft, Scale::By(Reduction, dft_scale)),
    op("STFT", 17, stft, Scale::By(Reduction, stft_scale)),
    op(
        "HannWindow",
        17,
        |c| window(c, &[0.5, -0.5]),
        Scale::One(Transcendental),
    ),
    op(
        "HammingWindow",
        17,
        |c| window(c, &[25.0 / 46.0, -21.0 / 46.0]),
        Scale::One(Transcendental),
    ),
    op(
        "BlackmanWindow",
        17,
        |c| window(c, &[0.42, -0.5, 0.08]),
        Scale::One(Transcendental),
    ),
    op("MelWeightMatrix", 17, mel, Scale::One(Transcendental)),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, cast, f32s, random};
    use parity::tensor::{DType, Tensor};
    use proptest::prelude::*;

    #[test]
    fn a_constant_has_one_frequency_and_comes_back() {
        let ones = f32s(&[1, 4, 1], &[1.0; 4]);
        let spectrum = f32s(&[1, 4, 2], &[4.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
        Case::new("DFT", 17).with(ones.clone()).gives(&[spectrum]);
        Case::new("DFT", 17)
            .with(ones)
            .int("axis", 2)
            .refused("real and imaginary");
    }

    proptest! {
        #![proptest_config(cases(24))]
        #[test]
        fn transforms_stay_in_their_bound(n in 2usize..40, parts in 1usize..3, onesided in 0i64..2, seed: u64) {
            let onesided = if parts == 2 { 0 } else { onesided };
            Case::new("DFT", 17).with(random(&[2, n, parts], seed, -1.0, 1.0)).int("onesided", onesided).check();
        }

        #[test]
        fn short_transforms_stay_in_their_bound(samples in 8usize..40, length in 2i64..8, step in 1i64..5, seed: u64) {
            let case = Case::new("STFT", 17).with(random(&[2, samples, 1], seed, -1.0, 1.0)).with(Tensor::of(&[], &[step]));
            case.with(random(&[length as usize], !seed, 0.0, 1.0)).with(Tensor::of(&[], &[length])).check();
        }

        #[test]
        fn windows_stay_in_their_bound(op in prop::sample::select(vec!["HannWindow", "HammingWindow", "BlackmanWindow"]), n in 2i64..50, periodic in 0i64..2) {
            Case::new(op, 17).with(Tensor::of(&[], &[n])).int("periodic", periodic).check();
        }
    }

    /// The parts of the first frequency, and of the middle one of an even length, that a real signal does not have, set to 0.
    fn of_a_real_signal(half: &Tensor, n: usize) -> Tensor {
        let (bins, mut values) = (half.shape()[1], half.to_f64());
        let imaginary = |v: &mut f64, i: usize| {
            let bin = i / 2 % bins;
            if i % 2 == 1 && (bin == 0 || n.is_multiple_of(2) && bin == n / 2) {
                *v = 0.0;
            }
        };
        values
            .iter_mut()
            .enumerate()
            .for_each(|(i, v)| imaginary(v, i));
        cast(&Tensor::of(half.shape(), &values), DType::F32)
    }

    proptest! {
        #![proptest_config(cases(48))]
        #[test]
        fn transforms_along_any_axis_and_back_stay_in_their_bound(
            shape in prop::collection::vec(1usize..9, 2..4), parts in 1usize..3, axis: prop::sample::Index, back: bool, length in prop::option::of(1i64..12), inverse: bool, onesided: bool, seed: u64,
        ) {
            let d = axis.index(shape.len());
            let stated = if back { d as i64 - shape.len() as i64 - 1 } else { d as i64 };
            let parts = if inverse { 2 } else { parts };
            let case = Case::new("DFT", 20).with(random(&[shape.as_slice(), &[parts]].concat(), seed, -1.0, 1.0));
            let case = match length { Some(n) => case.with(Tensor::of(&[], &[n])), None => case.without() };
            case.with(Tensor::of(&[], &[stated])).int("inverse", inverse as i64).int("onesided", (onesided && parts == 1) as i64).check();
        }

        #[test]
        fn half_a_spectrum_gives_its_real_signal(batch in 1usize..3, n in 2usize..14, opset in 19i64..21, seed: u64) {
            let half = of_a_real_signal(&random(&[batch, n / 2 + 1, 2], seed, -1.0, 1.0), n);
            let case = Case::new("DFT", opset).with(half).with(Tensor::of(&[], &[n as i64]));
            let case = if opset < 20 { case.int("axis", 1) } else { case.with(Tensor::of(&[], &[1i64])) };
            case.int("inverse", 1).int("onesided", 1).check();
        }

        #[test]
        fn windows_of_double_precision_agree_to_the_coefficients_of_onnx_runtime(op in prop::sample::select(vec!["HannWindow", "HammingWindow", "BlackmanWindow"]), n in 2i64..50, periodic in 0i64..2) {
            let case = Case::new(op, 17).with(Tensor::of(&[], &[n])).int("periodic", periodic).int("output_datatype", DType::F64.onnx() as i64);
            // It states them in single precision whatever the window is given in.
            for (a, b) in case.torch().expect("it runs")[0].to_f64().iter().zip(case.ort().expect("it runs")[0].to_f64()) {
                prop_assert!((a - b).abs() <= 16.0 * DType::F32.unit_roundoff(), "{} {}", a, b);
            }
        }

        #[test]
        fn triangles_on_the_mel_scale_stay_in_their_bound(bands in 1i64..20, length in 8i64..200, rate in 4000i64..48000, low in 0.0f32..300.0, part in 0.2f32..0.49, to in prop::sample::select(vec![DType::F32, DType::F64])) {
            let case = [bands, length, rate].into_iter().fold(Case::new("MelWeightMatrix", 17), |c, v| c.with(Tensor::of(&[], &[v])));
            let case = [low, rate as f32 * part].into_iter().fold(case, |c, v| c.with(f32s(&[], &[v])));
            case.int("output_datatype", to.onnx() as i64).check();
        }
    }
}

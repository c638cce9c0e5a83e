//! random: draws: every engine has its own generator, so what one drew is given to the others and never compared.

use super::super::call::Call;
use super::common::{count, one};
use super::{Op, Scale, op};
use parity::error::{Error, Result};
use parity::tensor::DType;
use tch::{Device, Kind, Tensor};

/// Shape and dtype of the draw: stated, or those of the input.
fn target(call: &Call) -> Result<(Vec<i64>, Kind)> {
    call.known("seed");
    let stated = call.int_if("dtype")?.map(|code| i32::try_from(code).ok().and_then(DType::from_onnx).ok_or(code));
    let stated = stated.transpose().map_err(|code| Error::failed(format!("attribute 'dtype' ({code}) is no dtype that is supported")))?;
    let kind = stated.map(|d| call.kind(d)).transpose()?;
    let shape = match call.ints("shape")? {
        Some(shape) => shape,
        None => call.input(0)?.size(),
    };
    count(&shape)?;
    let own = || if call.inputs().is_empty() { call.kind(DType::F32) } else { Ok(call.input(0)?.kind()) };
    Ok((shape, kind.map_or_else(own, Ok)?))
}

fn normal(call: &Call) -> Result<Vec<Tensor>> {
    let ((shape, kind), mean, scale) = (target(call)?, call.float("mean", 0.0)?, call.float("scale", 1.0)?);
    one(Tensor::f_randn(shape, (kind, Device::Cpu)).and_then(|t| t.f_mul_scalar(scale)?.f_add_scalar(mean)))
}

fn uniform(call: &Call) -> Result<Vec<Tensor>> {
    let ((shape, kind), low, high) = (target(call)?, call.float("low", 0.0)?, call.float("high", 1.0)?);
    one(Tensor::f_rand(shape, (kind, Device::Cpu)).and_then(|t| t.f_mul_scalar(high - low)?.f_add_scalar(low)))
}

fn bernoulli(call: &Call) -> Result<Vec<Tensor>> {
    let (_, kind) = target(call)?;
    one(call.input(0)?.f_bernoulli().and_then(|t| t.f_to_kind(kind)))
}

pub const OPS: &[Op] = &[
    op("RandomNormal", 1, normal, Scale::Random),
    op("RandomNormalLike", 1, normal, Scale::Random),
    op("RandomUniform", 1, uniform, Scale::Random),
    op("RandomUniformLike", 1, uniform, Scale::Random),
    op("Bernoulli", 15, bernoulli, Scale::Random),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, f32s};

    #[test]
    fn a_draw_has_the_shape_and_the_dtype_that_were_asked_for() {
        Case::new("RandomNormal", 1).ints("shape", &[2, 3]).float("seed", 1.0).check();
        Case::new("RandomUniform", 1).ints("shape", &[4]).int("dtype", 11).check();
        Case::new("RandomNormalLike", 1).with(f32s(&[2], &[0.0, 1.0])).check();
        Case::new("Bernoulli", 15).with(f32s(&[2], &[0.0, 1.0])).check();
        Case::new("RandomNormal", 1).ints("shape", &[-2]).refused("no shape");
    }
}

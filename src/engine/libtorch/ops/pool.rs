//! pool: maxima and means over windows.

use super::super::call::Call;
use super::super::convert::torch_error;
use super::common::{Torch, is_float, one, signed};
use super::window::{Window, framed, spatial};
use super::{Op, Scale, op};
use parity::error::{Error, Result};
use parity::floor::Family::Reduction;
use tch::{Kind, Tensor};

fn window(call: &Call, spatial: &[i64]) -> Result<Window> {
    let kernel = call.ints("kernel_shape")?.ok_or_else(|| Error::usage("attribute 'kernel_shape' is missing"))?;
    Window::of(call, spatial, kernel)
}

/// Padding never wins: it is −∞.
fn max_pool(call: &Call) -> Result<Vec<Tensor>> {
    if call.node.outputs.get(1).is_some_and(|o| !o.is_empty()) {
        return Err(Error::failed("the Indices output of MaxPool is not supported"));
    }
    call.known("storage_order");
    let x = call.input(0)?;
    let spatial = spatial(x)?;
    let w = window(call, &spatial)?;
    let after = w.filled(&spatial, &w.count(&spatial, call.int("ceil_mode", 0)? != 0)?);
    let pooled = || -> Torch {
        // Small integers are exact in f32, and only there is −∞.
        let wide = if is_float(x) { x.shallow_clone() } else { x.f_to_kind(Kind::Float)? };
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

/// The sum over each window divided by how many of its elements count: pads do if asked for, what ceil mode adds never does.
fn average_pool(call: &Call) -> Result<Vec<Tensor>> {
    let x = call.input(0)?;
    let spatial = spatial(x)?;
    let w = window(call, &spatial)?;
    let after = w.filled(&spatial, &w.count(&spatial, call.int("ceil_mode", 0)? != 0)?);
    let include = call.int("count_include_pad", 0)? != 0;
    let averaged = || -> Torch {
        let ones = Tensor::f_ones([vec![1, 1], spatial.clone()].concat(), (x.kind(), x.device()))?;
        let frame = if include { 1.0 } else { 0.0 };
        let beyond: Vec<i64> = after.iter().zip(&w.after).map(|(all, pads)| all - pads).collect();
        let counted = framed(&framed(&ones, &w.before, &w.after, frame)?, &vec![0; spatial.len()], &beyond, 0.0)?;
        window_sum(&framed(x, &w.before, &after, 0.0)?, &w)?.f_div(&window_sum(&counted, &w)?)
    };
    one(averaged())
}

fn window_sum(x: &Tensor, w: &Window) -> Torch {
    let n = w.kernel.len();
    let dims = x.size();
    let images = x.f_reshape([vec![dims[0] * dims[1], 1], dims[2..].to_vec()].concat())?;
    let ones = Tensor::f_ones([vec![1, 1], w.kernel.clone()].concat(), (x.kind(), x.device()))?;
    let none = vec![0; n];
    let sums = images.f_convolution(&ones, None::<&Tensor>, &w.stride, &none, &w.dilation, false, &none, 1)?;
    sums.f_reshape([vec![dims[0], dims[1]], sums.size()[2..].to_vec()].concat())
}

fn spatial_axes(call: &Call) -> Result<Vec<i64>> {
    match call.input(0)?.dim() {
        rank @ 3.. => Ok(signed(&(2..rank).collect::<Vec<_>>())),
        rank => Err(Error::usage(format!("an input of rank {rank} has no spatial axes"))),
    }
}

fn global_average(call: &Call) -> Result<Vec<Tensor>> {
    one(call.input(0)?.f_mean_dim(spatial_axes(call)?, true, None))
}

fn global_max(call: &Call) -> Result<Vec<Tensor>> {
    Ok(vec![call.input(0)?.f_amax(spatial_axes(call)?, true).map_err(torch_error)?])
}

fn window_terms(call: &Call) -> Result<usize> {
    Ok(window(call, &spatial(call.input(0)?)?)?.volume() as usize)
}

fn image_terms(call: &Call) -> Result<usize> {
    Ok(spatial(call.input(0)?)?.iter().product::<i64>() as usize)
}

pub const OPS: &[Op] = &[
    op("MaxPool", 1, max_pool, Scale::Exact),
    op("AveragePool", 1, average_pool, Scale::Absolute(Reduction, window_terms)),
    op("GlobalAveragePool", 1, global_average, Scale::Absolute(Reduction, image_terms)),
    op("GlobalMaxPool", 1, global_max, Scale::Exact),
];

//! batch_norm: BatchNormalization on recorded statistics, and in training mode on the batch's own, which it then mixes into the
//! recorded ones (ONNX: running = running·momentum + batch·(1 − momentum), with the biased variance).

use super::super::call::Call;
use super::super::convert::torch_error;
use super::common::{Torch, along, beyond, count, float, one, scaled};
use super::{Op, Scale, op};
use parity::error::{Error, Result};
use parity::floor::Family::Normalisation;
use tch::{TchError, Tensor};

fn batch_norm(call: &Call) -> Result<Vec<Tensor>> {
    let (momentum, training) = (call.float("momentum", 0.9)?, training(call)?);
    let (x, eps) = (float(call, 0)?, call.float("epsilon", 1e-5)?);
    let (weight, bias) = (Some(call.input(1)?), Some(call.input(2)?));
    if !training {
        return one(x.f_batch_norm(
            weight,
            bias,
            Some(call.input(3)?),
            Some(call.input(4)?),
            false,
            0.0,
            eps,
            false,
        ));
    }
    let none = None::<&Tensor>;
    let (y, _, _) = x
        .f_native_batch_norm(weight, bias, none, none, true, 0.0, eps)
        .map_err(torch_error)?;
    let (mean, var) = statistics(x).map_err(torch_error)?;
    let mixed = |i: usize, batch: &Tensor| -> Result<Tensor> {
        let recorded = float(call, i)?.f_mul_scalar(momentum);
        recorded
            .and_then(|r| r.f_add(&batch.f_mul_scalar(1.0 - momentum)?))
            .map_err(torch_error)
    };
    Ok(vec![y, mixed(3, &mean)?, mixed(4, &var)?])
}

/// Whether the batch's own statistics are used. Opsets 7 and 8 say spatial = 1 for per-channel statistics.
fn training(call: &Call) -> Result<bool> {
    if call.int("spatial", 1)? == 0 {
        return Err(Error::failed("only per-channel statistics are supported"));
    }
    Ok(call.int("training_mode", 0)? != 0)
}

/// Every axis but that of the channels.
fn reduced(x: &Tensor) -> Vec<i64> {
    (0..x.dim() as i64).filter(|a| *a != 1).collect()
}

/// Mean and biased variance per channel.
fn statistics(x: &Tensor) -> std::result::Result<(Tensor, Tensor), TchError> {
    let over = reduced(x);
    Ok((
        x.f_mean_dim(&over[..], false, None)?,
        x.f_var_dim(&over[..], false, false)?,
    ))
}

/// (|x| + |mean|)·|w/σ| + |b|: what is lost when the two products cancel; in training mode |mean| is mean|x|, K the numbers that
/// one statistic sums, and both new statistics are sums of positive terms around |mean|.
fn batch_scale(call: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let x = call.input(0)?;
    let eps = call.float("epsilon", 1e-5)?;
    let lies = along(x.dim(), 1, -1);
    let per_channel = |t: &Tensor| t.f_reshape(&lies);
    let (w, b) = (call.input(1)?, call.input(2)?);
    let size = |mean: &Tensor, var: &Tensor| -> Torch {
        let slope = per_channel(w)?
            .f_div(&per_channel(var)?.f_add_scalar(eps)?.f_sqrt()?)?
            .f_abs()?;
        x.f_abs()?
            .f_add(&per_channel(mean)?.f_abs()?)?
            .f_mul(&slope)?
            .f_add(&per_channel(b)?.f_abs()?)
    };
    if !training(call)? {
        return scaled(size(call.input(3)?, call.input(4)?), 1);
    }
    let terms = count(
        &reduced(x)
            .iter()
            .map(|a| x.size()[*a as usize])
            .collect::<Vec<_>>(),
    )? as usize;
    let (momentum, recorded) = (call.float("momentum", 0.9)?, call.input(3)?);
    let sizes = || -> std::result::Result<Vec<Tensor>, TchError> {
        let (around, (_, var), beyond) = (
            x.f_abs()?.f_mean_dim(&reduced(x)[..], false, None)?,
            statistics(x)?,
            beyond(x, &reduced(x))?,
        );
        let mean = recorded
            .f_abs()?
            .f_mul_scalar(momentum)?
            .f_add(&around.f_mul_scalar(1.0 - momentum)?)?;
        let spread = outputs
            .get(2)
            .unwrap_or(&var)
            .f_abs()?
            .f_add(&beyond.f_reshape([-1])?)?;
        Ok(vec![size(&around, &var)?.f_add(&beyond)?, mean, spread])
    };
    Ok(sizes()
        .map_err(torch_error)?
        .into_iter()
        .map(|s| (s, terms))
        .collect())
}

pub const OPS: &[Op] = &[op(
    "BatchNormalization",
    7,
    batch_norm,
    Scale::By(Normalisation, batch_scale),
)];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, f32s, random};
    use proptest::prelude::*;

    #[test]
    fn training_mode_uses_the_batch_and_mixes_its_statistics_into_the_recorded_ones() {
        // Mean 2, biased variance 1.
        let case = Case::new("BatchNormalization", 15).with(f32s(&[2, 1, 1], &[1.0, 3.0]));
        let case = case
            .with(f32s(&[1], &[2.0]))
            .with(f32s(&[1], &[0.5]))
            .with(f32s(&[1], &[4.0]))
            .with(f32s(&[1], &[3.0]));
        let case = case
            .int("training_mode", 1)
            .float("momentum", 0.75)
            .float("epsilon", 0.0)
            .outputs(3);
        case.gives(&[
            f32s(&[2, 1, 1], &[-1.5, 2.5]),
            f32s(&[1], &[3.5]),
            f32s(&[1], &[2.5]),
        ]);
    }

    #[test]
    fn statistics_per_element_are_refused() {
        let one = || f32s(&[1], &[1.0]);
        let case = Case::new("BatchNormalization", 7)
            .with(f32s(&[1, 1, 1], &[1.0]))
            .with(one())
            .with(one())
            .with(one())
            .with(one());
        case.int("spatial", 0).refused("per-channel");
    }

    proptest! {
        #![proptest_config(cases(64))]
        #[test]
        fn both_modes_stay_in_their_bound(n in 1usize..3, c in 1usize..9, h in 1usize..20, w in 2usize..20, offset in prop::sample::select(vec![0f32, 2.0, 10.0]), seed: u64) {
            let each = |i: u64, low: f32, high: f32| random(&[c], seed ^ i, low, high);
            let x = random(&[n, c, h, w], seed, offset - 1.0, offset + 1.0);
            let case = Case::new("BatchNormalization", 15).with(x).with(each(1, -2.0, 2.0)).with(each(2, -1.0, 1.0));
            let case = case.with(each(3, offset - 1.0, offset + 1.0)).with(each(4, 0.01, 2.0));
            case.check();
            case.int("training_mode", 1).outputs(3).check();
        }
    }
}

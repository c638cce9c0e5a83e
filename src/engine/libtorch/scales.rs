//! scales: S and K of every output of one node, by the scale of its operator.

use super::call::Call;
use super::ops::{Kernel, Op, Scale, alike};
use super::perturbed;
use parity::error::{Error, Result};
use parity::floor::Family;
use tch::Tensor;

/// Family, and S and K of each output; None where the operator does not round.
pub type Scales = Option<(Family, Vec<(Tensor, usize)>)>;

/// The scales of `outputs` (in f64) of a call of `op`; the call is made only where the scale needs its inputs.
pub fn of<'a>(
    op: &'static Op,
    scale: &Scale,
    call: &dyn Fn() -> Result<Call<'a>>,
    outputs: &[Tensor],
) -> Result<Scales> {
    let size = |y: &Tensor| {
        (
            if y.is_floating_point() {
                y.abs()
            } else {
                y.shallow_clone()
            },
            1,
        )
    };
    Ok(match scale {
        Scale::Exact
        | Scale::Copies(_)
        | Scale::Decision(..)
        | Scale::Selection(..)
        | Scale::Random => None,
        Scale::Output(family) | Scale::Graded(family, _) => {
            Some((*family, outputs.iter().map(size).collect()))
        }
        Scale::One(family) => Some((
            *family,
            outputs.iter().map(|y| (y.ones_like(), 1)).collect(),
        )),
        Scale::By(family, formula) | Scale::Stepped(family, formula, _) => {
            Some((*family, formula(&call()?, outputs)?))
        }
        Scale::Perturbed(family) => Some((*family, perturbed::scales(op, &call()?, outputs)?)),
        Scale::Absolute(family, terms, factors) => {
            let Kernel::Tensors(kernel) = op.kernel else {
                return Err(Error::failed(format!(
                    "operator {}: its scale asks for a kernel on tensors",
                    op.name
                )));
            };
            let call = call()?;
            let k = terms(&call)?;
            let only = |call: &Call| {
                kernel(call)?
                    .into_iter()
                    .next()
                    .ok_or_else(|| Error::failed(format!("operator {} gives nothing", op.name)))
            };
            let s = only(&call.with_inputs(absolute(call.inputs())))?;
            Some((
                *family,
                vec![(alike::scaled(&call, (*family, k), s, factors, &only)?, k)],
            ))
        }
        Scale::Node(_) => {
            return Err(Error::failed(format!(
                "operator {}: its scale names no scale",
                op.name
            )));
        }
    })
}

/// Floats replaced by their absolute values; integers (indices, shapes) stay.
fn absolute(inputs: &[Option<Tensor>]) -> Vec<Option<Tensor>> {
    inputs
        .iter()
        .map(|t| {
            t.as_ref().map(|t| {
                if t.is_floating_point() {
                    t.abs()
                } else {
                    t.shallow_clone()
                }
            })
        })
        .collect()
}

//! train: steps of optimisers as operators: Momentum, Adagrad and Adam.

use super::super::call::Call;
use super::common::done;
use super::{Kernel, Op, Scale};
use parity::error::{Error, Result};
use parity::floor::Family::Arithmetic;
use tch::{TchError, Tensor};

/// New values of one parameter, then of its states.
type Step<'a> = dyn Fn(&[&Tensor]) -> std::result::Result<Vec<Tensor>, TchError> + 'a;

/// Runs `step` on (parameter, gradient, states…) of every parameter; inputs and outputs lie kind by kind behind rate and turn.
fn each(call: &Call, states: usize, step: &Step) -> Result<Vec<Tensor>> {
    let kinds = 2 + states;
    let n = call.inputs().len().saturating_sub(2) / kinds;
    if n == 0 || call.inputs().len() != 2 + n * kinds {
        return Err(Error::usage(format!(
            "{} inputs are no rate, turn and {kinds} tensors of each parameter",
            call.inputs().len()
        )));
    }
    let mut by_kind: Vec<Vec<Tensor>> = (0..1 + states).map(|_| Vec::new()).collect();
    for i in 0..n {
        let own = (0..kinds)
            .map(|k| call.input(2 + k * n + i))
            .collect::<Result<Vec<_>>>()?;
        by_kind
            .iter_mut()
            .zip(done(|| step(&own))?)
            .for_each(|(all, t)| all.push(t));
    }
    Ok(by_kind.into_iter().flatten().collect())
}

/// Learning rate, turn.
fn rate(call: &Call) -> Result<(f64, f64)> {
    let first = |i: usize| {
        call.floats(i)?
            .and_then(|v| v.first().copied())
            .ok_or_else(|| Error::usage(format!("input {i} is missing")))
    };
    Ok((first(0)?, first(1)?))
}

fn momentum(call: &Call) -> Result<Vec<Tensor>> {
    let ((r, t), norm) = (rate(call)?, call.float("norm_coefficient", 0.0)?);
    let (alpha, beta) = (call.float("alpha", 0.0)?, call.float("beta", 0.0)?);
    let beta = if t > 0.0 { beta } else { 1.0 };
    let nesterov = match call.text("mode", "standard")?.as_str() {
        "standard" => false,
        "nesterov" => true,
        other => {
            return Err(Error::usage(format!(
                "attribute 'mode' should be standard or nesterov, is '{other}'"
            )));
        }
    };
    each(call, 1, &|p| {
        let g = p[0].f_mul_scalar(norm)?.f_add(p[1])?;
        let v = p[2].f_mul_scalar(alpha)?.f_add(&g.f_mul_scalar(beta)?)?;
        let way = if nesterov {
            g.f_add(&v.f_mul_scalar(alpha)?)?
        } else {
            v.shallow_clone()
        };
        Ok(vec![p[0].f_sub(&way.f_mul_scalar(r)?)?, v])
    })
}

fn adagrad(call: &Call) -> Result<Vec<Tensor>> {
    let ((r, t), norm) = (rate(call)?, call.float("norm_coefficient", 0.0)?);
    let (epsilon, decay) = (
        call.float("epsilon", 0.0)?,
        call.float("decay_factor", 0.0)?,
    );
    let r = r / (1.0 + t * decay);
    each(call, 1, &|p| {
        let g = p[0].f_mul_scalar(norm)?.f_add(p[1])?;
        let h = p[2].f_add(&g.f_square()?)?;
        Ok(vec![
            p[0].f_sub(
                &g.f_mul_scalar(r)?
                    .f_div(&h.f_sqrt()?.f_add_scalar(epsilon)?)?,
            )?,
            h,
        ])
    })
}

fn adam(call: &Call) -> Result<Vec<Tensor>> {
    let ((r, t), norm, post) = (
        rate(call)?,
        call.float("norm_coefficient", 0.0)?,
        call.float("norm_coefficient_post", 0.0)?,
    );
    let (alpha, beta, epsilon) = (
        call.float("alpha", 0.9)?,
        call.float("beta", 0.999)?,
        call.float("epsilon", 0.0)?,
    );
    let r = if t > 0.0 {
        r * (1.0 - beta.powf(t)).sqrt() / (1.0 - alpha.powf(t))
    } else {
        r
    };
    each(call, 2, &|p| {
        let g = p[0].f_mul_scalar(norm)?.f_add(p[1])?;
        let v = p[2]
            .f_mul_scalar(alpha)?
            .f_add(&g.f_mul_scalar(1.0 - alpha)?)?;
        let h = p[3]
            .f_mul_scalar(beta)?
            .f_add(&g.f_square()?.f_mul_scalar(1.0 - beta)?)?;
        let x = p[0].f_sub(
            &v.f_div(&h.f_sqrt()?.f_add_scalar(epsilon)?)?
                .f_mul_scalar(r)?,
        )?;
        Ok(vec![x.f_mul_scalar(1.0 - post)?, v, h])
    })
}

const fn line(name: &'static str, kernel: fn(&Call) -> Result<Vec<Tensor>>) -> Op {
    Op {
        domain: "ai.onnx.preview.training",
        name,
        since: 1,
        kernel: Kernel::Tensors(kernel),
        scale: Scale::Perturbed(Arithmetic),
    }
}

pub const OPS: &[Op] = &[
    line("Momentum", momentum),
    line("Adagrad", adagrad),
    line("Adam", adam),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, f32s, random};
    use parity::tensor::Tensor;
    use proptest::prelude::*;

    #[test]
    fn a_step_moves_a_parameter_against_its_gradient() {
        let one = |v: f32| f32s(&[1], &[v]);
        let start = |op: &str, t: i64| {
            Case::new(op, 1)
                .of("ai.onnx.preview.training")
                .with(f32s(&[], &[0.5]))
                .with(Tensor::of(&[], &[t]))
        };
        let momentum = |mode: &str| {
            let case = start("Momentum", 1)
                .with(one(1.0))
                .with(one(2.0))
                .with(one(4.0))
                .float("alpha", 0.5)
                .float("beta", 1.0)
                .text("mode", mode);
            let have = case
                .float("norm_coefficient", 0.0)
                .outputs(2)
                .torch()
                .expect("a step");
            (have[0].to_f64(), have[1].to_f64())
        };
        assert_eq!(momentum("standard"), (vec![-1.0], vec![4.0]));
        assert_eq!(momentum("nesterov"), (vec![-1.0], vec![4.0]));
        let adagrad = start("Adagrad", 0)
            .with(one(1.0))
            .with(one(3.0))
            .with(one(16.0))
            .outputs(2)
            .torch()
            .expect("a step");
        assert_eq!(
            (adagrad[0].values::<f32>(), adagrad[1].to_f64()),
            (Some(&[0.7f32][..]), vec![25.0])
        );
        start("Adam", 0)
            .with(one(1.0))
            .refused("no rate, turn and 4 tensors");
    }

    /// A learning rate, a turn, and for each of `shapes` a parameter, a gradient and states (the last not negative).
    fn inputs(
        op: &str,
        states: usize,
        rate: f32,
        turn: i64,
        shapes: &[Vec<usize>],
        seed: u64,
    ) -> Case {
        let start = Case::new(op, 1)
            .of("ai.onnx.preview.training")
            .with(f32s(&[], &[rate]))
            .with(Tensor::of(&[], &[turn]))
            .outputs((1 + states) * shapes.len());
        let kinds =
            (0..2 + states).flat_map(|k| shapes.iter().enumerate().map(move |(i, s)| (k, i, s)));
        let last = if op == "Momentum" {
            usize::MAX
        } else {
            1 + states
        };
        kinds.fold(start, |case, (k, i, s)| {
            case.with(random(
                s,
                seed ^ (k * 8 + i) as u64,
                if k == last { 0.01 } else { -1.0 },
                1.0,
            ))
        })
    }

    fn shapes() -> impl Strategy<Value = Vec<Vec<usize>>> {
        prop::collection::vec(prop::collection::vec(1usize..5, 0..4), 1..4)
    }

    proptest! {
        #![proptest_config(cases(48))]
        #[test]
        fn steps_of_momentum_stay_in_their_bound(
            shapes in shapes(), mode in prop::sample::select(vec!["standard", "nesterov"]), rate in 0.001f32..1.0, turn in 0i64..5,
            alpha in 0.0f32..1.0, beta in 0.0f32..1.0, norm in 0.0f32..0.1, seed: u64,
        ) {
            let case = inputs("Momentum", 1, rate, turn, &shapes, seed).text("mode", mode);
            case.float("alpha", alpha).float("beta", beta).float("norm_coefficient", norm).check_alone();
        }

        #[test]
        fn steps_of_adagrad_stay_in_their_bound(shapes in shapes(), rate in 0.001f32..1.0, turn in 0i64..5, epsilon in 1e-8f32..1e-2, decay in 0.0f32..0.5, norm in 0.0f32..0.1, seed: u64) {
            inputs("Adagrad", 1, rate, turn, &shapes, seed).float("epsilon", epsilon).float("decay_factor", decay).float("norm_coefficient", norm).check_alone();
        }

        #[test]
        fn steps_of_adam_stay_in_their_bound(
            shapes in shapes(), rate in 0.001f32..1.0, turn in 0i64..5, alpha in 0.0f32..0.99, beta in 0.0f32..0.9999,
            epsilon in 1e-8f32..1e-2, norm in 0.0f32..0.1, post in 0.0f32..0.1, seed: u64,
        ) {
            let case = inputs("Adam", 2, rate, turn, &shapes, seed).float("alpha", alpha).float("beta", beta).float("epsilon", epsilon);
            case.float("norm_coefficient", norm).float("norm_coefficient_post", post).check_alone();
        }
    }
}

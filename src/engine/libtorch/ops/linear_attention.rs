//! linear_attention: recurrent attention on a state, and the causal convolution that goes with it.

use super::super::call::Call;
use super::attention::{by_heads, grouped, joined};
use super::common::done;
use super::{Op, Scale, op};
use parity::error::{Error, Result};
use parity::floor::Family::{Convolution, Matmul};
use tch::{Kind, Tensor};

/// f32 at least: what the state is accumulated in.
fn wide(t: &Tensor) -> Result<Tensor> {
    done(|| {
        if t.kind() == Kind::Double {
            Ok(t.shallow_clone())
        } else {
            t.f_to_kind(Kind::Float)
        }
    })
}

/// Input `i` as [batch, heads, sequence, …].
fn heads(call: &Call, i: usize, n: i64) -> Result<Tensor> {
    by_heads(&wide(call.input(i)?)?, Some(n))
}

/// S ← exp(decay)·S, v ← beta·(v − Sᵀk), S ← S + k vᵀ, y = scale·Sᵀq, step by step; decay and the correction where the rule has them.
fn linear_attention(call: &Call) -> Result<Vec<Tensor>> {
    let need = |name: &str| {
        call.int_if(name)?
            .filter(|n| *n > 0)
            .ok_or_else(|| Error::usage(format!("attribute '{name}' should be positive")))
    };
    let (q_heads, kv_heads) = (need("q_num_heads")?, need("kv_num_heads")?);
    call.known("chunk_size");
    let rule = call.text("update_rule", "gated_delta")?;
    let (gated, corrected) = match rule.as_str() {
        "linear" => (false, false),
        "gated" => (true, false),
        "delta" => (false, true),
        "gated_delta" => (true, true),
        other => {
            return Err(Error::usage(format!(
                "attribute 'update_rule' is '{other}'"
            )));
        }
    };
    let (q, k, v) = (
        heads(call, 0, q_heads)?,
        heads(call, 1, kv_heads)?,
        heads(call, 2, kv_heads)?,
    );
    let (d_k, d_v, steps) = (k.size()[3], v.size()[3], q.size()[2]);
    let decay = if gated {
        Some(heads(call, 4, kv_heads)?)
    } else {
        None
    };
    let beta = match (corrected, call.optional(5)) {
        (false, _) => None,
        (true, None) => return Err(Error::usage("input 5 (beta) is missing")),
        (true, Some(b)) => Some(by_heads(
            &wide(b)?,
            Some(b.size().last().copied().unwrap_or(1)),
        )?),
    };
    let scale = Some(call.float("scale", 0.0)?)
        .filter(|s| *s != 0.0)
        .unwrap_or(1.0 / (d_k as f64).sqrt());
    let (own, mut state) = match call.optional(3) {
        Some(past) => (past.kind(), wide(past)?),
        None => (
            call.input(0)?.kind(),
            done(|| Tensor::f_zeros([q.size()[0], kv_heads, d_k, d_v], (q.kind(), q.device())))?,
        ),
    };
    let mut outputs = Vec::with_capacity(steps as usize);
    for i in 0..steps {
        let at = |t: &Tensor| t.f_select(2, i);
        if let Some(decay) = &decay {
            state = done(|| state.f_mul(&at(decay)?.f_exp()?.f_unsqueeze(-1)?))?;
        }
        let (key, mut value) = done(|| Ok((at(&k)?.f_unsqueeze(-1)?, at(&v)?)))?;
        if let Some(beta) = &beta {
            value = done(|| {
                value
                    .f_sub(&state.f_mul(&key)?.f_sum_dim_intlist(-2, false, None)?)?
                    .f_mul(&at(beta)?)
            })?;
        }
        state = done(|| state.f_add(&key.f_mul(&value.f_unsqueeze(-2)?)?))?;
        let read = grouped(&state, q_heads)?;
        outputs.push(done(|| {
            read.f_mul(&at(&q)?.f_unsqueeze(-1)?)?
                .f_sum_dim_intlist(-2, false, None)?
                .f_mul_scalar(scale)
        })?);
    }
    let y = joined(&done(|| Tensor::f_stack(&outputs, 2))?)?;
    done(|| {
        Ok(vec![
            y.f_to_kind(call.inputs()[0].as_ref().map_or(y.kind(), Tensor::kind))?,
            state.f_to_kind(own)?,
        ])
    })
}

/// One filter per channel over what came before; the last k − 1 inputs are handed on.
fn causal(call: &Call) -> Result<Vec<Tensor>> {
    let (x, weight) = (call.input(0)?, call.input(1)?);
    let (&[batch, channels, _], &[_, _, k]) = (x.size().as_slice(), weight.size().as_slice())
    else {
        return Err(Error::usage(format!(
            "{:?} and {:?} should each have three dimensions",
            x.size(),
            weight.size()
        )));
    };
    let past = match call.optional(3) {
        Some(past) => past.shallow_clone(),
        None => done(|| Tensor::f_zeros([batch, channels, k - 1], (x.kind(), x.device())))?,
    };
    let padded = done(|| Tensor::f_cat(&[&past, x], 2))?;
    let y = done(|| {
        padded.f_convolution(
            weight,
            call.optional(2),
            [1],
            [0],
            [1],
            false,
            [0],
            channels,
        )
    })?;
    let y = match call.text("activation", "none")?.as_str() {
        "none" => y,
        "silu" | "swish" => {
            let y = wide(&y)?;
            done(|| y.f_silu()?.f_to_kind(x.kind()))?
        }
        other => {
            return Err(Error::usage(format!(
                "attribute 'activation' should be none, silu or swish, is '{other}'"
            )));
        }
    };
    let length = padded.size()[2];
    Ok(vec![
        y,
        done(|| padded.f_narrow(2, length - (k - 1), k - 1))?,
    ])
}

pub const OPS: &[Op] = &[
    op(
        "LinearAttention",
        27,
        linear_attention,
        Scale::Perturbed(Matmul),
    ),
    op(
        "CausalConvWithState",
        27,
        causal,
        Scale::Perturbed(Convolution),
    ),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, f32s, random};
    use proptest::prelude::*;

    #[test]
    fn the_state_adds_up_what_was_written() {
        let case = Case::new("LinearAttention", 27)
            .with(f32s(&[1, 2, 1], &[1.0, 1.0]))
            .with(f32s(&[1, 2, 1], &[2.0, 3.0]))
            .with(f32s(&[1, 2, 1], &[5.0, 7.0]));
        let case = case
            .int("q_num_heads", 1)
            .int("kv_num_heads", 1)
            .float("scale", 1.0)
            .outputs(2);
        let have = case
            .clone()
            .text("update_rule", "linear")
            .torch()
            .expect("an answer");
        assert_eq!(
            (have[0].to_f64(), have[1].to_f64()),
            (vec![10.0, 31.0], vec![31.0])
        );
        case.text("update_rule", "other")
            .refused("'update_rule' is 'other'");
    }

    #[test]
    fn the_last_inputs_are_handed_on() {
        let case = Case::new("CausalConvWithState", 27)
            .with(f32s(&[1, 1, 3], &[1.0, 2.0, 3.0]))
            .with(f32s(&[1, 1, 2], &[1.0, 10.0]))
            .outputs(2);
        let have = case.clone().torch().expect("an answer");
        assert_eq!(
            (have[0].to_f64(), have[1].to_f64()),
            (vec![10.0, 21.0, 32.0], vec![3.0])
        );
        case.text("activation", "gelu")
            .refused("none, silu or swish");
    }

    proptest! {
        #![proptest_config(cases(64))]
        #[test]
        fn every_rule_stays_in_its_bound(
            rule in prop::sample::select(vec!["linear", "gated", "delta", "gated_delta"]), batch in 1usize..3, steps in 1usize..8, heads in 1usize..4, share in 1usize..3,
            d_k in 1usize..6, d_v in 1usize..6, scale in prop_oneof![Just(0.0f32), 0.1f32..2.0], past: bool, per_key: bool, shared: bool, seed: u64,
        ) {
            let of = |i: u64, width: usize, low: f32, high: f32| random(&[batch, steps, width], seed ^ i, low, high);
            let case = Case::new("LinearAttention", 27).with(of(0, heads * share * d_k, -1.0, 1.0)).with(of(1, heads * d_k, -1.0, 1.0)).with(of(2, heads * d_v, -1.0, 1.0));
            let case = if past { case.with(random(&[batch, heads, d_k, d_v], seed ^ 3, -1.0, 1.0)) } else { case.without() };
            let gated = rule.starts_with("gated");
            let case = if gated { case.with(of(4, if per_key { heads * d_k } else { heads }, -2.0, 0.0)) } else { case.without() };
            let case = if rule.ends_with("delta") { case.with(of(5, if shared { 1 } else { heads }, 0.0, 1.0)) } else { case };
            case.int("q_num_heads", (heads * share) as i64).int("kv_num_heads", heads as i64).float("scale", scale).text("update_rule", rule).outputs(2).check_alone();
        }

        #[test]
        fn causal_convolutions_stay_in_their_bound(
            activation in prop::sample::select(vec!["none", "silu", "swish"]), batch in 1usize..3, channels in 1usize..5, length in 1usize..9, k in 1usize..5, bias: bool, past: bool, seed: u64,
        ) {
            let case = Case::new("CausalConvWithState", 27).with(random(&[batch, channels, length], seed, -1.0, 1.0)).with(random(&[channels, 1, k], !seed, -1.0, 1.0));
            let case = if bias { case.with(random(&[channels], seed ^ 1, -1.0, 1.0)) } else { case.without() };
            let case = if past { case.with(random(&[batch, channels, k - 1], seed ^ 2, -1.0, 1.0)) } else { case };
            case.text("activation", activation).outputs(2).check_alone();
        }
    }
}

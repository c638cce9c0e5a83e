//! attention: Attention with its caches, masks and grouped heads, FlexAttention with its bodies, and RotaryEmbedding.

use super::super::call::Call;
use super::super::value::Value;
use super::common::{done, is_float};
use super::retype::kind_or;
use super::{Kernel, Op, Scale, op};
use parity::error::{Error, Result};
use parity::floor::Family::{Arithmetic, Softmax};
use tch::{Kind, Tensor};

/// [batch, sequence, heads·size] as [batch, heads, sequence, size]; four dimensions as they are.
pub fn by_heads(x: &Tensor, heads: Option<i64>) -> Result<Tensor> {
    match (x.size().as_slice(), heads) {
        ([_, _, _, _], _) => Ok(x.shallow_clone()),
        ([b, s, hidden], Some(h)) if h > 0 && hidden % h == 0 => {
            done(|| x.f_reshape([*b, *s, h, hidden / h])?.f_transpose(1, 2))
        }
        (other, h) => Err(Error::usage(format!(
            "{other:?} cannot be split into {h:?} heads"
        ))),
    }
}

/// Back to [batch, sequence, heads·size].
pub fn joined(x: &Tensor) -> Result<Tensor> {
    let size = x.size();
    done(|| {
        x.f_transpose(1, 2)?
            .f_reshape([size[0], size[2], size[1] * size[3]])
    })
}

/// Each key and value head serves several query heads, which lie beside each other.
pub fn grouped(x: &Tensor, heads: i64) -> Result<Tensor> {
    match x.size()[1] {
        own if own == heads => Ok(x.shallow_clone()),
        own if own > 0 && heads % own == 0 => {
            done(|| x.f_repeat_interleave_self_int(heads / own, 1, None))
        }
        own => Err(Error::usage(format!(
            "{heads} query heads do not share {own} key and value heads"
        ))),
    }
}

/// The scale that each of Q and K is multiplied by.
fn root_scale(call: &Call, q: &Tensor) -> Result<f64> {
    let size = q.size()[3] as f64;
    let scale = match call.any("scale") {
        Some(_) => call.float("scale", 0.0)?,
        None => 1.0 / size.sqrt(),
    };
    if scale < 0.0 {
        return Err(Error::failed(format!(
            "a negative scale ({scale}) is not supported"
        )));
    }
    Ok(scale.sqrt())
}

struct Caches {
    key: Tensor,
    value: Tensor,
    past: i64,
}

fn caches(call: &Call, k: Tensor, v: Tensor) -> Result<Caches> {
    let behind = |past: Option<&Tensor>, new: &Tensor| match past {
        Some(past) => done(|| Tensor::f_cat(&[past, new], 2)),
        None => Ok(new.shallow_clone()),
    };
    let past = call
        .optional(4)
        .map_or(0, |t| t.size().get(2).copied().unwrap_or(0));
    Ok(Caches {
        key: behind(call.optional(4), &k)?,
        value: behind(call.optional(5), &v)?,
        past,
    })
}

/// What is added to the scores: 0 where a query may look, −∞ where not, or what the mask says.
fn bias(call: &Call, q: &Tensor, c: &Caches) -> Result<Option<Tensor>> {
    let (queries, keys, kind) = (q.size()[2], c.key.size()[2], q.kind());
    let hidden = |allowed: &Tensor| {
        done(|| {
            allowed
                .f_to_kind(kind)?
                .f_zeros_like()?
                .f_masked_fill(&allowed.f_logical_not()?, f64::NEG_INFINITY)
        })
    };
    let mut parts = Vec::new();
    if let Some(mask) = call.optional(3) {
        let own = if is_float(mask) {
            mask.shallow_clone()
        } else {
            hidden(&done(|| mask.f_to_kind(Kind::Bool))?)?
        };
        let missing = keys - own.size().last().copied().unwrap_or(0);
        parts.push(if missing > 0 {
            done(|| own.f_pad([0, missing], "constant", f64::NEG_INFINITY))?
        } else {
            own
        });
    }
    if call.int("is_causal", 0)? != 0 {
        let allowed =
            done(|| Tensor::f_ones([queries, keys], (Kind::Bool, q.device()))?.f_tril(c.past))?;
        parts.push(hidden(&allowed)?);
    }
    if let Some(lengths) = call.optional(6) {
        let place = super::common::counted(keys)?;
        parts.push(hidden(&done(|| {
            place.f_lt_tensor(&lengths.f_reshape([-1, 1, 1, 1])?)
        })?)?);
    }
    let mut all = parts.into_iter();
    let first = all.next();
    first
        .map(|first| all.try_fold(first, |sum, t| done(|| sum.f_add(&t))))
        .transpose()
}

fn attention(call: &Call) -> Result<Vec<Tensor>> {
    let (q_heads, kv_heads) = (call.int_if("q_num_heads")?, call.int_if("kv_num_heads")?);
    let three = call.input(0)?.dim() == 3;
    let q = by_heads(super::common::float(call, 0)?, q_heads)?;
    let c = caches(
        call,
        by_heads(call.input(1)?, kv_heads)?,
        by_heads(call.input(2)?, kv_heads)?,
    )?;
    let (k, v) = (
        grouped(&c.key, q.size()[1])?,
        grouped(&c.value, q.size()[1])?,
    );
    let (scale, softcap, mode) = (
        root_scale(call, &q)?,
        call.float("softcap", 0.0)?,
        call.int("qk_matmul_output_mode", 0)?,
    );
    let precision = kind_or(call, "softmax_precision", q.kind())?;
    let bias = bias(call, &q, &c)?;
    let scores = done(|| {
        q.f_mul_scalar(scale)?
            .f_matmul(&k.f_transpose(2, 3)?.f_mul_scalar(scale)?)
    })?;
    let capped = if softcap > 0.0 {
        done(|| {
            scores
                .f_div_scalar(softcap)?
                .f_tanh()?
                .f_mul_scalar(softcap)
        })?
    } else {
        scores.shallow_clone()
    };
    let biased = bias.map_or(Ok(capped.shallow_clone()), |b| done(|| capped.f_add(&b)))?;
    let shares = done(|| biased.f_softmax(-1, precision))?;
    let shown = match mode {
        0 => &scores,
        1 => &capped,
        2 => &biased,
        3 => &shares,
        other => {
            return Err(Error::usage(format!(
                "attribute 'qk_matmul_output_mode' is {other}"
            )));
        }
    };
    let shown = done(|| shown.f_to_kind(q.kind()))?;
    let y = done(|| shares.f_to_kind(v.kind())?.f_matmul(&v))?;
    Ok(vec![
        if three { joined(&y)? } else { y },
        c.key,
        c.value,
        shown,
    ])
}

/// Attention whose scores and shares each pass through a body of the node.
fn flex(call: &Call) -> Result<Vec<Value>> {
    let (q, k, v) = (call.input(0)?, call.input(1)?, call.input(2)?);
    if [q, k, v].iter().any(|t| t.dim() != 4) {
        return Err(Error::usage("FlexAttention takes four dimensions"));
    }
    let (k, v) = (grouped(k, q.size()[1])?, grouped(v, q.size()[1])?);
    let scale = root_scale(call, q)?;
    let half = matches!(q.kind(), Kind::Half | Kind::BFloat16);
    let precision = kind_or(
        call,
        "softmax_precision",
        if half { Kind::Float } else { q.kind() },
    )?;
    let through = |name: &str, t: Tensor| match call.any(name) {
        None => Ok(t),
        Some(_) => call
            .body(name)?
            .run(vec![Value::Tensor(t)])?
            .remove(0)
            .into_tensor(),
    };
    let scores = done(|| {
        q.f_mul_scalar(scale)?
            .f_matmul(&k.f_transpose(2, 3)?.f_mul_scalar(scale)?)?
            .f_to_kind(precision)
    })?;
    let scores = through("score_mod", scores)?;
    let shares = through(
        "prob_mod",
        done(|| scores.f_to_kind(precision)?.f_softmax(-1, None))?,
    )?;
    Ok(vec![Value::Tensor(done(|| {
        shares
            .f_to_kind(precision)?
            .f_matmul(&v.f_to_kind(precision)?)?
            .f_to_kind(v.kind())
    })?)])
}

/// Pairs of elements turned by the angles of their position.
fn rotary(call: &Call) -> Result<Vec<Tensor>> {
    let input = call.input(0)?;
    let heads = call.int("num_heads", 0)?;
    let three = input.dim() == 3;
    let x = by_heads(input, (heads > 0).then_some(heads))?;
    let size = x.size()[3];
    let turned = match call.int("rotary_embedding_dim", 0)? {
        0 => size,
        n if (1..=size).contains(&n) => n,
        n => {
            return Err(Error::usage(format!(
                "attribute 'rotary_embedding_dim' is {n} of {size}"
            )));
        }
    };
    // [batch, 1, sequence, turned / 2], so that it lies along heads.
    let cache = |i: usize| -> Result<Tensor> {
        let cache = call.input(i)?;
        let rows = match call.optional(3) {
            None => cache.shallow_clone(),
            Some(at) => {
                let at = super::common::wrapped(at, cache.size().first().copied().unwrap_or(0))?;
                let shape = [at.size(), vec![-1]].concat();
                done(|| {
                    cache
                        .f_index_select(0, &at.f_reshape([-1])?)?
                        .f_reshape(shape)
                })?
            }
        };
        done(|| rows.f_unsqueeze(1))
    };
    let (cos, sin) = (cache(1)?, cache(2)?);
    let interleaved = call.int("interleaved", 0)? != 0;
    let y = done(|| {
        let (head, rest) = (
            x.f_narrow(3, 0, turned)?,
            x.f_narrow(3, turned, size - turned)?,
        );
        let (a, b) = match interleaved {
            true => (head.f_slice(3, 0, None, 2)?, head.f_slice(3, 1, None, 2)?),
            false => (
                head.f_narrow(3, 0, turned / 2)?,
                head.f_narrow(3, turned / 2, turned / 2)?,
            ),
        };
        let (real, imaginary) = (
            a.f_mul(&cos)?.f_sub(&b.f_mul(&sin)?)?,
            a.f_mul(&sin)?.f_add(&b.f_mul(&cos)?)?,
        );
        let both = match interleaved {
            true => Tensor::f_stack(&[real, imaginary], -1)?.f_reshape(head.size())?,
            false => Tensor::f_cat(&[real, imaginary], 3)?,
        };
        Tensor::f_cat(&[both, rest], 3)
    })?;
    Ok(vec![if three { joined(&y)? } else { y }])
}

pub const OPS: &[Op] = &[
    op("Attention", 23, attention, Scale::Perturbed(Softmax)),
    Op {
        domain: "ai.onnx.preview",
        name: "FlexAttention",
        since: 1,
        kernel: Kernel::Values(flex),
        scale: Scale::Perturbed(Softmax),
    },
    op("RotaryEmbedding", 23, rotary, Scale::Perturbed(Arithmetic)),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, bools, cases, f32s, random};
    use proptest::prelude::*;

    #[test]
    fn a_query_that_may_see_one_key_takes_its_value() {
        let zeros = || f32s(&[1, 1, 1, 2], &[0.0; 2]);
        let case = Case::new("Attention", 23)
            .with(zeros())
            .with(f32s(&[1, 1, 2, 2], &[1.0; 4]))
            .with(f32s(&[1, 1, 2, 1], &[5.0, 7.0]));
        case.clone().gives(&[f32s(&[1, 1, 1, 1], &[6.0])]);
        case.clone()
            .with(bools(&[1, 2], &[0, 1]))
            .gives(&[f32s(&[1, 1, 1, 1], &[7.0])]);
        case.int("is_causal", 1)
            .gives(&[f32s(&[1, 1, 1, 1], &[5.0])]);
        Case::new("Attention", 23)
            .with(f32s(&[1, 2, 3], &[0.0; 6]))
            .with(zeros())
            .with(zeros())
            .refused("cannot be split into None heads");
    }

    #[test]
    fn a_quarter_turn_swaps_the_two_halves() {
        let angle = |v: f32| f32s(&[1, 1], &[v]);
        let x = f32s(&[1, 1, 1, 2], &[3.0, 4.0]);
        let case = Case::new("RotaryEmbedding", 23)
            .with(x)
            .with(angle(0.0))
            .with(angle(1.0))
            .with(parity::tensor::Tensor::of(&[1, 1], &[0i64]));
        case.gives(&[f32s(&[1, 1, 1, 2], &[-4.0, 3.0])]);
    }

    proptest! {
        #![proptest_config(cases(24))]
        #[test]
        fn attention_stays_in_its_bound(batch in 1usize..3, kv in 1usize..3, groups in 1usize..3, q in 1usize..6, k in 1usize..6, size in 1usize..5, causal in 0i64..2, wide in prop::sample::select(vec![1f32, 6.0]), seed: u64) {
            let part = |i: u64, shape: [usize; 4]| random(&shape, seed ^ i, -wide, wide);
            let case = Case::new("Attention", 23).with(part(1, [batch, kv * groups, q, size])).with(part(2, [batch, kv, k, size])).with(part(3, [batch, kv, k, 3]));
            case.int("is_causal", causal).check();
        }
    }
}

//! fused_attention: com.microsoft's Attention (projection and heads in one node), MultiHeadAttention, and QAttention on integers.

use super::super::call::Call;
use super::attention::{by_heads, joined};
use super::common::{counted, done, float};
use super::fused::microsoft;
use super::{Op, Scale};
use parity::error::{Error, Result};
use parity::floor::Family::Softmax;
use tch::{Kind, Tensor};

/// What the operator's attributes say of the heads.
struct Heads {
    number: i64,
    scale: Option<f64>,
    causal: bool,
    /// What is added where a key must not be seen.
    hidden: f64,
}

impl Heads {
    fn of(call: &Call) -> Result<Self> {
        for name in ["do_rotary", "past_present_share_buffer"] {
            if call.int(name, 0)? != 0 {
                return Err(Error::failed(format!(
                    "attribute '{name}' is not supported"
                )));
            }
        }
        call.known("rotary_embedding_dim");
        let scale = call
            .any("scale")
            .map(|_| call.float("scale", 0.0))
            .transpose()?
            .filter(|s| *s != 0.0);
        Ok(Self {
            number: call.int("num_heads", 0)?,
            scale,
            causal: call.int("unidirectional", 0)? != 0,
            hidden: call.float("mask_filter_value", -10000.0)?,
        })
    }

    /// Softmax of scaled scores and masks, times the values; all as [batch, heads, sequence, size].
    fn attend(&self, q: &Tensor, k: &Tensor, v: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let scale = self.scale.unwrap_or(1.0 / (q.size()[3] as f64).sqrt());
        let (queries, keys) = (q.size()[2], k.size()[2]);
        done(|| {
            let mut scores = q.f_matmul(&k.f_transpose(2, 3)?)?.f_mul_scalar(scale)?;
            if let Some(mask) = mask {
                scores = scores.f_add(mask)?;
            }
            if self.causal {
                let seen = Tensor::f_ones([queries, keys], (Kind::Bool, q.device()))?
                    .f_tril(keys - queries)?;
                scores = scores.f_masked_fill(&seen.f_logical_not()?, f64::NEG_INFINITY)?;
            }
            scores.f_softmax(-1, None)?.f_matmul(v)
        })
    }

    /// What integers (1: to be seen) of `[batch, keys]`, or lengths of `[batch]`, add to the scores.
    fn mask(&self, mask: &Tensor, keys: i64, kind: Kind) -> Result<Tensor> {
        let seen = match mask.size().as_slice() {
            [_, own] if *own == keys => done(|| mask.f_ne(0))?,
            [_] => {
                let places = counted(keys)?;
                done(|| places.f_lt_tensor(&mask.f_unsqueeze(1)?))?
            }
            other => {
                return Err(Error::failed(format!(
                    "a mask of {other:?} for {keys} keys is not supported"
                )));
            }
        };
        let rows = done(|| {
            seen.f_logical_not()?
                .f_to_kind(kind)?
                .f_mul_scalar(self.hidden)
        })?;
        done(|| rows.f_unsqueeze(1)?.f_unsqueeze(1))
    }
}

/// Attention on what one product of the input has made: queries, keys and values beside each other.
fn of_product(
    call: &Call,
    all: &Tensor,
    mask: Option<&Tensor>,
    past: Option<&Tensor>,
) -> Result<Vec<Tensor>> {
    let heads = Heads::of(call)?;
    if past.is_some() {
        return Err(Error::failed("input 'past' is not supported"));
    }
    let width = all.size().last().copied().unwrap_or(0);
    let sizes = call
        .ints("qkv_hidden_sizes")?
        .unwrap_or_else(|| vec![width / 3; 3]);
    if sizes.len() != 3 || sizes.iter().any(|s| *s < 1) || sizes.iter().sum::<i64>() != width {
        return Err(Error::usage(format!(
            "{width} columns are no queries, keys and values of {sizes:?}"
        )));
    }
    let mut at = 0;
    let mut parts = Vec::new();
    for size in sizes {
        parts.push(by_heads(
            &done(|| all.f_narrow(-1, at, size))?,
            Some(heads.number),
        )?);
        at += size;
    }
    let mask = mask
        .map(|m| heads.mask(m, parts[1].size()[2], all.kind()))
        .transpose()?;
    Ok(vec![joined(&heads.attend(
        &parts[0],
        &parts[1],
        &parts[2],
        mask.as_ref(),
    )?)?])
}

fn attention(call: &Call) -> Result<Vec<Tensor>> {
    let (x, w) = (float(call, 0)?, call.input(1)?);
    if call.optional(5).is_some() {
        return Err(Error::failed("input 'attention_bias' is not supported"));
    }
    let product = done(|| x.f_matmul(w))?;
    let all = match call.optional(2) {
        Some(b) => done(|| product.f_add(b))?,
        None => product,
    };
    of_product(call, &all, call.optional(3), call.optional(4))
}

/// The product of integers is exact; one number per column may be its scale.
fn quantised(call: &Call) -> Result<Vec<Tensor>> {
    let centred = |i: usize, zero: usize| {
        let (t, zero) = (call.input(i)?, call.optional(zero));
        done(|| {
            let wide = t.f_to_kind(Kind::Double)?;
            zero.map_or_else(
                || Ok(wide.shallow_clone()),
                |z| wide.f_sub(&z.f_to_kind(Kind::Double)?),
            )
        })
    };
    let (x, w, bias, own) = (
        centred(0, 6)?,
        centred(1, 7)?,
        float(call, 2)?,
        float(call, 3)?,
    );
    let weights = call.input(4)?;
    let all = done(|| {
        x.f_matmul(&w)?
            .f_to_kind(bias.kind())?
            .f_mul(&own.f_mul(weights)?)?
            .f_add(bias)
    })?;
    of_product(call, &all, call.optional(5), call.optional(8))
}

fn multi_head(call: &Call) -> Result<Vec<Tensor>> {
    let heads = Heads::of(call)?;
    if call.optional(6).is_some() || call.optional(7).is_some() {
        return Err(Error::failed(
            "inputs 'past_key' and 'past_value' are not supported",
        ));
    }
    let (q, k, v) = (float(call, 0)?, float(call, 1)?, float(call, 2)?);
    if [q, k, v].iter().any(|t| t.dim() != 3) {
        return Err(Error::failed(
            "only queries, keys and values of three dimensions are supported",
        ));
    }
    let mut at = 0;
    let mut parts = Vec::new();
    for t in [q, k, v] {
        let size = t.size()[2];
        let moved = match call.optional(3) {
            Some(b) => done(|| t.f_add(&b.f_narrow(0, at, size)?))?,
            None => t.shallow_clone(),
        };
        at += size;
        parts.push(by_heads(&moved, Some(heads.number))?);
    }
    let padding = call
        .optional(4)
        .map(|m| heads.mask(m, parts[1].size()[2], q.kind()))
        .transpose()?;
    let mask = match (padding, call.optional(5)) {
        (Some(a), Some(b)) => Some(done(|| a.f_add(b))?),
        (None, Some(b)) => Some(b.shallow_clone()),
        (a, None) => a,
    };
    let y = joined(&heads.attend(&parts[0], &parts[1], &parts[2], mask.as_ref())?)?;
    let (value, key) = (parts.remove(2), parts.remove(1));
    Ok(vec![y, key, value])
}

pub const OPS: &[Op] = &[
    microsoft("Attention", attention, Scale::Perturbed(Softmax)),
    microsoft("MultiHeadAttention", multi_head, Scale::Perturbed(Softmax)),
    microsoft("QAttention", quantised, Scale::Perturbed(Softmax)),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, random, whole};
    use parity::tensor::Tensor;
    use proptest::prelude::*;

    fn case(op: &str, heads: usize) -> Case {
        Case::new(op, 1)
            .of("com.microsoft")
            .int("num_heads", heads as i64)
    }

    /// Which keys of a batch are seen: all but some at the end, the first always.
    fn seen(batch: usize, keys: usize, seed: u64) -> Tensor {
        let rows = (0..batch)
            .flat_map(|b| (0..keys).map(move |k| i32::from(k <= (seed as usize + b) % keys)));
        Tensor::of(&[batch, keys], &rows.collect::<Vec<_>>())
    }

    #[test]
    fn what_is_not_known_is_refused() {
        let x = || random(&[1, 2, 4], 1, -1.0, 1.0);
        let attention = || {
            case("Attention", 2)
                .with(x())
                .with(random(&[4, 12], 2, -1.0, 1.0))
                .with(random(&[12], 3, -1.0, 1.0))
        };
        attention()
            .int("do_rotary", 1)
            .refused("'do_rotary' is not supported");
        attention()
            .with(Tensor::of(&[1, 1, 1], &[1i32]))
            .refused("a mask of [1, 1, 1]");
        attention()
            .ints("qkv_hidden_sizes", &[4, 4, 5])
            .refused("12 columns");
        case("MultiHeadAttention", 3)
            .with(x())
            .with(x())
            .with(x())
            .refused("cannot be split into Some(3) heads");
    }

    proptest! {
        #![proptest_config(cases(24))]
        #[test]
        fn attention_stays_in_its_bound(batch in 1usize..3, length in 1usize..7, heads in 1usize..4, size in 1usize..6, masked in 0usize..3, causal in 0i64..2, wide in prop::sample::select(vec![0.5f32, 2.0]), seed: u64) {
            let hidden = heads * size;
            let part = |i: u64, shape: &[usize]| random(shape, seed ^ i, -wide, wide);
            let case = case("Attention", heads).with(part(0, &[batch, length, hidden])).with(part(1, &[hidden, 3 * hidden])).with(part(2, &[3 * hidden]));
            let case = match masked {
                0 => case,
                1 => case.with(seen(batch, length, seed)),
                _ => case.with(Tensor::of(&[batch], &vec![1 + (seed % length as u64) as i32; batch])),
            };
            case.int("unidirectional", causal).check();
        }

        #[test]
        fn heads_on_given_queries_stay_in_their_bound(batch in 1usize..3, queries in 1usize..6, keys in 1usize..6, heads in 1usize..4, size in 1usize..6, bias: bool, masked: bool, seed: u64) {
            let hidden = heads * size;
            let part = |i: u64, shape: &[usize]| random(shape, seed ^ i, -1.0, 1.0);
            let case = case("MultiHeadAttention", heads).with(part(0, &[batch, queries, hidden])).with(part(1, &[batch, keys, hidden])).with(part(2, &[batch, keys, hidden]));
            let case = if bias { case.with(part(3, &[3 * hidden])) } else { case.without() };
            let case = if masked { case.with(seen(batch, keys, seed)) } else { case };
            case.check();
        }

        #[test]
        fn attention_on_integers_stays_in_its_bound(batch in 1usize..3, length in 1usize..6, heads in 1usize..3, size in 1usize..5, masked: bool, seed: u64) {
            let hidden = heads * size;
            let bytes = |shape: &[usize], i: u64| whole(shape, seed ^ i, 0, 256).to_i64().unwrap_or_default();
            let x = Tensor::of(&[batch, length, hidden], &bytes(&[batch, length, hidden], 1).iter().map(|v| *v as u8).collect::<Vec<_>>());
            let w = Tensor::of(&[hidden, 3 * hidden], &bytes(&[hidden, 3 * hidden], 2).iter().map(|v| (*v - 128) as i8).collect::<Vec<_>>());
            let scale = |i: u64| random(&[], seed ^ i, 0.002, 0.02);
            let case = case("QAttention", heads).with(x).with(w).with(random(&[3 * hidden], seed, -1.0, 1.0)).with(scale(3)).with(scale(4));
            let case = if masked { case.with(seen(batch, length, seed)) } else { case.without() };
            case.with(Tensor::of(&[], &[128u8])).with(Tensor::of(&[], &[0i8])).check();
        }
    }
}

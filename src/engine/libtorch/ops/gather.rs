//! gather: elements read and written by index.

use super::super::call::Call;
use super::super::convert::torch_error;
use super::common::{Torch, UNDERFLOW, axis, count, counted, done, is_float, one, wrapped};
use super::{Op, Scale, alike, op};
use parity::error::{Error, Result};
use parity::floor::Family::Arithmetic;
use parity::graph::{Attribute, Node};
use tch::{Kind, Tensor};

fn gather(call: &Call) -> Result<Vec<Tensor>> {
    let (x, indices) = (call.input(0)?, call.input(1)?);
    let (dims, at) = (x.size(), axis(call.int("axis", 0)?, x.dim())?);
    let index = wrapped(indices, dims[at])?;
    let shape = [&dims[..at], &indices.size(), &dims[at + 1..]].concat();
    one(index
        .f_reshape([-1i64])
        .and_then(|i| x.f_index_select(at as i64, &i)?.f_reshape(shape)))
}

fn gather_elements(call: &Call) -> Result<Vec<Tensor>> {
    let x = call.input(0)?;
    let at = axis(call.int("axis", 0)?, x.dim())?;
    let index = wrapped(call.input(1)?, x.size()[at])?;
    one(x.f_gather(at as i64, &index, false))
}

/// Rows of a tensor whose first `depth` dimensions after the `batch` ones are addressed by the last axis of `indices`.
struct Rows {
    /// Row number for each tuple of indices.
    at: Tensor,
    /// Number of addressable rows, elements per row.
    flat: [i64; 2],
    /// Shape of the tuples, shape of one row.
    tuples: Vec<i64>,
    row: Vec<i64>,
}

fn rows(x: &Tensor, indices: &Tensor, batch: i64) -> Result<Rows> {
    let (dims, mut tuples) = (x.size(), indices.size());
    let depth = tuples
        .pop()
        .ok_or_else(|| Error::usage("the indices are a scalar"))?;
    let batch = usize::try_from(batch)
        .ok()
        .filter(|b| *b <= tuples.len() && dims.get(..*b) == tuples.get(..*b));
    let batch = batch.ok_or_else(|| {
        Error::usage(format!(
            "batch_dims do not fit {dims:?} and {:?}",
            indices.size()
        ))
    })?;
    let end = usize::try_from(depth)
        .ok()
        .map(|d| batch + d)
        .filter(|e| *e <= dims.len());
    let end =
        end.ok_or_else(|| Error::usage(format!("tuples of {depth} indices do not fit {dims:?}")))?;
    let batches = count(&dims[..batch])?;
    let first = counted(batches)?.f_reshape([batches, 1]);
    let each = count(&tuples[batch..])?;
    let mut at = first
        .and_then(|b| b.f_expand([batches, each], false))
        .map_err(torch_error)?;
    for (i, d) in (batch..end).enumerate() {
        let index = wrapped(
            &indices.f_select(-1, i as i64).map_err(torch_error)?,
            dims[d],
        )?;
        let next = || {
            at.f_mul_scalar(dims[d])?
                .f_add(&index.f_reshape([batches, each])?)
        };
        at = next().map_err(torch_error)?;
    }
    let at = at.f_reshape([-1i64]).map_err(torch_error)?;
    Ok(Rows {
        at,
        flat: [count(&dims[..end])?, count(&dims[end..])?],
        tuples,
        row: dims[end..].to_vec(),
    })
}

fn gather_nd(call: &Call) -> Result<Vec<Tensor>> {
    let x = call.input(0)?;
    let rows = rows(x, call.input(1)?, call.int("batch_dims", 0)?)?;
    let shape = [rows.tuples, rows.row].concat();
    one(x
        .f_reshape(rows.flat)
        .and_then(|x| x.f_index_select(0, &rows.at)?.f_reshape(shape)))
}

fn scatter_nd(call: &Call, reduction: &str) -> Result<Tensor> {
    let (x, updates) = (call.input(0)?, call.input(2)?);
    let rows = rows(x, call.input(1)?, 0)?;
    let want = [rows.tuples.clone(), rows.row.clone()].concat();
    if updates.size() != want {
        return Err(Error::usage(format!(
            "updates {:?} should be {want:?}",
            updates.size()
        )));
    }
    done(|| {
        let (flat, new) = (
            x.f_reshape(rows.flat)?,
            updates.f_reshape([rows.at.numel() as i64, rows.flat[1]])?,
        );
        let written = match reduction {
            "none" => flat.f_index_copy(0, &rows.at, &new),
            "add" => flat.f_index_add(0, &rows.at, &new),
            other => flat.f_index_reduce(0, &rows.at, &new, reduce(other), true),
        };
        written?.f_reshape(x.size())
    })
}

fn reduce(reduction: &str) -> &str {
    match reduction {
        "mul" => "prod",
        "max" => "amax",
        "min" => "amin",
        other => other,
    }
}

fn scatter_elements(call: &Call, reduction: &str) -> Result<Tensor> {
    let (x, updates) = (call.input(0)?, call.input(2)?);
    let at = axis(call.int("axis", 0)?, x.dim())?;
    let index = wrapped(call.input(1)?, x.size()[at])?;
    if index.size() != updates.size() {
        return Err(Error::usage(format!(
            "updates {:?} should be shaped like the indices {:?}",
            updates.size(),
            index.size()
        )));
    }
    done(|| match reduction {
        "none" => x.f_scatter(at as i64, &index, updates),
        "add" => x.f_scatter_add(at as i64, &index, updates),
        other => x.f_internal_scatter_reduce(at as i64, &index, updates, reduce(other), true),
    })
}

/// Updates written over the elements of input 0, or combined with them.
fn scatter(call: &Call, reduction: &str) -> Result<Tensor> {
    if call.node.op == "ScatterND" {
        scatter_nd(call, reduction)
    } else {
        scatter_elements(call, reduction)
    }
}

fn scattered(call: &Call) -> Result<Vec<Tensor>> {
    Ok(vec![scatter(call, &call.text("reduction", "none")?)?])
}

/// `values[1]` where the class is, `values[0]` elsewhere; a class outside the depth is nowhere.
fn one_hot(call: &Call) -> Result<Vec<Tensor>> {
    let (indices, values) = (call.input(0)?, call.input(2)?);
    let depth = call
        .integers(1)?
        .and_then(|d| d.first().copied())
        .filter(|d| (0..1 << 40).contains(d))
        .ok_or_else(|| Error::usage("the depth of OneHot is no size"))?;
    let at = axis(call.int("axis", -1)?, indices.dim() + 1)?;
    let along = super::common::along(indices.dim() + 1, at, depth);
    let classes = counted(depth)?;
    let hot = || -> Torch {
        let class = if is_float(indices) {
            indices.f_trunc()?
        } else {
            indices.shallow_clone()
        }
        .f_to_kind(Kind::Int64)?;
        let class = class
            .f_where_self(&class.f_ge(0)?, &class.f_add_scalar(depth)?)?
            .f_unsqueeze(at as i64)?;
        let hit = class.f_eq_tensor(&classes.f_reshape(along)?)?;
        values
            .f_select(0, 1)?
            .f_where_self(&hit, &values.f_select(0, 0)?)
    };
    one(hot())
}

/// Only sums and products round.
fn scatter_scale(node: &Node) -> &'static Scale {
    match node.attributes.get("reduction") {
        Some(Attribute::Str(r)) if r == "add" => {
            &Scale::By(Arithmetic, |c, _| combined(c, &scatter(&sizes(c)?, "add")?))
        }
        Some(Attribute::Str(r)) if r == "mul" => &Scale::By(Arithmetic, |c, y| {
            combined(c, &done(|| y[0].f_abs()?.f_add_scalar(UNDERFLOW))?)
        }),
        _ => &Scale::Exact,
    }
}

/// Absolute values at the same places.
fn sizes<'a>(call: &Call<'a>) -> Result<Call<'a>> {
    let (x, updates) = (call.input(0)?, call.input(2)?);
    let (x, updates) = done(|| Ok((x.f_abs()?, updates.f_abs()?)))?;
    Ok(call.with_inputs(vec![
        Some(x),
        call.optional(1).map(Tensor::shallow_clone),
        Some(updates),
    ]))
}

/// `size` for one rounding of every update that meets an element.
fn combined(call: &Call, size: &Tensor) -> Result<Vec<(Tensor, usize)>> {
    let (x, updates) = (call.input(0)?, call.input(2)?);
    let (none, once) = done(|| Ok((x.f_zeros_like()?, updates.f_ones_like()?)))?;
    let met = scatter(
        &call.with_inputs(vec![
            Some(none),
            call.optional(1).map(Tensor::shallow_clone),
            Some(once),
        ]),
        "add",
    )?;
    Ok(vec![(
        alike::counted(call, (Arithmetic, &met), size, &[2], &|c| scatter(c, "add"))?,
        1,
    )])
}

pub const OPS: &[Op] = &[
    op("Gather", 1, gather, Scale::Exact),
    op("GatherElements", 11, gather_elements, Scale::Exact),
    op("GatherND", 11, gather_nd, Scale::Exact),
    op("ScatterND", 11, scattered, Scale::Node(scatter_scale)),
    op("Scatter", 9, scattered, Scale::Exact),
    op("ScatterElements", 11, scattered, Scale::Node(scatter_scale)),
    op("OneHot", 9, one_hot, Scale::Exact),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, f32s, i64s, random, whole};
    use parity::tensor::Tensor;
    use proptest::prelude::*;

    #[test]
    fn negative_indices_count_from_the_back_and_those_outside_are_refused() {
        let x = || f32s(&[3, 2], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        Case::new("Gather", 13)
            .with(x())
            .with(i64s(&[-1, 0]))
            .gives(&[f32s(&[2, 2], &[4.0, 5.0, 0.0, 1.0])]);
        Case::new("Gather", 13)
            .with(x())
            .with(Tensor::of(&[], &[1i64]))
            .int("axis", -1)
            .gives(&[f32s(&[3], &[1.0, 3.0, 5.0])]);
        Case::new("Gather", 13)
            .with(x())
            .with(i64s(&[3]))
            .refused("outside a dimension of 3");
        Case::new("GatherElements", 13)
            .with(x())
            .with(Tensor::of(&[1, 2], &[-1i64, 1]))
            .gives(&[f32s(&[1, 2], &[4.0, 3.0])]);
        Case::new("GatherND", 13)
            .with(x())
            .with(Tensor::of(&[1, 2], &[2i64, -2]))
            .gives(&[f32s(&[1], &[4.0])]);
        Case::new("GatherND", 13)
            .with(x())
            .with(Tensor::of(&[1, 3], &[2i64, 1, 0]))
            .refused("do not fit");
    }

    #[test]
    fn updates_are_written_or_combined() {
        let x = || f32s(&[4], &[1.0, 2.0, 3.0, 4.0]);
        let nd = |r: &str| {
            Case::new("ScatterND", 18)
                .with(x())
                .with(Tensor::of(&[2, 1], &[1i64, -1]))
                .with(f32s(&[2], &[3.0, -5.0]))
                .text("reduction", r)
        };
        nd("none").gives(&[f32s(&[4], &[1.0, 3.0, 3.0, -5.0])]);
        nd("add").gives(&[f32s(&[4], &[1.0, 5.0, 3.0, -1.0])]);
        nd("mul").gives(&[f32s(&[4], &[1.0, 6.0, 3.0, -20.0])]);
        nd("max").gives(&[f32s(&[4], &[1.0, 3.0, 3.0, 4.0])]);
        nd("min").gives(&[f32s(&[4], &[1.0, 2.0, 3.0, -5.0])]);
        let each = |r: &str| {
            Case::new("ScatterElements", 18)
                .with(x())
                .with(i64s(&[0, -2]))
                .with(f32s(&[2], &[9.0, 0.0]))
                .text("reduction", r)
        };
        each("none").gives(&[f32s(&[4], &[9.0, 2.0, 0.0, 4.0])]);
        each("add").gives(&[f32s(&[4], &[10.0, 2.0, 3.0, 4.0])]);
        each("max").gives(&[f32s(&[4], &[9.0, 2.0, 3.0, 4.0])]);
        each("mul").gives(&[f32s(&[4], &[9.0, 2.0, 0.0, 4.0])]);
        each("nonsense").refused("libtorch");
    }

    #[test]
    fn a_class_outside_the_depth_is_nowhere() {
        let hot = |axis: i64| {
            Case::new("OneHot", 11)
                .with(i64s(&[1, -1, 3]))
                .with(Tensor::of(&[], &[3i64]))
                .with(f32s(&[2], &[-1.0, 5.0]))
                .int("axis", axis)
        };
        hot(-1).gives(&[f32s(
            &[3, 3],
            &[-1.0, 5.0, -1.0, -1.0, -1.0, 5.0, -1.0, -1.0, -1.0],
        )]);
        hot(0).gives(&[f32s(
            &[3, 3],
            &[-1.0, -1.0, -1.0, 5.0, -1.0, -1.0, -1.0, 5.0, -1.0],
        )]);
    }

    proptest! {
        #![proptest_config(cases(64))]
        #[test]
        fn gathers_agree(a in 1usize..4, b in 1usize..4, c in 1usize..4, n in 1usize..5, axis in -3i64..3, seed: u64) {
            let dims = [a, b, c];
            let len = dims[axis.rem_euclid(3) as usize] as i64;
            let x = || random(&dims, seed, -1.0, 1.0);
            Case::new("Gather", 13).with(x()).with(whole(&[n, 2], seed, -len, len)).int("axis", axis).check();
            let mut like = dims;
            like[axis.rem_euclid(3) as usize] = n;
            Case::new("GatherElements", 13).with(x()).with(whole(&like, seed, -len, len)).int("axis", axis).check();
            let low = a.min(b) as i64;
            Case::new("GatherND", 13).with(x()).with(whole(&[n, 2], seed, -low, low)).check();
            Case::new("GatherND", 13).with(x()).with(whole(&[a, n, 1], seed, -(b as i64), b as i64)).int("batch_dims", 1).check();
        }
    }
}

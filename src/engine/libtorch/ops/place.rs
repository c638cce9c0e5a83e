//! place: elements moved to or taken from places: Compress, EyeLike, ReverseSequence, TensorScatter, CenterCropPad, Unique.

use super::super::call::Call;
use super::common::{along, axis, counted, done, one, vector};
use super::retype::kind_or;
use super::slice::continued;
use super::{Op, Scale, op};
use parity::error::{Error, Result};
use tch::{Kind, Tensor};

/// The slices (or elements) where the condition holds; what lies beyond the condition goes.
fn compress(call: &Call) -> Result<Vec<Tensor>> {
    let (x, condition) = (call.input(0)?, call.input(1)?);
    let (x, at) = match call.int_if("axis")? {
        Some(a) => (x.shallow_clone(), axis(a, x.dim())? as i64),
        None => (done(|| x.f_reshape([-1]))?, 0),
    };
    let n = condition.numel() as i64;
    if n > x.size()[at as usize] {
        return Err(Error::usage(format!("{n} conditions for {:?}", x.size())));
    }
    one((|| {
        x.f_index_select(
            at,
            &condition.f_reshape([-1])?.f_nonzero()?.f_reshape([-1])?,
        )
    })())
}

fn eye_like(call: &Call) -> Result<Vec<Tensor>> {
    let x = call.input(0)?;
    let &[rows, columns] = x.size().as_slice() else {
        return Err(Error::usage(format!("{:?} is no matrix", x.size())));
    };
    let (k, kind) = (call.int("k", 0)?, kind_or(call, "dtype", x.kind())?);
    let (i, j) = (counted(rows)?, counted(columns)?);
    one((|| {
        j.f_reshape([1, -1])?
            .f_sub(&i.f_reshape([-1, 1])?)?
            .f_eq(k)?
            .f_to_kind(kind)
    })())
}

/// The first elements of each sequence of a batch, turned round.
fn reverse_sequence(call: &Call) -> Result<Vec<Tensor>> {
    let x = call.input(0)?;
    let (time, batch) = (
        axis(call.int("time_axis", 0)?, x.dim())?,
        axis(call.int("batch_axis", 1)?, x.dim())?,
    );
    let (steps, lengths) = (x.size()[time], call.input(1)?);
    if time == batch || lengths.size() != [x.size()[batch]] {
        return Err(Error::usage(format!(
            "lengths {:?} do not fit {:?}",
            lengths.size(),
            x.size()
        )));
    }
    let at = counted(steps)?;
    one((|| {
        let (at, ends) = (
            at.f_reshape(along(x.dim(), time, -1))?,
            lengths
                .f_to_kind(Kind::Int64)?
                .f_reshape(along(x.dim(), batch, -1))?,
        );
        let turned = ends.f_sub(&at)?.f_sub_scalar(1)?;
        let index = turned
            .f_where_self(&at.f_lt_tensor(&ends)?, &at)?
            .f_clamp(0, (steps - 1).max(0))?;
        x.f_gather(time as i64, &index.f_expand(x.size(), false)?, false)
    })())
}

/// A cache with new rows written from each sample's position on, round the end where it is circular.
fn tensor_scatter(call: &Call) -> Result<Vec<Tensor>> {
    let (cache, update) = (call.input(0)?, call.input(1)?);
    let at = axis(call.int("axis", -2)?, cache.dim())?;
    let (len, rows) = (
        cache.size()[at],
        update.size().get(at).copied().unwrap_or(0),
    );
    let circular = match call.text("mode", "linear")?.as_str() {
        "linear" => false,
        "circular" => true,
        other => {
            return Err(Error::usage(format!(
                "attribute 'mode' should be linear or circular, is '{other}'"
            )));
        }
    };
    let starts = call
        .integers(2)?
        .unwrap_or_else(|| vec![0; cache.size()[0] as usize]);
    if at == 0
        || starts.len() as i64 != cache.size()[0]
        || !circular && starts.iter().any(|s| *s < 0 || s + rows > len)
    {
        return Err(Error::usage(format!(
            "{rows} rows at {starts:?} do not fit {:?}",
            cache.size()
        )));
    }
    let step = counted(rows)?;
    one((|| {
        let start = vector(&starts)?.f_reshape(along(cache.dim(), 0, -1))?;
        let index = step
            .f_reshape(along(cache.dim(), at, -1))?
            .f_add(&start)?
            .f_remainder(len)?;
        cache.f_scatter(at as i64, &index.f_expand(update.size(), false)?, update)
    })())
}

/// The middle of each axis, or zeros around it.
fn center(call: &Call) -> Result<Vec<Tensor>> {
    let x = call.input(0)?;
    let shape = call
        .integers(1)?
        .ok_or_else(|| Error::usage("input 1 is missing"))?;
    let axes = call
        .ints("axes")?
        .unwrap_or_else(|| (0..x.dim() as i64).collect());
    if axes.len() != shape.len() {
        return Err(Error::usage(format!("{shape:?} for {} axes", axes.len())));
    }
    let mut y = x.shallow_clone();
    for (a, want) in axes.iter().zip(shape) {
        let at = axis(*a, x.dim())?;
        let more = super::common::fits(want.checked_sub(y.size()[at]))?;
        // The odd element is cropped from, and added to, the end.
        let before = if more < 0 { -(-more / 2) } else { more / 2 };
        if want < 0 {
            return Err(Error::usage(format!("an axis of {want}")));
        }
        if more != 0 {
            y = continued(&y, at, before, more - before, "constant", 0.0)?;
        }
    }
    Ok(vec![y])
}

/// Different elements (or slices), sorted or as they first appear; where each is first, which one each input is, and how many there are.
fn unique(call: &Call) -> Result<Vec<Tensor>> {
    let x = call.input(0)?;
    let sorted = call.int("sorted", 1)? != 0;
    let (x, at) = match call.int_if("axis")? {
        Some(a) => (x.shallow_clone(), axis(a, x.dim())? as i64),
        None => (done(|| x.f_reshape([-1]))?, 0),
    };
    let n = x.size()[at as usize];
    let place = counted(n)?;
    done(|| {
        let (y, inverse, counts) = x.f_unique_dim(at, true, true, true)?;
        let inverse = inverse.f_reshape([-1])?;
        let found = y.size()[at as usize];
        // The first place of each: the smallest of those that it stands at.
        let first = Tensor::f_full([found], n, (Kind::Int64, x.device()))?
            .f_internal_scatter_reduce(0, &inverse, &place, "amin", true)?;
        if sorted {
            return Ok(vec![y, first, inverse, counts]);
        }
        let order = first.f_argsort(0, false)?;
        let rank = order.f_argsort(0, false)?;
        Ok(vec![
            y.f_index_select(at, &order)?,
            first.f_index_select(0, &order)?,
            rank.f_index_select(0, &inverse)?,
            counts.f_index_select(0, &order)?,
        ])
    })
}

pub const OPS: &[Op] = &[
    op("Compress", 9, compress, Scale::Exact),
    op("EyeLike", 9, eye_like, Scale::Exact),
    op("ReverseSequence", 10, reverse_sequence, Scale::Exact),
    op("TensorScatter", 24, tensor_scatter, Scale::Exact),
    op("CenterCropPad", 18, center, Scale::Exact),
    op("Unique", 11, unique, Scale::Exact),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, bits, bools, cases, cast, f32s, i64s, random, whole};
    use parity::tensor::{DType, Tensor};
    use proptest::prelude::*;

    #[test]
    fn what_is_different_is_sorted_or_stays_in_its_order() {
        let x = || f32s(&[4], &[3.0, 1.0, 3.0, 2.0]);
        let all = |v: &[f32], i: [i64; 3], r: [i64; 4], n: [i64; 3]| {
            [f32s(&[3], v), i64s(&i), i64s(&r), i64s(&n)]
        };
        Case::new("Unique", 11).with(x()).outputs(4).gives(&all(
            &[1.0, 2.0, 3.0],
            [1, 3, 0],
            [2, 0, 2, 1],
            [1, 1, 2],
        ));
        Case::new("Unique", 11)
            .with(x())
            .int("sorted", 0)
            .outputs(4)
            .gives(&all(&[3.0, 1.0, 2.0], [0, 1, 3], [0, 1, 0, 2], [2, 1, 1]));
    }

    #[test]
    fn elements_go_where_they_are_sent() {
        let x = || f32s(&[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        Case::new("Compress", 11)
            .with(x())
            .with(bools(&[2], &[0, 1]))
            .int("axis", 0)
            .gives(&[f32s(&[1, 2], &[3.0, 4.0])]);
        Case::new("Compress", 11)
            .with(x())
            .with(bools(&[3], &[1, 0, 1]))
            .gives(&[f32s(&[2], &[1.0, 3.0])]);
        Case::new("Compress", 11)
            .with(x())
            .with(bools(&[3], &[1; 3]))
            .int("axis", 1)
            .refused("3 conditions");
        Case::new("EyeLike", 9)
            .with(x())
            .int("k", -1)
            .gives(&[f32s(&[3, 2], &[0.0, 0.0, 1.0, 0.0, 0.0, 1.0])]);
        Case::new("ReverseSequence", 10)
            .with(x())
            .with(i64s(&[3, 2]))
            .gives(&[f32s(&[3, 2], &[5.0, 4.0, 3.0, 2.0, 1.0, 6.0])]);
        Case::new("CenterCropPad", 18)
            .with(x())
            .with(i64s(&[2, 5]))
            .gives(&[f32s(
                &[2, 5],
                &[0.0, 1.0, 2.0, 0.0, 0.0, 0.0, 3.0, 4.0, 0.0, 0.0],
            )]);
    }

    #[test]
    fn a_cache_is_written_round_its_end_if_it_is_circular() {
        let case = |mode: &str| {
            let case = Case::new("TensorScatter", 24)
                .with(f32s(&[1, 3, 1], &[1.0, 2.0, 3.0]))
                .with(f32s(&[1, 2, 1], &[8.0, 9.0]));
            case.with(Tensor::of(&[1], &[2i64])).text("mode", mode)
        };
        assert_eq!(
            case("circular").torch().expect("fits")[0].to_f64(),
            [9.0, 2.0, 8.0]
        );
        case("linear").refused("2 rows at [2]");
    }

    fn shape() -> impl Strategy<Value = Vec<usize>> {
        prop::collection::vec(1usize..6, 1..4)
    }

    /// An axis of `rank`, stated from the front or from the back.
    fn stated(axis: &prop::sample::Index, back: bool, rank: usize) -> (usize, i64) {
        let d = axis.index(rank);
        (
            d,
            if back {
                d as i64 - rank as i64
            } else {
                d as i64
            },
        )
    }

    proptest! {
        #![proptest_config(cases(64))]
        #[test]
        fn what_is_kept_agrees(shape in shape(), axis: prop::sample::Index, back: bool, flat: bool, shorter in 0usize..3, seed: u64) {
            let (d, axis) = stated(&axis, back, shape.len());
            let n = if flat { shape.iter().product() } else { shape[d] };
            let case = Case::new("Compress", 11).with(random(&shape, seed, -1.0, 1.0)).with(bits(DType::Bool, &[n.saturating_sub(shorter).max(1)], !seed));
            if flat { case.check() } else { case.int("axis", axis).check() };
        }

        #[test]
        fn unit_matrices_agree(rows in 1usize..7, columns in 1usize..7, k in -7i64..8, from in prop::sample::select(vec![DType::F32, DType::F64, DType::I32, DType::I64]), to in prop::sample::select(vec![0, 1, 6, 7, 11]), seed: u64) {
            let case = Case::new("EyeLike", 9).with(cast(&whole(&[rows, columns], seed, 0, 9), from)).int("k", k);
            if to == 0 { case.check() } else { case.int("dtype", to).check() };
        }

        #[test]
        fn sequences_are_turned_round_alike(time in 1usize..6, batch in 1usize..6, rest in prop::collection::vec(1usize..4, 0..3), first: bool, seed: u64) {
            let head = if first { [time, batch] } else { [batch, time] };
            let case = Case::new("ReverseSequence", 10).with(random(&[&head[..], &rest].concat(), seed, -1.0, 1.0)).with(whole(&[batch], !seed, 1, time as i64 + 1));
            case.int("time_axis", !first as i64).int("batch_axis", first as i64).check();
        }

        #[test]
        fn caches_are_written_alike(batch in 1usize..4, heads in 1usize..3, len in 1usize..7, rows in 1usize..7, width in 1usize..4, mode in prop::sample::select(vec!["linear", "circular"]), starts: bool, back: bool, seed: u64) {
            let rows = rows.min(len);
            let case = Case::new("TensorScatter", 24).with(random(&[batch, heads, len, width], seed, -1.0, 1.0)).with(random(&[batch, heads, rows, width], !seed, -1.0, 1.0));
            let last = if mode == "linear" { len - rows + 1 } else { len };
            let case = if starts { case.with(whole(&[batch], seed ^ 3, 0, last as i64)) } else { case };
            case.int("axis", if back { -2 } else { 2 }).text("mode", mode).check();
        }

        #[test]
        fn the_middle_agrees(shape in shape(), to in prop::collection::vec(1i64..9, 3), axis: prop::sample::Index, back: bool, all: bool, seed: u64) {
            let (_, axis) = stated(&axis, back, shape.len());
            let case = Case::new("CenterCropPad", 18).with(random(&shape, seed, -1.0, 1.0));
            if all { case.with(i64s(&to[..shape.len()])).check() } else { case.with(i64s(&to[..1])).ints("axes", &[axis]).check() };
        }

        #[test]
        fn what_is_different_agrees(shape in shape(), axis: prop::sample::Index, back: bool, flat: bool, sorted in 0i64..2, dtype in prop::sample::select(vec![DType::F32, DType::F64, DType::I64, DType::I8]), seed: u64) {
            let (_, axis) = stated(&axis, back, shape.len());
            let case = Case::new("Unique", 11).with(cast(&whole(&shape, seed, -2, 3), dtype)).int("sorted", sorted).outputs(4);
            if flat { case.check() } else { case.int("axis", axis).check() };
        }
    }
}

//! shape: the same elements under another shape or in another order of axes.

use super::super::call::Call;
use super::super::convert::torch_error;
use super::common::{axes, axis, count, fits, moved, one};
use super::{Op, Scale, op};
use parity::error::{Error, Result};
use tch::Tensor;

fn list(call: &Call, i: usize) -> Result<Vec<i64>> {
    call.integers(i)?
        .ok_or_else(|| Error::usage(format!("input {i} is missing")))
}

/// 0 keeps the input's dimension (unless allowzero), one -1 takes what is left.
fn reshape(call: &Call) -> Result<Vec<Tensor>> {
    let x = call.input(0)?;
    let (want, have, allow_zero) = (list(call, 1)?, x.size(), call.int("allowzero", 0)? != 0);
    let keep = |(i, d): (usize, &i64)| match *d {
        0 if !allow_zero => have
            .get(i)
            .copied()
            .ok_or_else(|| Error::usage(format!("shape {want:?} keeps dimension {i} of {have:?}"))),
        d => Ok(d),
    };
    let mut shape = want
        .iter()
        .enumerate()
        .map(keep)
        .collect::<Result<Vec<_>>>()?;
    let no_fit = || Error::usage(format!("{have:?} cannot be read as {want:?}"));
    if let Some(open) = shape.iter().position(|d| *d == -1) {
        let rest: Vec<i64> = shape
            .iter()
            .enumerate()
            .filter(|(i, _)| *i != open)
            .map(|(_, d)| *d)
            .collect();
        let (rest, all) = (count(&rest)?, count(&have)?);
        shape[open] = if rest == 0 {
            return Err(no_fit());
        } else {
            all / rest
        };
    }
    if count(&shape)? != count(&have)? {
        return Err(no_fit());
    }
    one(x.f_reshape(shape))
}

fn flatten(call: &Call) -> Result<Vec<Tensor>> {
    let x = call.input(0)?;
    let (dims, at) = (x.size(), call.int("axis", 1)?);
    let at = if at == dims.len() as i64 {
        dims.len()
    } else {
        axis(at, dims.len())?
    };
    one(x.f_reshape([count(&dims[..at])?, count(&dims[at..])?]))
}

fn transpose(call: &Call) -> Result<Vec<Tensor>> {
    let x = call.input(0)?;
    let perm = call
        .ints("perm")?
        .unwrap_or_else(|| (0..x.dim() as i64).rev().collect());
    one(x.f_permute(perm))
}

fn squeeze(call: &Call) -> Result<Vec<Tensor>> {
    let x = call.input(0)?;
    let dims = x.size();
    let gone = match moved(call, 1, "axes")? {
        Some(list) => axes(&list, dims.len())?,
        None => (0..dims.len()).filter(|d| dims[*d] == 1).collect(),
    };
    if let Some(wide) = gone.iter().find(|d| dims[**d] != 1) {
        return Err(Error::usage(format!(
            "axis {wide} of {dims:?} is not 1 and cannot be squeezed"
        )));
    }
    let shape: Vec<i64> = dims
        .iter()
        .enumerate()
        .filter(|(i, _)| !gone.contains(i))
        .map(|(_, d)| *d)
        .collect();
    one(x.f_reshape(shape))
}

fn unsqueeze(call: &Call) -> Result<Vec<Tensor>> {
    let x = call.input(0)?;
    let list = moved(call, 1, "axes")?.ok_or_else(|| Error::usage("axes are missing"))?;
    let rank = x.dim() + list.len();
    let new = axes(&list, rank)?;
    let mut old = x.size().into_iter();
    let shape: Vec<i64> = (0..rank)
        .map(|d| {
            if new.contains(&d) {
                1
            } else {
                old.next().unwrap_or(1)
            }
        })
        .collect();
    one(x.f_reshape(shape))
}

/// Broadcasts in both directions: a 1 in the wanted shape keeps the input's dimension.
fn expand(call: &Call) -> Result<Vec<Tensor>> {
    let (x, want) = (call.input(0)?, list(call, 1)?);
    let have = x.size();
    let rank = have.len().max(want.len());
    let at = |dims: &[i64], d: usize| (d + dims.len()).checked_sub(rank).map_or(1, |i| dims[i]);
    let shape: Vec<i64> = (0..rank)
        .map(|d| {
            if at(&want, d) == 1 {
                at(&have, d)
            } else {
                at(&want, d)
            }
        })
        .collect();
    count(&shape)?;
    one(x.f_expand(shape, false))
}

/// Number of blocks' edge, and the four dimensions of the image.
fn blocks(call: &Call) -> Result<(i64, [i64; 4])> {
    let dims = call.input(0)?.size();
    let b = call
        .int_if("blocksize")?
        .filter(|b| *b > 0)
        .ok_or_else(|| Error::usage("attribute 'blocksize' should be positive"))?;
    let dims = dims
        .try_into()
        .map_err(|d| Error::usage(format!("{d:?} is no batch of images")))?;
    Ok((fits(Some(b).filter(|b| *b < 1 << 12))?, dims))
}

fn depth_to_space(call: &Call) -> Result<Vec<Tensor>> {
    let (b, [n, c, h, w]) = blocks(call)?;
    let depth = c / (b * b);
    let (split, order) = match call.text("mode", "DCR")?.as_str() {
        "DCR" => ([n, b, b, depth, h, w], [0i64, 3, 4, 1, 5, 2]),
        "CRD" => ([n, depth, b, b, h, w], [0, 1, 4, 2, 5, 3]),
        other => {
            return Err(Error::usage(format!(
                "attribute 'mode' should be DCR or CRD, is '{other}'"
            )));
        }
    };
    one(call
        .input(0)?
        .f_reshape(split)
        .and_then(|x| x.f_permute(order)?.f_reshape([n, depth, h * b, w * b])))
}

fn space_to_depth(call: &Call) -> Result<Vec<Tensor>> {
    let (b, [n, c, h, w]) = blocks(call)?;
    let x = call
        .input(0)?
        .f_reshape([n, c, h / b, b, w / b, b])
        .and_then(|x| x.f_permute([0i64, 3, 5, 1, 2, 4]));
    one(x.and_then(|x| x.f_reshape([n, c * b * b, h / b, w / b])))
}

fn trilu(call: &Call) -> Result<Vec<Tensor>> {
    let x = call.input(0)?;
    let k = call
        .integers(1)?
        .and_then(|k| k.first().copied())
        .unwrap_or(0)
        .clamp(-(1 << 31), 1 << 31);
    one(if call.int("upper", 1)? != 0 {
        x.f_triu(k)
    } else {
        x.f_tril(k)
    })
}

fn concat(call: &Call) -> Result<Vec<Tensor>> {
    let at = call
        .int_if("axis")?
        .ok_or_else(|| Error::usage("attribute 'axis' is missing"))?;
    let at = axis(at, call.input(0)?.dim())? as i64;
    let parts: Vec<&Tensor> = call.inputs().iter().flatten().collect();
    // libtorch would skip an empty vector whatever its rank.
    if parts.iter().any(|p| p.dim() != parts[0].dim()) {
        return Err(Error::usage("the inputs of Concat have different ranks"));
    }
    one(Tensor::f_cat(&parts, at))
}

fn tile(call: &Call) -> Result<Vec<Tensor>> {
    let (x, repeats) = (call.input(0)?, list(call, 1)?);
    if repeats.len() != x.dim() {
        return Err(Error::usage(format!(
            "repeats {repeats:?} should be {} numbers",
            x.dim()
        )));
    }
    let grown = x
        .size()
        .iter()
        .zip(&repeats)
        .map(|(d, r)| fits(d.checked_mul(*r)))
        .collect::<Result<Vec<_>>>()?;
    count(&grown)?;
    one(x.f_repeat(repeats))
}

fn split(call: &Call) -> Result<Vec<Tensor>> {
    let x = call.input(0)?;
    let at = axis(call.int("axis", 0)?, x.dim())?;
    let (len, parts) = (
        x.size()[at],
        call.int("num_outputs", call.node.outputs.len() as i64)?,
    );
    let sizes = match moved(call, 1, "split")? {
        Some(sizes) => sizes,
        None if (1..=1 << 20).contains(&parts) => even(len, parts),
        None => return Err(Error::usage(format!("{parts} parts cannot be split off"))),
    };
    if sizes.iter().any(|s| *s < 0)
        || count(&[sizes.iter().fold(0i64, |n, s| n.saturating_add(*s))])? != len
    {
        return Err(Error::usage(format!(
            "parts {sizes:?} do not add up to {len}"
        )));
    }
    let mut start = 0;
    let part = |s: i64| {
        start += s;
        x.f_narrow(at as i64, start - s, s).map_err(torch_error)
    };
    sizes.into_iter().map(part).collect()
}

/// Equal parts; the last one is smaller where they do not fit.
fn even(len: i64, parts: i64) -> Vec<i64> {
    let size = (len + parts - 1) / parts;
    (0..parts)
        .map(|i| (len - i * size).clamp(0, size))
        .collect()
}

pub const OPS: &[Op] = &[
    op("Reshape", 5, reshape, Scale::Exact),
    op("Flatten", 1, flatten, Scale::Exact),
    op("Transpose", 1, transpose, Scale::Exact),
    op("Squeeze", 1, squeeze, Scale::Exact),
    op("Unsqueeze", 1, unsqueeze, Scale::Exact),
    op("Expand", 8, expand, Scale::Exact),
    op("DepthToSpace", 1, depth_to_space, Scale::Exact),
    op("SpaceToDepth", 1, space_to_depth, Scale::Exact),
    op("Trilu", 14, trilu, Scale::Exact),
    op("Concat", 4, concat, Scale::Exact),
    op("Tile", 6, tile, Scale::Exact),
    op("Split", 2, split, Scale::Exact),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, f32s, i64s, whole};
    use parity::tensor::Tensor;
    use proptest::prelude::*;

    fn counted(shape: &[usize]) -> Tensor {
        let values: Vec<f32> = (0..shape.iter().product())
            .map(|i: usize| i as f32)
            .collect();
        f32s(shape, &values)
    }

    fn shaped(case: Case, want: &[usize]) {
        assert_eq!(case.check()[0].shape(), want, "{case:?}");
    }

    #[test]
    fn a_reshape_keeps_copies_and_infers() {
        let to = |shape: &[i64]| {
            Case::new("Reshape", 14)
                .with(counted(&[2, 3, 4]))
                .with(i64s(shape))
        };
        shaped(to(&[4, 6]), &[4, 6]);
        shaped(to(&[0, -1]), &[2, 12]);
        shaped(to(&[-1]), &[24]);
        shaped(to(&[0, 0, 2, 2]), &[2, 3, 2, 2]);
        to(&[5, -1]).refused("cannot be read as");
        to(&[-1, -1]).refused("no shape");
        to(&[7]).refused("cannot be read as");
        to(&[0, 0, 0, 0]).refused("keeps dimension 3");
        to(&[i64::MAX, i64::MAX]).refused("no shape");
        shaped(
            Case::new("Reshape", 14)
                .with(counted(&[0, 3]))
                .with(i64s(&[3, 0]))
                .int("allowzero", 1),
            &[3, 0],
        );
    }

    #[test]
    fn axes_move_from_the_attribute_to_an_input() {
        let x = || counted(&[1, 3, 1, 2]);
        shaped(
            Case::new("Squeeze", 11).with(x()).ints("axes", &[-2]),
            &[1, 3, 2],
        );
        shaped(
            Case::new("Squeeze", 13).with(x()).with(i64s(&[0, 2])),
            &[3, 2],
        );
        shaped(Case::new("Squeeze", 13).with(x()), &[3, 2]);
        shaped(
            Case::new("Unsqueeze", 11).with(x()).ints("axes", &[0, 5]),
            &[1, 1, 3, 1, 2, 1],
        );
        shaped(
            Case::new("Unsqueeze", 13).with(x()).with(i64s(&[-1, 1])),
            &[1, 1, 3, 1, 2, 1],
        );
        Case::new("Squeeze", 13)
            .with(x())
            .with(i64s(&[1]))
            .refused("is not 1");
        Case::new("Unsqueeze", 13)
            .with(x())
            .with(i64s(&[1, 1]))
            .refused("twice");
    }

    #[test]
    fn flattening_and_transposing() {
        let x = || counted(&[2, 3, 4]);
        shaped(Case::new("Flatten", 13).with(x()), &[2, 12]);
        shaped(Case::new("Flatten", 13).with(x()).int("axis", 0), &[1, 24]);
        shaped(Case::new("Flatten", 13).with(x()).int("axis", 3), &[24, 1]);
        shaped(Case::new("Flatten", 13).with(x()).int("axis", -1), &[6, 4]);
        shaped(Case::new("Transpose", 13).with(x()), &[4, 3, 2]);
        shaped(
            Case::new("Transpose", 13)
                .with(x())
                .ints("perm", &[1, 0, 2]),
            &[3, 2, 4],
        );
        Case::new("Transpose", 13)
            .with(x())
            .ints("perm", &[1, 1, 2])
            .refused("libtorch");
    }

    #[test]
    fn expanding_and_tiling() {
        shaped(
            Case::new("Expand", 13)
                .with(counted(&[3, 1]))
                .with(i64s(&[2, 1, 4])),
            &[2, 3, 4],
        );
        shaped(
            Case::new("Expand", 13)
                .with(counted(&[2, 3]))
                .with(i64s(&[1])),
            &[2, 3],
        );
        shaped(
            Case::new("Tile", 13)
                .with(counted(&[2, 3]))
                .with(i64s(&[2, 1])),
            &[4, 3],
        );
        Case::new("Tile", 13)
            .with(counted(&[2, 3]))
            .with(i64s(&[i64::MAX, 2]))
            .refused("memory");
        Case::new("Expand", 13)
            .with(counted(&[2, 3]))
            .with(i64s(&[4, 3]))
            .refused("libtorch");
    }

    #[test]
    fn channels_become_space_in_both_modes_and_come_back() {
        let x = || counted(&[1, 8, 2, 3]);
        shaped(
            Case::new("DepthToSpace", 13).with(x()).int("blocksize", 2),
            &[1, 2, 4, 6],
        );
        shaped(
            Case::new("DepthToSpace", 13)
                .with(x())
                .int("blocksize", 2)
                .text("mode", "CRD"),
            &[1, 2, 4, 6],
        );
        shaped(
            Case::new("SpaceToDepth", 13)
                .with(counted(&[1, 2, 4, 6]))
                .int("blocksize", 2),
            &[1, 8, 2, 3],
        );
        Case::new("DepthToSpace", 13)
            .with(counted(&[1, 7, 2, 3]))
            .int("blocksize", 2)
            .refused("libtorch");
        Case::new("DepthToSpace", 13)
            .with(x())
            .int("blocksize", 0)
            .refused("positive");
    }

    #[test]
    fn parts_are_equal_unless_stated() {
        let x = || counted(&[7, 2]);
        let shapes = |c: Case| c.check().iter().map(|t| t.shape()[0]).collect::<Vec<_>>();
        assert_eq!(
            shapes(
                Case::new("Split", 18)
                    .with(x())
                    .int("num_outputs", 3)
                    .outputs(3)
            ),
            [3, 3, 1]
        );
        assert_eq!(
            shapes(
                Case::new("Split", 13)
                    .with(x())
                    .with(i64s(&[2, 5]))
                    .outputs(2)
            ),
            [2, 5]
        );
        assert_eq!(
            shapes(
                Case::new("Split", 11)
                    .with(x())
                    .ints("split", &[6, 1])
                    .outputs(2)
            ),
            [6, 1]
        );
        assert_eq!(
            shapes(Case::new("Split", 13).with(x()).int("axis", -1).outputs(2)),
            [7, 7]
        );
        Case::new("Split", 13)
            .with(x())
            .with(i64s(&[2, 6]))
            .outputs(2)
            .refused("add up");
    }

    proptest! {
        #![proptest_config(cases(48))]
        #[test]
        fn triangles_and_concatenations_agree(rows in 1usize..5, columns in 1usize..5, k in -5i64..5, upper in 0i64..2, seed: u64) {
            let x = || whole(&[2, rows, columns], seed, -9, 9);
            Case::new("Trilu", 14).with(x()).with(Tensor::of(&[], &[k])).int("upper", upper).check();
            Case::new("Concat", 13).with(x()).with(whole(&[2, 3, columns], !seed, -9, 9)).int("axis", [1, -2][upper as usize]).check();
        }
    }
}

//! grid: GridSample and AffineGrid: images read at places that a tensor states.

use super::super::call::Call;
use super::common::{counted, done, float, largest_beyond, one};
use super::resize_plan::ROUNDING;
use super::{Op, Scale, op};
use parity::error::{Error, Result};
use parity::floor::Alone::Rounds;
use parity::floor::Family::Interpolation;
use parity::graph::{Attribute, Node};
use tch::{Kind, Tensor};

/// libtorch's number of a mode by its name; two names for each, before and after opset 20.
fn mode(call: &Call) -> Result<i64> {
    Ok(match call.text("mode", "linear")?.as_str() {
        "linear" | "bilinear" => 0,
        "nearest" => 1,
        "cubic" | "bicubic" => 2,
        other => {
            return Err(Error::usage(format!(
                "attribute 'mode' should be linear, nearest or cubic, is '{other}'"
            )));
        }
    })
}

fn padding(call: &Call) -> Result<i64> {
    Ok(match call.text("padding_mode", "zeros")?.as_str() {
        "zeros" => 0,
        "border" => 1,
        "reflection" => 2,
        other => {
            return Err(Error::usage(format!(
                "attribute 'padding_mode' should be zeros, border or reflection, is '{other}'"
            )));
        }
    })
}

fn sample(call: &Call) -> Result<Vec<Tensor>> {
    Ok(vec![sampled(call, float(call, 1)?)?])
}

fn sampled(call: &Call, grid: &Tensor) -> Result<Tensor> {
    let x = float(call, 0)?;
    let (mode, padding, align) = (
        mode(call)?,
        padding(call)?,
        call.int("align_corners", 0)? != 0,
    );
    let n = x.dim().saturating_sub(2);
    if !(2..=3).contains(&n) || grid.dim() != x.dim() || grid.size().last() != Some(&(n as i64)) {
        return Err(Error::usage(format!(
            "{:?} cannot be sampled at {:?}",
            x.size(),
            grid.size()
        )));
    }
    if mode == 2 && n == 3 {
        return Err(Error::failed("cubic sampling of volumes is not supported"));
    }
    done(|| {
        let grid = grid.f_to_kind(x.kind())?;
        if x.numel() == 0 || grid.numel() == 0 {
            let size = [&x.size()[..2], &grid.size()[1..=n]].concat();
            return Tensor::f_zeros(size, (x.kind(), x.device()));
        }
        if n == 2 {
            x.f_grid_sampler_2d(&grid, mode, padding, align)
        } else {
            x.f_grid_sampler_3d(&grid, mode, padding, align)
        }
    })
}

/// Coordinates of every place of the output, mapped by the batch's matrices.
fn affine(call: &Call) -> Result<Vec<Tensor>> {
    let (theta, size) = (
        float(call, 0)?,
        call.integers(1)?
            .ok_or_else(|| Error::usage("input 1 is missing"))?,
    );
    let align = call.int("align_corners", 0)? != 0;
    let [batch, _, spatial @ ..] = size.as_slice() else {
        return Err(Error::usage(format!("an output of {size:?}")));
    };
    let n = spatial.len();
    if theta.size() != [*batch, n as i64, n as i64 + 1] || !(2..=3).contains(&n) {
        return Err(Error::usage(format!(
            "theta {:?} does not map places of {size:?}",
            theta.size()
        )));
    }
    if super::common::count(&size)? > 1 << 30 {
        return Err(Error::usage(format!(
            "{size:?} has more places than memory should hold"
        )));
    }
    let places = spatial
        .iter()
        .map(|len| counted(*len))
        .collect::<Result<Vec<_>>>()?;
    one((|| {
        let along = |(i, len): (&Tensor, &i64)| {
            let i = i.f_to_kind(theta.kind())?;
            match align {
                true if *len == 1 => i.f_zeros_like(),
                true => i.f_mul_scalar(2.0 / (*len - 1) as f64)?.f_sub_scalar(1),
                false => i
                    .f_mul_scalar(2)?
                    .f_add_scalar(1)?
                    .f_div_scalar(*len as f64)?
                    .f_sub_scalar(1),
            }
        };
        let lines = places
            .iter()
            .zip(spatial)
            .map(along)
            .collect::<std::result::Result<Vec<_>, _>>()?;
        // x first: the last spatial axis.
        let mut grids = Tensor::f_meshgrid_indexing(&lines, "ij")?;
        grids.reverse();
        let ones = grids[0].f_ones_like()?;
        grids.push(ones);
        let points = Tensor::f_stack(&grids, -1)?.f_reshape([1, -1, n as i64 + 1])?;
        let mapped = points.f_matmul(&theta.f_transpose(1, 2)?)?;
        mapped.f_reshape([&[*batch][..], spatial, &[n as i64]].concat())
    })())
}

/// Distance of each place, in pixels, from where the nearest element changes, by the axis that is nearest to it; 0 where an engine that
/// computes the place in single precision may take either element, and both sides have taken one of these.
fn border(call: &Call, _: usize, reference: &Tensor, candidate: &Tensor) -> Result<f64> {
    let (x, grid, align) = (
        float(call, 0)?,
        float(call, 1)?,
        call.int("align_corners", 0)? != 0,
    );
    let lengths: Vec<f64> = x.size().iter().skip(2).rev().map(|n| *n as f64).collect();
    let (grid, distance, reach) = done(|| {
        let (grid, n) = (
            grid.f_to_kind(Kind::Double)?,
            Tensor::f_from_slice(&lengths)?,
        );
        let turned = grid.f_add_scalar(1)?.f_div_scalar(2)?;
        let at = if align {
            turned.f_mul(&n.f_sub_scalar(1)?)?
        } else {
            turned.f_mul(&n)?.f_sub_scalar(0.5)?
        };
        let distance = at
            .f_sub(&at.f_floor()?)?
            .f_sub_scalar(0.5)?
            .f_abs()?
            .f_amin(-1i64, false)?
            .f_unsqueeze(1)?;
        // The numbers that a place is computed from are of the size of the grid's own and 1, and a pixel is 2/n of them wide.
        let reach = grid.f_abs()?.f_add_scalar(1)?.f_mul_scalar(ROUNDING)?;
        Ok((grid, distance, reach))
    })?;
    let moved = |signs: usize| {
        let signs: Vec<f64> = (0..lengths.len())
            .map(|d| if signs >> d & 1 == 1 { 1.0 } else { -1.0 })
            .collect();
        sampled(
            call,
            &done(|| grid.f_add(&reach.f_mul(&Tensor::f_from_slice(&signs)?)?))?,
        )
    };
    let alternatives = (0..1 << lengths.len())
        .map(moved)
        .collect::<Result<Vec<_>>>()?;
    largest_beyond(&alternatives, &distance, reference, candidate)
}

fn sample_scale(node: &Node) -> &'static Scale {
    match node.attributes.get("mode") {
        Some(Attribute::Str(mode)) if mode == "nearest" => &Scale::Selection(Rounds, border),
        _ => &Scale::Perturbed(Interpolation),
    }
}

pub const OPS: &[Op] = &[
    op("GridSample", 16, sample, Scale::Node(sample_scale)),
    op("AffineGrid", 20, affine, Scale::Perturbed(Interpolation)),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, f32s, i64s, random};
    use proptest::prelude::*;

    #[test]
    fn the_identity_maps_every_place_to_itself() {
        let theta = f32s(&[1, 2, 3], &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        let case = |align: i64| {
            Case::new("AffineGrid", 20)
                .with(theta.clone())
                .with(i64s(&[1, 1, 1, 2]))
                .int("align_corners", align)
        };
        case(0).gives(&[f32s(&[1, 1, 2, 2], &[-0.5, 0.0, 0.5, 0.0])]);
        Case::new("AffineGrid", 20)
            .with(theta)
            .with(i64s(&[1, 1, 1, 1, 2]))
            .refused("does not map");
        let x = f32s(&[1, 1, 1, 2], &[3.0, 5.0]);
        let at = f32s(&[1, 1, 2, 2], &[-0.5, 0.0, 0.0, 0.0]);
        Case::new("GridSample", 20)
            .with(x.clone())
            .with(at.clone())
            .gives(&[f32s(&[1, 1, 1, 2], &[3.0, 4.0])]);
        let nearest = Case::new("GridSample", 20)
            .with(x.clone())
            .with(f32s(&[1, 1, 1, 2], &[-0.25, 0.0]))
            .text("mode", "nearest");
        nearest.gives(&[f32s(&[1, 1, 1, 1], &[3.0])]);
        assert_eq!(
            nearest.margin(
                0,
                &f32s(&[1, 1, 1, 1], &[3.0]),
                &f32s(&[1, 1, 1, 1], &[5.0])
            ),
            Some(0.25)
        );
        // Pixel 0.5 lies between both, as far as single precision can say; a number that is neither is no choice.
        let tied = |by: f32| {
            Case::new("GridSample", 20)
                .with(x.clone())
                .with(f32s(&[1, 1, 1, 2], &[by, 0.0]))
                .text("mode", "nearest")
        };
        let one = |v: f32| f32s(&[1, 1, 1, 1], &[v]);
        for (by, a, b, want) in [
            (1e-7, 3.0, 5.0, true),
            (1e-7, 3.0, 4.0, false),
            (1e-5, 3.0, 5.0, false),
        ] {
            assert_eq!(
                tied(by).margin(0, &one(a), &one(b)) == Some(0.0),
                want,
                "{by} {a} {b}"
            );
        }
        Case::new("GridSample", 20)
            .with(x)
            .with(at)
            .text("padding_mode", "wrap")
            .refused("'padding_mode'");
    }

    proptest! {
        #![proptest_config(cases(48))]
        #[test]
        fn samples_stay_in_their_bound(h in 2usize..8, w in 2usize..8, out in 1usize..6, mode in prop::sample::select(vec!["linear", "cubic"]),
            padding in prop::sample::select(vec!["zeros", "border", "reflection"]), align in 0i64..2, seed: u64) {
            let case = Case::new("GridSample", 20).with(random(&[2, 3, h, w], seed, -1.0, 1.0)).with(random(&[2, out, 3, 2], !seed, -1.2, 1.2));
            case.text("mode", mode).text("padding_mode", padding).int("align_corners", align).check();
        }
    }
}

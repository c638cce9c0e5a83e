//! detect: NonMaxSuppression and RoiAlign.

use super::super::call::Call;
use super::super::perturbed;
use super::common::{done, float, one};
use super::resize_plan::ROUNDING;
use super::{Op, Scale, alike, op};
use parity::error::{Error, Result};
use parity::floor::Alone::Order;
use parity::floor::Family::Reduction;
use tch::{Kind, Tensor};

/// A box as its two corners and its area.
#[derive(Clone, Copy)]
struct Corners {
    low: [f64; 2],
    high: [f64; 2],
}

impl Corners {
    /// Any two opposite corners, or centre and size.
    fn of(b: &[f64], centred: bool) -> Self {
        let (p, q) = match centred {
            true => (
                [b[0] - b[2] / 2.0, b[1] - b[3] / 2.0],
                [b[0] + b[2] / 2.0, b[1] + b[3] / 2.0],
            ),
            false => ([b[0], b[1]], [b[2], b[3]]),
        };
        Self {
            low: [p[0].min(q[0]), p[1].min(q[1])],
            high: [p[0].max(q[0]), p[1].max(q[1])],
        }
    }

    fn area(self) -> f64 {
        (self.high[0] - self.low[0]) * (self.high[1] - self.low[1])
    }

    fn overlap(self, other: Self) -> f64 {
        let side =
            |d: usize| (self.high[d].min(other.high[d]) - self.low[d].max(other.low[d])).max(0.0);
        let shared = side(0) * side(1);
        if shared > 0.0 {
            shared / (self.area() + other.area() - shared)
        } else {
            0.0
        }
    }

    /// What single precision may make of the overlap: sides are differences of numbers of the size of the corners.
    fn reach(self, other: Self) -> f64 {
        let all = [self.low, self.high, other.low, other.high];
        let size = all.iter().flatten().fold(0.0f64, |m, v| m.max(v.abs()));
        let side = [self, other]
            .iter()
            .flat_map(|c| [c.high[0] - c.low[0], c.high[1] - c.low[1]])
            .fold(f64::INFINITY, f64::min);
        if side > 0.0 {
            ROUNDING * (1.0 + size / side)
        } else {
            0.0
        }
    }
}

/// Thresholds and the number of boxes per class.
struct Limits {
    most: usize,
    overlap: f64,
    score: f64,
}

fn limits(call: &Call) -> Result<Limits> {
    let first = |v: Option<Vec<f64>>| v.and_then(|v| v.first().copied());
    let most = call
        .integers(2)?
        .and_then(|v| v.first().copied())
        .unwrap_or(0)
        .max(0) as usize;
    Ok(Limits {
        most,
        overlap: first(call.floats(3)?).unwrap_or(0.0),
        score: first(call.floats(4)?).unwrap_or(f64::NEG_INFINITY),
    })
}

/// Where the rule leaves more than one answer open.
#[derive(Clone, Copy, Default)]
struct Open {
    /// How much of what rounding makes of an overlap is taken off it.
    spared: f64,
    /// Of equal scores the later box comes first.
    later: bool,
}

fn suppress(call: &Call) -> Result<Vec<Tensor>> {
    Ok(vec![suppressed(call, Open::default())?])
}

fn suppressed(call: &Call, open: Open) -> Result<Tensor> {
    let (boxes, scores, limits) = (float(call, 0)?, float(call, 1)?, limits(call)?);
    let (&[batch, n, 4], &[scored, classes, own]) =
        (boxes.size().as_slice(), scores.size().as_slice())
    else {
        return Err(Error::usage(format!(
            "boxes {:?} and scores {:?}",
            boxes.size(),
            scores.size()
        )));
    };
    if batch != scored || n != own {
        return Err(Error::usage(format!(
            "boxes {:?} and scores {:?}",
            boxes.size(),
            scores.size()
        )));
    }
    let centred = call.int("center_point_box", 0)? != 0;
    let flat = |t: &Tensor| {
        done(|| {
            Vec::<f64>::try_from(
                t.f_detach()?
                    .f_to_kind(Kind::Double)?
                    .f_contiguous()?
                    .f_reshape([-1])?,
            )
        })
    };
    let (boxes, scores) = (flat(boxes)?, flat(scores)?);
    let corners: Vec<Corners> = boxes
        .chunks_exact(4)
        .map(|b| Corners::of(b, centred))
        .collect();
    let mut chosen: Vec<i64> = Vec::new();
    for b in 0..batch as usize {
        for c in 0..classes as usize {
            let own = &scores[(b * classes as usize + c) * n as usize..][..n as usize];
            let kept = survivors(&corners[b * n as usize..][..n as usize], own, &limits, open);
            chosen.extend(
                kept.into_iter()
                    .flat_map(|i| [b as i64, c as i64, i as i64]),
            );
        }
    }
    done(|| Tensor::f_from_slice(&chosen)?.f_reshape([-1, 3]))
}

/// Best first; of equal scores the earlier one. A box goes if it overlaps one that stays by more than the threshold.
fn survivors(boxes: &[Corners], scores: &[f64], limits: &Limits, open: Open) -> Vec<usize> {
    let mut order: Vec<usize> = (0..boxes.len())
        .filter(|i| scores[*i] > limits.score)
        .collect();
    if open.later {
        order.reverse();
    }
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
    let mut kept: Vec<usize> = Vec::new();
    for i in order {
        let stays = |k: &usize| {
            boxes[i].overlap(boxes[*k]) - open.spared * boxes[i].reach(boxes[*k]) <= limits.overlap
        };
        if kept.len() < limits.most && kept.iter().all(stays) {
            kept.push(i);
        }
    }
    kept
}

/// Where the samples of one region lie, and in how many bins.
struct Plan {
    out: [i64; 2],
    ratio: i64,
    scale: f64,
    half: f64,
    max: bool,
}

fn plan(call: &Call) -> Result<Plan> {
    let default = if call.opset < 16 {
        "output_half_pixel"
    } else {
        "half_pixel"
    };
    let half = match call
        .text("coordinate_transformation_mode", default)?
        .as_str()
    {
        "half_pixel" => 0.5,
        "output_half_pixel" => 0.0,
        other => {
            return Err(Error::usage(format!(
                "attribute 'coordinate_transformation_mode' is '{other}'"
            )));
        }
    };
    let max = match call.text("mode", "avg")?.as_str() {
        "avg" => false,
        "max" => true,
        other => {
            return Err(Error::usage(format!(
                "attribute 'mode' should be avg or max, is '{other}'"
            )));
        }
    };
    let out = [call.int("output_height", 1)?, call.int("output_width", 1)?];
    let ratio = call.int("sampling_ratio", 0)?;
    if out.iter().any(|n| !(1..1 << 12).contains(n)) || !(0..1 << 10).contains(&ratio) {
        return Err(Error::usage(format!(
            "an output of {out:?} with {ratio} samples"
        )));
    }
    Ok(Plan {
        out,
        ratio,
        scale: call.float("spatial_scale", 1.0)?,
        half,
        max,
    })
}

/// Each region's image and its samples along height and width.
fn regions(call: &Call, p: &Plan) -> Result<Vec<(i64, Vec<Line>)>> {
    let (x, rois) = (float(call, 0)?, float(call, 1)?);
    let which = call
        .integers(2)?
        .ok_or_else(|| Error::usage("input 2 is missing"))?;
    let (&[batch, _, height, width], &[n, 4]) = (x.size().as_slice(), rois.size().as_slice())
    else {
        return Err(Error::usage(format!(
            "regions {:?} of {:?}",
            rois.size(),
            x.size()
        )));
    };
    if which.len() as i64 != n || which.iter().any(|b| !(0..batch).contains(b)) {
        return Err(Error::usage(format!(
            "{which:?} are not the images of {n} regions"
        )));
    }
    let corners = done(|| {
        Vec::<f64>::try_from(
            rois.f_detach()?
                .f_to_kind(Kind::Double)?
                .f_contiguous()?
                .f_reshape([-1])?,
        )
    })?;
    let lines = |region: &[f64]| -> Vec<Line> {
        // Regions are x1, y1, x2, y2; axes are height, then width.
        let ends = [
            (region[1], region[3], height),
            (region[0], region[2], width),
        ];
        ends.iter()
            .zip(p.out)
            .map(|((a, b, len), out)| Line::of(p, *a, *b, *len, out))
            .collect()
    };
    Ok(which
        .into_iter()
        .zip(corners.chunks_exact(4).map(lines))
        .collect())
}

/// The mean (or the largest weighted corner) of bilinear samples in each bin of each region.
fn roi_align(call: &Call) -> Result<Vec<Tensor>> {
    let (x, p) = (float(call, 0)?, plan(call)?);
    let mut all = Vec::new();
    for (b, lines) in regions(call, &p)? {
        let image = done(|| x.f_select(0, b))?;
        all.push(if p.max {
            largest(&image, &lines)?
        } else {
            mean(&image, &lines)?
        });
    }
    if all.is_empty() {
        return one(Tensor::f_zeros(
            [0, x.size()[1], p.out[0], p.out[1]],
            (x.kind(), x.device()),
        ));
    }
    one(Tensor::f_stack(&all, 0))
}

/// The mean of samples as any mean, and what moved samples make of it.
fn roi_scale(call: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let p = plan(call)?;
    let samples = |(_, lines): &(i64, Vec<Line>)| lines.iter().map(|l| l.per_bin).product::<i64>();
    let k = if p.max {
        1
    } else {
        regions(call, &p)?.iter().map(samples).max().unwrap_or(1)
    };
    let on = |image: Tensor| {
        let rest = call
            .inputs()
            .iter()
            .skip(1)
            .map(|t| t.as_ref().map(Tensor::shallow_clone));
        Ok(
            roi_align(&call.with_inputs(std::iter::once(Some(image)).chain(rest).collect()))?
                .remove(0),
        )
    };
    let x = call.input(0)?;
    let size = on(done(|| x.f_abs())?)?;
    let sum = |c: &Call| {
        let mean = on(c.input(0)?.shallow_clone())?;
        done(|| mean.f_mul_scalar(k))
    };
    let size = alike::scaled(call, (Reduction, k as usize), size, &[0], &sum)?;
    perturbed::moved(call, &outputs[0], &size, (Reduction, k as usize), roi_align)
}

/// The samples of one axis: two elements and their weights each.
struct Line {
    low: Vec<i64>,
    high: Vec<i64>,
    /// Weight of the high element; a sample outside the image weighs nothing.
    share: Vec<f64>,
    inside: Vec<f64>,
    per_bin: i64,
}

impl Line {
    fn of(p: &Plan, start: f64, end: f64, len: i64, out: i64) -> Self {
        let (start, end) = (start * p.scale - p.half, end * p.scale - p.half);
        let size = if p.half == 0.0 {
            (end - start).max(1.0)
        } else {
            end - start
        };
        let bin = size / out as f64;
        let per_bin = if p.ratio > 0 {
            p.ratio
        } else {
            bin.ceil().clamp(1.0, 4096.0) as i64
        };
        let mut line = Self {
            low: vec![],
            high: vec![],
            share: vec![],
            inside: vec![],
            per_bin,
        };
        for i in 0..out * per_bin {
            let (b, s) = (i / per_bin, i % per_bin);
            let at = start + b as f64 * bin + (s as f64 + 0.5) * bin / per_bin as f64;
            line.inside.push(f64::from(at >= -1.0 && at <= len as f64));
            let at = at.max(0.0);
            let low = (at as i64).min(len - 1);
            line.low.push(low);
            line.high.push((low + 1).min(len - 1));
            line.share
                .push(if low == len - 1 { 0.0 } else { at - low as f64 });
        }
        line
    }

    /// The matrix [samples, len] of one of the two elements' weights.
    fn taps(&self, high: bool) -> (Vec<i64>, Vec<f64>) {
        let weight = self
            .share
            .iter()
            .zip(&self.inside)
            .map(|(s, i)| i * if high { *s } else { 1.0 - s });
        (
            if high {
                self.high.clone()
            } else {
                self.low.clone()
            },
            weight.collect(),
        )
    }
}

/// The four corners' elements of every sample with their weights: [channels, samples of height, samples of width] each.
fn corners(image: &Tensor, lines: &[Line]) -> Result<Vec<Tensor>> {
    let mut all = Vec::new();
    for (down, right) in [(false, false), (false, true), (true, false), (true, true)] {
        let ((rows, wr), (columns, wc)) = (lines[0].taps(down), lines[1].taps(right));
        all.push(done(|| {
            let picked = image
                .f_index_select(1, &Tensor::f_from_slice(&rows)?)?
                .f_index_select(2, &Tensor::f_from_slice(&columns)?)?;
            let weigh = |w: &[f64], shape: [i64; 3]| {
                Tensor::f_from_slice(w)?
                    .f_to_kind(image.kind())?
                    .f_reshape(shape)
            };
            picked
                .f_mul(&weigh(&wr, [1, -1, 1])?)?
                .f_mul(&weigh(&wc, [1, 1, -1])?)
        })?);
    }
    Ok(all)
}

/// [channels, bins, samples, bins, samples]
fn binned(t: &Tensor, lines: &[Line]) -> std::result::Result<Tensor, tch::TchError> {
    let size = t.size();
    t.f_reshape([
        size[0],
        size[1] / lines[0].per_bin,
        lines[0].per_bin,
        size[2] / lines[1].per_bin,
        lines[1].per_bin,
    ])
}

fn mean(image: &Tensor, lines: &[Line]) -> Result<Tensor> {
    let all = corners(image, lines)?;
    done(|| {
        binned(
            &all[0].f_add(&all[1])?.f_add(&all[2])?.f_add(&all[3])?,
            lines,
        )?
        .f_mean_dim(&[2i64, 4][..], false, None)
    })
}

fn largest(image: &Tensor, lines: &[Line]) -> Result<Tensor> {
    let all = corners(image, lines)?;
    done(|| {
        binned(
            &all[0]
                .f_maximum(&all[1])?
                .f_maximum(&all[2])?
                .f_maximum(&all[3])?,
            lines,
        )?
        .f_amax(&[2i64, 4][..], false)
    })
}

/// 0 where the sides differ in what the rule leaves open or rounding decides: the order of equal scores, an overlap at its threshold.
fn left_open(call: &Call, _: usize, reference: &Tensor, candidate: &Tensor) -> Result<f64> {
    let mut known = [false; 2];
    for (spared, later) in [-1.0, 0.0, 1.0]
        .into_iter()
        .flat_map(|s| [(s, false), (s, true)])
    {
        let answer = suppressed(call, Open { spared, later })?;
        for (known, side) in known.iter_mut().zip([reference, candidate]) {
            *known |= answer.size() == side.size() && done(|| answer.f_equal(side))?;
        }
    }
    Ok(if known == [true; 2] {
        0.0
    } else {
        f64::INFINITY
    })
}

pub const OPS: &[Op] = &[
    op(
        "NonMaxSuppression",
        10,
        suppress,
        Scale::Decision(Order, left_open),
    ),
    op("RoiAlign", 10, roi_align, Scale::By(Reduction, roi_scale)),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, f32s, i64s, random};
    use parity::tensor::Tensor;
    use proptest::prelude::*;

    #[test]
    fn what_overlaps_a_better_box_goes() {
        let boxes = f32s(
            &[1, 3, 4],
            &[0.0, 0.0, 1.0, 1.0, 0.0, 0.1, 1.0, 1.1, 0.0, 5.0, 1.0, 6.0],
        );
        let case = |overlap: f32| {
            let case = Case::new("NonMaxSuppression", 11)
                .with(boxes.clone())
                .with(f32s(&[1, 1, 3], &[0.5, 0.9, 0.7]))
                .with(i64s(&[9]));
            case.with(f32s(&[1], &[overlap])).with(f32s(&[1], &[0.1]))
        };
        case(0.5).gives(&[Tensor::of(&[2, 3], &[0i64, 0, 1, 0, 0, 2])]);
        case(0.9).gives(&[Tensor::of(&[3, 3], &[0i64, 0, 1, 0, 0, 2, 0, 0, 0])]);
        Case::new("NonMaxSuppression", 11)
            .with(boxes)
            .with(f32s(&[1, 3], &[0.0; 3]))
            .refused("boxes");
    }

    #[test]
    fn what_the_rule_leaves_open_is_a_tie_and_another_choice_is_none() {
        // Two pairs that overlap by 9/11 each; the first pair has equal scores.
        let boxes = f32s(
            &[1, 4, 4],
            &[
                0.0, 0.0, 1.0, 1.0, 0.0, 0.1, 1.0, 1.1, 0.0, 5.0, 1.0, 6.0, 0.0, 5.1, 1.0, 6.1,
            ],
        );
        let case = |overlap: f32| {
            let case = Case::new("NonMaxSuppression", 11)
                .with(boxes.clone())
                .with(f32s(&[1, 1, 4], &[0.5, 0.5, 0.9, 0.7]))
                .with(i64s(&[9]));
            case.with(f32s(&[1], &[overlap])).with(f32s(&[1], &[0.1]))
        };
        let chosen = |all: &[i64]| {
            Tensor::of(
                &[all.len(), 3],
                &all.iter().flat_map(|i| [0, 0, *i]).collect::<Vec<_>>(),
            )
        };
        assert_eq!(
            case(0.5).margin(0, &chosen(&[2, 0]), &chosen(&[2, 1])),
            Some(0.0)
        );
        assert_eq!(
            case(0.5).margin(0, &chosen(&[2, 0]), &chosen(&[3, 0])),
            Some(f64::INFINITY)
        );
        assert_eq!(
            case(9.0 / 11.0).margin(0, &chosen(&[2, 3, 0, 1]), &chosen(&[2, 3, 1, 0])),
            Some(0.0)
        );
        assert_eq!(
            case(9.0 / 11.0).margin(0, &chosen(&[2, 0]), &chosen(&[2, 1])),
            Some(0.0)
        );
        assert_eq!(
            case(0.9).margin(0, &chosen(&[2, 0]), &chosen(&[2, 1])),
            Some(f64::INFINITY)
        );
    }

    proptest! {
        #![proptest_config(cases(24))]
        #[test]
        fn regions_stay_in_their_bound(h in 2usize..9, w in 2usize..9, ratio in 0i64..3, half: bool, seed: u64) {
            let rois: Vec<f32> = random(&[2, 4], seed, 0.0, 3.0).to_f64().chunks(4).flat_map(|r| [r[0] as f32, r[1] as f32, (r[0] + r[2] + 0.3) as f32, (r[1] + r[3] + 0.3) as f32]).collect();
            let case = Case::new("RoiAlign", 16).with(random(&[2, 3, h, w], seed, -1.0, 1.0)).with(f32s(&[2, 4], &rois)).with(i64s(&[1, 0]));
            let case = case.int("output_height", 3).int("output_width", 2).int("sampling_ratio", ratio);
            case.text("coordinate_transformation_mode", if half { "half_pixel" } else { "output_half_pixel" }).check();
        }
    }
}

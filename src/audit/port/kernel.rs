//! kernel: the port's assignment held against a built-in one of its configuration, on the port's own outputs.

use super::assigner::Assigned;
use crate::error::{Error, Result};
use crate::floor::noise::signs;
use crate::port::Tensors;
use crate::subject::kernels::{self, Kernel};
use crate::tensor::{DType, Tensor};
use crate::verdict::{Finding, Severity};
use rand::Rng;
use std::collections::BTreeMap;

/// Runs on outputs that are off by a rounding: what any of them decides otherwise is a tie.
const RUNS: u32 = 4;

/// What ports call the kernel's inputs.
const CALLED: [(&str, &[&str]); 6] = [
    ("pred_scores", &["scores", "cls_scores", "pd_scores"]),
    ("pred_boxes", &["boxes", "pd_bboxes", "pred_bboxes"]),
    ("points", &["anchor_points", "anc_points"]),
    ("gt_labels", &["labels"]),
    ("gt_boxes", &["gt_bboxes", "boxes"]),
    ("gt_count", &["count"]),
];

/// Err says what is missing.
///
/// # Errors
/// An unknown kernel, or one that assigns nothing.
pub fn held(
    name: &str,
    own: &Assigned,
    from: &[&Tensors; 3],
) -> Result<std::result::Result<Finding, String>> {
    let kernel = kernels::find(name)?;
    if !kernel.outputs.contains(&"fg_mask") || !kernel.inputs.contains(&"pred_boxes") {
        return Err(
            Error::usage(format!("--assigner {name}: it assigns nothing"))
                .next("parity list kernels shows those that do: task_aligned_..., atss_..."),
        );
    }
    let mut given = BTreeMap::new();
    for input in kernel.inputs {
        match found(input, from) {
            Some(t) => given.insert(*input, t),
            None => {
                return Ok(Err(format!(
                    "neither assign() nor the network nor its targets give '{input}'"
                )));
            }
        };
    }
    let exact = match answered(kernel, &given, None) {
        Ok(exact) => exact,
        Err(e) => return Ok(Err(e.message)),
    };
    let mut noisy = vec![];
    for run in 1..=RUNS {
        noisy.push(answered(kernel, &given, Some(run))?);
    }
    Ok(Ok(compared(name, own, &exact, &noisy)))
}

/// A tensor under the kernel's name or one that ports use, in the kernel's form.
fn found(input: &str, from: &[&Tensors; 3]) -> Option<Tensor> {
    let others = CALLED
        .iter()
        .find(|row| row.0 == input)
        .map_or(&[][..], |row| row.1);
    // What is a target is no prediction, though it may be called the same.
    let places = match input {
        "gt_labels" | "gt_boxes" | "gt_count" => &from[2..],
        _ => &from[..2],
    };
    let named = std::iter::once(&input)
        .chain(others)
        .find_map(|n| places.iter().find_map(|p| p.get(*n)));
    let plain = named.and_then(|t| as_taken(input, t));
    match input {
        "pred_boxes" => from_sides(places).or(plain),
        "points" => in_pixels(places).or(plain),
        "gt_count" => plain.or_else(|| counted(from[2])),
        _ => plain,
    }
}

/// Labels as whole numbers of two axes.
fn as_taken(input: &str, t: &Tensor) -> Option<Tensor> {
    if input != "gt_labels" {
        return Some(t.clone());
    }
    let shape = match t.shape() {
        [b, g] | [b, g, 1] => vec![*b, *g],
        _ => return None,
    };
    let whole: Vec<i64> = t.to_f64().iter().map(|v| *v as i64).collect();
    Some(Tensor::of(&shape, &whole))
}

/// Every row; one of zeros is padding.
fn counted(targets: &Tensors) -> Option<Tensor> {
    let boxes = targets
        .get("gt_boxes")
        .or_else(|| targets.values().find(|t| t.shape().len() == 3))?;
    let [b, g, ..] = *boxes.shape() else {
        return None;
    };
    Some(Tensor::of(&[b], &vec![g as i64; b]))
}

/// Distances to the four sides, points and strides, in cells.
fn cells<'t>(places: &[&'t Tensors]) -> Option<[&'t Tensor; 3]> {
    let get = |names: &[&str]| {
        names
            .iter()
            .find_map(|n| places.iter().find_map(|p| p.get(*n)))
    };
    let strides = get(&["strides", "stride_tensor"])?;
    Some([
        get(&["sides", "pred_distri"])?,
        get(&["points", "anchor_points"])?,
        strides,
    ])
    .filter(|[sides, points, strides]| {
        sides.shape().last() == Some(&4) && points.numel() == 2 * strides.numel()
    })
}

fn in_pixels(places: &[&Tensors]) -> Option<Tensor> {
    let [_, points, strides] = cells(places)?;
    let (p, s) = (points.to_f64(), strides.to_f64());
    let values: Vec<f64> = p.iter().enumerate().map(|(i, v)| v * s[i / 2]).collect();
    Some(Tensor::of(&[s.len(), 2], &values))
}

fn from_sides(places: &[&Tensors]) -> Option<Tensor> {
    let [sides, points, strides] = cells(places)?;
    let (d, p, s) = (sides.to_f64(), points.to_f64(), strides.to_f64());
    let one = |i: usize| {
        let (a, k) = (i / 4 % s.len(), i % 4);
        let way = if k < 2 { -1.0 } else { 1.0 };
        (p[2 * a + k % 2] + way * d[i]) * s[a]
    };
    let values: Vec<f64> = (0..d.len()).map(one).collect();
    Some(Tensor::of(sides.shape(), &values))
}

/// Owners by image; with predictions that are off by a rounding of f32 in a run.
fn answered(
    kernel: &Kernel,
    given: &BTreeMap<&str, Tensor>,
    run: Option<u32>,
) -> Result<Vec<Vec<Option<usize>>>> {
    let feed = |name: &str| {
        let t = given.get(name)?;
        match run.filter(|_| name.starts_with("pred_")) {
            Some(run) => off(t, run, name.len()).ok(),
            None => Some(t.clone()),
        }
    };
    let answer = kernel.evaluate(&feed)?;
    Ok(answer.assignments.into_iter().map(|a| a.owner).collect())
}

fn off(t: &Tensor, run: u32, place: usize) -> Result<Tensor> {
    let mut signs = signs(0, run, place);
    let step = 2.0 * DType::F32.unit_roundoff();
    let mut moved = |v: f64| match signs.next_u32() & 1 {
        0 => v * (1.0 - step),
        // A probability of 1 stays one.
        _ => v * (1.0 - step / 2.0),
    };
    let values: Vec<f64> = t.to_f64().into_iter().map(&mut moved).collect();
    Tensor::from_f64(t.dtype(), t.shape(), &values)
}

fn compared(
    name: &str,
    own: &Assigned,
    exact: &[Vec<Option<usize>>],
    noisy: &[Vec<Vec<Option<usize>>>],
) -> Finding {
    let same = |a: Option<usize>, b: Option<usize>| {
        if own.says_owner {
            a == b
        } else {
            a.is_some() == b.is_some()
        }
    };
    let (mut differing, mut ties, mut first) = (0, 0, None);
    for (b, row) in exact.iter().enumerate() {
        for (a, theirs) in row.iter().enumerate() {
            let ours = own.images.get(b).and_then(|r| r.get(a).copied()).flatten();
            if same(ours, *theirs) {
                continue;
            }
            if noisy.iter().any(|n| n[b][a] != *theirs) {
                ties += 1;
                continue;
            }
            differing += 1;
            first.get_or_insert((b, a, ours, *theirs));
        }
    }
    let positive = exact.iter().flatten().flatten().count();
    let tied = if ties > 0 {
        format!("; {ties} are ties")
    } else {
        String::new()
    };
    let said = |owner: Option<usize>| owner.map_or("background".into(), |g| format!("object {g}"));
    match first {
        None => {
            let what = format!(
                "kernel '{name}' assigns the same {positive} anchors on the port's own outputs{tied}"
            );
            Finding::new("assigner_agrees", "assign()", what).severity(Severity::Note)
        }
        Some((b, a, ours, theirs)) => {
            let what = format!(
                "{differing} anchors are assigned otherwise than by kernel '{name}' ({positive} positive) on the port's own outputs; first anchor {a} of image {b}: {}, by the kernel {}{tied}",
                said(ours),
                said(theirs)
            );
            let next = "where the original is of another configuration than this kernel: parity list kernels";
            Finding::new("assigner_differs", "assign()", what)
                .number("differing", differing as f64)
                .number("positive", positive as f64)
                .next([next.to_string()])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three anchors in a row of cells of 8 pixels, and one object over the first two.
    fn given(own: &[i64]) -> (Assigned, [Tensors; 3]) {
        let of = |all: &[(&str, Tensor)]| {
            all.iter()
                .map(|(n, t)| (n.to_string(), t.clone()))
                .collect::<Tensors>()
        };
        let made = of(&[
            (
                "fg_mask",
                Tensor::of(
                    &[1, 16],
                    &own.iter().map(|g| f32::from(*g >= 0)).collect::<Vec<_>>(),
                ),
            ),
            ("gt_index", Tensor::of(&[1, 16], own)),
        ]);
        let sides: Vec<f32> = (0..64).map(|i| 0.4 + (i % 7) as f32 * 0.1).collect();
        let points: Vec<f32> = (0..16)
            .flat_map(|i| [(i % 4) as f32 + 0.5, (i / 4) as f32 + 0.5])
            .collect();
        let network = of(&[
            (
                "scores",
                Tensor::of(
                    &[1, 16, 2],
                    &(0..32)
                        .map(|i| 0.1 + (i % 9) as f32 / 20.0)
                        .collect::<Vec<_>>(),
                ),
            ),
            ("sides", Tensor::of(&[1, 16, 4], &sides)),
            ("points", Tensor::of(&[16, 2], &points)),
            ("strides", Tensor::of(&[16, 1], &[8f32; 16])),
        ]);
        let targets = of(&[
            ("gt_labels", Tensor::of(&[1, 2, 1], &[1f32, 0.0])),
            (
                "gt_boxes",
                Tensor::of(&[1, 2, 4], &[0f32, 0.0, 32.0, 14.0, 0.0, 0.0, 0.0, 0.0]),
            ),
        ]);
        (Assigned::of(&made).unwrap(), [made, network, targets])
    }

    fn said(own: &[i64], kernel: &str) -> Result<std::result::Result<Finding, String>> {
        let (assigned, from) = given(own);
        held(kernel, &assigned, &[&from[0], &from[1], &from[2]])
    }

    #[test]
    fn the_same_sets_agree_and_one_anchor_more_does_not() {
        let inside: Vec<i64> = (0..16).map(|a| if a < 8 { 0 } else { -1 }).collect();
        let mut more = inside.clone();
        more[12] = 0;
        let kernel = "task_aligned_yolov6";
        assert_eq!(
            said(&inside, kernel).unwrap().unwrap().kind,
            "assigner_agrees"
        );
        let found = said(&more, kernel).unwrap().unwrap();
        assert_eq!(found.kind, "assigner_differs");
        assert!(
            found
                .what
                .contains("first anchor 12 of image 0: object 0, by the kernel background"),
            "{}",
            found.what
        );
    }

    #[test]
    fn what_assigns_nothing_is_refused_and_what_is_missing_is_said() {
        assert!(said(&[-1; 16], "bce").is_err());
        let missing = said(&[-1; 16], "atss_yolov6").unwrap().unwrap_err();
        assert!(missing.contains("'squares'"), "{missing}");
    }
}

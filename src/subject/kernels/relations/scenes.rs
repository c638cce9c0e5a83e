//! scenes: batches of images with their images, objects or anchors in another order, and what an answer says then; feature maps on their side.

use super::Tensors;
use crate::subject::kernels::draw::Case;
use crate::subject::kernels::edit::{along, changed, is_of_images, reversed, same};
use crate::tensor::Tensor;

/// What an assignment says that depends on no order: who is foreground and the soft targets of an image. Who owns an anchor goes with
/// them, to tell ties.
const OF_AN_IMAGE: [&str; 3] = ["fg_mask", "target_scores", OWNER];
/// The row of ground truth that owns an anchor; where the anchor is background, anything.
pub const OWNER: &str = "gt_index";

/// The name of an output of an assigner, or of the assignment in a loss.
pub fn bare(output: &str) -> &str {
    output.strip_prefix("assign.").unwrap_or(output)
}

fn images(case: &Case) -> usize {
    case.inputs.get("gt_count").map_or(0, Tensor::numel)
}

/// The first image of several.
pub fn first_image(case: &Case) -> Option<Case> {
    (images(case) > 1).then(|| of_each(case, |t| along(t, 0, 0..1)))
}

/// The images of several, the last first.
pub fn images_turned(case: &Case) -> Option<Case> {
    (images(case) > 1).then(|| of_each(case, |t| reversed(t, 0)))
}

fn of_each(case: &Case, change: impl Fn(&Tensor) -> Tensor) -> Case {
    changed(case, |n, t| {
        if is_of_images(n) {
            change(t)
        } else {
            t.clone()
        }
    })
}

/// What an answer says of images, changed, and the terms of a loss, which belong to all of them.
fn told(first: &Tensors, change: impl Fn(&str, &Tensor) -> Tensor) -> Tensors {
    let is = |n: &str| OF_AN_IMAGE.contains(&bare(n)) || n.starts_with("loss.");
    let one = |n: &str, t: &Tensor| {
        if n.starts_with("loss.") {
            t.clone()
        } else {
            change(bare(n), t)
        }
    };
    first
        .iter()
        .filter(|(n, _)| is(n))
        .map(|(n, t)| (n.clone(), one(n, t)))
        .collect()
}

pub fn of_the_first_image(_: &Case, _: &Case, first: &Tensors) -> Tensors {
    told(first, |_, t| along(t, 0, 0..1))
}

pub fn of_images_turned(_: &Case, _: &Case, first: &Tensors) -> Tensors {
    told(first, |_, t| reversed(t, 0))
}

/// The objects of every image, the last first; None where no image has two.
pub fn objects_turned(case: &Case) -> Option<Case> {
    let (counts, rows) = (
        case.inputs.get("gt_count")?.to_i64()?,
        *case.inputs.get("gt_labels")?.shape().get(1)?,
    );
    let order = |b: usize| {
        let n = counts[b] as usize;
        (0..rows).map(move |g| if g < n { n - 1 - g } else { g })
    };
    let image = |t: &Tensor, b: usize| along(&along(t, 0, b..b + 1), 1, order(b)).bytes().to_vec();
    let turned = |t: &Tensor| {
        let bytes: Vec<u8> = (0..counts.len()).flat_map(|b| image(t, b)).collect();
        Tensor::from_bytes(t.dtype(), t.shape().to_vec(), &bytes).unwrap_or_else(|_| t.clone())
    };
    let one = |n: &str, t: &Tensor| {
        if n == "gt_labels" || n == "gt_boxes" {
            turned(t)
        } else {
            t.clone()
        }
    };
    counts.iter().any(|n| *n > 1).then(|| changed(case, one))
}

pub fn of_objects_turned(case: &Case, _: &Case, first: &Tensors) -> Tensors {
    let counts = case
        .inputs
        .get("gt_count")
        .and_then(Tensor::to_i64)
        .unwrap_or_default();
    told(first, |n, t| match t.to_i64().filter(|_| n == OWNER) {
        Some(owners) => {
            let anchors = owners.len() / counts.len().max(1);
            let one = |(i, g): (usize, &i64)| {
                if *g < counts[i / anchors] {
                    counts[i / anchors] - 1 - g
                } else {
                    *g
                }
            };
            Tensor::from_vec(
                t.shape(),
                owners.iter().enumerate().map(one).collect::<Vec<i64>>(),
            )
        }
        None => t.clone(),
    })
}

/// The anchors, the last first.
pub fn anchors_turned(case: &Case) -> Option<Case> {
    let one = |n: &str, t: &Tensor| match n {
        "points" | "strides" => reversed(t, 0),
        _ if n.starts_with("pred_") => reversed(t, 1),
        _ => t.clone(),
    };
    Some(changed(case, one))
}

pub fn of_anchors_turned(_: &Case, _: &Case, first: &Tensors) -> Tensors {
    told(first, |_, t| reversed(t, 1))
}

/// Feature maps with rows and columns exchanged.
pub fn maps_turned(case: &Case) -> Option<Case> {
    let turned = |t: &Tensor| {
        let [b, c, h, w] = *t.shape() else {
            return None;
        };
        Tensor::from_bytes(t.dtype(), vec![b, c, w, h], t.bytes()).ok()
    };
    // All cells of a map hold the same: only its shape counts.
    Some(changed(case, |_, t| turned(t).unwrap_or_else(|| t.clone())))
}

/// Every anchor at its place on the turned map, x and y exchanged.
pub fn of_maps_turned(case: &Case, other: &Case, first: &Tensors) -> Tensors {
    let mut order = vec![];
    for map in case.inputs.values() {
        let [.., h, w] = *map.shape() else {
            return same(case, other, first);
        };
        let begin = order.len();
        order.extend((0..w).flat_map(|x| (0..h).map(move |y| begin + y * w + x)));
    }
    let exchanged = |t: &Tensor| match t.shape() {
        [_, 2] => along(t, 1, [1, 0].into_iter()),
        [_, 4] => along(t, 1, [1, 0, 3, 2].into_iter()),
        _ => t.clone(),
    };
    first
        .iter()
        .map(|(n, t)| (n.clone(), exchanged(&along(t, 0, order.iter().copied()))))
        .collect()
}

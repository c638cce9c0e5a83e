//! metrics: pixels, classes and roles exchanged, scores made smaller alike, and what a metric says then.

use super::Tensors;
use crate::subject::kernels::draw::Case;
use crate::subject::kernels::edit::{along, changed, count, floats, reversed};
use crate::tensor::Tensor;

/// The classes of a confusion matrix in another order; what is ignored stays the last.
pub fn classes_turned(case: &Case) -> Option<Case> {
    let classes = count(case).checked_sub(1).filter(|n| *n > 1)?;
    let order = || (0..classes).rev().chain([classes]);
    Some(changed(case, |_, t| {
        along(&along(t, 0, order()), 1, order())
    }))
}

/// One number a class turns with them; the others belong to all classes.
pub fn of_classes_turned(_: &Case, _: &Case, first: &Tensors) -> Tensors {
    of_each(first, |name, t| match name {
        "by_class" => reversed(t, 0),
        _ => t.clone(),
    })
}

/// Labels and predictions exchanged.
pub fn roles_exchanged(case: &Case) -> Option<Case> {
    let side = count(case);
    let exchanged = |_: &str, t: &Tensor| {
        let flat = Tensor::from_bytes(t.dtype(), vec![side * side], t.bytes()).ok();
        let turned =
            flat.map(|f| along(&f, 0, (0..side * side).map(|i| i % side * side + i / side)));
        turned
            .and_then(|f| Tensor::from_bytes(t.dtype(), vec![side, side], f.bytes()).ok())
            .unwrap_or_else(|| t.clone())
    };
    Some(changed(case, exchanged))
}

/// IoU has no roles; recall is precision then, and what is ignored in rows is ignored in columns. Means that ask who is labelled are
/// no matter of it.
pub fn of_roles_exchanged(_: &Case, _: &Case, first: &Tensors) -> Tensors {
    let kept = first
        .iter()
        .filter(|(n, _)| *n == "by_class" || *n == "pooled" || *n == "pixel_accuracy");
    let others = [0, 2, 1, 3];
    kept.map(|(n, t)| {
        let turned = match n.as_str() {
            "pixel_accuracy" => along(t, 0, others.into_iter()),
            _ => t.clone(),
        };
        (n.clone(), turned)
    })
    .collect()
}

/// All scores halved: their order is all that counts.
pub fn scores_halved(case: &Case) -> Option<Case> {
    Some(changed(case, |name, t| match name {
        "scores" => floats(t, |_, v| v / 2.0),
        _ => t.clone(),
    }))
}

/// All boxes moved: left and top, not width and height.
pub fn places_moved(case: &Case) -> Option<Case> {
    Some(changed(case, |name, t| match name {
        "objects" | "boxes" => floats(t, |i, v| if i % 4 < 2 { v + 64.0 } else { v }),
        _ => t.clone(),
    }))
}

fn of_each(first: &Tensors, change: impl Fn(&str, &Tensor) -> Tensor) -> Tensors {
    let one = |(n, t): (&String, &Tensor)| (n.clone(), change(n, t));
    first.iter().map(one).collect()
}

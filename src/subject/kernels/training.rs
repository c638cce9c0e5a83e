//! training: the f64 references of a `[training]` graph's assigner and loss: predictions and ground truth in, every named tensor out.

use super::{ALL, Kernel, assigners};
use crate::error::{Error, Place, Result};
use crate::kernel::anchors::Anchors;
use crate::kernel::assign::{Assignment, Truth, is_empty};
use crate::kernel::loss::Weighted;
use crate::kernel::loss::inputs::Inputs;
use crate::kernel::loss::positives::cut_off;
use crate::kernel::loss::whole::{self, Reduction, Whole};
use crate::scenario::training::{
    ASSIGNED, COUNT, ITEMS, NORMALISER, PREDICTIONS, TOTAL, Training, losses,
};
use crate::tensor::Tensor;
use crate::verdict::{Finding, Severity};
use std::collections::BTreeMap;

/// What the kernel says about one set of predictions.
pub struct Evaluated {
    pub assignments: Vec<Assignment>,
    /// By standard name; floats in f64.
    pub tensors: BTreeMap<String, Tensor>,
    /// Gradient of every weighted term by each prediction; None where it does not depend on it.
    pub gradients: Vec<[Option<Vec<f64>>; 2]>,
    /// Rows of ground truth of each image that are no padding.
    pub counts: Vec<usize>,
    /// What the total takes the items by.
    pub batch: f64,
    /// By stride: how many sides of targets lie beyond the last bin, and of how many; empty without distribution.
    pub cut: Vec<(usize, [usize; 2])>,
}

impl Kernel {
    /// Names of the terms of a loss, in the order of `loss.items`; none where it is no loss of several.
    pub fn terms(&self) -> Vec<&'static str> {
        let values = self
            .outputs
            .iter()
            .filter(|o| ![ITEMS, TOTAL, NORMALISER].contains(o));
        values.filter_map(|o| o.strip_prefix("loss.")).collect()
    }

    /// The loss that `[training]` asks for by the kernel's name and hyper-parameters.
    ///
    /// # Errors
    /// A kernel that no `[training]` may name; hyper-parameters that it has not.
    pub fn tuned(&self, training: &Training) -> Result<Whole> {
        let plain = self.training()?;
        plain.with(&training.hyper).at("training.hyper")
    }

    /// The terms with their weights.
    ///
    /// # Errors
    /// As [`Self::tuned`].
    pub fn weighted(&self, training: &Training) -> Result<Vec<Weighted>> {
        let both = self.terms().into_iter().zip(self.tuned(training)?.gains());
        Ok(both
            .map(|(name, weight)| Weighted { name, weight })
            .collect())
    }
}

/// The kernels that `[training]` may name.
pub fn all() -> impl Iterator<Item = &'static Kernel> {
    ALL.iter().filter(|k| k.trains.is_some())
}

/// Looks a kernel up.
pub fn find(name: &str) -> Result<&'static Kernel> {
    all().find(|k| k.name == name).ok_or_else(|| {
        let known = || all().map(|k| k.name);
        let next = format!(
            "{}known: {}",
            crate::error::hint(name, known()),
            known().collect::<Vec<_>>().join(", ")
        );
        Error::usage(format!("unknown kernel '{name}'")).next(next)
    })
}

/// Evaluates the kernel on the tensors that `get` finds by standard name; `image` is height and width.
///
/// # Errors
/// A missing tensor, one of another shape, and whatever the kernel refuses (NaN, negative sizes, classes out of range).
pub fn evaluate(
    training: &Training,
    image: [usize; 2],
    get: &dyn Fn(&str) -> Option<Tensor>,
) -> Result<Evaluated> {
    let of = As {
        loss: find(&training.kernel)?.tuned(training)?,
        reduction: training.hyper.reduction.unwrap_or_default(),
        targets: &|_, _| (),
    };
    evaluate_as(training, &of, image, get)
}

/// The loss as it is evaluated.
pub struct As<'a> {
    pub loss: Whole,
    pub reduction: Reduction,
    /// What is done to the assignment of an image before the terms are made of it; `[A]` pixels per grid unit stand beside.
    pub targets: &'a dyn Fn(&mut Assignment, &[f64]),
}

/// The same with another loss than the one that is named.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_as(
    training: &Training,
    of: &As,
    image: [usize; 2],
    get: &dyn Fn(&str) -> Option<Tensor>,
) -> Result<Evaluated> {
    let (kernel, loss) = (find(&training.kernel)?, of.loss);
    let anchors = Anchors::of_image(image[0], image[1], &training.strides)?;
    let [scores, distances] = PREDICTIONS.map(|n| {
        let given = tensor(training, get, n, 3)?;
        Ok::<_, Error>(by_anchor(given, anchors.len()))
    });
    let (scores, distances) = (scores?, distances?);
    let Batch {
        rows,
        labels,
        boxes,
        counts,
    } = Batch::read(training, get)?;
    if counts.len() != scores.shape()[0] {
        return Err(Error::usage(format!(
            "pred_scores {:?} and ground truth of {} images do not fit each other",
            scores.shape(),
            counts.len()
        )));
    }
    let classes = scores.shape()[2];
    let (scores, distances) = (scores.to_f64(), distances.to_f64());
    let inputs = Inputs {
        anchors: &anchors,
        classes,
        reg_max: loss.reg_max(),
        scores: &scores,
        distances: &distances,
        labels: &labels,
        boxes: &boxes,
        counts: &counts,
    };
    let change = |a: &mut Assignment| (of.targets)(a, &anchors.strides);
    let evaluation = loss
        .evaluate_with(&inputs, of.reduction, &change)
        .at(format!("kernel '{}'", training.kernel))?;
    let weights = loss.gains();
    let strides = training.strides.iter().copied();
    Ok(Evaluated {
        tensors: named(
            &evaluation,
            (kernel, weights),
            rows,
            [anchors.len(), classes],
        )?,
        cut: strides
            .zip(cut_off(&inputs, &evaluation.positives))
            .collect(),
        batch: loss.batch(inputs.images()),
        assignments: evaluation.assignments,
        gradients: evaluation.gradients.into(),
        counts,
    })
}

impl Evaluated {
    /// Targets that the bins cut off, by stride; None where there are none.
    pub fn cut_off(&self, who: &str) -> Option<Finding> {
        let sum = |k: usize| self.cut.iter().map(|(_, n)| n[k]).sum::<usize>();
        let (cut, all) = (sum(0), sum(1));
        let level = |(stride, [cut, all]): &(usize, [usize; 2])| {
            (*cut > 0).then(|| format!("{cut} of {all} at stride {stride}"))
        };
        let levels: Vec<String> = self.cut.iter().filter_map(level).collect();
        let what = format!(
            "{who}: {cut} of {all} sides of targets lie beyond the last bin and are cut off: {}",
            levels.join(", ")
        );
        let found = Finding::new("cut_off", "loss.dfl", what).of(who);
        (cut > 0).then(|| found.severity(Severity::Warning))
    }
}

/// `[B, A, columns]` of what may be `[B, columns, A]`, as convolutions leave it: told by the number of anchors.
fn by_anchor(given: Tensor, anchors: usize) -> Tensor {
    let [images, columns, last] = *given.shape() else {
        return given;
    };
    if columns == anchors || last != anchors {
        return given;
    }
    let values = given.to_f64();
    let at = |i: usize| {
        let (image, anchor, column) = (i / columns / anchors, i / columns % anchors, i % columns);
        values[(image * columns + column) * anchors + anchor]
    };
    let turned = (0..values.len()).map(at).collect();
    Tensor::from_vec(&[images, anchors, columns], turned)
}

/// Refuses ground truth that no loss is defined for, by image and row; `classes` where they are known.
pub fn check_truth(
    training: &Training,
    classes: Option<usize>,
    get: &dyn Fn(&str) -> Option<Tensor>,
) -> Result<()> {
    let batch = Batch::read(training, get)?;
    let of_image = |(b, count): (usize, &usize)| {
        let rows = b * batch.rows..(b + 1) * batch.rows;
        let truth = Truth {
            labels: &batch.labels[rows.clone()],
            boxes: &batch.boxes[rows],
            count: *count,
        };
        truth
            .check(classes.unwrap_or(usize::MAX))
            .at(format!("image {b}"))
    };
    batch.counts.iter().enumerate().try_for_each(of_image)
}

/// The ground truth of a batch; without any object it has no rows, as the original's has none.
struct Batch {
    rows: usize,
    labels: Vec<i64>,
    boxes: Vec<[f64; 4]>,
    counts: Vec<usize>,
}

impl Batch {
    fn read(training: &Training, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<Self> {
        let (labels, boxes) = (
            labels(training, get)?,
            tensor(training, get, "gt_boxes", 3)?,
        );
        let (images, rows) = (labels.shape()[0], labels.shape()[1]);
        if boxes.shape() != [images, rows, 4] {
            return Err(Error::usage(format!(
                "gt_labels {:?} and gt_boxes {:?} do not fit each other",
                labels.shape(),
                boxes.shape()
            )));
        }
        let labels = labels.to_i64().unwrap_or_default();
        let boxes: Vec<[f64; 4]> = boxes
            .to_f64()
            .chunks_exact(4)
            .map(|b| [b[0], b[1], b[2], b[3]])
            .collect();
        let counts = match get(COUNT) {
            Some(stated) => counted(&stated, images, rows)?,
            None => (0..images)
                .map(|b| objects(&boxes[b * rows..(b + 1) * rows]))
                .collect(),
        };
        match counts.iter().all(|n| *n == 0) {
            true => Ok(Self {
                rows: 0,
                labels: vec![],
                boxes: vec![],
                counts,
            }),
            false => Ok(Self {
                rows,
                labels,
                boxes,
                counts,
            }),
        }
    }
}

/// `[B, G]` classes, which may be floats that are whole and have an axis of one behind them.
fn labels(training: &Training, get: &dyn Fn(&str) -> Option<Tensor>) -> Result<Tensor> {
    let given = get("gt_labels").map(|t| match *t.shape() {
        [images, rows, 1] => {
            Tensor::from_bytes(t.dtype(), vec![images, rows], t.bytes()).unwrap_or(t)
        }
        _ => t,
    });
    let labels = tensor(training, &|_| given.clone(), "gt_labels", 2)?;
    if labels.to_i64().is_some() {
        return Ok(labels);
    }
    let values = labels.to_f64();
    match values.iter().all(|v| v.fract() == 0.0) {
        true => Ok(Tensor::from_vec(
            labels.shape(),
            values.iter().map(|v| *v as i64).collect(),
        )),
        false => Err(Error::usage(format!(
            "'gt_labels' holds {}, not integers",
            labels.dtype()
        ))),
    }
}

fn tensor(
    training: &Training,
    get: &dyn Fn(&str) -> Option<Tensor>,
    name: &str,
    rank: usize,
) -> Result<Tensor> {
    let found = get(name).ok_or_else(|| {
        Error::usage(format!(
            "the kernel '{}' needs the tensor '{name}'",
            training.kernel
        ))
    })?;
    match found.shape().len() == rank {
        true => Ok(found),
        false => Err(Error::usage(format!(
            "'{name}' has shape {:?}, the kernel takes {rank} dimensions",
            found.shape()
        ))),
    }
}

/// Rows up to the last that is no padding, where the graph is not told how many there are.
fn objects(boxes: &[[f64; 4]]) -> usize {
    boxes
        .iter()
        .rposition(|b| !is_empty(b))
        .map_or(0, |i| i + 1)
}

/// What the graph is told of how many rows are objects.
fn counted(stated: &Tensor, images: usize, rows: usize) -> Result<Vec<usize>> {
    let wrong = |fact: String| {
        Error::usage(format!("'{COUNT}' {fact}"))
            .next("count the rows of each image that are objects")
    };
    let counts = stated
        .to_i64()
        .ok_or_else(|| wrong(format!("holds {}, not integers", stated.dtype())))?;
    if counts.len() != images {
        return Err(wrong(format!(
            "{:?} and ground truth of {images} images do not fit each other",
            stated.shape()
        )));
    }
    let one = |c: &i64| {
        usize::try_from(*c)
            .ok()
            .filter(|c| *c <= rows)
            .ok_or_else(|| wrong(format!("says {c} of {rows} rows")))
    };
    counts.iter().map(one).collect()
}

fn named(
    e: &whole::Evaluated,
    (kernel, gains): (&Kernel, [f64; 3]),
    rows: usize,
    [anchors, classes]: [usize; 2],
) -> Result<BTreeMap<String, Tensor>> {
    let scalar = |v: f64| Tensor::from_vec(&[], vec![v]);
    let raw = e
        .items
        .iter()
        .zip(gains)
        .map(|(item, gain)| scalar(item / gain));
    let whole = [
        Tensor::from_vec(&[e.items.len()], e.items.to_vec()),
        scalar(e.total),
        scalar(e.normaliser),
    ];
    let values = raw.chain(whole);
    let assigned =
        ASSIGNED
            .into_iter()
            .zip(assigners::named(&e.assignments, rows, anchors, classes));
    let assigned = assigned.filter_map(|(name, t)| Some((name.to_string(), t?)));
    let values = losses(&kernel.terms()).into_iter().zip(values);
    Ok(assigned.chain(values).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn training() -> Training {
        toml::from_str("kernel = \"gold_yolo_n\"").unwrap()
    }

    fn tensors(name: &str) -> Option<Tensor> {
        // 64 x 64: 8² + 4² + 2² anchors.
        Some(match name {
            "pred_scores" => Tensor::from_vec(&[1, 84, 2], vec![0.1f32; 168]),
            "pred_distri" => Tensor::from_vec(&[1, 84, 4], vec![1f32; 336]),
            "gt_labels" => Tensor::from_vec(&[1, 3], vec![1i64, 0, 0]),
            "gt_boxes" => Tensor::from_vec(
                &[1, 3, 4],
                [8f32, 8.0, 56.0, 56.0]
                    .into_iter()
                    .chain([0.0; 8])
                    .collect::<Vec<_>>(),
            ),
            _ => return None,
        })
    }

    #[test]
    fn every_standard_tensor_is_named_and_padding_is_not_counted() {
        let opinion = evaluate(&training(), [64, 64], &tensors).unwrap();
        assert_eq!(opinion.counts, [1]);
        let losses = losses(&["iou", "dfl", "cls"]);
        for name in ASSIGNED
            .into_iter()
            .chain(losses.iter().map(String::as_str))
        {
            assert!(opinion.tensors.contains_key(name), "{name}");
        }
        assert_eq!(
            opinion.tensors["assign.fg_mask"]
                .to_f64()
                .iter()
                .sum::<f64>(),
            13.0
        );
        let total = opinion.tensors["loss.total"].to_f64()[0];
        assert!(
            (opinion.tensors["loss.items"].to_f64().iter().sum::<f64>() - total).abs() < 1e-12
                && total > 0.0
        );
    }

    #[test]
    fn a_missing_tensor_another_image_size_and_an_unknown_kernel_are_named() {
        let e = evaluate(&training(), [64, 64], &|n| {
            tensors(n).filter(|_| n != "gt_boxes")
        })
        .err()
        .unwrap();
        assert!(e.message.contains("'gt_boxes'"), "{e}");
        let e = evaluate(&training(), [96, 96], &tensors).err().unwrap();
        assert!(
            e.message.contains("scores: 168 values, but 1 x 189 x 2"),
            "{e}"
        );
        assert!(
            find("gold_yolo")
                .err()
                .unwrap()
                .next
                .unwrap()
                .contains("gold_yolo_n")
        );
    }
}

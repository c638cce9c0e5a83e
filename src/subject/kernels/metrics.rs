//! metrics: confusion matrices, what each public formula makes of one, and AP of one class as COCO counts it.

use super::{Answer, Given};
use crate::error::{Error, Result};
use crate::kernel::metric::average_precision::{
    Cell, Detection, MOST, Object, SIZES, evaluate as evaluated,
};
use crate::kernel::metric::mean_iou::{Absent, Formula, Measure};
use crate::kernel::metric::pixel_confusion::{Confusion, Ignored};
use crate::tensor::Tensor;
use std::collections::BTreeMap;

/// The label that no row has.
const IGNORE: i64 = -1;

fn answer(tensors: impl IntoIterator<Item = (&'static str, Tensor)>) -> Answer {
    Answer {
        tensors: BTreeMap::from_iter(tensors),
        ..Answer::default()
    }
}

/// Rows are labels; of equal logits the first is the prediction.
pub(super) fn confused(given: &Given) -> Result<Answer> {
    let (logits, labels) = (given.real("logits", 2)?, given.whole("labels", 1)?);
    let unsure = given.flags("unsure", 1)?;
    given.same_rows(&[
        ("logits", &logits.shape),
        ("labels", &labels.shape),
        ("unsure", &unsure.shape),
    ])?;
    let classes = logits.shape[1];
    let mut counts = Confusion::new(classes);
    for ((row, label), unsure) in logits.rows(classes).zip(&labels.values).zip(&unsure.values) {
        let truth = match *label {
            IGNORE => None,
            label => Some(class(label, classes)?),
        };
        counts.add(truth, (!unsure).then(|| first_of_largest(row)), 1);
    }
    let side = classes + 1;
    let all = (0..side * side).map(|i| counts.at(i / side, i % side) as i64);
    let counts = Tensor::from_vec(&[side, side], all.collect::<Vec<i64>>());
    Ok(answer([("counts", counts)]))
}

fn class(label: i64, classes: usize) -> Result<usize> {
    let class = usize::try_from(label).ok().filter(|c| *c < classes);
    class.ok_or_else(|| Error::usage(format!("label {label}, where there are {classes} classes")))
}

fn first_of_largest(row: &[f64]) -> usize {
    (1..row.len()).fold(0, |best, i| if row[i] > row[best] { i } else { best })
}

/// Every formula, in the order of its `ALL`s: ignored, measure, absent.
pub(super) fn means(given: &Given) -> Result<Answer> {
    let counts = given.whole("counts", 2)?;
    let [rows, columns] = counts.shape[..] else {
        return Err(Error::failed("counts of another rank"));
    };
    if rows != columns || rows < 2 || counts.values.iter().any(|n| *n < 0) {
        let fact = format!("counts of shape [{rows}, {columns}], or a negative one");
        return Err(
            Error::usage(fact).next("give the counts of every class and, last, of what is ignored")
        );
    }
    let classes = rows - 1;
    let mut m = Confusion::new(classes);
    let side = |i: usize| (i < classes).then_some(i);
    for (i, n) in counts.values.iter().enumerate() {
        m.add(side(i / rows), side(i % rows), *n as u64);
    }
    let iou = (0..classes).map(|c| Measure::Iou.of(m.class(c, Ignored::Out)));
    let every = Ignored::ALL.into_iter().flat_map(|ignored| {
        let of = move |measure| Absent::ALL.map(|absent| Formula::Mean(measure, absent, ignored));
        Measure::ALL.into_iter().flat_map(of)
    });
    let vector = |shape: &[usize], values: Vec<f64>| Tensor::from_vec(shape, values);
    let by_ignored =
        |of: fn(Ignored) -> Formula| vector(&[4], Ignored::ALL.map(|i| of(i).of(&m)).to_vec());
    Ok(answer([
        ("by_class", vector(&[classes], iou.collect())),
        (
            "mean",
            vector(&[4, 4, 5], every.map(|f| f.of(&m)).collect()),
        ),
        ("frequency_weighted", by_ignored(Formula::FrequencyWeighted)),
        ("pixel_accuracy", by_ignored(Formula::PixelAccuracy)),
        ("pooled", vector(&[], vec![Formula::Pooled.of(&m)])),
    ]))
}

/// At each overlap, below 1; a detection in image −1 is none.
pub(super) fn averaged(given: &Given) -> Result<Answer> {
    let (objects, found) = (objects(given)?, detections(given)?);
    let overlaps = given.real("overlaps", 1)?.values;
    let evaluated = evaluated(&objects, &found, 1, &SIZES, &overlaps, MOST);
    let cells = evaluated.cells.first().map_or(&[][..], Vec::as_slice);
    let each = |of: &dyn Fn(&Cell, usize) -> f64| {
        let one = |c| (0..overlaps.len()).map(move |t| (c, t));
        let all = cells.iter().flat_map(one).map(|(c, t)| of(c, t));
        Tensor::from_vec(&[SIZES.len(), overlaps.len()], all.collect::<Vec<f64>>())
    };
    let counted = cells.iter().map(|c| c.objects as i64).collect::<Vec<_>>();
    Ok(answer([
        ("ap", each(&Cell::ap)),
        (
            "recall",
            each(&|c, t| c.recall.get(t).copied().unwrap_or(f64::NAN)),
        ),
        ("counted", Tensor::from_vec(&[SIZES.len()], counted)),
    ]))
}

fn objects(given: &Given) -> Result<Vec<Object>> {
    let (boxes, image) = (
        given.columns("objects", 2, 4)?,
        given.whole("object_image", 1)?,
    );
    let crowd = given.flags("crowd", 1)?;
    given.same_rows(&[
        ("objects", &boxes.shape),
        ("object_image", &image.shape),
        ("crowd", &crowd.shape),
    ])?;
    let one = |((bbox, image), crowd): (([f64; 4], &i64), &bool)| {
        Ok(Object {
            image: place(*image)?,
            class: 0,
            bbox,
            area: bbox[2] * bbox[3],
            crowd: *crowd,
        })
    };
    let boxes = boxes.boxes().into_iter();
    boxes
        .zip(&image.values)
        .zip(&crowd.values)
        .map(one)
        .collect()
}

fn detections(given: &Given) -> Result<Vec<Detection>> {
    let (boxes, image) = (given.columns("boxes", 2, 4)?, given.whole("image", 1)?);
    let scores = given.real("scores", 1)?;
    given.same_rows(&[
        ("boxes", &boxes.shape),
        ("image", &image.shape),
        ("scores", &scores.shape),
    ])?;
    let one = |((bbox, image), score): (([f64; 4], &i64), &f64)| {
        Ok(Detection {
            image: place(*image)?,
            class: 0,
            bbox,
            area: bbox[2] * bbox[3],
            score: *score,
        })
    };
    let boxes = boxes.boxes().into_iter();
    let all = boxes.zip(&image.values).zip(&scores.values);
    all.filter(|((_, image), _)| **image >= 0)
        .map(one)
        .collect()
}

fn place(image: i64) -> Result<usize> {
    usize::try_from(image).map_err(|_| Error::usage(format!("image {image}")))
}

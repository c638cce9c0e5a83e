//! readings: what the loss takes, read in another way: labels that count from one, boxes in another format or unit, scores before or after the sigmoid.

use super::{Form, Reads, Way};
use crate::kernel::assign::is_empty;
use crate::kernel::boxes::{centred, corners};
use crate::kernel::number::sigmoid;
use crate::tensor::Tensor;

pub const FORMS: &[Form] = &[
    Form {
        name: "label-offset",
        summary: "classes counted from one, or from minus one",
        mend: "count classes from 0 (a background class stands in front of them on one side)",
        ways: labels,
    },
    Form {
        name: "box-format",
        summary: "boxes of the ground truth in another format: corners, centre and size, corner and size, rows before columns",
        mend: "bring the boxes of the ground truth into corners x1, y1, x2, y2",
        ways: formats,
    },
    Form {
        name: "box-unit",
        summary: "boxes of the ground truth as shares of the image",
        mend: "bring the boxes of the ground truth into pixels",
        ways: units,
    },
    Form {
        name: "grid-for-pixels",
        summary: "predicted distances in pixels where grid units are meant, and the other way round",
        mend: "multiply predicted distances by the stride where boxes become pixels, and only there",
        ways: distances,
    },
    Form {
        name: "sides-exchanged",
        summary: "predicted distances in another order of sides",
        mend: "read the distances as left, top, right, bottom",
        ways: sides,
    },
    Form {
        name: "logits-for-probabilities",
        summary: "a sigmoid too many or too few in front of the loss",
        mend: "apply the sigmoid once",
        ways: activations,
    },
];

fn labels(reads: &Reads) -> Vec<Way> {
    let (classes, name) = (reads.classes() as i64, "gt_labels");
    let Some(given) = reads.tensor(name).filter(|_| classes > 1) else {
        return vec![];
    };
    let values: Vec<i64> = match given.to_i64() {
        Some(values) => values,
        None => given.to_f64().iter().map(|v| *v as i64).collect(),
    };
    let shifted = |by: i64| {
        let moved: Vec<i64> = values
            .iter()
            .map(|v| (v + by).rem_euclid(classes))
            .collect();
        let says = format!("every class is {by:+} of what it is to be");
        reads.feeding(name, Tensor::of(given.shape(), &moved), says)
    };
    vec![shifted(1), shifted(-1)]
}

/// The boxes of the ground truth, each but padding as `of` makes it.
fn boxes(reads: &Reads, says: &str, of: impl Fn([f64; 4]) -> [f64; 4]) -> Option<Way> {
    let name = "gt_boxes";
    let given = reads.tensor(name)?;
    let all = given.to_f64();
    let each = all.chunks_exact(4).flat_map(|b| {
        let b = [b[0], b[1], b[2], b[3]];
        if is_empty(&b) { b } else { of(b) }
    });
    let read = Tensor::from_vec(given.shape(), each.collect::<Vec<f64>>());
    Some(reads.feeding(name, read, says.into()))
}

fn formats(reads: &Reads) -> Vec<Way> {
    type Format = fn([f64; 4]) -> [f64; 4];
    let all: [(&str, Format); 5] = [
        ("boxes are read as centre and size", corners),
        ("boxes are centre and size, read as corners", centred),
        ("boxes are read as corner and size", |[x, y, w, h]| {
            [x, y, x + w, y + h]
        }),
        (
            "boxes are corner and size, read as corners",
            |[x, y, r, b]| [x, y, r - x, b - y],
        ),
        ("boxes are read with rows before columns", |[x, y, r, b]| {
            [y, x, b, r]
        }),
    ];
    let way = |(says, of): (&str, Format)| boxes(reads, says, of);
    all.into_iter().filter_map(way).collect()
}

fn units(reads: &Reads) -> Vec<Way> {
    let [height, width] = reads.off.image.map(|v| v as f64);
    let sizes = [width, height, width, height];
    let by = |b: [f64; 4], of: fn(f64, f64) -> f64| [0, 1, 2, 3].map(|i| of(b[i], sizes[i]));
    let shares = boxes(reads, "boxes are shares of the image", |b| {
        by(b, |v, s| v / s)
    });
    let twice = boxes(
        reads,
        "boxes are multiplied by the size of the image twice",
        |b| by(b, |v, s| v * s),
    );
    shares.into_iter().chain(twice).collect()
}

/// The predicted distances, each as `of` makes it of all of its anchor and of the anchor's stride; by anchor, column and value.
fn predicted(
    reads: &Reads,
    says: &str,
    of: impl Fn(&dyn Fn(usize) -> f64, usize, f64) -> f64,
) -> Option<Way> {
    let name = "pred_distri";
    let given = reads.tensor(name)?;
    let strides = reads.strides();
    let [_, rows, columns] = *given.shape() else {
        return None;
    };
    // As convolutions leave it, columns come first.
    let by_anchor = rows == strides.len();
    let values = given.to_f64();
    let many = if by_anchor { columns } else { rows };
    let read = (0..values.len()).map(|i| {
        let (block, row, column) = (i / (rows * columns), i / columns % rows, i % columns);
        let (anchor, own) = if by_anchor {
            (row, column)
        } else {
            (column, row)
        };
        let value = |c: usize| {
            let (row, column) = if by_anchor { (anchor, c) } else { (c, anchor) };
            values[(block * rows + row) * columns + column]
        };
        of(&value, own, strides.get(anchor).copied().unwrap_or(1.0))
    });
    let read: Vec<f64> = read.collect();
    let fits = many.is_multiple_of(4) && [rows, columns].contains(&strides.len());
    fits.then(|| reads.feeding(name, Tensor::from_vec(given.shape(), read), says.into()))
}

fn distances(reads: &Reads) -> Vec<Way> {
    if reads.plain.reg_max() > 0 {
        return vec![];
    }
    let pixels = predicted(
        reads,
        "distances are multiplied by the stride twice",
        |v, c, s| v(c) * s,
    );
    let grid = predicted(reads, "distances are read as pixels", |v, c, s| v(c) / s);
    pixels.into_iter().chain(grid).collect()
}

fn sides(reads: &Reads) -> Vec<Way> {
    let bins = reads.plain.reg_max() + 1;
    let orders = [
        (
            [1, 0, 3, 2],
            "distances are read as top, left, bottom, right",
        ),
        ([2, 1, 0, 3], "left and right are exchanged"),
        ([0, 3, 2, 1], "top and bottom are exchanged"),
        (
            [2, 3, 0, 1],
            "distances are read as right, bottom, left, top",
        ),
        (
            [0, 2, 1, 3],
            "distances are read as left, right, top, bottom",
        ),
    ];
    let way = |(order, says): ([usize; 4], &str)| {
        predicted(reads, says, |v, c, _| v(order[c / bins] * bins + c % bins))
    };
    orders.into_iter().filter_map(way).collect()
}

fn activations(reads: &Reads) -> Vec<Way> {
    let name = "pred_scores";
    let Some(given) = reads.tensor(name) else {
        return vec![];
    };
    let each = |of: fn(f64) -> f64, says: &str| {
        let made: Vec<f64> = given.to_f64().into_iter().map(of).collect();
        reads.feeding(name, Tensor::from_vec(given.shape(), made), says.into())
    };
    vec![
        each(sigmoid, "a sigmoid is applied to the scores once more"),
        each(
            |p| (p / (1.0 - p)).ln(),
            "the scores are taken as logits of themselves",
        ),
    ]
}

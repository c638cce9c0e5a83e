//! Losses of one pair of boxes, one logit, one side: value and gradient.

use crate::cases::INPUTS;
use crate::check::{COORDINATE, Outcome, Row};
use crate::fixture::File;
use parity::kernel::iou::{Form, Kind, Overlap, Similarity};
use parity::kernel::loss::box_loss::BoxLoss;
use parity::kernel::loss::dfl::Dfl;
use parity::kernel::loss::focal::Focal;
use parity::kernel::loss::quality_focal::QualityFocal;
use parity::kernel::loss::varifocal::Varifocal;
use parity::kernel::number::{Function, sigmoid};

const BOX: [f64; 2] = [1.0, COORDINATE];
const NONE: [f64; 2] = [0.0, 0.0];

/// Every case's value and gradient, relative to at least the two scales.
fn compare(
    file: &File,
    scales: [f64; 2],
    ours: impl Iterator<Item = (f64, Vec<f64>)>,
) -> Result<Outcome, String> {
    let (values, gradients) = (file.real("value"), file.real("gradient"));
    let columns = gradients.len() / values.len();
    let mut out = Outcome::default();
    let mut ours = ours.enumerate();
    for ((i, (value, gradient)), (&v, g)) in ours
        .by_ref()
        .zip(values.iter().zip(gradients.chunks(columns)))
    {
        out.near(
            || format!("value of case {i}"),
            value,
            v,
            v.abs().max(scales[0]),
        )?;
        out.all_near(|| format!("gradient of case {i}"), &gradient, g, scales[1])?;
        out.cases += 1;
    }
    if out.cases != values.len() || ours.next().is_some() {
        return Err(format!(
            "{} values recorded, {} compared",
            values.len(),
            out.cases
        ));
    }
    Ok(out)
}

fn pairs() -> impl Iterator<Item = ([f64; 4], [f64; 4])> {
    let boxes = |name: &str| {
        INPUTS
            .real(name)
            .chunks(4)
            .map(|b| b.try_into().unwrap())
            .collect::<Vec<[f64; 4]>>()
    };
    boxes("pairs.a").into_iter().zip(boxes("pairs.b"))
}

fn kind(row: &Row) -> Kind {
    let all = [
        ("iou", Kind::Iou),
        ("giou", Kind::Giou),
        ("diou", Kind::Diou),
        ("ciou", Kind::Ciou),
        ("siou", Kind::Siou),
    ];
    all.into_iter()
        .find(|(name, _)| row.kernel.starts_with(name))
        .unwrap()
        .1
}

fn box_loss(overlap: Overlap, file: &File) -> Result<Outcome, String> {
    compare(
        file,
        BOX,
        pairs().map(|(a, b)| {
            let f = BoxLoss::to(b, overlap);
            (f.value(&a), f.gradient(&a))
        }),
    )
}

/// The similarity itself.
pub fn ultralytics(row: &Row, file: &File) -> Result<Outcome, String> {
    let overlap = Overlap {
        kind: kind(row),
        ..Overlap::ultralytics()
    };
    compare(
        file,
        BOX,
        pairs().map(|(a, b)| {
            let f = Similarity::to(b, overlap);
            (f.value(&a), f.gradient(&a))
        }),
    )
}

pub fn yolov6(row: &Row, file: &File) -> Result<Outcome, String> {
    box_loss(Overlap::yolov6_loss(kind(row)), file)
}

pub fn mmdet(row: &Row, file: &File) -> Result<Outcome, String> {
    box_loss(Overlap::mmdet(kind(row)), file)
}

/// With `neg_gamma`, as in the paper.
pub fn mmdet_straight(row: &Row, file: &File) -> Result<Outcome, String> {
    box_loss(
        Overlap {
            form: Form::Limited,
            ..Overlap::mmdet(kind(row))
        },
        file,
    )
}

fn elements() -> impl Iterator<Item = (f64, f64, bool)> {
    let (logit, target, positive) = (
        INPUTS.real("elements.logit"),
        INPUTS.real("elements.target"),
        INPUTS.whole("elements.positive"),
    );
    logit
        .iter()
        .zip(target)
        .zip(positive)
        .map(|((&x, &t), &p)| (x, t, p == 1))
}

/// Ours is a function of the probability, the peers' of its logit.
pub fn varifocal(_: &Row, file: &File) -> Result<Outcome, String> {
    compare(
        file,
        NONE,
        elements().map(|(x, t, positive)| {
            let (f, p) = (Varifocal::gold_yolo().at(t, positive), sigmoid(x));
            (f.value(&[p]), vec![f.derivative(p) * p * sigmoid(-x)])
        }),
    )
}

fn focal(file: &File, alpha: f64, gamma: f64) -> Result<Outcome, String> {
    compare(
        file,
        NONE,
        elements().map(|(x, _, positive)| {
            let f = Focal {
                alpha,
                gamma,
                positive,
            };
            (f.value(&[x]), f.gradient(&[x]))
        }),
    )
}

pub fn focal_paper(_: &Row, file: &File) -> Result<Outcome, String> {
    focal(file, 0.25, 2.0)
}

pub fn focal_ultralytics(_: &Row, file: &File) -> Result<Outcome, String> {
    focal(file, 0.25, 1.5)
}

pub fn quality_focal(_: &Row, file: &File) -> Result<Outcome, String> {
    compare(
        file,
        NONE,
        elements().map(|(x, quality, _)| {
            let f = QualityFocal { quality, beta: 2.0 };
            (f.value(&[x]), f.gradient(&[x]))
        }),
    )
}

fn dfl(file: &File, reg_max: usize) -> Result<Outcome, String> {
    let (logits, targets) = (
        INPUTS.real("distributions.logit"),
        INPUTS.real("distributions.target"),
    );
    compare(
        file,
        NONE,
        logits.chunks(17).zip(targets).map(|(x, &t)| {
            let f = Dfl::new(t, reg_max);
            (f.value(&x[..=reg_max]), f.gradient(&x[..=reg_max]))
        }),
    )
}

pub fn dfl_15(_: &Row, file: &File) -> Result<Outcome, String> {
    dfl(file, 15)
}

pub fn dfl_16(_: &Row, file: &File) -> Result<Outcome, String> {
    dfl(file, 16)
}

//! dialects: the loss in another dialect: what it is divided by, who is assigned, which similarity, how the class term is focused.

use super::{Form, Reads, Way};
use crate::kernel::assign::Rivals;
use crate::kernel::assign::task_aligned::{Order, TaskAligned};
use crate::kernel::iou::{Eps, Form as Dialect, Kind, Overlap};
use crate::kernel::loss::gold_yolo::Assigner;
use crate::kernel::loss::whole::{Reduction, Whole};

pub const FORMS: &[Form] = &[
    Form {
        name: "other-normaliser",
        summary: "divided by the number of positives, or by nothing, where the sum of the targets stands",
        mend: "divide the terms by what the reference divides them by (sum for mean, number of positives, sum of the targets)",
        ways: normalisers,
    },
    Form {
        name: "other-top-k",
        summary: "another number of anchors for each object",
        mend: "take as many anchors for each object as the reference (topk)",
        ways: top_k,
    },
    Form {
        name: "other-alignment",
        summary: "other exponents of score and overlap in the assigner's metric",
        mend: "set alpha and beta of the assigner to the reference's",
        ways: exponents,
    },
    Form {
        name: "other-inside-test",
        summary: "another test of which anchors lie inside an object, or in another order with the top-k",
        mend: "test the anchor points as the reference does: which distance is inside, before or after the top-k, small boxes enlarged",
        ways: inside,
    },
    Form {
        name: "other-rivals",
        summary: "an anchor that several objects claim goes to another one",
        mend: "give an anchor that several objects claim to the one that the reference gives it to",
        ways: rivals,
    },
    Form {
        name: "other-iou-kind",
        summary: "another similarity of boxes in the box term",
        mend: "use the reference's similarity in the box term (IoU, GIoU, DIoU, CIoU, SIoU)",
        ways: kinds,
    },
    Form {
        name: "other-iou-eps",
        summary: "the small number of the similarity in the box term elsewhere, or another one",
        mend: "put the eps of the similarity where the reference has it",
        ways: eps,
    },
    Form {
        name: "other-iou-form",
        summary: "the similarity of the box term as another code base writes it",
        mend: "write the similarity as the reference does: what is clipped, and which part has no gradient",
        ways: written,
    },
    Form {
        name: "other-assigner-iou",
        summary: "another similarity of boxes in the assigner",
        mend: "assign by the reference's similarity",
        ways: assigner_kinds,
    },
    Form {
        name: "other-focus",
        summary: "other alpha and gamma of the class term",
        mend: "set alpha and gamma of the class term to the reference's",
        ways: focus,
    },
];

fn normalisers(reads: &Reads) -> Vec<Way> {
    let all = [
        (Reduction::Weight, "the sum of the soft targets"),
        (Reduction::Mean, "the number of positives"),
        (Reduction::Sum, "nothing"),
    ];
    let others = all.into_iter().filter(|(r, _)| *r != reads.reduction);
    let way = |(reduction, by): (Reduction, &str)| Way {
        reduction,
        ..reads.plainly(format!("the terms are divided by {by}"))
    };
    others.map(way).collect()
}

/// The loss with another assigner, where it is TaskAligned.
fn aligned(reads: &Reads, change: impl Fn(&mut TaskAligned), says: String) -> Option<Way> {
    let mut loss = reads.plain;
    match &mut loss {
        Whole::GoldYolo(loss) => match &mut loss.assigner {
            Assigner::TaskAligned(rule) => change(rule),
            Assigner::Atss(..) => return None,
        },
        Whole::V8(loss, _) => change(&mut loss.assigner),
    }
    reads.loss(loss, says)
}

fn overlap(reads: &Reads, change: impl Fn(&mut Overlap), says: String) -> Option<Way> {
    let mut loss = reads.plain;
    match &mut loss {
        Whole::GoldYolo(loss) => change(&mut loss.overlap),
        Whole::V8(loss, _) => change(&mut loss.overlap),
    }
    reads.loss(loss, says)
}

fn top_k(reads: &Reads) -> Vec<Way> {
    let way = |k: usize| {
        let says = format!("{k} anchors are taken for each object");
        let atss = match reads.plain {
            Whole::GoldYolo(mut loss) => match &mut loss.assigner {
                Assigner::Atss(rule, _) => {
                    rule.topk = k;
                    reads.loss(Whole::GoldYolo(loss), says.clone())
                }
                Assigner::TaskAligned(_) => None,
            },
            Whole::V8(..) => None,
        };
        atss.or_else(|| aligned(reads, |rule| rule.topk = k, says))
    };
    [1, 5, 8, 9, 10, 11, 12, 13, 14, 15, 20]
        .into_iter()
        .filter_map(way)
        .collect()
}

fn exponents(reads: &Reads) -> Vec<Way> {
    let all = [0.5, 1.0, 2.0]
        .into_iter()
        .flat_map(|alpha| [1.0, 2.0, 4.0, 6.0].map(|beta| (alpha, beta)));
    let all = all.chain([(6.0, 1.0), (6.0, 0.5)]);
    let way = |(alpha, beta): (f64, f64)| {
        let says = format!("the metric of the assigner is score^{alpha} * overlap^{beta}");
        aligned(reads, |rule| (rule.alpha, rule.beta) = (alpha, beta), says)
    };
    all.filter_map(way).collect()
}

fn inside(reads: &Reads) -> Vec<Way> {
    type Change = fn(&mut TaskAligned);
    let all: [(&str, Change); 6] = [
        ("every anchor counts as inside", |r| {
            r.depth = f64::NEG_INFINITY
        }),
        ("an anchor is inside 0.01 pixels from a side on", |r| {
            r.depth = 0.01
        }),
        ("the top-k is taken before the inside test", |r| {
            r.order = Order::TopKThenInside;
        }),
        ("the inside test is made before the top-k", |r| {
            r.order = Order::InsideThenTopK;
        }),
        (
            "overlaps count inside the box alone, or not so any more",
            |r| {
                r.inside_only = !r.inside_only;
            },
        ),
        (
            "small boxes are enlarged for the inside test, or no more",
            |r| {
                r.enlarge = if r.enlarge > 0.0 { 0.0 } else { 16.0 };
            },
        ),
    ];
    let way = |(says, change): (&str, Change)| aligned(reads, change, says.into());
    all.into_iter().filter_map(way).collect()
}

fn rivals(reads: &Reads) -> Vec<Way> {
    let other = |rule: &mut TaskAligned| {
        rule.rivals = match rule.rivals {
            Rivals::All => Rivals::Claiming,
            Rivals::Claiming => Rivals::All,
        };
    };
    let says = "an anchor goes to the largest overlap among other objects";
    Vec::from_iter(aligned(reads, other, says.into()))
}

const KINDS: [Kind; 5] = [Kind::Iou, Kind::Giou, Kind::Diou, Kind::Ciou, Kind::Siou];

fn kinds(reads: &Reads) -> Vec<Way> {
    let way = |kind: Kind| {
        let says = format!("the box term is of {kind:?}");
        overlap(reads, |o| o.kind = kind, says)
    };
    KINDS.into_iter().filter_map(way).collect()
}

fn eps(reads: &Reads) -> Vec<Way> {
    let places: [fn(f64) -> Eps; 4] = [Eps::Added, Eps::Union, Eps::Floor, Eps::Apart];
    let sizes = [1e-10, 1e-9, 1e-7, 1e-6, 1e-16, 0.0];
    let all = places.into_iter().flat_map(|p| sizes.map(p));
    let way = |eps: Eps| {
        let says = format!("the eps of the box term's similarity is {eps:?}");
        overlap(reads, |o| o.eps = eps, says)
    };
    all.filter_map(way).collect()
}

fn written(reads: &Reads) -> Vec<Way> {
    let way = |form: Dialect| {
        let says = format!("the box term's similarity is {form:?}");
        overlap(reads, |o| o.form = form, says)
    };
    [Dialect::Paper, Dialect::Limited, Dialect::Turned]
        .into_iter()
        .filter_map(way)
        .collect()
}

fn assigner_kinds(reads: &Reads) -> Vec<Way> {
    let way = |kind: Kind| {
        let says = format!("the assigner takes {kind:?}");
        aligned(reads, |rule| rule.overlap.kind = kind, says)
    };
    KINDS.into_iter().filter_map(way).collect()
}

fn focus(reads: &Reads) -> Vec<Way> {
    let all = [
        (0.25, 2.0),
        (0.75, 1.5),
        (0.75, 1.0),
        (1.0, 2.0),
        (2.0, 0.75),
        (0.75, 2.0),
        (0.5, 2.0),
    ];
    let way = |(alpha, gamma): (f64, f64)| match reads.plain {
        Whole::GoldYolo(mut loss) => {
            (loss.varifocal.alpha, loss.varifocal.gamma) = (alpha, gamma);
            let says = format!("alpha is {alpha} and gamma {gamma} in the class term");
            reads.loss(Whole::GoldYolo(loss), says)
        }
        Whole::V8(..) => None,
    };
    all.into_iter().filter_map(way).collect()
}

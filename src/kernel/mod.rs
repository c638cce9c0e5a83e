//! kernel: what do published assigners and losses compute, in f64, with exact gradients?
//!
//! Convention: values in, values out; f64 throughout, sums in index order; targets are detached. One kernel per file, written from its
//! paper. Every public code base that does something else in a detail is a named constructor of the same data.

pub mod anchors;
pub mod assign;
pub mod boxes;
pub mod iou;
pub mod loss;
pub mod number;

/// What there is to know about a kernel without running it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernel {
    pub name: &'static str,
    pub paper: &'static str,
    /// What it computes.
    pub what: &'static str,
    /// Where it has no derivative, or where a decision flips.
    pub kinks: &'static str,
}

const fn kernel(
    name: &'static str,
    paper: &'static str,
    what: &'static str,
    kinks: &'static str,
) -> Kernel {
    Kernel {
        name,
        paper,
        what,
        kinks,
    }
}

/// Every kernel.
pub const ALL: &[Kernel] = &[
    kernel(
        "anchors",
        "Zhang 2020",
        "anchor points and squares of a pyramid",
        "none",
    ),
    kernel(
        "iou",
        "Rezatofighi 2019; Zheng 2020; Gevorgyan 2022",
        "IoU, GIoU, DIoU, CIoU, SIoU",
        "equal or touching sides, empty boxes; SIoU: aligned centres, equal sizes",
    ),
    kernel(
        "task_aligned",
        "Feng 2021",
        "TaskAligned in four dialects",
        "ties in top-k and argmax, a point on a side",
    ),
    kernel(
        "atss",
        "Zhang 2020",
        "adaptive training sample selection in two dialects",
        "ties in top-k and argmax, a point on a side, an overlap at the threshold",
    ),
    kernel(
        "bce",
        "PyTorch",
        "binary cross-entropy of probabilities and logits",
        "probabilities of 0 and 1; none in logits",
    ),
    kernel("focal", "Lin 2017", "focal loss of logits", "none"),
    kernel(
        "varifocal",
        "Zhang 2021",
        "varifocal loss of probabilities",
        "probabilities of 0 and 1",
    ),
    kernel(
        "quality_focal",
        "Li 2020",
        "quality focal loss of logits",
        "probability equal to quality, unless beta is 2",
    ),
    kernel(
        "dfl",
        "Li 2020",
        "distribution focal loss and the mean bin",
        "none in logits",
    ),
    kernel("box_loss", "as iou", "1 - similarity", "as iou"),
    kernel(
        "cross_entropy",
        "Goodfellow 2016",
        "cross-entropy per pixel with an ignored label",
        "none",
    ),
    kernel(
        "info_nce",
        "van den Oord 2018; He 2020",
        "contrastive loss of a query",
        "a query of length 0",
    ),
    kernel(
        "size_weight",
        "Lin 2014",
        "weights of anchors by object area",
        "areas of 32^2 and 96^2 pixels",
    ),
    kernel(
        "gold_yolo",
        "Wang 2023; Li 2022",
        "the whole loss of YOLOv6 and Gold-YOLO",
        "those of its parts; a sum of targets of 0",
    ),
    kernel(
        "v8_detection",
        "Feng 2021; Li 2020",
        "the whole loss of the ultralytics v8 detectors",
        "those of its parts; a sum of targets of 1",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_are_the_table() {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/src/kernel");
        let helpers = ["mod", "cells", "trail", "inputs", "positives"];
        for folder in ["assign", "loss"] {
            for file in std::fs::read_dir(format!("{root}/{folder}")).unwrap() {
                let file = file.unwrap().file_name().into_string().unwrap();
                let name = file.trim_end_matches(".rs");
                assert!(
                    helpers.contains(&name) || ALL.iter().any(|k| k.name == name),
                    "{folder}/{file} is in no row of the table"
                );
            }
        }
    }

    #[test]
    fn the_table_names_every_kernel_once_and_says_everything_about_it() {
        for (i, k) in ALL.iter().enumerate() {
            assert!(
                [k.name, k.paper, k.what, k.kinks]
                    .iter()
                    .all(|t| !t.is_empty()),
                "{k:?}"
            );
            assert!(
                ALL[i + 1..].iter().all(|other| other.name != k.name),
                "{} twice",
                k.name
            );
        }
    }
}

//! The inputs that all peers share: integers over powers of two, so every implementation starts from the same bits.

use crate::fixture::File;
use parity::kernel::anchors::Anchors;
use parity::kernel::loss::inputs::Inputs;
use std::sync::LazyLock;

pub const CLASSES: usize = 3;

pub struct Case {
    pub anchors: Anchors,
    pub counts: Vec<usize>,
    pub labels: Vec<i64>,
    pub boxes: Vec<[f64; 4]>,
    /// `[B, A, CLASSES]` probabilities.
    pub scores: Vec<f64>,
    /// `[B, A, 4]` in cells.
    pub sides: Vec<f64>,
    /// `[B, A, CLASSES]`; empty in the wide set.
    pub logits: Vec<f64>,
    /// `[B, A, 4, 17]` logits; empty in the wide set.
    bins: Vec<f64>,
}

/// The images of 64 px, with distributions.
pub static FINE: LazyLock<Vec<Case>> = LazyLock::new(|| read("fine"));
/// The images of 128 px.
pub static WIDE: LazyLock<Vec<Case>> = LazyLock::new(|| read("wide"));
pub static INPUTS: LazyLock<File> = LazyLock::new(|| File::read("cases"));

fn read(set: &str) -> Vec<Case> {
    (0..)
        .map(|i| format!("{set}.{i:02}"))
        .take_while(|p| INPUTS.has(&format!("{p}.size")))
        .map(|p| Case::read(&p))
        .collect()
}

impl Case {
    fn read(prefix: &str) -> Self {
        let name = |key: &str| format!("{prefix}.{key}");
        let over = |key: &str, divisor: f64| {
            if INPUTS.has(&name(key)) {
                INPUTS
                    .whole(&name(key))
                    .iter()
                    .map(|&v| v as f64 / divisor)
                    .collect()
            } else {
                Vec::new()
            }
        };
        let size = INPUTS.whole(&name("size"));
        Self {
            anchors: Anchors::of_image(size[0] as usize, size[1] as usize, &[8, 16, 32]).unwrap(),
            counts: INPUTS
                .whole(&name("counts"))
                .iter()
                .map(|&v| v as usize)
                .collect(),
            labels: INPUTS.whole(&name("labels")).to_vec(),
            boxes: INPUTS
                .real(&name("boxes"))
                .chunks(4)
                .map(|b| b.try_into().unwrap())
                .collect(),
            scores: over("score", 256.0),
            sides: over("side", 16.0),
            logits: over("logit", 8.0),
            bins: over("bins", 8.0),
        }
    }

    /// Distances for a loss whose largest bin is `reg_max`: direct for 0, else the first bins.
    pub fn distances(&self, reg_max: usize) -> Vec<f64> {
        if reg_max == 0 {
            self.sides.clone()
        } else {
            self.bins
                .chunks(17)
                .flat_map(|b| &b[..=reg_max])
                .copied()
                .collect()
        }
    }

    /// The inputs of a loss.
    pub fn inputs<'a>(
        &'a self,
        scores: &'a [f64],
        distances: &'a [f64],
        reg_max: usize,
    ) -> Inputs<'a> {
        let Self {
            anchors,
            labels,
            boxes,
            counts,
            ..
        } = self;
        Inputs {
            anchors,
            classes: CLASSES,
            reg_max,
            scores,
            distances,
            labels,
            boxes,
            counts,
        }
    }
}

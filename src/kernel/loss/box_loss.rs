//! box_loss: how far is a predicted box from its target?
//!
//! Convention: 1 − similarity, both boxes `[x1, y1, x2, y2]` in one unit; the similarity and its eps are [`Overlap`]'s. SIoU reads
//! 1 − iou + 0.5·(distance + shape) (Gevorgyan, 2022, equation 10).

use crate::kernel::Family;
use crate::kernel::iou::{Overlap, Similarity};
use crate::kernel::number::{Function, Number};

/// What there is to know about it.
pub const FAMILY: Family = Family {
    name: "box_loss",
    paper: "as iou",
    what: "1 - similarity",
    kinks: "as iou",
};

/// The loss as a function of the predicted box.
#[derive(Clone, Copy, Debug)]
pub struct BoxLoss {
    similarity: Similarity,
}

impl BoxLoss {
    /// The loss against `target`.
    pub fn to(target: [f64; 4], overlap: Overlap) -> Self {
        Self {
            similarity: Similarity::to(target, overlap),
        }
    }
}

impl Function for BoxLoss {
    fn at<D: Number>(&self, x: &[D]) -> D {
        -self.similarity.at(x) + 1.0
    }

    /// Kinks: those of the similarity.
    fn kink(&self, x: &[f64]) -> f64 {
        self.similarity.kink(x)
    }

    fn held(&self, x: &[f64]) -> Self {
        Self {
            similarity: self.similarity.held(x),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::iou::Kind;
    use crate::kernel::number::check;
    use approx::assert_abs_diff_eq;

    #[test]
    fn equal_boxes_lose_nothing_but_eps_and_have_a_finite_gradient() {
        for kind in [Kind::Giou, Kind::Siou, Kind::Ciou] {
            let f = BoxLoss::to([3.0, 4.0, 9.0, 12.0], Overlap::yolov6_loss(kind));
            assert_abs_diff_eq!(f.value(&[3.0, 4.0, 9.0, 12.0]), 0.0, epsilon = 1e-9);
            assert!(
                f.gradient(&[3.0, 4.0, 9.0, 12.0])
                    .iter()
                    .all(|g| g.is_finite())
            );
        }
    }

    #[test]
    fn disjoint_boxes_still_pull_towards_each_other() {
        let f = BoxLoss::to([20.0, 20.0, 24.0, 25.0], Overlap::yolov6_loss(Kind::Siou));
        let x = [1.0, 2.0, 5.5, 9.0];
        assert!(f.value(&x) > 1.0);
        let g = f.gradient(&x);
        assert!(g[0] + g[2] < 0.0 && g[1] + g[3] < 0.0, "{g:?}");
        check::gradient(&f, &x);
    }
}

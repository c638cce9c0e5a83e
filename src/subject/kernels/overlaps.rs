//! overlaps: similarities and losses of pairs of boxes, row by row; the first of the pair is what is differentiated by.

use super::elementwise::each;
use super::{Answer, Given};
use crate::error::Result;
use crate::kernel::iou::{Overlap, Similarity};
use crate::kernel::loss::box_loss::BoxLoss;

pub(super) fn alike(given: &Given, overlap: Overlap) -> Result<Answer> {
    let (a, b) = (given.columns("a", 2, 4)?, given.columns("b", 2, 4)?);
    given.same_rows(&[("a", &a.shape), ("b", &b.shape)])?;
    let targets = b.boxes();
    Ok(each("similarity", ("a", &a), 4, |i| {
        Similarity::to(targets[i], overlap)
    }))
}

pub(super) fn apart(given: &Given, overlap: Overlap) -> Result<Answer> {
    let (pred, target) = (given.columns("pred", 2, 4)?, given.columns("target", 2, 4)?);
    given.same_rows(&[("pred", &pred.shape), ("target", &target.shape)])?;
    let targets = target.boxes();
    Ok(each("loss", ("pred", &pred), 4, |i| {
        BoxLoss::to(targets[i], overlap)
    }))
}

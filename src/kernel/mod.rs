//! kernel: what do published assigners and losses compute, in f64, with exact gradients?
//!
//! Convention: values in, values out; f64 throughout, sums in index order; targets are detached. One kernel per file, written from its
//! paper. Every public code base that does something else in a detail is a named constructor of the same data.

pub mod anchors;
pub mod assign;
pub mod boxes;
pub mod iou;
pub mod loss;
pub mod matching;
pub mod metric;
pub mod number;

/// What there is to know about a kernel without running it; the subjects that offer its dialects name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    pub name: &'static str,
    pub paper: &'static str,
    /// What it computes.
    pub what: &'static str,
    /// Where it has no derivative, or where a decision flips.
    pub kinks: &'static str,
}

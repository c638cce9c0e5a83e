//! pixel_confusion: which class was taken for which, pixel by pixel?
//!
//! Convention: rows are the labels, columns the predictions; behind the last class stands one more row and column for what is ignored, so
//! that every pixel is somewhere and each way of leaving the ignored out is a sum over the same counts.

use crate::kernel::Family;

/// What there is to know about it.
pub const FAMILY: Family = Family {
    name: "pixel_confusion",
    paper: "Everingham 2015",
    what: "counts of labels against predictions, with the ignored apart",
    kinks: "none",
};

/// Counts of pixels by label and prediction; the index `classes` is what is ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confusion {
    classes: usize,
    counts: Vec<u64>,
}

/// Which pixels with an ignored side still count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Ignored {
    /// None: a pixel whose label or prediction is ignored is in no sum.
    Out,
    /// A prediction of the ignored value counts in the row of its label, as missed.
    InRows,
    /// A prediction on an ignored label counts in the column of its class, as wrong.
    InColumns,
    /// Either counts.
    InBoth,
}

impl Ignored {
    pub const ALL: [Self; 4] = [Self::Out, Self::InRows, Self::InColumns, Self::InBoth];

    fn in_rows(self) -> bool {
        matches!(self, Self::InRows | Self::InBoth)
    }

    fn in_columns(self) -> bool {
        matches!(self, Self::InColumns | Self::InBoth)
    }
}

/// One class: how often it is the label, the prediction, and both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Class {
    pub truth: u64,
    pub predicted: u64,
    pub correct: u64,
}

impl Confusion {
    #[must_use]
    pub fn new(classes: usize) -> Self {
        let side = classes + 1;
        Self {
            classes,
            counts: vec![0; side * side],
        }
    }

    /// From a square matrix without anything ignored, row by row.
    #[must_use]
    pub fn of(classes: usize, rows: &[u64]) -> Self {
        let mut out = Self::new(classes);
        for (i, n) in rows.iter().enumerate() {
            out.add(Some(i / classes), Some(i % classes), *n);
        }
        out
    }

    /// `n` pixels; None is what is ignored.
    pub fn add(&mut self, truth: Option<usize>, predicted: Option<usize>, n: u64) {
        let place = |side: Option<usize>| side.unwrap_or(self.classes).min(self.classes);
        let at = place(truth) * (self.classes + 1) + place(predicted);
        self.counts[at] += n;
    }

    pub fn merge(&mut self, other: &Self) {
        let all = self.counts.iter_mut().zip(&other.counts);
        all.for_each(|(own, more)| *own += more);
    }

    #[must_use]
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Pixels with the label `truth` that were taken for `predicted`; `classes` is what is ignored.
    #[must_use]
    pub fn at(&self, truth: usize, predicted: usize) -> u64 {
        self.counts[truth * (self.classes + 1) + predicted]
    }

    #[must_use]
    pub fn class(&self, c: usize, ignored: Ignored) -> Class {
        let rows = self.classes + usize::from(ignored.in_columns());
        let columns = self.classes + usize::from(ignored.in_rows());
        Class {
            truth: (0..columns).map(|p| self.at(c, p)).sum(),
            predicted: (0..rows).map(|t| self.at(t, c)).sum(),
            correct: self.at(c, c),
        }
    }

    /// Pixels that count.
    #[must_use]
    pub fn sum(&self) -> u64 {
        let row = |t| (0..self.classes).map(move |p| self.at(t, p)).sum::<u64>();
        (0..self.classes).map(row).sum()
    }

    #[must_use]
    pub fn diagonal(&self) -> u64 {
        (0..self.classes).map(|c| self.at(c, c)).sum()
    }

    /// Pixels whose label is ignored.
    #[must_use]
    pub fn ignored(&self) -> u64 {
        (0..=self.classes).map(|p| self.at(self.classes, p)).sum()
    }

    /// Pixels in all.
    #[must_use]
    pub fn pixels(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// With labels and predictions exchanged.
    #[must_use]
    pub fn transposed(&self) -> Self {
        let side = self.classes + 1;
        let counts = (0..side * side).map(|i| self.at(i % side, i / side));
        Self {
            classes: self.classes,
            counts: counts.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_counts_in_rows_in_columns_or_nowhere() {
        let mut m = Confusion::of(2, &[3, 1, 0, 2]);
        m.add(None, Some(0), 5);
        m.add(Some(0), None, 7);
        m.add(None, None, 11);
        let of = |ignored| {
            let c = m.class(0, ignored);
            (c.truth, c.predicted, c.correct)
        };
        assert_eq!(of(Ignored::Out), (4, 3, 3));
        assert_eq!(of(Ignored::InRows), (11, 3, 3));
        assert_eq!(of(Ignored::InColumns), (4, 8, 3));
        assert_eq!(of(Ignored::InBoth), (11, 8, 3));
        assert_eq!((m.sum(), m.diagonal(), m.ignored()), (6, 5, 16));
        assert_eq!(m.pixels(), 29);
        assert_eq!(m.transposed().transposed(), m);
        assert_eq!(m.transposed().at(0, 1), 0);
    }
}

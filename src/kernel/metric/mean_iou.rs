//! mean_iou: what does each public formula make of one confusion matrix?
//!
//! Convention: per class a numerator and a denominator; IoU = h_cc / (row + column − h_cc) (Everingham et al., The Pascal VOC Challenge:
//! A Retrospective, 2015). A class whose denominator is 0 is absent, and the public formulas differ in what becomes of it.

use super::pixel_confusion::{Class, Confusion, Ignored};
use crate::kernel::Family;

/// What there is to know about it.
pub const FAMILY: Family = Family {
    name: "mean_iou",
    paper: "Everingham 2015",
    what: "mean over classes of IoU, recall, precision or Dice, absent classes and ignored pixels each public way",
    kinks: "a class that becomes absent",
};

/// What is measured of one class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Measure {
    Iou,
    Dice,
    /// Correct of what has the label: its mean over classes is the mean accuracy.
    Recall,
    /// Correct of what was predicted.
    Precision,
}

/// What a class with the denominator 0 counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Absent {
    /// It is left out of the mean.
    Excluded,
    /// So is a class that no label has, though it was predicted.
    Unlabelled,
    Zero,
    One,
    /// It makes the mean NaN.
    Nan,
}

/// One number of a confusion matrix, as a fraction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Formula {
    Mean(Measure, Absent, Ignored),
    /// IoU of each class by its share of the labels.
    FrequencyWeighted(Ignored),
    /// Correct pixels of all that count.
    PixelAccuracy(Ignored),
    /// The classes' numerators and denominators added up before the division.
    Pooled,
}

impl Measure {
    pub const ALL: [Self; 4] = [Self::Iou, Self::Dice, Self::Recall, Self::Precision];

    fn parts(self, c: Class) -> (u64, u64) {
        match self {
            Self::Iou => (c.correct, c.truth + c.predicted - c.correct),
            Self::Dice => (2 * c.correct, c.truth + c.predicted),
            Self::Recall => (c.correct, c.truth),
            Self::Precision => (c.correct, c.predicted),
        }
    }

    /// Of one class; NaN where it is absent.
    #[must_use]
    pub fn of(self, c: Class) -> f64 {
        let (numerator, denominator) = self.parts(c);
        numerator as f64 / denominator as f64
    }
}

impl Absent {
    pub const ALL: [Self; 5] = [
        Self::Excluded,
        Self::Unlabelled,
        Self::Zero,
        Self::One,
        Self::Nan,
    ];

    /// What the class counts; None where it is left out.
    fn counts(self, value: f64, c: Class) -> Option<f64> {
        match self {
            Self::Unlabelled if c.truth == 0 => None,
            _ if !value.is_nan() => Some(value),
            Self::Excluded | Self::Unlabelled => None,
            Self::Zero => Some(0.0),
            Self::One => Some(1.0),
            Self::Nan => Some(f64::NAN),
        }
    }
}

impl Formula {
    /// The one to go by: a class that occurs nowhere says nothing of the predictions.
    pub const PLAIN: Self = Self::Mean(Measure::Iou, Absent::Excluded, Ignored::Out);

    /// Every formula, the usual ones first.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut out = vec![];
        for ignored in Ignored::ALL {
            for measure in Measure::ALL {
                out.extend(Absent::ALL.map(|absent| Self::Mean(measure, absent, ignored)));
            }
            out.extend([
                Self::FrequencyWeighted(ignored),
                Self::PixelAccuracy(ignored),
            ]);
        }
        out.push(Self::Pooled);
        out
    }

    /// What it gives; NaN where nothing counts.
    #[must_use]
    pub fn of(self, m: &Confusion) -> f64 {
        let classes = |ignored| (0..m.classes()).map(move |c| m.class(c, ignored));
        match self {
            Self::Mean(measure, absent, ignored) => {
                mean(classes(ignored).filter_map(|c| absent.counts(measure.of(c), c)))
            }
            Self::FrequencyWeighted(ignored) => {
                let labelled = || classes(ignored).filter(|c| c.truth > 0);
                let sum: u64 = labelled().map(|c| c.truth).sum();
                let parts = labelled().map(|c| c.truth as f64 * Measure::Iou.of(c));
                parts.sum::<f64>() / sum as f64
            }
            Self::PixelAccuracy(ignored) => {
                let sum: u64 = match ignored {
                    Ignored::Out => m.sum(),
                    Ignored::InRows => classes(ignored).map(|c| c.truth).sum(),
                    Ignored::InColumns => classes(ignored).map(|c| c.predicted).sum(),
                    Ignored::InBoth => m.pixels(),
                };
                m.diagonal() as f64 / sum as f64
            }
            Self::Pooled => {
                let parts = classes(Ignored::Out).map(|c| Measure::Iou.parts(c));
                let (n, d) = parts.fold((0, 0), |(n, d), p| (n + p.0, d + p.1));
                n as f64 / d as f64
            }
        }
    }
}

/// NaN over none.
pub fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0u64), |(sum, n), v| (sum + v, n + 1));
    sum / n as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;
    use proptest::prelude::*;

    fn miou(absent: Absent) -> Formula {
        Formula::Mean(Measure::Iou, absent, Ignored::Out)
    }

    /// `pixels` of each class of the labels, all taken for class `to`.
    fn collapse(classes: usize, pixels: &[u64], to: usize) -> Confusion {
        let mut m = Confusion::new(classes);
        for (c, n) in pixels.iter().enumerate() {
            m.add(Some(c), Some(to), *n);
        }
        m
    }

    #[test]
    fn a_collapse_gives_the_mean_accuracy_of_one_in_37_and_the_share_of_its_class_as_iou() {
        let m = collapse(37, &[30, 50, 20], 0);
        let recall = Formula::Mean(Measure::Recall, Absent::Zero, Ignored::Out);
        assert_abs_diff_eq!(recall.of(&m), 1.0 / 37.0, epsilon = 1e-15);
        assert_abs_diff_eq!(miou(Absent::Zero).of(&m), 0.3 / 37.0, epsilon = 1e-15);
        assert_abs_diff_eq!(miou(Absent::Excluded).of(&m), 0.1, epsilon = 1e-15);
    }

    #[test]
    fn a_perfect_prediction_of_5_of_37_classes_is_13_51_or_100() {
        let mut m = Confusion::new(37);
        (0..5).for_each(|c| m.add(Some(c * 7), Some(c * 7), 10 + c as u64));
        assert_abs_diff_eq!(miou(Absent::Zero).of(&m), 5.0 / 37.0, epsilon = 1e-15);
        for absent in [Absent::Excluded, Absent::Unlabelled, Absent::One] {
            assert_eq!(miou(absent).of(&m), 1.0);
        }
        assert!(miou(Absent::Nan).of(&m).is_nan());
    }

    #[test]
    fn a_class_that_is_only_predicted_is_0_or_left_out() {
        let m = Confusion::of(2, &[3, 1, 0, 0]);
        assert_eq!(miou(Absent::Excluded).of(&m), 0.375);
        assert_eq!(miou(Absent::Unlabelled).of(&m), 0.75);
        assert_eq!(Formula::Pooled.of(&m), 3.0 / 5.0);
        assert_eq!(Formula::FrequencyWeighted(Ignored::Out).of(&m), 0.75);
    }

    #[test]
    fn what_is_ignored_lowers_what_counts_it() {
        let mut m = Confusion::of(1, &[4]);
        m.add(None, Some(0), 2);
        m.add(Some(0), None, 4);
        let of = |ignored| Formula::PixelAccuracy(ignored).of(&m);
        let all = Ignored::ALL.map(of);
        assert_eq!(all, [1.0, 0.5, 4.0 / 6.0, 0.4]);
        let of = |ignored| Formula::Mean(Measure::Iou, Absent::Excluded, ignored).of(&m);
        assert_eq!(Ignored::ALL.map(of), [1.0, 0.5, 4.0 / 6.0, 0.4]);
    }

    #[test]
    fn nothing_that_counts_has_no_mean() {
        for formula in Formula::all() {
            let value = formula.of(&Confusion::new(3));
            let filled = matches!(formula, Formula::Mean(_, Absent::Zero | Absent::One, _));
            assert_eq!(value.is_nan(), !filled, "{formula:?}");
        }
    }

    proptest! {
        /// A twin that goes over pixels, not over sums.
        #[test]
        fn the_plain_formula_is_that_of_sets_of_pixels(pixels in prop::collection::vec((0usize..4, 0usize..4), 1..60)) {
            let mut m = Confusion::new(4);
            pixels.iter().for_each(|(t, p)| m.add(Some(*t), Some(*p), 1));
            let iou = |c| {
                let any = pixels.iter().filter(|(t, p)| *t == c || *p == c).count();
                let both = pixels.iter().filter(|(t, p)| *t == c && *p == c).count();
                (any > 0).then(|| both as f64 / any as f64)
            };
            let all: Vec<f64> = (0..4).filter_map(iou).collect();
            let want = all.iter().sum::<f64>() / all.len() as f64;
            prop_assert_eq!(Formula::PLAIN.of(&m), want);
        }

        #[test]
        fn dice_is_iou_turned_and_every_fraction_is_one(counts in prop::collection::vec(0u64..50, 9)) {
            let m = Confusion::of(3, &counts);
            for c in 0..3 {
                let class = m.class(c, Ignored::Out);
                let (iou, dice) = (Measure::Iou.of(class), Measure::Dice.of(class));
                prop_assert!(iou.is_nan() || (dice - 2.0 * iou / (1.0 + iou)).abs() < 1e-12);
            }
            for f in Formula::all() {
                let value = f.of(&m);
                prop_assert!(value.is_nan() || (0.0..=1.0 + 1e-12).contains(&value), "{:?} {}", f, value);
            }
        }
    }
}

//! cross_entropy: how wrong is a segmentation map, pixel by pixel?
//!
//! Convention: ln Σ e^x − x_label for one pixel; the mean runs over pixels whose label is not the ignored one, and is NaN where all
//! are ignored, as in PyTorch. With weights of classes it is Σ w_label · loss / Σ w_label over these. Logits `[pixels, C]` (Goodfellow et al., Deep Learning, 2016, section 6.2.2.3).

use crate::error::{Error, Result};
use crate::kernel::Family;
use crate::kernel::number::{Function, Number, log_sum_exp};

/// What there is to know about it.
pub const FAMILY: Family = Family {
    name: "cross_entropy",
    paper: "Goodfellow 2016",
    what: "cross-entropy per pixel with an ignored label",
    kinks: "none",
};

/// The loss of one pixel as a function of its logits.
#[derive(Clone, Copy, Debug)]
pub struct CrossEntropy {
    /// Below the number of logits.
    pub label: usize,
}

impl Function for CrossEntropy {
    fn at<D: Number>(&self, x: &[D]) -> D {
        log_sum_exp(x) - x[self.label]
    }

    /// Kinks: none.
    fn kink(&self, _: &[f64]) -> f64 {
        f64::INFINITY
    }
}

/// The loss of a map.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels {
    /// Sum over the counted pixels, each times the weight of its class.
    pub sum: f64,
    /// Sum of these weights; how many count where there are none.
    pub weight: f64,
    pub counted: usize,
    pub ignored: usize,
    /// `[pixels, C]` gradient of the mean; 0 at ignored pixels.
    pub gradient: Vec<f64>,
}

impl Pixels {
    /// Mean over the counted pixels; NaN over none, or over such as weigh nothing.
    pub fn mean(&self) -> f64 {
        self.sum / self.weight
    }
}

/// The loss of `logits` `[pixels, classes]` against `labels` `[pixels]`. Refuses sizes that do not fit, logits that are no numbers and
/// labels that are neither a class nor `ignore`.
pub fn cross_entropy(
    logits: &[f64],
    classes: usize,
    labels: &[i64],
    ignore: i64,
    weights: Option<&[f64]>,
) -> Result<Pixels> {
    check_weights(classes, weights)?;
    if classes == 0 || logits.len() != labels.len() * classes {
        let fact = format!(
            "logits: {} values for {} pixels of {classes} classes",
            logits.len(),
            labels.len()
        );
        return Err(Error::usage(fact).next("put the class axis last and give at least one class"));
    }
    if let Some(i) = logits.iter().position(|v| !v.is_finite()) {
        let fact = format!(
            "logit of pixel {}, class {} is {}",
            i / classes,
            i % classes,
            logits[i]
        );
        return Err(Error::usage(fact).next("find the first layer with such a value"));
    }
    let mut out = Pixels {
        sum: 0.0,
        weight: 0.0,
        counted: 0,
        ignored: 0,
        gradient: vec![0.0; logits.len()],
    };
    for (i, (x, &label)) in logits.chunks(classes).zip(labels).enumerate() {
        match usize::try_from(label) {
            _ if label == ignore => out.ignored += 1,
            Ok(label) if label < classes => {
                let weight = weights.map_or(1.0, |w| w[label]);
                out.pixel(i, x, CrossEntropy { label }, weight);
            }
            _ => {
                let fact = format!(
                    "label of pixel {i}: {label} is neither one of {classes} classes nor the ignored {ignore}"
                );
                return Err(Error::usage(fact).next(
                    "compare the label map with the number of classes and the ignore label",
                ));
            }
        }
    }
    let whole = if out.weight > 0.0 { out.weight } else { 1.0 };
    out.gradient.iter_mut().for_each(|g| *g /= whole);
    Ok(out)
}

fn check_weights(classes: usize, weights: Option<&[f64]>) -> Result<()> {
    let Some(weights) = weights else {
        return Ok(());
    };
    let bad = weights.iter().position(|w| !(w.is_finite() && *w >= 0.0));
    let fact = match bad {
        Some(i) => format!("weight of class {i} is {}", weights[i]),
        None if weights.len() != classes => {
            format!("{} weights for {classes} classes", weights.len())
        }
        None => return Ok(()),
    };
    Err(Error::usage(fact).next("give every class a finite weight that is not negative"))
}

impl Pixels {
    fn pixel(&mut self, i: usize, x: &[f64], f: CrossEntropy, weight: f64) {
        self.sum += f.value(x) * weight;
        self.weight += weight;
        self.counted += 1;
        let own = &mut self.gradient[i * x.len()..(i + 1) * x.len()];
        own.copy_from_slice(&f.gradient(x));
        own.iter_mut().for_each(|g| *g *= weight);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::number::check;
    use approx::assert_abs_diff_eq;
    use proptest::prelude::*;

    #[test]
    fn ignored_pixels_count_in_nothing() {
        let out =
            cross_entropy(&[0.0, 0.0, 9.0, -9.0, 0.0, 0.0], 2, &[0, -1, 1], -1, None).unwrap();
        assert_eq!((out.counted, out.ignored), (2, 1));
        assert_abs_diff_eq!(out.mean(), 2f64.ln(), epsilon = 1e-15);
        for (g, want) in out
            .gradient
            .iter()
            .zip([-0.25, 0.25, 0.0, 0.0, 0.25, -0.25])
        {
            assert_abs_diff_eq!(*g, want, epsilon = 1e-15);
        }
    }

    #[test]
    fn a_map_of_ignored_pixels_has_no_mean_and_no_gradient() {
        let out = cross_entropy(&[1.0, 2.0], 2, &[255], 255, None).unwrap();
        assert!(out.mean().is_nan());
        assert_eq!((out.ignored, out.gradient), (1, vec![0.0, 0.0]));
    }

    #[test]
    fn a_label_of_37_among_37_classes_is_refused_by_pixel() {
        let e = cross_entropy(&[0.0; 74], 37, &[36, 37], -1, None).unwrap_err();
        assert_eq!(
            e.message,
            "label of pixel 1: 37 is neither one of 37 classes nor the ignored -1"
        );
        assert!(
            cross_entropy(&[0.0, f64::NAN], 2, &[0], -1, None)
                .unwrap_err()
                .message
                .contains("pixel 0, class 1 is NaN")
        );
        assert!(cross_entropy(&[0.0; 3], 2, &[0], -1, None).is_err());
    }

    #[test]
    fn weights_and_the_ignored_label_are_those_of_pytorch() {
        let x = [1.0, 0.0, 0.5, 0.0, 3.0, -1.0, 0.3, 0.2, 0.1];
        let out = cross_entropy(&x, 3, &[0, 1, 255], 255, Some(&[3.0, 0.5, 1.0])).unwrap();
        assert_abs_diff_eq!(out.mean(), 0.5925002753725481, epsilon = 1e-15);
        for (g, wanted) in out.gradient.iter().zip([-0.4230, 0.1597, 0.2633, 0.0067]) {
            assert_abs_diff_eq!(*g, wanted, epsilon = 5e-5);
        }
    }

    #[test]
    fn a_class_counts_as_much_as_its_weight() {
        let of = |weights: [f64; 2]| {
            cross_entropy(&[1.0, 0.0, 0.0, 3.0], 2, &[0, 1], -1, Some(&weights)).unwrap()
        };
        let (first, second) = (of([1.0, 0.0]), of([0.0, 1.0]));
        let both = of([3.0, 1.0]);
        let mean = (3.0 * first.mean() + second.mean()) / 4.0;
        assert_abs_diff_eq!(both.mean(), mean, epsilon = 1e-15);
        assert_abs_diff_eq!(both.gradient[0], first.gradient[0] * 0.75, epsilon = 1e-15);
        assert_eq!(of([2.0, 2.0]).mean(), of([1.0, 1.0]).mean());
        let none = of([0.0, 0.0]);
        assert!(none.mean().is_nan() && none.counted == 2 && none.gradient == [0.0; 4]);
        for (weights, says) in [
            (&[1.0][..], "1 weights for 2"),
            (&[1.0, -1.0], "class 1 is -1"),
        ] {
            let e = cross_entropy(&[0.0; 2], 2, &[0], -1, Some(weights)).unwrap_err();
            assert!(e.message.contains(says), "{}", e.message);
        }
    }

    proptest! {
        #[test]
        fn the_gradient_is_what_differences_say(x in prop::collection::vec(-5f64..5.0, 4), label in 0usize..4) {
            check::gradient(&CrossEntropy { label }, &x);
        }
    }
}

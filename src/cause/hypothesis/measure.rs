//! measure: how far what a change gives is from what was observed, before its own limits are known: in root mean squares, and in limits of the clean step.

use super::evaluate::{Bench, Given};
use super::residual::{Half, Residual, held};

impl Bench<'_> {
    /// What is left at each element of the half that is fitted: large numbers round more, and say more of a number that is fitted.
    pub fn misfits(&self, given: &Given) -> Vec<f64> {
        let mut all = vec![];
        for (k, observed) in self.observed.iter().enumerate() {
            let said = &given.said[k];
            let fit = (0..observed.len()).filter(|i| Half::Fit.takes(*i));
            let left = |i: usize| said.low[i] - observed[i];
            all.extend(fit.map(left).map(|v| if v.is_finite() { v } else { 0.0 }));
        }
        all
    }

    /// Gives what a change gives the limits of the step without it; false where it has another size.
    pub fn within(&self, rough: &mut Given, clean: &Given) -> bool {
        let mut pairs = rough.said.iter_mut().zip(&clean.said);
        pairs.all(|(said, clean)| {
            said.limit.clone_from(&clean.limit);
            said.low.len() == clean.limit.len()
        })
    }

    /// Whether what is left is no more than a few limits of the step without the change.
    pub fn near(&self, rms: f64, clean: &Given) -> bool {
        let largest = clean.said.iter().flat_map(|s| &s.limit);
        rms <= 10.0 * largest.copied().fold(0.0, f64::max)
    }

    /// Root mean squares of what is left and of what was observed, where both are finite.
    pub fn rms(&self, given: &Given) -> (f64, f64) {
        let (mut left, mut size, mut n) = (0.0, 0.0, 0.0f64);
        for (said, observed) in given.said.iter().zip(&self.observed) {
            for (y, c) in said.low.iter().zip(observed) {
                if y.is_finite() && c.is_finite() {
                    (left, size, n) = (left + (c - y) * (c - y), size + c * c, n + 1.0);
                }
            }
        }
        let n = n.max(1.0);
        ((left / n).sqrt(), (size / n).sqrt())
    }

    /// What is left in units of the limits without the change.
    pub fn roughly(&self, rough: &Given, clean: &Given) -> Residual {
        let mut all = Residual::default();
        for (k, (_, t)) in self.tensors.iter().enumerate() {
            let (values, limits) = (&rough.said[k].low, &clean.said[k].limit);
            let limit = |i| {
                if limits.len() == t.numel() {
                    limits[i]
                } else {
                    0.0
                }
            };
            let said = |i| ((values[i], values[i]), limit(i));
            all = all.with(held(&self.observed[k], said, t.dtype(), Half::All));
        }
        all
    }
}

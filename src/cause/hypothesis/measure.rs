//! measure: how far what a change gives is from what was observed, before its own limits are known: in root mean squares, and in limits of the clean step.

use super::evaluate::{Bench, Given};
use super::residual::{Half, Residual, Said, residual};

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

    /// The same within the limits of the step without the change.
    pub fn within(&self, mut rough: Given, clean: &Given) -> Option<Given> {
        for (said, clean) in rough.said.iter_mut().zip(&clean.said) {
            if said.low.len() != clean.limit.len() {
                return None;
            }
            said.limit.clone_from(&clean.limit);
        }
        Some(rough)
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
        for (k, (_, t)) in self.evidence.observed.iter().enumerate() {
            let limit = &clean.said[k].limit;
            let limit = match limit.len() == t.numel() {
                true => limit.clone(),
                false => vec![0.0; t.numel()],
            };
            let said = Said::exactly(rough.said[k].low.clone(), limit);
            all = all.with(residual(&self.observed[k], &said, t.dtype(), Half::All));
        }
        all
    }
}

//! family: the constants of the rounding bound, one row per operator family, calibrated by `parity selftest`.
//!
//! B = max(β, γ·√K)·u·S. The √K is the probabilistic bound of Higham and Mary (2019, "A new approach to probabilistic rounding
//! error analysis", SIAM J. Sci. Comput. 41) for a sum of K terms, whose λ is γ here; K = 1 where nothing is summed. The noise of
//! the Monte Carlo runs has standard deviation B/R: an engine at its bound in one node stands at R spreads there.

use super::noise::R;
use serde::{Deserialize, Serialize};

/// Operators whose rounding is bounded alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// One correctly rounded operation per element.
    Arithmetic,
    /// Transcendental functions, by each engine's own approximation.
    Transcendental,
    Convolution,
    Matmul,
    /// Sums and means over axes.
    Reduction,
    Normalisation,
    Softmax,
    Interpolation,
}

impl Family {
    /// Every family with its β (units of u·S that even the shortest sum is allowed) and γ (per √K).
    pub const ALL: [(Family, f64, f64); 8] = [
        (Family::Arithmetic, 4.0, 0.0),
        (Family::Transcendental, 16.0, 0.0),
        (Family::Convolution, 16.0, 3.0),
        (Family::Matmul, 16.0, 3.0),
        (Family::Reduction, 16.0, 5.0),
        (Family::Normalisation, 16.0, 4.0),
        (Family::Softmax, 16.0, 4.0),
        (Family::Interpolation, 16.0, 0.0),
    ];

    pub fn name(self) -> &'static str {
        match self {
            Family::Arithmetic => "arithmetic",
            Family::Transcendental => "transcendental",
            Family::Convolution => "convolution",
            Family::Matmul => "matmul",
            Family::Reduction => "reduction",
            Family::Normalisation => "normalisation",
            Family::Softmax => "softmax",
            Family::Interpolation => "interpolation",
        }
    }

    /// What is allowed per √K.
    pub fn gamma(self) -> f64 {
        Self::ALL[self as usize].2
    }

    /// B in units of u·S for a sum of `terms`.
    pub fn allowed(self, terms: usize) -> f64 {
        let (_, least, gamma) = Self::ALL[self as usize];
        (gamma * (terms.max(1) as f64).sqrt()).max(least)
    }
}

/// Factor on S of the isolated bound.
pub fn bound(family: Family, terms: usize, unit: f64) -> f64 {
    family.allowed(terms) * unit
}

/// Standard deviation, in units of S, of the noise that stands for one rounding of this node.
pub fn noise(family: Family, terms: usize, unit: f64) -> f64 {
    bound(family, terms, unit) / R
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for (i, (family, least, gamma)) in Family::ALL.iter().enumerate() {
            assert_eq!(*family as usize, i);
            assert!(*least >= 4.0 && *gamma >= 0.0);
        }
    }

    #[test]
    fn a_short_sum_is_allowed_a_few_roundings_and_a_long_one_the_root_of_its_length() {
        assert_eq!(bound(Family::Convolution, 1, 1.0), 16.0);
        assert_eq!(bound(Family::Convolution, 10_000, 1.0), 300.0);
        assert_eq!(bound(Family::Arithmetic, 10_000, 1.0), 4.0);
    }
}

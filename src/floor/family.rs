//! family: the constants of the rounding bound, one row per operator family, calibrated by `parity selftest --calibrate`.
//!
//! B = γ·√K·u·S. The √K is the probabilistic bound of Higham and Mary (2019, "A new approach to probabilistic rounding error
//! analysis", SIAM J. Sci. Comput. 41) for a sum of K terms, whose λ is γ here; K = 1 where nothing is summed.

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
    /// Every family with its γ.
    pub const ALL: [(Family, f64); 8] = [
        (Family::Arithmetic, 4.0),
        (Family::Transcendental, 16.0),
        (Family::Convolution, 4.0),
        (Family::Matmul, 4.0),
        (Family::Reduction, 4.0),
        (Family::Normalisation, 16.0),
        (Family::Softmax, 4.0),
        (Family::Interpolation, 16.0),
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

    pub fn gamma(self) -> f64 {
        Self::ALL[self as usize].1
    }
}

/// Factor on S of the isolated bound: γ·√K·u.
pub fn bound(family: Family, terms: usize, unit: f64) -> f64 {
    family.gamma() * (terms.max(1) as f64).sqrt() * unit
}

/// Standard deviation, in units of S, of the noise that stands for one rounding of this node: u, times √K/8 for long sums.
pub fn noise(terms: usize, unit: f64) -> f64 {
    unit * ((terms.max(1) as f64).sqrt() / 8.0).max(1.0)
}

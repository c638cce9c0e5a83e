//! metrics: the plain values that a comparison produces, and how each is read.

use super::convention::Convention;
use super::json;
use super::layout::Exchanged;
use crate::tensor::DType;
use serde::{Deserialize, Serialize};

/// The outcome of comparing two tensors: their attributes differ, or else their values were compared.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// Another dtype or shape: no value was looked at.
    Attributes(Attributes),
    Values(Box<Metrics>),
}

/// What differs, as (reference, candidate); at least one is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attributes {
    pub dtype: Option<(DType, DType)>,
    pub shape: Option<(Vec<usize>, Vec<usize>)>,
    /// The order of axes in which the one is the other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchanged: Option<Exchanged>,
}

impl Attributes {
    /// What differs, the reference's first.
    pub fn say(&self) -> String {
        let dtype = self.dtype.map(|(r, c)| format!("dtype {r} against {c}"));
        let shape = self.shape.as_ref();
        let shape = shape.map(|(r, c)| format!("shape {r:?} against {c:?}"));
        let exchanged = self.exchanged.as_ref().map(Exchanged::say);
        let all: Vec<String> = dtype.into_iter().chain(shape).chain(exchanged).collect();
        all.join(", ")
    }
}

/// Every metric of one comparison. The difference is always candidate − reference, in f64.
///
/// Sums and means are over the `finite` pairs. Sums of squares leave the range of f64 for f64 values beyond about 1e±154:
/// then `rmse`, `rel_l2` and `cosine` are infinite, NaN or 0 while `max_abs`, `max_rel`, `mean_abs` and ULPs still hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metrics {
    /// The order of axes in which the one is the other, where they are far apart as they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchanged: Option<Exchanged>,
    /// What the candidate holds otherwise by convention, where that is none of what is judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub convention: Option<Convention>,
    pub numel: u64,
    /// Pairs of which both sides are finite.
    pub finite: u64,
    /// Elements that are not equal by the table of special values; conflicts included, signed zeros not.
    pub mismatches: u64,
    pub specials: Specials,
    /// The largest |difference|, first of equals.
    pub max_abs: Extreme,
    /// The largest |difference| / |reference|, first of equals; infinite where the reference is 0 and the candidate is not.
    pub max_rel: Extreme,
    #[serde(with = "json")]
    pub mean_abs: f64,
    /// Signed mean of the difference: a bias, where it is as large as `mean_abs`.
    #[serde(with = "json")]
    pub mean: f64,
    #[serde(with = "json")]
    pub rmse: f64,
    /// ‖difference‖ / ‖reference‖; 0 where both are 0, infinite where only the reference is.
    #[serde(with = "json")]
    pub rel_l2: f64,
    /// Cosine of the angle between the two; 1 where both norms are 0, 0 where one is. Blind to scale: never judge by it alone.
    #[serde(with = "json")]
    pub cosine: f64,
    /// Largest ULP distance (absolute difference of integers).
    pub ulp_max: u64,
    /// Upper edge (2^k − 1, at most `ulp_max`) of the bin that holds the 99th percentile of the ULP distances.
    pub ulp_p99: u64,
    pub channels: Option<Channels>,
}

/// One element that stands out. All zero where no element differs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Extreme {
    #[serde(with = "json")]
    pub value: f64,
    /// Flat, row-major: see `tensor::index::unravel`.
    pub index: usize,
    #[serde(with = "json")]
    pub reference: f64,
    #[serde(with = "json")]
    pub candidate: f64,
    /// The digits of both sides where an f64 would not print them: integers beyond 2^53.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exact: Option<(String, String)>,
}

/// What the table of special values met.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Specials {
    pub nan_reference: u64,
    pub nan_candidate: u64,
    pub inf_reference: u64,
    pub inf_candidate: u64,
    /// +0 against −0: equal, but told.
    pub signed_zero: u64,
    /// Pairs that no tolerance forgives: NaN or an infinity against anything else.
    pub conflicts: u64,
    /// Its `value` is NaN: there is no difference to state.
    pub first_conflict: Option<Extreme>,
}

/// The same error, per index along one axis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Channels {
    pub axis: usize,
    /// Largest |difference|.
    #[serde(with = "json::list")]
    pub max: Vec<f64>,
    /// Sum of squared differences.
    #[serde(with = "json::list")]
    pub sum_sq: Vec<f64>,
    /// Elements in each channel.
    pub count: u64,
}

impl Comparison {
    /// The metrics, unless the attributes differ.
    pub fn metrics(&self) -> Option<&Metrics> {
        match self {
            Comparison::Attributes(_) => None,
            Comparison::Values(metrics) => Some(metrics),
        }
    }

    /// The same, of a candidate that holds them otherwise by convention.
    pub fn by(mut self, convention: Option<Convention>) -> Self {
        if let Comparison::Values(metrics) = &mut self {
            metrics.convention = convention;
        }
        self
    }

    /// Same dtype, same shape, every element equal.
    pub fn identical(&self) -> bool {
        self.metrics().is_some_and(Metrics::identical)
    }
}

impl Metrics {
    /// Every element is equal by the table of special values: no mismatch and no conflict.
    pub fn identical(&self) -> bool {
        self.mismatches == 0 && self.specials.conflicts == 0
    }
}

impl Metrics {
    /// The differences per channel, or of the whole tensor as one channel where no axis was asked for.
    pub fn pools(&self) -> Channels {
        self.channels.clone().unwrap_or_else(|| Channels {
            axis: 0,
            max: vec![self.max_abs.value],
            sum_sq: vec![self.rmse * self.rmse * self.finite as f64],
            count: self.finite,
        })
    }
}

impl Extreme {
    /// The reference's element without loss.
    pub fn reference_text(&self) -> String {
        self.exact
            .as_ref()
            .map_or_else(|| self.reference.to_string(), |exact| exact.0.clone())
    }

    /// The candidate's element without loss.
    pub fn candidate_text(&self) -> String {
        self.exact
            .as_ref()
            .map_or_else(|| self.candidate.to_string(), |exact| exact.1.clone())
    }
}

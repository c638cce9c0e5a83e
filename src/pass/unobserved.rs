//! unobserved: what users deploy: the declared outputs of a run in which nothing else was observed, against the observed ones.

use crate::compare::{Tolerance, compare, judge as judge_stated};
use crate::floor::noise::{Floor, R, axis_for};
use crate::tensor::Tensor;
use crate::verdict::Unobserved;
use std::collections::HashMap;

/// Declared outputs of an un-observed run; None where observing changes nothing.
pub type Whole = Option<Vec<(String, Tensor)>>;

/// Judges every output of `whole` against `own`, the same subject's observed values.
pub fn judge(
    subject: &str,
    whole: Whole,
    own: &HashMap<String, Tensor>,
    floors: &HashMap<String, Floor>,
    stated: Option<&Tolerance>,
) -> Vec<Unobserved> {
    let one = |(name, tensor): (String, Tensor)| {
        let observed = own.get(&name)?;
        let comparison = compare(observed.view(), tensor.view(), axis_for(observed.shape()));
        let (ratio, abstained) = match (comparison.metrics(), stated, floors.get(&name)) {
            (Some(_), _, _) if comparison.identical() => (0.0, None),
            (_, Some(tolerance), _) => (judge_stated(observed.view(), tensor.view(), tolerance).ratio(), None),
            (Some(m), None, _) if m.specials.conflicts > 0 => (f64::INFINITY, None),
            (Some(m), None, Some(floor)) => (floor.ratio(&m.pools()) / R, None),
            (Some(_), None, None) if !observed.dtype().is_float() => {
                (0.0, Some("a decision differs, and ties cannot be told where nothing is observed".to_string()))
            }
            (Some(_), None, None) | (None, None, _) => (f64::INFINITY, None),
        };
        Some(Unobserved { subject: subject.to_string(), name, comparison, ratio, abstained })
    };
    whole.into_iter().flatten().filter_map(one).collect()
}

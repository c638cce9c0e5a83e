//! unobserved: what users deploy: the declared outputs of a run in which nothing else was observed, against the observed ones.

use super::accumulated::decided_by_ties;
use super::bench::Bench;
use super::bisect;
use super::layers::Layers;
use crate::compare::{Tolerance, compare, judge as judge_stated};
use crate::error::{Place, Result};
use crate::floor::noise::{Floor, axis_for};
use crate::subject::Session;
use crate::tensor::Tensor;
use crate::verdict::Unobserved;
use std::collections::HashMap;

/// Declared outputs of an un-observed run; None where observing changes nothing.
pub type Whole = Option<Vec<(String, Tensor)>>;

/// Those of both subjects.
#[derive(Default)]
pub struct Wholes {
    reference: Whole,
    candidate: Whole,
}

/// Runs both subjects un-observed.
pub fn run(bench: &mut Bench) -> Result<Wholes> {
    let inputs = bench.inputs;
    let whole = |s: &mut dyn Session| s.unobserved(&|n| inputs.get(n).cloned());
    let reference = whole(&mut *bench.reference).at("reference, un-observed")?;
    Ok(Wholes { reference, candidate: whole(&mut *bench.candidate).at("candidate, un-observed")? })
}

impl Wholes {
    /// Names of the outputs that are not what was observed, of either subject.
    pub fn differing<'a>(&'a self, layers: &'a Layers) -> impl Iterator<Item = &'a str> {
        let other = |n: &str, t: &Tensor| {
            [&layers.reference_outputs, &layers.candidate_outputs].iter().any(|o| o.get(n).is_some_and(|own| own.bytes() != t.bytes()))
        };
        let all = self.reference.iter().chain(&self.candidate).flatten();
        all.filter(move |(n, t)| other(n, t)).map(|(n, _)| n.as_str())
    }

    /// Judges both subjects, which are called by `names`.
    pub fn judge(
        &self,
        names: &(String, String),
        layers: &Layers,
        floors: &HashMap<String, Floor>,
        stated: Option<&Tolerance>,
    ) -> Vec<Unobserved> {
        let mut all = judge(&names.0, &self.reference, &layers.reference_outputs, layers, floors, stated);
        all.extend(judge(&names.1, &self.candidate, &layers.candidate_outputs, layers, floors, stated));
        all
    }
}

/// The first output of either subject that is off when it is not observed, with what in the optimised session makes it so.
pub fn explained(
    mut found: Vec<Unobserved>,
    bench: &mut Bench,
    layers: &Layers,
    floors: &HashMap<String, Floor>,
) -> Result<Vec<Unobserved>> {
    let Some(first) = found.iter_mut().find(|u| u.ratio > 1.0) else { return Ok(found) };
    let (inputs, stated, graph) = (bench.inputs, bench.stated, bench.graph);
    for (session, own) in [(&mut bench.reference, &layers.reference_outputs), (&mut bench.candidate, &layers.candidate_outputs)] {
        let off = |outputs: &bisect::Outputs| {
            let judged = judge("", &Some(outputs.clone()), own, layers, floors, stated.as_ref());
            judged.iter().any(|u| u.name == first.name && u.ratio > 1.0)
        };
        first.cause = bisect::run(&mut **session, graph, &|n| inputs.get(n).cloned(), &off)?;
        if first.cause.is_some() {
            break;
        }
    }
    Ok(found)
}

/// Judges every output of `whole` against `own`, the same subject's observed values.
fn judge(
    subject: &str,
    whole: &Whole,
    own: &HashMap<String, Tensor>,
    layers: &Layers,
    floors: &HashMap<String, Floor>,
    stated: Option<&Tolerance>,
) -> Vec<Unobserved> {
    // Where numbers leave the dtype, an optimiser may take them another way round.
    let overflow = layers.results.iter().find(|r| r.isolated.overflows()).map(|r| &r.node);
    let one = |(name, tensor): &(String, Tensor)| {
        // An output that nobody asked for has no floor to be held against.
        let result = layers.results.iter().find(|r| r.name == *name)?;
        let observed = own.get(name)?;
        let comparison = compare(observed.view(), tensor.view(), axis_for(observed.shape()));
        let (ratio, abstained) = match (comparison.metrics(), stated, floors.get(name)) {
            (Some(_), _, _) if comparison.identical() => (0.0, None),
            // The observed runs have shown that decisions tie on its way: an optimiser may take them otherwise, too.
            (_, None, _) if decided_by_ties(&result.accumulated) => (0.0, Some("behind decisions that tie on these inputs".to_string())),
            (_, None, floor) if floor.is_some_and(Floor::is_open) => (0.0, Some("it has no noise floor".to_string())),
            (_, Some(tolerance), _) => (judge_stated(observed.view(), tensor.view(), tolerance).ratio(), None),
            (Some(m), None, _) if m.specials.conflicts > 0 => (f64::INFINITY, None),
            (Some(m), None, Some(floor)) => (floor.judge(m), None),
            (Some(_), None, None) if !observed.dtype().is_float() => {
                (0.0, Some("a decision differs, and ties cannot be told where nothing is observed".to_string()))
            }
            (Some(_), None, None) | (None, None, _) => (f64::INFINITY, None),
        };
        let (ratio, abstained) = match overflow {
            Some(node) if ratio > 1.0 && stated.is_none() => {
                (0.0, Some(format!("numbers overflow at node '{node}': an optimiser may order them otherwise")))
            }
            _ => (ratio, abstained),
        };
        Some(Unobserved { subject: subject.to_string(), name: name.clone(), comparison, ratio, abstained, cause: None })
    };
    whole.iter().flatten().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::{Accumulated, Isolated, TensorResult, ToleranceBy};

    /// How an output that changes when nothing is observed is judged, by what the observed runs said of it.
    fn moved(accumulated: Accumulated, stated: Option<&Tolerance>) -> (f64, Option<String>) {
        let result = TensorResult {
            name: "y".into(),
            node: "n".into(),
            op: "Op".into(),
            step: 0,
            dtype: None,
            shape: vec![2],
            macs: 0,
            accumulated,
            isolated: Isolated::Abstained { reason: "not of interest".into() },
            repeat_noise: None,
            inside: None,
        };
        let layers = Layers { results: vec![result], ..Default::default() };
        let own = HashMap::from([("y".to_string(), Tensor::of(&[2], &[1f32, 2.0]))]);
        let whole = Some(vec![("y".to_string(), Tensor::of(&[2], &[1f32, 3.0]))]);
        let mut all = judge("onnxruntime", &whole, &own, &layers, &HashMap::new(), stated);
        let one = all.remove(0);
        (one.ratio, one.abstained)
    }

    fn compared() -> Accumulated {
        let t = Tensor::of(&[2], &[1f32, 2.0]);
        Accumulated::Compared { comparison: compare(t.view(), t.view(), None), ratio: 0.0, by: ToleranceBy::Exact }
    }

    #[test]
    fn an_output_that_ties_decide_abstains_and_any_other_that_moves_is_off() {
        let behind = || Accumulated::Abstained { reason: "behind the tie flip at 'topk'".into() };
        let tie = || Some("behind decisions that tie on these inputs".to_string());
        assert_eq!(moved(behind(), None), (0.0, tie()));
        assert_eq!(moved(Accumulated::TieFlip { flips: 1, of: 2, margin: 0.0 }, None), (0.0, tie()));
        assert_eq!(moved(compared(), None), (f64::INFINITY, None));
        assert_eq!(moved(Accumulated::Abstained { reason: "random operator".into() }, None), (f64::INFINITY, None));
    }

    #[test]
    fn a_tolerance_of_the_users_own_judges_behind_ties_as_well() {
        let (ratio, abstained) =
            moved(Accumulated::TieFlip { flips: 1, of: 2, margin: 0.0 }, Some(&Tolerance::Flat { atol: 0.5, rtol: 0.0 }));
        assert_eq!((ratio > 1.0, abstained), (true, None));
    }
}

//! unobserved: what users deploy: the declared outputs of a run in which nothing else was observed, against the observed ones.

use super::bench::Bench;
use super::bisect;
use super::layers::Layers;
use crate::compare::{Tolerance, compare, judge as judge_stated};
use crate::error::{Place, Result};
use crate::floor::noise::{Floor, axis_for};
use crate::graph::Graph;
use crate::graph::random::is_random;
use crate::judge::{Limit, against};
use crate::subject::Session;
use crate::tensor::Tensor;
use crate::verdict::{Accumulated, Isolated, Judgement, TensorResult, Unobserved, Why};
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
        graph: &Graph,
        floors: &HashMap<String, Floor>,
        stated: Option<&Tolerance>,
    ) -> Vec<Unobserved> {
        let mut all = judge(&names.0, &self.reference, &layers.reference_outputs, layers, graph, floors, stated);
        all.extend(judge(&names.1, &self.candidate, &layers.candidate_outputs, layers, graph, floors, stated));
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
    let Some(first) = found.iter_mut().find(|u| u.judgement.over()) else { return Ok(found) };
    let (inputs, stated, graph) = (bench.inputs, bench.stated, bench.graph);
    for (session, own) in [(&mut bench.reference, &layers.reference_outputs), (&mut bench.candidate, &layers.candidate_outputs)] {
        let off = |outputs: &bisect::Outputs| {
            let judged = judge("", &Some(outputs.clone()), own, layers, graph, floors, stated.as_ref());
            judged.iter().any(|u| u.name == first.name && u.judgement.over())
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
    graph: &Graph,
    floors: &HashMap<String, Floor>,
    stated: Option<&Tolerance>,
) -> Vec<Unobserved> {
    let one = |(name, tensor): &(String, Tensor)| {
        // An output that nobody asked for has no floor to be held against.
        layers.results.iter().find(|r| r.name == *name)?;
        let observed = own.get(name)?;
        let comparison = compare(observed.view(), tensor.view(), axis_for(observed.shape()));
        let limit = match floors.get(name) {
            _ if !observed.dtype().is_float() => Limit::Exact { proved: None },
            Some(floor) => Limit::Spread(floor),
            None => Limit::Unknown("no noise floor"),
        };
        let judgement = match (stated, in_front(layers, graph, name)) {
            (Some(tolerance), _) => Judgement::of_ratio(judge_stated(observed.view(), tensor.view(), tolerance).ratio()),
            (None, Some(why)) => match against(&comparison, limit) {
                over @ Judgement::Over(_) if comparison.metrics().is_none() => over,
                Judgement::Over(_) | Judgement::NotJudged(_) => Judgement::NotJudged(why),
                within @ (Judgement::Within(_) | Judgement::Tie(_)) => within,
            },
            (None, None) => against(&comparison, limit),
        };
        Some(Unobserved { subject: subject.to_string(), name: name.clone(), comparison, judgement, cause: None })
    };
    whole.iter().flatten().filter_map(one).collect()
}

/// What the observed runs have shown in front of an output that lets an optimiser take it another way round: a decision that ties, or numbers
/// that the dtype does not hold; or a draw, which is another one in every session.
fn in_front(layers: &Layers, graph: &Graph, output: &str) -> Option<Why> {
    let steps = graph.ancestors(&[output.to_string()]).unwrap_or_default();
    let mut before = layers.results.iter().filter(|r| steps.contains(&r.step));
    let flips = |r: &&TensorResult| matches!(r.accumulated, Accumulated::TieFlip { .. }) || matches!(r.isolated, Isolated::TieFlip { .. });
    let flip = before.clone().find(flips).map(|r| Why::BehindFlip { node: r.node.clone() });
    let draw = || graph.steps.iter().enumerate().find(|(i, s)| steps.contains(i) && is_random(graph, s));
    flip.or_else(|| before.find(|r| r.isolated.overflows()).map(|r| Why::BehindOverflow { node: r.node.clone() }))
        .or_else(|| draw().map(|(_, s)| Why::BehindDraw { node: s.name.clone() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{Node, Port, Step};
    use crate::verdict::ToleranceBy;

    /// y = n(x), z = m(y): a result of node 'n' and what an output that changes when nothing is observed comes to.
    fn moved(before: Accumulated, floor: Option<f64>, stated: Option<&Tolerance>, output: Tensor) -> Judgement {
        let node = |name: &str, from: &str, to: &str| {
            Step::of(Node {
                name: name.into(),
                op: "Op".into(),
                domain: String::new(),
                inputs: vec![from.into()],
                outputs: vec![to.into()],
                attributes: Default::default(),
            })
        };
        let graph = Graph {
            digest: String::new(),
            name: String::new(),
            producer: String::new(),
            ir_version: 8,
            opsets: Default::default(),
            inputs: vec![],
            outputs: vec![Port { name: "z".into(), dtype: None, shape: None }],
            weights: Default::default(),
            steps: vec![node("n", "x", "y"), node("m", "y", "z"), node("elsewhere", "x", "w")],
            functions: vec![],
            drawn: Default::default(),
            metadata: Default::default(),
            bodies: Default::default(),
        };
        let results =
            [("y", "n", 0, before), ("z", "m", 1, compared()), ("w", "elsewhere", 2, tie())].map(|(name, node, step, accumulated)| {
                TensorResult {
                    name: name.into(),
                    node: node.into(),
                    op: "Op".into(),
                    step,
                    dtype: None,
                    shape: vec![2],
                    macs: 0,
                    accumulated,
                    isolated: Isolated::NotJudged { why: Why::NotTested("not of interest".into()) },
                    repeat_noise: None,
                    inside: None,
                }
            });
        let layers = Layers { results: results.into(), ..Default::default() };
        let own = HashMap::from([("z".to_string(), Tensor::from_f64(output.dtype(), &[2], &[1.0, 2.0]).unwrap())]);
        let floors = floor.map(|f| ("z".to_string(), Floor { axis: None, max: vec![f], rms: vec![f], runs: 4 })).into_iter().collect();
        let whole = Some(vec![("z".to_string(), output)]);
        judge("onnxruntime", &whole, &own, &layers, &graph, &floors, stated).remove(0).judgement
    }

    fn compared() -> Accumulated {
        let t = Tensor::of(&[2], &[1f32, 2.0]);
        Accumulated::Compared { comparison: compare(t.view(), t.view(), None), ratio: 0.0, by: ToleranceBy::Exact }
    }

    fn tie() -> Accumulated {
        Accumulated::TieFlip { flips: 1, of: 2, margin: 0.0 }
    }

    fn floats() -> Tensor {
        Tensor::of(&[2], &[1f32, 3.0])
    }

    #[test]
    fn an_output_behind_a_tie_abstains_and_any_other_that_moves_is_judged() {
        let behind = || Judgement::NotJudged(Why::BehindFlip { node: "n".into() });
        assert_eq!(moved(tie(), Some(1e-6), None, floats()), behind());
        assert_eq!(moved(tie(), None, None, floats()), behind());
        assert!(matches!(moved(tie(), Some(1.0), None, floats()), Judgement::Within(_)), "what its floor holds is judged all the same");
        assert!(moved(compared(), Some(1e-6), None, floats()).over(), "a tie elsewhere excuses nothing");
        assert_eq!(moved(compared(), None, None, floats()), Judgement::NotJudged(Why::NoFloor("no noise floor".into())));
        assert_eq!(moved(compared(), Some(f64::INFINITY), None, floats()), Judgement::NotJudged(Why::OpenFloor));
    }

    #[test]
    fn an_integer_output_that_moves_without_a_tie_in_front_is_off() {
        for output in [Tensor::of(&[2], &[1i64, 3]), Tensor::of(&[2], &[1u8, 3]), Tensor::of(&[2], &[1i32, 3])] {
            assert!(moved(compared(), None, None, output.clone()).over(), "{output:?}");
            assert!(!moved(tie(), None, None, output).over());
        }
    }

    #[test]
    fn a_tolerance_of_the_users_own_judges_behind_ties_as_well() {
        assert!(moved(tie(), None, Some(&Tolerance::Flat { atol: 0.5, rtol: 0.0 }), floats()).over());
    }
}

//! unobserved: what users deploy: the declared outputs of a run in which nothing else was observed, against the observed ones.

use super::bench::Bench;
use super::bisect::{self, Outputs};
use super::decided::{Asked, Decided, limit};
use super::layers::Layers;
use crate::compare::{Tolerance, compare, judge as judge_stated};
use crate::error::Result;
use crate::floor::noise::{Floor, axis_for};
use crate::graph::Graph;
use crate::graph::random::is_random;
use crate::judge::against;
use crate::subject::{Judge, Session};
use crate::tensor::Tensor;
use crate::verdict::{Accumulated, Cause, Isolated, Judgement, TensorResult, Unobserved, Why};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

/// What a subject's un-observed run came to.
#[derive(Default)]
enum Whole {
    /// Observing changes nothing.
    #[default]
    Same,
    Gave(Vec<Given>),
    /// Why the deployed session refuses what the observed one has run.
    Refused(String),
}

/// A declared output, and what decides it where it is not what was observed.
struct Given {
    name: String,
    tensor: Tensor,
    decided: Option<Decided>,
}

/// Those of the reference and the candidate.
#[derive(Default)]
pub struct Wholes([Whole; 2]);

/// What un-observed outputs are held against.
pub struct Against<'a> {
    pub layers: &'a Layers,
    pub graph: &'a Graph,
    pub floors: &'a HashMap<String, Floor>,
    pub stated: Option<&'a Tolerance>,
}

/// Runs both subjects un-observed; they have run observed.
pub fn run(bench: &mut Bench, layers: &Layers) -> Result<Wholes> {
    let inputs = bench.inputs;
    let whole = |s: &mut dyn Session| s.unobserved(&|n| inputs.get(n).cloned());
    let runs = [whole(&mut *bench.reference), whole(&mut *bench.candidate)];
    let mut deciders = Deciders { graph: bench.graph, judge: bench.judge.as_deref_mut(), lacking: &bench.lacking.steps };
    let mut wholes = Wholes::default();
    for (side, run) in runs.into_iter().enumerate() {
        wholes.0[side] = match run {
            Ok(None) => Whole::Same,
            Ok(Some(outputs)) => Whole::Gave(outputs.into_iter().map(|o| deciders.given(layers, side, o)).collect::<Result<_>>()?),
            Err(refused) => Whole::Refused(refused.message),
        };
    }
    Ok(wholes)
}

/// Who tells what decides an output.
struct Deciders<'a> {
    graph: &'a Graph,
    judge: Option<&'a mut (dyn Judge + 'static)>,
    lacking: &'a HashSet<usize>,
}

impl Deciders<'_> {
    fn given(&mut self, layers: &Layers, side: usize, (name, tensor): (String, Tensor)) -> Result<Given> {
        let moved = layers.outputs(side).get(&name).filter(|own| own.shape() == tensor.shape() && own.bytes() != tensor.bytes());
        let decided = match (moved, self.judge.as_deref_mut()) {
            (Some(observed), Some(judge)) => {
                let (graph, took, lacking) = (self.graph, &layers.decisive[side], self.lacking);
                Asked { graph, name: &name, observed, deployed: &tensor, took, lacking }.decided(judge)?
            }
            (_, _) => None,
        };
        Ok(Given { name, tensor, decided })
    }
}

impl Wholes {
    /// Tensors whose floor is needed, with their size: the outputs that are not what was observed, and what lies in front of those that are decided.
    pub fn wanted(&self, layers: &Layers) -> HashMap<String, usize> {
        let mut wanted = HashMap::new();
        for (side, whole) in self.0.iter().enumerate() {
            let Whole::Gave(outputs) = whole else { continue };
            let moved = |g: &&Given| layers.outputs(side).get(&g.name).is_some_and(|own| own.bytes() != g.tensor.bytes());
            for given in outputs.iter().filter(moved) {
                wanted.extend(given.tensor.dtype().is_float().then(|| (given.name.clone(), given.tensor.numel())));
                let size = |n: &String| Some((n.clone(), layers.decisive[side].get(n)?.numel()));
                wanted.extend(given.parents().iter().filter_map(size));
            }
        }
        wanted
    }

    /// Judges both subjects, which are called by `names`.
    pub fn judge(&self, names: [&str; 2], on: &Against) -> Vec<Unobserved> {
        (0..2).flat_map(|side| on.judged(names[side], side, &self.0[side])).collect()
    }

    /// The same; of the first output that is off, or the first subject that is refused, with what in the optimised session makes it so.
    pub fn explained(&self, names: [&str; 2], bench: &mut Bench, on: &Against) -> Result<Vec<Unobserved>> {
        let mut found: Vec<(usize, Unobserved)> =
            (0..2).flat_map(|side| on.judged(names[side], side, &self.0[side]).into_iter().map(move |u| (side, u))).collect();
        if let Some((side, first)) = found.iter_mut().find(|(_, u)| u.judgement.over()) {
            first.cause = on.cause(bench, *side, first)?;
        }
        Ok(found.into_iter().map(|(_, u)| u).collect())
    }
}

impl Given {
    fn parents(&self) -> &[String] {
        match &self.decided {
            Some(Decided::By { parents, .. }) => parents,
            Some(Decided::Unseen { .. }) | None => &[],
        }
    }
}

impl Against<'_> {
    fn judged(&self, subject: &str, side: usize, whole: &Whole) -> Vec<Unobserved> {
        // An output that nobody asked for has no floor to be held against.
        let asked = |name: &str| self.layers.results.iter().any(|r| r.name == name);
        match whole {
            Whole::Same => vec![],
            Whole::Gave(outputs) => outputs.iter().filter(|g| asked(&g.name)).filter_map(|g| self.output(subject, side, g)).collect(),
            Whole::Refused(says) => {
                let first = self.graph.outputs.iter().find(|p| asked(&p.name));
                first.map(|p| refused(subject, &p.name, says)).into_iter().collect()
            }
        }
    }

    /// One output against `own`, the same subject's observed value.
    fn output(&self, subject: &str, side: usize, given: &Given) -> Option<Unobserved> {
        let observed = self.layers.outputs(side).get(&given.name)?;
        let comparison = compare(observed.view(), given.tensor.view(), axis_for(observed.shape()));
        let judgement = match (self.stated, &given.decided) {
            (Some(tolerance), _) => Judgement::of_ratio(judge_stated(observed.view(), given.tensor.view(), tolerance).ratio()),
            (None, Some(decided)) => decided.judged(&comparison, self.floors),
            (None, None) => against(&comparison, limit(observed.dtype().is_float(), self.floors.get(&given.name))),
        };
        let excusable = self.stated.is_none() && comparison.metrics().is_some();
        let judgement = match judgement {
            Judgement::Over(_) | Judgement::NotJudged(_) if excusable => self.in_front(given).map_or(judgement, Judgement::NotJudged),
            judged @ (Judgement::Over(_) | Judgement::NotJudged(_) | Judgement::Within(_) | Judgement::Tie(_)) => judged,
        };
        let (subject, name) = (subject.to_string(), given.name.clone());
        Some(Unobserved { subject, name, comparison: Some(comparison), judgement, refused: None, cause: None })
    }

    /// What the observed runs have shown in front of an output that lets an optimiser take it another way round: a decision that ties, numbers
    /// that the dtype does not hold, a draw, which is another one in every session. The decision that gives the output excuses nothing: it is judged on its own.
    fn in_front(&self, given: &Given) -> Option<Why> {
        let from = match &given.decided {
            Some(Decided::By { step, .. }) => self.graph.steps[*step].inputs.clone(),
            Some(Decided::Unseen { .. }) | None => vec![given.name.clone()],
        };
        let producers = self.graph.producers();
        let from: Vec<String> = from.into_iter().filter(|n| producers.contains_key(n.as_str())).collect();
        let steps = self.graph.ancestors(&from).unwrap_or_default();
        let mut before = self.layers.results.iter().filter(|r| steps.contains(&r.step));
        let flips =
            |r: &&TensorResult| matches!(r.accumulated, Accumulated::TieFlip { .. }) || matches!(r.isolated, Isolated::TieFlip { .. });
        let node = |r: &TensorResult| r.node.clone();
        let flip = before.clone().find(flips).map(|r| Why::BehindFlip { node: node(r) });
        let draw = || self.graph.steps.iter().enumerate().find(|(i, s)| steps.contains(i) && is_random(self.graph, s));
        flip.or_else(|| before.find(|r| r.isolated.overflows()).map(|r| Why::BehindOverflow { node: node(r) }))
            .or_else(|| draw().map(|(_, s)| Why::BehindDraw { node: s.name.clone() }))
    }

    /// What in the optimised session of a side makes `first` what it is.
    fn cause(&self, bench: &mut Bench, side: usize, first: &Unobserved) -> Result<Option<Cause>> {
        let (inputs, graph, refused) = (bench.inputs, bench.graph, first.refused.is_some());
        let deciders = RefCell::new(Deciders { graph, judge: bench.judge.as_deref_mut(), lacking: &bench.lacking.steps });
        let off = |outputs: &Result<Outputs>| match outputs {
            Err(_) => refused,
            Ok(_) if refused => false,
            Ok(outputs) => outputs.iter().filter(|o| o.0 == first.name).any(|output| {
                // What cannot be told is not well.
                let given = deciders.borrow_mut().given(self.layers, side, output.clone());
                given.map_or(true, |given| self.output("", side, &given).is_some_and(|u| u.judgement.over()))
            }),
        };
        let session = if side == 0 { &mut bench.reference } else { &mut bench.candidate };
        bisect::run(&mut **session, graph, &|n| inputs.get(n).cloned(), &off)
    }
}

fn refused(subject: &str, name: &str, says: &str) -> Unobserved {
    Unobserved {
        subject: subject.to_string(),
        name: name.to_string(),
        comparison: None,
        judgement: Judgement::Over(f64::INFINITY),
        refused: Some(says.to_string()),
        cause: None,
    }
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
            file: None,
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
        let own = HashMap::from([("z".to_string(), Tensor::from_f64(output.dtype(), &[2], &[1.0, 2.0]).unwrap())]);
        let layers = Layers { results: results.into(), reference_outputs: own, ..Default::default() };
        let floors: HashMap<String, Floor> =
            floor.map(|f| ("z".to_string(), Floor { axis: None, max: vec![f], rms: vec![f], runs: 4 })).into_iter().collect();
        let given = Given { name: "z".into(), tensor: output, decided: None };
        let wholes = Wholes([Whole::Gave(vec![given]), Whole::Same]);
        wholes.judge(["onnxruntime", "libtorch"], &Against { layers: &layers, graph: &graph, floors: &floors, stated }).remove(0).judgement
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

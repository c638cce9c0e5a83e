//! evaluate: what a changed graph gives in f64 on the values at hand, and how far a correct engine may be from that.

use super::residual::{Half, Residual, Said, residual};
use super::{Evidence, Opens};
use crate::error::{Result, unless_refused};
use crate::floor::Rounding;
use crate::floor::bound::Bound;
use crate::graph::Graph;
use crate::subject::Judge;
use crate::tensor::Tensor;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How far around a step its graph is kept: what stands there may be taken by a fault.
const AROUND: usize = 3;

/// What a graph gives at the end of the stretch.
pub struct Given {
    pub said: Vec<Said>,
    shapes: Vec<Vec<usize>>,
    floats: Vec<bool>,
}

/// The stretch that is at fault, apart from its graph.
pub struct Bench<'a> {
    pub evidence: &'a Evidence<'a>,
    open: Opens<'a>,
    /// The steps of the stretch and those around it, with all weights.
    pub near: Graph,
    /// Where the steps of the stretch stand there.
    pub steps: Vec<usize>,
    pub observed: Vec<Vec<f64>>,
}

impl<'a> Bench<'a> {
    pub fn of(evidence: &'a Evidence, open: Opens<'a>) -> Self {
        let (near, steps) = around(evidence.graph, evidence.steps);
        let observed = evidence.observed.iter().map(|(_, t)| t.to_f64()).collect();
        Self {
            evidence,
            open,
            near,
            steps,
            observed,
        }
    }

    /// How many elements are to be explained.
    pub fn elements(&self) -> usize {
        self.observed.iter().map(Vec::len).sum()
    }

    /// What `graph`, which is `near` with a change, gives; None where f64 refuses it, or gives other tensors than were observed. Without `bounded`
    /// the limits are left open.
    ///
    /// # Errors
    /// Memory that runs out.
    pub fn given(&self, graph: &Graph, bounded: bool) -> Result<Option<Given>> {
        let small = Arc::new(apart(graph, &self.steps));
        let Some(mut judge) = unless_refused((self.open)(small.clone()))? else {
            return Ok(None);
        };
        let mut values: HashMap<String, Tensor> = HashMap::new();
        let last = small.steps.len() - 1;
        for step in 0..=last {
            let feed = |n: &str| self.evidence.feed.get(n).or_else(|| values.get(n)).cloned();
            let Some(made) = unless_refused(judge.eval(step, &feed))? else {
                return Ok(None);
            };
            if step == last {
                return self.ended(&mut *judge, &made, (&values, bounded));
            }
            values.extend(small.steps[step].outputs.iter().cloned().zip(made));
        }
        Ok(None)
    }

    fn ended(
        &self,
        judge: &mut dyn Judge,
        made: &[Tensor],
        (values, bounded): (&HashMap<String, Tensor>, bool),
    ) -> Result<Option<Given>> {
        let last = judge.graph().steps.len() - 1;
        let (names, nodes) = {
            let step = &judge.graph().steps[last];
            (step.outputs.clone(), step.nodes.len())
        };
        let feed = |n: &str| self.evidence.feed.get(n).or_else(|| values.get(n)).cloned();
        let rounding = match (&self.evidence.allowed, bounded) {
            (None, true) => unless_refused(judge.rounding(last, &feed, made))?,
            (Some(_), _) | (None, false) => Some(made.iter().map(|_| Rounding::Exact).collect()),
        };
        let Some(rounding) = rounding else {
            return Ok(None);
        };
        let mut given = Given {
            said: vec![],
            shapes: vec![],
            floats: vec![],
        };
        for (k, (name, observed)) in self.evidence.observed.iter().enumerate() {
            let Some(at) = names
                .iter()
                .position(|n| n == name)
                .filter(|at| *at < made.len())
            else {
                return Ok(None);
            };
            let Some(limit) = self.limit(k, (&made[at], &rounding[at]), nodes, observed) else {
                return Ok(None);
            };
            given.said.push(Said::exactly(made[at].to_f64(), limit));
            given.shapes.push(made[at].shape().to_vec());
            given.floats.push(made[at].dtype().is_float());
        }
        Ok(Some(given))
    }

    /// How far output `k` may be off: as was measured, else by the rounding of its node and once more of each that a fault has put behind it.
    fn limit(
        &self,
        k: usize,
        (made, rounding): (&Tensor, &Rounding),
        nodes: usize,
        observed: &Tensor,
    ) -> Option<Vec<f64>> {
        if let Some(allowed) = self.evidence.allowed {
            return Some(allowed[k].clone());
        }
        let unit = observed.dtype().unit_roundoff();
        // What is summed on the way may be as large as what the nodes are fed.
        let fed = match nodes > 1 && made.dtype().is_float() {
            true => self.fed(made.shape()),
            false => vec![],
        };
        let behind = |(i, y): (usize, &f64)| match made.dtype().is_float() {
            true => {
                let largest = fed.get(i).map_or(y.abs(), |x| x.max(y.abs()));
                4.0 * unit * largest * (nodes - 1) as f64
            }
            false => 0.0,
        };
        let values = made.to_f64();
        let behind: Vec<f64> = values.iter().enumerate().map(behind).collect();
        match rounding {
            Rounding::Random => None,
            Rounding::Exact | Rounding::Decision(_) | Rounding::Selection(_) => Some(behind),
            Rounding::Within {
                family,
                scale,
                terms,
            } => {
                let bound = Bound::of(*family, *terms, scale, observed.dtype())?;
                let own = |(s, more): (&f64, f64)| bound.factor * s + bound.tiny + more;
                Some(bound.scale.iter().zip(behind).map(own).collect())
            }
        }
    }

    /// The largest of what the stretch is fed at each place of a tensor of this shape.
    fn fed(&self, shape: &[usize]) -> Vec<f64> {
        let alike = |t: &&Tensor| t.shape() == shape && t.dtype().is_float();
        let mut largest = vec![];
        let taken = self.steps.iter().flat_map(|i| &self.near.steps[*i].inputs);
        let fed = taken.filter_map(|n| self.evidence.feed.get(n));
        for t in fed.filter(alike) {
            let sizes = t.to_f64().into_iter().map(f64::abs);
            largest = match largest.is_empty() {
                true => sizes.collect(),
                false => sizes
                    .zip(&largest)
                    .map(|(a, b): (f64, &f64)| a.max(*b))
                    .collect(),
            };
        }
        largest
    }

    /// What is left of what was observed.
    pub fn residual(&self, given: &Given, half: Half) -> Residual {
        let each = self
            .evidence
            .observed
            .iter()
            .enumerate()
            .map(|(k, (_, t))| {
                let said = &given.said[k];
                let alike = given.shapes[k] == t.shape() && given.floats[k] == t.dtype().is_float();
                match alike && said.limit.len() == t.numel() {
                    true => residual(&self.observed[k], said, t.dtype(), half),
                    false => Residual::unlike(t.numel()),
                }
            });
        each.fold(Residual::default(), Residual::with)
    }
}

impl Given {
    /// That of output `k`.
    pub fn shape(&self, k: usize) -> &[usize] {
        &self.shapes[k]
    }

    /// Whether it is anything else than `other`.
    pub fn differs(&self, other: &Self) -> bool {
        let values = |g: &Self| g.said.iter().map(|s| s.low.clone()).collect::<Vec<_>>();
        self.shapes != other.shapes || values(self) != values(other)
    }

    /// Whether it has the shapes of what was observed.
    pub fn fits(&self, observed: &[(String, Tensor)]) -> bool {
        let shapes = observed.iter().map(|(_, t)| t.shape());
        self.shapes.iter().map(Vec::as_slice).eq(shapes)
    }
}

/// The steps, those that give what they take, and every constant, in the order of the graph; where the steps stand among them.
fn around(graph: &Graph, steps: &[usize]) -> (Graph, Vec<usize>) {
    let made = graph.producers();
    let mut kept: HashSet<usize> = steps.iter().copied().collect();
    for _ in 0..AROUND {
        let inputs = kept.iter().flat_map(|i| &graph.steps[*i].inputs);
        let before: Vec<usize> = inputs
            .filter_map(|n| made.get(n.as_str()).copied())
            .collect();
        kept.extend(before);
    }
    let constant = |i: &usize| graph.steps[*i].op() == "Constant";
    kept.extend((0..graph.steps.len()).filter(constant));
    let mut kept = Vec::from_iter(kept);
    kept.sort_unstable();
    let places = steps.iter().filter_map(|s| kept.binary_search(s).ok());
    let places = places.collect();
    let near = Graph {
        steps: kept.iter().map(|i| graph.steps[*i].clone()).collect(),
        file: None,
        ..graph.clone()
    };
    (near, places)
}

/// These steps alone, with the weights that they take.
fn apart(graph: &Graph, steps: &[usize]) -> Graph {
    let steps: Vec<_> = steps.iter().map(|i| graph.steps[*i].clone()).collect();
    let taken: HashSet<&String> = steps.iter().flat_map(|s| &s.inputs).collect();
    let weights = graph.weights.iter().filter(|(n, _)| taken.contains(n));
    let weights = weights.map(|(n, t)| (n.clone(), t.clone())).collect();
    Graph {
        steps,
        weights,
        opsets: graph.opsets.clone(),
        functions: graph.functions.clone(),
        ir_version: graph.ir_version,
        ..Graph::default()
    }
}

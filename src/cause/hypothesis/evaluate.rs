//! evaluate: what a changed graph gives in f64 on the values at hand, and how far a correct engine may be from that.

use super::part::{Cut, Part};
use super::residual::{Half, Residual, Said, element, residual};
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
#[derive(Clone)]
pub struct Given {
    pub said: Vec<Said>,
    shapes: Vec<Vec<usize>>,
    floats: Vec<bool>,
}

/// The stretch that is at fault, apart from its graph; the whole of it or a part.
pub struct Bench<'a> {
    pub evidence: &'a Evidence<'a>,
    open: Opens<'a>,
    /// The steps of the stretch and those around it, with all weights.
    pub near: Graph,
    /// Where the steps of the stretch stand there.
    pub steps: Vec<usize>,
    /// What was observed of it.
    pub tensors: Vec<(String, Tensor)>,
    pub observed: Vec<Vec<f64>>,
    allowed: Option<Vec<Vec<f64>>>,
    part: Option<Part>,
}

/// A stretch that was run: what is asked of it afterwards costs no second run.
pub struct Ran {
    judge: Box<dyn Judge>,
    feed: HashMap<String, Tensor>,
    made: Vec<Tensor>,
    pub given: Given,
    /// Which of what was made each given tensor is.
    at: Vec<usize>,
}

impl<'a> Bench<'a> {
    pub fn of(evidence: &'a Evidence<'a>, open: Opens<'a>) -> Self {
        let (near, steps) = around(evidence.graph, evidence.steps);
        Self {
            evidence,
            open,
            near,
            steps,
            tensors: evidence.observed.to_vec(),
            observed: evidence.observed.iter().map(|(_, t)| t.to_f64()).collect(),
            allowed: evidence.allowed.map(<[_]>::to_vec),
            part: None,
        }
    }

    /// The same for a part of what was observed, where there is one that its nodes can be cut to.
    pub fn part(&self, clean: &Given) -> Option<Self> {
        let ([(name, tensor)], [said]) = (&self.tensors[..], &clean.said[..]) else {
            return None;
        };
        let off = |i: usize| {
            let said = (said.low[i], said.high[i], said.limit[i]);
            element(
                self.observed[0][i],
                (said.0, said.1),
                said.2,
                tensor.dtype(),
            )
        };
        if !clean.fits(&self.tensors) {
            return None;
        }
        let small = apart(&self.near, &self.steps);
        let mut parts = Part::all(tensor.shape(), off);
        let part = parts.find(|p| p.of(&small, self.evidence.feed, name).is_some())?;
        let of_it = part.elements(tensor)?;
        let allowed = match &self.allowed {
            Some(allowed) => Some(vec![part.beside(tensor.shape(), &allowed[0])?]),
            None => None,
        };
        Some(Self {
            evidence: self.evidence,
            open: self.open,
            near: self.near.clone(),
            steps: self.steps.clone(),
            observed: vec![of_it.to_f64()],
            tensors: vec![(name.clone(), of_it)],
            allowed,
            part: Some(part),
        })
    }

    /// How many elements are to be explained.
    pub fn elements(&self) -> usize {
        self.observed.iter().map(Vec::len).sum()
    }

    /// Whether the stretch of `graph` gives the part of this bench without the rest.
    pub fn cuts(&self, graph: &Graph) -> bool {
        self.cut(&apart(graph, &self.steps)).is_some()
    }

    fn cut(&self, small: &Graph) -> Option<Cut> {
        let part = self.part.as_ref()?;
        part.of(small, self.evidence.feed, &self.tensors[0].0)
    }

    /// Runs the stretch of `graph`, which is `near` with a change; None where f64 refuses it, or gives other tensors than were observed.
    ///
    /// # Errors
    /// Memory that runs out.
    pub fn ran(&self, graph: &Graph) -> Result<Option<Ran>> {
        let small = apart(graph, &self.steps);
        let (small, mut feed) = match (&self.part, self.cut(&small)) {
            (None, _) => (small, self.evidence.feed.clone()),
            (Some(_), Some(cut)) => (cut.graph, cut.feed),
            (Some(_), None) => return Ok(None),
        };
        let small = Arc::new(small);
        let Some(mut judge) = unless_refused((self.open)(small.clone()))? else {
            return Ok(None);
        };
        for (step, of) in small.steps.iter().enumerate() {
            let Some(made) = unless_refused(judge.eval(step, &|n| feed.get(n).cloned()))? else {
                return Ok(None);
            };
            if step + 1 == small.steps.len() {
                return Ok(self.ended(judge, feed, made));
            }
            for (name, tensor) in of.outputs.iter().zip(made) {
                feed.entry(name.clone()).or_insert(tensor);
            }
        }
        Ok(None)
    }

    fn ended(
        &self,
        judge: Box<dyn Judge>,
        feed: HashMap<String, Tensor>,
        made: Vec<Tensor>,
    ) -> Option<Ran> {
        let names = &judge.graph().steps.last()?.outputs;
        let place = |(name, _): &(String, Tensor)| names.iter().position(|n| n == name);
        let at: Vec<usize> = self.tensors.iter().map(place).collect::<Option<_>>()?;
        let all: Vec<&Tensor> = at.iter().map(|k| made.get(*k)).collect::<Option<_>>()?;
        let open = |t: &&Tensor| Said::exactly(t.to_f64(), vec![]);
        let given = Given {
            said: all.iter().map(open).collect(),
            shapes: all.iter().map(|t| t.shape().to_vec()).collect(),
            floats: all.iter().map(|t| t.dtype().is_float()).collect(),
        };
        Some(Ran {
            judge,
            feed,
            made,
            given,
            at,
        })
    }

    /// Says of what was run how far a correct engine may be from it; false where f64 has no bound for it.
    ///
    /// # Errors
    /// Memory that runs out.
    pub fn bound(&self, ran: &mut Ran) -> Result<bool> {
        let feed = |n: &str| ran.feed.get(n).cloned();
        let last = ran.judge.graph().steps.len() - 1;
        let nodes = ran.judge.graph().steps[last].nodes.len();
        let rounding = match &self.allowed {
            Some(_) => Some(ran.made.iter().map(|_| Rounding::Exact).collect()),
            None => unless_refused(ran.judge.rounding(last, &feed, &ran.made))?,
        };
        let Some(rounding) = rounding else {
            return Ok(false);
        };
        for (k, at) in ran.at.iter().enumerate() {
            let made = (&ran.made[*at], &rounding[*at]);
            let Some(limit) = self.limit(k, made, nodes, &ran.feed) else {
                return Ok(false);
            };
            ran.given.said[k].limit = limit;
        }
        Ok(true)
    }

    /// What `graph` gives, and how far a correct engine may be from it.
    ///
    /// # Errors
    /// Memory that runs out.
    pub fn given(&self, graph: &Graph) -> Result<Option<Given>> {
        let Some(mut ran) = self.ran(graph)? else {
            return Ok(None);
        };
        Ok(self.bound(&mut ran)?.then_some(ran.given))
    }

    /// How far output `k` may be off: as was measured, else by the rounding of its node and once more of each that a fault has put behind it.
    fn limit(
        &self,
        k: usize,
        (made, rounding): (&Tensor, &Rounding),
        nodes: usize,
        feed: &HashMap<String, Tensor>,
    ) -> Option<Vec<f64>> {
        if let Some(allowed) = &self.allowed {
            return Some(allowed[k].clone());
        }
        let observed = &self.tensors[k].1;
        let unit = observed.dtype().unit_roundoff();
        // What is summed on the way may be as large as what the nodes are fed.
        let fed = match nodes > 1 && made.dtype().is_float() {
            true => self.fed(made.shape(), feed),
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
    fn fed(&self, shape: &[usize], feed: &HashMap<String, Tensor>) -> Vec<f64> {
        let alike = |t: &&Tensor| t.shape() == shape && t.dtype().is_float();
        let mut largest = vec![];
        let taken = self.steps.iter().flat_map(|i| &self.near.steps[*i].inputs);
        let fed = taken.filter_map(|n| feed.get(n));
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
        let each = self.tensors.iter().enumerate().map(|(k, (_, t))| {
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
        let mut pairs = self.said.iter().zip(&other.said);
        self.shapes != other.shapes || pairs.any(|(a, b)| a.low != b.low)
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

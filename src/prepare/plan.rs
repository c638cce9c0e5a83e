//! plan: which steps run, in which pieces, and which tensors are judged.

use crate::error::{Error, Result, hint};
use crate::graph::known::constant_steps;
use crate::graph::random::is_random;
use crate::graph::{Graph, observe};
use crate::scenario::{Scenario, Stage};
use std::collections::HashSet;
use wildmatch::WildMatch;

/// Steps that one piece holds at most: enough to share the cost of a session, few enough to bound what is alive.
const PIECE: usize = 24;

/// The work of one run.
pub struct Plan {
    /// Pieces of consecutive steps.
    pub pieces: Vec<Vec<usize>>,
    /// Names of the tensors that are judged.
    pub judged: HashSet<String>,
    /// Tensors inside bodies that nobody observes, with the reason; none where only a part of the graph is asked for.
    pub hidden: Vec<(String, String)>,
    /// Whether the whole graph is walked.
    pub whole: bool,
    /// Steps whose outputs no input's value decides.
    pub constants: HashSet<usize>,
    excused: Vec<WildMatch>,
    dead: Vec<WildMatch>,
}

impl Plan {
    /// # Errors
    /// A limit or pattern that matches no tensor.
    pub fn of(graph: &Graph, scenario: &Scenario) -> Result<Self> {
        let limit = &scenario.limit;
        let end = limit
            .until
            .as_ref()
            .map_or(Ok(graph.steps.len()), |n| Ok(step_of(graph, n)? + 1))?;
        let start = limit.from.as_ref().map_or(Ok(0), |n| step_of(graph, n))?;
        let outputs: Vec<&String> = graph.steps[..end]
            .iter()
            .skip(start)
            .flat_map(|s| &s.outputs)
            .collect();
        let only = patterns("limit.only", &limit.only, &outputs)?;
        let hidden = observe::hidden(graph);
        let all: Vec<&String> = graph
            .steps
            .iter()
            .flat_map(|s| &s.outputs)
            .chain(hidden.iter().map(|(n, _)| n))
            .collect();
        let excused = patterns("expect.abstain", &scenario.expect.abstain, &all)?;
        let wanted = |n: &str| only.is_empty() || only.iter().any(|p| p.matches(n));
        let judged = outputs.into_iter().filter(|n| wanted(n)).cloned().collect();
        let runs = scenario.runs(Stage::Activations);
        let pieces = if runs {
            pieces(graph, end, &|_| false)
        } else {
            vec![]
        };
        let whole = runs && limit.only.is_empty() && limit.from.is_none() && limit.until.is_none();
        let declared: Vec<&String> = graph.outputs.iter().map(|p| &p.name).collect();
        let dead = patterns("expect.dead", &scenario.expect.dead, &declared)?;
        let constants = constant_steps(graph);
        Ok(Self {
            pieces,
            judged,
            whole,
            constants,
            excused,
            dead,
            hidden: if whole { hidden } else { vec![] },
        })
    }

    /// Puts each of `steps` into a piece of its own.
    pub fn apart(&mut self, graph: &Graph, steps: &HashSet<usize>) {
        self.pieces = pieces(graph, self.steps(), &|i| steps.contains(&i));
    }

    /// Whether the scenario lets `name` abstain.
    pub fn excused(&self, name: &str) -> bool {
        self.excused.iter().any(|p| p.matches(name))
    }

    /// Whether the scenario lets an output be all of one value.
    pub fn may_be_dead(&self, output: &str) -> bool {
        self.dead.iter().any(|p| p.matches(output))
    }

    /// Number of steps that run.
    pub fn steps(&self) -> usize {
        self.pieces.iter().map(Vec::len).sum()
    }
}

/// Consecutive steps in pieces; a random step is a piece of its own, because its output is handed from one subject to the other.
fn pieces(graph: &Graph, end: usize, apart: &dyn Fn(usize) -> bool) -> Vec<Vec<usize>> {
    let mut pieces: Vec<Vec<usize>> = Vec::new();
    for i in 0..end {
        let lonely = |i: usize| is_random(graph, &graph.steps[i]) || apart(i);
        let alone = lonely(i) || i > 0 && lonely(i - 1);
        match pieces.last_mut() {
            Some(piece) if piece.len() < PIECE && !alone => piece.push(i),
            _ => pieces.push(vec![i]),
        }
    }
    pieces
}

fn step_of(graph: &Graph, tensor: &str) -> Result<usize> {
    let producers = graph.producers();
    let unknown = || {
        Error::usage(format!("the graph has no tensor '{tensor}'"))
            .next(hint(tensor, producers.keys().copied()))
    };
    producers.get(tensor).copied().ok_or_else(unknown)
}

/// Patterns of tensor names that the key states.
///
/// # Errors
/// One that matches none of `names`.
pub fn patterns(key: &str, list: &[String], names: &[&String]) -> Result<Vec<WildMatch>> {
    let compile = |p: &String| {
        let pattern = WildMatch::new(p);
        match names.iter().any(|n| pattern.matches(n)) {
            true => Ok(pattern),
            false => Err(Error::usage(format!("{key}: '{p}' matches no tensor"))
                .next(hint(p, names.iter().map(|n| n.as_str())))),
        }
    };
    list.iter().map(compile).collect()
}

//! judged: one step that both subjects have computed: isolated against the rounding bound, accumulated as far as it can be told now.

use super::accumulated::{self, Pending};
use super::bench::Bench;
use super::computed::missing;
use super::decision::{self, Evidence};
use super::isolated::{self, Case, Own};
use super::layers::Layers;
use super::plan::Plan;
use super::third;
use super::turns;
use super::values::Values;
use super::witness;
use crate::error::Result;
use crate::floor::Rounding;
use crate::graph::random::is_random;
use crate::graph::{Graph, Step, cost};
use crate::subject::{Feed, Output};
use crate::tensor::Tensor;
use crate::verdict::{Accumulated, Inside, Isolated, Side, TensorResult, Why};

/// One step after both subjects have computed it.
pub struct Walked<'a> {
    pub step: usize,
    pub reference: &'a [Output],
    pub candidate: &'a [Output],
    /// The candidate's outputs on the reference's inputs; None where it could not run alone.
    pub alone: Option<&'a [Output]>,
    /// What both sides have computed so far.
    pub own_r: &'a Values,
    pub own_c: &'a Values,
    /// What did not repeat its bits.
    pub repeat: Option<String>,
}

/// What f64 makes of one output on the inputs of one side.
type Shadow = (Tensor, Rounding);

/// One output of the step, with the shadow on either side's inputs: the candidate's only where it cannot be asked.
struct Seen<'a> {
    walked: &'a Walked<'a>,
    k: usize,
    shadow: Option<Shadow>,
    recorded: Option<Shadow>,
}

/// Judges every wanted output of the step and puts the results into `layers`.
pub fn step(bench: &mut Bench, plan: &Plan, walked: &Walked, layers: &mut Layers) -> Result<()> {
    let (step, graph) = (walked.step, bench.graph);
    let the_step = &graph.steps[step];
    if !the_step.outputs.iter().any(|o| plan.judged.contains(o)) {
        return Ok(());
    }
    let shadow = shadow(bench, step, walked.own_r);
    let recorded = if bench.candidate.can_isolate() { None } else { self::shadow(bench, step, walked.own_c) };
    // What is inside a body comes before what the step gives.
    let mut outputs: Vec<(usize, &String)> = the_step.outputs.iter().enumerate().filter(|(_, n)| plan.judged.contains(*n)).collect();
    outputs.sort_by_key(|(_, n)| !graph.bodies.seen.contains_key(*n));
    for (k, name) in outputs {
        let of = |s: &Option<(Vec<Tensor>, Vec<Rounding>)>| s.as_ref().map(|(values, roundings)| (values[k].clone(), roundings[k].clone()));
        let seen = Seen { walked, k, shadow: of(&shadow), recorded: of(&recorded) };
        if let (Some((_, Rounding::Decision(_))), Ok(r)) = (&seen.shadow, &walked.reference[k]) {
            layers.replay.insert(name.clone(), r.clone());
        }
        if seen.known(bench, plan) {
            layers.known += 1;
            continue;
        }
        let isolated = seen.isolated(bench)?;
        let pending = seen.pending(bench)?;
        let mut result = result(graph, step, k, walked.reference[k].as_ref().ok(), isolated, walked.repeat.clone(), walked.own_r);
        if let (true, Some(inside)) = (result.isolated.over(), &mut result.inside) {
            inside.turn = seen.turn(bench)?;
        }
        layers.results.push(result);
        layers.pending.push(pending);
        layers.witnessed.extend(bench.golden.zip(walked.reference[k].as_ref().ok()).and_then(|(g, r)| witness::look(g, name, step, r)));
    }
    Ok(())
}

/// The shadow of a step on the inputs of one side; None where there is none, an input is not at hand, or the shadow refuses the inputs: a
/// recording may hold values that no node takes.
fn shadow(bench: &mut Bench, step: usize, own: &Values) -> Option<(Vec<Tensor>, Vec<Rounding>)> {
    let the_step = &bench.graph.steps[step];
    let lacks = is_random(bench.graph, the_step) || bench.lacking.steps.contains(&step) || missing(bench.graph, the_step, own).is_some();
    let judge = bench.judge.as_mut().filter(|_| !lacks)?;
    let feed = |n: &str| own.get(n);
    let shadow = judge.eval(step, &feed).ok()?;
    let rounding = judge.rounding(step, &feed, &shadow).ok()?;
    Some((shadow, rounding))
}

impl Seen<'_> {
    fn step<'g>(&self, bench: &'g Bench) -> &'g Step {
        &bench.graph.steps[self.walked.step]
    }

    /// Why the output is nobody's own, where it is not.
    fn borrowed(&self, bench: &Bench) -> Option<Why> {
        bench.lacking.why(self.walked.step, self.step(bench).op())
    }

    /// A constant that a recording does not hold: it is known, and there is nothing to compare.
    fn known(&self, bench: &Bench, plan: &Plan) -> bool {
        let absent = self.walked.reference[self.k].is_err() || self.walked.candidate[self.k].is_err();
        absent && !bench.both_live() && plan.constants.contains(&self.walked.step)
    }

    fn isolated(&self, bench: &mut Bench) -> Result<Isolated> {
        let why = match (&self.walked.reference[self.k], self.walked.alone.map(|a| &a[self.k])) {
            (Ok(r), Some(Ok(c))) => return self.alone(bench, r, c),
            (_, Some(Err(says))) => Why::NotTested(says.clone()),
            (reference, None) => match (self.borrowed(bench), reference) {
                (Some(why), _) => why,
                (None, _) if is_random(bench.graph, self.step(bench)) => Why::Random,
                (None, _) if bench.stated.is_none() && self.recorded.is_some() => return self.recorded(bench),
                (None, Err(says)) => Why::Missing(says.clone()),
                (None, Ok(_)) => Why::NotTested(self.why_not_alone(bench)),
            },
            (Err(says), Some(Ok(_))) => Why::Missing(says.clone()),
        };
        Ok(Isolated::NotJudged { why })
    }

    /// The candidate's node on the reference's values.
    fn alone(&self, bench: &mut Bench, r: &Tensor, c: &Tensor) -> Result<Isolated> {
        let feed = |n: &str| self.walked.own_r.get(n);
        match (&bench.stated, &self.shadow, &mut bench.judge) {
            (Some(tolerance), _, _) => Ok(isolated::stated(r, c, tolerance)),
            (None, Some((shadow, rounding)), Some(judge)) => {
                let (step, output, kinship) = (self.walked.step, self.k, bench.kinship);
                let case = Case { step, output, reference: r, candidate: c, shadow, rounding, feed: &feed, kinship };
                let found = isolated::judge(&case, &mut **judge)?;
                Ok(third::settled(bench, (step, output), &Own { value: r, shadow, rounding, feed: &feed }, found))
            }
            _ => Ok(Isolated::NotJudged { why: Why::NotTested("own fault not tested: no f64 shadow takes these inputs".into()) }),
        }
    }

    /// What the candidate recorded against f64 on the inputs that it recorded.
    fn recorded(&self, bench: &mut Bench) -> Result<Isolated> {
        let (feed_r, feed_c) = (|n: &str| self.walked.own_r.get(n), |n: &str| self.walked.own_c.get(n));
        let kinship = bench.kinship;
        let (Some(judge), Some((shadow, rounding)), Ok(value)) = (&mut bench.judge, &self.recorded, &self.walked.candidate[self.k]) else {
            let says = "own fault not tested (recorded)".into();
            return Ok(Isolated::NotJudged { why: Why::NotTested(says) });
        };
        let reference = match (&self.shadow, &self.walked.reference[self.k]) {
            (Some((shadow, rounding)), Ok(value)) => Some(Own { value, shadow, rounding, feed: &feed_r }),
            _ => None,
        };
        let candidate = Own { value, shadow, rounding, feed: &feed_c };
        let found = isolated::recorded(self.walked.step, self.k, reference, candidate, kinship, &mut **judge)?;
        let on = reference.filter(|_| found.side() == Some(Side::ReferenceOrShadow)).unwrap_or(candidate);
        Ok(third::settled(bench, (self.walked.step, self.k), &on, found))
    }

    fn why_not_alone(&self, bench: &Bench) -> String {
        match (bench.candidate.can_isolate(), &self.walked.candidate[self.k]) {
            (false, Ok(_)) => "own fault not tested (recorded): an input of its node is not recorded".into(),
            (false, Err(says)) => says.clone(),
            (true, _) => "own fault not tested: the reference lacks an input".into(),
        }
    }

    fn pending(&self, bench: &mut Bench) -> Result<Pending> {
        let not_judged = |why| Ok(Pending::Done(Accumulated::NotJudged { why }));
        let (r, c) = match (&self.walked.reference[self.k], &self.walked.candidate[self.k]) {
            (Ok(r), Ok(c)) => (r, c),
            (Err(says), _) | (_, Err(says)) => return not_judged(Why::Missing(says.clone())),
        };
        if let Some(why) = self.borrowed(bench) {
            return not_judged(why);
        }
        if is_random(bench.graph, self.step(bench)) {
            return not_judged(if r.bytes() == c.bytes() { Why::Random } else { Why::Drawn });
        }
        let shadow = self.shadow.as_ref().map(|(value, rounding)| (value, rounding));
        Ok(match accumulated::compare_own(r, c, bench.stated.as_ref(), shadow) {
            Pending::Decision { comparison, .. } => Pending::Decision { comparison, evidence: self.evidence(bench, r, c)? },
            pending => pending,
        })
    }

    /// What can be told of a decision that differs.
    fn evidence(&self, bench: &mut Bench, r: &Tensor, c: &Tensor) -> Result<Evidence> {
        let (feed_r, feed_c) = (|n: &str| self.walked.own_r.get(n), |n: &str| self.walked.own_c.get(n));
        let (the_step, graph) = (self.step(bench), bench.graph);
        let at_hand = [self.walked.own_r, self.walked.own_c].map(|own| missing(graph, the_step, own).is_none());
        let unknown = Evidence { own: None, margin: f64::INFINITY };
        let Some(judge) = bench.judge.as_mut().filter(|_| !bench.lacking.steps.contains(&self.walked.step)) else { return Ok(unknown) };
        let (step, k) = (self.walked.step, self.k);
        let margin = if at_hand[0] { judge.margin(step, &feed_r, k, r, c).ok().flatten() } else { None };
        let sides: [(bool, &Tensor, Feed); 2] = [(at_hand[0], r, &feed_r), (at_hand[1], c, &feed_c)];
        let mut own = Some(true);
        for (at_hand, value, feed) in sides {
            own = match (own, at_hand) {
                (Some(false), _) => own,
                (_, false) => None,
                (own, true) => match decision::is_own(&mut **judge, step, k, value, feed) {
                    Ok(true) => own,
                    // A node that refuses the inputs cannot have given the value.
                    Ok(false) | Err(_) => Some(false),
                },
            };
        }
        Ok(Evidence { own, margin: margin.unwrap_or(f64::INFINITY) })
    }

    /// The first turn of a loop in which an observed body tensor is over, alone.
    fn turn(&self, bench: &mut Bench) -> Result<Option<usize>> {
        let (Ok(r), Some(Ok(c))) = (&self.walked.reference[self.k], self.walked.alone.map(|a| &a[self.k])) else { return Ok(None) };
        let feed = |n: &str| self.walked.own_r.get(n);
        let exact = (r.clone(), Rounding::Exact);
        let (shadow, rounding) = self.shadow.as_ref().unwrap_or(&exact);
        let (step, output, kinship) = (self.walked.step, self.k, bench.kinship);
        let case = Case { step, output, reference: r, candidate: c, shadow, rounding, feed: &feed, kinship };
        turns::first(&case, bench.stated.as_ref(), bench.judge.as_deref_mut())
    }
}

fn result(
    graph: &Graph,
    step: usize,
    output: usize,
    reference: Option<&Tensor>,
    isolated: Isolated,
    repeat_noise: Option<String>,
    own_r: &Values,
) -> TensorResult {
    let the_step = &graph.steps[step];
    let node = &the_step.nodes[0];
    let fed: Vec<Option<Tensor>> = node.inputs.iter().map(|n| graph.weights.get(n).cloned().or_else(|| own_r.get(n))).collect();
    let shapes: Vec<Option<&[usize]>> = fed.iter().map(|t| t.as_ref().map(Tensor::shape)).collect();
    let shape = reference.map_or(vec![], |t| t.shape().to_vec());
    let name = &the_step.outputs[output];
    let inner = graph.bodies.seen.get(name);
    TensorResult {
        name: name.clone(),
        node: inner.map_or(&the_step.name, |i| &i.node).clone(),
        op: inner.map_or(the_step.op(), |i| &i.op).to_string(),
        inside: inner.map(|_| Inside { step: the_step.name.clone(), op: the_step.op().to_string(), turn: None }),
        step,
        dtype: reference.map(Tensor::dtype),
        macs: if output == 0 { cost::macs(node, &shapes, &shape).unwrap_or(0) } else { 0 },
        shape,
        // Replaced when the floors are known.
        accumulated: Accumulated::NotJudged { why: Why::NoFloor("not settled".into()) },
        isolated,
        repeat_noise,
    }
}

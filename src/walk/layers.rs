//! layers: the first walk: both subjects piece by piece, every tensor judged alone and accumulated, then freed.

use super::computed::{self, Computed, Piece, missing};
use super::explained::Suspect;
use super::live_set::{LiveSet, Release};
use super::noise::shaping;
use super::sessions::{Faulty, Sessions};
use super::step::{self, Walked};
use super::{decided, decision};
use crate::error::{Error, Place, Result, unless_refused};
use crate::floor::noise::Floor;
use crate::graph::cut::Link;
use crate::graph::random::is_random;
use crate::graph::{Graph, Step};
use crate::judge::exercised::{self, Shown};
use crate::judge::golden::Waiting;
use crate::judge::network::{self, Facts};
use crate::prepare::plan::Plan;
use crate::subject::{Output, Session};
use crate::tensor::{DType, Tensor};
use crate::verdict::{Observed, Pending, TensorResult};
use crate::watch::Watch;
use std::collections::{HashMap, HashSet};

/// What the walk found.
#[derive(Default)]
pub struct Layers {
    pub tensors: Vec<Observed>,
    /// What the golden keeps of the same tensors.
    pub witnessed: Vec<Waiting>,
    /// Reference values that the noise walk replays.
    pub replay: HashMap<String, Tensor>,
    /// Decisions that flipped and with whose reference value the candidate went on.
    pub gone_on: HashSet<String>,
    /// What the steps took, per side, by which declared outputs are decided: `decided` asks for it.
    pub decisive: [HashMap<String, Tensor>; 2],
    /// Constants that a recording does not hold.
    pub known: usize,
    /// What each step that has run shows of its inputs.
    pub shown: Vec<Shown>,
    /// What is at hand of the first nodes that are off alone.
    pub suspects: Vec<Suspect>,
    /// Steps that draw, and whose draw the sides do not share.
    pub unshared: HashSet<usize>,
    /// Declared outputs of both subjects.
    pub reference_outputs: HashMap<String, Tensor>,
    pub candidate_outputs: HashMap<String, Tensor>,
}

impl Layers {
    /// Declared outputs of the reference (0) or the candidate (1).
    pub fn outputs(&self, side: usize) -> &HashMap<String, Tensor> {
        [&self.reference_outputs, &self.candidate_outputs][side]
    }

    /// Every tensor held against its floor.
    pub fn judged(&self, floors: &HashMap<String, Floor>, graph: &Graph) -> Vec<TensorResult> {
        let facts = Facts {
            gone_on: &self.gone_on,
            unshared: &self.unshared,
        };
        network::judged(&self.tensors, &facts, floors, graph)
    }

    /// The dtype that each tensor was computed in.
    pub fn dtypes(&self) -> HashMap<String, DType> {
        self.tensors
            .iter()
            .filter_map(|r| Some((r.name.clone(), r.dtype?)))
            .collect()
    }
}

/// Walks over the whole plan.
///
/// # Errors
/// What a side says that ran nothing, or whatever a recording says.
pub fn run(sessions: &mut Sessions, plan: &Plan, watch: &mut dyn Watch) -> Result<Layers> {
    let graphs: Vec<&Graph> = std::iter::once(&**sessions.graph)
        .chain(sessions.faulty.iter().map(|g| &**g))
        .collect();
    let mut walk = Walk {
        release: Release::of(&graphs),
        keepers: Keepers::of(sessions.graph),
        decisive: decided::kept(sessions.graph, sessions.judge.as_deref()),
        own_r: LiveSet::of(sessions.inputs),
        own_c: LiveSet::of(sessions.inputs),
        layers: Layers::default(),
    };
    watch.phase("layers", plan.steps());
    for piece in &plan.pieces {
        walk.piece(sessions, plan, piece)?;
        watch.step(piece.last().map_or(0, |i| i + 1));
    }
    sessions
        .unsupported
        .ran_nothing(plan.steps())
        .map_or(Ok(walk.layers), Err)
}

/// The walk, and what is alive at one moment of it.
struct Walk<'a> {
    release: Release,
    keepers: Keepers<'a>,
    /// Steps whose inputs decide on a declared output.
    decisive: HashSet<usize>,
    own_r: LiveSet,
    own_c: LiveSet,
    layers: Layers,
}

impl Walk<'_> {
    /// Computes and judges a piece; step by step where a side refuses it.
    fn piece(&mut self, sessions: &mut Sessions, plan: &Plan, piece: &[usize]) -> Result<()> {
        match computed::both(sessions, piece, [&self.own_r, &self.own_c]) {
            Err(_) if piece.len() > 1 => piece
                .iter()
                .try_for_each(|step| self.piece(sessions, plan, &[*step])),
            computed => self.judged(sessions, plan, piece, computed?),
        }
    }

    fn judged(
        &mut self,
        sessions: &mut Sessions,
        plan: &Plan,
        piece: &[usize],
        computed: Computed,
    ) -> Result<()> {
        let Walk {
            release,
            keepers,
            decisive,
            own_r,
            own_c,
            layers,
        } = self;
        let Computed {
            reference,
            mut candidate,
            drawn,
            lent,
            taken,
            repeat,
        } = computed;
        put(sessions.graph, piece, &reference, own_r);
        if drawn && !same(&reference, &candidate) {
            layers.unshared.extend(piece);
        }
        put(sessions.graph, piece, &candidate, own_c);
        put_known(
            sessions,
            plan,
            piece,
            [&reference, &candidate],
            [own_r, own_c],
        );
        check_controls(sessions, piece, own_r)?;
        let alone = if drawn || lent {
            vec![None; piece.len()]
        } else {
            isolated_outputs(sessions, piece, own_r)?
        };
        if !taken && sessions.candidate.can_isolate() {
            go_on(
                sessions,
                piece,
                &Sides {
                    reference: &reference,
                    alone: &alone,
                    own_r,
                },
                &mut candidate,
                own_c,
                layers,
            )?;
        }
        for (k, &step) in piece.iter().enumerate() {
            record(sessions, step, &reference[k], &candidate[k])?;
            let walked = Walked {
                step,
                reference: &reference[k],
                candidate: &candidate[k],
                alone: alone[k].as_deref(),
                own_r,
                own_c,
                repeat: repeat.clone(),
            };
            step::step(sessions, plan, &walked, layers)?;
            layers
                .shown
                .push(shown(sessions, step, &reference[k], own_r));
            let lacks = lent || sessions.unsupported.steps.contains(&step);
            keepers.keep(
                &sessions.graph.steps[step],
                lacks,
                &reference[k],
                &candidate[k],
                layers,
            );
        }
        for step in piece.iter().filter(|i| decisive.contains(i)) {
            for (kept, own) in layers.decisive.iter_mut().zip([&*own_r, &*own_c]) {
                kept.extend(
                    sessions.graph.steps[*step]
                        .inputs
                        .iter()
                        .filter_map(|n| Some((n.clone(), own.get(n)?))),
                );
            }
        }
        for &step in piece {
            own_r.drop_after(step, release);
            own_c.drop_after(step, release);
        }
        Ok(())
    }
}

/// What a step shows of its inputs on the reference's values.
fn shown(sessions: &Sessions, step: usize, outputs: &[Output], own: &LiveSet) -> Shown {
    let (graph, Some(Ok(output))) = (sessions.graph, outputs.first()) else {
        return Shown::default();
    };
    let the_step = &graph.steps[step];
    let decides =
        sessions.judge.as_ref().is_some_and(|j| j.decides(step)) && !output.dtype().is_float();
    let input = |i: usize| {
        let name = the_step.nodes[0].inputs.get(i)?;
        graph.weights.get(name).cloned().or_else(|| own.get(name))
    };
    exercised::shown(the_step, decides, &input, output)
}

/// Whether both sides have these values, bit for bit.
fn same(reference: &Piece, candidate: &Piece) -> bool {
    reference
        .iter()
        .flatten()
        .zip(candidate.iter().flatten())
        .all(|(r, c)| matches!((r, c), (Ok(r), Ok(c)) if r.bytes() == c.bytes()))
}

fn put(graph: &Graph, piece: &[usize], outputs: &Piece, own: &mut LiveSet) {
    for (step, values) in piece.iter().zip(outputs) {
        for (name, value) in graph.steps[*step].outputs.iter().zip(values) {
            if let Ok(tensor) = value {
                own.put(name, tensor.clone());
            }
        }
    }
}

/// The candidate's steps on the reference's values; None for a step that cannot be run alone.
fn isolated_outputs(
    sessions: &mut Sessions,
    piece: &[usize],
    own_r: &LiveSet,
) -> Result<Vec<Option<Vec<Output>>>> {
    if !sessions.candidate.can_isolate() {
        return Ok(vec![None; piece.len()]);
    }
    let graph = sessions.graph;
    let ready = |i: &&usize| missing(graph, &graph.steps[**i], own_r).is_none();
    let runnable: Vec<usize> = piece.iter().filter(ready).copied().collect();
    let mut done = if runnable.is_empty() {
        vec![]
    } else {
        alone_on(sessions, &runnable, own_r)?
    };
    let mut outputs = vec![None; piece.len()];
    for (step, values) in runnable.iter().zip(done.drain(..)) {
        if let Some(k) = piece.iter().position(|i| i == step) {
            outputs[k] = Some(values);
        }
    }
    Ok(outputs)
}

/// The candidate's steps on the reference's values. A node may refuse what its own values it takes: then it is not tested, and the others are.
fn alone_on(sessions: &mut Sessions, steps: &[usize], own_r: &LiveSet) -> Result<Vec<Vec<Output>>> {
    let graph = sessions.graph;
    let mut eval = |steps: &[usize]| {
        sessions
            .candidate
            .eval(graph, steps, Link::Isolated, &|n| own_r.get(n))
    };
    match eval(steps) {
        Ok(outputs) => Ok(outputs),
        Err(e) if e.ran_out() => Err(e).at("candidate, node by node"),
        Err(_) => {
            let mut one = |step: &usize| match eval(&[*step]) {
                Ok(mut outputs) => Ok(outputs.remove(0)),
                Err(e) if e.ran_out() => Err(e).at("candidate, node by node"),
                Err(e) => {
                    let says = format!(
                        "own fault not tested: the node refuses the reference's inputs: {}",
                        e.message
                    );
                    Ok(vec![Err(says); graph.steps[*step].outputs.len()])
                }
            };
            steps.iter().map(&mut one).collect()
        }
    }
}

/// A constant that a recording does not hold is the other side's.
fn put_known(
    sessions: &Sessions,
    plan: &Plan,
    piece: &[usize],
    outputs: [&Piece; 2],
    own: [&mut LiveSet; 2],
) {
    if sessions.both_live() {
        return;
    }
    let [own_r, own_c] = own;
    for (k, step) in piece
        .iter()
        .enumerate()
        .filter(|(_, step)| plan.constants.contains(step))
    {
        for (name, (r, c)) in sessions.graph.steps[*step]
            .outputs
            .iter()
            .zip(outputs[0][k].iter().zip(&outputs[1][k]))
        {
            match (r, c) {
                (Ok(value), Err(_)) => own_c.put(name, value.clone()),
                (Err(_), Ok(value)) => own_r.put(name, value.clone()),
                (Ok(_), Ok(_)) | (Err(_), Err(_)) => {}
            }
        }
    }
}

/// What the candidate's piece is held against.
struct Sides<'a> {
    reference: &'a Piece,
    /// The candidate's outputs on the reference's values.
    alone: &'a [Option<Vec<Output>>],
    own_r: &'a LiveSet,
}

/// Where the candidate decides otherwise by its own right, it goes on with the reference's decision, so that what lies behind stays judged.
fn go_on(
    sessions: &mut Sessions,
    piece: &[usize],
    sides: &Sides,
    candidate: &mut Piece,
    own_c: &mut LiveSet,
    layers: &mut Layers,
) -> Result<()> {
    for (k, &step) in piece.iter().enumerate() {
        let outputs = &sessions.graph.steps[step].outputs;
        let mut flipped = vec![];
        for (o, name) in outputs.iter().enumerate() {
            let (Ok(r), Ok(c)) = (&sides.reference[k][o], &candidate[k][o]) else {
                continue;
            };
            if r.dtype() != c.dtype() || r.shape() != c.shape() || r.bytes() == c.bytes() {
                continue;
            }
            let alone = sides.alone[k].as_ref().and_then(|a| a[o].as_ref().ok());
            if flips(sessions, (step, o), (r, c, alone), sides.own_r, own_c)? {
                own_c.put(name, r.clone());
                flipped.push((name, c.clone()));
            }
        }
        let rest = &piece[k + 1..];
        if !flipped.is_empty() && !rest.is_empty() {
            match unless_refused(sessions.candidate.eval(
                sessions.graph,
                rest,
                Link::Connected,
                &|n| own_c.get(n),
            ))? {
                Some(again) => {
                    put(sessions.graph, rest, &again, own_c);
                    candidate.splice(k + 1.., again);
                }
                // What lies behind refuses the reference's decision: it stays with the candidate's own, and is behind a tie.
                None => {
                    flipped
                        .drain(..)
                        .for_each(|(name, own)| own_c.put(name, own));
                }
            }
        }
        layers
            .gone_on
            .extend(flipped.into_iter().map(|(name, _)| name.clone()));
    }
    Ok(())
}

/// Whether output (step, index) is another decision, and one to which the candidate comes by right: what the node gives on its own inputs, or,
/// for elements of the input, a tie of the node alone.
fn flips(
    sessions: &mut Sessions,
    (step, index): (usize, usize),
    (reference, own, alone): (&Tensor, &Tensor, Option<&Tensor>),
    own_r: &LiveSet,
    own_c: &LiveSet,
) -> Result<bool> {
    let lacks = sessions.unsupported.steps.contains(&step);
    let Some(judge) = sessions.judge.as_mut().filter(|_| !lacks) else {
        return Ok(false);
    };
    if !reference.dtype().is_float() {
        return decision::is_own(&mut **judge, step, index, own, &|n| own_c.get(n));
    }
    match alone.filter(|a| {
        judge.selects(step) && a.shape() == reference.shape() && a.bytes() != reference.bytes()
    }) {
        Some(alone) => {
            Ok(judge.margin(step, &|n| own_r.get(n), index, reference, alone)? == Some(0.0))
        }
        None => Ok(false),
    }
}

/// An injected fault must change some bit of its own node's output, or it proves nothing.
fn check_controls(sessions: &mut Sessions, piece: &[usize], own_r: &LiveSet) -> Result<()> {
    let (graph, feed) = (sessions.graph, |n: &str| own_r.get(n));
    for (step, clean, side) in sessions
        .controls
        .iter_mut()
        .filter(|c| piece.contains(&c.0))
    {
        let faulty: &mut dyn Session = match side {
            Faulty::Reference => &mut *sessions.reference,
            Faulty::Candidate => &mut *sessions.candidate,
        };
        let (a, b) = (
            clean.eval(graph, &[*step], Link::Isolated, &feed)?,
            faulty.eval(graph, &[*step], Link::Isolated, &feed)?,
        );
        let same = a
            .iter()
            .flatten()
            .zip(b.iter().flatten())
            .all(|(a, b)| match (a, b) {
                (Ok(a), Ok(b)) => a.shape() == b.shape() && a.bytes() == b.bytes(),
                _ => false,
            });
        if same {
            let node = &graph.steps[*step].name;
            return Err(Error::usage(format!(
                "the injected fault changes no output bit of node '{node}' on these inputs"
            ))
            .next("choose another node, amount or input"));
        }
    }
    Ok(())
}

fn record(
    sessions: &mut Sessions,
    step: usize,
    reference: &[Output],
    candidate: &[Output],
) -> Result<()> {
    let Some(traces) = &mut sessions.record else {
        return Ok(());
    };
    for (name, (r, c)) in sessions.graph.steps[step]
        .outputs
        .iter()
        .zip(reference.iter().zip(candidate))
    {
        r.iter().try_for_each(|t| traces.reference.add(name, t))?;
        c.iter().try_for_each(|t| traces.candidate.add(name, t))?;
    }
    Ok(())
}

/// Names of the tensors whose values later walks need: declared outputs, and what noise must not move.
struct Keepers<'a> {
    graph: &'a Graph,
    declared: HashSet<&'a str>,
    shaping: HashSet<&'a str>,
}

impl<'a> Keepers<'a> {
    fn of(graph: &'a Graph) -> Self {
        Self {
            graph,
            declared: graph.outputs.iter().map(|p| p.name.as_str()).collect(),
            shaping: shaping(graph),
        }
    }

    fn keep(
        &self,
        step: &Step,
        lacks: bool,
        reference: &[Output],
        candidate: &[Output],
        layers: &mut Layers,
    ) {
        for (name, (r, c)) in step.outputs.iter().zip(reference.iter().zip(candidate)) {
            let declared = self.declared.contains(name.as_str());
            if let (Ok(r), true) = (r, declared) {
                layers.reference_outputs.insert(name.clone(), r.clone());
            }
            if let (Ok(c), true) = (c, declared) {
                layers.candidate_outputs.insert(name.clone(), c.clone());
            }
            let stays = |r: &Tensor| {
                lacks
                    || !r.dtype().is_float()
                    || is_random(self.graph, step)
                    || r.numel() <= 8 && self.shaping.contains(name.as_str())
            };
            if let Some(r) = r.as_ref().ok().filter(|r| stays(r)) {
                layers.replay.insert(name.clone(), r.clone());
            }
        }
    }
}

/// Names of the tensors that wait for a noise floor, or all float tensors where the trace is to carry floors.
pub fn wanted(layers: &Layers, all: bool) -> HashSet<String> {
    let waits = |t: &Observed| matches!(t.accumulated, Pending::Noise(_));
    let float = |t: &Observed| t.dtype.is_some_and(|d| d.is_float());
    let wanted = layers
        .tensors
        .iter()
        .filter(|t| waits(t) || all && float(t));
    wanted.map(|t| t.name.clone()).collect()
}

//! divergence: what diverges: first that which is the headline, where a tired engineer has to look, then all that diverges besides.

use super::super::{Alone, Run};
use super::values::accumulated;
use super::{NODES, deployed, origin, stage};
use crate::compare::Comparison;
use crate::scenario::{Stage, Subject};
use crate::text::{few, number};
use crate::verdict::{Accumulated, Drift, Finding, Outcome, StageVerdict, TensorResult};

/// Where no place is the first, the headline is a sentence of its own.
pub const UNORDERED: &str = "unordered";

/// Tensors that are shown where nobody knows which is first.
const SHOWN: usize = 12;

/// Every fault of the run, the headline first.
pub fn of(run: &Run) -> Vec<Finding> {
    let v = &run.verdict;
    if !v.input_mismatch.is_empty() {
        return vec![at_inputs(run)];
    }
    if !v.ordered {
        return vec![unordered(run)];
    }
    let diverging = || v.stages.iter().filter(|s| s.outcome == Outcome::Diverge);
    // The network was fed the reference's: what is wrong with it comes behind.
    let before = diverging().filter(|s| s.stage == Stage::Preprocess);
    let mut all: Vec<Finding> = before.map(stage::of).collect();
    let of_network = all.len();
    all.extend(another_dtype(run));
    all.extend(v.origins.iter().map(|o| origin::of(run, o)));
    // A stage whose first place is an origin says nothing more.
    let told = |s: &StageVerdict| {
        v.origins
            .iter()
            .any(|o| s.first.as_deref() == Some(&o.node))
    };
    let network = |s: &StageVerdict| s.stage == Stage::Activations && !golden_alone(run, s);
    let behind = diverging().filter(|s| s.stage != Stage::Preprocess);
    let mut stages: Vec<_> = behind.filter(|s| !told(s)).collect();
    if stages.first().is_some_and(|s| !network(s)) {
        all.push(stage::of(stages.remove(0)));
    }
    all.extend(untested(run).or_else(|| v.drift.as_ref().map(|d| drift(run, d))));
    all.extend(v.only_unobserved.iter().map(deployed::of));
    if run.correspondence.is_some() && all.len() == of_network {
        all.extend(
            stages
                .iter()
                .filter(|s| network(s))
                .map(|s| stage::digits(s)),
        );
    }
    stages.retain(|s| !network(s));
    all.extend(stages.into_iter().map(stage::of));
    all.extend(run.alone.iter().flat_map(alone));
    all.extend(stage::parameters(run));
    let flags = run.stages.loss.iter().flat_map(|l| &l.flags);
    all.extend(flags.filter(|f| f.is_fault()).cloned());
    if all.is_empty() {
        all.extend(v.stage().map(stage::of));
    }
    all
}

/// What is wrong with one of two files by itself.
fn alone(of: &Alone) -> Vec<Finding> {
    let all = of.run.iter().flat_map(|run| &run.findings);
    let in_file = |f: &Finding| Finding {
        what: format!("{}, {}", of.place(), f.what),
        who: Some(of.file.clone()),
        ..f.clone()
    };
    all.filter(|f| f.is_fault()).map(in_file).collect()
}

fn find<'a>(run: &'a Run, name: &str) -> Option<&'a TensorResult> {
    let mut tensors = run.tensors.iter();
    tensors.find(|t| t.name == name || t.node == name)
}

fn at_inputs(run: &Run) -> Finding {
    let all = &run.verdict.input_mismatch;
    let place = all.first().map_or("", |f| &f.place);
    let what = "at the inputs: the two sides do not see the same; look at preprocessing first";
    Finding::new("inputs", place, what)
        .facts(all.iter().map(|f| f.what.clone()))
        .next(all.iter().flat_map(|f| f.next.clone()))
}

/// A recording in another dtype than the other side computes in, from the first tensor that differs on: no node is at fault for that.
fn another_dtype(run: &Run) -> Option<Finding> {
    let dtypes = |t: &TensorResult| match &t.accumulated {
        Accumulated::Compared {
            comparison: Comparison::Attributes(a),
            ..
        } if a.shape.is_none() => a.dtype,
        Accumulated::Compared { .. }
        | Accumulated::TieFlip { .. }
        | Accumulated::NotJudged { .. } => None,
    };
    let is_recorded = |s: &Subject| matches!(s, Subject::Recorded(_));
    let recorded = run
        .scenario
        .as_ref()
        .is_none_or(|s| is_recorded(&s.reference) || is_recorded(&s.candidate));
    let mut over = run.tensors.iter();
    let first = over
        .find(|t| t.accumulated.over() || t.isolated.over())
        .filter(|_| recorded)?;
    let (r, c) = dtypes(first)?;
    let same = run.tensors.iter().filter(|t| dtypes(t) == Some((r, c)));
    let (count, of) = (same.count(), run.tensors.len());
    let what = format!(
        "in dtype: the reference holds {r} where the candidate holds {c}, in {count} of {of} tensors"
    );
    let next = [
        "numbers of another dtype are not held against each other: record that side again in the dtype of the other, or name the",
        "model that computes in the dtype of the recording",
    ];
    let fact = format!(
        "first       '{}' of node '{}' ({})",
        first.name, first.node, first.op
    );
    let found = Finding::new("dtype", &*first.name, what).facts([fact]);
    Some(found.next(next.map(String::from)))
}

/// Recordings of which nobody knows in which order they were computed.
fn unordered(run: &Run) -> Finding {
    let over = run.tensors.iter().filter(|t| t.accumulated.over());
    let over: Vec<&TensorResult> = over.collect();
    let what = format!(
        "{} of {} tensors differ; which one is first is not known",
        over.len(),
        run.tensors.len()
    );
    let shown = over.iter().take(SHOWN);
    let facts = shown.flat_map(|t| std::iter::once(format!("'{}'", t.name)).chain(accumulated(t)));
    let rest = over.len().saturating_sub(SHOWN);
    let next = [
        "plain safetensors are sorted by name: record the reference with its order (parity run ... --record FOLDER, or",
        "parity_port's Trace), or run the model itself against the trace (parity run MODEL --against TRACE)",
    ];
    let place = over.first().map_or("", |t| &t.name);
    Finding::new(UNORDERED, place, what)
        .facts(facts.chain((rest > 0).then(|| format!("and {rest} more (--all)"))))
        .next(next.map(String::from))
}

/// The first tensor that is off, of a node that could not be tested alone.
fn untested(run: &Run) -> Option<Finding> {
    let t = find(run, run.verdict.untested.first()?)?;
    let what = format!(
        "first at tensor '{}' of node '{}' ({}); own fault not tested",
        t.name, t.node, t.op
    );
    let found = Finding::new("untested", &*t.name, what).facts(accumulated(t));
    Some(found.next([next_untested(run, t)]))
}

fn drift(run: &Run, drift: &Drift) -> Finding {
    let what = format!(
        "by accumulated drift: no node is at fault alone, {} tensors are over their floor, first '{}'",
        drift.tensors, drift.first
    );
    let amplifier = format!(
        "largest amplification {}x at node '{}'",
        number(drift.amplification),
        drift.amplifier
    );
    let first = find(run, &drift.first).map(accumulated).unwrap_or_default();
    Finding::new("drift", &*drift.first, what)
        .facts(first.into_iter().chain([amplifier]))
        .number("tensors", drift.tensors as f64)
        .number("amplification", drift.amplification)
        .next(["look at the amplifying node; compute it in higher precision or accept the drift with a stated tolerance".into()])
}

/// Where a node could not be tested alone: what was given to a script, because it may want another part than the model; else how to test the node.
fn next_untested(run: &Run, tensor: &TensorResult) -> String {
    let sides = run.scenario.iter();
    let mut sides = sides.flat_map(|s| [&s.reference, &s.candidate]);
    let Some(script) = sides.find_map(Subject::script) else {
        return untested_recording(run, tensor);
    };
    let shown = run
        .inputs
        .iter()
        .map(|i| format!("'{}' {:?}", i.name, i.shape));
    let given = shown.collect::<Vec<_>>().join(", ");
    let taken = script.takes.as_ref();
    let taken = taken.map_or("all of it".into(), |t| t.join(", "));
    format!(
        "check the inputs first: the model was given {given}, the script {taken}; where the model wants more, such as samples of context, \
         feed it and give the script its part: takes = [\"NAME[FROM:TO]\"]"
    )
}

/// Where a recording stands for a side: two recordings want a model that computes; beside one that does, the node lacks what it is fed.
fn untested_recording(run: &Run, tensor: &TensorResult) -> String {
    let mut sides = run
        .scenario
        .iter()
        .flat_map(|s| [&s.reference, &s.candidate]);
    if run.correspondence.is_some() {
        return "have one of the two run its parts on the other's values: the model as ONNX, or a live port with the ability 'isolation' (docs/PORT.md)".into();
    }
    if !sides.any(|s| matches!(s, Subject::Recorded(_))) {
        return "run the model itself against this trace (parity run MODEL --against TRACE) to test the node alone".into();
    }
    let fed = run.graph_inputs.get(&tensor.node);
    let fed = fed.map(|names| few(names.iter().map(String::as_str), NODES));
    format!(
        "record what '{}' is fed as well ({}): then the node is tested alone",
        tensor.node,
        fed.unwrap_or_default()
    )
}

/// Whether only the golden speaks against this tensor.
fn golden_alone(run: &Run, stage: &StageVerdict) -> bool {
    let mut tensors = run.stages.golden.iter().flat_map(|g| &g.tensors);
    tensors.any(|t| t.over() && stage.first.as_deref() == Some(t.name.as_str()))
}

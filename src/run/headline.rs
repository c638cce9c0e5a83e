//! headline: what a tired engineer reads first: where, own fault or inherited, which side, with which numbers, and what to do.

use super::Run;
use crate::compare::{Comparison, Specials};
use crate::error::printable;
use crate::exit::Exit;
use crate::scenario::{Optimisation, Scenario, Stage, Subject};
use crate::tensor::index::unravel;
use crate::text::{few, number};
use crate::verdict::{
    Accumulated, Inside, Isolated, Origin, Outcome, Side, StageVerdict, TensorResult, ToleranceBy,
    Unobserved,
};

/// Nodes of one line that are named before the rest is counted.
const NODES: usize = 8;

/// Headline, facts, next step.
pub fn headline(run: &Run) -> String {
    let v = &run.verdict;
    let lines = match v.outcome {
        Outcome::Agree if run.expectation.exit == Exit::Uncovered => {
            vec!["TOO LITTLE COMPARED: what was compared agrees".to_string()]
        }
        Outcome::Agree => vec![agree(run)],
        Outcome::Nothing if run.tensors.iter().any(unjudged) => {
            vec!["NOT JUDGED: the metrics are shown, no tolerance was asked for".to_string()]
        }
        Outcome::Nothing => vec!["NOTHING COMPARED: no tensor could be compared".to_string()],
        Outcome::Diverge if !v.input_mismatch.is_empty() => {
            let mut lines = vec!["DIVERGE at the inputs: the two sides do not see the same; look at preprocessing first".to_string()];
            lines.extend(v.input_mismatch.iter().map(|m| format!("  {m}")));
            lines
        }
        Outcome::Diverge => diverge(run),
    };
    lines.iter().map(|l| printable(l) + "\n").collect()
}

fn unjudged(t: &TensorResult) -> bool {
    matches!(
        &t.accumulated,
        Accumulated::Compared {
            by: ToleranceBy::Unjudged,
            ..
        }
    )
}

fn agree(run: &Run) -> String {
    let flips = match run.verdict.tie_flips {
        0 => String::new(),
        n => format!(", {n} tie flips"),
    };
    let behind = match run.ledger.outputs_behind_ties {
        0 => String::new(),
        n => format!(
            "; {n} of {} outputs judged node by node only (behind ties)",
            run.ledger.outputs
        ),
    };
    format!("AGREE: every compared tensor is within its tolerance{flips}{behind}")
}

fn diverge(run: &Run) -> Vec<String> {
    let v = &run.verdict;
    if !v.ordered {
        return unordered(run);
    }
    if let Some(lines) = another_dtype(run) {
        return lines;
    }
    if let Some(origin) = v.origins.first() {
        return at_origin(run, origin);
    }
    if let Some(stage) = v
        .stage()
        .filter(|s| s.stage != Stage::Activations || golden_alone(run, s))
    {
        return at_stage(stage);
    }
    let find = |name: &str| {
        run.tensors
            .iter()
            .find(|t| t.name == name || t.node == name)
    };
    if let Some(t) = v.untested.first().and_then(|n| find(n)) {
        let mut lines = vec![format!(
            "DIVERGE first at tensor '{}' of node '{}' ({}); own fault not tested",
            t.name, t.node, t.op
        )];
        lines.extend(accumulated(t));
        lines.push(next_untested(run, t));
        return lines;
    }
    if let Some(drift) = &v.drift {
        let mut lines = vec![format!(
            "DIVERGE by accumulated drift: no node is at fault alone, {} tensors are over their floor, first '{}'",
            drift.tensors, drift.first
        )];
        lines.extend(find(&drift.first).map(accumulated).unwrap_or_default());
        lines.push(format!(
            "  largest amplification {}x at node '{}'",
            number(drift.amplification),
            drift.amplifier
        ));
        lines
            .push("  next: look at the amplifying node; compute it in higher precision or accept the drift with a stated tolerance".into());
        return lines;
    }
    v.only_unobserved
        .first()
        .map(only_unobserved)
        .unwrap_or_default()
}

/// A recording in another dtype than the other side computes in, from the first tensor that differs on: no node is at fault for that.
fn another_dtype(run: &Run) -> Option<Vec<String>> {
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
    let first = run
        .tensors
        .iter()
        .find(|t| t.accumulated.over() || t.isolated.over())
        .filter(|_| recorded)?;
    let (r, c) = dtypes(first)?;
    let count = run
        .tensors
        .iter()
        .filter(|t| dtypes(t) == Some((r, c)))
        .count();
    Some(vec![
        format!("DIVERGE in dtype: the reference holds {r} where the candidate holds {c}, in {count} of {} tensors", run.tensors.len()),
        format!("  first       '{}' of node '{}' ({})", first.name, first.node, first.op),
        "  next        numbers of another dtype are not held against each other: record that side again in the dtype of the other, or name the".into(),
        "              model that computes in the dtype of the recording".into(),
    ])
}

/// What only the deployed session shows.
fn only_unobserved(u: &Unobserved) -> Vec<String> {
    let mut lines = match (&u.refused, &u.comparison) {
        (Some(says), _) => {
            // The engine without the options of the observed run.
            let engine = u.subject.split(", ").next().unwrap_or_default();
            vec![
                format!(
                    "DIVERGE only when not observed: the deployed session of {engine} refuses what runs node by node"
                ),
                format!("  {says}"),
            ]
        }
        (None, comparison) => {
            let diff = comparison.as_ref().and_then(|c| c.metrics()).map_or(
                "another shape or dtype".into(),
                |m| {
                    format!(
                        "|un-observed - observed| {} at {}",
                        number(m.max_abs.value),
                        m.max_abs.index
                    )
                },
            );
            let says = "moves beyond its floor when the graph is optimised as deployed";
            vec![
                format!(
                    "DIVERGE only when not observed: output '{}' of {} {says}",
                    u.name, u.subject
                ),
                format!(
                    "  {diff}, {} x tolerance",
                    number(u.judgement.ratio().unwrap_or(f64::INFINITY))
                ),
            ]
        }
    };
    lines.extend(why(u));
    lines
}

/// Recordings of which nobody knows in which order they were computed.
fn unordered(run: &Run) -> Vec<String> {
    const SHOWN: usize = 12;
    let over: Vec<&TensorResult> = run
        .tensors
        .iter()
        .filter(|t| t.accumulated.over())
        .collect();
    let mut lines = vec![format!(
        "DIVERGE: {} of {} tensors differ; which one is first is not known",
        over.len(),
        run.tensors.len()
    )];
    lines.extend(
        over.iter()
            .take(SHOWN)
            .flat_map(|t| std::iter::once(format!("  '{}'", t.name)).chain(accumulated(t))),
    );
    lines
        .extend((over.len() > SHOWN).then(|| format!("  and {} more (--all)", over.len() - SHOWN)));
    lines.push(
        "  next        plain safetensors are sorted by name: record the reference with its order (parity run ... --record FOLDER, or"
            .into(),
    );
    lines.push("              parity_port's Trace), or run the model itself against the trace (parity run MODEL --against TRACE)".into());
    lines
}

/// Where a node could not be tested alone: what was given to a script, because it may want another part than the model; else how to test the node.
fn next_untested(run: &Run, tensor: &TensorResult) -> String {
    let subjects = run
        .scenario
        .iter()
        .flat_map(|s| [&s.reference, &s.candidate]);
    let Some(script) = subjects.into_iter().find_map(|s| match s {
        Subject::TorchScript(script) => Some(script),
        _ => None,
    }) else {
        return untested_recording(run, tensor);
    };
    let given = run
        .inputs
        .iter()
        .map(|i| format!("'{}' {:?}", i.name, i.shape))
        .collect::<Vec<_>>()
        .join(", ");
    let taken = script
        .takes
        .as_ref()
        .map_or("all of it".into(), |t| t.join(", "));
    format!(
        "  next: check the inputs first: the model was given {given}, the script {taken}; where the model wants more, such as samples of context, \
         feed it and give the script its part: takes = [\"NAME[FROM:TO]\"]"
    )
}

/// Where a recording stands for a side: two recordings want a model that computes; beside one that does, the node lacks what it is fed.
fn untested_recording(run: &Run, tensor: &TensorResult) -> String {
    let recorded = run
        .scenario
        .iter()
        .flat_map(|s| [&s.reference, &s.candidate])
        .find(|s| matches!(s, Subject::Recorded(_)));
    if recorded.is_none() {
        return "  next: run the model itself against this trace (parity run MODEL --against TRACE) to test the node alone".into();
    }
    let fed = run
        .graph_inputs
        .get(&tensor.node)
        .map(|names| few(names.iter().map(String::as_str), NODES))
        .unwrap_or_default();
    format!(
        "  next: record what '{}' is fed as well ({fed}): then the node is tested alone",
        tensor.node
    )
}

/// What an optimised session does otherwise, and how to do without.
fn why(u: &Unobserved) -> Vec<String> {
    let Some(cause) = &u.cause else {
        return vec![
            "  next: lower the deployed session's graph optimisation level and run again".into(),
        ];
    };
    if cause.level == Optimisation::Disable && u.refused.is_some() {
        return vec!["  next: it refuses at every optimisation level: check the file itself, such as by onnx.checker".into()];
    }
    let quoted = |list: &[String]| few(list.iter().map(String::as_str), NODES);
    let level = format!("{:?}", cause.level).to_lowercase();
    let by = match cause.optimisers.as_slice() {
        [] => format!("optimisation level {level}"),
        list => format!(
            "{} {}",
            if list.len() == 1 {
                "optimiser"
            } else {
                "optimisers"
            },
            list.join(" and ")
        ),
    };
    let between = match (cause.from.is_empty(), cause.to.is_empty()) {
        (false, false) => format!(
            " between tensors {} and {}",
            quoted(&cause.from),
            quoted(&cause.to)
        ),
        _ => String::new(),
    };
    let what = if u.refused.is_some() {
        "it refuses"
    } else {
        "the un-observed run differs"
    };
    let mut lines = vec![format!(
        "  {what} because of {by}{between}, from level {level} on"
    )];
    if !cause.nodes.is_empty() {
        lines.push(format!("  treated as one: {}", quoted(&cause.nodes)));
    }
    lines.push(match cause.optimisers.as_slice() {
        [] => "  next: deploy at a lower graph optimisation level, or report these nodes to the engine's authors".into(),
        list => format!("  next: leave it out: session config optimization.disable_specified_optimizers = \"{}\"", list.join(";")),
    });
    lines
}

/// Whether only the golden speaks against this tensor.
fn golden_alone(run: &Run, stage: &StageVerdict) -> bool {
    run.stages
        .golden
        .iter()
        .flat_map(|g| &g.tensors)
        .any(|t| t.over() && stage.first.as_deref() == Some(t.name.as_str()))
}

/// A divergence that no node is at fault for alone.
fn at_stage(stage: &StageVerdict) -> Vec<String> {
    let term = stage
        .term
        .as_ref()
        .map_or(String::new(), |t| format!(", term '{t}'"));
    let mut lines = vec![format!(
        "DIVERGE in stage {}{term}: first '{}'",
        stage.stage.name(),
        stage.first.as_deref().unwrap_or("?")
    )];
    lines.extend(stage.says.iter().map(|s| format!("  {s}")));
    lines.push(match stage.stage {
        Stage::Assign => "  next        compare the rule named above: top-k, threshold, inside test, or which ground truth wins".into(),
        Stage::Loss => "  next        compare weight, normaliser and reduction of this term".into(),
        Stage::Grad => {
            "  next        look for a detach, an in-place change or a non-differentiable operator between this term and the tensor".into()
        }
        Stage::Params => "  next        parity params REFERENCE CANDIDATE takes the difference apart, module by module".into(),
        Stage::Inputs | Stage::Activations => {
            "  next        look at the module of this tensor in the program that the golden was recorded from".into()
        }
    });
    lines
}

/// ", stage loss, term 'iou'" for an origin behind the network.
fn place(run: &Run, origin: &Origin) -> String {
    let found = run
        .verdict
        .stages
        .iter()
        .find(|s| s.first.as_deref() == Some(origin.node.as_str()));
    match found.filter(|s| s.stage != Stage::Activations) {
        Some(s) => format!(
            ", stage {}{}",
            s.stage.name(),
            s.term
                .as_ref()
                .map_or(String::new(), |t| format!(", term '{t}'"))
        ),
        None => String::new(),
    }
}

/// What was run alone.
fn whole(origin: &Origin) -> String {
    origin
        .inside
        .as_ref()
        .map_or("the node".into(), |i| format!("'{}' ({})", i.step, i.op))
}

/// How the tensor inside the body was found.
fn body(inside: &Inside) -> String {
    let turn = inside.turn.map_or(String::new(), |t| {
        format!(", in the first turn that is: {t}")
    });
    format!(
        "  body        '{}' was run as a whole: this is the first tensor of its body that is over{turn}",
        inside.step
    )
}

/// Which side is off. A recording may be of the original: then nothing says that it is wrong, only that this graph gives something else.
fn off(run: &Run, origin: &Origin) -> String {
    let recorded = |pick: fn(&Scenario) -> &Subject| {
        run.scenario
            .as_ref()
            .is_some_and(|s| matches!(pick(s), Subject::Recorded(_)))
    };
    let recording = match origin.side {
        Side::Reference => recorded(|s| &s.reference),
        Side::Candidate => recorded(|s| &s.candidate),
        Side::ReferenceOrShadow | Side::CandidateOrShadow | Side::Both | Side::Unknown => false,
    };
    match recording {
        true => format!(
            "{} (recorded): the engine and f64 agree that this graph gives something else on its inputs",
            origin.side.say()
        ),
        false => origin.side.say().to_string(),
    }
}

fn at_origin(run: &Run, origin: &Origin) -> Vec<String> {
    let independent = run.verdict.origins.iter().filter(|o| o.independent).count();
    let rank = if independent > 1 {
        format!(", first of {independent} independent origins")
    } else {
        String::new()
    };
    let mut lines = vec![format!(
        "DIVERGE at node '{}' ({}){}: {} itself is at fault{rank}",
        origin.node,
        origin.op,
        place(run, origin),
        whole(origin)
    )];
    lines.extend(origin.inside.as_ref().map(body));
    if let Some(t) = run.tensors.iter().find(|t| t.name == origin.tensor) {
        lines.push(format!(
            "  tensor      '{}' {} {:?}",
            t.name,
            t.dtype.map_or("?", |d| d.name()),
            t.shape
        ));
        lines.extend(isolated(t));
        lines.extend(accumulated(t));
    }
    lines.push(format!("  off         {}", off(run, origin)));
    lines.push(inputs(run, origin));
    lines.push(format!(
        "  next        check weights, attributes and input order of '{}' on the side that is off",
        origin.node
    ));
    lines.push("              or take it out, to replay or to report it: the same command with --extract FOLDER".into());
    lines
}

fn isolated(t: &TensorResult) -> Vec<String> {
    match &t.isolated {
        Isolated::Bounded {
            bounded: b,
            family,
            terms,
            ..
        } => {
            let w = &b.worst;
            vec![
                format!(
                    "  isolated    reference {} x bound, candidate {} x bound, {} of {} elements over",
                    number(b.reference),
                    number(b.candidate),
                    b.failing,
                    t.shape.iter().product::<usize>()
                ),
                format!(
                    "              worst at {:?}: reference {}, candidate {}, f64 {}, bound {} ({}, K = {terms})",
                    unravel(w.index, &t.shape),
                    number(w.reference),
                    number(w.candidate),
                    number(w.shadow),
                    number(w.bound),
                    family.name()
                ),
            ]
        }
        Isolated::Exact { comparison, .. }
        | Isolated::RuleDifference { comparison, .. }
        | Isolated::Stated { comparison, .. } => {
            match comparison.metrics() {
                Some(m) => {
                    // A value that is not finite on one side is the fact; a largest difference says nothing beside it.
                    let worst = m.specials.first_conflict.as_ref().unwrap_or(&m.max_abs);
                    let (at, differ) = (unravel(worst.index, &t.shape), m.mismatches);
                    let sides = format!(
                        "reference {}, candidate {}",
                        worst.reference_text(),
                        worst.candidate_text()
                    );
                    vec![format!(
                        "  isolated    {differ} of {} elements differ, at {at:?}: {sides}; exact expected",
                        m.numel
                    )]
                }
                None => vec![format!("  isolated    {}", attributes(comparison))],
            }
        }
        Isolated::TieFlip { flips, of, .. } => vec![format!(
            "  isolated    {flips} of {of} decisions flip at exact ties"
        )],
        Isolated::NotJudged { why } => vec![format!("  isolated    {why}")],
    }
}

fn attributes(comparison: &Comparison) -> String {
    let Comparison::Attributes(a) = comparison else {
        return String::new();
    };
    let dtype = a.dtype.map(|(r, c)| format!("dtype {r} against {c}"));
    let shape = a
        .shape
        .as_ref()
        .map(|(r, c)| format!("shape {r:?} against {c:?}"));
    [dtype, shape]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(", ")
}

fn accumulated(t: &TensorResult) -> Vec<String> {
    match &t.accumulated {
        Accumulated::Compared {
            comparison,
            ratio,
            by,
        } => match comparison.metrics() {
            Some(m) if m.specials.conflicts > 0 => vec![not_finite(&m.specials, &t.shape)],
            Some(m) => vec![format!(
                "  accumulated |candidate - reference| {} at {:?}, relative L2 {}, {} x tolerance ({})",
                number(m.max_abs.value),
                unravel(m.max_abs.index, &t.shape),
                number(m.rel_l2),
                number(*ratio),
                provenance(by)
            )],
            None => vec![format!("  accumulated {}", attributes(comparison))],
        },
        Accumulated::TieFlip { flips, of, margin } => {
            vec![format!(
                "  accumulated {flips} of {of} decisions flip, f64 margin {}",
                number(*margin)
            )]
        }
        Accumulated::NotJudged { why } => vec![format!("  accumulated not judged: {why}")],
    }
}

/// What is not finite on one side, or otherwise on both: a largest difference says nothing beside it.
fn not_finite(s: &Specials, shape: &[usize]) -> String {
    let first = s.first_conflict.clone().unwrap_or_default();
    let is = |v: f64| {
        if v.is_nan() {
            Some("NaN")
        } else {
            v.is_infinite().then_some("infinity")
        }
    };
    let who = match (is(first.reference), is(first.candidate)) {
        (Some(r), Some(c)) => format!("{r} in the reference and {c} in the candidate"),
        (Some(r), None) => format!("{r} in the reference"),
        (_, c) => format!("{} in the candidate", c.unwrap_or("NaN")),
    };
    format!(
        "  accumulated {who}, first at {:?}: reference {}, candidate {}; {} elements are finite on one side only or unlike",
        unravel(first.index, shape),
        number(first.reference),
        number(first.candidate),
        s.conflicts
    )
}

/// Where a tolerance came from.
pub fn provenance(by: &ToleranceBy) -> String {
    match by {
        ToleranceBy::Rounding => "one node's rounding".into(),
        ToleranceBy::Noise { runs } => format!(
            "{} x Monte Carlo spread, {runs} runs",
            crate::floor::noise::R
        ),
        ToleranceBy::CandidateNoise { runs } => {
            format!(
                "{} x the candidate's own Monte Carlo spread, {runs} runs, at most 1e-3 of the values",
                crate::floor::noise::R
            )
        }
        ToleranceBy::Positives => "the same positives".into(),
        ToleranceBy::Exact => "exact".into(),
        ToleranceBy::Stated => "stated".into(),
        ToleranceBy::Unjudged => "not judged".into(),
    }
}

/// Which inputs of the origin still agreed.
fn inputs(run: &Run, origin: &Origin) -> String {
    let step_inputs = run
        .graph_inputs
        .get(&origin.node)
        .cloned()
        .unwrap_or_default();
    let state = |name: &String| match run.tensors.iter().find(|t| t.name == *name) {
        Some(t) if t.accumulated.over() => format!("'{name}' differs"),
        Some(t) if t.accumulated.compared() => format!("'{name}' agrees"),
        Some(_) => format!("'{name}' not compared"),
        None if run.inputs.iter().any(|i| i.name == *name) => {
            format!("'{name}' identical (graph input)")
        }
        None => format!("'{name}' (weight)"),
    };
    format!(
        "  inputs      {}",
        step_inputs.iter().map(state).collect::<Vec<_>>().join(", ")
    )
}

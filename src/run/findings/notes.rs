//! notes: what somebody should look at although nothing is wrong for it, and what whoever wants to know may read.

use super::super::{Run, Sample};
use crate::exit::Exit;
use crate::text::{few, number};
use crate::verdict::{Born, Finding, Outcome, Severity, Special, TensorResult, Unexercised};

/// Names of one kind that are listed before the rest is counted.
const NAMED: usize = 3;

/// Recorded tensors that are listed before the rest is counted.
const LEFT: usize = 5;

/// The share of a tensor's own size above which its tolerance is said to be wide.
const WIDE: f64 = 0.01;

pub fn of(run: &Run) -> Vec<Finding> {
    let mut all = Vec::from_iter(sampled(run));
    all.extend(left_over(run));
    all.extend(run.verdict.born.iter().map(born));
    all.extend(unrepeated(run));
    if run.verdict.outcome == Outcome::Agree {
        all.extend(untried(&run.ledger.unexercised));
    }
    all.extend(wide(run));
    let flags = run.stages.loss.iter().flat_map(|l| &l.flags);
    all.extend(flags.filter(|f| !f.is_fault()).cloned());
    all.extend(run.stages.notes.iter().cloned());
    all
}

/// What came of several samples; whatever else is said is of the one that says most.
fn sampled(run: &Run) -> Option<Finding> {
    let (agree, other): (Vec<&Sample>, _) = run.samples.iter().partition(|s| s.exit == Exit::Agree);
    let said = |s: &&Sample| match (s.exit, &s.first) {
        (Exit::Diverge, Some(first)) => format!("'{}' diverges first at '{first}'", s.name),
        (exit, _) => format!("'{}' ends in {}", s.name, exit as u8),
    };
    let shown: Vec<String> = other.iter().take(NAMED).map(said).collect();
    let rest = match other.len() - shown.len() {
        0 => String::new(),
        n => format!("; {n} more do not agree"),
    };
    let what = format!(
        "{} of {} samples agree{}{rest}",
        agree.len(),
        run.samples.len(),
        shown.iter().map(|s| format!("; {s}")).collect::<String>()
    );
    let first = other.first().copied().or(run.samples.first())?;
    let found = Finding::new("samples", &*first.name, what);
    Some(found.severity(match other.is_empty() {
        true => Severity::Note,
        false => Severity::Warning,
    }))
}

fn left_over(run: &Run) -> Option<Finding> {
    let names = &run.ledger.leftovers;
    let shown: Vec<&str> = names.iter().take(LEFT).map(String::as_str).collect();
    let what = format!(
        "{} recorded tensors pair with nothing: {}",
        names.len(),
        shown.join(", ")
    );
    let found = Finding::new("left_over", *shown.first()?, what);
    Some(found.severity(Severity::Warning))
}

/// Where the first NaN or infinity is made.
fn born(b: &Born) -> Finding {
    let special = match b.special {
        Special::NaN => "NaN",
        Special::Infinity => "infinity",
    };
    let [r, c] = b.elements;
    let who = match (b.reference, b.candidate) {
        (true, true) => format!("on both sides ({r} and {c} elements)"),
        (true, false) => format!("in the reference ({r} elements)"),
        (false, _) => format!("in the candidate ({c} elements)"),
    };
    let what = format!(
        "the first {special} is made by node '{}' ({}) {who}",
        b.node, b.op
    );
    Finding::new("not_finite", &*b.node, what).severity(Severity::Warning)
}

fn unrepeated(run: &Run) -> Option<Finding> {
    let noisy = run
        .tensors
        .iter()
        .find_map(|t| Some((t, t.repeat_noise.as_ref()?)));
    let (tensor, noise) = noisy?;
    let what = format!("{noise} (from '{}' on)", tensor.node);
    let found = Finding::new("repeat", &*tensor.node, what);
    Some(found.severity(Severity::Warning))
}

/// What an agreement on these inputs says nothing of.
fn untried(of: &Unexercised) -> Option<Finding> {
    let line = |names: &[String], one: &str, many: &str| {
        let what = if names.len() == 1 { one } else { many };
        let named = few(names.iter().map(String::as_str), NAMED);
        (!names.is_empty()).then(|| format!("{} {what} ({named})", names.len()))
    };
    let parts = [
        line(
            &of.weights,
            "weight moves no output",
            "weights move no output",
        ),
        line(
            &of.cuts,
            "node that cuts off cuts nothing",
            "nodes that cut off cut nothing",
        ),
        line(
            &of.decisions,
            "decision is the same everywhere",
            "decisions are the same everywhere",
        ),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let first = of.weights.iter().chain(&of.cuts).chain(&of.decisions);
    let what = format!("on these inputs {}", parts.join("; "));
    let found = Finding::new("not_tried", first.into_iter().next()?, what);
    Some(found.severity(Severity::Note))
}

/// Tensors whose noise floor tolerates more than [`WIDE`] of their own size: little is said of them by an agreement.
fn wide(run: &Run) -> Option<Finding> {
    let share = |t: &TensorResult| t.tolerated().filter(|share| *share > WIDE);
    let tensors = run.tensors.iter();
    let all: Vec<(f64, &str)> = tensors
        .filter_map(|t| Some((share(t)?, t.name.as_str())))
        .collect();
    let (share, widest) = *all.iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
    let whose = match all.len() {
        1 => "of 1 tensor above 1 % of its".to_string(),
        n => format!("of {n} tensors above 1 % of their"),
    };
    let at_least = number(share);
    let what = format!("{whose} own size, the widest at '{widest}' ({at_least} of it at least)");
    let found = Finding::new("wide_tolerance", widest, what);
    Some(found.number("share", share).severity(Severity::Note))
}

//! stages: assignment, loss and gradients of two recordings, judged between the two themselves; a kernel is a third opinion and no judge of the reference.

use super::both::Both;
use super::third::{Third, WHO};
use super::{assigned, gradients, ledger};
use crate::error::Result;
use crate::judge::stage::assign::Difference;
use crate::judge::stage::grad::Gradient;
use crate::judge::stage::loss::Step;
use crate::judge::stage::{Stages, assign, grad, loss};
use crate::scenario::Stage;
use crate::scenario::training::{ITEMS, raw};
use crate::text::number;
use crate::verdict::{
    Accumulated, Finding, Outcome, Severity, StageVerdict, TensorResult, ToleranceBy, Why,
};

/// What the stages found, and one verdict for each that either recording has.
#[derive(Default)]
pub struct Found {
    pub stages: Stages,
    pub verdicts: Vec<StageVerdict>,
}

/// Tensors that the pairs of an assignment settle: what background holds is a convention.
const TARGETS: [&str; 4] = [
    "assign.fg_mask",
    "assign.gt_index",
    "assign.target_labels",
    "assign.target_boxes",
];

/// Judges the stages, and settles the tensors that they decide. None where neither recording has any of a training step.
///
/// # Errors
/// An unknown kernel.
pub fn found(both: &Both, tensors: &mut [TensorResult]) -> Result<Option<Found>> {
    let third = Third::asked(both)?;
    let third = third.as_ref();
    let mut all = Found::default();
    if let Some(of) = assigned::found(both, third) {
        settle(both, &of.report, tensors);
        all.verdicts.push(assignment(&of.report));
        all.stages.notes.extend(of.notes);
        all.stages.assign = Some(of.report);
    }
    if let Some(of) = ledger::found(both, third, tensors) {
        let items = tensors
            .iter_mut()
            .filter(|t| of.reordered && t.name == both.ours(ITEMS));
        items.for_each(within);
        let verdict = losses(both, &of.report, tensors);
        let why = of.report.why.clone();
        all.verdicts.push(StageVerdict {
            why: why.filter(|_| verdict.outcome == Outcome::Diverge),
            ..verdict
        });
        all.stages.notes.extend(of.notes);
        all.stages.loss = Some(of.report);
    }
    if let Some(own) = gradients::report(both, tensors) {
        let (kernel, notes) = third.map_or((None, vec![]), |t| gradients::of_kernel(both, t));
        all.verdicts.push(gradient(&own, kernel.as_ref()));
        all.stages.notes.extend(notes);
        all.stages.grad = kernel.into_iter().chain([own]).collect();
    }
    all.stages
        .notes
        .extend(third.iter().flat_map(|t| t.cut_off()));
    let silent = third
        .iter()
        .flat_map(|t| t.silent().into_iter().map(|s| quiet(t, s)));
    all.stages.notes.extend(silent);
    Ok((!all.verdicts.is_empty()).then_some(all))
}

fn quiet(third: &Third, (who, why): (&str, &str)) -> Finding {
    let what = format!("kernel '{}' was not asked of the {who}: {why}", third.name);
    Finding::new("kernel", who, what)
        .of(who)
        .severity(Severity::Warning)
}

/// The candidate against the reference, where both assignments were read.
fn between(report: &assign::Report) -> Option<&Difference> {
    report.differences.iter().find(|d| d.against == WHO[0])
}

/// Where all positives agree but for ties, the tensors of the assignment say no more; what lies behind a tie is not judged.
fn settle(both: &Both, report: &assign::Report, tensors: &mut [TensorResult]) {
    let Some(d) = between(report).filter(|d| d.is_settled()) else {
        return;
    };
    let targets = TARGETS.map(|n| both.ours(n));
    for t in tensors.iter_mut().filter(|t| t.accumulated.over()) {
        if t.name == targets[0] && d.tie_flips > 0 {
            t.accumulated = Accumulated::TieFlip {
                flips: d.tie_flips as u64,
                of: t.shape.iter().product::<usize>() as u64,
                margin: 0.0,
            };
        } else if d.tie_flips > 0 && is_behind(both.standard(&t.name)) {
            let node = targets[0].into();
            t.accumulated = Accumulated::NotJudged {
                why: Why::BehindFlip { node },
            };
        } else if targets.contains(&t.name.as_str()) {
            within(t);
        }
    }
}

/// Whether a tensor of this name is made from the assignment.
fn is_behind(standard: &str) -> bool {
    let begins = ["assign.target_", "assign.gt_index", "loss.", "grad."];
    begins.iter().any(|b| standard.starts_with(b))
}

/// The same but for a convention.
fn within(t: &mut TensorResult) {
    if let Accumulated::Compared { ratio, by, .. } = &mut t.accumulated {
        (*ratio, *by) = (0.0, ToleranceBy::Positives);
    }
}

fn assignment(report: &assign::Report) -> StageVerdict {
    let own = report
        .differences
        .iter()
        .find(|d| d.who == WHO[1] && d.against != WHO[0] && d.over());
    let Some(d) = own.or_else(|| between(report)) else {
        return StageVerdict::nothing(Stage::Assign, report.untested.join("; "));
    };
    if d.over() {
        return crate::judge::stage::other_assignment(d);
    }
    let counts = report.counts.iter();
    let counts: Vec<String> = counts
        .map(|c| format!("{} {} of {} {}", c.who, c.positives, c.anchors, c.counted))
        .collect();
    let mut says = vec![format!(
        "the same positives by pairs ({}); {} tie flips",
        counts.join(", "),
        d.tie_flips
    )];
    says.extend(report.untested.iter().cloned());
    StageVerdict {
        says,
        ..StageVerdict::agree(Stage::Assign, String::new())
    }
}

fn diverge(stage: Stage, first: &str, term: Option<&str>, says: String) -> StageVerdict {
    StageVerdict {
        outcome: Outcome::Diverge,
        first: Some(first.into()),
        term: term.map(String::from),
        ..StageVerdict::agree(stage, says)
    }
}

fn losses(both: &Both, report: &loss::Report, tensors: &[TensorResult]) -> StageVerdict {
    // A term that is what the kernel makes of the candidate's own inputs differs by these.
    let own = |term: &str| {
        let mut checks = report.checks.iter().filter(|c| c.who == WHO[1]);
        checks
            .find(|c| c.tensor == raw(term))
            .map(|c| c.judgement.over())
    };
    for term in report.terms.iter().filter(|t| own(&t.name) != Some(false)) {
        if let Some(step) = term.steps.iter().find(|s| s.judgement.over()) {
            return diverge(
                Stage::Loss,
                &step.tensor,
                Some(&term.name),
                off(&term.name, step),
            );
        }
    }
    if let Some((what, says)) = report.first() {
        let term = what.strip_prefix("loss.").unwrap_or(&what);
        return diverge(Stage::Loss, &what, Some(term), says);
    }
    let inherited: Vec<&str> = report
        .terms
        .iter()
        .map(|t| t.name.as_str())
        .filter(|t| own(t) == Some(false))
        .collect();
    let of_loss = |t: &&TensorResult| both.standard(&t.name).starts_with("loss.");
    let rest = tensors.iter().filter(of_loss);
    let (judged, open): (Vec<_>, Vec<_>) = rest.partition(|t| t.accumulated.compared());
    let is_inherited = |t: &TensorResult| {
        inherited
            .iter()
            .any(|term| both.standard(&t.name).starts_with(&raw(term)))
    };
    let whole = |t: &&&TensorResult| t.accumulated.over() && !is_inherited(t);
    if let Some(t) = judged
        .iter()
        .find(whole)
        .filter(|_| inherited.len() < report.terms.len().max(1))
    {
        let says = format!(
            "'{}' is over its tolerance, every step of a term in front of it within",
            t.name
        );
        return diverge(Stage::Loss, &t.name, Some("total"), says);
    }
    if judged.is_empty() {
        return StageVerdict::nothing(Stage::Loss, "no value of the loss was compared".into());
    }
    let steps: usize = report.terms.iter().map(|t| t.steps.len()).sum();
    let mut says = format!(
        "{} values, {steps} steps of {} terms",
        judged.len(),
        report.terms.len()
    );
    if !open.is_empty() {
        says += &format!("; {} not judged, first '{}'", open.len(), open[0].name);
    }
    if judged.iter().any(|t| t.accumulated.over()) {
        says += "; what differs is what the kernel makes of the candidate's own inputs";
    }
    StageVerdict::agree(Stage::Loss, says)
}

/// What the first step that is off comes to on both sides.
fn off(term: &str, step: &Step) -> String {
    let size = |s: &Option<loss::Size>| match s {
        Some(s) => format!(
            "{} elements, sum {}, norm {}",
            s.elements,
            number(s.sum),
            number(s.norm)
        ),
        None => "nothing".into(),
    };
    format!(
        "term '{term}' is off from its step {} on: {} in the candidate, {} in the reference ({} x tolerance)",
        step.step,
        size(&step.candidate),
        size(&step.reference),
        number(step.judgement.ratio().unwrap_or(f64::NAN))
    )
}

fn gradient(own: &grad::Report, kernel: Option<&grad::Report>) -> StageVerdict {
    let first = kernel.and_then(|k| Some((k, k.first()?)));
    // What the kernel makes of the candidate's own inputs differs by these.
    let inherited = |term: &str, g: &Gradient| {
        let of_term = kernel
            .into_iter()
            .flat_map(|k| &k.terms)
            .filter(|t| t.term == term);
        let mut same = of_term.flat_map(|t| &t.gradients);
        same.any(|k| k.name == g.name && !k.state.over())
    };
    let pairs = || {
        own.terms
            .iter()
            .flat_map(|t| t.gradients.iter().map(move |g| (t.term.as_str(), g)))
    };
    let off = || pairs().find(|(term, g)| g.state.over() && !inherited(term, g));
    if let Some((report, (term, g))) = first.or_else(|| Some((own, off()?))) {
        return crate::judge::stage::lost_or_other(report, term, g);
    }
    let compared = own.compared() + kernel.map_or(0, grad::Report::compared);
    if compared == 0 {
        let why = own
            .abstained
            .clone()
            .unwrap_or_else(|| "no gradient was compared".into());
        return StageVerdict::nothing(Stage::Grad, why);
    }
    let terms: Vec<&str> = own.terms.iter().map(|t| t.term.as_str()).collect();
    let open = pairs()
        .filter(|(_, g)| !g.state.compared() && g.state != grad::State::BothAbsent)
        .count();
    let mut says = format!(
        "{compared} gradients of {} within their tolerance",
        terms.join(", ")
    );
    if open > 0 {
        says += &format!("; {open} not judged");
    }
    StageVerdict::agree(Stage::Grad, says)
}

//! verdicts: what every stage found, in the order a port breaks; the first that diverges is where to look.

use super::golden::Witnessed;
use super::loss::{Flag, FlagKind};
use super::regions::Regions;
use super::{StageVerdict, Stages};
use crate::params::Cause;
use crate::report::number;
use crate::scenario::Stage;
use crate::scenario::training::TERMS;
use crate::verdict::{Origin, Outcome, Verdict};

/// One verdict per stage of `stages`, which are those that were asked for; `behind` says whether the stages behind the activations ran.
pub fn verdicts(stages: &[Stage], verdict: &Verdict, regions: &Regions, found: &Stages, behind: bool) -> Vec<StageVerdict> {
    let no_shadow = |stage| StageVerdict::nothing(stage, "not compared: these stages need the f64 shadow (tolerance = \"floor\")".into());
    let own = |stage: &Stage| match stage {
        Stage::Inputs => inputs(verdict),
        Stage::Params => params(found),
        Stage::Activations => activations(verdict, regions),
        Stage::Assign | Stage::Loss | Stage::Grad if !behind => no_shadow(*stage),
        Stage::Assign => at_origin(Stage::Assign, verdict, regions).unwrap_or_else(|| assign(found)),
        Stage::Loss => at_origin(Stage::Loss, verdict, regions).map_or_else(|| loss(found), |v| with_weights(v, found)),
        Stage::Grad => grad(found),
    };
    let one = |stage: &Stage| match own(stage) {
        v if v.outcome == Outcome::Diverge => v,
        v => golden(*stage, regions, found).unwrap_or(v),
    };
    stages.iter().map(one).collect()
}

/// The first tensor of this stage that the golden has otherwise than the reference.
fn golden(stage: Stage, regions: &Regions, found: &Stages) -> Option<StageVerdict> {
    let report = found.golden.as_ref()?;
    let here = |t: &&Witnessed| t.over() && regions.stage(t.step) == stage;
    let t = report.tensors.iter().find(here)?;
    let note = t.note.as_ref().map_or(String::new(), |n| format!(" ({n})"));
    let says = format!(
        "golden ({}) against reference: '{}' {} x floor, relative L2 {}{note}",
        report.subject,
        t.name,
        number(t.judgement.ratio().unwrap_or(f64::NAN)),
        number(t.distance)
    );
    Some(diverge(stage, &t.name, regions.terms(t.step).first().map(|s| s.to_string()), vec![says]))
}

fn params(found: &Stages) -> StageVerdict {
    let Some(d) = &found.params else { return StageVerdict::nothing(Stage::Params, "not compared".into()) };
    let groups = d.parameters.groups().iter().chain(d.trainable.iter().flat_map(|t| t.groups()));
    // A buffer that only one side lists changes no count and no function.
    let mut wrong = groups.filter(|g| g.cause != Cause::Same && (g.reference, g.candidate) != (0, 0));
    let count = d.parameters.reference();
    match wrong.next() {
        None if count == 0 => StageVerdict::nothing(Stage::Params, "neither side lists a parameter".into()),
        None => StageVerdict::agree(Stage::Params, format!("{count} parameters, each with its like")),
        Some(g) => {
            let says = format!(
                "reference {count} parameters, candidate {} ({:+}); first module '{}': {} ({:+})",
                d.parameters.candidate(),
                d.parameters.difference(),
                g.module,
                g.cause.say(),
                g.difference()
            );
            diverge(Stage::Params, &g.module, None, vec![says])
        }
    }
}

fn diverge(stage: Stage, first: &str, term: Option<String>, says: Vec<String>) -> StageVerdict {
    StageVerdict { stage, outcome: Outcome::Diverge, first: Some(first.into()), term, says }
}

fn inputs(v: &Verdict) -> StageVerdict {
    match v.input_mismatch.first() {
        Some(first) => diverge(Stage::Inputs, first, None, v.input_mismatch.clone()),
        None => StageVerdict::agree(Stage::Inputs, "the same bits on both sides".into()),
    }
}

fn activations(v: &Verdict, regions: &Regions) -> StageVerdict {
    if let Some(found) = at_origin(Stage::Activations, v, regions) {
        return found;
    }
    // What has no origin of its own, and none in a later stage either, is the network's.
    let elsewhere = !v.origins.is_empty();
    let drift = v.drift.as_ref().map(|d| d.first.as_str());
    let rest = v.untested.first().map(String::as_str).or(drift).or(v.only_unobserved.first().map(|u| u.name.as_str()));
    match (rest, v.outcome) {
        (Some(first), _) if !elsewhere => {
            diverge(Stage::Activations, first, None, vec![format!("first at '{first}'; no node is at fault alone")])
        }
        (_, Outcome::Nothing) => StageVerdict::nothing(Stage::Activations, "nothing compared".into()),
        _ => StageVerdict::agree(Stage::Activations, "every tensor of the network within its tolerance".into()),
    }
}

/// The first node of this stage that is at fault by itself.
fn at_origin(stage: Stage, v: &Verdict, regions: &Regions) -> Option<StageVerdict> {
    let here = |o: &&Origin| regions.stage(o.step) == stage;
    let origin = v.origins.iter().find(here)?;
    let term = match (regions.terms(origin.step), stage) {
        // What every term is made with belongs to none of them.
        (all, _) if all.len() == TERMS.len() => Some("total".to_string()),
        ([term, ..], _) => Some(term.to_string()),
        ([], Stage::Loss) => Some("total".to_string()),
        ([], _) => None,
    };
    let says = vec![format!("node '{}' ({}) is at fault: {} is off", origin.node, origin.op, origin.side.say())];
    Some(diverge(stage, &origin.node, term, says))
}

fn assign(found: &Stages) -> StageVerdict {
    let Some(report) = &found.assign else { return StageVerdict::nothing(Stage::Assign, "not compared".into()) };
    let flips: usize = report.differences.iter().map(|d| d.tie_flips).sum();
    let Some(d) = report.differences.iter().find(|d| d.over()) else {
        return match report.differences.is_empty() {
            true => StageVerdict::nothing(Stage::Assign, "the assignments could not be read".into()),
            false => {
                let positives: Vec<String> = report.counts.iter().map(|c| format!("{} {}", c.who, c.positives)).collect();
                StageVerdict::agree(Stage::Assign, format!("the same positives by pairs ({}); {flips} tie flips", positives.join(", ")))
            }
        };
    };
    let mut says = vec![format!(
        "{} against {}: {} positives more, {} fewer, {} at another ground truth ({} of these are ties), {} labels and {} boxes differ",
        d.who, d.against, d.extra, d.missing, d.moved, d.tie_flips, d.labels, d.boxes
    )];
    says.extend(d.first.as_ref().map(|f| {
        let owner = |o: Option<usize>| o.map_or("background".into(), |g| format!("ground truth {g}"));
        format!(
            "first: image {}, anchor {}: {} instead of {}, by {} (margin {}, rounding moves {})",
            f.image,
            f.anchor,
            owner(f.owner),
            owner(f.expected),
            f.decision,
            number(f.gap),
            number(f.bound)
        )
    }));
    let first = match (d.rules(), d.labels) {
        (0, 0) => "assign.target_boxes",
        (0, _) => "assign.target_labels",
        _ => "assign.fg_mask",
    };
    diverge(Stage::Assign, first, None, says)
}

fn loss(found: &Stages) -> StageVerdict {
    let Some(report) = &found.loss else { return StageVerdict::nothing(Stage::Loss, "not compared".into()) };
    match report.first() {
        Some((what, says)) => {
            let term = what.strip_prefix("loss.").unwrap_or(&what).to_string();
            diverge(Stage::Loss, &what, Some(term), vec![says])
        }
        None if report.checks.is_empty() => StageVerdict::nothing(Stage::Loss, "the loss could not be read".into()),
        None => StageVerdict::agree(Stage::Loss, format!("{} values as the f64 kernel says", report.checks.len())),
    }
}

/// A node behind the terms belongs to none of them: a weight that no longer acts says which one it changed.
fn with_weights(at_origin: StageVerdict, found: &Stages) -> StageVerdict {
    let flags = found.loss.iter().flat_map(|l| &l.flags).filter(|f| f.kind == FlagKind::UnusedWeight && !f.expected);
    let unused: Vec<&Flag> = flags.collect();
    match unused.first().filter(|_| at_origin.term.as_deref() == Some("total")) {
        Some(first) => {
            let says = at_origin.says.into_iter().chain(unused.iter().map(|f| f.says.clone())).collect();
            StageVerdict { term: Some(first.term.clone()), says, ..at_origin }
        }
        None => at_origin,
    }
}

fn grad(found: &Stages) -> StageVerdict {
    let compared: usize = found.grad.iter().map(|r| r.compared()).sum();
    let abstained = found.grad.iter().find_map(|r| r.abstained.clone());
    match found.grad.iter().find_map(|r| r.first().map(|(term, g)| (r, term, g))) {
        Some((r, term, g)) => {
            let norm = |n: Option<f64>| n.map_or("none".to_string(), number);
            let says = format!(
                "{} against {}: gradient of '{term}' by '{}' {}: norm {} instead of {}, {} x floor",
                r.who,
                r.against,
                g.name,
                g.state.say(),
                norm(g.norm_candidate),
                norm(g.norm_reference),
                number(g.ratio)
            );
            diverge(Stage::Grad, &g.name, Some(term.into()), vec![says])
        }
        None if compared == 0 || abstained.is_some() => {
            StageVerdict::nothing(Stage::Grad, abstained.unwrap_or_else(|| "no gradient was compared".into()))
        }
        None => StageVerdict::agree(Stage::Grad, format!("{compared} gradients within their floors")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{assign, grad, loss};
    use super::*;

    fn empty() -> Verdict {
        Verdict {
            outcome: Outcome::Agree,
            origins: vec![],
            drift: None,
            untested: vec![],
            only_unobserved: vec![],
            input_mismatch: vec![],
            tie_flips: 0,
            born: vec![],
            ordered: true,
            stages: vec![],
        }
    }

    #[test]
    fn a_stage_without_anything_compared_abstains_and_never_passes() {
        let found = Stages { assign: Some(assign::Report::default()), loss: Some(loss::Report::default()), ..Default::default() };
        for behind in [false, true] {
            let all = verdicts(&[Stage::Params, Stage::Assign, Stage::Loss, Stage::Grad], &empty(), &Regions::default(), &found, behind);
            assert!(all.iter().all(|v| v.outcome == Outcome::Nothing), "{all:?}");
        }
    }

    #[test]
    fn a_lost_gradient_diverges_in_the_stage_of_gradients_and_names_term_and_tensor() {
        let t = crate::tensor::Tensor::of(&[1], &[1.0f64]);
        let g = grad::judge("pred_distri", grad::Exact { gradient: Some(&t), floor: None }, None, 1.0);
        let report = grad::Report {
            who: "candidate".into(),
            against: "f64 graph".into(),
            terms: vec![grad::TermGradients { term: "dfl".into(), gradients: vec![g] }],
            abstained: None,
        };
        let found = Stages { grad: vec![report], ..Default::default() };
        let v = verdicts(&[Stage::Grad], &empty(), &Regions::default(), &found, true).remove(0);
        assert_eq!((v.outcome, v.first.as_deref(), v.term.as_deref()), (Outcome::Diverge, Some("pred_distri"), Some("dfl")));
        assert!(v.says[0].contains("lost here"), "{}", v.says[0]);
    }

    #[test]
    fn an_origin_without_a_training_side_is_the_networks() {
        let origin = Origin {
            node: "n".into(),
            op: "Op".into(),
            tensor: "t".into(),
            step: 3,
            independent: true,
            side: crate::verdict::Side::Candidate,
            inside: None,
        };
        let v = Verdict { outcome: Outcome::Diverge, origins: vec![origin], ..empty() };
        let all = verdicts(&[Stage::Inputs, Stage::Activations], &v, &Regions::default(), &Stages::default(), false);
        assert_eq!(all.iter().map(|s| s.outcome).collect::<Vec<_>>(), [Outcome::Agree, Outcome::Diverge]);
    }
}

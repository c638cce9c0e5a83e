//! verdicts: what every stage found, in the order a port breaks; the first that diverges is where to look.

use super::golden::Witnessed;
use super::regions::Regions;
use super::{Stages, assign, grad};
use crate::params::Difference;
use crate::params::attributes::Setting;
use crate::scenario::Stage;
use crate::text::number;
use crate::verdict::{Finding, Origin, Outcome, StageVerdict, UNUSED_WEIGHT, Verdict};

/// One verdict per stage of `stages`, which are those that were asked for; `behind` says whether the stages behind the activations ran.
pub fn verdicts(
    stages: &[Stage],
    verdict: &Verdict,
    regions: &Regions,
    found: &Stages,
    behind: bool,
) -> Vec<StageVerdict> {
    let no_shadow = |stage| {
        StageVerdict::nothing(
            stage,
            "not compared: these stages need the f64 shadow (tolerance = \"floor\")".into(),
        )
    };
    let rest = |stage: Stage| off(verdict).filter(|first| home(first, stages, regions) == stage);
    let own = |stage: &Stage| match stage {
        Stage::Preprocess | Stage::Postprocess | Stage::Train => {
            StageVerdict::nothing(*stage, "it belongs to live ports".into())
        }
        Stage::Inputs => inputs(verdict, found.inputs),
        Stage::Params => params(found),
        Stage::Activations => activations(verdict, regions, rest(Stage::Activations)),
        Stage::Assign | Stage::Loss | Stage::Grad if !behind => no_shadow(*stage),
        Stage::Assign => at_origin(Stage::Assign, verdict, regions)
            .unwrap_or_else(|| or_rest(assign(found), rest(*stage), regions)),
        Stage::Loss => match at_origin(Stage::Loss, verdict, regions) {
            Some(at_origin) => with_weights(at_origin, found),
            None => or_rest(loss(found, regions), rest(*stage), regions),
        },
        Stage::Grad => grad(found, regions),
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
    Some(diverge(
        stage,
        &t.name,
        regions.terms(t.step).first().map(|s| s.to_string()),
        vec![says],
    ))
}

fn params(found: &Stages) -> StageVerdict {
    let Some(d) = &found.params else {
        return StageVerdict::nothing(Stage::Params, "not compared".into());
    };
    let groups = d
        .parameters
        .groups()
        .iter()
        .chain(d.trainable.iter().flat_map(|t| t.groups()));
    let mut wrong = groups.filter(|g| g.differs());
    let count = d.parameters.reference();
    let set = d.settings.differing.first();
    match wrong.next() {
        None if set.is_some() => differently_set(d),
        None if count == 0 => {
            StageVerdict::nothing(Stage::Params, "neither side lists a parameter".into())
        }
        None => StageVerdict::agree(
            Stage::Params,
            format!("{count} parameters, each with its like{}", valued(d)),
        ),
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

/// Equal parameters in modules that are set otherwise.
fn differently_set(d: &Difference) -> StageVerdict {
    let all = &d.settings.differing;
    let says = |s: &Setting| {
        format!(
            "'{}': {} {} of the reference, {} of the candidate",
            s.reference, s.attribute, s.values.0, s.values.1
        )
    };
    let first = all.first().map_or("", |s| s.reference.as_str());
    diverge(
        Stage::Params,
        first,
        None,
        all.iter().take(3).map(says).collect(),
    )
}

/// How many values that rests on.
fn valued(d: &Difference) -> String {
    match d.values.compared() {
        0 => "; values not compared".into(),
        n => format!("; {n} of {} values compared, each the same", d.values.pairs),
    }
}

fn diverge(stage: Stage, first: &str, term: Option<String>, says: Vec<String>) -> StageVerdict {
    StageVerdict {
        stage,
        outcome: Outcome::Diverge,
        first: Some(first.into()),
        term,
        says,
        why: None,
    }
}

/// `proved` of how many inputs are known to be the same: fed to both sides, or recorded with their digest.
fn inputs(v: &Verdict, proved: Option<(usize, usize)>) -> StageVerdict {
    match (v.input_mismatch.first(), proved) {
        (Some(first), _) => {
            let says = v.input_mismatch.iter().map(|f| f.what.clone());
            diverge(Stage::Inputs, &first.place, None, says.collect())
        }
        (None, Some((same, of))) if same < of => {
            let says = format!(
                "{same} of {of} inputs are the same bits; a recording without digests does not say what it was fed"
            );
            StageVerdict::agree(Stage::Inputs, says)
        }
        (None, _) => StageVerdict::agree(Stage::Inputs, "the same bits on both sides".into()),
    }
}

/// The first tensor or node that is off where no node is known to be at fault.
fn off(v: &Verdict) -> Option<&str> {
    let drift = v.drift.as_ref().map(|d| d.first.as_str());
    v.untested
        .first()
        .map(String::as_str)
        .or(drift)
        .or(v.only_unobserved.first().map(|u| u.name.as_str()))
}

/// The stage, of those that were asked for, that a tensor or node belongs to.
fn home(name: &str, stages: &[Stage], regions: &Regions) -> Stage {
    regions
        .step(name)
        .map(|i| regions.stage(i))
        .filter(|s| stages.contains(s))
        .unwrap_or(Stage::Activations)
}

/// What the stage itself found, unless all it has is a tensor that is off.
fn or_rest(found: StageVerdict, rest: Option<&str>, regions: &Regions) -> StageVerdict {
    match rest.filter(|_| found.outcome != Outcome::Diverge) {
        None => found,
        Some(first) => {
            let terms = regions.step(first).map_or(&[][..], |i| regions.terms(i));
            diverge(
                found.stage,
                first,
                terms.first().map(|t| t.to_string()),
                vec![format!("first at '{first}'; no node is at fault alone")],
            )
        }
    }
}

fn activations(v: &Verdict, regions: &Regions, rest: Option<&str>) -> StageVerdict {
    if let Some(found) = at_origin(Stage::Activations, v, regions) {
        return found;
    }
    // What has no origin of its own, and none in a later stage either, is the network's.
    let elsewhere = !v.origins.is_empty();
    match (rest, v.outcome) {
        (Some(first), _) if !elsewhere => diverge(
            Stage::Activations,
            first,
            None,
            vec![format!("first at '{first}'; no node is at fault alone")],
        ),
        (_, Outcome::Nothing) => {
            StageVerdict::nothing(Stage::Activations, "nothing compared".into())
        }
        _ => StageVerdict::agree(
            Stage::Activations,
            "every tensor of the network within its tolerance".into(),
        ),
    }
}

/// The first node of this stage that is at fault by itself.
fn at_origin(stage: Stage, v: &Verdict, regions: &Regions) -> Option<StageVerdict> {
    let here = |o: &&Origin| regions.stage(o.step) == stage;
    let origin = v.origins.iter().find(here)?;
    let term = match (regions.terms(origin.step), stage) {
        // What every term is made with belongs to none of them.
        (all @ [_, _, ..], _) if all.len() == regions.all_terms().len() => {
            Some("total".to_string())
        }
        ([term, ..], _) => Some(term.to_string()),
        ([], Stage::Loss) => Some("total".to_string()),
        ([], _) => None,
    };
    let says = vec![format!(
        "node '{}' ({}) is at fault: {} is off",
        origin.node,
        origin.op,
        origin.side.say()
    )];
    Some(diverge(stage, &origin.node, term, says))
}

fn assign(found: &Stages) -> StageVerdict {
    let Some(report) = &found.assign else {
        return StageVerdict::nothing(Stage::Assign, "not compared".into());
    };
    match report.differences.iter().find(|d| d.over()) {
        Some(d) => other_assignment(d),
        None => same_assignment(report),
    }
}

fn same_assignment(report: &assign::Report) -> StageVerdict {
    let rest = report.untested.join("; ");
    if let Some(who) = ["reference", "candidate"]
        .into_iter()
        .find(|who| !report.has(who))
    {
        let why = if rest.is_empty() {
            format!("the assignment of the {who} was not compared")
        } else {
            rest
        };
        return StageVerdict::nothing(Stage::Assign, why);
    }
    if let Some(d) = report
        .differences
        .iter()
        .find(|d| d.unjudged + d.unjudged_scores > 0)
    {
        let (owners, scores) = (d.unjudged, d.unjudged_scores);
        let fact = format!(
            "{} against {}: {owners} positives and the soft targets of {scores} anchors differ",
            d.who, d.against
        );
        return StageVerdict::nothing(
            Stage::Assign,
            format!("{fact}, and nothing can be said of what rounding moves there"),
        );
    }
    let flips: usize = report.differences.iter().map(|d| d.tie_flips).sum();
    let positives: Vec<String> = report
        .counts
        .iter()
        .map(|c| format!("{} {}", c.who, c.positives))
        .collect();
    let mut says = vec![format!(
        "the same positives by pairs ({}); {flips} tie flips",
        positives.join(", ")
    )];
    says.extend(conventions(report));
    says.extend(Some(rest).filter(|r| !r.is_empty()));
    StageVerdict {
        says,
        ..StageVerdict::agree(Stage::Assign, String::new())
    }
}

/// What differs and is nothing to judge: background, and what rounding makes of the targets.
fn conventions(report: &assign::Report) -> Option<String> {
    let d = report
        .differences
        .iter()
        .find(|d| d.background > 0 && d.against == "reference")?;
    Some(format!(
        "{} background anchors of the {} have another label or box than the reference's: a convention, nothing is trained by it",
        d.background, d.who
    ))
}

pub fn other_assignment(d: &assign::Difference) -> StageVerdict {
    if let Some(unlike) = &d.unlike {
        return diverge(
            Stage::Assign,
            "assign.fg_mask",
            None,
            vec![format!("{} against {}: {unlike}", d.who, d.against)],
        );
    }
    let mut says = vec![format!(
        "{} against {}: {} positives more, {} fewer, {} at another ground truth ({} of these are ties), {} labels, {} boxes and {} soft targets differ",
        d.who, d.against, d.extra, d.missing, d.moved, d.tie_flips, d.labels, d.boxes, d.scores
    )];
    says.extend(d.first.as_ref().map(|f| {
        let owner =
            |o: Option<usize>| o.map_or("background".into(), |g| format!("ground truth {g}"));
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
    let values = [
        ("corners", d.largest_box, d.boxes),
        ("soft targets", d.largest_score, d.scores),
    ];
    says.extend(
        values
            .into_iter()
            .filter(|v| v.2 > 0)
            .map(|(what, off, _)| format!("{what} are off by up to {}", number(off))),
    );
    let first = match (d.rules(), d.labels, d.boxes) {
        (0, 0, 0) => "assign.target_scores",
        (0, 0, _) => "assign.target_boxes",
        (0, _, _) => "assign.target_labels",
        _ => "assign.fg_mask",
    };
    diverge(Stage::Assign, first, None, says)
}

fn loss(found: &Stages, regions: &Regions) -> StageVerdict {
    let Some(report) = &found.loss else {
        return StageVerdict::nothing(Stage::Loss, "not compared".into());
    };
    if let Some((what, says)) = report.first() {
        let term = what.strip_prefix("loss.").unwrap_or(&what).to_string();
        return StageVerdict {
            why: report.why.clone(),
            ..diverge(Stage::Loss, &what, Some(term), vec![says])
        };
    }
    if let Some(why) = ["reference", "candidate"]
        .iter()
        .find_map(|who| report.unjudged(who, regions.all_terms()))
    {
        return StageVerdict::nothing(Stage::Loss, why);
    }
    let (behind, judged): (Vec<_>, Vec<_>) = report
        .checks
        .iter()
        .partition(|c| c.judgement.why().is_some());
    let mut says = vec![format!("{} values as the f64 kernel says", judged.len())];
    if !behind.is_empty() {
        says[0] += &format!(", {} behind ties of the assignment", behind.len());
    }
    says.extend(Some(report.untested.join("; ")).filter(|s| !s.is_empty()));
    StageVerdict {
        says,
        ..StageVerdict::agree(Stage::Loss, String::new())
    }
}

/// A node behind the terms belongs to none of them: a weight that no longer acts says which one it changed.
fn with_weights(at_origin: StageVerdict, found: &Stages) -> StageVerdict {
    let flags = found
        .loss
        .iter()
        .flat_map(|l| &l.flags)
        .filter(|f| f.kind == UNUSED_WEIGHT && f.is_fault());
    let unused: Vec<&Finding> = flags.collect();
    match unused
        .first()
        .filter(|_| at_origin.term.as_deref() == Some("total"))
    {
        Some(first) => {
            let says = at_origin
                .says
                .into_iter()
                .chain(unused.iter().map(|f| f.what.clone()))
                .collect();
            StageVerdict {
                term: Some(first.place.clone()),
                says,
                ..at_origin
            }
        }
        None => at_origin,
    }
}

fn grad(found: &Stages, regions: &Regions) -> StageVerdict {
    if let Some((r, (term, g))) = found.grad.iter().find_map(|r| Some((r, r.first()?))) {
        return lost_or_other(r, term, g);
    }
    let nothing = |why: String| StageVerdict::nothing(Stage::Grad, why);
    let Some(candidate) = found.grad.iter().find(|r| r.who == "candidate") else {
        return nothing("no gradient was compared".into());
    };
    if let Some((r, (term, g))) = found.grad.iter().find_map(|r| Some((r, r.unjudged()?))) {
        return nothing(format!(
            "{}: gradient of '{term}' by '{}' {}",
            r.who,
            g.name,
            g.state.say()
        ));
    }
    let compared: usize = found.grad.iter().map(|r| r.compared()).sum();
    if candidate.compared() == 0 || !candidate.is_whole(regions.all_terms()) {
        return nothing(
            candidate
                .abstained
                .clone()
                .unwrap_or_else(|| "no gradient was compared".into()),
        );
    }
    let mut says = vec![format!("{compared} gradients within their floors")];
    says.extend(
        found
            .grad
            .iter()
            .filter_map(|r| Some(format!("{}: {}", r.who, r.abstained.as_ref()?))),
    );
    StageVerdict {
        says,
        ..StageVerdict::agree(Stage::Grad, String::new())
    }
}

pub fn lost_or_other(r: &grad::Report, term: &str, g: &grad::Gradient) -> StageVerdict {
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

#[cfg(test)]
mod tests {
    use super::super::loss;
    use super::*;
    use crate::graph::paper;
    use crate::scenario::training::{ASSIGNED, ITEMS, NORMALISER, PREDICTIONS, TOTAL};
    use crate::verdict::sample;

    fn empty() -> Verdict {
        sample::verdict(Outcome::Agree)
    }

    #[test]
    fn a_stage_without_anything_compared_abstains_and_never_passes() {
        let found = Stages {
            assign: Some(assign::Report::default()),
            loss: Some(loss::Report::default()),
            ..Default::default()
        };
        for behind in [false, true] {
            let all = verdicts(
                &[Stage::Params, Stage::Assign, Stage::Loss, Stage::Grad],
                &empty(),
                &Regions::default(),
                &found,
                behind,
            );
            assert!(all.iter().all(|v| v.outcome == Outcome::Nothing), "{all:?}");
        }
    }

    #[test]
    fn a_fault_in_a_loss_of_two_or_four_terms_is_in_the_term_that_alone_is_made_there() {
        const NAMES: [&str; 4] = ["iou", "dfl", "cls", "mask"];
        for terms in [&NAMES[..2], &NAMES] {
            let raw = |t: &&str| format!("{t}: Sum shared -> loss.{t}");
            let made = "made: Add pred_scores pred_distri -> shared".to_string();
            let mut nodes = vec![made];
            nodes.extend(terms.iter().map(raw));
            let all: Vec<String> = terms.iter().map(|t| format!("loss.{t}")).collect();
            nodes.push(format!("added: Sum {} -> loss.total", all.join(" ")));
            let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
            // What the graph takes is made by no node.
            let fed = PREDICTIONS.into_iter().chain(ASSIGNED);
            let inputs: Vec<&str> = fed.chain([ITEMS, NORMALISER]).collect();
            let graph = paper::graph(&inputs, &nodes, &[TOTAL]);
            let training = toml::from_str("kernel = \"of the test\"").unwrap();
            let regions = Regions::of(&graph, &training, terms).unwrap();
            let term = |step: usize| {
                let v = Verdict {
                    outcome: Outcome::Diverge,
                    origins: vec![origin(step)],
                    ..empty()
                };
                verdicts(&[Stage::Loss], &v, &regions, &Stages::default(), true)[0]
                    .term
                    .clone()
            };
            assert_eq!(term(0).as_deref(), Some("total"), "{terms:?}");
            for (i, name) in terms.iter().enumerate() {
                assert_eq!(term(1 + i).as_deref(), Some(*name));
            }
            assert_eq!(term(1 + terms.len()).as_deref(), Some("total"));
        }
    }

    #[test]
    fn gradients_of_every_term_stand_for_those_of_the_total_whatever_their_number() {
        let by_terms = |has: &[&str]| grad::Report {
            terms: has
                .iter()
                .flat_map(|t| gradients("candidate", t, None).terms)
                .collect(),
            ..gradients("candidate", "total", None)
        };
        for terms in [
            &["iou"][..],
            &["iou", "cls"],
            &["iou", "dfl", "cls", "mask"],
        ] {
            assert!(by_terms(terms).is_whole(terms));
            assert!(!by_terms(&terms[1..]).is_whole(terms), "{terms:?}");
        }
        assert!(!by_terms(&[]).is_whole(&[]));
    }

    fn origin(step: usize) -> Origin {
        Origin {
            node: "n".into(),
            op: "Op".into(),
            tensor: "t".into(),
            step,
            independent: true,
            side: crate::verdict::Side::Candidate,
            inside: None,
            why: None,
        }
    }

    #[test]
    fn a_lost_gradient_diverges_in_the_stage_of_gradients_and_names_term_and_tensor() {
        let t = crate::tensor::Tensor::of(&[1], &[1.0f64]);
        let g = grad::judge(
            "pred_distri",
            grad::Exact {
                gradient: Some(&t),
                floor: None,
            },
            None,
            1.0,
        );
        let report = grad::Report {
            who: "candidate".into(),
            against: "f64 graph".into(),
            terms: vec![grad::TermGradients {
                term: "dfl".into(),
                gradients: vec![g],
            }],
            abstained: None,
        };
        let found = Stages {
            grad: vec![report],
            ..Default::default()
        };
        let v = verdicts(&[Stage::Grad], &empty(), &Regions::default(), &found, true).remove(0);
        assert_eq!(
            (v.outcome, v.first.as_deref(), v.term.as_deref()),
            (Outcome::Diverge, Some("pred_distri"), Some("dfl"))
        );
        assert!(v.says[0].contains("lost here"), "{}", v.says[0]);
    }

    fn gradients(who: &str, term: &str, abstained: Option<&str>) -> grad::Report {
        let t = crate::tensor::Tensor::of(&[1], &[1.0f64]);
        let g = grad::judge(
            "pred_distri",
            grad::Exact {
                gradient: Some(&t),
                floor: None,
            },
            Some(&t),
            1.0,
        );
        grad::Report {
            who: who.into(),
            against: "f64 graph".into(),
            terms: vec![grad::TermGradients {
                term: term.into(),
                gradients: vec![g],
            }],
            abstained: abstained.map(str::to_string),
        }
    }

    #[test]
    fn gradients_agree_only_where_those_of_the_candidate_were_looked_at() {
        let says = |grad: Vec<grad::Report>| {
            let found = Stages {
                grad,
                ..Default::default()
            };
            let v = verdicts(&[Stage::Grad], &empty(), &Regions::default(), &found, true).remove(0);
            (v.outcome, v.says.join("; "))
        };
        assert_eq!(
            says(vec![gradients("candidate", "total", Some("no iou"))]),
            (
                Outcome::Agree,
                "1 gradients within their floors; candidate: no iou".into()
            )
        );
        assert_eq!(
            says(vec![gradients("candidate", "iou", Some("no total"))]),
            (Outcome::Nothing, "no total".into())
        );
        let none = grad::Report::nothing(
            "candidate",
            "f64 graph",
            "onnxruntime gives no gradients".into(),
        );
        assert_eq!(
            says(vec![none, gradients("golden", "total", None)]),
            (Outcome::Nothing, "onnxruntime gives no gradients".into())
        );
        assert_eq!(
            says(vec![gradients("golden", "total", None)]).0,
            Outcome::Nothing
        );
    }

    #[test]
    fn an_origin_without_a_training_side_is_the_networks() {
        let v = Verdict {
            outcome: Outcome::Diverge,
            origins: vec![origin(3)],
            ..empty()
        };
        let all = verdicts(
            &[Stage::Inputs, Stage::Activations],
            &v,
            &Regions::default(),
            &Stages::default(),
            false,
        );
        assert_eq!(
            all.iter().map(|s| s.outcome).collect::<Vec<_>>(),
            [Outcome::Agree, Outcome::Diverge]
        );
    }
}

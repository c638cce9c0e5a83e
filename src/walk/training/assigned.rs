//! assigned: the assignments of both sides and of the golden, each against the f64 kernel or the reference.

use super::spread::Floors;
use super::{Side, Task};
use crate::floor::noise::R;
use crate::judge::stage::assign::{Assigned, Difference, Report, Ties, difference};
use crate::judge::stage::golden::Witnessed;
use crate::judge::stage::scene::{Ground, Scene, scenes};
use crate::kernel::anchors::Anchors;
use crate::prepare::preflight;
use crate::scenario::training::{ASSIGNED, TRUTH, Training};
use crate::verdict::{Accumulated, Judgement, TensorResult, ToleranceBy, Why};

/// What background holds by convention, beside positives that are judged as pairs.
const TARGETS: [&str; 3] = [
    "assign.gt_index",
    "assign.target_labels",
    "assign.target_boxes",
];

pub(super) fn report(task: &Task, sides: &[Side; 2], floors: &Floors) -> Report {
    let spread = |name: &str| {
        floors
            .get(name)
            .map_or(vec![], |f| f.max.iter().map(|m| R * m).collect())
    };
    let ties = Ties {
        metric: spread("assign.metric"),
        overlap: spread("assign.overlap"),
        scores: Some(spread("assign.target_scores")),
    };
    let mut report = Report::default();
    let [reference, candidate] = sides
        .each_ref()
        .map(|side| of_side(task, side, &ties, &mut report));
    let golden = of_golden(task, &mut report);
    let (Some(reference), Ok(kernel)) = (reference, &sides[0].kernel) else {
        return report;
    };
    // Soft targets of predictions that a network gave differ by what rounding does in it: as tensors they have that floor.
    let ties = Ties {
        scores: ties.scores.filter(|_| task.prepared.fed.is_some()),
        ..ties
    };
    for (who, own) in [("candidate", &candidate), ("golden", &golden)] {
        let against = |own| {
            difference(
                who,
                "reference",
                own,
                &reference,
                &kernel.assignments,
                &ties,
            )
        };
        report.differences.extend(own.as_ref().map(against));
    }
    report.scenes.extend(
        candidate
            .iter()
            .flat_map(|own| seen(task, &kernel.counts, &reference, own)),
    );
    report
        .counts
        .extend(golden.map(|own| own.count("golden", &kernel.counts)));
    report
}

/// Both assignments on the images that were fed; nothing where the anchors are not those of the image.
fn seen(task: &Task, objects: &[usize], reference: &Assigned, candidate: &Assigned) -> Vec<Scene> {
    let (training, inputs) = (task.training, &task.prepared.inputs);
    let Ok([height, width]) = preflight::image(&task.prepared.graph, training, inputs) else {
        return vec![];
    };
    let Ok(anchors) = Anchors::of_image(height, width, &training.strides) else {
        return vec![];
    };
    let ground = Ground {
        size: [height, width],
        points: &anchors.points,
        boxes: task.tensor(&task.layers.reference_outputs, TRUTH[1]),
        objects,
        images: inputs
            .values()
            .find(|t| t.shape().ends_with(&[height, width])),
    };
    scenes(&ground, reference, candidate)
}

/// Reads one side and holds it against what the kernel makes of its own predictions.
fn of_side(task: &Task, side: &Side, ties: &Ties, report: &mut Report) -> Option<Assigned> {
    let own = match Assigned::read(&|n| task.tensor(side.outputs, n)) {
        Ok(own) => own,
        Err(why) => {
            report.untested.push(format!(
                "{}: the assignment could not be read: {why}",
                side.who
            ));
            return None;
        }
    };
    report.untested.extend(
        own.lacks()
            .iter()
            .map(|n| format!("{}: '{n}' is missing", side.who)),
    );
    match &side.kernel {
        Ok(kernel) => {
            let judges = &kernel.assignments;
            report.counts.push(own.count(side.who, &kernel.counts));
            report.differences.push(difference(
                side.who,
                "kernel",
                &own,
                &Assigned::of(judges),
                judges,
                ties,
            ));
        }
        Err(why) => {
            report.counts.push(own.count(side.who, &[]));
            report.untested.push(format!(
                "{}: not held against the f64 kernel: {why}",
                side.who
            ));
        }
    }
    Some(own)
}

/// What the golden keeps of its assignment; one that keeps nothing of it is not asked.
fn of_golden(task: &Task, report: &mut Report) -> Option<Assigned> {
    let keeps = ASSIGNED.iter().any(|n| task.kept(n).is_some());
    match Assigned::read(&|n| task.kept(n)) {
        Ok(own) => Some(own),
        Err(why) => {
            report
                .untested
                .extend(keeps.then(|| format!("golden: the assignment could not be read: {why}")));
            None
        }
    }
}

/// Tensors of the assignment are settled by its pairs: where all positives agree, what background holds is a convention; where some flipped at
/// ties, the rest lies behind these.
pub fn settle(
    training: &Training,
    report: &Report,
    tensors: &mut [TensorResult],
    golden: &mut [Witnessed],
) {
    let names = TARGETS.map(|n| training.name(n));
    let fine = |who: &str| {
        report
            .differences
            .iter()
            .find(|d| d.who == who && d.against == "reference")
            .filter(|d| d.is_settled())
    };
    if let Some(d) = fine("candidate") {
        tensors
            .iter_mut()
            .filter(|t| names.contains(&t.name.as_str()))
            .for_each(|t| accumulated(t, d, training));
    }
    if let Some(d) = fine("golden") {
        for t in golden
            .iter_mut()
            .filter(|t| names.contains(&t.name.as_str()) && t.over())
        {
            t.judgement = if d.tie_flips == 0 {
                Judgement::Within(0.0)
            } else {
                Judgement::NotJudged(behind(training))
            };
            t.note = Some("the same positives".into());
        }
    }
}

fn accumulated(t: &mut TensorResult, d: &Difference, training: &Training) {
    match &t.accumulated {
        Accumulated::Compared { comparison, .. } if t.accumulated.over() && !t.isolated.over() => {
            t.accumulated = match d.tie_flips {
                0 => Accumulated::Compared {
                    comparison: comparison.clone(),
                    ratio: 0.0,
                    by: ToleranceBy::Positives,
                },
                _ => Accumulated::NotJudged {
                    why: behind(training),
                },
            };
        }
        Accumulated::Compared { .. }
        | Accumulated::TieFlip { .. }
        | Accumulated::NotJudged { .. } => {}
    }
}

fn behind(training: &Training) -> Why {
    Why::BehindFlip {
        node: training.name("assign.fg_mask").into(),
    }
}

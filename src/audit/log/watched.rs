//! watched: what `parity_port.watch` saw: a collapse of predictions, labels out of range, all ignored, a confusion matrix that is never updated, inputs that do not matter.

use super::asked::Shape;
use super::{Held, Log, percent};
use crate::audit::Audited;
use crate::text::{few, number};
use crate::training_log::watched::{Input, Watched};
use crate::verdict::{Finding, Severity};

#[must_use]
pub fn findings(asked: &Log, held: &Held) -> Vec<Finding> {
    let Some(watched) = &held.log.watched else {
        return vec![];
    };
    let classes = asked.classes.or(watched.classes);
    let ignore = asked.ignore.or(watched.ignore);
    let mut found: Vec<Finding> = predicted(held, watched, classes).into_iter().collect();
    found.extend(labels(held, watched, classes, ignore));
    found.extend(ignored(held, watched));
    found.extend(confusion(held, watched, classes));
    found.extend(watched.inputs.iter().flat_map(|i| input(held, watched, i)));
    found.extend(moves(held, watched));
    found.extend(shapes(asked, held, watched));
    found.extend(watched.not_tried.iter().map(|(what, (why, place))| {
        let what = format!("watch could not look at '{what}': {why}");
        Finding::new("not_tried", held.at(place), what).severity(Severity::Unjudged)
    }));
    found
}

/// How many classes are predicted: one is a collapse, fewer than five are suspicious, more than ten expected of 37; fewer of fewer classes.
fn predicted(held: &Held, watched: &Watched, classes: Option<u64>) -> Option<Finding> {
    let last = watched.predicted.last()?;
    let n = classes.unwrap_or(37) as f64;
    let suspicious = 5.0_f64.min((n / 4.0).ceil());
    let expected = 10.0_f64.min((n * 0.27).ceil());
    let of = classes.map_or(String::new(), |n| format!(" of {n}"));
    let what = format!(
        "{} unique predicted {}{of}, {} of all class {}",
        last.classes,
        if last.classes == 1 {
            "class"
        } else {
            "classes"
        },
        percent(last.share),
        last.most
    );
    let finding = |kind| {
        let facts = [format!(
            "{} of {} lines have one class alone",
            watched.collapsed, watched.predicted_lines
        )];
        Finding::new(kind, held.at(last.place), what.clone())
            .number("classes", last.classes as f64)
            .facts(facts)
    };
    let next = [
        "look at the class weights, the learning rate and the norm statistics; whether the head's gradient and the checkpoint arrive".to_string(),
        "parity audit segmentation says what such a collapse gives as mIoU under each formula".to_string(),
    ];
    Some(if last.classes == 1 {
        finding("collapse").next(next)
    } else if (last.classes as f64) < suspicious {
        finding("few_classes_predicted")
            .next(next)
            .severity(Severity::Warning)
    } else {
        let enough = if last.classes as f64 > expected {
            "expected"
        } else {
            "not many"
        };
        finding("predicted_classes")
            .facts([format!("more than {expected} are expected: {enough}")])
            .severity(Severity::Note)
    })
}

fn labels(
    held: &Held,
    watched: &Watched,
    classes: Option<u64>,
    ignore: Option<i64>,
) -> Option<Finding> {
    let (lowest, highest) = (
        watched.labels.lowest.lowest?,
        watched.labels.highest.highest?,
    );
    let range = format!("labels lie in {} … {}", lowest.value, highest.value);
    let at = |place| held.at(place);
    let Some(classes) = classes else {
        let next = "--classes N";
        let what = format!("{range}; how many classes there are is not known");
        return Some(
            Finding::new("label_range", at(highest.place), what)
                .severity(Severity::Unjudged)
                .next([next.into()]),
        );
    };
    let is_ignored = |v: f64| ignore.is_some_and(|i| i as f64 == v);
    let too_high = highest.value >= classes as f64 && !is_ignored(highest.value);
    let too_low = lowest.value < 0.0 && !is_ignored(lowest.value);
    let said = ignore.map_or(String::new(), |i| format!(", {i} is ignored"));
    let what = format!(
        "{range}; {classes} classes are 0 … {}{said}",
        classes.saturating_sub(1)
    );
    let place = if too_high {
        highest.place
    } else {
        lowest.place
    };
    let finding = Finding::new("label_range", at(place), what)
        .number("lowest", lowest.value)
        .number("highest", highest.value);
    let facts = (!watched.labels.shares.is_empty()).then(|| {
        let shares: Vec<String> = watched
            .labels
            .shares
            .iter()
            .take(12)
            .map(|(c, s)| format!("{c}: {}", percent(*s)))
            .collect();
        format!("shares in the last line: {}", shares.join(", "))
    });
    let finding = finding.facts(facts);
    Some(match too_high || too_low {
        true => finding.next(["look at the label maps and at reduce_zero_label; --ignore LABEL where it is ignored by design".to_string()]),
        false => finding.severity(Severity::Note),
    })
}

fn ignored(held: &Held, watched: &Watched) -> Option<Finding> {
    let (highest, last) = (watched.ignored.highest?, watched.ignored.last?);
    let what = format!(
        "{} of all labels are ignored, at most {} at {}",
        percent(last.value),
        percent(highest.value),
        highest.place
    );
    let finding =
        Finding::new("ignored_labels", held.at(last.place), what).number("share", last.value);
    let next = "look at the fill value of crops and pads, and at which label is ignored";
    Some(match last.value {
        s if s >= 1.0 => finding.next([next.to_string()]),
        s if s > 0.5 => finding.next([next.to_string()]).severity(Severity::Warning),
        _ => finding.severity(Severity::Note),
    })
}

fn confusion(held: &Held, watched: &Watched, classes: Option<u64>) -> Option<Finding> {
    let matrix = &watched.confusion;
    let (at, sum) = (matrix.at?, matrix.sum.last?.value);
    let diagonal: f64 = matrix
        .last
        .iter()
        .enumerate()
        .filter_map(|(i, row)| row.get(i))
        .sum();
    let n = matrix.last.len();
    let square = matrix.last.iter().all(|row| row.len() == n);
    let finding = |kind, what: String| {
        Finding::new(kind, held.at(at), what)
            .number("sum", sum)
            .number("diagonal", diagonal)
    };
    let next = "look whether the evaluator's update is called with predictions and labels of each batch, and not only at the end";
    if !square || classes.is_some_and(|c| c != n as u64) {
        let what = format!(
            "the confusion matrix has {n} rows of {} for {} classes",
            matrix.last.first().map_or(0, Vec::len),
            classes.unwrap_or(n as u64)
        );
        return Some(
            finding("confusion_shape", what)
                .next(["a class too many or too few shifts every IoU".to_string()]),
        );
    }
    if sum == 0.0 {
        return Some(
            finding(
                "confusion_empty",
                format!(
                    "the confusion matrix is empty in all {} lines: it is never updated",
                    matrix.lines
                ),
            )
            .next([next.to_string()]),
        );
    }
    if matrix.lines > 2 && matrix.changes == 0 {
        let what = format!(
            "the confusion matrix is the same in all {} lines (sum {}): it is never updated",
            matrix.lines,
            number(sum)
        );
        return Some(finding("confusion_never_updated", what).next([next.to_string()]));
    }
    let what = format!(
        "the confusion matrix is updated: sum {}, diagonal {}",
        number(sum),
        percent(diagonal / sum)
    );
    Some(finding("confusion", what).severity(Severity::Note))
}

fn input(held: &Held, watched: &Watched, input: &Input) -> Vec<Finding> {
    let place = held.at(watched.inputs_at.map_or(String::new(), |p| p.to_string()));
    let shape: Vec<String> = input.shape.iter().map(u64::to_string).collect();
    let said = format!(
        "input '{}' [{}] {} lies in {} … {}",
        input.name,
        shape.join(", "),
        input.dtype,
        number(input.min),
        number(input.max)
    );
    let still: Vec<String> = input
        .std
        .iter()
        .enumerate()
        .filter(|(_, s)| **s == 0.0)
        .map(|(c, _)| c.to_string())
        .collect();
    let not_finite = [input.min, input.max]
        .iter()
        .chain(&input.mean)
        .any(|v| !v.is_finite());
    if not_finite {
        let next = "look at what loads and normalises it: a division by a standard deviation of 0, a map with holes";
        return vec![Finding::new("input_not_finite", place, said).next([next.to_string()])];
    }
    if !still.is_empty() {
        let what = format!(
            "channel {} of input '{}' is constant in the first batch ({said})",
            still.join(", "),
            input.name
        );
        let next =
            "look whether it is loaded at all: parity audit data pairs images with depth maps";
        return vec![Finding::new("constant_channel", place, what).next([next.to_string()])];
    }
    vec![Finding::new("input", place, said).severity(Severity::Note)]
}

/// Channels whose change leaves the output as it was.
fn moves(held: &Held, watched: &Watched) -> Vec<Finding> {
    let one = |(name, (by, place)): (&String, &(Vec<f64>, crate::training_log::Place))| {
        let still: Vec<String> = by
            .iter()
            .enumerate()
            .filter(|(_, m)| **m == 0.0)
            .map(|(c, _)| c.to_string())
            .collect();
        let n = by.len();
        if still.is_empty() {
            let what = format!("each of {n} channels of input '{name}' moves the output");
            return Finding::new("input_moves", held.at(place), what).severity(Severity::Note);
        }
        let what = format!(
            "channel {} of {n} of input '{name}' does not move the output",
            still.join(", ")
        );
        let next = "look whether the model takes it: the channels of its first layer, a forward that drops it, weights of 0";
        Finding::new("input_does_not_matter", held.at(place), what).next([next.to_string()])
    };
    watched.moves.iter().map(one).collect()
}

fn shapes(asked: &Log, held: &Held, watched: &Watched) -> Vec<Finding> {
    let place = watched.inputs_at.map_or(held.file.clone(), |p| held.at(p));
    let one = |shape: &Shape| {
        let found = watched.inputs.iter().find(|i| i.name == shape.name)?;
        let what = format!(
            "input '{}' has shape {:?}; {:?} is declared",
            shape.name, found.shape, shape.sizes
        );
        let finding = Finding::new("input_shape", &place, what);
        Some(if found.shape == shape.sizes {
            finding.severity(Severity::Note)
        } else {
            finding
        })
    };
    asked.input.iter().filter_map(one).collect()
}

/// Inputs that are declared and that no log has seen.
#[must_use]
pub fn unused(asked: &Log, all: &[Held]) -> Vec<Finding> {
    let seen: Vec<&str> = all
        .iter()
        .filter_map(|h| h.log.watched.as_ref())
        .flat_map(|w| &w.inputs)
        .map(|i| i.name.as_str())
        .collect();
    let lost = asked
        .input
        .iter()
        .filter(|s| !seen.contains(&s.name.as_str()));
    lost.map(|shape| {
        let what = format!(
            "no log has seen the input '{}'; seen are {}",
            shape.name,
            few(seen.iter().copied(), 9)
        );
        let place = all.first().map_or("log", |h| h.file.as_str());
        // Where inputs were seen, one that is missing is not given to the model.
        let severity = if seen.is_empty() {
            Severity::Unjudged
        } else {
            Severity::Fault
        };
        Finding::new("input_shape", place, what)
            .severity(severity)
            .next(["parity_port.watch writes the inputs of the first batch".to_string()])
    })
    .collect()
}

/// Truth, predicted and correct of each class, in the last matrix.
pub fn table(held: &Held, audited: Audited) -> Audited {
    let matrix = held
        .log
        .watched
        .as_ref()
        .map(|w| &w.confusion.last)
        .filter(|m| !m.is_empty());
    let Some(matrix) = matrix else { return audited };
    let predicted = |c: usize| matrix.iter().filter_map(|row| row.get(c)).sum::<f64>();
    let row = |(c, row): (usize, &Vec<f64>)| {
        let (truth, correct) = (row.iter().sum::<f64>(), row.get(c).copied().unwrap_or(0.0));
        let iou = correct / (truth + predicted(c) - correct);
        [c as f64, truth, predicted(c), correct]
            .iter()
            .map(|v| v.to_string())
            .chain([number(iou)])
            .collect()
    };
    let rows = matrix.iter().enumerate().map(row).collect();
    audited.table(
        &format!("{}: last confusion matrix", held.file),
        &["class", "truth", "predicted", "correct", "IoU"],
        rows,
    )
}

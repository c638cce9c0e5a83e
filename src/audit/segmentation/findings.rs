//! findings: what a tally of labels and predictions says: what is outside, empty, collapsed, turned or off by one; else the numbers.

use super::seen::{percent, says};
use super::tally::{TURNS, Tally, Value, Values};
use crate::kernel::metric::mean_iou::{Absent, Formula, Measure};
use crate::kernel::metric::pixel_confusion::{Class, Ignored};
use crate::verdict::{Finding, Severity};

/// Fewer different predictions are suspicious where more labels than `MANY` occur.
const FEW: usize = 5;
const MANY: usize = 10;
/// A class of this share of the labels is expected among the predictions.
const SHARE: f64 = 0.01;
/// More of the labels are ignored than are usual (13.6 % is).
const MOSTLY: f64 = 0.5;

/// What is said of the labels alone.
pub fn of_labels(t: &Tally, place: &str) -> Vec<Finding> {
    let mut out = Vec::from_iter(outside(t, &t.labels, "label", place));
    out.extend(zero_or_255(t, place));
    let pixels: u64 = t.labels.all.values().map(|v| v.pixels).sum::<u64>() + t.labels.more;
    if pixels == 0 {
        out.push(Finding::new("no_pixels", place, "the labels have no pixel"));
        return out;
    }
    let all = t.labels.all.iter();
    let of = |value: i64| t.rules.ignore.contains(&value) || (t.rules.reduce_zero && value == 0);
    let ignored: u64 = all
        .clone()
        .filter(|(v, _)| of(**v))
        .map(|(_, n)| n.pixels)
        .sum();
    let legal: Vec<i64> = all
        .map(|(v, _)| *v)
        .filter(|v| t.rules.is_label(*v) && !of(*v))
        .collect();
    out.push(ignored_share(ignored, pixels, place));
    if let (Some(low), Some(high)) = (legal.first(), legal.last()) {
        let what = format!(
            "labels lie in {low} ... {high}: {} of {} classes occur in {} maps",
            legal.len(),
            t.rules.classes,
            t.maps
        );
        let found = Finding::new("labels", place, what).number("classes", legal.len() as f64);
        let alone = legal.len() == 1 && t.rules.classes > 1;
        out.push(match alone {
            true => found
                .next(["a training on one class learns that class everywhere".into()])
                .severity(Severity::Warning),
            false => found.severity(Severity::Note),
        });
    }
    out
}

/// What is said of predictions against labels.
pub fn of_pairs(t: &Tally, place: &str) -> Vec<Finding> {
    let mut out = Vec::from_iter(outside(t, &t.predictions, "prediction", place));
    out.extend(sizes(t, place));
    out.extend(not_finite(t, place));
    out.extend(turned(t, place));
    out.extend(of_matrix(t, place));
    out
}

/// What is said of a confusion matrix, wherever it is from.
pub fn of_matrix(t: &Tally, place: &str) -> Vec<Finding> {
    let m = &t.confusion;
    if m.pixels() == 0 {
        let what = "the confusion matrix is empty: its sum is 0";
        let next = "call its update for every batch, before the metric is computed or reset";
        return vec![Finding::new("matrix_empty", place, what).next([next.into()])];
    }
    if m.sum() == 0 {
        let what = format!(
            "no pixel counts: {} of {} have an ignored label",
            m.ignored(),
            m.pixels()
        );
        return vec![
            Finding::new("all_ignored", place, what)
                .next(["compare the ignored values with the labels".into()]),
        ];
    }
    let classes: Vec<Class> = (0..m.classes()).map(|c| m.class(c, Ignored::Out)).collect();
    let mut out = vec![predicted(t, &classes, place)];
    out.extend(never(&classes, m.sum(), place));
    out.extend(off_by_one(t, place));
    out.push(numbers(t, &classes, place));
    out
}

fn outside(t: &Tally, values: &Values, side: &str, place: &str) -> Option<Finding> {
    let legal = |v: i64| match side {
        "label" => t.rules.is_label(v),
        _ => t.rules.is_prediction(v),
    };
    let beyond = || values.all.iter().filter(|(v, _)| !legal(**v));
    let (first, held) = beyond().next()?;
    let pixels = beyond().map(|(_, n)| n.pixels).sum::<u64>() + values.more;
    let kinds = beyond().count();
    let place = held.places.first().map_or(place, String::as_str);
    let ignore: Vec<String> = t.rules.ignore.iter().map(ToString::to_string).collect();
    let what = format!(
        "{side} {first} is no class: {} classes are 0 ... {}, ignored {}; {pixels} pixels of {kinds} such values",
        t.rules.classes,
        t.rules.classes.saturating_sub(1),
        if ignore.is_empty() {
            "none".into()
        } else {
            ignore.join(", ")
        }
    );
    let row = |(v, n): (&i64, &Value)| {
        format!("{v}: {} pixels, first in {}", n.pixels, n.places.join(", "))
    };
    let next = match (side, *first) {
        ("label", -1 | 255 | 65535) => format!("if it marks what is ignored: --ignore {first}"),
        ("label", v) if v == t.rules.classes as i64 => {
            "labels that count from 1 are one too high; a background or ignored class needs its own value".into()
        }
        _ => "compare the number of classes with what writes these maps".into(),
    };
    let found = Finding::new("out_of_range", place, what);
    Some(
        found
            .facts(beyond().take(8).map(row))
            .number("pixels", pixels as f64)
            .next([next]),
    )
}

/// A mask of 0 and 255, of which 255 is ignored or no class.
fn zero_or_255(t: &Tally, place: &str) -> Option<Finding> {
    let all: Vec<i64> = t.labels.all.keys().copied().collect();
    let is = all == [0, 255] || all == [255];
    (is && t.rules.classes <= 255).then(|| {
        let what = "labels are only 0 and 255: a mask, of which 255 is not a class";
        let found = Finding::new("zero_or_255", place, what);
        let next = "divide the mask by 255; else look whether any class is labelled";
        let severity = match t.rules.classes {
            2 => Severity::Fault,
            _ => Severity::Warning,
        };
        found.next([next.into()]).severity(severity)
    })
}

fn ignored_share(ignored: u64, pixels: u64, place: &str) -> Finding {
    let share = ignored as f64 / pixels as f64;
    let what = format!("{} of the label pixels are ignored", percent(share));
    let found = Finding::new("ignored", place, what).number("share", share);
    match share {
        1.0 => found.next(["compare the ignored values with the labels".into()]),
        s if s > MOSTLY => found
            .next(["13.6 % is usual: compare the ignored values with the labels".into()])
            .severity(Severity::Warning),
        _ => found.severity(Severity::Note),
    }
}

fn sizes(t: &Tally, place: &str) -> Option<Finding> {
    let first = t.sizes.first()?;
    let what = format!(
        "{} of {} pairs differ in size, and are not counted: {first}",
        t.sizes.len(),
        t.maps
    );
    let found = Finding::new("size_differs", place, what);
    let more = t.sizes.iter().skip(1).take(4).cloned();
    Some(found.facts(more).next([
        "bring predictions to the size of the labels, by the nearest class or by logits".into(),
    ]))
}

fn not_finite(t: &Tally, place: &str) -> Option<Finding> {
    let (first, n) = t.not_finite.first()?;
    let what = format!(
        "{n} pixels of {first} have logits that are no numbers; {} maps have such",
        t.not_finite.len()
    );
    Some(
        Finding::new("not_finite", place, what)
            .next(["find the first layer with such a value: parity run".into()]),
    )
}

/// Predictions that fit their labels better in another way than as they are.
fn turned(t: &Tally, place: &str) -> Option<Finding> {
    let (agree, pixels) = t.turned;
    let share = |i: usize| agree[i] as f64 / pixels.max(1) as f64;
    let best = (1..agree.len()).max_by_key(|i| agree[*i])?;
    let better = share(best) > share(0) + 0.1 && share(best) > 0.5;
    better.then(|| {
        let what = format!(
            "predictions {} agree with {} of the labels, {} with {}",
            TURNS[best],
            percent(share(best)),
            TURNS[0],
            percent(share(0))
        );
        let next = "an augmentation turns images without labels, or a loader turns one side: parity_port.check_transform tries it";
        Finding::new("turned", place, what).next([next.into()])
    })
}

/// How many classes are predicted: one is a collapse.
fn predicted(t: &Tally, classes: &[Class], place: &str) -> Finding {
    let m = &t.confusion;
    let labelled = classes.iter().filter(|c| c.truth > 0).count();
    let mut seen: Vec<(usize, u64)> = classes
        .iter()
        .enumerate()
        .map(|(c, n)| (c, n.predicted))
        .collect();
    seen.retain(|(_, n)| *n > 0);
    seen.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let top = seen.iter().take(5);
    let top: Vec<String> = top
        .map(|(c, n)| {
            format!(
                "class {c}: {n} pixels, {}",
                percent(*n as f64 / m.sum() as f64)
            )
        })
        .collect();
    let found = |kind: &str, what: String| {
        Finding::new(kind, place, what)
            .facts(top.clone())
            .number("predicted_classes", seen.len() as f64)
    };
    match seen.len() {
        0 => found("nothing_predicted", "no pixel that counts is predicted to be a class".into()),
        1 if labelled > 1 => found("collapse", format!("one class is predicted in all {} pixels; {labelled} classes are labelled", m.sum()))
            .next(["look at gradients, learning rate, class weights and whether the checkpoint was loaded: parity audit log, parity audit weights".into()]),
        n if n < FEW && labelled > MANY => found("few_classes", format!("{n} classes are predicted, {labelled} are labelled: on the way to a collapse"))
            .severity(Severity::Warning)
            .next(["follow the number of predicted classes over the training; more than 10 of 37 are expected".into()]),
        n => found("predictions", format!("{n} classes are predicted, {labelled} are labelled")).severity(Severity::Note),
    }
}

fn never(classes: &[Class], sum: u64, place: &str) -> Option<Finding> {
    let missed =
        |c: &&(usize, &Class)| c.1.predicted == 0 && c.1.truth as f64 >= SHARE * sum as f64;
    let all: Vec<(usize, &Class)> = classes.iter().enumerate().collect();
    let missed: Vec<_> = all.iter().filter(missed).collect();
    // A collapse says it of all.
    let several = classes.iter().filter(|c| c.predicted > 0).count() > 1;
    (several && !missed.is_empty()).then(|| {
        let what = format!(
            "{} classes that make up 1 % of the labels or more are never predicted",
            missed.len()
        );
        let row = |c: &&(usize, &Class)| {
            format!(
                "class {}: {} of the labels",
                c.0,
                percent(c.1.truth as f64 / sum as f64)
            )
        };
        Finding::new("never_predicted", place, what)
            .facts(missed.iter().take(8).map(row))
            .next(["look at their weights in the loss and whether their labels are right".into()])
            .severity(Severity::Warning)
    })
}

/// Predictions that are the next class of most labels: one side counts from 1.
fn off_by_one(t: &Tally, place: &str) -> Option<Finding> {
    let m = &t.confusion;
    let n = m.classes();
    let right = m.diagonal() as f64 / m.sum() as f64;
    [1isize, -1].into_iter().find_map(|by| {
        let to = |c: usize| c.checked_add_signed(by).filter(|p| *p < n);
        let off: u64 = (0..n).filter_map(|c| to(c).map(|p| m.at(c, p))).sum();
        let share = off as f64 / m.sum() as f64;
        let mostly = |c: &usize| {
            let row = m.class(*c, Ignored::Out).truth;
            row > 0 && to(*c).is_some_and(|p| 2 * m.at(*c, p) > row)
        };
        let several = (0..n).filter(mostly).count() > 1;
        (several && share > 0.5 && share > right + 0.1).then(|| {
            let what = format!("{} of the predictions are label {by:+}, {} are the label", percent(share), percent(right));
            Finding::new("off_by_one", place, what).next(["one side counts its classes from 1, or leaves out the background: --reduce-zero-label, or shift one of them".into()])
        })
    })
}

/// The usual numbers, those of other formulas as facts.
fn numbers(t: &Tally, classes: &[Class], place: &str) -> Finding {
    let m = &t.confusion;
    let of = |measure, absent| Formula::Mean(measure, absent, Ignored::Out);
    let absent = classes
        .iter()
        .filter(|c| c.truth + c.predicted == 0)
        .count();
    let what = format!(
        "mIoU is {} over the {} classes that occur; pixel accuracy {}, mean accuracy {}",
        percent(Formula::PLAIN.of(m)),
        classes.len() - absent,
        percent(Formula::PixelAccuracy(Ignored::Out).of(m)),
        percent(of(Measure::Recall, Absent::Excluded).of(m))
    );
    let mut facts = vec![format!(
        "the matrix is {n} x {n}, its sum {}, its diagonal {}",
        m.sum(),
        m.diagonal(),
        n = m.classes()
    )];
    let others = [Absent::Unlabelled, Absent::Zero, Absent::One].map(|a| of(Measure::Iou, a));
    let kept = [Ignored::InRows, Ignored::InColumns, Ignored::InBoth];
    let kept = kept.map(|i| Formula::Mean(Measure::Iou, Absent::Excluded, i));
    let same = |f: &Formula| f.of(m).to_bits() != Formula::PLAIN.of(m).to_bits();
    let rows = others.into_iter().chain(kept).filter(same);
    facts.extend(rows.map(|f| format!("{}: {}", says(f), percent(f.of(m)))));
    facts.push(format!(
        "{}: {}",
        says(Formula::FrequencyWeighted(Ignored::Out)),
        percent(Formula::FrequencyWeighted(Ignored::Out).of(m))
    ));
    Finding::new("miou", place, what)
        .facts(facts)
        .number("miou", Formula::PLAIN.of(m))
        .severity(Severity::Note)
}

#[cfg(test)]
mod tests {
    use super::super::tally::Rules;
    use super::super::tally::tests::{map, tally};
    use super::*;
    use crate::input::label_map::Map;

    fn rules(classes: usize, ignore: &[i64]) -> Rules {
        Rules {
            classes,
            ignore: ignore.to_vec(),
            reduce_zero: false,
        }
    }

    /// Everything that is wrong or a risk, by kind.
    fn kinds(t: &Tally) -> Vec<(String, Severity)> {
        let all = of_labels(t, "labels")
            .into_iter()
            .chain(of_pairs(t, "predictions"));
        let bad = all.filter(|f| f.severity != Severity::Note);
        bad.map(|f| (f.kind, f.severity)).collect()
    }

    fn check(t: &Tally, want: &[(&str, Severity)]) {
        let want: Vec<_> = want.iter().map(|(k, s)| (k.to_string(), *s)).collect();
        assert_eq!(kinds(t), want);
    }

    /// A map whose classes are seen from all sides as different.
    fn scene() -> Map {
        map(4, &[0, 0, 0, 1, 0, 0, 2, 2, 3, 3, 3, 2, 1, 1, 3, 3])
    }

    #[test]
    fn what_is_right_is_only_noted() {
        let mut predicted = scene();
        predicted.values[3] = 0;
        check(&tally(rules(4, &[]), &[(scene(), predicted)]), &[]);
        let absent = tally(rules(37, &[-1]), &[(scene(), scene())]);
        check(&absent, &[]);
        let mut some = scene();
        some.values[0] = -1;
        check(&tally(rules(37, &[-1]), &[(some, scene())]), &[]);
    }

    #[test]
    fn a_collapse_is_a_fault_and_few_classes_of_many_are_a_risk() {
        let one = map(4, &[2; 16]);
        check(
            &tally(rules(4, &[]), &[(scene(), one)]),
            &[("collapse", Severity::Fault)],
        );
        let many: Vec<i64> = (0..120).map(|i| (i * 7) % 12).collect();
        let few: Vec<i64> = many.iter().map(|c| (c % 3).min(1) * 5).collect();
        let t = tally(rules(37, &[]), &[(map(12, &many), map(12, &few))]);
        let found = kinds(&t);
        assert!(
            found.contains(&("few_classes".into(), Severity::Warning)),
            "{found:?}"
        );
    }

    #[test]
    fn a_label_of_37_of_37_classes_is_a_fault_with_its_file() {
        let t = tally(rules(37, &[-1]), &[(map(2, &[0, 37]), map(2, &[0, 1]))]);
        let all = of_labels(&t, "labels");
        assert_eq!(
            (all[0].kind.as_str(), all[0].place.as_str()),
            ("out_of_range", "l0.png")
        );
        assert!(
            all[0]
                .what
                .contains("label 37 is no class: 37 classes are 0 ... 36, ignored -1"),
            "{}",
            all[0].what
        );
        let t = tally(rules(37, &[-1]), &[(map(2, &[0, 255]), map(2, &[0, 1]))]);
        assert!(of_labels(&t, "labels")[0].next[0].contains("--ignore 255"));
    }

    #[test]
    fn an_empty_matrix_all_ignored_and_a_mask_are_faults() {
        let empty = Tally::new(rules(3, &[]));
        assert_eq!(of_matrix(&empty, "m")[0].kind, "matrix_empty");
        let ignored = tally(rules(3, &[9]), &[(map(2, &[9, 9]), map(2, &[0, 1]))]);
        check(
            &ignored,
            &[
                ("ignored", Severity::Fault),
                ("all_ignored", Severity::Fault),
            ],
        );
        let mask = tally(rules(2, &[255]), &[(map(2, &[0, 255]), map(2, &[0, 0]))]);
        assert!(kinds(&mask).contains(&("zero_or_255".into(), Severity::Fault)));
    }

    #[test]
    fn predictions_that_are_turned_or_off_by_one_are_told() {
        let mut flipped = scene();
        flipped.values.chunks_mut(4).for_each(<[i64]>::reverse);
        check(
            &tally(rules(4, &[]), &[(scene(), flipped)]),
            &[("turned", Severity::Fault)],
        );
        let mut high = scene();
        high.values.iter_mut().for_each(|v| *v += 1);
        let found = kinds(&tally(rules(5, &[]), &[(scene(), high)]));
        assert!(
            found.contains(&("off_by_one".into(), Severity::Fault)),
            "{found:?}"
        );
    }

    #[test]
    fn sizes_and_logits_that_are_no_numbers_are_told() {
        let t = tally(
            rules(4, &[]),
            &[(scene(), map(2, &[0, 1])), (scene(), scene())],
        );
        check(&t, &[("size_differs", Severity::Fault)]);
        let mut nan = scene();
        nan.not_finite = 3;
        check(
            &tally(rules(4, &[]), &[(scene(), nan)]),
            &[("not_finite", Severity::Fault)],
        );
    }
}

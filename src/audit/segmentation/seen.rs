//! seen: which formula gives the number that the user saw, of these predictions or of a collapse that the labels allow.

use super::tally::Tally;
use crate::error::{Error, Result};
use crate::kernel::metric::mean_iou::{Absent, Formula, Measure};
use crate::kernel::metric::pixel_confusion::{Confusion, Ignored};
use crate::text::number;
use crate::verdict::{Finding, Severity};

/// A number as somebody read it: what was cut off by its last digit is unknown.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    text: String,
    value: f64,
    /// Half of what its last digit counts.
    half: f64,
    percent: bool,
}

/// A formula that was tried, and what it gives.
struct Tried {
    says: String,
    measure: Option<Measure>,
    /// Whether it is the one to go by.
    plain: bool,
    value: f64,
}

impl std::str::FromStr for Seen {
    type Err = Error;

    /// # Errors
    /// No number.
    fn from_str(text: &str) -> Result<Self> {
        let digits = text.trim().trim_end_matches('%').trim();
        let value: f64 = digits
            .parse()
            .map_err(|_| Error::usage(format!("'{text}' is no number")).next("--seen 2.70"))?;
        let (mantissa, exponent) = digits.split_once(['e', 'E']).unwrap_or((digits, "0"));
        let behind = mantissa.split_once('.').map_or(0, |(_, d)| d.len()) as i32;
        let exponent: i32 = exponent.parse().unwrap_or(0);
        Ok(Self {
            text: text.trim().into(),
            value,
            half: 0.5 * 10f64.powi(exponent - behind),
            percent: text.trim().ends_with('%'),
        })
    }
}

impl Seen {
    /// Whether `fraction`, or it in percent, is read as this number.
    fn is(&self, fraction: f64) -> bool {
        if self.value.is_nan() || fraction.is_nan() {
            return self.value.is_nan() && fraction.is_nan();
        }
        let near = |v: f64| (v - self.value).abs() <= self.half * (1.0 + 1e-9);
        near(100.0 * fraction) || (!self.percent && self.value <= 1.0 && near(fraction))
    }

    fn distance(&self, fraction: f64) -> f64 {
        let direct = (fraction - self.value).abs();
        let percent = (100.0 * fraction - self.value).abs();
        if self.value <= 1.0 && !self.percent {
            percent.min(100.0 * direct)
        } else {
            percent
        }
    }
}

/// What the number is of these predictions; if none, what it would be of others.
pub fn findings(seen: &Seen, tally: &Tally, truth: Option<&[u64]>) -> Vec<Finding> {
    let own = of_predictions(tally);
    let fits: Vec<&Tried> = own.iter().filter(|t| seen.is(t.value)).collect();
    if let Some(first) = fits.first() {
        return vec![explained(seen, first, &fits[1..])];
    }
    let supposed = supposed(seen, tally.rules.classes, truth);
    let fact = match own.is_empty() {
        true => "no predictions were given".to_string(),
        false => {
            let near = own.iter().filter(|t| !t.value.is_nan());
            let near =
                near.min_by(|a, b| seen.distance(a.value).total_cmp(&seen.distance(b.value)));
            near.map_or("nothing counts".into(), |t| {
                format!(
                    "of these predictions the nearest is {}: {}",
                    t.says,
                    percent(t.value)
                )
            })
        }
    };
    let found = Finding::new("seen", "--seen", String::new());
    vec![match supposed.split_first() {
        None => Finding {
            what: format!("no public formula gives {} of what is given", seen.text),
            ..found
        }
        .facts([fact])
        .next(["give the predictions, labels and classes that it was computed of".into()])
        .severity(Severity::Unjudged),
        Some((first, rest)) => Finding {
            what: format!("{} is {first}", seen.text),
            ..found
        }
        .facts(rest.iter().map(|t| format!("or {t}")))
        .facts([fact])
        .next(["look at the predictions that the number was computed of".into()])
        .severity(Severity::Warning),
    }]
}

fn explained(seen: &Seen, first: &Tried, rest: &[&Tried]) -> Finding {
    let what = format!("{} is {}: {}", seen.text, first.says, percent(first.value));
    let also = rest
        .iter()
        .map(|t| format!("so is {}: {}", t.says, percent(t.value)));
    let found = Finding::new("seen", "--seen", what).number("value", first.value);
    let found = found.facts(also.take(8));
    match first.measure {
        Some(Measure::Iou) if first.plain => found.severity(Severity::Note),
        Some(Measure::Iou) => found.severity(Severity::Warning).next([
            "compare with others by one formula: the mean over classes that occur (nanmean), of one matrix of all images, what is ignored left out"
                .into(),
        ]),
        _ => found.next(["it is no mean IoU: divide by row + column - diagonal".into()]),
    }
}

/// Every formula of the matrix, each value of a measure once.
fn of_predictions(tally: &Tally) -> Vec<Tried> {
    if tally.confusion.sum() == 0 {
        return vec![];
    }
    let mut out: Vec<Tried> = vec![];
    let mut put = |says: String, measure, plain, value: f64| {
        let same = |t: &Tried| t.measure == measure && t.value.to_bits() == value.to_bits();
        if measure.is_none() || !out.iter().any(same) {
            out.push(Tried {
                says,
                measure,
                plain,
                value,
            });
        }
    };
    for formula in Formula::all() {
        let value = formula.of(&tally.confusion);
        match formula {
            Formula::Mean(m, ..) => {
                put(says(formula), Some(m), formula == Formula::PLAIN, value);
            }
            other if plain(other) || tally.confusion.ignored() > 0 => {
                put(says(other), None, false, value);
            }
            _ => {}
        }
    }
    for ((measure, absent), (sum, n)) in &tally.by_image {
        let formula = Formula::Mean(*measure, *absent, Ignored::Out);
        let words = format!("{}, averaged over {n} images", says(formula));
        put(words, Some(*measure), false, sum / *n as f64);
    }
    out
}

fn plain(formula: Formula) -> bool {
    use Formula::{FrequencyWeighted, Mean, PixelAccuracy, Pooled};
    match formula {
        Pooled => true,
        FrequencyWeighted(i) | PixelAccuracy(i) | Mean(_, _, i) => i == Ignored::Out,
    }
}

/// What the number would be of predictions that are not given: symbolic where the labels are not either.
fn supposed(seen: &Seen, classes: usize, truth: Option<&[u64]>) -> Vec<String> {
    let Some(truth) = truth.filter(|t| t.iter().sum::<u64>() > 0) else {
        return of_classes(seen, classes);
    };
    let of = |predicted: &dyn Fn(usize) -> usize| {
        let mut m = Confusion::new(classes);
        let all = truth.iter().enumerate();
        all.for_each(|(c, n)| m.add(Some(c), Some(predicted(c)), *n));
        m
    };
    let tried = |m: &Confusion| -> Vec<Formula> {
        let own = Formula::all().into_iter().filter(|f| plain(*f));
        own.filter(|f| seen.is(f.of(m))).collect()
    };
    let mut out: Vec<String> = vec![];
    let occurring = || (0..classes).filter(|c| truth[*c] > 0);
    let mut collapses: Vec<(Formula, Vec<usize>)> = vec![];
    for c in occurring() {
        for formula in tried(&of(&|_| c)) {
            match collapses.iter_mut().find(|(f, _)| *f == formula) {
                Some((_, all)) => all.push(c),
                None => collapses.push((formula, vec![c])),
            }
        }
    }
    for (formula, all) in collapses {
        let to = match all.len() == occurring().count() && all.len() > 1 {
            true => "any class that occurs".to_string(),
            false => format!("class {}", join(&all)),
        };
        out.push(format!("{} of a collapse to {to}", says(formula)));
    }
    let perfect = tried(&of(&|c| c));
    let present = occurring().count();
    out.extend(perfect.into_iter().map(|f| {
        format!(
            "{} of a perfect prediction, {present} of {classes} classes being there",
            says(f)
        )
    }));
    out
}

/// Of the number of classes alone.
fn of_classes(seen: &Seen, classes: usize) -> Vec<String> {
    let n = classes as f64;
    let mut out = vec![];
    if classes > 0 && seen.is(1.0 / n) {
        out.push(format!(
            "the mean accuracy over {classes} classes of a collapse to a class that occurs; as mIoU it needs every valid pixel to be of that class"
        ));
    }
    let present = (2..classes).filter(|k| seen.is(*k as f64 / n));
    out.extend(present.map(|k| {
        format!(
            "mIoU of a perfect prediction of {k} of {classes} classes, absent ones counted as 0"
        )
    }));
    let share = seen.value * n / 100.0;
    if seen.value > 0.0 && share < 1.0 {
        out.push(format!(
            "mIoU, absent ones counted as 0, of a collapse to a class that has {} of the pixels",
            percent(share)
        ));
    }
    out
}

fn join(all: &[usize]) -> String {
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    all.join(", ")
}

pub fn percent(fraction: f64) -> String {
    match fraction.is_nan() {
        true => "NaN".into(),
        false => format!("{} %", number(100.0 * fraction)),
    }
}

/// A formula in words.
pub fn says(formula: Formula) -> String {
    let kept = |i: Ignored| match i {
        Ignored::Out => "",
        Ignored::InRows => ", ignored predictions kept in the rows",
        Ignored::InColumns => ", predictions on ignored labels kept in the columns",
        Ignored::InBoth => ", what is ignored kept in rows and columns",
    };
    match formula {
        Formula::Mean(measure, absent, ignored) => {
            let measure = match measure {
                Measure::Iou => "mIoU",
                Measure::Dice => "mean Dice (F1)",
                Measure::Recall => "mean accuracy (recall)",
                Measure::Precision => "mean precision",
            };
            let absent = match absent {
                Absent::Excluded => "absent classes left out",
                Absent::Unlabelled => "classes without a label left out",
                Absent::Zero => "absent classes counted as 0",
                Absent::One => "absent classes counted as 1",
                Absent::Nan => "absent classes left NaN",
            };
            format!("{measure}, {absent}{}", kept(ignored))
        }
        Formula::FrequencyWeighted(i) => format!("frequency-weighted IoU{}", kept(i)),
        Formula::PixelAccuracy(i) => format!("pixel accuracy{}", kept(i)),
        Formula::Pooled => "IoU of all classes added up".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tally::{Rules, Tally};
    use super::*;

    fn tally(classes: usize, counts: &[(usize, usize, u64)]) -> Tally {
        let rules = Rules {
            classes,
            ..Rules::default()
        };
        let mut out = Tally::new(rules);
        for (t, p, n) in counts {
            out.confusion.add(Some(*t), Some(*p), *n);
        }
        out
    }

    fn check(text: &str, tally: &Tally, truth: Option<&[u64]>, severity: Severity, words: &str) {
        let all = findings(&text.parse().unwrap(), tally, truth);
        let said = format!("{} {:?}", all[0].what, all[0].facts);
        assert!(said.contains(words), "{said}");
        assert_eq!(all[0].severity, severity, "{said}");
    }

    #[test]
    fn the_number_of_a_collapse_is_told_by_its_formula() {
        let collapsed = tally(37, &[(0, 0, 40), (1, 0, 50), (36, 0, 10)]);
        let fault = Severity::Fault;
        check(
            "2.70",
            &collapsed,
            None,
            fault,
            "2.70 is mean accuracy (recall), absent classes counted as 0",
        );
        let zero = "1.08 is mIoU, absent classes counted as 0";
        check("1.08", &collapsed, None, Severity::Warning, zero);
        check("0.0108", &collapsed, None, Severity::Warning, "mIoU");
        check(
            "13.33",
            &collapsed,
            None,
            Severity::Note,
            "mIoU, absent classes left out",
        );
        check("40.0%", &collapsed, None, fault, "pixel accuracy");
    }

    #[test]
    fn a_perfect_prediction_of_5_of_37_is_told_both_ways() {
        let all: Vec<_> = (0..5).map(|c| (c, c, 7)).collect();
        let perfect = tally(37, &all);
        check(
            "13.51",
            &perfect,
            None,
            Severity::Warning,
            "mIoU, absent classes counted as 0",
        );
        check(
            "100",
            &perfect,
            None,
            Severity::Note,
            "mIoU, absent classes left out",
        );
        check(
            "nan",
            &perfect,
            None,
            Severity::Warning,
            "absent classes left NaN",
        );
    }

    #[test]
    fn without_predictions_the_labels_say_what_would_give_it() {
        let none = tally(37, &[]);
        let mut truth = vec![0; 37];
        (truth[0], truth[3]) = (30, 70);
        let risk = Severity::Warning;
        check(
            "2.70",
            &none,
            Some(&truth),
            risk,
            "mean accuracy (recall), absent classes counted as 0 of a collapse to any class that occurs",
        );
        check(
            "0.81",
            &none,
            Some(&truth),
            risk,
            "mIoU, absent classes counted as 0 of a collapse to class 0",
        );
        check(
            "5.41",
            &none,
            Some(&truth),
            risk,
            "of a perfect prediction, 2 of 37 classes being there",
        );
        check(
            "2.70",
            &none,
            None,
            risk,
            "mean accuracy over 37 classes of a collapse",
        );
        check("13.51", &none, None, risk, "perfect prediction of 5 of 37");
        check(
            "77.77",
            &none,
            Some(&truth),
            Severity::Unjudged,
            "no public formula",
        );
    }

    #[test]
    fn a_number_is_as_exact_as_it_was_written() {
        let seen: Seen = "2.7".parse().unwrap();
        assert!(seen.is(0.02749) && !seen.is(0.02751) && !seen.is(0.027 / 100.0));
        let seen: Seen = "0.027".parse().unwrap();
        assert!(seen.is(0.0272) && seen.is(0.000_272) && !seen.is(0.03));
        let seen: Seen = "2.7e-2".parse().unwrap();
        assert!((seen.half - 5e-4).abs() < 1e-12);
        assert!("much".parse::<Seen>().is_err());
    }
}

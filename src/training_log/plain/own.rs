//! own: lines of a script's own: an epoch or a step with its number, and names of losses or metrics with theirs.

use super::super::{Kind, Log, Place, number};

/// What stands between words.
const BETWEEN: [char; 12] = [' ', '\t', '=', ':', ',', '[', ']', '(', ')', '|', ';', '#'];

pub fn row(text: &str, line: u64, log: &mut Log) {
    let words: Vec<&str> = text
        .split(BETWEEN)
        .filter(|w| !w.is_empty())
        .take(200)
        .collect();
    let count = |names: &[&str]| {
        let is_named = |two: &&[&str]| names.contains(&two[0].to_lowercase().as_str());
        words
            .windows(2)
            .find(is_named)
            .and_then(|two| number(two[1].split('/').next()?))
    };
    let place = Place {
        epoch: count(&["epoch", "ep"]),
        step: count(&["step", "iter", "iteration", "it"]).map(|s| s as u64),
        ..Place::line(line)
    };
    if place.epoch.is_none() && place.step.is_none() {
        return;
    }
    let is_value =
        |two: &&[&str]| matches!(Kind::of(two[0]), Kind::Loss | Kind::Metric | Kind::Gradient);
    let named = words.windows(2).filter(is_value);
    let values: Vec<(&str, f64)> = named
        .filter(|two| number(two[0]).is_none())
        .filter_map(|two| Some((two[0], percent(two[1])?)))
        .collect();
    if values.is_empty() {
        return;
    }
    log.row(place);
    for (name, value) in values {
        log.push(name, place, value);
    }
}

/// A number, the sign of percent behind it or not.
fn percent(text: &str) -> Option<f64> {
    number(text.trim_end_matches('%'))
}

//! course: how a training went: losses and metrics at milestones, its best epoch, whether it converged, whether it overfits.

use super::history::History;
use crate::audit::Table;
use crate::text::number;
use crate::verdict::{Finding, Severity};

/// Epochs that story 3's record asks for.
const MILESTONES: [usize; 6] = [50, 100, 150, 200, 250, 300];
/// A change of a loss below this is none.
const FLAT: f64 = 0.01;
/// A validation loss this far above its least while training falls is overfitting.
const RISE: f64 = 0.05;
/// mAP that still grows by this share from one tenth of the training to the next has not converged.
const STILL: f64 = 0.01;
/// What ultralytics calls fitness.
const FITNESS: [(&str, f64); 2] = [("mAP50", 0.1), ("mAP50-95", 0.9)];

/// Losses and metrics at milestones, each loss with its trend since the milestone before.
pub fn milestones(history: &History, asked: &[usize], title: &str) -> Table {
    let at = if asked.is_empty() {
        MILESTONES.to_vec()
    } else {
        asked.to_vec()
    };
    let epochs = history.epochs();
    let row_of = |m: &usize| epochs.iter().position(|e| *e == *m as f64);
    let mut shown: Vec<usize> = at.iter().filter_map(row_of).collect();
    let last = history.rows.len().checked_sub(1);
    shown.extend(last.filter(|last| shown.last() != Some(last)));
    let is = |c: &&String| c.ends_with("loss") || c.starts_with("metrics/");
    let names: Vec<&String> = history.columns.iter().filter(is).collect();
    let row = |(i, m): (usize, &usize)| {
        let cells = names.iter().map(|name| {
            let all = history.column(name).unwrap_or_default();
            let now = all[*m];
            let before = i.checked_sub(1).map_or(all[0], |b| all[shown[b]]);
            match name.ends_with("loss") {
                true => format!("{} {}", number(now), trend(before, now)),
                false => number(now),
            }
        });
        [vec![epochs[*m].to_string()], cells.collect()].concat()
    };
    Table {
        title: title.into(),
        columns: ["epoch"]
            .into_iter()
            .chain(names.iter().map(|n| n.as_str()))
            .map(String::from)
            .collect(),
        rows: shown.iter().enumerate().map(row).collect(),
    }
}

fn trend(before: f64, now: f64) -> &'static str {
    match (now - before) / before.abs().max(f64::MIN_POSITIVE) {
        c if c.is_nan() => "(no number)",
        c if c < -FLAT => "(falls)",
        c if c > FLAT => "(rises)",
        _ => "(flat)",
    }
}

/// The row of the best epoch by fitness, or by mAP50 where there is no other; None without either.
#[must_use]
pub fn best(history: &History) -> Option<usize> {
    let parts: Vec<(Vec<f64>, f64)> = FITNESS
        .iter()
        .filter_map(|(name, w)| Some((history.metric(name)?, *w)))
        .collect();
    if parts.is_empty() {
        return None;
    }
    let fitness = |i: usize| parts.iter().map(|(c, w)| c[i] * w).sum::<f64>();
    let rows = (0..history.rows.len()).filter(|i| !fitness(*i).is_nan());
    // The first of equals, as the checkpoint of the best epoch is only replaced by a better one.
    rows.reduce(|best, i| if fitness(i) > fitness(best) { i } else { best })
}

/// What the course of one training says.
pub fn findings(history: &History, place: &str, planned: Option<f64>) -> Vec<Finding> {
    let mut out = vec![];
    if !history.odd.is_empty() {
        let what = format!(
            "{} lines are not as they should be: {}",
            history.odd.len(),
            history.odd[0]
        );
        let found = Finding::new("odd_lines", place, what);
        out.push(
            found
                .facts(history.odd.iter().skip(1).take(4).cloned())
                .severity(Severity::Warning)
                .next(["look whether the training was resumed or two wrote into one file".into()]),
        );
    }
    out.extend(not_finite(history, place));
    out.push(status(history, place, planned));
    out.extend(best_place(history, place));
    out.extend(converged(history, place));
    out.extend(overfits(history, place));
    out
}

fn not_finite(history: &History, place: &str) -> Option<Finding> {
    let of = |name: &str| {
        let all = history.column(name)?;
        let first = all.iter().position(|v| !v.is_finite())?;
        Some((name.to_string(), first))
    };
    let losses = history.losses("train/").chain(history.losses("val/"));
    let all: Vec<(String, usize)> = losses.filter_map(of).collect();
    let (name, row) = all.first()?;
    let what = format!(
        "{name} is no number from line {} on; {} losses have such",
        row + 2,
        all.len()
    );
    Some(
        Finding::new("not_finite", place, what)
            .next(["parity audit log says where it began".into()]),
    )
}

fn status(history: &History, place: &str, planned: Option<f64>) -> Finding {
    let done = history.rows.len();
    let time = history
        .column("time")
        .and_then(|t| t.last().copied())
        .filter(|t| t.is_finite());
    let took = time.map_or(String::new(), |t| format!(", {} h", number(t / 3600.0)));
    match planned {
        Some(n) if done as f64 == n => Finding::new("status", place, format!("all {done} epochs were run{took}")).severity(Severity::Note),
        Some(n) => Finding::new("status", place, format!("{done} of {n} epochs were run{took}: stopped early, or broken off"))
            .severity(Severity::Warning)
            .next(["look whether patience ended it, or an error: what is compared is not the whole training".into()]),
        None => Finding::new("status", place, format!("{done} epochs were run{took}; how many were planned is not given")).severity(Severity::Note),
    }
}

fn best_place(history: &History, place: &str) -> Option<Finding> {
    let row = best(history)?;
    let epochs = history.epochs();
    let (epoch, all) = (epochs[row], epochs.last().copied()?);
    let value = history
        .metric("mAP50")
        .map(|c| format!(", mAP@0.5 {} %", number(100.0 * c[row])));
    let what = format!(
        "the best epoch is {} of {}, at {} % of the training{}",
        epoch,
        all,
        number(100.0 * epoch / all),
        value.unwrap_or_default()
    );
    Some(
        Finding::new("best_epoch", place, what)
            .number("epoch", epoch)
            .severity(Severity::Note),
    )
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn converged(history: &History, place: &str) -> Option<Finding> {
    let map = history
        .metric("mAP50-95")
        .or_else(|| history.metric("mAP50"))?;
    let tenth = (map.len() / 10).max(1);
    if map.len() < 20 {
        return None;
    }
    let (before, last) = (
        &map[map.len() - 2 * tenth..map.len() - tenth],
        &map[map.len() - tenth..],
    );
    let gain = (mean(last) - mean(before)) / mean(before).abs().max(f64::MIN_POSITIVE);
    let percent = number(100.0 * gain);
    Some(match gain > STILL {
        true => Finding::new(
            "not_converged",
            place,
            format!("mAP still grows by {percent} % from one tenth of the training to the next"),
        )
        .severity(Severity::Warning)
        .next(["train longer before two runs are compared".into()]),
        false => Finding::new(
            "converged",
            place,
            format!("mAP changes by {percent} % over the last tenth of the training"),
        )
        .severity(Severity::Note),
    })
}

fn overfits(history: &History, place: &str) -> Option<Finding> {
    let (train, val) = (history.total("train/")?, history.total("val/")?);
    let last = val.len().checked_sub(1)?;
    let least = (0..=last)
        .filter(|i| val[*i].is_finite())
        .min_by(|a, b| val[*a].total_cmp(&val[*b]))?;
    let rise = val[last] / val[least] - 1.0;
    let falls = train[last] < train[least];
    let words = format!(
        "validation loss is {} % above its least, of epoch {}",
        number(100.0 * rise),
        history.epochs()[least]
    );
    Some(match rise > RISE && falls {
        true => Finding::new(
            "overfits",
            place,
            format!("{words}, while training loss goes on to fall"),
        )
        .severity(Severity::Warning)
        .next(["take the best epoch, or stronger augmentation".into()]),
        false => Finding::new("overfits_not", place, words).severity(Severity::Note),
    })
}

#[cfg(test)]
mod tests {
    use super::super::history::tests::history;
    use super::*;

    const COLUMNS: [&str; 5] = [
        "epoch",
        "train/box_loss",
        "val/box_loss",
        "metrics/mAP50(B)",
        "metrics/mAP50-95(B)",
    ];

    /// A training of `n` epochs from its losses and mAP at each share of the way.
    fn course(n: usize, of: impl Fn(f64) -> [f64; 3]) -> History {
        let row = |i: usize| {
            let [train, val, map] = of(i as f64 / n as f64);
            vec![i as f64 + 1.0, train, val, map, map / 2.0]
        };
        let rows: Vec<Vec<f64>> = (0..n).map(row).collect();
        let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
        history(&COLUMNS, &rows)
    }

    fn kinds(h: &History, planned: f64) -> Vec<String> {
        let all = findings(h, "results.csv", Some(planned));
        all.into_iter()
            .filter(|f| f.severity != Severity::Note)
            .map(|f| f.kind)
            .collect()
    }

    #[test]
    fn a_training_that_settles_is_only_noted() {
        let settled = course(100, |x| {
            [
                3.0 - 2.0 * x.min(0.5),
                4.0 - 2.0 * x.min(0.5),
                0.4 * (3.0 * x).min(1.0),
            ]
        });
        assert_eq!(kinds(&settled, 100.0), Vec::<String>::new());
        assert_eq!(best(&settled), Some(34));
    }

    #[test]
    fn what_still_grows_overfits_or_ends_early_is_a_risk() {
        assert_eq!(
            kinds(&course(100, |x| [3.0 - x, 3.0 - x, 0.4 * x]), 100.0),
            ["not_converged"]
        );
        let flat = |x: f64| 0.4 * (9.0 * x).min(1.0);
        assert_eq!(
            kinds(&course(100, |x| [3.0 - x, 3.0 + x, flat(x)]), 100.0),
            ["overfits"]
        );
        assert_eq!(
            kinds(&course(100, |x| [3.0 - x, 3.0, flat(x)]), 300.0),
            ["status"]
        );
        assert_eq!(
            kinds(&course(100, |x| [3.0 - x, f64::NAN, flat(x)]), 100.0),
            ["not_finite"]
        );
    }

    #[test]
    fn milestones_have_each_loss_with_its_trend_and_the_last_epoch_closes() {
        let h = course(120, |x| [3.0 - x, 3.0, x]);
        let table = milestones(&h, &[], "course");
        let epochs: Vec<&str> = table.rows.iter().map(|r| r[0].as_str()).collect();
        assert_eq!(epochs, ["50", "100", "120"]);
        // Resumed behind epoch 90: row 50 is no epoch 50.
        let mut resumed = h.clone();
        resumed.rows.drain(..90);
        let table = milestones(&resumed, &[], "course");
        let epochs: Vec<&str> = table.rows.iter().map(|r| r[0].as_str()).collect();
        assert_eq!(epochs, ["100", "120"]);
        assert!(table.rows[1][1].ends_with("(falls)") && table.rows[1][2].ends_with("(flat)"));
    }
}

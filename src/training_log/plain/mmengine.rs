//! mmengine: "Epoch(train) [1][4/8]  lr: 0.1  loss: 3.75", "Iter(val) [8/8]  mIoU: 2.7", and mmcv 1's "Epoch [1][50/100]  lr: 0.1, loss: 1.2".

use super::super::spoken::stamped;
use super::super::{Kind, Log, Place, name, number};

/// Whether the text is such a line. A line of validation stands where the training was last.
pub fn row(text: &str, line: u64, last: &mut Option<Place>, log: &mut Log) -> bool {
    let message = stamped(text).map_or(text, |s| s.1);
    let Some((validation, by_epoch, rest)) = head(message) else {
        return false;
    };
    let (brackets, rest) = brackets(rest);
    let own = place(&brackets, by_epoch, line);
    let place = match (validation, *last) {
        (true, Some(last)) => Place {
            epoch: own.epoch.or(last.epoch),
            at: own.at,
            ..last
        },
        (true, None) => Place { step: None, ..own },
        (false, _) => own,
    };
    let pairs = pairs(rest);
    if pairs.is_empty() {
        return true;
    }
    match validation {
        true => log.rows += 1,
        false => {
            log.row(place);
            *last = Some(place);
        }
    }
    for (key, value) in pairs {
        let loss = validation && Kind::of(key) == Kind::Loss && !name::is_validation(key);
        match loss {
            true => log.push(&format!("val/{key}"), place, value),
            false => log.push(key, place, value),
        }
    }
    true
}

/// Whether it is of validation, whether it counts by epochs, and the rest.
fn head(text: &str) -> Option<(bool, bool, &str)> {
    let heads = [
        ("Epoch(train)", false, true),
        ("Iter(train)", false, false),
        ("Epoch(val)", true, true),
        ("Iter(val)", true, false),
        ("Epoch(test)", true, true),
        ("Iter(test)", true, false),
        ("Epoch [", false, true),
        ("Iter [", false, false),
    ];
    let fits = |(head, validation, by_epoch): (&str, bool, bool)| {
        let rest = text.strip_prefix(head)?;
        let rest = if head.ends_with('[') {
            &text[head.len() - 1..]
        } else {
            rest
        };
        Some((validation, by_epoch, rest))
    };
    heads.into_iter().find_map(fits)
}

/// What stands between brackets at the beginning, and the rest.
fn brackets(text: &str) -> (Vec<&str>, &str) {
    let (mut all, mut rest) = (vec![], text.trim_start());
    while let Some((inside, behind)) = rest.strip_prefix('[').and_then(|r| r.split_once(']')) {
        all.push(inside.trim());
        rest = behind;
    }
    (all, rest)
}

fn place(brackets: &[&str], by_epoch: bool, line: u64) -> Place {
    let begun = |text: &str| {
        text.split('/')
            .next()
            .unwrap_or("")
            .trim()
            .parse::<u64>()
            .ok()
    };
    let of = |text: &str| {
        text.split('/')
            .nth(1)
            .and_then(|t| t.trim().parse::<u64>().ok())
    };
    let at = Place::line(line);
    match (by_epoch, brackets) {
        (true, [epoch, inside, ..]) => {
            let epoch = begun(epoch);
            let before = epoch
                .zip(of(inside))
                .map(|(e, n)| e.saturating_sub(1).saturating_mul(n));
            let step = before.zip(begun(inside)).map(|(b, i)| b.saturating_add(i));
            Place {
                epoch: epoch.map(|e| e as f64),
                step,
                ..at
            }
        }
        (true, [epoch]) => Place {
            epoch: begun(epoch).map(|e| e as f64),
            ..at
        },
        (false, [inside, ..]) => Place {
            step: begun(inside),
            ..at
        },
        _ => at,
    }
}

/// "name: value" pairs, with commas behind the values or without.
fn pairs(text: &str) -> Vec<(&str, f64)> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let pair = |two: &[&'_ str]| {
        two[0]
            .ends_with(':')
            .then(|| number(two[1].trim_end_matches(',')))
            .flatten()
    };
    words
        .windows(2)
        .filter_map(|two| Some((two[0].trim_end_matches(':'), pair(two)?)))
        .collect()
}

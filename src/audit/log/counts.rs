//! counts: images, backgrounds, corrupt files and objects that a log counted, held against what is declared.

use super::asked::Declared;
use super::{Held, Log, percent};
use crate::text::few;
use crate::training_log::{Count, Counted};
use crate::verdict::{Finding, Severity};

/// From this share on images without an object are to be declared.
const MANY: f64 = 0.1;

impl Log {
    fn declared(&self) -> impl Iterator<Item = (Counted, &Declared)> {
        let all = [
            (Counted::Images, &self.images),
            (Counted::Instances, &self.instances),
            (Counted::Backgrounds, &self.backgrounds),
            (Counted::Corrupt, &self.corrupt),
        ];
        all.into_iter()
            .flat_map(|(what, all)| all.iter().map(move |d| (what, d)))
    }

    fn of(&self, what: Counted, split: &str) -> Option<u64> {
        let fits = |(w, d): &(Counted, &Declared)| *w == what && d.split == split;
        self.declared().find(fits).map(|(_, d)| d.n)
    }
}

#[must_use]
pub fn findings(asked: &Log, held: &Held) -> Vec<Finding> {
    let counts = &held.log.said.counts;
    let mut found: Vec<Finding> = counts.iter().filter_map(|c| one(asked, held, c)).collect();
    found.extend(
        counts
            .iter()
            .filter(|c| c.what == Counted::Backgrounds)
            .filter_map(|c| backgrounds(asked, held, c)),
    );
    found
}

/// What the same line counted of something else.
fn beside(held: &Held, c: &Count, what: Counted) -> Option<u64> {
    let same = |o: &&Count| o.split == c.split && o.line == c.line && o.what == what;
    held.log.said.counts.iter().find(same).map(|c| c.n)
}

fn one(asked: &Log, held: &Held, c: &Count) -> Option<Finding> {
    let word = c.what.word();
    let place = held.at(format!("line {}", c.line));
    let declared = match (c.what, asked.of(c.what, &c.split)) {
        (Counted::Corrupt, None) => 0,
        (_, None) => return None,
        (_, Some(n)) => n,
    };
    let finding = |what: String| {
        Finding::new("count", &place, what)
            .number("counted", c.n as f64)
            .number("declared", declared as f64)
    };
    if c.n == declared {
        let what = format!("{}: {} {word}, as declared", c.split, c.n);
        return Some(finding(what).severity(Severity::Note));
    }
    // A scan counts images with a label file apart from those without.
    let empty =
        beside(held, c, Counted::Backgrounds).filter(|_| c.scanned && c.what == Counted::Images);
    if let Some(empty) = empty.filter(|e| c.n + e == declared) {
        let what = format!(
            "{}: {} images with labels and {empty} without, {declared} together as declared",
            c.split, c.n
        );
        return Some(finding(what).severity(Severity::Note));
    }
    let what = match c.what {
        Counted::Corrupt => format!(
            "{}: {} images or labels are corrupt and left out",
            c.split, c.n
        ),
        _ => format!(
            "{}: {} {word} are counted, {declared} are declared: {}",
            c.split,
            c.n,
            less(c.n, declared)
        ),
    };
    let facts = empty.map(|e| format!("beside them {e} images without labels"));
    let next = format!(
        "parity audit data says which files of {} are not found, unreadable or unpaired",
        c.split
    );
    Some(finding(what).facts(facts).next([next]))
}

fn less(n: u64, declared: u64) -> String {
    match n < declared {
        true => format!("{} are missing", declared - n),
        false => format!("{} too many", n - declared),
    }
}

/// Images without labels, where nobody declared how many there are.
fn backgrounds(asked: &Log, held: &Held, c: &Count) -> Option<Finding> {
    let labelled = beside(held, c, Counted::Images)?;
    if asked.of(Counted::Backgrounds, &c.split).is_some() {
        return None;
    }
    let all = (labelled + c.n).max(1);
    let share = c.n as f64 / all as f64;
    let what = format!(
        "{}: {} of {all} images have no labels: {}",
        c.split,
        c.n,
        percent(share)
    );
    let finding = Finding::new(
        "images_without_labels",
        held.at(format!("line {}", c.line)),
        what,
    )
    .number("share", share);
    if share < MANY {
        return Some(finding.severity(Severity::Note));
    }
    let declared = asked.of(Counted::Images, &c.split).is_some();
    let next = [
        "parity audit data says where the loader looks for each label file, and which source has none".to_string(),
        format!("--backgrounds {}={} where they have no object by design", c.split, c.n),
    ];
    let severity = if labelled == 0 || declared {
        Severity::Fault
    } else {
        Severity::Warning
    };
    Some(finding.next(next).severity(severity))
}

/// What is declared of a split that no log counts.
#[must_use]
pub fn unused(asked: &Log, all: &[Held]) -> Vec<Finding> {
    let counted = |what, d: &Declared| {
        all.iter()
            .flat_map(|h| &h.log.said.counts)
            .any(|c| c.what == what && c.split == d.split)
    };
    let splits: Vec<&str> = all
        .iter()
        .flat_map(|h| &h.log.said.counts)
        .map(|c| c.split.as_str())
        .collect();
    let lost = asked.declared().filter(|(what, d)| !counted(*what, d));
    lost.map(|(what, d)| {
        let said = format!(
            "no log counts the {} of '{}' ({} declared)",
            what.word(),
            d.split,
            d.n
        );
        let place = all.first().map_or("log", |h| h.file.as_str());
        let there =
            (!splits.is_empty()).then(|| format!("counted are {}", few(splits.iter().copied(), 9)));
        let next =
            "name the printed log of the training; parity audit data counts the files themselves";
        Finding::new("count", place, said)
            .facts(there)
            .severity(Severity::Unjudged)
            .next([next.to_string()])
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training_log;

    fn of(asked: &Log, images: u64, backgrounds: u64, corrupt: u64) -> Vec<(String, Severity)> {
        let text = format!(
            "train: Scanning /d/labels/train... {images} images, {backgrounds} backgrounds, {corrupt} corrupt: 100%\n"
        );
        let all = [Held::of(
            "t.log",
            training_log::parse(text.as_bytes()).unwrap(),
        )];
        let found = findings(asked, &all[0])
            .into_iter()
            .chain(unused(asked, &all));
        found
            .map(|f| (f.kind, f.severity))
            .filter(|f| f.1 != Severity::Note)
            .collect()
    }

    #[test]
    fn counts_are_held_against_what_is_declared() {
        let declared = |split: &str| Log {
            images: vec![format!("{split}=30300").parse().unwrap()],
            ..Log::default()
        };
        let said = |kind: &str, severity| vec![(kind.to_string(), severity)];
        assert_eq!(of(&declared("train"), 30300, 0, 0), []);
        assert_eq!(
            of(&declared("train"), 23829, 0, 0),
            said("count", Severity::Fault)
        );
        assert_eq!(
            of(&declared("train"), 23829, 6471, 0),
            said("images_without_labels", Severity::Fault)
        );
        assert_eq!(
            of(&declared("test"), 30300, 0, 0),
            said("count", Severity::Unjudged)
        );
        assert_eq!(of(&Log::default(), 100, 5, 0), []);
        assert_eq!(
            of(&Log::default(), 100, 50, 0),
            said("images_without_labels", Severity::Warning)
        );
        assert_eq!(
            of(&Log::default(), 0, 50, 0),
            said("images_without_labels", Severity::Fault)
        );
        assert_eq!(
            of(&Log::default(), 100, 0, 2),
            said("count", Severity::Fault)
        );
        let known = Log {
            backgrounds: vec!["train=6471".parse().unwrap()],
            ..declared("train")
        };
        assert_eq!(of(&known, 23829, 6471, 0), []);
    }
}

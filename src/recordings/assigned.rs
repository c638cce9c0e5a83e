//! assigned: the assignments of two recordings against each other as sets of pairs, and each against a kernel of their configuration.

use super::both::Both;
use super::third::{Third, WHO};
use crate::judge::stage::assign::{Assigned, Degenerate, Difference, Report, between};
use crate::judge::stage::swaps::{self, Decided};
use crate::kernel::assign::is_empty;
use crate::verdict::{Finding, Severity};
use std::collections::HashSet;

/// What was found, and what is said beside it.
#[derive(Default)]
pub struct Found {
    pub report: Report,
    pub notes: Vec<Finding>,
}

/// None where neither recording has an assignment.
pub fn found(both: &Both, third: Option<&Third>) -> Option<Found> {
    let has = |side: usize, name: &str| both.tensor(side, name).is_some();
    if !(0..2).any(|side| has(side, "assign.fg_mask")) {
        return None;
    }
    let owned = (0..2).all(|side| has(side, "assign.gt_index"));
    let mut found = Found::default();
    let read = [0, 1].map(|side| {
        let get = |n: &str| both.tensor(side, n);
        match owned {
            true => Assigned::read(&get),
            false => Assigned::without_owners(&get),
        }
    });
    if !owned {
        let why =
            "who owns which positive was not compared: 'assign.gt_index' is not in both recordings";
        found.report.untested.push(why.into());
    }
    let [Ok(reference), Ok(mut candidate)] = read else {
        let whys = WHO
            .into_iter()
            .zip(read)
            .filter_map(|(who, own)| Some((who, own.err()?)));
        let why = whys.map(|(who, why)| format!("{who}: the assignment could not be read: {why}"));
        found.report.untested.extend(why);
        return Some(found);
    };
    found
        .notes
        .extend(counted_from_one(&reference, &mut candidate));
    found.counts(both, third, [&reference, &candidate], owned);
    found.compare(both, third.filter(|_| owned), [&reference, &candidate]);
    Some(found)
}

impl Found {
    fn counts(&mut self, both: &Both, third: Option<&Third>, sides: [&Assigned; 2], owned: bool) {
        let objects = match third.and_then(Third::objects) {
            Some(objects) => objects.to_vec(),
            None => objects(both),
        };
        for (who, own) in WHO.into_iter().zip(sides) {
            let mut count = own.count(who, &objects);
            if !owned {
                // Nobody says whose they are: no object can be told to own them all.
                count.per_truth.clear();
                count.degenerate = count.degenerate.filter(|d| *d != Degenerate::OneTakesAll);
            }
            let head = format!(
                "{who}: {} of {} {}",
                count.positives, count.anchors, count.counted
            );
            let says = |c: &String| {
                let what = format!("{head}, but {c}");
                let said = Finding::new("contradicts", "assign.fg_mask", what).of(who);
                said.severity(Severity::Warning)
            };
            self.notes.extend(count.contradicted.iter().map(says));
            self.report.counts.push(count);
        }
    }

    fn compare(
        &mut self,
        both: &Both,
        third: Option<&Third>,
        [reference, candidate]: [&Assigned; 2],
    ) {
        let sides = [candidate, reference];
        let names = [WHO[1], WHO[0]];
        let mut ties = tied(both, sides);
        let own = third.map(|third| {
            let held = [(0, reference), (1, candidate)];
            held.map(|(side, own)| third.held(both, side, own))
        });
        if let Some((third, [Some(of_reference), of_candidate])) = third.zip(own) {
            if of_reference.over() {
                self.notes.push(other_configuration(third, &of_reference));
            } else {
                let same = of_candidate.as_ref().is_some_and(Difference::is_settled);
                // Each is what the rule makes of its own predictions: they differ by these alone.
                if same && candidate.owner != reference.owner {
                    let differing = (0..candidate.owner.len())
                        .filter(|i| candidate.owner.get(*i) != reference.owner.get(*i));
                    ties.extend(differing);
                    self.notes.push(inherited(third));
                }
                self.report.differences.push(of_reference);
                self.report.differences.extend(of_candidate);
            }
        }
        let d = between(names, sides, &ties);
        self.notes.extend(background(&d, [reference, candidate]));
        self.report.differences.push(d);
    }
}

/// Anchors whose owners differ by a tie of what was recorded of either side.
fn tied(both: &Both, sides: [&Assigned; 2]) -> HashSet<usize> {
    let decided = |name: &str| {
        let moves = both.moves_decided(name);
        (0..2).find_map(|side| Decided::read(&both.tensor(side, name)?, &*moves))
    };
    if sides[0].owner.len() != sides[1].owner.len() {
        return HashSet::new();
    }
    let (metric, overlap) = (decided("assign.metric"), decided("assign.overlap"));
    swaps::ties(sides, metric.as_ref(), overlap.as_ref())
}

/// Rows of ground truth of each image that are no padding, as the reference has them.
fn objects(both: &Both) -> Vec<usize> {
    let Some(boxes) = both.tensor(0, "gt_boxes").filter(|t| t.shape().len() == 3) else {
        return vec![];
    };
    let rows = boxes.shape()[1];
    let values = boxes.to_f64();
    let corners: Vec<[f64; 4]> = values
        .chunks_exact(4)
        .map(|b| [b[0], b[1], b[2], b[3]])
        .collect();
    let of_image = |rows: &[[f64; 4]]| rows.iter().rposition(|b| !is_empty(b)).map_or(0, |i| i + 1);
    corners.chunks(rows.max(1)).map(of_image).collect()
}

/// Owners that are numbered from 1: taken as numbered from 0 where targets that were recorded are the same all the same.
fn counted_from_one(reference: &Assigned, candidate: &mut Assigned) -> Option<Finding> {
    let positives = reference.owner.iter().zip(&candidate.owner);
    let shared: Vec<(usize, usize)> = positives.filter_map(|(a, b)| (*a).zip(*b)).collect();
    let shifted = !shared.is_empty() && shared.iter().all(|(a, b)| a.checked_add(1) == Some(*b));
    let same = |a: &Option<Vec<f64>>, b: &Option<Vec<f64>>| a.is_some() && a == b;
    let proved = same(&reference.boxes, &candidate.boxes)
        || reference.labels.is_some() && reference.labels == candidate.labels;
    if !shifted || !proved {
        return None;
    }
    candidate
        .owner
        .iter_mut()
        .for_each(|o| *o = o.map(|g| g.saturating_sub(1)));
    let what = "owners are numbered from 0 in the reference and from 1 in the candidate, at the same targets";
    Some(convention("assign.gt_index", what.into()))
}

/// What background holds on either side, where that is not the same.
fn background(d: &Difference, sides: [&Assigned; 2]) -> Option<Finding> {
    if d.background == 0 {
        return None;
    }
    let free = |i: &usize| sides.iter().all(|s| s.owner[*i].is_none());
    let label = |i: usize| sides.map(|s| s.labels.as_ref().map(|l| l[i]));
    let pair = |i: usize| {
        let [a, b] = label(i);
        a.zip(b).filter(|(a, b)| a != b)
    };
    let example = (0..sides[0].owner.len()).filter(free).find_map(pair);
    let shown = example.map_or(String::new(), |(a, b)| {
        format!(": label {a} in the reference, {b} in the candidate")
    });
    let what = format!(
        "{} background anchors hold another label or box{shown}; nothing is trained by it",
        d.background
    );
    Some(convention("assign.target_labels", what))
}

fn convention(place: &str, what: String) -> Finding {
    Finding::new("convention", place, what).severity(Severity::Note)
}

fn other_configuration(third: &Third, d: &Difference) -> Finding {
    let what = format!(
        "no third opinion on the assignment: kernel '{}' is of another configuration than the reference, of whose predictions it makes {} positives \
         that the reference has not, and of whose own {} it makes none",
        third.name,
        d.missing + d.moved,
        d.extra + d.moved
    );
    let next = "state the reference's top-k, α, β and overlap beside kernel, or leave it";
    let said = Finding::new("kernel", "assign.fg_mask", what).severity(Severity::Note);
    said.next([next.to_string()])
}

fn inherited(third: &Third) -> Finding {
    let what = format!(
        "owners differ, and each side's are what kernel '{}' makes of its own predictions: the predictions differ, not the rule",
        third.name
    );
    Finding::new("kernel", "assign.fg_mask", what).severity(Severity::Note)
}

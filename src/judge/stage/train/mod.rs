//! train: steps of training that two programs make, judged: each alone from the same state (lock-step), and all of them on their own (free). Pure: tensors
//! of both by the reference's names in, a report and a verdict out.
//!
//! What a tensor may be off by is R times what the reference's own step moves by where everything that it starts from is off by a rounding, and no less than
//! a rounding of the tensor itself.

mod rule;
mod why;

use crate::compare::json;
use crate::floor::noise::{Floor, R, deviation};
use crate::scenario::Stage;
use crate::tensor::Tensor;
use crate::text::{few, number};
use crate::verdict::{Outcome, StageVerdict};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Tensors of a step, all f64: `loss.TERM`, `grad.NAME`, `clipped.NAME`, `optimizer.SLOT.NAME`, `value.NAME`, `ema.NAME`, `rule.KEY`.
pub type Tensors = IndexMap<String, Tensor>;

/// What is judged, in the order in which a step computes it, and what it is in the field's words.
const KINDS: [(&str, &str); 6] = [
    ("loss.", "losses"),
    ("grad.", "gradients"),
    ("clipped.", "clipped gradients"),
    ("optimizer.", "optimiser state"),
    ("value.", "parameters and statistics"),
    ("ema.", "averages"),
];

/// How many steps there were, which not every optimiser counts: what follows from it is judged.
const COUNTS: [&str; 2] = ["optimizer.count", "ema.count"];

/// A parameter has trained where it moves by so many times what rounding moves it by.
const TRAINED: f64 = 100.0;

/// In tolerances: what is over by more is so whatever further runs say.
const NEAR: f64 = 16.0;

/// Operators without a proof that are named before the rest is counted.
const NAMED: usize = 4;

/// One step that both made from the reference's state.
#[derive(Debug)]
pub struct Seen {
    /// How many there were before.
    pub step: usize,
    pub before: Tensors,
    pub reference: Tensors,
    pub candidate: Tensors,
    /// How far rounding spreads each tensor of the reference.
    pub floors: HashMap<String, Floor>,
}

/// A tensor that is off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Off {
    pub name: String,
    /// In tolerances.
    #[serde(with = "json")]
    pub ratio: f64,
}

/// One step, as it is reported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    pub step: usize,
    /// The losses of the reference, and of the candidate on its own.
    pub losses: Vec<Loss>,
    /// What is off most where both start from the reference's state: in f64 where both compute in it, and in their own dtypes.
    pub exact: Option<Off>,
    pub own: Option<Off>,
    /// What is off most where each goes on from its own.
    pub free: Option<Off>,
}

/// A term.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    pub term: String,
    #[serde(with = "json")]
    pub reference: f64,
    #[serde(with = "json")]
    pub candidate: f64,
}

/// What training came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    pub steps: Vec<Row>,
    /// How many tensors a step holds against each other.
    pub compared: usize,
    /// What only one side has.
    pub open: Vec<String>,
    /// Of the trained parameters, how many move by many times their rounding, and how many there are.
    pub trained: [usize; 2],
}

/// One step of all three ways.
#[derive(Debug)]
pub struct Step {
    pub exact: Option<Seen>,
    pub own: Seen,
    /// By the candidate, from its own state.
    pub free: Tensors,
}

impl Seen {
    /// How far each tensor that both have is off, in the order of computing.
    fn judged<'a>(&'a self, found: &'a Tensors) -> impl Iterator<Item = Off> + 'a {
        let kinds = KINDS.iter().flat_map(|(kind, _)| {
            let own = self.reference.iter();
            own.filter(move |(name, _)| name.starts_with(kind) && !COUNTS.contains(&name.as_str()))
        });
        kinds.filter_map(|(name, expected)| {
            let ratio = self.ratio(name, expected, found.get(name)?);
            Some(Off {
                name: name.clone(),
                ratio,
            })
        })
    }

    /// In tolerances; what has another shape, or no floor, is off without end.
    fn ratio(&self, name: &str, expected: &Tensor, found: &Tensor) -> f64 {
        let off = deviation(expected, found, None);
        let floor = self.floors.get(name);
        let ratio = off.zip(floor).and_then(|(off, floor)| floor.ratio(&off));
        ratio.map_or(f64::INFINITY, |r| r / R)
    }

    /// Whether something is over by so little that more runs of its floor could decide otherwise.
    pub fn is_near(&self) -> bool {
        let mut all = self.judged(&self.candidate);
        all.any(|off| off.ratio > 1.0 && off.ratio < NEAR)
    }

    fn over(&self) -> Vec<Off> {
        self.judged(&self.candidate).filter(is_over).collect()
    }
}

fn is_over(off: &Off) -> bool {
    off.ratio > 1.0 || off.ratio.is_nan()
}

fn worst(all: impl Iterator<Item = Off>) -> Option<Off> {
    let size = |off: &Off| {
        if off.ratio.is_nan() {
            f64::INFINITY
        } else {
            off.ratio
        }
    };
    all.max_by(|a, b| size(a).total_cmp(&size(b)))
}

/// # Panics
/// Never: a training of no step is refused where the scenario is read.
pub fn report(steps: &[Step]) -> Report {
    let row = |s: &Step| Row {
        step: s.own.step,
        losses: losses(&s.own.reference, &s.free),
        exact: s.exact.as_ref().and_then(|e| worst(e.judged(&e.candidate))),
        own: worst(s.own.judged(&s.own.candidate)),
        free: worst(s.own.judged(&s.free)),
    };
    let first = steps.first();
    Report {
        steps: steps.iter().map(row).collect(),
        compared: first.map_or(0, |s| s.own.judged(&s.own.candidate).count()),
        open: first.map_or(vec![], |s| open(&s.own)),
        trained: trained(steps),
    }
}

fn losses(reference: &Tensors, candidate: &Tensors) -> Vec<Loss> {
    let value = |t: &Tensor| t.to_f64().first().copied().unwrap_or(f64::NAN);
    let terms = reference
        .iter()
        .filter_map(|(name, t)| Some((name.strip_prefix("loss.")?, name, t)));
    let loss = |(term, name, t): (&str, &String, &Tensor)| Loss {
        term: term.into(),
        reference: value(t),
        candidate: candidate.get(name).map_or(f64::NAN, value),
    };
    terms.map(loss).collect()
}

/// What only one side has, by what it is: `optimizer.mean` and not each of its tensors.
fn open(seen: &Seen) -> Vec<String> {
    let sides = [
        ("reference", &seen.reference, &seen.candidate),
        ("candidate", &seen.candidate, &seen.reference),
    ];
    let mut says: Vec<String> = vec![];
    for (side, own, other) in sides {
        let only = own.keys().filter(|n| {
            !other.contains_key(*n)
                && !is_constant(seen, own, n)
                && !COUNTS.contains(&n.as_str())
                && KINDS.iter().any(|(kind, _)| n.starts_with(kind))
        });
        for name in only {
            let group = match name
                .strip_prefix("optimizer.")
                .and_then(|rest| rest.split_once('.'))
            {
                Some((slot, _)) => format!("optimizer.{slot}"),
                None => name.clone(),
            };
            let line = format!("'{group}' is made by the {side}'s alone");
            if !says.contains(&line) {
                says.push(line);
            }
        }
    }
    says
}

/// Whether it is, or is the average of, what has no gradient and is in the end what it was: a table of anchors or positions, which no training makes.
fn is_constant(seen: &Seen, own: &Tensors, name: &str) -> bool {
    let of = ["value.", "ema."].iter().find_map(|k| name.strip_prefix(k));
    let Some(of) = of.filter(|of| !own.contains_key(&format!("grad.{of}"))) else {
        return false;
    };
    let value = format!("value.{of}");
    let held = seen.before.get(&value).zip(own.get(&value));
    held.is_some_and(|(before, after)| before.bytes() == after.bytes())
}

/// Parameters with a gradient that move from the first state to the last by many times what rounding moves them by in a step.
fn trained(steps: &[Step]) -> [usize; 2] {
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else {
        return [0, 0];
    };
    let names = first
        .own
        .reference
        .keys()
        .filter_map(|n| n.strip_prefix("grad."));
    let names: Vec<String> = names.map(|n| format!("value.{n}")).collect();
    let moves = |name: &&String| {
        let before = first.own.before.get(*name)?;
        let after = last.own.reference.get(*name)?;
        let floor = last.own.floors.get(*name)?;
        let moved = floor.ratio(&deviation(before, after, None)?)?;
        (moved >= TRAINED).then_some(())
    };
    [
        names.iter().filter(|n| moves(n).is_some()).count(),
        names.len(),
    ]
}

/// What the stage comes to, and its lines.
pub fn verdict(steps: &[Step], report: &Report) -> StageVerdict {
    let mut coarse = None;
    for step in steps {
        let own = (!step.own.over().is_empty()).then_some(&step.own);
        let exact = step.exact.as_ref().filter(|s| !s.over().is_empty());
        let why = |seen: Option<&Seen>| seen.and_then(|s| why::say(s, &s.over(), steps));
        let found = why(exact).or_else(|| why(own));
        match (exact, own) {
            // What f32 cannot tell apart is another rule where one explains it, or where no number of f32 is kept on the way of f64.
            (Some(seen), None) if found.is_none() && !unproved(seen).is_empty() => {
                let off = seen.over().into_iter().next();
                coarse = coarse.or(off.map(|off| (off, unproved(seen))));
            }
            (Some(seen), _) | (None, Some(seen)) if found.is_none() && is_behind_draw(seen) => {
                return undecided(seen);
            }
            (Some(seen), _) => return diverge(seen, "another rule", found),
            (None, Some(seen)) => {
                let what = match step.exact.is_some() {
                    true => "the same rule in f64, in arithmetic that loses digits",
                    false => "another rule",
                };
                return diverge(seen, what, found);
            }
            (None, None) => {}
        }
    }
    let mut agrees = agrees(report);
    agrees.extend(coarse.map(|(off, unproved)| {
        format!(
            "in f64 '{}' is off by {} tolerances, and within in the programs' own dtypes: something is kept in f32 on the way ({})",
            off.name,
            number(off.ratio),
            unproved.join("; ")
        )
    }));
    match report.open.is_empty() {
        true => StageVerdict {
            says: agrees,
            ..StageVerdict::agree(Stage::Train, String::new())
        },
        false => StageVerdict {
            outcome: Outcome::Nothing,
            says: [report.open.clone(), agrees].concat(),
            ..StageVerdict::agree(Stage::Train, String::new())
        },
    }
}

/// Which side draws at random in this step, and by which modules it does.
fn drawn(seen: &Seen) -> Vec<String> {
    let sides = [
        ("reference", &seen.reference),
        ("candidate", &seen.candidate),
    ];
    let says = sides.into_iter().filter_map(|(side, step)| {
        step.contains_key("drawn").then_some(())?;
        let modules = step.keys().filter_map(|n| n.strip_prefix("drawn."));
        let modules: Vec<&str> = modules.collect();
        Some(match modules.is_empty() {
            true => format!("the {side} draws at random, in a function"),
            false => format!(
                "the {side} draws at random, in {}",
                few(modules.into_iter(), NAMED)
            ),
        })
    });
    says.collect()
}

/// Whether the first that is off comes of what both have drawn; where losses and gradients are the same, so is that.
fn is_behind_draw(seen: &Seen) -> bool {
    seen.over().first().is_some_and(is_differentiated) && drawn(seen).len() == 2
}

fn is_differentiated(off: &Off) -> bool {
    off.name.starts_with("loss.") || off.name.starts_with("grad.")
}

/// What is off behind a draw is not judged: two programs do not draw alike.
fn undecided(seen: &Seen) -> StageVerdict {
    let over = seen.over();
    let first = format!(
        "in step {} '{}' and {} more tensors are not the same, and are not judged: two programs do not draw alike",
        seen.step + 1,
        over[0].name,
        over.len() - 1
    );
    let next = "to have it judged, build both without: a rate of 0, or a network in training of which these modules are in eval mode";
    StageVerdict {
        outcome: Outcome::Nothing,
        says: [drawn(seen), vec![first, next.into()]].concat(),
        ..StageVerdict::agree(Stage::Train, String::new())
    }
}

/// Whose gradients may be none of f64, and of which operators; nothing where both sides have proved theirs.
fn unproved(seen: &Seen) -> Vec<String> {
    let sides = [
        ("reference", &seen.reference),
        ("candidate", &seen.candidate),
    ];
    let says = sides.into_iter().filter_map(|(side, step)| {
        let lacks = step.keys().filter_map(|n| n.strip_prefix("unproved."));
        let lacks: Vec<&str> = lacks.collect();
        match (lacks.as_slice(), step.contains_key("proved")) {
            ([], true) => None,
            ([], false) => Some(format!("the {side} does not prove its gradients in f64")),
            (lacks, _) => Some(format!(
                "gradients of the {side} that are not proved in f64: {}",
                few(lacks.iter().copied(), NAMED)
            )),
        }
    });
    says.collect()
}

/// The first tensor that is off, what in front of it is not, and why.
fn diverge(seen: &Seen, what: &str, why: Option<String>) -> StageVerdict {
    let over = seen.over();
    let (first, number_of) = (&over[0], over.len());
    let all = seen.judged(&seen.candidate).count();
    let mut says = vec![format!(
        "{what}: in step {}, from the same state, '{}' is off by {} tolerances; {number_of} of {all} tensors of the step are off",
        seen.step + 1,
        first.name,
        number(first.ratio)
    )];
    let within = |kind: &&(&str, &str)| {
        let some = seen.reference.keys().any(|n| n.starts_with(kind.0));
        some && !over.iter().any(|o| o.name.starts_with(kind.0))
    };
    let within: Vec<&str> = KINDS.iter().filter(within).map(|k| k.1).collect();
    if !within.is_empty() {
        says.push(format!("within: {}", within.join(", ")));
    }
    let unknown = || match &drawn(seen)[..] {
        [only] if is_differentiated(first) => format!("why: {only}, and the other side does not"),
        _ => "why: no convention that is known here explains it".into(),
    };
    says.push(why.unwrap_or_else(unknown));
    let term = first.name.strip_prefix("loss.").map(String::from);
    StageVerdict {
        outcome: Outcome::Diverge,
        first: Some(first.name.clone()),
        term,
        says,
        ..StageVerdict::agree(Stage::Train, String::new())
    }
}

fn agrees(report: &Report) -> Vec<String> {
    let steps = report.steps.len();
    let most = |of: fn(&Row) -> Option<&Off>| worst(report.steps.iter().filter_map(of).cloned());
    let said = |off: &Off| format!("{} tolerances at '{}'", number(off.ratio), off.name);
    let mut says = vec![format!(
        "the same rule in {steps} steps, each from the same state: {} tensors of each within, at most {}",
        report.compared,
        most(|r| r.exact.as_ref().or(r.own.as_ref())).map_or("0".into(), |o| said(&o))
    )];
    let grown = report
        .steps
        .iter()
        .find(|r| r.free.as_ref().is_some_and(is_over));
    says.push(match grown {
        None => "free: every step within what rounding allows one step".into(),
        Some(row) => format!(
            "rounding growth: free, each from its own state, more than one step's rounding from step {} on, at most {}",
            row.step + 1,
            most(|r| r.free.as_ref()).map_or("0".into(), |o| said(&o))
        ),
    });
    let (first, last) = (&report.steps[0].losses, &report.steps[steps - 1].losses);
    let sum = |of: &[Loss]| of.iter().map(|l| l.reference).sum::<f64>();
    let [moving, all] = report.trained;
    says.push(format!(
        "the sum of the losses goes from {} to {}; {moving} of {all} parameters move by {TRAINED} times their rounding",
        number(sum(first)),
        number(sum(last))
    ));
    says
}

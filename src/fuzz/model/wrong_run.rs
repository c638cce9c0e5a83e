//! finding: what a run of one case came to: its first divergence as a kind and a place, or what was compared.

use crate::compare::Comparison;
use crate::fuzz::tally::{self, kind as kind_of};
use crate::run::Run;
use crate::run::headline::headline;
use crate::verdict::{Accumulated, Isolated, Outcome, Side, TensorResult, Why};
use std::fmt;

/// How a case diverges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A node is off alone.
    Origin,
    /// The same, and what tells it is NaN or infinite on a side.
    NotFinite,
    /// The same, and no value was looked at.
    Attributes,
    /// A tensor is off, and the node cannot be tested alone.
    Untested,
    /// No node is off alone, and the error grows beyond the floor.
    Drift,
    /// Only what is deployed is off.
    Unobserved,
    /// Only what is deployed is refused.
    UnobservedRefused,
    /// The candidate refuses what the reference computes.
    Refused,
}

/// The first divergence of a case.
#[derive(Clone, Debug)]
pub struct WrongRun {
    pub kind: Kind,
    /// The node (with its operator) or tensor where it is first.
    pub place: String,
    /// The tensor that tells it; the last that has to be computed.
    pub tensor: Option<String>,
    /// Nodes that are suspected from the start: the origin, or the region that an optimiser treats as one.
    pub suspects: Vec<String>,
    /// With its numbers.
    pub says: String,
}

impl tally::Wrong for WrongRun {
    fn place(&self) -> &str {
        &self.place
    }

    fn kind(&self) -> String {
        match self.kind {
            Kind::Origin => format!("node {} is off alone", self.place),
            Kind::NotFinite => format!("node {} is off alone in what is not finite", self.place),
            Kind::Attributes => format!("node {} is off alone in its shape or dtype", self.place),
            Kind::Untested => format!("tensor '{}' is off, its node not tested alone", self.place),
            Kind::Drift => format!("drift, over the floor first at node {}", self.place),
            Kind::Unobserved => format!(
                "output '{}' is off only when nothing is observed",
                self.place
            ),
            Kind::UnobservedRefused => format!("the deployed session refuses it: {}", self.place),
            Kind::Refused => format!("the candidate refuses it: {}", self.place),
        }
    }
}

impl fmt::Display for WrongRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", tally::Wrong::kind(self), self.says)
    }
}

/// What comparing one case came to.
pub type Judged = tally::Judged<WrongRun>;

/// What a run says of its case.
pub fn of(run: &Run) -> Judged {
    Judged {
        compared: run.ledger.compared,
        abstained: run.ledger.abstained.clone(),
        flips: run.verdict.tie_flips as usize,
        special: run.tensors.iter().any(special),
        wrong: (run.verdict.outcome == Outcome::Diverge)
            .then(|| first(run))
            .flatten()
            .or_else(|| refused(run)),
        ..Judged::default()
    }
}

/// What the candidate refuses and the reference computes.
fn refused(run: &Run) -> Option<WrongRun> {
    let of = |t: &TensorResult| match &t.accumulated {
        Accumulated::NotJudged {
            why:
                Why::Refused {
                    side: Side::Candidate,
                    says,
                },
        } => Some((t.name.clone(), says.clone())),
        _ => None,
    };
    let (tensor, says) = run.tensors.iter().find_map(of)?;
    Some(WrongRun {
        kind: Kind::Refused,
        place: kind_of(&says),
        tensor: Some(tensor),
        suspects: vec![],
        says,
    })
}

/// A line without its columns.
fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn special(t: &TensorResult) -> bool {
    let held = |c: &Comparison| {
        let s = c.metrics().map(|m| &m.specials);
        s.is_some_and(|s| s.nan_reference + s.nan_candidate + s.inf_reference + s.inf_candidate > 0)
    };
    let alone = matches!(&t.isolated, Isolated::Exact { comparison, .. } if held(comparison));
    alone || matches!(&t.accumulated, Accumulated::Compared { comparison, .. } if held(comparison))
}

/// What tells that the node is off.
fn kind(isolated: &Isolated) -> Kind {
    match isolated {
        Isolated::Bounded { bounded, .. }
            if bounded.worst.reference.is_finite() && bounded.worst.candidate.is_finite() =>
        {
            Kind::Origin
        }
        Isolated::Bounded { .. } => Kind::NotFinite,
        Isolated::Exact { comparison, .. }
        | Isolated::Stated { comparison, .. }
        | Isolated::Stretch { comparison, .. }
        | Isolated::RuleDifference { comparison, .. } => match comparison {
            Comparison::Attributes(_) => Kind::Attributes,
            Comparison::Values(m) if m.specials.conflicts > 0 => Kind::NotFinite,
            Comparison::Values(_) => Kind::Origin,
        },
        Isolated::TieFlip { .. } | Isolated::NotJudged { .. } => Kind::Origin,
    }
}

fn first(run: &Run) -> Option<WrongRun> {
    let v = &run.verdict;
    let says = headline(run)
        .lines()
        .skip(1)
        .take(2)
        .map(words)
        .collect::<Vec<_>>()
        .join("; ");
    let wrong = |kind, place: &str, tensor: Option<String>, suspects: Vec<String>| {
        Some(WrongRun {
            kind,
            place: place.to_string(),
            tensor,
            suspects,
            says: says.clone(),
        })
    };
    let produced = |node: &str| run.tensors.iter().find(|t| t.node == node);
    if let Some(o) = v.origins.first() {
        let kind = run
            .tensors
            .iter()
            .find(|t| t.name == o.tensor)
            .map_or(Kind::Origin, |t| kind(&t.isolated));
        wrong(
            kind,
            &format!("'{}' ({})", o.node, o.op),
            Some(o.tensor.clone()),
            vec![o.node.clone()],
        )
    } else if let Some(t) = v.untested.first() {
        wrong(Kind::Untested, t, Some(t.clone()), vec![])
    } else if let Some(d) = &v.drift {
        let (first, op) = (produced(&d.first), produced(&d.first).map_or("", |t| &t.op));
        wrong(
            Kind::Drift,
            &format!("'{}' ({op})", d.first),
            first.map(|t| t.name.clone()),
            vec![],
        )
    } else {
        let u = v.only_unobserved.first()?;
        let suspects = u.cause.as_ref().map_or(vec![], |c| c.nodes.clone());
        match &u.refused {
            Some(says) => wrong(
                Kind::UnobservedRefused,
                &kind_of(says),
                Some(u.name.clone()),
                suspects,
            ),
            None => wrong(Kind::Unobserved, &u.name, Some(u.name.clone()), suspects),
        }
    }
}

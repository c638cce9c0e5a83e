//! relations: what a kernel owes to itself, whatever the reference says: another case whose answer is known, or bounded, from the first.
//!
//! Convention: a relation changes the inputs and says what the numbers of the other answer must be. Where the inputs are small multiples of
//! a power of two the changed ones are exact, so that nothing but a broken relation can tell the answers apart, or a tie: the same numbers at
//! other places of a vector may be rounded otherwise. A subject in f32 may be off by what rounding does to either case.

mod scenes;
mod table;

pub use table::{ALL, is_by_row};

use super::ask::answered;
use super::draw::Case;
use super::finding::{Finding, Judged};
use super::opinion::{Opinion, Said, Subject};
use super::oracle::{self, Bound, tensor};
use super::spread::Spread;
use crate::error::Result;
use crate::floor::noise::R;
use crate::subject::kernels::{Answer, Kernel};
use crate::tensor::Tensor;

/// One line of the table.
pub struct Relation {
    pub name: &'static str,
    /// Kernels that owe it.
    pub of: fn(&Kernel) -> bool,
    /// The other case; None where this one has no such.
    changes: fn(&Case) -> Option<Case>,
    holds: Holds,
    /// How far the numbers may be apart beyond rounding: what the eps of the dialects makes of an exact relation.
    slack: f64,
}

/// What the other answer must be.
enum Holds {
    /// The first answer, rearranged.
    Equal(Rearranged),
    /// Nowhere more than that.
    NoMore(Rearranged),
    /// Nowhere less.
    NoLess(Rearranged),
    /// This number everywhere.
    Known(f64),
}

/// The numbers of the first answer in the places of the other one's, from both cases; outputs that are left out are not compared.
type Rearranged = fn(&Case, &Case, &Said) -> Said;

/// What trying a relation came to.
pub struct Tried {
    pub compared: usize,
    pub finding: Option<Finding>,
}

/// The relations of a kernel.
pub fn of(kernel: &Kernel) -> impl Iterator<Item = &'static Relation> {
    ALL.iter().filter(|r| (r.of)(kernel))
}

impl Relation {
    /// The other case; None where this one has no such.
    pub fn other(&self, case: &Case) -> Option<Case> {
        (self.changes)(case)
    }

    /// The first number by which the answers to both cases break the relation, in f64.
    pub fn plainly(&self, cases: [&Case; 2], answers: [&Said; 2]) -> Tried {
        self.held(cases, answers, &Default::default())
    }

    /// The first number by which the answer to the other case breaks the relation, with at most so many runs with noise; None where the case
    /// has no other.
    ///
    /// # Errors
    /// What the subject refuses.
    pub fn tried(
        &self,
        kernel: &Kernel,
        subject: &mut dyn Subject,
        (case, first): (&Case, &Said),
        runs: u32,
    ) -> Result<Option<Tried>> {
        let Some(other) = self.other(case) else {
            return Ok(None);
        };
        // Values alone: no gradient is asked for.
        let values = Answer::default();
        let second = subject.opinion(kernel, &other, &values)?.tensors;
        let mut spreads = [subject.spread(), subject.spread()];
        let mut tried = self.held([case, &other], [first, &second], &spreads);
        for run in 0..=runs {
            if tried.finding.is_none() {
                break;
            }
            let Some(noisy) = subject.rounded(kernel, case, &values, run)? else {
                break;
            };
            spreads[0].add(noisy);
            subject
                .rounded(kernel, &other, &values, run)?
                .into_iter()
                .for_each(|noisy| spreads[1].add(noisy));
            tried = self.held([case, &other], [first, &second], &spreads);
        }
        let expected = self.rearranged(case, &other, first);
        if tried.finding.is_some()
            && [second, expected]
                .into_iter()
                .any(|said| is_tied(kernel, &other, said, &spreads[1]))
        {
            tried = Tried {
                compared: 0,
                finding: None,
            };
        }
        Ok(Some(tried))
    }

    fn held(
        &self,
        [case, other]: [&Case; 2],
        [first, second]: [&Said; 2],
        spreads: &[Spread; 2],
    ) -> Tried {
        let moved = self.rearranged(case, other, &spreads[0].values);
        let mut out = Judged::default();
        let finding = second
            .iter()
            .filter(|(name, _)| scenes::bare(name) != scenes::OWNER)
            .find_map(|(name, found)| {
                let expected = match &self.holds {
                    Holds::Known(number) => {
                        Tensor::from_vec(found.shape(), vec![*number; found.numel()])
                    }
                    Holds::Equal(of) => of(case, other, first).remove(name)?,
                    Holds::NoMore(of) => {
                        bounded(&of(case, other, first).remove(name)?, found, f64::min)
                    }
                    Holds::NoLess(of) => {
                        bounded(&of(case, other, first).remove(name)?, found, f64::max)
                    }
                };
                let numbers = |of: &Said| {
                    of.get(name)
                        .filter(|t| t.numel() == expected.numel())
                        .map(Tensor::to_f64)
                };
                let zeros = || vec![0.0; expected.numel()];
                let both = numbers(&moved)
                    .unwrap_or_else(zeros)
                    .into_iter()
                    .zip(numbers(&spreads[1].values).unwrap_or_else(zeros));
                let bound = Bound {
                    unit: &|_| 1.0,
                    rows: 1,
                    allowed: both.map(|(a, b)| R * (a + b) + self.slack).collect(),
                    excuses: &|_, _, _| false,
                };
                tensor(
                    &format!("relation '{}' of '{name}'", self.name),
                    &expected,
                    found,
                    &bound,
                    &mut out,
                )
            });
        Tried {
            compared: out.compared,
            finding,
        }
    }

    /// What belongs to the first answer in the places of the other.
    fn rearranged(&self, case: &Case, other: &Case, first: &Said) -> Said {
        match self.holds {
            Holds::Equal(of) | Holds::NoMore(of) | Holds::NoLess(of) => of(case, other, first),
            Holds::Known(_) => Said::new(),
        }
    }
}

/// Whether an answer, given or expected, gives anchors elsewhere than the reference, at ties alone: who they belong to is no matter of the
/// relation then.
fn is_tied(kernel: &Kernel, case: &Case, tensors: Said, spread: &Spread) -> bool {
    let Ok(reference) = answered(kernel, case) else {
        return false;
    };
    oracle::is_tied(
        case,
        &reference,
        &Opinion {
            tensors,
            gradients: None,
        },
        spread,
    )
}

/// `found` where it keeps the bound, else the bound.
fn bounded(bound: &Tensor, found: &Tensor, keeps: fn(f64, f64) -> f64) -> Tensor {
    if bound.shape() != found.shape() || !bound.dtype().is_float() {
        return bound.clone();
    }
    let one = |(b, f): (f64, f64)| if f.is_nan() { b } else { keeps(b, f) };
    Tensor::from_vec(
        bound.shape(),
        bound
            .to_f64()
            .into_iter()
            .zip(found.to_f64())
            .map(one)
            .collect::<Vec<f64>>(),
    )
}

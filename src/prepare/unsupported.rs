//! unsupported: steps that one side cannot compute, because libtorch has no such operator or because its engine refuses them on these inputs: taken
//! from the other side, counted as not independent, never passed.

use super::prepared::Prepared;
use crate::error::{Error, Result};
use crate::subject::Engines;
use crate::verdict::{Side, Why};
use std::collections::{BTreeMap, HashSet};

/// What the sides are called in messages.
pub const SIDES: [&str; 2] = ["reference", "candidate"];

/// Which steps a side does not compute itself.
#[derive(Default)]
pub struct Unsupported {
    /// Steps that the interpreter, and so the shadow, cannot compute.
    pub steps: HashSet<usize>,
    /// Which side takes those from the other.
    pub reference: bool,
    pub candidate: bool,
    /// What the engines of the reference and of the candidate say of steps that they refuse.
    pub refused: [BTreeMap<usize, Error>; 2],
}

impl Unsupported {
    /// Puts steps whose operator libtorch does not have into pieces of their own. Where both sides are libtorch nobody can lend an output: then
    /// each refuses the node itself.
    pub fn of(prepared: &mut Prepared, engines: Engines) -> Result<Self> {
        let scenario = prepared.scenario;
        let [reference, candidate] =
            [&scenario.reference, &scenario.candidate].map(|s| s.abilities().interprets);
        let shadow = scenario.tolerance.is_floor();
        if prepared.plan.pieces.is_empty() || !(reference || candidate || shadow) {
            return Ok(Self::default());
        }
        let steps: HashSet<usize> = engines
            .torch()?
            .lacks(&prepared.graph)
            .into_iter()
            .collect();
        if !steps.is_empty() {
            prepared.plan.apart(&prepared.graph, &steps);
        }
        Ok(Self {
            steps,
            reference: reference && !candidate,
            candidate: candidate && !reference,
            ..Self::default()
        })
    }

    /// Whether an output of this piece is taken from the other side because libtorch has no such operator.
    pub fn lent(&self, piece: &[usize]) -> bool {
        (self.reference || self.candidate) && piece.iter().any(|i| self.steps.contains(i))
    }

    /// Remembers what the engine of the reference (0) or the candidate (1) says of a step.
    pub fn refuse(&mut self, side: usize, step: usize, says: Error) {
        self.refused[side].insert(step, says);
    }

    /// Whether a side refuses this step.
    pub fn refused(&self, step: usize) -> bool {
        self.first_refusal(step).is_some()
    }

    /// What the reference (0) or the candidate (1) refuses first.
    pub fn first_refused(&self, side: usize) -> Option<Why> {
        self.refused[side]
            .values()
            .next()
            .map(|says| of(side, says))
    }

    /// What the first side that refuses this step says.
    pub fn first_refusal(&self, step: usize) -> Option<&str> {
        self.refused
            .iter()
            .find_map(|of| of.get(&step))
            .map(|says| says.message.as_str())
    }

    /// Why an output of the step, which is of operator `op`, is nobody's own, where it is not.
    pub fn why(&self, step: usize, op: &str) -> Option<Why> {
        let says = |side: usize| self.refused[side].get(&step).map(|says| of(side, says));
        says(0).or_else(|| says(1)).or_else(|| {
            self.lent(&[step])
                .then(|| Why::Borrowed { op: op.to_string() })
        })
    }

    /// What a side says that refuses all of `steps` steps: it ran nothing.
    pub fn ran_nothing(&mut self, steps: usize) -> Option<Error> {
        let (side, all) = self
            .refused
            .iter_mut()
            .enumerate()
            .find(|(_, of)| steps > 0 && of.len() == steps)?;
        all.pop_first().map(|(_, says)| says.at(SIDES[side]))
    }
}

fn of(side: usize, says: &Error) -> Why {
    Why::Refused {
        side: [Side::Reference, Side::Candidate][side],
        says: says.message.clone(),
    }
}

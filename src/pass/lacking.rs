//! lacking: steps whose operator the libtorch interpreter does not have: taken from the other engine, counted as not independent, never passed.

use super::given::Given;
use crate::error::Result;
use crate::subject::Engines;
use std::collections::HashSet;

/// Which steps the interpreter cannot compute, and which side would have had to.
#[derive(Default)]
pub struct Lacking {
    pub steps: HashSet<usize>,
    pub reference: bool,
    pub candidate: bool,
}

impl Lacking {
    /// Puts such steps into pieces of their own. Where both sides are libtorch nobody can lend an output: then each refuses the node itself.
    pub fn of(given: &mut Given, engines: Engines) -> Result<Self> {
        let scenario = given.scenario;
        let [reference, candidate] = [&scenario.reference, &scenario.candidate].map(|s| ["libtorch", "simulated"].contains(&s.engine()));
        let shadow = scenario.tolerance.is_floor();
        if given.plan.pieces.is_empty() || !(reference || candidate || shadow) {
            return Ok(Self::default());
        }
        let steps: HashSet<usize> = engines.torch()?.lacks(&given.graph).into_iter().collect();
        if !steps.is_empty() {
            given.plan.apart(&given.graph, &steps);
        }
        Ok(Self { steps, reference: reference && !candidate, candidate: candidate && !reference })
    }

    /// Whether an output of this piece is taken from the other side.
    pub fn lent(&self, piece: &[usize]) -> bool {
        (self.reference || self.candidate) && piece.iter().any(|i| self.steps.contains(i))
    }
}

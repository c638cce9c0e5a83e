//! saved: a find of a loss as a scenario that `parity run` replays and `parity fuzz` goes on from.

use super::Fuzzed;
use super::plan::Plan;
use crate::error::Result;
use crate::fuzz::run::FindOf;
use crate::fuzz::saved::{self, relative};
use crate::fuzz::tally::Wrong as _;
use crate::scenario::{self, Live, Loss, Scenario, load};
use crate::subject::kernels::draw::Case;
use std::path::PathBuf;

/// Where the finds of one pair are kept.
pub struct Folder<'a> {
    pub folder: saved::Folder,
    pub plan: &'a Plan,
    pub seed: u64,
}

impl Folder<'_> {
    /// Writes a find; an equal one is written over.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn keep(&self, find: &FindOf<Fuzzed>) -> Result<PathBuf> {
        let loss = &self.plan.loss;
        let who = format!("{} {:?}", self.folder.name, loss.dtype);
        let name = self.folder.called(who, find.wrong.kind(), &find.shrunk)?;
        let seen = |path: &PathBuf| relative(path, &self.folder.path);
        let mut found = of(Loss {
            reference: seen(&loss.reference)?,
            candidate: seen(&loss.candidate)?,
            ..loss.clone()
        })?;
        let live = self.plan.live.clone();
        found.port = (live != Live::default()).then_some(live);
        found.seed = self.seed;
        found.find = Some(scenario::Find {
            kernel: None,
            dtype: None,
            what: find.wrong.number.what.clone(),
            case: find.case,
        });
        let says = find.wrong.to_string();
        self.folder.write(&name, found, &find.shrunk.inputs, &says)
    }

    /// The finds of this pair that are kept.
    ///
    /// # Errors
    /// A scenario of the folder that cannot be read.
    pub fn known(&self) -> Result<Vec<(PathBuf, Case)>> {
        let dtype = self.plan.loss.dtype;
        let is_own = |s: &Scenario| s.loss.as_ref().is_some_and(|loss| loss.dtype == dtype);
        self.folder.known(&self.plan.as_graph(), is_own)
    }
}

/// The scenario that states a loss and nothing else.
///
/// # Errors
/// Never but for a loss that no scenario can state.
pub fn of(loss: Loss) -> Result<Scenario> {
    let mut scenario = load::parse("format = 1\n[loss]\nreference = \"a\"\ncandidate = \"b\"")?;
    scenario.loss = Some(loss);
    Ok(scenario)
}

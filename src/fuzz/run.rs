//! run: cases of a target are drawn, asked and counted; the first finding of every kind is shrunk and kept.

use super::options::{End, Options};
use super::pool::{Pool, Worker};
use super::tally::{Came, Find, Known, Tally, Wrong};
use crate::error::Result;
use crate::subject::kernels::draw::Case;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// What can be fuzzed: whose cases these are, who is asked about them, and how a find becomes small.
pub trait Target: Sync {
    type Wrong: Wrong;
    /// Who is asked; every thread has one of its own.
    type Asker;
    /// What a find comes to beside its inputs.
    type Part;

    /// Cases that a thread takes at a time, of so many.
    fn chunk(&self, cases: u64) -> u64;

    /// # Errors
    /// An engine that cannot be opened.
    fn open(&self) -> Result<Self::Asker>;

    /// What came of the cases of these numbers, one for each.
    ///
    /// # Errors
    /// One who can be asked nothing more.
    fn ask(
        &self,
        asker: &mut Self::Asker,
        seed: u64,
        numbers: &[u64],
    ) -> Result<Vec<Came<Self::Wrong>>>;

    /// What a case comes to that an earlier run has found; Err says why it cannot be tried.
    fn again(
        &self,
        asker: &mut Self::Asker,
        case: &Case,
    ) -> std::result::Result<Option<Self::Wrong>, String>;

    /// A case, by seed and number, as small as it can be with a finding of this kind; `hurry` says when to be content with what there is.
    ///
    /// # Errors
    /// A case that cannot be drawn.
    fn shrunk(
        &self,
        asker: &mut Self::Asker,
        case: (u64, u64),
        wrong: Self::Wrong,
        hurry: &dyn Fn() -> bool,
    ) -> Result<(Case, Self::Wrong, Self::Part)>;
}

/// A find of a target.
pub type FindOf<T> = Find<<T as Target>::Wrong, <T as Target>::Part>;
/// The account of a target.
pub type TallyOf<T> = Tally<<T as Target>::Wrong, <T as Target>::Part>;

/// What is fuzzed, and what ends it.
pub struct Task<'a, T: Target> {
    pub target: &'a T,
    pub options: Options,
    /// Finds of earlier runs: where they are kept, and the case.
    pub known: Vec<(PathBuf, Case)>,
    /// Keeps a find, the moment it is shrunk: where.
    pub keep: &'a dyn Fn(&FindOf<T>) -> Result<Option<PathBuf>>,
    /// Why to draw no more, once there is a reason.
    pub stop: &'a (dyn Fn() -> Option<End> + Sync),
    /// Whether to end at once, without shrinking further.
    pub hurry: &'a (dyn Fn() -> bool + Sync),
}

/// Fuzzes the target; `step` hears of cases and finds.
///
/// # Errors
/// A target that cannot be opened; a find that cannot be kept.
pub fn run<T: Target>(task: &Task<T>, step: &mut dyn FnMut(u64, usize)) -> Result<TallyOf<T>> {
    let Options { seed, finds, .. } = task.options;
    let target = task.target;
    let mut own = target.open()?;
    let again = |(path, case): &(PathBuf, Case)| Known {
        path: path.clone(),
        came: target.again(&mut own, case),
    };
    let mut tally = Tally {
        asked: task.options.drawn(),
        known: task.known.iter().map(again).collect(),
        ..Tally::default()
    };
    let pool = Pool {
        options: task.options,
        chunk: target.chunk(tally.asked),
        stop: task.stop,
        open: &|| {
            let mut asker = target.open()?;
            let ask = move |numbers: &[u64]| target.ask(&mut asker, seed, numbers);
            Ok(Box::new(ask) as Worker<Came<T::Wrong>>)
        },
    };
    tally.end = pool.run(&mut |number, came| {
        if let Some(wrong) = tally.count(came) {
            tally.finds.push(found(task, &mut own, number, wrong)?);
            if tally.finds.len() >= finds {
                return Ok(ControlFlow::Break(()));
            }
        }
        step(tally.drawn, tally.finds.len());
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(tally)
}

/// The find that a case is once it is shrunk and kept.
fn found<T: Target>(
    task: &Task<T>,
    own: &mut T::Asker,
    number: u64,
    wrong: T::Wrong,
) -> Result<FindOf<T>> {
    let of = (task.options.seed, number);
    let (shrunk, wrong, part) = task.target.shrunk(own, of, wrong, task.hurry)?;
    let mut find = Find {
        case: number,
        wrong,
        shrunk,
        part,
        kept: None,
    };
    find.kept = (task.keep)(&find)?;
    Ok(find)
}

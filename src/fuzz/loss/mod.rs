//! loss: do two forms of a user's own loss say the same, value and gradient, on inputs of the domains that are declared for it?
//!
//! The reference is a file as the candidate is, computed in f64. What is drawn, how a number is held against another and how a find is kept
//! is that of the built-in kernels.

mod beside;
mod floors;
mod form;
mod oracle;
pub mod plan;
mod ported;
mod proof;
pub mod saved;
mod side;
mod slots;
pub mod wrong;

use super::drawn::{Tree, drawn};
use super::run::{TallyOf, Target};
use super::search::Search;
use super::tally::{Came, Wrong as _, kind};
use crate::error::{Error, Result};
use crate::floor::noise::{MOST_RUNS, RUNS};
use crate::fuzz::kernel::wrong_number::WrongNumber;
use crate::hash;
use crate::subject::Engines;
use crate::subject::kernels::draw::Case;
use crate::subject::kernels::draw::domains::cases;
use crate::tensor::Tensor;
use beside::Beside;
use floors::Floors;
use form::MOVED;
use oracle::Oracle;
use plan::{Asked, Plan};
use wrong::{Judged, WrongLoss};

/// Every so many cases one lies on no edge, the first of all too.
const PLAIN: u64 = 4;
/// Times that kinks are looked for beside a case.
const LOOKS: u32 = 8;
/// Steps of shrinking, and inputs that they may read together.
const STEPS: usize = 1000;
const READ: usize = 1_000_000;

/// Two forms that are held against each other.
pub struct Fuzzed<'a> {
    pub plan: &'a Plan,
    pub engines: Engines<'a>,
}

/// What came of a loss's cases.
pub type Tally<'a> = TallyOf<Fuzzed<'a>>;

/// Both forms, opened.
pub struct Pair<'a> {
    reference: Asked<'a>,
    candidate: Asked<'a>,
    single: bool,
}

impl Fuzzed<'_> {
    fn tree(&self, seed: u64, number: u64) -> Tree {
        let plain = number.is_multiple_of(PLAIN);
        drawn(&cases(&self.plan.slots, plain), seed, number)
    }
}

impl<'a> Target for Fuzzed<'a> {
    type Wrong = WrongLoss;
    type Asker = Pair<'a>;
    type Part = ();

    fn chunk(&self, cases: u64) -> u64 {
        (cases / 16).clamp(1, 16)
    }

    fn open(&self) -> Result<Pair<'a>> {
        let Plan {
            reference,
            candidate,
            slots,
            ..
        } = self.plan;
        Ok(Pair {
            reference: reference.open(slots, self.engines)?,
            candidate: candidate.open(slots, self.engines)?,
            single: self.plan.is_single(),
        })
    }

    fn ask(&self, pair: &mut Pair<'a>, seed: u64, numbers: &[u64]) -> Result<Vec<Came<WrongLoss>>> {
        let one = |number: &u64| {
            let case = self.tree(seed, *number).current();
            let judged = pair.judged(&case);
            match pair.broken() {
                Some(e) => Err(e),
                None => Ok(Came {
                    judged,
                    edges: case.edges,
                }),
            }
        };
        numbers.iter().map(one).collect()
    }

    fn again(
        &self,
        pair: &mut Pair<'a>,
        case: &Case,
    ) -> std::result::Result<Option<WrongLoss>, String> {
        pair.judged(case).map(|judged| judged.wrong)
    }

    fn shrunk(
        &self,
        pair: &mut Pair<'a>,
        (seed, number): (u64, u64),
        wrong: WrongLoss,
        hurry: &dyn Fn() -> bool,
    ) -> Result<(Case, WrongLoss, ())> {
        let mut tree = self.tree(seed, number);
        let origin = (tree.current(), wrong);
        // A few runs with noise are enough on the way; the last word has as many as the first.
        let mut search = Search {
            ask: &mut |case, _| pair.judged_within((RUNS, 1), case).ok()?.wrong,
            hurry,
            best: origin.clone(),
            steps: STEPS,
            numbers: READ,
        };
        search.down(&mut *tree);
        let (case, _) = search.best;
        let last = pair.judged(&case).ok().and_then(|judged| judged.wrong);
        let (case, wrong) = match last.filter(|wrong| wrong.is_like(&origin.1)) {
            Some(wrong) => (case, wrong),
            None => origin,
        };
        Ok((case, wrong, ()))
    }
}

impl Pair<'_> {
    /// Why one of the two can be asked nothing more.
    pub fn broken(&self) -> Option<Error> {
        let of = |asked: &Asked| asked.broken();
        of(&self.reference).or_else(|| of(&self.candidate))
    }

    /// What came of a case; Err says why nothing was compared. What rounding does is measured only where a number exceeds what f64
    /// allows, and kinks are looked for only where a gradient still does.
    ///
    /// # Errors
    /// What the reference refuses.
    pub fn judged(&mut self, case: &Case) -> std::result::Result<Judged, String> {
        self.judged_within((MOST_RUNS, LOOKS), case)
    }

    /// The same with at most so many runs with noise, and looks beside.
    fn judged_within(
        &mut self,
        (runs, looks): (u32, u32),
        case: &Case,
    ) -> std::result::Result<Judged, String> {
        let refuses = |e: Error| kind(&format!("the reference refuses it: {}", e.message));
        let reference = self.reference.answer(case).map_err(refuses)?;
        let candidate = match self.candidate.answer(case) {
            Ok(said) => said,
            Err(e) => return Ok(refused(&e.message, case)),
        };
        let oracle = Oracle {
            case,
            reference: &reference,
            candidate: &candidate,
        };
        let (mut floors, nothing) = (Floors::new(self.single), Beside::default());
        let mut judged = oracle.judge(&floors, &nothing);
        if judged.wrong.is_none() && judged.compared + judged.outside == 0 {
            return Err("an axis is empty, and both give no number".into());
        }
        let seed = hash::fnv(case.inputs.values().flat_map(Tensor::bytes));
        for run in 0..=runs {
            if judged.wrong.is_none() {
                return Ok(judged);
            }
            let (noisy, nudged) = match run {
                0 => (Ok(Some(reference.clone())), Ok(reference.clone())),
                _ => (
                    self.reference.rounded(case, seed, run),
                    self.reference.nudged(case, seed, run),
                ),
            };
            // What noise makes the form refuse has no spread.
            if let Ok(Some(noisy)) = noisy {
                floors.rounding.add(noisy);
            }
            if let Ok(nudged) = nudged {
                floors.inputs.add(nudged);
            }
            judged = oracle.judge(&floors, &nothing);
        }
        if judged.wrong.is_some() {
            let moved = |form: &mut Asked| {
                (1..=MOVED)
                    .map_while(|run| form.moved(case, run).ok()?)
                    .collect()
            };
            Floors::constants(
                &mut floors.reference,
                &reference,
                moved(&mut self.reference),
            );
            Floors::constants(
                &mut floors.candidate,
                &candidate,
                moved(&mut self.candidate),
            );
            judged = oracle.judge(&floors, &nothing);
        }
        Ok(self.beside(&oracle, &floors, judged, looks))
    }

    /// The same where a gradient is wrong that may lie on a kink, looked for on more and more sides.
    fn beside(
        &mut self,
        oracle: &Oracle,
        floors: &Floors,
        mut judged: Judged,
        looks: u32,
    ) -> Judged {
        let mut beside = Beside::default();
        for _ in 0..looks {
            let is_gradient = |wrong: &WrongLoss| wrong.number.what.starts_with("gradient");
            if !judged.wrong.as_ref().is_some_and(is_gradient) {
                break;
            }
            if beside.look(&mut self.reference, oracle.case).is_err() {
                break;
            }
            judged = oracle.judge(floors, &beside);
        }
        judged
    }
}

/// Numbers that were compared, and all that there were.
pub fn judged<F>(all: &super::tally::Judged<F>) -> (usize, usize) {
    let open = all.outside + all.kinks + all.beyond;
    (all.compared, all.compared + open)
}

/// Whether at least half of the cases and of their numbers were compared, and every known find tried.
pub fn is_covered(tally: &Tally) -> bool {
    let (numbers, all) = judged(&tally.all);
    tally.covers() && 2 * tally.compared >= tally.drawn && 2 * numbers >= all
}

/// A candidate that refuses what the reference computes.
fn refused(says: &str, case: &Case) -> Judged {
    let number = WrongNumber {
        what: format!("refused: {says}"),
        index: 0,
        reference: 0.0,
        candidate: f64::NAN,
    };
    Judged {
        wrong: Some(WrongLoss::of(number, case)),
        ..Judged::default()
    }
}

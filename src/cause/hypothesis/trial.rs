//! trial: one row of the table of faults held against what was observed: as it is injected, in each of its ways, or with the amount that fits best.

use super::PER_NUMBER;
use super::evaluate::{Bench, Given};
use super::outputs::{self, Made, Transform};
use super::residual::{Half, Residual, Said, residual};
use super::solve::{self, rounded};
use super::words;
use crate::cause::fault::{self, Fault, Reads};
use crate::error::Result;
use crate::graph::Graph;
use crate::verdict::Confirmed;

/// Ways of a fault that are tried.
const WAYS: usize = 24;

/// Beyond this share of what was observed, as root mean squares, a hypothesis is not looked at more closely.
const FAR: f64 = 0.02;

/// One hypothesis after it was tried.
pub struct Trial {
    pub name: String,
    pub says: String,
    pub next: String,
    pub amount: Option<f64>,
    pub numbers: usize,
    pub after: Residual,
    /// What is left, as root mean square, where limits are not looked at.
    pub rms: f64,
    pub confirmed: bool,
    /// Whether it changes what the stretch gives.
    pub changes: bool,
    /// The graph with the change, where it is one of the graph.
    pub graph: Option<Graph>,
}

impl Trial {
    pub fn told(&self) -> Confirmed {
        Confirmed {
            cause: self.name.clone(),
            says: self.says.clone(),
            next: self.next.clone(),
            amount: self.amount,
            after: self.after.ratio,
        }
    }
}

/// What a row makes of `base`, which is the stretch or the stretch with another change; `given` is what `base` gives.
///
/// # Errors
/// Memory that runs out.
pub fn all(bench: &Bench, base: &Graph, given: &Given, row: &'static Fault) -> Result<Vec<Trial>> {
    let ask = Ask {
        bench,
        base,
        given,
        row,
    };
    match row.reads {
        Reads::Never(_) => Ok(vec![]),
        Reads::Output(transform) => Ok(Vec::from_iter(ask.output(transform, false))),
        Reads::Turned(transform) => Ok(Vec::from_iter(ask.output(transform, true))),
        Reads::Back => ask.ways(1),
        Reads::Choices => ask.ways(WAYS),
        Reads::Amounts(usual) => ask.amounts(usual),
    }
}

/// One row at one stretch.
struct Ask<'a> {
    bench: &'a Bench<'a>,
    base: &'a Graph,
    given: &'a Given,
    row: &'static Fault,
}

/// A change of one step.
#[derive(Clone, Copy)]
struct Change {
    step: usize,
    amount: f64,
    choice: usize,
    numbers: usize,
}

impl Ask<'_> {
    fn ways(&self, most: usize) -> Result<Vec<Trial>> {
        let mut trials = vec![];
        for step in &self.bench.steps {
            for choice in 0..most {
                let change = Change {
                    step: *step,
                    amount: self.row.amount.map_or(0.0, |(_, usual)| usual),
                    choice,
                    numbers: 0,
                };
                let Some(graph) = self.changed(change) else {
                    break;
                };
                trials.extend(self.tried(change, graph)?);
            }
        }
        Ok(trials)
    }

    fn amounts(&self, usual: &[f64]) -> Result<Vec<Trial>> {
        let mut trials = vec![];
        for step in &self.bench.steps {
            let mut here: Vec<(f64, Trial)> = vec![];
            for amount in usual {
                let change = Change {
                    step: *step,
                    amount: *amount,
                    choice: 0,
                    numbers: 0,
                };
                let Some(graph) = self.changed(change) else {
                    continue;
                };
                here.extend(self.tried(change, graph)?.map(|t| (*amount, t)));
            }
            let known = here.iter().any(|(_, t)| t.confirmed);
            let nearest = here.iter().min_by(|a, b| a.1.rms.total_cmp(&b.1.rms));
            let start = nearest.filter(|_| !known).map(|(amount, _)| *amount);
            if let Some(start) = start.filter(|_| self.bench.elements() >= PER_NUMBER) {
                trials.extend(self.fitted(*step, start)?);
            }
            trials.extend(here.into_iter().map(|(_, t)| t));
        }
        Ok(trials)
    }

    /// With the amount that fits half of the elements best, written as shortly as explains them.
    fn fitted(&self, step: usize, start: f64) -> Result<Option<Trial>> {
        let with = |amount: f64| Change {
            step,
            amount,
            choice: 0,
            numbers: 1,
        };
        if let Some(amount) = self.seen()
            && let Some(graph) = self.changed(with(amount))
            && let Some(trial) = self.tried(with(amount), graph)?
            && trial.confirmed
        {
            return Ok(Some(trial));
        }
        let misfit = |amount: f64| -> Result<Option<Vec<f64>>> {
            let Some(graph) = self.changed(with(amount)) else {
                return Ok(None);
            };
            let given = self.bench.given(&graph, false)?;
            let fits = given.filter(|g| g.fits(self.bench.evidence.observed));
            Ok(fits.map(|given| self.bench.misfits(&given)))
        };
        let Some(amount) = solve::fitted(start, misfit)? else {
            return Ok(None);
        };
        let mut last = None;
        for digits in [0, 1, 2, 3, 5, 8] {
            let change = with(rounded(amount, digits));
            let Some(graph) = self.changed(change) else {
                continue;
            };
            last = self.tried(change, graph)?;
            if last.as_ref().is_some_and(|t| t.confirmed) {
                break;
            }
        }
        Ok(last)
    }

    /// Of a row whose amount is a value: what is observed at the first element of the half that is fitted where something else is expected.
    fn seen(&self) -> Option<f64> {
        self.row.amount.filter(|(what, _)| *what == "value")?;
        let (observed, said) = (&self.bench.observed[0], &self.given.said[0]);
        let mut fit = (0..observed.len().min(said.low.len())).filter(|i| Half::Fit.takes(*i));
        let off = |i: &usize| (observed[*i] - said.low[*i]).abs() > said.limit[*i];
        fit.find(off).map(|i| observed[i]).filter(|v| v.is_finite())
    }

    fn changed(&self, change: Change) -> Option<Graph> {
        let how = (change.amount, change.choice);
        fault::applied(self.row, self.base, change.step, how).ok()
    }

    fn tried(&self, change: Change, graph: Graph) -> Result<Option<Trial>> {
        let Some(rough) = self.bench.given(&graph, false)? else {
            return Ok(None);
        };
        if !rough.fits(self.bench.evidence.observed) {
            return Ok(None);
        }
        let (rms, size) = self.bench.rms(&rough);
        let rest = self.bench.roughly(&rough, self.given);
        let changes = rough.differs(self.given);
        let given = match rms <= FAR * size || self.bench.near(rms, self.given) {
            // Where f64 has no bound for the nodes of the change, that of the clean node stands.
            true => match self.bench.given(&graph, true)? {
                None => self.bench.within(rough, self.given),
                bounded => bounded,
            },
            false => None,
        };
        let after = match &given {
            Some(given) => self.bench.residual(given, Half::All),
            None => rest,
        };
        let confirmed = given.is_some_and(|given| {
            after.explained()
                && (change.numbers == 0 || self.held(&self.bench.residual(&given, Half::Held)))
        });
        let (clean, edited) = (
            &self.bench.near.steps[change.step],
            &graph.steps[change.step],
        );
        let mended = self.bench.evidence.mended;
        let told = words::of(self.row, (clean, edited), change.amount, mended);
        Ok(Some(Trial {
            name: self.row.name.into(),
            says: told.says,
            next: told.next,
            amount: self.row.amount.map(|_| change.amount),
            numbers: change.numbers,
            after,
            rms,
            confirmed,
            changes,
            graph: Some(graph),
        }))
    }

    /// Whether what was not fitted is explained, and was not before.
    fn held(&self, after: &Residual) -> bool {
        let before = self.bench.residual(self.given, Half::Held);
        after.of > 0 && after.explained() && !before.explained()
    }

    /// A hypothesis about the first output alone; every other one is as it is to be.
    fn output(&self, transform: Transform, turned: bool) -> Option<Trial> {
        let observed = &self.bench.evidence.observed;
        let (_, tensor) = observed.first()?;
        let exact = &self.given.said[0];
        let alike = self.given.fits(observed) || turned && observed.len() == 1;
        let fits = alike && exact.low.len() == tensor.numel() && tensor.dtype().is_float();
        let given = outputs::Given {
            observed: &self.bench.observed[0],
            exact: Some(&exact.low).filter(|_| fits)?,
            limit: &exact.limit,
            shape: tensor.shape(),
            from: self.given.shape(0),
            dtype: tensor.dtype(),
        };
        let made = transform(&given).filter(|m| tensor.numel() >= PER_NUMBER * m.numbers)?;
        let left =
            |said: &Said, half| residual(&self.bench.observed[0], said, tensor.dtype(), half);
        let others = (1..observed.len()).map(|k| {
            let t = &observed[k].1;
            residual(
                &self.bench.observed[k],
                &self.given.said[k],
                t.dtype(),
                Half::All,
            )
        });
        let others = others.fold(Residual::default(), Residual::with);
        let after = left(&made.said, Half::All).with(others);
        let tried_on = (left(exact, Half::Held), left(&made.said, Half::Held));
        let held =
            made.numbers == 0 || made.local || (!tried_on.0.explained() && tried_on.1.explained());
        Some(self.of_output(made, after, held))
    }

    fn of_output(&self, made: Made, after: Residual, held: bool) -> Trial {
        Trial {
            name: self.row.name.into(),
            says: made.says,
            next: self.row.mend.into(),
            amount: made.amount,
            numbers: made.numbers,
            after,
            rms: f64::INFINITY,
            confirmed: after.explained() && held,
            changes: true,
            graph: None,
        }
    }
}

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

/// What leaves more limits than this on a part is not tried on all of it. One would do, but for numbers that are fitted on the part.
const HOPE: f64 = 2.0;

/// One hypothesis after it was tried.
pub struct Trial {
    pub name: String,
    pub says: String,
    pub next: String,
    pub amount: Option<f64>,
    pub numbers: usize,
    pub after: Residual,
    /// Root mean square of what is left as share of what there was before, where limits are not looked at.
    pub left: f64,
    pub confirmed: bool,
    /// Whether it changes what the stretch gives.
    pub changes: bool,
    /// The graph with the change, where it is one of the graph.
    pub graph: Option<Graph>,
    /// Of what was worked out of the output: out of that of which graph, and how.
    pub worked: Option<(Graph, &'static Fault)>,
}

impl Trial {
    /// The number that was fitted to the output.
    fn worked_number(&self) -> Option<f64> {
        self.amount.filter(|_| self.numbers > 0)
    }

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

/// A stretch, or the stretch with a change, on which rows are tried: what it gives, and what of it on a part.
pub struct On<'a> {
    pub bench: &'a Bench<'a>,
    pub base: &'a Graph,
    pub given: Given,
    /// Where what explains nothing is dropped before all of it is computed.
    pub part: Option<(&'a Bench<'a>, Given)>,
}

impl<'a> On<'a> {
    /// None where f64 does not run `base`.
    ///
    /// # Errors
    /// Memory that runs out.
    pub fn of(bench: &'a Bench, base: &'a Graph, part: Option<&'a Bench>) -> Result<Option<Self>> {
        let Some(given) = bench.given(base)? else {
            return Ok(None);
        };
        Self::given(bench, base, given, part).map(Some)
    }

    /// The same where it is known what `base` gives.
    ///
    /// # Errors
    /// Memory that runs out.
    pub fn given(
        bench: &'a Bench,
        base: &'a Graph,
        given: Given,
        part: Option<&'a Bench>,
    ) -> Result<Self> {
        let part = match part {
            Some(part) => part.given(base)?.map(|given| (part, given)),
            None => None,
        };
        Ok(Self {
            bench,
            base,
            given,
            part,
        })
    }
}

/// What a row makes of a stretch.
///
/// # Errors
/// Memory that runs out.
pub fn all(on: &On, row: &'static Fault) -> Result<Vec<Trial>> {
    let ask = Ask { on, row };
    match row.reads {
        Reads::Never(_) => Ok(vec![]),
        Reads::Output(transform) => Ok(Vec::from_iter(ask.output(transform, false))),
        Reads::Turned(transform) => Ok(Vec::from_iter(ask.output(transform, true))),
        Reads::Back => ask.ways(1),
        Reads::Choices => ask.ways(WAYS),
        Reads::Amounts(usual) => ask.amounts(usual),
    }
}

/// How much of a number may be another one on other inputs, where it is fitted anew.
const ANEW: f64 = 0.01;

/// What a confirmed cause leaves on other inputs; None where that cannot be told.
///
/// # Errors
/// Memory that runs out.
pub fn on_others(on: &On, found: &Trial) -> Result<Option<Residual>> {
    if let Some(graph) = &found.graph {
        let Some(mut ran) = on.bench.ran(graph)? else {
            return Ok(None);
        };
        let bounded = on.bench.bound(&mut ran)? || on.bench.within(&mut ran.given, &on.given);
        return Ok(bounded.then(|| on.bench.residual(&ran.given, Half::All)));
    }
    let Some((base, row)) = &found.worked else {
        return Ok(None);
    };
    let Some(on) = On::of(on.bench, base, None)? else {
        return Ok(None);
    };
    let anew = all(&on, row)?.into_iter().next();
    let same = |(now, then): (f64, f64)| (now - then).abs() <= ANEW * then.abs();
    Ok(Some(match anew {
        Some(t)
            if !t.confirmed
                || t.worked_number()
                    .zip(found.worked_number())
                    .is_none_or(same) =>
        {
            t.after
        }
        Some(_) | None => Residual::unlike(on.bench.elements()),
    }))
}

/// One row at one stretch.
struct Ask<'a> {
    on: &'a On<'a>,
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
        for step in &self.on.bench.steps {
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
        for step in &self.on.bench.steps {
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
            let nearest = here.iter().min_by(|a, b| a.1.left.total_cmp(&b.1.left));
            let start = nearest.filter(|_| !known).map(|(amount, _)| *amount);
            if let Some(start) = start.filter(|_| self.on.bench.elements() >= PER_NUMBER) {
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
            let bench = match &self.on.part {
                Some((part, _)) if part.cuts(&graph) => part,
                _ => self.on.bench,
            };
            let ran = bench.ran(&graph)?;
            let fits = ran.filter(|r| r.given.fits(&bench.tensors));
            Ok(fits.map(|ran| bench.misfits(&ran.given)))
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
        let (observed, said) = (&self.on.bench.observed[0], &self.on.given.said[0]);
        let mut fit = (0..observed.len().min(said.low.len())).filter(|i| Half::Fit.takes(*i));
        let off = |i: &usize| (observed[*i] - said.low[*i]).abs() > said.limit[*i];
        fit.find(off).map(|i| observed[i]).filter(|v| v.is_finite())
    }

    fn changed(&self, change: Change) -> Option<Graph> {
        let how = (change.amount, change.choice);
        fault::applied(self.row, self.on.base, change.step, how).ok()
    }

    /// On a part first, where there is one: what does not explain that does not explain all of it.
    fn tried(&self, change: Change, graph: Graph) -> Result<Option<Trial>> {
        let cuts = self.on.part.as_ref().filter(|(p, _)| p.cuts(&graph));
        let Some((part, given)) = cuts else {
            return self.tried_on((self.on.bench, &self.on.given), change, graph);
        };
        match self.tried_on((part, given), change, graph)? {
            Some(Trial {
                after,
                graph: Some(graph),
                ..
            }) if after.ratio <= HOPE => {
                self.tried_on((self.on.bench, &self.on.given), change, graph)
            }
            none => Ok(none),
        }
    }

    fn tried_on(
        &self,
        (bench, clean): (&Bench, &Given),
        change: Change,
        graph: Graph,
    ) -> Result<Option<Trial>> {
        let Some(mut ran) = bench.ran(&graph)? else {
            return Ok(None);
        };
        if !ran.given.fits(&bench.tensors) {
            return Ok(None);
        }
        let (rms, size) = bench.rms(&ran.given);
        let changes = ran.given.differs(clean);
        // Where f64 has no bound for the nodes of the change, that of the clean node stands.
        let bounded = (rms <= FAR * size || bench.near(rms, clean))
            && (bench.bound(&mut ran)? || bench.within(&mut ran.given, clean));
        let after = match bounded {
            true => bench.residual(&ran.given, Half::All),
            false => bench.roughly(&ran.given, clean),
        };
        let held = || {
            let left = |given| bench.residual(given, Half::Held);
            let after = left(&ran.given);
            after.of > 0 && after.explained() && !left(clean).explained()
        };
        let confirmed = bounded && after.explained() && (change.numbers == 0 || held());
        let (clean_step, edited) = (&bench.near.steps[change.step], &graph.steps[change.step]);
        let told = words::of(
            self.row,
            (clean_step, edited),
            change.amount,
            bench.evidence.mended,
        );
        Ok(Some(Trial {
            name: self.row.name.into(),
            says: told.says,
            next: told.next,
            amount: self.row.amount.map(|_| change.amount),
            numbers: change.numbers,
            after,
            left: rms / bench.rms(clean).0,
            confirmed,
            changes,
            graph: Some(graph),
            worked: None,
        }))
    }

    /// A hypothesis about the first output alone; every other one is as it is to be.
    fn output(&self, transform: Transform, turned: bool) -> Option<Trial> {
        let (bench, clean) = (self.on.bench, &self.on.given);
        let observed = &bench.tensors;
        let (_, tensor) = observed.first()?;
        let exact = &clean.said[0];
        let alike = clean.fits(observed) || turned && observed.len() == 1;
        let fits = alike && exact.low.len() == tensor.numel() && tensor.dtype().is_float();
        let given = outputs::Given {
            observed: &bench.observed[0],
            exact: Some(&exact.low).filter(|_| fits)?,
            limit: &exact.limit,
            shape: tensor.shape(),
            from: clean.shape(0),
            dtype: tensor.dtype(),
        };
        let made = transform(&given).filter(|m| tensor.numel() >= PER_NUMBER * m.numbers)?;
        let left = |said: &Said, half| residual(&bench.observed[0], said, tensor.dtype(), half);
        let others = (1..observed.len()).map(|k| {
            let t = &observed[k].1;
            residual(&bench.observed[k], &clean.said[k], t.dtype(), Half::All)
        });
        let others = others.fold(Residual::default(), Residual::with);
        let after = left(&made.said, Half::All).with(others);
        let held = made.numbers == 0
            || made.local
            || after.explained()
                && !left(exact, Half::Held).explained()
                && left(&made.said, Half::Held).explained();
        Some(self.of_output(made, after, held))
    }

    fn of_output(&self, made: Made, after: Residual, held: bool) -> Trial {
        let confirmed = after.explained() && held;
        // What is said of one element says nothing of other inputs.
        let worked = (confirmed && !made.local).then(|| (self.on.base.clone(), self.row));
        Trial {
            name: self.row.name.into(),
            says: made.says,
            next: self.row.mend.into(),
            amount: made.amount,
            numbers: made.numbers,
            after,
            left: f64::INFINITY,
            confirmed,
            changes: true,
            graph: None,
            worked,
        }
    }
}

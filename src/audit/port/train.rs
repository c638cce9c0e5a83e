//! train: a port trained for some steps on one batch, at multiples of its own learning rate.
//!
//! A step of plain descent, with momentum, of Adam and of AdamW moves a parameter by its learning rate times what does not depend on it. So the port is asked for
//! a step at its own rate, and another rate is a step that goes further in the same direction: no worker has to know how a rate is set.

use super::edges::first;
use super::session::{Batch, Said, Session};
use crate::error::Result;
use crate::port::Tensors;
use crate::tensor::Tensor;
use crate::watch::Watch;
use indexmap::IndexMap;

/// A loss that is more than so many times what it was at first has exploded.
const EXPLODED: f64 = 10.0;

/// What belongs to the state that a step starts from and leads to.
const STATE: [&str; 3] = ["value.", "optimizer.", "ema."];

/// One training.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Images (rows of the first axis) in its batch.
    pub images: usize,
    /// What the port's own learning rate is multiplied by.
    pub times: f64,
    /// The port's own rate, where it says so, of the parameters that move fastest.
    pub rate: Option<f64>,
    /// Terms of the loss in each step.
    pub losses: Vec<IndexMap<String, f64>>,
    /// What became of each parameter that has a gradient.
    pub moved: IndexMap<String, Moved>,
    /// What the port says of a step that fails.
    pub failed: Option<String>,
    /// Where it ended.
    pub end: Tensors,
}

/// A parameter over all steps of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moved {
    /// The largest element of any of its gradients.
    pub gradient: f64,
    /// The first step in which one was no number.
    pub broken: Option<usize>,
    pub moves: bool,
    /// Its own rate, where the port says so.
    pub rate: Option<f64>,
}

/// On one image first, then on all, each at every rate; none where the port cannot train.
///
/// # Errors
/// A port that is gone.
pub fn runs(
    own: &mut Session,
    batch: &Batch,
    (rates, steps): (&[f64], usize),
    watch: &mut dyn Watch,
) -> Result<Vec<Run>> {
    if !own.trains() {
        return Ok(vec![]);
    }
    let start = own.port.state()?.unwrap_or_default();
    let mut batches = vec![batch.clone()];
    if let Some(one) = first(batch, 1)? {
        batches.insert(0, one);
    }
    watch.phase("training", batches.len() * rates.len() * steps);
    let mut all = vec![];
    for batch in &batches {
        for times in rates {
            let done = all.len() * steps;
            let mut step = |state: &Tensors, step: usize| {
                watch.step(done + step);
                own.step(state, batch, step)
            };
            let run = run(&start, *times, steps, &mut step)?;
            let images = super::edges::images(&batch.inputs).unwrap_or(1);
            all.push(Run { images, ..run });
        }
    }
    Ok(all)
}

/// How a step is asked for.
pub type Step<'a> = &'a mut dyn FnMut(&Tensors, usize) -> Result<Said<Tensors>>;

/// One training; it ends early where a step fails or the loss explodes.
///
/// # Errors
/// A port that is gone.
pub fn run(start: &Tensors, times: f64, steps: usize, step: Step) -> Result<Run> {
    let mut run = Run {
        images: 1,
        times,
        end: start.clone(),
        ..Run::default()
    };
    for at in 0..steps {
        match step(&run.end, at)? {
            Ok(made) => run.takes(&made, at)?,
            Err(said) => run.failed = Some(said),
        }
        if !run.is_stable() {
            break;
        }
    }
    Ok(run)
}

impl Run {
    /// What a step gave, and the state that it leads to at this rate.
    fn takes(&mut self, made: &Tensors, at: usize) -> Result<()> {
        let terms = made.iter().filter_map(|(n, t)| {
            let term = n.strip_prefix("loss.")?;
            Some((term.to_string(), *t.to_f64().first()?))
        });
        self.losses.push(terms.collect());
        let rates = made.get("rule.rate").map(Tensor::to_f64);
        if let Some(all) = &rates {
            self.rate = all.iter().copied().reduce(f64::max);
        }
        let gradients = made
            .iter()
            .filter_map(|(n, t)| Some((n.strip_prefix("grad.")?, t)));
        for (i, (name, gradient)) in gradients.enumerate() {
            let key = format!("value.{name}");
            let moves = made.get(&key).map(Tensor::bytes) != self.end.get(&key).map(Tensor::bytes);
            let rate = rates.as_ref().and_then(|r| r.get(i).copied());
            let moved = self.moved.entry(name.to_string()).or_default();
            moved.takes(&gradient.to_f64(), at);
            moved.moves |= moves;
            moved.rate = rate;
        }
        self.end = self.further(made)?;
        Ok(())
    }

    /// The state behind a step that goes `times` as far: what trains is moved on, all else is as the port left it.
    fn further(&self, made: &Tensors) -> Result<Tensors> {
        let mut all = Tensors::new();
        let is_state = |n: &str| STATE.iter().any(|kind| n.starts_with(kind));
        for (name, t) in made.iter().filter(|(n, _)| is_state(n)) {
            let trained = name
                .strip_prefix("value.")
                .is_some_and(|n| self.moved.contains_key(n));
            let before = self.end.get(name).filter(|_| trained && self.times != 1.0);
            let value = match before {
                None => t.clone(),
                Some(before) => moved_on(before, t, self.times)?,
            };
            all.insert(name.clone(), value);
        }
        Ok(all)
    }

    /// The total in each step: the term of that name, else the sum of all.
    pub fn totals(&self) -> Vec<f64> {
        let total = |terms: &IndexMap<String, f64>| {
            let named = terms.get("total").copied();
            named.unwrap_or_else(|| terms.values().sum())
        };
        self.losses.iter().map(total).collect()
    }

    /// Every term but the total of several.
    pub fn terms(&self) -> Vec<&str> {
        let first = self.losses.first();
        let names = first.into_iter().flat_map(IndexMap::keys);
        let several = first.is_some_and(|f| f.len() > 1);
        let is_term = |n: &&str| !(several && *n == "total");
        names.map(String::as_str).filter(is_term).collect()
    }

    pub fn term(&self, name: &str) -> Vec<f64> {
        let each = self.losses.iter();
        each.filter_map(|terms| terms.get(name).copied()).collect()
    }

    /// No step failed, every loss is a number, and none is many times the first.
    pub fn is_stable(&self) -> bool {
        let all = self.totals();
        let limit = all.first().map_or(0.0, |f| EXPLODED * f.abs());
        let fine = |v: &f64| v.is_finite() && v.abs() <= limit.max(f64::MIN_POSITIVE);
        self.failed.is_none() && all.iter().all(fine)
    }

    /// By how much of itself the total falls; None where it is not stable, or 0 at first.
    pub fn drop(&self) -> Option<f64> {
        self.is_stable().then(|| drop(&self.totals()))?
    }
}

impl Moved {
    fn takes(&mut self, gradient: &[f64], at: usize) {
        if gradient.iter().any(|g| !g.is_finite()) {
            self.broken.get_or_insert(at);
        }
        let largest = gradient.iter().map(|g| g.abs()).fold(0.0, f64::max);
        self.gradient = self.gradient.max(largest);
    }
}

/// From the first to the median of the last tenth, as a share of the first.
pub fn drop(curve: &[f64]) -> Option<f64> {
    let first = *curve.first().filter(|f| **f != 0.0 && curve.len() > 1)?;
    Some((first - end(curve)) / first.abs())
}

/// The median of the last tenth.
pub fn end(curve: &[f64]) -> f64 {
    let mut last = curve[curve.len() - curve.len().div_ceil(10)..].to_vec();
    last.sort_by(f64::total_cmp);
    last.get(last.len() / 2).copied().unwrap_or(f64::NAN)
}

fn moved_on(before: &Tensor, after: &Tensor, times: f64) -> Result<Tensor> {
    let both = before.to_f64().into_iter().zip(after.to_f64());
    let values: Vec<f64> = both.map(|(b, a)| b + times * (a - b)).collect();
    Tensor::from_f64(after.dtype(), after.shape(), &values)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A parabola over one weight, by plain descent at `rate`; and a statistic that counts steps.
    fn parabola(rate: f64) -> impl FnMut(&Tensors, usize) -> Result<Said<Tensors>> {
        move |state, _| {
            let (w, n) = (state["value.w"].to_f64()[0], state["value.n"].to_f64()[0]);
            let one = |v: f64| Tensor::of(&[1], &[v]);
            let after = one(w - rate * 2.0 * w);
            Ok(Ok(Tensors::from([
                ("loss.error".to_string(), Tensor::of(&[], &[w * w])),
                ("grad.w".to_string(), one(2.0 * w)),
                ("value.w".to_string(), after),
                ("value.n".to_string(), one(n + 1.0)),
                ("rule.rate".to_string(), one(rate)),
            ])))
        }
    }

    fn start() -> Tensors {
        let of = |name: &str, v: f64| (name.to_string(), Tensor::of(&[1], &[v]));
        Tensors::from([of("value.w", 3.0), of("value.n", 0.0)])
    }

    #[test]
    fn a_step_at_another_rate_is_a_step_further_in_the_same_direction() {
        let tenth = run(&start(), 0.1, 20, &mut parabola(0.2)).unwrap();
        let own = run(&start(), 1.0, 20, &mut parabola(0.02)).unwrap();
        let apart = tenth.totals().into_iter().zip(own.totals());
        assert!(apart.clone().count() == 20 && apart.map(|(a, b)| (a - b).abs()).all(|d| d < 1e-9));
        assert_eq!(
            tenth.end["value.n"].to_f64(),
            [20.0],
            "a statistic is not moved on"
        );
        assert_eq!(tenth.rate, Some(0.2));
    }

    #[test]
    fn what_learns_what_stays_and_what_explodes_are_told_apart() {
        for (times, stable, learns) in [(1.0, true, true), (1e-9, true, false), (9.0, false, false)]
        {
            let made = run(&start(), times, 20, &mut parabola(0.2)).unwrap();
            assert_eq!(made.is_stable(), stable, "{times}");
            assert_eq!(made.drop().is_some_and(|d| d > 0.5), learns, "{times}");
        }
        let mut nothing = |_: &Tensors, _: usize| Ok(Err("ValueError: no".to_string()));
        let failed = run(&start(), 1.0, 20, &mut nothing).unwrap();
        assert_eq!((failed.is_stable(), failed.losses.len()), (false, 0));
    }

    #[test]
    fn the_end_of_a_curve_is_no_single_step() {
        let curve: Vec<f64> = (0..30).map(|i| if i == 29 { 80.0 } else { 10.0 }).collect();
        assert_eq!(end(&curve), 10.0);
        assert_eq!((drop(&[4.0, 1.0]), drop(&[0.0, 1.0])), (Some(0.75), None));
    }
}

//! train: two live ports that train for some steps on the same batch: each step from the reference's state by both (lock-step), and by the candidate from its own.

use super::names::Names;
use super::opened::both_fed;
use super::results::rounding;
use super::source::Ports;
use crate::environment;
use crate::error::Result;
use crate::floor::noise::{Floor, MOST_RUNS, RUNS, deviation, signs};
use crate::input::parameters::of_trace;
use crate::judge::expectation;
use crate::judge::stage::Stages;
use crate::judge::stage::train::{self, Report, Seen, Step};
use crate::port::{Ability, From, Port, Tensors};
use crate::run::Run;
use crate::scenario::{Scenario, Second, Stage};
use crate::tensor::{DType, Tensor};
use crate::verdict::{Ancestry, Ledger, StageVerdict, decide};
use rand::Rng;
use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;

/// How many elements a loss is the sum of at most, where a worker says it.
const ELEMENTS: &str = "loss_elements";

/// What a run in f64 starts from is off by so much, as a share: 256 of its roundings, so that what either side rounds on the way is less.
const OFF: f64 = 1.0 / (1u64 << 44) as f64;

/// What belongs to the state that a step starts from and leads to.
const STATE: [&str; 3] = ["value.", "optimizer.", "ema."];

/// The steps alone, which no engine computes.
///
/// # Errors
/// A port that fails.
pub fn alone(scenario: &Scenario, second: &Second) -> Result<Run> {
    let mut ports = Ports::start(scenario, second)?;
    let given = super::weights::put(scenario, second, &mut ports)?;
    let fed = both_fed(scenario, second, &mut ports)?;
    let records = crate::prepare::inputs::records(&fed[0]);
    let (stage, report) = stage(scenario, &mut ports, fed)?;
    ports.shutdown()?;
    let mut verdict = decide(&[], &Ancestry(vec![]), &[], vec![]);
    verdict.outcome = stage.outcome;
    verdict.conclude(given.into_iter().chain([stage]).collect());
    let compared = report.as_ref().map_or(0, |r| r.compared * r.steps.len());
    let ledger = Ledger {
        tensors: compared,
        compared,
        ..Ledger::default()
    };
    let names = [&scenario.model, &second.model].map(|p| format!("port {}", p.display()));
    let expected = expectation(&scenario.expect, &verdict, &ledger, &|_| HashSet::new());
    let environment = environment::record(names.into(), false, scenario.cores(), "");
    let run = Run {
        scenario: Some(scenario.clone()),
        inputs: records,
        stages: Stages {
            train: report,
            ..Stages::default()
        },
        ..Run::bare(environment, verdict, expected, ledger)
    };
    Ok(run.told())
}

/// # Errors
/// A port that fails.
pub fn stage(
    scenario: &Scenario,
    ports: &mut Ports,
    fed: [Tensors; 2],
) -> Result<(StageVerdict, Option<Report>)> {
    let steps = scenario.train.as_ref().map_or(0, |t| t.steps);
    let nothing = |why: String| Ok((StageVerdict::nothing(Stage::Train, why), None));
    let Some([reference, candidate]) = ports.both() else {
        return nothing("it is of two live ports".into());
    };
    for (side, port) in [("reference", &*reference), ("candidate", &*candidate)] {
        if let Some(lacks) = lacks(port) {
            return nothing(format!(
                "the {side}'s port does not declare '{}' (docs/PORT.md)",
                lacks.name()
            ));
        }
    }
    let Some(targets) = reference.targets()? else {
        return nothing("the reference's port has no targets()".into());
    };
    let theirs = match as_candidates(&targets, candidate)? {
        Ok(theirs) => theirs,
        Err(why) => return nothing(why),
    };
    let [ours, other] = fed;
    let sources = [&mut *reference, &mut *candidate].map(|p| of_trace(p.parameters()?));
    let [ours_held, theirs_held] = sources;
    let sources = [ours_held?, theirs_held?].map(Option::unwrap_or_default);
    let mut both = Both {
        batches: [(ours, targets), (other, theirs)],
        exact: [&*reference, &*candidate]
            .iter()
            .all(|p| p.hello.can(Ability::F64)),
        ports: [reference, candidate],
        names: Names::of(&sources, &[])?,
        seed: scenario.seed,
    };
    if both.names.is_open() {
        let gradients = both.gradients()?;
        both.names = both.names.told_by(&sources, &gradients)?;
    }
    let only = both.names.only();
    // Of what has no counterpart the candidate cannot be given a state: only its own first one is the reference's.
    let possible = if only.is_empty() { steps } else { 1 };
    let made = both.steps(possible)?;
    let mut report = train::report(&made);
    report.open.extend(only);
    if possible < steps {
        report.open.push(format!(
            "of {steps} steps {possible} is made: what has no counterpart cannot be given the reference's state"
        ));
    }
    Ok((train::verdict(&made, &report), Some(report)))
}

fn lacks(port: &Port) -> Option<Ability> {
    let needs = [Ability::Targets, Ability::State, Ability::Step];
    needs.into_iter().find(|a| !port.hello.can(*a))
}

/// The reference's targets in the dtypes of the candidate's; Err says what it takes otherwise.
fn as_candidates(
    targets: &Tensors,
    port: &mut Port,
) -> Result<std::result::Result<Tensors, String>> {
    let own = port.targets()?.unwrap_or_default();
    let mut all = Tensors::new();
    for (name, t) in targets {
        let Some(like) = own.get(name) else {
            return Ok(Err(format!(
                "the candidate's losses take no target '{name}'"
            )));
        };
        all.insert(
            name.clone(),
            Tensor::from_f64(like.dtype(), t.shape(), &t.to_f64())?,
        );
    }
    Ok(Ok(all))
}

/// Both ports and what they train on.
struct Both<'p> {
    ports: [&'p mut Port; 2],
    /// Inputs and targets.
    batches: [(Tensors, Tensors); 2],
    names: Names,
    /// Whether both compute in f64.
    exact: bool,
    seed: u64,
}

impl Both<'_> {
    /// What each side's own first step has for gradients, by its own names.
    fn gradients(&mut self) -> Result<[Tensors; 2]> {
        let mut of = |side: usize| -> Result<Tensors> {
            let state = self.ports[side].state()?.unwrap_or_default();
            let made = self.made(side, &state, 0, self.exact)?;
            let own = made
                .into_iter()
                .filter_map(|(name, t)| Some((name.strip_prefix("grad.")?.to_string(), t)));
            Ok(own.collect())
        };
        Ok([of(0)?, of(1)?])
    }

    fn steps(&mut self, count: usize) -> Result<Vec<Step>> {
        let mut state = self.ports[0].state()?.unwrap_or_default();
        let mut own = self.names.turned(0, &state)?;
        let mut all = vec![];
        for step in 0..count {
            let exact = match self.exact {
                true => Some(self.seen(&state, step, true)?.0),
                false => None,
            };
            let (seen, next) = self.seen(&state, step, false)?;
            let made = self.made(1, &own, step, false)?;
            own = of_state(&made);
            all.push(Step {
                exact,
                own: seen,
                free: floats(&self.names.turned(1, &made)?)?,
            });
            state = next;
        }
        Ok(all)
    }

    /// What both make of a state of the reference's, and the state that its own dtype leads to.
    fn seen(&mut self, state: &Tensors, step: usize, f64: bool) -> Result<(Seen, Tensors)> {
        let can = self.ports[0].hello.can(Ability::F64);
        let own = self.made(0, state, step, f64)?;
        let base = match can && !f64 {
            true => floats(&self.made(0, state, step, true)?)?,
            false => floats(&own)?,
        };
        let floors = self.floors(&base, state, (step, f64), 1..=RUNS)?;
        let there = self.names.turned(0, state)?;
        let found = self.made(1, &there, step, f64)?;
        let mut seen = Seen {
            step,
            before: floats(state)?,
            reference: base.clone(),
            candidate: floats(&self.names.turned(1, &found)?)?,
            floors,
        };
        unclipped(&mut seen);
        if seen.is_near() {
            // Of a scalar, and of what is small, few runs say little.
            let rest = RUNS + 1..=MOST_RUNS;
            widen(&mut seen, &self.floors(&base, state, (step, f64), rest)?);
        }
        Ok((seen, of_state(&own)))
    }

    /// How far the reference's tensors move where what the step starts from is off by a rounding.
    fn floors(
        &mut self,
        base: &train::Tensors,
        state: &Tensors,
        (step, f64): (usize, bool),
        runs: RangeInclusive<u32>,
    ) -> Result<HashMap<String, Floor>> {
        let mut floors: HashMap<String, Floor> = HashMap::new();
        let inputs = self.batches[0].0.clone();
        for run in runs {
            let mut place = 0;
            let mut nudged = |all: &Tensors| -> Result<Tensors> {
                let one = |(name, t): (&String, &Tensor)| {
                    place += 1;
                    Ok((
                        name.clone(),
                        off(t, f64, (self.seed + step as u64, run, place))?,
                    ))
                };
                all.iter().map(one).collect()
            };
            let (state, inputs) = (nudged(state)?, nudged(&inputs)?);
            let from = From {
                state: &state,
                inputs: &inputs,
                targets: &self.batches[0].1,
                step,
            };
            let made = floats(&self.ports[0].step(&from, f64)?.unwrap_or_default())?;
            for (name, t) in base {
                let moved = made.get(name).and_then(|m| deviation(t, m, None));
                if let Some(moved) = moved {
                    floors
                        .entry(name.clone())
                        .or_insert_with(|| Floor::along(None))
                        .add(&moved);
                }
            }
        }
        let dtype = if f64 { DType::F64 } else { DType::F32 };
        let elements = base.get(ELEMENTS).and_then(|t| t.to_f64().first().copied());
        for (name, floor) in &mut floors {
            let terms = elements.filter(|_| name.starts_with("loss."));
            floor.merge(&stored(
                &base[name],
                roundings(terms) * dtype.unit_roundoff(),
            ));
        }
        Ok(floors)
    }

    fn made(&mut self, side: usize, state: &Tensors, step: usize, f64: bool) -> Result<Tensors> {
        let (inputs, targets) = &self.batches[side];
        let from = From {
            state,
            inputs,
            targets,
            step,
        };
        Ok(self.ports[side].step(&from, f64)?.unwrap_or_default())
    }
}

/// Where one side clips, the other one's gradients are what its optimiser gets.
fn unclipped(seen: &mut Seen) {
    let sides = [&mut seen.reference, &mut seen.candidate];
    let clips = |side: &train::Tensors| side.keys().any(|n| n.starts_with("clipped."));
    if !sides.iter().any(|side| clips(side)) {
        return;
    }
    for side in sides {
        let whole = side
            .iter()
            .filter_map(|(n, t)| Some((n.strip_prefix("grad.")?, t)));
        let whole: Vec<(String, Tensor)> = whole
            .map(|(n, t)| (format!("clipped.{n}"), t.clone()))
            .collect();
        for (name, t) in whole {
            side.entry(name).or_insert(t);
        }
    }
    let floors = &mut seen.floors;
    for name in seen
        .reference
        .keys()
        .filter_map(|n| n.strip_prefix("clipped."))
    {
        let of_gradient = floors.get(&format!("grad.{name}")).cloned();
        if let Some(of_gradient) = of_gradient {
            floors
                .entry(format!("clipped.{name}"))
                .or_insert(of_gradient);
        }
    }
}

/// With further runs; what one side alone clips has the floors of its gradients.
fn widen(seen: &mut Seen, more: &HashMap<String, Floor>) {
    let clips = more.keys().any(|n| n.starts_with("clipped."));
    for (name, floor) in more {
        let clipped = name.strip_prefix("grad.").map(|n| format!("clipped.{n}"));
        let names = [Some(name.clone()), clipped.filter(|_| !clips)];
        for name in names.into_iter().flatten() {
            if let Some(own) = seen.floors.get_mut(&name) {
                own.merge(floor);
            }
        }
    }
}

/// The state that a step leads to.
fn of_state(made: &Tensors) -> Tensors {
    let is = |name: &&String| STATE.iter().any(|kind| name.starts_with(kind));
    let kept = made.iter().filter(|(name, _)| is(name));
    kept.map(|(n, t)| (n.clone(), t.clone())).collect()
}

/// Floats as f64; integers, which count, are not judged.
fn floats(all: &Tensors) -> Result<train::Tensors> {
    let floats = all.iter().filter(|(_, t)| t.dtype().is_float());
    floats
        .map(|(n, t)| {
            Ok((
                n.clone(),
                Tensor::from_f64(DType::F64, t.shape(), &t.to_f64())?,
            ))
        })
        .collect()
}

/// One rounding of a tensor and one of what was added to it; of a sum of K `terms` that another library adds in another order √K / 3: the standard deviation
/// where each partial sum is rounded at random, by u / √3 of itself, and they grow evenly (Higham & Mary 2019, doi:10.1137/18M1226312).
fn roundings(terms: Option<f64>) -> f64 {
    terms.map_or(0.0, |k| k.max(0.0).sqrt() / 3.0).max(2.0)
}

/// So large a share of a tensor.
fn stored(t: &Tensor, share: f64) -> Floor {
    let mut size = Floor::along(None);
    let nothing = Tensor::from_vec(t.shape(), vec![0.0; t.numel()]);
    size.runs = 0;
    if let Some(channels) = deviation(&nothing, t, None) {
        size.add(&channels);
    }
    let parts = std::iter::once((&size, share));
    Floor::sum(parts).unwrap_or(size)
}

/// Every float up or down by a rounding, in f64 by many; a count stays.
fn off(t: &Tensor, f64: bool, (seed, run, place): (u64, u32, usize)) -> Result<Tensor> {
    if !t.dtype().is_float() || t.shape().is_empty() {
        return Ok(t.clone());
    }
    let (dtype, step) = match f64 {
        true => (DType::F64, OFF),
        // Half of that may be rounded away again.
        false => (t.dtype(), 2.0 * rounding(t.dtype())),
    };
    let mut signs = signs(seed, run, place);
    let mut moved = |v: f64| match signs.next_u32() & 1 {
        0 => v * (1.0 + step),
        _ => v * (1.0 - step),
    };
    let values: Vec<f64> = t.to_f64().into_iter().map(&mut moved).collect();
    Tensor::from_f64(dtype, t.shape(), &values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::bits;

    #[test]
    fn a_sum_in_another_order_is_off_by_the_root_of_its_terms() {
        // Of f32 numbers of one sign one after another, against their sum in f64: within 4 standard deviations, and far from 4 of two roundings.
        let terms = 1u32 << 16;
        let drawn = |i| 0.5 + (bits(1, u64::from(i)) >> 40) as f32 / (1u32 << 25) as f32;
        let values: Vec<f32> = (0..terms).map(drawn).collect();
        let exact: f64 = values.iter().map(|v| f64::from(*v)).sum();
        let off = (f64::from(values.iter().sum::<f32>()) - exact).abs() / exact;
        let u = DType::F32.unit_roundoff();
        assert!(off > 4.0 * roundings(None) * u, "{off}");
        assert!(off < 4.0 * roundings(Some(f64::from(terms))) * u, "{off}");
    }
}

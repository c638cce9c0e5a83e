//! selftest: `parity selftest`: the largest rounding of healthy engines, per operator family, in units of u·S and of the bound; it fails where
//! one is over a bound, since then the bound is wrong and every verdict by it.

use super::{args, engine, say, watch};
use crate::error::Result;
use crate::exit::Exit;
use crate::floor::Family;
use crate::graph::load as graph;
use crate::input;
use crate::pipeline;
use crate::prepare::prepared::{self, Prepared};
use crate::run::Run;
use crate::scenario::{Scenario, load};
use crate::study;
use crate::subject::Engines;
use crate::tensor::Tensor;
use crate::text::table;
use crate::verdict::{Accumulated, Isolated, TensorResult, ToleranceBy};
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::sync::Arc;

type Change = fn(f64) -> f64;

/// What becomes of every float that a scenario feeds: ordinary inputs on which sums round alike, cancel, overflow or underflow.
const INPUTS: [(&str, Change); 7] = [
    ("its own inputs", |v| v),
    ("constant inputs", |_| 0.3),
    ("inputs of one byte", |_| 1.0 / 255.0),
    ("inputs of zero", |_| 0.0),
    ("huge inputs", |v| v * 2f64.powi(100)),
    ("tiny inputs", |v| v * 2f64.powi(-100)),
    ("subnormal inputs", |v| v * 2f64.powi(-135)),
];

/// The largest ratios seen in one family.
#[derive(Default)]
struct Seen {
    tensors: usize,
    /// Error / B of each side.
    reference: f64,
    candidate: f64,
    /// Largest error of either side in units of u·S.
    units: f64,
    terms: usize,
    node: String,
}

/// What all runs have shown.
#[derive(Default)]
struct Measured {
    families: BTreeMap<Family, Seen>,
    /// Accumulated error / limit.
    noise: Vec<f64>,
    /// Tensors on which a healthy engine is over its bound.
    over: Vec<String>,
}

pub fn command(args: &args::Selftest, engines: Engines) -> Result<Exit> {
    let scenarios = args
        .scenarios
        .iter()
        .map(|path| load::file(path))
        .collect::<Result<Vec<_>>>()?;
    scenarios.iter().try_for_each(load::present)?;
    if engines.torch.is_none() {
        return engine::hand_over();
    }
    if let Some(mutants) = args.mutants {
        return studied(&scenarios, mutants, args.clean, engines);
    }
    let mut measured = Measured::default();
    for (path, base) in args.scenarios.iter().zip(&scenarios) {
        for seed in 0..args.seeds {
            let scenario = Scenario {
                seed,
                ..base.clone()
            };
            for (name, change) in INPUTS {
                let run = on(&scenario, change, engines)?;
                measured.add(&run, &format!("{}, seed {seed}, {name}", path.display()));
            }
        }
    }
    measured.say()
}

/// What comes of drawn faults and of clean runs.
fn studied(scenarios: &[Scenario], mutants: usize, clean: usize, engines: Engines) -> Result<Exit> {
    let mut all = study::Tally::default();
    for scenario in scenarios {
        let of = study::of(scenario, (mutants, clean), engines, &mut watch::Bar::new())?;
        all.add(of);
    }
    say(&all.page())?;
    Ok(if all.holds() {
        Exit::Agree
    } else {
        Exit::Diverge
    })
}

/// The scenario on inputs of which every float is changed.
fn on(scenario: &Scenario, change: Change, engines: Engines) -> Result<Run> {
    let model = graph::file(&scenario.model)?;
    let inputs: IndexMap<String, Tensor> = input::make(scenario, &model)?
        .into_iter()
        .map(|(name, t)| Ok((name, changed(&t, change)?)))
        .collect::<Result<_>>()?;
    let ready = Arc::new(prepared::ready(model, &inputs)?);
    let given = Prepared::on(scenario, ready, inputs)?;
    pipeline::again(given, None, engines, &mut watch::Bar::new()).map(|(run, _)| run)
}

fn changed(t: &Tensor, change: fn(f64) -> f64) -> Result<Tensor> {
    match t.dtype().is_float() {
        true => Tensor::from_f64(
            t.dtype(),
            t.shape(),
            &t.to_f64().into_iter().map(change).collect::<Vec<_>>(),
        ),
        false => Ok(t.clone()),
    }
}

impl Measured {
    fn add(&mut self, run: &Run, place: &str) {
        for t in &run.tensors {
            if let Isolated::Bounded {
                family,
                terms,
                bounded,
                ..
            } = &t.isolated
            {
                self.families.entry(*family).or_default().add(
                    t,
                    *family,
                    *terms,
                    (bounded.reference, bounded.candidate),
                );
            }
            if let Accumulated::Compared {
                ratio,
                by: ToleranceBy::Noise { .. },
                ..
            } = &t.accumulated
            {
                self.noise.push(*ratio);
            }
            let how = match (t.isolated.over(), t.accumulated.over()) {
                (true, _) => "alone",
                (false, true) => "accumulated",
                (false, false) => continue,
            };
            self.over
                .push(format!("{}: '{}' ({}), {how}", place, t.name, t.op));
        }
    }

    fn say(mut self) -> Result<Exit> {
        let rows: Vec<_> = self.families.iter().map(|(f, s)| row(*f, s)).collect();
        say(&table(
            &[
                "family",
                "tensors",
                "worst in u·S",
                "reference / B",
                "candidate / B",
                "margin",
                "K there",
                "node there",
            ],
            &rows,
        ))?;
        self.noise.sort_by(f64::total_cmp);
        let (n, r) = (self.noise.len(), crate::floor::noise::R);
        let at = |q: f64| {
            self.noise
                .get(((n as f64 * q) as usize).min(n.saturating_sub(1)))
                .copied()
                .unwrap_or(0.0)
                * r
        };
        let quantiles = format!(
            "median {:.2}, p99 {:.2}, largest {:.2}",
            at(0.5),
            at(0.99),
            at(1.0)
        );
        say(&format!(
            "accumulated error / spread (R = {r}): {n} tensors, {quantiles}\n"
        ))?;
        if self.over.is_empty() {
            return Ok(Exit::Agree);
        }
        say(&format!(
            "{} tensors of healthy engines are over their bound:\n{}\n",
            self.over.len(),
            self.over.join("\n")
        ))?;
        Ok(Exit::Diverge)
    }
}

impl Seen {
    fn add(
        &mut self,
        t: &TensorResult,
        family: Family,
        terms: usize,
        (reference, candidate): (f64, f64),
    ) {
        self.tensors += 1;
        let worst = reference.max(candidate);
        if worst > self.reference.max(self.candidate) {
            (self.terms, self.node) = (terms, format!("{} ({})", t.node, t.op));
        }
        self.units = self.units.max(worst * family.allowed(terms));
        self.reference = self.reference.max(reference);
        self.candidate = self.candidate.max(candidate);
    }
}

fn row(family: Family, seen: &Seen) -> Vec<String> {
    let worst = seen.reference.max(seen.candidate);
    let number = |x: f64| format!("{x:.2}");
    vec![
        family.name().into(),
        seen.tensors.to_string(),
        number(seen.units),
        number(seen.reference),
        number(seen.candidate),
        if worst > 0.0 {
            number(1.0 / worst)
        } else {
            "-".into()
        },
        seen.terms.to_string(),
        seen.node.clone(),
    ]
}

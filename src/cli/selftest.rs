//! selftest: `parity selftest`: the largest rounding of healthy engines, per operator family, in units of u·S and of the bound.

use super::{args, engine, say, watch};
use crate::error::Result;
use crate::exit::Exit;
use crate::floor::Family;
use crate::pipeline;
use crate::report::table;
use crate::scenario::load;
use crate::subject::Engines;
use crate::verdict::{Accumulated, Isolated, ToleranceBy};
use std::collections::BTreeMap;

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

pub fn command(args: &args::Selftest, engines: Engines) -> Result<Exit> {
    let scenarios = args.scenarios.iter().map(|path| load::file(path)).collect::<Result<Vec<_>>>()?;
    scenarios.iter().try_for_each(load::present)?;
    if engines.torch.is_none() {
        return engine::hand_over();
    }
    let (mut families, mut noise): (BTreeMap<Family, Seen>, Vec<f64>) = Default::default();
    for mut scenario in scenarios {
        for seed in 0..args.seeds {
            scenario.seed = seed;
            let run = pipeline::run(&scenario, engines, &mut watch::Bar::new(), None)?;
            for t in &run.tensors {
                if let Isolated::Bounded { family, terms, bounded, .. } = &t.isolated {
                    let seen = families.entry(*family).or_default();
                    seen.tensors += 1;
                    if bounded.reference.max(bounded.candidate) > seen.reference.max(seen.candidate) {
                        (seen.terms, seen.node) = (*terms, format!("{} ({})", t.node, t.op));
                    }
                    seen.units = seen.units.max(bounded.reference.max(bounded.candidate) * family.allowed(*terms));
                    seen.reference = seen.reference.max(bounded.reference);
                    seen.candidate = seen.candidate.max(bounded.candidate);
                }
                if let Accumulated::Compared { ratio, by: ToleranceBy::Noise { .. }, .. } = &t.accumulated {
                    noise.push(*ratio);
                }
            }
        }
    }
    let rows: Vec<_> = families.iter().map(|(f, s)| row(*f, s)).collect();
    say(&table(&["family", "tensors", "worst in u·S", "reference / B", "candidate / B", "margin", "K there", "node there"], &rows))?;
    noise.sort_by(f64::total_cmp);
    let at = |q: f64| {
        noise.get(((noise.len() as f64 * q) as usize).min(noise.len().saturating_sub(1))).copied().unwrap_or(0.0) * crate::floor::noise::R
    };
    say(&format!(
        "accumulated error / spread (R = {}): {} tensors, median {:.2}, p99 {:.2}, largest {:.2}\n",
        crate::floor::noise::R,
        noise.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    ))?;
    Ok(Exit::Agree)
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
        if worst > 0.0 { number(1.0 / worst) } else { "-".into() },
        seen.terms.to_string(),
        seen.node.clone(),
    ]
}

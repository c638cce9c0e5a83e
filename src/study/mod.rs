//! study: what the instrument finds of faults that are drawn: a scenario with one mutant after another, and clean ones in between.
//!
//! A mutant counts where a declared output of the clean f64 graph moves by more than [`MOVED`] of its root mean square, whatever the tool's own
//! tolerance is. It is detected where the run diverges, exactly placed where its node is the only independent origin, and explained where its own row
//! is among the causes that are confirmed. For every mutant that is explained its row is taken out of the table once: another name is a wrong one.

mod mutant;
mod tally;

pub use tally::Tally;

use crate::cause::fault;
use crate::cause::hypothesis::again::Values;
use crate::cause::hypothesis::{self, Evidence};
use crate::error::{Result, or_refusal};
use crate::graph::{Graph, load};
use crate::input;
use crate::pipeline;
use crate::prepare::prepared::{self, Prepared};
use crate::run::Run;
use crate::scenario::{Faulty, Scenario, Subject, SubjectKind};
use crate::subject::{Engines, Options};
use crate::tensor::Tensor;
use crate::verdict::Outcome;
use crate::walk::{explained, whole};
use crate::watch::{Silent, Watch};
use indexmap::IndexMap;
use mutant::Mutant;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;
use tally::{Came, Named};

/// Share of its root mean square by which an output must move for a mutant to count.
pub const MOVED: f64 = 1e-5;

/// The scenario's graph with its inputs, and what it gives in f64.
struct Subjected<'a> {
    scenario: &'a Scenario,
    graph: Arc<Graph>,
    inputs: IndexMap<String, Tensor>,
    values: HashMap<String, Tensor>,
    engines: Engines<'a>,
}

/// Draws `mutants` faults and runs `clean` other inputs.
///
/// # Errors
/// A scenario that cannot be run without a fault.
pub fn of(
    scenario: &Scenario,
    (mutants, clean): (usize, usize),
    engines: Engines,
    watch: &mut dyn Watch,
) -> Result<Tally> {
    let model = load::file(&scenario.model)?;
    let inputs = input::make(scenario, &model)?;
    let graph = Arc::new(prepared::ready(model, &inputs)?);
    let values = in_f64(&graph, &inputs, scenario, engines)?;
    let subjected = Subjected {
        scenario,
        graph,
        inputs,
        values,
        engines,
    };
    let mut tally = Tally::default();
    watch.phase("mutants", mutants + clean);
    for k in 0..mutants as u64 {
        let Some(mutant) = mutant::draw(&subjected.graph, scenario.seed, k) else {
            break;
        };
        let (came, moved) = subjected.tried(&mutant, &mut tally)?;
        tally.mutant((mutant.fault.name, &mutant.place()), moved, came);
        watch.step(k as usize + 1);
    }
    for k in 0..clean as u64 {
        tally.clean(subjected.clean(k)?);
        watch.step(mutants + k as usize + 1);
    }
    Ok(tally)
}

/// Every tensor in f64.
fn in_f64(
    graph: &Arc<Graph>,
    inputs: &IndexMap<String, Tensor>,
    scenario: &Scenario,
    engines: Engines,
) -> Result<HashMap<String, Tensor>> {
    let options = Options {
        threads: scenario.cores(),
        optimisation: Default::default(),
    };
    let mut judge = engines.torch()?.judge(graph.clone(), &options)?;
    whole::run(&mut *judge, inputs, &HashMap::new())
}

impl Subjected<'_> {
    fn tried(&self, mutant: &Mutant, tally: &mut Tally) -> Result<(Came, f64)> {
        let amount = mutant.amount;
        let faulty = match fault::inject(&self.graph, mutant.fault.name, &mutant.node, amount) {
            Ok(graph) => Arc::new(graph),
            Err(_) => return Ok((Came::Refused, 0.0)),
        };
        let changed = in_f64(&faulty, &self.inputs, self.scenario, self.engines)?;
        let moved = self.moved(&changed);
        if moved <= MOVED {
            return Ok((Came::Small, moved));
        }
        let candidate = Subject::Faulty(Faulty {
            optimisation: None,
            of: SubjectKind::Libtorch,
            fault: mutant.fault.name.into(),
            node: mutant.node.clone(),
            amount,
            and_shadow: false,
        });
        let scenario = Scenario {
            candidate,
            expect: Default::default(),
            ..self.scenario.clone()
        };
        let came = match or_refusal(self.run(&scenario, self.inputs.clone()))? {
            Err(_) => Came::Refused,
            Ok(run) if run.verdict.outcome != Outcome::Diverge => Came::Missed,
            Ok(run) => self.found(mutant, &run, &faulty, tally)?,
        };
        Ok((came, moved))
    }

    fn run(&self, scenario: &Scenario, inputs: IndexMap<String, Tensor>) -> Result<Run> {
        let given = Prepared::on(scenario, self.graph.clone(), inputs)?;
        pipeline::again(given, None, self.engines, &mut Silent).map(|(run, _)| run)
    }

    /// The largest move of a declared output in units of its root mean square; infinite where it is of another shape, or not at hand.
    fn moved(&self, changed: &HashMap<String, Tensor>) -> f64 {
        let outputs = self.graph.outputs.iter();
        let moves = outputs.filter_map(|o| {
            let before = self.values.get(&o.name)?;
            let after = changed.get(&o.name).filter(|t| t.shape() == before.shape());
            Some(after.map_or(f64::INFINITY, |after| relative(before, after)))
        });
        moves.fold(0.0, f64::max)
    }

    fn found(
        &self,
        mutant: &Mutant,
        run: &Run,
        faulty: &Arc<Graph>,
        tally: &mut Tally,
    ) -> Result<Came> {
        let seconds: f64 = run.timings.values().sum();
        let causes = run.timings.get(pipeline::CAUSES).copied().unwrap_or(0.0);
        let of_run = seconds - causes;
        tally.cost(true, causes, of_run);
        let independent = || run.verdict.origins.iter().filter(|o| o.independent);
        let others = independent().filter(|o| o.node != mutant.node).count();
        let Some(origin) = independent().find(|o| o.node == mutant.node) else {
            return Ok(Came::Elsewhere);
        };
        let name = mutant.fault.name;
        let named = match &origin.why {
            None => Named::NotAsked,
            Some(why) if why.names(name) => Named::Right,
            Some(why) => match why.confirmed.first() {
                None => Named::Not,
                Some(other) => Named::Wrong(other.cause.clone()),
            },
        };
        let left_out = match named {
            Named::Right => {
                let begin = Instant::now();
                let named = self.left_out(mutant, origin.step, faulty)?;
                tally.cost(false, begin.elapsed().as_secs_f64(), of_run);
                named
            }
            Named::NotAsked | Named::Not | Named::Wrong(_) => None,
        };
        Ok(Came::Found {
            others,
            named,
            left_out,
        })
    }

    /// What explains the mutant without its own row.
    fn left_out(&self, mutant: &Mutant, step: usize, faulty: &Arc<Graph>) -> Result<Option<Named>> {
        let options = Options {
            threads: self.scenario.cores(),
            optimisation: Default::default(),
        };
        let torch = self.engines.torch()?;
        let mut engine = torch.session(faulty.clone(), &options)?;
        let near = explained::around(&self.graph, step, &|n| self.values.get(n).cloned());
        let feed: Values = near.iter().map(in_f32).collect::<Result<_>>()?;
        let mut again = |feed: &Values| explained::alone(&mut *engine, (faulty, step), feed);
        let Some(observed) = again(&feed)? else {
            return Ok(None);
        };
        let evidence = Evidence {
            graph: &self.graph,
            steps: &[step],
            feed: &feed,
            observed: &observed,
            allowed: None,
            mended: false,
        };
        let open = |graph| torch.judge(graph, &options);
        let without = [mutant.fault.name.to_string()];
        let why = hypothesis::explain(&evidence, &without, &open, Some(&mut again))?;
        Ok(why.map(|why| match why.confirmed.first() {
            None => Named::Not,
            Some(other) => Named::Wrong(other.cause.clone()),
        }))
    }

    /// Whether a run without a fault agrees, on the inputs of another seed.
    fn clean(&self, k: u64) -> Result<bool> {
        let scenario = Scenario {
            seed: self.scenario.seed.wrapping_add(k),
            candidate: Subject::libtorch(),
            expect: Default::default(),
            ..self.scenario.clone()
        };
        let inputs = input::make(&scenario, &self.graph)?;
        Ok(self.run(&scenario, inputs)?.verdict.outcome != Outcome::Diverge)
    }
}

/// Floats as an engine has them.
fn in_f32((name, t): (&String, &Tensor)) -> Result<(String, Tensor)> {
    use crate::tensor::DType;
    let t = match t.dtype() {
        DType::F64 => Tensor::from_f64(DType::F32, t.shape(), &t.to_f64())?,
        _ => t.clone(),
    };
    Ok((name.clone(), t))
}

/// How far one tensor is from another of its shape, in root mean squares of the first.
fn relative(before: &Tensor, after: &Tensor) -> f64 {
    let (b, a) = (before.to_f64(), after.to_f64());
    let square = |v: f64| v * v;
    let size: f64 = b.iter().map(|v| square(*v)).sum();
    let far: f64 = b.iter().zip(&a).map(|(b, a)| square(a - b)).sum();
    match far > 0.0 || far.is_nan() {
        true if far.is_nan() => f64::INFINITY,
        true => (far / size).sqrt(),
        false => 0.0,
    }
}

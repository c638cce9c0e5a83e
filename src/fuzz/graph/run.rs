//! run: a model's cases are drawn and judged, the first finding of every kind is shrunk and kept.

use super::account::{Account, Find, Known};
use super::ask::{Asker, Inputs};
use super::draw::Law;
use super::finding::Judged;
use super::part;
use super::shrink::shrunk;
use crate::error::{Error, Result};
use crate::fuzz::pool::{Pool, Worker};
use crate::fuzz::{End, Options};
use crate::graph::Graph;
use crate::scenario::{Expect, Expected, Scenario, Stage};
use crate::subject::Engines;
use crate::subject::kernels::draw::Case;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;

/// What is fuzzed, and what ends it.
pub struct Task<'a> {
    /// As `fuzzed` makes it.
    pub scenario: &'a Scenario,
    pub graph: Arc<Graph>,
    pub law: &'a Law,
    pub engines: Engines<'a>,
    pub options: Options,
    /// Finds of earlier runs: where they are kept, and their inputs.
    pub known: Vec<(PathBuf, Inputs)>,
    /// Why to draw no more, once there is a reason.
    pub stop: &'a (dyn Fn() -> Option<End> + Sync),
    /// Whether to end at once, without shrinking further.
    pub hurry: &'a (dyn Fn() -> bool + Sync),
}

/// Who hears of the progress and keeps what is found.
pub trait Listener {
    fn step(&mut self, drawn: u64, finds: usize);

    /// A find, the moment it is shrunk; where it is kept from now on.
    ///
    /// # Errors
    /// It cannot be written.
    fn keep(&mut self, find: &Find) -> Result<Option<PathBuf>>;
}

/// The scenario as its cases are run: inputs and activations, on a thread of its own, without what belongs to its own inputs (a golden,
/// what is expected of them) or to no input at all (parameters).
///
/// # Errors
/// A side that is a recording: it answers one input only.
pub fn fuzzed(scenario: &Scenario) -> Result<Scenario> {
    if [&scenario.reference, &scenario.candidate]
        .iter()
        .any(|s| !s.abilities().answers)
    {
        return Err(Error::usage("a recorded trace answers the one input that it was recorded with, and a kernel its own form's")
            .next("name engines as reference and candidate: onnxruntime, libtorch or torchscript"));
    }
    let expect = Expect {
        verdict: Expected::Agree,
        first: None,
        side: None,
        stage: None,
        term: None,
        ..scenario.expect.clone()
    };
    Ok(Scenario {
        stages: vec![Stage::Inputs, Stage::Activations],
        threads: scenario.threads.or(Some(1)),
        training: None,
        golden: None,
        parameters: None,
        find: None,
        expect,
        ..scenario.clone()
    })
}

/// A drawn case, and what came of it.
type Came = (Case, std::result::Result<Judged, String>);

/// Fuzzes the two sides of the scenario.
///
/// # Errors
/// A find that cannot be kept.
pub fn run(task: &Task, listener: &mut dyn Listener) -> Result<Account> {
    let mut own = asker(task);
    let mut account = Account {
        asked: task.options.drawn(),
        known: again(task, &mut own),
        ..Account::default()
    };
    let pool = Pool {
        options: task.options,
        chunk: 1,
        stop: task.stop,
        open: &|| Ok(worker(task)),
    };
    account.end = pool.run(&mut |number, (case, came): Came| {
        if account.count(&case, &came)
            && let Some(finding) = came.ok().and_then(|judged| judged.finding)
        {
            let (shrunk, finding) = shrunk(&mut own, task.law, (case.inputs, finding), task.hurry);
            let part = part::smallest(&mut own, &shrunk, &finding, task.hurry);
            let drawn = case.edges.into_iter().collect();
            let mut find = Find {
                case: number,
                drawn,
                finding,
                shrunk,
                part,
                kept: None,
            };
            find.kept = listener.keep(&find)?;
            account.finds.push(find);
            if account.finds.len() >= task.options.finds {
                return Ok(ControlFlow::Break(()));
            }
        }
        listener.step(account.drawn, account.finds.len());
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(account)
}

fn asker<'a>(task: &Task<'a>) -> Asker<'a> {
    Asker::of(task.scenario.clone(), task.graph.clone(), task.engines)
}

/// The finds of earlier runs, first of all.
fn again(task: &Task, asker: &mut Asker) -> Vec<Known> {
    let one = |(path, inputs): &(PathBuf, Inputs)| Known {
        path: path.clone(),
        came: asker.ask(inputs, None).map(|j| j.finding),
    };
    task.known.iter().map(one).collect()
}

/// What a thread makes of a case.
fn worker<'a>(task: &'a Task) -> Worker<'a, Came> {
    let mut asker = asker(task);
    let mut one = move |number: &u64| match task.law.case(task.options.seed, *number) {
        Ok(case) => {
            let came = asker.ask(&case.inputs, None);
            (case, came)
        }
        Err(e) => (Case::default(), Err(e.message)),
    };
    Box::new(move |numbers| numbers.iter().map(&mut one).collect())
}

//! parameters: a run of parameters alone: two lists, no model, no inputs, no engine.

use crate::environment;
use crate::error::Result;
use crate::judge::expectation;
use crate::judge::stage::{Stages, verdicts};
use crate::prepare::params;
use crate::run::Run;
use crate::scenario::{Scenario, Stage};
use crate::verdict::{Ancestry, Ledger, Outcome, decide};
use std::collections::HashSet;
use std::path::Path;

/// # Errors
/// A list that cannot be read.
pub fn run(scenario: &Scenario) -> Result<Run> {
    let stated = scenario.parameters.clone().unwrap_or_default();
    let found = params::alone(&stated)?;
    let groups = found.parameters.groups().iter();
    let listed = groups.map(|g| g.names.len()).sum();
    let stages = Stages {
        params: Some(found),
        ..Stages::default()
    };
    let mut verdict = decide(&[], &Ancestry(vec![]), &[], vec![]);
    let of = verdicts(
        &[Stage::Params],
        &verdict,
        &Default::default(),
        &stages,
        false,
    );
    if of.iter().all(|s| s.outcome == Outcome::Agree) {
        verdict.outcome = Outcome::Agree;
    }
    verdict.conclude(of);
    // Every parameter of either side is attributed to one cause.
    let ledger = Ledger {
        tensors: listed,
        compared: listed,
        ..Ledger::default()
    };
    let name = |side: &Option<std::path::PathBuf>| {
        side.as_deref()
            .unwrap_or(Path::new(""))
            .display()
            .to_string()
    };
    let names = (name(&stated.reference), name(&stated.candidate));
    let expected = expectation(&scenario.expect, &verdict, &ledger, &|_| HashSet::new());
    let environment = environment::record(names, false, 1, "");
    let run = Run {
        scenario: Some(scenario.clone()),
        stages,
        ..Run::bare(environment, verdict, expected, ledger)
    };
    Ok(run.told())
}

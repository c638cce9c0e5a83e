//! samples: one scenario on several inputs: the run of the sample that says most, and what came of each.

use super::run;
use crate::error::{Error, Place, Result};
use crate::run::{Run, Sample};
use crate::scenario::Scenario;
use crate::subject::Engines;
use crate::watch::Watch;

/// # Errors
/// As `run`, of any sample.
pub fn all(
    scenario: &Scenario,
    samples: &[(String, Scenario)],
    engines: Engines,
    watch: &mut dyn Watch,
) -> Result<Run> {
    let mut told: Vec<Sample> = vec![];
    let mut kept: Option<Run> = None;
    for (name, own) in samples {
        let run = run(own, engines, watch, None).at(format!("sample '{name}'"))?;
        told.push(Sample {
            name: name.clone(),
            exit: run.expectation.exit,
            first: run.verdict.first().map(str::to_string),
        });
        let worse = |kept: &Run| {
            let so_far = kept.expectation.exit;
            so_far.or_worse(run.expectation.exit) != so_far
        };
        if kept.as_ref().is_none_or(worse) {
            kept = Some(run);
        }
    }
    let kept = kept.map(|run| Run {
        scenario: Some(scenario.clone()),
        samples: told,
        ..run
    });
    kept.map(Run::told).ok_or_else(|| Error::usage("no sample"))
}

//! compare: `parity compare`: two recorded traces with the same judgement as a run, and no engine.

use super::{args, reports};
use crate::compare::Tolerance;
use crate::error::{Error, Place, Result};
use crate::exit::Exit;
use crate::recordings;
use crate::scenario::sides::renames;
use crate::scenario::{Expect, Training};
use crate::trace::file::{self, Opened};
use std::path::Path;

pub fn command(args: &args::Compare) -> Result<Exit> {
    reports::check(&args.report)?;
    let tolerance = tolerance(args)?;
    let (reference, candidate) = (file::open(&args.reference)?, file::open(&args.candidate)?);
    if tolerance.is_none()
        && !has_floors(&reference)
        && !has_floors(&candidate)
        && !args.report_only
    {
        return Err(Error::usage("neither trace carries floors, and no tolerance is named").next(
            "add --atol 1e-5 --rtol 1e-4 --why \"...\" (or --ulp N --why \"...\", or --exact), or record with `parity run ... --record FOLDER`; --report-only shows the metrics unjudged",
        ));
    }
    let mode = if args.report_only {
        recordings::Mode::ReportOnly
    } else {
        tolerance.map_or(recordings::Mode::Floors, recordings::Mode::Stated)
    };
    let names = (
        args.reference.display().to_string(),
        args.candidate.display().to_string(),
    );
    let training = args.training.as_deref().map(training).transpose()?;
    let run = recordings::compare(
        &reference,
        &candidate,
        &names,
        recordings::Asked {
            mode,
            rename: &renames(&args.rename)?.into_iter().collect(),
            only: &args.only,
            training: training.as_ref(),
            expect: Expect {
                coverage: args.coverage.unwrap_or(Expect::default().coverage),
                ..Expect::default()
            },
        },
    )?;
    reports::show(
        &run,
        reports::chosen(args.json, args.all || args.report_only),
        &args.report,
    )?;
    Ok(run.expectation.exit)
}

/// The keys of a scenario's `[training]`.
fn training(path: &Path) -> Result<Training> {
    crate::file::is_there(path)?;
    let text = std::fs::read_to_string(path).map_err(|e| Error::usage(e.to_string()));
    let text = text.at(path.display())?;
    let read = toml::from_str(&text).map_err(|e| Error::usage(e.to_string()));
    read.at(path.display())
}

fn has_floors(trace: &Opened) -> bool {
    trace
        .header
        .as_ref()
        .is_some_and(|h| h.tensors.values().any(|e| e.floor.is_some()))
}

fn tolerance(args: &args::Compare) -> Result<Option<Tolerance>> {
    let named = args.atol.is_some() || args.ulp.is_some();
    if args
        .why
        .as_ref()
        .is_some_and(|why| !named || why.trim().is_empty())
    {
        return Err(Error::usage(
            "--why says in words why --atol and --rtol, or --ulp, were chosen",
        ));
    }
    if args.report_only && (named || args.exact) {
        return Err(Error::usage(
            "--report-only judges nothing: it takes no --atol, --rtol, --ulp or --exact",
        ));
    }
    let bad = |v: &f64| !(v.is_finite() && *v >= 0.0);
    Ok(match (args.atol, args.rtol, args.ulp, args.exact) {
        (Some(atol), Some(rtol), ..) if bad(&atol) || bad(&rtol) => {
            return Err(Error::usage(
                "--atol and --rtol must be finite and not negative",
            ));
        }
        (Some(atol), Some(rtol), ..) => Some(Tolerance::Flat { atol, rtol }),
        (_, _, Some(ulp), _) => Some(Tolerance::Ulp(ulp)),
        (.., true) => Some(Tolerance::Exact),
        _ => None,
    })
}

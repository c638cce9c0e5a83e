//! compare: `parity compare`: two recorded traces with the same judgement as a run, and no engine.

use super::{args, say};
use crate::compare::Tolerance;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::report;
use crate::trace::file::{self, Opened};
use crate::trace::pair;

pub fn command(args: &args::Compare) -> Result<Exit> {
    let (reference, candidate) = (file::open(&args.reference)?, file::open(&args.candidate)?);
    let tolerance = tolerance(args)?;
    if tolerance.is_none() && !has_floors(&reference) && !has_floors(&candidate) && !args.report_only {
        return Err(Error::usage("neither trace carries floors, and no tolerance is named").next(
            "add --atol 1e-5 --rtol 1e-4 --why \"...\" (or --ulp N --why \"...\", or --exact), or record with `parity run ... --record FOLDER`; --report-only shows the metrics unjudged",
        ));
    }
    let rename = args.rename.iter().map(|r| r.split_once('=').map(|(a, b)| (a.to_string(), b.to_string())).ok_or_else(|| Error::usage(format!("--rename {r}: expected REFERENCE=CANDIDATE"))));
    let mode = if args.report_only { pair::Mode::ReportOnly } else { tolerance.map_or(pair::Mode::Floors, pair::Mode::Stated) };
    let names = (args.reference.display().to_string(), args.candidate.display().to_string());
    let run = pair::compare(&reference, &candidate, &names, &rename.collect::<Result<_>>()?, mode)?;
    say(&if args.json { report::json(&run)? } else { report::terminal(&run, args.all || args.report_only) })?;
    Ok(run.expectation.exit)
}

fn has_floors(trace: &Opened) -> bool {
    trace.header.as_ref().is_some_and(|h| h.tensors.values().any(|e| e.floor.is_some()))
}

fn tolerance(args: &args::Compare) -> Result<Option<Tolerance>> {
    let bad = |v: &f64| !(v.is_finite() && *v >= 0.0);
    Ok(match (args.atol, args.rtol, args.ulp, args.exact) {
        (Some(atol), Some(rtol), ..) if bad(&atol) || bad(&rtol) => return Err(Error::usage("--atol and --rtol must be finite and not negative")),
        (Some(atol), Some(rtol), ..) => Some(Tolerance::Flat { atol, rtol }),
        (_, _, Some(ulp), _) => Some(Tolerance::Ulp(ulp)),
        (.., true) => Some(Tolerance::Exact),
        _ => None,
    })
}

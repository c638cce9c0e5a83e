//! test: `parity test`: every scenario of a project, each in a process of its own, to one summary; needs no library itself.

mod before;
mod changed;
mod pool;
mod process;

pub use before::suite as read;

use super::args::Test;
use super::{interrupt, look, reports, say, tell};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::report;
use crate::suite::part::Part;
use crate::suite::{FORMAT, Suite, config, discover, junit, summary};
use crate::text::few;
use std::time::{Duration, Instant};

/// Seconds that one scenario may take where nobody states it.
const LIMIT: u64 = 600;

/// The views of a suite that are written into files.
pub const VIEWS: [&str; 3] = ["terminal", "json", "junit"];

/// What is run, and how.
struct Plan {
    whole: Vec<String>,
    part: Part,
    jobs: usize,
    limit: Duration,
    /// Files that end in .toml and are no scenarios.
    others: Vec<String>,
}

pub fn command(args: &Test) -> Result<Exit> {
    reports::check_by(&args.report, known)?;
    interrupt::listen()?;
    let mut exit = once(args)?;
    while args.watch && !interrupt::asked() {
        if !changed::wait(&plan(args)?.whole) {
            break;
        }
        exit = once(args)?;
    }
    Ok(exit)
}

/// A view that there is.
pub fn known(name: &str) -> Result<()> {
    let is = VIEWS.contains(&name);
    let wrong = || {
        Error::usage(format!("unknown view '{name}' of a suite"))
            .next(format!("known: {}", VIEWS.join(", ")))
    };
    is.then_some(()).ok_or_else(wrong)
}

/// Runs the suite once, and says what came of it.
fn once(args: &Test) -> Result<Exit> {
    let plan = plan(args)?;
    let before = before::read(args.against.as_deref(), &plan.whole)?;
    if !plan.others.is_empty() && !args.json && !look::now().quiet {
        let names = few(plan.others.iter().map(String::as_str), 3);
        eprintln!(
            "{} files state no format and are no scenarios: {names}",
            plan.others.len()
        );
    }
    let begin = Instant::now();
    let mut cases = pool::run(&plan, !args.json)?;
    for case in &mut cases {
        case.before = before.get(&case.name).copied();
    }
    let suite = Suite {
        format: FORMAT,
        whole: plan.whole,
        part: plan.part,
        cases,
        seconds: begin.elapsed().as_secs_f64(),
    };
    before::keep(&suite);
    show(&suite, args.json, &args.report)?;
    Ok(suite.exit())
}

/// The scenarios, of which a part is this machine's.
fn plan(args: &Test) -> Result<Plan> {
    let here =
        std::env::current_dir().map_err(|e| Error::failed(format!("working directory: {e}")))?;
    let found = config::nearest(&here)?;
    let all = discover::discover(&args.paths, found.as_ref())?;
    let stated = found.map(|f| f.config).unwrap_or_default();
    let half = || std::thread::available_parallelism().map_or(1, |n| n.get().div_ceil(2));
    Ok(Plan {
        whole: discover::chosen(all.scenarios, &args.pattern)?,
        part: args.partition.unwrap_or(Part::ALL),
        jobs: args.jobs.or(stated.jobs).unwrap_or_else(half),
        limit: Duration::from_secs(args.limit.or(stated.limit).unwrap_or(LIMIT)),
        others: all.others,
    })
}

/// Writes the views that are asked for, and prints one.
///
/// # Errors
/// A file that cannot be written.
pub fn show(suite: &Suite, json: bool, files: &[reports::Into]) -> Result<()> {
    let verbose = look::now().verbose;
    reports::write(files, |name| view(suite, name, verbose))?;
    match (json, look::now().quiet) {
        (true, _) => say(&view(suite, "json", verbose)?),
        (false, true) => tell(&(summary::verdict(suite) + "\n")),
        (false, false) => tell(&view(suite, "terminal", verbose)?),
    }
}

fn view(suite: &Suite, name: &str, verbose: bool) -> Result<String> {
    known(name)?;
    match name {
        "json" => report::to_json(suite),
        "junit" => junit::junit(suite),
        _ => Ok(summary::summary(suite, verbose)),
    }
}

//! time: `parity time`: one forward pass of each subject with nothing observed, in turn, as ratios in one run.

use super::{applies, args, engine, say};
use crate::error::Result;
use crate::exit::Exit;
use crate::prepare::prepared::Prepared;
use crate::report;
use crate::scenario::sides::Kind;
use crate::scenario::{build, load};
use crate::subject::Engines;
use crate::text::{number, table};
use crate::walk::timing::{self, Timed};

pub fn command(args: &args::Time, engines: Engines) -> Result<Exit> {
    let mut scenario = match Kind::is_model(&args.target) {
        true => build::from_model(&args.target, &args.input)?,
        false if !args.input.is_empty() => return Err(applies::input()),
        false => load::file(&args.target)?,
    };
    load::present(&scenario)?;
    if engines.torch.is_none() {
        return engine::hand_over();
    }
    scenario.threads = args.threads.or(scenario.threads);
    let prepared = Prepared::read(&scenario)?;
    let all = timing::run(&prepared, args.runs, engines)?;
    let first = all[0].median();
    let rows: Vec<_> = all.iter().map(|t| row(t, first)).collect();
    if args.json {
        let one = |t: &Timed| serde_json::json!({ "subject": t.subject, "median": t.median(), "seconds": t.seconds });
        let subjects: Vec<_> = all.iter().map(one).collect();
        let says = serde_json::json!({ "threads": prepared.threads, "subjects": subjects });
        say(&report::to_json(&says)?)?;
        return Ok(Exit::Agree);
    }
    let header = [
        "subject",
        "ms, median",
        "ms, least",
        &format!("times {}", all[0].subject),
    ];
    say(&format!(
        "threads {}, {} passes of each in turn\n{}",
        prepared.threads,
        args.runs,
        table(&header, &rows)
    ))?;
    Ok(Exit::Agree)
}

fn row(timed: &Timed, first: f64) -> Vec<String> {
    let least = timed.seconds.iter().copied().fold(f64::INFINITY, f64::min);
    vec![
        timed.subject.clone(),
        number(timed.median() * 1e3),
        number(least * 1e3),
        format!("{:.2}", timed.median() / first),
    ]
}

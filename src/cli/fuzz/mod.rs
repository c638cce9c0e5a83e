//! fuzz: `parity fuzz`: a kernel against its f64 reference, two forms of a loss or the two sides of a model against each other, on drawn cases.

mod kernel;
mod loss;
mod model;

use super::{applies, args, interrupt, say, watch};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::fuzz::run::{FindOf, TallyOf};
use crate::fuzz::tally::{Known, Tally, Wrong};
use crate::fuzz::{End, Options, Shard, Target, Task, run};
use crate::report;
use crate::scenario::sides::Kind;
use crate::scenario::{Faulty, Find, Scenario, Subject, load};
use crate::subject::Engines;
use crate::subject::kernels::draw::Case;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Cases where neither their number nor a time is stated.
const CASES: u64 = 1000;
/// Where finds of the checkout itself are kept unless a folder is named.
const FOUND: &str = "scenarios/found";

pub fn command(args: &args::Fuzz, engines: Engines) -> Result<Exit> {
    if let Some(scenario) = loss(args)? {
        return loss::command(args, scenario, engines);
    }
    let [python, limit] = args.live.stated();
    let options = [("--domain", !args.domain.is_empty()), python, limit];
    let belongs = "it belongs to two forms of a loss: parity fuzz A B";
    applies::not_to("a kernel or a model", &options, belongs)?;
    let target = Path::new(&args.kernel);
    let is_scenario = target.extension().is_some_and(|e| e == "toml");
    match is_scenario || Kind::is_model(target) {
        true => model::command(args, engines),
        false => kernel::command(args, engines),
    }
}

/// The two forms that are named, or that a scenario names.
fn loss(args: &args::Fuzz) -> Result<Option<Scenario>> {
    let target = Path::new(&args.kernel);
    match (&args.second, Kind::of(target)) {
        (Some(second), _) => loss::of(target, second).map(Some),
        (None, Ok(Kind::Scenario)) => Ok(Some(load::file(target)?).filter(|s| s.loss.is_some())),
        (None, Ok(Kind::Script | Kind::Port | Kind::Trace)) => Err(Error::usage(format!(
            "'{}' alone is nothing to fuzz",
            args.kernel
        ))
        .next("a loss is held against another form of it: parity fuzz A B")),
        (None, Ok(Kind::Model) | Err(_)) => Ok(None),
    }
}

/// Replays what a scenario says was found, or a case of a loss.
pub fn replay(scenario: &Scenario, find: Option<&Find>, engines: Engines) -> Result<Exit> {
    match (&scenario.loss, find) {
        (Some(loss), _) => loss::replay(scenario, loss, engines),
        (None, Some(find)) => kernel::replay(scenario, find, engines),
        (None, None) => Err(Error::failed("there is nothing to replay")),
    }
}

/// Fuzzes a target of this name, with its progress on a terminal.
fn fuzzed<T: Target>(
    name: &str,
    target: &T,
    known: Vec<(PathBuf, Case)>,
    keep: &dyn Fn(&FindOf<T>) -> Result<Option<PathBuf>>,
    args: &args::Fuzz,
) -> Result<TallyOf<T>> {
    let end = args.time.map(|t| Instant::now() + *t);
    let task = Task {
        target,
        options: options(args),
        known,
        keep,
        stop: &|| stopped(end),
        hurry: &interrupt::asked,
    };
    let is_counted = args.cases.is_some() || end.is_none();
    let mut bar = watch::Cases::new(name, is_counted.then(|| task.options.drawn()));
    run(&task, &mut |drawn, finds| bar.step(drawn, finds))
}

/// Why to draw no more.
fn stopped(end: Option<Instant>) -> Option<End> {
    let late = || {
        end.is_some_and(|end| Instant::now() >= end)
            .then_some(End::Time)
    };
    interrupt::asked().then_some(End::Interrupt).or_else(late)
}

/// Where finds are kept: where the user says; in the checkout of parity itself, those of a planted fault excepted, beside the others.
fn found(args: &args::Fuzz) -> Option<PathBuf> {
    let own = || {
        std::fs::read_to_string("Cargo.toml")
            .is_ok_and(|text| text.contains(concat!("name = \"", env!("CARGO_PKG_NAME"), "\"")))
    };
    args.found
        .clone()
        .or_else(|| (args.fault.is_none() && own()).then(|| FOUND.into()))
}

fn options(args: &args::Fuzz) -> Options {
    Options {
        cases: args
            .cases
            .unwrap_or(if args.time.is_some() { u64::MAX } else { CASES }),
        seed: args.seed,
        shard: args.shard.unwrap_or(Shard::ALL),
        jobs: args
            .jobs
            .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from)),
        finds: args.finds,
    }
}

/// `engine` with the fault that --fault names.
fn faulty(args: &args::Fuzz, engine: &Subject) -> Result<Subject> {
    let text = args.fault.as_deref().unwrap_or_default();
    let wrong = || {
        Error::usage(format!(
            "--fault {text}: expected NAME@NODE or NAME@NODE=AMOUNT"
        ))
        .next("parity list faults")
    };
    let (name, place) = text.split_once('@').ok_or_else(wrong)?;
    let (node, amount) = match place.rsplit_once('=') {
        Some((node, amount)) => (node, Some(amount.parse().map_err(|_| wrong())?)),
        None => (place, None),
    };
    let optimisation = match engine {
        Subject::OnnxRuntime { optimisation } => *optimisation,
        _ => None,
    };
    Ok(Subject::Faulty(Faulty {
        optimisation,
        of: engine.kind(),
        fault: name.into(),
        node: node.into(),
        amount,
        and_shadow: false,
    }))
}

/// The account of a target as JSON.
fn as_json<F: Wrong, P>(name: &str, tally: &Tally<F, P>, args: &args::Fuzz, exit: Exit) -> Value {
    let find = |f: &crate::fuzz::tally::Find<F, P>| json!({ "case": f.case, "finding": f.wrong.finding(), "kept": f.kept });
    let known = |k: &Known<F>| {
        let (found, refused) = match &k.came {
            Ok(found) => (found.as_ref().map(Wrong::finding), None),
            Err(why) => (None, Some(why)),
        };
        json!({ "file": k.path, "finding": found, "refused": refused })
    };
    json!({
        "name": name, "seed": args.seed, "part": options(args).shard.to_string(), "exit": exit as u8,
        "asked": tally.asked, "drawn": tally.drawn, "compared": tally.compared, "end": tally.end.name(),
        "refused": tally.refused, "abstained": tally.all.abstained,
        "finds": tally.finds.iter().map(find).collect::<Vec<_>>(),
        "known": tally.known.iter().map(known).collect::<Vec<_>>(),
    })
}

/// Prints the accounts of all targets.
fn say_json(all: &[Value]) -> Result<()> {
    say(&report::to_json(&json!({ "fuzzed": all }))?)
}

/// What a run came to, wherever it ended.
fn verdict(diverges: bool, covers: bool) -> Exit {
    match (diverges, covers) {
        (true, _) => Exit::Diverge,
        (false, false) => Exit::Uncovered,
        (false, true) => Exit::Agree,
    }
}

//! run: `parity run`: a scenario file or a bare model, to a report and an exit code.

use super::{applies, args, engine, extract, reports, say, watch};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::file;
use crate::pipeline;
use crate::scenario::sides::{Kind, Sides, renames};
use crate::scenario::{Distribution, Scenario, build, load};
use crate::subject::Engines;
use crate::trace::write::replace;
use std::path::Path;

pub fn command(args: &args::Run, engines: Engines) -> Result<Exit> {
    let scenario = scenario(args)?;
    if engines.torch.is_none() && needs_torch(&scenario) {
        return engine::hand_over();
    }
    if scenario.find.is_some() || scenario.loss.is_some() {
        return replayed(args, &scenario, engines);
    }
    let built_here = is_model(args) || args.candidate.is_some();
    let shown = if built_here && !args.json {
        Some(built(&scenario)?)
    } else {
        None
    };
    if scenario.of_parameters_alone() {
        let options = [
            ("--record", args.record.is_some()),
            ("--extract", args.extract.is_some()),
        ];
        let belongs = "state a model to run it";
        applies::not_to(
            "a scenario of parameters alone, which runs nothing",
            &options,
            belongs,
        )?;
    }
    reports::check(&args.report)?;
    if let Some(path) = &args.save {
        let moved = load::seen_from(&scenario, path.parent().unwrap_or(Path::new("")));
        replace(path, load::text(&moved)?.as_bytes())?;
    }
    let run = pipeline::run(
        &scenario,
        engines,
        &mut watch::Bar::behind(shown),
        args.record.as_deref(),
    )?;
    reports::show(&run, reports::chosen(args.json, args.all), &args.report)?;
    if let Some(folder) = &args.extract {
        let done = extract::command(&scenario, &run, folder, engines)?;
        if args.json {
            eprint!("{done}")
        } else {
            say(&done)?
        }
    }
    Ok(run.expectation.exit)
}

/// The scenario of a bare model, as it is shown in front of its report.
fn built(scenario: &Scenario) -> Result<String> {
    let ranged = scenario
        .inputs
        .values()
        .any(|i| i.random == Some(Distribution::Integers));
    let ranges = if ranged {
        "; low and high are both included"
    } else {
        ""
    };
    Ok(format!(
        "# the scenario that was built from the command line (--save FILE keeps it{ranges})\n{}\n",
        load::text(scenario)?
    ))
}

/// A find, or a loss on stated inputs, is one case of a fuzz run, not a run of its own: nothing of it can be limited, seeded or recorded.
fn replayed(args: &args::Run, scenario: &Scenario, engines: Engines) -> Result<Exit> {
    let options = [
        ("--only", !args.only.is_empty()),
        ("--coverage", args.coverage.is_some()),
        ("--from", args.from.is_some()),
        ("--until", args.until.is_some()),
        ("--seed", args.seed.is_some()),
        ("--threads", args.threads.is_some()),
        ("--max-memory", args.max_memory.is_some()),
        ("--json", args.json),
        ("--all", args.all),
        ("--report", !args.report.is_empty()),
        ("--record", args.record.is_some()),
        ("--extract", args.extract.is_some()),
    ];
    let belongs = "take [find] out of the scenario to run it like any other";
    applies::not_to(
        "a find, which is replayed as it was found",
        &options,
        belongs,
    )?;
    super::fuzz::replay(scenario, scenario.find.as_ref(), engines)
}

fn is_model(args: &args::Run) -> bool {
    Kind::is_model(&args.target)
}

fn scenario(args: &args::Run) -> Result<Scenario> {
    let names = renames(&args.rename)?;
    let sides = match (&args.candidate, &args.against) {
        (Some(candidate), _) => Some((&args.target, candidate)),
        (None, Some(trace)) if is_model(args) => Some((trace, &args.target)),
        (None, _) => None,
    };
    let mut scenario = if let Some((reference, candidate)) = sides {
        Sides {
            reference,
            candidate,
        }
        .scenario(&args.input, &names)?
    } else if is_model(args) {
        let alone = "one graph in both engines, which has one set of names";
        applies::not_to(
            alone,
            &[("--rename", !names.is_empty())],
            "name a second file",
        )?;
        build::from_model(&args.target, &args.input)?
    } else {
        let options = [
            ("--input", !args.input.is_empty()),
            ("--against", args.against.is_some()),
            ("--rename", !names.is_empty()),
            ("--save", args.save.is_some()),
        ];
        applies::not_to(
            "a scenario, which states it itself",
            &options,
            "it belongs to a bare model (.onnx)",
        )?;
        let alone = [Kind::Trace, Kind::Script, Kind::Port];
        if Kind::of(&args.target).is_ok_and(|kind| alone.contains(&kind)) {
            let what = file::mistaken(&args.target, file::Kind::Scenario);
            let what = what.map_or(String::new(), |e| format!(": {}", e.message));
            let path = args.target.display();
            return Err(
                Error::usage(format!("'{path}' alone is nothing to run{what}"))
                    .next("name what it is held against: parity run A B; of two recordings: parity compare A B"),
            );
        }
        load::file(&args.target)?
    };
    match (&mut scenario.second, &args.map) {
        (Some(second), Some(map)) => second.map = Some(map.clone()),
        (None, Some(_)) => {
            let form = "sides that are not both models (.onnx)";
            applies::not_to(form, &[("--map", true)], "say --rename A=B")?;
        }
        (_, None) => {}
    }
    args.live.put(&mut scenario)?;
    if scenario.second.is_some() {
        let options = [
            ("--from", args.from.is_some()),
            ("--until", args.until.is_some()),
            ("--record", args.record.is_some()),
            ("--extract", args.extract.is_some()),
        ];
        let belongs = "it belongs to one model: parity run A";
        applies::not_to("two models", &options, belongs)?;
    }
    if !args.only.is_empty() {
        scenario.limit.only = args.only.clone();
    }
    scenario.expect.coverage = args.coverage.unwrap_or(scenario.expect.coverage);
    scenario.limit.from = args.from.clone().or(scenario.limit.from);
    scenario.limit.until = args.until.clone().or(scenario.limit.until);
    scenario.limit.memory = args.max_memory.clone().or(scenario.limit.memory);
    scenario.seed = args.seed.unwrap_or(scenario.seed);
    scenario.threads = args.threads.or(scenario.threads);
    load::check(&scenario)?;
    load::present(&scenario)?;
    Ok(scenario)
}

/// libtorch computes a subject, or the shadow of the default tolerance.
fn needs_torch(scenario: &Scenario) -> bool {
    !scenario.of_parameters_alone()
        && !scenario.of_training_alone()
        && (scenario.tolerance.is_floor()
            || [&scenario.reference, &scenario.candidate]
                .iter()
                .any(|s| s.abilities().shares_shadow))
}

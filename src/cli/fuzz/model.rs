//! model: `parity fuzz SCENARIO`: a whole model, its two sides held against each other as `parity run` holds them.

use super::{as_json, faulty, found, fuzzed, say_json, verdict};
use crate::cause::fault;
use crate::cli::{applies, args, engine, interrupt, say};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::fuzz::model::draw::InputSpec;
use crate::fuzz::model::saved::Folder;
use crate::fuzz::model::{Fuzzed, fuzzed as as_fuzzed};
use crate::fuzz::{End, saved};
use crate::graph::load;
use crate::report;
use crate::scenario::sides::Kind;
use crate::scenario::{Scenario, build, load as scenarios};
use crate::subject::Engines;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

pub fn command(args: &args::Fuzz, engines: Engines) -> Result<Exit> {
    let options = [
        ("--candidate", args.candidate.is_some()),
        ("--forms", args.forms.is_some()),
    ];
    let belongs = "it belongs to a kernel (parity list kernels); a model's two sides are those of its scenario: [reference] and [candidate]";
    applies::not_to("a model", &options, belongs)?;
    let scenario = scenario(args)?;
    scenarios::present(&scenario)?;
    if engines.torch.is_none() {
        return engine::hand_over();
    }
    interrupt::listen()?;
    let graph = Arc::new(load::file(&scenario.model)?);
    // A fault that does not fit is refused at once, not case by case.
    fault::graph_of(&scenario.candidate, &graph)?;
    let spec = InputSpec::of(&scenario, &graph)?;
    let name = scenario.name.clone().unwrap_or_else(|| "model".into());
    let folder = found(args).map(|path| Folder {
        folder: saved::Folder {
            path,
            name: name.clone(),
        },
        scenario: scenario.clone(),
    });
    let begin = Instant::now();
    let target = Fuzzed {
        scenario: &scenario,
        graph: graph.clone(),
        spec: &spec,
        engines,
    };
    let known = folder.as_ref().map_or(Ok(vec![]), |f| f.known(&graph))?;
    let keep = |find: &_| folder.as_ref().map(|f| f.keep(find)).transpose();
    let tally = fuzzed(&name, &target, known, &keep, args)?;
    let came = verdict(tally.diverges(), tally.covers());
    match args.json {
        true => say_json(&[as_json(&name, &tally, args, came)])?,
        false => say(&report::fuzz_model(&name, &tally))?,
    }
    let seconds = begin.elapsed().as_secs_f64();
    eprintln!(
        "{} cases in {seconds:.1} s, {:.2} a second, on {} threads",
        tally.drawn,
        tally.drawn as f64 / seconds,
        super::options(args).jobs
    );
    Ok(match tally.end {
        End::Interrupt => came.or_worse(Exit::Interrupted),
        End::Cases | End::Time | End::Finds => came,
    })
}

/// The scenario with the fault that is asked for, as its cases are run.
fn scenario(args: &args::Fuzz) -> Result<Scenario> {
    let target = Path::new(&args.kernel);
    let mut scenario = match Kind::is_model(target) {
        true => build::from_model(target, &args.input)?,
        false if !args.input.is_empty() => return Err(applies::input()),
        false => scenarios::file(target)?,
    };
    if scenario.find.is_some() {
        return Err(Error::usage("this scenario is one case of a fuzzed kernel")
            .next("parity run replays it"));
    }
    if args.fault.is_some() {
        if scenario.candidate.fault().is_some() {
            return Err(Error::usage(
                "--fault: the scenario's candidate carries a fault already",
            ));
        }
        scenario.candidate = faulty(args, &scenario.candidate)?;
    }
    let scenario = as_fuzzed(&scenario)?;
    scenarios::check(&scenario)?;
    Ok(scenario)
}

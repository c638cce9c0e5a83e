//! fuzz_graph: `parity fuzz SCENARIO`: a whole model on drawn inputs, its two sides held against each other as `parity run` holds them.

use super::{applies, args, engine, fuzz as kernels, interrupt, say, watch};
use crate::cause::fault;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::fuzz::End;
use crate::fuzz::graph::account::Find;
use crate::fuzz::graph::draw::Law;
use crate::fuzz::graph::keep::Folder;
use crate::fuzz::graph::{Account, Listener, Task, fuzzed, run};
use crate::graph::load;
use crate::report;
use crate::scenario::{Scenario, build, load as scenarios};
use crate::subject::Engines;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Whether `target` is a scenario or a model, and no kernel.
pub fn is_meant(target: &str) -> bool {
    Path::new(target)
        .extension()
        .is_some_and(|e| e == "toml" || e == "onnx")
}

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
    let law = Law::of(&scenario, &graph)?;
    let name = scenario.name.clone().unwrap_or_else(|| "model".into());
    let folder = kernels::found(args).map(|path| Folder {
        path,
        name: name.clone(),
        scenario: scenario.clone(),
    });
    let begin = Instant::now();
    let end = args.time.map(|t| begin + *t);
    let task = Task {
        scenario: &scenario,
        graph: graph.clone(),
        law: &law,
        engines,
        options: kernels::options(args),
        known: folder.as_ref().map_or(Ok(vec![]), |f| f.known(&graph))?,
        stop: &|| kernels::stopped(end),
        hurry: &interrupt::asked,
    };
    let bar = watch::Cases::new(
        &name,
        (args.cases.is_some() || end.is_none()).then(|| task.options.drawn()),
    );
    let account = run(&task, &mut Progress { bar, folder })?;
    say(&report::fuzz_graph(&name, &account))?;
    let seconds = begin.elapsed().as_secs_f64();
    eprintln!(
        "{} cases in {seconds:.1} s, {:.2} a second, on {} threads",
        account.drawn,
        account.drawn as f64 / seconds,
        task.options.jobs
    );
    Ok(exit(&account))
}

/// The scenario with the fault that is asked for, as its cases are run.
fn scenario(args: &args::Fuzz) -> Result<Scenario> {
    let target = Path::new(&args.kernel);
    let mut scenario = match target.extension().is_some_and(|e| e == "onnx") {
        true => build::from_model(target, &args.input, None)?,
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
        scenario.candidate = kernels::faulty(args, &scenario.candidate)?;
    }
    let scenario = fuzzed(&scenario)?;
    scenarios::check(&scenario)?;
    Ok(scenario)
}

fn exit(account: &Account) -> Exit {
    let verdict = kernels::verdict(account.diverges(), account.covers());
    if account.end == End::Interrupt {
        kernels::worse(verdict, Exit::Interrupted)
    } else {
        verdict
    }
}

/// Shows the progress and keeps what is found.
struct Progress {
    bar: watch::Cases,
    folder: Option<Folder>,
}

impl Listener for Progress {
    fn step(&mut self, drawn: u64, finds: usize) {
        self.bar.step(drawn, finds);
    }

    fn keep(&mut self, find: &Find) -> Result<Option<PathBuf>> {
        self.folder.as_ref().map(|f| f.keep(find)).transpose()
    }
}

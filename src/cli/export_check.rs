//! export_check: `parity export-check`: a live port as every exporter of its framework writes it, each held against the port.

use super::{args, engine, reports, say, watch};
use crate::error::{Error, Place, Result};
use crate::exit::Exit;
use crate::pipeline;
use crate::port::{Ability, Launch, Port};
use crate::report;
use crate::run::Run;
use crate::scenario::ANSWER;
use crate::scenario::sides::Sides;
use crate::subject::Engines;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub fn command(args: &args::ExportCheck, engines: Engines) -> Result<Exit> {
    if engines.torch.is_none() {
        return engine::hand_over();
    }
    let own = tempfile::tempdir().map_err(|e| Error::failed(e.to_string()))?;
    let folder = args.keep.as_deref().unwrap_or(own.path());
    std::fs::create_dir_all(folder)
        .map_err(|e| Error::failed(e.to_string()))
        .at(folder.display())?;
    let (mut worst, mut all) = (Exit::Agree, vec![]);
    for (exporter, made) in exported(args, folder)? {
        let run = match made {
            Ok(path) => Ok(run(args, &path, engines)?),
            Err(e) => Err(e),
        };
        let exit = run
            .as_ref()
            .map_or(Exit::Failed, |run| run.expectation.exit);
        worst = worst.or_worse(exit);
        match args.json {
            true => all.push(as_json(&exporter, &run)),
            false => told(args, &exporter, &run)?,
        }
    }
    if args.json {
        say(&report::to_json(&serde_json::json!({ "exports": all }))?)?;
    }
    Ok(worst)
}

fn as_json(exporter: &str, run: &Result<Run>) -> serde_json::Value {
    match run {
        Ok(run) => serde_json::json!({ "exporter": exporter, "run": run }),
        Err(e) => serde_json::json!({ "exporter": exporter, "refused": e.to_string() }),
    }
}

fn told(args: &args::ExportCheck, exporter: &str, run: &Result<Run>) -> Result<()> {
    match run {
        Ok(run) => {
            say(&format!("\nexporter '{exporter}'\n"))?;
            reports::show(run, reports::chosen(false, args.all), &[])
        }
        Err(e) => say(&format!("\nexporter '{exporter}' gives no file: {e}\n")),
    }
}

/// The file of each exporter, or why there is none.
fn exported(args: &args::ExportCheck, folder: &Path) -> Result<Vec<(String, Result<PathBuf>)>> {
    let launch = Launch::file(&args.file, &args.live.python)?;
    let limit = Duration::from_secs(args.live.port_limit.unwrap_or(ANSWER));
    let mut port = Port::start(&launch, limit)?;
    let none = |what: &str, next: &str| {
        Error::usage(format!("port {}: {what}", args.file.display())).next(next)
    };
    if !port.hello.can(Ability::Export) {
        return Err(none(
            "its framework writes no ONNX",
            "hold it against a model that something else wrote: parity run net.py model.onnx",
        ));
    }
    let inputs = port.inputs()?.ok_or_else(|| {
        none(
            "it brings no inputs to export it with",
            "have `inputs()` return example inputs by name (docs/PORT.md)",
        )
    })?;
    let mut all = vec![];
    for exporter in port.hello.exporters.clone() {
        let path = std::path::absolute(folder.join(format!("{exporter}.onnx")))
            .map_err(|e| Error::failed(e.to_string()))?;
        let done = port.export(&exporter, &inputs, &path).map(|()| path);
        all.push((exporter, done));
        if !port.is_alive() {
            port = Port::start(&launch, limit)?;
        }
    }
    port.shutdown()?;
    Ok(all)
}

fn run(args: &args::ExportCheck, path: &Path, engines: Engines) -> Result<Run> {
    let sides = Sides {
        reference: &args.file,
        candidate: path,
    };
    let mut scenario = sides.scenario(&[], &[])?;
    args.live.put(&mut scenario)?;
    pipeline::run(&scenario, engines, &mut watch::Bar::behind(None), None)
}

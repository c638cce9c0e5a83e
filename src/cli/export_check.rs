//! export_check: `parity export-check`: a live port as every exporter of its framework writes it, each held against the port.

use super::{args, engine, reports, say, watch};
use crate::error::{Error, Place, Result};
use crate::exit::Exit;
use crate::pipeline;
use crate::port::{Ability, Launch, Port};
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
    let mut worst = Exit::Agree;
    for (exporter, made) in exported(args, folder)? {
        let exit = match made {
            Ok(path) => judged(args, &exporter, &path, engines)?,
            Err(e) => {
                say(&format!("\nexporter '{exporter}' gives no file: {e}\n"))?;
                Exit::Failed
            }
        };
        worst = worst.or_worse(exit);
    }
    Ok(worst)
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

fn judged(args: &args::ExportCheck, exporter: &str, path: &Path, engines: Engines) -> Result<Exit> {
    let sides = Sides {
        reference: &args.file,
        candidate: path,
    };
    let mut scenario = sides.scenario(&[], &[])?;
    args.live.put(&mut scenario)?;
    let run = pipeline::run(&scenario, engines, &mut watch::Bar::behind(None), None)?;
    say(&format!("\nexporter '{exporter}'\n"))?;
    reports::show(&run, reports::chosen(false, args.all), &[])?;
    Ok(run.expectation.exit)
}

//! fuzz: `parity fuzz`: a kernel's ONNX form in libtorch, values and autograd, against the f64 reference on drawn cases.

use super::{args, engine, say, watch};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::fuzz::opinion::Double;
use crate::fuzz::{self, Options, Report};
use crate::graph::load;
use crate::pass::Watch;
use crate::report;
use crate::subject::Engines;
use crate::subject::kernels::{Kernel, all, find};
use std::sync::Arc;

pub fn command(args: &args::Fuzz, engines: Engines) -> Result<Exit> {
    let kernels = if args.kernel == "all" { all().collect() } else { vec![find(&args.kernel)?] };
    if engines.torch.is_none() {
        return engine::hand_over();
    }
    let mut exit = Exit::Agree;
    for kernel in kernels {
        let report = one(kernel, args, engines)?;
        say(&report::fuzz(kernel, &report))?;
        exit = worse(exit, &report);
    }
    Ok(exit)
}

fn one(kernel: &Kernel, args: &args::Fuzz, engines: Engines) -> Result<Report> {
    let path = args.forms.join(format!("{}.onnx", kernel.name));
    let graph = load::file(&path).map_err(|e| match e.next {
        Some(_) => e,
        None => Error::usage(e.message).next("--forms names the folder of the kernels' ONNX forms (golden/kernels of this project)"),
    })?;
    let mut form = Double::open(engines.torch()?, Arc::new(graph))?;
    let options = Options { cases: args.cases, seed: args.seed };
    let mut bar = watch::Bar::new();
    bar.phase(kernel.name, args.cases as usize);
    Ok(fuzz::run(kernel, &mut form, &options, &mut |done| bar.step(done as usize)))
}

/// A find is worse than nothing compared, which is worse than agreement.
fn worse(before: Exit, report: &Report) -> Exit {
    match (before, report.finds.is_empty(), report.compared) {
        (Exit::Diverge, _, _) | (_, false, _) => Exit::Diverge,
        (_, true, 0) => Exit::Uncovered,
        (before, true, _) => before,
    }
}

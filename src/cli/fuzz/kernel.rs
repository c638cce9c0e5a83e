//! kernel: `parity fuzz KERNEL`: its ONNX form in an engine, or another dialect, against the f64 reference.

use super::{as_json, faulty, found, fuzzed, say_json, verdict};
use crate::cli::{applies, args, engine, interrupt, say};
use crate::error::{Error, Place, Result};
use crate::exit::Exit;
use crate::fuzz::End;
use crate::fuzz::kernel::saved::{Folder, candidate as found_on};
use crate::fuzz::kernel::{self, Candidate, Fuzzed, Tally};
use crate::fuzz::saved;
use crate::graph::{Graph, load};
use crate::report;
use crate::scenario::{self, Scenario, SubjectKind};
use crate::subject::Engines;
use crate::subject::kernels::{ALL, Kernel, find};
use std::path::Path;
use std::sync::Arc;

/// Where the kernels' ONNX forms lie unless a folder is named.
const FORMS: &str = "golden/kernels";
/// Who is fuzzed where nobody is named.
const CANDIDATE: &str = "libtorch";

pub fn command(args: &args::Fuzz, engines: Engines) -> Result<Exit> {
    applies::not_to(
        "a kernel, whose inputs are drawn",
        &[("--input", !args.input.is_empty())],
        "it belongs to a bare model (.onnx)",
    )?;
    let kernels: Vec<_> = if args.kernel == "all" {
        ALL.iter().collect()
    } else {
        vec![find(&args.kernel)?]
    };
    let candidates = kernels
        .iter()
        .map(|k| candidate(args, k, kernels.len()))
        .collect::<Result<Vec<_>>>()?;
    if engines.torch.is_none() {
        return engine::hand_over();
    }
    interrupt::listen()?;
    let (mut exit, mut whole, all) = (Exit::Agree, 0, kernels.len());
    let mut accounts = vec![];
    for (kernel, candidate) in kernels.into_iter().zip(candidates) {
        let tally = one(kernel, &candidate, args, engines)?;
        let came = verdict(tally.diverges(), tally.covers());
        match args.json {
            true => accounts.push(as_json(kernel.name, &tally, args, came)),
            false => say(&report::fuzz_kernel(kernel, &candidate, &tally))?,
        }
        exit = exit.or_worse(came);
        whole += usize::from(tally.end != End::Interrupt);
        if interrupt::asked() {
            break;
        }
    }
    if args.json {
        say_json(&accounts)?;
    }
    if whole == all {
        return Ok(exit);
    }
    if !args.json {
        say(&format!(
            "interrupted: {whole} of {all} kernels were fuzzed to their end\n"
        ))?;
    }
    Ok(exit.or_worse(Exit::Interrupted))
}

/// Who is fuzzed, with the fault where one is named.
fn candidate(args: &args::Fuzz, kernel: &'static Kernel, kernels: usize) -> Result<Candidate> {
    let named = args.candidate.as_deref().unwrap_or(CANDIDATE);
    let clean = Candidate::called(named, kernel)?;
    if args.fault.is_none() {
        return Ok(clean);
    }
    if kernels > 1 {
        return Err(Error::usage("--fault names a node of one kernel's form")
            .next("name the kernel instead of all"));
    }
    if clean.kernel().is_some() {
        return Err(Error::usage(format!(
            "--fault changes a form, and candidate '{named}' is a reference"
        ))
        .next("name an engine as --candidate: libtorch, libtorch-f32 or onnxruntime"));
    }
    Ok(Candidate {
        subject: faulty(args, &clean.subject)?,
        ..clean
    })
}

fn one<'a>(
    kernel: &'static Kernel,
    candidate: &Candidate,
    args: &args::Fuzz,
    engines: Engines,
) -> Result<Tally<'a>> {
    let forms = args.forms.as_deref().unwrap_or(Path::new(FORMS));
    let model = forms.join(format!("{}.onnx", kernel.name));
    let graph = form(&model)?;
    let target = Fuzzed {
        kernel,
        open: &|| candidate.open(&graph, engines),
    };
    let folder =
        found(args).map(|path| Folder::at(path, kernel, model, candidate.clone(), args.seed));
    let known = folder.as_ref().map_or(Ok(vec![]), |f| f.known(&graph))?;
    let keep = |find: &_| folder.as_ref().map(|f| f.keep(find)).transpose();
    fuzzed(kernel.name, &target, known, &keep, args).at(kernel.name)
}

/// The ONNX form of a kernel.
fn form(path: &Path) -> Result<Arc<Graph>> {
    let graph = load::file(path).map_err(|e| match e.next {
        Some(_) => e,
        None => Error::usage(e.message).next(
            "--forms names the folder of the kernels' ONNX forms (golden/kernels of this project)",
        ),
    })?;
    Ok(Arc::new(graph))
}

/// Replays a find as it was found.
pub fn replay(scenario: &Scenario, of: &scenario::Find, engines: Engines) -> Result<Exit> {
    let kernel = find(of.kernel.as_deref().unwrap_or_default()).at("find.kernel")?;
    if scenario.reference.kind() != SubjectKind::Kernel {
        return Err(Error::usage(
            "a find holds its candidate against reference.subject = \"kernel\"",
        )
        .next("without [find] the scenario runs like any other"));
    }
    let graph = form(&scenario.model)?;
    let mut subject = found_on(scenario, of).open(&graph, engines)?;
    let wrong = kernel::replay(kernel, &mut *subject, &saved::case(scenario, &graph)?)?;
    say(&report::replay(
        scenario.name.as_deref().unwrap_or("find"),
        kernel.name,
        wrong.as_ref(),
    ))?;
    Ok(if wrong.is_some() {
        Exit::Diverge
    } else {
        Exit::Agree
    })
}

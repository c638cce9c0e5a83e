//! fuzz: `parity fuzz`: a kernel's ONNX form in an engine, or another dialect, against the f64 reference on drawn cases.

use super::{applies, args, engine, fuzz_graph, interrupt, say, watch};
use crate::error::{Error, Place, Result};
use crate::exit::Exit;
use crate::fuzz::account::Find;
use crate::fuzz::keep::{self, Folder};
use crate::fuzz::{self, Candidate, End, Listener, Options, Report, Shard, Task};
use crate::graph::{Graph, load};
use crate::report;
use crate::scenario::{Faulty, Scenario, Subject, SubjectKind};
use crate::subject::Engines;
use crate::subject::kernels::{ALL, Kernel, find};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Cases where neither their number nor a time is stated.
const CASES: u64 = 1000;
/// Where finds of the checkout itself are kept unless a folder is named.
const FOUND: &str = "scenarios/found";
/// Where the kernels' ONNX forms lie unless a folder is named.
const FORMS: &str = "golden/kernels";
/// Who is fuzzed where nobody is named.
const CANDIDATE: &str = "libtorch";

pub fn command(args: &args::Fuzz, engines: Engines) -> Result<Exit> {
    if fuzz_graph::is_meant(&args.kernel) {
        return fuzz_graph::command(args, engines);
    }
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
    for (kernel, candidate) in kernels.into_iter().zip(candidates) {
        let report = one(kernel, &candidate, args, engines)?;
        say(&report::fuzz(kernel, &candidate, &report))?;
        exit = worse(exit, verdict(report.diverges(), report.covers()));
        whole += usize::from(report.end != End::Interrupt);
        if interrupt::asked() {
            break;
        }
    }
    if whole == all {
        return Ok(exit);
    }
    say(&format!(
        "interrupted: {whole} of {all} kernels were fuzzed to their end\n"
    ))?;
    Ok(worse(exit, Exit::Interrupted))
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

/// `engine` with the fault that --fault names.
pub fn faulty(args: &args::Fuzz, engine: &Subject) -> Result<Subject> {
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

fn one(
    kernel: &'static Kernel,
    candidate: &Candidate,
    args: &args::Fuzz,
    engines: Engines,
) -> Result<Report> {
    let model = args
        .forms
        .as_deref()
        .unwrap_or(Path::new(FORMS))
        .join(format!("{}.onnx", kernel.name));
    let graph = form(&model)?;
    let subject = || candidate.open(&graph, engines);
    let folder = found(args).map(|path| Folder {
        path,
        kernel,
        model,
        candidate: candidate.clone(),
        seed: args.seed,
    });
    let end = args.time.map(|t| Instant::now() + *t);
    let task = Task {
        kernel,
        open: &subject,
        options: options(args),
        known: folder.as_ref().map_or(Ok(vec![]), |f| f.known(&graph))?,
        stop: &|| stopped(end),
        hurry: &interrupt::asked,
    };
    let bar = watch::Cases::new(
        kernel.name,
        (args.cases.is_some() || end.is_none()).then(|| task.options.drawn()),
    );
    fuzz::run(&task, &mut Progress { bar, folder }).at(kernel.name)
}

/// Why to draw no more.
pub fn stopped(end: Option<Instant>) -> Option<End> {
    let late = || {
        end.is_some_and(|end| Instant::now() >= end)
            .then_some(End::Time)
    };
    interrupt::asked().then_some(End::Interrupt).or_else(late)
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

/// Where finds are kept: where the user says; in the checkout of parity itself, those of a planted fault excepted, beside the others.
pub fn found(args: &args::Fuzz) -> Option<PathBuf> {
    let own = || {
        std::fs::read_to_string("Cargo.toml")
            .is_ok_and(|text| text.contains(concat!("name = \"", env!("CARGO_PKG_NAME"), "\"")))
    };
    args.found
        .clone()
        .or_else(|| (args.fault.is_none() && own()).then(|| FOUND.into()))
}

pub fn options(args: &args::Fuzz) -> Options {
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

/// Replays a find as it was found.
pub fn replay(scenario: &Scenario, of: &crate::scenario::Find, engines: Engines) -> Result<Exit> {
    let kernel = find(&of.kernel).at("find.kernel")?;
    if scenario.reference.kind() != SubjectKind::Kernel {
        return Err(Error::usage(
            "a find holds its candidate against reference.subject = \"kernel\"",
        )
        .next("without [find] the scenario runs like any other"));
    }
    let graph = form(&scenario.model)?;
    let mut subject = keep::candidate(scenario, of).open(&graph, engines)?;
    let finding = fuzz::replay(kernel, &mut *subject, &keep::case(scenario, &graph)?)?;
    say(&report::replay(
        scenario.name.as_deref().unwrap_or("find"),
        kernel.name,
        finding.as_ref(),
    ))?;
    Ok(if finding.is_some() {
        Exit::Diverge
    } else {
        Exit::Agree
    })
}

/// What a run came to, wherever it ended.
pub fn verdict(diverges: bool, covers: bool) -> Exit {
    match (diverges, covers) {
        (true, _) => Exit::Diverge,
        (false, false) => Exit::Uncovered,
        (false, true) => Exit::Agree,
    }
}

/// A find is worse than a run that was broken off, which is worse than nothing compared, which is worse than agreement.
pub fn worse(a: Exit, b: Exit) -> Exit {
    let order = [Exit::Diverge, Exit::Interrupted, Exit::Uncovered];
    order
        .into_iter()
        .find(|e| [a, b].contains(e))
        .unwrap_or(Exit::Agree)
}

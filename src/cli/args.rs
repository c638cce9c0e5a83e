//! args: the command line as clap reads it.

use super::reports;
use crate::graph::memory;
use clap::builder::{RangedU64ValueParser, TypedValueParser};
use clap::{Parser, Subcommand};
use std::path::PathBuf;

/// Tells where a ported neural network first stops being the same network, whether that place is itself at fault, and why.
#[derive(Parser)]
#[command(
    version,
    after_help = "exit codes: 0 agree, 1 diverge, 2 usage or input wrong, 3 could not run, 4 nothing or too little compared, 130 interrupted"
)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Run a scenario (or a bare ONNX model) and report the first divergence
    Run(Run),
    /// Compare two recorded traces, without any engine
    Compare(Compare),
    /// Propose a golden from recorded traces, show what it changes; accept or reject it
    Bless(Bless),
    /// Compare the parameters of two models and attribute every element of the difference
    Params(Params),
    /// Audit a training from its files: checkpoints, logs, data, configs; `parity audit --help` lists the audits
    Audit(Audit),
    /// Run every audit that a file names, before a training, on one screen
    Preflight(Preflight),
    /// Put what somebody who is asked for help needs of a run into one zip file below 1 MB; names and home folders are replaced
    Bundle(Bundle),
    /// Show a model: nodes, parameters per module, opsets; or which tensor of two models stands for which
    Map(Map),
    /// Start a live port, say what it is, and try what it declares to be able to do
    Port(Port),
    /// Export a live port with every exporter that its framework has, and hold each export against it
    ExportCheck(ExportCheck),
    /// Show a table: subjects, operators, faults, causes, reports, kernels, distributions, families, exits
    List(List),
    /// Say which libraries were found, and what to do about what is missing
    Doctor,
    /// Draw inputs for a kernel (its ONNX form in libtorch, with autograd, against the f64 reference), for two forms of a loss of your own, or for a
    /// scenario's model
    Fuzz(Fuzz),
    /// Time a forward pass of each subject with nothing observed, in turn
    Time(Time),
    /// Measure the rounding bounds on healthy engines
    Selftest(Selftest),
    /// Run the official ONNX node tests through both engines (scripts/conformance fetches them)
    Conformance(Conformance),
}

/// Threads of an engine or of a fuzz run.
fn threads() -> impl TypedValueParser<Value = usize> {
    RangedU64ValueParser::<usize>::new().range(1..=crate::scenario::load::MAX_THREADS as u64)
}

/// A number of things of which none would be none done.
fn at_least_one() -> impl TypedValueParser<Value = usize> {
    RangedU64ValueParser::<usize>::new().range(1..)
}

/// A size of memory, as the scenario takes it.
fn size(text: &str) -> Result<String, String> {
    let known = memory::size(text).map(|_| text.to_string());
    known
        .ok_or_else(|| "expected a number with B, KiB, MiB, GiB, kB, MB or GB, such as 2GiB".into())
}

/// A share of what there is.
fn share(text: &str) -> Result<f64, String> {
    let share: Option<f64> = text.parse().ok().filter(|s| (0.0..=1.0).contains(s));
    share.ok_or_else(|| "expected a number from 0 to 1, such as 0.95".into())
}

/// A time in which something can be done.
fn time(text: &str) -> Result<humantime::Duration, String> {
    let time: humantime::Duration = text
        .parse()
        .map_err(|e: humantime::DurationError| e.to_string())?;
    if time.is_zero() {
        Err("nothing is drawn in no time".into())
    } else {
        Ok(time)
    }
}

#[derive(clap::Args)]
pub struct Audit {
    #[command(subcommand)]
    pub audit: crate::audit::Audit,
    /// Print what was found as JSON instead of the report
    #[arg(long, global = true)]
    pub json: bool,
    /// Write what was found into a file besides: NAME=FILE, NAME one of terminal, json, markdown, html; several times for several
    #[arg(long, value_name = "NAME=FILE", value_parser = reports::parse, global = true)]
    pub report: Vec<reports::Into>,
}

#[derive(clap::Args)]
pub struct Preflight {
    /// A folder: every audit that applies to what lies in it; or a file (.toml) with a table for each audit, whose paths are relative to its folder
    #[arg(value_name = "FOLDER|FILE")]
    pub target: PathBuf,
    /// What an earlier preflight printed as JSON: shows what was mended, what stays and what is new
    #[arg(long, value_name = "EARLIER")]
    pub against: Option<PathBuf>,
    /// Print what was found as JSON instead of the report
    #[arg(long)]
    pub json: bool,
}

#[derive(clap::Args)]
pub struct Bundle {
    /// The folder of the run
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Where it is written; RUN.parity.zip here where not stated
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

#[derive(clap::Args)]
pub struct Run {
    /// Reference: a live port (net.py), a model (.onnx) or a recorded trace (.safetensors); or a scenario (.toml), which names both sides
    #[arg(value_name = "A")]
    pub target: PathBuf,
    /// Candidate: a model (.onnx), a live port, a recorded trace or a TorchScript (.jit); where none is named both engines compute the model A
    #[arg(value_name = "B")]
    pub candidate: Option<PathBuf>,
    /// Input of a bare model: NAME=1x3x224x224, NAME=1x128:0..99 (integers from 0 to 99, both included) or NAME=FILE (.npy,
    /// .safetensors, .png, .jpg); what a trace holds of the inputs it feeds by itself. A live port with `preprocess` reads any file that holds no tensor
    #[arg(long, value_name = "NAME=VALUE")]
    pub input: Vec<String>,
    /// Compare a bare model with this recorded trace instead of ONNX Runtime: `parity run TRACE A`
    #[arg(long, value_name = "TRACE", conflicts_with = "candidate")]
    pub against: Option<PathBuf>,
    /// Tensor that has another name in the candidate: REFERENCE=CANDIDATE, or A*=B* for every name that starts with A
    #[arg(long, value_name = "A=B")]
    pub rename: Vec<String>,
    /// Pairs of two models as `parity map A B` wrote them
    #[arg(long, value_name = "FILE", requires = "candidate")]
    pub map: Option<PathBuf>,
    #[command(flatten)]
    pub live: Live,
    /// Write the scenario that was built from a bare model
    #[arg(long, value_name = "FILE")]
    pub save: Option<PathBuf>,
    /// Compare only these tensors ('*' matches any text)
    #[arg(long, value_name = "TENSOR")]
    pub only: Vec<String>,
    /// Share of the tensors that must be compared (0 to 1), or exit 4; the scenario's where not stated
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub coverage: Option<f64>,
    /// Compare from the node that produces this tensor
    #[arg(long, value_name = "TENSOR")]
    pub from: Option<String>,
    /// Stop after the node that produces this tensor
    #[arg(long, value_name = "TENSOR")]
    pub until: Option<String>,
    /// Seed of generated inputs and noise, instead of the scenario's
    #[arg(long)]
    pub seed: Option<u64>,
    /// Threads of each engine, instead of the scenario's
    #[arg(long, value_parser = threads())]
    pub threads: Option<usize>,
    /// Refuse a run that is estimated to need more memory than this, for example 2GiB; the machine's memory where not stated
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub max_memory: Option<String>,
    /// Print the Run as JSON instead of the report
    #[arg(long)]
    pub json: bool,
    /// Write a view of the run into a file besides: NAME=FILE, NAME from `parity list reports`; several times for several
    #[arg(long, value_name = "NAME=FILE", value_parser = reports::parse)]
    pub report: Vec<reports::Into>,
    /// Show all tensors, not only the decisive ones
    #[arg(long)]
    pub all: bool,
    /// Write both traces, with floors, into this folder
    #[arg(long, value_name = "FOLDER")]
    pub record: Option<PathBuf>,
    /// Where it diverges, write the first node at fault, its inputs and both outputs into this folder: to replay, or for a bug report
    #[arg(long, value_name = "FOLDER")]
    pub extract: Option<PathBuf>,
}

#[derive(clap::Args)]
pub struct Compare {
    /// Reference trace (.safetensors, or .safetensors.index.json)
    pub reference: PathBuf,
    /// Candidate trace
    pub candidate: PathBuf,
    /// Absolute tolerance (needs --rtol and --why)
    #[arg(long, requires = "rtol", requires = "why")]
    pub atol: Option<f64>,
    /// Relative tolerance (needs --atol and --why)
    #[arg(long, requires = "atol", requires = "why")]
    pub rtol: Option<f64>,
    /// Largest distance in ulp (needs --why)
    #[arg(long, requires = "why", conflicts_with_all = ["atol", "rtol"])]
    pub ulp: Option<u64>,
    /// Equal bits
    #[arg(long, conflicts_with_all = ["atol", "rtol", "ulp"])]
    pub exact: bool,
    /// Why the tolerance was chosen
    #[arg(long)]
    pub why: Option<String>,
    /// Tensor of the candidate that has another name: REFERENCE=CANDIDATE
    #[arg(long, value_name = "A=B")]
    pub rename: Vec<String>,
    /// Compare only these tensors ('*' matches any text)
    #[arg(long, value_name = "TENSOR")]
    pub only: Vec<String>,
    /// Share of the tensors that must be compared (0 to 1), or exit 4; 0.99 where not stated
    #[arg(long, value_name = "SHARE", value_parser = share)]
    pub coverage: Option<f64>,
    /// Show the metrics without judging them (exit 4)
    #[arg(long)]
    pub report_only: bool,
    /// Print the Run as JSON instead of the report
    #[arg(long)]
    pub json: bool,
    /// Write a view of the run into a file besides: NAME=FILE, NAME from `parity list reports`; several times for several
    #[arg(long, value_name = "NAME=FILE", value_parser = reports::parse)]
    pub report: Vec<reports::Into>,
    /// Show all tensors
    #[arg(long)]
    pub all: bool,
}

#[derive(clap::Args)]
pub struct Bless {
    /// Recorded traces of one subject; without any, the proposal that waits is shown again
    pub traces: Vec<PathBuf>,
    /// Folder of the golden: golden/NAME
    #[arg(long, value_name = "FOLDER")]
    pub golden: PathBuf,
    /// Scenario that the golden belongs to
    #[arg(long, value_name = "NAME", conflicts_with = "reject")]
    pub scenario: Option<String>,
    /// Command that made the traces, instead of what they say themselves
    #[arg(long, value_name = "TEXT", requires = "traces")]
    pub command: Option<String>,
    /// Version of a framework that was used
    #[arg(long, value_name = "NAME=VERSION", requires = "traces")]
    pub framework: Vec<String>,
    /// Threads that the traces were made with
    #[arg(long, requires = "traces", value_parser = threads())]
    pub threads: Option<usize>,
    /// Seed that the traces were made with
    #[arg(long, requires = "traces")]
    pub seed: Option<u64>,
    /// Model file whose digest the golden keeps
    #[arg(long, value_name = "FILE", requires = "traces")]
    pub model: Option<PathBuf>,
    /// Rule that generated the weights, in words, where no model file is
    #[arg(
        long,
        value_name = "TEXT",
        requires = "traces",
        conflicts_with = "model"
    )]
    pub weights: Option<String>,
    /// Keep these tensors whole, however large ('*' matches any text)
    #[arg(long, value_name = "TENSOR", requires = "traces")]
    pub whole: Vec<String>,
    /// Keep tensors of at most this many elements whole, larger ones as a sketch
    #[arg(long, value_name = "N", requires = "traces", default_value_t = crate::golden::FULL)]
    pub full: usize,
    /// Make the proposal that waits the golden
    #[arg(long, conflicts_with_all = ["traces", "reject"])]
    pub accept: bool,
    /// Drop the proposal that waits
    #[arg(long, conflicts_with = "traces")]
    pub reject: bool,
    /// Also list the tensors that stay the same
    #[arg(long, conflicts_with_all = ["accept", "reject"])]
    pub all: bool,
}

#[derive(clap::Args)]
pub struct Params {
    /// Reference: a model (.onnx), a recorded trace or a checkpoint (.safetensors, or its index of shards), a golden's folder, or a list (.json)
    pub reference: PathBuf,
    /// Candidate, likewise
    pub candidate: PathBuf,
    /// Parameter of the candidate that has another name: REFERENCE=CANDIDATE, or A*=B* for every name that starts with A
    #[arg(long, value_name = "A=B")]
    pub rename: Vec<String>,
    /// Two untrained models: compare by the rule that drew the weights. Constants, zeroed heads and priors must be equal; random tensors
    /// as wide (standard deviation) and as bounded (largest magnitude) as draws of one rule are, with one false alarm in 100 pairs of models
    #[arg(long)]
    pub fresh: bool,
    /// Print the decomposition as JSON instead of the report
    #[arg(long)]
    pub json: bool,
    /// Show all modules
    #[arg(long)]
    pub all: bool,
}

#[derive(clap::Args)]
pub struct Map {
    /// ONNX model
    #[arg(value_name = "A")]
    pub model: PathBuf,
    /// Another one of the same network: which tensor of it stands for which of A, and why
    #[arg(value_name = "B")]
    pub candidate: Option<PathBuf>,
    /// List every node
    #[arg(long, conflicts_with = "candidate")]
    pub nodes: bool,
    /// Input of A on which values are compared, as in `parity run`
    #[arg(long, value_name = "NAME=VALUE", requires = "candidate")]
    pub input: Vec<String>,
    /// Tensor that has another name in B: A=B
    #[arg(long, value_name = "A=B", requires = "candidate")]
    pub rename: Vec<String>,
    #[command(flatten)]
    pub live: Live,
}

#[derive(clap::Args)]
pub struct Port {
    /// Port file (net.py) or an executable that speaks the worker protocol (docs/PORT.md)
    #[arg(value_name = "FILE", required_unless_present = "command")]
    pub file: Option<PathBuf>,
    /// A command that speaks the worker protocol, behind `--`
    #[arg(last = true, value_name = "COMMAND", conflicts_with_all = ["file", "python"])]
    pub command: Vec<String>,
    /// Python that runs a port file, of several the first that has what the file imports; else that of VIRTUAL_ENV, else the first such on PATH
    #[arg(long, value_name = "PYTHON")]
    pub python: Vec<PathBuf>,
    /// One question may take this long
    #[arg(long, value_name = "SECONDS", default_value_t = crate::scenario::ANSWER, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: u64,
}

/// How live ports are started.
#[derive(clap::Args)]
pub struct Live {
    /// Python that runs a port file, of several the first that has what the file imports; else that of VIRTUAL_ENV, else the first such on PATH
    #[arg(long, value_name = "PYTHON")]
    pub python: Vec<PathBuf>,
    /// One answer of a live port may take this long; 300 seconds where not stated
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub port_limit: Option<u64>,
}

impl Live {
    /// Its options, and which of them are there.
    pub fn stated(&self) -> [(&'static str, bool); 2] {
        [
            ("--python", !self.python.is_empty()),
            ("--port-limit", self.port_limit.is_some()),
        ]
    }

    /// Into the scenario of two sides.
    ///
    /// # Errors
    /// It is stated, and neither side is a port.
    pub fn put(&self, scenario: &mut crate::scenario::Scenario) -> crate::error::Result<()> {
        let stated = self.stated();
        if !stated.iter().any(|s| s.1) {
            return Ok(());
        }
        if !scenario.has_port() {
            return super::applies::not_to(
                "sides that are no live port",
                &stated,
                "it belongs to one (net.py)",
            );
        }
        let port = scenario.port.get_or_insert_default();
        if !self.python.is_empty() {
            port.python.clone_from(&self.python);
        }
        port.limit = self.port_limit.or(port.limit);
        Ok(())
    }
}

#[derive(clap::Args)]
pub struct ExportCheck {
    /// Port file (net.py)
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub live: Live,
    /// Keep the exports in this folder, as EXPORTER.onnx
    #[arg(long, value_name = "FOLDER")]
    pub keep: Option<PathBuf>,
    /// Show all tensors, not only the decisive ones
    #[arg(long)]
    pub all: bool,
}

#[derive(clap::Args)]
pub struct List {
    /// Which table; all of them where none is named
    #[arg(value_enum)]
    pub table: Option<Table>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Table {
    Subjects,
    Operators,
    Faults,
    Causes,
    Reports,
    Kernels,
    Families,
    Distributions,
    Goldens,
    Exits,
}

#[derive(clap::Args)]
pub struct Fuzz {
    /// A name from the first column of `parity list kernels`, or all; a scenario (.toml) or model (.onnx); or, with B, one form of a loss of
    /// your own (.onnx, .pt, net.py)
    #[arg(value_name = "KERNEL|SCENARIO|A")]
    pub kernel: String,
    /// The other form of the loss (.onnx, .pt, net.py): values and gradients of both on drawn inputs, B in f64 against A in f64
    #[arg(value_name = "B")]
    pub second: Option<PathBuf>,
    /// Which values an input of a loss may hold: numbers, numbers:LOW..HIGH, probabilities, boxes (x1, y1, x2, y2), labels:CLASSES,
    /// labels:CLASSES,IGNORED, integers:LOW..HIGH or mask; CLASSES a number or an open axis. Where no graph says the shape:
    /// NAME=DOMAIN@AXIS,AXIS. For example: --domain pred=boxes --domain label=labels:classes
    #[arg(long, value_name = "NAME=DOMAIN")]
    pub domain: Vec<String>,
    /// Input of a bare model around which is drawn: NAME=1x3x224x224, NAME=1x128:0..99 (integers from 0 to 99, both included) or NAME=FILE
    #[arg(long, value_name = "NAME=VALUE")]
    pub input: Vec<String>,
    /// Cases to draw; 1000 where no time is stated either
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub cases: Option<u64>,
    /// Ends after this time per kernel: 30s, 10m, 1h30m
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub time: Option<humantime::Duration>,
    /// Seed of the first case; a case is drawn from the seed and its number alone
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Draws the I-th of N shares of the same cases
    #[arg(long, value_name = "I/N")]
    pub shard: Option<crate::fuzz::Shard>,
    /// Threads, all cores where not stated; the report is the same
    #[arg(long, value_name = "N", value_parser = threads())]
    pub jobs: Option<usize>,
    /// Ends after this many finds of different kinds
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = at_least_one())]
    pub finds: usize,
    /// Who is held against a kernel's f64 reference: its ONNX form in libtorch (f64, where nobody is named), libtorch-f32 or onnxruntime, or
    /// another kernel of the same inputs and outputs; of a loss, what B runs in: libtorch or libtorch-f32
    #[arg(long, value_name = "WHO")]
    pub candidate: Option<String>,
    /// Injects a fault: what a port may get wrong
    #[arg(long, value_name = "NAME@NODE[=AMOUNT]")]
    pub fault: Option<String>,
    /// Folder where finds are kept and tried first; where none is named, scenarios/found in the checkout of parity itself and without
    /// --fault, else nowhere
    #[arg(long, value_name = "FOLDER")]
    pub found: Option<PathBuf>,
    /// Folder of the kernels' ONNX forms: golden/kernels where none is named
    #[arg(long, value_name = "FOLDER")]
    pub forms: Option<PathBuf>,
    #[command(flatten)]
    pub live: Live,
}

#[derive(clap::Args)]
pub struct Time {
    /// Scenario (.toml) or model (.onnx)
    pub target: PathBuf,
    /// Input of a bare model, as in `parity run`
    #[arg(long, value_name = "NAME=VALUE")]
    pub input: Vec<String>,
    /// Passes of each subject, behind one that is not counted
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = at_least_one())]
    pub runs: usize,
    /// Threads of each engine, instead of the scenario's
    #[arg(long, value_parser = threads())]
    pub threads: Option<usize>,
}

#[derive(clap::Args)]
pub struct Selftest {
    /// Scenarios of healthy engines to measure on, each with its own inputs and with constant, zero, huge, tiny and subnormal ones
    #[arg(required = true)]
    pub scenarios: Vec<PathBuf>,
    /// Seeds per scenario
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..))]
    pub seeds: u64,
    /// Inject so many drawn faults into each scenario instead: how many are detected, where, and which are explained by their cause
    #[arg(long, value_name = "N", value_parser = at_least_one())]
    pub mutants: Option<usize>,
    /// Run each scenario without a fault on so many other inputs, and count false alarms
    #[arg(long, value_name = "N", default_value_t = 3, requires = "mutants")]
    pub clean: usize,
}

#[derive(clap::Args)]
pub struct Conformance {
    /// Folder with one folder per case
    pub folder: PathBuf,
    /// Print every case as JSON instead of the document
    #[arg(long)]
    pub json: bool,
    /// Only every Nth case
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = at_least_one())]
    pub every: usize,
    /// Only cases whose name contains this
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,
    /// One case may take this long in one engine
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: u64,
    /// Answer the cases that are named on stdin
    #[arg(long, hide = true)]
    pub worker: bool,
}

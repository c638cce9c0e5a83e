//! sides: a scenario from two files; what each of them is decides how they are held against each other.

use super::{Scenario, Second, Subject, TorchScript, build, load};
use crate::error::{Error, Result, hint};
use crate::file;
use crate::graph::{Graph, hoist::has_body, names};
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

/// What a side is: by what its file holds where that is plain, else by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Scenario,
    Model,
    Trace,
    Script,
    Port,
}

impl Kind {
    /// (how a file's name ends, what it is).
    const ALL: [(&str, Kind); 8] = [
        (".toml", Kind::Scenario),
        (".onnx", Kind::Model),
        (".safetensors", Kind::Trace),
        (".safetensors.index.json", Kind::Trace),
        (".jit", Kind::Script),
        (".pt", Kind::Script),
        (".ts", Kind::Script),
        (".py", Kind::Port),
    ];

    /// Whether it is an ONNX model.
    pub fn is_model(path: &Path) -> bool {
        Self::of(path).is_ok_and(|kind| kind == Self::Model)
    }

    /// # Errors
    /// A file whose bytes and whose name say nothing.
    pub fn of(path: &Path) -> Result<Self> {
        let name = file::as_text(path)?;
        match file::Kind::of(path) {
            Some(file::Kind::Model) => return Ok(Self::Model),
            Some(file::Kind::Trace) if !name.to_lowercase().ends_with(".json") => {
                return Ok(Self::Trace);
            }
            _ => {}
        }
        let known = Self::ALL
            .iter()
            .find(|(end, _)| name.to_lowercase().ends_with(end));
        let kind = known.map(|(_, kind)| *kind);
        let program = || file::is_executable(path).then_some(Kind::Port);
        kind.or_else(program).ok_or_else(|| {
            if let Some(other) = file::mistaken(path, file::Kind::Model) {
                return other.at(path.display());
            }
            let ends: Vec<&str> = Self::ALL.iter().map(|row| row.0).collect();
            Error::usage(format!("'{name}' is no side that is known by its name or by what it holds"))
                .next(format!("a side is a file that ends in {}, or an executable that speaks the worker protocol (docs/PORT.md)", ends.join(", ")))
        })
    }
}

/// Two files.
#[derive(Clone, Copy)]
pub struct Sides<'a> {
    pub reference: &'a Path,
    pub candidate: &'a Path,
}

impl Sides<'_> {
    /// The scenario that holds them against each other on `inputs`; `rename` says REFERENCE=CANDIDATE, and the other way round is understood.
    ///
    /// # Errors
    /// Files that cannot be held against each other, an input or a name that is not there.
    pub fn scenario(self, inputs: &[String], rename: &[(String, String)]) -> Result<Scenario> {
        match (Kind::of(self.reference)?, Kind::of(self.candidate)?) {
            (Kind::Model, Kind::Model) => self.paired(inputs, rename),
            (Kind::Trace, Kind::Model) if self.is_foreign(self.candidate, rename)? => {
                self.paired(inputs, rename)
            }
            (Kind::Model, Kind::Trace) if self.is_foreign(self.reference, rename)? => {
                self.paired(inputs, rename)
            }
            (Kind::Trace | Kind::Script, Kind::Model) => {
                let mut scenario = build::from_model(self.candidate, inputs)?;
                scenario.reference = beside(self.reference, self.candidate, rename)?;
                // Not the engine that shares code with the f64 shadow: two that agree against a recording say that it is the recording.
                scenario.candidate = Subject::onnxruntime();
                load::check(&scenario).map(|()| scenario)
            }
            (Kind::Model, Kind::Trace | Kind::Script) => {
                let mut scenario = build::from_model(self.reference, inputs)?;
                scenario.candidate = beside(self.candidate, self.reference, rename)?;
                load::check(&scenario).map(|()| scenario)
            }
            (Kind::Scenario, _) | (_, Kind::Scenario) => {
                Err(Error::usage("a scenario names both of its sides itself")
                    .next("name the scenario alone, or two other files"))
            }
            (Kind::Port, Kind::Script) | (Kind::Script, Kind::Port) => Err(Error::usage(
                "a port and a TorchScript have no graph between them",
            )
            .next("name the model (.onnx) as one side")),
            (Kind::Port, _) | (_, Kind::Port) => self.paired(inputs, rename),
            (Kind::Trace, Kind::Trace) => self.paired(inputs, rename),
            (Kind::Trace | Kind::Script, Kind::Trace | Kind::Script) => Err(Error::usage(
                "neither side is a graph that can be run alone",
            )
            .next("two recordings: parity compare A B; else name the model (.onnx) as one side")),
        }
    }

    /// Whether the trace is of a program with names of its own: none that it computed has, or is given, the name of one that the model computes, and there is
    /// more than the model's outputs to pair.
    fn is_foreign(self, model: &Path, rename: &[(String, String)]) -> Result<bool> {
        let graph = crate::graph::load::file(model)?;
        let other = match model == self.candidate {
            true => self.reference,
            false => self.candidate,
        };
        let trace = crate::trace::file::open(other)?;
        let ends = graph.inputs.iter().chain(&graph.outputs);
        let ends: HashSet<&str> = ends.map(|p| p.name.as_str()).collect();
        let all: HashSet<&str> = names(&graph).collect();
        // A recorded run of this graph holds what its bodies compute, too.
        let repeats = graph.steps.iter().filter(|s| has_body(&s.nodes[0]));
        let bodies: Vec<String> = repeats.map(|s| format!("{}/", s.name)).collect();
        let within = |name: &str| bodies.iter().any(|b| name.starts_with(b));
        let inner = |name: &str| within(name) || all.contains(name) && !ends.contains(name);
        let said = rename.iter().any(|(a, b)| inner(a) || inner(b));
        let calls = trace.header.as_ref().is_some_and(|h| !h.calls.is_empty());
        let own = calls || trace.names().any(|n| !all.contains(n) && !within(n));
        Ok(own && !said && !trace.names().any(inner))
    }

    /// The same for two programs that are paired by what they hold.
    ///
    /// # Errors
    /// As `scenario`.
    pub fn paired(self, inputs: &[String], rename: &[(String, String)]) -> Result<Scenario> {
        let mut scenario = build::from_model(self.reference, inputs)?;
        file::as_text(self.candidate)?;
        scenario.second = Some(Second {
            model: self.candidate.into(),
            rename: rename.iter().cloned().collect(),
            map: None,
        });
        Ok(scenario)
    }
}

/// A trace or a script beside a model.
fn beside(path: &Path, model: &Path, rename: &[(String, String)]) -> Result<Subject> {
    let rename = match rename.is_empty() {
        true => BTreeMap::new(),
        false => by_model(&crate::graph::load::file(model)?, rename)?,
    };
    let mut subject = match Kind::of(path)? {
        Kind::Trace => Subject::recorded(path),
        _ => Subject::TorchScript(TorchScript {
            script: path.into(),
            takes: None,
            rename: BTreeMap::new(),
        }),
    };
    match &mut subject {
        Subject::Recorded(recorded) => recorded.rename = rename,
        Subject::TorchScript(script) => script.rename = rename,
        _ => {}
    }
    Ok(subject)
}

/// The names as the model's first, whichever way round they were said.
fn by_model(graph: &Graph, rename: &[(String, String)]) -> Result<BTreeMap<String, String>> {
    let names: Vec<&str> = names(graph).collect();
    let turned = |(a, b): &(String, String)| match (
        names.contains(&a.as_str()),
        names.contains(&b.as_str()),
    ) {
        (true, _) => Ok((a.clone(), b.clone())),
        (false, true) => Ok((b.clone(), a.clone())),
        (false, false) => Err(Error::usage(format!(
            "--rename {a}={b}: the model has neither tensor"
        ))
        .next(hint(a, names.iter().copied()))),
    };
    rename.iter().map(turned).collect()
}

/// `A=B` of the command line.
///
/// # Errors
/// No `=`, or a name that is said twice.
pub fn renames(args: &[String]) -> Result<Vec<(String, String)>> {
    let mut renames: Vec<(String, String)> = vec![];
    for text in args {
        let (ours, theirs) = text.split_once('=').ok_or_else(|| {
            Error::usage(format!("--rename {text}: expected REFERENCE=CANDIDATE"))
        })?;
        if renames.iter().any(|(other, _)| other == ours) {
            return Err(Error::usage(format!(
                "--rename {text}: '{ours}' is renamed twice"
            )));
        }
        renames.push((ours.to_string(), theirs.to_string()));
    }
    Ok(renames)
}

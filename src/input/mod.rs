//! input: the tensors that both subjects are fed, made once and identified by digest.

pub mod file;
mod generated;
mod image;
pub mod label_map;
pub mod npy;
pub mod parameters;
pub mod samples;
mod settings;
mod taken;
pub mod yaml;

use crate::error::{Error, Place, Result, hint, printable};
use crate::graph::{Dim, Graph, Port};
use crate::scenario::{Input, Scenario, Subject};
use crate::tensor::{DType, Tensor};
use crate::trace::{self, file::Opened};
use generated::Lack;
use indexmap::IndexMap;
use std::collections::BTreeMap;

/// Every input of the graph, in the graph's order.
///
/// # Errors
/// An input without a source, a source for no input, a wrong dtype or shape.
pub fn make(scenario: &Scenario, graph: &Graph) -> Result<IndexMap<String, Tensor>> {
    let known = || graph.inputs.iter().map(|p| p.name.as_str());
    for name in scenario.inputs.keys() {
        if !known().any(|k| k == name) {
            let all = known().collect::<Vec<_>>().join(", ");
            let next = format!("{}its inputs: {all}", hint(name, known()));
            return Err(Error::usage(format!("the model has no input '{name}'")).next(next));
        }
    }
    let recorded = Recorded::of(scenario)?;
    let sources = graph
        .inputs
        .iter()
        .map(|port| Ok((port, recorded.tensor(scenario, port)?)))
        .collect::<Result<Vec<_>>>()?;
    let lacks: Vec<_> = sources
        .iter()
        .filter(|s| s.1.is_none())
        .filter_map(|(port, _)| lack(scenario, graph, port))
        .collect();
    if !lacks.is_empty() {
        return Err(open(&lacks));
    }
    let make = |(i, (port, fed)): (usize, (&Port, Option<Tensor>))| {
        Ok((port.name.clone(), one(scenario, port, i, fed)?))
    };
    sources.into_iter().enumerate().map(make).collect()
}

/// The traces that stand for a side: what they hold of the inputs, they were recorded with.
struct Recorded(Vec<(Opened, BTreeMap<String, String>)>);

impl Recorded {
    fn of(scenario: &Scenario) -> Result<Self> {
        let subjects = [&scenario.reference, &scenario.candidate].into_iter();
        let traces = subjects.filter_map(|s| match s {
            Subject::Recorded(recorded) => Some((&recorded.trace, &recorded.rename)),
            _ => None,
        });
        Ok(Self(
            traces
                .map(|(path, rename)| Ok((trace::file::open(path)?, rename.clone())))
                .collect::<Result<_>>()?,
        ))
    }

    /// The recorded tensor of an input for which the scenario states no source.
    fn tensor(&self, scenario: &Scenario, port: &Port) -> Result<Option<Tensor>> {
        if scenario.inputs.contains_key(&port.name) {
            return Ok(None);
        }
        let of = |(trace, rename): &(Opened, BTreeMap<String, String>)| {
            trace
                .tensor(rename.get(&port.name).unwrap_or(&port.name))
                .transpose()
        };
        self.0.iter().find_map(of).transpose()
    }
}

/// What the user has to say about an input that nothing feeds.
fn lack(scenario: &Scenario, graph: &Graph, port: &Port) -> Option<Lack> {
    match scenario.inputs.get(&port.name) {
        Some(input) if input.random.is_none() => None,
        Some(input) => generated::lack(input, graph, port),
        None => generated::lack(&Input::default(), graph, port),
    }
}

/// All that is open, at once, in the words of the command line.
fn open(lacks: &[Lack]) -> Error {
    let what: Vec<&str> = lacks.iter().map(|l| l.what.as_str()).collect();
    let words: Vec<String> = lacks
        .iter()
        .map(|l| format!("--input {}", l.example))
        .collect();
    let whys: Vec<&str> = lacks.iter().filter_map(|l| l.why.as_deref()).collect();
    let ranged = lacks.iter().any(|l| l.example.contains(".."));
    let mut notes =
        vec!["numbers for N"; usize::from(lacks.iter().any(|l| l.example.contains('N')))];
    notes.extend(if ranged {
        Some("both ends of a range are included")
    } else {
        None
    });
    notes.extend(whys);
    let notes = if notes.is_empty() {
        String::new()
    } else {
        format!(" ({})", notes.join("; "))
    };
    Error::usage(format!("the model leaves open: {}", what.join("; "))).next(format!(
        "state it: {}{notes}; or shape, low and high under [inputs.NAME] of a scenario",
        words.join(" ")
    ))
}

fn one(scenario: &Scenario, port: &Port, index: usize, fed: Option<Tensor>) -> Result<Tensor> {
    let place = format!("input '{}'", port.name);
    let generated = Input::default();
    let input = scenario.inputs.get(&port.name).unwrap_or(&generated);
    let made = if let Some(tensor) = fed {
        Ok(tensor)
    } else if let Some(path) = &input.image {
        image::load(path, input)
    } else if let Some(path) = &input.file {
        let held = file::load(path, input.tensor.as_deref().unwrap_or(&port.name));
        let axes = port.shape.as_ref().map(Vec::len);
        let held = held.and_then(|t| taken::taken(t, input, port.dtype));
        match input.sample {
            Some(i) => held.and_then(|held| samples::taken(&held, i, axes)),
            None => held,
        }
    } else if let Some(values) = &input.values {
        generated::stated(values, input, port)
    } else {
        generated::generate(input, port, scenario.seed, index)
    };
    let tensor = made.at(&place)?;
    fits(&tensor, port).at(place)?;
    Ok(tensor)
}

/// The made tensor must be what the model declares.
fn fits(tensor: &Tensor, port: &Port) -> Result<()> {
    if let Some(dtype) = port.dtype.filter(|d| *d != tensor.dtype()) {
        // A cast would be a change of the inputs that nobody asked for.
        return Err(Error::usage(format!(
            "the model takes {dtype}, the source gives {}",
            tensor.dtype()
        ))
        .next(format!(
            "nothing is cast unless a scenario says cast = true: save it as {dtype}, in numpy x.astype({})",
            numpy(dtype)
        )));
    }
    let Some(shape) = &port.shape else {
        return Ok(());
    };
    let agrees = |(want, have): (&Dim, &usize)| !matches!(want, Dim::Known(n) if n != have);
    if shape.len() != tensor.shape().len() || !shape.iter().zip(tensor.shape()).all(agrees) {
        return Err(Error::usage(format!(
            "the model takes shape {}, the source gives {:?}",
            show(shape),
            tensor.shape()
        )));
    }
    Ok(())
}

/// How numpy says a dtype.
fn numpy(dtype: DType) -> String {
    match dtype {
        DType::BF16 => "ml_dtypes.bfloat16".into(),
        DType::Bool => "'bool'".into(),
        other => format!("'{}{}'", &other.name()[..1], other.size()),
    }
}

/// A declared shape as a person writes it.
pub fn show(shape: &[Dim]) -> String {
    let one = |d: &Dim| match d {
        Dim::Known(n) => n.to_string(),
        Dim::Named(name) => printable(name),
        Dim::Unknown => "?".into(),
    };
    format!("[{}]", shape.iter().map(one).collect::<Vec<_>>().join(", "))
}

//! input: the tensors that both subjects are fed, made once and identified by digest.

pub mod file;
mod generated;
mod image;
mod npy;

use crate::error::{Error, Place, Result, hint, printable};
use crate::graph::{Dim, Graph, Port};
use crate::scenario::{Input, Scenario};
use crate::tensor::{DType, Tensor};
use indexmap::IndexMap;

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
    graph.inputs.iter().enumerate().map(|(i, port)| Ok((port.name.clone(), one(scenario, graph, port, i)?))).collect()
}

fn one(scenario: &Scenario, graph: &Graph, port: &Port, index: usize) -> Result<Tensor> {
    let place = format!("input '{}'", port.name);
    let generated = Input::default();
    let input = scenario.inputs.get(&port.name).unwrap_or(&generated);
    let made = if let Some(path) = &input.image {
        image::load(path, input)
    } else if let Some(path) = &input.file {
        file::load(path, input.tensor.as_deref().unwrap_or(&port.name))
    } else if let Some(values) = &input.values {
        generated::stated(values, input, port)
    } else {
        generated::generate(input, graph, port, scenario.seed, index)
    };
    let tensor = made.at(&place)?;
    fits(&tensor, port).at(place)?;
    Ok(tensor)
}

/// The made tensor must be what the model declares.
fn fits(tensor: &Tensor, port: &Port) -> Result<()> {
    if let Some(dtype) = port.dtype.filter(|d| *d != tensor.dtype()) {
        // A cast would be a change of the inputs that nobody asked for.
        return Err(Error::usage(format!("the model takes {dtype}, the source gives {}", tensor.dtype()))
            .next(format!("nothing is cast: save it as {dtype}, in numpy x.astype({})", numpy(dtype))));
    }
    let Some(shape) = &port.shape else { return Ok(()) };
    let agrees = |(want, have): (&Dim, &usize)| !matches!(want, Dim::Known(n) if n != have);
    if shape.len() != tensor.shape().len() || !shape.iter().zip(tensor.shape()).all(agrees) {
        return Err(Error::usage(format!("the model takes shape {}, the source gives {:?}", show(shape), tensor.shape())));
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

//! generated: input tensors without a file: drawn from a named distribution, or stated in the scenario.

use crate::error::{Error, Result};
use crate::graph::memory::shown;
use crate::graph::{Dim, Graph, Port};
use crate::machine;
use crate::scenario::{Distribution, Input};
use crate::tensor::{DType, Tensor, checked_numel};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};

/// What an input lacks to be generated, and how the command line states it.
pub struct Lack {
    /// "'ids' i64 [1, N]: its shape and the range of its integers".
    pub what: String,
    /// "ids=1xN:0..36", and why that range.
    pub example: String,
    pub why: Option<String>,
}

/// What only the user can say about `port`: sizes that the model leaves open, the range of its integers.
pub fn lack(input: &Input, graph: &Graph, port: &Port) -> Option<Lack> {
    let dtype = port.dtype?;
    let (open, ranged) = (is_open(input, port), needs_range(input, dtype));
    let lacks = match (open, ranged) {
        (false, false) => return None,
        (true, false) => "its shape",
        (false, true) => "the range of its integers",
        (true, true) => "its shape and the range of its integers",
    };
    let table = suggested_range(graph, &port.name).filter(|_| ranged);
    let range = match (&table, ranged) {
        (Some((rows, _)), true) => format!(":0..{}", rows - 1),
        (None, true) => ":LOW..HIGH".into(),
        (_, false) => String::new(),
    };
    let declared = port.shape.as_ref().map_or("[?]".into(), |s| super::show(s));
    Some(Lack {
        what: format!("'{}' {dtype} {declared}: {lacks}", port.name),
        example: format!("{}={}{range}", port.name, sizes(input, port)),
        why: table.map(|(rows, node)| {
            format!(
                "node '{node}' looks '{}' up in a table of {rows} rows",
                port.name
            )
        }),
    })
}

/// Whether a size of the shape is nobody's yet.
fn is_open(input: &Input, port: &Port) -> bool {
    let given = |d: &Dim| match d {
        Dim::Known(_) => true,
        Dim::Named(name) => input.dims.contains_key(name),
        Dim::Unknown => false,
    };
    input.shape.is_none() && !port.shape.as_ref().is_some_and(|s| s.iter().all(given))
}

fn needs_range(input: &Input, dtype: DType) -> bool {
    let drawn = input.random.is_none_or(|r| r != Distribution::Constant);
    drawn
        && !dtype.is_float()
        && dtype != DType::Bool
        && (input.low.is_none() || input.high.is_none())
}

/// The shape as the command line states it, N for what is open; a scalar has none to state.
fn sizes(input: &Input, port: &Port) -> String {
    let size = |d: &Dim| match d {
        Dim::Known(n) => n.to_string(),
        Dim::Named(name) => input.dims.get(name).map_or("N".into(), usize::to_string),
        Dim::Unknown => "N".into(),
    };
    match (&input.shape, &port.shape) {
        (Some(shape), _) => shape
            .iter()
            .map(usize::to_string)
            .collect::<Vec<_>>()
            .join("x"),
        (None, Some(shape)) => shape.iter().map(size).collect::<Vec<_>>().join("x"),
        (None, None) => "1x3x224x224".into(),
    }
}

/// A tensor for `port`; `index` is the input's place in the model, so that two inputs differ.
pub fn generate(input: &Input, port: &Port, seed: u64, index: usize) -> Result<Tensor> {
    let shape = shape(input, port)?;
    let dtype = port.dtype.ok_or_else(|| {
        Error::usage("the model declares no tensor type for it").next("give a file")
    })?;
    let count = checked_numel(&shape)?;
    fits_in_memory(&shape, count, dtype)?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(index as u64);
    let draw = sampler(input, dtype)?;
    let values: Vec<f64> = (0..count).map(|_| draw(&mut rng)).collect();
    Tensor::from_f64(dtype, &shape, &values)
}

/// The numbers that are drawn and the tensor that is made of them: the system would promise more than there is, and end the process later.
fn fits_in_memory(shape: &[usize], count: usize, dtype: DType) -> Result<()> {
    let (need, most) = (
        (count as u64).saturating_mul(8 + dtype.size() as u64),
        machine::memory().map_or(u64::MAX, |m| m.total),
    );
    if need <= most.min(isize::MAX as u64) {
        return Ok(());
    }
    Err(Error::usage(format!(
        "shape {shape:?} of {dtype} takes {}, there are {} for this process",
        shown(need),
        shown(most)
    ))
    .next("feed a smaller input"))
}

/// The values that the scenario states, in the port's dtype.
///
/// # Errors
/// Another number of values than the shape has; a value that is no integer where integers are taken.
pub fn stated(values: &[f64], input: &Input, port: &Port) -> Result<Tensor> {
    let shape = shape(input, port)?;
    let dtype = port.dtype.ok_or_else(|| {
        Error::usage("the model declares no tensor type for it").next("give a file")
    })?;
    if checked_numel(&shape)? != values.len() {
        return Err(Error::usage(format!(
            "{} values are stated, shape {shape:?} holds {}",
            values.len(),
            checked_numel(&shape)?
        )));
    }
    if let Some((i, v)) = values
        .iter()
        .enumerate()
        .find(|(_, v)| !dtype.is_float() && v.fract() != 0.0)
    {
        return Err(Error::usage(format!(
            "value {i} is {v}, the model takes {dtype}"
        )));
    }
    Tensor::from_f64(dtype, &shape, values)
}

fn shape(input: &Input, port: &Port) -> Result<Vec<usize>> {
    if let Some(shape) = &input.shape {
        return Ok(shape.clone());
    }
    let declared = port
        .shape
        .as_ref()
        .ok_or_else(|| open_shape(port, "no shape"))?;
    if let Some(unknown) = input.dims.keys().find(|k| {
        !declared
            .iter()
            .any(|d| matches!(d, Dim::Named(n) if n == *k))
    }) {
        return Err(Error::usage(format!(
            "dims.{unknown}: the input has no such dimension; its shape is {}",
            super::show(declared)
        )));
    }
    declared
        .iter()
        .map(|d| match d {
            Dim::Known(n) => Ok(*n),
            Dim::Named(name) => input
                .dims
                .get(name)
                .copied()
                .ok_or_else(|| open_shape(port, &format!("dimension '{name}'"))),
            Dim::Unknown => Err(open_shape(port, "a dimension")),
        })
        .collect()
}

fn open_shape(port: &Port, what: &str) -> Error {
    Error::usage(format!("the model leaves {what} open")).next(format!(
        "state it: --input {}={}, or shape = [...] in the scenario",
        port.name,
        sizes(&Input::default(), port)
    ))
}

type Sampler = Box<dyn Fn(&mut ChaCha8Rng) -> f64>;

fn sampler(input: &Input, dtype: DType) -> Result<Sampler> {
    let default = if dtype.is_float() {
        Distribution::Uniform
    } else {
        Distribution::Integers
    };
    let kind = input.random.unwrap_or(default);
    let refuse = |what: &str| {
        Err(Error::usage(format!(
            "{what} does not belong to random = \"{}\"",
            name(kind)
        )))
    };
    let ranged = input.low.is_some() || input.high.is_some();
    if ranged && matches!(kind, Distribution::Normal | Distribution::Constant) {
        return refuse("low or high");
    }
    if input.value.is_some() && kind != Distribution::Constant {
        return refuse("value");
    }
    match kind {
        Distribution::Uniform if dtype.is_float() => {
            let (low, high) = (input.low.unwrap_or(0.0), input.high.unwrap_or(1.0));
            ordered(low, high)?;
            Ok(Box::new(move |rng| {
                low + (high - low) * rng.random::<f64>()
            }))
        }
        Distribution::Normal if dtype.is_float() => Ok(Box::new(|rng| StandardNormal.sample(rng))),
        Distribution::Constant => {
            let value = input
                .value
                .ok_or_else(|| Error::usage("random = \"constant\" needs value"))?;
            Ok(Box::new(move |_| value))
        }
        Distribution::Integers | Distribution::Uniform | Distribution::Normal
            if dtype == DType::Bool && !ranged =>
        {
            Ok(Box::new(|rng| (rng.next_u32() & 1) as f64))
        }
        Distribution::Integers => integers(input, dtype),
        Distribution::Uniform | Distribution::Normal => Err(Error::usage(format!(
            "random = \"{}\" makes no {dtype}",
            name(kind)
        ))
        .next("use random = \"integers\" with low and high")),
    }
}

fn integers(input: &Input, dtype: DType) -> Result<Sampler> {
    let (Some(low), Some(high)) = (input.low, input.high) else {
        return Err(
            Error::usage("integers need a range").next("low = ..., high = ...; both are included")
        );
    };
    ordered(low, high)?;
    for bound in [low, high] {
        // The way into the dtype and back keeps every value that it holds.
        if Tensor::from_f64(dtype, &[1], &[bound])?.to_f64() != [bound] || bound.fract() != 0.0 {
            return Err(
                Error::usage(format!("{bound} is no integer that {dtype} holds"))
                    .next("state low and high within the input's dtype"),
            );
        }
    }
    let (low, high) = (low as i64, high as i64);
    Ok(Box::new(move |rng| rng.random_range(low..=high) as f64))
}

fn ordered(low: f64, high: f64) -> Result<()> {
    if low <= high && low.is_finite() && high.is_finite() {
        return Ok(());
    }
    Err(Error::usage(format!(
        "low = {low} is not below high = {high}"
    )))
}

/// Rows of the table that `name` indexes, followed through nodes that only move it, and the node that looks it up.
fn suggested_range(graph: &Graph, name: &str) -> Option<(usize, String)> {
    let mut names = vec![name.to_string()];
    for step in &graph.steps {
        let node = &step.nodes[0];
        if node.op == "Gather" && node.inputs.get(1).is_some_and(|i| names.contains(i)) {
            let axis = matches!(node.attributes.get("axis"), Some(crate::graph::Attribute::Int(a)) if *a != 0);
            if let (Some(table), false) = (graph.weights.get(&node.inputs[0]), axis) {
                return table
                    .shape()
                    .first()
                    .filter(|rows| **rows > 0)
                    .map(|rows| (*rows, step.name.clone()));
            }
        }
        if matches!(
            node.op.as_str(),
            "Cast" | "Identity" | "Reshape" | "Unsqueeze" | "Squeeze" | "Slice"
        ) && node.inputs.first().is_some_and(|i| names.contains(i))
        {
            names.extend(step.outputs.clone());
        }
    }
    None
}

fn name(kind: Distribution) -> &'static str {
    match kind {
        Distribution::Uniform => "uniform",
        Distribution::Normal => "normal",
        Distribution::Integers => "integers",
        Distribution::Constant => "constant",
    }
}

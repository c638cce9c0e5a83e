//! gather: what files say of each parameter: values, who asks for a gradient, the optimiser, a recorded step, earlier checkpoints.

use super::state::{Group, Modes, Optimizer, Parameter, State};
use crate::audit::counts_up;
use crate::audit::movement::{self, Moved};
use crate::checkpoint::optimizer;
use crate::checkpoint::{self, Checkpoint, Scalar};
use crate::error::{Place, Result};
use crate::input::parameters;
use crate::params::{Param, Source};
use crate::tensor::Tensor;
use crate::trace::file;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

/// What was read.
pub struct Gathered {
    pub state: State,
    /// Movement between one checkpoint and the next.
    pub epochs: Vec<(String, Vec<Moved>)>,
    /// The oldest state, for what a training begins with.
    pub begun: Source,
}

/// # Errors
/// A file that cannot be read.
pub fn state(
    path: &Path,
    before: &[PathBuf],
    recorded: Option<&Path>,
    frozen: &[String],
) -> Result<Gathered> {
    let source = parameters::source(path)?;
    let mut state = State {
        params: source.list.iter().map(|p| listed(&source, p)).collect(),
        frozen: frozen.to_vec(),
        ..State::default()
    };
    if checkpoint::is_one(path) {
        of_checkpoint(&checkpoint::open(path)?, &mut state);
    }
    for trace in recorded.into_iter().chain(is_trace(path).then_some(path)) {
        of_trace(trace, &mut state).at(trace.display())?;
    }
    let mut sources = vec![];
    for earlier in before {
        sources.push((earlier.display().to_string(), parameters::source(earlier)?));
    }
    if let Some((_, first)) = sources.first() {
        let moved = movement::between(first, &source)?;
        let by: HashMap<&str, f64> = moved
            .iter()
            .map(|m| (m.name.as_str(), m.relative))
            .collect();
        for param in &mut state.params {
            param.moved = by.get(param.name.as_str()).copied();
        }
    }
    sources.push((path.display().to_string(), source));
    // Of two states the table by module says it all.
    let windows = sources.windows(2).filter(|_| before.len() > 1);
    let steps = windows.map(|w| {
        let title = format!("movement from {} to {}", w[0].0, w[1].0);
        Ok((title, movement::between(&w[0].1, &w[1].1)?))
    });
    let epochs = steps.collect::<Result<Vec<_>>>()?;
    let begun = sources.swap_remove(0).1;
    Ok(Gathered {
        state,
        epochs,
        begun,
    })
}

fn is_trace(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "safetensors")
}

fn listed(source: &Source, param: &Param) -> Parameter {
    let few = param.elements() <= 64 && param.shape.len() == 4;
    let value = few
        .then(|| source.value(&param.name).ok().flatten())
        .flatten();
    Parameter {
        name: param.name.clone(),
        shape: param.shape.clone(),
        elements: param.elements(),
        requires_grad: param.trainable,
        is_projection: value.is_some_and(|v| counts_up(&v)),
        ..Parameter::default()
    }
}

/// Whether gradients are asked for, modes of norms, the optimiser.
fn of_checkpoint(held: &Checkpoint, state: &mut State) {
    let begin = match held.model() {
        "" => String::new(),
        dict => format!("{dict}."),
    };
    let asked: HashMap<&str, bool> = held
        .tensors()
        .filter_map(|(path, t)| Some((path.strip_prefix(&begin)?, t.requires_grad?)))
        .collect();
    for param in &mut state.params {
        param.requires_grad = param
            .requires_grad
            .or(asked.get(param.name.as_str()).copied());
    }
    state.modes = modes(held, &begin, state);
    if let Some(optimizer) = optimizer::all(held).first() {
        state.optimizer = match super::groups::named(optimizer, state) {
            Ok(names) => {
                lay(optimizer, &names, state);
                Optimizer::Named
            }
            Err(why) => Optimizer::Unnamed(why),
        };
    }
}

/// Modes of the modules that keep running statistics.
fn modes(held: &Checkpoint, begin: &str, state: &State) -> Option<Modes> {
    let norms: HashSet<&str> = state
        .params
        .iter()
        .filter(|p| p.is_statistic())
        .map(|p| crate::params::module(&p.name))
        .collect();
    let mut modes = Modes::default();
    let mut told = false;
    for (path, value) in &held.scalars {
        let own = path
            .strip_prefix(begin)
            .and_then(|p| p.strip_suffix(".training"));
        if let (Some(module), Scalar::Bool(trains)) = (own, value) {
            told = true;
            modes.any_trains |= *trains;
            if !trains && norms.contains(module) {
                modes.inference.push(module.to_string());
            }
        }
    }
    told.then_some(modes)
}

/// What the optimiser says of the parameters that `names` gives its numbers.
fn lay(optimizer: &optimizer::Optimizer, names: &BTreeMap<usize, String>, state: &mut State) {
    let mut by: HashMap<&str, (usize, Group)> = HashMap::new();
    for (at, group) in optimizer.groups.iter().enumerate() {
        for number in &group.params {
            let own = Group {
                at,
                lr: group.lr,
                weight_decay: group.weight_decay,
            };
            by.extend(names.get(number).map(|n| (n.as_str(), (*number, own))));
        }
    }
    for param in &mut state.params {
        if let Some((number, group)) = by.get(param.name.as_str()) {
            param.group = Some(*group);
            param.kept = Some(optimizer.state.get(number).map_or(0, |k| k.bytes));
        }
    }
}

/// A recorded step: which parameters train, and the norms of their gradients, those of the total where there are several terms.
fn of_trace(path: &Path, state: &mut State) -> Result<()> {
    let trace = file::open(path)?;
    let trains: HashMap<&str, bool> = trace
        .parameters
        .iter()
        .flatten()
        .filter_map(|p| Some((p.name.as_str(), p.trainable?)))
        .collect();
    let gradients: HashSet<&str> = trace.names().collect();
    let any = gradients.iter().any(|n| n.starts_with("grad."));
    for param in &mut state.params {
        param.requires_grad = trains
            .get(param.name.as_str())
            .copied()
            .or(param.requires_grad);
        let name = format!("grad.total.{}", param.name);
        let value = match gradients.contains(name.as_str()) {
            true => trace.tensor(&name)?,
            false => None,
        };
        let norm = |v: Tensor| v.to_f64().iter().map(|x| x * x).sum::<f64>().sqrt();
        // A trace of gradients that has none of this one: there was none.
        let none = || (any && param.requires_grad == Some(true)).then_some(0.0);
        param.gradient = value.map(norm).or_else(none);
    }
    Ok(())
}

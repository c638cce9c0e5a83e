//! optimizer: the state of a PyTorch optimiser in a checkpoint: its groups with what they are set to, and what it keeps of each parameter, by its number.

use super::{Checkpoint, Scalar, Stored};
use std::collections::BTreeMap;

/// A `torch.optim.Optimizer.state_dict()`: parameters are numbers, in the order of the groups.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Optimizer {
    /// Its path in the file.
    pub path: String,
    pub groups: Vec<Group>,
    /// Shapes and bytes of what is kept, by number; without those that never took a step.
    pub state: BTreeMap<usize, Kept>,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// Numbers of its parameters.
    pub params: Vec<usize>,
    /// Their names, where it was made of named ones (PyTorch 2.6 or newer).
    pub names: Vec<String>,
    pub lr: Option<f64>,
    pub weight_decay: Option<f64>,
}

/// What is kept of one parameter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Kept {
    /// Shape of the largest tensor: a momentum is as large as its parameter.
    pub shape: Vec<usize>,
    pub bytes: u64,
}

/// Every optimiser of a file, in its order.
#[must_use]
pub fn all(checkpoint: &Checkpoint) -> Vec<Optimizer> {
    let mut all: Vec<Optimizer> = vec![];
    for (path, value) in &checkpoint.scalars {
        let Some((before, at, rest)) = of_group(path) else {
            continue;
        };
        if all.last().is_none_or(|o| o.path != before) {
            all.push(Optimizer {
                path: before.to_string(),
                ..Optimizer::default()
            });
        }
        if let Some(groups) = all.last_mut().map(|o| &mut o.groups) {
            // No file has more groups than values.
            if at < checkpoint.scalars.len() && groups.len() <= at {
                groups.resize_with(at + 1, Group::default);
            }
            if let Some(group) = groups.get_mut(at) {
                group.set(rest, value);
            }
        }
    }
    for optimizer in &mut all {
        optimizer.state = kept(checkpoint, &optimizer.path);
    }
    all
}

/// "optimizer.param_groups.2.lr" is ("optimizer", 2, "lr").
fn of_group(path: &str) -> Option<(&str, usize, &str)> {
    let (before, rest) = match path.strip_prefix("param_groups.") {
        Some(rest) => ("", rest),
        None => path.split_once(".param_groups.")?,
    };
    let (at, rest) = rest.split_once('.')?;
    Some((before, at.parse().ok()?, rest))
}

impl Group {
    fn set(&mut self, key: &str, value: &Scalar) {
        let number = match value {
            Scalar::Int(i) => Some(*i as f64),
            Scalar::Float(f) => Some(*f),
            Scalar::Bool(_) | Scalar::Text(_) => None,
        };
        match (key.split('.').next(), value) {
            (Some("lr"), _) => self.lr = number,
            (Some("weight_decay"), _) => self.weight_decay = number,
            (Some("params"), Scalar::Int(i)) => self.params.extend(usize::try_from(*i)),
            (Some("param_names"), Scalar::Text(name)) => self.names.push(name.clone()),
            _ => {}
        }
    }
}

fn kept(checkpoint: &Checkpoint, optimizer: &str) -> BTreeMap<usize, Kept> {
    let begin = match optimizer {
        "" => "state.".to_string(),
        path => format!("{path}.state."),
    };
    let mut all: BTreeMap<usize, Kept> = BTreeMap::new();
    for (path, held) in checkpoint.tensors() {
        let number = path.strip_prefix(&begin).and_then(|r| r.split('.').next());
        if let Some(number) = number.and_then(|n| n.parse().ok()) {
            all.entry(number).or_default().add(held);
        }
    }
    all
}

impl Kept {
    fn add(&mut self, held: &Stored) {
        let numel = |shape: &[usize]| shape.iter().product::<usize>();
        self.bytes += (numel(&held.shape) * held.dtype.size()) as u64;
        if numel(&held.shape) > numel(&self.shape) || self.shape.is_empty() {
            self.shape.clone_from(&held.shape);
        }
    }
}

//! live: where no graph stands on either side, parts of a live port on the other side's values, all of them in one run.

use super::blame::{Held, on_weights};
use super::channels;
use super::judged;
use super::source::Ports;
use super::spread::Spread;
use crate::compare::layout::{Order, orders};
use crate::error::Result;
use crate::floor::noise::Floor;
use crate::pairing::Pairing;
use crate::params::value::relation;
use crate::port::{Ability, Forward, Port, Tensors};
use crate::tensor::{DType, Tensor};
use crate::verdict::Blame;
use crate::walk::function::{Alone, Between, Cut, Side};
use indexmap::IndexMap;
use std::collections::{HashMap, HashSet};

/// Judges alone what nothing else could run.
///
/// # Errors
/// The port fails.
pub fn judge(
    ports: &mut Ports,
    sides: [&Side; 2],
    pairing: &Pairing,
    found: &mut [Between],
    (spread, seed): (&Spread, u64),
) -> Result<()> {
    if sides.iter().any(|s| s.computes()) || found.iter().all(|b| b.alone.is_some()) {
        return Ok(());
    }
    let Some((at, port)) = ports.isolating() else {
        return Ok(());
    };
    let cut = Cut::by(at, sides, pairing, seed);
    let parts = Parts::of(port, sides, &cut)?;
    for between in found.iter_mut().filter(|b| b.alone.is_none()) {
        between.alone = parts.alone(sides[at], &cut, between);
    }
    let off =
        |b: &&mut Between| b.blame.is_none() && judged::alone(Default::default(), b, spread).over();
    let mut off: Vec<&mut Between> = found.iter_mut().filter(off).collect();
    if off.is_empty() {
        return Ok(());
    }
    let held = Held::of(sides, at, spread)?;
    lay(port, sides, (&cut, &held), &mut off, spread)
}

/// Says of every part that is off whether it still is where the port holds the other side's weights.
fn lay(
    port: &mut Port,
    sides: [&Side; 2],
    (cut, held): (&Cut, &Held),
    off: &mut [&mut Between],
    spread: &Spread,
) -> Result<()> {
    if !held.known {
        return Ok(());
    }
    let side = sides[cut.by];
    let mut others: HashMap<String, (String, Tensor)> = HashMap::new();
    // All of them: which weights a part takes not every worker says.
    for (name, own) in &side.graph.weights {
        let all = off.iter().filter_map(|b| held.in_place(sides, b, name));
        // Most weights have one partner, whichever part asks.
        let all: IndexMap<String, Tensor> = all.collect();
        let mut other = all.into_iter().rev();
        let other = other.find(|(_, value)| !relation(own, value).same());
        others.extend(other.map(|other| (name.clone(), other)));
    }
    let parts = match others.is_empty() {
        true => None,
        false => with_weights(port, sides, cut, &others)?,
    };
    for between in off.iter_mut() {
        let mut own = held.own(side, between.stretch(cut.by));
        if own.is_empty() {
            own = others.keys().collect();
            own.sort();
        }
        let alone = parts.as_ref().and_then(|p| p.alone(side, cut, between));
        let agrees = alone.is_some_and(|alone| {
            let before = between.alone.replace(alone);
            let over = judged::alone(Default::default(), between, spread).over();
            between.alone = before;
            !over
        });
        let known = own.iter().map(|n| Some((*n, others.get(*n)?)));
        between.blame = match known.collect::<Option<Vec<_>>>() {
            Some(known) if agrees => Some(on_weights(side, known.into_iter())),
            Some(known) if known.is_empty() || parts.is_some() => Some(Blame::Computation),
            Some(_) | None => None,
        };
    }
    Ok(())
}

/// What the port makes, part by part, where it holds `others`; it holds its own again then. None where it does not take them.
fn with_weights(
    port: &mut Port,
    sides: [&Side; 2],
    cut: &Cut,
    others: &HashMap<String, (String, Tensor)>,
) -> Result<Option<Parts>> {
    let held = port.parameters()?;
    let (mut own, mut given) = (Tensors::new(), Tensors::new());
    for (name, (_, value)) in others {
        let Some(was) = held.parameter_value(name)? else {
            return Ok(None);
        };
        let Some(value) = as_held(&sides[cut.by].graph.weights[name], value, &was)? else {
            return Ok(None);
        };
        own.insert(name.clone(), was);
        given.insert(name.clone(), value);
    }
    let took = port.load(&given)?.loaded.len() == given.len();
    let parts = took.then(|| Parts::of(port, sides, cut)).transpose();
    port.load(&own)?;
    parts
}

/// The other side's `value` of a weight as the port holds it: `read` is that weight as its program was read, which transposes what a product takes.
fn as_held(read: &Tensor, value: &Tensor, was: &Tensor) -> Result<Option<Tensor>> {
    let Some(order) = orders(value.shape(), read.shape()).into_iter().next() else {
        return Ok(None);
    };
    let mut value = order.read(value, read.shape())?;
    if let [rows, columns] = *read.shape()
        && read.to_f64() != was.to_f64()
    {
        value = Order::permuted(&[rows, columns], &[1, 0]).read(&value, was.shape())?;
    }
    Tensor::from_f64(was.dtype(), was.shape(), &value.to_f64()).map(Some)
}

/// What a port makes, part by part, of the other side's values.
struct Parts {
    values: HashMap<String, Tensor>,
    /// How far rounding in the dtype of either side spreads each; nothing where both are f64.
    noise: HashMap<String, Floor>,
    /// What was handed on as the other side has it.
    replayed: HashSet<String>,
}

impl Parts {
    fn of(port: &mut Port, sides: [&Side; 2], cut: &Cut) -> Result<Self> {
        let side = sides[cut.by];
        let fits =
            |n: &&String| side.values.get(*n).map(Tensor::shape) == Some(cut.known[*n].shape());
        let mut names: Vec<&String> = cut.known.keys().filter(fits).collect();
        names.sort();
        let replay: Tensors = names
            .into_iter()
            .map(|n| (n.clone(), channels::kept(side, n, &cut.known[n])))
            .collect();
        let how = Forward {
            f64: side.dtype == DType::F64,
            ..Forward::default()
        };
        let mut parts = Self {
            values: HashMap::new(),
            noise: HashMap::new(),
            replayed: HashSet::new(),
        };
        let Some(run) = port.isolated(&side.inputs, &replay, how)? else {
            return Ok(parts);
        };
        for name in replay.keys() {
            parts.values.extend(
                run.tensor(name)?
                    .map(|t| (name.clone(), channels::held(side, name, &t))),
            );
        }
        parts
            .replayed
            .extend(run.header.into_iter().flat_map(|h| h.replayed));
        if sides.iter().any(|s| s.dtype != DType::F64) && port.hello.can(Ability::Floors) {
            let how = Forward {
                floors: true,
                ..Forward::default()
            };
            let run = port.isolated(&side.inputs, &replay, how)?;
            let entries = run
                .and_then(|r| r.header)
                .into_iter()
                .flat_map(|h| h.tensors);
            parts
                .noise
                .extend(entries.filter_map(|(n, e)| Some((n, e.floor?))));
        }
        Ok(parts)
    }

    /// None where what is in front of the pair was not handed on.
    fn alone(&self, side: &Side, cut: &Cut, between: &Between) -> Option<Alone> {
        let name = cut.computed(&between.pair);
        let stretch = between.stretch(cut.by);
        let given = |n: &String| self.replayed.contains(n) || side.inputs.contains_key(n);
        let made = self
            .values
            .get(name)
            .filter(|_| stretch.from.iter().all(given))?;
        Some(Alone {
            held: cut.held(name, made.clone())?,
            noise: self.noise.get(name).filter(|f| f.fits(made)).cloned(),
        })
    }
}

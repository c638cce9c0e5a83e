//! postprocess: what two live ports make of the same outputs, which are the reference's, in its own dtype.
//!
//! Tolerance: 16 roundings of f32 of the largest number of a result, and 4 times what the reference's own result moves by where every output is off by one
//! rounding. Results with as many rows as the inputs have samples are held number by number. Others may be sets, as of boxes that are left (`sets`).

use super::Compared;
use super::channels::{held, kept};
use super::results::{self, Held, ROUNDINGS, largest, numbers, rounding, unlike};
use super::sets::{Set, is_set};
use super::source::Ports;
use crate::error::Result;
use crate::floor::noise::{R, signs};
use crate::port::{Ability, Forward, Port, Tensors, outputs};
use crate::scenario::Stage;
use crate::tensor::Tensor;
use crate::verdict::StageVerdict;
use crate::walk::function::Side;
use rand::Rng;
use std::collections::HashMap;

/// Runs of the reference on outputs that are off by a rounding.
const RUNS: u32 = 4;

/// # Errors
/// A port that fails. None where not both are live and have a postprocessing.
pub fn stage(compared: &Compared, ports: &mut Ports) -> Result<Option<StageVerdict>> {
    let Some([reference, candidate]) = ports.both() else {
        return Ok(None);
    };
    let has = [&*reference, &*candidate].map(|p| p.hello.can(Ability::Postprocess));
    if has != [true; 2] || !compared.scenario.runs(Stage::Postprocess) {
        return Ok(None);
    }
    let ours = returned(reference, &compared.reference)?;
    let theirs = returned(candidate, &compared.candidate)?;
    let theirs = match as_candidates(&ours, &theirs, compared) {
        Ok(theirs) => theirs,
        Err(why) => return Ok(Some(StageVerdict::nothing(Stage::Postprocess, why))),
    };
    let ours = ours.into_iter().map(|o| (o.name, o.value)).collect();
    let found = match made(candidate, &theirs)? {
        Ok(found) => found,
        Err(says) => {
            let why = format!("the candidate's refuses the outputs of the reference: {says}");
            return Ok(Some(StageVerdict::nothing(Stage::Postprocess, why)));
        }
    };
    let made = Made::by(reference, &ours, compared.scenario.seed)?;
    let samples = compared
        .reference
        .inputs
        .values()
        .find_map(|t| t.shape().first().copied());
    let held = made.held(&paired(&made.expected, found), samples);
    Ok(Some(results::stage(Stage::Postprocess, held)))
}

/// What is made of outputs, or what a worker says that refuses them and goes on.
fn made(port: &mut Port, outputs: &Tensors) -> Result<std::result::Result<Tensors, String>> {
    match port.postprocess(outputs) {
        Err(e) if port.is_alive() => Ok(Err(e.message)),
        made => made.map(|made| Ok(made.unwrap_or_default())),
    }
}

/// An output as a port gives it.
struct Output {
    name: String,
    /// What its side calls it, where that is another tensor that it only stands for.
    of: String,
    value: Tensor,
}

/// What a port returns of its inputs, in its own dtype.
fn returned(port: &mut Port, side: &Side) -> Result<Vec<Output>> {
    let all = outputs(&port.forward(&side.inputs, Forward::default())?)?;
    let called = side.graph.outputs.iter().map(|p| p.name.clone());
    let output = |((name, value), of)| Output { name, of, value };
    Ok(all.into_iter().zip(called).map(output).collect())
}

/// The reference's outputs by the candidate's names, in its layout; Err says which of its own has no counterpart.
fn as_candidates(
    ours: &[Output],
    theirs: &[Output],
    compared: &Compared,
) -> std::result::Result<Tensors, String> {
    let (reference, candidate) = (&compared.reference, &compared.candidate);
    let one = |own: &Output| {
        let mut pairs = compared.pairing.pairs.iter();
        let pair = pairs.find(|p| p.candidate == own.of);
        let output = pair.and_then(|p| ours.iter().find(|o| o.of == p.reference));
        let output = output.ok_or_else(|| {
            let name = &own.name;
            format!("the candidate's output '{name}' is none of the reference's")
        })?;
        let value = held(reference, &output.of, &output.value);
        Ok((own.name.clone(), kept(candidate, &own.of, &value)))
    };
    theirs.iter().map(one).collect()
}

/// Results of the candidate by the reference's names: its own, or by place where there are as many of other names.
fn paired(expected: &Tensors, found: Tensors) -> Tensors {
    let named = found.keys().any(|name| expected.contains_key(name));
    if named || found.len() != expected.len() {
        return found;
    }
    expected.keys().cloned().zip(found.into_values()).collect()
}

/// What the reference makes of its outputs.
pub struct Made {
    pub expected: Tensors,
    /// Where outputs are off by a rounding.
    pub moved: Vec<Tensors>,
    /// How far that moves each number.
    spread: HashMap<String, Vec<f64>>,
}

impl Made {
    fn by(port: &mut Port, outputs: &Tensors, seed: u64) -> Result<Self> {
        let expected = port.postprocess(outputs)?.unwrap_or_default();
        let mut moved = vec![];
        for run in 1..=RUNS {
            let mut nudged = Tensors::new();
            for (place, (name, t)) in outputs.iter().enumerate() {
                nudged.insert(name.clone(), off_by_a_rounding(t, (seed, run, place))?);
            }
            moved.extend(made(port, &nudged)?);
        }
        let spread = |(name, t): (&String, &Tensor)| (name.clone(), spread(name, t, &moved));
        let spread = expected.iter().map(spread).collect();
        Ok(Self {
            expected,
            moved,
            spread,
        })
    }

    /// How far the number at a place may be off.
    pub fn allowed(&self, name: &str) -> impl Fn(usize) -> f64 {
        let expected = &self.expected[name];
        let least = ROUNDINGS * rounding(expected.dtype()) * largest(expected);
        let spread = &self.spread[name];
        move |i| least + R * spread.get(i).copied().unwrap_or_default()
    }

    /// Every result, held against the candidate's.
    fn held(&self, found: &Tensors, samples: Option<usize>) -> Vec<(String, Held)> {
        let mut held: Vec<(String, Held)> = vec![];
        let mut sets: Vec<Set> = vec![];
        for (name, expected) in &self.expected {
            let Some(other) = found.get(name) else {
                held.push((name.clone(), Held::made_by("reference", name)));
                continue;
            };
            match is_set(expected, other, samples) {
                Some(rows) => match sets.iter_mut().find(|s| s.rows == rows) {
                    Some(set) => set.names.push(name),
                    None => sets.push(Set {
                        names: vec![name],
                        rows,
                    }),
                },
                None => held.push((name.clone(), self.tensor(name, other))),
            }
        }
        held.extend(sets.iter().flat_map(|set| set.held(self, found)));
        let only = found.keys().filter(|n| !self.expected.contains_key(*n));
        held.extend(only.map(|n| (n.clone(), Held::made_by("candidate", n))));
        held
    }

    /// Number by number.
    pub fn tensor(&self, name: &str, found: &Tensor) -> Held {
        let expected = &self.expected[name];
        let allowed = self.allowed(name);
        unlike(name, expected, found).unwrap_or_else(|| numbers(name, expected, found, &allowed))
    }
}

/// How far each number of a result moves; nothing where it is of another shape then.
fn spread(name: &str, expected: &Tensor, moved: &[Tensors]) -> Vec<f64> {
    let own = expected.to_f64();
    let mut most = vec![0.0; own.len()];
    let runs = moved.iter().filter_map(|run| run.get(name));
    for run in runs.filter(|t| t.shape() == expected.shape()) {
        let distances = run
            .to_f64()
            .into_iter()
            .zip(&own)
            .map(|(a, b)| (a - b).abs());
        for (most, d) in most.iter_mut().zip(distances) {
            *most = d.max(*most);
        }
    }
    most
}

/// Every float up or down by a rounding of its own.
fn off_by_a_rounding(t: &Tensor, (seed, run, place): (u64, u32, usize)) -> Result<Tensor> {
    if !t.dtype().is_float() {
        return Ok(t.clone());
    }
    let mut signs = signs(seed, run, place);
    // Half of that may be rounded away again.
    let step = 2.0 * rounding(t.dtype());
    let mut moved = |v: f64| match signs.next_u32() & 1 {
        0 => v * (1.0 + step),
        _ => v * (1.0 - step),
    };
    let values: Vec<f64> = t.to_f64().into_iter().map(&mut moved).collect();
    Tensor::from_f64(t.dtype(), t.shape(), &values)
}

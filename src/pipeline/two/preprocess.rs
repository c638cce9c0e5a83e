//! preprocess: what live ports make of the user's file. Where both have a preprocessing the results are held against each other; the network is then fed
//! the reference's, so that what is wrong in front of it does not show behind it again.
//!
//! Tolerance: 16 roundings of f32 (of f16, where that is the dtype) of the largest number of the tensor, for scale, mean and spread; and where the image is
//! resized a pixel's coordinate is rounded, which is as large as the longest side, so that its value moves by that share of what neighbours differ
//! by: three roundings on either side along two axes, whose signs are by chance, are 4 times the longest side.

use super::channels::fitted;
use super::results::{self, Held, ROUNDINGS, largest, numbers, rounding, unlike};
use super::source::Source;
use crate::error::{Error, Result, hint};
use crate::graph::{Dim, Port as Declared};
use crate::port::{Ability, Port, Tensors};
use crate::scenario::{Scenario, Second, Stage};
use crate::tensor::Tensor;
use crate::verdict::StageVerdict;
use indexmap::IndexMap;
use std::path::Path;

/// Roundings of a coordinate, in units of the longest side.
const COORDINATES: f64 = 4.0;

/// What the network is fed of the user's files, by the reference's names.
#[derive(Default)]
pub struct Preprocessed {
    pub fed: IndexMap<String, Tensor>,
    /// Inputs of the scenario that are files which a port has read.
    pub files: Vec<String>,
    pub stage: Option<StageVerdict>,
}

/// A file that is stated for an input, which is called so by either side.
struct Stated<'a> {
    names: [&'a String; 2],
    path: &'a Path,
}

/// # Errors
/// A preprocessing that fails, or does not make the input that a file is stated for; a file for no input.
pub fn of(
    scenario: &Scenario,
    second: &Second,
    sources: &mut [Source; 2],
    declared: &[(String, String)],
) -> Result<Preprocessed> {
    let raw = scenario
        .inputs
        .iter()
        .filter_map(|(name, input)| Some((name, input.raw()?)));
    let raw: Vec<(&String, &Path)> = raw.collect();
    let has = [0, 1].map(|at| sources[at].can(Ability::Preprocess));
    if raw.is_empty() || has == [false; 2] {
        return unread(sources, raw.first().map(|(_, path)| *path));
    }
    let stated = raw.iter().map(|(name, path)| stated(name, path, declared));
    let stated = stated.collect::<Result<Vec<_>>>()?;
    let mut made = [None, None];
    for (at, source) in sources.iter_mut().enumerate().filter(|(at, _)| has[*at]) {
        if let Source::Port(port) = source {
            made[at] = Some(by_input(port, at, &stated, declared)?);
        }
    }
    let files = raw.iter().map(|(name, _)| (*name).clone()).collect();
    let names = [&scenario.model, &second.model].map(|p| p.display().to_string());
    let (fed, stage) = match made {
        [Some(reference), Some(candidate)] => {
            let stage = held(&reference, &candidate, &stated);
            (reference, stage)
        }
        [Some(fed), None] => (fed, alone(&names[0], &names[1], &stated)),
        [None, other] => (
            other.unwrap_or_default(),
            alone(&names[1], &names[0], &stated),
        ),
    };
    Ok(Preprocessed {
        fed,
        files,
        stage: Some(stage).filter(|s| scenario.runs(s.stage)),
    })
}

/// Nobody reads a file: a graph may be fed it as it is.
fn unread(sources: &[Source; 2], path: Option<&Path>) -> Result<Preprocessed> {
    match path.filter(|_| sources.iter().all(|s| s.graph().is_none())) {
        None => Ok(Preprocessed::default()),
        Some(path) => {
            let what = format!(
                "neither side has a preprocess that reads {}",
                path.display()
            );
            let next = "define `preprocess(path)` in the port (docs/PORT.md), or leave --input out: what `inputs()` returns is fed";
            Err(Error::usage(what).next(next))
        }
    }
}

fn stated<'a>(name: &str, path: &'a Path, declared: &'a [(String, String)]) -> Result<Stated<'a>> {
    let pair = declared.iter().find(|(a, b)| a == name || b == name);
    let (ours, theirs) = pair.ok_or_else(|| {
        let known = || declared.iter().map(|d| d.0.as_str());
        let all = known().collect::<Vec<_>>().join(", ");
        let next = format!("{}inputs: {all}", hint(name, known()));
        Error::usage(format!("neither side has an input '{name}'")).next(next)
    })?;
    Ok(Stated {
        names: [ours, theirs],
        path,
    })
}

/// What a port makes of the files, by the reference's names; what else it makes of one is fed where nothing is stated for it.
fn by_input(
    port: &mut Port,
    at: usize,
    stated: &[Stated],
    declared: &[(String, String)],
) -> Result<IndexMap<String, Tensor>> {
    let mut all = IndexMap::new();
    for Stated { names, path } in stated {
        let absolute = std::path::absolute(path).map_err(|e| Error::failed(e.to_string()))?;
        let made = port.preprocess(&absolute)?.unwrap_or_default();
        if !made.contains_key(names[at]) {
            return Err(lacks(names[at], path, &made));
        }
        for (name, value) in made {
            let pair = declared.iter().find(|(a, b)| [a, b][at] == &name);
            let Some((ours, _)) = pair else { continue };
            let of_another = stated.iter().any(|s| s.names[0] == ours) && ours != names[0];
            if !of_another {
                all.insert(ours.clone(), value);
            }
        }
    }
    Ok(all)
}

fn lacks(name: &str, path: &Path, made: &Tensors) -> Error {
    let known = made
        .keys()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    let what = format!(
        "preprocess makes no '{name}' of {}: it makes {known}",
        path.display()
    );
    Error::usage(what).next("have it return the network's inputs as `inputs()` does (docs/PORT.md)")
}

/// Both results.
fn held(
    reference: &IndexMap<String, Tensor>,
    candidate: &IndexMap<String, Tensor>,
    stated: &[Stated],
) -> StageVerdict {
    let side = stated
        .iter()
        .map(|s| image::image_dimensions(s.path).unwrap_or_default());
    let side = side.map(|(width, height)| width.max(height) as usize).max();
    let one = |(name, expected): (&String, &Tensor)| {
        let held = match candidate.get(name) {
            Some(found) => tensor(name, expected, found, side.unwrap_or(0)),
            None => Held::made_by("reference", name),
        };
        (name.clone(), held)
    };
    let only = candidate
        .keys()
        .filter(|name| !reference.contains_key(*name));
    let only = only.map(|n| (n.clone(), Held::made_by("candidate", n)));
    results::stage(
        Stage::Preprocess,
        reference.iter().map(one).chain(only).collect(),
    )
}

/// One input; `side` is the longest of an image.
fn tensor(name: &str, expected: &Tensor, found: &Tensor, side: usize) -> Held {
    let like = Declared {
        name: name.into(),
        dtype: None,
        shape: Some(expected.shape().iter().map(|n| Dim::Known(*n)).collect()),
    };
    // Each feeds its network in the layout that it wants.
    let found = &fitted(found, Some(&like));
    unlike(name, expected, found).unwrap_or_else(|| {
        let longest = expected.shape().iter().copied().fold(side, usize::max) as f64;
        let share = rounding(expected.dtype()) * (ROUNDINGS + COORDINATES * longest);
        let allowed = share * largest(expected);
        numbers(name, expected, found, &|_| allowed)
    })
}

/// One side has a preprocessing, and the other is fed what it makes.
fn alone(has: &str, lacks: &str, stated: &[Stated]) -> StageVerdict {
    let files: Vec<String> = stated
        .iter()
        .map(|s| s.path.display().to_string())
        .collect();
    let files = files.join(", ");
    let says = format!(
        "both are fed what preprocess of {has} makes of {files}: {lacks} has none to compare it with"
    );
    StageVerdict::agree(Stage::Inputs, says)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(found: &[f32]) -> Held {
        let expected = Tensor::of(&[1, 2, 2, 1], &[0.0f32, 0.25, 0.5, 1.0]);
        tensor("x", &expected, &Tensor::of(&[1, 1, 2, 2], found), 640)
    }

    #[test]
    fn rounding_of_coordinates_is_allowed_and_a_step_of_255_is_not() {
        assert!(matches!(held(&[0.0, 0.25, 0.5001, 1.0]), Held::Same(_)));
        assert!(matches!(
            held(&[0.0, 0.25, 0.5 + 1.0 / 255.0, 1.0]),
            Held::Off(_)
        ));
    }
}

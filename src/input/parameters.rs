//! parameters: where a side's parameters come from: a model, a trace, a golden, a checkpoint, a list in JSON.

use super::settings;
use crate::checkpoint;
use crate::error::{Error, Place, Result};
use crate::golden::store;
use crate::graph::param::{Kind, Param, check};
use crate::graph::{self, Graph, load};
use crate::params::names;
use crate::params::source::{Constants, Source};
use crate::scenario::sides;
use crate::tensor::DType;
use crate::trace::file::{self, Opened};
use indexmap::IndexMap;
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;
use std::rc::Rc;

/// The parameters that `path` holds, whatever kind of file it is.
///
/// # Errors
/// A file that cannot be read, or one that lists no parameters.
pub fn source(path: &Path) -> Result<Source> {
    if path.is_dir() {
        return store::open(path)?
            .parameters
            .map(Source::listed)
            .ok_or_else(|| unlisted("golden", path));
    }
    if checkpoint::is_one(path) {
        return of_checkpoint(path);
    }
    if sides::Kind::is_model(path) {
        return Ok(of_graph(load::file(path)?.into()));
    }
    match path.extension().and_then(|e| e.to_str()) {
        Some("json") if !is_index(path) => json(path).at(format!("parameters {}", path.display())),
        _ => of_trace(file::open(path)?)?.ok_or_else(|| unlisted("trace", path)),
    }
}

/// What a graph holds: its weights, and how many constants stand beside them.
pub fn of_graph(graph: std::sync::Arc<Graph>) -> Source {
    let list = graph::params::list(&graph);
    let constants = graph::params::constants(&graph);
    let constants = Constants {
        tensors: constants.len() as u64,
        elements: constants.iter().map(|c| c.1 as u64).sum(),
    };
    let set = settings::of_graph(&graph);
    let read = move |name: &str| Ok(graph.weights.get(name).cloned());
    Source::valued(list, Box::new(read))
        .beside(constants)
        .set_to(set)
}

/// The model that a file of PyTorch's holds, by the names in its dict.
fn of_checkpoint(path: &Path) -> Result<Source> {
    let held = checkpoint::open(path)?;
    let dict = held.model().to_string();
    let begin = match dict.as_str() {
        "" => String::new(),
        dict => format!("{dict}."),
    };
    let own = held.tensors().filter(|(_, t)| t.dict == dict);
    let list: Vec<Param> = own
        .map(|(path, t)| known(&path[begin.len()..], t.shape.clone(), t.dtype))
        .collect();
    if list.is_empty() {
        return Err(unlisted("checkpoint", path));
    }
    check(&list)?;
    let left_out = held
        .omitted
        .iter()
        .map(|(path, why)| format!("'{path}': {why}"));
    let left_out = left_out.collect();
    let read = move |name: &str| held.tensor(&format!("{begin}{name}"));
    Ok(Source::valued(list, Box::new(read)).leaving(left_out))
}

/// What a trace lists, or all that a checkpoint holds; None where a trace lists nothing.
///
/// # Errors
/// A tensor of a dtype that is not known here.
pub fn of_trace(trace: Opened) -> Result<Option<Source>> {
    let plain = trace.header.is_none();
    let list = match &trace.parameters {
        Some(list) => list.clone(),
        None if plain => checkpoint(&trace)?,
        None => return Ok(None),
    };
    let set = trace.header.as_ref().map(settings::of_trace);
    let set = set.unwrap_or_default();
    if !plain && !trace.holds_values() {
        return Ok(Some(Source::listed(list).set_to(set)));
    }
    let trace = Rc::new(trace);
    let read = move |name: &str| match plain {
        true => trace.tensor(name),
        false => trace.parameter_value(name),
    };
    let source = Source::valued(list, Box::new(read));
    Ok(Some(source.set_to(set)))
}

/// Every tensor of a plain file is a parameter; running statistics are known by name.
fn checkpoint(trace: &Opened) -> Result<Vec<Param>> {
    let one = |name: &str| {
        let (dtype, shape) = trace.attributes(name)?;
        Ok(known(name, shape, dtype))
    };
    let list = trace.names().map(one).collect::<Result<Vec<_>>>()?;
    check(&list)?;
    Ok(list)
}

/// A parameter of which nothing is said but its name.
fn known(name: &str, shape: Vec<usize>, dtype: DType) -> Param {
    let kind = match names::is_statistic(name) {
        true => Kind::Buffer,
        false => Kind::Parameter,
    };
    Param {
        name: name.into(),
        shape,
        dtype,
        kind,
        trainable: None,
    }
}

/// An index of shards is a checkpoint.
fn is_index(path: &Path) -> bool {
    path.file_name()
        .is_some_and(|name| name.to_string_lossy().ends_with(".index.json"))
}

fn json(path: &Path) -> Result<Source> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::usage(e.to_string()))?;
    let said: Value = serde_json::from_str(&text).map_err(|e| Error::usage(e.to_string()))?;
    let list: Vec<Param> = match said {
        Value::Object(_) => mapping(&text)?,
        // Read from the text again, so that an error names the line.
        _ => serde_json::from_str(&text).map_err(|e| Error::usage(e.to_string()))?,
    };
    check(&list)?;
    Ok(Source::listed(list))
}

/// What people write of a `state_dict()`: a shape, or a shape and what else they know.
#[derive(Deserialize)]
#[serde(untagged, deny_unknown_fields)]
enum Said {
    Shape(Vec<usize>),
    More {
        shape: Vec<usize>,
        dtype: Option<String>,
        kind: Option<Kind>,
        trainable: Option<bool>,
    },
}

fn mapping(text: &str) -> Result<Vec<Param>> {
    let said: IndexMap<String, Value> =
        serde_json::from_str(text).map_err(|e| Error::usage(e.to_string()))?;
    said.into_iter()
        .map(|(name, value)| mapped(&name, value).at(format!("'{name}'")))
        .collect()
}

fn mapped(name: &str, value: Value) -> Result<Param> {
    let said = serde_json::from_value(value).map_err(|_| {
        Error::usage("expected a shape, or {\"shape\": [...], \"dtype\": \"f32\"}")
            .next("a shape is a list of sizes: {name: list(tensor.shape)}")
    })?;
    let counter = names::role(name) == names::Role::Counter;
    let usual = if counter { DType::I64 } else { DType::F32 };
    match said {
        Said::Shape(shape) => Ok(known(name, shape, usual)),
        Said::More {
            shape,
            dtype,
            kind,
            trainable,
        } => {
            let dtype = dtype.map_or(Ok(usual), |word| dtype_of(&word))?;
            let p = known(name, shape, dtype);
            let kind = kind.unwrap_or(p.kind);
            Ok(Param {
                kind,
                trainable,
                ..p
            })
        }
    }
}

/// A dtype as parity, numpy, torch or safetensors writes it.
fn dtype_of(word: &str) -> Result<DType> {
    let own = word.rsplit('.').next().unwrap_or(word).to_lowercase();
    let short = own
        .replace("bfloat", "bf")
        .replace("float", "f")
        .replace("uint", "u")
        .replace("int", "i");
    let found = DType::ALL.into_iter().find(|d| d.name() == short);
    found.ok_or_else(|| {
        Error::usage(format!("dtype \"{word}\" is not known")).next("f32, float32 or torch.float32")
    })
}

fn unlisted(what: &str, path: &Path) -> Error {
    Error::usage(format!("{what} {}: lists no parameters", path.display()))
        .next("write them as a JSON list under the key 'parameters' of the trace's metadata (docs/GOLDEN.md)")
}

//! case: one folder of the suite: model.onnx, and test_data_set_N/ with input_N.pb and output_N.pb.

use super::subset;
use crate::error::{Error, Place, Result};
use crate::graph::proto::{
    GraphProto, ModelProto, OptionalProto, SequenceProto, TensorProto, TypeProto, TypeValue,
    ValueInfoProto,
};
use crate::graph::weights;
use crate::tensor::Value;
use prost::Message;
use std::path::{Path, PathBuf};

/// A case, read.
pub struct Case {
    pub model: Vec<u8>,
    pub sets: Vec<DataSet>,
    pub rtol: f64,
    pub atol: f64,
}

/// Inputs by name, and what the declared outputs should be.
pub struct DataSet {
    pub inputs: Vec<(String, Value)>,
    pub outputs: Vec<Value>,
}

/// Names of the cases in `folder`, in order.
pub fn list(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).map_err(|e| {
        Error::usage(format!("folder {}: {e}", folder.display()))
            .next("scripts/conformance fetches the cases and runs them")
    })?;
    let is_case = |p: &PathBuf| p.join("model.onnx").is_file();
    let paths = entries
        .filter_map(|e| e.ok())
        .map(|e| e.path())
        .filter(is_case);
    let mut names: Vec<String> = paths
        .filter_map(|p| p.file_name().map(|n| n.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    Ok(names)
}

fn model(folder: &Path) -> Result<(Vec<u8>, ModelProto)> {
    let path = folder.join("model.onnx");
    let bytes =
        std::fs::read(&path).map_err(|e| Error::usage(format!("{}: {e}", path.display())))?;
    let decoded = ModelProto::decode(bytes.as_slice())
        .map_err(|e| Error::usage(format!("{}: {e}", path.display())))?;
    Ok((bytes, decoded))
}

/// The operator that case `name` of `folder` is about, and whether only common ones are used.
pub fn about(folder: &Path, name: &str) -> Result<(String, bool)> {
    let (_, whole) = model(&folder.join(name))?;
    let graph = whole.graph.unwrap_or_default();
    // A case that spells an operator out is named after the case that has the operator itself.
    let base = name.split("_expanded").next().unwrap_or(name);
    let named = if base != name && folder.join(base).join("model.onnx").is_file() {
        model(&folder.join(base))?.1.graph
    } else {
        None
    };
    let last = |g: &GraphProto| {
        g.node
            .last()
            .and_then(|n| n.op_type.clone())
            .unwrap_or_default()
    };
    Ok((
        named.as_ref().map_or_else(|| last(&graph), last),
        subset::is_common(&graph),
    ))
}

/// Reads the case in `folder`.
pub fn read(folder: &Path) -> Result<Case> {
    let (bytes, decoded) = model(folder)?;
    let graph = decoded.graph.unwrap_or_default();
    let mut sets = Vec::new();
    for n in 0.. {
        let data = folder.join(format!("test_data_set_{n}"));
        if !data.is_dir() {
            break;
        }
        let inputs = values(&data, "input", &graph.input)?;
        let names = graph
            .input
            .iter()
            .map(|p| p.name.clone().unwrap_or_default());
        sets.push(DataSet {
            inputs: names.zip(inputs).collect(),
            outputs: values(&data, "output", &graph.output)?,
        });
    }
    if sets.is_empty() {
        return Err(Error::usage(format!(
            "{}: has no test_data_set_0",
            folder.display()
        )));
    }
    Ok(Case {
        model: bytes,
        sets,
        rtol: 1e-3,
        atol: 1e-7,
    })
}

fn values(folder: &Path, what: &str, ports: &[ValueInfoProto]) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for (i, port) in ports.iter().enumerate() {
        let path = folder.join(format!("{what}_{i}.pb"));
        if !path.is_file() {
            break;
        }
        let bytes =
            std::fs::read(&path).map_err(|e| Error::usage(format!("{}: {e}", path.display())))?;
        all.push(value(&bytes, port.r#type.as_ref()).at(path.display())?);
    }
    Ok(all)
}

fn value(bytes: &[u8], declared: Option<&TypeProto>) -> Result<Value> {
    let broken = |e: prost::DecodeError| Error::usage(e.to_string());
    match declared.and_then(|t| t.value.as_ref()) {
        Some(TypeValue::SequenceType(_)) => {
            sequence(&SequenceProto::decode(bytes).map_err(broken)?)
        }
        Some(TypeValue::OptionalType(_)) => {
            optional(&OptionalProto::decode(bytes).map_err(broken)?)
        }
        _ => weights::value(&TensorProto::decode(bytes).map_err(broken)?),
    }
}

fn sequence(proto: &SequenceProto) -> Result<Value> {
    let tensors = proto.tensor_values.iter().map(weights::value);
    let rest = proto
        .sequence_values
        .iter()
        .map(sequence)
        .chain(proto.optional_values.iter().map(optional));
    tensors
        .chain(rest)
        .collect::<Result<_>>()
        .map(Value::Sequence)
}

fn optional(proto: &OptionalProto) -> Result<Value> {
    let held = match (
        &proto.tensor_value,
        &proto.sequence_value,
        &proto.optional_value,
    ) {
        (Some(t), _, _) => Some(weights::value(t)?),
        (_, Some(s), _) => Some(sequence(s)?),
        (_, _, Some(o)) => Some(optional(o)?),
        (None, None, None) => None,
    };
    Ok(Value::Optional(held.map(Box::new)))
}

//! load: from an ONNX file to a `Graph`, refusing what cannot be executed.

use super::proto::{
    self, AttributeProto, AttributeType, ModelProto, NodeProto, TypeValue, ValueInfoProto,
};
use super::weights::Folders;
use super::{Attribute, Dim, Graph, Node, Port, Step, code, cut, inline, order, seeded, weights};
use crate::digest;
use crate::error::{Error, Place, Result};
use crate::file::{self, Kind};
use crate::tensor::DType;
use indexmap::IndexMap;
use prost::Message;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

/// Reads the model at `path`; external data must lie beside it.
pub fn file(path: &Path) -> Result<Graph> {
    let place = format!("model {}", path.display());
    let bytes = file::read(path).at(&place)?;
    let read = parse(bytes.into(), Some(&Folders::of(path)));
    let graph = read
        .map_err(|e| file::unreadable(e, path, Kind::Model))
        .at(place)?;
    let file = (graph.drawn.is_empty() && path.is_file()).then(|| Arc::from(path));
    Ok(Graph { file, ..graph })
}

/// The model in `bytes`; its external data may lie in `folders`.
pub fn parse(bytes: bytes::Bytes, folders: Option<&Folders>) -> Result<Graph> {
    let digest = digest::of_bytes(&bytes);
    let model = ModelProto::decode(bytes).map_err(|e| {
        Error::usage(format!("not a readable ONNX model: {e}"))
            .next("check that the file is complete and not a Git LFS pointer")
    })?;
    from_proto(model, digest, folders)
}

fn from_proto(model: ModelProto, digest: String, folders: Option<&Folders>) -> Result<Graph> {
    let graph = model
        .graph
        .ok_or_else(|| Error::usage("not an ONNX model: it has no graph"))?;
    if !graph.sparse_initializer.is_empty() {
        return Err(Error::usage("sparse weights are not supported"));
    }
    let opsets: BTreeMap<_, _> = model
        .opset_import
        .iter()
        .map(|o| {
            (
                canonical(o.domain.as_deref().unwrap_or("")),
                o.version.unwrap_or(0),
            )
        })
        .collect();
    if opsets.is_empty() {
        return Err(Error::usage(
            "not an ONNX model: it imports no operator set",
        ));
    }
    let metadata: BTreeMap<String, String> = model
        .metadata_props
        .iter()
        .map(|p| {
            (
                p.key.clone().unwrap_or_default(),
                p.value.clone().unwrap_or_default(),
            )
        })
        .collect();
    let seed = metadata
        .get(seeded::KEY)
        .map(|text| seeded::seed(text))
        .transpose()?;
    let (mut stored, mut left) = (IndexMap::new(), HashSet::new());
    for tensor in &graph.initializer {
        let name = tensor.name.clone().unwrap_or_default();
        let weight = match seed {
            Some(seed) if seeded::is_empty(tensor) => {
                left.insert(name.clone());
                drawn(tensor, seed)?
            }
            _ => weights::decode(tensor, folders)?,
        };
        if stored.insert(name.clone(), weight).is_some() {
            return Err(Error::usage(format!("weight '{name}' is stated twice")));
        }
    }
    // Before IR version 4 weights had to be listed among the inputs as well.
    let inputs: Vec<_> = graph
        .input
        .iter()
        .map(port)
        .filter(|p| !stored.contains_key(&p.name))
        .collect();
    let nodes = inline::inlined(graph.node, &model.functions, &opsets)?;
    let first = |n: &NodeProto| n.output.iter().find(|o| !o.is_empty()).cloned();
    let code = nodes
        .iter()
        .filter_map(|n| Some((first(n)?, code::place(n)?)));
    let code = code.collect();
    let steps = named(nodes.iter().map(node).collect::<Result<Vec<_>>>()?);
    let given: HashSet<&str> = inputs
        .iter()
        .map(|p| p.name.as_str())
        .chain(stored.keys().map(String::as_str))
        .collect();
    let steps = order::executable(steps, &given)?;
    let loaded = Graph {
        digest,
        file: None,
        name: graph.name.unwrap_or_default(),
        producer: format!(
            "{} {}",
            model.producer_name.unwrap_or_default(),
            model.producer_version.unwrap_or_default()
        )
        .trim()
        .to_string(),
        ir_version: model.ir_version.unwrap_or(0),
        opsets,
        outputs: graph.output.iter().map(port).collect(),
        inputs,
        weights: stored,
        steps,
        functions: model.functions,
        drawn: left,
        metadata,
        bodies: Default::default(),
        code,
    };
    check(&loaded)?;
    Ok(loaded)
}

/// A body inside `outer` (a branch of If, what Loop and Scan repeat) as a graph of its own; what it takes from around it are the names
/// that [`cut::outer_names`] lists.
pub fn body(proto: &proto::GraphProto, outer: &Graph) -> Result<Graph> {
    let mut stored = IndexMap::new();
    for tensor in &proto.initializer {
        stored.insert(
            tensor.name.clone().unwrap_or_default(),
            weights::decode(tensor, None)?,
        );
    }
    let inputs: Vec<_> = proto
        .input
        .iter()
        .map(port)
        .filter(|p| !stored.contains_key(&p.name))
        .collect();
    let nodes = inline::inlined(proto.node.clone(), &outer.functions, &outer.opsets)?;
    let steps = named(nodes.iter().map(node).collect::<Result<Vec<_>>>()?);
    let free = cut::free_names(proto);
    let given: HashSet<&str> = inputs
        .iter()
        .map(|p| p.name.as_str())
        .chain(stored.keys().map(String::as_str))
        .chain(free.iter().map(String::as_str))
        .collect();
    let steps = order::executable(steps, &given)?;
    Ok(Graph {
        digest: String::new(),
        file: None,
        name: proto.name.clone().unwrap_or_default(),
        producer: outer.producer.clone(),
        ir_version: outer.ir_version,
        opsets: outer.opsets.clone(),
        outputs: proto.output.iter().map(port).collect(),
        inputs,
        weights: stored,
        steps,
        functions: outer.functions.clone(),
        drawn: HashSet::new(),
        metadata: BTreeMap::new(),
        bodies: Default::default(),
        code: Default::default(),
    })
}

/// A weight that the file leaves to the rule.
fn drawn(proto: &proto::TensorProto, seed: u64) -> Result<crate::tensor::Tensor> {
    let name = proto.name.as_deref().unwrap_or("");
    let shape = proto.dims.iter().map(|d| {
        usize::try_from(*d)
            .map_err(|_| Error::usage(format!("negative dimension in {:?}", proto.dims)))
    });
    let shape = shape
        .collect::<Result<Vec<_>>>()
        .at(format!("weight '{name}'"))?;
    if proto.data_type != Some(seeded::dtype(name).onnx()) {
        return Err(Error::usage(format!(
            "weight '{name}' has no data, and the rule draws {}",
            seeded::dtype(name)
        )));
    }
    seeded::draw(name, &shape, seed)
}

fn canonical(domain: &str) -> String {
    if domain == "ai.onnx" {
        String::new()
    } else {
        domain.to_string()
    }
}

/// Declared outputs must exist; every node's domain must be imported.
fn check(graph: &Graph) -> Result<()> {
    let producers = graph.producers();
    for out in &graph.outputs {
        let known = producers.contains_key(out.name.as_str())
            || graph.weights.contains_key(&out.name)
            || graph.inputs.iter().any(|i| i.name == out.name);
        if !known {
            return Err(Error::usage(format!(
                "declared output '{}' is produced by no node",
                out.name
            )));
        }
    }
    for node in graph.steps.iter().flat_map(|s| &s.nodes) {
        if graph.opset(&node.domain).is_none() {
            return Err(Error::usage(format!(
                "node '{}' ({}): operator set of domain '{}' is not imported",
                node.name, node.op, node.domain
            )));
        }
    }
    Ok(())
}

/// Steps with unique names: a node without a name, or with one that another has too, is called by its first output, and by its operator
/// as well where a node is called so already.
fn named(nodes: Vec<Node>) -> Vec<Step> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for node in &nodes {
        *seen.entry(node.name.clone()).or_default() += 1;
    }
    let is_own = |n: &Node| !n.name.is_empty() && seen[&n.name] == 1;
    let mut taken: HashSet<String> = nodes
        .iter()
        .filter(|n| is_own(n))
        .map(|n| n.name.clone())
        .collect();
    let named = |mut n: Node| {
        if !is_own(&n) {
            n.name = n
                .outputs
                .iter()
                .find(|o| !o.is_empty())
                .cloned()
                .unwrap_or_else(|| n.op.clone());
            while !taken.insert(n.name.clone()) {
                n.name = format!("{}/{}", n.name, n.op);
            }
        }
        Step::of(n)
    };
    nodes.into_iter().map(named).collect()
}

fn node(proto: &NodeProto) -> Result<Node> {
    let name = proto.name.clone().unwrap_or_default();
    let op = proto.op_type.clone().unwrap_or_default();
    if proto.output.iter().all(|o| o.is_empty()) {
        return Err(Error::usage(format!("node '{name}' ({op}) has no output")));
    }
    let attributes = proto
        .attribute
        .iter()
        .map(|a| Ok((a.name.clone().unwrap_or_default(), attribute(a)?)))
        .collect::<Result<_>>()
        .at(format!("node '{name}' ({op})"))?;
    Ok(Node {
        name,
        op,
        domain: canonical(proto.domain.as_deref().unwrap_or("")),
        inputs: proto.input.clone(),
        outputs: proto.output.clone(),
        attributes,
    })
}

/// The value of an attribute; a model that omits the type (IR version 1) states exactly one value.
fn attribute(a: &AttributeProto) -> Result<Attribute> {
    let text = |b: &bytes::Bytes| {
        String::from_utf8(b.to_vec()).map_err(|_| {
            Error::usage(format!(
                "attribute '{}' is no UTF-8",
                a.name.as_deref().unwrap_or("")
            ))
        })
    };
    Ok(match a.r#type() {
        AttributeType::Float => Attribute::Float(a.f.unwrap_or(0.0)),
        AttributeType::Int => Attribute::Int(a.i.unwrap_or(0)),
        AttributeType::String => {
            Attribute::Str(text(a.s.as_ref().unwrap_or(&bytes::Bytes::new()))?)
        }
        AttributeType::Floats => Attribute::Floats(a.floats.clone()),
        AttributeType::Ints => Attribute::Ints(a.ints.clone()),
        AttributeType::Strings => {
            Attribute::Strs(a.strings.iter().map(text).collect::<Result<_>>()?)
        }
        _ => Attribute::Other(Box::new(a.clone())),
    })
}

fn port(info: &ValueInfoProto) -> Port {
    let tensor = match info.r#type.as_ref().and_then(|t| t.value.as_ref()) {
        Some(TypeValue::TensorType(t)) => Some(t),
        _ => None,
    };
    Port {
        name: info.name.clone().unwrap_or_default(),
        dtype: tensor.and_then(|t| t.elem_type).and_then(DType::from_onnx),
        shape: tensor
            .and_then(|t| t.shape.as_ref())
            .map(|s| s.dim.iter().map(dim).collect()),
    }
}

fn dim(d: &proto::Dimension) -> Dim {
    match &d.value {
        Some(proto::DimensionValue::DimValue(v)) => {
            usize::try_from(*v).map_or(Dim::Unknown, Dim::Known)
        }
        Some(proto::DimensionValue::DimParam(p)) => Dim::Named(p.clone()),
        None => Dim::Unknown,
    }
}

impl Attribute {
    /// The tensor inside, where the attribute is one.
    pub fn tensor(&self) -> Option<Result<crate::tensor::Tensor>> {
        match self {
            Attribute::Other(a) => a.t.as_ref().map(|t| weights::decode(t, None)),
            _ => None,
        }
    }

    /// An attribute that holds `tensor`.
    pub fn of_tensor(name: &str, tensor: &crate::tensor::Tensor) -> Self {
        Attribute::Other(Box::new(AttributeProto {
            name: Some(name.into()),
            t: Some(weights::encode(name, tensor)),
            r#type: Some(AttributeType::Tensor as i32),
            ..Default::default()
        }))
    }
}

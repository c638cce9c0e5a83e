//! cut: some steps as an ONNX model of its own: connected (inputs at the rim) or with every step cut loose.

use super::infer::{Expected, is_small};
use super::proto::{
    self, AttributeProto, AttributeType as Kind, GraphProto, ModelProto, NodeProto,
    OperatorSetIdProto,
};
use super::{Attribute, Graph, Node, hoist, observe, weights};
use crate::error::{Error, Result};
use crate::tensor::DType;
use bytes::Bytes;
use indexmap::IndexMap;
use prost::Message;
use std::collections::{BTreeMap, HashSet};

/// A cut-out model and the names that it takes and gives.
pub struct Cut {
    pub model: Vec<u8>,
    /// Tensors to feed, each once.
    pub inputs: Vec<String>,
    /// Tensors it returns.
    pub outputs: Vec<String>,
}

/// How the steps of a cut see each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Each step takes what the steps before it in the cut produced.
    Connected,
    /// Each step takes only what is fed: it is judged alone.
    Isolated,
}

/// Name under which an isolated cut is fed `tensor`, so that it does not meet the step that produces it.
fn fed_name(tensor: &str) -> String {
    format!("parity/fed/{tensor}")
}

/// Cuts `steps` out of `graph`, observing every step output; `dtype` tells the dtype of a fed tensor.
pub fn cut(
    graph: &Graph,
    steps: &[usize],
    link: Link,
    dtype: &dyn Fn(&str) -> Option<DType>,
) -> Cut {
    let Body {
        graph: body,
        inputs,
        outputs,
    } = body(graph, steps, link, dtype);
    Cut {
        model: model(graph, body),
        inputs,
        outputs,
    }
}

/// What a node calls an output that the cut gives, and lets other nodes see, through an Identity.
fn raw_name(tensor: &str) -> String {
    format!("parity/raw/{tensor}")
}

/// The node with an Identity behind each output that other nodes of the cut take.
///
/// ONNX Runtime computes half precision in f32 where it has no kernel for it, and drops the two casts between two such nodes even where it
/// optimises nothing: the second would be fed what nobody observes. An Identity whose own output is observed keeps them.
fn kept_half(mut node: NodeProto, taken: &HashSet<&str>) -> Vec<NodeProto> {
    let mut behind = Vec::new();
    for name in node
        .output
        .iter_mut()
        .filter(|n| taken.contains(n.as_str()))
    {
        let raw = raw_name(name);
        let seen = std::mem::replace(name, raw.clone());
        let own = Some(format!("parity/seen/{seen}"));
        behind.push(NodeProto {
            op_type: Some("Identity".into()),
            name: own,
            input: vec![raw],
            output: vec![seen],
            ..Default::default()
        });
    }
    behind.insert(0, node);
    behind
}

/// Whether the graph holds half precision anywhere.
fn is_half(graph: &Graph) -> bool {
    let half = |d: DType| matches!(d, DType::F16 | DType::BF16);
    let code = |code: i64| {
        i32::try_from(code)
            .ok()
            .and_then(DType::from_onnx)
            .is_some_and(half)
    };
    let made = |n: &Node| {
        n.attributes.iter().any(|(name, value)| match value {
            Attribute::Int(to) => ["to", "dtype"].contains(&name.as_str()) && code(*to),
            Attribute::Other(a) => {
                a.t.as_ref()
                    .and_then(|t| t.data_type)
                    .is_some_and(|d| code(d.into()))
            }
            Attribute::Float(_)
            | Attribute::Str(_)
            | Attribute::Ints(_)
            | Attribute::Floats(_)
            | Attribute::Strs(_) => false,
        })
    };
    graph.weights.values().any(|t| half(t.dtype()))
        || graph.inputs.iter().any(|p| p.dtype.is_some_and(half))
        || graph.steps.iter().flat_map(|s| &s.nodes).any(made)
}

/// The graph of a cut, and the names that it takes and gives.
struct Body {
    graph: GraphProto,
    inputs: Vec<String>,
    outputs: Vec<String>,
}

fn body(graph: &Graph, steps: &[usize], link: Link, dtype: &dyn Fn(&str) -> Option<DType>) -> Body {
    let steps: Vec<&super::Step> = steps.iter().map(|i| &graph.steps[*i]).collect();
    let outputs: Vec<String> = steps.iter().flat_map(|s| s.outputs.clone()).collect();
    let inside: HashSet<&str> = outputs.iter().map(String::as_str).collect();
    let fed = |name: &str| {
        !graph.weights.contains_key(name) && (link == Link::Isolated || !inside.contains(name))
    };
    let mut inputs: Vec<String> = steps
        .iter()
        .flat_map(|s| &s.inputs)
        .filter(|n| fed(n))
        .cloned()
        .collect();
    let mut seen = HashSet::new();
    inputs.retain(|n| seen.insert(n.clone()));
    let needed: HashSet<&str> = steps
        .iter()
        .flat_map(|s| &s.inputs)
        .map(String::as_str)
        .collect();
    let rename = |name: &str| {
        if link == Link::Isolated && seen.contains(name) {
            fed_name(name)
        } else {
            name.to_string()
        }
    };
    let mut nodes: Vec<NodeProto> = Vec::new();
    let keeps = link == Link::Connected && steps.len() > 1 && is_half(graph);
    for step in &steps {
        let own: HashSet<&str> = step
            .nodes
            .iter()
            .flat_map(|n| &n.outputs)
            .map(String::as_str)
            .collect();
        let rename = |name: &str| {
            if own.contains(name) {
                name.to_string()
            } else {
                rename(name)
            }
        };
        // What only tensors pass through; a sequence may have no Identity.
        let tensors = !hoist::has_body(&step.nodes[0])
            && !["Sequence", "Optional"]
                .iter()
                .any(|kind| step.op().contains(kind));
        let taken = |n: &str| step.outputs.iter().any(|o| o == n) && needed.contains(n);
        let taken: HashSet<&str> = needed
            .iter()
            .copied()
            .filter(|n| keeps && tensors && taken(n))
            .collect();
        nodes.extend(
            step.nodes
                .iter()
                .flat_map(|n| kept_half(encode_node(n, &rename), &taken)),
        );
    }
    let graph_proto = GraphProto {
        name: Some("cut".into()),
        node: nodes,
        initializer: graph
            .weights
            .iter()
            .filter(|(n, _)| needed.contains(n.as_str()))
            .map(|(n, t)| weights::encode(n, t))
            .collect(),
        input: inputs
            .iter()
            .map(|n| declare(&rename(n), dtype(n)))
            .collect(),
        output: outputs.iter().map(|n| declare(n, None)).collect(),
        ..Default::default()
    };
    Body {
        graph: graph_proto,
        inputs,
        outputs,
    }
}

/// Dtype and shape of a tensor, where they are known.
pub type Shown<'a> = &'a dyn Fn(&str) -> Option<(DType, Vec<usize>)>;

/// One step as a model that stands for itself: what it takes and gives is declared as `shown` says.
pub fn alone(graph: &Graph, step: usize, shown: Shown) -> Vec<u8> {
    part(graph, &[step], shown)
}

/// The same of some steps (ascending): it gives what none of them takes.
pub fn part(graph: &Graph, steps: &[usize], shown: Shown) -> Vec<u8> {
    let mut graph = graph.clone();
    for i in steps {
        graph.steps[*i] = observe::original(&graph.steps[*i]);
    }
    let mut body = body(&graph, steps, Link::Connected, &|n| {
        shown(n).map(|(d, _)| d)
    })
    .graph;
    let taken: HashSet<&String> = steps.iter().flat_map(|i| &graph.steps[*i].inputs).collect();
    body.output
        .retain(|port| port.name.as_ref().is_none_or(|n| !taken.contains(n)));
    for port in body.input.iter_mut().chain(&mut body.output) {
        if let Some((name, (dtype, shape))) =
            port.name.as_deref().and_then(|n| Some((n, shown(n)?)))
        {
            *port = declare_shaped(name, dtype, &shape);
        }
    }
    model(&graph, body)
}

/// The whole graph, with only its declared outputs and those of `also` observable, inside bodies too.
pub fn whole(graph: &Graph, also: &[String]) -> Vec<u8> {
    let same = |name: &str| name.to_string();
    let port = |p: &super::Port| declare(&p.name, p.dtype);
    let asked = |name: &str| also.iter().any(|a| a == name);
    let graph_proto = GraphProto {
        name: Some(graph.name.clone()),
        node: graph
            .steps
            .iter()
            .flat_map(|s| &s.nodes)
            .map(|n| encode_node(&observe::undone(n, &asked), &same))
            .collect(),
        initializer: graph
            .weights
            .iter()
            .map(|(n, t)| weights::encode(n, t))
            .collect(),
        input: graph.inputs.iter().map(port).collect(),
        output: graph
            .outputs
            .iter()
            .map(|p| &p.name)
            .chain(also)
            .map(|n| declare(n, None))
            .collect(),
        ..Default::default()
    };
    model(graph, graph_proto)
}

/// The model in `file` with the tensors of `also` among its outputs; those that it has in a body, or not at all, stay unseen.
///
/// Nothing is encoded anew: what is appended to a protobuf message is merged into it.
pub fn observing(file: Vec<u8>, also: &[String]) -> Result<Vec<u8>> {
    let file = Bytes::from(file);
    let model = ModelProto::decode(file.clone())
        .map_err(|e| Error::usage(format!("not a readable ONNX model: {e}")))?;
    let given: HashSet<&str> = model
        .graph
        .iter()
        .flat_map(|g| &g.node)
        .flat_map(|n| &n.output)
        .map(String::as_str)
        .collect();
    let output = also
        .iter()
        .filter(|n| given.contains(n.as_str()))
        .map(|n| declare(n, None))
        .collect();
    let more = ModelProto {
        graph: Some(GraphProto {
            output,
            ..Default::default()
        }),
        ..Default::default()
    };
    Ok([&file[..], &more.encode_to_vec()].concat())
}

/// The whole graph with every tensor declared as an output, its inputs as they are expected, and large weights as inputs: all that a shape depends
/// on, and nothing large. The shape of each of `ranked` is an output as well, under the name that [`rank_name`] gives it.
pub fn skeleton(graph: &Graph, inputs: &IndexMap<String, Expected>, ranked: &[String]) -> Vec<u8> {
    let same = |name: &str| name.to_string();
    let steps = || graph.steps.iter().flat_map(|s| &s.nodes);
    let (kept, left): (Vec<_>, Vec<_>) = graph.weights.iter().partition(|(_, t)| is_small(t));
    let shape_of = |n: &String| NodeProto {
        op_type: Some("Shape".into()),
        name: Some(rank_name(n)),
        input: vec![n.clone()],
        output: vec![rank_name(n)],
        ..Default::default()
    };
    let expected = |(n, e): (&String, &Expected)| match &e.shape {
        Some(shape) => declare_shaped(n, e.dtype, shape),
        None => declare(n, Some(e.dtype)),
    };
    let outputs = graph
        .steps
        .iter()
        .flat_map(|s| &s.outputs)
        .cloned()
        .chain(ranked.iter().map(|n| rank_name(n)));
    let body = GraphProto {
        name: Some("skeleton".into()),
        node: steps()
            .map(|n| encode_node(n, &same))
            .chain(ranked.iter().map(shape_of))
            .collect(),
        initializer: kept.iter().map(|(n, t)| weights::encode(n, t)).collect(),
        input: left
            .iter()
            .map(|(n, t)| declare_shaped(n, t.dtype(), t.shape()))
            .chain(inputs.iter().map(expected))
            .collect(),
        output: outputs.map(|n| declare(&n, None)).collect(),
        ..Default::default()
    };
    model(graph, body)
}

/// What a skeleton calls the shape of `tensor`, whose own shape is its rank.
pub fn rank_name(tensor: &str) -> String {
    format!("parity/rank/{tensor}")
}

/// The name that ONNX Runtime knows the fed tensor by.
pub fn entry(link: Link, tensor: &str) -> String {
    match link {
        Link::Connected => tensor.to_string(),
        Link::Isolated => fed_name(tensor),
    }
}

fn model(graph: &Graph, body: GraphProto) -> Vec<u8> {
    ModelProto {
        ir_version: Some(graph.ir_version),
        producer_name: Some("parity".into()),
        graph: Some(body),
        opset_import: graph
            .opsets
            .iter()
            .map(|(d, v)| OperatorSetIdProto {
                domain: Some(d.clone()),
                version: Some(*v),
            })
            .collect(),
        functions: graph.functions.clone(),
        ..Default::default()
    }
    .encode_to_vec()
}

fn declare(name: &str, dtype: Option<DType>) -> proto::ValueInfoProto {
    let tensor = |d: DType| {
        proto::TypeValue::TensorType(proto::TensorType {
            elem_type: Some(d.onnx()),
            shape: None,
        })
    };
    proto::ValueInfoProto {
        name: Some(name.into()),
        r#type: dtype.map(|d| proto::TypeProto {
            value: Some(tensor(d)),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// A declared tensor of this dtype and shape.
pub fn declare_shaped(name: &str, dtype: DType, shape: &[usize]) -> proto::ValueInfoProto {
    let dim = |d: &usize| proto::Dimension {
        value: Some(proto::DimensionValue::DimValue(*d as i64)),
        ..Default::default()
    };
    let shape = proto::TensorShapeProto {
        dim: shape.iter().map(dim).collect(),
    };
    let tensor = proto::TensorType {
        elem_type: Some(dtype.onnx()),
        shape: Some(shape),
    };
    proto::ValueInfoProto {
        name: Some(name.into()),
        r#type: Some(proto::TypeProto {
            value: Some(proto::TypeValue::TensorType(tensor)),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// `graph` in the place of the body `like`, whose inputs and outputs it keeps; weights that are not its `own` lie around it.
pub fn as_body(graph: &Graph, like: &GraphProto, own: &dyn Fn(&str) -> bool) -> GraphProto {
    let same = |name: &str| name.to_string();
    GraphProto {
        node: graph
            .steps
            .iter()
            .flat_map(|s| &s.nodes)
            .map(|n| encode_node(n, &same))
            .collect(),
        initializer: graph
            .weights
            .iter()
            .filter(|(n, _)| own(n))
            .map(|(n, t)| weights::encode(n, t))
            .collect(),
        ..like.clone()
    }
}

fn encode_node(node: &Node, rename: &dyn Fn(&str) -> String) -> NodeProto {
    NodeProto {
        input: node.inputs.iter().map(|n| rename(n)).collect(),
        output: node.outputs.clone(),
        name: Some(node.name.clone()),
        op_type: Some(node.op.clone()),
        attribute: encode_attributes(&node.attributes, rename),
        domain: Some(node.domain.clone()),
        overload: None,
        ..Default::default()
    }
}

fn encode_attributes(
    attributes: &BTreeMap<String, Attribute>,
    rename: &dyn Fn(&str) -> String,
) -> Vec<AttributeProto> {
    let bytes = |s: &String| Bytes::copy_from_slice(s.as_bytes());
    let one = |(name, value): (&String, &Attribute)| {
        let mut a = AttributeProto {
            name: Some(name.clone()),
            ..Default::default()
        };
        let kind = match value {
            Attribute::Int(v) => (a.i = Some(*v), Kind::Int).1,
            Attribute::Float(v) => (a.f = Some(*v), Kind::Float).1,
            Attribute::Str(v) => (a.s = Some(bytes(v)), Kind::String).1,
            Attribute::Ints(v) => (a.ints = v.clone(), Kind::Ints).1,
            Attribute::Floats(v) => (a.floats = v.clone(), Kind::Floats).1,
            Attribute::Strs(v) => (a.strings = v.iter().map(bytes).collect(), Kind::Strings).1,
            Attribute::Other(v) => return with_renamed_bodies(v, rename),
        };
        a.set_type(kind);
        a
    };
    attributes.iter().map(one).collect()
}

/// A sub-graph sees the names of the graph around it; those that are renamed there are renamed inside as well.
pub fn with_renamed_bodies(
    attribute: &AttributeProto,
    rename: &dyn Fn(&str) -> String,
) -> AttributeProto {
    let mut a = attribute.clone();
    for body in a.g.iter_mut().chain(&mut a.graphs) {
        let outer: HashSet<String> = free_names(body).into_iter().collect();
        rename_body(body, &|n| {
            if outer.contains(n) {
                rename(n)
            } else {
                n.to_string()
            }
        });
    }
    a
}

fn rename_body(body: &mut GraphProto, rename: &dyn Fn(&str) -> String) {
    for node in &mut body.node {
        for input in &mut node.input {
            *input = rename(input);
        }
        for inner in node
            .attribute
            .iter_mut()
            .flat_map(|a| a.g.iter_mut().chain(&mut a.graphs))
        {
            rename_body(inner, rename);
        }
    }
    for out in &mut body.output {
        out.name = out.name.as_deref().map(rename);
    }
}

/// Names that the bodies of `node` take from the graph around them.
pub fn outer_names(node: &Node) -> Vec<String> {
    let bodies = node.attributes.values().filter_map(|a| match a {
        Attribute::Other(a) => Some(a.g.iter().chain(&a.graphs)),
        _ => None,
    });
    bodies.flatten().flat_map(free_names).collect()
}

/// Names that `body` takes from the graph around it.
pub fn free_names(body: &GraphProto) -> Vec<String> {
    let mut bound: HashSet<&str> = body
        .input
        .iter()
        .filter_map(|i| i.name.as_deref())
        .collect();
    bound.extend(body.initializer.iter().filter_map(|t| t.name.as_deref()));
    let mut free = Vec::new();
    for node in &body.node {
        let inner = node
            .attribute
            .iter()
            .flat_map(|a| a.g.iter().chain(&a.graphs))
            .flat_map(free_names);
        free.extend(
            node.input
                .iter()
                .cloned()
                .chain(inner)
                .filter(|n| !n.is_empty() && !bound.contains(n.as_str())),
        );
        bound.extend(node.output.iter().map(String::as_str));
    }
    free.extend(
        body.output
            .iter()
            .filter_map(|o| o.name.clone())
            .filter(|n| !bound.contains(n.as_str())),
    );
    free
}

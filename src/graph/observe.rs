//! observe: tensors inside the bodies of Loop and Scan become outputs of the step, one slice for every turn, so that they are judged like any other.
//!
//! The body gives a copy of each as a further scan output, under the name `NODE/NAME`; what it gave before, it gives bit for bit. A scan output must
//! have one shape in every turn (ONNX Runtime fails otherwise), so only a tensor whose shape is proved is observed: inference on the shapes of the
//! first turn tells it, and every carried tensor comes out of the body in the shape that it went in with. What is not observed abstains with a reason.

use super::cut::{self, free_names};
use super::hoist;
use super::infer::{self, Expected, Infer, is_small};
use super::proto::{AttributeProto, GraphProto, NodeProto};
use super::{Attribute, Dim, Graph, Node, Step, inline, load};
use crate::error::{Place, Result};
use crate::tensor::{DType, Tensor};
use indexmap::IndexMap;
use std::collections::{HashMap, HashSet};

/// What the body calls the copy of a tensor that is observed.
const COPY: &str = "parity/seen/";

/// What is known of the tensors inside bodies.
#[derive(Clone, Debug, Default)]
pub struct Bodies {
    /// Those that are observed, with the node of the body that gives them.
    pub seen: HashMap<String, Inner>,
    /// Why others are not.
    reasons: HashMap<String, String>,
}

/// A node of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inner {
    pub node: String,
    pub op: String,
    /// What the body calls the tensor.
    pub local: String,
    /// What the node takes, under the names of the graph; what is carried from turn to turn has none.
    pub inputs: Vec<String>,
}

/// `graph` with every tensor inside a Loop or Scan observed that can be.
pub fn observed(graph: Graph, inputs: &IndexMap<String, Tensor>, infer: Infer) -> Result<Graph> {
    let mut out = graph;
    for i in 0..out.steps.len() {
        let Some(repeated) =
            Repeated::of(&out.steps[i], &out).at(format!("node '{}'", out.steps[i].name))?
        else {
            continue;
        };
        let shapes = repeated.shapes(
            &out,
            &infer::around(&out, inputs, &out.steps[i].inputs, infer),
            infer,
        );
        let (mut seen, mut reasons) = (Vec::new(), Vec::new());
        for (local, inner) in repeated.inside() {
            let name = format!("{}/{local}", out.steps[i].name);
            match repeated
                .refuses(&out, &name)
                .or_else(|| unproved(shapes.get(&local)))
            {
                Some(why) => reasons.push((
                    name,
                    format!("inside the body of {}: {why}", out.steps[i].op()),
                )),
                None => seen.push((name, inner, shapes[&local].clone())),
            }
        }
        let node = repeated.giving(&seen);
        out.steps[i] = Step::of(node);
        out.bodies.reasons.extend(reasons);
        out.bodies
            .seen
            .extend(seen.into_iter().map(|(name, inner, _)| (name, inner)));
    }
    Ok(out)
}

fn unproved(expected: Option<&Expected>) -> Option<String> {
    match expected {
        Some(Expected { shape: Some(_), .. }) => None,
        Some(Expected { shape: None, .. }) => {
            Some("its shape is not known to be the same in every turn".into())
        }
        None => Some("what it is cannot be told beforehand".into()),
    }
}

/// Tensors inside bodies that nobody observes, with the reason. Constants are the file's, as weights are: nobody computes them.
pub fn hidden(graph: &Graph) -> Vec<(String, String)> {
    let (mut given, mut repeats): (HashSet<String>, Vec<(String, &str)>) = Default::default();
    for step in &graph.steps {
        let Ok(Some(repeated)) = Repeated::of(step, graph) else {
            continue;
        };
        given.extend(repeated.given().map(|n| format!("{}/{n}", step.name)));
        repeats.push((format!("{}/", step.name), step.op()));
    }
    let copy = |n: &str| {
        n.rsplit_once(COPY)
            .is_some_and(|(before, _)| before.ends_with('/'))
    };
    let reason = |(name, op): (String, String)| {
        let why = graph.bodies.reasons.get(&name).cloned();
        let nested = repeats
            .iter()
            .find(|(place, _)| name.starts_with(place))
            .map(|(_, op)| format!("inside a body within the body of {op}"));
        (
            name,
            why.or(nested)
                .unwrap_or_else(|| format!("inside the body of {op}, which is run as a whole")),
        )
    };
    let shown = |n: &str| graph.bodies.seen.contains_key(n) || given.contains(n) || copy(n);
    hoist::hidden(graph)
        .into_iter()
        .filter(|(n, _)| !shown(n))
        .map(reason)
        .collect()
}

/// How many of the last outputs of `node` are observed tensors of its body.
pub fn added(node: &Node) -> usize {
    let ports = body_of(node).map_or(&[][..], |b| &b.output);
    ports.iter().filter(|p| p.name().starts_with(COPY)).count()
}

/// The node as the file has it, but for those of the added outputs that `keep` asks for.
pub fn undone(node: &Node, keep: &dyn Fn(&str) -> bool) -> Node {
    let mut out = node.clone();
    let first = node.outputs.len() - added(node).min(node.outputs.len());
    let left: Vec<bool> = node.outputs[first..].iter().map(|n| keep(n)).collect();
    if let (false, Some(body)) = (left.is_empty(), body_mut(&mut out)) {
        let ports = body.output.len() - left.len();
        let gone: HashSet<String> = body.output[ports..]
            .iter()
            .zip(&left)
            .filter(|(_, keep)| !**keep)
            .map(|(p, _)| p.name().to_string())
            .collect();
        body.output.retain(|p| !gone.contains(p.name()));
        body.node
            .retain(|n| !n.output.iter().any(|o| gone.contains(o)));
        lengthen(&mut out.attributes, -(gone.len() as i64));
        let mut at = 0..;
        out.outputs.retain(|_| {
            at.next()
                .is_some_and(|i: usize| i < first || left[i - first])
        });
    }
    out
}

/// The step as the file has it.
pub fn original(step: &Step) -> Step {
    let nodes: Vec<Node> = step.nodes.iter().map(|n| undone(n, &|_| false)).collect();
    let outputs = step
        .outputs
        .iter()
        .filter(|o| nodes.iter().any(|n| n.outputs.contains(o)))
        .cloned()
        .collect();
    Step {
        nodes,
        outputs,
        ..step.clone()
    }
}

/// A step that runs a body once for every turn.
struct Repeated<'a> {
    node: &'a Node,
    proto: GraphProto,
    body: Graph,
    /// Inputs of the node before the first one that is carried, and how many are.
    before: usize,
    carried: usize,
}

impl<'a> Repeated<'a> {
    fn of(step: &'a Step, graph: &Graph) -> Result<Option<Self>> {
        let ([node], Some(proto)) = (step.nodes.as_slice(), step.nodes.first().and_then(body_of))
        else {
            return Ok(None);
        };
        let scanned = match node.attributes.get("num_scan_inputs") {
            Some(Attribute::Int(n)) => usize::try_from(*n).unwrap_or(0),
            _ => 0,
        };
        let (before, rest) = match (
            node.op.as_str(),
            node.domain.as_str(),
            graph.opset("").unwrap_or(0),
        ) {
            ("Loop", "", _) => (2, 0),
            ("Scan", "", 9..) => (0, scanned),
            _ => return Ok(None),
        };
        let carried = node.inputs.len().saturating_sub(before + rest);
        let proto = GraphProto {
            node: inline::inlined(proto.node.clone(), &graph.functions, &graph.opsets)?,
            ..proto.clone()
        };
        let body = load::body(&proto, graph)?;
        Ok(Some(Self {
            node,
            proto,
            body,
            before,
            carried,
        }))
    }

    /// Body outputs before the first of every turn: a condition, what is carried.
    fn first(&self) -> usize {
        self.carried + usize::from(self.node.op == "Loop")
    }

    /// Tensors of the body that the node gives already, one slice for every turn.
    fn given(&self) -> impl Iterator<Item = &str> {
        self.body
            .outputs
            .iter()
            .skip(self.first())
            .map(|p| p.name.as_str())
    }

    /// Tensors that the body computes, in its order; those that the node gives turn by turn too, which may lie along another axis there.
    fn inside(&self) -> Vec<(String, Inner)> {
        let computed: HashSet<&String> = self.body.steps.iter().flat_map(|s| &s.outputs).collect();
        let ports: HashSet<&String> = self.body.inputs.iter().map(|p| &p.name).collect();
        let called = |n: &String| {
            if computed.contains(n) || self.body.weights.contains_key(n) {
                format!("{}/{n}", self.node.name)
            } else {
                n.clone()
            }
        };
        let steps = self.body.steps.iter().filter(|s| s.op() != "Constant");
        let inner = |s: &Step, local: &String| Inner {
            node: format!("{}/{}", self.node.name, s.name),
            op: s.op().to_string(),
            local: local.clone(),
            inputs: s
                .inputs
                .iter()
                .filter(|n| !ports.contains(n))
                .map(called)
                .collect(),
        };
        steps
            .flat_map(|s| s.outputs.iter().map(move |o| (o.clone(), inner(s, o))))
            .collect()
    }

    /// Why nothing of the body can be observed, or not under this name.
    fn refuses(&self, graph: &Graph, name: &str) -> Option<String> {
        let outputs = self.body.outputs.len() - usize::from(self.node.op == "Loop");
        if self.node.outputs.len() != outputs || self.node.outputs.iter().any(String::is_empty) {
            return Some("the node leaves out some of its outputs".into());
        }
        let taken = graph.producers().contains_key(name)
            || graph.weights.contains_key(name)
            || graph.inputs.iter().any(|p| p.name == name);
        taken.then(|| "another tensor has the name that it would be observed by".into())
    }

    /// What the tensors of the body are in every turn; `around` is what is known of those outside.
    fn shapes(
        &self,
        graph: &Graph,
        around: &HashMap<String, Expected>,
        infer: Infer,
    ) -> HashMap<String, Expected> {
        let mut part = self.body.clone();
        let mut declared: IndexMap<String, Expected> = IndexMap::new();
        for (i, port) in self.body.inputs.iter().enumerate() {
            let Some(expected) = self.taken(i, &port.shape, around) else {
                return HashMap::new();
            };
            declared.insert(port.name.clone(), expected);
        }
        for name in free_names(&self.proto) {
            match (constant(graph, &name), around.get(&name)) {
                (Some(t), _) => drop(part.weights.insert(name, t)),
                (None, Some(expected)) => drop(declared.insert(name, expected.clone())),
                (None, None) => return HashMap::new(),
            }
        }
        loop {
            let told = infer(&part, &declared);
            let of = |n: &str| {
                told.get(n)
                    .or(declared.get(n))
                    .cloned()
                    .or(part.weights.get(n).map(Expected::of))
            };
            let pairs = self
                .body
                .outputs
                .iter()
                .skip(self.first() - self.carried)
                .zip(self.body.inputs.iter().skip(self.before))
                .take(self.carried);
            let changed = |from: &str, to: &str| {
                declared[to].shape.is_some() && of(from).and_then(|e| e.shape) != declared[to].shape
            };
            let open: Vec<String> = pairs
                .filter(|(from, to)| changed(&from.name, &to.name))
                .map(|(_, to)| to.name.clone())
                .collect();
            if open.is_empty() {
                return told;
            }
            open.iter()
                .filter_map(|n| declared.get_mut(n).map(|e| e.shape = None))
                .for_each(drop);
        }
    }

    /// What input `i` of the body is in the first turn.
    fn taken(
        &self,
        i: usize,
        stated: &Option<Vec<Dim>>,
        around: &HashMap<String, Expected>,
    ) -> Option<Expected> {
        let one = |dtype| {
            let known = |d: &Dim| {
                if let Dim::Known(n) = d {
                    Some(*n)
                } else {
                    None
                }
            };
            let shape = stated
                .as_ref()
                .and_then(|s| s.iter().map(known).collect::<Option<Vec<_>>>());
            Some(Expected {
                dtype,
                shape: Some(shape.unwrap_or_default()),
            })
        };
        match (self.node.op.as_str(), i) {
            ("Loop", 0) => return one(DType::I64),
            ("Loop", 1) => return one(DType::Bool),
            _ => {}
        }
        let mut expected = around.get(self.node.inputs.get(i)?)?.clone();
        if let (Some(k), Some(shape)) = (
            i.checked_sub(self.before + self.carried),
            expected.shape.as_mut(),
        ) {
            // A scanned input comes without its axis.
            let axis = match self.node.attributes.get("scan_input_axes") {
                Some(Attribute::Ints(axes)) => axes.get(k).copied()?,
                _ => 0,
            };
            let axis = usize::try_from(if axis < 0 {
                axis + shape.len() as i64
            } else {
                axis
            })
            .ok()
            .filter(|a| *a < shape.len())?;
            shape.remove(axis);
        }
        Some(expected)
    }

    /// The node, giving `seen` as well.
    fn giving(&self, seen: &[(String, Inner, Expected)]) -> Node {
        let mut body = self.proto.clone();
        for (_, inner, expected) in seen {
            let copy = format!("{COPY}{}", inner.local);
            let identity = NodeProto {
                op_type: Some("Identity".into()),
                name: Some(copy.clone()),
                ..Default::default()
            };
            body.node.push(NodeProto {
                input: vec![inner.local.clone()],
                output: vec![copy.clone()],
                ..identity
            });
            body.output.push(cut::declare_shaped(
                &copy,
                expected.dtype,
                expected.shape.as_deref().unwrap_or_default(),
            ));
        }
        let mut node = self.node.clone();
        node.outputs
            .extend(seen.iter().map(|(name, ..)| name.clone()));
        set_body(&mut node, body);
        lengthen(&mut node.attributes, seen.len() as i64);
        node
    }
}

/// A small tensor that the graph itself states.
pub(super) fn constant(graph: &Graph, name: &str) -> Option<Tensor> {
    let of_node = || {
        let node = graph
            .steps
            .iter()
            .flat_map(|s| &s.nodes)
            .find(|n| n.outputs.iter().any(|o| o == name) && n.op == "Constant")?;
        node.attributes.get("value")?.tensor()?.ok()
    };
    graph
        .weights
        .get(name)
        .cloned()
        .or_else(of_node)
        .filter(is_small)
}

/// The body that the node repeats.
pub fn body_of(node: &Node) -> Option<&GraphProto> {
    match node.attributes.get("body") {
        Some(Attribute::Other(a)) => a.g.as_ref(),
        _ => None,
    }
}

fn body_mut(node: &mut Node) -> Option<&mut GraphProto> {
    match node.attributes.get_mut("body") {
        Some(Attribute::Other(a)) => a.g.as_mut(),
        _ => None,
    }
}

/// Gives the node another body.
pub fn set_body(node: &mut Node, body: GraphProto) {
    if let Some(Attribute::Other(a)) = node.attributes.get_mut("body") {
        **a = AttributeProto {
            g: Some(body),
            ..(**a).clone()
        };
    }
}

/// Scan states an axis and a direction for every output, or for none: zeros for `more` of them.
fn lengthen(attributes: &mut std::collections::BTreeMap<String, Attribute>, more: i64) {
    for name in ["scan_output_axes", "scan_output_directions"] {
        if let Some(Attribute::Ints(list)) = attributes.get_mut(name) {
            list.resize((list.len() as i64 + more).max(0) as usize, 0);
        }
    }
}

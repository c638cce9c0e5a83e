//! hoist: an If whose condition is decided becomes the branch that it takes, so that every tensor inside is one of the graph's.
//!
//! A condition is decided by weights, constants, small integer values of the inputs, and shapes: of the inputs, and of every tensor whose shape follows
//! from them by inference. All that is the same in every engine; a condition that is computed from values stays. The tensors inside are called
//! `NODE/NAME`.

use super::cut::with_renamed_bodies;
use super::infer::{self, Infer, is_small};
use super::proto::AttributeProto;
use super::{Attribute, Graph, Node, Step, load};
use crate::error::{Place, Result};
use crate::tensor::Tensor;
use indexmap::IndexMap;
use std::collections::HashMap;

/// `graph` with every decided If replaced by its branch, nested ones as well; None where there is none.
pub fn decided(
    graph: &Graph,
    inputs: &IndexMap<String, Tensor>,
    infer: Infer,
) -> Result<Option<Graph>> {
    if !graph.steps.iter().any(|s| s.op() == "If") {
        return Ok(None);
    }
    let (mut out, mut changed) = (graph.clone(), false);
    let mut known = Known::of(graph, inputs);
    let mut i = 0;
    while i < out.steps.len() {
        known.follow(&out.steps[i]);
        let branch = taken(&out.steps[i], &known).or_else(|| {
            known.learn(&out, i, inputs, infer);
            taken(&out.steps[i], &known)
        });
        match branch {
            None => i += 1,
            Some(branch) => {
                let steps = branch_of(&mut out, i, branch)
                    .at(format!("node '{}' (If)", out.steps[i].name))?;
                for name in steps.iter().flat_map(|s| &s.inputs) {
                    known.weight(name, &out);
                }
                out.steps.splice(i..=i, steps);
                changed = true;
            }
        }
    }
    Ok(changed.then_some(out))
}

/// Whether a node runs a body.
pub fn has_body(node: &Node) -> bool {
    node.attributes
        .values()
        .any(|a| matches!(a, Attribute::Other(a) if a.g.is_some() || !a.graphs.is_empty()))
}

/// Every tensor that is computed inside a body, with what runs the body.
pub fn hidden(graph: &Graph) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for node in graph.steps.iter().flat_map(|s| &s.nodes) {
        let mut open: Vec<(String, &AttributeProto)> = Vec::new();
        for attribute in node.attributes.values() {
            if let Attribute::Other(a) = attribute {
                open.push((node.name.clone(), a));
            }
        }
        while let Some((place, a)) = open.pop() {
            for inner in
                a.g.iter()
                    .chain(&a.graphs)
                    .flat_map(|g| &g.node)
                    .filter(|n| n.op_type() != "Constant")
            {
                all.extend(
                    inner
                        .output
                        .iter()
                        .filter(|o| !o.is_empty())
                        .map(|o| (format!("{place}/{o}"), node.op.clone())),
                );
                open.extend(
                    inner
                        .attribute
                        .iter()
                        .map(|a| (format!("{place}/{}", inner.name()), a)),
                );
            }
        }
    }
    all
}

/// The name of the branch that a decided If takes.
fn taken(step: &Step, known: &Known) -> Option<&'static str> {
    let node = step
        .nodes
        .first()
        .filter(|n| n.op == "If" && n.domain.is_empty())?;
    let condition = known.values.get(node.inputs.first()?)?.first()?;
    Some(if *condition != 0 {
        "then_branch"
    } else {
        "else_branch"
    })
}

/// The steps of a branch, under names of their own; its weights become the graph's.
fn branch_of(graph: &mut Graph, at: usize, branch: &str) -> Result<Vec<Step>> {
    let node = graph.steps[at].nodes[0].clone();
    let body = match node.attributes.get(branch) {
        Some(Attribute::Other(a)) if a.g.is_some() => {
            load::body(a.g.as_ref().unwrap_or(&Default::default()), graph)?
        }
        _ => {
            return Err(crate::error::Error::usage(format!(
                "attribute '{branch}' should be a graph"
            )));
        }
    };
    let produced: Vec<&String> = body.steps.iter().flat_map(|s| &s.outputs).collect();
    let mut own: HashMap<String, String> = produced
        .iter()
        .map(|n| (n.to_string(), format!("{}/{n}", node.name)))
        .collect();
    own.extend(
        body.weights
            .keys()
            .map(|n| (n.clone(), format!("{}/{n}", node.name))),
    );
    // A tensor that the branch gives is called what the node calls it; one that it gives twice, or does not compute, is copied.
    let mut copies = Vec::new();
    let mut direct: HashMap<&str, &String> = HashMap::new();
    for (inner, outer) in body
        .outputs
        .iter()
        .map(|p| &p.name)
        .zip(&node.outputs)
        .filter(|(_, o)| !o.is_empty())
    {
        match produced.contains(&inner) && !direct.contains_key(inner.as_str()) {
            true => {
                direct.insert(inner, outer);
            }
            false => copies.push((inner.clone(), outer.clone())),
        }
    }
    own.extend(
        direct
            .iter()
            .map(|(inner, outer)| (inner.to_string(), outer.to_string())),
    );
    let rename = |n: &str| own.get(n).cloned().unwrap_or(n.to_string());
    let mut steps: Vec<Step> = body
        .steps
        .iter()
        .flat_map(|s| &s.nodes)
        .map(|n| Step::of(renamed(n, &node.name, &rename)))
        .collect();
    steps.extend(
        copies
            .into_iter()
            .map(|(inner, outer)| Step::of(copy(&rename(&inner), outer))),
    );
    graph
        .weights
        .extend(body.weights.iter().map(|(n, t)| (rename(n), t.clone())));
    Ok(steps)
}

fn renamed(inner: &Node, place: &str, rename: &dyn Fn(&str) -> String) -> Node {
    let names = |list: &[String]| {
        list.iter()
            .map(|n| {
                if n.is_empty() {
                    String::new()
                } else {
                    rename(n)
                }
            })
            .collect()
    };
    let attribute = |a: &Attribute| match a {
        Attribute::Other(a) => Attribute::Other(Box::new(with_renamed_bodies(a, rename))),
        plain => plain.clone(),
    };
    Node {
        name: format!("{place}/{}", inner.name),
        inputs: names(&inner.inputs),
        outputs: names(&inner.outputs),
        attributes: inner
            .attributes
            .iter()
            .map(|(n, a)| (n.clone(), attribute(a)))
            .collect(),
        ..inner.clone()
    }
}

fn copy(from: &str, to: String) -> Node {
    Node {
        name: to.clone(),
        op: "Identity".into(),
        domain: String::new(),
        inputs: vec![from.into()],
        outputs: vec![to],
        attributes: Default::default(),
    }
}

/// Small integers and truths that are the same in every engine.
struct Known {
    values: HashMap<String, Vec<i64>>,
    shapes: HashMap<String, Vec<usize>>,
}

impl Known {
    fn of(graph: &Graph, inputs: &IndexMap<String, Tensor>) -> Self {
        let mut known = Self {
            values: HashMap::new(),
            shapes: HashMap::new(),
        };
        graph
            .weights
            .iter()
            .chain(inputs)
            .for_each(|(n, t)| known.put(n, t));
        known
    }

    fn put(&mut self, name: &str, t: &Tensor) {
        self.shapes.insert(name.into(), t.shape().to_vec());
        if let Some(values) = Some(t)
            .filter(|t| is_small(t) && !t.dtype().is_float())
            .and_then(Tensor::to_i64)
        {
            self.values.insert(name.into(), values);
        }
    }

    /// A weight that came with a branch.
    fn weight(&mut self, name: &str, graph: &Graph) {
        if let Some(t) = graph
            .weights
            .get(name)
            .filter(|_| !self.shapes.contains_key(name))
        {
            self.put(name, t);
        }
    }

    /// Shapes of all that the condition of step `at` depends on, and what follows from them.
    fn learn(&mut self, graph: &Graph, at: usize, inputs: &IndexMap<String, Tensor>, infer: Infer) {
        let step = &graph.steps[at];
        let Some(condition) = step.nodes[0].inputs.first().filter(|_| step.op() == "If") else {
            return;
        };
        let told = infer::around(graph, inputs, std::slice::from_ref(condition), infer);
        self.shapes.extend(
            told.into_iter()
                .filter_map(|(name, e)| Some((name, e.shape?))),
        );
        graph.steps[..at].iter().for_each(|s| self.follow(s));
    }

    /// What a step gives, where all that it takes is known.
    fn follow(&mut self, step: &Step) {
        for node in &step.nodes {
            if let (Some(values), Some(name)) = (self.result(node), node.outputs.first()) {
                self.values.insert(name.clone(), values);
            }
        }
    }

    fn result(&self, node: &Node) -> Option<Vec<i64>> {
        let input = |i: usize| self.values.get(node.inputs.get(i)?);
        let flat = |i: usize| {
            self.shapes
                .get(&node.inputs[i])
                .is_some_and(|s| s.len() <= 1)
        };
        let both = |f: &dyn Fn(i64, i64) -> Option<i64>| {
            let (a, b) = (input(0)?, input(1)?);
            // Lists of several dimensions may be broadcast against each other.
            if a.len() == 1 || b.len() == 1 || flat(0) && flat(1) {
                elementwise(a, b, f)
            } else {
                None
            }
        };
        let number = |f: fn(i64, i64) -> Option<i64>| both(&f);
        let pair = |f: fn(i64, i64) -> bool| both(&|a, b| Some(i64::from(f(a, b))));
        if !node.domain.is_empty() {
            return None;
        }
        match node.op.as_str() {
            "Constant" => match node.attributes.first_key_value()?.1 {
                Attribute::Int(v) => Some(vec![*v]),
                value @ Attribute::Other(_) => value
                    .tensor()?
                    .ok()
                    .filter(|t| is_small(t) && !t.dtype().is_float())?
                    .to_i64(),
                _ => None,
            },
            "Identity" | "Squeeze" | "Unsqueeze" | "Reshape" | "Flatten" => input(0).cloned(),
            "Cast" => match node.attributes.get("to")? {
                Attribute::Int(9) => Some(input(0)?.iter().map(|v| i64::from(*v != 0)).collect()),
                Attribute::Int(7) => input(0).cloned(),
                _ => None,
            },
            "Equal" => pair(|a, b| a == b),
            "Greater" => pair(|a, b| a > b),
            "Less" => pair(|a, b| a < b),
            "GreaterOrEqual" => pair(|a, b| a >= b),
            "LessOrEqual" => pair(|a, b| a <= b),
            "And" => pair(|a, b| a != 0 && b != 0),
            "Or" => pair(|a, b| a != 0 || b != 0),
            "Xor" => pair(|a, b| (a != 0) != (b != 0)),
            "Not" => Some(input(0)?.iter().map(|v| i64::from(*v == 0)).collect()),
            "Add" => number(i64::checked_add),
            "Sub" => number(i64::checked_sub),
            "Mul" => number(i64::checked_mul),
            "Concat" if matches!(node.attributes.get("axis"), Some(Attribute::Int(0))) => Some(
                (0..node.inputs.len())
                    .map(input)
                    .collect::<Option<Vec<_>>>()?
                    .into_iter()
                    .flatten()
                    .copied()
                    .collect(),
            ),
            "Shape" if node.attributes.is_empty() => self
                .shapes
                .get(node.inputs.first()?)
                .map(|s| s.iter().map(|d| *d as i64).collect()),
            "Size" => self
                .shapes
                .get(node.inputs.first()?)
                .map(|s| vec![s.iter().product::<usize>() as i64]),
            "Gather" if matches!(node.attributes.get("axis"), None | Some(Attribute::Int(0))) => {
                let (all, at) = (input(0)?, input(1)?);
                self.shapes
                    .get(&node.inputs[0])
                    .is_none_or(|s| s.len() == 1)
                    .then_some(())?;
                let one = |i: &i64| {
                    all.get(usize::try_from(if *i < 0 { *i + all.len() as i64 } else { *i }).ok()?)
                        .copied()
                };
                at.iter().map(one).collect()
            }
            _ => None,
        }
    }
}

/// `f` of each pair; a list of one goes with all of the other.
fn elementwise(a: &[i64], b: &[i64], f: &dyn Fn(i64, i64) -> Option<i64>) -> Option<Vec<i64>> {
    let n = if a.len() == 1 { b.len() } else { a.len() };
    let at = |v: &[i64], i: usize| {
        if v.len() == 1 {
            Some(v[0])
        } else {
            v.get(i).copied()
        }
    };
    (0..n).map(|i| f(at(a, i)?, at(b, i)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::proto::*;
    use super::*;

    fn node(op: &str, name: &str, inputs: &[&str], output: &str) -> NodeProto {
        let own = |names: &[&str]| names.iter().map(|n| n.to_string()).collect();
        NodeProto {
            op_type: Some(op.into()),
            name: Some(name.into()),
            input: own(inputs),
            output: own(&[output]),
            ..Default::default()
        }
    }

    fn info(name: &str) -> ValueInfoProto {
        ValueInfoProto {
            name: Some(name.into()),
            r#type: None,
            ..Default::default()
        }
    }

    fn branch(name: &str, nodes: Vec<NodeProto>, output: &str) -> AttributeProto {
        let body = GraphProto {
            node: nodes,
            output: vec![info(output)],
            ..Default::default()
        };
        AttributeProto {
            name: Some(name.into()),
            g: Some(body),
            r#type: Some(AttributeType::Graph as i32),
            ..Default::default()
        }
    }

    fn either(
        name: &str,
        condition: &str,
        output: &str,
        then: (Vec<NodeProto>, &str),
        other: (Vec<NodeProto>, &str),
    ) -> NodeProto {
        let attribute = vec![
            branch("then_branch", then.0, then.1),
            branch("else_branch", other.0, other.1),
        ];
        NodeProto {
            attribute,
            ..node("If", name, &[condition], output)
        }
    }

    fn untold(
        _: &Graph,
        _: &IndexMap<String, infer::Expected>,
    ) -> HashMap<String, infer::Expected> {
        HashMap::new()
    }

    /// y = rate == 16 ? relu(relu(x)) : x, with an If inside that is decided by a constant of the branch.
    fn graph() -> Graph {
        let value = TensorProto {
            data_type: Some(9),
            int32_data: vec![1],
            ..Default::default()
        };
        let value = AttributeProto {
            name: Some("value".into()),
            t: Some(value),
            r#type: Some(AttributeType::Tensor as i32),
            ..Default::default()
        };
        let truth = NodeProto {
            attribute: vec![value],
            ..node("Constant", "c", &[], "yes")
        };
        let inner = either(
            "again",
            "yes",
            "b",
            (vec![node("Relu", "r2", &["a"], "z")], "z"),
            (vec![node("Neg", "n", &["a"], "z")], "z"),
        );
        let then = (vec![node("Relu", "r1", &["x"], "a"), truth, inner], "b");
        let is = node("Equal", "is", &["rate", "sixteen"], "cond");
        loaded(
            vec![is, either("if", "cond", "y", then, (vec![], "x"))],
            &["x", "rate"],
        )
    }

    /// These nodes and the number sixteen as a graph that gives y.
    fn loaded(nodes: Vec<NodeProto>, inputs: &[&str]) -> Graph {
        let sixteen = TensorProto {
            name: Some("sixteen".into()),
            data_type: Some(7),
            int64_data: vec![16],
            ..Default::default()
        };
        let body = GraphProto {
            node: nodes,
            initializer: vec![sixteen],
            input: inputs.iter().map(|n| info(n)).collect(),
            output: vec![info("y")],
            ..Default::default()
        };
        let opset = OperatorSetIdProto {
            domain: None,
            version: Some(17),
        };
        let model = ModelProto {
            ir_version: Some(8),
            graph: Some(body),
            opset_import: vec![opset],
            ..Default::default()
        };
        load::parse(prost::Message::encode_to_vec(&model).into(), None).unwrap()
    }

    fn with_rate(rate: i64) -> Vec<(String, String)> {
        let inputs = [("rate".to_string(), Tensor::of(&[], &[rate]))]
            .into_iter()
            .collect();
        let hoisted = decided(&graph(), &inputs, &untold)
            .unwrap()
            .expect("decided");
        assert!(hidden(&hoisted).is_empty());
        hoisted
            .steps
            .iter()
            .map(|s| (s.op().to_string(), s.outputs.join(",")))
            .collect()
    }

    #[test]
    fn a_decided_branch_is_hoisted_with_what_is_nested_in_it() {
        let own = |list: &[(&str, &str)]| {
            list.iter()
                .map(|(a, b)| (a.to_string(), b.to_string()))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            with_rate(16),
            own(&[
                ("Equal", "cond"),
                ("Relu", "if/a"),
                ("Constant", "if/yes"),
                ("Relu", "y")
            ])
        );
        assert_eq!(with_rate(8), own(&[("Equal", "cond"), ("Identity", "y")]));
    }

    #[test]
    fn an_undecided_branch_stays_and_what_is_inside_is_counted() {
        assert!(
            decided(&graph(), &IndexMap::new(), &untold)
                .unwrap()
                .is_none()
        );
        let names: Vec<String> = hidden(&graph()).into_iter().map(|(n, _)| n).collect();
        assert_eq!(names, ["if/a", "if/b", "if/again/z", "if/again/z"]);
    }

    /// y = decide(p) ? relu(p) : p, where only `p` is of the graph's making.
    fn behind(decide: Vec<NodeProto>) -> Option<Graph> {
        let choice = either(
            "if",
            "cond",
            "y",
            (vec![node("Relu", "r", &["p"], "z")], "z"),
            (vec![], "p"),
        );
        let graph = loaded(
            [
                vec![node("Conv", "conv", &["x", "k"], "p")],
                decide,
                vec![choice],
            ]
            .concat(),
            &["x", "k"],
        );
        let told = |part: &Graph, _: &IndexMap<String, infer::Expected>| {
            assert!(
                part.steps.iter().all(|s| s.op() != "If"),
                "only what the condition depends on is asked for"
            );
            [(
                "p".to_string(),
                infer::Expected {
                    dtype: crate::tensor::DType::F32,
                    shape: Some(vec![16]),
                },
            )]
            .into_iter()
            .collect()
        };
        decided(&graph, &IndexMap::new(), &told).unwrap()
    }

    #[test]
    fn a_condition_on_a_shape_that_can_be_told_is_decided_and_one_on_values_is_not() {
        let shape = || node("Shape", "s", &["p"], "n");
        let hoisted = behind(vec![
            shape(),
            node("Equal", "is", &["n", "sixteen"], "cond"),
        ])
        .expect("decided");
        let ops: Vec<&str> = hoisted.steps.iter().map(Step::op).collect();
        assert_eq!(ops, ["Conv", "Shape", "Equal", "Relu"]);
        let other = behind(vec![
            shape(),
            node("Sub", "d", &["n", "sixteen"], "zero"),
            node("Equal", "is", &["zero", "sixteen"], "cond"),
        ]);
        assert_eq!(
            other.expect("decided").steps.last().map(Step::op),
            Some("Identity")
        );
        assert!(behind(vec![node("Greater", "is", &["p", "k"], "cond")]).is_none());
        let size = node("NonZero", "nz", &["p"], "at");
        assert!(
            behind(vec![
                size,
                node("Shape", "s", &["at"], "n"),
                node("Equal", "is", &["n", "sixteen"], "cond")
            ])
            .is_none()
        );
    }
}

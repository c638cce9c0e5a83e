//! inline: calls of model-local functions replaced by what the functions consist of, so that every tensor inside is one of the graph's.
//!
//! The tensors inside are called `NODE/NAME`. A function of the domain `parity` stays a call: it is a mark that the interpreter knows. So does one
//! that reads another version of an operator set than the model does: its nodes would mean something else here.

use super::cut;
use super::proto::{AttributeProto, FunctionProto, NodeProto};
use crate::error::{Error, Result};
use std::collections::{BTreeMap, HashMap};

/// How deep functions may call each other.
const DEPTH: usize = 64;

/// `nodes` without calls of `functions`, in the same order; `opsets` are the model's.
pub fn inlined(
    nodes: Vec<NodeProto>,
    functions: &[FunctionProto],
    opsets: &BTreeMap<String, i64>,
) -> Result<Vec<NodeProto>> {
    let mut open: Vec<(NodeProto, usize)> = nodes.into_iter().rev().map(|n| (n, 0)).collect();
    let mut done = Vec::with_capacity(open.len());
    while let Some((node, depth)) = open.pop() {
        match functions
            .iter()
            .find(|f| is_called(f, &node) && fits(f, opsets))
        {
            None => done.push(node),
            Some(_) if depth == DEPTH => {
                return Err(Error::usage(format!(
                    "function {} calls itself, or functions are nested more than {DEPTH} deep",
                    node.op_type()
                )));
            }
            Some(f) => open.extend(expanded(&node, f).into_iter().rev().map(|n| (n, depth + 1))),
        }
    }
    Ok(done)
}

fn is_called(f: &FunctionProto, node: &NodeProto) -> bool {
    let named = f.name() == node.op_type()
        && f.domain() == node.domain()
        && f.overload() == node.overload();
    named && !f.domain().is_empty() && f.domain() != "parity"
}

fn fits(f: &FunctionProto, opsets: &BTreeMap<String, i64>) -> bool {
    let own = |domain: &str| {
        opsets
            .get(if domain == "ai.onnx" { "" } else { domain })
            .copied()
    };
    f.opset_import.iter().all(|o| own(o.domain()) == o.version)
}

/// The body of `f` in the place of `node`.
fn expanded(node: &NodeProto, f: &FunctionProto) -> Vec<NodeProto> {
    let place = if node.name().is_empty() {
        node.output.first().map_or("", String::as_str)
    } else {
        node.name()
    };
    let given = f
        .input
        .iter()
        .enumerate()
        .map(|(i, n)| (n.as_str(), node.input.get(i).cloned().unwrap_or_default()));
    let taken = f
        .output
        .iter()
        .zip(&node.output)
        .filter(|(_, o)| !o.is_empty())
        .map(|(n, o)| (n.as_str(), o.clone()));
    let known: HashMap<&str, String> = given.chain(taken).collect();
    let rename = |name: &str| match known.get(name) {
        _ if name.is_empty() => String::new(),
        Some(own) => own.clone(),
        None => format!("{place}/{name}"),
    };
    let stated: HashMap<&str, &AttributeProto> = f
        .attribute_proto
        .iter()
        .chain(&node.attribute)
        .map(|a| (a.name(), a))
        .collect();
    let one = |inner: &NodeProto| NodeProto {
        input: inner.input.iter().map(|n| rename(n)).collect(),
        output: inner.output.iter().map(|n| rename(n)).collect(),
        name: Some(format!(
            "{place}/{}",
            if inner.name().is_empty() {
                inner.op_type()
            } else {
                inner.name()
            }
        )),
        attribute: inner
            .attribute
            .iter()
            .filter_map(|a| resolved(a, &stated))
            .map(|a| cut::with_renamed_bodies(&a, &rename))
            .collect(),
        ..inner.clone()
    };
    f.node.iter().map(one).collect()
}

/// An attribute that refers to one of the call's takes its value; one that the call does not state is absent.
fn resolved(a: &AttributeProto, stated: &HashMap<&str, &AttributeProto>) -> Option<AttributeProto> {
    match a.ref_attr_name() {
        "" => Some(a.clone()),
        name => stated.get(name).map(|value| AttributeProto {
            name: a.name.clone(),
            ..(*value).clone()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::super::proto::{AttributeType, OperatorSetIdProto};
    use super::*;

    fn node(op: &str, domain: &str, inputs: &[&str], outputs: &[&str]) -> NodeProto {
        let own = |names: &[&str]| names.iter().map(|n| n.to_string()).collect();
        NodeProto {
            op_type: Some(op.into()),
            domain: Some(domain.into()),
            input: own(inputs),
            output: own(outputs),
            ..Default::default()
        }
    }

    fn attribute(name: &str, v: Option<f32>, refers: &str) -> AttributeProto {
        let refers = (!refers.is_empty()).then(|| refers.to_string());
        AttributeProto {
            name: Some(name.into()),
            f: v,
            r#type: Some(AttributeType::Float as i32),
            ref_attr_name: refers,
            ..Default::default()
        }
    }

    /// y = leaky(x) + x, the slope an attribute of the call.
    fn function(version: i64) -> FunctionProto {
        let mut leaky = node("LeakyRelu", "", &["x"], &["t"]);
        leaky.attribute = vec![attribute("alpha", None, "slope")];
        FunctionProto {
            name: Some("Bent".into()),
            domain: Some("mine".into()),
            input: vec!["x".into()],
            output: vec!["y".into()],
            node: vec![leaky, node("Add", "", &["t", "x"], &["y"])],
            opset_import: vec![OperatorSetIdProto {
                domain: None,
                version: Some(version),
            }],
            ..Default::default()
        }
    }

    fn call(attribute: Vec<AttributeProto>) -> NodeProto {
        NodeProto {
            name: Some("b".into()),
            attribute,
            ..node("Bent", "mine", &["a"], &["c"])
        }
    }

    fn opsets() -> BTreeMap<String, i64> {
        BTreeMap::from([(String::new(), 18), ("mine".into(), 1)])
    }

    #[test]
    fn the_body_takes_the_place_of_the_call_with_its_names_and_attributes() {
        let all = inlined(
            vec![call(vec![attribute("slope", Some(0.5), "")])],
            &[function(18)],
            &opsets(),
        )
        .unwrap();
        let names: Vec<_> = all
            .iter()
            .map(|n| (n.name(), n.op_type(), n.input.join(","), n.output.join(",")))
            .collect();
        let want = [
            ("b/LeakyRelu", "LeakyRelu", "a", "b/t"),
            ("b/Add", "Add", "b/t,a", "c"),
        ];
        assert_eq!(
            names,
            want.map(|(n, o, i, p)| (n, o, i.to_string(), p.to_string()))
        );
        assert_eq!(
            (all[0].attribute[0].name(), all[0].attribute[0].f),
            ("alpha", Some(0.5))
        );
        let silent = inlined(vec![call(vec![])], &[function(18)], &opsets()).unwrap();
        assert!(silent[0].attribute.is_empty());
    }

    #[test]
    fn a_function_of_another_operator_set_stays_a_call_and_one_that_calls_itself_is_refused() {
        assert_eq!(
            inlined(vec![call(vec![])], &[function(17)], &opsets()).unwrap(),
            [call(vec![])]
        );
        let endless = FunctionProto {
            node: vec![node("Bent", "mine", &["x"], &["y"])],
            ..function(18)
        };
        assert!(
            inlined(vec![call(vec![])], &[endless], &opsets())
                .unwrap_err()
                .message
                .contains("calls itself")
        );
    }
}

//! inside: a fault in a node of a body that is observed: the body is a graph, the fault is injected there, and the body put back.

use super::{Edit, Fault, fits};
use crate::error::{Error, Result};
use crate::graph::observe::{self, Inner};
use crate::graph::{Graph, Step, cut, load};

/// The observed node of a body that is called `node`, or gives a tensor of that name.
pub fn find<'a>(graph: &'a Graph, node: &str) -> Option<(&'a str, &'a Inner)> {
    let named = |(tensor, inner): &(&'a String, &'a Inner)| inner.node == node || *tensor == node;
    graph
        .bodies
        .seen
        .iter()
        .filter(named)
        .map(|(t, i)| (t.as_str(), i))
        .min_by_key(|(t, _)| *t)
}

/// `graph` with the fault in the node that gives `inner` in the body of `step`.
pub fn inject(
    graph: &Graph,
    step: usize,
    inner: &Inner,
    fault: &Fault,
    amount: f64,
) -> Result<Graph> {
    fits(fault, &inner.op, &inner.node)?;
    let outer = graph.steps[step]
        .nodes
        .iter()
        .find(|n| observe::body_of(n).is_some());
    let (node, proto) = outer
        .and_then(|n| Some((n, observe::body_of(n)?)))
        .ok_or_else(|| Error::usage("the node has no body"))?;
    let mut body = load::body(proto, graph)?;
    // What lies around the body can be replaced inside, for this node alone.
    for name in cut::free_names(proto) {
        body.weights
            .extend(graph.weights.get(&name).map(|t| (name, t.clone())));
    }
    let at = body.producers().get(inner.local.as_str()).copied();
    let at = at.ok_or_else(|| Error::usage(format!("the body has no '{}'", inner.local)))?;
    let mut edit = Edit::new(body, at, amount);
    (fault.inject)(&mut edit)?;
    let changed = edit.finish();
    let mut faulty = node.clone();
    observe::set_body(
        &mut faulty,
        cut::as_body(&changed, proto, &|n| !graph.weights.contains_key(n)),
    );
    let mut out = graph.clone();
    out.steps[step] = Step {
        name: graph.steps[step].name.clone(),
        ..Step::of(faulty)
    };
    (out.functions, out.opsets) = (changed.functions, changed.opsets);
    Ok(out)
}

//! graph: the nodes of a program and how values flow between them, each coloured by how far it is off; the candidate's beside the reference's where there are two.

use super::layout::{Edges, HEIGHT, placed};
use crate::graph::flow::Vertex;
use crate::report::cells::ratio_alone;
use crate::run::Run;
use crate::verdict::TensorResult;
use maud::{Markup, html};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

/// Error / tolerance up to which a node has each colour; beyond the last it has one more.
const COLOURS: [(f64, &str); 5] = [
    (0.01, "up to 0.01"),
    (0.1, "0.1"),
    (0.5, "0.5"),
    (1.0, "1"),
    (10.0, "10"),
];

/// Characters of an operator that are shown.
const LONGEST: usize = 18;

/// Every graph that the run holds, beside each other; nothing of a run without any.
pub fn graphs(run: &Run) -> Markup {
    let own = flows(run);
    let off = |i: usize| states(run, i);
    let titles = match own.len() {
        1 => vec![run.environment.reference.as_str()],
        _ => vec![
            run.environment.reference.as_str(),
            run.environment.candidate.as_str(),
        ],
    };
    html! {
        @if own.iter().any(|nodes| !nodes.is_empty()) {
            section id="graph" {
                h2 { "Graph" }
                (key())
                div id="graph-tools" class="tools" hidden {}
                div id="detail" class="detail" { span class="dim" { "A node leads to its row in the table." } }
                div class="graphs" {
                    @for (i, nodes) in own.iter().enumerate() {
                        figure {
                            figcaption { (titles.get(i).copied().unwrap_or_default()) ", " (nodes.len()) " nodes" }
                            (drawn(nodes, &off(i)))
                        }
                    }
                }
            }
        }
    }
}

/// What the colours mean.
fn key() -> Markup {
    html! {
        p class="dim" {
            "error / tolerance, the larger of alone and accumulated:"
            @for (i, (_, said)) in COLOURS.iter().enumerate() {
                span class=(format!("key k{}", i + 1)) {} (said)
            }
            span class="key k6" {} "more"
            span class="key k0" {} "not judged"
            span class="key own" {} "the node itself is at fault"
        }
    }
}

/// The graphs as the run holds them; of a run written before it did, its nodes as the tensors name them.
fn flows(run: &Run) -> Vec<Vec<Vertex>> {
    if !run.graphs.is_empty() {
        return run.graphs.clone();
    }
    let mut nodes: Vec<Vertex> = vec![];
    let mut at: HashMap<&str, usize> = HashMap::new();
    for t in &run.tensors {
        let i = *at.entry(&t.node).or_insert_with(|| {
            nodes.push(Vertex {
                name: t.node.clone(),
                op: t.op.clone(),
                inputs: run.graph_inputs.get(&t.node).cloned().unwrap_or_default(),
                outputs: vec![],
            });
            nodes.len() - 1
        });
        nodes[i].outputs.push(t.name.clone());
    }
    vec![nodes]
}

/// What is known of a tensor: its row in the table, how far it is off, whether its node is at fault.
struct State {
    row: usize,
    ratio: Option<f64>,
    own: bool,
}

/// By the tensor's name in graph `side`.
fn states(run: &Run, side: usize) -> HashMap<&str, State> {
    let pairs = run.correspondence.iter().flat_map(|c| &c.pairs);
    let theirs: BTreeMap<&str, &str> = pairs
        .map(|p| (p.reference.as_str(), p.candidate.as_str()))
        .collect();
    let state = |row: usize, t: &TensorResult| State {
        row,
        ratio: t
            .accumulated
            .ratio()
            .into_iter()
            .chain(ratio_alone(t))
            .reduce(worse),
        own: t.isolated.over(),
    };
    let named = |(row, t)| {
        let t: &TensorResult = t;
        let name = match side {
            0 => t.name.as_str(),
            _ => theirs.get(t.name.as_str()).copied()?,
        };
        Some((name, state(row, t)))
    };
    run.tensors.iter().enumerate().filter_map(named).collect()
}

/// NaN is worse than any number.
fn worse(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

fn colour(ratio: Option<f64>) -> usize {
    match ratio {
        None => 0,
        Some(ratio) => {
            let found = COLOURS.iter().position(|(most, _)| ratio <= *most);
            found.map_or(COLOURS.len() + 1, |i| i + 1)
        }
    }
}

fn label(op: &str) -> String {
    let op = if op.is_empty() { "?" } else { op };
    match op.char_indices().nth(LONGEST) {
        None => op.into(),
        Some((at, _)) => format!("{}…", &op[..at]),
    }
}

/// From node to node, by their places in the list.
fn edges(nodes: &[Vertex]) -> Vec<(usize, usize)> {
    let made = nodes.iter().enumerate();
    let made = made.flat_map(|(i, n)| n.outputs.iter().map(move |o| (o.as_str(), i)));
    let made: HashMap<&str, usize> = made.collect();
    let taken = nodes.iter().enumerate();
    let mut all: Vec<(usize, usize)> = taken
        .flat_map(|(i, n)| {
            n.inputs
                .iter()
                .filter_map(|t| made.get(t.as_str()))
                .map(move |from| (*from, i))
        })
        .filter(|(from, to)| from < to)
        .collect();
    all.sort_unstable();
    all.dedup();
    all
}

fn drawn(nodes: &[Vertex], states: &HashMap<&str, State>) -> Markup {
    let labels: Vec<String> = nodes.iter().map(|n| label(&n.op)).collect();
    let width = |l: &String| 14.0 + 6.5 * l.chars().count() as f64;
    let widths: Vec<f64> = labels.iter().map(width).collect();
    let edges = edges(nodes);
    let placed = placed(&Edges {
        widths: &widths,
        edges: &edges,
    });
    let (across, down) = (placed.size.0.ceil() + 20.0, placed.size.1.ceil() + 20.0);
    html! {
        svg class="graph" viewBox=(format!("-10 -10 {across} {down}")) role="img" aria-label="graph" {
            path class="e" d=(lines(&edges, &placed.at)) {}
            @for (i, node) in nodes.iter().enumerate() {
                (one(node, &labels[i], widths[i], placed.at[i], states))
            }
        }
    }
}

fn one(
    node: &Vertex,
    label: &str,
    width: f64,
    at: (f64, f64),
    states: &HashMap<&str, State>,
) -> Markup {
    let seen = node.outputs.iter().filter_map(|o| states.get(o.as_str()));
    let all: Vec<&State> = seen.collect();
    let ratio = all.iter().filter_map(|s| s.ratio).reduce(worse);
    let own = if all.iter().any(|s| s.own) {
        " own"
    } else {
        ""
    };
    let class = format!("n k{}{own}", colour(ratio));
    let place = format!("translate({:.0} {:.0})", at.0, at.1);
    let (x, width) = (format!("{:.0}", -width / 2.0), format!("{width:.0}"));
    let inside = html! { rect x=(x) width=(width) {} text { (label) } };
    match all.first() {
        Some(state) => html! {
            a class=(class) href=(format!("#t{}", state.row)) transform=(place) { (inside) }
        },
        None => html! { g class=(class) transform=(place) { (inside) } },
    }
}

/// A curve for each edge: down where it leads down, else round to the next part.
fn lines(edges: &[(usize, usize)], at: &[(f64, f64)]) -> String {
    let mut d = String::with_capacity(edges.len() * 32);
    for (from, to) in edges {
        let ((x, y), (to_x, to_y)) = (at[*from], at[*to]);
        let (y, to_y) = (y + HEIGHT / 2.0, to_y - HEIGHT / 2.0);
        let bend = ((to_y - y) / 2.0).clamp(8.0, 40.0);
        let _ = write!(
            d,
            "M{x:.0} {y:.0}C{x:.0} {:.0} {to_x:.0} {:.0} {to_x:.0} {to_y:.0}",
            y + bend,
            to_y - bend
        );
    }
    d
}

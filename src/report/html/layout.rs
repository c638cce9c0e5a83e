//! layout: where each node of a graph is drawn: layers by rust-sugiyama, in parts of bounded size that stand side by side, so that the time grows as the nodes do.
//!
//! A part ends where the fewest tensors go on. Places depend on the graph alone: the same file, the same picture.

use rust_sugiyama::configure::{Config, RankingType};
use rust_sugiyama::from_vertices_and_edges;

/// Nodes of a part: two and a half times the root of all, so that the picture is about as wide as high, within these.
const PART: std::ops::RangeInclusive<usize> = 60..=200;

/// Steps that the edges of a part may span in all, for each of its nodes; the longest are drawn and move nothing.
const SPAN: usize = 8;

/// Height of a node, and the space between nodes and between parts.
pub const HEIGHT: f64 = 22.0;
const GAP: f64 = 14.0;
const BETWEEN: f64 = 60.0;

/// Width at which parts of a graph that nothing connects go on below.
const ROW: f64 = 1200.0;

/// A graph: the width of each node, and edges from a node to one behind it.
pub struct Edges<'a> {
    pub widths: &'a [f64],
    pub edges: &'a [(usize, usize)],
}

/// The middle of each node, and the size of it all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placed {
    pub at: Vec<(f64, f64)>,
    pub size: (f64, f64),
}

pub fn placed(graph: &Edges) -> Placed {
    let n = graph.widths.len();
    let mut all = Placed {
        at: vec![(0.0, 0.0); n],
        size: (0.0, 0.0),
    };
    let ends = parts(n, graph.edges);
    let mut own: Vec<Vec<(usize, usize)>> = vec![vec![]; ends.len()];
    for (from, to) in graph.edges.iter().filter(|(from, to)| from < to) {
        let part = ends.partition_point(|end| end <= from);
        if *to < ends[part] {
            own[part].push((*from, *to));
        }
    }
    let mut begin = 0;
    for (end, edges) in ends.into_iter().zip(own) {
        column(graph.widths, begin..end, edges, &mut all);
        begin = end;
    }
    all
}

/// Where each part ends: in the last half of its room, where the fewest edges go on; the last of equals.
fn parts(n: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let most = (2.5 * (n as f64).sqrt()) as usize;
    let most = most.clamp(*PART.start(), *PART.end());
    let mut open = vec![0i64; n + 1];
    for (from, to) in edges.iter().filter(|(from, to)| from < to) {
        open[*from] += 1;
        open[*to] -= 1;
    }
    let mut going = 0;
    for o in &mut open {
        going += *o;
        *o = going;
    }
    let mut ends = vec![];
    let mut begin = 0;
    while n - begin > most {
        let room = begin + most / 2..begin + most;
        let cut = room.rev().min_by_key(|i| open[*i]);
        begin = cut.map_or(begin + most, |i| i + 1);
        ends.push(begin);
    }
    ends.push(n);
    ends
}

/// Lays one part out to the right of what there is.
fn column(
    widths: &[f64],
    part: std::ops::Range<usize>,
    mut edges: Vec<(usize, usize)>,
    all: &mut Placed,
) {
    edges.sort_unstable_by_key(|(from, to)| (to - from, *from));
    edges.dedup();
    let mut room = SPAN * part.len();
    edges.retain(|(from, to)| {
        let fits = to - from <= room;
        room -= if fits { to - from } else { 0 };
        fits
    });
    let vertices: Vec<(u32, (f64, f64))> = part
        .clone()
        .map(|i| ((i - part.start) as u32, (widths[i], HEIGHT)))
        .collect();
    let local = |i: usize| (i - part.start) as u32;
    edges.sort_unstable();
    let edges: Vec<(u32, u32)> = edges.iter().map(|(a, b)| (local(*a), local(*b))).collect();
    let config = Config {
        vertex_spacing: GAP,
        ranking_type: RankingType::MinimizeEdgeLength,
        ..Config::default()
    };
    let mut pieces = from_vertices_and_edges(&vertices, &edges, &config);
    for (nodes, ..) in &mut pieces {
        nodes.sort_unstable_by_key(|(i, _)| *i);
    }
    pieces.sort_unstable_by_key(|(nodes, ..)| nodes.first().map(|(i, _)| *i));
    let left = match all.size.0 {
        0.0 => 0.0,
        width => width + BETWEEN,
    };
    let (mut x, mut top, mut bottom) = (left, 0.0, 0.0f64);
    for (nodes, ..) in pieces {
        let nodes: Vec<(usize, (f64, f64))> = nodes
            .into_iter()
            .map(|(i, at)| (i + part.start, at))
            .collect();
        let (low, high) = extent(&nodes, widths);
        if x > left && x + high.0 - low.0 > left + ROW {
            (x, top) = (left, bottom + GAP);
        }
        for (i, at) in &nodes {
            all.at[*i] = (at.0 - low.0 + x, at.1 - low.1 + top);
        }
        x += high.0 - low.0 + GAP;
        bottom = bottom.max(top + high.1 - low.1);
        all.size = (all.size.0.max(x - GAP), all.size.1.max(bottom));
    }
}

/// The corners of what these nodes cover.
fn extent(nodes: &[(usize, (f64, f64))], widths: &[f64]) -> ((f64, f64), (f64, f64)) {
    let (mut low, mut high) = (
        (f64::INFINITY, f64::INFINITY),
        (f64::NEG_INFINITY, f64::NEG_INFINITY),
    );
    for (i, (x, y)) in nodes {
        let half = (widths[*i] / 2.0, HEIGHT / 2.0);
        low = (low.0.min(x - half.0), low.1.min(y - half.1));
        high = (high.0.max(x + half.0), high.1.max(y + half.1));
    }
    (low, high)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A chain with branches, and skips over five and over sixty nodes.
    fn network(n: usize) -> Vec<(usize, usize)> {
        let chain = (1..n).map(|i| (i - 1, i));
        let skips = (5..n).step_by(5).map(|i| (i - 5, i));
        let far = (60..n).step_by(60).map(|i| (i - 60, i));
        chain.chain(skips).chain(far).collect()
    }

    fn of(n: usize, edges: &[(usize, usize)]) -> Placed {
        let widths: Vec<f64> = (0..n).map(|i| 40.0 + (i % 7) as f64 * 8.0).collect();
        let graph = Edges {
            widths: &widths,
            edges,
        };
        let placed = placed(&graph);
        let overlap = |a: usize, b: usize| {
            let ((ax, ay), (bx, by)) = (placed.at[a], placed.at[b]);
            (ax - bx).abs() < (widths[a] + widths[b]) / 2.0 - 0.01
                && (ay - by).abs() < HEIGHT - 0.01
        };
        for a in 0..n {
            let (x, y) = placed.at[a];
            let inside = x - widths[a] / 2.0 > -0.01 && x + widths[a] / 2.0 < placed.size.0 + 0.01;
            assert!(inside && y > 0.0 && y < placed.size.1, "{a} at {x} {y}");
            assert!((0..a).all(|b| !overlap(a, b)), "{a} covers another node");
        }
        placed
    }

    #[test]
    fn no_node_covers_another_or_lies_outside_and_twice_the_same_graph_is_twice_the_same_picture() {
        for n in [0, 1, 2, 59, 61, 500] {
            let edges = network(n);
            assert_eq!(of(n, &edges), of(n, &edges), "{n}");
        }
    }

    #[test]
    fn within_a_part_a_node_stands_below_what_it_takes() {
        let edges = network(50);
        let placed = of(50, &edges);
        for (from, to) in edges {
            assert!(placed.at[from].1 < placed.at[to].1, "{from} {to}");
        }
    }

    #[test]
    fn nodes_without_edges_and_one_that_all_take_are_laid_out_too() {
        of(300, &[]);
        let star: Vec<_> = (1..300).map(|i| (0, i)).collect();
        of(300, &star);
        let backwards = [(5, 2), (3, 3), (0, 5)];
        of(6, &backwards);
    }

    #[test]
    fn a_part_ends_where_few_edges_go_on_and_is_no_larger_than_its_room() {
        let n = 5000;
        let ends = parts(n, &network(n));
        assert_eq!(ends.last(), Some(&n));
        let begins = std::iter::once(&0).chain(&ends);
        assert!(begins.zip(&ends).all(|(a, b)| b > a && b - a <= 200));
        // Sixty nodes that hang together, then nothing.
        let edges: Vec<_> = (0..3000)
            .filter(|i| i % 60 != 59)
            .map(|i| (i, i + 1))
            .collect();
        assert!(parts(3000, &edges).iter().all(|end| end % 60 == 0));
    }
}

//! growth: along edges from what is paired: the same operator in the same slot of a pair, where there is only one on either side.

use super::index::Index;
use super::weights::Held;
use super::{Evidence, Matching};
use crate::graph::Node;
use std::collections::BTreeMap;

/// Operators whose two inputs may stand in either order.
const COMMUTES: &[&str] = &[
    "Add", "Mul", "Max", "Min", "Sum", "And", "Or", "Xor", "Equal",
];

/// How alike the weights of two nodes must be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weights {
    Equal,
    /// As many of as many elements: a wrong export may hold others where nothing else stands.
    Alike,
}

/// Until nothing more is found; on other weights only where equal ones lead no further.
pub fn pair(a: &Index, b: &Index, found: &mut Matching) {
    loop {
        let before = found.to.len();
        once(a, b, Weights::Equal, found);
        if found.to.len() == before {
            once(a, b, Weights::Alike, found);
        }
        if found.to.len() == before {
            return;
        }
    }
}

/// Beside every pair.
fn once(a: &Index, b: &Index, weights: Weights, found: &mut Matching) {
    let mut pairs: Vec<(&str, &str)> = vec![];
    for ours in &a.order {
        let partner = found.partner(ours).and_then(|p| b.order.get(*b.at.get(p)?));
        pairs.extend(partner.map(|theirs| (*ours, *theirs)));
    }
    for (ours, theirs) in pairs {
        forward(a, b, (ours, theirs), weights, found);
        backward(a, b, (ours, theirs), found);
    }
}

/// Steps by the operator and the slot in which they take a tensor.
type Readers<'a> = BTreeMap<(&'a str, usize), Vec<usize>>;

/// Those of which `is_open` still looks for a partner.
fn readers<'a>(index: &Index<'a>, name: &str, is_open: &dyn Fn(&str) -> bool) -> Readers<'a> {
    let mut readers = Readers::new();
    for (step, slot) in index.taken.get(name).into_iter().flatten() {
        let op = index.node(*step).op.as_str();
        let slot = if COMMUTES.contains(&op) { 0 } else { *slot };
        if index.graph.steps[*step].outputs.iter().any(|o| is_open(o)) {
            readers.entry((op, slot)).or_default().push(*step);
        }
    }
    readers
}

/// Who takes the pair: of each operator and slot the only one that is left on both sides.
fn forward(
    a: &Index,
    b: &Index,
    (ours, theirs): (&str, &str),
    weights: Weights,
    found: &mut Matching,
) {
    let own = readers(a, ours, &|o| !found.to.contains_key(o));
    let other = readers(b, theirs, &|o| !found.from.contains_key(o));
    for (place, ours) in &own {
        let mut fits = vec![];
        for x in ours {
            let theirs = other.get(place).into_iter().flatten();
            let same = theirs.filter(|y| is_same(a, b, (*x, **y), weights, found));
            fits.extend(same.map(|y| (*x, *y)));
        }
        // Each has one partner, or none is taken.
        let alone = |(x, y): &(usize, usize)| {
            let with = fits.iter().filter(|(i, j)| i == x || j == y);
            with.count() == 1
        };
        for (x, y) in fits.iter().filter(|p| alone(p)) {
            let theirs = &b.graph.steps[*y].outputs;
            for (x, y) in a.graph.steps[*x].outputs.iter().zip(theirs) {
                // Another size is what is found out here; another number of axes is another tensor.
                let axes = |of: &Index, n: &str| of.shape(n).map(<[usize]>::len);
                if axes(a, x).is_some() && axes(a, x) == axes(b, y) {
                    found.pair(x, y, Evidence::Edge);
                }
            }
        }
    }
}

/// Whether two steps are one: the same operator on the same weights, and no input of the one is paired with something else than the other's.
fn is_same(
    a: &Index,
    b: &Index,
    (x, y): (usize, usize),
    weights: Weights,
    found: &Matching,
) -> bool {
    let (ours, theirs) = (a.node(x), b.node(y));
    ours.op == theirs.op
        && held(&a.held[x], &b.held[y], weights)
        && fed_alike(
            a,
            b,
            (&ours.inputs, &theirs.inputs),
            COMMUTES.contains(&ours.op.as_str()),
            found,
        )
}

fn held(ours: &Held, theirs: &Held, weights: Weights) -> bool {
    match weights {
        Weights::Equal => ours.is_same(theirs),
        Weights::Alike => ours.sizes() == theirs.sizes(),
    }
}

fn fed_alike(
    a: &Index,
    b: &Index,
    (ours, theirs): (&[String], &[String]),
    commutes: bool,
    found: &Matching,
) -> bool {
    let agrees = |x: &String, y: &String| match found.partner(x) {
        Some(partner) => partner == y,
        None => !a.moves(x) && !b.moves(y) || a.moves(x) && b.moves(y) && found.is_free(x, y),
    };
    // A recording does not say which constants a function took.
    let told = |of: &Index, names: &[String]| -> Vec<String> {
        let either = a.is_recorded || b.is_recorded;
        let kept = names.iter().filter(|n| !either || of.moves(n));
        kept.cloned().collect()
    };
    let (ours, theirs) = (told(a, ours), told(b, theirs));
    let straight =
        ours.len() == theirs.len() && ours.iter().zip(&theirs).all(|(x, y)| agrees(x, y));
    let turned = || {
        ours.len() == 2
            && theirs.len() == 2
            && agrees(&ours[0], &theirs[1])
            && agrees(&ours[1], &theirs[0])
    };
    straight || commutes && turned()
}

/// What makes the pair: the same operator is fed what the other one is, slot by slot.
fn backward(a: &Index, b: &Index, (ours, theirs): (&str, &str), found: &mut Matching) {
    let (Some(&x), Some(&y)) = (a.made.get(ours), b.made.get(theirs)) else {
        return;
    };
    if !is_same(a, b, (x, y), Weights::Equal, found) {
        return;
    }
    for (x, y) in fed(a, b, (a.node(x), b.node(y)), found) {
        let alike = a.moves(x) && b.moves(y) && a.shape(x) == b.shape(y);
        if alike && a.shape(x).is_some() {
            found.pair(x, y, Evidence::Edge);
        }
    }
}

/// Which inputs of two nodes that are one stand for each other: the only ones that move, whoever made them; of several, those that the same
/// operator made, and where the order is free only as far as it is told.
fn fed<'a>(
    a: &Index,
    b: &Index,
    (x, y): (&'a Node, &'a Node),
    found: &Matching,
) -> Vec<(&'a str, &'a str)> {
    let moving = |of: &Index, node: &'a Node| -> Vec<&'a str> {
        let all = node.inputs.iter().map(String::as_str);
        all.filter(|n| of.moves(n)).collect()
    };
    let (ours, theirs) = (moving(a, x), moving(b, y));
    let op = |of: &Index, n: &str| of.made.get(n).map(|i| of.node(*i).op.clone());
    let made_alike = |x: &str, y: &str| op(a, x) == op(b, y);
    match (ours.as_slice(), theirs.as_slice()) {
        ([x], [y]) => vec![(x, y)],
        ([x0, x1], [y0, y1]) if COMMUTES.contains(&x.op.as_str()) => {
            let pairs = |x: &str, y: &str| found.partner(x) == Some(y);
            // What only one of either side is told by.
            let alone = |x: &str, y: &str| {
                made_alike(x, y) && op(a, x0) != op(a, x1) && op(b, y0) != op(b, y1)
            };
            let told = |x: &str, y: &str| pairs(x, y) || alone(x, y);
            match (told(x0, y0) || told(x1, y1), told(x0, y1) || told(x1, y0)) {
                (true, false) => vec![(x0, y0), (x1, y1)],
                (false, true) => vec![(x0, y1), (x1, y0)],
                (true, true) | (false, false) => vec![],
            }
        }
        (ours, theirs) if ours.len() == theirs.len() && x.inputs.len() == y.inputs.len() => {
            let all = ours.iter().copied().zip(theirs.iter().copied());
            all.filter(|(x, y)| made_alike(x, y)).collect()
        }
        _ => vec![],
    }
}

//! values: tensors that hold the same numbers on the same inputs.

use super::index::Index;
use super::{Evidence, Matching};
use std::collections::{BTreeMap, HashMap};

/// How far two f64 runs of one function are apart at most, as a share of a tensor's norm: what is nearer is equal by construction.
const EQUAL: f64 = 1e-9;

/// What constants that are stored otherwise may move: folded in f32, and rounded to f16. Behind these a pair must be each other's nearest by far.
const NEAR: [f64; 2] = [1e-5, 1e-2];

/// How much further the next nearest must be.
const BY_FAR: f64 = 10.0;

/// Pairs what is equal, then what is near.
pub fn pair(a: &Index, b: &Index, found: &mut Matching) {
    for most in [EQUAL, NEAR[0], NEAR[1]] {
        for (ours, theirs) in by_shape(a, b, found) {
            let (ours, theirs) = (classes(a, &ours), classes(b, &theirs));
            near(a, b, (&ours, &theirs), most, found);
        }
    }
}

/// Names of both sides.
type Both<'a> = (Vec<&'a str>, Vec<&'a str>);

/// What both sides have of one shape and kind, neither constant nor paired yet.
fn by_shape<'a>(a: &Index<'a>, b: &Index<'a>, found: &Matching) -> Vec<Both<'a>> {
    let kind = |of: &Index<'a>, name: &str| {
        let value = of.values.get(name)?;
        let told = of.sketches.get(name).is_some_and(|s| !s.constant);
        told.then(|| (value.dtype().is_float(), value.shape()))
    };
    let mut groups: BTreeMap<_, Both> = BTreeMap::new();
    for name in a.order.iter().filter(|n| !found.to.contains_key(**n)) {
        if let Some(key) = kind(a, name) {
            groups.entry(key).or_default().0.push(name);
        }
    }
    for name in b.order.iter().filter(|n| !found.from.contains_key(**n)) {
        if let Some(key) = kind(b, name) {
            groups.entry(key).or_default().1.push(name);
        }
    }
    let groups = groups.into_values();
    groups
        .filter(|(ours, theirs)| !ours.is_empty() && !theirs.is_empty())
        .collect()
}

/// Tensors that are equal by construction (x, Identity(x)) are one class.
fn classes<'a>(of: &Index, names: &[&'a str]) -> Vec<Vec<&'a str>> {
    let mut classes: Vec<Vec<&str>> = vec![];
    for name in names {
        let like =
            |class: &&mut Vec<&str>| of.sketches[name].distance(&of.sketches[class[0]]) <= EQUAL;
        match classes.iter_mut().find(like) {
            Some(class) => class.push(name),
            None => classes.push(vec![name]),
        }
    }
    classes
}

/// Who is whose among tensors that are equal: of a class that is as large on both sides each has its partner, else the last of the one stands for the
/// last of the other, unless they have names in common.
fn zipped<'a>(
    a: &Index,
    b: &Index,
    ours: &[&'a str],
    theirs: &[&'a str],
) -> Vec<(&'a str, &'a str)> {
    let op = |of: &Index, name: &str| of.made.get(name).map(|i| of.node(*i).op.clone());
    let mut by_op: BTreeMap<Option<String>, Both> = BTreeMap::new();
    ours.iter()
        .for_each(|n| by_op.entry(op(a, n)).or_default().0.push(n));
    theirs
        .iter()
        .for_each(|n| by_op.entry(op(b, n)).or_default().1.push(n));
    let alike = |of: &Both| of.0.len() == of.1.len();
    if by_op.values().all(alike) {
        return by_op
            .into_values()
            .flat_map(|(x, y)| x.into_iter().zip(y))
            .collect();
    }
    if ours.len() == theirs.len() {
        return ours.iter().copied().zip(theirs.iter().copied()).collect();
    }
    // Who has written a part twice may have changed one of the two: the other one still has its name. The running number of a function is none.
    let same = ours
        .iter()
        .filter(|n| theirs.contains(n) && !n.contains("()"));
    let same: Vec<(&str, &str)> = same.map(|n| (*n, *n)).collect();
    if !same.is_empty() {
        return same;
    }
    let read = read_alike(a, b, ours, theirs);
    if !read.is_empty() {
        return read;
    }
    ours.last()
        .copied()
        .zip(theirs.last().copied())
        .into_iter()
        .collect()
}

/// Those that the same operators take, where that tells one of either side: what one side computes once more is taken by others, or by nobody.
fn read_alike<'a>(
    a: &Index,
    b: &Index,
    ours: &[&'a str],
    theirs: &[&'a str],
) -> Vec<(&'a str, &'a str)> {
    let readers = |of: &Index, name: &str| {
        let all = of.taken.get(name).into_iter().flatten();
        let mut ops: Vec<String> = all.map(|(step, _)| of.node(*step).op.clone()).collect();
        ops.sort();
        ops
    };
    let of_ours = |ops: &[String]| ours.iter().filter(|n| readers(a, n) == ops).count();
    let mut found = vec![];
    for x in ours {
        let ops = readers(a, x);
        let alike: Vec<&&str> = theirs.iter().filter(|y| readers(b, y) == ops).collect();
        if let ([y], 1, false) = (alike.as_slice(), of_ours(&ops), ops.is_empty()) {
            found.push((*x, **y));
        }
    }
    found
}

/// Pairs the classes of which each is the other's nearest, no further than `most`, and by far.
fn near(
    a: &Index,
    b: &Index,
    (ours, theirs): (&[Vec<&str>], &[Vec<&str>]),
    most: f64,
    found: &mut Matching,
) {
    let distance = |x: &str, y: &str| a.sketches[x].distance(&b.sketches[y]);
    let back: HashMap<&str, Option<&str>> = theirs
        .iter()
        .map(|y| {
            let all = ours.iter().map(|x| (x[0], distance(x[0], y[0])));
            (y[0], nearest(all, most))
        })
        .collect();
    for x in ours {
        let all = theirs.iter().map(|y| (y[0], distance(x[0], y[0])));
        let partner = nearest(all, most).filter(|y| back[y] == Some(x[0]));
        for y in theirs.iter().filter(|y| partner == Some(y[0])) {
            for (x, y) in zipped(a, b, x, y) {
                found.pair(x, y, Evidence::Values);
            }
        }
    }
}

/// The nearest, no further than `most`, and by far.
pub(super) fn nearest<'a>(all: impl Iterator<Item = (&'a str, f64)>, most: f64) -> Option<&'a str> {
    let mut all: Vec<(&str, f64)> = all.collect();
    all.sort_by(|x, y| x.1.total_cmp(&y.1));
    let (name, distance) = *all.first()?;
    let alone = all
        .get(1)
        .is_none_or(|(_, next)| *next > BY_FAR * distance.max(EQUAL));
    (distance <= most && alone).then_some(name)
}

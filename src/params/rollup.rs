//! rollup: what differs, by subtree and the largest first; what repeats in every block is one line.

use super::decompose::{Cause, Decomposition, Group};
use super::names::{parts, template};
use std::collections::{BTreeMap, HashMap};

/// Modules, or one parameter, that share a cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// A parameter, or `PATH.*` for all below a path; stars for the numbers of blocks.
    pub place: String,
    pub cause: Cause,
    /// How many places the stars stand for.
    pub places: usize,
    /// Elements of each place, where all have as many.
    pub each: Option<u64>,
    pub tensors: usize,
    pub reference: u64,
    pub candidate: u64,
}

impl Line {
    pub fn difference(&self) -> i64 {
        self.candidate as i64 - self.reference as i64
    }

    fn add(&mut self, other: &Line) {
        self.each = self.each.filter(|n| Some(*n) == other.each);
        self.places += other.places;
        self.tensors += other.tensors;
        self.reference += other.reference;
        self.candidate += other.candidate;
    }
}

/// What differs, in as few lines as say it; the lines add up to the difference.
pub fn lines(d: &Decomposition) -> Vec<Line> {
    let causes = causes(d.groups());
    let mut subtrees: BTreeMap<(String, Cause), Line> = BTreeMap::new();
    for group in d.groups().iter().filter(|g| !g.cause.same()) {
        let line = line(group, &causes);
        let at = subtrees.entry((line.place.clone(), line.cause));
        // A subtree is one place, however many of its modules are added.
        at.and_modify(|all| {
            all.add(&line);
            (all.places, all.each) = (1, size(all.reference, all.candidate));
        })
        .or_insert(line);
    }
    let mut blocks: BTreeMap<(String, Cause), Line> = BTreeMap::new();
    for line in subtrees.into_values() {
        let at = blocks.entry((template(&line.place).0, line.cause));
        at.and_modify(|all| {
            all.place = template(&line.place).0;
            all.add(&line);
        })
        .or_insert(line);
    }
    let mut lines: Vec<Line> = blocks.into_values().collect();
    lines.sort_by_key(|l| std::cmp::Reverse((l.difference().abs(), l.reference.max(l.candidate))));
    lines
}

fn line(group: &Group, causes: &HashMap<String, Option<Cause>>) -> Line {
    let place = match (top(group, causes), group.names.as_slice()) {
        (path, [one]) if path == group.module => one.clone(),
        ("", _) => "*".into(),
        (path, _) => format!("{path}.*"),
    };
    Line {
        place,
        cause: group.cause,
        places: 1,
        each: size(group.reference, group.candidate),
        tensors: group.names.len(),
        reference: group.reference,
        candidate: group.candidate,
    }
}

/// Elements that both sides count alike, or that one of them counts.
fn size(reference: u64, candidate: u64) -> Option<u64> {
    match (reference, candidate) {
        (a, b) if a == b => Some(a),
        (a, 0) | (0, a) => Some(a),
        _ => None,
    }
}

/// The highest path below which all has the cause of this group.
fn top<'a>(group: &'a Group, causes: &HashMap<String, Option<Cause>>) -> &'a str {
    let alike = |path: &&str| causes.get(*path) == Some(&Some(group.cause));
    ancestors(&group.module)
        .take_while(alike)
        .last()
        .unwrap_or(&group.module)
}

/// The cause that all below a path has; None where there are several.
fn causes(groups: &[Group]) -> HashMap<String, Option<Cause>> {
    let mut causes: HashMap<String, Option<Cause>> = HashMap::new();
    for group in groups {
        for path in ancestors(&group.module) {
            causes
                .entry(path.into())
                .and_modify(|cause| *cause = cause.filter(|c| *c == group.cause))
                .or_insert(Some(group.cause));
        }
    }
    causes
}

/// A path and what it lies in, the innermost first; not the root, which is everything.
fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    let up = |p: &&'_ str| -> Option<usize> { p.rfind(['.', '/']) };
    let first = (parts(path).next().is_some()).then_some(path);
    std::iter::successors(first, move |p| {
        up(p).map(|at| &p[..at]).filter(|p| !p.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::super::decompose::difference;
    use super::super::{Kind, Param};
    use super::*;
    use crate::tensor::DType;

    fn list(all: &[(&str, usize)]) -> Vec<Param> {
        let one = |(name, n): &(&str, usize)| Param {
            name: name.to_string(),
            shape: vec![*n],
            dtype: DType::F32,
            kind: Kind::Parameter,
            trainable: None,
        };
        all.iter().map(one).collect()
    }

    fn shown(a: &[Param], b: &[Param]) -> Vec<String> {
        let d = difference(a, b, &[]).unwrap();
        let lines = lines(&d.parameters);
        let sum: i64 = lines.iter().map(Line::difference).sum();
        assert_eq!(sum, d.parameters.difference(), "the lines add up");
        let show = |l: &Line| {
            format!(
                "{} {} x {:?} {:+}",
                l.place,
                l.places,
                l.each,
                l.difference()
            )
        };
        lines.iter().map(show).collect()
    }

    #[test]
    fn what_every_block_lacks_is_one_line_and_a_missing_subtree_is_another_the_largest_first() {
        let blocks: Vec<(String, usize)> = (0..12)
            .flat_map(|i| {
                [("attn.weight", 900), ("attn.bias", 768)]
                    .map(|(n, s)| (format!("layers.{i}.{n}"), s))
            })
            .chain([
                ("head.conv.weight".into(), 90_000),
                ("head.norm.weight".into(), 9),
            ])
            .collect();
        let full: Vec<(&str, usize)> = blocks.iter().map(|(n, s)| (n.as_str(), *s)).collect();
        let port: Vec<(&str, usize)> = full
            .iter()
            .filter(|(n, _)| !n.ends_with("bias") && !n.starts_with("head"))
            .copied()
            .collect();
        assert_eq!(
            shown(&list(&full), &list(&port)),
            [
                "head.* 1 x Some(90009) -90009",
                "layers.*.attn.bias 12 x Some(768) -9216"
            ]
        );
        assert!(shown(&list(&full), &list(&full)).is_empty());
    }

    #[test]
    fn blocks_of_several_sizes_are_one_line_without_a_size_of_each() {
        let a = list(&[("b.0.w", 3), ("b.0.k", 1), ("b.1.w", 4), ("b.1.k", 1)]);
        let b = list(&[("b.0.k", 1), ("b.1.k", 1)]);
        assert_eq!(shown(&a, &b), ["b.*.w 2 x None -7"]);
    }
}

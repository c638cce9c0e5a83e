//! renaming: pairs of other names in as few lines as say it: one for a prefix, a substitution or another word for a leaf.

use super::module;
use super::names::{self, leaf};
use super::pair::How;
use super::rule::Rule;
use indexmap::IndexMap;
use std::collections::BTreeMap;

/// Pairs that are renamed alike.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Renaming {
    pub pairs: usize,
    /// How they were found, and how many of them.
    pub how: BTreeMap<How, usize>,
}

/// What each renaming says, with its pairs, the largest first. Exchanged names are a fault of each pair, and no renaming.
pub fn renamings(renamed: &[(String, String, How)]) -> Vec<(String, Renaming)> {
    let mut all: IndexMap<String, Renaming> = IndexMap::new();
    for (a, b, how) in renamed.iter().filter(|r| r.2 != How::Exchanged) {
        let one = all.entry(say(a, b)).or_default();
        one.pairs += 1;
        *one.how.entry(*how).or_default() += 1;
    }
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort_by_key(|(_, r)| std::cmp::Reverse(r.pairs));
    all
}

fn say(a: &str, b: &str) -> String {
    match (names::is_generated(a), names::is_generated(b)) {
        (true, true) => return "generated names = generated names".into(),
        (true, false) => return "generated names = names".into(),
        (false, true) => return "names = generated names".into(),
        (false, false) => {}
    }
    let rule = Rule::between(module(a), module(b));
    match (leaf(a), leaf(b)) {
        (x, y) if x == y => rule.say(),
        (x, y) => {
            let said = rule.say();
            let (from, to) = said.split_once(" = ").unwrap_or((&said, &said));
            format!("{from}.{x} = {to}.{y}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_one_line_and_every_leaf_of_another_name_one_more() {
        let pair = |a: &str, b: &str, how| (a.to_string(), b.to_string(), how);
        let all = [
            pair("model.0.n.gamma", "net.0.n.weight", How::Leaf),
            pair("model.0.c.weight", "net.0.c.weight", How::Value),
            pair("model.7.c.weight", "net.7.c.weight", How::Rule),
            pair("onnx::Conv_9", "head.weight", How::Value),
            pair("h.0.weight", "h.1.weight", How::Exchanged),
        ];
        let said: Vec<_> = renamings(&all)
            .into_iter()
            .map(|(s, r)| (s, r.pairs))
            .collect();
        assert_eq!(
            said,
            [
                ("model.* = net.*".to_string(), 2),
                ("model.*.gamma = net.*.weight".to_string(), 1),
                ("generated names = names".to_string(), 1),
            ]
        );
    }
}

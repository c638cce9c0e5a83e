//! exchanged: values that stand under each other's names: the candidate has the name that is right, so whoever loads by name loads other weights.

use super::grow;
use super::module;
use super::names::{self, Role};
use super::pair::{How, Pairing};
use std::collections::{HashMap, HashSet};

/// Marks the pairs by value that only permute names. A renaming leads to new names; these lead in circles among the names that are expected.
pub fn mark(pairing: &mut Pairing) {
    let mut moves = moves(pairing);
    loop {
        let expected: HashSet<String> = moves.keys().cloned().collect();
        let found: HashSet<String> = moves.values().map(|m| m.1.clone()).collect();
        let before = moves.len();
        moves.retain(|name, (_, to)| expected.contains(to) && found.contains(name));
        if moves.len() == before {
            break;
        }
    }
    for (i, _) in moves.into_values() {
        pairing.told(i, How::Exchanged);
    }
}

/// Pairs by value that are not called as expected: the expected name, the place in the reference, the name that was found.
fn moves(pairing: &Pairing) -> HashMap<String, (usize, String)> {
    let expected = Expected::of(pairing);
    let by_value = pairing.pairs().filter(|(.., how)| *how == How::Value);
    by_value
        .filter_map(|(i, j, _)| {
            let found = &pairing.candidate.list[j].name;
            let name = expected.name(pairing, i)?;
            (name != found).then(|| (name.to_string(), (i, found.clone())))
        })
        .collect()
}

/// What parameters of the reference would be called: as they are, else as most of the others are renamed.
struct Expected<'a> {
    names: HashSet<&'a str>,
    places: HashMap<(String, Role), Vec<&'a str>>,
    rules: Vec<super::rule::Rule>,
}

impl<'a> Expected<'a> {
    fn of(pairing: &Pairing<'a>) -> Self {
        let list = &pairing.candidate.list;
        let mut places: HashMap<_, Vec<&str>> = HashMap::new();
        for p in list {
            places
                .entry(names::place(&p.name))
                .or_default()
                .push(&p.name);
        }
        Self {
            names: list.iter().map(|p| p.name.as_str()).collect(),
            rules: grow::rules(pairing),
            places,
        }
    }

    /// None where the candidate has no such name.
    fn name(&self, pairing: &Pairing, i: usize) -> Option<&str> {
        let called = &pairing.called[i];
        if names::is_generated(called) {
            return None;
        }
        let as_it_is = self.names.get(called.as_str()).copied();
        let by = |rule: &super::rule::Rule| {
            let place = (rule.apply(module(called))?, names::role(called));
            match self.places.get(&place)?.as_slice() {
                [one] => Some(*one),
                _ => None,
            }
        };
        as_it_is.or_else(|| self.rules.iter().find_map(by))
    }
}

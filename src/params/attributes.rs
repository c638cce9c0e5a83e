//! attributes: what modules are set to and what decides numbers (eps, momentum, stride, padding, groups …), compared where both sides state it.

use super::names::dotted;
use super::pair::{Pair, Paired};
use super::source::Source;
use super::{module, rule::Rule};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// One attribute of two modules that are one, whose values differ.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    pub reference: String,
    pub candidate: String,
    pub attribute: String,
    /// The two values, as each side states them.
    pub values: (String, String),
}

/// How many attributes were compared, and which differ.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub compared: u64,
    pub differing: Vec<Setting>,
}

/// A value of an attribute as frameworks state it.
#[derive(Clone, Debug, PartialEq)]
pub enum Stated {
    Numbers(Vec<f64>),
    Word(String),
}

/// What one module is set to, by the one name of each attribute.
pub type Attributes = BTreeMap<&'static str, Stated>;

/// (attribute, what frameworks call it)
const NAMES: &[(&str, &[&str])] = &[
    ("eps", &["eps", "epsilon"]),
    ("momentum", &["momentum"]),
    ("stride", &["stride", "strides"]),
    ("padding", &["padding", "pads"]),
    ("dilation", &["dilation", "dilations"]),
    ("groups", &["groups", "group", "num_groups"]),
    (
        "activation",
        &["activation", "act", "approximate", "activations"],
    ),
    ("negative_slope", &["negative_slope", "alpha"]),
    ("bins", &["bins", "reg_max", "num_bins"]),
    ("ceil_mode", &["ceil_mode"]),
    ("align_corners", &["align_corners"]),
];

/// The one name of an attribute that decides numbers; None for any other.
pub fn canonical(name: &str) -> Option<&'static str> {
    let row = NAMES.iter().find(|row| row.1.contains(&name));
    row.map(|row| row.0)
}

/// f32 keeps seven digits of what another side states in f64.
const DIGITS: f64 = 1e-6;

impl Stated {
    /// Whether two values say the same: a number stands for as many as the other side states, and pads of both ends for one of either.
    fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Stated::Numbers(a), Stated::Numbers(b)) => {
                let (a, b) = (shortest(a), shortest(b));
                let near = |(x, y): (&f64, &f64)| (x - y).abs() <= DIGITS * x.abs().max(y.abs());
                a.len() == b.len() && a.iter().zip(b).all(near)
            }
            (a, b) => a == b,
        }
    }

    /// A word ("same") stands for numbers that only the input tells.
    fn is_like(&self, other: &Self) -> bool {
        matches!(
            (self, other),
            (Stated::Numbers(_), Stated::Numbers(_)) | (Stated::Word(_), Stated::Word(_))
        )
    }

    fn say(&self) -> String {
        match self {
            Stated::Numbers(all) => match all.as_slice() {
                [one] => one.to_string(),
                all => format!("{all:?}"),
            },
            Stated::Word(word) => word.clone(),
        }
    }
}

/// Numbers without their repetition: [1, 1] is [1], and [2, 3, 2, 3] is [2, 3].
fn shortest(all: &[f64]) -> &[f64] {
    let periodic = |n: &usize| all.chunks(*n).all(|part| part == &all[..part.len()]);
    let fits = (1..all.len()).filter(|n| all.len().is_multiple_of(*n));
    let n = fits.into_iter().find(periodic).unwrap_or(all.len());
    &all[..n]
}

impl Settings {
    /// Compares the modules that pairs make one, and those of the same path or called as their neighbours are.
    pub fn of(pairs: &[Paired], reference: &Source, candidate: &Source) -> Self {
        let mut settings = Self::default();
        for (a, b) in modules(pairs, reference, candidate) {
            let (ours, theirs) = (&reference.attributes[&a], &candidate.attributes[&b]);
            for (attribute, x) in ours {
                let Some(y) = theirs.get(attribute).filter(|y| x.is_like(y)) else {
                    continue;
                };
                settings.compared += 1;
                if !x.same(y) {
                    settings.differing.push(Setting {
                        reference: a.clone(),
                        candidate: b.clone(),
                        attribute: attribute.to_string(),
                        values: (x.say(), y.say()),
                    });
                }
            }
        }
        settings
    }
}

/// Modules of both sides that are one.
fn modules(pairs: &[Paired], reference: &Source, candidate: &Source) -> BTreeSet<(String, String)> {
    let both = pairs.iter().filter_map(|p| match p {
        Paired::Both(Pair {
            reference,
            candidate,
            ..
        }) => Some((
            dotted(module(&reference.name)),
            dotted(module(&candidate.name)),
        )),
        Paired::OnlyReference(_) | Paired::OnlyCandidate(_) => None,
    });
    let mut leads: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    both.for_each(|(a, b)| {
        leads.entry(a).or_default().insert(b);
    });
    let rules: BTreeSet<Rule> = leads
        .iter()
        .flat_map(|(a, all)| all.iter().map(move |b| Rule::between(a, b)))
        .collect();
    let one = |a: &String| -> Option<(String, String)> {
        let found: BTreeSet<String> = match leads.get(a) {
            Some(all) => all.clone(),
            None => rules.iter().filter_map(|rule| rule.apply(a)).collect(),
        };
        let mut known = found
            .into_iter()
            .filter(|b| candidate.attributes.contains_key(b));
        let target = known.next().filter(|_| known.next().is_none())?;
        Some((a.clone(), target))
    };
    reference.attributes.keys().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(all: &[f64]) -> Stated {
        Stated::Numbers(all.to_vec())
    }

    #[test]
    fn one_value_said_in_two_ways_is_the_same_and_another_is_not() {
        for (a, b, same) in [
            (numbers(&[2.0]), numbers(&[2.0, 2.0]), true),
            (numbers(&[1.0, 1.0]), numbers(&[1.0, 1.0, 1.0, 1.0]), true),
            (numbers(&[1.0, 2.0]), numbers(&[1.0, 2.0, 1.0, 2.0]), true),
            (numbers(&[0.0, 0.0]), numbers(&[0.0, 0.0, 1.0, 1.0]), false),
            (numbers(&[1e-5]), numbers(&[1e-5f32 as f64]), true),
            (numbers(&[1e-5]), numbers(&[1e-3]), false),
            (numbers(&[0.1]), numbers(&[0.03]), false),
            (Stated::Word("same".into()), numbers(&[1.0]), false),
        ] {
            assert_eq!(a.same(&b), same, "{a:?} {b:?}");
        }
    }

    #[test]
    fn what_decides_numbers_has_one_name() {
        for (name, want) in [
            ("epsilon", Some("eps")),
            ("pads", Some("padding")),
            ("group", Some("groups")),
            ("reg_max", Some("bins")),
            ("in_channels", None),
        ] {
            assert_eq!(canonical(name), want);
        }
    }
}

//! item: what becomes of each item of a model where a loader goes by name and shape.

use crate::params::names::{self, Role};
use crate::params::pair::{How, Paired};
use crate::params::value::Relation;
use crate::params::{Param, value};
use std::collections::HashMap;
use wildmatch::WildMatch;

/// An item of the model, and what the checkpoint has for it.
pub struct Item<'a> {
    pub model: &'a Param,
    pub found: Option<Found<'a>>,
    /// It is meant to begin anew.
    pub is_new: bool,
    /// It takes the input: the first that has channels.
    is_stem: bool,
}

pub struct Found<'a> {
    pub checkpoint: &'a Param,
    pub how: How,
    pub relation: Relation,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Name and shape are the same, or the values are.
    Transferred,
    /// All of it, under another name.
    Renamed,
    /// Input channels of the checkpoint, of those that the model has.
    Partial { own: usize, all: usize },
    /// Another shape.
    Shape,
    /// The checkpoint has nothing for it.
    Missing,
}

/// What an item is to its module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Parameter,
    Statistic,
    Counter,
}

/// Every item of the model, in its order.
pub fn all<'a>(model: &'a [Param], pairs: &[Paired<'a>], except: &[String]) -> Vec<Item<'a>> {
    let both = pairs.iter().filter_map(|p| match p {
        Paired::Both(pair) => Some((pair.candidate.name.as_str(), pair)),
        Paired::OnlyReference(_) | Paired::OnlyCandidate(_) => None,
    });
    let both: HashMap<&str, _> = both.collect();
    let found = |p: &Param| {
        let pair = both.get(p.name.as_str())?;
        Some(Found {
            checkpoint: pair.reference,
            how: pair.how,
            relation: pair.relation.clone(),
        })
    };
    let stem = model.iter().find(|p| p.shape.len() > 1);
    let one = |p| Item {
        is_stem: stem == Some(p),
        found: found(p),
        is_new: except.iter().any(|e| names_it(e, &p.name)),
        model: p,
    };
    model.iter().map(one).collect()
}

/// What only the checkpoint has.
pub fn left<'a>(pairs: &[Paired<'a>]) -> Vec<&'a Param> {
    let only = pairs.iter().filter_map(|p| match p {
        Paired::OnlyReference(param) => Some(*param),
        Paired::Both(_) | Paired::OnlyCandidate(_) => None,
    });
    only.collect()
}

/// A pattern of `except` that names no parameter.
pub fn unused<'e>(model: &[Param], except: &'e [String]) -> Option<&'e String> {
    let mut all = except.iter();
    all.find(|e| !model.iter().any(|p| names_it(e, &p.name)))
}

/// A name, the module that it lies in, or a pattern with '*'.
pub fn names_it(pattern: &str, name: &str) -> bool {
    let below = |rest: &str| rest.is_empty() || rest.starts_with(['.', '/']);
    name.strip_prefix(pattern.trim_end_matches('.'))
        .is_some_and(below)
        || WildMatch::new(pattern).matches(name)
}

impl Item<'_> {
    pub fn kind(&self) -> Kind {
        match names::role(&self.model.name) {
            Role::Counter => Kind::Counter,
            Role::Mean | Role::Variance => Kind::Statistic,
            Role::Weight | Role::Bias | Role::Other(_) => Kind::Parameter,
        }
    }

    pub fn fate(&self) -> Fate {
        let Some(found) = &self.found else {
            return Fate::Missing;
        };
        let fits = found.checkpoint.shape == self.model.shape || holds(&found.relation);
        match (fits, found.how) {
            (true, How::Name | How::Rename) => Fate::Transferred,
            (true, _) => Fate::Renamed,
            (false, _) => match fewer(&found.checkpoint.shape, &self.model.shape) {
                Some((own, all)) if self.is_stem => Fate::Partial { own, all },
                _ => Fate::Shape,
            },
        }
    }

    /// Whether name, shape and values that can be told from others say that it arrived.
    pub fn holds(&self) -> Option<bool> {
        let relation = &self.found.as_ref()?.relation;
        relation.compared().then(|| holds(relation))
    }
}

/// The same numbers, in whatever order of axes and rounded or not.
fn holds(relation: &value::Relation) -> bool {
    relation.same() || matches!(relation, Relation::Near { .. })
}

/// Channels of the one axis behind the first in which a shape falls short of another.
fn fewer(own: &[usize], all: &[usize]) -> Option<(usize, usize)> {
    let mut differ = own.iter().zip(all).skip(1).filter(|(a, b)| a != b);
    let alike = own.len() == all.len() && own.first() == all.first();
    match (differ.next(), differ.next()) {
        (Some((own, all)), None) if alike && own < all => Some((*own, *all)),
        _ => None,
    }
}

//! pair: which parameter is which: exact names, declared renames, values that only one tensor has, then what follows from these. Nothing is guessed.

use super::rename::Rename;
use super::source::Source;
use super::value::{Relation, relation};
use super::{Param, check, exchanged, grow, names, prefix, unique_value};
use crate::error::{Error, Place, Result};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// How a pair was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    Name,
    Rename,
    /// No other tensor of either side has its value.
    Value,
    /// As [`How::Value`], and both sides use both names: whoever loads by name loads other weights.
    Exchanged,
    /// As the other pairs of its place are renamed.
    Rule,
    /// All of its place are called alike below another prefix.
    Prefix,
    /// Another name of the same leaf (`gamma`, `weight`) in the same module.
    Leaf,
    /// Other leaf names in the same module, where only one shape on either side fits.
    OnlyOfItsShape,
}

impl How {
    pub fn say(self) -> &'static str {
        match self {
            How::Name => "name",
            How::Rename => "declared rename",
            How::Value => "value",
            How::Exchanged => "value, the names are exchanged",
            How::Rule => "rule of its neighbours",
            How::Prefix => "prefix",
            How::Leaf => "leaf of the same role",
            How::OnlyOfItsShape => "only one of its shape in the module",
        }
    }
}

/// Two parameters that stand for each other.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair<'a> {
    pub reference: &'a Param,
    pub candidate: &'a Param,
    pub how: How,
    pub relation: Relation,
}

/// Every parameter of either side is in exactly one of these.
#[derive(Clone, Debug, PartialEq)]
pub enum Paired<'a> {
    Both(Pair<'a>),
    OnlyReference(&'a Param),
    OnlyCandidate(&'a Param),
}

/// How values are held against each other.
pub type Compare<'a> = &'a dyn Fn(&crate::tensor::Tensor, &crate::tensor::Tensor) -> Relation;

/// What is paired so far; parameters are their places in the lists.
pub struct Pairing<'a> {
    pub reference: &'a Source,
    pub candidate: &'a Source,
    /// What each parameter of the reference is called in the candidate.
    pub called: Vec<String>,
    partner: Vec<Option<(usize, How)>>,
    owner: Vec<Option<usize>>,
    relations: Vec<Option<Relation>>,
}

/// Pairs the parameters of `reference` with those of `candidate`, in the reference's order; what is only in the candidate comes last.
///
/// # Errors
/// A list that contradicts itself, a rename that pairs nothing, a value that cannot be read.
pub fn pair<'a>(
    reference: &'a Source,
    candidate: &'a Source,
    renames: &[Rename],
) -> Result<Vec<Paired<'a>>> {
    let mut pairing = Pairing::named(reference, candidate, renames)?;
    pairing.compare(&relation)?;
    unique_value::join(&mut pairing)?;
    pairing.grow();
    exchanged::mark(&mut pairing);
    pairing.compare(&relation)?;
    Ok(pairing.paired())
}

/// The same where values prove nothing, because they are drawn: names alone pair.
///
/// # Errors
/// As [`pair`].
pub fn by_names<'a>(
    reference: &'a Source,
    candidate: &'a Source,
    renames: &[Rename],
    compare: Compare,
) -> Result<Vec<Paired<'a>>> {
    let mut pairing = Pairing::named(reference, candidate, renames)?;
    pairing.grow();
    pairing.compare(compare)?;
    Ok(pairing.paired())
}

impl<'a> Pairing<'a> {
    /// Exact names and declared renames.
    fn named(reference: &'a Source, candidate: &'a Source, renames: &[Rename]) -> Result<Self> {
        check(&reference.list)?;
        check(&candidate.list)?;
        let called = renamed(&reference.list, renames)?;
        let places = candidate.list.iter().enumerate();
        let by_name: HashMap<&str, usize> = places.map(|(j, p)| (p.name.as_str(), j)).collect();
        let mut pairing = Self {
            partner: vec![None; reference.list.len()],
            relations: vec![None; reference.list.len()],
            owner: vec![None; candidate.list.len()],
            reference,
            candidate,
            called,
        };
        for (i, p) in reference.list.iter().enumerate() {
            if let Some(j) = by_name.get(pairing.called[i].as_str()) {
                let same = pairing.called[i] == p.name;
                pairing.join(i, *j, if same { How::Name } else { How::Rename });
            }
        }
        pairing.applied(renames)?;
        Ok(pairing)
    }

    /// What follows from the pairs that there are, until nothing more does.
    fn grow(&mut self) {
        while grow::by_rules(self) | grow::by_modules(self) | prefix::join(self) {}
    }

    pub fn join(&mut self, i: usize, j: usize, how: How) {
        self.part(i);
        if let Some(other) = self.owner[j] {
            self.part(other);
        }
        self.partner[i] = Some((j, how));
        self.owner[j] = Some(i);
    }

    /// Says of a pair that there is how it is to be called.
    pub fn told(&mut self, i: usize, how: How) {
        if let Some(found) = &mut self.partner[i] {
            found.1 = how;
        }
    }

    fn part(&mut self, i: usize) {
        if let Some((j, _)) = self.partner[i].take() {
            self.owner[j] = None;
        }
        self.relations[i] = None;
    }

    /// Notes what the values of a pair are to each other.
    pub fn relate(&mut self, i: usize, relation: Relation) {
        self.relations[i] = Some(relation);
    }

    pub fn partner(&self, i: usize) -> Option<(usize, How)> {
        self.partner[i]
    }

    pub fn owner(&self, j: usize) -> Option<usize> {
        self.owner[j]
    }

    pub fn relation(&self, i: usize) -> Option<&Relation> {
        self.relations[i].as_ref()
    }

    /// Places of the pairs.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize, How)> + '_ {
        let all = self.partner.iter().enumerate();
        all.filter_map(|(i, found)| found.map(|(j, how)| (i, j, how)))
    }

    /// Places in the reference that have no partner.
    pub fn open_reference(&self) -> Vec<usize> {
        (0..self.partner.len())
            .filter(|i| self.partner[*i].is_none())
            .collect()
    }

    /// Places in the candidate that have no partner.
    pub fn open_candidate(&self) -> Vec<usize> {
        (0..self.owner.len())
            .filter(|j| self.owner[*j].is_none())
            .collect()
    }

    /// Holds the values of every pair against each other that was not compared yet, two tensors in memory at a time.
    fn compare(&mut self, compare: Compare) -> Result<()> {
        for i in 0..self.partner.len() {
            if let (Some((j, _)), None) = (self.partner[i], &self.relations[i]) {
                self.relations[i] = Some(self.related(i, j, compare)?);
            }
        }
        Ok(())
    }

    /// What the value of `j` is to that of `i`.
    pub fn related(&self, i: usize, j: usize, compare: Compare) -> Result<Relation> {
        let (a, b) = (&self.reference.list[i].name, &self.candidate.list[j].name);
        if !self.reference.has_values() || !self.candidate.has_values() {
            return Ok(Relation::NotCompared);
        }
        let ours = self.reference.value(a).at(format!("parameter '{a}'"))?;
        let theirs = self.candidate.value(b).at(format!("parameter '{b}'"))?;
        Ok(match (ours, theirs) {
            (Some(a), Some(b)) => compare(&a, &b),
            _ => Relation::NotCompared,
        })
    }

    fn paired(self) -> Vec<Paired<'a>> {
        let mut relations = self.relations;
        let one = |(i, p): (usize, &'a Param)| match self.partner[i] {
            None => Paired::OnlyReference(p),
            Some((j, how)) => Paired::Both(Pair {
                reference: p,
                candidate: &self.candidate.list[j],
                how,
                relation: relations[i].take().unwrap_or(Relation::NotCompared),
            }),
        };
        let both: Vec<Paired> = self.reference.list.iter().enumerate().map(one).collect();
        let theirs = self.candidate.list.iter().zip(&self.owner);
        let rest = theirs.filter(|(_, owner)| owner.is_none());
        both.into_iter()
            .chain(rest.map(|(p, _)| Paired::OnlyCandidate(p)))
            .collect()
    }

    /// A rename that pairs nothing is an error.
    fn applied(&self, renames: &[Rename]) -> Result<()> {
        let pairs = |r: &Rename| {
            let mut all = self.pairs();
            all.any(|(i, ..)| {
                r.apply(&self.reference.list[i].name).as_ref() == Some(&self.called[i])
            })
        };
        match renames.iter().find(|r| !pairs(r)) {
            Some(unused) => Err(Error::usage(format!(
                "--rename {}: no such pair of parameters",
                unused.show()
            ))),
            None => Ok(()),
        }
    }

    /// Module of a parameter of the reference as the candidate would call it, for its leaf's neighbours.
    pub fn module_called(&self, i: usize) -> String {
        names::dotted(super::module(&self.called[i]))
    }
}

/// What each reference parameter is called in the candidate; two of them are never folded into one.
fn renamed(reference: &[Param], renames: &[Rename]) -> Result<Vec<String>> {
    let called: Vec<String> = reference
        .iter()
        .map(|p| {
            renames
                .iter()
                .find_map(|r| r.apply(&p.name))
                .unwrap_or_else(|| p.name.clone())
        })
        .collect();
    let mut seen: HashMap<&str, &str> = HashMap::new();
    for (name, p) in called.iter().zip(reference) {
        if let Some(other) = seen.insert(name, &p.name) {
            return Err(Error::usage(format!(
                "--rename: '{other}' and '{}' are both renamed to '{name}'",
                p.name
            )));
        }
    }
    Ok(called)
}

#[cfg(test)]
mod tests {
    use super::super::Kind;
    use super::*;
    use crate::tensor::DType;

    type Names<'a> = &'a [(&'a str, &'a [usize])];

    fn list(names: Names) -> Vec<Param> {
        let param = |(name, shape): &(&str, &[usize])| Param {
            name: name.to_string(),
            shape: shape.to_vec(),
            dtype: DType::F32,
            kind: Kind::Parameter,
            trainable: Some(true),
        };
        names.iter().map(param).collect()
    }

    fn pairs(a: Names, b: Names, renames: &[&str]) -> Result<String> {
        let renames = renames
            .iter()
            .map(|r| Rename::parse(r))
            .collect::<Result<Vec<_>>>()?;
        let (a, b) = (Source::listed(list(a)), Source::listed(list(b)));
        let show = |p: &Paired| match p {
            Paired::Both(p) => format!("{}={} {:?}", p.reference.name, p.candidate.name, p.how),
            Paired::OnlyReference(a) => format!("{}=", a.name),
            Paired::OnlyCandidate(b) => format!("={}", b.name),
        };
        Ok(pair(&a, &b, &renames)?
            .iter()
            .map(show)
            .collect::<Vec<_>>()
            .join(", "))
    }

    #[test]
    fn names_come_first_then_renames_then_the_only_one_of_its_shape() {
        let a: Names = &[
            ("c.weight", &[8, 3, 3, 3]),
            ("c.bias", &[8]),
            ("n.weight", &[8]),
        ];
        let cases: &[(Names, &[&str], &str)] = &[
            (
                a,
                &[],
                "c.weight=c.weight Name, c.bias=c.bias Name, n.weight=n.weight Name",
            ),
            (
                &[
                    ("c.kernel", &[8, 3, 3, 3]),
                    ("c.b", &[8]),
                    ("n.gamma", &[8]),
                ],
                &[],
                "c.weight=c.kernel Leaf, c.bias=c.b Leaf, n.weight=n.gamma Leaf",
            ),
            (
                &[
                    ("m.c.weight", &[8, 3, 3, 3]),
                    ("m.c.b", &[8]),
                    ("n.weight", &[8]),
                ],
                &["c.*=m.c.*"],
                "c.weight=m.c.weight Rename, c.bias=m.c.b Rule, n.weight=n.weight Name",
            ),
            (
                &[("c.weight", &[8, 3, 3, 3]), ("c.bias", &[8]), ("o", &[8])],
                &["n.weight=o"],
                "c.weight=c.weight Name, c.bias=c.bias Name, n.weight=o Rename",
            ),
        ];
        for (b, renames, want) in cases {
            assert_eq!(pairs(a, b, renames).unwrap(), *want);
        }
    }

    #[test]
    fn what_is_ambiguous_is_not_guessed() {
        let a: Names = &[("n.gain", &[8]), ("n.shift", &[8])];
        assert_eq!(
            pairs(a, &[("n.x", &[8]), ("n.y", &[8])], &[]).unwrap(),
            "n.gain=, n.shift=, =n.x, =n.y"
        );
        assert_eq!(
            pairs(&a[..1], &[("m.gain", &[8])], &[]).unwrap(),
            "n.gain=, =m.gain",
            "another module"
        );
        assert_eq!(
            pairs(&a[..1], &[("n.weight", &[9])], &[]).unwrap(),
            "n.gain=, =n.weight",
            "another shape"
        );
    }

    #[test]
    fn a_rename_that_says_nothing_is_refused() {
        let a: Names = &[("a", &[1]), ("b", &[1])];
        for (renames, word) in [
            (&["a"][..], "expected"),
            (&["a*=b"], "'*'"),
            (&["*a=b"], "'*'"),
            (&["zz=a"], "no such pair"),
            (&["a=gone"], "no such pair"),
            (&["zz*=y*"], "no such pair"),
            (&["a=b"], "both renamed to 'b'"),
        ] {
            assert!(
                pairs(a, a, renames).unwrap_err().message.contains(word),
                "{renames:?}"
            );
        }
        assert!(
            pairs(&[("a", &[1]), ("a", &[1])], a, &[])
                .unwrap_err()
                .message
                .contains("twice")
        );
        assert!(
            pairs(&[("a", &[usize::MAX, 9])], a, &[])
                .unwrap_err()
                .message
                .contains("too many")
        );
    }
}

//! pair: which parameter is which: exact names, then declared renames, then the only one of its shape in the same module. Nothing is guessed.

use super::{Param, check, module};
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A declared rename: `A=B`, or `A*=B*` for every name that starts with A.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    from: String,
    to: String,
    prefix: bool,
}

/// How a pair was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum How {
    Name,
    Rename,
    /// Other leaf names in the same module, where only one shape on either side fits.
    OnlyOfItsShape,
}

impl How {
    pub fn say(self) -> &'static str {
        match self {
            How::Name => "name",
            How::Rename => "declared rename",
            How::OnlyOfItsShape => "only one of its shape in the module",
        }
    }
}

/// Every parameter of either side is in exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Paired<'a> {
    Both(&'a Param, &'a Param, How),
    OnlyReference(&'a Param),
    OnlyCandidate(&'a Param),
}

impl Rename {
    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |what: &str| {
            Err(Error::usage(format!("--rename {text}: {what}"))
                .next("A=B, or A*=B* for every name that starts with A"))
        };
        let Some((from, to)) = text.split_once('=') else {
            return refuse("expected REFERENCE=CANDIDATE");
        };
        match (from.strip_suffix('*'), to.strip_suffix('*')) {
            (Some(from), Some(to)) if !from.contains('*') && !to.contains('*') => Ok(Self {
                from: from.into(),
                to: to.into(),
                prefix: true,
            }),
            (None, None) if !from.contains('*') && !to.contains('*') => Ok(Self {
                from: from.into(),
                to: to.into(),
                prefix: false,
            }),
            _ => refuse("'*' stands at the end of both sides or nowhere"),
        }
    }

    fn apply(&self, name: &str) -> Option<String> {
        match self.prefix {
            true => name
                .strip_prefix(self.from.as_str())
                .map(|rest| format!("{}{rest}", self.to)),
            false => (name == self.from).then(|| self.to.clone()),
        }
    }

    fn show(&self) -> String {
        let star = if self.prefix { "*" } else { "" };
        format!("{}{star}={}{star}", self.from, self.to)
    }
}

/// Pairs the parameters of `reference` with those of `candidate`, in the reference's order; what is only in the candidate comes last.
pub fn pair<'a>(
    reference: &'a [Param],
    candidate: &'a [Param],
    renames: &[Rename],
) -> Result<Vec<Paired<'a>>> {
    check(reference)?;
    check(candidate)?;
    let called = renamed(reference, renames)?;
    let by_name: HashMap<&str, &Param> = candidate.iter().map(|p| (p.name.as_str(), p)).collect();
    let mut partner: Vec<Option<(&Param, How)>> = called
        .iter()
        .zip(reference)
        .map(|(name, p)| {
            by_name.get(name.as_str()).map(|c| {
                (
                    *c,
                    if *name == p.name {
                        How::Name
                    } else {
                        How::Rename
                    },
                )
            })
        })
        .collect();
    applied(renames, &called, reference, &partner)?;
    let mut taken: HashSet<&str> = partner
        .iter()
        .flatten()
        .map(|(c, _)| c.name.as_str())
        .collect();
    for (at, found) in only_of_their_shape(reference, candidate, &called, &partner, &taken) {
        taken.insert(&found.name);
        partner[at] = Some((found, How::OnlyOfItsShape));
    }
    let both = reference.iter().zip(partner).map(|(r, found)| match found {
        Some((c, how)) => Paired::Both(r, c, how),
        None => Paired::OnlyReference(r),
    });
    let rest = candidate
        .iter()
        .filter(|c| !taken.contains(c.name.as_str()))
        .map(Paired::OnlyCandidate);
    Ok(both.chain(rest).collect())
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

/// A rename that pairs nothing is an error.
fn applied(
    renames: &[Rename],
    called: &[String],
    reference: &[Param],
    partner: &[Option<(&Param, How)>],
) -> Result<()> {
    let used = |r: &&Rename| {
        let mut all = called.iter().zip(reference).zip(partner);
        !all.any(|((name, p), found)| found.is_some() && r.apply(&p.name).as_ref() == Some(name))
    };
    match renames.iter().find(used) {
        Some(unused) => Err(Error::usage(format!(
            "--rename {}: no such pair of parameters",
            unused.show()
        ))),
        None => Ok(()),
    }
}

/// Within one module, a shape that exactly one unpaired parameter of either side has.
fn only_of_their_shape<'a>(
    reference: &[Param],
    candidate: &'a [Param],
    called: &[String],
    partner: &[Option<(&Param, How)>],
    taken: &HashSet<&str>,
) -> Vec<(usize, &'a Param)> {
    let mut ours: BTreeMap<(&str, &[usize]), Vec<usize>> = BTreeMap::new();
    let mut theirs: BTreeMap<(&str, &[usize]), Vec<&Param>> = BTreeMap::new();
    for (i, p) in reference
        .iter()
        .enumerate()
        .filter(|(i, _)| partner[*i].is_none())
    {
        ours.entry((module(&called[i]), &p.shape))
            .or_default()
            .push(i);
    }
    for p in candidate
        .iter()
        .filter(|p| !taken.contains(p.name.as_str()))
    {
        theirs
            .entry((module(&p.name), &p.shape))
            .or_default()
            .push(p);
    }
    let one = |(place, found): (&(&str, &[usize]), &Vec<usize>)| match (
        found.as_slice(),
        theirs.get(place).map(Vec::as_slice),
    ) {
        ([i], Some([p])) => Some((*i, *p)),
        _ => None,
    };
    ours.iter().filter_map(one).collect()
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
        let (a, b) = (list(a), list(b));
        let show = |p: &Paired| match p {
            Paired::Both(a, b, how) => format!("{}={} {how:?}", a.name, b.name),
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
                "c.weight=c.kernel OnlyOfItsShape, c.bias=c.b OnlyOfItsShape, n.weight=n.gamma OnlyOfItsShape",
            ),
            (
                &[
                    ("m.c.weight", &[8, 3, 3, 3]),
                    ("m.c.b", &[8]),
                    ("n.weight", &[8]),
                ],
                &["c.*=m.c.*"],
                "c.weight=m.c.weight Rename, c.bias=m.c.b OnlyOfItsShape, n.weight=n.weight Name",
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
        let a: Names = &[("n.gamma", &[8]), ("n.beta", &[8])];
        assert_eq!(
            pairs(a, &[("n.weight", &[8]), ("n.bias", &[8])], &[]).unwrap(),
            "n.gamma=, n.beta=, =n.weight, =n.bias"
        );
        assert_eq!(
            pairs(&a[..1], &[("m.gamma", &[8])], &[]).unwrap(),
            "n.gamma=, =m.gamma",
            "another module"
        );
        assert_eq!(
            pairs(&a[..1], &[("n.weight", &[9])], &[]).unwrap(),
            "n.gamma=, =n.weight",
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

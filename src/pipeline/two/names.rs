//! names: which parameter of one port that trains is which of the other, so that the state of one can be given to the other: by name and value, by the gradients of the first
//! step where a training begins with ones and zeros, and joined where one side holds as one what the other holds as several.

use crate::compare::layout::{Order, inverse, orders};
use crate::error::Result;
use crate::params::joined::{self, Joined};
use crate::params::pair::{Pair, Paired, pair};
use crate::params::{Kind, Param, Rename, Source};
use crate::port::Tensors;
use crate::tensor::Tensor;
use std::collections::{HashMap, HashSet};

/// As a share of the norm: gradients of the same parameter are no further apart, whatever order they are summed in, and those of two others are.
const SAME: f64 = 1e-3;

/// A parameter's name on the other side, and how its elements lie there.
struct Other {
    name: String,
    there: Order,
    shapes: [Vec<usize>; 2],
}

/// Which parameter is which.
#[derive(Default)]
pub struct Names {
    /// By the reference's names, then by the candidate's.
    ways: [HashMap<String, Other>; 2],
    /// Wholes of the reference with parts of the candidate, and the other way round.
    joined: [Vec<Joined>; 2],
    /// What has no counterpart, of either side.
    open: [Vec<Param>; 2],
    /// Pairs whose shapes are no order of each other's.
    unlike: Vec<String>,
}

impl Names {
    /// By names, declared renames and values.
    ///
    /// # Errors
    /// A list that contradicts itself, a value that cannot be read.
    pub fn of(sources: &[Source; 2], renames: &[Rename]) -> Result<Self> {
        let mut names = Self::default();
        for paired in pair(&sources[0], &sources[1], renames)? {
            match paired {
                Paired::Both(pair) => names.paired(&pair),
                Paired::OnlyReference(p) => names.open[0].push(p.clone()),
                Paired::OnlyCandidate(p) => names.open[1].push(p.clone()),
            }
        }
        let values = names.values(sources)?;
        names.join(&values, &|a, b| a == b);
        Ok(names)
    }

    fn paired(&mut self, pair: &Pair) {
        let shapes = [pair.reference.shape.clone(), pair.candidate.shape.clone()];
        let found = orders(&shapes[0], &shapes[1]);
        let same = found
            .iter()
            .position(|o| o.layout.as_ref() == pair.relation.layout());
        let there = found.into_iter().nth(same.unwrap_or(0));
        let back = there.as_ref();
        let back = back.and_then(|o| inverse(o, &shapes[0], &shapes[1]));
        let [a, b] = [&pair.reference.name, &pair.candidate.name];
        let Some((there, back)) = there.zip(back) else {
            return self.unlike.push(format!(
                "parameter '{a}' is of shape {:?} in the reference and {:?} in the candidate",
                shapes[0], shapes[1]
            ));
        };
        let turned = [shapes[1].clone(), shapes[0].clone()];
        let mut tell = |side: usize, own: &str, name: &str, there, shapes| {
            let name = name.to_string();
            let other = Other {
                name,
                there,
                shapes,
            };
            self.ways[side].insert(own.into(), other);
        };
        tell(0, a, b, there, shapes);
        tell(1, b, a, back, turned);
    }

    /// What is open of each side, with its values; counts are left out.
    fn values(&self, sources: &[Source; 2]) -> Result<[Tensors; 2]> {
        let of = |side: usize| -> Result<Tensors> {
            let mut all = Tensors::new();
            for p in self.open[side].iter().filter(|p| p.dtype.is_float()) {
                if let Some(value) = sources[side].value(&p.name)? {
                    all.insert(p.name.clone(), value);
                }
            }
            Ok(all)
        };
        Ok([of(0)?, of(1)?])
    }

    /// Those of `held` that are open still.
    fn listed<'h>(&self, side: usize, held: &'h [Tensors; 2]) -> Vec<joined::Held<'h>> {
        let open: HashSet<&str> = self.open[side].iter().map(|p| p.name.as_str()).collect();
        let all = held[side].iter().map(|(n, t)| (n.as_str(), t));
        all.filter(|(n, _)| open.contains(n)).collect()
    }

    /// Joins what is open, by numbers.
    fn join(&mut self, held: &[Tensors; 2], same: &dyn Fn(&[f64], &[f64]) -> bool) {
        for (side, other) in [(0, 1), (1, 0)] {
            let (wholes, parts) = (self.listed(side, held), self.listed(other, held));
            let found = joined::by_numbers(&wholes, &parts, same);
            self.add(side, found);
        }
    }

    fn add(&mut self, side: usize, found: Vec<Joined>) {
        for joined in &found {
            self.open[side].retain(|p| p.name != joined.whole);
            let is_part = |name: &str| joined.parts.iter().any(|part| part.name == name);
            self.open[1 - side].retain(|p| !is_part(&p.name));
        }
        self.joined[side].extend(found);
    }

    /// Whether something of either side has no counterpart; what only counts needs none.
    pub fn is_open(&self) -> bool {
        self.open.iter().flatten().any(|p| p.dtype.is_float())
    }

    /// With what the gradients of each side's first step tell besides, by its own names.
    ///
    /// # Errors
    /// As [`Names::of`].
    pub fn told_by(&self, sources: &[Source; 2], gradients: &[Tensors; 2]) -> Result<Self> {
        let renames = alike(&self.listed(0, gradients), &self.listed(1, gradients));
        let mut names = Self::of(sources, &renames)?;
        names.join(gradients, &is_near);
        let values = names.values(sources)?;
        for (side, other) in [(0, 1), (1, 0)] {
            let (wholes, parts) = (names.listed(side, &values), names.listed(other, &values));
            let more = joined::by_modules(&names.joined[side], &wholes, &parts);
            names.add(side, more);
        }
        Ok(names)
    }

    /// What trains on one side alone, as lines.
    pub fn only(&self) -> Vec<String> {
        let says = |(side, other): (usize, &str)| -> Vec<String> {
            let is_statistic = |p: &Param| p.trainable == Some(false) || p.kind == Kind::Buffer;
            let all = self.open[side].iter().filter(|p| !is_statistic(p));
            all.map(|p| {
                format!(
                    "parameter '{}' has no counterpart in the {other}, by name, value or gradient",
                    p.name
                )
            })
            .collect()
        };
        let both = [(0, "candidate"), (1, "reference")].map(says);
        [self.unlike.clone(), both.concat()].concat()
    }

    /// Tensors of side `from` as the other one calls and lays them; what belongs to a parameter that it has not is left out.
    ///
    /// # Errors
    /// Never: the shapes fit.
    pub fn turned(&self, from: usize, tensors: &Tensors) -> Result<Tensors> {
        let mut all = Tensors::new();
        for (name, t) in tensors {
            let Some((kind, own)) = of_parameter(name) else {
                all.insert(name.clone(), t.clone());
                continue;
            };
            if let Some(other) = self.ways[from].get(own) {
                let fits = t.shape() == other.shapes[0];
                let value = if fits {
                    other.there.read(t, &other.shapes[1])?
                } else {
                    t.clone()
                };
                all.insert(format!("{kind}{}", other.name), value);
            }
            if let Some(joined) = self.joined[from].iter().find(|j| j.whole == own) {
                let parts = joined.split(t)?.into_iter().flatten();
                all.extend(parts.map(|(part, t)| (format!("{kind}{part}"), t)));
            }
            let first = |j: &&Joined| j.parts[0].name == own;
            if let Some(joined) = self.joined[1 - from].iter().find(first) {
                let whole = joined.whole(|part| tensors.get(&format!("{kind}{part}")))?;
                all.extend(whole.map(|t| (format!("{kind}{}", joined.whole), t)));
            }
        }
        Ok(all)
    }
}

/// Those of two lists of which each is near to the other and to nothing else.
fn alike(ours: &[joined::Held], theirs: &[joined::Held]) -> Vec<Rename> {
    let near = |a: &Tensor, b: &Tensor| {
        let numbers = b.to_f64();
        orders(a.shape(), b.shape()).iter().any(|order| {
            let read = order.read(a, b.shape());
            read.is_ok_and(|read| is_near(&read.to_f64(), &numbers))
        })
    };
    let table: Vec<Vec<bool>> = ours
        .iter()
        .map(|a| theirs.iter().map(|b| near(a.1, b.1)).collect())
        .collect();
    let one = |i: usize| {
        let mut all = (0..theirs.len()).filter(|j| table[i][*j]);
        let j = all.next().filter(|_| all.next().is_none())?;
        let others = (0..ours.len()).filter(|k| table[*k][j]).count();
        (others == 1).then(|| Rename::one(ours[i].0, theirs[j].0))
    };
    (0..ours.len()).filter_map(one).collect()
}

/// Whether one list is the other but for rounding; zeros are near to nothing.
fn is_near(a: &[f64], b: &[f64]) -> bool {
    let most = SAME * SAME * a.iter().map(|v| v * v).sum::<f64>();
    let mut off = 0.0;
    let within = |(x, y): (&f64, &f64)| {
        off += (x - y) * (x - y);
        off <= most
    };
    most > 0.0 && a.len() == b.len() && a.iter().zip(b).all(within)
}

/// Kind and parameter of a tensor's name: `optimizer.mean.` and `fc.weight`; None for a loss, a rule and what is of no parameter.
fn of_parameter(name: &str) -> Option<(&str, &str)> {
    let kind = ["value.", "grad.", "clipped.", "ema."]
        .into_iter()
        .find(|k| name.starts_with(k));
    match kind {
        Some("ema.") if name == "ema.count" => None,
        Some(kind) => Some(name.split_at(kind.len())),
        None => {
            let rest = name.strip_prefix("optimizer.")?;
            let (slot, _) = rest.split_once('.')?;
            Some(name.split_at("optimizer.".len() + slot.len() + 1))
        }
    }
}

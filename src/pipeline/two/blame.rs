//! blame: a stretch that computes another function: because of what it holds, or of what it does; or only because a decision inside flips.

use super::judged;
use super::spread::Spread;
use crate::compare::layout::orders;
use crate::error::Result;
use crate::input::parameters::of_graph;
use crate::pairing::{Pairing, Unshared, reordered};
use crate::params::pair::{Paired, pair};
use crate::params::value::relation;
use crate::tensor::Tensor;
use crate::verdict::Blame;
use crate::walk::function::{Between, Cut, Opens, Side};
use crate::walk::whole::Stretch;
use std::collections::{BTreeSet, HashMap, HashSet};

/// Orders of axes in which the other side's weights are tried.
const ORDERS: usize = 4;

/// Says of every stretch that is off alone whether it still is with the other side's weights.
///
/// # Errors
/// Memory that runs out.
pub fn lay(
    sides: &mut [&mut Side; 2],
    pairing: &Pairing,
    found: &mut [Between],
    spread: &Spread,
    seed: u64,
    open: Opens,
) -> Result<()> {
    let off = |b: &Between| judged::alone(Default::default(), b, spread).over();
    let off: Vec<usize> = (0..found.len()).filter(|i| off(&found[*i])).collect();
    if off.is_empty() {
        return Ok(());
    }
    let cut = Cut::of([&*sides[0], &*sides[1]], pairing, seed);
    let held = Held::of([&*sides[0], &*sides[1]], cut.by, spread)?;
    for i in off {
        let between = &found[i];
        let free = cut.undecided(sides[cut.by], between)?;
        if free.is_some_and(|free| judged::is_within(between, &free)) {
            found[i].flips = true;
            continue;
        }
        let agrees = |side: &mut Side| {
            let other = cut.between(side, &between.pair, &HashSet::new())?;
            let over = judged::alone(Default::default(), &other, spread).over();
            Ok(other.alone.is_some() && !over)
        };
        found[i].blame = held.blame([&*sides[0], &*sides[1]], between, agrees, open)?;
    }
    Ok(())
}

/// What both sides hold, and which runs stretches.
pub struct Held<'a> {
    by: usize,
    unshared: &'a [Unshared; 2],
    /// By name in the side that runs: name and value in the other.
    partner: HashMap<String, (String, Tensor)>,
    /// What the other one holds in another order of its elements.
    reordered: HashMap<String, (String, Tensor)>,
    /// Whether the other side's weights are known at all.
    pub known: bool,
}

impl<'a> Held<'a> {
    /// # Errors
    /// A weight that cannot be read.
    pub fn of(sides: [&Side; 2], by: usize, spread: &'a Spread) -> Result<Self> {
        let sources = sides.map(|s| of_graph(s.graph.clone()));
        let mut partner = HashMap::new();
        for paired in pair(&sources[0], &sources[1], &[])? {
            if let Paired::Both(p) = paired {
                let names = [&p.reference.name, &p.candidate.name];
                let value = sides[1 - by].graph.weights.get(names[1 - by]);
                let other = value.map(|v| (names[1 - by].clone(), v.clone()));
                partner.extend(other.map(|o| (names[by].clone(), o)));
            }
        }
        let other = sides[1 - by];
        let reordered = reordered(&sides[by].viewed(), &other.viewed());
        let reordered = reordered.into_iter().map(|(own, name)| {
            let value = other.graph.weights[&name].clone();
            (own, (name, value))
        });
        Ok(Self {
            by,
            reordered: reordered.collect(),
            known: !sides[1 - by].graph.weights.is_empty(),
            unshared: &spread.unshared,
            partner,
        })
    }

    /// What the other side holds in the place of a weight: by what it is called or holds, else the only one of as many elements that it does not share,
    /// in the stretch or at all.
    pub fn in_place(
        &self,
        sides: [&Side; 2],
        between: &Between,
        name: &str,
    ) -> Option<(String, Tensor)> {
        if let Some(partner) = self.partner.get(name).or(self.reordered.get(name)) {
            return Some(partner.clone());
        }
        let numel = sides[self.by].graph.weights[name].numel();
        let other = sides[1 - self.by];
        let stretch = between.stretch(1 - self.by);
        let open = &self.unshared[1 - self.by].tensors;
        let fits = |n: &&String| open.contains(*n) && other.graph.weights[*n].numel() == numel;
        let single = |all: Vec<&String>| match all[..] {
            [only] => Some(only.clone()),
            _ => None,
        };
        let near = single(taken(other, stretch).filter(fits).collect());
        let only = near.or_else(|| single(other.graph.weights.keys().filter(fits).collect()))?;
        let value = other.graph.weights[&only].clone();
        Some((only, value))
    }

    /// Weights that a stretch of the side that runs takes and the other one does not hold in these bits, or not in this order.
    pub fn own<'s>(&self, side: &'s Side, stretch: &Stretch) -> Vec<&'s String> {
        let own = taken(side, stretch);
        let unshared = &self.unshared[self.by].tensors;
        own.filter(|n| unshared.contains(*n) || self.reordered.contains_key(*n))
            .collect()
    }

    /// `agrees` says whether the stretch gives on a side what the other one has.
    fn blame(
        &self,
        sides: [&Side; 2],
        between: &Between,
        agrees: impl Fn(&mut Side) -> Result<bool>,
        open: Opens,
    ) -> Result<Option<Blame>> {
        let side = sides[self.by];
        let stretch = between.stretch(self.by);
        let own = self.own(side, stretch);
        if own.is_empty() {
            return Ok(self.known.then_some(Blame::Computation));
        }
        let others = own.iter().map(|n| self.in_place(sides, between, n));
        let Some(others) = others.collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        let laid = |(name, (_, value)): (&&String, &(String, Tensor))| -> Result<Vec<Tensor>> {
            let shape = side.graph.weights[*name].shape();
            let all = orders(value.shape(), shape).into_iter().take(ORDERS);
            all.map(|order| order.read(value, shape)).collect()
        };
        let all: Vec<Vec<Tensor>> = own.iter().zip(&others).map(laid).collect::<Result<_>>()?;
        for k in 0..all.iter().map(Vec::len).max().unwrap_or(0) {
            let pick = |(name, values): (&&String, &Vec<Tensor>)| {
                let value = values.get(k).or(values.first())?;
                Some((name.to_string(), value.clone()))
            };
            let weights = own.iter().zip(&all).filter_map(pick).collect();
            if agrees(&mut side.holding(weights, open)?)? {
                let pairs = own.iter().zip(&others);
                return Ok(Some(on_weights(side, pairs.map(|(n, other)| (*n, other)))));
            }
        }
        Ok(Some(Blame::Computation))
    }
}

/// Blames those weights of a side that are others than in the other one.
pub fn on_weights<'a>(
    side: &Side,
    pairs: impl Iterator<Item = (&'a String, &'a (String, Tensor))>,
) -> Blame {
    let differ = pairs.filter(|(n, (_, value))| !relation(&side.graph.weights[*n], value).same());
    let names = differ.map(|(own, (other, _))| [own.clone(), other.clone()]);
    Blame::Weights(names.collect())
}

/// Weights that a stretch takes, sorted.
fn taken<'s>(side: &'s Side, stretch: &Stretch) -> impl Iterator<Item = &'s String> {
    let steps = stretch
        .steps
        .iter()
        .flat_map(|i| &side.graph.steps[*i].inputs);
    let all: BTreeSet<&String> = steps
        .filter(|n| side.graph.weights.contains_key(*n))
        .collect();
    all.into_iter()
}

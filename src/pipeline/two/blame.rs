//! blame: a stretch that computes another function: because of what it holds, or of what it does.

use super::judged;
use super::spread::Spread;
use crate::compare::layout::{Order, orders};
use crate::error::Result;
use crate::input::parameters::of_graph;
use crate::pairing::{Pairing, Unshared, unshared};
use crate::params::pair::{Paired, pair};
use crate::tensor::Tensor;
use crate::verdict::Blame;
use crate::walk::function::{Between, Cut, Opens, Side};
use std::collections::{HashMap, HashSet};

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
    let held = Held::of([&*sides[0], &*sides[1]], cut.by)?;
    for i in off {
        let between = &found[i];
        found[i].blame = held.blame(
            sides[cut.by],
            between,
            |side| {
                let other = cut.between(side, &between.pair, &HashSet::new())?;
                Ok(!judged::alone(Default::default(), &other, spread).over()
                    && other.alone.is_some())
            },
            open,
        )?;
    }
    Ok(())
}

/// What the side that runs stretches holds, and what the other one holds in its place.
struct Held {
    by: usize,
    unshared: Unshared,
    /// By name in the side that runs: name and value in the other.
    partner: HashMap<String, (String, Tensor)>,
    /// Whether the other side's weights are known at all.
    known: bool,
}

impl Held {
    fn of(sides: [&Side; 2], by: usize) -> Result<Self> {
        let [ours, theirs] = unshared(&sides[0].viewed(), &sides[1].viewed());
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
        let [ours, theirs] = [ours, theirs];
        Ok(Self {
            by,
            known: !sides[1 - by].graph.weights.is_empty(),
            unshared: if by == 0 { ours } else { theirs },
            partner,
        })
    }

    /// `agrees` says whether the stretch gives on a side what the other one has.
    fn blame(
        &self,
        side: &Side,
        between: &Between,
        agrees: impl Fn(&mut Side) -> Result<bool>,
        open: Opens,
    ) -> Result<Option<Blame>> {
        let stretch = [&between.reference, &between.candidate][self.by];
        let taken = stretch
            .steps
            .iter()
            .flat_map(|i| &side.graph.steps[*i].inputs);
        let taken: HashSet<&String> = taken
            .filter(|n| side.graph.weights.contains_key(*n))
            .collect();
        let mut own: Vec<&String> = taken
            .into_iter()
            .filter(|n| self.unshared.tensors.contains(*n))
            .collect();
        own.sort();
        if own.is_empty() {
            return Ok(self.known.then_some(Blame::Computation));
        }
        let tried = |name: &&String| -> Option<Vec<Tensor>> {
            let (_, value) = self.partner.get(*name)?;
            let shape = side.graph.weights[*name].shape();
            let all = orders(value.shape(), shape).into_iter().take(ORDERS);
            Some(all.map(|order| laid(value, &order, shape)).collect())
        };
        let Some(all) = own.iter().map(tried).collect::<Option<Vec<_>>>() else {
            return Ok(None);
        };
        for k in 0..all.iter().map(Vec::len).max().unwrap_or(0) {
            let pick = |(name, values): (&&String, &Vec<Tensor>)| {
                let value = values.get(k).or(values.first())?;
                Some((name.to_string(), value.clone()))
            };
            let weights = own.iter().zip(&all).filter_map(pick).collect();
            if agrees(&mut side.holding(weights, open)?)? {
                let name = |own: &&String| [own.to_string(), self.partner[*own].0.clone()];
                let differ = own.iter().filter(|n| self.differs(side, n));
                return Ok(Some(Blame::Weights(differ.map(name).collect())));
            }
        }
        Ok(Some(Blame::Computation))
    }

    /// Whether a weight is more than rounded for storage.
    fn differs(&self, side: &Side, name: &str) -> bool {
        let related =
            crate::params::value::relation(&side.graph.weights[name], &self.partner[name].1);
        !related.same()
    }
}

/// A value in another order of its axes.
fn laid(value: &Tensor, order: &Order, shape: &[usize]) -> Tensor {
    let elements = value.to_f64();
    Tensor::from_vec(
        shape,
        order.places().map(|i| elements[i]).collect::<Vec<f64>>(),
    )
}

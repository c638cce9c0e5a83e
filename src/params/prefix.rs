//! prefix: a network that lies below another prefix, where values tell nothing: every name below it goes on alike, with the same shapes.

use super::grow::joined;
use super::names::{self, parts};
use super::pair::{How, Pairing};
use super::rule::Rule;
use super::{Param, module};
use std::collections::{BTreeMap, HashMap};

/// Of all that lies below a prefix and has no partner, the share that must be found below the other: what a port dropped may be missing.
const FOUND: f64 = 0.9;
/// Fewer names going on alike are an accident; so is less than half of what has no partner.
const FEWEST: usize = 3;

/// A prefix of most of a network is proposed by any few of its parameters.
const PROPOSERS: usize = 64;

/// Pairs by the one prefix that says most; says whether there is one.
pub fn join(pairing: &mut Pairing) -> bool {
    let open = Open::of(pairing);
    let best = open
        .proposed()
        .into_iter()
        .filter_map(|rule| open.accepted(&rule));
    let most = best.max_by_key(|found: &Vec<(usize, usize)>| found.len());
    most.is_some_and(|found| joined(pairing, found, How::Prefix))
}

/// What neither name nor value pairs.
struct Open<'a> {
    ours: Vec<(usize, &'a Param)>,
    theirs: Vec<(usize, &'a Param)>,
    by_name: HashMap<String, usize>,
}

impl<'a> Open<'a> {
    fn of(pairing: &Pairing<'a>) -> Self {
        let (a, b) = (&pairing.reference.list, &pairing.candidate.list);
        let own = |i: usize| (i, &a[i]);
        let named = |p: &Param| !names::is_generated(&p.name);
        let ours = pairing.open_reference().into_iter().map(own);
        let theirs = pairing.open_candidate().into_iter().map(|j| (j, &b[j]));
        let theirs: Vec<_> = theirs.filter(|(_, p)| named(p)).collect();
        Self {
            by_name: theirs
                .iter()
                .map(|(j, p)| (key(module(&p.name), p), *j))
                .collect(),
            ours: ours.filter(|(_, p)| named(p)).collect(),
            theirs,
        }
    }

    /// Rules between parameters that alone have their last module, leaf and shape, or that end alike the longest.
    fn proposed(&self) -> Vec<Rule> {
        let mut ends: HashMap<String, Vec<&str>> = HashMap::new();
        for (_, p) in &self.theirs {
            let module = module(&p.name);
            let last = parts(module).next_back().unwrap_or("");
            ends.entry(key(last, p)).or_default().push(module);
        }
        let mut votes: BTreeMap<Rule, usize> = BTreeMap::new();
        let step = self.ours.len().div_ceil(PROPOSERS).max(1);
        for (_, p) in self.ours.iter().step_by(step) {
            let own = module(&p.name);
            let alike = ends.get(&key(parts(own).next_back().unwrap_or(""), p));
            let longest = alike
                .into_iter()
                .flatten()
                .map(|m| Rule::between(own, m))
                .min_by_key(|rule| (rule.depth(), parts(&rule.to).count()));
            if let Some(rule) = longest {
                *votes.entry(rule).or_default() += 1;
            }
        }
        votes.into_keys().collect()
    }

    /// The pairs of a rule below which names go on alike; None where too many do not.
    fn accepted(&self, rule: &Rule) -> Option<Vec<(usize, usize)>> {
        let below = self
            .ours
            .iter()
            .filter_map(|(i, p)| Some((*i, *p, rule.apply(module(&p.name))?)));
        let (mut found, mut all) = (vec![], 0);
        for (i, p, target) in below {
            all += 1;
            found.extend(self.by_name.get(&key(&target, p)).map(|j| (i, *j)));
        }
        let network = found.len() >= FEWEST && 2 * found.len() >= self.ours.len();
        (network && found.len() as f64 >= FOUND * all as f64).then_some(found)
    }
}

/// Module, leaf and shape as one text.
fn key(module: &str, p: &Param) -> String {
    format!(
        "{} {} {:?}",
        names::dotted(module),
        names::leaf(&p.name),
        p.shape
    )
}

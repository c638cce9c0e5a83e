//! grow: what follows from the pairs that there are: the rest of a renamed place, and the rest of a module whose other leaves are paired.

use super::names::{self, Role};
use super::pair::{How, Pairing};
use super::rule::Rule;
use super::{Param, module};
use crate::compare::layout::orders;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Pairs what is called as its neighbours' renaming says; the deepest rule that leads somewhere speaks, and two that disagree are silent.
pub fn by_rules(pairing: &mut Pairing) -> bool {
    let rules = rules(pairing);
    if rules.is_empty() {
        return false;
    }
    let open = by_place(pairing);
    let mut found = vec![];
    for i in pairing.open_reference() {
        let p = &pairing.reference.list[i];
        let targets = |rule: &Rule| -> Vec<usize> {
            let target = rule.apply(module(&p.name));
            let leaves = target.and_then(|m| open.get(&(m, names::role(&p.name))));
            let fits = |j: &&usize| fits(p, &pairing.candidate.list[**j]);
            leaves.into_iter().flatten().filter(fits).copied().collect()
        };
        let mut by_depth: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        for rule in &rules {
            by_depth
                .entry(rule.depth())
                .or_default()
                .extend(targets(rule));
        }
        let deepest = by_depth.into_values().rev().find(|t| !t.is_empty());
        if let Some([j]) = deepest.map(Vec::from_iter).as_deref() {
            found.push((i, *j));
        }
    }
    joined(pairing, found, How::Rule)
}

/// More rules than a renaming has; a list that needs more is no renaming.
const RULES: usize = 256;

/// Renamings that pairs of other names show, those of the most pairs first.
pub fn rules(pairing: &Pairing) -> Vec<Rule> {
    let (ours, theirs) = (&pairing.reference.list, &pairing.candidate.list);
    let mut votes: BTreeMap<Rule, usize> = BTreeMap::new();
    for (i, j, how) in pairing.pairs() {
        let (a, b) = (&ours[i].name, &theirs[j].name);
        let generated = names::is_generated(a) || names::is_generated(b);
        if how != How::Name && !generated && module(a) != module(b) {
            *votes
                .entry(Rule::between(module(a), module(b)))
                .or_default() += 1;
        }
    }
    let mut votes: Vec<(Rule, usize)> = votes.into_iter().collect();
    votes.sort_by_key(|v| std::cmp::Reverse(v.1));
    votes.into_iter().take(RULES).map(|v| v.0).collect()
}

/// Open parameters of the candidate by module and role.
fn by_place(pairing: &Pairing) -> HashMap<(String, Role), Vec<usize>> {
    let mut places: HashMap<_, Vec<usize>> = HashMap::new();
    for j in pairing.open_candidate() {
        let place = names::place(&pairing.candidate.list[j].name);
        places.entry(place).or_default().push(j);
    }
    places
}

/// Whether two parameters of one role may be one: the same leaf, or a shape that some layout has.
fn fits(a: &Param, b: &Param) -> bool {
    a.dtype.is_float() == b.dtype.is_float()
        && (names::leaf(&a.name) == names::leaf(&b.name) || !orders(&a.shape, &b.shape).is_empty())
}

/// Inside modules that are one: leaves of the same role, then what alone has its shape.
pub fn by_modules(pairing: &mut Pairing) -> bool {
    let modules = modules(pairing);
    let role = |p: &Param| (names::role(&p.name), sorted(&p.shape));
    let by_role = inside(pairing, &modules, |p| match names::role(&p.name) {
        Role::Other(_) => None,
        _ => Some(role(p)),
    });
    let leaves = joined(pairing, by_role, How::Leaf);
    let by_shape = inside(pairing, &modules, |p| {
        Some((Role::Other(p.dtype.is_float().to_string()), p.shape.clone()))
    });
    leaves | joined(pairing, by_shape, How::OnlyOfItsShape)
}

/// Sizes of the axes, whatever their order.
fn sorted(shape: &[usize]) -> Vec<usize> {
    let mut sizes: Vec<usize> = shape.iter().copied().filter(|d| *d != 1).collect();
    sizes.sort_unstable();
    sizes
}

/// Modules of the reference and those that stand for them: those whose pairs all lead into one another; else those called alike.
fn modules(pairing: &Pairing) -> HashMap<String, String> {
    let (mut there, mut back) = (HashMap::new(), HashMap::new());
    for (i, j, _) in pairing.pairs() {
        let a = names::dotted(module(&pairing.reference.list[i].name));
        let b = names::dotted(module(&pairing.candidate.list[j].name));
        let leads: &mut BTreeSet<String> = there.entry(a.clone()).or_default();
        leads.insert(b.clone());
        let comes: &mut BTreeSet<String> = back.entry(b).or_default();
        comes.insert(a);
    }
    let mut modules = HashMap::new();
    for i in pairing.open_reference() {
        let own = names::dotted(module(&pairing.reference.list[i].name));
        let called = pairing.module_called(i);
        let target = match there.get(&own) {
            None if !back.contains_key(&called) => Some(called),
            None => None,
            Some(all) => all
                .first()
                .filter(|b| all.len() == 1 && back[*b].len() == 1)
                .cloned(),
        };
        modules.extend(target.map(|b| (own, b)));
    }
    modules
}

/// Open parameters of paired modules that alone have what `key` says on either side.
fn inside(
    pairing: &Pairing,
    modules: &HashMap<String, String>,
    key: impl Fn(&Param) -> Option<(Role, Vec<usize>)>,
) -> Vec<(usize, usize)> {
    type Holders = HashMap<(String, (Role, Vec<usize>)), Vec<usize>>;
    let (mut ours, mut theirs) = (Holders::new(), Holders::new());
    for i in pairing.open_reference() {
        let p = &pairing.reference.list[i];
        let target = modules.get(&names::dotted(module(&p.name)));
        if let (Some(target), Some(key)) = (target, key(p)) {
            ours.entry((target.clone(), key)).or_default().push(i);
        }
    }
    for j in pairing.open_candidate() {
        let p = &pairing.candidate.list[j];
        if let Some(key) = key(p) {
            let place = names::dotted(module(&p.name));
            theirs.entry((place, key)).or_default().push(j);
        }
    }
    let one = |(place, i): (&_, &Vec<usize>)| match (i.as_slice(), theirs.get(place)?.as_slice()) {
        ([i], [j]) => Some((*i, *j)),
        _ => None,
    };
    let mut found: Vec<_> = ours.iter().filter_map(one).collect();
    found.sort_unstable();
    found
}

/// Joins what is one to one; says whether anything was.
pub fn joined(pairing: &mut Pairing, found: Vec<(usize, usize)>, how: How) -> bool {
    let mut claims: HashMap<usize, usize> = HashMap::new();
    for (_, j) in &found {
        *claims.entry(*j).or_default() += 1;
    }
    let mut any = false;
    for (i, j) in found.into_iter().filter(|(_, j)| claims[j] == 1) {
        pairing.join(i, j, how);
        any = true;
    }
    any
}

//! groups: what an optimiser is given: its numbers as names, parameters in no group, at no rate, or that never took a step.

use super::state::{Optimizer, Parameter, State};
use crate::audit::{SHOWN, counted};
use crate::checkpoint::optimizer;
use crate::params::names::{Role, role};
use crate::text::number;
use crate::verdict::{Finding, Severity};
use std::collections::BTreeMap;

/// The name of every number: `optimizer["state"]` has numbers only. They count the parameters in the order of the groups, which is that of the model,
/// or that of the model within biases, norms and other weights; the shapes of what is kept must say the same.
///
/// # Errors
/// Why they have none.
pub fn named(
    optimizer: &optimizer::Optimizer,
    state: &State,
) -> Result<BTreeMap<usize, String>, String> {
    let groups = &optimizer.groups;
    if groups.iter().all(|g| g.names.len() == g.params.len()) {
        let all = groups.iter().flat_map(|g| g.params.iter().zip(&g.names));
        return Ok(all.map(|(n, name)| (*n, name.clone())).collect());
    }
    let numbers: Vec<usize> = groups
        .iter()
        .flat_map(|g| g.params.iter().copied())
        .collect();
    let all: Vec<&Parameter> = state.trained().collect();
    let asked = all.iter().filter(|p| p.requires_grad != Some(false));
    let free = all.iter().filter(|p| !state.is_meant_frozen(&p.name));
    let lists = [
        all.clone(),
        asked.copied().collect(),
        free.copied().collect(),
        all.iter().filter(|p| !p.is_projection).copied().collect(),
    ];
    let fitting = lists.iter().filter(|l| l.len() == numbers.len());
    let orders = fitting.flat_map(|list| orders(optimizer, list));
    let told = |order: &Vec<&Parameter>| {
        let kept = |(number, param): (&usize, &&Parameter)| {
            let kept = optimizer.state.get(number);
            kept.is_none_or(|k| k.shape == param.shape)
        };
        numbers.iter().zip(order).all(kept)
    };
    let names = |order: Vec<&Parameter>| {
        let all = numbers.iter().zip(order);
        all.map(|(n, p)| (*n, p.name.clone())).collect()
    };
    let shapes: Option<Vec<&[usize]>> = numbers
        .iter()
        .map(|n| Some(&optimizer.state.get(n)?.shape[..]))
        .collect();
    let some = || {
        lists
            .iter()
            .find_map(|list| only_place(shapes.as_deref()?, list))
    };
    let order = orders.into_iter().find(told).or_else(some);
    order.map(names).ok_or_else(|| {
        format!(
            "its {} numbers fit no order of the model's {} parameters by the shapes of what is kept",
            numbers.len(),
            all.len()
        )
    })
}

/// Some of the list in its order, where shapes leave one choice only: the first that fits is the last that does.
fn only_place<'a>(shapes: &[&[usize]], list: &[&'a Parameter]) -> Option<Vec<&'a Parameter>> {
    fn greedy<'a>(
        shapes: impl Iterator<Item = impl AsRef<[usize]>>,
        mut list: impl Iterator<Item = &'a Parameter>,
    ) -> Option<Vec<&'a Parameter>> {
        shapes
            .map(|s| list.find(|p| p.shape == s.as_ref()))
            .collect()
    }
    let first = greedy(shapes.iter(), list.iter().copied())?;
    let mut last = greedy(shapes.iter().rev(), list.iter().rev().copied())?;
    last.reverse();
    (first == last).then_some(first)
}

/// The list as the groups may have it: the model's order, or one kind for each group.
fn orders<'a>(optimizer: &optimizer::Optimizer, list: &[&'a Parameter]) -> Vec<Vec<&'a Parameter>> {
    let sizes: Vec<usize> = optimizer.groups.iter().map(|g| g.params.len()).collect();
    let plain = list.to_vec();
    let by = |split: fn(&Parameter) -> usize, kinds: usize| {
        let of = |kind: usize| -> Vec<&'a Parameter> {
            let own = list.iter().filter(|p| split(p) == kind);
            own.copied().collect()
        };
        let parts: Vec<Vec<&Parameter>> = (0..kinds).map(of).collect();
        arranged(&sizes, &parts)
    };
    let mut orders = by(kind_of_three, 3);
    orders.extend(by(kind_of_two, 2));
    match sizes.len() == 1 || sizes.iter().all(|n| *n == 1) {
        true => orders.insert(0, plain),
        false => orders.push(plain),
    }
    orders
}

/// Biases, norms' weights, the rest.
fn kind_of_three(param: &Parameter) -> usize {
    match (role(&param.name) == Role::Bias, param.shape.len() < 2) {
        (true, _) => 0,
        (false, true) => 1,
        (false, false) => 2,
    }
}

/// What decays, and what has one axis.
fn kind_of_two(param: &Parameter) -> usize {
    usize::from(param.shape.len() < 2)
}

/// Every order of `parts` in which they are as long as the groups.
fn arranged<'a>(sizes: &[usize], parts: &[Vec<&'a Parameter>]) -> Vec<Vec<&'a Parameter>> {
    let Some((first, rest)) = sizes.split_first() else {
        return match parts.iter().all(Vec::is_empty) {
            true => vec![vec![]],
            false => vec![],
        };
    };
    if *first == 0 {
        return arranged(rest, parts);
    }
    let mut all = vec![];
    for (at, part) in parts.iter().enumerate() {
        if part.len() == *first {
            let mut others = parts.to_vec();
            others[at].clear();
            for tail in arranged(rest, &others) {
                all.push(part.iter().copied().chain(tail).collect());
            }
        }
    }
    all
}

/// What the optimiser is given.
pub fn findings(state: &State) -> Vec<Finding> {
    match &state.optimizer {
        Optimizer::None => vec![],
        Optimizer::Unnamed(why) => {
            let next = "make the optimiser of model.named_parameters() (PyTorch 2.6 or newer keeps the names)";
            let finding = Finding::new("groups", "optimizer", why.clone()).next([next.to_string()]);
            vec![finding.severity(Severity::Unjudged)]
        }
        Optimizer::Named => {
            let mut found = vec![groups(state)];
            found.extend(outside(state));
            found.extend(at_rest(state));
            found.extend(never(state));
            found
        }
    }
}

/// Parameters that are meant to train.
fn meant(state: &State) -> impl Iterator<Item = &Parameter> {
    let own = |p: &&Parameter| {
        !state.is_meant_frozen(&p.name) && p.requires_grad != Some(false) && !p.is_projection
    };
    state.trained().filter(own)
}

fn groups(state: &State) -> Finding {
    let mut by: BTreeMap<usize, (usize, String)> = BTreeMap::new();
    for group in state.trained().filter_map(|p| p.group) {
        let said = |value: Option<f64>| value.map_or("?".into(), number);
        let set = format!(
            "learning rate {}, weight decay {}",
            said(group.lr),
            said(group.weight_decay)
        );
        by.entry(group.at).or_insert((0, set)).0 += 1;
    }
    let facts = by
        .iter()
        .map(|(at, (n, set))| format!("group {at}: {}, {set}", counted(*n, "parameter")))
        .take(SHOWN);
    let what = format!(
        "{} in {}",
        counted(by.values().map(|g| g.0).sum(), "parameter"),
        counted(by.len(), "group")
    );
    Finding::new("groups", "optimizer", what)
        .facts(facts)
        .severity(Severity::Note)
}

fn outside(state: &State) -> Option<Finding> {
    let all: Vec<&Parameter> = meant(state).filter(|p| p.group.is_none()).collect();
    let what = format!(
        "{} in no group of the optimiser: nothing moves them",
        are(&all)
    );
    let next = "hand them to the optimiser, or say --frozen NAME where that is meant";
    told("no_group", &all, what, next)
}

fn at_rest(state: &State) -> Option<Finding> {
    let rate = |p: &&Parameter| p.group.and_then(|g| g.lr);
    // A schedule that has ended leaves all of them at 0.
    let any = state
        .trained()
        .any(|p| rate(&p).is_some_and(|lr| lr != 0.0));
    let all: Vec<&Parameter> = meant(state)
        .filter(|p| any && rate(p) == Some(0.0))
        .collect();
    let what = format!("{} in a group whose learning rate is 0", are(&all));
    told(
        "rate_0",
        &all,
        what,
        "give them a rate, or say --frozen NAME where that is meant",
    )
}

fn never(state: &State) -> Option<Finding> {
    let any = state.trained().any(|p| p.kept.is_some_and(|n| n > 0));
    let all: Vec<&Parameter> = meant(state).filter(|p| any && p.kept == Some(0)).collect();
    let what = format!(
        "the optimiser keeps nothing of {}, which are in its groups: they never had a gradient",
        counted(all.len(), "parameter")
    );
    told(
        "no_state",
        &all,
        what,
        "look whether their module runs at all, and whether its output reaches the loss",
    )
}

fn are(all: &[&Parameter]) -> String {
    let verb = if all.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", counted(all.len(), "parameter"))
}

fn told(kind: &str, all: &[&Parameter], what: String, next: &str) -> Option<Finding> {
    let first = all.first()?;
    let finding = Finding::new(kind, &first.name, what)
        .facts(super::state::named(all))
        .next([next.to_string()]);
    Some(finding)
}

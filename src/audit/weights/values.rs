//! values: whether a model that was loaded holds what the checkpoint does.

use super::item::{Fate, Item, Kind};
use crate::audit::SHOWN;
use crate::error::Result;
use crate::params::Source;
use crate::tensor::Tensor;
use crate::tensor::index::unravel;
use crate::verdict::{Finding, Severity};

/// What values say of the items that fit; nothing where a side keeps none. What is one number throughout every fresh norm holds, too.
pub fn findings(items: &[Item], checkpoint: &Source, loaded: bool) -> Vec<Finding> {
    let fits = |i: &&Item| matches!(i.fate(), Fate::Transferred | Fate::Renamed) && !i.is_new;
    let own = items
        .iter()
        .filter(fits)
        .filter(|i| i.kind() != Kind::Counter);
    let own = own.filter(|i| i.holds() == Some(false) || !is_constant(checkpoint, i));
    let compared: Vec<(&Item, bool)> = own.filter_map(|i| Some((i, i.holds()?))).collect();
    if compared.is_empty() {
        return unknown(loaded).into_iter().collect();
    }
    let others: Vec<&Item> = compared.iter().filter(|c| !c.1).map(|c| c.0).collect();
    let (n, all) = (compared.len() - others.len(), compared.len());
    let place = others.first().map_or("model", |i| &i.model.name);
    let what = match n {
        _ if others.is_empty() => format!("{all} of {all} items that fit hold the checkpoint's values"),
        0 => "the model holds other values throughout: it was not loaded, not from this file, or trained since".into(),
        _ => format!("{} of {all} items that fit hold other values than the checkpoint", others.len()),
    };
    let severity = match (others.is_empty(), loaded, n) {
        (true, ..) => Severity::Note,
        (false, true, _) => Severity::Fault,
        (false, false, 0) => Severity::Note,
        (false, false, _) => Severity::Warning,
    };
    let turned = compared.iter().filter(|c| c.1 && is_turned(c.0)).count();
    let turned = (turned > 0).then(|| format!("{turned} of them after their axes are exchanged"));
    let facts = others
        .iter()
        .take(SHOWN)
        .map(|i| format!("'{}'", i.model.name));
    let mixed = !others.is_empty() && n > 0;
    let finding = Finding::new("values", place, what)
        .facts(facts.filter(|_| mixed).chain(turned))
        .severity(severity);
    vec![finding]
}

/// Of items of which the checkpoint has some channels: whether the model's first ones hold them.
pub fn partial(items: &[Item], sources: [&Source; 2]) -> Result<Vec<Finding>> {
    let mut found = vec![];
    for item in items {
        let (Fate::Partial { own, all }, Some(held)) = (item.fate(), &item.found) else {
            continue;
        };
        let name = &item.model.name;
        let [ours, theirs] = [(sources[0], &held.checkpoint.name), (sources[1], name)];
        if let (Some(ours), Some(theirs)) = (ours.0.value(ours.1)?, theirs.0.value(theirs.1)?) {
            let what = match begins_with(&theirs, &ours) {
                true => format!("its first {own} of {all} channels hold the checkpoint's values"),
                false => "none of its channels holds the checkpoint's values in place".into(),
            };
            found.push(Finding::new("partial_values", name, what).severity(Severity::Note));
        }
    }
    Ok(found)
}

/// Whether `whole` holds `part` where both have elements.
fn begins_with(whole: &Tensor, part: &Tensor) -> bool {
    let (all, own) = (whole.to_f64(), part.to_f64());
    let strides: Vec<usize> = (0..whole.shape().len())
        .map(|axis| whole.shape()[axis + 1..].iter().product())
        .collect();
    own.iter().enumerate().all(|(i, value)| {
        let at = unravel(i, part.shape());
        let place: usize = at.iter().zip(&strides).map(|(i, stride)| i * stride).sum();
        all[place] == *value
    })
}

fn is_turned(item: &Item) -> bool {
    let relation = item.found.as_ref().map(|f| &f.relation);
    relation.is_some_and(|r| r.layout().is_some())
}

fn is_constant(checkpoint: &Source, item: &Item) -> bool {
    let name = item.found.as_ref().map(|f| &f.checkpoint.name);
    let value = name.and_then(|n| checkpoint.value(n).ok().flatten());
    value.is_some_and(|v| {
        let all = v.to_f64();
        all.iter().all(|x| Some(x) == all.first())
    })
}

fn unknown(loaded: bool) -> Option<Finding> {
    let what = "whether it holds the checkpoint's values cannot be told: a side keeps none";
    let next = "save the model's state_dict after loading, and name that file";
    let finding = Finding::new("values", "model", what)
        .next([next.to_string()])
        .severity(Severity::Unjudged);
    loaded.then_some(finding)
}

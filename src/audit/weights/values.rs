//! values: whether a model that was loaded holds what the checkpoint does.

use super::item::{Fate, Item, Kind};
use crate::audit::{SHOWN, counted};
use crate::verdict::{Finding, Severity};

/// What values say of the items that fit; nothing where a side keeps none.
pub fn findings(items: &[Item], loaded: bool) -> Vec<Finding> {
    let fits = |i: &&Item| matches!(i.fate(), Fate::Transferred | Fate::Renamed) && !i.is_new;
    let own = items
        .iter()
        .filter(fits)
        .filter(|i| i.kind() != Kind::Counter);
    let compared: Vec<(&Item, bool)> = own.filter_map(|i| Some((i, i.holds()?))).collect();
    if compared.is_empty() {
        return unknown(loaded).into_iter().collect();
    }
    let others: Vec<&Item> = compared.iter().filter(|c| !c.1).map(|c| c.0).collect();
    let (n, all) = (compared.len() - others.len(), compared.len());
    let place = others.first().map_or("model", |i| &i.model.name);
    let what = match n {
        _ if others.is_empty() => format!("{} of {all} that fit hold the checkpoint's values", counted(n, "item")),
        0 => "the model holds other values throughout: it was not loaded, not from this file, or trained since".into(),
        _ => format!("{} that fit do not hold the checkpoint's values, {n} do", counted(others.len(), "item")),
    };
    let severity = match (others.is_empty(), loaded, n) {
        (true, ..) => Severity::Note,
        (false, true, _) => Severity::Fault,
        (false, false, 0) => Severity::Note,
        (false, false, _) => Severity::Warning,
    };
    let facts = others
        .iter()
        .take(SHOWN)
        .map(|i| format!("'{}'", i.model.name));
    let mixed = !others.is_empty() && n > 0;
    let finding = Finding::new("values", place, what)
        .facts(facts.filter(|_| mixed))
        .severity(severity);
    vec![finding]
}

fn unknown(loaded: bool) -> Option<Finding> {
    let what = "whether it holds the checkpoint's values cannot be told: a side keeps none";
    let next = "save the model's state_dict after loading, and name that file";
    let finding = Finding::new("values", "model", what)
        .next([next.to_string()])
        .severity(Severity::Unjudged);
    loaded.then_some(finding)
}

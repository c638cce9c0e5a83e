//! words: what a confirmed change of a step is called, and what to do about it: the attributes that it changes by name, else the row's own words.

use crate::cause::fault::Fault;
use crate::graph::{Attribute, Node, Step};
use std::collections::BTreeSet;

/// A value that is not written out.
const TENSOR: &str = "another tensor";

/// Why, and what next.
pub struct Told {
    pub says: String,
    pub next: String,
}

/// What `row` did to the clean step.
pub fn of(row: &Fault, (clean, edited): (&Step, &Step), amount: f64, mended: bool) -> Told {
    let own = edited.nodes.iter().find(|n| n.name == clean.nodes[0].name);
    let (before, after) = (&clean.nodes[0], own.unwrap_or(&edited.nodes[0]));
    let changed = match mended {
        true => changed(after, before),
        false => changed(before, after),
    };
    let next = match mended {
        true => format!("give '{}' what the reference has", clean.name),
        false => format!("{} ('{}')", row.mend, clean.name),
    };
    let own =
        changed.is_empty() || before.op != after.op || changed.iter().any(|c| c.contains(TENSOR));
    let says = match (own, row.amount) {
        (false, _) => changed.join(", "),
        (true, Some((what, _))) => format!("{} ({what} {amount})", row.summary),
        (true, None) => row.summary.to_string(),
    };
    let says = match mended && own {
        true => format!("the reference is as this graph with {says}"),
        false => says,
    };
    Told { says, next }
}

/// Every attribute that differs: "epsilon is 0.001 where the reference has 0.00001".
fn changed(before: &Node, after: &Node) -> Vec<String> {
    let names: BTreeSet<&String> = before
        .attributes
        .keys()
        .chain(after.attributes.keys())
        .collect();
    let differs = |name: &&String| before.attributes.get(*name) != after.attributes.get(*name);
    let said = |name: &String| {
        let [b, a] = [before, after].map(|n| written(n.attributes.get(name)));
        format!("{name} is {a} where the reference has {b}")
    };
    names.into_iter().filter(differs).map(said).collect()
}

fn written(value: Option<&Attribute>) -> String {
    match value {
        None => "its default".into(),
        Some(Attribute::Int(v)) => v.to_string(),
        Some(Attribute::Float(v)) => v.to_string(),
        Some(Attribute::Str(v)) => v.clone(),
        Some(Attribute::Ints(v)) => format!("{v:?}"),
        Some(Attribute::Floats(v)) => format!("{v:?}"),
        Some(Attribute::Strs(v)) => format!("{v:?}"),
        Some(Attribute::Other(_)) => TENSOR.into(),
    }
}

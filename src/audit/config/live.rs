//! live: what a config gives to a class, against what the built module holds under that name (`attributes` of parity_port.watch).
//!
//! Convention: an attribute of the module itself decides; where it has none of the name, those of its parts do (a head gives its queue to a sampler), and a
//! part that holds another number may mean something else by it: that is a risk. Values of another kind (a list for a number) are not compared.

use super::arguments::{OWN, gather};
use super::view::{View, type_of};
use crate::config::Tree;
use crate::training_log::watched::Part;
use crate::verdict::{Finding, Severity};
use indexmap::IndexMap;
use serde_json::Value;

type Parts = IndexMap<String, Part>;

/// Where an attribute was found, and what it holds.
type Held<'a> = (&'a str, &'a Value);

/// All dicts with a `type` whose class is among the parts.
pub fn findings(view: &View, parts: &Parts, place: &str) -> Vec<Finding> {
    let mut made = vec![];
    gather(&view.config.tree, "", &mut made);
    let (mut found, mut reached, mut unknown) = (vec![], 0, vec![]);
    for (path, tree) in &made {
        let (Some(class), Tree::Dict(entries)) = (type_of(tree), tree) else {
            continue;
        };
        let modules: Vec<&str> = of_class(parts, class).collect();
        for (key, item) in entries {
            let argument = key.to_string();
            if OWN.contains(&argument.as_str()) || modules.is_empty() {
                continue;
            }
            let (own, below) = held(parts, &modules, &argument);
            let is_own = !own.is_empty();
            let all: Vec<(Held, bool)> = if is_own { own } else { below }
                .into_iter()
                .filter_map(|h| Some((h, same(&item.tree, h.1)?)))
                .collect();
            match all.first() {
                None => unknown.push(format!("{path}.{argument}")),
                Some(_) if all.iter().any(|h| h.1) => reached += 1,
                Some(((part, value), _)) => {
                    let given = crate::config::print::python(&item.tree);
                    let what = format!(
                        "{path}.{argument} = {given}, and '{part}' of the built {class} holds {value}"
                    );
                    let next = "look whether the class passes it on, and whether this config built the model";
                    found.push(
                        view.finding_at("argument_value", item.at, what)
                            .next([next.into()])
                            .severity(match is_own {
                                true => Severity::Fault,
                                false => Severity::Warning,
                            }),
                    );
                }
            }
        }
    }
    found.extend(noted(place, reached, &unknown));
    found
}

fn noted(place: &str, reached: usize, unknown: &[String]) -> Vec<Finding> {
    let mut out = vec![];
    if reached > 0 {
        let what = format!("{reached} arguments are held by the built modules as they are given");
        out.push(Finding::new("argument_value", place, what).severity(Severity::Note));
    }
    if let Some(first) = unknown.first() {
        let what = format!(
            "{} arguments are no attribute of their module: {first}",
            unknown.len()
        );
        let severity = match reached {
            0 => Severity::Unjudged,
            _ => Severity::Note,
        };
        out.push(
            Finding::new("not_checked", place, what)
                .facts(unknown.iter().skip(1).take(9).cloned())
                .severity(severity),
        );
    }
    out
}

fn of_class<'a>(parts: &'a Parts, class: &'a str) -> impl Iterator<Item = &'a str> {
    let own = parts.iter().filter(move |(_, p)| p.class == class);
    own.map(|(name, _)| name.as_str())
}

/// Attributes of this name: of the modules themselves, and of what lies below them.
fn held<'a>(parts: &'a Parts, modules: &[&str], name: &str) -> (Vec<Held<'a>>, Vec<Held<'a>>) {
    let is_below = |part: &str| {
        modules.iter().any(|m| {
            m.is_empty()
                || part
                    .strip_prefix(m)
                    .is_some_and(|rest| rest.starts_with('.'))
        })
    };
    let of = |(part, own): (&'a String, &'a Part)| Some((part.as_str(), own.values.get(name)?));
    let all = parts.iter().filter_map(of);
    let (own, rest): (Vec<Held>, Vec<Held>) = all.partition(|h| modules.contains(&h.0));
    (own, rest.into_iter().filter(|h| is_below(h.0)).collect())
}

/// Whether both are the same; None where they are of another kind.
fn same(given: &Tree, held: &Value) -> Option<bool> {
    match (given, held) {
        (Tree::None, Value::Null) => Some(true),
        (Tree::Bool(a), Value::Bool(b)) => Some(a == b),
        (Tree::Text(a), Value::String(b)) => Some(a == b),
        (Tree::Int(_) | Tree::Float(_), Value::Number(b)) => {
            // What was kept in f32 is the same number.
            let (a, b) = (given.number()?, b.as_f64()?);
            Some(a == b || a as f32 == b as f32)
        }
        (Tree::List(a) | Tree::Tuple(a), Value::Array(b)) => {
            let each = a.iter().zip(b).map(|(a, b)| same(a, b));
            let each = each.collect::<Option<Vec<bool>>>()?;
            Some(a.len() == b.len() && each.into_iter().all(|s| s))
        }
        _ => None,
    }
}

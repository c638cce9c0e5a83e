//! arguments: what a config gives to a class, against what the class takes, read from its source without running it.

use super::view::{View, type_of};
use crate::config::{At, Tree};
use crate::python::signature::{Defined, Sources};
use crate::verdict::{Finding, Severity};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Keys of a dict that the registry, the runner or another builder takes for itself.
pub(super) const OWN: &[&str] = &[
    "type",
    "_scope_",
    "_delete_",
    "priority",
    "convert_to_iter_based",
    "paramwise_cfg",
    "constructor",
];

/// Where an argument arrives.
#[derive(Clone, Debug, PartialEq)]
enum Arrives {
    Used,
    /// It is taken, and the body never names it.
    Unused(Defined),
    /// Only `**kwargs` take it, of a class whose base is not in the sources.
    Perhaps(String),
    Nowhere(Vec<String>),
}

/// All dicts with a `type` of these sources.
pub fn findings(view: &View, folders: &[PathBuf], sources: &Sources) -> Vec<Finding> {
    let mut made = vec![];
    gather(&view.config.tree, "", &mut made);
    let (mut found, mut perhaps) = (vec![], BTreeMap::<String, BTreeSet<String>>::new());
    let (mut held, mut absent, mut said) = (0_u32, BTreeSet::new(), BTreeSet::new());
    for (path, tree) in &made {
        let Some(name) = type_of(tree) else { continue };
        let Some(all) = sources.defined.get(name) else {
            absent.insert(name);
            continue;
        };
        let Tree::Dict(entries) = tree else { continue };
        for (key, item) in entries {
            let argument = key.to_string();
            if OWN.contains(&argument.as_str()) {
                continue;
            }
            match arrives(sources, all.iter().collect(), &argument, &mut vec![]) {
                Arrives::Used => held += 1,
                Arrives::Perhaps(why) => {
                    perhaps
                        .entry(format!("{name}: {why}"))
                        .or_default()
                        .insert(argument);
                }
                // One place sets what every part that shares it has.
                _ if !said.insert((item.at, argument.clone())) => {}
                Arrives::Unused(defined) => {
                    found.push(unused(view, path, name, &argument, item.at, &defined))
                }
                Arrives::Nowhere(takes) => {
                    found.push(not_taken(
                        view,
                        (path, name, &argument),
                        item.at,
                        all,
                        &takes,
                    ));
                }
            }
        }
    }
    found.extend(
        perhaps
            .iter()
            .map(|(class, all)| not_checked(view, class, all)),
    );
    let place = view.config.files[0].display().to_string();
    if held > 0 {
        let what = format!("{held} arguments arrive at classes that take them");
        let note = Finding::new("argument", &place, what).number("arguments", f64::from(held));
        found.push(note.severity(Severity::Note));
    }
    if !absent.is_empty() {
        let names: Vec<&str> = absent.iter().copied().take(10).collect();
        let what = format!(
            "{} types are in no source that is given, not checked: {}",
            absent.len(),
            names.join(", ")
        );
        let severity = match held > 0 || !found.is_empty() {
            true => Severity::Note,
            false => Severity::Unjudged,
        };
        let folders: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
        let fact = format!(
            "{} files below {} are read",
            sources.files,
            folders.join(", ")
        );
        found.push(
            Finding::new("not_checked", &place, what)
                .facts([fact])
                .severity(severity),
        );
    }
    found.extend(unread(sources));
    found
}

/// Every dict that has a type, with its path.
pub(super) fn gather<'a>(tree: &'a Tree, path: &str, all: &mut Vec<(String, &'a Tree)>) {
    if type_of(tree).is_some() {
        all.push((path.into(), tree));
    }
    let below = |name: String| match path.is_empty() {
        true => name,
        false => format!("{path}.{name}"),
    };
    if let Tree::Dict(entries) = tree {
        for (key, item) in entries {
            gather(&item.tree, &below(key.to_string()), all);
        }
    }
    for (i, item) in tree.items().iter().enumerate() {
        gather(item, &below(i.to_string()), all);
    }
}

/// Where an argument arrives in one of the definitions of a name.
fn arrives<'a>(
    sources: &'a Sources,
    all: Vec<&'a Defined>,
    argument: &str,
    seen: &mut Vec<&'a Defined>,
) -> Arrives {
    let mut each = vec![];
    for defined in all {
        // Its own base by name, or one that was asked already.
        if !seen.contains(&defined) {
            seen.push(defined);
            each.push(of_one(sources, defined, argument, seen));
        }
    }
    let rank = |a: &Arrives| match a {
        Arrives::Used => 0,
        Arrives::Perhaps(_) => 1,
        Arrives::Unused(_) => 2,
        Arrives::Nowhere(_) => 3,
    };
    let best = each.into_iter().min_by_key(rank);
    best.unwrap_or(Arrives::Nowhere(vec![]))
}

fn of_one<'a>(
    sources: &'a Sources,
    defined: &'a Defined,
    argument: &str,
    seen: &mut Vec<&'a Defined>,
) -> Arrives {
    if let Some(name) = defined.decorators.first() {
        return Arrives::Perhaps(format!("the decorator {name} may change what it takes"));
    }
    let mut above = || of_bases(sources, defined, argument, seen);
    let Some(takes) = &defined.takes else {
        return above();
    };
    if takes.names.iter().any(|name| name == argument) {
        return match takes.unused.iter().any(|name| name == argument) {
            true => Arrives::Unused(defined.clone()),
            false => Arrives::Used,
        };
    }
    match (takes.others, takes.forwards) {
        (false, _) => Arrives::Nowhere(takes.names.clone()),
        (true, true) => match above() {
            Arrives::Nowhere(more) => Arrives::Nowhere([takes.names.clone(), more].concat()),
            other => other,
        },
        (true, false) => {
            Arrives::Perhaps("only **kwargs take it, and what they reach is not known".into())
        }
    }
}

/// Where an argument arrives that a class hands to its bases.
fn of_bases<'a>(
    sources: &'a Sources,
    defined: &'a Defined,
    argument: &str,
    seen: &mut Vec<&'a Defined>,
) -> Arrives {
    let (mut nowhere, mut foreign) = (vec![], None);
    for base in defined.bases.iter().filter(|b| b.name != "object") {
        let all = sources.of_base(defined, base);
        if all.is_empty() {
            foreign = Some(&base.name);
            continue;
        }
        match arrives(sources, all, argument, seen) {
            Arrives::Nowhere(takes) => nowhere.extend(takes),
            other => return other,
        }
    }
    match foreign {
        Some(base) => Arrives::Perhaps(format!("its base {base} is in no source that is given")),
        None => Arrives::Nowhere(nowhere),
    }
}

fn unused(
    view: &View,
    path: &str,
    class: &str,
    argument: &str,
    at: At,
    defined: &Defined,
) -> Finding {
    let what = format!("{path}.{argument}: {class} takes {argument} and never uses it");
    let fact = format!("{class} is at {}:{}", defined.file.display(), defined.line);
    view.finding_at("argument_unused", at, what).facts([fact])
}

fn not_taken(
    view: &View,
    (path, class, argument): (&str, &str, &str),
    at: At,
    all: &[Defined],
    takes: &[String],
) -> Finding {
    let what = format!("{path}.{argument}: {class} takes no {argument}");
    let places = all
        .iter()
        .take(3)
        .map(|d| format!("{class} is at {}:{}", d.file.display(), d.line));
    let names = format!("it takes {}", takes.join(", "));
    let hint = crate::error::hint(argument, takes.iter().map(String::as_str));
    let next = (!hint.is_empty()).then(|| hint.trim_end().to_string());
    view.finding_at("argument", at, what)
        .facts(places)
        .facts([names])
        .next(next)
}

fn not_checked(view: &View, class: &str, arguments: &BTreeSet<String>) -> Finding {
    let names: Vec<&str> = arguments.iter().map(String::as_str).take(10).collect();
    let what = format!("{class}; not checked: {}", names.join(", "));
    let next = "give the source of the base as --source, or declare a rule".to_string();
    let place = view.config.files[0].display().to_string();
    Finding::new("not_checked", place, what)
        .next([next])
        .severity(Severity::Unjudged)
}

/// Sources that could not be read, the first few by name.
fn unread(sources: &Sources) -> Option<Finding> {
    let (first, why): &(PathBuf, String) = sources.unread.first()?;
    let what = format!(
        "{} of the sources could not be read: {why}",
        super::super::counted(sources.unread.len(), "file")
    );
    let shown = |path: &Path| path.display().to_string();
    let more = sources
        .unread
        .iter()
        .skip(1)
        .take(super::super::SHOWN)
        .map(|(path, _)| shown(path));
    Some(
        Finding::new("source", shown(first), what)
            .facts(more)
            .severity(Severity::Unjudged),
    )
}

//! classes: how many classes the data has, and how many each head is made for.

use super::view::{Set, View};
use crate::config::Tree;
use crate::verdict::{Finding, Severity};

/// The heads of an mmengine model against the classes of its data, and the sets of the data against each other.
pub fn findings(view: &View) -> Vec<Finding> {
    // A model that is told classes in words has no number of them.
    if view.get("model.language_model").is_some() {
        return vec![];
    }
    let classes: Vec<&Set> = view
        .named("classes")
        .filter(|set| set.path.contains("metainfo") && !set.tree.items().is_empty())
        .filter(|set| set.path.contains("dataset"))
        .collect();
    let Some(first) = classes.first() else {
        return vec![];
    };
    let mut found: Vec<Finding> = vec![];
    let differs = classes
        .iter()
        .find(|set| set.tree.items() != first.tree.items());
    if let Some(other) = differs {
        found.push(unlike(view, first, other));
    }
    let count = first.tree.items().len();
    let heads: Vec<&Set> = view
        .named("num_classes")
        .filter(|set| is_head(set))
        .collect();
    let wrong: Vec<&&Set> = heads
        .iter()
        .filter(|set| set.tree.integer() != Some(count as i128))
        .collect();
    for set in &wrong {
        let what = format!(
            "{} = {}, the data has {count} classes",
            set.path,
            super::view::short(set.tree)
        );
        let fact = format!("{} lists {count}", view.said(first));
        let next = format!("set it to {count}, or list the classes that are meant");
        found.push(
            view.finding("classes", set, what)
                .facts([fact])
                .next([next]),
        );
    }
    if wrong.is_empty() && differs.is_none() && !heads.is_empty() {
        let what = format!(
            "{count} classes in the data and in {}",
            super::super::counted(heads.len(), "head")
        );
        let note = view
            .finding("classes", first, what)
            .number("classes", count as f64);
        found.push(note.severity(Severity::Note));
    }
    found
}

/// A head that tells classes; a region proposal network only tells objects from background.
fn is_head(set: &Set) -> bool {
    let inside = set.path.starts_with("model.") && set.path.contains("head");
    inside && !set.path.contains("rpn") && matches!(set.tree, Tree::Int(_))
}

fn unlike(view: &View, a: &Set, b: &Set) -> Finding {
    let (names, others) = (a.tree.items(), b.tree.items());
    let what = format!(
        "{} has {} classes, {} has {}",
        a.path,
        names.len(),
        b.path,
        others.len()
    );
    let differ = names.iter().zip(others).position(|(a, b)| a != b);
    let fact = differ.map(|i| {
        let short = super::view::short;
        format!(
            "class {i} is {} there and {} here",
            short(&names[i]),
            short(&others[i])
        )
    });
    view.finding("classes", b, what)
        .facts([view.said(a)])
        .facts(fact)
}

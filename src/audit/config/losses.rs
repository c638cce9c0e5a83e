//! losses: terms that are configured and never logged.

use super::view::{Set, View, type_of};
use crate::config::Tree;
use crate::error::Result;
use crate::training_log;
use crate::verdict::{Finding, Severity};
use std::collections::BTreeSet;
use std::path::Path;

/// Every name that a log has a number for.
///
/// # Errors
/// It cannot be read.
pub fn logged(path: &Path) -> Result<BTreeSet<String>> {
    Ok(training_log::open(path)?.series.into_keys().collect())
}

pub fn findings(view: &View, log: &Path, names: &BTreeSet<String>) -> Vec<Finding> {
    let terms: Vec<&Set> = view.sets.iter().filter(|set| is_term(set)).collect();
    let (mut found, mut right) = (vec![], BTreeSet::new());
    for set in terms {
        let term = term(set);
        let weight = set.tree.get("loss_weight").and_then(|w| w.tree.number());
        if names.iter().any(|name| says(name, &term, &set.path)) {
            right.insert(term);
            continue;
        }
        let what = format!(
            "{} is configured, and {} never logs it",
            set.path,
            log.display()
        );
        let losses = names.iter().filter(|n| n.contains("loss")).take(12);
        let logged: Vec<&str> = losses.map(String::as_str).collect();
        let mut facts = vec![format!("it logs {}", logged.join(", "))];
        facts.extend((weight == Some(0.0)).then(|| "its loss_weight is 0".to_string()));
        let next = format!(
            "look for the switch that it waits for, and declare it: --rule '{term} needs KEY = VALUE'"
        );
        found.push(
            view.finding("never_logged", set, what)
                .facts(facts)
                .next([next]),
        );
    }
    if !right.is_empty() {
        let all: Vec<&str> = right.iter().map(String::as_str).collect();
        let what = format!(
            "{} logged: {}",
            super::super::counted(all.len(), "configured term"),
            all.join(", ")
        );
        found
            .push(Finding::new("logged", log.display().to_string(), what).severity(Severity::Note));
    }
    found
}

/// `loss_x = dict(type=...)`, somewhere in the model.
fn is_term(set: &Set) -> bool {
    let named = set.key.starts_with("loss_") || set.key.ends_with("_loss");
    let inside = set.path.starts_with("model.") || !set.path.contains('.');
    named && inside && matches!(set.tree, Tree::Dict(_)) && type_of(set.tree).is_some()
}

/// The name that a term gives itself, or that of its key.
fn term(set: &Set) -> String {
    let own = set.tree.get("loss_name").and_then(|n| n.tree.text());
    own.unwrap_or(set.key).to_string()
}

/// Whether a logged name is that of a term: the same, or with all of its words, as `loss_rpn_cls` has those of `loss_cls`.
fn says(name: &str, term: &str, path: &str) -> bool {
    let last = name.rsplit(['.', '/']).next().unwrap_or(name);
    let words = |text: &str| -> BTreeSet<String> {
        text.split('_')
            .filter(|w| !w.is_empty())
            .map(str::to_lowercase)
            .collect()
    };
    let whole = words(last);
    // A segmentor calls the loss of a head by its kind, behind the head's own name.
    let head = term == "loss_decode" && last.starts_with("loss_") && {
        let own = if path.contains("auxiliary") {
            "aux"
        } else {
            "decode"
        };
        name.split('.')
            .next()
            .is_some_and(|first| first.starts_with(own))
    };
    let short = term.trim_start_matches("loss_").trim_end_matches("_loss");
    last == term
        || last == short
        || head
        || (last.contains("loss") && words(term).is_subset(&whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logged_name_is_a_terms_own_or_has_all_of_its_words() {
        for (name, term, path, yes) in [
            ("loss_cls", "loss_cls", "", true),
            ("d0.loss_cls", "loss_cls", "", true),
            ("loss_rpn_cls", "loss_cls", "", true),
            ("train/cls_loss", "loss_cls", "", true),
            (
                "decode.loss_ce",
                "loss_decode",
                "model.decode_head.loss_decode",
                true,
            ),
            (
                "decode.loss_ce",
                "loss_decode",
                "model.auxiliary_head.loss_decode",
                false,
            ),
            ("loss_mask", "loss_mac", "", false),
            ("loss", "loss_zorp", "", false),
            ("acc", "loss_acc", "", true),
        ] {
            assert_eq!(says(name, term, path), yes, "{name} {term}");
        }
    }

    #[test]
    fn names_are_read_from_each_kind_of_log() {
        let dir = tempfile::tempdir().unwrap();
        let read = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            logged(&path)
                .unwrap()
                .into_iter()
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(read("r.csv", "epoch, train/a_loss\n1, 2\n"), "train/a_loss");
        assert_eq!(
            read("s.json", "{\"loss_a\": 1}\n{\"loss_b\": 2}\n"),
            "loss_a loss_b"
        );
        assert_eq!(
            read(
                "p.log",
                "2024/01/01 10:00:00 - mmengine - INFO - Epoch(train) [1][10/20]  lr: 1.0000e-03  eta: 0:00:10  time: 0.1000  loss: 0.5000  loss_z: 0.1000\nepoch 2, loss_own: 0.25\n"
            ),
            "loss loss_own loss_z lr time"
        );
    }
}

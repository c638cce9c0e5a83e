//! frozen: a learning rate of nothing that is taken for freezing, and frozen stages that hold random values.

use super::view::{Set, View};
use crate::config::Tree;
use crate::verdict::{Finding, Severity};

/// Words that say of a line that it freezes.
const FREEZES: &[&str] = &["freeze", "frozen", "freezing", "冻结", "fixed backbone"];

pub fn findings(view: &View) -> Vec<Finding> {
    let zero = view
        .named("lr_mult")
        .filter(|set| set.tree.number() == Some(0.0));
    let mut found: Vec<Finding> = zero.map(|set| lr_of_nothing(view, set)).collect();
    found.extend(
        view.named("frozen_stages")
            .filter_map(|set| stages(view, set)),
    );
    found
}

/// A learning rate of 0 moves no weight; it does not freeze.
fn lr_of_nothing(view: &View, set: &Set) -> Finding {
    let parent = set.path.trim_end_matches(".lr_mult");
    let whose = parent
        .split_once("custom_keys.")
        .map_or(parent, |(_, name)| name);
    let comment = view.config.comment(set.at);
    let outer = view
        .get(parent)
        .map(|set| view.config.comment(set.at))
        .unwrap_or_default();
    let says = |text: &str| {
        FREEZES
            .iter()
            .any(|word| text.to_lowercase().contains(word))
    };
    let claimed = says(&comment) || says(&outer) || says(whose);
    let what = match claimed {
        true => format!("lr_mult = 0 of '{whose}' is called freezing, and is none"),
        false => format!("lr_mult = 0 of '{whose}' moves no weight, and freezes nothing"),
    };
    let facts = [
        "with SGD and AdamW the weights stay exactly what they are".to_string(),
        "they stay trainable: their gradients are computed and stored, an optimiser keeps its state for them".into(),
        "running statistics of batch norm drift on in training mode".into(),
    ];
    let next = [
        "freeze with frozen_stages and norm_eval, or requires_grad = False".to_string(),
        format!("parity audit freeze CHECKPOINT --frozen {whose} says what is frozen"),
    ];
    let severity = match claimed {
        true => Severity::Fault,
        false => Severity::Warning,
    };
    view.finding("lr_mult_zero", set, what)
        .facts(facts)
        .next(next)
        .severity(severity)
}

/// Frozen stages keep the values that they begin with.
fn stages(view: &View, set: &Set) -> Option<Finding> {
    let n = set.tree.integer().filter(|n| *n >= 0)?;
    let parent = set.path.trim_end_matches(".frozen_stages");
    let begins = |path: String| view.get(&path).is_some_and(|set| set.tree.text().is_some());
    let module = view.get(parent).map(|set| set.tree);
    let named = |set: &Set| set.key.ends_with("ckpt") && set.tree.text().is_some();
    let loaded = ["load_from", "model.init_cfg.checkpoint"];
    let whole = loaded.iter().any(|p| begins((*p).to_string())) || view.sets.iter().any(named);
    let pretrained = begins(format!("{parent}.init_cfg.checkpoint"))
        || begins(format!("{parent}.pretrained"))
        || view
            .get(&format!("{parent}.init_cfg"))
            .is_some_and(|s| !s.tree.items().is_empty());
    if !whole && !pretrained {
        let what =
            format!("frozen_stages = {n} and no checkpoint: the frozen stages hold random values");
        let next =
            "name a checkpoint (init_cfg, load_from), or freeze nothing (frozen_stages = -1)";
        return Some(
            view.finding("frozen_random", set, what)
                .next([next.to_string()]),
        );
    }
    let depth = module
        .and_then(|m| m.get("depth"))
        .and_then(|d| d.tree.integer());
    let what = match (n, depth) {
        (1, Some(50)) => "frozen_stages = 1: the stem and stage 1 of ResNet-50, 225344 of its 23508032 parameters without fc".into(),
        _ => format!("frozen_stages = {n}: what a checkpoint brings for them stays"),
    };
    let drifts = module
        .and_then(|m| m.get("norm_eval"))
        .is_some_and(|i| i.tree == Tree::Bool(false));
    let fact = drifts.then(|| {
        "norm_eval = False: running statistics of the stages that are not frozen go on".to_string()
    });
    Some(
        view.finding("frozen_stages", set, what)
            .facts(fact)
            .severity(Severity::Note),
    )
}

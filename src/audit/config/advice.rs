//! advice: epochs, learning rate, warm-up and class weights against what is loaded; it stands apart and decides nothing.

use super::view::{Set, View};
use crate::verdict::{Finding, Severity};

/// Epochs that a detector or segmentor trained from random values wants at least, by the public schedules (6x of 12).
const FROM_SCRATCH: f64 = 72.0;

pub fn findings(view: &View) -> Vec<Finding> {
    let all = [epochs(view), warm_up(view), class_weights(view)];
    all.into_iter()
        .flatten()
        .map(|f| f.severity(Severity::Note))
        .collect()
}

fn epochs(view: &View) -> Option<Finding> {
    let set = ["train_cfg.max_epochs", "epochs"]
        .iter()
        .find_map(|path| view.get(path))?;
    let n = set.tree.number()?;
    let loads = |set: &Set| {
        ["checkpoint", "load_from", "pretrained", "model"].contains(&set.key)
            && set.tree.text().is_some_and(|t| !t.ends_with(".yaml"))
    };
    if n >= FROM_SCRATCH || view.sets.iter().any(loads) {
        return None;
    }
    let what = format!(
        "advice: {} = {n} and nothing is loaded: from random values, public schedules take {FROM_SCRATCH} or more",
        set.path
    );
    Some(view.finding("advice", set, what))
}

fn warm_up(view: &View) -> Option<Finding> {
    let lr = view.get("optim_wrapper.optimizer.lr")?;
    let value = lr.tree.number().filter(|lr| *lr >= 0.02)?;
    let schedule = view.get("param_scheduler")?;
    let warms = view
        .sets
        .iter()
        .any(|s| s.key == "start_factor" || s.key == "warmup");
    let what = format!(
        "advice: lr = {value} without a warm-up in {}",
        schedule.path
    );
    (!warms).then(|| view.finding("advice", lr, what))
}

/// A list of weights, one a class.
fn class_weights(view: &View) -> Option<Finding> {
    let weights = view
        .named("class_weight")
        .find(|set| !set.tree.items().is_empty())?;
    let n = weights.tree.items().len();
    let owner = weights
        .path
        .rsplit_once(".loss")
        .map_or("", |(owner, _)| owner);
    let classes = view.get(&format!("{owner}.num_classes"))?.tree.integer()?;
    let fits = [classes, classes + 1].contains(&(n as i128));
    let what = format!(
        "advice: {} has {n} weights, {owner} has {classes} classes",
        weights.path
    );
    (!fits).then(|| view.finding("advice", weights, what))
}

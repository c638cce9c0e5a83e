//! frozen: whether what is meant to be frozen is, and nothing else.

use super::state::{Parameter, State, named};
use crate::audit::counted;
use crate::verdict::{Finding, Severity};

/// Bytes of a gradient's element, and of what Adam keeps of it: f32.
const GRADIENT: u64 = 4;
const ADAM: u64 = 8;

pub fn findings(state: &State) -> Vec<Finding> {
    let mut found = vec![];
    found.extend(summary(state));
    found.extend(trainable(state));
    found.extend(moved(state));
    found.extend(statistics(state));
    found.extend(unasked(state));
    found.extend(inference(state));
    found.extend(still(state));
    found.extend(unknown(state));
    found
}

fn elements<'a>(all: impl IntoIterator<Item = &'a Parameter>) -> u64 {
    all.into_iter().map(|p| p.elements).sum()
}

/// "225344 of 23508032 parameters are frozen, 33 of 159 tensors; 23282688 are trainable".
fn summary(state: &State) -> Option<Finding> {
    let all: Vec<&Parameter> = state.trained().collect();
    let known = state.says_what_trains() && all.iter().all(|p| p.requires_grad.is_some());
    let frozen: Vec<&Parameter> = all
        .iter()
        .filter(|p| p.requires_grad == Some(false))
        .copied()
        .collect();
    let (n, of) = (
        elements(frozen.iter().copied()),
        elements(all.iter().copied()),
    );
    let what = format!(
        "{n} of {of} parameters are frozen ({} of {} tensors), {} are trainable",
        frozen.len(),
        all.len(),
        of - n
    );
    let finding = Finding::new("trainable", "model", what)
        .number("frozen", n as f64)
        .number("trainable", (of - n) as f64);
    known.then(|| finding.severity(Severity::Note))
}

/// Parameters that are meant to be frozen.
fn meant(state: &State) -> Vec<&Parameter> {
    let own = state.trained().filter(|p| state.is_meant_frozen(&p.name));
    own.collect()
}

fn trainable(state: &State) -> Option<Finding> {
    let all: Vec<&Parameter> = meant(state)
        .into_iter()
        .filter(|p| p.requires_grad == Some(true))
        .collect();
    let first = all.first()?;
    let n = elements(all.iter().copied());
    let whole = elements(state.trained());
    let trains = elements(state.trained().filter(|p| p.requires_grad == Some(true)));
    let rest = all
        .iter()
        .all(|p| p.group.is_some_and(|g| g.lr == Some(0.0)));
    let mut facts = named(&all);
    facts.push(format!(
        "{trains} of the model's {whole} parameters are trainable"
    ));
    if rest {
        facts.push("their learning rate is 0: no step moves them, and the running statistics of their norms go on moving".into());
    }
    let kept: Option<u64> = all.iter().map(|p| p.kept).sum();
    let kept = kept.filter(|k| *k > 0).unwrap_or(ADAM * n);
    facts.push(format!(
        "freezing saves {} bytes of gradients and {kept} bytes of what the optimiser keeps, if it is Adam in f32",
        GRADIENT * n
    ));
    let what = format!("{n} parameters that are meant to be frozen ask for a gradient");
    Some(
        Finding::new("not_frozen", &first.name, what)
            .facts(facts)
            .number("elements", n as f64)
            .next(["set requires_grad = False on them (and eval() on their norms) before the optimiser is made: a rate of 0 is no freezing".to_string()]),
    )
}

fn moved(state: &State) -> Option<Finding> {
    let moves = |p: &&Parameter| p.moved.is_some_and(|m| m != 0.0);
    let all: Vec<&Parameter> = meant(state).into_iter().filter(moves).collect();
    let first = all.first()?;
    let what = format!(
        "{} that are meant to be frozen moved",
        counted(all.len(), "tensor")
    );
    Some(
        Finding::new("frozen_moved", &first.name, what)
            .facts(named(&all))
            .next(["set requires_grad = False on them before the optimiser is made".to_string()]),
    )
}

fn statistics(state: &State) -> Option<Finding> {
    let own = state
        .params
        .iter()
        .filter(|p| p.is_statistic() && state.is_meant_frozen(&p.name));
    let all: Vec<&Parameter> = own.filter(|p| p.moved.is_some_and(|m| m != 0.0)).collect();
    let first = all.first()?;
    let what = format!(
        "{} of frozen norms moved: they are in training mode",
        counted(all.len(), "running statistic")
    );
    Some(
        Finding::new("statistics_moved", &first.name, what)
            .facts(named(&all))
            .next(["call eval() on the frozen norms after every train()".to_string()]),
    )
}

/// What nobody asked to be frozen.
fn unasked(state: &State) -> Vec<Finding> {
    let free = |p: &&Parameter| !state.is_meant_frozen(&p.name) && !p.is_projection;
    let frozen = |p: &&Parameter| state.says_what_trains() && p.requires_grad == Some(false);
    let still = |p: &&Parameter| p.moved == Some(0.0) && !frozen(p);
    let any = state.trained().any(|p| p.moved.is_some_and(|m| m != 0.0));
    let kinds: [(&str, Vec<&Parameter>, &str, &str); 2] = [
        (
            "frozen_unasked",
            state.trained().filter(free).filter(frozen).collect(),
            "ask for no gradient, and nobody said that they are frozen",
            "set requires_grad = True on them, or say --frozen NAME where that is meant",
        ),
        (
            "did_not_move",
            state
                .trained()
                .filter(free)
                .filter(still)
                .filter(|_| any)
                .collect(),
            "did not move while others did, and nobody said that they are frozen",
            "look whether their module runs, whether its output reaches the loss, and in which group of the optimiser they are",
        ),
    ];
    let finding = |(kind, all, said, next): (&str, Vec<&Parameter>, &str, &str)| {
        let first = all.first()?;
        let what = format!(
            "{} ({} elements) {said}",
            counted(all.len(), "tensor"),
            elements(all.iter().copied())
        );
        let finding = Finding::new(kind, &first.name, what).facts(named(&all));
        Some(finding.next([next.to_string()]))
    };
    kinds.into_iter().filter_map(finding).collect()
}

/// Norms in inference mode where others train. A model that was saved in inference mode has no module in training mode.
fn inference(state: &State) -> Option<Finding> {
    let modes = state.modes.as_ref().filter(|m| m.any_trains)?;
    let odd = modes.inference.iter();
    let odd: Vec<&String> = odd.filter(|m| !state.is_meant_frozen(m)).collect();
    let first = odd.first()?;
    let what = format!(
        "{} in inference mode, and nobody said that they are frozen",
        counted(odd.len(), "norm")
    );
    let facts = odd
        .iter()
        .take(crate::audit::SHOWN)
        .map(|m| format!("'{m}'"));
    Some(
        Finding::new("inference_mode", first.as_str(), what)
            .facts(facts)
            .next(["call train() on them, or say --frozen NAME where that is meant".to_string()]),
    )
}

/// All that is meant to be frozen is where it was.
fn still(state: &State) -> Option<Finding> {
    let all = meant(state);
    let is_still = |p: &&Parameter| p.moved == Some(0.0);
    let right = all.iter().filter(|p| is_still(p)).count();
    let what = format!(
        "{} that are meant to be frozen did not move",
        counted(right, "tensor")
    );
    let finding = Finding::new("frozen", "model", what).severity(Severity::Note);
    (right > 0 && right == all.len()).then_some(finding)
}

fn unknown(state: &State) -> Option<Finding> {
    let all = meant(state);
    let known = state.says_what_trains() || all.iter().any(|p| p.moved.is_some());
    let what = "whether it is frozen cannot be told: the file says of no parameter whether it asks for a gradient, and no earlier checkpoint is named";
    let next = "name one with --before, or a recorded training step with --recorded";
    let finding = Finding::new("frozen", all.first()?.name.clone(), what).next([next.to_string()]);
    (!known).then(|| finding.severity(Severity::Unjudged))
}

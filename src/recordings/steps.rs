//! steps: how each term of a loss was computed, step by step, on both sides.

use super::both::Both;
use crate::judge::stage::loss::{Size, Step};
use crate::scenario::training::{ITEMS, NORMALISER, TOTAL, raw};
use crate::trace::program::StepOfLoss;
use crate::verdict::{Accumulated, Judgement, TensorResult, Why};

/// The terms that the reference recorded, in its order; `loss.TERM` and what is called `loss.TERM.STEP` are of one.
pub fn terms(both: &Both) -> Vec<String> {
    let mut found: Vec<String> = vec![];
    let listed = both.reference.header.iter().flat_map(|h| &h.losses);
    let listed = listed.map(|l| l.term.clone());
    let whole = [ITEMS, TOTAL, NORMALISER];
    let named = both.beginning("loss.").into_iter();
    let named = named.filter(|n| !whole.contains(&n.as_str()));
    let named = named.filter_map(|n| Some(n.split('.').nth(1)?.to_string()));
    for term in listed.chain(named) {
        if !found.contains(&term) && whole.iter().all(|w| *w != raw(&term)) {
            found.push(term);
        }
    }
    found
}

/// The steps of one term, in the order in which the reference computed them; its value is the last.
pub fn of(both: &Both, term: &str, tensors: &[TensorResult]) -> Vec<Step> {
    let listed = both.reference.header.iter().flat_map(|h| &h.losses);
    let mut listed = listed.filter(|l| l.term == term);
    let names: Vec<(String, String)> = match listed.next() {
        Some(loss) => {
            let steps = loss.steps.iter();
            steps
                .map(|s| (name(s.step).to_string(), s.tensor.clone()))
                .collect()
        }
        None => named(both, term),
    };
    let size = |side, standard: &str| both.tensor(side, standard).map(|t| Size::of(&t));
    let one = |(step, tensor): (String, String)| {
        let standard = both.standard(&tensor);
        let result = tensors.iter().find(|t| t.name == both.ours(&tensor));
        Step {
            step,
            reference: size(0, standard),
            candidate: size(1, standard),
            judgement: judgement(result),
            tensor,
        }
    };
    names.into_iter().map(one).collect()
}

/// The steps that the names tell.
fn named(both: &Both, term: &str) -> Vec<(String, String)> {
    let value = raw(term);
    let of_term = |n: &String| match n.strip_prefix(&value)? {
        "" => Some(("value".to_string(), n.clone())),
        rest => Some((rest.strip_prefix('.')?.to_string(), n.clone())),
    };
    let all = both.beginning("loss.");
    all.iter().filter_map(of_term).collect()
}

fn name(step: StepOfLoss) -> &'static str {
    match step {
        StepOfLoss::PerElement => "per_element",
        StepOfLoss::Weight => "weight",
        StepOfLoss::Product => "product",
        StepOfLoss::Sum => "sum",
        StepOfLoss::Normaliser => "normaliser",
        StepOfLoss::Value => "value",
    }
}

/// What the tensor of the step was judged to be.
pub fn judgement(result: Option<&TensorResult>) -> Judgement {
    match result.map(|r| &r.accumulated) {
        Some(Accumulated::Compared { ratio, .. }) => Judgement::of_ratio(*ratio),
        Some(Accumulated::TieFlip { flips, .. }) => Judgement::Tie(*flips),
        Some(Accumulated::NotJudged { why }) => Judgement::NotJudged(why.clone()),
        None => Judgement::NotJudged(Why::Missing("it was not recorded".into())),
    }
}

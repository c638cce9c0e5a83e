//! golden: a golden as a further opinion: what it keeps of a tensor, held against the reference's own value.
//!
//! Both are engines in the declared dtypes, so the floor is the one of reference and candidate: R spreads of the f64 graph under rounding
//! noise. Of a sketch the distance is an estimate; the smallest distance that it allows (three standard errors) must be over.

use crate::compare::{Comparison, compare};
use crate::floor::noise::{Floor, axis_for};
use crate::golden::estimate::{self, Seen};
use crate::golden::{Golden, Held, Value};
use crate::judge::stage::golden::{Sketched, Witnessed};
use crate::judge::{Limit, against};
use crate::tensor::Tensor;
use crate::verdict::Judgement;
use std::collections::HashMap;

/// One tensor of the golden beside the reference's, not yet held against a floor.
pub struct Waiting {
    name: String,
    step: usize,
    numel: usize,
    stored: &'static str,
    seen: Looked,
}

enum Looked {
    /// The same bits.
    Same,
    Full(Comparison),
    /// Values that a sketch tells of.
    Sketch(Seen),
    /// Another dtype, shape or finiteness.
    Unlike(String),
    /// A decision or an integer, and not the same.
    Decision,
}

/// Looks at tensor `name` of step `step`; None where the golden does not keep it.
pub fn look(golden: &Golden, name: &str, step: usize, reference: &Tensor) -> Option<Waiting> {
    let held = golden.tensors.get(name)?;
    let seen = looked(held, reference);
    Some(Waiting {
        name: name.into(),
        step,
        numel: reference.numel(),
        stored: held.value.stored(),
        seen,
    })
}

fn looked(held: &Held, reference: &Tensor) -> Looked {
    if held.value.dtype() == reference.dtype() && held.value.shape() == reference.shape() {
        if held.sha256 == crate::digest::of_bytes(reference.bytes()) {
            return Looked::Same;
        }
        if !reference.dtype().is_float() {
            return Looked::Decision;
        }
    }
    match &held.value {
        Value::Full(golden) => {
            match compare(reference.view(), golden.view(), axis_for(reference.shape())) {
                Comparison::Attributes(a) => Looked::Unlike(format!("{a:?}")),
                comparison => Looked::Full(comparison),
            }
        }
        Value::Sketch(sketch) => match estimate::against(sketch, reference.view()) {
            seen @ Seen::Values(_) => Looked::Sketch(seen),
            Seen::Attributes(a) => Looked::Unlike(format!("{a:?}")),
            Seen::NotFinite {
                reference: golden,
                candidate: ours,
            } => Looked::Unlike(format!("golden {golden:?}, reference {ours:?}")),
        },
    }
}

/// Names and sizes of the tensors that wait for a floor.
pub fn wanted(waiting: &[Waiting]) -> impl Iterator<Item = (String, usize)> + '_ {
    let open = |w: &&Waiting| matches!(w.seen, Looked::Full(_) | Looked::Sketch(_));
    waiting
        .iter()
        .filter(open)
        .map(|w| (w.name.clone(), w.numel))
}

/// Holds what waited against the floors.
pub fn settle(waiting: &[Waiting], floors: &HashMap<String, Floor>) -> Vec<Witnessed> {
    waiting.iter().map(|w| held(w, floors)).collect()
}

/// Holds one tensor against its floor.
pub fn held(w: &Waiting, floors: &HashMap<String, Floor>) -> Witnessed {
    let limit = floors
        .get(&w.name)
        .map_or(Limit::Unknown("no noise floor"), Limit::Spread);
    let (judgement, distance, note) = match &w.seen {
        Looked::Same => (Judgement::Within(0.0), 0.0, None),
        Looked::Unlike(what) => (
            Judgement::Over(f64::INFINITY),
            f64::INFINITY,
            Some(what.clone()),
        ),
        Looked::Decision => (
            Judgement::Over(f64::INFINITY),
            f64::INFINITY,
            Some("decisions differ".into()),
        ),
        Looked::Full(comparison) => {
            let conflicts = comparison
                .metrics()
                .is_none_or(|m| m.specials.conflicts > 0);
            let distance = comparison
                .metrics()
                .filter(|_| !conflicts)
                .map_or(f64::INFINITY, |m| m.rel_l2);
            (
                against(comparison, limit),
                distance,
                conflicts.then(|| "not finite on one side".to_string()),
            )
        }
        Looked::Sketch(seen) => {
            let relative = if let Seen::Values(e) = seen {
                e.relative
            } else {
                f64::INFINITY
            };
            (
                against(
                    &Sketched {
                        seen,
                        numel: w.numel,
                    },
                    limit,
                ),
                relative,
                Some("estimated from a sketch".into()),
            )
        }
    };
    Witnessed {
        name: w.name.clone(),
        step: w.step,
        stored: w.stored.into(),
        judgement,
        distance,
        note,
    }
}

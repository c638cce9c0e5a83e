//! shrink: the smaller and simpler inputs that still diverge first at the same place.

use super::asker::{Asker, Inputs};
use super::draw::InputSpec;
use super::wrong_run::{Kind, WrongRun};
use crate::fuzz::search::{Search, least};
use crate::subject::kernels::draw::Case;
use crate::subject::kernels::edit::cropped;
use crate::tensor::Tensor;

/// Runs that one find may take to be shrunk: each is a run of the model.
const RUNS: usize = 60;

fn same(a: &Inputs, b: &Inputs) -> bool {
    a.iter().all(|(n, t)| {
        b.get(n)
            .is_some_and(|o| o.shape() == t.shape() && o.bytes() == t.bytes())
    })
}

/// What comes of inputs, as far as has to be computed for it: an origin is told without what lies behind it.
fn asked(asker: &mut Asker, case: &Case, best: &WrongRun) -> Option<WrongRun> {
    let is_alone = matches!(best.kind, Kind::Origin | Kind::NotFinite | Kind::Attributes);
    let until = best.tensor.as_deref().filter(|_| is_alone);
    asker.ask(&case.inputs, until).ok()?.wrong
}

/// Takes `inputs` over where they diverge alike.
fn try_it(search: &mut Search<WrongRun>, inputs: Inputs) -> bool {
    let (best, _) = &search.best;
    if search.is_over() || same(&inputs, &best.inputs) {
        return false;
    }
    let edges = best.edges.clone();
    search.try_it(Case { inputs, edges })
}

/// The smallest and simplest inputs that were found, with what comes of them; `hurry` says when to be content with what there is.
pub fn shrunk(
    asker: &mut Asker,
    spec: &InputSpec,
    first: (Case, WrongRun),
    hurry: &dyn Fn() -> bool,
) -> (Case, WrongRun) {
    let mut search = Search {
        ask: &mut |case, best| asked(asker, case, best),
        hurry,
        best: first,
        steps: RUNS,
        numbers: usize::MAX,
    };
    smaller(&mut search, spec);
    simpler(&mut search, spec);
    search.best
}

/// Open sizes: one first, else halves.
fn smaller(search: &mut Search<WrongRun>, spec: &InputSpec) {
    let mut keys: Vec<String> = spec.open().map(|(key, ..)| key).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        let places: Vec<(usize, usize)> = spec
            .open()
            .filter(|(k, ..)| *k == key)
            .map(|(_, i, axis, _)| (i, axis))
            .collect();
        let now = |best: &Inputs| {
            places
                .first()
                .map_or(1, |(i, axis)| best[*i].shape()[*axis])
        };
        let mut to = 1;
        while to < now(&search.best.0.inputs) {
            let mut inputs = search.best.0.inputs.clone();
            for (i, axis) in &places {
                inputs[*i] = cropped(&inputs[*i], *axis, to);
            }
            if try_it(search, inputs) {
                break;
            }
            let size = now(&search.best.0.inputs);
            to = to.max(size - (size - to) / 2);
            if size <= to + 1 {
                break;
            }
        }
    }
}

/// Values: one for all, else the fewest that are not the least, else powers of two.
fn simpler(search: &mut Search<WrongRun>, spec: &InputSpec) {
    for i in 0..search.best.0.inputs.len() {
        let rest = if search.best.0.inputs[i].dtype().is_float() {
            0.0
        } else {
            spec.least(i)
        };
        let values = search.best.0.inputs[i].to_f64();
        let largest = values
            .iter()
            .copied()
            .max_by(|a, b| a.abs().total_cmp(&b.abs()))
            .unwrap_or(0.0);
        let constants = [rest, 1.0, power(largest), largest];
        let floats = search.best.0.inputs[i].dtype().is_float();
        if constants
            .into_iter()
            .take(if floats { 4 } else { 1 })
            .any(|v| attempt(search, i, &|_| v))
        {
            continue;
        }
        fewer(search, i, rest);
        if floats {
            attempt(search, i, &power);
        }
    }
}

/// The power of two below |x|, with its sign.
fn power(x: f64) -> f64 {
    if x == 0.0 || !x.is_finite() {
        x
    } else {
        x.signum() * x.abs().log2().floor().exp2()
    }
}

/// Every value of input `i` changed.
fn attempt(search: &mut Search<WrongRun>, i: usize, change: &dyn Fn(f64) -> f64) -> bool {
    let mut inputs = search.best.0.inputs.clone();
    let values: Vec<f64> = inputs[i].to_f64().into_iter().map(change).collect();
    match Tensor::from_f64(inputs[i].dtype(), inputs[i].shape(), &values) {
        Ok(t) => {
            inputs[i] = t;
            try_it(search, inputs)
        }
        Err(_) => false,
    }
}

/// Puts `rest` in the place of as many values as can be spared.
fn fewer(search: &mut Search<WrongRun>, i: usize, rest: f64) {
    let values = search.best.0.inputs[i].to_f64();
    let moved: Vec<usize> = (0..values.len()).filter(|k| values[*k] != rest).collect();
    least(moved, &mut |kept| {
        let mut inputs = search.best.0.inputs.clone();
        let mut few = vec![rest; values.len()];
        kept.iter().for_each(|k| few[*k] = values[*k]);
        match Tensor::from_f64(inputs[i].dtype(), inputs[i].shape(), &few) {
            Ok(t) => {
                inputs[i] = t;
                try_it(search, inputs)
            }
            Err(_) => false,
        }
    });
}

//! shrink: the smaller and simpler inputs that still diverge first at the same place.

use super::ask::{Asker, Inputs};
use super::draw::Law;
use super::finding::{Finding, Kind};
use crate::subject::kernels::edit::cropped;
use crate::tensor::Tensor;

/// Runs that one find may take to be shrunk: each is a run of the model.
const RUNS: usize = 60;

/// Asks whether smaller inputs diverge alike, as often as it may.
struct Search<'a, 'b> {
    asker: &'a mut Asker<'b>,
    best: (Inputs, Finding),
    left: usize,
    hurry: &'a dyn Fn() -> bool,
}

impl Search<'_, '_> {
    /// Takes `inputs` over where they diverge alike.
    fn try_it(&mut self, inputs: Inputs) -> bool {
        if self.left == 0 || (self.hurry)() || same(&inputs, &self.best.0) {
            return false;
        }
        self.left -= 1;
        // An origin is told without what lies behind it.
        let until = self.best.1.tensor.clone().filter(|_| {
            matches!(
                self.best.1.kind,
                Kind::Origin | Kind::NotFinite | Kind::Attributes
            )
        });
        let found = self
            .asker
            .ask(&inputs, until.as_deref())
            .ok()
            .and_then(|j| j.finding)
            .filter(|f| f.is(&self.best.1));
        let is = found.is_some();
        if let Some(finding) = found {
            self.best = (inputs, finding);
        }
        is
    }
}

fn same(a: &Inputs, b: &Inputs) -> bool {
    a.iter().all(|(n, t)| {
        b.get(n)
            .is_some_and(|o| o.shape() == t.shape() && o.bytes() == t.bytes())
    })
}

/// The smallest and simplest inputs that were found, with what comes of them; `hurry` says when to be content with what there is.
pub fn shrunk(
    asker: &mut Asker,
    law: &Law,
    first: (Inputs, Finding),
    hurry: &dyn Fn() -> bool,
) -> (Inputs, Finding) {
    let mut search = Search {
        asker,
        best: first,
        left: RUNS,
        hurry,
    };
    smaller(&mut search, law);
    simpler(&mut search, law);
    search.best
}

/// Open sizes: one first, else halves.
fn smaller(search: &mut Search, law: &Law) {
    let mut keys: Vec<String> = law.open().map(|(key, ..)| key).collect();
    keys.sort();
    keys.dedup();
    for key in keys {
        let places: Vec<(usize, usize)> = law
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
        while to < now(&search.best.0) {
            let mut inputs = search.best.0.clone();
            for (i, axis) in &places {
                inputs[*i] = cropped(&inputs[*i], *axis, to);
            }
            if search.try_it(inputs) {
                break;
            }
            let size = now(&search.best.0);
            to = to.max(size - (size - to) / 2);
            if size <= to + 1 {
                break;
            }
        }
    }
}

/// Values: one for all, else the fewest that are not the least, else powers of two.
fn simpler(search: &mut Search, law: &Law) {
    for i in 0..search.best.0.len() {
        let rest = if search.best.0[i].dtype().is_float() {
            0.0
        } else {
            law.least(i)
        };
        let values = search.best.0[i].to_f64();
        let largest = values
            .iter()
            .copied()
            .max_by(|a, b| a.abs().total_cmp(&b.abs()))
            .unwrap_or(0.0);
        let constants = [rest, 1.0, power(largest), largest];
        let floats = search.best.0[i].dtype().is_float();
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
fn attempt(search: &mut Search, i: usize, change: &dyn Fn(f64) -> f64) -> bool {
    let mut inputs = search.best.0.clone();
    let values: Vec<f64> = inputs[i].to_f64().into_iter().map(change).collect();
    match Tensor::from_f64(inputs[i].dtype(), inputs[i].shape(), &values) {
        Ok(t) => {
            inputs[i] = t;
            search.try_it(inputs)
        }
        Err(_) => false,
    }
}

/// Puts `rest` in the place of as many values as can be spared.
fn fewer(search: &mut Search, i: usize, rest: f64) {
    let values = search.best.0[i].to_f64();
    let moved: Vec<usize> = (0..values.len()).filter(|k| values[*k] != rest).collect();
    least(moved, &mut |kept| {
        let mut inputs = search.best.0.clone();
        let mut few = vec![rest; values.len()];
        kept.iter().for_each(|k| few[*k] = values[*k]);
        match Tensor::from_f64(inputs[i].dtype(), inputs[i].shape(), &few) {
            Ok(t) => {
                inputs[i] = t;
                search.try_it(inputs)
            }
            Err(_) => false,
        }
    });
}

/// Items of which no run of a halving can be spared: halves are left out, then quarters, down to single items (Zeller's ddmin without its
/// first half).
pub fn least(mut items: Vec<usize>, holds: &mut dyn FnMut(&[usize]) -> bool) -> Vec<usize> {
    let mut size = items.len().div_ceil(2);
    while size > 0 && !items.is_empty() {
        let mut at = 0;
        while at < items.len() {
            let end = (at + size).min(items.len());
            let without: Vec<usize> = items[..at].iter().chain(&items[end..]).copied().collect();
            if !without.is_empty() && holds(&without) {
                items = without;
            } else {
                at = end;
            }
        }
        size = if size == 1 { 0 } else { size.div_ceil(2) };
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_spared_is_left_out() {
        for needed in [vec![3], vec![0, 9], vec![2, 5, 6]] {
            let mut holds = |kept: &[usize]| needed.iter().all(|n| kept.contains(n));
            assert_eq!(least((0..10).collect(), &mut holds), needed);
        }
    }

    #[test]
    fn a_crop_keeps_the_first_slices_of_its_axis() {
        let t = Tensor::of(&[2, 3], &[1f32, 2.0, 3.0, 4.0, 5.0, 6.0]);
        let check = |axis, to, shape: &[usize], values: &[f64]| {
            let c = cropped(&t, axis, to);
            assert_eq!((c.shape(), c.to_f64().as_slice()), (shape, values));
        };
        check(0, 1, &[1, 3], &[1.0, 2.0, 3.0]);
        check(1, 2, &[2, 2], &[1.0, 2.0, 4.0, 5.0]);
    }
}

//! rounding: how far does rounding in f32 move each number of an answer, and which anchors does it give to another object?
//!
//! Convention: the f64 form once undisturbed and up to K = 16 times with rounding noise behind every node (`floor::noise`); the spread of a
//! number is its largest deviation, and it may be off by R of it. A number that noise makes infinite or no number, or that f32 cannot hold,
//! has no bound: it is not compared, and counted.

use super::response::{Response, Slopes};
use crate::floor::noise::R;
use crate::tensor::Tensor;
use std::collections::BTreeMap;

/// What rounding was seen to do; nothing where the subject computes in f64.
#[derive(Clone, Debug, Default)]
pub struct Spread {
    /// Whether it is f32 that rounds, so that a number may be off by what f32 holds of it.
    single: bool,
    exact: Option<Response>,
    /// The largest deviation of each number so far.
    pub values: BTreeMap<String, Tensor>,
    gradients: Slopes,
    /// The owners of all anchors in each run.
    owners: Vec<Vec<Option<usize>>>,
}

/// One number of an answer.
#[derive(Clone, Copy, Debug)]
pub enum Of<'a> {
    Value(&'a str),
    /// Of an output, by an input.
    Gradient(&'a str, &'a str),
}

impl Spread {
    /// Of a subject in f32.
    pub fn single() -> Self {
        Self {
            single: true,
            ..Self::default()
        }
    }

    pub fn is_single(&self) -> bool {
        self.single
    }

    /// Adds a run; the first is the undisturbed one.
    pub fn add(&mut self, run: Response) {
        let Some(exact) = &self.exact else {
            self.exact = Some(run);
            return;
        };
        for (name, noisy) in &run.tensors {
            let Some(value) = exact.tensors.get(name) else {
                continue;
            };
            widen(
                self.values
                    .entry(name.clone())
                    .or_insert_with(|| zeros(value)),
                value,
                noisy,
            );
        }
        for (pair, noisy) in run.gradients.iter().flatten() {
            let Some(Some(value)) = exact.gradients.as_ref().and_then(|g| g.get(pair)) else {
                continue;
            };
            let (spread, nothing) = (
                self.gradients
                    .entry(pair.clone())
                    .or_insert_with(|| Some(zeros(value))),
                zeros(value),
            );
            if let Some(spread) = spread {
                widen(spread, value, noisy.as_ref().unwrap_or(&nothing));
            }
        }
        self.owners.extend(owners(&run));
    }

    /// Whether there is a run with noise.
    pub fn is_measured(&self) -> bool {
        !self.values.is_empty()
    }

    /// How far each number may be from `expected` for this alone: R spreads, what f32 cannot hold of the number itself, and its smallest
    /// normal number, below which it may hold nothing; empty where no noise was measured.
    pub fn allowed(&self, of: Of, expected: &Tensor) -> Vec<f64> {
        let spread = match of {
            Of::Value(name) => self.values.get(name),
            Of::Gradient(of, by) => self
                .gradients
                .get(&(of.to_string(), by.to_string()))
                .and_then(Option::as_ref),
        };
        let Some(spread) = spread.filter(|s| s.shape() == expected.shape()) else {
            return vec![];
        };
        let float = self.single && expected.dtype().is_float();
        let held = |e: f64| {
            if float && e.is_finite() {
                (f64::from(e as f32) - e).abs() + f64::from(f32::MIN_POSITIVE)
            } else {
                0.0
            }
        };
        spread
            .to_f64()
            .iter()
            .zip(expected.to_f64())
            .map(|(s, e)| R * s + held(e))
            .collect()
    }

    /// Whether rounding gave anchor `a` (over all images) to `owner`, where the undisturbed run gives it to another: what the form does by itself
    /// is no rounding.
    pub fn gave(&self, a: usize, owner: Option<usize>) -> bool {
        let undisturbed = self
            .exact
            .as_ref()
            .and_then(owners)
            .and_then(|run| run.get(a).copied());
        undisturbed.is_some_and(|own| own != owner)
            && self.owners.iter().any(|run| run.get(a) == Some(&owner))
    }

    /// How far rounding moves what decides between numbers of magnitude `scale`: the numbers `part` of an output.
    ///
    /// The largest deviation bounds them all, and so does the largest relative one times their magnitude; what f32 holds as nothing ties.
    pub fn decides(&self, output: &str, part: std::ops::Range<usize>, scale: f64) -> f64 {
        let find = |of: &BTreeMap<String, Tensor>| named(of, output).map(Tensor::to_f64);
        let (Some(exact), Some(spread)) = (
            self.exact.as_ref().and_then(|e| find(&e.tensors)),
            find(&self.values),
        ) else {
            return 0.0;
        };
        let (Some(exact), Some(spread)) = (exact.get(part.clone()), spread.get(part)) else {
            return 0.0;
        };
        let most = spread.iter().copied().fold(0.0, f64::max);
        let relative = spread
            .iter()
            .zip(exact)
            .filter(|(_, e)| **e != 0.0)
            .map(|(s, e)| s / e.abs())
            .fold(0.0, f64::max);
        let zero = spread
            .iter()
            .zip(exact)
            .filter(|(_, e)| **e == 0.0)
            .map(|(s, _)| *s)
            .fold(0.0, f64::max);
        R * most.min((relative * scale).max(zero)) + f64::from(f32::MIN_POSITIVE)
    }
}

/// A tensor by its name in an assigner or in a loss.
pub fn named<'a>(of: &'a BTreeMap<String, Tensor>, name: &str) -> Option<&'a Tensor> {
    of.get(name).or_else(|| of.get(&format!("assign.{name}")))
}

/// Who owns each anchor, over all images; None where nothing is assigned.
pub fn owners(response: &Response) -> Option<Vec<Option<usize>>> {
    let (mask, index) = (
        named(&response.tensors, "fg_mask")?,
        named(&response.tensors, "gt_index")?.to_i64()?,
    );
    Some(
        mask.bytes()
            .iter()
            .zip(index)
            .map(|(m, g)| (*m != 0).then_some(g as usize))
            .collect(),
    )
}

fn zeros(like: &Tensor) -> Tensor {
    Tensor::from_vec(like.shape(), vec![0.0; like.numel()])
}

/// `spread` or the deviation of `noisy`, whichever is larger; infinite where noise leaves the numbers.
fn widen(spread: &mut Tensor, exact: &Tensor, noisy: &Tensor) {
    let one = |((s, e), n): ((f64, f64), f64)| match (e.is_finite(), n.is_finite()) {
        (true, true) => s.max((n - e).abs()),
        (false, false) if e == n || (e.is_nan() && n.is_nan()) => s,
        _ => f64::INFINITY,
    };
    let same = exact.shape() == noisy.shape();
    let wider = spread
        .to_f64()
        .into_iter()
        .zip(exact.to_f64())
        .zip(noisy.to_f64())
        .map(one);
    *spread = Tensor::from_vec(
        exact.shape(),
        if same {
            wider.collect()
        } else {
            vec![f64::INFINITY; exact.numel()]
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::DType;

    /// An answer that gives the one anchor to this row, and says this number.
    fn run(owner: i64, number: f64) -> Response {
        let mask = Tensor::from_bytes(DType::Bool, vec![1, 1], &[1]).unwrap();
        let (index, value) = (
            Tensor::from_vec(&[1, 1], vec![owner]),
            Tensor::from_vec(&[1], vec![number]),
        );
        let tensors = [("fg_mask", mask), ("gt_index", index), ("loss", value)]
            .map(|(n, t)| (n.to_string(), t))
            .into();
        Response {
            tensors,
            gradients: None,
        }
    }

    fn spread(of: Spread, runs: &[(i64, f64)]) -> Spread {
        runs.iter().fold(of, |mut spread, (owner, number)| {
            spread.add(run(*owner, *number));
            spread
        })
    }

    #[test]
    fn rounding_gave_an_anchor_away_only_where_the_undisturbed_run_did_not() {
        let moved = spread(Spread::single(), &[(0, 1.0), (1, 1.0)]);
        assert!(moved.gave(0, Some(1)) && !moved.gave(0, Some(0)) && !moved.gave(0, Some(2)));
        let its_own_rule = spread(Spread::single(), &[(1, 1.0), (1, 1.0), (0, 1.0)]);
        assert!(!its_own_rule.gave(0, Some(1)) && its_own_rule.gave(0, Some(0)));
    }

    #[test]
    fn what_f32_holds_of_a_number_is_allowed_only_where_f32_computes() {
        let (expected, runs) = (
            Tensor::from_vec(&[1], vec![0.1]),
            [(0, 0.1), (0, 0.1 + 1e-12)],
        );
        let allowed = |of: Spread| spread(of, &runs).allowed(Of::Value("loss"), &expected)[0];
        assert!(allowed(Spread::single()) > 1e-9 && allowed(Spread::default()) < 1e-11);
    }
}

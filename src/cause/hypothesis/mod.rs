//! hypothesis: why a step gives something else: every fault that could be injected is applied to the reference's step on the same inputs, and is
//! the cause where nothing is left of the difference.
//!
//! Pure but for the f64 judge that is passed in. A number that a hypothesis has is fitted on one half of the elements and tried on the other, one for
//! every [`PER_NUMBER`] elements at most. Hypotheses that all explain what was observed cannot be told apart on these inputs: they are one answer.

// A dtype or an attribute that a hypothesis does not know says nothing for it.
#![allow(clippy::wildcard_enum_match_arm)]

pub mod again;
mod evaluate;
mod measure;
pub mod outputs;
mod pairs;
mod part;
pub mod residual;
mod solve;
mod trial;
mod words;

use super::fault::{self, Fault};
use crate::error::Result;
use crate::graph::Graph;
use crate::subject::Judge;
use crate::tensor::Tensor;
use crate::verdict::{Confirmed, Explained, Near};
use again::Again;
use evaluate::Bench;
use residual::{Half, Residual};
use std::collections::HashMap;
use std::sync::Arc;
use trial::{On, Trial};

/// Elements that there must be for each number that is fitted.
pub const PER_NUMBER: usize = 64;

/// Hypotheses that are shown where none explains.
const NEAREST: usize = 3;

/// Opens the f64 judge of a graph.
pub type Opens<'a> = &'a dyn Fn(Arc<Graph>) -> Result<Box<dyn Judge>>;

/// A stretch of a graph, what it was fed, and what the other side gave at its end.
pub struct Evidence<'a> {
    pub graph: &'a Graph,
    /// Ascending: one node, or those between two pairs of tensors.
    pub steps: &'a [usize],
    pub feed: &'a HashMap<String, Tensor>,
    /// Outputs of the last step by name.
    pub observed: &'a [(String, Tensor)],
    /// How far each element may be off; None where that follows from the rounding of the node.
    pub allowed: Option<&'a [Vec<f64>]>,
    /// Whether the graph is the side to be mended, and what was observed the reference's.
    pub mended: bool,
}

/// The rows that are tried: all but those of `without`, which leaves causes out to see that no other takes their place.
pub fn rows<'a>(without: &'a [String]) -> impl Iterator<Item = &'static Fault> + use<'a> {
    fault::all().filter(move |f| !without.iter().any(|w| w == f.name))
}

/// Why the stretch gives what was observed; None where nothing is to be explained, or f64 does not run it. What explains it is held against other
/// inputs where `again` runs the side that is off on them.
///
/// # Errors
/// Memory that runs out.
pub fn explain(
    evidence: &Evidence,
    without: &[String],
    open: Opens,
    mut again: Option<Again>,
) -> Result<Option<Explained>> {
    let bench = Bench::of(evidence, open);
    let Some(clean) = bench.given(&bench.near)? else {
        return Ok(None);
    };
    let before = bench.residual(&clean, Half::All);
    if before.explained() || bench.elements() == 0 {
        return Ok(None);
    }
    let part = bench.part(&clean);
    let on = On::given(&bench, &bench.near, clean, part.as_ref())?;
    let mut trials = vec![];
    for row in rows(without) {
        trials.extend(trial::all(&on, row)?);
    }
    let tried = trials.len();
    again::hold(evidence, &mut trials, open, &mut again)?;
    let mut found = confirmed(&trials);
    if found.is_empty() {
        let mut pairs = pairs::all((&bench, part.as_ref()), &trials, without)?;
        again::hold(evidence, &mut pairs, open, &mut again)?;
        found = confirmed(&pairs);
    }
    let nearest = match found.is_empty() {
        true => nearest(&bench, &trials)?,
        false => vec![],
    };
    Ok(Some(Explained {
        before: before.ratio,
        off: before.over as u64,
        of: before.of as u64,
        confirmed: found,
        tried: tried as u64,
        nearest,
    }))
}

/// Those that explain, the fewest fitted numbers first, each name once.
fn confirmed(trials: &[Trial]) -> Vec<Confirmed> {
    let mut all: Vec<&Trial> = trials.iter().filter(|t| t.confirmed).collect();
    // What takes no number at all says more than one of several usual ones.
    all.sort_by_key(|t| (t.numbers, t.amount.is_some()));
    let mut found: Vec<Confirmed> = vec![];
    for t in all {
        if found.iter().all(|c| c.cause != t.name) {
            found.push(t.told());
        }
    }
    found
}

/// The best of those that do not explain, each name once, with what they leave of all of it.
fn nearest(bench: &Bench, trials: &[Trial]) -> Result<Vec<Near>> {
    let mut all: Vec<&Trial> = trials.iter().collect();
    let order = |r: &Residual| (r.over as f64 / r.of.max(1) as f64, r.ratio);
    all.sort_by(|a, b| {
        let (a, b) = (order(&a.after), order(&b.after));
        a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    let mut found: Vec<Near> = vec![];
    for t in all {
        if found.len() < NEAREST && found.iter().all(|n| n.cause != t.name) {
            let whole = match &t.graph {
                Some(graph) if t.after.of < bench.elements() => bench.given(graph)?,
                _ => None,
            };
            let after = whole.map_or(t.after, |given| bench.residual(&given, Half::All));
            found.push(Near {
                cause: t.name.clone(),
                after: after.ratio,
                off: after.over as u64,
            });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use crate::floor::{Family, Rounding};
    use crate::graph::paper;
    use crate::subject::Feed;

    /// Sums in f64.
    struct Sums(Arc<Graph>);

    impl Judge for Sums {
        fn graph(&self) -> &Graph {
            &self.0
        }

        fn eval(&mut self, step: usize, feed: Feed) -> Result<Vec<Tensor>> {
            let step = &self.0.steps[step];
            if step.nodes.len() != 1 || !["Add", "Sub", "Identity"].contains(&step.op()) {
                return Err(Error::failed(format!("no {}", step.op())));
            }
            let value = |n: &String| feed(n).or_else(|| self.0.weights.get(n).cloned());
            let all: Vec<Vec<f64>> = step
                .inputs
                .iter()
                .filter_map(value)
                .map(|t| t.to_f64())
                .collect();
            let sign = if step.op() == "Sub" { -1.0 } else { 1.0 };
            let sum = |i: usize| all[0][i] + all.get(1).map_or(0.0, |b| sign * b[i]);
            let sums: Vec<f64> = (0..all[0].len()).map(sum).collect();
            Ok(vec![Tensor::from_vec(&[sums.len()], sums)])
        }

        fn decides(&self, _: usize) -> bool {
            false
        }

        fn selects(&self, _: usize) -> bool {
            false
        }

        fn rounding(&mut self, _: usize, _: Feed, outputs: &[Tensor]) -> Result<Vec<Rounding>> {
            let of = |t: &Tensor| Rounding::Within {
                family: Family::Arithmetic,
                scale: Tensor::from_vec(
                    t.shape(),
                    t.to_f64().iter().map(|v| v.abs()).collect::<Vec<f64>>(),
                ),
                terms: 1,
            };
            Ok(outputs.iter().map(of).collect())
        }

        fn margin(
            &mut self,
            _: usize,
            _: Feed,
            _: usize,
            _: &Tensor,
            _: &Tensor,
        ) -> Result<Option<f64>> {
            Ok(None)
        }
    }

    /// What explains that "y = a + b" gives `observed`, with these causes left out; `a` and `b` are long enough for two numbers.
    fn why(
        observed: impl Fn(f64, f64, usize) -> f64,
        many: usize,
        without: &[&str],
    ) -> Option<Explained> {
        let graph = paper::graph(&["a", "b"], &["sum: Add a b -> y"], &["y"]);
        let a: Vec<f32> = (0..many).map(|i| 1.0 + (i * 7 % 31) as f32 / 8.0).collect();
        let b: Vec<f32> = (0..many)
            .map(|i| 0.5 + (i * 5 % 23) as f32 / 16.0)
            .collect();
        let gave = |i: usize| observed(f64::from(a[i]), f64::from(b[i]), i) as f32;
        let given: Vec<f32> = (0..many).map(gave).collect();
        let tensor = |v: &[f32]| Tensor::of(&[many], v);
        let feed = HashMap::from([("a".to_string(), tensor(&a)), ("b".to_string(), tensor(&b))]);
        let evidence = Evidence {
            graph: &graph,
            steps: &[0],
            feed: &feed,
            observed: &[("y".to_string(), tensor(&given))],
            allowed: None,
            mended: false,
        };
        let open = |graph| Ok(Box::new(Sums(graph)) as Box<dyn Judge>);
        let without: Vec<String> = without.iter().map(|w| w.to_string()).collect();
        explain(&evidence, &without, &open, None).unwrap()
    }

    /// Names of what is confirmed.
    fn names(why: Option<Explained>) -> Vec<String> {
        let confirmed = why.expect("something is to be explained").confirmed;
        confirmed.into_iter().map(|c| c.cause).collect()
    }

    #[test]
    fn what_was_done_is_named_and_without_its_row_nothing_is() {
        type Fault = fn(f64, f64, usize) -> f64;
        let cases: [(&str, Fault); 6] = [
            ("bypass", |a, _, _| a),
            ("opposite-operator", |a, b, _| a - b),
            ("scale-output", |a, b, _| (a + b) * 1.25),
            ("shift-output", |a, b, _| a + b + 0.125),
            ("negate-output", |a, b, _| -(a + b)),
            ("one-outlier", |a, b, i| if i == 3 { 99.0 } else { a + b }),
        ];
        for (cause, fault) in cases {
            let found = names(why(fault, 256, &[]));
            assert_eq!(found.first().map(String::as_str), Some(cause), "{found:?}");
            let twins: Vec<&str> = found.iter().map(String::as_str).collect();
            let without = names(why(fault, 256, &twins));
            assert!(without.is_empty(), "{cause}: {without:?}");
        }
    }

    #[test]
    fn nothing_is_to_be_explained_within_rounding_and_what_no_row_says_is_not_explained() {
        assert!(why(|a, b, _| a + b, 256, &[]).is_none());
        let odd = |a: f64, b: f64, i: usize| (a + b) * if i.is_multiple_of(3) { 1.5 } else { 0.75 };
        let found = why(odd, 256, &[]).unwrap();
        assert!(found.confirmed.is_empty(), "{found:?}");
        assert!(found.before > 1.0 && found.tried > 3 && !found.nearest.is_empty());
    }

    #[test]
    fn few_elements_fit_no_number() {
        let scaled = |a: f64, b: f64, _| (a + b) * 1.25;
        assert!(names(why(scaled, 32, &[])).is_empty());
        assert_eq!(names(why(scaled, 64, &[])), ["scale-output"]);
    }

    #[test]
    fn what_explains_these_inputs_and_not_others_is_no_cause() {
        let graph = paper::graph(&["a", "b"], &["sum: Add a b -> y"], &["y"]);
        let many = 256;
        let a: Vec<f32> = (0..many).map(|i| 1.0 + (i * 7 % 31) as f32 / 8.0).collect();
        let fed = [("a", a), ("b", vec![0.125; many])];
        let fed = fed.map(|(n, v)| (n.to_string(), Tensor::of(&[many], &v)));
        let feed = HashMap::from(fed);
        let minus = |feed: &again::Values| {
            let [a, b] = ["a", "b"].map(|n| feed[n].to_f64());
            let all = a.iter().zip(&b).map(|(a, b)| (a - b) as f32);
            let all: Vec<f32> = all.collect();
            vec![("y".to_string(), Tensor::of(&[many], &all))]
        };
        let observed = minus(&feed);
        let evidence = Evidence {
            graph: &graph,
            steps: &[0],
            feed: &feed,
            observed: &observed,
            allowed: None,
            mended: false,
        };
        let open = |graph| Ok(Box::new(Sums(graph)) as Box<dyn Judge>);
        // All of b is one number: to subtract it is to shift by twice of it.
        let here = names(explain(&evidence, &[], &open, None).unwrap());
        assert_eq!(here, ["opposite-operator", "shift-output"]);
        let mut again = |feed: &again::Values| Ok(Some(minus(feed)));
        let everywhere = explain(&evidence, &[], &open, Some(&mut again)).unwrap();
        assert_eq!(names(everywhere), ["opposite-operator"]);
        let without = ["opposite-operator".to_string()];
        let none = explain(&evidence, &without, &open, Some(&mut again)).unwrap();
        assert!(names(none).is_empty());
    }

    #[test]
    fn two_changes_at_once_are_found_where_none_alone_explains_them() {
        let both = |a: f64, b: f64, _| (a - b) * 1.25 + 0.0;
        let found = names(why(both, 256, &[]));
        assert_eq!(found, ["opposite-operator + scale-output"]);
    }
}

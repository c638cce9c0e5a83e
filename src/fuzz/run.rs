//! run: draws cases, asks, judges, shrinks what it finds and keeps honest accounts.

use super::draw::{Case, cases};
use super::opinion::Subject;
use super::oracle::{self, Finding, Judged};
use crate::subject::kernels::Kernel;
use crate::tensor::Tensor;
use proptest::strategy::{BoxedStrategy, Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::collections::BTreeMap;

/// How long to look, and where to begin.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub cases: u64,
    pub seed: u64,
}

/// What was drawn, and what came of it.
#[derive(Clone, Debug, Default)]
pub struct Report {
    pub drawn: u64,
    /// Cases that were compared.
    pub compared: u64,
    /// Numbers held against each other.
    pub numbers: u64,
    /// Cases that the reference refuses, by reason.
    pub refused: BTreeMap<String, u64>,
    /// Cases on each edge.
    pub edges: BTreeMap<&'static str, u64>,
    pub flips: u64,
    pub kinks: u64,
    /// Cases up to and including the first find.
    pub first: Option<u64>,
    pub finds: Vec<Find>,
}

/// A case that a subject gets wrong, shrunk.
#[derive(Clone, Debug)]
pub struct Find {
    /// Number of the case from which it was shrunk.
    pub case: u64,
    pub finding: Finding,
    pub shrunk: Case,
}

/// Finds of different kinds that are shrunk.
const KEPT: usize = 5;
/// Steps of shrinking, and inputs that they may read together: a large case is shrunk in fewer steps.
const STEPS: usize = 2000;
const READ: usize = 10_000_000;

/// Fuzzes `subject` against the reference of `kernel`; `progress` hears how many cases are done.
pub fn run(kernel: &Kernel, subject: &mut dyn Subject, options: &Options, progress: &mut dyn FnMut(u64)) -> Report {
    let strategy = cases(kernel);
    let mut report = Report::default();
    for number in 0..options.cases {
        let mut tree = drawn(&strategy, options.seed, number);
        let case = tree.current();
        report.drawn += 1;
        case.edges.iter().for_each(|e| *report.edges.entry(e).or_default() += 1);
        match asked(kernel, subject, &case) {
            Err(refusal) => *report.refused.entry(refusal).or_default() += 1,
            Ok(judged) => {
                report.count(&judged);
                if let Some(finding) = judged.finding {
                    report.first.get_or_insert(number + 1);
                    if report.finds.len() < KEPT && report.finds.iter().all(|known| known.finding.what != finding.what) {
                        let (shrunk, finding) = shrunk(kernel, subject, &mut *tree, (case, finding));
                        report.finds.push(Find { case: number, finding, shrunk });
                    }
                }
            }
        }
        progress(number + 1);
    }
    report
}

/// Case `number` of a seed: no other case has a part in it.
fn drawn(strategy: &BoxedStrategy<Case>, seed: u64, number: u64) -> Box<dyn ValueTree<Value = Case>> {
    let mut bytes = [0u8; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    // Nothing is filtered on the way, so nothing can be rejected.
    strategy.new_tree(&mut runner).expect("strategies without filters always give a case")
}

/// What came of a case; Err says why the reference refuses it.
fn asked(kernel: &Kernel, subject: &mut dyn Subject, case: &Case) -> std::result::Result<Judged, String> {
    let feed = |n: &str| case.inputs.get(n).cloned();
    let reference = kernel.evaluate(&feed).map_err(|e| kind(&e.message))?;
    Ok(match subject.opinion(kernel, case, &reference) {
        Ok(opinion) => oracle::judge(case, &reference, &opinion),
        Err(e) => {
            let finding = Finding { what: format!("refused: {}", e.message), index: 0, reference: 0.0, candidate: f64::NAN };
            Judged { finding: Some(finding), ..Judged::default() }
        }
    })
}

/// A message without its numbers, so that equal reasons are counted as one.
fn kind(message: &str) -> String {
    message.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).collect()
}

/// The smallest case on the way down that still has a finding.
fn shrunk(
    kernel: &Kernel,
    subject: &mut dyn Subject,
    tree: &mut dyn ValueTree<Value = Case>,
    mut best: (Case, Finding),
) -> (Case, Finding) {
    let (mut steps, mut read) = (0, 0);
    let mut going = tree.simplify();
    while going && steps < STEPS && read < READ {
        let case = tree.current();
        (steps, read) = (steps + 1, read + case.inputs.values().map(Tensor::numel).sum::<usize>());
        going = match asked(kernel, subject, &case).ok().and_then(|j| j.finding) {
            Some(finding) => {
                best = (case, finding);
                tree.simplify()
            }
            None => tree.complicate(),
        };
    }
    best
}

impl Report {
    fn count(&mut self, judged: &Judged) {
        self.compared += u64::from(judged.compared > 0);
        self.numbers += judged.compared as u64;
        self.flips += judged.flips as u64;
        self.kinks += judged.kinks as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::super::opinion::Opinion;
    use super::*;
    use crate::error::Result;
    use crate::subject::kernels::{Answer, find};

    /// Says what the reference says, after `change`.
    struct Echo<F>(F);

    impl<F: Fn(&Case, &mut Opinion)> Subject for Echo<F> {
        fn opinion(&mut self, _: &Kernel, case: &Case, reference: &Answer) -> Result<Opinion> {
            let mut out = Opinion {
                tensors: reference.tensors.iter().map(|(n, t)| (n.to_string(), t.clone())).collect(),
                gradients: reference.gradients.iter().map(|g| ((g.of.to_string(), g.by.to_string()), Some(g.value.clone()))).collect(),
            };
            (self.0)(case, &mut out);
            Ok(out)
        }
    }

    fn fuzz(name: &str, cases: u64, change: impl Fn(&Case, &mut Opinion)) -> Report {
        run(find(name).unwrap(), &mut Echo(change), &Options { cases, seed: 7 }, &mut |_| ())
    }

    #[test]
    fn an_echo_of_the_reference_is_never_found_at_fault_and_every_case_is_accounted_for() {
        for name in ["giou_yolov6", "focal", "task_aligned_yolov6"] {
            let report = fuzz(name, 60, |_, _| ());
            assert!(report.finds.is_empty() && report.first.is_none(), "{name}: {:?}", report.finds);
            assert_eq!(report.drawn, report.compared + report.refused.values().sum::<u64>(), "{name}");
            assert!(report.compared > 50 && report.numbers > 200, "{name}: {report:?}");
        }
    }

    #[test]
    fn a_fault_on_one_edge_is_found_and_shrunk_to_that_edge_alone() {
        let wrong = |case: &Case, o: &mut Opinion| {
            let touches = |i: usize| {
                let (a, b) = (case.inputs["a"].to_f64(), case.inputs["b"].to_f64());
                a[4 * i + 2] == b[4 * i]
            };
            let values = o.tensors["similarity"].to_f64();
            let bent = values.iter().enumerate().map(|(i, v)| if touches(i) { v + 0.5 } else { *v }).collect::<Vec<f64>>();
            o.tensors.insert("similarity".into(), Tensor::from_vec(&[bent.len()], bent));
        };
        let report = fuzz("giou_yolov6", 500, wrong);
        let find = &report.finds[0];
        assert_eq!(find.finding.what, "value 'similarity'");
        assert_eq!(find.shrunk.inputs["a"].shape(), [1, 4], "{:?}", find.shrunk);
    }

    #[test]
    fn the_same_seed_draws_the_same_cases_and_another_seed_others() {
        let strategy = cases(find("siou_mmdet").unwrap());
        let text = |seed, n| format!("{:?}", drawn(&strategy, seed, n).current().inputs["a"].to_f64());
        assert_eq!(text(1, 5), text(1, 5));
        assert_ne!(text(1, 5), text(2, 5));
        assert_ne!(text(1, 5), text(1, 6));
    }
}

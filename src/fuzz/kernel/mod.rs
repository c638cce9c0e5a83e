//! kernel: what a subject says on drawn inputs of a kernel, judged against the f64 reference and against what the kernel owes to itself.

mod batched;
pub(in crate::fuzz) mod oracle;
mod relations;
pub mod response;
pub(in crate::fuzz) mod rounding;
pub mod saved;
mod shrink;
mod single_case;
mod subject;
pub mod wrong_number;

pub use single_case::replay;
pub use subject::Candidate;
pub(in crate::fuzz) use subject::constants;

use super::drawn::drawn;
use super::run::{TallyOf, Target};
use super::tally::Came;
use crate::error::Result;
use crate::subject::kernels::Kernel;
use crate::subject::kernels::draw::Case;
use batched::Drawn;
use proptest::strategy::ValueTree;
use response::{Open, Subject};
use single_case::due;
use wrong_number::WrongNumber;

/// Cases that a thread takes at a time, at most: as many as are worth a common walk.
const CHUNK: u64 = 64;
/// Chunks of a run, at least, so that every thread has some.
const CHUNKS: u64 = 16;

/// A kernel and a subject that is held against its reference.
pub struct Fuzzed<'a> {
    pub kernel: &'static Kernel,
    pub open: Open<'a>,
}

/// What came of a kernel's cases.
pub type Tally<'a> = TallyOf<Fuzzed<'a>>;

impl Target for Fuzzed<'_> {
    type Wrong = WrongNumber;
    type Asker = Box<dyn Subject>;
    type Part = ();

    fn chunk(&self, cases: u64) -> u64 {
        (cases / CHUNKS).clamp(1, CHUNK)
    }

    fn open(&self) -> Result<Self::Asker> {
        (self.open)()
    }

    fn ask(
        &self,
        subject: &mut Self::Asker,
        seed: u64,
        numbers: &[u64],
    ) -> Result<Vec<Came<WrongNumber>>> {
        let strategy = self.kernel.cases();
        let one = |number: &u64| Drawn {
            number: *number,
            case: drawn(&strategy, seed, *number).current(),
            relations: due(self.kernel, *number),
        };
        let drawn: Vec<Drawn> = numbers.iter().map(one).collect();
        let judged = batched::all(self.kernel, &mut **subject, &drawn);
        let came = drawn.into_iter().zip(judged);
        let came = came.map(|(d, judged)| Came {
            edges: d.case.edges,
            judged,
        });
        Ok(came.collect())
    }

    fn again(
        &self,
        subject: &mut Self::Asker,
        case: &Case,
    ) -> std::result::Result<Option<WrongNumber>, String> {
        replay(self.kernel, &mut **subject, case).map_err(|e| e.message)
    }

    fn shrunk(
        &self,
        subject: &mut Self::Asker,
        (seed, number): (u64, u64),
        wrong: WrongNumber,
        hurry: &dyn Fn() -> bool,
    ) -> Result<(Case, WrongNumber, ())> {
        let tree = drawn(&self.kernel.cases(), seed, number);
        let relations = due(self.kernel, number);
        let from = (tree, wrong);
        let (case, wrong) = shrink::shrunk(self.kernel, &mut **subject, from, &relations, hurry);
        Ok((case, wrong, ()))
    }
}

#[cfg(test)]
mod tests {
    use super::response::Response;
    use super::*;
    use crate::fuzz::{End, Options, Shard, Task, run};
    use crate::subject::kernels::{Answer, find};
    use crate::tensor::Tensor;
    use std::path::PathBuf;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Says what the reference says, after `change`.
    struct Echo<F>(F);

    impl<F: Fn(&Case, &mut Response)> Subject for Echo<F> {
        fn answer(&mut self, _: &Kernel, case: &Case, reference: &Answer) -> Result<Response> {
            // Relations ask without a reference to echo.
            if reference.tensors.is_empty() {
                return Ok(Response::default());
            }
            let mut out = Response {
                tensors: reference
                    .tensors
                    .iter()
                    .map(|(n, t)| (n.to_string(), t.clone()))
                    .collect(),
                gradients: Some(
                    reference
                        .gradients
                        .iter()
                        .map(|g| ((g.of.to_string(), g.by.to_string()), Some(g.value.clone())))
                        .collect(),
                ),
            };
            (self.0)(case, &mut out);
            Ok(out)
        }
    }

    const OPTIONS: Options = Options {
        cases: 60,
        seed: 7,
        shard: Shard::ALL,
        jobs: 1,
        finds: 5,
    };

    fn fuzz_on(
        name: &str,
        options: Options,
        known: Vec<Case>,
        change: fn(&Case, &mut Response),
    ) -> Tally<'static> {
        let open = || Ok(Box::new(Echo(change)) as Box<dyn Subject>);
        let known = known
            .into_iter()
            .map(|case| (PathBuf::from("known.toml"), case))
            .collect();
        let kernel = find(name).unwrap();
        let target = Fuzzed {
            kernel,
            open: &open,
        };
        let task = Task {
            target: &target,
            options,
            known,
            keep: &|_| Ok(None),
            stop: &|| None,
            hurry: &|| false,
        };
        run(&task, &mut |_, _| ()).unwrap()
    }

    /// Adds a half to the similarity of boxes that touch.
    fn touching(case: &Case, o: &mut Response) {
        let touches =
            |i: usize| case.inputs["a"].to_f64()[4 * i + 2] == case.inputs["b"].to_f64()[4 * i];
        let values = o.tensors["similarity"].to_f64();
        let bent = values
            .iter()
            .enumerate()
            .map(|(i, v)| if touches(i) { v + 0.5 } else { *v })
            .collect::<Vec<f64>>();
        o.tensors
            .insert("similarity".into(), Tensor::from_vec(&[bent.len()], bent));
    }

    #[test]
    fn an_echo_of_the_reference_is_never_found_at_fault_and_every_case_is_accounted_for() {
        for name in ["giou_yolov6", "focal", "task_aligned_yolov6"] {
            let report = fuzz_on(name, OPTIONS, vec![], |_, _| ());
            assert!(
                !report.diverges() && report.finds.is_empty(),
                "{name}: {:?}",
                report.finds
            );
            assert_eq!((report.drawn, report.asked), (60, 60), "{name}");
            assert_eq!(
                report.drawn,
                report.compared + report.refused.values().sum::<u64>(),
                "{name}"
            );
            assert!(
                report.compared > 50 && report.all.compared > 200,
                "{name}: {report:?}"
            );
        }
    }

    #[test]
    fn a_fault_on_one_edge_is_found_and_shrunk_to_that_edge_alone() {
        let report = fuzz_on(
            "giou_yolov6",
            Options {
                cases: 500,
                ..OPTIONS
            },
            vec![],
            touching,
        );
        let find = &report.finds[0];
        assert_eq!(find.wrong.what, "value 'similarity'");
        assert_eq!(find.shrunk.inputs["a"].shape(), [1, 4], "{:?}", find.shrunk);
        assert_eq!(
            (report.finds.len(), report.end),
            (1, End::Cases),
            "cases of one kind are one find"
        );
        let one = fuzz_on(
            "giou_yolov6",
            Options {
                cases: 500,
                finds: 1,
                ..OPTIONS
            },
            vec![],
            touching,
        );
        assert_eq!(one.end, End::Finds);
        assert!(
            report.kinds["value 'similarity'"].cases > 1,
            "{:?}",
            report.kinds
        );
    }

    #[test]
    fn the_report_is_the_same_however_many_threads_there_are() {
        let on = |jobs| {
            format!(
                "{:?}",
                fuzz_on(
                    "giou_yolov6",
                    Options {
                        cases: 203,
                        jobs,
                        ..OPTIONS
                    },
                    vec![],
                    touching
                )
            )
        };
        let one = on(1);
        assert!(one.contains("value 'similarity'"), "{one}");
        for jobs in [2, 5] {
            assert_eq!(on(jobs), one, "{jobs} threads");
        }
    }

    #[test]
    fn the_shards_together_are_the_whole_run() {
        let on = |shard: &str| {
            let options = Options {
                cases: 100,
                shard: shard.parse().unwrap(),
                ..OPTIONS
            };
            fuzz_on("task_aligned_yolov6", options, vec![], |_, _| ())
        };
        let (whole, parts) = (on("1/1"), ["1/3", "2/3", "3/3"].map(on));
        let sum = |of: &dyn Fn(&Tally) -> u64| parts.iter().map(of).sum::<u64>();
        let facts: [&dyn Fn(&Tally) -> u64; 4] = [
            &|r| r.drawn,
            &|r| r.compared,
            &|r| r.all.compared as u64,
            &|r| r.all.flips as u64,
        ];
        for (i, fact) in facts.into_iter().enumerate() {
            assert_eq!(sum(fact), fact(&whole), "fact {i}");
        }
        for (edge, n) in &whole.edges {
            assert_eq!(
                sum(&|r| r.edges.get(edge).map_or(0, |of| of.drawn)),
                n.drawn,
                "{edge}"
            );
        }
    }

    #[test]
    fn a_known_find_is_tried_first_and_its_kind_is_counted_not_found_again() {
        let options = Options {
            cases: 300,
            ..OPTIONS
        };
        let case = fuzz_on("giou_yolov6", options, vec![], touching).finds[0]
            .shrunk
            .clone();
        let report = fuzz_on("giou_yolov6", options, vec![case.clone()], touching);
        assert!(
            report.finds.is_empty() && report.kinds["value 'similarity'"].cases > 0,
            "{report:?}"
        );
        assert!(report.diverges() && matches!(report.known[0].came, Ok(Some(_))));
        let mended = fuzz_on("giou_yolov6", options, vec![case], |_, _| ());
        assert!(!mended.diverges() && mended.covers() && matches!(mended.known[0].came, Ok(None)));
    }

    #[test]
    fn a_known_find_that_cannot_be_tried_is_neither_mended_nor_passed() {
        let options = Options {
            cases: 300,
            ..OPTIONS
        };
        let mut case = fuzz_on("giou_yolov6", options, vec![], touching).finds[0]
            .shrunk
            .clone();
        case.inputs
            .insert("b".into(), Tensor::from_vec(&[1, 3], vec![0f32; 3]));
        let report = fuzz_on("giou_yolov6", options, vec![case], |_, _| ());
        assert!(!report.diverges() && !report.covers(), "{report:?}");
        let why = report.known[0].came.as_ref().unwrap_err();
        assert!(why.contains("refuses the inputs"), "{why}");
    }

    #[test]
    fn a_run_that_is_stopped_reports_what_it_counted() {
        let open = || Ok(Box::new(Echo(|_: &Case, _: &mut Response| ())) as Box<dyn Subject>);
        let left = AtomicU64::new(3);
        let stop = || {
            (left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
                .is_err())
            .then_some(End::Interrupt)
        };
        let options = Options {
            cases: 1000,
            ..OPTIONS
        };
        let kernel = find("dfl").unwrap();
        let target = Fuzzed {
            kernel,
            open: &open,
        };
        let task = Task {
            target: &target,
            options,
            known: vec![],
            keep: &|_| Ok(None),
            stop: &stop,
            hurry: &|| false,
        };
        let report = run(&task, &mut |_, _| ()).unwrap();
        assert_eq!(
            (report.drawn, report.asked, report.end),
            (3 * target.chunk(1000), 1000, End::Interrupt)
        );
        assert_eq!(
            report.drawn,
            report.compared + report.refused.values().sum::<u64>()
        );
    }
}

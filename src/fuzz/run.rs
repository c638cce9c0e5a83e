//! run: a kernel's cases are drawn and judged, the first finding of every kind is shrunk and kept.

use super::account::{Find, Known, Report};
use super::ask::{drawn, due, replay};
use super::batched::{self, Drawn};
use super::finding::Judged;
use super::opinion::{Open, Subject};
use super::options::{End, Options};
use super::pool::{Pool, Worker};
use super::shrink::shrunk;
use crate::error::Result;
use crate::subject::kernels::Kernel;
use crate::subject::kernels::draw::Case;
use proptest::strategy::ValueTree;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Cases that a thread takes at a time, at most: as many as are worth a common walk.
const CHUNK: u64 = 64;
/// Chunks of a run, at least, so that every thread has some.
const CHUNKS: u64 = 16;

/// What is fuzzed, and what ends it.
pub struct Task<'a> {
    pub kernel: &'static Kernel,
    pub open: Open<'a>,
    pub options: Options,
    /// Finds of earlier runs: where they are kept, and the case.
    pub known: Vec<(PathBuf, Case)>,
    /// Why to draw no more, once there is a reason.
    pub stop: &'a (dyn Fn() -> Option<End> + Sync),
    /// Whether to end at once, without shrinking further.
    pub hurry: &'a (dyn Fn() -> bool + Sync),
}

/// Who hears of the progress and keeps what is found.
pub trait Listener {
    fn step(&mut self, drawn: u64, finds: usize);

    /// A find, the moment it is shrunk; where it is kept from now on.
    ///
    /// # Errors
    /// It cannot be written.
    fn keep(&mut self, find: &Find) -> Result<Option<PathBuf>>;
}

/// The edges that a case lies on, and what came of it.
type Came = (BTreeSet<&'static str>, std::result::Result<Judged, String>);

/// Fuzzes the subject against the reference.
///
/// # Errors
/// A subject that cannot be opened; a find that cannot be kept.
pub fn run(task: &Task, listener: &mut dyn Listener) -> Result<Report> {
    let mut own = (task.open)()?;
    let mut report = Report {
        asked: task.options.drawn(),
        known: again(task, &mut *own),
        ..Report::default()
    };
    let pool = Pool {
        options: task.options,
        chunk: chunk(task.options.drawn()),
        stop: task.stop,
        open: &|| worker(task),
    };
    report.end = pool.run(&mut |case, (edges, came): Came| {
        if report.count(&edges, &came)
            && let Some(finding) = came.ok().and_then(|judged| judged.finding)
        {
            let tree = drawn(&task.kernel.cases(), task.options.seed, case);
            let (shrunk, finding) = shrunk(
                task.kernel,
                &mut *own,
                (tree, finding),
                &due(task.kernel, case),
                task.hurry,
            );
            let mut find = Find {
                case,
                finding,
                shrunk,
                kept: None,
            };
            find.kept = listener.keep(&find)?;
            report.finds.push(find);
            if report.finds.len() >= task.options.finds {
                return Ok(ControlFlow::Break(()));
            }
        }
        listener.step(report.drawn, report.finds.len());
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(report)
}

/// The finds of earlier runs, first of all.
fn again(task: &Task, subject: &mut dyn Subject) -> Vec<Known> {
    let one = |(path, case): &(PathBuf, Case)| Known {
        path: path.clone(),
        came: replay(task.kernel, subject, case).map_err(|e| e.message),
    };
    task.known.iter().map(one).collect()
}

/// What a thread makes of a case.
fn worker<'a>(task: &'a Task) -> Result<Worker<'a, Came>> {
    let (mut subject, strategy) = ((task.open)()?, task.kernel.cases());
    Ok(Box::new(move |numbers| {
        let one = |number: &u64| Drawn {
            number: *number,
            case: drawn(&strategy, task.options.seed, *number).current(),
            relations: due(task.kernel, *number),
        };
        let drawn: Vec<Drawn> = numbers.iter().map(one).collect();
        let came = batched::all(task.kernel, &mut *subject, &drawn);
        drawn.into_iter().map(|d| d.case.edges).zip(came).collect()
    }))
}

/// Cases of a chunk, of so many.
fn chunk(cases: u64) -> u64 {
    (cases / CHUNKS).clamp(1, CHUNK)
}

#[cfg(test)]
mod tests {
    use super::super::opinion::Opinion;
    use super::super::options::Shard;
    use super::*;
    use crate::subject::kernels::{Answer, find};
    use crate::tensor::Tensor;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Says what the reference says, after `change`.
    struct Echo<F>(F);

    impl<F: Fn(&Case, &mut Opinion)> Subject for Echo<F> {
        fn opinion(&mut self, _: &Kernel, case: &Case, reference: &Answer) -> Result<Opinion> {
            // Relations ask without a reference to echo.
            if reference.tensors.is_empty() {
                return Ok(Opinion::default());
            }
            let mut out = Opinion {
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

    struct Quiet;

    impl Listener for Quiet {
        fn step(&mut self, _: u64, _: usize) {}

        fn keep(&mut self, _: &Find) -> Result<Option<PathBuf>> {
            Ok(None)
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
        change: fn(&Case, &mut Opinion),
    ) -> Report {
        let open = || Ok(Box::new(Echo(change)) as Box<dyn Subject>);
        let known = known
            .into_iter()
            .map(|case| (PathBuf::from("known.toml"), case))
            .collect();
        let task = Task {
            kernel: find(name).unwrap(),
            open: &open,
            options,
            known,
            stop: &|| None,
            hurry: &|| false,
        };
        run(&task, &mut Quiet).unwrap()
    }

    /// Adds a half to the similarity of boxes that touch.
    fn touching(case: &Case, o: &mut Opinion) {
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
                report.compared > 50 && report.numbers > 200,
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
        assert_eq!(find.finding.what, "value 'similarity'");
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
        assert!(report.kinds["value 'similarity'"] > 1, "{:?}", report.kinds);
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
        let sum = |of: &dyn Fn(&Report) -> u64| parts.iter().map(of).sum::<u64>();
        let facts: [&dyn Fn(&Report) -> u64; 4] =
            [&|r| r.drawn, &|r| r.compared, &|r| r.numbers, &|r| r.flips];
        for (i, fact) in facts.into_iter().enumerate() {
            assert_eq!(sum(fact), fact(&whole), "fact {i}");
        }
        for (edge, n) in &whole.edges {
            assert_eq!(
                sum(&|r| r.edges.get(edge).copied().unwrap_or(0)),
                *n,
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
            report.finds.is_empty() && report.kinds["value 'similarity'"] > 0,
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
        let open = || Ok(Box::new(Echo(|_: &Case, _: &mut Opinion| ())) as Box<dyn Subject>);
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
        let task = Task {
            kernel: find("dfl").unwrap(),
            open: &open,
            options,
            known: vec![],
            stop: &stop,
            hurry: &|| false,
        };
        let report = run(&task, &mut Quiet).unwrap();
        assert_eq!(
            (report.drawn, report.asked, report.end),
            (3 * chunk(1000), 1000, End::Interrupt)
        );
        assert_eq!(
            report.drawn,
            report.compared + report.refused.values().sum::<u64>()
        );
    }
}

//! shrink: the smallest case with the same finding: first down the tree of what was drawn, then image by image and object by object, or row
//! by row, because the tree drops objects while their numbers are still large and does not come back.

use super::response::Subject;
use super::single_case::{asked, asked_within};
use super::wrong_number::WrongNumber;
use crate::floor::noise::RUNS;
use crate::fuzz::drawn::Tree;
use crate::fuzz::search::Search;
use crate::fuzz::tally::Wrong as _;
use crate::subject::kernels::draw::Case;
use crate::subject::kernels::edit::{changed, count, cropped, is_of_images, picked, rows};
use crate::subject::kernels::relations::Relation;
use crate::subject::kernels::{Kernel, Rows};
use crate::tensor::Tensor;

/// Steps of one way of shrinking, and inputs that they may read together: a large case is shrunk in fewer steps.
const STEPS: usize = 2000;
const READ: usize = 10_000_000;

/// The smallest case on the way down that still has a finding of the same kind; `hurry` says when to be content with what there is.
pub fn shrunk(
    kernel: &Kernel,
    subject: &mut dyn Subject,
    (mut tree, first): (Tree, WrongNumber),
    relations: &[&Relation],
    hurry: &dyn Fn() -> bool,
) -> (Case, WrongNumber) {
    let origin = (tree.current(), first);
    // A few runs with noise are enough on the way; the last word has as many as the first.
    let mut ask = |case: &Case, _: &WrongNumber| {
        let judged = asked_within(RUNS, kernel, subject, case, relations);
        judged.ok()?.wrong
    };
    let mut search = Search {
        ask: &mut ask,
        hurry,
        best: origin.clone(),
        steps: STEPS,
        numbers: READ,
    };
    search.down(&mut *tree);
    (search.steps, search.numbers) = (STEPS, READ);
    fewer(&mut search, kernel.rows);
    let (case, _) = search.best;
    let judged = asked(kernel, subject, &case, relations);
    match judged
        .ok()
        .and_then(|j| j.wrong)
        .filter(|f| f.is_like(&origin.1))
    {
        Some(wrong) => (case, wrong),
        None => origin,
    }
}

/// Until nothing can go.
fn fewer(search: &mut Search<WrongNumber>, of: Rows) {
    let mut went = true;
    while went {
        let mut at = 0;
        went = false;
        while let Some(case) = without(of, &search.best.0, at).filter(|_| !search.is_over()) {
            let goes = search.try_it(case);
            at += usize::from(!goes);
            went |= goes;
        }
    }
}

/// A case without its `at`-th image, padding or object, or its `at`-th row, as the kernel has them; None behind the last.
fn without(of: Rows, case: &Case, at: usize) -> Option<Case> {
    match of {
        Rows::Images => {
            let counts = case.inputs.get("gt_count")?.to_i64()?;
            without_one_of_images(case, &counts, at)
        }
        Rows::Apart | Rows::Together => {
            let n = count(case);
            let mut own = case.inputs.iter().filter(|(name, _)| is_by_row(name));
            let has_rows = n > 1 && at < n && own.all(|(_, t)| rows(t) == n);
            let less = |name: &str, t: &Tensor| match is_by_row(name) {
                true => picked(t, (0..n).filter(|i| *i != at)),
                false => t.clone(),
            };
            has_rows.then(|| changed(case, less))
        }
        Rows::Queries => without_query(case, at),
        Rows::Whole => None,
    }
}

/// Weights lie by class, and there is one label that is ignored.
fn is_by_row(name: &str) -> bool {
    !["weight", "ignore"].contains(&name)
}

/// A case without its `at`-th query, and without the object that is matched to it.
fn without_query(case: &Case, at: usize) -> Option<Case> {
    let (queries, matched) = (count(case), case.inputs.get("query")?.to_i64()?);
    let object = matched.iter().position(|q| *q == at as i64);
    let less = |name: &str, t: &Tensor| {
        let picked =
            |n: usize, without: Option<usize>| picked(t, (0..n).filter(|i| Some(*i) != without));
        match name {
            "logits" | "boxes" => picked(queries, Some(at)),
            "query" => {
                let kept = matched.iter().filter(|q| **q != at as i64);
                let moved: Vec<i64> = kept.map(|q| q - i64::from(*q > at as i64)).collect();
                Tensor::from_vec(&[moved.len()], moved)
            }
            _ => picked(matched.len(), object),
        }
    };
    (queries > 1 && at < queries).then(|| changed(case, less))
}

fn without_one_of_images(case: &Case, counts: &[i64], at: usize) -> Option<Case> {
    let counts: Vec<usize> = counts.iter().map(|n| *n as usize).collect();
    let (images, rows) = (counts.len(), *case.inputs.get("gt_labels")?.shape().get(1)?);
    let spare = usize::from(rows > counts.iter().copied().max().unwrap_or(0).max(1));
    let objects = || {
        counts
            .iter()
            .enumerate()
            .flat_map(|(b, n)| (0..*n).map(move |g| b * rows + g))
    };
    match at.checked_sub(if images > 1 { images } else { 0 }) {
        None => Some(changed(case, |n, t| {
            if is_of_images(n) {
                picked(t, (0..images).filter(|b| *b != at))
            } else {
                t.clone()
            }
        })),
        Some(0) if spare == 1 => Some(changed(case, |n, t| {
            if is_of_rows(n) {
                cropped(t, 1, rows - 1)
            } else {
                t.clone()
            }
        })),
        Some(behind) => {
            let gone = objects().nth(behind - spare)?;
            Some(changed(case, |n, t| match n {
                "gt_count" => fewer_by_one(t, gone / rows),
                _ if is_of_rows(n) => closed(t, rows, gone),
                _ => t.clone(),
            }))
        }
    }
}

/// Whether an input has rows of objects behind the images.
fn is_of_rows(name: &str) -> bool {
    name == "gt_labels" || name == "gt_boxes"
}

fn fewer_by_one(counts: &Tensor, image: usize) -> Tensor {
    let mut left = counts.to_i64().unwrap_or_default();
    left[image] -= 1;
    Tensor::from_vec(counts.shape(), left)
}

/// `[B, rows, ...]` without row `gone` of all `B · rows`: those behind it in its image move up, and padding comes in last.
fn closed(t: &Tensor, rows: usize, gone: usize) -> Tensor {
    let width = t.bytes().len() / (t.shape()[0] * rows);
    let last = gone / rows * rows + rows - 1;
    let mut bytes = t.bytes().to_vec();
    bytes.copy_within((gone + 1) * width..(last + 1) * width, gone * width);
    bytes[last * width..(last + 1) * width].fill(0);
    Tensor::from_bytes(t.dtype(), t.shape().to_vec(), &bytes).unwrap_or_else(|_| t.clone())
}

#[cfg(test)]
mod tests {
    use super::super::response::Response;
    use super::*;
    use crate::error::Result;
    use crate::fuzz::drawn::drawn;
    use crate::subject::kernels::{Answer, find};

    /// Refuses what the predicate holds of, in words of one kind; says what the reference does of all else.
    struct Wrong(fn(&Case) -> bool);

    impl Subject for Wrong {
        fn answer(&mut self, kernel: &Kernel, case: &Case, _: &Answer) -> Result<Response> {
            if (self.0)(case) {
                return Err(crate::error::Error::failed(format!(
                    "{} objects",
                    case.size().0
                )));
            }
            let answer = kernel.evaluate(&|n| case.inputs.get(n).cloned())?;
            Ok(Response {
                tensors: answer
                    .tensors
                    .iter()
                    .map(|(n, t)| (n.to_string(), t.clone()))
                    .collect(),
                gradients: None,
            })
        }
    }

    fn counts(case: &Case) -> Vec<i64> {
        case.inputs["gt_count"].to_i64().unwrap()
    }

    #[test]
    fn rows_that_are_not_needed_go() {
        let case = Case {
            inputs: [("x".into(), Tensor::from_vec(&[3], vec![1f32, 2.0, 3.0]))]
                .into_iter()
                .collect(),
            ..Case::default()
        };
        let left: Vec<Vec<f64>> = (0..)
            .map_while(|at| without(Rows::Apart, &case, at))
            .map(|c| c.inputs["x"].to_f64())
            .collect();
        assert_eq!(left, [[2.0, 3.0], [1.0, 3.0], [1.0, 2.0]]);
        assert!(
            [0, 0, 0]
                .iter()
                .try_fold(case, |case, at| without(Rows::Apart, &case, *at))
                .is_none(),
            "one row stays"
        );
    }

    /// The counts of objects of the first case that is wrong, as drawn and shrunk.
    fn ends(is_wrong: fn(&Case) -> bool) -> (Vec<i64>, Vec<i64>) {
        let kernel = find("task_aligned_yolov6").unwrap();
        let strategy = kernel.cases();
        let tree = (0..2000)
            .map(|n| drawn(&strategy, 7, n))
            .find(|t| is_wrong(&t.current()))
            .unwrap();
        let (mut subject, first) = (Wrong(is_wrong), tree.current());
        let wrong = asked(kernel, &mut subject, &first, &[])
            .unwrap()
            .wrong
            .unwrap();
        let (case, wrong) = shrunk(kernel, &mut subject, (tree, wrong), &[], &|| false);
        assert!(is_wrong(&case) && wrong.what.starts_with("refused"));
        (counts(&first), counts(&case))
    }

    #[test]
    fn a_crowd_shrinks_to_the_objects_that_it_takes() {
        let (first, last) = ends(|c| counts(c).iter().any(|n| *n >= 100));
        assert!(
            first.iter().any(|n| *n >= 100) && last == [100],
            "{first:?} to {last:?}"
        );
        let (_, last) = ends(|c| counts(c).iter().any(|n| *n >= 2));
        assert_eq!(last, [2]);
    }

    #[test]
    fn objects_that_were_needed_only_while_others_were_large_go_in_the_end() {
        // Three objects unless one is a point: no object can go before a box has become one.
        let (_, last) = ends(|c| {
            let (n, boxes) = (counts(c)[0], c.inputs["gt_boxes"].to_f64());
            n >= 3
                || n >= 1
                    && boxes[..4 * n as usize]
                        .chunks(4)
                        .any(|b| b[2] - b[0] <= 0.25 && b[3] - b[1] <= 0.25)
        });
        assert_eq!(last, [1]);
    }

    #[test]
    fn a_case_loses_an_image_an_object_or_padding_and_all_else_stays() {
        let kernel = find("task_aligned_yolov6").unwrap();
        let strategy = kernel.cases();
        for case in (0..40).map(|n| drawn(&strategy, 3, n).current()) {
            let (before, rows) = (counts(&case), case.inputs["gt_labels"].shape()[1]);
            let smaller: Vec<Case> = (0..)
                .map_while(|at| without(kernel.rows, &case, at))
                .collect();
            let images = if before.len() > 1 { before.len() } else { 0 };
            let padded = rows as i64 > before.iter().copied().max().unwrap().max(1);
            assert_eq!(
                smaller.len(),
                images + usize::from(padded) + before.iter().sum::<i64>() as usize
            );
            for (at, small) in smaller.iter().enumerate() {
                let [now, then] =
                    [small, &case].map(|c| c.inputs.values().map(Tensor::numel).sum::<usize>());
                let lost = before.iter().sum::<i64>() - counts(small).iter().sum::<i64>();
                assert!(now < then || lost == 1, "{at}");
                assert_eq!(small.inputs["pred_scores"].shape()[0], counts(small).len());
                assert!(kernel.evaluate(&|n| small.inputs.get(n).cloned()).is_ok());
            }
        }
    }

    #[test]
    fn the_object_that_goes_is_the_one_that_is_named() {
        let real = |v: &[f32]| Tensor::from_vec(&[2, 3], v.to_vec());
        let t = real(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(closed(&t, 3, 1).to_f64(), [1.0, 3.0, 0.0, 4.0, 5.0, 6.0]);
        assert_eq!(closed(&t, 3, 5).to_f64(), [1.0, 2.0, 3.0, 4.0, 5.0, 0.0]);
    }
}

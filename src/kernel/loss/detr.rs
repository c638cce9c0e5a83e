//! detr: what does the criterion of DETR cost, under which matching of objects to queries?
//!
//! Convention: one image; logits `[Q, classes + 1]`, the last of no object; boxes `[cx, cy, w, h]` as shares of the image. Matching cost
//! −p + 5·L1 − 2·GIoU; class term a cross-entropy over all queries in which no object weighs 0.1, box terms summed over the objects and divided by
//! their number, or 1 (Carion et al., 2020, section 3.1, equations 1 and 2, appendix A.2).

use super::cross_entropy::cross_entropy;
use crate::error::{Error, Result};
use crate::kernel::Family;
use crate::kernel::boxes::corners;
use crate::kernel::iou::{Eps, Kind, Overlap, Similarity};
use crate::kernel::matching::cheapest;
use crate::kernel::number::{Function, Number, absolute, nearest};

/// What there is to know about it.
pub const FAMILY: Family = Family {
    name: "detr",
    paper: "Carion 2020; Kuhn 1955",
    what: "the criterion of DETR and its matcher",
    kinks: "equal coordinates, touching boxes; matchings of equal cost",
};

/// The weights, as data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detr {
    /// Of class, L1 and GIoU in the matching.
    pub costs: [f64; 3],
    /// The same in the total.
    pub gains: [f64; 3],
    /// What a query without an object weighs in the class term.
    pub no_object: f64,
}

/// Predictions and objects of one image.
#[derive(Clone, Copy, Debug)]
pub struct Scene<'a> {
    /// `[Q, classes + 1]`.
    pub logits: &'a [f64],
    /// Columns of the logits.
    pub columns: usize,
    /// `[Q]`.
    pub boxes: &'a [[f64; 4]],
    /// `[G]` classes and boxes of the objects.
    pub labels: &'a [i64],
    pub targets: &'a [[f64; 4]],
}

/// The loss under one matching.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Class, L1 and GIoU term before their gains.
    pub terms: [f64; 3],
    pub total: f64,
    /// Gradient of the class term by the logits, `[Q, classes + 1]`.
    pub by_logits: Vec<f64>,
    /// Gradients of the L1 and of the GIoU term by the boxes, `[Q, 4]`.
    pub by_boxes: [Vec<f64>; 2],
    /// How near a matched box is to one where its terms have no gradient.
    pub kink: f64,
}

/// |x − target|, summed.
#[derive(Clone, Copy, Debug)]
struct L1([f64; 4]);

impl Function for L1 {
    fn at<D: Number>(&self, x: &[D]) -> D {
        x.iter().zip(self.0).map(|(x, t)| absolute(*x - t)).sum()
    }

    /// Kinks: equal coordinates.
    fn kink(&self, x: &[f64]) -> f64 {
        nearest(x.iter().zip(self.0).map(|(x, t)| x - t))
    }
}

/// GIoU to a target, of a box by centre and size.
#[derive(Clone, Copy, Debug)]
struct Giou(Similarity);

impl Giou {
    fn to(target: [f64; 4]) -> Self {
        let plain = Overlap::paper(Kind::Giou, Eps::Added(0.0));
        Self(Similarity::to(corners(target), plain))
    }
}

impl Function for Giou {
    fn at<D: Number>(&self, x: &[D]) -> D {
        self.0.at(&corners([x[0], x[1], x[2], x[3]]))
    }

    /// Kinks: those of the similarity.
    fn kink(&self, x: &[f64]) -> f64 {
        self.0.kink(&corners([x[0], x[1], x[2], x[3]]))
    }
}

impl Detr {
    /// As published.
    pub const fn paper() -> Self {
        Self {
            costs: [1.0, 5.0, 2.0],
            gains: [1.0, 5.0, 2.0],
            no_object: 0.1,
        }
    }

    /// What every object costs at every query, `[G][Q]`.
    ///
    /// # Errors
    /// Sizes that do not fit; labels that are no class.
    pub fn costs(&self, scene: &Scene) -> Result<Vec<Vec<f64>>> {
        scene.check()?;
        let chances: Vec<Vec<f64>> = scene.logits.chunks(scene.columns).map(softmax).collect();
        let [class, l1, giou] = self.costs;
        let one = |(label, target): (&i64, &[f64; 4])| {
            let queries = scene.boxes.iter().zip(&chances);
            let cost = |(b, p): (&[f64; 4], &Vec<f64>)| {
                l1 * L1(*target).value(b)
                    - class * p[*label as usize]
                    - giou * Giou::to(*target).value(b)
            };
            queries.map(cost).collect()
        };
        Ok(scene.labels.iter().zip(scene.targets).map(one).collect())
    }

    /// The query of every object, and what they cost together.
    ///
    /// # Errors
    /// As [`Self::costs`]; more objects than queries.
    pub fn matched(&self, scene: &Scene) -> Result<(Vec<usize>, f64)> {
        let costs = self.costs(scene)?;
        let query = cheapest(&costs)?;
        let cost = query.iter().zip(&costs).map(|(q, row)| row[*q]).sum();
        Ok((query, cost))
    }

    /// The loss where object `g` is that of query `query[g]`.
    ///
    /// # Errors
    /// As [`Self::costs`]; a query that is none, or that of two objects.
    pub fn evaluate(&self, scene: &Scene, query: &[usize]) -> Result<Evaluation> {
        scene.check()?;
        scene.check_matching(query)?;
        let classes = scene.columns - 1;
        let mut labels = vec![classes as i64; scene.boxes.len()];
        query
            .iter()
            .zip(scene.labels)
            .for_each(|(q, l)| labels[*q] = *l);
        let mut weights = vec![1.0; scene.columns];
        weights[classes] = self.no_object;
        let class = cross_entropy(
            scene.logits,
            scene.columns,
            &labels,
            i64::MIN,
            Some(&weights),
        )?;
        let count = scene.labels.len().max(1) as f64;
        let (mut sums, mut kink) = ([0.0; 2], f64::INFINITY);
        let mut by_boxes = [0, 1].map(|_| vec![0.0; 4 * scene.boxes.len()]);
        for (q, target) in query.iter().zip(scene.targets) {
            let (x, l1, giou) = (scene.boxes[*q], L1(*target), Giou::to(*target));
            sums[0] += l1.value(&x);
            sums[1] += 1.0 - giou.value(&x);
            kink = kink.min(l1.kink(&x)).min(giou.kink(&x));
            let both = [l1.gradient(&x), giou.gradient(&x)]
                .into_iter()
                .zip([1.0, -1.0]);
            for (out, (gradient, sign)) in by_boxes.iter_mut().zip(both) {
                let own = out[4 * q..4 * q + 4].iter_mut().zip(gradient);
                own.for_each(|(o, g)| *o = sign * g / count);
            }
        }
        let terms = [class.mean(), sums[0] / count, sums[1] / count];
        Ok(Evaluation {
            total: terms.iter().zip(self.gains).map(|(t, g)| t * g).sum(),
            terms,
            by_logits: class.gradient,
            by_boxes,
            kink,
        })
    }
}

impl Scene<'_> {
    fn check(&self) -> Result<()> {
        let (queries, classes) = (self.boxes.len(), self.columns.saturating_sub(1));
        let wrong = |fact: String, next: &str| Err(Error::usage(fact).next(next.to_string()));
        if self.columns < 2 || self.logits.len() != queries * self.columns {
            let fact = format!(
                "{} logits in {} columns for {queries} boxes",
                self.logits.len(),
                self.columns
            );
            return wrong(fact, "give a column for each class and one for no object");
        }
        if self.labels.len() != self.targets.len() {
            let fact = format!(
                "{} labels and {} boxes of objects",
                self.labels.len(),
                self.targets.len()
            );
            return wrong(fact, "give each object one of each");
        }
        let stray = self
            .labels
            .iter()
            .position(|l| !(0..classes as i64).contains(l));
        match stray {
            Some(g) => wrong(
                format!("object {g} has class {} of {classes}", self.labels[g]),
                "the last column is that of no object and no class",
            ),
            None => Ok(()),
        }
    }

    fn check_matching(&self, query: &[usize]) -> Result<()> {
        let stray = |(g, q): (usize, &usize)| *q >= self.boxes.len() || query[..g].contains(q);
        let fact = match query.iter().enumerate().find(|of| stray(*of)) {
            _ if query.len() != self.labels.len() => {
                format!(
                    "{} queries matched to {} objects",
                    query.len(),
                    self.labels.len()
                )
            }
            Some((g, q)) => format!(
                "object {g} is matched to query {q} of {}, or to one that is taken",
                self.boxes.len()
            ),
            None => return Ok(()),
        };
        Err(Error::usage(fact).next("match every object to a query of its own"))
    }
}

fn softmax(x: &[f64]) -> Vec<f64> {
    let largest = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let all: Vec<f64> = x.iter().map(|v| (v - largest).exp()).collect();
    let sum: f64 = all.iter().sum();
    all.into_iter().map(|v| v / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    const BOXES: [[f64; 4]; 3] = [
        [0.3, 0.3, 0.2, 0.3],
        [0.7, 0.6, 0.3, 0.25],
        [0.5, 0.5, 0.9, 0.8],
    ];
    const TARGETS: [[f64; 4]; 2] = [[0.68, 0.61, 0.32, 0.2], [0.33, 0.28, 0.21, 0.33]];
    const LOGITS: [f64; 9] = [0.2, -0.4, 0.9, 1.1, 0.3, -0.2, 0.0, 0.1, 2.0];

    fn scene() -> Scene<'static> {
        Scene {
            logits: &LOGITS,
            columns: 3,
            boxes: &BOXES,
            labels: &[0, 1],
            targets: &TARGETS,
        }
    }

    #[test]
    fn objects_go_to_the_queries_that_they_lie_at_whatever_their_order() {
        let (query, cost) = Detr::paper().matched(&scene()).unwrap();
        assert_eq!(query, [1, 0]);
        let costs = Detr::paper().costs(&scene()).unwrap();
        assert_abs_diff_eq!(cost, costs[0][1] + costs[1][0], epsilon = 1e-15);
    }

    /// By torch's cross_entropy, l1_loss and softmax in f64, all matchings tried.
    #[test]
    fn the_terms_and_the_cost_are_those_of_pytorch() {
        let loss = Detr::paper();
        let (query, cost) = loss.matched(&scene()).unwrap();
        assert_abs_diff_eq!(cost, -2.4831331727706925, epsilon = 1e-14);
        let out = loss.evaluate(&scene(), &query).unwrap();
        let wanted = [1.1614069245458876, 0.095, 0.32542087208849524];
        for (term, wanted) in out.terms.iter().zip(wanted) {
            assert_abs_diff_eq!(*term, wanted, epsilon = 1e-14);
        }
        assert_abs_diff_eq!(out.total, 2.287248668722878, epsilon = 1e-14);
    }

    #[test]
    fn the_gradients_are_what_differences_of_the_terms_say() {
        let (loss, query) = (Detr::paper(), [1, 0]);
        let out = loss.evaluate(&scene(), &query).unwrap();
        const STEP: f64 = 1e-6;
        for (i, own) in out.by_logits.iter().enumerate() {
            let at = |by: f64| {
                let mut logits = LOGITS;
                logits[i] += by;
                let moved = Scene {
                    logits: &logits,
                    ..scene()
                };
                loss.evaluate(&moved, &query).unwrap().terms[0]
            };
            let slope = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            assert_abs_diff_eq!(*own, slope, epsilon = 1e-8);
        }
        for (i, term) in (0..12).flat_map(|i| [(i, 0), (i, 1)]) {
            let at = |by: f64| {
                let mut boxes = BOXES;
                boxes[i / 4][i % 4] += by;
                let moved = Scene {
                    boxes: &boxes,
                    ..scene()
                };
                loss.evaluate(&moved, &query).unwrap().terms[1 + term]
            };
            let slope = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            assert_abs_diff_eq!(out.by_boxes[term][i], slope, epsilon = 1e-8);
        }
    }

    #[test]
    fn without_objects_only_the_class_term_is_left_and_it_is_not_zero() {
        let empty = Scene {
            labels: &[],
            targets: &[],
            ..scene()
        };
        let out = Detr::paper().evaluate(&empty, &[]).unwrap();
        assert!(out.terms[0] > 0.0 && out.terms[1..] == [0.0; 2] && out.total == out.terms[0]);
    }

    #[test]
    fn what_is_no_matching_and_no_class_is_refused() {
        let loss = Detr::paper();
        let says =
            |scene: &Scene, query: &[usize]| loss.evaluate(scene, query).unwrap_err().message;
        assert!(says(&scene(), &[1, 1]).contains("object 1 is matched to query 1"));
        assert!(says(&scene(), &[1, 3]).contains("query 3 of 3"));
        assert!(says(&scene(), &[1]).contains("1 queries matched to 2"));
        assert!(
            says(
                &Scene {
                    labels: &[0, 2],
                    ..scene()
                },
                &[1, 0]
            )
            .contains("class 2 of 2")
        );
    }
}

//! scenes: batches of images with ground truth and predictions, for assigners and whole losses.

use super::boxes::{Box4, Drawn, object};
use super::{Case, real, whole};
use crate::kernel::anchors::Anchors;
use crate::subject::kernels::Kernel;
use proptest::prelude::*;

/// One image: its objects with their classes.
type Image = Vec<(Drawn, i64)>;

/// What a case is made of; numbers that repeat are cycled over the predictions, so that exact ties occur and a shrunk case stays short.
#[derive(Clone, Debug)]
struct Scene {
    size: [usize; 2],
    classes: usize,
    images: Vec<Image>,
    /// Rows of padding behind the longest image.
    padding: usize,
    scores: Vec<f64>,
    /// Quarter cells from a point to the sides.
    sides: Vec<f64>,
    /// Predictions that are exactly a ground truth: every so many anchors.
    exact: usize,
}

/// Sizes of images and how often they are drawn, the smallest with one cell on its coarsest level: what goes wrong on many cells nearly
/// always goes wrong on a few.
const SIZES: [(u32, [usize; 2]); 6] = [
    (8, [32, 32]),
    (4, [32, 64]),
    (2, [64, 64]),
    (2, [32, 96]),
    (1, [96, 64]),
    (1, [128, 128]),
];
/// More objects than a crowded photograph has.
const CROWD: usize = 110;

fn scenes(
    score: impl Strategy<Value = f64> + Clone + 'static,
    side: impl Strategy<Value = f64> + Clone + 'static,
) -> impl Strategy<Value = Scene> {
    let objects = prop_oneof![
        32 => prop::collection::vec((object(64), 0i64..100), 0..4),
        16 => Just(vec![]),
        16 => prop::collection::vec((object(64), 0i64..100), 1..9),
    ];
    let crowd = prop_oneof![31 => Just(0), 1 => (0usize..2 * CROWD).prop_map(|n| n.min(CROWD))];
    let size = prop::strategy::Union::new_weighted(
        SIZES.map(|(weight, size)| (weight, Just(size))).to_vec(),
    );
    let classes = prop_oneof![Just(1usize), 2usize..5];
    let images = prop::collection::vec((crowd, objects), 1..4);
    (
        size,
        classes,
        images,
        0usize..3,
        prop::collection::vec(score, 1..48),
        prop::collection::vec(side, 4..60),
        0usize..6,
        any::<bool>(),
    )
        .prop_map(
            |(size, classes, images, padding, scores, sides, exact, twins)| {
                let mut images: Vec<Image> = images
                    .into_iter()
                    .map(|(crowd, objects)| crowded(objects, crowd))
                    .collect();
                for image in &mut images {
                    image.iter_mut().for_each(|o| o.1 %= classes as i64);
                    if let Some(first) = image.first().copied().filter(|_| twins) {
                        image.push(first);
                    }
                }
                Scene {
                    size,
                    classes,
                    images,
                    padding,
                    scores,
                    sides,
                    exact,
                }
            },
        )
}

/// Objects again and again, each time elsewhere, until there are `crowd`: one number that shrinks, not a hundred objects.
fn crowded(mut image: Image, crowd: usize) -> Image {
    let several = image.len();
    for k in several..crowd.min(several * CROWD) {
        let ([x1, y1, x2, y2], class) = (
            image[k % several].0.corners,
            image[k % several].1 + k as i64,
        );
        let (x, y) = ((7 * k % 64) as f64, (11 * k % 64) as f64);
        image.push((
            Drawn {
                corners: [x1 + x, y1 + y, x2 + x, y2 + y],
                edge: None,
            },
            class,
        ));
    }
    image
}

impl Scene {
    fn anchors(&self) -> Anchors {
        Anchors::of_image(self.size[0], self.size[1], &[8, 16, 32]).expect("three levels")
    }

    fn rows(&self) -> usize {
        (self.images.iter().map(Vec::len).max().unwrap_or(0) + self.padding).max(1)
    }

    /// `[B, A, 4]` distances in cells.
    fn distances(&self, anchors: usize) -> Vec<f64> {
        self.sides
            .iter()
            .copied()
            .cycle()
            .take(self.images.len() * anchors * 4)
            .collect()
    }

    fn cycled(&self, n: usize) -> Vec<f64> {
        self.scores.iter().copied().cycle().take(n).collect()
    }

    /// `[B, A]` predicted boxes in pixels; every `exact`-th is a ground truth of its image.
    fn boxes(&self, anchors: &Anchors) -> Vec<Box4> {
        let (n, sides) = (anchors.len(), self.distances(anchors.len()));
        let one = |i: usize| {
            let (b, a) = (i / n, i % n);
            let ([x, y], s) = (anchors.points[a], anchors.strides[a]);
            let d = &sides[4 * i..4 * i + 4];
            let image = &self.images[b];
            match (
                self.exact > 0 && a % (self.exact * 3) == 0,
                image.is_empty(),
            ) {
                (true, false) => image[a % image.len()].0.corners,
                _ => [x - d[0], y - d[1], x + d[2], y + d[3]].map(|v| v * s),
            }
        };
        (0..self.images.len() * n).map(one).collect()
    }

    /// Ground truth, padded with rows that mean nothing.
    fn truth(&self, case: Case) -> Case {
        let (b, g) = (self.images.len(), self.rows());
        let rows = || {
            self.images.iter().flat_map(|i| {
                i.iter()
                    .map(|o| (o.0.corners, o.1))
                    .chain(std::iter::repeat(([0.0; 4], 0)))
                    .take(g)
            })
        };
        case.with("gt_labels", whole(&[b, g], rows().map(|r| r.1).collect()))
            .with("gt_boxes", real(&[b, g, 4], rows().flat_map(|r| r.0)))
            .with(
                "gt_count",
                whole(&[b], self.images.iter().map(|i| i.len() as i64).collect()),
            )
    }

    fn edges(&self) -> Vec<&'static str> {
        let count = |n: usize| self.images.iter().any(|i| i.len() == n);
        let twins = |i: &Image| {
            i.iter()
                .enumerate()
                .any(|(k, o)| i[..k].iter().any(|p| p.0.corners == o.0.corners))
        };
        let facts = [
            (count(0), "no object"),
            (
                self.images.iter().all(Vec::is_empty),
                "no object in the batch",
            ),
            (count(1), "one object"),
            (self.images.iter().any(|i| i.len() > 4), "many objects"),
            (
                self.images.iter().any(|i| i.len() >= CROWD),
                "a hundred objects",
            ),
            (
                self.images.windows(2).any(|w| w[0].len() != w[1].len()),
                "ragged",
            ),
            (self.images.iter().any(twins), "identical objects"),
            (self.classes == 1, "one class"),
            (self.exact > 0, "exact predictions"),
        ];
        let objects = self.images.iter().flatten().filter_map(|o| o.0.edge);
        facts
            .into_iter()
            .filter(|f| f.0)
            .map(|f| f.1)
            .chain(objects)
            .collect()
    }
}

fn probability() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![3 => (1u32..256).prop_map(|k| f64::from(k) / 256.0), 1 => prop::sample::select(vec![0.0, 1.0, 0.5])]
}

fn side() -> impl Strategy<Value = f64> + Clone {
    prop_oneof![3 => (1u32..32).prop_map(|k| f64::from(k) / 4.0), 1 => prop::sample::select(vec![0.0, 0.5, 1.0, 0.0625])]
}

/// Squares around the points: how many strides their side is, and where in a cell they stand.
pub type Squares = (f64, f64);

/// Inputs of an assigner: the points, or the squares around them and the levels that these belong to.
pub fn assigned(squares: Option<Squares>) -> BoxedStrategy<Case> {
    let case = move |s: Scene| {
        let anchors = s.anchors();
        let (b, a) = (s.images.len(), anchors.len());
        let case = Case::default()
            .with(
                "pred_scores",
                real(&[b, a, s.classes], s.cycled(b * a * s.classes)),
            )
            .with("pred_boxes", real(&[b, a, 4], s.boxes(&anchors).concat()));
        let case = match squares {
            None => case.with("points", real(&[a, 2], anchors.pixels().concat())),
            Some((size, offset)) => {
                let squares = anchors.squares(size, offset).concat();
                case.with("squares", real(&[a, 4], squares))
                    .with("level", whole(&[a], anchors.level()))
            }
        };
        s.truth(case).on(s.edges())
    };
    scenes(probability(), side()).prop_map(case).boxed()
}

/// Inputs of a whole loss whose scores are probabilities.
pub fn of_probabilities(kernel: &Kernel) -> BoxedStrategy<Case> {
    let case = trained(kernel);
    scenes(probability(), side()).prop_map(case).boxed()
}

/// Inputs of a whole loss whose scores are logits.
pub fn of_logits(kernel: &Kernel) -> BoxedStrategy<Case> {
    let score = (-48i32..48).prop_map(|k| f64::from(k) / 8.0);
    scenes(score, side()).prop_map(trained(kernel)).boxed()
}

fn trained(kernel: &Kernel) -> impl Fn(Scene) -> Case + use<> {
    let (levels, bins) = (kernel.inputs.contains(&"level"), kernel.bins);
    move |s: Scene| {
        let anchors = s.anchors();
        let (b, a) = (s.images.len(), anchors.len());
        let distances = match bins {
            1 => s.distances(a),
            _ => s
                .sides
                .iter()
                .map(|v| v - 4.0)
                .cycle()
                .take(b * a * 4 * bins)
                .collect(),
        };
        let case = Case::default()
            .with(
                "pred_scores",
                real(&[b, a, s.classes], s.cycled(b * a * s.classes)),
            )
            .with("pred_distri", real(&[b, a, 4 * bins], distances))
            .with("points", real(&[a, 2], anchors.points.concat()))
            .with("strides", real(&[a], anchors.strides.iter().copied()));
        let case = if levels {
            case.with("level", whole(&[a], anchors.level()))
        } else {
            case
        };
        s.truth(case).on(s.edges())
    }
}

//! iou: how much do two boxes overlap, and how is disjointness told apart?
//!
//! Convention: boxes `[x1, y1, x2, y2]`, larger is better, 1 for equal boxes up to eps. IoU; GIoU (Rezatofighi et al., 2019, equation
//! of algorithm 1); DIoU and CIoU (Zheng et al., 2020, equations 7 and 10, α detached); SIoU (Gevorgyan, 2022, θ = 4).
//! Where eps stands is part of the convention and differs between code bases: see [`Eps`].

use super::boxes::{area, centred};
use super::number::{Function, Number, absolute, at_least, at_most, max, min, nearest};
use crate::kernel::Family;
use serde::{Deserialize, Serialize};
use std::f64::consts::PI;

/// What there is to know about it.
pub const FAMILY: Family = Family {
    name: "iou",
    paper: "Rezatofighi 2019; Zheng 2020; Gevorgyan 2022",
    what: "IoU, GIoU, DIoU, CIoU, SIoU",
    kinks: "equal or touching sides, empty boxes; SIoU: aligned centres, equal sizes",
};

/// Which similarity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Iou,
    Giou,
    Diou,
    Ciou,
    Siou,
}

/// Where the small number that prevents a division by zero stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Eps {
    /// Added to both heights, the union and the enclosure (area or squared diagonal).
    Added(f64),
    /// Added to the union and the enclosure; negative sides count as 0.
    Union(f64),
    /// The union and the enclosure are at least this.
    Floor(f64),
    /// Added to the union, the squared diagonal and the heights that aspects and shapes see, but not areas; SIoU's enclosure has sides
    /// of at least this.
    Apart(f64),
}

/// What a code base does beyond the papers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Paper,
    /// CIoU's α is 0 up to an IoU of ½ and has no eps; CIoU and SIoU stay within [−1, 1].
    Limited,
    /// The same, and the sign of SIoU's γ is turned round, so that distance is rewarded: mmdet's default.
    Turned,
}

/// A similarity with its convention. SIoU adds eps to the centre offsets under every convention.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overlap {
    pub kind: Kind,
    pub eps: Eps,
    pub form: Form,
}

impl Overlap {
    /// The paper's formula with eps where `eps` says.
    pub const fn paper(kind: Kind, eps: Eps) -> Self {
        Self {
            kind,
            eps,
            form: Form::Paper,
        }
    }

    /// The IoU by which YOLOv6 and Gold-YOLO assign.
    pub const fn yolov6_assigner() -> Self {
        Self::paper(Kind::Iou, Eps::Union(1e-9))
    }

    /// The similarity in the box loss of YOLOv6 and Gold-YOLO: SIoU in the small networks, GIoU in the others.
    pub const fn yolov6_loss(kind: Kind) -> Self {
        Self::paper(kind, Eps::Added(1e-10))
    }

    /// The CIoU by which ultralytics assigns and trains.
    pub const fn ultralytics() -> Self {
        Self::paper(Kind::Ciou, Eps::Added(1e-7))
    }

    /// The similarities of mmdet: IoU and GIoU as it assigns and trains, the others as it trains.
    pub const fn mmdet(kind: Kind) -> Self {
        match kind {
            Kind::Iou | Kind::Giou => Self::paper(kind, Eps::Floor(1e-6)),
            Kind::Diou => Self::paper(kind, Eps::Apart(1e-6)),
            Kind::Ciou => Self {
                kind,
                eps: Eps::Apart(1e-6),
                form: Form::Limited,
            },
            Kind::Siou => Self {
                kind,
                eps: Eps::Apart(1e-6),
                form: Form::Turned,
            },
        }
    }

    /// The similarity of `a` and `b`. NaN where the convention divides 0 by 0: SIoU of two boxes without width, Floor(0) on empty boxes.
    pub fn of<D: Number>(&self, a: [D; 4], b: [D; 4]) -> D {
        self.with(a, b, None)
    }

    fn with<D: Number>(&self, a: [D; 4], b: [D; 4], alpha: Option<f64>) -> D {
        let pair = Pair::new(self, a, b);
        let iou = pair.inter / pair.union;
        let similarity = match self.kind {
            Kind::Iou => iou,
            Kind::Giou => {
                let c = self.eps.guard(pair.enclosure[0] * pair.enclosure[1]);
                iou - (c - pair.union) / c
            }
            Kind::Diou => iou - pair.offset_share(self.eps),
            Kind::Ciou => {
                iou - pair.offset_share(self.eps)
                    - pair.aspect() * alpha.unwrap_or_else(|| self.alpha(&pair))
            }
            Kind::Siou => iou - (pair.distance_cost(self.form) + pair.shape_cost(self.form)) * 0.5,
        };
        if self.limited() {
            at_most(at_least(similarity, -1.0), 1.0)
        } else {
            similarity
        }
    }

    fn limited(&self) -> bool {
        self.form != Form::Paper && matches!(self.kind, Kind::Ciou | Kind::Siou)
    }

    /// The weight of CIoU's aspect term, without derivative.
    fn alpha<D: Number>(&self, pair: &Pair<D>) -> f64 {
        let (v, iou) = (pair.aspect().re(), (pair.inter / pair.union).re());
        match self.form {
            Form::Paper => v / (v - iou + (1.0 + self.eps.value())),
            Form::Limited | Form::Turned if iou > 0.5 => v / (1.0 - iou + v),
            Form::Limited | Form::Turned => 0.0,
        }
    }
}

impl Eps {
    /// The small number itself.
    pub fn value(self) -> f64 {
        match self {
            Eps::Added(e) | Eps::Union(e) | Eps::Floor(e) | Eps::Apart(e) => e,
        }
    }

    fn guard<D: Number>(self, x: D) -> D {
        match self {
            Eps::Added(e) | Eps::Union(e) | Eps::Apart(e) => x + e,
            Eps::Floor(e) => at_least(x, e),
        }
    }

    /// Width and height of a box as aspects and shapes see them.
    fn size<D: Number>(self, b: [D; 4]) -> [D; 2] {
        let [.., w, h] = centred(b);
        match self {
            Eps::Added(e) | Eps::Apart(e) => [w, h + e],
            Eps::Union(_) => [at_least(w, 0.0), at_least(h, 0.0)],
            Eps::Floor(_) => [w, h],
        }
    }

    fn area<D: Number>(self, b: [D; 4]) -> D {
        match self {
            Eps::Floor(_) | Eps::Apart(_) => area(b),
            Eps::Added(_) | Eps::Union(_) => self.size(b).into_iter().product(),
        }
    }

    /// A side of the enclosure, which is negative around two inverted boxes.
    fn enclosing<D: Number>(self, kind: Kind, side: D) -> D {
        match self {
            Eps::Added(_) | Eps::Union(_) => side,
            Eps::Apart(e) if kind == Kind::Siou => at_least(side, e),
            Eps::Floor(_) | Eps::Apart(_) => at_least(side, 0.0),
        }
    }
}

/// What two boxes have in common.
struct Pair<D> {
    sizes: [[D; 2]; 2],
    inter: D,
    union: D,
    /// Width and height of the smallest box around both.
    enclosure: [D; 2],
    /// Centre of b minus centre of a.
    offset: [D; 2],
    eps: f64,
}

impl<D: Number> Pair<D> {
    fn new(overlap: &Overlap, a: [D; 4], b: [D; 4]) -> Self {
        let eps = overlap.eps;
        let sizes = [eps.size(a), eps.size(b)];
        let common = |i: usize| at_least(min(a[i + 2], b[i + 2]) - max(a[i], b[i]), 0.0);
        let around =
            |i: usize| eps.enclosing(overlap.kind, max(a[i + 2], b[i + 2]) - min(a[i], b[i]));
        let inter = common(0) * common(1);
        let union = eps.guard(eps.area(a) + eps.area(b) - inter);
        let offset = [0, 1].map(|i| (b[i] + b[i + 2] - a[i] - a[i + 2]) * 0.5);
        Self {
            sizes,
            inter,
            union,
            enclosure: [around(0), around(1)],
            offset,
            eps: eps.value(),
        }
    }

    /// Squared distance of the centres over the squared diagonal of the enclosure.
    fn offset_share(&self, eps: Eps) -> D {
        let square = |v: [D; 2]| v[0] * v[0] + v[1] * v[1];
        square(self.offset) / eps.guard(square(self.enclosure))
    }

    fn aspect(&self) -> D {
        let angle = |[w, h]: [D; 2]| (w / h).atan();
        let gap = angle(self.sizes[1]) - angle(self.sizes[0]);
        gap * gap * (4.0 / (PI * PI))
    }

    /// Δ = 2 − Σ e^(−γρ), γ = 2 − Λ. The angle cost Λ = cos(2·asin(sin α) − π/2) = 2·sin α·cos α is the same for α and 90° − α.
    fn distance_cost(&self, form: Form) -> D {
        let sign = if form == Form::Turned { -1.0 } else { 1.0 };
        let [x, y] = self.offset.map(|v| v + self.eps);
        let angle = absolute(x) * absolute(y) * 2.0 / (x * x + y * y);
        let term = |s: D, c: D| ((angle - 2.0) * sign * (s / c) * (s / c)).exp();
        -(term(x, self.enclosure[0]) + term(y, self.enclosure[1])) + 2.0
    }

    /// Ω = Σ (1 − e^(−ω))⁴ over width and height. Beside a box without width an inverted one has ω = ∞, and a cost of 1 that no step
    /// changes; without a limit of the similarity that slope is 0 · ∞, as in the originals.
    fn shape_cost(&self, form: Form) -> D {
        let term = |i: usize| {
            let (p, q) = (self.sizes[0][i], self.sizes[1][i]);
            let share = absolute(p - q) / max(p, q);
            if form == Form::Turned && share.re() == f64::INFINITY {
                return D::from(1.0);
            }
            (-(-share).exp() + 1.0).powi(4)
        };
        term(0) + term(1)
    }
}

/// The similarity of a predicted box to a fixed one, as a function of the prediction.
#[derive(Clone, Copy, Debug)]
pub struct Similarity {
    pub overlap: Overlap,
    pub target: [f64; 4],
    /// CIoU's α where it is held.
    alpha: Option<f64>,
}

impl Similarity {
    /// The similarity to `target`.
    pub fn to(target: [f64; 4], overlap: Overlap) -> Self {
        Self {
            overlap,
            target,
            alpha: None,
        }
    }
}

impl Function for Similarity {
    fn at<D: Number>(&self, x: &[D]) -> D {
        self.overlap.with(
            [x[0], x[1], x[2], x[3]],
            self.target.map(D::from),
            self.alpha,
        )
    }

    /// Kinks: equal coordinates, touching boxes, an empty prediction, a union at its floor; SIoU also equal sizes, aligned centres and
    /// two boxes of which none has any width or height.
    fn kink(&self, x: &[f64]) -> f64 {
        let (a, b) = ([x[0], x[1], x[2], x[3]], self.target);
        let pair = Pair::new(&self.overlap, a, b);
        let touching = [0, 1].map(|i| a[i + 2].min(b[i + 2]) - a[i].max(b[i]));
        let near = nearest(
            (0..4)
                .map(|i| a[i] - b[i])
                .chain(touching)
                .chain([a[2] - a[0], a[3] - a[1]]),
        );
        let floor = match self.overlap.eps {
            Eps::Floor(e) => nearest([
                area(a) + area(b) - pair.inter - e,
                pair.enclosure[0] * pair.enclosure[1] - e,
            ]),
            Eps::Added(_) | Eps::Union(_) | Eps::Apart(_) => f64::INFINITY,
        };
        let limit = if self.overlap.limited() {
            nearest([1.0, -1.0].map(|l| self.overlap.of(a, b) - l))
        } else {
            f64::INFINITY
        };
        let shape = match self.overlap.kind {
            Kind::Siou => {
                let [p, q] = pair.sizes;
                let unequal = [0, 1]
                    .map(|i| p[i] - q[i])
                    .into_iter()
                    .chain([0, 1].map(|i| p[i].max(q[i])));
                nearest(pair.offset.map(|v| v + pair.eps).into_iter().chain(unequal))
            }
            Kind::Iou | Kind::Giou | Kind::Diou | Kind::Ciou => f64::INFINITY,
        };
        near.min(floor).min(shape).min(limit)
    }

    fn held(&self, x: &[f64]) -> Self {
        let pair = Pair::new(&self.overlap, [x[0], x[1], x[2], x[3]], self.target);
        Self {
            alpha: Some(self.alpha.unwrap_or_else(|| self.overlap.alpha(&pair))),
            ..*self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::number::check;
    use approx::assert_abs_diff_eq;
    use proptest::prelude::*;

    const KINDS: [Kind; 5] = [Kind::Iou, Kind::Giou, Kind::Diou, Kind::Ciou, Kind::Siou];

    fn conventions() -> impl Iterator<Item = Overlap> {
        let eps = [
            Eps::Added(1e-10),
            Eps::Added(1e-7),
            Eps::Union(1e-9),
            Eps::Floor(1e-6),
        ];
        KINDS.into_iter().flat_map(move |kind| {
            eps.map(|eps| Overlap::paper(kind, eps))
                .into_iter()
                .chain([Overlap::mmdet(kind)])
        })
    }

    fn boxes() -> impl Strategy<Value = [f64; 4]> {
        prop::array::uniform4(0.5f64..40.0).prop_map(|[x, y, w, h]| [x, y, x + w, y + h])
    }

    #[test]
    fn equal_boxes_are_alike_to_within_eps() {
        for o in conventions() {
            let b = [10.0, 20.0, 42.0, 61.0];
            assert_abs_diff_eq!(o.of(b, b), 1.0, epsilon = 1e-8);
        }
    }

    /// `mmdet.models.losses.iou_loss.siou_loss` of 3.3.0 says the same loss, and NaN for the slopes along x.
    #[test]
    fn a_target_without_width_beside_an_inverted_prediction_has_mmdets_value_and_a_slope() {
        let f = Similarity::to([6.0, 4.0, 6.0, 12.0], Overlap::mmdet(Kind::Siou));
        let x = [8.0, 4.0, 4.0, 12.0];
        assert_abs_diff_eq!(1.0 - f.value(&x), 0.6408590857704697, epsilon = 1e-12);
        assert!(
            f.gradient(&x).iter().all(|g| g.is_finite()),
            "{:?}",
            f.gradient(&x)
        );
    }

    #[test]
    fn known_pairs_have_their_known_overlap() {
        let (a, b) = ([0.0, 0.0, 2.0, 2.0], [1.0, 1.0, 3.0, 3.0]);
        let far = [10.0, 10.0, 12.0, 12.0];
        let of = |kind, a, b| Overlap::paper(kind, Eps::Added(0.0)).of(a, b);
        assert_abs_diff_eq!(of(Kind::Iou, a, b), 1.0 / 7.0, epsilon = 1e-15);
        assert_abs_diff_eq!(of(Kind::Giou, a, b), 1.0 / 7.0 - 2.0 / 9.0, epsilon = 1e-15);
        assert_abs_diff_eq!(
            of(Kind::Diou, a, b),
            1.0 / 7.0 - 2.0 / 18.0,
            epsilon = 1e-15
        );
        assert_abs_diff_eq!(
            of(Kind::Ciou, a, b),
            1.0 / 7.0 - 2.0 / 18.0,
            epsilon = 1e-15
        );
        // sin α = √½, so Λ = 1, γ = 1, ρ = (1/3)² on both axes; the shapes are equal.
        assert_abs_diff_eq!(
            of(Kind::Siou, a, b),
            1.0 / 7.0 - (1.0 - (-1.0f64 / 9.0).exp()),
            epsilon = 1e-15
        );
        assert_eq!(of(Kind::Iou, a, far), 0.0);
        assert_abs_diff_eq!(of(Kind::Giou, a, far), -136.0 / 144.0, epsilon = 1e-15);
    }

    #[test]
    fn the_angle_cost_is_the_papers_cosine() {
        let (a, b) = ([0.0, 0.0, 4.0, 4.0], [1.0, 3.0, 6.0, 8.0]);
        let (x, y) = (1.5f64, 3.5f64);
        let sine = x / x.hypot(y);
        let angle = (2.0 * sine.asin() - PI / 2.0).cos();
        let rho = [(x / 6.0).powi(2), (y / 8.0).powi(2)];
        let distance = 2.0 - ((angle - 2.0) * rho[0]).exp() - ((angle - 2.0) * rho[1]).exp();
        let shape = 2.0 * (1.0 - (-0.2f64).exp()).powi(4);
        let siou = Overlap::paper(Kind::Siou, Eps::Added(0.0)).of(a, b);
        assert_abs_diff_eq!(siou, 3.0 / 38.0 - 0.5 * (distance + shape), epsilon = 1e-15);
    }

    #[test]
    fn an_empty_box_against_an_empty_box_follows_the_convention() {
        let b = [5.0f64; 4];
        assert_eq!(Overlap::yolov6_assigner().of(b, b), 0.0);
        assert_eq!(Overlap::mmdet(Kind::Iou).of(b, b), 0.0);
        assert_eq!(Overlap::mmdet(Kind::Giou).of(b, b), 0.0);
        assert_eq!(Overlap::paper(Kind::Iou, Eps::Added(1e-7)).of(b, b), 0.0);
        assert!(Overlap::yolov6_loss(Kind::Siou).of(b, b).is_nan());
        assert!(Overlap::paper(Kind::Iou, Eps::Floor(0.0)).of(b, b).is_nan());
    }

    #[test]
    fn an_inverted_box_overlaps_nothing_when_sides_are_clamped() {
        let (a, b) = ([4.0, 4.0, 1.0, 1.0], [0.0, 0.0, 8.0, 8.0]);
        assert_eq!(Overlap::yolov6_assigner().of(a, b), 0.0);
    }

    #[test]
    fn the_conventions_differ_where_boxes_are_small() {
        let b = [0.0, 0.0, 1e-3, 1e-3];
        assert_abs_diff_eq!(
            Overlap::paper(Kind::Iou, Eps::Union(1e-9)).of(b, b),
            1e-6 / (1e-6 + 1e-9),
            epsilon = 1e-12
        );
        assert_abs_diff_eq!(Overlap::mmdet(Kind::Iou).of(b, b), 1.0, epsilon = 1e-12);
        let added = Overlap::paper(Kind::Iou, Eps::Added(1e-7)).of(b, b);
        assert_abs_diff_eq!(added, 1e-6 / (1e-6 + 2e-10 + 1e-7), epsilon = 1e-12);
    }

    #[test]
    fn mmdet_gives_aspect_no_weight_up_to_an_overlap_of_one_half_and_stops_at_minus_one() {
        let (a, wide, far) = (
            [0.0, 0.0, 10.0, 10.0],
            [0.0, 0.0, 30.0, 5.0],
            [1e3, 1e3, 1001.0, 1030.0],
        );
        let of = |kind, b| Overlap::mmdet(kind).of(a, b);
        assert_eq!(of(Kind::Ciou, wide), of(Kind::Diou, wide));
        assert!(of(Kind::Ciou, [0.0, 0.0, 14.0, 10.0]) < of(Kind::Diou, [0.0, 0.0, 14.0, 10.0]));
        assert!(
            Overlap {
                form: Form::Limited,
                ..Overlap::mmdet(Kind::Siou)
            }
            .of(a, far)
                >= -1.0
        );
        assert!(Overlap::ultralytics().of([0.0, 0.0, 100.0, 1.0], far) < -1.0);
    }

    #[test]
    fn the_turned_siou_rewards_distance_and_the_papers_does_not() {
        let (a, near, far) = (
            [0.0, 0.0, 10.0, 10.0],
            [20.0, 0.0, 30.0, 10.0],
            [25.0, 0.0, 35.0, 10.0],
        );
        let turned = Overlap::mmdet(Kind::Siou);
        assert!(turned.of(a, far) > turned.of(a, near));
        let straight = Overlap {
            form: Form::Limited,
            ..turned
        };
        assert!(straight.of(a, far) < straight.of(a, near));
    }

    #[test]
    fn alpha_carries_no_derivative() {
        let f = Similarity::to([3.0, 2.0, 30.0, 11.0], Overlap::ultralytics());
        let x = [1.0, 1.5, 12.0, 29.0];
        let free = check::difference(|y| f.value(y), &x, 2, 1e-4);
        assert!(
            (f.gradient(&x)[2] - free).abs() > 1e-4,
            "the detached factor made no difference"
        );
        check::gradient(&f, &x);
    }

    proptest! {
        #[test]
        fn every_gradient_is_what_differences_say(a in boxes(), b in boxes()) {
            for overlap in conventions() {
                let f = Similarity::to(b, overlap);
                if f.kink(&a) > 0.1 {
                    check::gradient(&f, &a);
                }
            }
        }

        #[test]
        fn overlap_is_symmetric_and_bounded(a in boxes(), b in boxes()) {
            for o in conventions() {
                let (ab, ba) = (o.of(a, b), o.of(b, a));
                // SIoU's eps on the offsets is not symmetric.
                assert_abs_diff_eq!(ab, ba, epsilon = if o.kind == Kind::Siou { 1e-5 } else { 1e-12 });
                prop_assert!((-3.0..=1.0 + 1e-9).contains(&ab), "{o:?} {ab}");
            }
        }

        #[test]
        fn moving_both_boxes_changes_nothing(a in boxes(), b in boxes(), by in -50f64..50.0) {
            for o in conventions() {
                assert_abs_diff_eq!(o.of(a, b), o.of(a.map(|v| v + by), b.map(|v| v + by)), epsilon = 1e-6);
            }
        }
    }
}

//! average_precision: how much of what is there does a detector find, at which precision, by class and by size?
//!
//! Convention: COCO's. Detections of a class in falling order of score, ties in the order given; each takes the object of the largest
//! overlap that is free, one that counts before one that is ignored; precision is made to fall and read at 101 recalls. Objects outside
//! of a range of sizes are ignored, and so are unmatched detections outside of it; a crowd takes any number of detections, its overlap
//! is the part of the detection inside (Lin et al., Microsoft COCO: Common Objects in Context, 2014).

use super::mean_iou::mean;
use crate::kernel::Family;

/// What there is to know about it.
pub const FAMILY: Family = Family {
    name: "average_precision",
    paper: "Lin 2014",
    what: "AP by class, size and overlap, precision and recall",
    kinks: "an overlap at a threshold; two scores that are equal",
};

/// Recalls at which precision is read.
pub const RECALLS: usize = 101;
/// Detections of a class and image that count.
pub const MOST: usize = 100;

/// An object.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    pub image: usize,
    pub class: usize,
    /// Left, top, width, height.
    pub bbox: [f64; 4],
    pub area: f64,
    pub crowd: bool,
}

/// What was detected.
#[derive(Clone, Debug, PartialEq)]
pub struct Detection {
    pub image: usize,
    pub class: usize,
    pub bbox: [f64; 4],
    pub area: f64,
    pub score: f64,
}

/// A range of areas, both ends in it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Size {
    pub name: &'static str,
    pub from: f64,
    pub to: f64,
}

/// COCO's sizes.
pub const SIZES: [Size; 4] = [
    Size::new("all", 0.0, 1e10),
    Size::new("small", 0.0, 1024.0),
    Size::new("medium", 1024.0, 9216.0),
    Size::new("large", 9216.0, 1e10),
];

impl Size {
    pub const fn new(name: &'static str, from: f64, to: f64) -> Self {
        Self { name, from, to }
    }

    #[must_use]
    pub fn holds(&self, area: f64) -> bool {
        !(area < self.from || area > self.to)
    }
}

/// COCO's overlaps: 0.5, 0.55 ... 0.95.
#[must_use]
pub fn overlaps() -> [f64; 10] {
    std::array::from_fn(|i| between(0.5, 0.95, i, 9))
}

/// Point `i` of `n` steps, as numpy's linspace has it.
fn between(from: f64, to: f64, i: usize, n: usize) -> f64 {
    match i == n {
        true => to,
        false => i as f64 * ((to - from) / n as f64) + from,
    }
}

/// One class and size.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Objects that count.
    pub objects: usize,
    /// By overlap: precision at each recall; empty where nothing is there to be found.
    pub precision: Vec<Vec<f64>>,
    /// By overlap: the recall of all detections.
    pub recall: Vec<f64>,
}

impl Cell {
    /// AP at overlap `t`; NaN where nothing is there to be found.
    #[must_use]
    pub fn ap(&self, t: usize) -> f64 {
        self.precision
            .get(t)
            .map_or(f64::NAN, |p| mean(p.iter().copied()))
    }
}

/// By class, then by size.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluated {
    pub cells: Vec<Vec<Cell>>,
    /// Precision, recall and confidence where the mean F1 at the first overlap is largest; None where nothing is there.
    pub best: Option<[f64; 3]>,
}

impl Evaluated {
    /// Mean over classes that have such objects, of AP at one overlap or over all.
    #[must_use]
    pub fn map(&self, size: usize, overlap: Option<usize>) -> f64 {
        let there = self
            .cells
            .iter()
            .map(|c| &c[size])
            .filter(|c| !c.precision.is_empty());
        let of = |c: &Cell| match overlap {
            Some(t) => c.ap(t),
            None => mean((0..c.precision.len()).map(|t| c.ap(t))),
        };
        mean(there.map(of))
    }

    /// Mean over classes of precision at each recall.
    #[must_use]
    pub fn curve(&self, size: usize, overlap: usize) -> Vec<f64> {
        let there = || {
            self.cells
                .iter()
                .filter_map(|c| c[size].precision.get(overlap))
        };
        let at = |r: usize| mean(there().map(|p| p[r]));
        match there().next() {
            None => vec![],
            Some(_) => (0..RECALLS).map(at).collect(),
        }
    }
}

/// What a detection came to at one overlap.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Right,
    Wrong,
    Ignored,
}

/// Detections of one class and one image, the highest score first, with their fates by overlap.
struct Judged {
    scores: Vec<f64>,
    fates: Vec<Vec<Fate>>,
    objects: usize,
}

/// Evaluates `classes` classes at `overlaps`; at most `most` detections of a class count in an image.
#[must_use]
pub fn evaluate(
    objects: &[Object],
    detections: &[Detection],
    classes: usize,
    sizes: &[Size],
    overlaps: &[f64],
    most: usize,
) -> Evaluated {
    let images = objects
        .iter()
        .map(|o| o.image)
        .chain(detections.iter().map(|d| d.image));
    let images = images.max().map_or(0, |n| n + 1);
    let mut by: Vec<(Vec<&Object>, Vec<&Detection>)> = vec![(vec![], vec![]); images * classes];
    let place = |class: usize, image: usize| class * images + image;
    objects
        .iter()
        .filter(|o| o.class < classes)
        .for_each(|o| by[place(o.class, o.image)].0.push(o));
    detections
        .iter()
        .filter(|d| d.class < classes)
        .for_each(|d| by[place(d.class, d.image)].1.push(d));
    for (_, own) in &mut by {
        own.sort_by(|a, b| b.score.total_cmp(&a.score));
        own.truncate(most);
    }
    let mut firsts = vec![];
    let cells = (0..classes).map(|c| {
        let own = &by[place(c, 0)..place(c, images)];
        let of = |(i, size): (usize, &Size)| {
            let all: Vec<Judged> = own
                .iter()
                .map(|(o, d)| judge(o, d, size, overlaps))
                .collect();
            if i == 0 {
                firsts.push(ranked(&all, 0));
            }
            cell(&all, overlaps.len())
        };
        sizes.iter().enumerate().map(of).collect()
    });
    let cells: Vec<Vec<Cell>> = cells.collect();
    let objects: Vec<usize> = cells
        .iter()
        .map(|c| c.first().map_or(0, |c| c.objects))
        .collect();
    Evaluated {
        best: best(&firsts, &objects),
        cells,
    }
}

fn overlap(d: &Detection, o: &Object) -> f64 {
    let ([dx, dy, dw, dh], [ox, oy, ow, oh]) = (d.bbox, o.bbox);
    let w = (dw + dx).min(ow + ox) - dx.max(ox);
    let h = (dh + dy).min(oh + oy) - dy.max(oy);
    if w <= 0.0 || h <= 0.0 {
        return 0.0;
    }
    let both = w * h;
    let union = match o.crowd {
        true => dw * dh,
        false => dw * dh + ow * oh - both,
    };
    both / union
}

/// Matches the detections of one image, sorted by score.
fn judge(objects: &[&Object], detections: &[&Detection], size: &Size, overlaps: &[f64]) -> Judged {
    let ignored = |o: &Object| o.crowd || !size.holds(o.area);
    let mut objects: Vec<&Object> = objects.to_vec();
    objects.sort_by_key(|o| ignored(o));
    let counts = objects.iter().filter(|o| !ignored(o)).count();
    let ious: Vec<Vec<f64>> = detections
        .iter()
        .map(|d| objects.iter().map(|o| overlap(d, o)).collect())
        .collect();
    let at = |threshold: &f64| {
        let mut taken = vec![false; objects.len()];
        let fate = |(d, ious): (&&Detection, &Vec<f64>)| {
            let found = partner(&objects, ious, &taken, counts, *threshold);
            match found {
                Some(m) => {
                    taken[m] = true;
                    if m < counts {
                        Fate::Right
                    } else {
                        Fate::Ignored
                    }
                }
                None if size.holds(d.area) => Fate::Wrong,
                None => Fate::Ignored,
            }
        };
        detections.iter().zip(&ious).map(fate).collect()
    };
    Judged {
        scores: detections.iter().map(|d| d.score).collect(),
        fates: overlaps.iter().map(at).collect(),
        objects: counts,
    }
}

/// The free object of the largest overlap, the last of equals; the first `counts` are not ignored, and one of these is preferred.
fn partner(
    objects: &[&Object],
    ious: &[f64],
    taken: &[bool],
    counts: usize,
    threshold: f64,
) -> Option<usize> {
    let mut least = threshold.min(1.0 - 1e-10);
    let mut found: Option<usize> = None;
    for (g, iou) in ious.iter().enumerate() {
        if taken[g] && !objects[g].crowd {
            continue;
        }
        if g >= counts && found.is_some_and(|m| m < counts) {
            break;
        }
        if *iou >= least {
            (least, found) = (*iou, Some(g));
        }
    }
    found
}

/// Score and fate of what is not ignored at overlap `t`, the highest score first; images in their order where scores are equal.
fn ranked(all: &[Judged], t: usize) -> Vec<(f64, bool)> {
    let of = |j: &Judged| {
        j.scores
            .iter()
            .copied()
            .zip(j.fates[t].iter().copied())
            .collect::<Vec<_>>()
    };
    let mut out: Vec<(f64, Fate)> = all.iter().flat_map(of).collect();
    out.sort_by(|a, b| b.0.total_cmp(&a.0));
    let counts = out.into_iter().filter(|(_, f)| *f != Fate::Ignored);
    counts.map(|(s, f)| (s, f == Fate::Right)).collect()
}

fn cell(all: &[Judged], overlaps: usize) -> Cell {
    let objects = all.iter().map(|j| j.objects).sum();
    let curves = (0..overlaps)
        .filter(|_| objects > 0)
        .map(|t| curve(&ranked(all, t), objects));
    let (precision, recall) = curves.unzip();
    Cell {
        objects,
        precision,
        recall,
    }
}

/// Precision at each of the recalls, and the last recall.
fn curve(ranked: &[(f64, bool)], objects: usize) -> (Vec<f64>, f64) {
    let (mut recall, mut precision) = (vec![], vec![]);
    let mut right = 0usize;
    for (i, (_, is_right)) in ranked.iter().enumerate() {
        right += usize::from(*is_right);
        recall.push(right as f64 / objects as f64);
        precision.push(right as f64 / ((i + 1) as f64 + f64::EPSILON));
    }
    for i in (1..precision.len()).rev() {
        precision[i - 1] = f64::max(precision[i - 1], precision[i]);
    }
    let at = |r: usize| {
        let wanted = between(0.0, 1.0, r, RECALLS - 1);
        let first = recall.partition_point(|v| *v < wanted);
        precision.get(first).copied().unwrap_or(0.0)
    };
    (
        (0..RECALLS).map(at).collect(),
        recall.last().copied().unwrap_or(0.0),
    )
}

/// Mean precision, mean recall and confidence where the mean F1 over classes with objects is largest, the highest confidence of equals.
fn best(ranked: &[Vec<(f64, bool)>], objects: &[usize]) -> Option<[f64; 3]> {
    let there: Vec<usize> = (0..objects.len()).filter(|c| objects[*c] > 0).collect();
    let mut all: Vec<(f64, usize, bool)> = vec![];
    for (i, c) in there.iter().enumerate() {
        all.extend(ranked[*c].iter().map(|(s, right)| (*s, i, *right)));
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let n = there.len() as f64;
    let mut counts = vec![(0usize, 0usize); there.len()];
    let (mut sum, mut best) = (0.0, None::<(f64, [f64; 3])>);
    let f1 = |(right, seen): (usize, usize), c: usize| {
        2.0 * right as f64 / (seen + objects[there[c]]) as f64
    };
    for group in all.chunk_by(|a, b| a.0 == b.0) {
        for (_, c, right) in group {
            sum -= f1(counts[*c], *c);
            counts[*c] = (counts[*c].0 + usize::from(*right), counts[*c].1 + 1);
            sum += f1(counts[*c], *c);
        }
        if best.as_ref().is_none_or(|(held, _)| sum > held + 1e-12) {
            let precision = counts.iter().map(|(r, s)| *r as f64 / (*s).max(1) as f64);
            let recall = counts
                .iter()
                .enumerate()
                .map(|(c, (r, _))| *r as f64 / objects[there[c]] as f64);
            best = Some((
                sum,
                [
                    precision.sum::<f64>() / n,
                    recall.sum::<f64>() / n,
                    group[0].0,
                ],
            ));
        }
    }
    match there.is_empty() {
        true => None,
        false => Some(best.map_or([0.0, 0.0, 1.0], |(_, all)| all)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;

    fn object(image: usize, bbox: [f64; 4]) -> Object {
        Object {
            image,
            class: 0,
            bbox,
            area: bbox[2] * bbox[3],
            crowd: false,
        }
    }

    fn detection(image: usize, bbox: [f64; 4], score: f64) -> Detection {
        Detection {
            image,
            class: 0,
            bbox,
            area: bbox[2] * bbox[3],
            score,
        }
    }

    fn all(objects: &[Object], detections: &[Detection]) -> Evaluated {
        evaluate(objects, detections, 1, &SIZES, &overlaps(), MOST)
    }

    /// A mean of 101 numbers is rounded.
    fn near(own: f64, want: f64) {
        assert_abs_diff_eq!(own, want, epsilon = 1e-12);
    }

    #[test]
    fn what_is_found_exactly_is_1_by_its_own_size_and_nothing_by_others() {
        let box_ = [10.0, 10.0, 20.0, 20.0];
        let e = all(&[object(0, box_)], &[detection(0, box_, 0.9)]);
        near(e.map(0, None), 1.0);
        near(e.map(1, Some(0)), 1.0);
        assert!(e.map(2, None).is_nan() && e.map(3, None).is_nan());
        assert_eq!(e.best, Some([1.0, 1.0, 0.9]));
    }

    #[test]
    fn a_second_detection_of_an_object_is_wrong_and_a_miss_costs_recall() {
        let (a, b) = ([0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 10.0, 10.0]);
        let e = all(
            &[object(0, a), object(0, b)],
            &[detection(0, a, 0.9), detection(0, a, 0.8)],
        );
        assert_eq!(e.cells[0][0].recall[0], 0.5);
        near(e.map(0, Some(0)), 51.0 / 101.0);
        assert_eq!(e.best, Some([1.0, 0.5, 0.9]));
    }

    #[test]
    fn an_overlap_of_the_threshold_counts_and_the_sizes_share_their_edges() {
        let e = all(
            &[object(0, [0.0, 0.0, 10.0, 10.0])],
            &[detection(0, [0.0, 0.0, 10.0, 5.0], 0.5)],
        );
        near(e.map(0, Some(0)), 1.0);
        assert_eq!(e.map(0, Some(1)), 0.0);
        let edge = [0.0, 0.0, 32.0, 32.0];
        let e = all(&[object(0, edge)], &[]);
        let objects: Vec<usize> = e.cells[0].iter().map(|c| c.objects).collect();
        assert_eq!(objects, [1, 1, 1, 0]);
        assert_eq!((e.map(0, None), e.best), (0.0, Some([0.0, 0.0, 1.0])));
    }

    #[test]
    fn a_crowd_and_what_is_of_another_size_cost_nothing() {
        let crowd = Object {
            crowd: true,
            ..object(0, [0.0, 0.0, 100.0, 100.0])
        };
        let own = [200.0, 200.0, 20.0, 20.0];
        let inside = [10.0, 10.0, 20.0, 20.0];
        let found = [
            detection(0, inside, 0.9),
            detection(0, inside, 0.8),
            detection(0, own, 0.7),
        ];
        let e = all(&[crowd, object(0, own)], &found);
        near(e.map(0, None), 1.0);
        let large = detection(0, [0.0, 300.0, 100.0, 100.0], 0.95);
        let e = all(&[object(0, own)], &[large, detection(0, own, 0.7)]);
        near(e.map(1, Some(0)), 1.0);
        near(e.map(0, Some(0)), 0.5);
    }

    #[test]
    fn nothing_there_has_no_number() {
        let e = all(&[], &[detection(0, [0.0, 0.0, 1.0, 1.0], 0.5)]);
        assert!(e.map(0, None).is_nan());
        assert_eq!((e.best, e.curve(0, 0)), (None, vec![]));
    }
}

//! oracle: is what a subject says about a case what the f64 reference says?
//!
//! Positives are compared as owners of anchors; an owner that differs at a margin below rounding is a tie flip, and what depends on it
//! is not compared. Numbers that are equal in both are no tie: there the rule decides, the lowest index first. A gradient nearly on a point without derivative must lie within those beside it; both are counted. What rounding in f32 may add is
//! `Spread`'s to say.

use super::response::Response;
use super::rounding::{self, Of, Spread, named};
use super::wrong_number::{Judged, WrongNumber};
use crate::judge::{Flipped, Limit, Pair, against};
use crate::kernel::assign::{Alike, Assignment, Decision, Margin, Trail};
use crate::kernel::number::KINK;
use crate::subject::kernels::draw::Case;
use crate::subject::kernels::{Answer, Gradient};
use crate::tensor::Tensor;
use indexmap::IndexMap;
use std::borrow::Cow;

/// How far an f64 implementation may be from the f64 reference: relative to the value, plus a share of what cancels in it: the largest
/// number of the tensor, or the unit of what is computed. Both add some hundred terms in another order: u·√K with u = 2⁻⁵³, times the
/// condition of a quotient of small areas.
const RELATIVE: f64 = 1e-9;
const CANCELLED: f64 = 1e-12;
/// Relative margin below which f64 decides either way.
const TIE: f64 = 1e-12;

/// The name of the sum of all outputs that are differentiated.
pub const SUM: &str = "all outputs";

/// Holds a response in f64 with the gradients of [`SUM`] against the reference.
pub fn batch(case: &Case, reference: &Answer, response: &Response) -> Judged {
    judged(
        case,
        reference,
        &summed(&reference.gradients),
        response,
        &Spread::default(),
        Among::Ordered,
    )
}

/// By each input, of all outputs.
fn summed(gradients: &[Gradient]) -> Vec<Gradient> {
    let mut by: IndexMap<&'static str, Vec<&Gradient>> = IndexMap::new();
    gradients
        .iter()
        .for_each(|g| by.entry(g.by).or_default().push(g));
    let one = |(by, all): (&'static str, Vec<&Gradient>)| match all[..] {
        [only] => Gradient {
            of: SUM,
            ..only.clone()
        },
        _ => {
            let mut sum = vec![0.0; all[0].value.numel()];
            all.iter().for_each(|g| {
                sum.iter_mut()
                    .zip(floats(&g.value).iter())
                    .for_each(|(s, v)| *s += v)
            });
            // Beside a kink of one the others have their own slope.
            let own = |g: &Gradient, i: usize| {
                g.beside
                    .get(&i)
                    .copied()
                    .unwrap_or_else(|| Some([floats(&g.value)[i]; 2]))
            };
            let both = |i: usize| {
                all.iter().try_fold([0.0; 2], |s, g| {
                    own(g, i).map(|[least, most]| [s[0] + least, s[1] + most])
                })
            };
            let beside = all
                .iter()
                .flat_map(|g| g.beside.keys())
                .map(|i| (*i, both(*i)))
                .collect();
            Gradient {
                of: SUM,
                by,
                value: Tensor::from_vec(all[0].value.shape(), sum),
                beside,
            }
        }
    };
    by.into_iter().map(one).collect()
}

/// Holds a response on `case` against the reference; `spread` says what rounding may do beyond that of f64.
pub fn judge(case: &Case, reference: &Answer, response: &Response, spread: &Spread) -> Judged {
    judged(
        case,
        reference,
        &reference.gradients,
        response,
        spread,
        Among::Ordered,
    )
}

/// Whether an answer to a case whose rows or anchors were put into another order gives anchors elsewhere than the reference, at ties alone.
pub fn is_tied(case: &Case, reference: &Answer, response: &Response, spread: &Spread) -> bool {
    let judged = judged(
        case,
        reference,
        &reference.gradients,
        response,
        spread,
        Among::Any,
    );
    judged.flips > 0 && judged.wrong.is_none()
}

/// Who may be chosen among equals.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Among {
    /// The first, as the rule says.
    Ordered,
    /// Any, as the order was changed.
    Any,
}

fn judged(
    case: &Case,
    reference: &Answer,
    slopes: &[Gradient],
    response: &Response,
    spread: &Spread,
    among: Among,
) -> Judged {
    let mut out = Judged::default();
    if let Some(wrong) = owners(reference, response, spread, among, &mut out) {
        return Judged {
            wrong: Some(wrong),
            ..out
        };
    }
    if out.flips > 0 {
        return out;
    }
    let values =
        reference
            .tensors
            .iter()
            .find_map(|(name, expected)| match response.tensors.get(*name) {
                Some(found) => {
                    let (unit, rows) = (unit(name), rows_of(case, reference, expected));
                    let bound = Bound {
                        unit: &|_| unit,
                        rows,
                        allowed: spread.allowed(Of::Value(name), expected),
                        excuses: &|_, _, _| false,
                    };
                    tensor(
                        &format!("value '{name}'"),
                        expected,
                        found,
                        &bound,
                        &mut out,
                    )
                }
                None => Some(missing(format!("value '{name}'"))),
            });
    out.wrong = values.or_else(|| gradients(case, reference, slopes, response, spread, &mut out));
    out
}

/// What a value is a share or a number of: losses are nats, similarities and soft targets shares of 1. An alignment metric is a product
/// of powers, in which nothing cancels.
fn unit(output: &str) -> f64 {
    if output.ends_with("metric") { 0.0 } else { 1.0 }
}

fn missing(what: String) -> WrongNumber {
    WrongNumber {
        what: format!("{what} is not there"),
        index: 0,
        reference: 0.0,
        candidate: f64::NAN,
    }
}

/// The first anchor that went to another object; None where the kernel assigns nothing.
fn owners(
    reference: &Answer,
    response: &Response,
    spread: &Spread,
    among: Among,
    out: &mut Judged,
) -> Option<WrongNumber> {
    let found = rounding::owners(response)?;
    let anchors = reference.assignments.first()?.owner.len();
    let own = Numbers::of(response).filter(|_| among == Among::Ordered);
    for (b, assignment) in reference.assignments.iter().enumerate() {
        for a in 0..anchors {
            let theirs = found[b * anchors + a];
            let Some(margin) = margin(assignment, b, a, theirs, own.as_ref()) else {
                out.compared += 1;
                continue;
            };
            let moved = Limit::Margin {
                gap: margin.gap,
                bound: movable(spread, assignment, b, &margin),
            };
            if margin.relative() <= TIE
                || !against(&Flipped, moved).over()
                || spread.gave(b * anchors + a, theirs)
            {
                out.flips += 1;
                continue;
            }
            let number = |o: Option<usize>| o.map_or(-1.0, |g| g as f64);
            let what = format!("owner in image {b} of anchor");
            return Some(WrongNumber {
                what,
                index: a,
                reference: number(assignment.owner[a]),
                candidate: number(theirs),
            });
        }
    }
    None
}

/// By how much anchor `a` of image `b` is not `theirs`; None where it is. `own` are the numbers that the response decided by.
fn margin(
    assignment: &Assignment,
    b: usize,
    a: usize,
    theirs: Option<usize>,
    own: Option<&Numbers>,
) -> Option<Margin> {
    let never = Margin {
        decision: Decision::Valid,
        gap: f64::INFINITY,
        scale: 1.0,
    };
    match (theirs, own) {
        (Some(g), _) if g >= assignment.trails.len() || excluded(&assignment.trails[g], a) => {
            Some(never)
        }
        (_, None) => assignment.distance(a, theirs),
        (_, Some(own)) => {
            let zeros = |g: usize| {
                own.metric(b, g)
                    .is_some_and(|m| same_zeros(m, &assignment.trails[g]))
            };
            let at = |g: usize| own.overlap(b, g).map(|o| o[a]);
            let overlaps = |g: usize, h: usize| at(g).is_some() && at(g) == at(h);
            assignment.distance_beside(
                a,
                theirs,
                &Alike {
                    zeros: &zeros,
                    overlaps: &overlaps,
                },
            )
        }
    }
}

/// Whether the metric of a row is 0 at the same anchors: both sides start from the same bits, and a product with 0 is 0.
fn same_zeros(metric: &[f64], trail: &Trail) -> bool {
    metric
        .iter()
        .zip(&trail.metric)
        .all(|(own, expected)| (*own == 0.0) == (*expected == 0.0))
}

/// What a response says that it decided by, `[B, G, A]`.
struct Numbers {
    rows: usize,
    anchors: usize,
    metric: Vec<f64>,
    overlap: Vec<f64>,
}

impl Numbers {
    /// None where it says nothing of the kind.
    fn of(response: &Response) -> Option<Self> {
        let (metric, overlap) = (
            named(&response.tensors, "metric")?,
            named(&response.tensors, "overlap")?,
        );
        let [_, rows, anchors] = *metric.shape() else {
            return None;
        };
        (metric.shape() == overlap.shape()).then(|| Self {
            rows,
            anchors,
            metric: metric.to_f64(),
            overlap: overlap.to_f64(),
        })
    }

    fn row<'a>(&self, of: &'a [f64], b: usize, g: usize) -> Option<&'a [f64]> {
        let begin = (b * self.rows + g) * self.anchors;
        of.get(begin..begin + self.anchors)
            .filter(|_| g < self.rows)
    }

    fn metric(&self, b: usize, g: usize) -> Option<&[f64]> {
        self.row(&self.metric, b, g)
    }

    fn overlap(&self, b: usize, g: usize) -> Option<&[f64]> {
        self.row(&self.overlap, b, g)
    }
}

/// How far rounding in f32 moves what a decision in image `b` was taken by.
fn movable(spread: &Spread, assignment: &Assignment, b: usize, margin: &Margin) -> f64 {
    let numbers = assignment.trails.len() * assignment.owner.len();
    let image = b * numbers..(b + 1) * numbers;
    match margin.decision {
        _ if !spread.is_measured() => 0.0,
        // Another constant moves no coordinate.
        Decision::Inside | Decision::Valid if !spread.is_single() => 0.0,
        Decision::TopK | Decision::Positive => spread.decides("metric", image, margin.scale),
        Decision::Threshold | Decision::Largest => spread.decides("overlap", image, margin.scale),
        // A depth is a difference of two coordinates: one rounding each, and one of the difference.
        Decision::Inside | Decision::Valid => 4.0 * margin.scale * 2f64.powi(-24),
    }
}

/// Whether a rule keeps the anchor from the row because its metric is 0. Both sides start from the same bits and a product with 0 is 0:
/// no rounding decides that.
fn excluded(trail: &Trail, anchor: usize) -> bool {
    trail.positive && trail.metric[anchor] == 0.0
}

fn gradients(
    case: &Case,
    reference: &Answer,
    slopes: &[Gradient],
    response: &Response,
    spread: &Spread,
    out: &mut Judged,
) -> Option<WrongNumber> {
    let offered = response.gradients.as_ref()?;
    out.kinks = reference.kinks.iter().filter(|k| **k <= KINK).count();
    slopes.iter().find_map(|g| {
        let what = format!("gradient of '{}' by '{}'", g.of, g.by);
        let excuses = |i: usize, found: f64, more: f64| {
            let within = |[least, most]: &[f64; 2]| {
                let off = more + RELATIVE * least.abs().max(most.abs());
                (least - off..=most + off).contains(&found)
            };
            g.beside
                .get(&i)
                .is_some_and(|slopes| slopes.as_ref().is_none_or(within))
        };
        // A gradient is a unit of the output per unit of the input.
        let rows = rows_of(case, reference, &g.value);
        let sizes = case
            .inputs
            .get(g.by)
            .map_or_else(|| vec![1.0; rows], |t| largest(t, rows));
        // Where the input is 0 nothing says how large a unit of it is.
        let size = |row: usize| if sizes[row] > 0.0 { sizes[row] } else { 1.0 };
        let unit = |row: usize| unit(g.of) / size(row);
        let bound = Bound {
            unit: &unit,
            rows,
            allowed: spread.allowed(Of::Gradient(g.of, g.by), &g.value),
            excuses: &excuses,
        };
        match offered.get(&(g.of.to_string(), g.by.to_string())) {
            Some(Some(found)) => tensor(&what, &g.value, found, &bound, out),
            Some(None) => tensor(
                &what,
                &g.value,
                &Tensor::from_vec(g.value.shape(), vec![0.0; g.value.numel()]),
                &bound,
                out,
            ),
            None => Some(missing(what)),
        }
    })
}

/// How far numbers may be apart.
pub struct Bound<'a> {
    /// What those of a row are a share or a number of.
    pub unit: &'a dyn Fn(usize) -> f64,
    /// Rows that have nothing to do with each other; 1 where all numbers have.
    pub rows: usize,
    /// By how much each may be off beyond the rounding of f64; infinite where it is not to be compared; empty where nothing may.
    pub allowed: Vec<f64>,
    /// Whether a number that is not the expected one may stand at an index, with so much that it may be off by.
    pub excuses: &'a dyn Fn(usize, f64, f64) -> bool,
}

/// The first element that differs among those that count.
pub fn tensor(
    what: &str,
    expected: &Tensor,
    found: &Tensor,
    bound: &Bound,
    out: &mut Judged,
) -> Option<WrongNumber> {
    if expected.shape() != found.shape() {
        let what = format!(
            "{what} has shape {:?}, expected {:?}",
            found.shape(),
            expected.shape()
        );
        return Some(WrongNumber {
            what,
            index: 0,
            reference: expected.numel() as f64,
            candidate: found.numel() as f64,
        });
    }
    let (e, f) = (floats(expected), floats(found));
    let width = (e.len() / bound.rows).max(1);
    let cancelled = |(row, largest): (usize, f64)| CANCELLED * largest.max((bound.unit)(row));
    let shares: Vec<f64> = largest(expected, bound.rows)
        .into_iter()
        .enumerate()
        .map(cancelled)
        .collect();
    let share = |i: usize| {
        if expected.dtype().is_float() {
            [RELATIVE, shares[i / width]]
        } else {
            [0.0; 2]
        }
    };
    let allowed = |i: usize| bound.allowed.get(i).copied().unwrap_or(0.0);
    let differs = |i: &usize| {
        let [relative, cancelled] = share(*i);
        against(
            &Pair(e[*i], f[*i]),
            Limit::Bound(relative * e[*i].abs() + cancelled + allowed(*i)),
        )
        .over()
    };
    let beyond = bound.allowed.iter().filter(|a| !a.is_finite()).count();
    out.compared += e.len() - beyond;
    out.beyond += beyond;
    let index = (0..e.len()).filter(differs).find(|i| {
        allowed(*i).is_finite() && !(bound.excuses)(*i, f[*i], share(*i)[1] + allowed(*i))
    })?;
    Some(WrongNumber {
        what: what.into(),
        index,
        reference: e[index],
        candidate: f[index],
    })
}

/// The numbers of a tensor, as they lie where they are f64.
fn floats(t: &Tensor) -> Cow<'_, [f64]> {
    t.values()
        .map_or_else(|| Cow::Owned(t.to_f64()), Cow::Borrowed)
}

/// The largest finite magnitude of each of so many rows.
pub fn largest(t: &Tensor, rows: usize) -> Vec<f64> {
    let width = (t.numel() / rows).max(1);
    let of = |row: &[f64]| {
        row.iter()
            .filter(|v| v.is_finite())
            .fold(0.0, |m: f64, v| m.max(v.abs()))
    };
    let mut all: Vec<f64> = floats(t).chunks(width).map(of).collect();
    all.resize(rows, 0.0);
    all
}

/// How many rows of an answer have nothing to do with each other: none where anything is assigned.
fn rows_of(case: &Case, reference: &Answer, t: &Tensor) -> usize {
    match reference.assignments.is_empty() {
        true => rows(case, t),
        false => 1,
    }
}

/// How many rows of a tensor have nothing to do with each other: one per row of the case where every input and the tensor has them. One huge
/// row lets no other be off.
pub fn rows(case: &Case, t: &Tensor) -> usize {
    let first = |t: &Tensor| t.shape().first().copied();
    let all = || case.inputs.values().all(|input| first(input) == first(t));
    first(t)
        .filter(|n| *n > 0 && !case.inputs.is_empty() && all())
        .unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn real(values: &[f64]) -> Tensor {
        Tensor::from_vec(&[values.len()], values.to_vec())
    }

    fn pair(value: &[f64], gradient: Option<&[f64]>) -> Judged {
        beside(value, gradient, &BTreeMap::new())
    }

    /// The same with slopes beside a kink of some rows.
    fn beside(
        value: &[f64],
        gradient: Option<&[f64]>,
        beside: &BTreeMap<usize, Option<[f64; 2]>>,
    ) -> Judged {
        let reference = Answer {
            tensors: [("loss", real(&[1.0, 2.0]))].into(),
            gradients: vec![Gradient {
                beside: beside.clone(),
                ..Gradient::smooth("loss", "x", real(&[0.5, 0.0]))
            }],
            kinks: (0..2)
                .map(|i| if beside.contains_key(&i) { 0.0 } else { 1.0 })
                .collect(),
            assignments: vec![],
        };
        let gradients = Some([(("loss".to_string(), "x".to_string()), gradient.map(real))].into());
        judge(
            &Case::default(),
            &reference,
            &Response {
                tensors: [("loss".to_string(), real(value))].into(),
                gradients,
            },
            &Spread::default(),
        )
    }

    #[test]
    fn equal_responses_find_nothing_and_count_every_number() {
        let judged = pair(&[1.0, 2.0], Some(&[0.5, 0.0]));
        assert_eq!(
            judged,
            Judged {
                compared: 4,
                ..Judged::default()
            }
        );
    }

    #[test]
    fn a_value_a_gradient_a_shape_and_a_nan_are_found_where_they_are() {
        let what = |j: Judged| j.wrong.map(|f| (f.what, f.index)).unwrap();
        assert_eq!(
            what(pair(&[1.0, 2.00001], Some(&[0.5, 0.0]))),
            ("value 'loss'".into(), 1)
        );
        assert_eq!(
            what(pair(&[1.0, f64::NAN], Some(&[0.5, 0.0]))),
            ("value 'loss'".into(), 1)
        );
        assert_eq!(
            what(pair(&[1.0, 2.0], Some(&[0.5, 0.1]))),
            ("gradient of 'loss' by 'x'".into(), 1)
        );
        assert_eq!(
            what(pair(&[1.0, 2.0], None)),
            ("gradient of 'loss' by 'x'".into(), 0)
        );
        assert!(
            what(pair(&[1.0], Some(&[0.5, 0.0])))
                .0
                .contains("shape [1], expected [2]")
        );
    }

    #[test]
    fn a_huge_row_lets_no_other_be_off() {
        let found = |rows: bool, value: &[f64]| {
            let inputs = [(
                "x".to_string(),
                real(&if rows { vec![1e12, 1.0] } else { vec![1e12] }),
            )]
            .into_iter()
            .collect();
            let case = Case {
                inputs,
                ..Case::default()
            };
            let reference = Answer {
                tensors: [("loss", real(&[1e12, 2.0]))].into(),
                ..Answer::default()
            };
            let response = Response {
                tensors: [("loss".to_string(), real(value))].into(),
                gradients: None,
            };
            judge(&case, &reference, &response, &Spread::default())
                .wrong
                .map(|f| f.index)
        };
        assert_eq!(found(true, &[1e12, 2.0 + 1e-4]), Some(1));
        assert_eq!(found(true, &[1e12 + 1.0, 2.0 + 1e-13]), None);
        assert_eq!(
            found(false, &[1e12, 2.0 + 1e-4]),
            None,
            "a sum of both may cancel"
        );
    }

    #[test]
    fn a_gradient_by_an_input_that_is_0_is_compared_as_any_other() {
        let inputs = [("x".to_string(), real(&[0.0]))].into_iter().collect();
        let case = Case {
            inputs,
            ..Case::default()
        };
        let reference = Answer {
            gradients: vec![Gradient::smooth("loss", "x", real(&[0.5]))],
            ..Answer::default()
        };
        let found = |slope: f64| {
            let gradient = (("loss".to_string(), "x".to_string()), Some(real(&[slope])));
            let response = Response {
                gradients: Some([gradient].into()),
                ..Response::default()
            };
            judge(&case, &reference, &response, &Spread::default()).wrong
        };
        assert!(found(0.5).is_none() && found(0.6).is_some());
    }

    #[test]
    fn a_gradient_on_a_kink_may_be_any_slope_beside_it_and_no_other() {
        let slopes = BTreeMap::from([(0, Some([-1.0, 0.5]))]);
        for (found, is_fine) in [
            (0.5, true),
            (-1.0, true),
            (0.0, true),
            (0.51, false),
            (-1.01, false),
            (f64::NAN, false),
        ] {
            let judged = beside(&[1.0, 2.0], Some(&[found, 0.0]), &slopes);
            assert_eq!(
                (judged.kinks, judged.wrong.is_none()),
                (1, is_fine),
                "{found}"
            );
        }
    }

    #[test]
    fn a_gradient_on_a_kink_without_finite_slopes_is_counted_apart_and_its_neighbour_is_still_compared()
     {
        let slopes = BTreeMap::from([(0, None)]);
        let judged = beside(&[1.0, 2.0], Some(&[9.0, 0.0]), &slopes);
        assert_eq!((judged.kinks, judged.wrong), (1, None));
        assert!(
            beside(&[1.0, 2.0], Some(&[9.0, 0.1]), &slopes)
                .wrong
                .is_some()
        );
    }
}

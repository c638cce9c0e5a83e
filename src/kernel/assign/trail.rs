//! trail: by which decisions did a ground truth get its anchors, and by what distance did each fall?
//!
//! Convention: a margin is the f64 distance between the two numbers that were compared. A difference to another implementation
//! whose margin is below rounding is a tie flip, any other a difference of rules. Effects that pass through a third anchor or
//! object (it leaves a box and so makes room) are not followed.

use super::{Assignment, Rivals};
use std::ops::Range;

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The row is an object at all.
    Valid,
    /// The anchor is among the first k.
    TopK,
    /// The anchor's point lies inside the box.
    Inside,
    /// ATSS: the overlap reaches mean + standard deviation.
    Threshold,
    /// The alignment metric is above 0.
    Positive,
    /// This object has the largest overlap of those that compete.
    Largest,
}

/// By how much a decision fell as it did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Margin {
    pub decision: Decision,
    /// Distance of the two compared numbers; 0 is an exact tie, infinity means that nothing numeric was decided.
    pub gap: f64,
    /// Magnitude of the compared numbers, to which rounding is relative: 1 for overlaps.
    pub scale: f64,
}

/// One top-k: the anchors it chose from and the two values at its boundary.
#[derive(Clone, Debug, PartialEq)]
pub struct Cut {
    pub anchors: Range<usize>,
    /// Rank value of the last anchor chosen.
    pub last_in: f64,
    /// Rank value of the first anchor left out; None if none was.
    pub first_out: Option<f64>,
}

/// Which end of the ranks a top-k takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Best {
    Largest,
    Smallest,
}

/// How one row of ground truth came by its anchors; `[A]` vectors are indexed by anchor.
#[derive(Clone, Debug, PartialEq)]
pub struct Trail {
    pub valid: bool,
    /// `[A]` overlap as the dialect sees it; 0 where it is not computed.
    pub overlap: Vec<f64>,
    /// `[A]` TaskAligned: alignment metric. ATSS: distance of the centres in pixels.
    pub metric: Vec<f64>,
    /// `[A]` what the top-k was taken of.
    pub rank: Vec<f64>,
    /// `[A]` smallest distance of the point to a side of the (enlarged) box.
    pub depth: Vec<f64>,
    /// A depth above this is inside.
    pub depth_limit: f64,
    /// Largest coordinate of the box, the scale of its depths.
    pub extent: f64,
    /// Anchors after top-k, best first, level after level.
    pub candidates: Vec<usize>,
    pub cuts: Vec<Cut>,
    /// ATSS: the limit of the overlap, and whether reaching it is enough.
    pub threshold: Option<(f64, bool)>,
    /// Whether a metric of 0 excludes.
    pub positive: bool,
    /// `[A]` whether the anchor is a candidate.
    chosen: Vec<bool>,
}

impl Trail {
    /// A trail before its top-k.
    pub(super) fn new(
        valid: bool,
        overlap: Vec<f64>,
        metric: Vec<f64>,
        depth: Vec<f64>,
        b: [f64; 4],
    ) -> Self {
        let extent = b.into_iter().map(f64::abs).fold(0.0, f64::max);
        let (rank, chosen) = (metric.clone(), vec![false; metric.len()]);
        let (candidates, cuts) = (Vec::new(), Vec::new());
        Self {
            valid,
            overlap,
            metric,
            rank,
            depth,
            depth_limit: 0.0,
            extent,
            candidates,
            cuts,
            threshold: None,
            positive: false,
            chosen,
        }
    }

    /// Takes the `k` anchors of `range` whose rank is `best`, lower indices first among equals (and -0 equals 0).
    pub(super) fn choose(&mut self, range: Range<usize>, k: usize, best: Best) {
        let mut order: Vec<usize> = range.clone().collect();
        let sign = if best == Best::Largest { -1.0 } else { 1.0 };
        let rank = |a: usize| sign * self.rank[a] + 0.0;
        order.sort_by(|&a, &b| rank(a).total_cmp(&rank(b)).then(a.cmp(&b)));
        let k = k.min(order.len());
        let at = |i: usize| order.get(i).map(|&a| self.rank[a]);
        if let Some(last_in) = k.checked_sub(1).and_then(at) {
            self.cuts.push(Cut {
                anchors: range,
                last_in,
                first_out: at(k),
            });
        }
        order[..k].iter().for_each(|&a| self.chosen[a] = true);
        self.candidates.extend(&order[..k]);
    }

    /// Whether the point of anchor `a` lies inside the box.
    pub fn inside(&self, a: usize) -> bool {
        self.depth[a] > self.depth_limit
    }

    /// Whether this row claims anchor `a`, before several claims are settled.
    pub fn claims(&self, a: usize) -> bool {
        self.valid
            && self.chosen[a]
            && self.inside(a)
            && self.passes(a)
            && (!self.positive || self.metric[a] > 0.0)
    }

    fn passes(&self, a: usize) -> bool {
        self.threshold.is_none_or(|(limit, reaching)| {
            self.overlap[a] > limit || (reaching && self.overlap[a] == limit)
        })
    }

    /// Every decision about anchor `a` with its outcome and margin.
    pub fn decisions(&self, a: usize) -> Vec<(bool, Margin)> {
        let margin = |decision, gap: f64, scale: f64| Margin {
            decision,
            gap: if gap.is_nan() {
                f64::INFINITY
            } else {
                gap.abs()
            },
            scale,
        };
        let mut out = vec![
            (self.valid, margin(Decision::Valid, f64::INFINITY, 1.0)),
            (self.chosen[a], self.boundary(a)),
        ];
        out.push((
            self.inside(a),
            margin(
                Decision::Inside,
                self.depth[a] - self.depth_limit,
                self.extent,
            ),
        ));
        if let Some((limit, _)) = self.threshold {
            out.push((
                self.passes(a),
                margin(Decision::Threshold, self.overlap[a] - limit, 1.0),
            ));
        }
        if self.positive {
            out.push((
                self.metric[a] > 0.0,
                margin(Decision::Positive, self.metric[a], self.metric[a]),
            ));
        }
        out
    }

    /// Every decision about anchor `a`; a tie of zeros in its top-k is none where another implementation has the same zeros.
    fn decided(&self, a: usize, same_zeros: bool) -> Vec<(bool, Margin)> {
        let mut all = self.decisions(a);
        let settled =
            |m: &Margin| m.decision == Decision::TopK && m.gap == 0.0 && self.rank[a] == 0.0;
        all.iter_mut()
            .filter(|(_, m)| same_zeros && settled(m))
            .for_each(|(_, m)| m.gap = f64::INFINITY);
        all
    }

    /// How far anchor `a` is from the other side of its top-k.
    fn boundary(&self, a: usize) -> Margin {
        let cut = self.cuts.iter().find(|c| c.anchors.contains(&a));
        let other = cut.and_then(|c| {
            if self.chosen[a] {
                c.first_out
            } else {
                Some(c.last_in)
            }
        });
        let (gap, scale) = other.map_or((f64::INFINITY, 1.0), |o| {
            ((self.rank[a] - o).abs(), self.rank[a].abs().max(o.abs()))
        });
        Margin {
            decision: Decision::TopK,
            gap,
            scale,
        }
    }

    /// The margin by which the claim on `a` would change: the easiest decision to lose, or the hardest of those to gain.
    pub fn margin(&self, a: usize) -> Margin {
        self.margin_beside(a, false)
    }

    fn margin_beside(&self, a: usize, same_zeros: bool) -> Margin {
        let decisions = self.decided(a, same_zeros);
        let failed = decisions
            .iter()
            .filter(|(held, _)| !held)
            .map(|(_, m)| *m)
            .reduce(Margin::harder);
        let never = Margin {
            decision: Decision::Valid,
            gap: f64::INFINITY,
            scale: 1.0,
        };
        failed
            .or_else(|| decisions.iter().map(|(_, m)| *m).reduce(Margin::easier))
            .unwrap_or(never)
    }
}

impl Margin {
    /// Nothing has to change.
    const NONE: Self = Self {
        decision: Decision::Largest,
        gap: 0.0,
        scale: 1.0,
    };

    /// The gap in units of the compared numbers; 0 for a tie of zeros.
    pub fn relative(&self) -> f64 {
        if self.gap == 0.0 {
            0.0
        } else {
            self.gap / self.scale
        }
    }

    fn easier(self, other: Self) -> Self {
        if other.relative() < self.relative() {
            other
        } else {
            self
        }
    }

    fn harder(self, other: Self) -> Self {
        if other.relative() > self.relative() {
            other
        } else {
            self
        }
    }
}

/// What another implementation has alike of one anchor: there the rule decides among equals (the lowest index), and nothing is left open.
pub struct Alike<'a> {
    /// Whether the metric of a row is 0 at the same anchors.
    pub zeros: &'a dyn Fn(usize) -> bool,
    /// Whether the overlaps of two rows are equal there too.
    pub overlaps: &'a dyn Fn(usize, usize) -> bool,
}

impl Alike<'_> {
    /// Nothing is known of it.
    pub const NOTHING: Alike<'static> = Alike {
        zeros: &|_| false,
        overlaps: &|_, _| false,
    };
}

impl Assignment {
    /// What would have to change for anchor `a` to be `theirs`, at least; None where it already is.
    pub fn distance(&self, a: usize, theirs: Option<usize>) -> Option<Margin> {
        self.distance_beside(a, theirs, &Alike::NOTHING)
    }

    /// The same beside another implementation: what is equal in both is no tie.
    pub fn distance_beside(
        &self,
        a: usize,
        theirs: Option<usize>,
        alike: &Alike,
    ) -> Option<Margin> {
        let lose = |g: usize| self.trails[g].margin_beside(a, (alike.zeros)(g));
        let claiming = || (0..self.trails.len()).filter(|&g| self.trails[g].claims(a));
        let direct = match (self.owner[a], theirs) {
            (ours, theirs) if ours == theirs => None,
            (_, None) => claiming().map(lose).reduce(Margin::harder),
            (None, Some(h)) => Some(lose(h)),
            (Some(g), Some(h)) => {
                let larger = self.larger(a, g, h, alike);
                let settled = if self.trails[g].claims(a) {
                    lose(g).easier(larger)
                } else {
                    larger
                };
                let eligible = self.trails[h].claims(a)
                    || (self.rivals == Rivals::All && claiming().count() > 1);
                Some(if eligible {
                    settled
                } else {
                    lose(h).harder(settled)
                })
            }
        };
        let others = theirs.into_iter().flat_map(|h| {
            self.contested(a, h, alike)
                .into_iter()
                .chain([self.alone(a, h, alike)])
        });
        direct.map(|d| others.fold(d, Margin::easier))
    }

    /// What would have to change for `h` alone to claim anchor `a`: every other claim is lost.
    fn alone(&self, a: usize, h: usize, alike: &Alike) -> Margin {
        let changes = self
            .trails
            .iter()
            .enumerate()
            .filter(|(g, t)| t.claims(a) != (*g == h));
        changes
            .map(|(g, t)| t.margin_beside(a, (alike.zeros)(g)))
            .fold(Margin::NONE, Margin::harder)
    }

    /// What would have to change for `h` to get anchor `a` without claiming it: two rows claim it and the overlap of `h` is largest.
    fn contested(&self, a: usize, h: usize, alike: &Alike) -> Option<Margin> {
        let gain = |(g, t): (usize, &Trail)| {
            if t.claims(a) {
                Margin::NONE
            } else {
                t.margin_beside(a, (alike.zeros)(g))
            }
        };
        let mut gains: Vec<Margin> = self.trails.iter().enumerate().map(gain).collect();
        gains.sort_by(|p, q| p.relative().total_cmp(&q.relative()));
        let second = *gains.get(1).filter(|_| self.rivals == Rivals::All)?;
        Some(
            (0..self.trails.len())
                .map(|g| self.larger(a, g, h, alike))
                .fold(second, Margin::harder),
        )
    }

    /// By how much the overlap of `g` with anchor `a` exceeds that of `h`; among equals the lower row stands first.
    fn larger(&self, a: usize, g: usize, h: usize, alike: &Alike) -> Margin {
        let gap = (self.trails[g].overlap[a] - self.trails[h].overlap[a]).max(0.0);
        let settled = g < h
            && self.trails[g].overlap[a] == self.trails[h].overlap[a]
            && (alike.overlaps)(g, h);
        Margin {
            decision: Decision::Largest,
            gap: if settled { f64::INFINITY } else { gap },
            scale: 1.0,
        }
    }

    /// The smallest relative margin of one kind of decision, over the candidates of all objects that lie inside (for `Inside`: over all
    /// candidates) and, for `Largest`, over the contested anchors; None if it was never taken.
    pub fn closest(&self, decision: Decision) -> Option<Margin> {
        let contested = |a: usize| self.trails.iter().filter(|t| t.claims(a)).count() > 1;
        let largest = (0..self.owner.len())
            .filter(|&a| decision == Decision::Largest && contested(a))
            .filter_map(|a| self.runner_up(a));
        // A candidate outside only fills a place: its ties decide nothing.
        let matters = |t: &Trail, a: usize| decision == Decision::Inside || t.inside(a);
        let seen = self.trails.iter().filter(|t| t.valid).flat_map(|t| {
            t.candidates
                .iter()
                .filter(move |&&a| matters(t, a))
                .flat_map(|&a| t.decisions(a))
                .filter(|(_, m)| m.decision == decision)
        });
        let all = seen.map(|(_, m)| m).chain(largest);
        all.min_by(|p, q| p.relative().total_cmp(&q.relative()))
    }

    /// The margin of the owner of a contested anchor over the next.
    fn runner_up(&self, a: usize) -> Option<Margin> {
        let g = self.owner[a]?;
        let rows = (0..self.trails.len())
            .filter(|&h| h != g && (self.rivals == Rivals::All || self.trails[h].claims(a)));
        rows.map(|h| self.larger(a, g, h, &Alike::NOTHING))
            .min_by(|p, q| p.gap.total_cmp(&q.gap))
    }
}

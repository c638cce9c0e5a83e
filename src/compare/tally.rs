//! tally: what the fused pass has found so far, block by block, and the metrics that follow from it.

use super::block::{self, BLOCK, Block, Sums};
use super::channels::ChannelTally;
use super::histogram::Histogram;
use super::metrics::{Extreme, Metrics, Specials};
use super::number::Number;
use super::special::{Cell, Class, cell, class};

/// An element that stands out, while the pass goes on.
#[derive(Clone, Copy, Default)]
struct Peak {
    value: f64,
    index: usize,
}

/// A block with zeros in the place of every pair that the table has decided.
struct Decided<T> {
    reference: Block<T>,
    candidate: Block<T>,
    pairs: usize,
    /// How many of these pairs differ in their bits.
    changed: u64,
}

pub struct Tally {
    finite: u64,
    mismatches: u64,
    specials: Specials,
    max_abs: Peak,
    max_rel: Peak,
    sums: Sums,
    ulps: Histogram,
    channels: Option<ChannelTally>,
}

impl Tally {
    pub fn new(channels: Option<ChannelTally>) -> Self {
        Self {
            finite: 0,
            mismatches: 0,
            specials: Specials::default(),
            max_abs: Peak::default(),
            max_rel: Peak::default(),
            sums: Sums::default(),
            ulps: Histogram::new(),
            channels,
        }
    }

    /// Adds the block that starts at flat index `at`; what follows its first `len` pairs is zero on both sides.
    #[inline(always)]
    pub fn add<T: Number>(
        &mut self,
        at: usize,
        reference: &Block<T>,
        candidate: &Block<T>,
        len: usize,
    ) {
        let glance = block::glance(reference, candidate);
        let (mut r, mut c) = (reference, candidate);
        let (decided, mut finite, mut changed);
        (finite, changed) = (len, u64::from(glance.changed));
        if glance.special {
            decided = self.decide(at, reference, candidate);
            (r, c) = (&decided.reference, &decided.candidate);
            finite -= decided.pairs;
            changed -= decided.changed;
        }
        self.finite += finite as u64;
        if changed > 0 {
            // Finite pairs without distance whose bits differ are zeros of two signs.
            let unequal = self.ulps.add(r, c, BLOCK - finite);
            self.mismatches += unequal;
            self.specials.signed_zero += changed - unequal;
            self.add_changed(at, r, c, len);
        } else {
            self.add_equal(r, c, finite);
        }
    }

    /// Decides by the table every pair with a NaN or an infinity.
    #[inline(never)]
    fn decide<T: Number>(
        &mut self,
        at: usize,
        reference: &Block<T>,
        candidate: &Block<T>,
    ) -> Decided<T> {
        let mut rest = Decided {
            reference: *reference,
            candidate: *candidate,
            pairs: 0,
            changed: 0,
        };
        for i in (0..BLOCK).filter(|i| reference[*i].is_special() | candidate[*i].is_special()) {
            self.specials.meet(at + i, reference[i], candidate[i]);
            (rest.reference[i], rest.candidate[i]) = (T::zeroed(), T::zeroed());
            rest.pairs += 1;
            rest.changed += u64::from(!reference[i].same_bits(candidate[i]));
        }
        rest
    }

    /// Pairs with the same bits on both sides.
    #[inline(always)]
    fn add_equal<T: Number>(&mut self, r: &Block<T>, c: &Block<T>, finite: usize) {
        let square = block::energy(r, c);
        self.sums.add(Sums {
            dot: square,
            reference: square,
            candidate: square,
            ..Sums::default()
        });
        self.ulps.add_equal(finite);
    }

    #[inline(always)]
    fn add_changed<T: Number>(&mut self, at: usize, r: &Block<T>, c: &Block<T>, len: usize) {
        let measured = block::measure(r, c, block::limit_of(self.max_rel.value));
        self.sums.add(measured.sums);
        if measured.max_abs > self.max_abs.value {
            self.max_abs = peak(at, measured.max_abs, r, c, |r, c| c.minus(r).abs());
        }
        if measured.over {
            let max = block::max_relative(r, c);
            if max > self.max_rel.value {
                self.max_rel = peak(at, max, r, c, block::relative);
            }
        }
        if let Some(channels) = &mut self.channels {
            channels.add(
                at,
                &r[..len],
                &c[..len],
                (measured.max_abs, measured.sums.square),
            );
        }
    }

    pub fn finish<T: Number>(self, reference: &[T], candidate: &[T]) -> Metrics {
        let n = self.finite.max(1) as f64;
        let Sums {
            abs,
            signed,
            square,
            dot,
            reference: rr,
            candidate: cc,
        } = self.sums;
        let extreme = |peak: Peak| match peak.value {
            0.0 => Extreme::default(),
            value => Extreme::of(
                value,
                peak.index,
                reference[peak.index],
                candidate[peak.index],
            ),
        };
        Metrics {
            exchanged: None,
            convention: None,
            numel: reference.len() as u64,
            finite: self.finite,
            mismatches: self.mismatches + self.specials.conflicts,
            max_abs: extreme(self.max_abs),
            max_rel: extreme(self.max_rel),
            mean_abs: abs / n,
            mean: signed / n,
            rmse: (square / n).sqrt(),
            rel_l2: if square == 0.0 {
                0.0
            } else {
                (square / rr).sqrt()
            },
            cosine: cosine(dot, rr, cc),
            ulp_max: self.ulps.largest(),
            ulp_p99: self.ulps.percentile(99),
            specials: self.specials,
            channels: self.channels.map(ChannelTally::finish),
        }
    }
}

impl Specials {
    /// Counts a pair of which at least one side is NaN or infinite.
    fn meet<T: Number>(&mut self, index: usize, reference: T, candidate: T) {
        let (r, c) = (class(reference), class(candidate));
        let infinite = |class| matches!(class, Class::PosInf | Class::NegInf);
        self.nan_reference += (r == Class::NaN) as u64;
        self.nan_candidate += (c == Class::NaN) as u64;
        self.inf_reference += infinite(r) as u64;
        self.inf_candidate += infinite(c) as u64;
        match cell(r, c) {
            Cell::Same => {}
            Cell::Conflict => {
                self.conflicts += 1;
                self.first_conflict
                    .get_or_insert_with(|| Extreme::of(f64::NAN, index, reference, candidate));
            }
            Cell::SignedZero | Cell::Arithmetic => {
                unreachable!("{r:?} against {c:?} has no NaN and no infinity")
            }
        }
    }
}

impl Extreme {
    pub(super) fn of<T: Number>(value: f64, index: usize, reference: T, candidate: T) -> Self {
        let exact = match (reference.digits(), candidate.digits()) {
            (None, None) => None,
            (r, c) => Some((
                r.unwrap_or_else(|| reference.wide().to_string()),
                c.unwrap_or_else(|| candidate.wide().to_string()),
            )),
        };
        Self {
            value,
            index,
            reference: reference.wide(),
            candidate: candidate.wide(),
            exact,
        }
    }
}

/// The first pair of a block for which `of` is `value`.
#[inline(never)]
fn peak<T: Number>(
    at: usize,
    value: f64,
    r: &Block<T>,
    c: &Block<T>,
    of: impl Fn(T, T) -> f64,
) -> Peak {
    let within = r
        .iter()
        .zip(c)
        .position(|(r, c)| of(*r, *c) == value)
        .expect("the block holds its own maximum");
    Peak {
        value,
        index: at + within,
    }
}

fn cosine(dot: f64, rr: f64, cc: f64) -> f64 {
    // Equal norms need no square roots, so that equal sides give exactly 1.
    let norms = if rr == cc { rr } else { rr.sqrt() * cc.sqrt() };
    match (rr == 0.0, cc == 0.0) {
        (true, true) => 1.0,
        (true, false) | (false, true) => 0.0,
        (false, false) => (dot / norms).clamp(-1.0, 1.0),
    }
}

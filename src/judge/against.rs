//! against: the one table that turns a difference and a tolerance into a judgement.
//!
//! Rows are what two sides differ by, columns what they are held against; network, deployed session, golden, recorded pair, gradient,
//! loss value, assignment and the oracle of `parity fuzz` ask here, so that each cell is decided once.

use crate::compare::{Channels, Comparison, Metrics};
use crate::floor::noise::{Floor, R};
use crate::verdict::{Judgement, Why};

/// How two sides differ, as far as the table asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// Equal in value: either zero, equal NaN and equal infinities included.
    Equal,
    /// Finite where they differ.
    Finite,
    /// NaN or an infinity on one side, or other ones on both.
    NotFinite,
    /// Another shape or dtype.
    Attributes,
}

/// What a difference is held against.
#[derive(Clone, Copy, Debug)]
pub enum Limit<'a> {
    /// R spreads of noise runs; a channel may be open.
    Spread(&'a Floor),
    /// Nothing was measured, and why.
    Unknown(&'a str),
    /// Equal values, unless so many decisions flipped at ties that were proved.
    Exact { proved: Option<u64> },
    /// So much in absolute terms, the whole of what is allowed; infinite where nothing bounds it.
    Bound(f64),
    /// Equal decisions, unless the number that decides is no further from its border than what moves it; `bound` is infinite where nothing
    /// bounds that.
    Margin { gap: f64, bound: f64 },
}

/// A difference that can be judged.
pub trait Differs {
    fn row(&self) -> Row;

    /// Error / spread over the channels that have an end; None where one that has none decides. Asked only for [`Row::Finite`].
    fn ratio(&self, floor: &Floor) -> Option<f64>;

    /// The largest |difference|. Asked only for [`Row::Finite`].
    fn size(&self) -> f64;
}

/// Two numbers.
#[derive(Clone, Copy, Debug)]
pub struct Pair(pub f64, pub f64);

/// A decision that the sides take differently.
#[derive(Clone, Copy, Debug)]
pub struct Flipped;

/// The judgement.
pub fn against(difference: &impl Differs, limit: Limit) -> Judgement {
    let nothing = Judgement::Over(f64::INFINITY);
    match (difference.row(), limit) {
        (Row::Equal, _) => Judgement::Within(0.0),
        (Row::Attributes, _) => nothing,
        (Row::NotFinite, Limit::Spread(_) | Limit::Unknown(_) | Limit::Bound(_)) => nothing,
        (Row::Finite, Limit::Spread(floor)) => match difference.ratio(floor) {
            Some(ratio) => Judgement::of_ratio(ratio / R),
            None => Judgement::NotJudged(Why::OpenFloor),
        },
        (Row::Finite, Limit::Unknown(why)) => Judgement::NotJudged(Why::NoFloor(why.to_string())),
        (Row::Finite, Limit::Bound(bound)) if !bound.is_finite() => {
            Judgement::NotJudged(Why::OpenFloor)
        }
        (Row::Finite, Limit::Bound(bound)) => Judgement::of_ratio(if bound > 0.0 {
            difference.size() / bound
        } else {
            f64::INFINITY
        }),
        (
            Row::Finite | Row::NotFinite,
            Limit::Exact {
                proved: Some(flips),
            },
        ) => Judgement::Tie(flips),
        (Row::Finite | Row::NotFinite, Limit::Exact { proved: None }) => nothing,
        (Row::Finite | Row::NotFinite, Limit::Margin { gap, bound }) => match gap <= bound {
            true if gap == 0.0 || bound.is_finite() => Judgement::Tie(1),
            true if gap.is_finite() => Judgement::NotJudged(Why::OpenFloor),
            // A border that nobody can tell is no tie, whatever moves the number; nor is NaN.
            true | false => nothing,
        },
    }
}

impl Differs for Metrics {
    fn row(&self) -> Row {
        match (self.specials.conflicts, self.mismatches) {
            (0, 0) => Row::Equal,
            (0, _) => Row::Finite,
            _ => Row::NotFinite,
        }
    }

    fn ratio(&self, floor: &Floor) -> Option<f64> {
        floor.ratio(&self.pools())
    }

    fn size(&self) -> f64 {
        self.max_abs.value
    }
}

impl Differs for Comparison {
    fn row(&self) -> Row {
        self.metrics().map_or(Row::Attributes, Differs::row)
    }

    fn ratio(&self, floor: &Floor) -> Option<f64> {
        self.metrics()?.ratio(floor)
    }

    fn size(&self) -> f64 {
        self.metrics().map_or(f64::INFINITY, Differs::size)
    }
}

impl Differs for Pair {
    fn row(&self) -> Row {
        match self {
            Pair(a, b) if a == b || a.is_nan() && b.is_nan() => Row::Equal,
            Pair(a, b) if a.is_finite() && b.is_finite() => Row::Finite,
            Pair(..) => Row::NotFinite,
        }
    }

    fn ratio(&self, floor: &Floor) -> Option<f64> {
        let off = self.size();
        floor.ratio(&Channels {
            axis: 0,
            max: vec![off],
            sum_sq: vec![off * off],
            count: 1,
        })
    }

    fn size(&self) -> f64 {
        (self.0 - self.1).abs()
    }
}

impl Differs for Flipped {
    fn row(&self) -> Row {
        Row::Finite
    }

    fn ratio(&self, _: &Floor) -> Option<f64> {
        None
    }

    fn size(&self) -> f64 {
        f64::INFINITY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Channels, compare};
    use crate::tensor::Tensor;

    const INF: f64 = f64::INFINITY;

    fn floor(spread: [f64; 2]) -> Floor {
        let mut floor = Floor {
            axis: Some(0),
            ..Default::default()
        };
        floor.add(&Channels {
            axis: 0,
            max: spread.to_vec(),
            sum_sq: spread.map(|s| 32.0 * s * s).to_vec(),
            count: 32,
        });
        floor
    }

    /// Two channels of 32 elements that differ by so much from ones.
    fn differs(by: [f32; 2]) -> Comparison {
        let of = |by: [f32; 2]| {
            Tensor::of(
                &[2, 32],
                &by.iter().flat_map(|b| [1.0 + b; 32]).collect::<Vec<f32>>(),
            )
        };
        compare(of([0.0; 2]).view(), of(by).view(), Some(0))
    }

    fn not_judged(why: Why) -> Judgement {
        Judgement::NotJudged(why)
    }

    #[test]
    fn every_cell_of_the_table_is_as_decided() {
        let equal = differs([0.0; 2]);
        let finite = differs([0.0, 0.5]);
        let special = differs([0.0, f32::NAN]);
        let infinite = differs([f32::INFINITY, 0.0]);
        let attributes = compare(
            Tensor::of(&[1], &[1f32]).view(),
            Tensor::of(&[1], &[1f64]).view(),
            None,
        );
        let (wide, narrow, open) = (floor([1.0; 2]), floor([1e-3; 2]), floor([INF; 2]));
        let unknown = Limit::Unknown("nothing was recorded");
        let no_floor = || not_judged(Why::NoFloor("nothing was recorded".into()));
        let exact = |proved| Limit::Exact { proved };
        let rows = [
            (
                &equal,
                "equal",
                Limit::Spread(&wide),
                Judgement::Within(0.0),
            ),
            (&equal, "equal", unknown, Judgement::Within(0.0)),
            (
                &equal,
                "equal",
                Limit::Spread(&open),
                Judgement::Within(0.0),
            ),
            (&equal, "equal", exact(None), Judgement::Within(0.0)),
            (&equal, "equal", exact(Some(1)), Judgement::Within(0.0)),
            (
                &finite,
                "finite",
                Limit::Spread(&wide),
                Judgement::Within(0.125),
            ),
            (
                &finite,
                "finite",
                Limit::Spread(&narrow),
                Judgement::Over(125.0),
            ),
            (&finite, "finite", unknown, no_floor()),
            (
                &finite,
                "finite",
                Limit::Spread(&open),
                not_judged(Why::OpenFloor),
            ),
            (&finite, "finite", exact(None), Judgement::Over(INF)),
            (&finite, "finite", exact(Some(3)), Judgement::Tie(3)),
            (&special, "NaN", Limit::Spread(&wide), Judgement::Over(INF)),
            (&special, "NaN", unknown, Judgement::Over(INF)),
            (&special, "NaN", Limit::Spread(&open), Judgement::Over(INF)),
            (&special, "NaN", exact(None), Judgement::Over(INF)),
            (
                &infinite,
                "infinite",
                Limit::Spread(&wide),
                Judgement::Over(INF),
            ),
            (&infinite, "infinite", unknown, Judgement::Over(INF)),
            (
                &infinite,
                "infinite",
                Limit::Spread(&open),
                Judgement::Over(INF),
            ),
            (&infinite, "infinite", exact(None), Judgement::Over(INF)),
            (&infinite, "infinite", exact(Some(3)), Judgement::Tie(3)),
            (
                &attributes,
                "attributes",
                Limit::Spread(&wide),
                Judgement::Over(INF),
            ),
            (&attributes, "attributes", unknown, Judgement::Over(INF)),
            (
                &attributes,
                "attributes",
                Limit::Spread(&open),
                Judgement::Over(INF),
            ),
            (&attributes, "attributes", exact(None), Judgement::Over(INF)),
            (
                &attributes,
                "attributes",
                exact(Some(1)),
                Judgement::Over(INF),
            ),
            (
                &finite,
                "finite",
                Limit::Bound(2.0),
                Judgement::Within(0.25),
            ),
            (&finite, "finite", Limit::Bound(0.125), Judgement::Over(4.0)),
            (&finite, "finite", Limit::Bound(-0.0), Judgement::Over(INF)),
            (&finite, "finite", Limit::Bound(-1.0), Judgement::Over(INF)),
            (
                &finite,
                "finite",
                Limit::Bound(INF),
                not_judged(Why::OpenFloor),
            ),
            (&special, "NaN", Limit::Bound(INF), Judgement::Over(INF)),
            (
                &attributes,
                "attributes",
                Limit::Bound(INF),
                Judgement::Over(INF),
            ),
        ];
        for (difference, name, limit, want) in rows {
            let got = against(difference, limit);
            let near = match (&got, &want) {
                (Judgement::Within(a), Judgement::Within(b))
                | (Judgement::Over(a), Judgement::Over(b)) => {
                    a == b || (a - b).abs() <= 1e-6 * b.abs()
                }
                (a, b) => a == b,
            };
            assert!(near, "{name} against {limit:?}: {got:?}, expected {want:?}");
        }
    }

    #[test]
    fn two_numbers_are_held_against_a_bound_and_a_flip_against_its_margin() {
        let (nan, open) = (f64::NAN, || not_judged(Why::OpenFloor));
        let bounded = [
            (Pair(1.0, 1.5), 1.0, Judgement::Within(0.5)),
            (Pair(1.0, 1.5), 0.5, Judgement::Within(1.0)),
            (Pair(1.0, 1.5), 0.25, Judgement::Over(2.0)),
            (Pair(1.0, 1.5), 0.0, Judgement::Over(INF)),
            (Pair(1.0, 1.5), INF, open()),
            (Pair(1.0, 1.5), nan, open()),
            (Pair(0.0, -0.0), 0.0, Judgement::Within(0.0)),
            (Pair(nan, nan), 0.0, Judgement::Within(0.0)),
            (Pair(INF, INF), 0.0, Judgement::Within(0.0)),
            (Pair(INF, -INF), INF, Judgement::Over(INF)),
            (Pair(1.0, nan), INF, Judgement::Over(INF)),
            (Pair(INF, 1.0), 9.0, Judgement::Over(INF)),
        ];
        for (pair, bound, want) in bounded {
            assert_eq!(
                against(&pair, Limit::Bound(bound)),
                want,
                "{pair:?} against {bound}"
            );
        }
        let flips = [
            (0.0, 0.0, Judgement::Tie(1)),
            (0.0, INF, Judgement::Tie(1)),
            (0.5, 0.5, Judgement::Tie(1)),
            (0.5, 0.25, Judgement::Over(INF)),
            (0.5, 0.0, Judgement::Over(INF)),
            (0.5, INF, open()),
            (INF, INF, Judgement::Over(INF)),
            (INF, 1.0, Judgement::Over(INF)),
            (0.5, nan, Judgement::Over(INF)),
            (nan, INF, Judgement::Over(INF)),
        ];
        for (gap, bound, want) in flips {
            assert_eq!(
                against(&Flipped, Limit::Margin { gap, bound }),
                want,
                "{gap} within {bound}"
            );
        }
        let floor = Floor {
            axis: None,
            max: vec![0.5],
            rms: vec![0.25],
            runs: 16,
        };
        assert_eq!(
            against(&Flipped, Limit::Spread(&floor)),
            not_judged(Why::OpenFloor),
            "a flip has no size"
        );
        assert_eq!(against(&Flipped, Limit::Bound(1.0)), Judgement::Over(INF));
        assert_eq!(
            against(&Pair(1.0, 1.5), Limit::Spread(&floor)),
            Judgement::Within(0.5)
        );
    }

    #[test]
    fn an_open_channel_hides_no_other_and_no_channel_passes_for_it() {
        let open = floor([INF, 1e-3]);
        assert!(
            against(&differs([0.0, 0.5]), Limit::Spread(&open)).over(),
            "the channel that has an end is over it"
        );
        assert!(against(&differs([0.5, 0.5]), Limit::Spread(&open)).over());
        assert_eq!(
            against(&differs([0.5, 0.0]), Limit::Spread(&open)),
            not_judged(Why::OpenFloor)
        );
        assert!(!against(&differs([0.0, 1e-6]), Limit::Spread(&open)).over());
    }

    #[test]
    fn a_floor_of_other_channels_judges_nothing() {
        let single = Floor {
            axis: None,
            max: vec![1.0],
            rms: vec![1.0],
            runs: 4,
        };
        assert_eq!(
            against(&differs([0.5, 0.5]), Limit::Spread(&single)),
            not_judged(Why::OpenFloor)
        );
    }
}

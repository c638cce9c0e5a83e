//! tensor: one tensor, judged twice: with all that lies before it, and its node alone; and which side is off.

use super::{Judgement, Side, Why};
use crate::compare::{Comparison, json};
use crate::floor::bound::{Bounded, DetectionLimit};
use crate::tensor::DType;
use serde::{Deserialize, Serialize};

/// One tensor of the reference's graph, judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TensorResult<A = Accumulated> {
    pub name: String,
    /// The node that produces it.
    pub node: String,
    pub op: String,
    /// Index of the node in executable order.
    pub step: usize,
    pub dtype: Option<DType>,
    pub shape: Vec<usize>,
    /// Multiply-accumulates of the node that produces it; counted on its first output.
    pub macs: u64,
    /// Candidate against reference, each on its own upstream values.
    pub accumulated: A,
    /// The node alone, fed the reference's recorded values.
    pub isolated: Isolated,
    /// Set where a subject did not repeat its own bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeat_noise: Option<String>,
    /// Set where it was observed inside the body of a step: one slice for every turn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<Inside>,
}

impl TensorResult {
    /// The share of the reference's own size that the noise floor tolerates at least: relative L2 / (error / tolerance), since no channel is further
    /// off than that ratio says. None where no floor judged, or nothing differs.
    pub fn tolerated(&self) -> Option<f64> {
        let Accumulated::Compared {
            comparison,
            ratio,
            by: ToleranceBy::Noise { .. } | ToleranceBy::CandidateNoise { .. },
        } = &self.accumulated
        else {
            return None;
        };
        let share = comparison.metrics()?.rel_l2 / ratio;
        Some(share).filter(|share| share.is_finite())
    }
}

impl<A> TensorResult<A> {
    /// The same tensor with another word on its own values.
    pub fn with<B>(&self, accumulated: B) -> TensorResult<B> {
        TensorResult {
            accumulated,
            name: self.name.clone(),
            node: self.node.clone(),
            op: self.op.clone(),
            step: self.step,
            dtype: self.dtype,
            shape: self.shape.clone(),
            macs: self.macs,
            isolated: self.isolated.clone(),
            repeat_noise: self.repeat_noise.clone(),
            inside: self.inside.clone(),
        }
    }
}

/// Where a tensor lies that was observed inside a body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inside {
    /// The step that runs the body, and its operator.
    pub step: String,
    pub op: String,
    /// The first turn that is over where the step is run alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<usize>,
}

/// Outcome of the comparison of both subjects' own values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Accumulated {
    /// Compared with a tolerance.
    Compared {
        comparison: Comparison,
        /// Error / tolerance; over 1 diverges.
        #[serde(with = "json")]
        ratio: f64,
        by: ToleranceBy,
    },
    /// Decisions that differ, each the node's own on inputs that agree: both sides of a tie.
    TieFlip {
        flips: u64,
        of: u64,
        #[serde(with = "json")]
        margin: f64,
    },
    NotJudged {
        why: Why,
    },
}

/// What the accumulated error was held against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ToleranceBy {
    /// Within one node's own rounding: no noise run was needed.
    Rounding,
    /// The Monte Carlo spread times R.
    Noise { runs: u32 },
    /// The same, of a graph that only the candidate has: at most a thousandth of the channel's root mean square.
    CandidateNoise { runs: u32 },
    /// The positives of an assignment as pairs: what its background holds is a convention.
    Positives,
    /// Equal bits demanded.
    Exact,
    /// The user's own tolerance.
    Stated,
    /// R spreads of what f64 itself rounds in either graph, and of what constants that are stored otherwise may move.
    Function { runs: u32, constants: bool },
    /// Nothing: the metrics alone were asked for.
    Unjudged,
}

/// Outcome of the node alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Isolated {
    /// Held against γ·√K·u·S around the shadow.
    Bounded {
        family: crate::floor::Family,
        terms: usize,
        bounded: Bounded,
        side: Option<Side>,
    },
    /// Every bit is decided by the inputs.
    Exact {
        comparison: Comparison,
        side: Option<Side>,
    },
    /// Held against the user's own tolerance.
    Stated {
        comparison: Comparison,
        #[serde(with = "json")]
        ratio: f64,
    },
    /// A stretch of another graph between paired tensors, fed the reference's values, both in f64.
    Stretch {
        comparison: Comparison,
        #[serde(with = "json")]
        ratio: f64,
        /// The nodes of either side that lie in it.
        nodes: [Vec<String>; 2],
        /// Why it is off, where that was found out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        blame: Option<Blame>,
    },
    /// A decision of a node that rounds before it decides, or whose order is open: the border is nearer than that.
    TieFlip {
        flips: u64,
        of: u64,
        #[serde(with = "json")]
        margin: f64,
    },
    /// A decision that differs although the inputs do not tie.
    RuleDifference {
        comparison: Comparison,
        #[serde(with = "json")]
        margin: f64,
        side: Option<Side>,
    },
    NotJudged {
        why: Why,
    },
}

/// Why a stretch computes another function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Blame {
    /// With these of the other side it does not: [name in the side that ran it, name in the other].
    Weights(Vec<[String; 2]>),
    /// With the other side's weights it still does, or it holds the same.
    Computation,
}

impl Isolated {
    /// Whether the node itself is at fault.
    pub fn over(&self) -> bool {
        match self {
            Isolated::Bounded { bounded, .. } => bounded.failing > 0,
            Isolated::Exact { comparison, .. } => !comparison.identical(),
            Isolated::Stated { ratio, .. } | Isolated::Stretch { ratio, .. } => {
                *ratio > 1.0 || ratio.is_nan()
            }
            Isolated::RuleDifference { .. } => true,
            Isolated::TieFlip { .. } | Isolated::NotJudged { .. } => false,
        }
    }

    /// How far the node itself is off, in units of its bound, on the side that is further off.
    pub fn own_ratio(&self) -> Option<f64> {
        match self {
            Isolated::Bounded { bounded, .. } => {
                Some(bounded.reference.max(bounded.candidate)).filter(|r| r.is_finite())
            }
            Isolated::Exact { .. }
            | Isolated::Stated { .. }
            | Isolated::Stretch { .. }
            | Isolated::TieFlip { .. }
            | Isolated::RuleDifference { .. }
            | Isolated::NotJudged { .. } => None,
        }
    }

    pub fn compared(&self) -> bool {
        !matches!(self, Isolated::NotJudged { .. })
    }

    /// Whether something on the way was more than the dtype holds.
    pub fn overflows(&self) -> bool {
        matches!(self, Isolated::Bounded { bounded, .. } if bounded.overflowed > 0)
    }

    /// Whether it is at fault in NaN or an infinity that the other side, or f64, has otherwise.
    pub fn over_in_what_is_not_finite(&self) -> bool {
        match self {
            Isolated::Bounded { bounded, .. } => bounded.worst.ratio.is_infinite(),
            Isolated::Exact { comparison, .. } => comparison
                .metrics()
                .is_some_and(|m| m.specials.conflicts > 0),
            Isolated::Stretch { comparison, .. } => comparison
                .metrics()
                .is_some_and(|m| m.specials.conflicts > 0),
            Isolated::Stated { .. }
            | Isolated::TieFlip { .. }
            | Isolated::RuleDifference { .. }
            | Isolated::NotJudged { .. } => false,
        }
    }

    pub fn side(&self) -> Option<Side> {
        match self {
            Isolated::Bounded { side, .. }
            | Isolated::Exact { side, .. }
            | Isolated::RuleDifference { side, .. } => *side,
            Isolated::Stated { .. } | Isolated::Stretch { .. } => Some(Side::Unknown),
            Isolated::TieFlip { .. } | Isolated::NotJudged { .. } => None,
        }
    }

    /// The same, with another side at fault.
    pub fn on(mut self, other: Side) -> Self {
        match &mut self {
            Isolated::Bounded { side, .. }
            | Isolated::Exact { side, .. }
            | Isolated::RuleDifference { side, .. } => *side = Some(other),
            Isolated::Stated { .. }
            | Isolated::Stretch { .. }
            | Isolated::TieFlip { .. }
            | Isolated::NotJudged { .. } => {}
        }
        self
    }

    pub fn limit(&self) -> Option<DetectionLimit> {
        match self {
            Isolated::Bounded { bounded, .. } => bounded.limit,
            Isolated::Exact { .. }
            | Isolated::Stated { .. }
            | Isolated::Stretch { .. }
            | Isolated::TieFlip { .. }
            | Isolated::RuleDifference { .. }
            | Isolated::NotJudged { .. } => None,
        }
    }
}

impl Accumulated {
    /// What the judgement of `comparison`, held against `by`, comes to; `margin` is that of a decision.
    pub fn of(judgement: Judgement, comparison: Comparison, by: ToleranceBy, margin: f64) -> Self {
        match judgement {
            Judgement::Within(ratio) | Judgement::Over(ratio) => Accumulated::Compared {
                comparison,
                ratio,
                by,
            },
            Judgement::Tie(flips) => Accumulated::TieFlip {
                flips,
                of: comparison.metrics().map_or(0, |m| m.numel),
                margin,
            },
            Judgement::NotJudged(why) => Accumulated::NotJudged { why },
        }
    }

    pub fn over(&self) -> bool {
        match self {
            Accumulated::Compared { ratio, .. } => *ratio > 1.0 || ratio.is_nan(),
            Accumulated::TieFlip { .. } | Accumulated::NotJudged { .. } => false,
        }
    }

    pub fn compared(&self) -> bool {
        !matches!(
            self,
            Accumulated::NotJudged { .. }
                | Accumulated::Compared {
                    by: ToleranceBy::Unjudged,
                    ..
                }
        )
    }

    /// Error / tolerance, where there is one.
    pub fn ratio(&self) -> Option<f64> {
        match self {
            Accumulated::Compared { ratio, .. } => Some(*ratio),
            Accumulated::TieFlip { .. } | Accumulated::NotJudged { .. } => None,
        }
    }
}

impl TensorResult {
    /// The candidate's shape, where it is not the reference's.
    pub fn candidate_shape(&self) -> Option<Vec<usize>> {
        match &self.accumulated {
            Accumulated::Compared {
                comparison: Comparison::Attributes(a),
                ..
            } => a.shape.as_ref().map(|(_, c)| c.clone()),
            Accumulated::Compared { .. }
            | Accumulated::TieFlip { .. }
            | Accumulated::NotJudged { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::compare::compare;
    use crate::tensor::Tensor;

    const INF: f64 = f64::INFINITY;

    fn overflowed(isolated: Isolated) -> Isolated {
        let Isolated::Bounded {
            family,
            terms,
            mut bounded,
            side,
        } = isolated
        else {
            panic!("{isolated:?}")
        };
        bounded.overflowed = 2;
        Isolated::Bounded {
            family,
            terms,
            bounded,
            side,
        }
    }

    #[test]
    fn what_a_floor_tolerates_is_told_from_the_error_and_its_share_of_the_tolerance() {
        let of = |differs: bool, ratio, by| {
            let comparison = sample::comparison(!differs);
            TensorResult {
                accumulated: Accumulated::Compared {
                    comparison,
                    ratio,
                    by,
                },
                ..sample::tensor(0)
            }
            .tolerated()
        };
        let noise = || ToleranceBy::Noise { runs: 4 };
        assert_eq!(
            of(true, 0.5, noise()),
            Some(2.0),
            "1 against 2 is half of what is tolerated"
        );
        assert_eq!(of(true, 4.0, noise()), Some(0.25));
        assert_eq!(
            of(true, 4.0, ToleranceBy::CandidateNoise { runs: 4 }),
            Some(0.25)
        );
        assert_eq!(of(false, 0.0, noise()), None, "nothing differs");
        assert_eq!(of(true, f64::INFINITY, noise()), Some(0.0));
        assert_eq!(of(true, 0.5, ToleranceBy::Stated), None);
    }

    #[test]
    fn a_node_alone_is_at_fault_where_it_is_beyond_its_bound_or_decides_otherwise() {
        let stated = |ratio| Isolated::Stated {
            comparison: sample::comparison(false),
            ratio,
        };
        let side = Some(Side::Reference);
        let decides = Isolated::RuleDifference {
            comparison: sample::comparison(false),
            margin: 1.0,
            side,
        };
        let flips = Isolated::TieFlip {
            flips: 1,
            of: 2,
            margin: 0.0,
        };
        let of_candidate = Some(Side::Candidate);
        // Whether it is over, by how much the node itself is off, whether it was compared, whether it overflows, which side is off.
        for (isolated, want) in [
            (
                sample::bounded(0.25, 0.5, 0),
                (false, Some(0.5), true, false, None),
            ),
            (
                sample::bounded(0.5, 0.25, 0),
                (false, Some(0.5), true, false, None),
            ),
            (
                sample::bounded(0.5, 3.0, 1),
                (true, Some(3.0), true, false, of_candidate),
            ),
            (
                sample::bounded(0.5, INF, 7),
                (true, None, true, false, of_candidate),
            ),
            (
                overflowed(sample::bounded(0.5, 0.5, 0)),
                (false, Some(0.5), true, true, None),
            ),
            (sample::alone(false), (false, None, true, false, None)),
            (sample::alone(true), (true, None, true, false, of_candidate)),
            (stated(0.5), (false, None, true, false, Some(Side::Unknown))),
            (stated(1.0), (false, None, true, false, Some(Side::Unknown))),
            (stated(2.0), (true, None, true, false, Some(Side::Unknown))),
            (decides, (true, None, true, false, side)),
            (flips, (false, None, true, false, None)),
            (sample::untested(), (false, None, false, false, None)),
        ] {
            let got = (
                isolated.over(),
                isolated.own_ratio(),
                isolated.compared(),
                isolated.overflows(),
                isolated.side(),
            );
            assert_eq!(got, want, "{isolated:?}");
        }
    }

    #[test]
    fn only_a_bound_has_a_detection_limit() {
        let limit = Some(DetectionLimit {
            best: 1.0,
            median: 2.0,
            worst: 3.0,
        });
        let Isolated::Bounded {
            family,
            terms,
            mut bounded,
            side,
        } = sample::bounded(0.5, 0.5, 0)
        else {
            unreachable!()
        };
        bounded.limit = limit;
        assert_eq!(
            Isolated::Bounded {
                family,
                terms,
                bounded,
                side
            }
            .limit(),
            limit
        );
        assert_eq!(
            [
                sample::bounded(0.5, 0.5, 0),
                sample::alone(true),
                sample::untested()
            ]
            .map(|i| i.limit()),
            [None; 3]
        );
    }

    #[test]
    fn what_a_judgement_comes_to_is_over_only_beyond_its_tolerance_and_compared_only_where_it_was_judged()
     {
        let of = |judgement| {
            Accumulated::of(
                judgement,
                sample::comparison(false),
                ToleranceBy::Stated,
                0.5,
            )
        };
        let metrics_only = Accumulated::Compared {
            comparison: sample::comparison(false),
            ratio: 0.0,
            by: ToleranceBy::Unjudged,
        };
        for (accumulated, over, compared, ratio) in [
            (of(Judgement::Within(0.5)), false, true, Some(0.5)),
            (of(Judgement::Within(1.0)), false, true, Some(1.0)),
            (of(Judgement::Over(2.0)), true, true, Some(2.0)),
            (of(Judgement::Over(INF)), true, true, Some(INF)),
            (of(Judgement::Tie(1)), false, true, None),
            (of(Judgement::NotJudged(Why::OpenFloor)), false, false, None),
            (metrics_only, false, false, Some(0.0)),
        ] {
            assert_eq!(
                (
                    accumulated.over(),
                    accumulated.compared(),
                    accumulated.ratio()
                ),
                (over, compared, ratio),
                "{accumulated:?}"
            );
        }
        assert!(
            sample::own(f64::NAN).over(),
            "what is no number is no agreement"
        );
        assert_eq!(
            of(Judgement::Tie(1)),
            Accumulated::TieFlip {
                flips: 1,
                of: 1,
                margin: 0.5
            }
        );
        assert_eq!(
            of(Judgement::NotJudged(Why::OpenFloor)),
            Accumulated::NotJudged {
                why: Why::OpenFloor
            }
        );
        let by_stated = |a: &Accumulated| {
            matches!(
                a,
                Accumulated::Compared {
                    by: ToleranceBy::Stated,
                    ..
                }
            )
        };
        assert!(by_stated(&of(Judgement::Within(0.5))));
    }

    #[test]
    fn the_shape_of_the_candidate_is_told_only_where_it_is_another() {
        let [one, three, wide] = [
            Tensor::of(&[1], &[1f32]),
            Tensor::of(&[3], &[1f32; 3]),
            Tensor::of(&[1], &[1f64]),
        ];
        let against = |other: &Tensor| {
            let comparison = compare(one.view(), other.view(), None);
            TensorResult {
                accumulated: Accumulated::Compared {
                    comparison,
                    ratio: INF,
                    by: ToleranceBy::Exact,
                },
                ..sample::tensor(0)
            }
        };
        assert_eq!(against(&three).candidate_shape(), Some(vec![3]));
        assert_eq!(
            against(&wide).candidate_shape(),
            None,
            "another dtype of the same shape"
        );
        assert_eq!(against(&one).candidate_shape(), None);
    }

    #[test]
    fn every_side_is_the_subject_of_a_sentence_of_its_own() {
        let sides = [
            Side::Reference,
            Side::Candidate,
            Side::ReferenceOrShadow,
            Side::CandidateOrShadow,
            Side::Both,
            Side::Unknown,
        ];
        let pieces = [
            "the reference",
            "the candidate",
            "the candidate and its f64 shadow",
            "the reference and its f64 shadow",
            "both",
            "no shadow",
        ];
        for (side, piece) in sides.into_iter().zip(pieces) {
            assert!(side.say().contains(piece), "{side:?}: {}", side.say());
        }
    }
}

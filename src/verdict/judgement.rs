//! judgement: what one comparison comes to: within, over, a proved tie, or not judged and why.

use super::Side;
use crate::compare::json;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What `judge::against` answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Judgement {
    /// Error / tolerance, at most 1.
    Within(#[serde(with = "json")] f64),
    /// Error / tolerance, more than 1; infinite where nothing was allowed.
    Over(#[serde(with = "json")] f64),
    /// So many decisions differ, each a proved flip.
    Tie(u64),
    NotJudged(Why),
}

impl Judgement {
    /// The judgement that a ratio stands for; NaN is no agreement.
    pub fn of_ratio(ratio: f64) -> Self {
        if ratio <= 1.0 {
            Judgement::Within(ratio)
        } else {
            Judgement::Over(if ratio.is_nan() { f64::INFINITY } else { ratio })
        }
    }

    pub fn over(&self) -> bool {
        match self {
            Judgement::Over(_) => true,
            Judgement::Within(_) | Judgement::Tie(_) | Judgement::NotJudged(_) => false,
        }
    }

    /// Why it was not judged, where it was not.
    pub fn why(&self) -> Option<&Why> {
        match self {
            Judgement::NotJudged(why) => Some(why),
            Judgement::Within(_) | Judgement::Over(_) | Judgement::Tie(_) => None,
        }
    }

    /// Error / tolerance, where there is one.
    pub fn ratio(&self) -> Option<f64> {
        match self {
            Judgement::Within(ratio) | Judgement::Over(ratio) => Some(*ratio),
            Judgement::Tie(_) | Judgement::NotJudged(_) => None,
        }
    }
}

/// Why something was not judged.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// A decision that flipped at a proved tie lies in front of it.
    BehindFlip { node: String },
    /// Numbers that the dtype does not hold lie in front of it, or are its own.
    BehindOverflow { node: String },
    /// What the standard leaves open lies in front of it, and the sides have made different things of that.
    BehindUndefined { node: String },
    /// A node that draws at random lies in front of it, and a recording has gone on with its own draw.
    BehindDraw { node: String },
    /// A tensor of another shape or dtype lies in front of it.
    BehindShape { tensor: String },
    /// Nothing was measured that it could be held against.
    NoFloor(String),
    /// A noisy run of the f64 graph left the domain of an operator, so that its spread has no end.
    OpenFloor,
    /// It is drawn at random: the candidate goes on with the reference's.
    Random,
    /// It is drawn at random, and a recording has gone on with a draw of its own.
    Drawn,
    /// Libtorch has no such operator; its output is the other engine's.
    Borrowed { op: String },
    /// A side refuses the node on these inputs; its output is the other's.
    Refused { side: Side, says: String },
    /// One side has no such tensor.
    Missing(String),
    /// The node could not be run alone.
    NotTested(String),
    /// The standard leaves the result open.
    Undefined(String),
    /// A side does not repeat its own bits.
    Unrepeated(String),
    /// All of it is one value on both sides.
    Dead(String),
    /// A decision that rounding can flip lies in front of it, and nobody recorded it.
    Undecided(String),
}

impl Why {
    /// Whether it excuses what is not judged: a decision in front of it flipped at a tie that was proved.
    pub fn excuses(&self) -> bool {
        match self {
            Why::BehindFlip { .. } => true,
            Why::BehindOverflow { .. }
            | Why::BehindUndefined { .. }
            | Why::BehindDraw { .. }
            | Why::BehindShape { .. }
            | Why::NoFloor(_)
            | Why::OpenFloor
            | Why::Random
            | Why::Drawn
            | Why::Borrowed { .. }
            | Why::Refused { .. }
            | Why::Missing(_)
            | Why::NotTested(_)
            | Why::Undefined(_)
            | Why::Unrepeated(_)
            | Why::Dead(_)
            | Why::Undecided(_) => false,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Why::BehindFlip { node } => write!(f, "behind the tie flip at '{node}'"),
            Why::BehindOverflow { node } => write!(f, "behind the overflow at '{node}'"),
            Why::BehindUndefined { node } => write!(
                f,
                "behind '{node}', of which the standard leaves open what it gives on these inputs"
            ),
            Why::BehindDraw { node } => write!(
                f,
                "behind '{node}', which draws at random: the two sides have drawn apart"
            ),
            Why::BehindShape { tensor } => {
                write!(f, "behind '{tensor}', which has another shape or dtype")
            }
            Why::OpenFloor => write!(
                f,
                "no noise floor: a noisy run of the f64 graph left the domain of an operator"
            ),
            Why::Random => write!(
                f,
                "random operator: a live candidate goes on with the reference's draw"
            ),
            Why::Drawn => write!(f, "random operator: each side drew its own"),
            Why::Borrowed { op } => write!(
                f,
                "not independent: libtorch has no operator {op}, its output is the other engine's"
            ),
            Why::Refused { side, says } => {
                write!(f, "not independent: {} refuses it: {says}", side.say())
            }
            Why::NoFloor(says)
            | Why::Missing(says)
            | Why::NotTested(says)
            | Why::Undefined(says)
            | Why::Unrepeated(says)
            | Why::Dead(says)
            | Why::Undecided(says) => {
                write!(f, "{says}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INF: f64 = f64::INFINITY;

    /// Every reason, and a piece of what it says.
    fn reasons() -> Vec<(Why, &'static str)> {
        let node = || "n".to_string();
        vec![
            (
                Why::BehindFlip { node: node() },
                "behind the tie flip at 'n'",
            ),
            (
                Why::BehindOverflow { node: node() },
                "behind the overflow at 'n'",
            ),
            (
                Why::BehindUndefined { node: node() },
                "behind 'n', of which the standard leaves open",
            ),
            (Why::BehindDraw { node: node() }, "behind 'n', which draws"),
            (
                Why::BehindShape { tensor: node() },
                "behind 'n', which has another shape",
            ),
            (Why::NoFloor("no floor of it".into()), "no floor of it"),
            (Why::OpenFloor, "left the domain"),
            (Why::Random, "goes on with the reference's draw"),
            (Why::Drawn, "each side drew its own"),
            (Why::Borrowed { op: node() }, "libtorch has no operator n"),
            (
                Why::Refused {
                    side: Side::Candidate,
                    says: "no f16 here".into(),
                },
                "the candidate refuses it: no f16 here",
            ),
            (
                Why::Missing("the trace holds none".into()),
                "the trace holds none",
            ),
            (Why::NotTested("recorded".into()), "recorded"),
            (Why::Undefined("left open".into()), "left open"),
            (Why::Unrepeated("other bits".into()), "other bits"),
            (Why::Dead("all NaN".into()), "all NaN"),
            (Why::Undecided("not shown".into()), "not shown"),
        ]
    }

    #[test]
    fn a_ratio_up_to_one_is_within_and_one_that_is_no_number_is_over() {
        for (ratio, want) in [
            (0.0, Judgement::Within(0.0)),
            (1.0, Judgement::Within(1.0)),
            (1.0f64.next_up(), Judgement::Over(1.0f64.next_up())),
            (INF, Judgement::Over(INF)),
            (f64::NAN, Judgement::Over(INF)),
        ] {
            assert_eq!(Judgement::of_ratio(ratio), want, "{ratio}");
        }
    }

    #[test]
    fn only_what_is_over_is_over_and_only_what_is_not_judged_has_a_reason() {
        let why = Why::OpenFloor;
        for (judgement, over, ratio, reason) in [
            (Judgement::Within(0.5), false, Some(0.5), None),
            (Judgement::Over(3.0), true, Some(3.0), None),
            (Judgement::Tie(2), false, None, None),
            (Judgement::NotJudged(why.clone()), false, None, Some(&why)),
        ] {
            assert_eq!(
                (judgement.over(), judgement.ratio(), judgement.why()),
                (over, ratio, reason),
                "{judgement:?}"
            );
        }
    }

    #[test]
    fn a_proved_tie_in_front_excuses_and_no_other_reason_does() {
        for (why, _) in reasons() {
            assert_eq!(
                why.excuses(),
                matches!(why, Why::BehindFlip { .. }),
                "{why:?}"
            );
        }
    }

    #[test]
    fn every_reason_says_what_it_is() {
        for (why, says) in reasons() {
            assert!(why.to_string().contains(says), "{why:?}: {why}");
        }
    }
}

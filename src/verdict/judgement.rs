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
        if ratio <= 1.0 { Judgement::Within(ratio) } else { Judgement::Over(if ratio.is_nan() { f64::INFINITY } else { ratio }) }
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
            Why::BehindDraw { node } => write!(f, "behind '{node}', which draws at random: the two sides have drawn apart"),
            Why::BehindShape { tensor } => write!(f, "behind '{tensor}', which has another shape or dtype"),
            Why::OpenFloor => write!(f, "no noise floor: a noisy run of the f64 graph left the domain of an operator"),
            Why::Random => write!(f, "random operator: a live candidate goes on with the reference's draw"),
            Why::Drawn => write!(f, "random operator: each side drew its own"),
            Why::Borrowed { op } => write!(f, "not independent: libtorch has no operator {op}, its output is the other engine's"),
            Why::Refused { side, says } => write!(f, "not independent: {} refuses it: {says}", side.say()),
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

//! verdict: what all comparisons together say: where it first diverges, every origin, and what was not compared.

#![deny(clippy::wildcard_enum_match_arm)]

mod decide;
mod expectation;
mod explained;
mod finding;
mod judgement;
mod ledger;
mod pending;
#[cfg(test)]
pub mod sample;
mod stage;
mod tensor;
mod unexercised;

pub use crate::scenario::Side;
pub use decide::{Ancestry, decide};
pub use expectation::Expectation;
pub use explained::{Confirmed, Explained, Near};
pub use finding::{Finding, LOST_GRADIENT, Severity, UNUSED_WEIGHT};
pub use judgement::{Judgement, Why};
pub use ledger::{Ledger, Required, Unjudged, ledger};
pub use pending::{Evidence, Observed, Pending};
pub use stage::StageVerdict;
pub use tensor::{Accumulated, Blame, Inside, Isolated, TensorResult, ToleranceBy};
pub use unexercised::Unexercised;

use crate::compare::{Comparison, json};
use crate::scenario::{Optimisation, Stage};
use serde::{Deserialize, Serialize};

/// A declared output of the un-observed run against the same subject's observed one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Unobserved {
    pub subject: String,
    pub name: String,
    /// None where there is no such run, because the deployed session refuses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
    pub judgement: Judgement,
    /// What the deployed session says where it refuses what the observed one runs; told once, at the first output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// What in the optimised session makes it differ, where that could be found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Rewrite>,
}

/// What an optimised session does otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rewrite {
    /// The lowest level of optimisation at which it differs.
    pub level: Optimisation,
    /// The fewest optimisers that must be left out for it to agree; empty where leaving them out does not help.
    pub optimisers: Vec<String>,
    /// The smallest region that is treated as one: observing a tensor inside it ends the difference.
    pub nodes: Vec<String>,
    /// Tensors that go into the region, and those that come out of it.
    pub from: Vec<String>,
    pub to: Vec<String>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub outcome: Outcome,
    /// Every place that is at fault by itself, in the order of the reference's file.
    pub origins: Vec<Origin>,
    /// Tensors whose accumulated error is over although no node is at fault: first, and the node that amplifies most.
    pub drift: Option<Drift>,
    /// Tensors over their tolerance whose own fault could not be tested.
    pub untested: Vec<String>,
    /// Outputs that diverge only when nothing is observed.
    pub only_unobserved: Vec<Unobserved>,
    /// Inputs that differ between the recording and this run.
    pub input_mismatch: Vec<Finding>,
    pub tie_flips: u64,
    /// Where NaN and infinities are made, also where both sides agree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub born: Vec<Born>,
    /// False where nobody knows in which order the tensors were computed: then no place is called the first.
    #[serde(default = "yes")]
    pub ordered: bool,
    /// One verdict per stage that was asked for, in the order a port breaks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<StageVerdict>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Agree,
    Diverge,
    /// Nothing was compared.
    Nothing,
}

/// A value that is no finite number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Special {
    NaN,
    Infinity,
}

/// Where the first NaN or infinity is made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Born {
    pub special: Special,
    pub node: String,
    pub op: String,
    pub tensor: String,
    /// On which sides.
    pub reference: bool,
    pub candidate: bool,
    /// How many elements of the reference's and of the candidate's are such.
    pub elements: [u64; 2],
}

/// A node at fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    pub node: String,
    pub op: String,
    pub tensor: String,
    pub step: usize,
    /// No other origin among its ancestors.
    pub independent: bool,
    pub side: Side,
    /// Set where the node is one of a body: of all that is over in it, the first in the first turn. The step was run as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inside: Option<Inside>,
    /// Why, where that was looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<Explained>,
}

/// Accumulated error without an origin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    pub first: String,
    pub tensors: usize,
    /// The node with the largest growth of error / floor from its inputs to its output.
    pub amplifier: String,
    #[serde(with = "json")]
    pub amplification: f64,
}

fn yes() -> bool {
    true
}

impl Verdict {
    /// Takes over what the stages found: one that diverges makes the whole diverge.
    pub fn conclude(&mut self, stages: Vec<StageVerdict>) {
        if stages.iter().any(|s| s.outcome == Outcome::Diverge) {
            self.outcome = Outcome::Diverge;
        }
        self.stages = stages;
    }

    /// The first stage that diverges.
    pub fn stage(&self) -> Option<&StageVerdict> {
        self.stages.iter().find(|s| s.outcome == Outcome::Diverge)
    }

    /// The first place that diverges: what was made of the user's file, an origin, else what is untested, else drift, else an un-observed output.
    pub fn first(&self) -> Option<&str> {
        let before = self.stage().filter(|s| s.stage == Stage::Preprocess);
        let origin = self.origins.first().map(|o| o.node.as_str());
        before
            .and_then(|s| s.first.as_deref())
            .or(origin)
            .or(self.untested.first().map(String::as_str))
            .or(self.drift.as_ref().map(|d| d.first.as_str()))
            .or(self.only_unobserved.first().map(|u| u.name.as_str()))
            .or(self.stage().and_then(|s| s.first.as_deref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(of: Stage, outcome: Outcome) -> StageVerdict {
        StageVerdict {
            outcome,
            first: Some(format!("in {}", of.name())),
            ..StageVerdict::agree(of, String::new())
        }
    }

    #[test]
    fn a_stage_that_diverges_makes_the_whole_diverge_and_no_stage_takes_that_back() {
        use Outcome::{Agree, Diverge, Nothing};
        for (outcome, stages, want, first) in [
            (Agree, vec![], Agree, None),
            (Agree, vec![Agree, Nothing], Agree, None),
            (
                Agree,
                vec![Agree, Diverge, Diverge],
                Diverge,
                Some(Stage::Loss),
            ),
            (Nothing, vec![Diverge], Diverge, Some(Stage::Assign)),
            (Diverge, vec![Agree, Agree], Diverge, None),
        ] {
            let mut v = sample::verdict(outcome);
            let stages: Vec<StageVerdict> = [Stage::Assign, Stage::Loss, Stage::Grad]
                .into_iter()
                .zip(&stages)
                .map(|(s, o)| stage(s, *o))
                .collect();
            v.conclude(stages.clone());
            assert_eq!(
                (v.outcome, v.stage().map(|s| s.stage), v.stages),
                (want, first, stages.clone()),
                "{outcome:?} {stages:?}"
            );
        }
    }

    #[test]
    fn the_first_place_is_an_origin_before_what_is_untested_before_drift_before_deployment_before_a_stage()
     {
        let mut v = sample::verdict(Outcome::Diverge);
        let mut says = |change: &dyn Fn(&mut Verdict)| {
            change(&mut v);
            v.first().map(str::to_string)
        };
        let some = |place: &str| Some(place.to_string());
        let drift = Drift {
            first: "drifts".into(),
            tensors: 1,
            amplifier: "grows".into(),
            amplification: 2.0,
        };
        assert_eq!(says(&|_| ()), None);
        assert_eq!(
            says(&|v| v.stages = vec![
                stage(Stage::Assign, Outcome::Agree),
                stage(Stage::Loss, Outcome::Diverge)
            ]),
            some("in loss")
        );
        assert_eq!(
            says(
                &|v| v.only_unobserved = vec![sample::unobserved("deployed", Judgement::Over(2.0))]
            ),
            some("deployed")
        );
        assert_eq!(says(&|v| v.drift = Some(drift.clone())), some("drifts"));
        assert_eq!(
            says(&|v| v.untested = vec!["untested".into()]),
            some("untested")
        );
        assert_eq!(
            says(&|v| v.origins = vec![sample::origin("n"), sample::origin("m")]),
            some("n")
        );
    }

    #[test]
    fn a_verdict_written_before_the_order_could_be_unknown_is_ordered() {
        let mut json = serde_json::to_value(sample::verdict(Outcome::Agree)).unwrap();
        assert_eq!(
            json.as_object_mut().unwrap().remove("ordered"),
            Some(true.into())
        );
        assert!(serde_json::from_value::<Verdict>(json).unwrap().ordered);
    }
}

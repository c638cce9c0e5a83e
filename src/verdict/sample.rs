//! sample: judged tensors and verdicts for tests: all of it agrees, and a test changes what it is about.

use super::{
    Accumulated, Isolated, Judgement, Origin, Outcome, Side, TensorResult, ToleranceBy, Unobserved,
    Verdict, Why,
};
use crate::compare::{Comparison, compare};
use crate::floor::Family;
use crate::floor::bound::Bounded;
use crate::tensor::{DType, Tensor};

/// Tensor 't{step}' of node 'n{step}': one f32, judged both ways.
pub fn tensor(step: usize) -> TensorResult {
    TensorResult {
        name: format!("t{step}"),
        node: format!("n{step}"),
        op: "Op".into(),
        step,
        dtype: Some(DType::F32),
        shape: vec![1],
        macs: 0,
        accumulated: own(0.0),
        isolated: alone(false),
        repeat_noise: None,
        inside: None,
    }
}

/// 1 against itself, or against 2.
pub fn comparison(equal: bool) -> Comparison {
    let [one, other] = [1f32, if equal { 1.0 } else { 2.0 }].map(|v| Tensor::of(&[1], &[v]));
    compare(one.view(), other.view(), None)
}

/// Both sides' own values, at `ratio` of what is tolerated.
pub fn own(ratio: f64) -> Accumulated {
    Accumulated::Compared {
        comparison: comparison(ratio == 0.0),
        ratio,
        by: ToleranceBy::Exact,
    }
}

/// The node alone, at fault or not.
pub fn alone(fault: bool) -> Isolated {
    Isolated::Exact {
        comparison: comparison(!fault),
        side: fault.then_some(Side::Candidate),
    }
}

/// The node alone, this often beyond its bound, which the two sides come to these parts of.
pub fn bounded(reference: f64, candidate: f64, failing: u64) -> Isolated {
    let bounded = Bounded {
        reference,
        candidate,
        failing,
        ..Default::default()
    };
    Isolated::Bounded {
        family: Family::Arithmetic,
        terms: 1,
        bounded,
        side: (failing > 0).then_some(Side::Candidate),
    }
}

/// The node alone, which nobody could run.
pub fn untested() -> Isolated {
    Isolated::NotJudged {
        why: Why::NotTested("recorded".into()),
    }
}

/// A candidate's own fault at `node`.
pub fn origin(node: &str) -> Origin {
    Origin {
        node: node.into(),
        op: "Op".into(),
        tensor: node.into(),
        step: 0,
        independent: true,
        side: Side::Candidate,
        inside: None,
        why: None,
    }
}

/// An output of the candidate's deployed session.
pub fn unobserved(name: &str, judgement: Judgement) -> Unobserved {
    Unobserved {
        subject: "candidate".into(),
        name: name.into(),
        comparison: None,
        judgement,
        refused: None,
        cause: None,
    }
}

/// A verdict that names no place.
pub fn verdict(outcome: Outcome) -> Verdict {
    Verdict {
        outcome,
        origins: vec![],
        drift: None,
        untested: vec![],
        only_unobserved: vec![],
        input_mismatch: vec![],
        tie_flips: 0,
        born: vec![],
        ordered: true,
        stages: vec![],
    }
}

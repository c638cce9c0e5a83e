//! ledger: every tensor accounted for: compared, abstained, or unobservable, with the reasons counted; and what had to be judged and was not.

use super::{Accumulated, TensorResult, Why};
use crate::judge::exercised::Unexercised;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashSet};

/// The count of tensors by what happened to them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    pub tensors: usize,
    /// Judged at least one way.
    pub compared: usize,
    /// Judged both ways.
    pub both_ways: usize,
    /// Not judged and not excused, by reason.
    pub abstained: BTreeMap<String, usize>,
    /// Not judged, and named in `expect.abstain`.
    pub excused: usize,
    /// Of the abstained, those that a recording, a script or a kernel does not hold.
    #[serde(default)]
    pub absent: usize,
    /// Of the abstained, those that lie behind decisions that flipped at proved ties.
    #[serde(default)]
    pub behind_ties: usize,
    /// Constants that a recording does not hold: known, and counted among no tensors.
    #[serde(default)]
    pub known: usize,
    /// What had to be judged and was not: declared outputs, floats that no way judges, tensors of a golden, deployed outputs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unjudged: Vec<Unjudged>,
    /// Declared outputs that were looked at, and how many of these are judged node by node only, behind proved ties.
    #[serde(default)]
    pub outputs: usize,
    #[serde(default)]
    pub outputs_behind_ties: usize,
    /// What the inputs did not try, where the whole graph was walked.
    #[serde(default, skip_serializing_if = "Unexercised::is_empty")]
    pub unexercised: Unexercised,
    /// Tensors that one recording holds and nothing pairs with.
    pub leftovers: Vec<String>,
    /// Bytes compared, both sides counted once.
    pub bytes: u64,
    /// Multiply-accumulates of one forward run.
    pub macs: u64,
}

/// Something that had to be judged, and was not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unjudged {
    /// Which, as a sentence's subject: "output 'y'".
    pub what: String,
    pub why: Why,
}

/// What is required of the tensors.
pub struct Required<'a> {
    /// Whether a tensor may abstain.
    pub excused: &'a dyn Fn(&str) -> bool,
    /// Names of the declared outputs.
    pub outputs: HashSet<&'a str>,
    /// Whether a side may lack a tensor that is no output: recordings, scripts and kernels.
    pub may_lack: bool,
}

impl Ledger {
    /// Counts a tensor that no comparison has seen.
    pub fn abstain(&mut self, reason: String, excused: bool) {
        self.tensors += 1;
        match excused {
            true => self.excused += 1,
            false => *self.abstained.entry(reason).or_default() += 1,
        }
    }

    /// How many tensors had to be compared.
    pub fn required(&self) -> usize {
        self.tensors - self.excused - self.absent - self.behind_ties
    }

    /// Compared share of the tensors that had to be compared; 0 where there was none.
    pub fn coverage(&self) -> f64 {
        let required = self.required();
        if required == 0 { 0.0 } else { self.compared as f64 / required as f64 }
    }

    /// Counts one tensor.
    fn count(&mut self, t: &TensorResult, required: &Required) {
        let (a, i) = (t.accumulated.compared(), t.isolated.compared());
        self.both_ways += usize::from(a && i);
        self.macs += t.macs;
        if a || i {
            self.compared += 1;
            self.bytes += t.dtype.map_or(0, |d| d.size() * t.shape.iter().product::<usize>()) as u64;
        }
        let output = required.outputs.contains(t.name.as_str());
        self.outputs += usize::from(output);
        let Accumulated::NotJudged { why } = &t.accumulated else { return };
        self.outputs_behind_ties += usize::from(output && why.excuses());
        if (required.excused)(&t.name) {
            self.excused += usize::from(!i);
            return;
        }
        if !i {
            *self.abstained.entry(why.to_string()).or_default() += 1;
            self.behind_ties += usize::from(why.excuses());
            self.absent += usize::from(!output && required.may_lack && matches!(why, Why::Missing(_)));
        }
        let absent = required.may_lack && matches!(why, Why::Missing(_));
        // What the other side lends is looked at by nobody, whatever its dtype.
        let lent = matches!(why, Why::Borrowed { .. } | Why::Refused { .. });
        let silent = !i && !absent && (lent || t.dtype.is_some_and(|d| d.is_float()));
        if (output || silent) && !why.excuses() {
            let kind = if output { "output" } else { "tensor" };
            self.unjudged.push(Unjudged { what: format!("{kind} '{}'", t.name), why: why.clone() });
        }
    }
}

/// Counts `tensors`.
pub fn ledger(tensors: &[TensorResult], leftovers: Vec<String>, required: &Required) -> Ledger {
    let mut out = Ledger { tensors: tensors.len(), leftovers, ..Default::default() };
    tensors.iter().for_each(|t| out.count(t, required));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::compare;
    use crate::tensor::{DType, Tensor};
    use crate::verdict::{Isolated, ToleranceBy};

    fn tensor(name: &str, accumulated: Option<Why>, isolated: bool) -> TensorResult {
        let one = Tensor::of(&[1], &[1f32]);
        let equal = || compare(one.view(), one.view(), None);
        TensorResult {
            name: name.into(),
            node: name.into(),
            op: "Op".into(),
            step: 0,
            dtype: Some(DType::F32),
            shape: vec![1],
            macs: 0,
            accumulated: match accumulated {
                Some(why) => Accumulated::NotJudged { why },
                None => Accumulated::Compared { comparison: equal(), ratio: 0.0, by: ToleranceBy::Exact },
            },
            isolated: match isolated {
                true => Isolated::Exact { comparison: equal(), side: None },
                false => Isolated::NotJudged { why: Why::NotTested("recorded".into()) },
            },
            repeat_noise: None,
            inside: None,
        }
    }

    /// The ledger of a graph with the outputs 'y' and 'z' in which 'e' may abstain.
    fn of(tensors: &[TensorResult], may_lack: bool) -> Ledger {
        ledger(tensors, vec![], &Required { excused: &|n| n == "e", outputs: HashSet::from(["y", "z"]), may_lack })
    }

    #[test]
    fn an_output_that_is_not_judged_on_its_own_values_is_named_unless_a_proved_tie_lies_in_front() {
        let flip = || Why::BehindFlip { node: "topk".into() };
        for (why, isolated, unjudged, behind) in [
            (Why::OpenFloor, true, 1, 0),
            (Why::OpenFloor, false, 1, 0),
            (Why::BehindOverflow { node: "n".into() }, true, 1, 0),
            (Why::Missing("the trace holds no 'y'".into()), false, 1, 0),
            (Why::Random, false, 1, 0),
            (flip(), true, 0, 1),
            (flip(), false, 0, 1),
        ] {
            let found = of(&[tensor("y", Some(why.clone()), isolated), tensor("z", None, true)], true);
            assert_eq!((found.unjudged.len(), found.outputs_behind_ties, found.outputs), (unjudged, behind, 2), "{why:?} {isolated}");
        }
    }

    #[test]
    fn a_tensor_judged_one_way_is_enough_and_one_judged_no_way_is_named() {
        let open = || Some(Why::OpenFloor);
        assert_eq!(of(&[tensor("t", open(), true)], false).unjudged, []);
        assert_eq!(of(&[tensor("t", open(), false)], false).unjudged.len(), 1);
        assert_eq!(of(&[tensor("e", open(), false)], false).unjudged, []);
        assert_eq!(of(&[tensor("e", open(), false)], false).excused, 1);
    }

    #[test]
    fn what_a_recording_does_not_hold_is_counted_and_not_required() {
        let missing = || Some(Why::Missing("the trace holds no 't'".into()));
        let live = of(&[tensor("t", missing(), false), tensor("y", None, true)], false);
        assert_eq!((live.required(), live.unjudged.len(), live.absent), (2, 1, 0));
        let recorded = of(&[tensor("t", missing(), false), tensor("y", None, true)], true);
        assert_eq!((recorded.required(), recorded.unjudged.len(), recorded.absent), (1, 0, 1));
        assert_eq!(recorded.abstained.values().sum::<usize>(), 1);
    }
}

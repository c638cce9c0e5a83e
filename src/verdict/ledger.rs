//! ledger: every tensor accounted for: compared, abstained, or unobservable, with the reasons counted; and what had to be judged and was not.

use super::{Accumulated, TensorResult, Why};
use crate::verdict::Unexercised;
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
        if required == 0 {
            0.0
        } else {
            self.compared as f64 / required as f64
        }
    }

    /// Counts one tensor.
    fn count(&mut self, t: &TensorResult, required: &Required) {
        let (a, i) = (t.accumulated.compared(), t.isolated.compared());
        self.both_ways += usize::from(a && i);
        self.macs += t.macs;
        if a || i {
            self.compared += 1;
            self.bytes += t
                .dtype
                .map_or(0, |d| d.size() * t.shape.iter().product::<usize>())
                as u64;
        }
        let output = required.outputs.contains(t.name.as_str());
        self.outputs += usize::from(output);
        let Accumulated::NotJudged { why } = &t.accumulated else {
            return;
        };
        self.outputs_behind_ties += usize::from(output && why.excuses());
        if (required.excused)(&t.name) {
            self.excused += usize::from(!i);
            return;
        }
        if !i {
            *self.abstained.entry(why.to_string()).or_default() += 1;
            self.behind_ties += usize::from(why.excuses());
            self.absent +=
                usize::from(!output && required.may_lack && matches!(why, Why::Missing(_)));
        }
        let absent = required.may_lack && matches!(why, Why::Missing(_));
        // What the other side lends is looked at by nobody, whatever its dtype.
        let lent = matches!(why, Why::Borrowed { .. } | Why::Refused { .. });
        let silent = !i && !absent && (lent || t.dtype.is_some_and(|d| d.is_float()));
        if (output || silent) && !why.excuses() {
            let kind = if output { "output" } else { "tensor" };
            self.unjudged.push(Unjudged {
                what: format!("{kind} '{}'", t.name),
                why: why.clone(),
            });
        }
    }
}

/// Counts `tensors`.
pub fn ledger(tensors: &[TensorResult], leftovers: Vec<String>, required: &Required) -> Ledger {
    let mut out = Ledger {
        tensors: tensors.len(),
        leftovers,
        ..Default::default()
    };
    tensors.iter().for_each(|t| out.count(t, required));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::DType;
    use crate::verdict::sample;

    /// A float that was judged on its own values, or why not, and whether its node was judged alone.
    fn tensor(name: &str, accumulated: Option<Why>, isolated: bool) -> TensorResult {
        TensorResult {
            name: name.into(),
            accumulated: accumulated
                .map_or_else(|| sample::own(0.0), |why| Accumulated::NotJudged { why }),
            isolated: if isolated {
                sample::alone(false)
            } else {
                sample::untested()
            },
            ..sample::tensor(0)
        }
    }

    /// The ledger of a graph with the outputs 'y' and 'z' in which 'e' may abstain.
    fn of(tensors: &[TensorResult], may_lack: bool) -> Ledger {
        ledger(
            tensors,
            vec![],
            &Required {
                excused: &|n| n == "e",
                outputs: HashSet::from(["y", "z"]),
                may_lack,
            },
        )
    }

    fn flip() -> Why {
        Why::BehindFlip {
            node: "topk".into(),
        }
    }

    fn missing() -> Why {
        Why::Missing("the trace holds none".into())
    }

    #[test]
    fn an_output_that_is_not_judged_on_its_own_values_is_named_unless_a_proved_tie_lies_in_front() {
        for (why, isolated, unjudged, behind) in [
            (Why::OpenFloor, true, 1, 0),
            (Why::OpenFloor, false, 1, 0),
            (Why::BehindOverflow { node: "n".into() }, true, 1, 0),
            (missing(), false, 1, 0),
            (Why::Random, false, 1, 0),
            (flip(), true, 0, 1),
            (flip(), false, 0, 1),
        ] {
            let found = of(
                &[
                    tensor("y", Some(why.clone()), isolated),
                    tensor("z", None, true),
                ],
                true,
            );
            assert_eq!(
                (
                    found.unjudged.len(),
                    found.outputs_behind_ties,
                    found.outputs
                ),
                (unjudged, behind, 2),
                "{why:?} {isolated}"
            );
        }
        let named = of(
            &[
                tensor("y", Some(Why::OpenFloor), true),
                tensor("t", Some(Why::Random), false),
            ],
            true,
        )
        .unjudged;
        let what = |what: &str, why| Unjudged {
            what: what.into(),
            why,
        };
        assert_eq!(
            named,
            [
                what("output 'y'", Why::OpenFloor),
                what("tensor 't'", Why::Random)
            ]
        );
    }

    #[test]
    fn a_tensor_judged_one_way_is_enough_and_a_float_judged_no_way_is_named() {
        let open = || Some(Why::OpenFloor);
        let integer = |t| TensorResult {
            dtype: Some(DType::I64),
            ..t
        };
        let unknown = |t| TensorResult { dtype: None, ..t };
        for (says, t, may_lack, unjudged) in [
            ("its node alone", tensor("t", open(), true), false, 0),
            ("its own values alone", tensor("t", None, false), false, 0),
            ("no way", tensor("t", open(), false), false, 1),
            (
                "no way, where a side may lack it but does not",
                tensor("t", open(), false),
                true,
                1,
            ),
            (
                "behind a proved tie",
                tensor("t", Some(flip()), false),
                false,
                0,
            ),
            ("an integer", integer(tensor("t", open(), false)), false, 0),
            (
                "of no known dtype",
                unknown(tensor("t", open(), false)),
                false,
                0,
            ),
            ("excused", tensor("e", open(), false), false, 0),
            (
                "missing, which a live side may not",
                tensor("t", Some(missing()), false),
                false,
                1,
            ),
            (
                "missing in a recording",
                tensor("t", Some(missing()), false),
                true,
                0,
            ),
        ] {
            assert_eq!(of(&[t], may_lack).unjudged.len(), unjudged, "{says}");
        }
    }

    #[test]
    fn every_tensor_is_counted_as_what_happened_to_it() {
        // Three of each kind, so that no count is mistaken for another: (compared, both ways, excused, absent, behind ties, required).
        let count = |l: &Ledger| {
            (
                l.compared,
                l.both_ways,
                l.excused,
                l.absent,
                l.behind_ties,
                l.required(),
            )
        };
        for (says, name, why, isolated, want) in [
            ("both ways", "t", None, true, (3, 3, 0, 0, 0, 3)),
            ("its own values alone", "t", None, false, (3, 0, 0, 0, 0, 3)),
            (
                "its node alone",
                "t",
                Some(Why::OpenFloor),
                true,
                (3, 0, 0, 0, 0, 3),
            ),
            (
                "no way",
                "t",
                Some(Why::OpenFloor),
                false,
                (0, 0, 0, 0, 0, 3),
            ),
            (
                "excused",
                "e",
                Some(Why::OpenFloor),
                false,
                (0, 0, 3, 0, 0, 0),
            ),
            (
                "excused, and judged alone",
                "e",
                Some(Why::OpenFloor),
                true,
                (3, 0, 0, 0, 0, 3),
            ),
            ("missing", "t", Some(missing()), false, (0, 0, 0, 3, 0, 0)),
            (
                "an output that is missing",
                "y",
                Some(missing()),
                false,
                (0, 0, 0, 0, 0, 3),
            ),
            ("behind a tie", "t", Some(flip()), false, (0, 0, 0, 0, 3, 0)),
            (
                "behind a tie, and judged alone",
                "t",
                Some(flip()),
                true,
                (3, 0, 0, 0, 0, 3),
            ),
        ] {
            let found = of(&vec![tensor(name, why.clone(), isolated); 3], true);
            assert_eq!((found.tensors, count(&found)), (3, want), "{says}");
            let abstained = why
                .filter(|_| want.0 == 0 && want.2 == 0)
                .map(|w| (w.to_string(), 3));
            assert_eq!(
                found.abstained.into_iter().collect::<Vec<_>>(),
                Vec::from_iter(abstained),
                "{says}"
            );
        }
        assert_eq!(
            of(&[tensor("t", Some(missing()), false)], false).absent,
            0,
            "a live side lacks nothing by right"
        );
        let outputs = of(
            &[
                tensor("y", Some(flip()), true),
                tensor("z", Some(flip()), true),
                tensor("t", Some(flip()), true),
            ],
            false,
        );
        assert_eq!((outputs.outputs, outputs.outputs_behind_ties), (2, 2));
    }

    #[test]
    fn work_and_bytes_are_summed_over_what_was_compared() {
        let sized = |dtype, shape: &[usize], macs, t| TensorResult {
            dtype,
            shape: shape.to_vec(),
            macs,
            ..t
        };
        let tensors = [
            sized(Some(DType::F32), &[2, 3], 5, tensor("a", None, true)),
            sized(
                Some(DType::F64),
                &[4],
                7,
                tensor("b", Some(Why::OpenFloor), true),
            ),
            sized(None, &[9], 11, tensor("c", None, true)),
            sized(
                Some(DType::F32),
                &[9],
                13,
                tensor("d", Some(Why::OpenFloor), false),
            ),
        ];
        let found = of(&tensors, false);
        assert_eq!(
            (found.bytes, found.macs),
            (2 * 3 * 4 + 4 * 8, 5 + 7 + 11 + 13)
        );
    }

    #[test]
    fn what_no_comparison_has_seen_is_counted_by_reason_unless_it_is_excused() {
        let mut found = Ledger::default();
        for (reason, excused) in [
            ("in a body", false),
            ("in a body", false),
            ("of a map", false),
            ("in a body", true),
            ("of a map", true),
        ] {
            found.abstain(reason.into(), excused);
        }
        assert_eq!((found.tensors, found.excused, found.required()), (5, 2, 3));
        assert_eq!(
            found.abstained,
            BTreeMap::from([("in a body".to_string(), 2), ("of a map".to_string(), 1)])
        );
    }

    #[test]
    fn coverage_is_the_share_of_what_had_to_be_compared_and_nothing_required_is_none() {
        let ledger = |compared, excused, absent, behind_ties| Ledger {
            tensors: 10,
            compared,
            excused,
            absent,
            behind_ties,
            ..Default::default()
        };
        for (found, required, coverage) in [
            (ledger(10, 0, 0, 0), 10, 1.0),
            (ledger(5, 0, 0, 0), 10, 0.5),
            (ledger(3, 2, 0, 0), 8, 0.375),
            (ledger(3, 0, 4, 0), 6, 0.5),
            (ledger(3, 0, 0, 5), 5, 0.6),
            (ledger(1, 2, 3, 1), 4, 0.25),
            (ledger(0, 10, 0, 0), 0, 0.0),
        ] {
            assert_eq!(
                (found.required(), found.coverage()),
                (required, coverage),
                "{found:?}"
            );
        }
    }

    #[test]
    fn leftovers_are_kept_by_name() {
        let required = Required {
            excused: &|_| false,
            outputs: HashSet::new(),
            may_lack: false,
        };
        let found = ledger(&[], vec!["stray".into()], &required);
        assert_eq!(
            (found.leftovers, found.tensors),
            (vec!["stray".to_string()], 0)
        );
    }
}

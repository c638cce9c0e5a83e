//! unobserved: what users deploy: the declared outputs of a run in which nothing else was observed, against the observed ones.

use super::decided::{Asked, Decided, limit};
use super::layers::Layers;
use super::quantised::Stepped;
use super::sessions::Sessions;
use crate::cause::{
    self,
    optimiser::{Off, Outputs},
};
use crate::compare::{Tolerance, compare, judge as judge_stated};
use crate::error::Result;
use crate::floor::noise::{Floor, axis_for};
use crate::graph::Graph;
use crate::graph::random::is_random;
use crate::judge::against;
use crate::subject::{Judge, Session};
use crate::tensor::Tensor;
use crate::verdict::{Accumulated, Isolated, Judgement, Rewrite, TensorResult, Unobserved, Why};
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

/// What a subject's un-observed run came to.
#[derive(Default)]
enum Whole {
    /// Observing changes nothing.
    #[default]
    Same,
    Gave(Vec<Deployed>),
    /// What the deployed session says that refuses to run, and what that comes to: over where the observed one has run.
    Refused(String, Judgement),
}

/// A declared output, and what decides it where it is not what was observed.
struct Deployed {
    name: String,
    tensor: Tensor,
    decided: Option<Decided>,
}

/// Those of the reference and the candidate.
#[derive(Default)]
pub struct Wholes([Whole; 2]);

/// What un-observed outputs are held against.
pub struct Against<'a> {
    pub layers: &'a Layers,
    /// The observed tensors, judged.
    pub tensors: &'a [TensorResult],
    pub graph: &'a Graph,
    pub floors: &'a HashMap<String, Floor>,
    /// What they may differ by where quantisers lie in front.
    pub stepped: &'a Stepped,
    pub stated: Option<&'a Tolerance>,
}

/// Runs both subjects un-observed; they have run observed.
pub fn run(sessions: &mut Sessions, layers: &Layers) -> Result<Wholes> {
    let inputs = sessions.inputs;
    let whole = |s: &mut dyn Session| s.unobserved(&|n| inputs.get(n).cloned());
    let runs = [
        whole(&mut *sessions.reference),
        whole(&mut *sessions.candidate),
    ];
    let mut deciders = Deciders {
        graph: sessions.graph,
        judge: sessions.judge.as_deref_mut(),
        unsupported: &sessions.unsupported.steps,
    };
    let mut wholes = Wholes::default();
    for (side, run) in runs.into_iter().enumerate() {
        wholes.0[side] = match run {
            Ok(None) => Whole::Same,
            Ok(Some(outputs)) => Whole::Gave(
                outputs
                    .into_iter()
                    .map(|o| deciders.given(layers, side, o))
                    .collect::<Result<_>>()?,
            ),
            Err(says) if says.ran_out() => return Err(says),
            Err(says) => {
                let known = sessions.unsupported.first_refused(side);
                Whole::Refused(
                    says.message,
                    known.map_or(Judgement::Over(f64::INFINITY), Judgement::NotJudged),
                )
            }
        };
    }
    Ok(wholes)
}

/// Who tells what decides an output.
struct Deciders<'a> {
    graph: &'a Graph,
    judge: Option<&'a mut (dyn Judge + 'static)>,
    unsupported: &'a HashSet<usize>,
}

impl Deciders<'_> {
    fn given(
        &mut self,
        layers: &Layers,
        side: usize,
        (name, tensor): (String, Tensor),
    ) -> Result<Deployed> {
        let moved = layers
            .outputs(side)
            .get(&name)
            .filter(|own| own.shape() == tensor.shape() && own.bytes() != tensor.bytes());
        let decided = match (moved, self.judge.as_deref_mut()) {
            (Some(observed), Some(judge)) => {
                let (graph, took, unsupported) =
                    (self.graph, &layers.decisive[side], self.unsupported);
                Asked {
                    graph,
                    name: &name,
                    observed,
                    deployed: &tensor,
                    took,
                    unsupported,
                }
                .decided(judge)?
            }
            (_, _) => None,
        };
        Ok(Deployed {
            name,
            tensor,
            decided,
        })
    }
}

impl Wholes {
    /// Tensors whose floor is needed, with their size: the outputs that are not what was observed, and what lies in front of those that are decided.
    pub fn wanted(&self, layers: &Layers) -> HashMap<String, usize> {
        let mut wanted = HashMap::new();
        for (side, whole) in self.0.iter().enumerate() {
            let Whole::Gave(outputs) = whole else {
                continue;
            };
            let moved = |g: &&Deployed| {
                layers
                    .outputs(side)
                    .get(&g.name)
                    .is_some_and(|own| own.bytes() != g.tensor.bytes())
            };
            for given in outputs.iter().filter(moved) {
                wanted.extend(given.needs(&layers.decisive[side]));
            }
        }
        wanted
    }

    /// Tensors whose floor decides on outputs that are neither within it nor a tie, with their size.
    pub fn unsettled(&self, on: &Against) -> HashMap<String, usize> {
        let open = |side: usize, g: &Deployed| {
            on.output("", side, g)
                .is_some_and(|u| u.judgement.over() || u.judgement.why().is_some())
        };
        let mut all = HashMap::new();
        for (side, whole) in self.0.iter().enumerate() {
            let Whole::Gave(outputs) = whole else {
                continue;
            };
            for given in outputs
                .iter()
                .filter(|g| on.asked(&g.name) && open(side, g))
            {
                all.extend(given.needs(&on.layers.decisive[side]));
            }
        }
        all
    }

    /// Judges both subjects, which are called by `names`.
    pub fn judge(&self, names: [&str; 2], on: &Against) -> Vec<Unobserved> {
        (0..2)
            .flat_map(|side| on.judged(names[side], side, &self.0[side]))
            .collect()
    }

    /// The same; of the first output that is off, or the first subject that is refused, with what in the optimised session makes it so.
    pub fn explained(
        &self,
        names: [&str; 2],
        sessions: &mut Sessions,
        on: &Against,
    ) -> Result<Vec<Unobserved>> {
        let mut found: Vec<(usize, Unobserved)> = (0..2)
            .flat_map(|side| {
                on.judged(names[side], side, &self.0[side])
                    .into_iter()
                    .map(move |u| (side, u))
            })
            .collect();
        if let Some((side, first)) = found.iter_mut().find(|(_, u)| u.judgement.over()) {
            first.cause = on.cause(sessions, *side, first)?;
        }
        Ok(found.into_iter().map(|(_, u)| u).collect())
    }
}

impl Deployed {
    /// Tensors by whose floor it is judged: its own, or those of the floats that lie in front of its decision.
    fn needs(&self, took: &HashMap<String, Tensor>) -> Vec<(String, usize)> {
        match &self.decided {
            Some(Decided::By { parents, .. }) => parents
                .iter()
                .filter_map(|n| Some((n.clone(), took.get(n)?.numel())))
                .collect(),
            Some(Decided::Unseen { .. }) => vec![],
            None if self.tensor.dtype().is_float() => {
                vec![(self.name.clone(), self.tensor.numel())]
            }
            None => vec![],
        }
    }
}

impl Against<'_> {
    fn judged(&self, subject: &str, side: usize, whole: &Whole) -> Vec<Unobserved> {
        match whole {
            Whole::Same => vec![],
            Whole::Gave(outputs) => outputs
                .iter()
                .filter(|g| self.asked(&g.name))
                .filter_map(|g| self.output(subject, side, g))
                .collect(),
            Whole::Refused(says, judgement) => {
                let first = self.graph.outputs.iter().find(|p| self.asked(&p.name));
                first
                    .map(|p| refused(subject, &p.name, says, judgement))
                    .into_iter()
                    .collect()
            }
        }
    }

    /// An output that nobody asked for has no floor to be held against.
    fn asked(&self, name: &str) -> bool {
        self.tensors.iter().any(|r| r.name == name)
    }

    /// One output against `own`, the same subject's observed value.
    fn output(&self, subject: &str, side: usize, given: &Deployed) -> Option<Unobserved> {
        let observed = self.layers.outputs(side).get(&given.name)?;
        let comparison = compare(
            observed.view(),
            given.tensor.view(),
            axis_for(observed.shape()),
        );
        let judgement = match (self.stated, &given.decided) {
            (Some(tolerance), _) => Judgement::of_ratio(
                judge_stated(observed.view(), given.tensor.view(), tolerance).ratio(),
            ),
            (None, Some(decided)) => decided.judged(&comparison, &|n| self.floor(n)),
            (None, None) => against(
                &comparison,
                limit(observed.dtype().is_float(), self.floor(&given.name)),
            ),
        };
        let excusable = self.stated.is_none() && comparison.metrics().is_some();
        let judgement = match judgement {
            Judgement::Over(_) | Judgement::NotJudged(_) if excusable => {
                self.in_front(given).map_or(judgement, Judgement::NotJudged)
            }
            judged @ (Judgement::Over(_)
            | Judgement::NotJudged(_)
            | Judgement::Within(_)
            | Judgement::Tie(_)) => judged,
        };
        let (subject, name) = (subject.to_string(), given.name.clone());
        Some(Unobserved {
            subject,
            name,
            comparison: Some(comparison),
            judgement,
            refused: None,
            cause: None,
        })
    }

    fn floor(&self, name: &str) -> Option<&Floor> {
        self.stepped
            .floors
            .get(name)
            .or_else(|| self.floors.get(name))
    }

    /// What the observed runs have shown in front of an output that lets an optimiser take it another way round: a decision that ties, numbers
    /// that the dtype does not hold, a draw, which is another one in every session. The decision that gives the output excuses nothing: it is judged on its own.
    fn in_front(&self, given: &Deployed) -> Option<Why> {
        let from = match &given.decided {
            Some(Decided::By { step, .. }) => self.graph.steps[*step].inputs.clone(),
            Some(Decided::Unseen { .. }) | None => vec![given.name.clone()],
        };
        let producers = self.graph.producers();
        let from: Vec<String> = from
            .into_iter()
            .filter(|n| producers.contains_key(n.as_str()))
            .collect();
        let steps = self.graph.ancestors(&from).unwrap_or_default();
        let mut before = self.tensors.iter().filter(|r| steps.contains(&r.step));
        let counted = |step: usize| self.stepped.steps.contains(&step);
        let flips = |r: &&TensorResult| {
            !counted(r.step)
                && (matches!(r.accumulated, Accumulated::TieFlip { .. })
                    || matches!(r.isolated, Isolated::TieFlip { .. }))
        };
        let node = |r: &TensorResult| r.node.clone();
        let flip = before
            .clone()
            .find(flips)
            .map(|r| Why::BehindFlip { node: node(r) });
        let draw = || {
            self.graph
                .steps
                .iter()
                .enumerate()
                .find(|(i, s)| steps.contains(i) && is_random(self.graph, s))
        };
        flip.or_else(|| {
            before
                .find(|r| r.isolated.overflows())
                .map(|r| Why::BehindOverflow { node: node(r) })
        })
        .or_else(|| {
            draw().map(|(_, s)| Why::BehindDraw {
                node: s.name.clone(),
            })
        })
    }

    /// What in the optimised session of a side makes `first` what it is.
    fn cause(
        &self,
        sessions: &mut Sessions,
        side: usize,
        first: &Unobserved,
    ) -> Result<Option<Rewrite>> {
        let (inputs, graph, refused) = (sessions.inputs, sessions.graph, first.refused.is_some());
        let deciders = RefCell::new(Deciders {
            graph,
            judge: sessions.judge.as_deref_mut(),
            unsupported: &sessions.unsupported.steps,
        });
        let off = |outputs: &Result<Outputs>| match outputs {
            Err(_) => refused,
            Ok(_) if refused => false,
            Ok(outputs) => outputs.iter().filter(|o| o.0 == first.name).any(|output| {
                // What cannot be told is not well.
                let given = deciders
                    .borrow_mut()
                    .given(self.layers, side, output.clone());
                given.map_or(true, |given| {
                    self.output("", side, &given)
                        .is_some_and(|u| u.judgement.over())
                })
            }),
        };
        let session = if side == 0 {
            &mut sessions.reference
        } else {
            &mut sessions.candidate
        };
        cause::of_deployed(&mut Off {
            session: &mut **session,
            graph,
            feed: &|n| inputs.get(n).cloned(),
            off: &off,
        })
    }
}

fn refused(subject: &str, name: &str, says: &str, judgement: &Judgement) -> Unobserved {
    Unobserved {
        subject: subject.to_string(),
        name: name.to_string(),
        comparison: None,
        judgement: judgement.clone(),
        refused: Some(says.to_string()),
        cause: None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::paper;
    use super::*;
    use crate::floor::Family;
    use crate::floor::bound::Bounded;
    use crate::verdict::{ToleranceBy, sample};

    /// y = n(x), z = m(y): a result of node 'n' and what an output that changes when nothing is observed comes to.
    fn moved(
        before: Accumulated,
        floor: Option<f64>,
        stated: Option<&Tolerance>,
        output: Tensor,
    ) -> Judgement {
        held((before, sample::untested()), 0, floor, stated, output)
    }

    fn held(
        before: (Accumulated, Isolated),
        side: usize,
        floor: Option<f64>,
        stated: Option<&Tolerance>,
        output: Tensor,
    ) -> Judgement {
        let graph = paper::graph(
            &["x"],
            &["n: Op x -> y", "m: Op y -> z", "elsewhere: Op x -> w"],
            &["z"],
        );
        let found = [
            ("y", "n", before),
            ("z", "m", (compared(), sample::untested())),
            ("w", "elsewhere", (tie(), overflow())),
        ];
        let results =
            found
                .into_iter()
                .enumerate()
                .map(
                    |(step, (name, node, (accumulated, isolated)))| TensorResult {
                        name: name.into(),
                        node: node.into(),
                        shape: vec![2],
                        accumulated,
                        isolated,
                        ..sample::tensor(step)
                    },
                );
        let own = HashMap::from([(
            "z".to_string(),
            Tensor::from_f64(output.dtype(), &[2], &[1.0, 2.0]).unwrap(),
        )]);
        let tensors: Vec<TensorResult> = results.collect();
        let layers = Layers {
            reference_outputs: own.clone(),
            candidate_outputs: own,
            ..Default::default()
        };
        let floors: HashMap<String, Floor> = floor
            .map(|f| {
                (
                    "z".to_string(),
                    Floor {
                        axis: None,
                        max: vec![f],
                        rms: vec![f],
                        runs: 4,
                    },
                )
            })
            .into_iter()
            .collect();
        let given = Deployed {
            name: "z".into(),
            tensor: output,
            decided: None,
        };
        let mut wholes = Wholes::default();
        wholes.0[side] = Whole::Gave(vec![given]);
        wholes
            .judge(
                ["onnxruntime", "libtorch"],
                &Against {
                    layers: &layers,
                    tensors: &tensors,
                    graph: &graph,
                    floors: &floors,
                    stepped: &Default::default(),
                    stated,
                },
            )
            .remove(0)
            .judgement
    }

    fn compared() -> Accumulated {
        let t = Tensor::of(&[2], &[1f32, 2.0]);
        Accumulated::Compared {
            comparison: compare(t.view(), t.view(), None),
            ratio: 0.0,
            by: ToleranceBy::Exact,
        }
    }

    fn overflow() -> Isolated {
        let bounded = Bounded {
            overflowed: 1,
            ..Default::default()
        };
        Isolated::Bounded {
            family: Family::Reduction,
            terms: 2,
            bounded,
            side: None,
        }
    }

    fn tie() -> Accumulated {
        Accumulated::TieFlip {
            flips: 1,
            of: 2,
            margin: 0.0,
        }
    }

    fn floats() -> Tensor {
        Tensor::of(&[2], &[1f32, 3.0])
    }

    #[test]
    fn an_excuse_holds_for_what_lies_behind_it_on_either_side_in_every_dtype() {
        let outputs = || {
            [
                floats(),
                Tensor::of(&[2], &[1i64, 3]),
                Tensor::of(&[2], &[1u8, 3]),
            ]
        };
        let (flip, over) = (
            Why::BehindFlip { node: "n".into() },
            Why::BehindOverflow { node: "n".into() },
        );
        let alone = || Isolated::TieFlip {
            flips: 1,
            of: 2,
            margin: 0.0,
        };
        let rows = [
            ((tie(), sample::untested()), Some(&flip)),
            ((compared(), alone()), Some(&flip)),
            ((compared(), overflow()), Some(&over)),
            // Both lie elsewhere.
            ((compared(), sample::untested()), None),
        ];
        for (before, why) in rows {
            for (side, output) in (0..2).flat_map(|side| outputs().map(|o| (side, o))) {
                let judged = held(before.clone(), side, Some(1e-6), None, output.clone());
                assert_eq!(
                    (judged.why(), judged.over()),
                    (why, why.is_none()),
                    "{before:?} {side} {output:?}"
                );
            }
        }
    }

    #[test]
    fn an_output_behind_a_tie_abstains_and_any_other_that_moves_is_judged() {
        let behind = || Judgement::NotJudged(Why::BehindFlip { node: "n".into() });
        assert_eq!(moved(tie(), Some(1e-6), None, floats()), behind());
        assert_eq!(moved(tie(), None, None, floats()), behind());
        assert!(
            matches!(
                moved(tie(), Some(1.0), None, floats()),
                Judgement::Within(_)
            ),
            "what its floor holds is judged all the same"
        );
        assert!(
            moved(compared(), Some(1e-6), None, floats()).over(),
            "a tie elsewhere excuses nothing"
        );
        assert_eq!(
            moved(compared(), None, None, floats()),
            Judgement::NotJudged(Why::NoFloor("no noise floor".into()))
        );
        assert_eq!(
            moved(compared(), Some(f64::INFINITY), None, floats()),
            Judgement::NotJudged(Why::OpenFloor)
        );
    }

    #[test]
    fn an_integer_output_that_moves_without_a_tie_in_front_is_off() {
        for output in [
            Tensor::of(&[2], &[1i64, 3]),
            Tensor::of(&[2], &[1u8, 3]),
            Tensor::of(&[2], &[1i32, 3]),
        ] {
            assert!(
                moved(compared(), None, None, output.clone()).over(),
                "{output:?}"
            );
            assert!(!moved(tie(), None, None, output).over());
        }
    }

    #[test]
    fn a_tolerance_of_the_users_own_judges_behind_ties_as_well() {
        assert!(
            moved(
                tie(),
                None,
                Some(&Tolerance::Flat {
                    atol: 0.5,
                    rtol: 0.0
                }),
                floats()
            )
            .over()
        );
    }
}

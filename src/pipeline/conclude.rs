//! conclude: what the walks found put together: the verdict with one line per stage, and the ledger of what was compared.

use crate::judge::alive;
use crate::judge::exercised::{self, Shown};
use crate::judge::stage::regions::Regions;
use crate::judge::stage::{Stages, verdicts};
use crate::prepare::inputs;
use crate::prepare::prepared::Prepared;
use crate::scenario::training::{self, ASSIGNED, Training};
use crate::scenario::{Scenario, Stage};
use crate::subject::kernels::training as kernel;
use crate::tensor::Tensor;
use crate::verdict::{
    Ancestry, Finding, Ledger, Outcome, Required, Special, TensorResult, Unexercised, Unjudged,
    Unobserved, Verdict, Why, decide, ledger,
};
use crate::walk::sessions::Sessions;
use std::collections::HashMap;

/// Everything that was found.
pub struct Found<'a> {
    pub prepared: &'a Prepared<'a>,
    pub sessions: &'a Sessions<'a>,
    pub regions: &'a Regions,
    pub tensors: &'a [TensorResult],
    /// Constants that a recording does not hold.
    pub known: usize,
    /// What each step shows of its inputs.
    pub shown: &'a [Shown],
    /// Declared outputs of both sides.
    pub outputs: [&'a HashMap<String, Tensor>; 2],
    pub unobserved: &'a [Unobserved],
    pub stages: &'a Stages,
    /// What one side sees before its inputs and the other does not.
    pub context: Option<Finding>,
    /// Whether the stages behind the activations ran.
    pub behind: bool,
}

/// The verdict and what it rests on.
pub fn conclude(found: &Found) -> (Verdict, Ledger) {
    let Prepared {
        scenario,
        graph,
        records,
        plan,
        ..
    } = found.prepared;
    let (sessions, golden) = (found.sessions.both(), found.sessions.golden);
    let recorded = sessions
        .iter()
        .map(|s| s.recorded_inputs())
        .chain(golden.iter().map(|g| g.facts.inputs.clone()));
    let blamed = recorded
        .filter(|_| scenario.runs(Stage::Inputs))
        .flat_map(|r| inputs::mismatches(&r, records));
    let blamed = blamed.chain(found.context.clone()).collect();
    let ancestry = Ancestry::of(graph);
    let mut verdict = decide(found.tensors, &ancestry, found.unobserved, blamed);
    verdict.born = alive::born(found.tensors, &ancestry, &|step, special| {
        fed(found.prepared, step, special)
    });
    let asked: Vec<Stage> = Stage::ALL
        .into_iter()
        .filter(|s| scenario.runs(*s))
        .collect();
    verdict.conclude(verdicts(
        &asked,
        &verdict,
        found.regions,
        found.stages,
        found.behind,
    ));
    let unpaired = golden.iter().flat_map(|g| inputs::unpaired(g, graph));
    let leftovers = sessions
        .iter()
        .flat_map(|s| s.leftovers())
        .chain(unpaired)
        .collect();
    let outputs = graph.outputs.iter().map(|p| p.name.as_str()).collect();
    let required = Required {
        excused: &|n| plan.excused(n),
        outputs,
        may_lack: !found.sessions.both_live(),
    };
    let mut ledger = ledger(found.tensors, leftovers, &required);
    ledger.known = found.known;
    ledger.unexercised = unexercised(found);
    ledger.unjudged.extend(unjudged(found));
    ledger.unjudged.extend(dead(found, scenario));
    for (name, reason) in &plan.hidden {
        ledger.abstain(reason.clone(), plan.excused(name));
    }
    if !scenario.runs(Stage::Activations) {
        only_inputs(
            &mut verdict,
            &mut ledger,
            records.len(),
            inputs::proved(&sessions, records),
        );
    }
    (verdict, ledger)
}

/// What the inputs did not try; nothing where only a part of the graph was walked.
fn unexercised(found: &Found) -> Unexercised {
    let Prepared { graph, plan, .. } = found.prepared;
    if !plan.whole {
        return Unexercised::default();
    }
    let outputs: Vec<&str> = graph.outputs.iter().map(|p| p.name.as_str()).collect();
    let floats = graph
        .weights
        .iter()
        .filter(|(_, t)| t.dtype().is_float() && t.numel() > 0);
    let weights: Vec<&str> = floats.map(|(name, _)| name.as_str()).collect();
    exercised::unexercised(
        &graph.steps,
        &outputs,
        &weights,
        found.shown,
        &plan.constants,
    )
}

/// What the graph calls its targets and the values of its loss.
fn targets_and_losses(training: &Training) -> Vec<String> {
    let terms = kernel::find(&training.kernel).map_or(vec![], |k| k.terms());
    let losses = training::losses(&terms);
    let standard = ASSIGNED
        .into_iter()
        .chain(losses.iter().map(String::as_str));
    standard.map(|s| training.name(s).to_string()).collect()
}

/// Declared outputs that are dead on both sides, but for those that the scenario expects to be. Constant inputs make constant outputs; targets and
/// losses of images without objects are zeros, and the stages say where that is no assignment.
fn dead(found: &Found, scenario: &Scenario) -> Vec<Unjudged> {
    let outputs = found
        .prepared
        .graph
        .outputs
        .iter()
        .filter(|p| !found.prepared.plan.may_be_dead(&p.name));
    let [reference, candidate] = found.outputs;
    let made_by_training = scenario
        .training
        .as_ref()
        .map_or(vec![], targets_and_losses);
    let of_training = |name: &str| made_by_training.iter().any(|made| made == name);
    let still = alive::still(found.prepared.inputs.values());
    let natural = |name: &str| still || of_training(name);
    outputs
        .filter_map(|p| {
            alive::dead(
                &p.name,
                reference.get(&p.name)?,
                candidate.get(&p.name)?,
                natural(&p.name),
            )
        })
        .collect()
}

/// Whether an input or a weight that the step takes holds such values already.
fn fed(prepared: &Prepared, step: usize, special: Special) -> bool {
    let holds = |t: &Tensor| {
        let is = |v: &f64| match special {
            Special::NaN => v.is_nan(),
            Special::Infinity => v.is_infinite(),
        };
        t.dtype().is_float() && t.to_f64().iter().any(is)
    };
    let taken = prepared.graph.steps[step].inputs.iter();
    taken
        .filter_map(|n| {
            prepared
                .inputs
                .get(n)
                .or_else(|| prepared.graph.weights.get(n))
        })
        .any(holds)
}

/// What the golden and the deployed sessions left unjudged.
fn unjudged(found: &Found) -> Vec<Unjudged> {
    let repeats = found
        .tensors
        .iter()
        .find_map(|t| Some((t, t.repeat_noise.as_ref()?)));
    let unrepeated = repeats.map(|(t, noise)| Unjudged {
        what: format!("what follows from node '{}' on", t.node),
        why: Why::Unrepeated(noise.clone()),
    });
    let lost = found
        .sessions
        .golden
        .iter()
        .flat_map(|g| inputs::unpaired(g, &found.prepared.graph));
    let lost = lost.map(|name| Unjudged {
        what: name,
        why: Why::Missing("it pairs with no tensor of the graph".into()),
    });
    let golden = found
        .stages
        .golden
        .iter()
        .flat_map(|g| &g.tensors)
        .map(|t| (format!("golden tensor '{}'", t.name), &t.judgement));
    let deployed = found.unobserved.iter().map(|u| {
        (
            format!("un-observed output '{}' of {}", u.name, u.subject),
            &u.judgement,
        )
    });
    let open = golden.chain(deployed).filter_map(|(what, judgement)| {
        Some((what, judgement.why().filter(|why| !why.excuses())?))
    });
    open.map(|(what, why)| Unjudged {
        what,
        why: why.clone(),
    })
    .chain(unrepeated)
    .chain(lost)
    .collect()
}

/// Only stage 0 ran: its tensors are the inputs.
fn only_inputs(verdict: &mut Verdict, ledger: &mut Ledger, inputs: usize, proved: usize) {
    (ledger.tensors, ledger.compared) = (inputs, proved);
    if proved > 0 && verdict.outcome == Outcome::Nothing {
        verdict.outcome = Outcome::Agree;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest;
    use crate::golden::{Golden, Held, Value};
    use crate::judge::stage::golden::{Report, Witnessed};
    use crate::prepare::inputs::records;
    use crate::prepare::plan::Plan;
    use crate::scenario::load::parse;
    use crate::verdict::{Accumulated, Judgement, sample};
    use crate::walk::paper::{self, Side, floats, integers};
    use std::collections::BTreeMap;

    const NAN: f32 = f32::NAN;
    const LIVE: [Option<&[(&str, &Tensor)]>; 2] = [None, None];

    /// A run over 'x' -> t0 -> t1 and what it found; everything agrees unless it is changed.
    struct Run<'a> {
        /// Besides format and model.
        scenario: &'a str,
        training: Option<Training>,
        inputs: Vec<(&'a str, Tensor)>,
        /// None for a live side, else the inputs whose digests were recorded with it.
        sides: [Option<&'a [(&'a str, &'a Tensor)]>; 2],
        tensors: Vec<TensorResult>,
        outputs: [Vec<(&'a str, Tensor)>; 2],
        unobserved: Vec<Unobserved>,
        stages: Stages,
        golden: Option<Golden>,
        shown: [Shown; 2],
    }

    impl Run<'_> {
        fn conclude(self) -> (Verdict, Ledger) {
            let named = |list: Vec<(&str, Tensor)>| {
                list.into_iter()
                    .map(|(n, t)| (n.to_string(), t))
                    .collect::<HashMap<_, _>>()
            };
            let mut scenario = parse(&format!(
                "format = 1\nmodel = \"m.onnx\"\n{}",
                self.scenario
            ))
            .unwrap();
            let nodes = ["n0: Double x -> t0", "n1: Add t0 w -> t1"];
            let mut graph = paper::graph(&["x"], &nodes, &["t1", "loss.total", "total"]);
            let weights = [
                ("w", floats(&[1.0, f32::INFINITY])),
                ("count", integers(&[1])),
                ("none", floats(&[])),
            ];
            std::sync::Arc::make_mut(&mut graph)
                .weights
                .extend(named(weights.into()));
            let plan = Plan::of(&graph, &scenario).unwrap();
            scenario.training = self.training;
            let inputs = self
                .inputs
                .into_iter()
                .map(|(n, t)| (n.to_string(), t))
                .collect();
            let records = records(&inputs);
            let prepared = Prepared {
                scenario: &scenario,
                graph: graph.clone(),
                plan,
                inputs,
                records,
                golden: None,
                params: None,
                fed: None,
                threads: 1,
            };
            let mut sessions = paper::sessions(&graph, &prepared.inputs, [true; 2]);
            let side = |recorded: Option<&[(&str, &Tensor)]>| Side {
                live: recorded.is_none(),
                recorded: recorded
                    .unwrap_or_default()
                    .iter()
                    .map(|(n, t)| (n.to_string(), digest::of_tensor(t)))
                    .collect(),
                leftovers: vec![],
            };
            (sessions.reference, sessions.candidate) =
                (Box::new(side(self.sides[0])), Box::new(side(self.sides[1])));
            sessions.golden = self.golden.as_ref();
            let outputs = self.outputs.map(named);
            conclude(&Found {
                prepared: &prepared,
                sessions: &sessions,
                regions: &Regions::default(),
                tensors: &self.tensors,
                known: 3,
                shown: &self.shown,
                outputs: [&outputs[0], &outputs[1]],
                unobserved: &self.unobserved,
                stages: &self.stages,
                context: None,
                behind: true,
            })
        }

        /// What had to be judged and was not.
        fn unjudged(self) -> Vec<(String, Why)> {
            self.conclude()
                .1
                .unjudged
                .into_iter()
                .map(|u| (u.what, u.why))
                .collect()
        }
    }

    fn run<'a>() -> Run<'a> {
        Run {
            scenario: "",
            training: None,
            inputs: vec![("x", floats(&[1.0, 2.0]))],
            sides: LIVE,
            tensors: vec![sample::tensor(0), sample::tensor(1)],
            outputs: [vec![], vec![]],
            unobserved: vec![],
            stages: Stages::default(),
            golden: None,
            shown: Default::default(),
        }
    }

    #[test]
    fn a_run_in_which_all_was_compared_agrees_and_leaves_nothing_open() {
        let (verdict, ledger) = run().conclude();
        assert_eq!((verdict.outcome, verdict.first()), (Outcome::Agree, None));
        assert_eq!(
            (
                ledger.tensors,
                ledger.both_ways,
                ledger.known,
                ledger.outputs
            ),
            (2, 2, 3, 1)
        );
        assert!(
            ledger.unjudged.is_empty() && ledger.abstained.is_empty(),
            "{ledger:?}"
        );
    }

    #[test]
    fn a_weight_that_moves_no_output_is_named_where_the_whole_graph_was_walked() {
        let deaf = |deaf: &[usize], scenario| {
            let shown = [
                Shown::default(),
                Shown {
                    deaf: deaf.to_vec(),
                    ..Default::default()
                },
            ];
            Run {
                shown,
                scenario,
                ..run()
            }
            .conclude()
            .1
            .unexercised
            .weights
        };
        assert_eq!(
            deaf(&[1], ""),
            ["w"],
            "no integers, and nothing without elements"
        );
        assert!(deaf(&[0], "").is_empty());
        assert!(deaf(&[1], "[limit]\nonly = [\"t1\"]").is_empty());
    }

    #[test]
    fn dead_outputs_are_unjudged_unless_they_are_expected_or_come_of_constant_inputs_or_of_an_empty_scene()
     {
        let dead = |values: [f32; 2], change: &dyn Fn(&mut Run)| {
            let all = || {
                ["t1", "loss.total", "total"]
                    .map(|n| (n, floats(&values)))
                    .to_vec()
            };
            let mut run = Run {
                outputs: [all(), all()],
                ..run()
            };
            change(&mut run);
            run.unjudged()
                .into_iter()
                .map(|(what, _)| what)
                .collect::<Vec<_>>()
        };
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|n| format!("output '{n}'"))
                .collect::<Vec<_>>()
        };
        let training = |rename: &[(&str, &str)]| {
            let rename = rename
                .iter()
                .map(|(a, b)| (a.to_string(), b.to_string()))
                .collect();
            Some(Training {
                kernel: "gold_yolo_n".into(),
                image: None,
                strides: vec![],
                rename,
                hyper: Default::default(),
            })
        };
        let stages = "stages = [\"inputs\", \"activations\"]";
        let all = names(&["t1", "loss.total", "total"]);
        assert_eq!(dead([0.0, 1.0], &|_| ()), names(&[]));
        assert_eq!(dead([0.0, 0.0], &|_| ()), all);
        assert_eq!(
            dead([0.0, 0.0], &|r| r.scenario = "[expect]\ndead = [\"t*\"]"),
            names(&["loss.total"])
        );
        assert_eq!(
            dead([0.0, 0.0], &|r| r.inputs = vec![("x", floats(&[3.0, 3.0]))]),
            names(&[])
        );
        assert_eq!(
            dead([NAN, NAN], &|r| r.inputs = vec![("x", floats(&[3.0, 3.0]))]),
            all,
            "no constant makes NaN"
        );
        assert_eq!(
            dead([0.0, 0.0], &|r| r.inputs.push(("still", integers(&[3, 3])))),
            all,
            "another input is not constant"
        );
        let of_training = |rename: &'static [(&str, &str)]| {
            dead([0.0, 0.0], &|r| {
                (r.scenario, r.training) = (stages, training(rename))
            })
        };
        assert_eq!(of_training(&[]), names(&["t1", "total"]));
        assert_eq!(
            of_training(&[("loss.total", "total")]),
            names(&["t1", "loss.total"])
        );
    }

    #[test]
    fn special_values_that_inputs_and_weights_hold_are_made_by_no_node() {
        let with = |value: f32| {
            let [r, c] = [floats(&[1.0, value]), floats(&[1.0, value])];
            let comparison = crate::compare::compare(r.view(), c.view(), None);
            Accumulated::Compared {
                comparison,
                ratio: 0.0,
                by: crate::verdict::ToleranceBy::Exact,
            }
        };
        let born = |step: usize, value: f32, x: Tensor| {
            let mut run = Run {
                inputs: vec![("x", x)],
                ..run()
            };
            run.tensors[step].accumulated = with(value);
            run.conclude()
                .0
                .born
                .into_iter()
                .map(|b| (b.special, b.node))
                .collect::<Vec<_>>()
        };
        let (fine, inf) = (floats(&[1.0, 2.0]), f32::INFINITY);
        assert_eq!(born(0, NAN, fine.clone()), [(Special::NaN, "n0".into())]);
        assert_eq!(
            born(0, NAN, integers(&[1, 2])),
            [(Special::NaN, "n0".into())]
        );
        assert_eq!(born(0, NAN, floats(&[1.0, NAN])), []);
        assert_eq!(
            born(0, NAN, floats(&[1.0, inf])),
            [(Special::NaN, "n0".into())],
            "an infinity is no NaN"
        );
        assert_eq!(born(0, inf, floats(&[1.0, inf])), []);
        assert_eq!(born(1, inf, fine.clone()), [], "the weight holds one");
        assert_eq!(born(1, NAN, fine), [(Special::NaN, "n1".into())]);
    }

    #[test]
    fn a_side_that_computes_lacks_nothing_by_right_and_a_recording_may() {
        let of = |sides| {
            let mut run = Run { sides, ..run() };
            run.tensors[0].accumulated = Accumulated::NotJudged {
                why: Why::Missing("the trace holds no 't0'".into()),
            };
            run.tensors[0].isolated = sample::untested();
            let ledger = run.conclude().1;
            (ledger.absent, ledger.unjudged.len())
        };
        assert_eq!(of(LIVE), (0, 1));
        assert_eq!(of([None, Some(&[])]), (1, 0));
        assert_eq!(of([Some(&[]), None]), (1, 0));
    }

    #[test]
    fn what_the_golden_and_the_deployed_sessions_leave_open_is_unjudged_unless_a_proved_tie_excuses_it()
     {
        let flip = || Judgement::NotJudged(Why::BehindFlip { node: "n".into() });
        let open = || Judgement::NotJudged(Why::OpenFloor);
        let deployed = |judgement| {
            Run {
                unobserved: vec![sample::unobserved("t1", judgement)],
                ..run()
            }
            .unjudged()
        };
        assert_eq!(
            deployed(open()),
            [(
                "un-observed output 't1' of candidate".into(),
                Why::OpenFloor
            )]
        );
        assert_eq!(
            (deployed(flip()), deployed(Judgement::Within(0.5))),
            (vec![], vec![])
        );
        let witnessed = |judgement| Witnessed {
            name: "t0".into(),
            step: 0,
            stored: "full".into(),
            judgement,
            distance: 0.0,
            note: None,
        };
        let report = |judgement| Report {
            folder: String::new(),
            subject: String::new(),
            command: String::new(),
            versions: BTreeMap::new(),
            other_versions: None,
            tensors: vec![witnessed(judgement)],
        };
        let golden = |judgement| {
            Run {
                stages: Stages {
                    golden: Some(report(judgement)),
                    ..Default::default()
                },
                ..run()
            }
            .unjudged()
        };
        assert_eq!(
            golden(open()),
            [("golden tensor 't0'".into(), Why::OpenFloor)]
        );
        assert_eq!(
            (golden(flip()), golden(Judgement::Within(0.5))),
            (vec![], vec![])
        );
    }

    #[test]
    fn a_side_that_does_not_repeat_its_bits_is_said_from_the_first_node_on() {
        let mut run = run();
        run.tensors[1].repeat_noise = Some("candidate: 1 tensors".into());
        assert_eq!(
            run.unjudged(),
            [(
                "what follows from node 'n1' on".into(),
                Why::Unrepeated("candidate: 1 tensors".into())
            )]
        );
    }

    #[test]
    fn what_of_a_golden_pairs_with_nothing_is_left_over_and_unjudged() {
        let held = |name: &str| {
            (
                name.to_string(),
                Held {
                    sha256: String::new(),
                    value: Value::Full(floats(&[1.0])),
                    entry: None,
                },
            )
        };
        let golden = Golden {
            facts: Default::default(),
            settings: Default::default(),
            tensors: ["t0", "x", "stray"].map(held).into_iter().collect(),
            parameters: None,
        };
        let (_, ledger) = Run {
            golden: Some(golden),
            ..run()
        }
        .conclude();
        assert_eq!(ledger.leftovers, ["golden: stray"]);
        assert_eq!(
            ledger
                .unjudged
                .into_iter()
                .map(|u| u.what)
                .collect::<Vec<_>>(),
            ["golden: stray"]
        );
    }

    #[test]
    fn where_only_the_inputs_are_asked_for_they_alone_agree_diverge_or_say_nothing() {
        let (a, b) = (floats(&[1.0, 2.0]), floats(&[3.0]));
        fn of(
            sides: [Option<&[(&str, &Tensor)]>; 2],
            scenario: &str,
        ) -> (Outcome, usize, usize, usize) {
            let inputs = vec![("x", floats(&[1.0, 2.0])), ("b", floats(&[3.0]))];
            let (verdict, ledger) = Run {
                scenario,
                inputs,
                sides,
                tensors: vec![],
                ..run()
            }
            .conclude();
            (
                verdict.outcome,
                verdict.input_mismatch.len(),
                ledger.tensors,
                ledger.compared,
            )
        }
        let only = "stages = [\"inputs\"]";
        assert_eq!(of(LIVE, only), (Outcome::Agree, 0, 2, 2));
        assert_eq!(
            of([None, Some(&[("x", &a), ("b", &b)])], only),
            (Outcome::Agree, 0, 2, 2)
        );
        assert_eq!(
            of([None, Some(&[("x", &a)])], only),
            (Outcome::Agree, 0, 2, 1)
        );
        assert_eq!(
            of([None, Some(&[])], only),
            (Outcome::Nothing, 0, 2, 0),
            "a recording without digests"
        );
        assert_eq!(
            of([None, Some(&[("x", &a), ("b", &a)])], only),
            (Outcome::Diverge, 1, 2, 1)
        );
        let other = [None, Some(&[("x", &b)][..])];
        assert_eq!(of(other, ""), (Outcome::Diverge, 1, 0, 0));
        assert_eq!(
            of(other, "stages = [\"activations\"]"),
            (Outcome::Nothing, 0, 0, 0),
            "inputs were not asked for"
        );
    }
}

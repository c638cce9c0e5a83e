//! step: one step that both subjects have computed: isolated against the rounding bound, accumulated as far as it can be told now.

use super::computed::missing;
use super::decision;
use super::explained;
use super::isolated::{self, Case, Own};
use super::kept;
use super::layers::Layers;
use super::live_set::LiveSet;
use super::loop_turn;
use super::sessions::Sessions;
use super::third;
use crate::compare::{LOOKS, Look, look};
use crate::error::{Result, unless_refused};
use crate::floor::Rounding;
use crate::graph::random::is_random;
use crate::graph::{Graph, Step, cost};
use crate::judge::golden;
use crate::judge::network;
use crate::prepare::plan::Plan;
use crate::subject::{Feed, Output};
use crate::tensor::Tensor;
use crate::verdict::{Accumulated, Evidence, Inside, Isolated, Observed, Pending, Side, Why};

/// One step after both subjects have computed it.
pub struct Walked<'a> {
    pub step: usize,
    pub reference: &'a [Output],
    pub candidate: &'a [Output],
    /// The candidate's outputs on the reference's inputs; None where it could not run alone.
    pub alone: Option<&'a [Output]>,
    /// What both sides have computed so far.
    pub own_r: &'a LiveSet,
    pub own_c: &'a LiveSet,
    /// What did not repeat its bits.
    pub repeat: Option<String>,
}

/// What f64 makes of one output on the inputs of one side.
type Shadow = (Tensor, Rounding);

/// One output of the step, with the shadow on either side's inputs: the candidate's only where it cannot be asked.
struct Seen<'a> {
    walked: &'a Walked<'a>,
    k: usize,
    shadow: Option<Shadow>,
    recorded: Option<Shadow>,
}

/// Judges every wanted output of the step and puts the results into `layers`.
pub fn step(
    sessions: &mut Sessions,
    plan: &Plan,
    walked: &Walked,
    layers: &mut Layers,
) -> Result<()> {
    let (step, graph) = (walked.step, sessions.graph);
    let the_step = &graph.steps[step];
    if !the_step.outputs.iter().any(|o| plan.judged.contains(o)) {
        return Ok(());
    }
    let shadow = shadow(sessions, step, walked.own_r)?;
    let recorded = if sessions.candidate.can_isolate() {
        None
    } else {
        self::shadow(sessions, step, walked.own_c)?
    };
    // What is inside a body comes before what the step gives.
    let mut outputs: Vec<(usize, &String)> = the_step
        .outputs
        .iter()
        .enumerate()
        .filter(|(_, n)| plan.judged.contains(*n))
        .collect();
    outputs.sort_by_key(|(_, n)| !graph.bodies.seen.contains_key(*n));
    for (k, name) in outputs {
        let of = |s: &Option<(Vec<Tensor>, Vec<Rounding>)>| {
            s.as_ref()
                .map(|(values, roundings)| (values[k].clone(), roundings[k].clone()))
        };
        let seen = Seen {
            walked,
            k,
            shadow: of(&shadow),
            recorded: of(&recorded),
        };
        if let (Some((_, Rounding::Decision(_))), Ok(r)) = (&seen.shadow, &walked.reference[k]) {
            layers.replay.insert(name.clone(), r.clone());
        }
        if seen.known(sessions, plan) {
            layers.known += 1;
            continue;
        }
        let isolated = seen.isolated(sessions)?;
        if isolated.over() {
            explained::suspect(sessions, walked, &isolated, &mut layers.suspects);
            if layers.looks.len() < LOOKS {
                layers.looks.extend(seen.look(name));
            }
        }
        let pending = seen.pending(sessions)?;
        // What the reference lacks is described by what the candidate has.
        let held = walked.reference[k]
            .as_ref()
            .or(walked.candidate[k].as_ref())
            .ok();
        let mut result = result(
            graph,
            step,
            k,
            held,
            (isolated, pending),
            walked.repeat.clone(),
            walked.own_r,
        );
        if let (true, Some(inside)) = (result.isolated.over(), &mut result.inside) {
            inside.turn = seen.turn(sessions)?;
        }
        layers.tensors.push(result);
        layers.witnessed.extend(
            sessions
                .golden
                .zip(walked.reference[k].as_ref().ok())
                .and_then(|(g, r)| golden::look(g, name, step, r)),
        );
    }
    Ok(())
}

/// The shadow of a step on the inputs of one side; None where there is none, an input is not at hand, or the shadow refuses the inputs: a
/// recording may hold values that no node takes.
fn shadow(
    sessions: &mut Sessions,
    step: usize,
    own: &LiveSet,
) -> Result<Option<(Vec<Tensor>, Vec<Rounding>)>> {
    let the_step = &sessions.graph.steps[step];
    let lacks = is_random(sessions.graph, the_step)
        || sessions.unsupported.steps.contains(&step)
        || missing(sessions.graph, the_step, own).is_some();
    let Some(judge) = sessions.judge.as_mut().filter(|_| !lacks) else {
        return Ok(None);
    };
    let feed = |n: &str| own.get(n);
    let Some(shadow) = unless_refused(judge.eval(step, &feed))? else {
        return Ok(None);
    };
    let rounding = unless_refused(judge.rounding(step, &feed, &shadow))?;
    Ok(rounding.map(|rounding| (shadow, rounding)))
}

impl Seen<'_> {
    fn step<'g>(&self, sessions: &'g Sessions) -> &'g Step {
        &sessions.graph.steps[self.walked.step]
    }

    /// Why the output is nobody's own, where it is not.
    fn borrowed(&self, sessions: &Sessions) -> Option<Why> {
        sessions
            .unsupported
            .why(self.walked.step, self.step(sessions).op())
    }

    /// A constant that a recording does not hold: it is known, and there is nothing to compare.
    fn known(&self, sessions: &Sessions, plan: &Plan) -> bool {
        let absent =
            self.walked.reference[self.k].is_err() || self.walked.candidate[self.k].is_err();
        absent && !sessions.both_live() && plan.constants.contains(&self.walked.step)
    }

    /// The output of a node that is at fault: what it gives on the reference's values where that is at hand, else on its own.
    fn look(&self, name: &str) -> Option<Look> {
        let reference = self.walked.reference[self.k].as_ref().ok()?;
        let alone = self.walked.alone.and_then(|a| a[self.k].as_ref().ok());
        let candidate = alone.or(self.walked.candidate[self.k].as_ref().ok())?;
        look(name, reference.view(), candidate.view(), alone.is_some())
    }

    fn isolated(&self, sessions: &mut Sessions) -> Result<Isolated> {
        let why = match (
            &self.walked.reference[self.k],
            self.walked.alone.map(|a| &a[self.k]),
        ) {
            (Ok(r), Some(Ok(c))) => return self.alone(sessions, r, c),
            (_, Some(Err(says))) => Why::NotTested(says.clone()),
            (reference, None) => match (self.borrowed(sessions), reference) {
                (Some(why), _) => why,
                (None, _) if is_random(sessions.graph, self.step(sessions)) => Why::Random,
                (None, _) if sessions.stated.is_none() && self.recorded.is_some() => {
                    return self.recorded(sessions);
                }
                (None, Err(says)) => Why::Missing(says.clone()),
                (None, Ok(_)) => Why::NotTested(self.why_not_alone(sessions)),
            },
            (Err(says), Some(Ok(_))) => Why::Missing(says.clone()),
        };
        Ok(Isolated::NotJudged { why })
    }

    /// The candidate's node on the reference's values.
    fn alone(&self, sessions: &mut Sessions, r: &Tensor, c: &Tensor) -> Result<Isolated> {
        let feed = |n: &str| self.walked.own_r.get(n);
        match (&sessions.stated, &self.shadow, &mut sessions.judge) {
            (Some(tolerance), _, _) => Ok(isolated::stated(r, c, tolerance)),
            (None, Some((shadow, rounding)), Some(judge)) => {
                let (step, output, kinship) = (self.walked.step, self.k, sessions.kinship);
                let case = Case {
                    step,
                    output,
                    reference: r,
                    candidate: c,
                    shadow,
                    rounding,
                    feed: &feed,
                    kinship,
                };
                let mut found = isolated::judge(&case, &mut **judge)?;
                // What the candidate gives on these very bits is its own.
                let own =
                    matches!(&found, Isolated::Bounded { bounded, .. } if bounded.candidate <= 1.0);
                if found.over() && own && !sessions.reference.can_isolate() {
                    let known = (shadow, rounding, r.dtype());
                    let at = (step, output);
                    if let Some(rounding) =
                        &kept::wider(sessions.graph, &mut **judge, at, &feed, known)?
                    {
                        found = isolated::judge(&Case { rounding, ..case }, &mut **judge)?;
                    }
                }
                Ok(third::settled(
                    sessions,
                    (step, output),
                    &Own {
                        value: r,
                        shadow,
                        rounding,
                        feed: &feed,
                    },
                    found,
                ))
            }
            _ => Ok(Isolated::NotJudged {
                why: Why::NotTested(
                    "own fault not tested: no f64 shadow takes these inputs".into(),
                ),
            }),
        }
    }

    /// What the candidate recorded against f64 on the inputs that it recorded.
    fn recorded(&self, sessions: &mut Sessions) -> Result<Isolated> {
        let (feed_r, feed_c) = (
            |n: &str| self.walked.own_r.get(n),
            |n: &str| self.walked.own_c.get(n),
        );
        let kinship = sessions.kinship;
        let (Some(judge), Some((shadow, rounding)), Ok(value)) = (
            &mut sessions.judge,
            &self.recorded,
            &self.walked.candidate[self.k],
        ) else {
            let says = "own fault not tested (recorded)".into();
            return Ok(Isolated::NotJudged {
                why: Why::NotTested(says),
            });
        };
        let reference = match (&self.shadow, &self.walked.reference[self.k]) {
            (Some((shadow, rounding)), Ok(value)) => Some(Own {
                value,
                shadow,
                rounding,
                feed: &feed_r,
            }),
            _ => None,
        };
        let candidate = Own {
            value,
            shadow,
            rounding,
            feed: &feed_c,
        };
        let at = (self.walked.step, self.k);
        let mut found =
            isolated::recorded(at.0, at.1, reference, candidate, kinship, &mut **judge)?;
        if found.over() {
            let known = (shadow, rounding, value.dtype());
            if let Some(rounding) = &kept::wider(sessions.graph, &mut **judge, at, &feed_c, known)?
            {
                let candidate = Own {
                    rounding,
                    ..candidate
                };
                found =
                    isolated::recorded(at.0, at.1, reference, candidate, kinship, &mut **judge)?;
            }
        }
        let on = reference
            .filter(|_| found.side() == Some(Side::ReferenceOrShadow))
            .unwrap_or(candidate);
        Ok(third::settled(
            sessions,
            (self.walked.step, self.k),
            &on,
            found,
        ))
    }

    fn why_not_alone(&self, sessions: &Sessions) -> String {
        match (
            sessions.candidate.can_isolate(),
            &self.walked.candidate[self.k],
        ) {
            (false, Ok(_)) => {
                "own fault not tested (recorded): an input of its node is not recorded".into()
            }
            (false, Err(says)) => says.clone(),
            (true, _) => "own fault not tested: the reference lacks an input".into(),
        }
    }

    fn pending(&self, sessions: &mut Sessions) -> Result<Pending> {
        let not_judged = |why| Ok(Pending::Done(Accumulated::NotJudged { why }));
        let (r, c) = match (
            &self.walked.reference[self.k],
            &self.walked.candidate[self.k],
        ) {
            (Ok(r), Ok(c)) => (r, c),
            (Err(says), _) | (_, Err(says)) => return not_judged(Why::Missing(says.clone())),
        };
        if let Some(why) = self.borrowed(sessions) {
            return not_judged(why);
        }
        if is_random(sessions.graph, self.step(sessions)) {
            return not_judged(if r.bytes() == c.bytes() {
                Why::Random
            } else {
                Why::Drawn
            });
        }
        let shadow = self
            .shadow
            .as_ref()
            .map(|(value, rounding)| (value, rounding));
        Ok(
            match network::compare_own(r, c, sessions.stated.as_ref(), shadow) {
                Pending::Decision { comparison, .. } => Pending::Decision {
                    comparison,
                    evidence: self.evidence(sessions, r, c)?,
                },
                Pending::Done(done)
                    if sessions.stated.is_none()
                        && infinite(&done)
                        && self.by_right(sessions, [r, c])? =>
                {
                    Pending::Infinite(done)
                }
                pending @ (Pending::Done(_) | Pending::Noise(_) | Pending::Infinite(_)) => pending,
            },
        )
    }

    /// Whether what is infinite on either side, and what is not, is what the node gives in f64 on that side's own inputs.
    fn by_right(&self, sessions: &mut Sessions, values: [&Tensor; 2]) -> Result<bool> {
        for (own, value) in [self.walked.own_r, self.walked.own_c]
            .into_iter()
            .zip(values)
        {
            let Some((exact, _)) = shadow(sessions, self.walked.step, own)? else {
                return Ok(false);
            };
            if !same_infinities(value, &decision::narrowed(&exact[self.k], value.dtype())?) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What can be told of a decision that differs.
    fn evidence(&self, sessions: &mut Sessions, r: &Tensor, c: &Tensor) -> Result<Evidence> {
        let (feed_r, feed_c) = (
            |n: &str| self.walked.own_r.get(n),
            |n: &str| self.walked.own_c.get(n),
        );
        let (the_step, graph) = (self.step(sessions), sessions.graph);
        let at_hand = [self.walked.own_r, self.walked.own_c]
            .map(|own| missing(graph, the_step, own).is_none());
        let unknown = Evidence {
            own: None,
            margin: f64::INFINITY,
        };
        let Some(judge) = sessions
            .judge
            .as_mut()
            .filter(|_| !sessions.unsupported.steps.contains(&self.walked.step))
        else {
            return Ok(unknown);
        };
        let (step, k) = (self.walked.step, self.k);
        let margin = if at_hand[0] {
            judge.margin(step, &feed_r, k, r, c).ok().flatten()
        } else {
            None
        };
        let sides: [(bool, &Tensor, Feed); 2] =
            [(at_hand[0], r, &feed_r), (at_hand[1], c, &feed_c)];
        let mut own = Some(true);
        for (at_hand, value, feed) in sides {
            own = match (own, at_hand) {
                (Some(false), _) => own,
                (_, false) => None,
                (own, true) => match decision::is_own(&mut **judge, step, k, value, feed) {
                    Ok(true) => own,
                    // A node that refuses the inputs cannot have given the value.
                    Ok(false) | Err(_) => Some(false),
                },
            };
        }
        Ok(Evidence {
            own,
            margin: margin.unwrap_or(f64::INFINITY),
        })
    }

    /// The first turn of a loop in which an observed body tensor is over, alone; of a recording, beside f64 on what it recorded in front of the loop.
    fn turn(&self, sessions: &mut Sessions) -> Result<Option<usize>> {
        let here = &self.walked;
        let ours = here.reference[self.k].as_ref();
        let (reference, candidate, seen, own) = match (here.alone, &self.recorded) {
            (None, Some(seen)) => {
                let Ok(value) = &here.candidate[self.k] else {
                    return Ok(None);
                };
                let exact = decision::narrowed(&seen.0, value.dtype())?;
                (exact, value, seen.clone(), here.own_c)
            }
            (alone, _) => {
                let (Ok(r), Some(Ok(c))) = (ours, alone.map(|a| &a[self.k])) else {
                    return Ok(None);
                };
                let seen = self.shadow.clone();
                let seen = seen.unwrap_or_else(|| (r.clone(), Rounding::Exact));
                (r.clone(), c, seen, here.own_r)
            }
        };
        let case = Case {
            step: here.step,
            output: self.k,
            reference: &reference,
            candidate,
            shadow: &seen.0,
            rounding: &seen.1,
            feed: &|n: &str| own.get(n),
            kinship: sessions.kinship,
        };
        loop_turn::first(
            &case,
            sessions.stated.as_ref(),
            sessions.judge.as_deref_mut(),
        )
    }
}

/// Whether two sides differ by infinities, and nothing of either is NaN.
fn infinite(done: &Accumulated) -> bool {
    let Accumulated::Compared { comparison, .. } = done else {
        return false;
    };
    let specials = comparison.metrics().map(|m| &m.specials);
    specials.is_some_and(|s| s.conflicts > 0 && s.nan_reference + s.nan_candidate == 0)
}

/// Whether both are infinite at the same elements, with the same signs.
fn same_infinities(value: &Tensor, exact: &Tensor) -> bool {
    let class = |v: f64| if v.is_infinite() { v } else { 0.0 };
    value.shape() == exact.shape()
        && value
            .to_f64()
            .into_iter()
            .map(class)
            .eq(exact.to_f64().into_iter().map(class))
}

fn result(
    graph: &Graph,
    step: usize,
    output: usize,
    held: Option<&Tensor>,
    (isolated, accumulated): (Isolated, Pending),
    repeat_noise: Option<String>,
    own_r: &LiveSet,
) -> Observed {
    let the_step = &graph.steps[step];
    let node = &the_step.nodes[0];
    let fed: Vec<Option<Tensor>> = node
        .inputs
        .iter()
        .map(|n| graph.weights.get(n).cloned().or_else(|| own_r.get(n)))
        .collect();
    let shapes: Vec<Option<&[usize]>> = fed.iter().map(|t| t.as_ref().map(Tensor::shape)).collect();
    let shape = held.map_or(vec![], |t| t.shape().to_vec());
    let name = &the_step.outputs[output];
    let inner = graph.bodies.seen.get(name);
    Observed {
        name: name.clone(),
        node: inner.map_or(&the_step.name, |i| &i.node).clone(),
        op: inner.map_or(the_step.op(), |i| &i.op).to_string(),
        inside: inner.map(|_| Inside {
            step: the_step.name.clone(),
            op: the_step.op().to_string(),
            turn: None,
        }),
        step,
        dtype: held.map(Tensor::dtype),
        macs: if output == 0 {
            cost::macs(node, &shapes, &shape).unwrap_or(0)
        } else {
            0
        },
        shape,
        accumulated,
        isolated,
        repeat_noise,
    }
}

#[cfg(test)]
mod tests {
    use super::super::isolated::Kinship;
    use super::super::paper::{self, floats, integers};
    use super::super::third::Third;
    use super::*;
    use crate::compare::Tolerance;
    use crate::error::Error;
    use crate::graph::cut::Link;
    use crate::graph::observe::Inner;
    use crate::prepare::unsupported::Unsupported;
    use crate::scenario::load::parse;
    use crate::subject::Session;
    use indexmap::IndexMap;
    use std::sync::Arc;

    const NO_SHADOW: &str = "own fault not tested: no f64 shadow takes these inputs";

    /// One node, what both sides gave, and on what.
    struct Walk<'a> {
        node: &'a str,
        /// Of the reference and of the candidate: whether it computes, its own values, its outputs.
        live: [bool; 2],
        own: [Vec<(&'a str, Tensor)>; 2],
        gave: [Vec<Output>; 2],
        alone: Option<Vec<Output>>,
        graph: &'a dyn Fn(&mut Graph),
        sessions: &'a dyn Fn(&mut Sessions),
        scenario: &'a str,
    }

    /// Both compute "n: `node`" on x = 1, and give and gave alone the same.
    fn walk<'a>(node: &'a str, gave: &[Tensor]) -> Walk<'a> {
        let outputs = || gave.iter().map(|t| Ok(t.clone())).collect::<Vec<Output>>();
        let x = || vec![("x", floats(&[1.0]))];
        Walk {
            node,
            live: [true; 2],
            own: [x(), x()],
            gave: [outputs(), outputs()],
            alone: Some(outputs()),
            graph: &|_| (),
            sessions: &|_| (),
            scenario: "",
        }
    }

    impl Walk<'_> {
        fn run(self) -> Result<Layers> {
            let mut graph = paper::graph(&["x"], &[&format!("n: {}", self.node)], &[]);
            Arc::make_mut(&mut graph)
                .weights
                .insert("w".into(), floats(&[1.0]));
            (self.graph)(Arc::make_mut(&mut graph));
            let plan = Plan::of(
                &graph,
                &parse(&format!(
                    "format = 1\nmodel = \"m.onnx\"\n{}",
                    self.scenario
                ))?,
            )?;
            let inputs = IndexMap::new();
            let mut sessions = paper::sessions(&graph, &inputs, self.live);
            (self.sessions)(&mut sessions);
            let [own_r, own_c] = self.own.map(|own| paper::values(&own));
            let [reference, candidate] = &self.gave;
            let alone = self.alone.as_deref();
            let walked = Walked {
                step: 0,
                reference,
                candidate,
                alone,
                own_r: &own_r,
                own_c: &own_c,
                repeat: None,
            };
            let mut layers = Layers::default();
            step(&mut sessions, &plan, &walked, &mut layers)?;
            Ok(layers)
        }

        /// The only output: why neither way was judged, or None where it was.
        fn why(self) -> [Option<Why>; 2] {
            let mut layers = self.run().unwrap();
            assert_eq!((layers.tensors.len(), layers.known), (1, 0));
            let observed = layers.tensors.remove(0);
            let own = match observed.accumulated {
                Pending::Done(Accumulated::NotJudged { why }) => Some(why),
                Pending::Done(_)
                | Pending::Noise(_)
                | Pending::Infinite(_)
                | Pending::Decision { .. } => None,
            };
            let alone = match observed.isolated {
                Isolated::NotJudged { why } => Some(why),
                _ => None,
            };
            [own, alone]
        }

        fn isolated(self) -> Isolated {
            self.run().unwrap().tensors.remove(0).isolated
        }

        fn evidence(self) -> Evidence {
            match self.run().unwrap().tensors.remove(0).accumulated {
                Pending::Decision { evidence, .. } => evidence,
                other => panic!("{other:?}"),
            }
        }
    }

    fn lacks(sessions: &mut Sessions) {
        sessions.unsupported = Unsupported {
            steps: [0].into(),
            candidate: true,
            ..Unsupported::default()
        };
    }

    fn missing() -> Vec<Output> {
        vec![Err("the trace holds no 'y'".into())]
    }

    fn not_tested(says: &str) -> Option<Why> {
        Some(Why::NotTested(says.into()))
    }

    #[test]
    fn a_node_that_both_compute_is_judged_alone_by_its_bound_and_the_decision_is_kept_for_the_noise()
     {
        let two = || floats(&[2.0]);
        let layers = walk("Double x -> y", &[two()]).run().unwrap();
        let result = &layers.tensors[0];
        assert_eq!(
            (
                result.name.as_str(),
                result.node.as_str(),
                result.op.as_str(),
                result.step
            ),
            ("y", "n", "Double", 0)
        );
        assert!(
            matches!(&result.isolated, Isolated::Bounded { bounded, .. } if bounded.failing == 0)
                && layers.replay.is_empty()
        );
        let fault = Walk {
            alone: Some(vec![Ok(floats(&[2.5]))]),
            ..walk("Double x -> y", &[two()])
        }
        .isolated();
        assert_eq!((fault.over(), fault.side()), (true, Some(Side::Candidate)));
        let layers = walk("Round x -> y", &[integers(&[1])]).run().unwrap();
        assert_eq!(layers.replay["y"].bytes(), integers(&[1]).bytes());
        let unwanted = Walk {
            scenario: "[limit]\nonly = [\"twice\"]",
            ..walk("Both x -> twice whole", &[two(), integers(&[1])])
        };
        assert_eq!(unwanted.run().unwrap().tensors.len(), 1);
    }

    #[test]
    fn a_tolerance_of_the_users_own_is_asked_instead_of_the_bound() {
        let stated: &dyn Fn(&mut Sessions) = &|b| {
            b.stated = Some(Tolerance::Flat {
                atol: 1.0,
                rtol: 0.0,
            })
        };
        let alone = || Some(vec![Ok(floats(&[2.5]))]);
        let isolated = Walk {
            sessions: stated,
            alone: alone(),
            ..walk("Double x -> y", &[floats(&[2.0])])
        }
        .isolated();
        assert!(
            matches!(isolated, Isolated::Stated { ratio: 0.5, .. }),
            "{isolated:?}"
        );
        let recorded = Walk {
            sessions: stated,
            alone: None,
            live: [true, false],
            ..walk("Double x -> y", &[floats(&[2.0])])
        };
        assert_eq!(
            recorded.why()[1],
            not_tested("own fault not tested (recorded): an input of its node is not recorded")
        );
    }

    #[test]
    fn what_is_not_judged_has_its_reason() {
        let two = || walk("Double x -> y", &[floats(&[2.0])]);
        let no_shadow: &dyn Fn(&mut Sessions) = &|b| b.judge = None;
        let refused = || vec![Err("it refuses".to_string())];
        let missing_why = || Some(Why::Missing("the trace holds no 'y'".into()));
        let recorded = |side: usize| [side != 0, side != 1];
        let own = |x_of_candidate: bool| {
            [
                vec![("x", floats(&[1.0]))],
                if x_of_candidate {
                    vec![("x", floats(&[1.0]))]
                } else {
                    vec![]
                },
            ]
        };
        let borrowed = Some(Why::Borrowed {
            op: "Double".into(),
        });
        for (says, walk, want) in [
            ("judged both ways", two(), [None, None]),
            (
                "without a shadow",
                Walk {
                    sessions: no_shadow,
                    ..two()
                },
                [None, not_tested(NO_SHADOW)],
            ),
            (
                "lent",
                Walk {
                    sessions: &lacks,
                    alone: None,
                    ..two()
                },
                [borrowed.clone(), borrowed],
            ),
            (
                "refused alone",
                Walk {
                    alone: Some(refused()),
                    ..two()
                },
                [None, not_tested("it refuses")],
            ),
            (
                "missing on a recorded reference",
                Walk {
                    live: recorded(0),
                    gave: [missing(), vec![Ok(floats(&[2.0]))]],
                    ..two()
                },
                [missing_why(), missing_why()],
            ),
            (
                "missing on a recorded reference, and not run alone",
                Walk {
                    live: recorded(0),
                    gave: [missing(), vec![Ok(floats(&[2.0]))]],
                    alone: None,
                    ..two()
                },
                [missing_why(), missing_why()],
            ),
            (
                "missing on a recorded candidate",
                Walk {
                    live: recorded(1),
                    own: own(false),
                    gave: [vec![Ok(floats(&[2.0]))], missing()],
                    alone: None,
                    ..two()
                },
                [missing_why(), not_tested("the trace holds no 'y'")],
            ),
            (
                "an input of the candidate is not recorded",
                Walk {
                    live: recorded(1),
                    own: own(false),
                    alone: None,
                    ..two()
                },
                [
                    None,
                    not_tested(
                        "own fault not tested (recorded): an input of its node is not recorded",
                    ),
                ],
            ),
            (
                "recorded inputs, but no output",
                Walk {
                    live: recorded(1),
                    gave: [vec![Ok(floats(&[2.0]))], missing()],
                    alone: None,
                    ..two()
                },
                [missing_why(), not_tested("own fault not tested (recorded)")],
            ),
            (
                "the reference lacks an input",
                Walk {
                    own: [vec![], vec![("x", floats(&[1.0]))]],
                    alone: None,
                    ..two()
                },
                [
                    None,
                    not_tested("own fault not tested: the reference lacks an input"),
                ],
            ),
        ] {
            assert_eq!(walk.why(), want, "{says}");
        }
    }

    #[test]
    fn a_draw_is_never_compared_and_said_to_be_shared_or_not() {
        let drawn = || walk("RandomUniform x -> y", &[floats(&[0.5])]);
        let apart = [vec![Ok(floats(&[0.5]))], vec![Ok(floats(&[0.25]))]];
        assert_eq!(
            Walk {
                alone: None,
                ..drawn()
            }
            .why(),
            [Some(Why::Random), Some(Why::Random)]
        );
        assert_eq!(
            Walk {
                alone: None,
                gave: apart,
                ..drawn()
            }
            .why(),
            [Some(Why::Drawn), Some(Why::Random)]
        );
    }

    #[test]
    fn an_infinity_is_by_right_where_f64_gives_it_on_that_sides_own_inputs() {
        let inf = f32::INFINITY;
        let of = |own: [f32; 2], gave: [f32; 2]| {
            let own = own.map(|x| vec![("x", floats(&[x]))]);
            let gave = gave.map(|y| vec![Ok(floats(&[y]))]);
            let layers = Walk {
                own,
                gave,
                ..walk("Double x -> y", &[floats(&[2.0])])
            }
            .run()
            .unwrap();
            matches!(layers.tensors[0].accumulated, Pending::Infinite(_))
        };
        assert!(
            of([1e38, 2e38], [2e38, inf])
                && of([2e38, 1e38], [inf, 2e38])
                && of([1e38, -2e38], [2e38, -inf])
        );
        for (own, gave, says) in [
            ([1e38, 1e38], [2e38, inf], "not on these inputs"),
            ([1e38, 2e38], [inf, 1e38], "neither is by right"),
            ([1e38, -2e38], [2e38, inf], "the other infinity"),
            ([1e38, 2e38], [2e38, f32::NAN], "NaN is no overflow"),
            ([2e38, 2e38], [inf, inf], "equal"),
        ] {
            assert!(!of(own, gave), "{says}");
        }
    }

    #[test]
    fn a_node_that_f64_lacks_or_refuses_is_not_tested_alone() {
        let refuses = || walk("Refuses x -> y", &[floats(&[2.0])]);
        let borrowed = Some(Why::Borrowed {
            op: "Refuses".into(),
        });
        assert_eq!(
            Walk {
                sessions: &lacks,
                alone: None,
                ..refuses()
            }
            .why(),
            [borrowed.clone(), borrowed]
        );
        assert_eq!(refuses().why(), [None, not_tested(NO_SHADOW)]);
        let lacks_only = Walk {
            sessions: &|b| b.unsupported.steps = [0].into(),
            ..walk("Double x -> y", &[floats(&[2.0])])
        };
        assert_eq!(
            lacks_only.why(),
            [None, not_tested(NO_SHADOW)],
            "whatever it would say"
        );
        let by_weight = Walk {
            own: [vec![], vec![]],
            ..walk("Double w -> y", &[floats(&[2.0])])
        };
        assert!(
            matches!(by_weight.isolated(), Isolated::Bounded { .. }),
            "a weight is at hand on either side"
        );
    }

    #[test]
    fn a_constant_that_a_recording_does_not_hold_is_known_and_no_tensor() {
        let (node, two) = ("Double w -> y", vec![Ok(floats(&[2.0]))]);
        let constant = |live, gave| {
            let layers = Walk {
                live,
                gave,
                alone: None,
                ..walk(node, &[floats(&[2.0])])
            }
            .run()
            .unwrap();
            (layers.known, layers.tensors.len())
        };
        assert_eq!(constant([true, false], [two.clone(), missing()]), (1, 0));
        assert_eq!(constant([false, true], [missing(), two.clone()]), (1, 0));
        assert_eq!(
            constant([true, true], [two.clone(), missing()]),
            (0, 1),
            "a side that computes must have it"
        );
        assert_eq!(
            constant([true, false], [two.clone(), two.clone()]),
            (0, 1),
            "held, it is compared"
        );
        let follows = Walk {
            live: [true, false],
            gave: [two, missing()],
            alone: None,
            ..walk("Double x -> y", &[floats(&[2.0])])
        };
        assert_eq!((follows.run().unwrap().known), 0, "an input decides it");
    }

    #[test]
    fn a_recording_is_tried_on_its_own_inputs_and_the_reference_on_its_own() {
        let side = |x: [f32; 2], y: [f32; 2]| {
            let own = x.map(|x| vec![("x", floats(&[x]))]);
            let gave = y.map(|y| vec![Ok(floats(&[y]))]);
            let isolated = Walk {
                live: [true, false],
                own,
                gave,
                alone: None,
                ..walk("Double x -> y", &[floats(&[2.0])])
            }
            .isolated();
            assert!(matches!(isolated, Isolated::Bounded { .. }), "{isolated:?}");
            isolated.side()
        };
        assert_eq!(
            side([1.0, 3.0], [2.0, 6.0]),
            None,
            "each is right on its own inputs"
        );
        assert_eq!(side([1.0, 3.0], [2.0, 2.0]), Some(Side::Candidate));
        assert_eq!(side([1.0, 1.0], [3.0, 2.0]), Some(Side::Reference));
        assert_eq!(side([1.0, 1.0], [3.0, 3.0]), Some(Side::Both));
    }

    /// A third engine that doubles one number, and refuses any other.
    struct Doubles(f32);

    impl Session for Doubles {
        fn tensors(&mut self, _: &[&str], _: Link, feed: Feed) -> Result<Vec<Output>> {
            let fed = feed("x").is_some_and(|x| x.bytes() == floats(&[self.0]).bytes());
            if fed {
                Ok(vec![Ok(floats(&[2.0 * self.0]))])
            } else {
                Err(Error::failed("another input"))
            }
        }
    }

    #[test]
    fn where_a_recording_stands_against_libtorch_and_f64_a_third_engine_is_asked_on_the_inputs_of_the_recording()
     {
        let side = |y: [f32; 2], [reference, candidate]: [bool; 2], knows: f32| {
            let own = [1.0, 5.0].map(|x| vec![("x", floats(&[x]))]);
            let gave = y.map(|y| vec![Ok(floats(&[y]))]);
            let sessions: &dyn Fn(&mut Sessions) = &|b| {
                b.kinship = Kinship {
                    reference,
                    candidate,
                };
                b.third = Third::Open(Box::new(Doubles(knows)));
            };
            Walk {
                live: [false; 2],
                own,
                gave,
                alone: None,
                sessions,
                ..walk("Double x -> y", &[floats(&[2.0])])
            }
            .isolated()
            .side()
        };
        assert_eq!(side([3.0, 10.0], [false, true], 1.0), Some(Side::Reference));
        assert_eq!(
            side([3.0, 10.0], [false, true], 5.0),
            Some(Side::ReferenceOrShadow),
            "asked on the reference's, it refuses"
        );
        assert_eq!(side([2.0, 9.0], [true, false], 5.0), Some(Side::Candidate));
        assert_eq!(
            side([2.0, 9.0], [true, false], 1.0),
            Some(Side::CandidateOrShadow)
        );
        assert_eq!(side([2.0, 10.0], [true, false], 1.0), None);
        let live = |y: [f32; 2], [reference, candidate]: [bool; 2]| {
            let sessions: &dyn Fn(&mut Sessions) = &|b| {
                b.kinship = Kinship {
                    reference,
                    candidate,
                };
                b.third = Third::Open(Box::new(Doubles(1.0)));
            };
            Walk {
                sessions,
                alone: Some(vec![Ok(floats(&[y[1]]))]),
                ..walk("Double x -> y", &[floats(&[y[0]])])
            }
            .isolated()
            .side()
        };
        assert_eq!(
            live([3.0, 2.0], [false, true]),
            Some(Side::ReferenceOrShadow),
            "a reference that computes is no recording"
        );
        assert_eq!(
            live([2.0, 3.0], [true, false]),
            Some(Side::CandidateOrShadow)
        );
    }

    #[test]
    fn of_a_decision_that_differs_it_is_told_whether_each_is_the_sides_own_and_how_near_the_border_is()
     {
        let evidence = |x: [Option<f32>; 2], y: [i64; 2], node, sessions| {
            let own = x.map(|x| x.map(|x| ("x", floats(&[x]))).into_iter().collect());
            let gave = y.map(|y| vec![Ok(integers(&[y]))]);
            let Evidence { own, margin } = Walk {
                live: [false, true],
                own,
                gave,
                alone: None,
                sessions,
                ..walk(node, &[])
            }
            .evidence();
            (own, margin)
        };
        let (round, as_it_is): (&str, &dyn Fn(&mut Sessions)) = ("Round x -> y", &|_| ());
        let of = |x, y| evidence(x, y, round, as_it_is);
        let far = f64::INFINITY;
        assert_eq!(of([Some(0.75), Some(0.25)], [1, 0]), (Some(true), 0.25));
        assert_eq!(of([Some(0.75), Some(0.25)], [1, 2]), (Some(false), 0.25));
        assert_eq!(of([Some(0.75), Some(0.25)], [2, 0]), (Some(false), 0.25));
        assert_eq!(of([Some(0.75), None], [1, 0]), (None, 0.25));
        assert_eq!(of([None, Some(0.25)], [1, 0]), (None, far));
        assert_eq!(
            of([None, Some(0.25)], [1, 2]),
            (Some(false), far),
            "not its own, whatever the reference took"
        );
        assert_eq!(of([Some(0.75), None], [2, 0]), (Some(false), 0.25));
        assert_eq!(
            evidence([Some(0.75), Some(0.25)], [1, 0], "Refuses x -> y", as_it_is),
            (Some(false), far)
        );
        assert_eq!(
            evidence([Some(0.75), Some(0.25)], [1, 0], round, &|b| b
                .unsupported
                .steps =
                [0].into()),
            (None, far)
        );
    }

    #[test]
    fn what_was_observed_in_a_body_comes_first_and_says_in_which_turn_it_is_over() {
        let seen: &dyn Fn(&mut Graph) = &|g| {
            let inner = Inner {
                node: "n/inner".into(),
                op: "Inner".into(),
                local: "local".into(),
                inputs: vec![],
            };
            g.bodies.seen.insert("whole".into(), inner);
        };
        let x = || vec![("x", Tensor::of(&[3, 1], &[1f32, 2.0, 3.0]))];
        let (twice, whole) = (Tensor::of(&[3, 1], &[2f32, 4.0, 6.0]), |last: i64| {
            Tensor::of(&[3, 1], &[1i64, 2, last])
        });
        let of = |alone: i64| {
            let alone = Some(vec![Ok(twice.clone()), Ok(whole(alone))]);
            let walk = Walk {
                own: [x(), x()],
                alone,
                graph: seen,
                ..walk("Both x -> twice whole", &[twice.clone(), whole(3)])
            };
            let results = walk.run().unwrap().tensors;
            assert_eq!(
                results
                    .iter()
                    .map(|r| (r.name.as_str(), r.node.as_str()))
                    .collect::<Vec<_>>(),
                [("whole", "n/inner"), ("twice", "n")]
            );
            assert!(results[1].inside.is_none());
            results[0]
                .inside
                .as_ref()
                .map(|i| (i.step.clone(), i.op.clone(), i.turn))
        };
        assert_eq!(of(3), Some(("n".into(), "Both".into(), None)));
        assert_eq!(of(4), Some(("n".into(), "Both".into(), Some(2))));
    }

    #[test]
    fn the_work_of_a_step_is_counted_on_its_first_output() {
        let stated: &dyn Fn(&mut Sessions) =
            &|b| (b.stated, b.judge) = (Some(Tolerance::Exact), None);
        let x = || vec![("x", Tensor::of(&[2, 3], &[1f32; 6]))];
        let square = Tensor::of(&[2, 2], &[3f32; 4]);
        let walk = Walk {
            own: [x(), x()],
            sessions: stated,
            ..walk("MatMul x w -> y z", &[square.clone(), square])
        };
        let results = walk.run().unwrap().tensors;
        assert_eq!(
            results
                .iter()
                .map(|r| (r.name.as_str(), r.macs, r.shape.as_slice()))
                .collect::<Vec<_>>(),
            [("y", 2 * 2 * 3, &[2, 2][..]), ("z", 0, &[2, 2][..])]
        );
    }
}

//! network: both subjects on their own upstream values; what the cheap bound cannot excuse waits for the noise floor.

use super::{Limit, against};
use crate::compare::{Comparison, Tolerance, compare, judge as judge_stated};
use crate::floor::noise::{self, Floor, R};
use crate::floor::{Rounding, bound};
use crate::graph::Graph;
use crate::graph::known::known;
use crate::tensor::Tensor;
use crate::verdict::{
    Accumulated, Evidence, Isolated, Observed, Pending, TensorResult, ToleranceBy, Why,
};
use std::collections::{HashMap, HashSet};

/// Why a tensor has no floor.
const NO_FLOOR: &str = "no noise floor: the f64 shadow has another shape or no such output";

/// Compares both subjects' own values; `shadow` is the node's f64 value on the reference's inputs, where there is one.
pub fn compare_own(
    reference: &Tensor,
    candidate: &Tensor,
    stated: Option<&Tolerance>,
    judged: Option<(&Tensor, &Rounding)>,
) -> Pending {
    let comparison = compare(
        reference.view(),
        candidate.view(),
        noise::axis_for(reference.shape()),
    );
    let done = |comparison, ratio, by| {
        Pending::Done(Accumulated::Compared {
            comparison,
            ratio,
            by,
        })
    };
    if let Some(tolerance) = stated {
        let ratio = judge_stated(reference.view(), candidate.view(), tolerance).ratio();
        return done(comparison, ratio, ToleranceBy::Stated);
    }
    let apart = comparison
        .metrics()
        .is_some_and(|m| m.specials.conflicts == 0 && !m.identical());
    if apart
        && (!reference.dtype().is_float() || matches!(judged, Some((_, Rounding::Decision(_)))))
    {
        return Pending::Decision {
            comparison,
            evidence: Evidence {
                own: None,
                margin: f64::INFINITY,
            },
        };
    }
    if !apart {
        let judgement = against(&comparison, Limit::Exact { proved: None });
        return Pending::Done(Accumulated::of(
            judgement,
            comparison,
            ToleranceBy::Exact,
            0.0,
        ));
    }
    match judged
        .and_then(|(shadow, rounding)| within_rounding(reference, candidate, shadow, rounding))
    {
        Some(ratio) if ratio <= 1.0 => done(comparison, ratio, ToleranceBy::Rounding),
        _ => Pending::Noise(comparison),
    }
}

/// |candidate's own value − shadow| / B of the node alone: an error below that needs no network to explain it.
fn within_rounding(
    reference: &Tensor,
    candidate: &Tensor,
    shadow: &Tensor,
    rounding: &Rounding,
) -> Option<f64> {
    let Rounding::Within {
        family,
        scale,
        terms,
    } = rounding
    else {
        return None;
    };
    let bound = bound::Bound::of(*family, *terms, scale, reference.dtype())?;
    bound::largest_ratio(reference.view(), candidate.view(), shadow, bound)
}

/// What a walk says besides the tensors.
pub struct Facts<'a> {
    /// Decisions that flipped and with whose reference value the candidate went on.
    pub gone_on: &'a HashSet<String>,
    /// Steps that draw, and whose draw the sides do not share.
    pub unshared: &'a HashSet<usize>,
}

/// Every tensor held against its floor, in executable order, so that what lies behind a tie flip is recognised.
pub fn judged(
    tensors: &[Observed],
    facts: &Facts,
    floors: &HashMap<String, Floor>,
    graph: &Graph,
) -> Vec<TensorResult> {
    let mut settled = Settled {
        floors,
        fed: known(graph),
        within: HashSet::new(),
        over: HashSet::new(),
        behind: behind_draws(graph, facts.unshared),
        overflowed: HashMap::new(),
    };
    let one = |observed: &Observed| {
        let parents = &graph.steps[observed.step].inputs;
        let went_on = facts.gone_on.contains(&observed.name);
        let isolated = settled.alone(observed, parents);
        let accumulated = settled.judge(observed, &isolated, parents);
        let result = TensorResult {
            isolated,
            ..observed.with(accumulated)
        };
        settled.take(&result, parents, went_on);
        result
    };
    tensors.iter().map(one).collect()
}

/// Everything behind these steps, whether it is judged itself or not.
fn behind_draws(graph: &Graph, unshared: &HashSet<usize>) -> HashMap<String, Why> {
    let mut behind: HashMap<String, Why> = HashMap::new();
    for (i, step) in graph.steps.iter().enumerate() {
        let own = unshared.contains(&i).then(|| Why::BehindDraw {
            node: step.name.clone(),
        });
        if let Some(why) = own.or_else(|| step.inputs.iter().find_map(|n| behind.get(n)).cloned()) {
            behind.extend(step.outputs.iter().map(|n| (n.clone(), why.clone())));
        }
    }
    behind
}

/// What is known of the tensors in front.
struct Settled<'a> {
    floors: &'a HashMap<String, Floor>,
    /// Equal on both sides by construction.
    fed: HashSet<&'a str>,
    within: HashSet<String>,
    over: HashSet<String>,
    /// What no longer can be judged behind these, and why.
    behind: HashMap<String, Why>,
    /// The node that overflows at or before these.
    overflowed: HashMap<String, String>,
}

impl Settled<'_> {
    /// The node alone, unless it is off in nothing but what it makes of infinities that an overflow in front of it has made: what an engine
    /// makes of 0 · ∞ and the like says nothing where rounding alone has made the ∞.
    fn alone(&self, observed: &Observed, parents: &[String]) -> Isolated {
        match self.overflow_before(parents) {
            Some(node) if observed.isolated.over_in_what_is_not_finite() => Isolated::NotJudged {
                why: Why::BehindOverflow { node },
            },
            Some(_) | None => observed.isolated.clone(),
        }
    }

    fn judge(&self, observed: &Observed, isolated: &Isolated, parents: &[String]) -> Accumulated {
        let not_judged = |why| Accumulated::NotJudged { why };
        let node = || observed.node.clone();
        let overflows = || not_judged(Why::BehindOverflow { node: node() });
        let open = || not_judged(Why::BehindUndefined { node: node() });
        let behind = parents.iter().find_map(|p| self.behind.get(p)).cloned();
        match (&observed.accumulated, behind) {
            (Pending::Done(done), Some(_)) if !done.over() => done.clone(),
            (_, Some(why)) => not_judged(why),
            (Pending::Done(done), None) => match done.over() {
                true if isolated.overflows() => overflows(),
                true if self.is_open(isolated, parents) => open(),
                true | false => done.clone(),
            },
            // As with a decision: inputs that agree lead to either, so that rounding alone takes it out of the dtype.
            (Pending::Infinite(_), None) if self.compared(parents) => overflows(),
            (Pending::Infinite(done), None) => done.clone(),
            (Pending::Noise(comparison), None) => {
                self.by_noise(&observed.name, comparison, isolated, parents)
            }
            (Pending::Decision { evidence, .. }, None)
                if self.is_open(isolated, parents) && !self.proves(evidence, parents) =>
            {
                open()
            }
            (
                Pending::Decision {
                    comparison,
                    evidence,
                },
                None,
            ) => self.by_proof(comparison, evidence, parents),
        }
    }

    /// Held against its floor.
    fn by_noise(
        &self,
        name: &str,
        comparison: &Comparison,
        isolated: &Isolated,
        parents: &[String],
    ) -> Accumulated {
        let floor = self.floors.get(name);
        let limit = floor.map_or(Limit::Unknown(NO_FLOOR), Limit::Spread);
        let judgement = against(comparison, limit);
        match (judgement.over(), isolated) {
            // Elements of the input, of which the node alone takes the one or the other.
            (true, Isolated::TieFlip { margin, flips, .. }) if !self.any_over(parents) => {
                let proved = Some(*flips);
                let judgement = against(comparison, Limit::Exact { proved });
                Accumulated::of(judgement, comparison.clone(), ToleranceBy::Exact, *margin)
            }
            _ => {
                let runs = floor.map_or(0, |f| f.runs);
                Accumulated::of(
                    judgement,
                    comparison.clone(),
                    ToleranceBy::Noise { runs },
                    0.0,
                )
            }
        }
    }

    /// A differing decision: a tie where that is proved.
    fn by_proof(
        &self,
        comparison: &Comparison,
        evidence: &Evidence,
        parents: &[String],
    ) -> Accumulated {
        let flips = comparison.metrics().map_or(0, |m| m.mismatches);
        let proved = self.proves(evidence, parents).then_some(flips);
        let judgement = against(comparison, Limit::Exact { proved });
        Accumulated::of(
            judgement,
            comparison.clone(),
            ToleranceBy::Exact,
            evidence.margin,
        )
    }

    /// Whether a differing decision is proved to be a flip.
    fn proves(&self, evidence: &Evidence, parents: &[String]) -> bool {
        match (evidence.own, self.compared(parents)) {
            (Some(own), true) => own,
            (Some(false), false) => false,
            // Inputs that nobody compared prove nothing: the margin on the reference's must be what rounding moves them by.
            (Some(true) | None, _) => {
                let spread = parents
                    .iter()
                    .filter_map(|p| self.floors.get(p))
                    .flat_map(|f| &f.max)
                    .copied()
                    .fold(0.0, f64::max);
                !self.any_over(parents)
                    && spread > 0.0
                    && spread.is_finite()
                    && evidence.margin <= R * spread
            }
        }
    }

    /// The node in front of these that overflows.
    fn overflow_before(&self, parents: &[String]) -> Option<String> {
        parents.iter().find_map(|p| self.overflowed.get(p)).cloned()
    }

    /// Whether all of these were compared and are within.
    fn compared(&self, parents: &[String]) -> bool {
        parents
            .iter()
            .all(|p| self.fed.contains(p.as_str()) || self.within.contains(p))
    }

    /// Whether inputs that agree lead to whatever either side has, because the standard leaves that open.
    fn is_open(&self, isolated: &Isolated, parents: &[String]) -> bool {
        matches!(
            isolated,
            Isolated::NotJudged {
                why: Why::Undefined(_)
            }
        ) && self.compared(parents)
    }

    fn any_over(&self, parents: &[String]) -> bool {
        parents.iter().any(|p| self.over.contains(p))
    }

    /// Remembers what the next tensors have to know; a live candidate `went_on` with the reference's decision.
    fn take(&mut self, result: &TensorResult, parents: &[String], went_on: bool) {
        let name = || result.name.clone();
        if result.accumulated.over() {
            self.over.insert(name());
        } else if result.accumulated.compared() {
            self.within.insert(name());
        }
        let overflow = if result.isolated.overflows() {
            Some(result.node.clone())
        } else {
            self.overflow_before(parents)
        };
        self.overflowed.extend(overflow.map(|node| (name(), node)));
        // Equal bits end what a flip has started: nothing of it is left in them.
        let same = matches!(&result.accumulated, Accumulated::Compared { by: ToleranceBy::Exact, ratio, .. } if *ratio == 0.0);
        let flips = matches!(result.accumulated, Accumulated::TieFlip { .. })
            || matches!(result.isolated, Isolated::TieFlip { .. });
        let node = || result.node.clone();
        let own = match &result.accumulated {
            Accumulated::NotJudged {
                why: why @ (Why::BehindOverflow { node } | Why::BehindUndefined { node }),
            } => Some(why).filter(|_| *node == result.node).cloned(),
            Accumulated::NotJudged { .. }
            | Accumulated::Compared { .. }
            | Accumulated::TieFlip { .. } => None,
        };
        let overflows = || {
            result
                .isolated
                .overflows()
                .then(|| Why::BehindOverflow { node: node() })
        };
        let why = match flips {
            true if went_on => None,
            true => Some(Why::BehindFlip { node: node() }),
            false => own
                .or_else(overflows)
                .or_else(|| parents.iter().find_map(|p| self.behind.get(p)).cloned()),
        };
        if let Some(why) = why.filter(|_| !same) {
            self.behind.insert(name(), why);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::floor::{Alone, Family};
    use crate::graph::paper::{self, floats, integers};
    use crate::verdict::sample;

    const INF: f64 = f64::INFINITY;

    /// What a comparison is at once: judged by something at a ratio, or waiting.
    fn kind(pending: &Pending) -> (&'static str, f64) {
        match pending {
            Pending::Infinite(_) => ("infinite", INF),
            Pending::Done(Accumulated::Compared { by, ratio, .. }) => match by {
                ToleranceBy::Exact => ("exact", *ratio),
                ToleranceBy::Stated => ("stated", *ratio),
                ToleranceBy::Rounding => ("rounding", (*ratio * 10.0).round() / 10.0),
                ToleranceBy::Noise { .. }
                | ToleranceBy::CandidateNoise { .. }
                | ToleranceBy::Positives
                | ToleranceBy::Function { .. }
                | ToleranceBy::Unjudged => ("otherwise", *ratio),
            },
            Pending::Done(_) => ("not judged", 0.0),
            Pending::Noise(_) => ("noise", 0.0),
            Pending::Decision { evidence, .. } => ("decision", evidence.margin),
        }
    }

    #[test]
    fn what_is_equal_stated_or_within_the_rounding_of_its_node_is_judged_at_once_and_the_rest_waits()
     {
        let (one, two) = (floats(&[1.0]), floats(&[2.0]));
        let (near, far) = (
            floats(&[1.0 + f32::EPSILON]),
            floats(&[1.0 + 4.0 * f32::EPSILON]),
        );
        let within = Rounding::Within {
            family: Family::Arithmetic,
            scale: Tensor::of(&[1], &[1.0f64]),
            terms: 1,
        };
        let exact = Tensor::of(&[1], &[1.0f64]);
        let rounds = Some((&exact, &within));
        let decides = Some((&exact, &Rounding::Decision(Alone::Function)));
        let selects = Some((&exact, &Rounding::Selection(Alone::Rounds)));
        let half = Some(&Tolerance::Flat {
            atol: 2.0,
            rtol: 0.0,
        });
        let (three, four) = (integers(&[3]), integers(&[4]));
        for (says, reference, candidate, stated, judged, want) in [
            ("equal", &one, &one, None, rounds, ("exact", 0.0)),
            (
                "equal, of a decision",
                &one,
                &one,
                None,
                decides,
                ("exact", 0.0),
            ),
            (
                "zeros of two signs",
                &floats(&[0.0]),
                &floats(&[-0.0]),
                None,
                rounds,
                ("exact", 0.0),
            ),
            (
                "NaN on one side",
                &one,
                &floats(&[f32::NAN]),
                None,
                rounds,
                ("exact", INF),
            ),
            (
                "NaN on one side, of a decision",
                &one,
                &floats(&[f32::NAN]),
                None,
                decides,
                ("exact", INF),
            ),
            (
                "of another shape",
                &one,
                &floats(&[1.0, 1.0]),
                None,
                rounds,
                ("exact", INF),
            ),
            (
                "within the node's rounding",
                &one,
                &near,
                None,
                rounds,
                ("rounding", 0.5),
            ),
            ("beyond it", &one, &far, None, rounds, ("noise", 0.0)),
            ("no rounding known", &one, &near, None, None, ("noise", 0.0)),
            (
                "elements of the input",
                &one,
                &near,
                None,
                selects,
                ("noise", 0.0),
            ),
            (
                "a decision in floats",
                &one,
                &two,
                None,
                decides,
                ("decision", INF),
            ),
            (
                "integers that differ",
                &three,
                &four,
                None,
                None,
                ("decision", INF),
            ),
            (
                "integers that are equal",
                &three,
                &three,
                None,
                None,
                ("exact", 0.0),
            ),
            (
                "stated, of floats",
                &one,
                &two,
                half,
                rounds,
                ("stated", 0.5),
            ),
            (
                "stated, of integers",
                &three,
                &four,
                half,
                decides,
                ("stated", 0.5),
            ),
        ] {
            assert_eq!(
                kind(&compare_own(reference, candidate, stated, judged)),
                want,
                "{says}"
            );
        }
    }

    fn floor(max: f64) -> Floor {
        Floor {
            axis: None,
            max: vec![max],
            rms: vec![max],
            runs: 4,
        }
    }

    fn differs() -> Pending {
        Pending::Noise(sample::comparison(false))
    }

    fn done(ratio: f64) -> Pending {
        Pending::Done(sample::own(ratio))
    }

    fn decision(own: bool) -> Pending {
        Pending::Decision {
            comparison: sample::comparison(false),
            evidence: Evidence {
                own: Some(own),
                margin: 0.25,
            },
        }
    }

    fn infinite() -> Pending {
        Pending::Infinite(sample::own(f64::INFINITY))
    }

    fn flips() -> Isolated {
        Isolated::TieFlip {
            flips: 1,
            of: 1,
            margin: 0.0,
        }
    }

    fn overflows() -> Isolated {
        let bounded = bound::Bounded {
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

    fn fine() -> Isolated {
        sample::alone(false)
    }

    /// What a walk leaves.
    #[derive(Default)]
    struct Seen {
        tensors: Vec<Observed>,
        gone_on: HashSet<String>,
        unshared: HashSet<usize>,
    }

    impl Seen {
        fn judged(&self, floors: &HashMap<String, Floor>, graph: &Graph) -> Vec<TensorResult> {
            let facts = Facts {
                gone_on: &self.gone_on,
                unshared: &self.unshared,
            };
            judged(&self.tensors, &facts, floors, graph)
        }
    }

    /// Settles tensors 't0', 't1', ... of a chain behind the input 'x'; `floors` are those of some, by index.
    fn chain(
        tensors: Vec<(Pending, Isolated)>,
        floors: &[(usize, f64)],
        change: impl Fn(&mut Seen),
    ) -> Vec<Accumulated> {
        let from = |i: usize| {
            if i == 0 {
                "x".to_string()
            } else {
                format!("t{}", i - 1)
            }
        };
        let nodes: Vec<String> = (0..tensors.len())
            .map(|i| format!("n{i}: Double {} -> t{i}", from(i)))
            .collect();
        let graph = paper::graph(
            &["x"],
            &nodes.iter().map(String::as_str).collect::<Vec<_>>(),
            &[],
        );
        let mut seen = Seen::default();
        for (i, (pending, isolated)) in tensors.into_iter().enumerate() {
            seen.tensors.push(Observed {
                isolated,
                ..sample::tensor(i).with(pending)
            });
        }
        change(&mut seen);
        let floors = floors
            .iter()
            .map(|(i, max)| (format!("t{i}"), floor(*max)))
            .collect();
        let results = seen.judged(&floors, &graph).into_iter();
        results.map(|r| r.accumulated).collect()
    }

    fn plain(tensors: Vec<(Pending, Isolated)>, floors: &[(usize, f64)]) -> Vec<Accumulated> {
        chain(tensors, floors, |_| ())
    }

    fn why(accumulated: &Accumulated) -> Option<&Why> {
        match accumulated {
            Accumulated::NotJudged { why } => Some(why),
            Accumulated::Compared { .. } | Accumulated::TieFlip { .. } => None,
        }
    }

    #[test]
    fn what_waits_is_judged_by_its_floor_and_without_one_not_at_all() {
        let of = |floors: &[(usize, f64)]| plain(vec![(differs(), fine())], floors).remove(0);
        let by_noise = |a: &Accumulated| {
            matches!(
                a,
                Accumulated::Compared {
                    by: ToleranceBy::Noise { runs: 4 },
                    ..
                }
            )
        };
        assert!(by_noise(&of(&[(0, 1.0)])) && !of(&[(0, 1.0)]).over());
        assert!(by_noise(&of(&[(0, 0.1)])) && of(&[(0, 0.1)]).over());
        assert_eq!(why(&of(&[])), Some(&Why::NoFloor(NO_FLOOR.into())));
    }

    #[test]
    fn beyond_its_tolerance_where_the_node_overflows_nothing_is_judged() {
        let of = |ratio, isolated| plain(vec![(done(ratio), isolated)], &[]).remove(0);
        assert_eq!(
            why(&of(2.0, overflows())),
            Some(&Why::BehindOverflow { node: "n0".into() })
        );
        assert_eq!(of(0.5, overflows()), sample::own(0.5));
        assert!(of(2.0, fine()).over());
    }

    #[test]
    fn behind_an_overflow_what_differs_is_not_judged_and_what_agrees_is() {
        let behind = |second| {
            plain(
                vec![(done(0.5), overflows()), (second, fine())],
                &[(1, 1.0)],
            )
            .remove(1)
        };
        let overflow = Some(Why::BehindOverflow { node: "n0".into() });
        assert_eq!(why(&behind(differs())).cloned(), overflow);
        assert_eq!(why(&behind(done(2.0))).cloned(), overflow);
        assert_eq!(why(&behind(decision(true))).cloned(), overflow);
        assert_eq!(behind(done(0.5)), sample::own(0.5));
    }

    #[test]
    fn a_node_behind_an_overflow_is_not_at_fault_for_what_it_makes_of_infinities() {
        let special = || Isolated::Exact {
            comparison: compare(floats(&[1.0]).view(), floats(&[f32::NAN]).view(), None),
            side: None,
        };
        let other = || Isolated::Exact {
            comparison: compare(floats(&[1.0]).view(), floats(&[2.0]).view(), None),
            side: None,
        };
        let unlike = || {
            let worst = bound::Worst {
                ratio: INF,
                ..Default::default()
            };
            let bounded = bound::Bounded {
                failing: 1,
                worst,
                ..Default::default()
            };
            Isolated::Bounded {
                family: Family::Interpolation,
                terms: 2,
                bounded,
                side: None,
            }
        };
        let far = || sample::alone(true);
        let alone = |first: fn() -> Isolated, second: Isolated| {
            let graph = paper::graph(&["x"], &["n0: Double x -> t0", "n1: Double t0 -> t1"], &[]);
            let mut seen = Seen::default();
            for (i, isolated) in [first(), second].into_iter().enumerate() {
                seen.tensors.push(Observed {
                    isolated,
                    ..sample::tensor(i).with(done(0.0))
                });
            }
            seen.judged(&HashMap::new(), &graph).remove(1).isolated
        };
        let not_judged = Isolated::NotJudged {
            why: Why::BehindOverflow { node: "n0".into() },
        };
        for isolated in [special(), unlike()] {
            assert_eq!(
                alone(overflows, isolated.clone()),
                not_judged,
                "equal bits in front do not end an overflow"
            );
            assert!(alone(fine, isolated).over(), "nothing overflows in front");
        }
        for isolated in [other(), far()] {
            assert!(alone(overflows, isolated).over(), "finite, and off");
        }
    }

    #[test]
    fn infinities_that_each_side_has_by_right_are_an_overflow_where_the_inputs_agree_and_lead_to_others()
     {
        let of = |before: Pending| {
            plain(
                vec![(before, fine()), (infinite(), fine()), (differs(), fine())],
                &[(2, 0.1)],
            )
        };
        let overflow = Some(Why::BehindOverflow { node: "n1".into() });
        let agreed = of(done(0.5));
        assert_eq!(
            (why(&agreed[1]).cloned(), why(&agreed[2]).cloned()),
            (overflow.clone(), overflow)
        );
        assert!(of(done(2.0))[1].over(), "the inputs are off");
        assert!(of(differs())[1].over(), "nobody compared the inputs");
        assert_eq!(
            why(&plain(vec![(done(0.5), overflows()), (infinite(), fine())], &[])[1]),
            Some(&Why::BehindOverflow { node: "n0".into() })
        );
    }

    #[test]
    fn what_the_standard_leaves_open_is_not_judged_where_the_inputs_agree_nor_what_lies_behind_it()
    {
        let undefined = || Isolated::NotJudged {
            why: Why::Undefined("left open".into()),
        };
        let open = Some(Why::BehindUndefined { node: "n1".into() });
        let of = |before: Pending, own: Pending| {
            plain(
                vec![(before, fine()), (own, undefined()), (differs(), fine())],
                &[(2, 0.1)],
            )
        };
        for own in [|| done(f64::INFINITY), || decision(false)] {
            let agreed = of(done(0.5), own());
            assert_eq!(
                [why(&agreed[1]).cloned(), why(&agreed[2]).cloned()],
                [open.clone(), open.clone()]
            );
            assert!(of(done(2.0), own())[1].over(), "the inputs are off");
            assert!(of(differs(), own())[1].over(), "nobody compared the inputs");
        }
        assert_eq!(of(done(0.5), done(0.5))[1], sample::own(0.5));
        assert!(
            matches!(
                of(done(0.5), decision(true))[1],
                Accumulated::TieFlip { .. }
            ),
            "proved"
        );
    }

    #[test]
    fn a_proved_decision_is_a_tie_and_another_is_over() {
        let of = |own| plain(vec![(decision(own), fine())], &[]).remove(0);
        assert_eq!(
            of(true),
            Accumulated::TieFlip {
                flips: 1,
                of: 1,
                margin: 0.25
            }
        );
        assert!(of(false).over());
    }

    #[test]
    fn elements_that_tie_alone_are_a_tie_unless_what_they_are_taken_from_is_over() {
        let of = |before: Pending, floor| {
            plain(vec![(before, fine()), (differs(), flips())], &[(1, floor)]).remove(1)
        };
        assert!(matches!(of(done(0.5), 0.1), Accumulated::TieFlip { .. }));
        assert!(of(done(2.0), 0.1).over());
        assert!(
            matches!(of(done(0.5), 1.0), Accumulated::Compared { .. }),
            "its floor holds it"
        );
        let alone = plain(vec![(done(0.5), fine()), (differs(), fine())], &[(1, 0.1)]).remove(1);
        assert!(alone.over(), "the node alone does not tie");
    }

    #[test]
    fn behind_a_flip_nothing_is_judged_until_bits_are_equal_or_the_candidate_went_on_with_the_reference()
     {
        let flip = Some(Why::BehindFlip { node: "n0".into() });
        let of = |first: (Pending, Isolated), second: Pending, went_on: bool| {
            let tensors = vec![first, (second, fine()), (differs(), fine())];
            let judged = chain(tensors, &[(1, 1.0), (2, 1.0)], |l| {
                l.gone_on.extend(went_on.then(|| "t0".to_string()))
            });
            [why(&judged[1]).cloned(), why(&judged[2]).cloned()]
        };
        let own = || (decision(true), fine());
        let alone = || (done(0.5), flips());
        assert_eq!(of(own(), differs(), false), [flip.clone(), flip.clone()]);
        assert_eq!(of(alone(), differs(), false), [flip.clone(), flip.clone()]);
        assert_eq!(of(own(), differs(), true), [None, None]);
        assert_eq!(of(alone(), differs(), true), [None, None]);
        assert_eq!(
            of(own(), done(0.0), false),
            [None, None],
            "equal bits end it"
        );
        assert_eq!(
            of(own(), done(0.5), false),
            [None, flip],
            "what agrees by tolerance does not"
        );
        assert_eq!(
            of((done(0.0), flips()), differs(), false),
            [None, None],
            "equal bits begin nothing"
        );
        assert_eq!(of((done(0.5), fine()), differs(), false), [None, None]);
    }

    #[test]
    fn behind_a_draw_that_the_sides_do_not_share_nothing_that_differs_is_judged() {
        let graph = paper::graph(
            &["x"],
            &[
                "d: RandomUniform x -> drawn",
                "a: Double drawn -> a",
                "b: Add x a -> b",
                "c: Double x -> c",
                "e: RandomUniform x -> other",
            ],
            &[],
        );
        let behind = behind_draws(&graph, &HashSet::from([0, 4]));
        let of = |name: &str| behind.get(name).cloned();
        let drawn = |node: &str| Some(Why::BehindDraw { node: node.into() });
        assert_eq!(
            ["drawn", "a", "b", "c", "other"].map(of),
            [drawn("d"), drawn("d"), drawn("d"), None, drawn("e")]
        );
        let tensors = vec![
            (done(0.5), fine()),
            (differs(), fine()),
            (done(0.5), fine()),
        ];
        let judged = chain(tensors, &[(1, 1.0)], |l| l.unshared.extend([0]));
        assert_eq!(why(&judged[1]).cloned(), drawn("n0"));
        assert_eq!(judged[2], sample::own(0.5), "what agrees all the same");
    }

    #[test]
    fn a_decision_is_proved_by_its_own_inputs_where_they_agree_and_else_by_its_margin() {
        let names = |list: &[&str]| {
            list.iter()
                .map(|n| n.to_string())
                .collect::<HashSet<String>>()
        };
        // 'x' is fed, 'a' agrees, 'o' is over, 'u' nobody compared; 'still' does not move and 'open' has no end.
        let spreads = [
            ("a", 0.1),
            ("o", 0.1),
            ("u", 0.1),
            ("still", 0.0),
            ("open", INF),
        ];
        let floors: HashMap<String, Floor> = spreads
            .iter()
            .map(|(n, max)| (n.to_string(), floor(*max)))
            .collect();
        let settled = Settled {
            floors: &floors,
            fed: HashSet::from(["x"]),
            within: names(&["a"]),
            over: names(&["o"]),
            behind: HashMap::new(),
            overflowed: HashMap::new(),
        };
        for (says, own, margin, parents, want) in [
            ("its own, on what agrees", Some(true), INF, "a", true),
            (
                "its own, on what was fed and what agrees",
                Some(true),
                INF,
                "x a",
                true,
            ),
            ("not its own", Some(false), 0.0, "a", false),
            (
                "not its own, on what nobody compared",
                Some(false),
                0.0,
                "u",
                false,
            ),
            (
                "its own, on what nobody compared, beyond 4 spreads",
                Some(true),
                0.41,
                "u",
                false,
            ),
            (
                "its own, on what nobody compared, within 4",
                Some(true),
                0.39,
                "u",
                true,
            ),
            (
                "one of two inputs is compared",
                Some(true),
                INF,
                "a u",
                false,
            ),
            ("unknown, within 4 spreads", None, 0.39, "a", true),
            ("unknown, beyond", None, 0.41, "a", false),
            ("unknown, where one in front is over", None, 0.0, "o", false),
            ("unknown, where one of two is over", None, 0.0, "a o", false),
            ("unknown, where nothing moves", None, 0.0, "still", false),
            (
                "unknown, where the spread has no end",
                None,
                0.0,
                "open",
                false,
            ),
            ("unknown, without a floor", None, 0.0, "x", false),
            (
                "unknown, the widest of two spreads counts",
                None,
                0.39,
                "still a",
                true,
            ),
        ] {
            let parents: Vec<String> = parents.split(' ').map(str::to_string).collect();
            assert_eq!(
                settled.proves(&Evidence { own, margin }, &parents),
                want,
                "{says}"
            );
        }
    }
}

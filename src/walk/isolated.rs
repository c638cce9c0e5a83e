//! isolated: one node alone: both sides against the f64 shadow, within the operator's own rounding bound.

use super::decision::{narrowed, same};
use crate::compare::{Comparison, Tolerance, compare, judge as judge_stated};
use crate::error::Result;
use crate::floor::{Alone, Rounding, bound};
use crate::subject::{Feed, Judge};
use crate::tensor::Tensor;
use crate::verdict::{Isolated, Side, Why};

/// Which side shares code with the shadow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinship {
    pub reference: bool,
    pub candidate: bool,
}

impl Kinship {
    /// Names the side that is off, from whether each side agrees with the shadow.
    pub fn side(self, reference_ok: bool, candidate_ok: bool) -> Side {
        match (reference_ok, candidate_ok) {
            (true, false) if self.reference => Side::CandidateOrShadow,
            (true, false) => Side::Candidate,
            (false, true) if self.candidate => Side::ReferenceOrShadow,
            (false, true) => Side::Reference,
            (false, false) | (true, true) => Side::Both,
        }
    }
}

/// One output of one node on the reference's recorded inputs.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    pub step: usize,
    pub output: usize,
    pub reference: &'a Tensor,
    pub candidate: &'a Tensor,
    pub shadow: &'a Tensor,
    pub rounding: &'a Rounding,
    /// The reference's values that the node took.
    pub feed: Feed<'a>,
    pub kinship: Kinship,
}

/// Judges the node alone.
pub fn judge(case: &Case, judge: &mut dyn Judge) -> Result<Isolated> {
    let axis = crate::floor::noise::axis_for(case.reference.shape());
    Ok(match case.rounding {
        Rounding::Within {
            family,
            scale,
            terms,
        } => match bounded(case, scale, *family, *terms, axis) {
            Some(within) => within,
            None => unlike(
                case,
                compare(case.reference.view(), case.candidate.view(), axis),
            ),
        },
        Rounding::Exact => copied(
            case,
            compare(case.reference.view(), case.candidate.view(), axis),
            judge,
        )?,
        Rounding::Random => Isolated::NotJudged { why: Why::Random },
        Rounding::Decision(alone) | Rounding::Selection(alone) => decision(case, *alone, judge)?,
    })
}

fn bounded(
    case: &Case,
    scale: &Tensor,
    family: crate::floor::Family,
    terms: usize,
    axis: Option<usize>,
) -> Option<Isolated> {
    let bound = bound::Bound::of(family, terms, scale, case.reference.dtype())?;
    let bounded = bound::judge(
        case.reference.view(),
        case.candidate.view(),
        case.shadow,
        bound,
        axis,
    )?;
    let side = (bounded.failing > 0).then(|| {
        case.kinship
            .side(bounded.reference <= 1.0, bounded.candidate <= 1.0)
    });
    Some(Isolated::Bounded {
        family,
        terms,
        bounded,
        side,
    })
}

/// Where no bound can be applied: the sides differ in what they are, or the shadow is of another shape than both.
fn unlike(case: &Case, comparison: Comparison) -> Isolated {
    match comparison {
        Comparison::Attributes(_) => exact(case, comparison),
        Comparison::Values(_) => {
            let shape = case.shadow.shape();
            Isolated::NotJudged {
                why: Why::NotTested(format!(
                    "own fault not tested: the f64 shadow has shape {shape:?}"
                )),
            }
        }
    }
}

/// Bits that the inputs decide, unless the standard leaves open which where the sides differ in what is not finite.
fn copied(case: &Case, comparison: Comparison, judge: &mut dyn Judge) -> Result<Isolated> {
    let conflicts = comparison
        .metrics()
        .is_some_and(|m| m.specials.conflicts > 0);
    let margin = if conflicts {
        judge.margin(
            case.step,
            case.feed,
            case.output,
            case.reference,
            case.candidate,
        )?
    } else {
        None
    };
    Ok(if margin.is_some_and(f64::is_nan) {
        undefined()
    } else {
        exact(case, comparison)
    })
}

fn undefined() -> Isolated {
    Isolated::NotJudged {
        why: Why::Undefined("the standard leaves open what it is where the sides differ".into()),
    }
}

/// Bits that the inputs decide; also where shapes or dtypes differ, so that no bound can be applied.
fn exact(case: &Case, comparison: Comparison) -> Isolated {
    // Where the shapes or dtypes differ, they alone tell which side is off: rounding has not been looked at.
    let agrees = |side: &Tensor| match comparison {
        Comparison::Attributes(_) => looks_like(side, case.shadow),
        Comparison::Values(_) => same(side, case.shadow),
    };
    let side = (!comparison.identical()).then(|| {
        case.kinship
            .side(agrees(case.reference), agrees(case.candidate))
    });
    Isolated::Exact { comparison, side }
}

/// Whether `side` has the shadow's shape and kind of dtype.
fn looks_like(side: &Tensor, shadow: &Tensor) -> bool {
    side.shape() == shadow.shape() && side.dtype().is_float() == shadow.dtype().is_float()
}

/// The same bits in: only a node that rounds before it decides, or whose order is open, may decide otherwise.
fn decision(case: &Case, alone: Alone, judge: &mut dyn Judge) -> Result<Isolated> {
    let comparison = compare(case.reference.view(), case.candidate.view(), None);
    let Some(metrics) = comparison.metrics().filter(|m| m.mismatches > 0) else {
        return Ok(exact(case, comparison));
    };
    let (flips, of) = (metrics.mismatches, metrics.numel);
    let margin = judge
        .margin(
            case.step,
            case.feed,
            case.output,
            case.reference,
            case.candidate,
        )?
        .unwrap_or(f64::INFINITY);
    if margin.is_nan() {
        return Ok(undefined());
    }
    if margin == 0.0 && alone != Alone::Function {
        return Ok(Isolated::TieFlip { flips, of, margin });
    }
    let side = Some(case.kinship.side(
        same(case.reference, case.shadow),
        same(case.candidate, case.shadow),
    ));
    Ok(Isolated::RuleDifference {
        comparison,
        margin,
        side,
    })
}

/// One side's output of a step, beside what the node gives in f64 on that side's own inputs.
#[derive(Clone, Copy)]
pub struct Own<'a> {
    pub value: &'a Tensor,
    pub shadow: &'a Tensor,
    pub rounding: &'a Rounding,
    pub feed: Feed<'a>,
}

/// Judges a node that the candidate cannot run alone: each side's recorded output against f64 on that side's own recorded inputs.
pub fn recorded(
    step: usize,
    output: usize,
    reference: Option<Own>,
    candidate: Own,
    kinship: Kinship,
    judge: &mut dyn Judge,
) -> Result<Isolated> {
    let own = of_own(step, output, &candidate, judge)?;
    let theirs = reference
        .map(|r| of_own(step, output, &r, judge))
        .transpose()?
        .filter(|r| r.compared());
    if !own.compared() {
        return Ok(own);
    }
    let (ok_r, ok_c) = (theirs.as_ref().is_none_or(|r| !r.over()), !own.over());
    let side = (!ok_r || !ok_c).then(|| kinship.side(ok_r, ok_c));
    Ok(match (own, theirs) {
        (
            Isolated::Bounded {
                family,
                terms,
                bounded: c,
                ..
            },
            Some(Isolated::Bounded { bounded: r, .. }),
        ) => Isolated::Bounded {
            family,
            terms,
            bounded: r.beside(c),
            side,
        },
        (
            Isolated::Bounded {
                family,
                terms,
                bounded,
                ..
            },
            _,
        ) => Isolated::Bounded {
            family,
            terms,
            bounded,
            side,
        },
        (Isolated::Exact { .. }, Some(Isolated::Exact { comparison, .. })) if ok_c => {
            Isolated::Exact { comparison, side }
        }
        (Isolated::Exact { comparison, .. }, _) => Isolated::Exact { comparison, side },
        (
            Isolated::RuleDifference {
                comparison, margin, ..
            },
            _,
        ) => Isolated::RuleDifference {
            comparison,
            margin,
            side,
        },
        (
            own @ (Isolated::Stated { .. }
            | Isolated::Stretch { .. }
            | Isolated::TieFlip { .. }
            | Isolated::NotJudged { .. }),
            _,
        ) => own,
    })
}

/// One side against f64 on its own inputs: the shadow, in the side's dtype, stands in for the other one.
pub fn of_own(step: usize, output: usize, own: &Own, judge: &mut dyn Judge) -> Result<Isolated> {
    if !looks_like(own.value, own.shadow) {
        // What the node gives on these inputs has another shape: that is a fault of its own.
        let exact = Tensor::from_f64(own.value.dtype(), own.shadow.shape(), &own.shadow.to_f64())?;
        let comparison = compare(exact.view(), own.value.view(), None);
        return Ok(match comparison {
            Comparison::Attributes(_) => Isolated::Exact {
                comparison,
                side: Some(Side::Candidate),
            },
            Comparison::Values(_) => {
                let says = format!(
                    "own fault not tested: f64 gives {:?} on the inputs that were recorded with it",
                    own.shadow
                );
                Isolated::NotJudged {
                    why: Why::NotTested(says),
                }
            }
        });
    }
    let exact = narrowed(own.shadow, own.value.dtype())?;
    let kinship = Kinship::default();
    let case = Case {
        step,
        output,
        reference: &exact,
        candidate: own.value,
        shadow: own.shadow,
        rounding: own.rounding,
        feed: own.feed,
        kinship,
    };
    self::judge(&case, judge)
}

/// The node alone under a tolerance that the user stated: no shadow is asked.
pub fn stated(reference: &Tensor, candidate: &Tensor, tolerance: &Tolerance) -> Isolated {
    let comparison = compare(reference.view(), candidate.view(), None);
    Isolated::Stated {
        comparison,
        ratio: judge_stated(reference.view(), candidate.view(), tolerance).ratio(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::paper::{self, Paper, floats, integers};
    use super::*;

    /// What both sides' output of "n: `op` x -> y" on `x` comes to.
    fn judged(
        op: &str,
        x: &Tensor,
        [reference, candidate]: [&Tensor; 2],
        kinship: Kinship,
    ) -> Isolated {
        let mut paper = Paper(paper::graph(&["x"], &[&format!("n: {op} x -> y")], &[]));
        let feed = |_: &str| Some(x.clone());
        let shadow = paper.eval(0, &feed).unwrap().remove(0);
        let rounding = &paper.rounding(0, &feed, &[]).unwrap()[0];
        let case = Case {
            step: 0,
            output: 0,
            reference,
            candidate,
            shadow: &shadow,
            rounding,
            feed: &feed,
            kinship,
        };
        judge(&case, &mut paper).unwrap()
    }

    /// How it was judged.
    fn way(isolated: &Isolated) -> &'static str {
        match isolated {
            Isolated::Bounded { .. } => "bound",
            Isolated::Exact { .. } => "bits",
            Isolated::Stated { .. } => "stated",
            Isolated::Stretch { .. } => "stretch",
            Isolated::TieFlip { .. } => "tie",
            Isolated::RuleDifference { .. } => "rule",
            Isolated::NotJudged { .. } => "not",
        }
    }

    #[test]
    fn a_node_alone_is_held_against_its_bound_its_bits_or_its_rule_and_the_side_that_is_off_is_named()
     {
        let [one, half, near, quarter] = [1.0, 0.5, 0.495, 0.25].map(|x| floats(&[x]));
        let [two, more, three] = [2.0, 2.5, 3.0].map(|y| floats(&[y]));
        let [zero, up] = [0, 1].map(|y| integers(&[y]));
        let (nan, column, whole) = (
            floats(&[f32::NAN]),
            Tensor::of(&[1, 1], &[2f32]),
            integers(&[2]),
        );
        let (candidate, reference, both) = (
            Some(Side::Candidate),
            Some(Side::Reference),
            Some(Side::Both),
        );
        for (says, op, x, sides, want) in [
            (
                "equal",
                "Double",
                &one,
                [&two, &two],
                ("bound", false, None),
            ),
            (
                "the candidate is off",
                "Double",
                &one,
                [&two, &more],
                ("bound", true, candidate),
            ),
            (
                "the reference is off",
                "Double",
                &one,
                [&more, &two],
                ("bound", true, reference),
            ),
            (
                "equal, and both off",
                "Double",
                &one,
                [&more, &more],
                ("bound", true, both),
            ),
            (
                "of another shape",
                "Double",
                &one,
                [&two, &column],
                ("bits", true, candidate),
            ),
            (
                "of another kind",
                "Double",
                &one,
                [&two, &whole],
                ("bits", true, candidate),
            ),
            (
                "the reference of another shape",
                "Double",
                &one,
                [&column, &two],
                ("bits", true, reference),
            ),
            (
                "both of another shape than f64",
                "Double",
                &one,
                [&column, &column],
                ("not", false, None),
            ),
            (
                "the bits of the input",
                "Identity",
                &two,
                [&two, &two],
                ("bits", false, None),
            ),
            (
                "other bits",
                "Identity",
                &two,
                [&two, &three],
                ("bits", true, candidate),
            ),
            (
                "other bits on both sides",
                "Identity",
                &two,
                [&more, &three],
                ("bits", true, both),
            ),
            (
                "the same decision",
                "Round",
                &quarter,
                [&zero, &zero],
                ("bits", false, None),
            ),
            (
                "another decision",
                "Round",
                &quarter,
                [&zero, &up],
                ("rule", true, candidate),
            ),
            (
                "another decision on the border",
                "Round",
                &half,
                [&up, &zero],
                ("rule", true, candidate),
            ),
            (
                "the reference's decision is another",
                "Round",
                &quarter,
                [&up, &zero],
                ("rule", true, reference),
            ),
            (
                "near what it rounds before it decides",
                "Blurred",
                &near,
                [&zero, &up],
                ("tie", false, None),
            ),
            (
                "further than that",
                "Blurred",
                &quarter,
                [&zero, &up],
                ("rule", true, candidate),
            ),
            (
                "a copy of NaN that is a number",
                "Identity",
                &nan,
                [&two, &nan],
                ("bits", true, reference),
            ),
            (
                "NaN of which the standard leaves open what is copied",
                "Window",
                &nan,
                [&two, &nan],
                ("not", false, None),
            ),
            (
                "numbers that differ are not open",
                "Window",
                &nan,
                [&two, &three],
                ("bits", true, both),
            ),
            (
                "of NaN, which the standard leaves open",
                "Round",
                &nan,
                [&zero, &up],
                ("not", false, None),
            ),
        ] {
            let found = judged(op, x, sides, Kinship::default());
            assert_eq!(
                (way(&found), found.over(), found.side()),
                want,
                "{says}: {found:?}"
            );
        }
        let kin = |reference, candidate, sides| {
            judged(
                "Double",
                &one,
                sides,
                Kinship {
                    reference,
                    candidate,
                },
            )
            .side()
        };
        assert_eq!(
            kin(false, true, [&more, &two]),
            Some(Side::ReferenceOrShadow),
            "the candidate shares code with f64"
        );
        assert_eq!(
            kin(true, false, [&two, &more]),
            Some(Side::CandidateOrShadow)
        );
        assert_eq!(kin(true, false, [&more, &two]), reference);
        assert_eq!(kin(false, true, [&two, &more]), candidate);
    }

    #[test]
    fn of_two_recordings_the_comparison_is_that_of_the_side_that_is_off() {
        let x = floats(&[2.0]);
        let feed = |_: &str| Some(x.clone());
        let shadow = Tensor::of(&[1], &[2f64]);
        let mut paper = Paper(paper::graph(&["x"], &["n: Identity x -> y"], &[]));
        let mut of = |r: f32, c: f32| {
            let [r, c] = [floats(&[r]), floats(&[c])];
            let own = |value| Own {
                value,
                shadow: &shadow,
                rounding: &Rounding::Exact,
                feed: &feed,
            };
            let found =
                recorded(0, 0, Some(own(&r)), own(&c), Kinship::default(), &mut paper).unwrap();
            (found.over(), found.side())
        };
        assert_eq!(of(2.0, 2.0), (false, None));
        assert_eq!(of(3.0, 2.0), (true, Some(Side::Reference)));
        assert_eq!(of(2.0, 3.0), (true, Some(Side::Candidate)));
        assert_eq!(of(3.0, 3.0), (true, Some(Side::Both)));
    }
}

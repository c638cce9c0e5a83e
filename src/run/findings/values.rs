//! values: the numbers of one tensor as lines: of its node alone, of both sides on their own values, and where its tolerance came from.

use crate::compare::{Comparison, Specials};
use crate::tensor::index::unravel;
use crate::text::number;
use crate::verdict::{Accumulated, Isolated, TensorResult, ToleranceBy};

/// Of the node alone.
pub fn isolated(t: &TensorResult) -> Vec<String> {
    match &t.isolated {
        Isolated::Bounded {
            bounded: b,
            family,
            terms,
            ..
        } => {
            let w = &b.worst;
            vec![
                format!(
                    "isolated    reference {} x bound, candidate {} x bound, {} of {} elements over",
                    number(b.reference),
                    number(b.candidate),
                    b.failing,
                    t.shape.iter().product::<usize>()
                ),
                format!(
                    "            worst at {:?}: reference {}, candidate {}, f64 {}, bound {} ({}, K = {terms})",
                    unravel(w.index, &t.shape),
                    number(w.reference),
                    number(w.candidate),
                    number(w.shadow),
                    number(w.bound),
                    family.name()
                ),
            ]
        }
        Isolated::Exact { comparison, .. }
        | Isolated::RuleDifference { comparison, .. }
        | Isolated::Stated { comparison, .. } => {
            match comparison.metrics() {
                Some(m) => {
                    // A value that is not finite on one side is the fact; a largest difference says nothing beside it.
                    let worst = m.specials.first_conflict.as_ref().unwrap_or(&m.max_abs);
                    let (at, differ) = (unravel(worst.index, &t.shape), m.mismatches);
                    let sides = format!(
                        "reference {}, candidate {}",
                        worst.reference_text(),
                        worst.candidate_text()
                    );
                    vec![format!(
                        "isolated    {differ} of {} elements differ, at {at:?}: {sides}; exact expected",
                        m.numel
                    )]
                }
                None => vec![format!("isolated    {}", attributes(comparison))],
            }
        }
        Isolated::Stretch {
            comparison, ratio, ..
        } => vec![match comparison.metrics() {
            Some(m) => format!(
                "alone       |candidate - reference| {} at {:?}, relative L2 {}, {} x tolerance, on the other side's values",
                number(m.max_abs.value),
                unravel(m.max_abs.index, &t.shape),
                number(m.rel_l2),
                number(*ratio)
            ),
            None => format!("alone       {}", attributes(comparison)),
        }],
        Isolated::TieFlip { flips, of, .. } => vec![format!(
            "isolated    {flips} of {of} decisions flip at exact ties"
        )],
        Isolated::NotJudged { why } => vec![format!("isolated    {why}")],
    }
}

fn attributes(comparison: &Comparison) -> String {
    match comparison {
        Comparison::Attributes(a) => a.say(),
        Comparison::Values(_) => String::new(),
    }
}

/// Of both sides on their own values.
pub fn accumulated(t: &TensorResult) -> Vec<String> {
    match &t.accumulated {
        Accumulated::Compared {
            comparison,
            ratio,
            by,
        } => match comparison.metrics() {
            Some(m) if m.specials.conflicts > 0 => vec![not_finite(&m.specials, &t.shape)],
            Some(m) => {
                let apart = format!(
                    "accumulated |candidate - reference| {} at {:?}, relative L2 {}, {} x tolerance ({})",
                    number(m.max_abs.value),
                    unravel(m.max_abs.index, &t.shape),
                    number(m.rel_l2),
                    number(*ratio),
                    provenance(by)
                );
                let exchanged = m.exchanged.as_ref();
                let exchanged = exchanged.map(|e| format!("layout      {}", e.say()));
                std::iter::once(apart).chain(exchanged).collect()
            }
            None => vec![format!("accumulated {}", attributes(comparison))],
        },
        Accumulated::TieFlip { flips, of, margin } => {
            vec![format!(
                "accumulated {flips} of {of} decisions flip, f64 margin {}",
                number(*margin)
            )]
        }
        Accumulated::NotJudged { why } => vec![format!("accumulated not judged: {why}")],
    }
}

/// What is not finite on one side, or otherwise on both: a largest difference says nothing beside it.
fn not_finite(s: &Specials, shape: &[usize]) -> String {
    let first = s.first_conflict.clone().unwrap_or_default();
    let is = |v: f64| {
        if v.is_nan() {
            Some("NaN")
        } else {
            v.is_infinite().then_some("infinity")
        }
    };
    let who = match (is(first.reference), is(first.candidate)) {
        (Some(r), Some(c)) => format!("{r} in the reference and {c} in the candidate"),
        (Some(r), None) => format!("{r} in the reference"),
        (_, c) => format!("{} in the candidate", c.unwrap_or("NaN")),
    };
    format!(
        "accumulated {who}, first at {:?}: reference {}, candidate {}; {} elements are finite on one side only or unlike",
        unravel(first.index, shape),
        number(first.reference),
        number(first.candidate),
        s.conflicts
    )
}

/// Where a tolerance came from.
pub fn provenance(by: &ToleranceBy) -> String {
    match by {
        ToleranceBy::Rounding => "one node's rounding".into(),
        ToleranceBy::Noise { runs } => format!(
            "{} x Monte Carlo spread, {runs} runs",
            crate::floor::noise::R
        ),
        ToleranceBy::CandidateNoise { runs } => {
            format!(
                "{} x the candidate's own Monte Carlo spread, {runs} runs, at most 1e-3 of the values",
                crate::floor::noise::R
            )
        }
        ToleranceBy::Function { runs, constants } => format!(
            "{} x what rounding{} move, {runs} runs",
            crate::floor::noise::R,
            match constants {
                true => " and stored constants may",
                false => " may",
            }
        ),
        ToleranceBy::Positives => "the same positives".into(),
        ToleranceBy::Exact => "exact".into(),
        ToleranceBy::Stated => "stated".into(),
        ToleranceBy::Unjudged => "not judged".into(),
    }
}

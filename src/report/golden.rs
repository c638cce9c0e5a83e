//! golden: what a proposal changes: facts, tensors, parameters, with how far each tensor moves and what only a sketch tells.

use super::params;
use crate::compare::Comparison;
use crate::error::printable;
use crate::golden::difference::{Difference, Row, Status};
use crate::golden::estimate::{Estimate, Moved, Seen};
use crate::tensor::index::unravel;
use crate::text::{number, table};

/// The report; `all` also lists the tensors that stay the same.
pub fn golden(d: &Difference, name: &str, all: bool) -> String {
    let mut out = headline(d, name);
    if !d.facts.is_empty() {
        let rows: Vec<_> = d
            .facts
            .iter()
            .map(|(what, a, b)| vec![what.clone(), printable(a), printable(b)])
            .collect();
        out += &format!("\n{}", table(&["fact", "present", "proposed"], &rows));
    }
    let rows: Vec<_> = d
        .rows
        .iter()
        .filter(|r| all || !matches!(r.status, Status::Same))
        .map(row)
        .collect();
    if !rows.is_empty() {
        out += &format!(
            "\n{}",
            table(
                &["tensor", "dtype, shape", "stored", "status", "difference"],
                &rows
            )
        );
    }
    match &d.parameters {
        Some(p) if !p.equal() => out + "\n" + &params(p, ("present golden", "proposal"), all),
        _ => out,
    }
}

fn headline(d: &Difference, name: &str) -> String {
    let count = |is: fn(&Status) -> bool| d.rows.iter().filter(|r| is(&r.status)).count();
    let (new, gone) = (
        count(|s| matches!(s, Status::New)),
        count(|s| matches!(s, Status::Gone)),
    );
    let same = count(|s| matches!(s, Status::Same));
    let differ = d.rows.len() - new - gone - same;
    let verdict = if d.is_empty() { "UNCHANGED" } else { "CHANGES" };
    let tensors = format!(
        "{} tensors: {same} same bits, {differ} differ, {new} new, {gone} gone",
        d.rows.len()
    );
    printable(&format!("{verdict}: golden {name}, {tensors}")) + "\n"
}

fn row(r: &Row) -> Vec<String> {
    let (status, difference) = match &r.status {
        Status::New => ("new", String::new()),
        Status::Gone => ("gone", String::new()),
        Status::Same => ("same bits", String::new()),
        Status::Differs(c) => ("differs", compared(c, &r.shape)),
        Status::DiffersBySketch(seen) => ("differs", sketched(seen, &r.shape)),
    };
    let cells = [
        r.name.clone(),
        format!("{} {:?}", r.dtype, r.shape),
        r.stored.into(),
        status.into(),
        difference,
    ];
    cells.iter().map(|c| printable(c)).collect()
}

fn compared(comparison: &Comparison, shape: &[usize]) -> String {
    match comparison {
        Comparison::Attributes(a) => a.say(),
        Comparison::Values(m) if m.specials.conflicts > 0 => {
            let at = m.specials.first_conflict.as_ref();
            let sides = |e: &crate::compare::Extreme| {
                format!(
                    ", first at {:?}: {} against {}",
                    unravel(e.index, shape),
                    e.reference_text(),
                    e.candidate_text()
                )
            };
            format!(
                "{} not finite on one side{}",
                m.specials.conflicts,
                at.map_or(String::new(), sides)
            )
        }
        Comparison::Values(m) if m.identical() => {
            "only in the sign of zeros or the bits of NaN".into()
        }
        Comparison::Values(m) => format!(
            "max |d| {} at {:?}, relative L2 {}, {} ulp, {} of {} elements",
            number(m.max_abs.value),
            unravel(m.max_abs.index, shape),
            number(m.rel_l2),
            m.ulp_max,
            m.mismatches,
            m.numel
        ),
    }
}

fn sketched(seen: &Seen, shape: &[usize]) -> String {
    match seen {
        Seen::Attributes(a) => a.say(),
        Seen::NotFinite {
            reference: r,
            candidate: c,
        } => format!(
            "NaN {} against {}, inf {} against {}, -inf {} against {} (sketch)",
            r.nan, c.nan, r.positive, c.positive, r.negative, c.negative
        ),
        Seen::Values(e) if !e.differs => {
            "another SHA-256, but the sketch sees no difference".into()
        }
        Seen::Values(e) => estimated(e, shape),
    }
}

fn estimated(e: &Estimate, shape: &[usize]) -> String {
    let moved = |m: &Moved, what: &str| {
        format!(
            "{what} {}: {} against {}",
            m.index,
            number(m.reference),
            number(m.candidate)
        )
    };
    let mut parts = vec![format!(
        "relative L2 about {} ± {:.0} % (sketch), {} of {} sampled elements",
        number(e.relative),
        50.0 * e.error,
        e.sample.mismatches,
        e.sample.numel
    )];
    parts.extend(
        e.sample_at
            .map(|at| format!("largest at {:?}", unravel(at as usize, shape))),
    );
    parts.extend(e.channel.as_ref().map(|m| moved(m, "sum of channel")));
    parts.extend(e.quantile.as_ref().map(|m| moved(m, "percentile")));
    parts.join(", ")
}

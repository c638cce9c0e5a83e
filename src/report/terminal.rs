//! terminal: the report that a person reads: headline, origins, the coverage line.

use super::stages::stages;
use crate::compare::Comparison;
use crate::error::printable;
use crate::run::Run;
use crate::run::headline::{headline, provenance};
use crate::text::{few, number, reasons, table};
use crate::verdict::{
    Accumulated, Born, Isolated, Outcome, Special, TensorResult, ToleranceBy, Unexercised,
};

/// Names of one kind that are listed before the rest is counted.
const NAMED: usize = 3;

/// The share of a tensor's own size above which its tolerance is said to be wide.
const WIDE: f64 = 0.01;

/// Origins shown before the rest is counted.
const ORIGINS: usize = 12;

/// The report; `all` adds one line per tensor.
pub fn terminal(run: &Run, all: bool) -> String {
    let mut out = headline(run);
    if run.verdict.origins.len() > 1 {
        out += &origins(run);
    }
    out += &stages(run);
    if all {
        out += &tensors(run);
    }
    out + "\n"
        + &footer(run)
            .iter()
            .map(|l| printable(l) + "\n")
            .collect::<String>()
}

fn origins(run: &Run) -> String {
    let origins = &run.verdict.origins;
    let find = |name: &str| run.tensors.iter().find(|t| t.name == name);
    let rows: Vec<_> = origins
        .iter()
        .take(ORIGINS)
        .map(|o| {
            vec![
                o.node.clone(),
                o.op.clone(),
                find(&o.tensor).map_or(String::new(), isolated),
                if o.independent { "yes" } else { "no" }.into(),
                o.side.say().into(),
            ]
        })
        .map(|r| r.iter().map(|c| printable(c)).collect())
        .collect();
    let rest = origins.len().saturating_sub(ORIGINS);
    let more = if rest > 0 {
        format!("... and {rest} more origins (--json lists all)\n")
    } else {
        String::new()
    };
    format!(
        "\n{}{more}",
        table(
            &["origin", "operator", "isolated", "independent", "off"],
            &rows
        )
    )
}

fn tensors(run: &Run) -> String {
    let rows: Vec<_> = run
        .tensors
        .iter()
        .map(|t| {
            vec![
                t.name.clone(),
                t.op.clone(),
                isolated(t),
                accumulated(t),
                limit(t),
            ]
        })
        .map(|r| r.iter().map(|c| printable(c)).collect())
        .collect();
    format!(
        "\n{}",
        table(
            &[
                "tensor",
                "operator",
                "isolated",
                "accumulated",
                "detection limit"
            ],
            &rows
        )
    )
}

fn isolated(t: &TensorResult) -> String {
    match &t.isolated {
        Isolated::Bounded { bounded, .. } => format!(
            "{} / {} x bound",
            number(bounded.reference),
            number(bounded.candidate)
        ),
        Isolated::Exact { comparison, .. } => {
            if comparison.identical() {
                "identical".into()
            } else {
                "differs, exact expected".into()
            }
        }
        Isolated::Stated { ratio, .. } => format!("{} x tolerance", number(*ratio)),
        Isolated::TieFlip { flips, .. } => format!("{flips} tie flips"),
        Isolated::RuleDifference { margin, .. } => {
            format!("rule difference, margin {}", number(*margin))
        }
        Isolated::NotJudged { why } => why.to_string(),
    }
}

fn accumulated(t: &TensorResult) -> String {
    match &t.accumulated {
        Accumulated::Compared {
            comparison,
            by: ToleranceBy::Unjudged,
            ..
        } => metrics(comparison),
        Accumulated::Compared { ratio, by, .. } => {
            format!("{} x ({})", number(*ratio), provenance(by))
        }
        Accumulated::TieFlip { flips, margin, .. } => {
            format!("{flips} tie flips, margin {}", number(*margin))
        }
        Accumulated::NotJudged { why } => why.to_string(),
    }
}

fn limit(t: &TensorResult) -> String {
    let shown = |x: f64| if x < 1.0 { number(x) } else { "none".into() };
    t.isolated.limit().map_or(String::new(), |l| {
        format!("{} (median {})", shown(l.worst), shown(l.median))
    })
}

/// The metrics of a tensor that nothing judged.
fn metrics(comparison: &Comparison) -> String {
    match comparison.metrics() {
        Some(m) => format!(
            "max |d| {}, relative L2 {}, cosine {}, {} ulp, {} of {} differ",
            number(m.max_abs.value),
            number(m.rel_l2),
            number(m.cosine),
            m.ulp_max,
            m.mismatches,
            m.numel
        ),
        None => "another dtype or shape".into(),
    }
}

/// Coverage, versions, what is not as expected.
fn footer(run: &Run) -> Vec<String> {
    let (l, e) = (&run.ledger, &run.environment);
    let mut coverage = format!(
        "coverage    {} of {} tensors compared ({:.1} %), {} both alone and accumulated",
        l.compared,
        l.tensors,
        100.0 * l.compared as f64 / l.tensors.max(1) as f64,
        l.both_ways
    );
    coverage.extend(reasons(
        l.abstained.iter().map(|(r, n)| (r, *n as u64)),
        |n, why| format!("; {n} not compared: {why}"),
    ));
    if l.known > 0 {
        coverage += &format!("; {} constants known, not compared", l.known);
    }
    if l.excused > 0 {
        coverage += &format!("; {} excused by the scenario", l.excused);
    }
    let mut lines = vec![coverage];
    if !l.leftovers.is_empty() {
        lines.push(format!(
            "left over   {} recorded tensors pair with nothing: {}",
            l.leftovers.len(),
            l.leftovers
                .iter()
                .take(5)
                .cloned()
                .collect::<Vec<_>>()
                .join(", ")
        ));
    }
    lines.extend(run.stages.golden.as_ref().map(|g| {
        let other = g
            .other_versions
            .as_ref()
            .map_or(String::new(), |o| format!("; {o}"));
        format!(
            "golden      {} of {} tensors compared with {} ({}){other}",
            g.compared(),
            g.tensors.len(),
            g.folder,
            g.subject
        )
    }));
    lines.extend(run.verdict.born.iter().map(born));
    if run.verdict.outcome == Outcome::Agree {
        lines.extend(untried(&run.ledger.unexercised));
    }
    lines.extend(detection(run).map(|limit| format!("sensitivity {limit}")));
    lines.extend(wide(run).map(|says| format!("tolerance   {says}")));
    lines.push(format!(
        "subjects    reference {}; candidate {}; shadow {}; threads {}",
        e.reference,
        e.candidate,
        e.shadow.as_deref().unwrap_or("none"),
        e.threads
    ));
    if let Some(noisy) = run.tensors.iter().find(|t| t.repeat_noise.is_some()) {
        lines.push(format!(
            "repeat      {} (from '{}' on)",
            noisy.repeat_noise.as_deref().unwrap_or(""),
            noisy.node
        ));
    }
    if !run.timings.is_empty() {
        lines.push(format!(
            "time        {:.1} s",
            run.timings.values().sum::<f64>()
        ));
    }
    lines.extend(
        run.expectation
            .unmet
            .iter()
            .map(|u| format!("not as expected: {u}")),
    );
    lines
}

/// What an agreement on these inputs says nothing of.
fn untried(of: &Unexercised) -> Option<String> {
    let line = |names: &[String], one: &str, many: &str| {
        let what = if names.len() == 1 { one } else { many };
        (!names.is_empty()).then(|| {
            format!(
                "{} {what} ({})",
                names.len(),
                few(names.iter().map(String::as_str), NAMED)
            )
        })
    };
    let parts = [
        line(
            &of.weights,
            "weight moves no output",
            "weights move no output",
        ),
        line(
            &of.cuts,
            "node that cuts off cuts nothing",
            "nodes that cut off cut nothing",
        ),
        line(
            &of.decisions,
            "decision is the same everywhere",
            "decisions are the same everywhere",
        ),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("not tried   on these inputs {}", parts.join("; ")))
}

/// Where the first NaN or infinity is made.
fn born(b: &Born) -> String {
    let what = match b.special {
        Special::NaN => "NaN",
        Special::Infinity => "infinity",
    };
    let [r, c] = b.elements;
    let who = match (b.reference, b.candidate) {
        (true, true) => format!("on both sides ({r} and {c} elements)"),
        (true, false) => format!("in the reference ({r} elements)"),
        (false, _) => format!("in the candidate ({c} elements)"),
    };
    format!(
        "not finite  the first {what} is made by node '{}' ({}) {who}",
        b.node, b.op
    )
}

/// Tensors whose noise floor tolerates more than [`WIDE`] of their own size: little is said of them by an agreement.
fn wide(run: &Run) -> Option<String> {
    let share = |t: &'_ TensorResult| t.tolerated().filter(|share| *share > WIDE);
    let all: Vec<(f64, &str)> = run
        .tensors
        .iter()
        .filter_map(|t| Some((share(t)?, t.name.as_str())))
        .collect();
    let widest = all.iter().max_by(|a, b| a.0.total_cmp(&b.0))?;
    let whose = match all.len() {
        1 => "of 1 tensor above 1 % of its".to_string(),
        n => format!("of {n} tensors above 1 % of their"),
    };
    Some(format!(
        "{whose} own size, the widest at '{}' ({} of it at least)",
        widest.1,
        number(widest.0)
    ))
}

/// The middle of the tensors' detection limits, and the tensor that sees least.
fn detection(run: &Run) -> Option<String> {
    let mut limits: Vec<(f64, &str)> = run
        .tensors
        .iter()
        .filter_map(|t| t.isolated.limit().map(|l| (l.median, t.name.as_str())))
        .collect();
    limits.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (middle, blind) = (
        limits.get(limits.len() / 2)?,
        limits.iter().filter(|l| l.0 >= 1.0).count(),
    );
    let worst = limits.iter().rev().find(|l| l.0 < 1.0)?;
    let blind = if blind > 0 {
        format!("; {blind} tensors too close to zero to see any change")
    } else {
        String::new()
    };
    Some(format!(
        "a change of {} in one channel of the median tensor fails; least sensitive: '{}' ({}){blind}",
        number(middle.0),
        worst.1,
        number(worst.0)
    ))
}

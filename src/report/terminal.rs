//! terminal: the report that a person reads: headline, origins, the coverage line.

use super::stages::stages;
use super::{Format, cells};
use crate::compare::Comparison;
use crate::error::printable;
use crate::exit::Exit;
use crate::run::Run;
use crate::run::headline::headline;
use crate::text::{number, reasons, table};
use crate::verdict::{Accumulated, Outcome, TensorResult, ToleranceBy};

/// A report beyond a screen ends as it begins: what is read last is the verdict.
const SCREEN: usize = 20;
/// Origins shown before the rest is counted.
const ORIGINS: usize = 12;

pub const FORMAT: Format = Format {
    name: "terminal",
    what: "for people: headline, origins, stages, coverage",
    write: |run| Ok(terminal(run, false)),
};

pub const TENSORS: Format = Format {
    name: "tensors",
    what: "the same with one line per tensor",
    write: |run| Ok(terminal(run, true)),
};

/// The report; `all` adds one line per tensor.
fn terminal(run: &Run, all: bool) -> String {
    let mut out = told_first(run);
    if run.verdict.origins.len() > 1 {
        out += &origins(run);
    }
    out += &stages(run);
    if all {
        out += &tensors(run);
    }
    out += "\n";
    out.extend(footer(run).iter().map(|l| printable(l) + "\n"));
    if out.lines().count() > SCREEN {
        out += &format!("\n{}\n", verdict(run));
    }
    out
}

/// The verdict in one line, with the exit code that it means.
pub fn verdict(run: &Run) -> String {
    let headline = headline(run);
    let first = headline.lines().next().unwrap_or_default();
    let exit = run.expectation.exit;
    match is_expected(run) {
        true => format!("{first}, {EXPECTED}"),
        false => format!("{first} (exit {})", exit as u8),
    }
}

/// What is said of a divergence that the scenario states.
const EXPECTED: &str = "as the scenario expects (exit 0)";

fn is_expected(run: &Run) -> bool {
    run.verdict.outcome == Outcome::Diverge && run.expectation.exit == Exit::Agree
}

/// The headline with its facts; that a divergence is expected stands in its first line.
fn told_first(run: &Run) -> String {
    let headline = headline(run);
    match headline.split_once('\n') {
        Some((_, rest)) if is_expected(run) => format!("{}\n{rest}", verdict(run)),
        _ => headline,
    }
}

/// Seconds of each phase, the longest first.
pub fn phases(run: &Run) -> String {
    let mut all: Vec<(&String, f64)> = run.timings.iter().map(|(n, s)| (n, *s)).collect();
    all.sort_by(|a, b| b.1.total_cmp(&a.1));
    let rows: Vec<_> = all
        .into_iter()
        .map(|(name, s)| vec![printable(name), format!("{s:.2}")])
        .collect();
    format!("\n{}", table(&["phase", "seconds"], &rows))
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
                find(&o.tensor).map_or(String::new(), cells::isolated),
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
                cells::isolated(t),
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

/// As every view tells it; where the metrics alone were asked for, these.
fn accumulated(t: &TensorResult) -> String {
    if let Accumulated::Compared {
        comparison,
        by: ToleranceBy::Unjudged,
        ..
    } = &t.accumulated
    {
        return metrics(comparison);
    }
    cells::accumulated(t)
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
    let pairs = run.correspondence.as_ref().map(|c| {
        let [ours, theirs] = c.tensors;
        let pairs = c.pairs.len();
        format!("pairs       {pairs}, of {ours} tensors of the reference and {theirs} of the candidate that the inputs decide")
    });
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
    let mut lines = Vec::from_iter(pairs);
    lines.push(coverage);
    lines.extend(told(run, "left_over", "left over"));
    lines.extend(told(run, "convention", "convention"));
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
    lines.extend(told(run, "not_finite", "not finite"));
    lines.extend(told(run, "not_tried", "not tried"));
    lines.extend(detection(run).map(|limit| format!("sensitivity {limit}")));
    lines.extend(told(run, "wide_tolerance", "tolerance"));
    lines.push(format!(
        "subjects    reference {}; candidate {}; shadow {}; threads {}",
        e.reference,
        e.candidate,
        e.shadow.as_deref().unwrap_or("none"),
        e.threads
    ));
    lines.extend(told(run, "repeat", "repeat"));
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

/// The findings of one kind, behind their label.
fn told<'a>(run: &'a Run, kind: &'a str, label: &'a str) -> impl Iterator<Item = String> + 'a {
    let all = run.findings.iter().filter(move |f| f.kind == kind);
    all.map(move |f| format!("{label:<12}{}", f.what))
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

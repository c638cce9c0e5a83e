//! html: a run or an audit as one page that needs nothing else, is read without scripts, and sorts, filters and zooms with them.

mod chart;
mod depth;
mod findings;
mod graph;
mod layout;
mod looks;
mod page;
mod plot;
mod scenes;
mod table;

pub use layout::{Edges, Placed, placed};

use super::told::Told;
use crate::audit::{Audited, Line, Plot};
use crate::exit::Exit;
use crate::judge::stage::train;
use crate::run::headline::headline;
use crate::run::{Alone, Run};
use crate::text::number;
use maud::{Markup, html};

/// The page of a run.
pub fn run(run: &Run) -> String {
    let told = Told::of_run(run);
    let body = html! {
        (head(&told))
        pre class=(format!("verdict {}", word(told.exit))) { (headline(run).trim_end()) }
        (contents())
        (findings::findings(&told))
        (depth::depth(run))
        (graph::graphs(run))
        (looks::looks(run))
        (scenes::scenes(run))
        (table::tensors(run))
        @for (i, t) in told.tables.iter().enumerate() { (table::plain(&format!("table{i}"), t)) }
        (drift(run))
        (alone(run))
        (provenance(run, &told))
    };
    page::page(&format!("parity run {}", told.name), &body)
}

/// The page of an audit.
pub fn audit(audited: &Audited) -> String {
    let told = Told::of_audit(audited);
    let body = html! {
        (head(&told))
        p class=(format!("verdict {}", word(told.exit))) { (told.headline) }
        (findings::findings(&told))
        @for (i, t) in told.tables.iter().enumerate() { (table::plain(&format!("table{i}"), t)) }
        @for p in &audited.plots { (plot::figure(p)) }
        @for p in &audited.pictures {
            figure class="chart" {
                figcaption { (p.title) }
                img alt=(p.title) src=(format!("data:image/png;base64,{}", p.png));
            }
        }
    };
    page::page(&format!("parity audit {}", told.name), &body)
}

/// The exit code as a word that the style knows.
fn word(exit: Exit) -> &'static str {
    match exit {
        Exit::Agree => "agree",
        Exit::Diverge => "diverge",
        Exit::Usage => "usage",
        Exit::Failed => "failed",
        Exit::Uncovered | Exit::Interrupted => "uncovered",
    }
}

fn head(told: &Told) -> Markup {
    html! {
        h1 { "parity " (told.what) " " (told.name) }
        p class="dim" {
            @for (part, is) in told.subjects.iter().take(3) { span { (part) ": " (is) "; " } }
            "exit " (told.exit as u8)
            @if let Some(seconds) = told.seconds { "; " (number(seconds)) " s" }
        }
        @for unmet in told.unmet { p class="finding fault" { "not as expected: " (unmet) } }
    }
}

fn contents() -> Markup {
    let all = [
        ("findings", "findings"),
        ("depth", "error against depth"),
        ("graph", "graph"),
        ("looks", "pictures"),
        ("tensors", "tensors"),
        ("about", "provenance"),
    ];
    html! { nav { @for (id, said) in all { a href=(format!("#{id}")) { (said) } } } }
}

/// The losses of both sides along their training, and how far the steps are off.
fn drift(run: &Run) -> Markup {
    let Some(report) = run.stages.train.as_ref().filter(|r| !r.steps.is_empty()) else {
        return Markup::default();
    };
    html! {
        section id="drift" {
            h2 { "Training" }
            @for p in curves(report) { (plot::figure(&p)) }
        }
    }
}

/// A plot for each term of the loss, and one of what is off.
fn curves(report: &train::Report) -> Vec<Plot> {
    let terms: Vec<&String> = report.steps[0].losses.iter().map(|l| &l.term).collect();
    let losses = |term: &String, of: fn(&train::Loss) -> f64| -> Vec<(f64, f64)> {
        let rows = report.steps.iter();
        rows.filter_map(|row| {
            let loss = row.losses.iter().find(|l| l.term == *term)?;
            Some((row.step as f64 + 1.0, of(loss)))
        })
        .collect()
    };
    let line = |name: &str, points| Line {
        name: name.into(),
        points,
    };
    let plot = |title: String, lines| Plot {
        title,
        x: "step".into(),
        lines,
    };
    let mut all: Vec<Plot> = terms
        .iter()
        .map(|term| {
            let reference = line("reference", losses(term, |l| l.reference));
            let candidate = line("candidate", losses(term, |l| l.candidate));
            plot(format!("loss {term}"), vec![reference, candidate])
        })
        .collect();
    let off = |of: fn(&train::Row) -> &Option<train::Off>| -> Vec<(f64, f64)> {
        let rows = report.steps.iter();
        let ratio =
            |row: &train::Row| Some((row.step as f64 + 1.0, of(row).as_ref()?.ratio.log10()));
        rows.filter_map(ratio).collect()
    };
    let ratios = vec![
        line("lock-step", off(|r| &r.own)),
        line("free", off(|r| &r.free)),
    ];
    all.push(plot("what is off most, log10 of tolerances".into(), ratios));
    all
}

/// Each file by itself, and both on another input.
fn alone(run: &Run) -> Markup {
    let each = |of: &Alone| {
        html! {
            details {
                summary { (of.place()) }
                @if let Some(run) = &of.run {
                    pre { (headline(run).trim_end()) }
                    (depth::bare(run))
                }
                @if let Some(refused) = &of.refused { p { "refused: " (refused) } }
            }
        }
    };
    html! { @for of in &run.alone { (each(of)) } }
}

fn provenance(run: &Run, told: &Told) -> Markup {
    let scenario = run.scenario.as_ref();
    let text = scenario.and_then(|s| crate::scenario::load::text(s).ok());
    html! {
        section id="about" {
            h2 { "Provenance" }
            table { tbody { @for (part, is) in &told.subjects { tr { th { (part) } td { (is) } } } } }
            @if let Some(text) = text { details { summary { "the scenario" } pre { (text) } } }
            @if !run.timings.is_empty() {
                h3 { "Seconds" }
                table { tbody { @for (phase, s) in &run.timings { tr { th { (phase) } td { (number(*s)) } } } } }
            }
        }
    }
}

//! table: rows that sort and are filtered where scripts run, and are read where none does.

use crate::audit::Table;
use crate::report::cells::{self, ratio_alone};
use crate::report::csv::metrics;
use crate::run::Run;
use crate::text::{number, shape};
use crate::verdict::{Accumulated, Isolated, TensorResult};
use maud::{Markup, html};

/// Rows from which on filtering is worth a field.
const MANY: usize = 8;

/// A table as it is; `id` is of the page.
pub fn plain(id: &str, of: &Table) -> Markup {
    let tools = format!("{id}-tools");
    html! {
        section id=(id) {
            h2 { (of.title) }
            @if of.rows.len() > MANY { div id=(tools) class="tools" hidden {} }
            div class="rows" {
                table class="sorts" data-tools=(tools) {
                    thead { tr { @for c in &of.columns { th { (c) } } } }
                    tbody { @for row in &of.rows { tr { @for cell in row { td { (cell) } } } } }
                }
            }
        }
    }
}

const COLUMNS: [&str; 9] = [
    "tensor",
    "node",
    "operator",
    "shape",
    "isolated, x tolerance",
    "accumulated, x tolerance",
    "largest |difference|",
    "relative L2",
    "not judged, or how",
];

/// A row for each tensor.
pub fn tensors(run: &Run) -> Markup {
    html! {
        @if !run.tensors.is_empty() {
            section id="tensors" {
                h2 { "Tensors" }
                div id="tensors-tools" class="tools" hidden {}
                div class="rows" {
                    table class="sorts" data-tools="tensors-tools" {
                        thead { tr { @for c in COLUMNS { th { (c) } } } }
                        tbody { @for (i, t) in run.tensors.iter().enumerate() { (row(i, t)) } }
                    }
                }
            }
        }
    }
}

fn row(i: usize, t: &TensorResult) -> Markup {
    let m = metrics(t);
    let said = |x: Option<f64>| x.map_or(String::new(), number);
    let dtype = t.dtype.map_or(String::new(), |d| d.to_string());
    html! {
        tr id=(format!("t{i}")) {
            td { (t.name) }
            // A node is often called by what it gives.
            td { @if t.node != t.name { (t.node) } @else { "=" } }
            td { (t.op) }
            td { (dtype) " " (shape(&t.shape)) }
            (value(&said(ratio_alone(t)), t.isolated.over()))
            (value(&said(t.accumulated.ratio()), t.accumulated.over()))
            td { (said(m.map(|m| m.max_abs.value))) }
            td { (said(m.map(|m| m.rel_l2))) }
            td { (note(t)) }
        }
    }
}

fn value(text: &str, over: bool) -> Markup {
    match over {
        true => html! { td class="over" { (text) } },
        false => html! { td { (text) } },
    }
}

/// What no number says: why it was not judged, or that it ties.
fn note(t: &TensorResult) -> String {
    let own = match &t.accumulated {
        Accumulated::Compared { .. } => None,
        Accumulated::TieFlip { .. } | Accumulated::NotJudged { .. } => Some(cells::accumulated(t)),
    };
    let alone = match &t.isolated {
        Isolated::NotJudged { .. } | Isolated::TieFlip { .. } | Isolated::RuleDifference { .. } => {
            Some(format!("alone: {}", cells::isolated(t)))
        }
        Isolated::Bounded { .. }
        | Isolated::Exact { .. }
        | Isolated::Stated { .. }
        | Isolated::Stretch { .. } => None,
    };
    let noise = t.repeat_noise.clone();
    let all = own.into_iter().chain(alone).chain(noise);
    all.collect::<Vec<_>>().join("; ")
}

//! depth: error against depth: how far each tensor is off, alone and accumulated, in tolerances and in its own size.

use super::chart::{Chart, Series, chart};
use crate::report::cells::ratio_alone;
use crate::report::csv::metrics;
use crate::run::Run;
use crate::verdict::TensorResult;
use maud::{Markup, html};

/// Both charts; nodes at fault lead to their rows.
pub fn depth(run: &Run) -> Markup {
    html! {
        @if !run.tensors.is_empty() {
            section id="depth" {
                h2 { "Error against depth" }
                (charts(run, marks(run)))
            }
        }
    }
}

/// Both charts of a run that has no rows here.
pub fn bare(run: &Run) -> Markup {
    html! { @if !run.tensors.is_empty() { (charts(run, vec![])) } }
}

fn charts(run: &Run, marks: Vec<(usize, String)>) -> Markup {
    let series = |name, value: &dyn Fn(&TensorResult) -> Option<f64>| Series {
        name,
        points: points(run, value),
    };
    let in_tolerances = Chart {
        title: "error / tolerance along the network",
        length: run.tensors.len(),
        series: vec![
            series("accumulated", &|t| t.accumulated.ratio()),
            series("isolated", &ratio_alone),
        ],
        limit: Some(1.0),
        marks: marks.clone(),
    };
    let in_size = Chart {
        title: "relative L2 along the network",
        length: run.tensors.len(),
        series: vec![
            series("accumulated", &|t| metrics(t).map(|m| m.rel_l2)),
            series("isolated", &alone),
            series("floor (tolerated)", &TensorResult::tolerated),
        ],
        limit: None,
        marks,
    };
    html! {
        p class="dim" { "Error / tolerance; above the dashed line it is off. A line across marks a node that is at fault by itself." }
        (chart(&in_tolerances))
        p class="dim" { "The error as a share of the tensor's own size (relative L2), and what rounding alone may come to there." }
        (chart(&in_size))
    }
}

fn points(run: &Run, value: &dyn Fn(&TensorResult) -> Option<f64>) -> Vec<(usize, f64)> {
    let all = run.tensors.iter().enumerate();
    all.filter_map(|(i, t)| Some((i, value(t)?))).collect()
}

/// Relative L2 of the node alone, where both outputs were held against each other.
fn alone(t: &TensorResult) -> Option<f64> {
    use crate::verdict::Isolated::{
        Bounded, Exact, NotJudged, RuleDifference, Stated, Stretch, TieFlip,
    };
    match &t.isolated {
        Exact { comparison, .. }
        | Stated { comparison, .. }
        | Stretch { comparison, .. }
        | RuleDifference { comparison, .. } => comparison.metrics().map(|m| m.rel_l2),
        Bounded { .. } | TieFlip { .. } | NotJudged { .. } => None,
    }
}

/// Nodes that are at fault by themselves, each with its row.
fn marks(run: &Run) -> Vec<(usize, String)> {
    let place = |name: &str| run.tensors.iter().position(|t| t.name == name);
    let origins = run.verdict.origins.iter();
    let found = origins.filter_map(|o| place(&o.tensor));
    found.map(|i| (i, format!("#t{i}"))).collect()
}

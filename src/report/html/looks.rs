//! looks: the first tensors that are off, as pictures: where they differ, how their values are spread, which elements are worst.

use crate::compare::{Extreme, Heat, Look, Spread};
use crate::run::Run;
use crate::tensor::index::unravel;
use crate::text::{number, shape};
use maud::{Markup, html};
use std::fmt::Write;

/// Size of a cell of the heat map, and of the picture of a histogram.
const CELL: usize = 8;
const BARS: (f64, f64) = (320.0, 160.0);

/// Shades between nothing and the largest.
const SHADES: usize = 7;

pub fn looks(run: &Run) -> Markup {
    html! {
        @if !run.looks.is_empty() {
            section id="looks" {
                h2 { "What is off, as pictures" }
                @for look in &run.looks { (one(look)) }
            }
        }
    }
}

fn one(look: &Look) -> Markup {
    let of = match look.alone {
        true => "the node alone, on the reference's values",
        false => "both sides on their own values",
    };
    html! {
        h3 { (look.tensor) }
        p class="dim" { (shape(&look.shape)) ", " (of) }
        div class="looks" {
            (heat(&look.heat))
            (spread(&look.spread))
            (worst(look))
        }
    }
}

fn heat(heat: &Heat) -> Markup {
    let finite = heat.cells.iter().copied().filter(|c| c.is_finite());
    let most = finite.fold(0.0, f64::max);
    let [down, across] = heat.plane;
    let (width, height) = (heat.columns * CELL, heat.rows * CELL);
    html! {
        figure class="chart" {
            svg class="heat" viewBox=(format!("0 0 {width} {height}")) width=(width.max(64)) height=(height.max(16)) role="img" {
                title { "|candidate - reference|, pooled" }
                @for shade in 0..=SHADES + 1 {
                    @let d = shaded(heat, most, shade);
                    @if !d.is_empty() { path class=(format!("h{shade}")) d=(d) {} }
                }
            }
            figcaption class="dim" {
                "|difference| over the last two axes, " (down) " x " (across) ", the largest of each cell; darkest " (number(most))
                @if heat.cells.iter().any(|c| !c.is_finite()) { ", violet: NaN or infinity on one side" }
            }
        }
    }
}

/// The cells of one shade.
fn shaded(heat: &Heat, most: f64, shade: usize) -> String {
    let mut d = String::new();
    for (i, cell) in heat.cells.iter().enumerate() {
        if self::shade(*cell, most) == shade {
            let (x, y) = (i % heat.columns * CELL, i / heat.columns * CELL);
            let _ = write!(d, "M{x} {y}h{CELL}v{CELL}h-{CELL}z");
        }
    }
    d
}

/// Nothing is 0, the largest the darkest, half a decade a shade; what is infinite has one of its own.
fn shade(cell: f64, most: f64) -> usize {
    if !cell.is_finite() {
        return SHADES + 1;
    }
    if cell == 0.0 {
        return 0;
    }
    let below = (2.0 * (most / cell).log10()).floor();
    SHADES - (below as usize).min(SHADES - 1)
}

fn spread(spread: &Spread) -> Markup {
    let bins = spread.reference.len().max(1);
    let most = spread.reference.iter().chain(&spread.candidate).max();
    let most = most.map_or(1.0, |n| (*n as f64).ln_1p()).max(1e-9);
    let bars = |counts: &[u64], half: f64| {
        let mut d = String::new();
        let width = BARS.0 / bins as f64;
        for (i, n) in counts.iter().enumerate().filter(|(_, n)| **n > 0) {
            let height = (*n as f64).ln_1p() / most * (BARS.1 - 30.0);
            let (x, half) = (i as f64 * width + half * width / 2.0, width / 2.0);
            let _ = write!(
                d,
                "M{x:.1} {:.1}h{half:.1}v-{height:.1}h-{half:.1}z",
                BARS.1 - 16.0
            );
        }
        d
    };
    html! {
        figure class="chart" {
            svg class="spread" viewBox=(format!("0 0 {} {}", BARS.0, BARS.1)) width=(BARS.0) height=(BARS.1) role="img" {
                title { "how the values of both sides are spread" }
                path class="bar0" d=(bars(&spread.reference, 0.0)) {}
                path class="bar1" d=(bars(&spread.candidate, 1.0)) {}
                text x="0" y=(BARS.1 - 3.0) { (number(spread.from)) }
                text x=(BARS.0) y=(BARS.1 - 3.0) text-anchor="end" { (number(spread.to)) }
                text class="s0" x="0" y="11" { "reference" }
                text class="s1" x="80" y="11" { "candidate" }
            }
            figcaption class="dim" { "how many values lie where; heights are logarithmic" }
        }
    }
}

fn worst(look: &Look) -> Markup {
    let at = |w: &Extreme| {
        let place: Vec<String> = unravel(w.index, &look.shape)
            .iter()
            .map(ToString::to_string)
            .collect();
        format!("[{}]", place.join(", "))
    };
    html! {
        div {
            table {
                thead { tr { th { "worst at" } th { "reference" } th { "candidate" } th { "|difference|" } } }
                tbody {
                    @for w in &look.worst {
                        tr { td { (at(w)) } td { (w.reference_text()) } td { (w.candidate_text()) } td { (number(w.value)) } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_is_darkest_nothing_has_no_shade_and_what_is_infinite_is_told_apart() {
        let shades = [0.0, 1e-9, 0.2, 0.5, 1.0, f64::INFINITY].map(|c| shade(c, 1.0));
        assert_eq!(shades, [0, 1, 6, 7, 7, 8]);
        assert_eq!(shade(f64::INFINITY, 0.0), 8);
    }
}

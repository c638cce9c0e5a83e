//! plot: curves as a picture that stands in a page: axes with round numbers, a line for each curve, its name beside.

use crate::audit::{Line, Plot};
use crate::text::number;
use maud::{Markup, html};

/// Width and height of a picture, and the margin around its axes.
const SIZE: (f64, f64) = (460.0, 260.0);
const MARGIN: (f64, f64) = (56.0, 34.0);
/// Lines that are told apart by colour; every second is dashed, so that they are told apart without, too.
const COLOURS: usize = 4;
/// Points of a line at most.
const POINTS: usize = 1000;

/// From and to; what has no extent is given one.
type Range = (f64, f64);

/// The picture with its title.
pub fn figure(plot: &Plot) -> Markup {
    html! { figure class="chart" { figcaption { (plot.title) } (svg(plot)) } }
}

fn svg(plot: &Plot) -> Markup {
    let all = || plot.lines.iter().flat_map(|l| &l.points);
    let (x, y) = (range(all().map(|p| p.0)), range(all().map(|p| p.1)));
    let (w, h) = SIZE;
    html! {
        svg viewBox=(format!("0 0 {w} {h}")) width=(w) height=(h) role="img" {
            title { (plot.title) }
            (axes(x, y, &plot.x))
            @for (i, line) in plot.lines.iter().enumerate() { (curve(line, i, x, y)) }
        }
    }
}

fn range(values: impl Iterator<Item = f64>) -> Range {
    let ends = values
        .filter(|v| v.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| {
            (a.min(v), b.max(v))
        });
    match ends {
        (a, b) if a < b => (a, b),
        (a, _) if a.is_finite() => (a - 0.5, a + 0.5),
        _ => (0.0, 1.0),
    }
}

/// Where a value lies in the picture.
fn place(value: f64, (from, to): Range, length: f64, margin: f64) -> f64 {
    margin + (value - from) / (to - from) * (length - 2.0 * margin)
}

fn right(v: f64, x: Range) -> f64 {
    place(v, x, SIZE.0, MARGIN.0)
}

fn down(v: f64, y: Range) -> f64 {
    SIZE.1 - place(v, y, SIZE.1, MARGIN.1)
}

/// Round numbers within a range: 1, 2 or 5 times a power of ten apart.
fn ticks((from, to): Range) -> Vec<f64> {
    let rough = (to - from) / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|m| m * power)
        .into_iter()
        .find(|s| *s >= rough * (1.0 - 1e-9))
        .unwrap_or(rough);
    let first = (from / step).ceil() as i64;
    (first..)
        .map(|i| i as f64 * step)
        .take_while(|v| *v <= to + 1e-9 * step)
        .take(12)
        .collect()
}

fn axes(x: Range, y: Range, name: &str) -> Markup {
    let (left, bottom) = (right(x.0, x), down(y.0, y));
    html! {
        @for v in ticks(y) {
            @let at = down(v, y);
            path class="grid" d=(format!("M{left:.1} {at:.1}H{:.1}", right(x.1, x))) {}
            text x=(format!("{:.1}", left - 5.0)) y=(format!("{:.1}", at + 4.0)) text-anchor="end" { (number(v)) }
        }
        @for v in ticks(x) {
            @let at = format!("{:.1}", right(v, x));
            path class="axis" d=(format!("M{at} {bottom:.1}v4")) {}
            text x=(at) y=(format!("{:.1}", bottom + 16.0)) text-anchor="middle" { (v) }
        }
        text x=(SIZE.0 - 4.0) y=(SIZE.1 - 4.0) text-anchor="end" { (name) }
    }
}

fn curve(line: &Line, i: usize, x: Range, y: Range) -> Markup {
    let every = line.points.len().div_ceil(POINTS).max(1);
    let points = line
        .points
        .iter()
        .step_by(every)
        .chain(line.points.last().filter(|_| every > 1));
    let places: Vec<String> = points
        .filter(|p| p.0.is_finite() && p.1.is_finite())
        .map(|p| format!("{:.1},{:.1}", right(p.0, x), down(p.1, y)))
        .collect();
    let colour = format!("s{}", i % COLOURS);
    let dash = if i % 2 == 1 { " second" } else { "" };
    html! {
        polyline class=(format!("line {colour}{dash}")) points=(places.join(" ")) {}
        text class=(colour) x=(format!("{:.1}", 14.0 + 90.0 * i as f64 + MARGIN.0)) y="18" { (line.name) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: &[(f64, f64)]) -> Plot {
        Plot {
            title: "a < b".into(),
            x: "epoch".into(),
            lines: vec![Line {
                name: "run".into(),
                points: points.to_vec(),
            }],
        }
    }

    #[test]
    fn the_ends_of_a_curve_lie_at_the_ends_of_its_axes() {
        let text = svg(&plot(&[(1.0, 0.0), (300.0, 2.0)])).into_string();
        assert!(text.contains("points=\"56.0,226.0 404.0,34.0\""), "{text}");
        assert!(text.contains("a &lt; b") && !text.contains("a < b"));
    }

    #[test]
    fn what_has_no_extent_or_no_point_is_drawn_and_a_long_line_is_thinned() {
        for points in [&[][..], &[(3.0, 7.0)], &[(3.0, 7.0), (3.0, 7.0)]] {
            let text = svg(&plot(points)).into_string();
            assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        }
        let long: Vec<_> = (0..100_000).map(|i| (f64::from(i), 0.0)).collect();
        assert!(svg(&plot(&long)).0.len() < 20_000);
    }

    #[test]
    fn ticks_are_round() {
        assert_eq!(
            ticks((0.0, 1.0)),
            [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]
        );
        assert_eq!(ticks((1.0, 300.0)), [100.0, 200.0, 300.0]);
    }
}

//! svg: curves as a picture that stands in a page: axes with round numbers, a line for each curve, its name beside.

use super::html::escaped;
use crate::audit::{Line, Plot};
use crate::text::number;

/// Width and height of a picture, and the margin around its axes.
const SIZE: (f64, f64) = (460.0, 260.0);
const MARGIN: (f64, f64) = (56.0, 34.0);
/// Of different lightness too, so that they are told apart without colour.
const COLOURS: [&str; 4] = ["#1f5fa8", "#e08a1e", "#5b8c3a", "#8a3a6b"];
/// Points of a line at most.
const POINTS: usize = 1000;

/// From and to; what has no extent is given one.
type Range = (f64, f64);

#[must_use]
pub fn svg(plot: &Plot) -> String {
    let all = || plot.lines.iter().flat_map(|l| &l.points);
    let (x, y) = (range(all().map(|p| p.0)), range(all().map(|p| p.1)));
    let (w, h) = SIZE;
    let mut out = format!(
        "<svg viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" role=\"img\"><title>{}</title>\n",
        escaped(&plot.title)
    );
    out += &axes(x, y, &plot.x);
    for (i, line) in plot.lines.iter().enumerate() {
        out += &curve(line, i, x, y);
    }
    out + "</svg>\n"
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

fn axes(x: Range, y: Range, name: &str) -> String {
    let (left, bottom) = (right(x.0, x), down(y.0, y));
    let mut out = String::new();
    for v in ticks(y) {
        let at = down(v, y);
        out += &format!(
            "<path d=\"M{left:.1} {at:.1}H{:.1}\" class=\"grid\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
            right(x.1, x),
            left - 5.0,
            at + 4.0,
            number(v)
        );
    }
    for v in ticks(x) {
        let at = right(v, x);
        out += &format!(
            "<path d=\"M{at:.1} {bottom:.1}v4\" class=\"axis\"/><text x=\"{at:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>\n",
            bottom + 16.0,
            v
        );
    }
    out + &format!(
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>\n",
        SIZE.0 - 4.0,
        SIZE.1 - 4.0,
        escaped(name)
    )
}

fn curve(line: &Line, i: usize, x: Range, y: Range) -> String {
    let every = line.points.len().div_ceil(POINTS).max(1);
    let points = line
        .points
        .iter()
        .step_by(every)
        .chain(line.points.last().filter(|_| every > 1));
    let places: Vec<String> = points
        .map(|p| format!("{:.1},{:.1}", right(p.0, x), down(p.1, y)))
        .collect();
    let colour = COLOURS[i % COLOURS.len()];
    let dash = if i % 2 == 1 {
        " stroke-dasharray=\"5 3\""
    } else {
        ""
    };
    let at = 14.0 + 90.0 * i as f64 + MARGIN.0;
    format!(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"{dash}/>\n<text x=\"{at:.1}\" y=\"18\" fill=\"{colour}\">{}</text>\n",
        places.join(" "),
        escaped(&line.name)
    )
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
        let text = svg(&plot(&[(1.0, 0.0), (300.0, 2.0)]));
        assert!(text.contains("points=\"56.0,226.0 404.0,34.0\""), "{text}");
        assert!(text.contains("a &lt; b") && !text.contains("a < b"));
    }

    #[test]
    fn what_has_no_extent_or_no_point_is_drawn_and_a_long_line_is_thinned() {
        for points in [&[][..], &[(3.0, 7.0)], &[(3.0, 7.0), (3.0, 7.0)]] {
            let text = svg(&plot(points));
            assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
        }
        let long: Vec<_> = (0..100_000).map(|i| (f64::from(i), 0.0)).collect();
        assert!(svg(&plot(&long)).len() < 20_000);
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

//! chart: values along a network on a logarithmic axis, as a picture made of text.

use crate::text::number;
use maud::{Markup, html};
use std::fmt::Write;

/// Width and height, and where the axes lie in it.
const SIZE: (f64, f64) = (1100.0, 300.0);
const LEFT: f64 = 70.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 266.0;
const RIGHT: f64 = 1090.0;

/// Places along the axis that are told apart: of what lies closer the largest is drawn.
const PLACES: usize = 500;

/// Points along the network: at which place, and how large.
pub struct Series<'a> {
    pub name: &'a str,
    pub points: Vec<(usize, f64)>,
}

/// What is drawn, and where a line stands across.
pub struct Chart<'a> {
    pub title: &'a str,
    /// Places along the network.
    pub length: usize,
    pub series: Vec<Series<'a>>,
    pub limit: Option<f64>,
    /// Places that are marked, each with where that leads.
    pub marks: Vec<(usize, String)>,
}

/// The exponents between which everything lies that is neither 0 nor infinite.
struct Decades {
    low: f64,
    high: f64,
}

impl Decades {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let finite = values.filter(|v| *v > 0.0 && v.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| {
            (a.min(v.log10().floor()), b.max(v.log10().ceil()))
        });
        match low <= high {
            true => Self {
                low,
                high: high.max(low + 1.0),
            },
            false => Self {
                low: -1.0,
                high: 1.0,
            },
        }
    }

    /// 0 lies on the axis, what is infinite or no number at the top.
    fn down(&self, value: f64) -> f64 {
        if value <= 0.0 {
            return BOTTOM;
        }
        if !value.is_finite() {
            return TOP;
        }
        // A little room above the axis tells what is small from what is nothing.
        let (low, high) = (BOTTOM - 10.0, TOP + 8.0);
        let share = (value.log10() - self.low) / (self.high - self.low);
        low - share.clamp(0.0, 1.0) * (low - high)
    }

    fn ticks(&self) -> Vec<f64> {
        let step = ((self.high - self.low) / 8.0).ceil().max(1.0);
        let count = ((self.high - self.low) / step).floor() as usize;
        (0..=count).map(|i| self.low + i as f64 * step).collect()
    }
}

fn right(place: usize, length: usize) -> f64 {
    let last = length.saturating_sub(1).max(1) as f64;
    LEFT + 8.0 + place as f64 / last * (RIGHT - LEFT - 16.0)
}

pub fn chart(of: &Chart) -> Markup {
    let values = of.series.iter().flat_map(|s| s.points.iter().map(|p| p.1));
    let decades = Decades::of(values.chain(of.limit));
    html! {
        figure class="chart" {
            svg viewBox=(format!("0 0 {} {}", SIZE.0, SIZE.1)) width=(SIZE.0) height=(SIZE.1) role="img" {
                title { (of.title) }
                @for tick in decades.ticks() {
                    @let y = format!("{:.1}", decades.down(10f64.powf(tick)));
                    path class="grid" d=(format!("M{LEFT} {y}H{RIGHT}")) {}
                    text x=(LEFT - 6.0) y=(y) text-anchor="end" { "1e" (tick) }
                }
                text x=(LEFT - 6.0) y=(BOTTOM + 4.0) text-anchor="end" { "0" }
                path class="axis" d=(format!("M{LEFT} {BOTTOM}H{RIGHT}")) {}
                text x=(RIGHT) y=(BOTTOM + 22.0) text-anchor="end" { "tensors in the order of computing, 1 to " (of.length) }
                @for (place, target) in &of.marks {
                    @let x = format!("{:.1}", right(*place, of.length));
                    a href=(target) { path class="origin" d=(format!("M{x} {TOP}V{BOTTOM}")) {} }
                }
                @if let Some(limit) = of.limit {
                    path class="limit" d=(format!("M{LEFT} {:.1}H{RIGHT}", decades.down(limit))) {}
                }
                @for (i, series) in of.series.iter().enumerate() {
                    path class=(format!("p s{i}")) d=(dots(series, of.length, &decades)) {}
                    text class=(format!("s{i}")) x=(LEFT + 200.0 * i as f64) y="16" { (series.name) (largest(series)) }
                }
            }
        }
    }
}

/// A dot of each place: the largest value that lies there.
fn dots(series: &Series, length: usize, decades: &Decades) -> String {
    let mut most: Vec<Option<f64>> = vec![None; PLACES.min(length.max(1))];
    for (place, value) in &series.points {
        let at = place * most.len() / length.max(1);
        let seen = most[at].unwrap_or(f64::NEG_INFINITY);
        let larger = value.is_nan() || *value > seen;
        most[at] = if larger { Some(*value) } else { most[at] };
    }
    let mut d = String::new();
    for (at, value) in most.iter().enumerate() {
        if let Some(value) = value {
            let place = at * length / most.len();
            let _ = write!(
                d,
                "M{:.1} {:.1}h0",
                right(place, length),
                decades.down(*value)
            );
        }
    }
    d
}

fn largest(series: &Series) -> String {
    let all = series.points.iter().map(|p| p.1);
    match all.reduce(|a, b| if b.is_nan() || b > a { b } else { a }) {
        None => ": none".into(),
        Some(most) => format!(", at most {}", number(most)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(points: Vec<(usize, f64)>, length: usize) -> String {
        let series = vec![Series {
            name: "own",
            points,
        }];
        chart(&Chart {
            title: "t",
            length,
            series,
            limit: Some(1.0),
            marks: vec![],
        })
        .into_string()
    }

    #[test]
    fn nothing_lies_on_the_axis_and_what_is_infinite_at_the_top() {
        let text = of(vec![(0, 0.0), (1, f64::INFINITY), (2, f64::NAN)], 3);
        assert!(text.contains(&format!("M78.0 {BOTTOM:.1}h0")), "{text}");
        assert_eq!(text.matches(&format!(" {TOP:.1}h0")).count(), 2, "{text}");
        assert!(!text.contains("NaN.") && !text.contains("inf "), "{text}");
    }

    #[test]
    fn a_larger_value_lies_higher_and_of_many_the_largest_is_drawn() {
        let decades = Decades::of([1e-6, 1e3].into_iter());
        let heights = [1e-6, 1e-2, 1.0, 1e3].map(|v| decades.down(v));
        assert!(heights.is_sorted_by(|a, b| a > b), "{heights:?}");
        let mut many: Vec<(usize, f64)> = (0..20_000).map(|i| (i, 1e-3)).collect();
        many[777].1 = 1e3;
        let text = of(many, 20_000);
        assert!(text.len() < 20_000, "{}", text.len());
        assert!(text.contains("at most 1000"), "{text}");
    }

    #[test]
    fn no_value_and_no_place_at_all_is_drawn() {
        let text = of(vec![], 0);
        assert!(
            text.contains("own: none") && !text.contains("NaN"),
            "{text}"
        );
    }
}

//! plots: curves of both runs in one plot: losses and mAP by epoch, precision by recall.

use super::side::Side;
use crate::audit::{Line, Plot};
use crate::kernel::metric::average_precision::{Evaluated, RECALLS};

/// Columns whose curves are wanted; brackets do not matter.
const METRICS: [&str; 4] = ["mAP50", "mAP50-95", "precision", "recall"];

type Sides<'a> = [(&'static str, &'a Side)];

pub fn all(sides: &Sides) -> Vec<Plot> {
    let mut out = vec![];
    let columns = sides
        .iter()
        .filter_map(|s| s.1.history.as_ref())
        .flat_map(|h| h.losses("train/").chain(h.losses("val/")));
    let mut losses: Vec<&str> = columns.collect();
    losses.sort_unstable();
    losses.dedup();
    out.extend(
        losses
            .into_iter()
            .filter_map(|name| by_epoch(sides, name, |s| s.history.as_ref()?.column(name))),
    );
    out.extend(
        METRICS
            .iter()
            .filter_map(|name| by_epoch(sides, name, |s| s.history.as_ref()?.metric(name))),
    );
    for (size, title) in [
        (0, "precision by recall, IoU 0.5"),
        (1, "precision by recall of small objects, IoU 0.5"),
    ] {
        out.extend(precision(sides, size, title));
    }
    out
}

fn by_epoch(sides: &Sides, title: &str, of: impl Fn(&Side) -> Option<Vec<f64>>) -> Option<Plot> {
    let line = |(name, side): &(&'static str, &Side)| {
        let epochs = side.history.as_ref()?.epochs();
        let points = epochs.into_iter().zip(of(side)?);
        Some(Line {
            name: (*name).into(),
            points: points.filter(|p| p.1.is_finite()).collect(),
        })
    };
    plot(title, "epoch", sides.iter().filter_map(line).collect())
}

fn precision(sides: &Sides, size: usize, title: &str) -> Option<Plot> {
    let points = |e: &Evaluated| {
        let curve = e.curve(size, 0).into_iter().enumerate();
        curve
            .map(|(i, p)| (i as f64 / (RECALLS - 1) as f64, p))
            .collect()
    };
    let line = |(name, side): &(&'static str, &Side)| {
        Some(Line {
            name: (*name).into(),
            points: points(&side.judged.as_ref()?.original),
        })
    };
    plot(title, "recall", sides.iter().filter_map(line).collect())
}

fn plot(title: &str, x: &str, lines: Vec<Line>) -> Option<Plot> {
    let lines: Vec<Line> = lines.into_iter().filter(|l| !l.points.is_empty()).collect();
    (!lines.is_empty()).then(|| Plot {
        title: title.into(),
        x: x.into(),
        lines,
    })
}

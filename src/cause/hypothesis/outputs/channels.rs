//! channels: one channel of the output scaled, or channels in another order.

use super::super::residual::{Half, Said};
use super::super::solve::snapped;
use super::{Given, Made};

/// Where the elements of a channel lie: how many channels, and how many elements of one lie side by side.
struct Channels {
    many: usize,
    inner: usize,
}

impl Channels {
    fn along(shape: &[usize], axis: usize) -> Option<Self> {
        let many = *shape.get(axis)?;
        let inner = shape[axis + 1..].iter().product();
        (many > 1).then_some(Self { many, inner })
    }

    fn of(&self, i: usize) -> usize {
        i / self.inner % self.many
    }

    /// Where the elements of channel `c` are among `all`.
    fn places(&self, c: usize, all: usize) -> impl Iterator<Item = usize> {
        let (many, inner) = (self.many, self.inner);
        let blocks = 0..all / (many * inner).max(1);
        blocks.flat_map(move |b| (0..inner).map(move |k| (b * many + c) * inner + k))
    }

    /// Along axis 1, and along the last.
    fn all(shape: &[usize]) -> impl Iterator<Item = Self> {
        let last = shape.len().saturating_sub(1);
        let axes = [1, last].into_iter().take(if last > 1 { 2 } else { 1 });
        axes.filter_map(move |axis| Self::along(shape, axis))
    }
}

pub fn scaled_channel(given: &Given) -> Option<Made> {
    let off = given.off();
    Channels::all(given.shape).find_map(|channels| {
        let which = channels.of(*off.first()?);
        let elsewhere = off.iter().any(|i| channels.of(*i) != which);
        if elsewhere {
            return None;
        }
        let many = given.exact.len();
        let mut all = channels.places(which, many).filter(|i| Half::Fit.takes(*i));
        let (cy, yy) = all.try_fold((0.0, 0.0), |(cy, yy), i| {
            let (c, y) = (given.observed[i], given.exact[i]);
            (c.is_finite() && y.is_finite()).then_some((cy + c * y, yy + y * y))
        })?;
        let said = |a: f64| {
            let mut said = Said::exactly(given.exact.to_vec(), given.limit.to_vec());
            for i in channels.places(which, many) {
                let value = a * given.exact[i];
                (said.low[i], said.high[i]) = (value, value);
                said.limit[i] = a.abs() * given.limit[i] + given.unit() * value.abs();
            }
            said
        };
        let factor = Some(cy / yy).filter(|a| a.is_finite())?;
        let factor = snapped(factor, &|a| given.explains(&said(a)))?;
        Some(Made {
            said: said(factor),
            numbers: 2,
            amount: Some(factor),
            says: format!("channel {which} is {factor} times what it is to be"),
            local: false,
        })
    })
}

/// Channels in another order, each found by half of its elements.
pub fn permuted(given: &Given) -> Option<Made> {
    Channels::all(given.shape).find_map(|channels| {
        let all = given.exact.len();
        let is = |from: usize, c: usize| {
            let there = channels.places(from, all);
            let pairs = there.zip(channels.places(c, all));
            let mut pairs = pairs.filter(|(_, i)| Half::Fit.takes(*i));
            pairs.all(|(from, i)| {
                let beyond = (given.observed[i] - given.exact[from]).abs();
                beyond <= given.limit[from]
                    || given.observed[i] == given.dtype.round(given.exact[from])
            })
        };
        let from = |c: usize| {
            let mut near = std::iter::once(c).chain(0..channels.many);
            near.find(|from| is(*from, c))
        };
        let order: Vec<usize> = (0..channels.many).map(from).collect::<Option<_>>()?;
        let moved = order
            .iter()
            .enumerate()
            .filter(|(c, from)| c != *from)
            .count();
        let mut sorted = order.clone();
        sorted.sort_unstable();
        (moved > 0 && sorted.iter().copied().eq(0..channels.many)).then(|| {
            let mut said = Said::exactly(given.exact.to_vec(), given.limit.to_vec());
            for (c, from) in order.iter().enumerate() {
                for (i, j) in channels.places(c, all).zip(channels.places(*from, all)) {
                    (said.low[i], said.high[i]) = (given.exact[j], given.exact[j]);
                    said.limit[i] = given.limit[j];
                }
            }
            Made {
                said,
                numbers: moved,
                says: in_order(&order),
                ..Made::default()
            }
        })
    })
}

fn in_order(order: &[usize]) -> String {
    const SHOWN: usize = 8;
    let reversed = order.iter().rev().copied().eq(0..order.len());
    let moved = order.iter().enumerate().filter(|(c, from)| c != *from);
    let shown: Vec<String> = moved
        .clone()
        .take(SHOWN)
        .map(|(c, from)| format!("{from} at {c}"))
        .collect();
    let more = moved.count().saturating_sub(SHOWN);
    match (reversed, more) {
        (true, _) => "the channels are in reversed order".into(),
        (false, 0) => format!("channels are exchanged: {}", shown.join(", ")),
        (false, more) => format!(
            "channels are exchanged: {} and {more} more",
            shown.join(", ")
        ),
    }
}

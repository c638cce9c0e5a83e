//! simulated: a healthy engine that nobody owns: every node in f64 on its own inputs, rounded anew at random within half of its bound.
//!
//! It stands for other instruction sets, other BLAS, other thread counts. Decisions, data movement and dtypes are libtorch's on the same inputs,
//! which are the simulated engine's own; a draw is the same whenever the same node is asked, so that it repeats its bits.

use super::{Feed, Judge, Output, Session};
use crate::error::Result;
use crate::floor::bound::Bound;
use crate::floor::noise::signs;
use crate::floor::{Family, Rounding};
use crate::graph::Graph;
use crate::graph::cut::Link;
use crate::graph::places::Places;
use crate::tensor::Tensor;
use rand::RngExt;
use std::collections::HashMap;
use std::sync::Arc;

/// Share of the bound that an engine takes.
const SHARE: f64 = 0.5;

pub struct Simulated {
    graph: Arc<Graph>,
    places: Places,
    /// What computes dtypes and decisions.
    declared: Box<dyn Session>,
    judge: Box<dyn Judge>,
    /// Which of the healthy engines it is.
    seed: u64,
}

impl Simulated {
    pub fn new(
        graph: Arc<Graph>,
        declared: Box<dyn Session>,
        judge: Box<dyn Judge>,
        seed: u64,
    ) -> Self {
        Self {
            places: Places::of(&graph),
            graph,
            declared,
            judge,
            seed,
        }
    }

    fn step(&mut self, step: usize, feed: Feed) -> Result<Vec<Output>> {
        let mut declared = self
            .declared
            .eval(&self.graph, &[step], Link::Isolated, feed)?
            .remove(0);
        let exact = self.judge.eval(step, feed)?;
        let rounding = self.judge.rounding(step, feed, &exact)?;
        for (k, output) in declared.iter_mut().enumerate() {
            let own = output
                .as_ref()
                .ok()
                .and_then(|t| rounded(t, &exact[k], &rounding[k], (self.seed, step << 8 | k)));
            if let Some(own) = own {
                *output = Ok(own);
            }
        }
        Ok(declared)
    }
}

/// The f64 value rounded to the dtype of `declared`, off by a random share of the bound; None where the node does not round.
fn rounded(
    declared: &Tensor,
    exact: &Tensor,
    rounding: &Rounding,
    (seed, output): (u64, usize),
) -> Option<Tensor> {
    let Rounding::Within {
        family,
        scale,
        terms,
    } = rounding
    else {
        return None;
    };
    let bound = Bound::of(*family, *terms, scale, declared.dtype())?;
    let values = exact
        .values::<f64>()
        .filter(|_| exact.shape() == declared.shape() && scale.shape() == exact.shape())?;
    let mut rng = signs(seed, u32::MAX, output);
    // What underflows is no further off than the numbers themselves: a sum of zeros is zero in every engine.
    let share = |s: &f64| SHARE * (bound.factor * s + bound.tiny.min(2.0 * s));
    let one = |((y, s), declared): ((&f64, &f64), f64)| {
        let moved = y + share(s) * rng.random_range(-1.0..=1.0);
        match y.is_finite() && moved.is_finite() {
            // A square is not negative, and no sigmoid is more than 1, in any engine; nor is a function below zero that underflows to it.
            true if *y != 0.0 && (moved < 0.0) != (*y < 0.0) => 0.0,
            true if *y == 0.0 && *family == Family::Transcendental => moved.abs(),
            true if y.abs() <= 1.0 => moved.clamp(-1.0, 1.0),
            true => moved,
            // What f64 has as infinite may be NaN where partial sums overflow: that is as it is declared.
            false if !y.is_finite() => declared,
            false => *y,
        }
    };
    let own: Vec<f64> = values
        .iter()
        .zip(bound.scale)
        .zip(declared.to_f64())
        .map(one)
        .collect();
    let stored = |values: &[f64]| Tensor::from_f64(declared.dtype(), exact.shape(), values).ok();
    // The rounding to the dtype is part of the share: where that leaves no choice, the result is the nearest number.
    let (nearest, moved) = (stored(values)?.to_f64(), stored(&own)?.to_f64());
    let within = |i: usize| {
        (moved[i] - values[i]).abs() <= share(&bound.scale[i]) || !nearest[i].is_finite()
    };
    let kept: Vec<f64> = (0..own.len())
        .map(|i| if within(i) { moved[i] } else { nearest[i] })
        .collect();
    stored(&kept)
}

impl Session for Simulated {
    fn tensors(&mut self, names: &[&str], link: Link, feed: Feed) -> Result<Vec<Output>> {
        let steps = self.places.steps(names)?;
        let mut own: HashMap<String, Tensor> = HashMap::new();
        let mut all = Vec::with_capacity(steps.len());
        for step in &steps {
            let outputs = self.step(*step, &|n| {
                own.get(n)
                    .filter(|_| link == Link::Connected)
                    .cloned()
                    .or_else(|| feed(n))
            })?;
            let named = self.graph.steps[*step].outputs.iter().zip(&outputs);
            own.extend(named.filter_map(|(n, v)| Some((n.clone(), v.as_ref().ok()?.clone()))));
            all.push(outputs);
        }
        self.places.pick(names, &steps, all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_healthy_engine_stays_within_half_of_its_bound_as_it_is_stored() {
        let exact = [3.0e-45, 3.25e-40, 1.0, 16_777_217.0, -3.402_823_4e38, 0.0];
        let exact = Tensor::of(&[6], &exact);
        let scale = Tensor::of(
            &[6],
            &exact.to_f64().iter().map(|v| v.abs()).collect::<Vec<f64>>(),
        );
        let rounding = Rounding::Within {
            family: Family::Arithmetic,
            scale: scale.clone(),
            terms: 1,
        };
        let nearest = Tensor::from_f64(crate::tensor::DType::F32, &[6], &exact.to_f64()).unwrap();
        let bound = Bound::of(Family::Arithmetic, 1, &scale, nearest.dtype()).unwrap();
        let mut other = 0;
        for seed in 0..50 {
            let own = rounded(&nearest, &exact, &rounding, (seed, 0)).unwrap();
            for (i, (own, y)) in own.to_f64().iter().zip(exact.to_f64()).enumerate() {
                let half = SHARE * (bound.factor * y.abs() + bound.tiny);
                let least = (nearest.to_f64()[i] - y).abs();
                assert!((own - y).abs() <= half.max(least), "{own} for {y}");
                other += usize::from(*own != nearest.to_f64()[i]);
            }
        }
        assert!(
            other > 50,
            "it rounds otherwise than the nearest number: {other}"
        );
    }
}

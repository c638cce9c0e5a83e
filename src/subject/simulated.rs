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
use crate::tensor::Tensor;
use rand::RngExt;
use std::collections::HashMap;
use std::sync::Arc;

/// Share of the bound that an engine takes.
const SHARE: f64 = 0.5;

pub struct Simulated {
    graph: Arc<Graph>,
    /// What computes dtypes and decisions.
    declared: Box<dyn Session>,
    judge: Box<dyn Judge>,
    /// Which of the healthy engines it is.
    seed: u64,
}

impl Simulated {
    pub fn new(graph: Arc<Graph>, declared: Box<dyn Session>, judge: Box<dyn Judge>, seed: u64) -> Self {
        Self { graph, declared, judge, seed }
    }

    fn step(&mut self, step: usize, feed: Feed) -> Result<Vec<Output>> {
        let mut declared = self.declared.eval(&[step], Link::Isolated, feed)?.remove(0);
        let exact = self.judge.eval(step, feed)?;
        let rounding = self.judge.rounding(step, feed, &exact)?;
        for (k, output) in declared.iter_mut().enumerate() {
            let own = output.as_ref().ok().and_then(|t| rounded(t, &exact[k], &rounding[k], (self.seed, step << 8 | k)));
            if let Some(own) = own {
                *output = Ok(own);
            }
        }
        Ok(declared)
    }
}

/// The f64 value rounded to the dtype of `declared`, off by a random share of the bound; None where the node does not round.
fn rounded(declared: &Tensor, exact: &Tensor, rounding: &Rounding, (seed, output): (u64, usize)) -> Option<Tensor> {
    let Rounding::Within { family, scale, terms } = rounding else { return None };
    let bound = Bound::of(*family, *terms, scale, declared.dtype())?;
    let values = exact.values::<f64>().filter(|_| exact.shape() == declared.shape() && scale.shape() == exact.shape())?;
    let mut rng = signs(seed, u32::MAX, output);
    let one = |((y, s), declared): ((&f64, &f64), f64)| {
        // What underflows is no further off than the numbers themselves: a sum of zeros is zero in every engine.
        let b = bound.factor * s + bound.tiny.min(2.0 * s);
        let moved = y + SHARE * b * rng.random_range(-1.0..=1.0);
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
    let own: Vec<f64> = values.iter().zip(bound.scale).zip(declared.to_f64()).map(one).collect();
    Tensor::from_f64(declared.dtype(), exact.shape(), &own).ok()
}

impl Session for Simulated {
    fn eval(&mut self, steps: &[usize], link: Link, feed: Feed) -> Result<Vec<Vec<Output>>> {
        let mut own: HashMap<String, Tensor> = HashMap::new();
        let mut all = Vec::with_capacity(steps.len());
        for step in steps {
            let outputs = self.step(*step, &|n| own.get(n).filter(|_| link == Link::Connected).cloned().or_else(|| feed(n)))?;
            let named = self.graph.steps[*step].outputs.iter().zip(&outputs);
            own.extend(named.filter_map(|(n, v)| Some((n.clone(), v.as_ref().ok()?.clone()))));
            all.push(outputs);
        }
        Ok(all)
    }
}

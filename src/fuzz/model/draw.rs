//! draw: which inputs does a whole model meet that its scenario does not feed?
//!
//! Convention: case n of a seed leads with distribution n modulo seven, so that seven cases meet them all; a further float input takes the
//! same, or half of the time another. Integers stay within what the scenario feeds. Sizes that the model leaves open are the scenario's in
//! half of the cases, else drawn around them.

use crate::error::Result;
use crate::graph::{Dim, Graph, Port};
use crate::input;
use crate::scenario::Scenario;
use crate::subject::kernels::draw::Case;
use crate::tensor::{DType, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, StandardNormal};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// How the values of one input are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    Normal,
    Uniform,
    Sparse,
    Constant,
    Huge,
    Tiny,
    Denormal,
}

impl Values {
    /// Every distribution with its name and what it draws.
    pub const ALL: [(Self, &'static str, &'static str); 7] = [
        (Self::Normal, "normal", "mean 0, standard deviation 1"),
        (
            Self::Uniform,
            "uniform",
            "between the least and the largest value of the scenario's own input",
        ),
        (Self::Sparse, "sparse", "19 of 20 are 0, the rest normal"),
        (
            Self::Constant,
            "constant",
            "one value everywhere: 0, 1, -1, or one of uniform or normal",
        ),
        (
            Self::Huge,
            "huge",
            "normal times one power of two of the case, from 2^7 up to half of what the dtype holds",
        ),
        (
            Self::Tiny,
            "tiny",
            "normal times one power of two of the case, from 2^-7 down to the dtype's smallest normal number",
        ),
        (
            Self::Denormal,
            "denormal",
            "subnormal numbers of either sign, every magnitude alike",
        ),
    ];

    pub fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// Largest and smallest exponent of normal numbers, and bits of the fraction.
fn exponents(dtype: DType) -> (i32, i32, i32) {
    match dtype {
        DType::F64 => (1023, -1022, 52),
        DType::F16 => (15, -14, 10),
        DType::BF16 => (127, -126, 7),
        _ => (127, -126, 23),
    }
}

/// Everything that cases are drawn from.
pub struct InputSpec {
    ports: Vec<Port>,
    /// The scenario's own inputs.
    own: Vec<Tensor>,
    /// What values may be, for each input.
    ranges: Vec<RangeInclusive<f64>>,
}

impl InputSpec {
    /// # Errors
    /// Inputs of the scenario that cannot be made.
    pub fn of(scenario: &Scenario, graph: &Graph) -> Result<Self> {
        let own: Vec<Tensor> = input::make(scenario, graph)?.into_values().collect();
        let range = |(port, t): (&Port, &Tensor)| {
            let stated = scenario
                .inputs
                .get(&port.name)
                .and_then(|i| Some(i.low?..=i.high?));
            stated.unwrap_or_else(|| range_of(t))
        };
        let ranges = graph.inputs.iter().zip(&own).map(range).collect();
        Ok(Self {
            ports: graph.inputs.clone(),
            own,
            ranges,
        })
    }

    /// Case `number` of a seed: no other case has a part in it.
    pub fn case(&self, seed: u64, number: u64) -> Result<Case> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(number);
        let sizes = self.sizes(&mut rng);
        let lead = Values::ALL[(number % 7) as usize].0;
        let floats = self.own.iter().filter(|t| t.dtype().is_float()).count();
        // Which of several float inputs leads.
        let leader = rng.random_range(0..floats.max(1));
        let (mut case, mut seen) = (Case::default(), 0);
        for (i, port) in self.ports.iter().enumerate() {
            let dtype = self.own[i].dtype();
            let leads = !dtype.is_float() || seen == leader;
            seen += usize::from(dtype.is_float());
            let other = Values::ALL[rng.random_range(0..7)].0;
            let values = if leads || rng.random() { lead } else { other };
            let tensor = self.tensor(i, &self.shape(i, &sizes), values, &mut rng)?;
            if dtype.is_float() || floats == 0 {
                case.edges.insert(
                    if dtype.is_float() {
                        values
                    } else {
                        discrete(values)
                    }
                    .name(),
                );
            }
            case.inputs.insert(port.name.clone(), tensor);
        }
        Ok(case)
    }

    fn tensor(
        &self,
        input: usize,
        shape: &[usize],
        values: Values,
        rng: &mut ChaCha8Rng,
    ) -> Result<Tensor> {
        let (dtype, n) = (self.own[input].dtype(), shape.iter().product());
        let (low, high) = (*self.ranges[input].start(), *self.ranges[input].end());
        let drawn = match dtype.is_float() {
            true => floats(values, dtype, (low, high), n, rng),
            false => integers(discrete(values), (low as i64, high as i64), n, rng),
        };
        Tensor::from_f64(dtype, shape, &drawn)
    }

    /// The open sizes of a case, by what they are called.
    fn sizes(&self, rng: &mut ChaCha8Rng) -> BTreeMap<String, usize> {
        let own: BTreeMap<String, usize> = self.open().map(|(key, _, _, own)| (key, own)).collect();
        let drawn: bool = rng.random();
        // Halves and quarters first: what a network halves on its way must be even.
        let one = |(key, own): (String, usize), rng: &mut ChaCha8Rng| {
            let around = [
                own / 2,
                own / 4,
                own * 3 / 4,
                own.saturating_sub(1),
                own,
                own + 1,
                own + own / 2,
            ];
            (
                key,
                if drawn {
                    around[rng.random_range(0..around.len())].max(1)
                } else {
                    own
                },
            )
        };
        own.into_iter().map(|size| one(size, rng)).collect()
    }

    /// Every dimension that the model leaves open: what it is called, its input, its axis, the scenario's own size. One without a name is
    /// called by its size: those that are equal in the scenario stay equal.
    pub fn open(&self) -> impl Iterator<Item = (String, usize, usize, usize)> {
        let of = |(i, port): (usize, &Port)| {
            let shape = self.own[i].shape();
            let key = |axis: usize| match port.shape.as_ref().and_then(|s| s.get(axis)) {
                Some(Dim::Known(_)) => None,
                Some(Dim::Named(name)) => Some((name.clone(), i, axis, shape[axis])),
                Some(Dim::Unknown) | None => {
                    Some((format!("size {}", shape[axis]), i, axis, shape[axis]))
                }
            };
            (0..shape.len()).filter_map(key).collect::<Vec<_>>()
        };
        self.ports
            .iter()
            .enumerate()
            .flat_map(of)
            .collect::<Vec<_>>()
            .into_iter()
    }

    fn shape(&self, input: usize, sizes: &BTreeMap<String, usize>) -> Vec<usize> {
        let mut shape = self.own[input].shape().to_vec();
        for (key, _, axis, _) in self.open().filter(|(_, i, _, _)| *i == input) {
            shape[axis] = sizes.get(&key).copied().unwrap_or(shape[axis]);
        }
        shape
    }

    /// The least value of an input: what it is simplified to.
    pub fn least(&self, input: usize) -> f64 {
        *self.ranges[input].start()
    }
}

/// What integers know of a distribution: all, few or none of them move.
fn discrete(values: Values) -> Values {
    match values {
        Values::Sparse | Values::Constant => values,
        Values::Normal | Values::Uniform | Values::Huge | Values::Tiny | Values::Denormal => {
            Values::Uniform
        }
    }
}

/// The least and the largest value; -1 to 1 where floats are all the same.
fn range_of(t: &Tensor) -> RangeInclusive<f64> {
    let finite: Vec<f64> = t.to_f64().into_iter().filter(|v| v.is_finite()).collect();
    let (low, high) = finite
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| {
            (l.min(*v), h.max(*v))
        });
    match (low < high, low == high && !t.dtype().is_float()) {
        (true, _) | (_, true) => low..=high,
        (false, false) => -1.0..=1.0,
    }
}

fn floats(
    values: Values,
    dtype: DType,
    (low, high): (f64, f64),
    n: usize,
    rng: &mut ChaCha8Rng,
) -> Vec<f64> {
    let (most, least, bits) = exponents(dtype);
    let normal = |rng: &mut ChaCha8Rng| -> f64 { StandardNormal.sample(rng) };
    let uniform = |rng: &mut ChaCha8Rng| low + (high - low) * rng.random::<f64>();
    let mut draw =
        |f: &mut dyn FnMut(&mut ChaCha8Rng) -> f64| (0..n).map(|_| f(rng)).collect::<Vec<f64>>();
    match values {
        Values::Normal => draw(&mut |rng| normal(rng)),
        Values::Uniform => draw(&mut |rng| uniform(rng)),
        Values::Sparse => draw(&mut |rng| {
            if rng.random_range(0..20) == 0 {
                normal(rng)
            } else {
                0.0
            }
        }),
        Values::Constant => {
            let value = [0.0, 1.0, -1.0, uniform(rng), normal(rng)][rng.random_range(0..5)];
            vec![value; n]
        }
        Values::Huge => {
            // Four standard deviations are held.
            let (scale, limit) = (
                f64::from(rng.random_range(7..=most - 1)).exp2(),
                f64::from(most).exp2(),
            );
            (0..n)
                .map(|_| (normal(rng) * scale).clamp(-limit, limit))
                .collect()
        }
        Values::Tiny => {
            let scale = f64::from(rng.random_range(least..=-7)).exp2();
            (0..n).map(|_| normal(rng) * scale).collect()
        }
        Values::Denormal => {
            let unit = f64::from(least).exp2() * f64::from(-bits).exp2();
            draw(&mut |rng| {
                let size = (f64::from(bits) * rng.random::<f64>()).exp2().floor();
                if rng.random() {
                    size * unit
                } else {
                    -size * unit
                }
            })
        }
    }
}

fn integers(values: Values, (low, high): (i64, i64), n: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let one = |rng: &mut ChaCha8Rng| rng.random_range(low..=high.max(low)) as f64;
    match values {
        Values::Constant => vec![one(rng); n],
        Values::Sparse => (0..n)
            .map(|_| {
                if rng.random_range(0..20) == 0 {
                    one(rng)
                } else {
                    low as f64
                }
            })
            .collect(),
        Values::Normal | Values::Uniform | Values::Huge | Values::Tiny | Values::Denormal => {
            (0..n).map(|_| one(rng)).collect()
        }
    }
}

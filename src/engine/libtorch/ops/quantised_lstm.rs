//! quantised_lstm: com.microsoft.DynamicQuantizeLSTM: an LSTM on weights of 8 bits, whose input and state become u8 where they are used.
//!
//! The input is quantised once for the whole sequence, the state anew at every step: a number that lies between two steps may go either
//! way, and what follows is another sequence. S holds both: what rounding makes of the sequence while every decision stays as it is, and
//! how far it moves when each decision within reach of rounding is drawn either way.

use super::super::call::Call;
use super::super::perturbed::changes;
use super::super::value::Value;
use super::common::{done, scaled};
use super::recurrent::{LSTM, layer};
use super::{Kernel, Op, Scale};
use parity::error::{Error, Result};
use parity::floor::Family::{Arithmetic, Matmul, Transcendental};
use parity::floor::family;
use parity::floor::noise::signs;
use parity::tensor::DType;
use rand::RngExt;
use std::cell::RefCell;
use std::collections::VecDeque;
use tch::{Kind, TchError, Tensor};

type Torch<T> = std::result::Result<T, TchError>;

const UNIT: f64 = DType::F32.unit_roundoff();

/// How numbers become integers.
#[derive(Default)]
pub enum Quantiser {
    /// To the nearest step.
    #[default]
    Nearest,
    /// The same, and what it was is kept.
    Kept(RefCell<VecDeque<Tensor>>),
    /// To the steps that another run took.
    Replayed(RefCell<VecDeque<Tensor>>),
    /// To the nearest step after all were moved as far as rounding can: the number of the run, and of draws made so far.
    Drawn(u32, RefCell<usize>),
}

impl Quantiser {
    /// Whole numbers for `ratio` (x/scale); `error` is what rounding can make of one.
    fn on(&self, ratio: &Tensor, error: &dyn Fn() -> Torch<Tensor>) -> Torch<Tensor> {
        let nearest = || ratio.f_to_kind(Kind::Double)?.f_round();
        match self {
            Self::Nearest => nearest(),
            Self::Kept(all) => {
                let steps = nearest()?;
                all.borrow_mut().push_back(steps.shallow_clone());
                Ok(steps)
            }
            Self::Replayed(all) => all.borrow_mut().pop_front().map_or_else(nearest, Ok),
            Self::Drawn(run, draws) => {
                let mut rng = signs(0, *run, 1000 + *draws.borrow());
                *draws.borrow_mut() += 1;
                let signs: Vec<f64> = (0..ratio.numel())
                    .map(|_| if rng.random::<bool>() { 1.0 } else { -1.0 })
                    .collect();
                let signs = Tensor::f_from_slice(&signs)?.f_reshape(ratio.size())?;
                ratio
                    .f_to_kind(Kind::Double)?
                    .f_add(&signs.f_mul(&error()?)?)?
                    .f_round()
            }
        }
    }
}

/// Weights of one direction as integers, and what one of them stands for.
pub struct Integer<'a> {
    /// [input, gates], the zero point taken off; f64 holds products and sums of them exactly.
    centred: Tensor,
    scale: Tensor,
    quantiser: &'a Quantiser,
    /// What rounding can make of the numbers that are quantised: nothing of the input, which is given.
    error: f64,
}

impl<'a> Integer<'a> {
    /// Input `i` (1: of the input, 2: of the state) of direction `index`.
    pub fn of(call: &Call, index: i64, i: usize, quantiser: &'a Quantiser) -> Result<Self> {
        let at = 2 * i + 6;
        let (w, scale, zero) = (call.input(i)?, call.input(at)?, call.input(at + 1)?);
        if !matches!(w.kind(), Kind::Int8 | Kind::Uint8) {
            return Err(Error::usage(format!(
                "input {i} should be of 8 bits, is {:?}",
                w.kind()
            )));
        }
        let own = |t: &Tensor| t.f_select(0, index);
        let error = if i == 2 {
            family::bound(Transcendental, 1, UNIT)
        } else {
            0.0
        };
        done(|| {
            let centred = own(w)?
                .f_to_kind(Kind::Double)?
                .f_sub(&own(zero)?.f_to_kind(Kind::Double)?)?;
            Ok(Self {
                centred,
                scale: own(scale)?,
                quantiser,
                error,
            })
        })
    }

    /// `x` as u8 over its range, which holds 0, times the weights.
    pub fn on(&self, x: &Tensor) -> Torch<Tensor> {
        if x.numel() == 0 {
            return x.f_matmul(&self.centred.f_to_kind(x.kind())?);
        }
        let (low, high) = (x.f_min()?.f_clamp_max(0)?, x.f_max()?.f_clamp_min(0)?);
        let span = high.f_sub(&low)?.f_div_scalar(255)?;
        let scale = span.f_where_self(&span.f_ne(0)?, &span.f_ones_like()?)?;
        let zero = low
            .f_neg()?
            .f_div(&scale)?
            .f_clamp(0, 255)?
            .f_round()?
            .f_to_kind(Kind::Double)?;
        let ratio = x.f_div(&scale)?;
        // The ratio and its scale are rounded, and the number itself may be off.
        let error = || {
            let own = ratio
                .f_abs()?
                .f_mul_scalar(family::bound(Arithmetic, 1, UNIT))?;
            own.f_add(&scale.f_reciprocal()?.f_mul_scalar(self.error)?)?
                .f_to_kind(Kind::Double)
        };
        let steps = self
            .quantiser
            .on(&ratio, &error)?
            .f_add(&zero)?
            .f_clamp(0, 255)?
            .f_sub(&zero)?;
        steps
            .f_matmul(&self.centred)?
            .f_to_kind(x.kind())?
            .f_mul(&scale.f_mul(&self.scale)?)
    }
}

fn with(call: &Call, quantiser: &Quantiser) -> Result<Vec<Tensor>> {
    layer(call, &LSTM.on_integers(quantiser))
}

/// What rounding makes of it with every decision as it is, 1 and |y|; and twice the change that decisions within reach of rounding make,
/// which is a bound already (B = β·u·S takes it back to its own size).
fn scale(call: &Call, outputs: &[Tensor]) -> Result<Vec<(Tensor, usize)>> {
    let kept = Quantiser::Kept(RefCell::default());
    with(call, &kept)?;
    let Quantiser::Kept(steps) = kept else {
        return Err(Error::failed("no decisions were kept"));
    };
    let again = |all: Vec<Tensor>| all.into_iter().map(Value::Tensor).collect();
    let replayed = |call: &Call, _| {
        let copies = steps.borrow().iter().map(Tensor::shallow_clone).collect();
        with(call, &Quantiser::Replayed(RefCell::new(copies))).map(again)
    };
    let rounded = changes(call, outputs, &replayed)?;
    let drawn = changes(call, outputs, &|call, run| {
        with(call, &Quantiser::Drawn(run, RefCell::default())).map(again)
    })?;
    let beta = family::bound(Matmul, 1, UNIT);
    let mut scales = Vec::new();
    for ((y, rounded), drawn) in outputs.iter().zip(rounded).zip(drawn) {
        let (Some(rounded), Some(drawn)) = (rounded, drawn) else {
            return Err(Error::failed("an output is no float"));
        };
        let flips = || drawn.f_mul_scalar(2.0 / beta);
        scales.extend(scaled(
            flips().and_then(|f| {
                rounded
                    .f_div_scalar(UNIT)?
                    .f_add(&f)?
                    .f_add(&y.f_abs()?)?
                    .f_add_scalar(1)
            }),
            1,
        )?);
    }
    Ok(scales)
}

pub const OPS: &[Op] = &[Op {
    domain: "com.microsoft",
    name: "DynamicQuantizeLSTM",
    since: 1,
    kernel: Kernel::Tensors(|call| with(call, &Quantiser::Nearest)),
    scale: Scale::By(Matmul, scale),
}];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, random, whole};
    use parity::tensor::Tensor;
    use proptest::prelude::*;

    fn bytes(shape: &[usize], seed: u64, signed: bool) -> Tensor {
        let values = whole(shape, seed, 0, 256).to_i64().unwrap_or_default();
        match signed {
            true => Tensor::of(
                shape,
                &values.iter().map(|v| (*v - 128) as i8).collect::<Vec<_>>(),
            ),
            false => Tensor::of(shape, &values.iter().map(|v| *v as u8).collect::<Vec<_>>()),
        }
    }

    fn case(
        steps: usize,
        batch: usize,
        features: usize,
        hidden: usize,
        d: usize,
        signed: bool,
        seed: u64,
    ) -> Case {
        let part = |i: u64, shape: &[usize]| random(shape, seed ^ i, -1.0, 1.0);
        let case = Case::new("DynamicQuantizeLSTM", 1)
            .of("com.microsoft")
            .with(part(0, &[steps, batch, features]));
        let case = case
            .with(bytes(&[d, features, 4 * hidden], seed ^ 1, signed))
            .with(bytes(&[d, hidden, 4 * hidden], seed ^ 2, signed));
        let case = case
            .with(part(3, &[d, 8 * hidden]))
            .without()
            .without()
            .without()
            .without();
        let scale = || random(&[d], seed ^ 4, 0.002, 0.01);
        let zero = |i: u64| {
            if signed {
                bytes(&[d], seed ^ i, true)
            } else {
                bytes(&[d], seed ^ i, false)
            }
        };
        let case = case
            .with(scale())
            .with(zero(5))
            .with(scale())
            .with(zero(6))
            .int("hidden_size", hidden as i64)
            .outputs(3);
        case.text(
            "direction",
            if d == 2 { "bidirectional" } else { "forward" },
        )
    }

    #[test]
    fn weights_of_floats_are_refused() {
        let floats = || random(&[1, 2, 8], 1, -1.0, 1.0);
        let case = Case::new("DynamicQuantizeLSTM", 1)
            .of("com.microsoft")
            .with(random(&[1, 1, 2], 2, -1.0, 1.0))
            .with(floats())
            .with(floats());
        let case = case.without().without().without().without().without();
        let (scale, zero) = (|| random(&[1], 3, 0.1, 0.2), || Tensor::of(&[1], &[0i8]));
        case.with(scale())
            .with(zero())
            .with(scale())
            .with(zero())
            .refused("should be of 8 bits");
    }

    proptest! {
        #![proptest_config(cases(24))]
        #[test]
        fn quantised_layers_stay_in_their_bound(
            steps in 1usize..12, batch in 1usize..3, features in 1usize..6, hidden in 1usize..40, d in 1usize..3, signed: bool, seed: u64,
        ) {
            case(steps, batch, features, hidden, d, signed, seed).check();
        }

        #[test]
        fn what_a_long_sequence_makes_of_single_steps_stays_in_its_bound(batch in 1usize..3, hidden in prop::sample::select(vec![16usize, 64]), signed: bool, seed: u64) {
            case(80, batch, 5, hidden, 1, signed, seed).check();
        }
    }
}

//! recurrent: RNN, GRU and LSTM: both directions, initial states, lengths of sequences, layouts, peepholes and clipping.

use super::super::call::{Call, Precision};
use super::common::done;
use super::quantised_lstm::{Integer, Quantiser};
use super::{Op, Scale, alike, op};
use parity::error::{Error, Result};
use parity::floor::Family::Matmul;
use parity::floor::noise::signs;
use parity::tensor::DType;
use rand::RngExt;
use std::cell::Cell;
use tch::{Kind, TchError, Tensor};

type Torch<T> = std::result::Result<T, TchError>;

/// The draw that all steps of a run share.
const EVERY_STEP: usize = usize::MAX >> 24;

/// An activation function with its two numbers.
struct Function {
    name: String,
    alpha: f64,
    beta: f64,
}

impl Function {
    fn of(name: &str, alpha: Option<f64>, beta: Option<f64>) -> Result<Self> {
        let (a, b) = match name.to_lowercase().as_str() {
            "affine" => (1.0, 0.0),
            "leakyrelu" => (0.01, 0.0),
            "thresholdedrelu" | "elu" => (1.0, 0.0),
            "scaledtanh" => (1.0, 1.0),
            "hardsigmoid" => (0.2, 0.5),
            "relu" | "tanh" | "sigmoid" | "softsign" | "softplus" => (0.0, 0.0),
            other => return Err(Error::usage(format!("activation '{other}' is not known"))),
        };
        Ok(Self {
            name: name.to_lowercase(),
            alpha: alpha.unwrap_or(a),
            beta: beta.unwrap_or(b),
        })
    }

    fn on(&self, x: &Tensor) -> Torch<Tensor> {
        match self.name.as_str() {
            "relu" => x.f_relu(),
            "tanh" => x.f_tanh(),
            "sigmoid" => x.f_sigmoid(),
            "softsign" => x.f_div(&x.f_abs()?.f_add_scalar(1)?),
            "softplus" => x.f_softplus(),
            "affine" => x.f_mul_scalar(self.alpha)?.f_add_scalar(self.beta),
            "leakyrelu" => x.f_where_self(&x.f_ge(0)?, &x.f_mul_scalar(self.alpha)?),
            "thresholdedrelu" => x.f_where_self(&x.f_ge(self.alpha)?, &x.f_zeros_like()?),
            "elu" => x.f_where_self(
                &x.f_ge(0)?,
                &x.f_clamp_max(0)?.f_expm1()?.f_mul_scalar(self.alpha)?,
            ),
            "scaledtanh" => x
                .f_mul_scalar(self.beta)?
                .f_tanh()?
                .f_mul_scalar(self.alpha),
            _ => x
                .f_mul_scalar(self.alpha)?
                .f_add_scalar(self.beta)?
                .f_clamp(0, 1),
        }
    }
}

/// One direction of a layer, with its own slice of every parameter.
struct Direction<'a> {
    call: &'a Call<'a>,
    /// Which of the slices, and whether the sequence is walked from its end.
    index: i64,
    backward: bool,
    hidden: i64,
    clip: Option<f64>,
    functions: Vec<Function>,
    /// The run of perturbed inputs in which every gate is rounded, and the gates that have been; None where nothing is perturbed.
    shaken: Option<(u32, Cell<usize>)>,
}

impl Direction<'_> {
    /// Input `i` of this direction; None where it is absent.
    fn own(&self, i: usize) -> Result<Option<Tensor>> {
        self.call
            .optional(i)
            .map(|t| done(|| t.f_select(0, self.index)))
            .transpose()
    }

    fn need(&self, i: usize) -> Result<Tensor> {
        self.own(i)?
            .ok_or_else(|| Error::usage(format!("input {i} is missing")))
    }

    /// Function `i` of what is clipped first.
    fn f(&self, i: usize, x: &Tensor) -> Torch<Tensor> {
        let y = match self.clip {
            Some(c) => self.functions[i].on(&x.f_clamp(-c, c)?)?,
            None => self.functions[i].on(x)?,
        };
        self.rounded(i, y)
    }

    /// A gate's own rounding: ± u of its range, which is 1 as for a Sigmoid that is a node of its own.
    fn rounded(&self, i: usize, y: Tensor) -> Torch<Tensor> {
        match ["sigmoid", "tanh"].contains(&self.functions[i].name.as_str()) {
            true => self.shaken_by(y, None),
            false => Ok(y),
        }
    }

    /// What a step keeps of the one before: two roundings, a product and a sum, which are alike in every step where the steps are; over K steps
    /// they add up to 2K·u·|y| at most, which is what the family's β makes of this.
    fn carried(&self, y: Tensor) -> Torch<Tensor> {
        let Precision::Noisy(run) = self.call.precision else {
            return Ok(y);
        };
        let mut rng = signs(1 + self.index as u64, run, EVERY_STEP);
        let part = 2.0 * DType::F32.unit_roundoff() / Matmul.allowed(1);
        let factors: Vec<f64> = (0..y.numel())
            .map(|_| {
                if rng.random::<bool>() {
                    1.0 + part
                } else {
                    1.0 - part
                }
            })
            .collect();
        y.f_mul(
            &Tensor::f_from_slice(&factors)?
                .f_reshape(y.size())?
                .f_to_kind(y.kind())?,
        )
    }

    /// `y` ± u·`size` (1 where it is None) in a perturbed run.
    fn shaken_by(&self, y: Tensor, size: Option<&Tensor>) -> Torch<Tensor> {
        let Some((run, gates)) = &self.shaken else {
            return Ok(y);
        };
        let mut rng = signs(1 + self.index as u64, *run, gates.replace(gates.get() + 1));
        let unit = DType::F32.unit_roundoff();
        let noise: Vec<f64> = (0..y.numel())
            .map(|_| if rng.random::<bool>() { unit } else { -unit })
            .collect();
        let noise = Tensor::f_from_slice(&noise)?
            .f_reshape(y.size())?
            .f_to_kind(y.kind())?;
        y.f_add(&size.map_or_else(|| Ok(noise.shallow_clone()), |s| noise.f_mul(s))?)
    }

    /// Part `i` of gates that lie beside each other.
    fn gate(&self, t: &Tensor, i: i64) -> Torch<Tensor> {
        t.f_narrow(-1, i * self.hidden, self.hidden)
    }
}

/// What one step needs beside the state: the input's share of every gate is computed for the whole sequence at once.
struct Parameters<'a> {
    r: Tensor,
    /// The same where it is quantised.
    integer: Option<Integer<'a>>,
    /// Bias of the recurrence, one number per gate and unit.
    rb: Tensor,
    peephole: Option<Tensor>,
    linear_before_reset: bool,
}

impl Parameters<'_> {
    /// The state's share of all gates.
    fn recur(&self, h: &Tensor) -> Torch<Tensor> {
        match &self.integer {
            Some(integer) => integer.on(h),
            None => h.f_matmul(&self.r.f_transpose(0, 1)?),
        }
    }
}

/// (hidden, cell) after one step.
type Step =
    fn(&Direction, &Parameters, x: &Tensor, h: &Tensor, c: &Tensor) -> Torch<(Tensor, Tensor)>;

fn rnn_cell(
    d: &Direction,
    p: &Parameters,
    x: &Tensor,
    h: &Tensor,
    c: &Tensor,
) -> Torch<(Tensor, Tensor)> {
    Ok((
        d.f(
            0,
            &x.f_add(&h.f_matmul(&p.r.f_transpose(0, 1)?)?)?
                .f_add(&p.rb)?,
        )?,
        c.shallow_clone(),
    ))
}

/// Gates z, r, h.
fn gru_cell(
    d: &Direction,
    p: &Parameters,
    x: &Tensor,
    h: &Tensor,
    c: &Tensor,
) -> Torch<(Tensor, Tensor)> {
    let part = |i: i64| p.r.f_narrow(0, i * d.hidden, d.hidden)?.f_transpose(0, 1);
    let of = |i: i64| {
        d.gate(x, i)?
            .f_add(&h.f_matmul(&part(i)?)?)?
            .f_add(&d.gate(&p.rb, i)?)
    };
    let (z, r) = (d.f(0, &of(0)?)?, d.f(0, &of(1)?)?);
    let candidate = match p.linear_before_reset {
        true => d.gate(x, 2)?.f_add(
            &h.f_matmul(&part(2)?)?
                .f_add(&d.gate(&p.rb, 2)?)?
                .f_mul(&r)?,
        )?,
        false => d
            .gate(x, 2)?
            .f_add(&r.f_mul(h)?.f_matmul(&part(2)?)?)?
            .f_add(&d.gate(&p.rb, 2)?)?,
    };
    let candidate = d.f(1, &candidate)?;
    let new = candidate
        .f_sub(&z.f_mul(&candidate)?)?
        .f_add(&z.f_mul(h)?)?;
    Ok((d.carried(new)?, c.shallow_clone()))
}

/// Gates i, o, f, c; peepholes i, o, f.
fn lstm_cell(
    d: &Direction,
    p: &Parameters,
    x: &Tensor,
    h: &Tensor,
    c: &Tensor,
) -> Torch<(Tensor, Tensor)> {
    let gates = x.f_add(&p.recur(h)?)?.f_add(&p.rb)?;
    let seen = |i: i64, gate: i64, c: &Tensor| match &p.peephole {
        Some(w) => d.gate(&gates, gate)?.f_add(&d.gate(w, i)?.f_mul(c)?),
        None => d.gate(&gates, gate),
    };
    let (i, f) = (d.f(0, &seen(0, 0, c)?)?, d.f(0, &seen(2, 2, c)?)?);
    let new = d.carried(
        f.f_mul(c)?
            .f_add(&i.f_mul(&d.f(1, &d.gate(&gates, 3)?)?)?)?,
    )?;
    let o = d.f(0, &seen(1, 1, &new)?)?;
    Ok((o.f_mul(&d.rounded(2, d.functions[2].on(&new)?)?)?, new))
}

/// Where the parts of one kind of layer lie.
#[derive(Clone, Copy)]
pub struct Layer<'a> {
    gates: i64,
    functions: &'static [&'static str],
    cell: Step,
    /// Whether a cell state is carried beside the hidden one.
    carries: bool,
    /// How input and state become integers where the weights are such (with the gates last).
    quantiser: Option<&'a Quantiser>,
}

impl Layer<'_> {
    /// The same with weights of integers.
    pub fn on_integers<'a>(self, quantiser: &'a Quantiser) -> Layer<'a> {
        let Self {
            gates,
            functions,
            cell,
            carries,
            ..
        } = self;
        Layer {
            gates,
            functions,
            cell,
            carries,
            quantiser: Some(quantiser),
        }
    }
}

const RNN: Layer = Layer {
    gates: 1,
    functions: &["Tanh"],
    cell: rnn_cell,
    carries: false,
    quantiser: None,
};
const GRU: Layer = Layer {
    gates: 3,
    functions: &["Sigmoid", "Tanh"],
    cell: gru_cell,
    carries: false,
    quantiser: None,
};
pub const LSTM: Layer = Layer {
    gates: 4,
    functions: &["Sigmoid", "Tanh", "Tanh"],
    cell: lstm_cell,
    carries: true,
    quantiser: None,
};

fn directions(call: &Call) -> Result<Vec<bool>> {
    match call.text("direction", "forward")?.as_str() {
        "forward" => Ok(vec![false]),
        "reverse" => Ok(vec![true]),
        "bidirectional" => Ok(vec![false, true]),
        other => Err(Error::usage(format!("attribute 'direction' is '{other}'"))),
    }
}

fn functions(call: &Call, layer: &Layer, directions: usize) -> Result<Vec<Vec<Function>>> {
    let default = || {
        layer
            .functions
            .iter()
            .map(|s| s.to_string())
            .cycle()
            .take(layer.functions.len() * directions)
            .collect()
    };
    let names: Vec<String> = call.texts("activations")?.unwrap_or_else(default);
    let (alpha, beta) = (
        call.floats_if("activation_alpha")?.unwrap_or_default(),
        call.floats_if("activation_beta")?.unwrap_or_default(),
    );
    if names.len() != layer.functions.len() * directions {
        return Err(Error::usage(format!(
            "{} activations for {directions} directions",
            names.len()
        )));
    }
    let all = names
        .iter()
        .enumerate()
        .map(|(i, n)| Function::of(n, alpha.get(i).copied(), beta.get(i).copied()))
        .collect::<Result<Vec<_>>>()?;
    let mut all = all.into_iter();
    Ok((0..directions)
        .map(|_| all.by_ref().take(layer.functions.len()).collect())
        .collect())
}

pub fn layer(call: &Call, layer: &Layer) -> Result<Vec<Tensor>> {
    let batch_first = call.int("layout", 0)? != 0;
    let x = super::common::float(call, 0)?;
    if x.dim() != 3 || call.input(2)?.dim() != 3 {
        return Err(Error::usage(format!(
            "{:?} should be sequence, batch and features",
            x.size()
        )));
    }
    let x = if batch_first {
        done(|| x.f_transpose(0, 1))?
    } else {
        x.shallow_clone()
    };
    let hidden = call.input(2)?.size()[if layer.quantiser.is_some() { 1 } else { 2 }];
    if call.int("hidden_size", hidden)? != hidden {
        return Err(Error::usage(format!(
            "attribute 'hidden_size' is not {hidden}"
        )));
    }
    if layer.carries && call.int("input_forget", 0)? != 0 {
        return Err(Error::failed("input_forget is not supported"));
    }
    let clip = call
        .any("clip")
        .map(|_| call.float("clip", 0.0))
        .transpose()?;
    let walked = directions(call)?;
    let (mut ys, mut hs, mut cs) = (Vec::new(), Vec::new(), Vec::new());
    for ((i, backward), functions) in
        walked
            .iter()
            .enumerate()
            .zip(functions(call, layer, walked.len())?)
    {
        let shaken = match call.precision {
            // What decides inside has a bound of its own.
            Precision::Noisy(run) if layer.quantiser.is_none() => Some((run, Cell::new(0))),
            Precision::Noisy(_) | Precision::Declared | Precision::Double => None,
        };
        let d = Direction {
            call,
            index: i as i64,
            backward: *backward,
            hidden,
            clip,
            functions,
            shaken,
        };
        let (y, h, c) = one(&d, layer, &x, batch_first)?;
        ys.push(y);
        hs.push(h);
        cs.push(c);
    }
    done(|| {
        // [sequence, directions, batch, hidden]; the states have no sequence.
        let (y, h, c) = (
            Tensor::f_stack(&ys, 1)?,
            Tensor::f_stack(&hs, 0)?,
            Tensor::f_stack(&cs, 0)?,
        );
        let state = |t: Tensor| {
            if batch_first {
                t.f_transpose(0, 1)
            } else {
                Ok(t)
            }
        };
        let y = if batch_first {
            y.f_permute([2, 0, 1, 3])?
        } else {
            y
        };
        let mut outputs = vec![y, state(h)?];
        if layer.carries {
            outputs.push(state(c)?);
        }
        Ok(outputs)
    })
}

/// Initial state `i`, zeros where it is absent.
fn initial(d: &Direction, i: usize, x: &Tensor, batch_first: bool) -> Result<Tensor> {
    match d.call.optional(i) {
        Some(t) => done(|| t.f_select(if batch_first { 1 } else { 0 }, d.index)),
        None => done(|| Tensor::f_zeros([x.size()[1], d.hidden], (x.kind(), x.device()))),
    }
}

/// What equal terms add to the rounding of the input's share (see `alike`), in units of u, as a part of what the family allows a gate.
fn equal_terms(d: &Direction, x: &Tensor, w: &Tensor, batch_first: bool) -> Result<Option<Tensor>> {
    let product = |x: &Tensor, w: &Tensor| done(|| x.f_matmul(&w.f_transpose(0, 1)?));
    let sum = |c: &Call| {
        let (x, w) = (c.input(0)?, c.input(1)?);
        let (x, w) = done(|| {
            Ok((
                if batch_first {
                    x.f_transpose(0, 1)?
                } else {
                    x.shallow_clone()
                },
                w.f_select(0, d.index)?,
            ))
        })?;
        product(&x, &w)
    };
    let terms = w.size()[1] as usize;
    let size = product(&done(|| x.f_abs())?, &done(|| w.f_abs())?)?;
    let whole = alike::scaled(d.call, (Matmul, terms), size.shallow_clone(), &[0, 1], &sum)?;
    let more = done(|| {
        whole
            .f_ne_tensor(&size)?
            .f_to_kind(size.kind())?
            .f_mul(&whole)
    })?;
    let is_more = done(|| more.f_any()?.f_to_kind(Kind::Int64)?.f_int64_value(&[]))? != 0;
    is_more
        .then(|| done(|| more.f_mul_scalar(Matmul.allowed(terms) / Matmul.allowed(1))))
        .transpose()
}

/// Outputs of every step, last hidden and cell state of one direction.
fn one(
    d: &Direction,
    layer: &Layer,
    x: &Tensor,
    batch_first: bool,
) -> Result<(Tensor, Tensor, Tensor)> {
    let (length, width) = (x.size()[0], layer.gates * d.hidden);
    let (mut h, mut c) = (
        initial(d, 5, x, batch_first)?,
        initial(
            d,
            if layer.carries { 6 } else { usize::MAX },
            x,
            batch_first,
        )?,
    );
    let bias = match d.own(3)? {
        Some(b) => b,
        None => done(|| Tensor::f_zeros([2 * width], (x.kind(), x.device())))?,
    };
    let w = d.need(1)?;
    let equal = if d.shaken.is_some() {
        equal_terms(d, x, &w, batch_first)?
    } else {
        None
    };
    let (share, integer) = match layer.quantiser {
        None => {
            let share = done(|| x.f_matmul(&w.f_transpose(0, 1)?))?;
            (
                if equal.is_some() {
                    done(|| d.shaken_by(share, equal.as_ref()))?
                } else {
                    share
                },
                None,
            )
        }
        Some(q) => {
            let own = Integer::of(d.call, d.index, 1, q)?;
            (
                done(|| own.on(x))?,
                Some(Integer::of(d.call, d.index, 2, q)?),
            )
        }
    };
    let projected = done(|| share.f_add(&bias.f_narrow(0, 0, width)?))?;
    let p = Parameters {
        r: d.need(2)?,
        integer,
        rb: done(|| bias.f_narrow(0, width, width))?,
        peephole: if layer.carries { d.own(7)? } else { None },
        linear_before_reset: layer.gates == 3 && d.call.int("linear_before_reset", 0)? != 0,
    };
    let lengths = d.call.optional(4);
    let mut outputs: Vec<Option<Tensor>> = (0..length).map(|_| None).collect();
    for turn in 0..length {
        let t = if d.backward { length - 1 - turn } else { turn };
        let (nh, nc) = done(|| (layer.cell)(d, &p, &projected.f_select(0, t)?, &h, &c))?;
        // A sequence that has ended (or, backwards, has not begun) keeps its state and gives zeros.
        let live = lengths
            .map(|l| done(|| l.f_gt(t)?.f_to_kind(Kind::Bool)?.f_unsqueeze(1)))
            .transpose()?;
        let (nh, nc, y) = match live {
            None => (nh.shallow_clone(), nc, nh),
            Some(live) => done(|| {
                Ok((
                    nh.f_where_self(&live, &h)?,
                    nc.f_where_self(&live, &c)?,
                    nh.f_where_self(&live, &nh.f_zeros_like()?)?,
                ))
            })?,
        };
        outputs[t as usize] = Some(y);
        (h, c) = (nh, nc);
    }
    let all: Vec<Tensor> = outputs.into_iter().flatten().collect();
    let y = if all.is_empty() {
        done(|| Tensor::f_zeros([0, x.size()[1], d.hidden], (x.kind(), x.device())))?
    } else {
        done(|| Tensor::f_stack(&all, 0))?
    };
    Ok((y, h, c))
}

pub const OPS: &[Op] = &[
    op("RNN", 7, |c| layer(c, &RNN), Scale::Perturbed(Matmul)),
    op("GRU", 7, |c| layer(c, &GRU), Scale::Perturbed(Matmul)),
    op("LSTM", 7, |c| layer(c, &LSTM), Scale::Perturbed(Matmul)),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, f32s, random};
    use parity::tensor::Tensor;
    use proptest::prelude::*;

    #[test]
    fn a_gate_that_is_all_but_shut_is_bounded_by_its_range() {
        // The input gate is sigmoid(-25) = 1.4e-11: ONNX Runtime's sigmoid, right to 1e-8 of its range, says 0.
        let gates = |v: [f32; 4]| f32s(&[1, 4, 1], &v);
        let case = Case::new("LSTM", 14)
            .with(f32s(&[1, 1, 1], &[1.0]))
            .with(gates([-25.0, 0.0, 0.0, 2.0]))
            .with(gates([0.0; 4]));
        let scale = case
            .without()
            .without()
            .without()
            .without()
            .int("hidden_size", 1)
            .outputs(3)
            .check();
        assert!(scale[2].to_f64()[0].abs() < 1e-10);
    }

    #[test]
    fn what_a_layer_does_not_know_is_refused() {
        let case = || {
            Case::new("LSTM", 14)
                .with(random(&[2, 1, 3], 1, -1.0, 1.0))
                .with(random(&[1, 8, 3], 2, -1.0, 1.0))
                .with(random(&[1, 8, 2], 3, -1.0, 1.0))
        };
        case()
            .text("direction", "sideways")
            .refused("'direction' is 'sideways'");
        case()
            .int("hidden_size", 5)
            .refused("'hidden_size' is not 2");
        case().int("input_forget", 1).refused("input_forget");
    }

    proptest! {
        #![proptest_config(cases(24))]
        #[test]
        fn layers_stay_in_their_bound(
            (op, gates) in prop::sample::select(vec![("RNN", 1usize), ("GRU", 3), ("LSTM", 4)]), steps in 1usize..6, batch in 1usize..4, features in 1usize..5,
            hidden in 1usize..6, direction in prop::sample::select(vec!["forward", "reverse", "bidirectional"]), lengths: bool, linear in 0i64..2, seed: u64,
        ) {
            let d = if direction == "bidirectional" { 2 } else { 1 };
            let part = |i: u64, shape: &[usize]| random(shape, seed ^ i, -1.0, 1.0);
            let case = Case::new(op, 14).with(part(0, &[steps, batch, features])).with(part(1, &[d, gates * hidden, features]));
            let case = case.with(part(2, &[d, gates * hidden, hidden])).with(part(3, &[d, 2 * gates * hidden]));
            let ends: Vec<i32> = (0..batch).map(|b| (1 + (b + steps / 2) % steps) as i32).collect();
            let case = if lengths { case.with(Tensor::of(&[batch], &ends)) } else { case.without() };
            let case = case.with(part(4, &[d, batch, hidden])).text("direction", direction).int("hidden_size", hidden as i64);
            let case = if op == "GRU" { case.int("linear_before_reset", linear) } else { case };
            let case = if op == "LSTM" && linear == 1 { case.with(part(5, &[d, batch, hidden])).with(part(6, &[d, 3 * hidden])) } else { case };
            case.outputs(if op == "LSTM" { 3 } else { 2 }).check();
        }
    }
}

//! control: If, Loop, Scan and SequenceMap: bodies in scopes of their own that see the names around the node.

use super::super::call::Call;
use super::super::value::Value;
use super::common::{axis, done};
use super::{Op, Scale, values};
use parity::error::{Error, Result};
use parity::floor::Family::Arithmetic;
use tch::{Kind, Tensor};

/// Turns of a loop that never ends on its own: what a user waits for, not what a network does.
const MOST: i64 = 1 << 20;

fn truth(v: &Value) -> Result<bool> {
    let t = v
        .tensor()
        .filter(|t| t.numel() == 1)
        .ok_or_else(|| Error::usage(format!("a condition is {}", v.describe())))?;
    done(|| {
        t.f_to_kind(Kind::Int64)?
            .f_reshape([-1])?
            .f_int64_value(&[0])
    })
    .map(|v| v != 0)
}

fn choose(call: &Call) -> Result<Vec<Value>> {
    let taken = truth(call.value(0)?)?;
    // Both are known, one is run.
    call.known("then_branch");
    call.known("else_branch");
    call.body(if taken { "then_branch" } else { "else_branch" })?
        .run(vec![])
}

/// The body takes (turn, condition, carried…) and gives (condition, carried…, per turn…).
fn repeat(call: &Call) -> Result<Vec<Value>> {
    let body = call.body("body")?;
    let limit = match call.optional_value(0) {
        None => MOST,
        Some(_) => call
            .integers(0)?
            .and_then(|v| v.first().copied())
            .ok_or_else(|| Error::usage("input 0 is empty"))?,
    };
    let mut go = call.optional_value(1).map_or(Ok(true), truth)?;
    let carried_in = call.values().get(2..).unwrap_or(&[]);
    let mut carried: Vec<Value> = carried_in
        .iter()
        .map(|v| {
            v.clone()
                .ok_or_else(|| Error::usage("a carried input is missing"))
        })
        .collect::<Result<_>>()?;
    let n = carried.len();
    let mut turns: Vec<Vec<Value>> =
        vec![Vec::new(); body.graph.outputs.len().saturating_sub(n + 1)];
    let mut turn = 0;
    while go && turn < limit {
        if turn == MOST {
            return Err(Error::failed(format!(
                "the loop did not end in {MOST} turns"
            )));
        }
        let number = done(|| Tensor::f_from_slice(&[turn])?.f_reshape([0i64; 0]))?;
        let condition = done(|| Tensor::f_from_slice(&[go])?.f_reshape([0i64; 0]))?;
        let mut outputs = body.run(
            [
                vec![Value::Tensor(number), Value::Tensor(condition)],
                carried,
            ]
            .concat(),
        )?;
        if outputs.len() != 1 + n + turns.len() {
            return Err(Error::usage(format!(
                "the body gives {} outputs, carries {n}",
                outputs.len()
            )));
        }
        let per_turn = outputs.split_off(1 + n);
        turns
            .iter_mut()
            .zip(per_turn)
            .for_each(|(all, v)| all.push(v));
        carried = outputs.split_off(1);
        go = truth(&outputs[0])?;
        turn += 1;
    }
    let stacked = turns
        .into_iter()
        .enumerate()
        .map(|(i, all)| stacked(all, 0, || empty(&body.graph.outputs[1 + n + i])));
    Ok([carried, stacked.collect::<Result<_>>()?].concat())
}

/// What a loop without a turn gives for an output of every turn.
fn empty(port: &parity::graph::Port) -> Result<Value> {
    let kind = port
        .dtype
        .and_then(super::super::convert::kind)
        .unwrap_or(Kind::Float);
    let known = |d: &parity::graph::Dim| {
        if let parity::graph::Dim::Known(n) = d {
            *n as i64
        } else {
            0
        }
    };
    let rest: Vec<i64> = port.shape.iter().flatten().map(known).collect();
    done(|| Tensor::f_zeros([vec![0], rest].concat(), (kind, tch::Device::Cpu))).map(Value::Tensor)
}

/// Values of one turn each, as one tensor with a new axis `at`.
fn stacked(all: Vec<Value>, at: i64, none: impl FnOnce() -> Result<Value>) -> Result<Value> {
    let Some(mark) = all.first().map(Value::mark) else {
        return none();
    };
    let tensors = all
        .into_iter()
        .map(Value::into_tensor)
        .collect::<Result<Vec<_>>>()?;
    let t = done(|| Tensor::f_stack(&tensors, at))?;
    Ok(mark.map_or_else(
        || Value::Tensor(t.shallow_clone()),
        |m| Value::Marked(m, t.shallow_clone()),
    ))
}

/// Axes and directions of the scanned inputs or outputs, zeros where they are not stated.
fn stated(call: &Call, name: &str, n: usize) -> Result<Vec<i64>> {
    let list = call.ints(name)?.unwrap_or_else(|| vec![0; n]);
    if list.len() == n {
        Ok(list)
    } else {
        Err(Error::usage(format!(
            "attribute '{name}' should be {n} numbers"
        )))
    }
}

/// From opset 9 on: (state…, sequences…) into (state…, sequences…).
fn scan(call: &Call) -> Result<Vec<Value>> {
    let n = call.int("num_scan_inputs", 0)? as usize;
    let inputs: Vec<Value> = call
        .values()
        .iter()
        .cloned()
        .map(|v| v.ok_or_else(|| Error::usage("an input is missing")))
        .collect::<Result<_>>()?;
    scanned(call, inputs, n)
}

fn scanned(call: &Call, mut inputs: Vec<Value>, n: usize) -> Result<Vec<Value>> {
    let body = call.body("body")?;
    let states = inputs
        .len()
        .checked_sub(n)
        .filter(|_| n > 0)
        .ok_or_else(|| Error::usage(format!("num_scan_inputs is {n} of {}", inputs.len())))?;
    let outs = body.graph.outputs.len().saturating_sub(states);
    let (in_axes, in_turned) = (
        stated(call, "scan_input_axes", n)?,
        stated(call, "scan_input_directions", n)?,
    );
    let (out_axes, out_turned) = (
        stated(call, "scan_output_axes", outs)?,
        stated(call, "scan_output_directions", outs)?,
    );
    let sequences = inputs
        .split_off(states)
        .into_iter()
        .map(Value::into_tensor)
        .collect::<Result<Vec<_>>>()?;
    let axes = sequences
        .iter()
        .zip(&in_axes)
        .map(|(t, a)| axis(*a, t.dim()))
        .collect::<Result<Vec<_>>>()?;
    let length = sequences[0].size()[axes[0]];
    let mut state = inputs;
    let mut rows: Vec<Vec<Value>> = vec![Vec::new(); outs];
    for turn in 0..length {
        let at = |i: usize| {
            if in_turned[i] == 0 {
                turn
            } else {
                length - 1 - turn
            }
        };
        let parts = (0..n)
            .map(|i| done(|| sequences[i].f_select(axes[i] as i64, at(i))).map(Value::Tensor));
        let mut outputs = body.run([state, parts.collect::<Result<Vec<_>>>()?].concat())?;
        rows.iter_mut()
            .zip(outputs.split_off(states))
            .for_each(|(all, v)| all.push(v));
        state = outputs;
    }
    for (i, (mut row, at)) in rows.into_iter().zip(out_axes).enumerate() {
        if out_turned[i] != 0 {
            row.reverse();
        }
        state.push(stacked(row, at, || empty(&body.graph.outputs[states + i]))?);
    }
    Ok(state)
}

/// Opset 8: a batch of scans, with the lengths of the sequences as input 0, on axis 1.
fn scan_8(call: &Call) -> Result<Vec<Value>> {
    let n = call.int("num_scan_inputs", 0)? as usize;
    if call.optional_value(0).is_some()
        || call
            .ints("directions")?
            .is_some_and(|d| d.iter().any(|v| *v != 0))
    {
        return Err(Error::failed(
            "Scan of opset 8 with sequence lengths or directions is not supported",
        ));
    }
    let all = call.values().iter().skip(1).map(|v| {
        v.clone()
            .ok_or_else(|| Error::usage("an input is missing"))?
            .into_tensor()
    });
    let all: Vec<Tensor> = all.collect::<Result<_>>()?;
    let batch = all
        .first()
        .and_then(|t| t.size().first().copied())
        .ok_or_else(|| Error::usage("Scan takes no input"))?;
    let mut outputs: Vec<Vec<Value>> = Vec::new();
    for b in 0..batch {
        let one = all
            .iter()
            .map(|t| done(|| t.f_select(0, b)).map(Value::Tensor))
            .collect::<Result<Vec<_>>>()?;
        let given = scanned(call, one, n)?;
        outputs.resize_with(given.len(), Vec::new);
        outputs
            .iter_mut()
            .zip(given)
            .for_each(|(all, v)| all.push(v));
    }
    outputs
        .into_iter()
        .map(|all| stacked(all, 0, || Err(Error::usage("an empty batch"))))
        .collect()
}

/// The body on each element of the first sequence; other sequences go along, everything else stays the same.
fn map(call: &Call) -> Result<Vec<Value>> {
    let body = call.body("body")?;
    let Value::Sequence(first) = call.value(0)? else {
        return Err(Error::usage("input 0 is no sequence"));
    };
    let mut outputs: Vec<Vec<Value>> = vec![Vec::new(); body.graph.outputs.len()];
    for i in 0..first.len() {
        let own = |v: &Option<Value>| match v {
            Some(Value::Sequence(all)) => all
                .get(i)
                .cloned()
                .ok_or_else(|| Error::usage("the sequences differ in length")),
            Some(v) => Ok(v.clone()),
            None => Err(Error::usage("an input is missing")),
        };
        let given = body.run(call.values().iter().map(own).collect::<Result<_>>()?)?;
        outputs
            .iter_mut()
            .zip(given)
            .for_each(|(all, v)| all.push(v));
    }
    Ok(outputs.into_iter().map(Value::Sequence).collect())
}

pub const OPS: &[Op] = &[
    values("If", 1, choose, Scale::Perturbed(Arithmetic)),
    values("Loop", 1, repeat, Scale::Perturbed(Arithmetic)),
    values("Scan", 8, scan_8, Scale::Perturbed(Arithmetic)),
    values("Scan", 9, scan, Scale::Perturbed(Arithmetic)),
    values("SequenceMap", 17, map, Scale::Exact),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, body, bools, cases, declared, f32s, i64s, random};
    use parity::tensor::{DType, Tensor, Value};
    use proptest::prelude::*;

    fn tensors(values: Vec<Value>) -> Vec<Vec<f64>> {
        values
            .iter()
            .map(|v| v.tensor().expect("a tensor").to_f64())
            .collect()
    }

    #[test]
    fn one_branch_is_run_and_sees_the_names_around_it() {
        let branch = |op| body(&[(op, &["v0", "v0"], "y")], &[], &["y"]);
        let case = Case::new("If", 16)
            .attribute("then_branch", branch("Xor"))
            .attribute("else_branch", branch("Equal"));
        let of = |v: u8| case.on(&[Value::Tensor(bools(&[], &[v]))]).map(tensors);
        assert_eq!((of(1), of(0)), (Ok(vec![vec![0.0]]), Ok(vec![vec![1.0]])));
        assert!(
            Case::new("If", 16)
                .on(&[Value::Tensor(bools(&[], &[1]))])
                .unwrap_err()
                .message
                .contains("'then_branch' should be a graph")
        );
        let two = Case::new("If", 16)
            .attribute("then_branch", branch("Or"))
            .on(&[Value::Tensor(bools(&[2], &[1, 1]))]);
        assert!(two.unwrap_err().message.contains("a condition is"));
    }

    #[test]
    fn what_rounds_inside_a_branch_is_in_its_bound() {
        // x − x·1: nothing is left of 1000 but what the product rounds.
        let branch = || {
            body(
                &[("Mul", &["x1", "x2"], "p"), ("Sub", &["x1", "p"], "y")],
                &[],
                &["y"],
            )
        };
        let case = Case::new("If", 16)
            .with(bools(&[], &[1]))
            .with(f32s(&[1], &[1000.0]))
            .with(f32s(&[1], &[1.0]));
        let scale = case
            .attribute("then_branch", branch())
            .attribute("else_branch", branch())
            .scale()
            .expect("it rounds");
        assert!(scale[0] > 500.0, "{scale:?}");
    }

    #[test]
    fn a_loop_carries_its_state_and_gives_every_turn() {
        let inner = body(
            &[
                ("Identity", &["go"], "on"),
                ("Add", &["sum", "sum"], "twice"),
                ("Identity", &["sum"], "seen"),
            ],
            &["turn", "go", "sum"],
            &["on", "twice", "seen"],
        );
        let case = Case::new("Loop", 16).attribute("body", inner).outputs(2);
        let run = |n: i64, go: u8| {
            let inputs = [
                Value::Tensor(Tensor::of(&[], &[n])),
                Value::Tensor(bools(&[], &[go])),
                Value::Tensor(f32s(&[1], &[1.0])),
            ];
            case.on(&inputs).map(tensors)
        };
        assert_eq!(run(3, 1), Ok(vec![vec![8.0], vec![1.0, 2.0, 4.0]]));
        assert_eq!(run(3, 0), Ok(vec![vec![1.0], vec![]]));
        assert_eq!(run(0, 1), Ok(vec![vec![1.0], vec![]]));
    }

    #[test]
    fn a_scan_walks_its_sequences_forwards_or_backwards() {
        let inner = body(
            &[
                ("Add", &["sum", "x"], "next"),
                ("Identity", &["next"], "seen"),
            ],
            &["sum", "x"],
            &["next", "seen"],
        );
        let case = |backwards: i64| {
            let case = Case::new("Scan", 16)
                .attribute("body", inner.clone())
                .int("num_scan_inputs", 1)
                .ints("scan_input_directions", &[backwards]);
            case.outputs(2)
                .on(&[
                    Value::Tensor(f32s(&[], &[0.0])),
                    Value::Tensor(f32s(&[3], &[1.0, 2.0, 3.0])),
                ])
                .map(tensors)
        };
        assert_eq!(case(0), Ok(vec![vec![6.0], vec![1.0, 3.0, 6.0]]));
        assert_eq!(case(1), Ok(vec![vec![6.0], vec![3.0, 5.0, 6.0]]));
    }

    fn binary() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec!["Add", "Sub", "Mul", "Max"])
    }

    fn unary() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec!["Tanh", "Sigmoid", "Neg", "Identity"])
    }

    proptest! {
        #![proptest_config(cases(64))]
        #[test]
        fn branches_agree(
            taken in 0u8..2, then in (binary(), unary()), other in (binary(), unary()), shape in prop::collection::vec(1usize..5, 0..4), seed: u64,
        ) {
            let branch = |(two, one): (&str, &str)| body(&[(two, &["a", "b"], "p"), (one, &["p"], "y")], &[], &["y"]);
            let case = Case::new("If", 16).with(bools(&[], &[taken])).around("a", random(&shape, seed, -2.0, 2.0)).around("b", random(&shape, !seed, -2.0, 2.0));
            case.attribute("then_branch", branch(then)).attribute("else_branch", branch(other)).check();
        }

        #[test]
        fn loops_agree(
            turns in 0i64..6, stop in 0i64..6, go in 0u8..2, two in binary(), one in unary(), shape in prop::collection::vec(1usize..5, 0..4), seed: u64,
        ) {
            let own = (DType::F32, Some(shape.as_slice()));
            let ports = [("turn", DType::I64, Some(&[][..])), ("go", DType::Bool, Some(&[])), ("on", DType::Bool, Some(&[]))];
            let ports = [&ports[..], &["carried", "next", "seen"].map(|n| (n, own.0, own.1))].concat();
            let inner = body(
                &[("Less", &["turn", "stop"], "on"), (two, &["carried", "step"], "p"), (one, &["p"], "next"), ("Mul", &["next", "carried"], "seen")],
                &["turn", "go", "carried"],
                &["on", "next", "seen"],
            );
            let case = Case::new("Loop", 16).with(i64s(&[turns])).with(bools(&[1], &[go])).with(random(&shape, seed, -1.0, 1.0));
            let case = case.around("stop", Tensor::of(&[], &[stop])).around("step", random(&shape, !seed, -1.0, 1.0));
            // Without a turn the shape of what every turn gives is nowhere stated.
            if turns > 0 && go == 1 { case.attribute("body", declared(inner, &ports)).outputs(2).check(); }
        }

        #[test]
        fn scans_agree_forwards_and_backwards_along_every_axis(
            length in 1usize..6, rest in prop::collection::vec(1usize..4, 0..3), axes in (0usize..3, 0usize..3, 0usize..3), turned in (0i64..2, 0i64..2, 0i64..2),
            two in binary(), one in unary(), seed: u64,
        ) {
            let inner = body(&[(two, &["state", "x"], "p"), (one, &["p"], "next"), ("Mul", &["p", "z"], "seen")], &["state", "x", "z"], &["next", "seen"]);
            let inner = declared(inner, &["state", "x", "z", "next", "seen"].map(|n| (n, DType::F32, Some(rest.as_slice()))));
            let along = |axis: usize| { let mut s = rest.clone(); s.insert(axis.min(rest.len()), length); s };
            let place = |axis: usize| axis.min(rest.len()) as i64;
            let case = Case::new("Scan", 16).with(random(&rest, seed, -1.0, 1.0)).with(random(&along(axes.0), !seed, -1.0, 1.0)).with(random(&along(axes.1), seed ^ 7, -1.0, 1.0));
            let case = case.int("num_scan_inputs", 2).ints("scan_input_axes", &[place(axes.0), place(axes.1)]).ints("scan_input_directions", &[turned.0, turned.1]);
            case.ints("scan_output_axes", &[place(axes.2)]).ints("scan_output_directions", &[turned.2]).attribute("body", inner).outputs(2).check();
        }

        #[test]
        fn scans_of_opset_8_agree_on_every_sample_of_a_batch(batch in 1usize..4, length in 1usize..6, width in 1usize..4, two in binary(), one in unary(), seed: u64) {
            let inner = body(&[(two, &["state", "x"], "p"), (one, &["p"], "next"), ("Mul", &["p", "x"], "seen")], &["state", "x"], &["next", "seen"]);
            let own = [width];
            let inner = declared(inner, &["state", "x", "next", "seen"].map(|n| (n, DType::F32, Some(&own[..]))));
            let case = Case::new("Scan", 8).without().with(random(&[batch, width], seed, -1.0, 1.0)).with(random(&[batch, length, width], !seed, -1.0, 1.0));
            case.int("num_scan_inputs", 1).attribute("body", inner).outputs(2).check();
        }

        #[test]
        fn a_body_on_every_element_of_a_sequence_agrees(n in 1usize..5, with_tensor: bool, width in 1usize..5, seed: u64) {
            let inner = body(&[("Add", &["x", "z"], "p"), ("Neg", &["p"], "y")], &["x", "z"], &["y", "p"]);
            let inner = declared(inner, &["x", "z", "y", "p"].map(|n| (n, DType::F32, None)));
            let element = |i: usize| Value::Tensor(random(&[i % 3 + 1, width], seed ^ i as u64, -1.0, 1.0));
            let sequence = Value::Sequence((0..n).map(element).collect());
            let other = if with_tensor { Value::Tensor(random(&[width], !seed, -1.0, 1.0)) } else { sequence.clone() };
            Case::new("SequenceMap", 17).attribute("body", inner).outputs(2).check_on(&[sequence, other]);
        }
    }
}

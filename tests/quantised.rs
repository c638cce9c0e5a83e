//! A statically quantised model has one verdict, whatever its inputs: a step of a quantiser is no fault, and no excuse for one.

#![cfg(feature = "torch")]

mod support;

use parity::graph::proto::*;
use std::path::Path;
use support::*;

fn scalar(name: &str, v: f32) -> TensorProto {
    TensorProto {
        dims: vec![],
        ..weight(name, &[], &[v])
    }
}

/// Integers of 8 bits, signed or not.
fn bytes(name: &str, shape: &[i64], signed: bool, values: &[i32]) -> TensorProto {
    let data_type = Some(if signed { 3 } else { 2 });
    TensorProto {
        name: Some(name.into()),
        dims: shape.to_vec(),
        data_type,
        int32_data: values.to_vec(),
        ..Default::default()
    }
}

/// A network as a static quantiser writes it: every product takes dequantised numbers, every activation is quantised behind it.
fn network() -> ModelProto {
    let (mut nodes, mut weights) = (Vec::new(), Vec::new());
    let pair = |nodes: &mut Vec<NodeProto>,
                weights: &mut Vec<TensorProto>,
                name: &str,
                from: &str,
                scale: f32,
                zero: i32| {
        let own = |part: &str| format!("{name}_{part}");
        let (s, z, q, d) = (own("s"), own("z"), own("q"), own("d"));
        nodes.push(node("QuantizeLinear", &q, &[from, &s, &z], &[&q]));
        nodes.push(node("DequantizeLinear", &d, &[&q, &s, &z], &[&d]));
        weights.extend([scalar(&s, scale), bytes(&z, &[], false, &[zero])]);
    };
    let widths = [64i64, 48, 32, 8];
    pair(&mut nodes, &mut weights, "x", "x", 0.03, 128);
    let mut last = "x_d".to_string();
    for (layer, shape) in widths.windows(2).enumerate() {
        let own = |part: &str| format!("{part}{layer}");
        let (w, s, z, d, p, y) = (
            own("w"),
            own("ws"),
            own("wz"),
            own("wd"),
            own("p"),
            own("y"),
        );
        let values: Vec<i32> = (0..shape[0] * shape[1])
            .map(|i| ((i * 7919 + 13 * layer as i64) % 255 - 127) as i32)
            .collect();
        weights.extend([
            bytes(&w, shape, true, &values),
            scalar(&s, 0.003),
            bytes(&z, &[], true, &[0]),
        ]);
        nodes.push(node("DequantizeLinear", &d, &[&w, &s, &z], &[&d]));
        nodes.push(node("MatMul", &p, &[&last, &d], &[&p]));
        nodes.push(node("Relu", &y, &[&p], &[&y]));
        pair(&mut nodes, &mut weights, &own("a"), &y, 0.021, 0);
        last = own("a") + "_d";
    }
    nodes.push(node("Sigmoid", "out", &[&last], &["y"]));
    onnx(port("x", F32, &[16, 64]), nodes, weights)
}

fn run(folder: &Path, seed: usize, candidate: &str) -> Ran {
    let scenario = format!(
        "format = 1\nmodel = \"m.onnx\"\nthreads = 1\nseed = {seed}\n[inputs.x]\nrandom = \"normal\"\n{candidate}"
    );
    std::fs::write(folder.join("s.toml"), scenario).expect("a writable folder");
    Call::new(PARITY, folder, &["run", "s.toml", "--json"]).run()
}

/// A quantised LSTM over `steps` steps of a batch.
fn recurrent(steps: i64, batch: i64) -> ModelProto {
    let (features, hidden) = (16i64, 32i64);
    let integers = |name: &str, rows: i64, seed: i64| {
        let values: Vec<i32> = (0..rows * 4 * hidden)
            .map(|i| ((i * 7919 + seed) % 255 - 127) as i32)
            .collect();
        bytes(name, &[1, rows, 4 * hidden], true, &values)
    };
    let zero = |name: &str| bytes(name, &[1], true, &[0]);
    let mut lstm = node(
        "DynamicQuantizeLSTM",
        "lstm",
        &["x", "w", "r", "", "", "", "", "", "ws", "wz", "rs", "rz"],
        &["y"],
    );
    lstm.domain = Some("com.microsoft".into());
    let size = AttributeProto {
        name: Some("hidden_size".into()),
        i: Some(hidden),
        r#type: Some(2),
        ..Default::default()
    };
    lstm.attribute.push(size);
    let scales = [weight("ws", &[1], &[0.004]), weight("rs", &[1], &[0.004])];
    let weights = [
        vec![
            integers("w", features, 5),
            integers("r", hidden, 11),
            zero("wz"),
            zero("rz"),
        ],
        scales.to_vec(),
    ]
    .concat();
    let mut model = onnx(
        port("x", F32, &[steps, batch, features]),
        vec![lstm],
        weights,
    );
    model.opset_import.push(OperatorSetIdProto {
        domain: Some("com.microsoft".into()),
        version: Some(1),
    });
    model
}

#[test]
fn a_quantised_lstm_is_judged_on_one_thread_whatever_a_run_has() {
    let dir = tempfile::tempdir().unwrap();
    // Every row of the batch has a range of its own.
    let size = |i: usize| 0.3 * 3f32.powf((i / 16 % 8) as f32 / 2.0);
    for steps in [6, 80] {
        write_model(dir.path(), "m.onnx", &recurrent(steps as i64, 8));
        let x: Vec<f32> = (0..steps * 8 * 16)
            .map(|i| ((i * 7919 % 1009) as f32 / 504.5 - 1.0) * size(i))
            .collect();
        write_trace(
            &dir.path().join("x.safetensors"),
            &[("x", &[steps, 8, 16], &x)],
            None,
        );
        for threads in ["1", "2", "4"] {
            Call::new(
                PARITY,
                dir.path(),
                &[
                    "run",
                    "m.onnx",
                    "--input",
                    "x=x.safetensors",
                    "--threads",
                    threads,
                ],
            )
            .run()
            .exits(0);
        }
    }
}

#[test]
fn the_observed_tensors_of_a_statically_quantised_model_agree_on_every_seed_and_a_fault_is_found_on_every_seed()
 {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &network());
    for seed in 0..20 {
        let healthy = run(dir.path(), seed, "").json();
        assert!(
            healthy.verdict.origins.is_empty() && healthy.verdict.drift.is_none(),
            "seed {seed}: {:?}",
            healthy.verdict
        );
        let faulty = "[candidate]\nsubject = \"faulty\"\nof = \"libtorch\"\nfault = \"negate-output\"\nnode = \"p1\"\n";
        let faulty = run(dir.path(), seed, faulty).exits(1).json();
        assert_eq!(
            faulty.verdict.origins.first().map(|o| o.node.as_str()),
            Some("p1"),
            "seed {seed}"
        );
    }
}

#[test]
fn the_verdict_of_a_statically_quantised_model_does_not_depend_on_the_seed() {
    let dir = tempfile::tempdir().unwrap();
    write_model(dir.path(), "m.onnx", &network());
    (0..20).for_each(|seed| drop(run(dir.path(), seed, "").exits(0)));
}

//! sums: every operator that adds, on terms of every kind, in one table: both engines within its bound, and a copy just beyond it refused.

use super::against_ort::{Case, body, f32s, i64s, random};
use parity::tensor::{DType, Tensor};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What the terms are: (name, number `i` of input `salt`).
type Terms = (&'static str, fn(usize, u64) -> f32);

fn drawn(i: usize, salt: u64) -> f32 {
    random(
        &[1],
        salt.wrapping_mul(0x9e37_79b9).wrapping_add(i as u64),
        0.0,
        1.0,
    )
    .to_f64()[0] as f32
}

/// Numbers that do not repeat, and ordinary inputs that do: a constant image, the bytes of one, a waveform, stripes, halves, a background.
const TERMS: [Terms; 12] = [
    ("random", |i, salt| 2.0 * drawn(i, salt) - 1.0),
    ("positive", drawn),
    ("constant", |_, salt| [0.3, 0.7, 0.11][salt as usize % 3]),
    ("byte", |_, _| 1.0 / 255.0),
    ("negative", |_, _| -0.1),
    ("waveform", |i, _| {
        [0.1, 0.57, 0.93, 0.57, 0.1, -0.37, -0.73, -0.37][i % 8]
    }),
    ("stripes", |i, _| if i % 2 == 0 { 0.3 } else { 0.7 }),
    ("halves", |i, _| if i % 64 < 32 { 0.3 } else { 0.7 }),
    (
        "background",
        |i, salt| if i % 10 == 0 { drawn(i, salt) } else { 0.3 },
    ),
    ("bytes", |i, salt| (drawn(i, salt) * 256.0).floor() / 255.0),
    ("zero", |_, _| 0.0),
    ("tiny", |_, _| 1e-42),
];

fn filled(shape: &[usize], salt: u64, terms: &Terms) -> Tensor {
    f32s(
        shape,
        &(0..shape.iter().product())
            .map(|i| (terms.1)(i, salt))
            .collect::<Vec<_>>(),
    )
}

fn like(n: usize, of: i64) -> Tensor {
    Tensor::of(&[n], &vec![of; n])
}

/// Every operator that adds, over many terms.
fn table(terms: &Terms) -> Vec<Case> {
    let x = |shape: &[usize]| filled(shape, 0, terms);
    let w = |shape: &[usize]| filled(shape, 1, terms);
    let mut all = Vec::new();
    for op in [
        "ReduceSum",
        "ReduceMean",
        "ReduceL1",
        "ReduceL2",
        "ReduceSumSquare",
        "ReduceLogSum",
        "ReduceLogSumExp",
        "ReduceProd",
    ] {
        all.push(Case::new(op, 18).with(x(&[1, 2048, 2])).with(i64s(&[1])));
        all.push(Case::new(op, 18).with(x(&[2, 5000])).with(i64s(&[1])));
        all.push(
            Case::new(op, 18)
                .with(x(&[3, 64, 64]))
                .with(i64s(&[0, 2]))
                .int("keepdims", 0),
        );
    }
    for (op, opset) in [("CumSum", 14)] {
        for (reverse, exclusive) in [(0, 0), (1, 0), (1, 1)] {
            let case = Case::new(op, opset)
                .with(x(&[3000, 2]))
                .with(Tensor::of(&[], &[0i64]));
            all.push(case.int("reverse", reverse).int("exclusive", exclusive));
        }
    }
    all.push(
        Case::new("MatMul", 13)
            .with(x(&[3, 4096]))
            .with(w(&[4096, 5])),
    );
    all.push(
        Case::new("MatMul", 13)
            .with(x(&[2, 1, 4096]))
            .with(w(&[4096])),
    );
    all.push(
        Case::new("Gemm", 13)
            .with(x(&[2, 4096]))
            .with(w(&[3, 4096]))
            .with(x(&[3]))
            .int("transB", 1)
            .float("alpha", -0.7),
    );
    all.push(
        Case::new("Gemm", 13)
            .with(x(&[4096, 2]))
            .with(w(&[4096, 3]))
            .int("transA", 1),
    );
    for equation in ["ij,jk->ik", "ij,ji->", "ij,jk->"] {
        all.push(
            Case::new("Einsum", 12)
                .with(x(&[40, 800]))
                .with(w(&[800, 40]))
                .text("equation", equation),
        );
    }
    all.push(
        Case::new("Einsum", 12)
            .with(x(&[3, 40, 50]))
            .text("equation", "ijk->i"),
    );
    all.push(
        Case::new("FusedMatMul", 1)
            .of("com.microsoft")
            .with(x(&[3, 4096]))
            .with(w(&[4096, 5]))
            .float("alpha", 0.5),
    );
    all.push(
        Case::new("Conv", 11)
            .with(x(&[1, 256, 6, 6]))
            .with(w(&[2, 256, 3, 3]))
            .ints("pads", &[1, 1, 1, 1]),
    );
    all.push(
        Case::new("Conv", 11)
            .with(x(&[1, 1, 3000]))
            .with(w(&[2, 1, 2048]))
            .with(x(&[2])),
    );
    all.push(
        Case::new("Conv", 11)
            .with(x(&[1, 4, 40, 40]))
            .with(w(&[4, 1, 32, 32]))
            .int("group", 4),
    );
    all.push(
        Case::new("Conv", 11)
            .with(x(&[1, 8, 9, 9, 9]))
            .with(w(&[4, 4, 8, 8, 8]))
            .int("group", 2),
    );
    all.push(
        Case::new("FusedConv", 1)
            .of("com.microsoft")
            .with(x(&[1, 256, 6, 6]))
            .with(w(&[2, 256, 3, 3]))
            .text("activation", "Relu"),
    );
    all.push(
        Case::new("ConvTranspose", 11)
            .with(x(&[1, 512, 5, 5]))
            .with(w(&[512, 2, 4, 4]))
            .ints("strides", &[2, 2]),
    );
    all.push(
        Case::new("ConvTranspose", 11)
            .with(x(&[1, 1, 1000]))
            .with(w(&[1, 2, 1000])),
    );
    all.push(
        Case::new("AveragePool", 11)
            .with(x(&[1, 2, 70, 70]))
            .ints("kernel_shape", &[64, 64]),
    );
    let framed = Case::new("AveragePool", 11)
        .with(x(&[1, 2, 70, 70]))
        .ints("kernel_shape", &[64, 64])
        .ints("pads", &[9, 9, 9, 9]);
    all.push(framed.clone());
    all.push(framed.int("count_include_pad", 1));
    all.push(
        Case::new("AveragePool", 11)
            .with(x(&[1, 2, 3000]))
            .ints("kernel_shape", &[2048])
            .ints("strides", &[7]),
    );
    all.push(
        Case::new("LpPool", 18)
            .with(x(&[1, 2, 70, 70]))
            .ints("kernel_shape", &[64, 64]),
    );
    all.push(
        Case::new("LpPool", 18)
            .with(x(&[1, 2, 70, 70]))
            .ints("kernel_shape", &[64, 64])
            .int("p", 1),
    );
    for op in ["GlobalAveragePool", "GlobalLpPool"] {
        all.push(Case::new(op, 11).with(x(&[1, 3, 64, 64])));
    }
    for (reduction, repeats) in [("add", 3000), ("mul", 300), ("max", 300), ("min", 300)] {
        let case = Case::new("ScatterElements", 18)
            .with(x(&[3]))
            .with(like(repeats, 1))
            .with(w(&[repeats]));
        all.push(case.text("reduction", reduction));
        let rows = Tensor::of(
            &[repeats, 1],
            &(0..repeats).map(|i| i as i64 % 2).collect::<Vec<_>>(),
        );
        all.push(
            Case::new("ScatterND", 18)
                .with(x(&[3, 4]))
                .with(rows)
                .with(w(&[repeats, 4]))
                .text("reduction", reduction),
        );
    }
    all.push(
        Case::new("Col2Im", 18)
            .with(x(&[1, 64 * 64, 9]))
            .with(i64s(&[66, 66]))
            .with(i64s(&[64, 64])),
    );
    all.push(
        Case::new("Col2Im", 18)
            .with(x(&[1, 400, 1000]))
            .with(i64s(&[1, 1399]))
            .with(i64s(&[1, 400])),
    );
    all.push(
        Case::new("DeformConv", 19)
            .with(x(&[1, 256, 5, 5]))
            .with(w(&[2, 256, 3, 3]))
            .with(filled(&[1, 18, 3, 3], 2, &TERMS[1])),
    );
    let regions = || f32s(&[1, 4], &[0.0, 0.0, 31.0, 31.0]);
    all.push(
        Case::new("RoiAlign", 16)
            .with(x(&[1, 2, 32, 32]))
            .with(regions())
            .with(i64s(&[0]))
            .int("sampling_ratio", 40),
    );
    for op in ["Sum", "Mean"] {
        let many = (0..300).fold(Case::new(op, 13), |case, i| {
            case.with(filled(
                &[3],
                if terms.0 == "constant" { 0 } else { i },
                terms,
            ))
        });
        all.push(many);
    }
    let (gain, shift) = (
        |n| filled(&[n], 3, &TERMS[1]),
        |n| filled(&[n], 4, &TERMS[0]),
    );
    all.push(
        Case::new("LayerNormalization", 17)
            .with(x(&[2, 4096]))
            .with(gain(4096))
            .with(shift(4096)),
    );
    all.push(
        Case::new("InstanceNormalization", 6)
            .with(x(&[1, 2, 64, 64]))
            .with(gain(2))
            .with(shift(2)),
    );
    all.push(
        Case::new("GroupNormalization", 21)
            .with(x(&[1, 4, 64, 64]))
            .with(gain(4))
            .with(shift(4))
            .int("num_groups", 2),
    );
    let trained = Case::new("BatchNormalization", 15)
        .with(x(&[4, 2, 32, 32]))
        .with(gain(2))
        .with(shift(2))
        .with(shift(2))
        .with(gain(2));
    all.push(trained.int("training_mode", 1).outputs(3));
    all.push(
        Case::new("RMSNormalization", 23)
            .with(x(&[2, 4096]))
            .with(gain(4096)),
    );
    // ONNX Runtime divides by the deviation alone: NaN where all are equal, which is a difference and no rounding.
    if !matches!(terms.0, "constant" | "byte" | "negative" | "zero" | "tiny") {
        all.push(Case::new("MeanVarianceNormalization", 13).with(x(&[2, 3, 32, 32])));
    }
    all.push(
        Case::new("LpNormalization", 22)
            .with(x(&[2, 4096]))
            .int("p", 1),
    );
    all.push(Case::new("LpNormalization", 22).with(x(&[2, 4096])));
    all.push(
        Case::new("LRN", 13)
            .with(x(&[1, 600, 2, 2]))
            .int("size", 501),
    );
    all.push(Case::new("Softmax", 13).with(x(&[2, 5000])));
    all.push(Case::new("LogSoftmax", 13).with(x(&[2, 5000])));
    let labels = |n: usize| Tensor::of(&[n], &(0..n as i64).map(|i| i % 3).collect::<Vec<_>>());
    all.push(
        Case::new("NegativeLogLikelihoodLoss", 13)
            .with(x(&[3000, 3]))
            .with(labels(3000)),
    );
    all.push(
        Case::new("SoftmaxCrossEntropyLoss", 13)
            .with(x(&[3000, 3]))
            .with(labels(3000)),
    );
    let summed = body(
        &[
            ("Add", &["sum", "x"], "next"),
            ("Identity", &["next"], "seen"),
        ],
        &["sum", "x"],
        &["next", "seen"],
    );
    let summed = super::against_ort::declared(
        summed,
        &[
            ("sum", DType::F32, Some(&[])),
            ("x", DType::F32, Some(&[])),
            ("next", DType::F32, Some(&[])),
            ("seen", DType::F32, Some(&[])),
        ],
    );
    let scan = Case::new("Scan", 16)
        .attribute("body", summed)
        .int("num_scan_inputs", 1)
        .outputs(2);
    all.push(scan.with(f32s(&[], &[0.0])).with(x(&[1000])));
    // Gates that are open, whatever the terms are.
    let light = |shape: &[usize]| {
        f32s(
            shape,
            &w(shape)
                .to_f64()
                .iter()
                .map(|v| (*v / 400.0) as f32)
                .collect::<Vec<_>>(),
        )
    };
    for (op, n) in [("RNN", 1), ("GRU", 3), ("LSTM", 4)] {
        let case = Case::new(op, 14)
            .with(x(&[3, 1, 900]))
            .with(light(&[1, n * 8, 900]))
            .with(light(&[1, n * 8, 8]));
        all.push(case.int("hidden_size", 8).outputs(2));
        // What is carried from step to step is a sum, too.
        let long = Case::new(op, 14)
            .with(x(&[300, 1, 6]))
            .with(w(&[1, n * 8, 6]))
            .with(light(&[1, n * 8, 8]));
        all.push(
            long.int("hidden_size", 8)
                .outputs(if op == "LSTM" { 3 } else { 2 }),
        );
    }
    all.push(Case::new("DFT", 17).with(x(&[1, 1500, 1])));
    all
}

/// What is wrong with each case of the table on these terms.
fn wrong(terms: &Terms) -> Vec<String> {
    let tried = |case: Case| {
        let failed = catch_unwind(AssertUnwindSafe(|| case.check())).err()?;
        let text = failed.downcast_ref::<String>().cloned().unwrap_or_default();
        let shown = text
            .split(" of Case")
            .next()
            .unwrap_or_default()
            .chars()
            .take(160)
            .collect::<String>();
        let shapes: Vec<_> = case.shapes();
        Some(format!("{} {shapes:?} on {}: {shown}", case.op(), terms.0))
    };
    table(terms).into_iter().filter_map(tried).collect()
}

#[test]
fn every_sum_stays_in_its_bound_whatever_its_terms_are() {
    let wrong: Vec<String> = TERMS.iter().flat_map(wrong).collect();
    assert!(
        wrong.is_empty(),
        "{} cases:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

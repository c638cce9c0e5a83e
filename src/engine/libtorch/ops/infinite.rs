//! infinite: a mask of −∞ opens no floor: where an operator gives a number of infinite inputs, its S is a number too.

use super::against_ort::{Case, f32s};
use std::collections::BTreeSet;

const INF: f32 = f32::INFINITY;
/// What exporters write for it, in f32 and f16; and what some write by hand.
const MASKS: [f32; 5] = [-INF, INF, f32::MIN, -65504.0, -1e9];

/// The case rounds, and its S is a number wherever its output is one.
fn bounded(case: &Case) -> bool {
    let Some((y, s)) = case.sized() else {
        return false;
    };
    let open: Vec<_> = y
        .iter()
        .zip(&s)
        .filter(|(y, s)| y.is_finite() && !s.is_finite())
        .collect();
    assert!(open.is_empty(), "y and S {open:?} of {case:?}");
    true
}

#[test]
fn every_operator_that_gives_a_number_of_an_infinite_input_bounds_it() {
    // The squares of a norm leave single precision, which is what an open floor is for; a transform spreads what is infinite.
    let open = [
        "RMSNormalization",
        "LpNormalization",
        "MeanVarianceNormalization",
        "LayerNormalization",
        "LRN",
        "Range",
        "DFT",
        "STFT",
    ];
    // The sum of a mean and the powers of a norm overflow on masks of the largest number.
    let overflow = [
        "ReduceMean",
        "ReduceL2",
        "AveragePool",
        "GlobalAveragePool",
        "LpPool",
        "GlobalLpPool",
    ];
    let mut asked = BTreeSet::new();
    for op in super::all().filter(|op| !open.contains(&op.name)) {
        for mask in MASKS
            .into_iter()
            .filter(|mask| *mask != f32::MIN || !overflow.contains(&op.name))
        {
            let x = || {
                f32s(
                    &[1, 2, 2, 2],
                    &[mask, 0.5, -1.0, mask, 2.0, mask, 0.25, 3.0],
                )
            };
            let plain = f32s(&[1, 2, 2, 2], &[0.5, 1.5, -2.0, 1.0, 4.0, 0.0, -1.0, 2.0]);
            let case = || Case::new(op.name, op.since).of(op.domain);
            let alone = bounded(&case().with(x()));
            let takes_two = |x, y| !alone && bounded(&case().with(x).with(y));
            if alone | takes_two(plain.clone(), x()) | takes_two(x(), plain.clone()) {
                asked.insert(op.name);
            }
        }
    }
    for name in [
        "Add",
        "Sub",
        "Mul",
        "Sum",
        "Softmax",
        "LogSoftmax",
        "ReduceLogSumExp",
        "HardSigmoid",
        "Exp",
        "Sigmoid",
        "MatMul",
        "Gelu",
    ] {
        assert!(asked.contains(name), "{name} is not among {asked:?}");
    }
    assert!(asked.len() > 50, "{asked:?}");
}

#[test]
fn nothing_bounds_what_overflows_on_its_way_although_the_result_does_not() {
    let x = |size: f32| f32s(&[1, 1, 2, 2], &[size, 0.75 * size, 0.5 * size, size]);
    let pool = |op: &str, x| Case::new(op, 11).with(x).ints("kernel_shape", &[2, 2]);
    let means = |size: f32| {
        let all = [
            Case::new("GlobalAveragePool", 1),
            Case::new("ReduceMean", 11),
        ];
        all.into_iter()
            .map(|case| case.with(x(size)))
            .chain([pool("AveragePool", x(size))])
            .collect::<Vec<_>>()
    };
    let norms = |size: f32| {
        let all = [Case::new("GlobalLpPool", 2), Case::new("ReduceL2", 11)];
        all.into_iter()
            .map(|case| case.with(x(size)))
            .chain([pool("LpPool", x(size))])
            .collect::<Vec<_>>()
    };
    let open = |case: &Case| {
        case.scale()
            .unwrap_or_default()
            .iter()
            .all(|s| *s == f64::INFINITY)
    };
    for (within, beyond) in means(0.2 * f32::MAX)
        .iter()
        .zip(&means(0.5 * f32::MAX))
        .chain(norms(1e18).iter().zip(&norms(1e20)))
    {
        assert!(!open(within) && open(beyond), "{within:?}");
    }
}

#[test]
fn an_operator_that_takes_a_mask_bounds_what_it_gives() {
    let part = |seed: f32| f32s(&[1, 1, 2, 3], &[seed, -seed, 0.5, 1.0, seed * 0.3, 0.2]);
    for mask in MASKS.into_iter().filter(|m| *m < 0.0) {
        let bias = || f32s(&[2, 2], &[0.0, mask, 0.0, 0.0]);
        let attention = || {
            Case::new("Attention", 23)
                .with(part(0.4))
                .with(part(-1.2))
                .with(part(2.0))
        };
        assert!(bounded(&attention().with(bias())), "{mask}");
        let row = f32s(&[2, 2], &[mask, mask, 0.0, 0.0]);
        assert!(
            bounded(&attention().with(row.clone())),
            "a row without any key, {mask}"
        );
        assert!(
            bounded(&Case::new("Softmax", 13).with(row.clone()))
                && bounded(&Case::new("LogSoftmax", 13).with(row)),
            "{mask}"
        );
    }
    assert!(bounded(
        &Case::new("Attention", 23)
            .with(part(0.4))
            .with(part(-1.2))
            .with(part(2.0))
            .int("is_causal", 1)
    ));
}

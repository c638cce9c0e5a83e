//! The comparator battery: what is easily called equal, or different, by mistake; each case with its decided outcome.

use half::{bf16, f16};
use parity::compare::{Comparison, Metrics, compare};
use parity::tensor::{DType, Element, Tensor, View};

const NAN: f32 = f32::NAN;
const INF: f32 = f32::INFINITY;

/// The outcome in words, without metrics that say nothing.
fn outcome(comparison: &Comparison) -> String {
    match comparison {
        Comparison::Attributes(other) => {
            let dtype = other.dtype.map(|(r, c)| format!("dtype {r} against {c}"));
            let shape = other
                .shape
                .as_ref()
                .map(|(r, c)| format!("shape {r:?} against {c:?}"));
            dtype
                .into_iter()
                .chain(shape)
                .collect::<Vec<_>>()
                .join(", ")
        }
        Comparison::Values(m) => values(m),
    }
}

fn values(m: &Metrics) -> String {
    let s = &m.specials;
    let mut words = vec![if m.identical() {
        "identical".into()
    } else {
        format!("{} of {} differ", m.mismatches, m.numel)
    }];
    if m.max_abs.value > 0.0 {
        words.push(format!(
            "by {:?} at {}, {} ulp",
            m.max_abs.value, m.max_abs.index, m.ulp_max
        ));
    }
    if let Some(first) = &s.first_conflict {
        words.push(format!(
            "{} conflict at {}: {} against {}",
            s.conflicts,
            first.index,
            first.reference_text(),
            first.candidate_text()
        ));
    }
    for (what, r, c) in [
        ("nan", s.nan_reference, s.nan_candidate),
        ("inf", s.inf_reference, s.inf_candidate),
        ("signed zero", 0, s.signed_zero),
    ] {
        if r + c > 0 {
            words.push(format!("{what} {r}/{c}"));
        }
    }
    words.join("; ")
}

fn check_tensors(name: &str, reference: &Tensor, candidate: &Tensor, want: &str) {
    assert_eq!(
        outcome(&compare(reference.view(), candidate.view(), None)),
        want,
        "{name}"
    );
}

/// Two tensors of one dimension.
fn check<T: Element>(name: &str, reference: &[T], candidate: &[T], want: &str) {
    check_tensors(
        name,
        &Tensor::of(&[reference.len()], reference),
        &Tensor::of(&[candidate.len()], candidate),
        want,
    );
}

/// The same values, in two shapes.
fn check_shapes(name: &str, reference: &[usize], candidate: &[usize], want: &str) {
    let ones = |shape: &[usize]| Tensor::of(shape, &vec![1f32; shape.iter().product()]);
    check_tensors(name, &ones(reference), &ones(candidate), want);
}

fn count_up(n: usize) -> Vec<f32> {
    (0..n).map(|i| i as f32).collect()
}

#[test]
fn special_values_are_decided_by_the_table() {
    let other_nan = f32::from_bits(0xffc1_2345);
    check(
        "NaN in the candidate",
        &[1., 2.],
        &[1., NAN],
        "1 of 2 differ; 1 conflict at 1: 2 against NaN; nan 0/1",
    );
    check(
        "NaN in the reference",
        &[NAN, 2.],
        &[1., 2.],
        "1 of 2 differ; 1 conflict at 0: NaN against 1; nan 1/0",
    );
    check(
        "all NaN on both sides",
        &[NAN; 4],
        &[NAN; 4],
        "identical; nan 4/4",
    );
    check(
        "NaN of another sign and payload",
        &[NAN; 4],
        &[other_nan; 4],
        "identical; nan 4/4",
    );
    check(
        "all NaN against numbers",
        &[NAN; 3],
        &[0.; 3],
        "3 of 3 differ; 3 conflict at 0: NaN against 0; nan 3/0",
    );
    check(
        "NaN against infinity",
        &[NAN],
        &[INF],
        "1 of 1 differ; 1 conflict at 0: NaN against inf; nan 1/0; inf 0/1",
    );
    check(
        "equal NaN beside equal numbers",
        &[1., NAN, 3.],
        &[1., NAN, 3.],
        "identical; nan 1/1",
    );
    check(
        "equal infinities of both signs",
        &[INF, -INF],
        &[INF, -INF],
        "identical; inf 2/2",
    );
    check(
        "+inf against -inf",
        &[INF],
        &[-INF],
        "1 of 1 differ; 1 conflict at 0: inf against -inf; inf 1/1",
    );
    check(
        "1 against +inf",
        &[1.],
        &[INF],
        "1 of 1 differ; 1 conflict at 0: 1 against inf; inf 0/1",
    );
    check(
        "-inf against a number",
        &[-INF],
        &[-7.],
        "1 of 1 differ; 1 conflict at 0: -inf against -7; inf 1/0",
    );
    check(
        "a conflict hides no difference",
        &[0., 1., 5.],
        &[NAN, 1., 2.],
        "2 of 3 differ; by 3.0 at 2, 10485760 ulp; 1 conflict at 0: 0 against NaN; nan 0/1",
    );
    check(
        "+0 against -0",
        &[0., -0., 0.],
        &[-0., 0., 0.],
        "identical; signed zero 0/2",
    );
    check(
        "NaN beyond the first block",
        &[&[1.; 5000], &[NAN][..]].concat(),
        &[1.; 5001],
        "1 of 5001 differ; 1 conflict at 5000: NaN against 1; nan 1/0",
    );
}

#[test]
fn subnormals_and_extremes_are_ordinary_numbers() {
    let tiny = f32::from_bits(1);
    check(
        "equal subnormals",
        &[tiny, -tiny],
        &[tiny, -tiny],
        "identical",
    );
    check(
        "a subnormal against zero is no rounding",
        &[0.],
        &[tiny],
        "1 of 1 differ; by 1.401298464324817e-45 at 0, 1 ulp",
    );
    check(
        "subnormals of two signs",
        &[tiny],
        &[-tiny],
        "1 of 1 differ; by 2.802596928649634e-45 at 0, 2 ulp",
    );
    check(
        "the largest f32 of both signs",
        &[f32::MAX],
        &[f32::MIN],
        "1 of 1 differ; by 6.805646932770577e38 at 0, 4278190078 ulp",
    );
    check(
        "the largest f64 of both signs",
        &[f64::MAX],
        &[f64::MIN],
        "1 of 1 differ; by inf at 0, 18437736874454810622 ulp",
    );
    check(
        "neighbours",
        &[1.],
        &[1f32.next_up()],
        "1 of 1 differ; by 1.1920928955078125e-7 at 0, 1 ulp",
    );
}

#[test]
fn no_structure_is_lost_in_an_average() {
    let (up, square) = (count_up(4096), count_up(9));
    let scaled: Vec<f32> = up.iter().map(|x| 2. * x).collect();
    let flipped: Vec<f32> = up.iter().map(|x| -x).collect();
    let transposed: Vec<f32> = (0..9).map(|i| square[i % 3 * 3 + i / 3]).collect();
    let mut outlier = up.clone();
    outlier[3001] += 0.5;
    let offset: Vec<f32> = (0..100)
        .map(|i| if i % 2 == 0 { 1. } else { -1. })
        .collect();
    check("equal", &up, &up, "identical");
    check(
        "scaled by 2, cosine 1",
        &up,
        &scaled,
        "4095 of 4096 differ; by 4095.0 at 4095, 8388608 ulp",
    );
    check(
        "every sign flipped",
        &up[1..3],
        &flipped[1..3],
        "2 of 2 differ; by 4.0 at 1, 2147483648 ulp",
    );
    check(
        "zero has no sign to flip",
        &up[..1],
        &flipped[..1],
        "identical; signed zero 0/1",
    );
    check(
        "a square transposed",
        &square,
        &transposed,
        "6 of 9 differ; by 4.0 at 2, 12582912 ulp",
    );
    check(
        "two channels swapped",
        &[1f32, 1., 2., 2., 3., 3.],
        &[2., 2., 1., 1., 3., 3.],
        "4 of 6 differ; by 1.0 at 0, 8388608 ulp",
    );
    check(
        "rows in another order",
        &[1f32, 2., 3., 4.],
        &[3., 4., 1., 2.],
        "4 of 4 differ; by 2.0 at 0, 12582912 ulp",
    );
    check(
        "one outlier in 4,096",
        &up,
        &outlier,
        "1 of 4096 differ; by 0.5 at 3001, 2048 ulp",
    );
    check(
        "differences that cancel in the mean",
        &[0.; 100],
        &offset,
        "100 of 100 differ; by 1.0 at 0, 1065353216 ulp",
    );
    check(
        "an output never written",
        &up,
        &[0.; 4096],
        "4095 of 4096 differ; by 4095.0 at 4095, 1166012416 ulp",
    );
    check(
        "the last of many blocks",
        &[&up[..], &[1.]].concat(),
        &[&up[..], &[2.]].concat(),
        "1 of 4097 differ; by 1.0 at 4096, 8388608 ulp",
    );
    check(
        "all zero against 1e-9",
        &[0f64; 3],
        &[1e-9; 3],
        "3 of 3 differ; by 1e-9 at 0, 4472406533629990549 ulp",
    );
    check(
        "a subtraction that cancelled",
        &[1e-7],
        &[(1f32 + 1e-7) - 1.],
        "1 of 1 differ; by 1.9209288382171508e-8 at 0, 2703467 ulp",
    );
}

#[test]
fn other_attributes_are_the_whole_result() {
    let ints = Tensor::of(&[2], &[1i32, 2]);
    let half = |dtype| Tensor::from_bytes(dtype, vec![2], &[0; 4]).unwrap();
    let bytes = |dtype| Tensor::from_bytes(dtype, vec![2], &[0, 1]).unwrap();
    check_shapes(
        "a square against its elements",
        &[64, 64],
        &[4096],
        "shape [64, 64] against [4096]",
    );
    check_shapes(
        "a batch dimension more",
        &[64, 64],
        &[1, 64, 64],
        "shape [64, 64] against [1, 64, 64]",
    );
    check_shapes(
        "dimensions swapped",
        &[2, 3],
        &[3, 2],
        "shape [2, 3] against [3, 2]",
    );
    check_shapes(
        "what would broadcast",
        &[4, 3],
        &[1, 3],
        "shape [4, 3] against [1, 3]",
    );
    check_shapes(
        "a scalar against one element",
        &[],
        &[1],
        "shape [] against [1]",
    );
    check_shapes(
        "two kinds of empty",
        &[0, 3],
        &[3, 0],
        "shape [0, 3] against [3, 0]",
    );
    check_shapes("empty", &[0], &[0], "identical");
    check_shapes("scalars", &[], &[], "identical");
    check("dtype differs, values equal", &[1i32], &[1i32], "identical");
    check_tensors(
        "i32 against i64",
        &ints,
        &Tensor::of(&[2], &[1i64, 2]),
        "dtype i32 against i64",
    );
    check_tensors(
        "f32 against f64",
        &Tensor::of(&[1], &[1f32]),
        &Tensor::of(&[1], &[1f64]),
        "dtype f32 against f64",
    );
    check_tensors(
        "f16 against bf16, the same bytes",
        &half(DType::F16),
        &half(DType::BF16),
        "dtype f16 against bf16",
    );
    check_tensors(
        "bool against u8, the same bytes",
        &bytes(DType::Bool),
        &bytes(DType::U8),
        "dtype bool against u8",
    );
    check_tensors(
        "empty of two dtypes",
        &Tensor::of::<f32>(&[0], &[]),
        &Tensor::of::<i32>(&[0], &[]),
        "dtype f32 against i32",
    );
    check_tensors(
        "both differ",
        &ints,
        &Tensor::of(&[1], &[1f32]),
        "dtype i32 against f32, shape [2] against [1]",
    );
}

#[test]
fn integers_are_exact_and_never_wrap() {
    let two53 = 1i64 << 53;
    check(
        "2^53 against 2^53 + 1",
        &[two53],
        &[two53 + 1],
        "1 of 1 differ; by 1.0 at 0, 1 ulp",
    );
    check(
        "u64 beyond i64",
        &[u64::MAX],
        &[u64::MAX - 1],
        "1 of 1 differ; by 1.0 at 0, 1 ulp",
    );
    check(
        "the whole range of i64",
        &[i64::MIN],
        &[i64::MAX],
        "1 of 1 differ; by 1.8446744073709552e19 at 0, 18446744073709551615 ulp",
    );
    check(
        "16777217 against 16777216 in i32",
        &[16777217i32],
        &[16777216],
        "1 of 1 differ; by 1.0 at 0, 1 ulp",
    );
    check(
        "16777217 against 16777216 in f64",
        &[16777217f64],
        &[16777216.],
        "1 of 1 differ; by 1.0 at 0, 268435456 ulp",
    );
    check(
        "0 against 255 in u8",
        &[0u8],
        &[255],
        "1 of 1 differ; by 255.0 at 0, 255 ulp",
    );
    check(
        "-128 against 127 in i8",
        &[-128i8],
        &[127],
        "1 of 1 differ; by 255.0 at 0, 255 ulp",
    );
    check(
        "unsigned below the reference",
        &[5u16],
        &[3],
        "1 of 1 differ; by 2.0 at 0, 2 ulp",
    );
}

#[test]
fn narrow_floats_and_booleans_are_compared_as_what_they_are() {
    let (h, b) = (
        |bits: u16| f16::from_bits(bits),
        |bits: u16| bf16::from_bits(bits),
    );
    let bools =
        |values: &[u8]| Tensor::from_bytes(DType::Bool, vec![values.len()], values).unwrap();
    check("equal f16", &[h(0x3c00)], &[h(0x3c00)], "identical");
    check(
        "f16 neighbours",
        &[h(0x3c00)],
        &[h(0x3c01)],
        "1 of 1 differ; by 0.0009765625 at 0, 1 ulp",
    );
    check(
        "f16 overflowed",
        &[h(0x7bff)],
        &[h(0x7c00)],
        "1 of 1 differ; 1 conflict at 0: 65504 against inf; inf 0/1",
    );
    check(
        "f16 subnormals",
        &[h(0x0001)],
        &[h(0x8001)],
        "1 of 1 differ; by 1.1920928955078125e-7 at 0, 2 ulp",
    );
    check(
        "bf16 neighbours",
        &[b(0x3f80)],
        &[b(0x3f81)],
        "1 of 1 differ; by 0.0078125 at 0, 1 ulp",
    );
    check(
        "bf16 NaN on both sides",
        &[b(0x7fc0)],
        &[b(0xffc1)],
        "identical; nan 1/1",
    );
    check(
        "bf16 zeros of two signs",
        &[b(0)],
        &[b(0x8000)],
        "identical; signed zero 0/1",
    );
    check_tensors(
        "equal booleans",
        &bools(&[0, 1, 1]),
        &bools(&[0, 1, 1]),
        "identical",
    );
    check_tensors(
        "one boolean flipped",
        &bools(&[0, 1, 1]),
        &bools(&[0, 1, 0]),
        "1 of 3 differ; by 1.0 at 2, 1 ulp",
    );
    check_tensors(
        "a byte that is no boolean is not taken for true",
        &bools(&[1]),
        &bools(&[2]),
        "1 of 1 differ; by 1.0 at 0, 1 ulp",
    );
}

#[test]
fn the_difference_of_large_integers_is_shown_without_loss() {
    let (r, c) = (
        Tensor::of(&[1], &[1i64 << 53]),
        Tensor::of(&[1], &[(1i64 << 53) + 1]),
    );
    let comparison = compare(r.view(), c.view(), None);
    let extreme = &comparison.metrics().unwrap().max_abs;
    assert_eq!(
        [extreme.reference_text(), extreme.candidate_text()],
        ["9007199254740992", "9007199254740993"]
    );
}

#[test]
fn channels_say_where_along_an_axis_and_an_axis_that_is_not_there_says_nothing() {
    let r = Tensor::of(&[2, 3, 2], &[0f32; 12]);
    let c = Tensor::of(
        &[2, 3, 2],
        &[0f32, 0., 1., -2., 0., 0., 0., 0., 0., 3., 0., NAN],
    );
    let channels = |axis| {
        compare(r.view(), c.view(), Some(axis))
            .metrics()
            .unwrap()
            .channels
            .clone()
    };
    let middle = channels(1).unwrap();
    assert_eq!(
        (middle.max, middle.sum_sq, middle.count),
        (vec![0., 3., 0.], vec![0., 14., 0.], 4)
    );
    let last = channels(2).unwrap();
    assert_eq!(
        (last.max, last.sum_sq, last.count),
        (vec![1., 3.], vec![1., 13.], 6)
    );
    assert_eq!(channels(3), None);
}

#[test]
fn an_empty_view_may_point_anywhere() {
    let odd = [0u8; 3];
    for start in 0..2 {
        let view = View {
            dtype: DType::F64,
            shape: &[0],
            bytes: &odd[start..start],
        };
        assert!(compare(view, view, Some(0)).identical());
    }
}

#[test]
fn a_comparison_comes_back_from_json() {
    let (r, c) = (Tensor::of(&[2], &[0f32, 1.]), Tensor::of(&[1], &[0f64]));
    let attributes = compare(r.view(), c.view(), None);
    let text = serde_json::to_string(&attributes).unwrap();
    assert_eq!(
        text,
        r#"{"attributes":{"dtype":["f32","f64"],"shape":[[2],[1]]}}"#
    );
    assert_eq!(
        serde_json::from_str::<Comparison>(&text).unwrap(),
        attributes
    );
    let values = compare(r.view(), Tensor::of(&[2], &[1f32, 1.]).view(), Some(0));
    let text = serde_json::to_string(&values).unwrap();
    assert!(
        text.starts_with(r#"{"values":{"numel":2,"#) && text.contains(r#""value":"inf""#),
        "{text}"
    );
    assert_eq!(serde_json::from_str::<Comparison>(&text).unwrap(), values);
}

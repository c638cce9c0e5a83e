//! garbage: every operator on inputs and attributes that make no sense: an answer or a refusal, never a panic.

use super::against_ort::{Case, cases, i64s, random, whole};
use super::all;
use parity::tensor::Tensor;
use proptest::prelude::*;

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![5 => -3i64..4, 1 => prop::sample::select(vec![i64::MIN, i64::MAX, 1 << 31, 1 << 40, -(1 << 40), 4096])]
}

fn garbage() -> impl Strategy<Value = Tensor> {
    let shape = prop::collection::vec(0usize..4, 0..5);
    prop_oneof![
        3 => (shape.clone(), any::<u64>()).prop_map(|(s, seed)| random(&s, seed, -3.0, 3.0)),
        1 => (shape.clone(), any::<u64>()).prop_map(|(s, seed)| whole(&s, seed, -4, 4)),
        1 => shape.prop_map(|s| Tensor::of(&s, &vec![-1i32; s.iter().product()])),
        2 => prop::collection::vec(number(), 0..5).prop_map(|v| i64s(&v)),
        1 => number().prop_map(|v| Tensor::of(&[], &[v])),
    ]
}

const NUMBERS: [&str; 28] = [
    "axis",
    "keepdims",
    "group",
    "to",
    "k",
    "blocksize",
    "num_groups",
    "size",
    "ceil_mode",
    "count_include_pad",
    "batch_dims",
    "num_outputs",
    "upper",
    "start",
    "end",
    "largest",
    "exclusive",
    "reverse",
    "select_last_index",
    "noop_with_empty_axes",
    "fmod",
    "allowzero",
    "transA",
    "transB",
    "exclude_outside",
    "value_int",
    "dtype",
    "detect_negative",
];
const LISTS: [&str; 13] = [
    "axes",
    "perm",
    "kernel_shape",
    "strides",
    "pads",
    "dilations",
    "output_padding",
    "output_shape",
    "split",
    "starts",
    "ends",
    "shape",
    "value_ints",
];
const TEXTS: [(&str, &str); 10] = [
    ("mode", "linear"),
    ("mode", "cubic"),
    ("mode", "reflect"),
    ("mode", "CRD"),
    ("auto_pad", "SAME_UPPER"),
    ("reduction", "add"),
    ("equation", "ij,jk->ik"),
    ("coordinate_transformation_mode", "align_corners"),
    ("keep_aspect_ratio_policy", "not_larger"),
    ("nearest_mode", "ceil"),
];

proptest! {
    #![proptest_config(cases(3))]
    #[test]
    fn garbage_is_answered_or_refused_but_never_a_panic(
        opset in 1i64..23, inputs in prop::collection::vec(garbage(), 0..5), outputs in 1usize..4,
        numbers in prop::collection::vec((prop::sample::select(NUMBERS.to_vec()), number()), 0..3),
        lists in prop::collection::vec((prop::sample::select(LISTS.to_vec()), prop::collection::vec(number(), 0..5)), 0..4),
        texts in prop::collection::vec(prop::sample::select(TEXTS.to_vec()), 0..2),
    ) {
        for op in all() {
            let case = inputs.iter().cloned().fold(Case::new(op.name, opset.max(op.since)).outputs(outputs), Case::with);
            case.survives();
            // An attribute that the operator does not know would be refused before it is used wrongly.
            for (name, v) in &numbers {
                case.clone().int(name, *v).survives();
            }
            for (name, v) in &lists {
                let with = case.clone().ints(name, v);
                with.survives();
                texts.iter().for_each(|(n, t)| with.clone().text(n, t).survives());
            }
        }
    }
}

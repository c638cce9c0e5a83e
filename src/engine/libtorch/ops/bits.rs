//! bits: operators on the bits of integers.

use super::super::call::Call;
use super::common::{done, one};
use super::{Op, Scale, op};
use parity::error::{Error, Result};
use tch::Tensor;

/// Bits that leave to the left are dropped when the result is brought back to its dtype.
fn shift(call: &Call) -> Result<Vec<Tensor>> {
    let (x, by) = (call.input(0)?, call.input(1)?);
    if done(|| by.f_lt(0)?.f_any()?.f_int64_value(&[]))? != 0 {
        return Err(Error::usage("a negative number of bits to shift by"));
    }
    match call.text("direction", "")?.as_str() {
        "LEFT" => one(x.f_bitwise_left_shift(by)),
        "RIGHT" => one(x.f_bitwise_right_shift(by)),
        other => Err(Error::usage(format!(
            "attribute 'direction' should be LEFT or RIGHT, is '{other}'"
        ))),
    }
}

pub const OPS: &[Op] = &[
    op("BitShift", 11, shift, Scale::Exact),
    op(
        "BitwiseAnd",
        18,
        |c| one(c.input(0)?.f_bitwise_and_tensor(c.input(1)?)),
        Scale::Exact,
    ),
    op(
        "BitwiseOr",
        18,
        |c| one(c.input(0)?.f_bitwise_or_tensor(c.input(1)?)),
        Scale::Exact,
    ),
    op(
        "BitwiseXor",
        18,
        |c| one(c.input(0)?.f_bitwise_xor_tensor(c.input(1)?)),
        Scale::Exact,
    ),
    op(
        "BitwiseNot",
        18,
        |c| one(c.input(0)?.f_bitwise_not()),
        Scale::Exact,
    ),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, bits, cases, ones_at, whole};
    use parity::tensor::{DType, Tensor};
    use proptest::prelude::*;

    #[test]
    fn bits_are_moved_and_combined_in_the_dtype_of_the_inputs() {
        let u8s = |v: &[u8]| Tensor::of(&[v.len()], v);
        let both = |op: &str, opset: i64| {
            Case::new(op, opset)
                .with(u8s(&[16, 255, 1]))
                .with(u8s(&[1, 2, 3]))
        };
        both("BitShift", 11)
            .text("direction", "LEFT")
            .gives(&[u8s(&[32, 252, 8])]);
        both("BitShift", 11)
            .text("direction", "RIGHT")
            .gives(&[u8s(&[8, 63, 0])]);
        both("BitShift", 11)
            .text("direction", "UP")
            .refused("LEFT or RIGHT");
        both("BitwiseAnd", 18).gives(&[u8s(&[0, 2, 1])]);
        both("BitwiseOr", 18).gives(&[u8s(&[17, 255, 3])]);
        both("BitwiseXor", 18).gives(&[u8s(&[17, 253, 2])]);
        Case::new("BitwiseNot", 18)
            .with(u8s(&[0, 255, 1]))
            .gives(&[u8s(&[255, 0, 254])]);
    }

    #[test]
    fn unsigned_integers_wrap_at_their_own_width() {
        let u32s = |v: &[u32]| Tensor::of(&[v.len()], v);
        Case::new("BitShift", 11)
            .with(u32s(&[1 << 31, 3]))
            .with(u32s(&[1, 1]))
            .text("direction", "LEFT")
            .gives(&[u32s(&[0, 6])]);
        Case::new("Add", 14)
            .with(u32s(&[u32::MAX]))
            .with(u32s(&[2]))
            .gives(&[u32s(&[1])]);
        Case::new("Max", 13)
            .with(Tensor::of(&[1], &[u64::MAX]))
            .with(Tensor::of(&[1], &[1u64]))
            .refused("beyond 2^63");
    }

    const INTEGERS: [DType; 8] = [
        DType::I8,
        DType::I16,
        DType::I32,
        DType::I64,
        DType::U8,
        DType::U16,
        DType::U32,
        DType::U64,
    ];

    proptest! {
        #![proptest_config(cases(96))]
        #[test]
        fn bits_of_every_width_and_shape_are_combined_alike(
            op in prop::sample::select(vec!["BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot"]), dtype in prop::sample::select(INTEGERS.to_vec()),
            shape in prop::collection::vec(0usize..5, 0..4), mask: u8, less in 0usize..2, seed: u64,
        ) {
            let other = ones_at(&shape, mask);
            let case = Case::new(op, 18).with(bits(dtype, &shape, seed));
            if op == "BitwiseNot" { case.check() } else { case.with(bits(dtype, &other[less.min(other.len())..], !seed)).check() };
        }

        #[test]
        fn shifts_by_less_than_the_width_agree(
            direction in prop::sample::select(vec!["LEFT", "RIGHT"]), dtype in prop::sample::select(vec![DType::U8, DType::U32, DType::U64]),
            shape in prop::collection::vec(1usize..5, 0..4), mask: u8, seed: u64,
        ) {
            // What libtorch holds in a signed integer cannot be shifted with its upper bit set.
            let x: Vec<u64> = bits(DType::U64, &shape, seed).values::<u64>().expect("u64").iter().map(|v| v >> 1).collect();
            let x = match dtype {
                DType::U64 => Tensor::of(&shape, &x),
                other => bits(other, &shape, seed),
            };
            let by = whole(&ones_at(&shape, mask), !seed, 0, 8 * dtype.size() as i64);
            Case::new("BitShift", 11).with(x).with(super::super::against_ort::cast(&by, dtype)).text("direction", direction).check();
        }
    }
}

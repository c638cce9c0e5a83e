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
        other => Err(Error::usage(format!("attribute 'direction' should be LEFT or RIGHT, is '{other}'"))),
    }
}

pub const OPS: &[Op] = &[
    op("BitShift", 11, shift, Scale::Exact),
    op("BitwiseAnd", 18, |c| one(c.input(0)?.f_bitwise_and_tensor(c.input(1)?)), Scale::Exact),
    op("BitwiseOr", 18, |c| one(c.input(0)?.f_bitwise_or_tensor(c.input(1)?)), Scale::Exact),
    op("BitwiseXor", 18, |c| one(c.input(0)?.f_bitwise_xor_tensor(c.input(1)?)), Scale::Exact),
    op("BitwiseNot", 18, |c| one(c.input(0)?.f_bitwise_not()), Scale::Exact),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::Case;
    use parity::tensor::Tensor;

    #[test]
    fn bits_are_moved_and_combined_in_the_dtype_of_the_inputs() {
        let u8s = |v: &[u8]| Tensor::of(&[v.len()], v);
        let both = |op: &str, opset: i64| Case::new(op, opset).with(u8s(&[16, 255, 1])).with(u8s(&[1, 2, 3]));
        both("BitShift", 11).text("direction", "LEFT").gives(&[u8s(&[32, 252, 8])]);
        both("BitShift", 11).text("direction", "RIGHT").gives(&[u8s(&[8, 63, 0])]);
        both("BitShift", 11).text("direction", "UP").refused("LEFT or RIGHT");
        both("BitwiseAnd", 18).gives(&[u8s(&[0, 2, 1])]);
        both("BitwiseOr", 18).gives(&[u8s(&[17, 255, 3])]);
        both("BitwiseXor", 18).gives(&[u8s(&[17, 253, 2])]);
        Case::new("BitwiseNot", 18).with(u8s(&[0, 255, 1])).gives(&[u8s(&[255, 0, 254])]);
    }

    #[test]
    fn unsigned_integers_wrap_at_their_own_width() {
        let u32s = |v: &[u32]| Tensor::of(&[v.len()], v);
        Case::new("BitShift", 11).with(u32s(&[1 << 31, 3])).with(u32s(&[1, 1])).text("direction", "LEFT").gives(&[u32s(&[0, 6])]);
        Case::new("Add", 14).with(u32s(&[u32::MAX])).with(u32s(&[2])).gives(&[u32s(&[1])]);
        Case::new("Max", 13).with(Tensor::of(&[1], &[u64::MAX])).with(Tensor::of(&[1], &[1u64])).refused("beyond 2^63");
    }
}

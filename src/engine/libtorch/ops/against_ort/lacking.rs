//! lacking: what ONNX Runtime 1.31 does not compute on the CPU, with what it says: f64 is held against f32 alone there.
//!
//! A property asks it anew for every case, so that the day on which it can answer is seen: the row then goes, and `check_alone` becomes `check`.

use parity::error::Error;

/// (operator, first opset of the refusal, part of the message)
const LACKING: &[(&str, i64, &str)] = &[
    ("LinearAttention", 27, "Opset 27 is under development"),
    ("CausalConvWithState", 27, "Opset 27 is under development"),
    // Of 32-bit integers.
    (
        "QuantizeLinear",
        13,
        "Could not find an implementation for QuantizeLinear",
    ),
    ("Momentum", 1, "is not a registered function/op"),
    ("Adagrad", 1, "is not a registered function/op"),
    ("Adam", 1, "is not a registered function/op"),
];

/// Panics where ONNX Runtime answered after all, or refused for another reason.
pub fn still(op: &str, opset: i64, refusal: Option<Error>) {
    let row = LACKING.iter().find(|row| row.0 == op && row.1 <= opset);
    let (_, _, part) = row.unwrap_or_else(|| {
        panic!("ONNX Runtime is not said to lack {op} at opset {opset}: use check")
    });
    match refusal {
        None => {
            panic!("ONNX Runtime computes {op} at opset {opset} now: strike its row and use check")
        }
        Some(e) => assert!(
            e.message.contains(part),
            "ONNX Runtime refuses {op} for another reason: {}",
            e.message
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "strike its row")]
    fn an_operator_that_is_no_longer_lacking_is_noticed() {
        still("Adam", 1, None);
    }

    #[test]
    #[should_panic(expected = "for another reason")]
    fn another_refusal_is_no_lack() {
        still("Adam", 1, Some(Error::failed("the model is wrong")));
    }
}

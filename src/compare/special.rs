//! special: the table of special values; what a pair of elements is, decided before any arithmetic on it.
//!
//! NaN agrees with NaN (payload and sign ignored) and an infinity with the same infinity; every other pair with a NaN or
//! an infinity is a conflict, which no tolerance forgives. The zeros are equal in value, and counted when their signs
//! differ. Subnormals are ordinary numbers: both sides are compared as they are, never flushed.

use super::number::Number;

/// What kind of value an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    NaN,
    PosInf,
    NegInf,
    PosZero,
    NegZero,
    Subnormal,
    Normal,
}

/// What a pair of classes means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cell {
    /// The same value, whatever arithmetic would say.
    Same,
    /// Equal in value, of opposite sign.
    SignedZero,
    /// Not comparable as numbers: a difference that no tolerance forgives.
    Conflict,
    /// Two finite numbers: their difference decides.
    Arithmetic,
}

/// Rows: the reference; columns: the candidate; both in the order of `Class`.
const TABLE: [[Cell; 7]; 7] = {
    const S: Cell = Cell::Same;
    const Z: Cell = Cell::SignedZero;
    const X: Cell = Cell::Conflict;
    const A: Cell = Cell::Arithmetic;
    [
        // NaN +inf -inf  +0 -0  sub normal
        [S, X, X, X, X, X, X], // NaN
        [X, S, X, X, X, X, X], // +inf
        [X, X, S, X, X, X, X], // -inf
        [X, X, X, S, Z, A, A], // +0
        [X, X, X, Z, S, A, A], // -0
        [X, X, X, A, A, A, A], // subnormal
        [X, X, X, A, A, A, A], // normal
    ]
};

/// The cell of a pair of classes.
pub const fn cell(reference: Class, candidate: Class) -> Cell {
    TABLE[reference as usize][candidate as usize]
}

/// The class of one element; integers are normal but for zero.
pub fn class<T: Number>(x: T) -> Class {
    let wide = x.wide();
    match (x.is_special(), wide.is_sign_negative()) {
        (true, _) if wide.is_nan() => Class::NaN,
        (true, false) => Class::PosInf,
        (true, true) => Class::NegInf,
        (false, false) if wide == 0.0 => Class::PosZero,
        (false, true) if wide == 0.0 => Class::NegZero,
        (false, _) if wide.abs() < T::SMALLEST_NORMAL => Class::Subnormal,
        (false, _) => Class::Normal,
    }
}

/// The cell of a pair of elements.
pub fn judge<T: Number>(reference: T, candidate: T) -> Cell {
    cell(class(reference), class(candidate))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Class::*;
    use half::{bf16, f16};

    /// One value of each class, and what each makes of the seven candidates, in the same order.
    const CELLS: [(Class, &str); 7] = [
        (
            NaN,
            "same conflict conflict conflict conflict conflict conflict",
        ),
        (
            PosInf,
            "conflict same conflict conflict conflict conflict conflict",
        ),
        (
            NegInf,
            "conflict conflict same conflict conflict conflict conflict",
        ),
        (
            PosZero,
            "conflict conflict conflict same signed-zero arithmetic arithmetic",
        ),
        (
            NegZero,
            "conflict conflict conflict signed-zero same arithmetic arithmetic",
        ),
        (
            Subnormal,
            "conflict conflict conflict arithmetic arithmetic arithmetic arithmetic",
        ),
        (
            Normal,
            "conflict conflict conflict arithmetic arithmetic arithmetic arithmetic",
        ),
    ];

    fn check<T: Number>(values: [T; 7]) {
        for (r, (row, cells)) in CELLS.iter().enumerate() {
            assert_eq!(class(values[r]), *row, "{}", T::DTYPE);
            for (c, want) in cells.split(' ').enumerate() {
                let got = match judge(values[r], values[c]) {
                    Cell::Same => "same",
                    Cell::SignedZero => "signed-zero",
                    Cell::Conflict => "conflict",
                    Cell::Arithmetic => "arithmetic",
                };
                assert_eq!(got, want, "{}: {row:?} against {:?}", T::DTYPE, CELLS[c].0);
            }
        }
    }

    #[test]
    fn every_cell_of_the_table_is_as_decided_in_every_float_type() {
        check([
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            0.0,
            -0.0,
            -f64::from_bits(1),
            1.5,
        ]);
        check([
            -f32::NAN,
            f32::INFINITY,
            f32::NEG_INFINITY,
            0.0,
            -0.0,
            f32::from_bits(0x7f_ffff),
            f32::MIN_POSITIVE,
        ]);
        check([0x7e01, 0x7c00, 0xfc00, 0, 0x8000, 0x03ff, 0x0400].map(f16::from_bits));
        check([0xffc1, 0x7f80, 0xff80, 0, 0x8000, 0x807f, 0x8080].map(bf16::from_bits));
    }

    #[test]
    fn integers_have_numbers_and_one_zero() {
        assert_eq!(
            [i64::MIN, -1, 0, 1].map(class),
            [Normal, Normal, PosZero, Normal]
        );
        assert_eq!([0u8, 255].map(class), [PosZero, Normal]);
    }
}

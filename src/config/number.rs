//! number: Python's arithmetic on bool, int and float; None where Python's own result is out of reach (integers beyond 128 bits).

use super::value::Value;
use ruff_python_ast::Operator;

/// What arithmetic comes to.
pub enum Sum {
    Is(Value),
    /// Python raises.
    Raises(&'static str),
    /// Not evaluated here.
    Beyond,
}

/// Integers that a float holds exactly.
const EXACT: i128 = 1 << 53;

/// Both as integers, where they are (a bool is one).
fn integers(a: &Value, b: &Value) -> Option<(i128, i128)> {
    Some((integer(a)?, integer(b)?))
}

pub fn integer(value: &Value) -> Option<i128> {
    match value {
        Value::Bool(b) => Some(i128::from(*b)),
        Value::Int(n) => Some(*n),
        _ => None,
    }
}

/// As a float, where that is exact.
pub fn float(value: &Value) -> Option<f64> {
    match value {
        Value::Float(x) => Some(*x),
        other => integer(other)
            .filter(|n| n.abs() <= EXACT)
            .map(|n| n as f64),
    }
}

pub fn is_number(value: &Value) -> bool {
    matches!(value, Value::Bool(_) | Value::Int(_) | Value::Float(_))
}

/// `a op b` of two numbers.
pub fn arithmetic(op: Operator, a: &Value, b: &Value) -> Sum {
    match integers(a, b) {
        Some((a, b)) => of_integers(op, a, b),
        None => match (float(a), float(b)) {
            (Some(a), Some(b)) => of_floats(op, a, b),
            _ => Sum::Beyond,
        },
    }
}

fn of_integers(op: Operator, a: i128, b: i128) -> Sum {
    let checked = |n: Option<i128>| n.map_or(Sum::Beyond, |n| Sum::Is(Value::Int(n)));
    let count = |n: i128| u32::try_from(n).ok();
    match op {
        Operator::Add => checked(a.checked_add(b)),
        Operator::Sub => checked(a.checked_sub(b)),
        Operator::Mult => checked(a.checked_mul(b)),
        Operator::Div | Operator::FloorDiv | Operator::Mod if b == 0 => {
            Sum::Raises("ZeroDivisionError")
        }
        Operator::Div if a.abs().max(b.abs()) <= EXACT => {
            Sum::Is(Value::Float(a as f64 / b as f64))
        }
        Operator::FloorDiv => checked(floor_div(a, b)),
        Operator::Mod => checked(floor_div(a, b).map(|q| a - q * b)),
        Operator::Pow => match count(b) {
            Some(n) => checked(a.checked_pow(n)),
            None if a == 0 => Sum::Raises("ZeroDivisionError"),
            None => of_floats(op, a as f64, b as f64),
        },
        Operator::LShift if b < 0 || a.abs() >= EXACT || b > 60 => Sum::Beyond,
        Operator::LShift => Sum::Is(Value::Int(a << b)),
        Operator::RShift if (0..127).contains(&b) => Sum::Is(Value::Int(a >> b)),
        Operator::BitOr => Sum::Is(Value::Int(a | b)),
        Operator::BitAnd => Sum::Is(Value::Int(a & b)),
        Operator::BitXor => Sum::Is(Value::Int(a ^ b)),
        Operator::Div | Operator::RShift | Operator::MatMult => Sum::Beyond,
    }
}

fn floor_div(a: i128, b: i128) -> Option<i128> {
    let quotient = a.checked_div(b)?;
    let down = a % b != 0 && ((a < 0) != (b < 0));
    Some(quotient - i128::from(down))
}

fn of_floats(op: Operator, a: f64, b: f64) -> Sum {
    let is = |x: f64| Sum::Is(Value::Float(x));
    match op {
        Operator::Add => is(a + b),
        Operator::Sub => is(a - b),
        Operator::Mult => is(a * b),
        Operator::Div | Operator::FloorDiv | Operator::Mod if b == 0.0 => {
            Sum::Raises("ZeroDivisionError")
        }
        Operator::Div => is(a / b),
        Operator::FloorDiv => is(div_mod(a, b).0),
        Operator::Mod => is(div_mod(a, b).1),
        // A negative base gives a complex number, zero to a negative power raises.
        Operator::Pow if a > 0.0 => is(a.powf(b)),
        _ => Sum::Beyond,
    }
}

/// Python's floor division and remainder: the remainder has the divisor's sign.
fn div_mod(a: f64, b: f64) -> (f64, f64) {
    let mut rest = a % b;
    let mut quotient = (a - rest) / b;
    if rest != 0.0 && (b < 0.0) != (rest < 0.0) {
        rest += b;
        quotient -= 1.0;
    } else if rest == 0.0 {
        rest = 0.0_f64.copysign(b);
    }
    let floor = match quotient == 0.0 {
        true => 0.0_f64.copysign(a / b),
        false if quotient - quotient.floor() > 0.5 => quotient.floor() + 1.0,
        false => quotient.floor(),
    };
    (floor, rest)
}

/// `repr` of a float.
pub fn repr(x: f64) -> String {
    if x.is_nan() {
        return "nan".into();
    }
    if x.is_infinite() {
        return if x > 0.0 { "inf" } else { "-inf" }.into();
    }
    let scientific = format!("{x:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if x == 0.0 || (-4..16).contains(&exponent) {
        return format!("{x:?}");
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(sum: Sum) -> String {
        match sum {
            Sum::Is(Value::Int(n)) => n.to_string(),
            Sum::Is(Value::Float(x)) => repr(x),
            Sum::Is(_) => "other".into(),
            Sum::Raises(what) => what.into(),
            Sum::Beyond => "beyond".into(),
        }
    }

    #[test]
    fn arithmetic_is_pythons() {
        use Operator::{Div, FloorDiv, Mod, Mult, Pow};
        let int = Value::Int;
        let float = Value::Float;
        for (op, a, b, result) in [
            (Div, int(1), int(2), "0.5"),
            (FloorDiv, int(-7), int(2), "-4"),
            (Mod, int(-7), int(2), "1"),
            (Mod, int(7), int(-2), "-1"),
            (FloorDiv, float(-7.5), int(2), "-4.0"),
            (Mod, float(-7.5), int(2), "0.5"),
            (Pow, int(2), int(10), "1024"),
            (Pow, int(2), int(-1), "0.5"),
            (Pow, int(10), int(400), "beyond"),
            (Mult, Value::Bool(true), int(3), "3"),
            (Div, int(1), int(0), "ZeroDivisionError"),
        ] {
            assert_eq!(shown(arithmetic(op, &a, &b)), result, "{a:?} {op:?} {b:?}");
        }
    }

    #[test]
    fn a_float_is_written_as_python_writes_it() {
        for (x, text) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (1.5e-7, "1.5e-07"),
            (1e16, "1e+16"),
            (123_456_789_012_345_680.0, "1.2345678901234568e+17"),
            (1e15, "1000000000000000.0"),
            (-0.0, "-0.0"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(repr(x), text);
        }
    }
}

//! narrow: the dtypes of at most 8 bits that no library here computes in: their values, exactly, in f32, and the way back.

/// A dtype of ONNX that is carried in f32, which holds each of its values exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Narrow {
    F8E4M3FN,
    F8E4M3FNUZ,
    F8E5M2,
    F8E5M2FNUZ,
    U4,
    I4,
    F4E2M1,
    F8E8M0,
    U2,
    I2,
}

/// What becomes of a number beyond the largest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// The largest one.
    Saturate,
    /// Infinity where the dtype has one, else NaN.
    Leave,
}

/// (dtype, bits, name, ONNX TensorProto.DataType code)
const TABLE: [(Narrow, u32, &str, i32); 10] = [
    (Narrow::F8E4M3FN, 8, "f8e4m3fn", 17),
    (Narrow::F8E4M3FNUZ, 8, "f8e4m3fnuz", 18),
    (Narrow::F8E5M2, 8, "f8e5m2", 19),
    (Narrow::F8E5M2FNUZ, 8, "f8e5m2fnuz", 20),
    (Narrow::U4, 4, "u4", 21),
    (Narrow::I4, 4, "i4", 22),
    (Narrow::F4E2M1, 4, "f4e2m1", 23),
    (Narrow::F8E8M0, 8, "f8e8m0", 24),
    (Narrow::U2, 2, "u2", 25),
    (Narrow::I2, 2, "i2", 26),
];

impl Narrow {
    pub const ALL: [Narrow; 10] = {
        let mut all = [Narrow::U4; 10];
        let mut i = 0;
        while i < 10 {
            all[i] = TABLE[i].0;
            i += 1;
        }
        all
    };

    pub const fn bits(self) -> u32 {
        TABLE[self as usize].1
    }

    pub const fn name(self) -> &'static str {
        TABLE[self as usize].2
    }

    /// The code of ONNX's TensorProto.DataType.
    pub const fn onnx(self) -> i32 {
        TABLE[self as usize].3
    }

    pub fn from_onnx(code: i32) -> Option<Self> {
        TABLE.iter().find(|row| row.3 == code).map(|row| row.0)
    }

    pub const fn is_integer(self) -> bool {
        matches!(self, Narrow::U4 | Narrow::I4 | Narrow::U2 | Narrow::I2)
    }

    /// Smallest and largest integer, or the finite range of a float dtype.
    pub fn range(self) -> (f32, f32) {
        let all = (0..1u32 << self.bits())
            .map(|code| self.decode(code as u8))
            .filter(|x| x.is_finite());
        all.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), x| {
            (low.min(x), high.max(x))
        })
    }

    /// The value of a bit pattern.
    pub fn decode(self, code: u8) -> f32 {
        let low = code as u32 & ((1 << self.bits()) - 1);
        let signed = |bits: u32| {
            if low >> (bits - 1) == 1 {
                low as f32 - (1u32 << bits) as f32
            } else {
                low as f32
            }
        };
        match self {
            Narrow::U4 | Narrow::U2 => low as f32,
            Narrow::I4 => signed(4),
            Narrow::I2 => signed(2),
            Narrow::F8E8M0 if code == 0xff => f32::NAN,
            Narrow::F8E8M0 => 2f64.powi(code as i32 - 127) as f32,
            Narrow::F4E2M1 => minifloat(low, 2, 1, 1),
            Narrow::F8E4M3FN if code & 0x7f == 0x7f => f32::NAN,
            Narrow::F8E4M3FN => minifloat(low, 4, 3, 7),
            Narrow::F8E4M3FNUZ | Narrow::F8E5M2FNUZ if code == 0x80 => f32::NAN,
            Narrow::F8E4M3FNUZ => minifloat(low, 4, 3, 8),
            Narrow::F8E5M2FNUZ => minifloat(low, 5, 2, 16),
            Narrow::F8E5M2 if code & 0x7f == 0x7c => {
                f32::INFINITY.copysign(if code < 0x80 { 1.0 } else { -1.0 })
            }
            Narrow::F8E5M2 if code & 0x7f > 0x7c => f32::NAN,
            Narrow::F8E5M2 => minifloat(low, 5, 2, 15),
        }
    }

    /// A bit pattern of `x`, which must be a value of this dtype (or NaN); None where it is not.
    pub fn encode(self, x: f32) -> Option<u8> {
        let all = 0..1u32 << self.bits();
        let same = |code: &u32| {
            let y = self.decode(*code as u8);
            y.to_bits() == x.to_bits() || y.is_nan() && x.is_nan()
        };
        let alike = |code: &u32| self.decode(*code as u8) == x;
        all.clone()
            .find(same)
            .or_else(|| all.clone().find(alike))
            .map(|code| code as u8)
    }

    /// `x` rounded to the nearest value, ties to the even pattern.
    pub fn round(self, x: f32, beyond: Beyond) -> f32 {
        if self == Narrow::F8E8M0 {
            return power_of_two(x, PowerMode::Nearest, beyond);
        }
        if x.is_nan() {
            return if self.is_integer() { 0.0 } else { self.nan() };
        }
        let values = self.ladder();
        let top = values[values.len() - 1];
        let size = if self.is_integer() {
            return self.integer(x);
        } else {
            x.abs()
        };
        let signless_zero = matches!(self, Narrow::F8E4M3FNUZ | Narrow::F8E5M2FNUZ);
        let rounded = match values.iter().position(|v| *v > size) {
            Some(at) => nearest(values[at - 1], values[at], size, (at - 1) % 2 == 0),
            None => {
                // One more step of the ladder shows what rounds back to the top.
                let step = top - values[values.len() - 2];
                let half = top + step / 2.0;
                let rounds_back =
                    size < half || size == half && (values.len() - 1).is_multiple_of(2);
                let never_beyond = self == Narrow::F4E2M1;
                match beyond {
                    _ if size.is_finite() && rounds_back || never_beyond => top,
                    Beyond::Saturate => top,
                    Beyond::Leave if self == Narrow::F8E5M2 => f32::INFINITY,
                    Beyond::Leave => return f32::NAN,
                }
            }
        };
        if rounded == 0.0 && signless_zero {
            0.0
        } else {
            rounded.copysign(x)
        }
    }

    /// NaN, or what the suite of ONNX expects in its place where the dtype has none.
    fn nan(self) -> f32 {
        if self == Narrow::F4E2M1 {
            -0.0
        } else {
            f32::NAN
        }
    }

    /// Whole numbers: truncated, then the low bits.
    fn integer(self, x: f32) -> f32 {
        self.decode((x.trunc() as i64 & 0xff) as u8)
    }

    /// The finite values from zero upwards, in the order of their patterns.
    fn ladder(self) -> Vec<f32> {
        let half = 1u32 << (self.bits() - 1);
        (0..half)
            .map(|code| self.decode(code as u8))
            .take_while(|x| x.is_finite())
            .collect()
    }
}

/// The nearer of two neighbours; a tie goes to the one whose pattern is even.
fn nearest(low: f32, high: f32, x: f32, low_is_even: bool) -> f32 {
    let (down, up) = (x - low, high - x);
    if down < up || down == up && low_is_even {
        low
    } else {
        high
    }
}

/// How a number goes to a power of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerMode {
    Up,
    Down,
    Nearest,
}

/// `x` as f8e8m0: a power of two, without sign or zero.
pub fn power_of_two(x: f32, mode: PowerMode, beyond: Beyond) -> f32 {
    if !x.is_finite() || x == 0.0 {
        return match (x.is_nan(), beyond) {
            _ if x == 0.0 => 2f64.powi(-127) as f32,
            (false, Beyond::Saturate) => 2f32.powi(127),
            _ => f32::NAN,
        };
    }
    let size = x.abs() as f64;
    let floor = size.log2().floor() as i32;
    let floor = if 2f64.powi(floor) > size {
        floor - 1
    } else {
        floor
    };
    let rest = size / 2f64.powi(floor);
    let up = match mode {
        PowerMode::Down => false,
        PowerMode::Up => rest > 1.0,
        PowerMode::Nearest => rest >= 1.5,
    };
    let exponent = floor + up as i32;
    match beyond {
        Beyond::Leave if exponent > 127 => f32::NAN,
        _ => 2f64.powi(exponent.clamp(-127, 127)) as f32,
    }
}

/// Sign, exponent and mantissa of a small float as a number; no pattern is special here.
fn minifloat(code: u32, exponent: u32, mantissa: u32, bias: i32) -> f32 {
    let sign = if code >> (exponent + mantissa) & 1 == 1 {
        -1.0
    } else {
        1.0
    };
    let (e, m) = (
        (code >> mantissa & ((1 << exponent) - 1)) as i32,
        (code & ((1 << mantissa) - 1)) as f64,
    );
    let steps = (1u32 << mantissa) as f64;
    let size = if e == 0 {
        m / steps * 2f64.powi(1 - bias)
    } else {
        (1.0 + m / steps) * 2f64.powi(e - bias)
    };
    (sign * size) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pattern_comes_back_and_rounds_to_itself() {
        for (i, d) in Narrow::ALL.into_iter().enumerate() {
            assert_eq!(
                (TABLE[i].0 as usize, Narrow::from_onnx(d.onnx())),
                (i, Some(d))
            );
            for code in 0..1u32 << d.bits() {
                let x = d.decode(code as u8);
                let back = d.encode(x).map(|c| d.decode(c));
                assert!(
                    back == Some(x) || x.is_nan() && back.is_some_and(f32::is_nan),
                    "{} {code}",
                    d.name()
                );
                if x.is_finite() {
                    assert_eq!(d.round(x, Beyond::Leave), x, "{} {code}", d.name());
                }
            }
        }
    }

    #[test]
    fn the_largest_numbers_are_those_of_the_standards() {
        let top = |d: Narrow| d.range().1;
        assert_eq!(
            [
                Narrow::F8E4M3FN,
                Narrow::F8E4M3FNUZ,
                Narrow::F8E5M2,
                Narrow::F8E5M2FNUZ
            ]
            .map(top),
            [448.0, 240.0, 57344.0, 57344.0]
        );
        assert_eq!(
            (
                Narrow::F4E2M1.range(),
                Narrow::I4.range(),
                Narrow::U2.range()
            ),
            ((-6.0, 6.0), (-8.0, 7.0), (0.0, 3.0))
        );
    }

    #[test]
    fn halves_go_to_the_even_pattern_and_what_is_too_large_where_it_is_told() {
        let d = Narrow::F8E4M3FN;
        assert_eq!(
            [1.0625f32, 1.1875, -1.0625].map(|x| d.round(x, Beyond::Leave)),
            [1.0, 1.25, -1.0]
        );
        assert_eq!(d.round(464.0, Beyond::Leave), 448.0);
        assert!(d.round(465.0, Beyond::Leave).is_nan());
        assert_eq!(d.round(f32::INFINITY, Beyond::Saturate), 448.0);
        assert_eq!(Narrow::F8E5M2.round(1e9, Beyond::Leave), f32::INFINITY);
        assert_eq!(
            [PowerMode::Down, PowerMode::Nearest, PowerMode::Up].map(|m| power_of_two(
                5.0,
                m,
                Beyond::Leave
            )),
            [4.0, 4.0, 8.0]
        );
    }
}

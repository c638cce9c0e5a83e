//! dtype: the element types, what each is called by whom, and how exact it is.

use bytemuck::Pod;
use half::{bf16, f16};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Element type of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum DType {
    F64,
    F32,
    F16,
    BF16,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
    Bool,
}

/// A Rust type that is some tensor's element.
pub trait Element: Pod {
    const DTYPE: DType;
}

macro_rules! element {
    ($($t:ty => $d:ident),*) => { $(impl Element for $t { const DTYPE: DType = DType::$d; })* };
}
element!(f64 => F64, f32 => F32, f16 => F16, bf16 => BF16, i64 => I64, i32 => I32, i16 => I16, i8 => I8, u64 => U64, u32 => U32, u16 => U16, u8 => U8);

/// (dtype, bytes per element, name, ONNX TensorProto.DataType code)
const TABLE: [(DType, usize, &str, i32); 13] = [
    (DType::F64, 8, "f64", 11),
    (DType::F32, 4, "f32", 1),
    (DType::F16, 2, "f16", 10),
    (DType::BF16, 2, "bf16", 16),
    (DType::I64, 8, "i64", 7),
    (DType::I32, 4, "i32", 6),
    (DType::I16, 2, "i16", 5),
    (DType::I8, 1, "i8", 3),
    (DType::U64, 8, "u64", 13),
    (DType::U32, 4, "u32", 12),
    (DType::U16, 2, "u16", 4),
    (DType::U8, 1, "u8", 2),
    (DType::Bool, 1, "bool", 9),
];

impl DType {
    pub const ALL: [DType; 13] = {
        let mut all = [DType::F64; 13];
        let mut i = 0;
        while i < 13 {
            all[i] = TABLE[i].0;
            i += 1;
        }
        all
    };

    /// Bytes per element.
    pub const fn size(self) -> usize {
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

    pub const fn is_float(self) -> bool {
        matches!(self, DType::F64 | DType::F32 | DType::F16 | DType::BF16)
    }

    /// Unit roundoff u of round-to-nearest in this dtype: half the distance from 1 to the next number; 0 for integers.
    pub const fn unit_roundoff(self) -> f64 {
        match self {
            DType::F64 => f64::EPSILON / 2.0,
            DType::F32 => f32::EPSILON as f64 / 2.0,
            DType::F16 => 1.0 / 2048.0,
            DType::BF16 => 1.0 / 256.0,
            _ => 0.0,
        }
    }

    /// `x` rounded to this dtype and widened again; integers are not touched.
    pub fn round(self, x: f64) -> f64 {
        match self {
            DType::F32 => x as f32 as f64,
            DType::F16 => f16::from_f64(x).to_f64(),
            DType::BF16 => bf16::from_f64(x).to_f64(),
            _ => x,
        }
    }

    /// Largest finite number of this dtype; infinite for integers, which do not overflow into one.
    pub const fn largest(self) -> f64 {
        match self {
            DType::F64 => f64::MAX,
            DType::F32 => f32::MAX as f64,
            DType::F16 => 65504.0,
            DType::BF16 => 3.3895313892515355e38,
            _ => f64::INFINITY,
        }
    }

    /// Smallest positive number of this dtype (a subnormal); 0 for integers.
    pub const fn tiny(self) -> f64 {
        match self {
            DType::F64 => f64::from_bits(1),
            DType::F32 => f32::from_bits(1) as f64,
            DType::F16 => 5.960464477539063e-8,
            DType::BF16 => 9.183549615799121e-41,
            _ => 0.0,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Runs `$body` with `$t` as the Rust element type of `$dtype` (booleans as u8).
#[macro_export]
macro_rules! with_element {
    ($dtype:expr, $t:ident => $body:expr) => {
        match $dtype {
            $crate::tensor::DType::F64 => {
                type $t = f64;
                $body
            }
            $crate::tensor::DType::F32 => {
                type $t = f32;
                $body
            }
            $crate::tensor::DType::F16 => {
                type $t = half::f16;
                $body
            }
            $crate::tensor::DType::BF16 => {
                type $t = half::bf16;
                $body
            }
            $crate::tensor::DType::I64 => {
                type $t = i64;
                $body
            }
            $crate::tensor::DType::I32 => {
                type $t = i32;
                $body
            }
            $crate::tensor::DType::I16 => {
                type $t = i16;
                $body
            }
            $crate::tensor::DType::I8 => {
                type $t = i8;
                $body
            }
            $crate::tensor::DType::U64 => {
                type $t = u64;
                $body
            }
            $crate::tensor::DType::U32 => {
                type $t = u32;
                $body
            }
            $crate::tensor::DType::U16 => {
                type $t = u16;
                $body
            }
            $crate::tensor::DType::U8 | $crate::tensor::DType::Bool => {
                type $t = u8;
                $body
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum_and_codes_come_back() {
        for d in DType::ALL {
            assert_eq!(TABLE[d as usize].0, d);
            assert_eq!(DType::from_onnx(d.onnx()), Some(d));
        }
    }

    #[test]
    fn unit_roundoff_is_half_the_step_above_one() {
        assert_eq!(DType::F32.unit_roundoff(), 2f64.powi(-24));
        assert_eq!(DType::F16.unit_roundoff(), (f16::EPSILON.to_f64()) / 2.0);
        assert_eq!(DType::BF16.unit_roundoff(), (bf16::EPSILON.to_f64()) / 2.0);
        assert_eq!(DType::F16.tiny(), f16::from_bits(1).to_f64());
        assert_eq!(DType::BF16.tiny(), bf16::from_bits(1).to_f64());
    }
}

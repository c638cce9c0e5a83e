//! coordinate: where an output position of Resize lies in the input, and which element is nearest to it.

use parity::error::{Error, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transform {
    HalfPixel,
    HalfPixelSymmetric,
    PytorchHalfPixel,
    AlignCorners,
    Asymmetric,
    TfHalfPixel,
    /// A part of the input, which another input states.
    TfCropAndResize,
}

impl Transform {
    pub fn of(name: &str) -> Result<Self> {
        Ok(match name {
            "half_pixel" => Self::HalfPixel,
            "half_pixel_symmetric" => Self::HalfPixelSymmetric,
            "pytorch_half_pixel" => Self::PytorchHalfPixel,
            "align_corners" => Self::AlignCorners,
            "asymmetric" => Self::Asymmetric,
            "tf_crop_and_resize" => Self::TfCropAndResize,
            "tf_half_pixel_for_nn" => Self::TfHalfPixel,
            other => {
                return Err(Error::failed(format!(
                    "coordinate_transformation_mode '{other}' is not supported"
                )));
            }
        })
    }
}

macro_rules! coordinate {
    ($name:ident, $f:ty) => {
        /// Coordinate of output position `x` in an axis resized by `scale` from `from` to `to` elements.
        pub fn $name(transform: Transform, x: $f, scale: $f, from: $f, to: $f) -> $f {
            match transform {
                // Resized by its parts, not by a scale.
                Transform::Asymmetric | Transform::TfCropAndResize => x / scale,
                Transform::HalfPixel => (x + 0.5) / scale - 0.5,
                Transform::PytorchHalfPixel if to > 1.0 => (x + 0.5) / scale - 0.5,
                Transform::PytorchHalfPixel => 0.0,
                Transform::TfHalfPixel => (x + 0.5) / scale,
                Transform::AlignCorners if to == 1.0 => 0.0,
                Transform::AlignCorners => x * (from - 1.0) / (to - 1.0),
                Transform::HalfPixelSymmetric => {
                    let offset = from / 2.0 * (1.0 - to / (scale * from));
                    // ONNX Runtime rounds the offset, but not the sum before it is complete.
                    (offset as f64 + (x as f64 + 0.5) / scale as f64 - 0.5) as $f
                }
            }
        }
    };
}
coordinate!(f32_coordinate, f32);
coordinate!(f64_coordinate, f64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nearest {
    RoundPreferFloor,
    RoundPreferCeil,
    Floor,
    Ceil,
    /// Of Upsample and of Resize 10: up when it shrinks, down when it grows.
    Simple,
}

impl Nearest {
    pub fn of(name: &str) -> Result<Self> {
        Ok(match name {
            "round_prefer_floor" => Self::RoundPreferFloor,
            "round_prefer_ceil" => Self::RoundPreferCeil,
            "floor" => Self::Floor,
            "ceil" => Self::Ceil,
            other => {
                return Err(Error::usage(format!(
                    "attribute 'nearest_mode' is '{other}'"
                )));
            }
        })
    }

    pub fn index(self, x: f32, shrinks: bool) -> i64 {
        let chosen = match self {
            Self::RoundPreferFloor => (x - 0.5).ceil(),
            Self::RoundPreferCeil => (x + 0.5).floor(),
            Self::Ceil => x.ceil(),
            Self::Simple if shrinks => x.ceil(),
            Self::Floor | Self::Simple => x.floor(),
        };
        chosen as i64
    }

    /// Distance of `x` from where the chosen element changes.
    pub fn border(self, x: f64) -> f64 {
        match self {
            Self::RoundPreferFloor | Self::RoundPreferCeil => (x - x.floor() - 0.5).abs(),
            Self::Floor | Self::Ceil | Self::Simple => (x - x.round()).abs(),
        }
    }
}

/// Weights of the four elements around a position `s` behind the second (Keys, 1981).
pub fn cubic(s: f64, a: f64) -> [f64; 4] {
    let near = |t: f64| ((a + 2.0) * t - (a + 3.0)) * t * t + 1.0;
    let far = |t: f64| ((a * t - 5.0 * a) * t + 8.0 * a) * t - 4.0 * a;
    [far(s + 1.0), near(s), near(1.0 - s), far(2.0 - s)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_where_the_mode_says() {
        let at = |n: Nearest| [-0.5f32, 0.5, 1.5, 1.25].map(|x| n.index(x, false));
        assert_eq!(at(Nearest::RoundPreferFloor), [-1, 0, 1, 1]);
        assert_eq!(at(Nearest::RoundPreferCeil), [0, 1, 2, 1]);
        assert_eq!(at(Nearest::Floor), [-1, 0, 1, 1]);
        assert_eq!(at(Nearest::Ceil), [0, 1, 2, 2]);
        assert_eq!(Nearest::Simple.index(1.25, true), 2);
    }

    #[test]
    fn cubic_weights_sum_to_one_and_select_an_element_that_is_hit() {
        for s in [0.0, 0.25, 0.5, 0.9] {
            assert!((cubic(s, -0.75).iter().sum::<f64>() - 1.0).abs() < 1e-15);
        }
        assert_eq!(cubic(0.0, -0.5), [0.0, 1.0, 0.0, 0.0]);
    }
}

//! window: where the windows of convolutions and poolings lie: strides, dilations, pads and auto_pad.

use super::super::call::Call;
use super::common::{Torch, fits, per_axis};
use parity::error::{Error, Result};
use tch::Tensor;

/// One entry per spatial axis.
pub struct Window {
    pub kernel: Vec<i64>,
    pub stride: Vec<i64>,
    pub dilation: Vec<i64>,
    pub before: Vec<i64>,
    pub after: Vec<i64>,
}

impl Window {
    /// Reads the attributes; `auto_pad` is resolved for the input's `spatial` dimensions.
    pub fn of(call: &Call, spatial: &[i64], kernel: Vec<i64>) -> Result<Self> {
        let n = spatial.len();
        let kernel = per_axis(Some(kernel), n, 1, "kernel_shape")?;
        let stride = per_axis(call.ints("strides")?, n, 1, "strides")?;
        let dilation = per_axis(call.ints("dilations")?, n, 1, "dilations")?;
        let pads = per_axis(call.ints("pads")?, 2 * n, 0, "pads")?;
        if let Some(wrong) = [&kernel, &stride, &dilation]
            .into_iter()
            .flatten()
            .find(|v| !(1..1 << 24).contains(*v))
        {
            return Err(Error::usage(format!(
                "a kernel, stride or dilation of {wrong}"
            )));
        }
        if pads.iter().any(|p| *p < 0) {
            return Err(Error::failed(format!(
                "negative pads {pads:?} are not supported here"
            )));
        }
        let mut w = Self {
            kernel,
            stride,
            dilation,
            before: pads[..n].to_vec(),
            after: pads[n..].to_vec(),
        };
        let auto = call.text("auto_pad", "NOTSET")?;
        match auto.as_str() {
            "NOTSET" => {}
            "VALID" => (w.before, w.after) = (vec![0; n], vec![0; n]),
            "SAME_UPPER" | "SAME_LOWER" => w.same(spatial, auto == "SAME_UPPER"),
            other => return Err(Error::usage(format!("attribute 'auto_pad' is '{other}'"))),
        }
        Ok(w)
    }

    /// As many windows as strides fit; the odd pad goes to the end for SAME_UPPER.
    fn same(&mut self, spatial: &[i64], upper: bool) {
        for (d, len) in spatial.iter().enumerate() {
            let out = (len + self.stride[d] - 1) / self.stride[d];
            let total = ((out - 1) * self.stride[d] + self.reach(d) - len).max(0);
            let (small, large) = (total / 2, total - total / 2);
            (self.before[d], self.after[d]) = if upper {
                (small, large)
            } else {
                (large, small)
            };
        }
    }

    /// Elements from the first to the last that a window covers.
    pub fn reach(&self, d: usize) -> i64 {
        (self.kernel[d] - 1) * self.dilation[d] + 1
    }

    /// Number of windows per axis. In ceil mode a last, incomplete one counts if it starts inside the input or its front padding.
    pub fn count(&self, spatial: &[i64], ceil: bool) -> Result<Vec<i64>> {
        let one = |(d, len): (usize, &i64)| {
            let free = fits(Some(len + self.before[d] + self.after[d]))? - self.reach(d);
            let floor = free.div_euclid(self.stride[d]) + 1;
            let more = ceil
                && free.rem_euclid(self.stride[d]) > 0
                && floor * self.stride[d] < len + self.before[d];
            match floor + more as i64 {
                n @ 0.. => Ok(n),
                n => Err(Error::usage(format!(
                    "axis {d} of {spatial:?} has {n} windows of {}",
                    self.kernel[d]
                ))),
            }
        };
        spatial.iter().enumerate().map(one).collect()
    }

    /// How much must follow the input so that exactly `counts` windows fit, at least the pads.
    pub fn filled(&self, spatial: &[i64], counts: &[i64]) -> Vec<i64> {
        let needed = |d: usize| {
            (counts[d] - 1) * self.stride[d] + self.reach(d) - spatial[d] - self.before[d]
        };
        (0..spatial.len())
            .map(|d| needed(d).max(self.after[d]))
            .collect()
    }

    /// Number of elements that one window covers.
    pub fn volume(&self) -> i64 {
        self.kernel.iter().product()
    }
}

/// The spatial dimensions of a batch of 1 to 3-dimensional images.
pub fn spatial(x: &Tensor) -> Result<Vec<i64>> {
    match x.size().as_slice() {
        [_, _, spatial @ ..] if (1..=3).contains(&spatial.len()) => Ok(spatial.to_vec()),
        other => Err(Error::failed(format!(
            "{other:?} is no batch of 1 to 3-dimensional images"
        ))),
    }
}

/// `x` with `before` and `after` more elements of `value` along its last axes; negative widths crop.
pub fn framed(x: &Tensor, before: &[i64], after: &[i64], value: f64) -> Torch {
    let widths: Vec<i64> = before
        .iter()
        .zip(after)
        .rev()
        .flat_map(|(b, a)| [*b, *a])
        .collect();
    match widths.iter().all(|w| *w == 0) {
        true => Ok(x.shallow_clone()),
        false if value == 0.0 => x.f_constant_pad_nd(widths),
        false => x.f_pad(widths, "constant", value),
    }
}

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, random};
    use proptest::prelude::*;

    /// (kernel, stride, dilation, pad before, pad after, length) of one axis.
    type Axis = (i64, i64, i64, i64, i64, usize);

    proptest! {
        #![proptest_config(cases(96))]
        #[test]
        fn windows_of_axes_that_differ_in_everything_lie_where_onnx_runtime_has_them(
            axes in prop::collection::vec((1i64..4, 1i64..4, 1i64..3, 0i64..3, 0i64..3, 6usize..10), 1..4), pool: bool,
            auto in prop::sample::select(vec!["NOTSET", "NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]), ceil in 0i64..2, seed: u64,
        ) {
            let shape: Vec<usize> = [2, 3].into_iter().chain(axes.iter().map(|a| a.5)).collect();
            // ONNX Runtime refuses windows that leave gaps where it places the pads itself, and pads as wide as a pooling window.
            let stride = |a: &Axis| if auto == "NOTSET" { a.1 } else { a.1.min(a.0) };
            let pad = |p: i64, kernel: i64| if pool { p.min(kernel - 1) } else { p };
            let case = Case::new(if pool { "MaxPool" } else { "Conv" }, 12).with(random(&shape, seed, -1.0, 1.0));
            let kernel: Vec<usize> = axes.iter().map(|a| a.0 as usize).collect();
            let case = if pool { case.int("ceil_mode", ceil) } else { case.with(random(&[&[4, 3][..], &kernel].concat(), !seed, -1.0, 1.0)) };
            let all = |f: &dyn Fn(&Axis) -> i64| axes.iter().map(f).collect::<Vec<_>>();
            let case = case.ints("kernel_shape", &all(&|a| a.0)).ints("strides", &all(&stride)).text("auto_pad", auto);
            let case = if auto == "NOTSET" {
                let pads = [all(&|a| pad(a.3, a.0)), all(&|a| pad(a.4, a.0))].concat();
                case.ints("dilations", &all(&|a| a.2)).ints("pads", &pads)
            } else {
                case
            };
            case.check();
        }
    }
}

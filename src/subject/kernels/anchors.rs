//! anchors: the anchors of three feature maps at strides 8, 16 and 32.

use super::{Answer, Given};
use crate::error::Result;
use crate::kernel::anchors::{Anchors, Grid};
use crate::tensor::Tensor;
use std::collections::BTreeMap;

pub(super) fn anchors(given: &Given) -> Result<Answer> {
    let level = |(name, stride): (&str, f64)| {
        given.plane(name).map(|[height, width]| Grid {
            height,
            width,
            stride,
        })
    };
    let grids = [("p3", 8.0), ("p4", 16.0), ("p5", 32.0)]
        .into_iter()
        .map(level)
        .collect::<Result<Vec<_>>>()?;
    let anchors = Anchors::new(&grids)?;
    let n = anchors.len();
    let squares = |size, offset| Tensor::from_vec(&[n, 4], anchors.squares(size, offset).concat());
    Ok(Answer {
        tensors: BTreeMap::from([
            ("points", Tensor::from_vec(&[n, 2], anchors.points.concat())),
            ("strides", Tensor::from_vec(&[n], anchors.strides.clone())),
            (
                "pixels",
                Tensor::from_vec(&[n, 2], anchors.pixels().concat()),
            ),
            ("squares_yolov6", squares(5.0, 0.5)),
            ("squares_mmdet", squares(8.0, 0.0)),
        ]),
        ..Answer::default()
    })
}

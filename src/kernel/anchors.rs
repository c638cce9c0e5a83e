//! anchors: where does each output column of a detector look?
//!
//! Convention: points (i + 0.5) in grid units, rows before columns, levels concatenated from the finest stride on; in pixels a
//! point is multiplied by its stride. ATSS uses squares of k·stride around them (Zhang et al., ATSS, 2020, section 3.2).

use crate::error::{Error, Result};
use crate::kernel::Family;

/// What there is to know about it.
pub const FAMILY: Family = Family {
    name: "anchors",
    paper: "Zhang 2020",
    what: "anchor points and squares of a pyramid",
    kinks: "none",
};

/// One level of the pyramid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Grid {
    pub height: usize,
    pub width: usize,
    /// Pixels per cell.
    pub stride: f64,
}

/// The anchors of all levels.
#[derive(Clone, Debug, PartialEq)]
pub struct Anchors {
    pub grids: Vec<Grid>,
    /// `[A]` points x, y in grid units.
    pub points: Vec<[f64; 2]>,
    /// `[A]` pixels per grid unit.
    pub strides: Vec<f64>,
}

impl Anchors {
    /// The anchors of `grids`; refused where a grid is empty or a stride is not positive.
    pub fn new(grids: &[Grid]) -> Result<Self> {
        if let Some((i, g)) = grids
            .iter()
            .enumerate()
            .find(|(_, g)| g.height * g.width == 0 || !(g.stride > 0.0 && g.stride.is_finite()))
        {
            let fact = format!(
                "grid {i}: {} x {} cells of stride {}",
                g.height, g.width, g.stride
            );
            return Err(
                Error::usage(fact).next("give every level at least one cell and a positive stride")
            );
        }
        let cells = |g: &Grid| {
            (0..g.height * g.width)
                .map(|i| [(i % g.width) as f64 + 0.5, (i / g.width) as f64 + 0.5])
                .collect()
        };
        let points: Vec<Vec<[f64; 2]>> = grids.iter().map(cells).collect();
        let strides = grids
            .iter()
            .flat_map(|g| vec![g.stride; g.height * g.width])
            .collect();
        Ok(Self {
            grids: grids.to_vec(),
            points: points.concat(),
            strides,
        })
    }

    /// The anchors of an image of `height` x `width` pixels: a level has ⌈size / stride⌉ cells.
    pub fn of_image(height: usize, width: usize, strides: &[usize]) -> Result<Self> {
        let grid = |&s: &usize| Grid {
            height: height.div_ceil(s.max(1)),
            width: width.div_ceil(s.max(1)),
            stride: s as f64,
        };
        Self::new(&strides.iter().map(grid).collect::<Vec<_>>())
    }

    /// Number of anchors A.
    pub fn len(&self) -> usize {
        self.points.len()
    }

    /// Whether there is no anchor at all.
    pub fn is_empty(&self) -> bool {
        self.points.is_empty()
    }

    /// Number of anchors of each level.
    pub fn levels(&self) -> Vec<usize> {
        self.grids.iter().map(|g| g.height * g.width).collect()
    }

    /// `[A]` the level of each anchor, from 0.
    pub fn level(&self) -> Vec<i64> {
        self.levels()
            .into_iter()
            .enumerate()
            .flat_map(|(l, n)| vec![l as i64; n])
            .collect()
    }

    /// `[A]` points in pixels.
    pub fn pixels(&self) -> Vec<[f64; 2]> {
        self.points
            .iter()
            .zip(&self.strides)
            .map(|(p, s)| p.map(|v| v * s))
            .collect()
    }

    /// `[A]` squares of side `size`·stride in pixels, centred `offset` of a cell into it: YOLOv6 5 and 0.5; mmdet 8 and 0.
    pub fn squares(&self, size: f64, offset: f64) -> Vec<[f64; 4]> {
        let square = |(p, s): (&[f64; 2], &f64)| {
            let ([x, y], half) = (p.map(|v| (v - 0.5 + offset) * s), size * s * 0.5);
            [x - half, y - half, x + half, y + half]
        };
        self.points.iter().zip(&self.strides).map(square).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_image_sizes_have_their_known_numbers_of_anchors() {
        for (size, want) in [(500, 5249), (640, 8400), (416, 3549), (128, 336)] {
            assert_eq!(
                Anchors::of_image(size, size, &[8, 16, 32]).unwrap().len(),
                want,
                "{size}"
            );
        }
    }

    #[test]
    fn points_run_along_rows_and_levels_follow_each_other() {
        let a = Anchors::of_image(16, 24, &[8, 16]).unwrap();
        assert_eq!(a.levels(), [6, 2]);
        assert_eq!(a.level(), [0, 0, 0, 0, 0, 0, 1, 1]);
        assert_eq!(
            a.points[..4],
            [[0.5, 0.5], [1.5, 0.5], [2.5, 0.5], [0.5, 1.5]]
        );
        assert_eq!(a.pixels()[5..], [[20.0, 12.0], [8.0, 8.0], [24.0, 8.0]]);
        assert_eq!(a.strides, [8.0, 8.0, 8.0, 8.0, 8.0, 8.0, 16.0, 16.0]);
    }

    #[test]
    fn squares_stand_around_their_points() {
        let a = Anchors::of_image(16, 16, &[16]).unwrap();
        assert_eq!(a.squares(5.0, 0.5), [[-32.0, -32.0, 48.0, 48.0]]);
        assert_eq!(a.squares(8.0, 0.0), [[-64.0, -64.0, 64.0, 64.0]]);
    }

    #[test]
    fn an_empty_level_and_a_stride_of_zero_are_refused_by_number() {
        let e = Anchors::new(&[
            Grid {
                height: 2,
                width: 2,
                stride: 8.0,
            },
            Grid {
                height: 0,
                width: 2,
                stride: 16.0,
            },
        ])
        .unwrap_err();
        assert!(
            e.message.contains("grid 1: 0 x 2 cells of stride 16"),
            "{e}"
        );
        assert!(
            Anchors::of_image(64, 64, &[0])
                .unwrap_err()
                .message
                .contains("stride 0")
        );
        assert!(Anchors::new(&[]).unwrap().is_empty());
    }
}

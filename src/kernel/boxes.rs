//! boxes: which box is meant? Conversions between corners, centre with size, and distances from a point.
//!
//! Convention: `[x1, y1, x2, y2]` unless named otherwise, any unit; an area is signed, so an inverted box shows. Distances are
//! left, top, right, bottom from a point to the sides (Tian et al., FCOS, 2019, equation 1).

use super::number::Number;

/// Corners of the box around the centre `[cx, cy, w, h]`.
pub fn corners<D: Number>([cx, cy, w, h]: [D; 4]) -> [D; 4] {
    let (x, y) = (w * 0.5, h * 0.5);
    [cx - x, cy - y, cx + x, cy + y]
}

/// Centre and size `[cx, cy, w, h]` of a box.
pub fn centred<D: Number>([x1, y1, x2, y2]: [D; 4]) -> [D; 4] {
    [(x1 + x2) * 0.5, (y1 + y2) * 0.5, x2 - x1, y2 - y1]
}

/// The box whose sides lie `[left, top, right, bottom]` from `point`, in the point's unit.
pub fn around<D: Number>([px, py]: [f64; 2], [l, t, r, b]: [D; 4]) -> [D; 4] {
    [-l + px, -t + py, r + px, b + py]
}

/// Distances `[left, top, right, bottom]` from `point` to the sides; negative where the point is beyond a side.
pub fn distances<D: Number>([px, py]: [f64; 2], [x1, y1, x2, y2]: [D; 4]) -> [D; 4] {
    [-x1 + px, -y1 + py, x2 - px, y2 - py]
}

/// Every coordinate times `factor`.
pub fn scaled<D: Number>(b: [D; 4], factor: f64) -> [D; 4] {
    b.map(|v| v * factor)
}

/// Width times height, negative if one of them is.
pub fn area<D: Number>([x1, y1, x2, y2]: [D; 4]) -> D {
    (x2 - x1) * (y2 - y1)
}

/// Smallest distance of `point` to a side; positive strictly inside, 0 on the border.
pub fn depth(point: [f64; 2], b: [f64; 4]) -> f64 {
    distances(point, b)
        .into_iter()
        .fold(f64::INFINITY, f64::min)
}

/// The box with each side that is shorter than `side` enlarged to it around the centre.
pub fn enlarged(b: [f64; 4], side: f64) -> [f64; 4] {
    let [cx, cy, w, h] = centred(b);
    if w >= side && h >= side {
        b
    } else {
        corners([cx, cy, w.max(side), h.max(side)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use approx::assert_abs_diff_eq;
    use proptest::prelude::*;

    #[test]
    fn an_inverted_box_has_a_negative_area_and_an_empty_one_none() {
        assert_eq!(area([0.0, 0.0, 2.0, 3.0]), 6.0);
        assert_eq!(area([2.0, 0.0, 0.0, 3.0]), -6.0);
        assert_eq!(area([1.0, 1.0, 1.0, 5.0]), 0.0);
    }

    #[test]
    fn a_point_on_the_border_has_depth_zero_and_one_outside_a_negative_depth() {
        let b = [0.0, 0.0, 10.0, 4.0];
        assert_eq!(
            [
                depth([5.0, 2.0], b),
                depth([0.0, 2.0], b),
                depth([11.0, 2.0], b)
            ],
            [2.0, 0.0, -1.0]
        );
    }

    #[test]
    fn only_a_short_side_is_enlarged() {
        assert_eq!(
            enlarged([10.0, 10.0, 12.0, 40.0], 16.0),
            [3.0, 10.0, 19.0, 40.0]
        );
        assert_eq!(
            enlarged([0.1, 0.2, 30.3, 40.4], 16.0),
            [0.1, 0.2, 30.3, 40.4]
        );
    }

    proptest! {
        #[test]
        fn conversions_undo_each_other(b in prop::array::uniform4(-1e3f64..1e3), p in prop::array::uniform2(-1e3f64..1e3)) {
            for (there, back) in [(corners(centred(b)), b), (around(p, distances(p, b)), b)] {
                for i in 0..4 {
                    assert_abs_diff_eq!(there[i], back[i], epsilon = 1e-12 * 1e3);
                }
            }
        }
    }
}

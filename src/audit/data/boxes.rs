//! boxes: whether a box has an area and lies in its image; corners in shares of the image's sides.

use super::kinds::{self, Kind};

/// A box may reach beyond its image by so much: what rounding and careful hands leave.
const SLACK: f64 = 0.01;
/// Beyond by so much it is no box of this image.
const FAR: f64 = 0.1;

/// What is wrong with a box, if anything.
pub fn wrong([x1, y1, x2, y2]: [f64; 4]) -> Option<(&'static Kind, String)> {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    if x2 <= x1 || y2 <= y1 {
        let what = format!(
            "a box {} wide and {} high",
            percent(x2 - x1),
            percent(y2 - y1)
        );
        return Some((&kinds::ZERO_AREA, what));
    }
    let beyond = [-x1, -y1, x2 - 1.0, y2 - 1.0];
    let most = beyond.into_iter().fold(0.0, f64::max);
    let kind = match most {
        m if m > FAR => &kinds::BOX_OUTSIDE,
        m if m > SLACK => &kinds::BOX_BEYOND,
        _ => return None,
    };
    let sides = ["left", "upper", "right", "lower"];
    let side = sides.iter().zip(beyond).find(|(_, b)| *b == most);
    let side = side.map_or("", |(s, _)| s);
    let what = format!(
        "a box reaches {} of the image beyond its {side} edge",
        percent(most)
    );
    Some((kind, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_of_the_image_is_right_up_to_rounding_and_each_other_is_said() {
        for good in [
            [0.0, 0.0, 1.0, 1.0],
            [-0.005, 0.1, 0.5, 1.005],
            [0.5, 0.5, 0.500001, 0.500001],
        ] {
            assert_eq!(wrong(good), None);
        }
        for (bad, kind) in [
            ([0.5, 0.1, 0.5, 0.2], &kinds::ZERO_AREA),
            ([0.5, 0.2, 0.6, 0.1], &kinds::ZERO_AREA),
            ([0.5, 0.1, 1.05, 0.2], &kinds::BOX_BEYOND),
            ([-0.5, 0.1, 0.5, 0.2], &kinds::BOX_OUTSIDE),
            ([2.0, 2.0, 3.0, 3.0], &kinds::BOX_OUTSIDE),
        ] {
            assert_eq!(wrong(bad).unwrap().0, kind, "{bad:?}");
        }
    }
}

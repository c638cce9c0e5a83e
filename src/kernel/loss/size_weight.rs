//! size_weight: how much more does an anchor count because its object is small?
//!
//! Convention: by the area of the object in pixels of the network's input: below 32² twice, below 96² one and a half times, else once;
//! the limits are COCO's (Lin et al., 2014). A background anchor has no object and counts once.

use crate::kernel::Family;
use crate::kernel::assign::Assignment;
use crate::kernel::boxes::area;

/// What there is to know about it.
pub const FAMILY: Family = Family {
    name: "size_weight",
    paper: "Lin 2014",
    what: "weights of anchors by object area",
    kinks: "areas of 32^2 and 96^2 pixels",
};

/// How anchors are weighted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeWeight {
    /// Every anchor once.
    Off,
    /// Positives by the size of their object, background once.
    BySize,
    /// The faulty control: the weights times the foreground mask, which removes the whole background from the class term.
    ForegroundOnly,
}

/// Area below which an object is small, and medium, in square pixels.
pub const LIMITS: [f64; 2] = [32.0 * 32.0, 96.0 * 96.0];

/// The weight of an object of `area` square pixels.
pub fn weight(area: f64) -> f64 {
    match area {
        a if a < LIMITS[0] => 2.0,
        a if a < LIMITS[1] => 1.5,
        _ => 1.0,
    }
}

impl SizeWeight {
    /// `[A]` weights of the anchors of one image.
    pub fn of(self, assignment: &Assignment) -> Vec<f64> {
        let one = |(owner, b): (&Option<usize>, &[f64; 4])| match (self, owner) {
            (SizeWeight::Off, _) | (SizeWeight::BySize, None) => 1.0,
            (SizeWeight::ForegroundOnly, None) => 0.0,
            (SizeWeight::BySize | SizeWeight::ForegroundOnly, Some(_)) => weight(area(*b)),
        };
        assignment
            .owner
            .iter()
            .zip(&assignment.boxes)
            .map(one)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_belong_to_the_larger_class() {
        assert_eq!(
            [0.0, 1023.9, 1024.0, 9215.9, 9216.0, 1e6].map(weight),
            [2.0, 2.0, 1.5, 1.5, 1.0, 1.0]
        );
    }
}

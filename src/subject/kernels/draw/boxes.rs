//! boxes: single boxes, and pairs that stand in every relation to each other.

use super::{Case, real};
use crate::tensor::{DType, Tensor};
use proptest::prelude::*;

/// Corners in pixels.
pub type Box4 = [f64; 4];

/// A box and the edge that it is.
#[derive(Clone, Copy, Debug)]
pub struct Drawn {
    pub corners: Box4,
    pub edge: Option<&'static str>,
}

/// A box of at least a quarter pixel with quarter-pixel corners inside `extent` pixels.
pub fn plain(extent: u32) -> impl Strategy<Value = Box4> {
    let place = 0..4 * extent;
    let size = 1..=4 * extent;
    (place.clone(), place, size.clone(), size)
        .prop_map(|(x, y, w, h)| [x, y, x + w, y + h].map(|v| f64::from(v) / 4.0))
}

/// One of the edges that every code base meets one day.
fn edge(extent: u32) -> impl Strategy<Value = Drawn> {
    let e = f64::from(extent);
    let named = |edge: &'static str, make: fn(Box4, f64) -> Box4| {
        plain(extent).prop_map(move |b| Drawn {
            corners: make(b, e),
            edge: Some(edge),
        })
    };
    prop_oneof![
        named("no width", |[x, y, _, y2], _| [x, y, x, y2]),
        named("no height", |[x, y, x2, _], _| [x, y, x2, y]),
        named("a point", |[x, y, ..], _| [x, y, x, y]),
        named("below a pixel", |[x, y, ..], _| [
            x,
            y,
            x + 0.0625,
            y + 0.125
        ]),
        named("huge", |[x, y, x2, y2], _| [
            x - 4096.0,
            y - 4096.0,
            x2 + 4096.0,
            y2 + 4096.0
        ]),
        named("outside", |[x, y, x2, y2], e| [
            x + 2.0 * e,
            y + e,
            x2 + 2.0 * e,
            y2 + e
        ]),
        named("partly outside", |[x, y, x2, y2], e| [
            x - e / 2.0,
            y,
            x2 - e / 2.0,
            y2
        ]),
        named("left of the image", |[x, y, x2, y2], e| [
            x - 3.0 * e,
            y - 3.0 * e,
            x2 - 3.0 * e,
            y2 - 3.0 * e
        ]),
        named("a side at a point", |[x, y, x2, y2], _| {
            // Nearer to the middle of a cell of 8 pixels than the hundredth below which mmdet says that a point is outside.
            let side = (x / 8.0).floor() * 8.0 + 4.0 - 0.0078125;
            [side, y, x2 + (side - x), y2]
        }),
        named("the whole image", |_, e| [0.0, 0.0, e, e]),
    ]
}

/// Half of them edges; sizes are never negative.
pub fn object(extent: u32) -> impl Strategy<Value = Drawn> {
    prop_oneof![
        plain(extent).prop_map(|corners| Drawn {
            corners,
            edge: None
        }),
        edge(extent)
    ]
}

/// A second box in some relation to `a`; as an edge where it is one.
pub fn related(a: Box4, other: Box4, relation: u8) -> (Box4, Option<&'static str>) {
    let [x1, y1, x2, y2] = a;
    let (w, h) = (other[2] - other[0], other[3] - other[1]);
    match relation {
        0 => (a, Some("identical")),
        1 => ([x2, y1, x2 + w, y2], Some("touching")),
        2 => ([x2, y2, x2 + w, y2 + h], Some("touching in a corner")),
        3 => ([x1 - w, y1 - h, x2 + w, y2 + h], Some("nested")),
        4 => ([x1 - w, y1 - w, x2 + w, y2 + w], Some("centres aligned")),
        5 => ([x1 + w, y1 + h, x2 + w, y2 + h], Some("the same size")),
        6 => ([x1, y1, x1 + w, y1 + h], Some("a shared corner")),
        _ => (other, None),
    }
}

fn pair() -> impl Strategy<Value = (Drawn, Drawn)> {
    (object(32), object(32), 0u8..14, 0u8..16).prop_map(|(a, b, relation, turned)| {
        let (other, edge) = related(a.corners, b.corners, relation);
        let second = Drawn {
            corners: other,
            edge: edge.or(b.edge.filter(|_| relation >= 7)),
        };
        // What a network predicts may be turned inside out; ground truth never is.
        let [x1, y1, x2, y2] = a.corners;
        match turned {
            2 => (
                Drawn {
                    corners: [x1, y1, x2, f64::NAN],
                    edge: Some("no number"),
                },
                second,
            ),
            0 => (
                Drawn {
                    corners: [x2, y1, x1, y2],
                    edge: Some("negative width"),
                },
                second,
            ),
            1 => (
                Drawn {
                    corners: [x2, y2, x1, y1],
                    edge: Some("negative size"),
                },
                second,
            ),
            _ => (a, second),
        }
    })
}

/// Rows of pairs under two names.
pub fn pairs(first: &'static str, second: &'static str) -> BoxedStrategy<Case> {
    let case = move |rows: Vec<(Drawn, Drawn)>| {
        let edges = rows
            .iter()
            .flat_map(|(a, b)| [a.edge, b.edge])
            .flatten()
            .collect::<Vec<_>>();
        let side =
            |of: fn(&(Drawn, Drawn)) -> Box4| real(&[rows.len(), 4], rows.iter().flat_map(of));
        Case::default()
            .with(first, side(|r| r.0.corners))
            .with(second, side(|r| r.1.corners))
            .on(edges)
    };
    prop::collection::vec(pair(), 1..12).prop_map(case).boxed()
}

/// Boxes of all sizes, some of them background.
pub fn weighted() -> BoxedStrategy<Case> {
    let at_limit = (0usize..2, -1i32..=1).prop_map(|(which, step)| {
        let side = [32.0, 96.0][which];
        Drawn {
            corners: [1.0, 2.0, 1.0 + side, 2.0 + side + f64::from(step) / 8.0],
            edge: Some("at the limit of a size"),
        }
    });
    let one = (prop_oneof![3 => object(128), 1 => at_limit], any::<bool>());
    let case = |rows: Vec<(Drawn, bool)>| {
        let flags: Vec<u8> = rows.iter().map(|r| u8::from(r.1)).collect();
        let mask =
            Tensor::from_bytes(DType::Bool, vec![rows.len()], &flags).expect("one flag per row");
        let edges = rows.iter().filter_map(|r| r.0.edge).collect::<Vec<_>>();
        Case::default()
            .with(
                "boxes",
                real(&[rows.len(), 4], rows.iter().flat_map(|r| r.0.corners)),
            )
            .with("foreground", mask)
            .on(edges)
    };
    prop::collection::vec(one, 1..12).prop_map(case).boxed()
}

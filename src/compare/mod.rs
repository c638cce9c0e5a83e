//! compare: two tensors in, every metric out; attributes first, then special values, then arithmetic.
//!
//! No broadcasting, no hidden transpose, no cast: another dtype or another shape is the whole result. Pure: nothing here
//! reads a file or prints.

mod block;
mod channels;
pub mod convention;
mod fused;
mod histogram;
pub mod json;
pub mod layout;
mod look;
pub mod metrics;
#[cfg(test)]
mod naive;
pub mod number;
pub mod special;
mod tally;
pub mod tolerance;

pub use convention::Convention;
pub use layout::Exchanged;
pub use look::{Heat, LOOKS, Look, Spread, look};
pub use metrics::{Attributes, Channels, Comparison, Extreme, Metrics, Specials};
pub use number::Number;
pub use tolerance::{Judged, Tolerance, judge};

use crate::tensor::{Element, View};
use crate::with_element;

/// Compares `candidate` with `reference`; per index along `axis` too, where the shape has that axis.
///
/// # Panics
/// Where a view's bytes are not as many as its shape and dtype say, or not aligned for its dtype.
pub fn compare(reference: View<'_>, candidate: View<'_>, axis: Option<usize>) -> Comparison {
    match differing(&reference, &candidate) {
        Some(attributes) => Comparison::Attributes(attributes),
        None => {
            let metrics = with_element!(reference.dtype, T => {
                fused::metrics::<T>(elements(&reference), elements(&candidate), reference.shape, axis)
            });
            let far = metrics.rel_l2 > FAR;
            let exchanged = far
                .then(|| layout::exchanged(&reference, &candidate))
                .flatten();
            Comparison::Values(Box::new(Metrics {
                exchanged,
                ..metrics
            }))
        }
    }
}

/// The relative L2 from which on another order of axes is looked for.
const FAR: f64 = 0.1;

/// The attributes in which two tensors differ, if any.
fn differing(reference: &View<'_>, candidate: &View<'_>) -> Option<Attributes> {
    let dtype = (reference.dtype != candidate.dtype).then_some((reference.dtype, candidate.dtype));
    let shape = (reference.shape != candidate.shape)
        .then(|| (reference.shape.to_vec(), candidate.shape.to_vec()));
    let exchanged = shape
        .as_ref()
        .and_then(|_| layout::exchanged(reference, candidate));
    (dtype.is_some() || shape.is_some()).then_some(Attributes {
        dtype,
        shape,
        exchanged,
    })
}

/// The elements as `T`, which is the view's own type, or u8 for booleans.
fn elements<'a, T: Element>(view: &View<'a>) -> &'a [T] {
    assert_eq!(
        view.bytes.len(),
        view.numel() * view.dtype.size(),
        "bytes of a {} view of shape {:?}",
        view.dtype,
        view.shape
    );
    view.elements()
}

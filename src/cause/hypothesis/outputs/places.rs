//! places: the right elements at other places: axes exchanged or reversed.

use super::super::residual::Said;
use super::{Given, Made};
use crate::tensor::index::unravel;

/// The same elements read at other places, of which `from` says where; None where that does not explain what is observed.
fn read(given: &Given, from: impl Fn(&[usize]) -> Vec<usize>) -> Option<Said> {
    let place = |i: usize| {
        let at = from(&unravel(i, given.shape));
        at.iter()
            .zip(given.from)
            .fold(0, |flat, (a, d)| flat * d + a)
    };
    let is = |i| (given.exact[place(i)], given.limit[place(i)]);
    if !given.may(is) {
        return None;
    }
    let (values, limit) = (0..given.exact.len()).map(is).unzip();
    Some(Said::exactly(values, limit)).filter(|said| given.explains(said))
}

/// Two axes exchanged, of one length or of two.
pub fn transposed(given: &Given) -> Option<Made> {
    let rank = given.shape.len();
    if rank != given.from.len() {
        return None;
    }
    let pairs = (0..rank).flat_map(|i| (i + 1..rank).map(move |j| (i, j)));
    let exchanged = |(i, j): &(usize, usize)| {
        let mut shape = given.from.to_vec();
        shape.swap(*i, *j);
        shape == given.shape && shape[*i] > 1 && shape[*j] > 1
    };
    let mut fitting = pairs.filter(exchanged);
    fitting.find_map(|(i, j)| {
        let said = read(given, |at| {
            let mut at = at.to_vec();
            at.swap(i, j);
            at
        })?;
        Some(Made {
            said,
            says: format!("axes {i} and {j} of the output are exchanged"),
            ..Made::default()
        })
    })
}

/// One axis in the other direction.
pub fn mirrored(given: &Given) -> Option<Made> {
    let mut axes = (0..given.shape.len()).filter(|a| given.shape[*a] > 1);
    axes.find_map(|axis| {
        let said = read(given, |at| {
            let mut at = at.to_vec();
            at[axis] = given.shape[axis] - 1 - at[axis];
            at
        })?;
        Some(Made {
            said,
            says: format!("axis {axis} of the output runs the other way"),
            ..Made::default()
        })
    })
}

//! layout: which orders of axes one framework stores a tensor in that another stores otherwise: a transposed linear, OIHW and HWIO, a flattened kernel.

use crate::error::Result;
use crate::tensor::{Tensor, View};
use serde::{Deserialize, Serialize};

/// More axes than any kernel of a layer has: 120 orders of 5.
const AXES: usize = 5;

/// How the candidate's elements follow from the reference's.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// The same order, axes merged, split, or of size 1.
    Reshaped,
    /// Axis i of the candidate is axis `order[i]` of the reference, axes of size 1 left out.
    Permuted(Vec<usize>),
}

impl Layout {
    /// In the field's words.
    pub fn say(&self) -> String {
        let known = |order: &[usize]| match order {
            [1, 0] => Some("transposed"),
            [2, 3, 1, 0] => Some("OIHW as HWIO"),
            [3, 2, 0, 1] => Some("HWIO as OIHW"),
            [0, 2, 3, 1] => Some("OIHW as OHWI"),
            [0, 3, 1, 2] => Some("OHWI as OIHW"),
            [2, 1, 0] => Some("OIW as WIO"),
            _ => None,
        };
        match self {
            Layout::Reshaped => "reshaped".into(),
            Layout::Permuted(order) => known(order).map_or_else(
                || format!("axes in the order {order:?}"),
                |name| format!("{name}, axes {order:?}"),
            ),
        }
    }
}

/// An order in which the reference's elements are read: sizes of the axes and how far a step along each leads.
#[derive(Clone, Debug)]
pub struct Order {
    /// None where both are stored alike.
    pub layout: Option<Layout>,
    axes: Vec<(usize, usize)>,
}

impl Order {
    /// Axis i is axis `axes[i]` of a tensor of this shape.
    pub fn permuted(shape: &[usize], axes: &[usize]) -> Self {
        let strides = strides(shape);
        Self {
            layout: Some(Layout::Permuted(axes.to_vec())),
            axes: axes.iter().map(|a| (shape[*a], strides[*a])).collect(),
        }
    }

    /// A value read in this order, as a tensor of `shape`.
    ///
    /// # Errors
    /// Another number of elements.
    pub fn read(&self, value: &Tensor, shape: &[usize]) -> Result<Tensor> {
        let size = value.bytes().len() / value.numel().max(1);
        let element = |place: usize| &value.bytes()[place * size..(place + 1) * size];
        let bytes: Vec<u8> = self.places().flat_map(element).copied().collect();
        Tensor::from_bytes(value.dtype(), shape.to_vec(), &bytes)
    }
}

/// Every order that makes a tensor of shape `a` one of shape `b`, the plain one first.
pub fn orders(a: &[usize], b: &[usize]) -> Vec<Order> {
    let (ours, theirs) = (squeezed(a), squeezed(b));
    let mut all = Vec::new();
    if merges(&ours, &theirs) {
        all.push(Order {
            layout: (a != b).then_some(Layout::Reshaped),
            axes: vec![(a.iter().product(), 1)],
        });
    }
    if ours.len() == theirs.len() && ours.len() <= AXES {
        let strides = strides(&ours);
        let fits = permutations(ours.len()).into_iter().filter(|order| {
            !order.is_sorted() && order.iter().map(|i| ours[*i]).eq(theirs.iter().copied())
        });
        all.extend(fits.map(|order| Order {
            axes: order.iter().map(|i| (ours[*i], strides[*i])).collect(),
            layout: Some(Layout::Permuted(order)),
        }));
    }
    all
}

/// The order that leads back from what `order` makes of a tensor of shape `a`, one of shape `b`.
pub fn inverse(order: &Order, a: &[usize], b: &[usize]) -> Option<Order> {
    let there: Vec<usize> = order.places().collect();
    let leads_back = |back: &Order| back.places().map(|at| there[at]).eq(0..there.len());
    orders(b, a).into_iter().find(leads_back)
}

/// A tensor that is another one with its axes in another order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exchanged {
    /// Axis i of the candidate is axis `axes[i]` of the reference.
    pub axes: Vec<usize>,
    /// How far the two are apart in that order, as a share of the reference's norm.
    #[serde(with = "super::json")]
    pub rel_l2: f64,
}

/// As a share of the norm: nearer than that two tensors are the same one, further than that another order says nothing.
const SAME: f64 = 1e-3;

impl Exchanged {
    pub fn say(&self) -> String {
        let axes: Vec<String> = self.axes.iter().map(usize::to_string).collect();
        let axes = axes.join(", ");
        let apart = match self.rel_l2 {
            0.0 => String::new(),
            by => format!(" but for a relative L2 of {by:.1e}"),
        };
        format!("equal after the axes are exchanged ({axes}){apart}")
    }
}

/// The order of axes, other than their own, in which the reference is the candidate: the first of several.
pub fn exchanged(reference: &View, candidate: &View) -> Option<Exchanged> {
    let (a, b) = (reference.shape, candidate.shape);
    if a.len() != b.len() || a.len() > AXES || reference.numel() != candidate.numel() {
        return None;
    }
    let strides = strides(a);
    let fits = |order: &Vec<usize>| {
        !order.is_sorted() && order.iter().map(|i| a[*i]).eq(b.iter().copied())
    };
    let (ours, theirs) = (reference.to_f64(), candidate.to_f64());
    // One value throughout is itself in every order.
    if ours.iter().all(|v| *v == ours[0]) {
        return None;
    }
    let norm = ours.iter().map(|v| v * v).sum::<f64>().sqrt();
    let apart = |axes: Vec<usize>| {
        let order = Order {
            axes: axes.iter().map(|i| (a[*i], strides[*i])).collect(),
            layout: None,
        };
        let squares = order
            .places()
            .zip(&theirs)
            .map(|(at, v)| (ours[at] - v).powi(2));
        let rel_l2 = squares.sum::<f64>().sqrt() / norm;
        (rel_l2 <= SAME).then_some(Exchanged { axes, rel_l2 })
    };
    let orders = permutations(a.len()).into_iter().filter(fits);
    orders.filter_map(apart).next()
}

impl Order {
    /// Whether the elements lie in the same order in memory.
    pub fn is_plain(&self) -> bool {
        !matches!(self.layout, Some(Layout::Permuted(_)))
    }

    /// Places in the reference, in the order of the candidate's elements.
    pub fn places(&self) -> Places<'_> {
        Places {
            axes: &self.axes,
            at: vec![0; self.axes.len()],
            place: 0,
            left: self.axes.iter().map(|a| a.0).product(),
        }
    }
}

/// An odometer over the axes.
pub struct Places<'a> {
    axes: &'a [(usize, usize)],
    at: Vec<usize>,
    place: usize,
    left: usize,
}

impl Iterator for Places<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let place = self.place;
        for (at, (size, stride)) in self.at.iter_mut().zip(self.axes).rev() {
            (*at, self.place) = (*at + 1, self.place + stride);
            if *at < *size {
                break;
            }
            (*at, self.place) = (0, self.place - size * stride);
        }
        Some(place)
    }
}

fn squeezed(shape: &[usize]) -> Vec<usize> {
    shape.iter().copied().filter(|d| *d != 1).collect()
}

/// Whether one shape is the other with neighbouring axes merged: [3, 4] is [12], and never [4, 3].
fn merges(a: &[usize], b: &[usize]) -> bool {
    let borders = |shape: &[usize]| -> Vec<usize> {
        let mut product = 1;
        shape
            .iter()
            .map(|d| {
                product *= d;
                product
            })
            .collect()
    };
    let (few, many) = if a.len() < b.len() { (a, b) } else { (b, a) };
    let many = borders(many);
    a.iter().product::<usize>() == b.iter().product::<usize>()
        && borders(few).iter().all(|border| many.contains(border))
}

fn strides(shape: &[usize]) -> Vec<usize> {
    let behind = |i: usize| shape[i + 1..].iter().product();
    (0..shape.len()).map(behind).collect()
}

fn permutations(n: usize) -> Vec<Vec<usize>> {
    (0..n).fold(vec![vec![]], |all, _| {
        let longer = |order: Vec<usize>| {
            let free: Vec<usize> = (0..n).filter(|i| !order.contains(i)).collect();
            free.into_iter()
                .map(move |i| [order.clone(), vec![i]].concat())
        };
        all.into_iter().flat_map(longer).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    #[test]
    fn a_tensor_in_another_order_of_axes_is_told_and_another_tensor_is_not() {
        let nchw: Vec<f32> = (0..30).map(|i| (i * i % 17) as f32 + 0.5).collect();
        let a = Tensor::of(&[1, 2, 3, 5], &nchw);
        let place = |i: usize| (i % 2) * 15 + i / 2;
        let moved = |by: f32| (0..30).map(|i| nchw[place(i)] * by).collect::<Vec<f32>>();
        let found = |values: Vec<f32>, shape: &[usize]| {
            let b = Tensor::of(shape, &values);
            exchanged(&a.view(), &b.view()).map(|e| e.say())
        };
        let nhwc = [1, 3, 5, 2];
        let said = "equal after the axes are exchanged (0, 2, 3, 1)";
        assert_eq!(found(moved(1.0), &nhwc).as_deref(), Some(said));
        assert!(
            found(moved(1.0001), &nhwc)
                .is_some_and(|s| s.starts_with(said) && s.ends_with("1.0e-4"))
        );
        assert_eq!(found(moved(1.1), &nhwc), None);
        assert_eq!(found(nchw.clone(), &nhwc), None);
        assert_eq!(found(moved(1.0), &[1, 30]), None);
        let square = [[1f32, 2.0, 3.0, 4.0], [1.0, 3.0, 2.0, 4.0]].map(|v| Tensor::of(&[2, 2], &v));
        let turned = exchanged(&square[0].view(), &square[1].view()).map(|e| e.axes);
        assert_eq!(turned, Some(vec![1, 0]));
        let ones = [[1, 2], [2, 1]].map(|shape| Tensor::of(&shape, &[1f32, 1.0]));
        assert_eq!(exchanged(&ones[0].view(), &ones[1].view()), None);
    }

    fn named(a: &[usize], b: &[usize]) -> Vec<String> {
        let say = |o: Order| o.layout.map_or("plain".into(), |l| l.say());
        orders(a, b).into_iter().map(say).collect()
    }

    #[test]
    fn the_layouts_of_frameworks_are_among_the_orders_and_a_wrong_reshape_is_not() {
        for (a, b, want) in [
            (&[3, 4][..], &[4, 3][..], &["transposed, axes [1, 0]"][..]),
            (&[3, 4], &[3, 4], &["plain"]),
            (&[3, 4], &[12], &["reshaped"]),
            (&[3, 4, 1, 1], &[3, 4], &["reshaped"]),
            (&[3, 4, 1, 1], &[4, 3], &["transposed, axes [1, 0]"]),
            (&[3, 4], &[6, 2], &[]),
            (
                &[8, 3, 5, 7],
                &[5, 7, 3, 8],
                &["OIHW as HWIO, axes [2, 3, 1, 0]"],
            ),
            (
                &[8, 3, 5, 7],
                &[8, 5, 7, 3],
                &["OIHW as OHWI, axes [0, 2, 3, 1]"],
            ),
            (&[8, 3, 5], &[5, 3, 8], &["OIW as WIO, axes [2, 1, 0]"]),
            (&[], &[1], &["reshaped"]),
            (&[2], &[3], &[]),
        ] {
            assert_eq!(named(a, b), want, "{a:?} {b:?}");
        }
        assert_eq!(
            named(&[4, 4], &[4, 4]).len(),
            2,
            "a square one may be transposed"
        );
    }

    #[test]
    fn places_are_those_of_the_transposed_tensor() {
        let order = &orders(&[2, 3], &[3, 2])[0];
        assert_eq!(order.places().collect::<Vec<_>>(), [0, 3, 1, 4, 2, 5]);
        assert_eq!(orders(&[], &[])[0].places().collect::<Vec<_>>(), [0]);
        assert_eq!(orders(&[0], &[0])[0].places().count(), 0);
    }
}

//! channels: a program that keeps channels last (Flax, MLX) beside one that keeps them first: its tensors are held with channels first, its inputs fed as
//! it declares them.

use crate::compare::layout::Order;
use crate::graph::{Dim, Port};
use crate::pairing::Sketch;
use crate::program::Program;
use crate::tensor::Tensor;
use crate::walk::function::Side;
use std::collections::{HashMap, HashSet};

/// As a share of a tensor's norm: nearer than that two tensors are the same one.
const SAME: f64 = 1e-3;

/// [N, …, C] as [N, C, …]; None where there are too few axes.
pub fn first(tensor: &Tensor) -> Option<Tensor> {
    moved(tensor, &to_first(tensor.shape().len())?)
}

/// [N, C, …] as [N, …, C].
pub fn last(tensor: &Tensor) -> Option<Tensor> {
    let axes = tensor.shape().len();
    let order = std::iter::once(0).chain(2..axes).chain([1]);
    (axes > 2).then(|| moved(tensor, &order.collect::<Vec<_>>()))?
}

/// The order of so many axes with the last one second.
fn to_first(axes: usize) -> Option<Vec<usize>> {
    (axes > 2).then(|| [0, axes - 1].into_iter().chain(1..axes - 1).collect())
}

fn moved(tensor: &Tensor, axes: &[usize]) -> Option<Tensor> {
    let shape = shape(tensor, axes);
    Order::permuted(tensor.shape(), axes)
        .read(tensor, &shape)
        .ok()
}

fn shape(tensor: &Tensor, axes: &[usize]) -> Vec<usize> {
    axes.iter().map(|a| tensor.shape()[*a]).collect()
}

/// `value` as `port` declares it: with its channels elsewhere where only that fits.
pub fn fitted(value: &Tensor, port: Option<&Port>) -> Tensor {
    let declared = port.and_then(|p| p.shape.as_ref());
    let fits = |t: &Tensor| declared.is_none_or(|dims| is_of(t.shape(), dims));
    if fits(value) {
        return value.clone();
    }
    let others = [first(value), last(value)].into_iter().flatten();
    others
        .into_iter()
        .find(fits)
        .unwrap_or_else(|| value.clone())
}

fn is_of(shape: &[usize], dims: &[Dim]) -> bool {
    let fits = |(size, dim): (&usize, &Dim)| match dim {
        Dim::Known(known) => known == size,
        Dim::Named(_) | Dim::Unknown => true,
    };
    shape.len() == dims.len() && shape.iter().zip(dims).all(fits)
}

/// A value of the program's own, as its side holds it.
pub fn held(side: &Side, name: &str, value: &Tensor) -> Tensor {
    let turned = side.turned.contains(name).then(|| first(value));
    turned.flatten().unwrap_or_else(|| value.clone())
}

/// A value that the side holds, as its program keeps it.
pub fn kept(side: &Side, name: &str, value: &Tensor) -> Tensor {
    let turned = side.turned.contains(name).then(|| last(value));
    turned.flatten().unwrap_or_else(|| value.clone())
}

/// Holds the tensors of a recorded side with channels first where the other one has them so; of two such sides the one that has more of them.
/// `own` is what either gives in its own dtype.
pub fn align([reference, candidate]: [&mut Side; 2], own: &mut [Option<Program>; 2]) {
    let (ours, theirs) = (
        Last::of(reference, candidate),
        Last::of(candidate, reference),
    );
    let [of_reference, of_candidate] = own;
    let (side, own, last) = match theirs.proved >= ours.proved {
        true => (candidate, of_candidate, theirs),
        false => (reference, of_reference, ours),
    };
    if last.proved == 0 {
        return;
    }
    for name in &last.names {
        turn(&mut side.values, name);
        side.recorded.remove(name);
        if let Some(own) = own {
            turn(&mut own.values, name);
            own.floors.remove(name);
        }
    }
    side.turned = last.names;
}

fn turn(values: &mut HashMap<String, Tensor>, name: &str) {
    if let Some(turned) = values.get(name).and_then(first) {
        values.insert(name.to_string(), turned);
    }
}

/// Tensors of a side that keep their channels last.
#[derive(Default)]
struct Last {
    names: HashSet<String>,
    /// Of how many the other side has the same numbers with channels first.
    proved: usize,
}

impl Last {
    fn of(side: &Side, other: &Side) -> Self {
        let mut all = Self::default();
        if side.computes() {
            return all;
        }
        let mut known: HashMap<&[usize], Vec<&Tensor>> = HashMap::new();
        for value in other.values.values() {
            known.entry(value.shape()).or_default().push(value);
        }
        // Of one shape, once: nothing is looked at where both keep their channels alike.
        let mut sketches: HashMap<&[usize], Vec<Sketch>> = HashMap::new();
        let mut is_among = |t: &Tensor| {
            let Some((shape, like)) = known.get_key_value(t.shape()) else {
                return false;
            };
            let all = sketches.entry(shape);
            let all = all.or_insert_with(|| like.iter().filter_map(|t| Sketch::of(t)).collect());
            let own = Sketch::of(t).filter(|s| !s.constant);
            own.is_some_and(|own| all.iter().any(|s| own.distance(s) <= SAME))
        };
        for (name, value) in &side.values {
            let axes = to_first(value.shape().len());
            let axes = axes.filter(|axes| known.contains_key(&*shape(value, axes)));
            let Some(turned) = axes.and_then(|axes| moved(value, &axes)) else {
                continue;
            };
            let proved = is_among(&turned) && !is_among(value);
            all.proved += usize::from(proved);
            if proved || !known.contains_key(value.shape()) {
                all.names.insert(name.clone());
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_move_and_come_back() {
        let values: Vec<f32> = (0..12u8).map(f32::from).collect();
        let images = Tensor::of(&[1, 2, 2, 3], &values);
        let turned = first(&images).unwrap();
        assert_eq!(turned.shape(), [1, 3, 2, 2]);
        assert_eq!(
            turned.to_f64(),
            [0.0, 3.0, 6.0, 9.0, 1.0, 4.0, 7.0, 10.0, 2.0, 5.0, 8.0, 11.0]
        );
        assert_eq!(last(&turned).unwrap().to_f64(), images.to_f64());
        assert!(first(&Tensor::of(&[2, 6], &values)).is_none());
    }

    #[test]
    fn an_input_is_fed_as_it_is_declared_and_what_fits_neither_way_is_left() {
        let port = |dims: &[usize]| Port {
            name: "x".into(),
            dtype: None,
            shape: Some(dims.iter().map(|d| Dim::Known(*d)).collect()),
        };
        let images = Tensor::of(&[1, 2, 2, 3], &[0.5f32; 12]);
        for (dims, shape) in [
            (&[1, 2, 2, 3][..], [1, 2, 2, 3]),
            (&[1, 3, 2, 2], [1, 3, 2, 2]),
            (&[1, 12], [1, 2, 2, 3]),
        ] {
            assert_eq!(fitted(&images, Some(&port(dims))).shape(), shape);
        }
        assert_eq!(fitted(&images, None).shape(), [1, 2, 2, 3]);
    }
}

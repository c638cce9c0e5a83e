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
    moved(tensor, |n| [0, n - 1].into_iter().chain(1..n - 1).collect())
}

/// [N, C, …] as [N, …, C].
pub fn last(tensor: &Tensor) -> Option<Tensor> {
    moved(tensor, |n| {
        std::iter::once(0).chain(2..n).chain([1]).collect()
    })
}

fn moved(tensor: &Tensor, axes: impl Fn(usize) -> Vec<usize>) -> Option<Tensor> {
    let shape = tensor.shape();
    let axes = (shape.len() > 2).then(|| axes(shape.len()))?;
    let turned: Vec<usize> = axes.iter().map(|a| shape[*a]).collect();
    Order::permuted(shape, &axes).read(tensor, &turned).ok()
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

/// Holds the tensors of a recorded side with channels first where the other one has them so; of two such sides the one that has more of them.
/// `own` is what either gives in its own dtype.
pub fn align(sides: [&mut Side; 2], own: &mut [Option<Program>; 2]) {
    let found = [0, 1].map(|at| Last::of(&*sides[at], &*sides[1 - at]));
    let at = usize::from(found[1].proved >= found[0].proved);
    let [reference, candidate] = sides;
    let side = [reference, candidate].into_iter().nth(at);
    let Some(side) = side.filter(|_| found[at].proved > 0) else {
        return;
    };
    let [mut ours, theirs] = found;
    if at == 1 {
        ours = theirs;
    }
    for name in &ours.names {
        turn(&mut side.values, name);
        side.recorded.remove(name);
        if let Some(own) = &mut own[at] {
            turn(&mut own.values, name);
            own.floors.remove(name);
        }
    }
    side.turned = ours.names;
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
        let mut known: HashMap<&[usize], Vec<Sketch>> = HashMap::new();
        for value in other.values.values() {
            known
                .entry(value.shape())
                .or_default()
                .extend(Sketch::of(value));
        }
        let among = |t: &Tensor| {
            let like = known.get(t.shape());
            let own = Sketch::of(t).filter(|s| !s.constant);
            let own = own.into_iter();
            let near = own.flat_map(|own| like.into_iter().flatten().map(move |s| own.distance(s)));
            (like.is_some(), near.fold(f64::INFINITY, f64::min) <= SAME)
        };
        for (name, value) in &side.values {
            let Some(turned) = first(value) else {
                continue;
            };
            let ((plain, is), (other, is_turned)) = (among(value), among(&turned));
            let proved = is_turned && !is;
            all.proved += usize::from(proved);
            if proved || (other && !plain) {
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

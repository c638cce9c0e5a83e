//! looks: what the first tensors that are off look like: those of nodes at fault, which the walk kept; where none is, the declared outputs that differ.

use crate::compare::{LOOKS, Look, look};
use crate::verdict::TensorResult;
use crate::walk::layers::Layers;

pub fn of(layers: &Layers, tensors: &[TensorResult]) -> Vec<Look> {
    if !layers.looks.is_empty() {
        return layers.looks.clone();
    }
    let over = tensors.iter().filter(|t| t.accumulated.over());
    let seen = |t: &TensorResult| {
        let [r, c] = [0, 1].map(|side| layers.outputs(side).get(&t.name));
        look(&t.name, r?.view(), c?.view(), false)
    };
    over.filter_map(seen).take(LOOKS).collect()
}

//! cost: multiply-accumulates of one node from the shapes it ran with; what has none (data movement, elementwise) counts 0.

use super::{Attribute, Node};

/// MACs of `node` (one multiply-accumulate = 2 FLOPs), from its input and first output shapes; None where a shape is missing.
pub fn macs(node: &Node, inputs: &[Option<&[usize]>], output: &[usize]) -> Option<u64> {
    let product = |s: &[usize]| s.iter().map(|d| *d as u64).product::<u64>();
    let shape = |i: usize| inputs.get(i).copied().flatten();
    let int = |name: &str| matches!(node.attributes.get(name), Some(Attribute::Int(v)) if *v != 0);
    Some(match node.op.as_str() {
        // Each output element takes one kernel window over the channels of its group.
        "Conv" => product(output) * product(shape(1)?.get(1..)?),
        // Each input element meets one kernel window over the output channels of its group.
        "ConvTranspose" => product(shape(0)?) * product(shape(1)?.get(1..)?),
        "MatMul" => product(output) * *shape(0)?.last()? as u64,
        "Gemm" => product(output) * *shape(0)?.get(usize::from(!int("transA")))? as u64,
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(op: &str) -> Node {
        Node {
            name: op.into(),
            op: op.into(),
            domain: String::new(),
            inputs: vec![],
            outputs: vec![],
            attributes: Default::default(),
        }
    }

    #[test]
    fn a_grouped_convolution_counts_the_channels_of_one_group() {
        assert_eq!(
            macs(
                &node("Conv"),
                &[Some(&[1, 8, 4, 4]), Some(&[16, 2, 3, 3])],
                &[1, 16, 4, 4]
            ),
            Some(16 * 16 * 2 * 9)
        );
        assert_eq!(
            macs(
                &node("MatMul"),
                &[Some(&[2, 3, 5]), Some(&[5, 7])],
                &[2, 3, 7]
            ),
            Some(2 * 3 * 7 * 5)
        );
        assert_eq!(
            macs(&node("Gemm"), &[Some(&[3, 5]), Some(&[5, 7])], &[3, 7]),
            Some(105)
        );
        assert_eq!(macs(&node("Relu"), &[Some(&[3])], &[3]), Some(0));
        assert_eq!(
            macs(&node("Conv"), &[Some(&[1, 8, 4, 4]), None], &[1, 16, 4, 4]),
            None
        );
    }
}

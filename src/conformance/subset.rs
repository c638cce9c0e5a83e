//! subset: the operators that real detectors, segmenters and transformers are made of, and the dtypes that they use.

use crate::graph::proto::{GraphProto, TypeValue, ValueInfoProto};
use crate::tensor::DType;

/// The 87 operators, as exporters spell such networks out, in alphabetical order.
pub const OPERATORS: &str = "\
    Abs Add And ArgMax ArgMin AveragePool BatchNormalization Cast Ceil Clip Concat Constant ConstantOfShape Conv \
    ConvTranspose Cos CumSum DepthToSpace Div Einsum Equal Erf Exp Expand Flatten Floor Gather GatherElements \
    GatherND Gelu Gemm GlobalAveragePool Greater GreaterOrEqual GridSample GroupNormalization HardSwish Identity \
    InstanceNormalization LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax MatMul Max MaxPool Min Mod \
    Mul Neg NonMaxSuppression NonZero Not OneHot Or PRelu Pad Pow Range ReduceL2 ReduceMax ReduceMean ReduceMin \
    ReduceSum Relu Reshape Resize ScatterElements ScatterND Shape Sigmoid Sin Slice Softmax Split Sqrt Squeeze Sub \
    Tanh Tile TopK Transpose Trilu Unsqueeze Where";

/// The dtypes that are common.
const DTYPES: [DType; 8] = [
    DType::F32,
    DType::F64,
    DType::F16,
    DType::I64,
    DType::I32,
    DType::U8,
    DType::I8,
    DType::Bool,
];

/// Whether `graph`, a model of one case, uses these operators and dtypes only.
pub fn is_common(graph: &GraphProto) -> bool {
    nodes_are_common(graph) && graph.input.iter().chain(&graph.output).all(port_is_common)
}

fn nodes_are_common(graph: &GraphProto) -> bool {
    let own = |op: Option<&str>, domain: Option<&str>| {
        OPERATORS.split_whitespace().any(|own| Some(own) == op) && domain.unwrap_or("").is_empty()
    };
    graph.node.iter().all(|n| {
        let bodies = n.attribute.iter().flat_map(|a| a.g.iter().chain(&a.graphs));
        own(n.op_type.as_deref(), n.domain.as_deref()) && bodies.into_iter().all(nodes_are_common)
    })
}

fn port_is_common(port: &ValueInfoProto) -> bool {
    match port.r#type.as_ref().and_then(|t| t.value.as_ref()) {
        Some(TypeValue::TensorType(t)) => t
            .elem_type
            .and_then(DType::from_onnx)
            .is_some_and(|d| DTYPES.contains(&d)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_87_operators_and_none_stands_twice() {
        let all: std::collections::BTreeSet<&str> = OPERATORS.split_whitespace().collect();
        assert_eq!((all.len(), OPERATORS.split_whitespace().count()), (87, 87));
        assert!(OPERATORS.split_whitespace().eq(all));
    }
}

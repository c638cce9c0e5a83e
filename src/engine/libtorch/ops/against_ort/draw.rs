//! draw: what the property tests feed: reproducible numbers, and bodies for control flow.

use parity::graph::Attribute;
use parity::hash;
use parity::tensor::{DType, Tensor};

/// A body for an attribute: nodes (operator, inputs, output), names of its inputs and outputs.
pub fn body(nodes: &[(&str, &[&str], &str)], inputs: &[&str], outputs: &[&str]) -> Attribute {
    use parity::graph::proto::{
        AttributeProto, AttributeType, GraphProto, NodeProto, ValueInfoProto,
    };
    let own = |names: &[&str]| names.iter().map(|n| n.to_string()).collect::<Vec<_>>();
    let node = |(op, inputs, output): &(&str, &[&str], &str)| NodeProto {
        op_type: Some(op.to_string()),
        input: own(inputs),
        output: vec![output.to_string()],
        ..Default::default()
    };
    let port = |name: &&str| ValueInfoProto {
        name: Some(name.to_string()),
        r#type: None,
        ..Default::default()
    };
    let graph = GraphProto {
        name: Some("body".into()),
        node: nodes.iter().map(node).collect(),
        input: inputs.iter().map(port).collect(),
        output: outputs.iter().map(port).collect(),
        ..Default::default()
    };
    Attribute::Other(Box::new(AttributeProto {
        name: Some("body".into()),
        g: Some(graph),
        r#type: Some(AttributeType::Graph as i32),
        ..Default::default()
    }))
}

/// A body whose ports have these dtypes and shapes (None: any shape): ONNX Runtime asks for them, the interpreter does not.
pub fn declared(body: Attribute, ports: &[(&str, DType, Option<&[usize]>)]) -> Attribute {
    use parity::graph::proto::{
        Dimension, DimensionValue, TensorShapeProto, TensorType, TypeProto, TypeValue,
    };
    let Attribute::Other(mut attribute) = body else {
        panic!("{body:?} is no body")
    };
    let dim = |d: &usize| Dimension {
        value: Some(DimensionValue::DimValue(*d as i64)),
        ..Default::default()
    };
    let graph = attribute.g.as_mut().expect("a graph");
    for port in graph.input.iter_mut().chain(&mut graph.output) {
        let (_, dtype, shape) = ports
            .iter()
            .find(|p| Some(p.0) == port.name.as_deref())
            .expect("every port is declared");
        let shape = shape.map(|s| TensorShapeProto {
            dim: s.iter().map(dim).collect(),
        });
        port.r#type = Some(TypeProto {
            value: Some(TypeValue::TensorType(TensorType {
                elem_type: Some(dtype.onnx()),
                shape,
            })),
            ..Default::default()
        });
    }
    Attribute::Other(attribute)
}

/// `n` cases, or PARITY_CASES times as many.
pub fn cases(n: u32) -> proptest::test_runner::Config {
    let times = std::env::var("PARITY_CASES")
        .ok()
        .and_then(|v| v.parse().ok())
        .unwrap_or(1);
    proptest::test_runner::Config {
        failure_persistence: None,
        ..proptest::test_runner::Config::with_cases(n * times)
    }
}

/// Reproducible numbers, even over `low..high`.
pub fn random(shape: &[usize], seed: u64, low: f32, high: f32) -> Tensor {
    let key = seed ^ 0x9e37_79b9_7f4a_7c15;
    let at = |i| low + (high - low) * ((hash::bits(key, i) >> 40) as f32 / (1u64 << 24) as f32);
    let values: Vec<f32> = (0..shape.iter().product::<usize>() as u64)
        .map(at)
        .collect();
    Tensor::of(shape, &values)
}

/// Reproducible bits: whatever `dtype` can hold, NaN and infinities included; booleans are 0 or 1.
pub fn bits(dtype: DType, shape: &[usize], seed: u64) -> Tensor {
    let bytes: Vec<u8> = whole(
        &[shape.iter().product::<usize>() * dtype.size()],
        seed,
        0,
        256,
    )
    .to_f64()
    .iter()
    .map(|b| *b as u8)
    .collect();
    let bytes = if dtype == DType::Bool {
        bytes.iter().map(|b| b & 1).collect()
    } else {
        bytes
    };
    Tensor::from_bytes(dtype, shape.to_vec(), &bytes).expect("as many bytes as the shape holds")
}

/// `t` in another dtype.
pub fn cast(t: &Tensor, dtype: DType) -> Tensor {
    Tensor::from_f64(dtype, t.shape(), &t.to_f64()).expect("numbers that the dtype holds")
}

/// `shape` with 1 where a bit of `mask` is set: it broadcasts to `shape`.
pub fn ones_at(shape: &[usize], mask: u8) -> Vec<usize> {
    shape
        .iter()
        .enumerate()
        .map(|(d, n)| if mask >> d & 1 == 1 { 1 } else { *n })
        .collect()
}

/// Reproducible whole numbers in `low..high`.
pub fn whole(shape: &[usize], seed: u64, low: i64, high: i64) -> Tensor {
    let values: Vec<i64> = random(shape, seed, 0.0, 1.0)
        .to_f64()
        .iter()
        .map(|r| low + (r * (high - low) as f64) as i64)
        .collect();
    Tensor::of(shape, &values)
}

pub fn f32s(shape: &[usize], values: &[f32]) -> Tensor {
    Tensor::of(shape, values)
}

pub fn i64s(values: &[i64]) -> Tensor {
    Tensor::of(&[values.len()], values)
}

pub fn bools(shape: &[usize], values: &[u8]) -> Tensor {
    Tensor::from_bytes(DType::Bool, shape.to_vec(), values).expect("as many as the shape holds")
}

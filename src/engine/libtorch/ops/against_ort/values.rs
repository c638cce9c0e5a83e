//! values: cases on strings, sequences, optionals and dtypes of a few bits: both engines give the same, element by element.

use super::{Case, LINKED, options};
use parity::error::Result;
use parity::graph::proto::{
    ModelProto, OptionalType, SequenceType, TensorType, TypeProto, TypeValue,
};
use parity::graph::{Node, Step, cut};
use parity::subject::{Torch, open};
use parity::tensor::{Tensor, Value};
use prost::Message;

/// The code of strings in ONNX's TensorProto.DataType.
const STRING: i32 = 8;

impl Case {
    /// What libtorch makes of values that are no tensors.
    pub fn on(&self, inputs: &[Value]) -> Result<Vec<Value>> {
        let (graph, named) = self.fed_with(inputs);
        LINKED.values(&graph, &named.into_iter().collect(), &options())
    }

    /// Both engines give the same; a copy that differs is refused.
    pub fn check_on(&self, inputs: &[Value]) -> Vec<Value> {
        let have = self
            .on(inputs)
            .unwrap_or_else(|e| panic!("libtorch refuses {self:?} on {inputs:?}: {e}"));
        let ort = self
            .ort_on(inputs)
            .unwrap_or_else(|e| panic!("ONNX Runtime refuses {self:?} on {inputs:?}: {e}"));
        assert_eq!(have.len(), ort.len(), "outputs of {self:?}");
        for (i, (a, b)) in have.iter().zip(&ort).enumerate() {
            same(a, b).unwrap_or_else(|e| {
                panic!("output {i}: libtorch, then ONNX Runtime: {e} of {self:?} on {inputs:?}")
            });
            assert!(
                same(&spoilt(a), b).is_err(),
                "{:?} passes for {b:?} of {self:?}",
                spoilt(a)
            );
        }
        have
    }

    pub fn ort_on(&self, inputs: &[Value]) -> Result<Vec<Value>> {
        let (graph, named) = self.fed_with(inputs);
        let mut model = ModelProto::decode(cut::whole(&graph, &[]).as_slice()).expect("a model");
        for port in model.graph.iter_mut().flat_map(|g| &mut g.input) {
            let value = named
                .iter()
                .find(|(n, _)| *n == port.name())
                .map(|(_, v)| v);
            port.r#type = value.map(|v| TypeProto {
                value: Some(type_of(v)),
                ..Default::default()
            });
        }
        open::onnxruntime_values(&model.encode_to_vec(), &named, 1)
    }

    /// The graph with these as its inputs.
    fn fed_with(&self, inputs: &[Value]) -> (parity::graph::Graph, Vec<(String, Value)>) {
        let mut graph = self.graph();
        let names: Vec<String> = (0..inputs.len()).map(|i| format!("v{i}")).collect();
        graph.steps[0] = Step::of(Node {
            inputs: names.clone(),
            ..self.node.clone()
        });
        graph.inputs = names
            .iter()
            .map(|n| parity::graph::Port {
                name: n.clone(),
                dtype: None,
                shape: None,
            })
            .collect();
        (
            graph,
            names.into_iter().zip(inputs.iter().cloned()).collect(),
        )
    }
}

fn type_of(value: &Value) -> TypeValue {
    let tensor = |code: i32| {
        TypeValue::TensorType(TensorType {
            elem_type: Some(code),
            shape: None,
        })
    };
    let elem_type = |v: &Value| {
        Some(Box::new(TypeProto {
            value: Some(type_of(v)),
            ..Default::default()
        }))
    };
    match value {
        Value::Tensor(t) => tensor(t.dtype().onnx()),
        Value::Narrow(d, _) => tensor(d.onnx()),
        Value::Strings(..) => tensor(STRING),
        Value::Sequence(all) => {
            let first = all.first().expect("ONNX Runtime takes no empty sequence");
            TypeValue::SequenceType(Box::new(SequenceType {
                elem_type: elem_type(first),
            }))
        }
        Value::Optional(v) => {
            let inside = v.as_deref().expect("ONNX Runtime takes no empty optional");
            TypeValue::OptionalType(Box::new(OptionalType {
                elem_type: elem_type(inside),
            }))
        }
    }
}

/// The same kind, dtype, shape and bits; NaN is NaN.
fn same(a: &Value, b: &Value) -> std::result::Result<(), String> {
    let alike = match (a, b) {
        (Value::Tensor(a), Value::Tensor(b)) => a.dtype() == b.dtype() && equal(a, b),
        (Value::Narrow(d, a), Value::Narrow(e, b)) => d == e && equal(a, b),
        (Value::Strings(s, a), Value::Strings(t, b)) => s == t && a == b,
        (Value::Sequence(a), Value::Sequence(b)) if a.len() == b.len() => {
            return a.iter().zip(b).try_for_each(|(a, b)| same(a, b));
        }
        _ => false,
    };
    if alike {
        Ok(())
    } else {
        Err(format!("{} is not {}", told(a), told(b)))
    }
}

fn equal(a: &Tensor, b: &Tensor) -> bool {
    let same = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
    let bits = a.dtype().is_float() || a.bytes() == b.bytes();
    a.shape() == b.shape() && bits && a.to_f64().iter().zip(&b.to_f64()).all(same)
}

fn told(v: &Value) -> String {
    match v {
        Value::Tensor(t) | Value::Narrow(_, t) => format!("{v:?} {:?}", t.to_f64()),
        Value::Strings(_, all) => format!("{v:?} {all:?}"),
        Value::Sequence(all) => {
            format!("[{}]", all.iter().map(told).collect::<Vec<_>>().join(", "))
        }
        Value::Optional(_) => format!("{v:?}"),
    }
}

/// Another value of the same kind.
fn spoilt(value: &Value) -> Value {
    let other = |t: &Tensor| {
        let values: Vec<f64> = t
            .to_f64()
            .iter()
            .map(|x| if *x == 1.0 { 0.0 } else { 1.0 })
            .collect();
        Tensor::from_f64(t.dtype(), t.shape(), &values).expect("as many as before")
    };
    let longer = |t: &Tensor| {
        Tensor::from_bytes(t.dtype(), [t.shape(), &[0]].concat(), &[]).expect("nothing in it")
    };
    let spoil = |t: &Tensor| if t.numel() == 0 { longer(t) } else { other(t) };
    match value {
        Value::Tensor(t) => Value::Tensor(spoil(t)),
        Value::Narrow(d, t) => Value::Narrow(*d, spoil(t)),
        Value::Strings(shape, all) if all.is_empty() => {
            Value::Strings([shape.as_slice(), &[0]].concat(), vec![])
        }
        Value::Strings(shape, all) => {
            Value::Strings(shape.clone(), all.iter().map(|s| format!("{s}x")).collect())
        }
        Value::Sequence(all) if all.is_empty() => Value::Sequence(vec![Value::Optional(None)]),
        Value::Sequence(all) => Value::Sequence(
            all.iter()
                .take(1)
                .map(spoilt)
                .chain(all.iter().skip(1).cloned())
                .collect(),
        ),
        Value::Optional(_) => Value::Sequence(vec![]),
    }
}

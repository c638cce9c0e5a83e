//! gradient: parity::StopGradient, the mark that this project's exports put where the original detaches: ONNX has no such operator.
//!
//! ONNX Runtime inlines its function body (Identity); here no gradient passes.

use super::super::call::Call;
use super::common::one;
use super::{Kernel, Op, Scale};
use parity::error::Result;
use tch::Tensor;

fn stop(call: &Call) -> Result<Vec<Tensor>> {
    one(call.input(0)?.f_detach())
}

pub const OPS: &[Op] = &[Op {
    domain: "parity",
    name: "StopGradient",
    since: 1,
    kernel: Kernel::Tensors(stop),
    scale: Scale::Exact,
}];

#[cfg(test)]
mod tests {
    use super::super::super::call::Precision;
    use super::super::super::interpret;
    use super::super::against_ort::{Case, cases, random};
    use parity::graph::{Graph, load};
    use proptest::prelude::*;
    use std::collections::HashMap;
    use tch::Tensor;

    /// y = x·stop(x) as a model with the mark as a model-local function, in the protobuf's wire format.
    fn graph() -> Graph {
        use parity::graph::proto::*;
        use prost::Message;
        let node = |op: &str, domain: &str, i: &[&str], o: &str| NodeProto {
            op_type: Some(op.into()),
            domain: Some(domain.into()),
            name: Some(o.into()),
            input: i.iter().map(|s| s.to_string()).collect(),
            output: vec![o.into()],
            ..Default::default()
        };
        let port = |n: &str| ValueInfoProto {
            name: Some(n.into()),
            r#type: None,
            ..Default::default()
        };
        let import = |d: &str, v| OperatorSetIdProto {
            domain: Some(d.into()),
            version: Some(v),
        };
        let body = GraphProto {
            node: vec![
                node("StopGradient", "parity", &["x"], "s"),
                node("Mul", "", &["x", "s"], "y"),
            ],
            input: vec![port("x")],
            output: vec![port("y")],
            ..Default::default()
        };
        let model = ModelProto {
            ir_version: Some(9),
            opset_import: vec![import("", 17), import("parity", 1)],
            graph: Some(body),
            ..Default::default()
        };
        load::parse(model.encode_to_vec().into(), None).unwrap()
    }

    /// y and the gradient of Σy at `x`.
    fn through(x: Tensor) -> (Tensor, Tensor) {
        let graph = graph();
        let x = x.set_requires_grad(true);
        let mut own: HashMap<String, Tensor> =
            HashMap::from([("x".to_string(), x.shallow_clone())]);
        for step in &graph.steps {
            let out = interpret::tensors(step, &graph, Precision::Declared, &|n| {
                Ok(own[n].shallow_clone())
            })
            .unwrap();
            own.extend(step.outputs.iter().cloned().zip(out));
        }
        own["y"].sum(tch::Kind::Double).backward();
        (own["y"].shallow_clone(), x.grad())
    }

    #[test]
    fn no_gradient_passes_the_mark() {
        let (y, slope) = through(Tensor::from_slice(&[3.0f64]));
        assert_eq!((y.double_value(&[0]), slope.double_value(&[0])), (9.0, 3.0));
    }

    proptest! {
        #![proptest_config(cases(48))]
        #[test]
        fn values_pass_the_mark_and_half_of_the_gradient_of_a_square_does_not(shape in prop::collection::vec(1usize..5, 0..4), seed: u64) {
            let x = random(&shape, seed, -3.0, 3.0);
            let passed = Case::new("StopGradient", 1).of("parity").with(x.clone()).torch().expect("a value");
            prop_assert_eq!(passed[0].bytes(), x.bytes());
            let own = super::super::super::convert::to_torch(&x).unwrap();
            let (y, slope) = through(own.shallow_clone());
            prop_assert!(y == own.square() && slope == own, "{:?} {:?}", y, slope);
        }
    }
}

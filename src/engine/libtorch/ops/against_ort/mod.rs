//! against_ort: one node through ONNX Runtime, through libtorch in f32 and in f64: every operator is held to its own bound.
//!
//! `PARITY_RATIOS=FILE` appends every new worst error, in units of u·√K·S, as `family operator engine ratio`: what γ is calibrated from.

mod draw;
mod judged;
mod lacking;
mod values;

pub use draw::{bits, body, bools, cases, cast, declared, f32s, i64s, ones_at, random, whole};

use super::super::LINKED;
use parity::error::{Error, Result};
use parity::floor::Rounding;
use parity::graph::cut::Link;
use parity::graph::{Attribute, Graph, Node, Port, Step};
use parity::scenario::{Optimisation, Subject};
use parity::subject::{self, Judge, Options, Torch};
use parity::tensor::Tensor;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A model of one node and what it is fed.
#[derive(Clone, Debug)]
pub struct Case {
    node: Node,
    opset: i64,
    fed: Vec<(String, Tensor)>,
}

impl Case {
    pub fn new(op: &str, opset: i64) -> Self {
        let node = Node {
            name: op.to_lowercase(),
            op: op.into(),
            domain: String::new(),
            inputs: Vec::new(),
            outputs: vec!["y0".into()],
            attributes: BTreeMap::new(),
        };
        Self {
            node,
            opset,
            fed: Vec::new(),
        }
    }

    /// In another domain.
    pub fn of(mut self, domain: &str) -> Self {
        self.node.domain = domain.into();
        self
    }

    /// The next input.
    pub fn with(mut self, t: Tensor) -> Self {
        let name = format!("x{}", self.node.inputs.len());
        self.node.inputs.push(name.clone());
        self.fed.push((name, t));
        self
    }

    /// A tensor that a body sees by its name, and the node does not take.
    pub fn around(mut self, name: &str, t: Tensor) -> Self {
        self.fed.push((name.into(), t));
        self
    }

    /// The next input is absent.
    pub fn without(mut self) -> Self {
        self.node.inputs.push(String::new());
        self
    }

    pub fn outputs(mut self, n: usize) -> Self {
        self.node.outputs = (0..n).map(|i| format!("y{i}")).collect();
        self
    }

    pub fn attribute(mut self, name: &str, mut value: Attribute) -> Self {
        if let Attribute::Other(a) = &mut value {
            a.name = Some(name.into());
        }
        self.node.attributes.insert(name.into(), value);
        self
    }

    pub fn int(self, name: &str, v: i64) -> Self {
        self.attribute(name, Attribute::Int(v))
    }

    pub fn ints(self, name: &str, v: &[i64]) -> Self {
        self.attribute(name, Attribute::Ints(v.to_vec()))
    }

    pub fn float(self, name: &str, v: f32) -> Self {
        self.attribute(name, Attribute::Float(v))
    }

    pub fn text(self, name: &str, v: &str) -> Self {
        self.attribute(name, Attribute::Str(v.into()))
    }

    pub fn op(&self) -> &str {
        &self.node.op
    }

    /// What the shapes of its inputs are.
    pub fn shapes(&self) -> Vec<&[usize]> {
        self.fed.iter().map(|(_, t)| t.shape()).collect()
    }

    pub fn graph(&self) -> Graph {
        let port = |name: &String, dtype| Port {
            name: name.clone(),
            dtype,
            shape: None,
        };
        Graph {
            digest: String::new(),
            file: None,
            name: "case".into(),
            producer: String::new(),
            ir_version: 10,
            opsets: BTreeMap::from([
                (String::new(), self.opset),
                (self.node.domain.clone(), self.opset),
            ]),
            inputs: self
                .fed
                .iter()
                .map(|(n, t)| port(n, Some(t.dtype())))
                .collect(),
            outputs: self.node.outputs.iter().map(|n| port(n, None)).collect(),
            weights: Default::default(),
            steps: vec![Step::of(self.node.clone())],
            functions: Vec::new(),
            drawn: Default::default(),
            metadata: Default::default(),
            bodies: Default::default(),
            code: Default::default(),
        }
    }

    fn feed(&self, name: &str) -> Option<Tensor> {
        self.fed
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, t)| t.clone())
    }

    /// What libtorch makes of it in the dtypes of the model.
    pub fn torch(&self) -> Result<Vec<Tensor>> {
        let graph = Arc::new(self.graph());
        let mut session = LINKED.session(graph.clone(), &options())?;
        let outputs = session
            .eval(&graph, &[0], Link::Isolated, &|n| self.feed(n))?
            .remove(0);
        outputs
            .into_iter()
            .map(|o| o.map_err(Error::failed))
            .collect()
    }

    pub fn ort(&self) -> Result<Vec<Tensor>> {
        let graph = Arc::new(self.graph());
        let mut session = subject::open(
            &Subject::onnxruntime(),
            &graph,
            1,
            subject::Engines { torch: None },
        )?;
        let outputs = session
            .eval(&graph, &[0], Link::Isolated, &|n| self.feed(n))?
            .remove(0);
        outputs
            .into_iter()
            .map(|o| o.map_err(Error::failed))
            .collect()
    }

    /// Both engines agree with the shadow, and with each other where nothing may round; a copy that is off is refused.
    pub fn check(&self) -> Vec<Tensor> {
        let ort = self
            .ort()
            .unwrap_or_else(|e| panic!("ONNX Runtime refuses {self:?}: {e}"));
        self.held(Some(&ort))
    }

    /// Libtorch agrees with the shadow; ONNX Runtime still has no such operator (see `lacking`).
    pub fn check_alone(&self) -> Vec<Tensor> {
        lacking::still(&self.node.op, self.opset, self.ort().err());
        self.held(None)
    }

    fn held(&self, ort: Option<&[Tensor]>) -> Vec<Tensor> {
        let torch = self
            .torch()
            .unwrap_or_else(|e| panic!("libtorch refuses {self:?}: {e}"));
        let feed = |n: &str| self.feed(n);
        let mut judge = self.judge();
        let shadow = judge
            .eval(0, &feed)
            .unwrap_or_else(|e| panic!("the shadow refuses {self:?}: {e}"));
        let rounding = judge
            .rounding(0, &feed, &shadow)
            .unwrap_or_else(|e| panic!("no rounding for {self:?}: {e}"));
        let opinions = ort
            .map(|o| ("onnxruntime", o))
            .into_iter()
            .chain([("libtorch", torch.as_slice())]);
        for (engine, outputs) in opinions {
            assert_eq!(
                (outputs.len(), shadow.len(), rounding.len()),
                (torch.len(), torch.len(), torch.len()),
                "outputs of {self:?}"
            );
            for (i, tensor) in outputs.iter().enumerate() {
                assert_eq!(
                    (tensor.dtype(), tensor.shape()),
                    (torch[i].dtype(), torch[i].shape()),
                    "output {i} of {self:?}"
                );
                let mut margin =
                    |candidate: &Tensor| judge.margin(0, &feed, i, &shadow[i], candidate);
                let worst = judged::held(tensor, &shadow[i], &rounding[i], &mut margin);
                let worst =
                    worst.unwrap_or_else(|e| panic!("{engine}, output {i}: {e} of {self:?}"));
                judged::record(&rounding[i], &self.node.op, engine, worst);
                judged::refuses_what_is_off(tensor, &shadow[i], &rounding[i], &mut margin)
                    .unwrap_or_else(|e| panic!("{engine}, output {i}: {e} of {self:?}"));
            }
        }
        torch
    }

    fn judge(&self) -> Box<dyn Judge> {
        LINKED
            .judge(Arc::new(self.graph()), &options())
            .expect("a judge opens")
    }

    /// S of output 0, where it rounds.
    pub fn scale(&self) -> Option<Vec<f64>> {
        self.sized().map(|(_, scale)| scale)
    }

    /// Output 0 in f64 and its S; None where the node is refused or does not round.
    pub fn sized(&self) -> Option<(Vec<f64>, Vec<f64>)> {
        let mut judge = self.judge();
        let feed = |n: &str| self.feed(n);
        let shadow = judge.eval(0, &feed).ok()?;
        match judge.rounding(0, &feed, &shadow).ok()?.first()? {
            Rounding::Within { scale, .. } => Some((shadow[0].to_f64(), scale.to_f64())),
            Rounding::Exact | Rounding::Decision(_) | Rounding::Selection(_) | Rounding::Random => {
                None
            }
        }
    }

    /// `check`, and the outputs are exactly these.
    pub fn gives(&self, want: &[Tensor]) {
        let have = self.check();
        assert_eq!(have.len(), want.len(), "outputs of {self:?}");
        for (have, want) in have.iter().zip(want) {
            assert_eq!(
                (have.dtype(), have.shape()),
                (want.dtype(), want.shape()),
                "{self:?}"
            );
            assert_eq!(have.to_f64(), want.to_f64(), "{self:?}");
        }
    }

    /// Asks libtorch for everything that it can be asked for; any answer will do, a panic will not.
    pub fn survives(&self) {
        let feed = |n: &str| self.feed(n);
        let _ = self.torch();
        let mut judge = self.judge();
        let Ok(shadow) = judge.eval(0, &feed) else {
            return;
        };
        let _ = judge.rounding(0, &feed, &shadow);
        let _ = judge.margin(0, &feed, 0, &shadow[0], &shadow[0]);
    }

    /// The judge's margin between two opinions on output `index`.
    pub fn margin(&self, index: usize, reference: &Tensor, candidate: &Tensor) -> Option<f64> {
        self.judge()
            .margin(0, &|n| self.feed(n), index, reference, candidate)
            .expect("a margin")
    }

    /// Libtorch refuses with a message that contains `text`.
    pub fn refused(&self, text: &str) {
        match self.torch() {
            Ok(y) => panic!("{self:?} gives {y:?}"),
            Err(e) => assert!(e.to_string().contains(text), "'{e}' lacks '{text}'"),
        }
    }
}

fn options() -> Options {
    Options {
        threads: 1,
        optimisation: Optimisation::Disable,
    }
}

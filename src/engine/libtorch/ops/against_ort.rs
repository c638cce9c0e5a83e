//! against_ort: one node through ONNX Runtime, through libtorch in f32 and in f64: every operator is held to its own bound.
//!
//! `PARITY_RATIOS=FILE` appends every new worst error, in units of u·√K·S, as `family operator engine ratio`: what γ is calibrated from.

use super::super::LINKED;
use parity::floor::{Rounding, family};
use parity::graph::cut::{self, Link};
use parity::graph::{Attribute, Graph, Node, Port, Step};
use parity::scenario::Optimisation;
use parity::subject::{Options, Torch};
use parity::tensor::{DType, Tensor, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

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
        Self { node, opset, fed: Vec::new() }
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

    /// The next input is absent.
    pub fn without(mut self) -> Self {
        self.node.inputs.push(String::new());
        self
    }

    pub fn outputs(mut self, n: usize) -> Self {
        self.node.outputs = (0..n).map(|i| format!("y{i}")).collect();
        self
    }

    pub fn attribute(mut self, name: &str, value: Attribute) -> Self {
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

    pub fn graph(&self) -> Graph {
        let port = |name: &String, dtype| Port { name: name.clone(), dtype, shape: None };
        Graph {
            digest: String::new(),
            name: "case".into(),
            producer: String::new(),
            ir_version: 10,
            opsets: BTreeMap::from([(String::new(), self.opset), (self.node.domain.clone(), self.opset)]),
            inputs: self.fed.iter().map(|(n, t)| port(n, Some(t.dtype()))).collect(),
            outputs: self.node.outputs.iter().map(|n| port(n, None)).collect(),
            weights: Default::default(),
            steps: vec![Step::of(self.node.clone())],
            functions: Vec::new(),
            drawn: Default::default(),
            metadata: Default::default(),
            bodies: Default::default(),
        }
    }

    fn feed(&self, name: &str) -> Option<Tensor> {
        self.fed.iter().find(|(n, _)| n == name).map(|(_, t)| t.clone())
    }

    /// What libtorch makes of it in the dtypes of the model.
    pub fn torch(&self) -> parity::error::Result<Vec<Tensor>> {
        let mut session = LINKED.session(Arc::new(self.graph()), &options())?;
        let outputs = session.eval(&[0], Link::Isolated, &|n| self.feed(n))?.remove(0);
        outputs.into_iter().map(|o| o.map_err(parity::error::Error::failed)).collect()
    }

    /// What libtorch makes of values that are no tensors.
    pub fn on(&self, inputs: &[Value]) -> parity::error::Result<Vec<Value>> {
        let mut graph = self.graph();
        let names: Vec<String> = (0..inputs.len()).map(|i| format!("v{i}")).collect();
        graph.steps[0] = Step::of(Node { inputs: names.clone(), ..self.node.clone() });
        LINKED.values(&graph, &names.into_iter().zip(inputs.iter().cloned()).collect(), &options())
    }

    pub fn ort(&self) -> ort::Result<Vec<Tensor>> {
        let mut session = ort::session::Session::builder(environment())?
            .with_optimization_level(ort::session::builder::GraphOptimizationLevel::Disable)?
            .with_intra_threads(1)?
            .commit_from_memory(&cut::whole(&self.graph(), &[]))?;
        let inputs = self.fed.iter().map(|(n, t)| Ok((n.clone(), to_ort(t)?))).collect::<ort::Result<Vec<_>>>()?;
        let outputs = session.run(inputs)?;
        Ok(outputs.values().map(|v| from_ort(&v)).collect())
    }

    /// Both engines agree with the shadow, and with each other where nothing may round.
    pub fn check(&self) -> Vec<Tensor> {
        let ort = self.ort().unwrap_or_else(|e| panic!("ONNX Runtime refuses {self:?}: {e}"));
        let torch = self.torch().unwrap_or_else(|e| panic!("libtorch refuses {self:?}: {e}"));
        let feed = |n: &str| self.feed(n);
        let mut judge = LINKED.judge(Arc::new(self.graph()), &options()).expect("a judge opens");
        let shadow = judge.eval(0, &feed).unwrap_or_else(|e| panic!("the shadow refuses {self:?}: {e}"));
        let rounding = judge.rounding(0, &feed, &shadow).unwrap_or_else(|e| panic!("no rounding for {self:?}: {e}"));
        assert_eq!((ort.len(), shadow.len(), rounding.len()), (torch.len(), torch.len(), torch.len()), "outputs of {self:?}");
        for (i, rounding) in rounding.iter().enumerate() {
            assert_eq!((ort[i].dtype(), ort[i].shape()), (torch[i].dtype(), torch[i].shape()), "output {i} of {self:?}");
            assert_eq!(shadow[i].shape(), torch[i].shape(), "shadow of output {i} of {self:?}");
            for (engine, tensor) in [("onnxruntime", &ort[i]), ("libtorch", &torch[i])] {
                match rounding {
                    Rounding::Random => {}
                    Rounding::Decision | Rounding::Selection => self.decided(engine, i, tensor, &shadow[i]),
                    _ => self.judged(engine, tensor, &shadow[i], rounding),
                }
            }
        }
        torch
    }

    /// The same decision, or a tie.
    fn decided(&self, engine: &str, i: usize, tensor: &Tensor, shadow: &Tensor) {
        let wide = shadow.to_f64();
        if tensor.to_f64() != wide {
            let like = if tensor.dtype().is_float() { Tensor::of(tensor.shape(), &tensor.to_f64()) } else { tensor.clone() };
            let margin = self.margin(i, shadow, &like);
            assert!(margin == Some(0.0), "{engine} {:?} shadow {wide:?}, margin {margin:?} of {self:?}", tensor.to_f64());
        }
    }

    fn judged(&self, engine: &str, tensor: &Tensor, shadow: &Tensor, rounding: &Rounding) {
        let (have, want) = (tensor.to_f64(), shadow.to_f64());
        let (family, scale, terms) = match rounding {
            Rounding::Within { family, scale, terms } => (*family, scale.to_f64(), *terms),
            Rounding::Exact | Rounding::Decision | Rounding::Selection | Rounding::Random => {
                let same = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan();
                return assert!(have.iter().zip(&want).all(same), "{engine} {have:?} shadow {want:?} of {self:?}");
            }
        };
        let (unit, tiny) = (tensor.dtype().unit_roundoff(), tensor.dtype().tiny());
        let mut worst = 0f64;
        for (i, (a, b)) in have.iter().zip(&want).enumerate() {
            if !b.is_finite() || a == b {
                assert!(a == b || a.is_nan() && b.is_nan(), "{engine} [{i}] {a} shadow {b} of {self:?}");
                continue;
            }
            let error = ((a - b).abs() - tiny).max(0.0);
            let ratio = error / (scale[i] * unit * (terms.max(1) as f64).sqrt());
            assert!(
                error <= scale[i] * family::bound(family, terms, unit),
                "{engine} [{i}] {a} shadow {b}: {ratio:.1} of u·√K·S ({family:?}, K {terms}, S {}) of {self:?}",
                scale[i]
            );
            worst = worst.max(if error == 0.0 { 0.0 } else { ratio });
        }
        record(family.name(), &self.node.op, engine, worst);
    }

    /// S of output 0, where it rounds.
    pub fn scale(&self) -> Option<Vec<f64>> {
        let mut judge = LINKED.judge(Arc::new(self.graph()), &options()).expect("a judge opens");
        let feed = |n: &str| self.feed(n);
        let shadow = judge.eval(0, &feed).expect("a shadow");
        match judge.rounding(0, &feed, &shadow).expect("a rounding").remove(0) {
            Rounding::Within { scale, .. } => Some(scale.to_f64()),
            Rounding::Exact | Rounding::Decision | Rounding::Selection | Rounding::Random => None,
        }
    }

    /// `check`, and the outputs are exactly these.
    pub fn gives(&self, want: &[Tensor]) {
        let have = self.check();
        assert_eq!(have.len(), want.len(), "outputs of {self:?}");
        for (have, want) in have.iter().zip(want) {
            assert_eq!((have.dtype(), have.shape()), (want.dtype(), want.shape()), "{self:?}");
            assert_eq!(have.to_f64(), want.to_f64(), "{self:?}");
        }
    }

    /// Asks libtorch for everything that it can be asked for; any answer will do, a panic will not.
    pub fn survives(&self) {
        let feed = |n: &str| self.feed(n);
        let _ = self.torch();
        let mut judge = LINKED.judge(Arc::new(self.graph()), &options()).expect("a judge opens");
        let Ok(shadow) = judge.eval(0, &feed) else { return };
        let _ = judge.rounding(0, &feed, &shadow);
        let _ = judge.margin(0, &feed, 0, &shadow[0], &shadow[0]);
    }

    /// The judge's margin between two opinions on output `index`.
    pub fn margin(&self, index: usize, reference: &Tensor, candidate: &Tensor) -> Option<f64> {
        let mut judge = LINKED.judge(Arc::new(self.graph()), &options()).expect("a judge opens");
        judge.margin(0, &|n| self.feed(n), index, reference, candidate).expect("a margin")
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
    Options { threads: 1, optimisation: Optimisation::Disable }
}

/// Loaded once: from ORT_DYLIB_PATH, or where scripts/setup puts it.
fn environment() -> &'static ort::environment::Environment {
    static LOADED: OnceLock<ort::environment::Environment> = OnceLock::new();
    LOADED.get_or_init(|| {
        let here = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.native/onnxruntime/libonnxruntime.so.1.31.1"));
        let path = std::env::var_os("ORT_DYLIB_PATH").map_or_else(here, PathBuf::from);
        ort::init_from(path).expect("ONNX Runtime loads").build().expect("an environment")
    })
}

const TYPES: [(DType, ort::value::TensorElementType); 13] = {
    use ort::value::TensorElementType as T;
    [
        (DType::F64, T::Float64),
        (DType::F32, T::Float32),
        (DType::F16, T::Float16),
        (DType::BF16, T::Bfloat16),
        (DType::I64, T::Int64),
        (DType::I32, T::Int32),
        (DType::I16, T::Int16),
        (DType::I8, T::Int8),
        (DType::U64, T::Uint64),
        (DType::U32, T::Uint32),
        (DType::U16, T::Uint16),
        (DType::U8, T::Uint8),
        (DType::Bool, T::Bool),
    ]
};

fn to_ort(t: &Tensor) -> ort::Result<ort::value::DynTensor> {
    let code = TYPES.iter().find(|row| row.0 == t.dtype()).expect("a dtype of both").1;
    let shape: Vec<i64> = t.shape().iter().map(|d| *d as i64).collect();
    let mut value = ort::value::DynTensor::new(&ort::memory::Allocator::default(), code, shape)?;
    if t.numel() > 0 {
        // SAFETY: the tensor was just allocated on the CPU with this shape and element size.
        unsafe { std::ptr::copy_nonoverlapping(t.bytes().as_ptr(), value.data_ptr_mut().cast(), t.bytes().len()) };
    }
    Ok(value)
}

fn from_ort(value: &ort::value::DynValue) -> Tensor {
    let ort::value::ValueType::Tensor { ty, shape, .. } = value.dtype() else { panic!("an output is no tensor") };
    let dtype = TYPES.iter().find(|row| row.1 == *ty).expect("a dtype of both").0;
    let shape: Vec<usize> = shape.iter().map(|d| *d as usize).collect();
    let len = shape.iter().product::<usize>() * dtype.size();
    let tensor = value.view().downcast::<ort::value::DynTensorValueType>().map(|t| {
        // SAFETY: a CPU tensor of ONNX Runtime's addresses shape × element size bytes while the value lives.
        let bytes = if len == 0 { &[][..] } else { unsafe { std::slice::from_raw_parts(t.data_ptr().cast::<u8>(), len) } };
        Tensor::from_bytes(dtype, shape, bytes).expect("as many bytes as the shape holds")
    });
    tensor.expect("an output is a tensor")
}

fn record(family: &str, op: &str, engine: &str, ratio: f64) {
    static WORST: Mutex<BTreeMap<String, f64>> = Mutex::new(BTreeMap::new());
    let Some(path) = std::env::var_os("PARITY_RATIOS") else { return };
    let key = format!("{family} {op} {engine}");
    let mut worst = WORST.lock().expect("no test panics here");
    let before = worst.entry(key.clone()).or_insert(-1.0);
    if ratio > *before {
        *before = ratio;
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).expect("a file to append to");
        std::io::Write::write_all(&mut file, format!("{key} {ratio:.3}\n").as_bytes()).expect("an append");
    }
}

/// A body for an attribute: nodes (operator, inputs, output), names of its inputs and outputs.
pub fn body(nodes: &[(&str, &[&str], &str)], inputs: &[&str], outputs: &[&str]) -> Attribute {
    use parity::graph::proto::{AttributeProto, GraphProto, NodeProto, ValueInfoProto, attribute_type};
    let own = |names: &[&str]| names.iter().map(|n| n.to_string()).collect::<Vec<_>>();
    let node = |(op, inputs, output): &(&str, &[&str], &str)| NodeProto {
        op_type: Some(op.to_string()),
        input: own(inputs),
        output: vec![output.to_string()],
        ..Default::default()
    };
    let port = |name: &&str| ValueInfoProto { name: Some(name.to_string()), r#type: None };
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
        r#type: Some(attribute_type::GRAPH),
        ..Default::default()
    }))
}

/// `n` cases, or PARITY_CASES times as many.
pub fn cases(n: u32) -> proptest::test_runner::Config {
    let times = std::env::var("PARITY_CASES").ok().and_then(|v| v.parse().ok()).unwrap_or(1);
    proptest::test_runner::Config { failure_persistence: None, ..proptest::test_runner::Config::with_cases(n * times) }
}

/// Reproducible numbers, even over `low..high`.
pub fn random(shape: &[usize], seed: u64, low: f32, high: f32) -> Tensor {
    let mut state = seed ^ 0x9e37_79b9_7f4a_7c15;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        low + (high - low) * ((z >> 40) as f32 / (1u64 << 24) as f32)
    };
    let values: Vec<f32> = (0..shape.iter().product()).map(|_| next()).collect();
    Tensor::of(shape, &values)
}

/// Reproducible whole numbers in `low..high`.
pub fn whole(shape: &[usize], seed: u64, low: i64, high: i64) -> Tensor {
    let values: Vec<i64> = random(shape, seed, 0.0, 1.0).to_f64().iter().map(|r| low + (r * (high - low) as f64) as i64).collect();
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

//! call: one operator application as its kernel sees it: inputs, attributes with a record of which were read, and the precision asked for.

use super::convert::torch_error;
use super::value::Value;
use parity::error::{Error, Place, Result};
use parity::graph::{Attribute, Graph, Node, load};
use parity::tensor::DType;
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use tch::{Kind, Tensor};

/// Which arithmetic the floats are computed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// As the graph declares.
    Declared,
    /// Every float in f64: the shadow.
    Double,
    /// The shadow, with the rounding noise of a single-precision engine behind every node; each number is another draw.
    Noisy(u32),
}

impl Precision {
    /// Whether single precision is computed in f64.
    pub fn is_wide(self) -> bool {
        self != Precision::Declared
    }
}

/// One node about to be evaluated.
pub struct Call<'a> {
    pub node: &'a Node,
    pub graph: &'a Graph,
    /// Version of the operator set that the node is read by.
    pub opset: i64,
    pub precision: Precision,
    values: Vec<Option<Value>>,
    /// The same as tensors; None where one is absent or no tensor.
    inputs: Vec<Option<Tensor>>,
    /// What the bodies of the node take from around them.
    outer: HashMap<String, Value>,
    read: RefCell<BTreeSet<String>>,
}

impl<'a> Call<'a> {
    pub fn new(
        node: &'a Node,
        graph: &'a Graph,
        precision: Precision,
        values: Vec<Option<Value>>,
    ) -> Self {
        let opset = graph.opset(&node.domain).unwrap_or(0);
        let inputs = values
            .iter()
            .map(|v| v.as_ref()?.tensor().map(Tensor::shallow_clone))
            .collect();
        Self {
            node,
            graph,
            opset,
            precision,
            values,
            inputs,
            outer: HashMap::new(),
            read: RefCell::default(),
        }
    }

    /// With what the node's bodies take from around them.
    pub fn within(self, outer: HashMap<String, Value>) -> Self {
        Self { outer, ..self }
    }

    /// The same node on other inputs (absolute values, say).
    pub fn with_inputs(&self, inputs: Vec<Option<Tensor>>) -> Self {
        self.with_values(inputs.into_iter().map(|t| t.map(Value::Tensor)).collect())
    }

    /// The same node on other values.
    pub fn with_values(&self, values: Vec<Option<Value>>) -> Self {
        Self::new(self.node, self.graph, self.precision, values).within(self.outer.clone())
    }

    /// The same call, computed otherwise.
    pub fn at(&self, precision: Precision) -> Self {
        Self {
            precision,
            ..self.with_values(self.values.clone())
        }
    }

    /// Every input as it came: marked dtypes, strings and sequences included.
    pub fn values(&self) -> &[Option<Value>] {
        &self.values
    }

    /// Input `i`, whatever it is, which the operator requires.
    pub fn value(&self, i: usize) -> Result<&Value> {
        self.optional_value(i)
            .ok_or_else(|| Error::usage(format!("input {i} is missing")))
    }

    /// Input `i`, whatever it is, if it is given.
    pub fn optional_value(&self, i: usize) -> Option<&Value> {
        self.values.get(i).and_then(|v| v.as_ref())
    }

    /// The body that attribute `name` holds.
    pub fn body(&self, name: &str) -> Result<Body<'_>> {
        let proto = match self.attribute(name) {
            Some(Attribute::Other(a)) => a.g.as_ref(),
            _ => None,
        };
        let proto =
            proto.ok_or_else(|| Error::usage(format!("attribute '{name}' should be a graph")))?;
        let graph = load::body(proto, self.graph).at(format!("body '{name}'"))?;
        let mut weights = HashMap::new();
        for (name, t) in &graph.weights {
            let own = Value::of_tensor(t)?;
            weights.insert(
                name.clone(),
                if self.precision.is_wide() {
                    super::judge::widened_value(own)?
                } else {
                    own
                },
            );
        }
        Ok(Body {
            graph,
            weights,
            precision: self.precision,
            outer: &self.outer,
        })
    }

    pub fn inputs(&self) -> &[Option<Tensor>] {
        &self.inputs
    }

    /// Input `i`, which the operator requires.
    pub fn input(&self, i: usize) -> Result<&Tensor> {
        self.optional(i)
            .ok_or_else(|| Error::usage(format!("input {i} is missing")))
    }

    /// Input `i`, if it is given.
    pub fn optional(&self, i: usize) -> Option<&Tensor> {
        self.inputs.get(i).and_then(|t| t.as_ref())
    }

    /// Input `i` as integers (axes, shapes, pads), if it is given.
    pub fn integers(&self, i: usize) -> Result<Option<Vec<i64>>> {
        self.optional(i)
            .map(|t| {
                t.f_reshape([-1])
                    .and_then(Vec::try_from)
                    .map_err(torch_error)
            })
            .transpose()
    }

    /// Input `i` as floats (scales, regions of interest), if it is given.
    pub fn floats(&self, i: usize) -> Result<Option<Vec<f64>>> {
        self.optional(i)
            .map(|t| {
                t.f_reshape([-1])
                    .and_then(Vec::try_from)
                    .map_err(torch_error)
            })
            .transpose()
    }

    fn attribute(&self, name: &str) -> Option<&'a Attribute> {
        self.read.borrow_mut().insert(name.to_string());
        self.node.attributes.get(name)
    }

    /// Integer attribute, `default` where the node does not state it.
    pub fn int(&self, name: &str, default: i64) -> Result<i64> {
        Ok(self.int_if(name)?.unwrap_or(default))
    }

    pub fn int_if(&self, name: &str) -> Result<Option<i64>> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Int(v)) => Ok(Some(*v)),
            Some(other) => Err(wrong_type(name, "int", other)),
        }
    }

    pub fn float(&self, name: &str, default: f32) -> Result<f64> {
        match self.attribute(name) {
            None => Ok(default as f64),
            Some(Attribute::Float(v)) => Ok(*v as f64),
            Some(other) => Err(wrong_type(name, "float", other)),
        }
    }

    pub fn text(&self, name: &str, default: &str) -> Result<String> {
        match self.attribute(name) {
            None => Ok(default.to_string()),
            Some(Attribute::Str(v)) => Ok(v.clone()),
            Some(other) => Err(wrong_type(name, "string", other)),
        }
    }

    pub fn ints(&self, name: &str) -> Result<Option<Vec<i64>>> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Ints(v)) => Ok(Some(v.clone())),
            Some(other) => Err(wrong_type(name, "ints", other)),
        }
    }

    pub fn floats_if(&self, name: &str) -> Result<Option<Vec<f64>>> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Floats(v)) => Ok(Some(v.iter().map(|x| *x as f64).collect())),
            Some(other) => Err(wrong_type(name, "floats", other)),
        }
    }

    pub fn texts(&self, name: &str) -> Result<Option<Vec<String>>> {
        match self.attribute(name) {
            None => Ok(None),
            Some(Attribute::Strs(v)) => Ok(Some(v.clone())),
            Some(other) => Err(wrong_type(name, "strings", other)),
        }
    }

    /// Whether the node asks for output `i`.
    pub fn wants(&self, i: usize) -> bool {
        self.node.outputs.get(i).is_some_and(|o| !o.is_empty())
    }

    /// Tensor attribute (of Constant, ConstantOfShape), in the declared dtype.
    pub fn tensor(&self, name: &str) -> Result<Option<parity::tensor::Tensor>> {
        match self.attribute(name) {
            None => Ok(None),
            Some(a) => a
                .tensor()
                .ok_or_else(|| wrong_type(name, "tensor", a))?
                .map(Some),
        }
    }

    /// Any attribute, for operators that take one of several.
    pub fn any(&self, name: &str) -> Option<&'a Attribute> {
        self.attribute(name)
    }

    /// States that the attribute is known and changes nothing here.
    pub fn known(&self, name: &str) {
        self.attribute(name);
    }

    /// The libtorch kind for a declared dtype: single and half precision are widened in the shadow.
    pub fn kind(&self, dtype: DType) -> Result<Kind> {
        let widened = if self.precision.is_wide() && dtype == DType::F32 {
            DType::F64
        } else {
            dtype
        };
        super::convert::kind(widened)
            .ok_or_else(|| Error::failed(format!("libtorch has no dtype {dtype}")))
    }

    /// An attribute that no kernel read is one that we do not understand: refuse rather than ignore.
    pub fn check_all_read(&self) -> Result<()> {
        let read = self.read.borrow();
        match self
            .node
            .attributes
            .keys()
            .find(|name| !read.contains(*name))
        {
            None => Ok(()),
            Some(name) => Err(Error::failed(format!(
                "attribute '{name}' is not understood"
            ))),
        }
    }
}

/// A graph inside a node, in the scope of that node.
pub struct Body<'a> {
    pub graph: Graph,
    weights: HashMap<String, Value>,
    precision: Precision,
    outer: &'a HashMap<String, Value>,
}

impl Body<'_> {
    /// Its outputs on `inputs`, in the order in which it declares them.
    pub fn run(&self, inputs: Vec<Value>) -> Result<Vec<Value>> {
        let names: Vec<&str> = self.graph.inputs.iter().map(|p| p.name.as_str()).collect();
        if names.len() != inputs.len() {
            return Err(Error::usage(format!(
                "the body takes {} inputs, is given {}",
                names.len(),
                inputs.len()
            )));
        }
        let given: HashMap<&str, Value> = names.into_iter().zip(inputs).collect();
        let lookup = |name: &str| {
            let found = given
                .get(name)
                .or_else(|| self.weights.get(name))
                .or_else(|| self.outer.get(name));
            found
                .cloned()
                .ok_or_else(|| Error::failed(format!("the body has no '{name}'")))
        };
        super::interpret::whole(&self.graph, self.precision, &lookup)
    }
}

fn wrong_type(name: &str, want: &str, have: &Attribute) -> Error {
    Error::usage(format!(
        "attribute '{name}' should be {want}, is {}",
        have.kind()
    ))
}

//! call: one operator application as its kernel sees it: inputs, attributes with a record of which were read, and the precision asked for.

use super::convert::torch_error;
use parity::error::{Error, Result};
use parity::graph::{Attribute, Graph, Node};
use parity::tensor::DType;
use std::cell::RefCell;
use std::collections::BTreeSet;
use tch::{Kind, Tensor};

/// Which arithmetic the floats are computed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// As the graph declares.
    Declared,
    /// Every float in f64: the shadow.
    Double,
}

/// One node about to be evaluated.
pub struct Call<'a> {
    pub node: &'a Node,
    pub graph: &'a Graph,
    /// Version of the operator set that the node is read by.
    pub opset: i64,
    pub precision: Precision,
    inputs: Vec<Option<Tensor>>,
    read: RefCell<BTreeSet<String>>,
}

impl<'a> Call<'a> {
    pub fn new(node: &'a Node, graph: &'a Graph, precision: Precision, inputs: Vec<Option<Tensor>>) -> Self {
        let opset = graph.opset(&node.domain).unwrap_or(0);
        Self { node, graph, opset, precision, inputs, read: RefCell::default() }
    }

    /// The same node on other inputs (absolute values, say).
    pub fn with_inputs(&self, inputs: Vec<Option<Tensor>>) -> Self {
        Self::new(self.node, self.graph, self.precision, inputs)
    }

    pub fn inputs(&self) -> &[Option<Tensor>] {
        &self.inputs
    }

    /// Input `i`, which the operator requires.
    pub fn input(&self, i: usize) -> Result<&Tensor> {
        self.optional(i).ok_or_else(|| Error::usage(format!("input {i} is missing")))
    }

    /// Input `i`, if it is given.
    pub fn optional(&self, i: usize) -> Option<&Tensor> {
        self.inputs.get(i).and_then(|t| t.as_ref())
    }

    /// Input `i` as integers (axes, shapes, pads), if it is given.
    pub fn integers(&self, i: usize) -> Result<Option<Vec<i64>>> {
        self.optional(i)
            .map(|t| Vec::try_from(t.f_reshape([-1]).and_then(|t| t.f_to_kind(Kind::Int64)).map_err(torch_error)?).map_err(torch_error))
            .transpose()
    }

    /// Input `i` as floats (scales, regions of interest), if it is given.
    pub fn floats(&self, i: usize) -> Result<Option<Vec<f64>>> {
        self.optional(i)
            .map(|t| Vec::try_from(t.f_reshape([-1]).and_then(|t| t.f_to_kind(Kind::Double)).map_err(torch_error)?).map_err(torch_error))
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

    /// Tensor attribute (of Constant, ConstantOfShape), in the declared dtype.
    pub fn tensor(&self, name: &str) -> Result<Option<parity::tensor::Tensor>> {
        match self.attribute(name) {
            None => Ok(None),
            Some(a) => a.tensor().ok_or_else(|| wrong_type(name, "tensor", a))?.map(Some),
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
        let widened = if self.precision == Precision::Double && dtype == DType::F32 { DType::F64 } else { dtype };
        super::convert::kind(widened).ok_or_else(|| Error::failed(format!("libtorch has no dtype {dtype}")))
    }

    /// An attribute that no kernel read is one that we do not understand: refuse rather than ignore.
    pub fn check_all_read(&self) -> Result<()> {
        let read = self.read.borrow();
        match self.node.attributes.keys().find(|name| !read.contains(*name)) {
            None => Ok(()),
            Some(name) => Err(Error::failed(format!("attribute '{name}' is not understood"))),
        }
    }
}

fn wrong_type(name: &str, want: &str, have: &Attribute) -> Error {
    Error::usage(format!("attribute '{name}' should be {want}, is {}", have.kind()))
}

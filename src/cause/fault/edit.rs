//! edit: what a fault may do to one step: replace a weight for this step alone, change an attribute, append nodes.

use crate::error::{Error, Result};
use crate::graph::proto::FunctionProto;
use crate::graph::{Attribute, Graph, Node, Step};
use crate::tensor::{DType, Tensor};

/// What is counted is smaller than that.
const MOST: f64 = 16_777_216.0;

/// A graph under change at one step.
pub struct Edit {
    graph: Graph,
    step: usize,
    pub amount: f64,
    /// Which of the ways in which the fault may be done; as an injection the first.
    pub choice: usize,
}

impl Edit {
    pub fn new(graph: Graph, step: usize, amount: f64) -> Self {
        Self {
            graph,
            step,
            amount,
            choice: 0,
        }
    }

    /// The amount as a count, an index or steps: a search and a scenario may ask for any number.
    pub fn whole(&self) -> Result<i64> {
        let amount = self.amount.trunc();
        match amount.abs() <= MOST {
            true => Ok(amount as i64),
            false => Err(Error::usage(format!(
                "an amount of {}: this fault counts, {MOST} at most",
                self.amount
            ))),
        }
    }

    /// The same in another of its ways.
    pub fn choosing(self, choice: usize) -> Self {
        Self { choice, ..self }
    }

    /// Of the ways in which a fault may be done, the one that is asked for.
    pub fn pick<T>(&self, ways: impl IntoIterator<Item = T>) -> Result<T> {
        let found = ways.into_iter().nth(self.choice);
        found.ok_or_else(|| Error::usage("there is no other way to do that here"))
    }

    /// The changed graph; the step keeps its name and outputs, its inputs are what its nodes now take.
    pub fn finish(mut self) -> Graph {
        let step = &mut self.graph.steps[self.step];
        let own: Vec<String> = step.nodes.iter().flat_map(|n| n.outputs.clone()).collect();
        let mut inputs: Vec<String> = step
            .nodes
            .iter()
            .cloned()
            .flat_map(|n| Step::of(n).inputs)
            .filter(|n| !own.contains(n))
            .collect();
        inputs.dedup();
        step.inputs = inputs;
        self.graph
    }

    /// The node that is changed.
    pub fn node(&mut self) -> &mut Node {
        &mut self.graph.steps[self.step].nodes[0]
    }

    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The step that produces `name`.
    pub fn producer(&self, name: &str) -> Option<&Step> {
        self.graph
            .steps
            .iter()
            .find(|s| s.outputs.iter().any(|o| o == name))
    }

    /// Name of input `i`.
    pub fn input_name(&mut self, i: usize) -> Result<String> {
        let name = self.node().inputs.get(i).filter(|n| !n.is_empty()).cloned();
        name.ok_or_else(|| Error::usage(format!("the node has no input {i}")))
    }

    /// Value of input `i`, where the graph alone decides it: a weight, a Constant, or an Identity of one.
    pub fn constant(&mut self, i: usize) -> Result<Tensor> {
        let name = self.input_name(i)?;
        self.resolve(&name)
            .ok_or_else(|| Error::usage(format!("input {i} ('{name}') is no weight")))
    }

    /// Value of tensor `name`, where the graph alone decides it.
    pub fn resolve(&self, name: &str) -> Option<Tensor> {
        if let Some(weight) = self.graph.weights.get(name) {
            return Some(weight.clone());
        }
        let step = self.producer(name)?;
        match step.op() {
            "Constant" => step.nodes[0].attributes.get("value")?.tensor()?.ok(),
            "Identity" => self.resolve(&step.nodes[0].inputs[0]),
            _ => None,
        }
    }

    /// Feeds this node alone `tensor` as input `i`.
    pub fn set_constant(&mut self, i: usize, tensor: Tensor) {
        let name = format!("parity/fault/{}", self.graph.weights.len());
        self.graph.weights.insert(name.clone(), tensor);
        let inputs = &mut self.node().inputs;
        inputs.resize(inputs.len().max(i + 1), String::new());
        inputs[i] = name;
    }

    /// Changes the f32 values of constant input `i`.
    pub fn change_floats(
        &mut self,
        i: usize,
        change: impl FnOnce(&mut [f32], &[usize]) -> Result<()>,
    ) -> Result<()> {
        let tensor = self.constant(i)?;
        let mut values = tensor
            .values::<f32>()
            .ok_or_else(|| Error::usage(format!("input {i} is {}, not f32", tensor.dtype())))?
            .to_vec();
        change(&mut values, tensor.shape())?;
        self.set_constant(i, Tensor::of(tensor.shape(), &values));
        Ok(())
    }

    /// Changes the integers of constant input `i`, keeping its dtype.
    pub fn change_integers(&mut self, i: usize, change: impl FnOnce(&mut [i64])) -> Result<()> {
        let tensor = self.constant(i)?;
        let mut values = tensor
            .to_i64()
            .ok_or_else(|| Error::usage(format!("input {i} holds no integers")))?;
        change(&mut values);
        let changed = match tensor.dtype() {
            DType::I32 => Tensor::of(
                tensor.shape(),
                &values.iter().map(|v| *v as i32).collect::<Vec<_>>(),
            ),
            DType::I64 => Tensor::of(tensor.shape(), &values),
            other => return Err(Error::usage(format!("input {i} is {other}"))),
        };
        self.set_constant(i, changed);
        Ok(())
    }

    pub fn set(&mut self, attribute: &str, value: Attribute) {
        self.node().attributes.insert(attribute.into(), value);
    }

    pub fn ints(&mut self, attribute: &str) -> Option<Vec<i64>> {
        match self.node().attributes.get(attribute) {
            Some(Attribute::Ints(v)) => Some(v.clone()),
            _ => None,
        }
    }

    /// Appends `node`s between the step's first output and the rest of the graph. `build` gets the name of what the step
    /// computed until now, the name it must be given again, and a maker of private names.
    pub fn append(&mut self, build: impl FnOnce(&str, &str) -> Vec<Node>) {
        self.append_to(0, build);
    }

    /// The same behind output `k`.
    pub fn append_to(&mut self, k: usize, build: impl FnOnce(&str, &str) -> Vec<Node>) {
        let step = &mut self.graph.steps[self.step];
        let public = step.outputs[k].clone();
        let private = format!("parity/fault/before/{public}");
        for node in &mut step.nodes {
            node.outputs
                .iter_mut()
                .filter(|o| **o == public)
                .for_each(|o| *o = private.clone());
        }
        step.nodes.extend(build(&private, &public));
    }

    /// Puts nodes before input `i` of the node; `build` gets the name that is fed and the name that the node will take. The node
    /// is no longer the step's first: this comes last.
    pub fn prepend(&mut self, i: usize, build: impl FnOnce(&str, &str) -> Vec<Node>) -> Result<()> {
        let fed = self.input_name(i)?;
        let taken = format!("parity/fault/behind/{fed}");
        self.node().inputs[i] = taken.clone();
        self.graph.steps[self.step]
            .nodes
            .splice(0..0, build(&fed, &taken));
        Ok(())
    }

    /// The same before each of these inputs.
    pub fn prepend_each(
        &mut self,
        inputs: &[usize],
        build: impl Fn(&str, &str) -> Vec<Node>,
    ) -> Result<()> {
        let mut before = vec![];
        for i in inputs {
            let fed = self.input_name(*i)?;
            let taken = format!("parity/fault/behind/{i}/{fed}");
            self.node().inputs[*i] = taken.clone();
            before.extend(build(&fed, &taken));
        }
        self.graph.steps[self.step].nodes.splice(0..0, before);
        Ok(())
    }

    /// These nodes in the place of the step's.
    pub fn replace(&mut self, nodes: Vec<Node>) {
        self.graph.steps[self.step].nodes = nodes;
    }

    /// More nodes behind those of the step.
    pub fn extend(&mut self, nodes: Vec<Node>) {
        self.graph.steps[self.step].nodes.extend(nodes);
    }

    /// Lets nodes of this step call `function`, unless the graph has it.
    pub fn import(&mut self, function: FunctionProto) {
        let domain = function.domain.clone().unwrap_or_default();
        self.graph.opsets.entry(domain).or_insert(1);
        if !self
            .graph
            .functions
            .iter()
            .any(|f| f.name == function.name && f.domain == function.domain)
        {
            self.graph.functions.push(function);
        }
    }

    /// Adds a weight that appended nodes can name.
    pub fn add_weight(&mut self, tensor: Tensor) -> String {
        let name = format!("parity/fault/{}", self.graph.weights.len());
        self.graph.weights.insert(name.clone(), tensor);
        name
    }
}

/// A node without attributes, named after its output: ONNX Runtime refuses two nodes of one name.
pub fn node(op: &str, inputs: &[&str], output: &str) -> Node {
    Node {
        name: format!("parity/fault/{op}/{output}"),
        op: op.into(),
        domain: String::new(),
        inputs: inputs.iter().map(|s| s.to_string()).collect(),
        outputs: vec![output.into()],
        attributes: Default::default(),
    }
}

/// A node with one integer attribute.
pub fn node_with(op: &str, inputs: &[&str], output: &str, attribute: &str, value: i64) -> Node {
    let mut node = node(op, inputs, output);
    node.attributes
        .insert(attribute.into(), Attribute::Int(value));
    node
}

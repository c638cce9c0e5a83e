//! program: a recorded program as a graph: what its recorder says of modules, calls and flow, in ONNX's operators where their meaning is known.

mod functions;
mod modules;

use crate::compare::layout::Order;
use crate::error::Result;
use crate::floor::noise::Floor;
use crate::graph::{Dim, Graph, Node, Port, Step};
use crate::tensor::{DType, Tensor};
use crate::trace::file::Opened;
use crate::trace::program::Module;
use crate::trace::{Entry, Header};
use indexmap::IndexMap;
use modules::Called;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What a program computed, and how as far as its recorder can tell.
pub struct Program {
    /// Its steps are what was recorded; what lies between two nodes of one module has a name and no value.
    pub graph: Graph,
    /// Every recorded tensor, floats as f64.
    pub values: HashMap<String, Tensor>,
    /// The coarsest dtype that it computed in.
    pub dtype: DType,
    /// Its inputs as they were fed, where they were recorded.
    pub inputs: IndexMap<String, Tensor>,
    /// SHA-256 of each input.
    pub digests: BTreeMap<String, String>,
    /// How far each tensor may be off by rounding, where that was measured.
    pub floors: HashMap<String, Floor>,
    /// What was drawn at random.
    pub drawn: HashSet<String>,
    /// In the user's words, by step: its module, class, file and line.
    pub places: BTreeMap<String, String>,
}

/// The operator set that the nodes are of.
const OPSET: i64 = 21;

/// What names a gradient or a step of a loss begins with: no part of the forward pass.
const BEHIND: [&str; 2] = ["grad.", "loss."];

impl Program {
    /// The program of a trace; the values of its parameters are in `parameters`, which may be the same file.
    ///
    /// # Errors
    /// A tensor that cannot be read.
    pub fn of(trace: &Opened, parameters: &Opened) -> Result<Self> {
        let none = Header::default();
        let header = trace.header.as_ref().unwrap_or(&none);
        let mut values: IndexMap<String, Tensor> = IndexMap::new();
        for name in trace.ordered() {
            if !BEHIND.iter().any(|b| name.starts_with(b))
                && let Some(value) = trace.tensor(name)?
            {
                values.insert(name.to_string(), value);
            }
        }
        let weights = weights(parameters)?;
        let held = Recording {
            header,
            alias: aliases(header, &values),
            values: &values,
            weights: &weights,
        };
        let (steps, places) = held.steps();
        let inputs: IndexMap<String, Tensor> = held.inputs().collect();
        let drawn = held.drawn();
        let graph = Graph {
            inputs: held.input_ports(),
            outputs: held.outputs(&steps),
            opsets: BTreeMap::from([(String::new(), OPSET)]),
            weights: turned(weights, &steps)?,
            steps,
            name: header.subject.clone(),
            producer: header.subject.clone(),
            ..Graph::default()
        };
        let computed = graph.steps.iter().flat_map(|s| &s.outputs);
        let floats = computed.filter_map(|n| values.get(n).map(Tensor::dtype));
        let floats = floats.filter(|d| d.is_float());
        let dtype = floats.max_by(|a, b| a.unit_roundoff().total_cmp(&b.unit_roundoff()));
        let floors = header.tensors.iter();
        let floors = floors.filter_map(|(n, e)| Some((n.clone(), e.floor.clone()?)));
        Ok(Self {
            graph,
            dtype: dtype.unwrap_or(DType::F32),
            digests: header.inputs.clone(),
            floors: floors.collect(),
            drawn,
            places,
            inputs,
            values: values.into_iter().map(|(n, t)| (n, widened(t))).collect(),
        })
    }
}

fn widened(t: Tensor) -> Tensor {
    match t.dtype().is_float() {
        true => Tensor::from_vec(t.shape(), t.to_f64()),
        false => t,
    }
}

/// Parameters and buffers with their values, by the names that the program gives them.
fn weights(trace: &Opened) -> Result<IndexMap<String, Tensor>> {
    let mut all = IndexMap::new();
    for param in trace.parameters.iter().flatten() {
        if let Some(value) = trace.parameter_value(&param.name)? {
            all.insert(param.name.clone(), value);
        }
    }
    Ok(all)
}

/// The same with those transposed that a product takes: PyTorch's linear layers hold [outputs, inputs].
fn turned(
    mut weights: IndexMap<String, Tensor>,
    steps: &[Step],
) -> Result<IndexMap<String, Tensor>> {
    let products = steps.iter().filter(|s| s.op() == "MatMul");
    let names: HashSet<&String> = products.filter_map(|s| s.inputs.get(1)).collect();
    for name in names {
        if let Some(weight) = weights.get_mut(name)
            && let [rows, columns] = *weight.shape()
        {
            let order = Order::permuted(&[rows, columns], &[1, 0]);
            *weight = order.read(weight, &[columns, rows])?;
        }
    }
    Ok(weights)
}

/// Tensors that another name stands for: a module or the program gives what a part of it gave, Identity and Dropout what they took.
fn aliases(header: &Header, values: &IndexMap<String, Tensor>) -> HashMap<String, String> {
    let mut alias: HashMap<String, String> = HashMap::new();
    for (name, entry) in &header.tensors {
        let [from] = entry.inputs.as_slice() else {
            continue;
        };
        let part = !entry.node.is_empty() && from.starts_with(&format!("{}.", entry.node));
        let hands_on = ["Output", "Identity", "Dropout"].contains(&entry.op.as_str());
        let same = |a: &Tensor, b: &Tensor| (a.dtype(), a.shape()) == (b.dtype(), b.shape());
        let equal = match (values.get(name), values.get(from)) {
            (Some(a), Some(b)) => same(a, b) && a.bytes() == b.bytes(),
            _ => false,
        };
        if (part || hands_on) && equal {
            let first = alias.get(from).unwrap_or(from).clone();
            alias.insert(name.clone(), first);
        }
    }
    alias
}

/// A recording, as its steps are made of it.
struct Recording<'a> {
    header: &'a Header,
    values: &'a IndexMap<String, Tensor>,
    weights: &'a IndexMap<String, Tensor>,
    alias: HashMap<String, String>,
}

impl Recording<'_> {
    /// What the recorder says was drawn, and what a layer that drops made of its input where that is something else.
    fn drawn(&self) -> HashSet<String> {
        let drops = |(name, entry): (&String, &Entry)| {
            let [from] = entry.inputs.as_slice() else {
                return None;
            };
            let is_drop = entry.op.to_lowercase().contains("drop");
            let (made, given) = (self.values.get(name)?, self.values.get(from)?);
            let other = made.shape() == given.shape() && made.bytes() != given.bytes();
            (is_drop && other).then(|| name.clone())
        };
        let seen = self.header.tensors.iter().filter_map(drops);
        let told = self.header.drawn.iter().map(|n| self.stands_for(n));
        told.chain(seen).collect()
    }

    fn stands_for(&self, name: &str) -> String {
        self.alias.get(name).map_or(name, String::as_str).into()
    }

    fn is_input(&self, name: &str) -> bool {
        let entry = self.header.tensors.get(name);
        self.header.inputs.contains_key(name) || entry.is_some_and(|e| e.op == "Input")
    }

    fn inputs(&self) -> impl Iterator<Item = (String, Tensor)> {
        let all = self.values.iter().filter(|(n, _)| self.is_input(n));
        all.map(|(n, t)| (n.clone(), t.clone()))
    }

    /// Those whose values were not recorded too.
    fn input_ports(&self) -> Vec<Port> {
        let known = self.values.keys().filter(|n| self.is_input(n));
        let digested = self.header.inputs.keys();
        let digested = digested.filter(|n| !self.values.contains_key(*n));
        known.chain(digested).map(|n| self.port(n)).collect()
    }

    fn port(&self, name: &str) -> Port {
        let value = self.values.get(name);
        let shape = value.map(|t| t.shape().iter().map(|d| Dim::Known(*d)).collect());
        Port {
            name: name.into(),
            dtype: value.map(Tensor::dtype),
            shape,
        }
    }

    /// What the program returned; where its recorder does not say, what nobody takes.
    fn outputs(&self, steps: &[Step]) -> Vec<Port> {
        let root = self.header.calls.iter().find(|c| c.module.is_empty());
        let told: Vec<&String> = match root {
            Some(call) => call.outputs.iter().flatten().collect(),
            None => {
                let of = self.header.tensors.iter();
                of.filter(|(_, e)| e.op == "Output")
                    .map(|(n, _)| n)
                    .collect()
            }
        };
        let told = told.into_iter().filter(|n| self.values.contains_key(*n));
        let told: Vec<Port> = told.map(|n| self.port(&self.stands_for(n))).collect();
        if !told.is_empty() {
            return told;
        }
        let taken = |name: &String| steps.iter().any(|s| s.inputs.contains(name));
        let made = steps.iter().flat_map(|s| &s.outputs);
        let last = made.filter(|n| self.values.contains_key(*n) && !taken(n));
        last.map(|n| self.port(n)).collect()
    }

    /// Steps in the order of computing, and where each stands in the user's code.
    fn steps(&self) -> (Vec<Step>, BTreeMap<String, String>) {
        let made = self.values.keys().filter(|n| !self.is_input(n));
        let made = made.filter(|n| !self.alias.contains_key(*n));
        // Several results of one call stand together.
        let mut calls: IndexMap<&str, Vec<&String>> = IndexMap::new();
        for name in made {
            let call = match self.header.tensors.get(name) {
                Some(e) if self.header.modules.contains_key(&e.node) => self::call(name),
                Some(e) if !e.node.is_empty() => &e.node,
                Some(_) | None => name,
            };
            calls.entry(call).or_default().push(name);
        }
        let (mut steps, mut places) = (vec![], BTreeMap::new());
        for (call, outputs) in calls {
            let entry = self.header.tensors.get(outputs[0]);
            let entry = entry.cloned().unwrap_or_default();
            let nodes = self.nodes(&entry, &outputs);
            let last = nodes.len() - 1;
            for (i, node) in nodes.into_iter().enumerate() {
                let name = match i == last {
                    true => call.to_string(),
                    false => node.outputs[0].clone(),
                };
                places.extend(self.place(&entry).map(|p| (name.clone(), p)));
                steps.push(Step::of(Node { name, ..node }));
            }
        }
        (steps, places)
    }

    fn nodes(&self, entry: &Entry, outputs: &[&String]) -> Vec<Node> {
        let known = entry.inputs.iter().map(|n| self.stands_for(n));
        let mut inputs: Vec<String> = known.collect();
        if inputs.is_empty() {
            // Nobody saw of what it was made: of the inputs, somehow.
            inputs.extend(self.input_ports().into_iter().map(|p| p.name));
        }
        let outputs: Vec<String> = outputs.iter().map(|n| n.to_string()).collect();
        let own = self.own(&entry.node);
        let plainly = Module::default();
        // What wrote it by hand may list no modules, and name its parameters after them all the same.
        let named = || (!own.is_empty()).then_some(&plainly);
        let module = self.header.modules.get(&entry.node).or_else(named);
        let plain = |op: &str| Node {
            name: String::new(),
            op: op.into(),
            domain: String::new(),
            inputs: inputs.clone(),
            outputs: outputs.clone(),
            attributes: BTreeMap::new(),
        };
        match module {
            Some(module) => modules::nodes(&Called {
                class: &entry.op,
                hyper: &module.hyper,
                training: module.training,
                own,
                axes: inputs.first().and_then(|n| self.values.get(n)).map(axes),
                inputs: inputs.clone(),
                outputs: outputs.clone(),
            }),
            None if entry.op.is_empty() => vec![plain("?")],
            None => vec![plain(functions::operator(&entry.op))],
        }
    }

    /// Parameters and buffers of a module itself, not of its parts.
    fn own(&self, path: &str) -> HashMap<&str, String> {
        let suffix = |name: &'_ str| -> Option<String> {
            let rest = match path.is_empty() {
                true => name,
                false => name.strip_prefix(path)?.strip_prefix('.')?,
            };
            (!rest.contains('.')).then(|| rest.to_string())
        };
        let mut own = HashMap::new();
        for name in self.weights.keys() {
            if let Some(rest) = suffix(name) {
                own.insert(&name[name.len() - rest.len()..], name.clone());
            }
        }
        for (other, listed) in &self.header.tied {
            if let Some(rest) = suffix(other) {
                own.insert(&other[other.len() - rest.len()..], listed.clone());
            }
        }
        own
    }

    /// "module 'stem.norm' (BatchNorm2d), net.py:20"; of what nobody saw being made there is no place.
    fn place(&self, entry: &Entry) -> Option<String> {
        if entry.inputs.is_empty() {
            return None;
        }
        let (path, class, at) = match self.header.modules.get(&entry.node) {
            Some(module) => {
                let call = self.header.calls.iter().find(|c| c.module == entry.node);
                let at = call.and_then(|c| c.at.as_ref());
                (&*entry.node, &*entry.op, at.or(module.source.as_ref()))
            }
            None => {
                let path = entry.node.rsplit_once('.').map_or("", |p| p.0);
                let module = self.header.modules.get(path)?;
                let class = module.class.rsplit('.').next()?;
                (path, class, entry.at.as_ref())
            }
        };
        let line = at.map_or(String::new(), |at| format!(", {at}"));
        Some(match path {
            "" => format!("the model itself ({class}){line}"),
            _ => format!("module '{path}' ({class}){line}"),
        })
    }
}

fn axes(t: &Tensor) -> usize {
    t.shape().len()
}

/// A name without its place in a tuple or a dict.
fn call(name: &str) -> &str {
    name.split_once(':').map_or(name, |(call, _)| call)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::param::{Kind, Param};
    use crate::trace::file;
    use crate::trace::program::Call;
    use crate::trace::write::Writer;

    /// A linear layer with its activation inside a block, two results of one split, and what was captured without its flow.
    fn recorded(folder: &std::path::Path) -> Program {
        let path = folder.join("t.safetensors");
        type Row = (
            &'static str,
            &'static str,
            &'static str,
            &'static [&'static str],
            &'static [f32],
        );
        let tensors: [Row; 7] = [
            ("x", "x", "Input", &[], &[1.0, 2.0]),
            ("block.fc", "block.fc", "Linear", &["x"], &[3.0, 4.0]),
            (
                "block.relu()",
                "block.relu()",
                "relu",
                &["block.fc"],
                &[3.0, 4.0],
            ),
            ("block", "block", "Block", &["block.relu()"], &[3.0, 4.0]),
            ("split():0", "split()", "split", &["block"], &[3.0]),
            ("split():1", "split()", "split", &["block"], &[4.0]),
            ("head.input:0", "head.input:0", "", &[], &[5.0]),
        ];
        let mut writer = Writer::create(&path).unwrap();
        let mut header = Header {
            format: 2,
            ..Header::default()
        };
        for (name, node, op, inputs, values) in tensors {
            writer
                .add(name, &Tensor::of(&[1, values.len()], values))
                .unwrap();
            let entry = Entry {
                node: node.into(),
                op: op.into(),
                inputs: inputs.iter().map(|n| n.to_string()).collect(),
                at: op.ends_with('t').then(|| "net.py:9".to_string()),
                ..Entry::default()
            };
            header.tensors.insert(name.into(), entry);
        }
        let weight = Tensor::of(&[2, 2], &[1f32, 2.0, 3.0, 4.0]);
        writer.add("parameter.block.fc.weight", &weight).unwrap();
        writer.parameters(vec![Param {
            name: "block.fc.weight".into(),
            shape: vec![2, 2],
            dtype: DType::F32,
            kind: Kind::Parameter,
            trainable: Some(true),
        }]);
        let module = |class: &str| Module {
            class: class.into(),
            source: Some("net.py:3".into()),
            ..Module::default()
        };
        header.modules = [
            ("", "net.Net"),
            ("block", "net.Block"),
            ("block.fc", "torch.nn.Linear"),
        ]
        .map(|(path, class)| (path.to_string(), module(class)))
        .into();
        header.calls = vec![Call {
            outputs: vec![Some("block".into()), Some("split():1".into())],
            ..Call::default()
        }];
        writer.finish(&header).unwrap();
        let opened = file::open(&path).unwrap();
        Program::of(&opened, &opened).unwrap()
    }

    #[test]
    fn modules_are_steps_what_hands_on_is_none_and_outputs_are_what_the_model_returned() {
        let dir = tempfile::tempdir().unwrap();
        let program = recorded(dir.path());
        let told = |s: &Step| {
            format!(
                "{}: {} {} -> {}",
                s.name,
                s.op(),
                s.inputs.join(" "),
                s.outputs.join(" ")
            )
        };
        let steps: Vec<String> = program.graph.steps.iter().map(told).collect();
        assert_eq!(
            steps,
            [
                "block.fc: Gemm x block.fc.weight -> block.fc",
                "block.relu(): Relu block.fc -> block.relu()",
                "split(): Split block.relu() -> split():0 split():1",
                "head.input:0: ? x -> head.input:0",
            ]
        );
        let names = |ports: &[Port]| ports.iter().map(|p| p.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(&program.graph.outputs), ["block.relu()", "split():1"]);
        assert_eq!(names(&program.graph.inputs), ["x"]);
        assert_eq!(program.dtype, DType::F32);
        assert_eq!(program.values["split():1"].dtype(), DType::F64);
        let place = |step: &str| program.places.get(step).map(String::as_str);
        assert_eq!(
            place("block.fc"),
            Some("module 'block.fc' (Linear), net.py:3")
        );
        assert_eq!(place("split()"), Some("the model itself (Net), net.py:9"));
        assert_eq!(place("head.input:0"), None, "nobody saw it being made");
    }
}

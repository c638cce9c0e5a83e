//! side: a file as a form of a loss: what it is, what it takes, and how it is opened. Another kind of file is another variant of `Program`.

use super::form::{Form, GraphForm, ScriptForm};
use super::ported::Ported;
use crate::error::{Error, Place, Result};
use crate::file;
use crate::graph::{Graph, Port, load};
use crate::scenario::Live;
use crate::scenario::sides::Kind;
use crate::subject::{Argument, Engines};
use crate::tensor::DType;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One of the two forms.
pub struct Side {
    pub path: PathBuf,
    program: Program,
}

/// What a loss is written in.
enum Program {
    Graph(Arc<Graph>),
    Script(Vec<Argument>),
    Port(Arc<Ported>),
}

impl Side {
    /// # Errors
    /// A file that is no form of a loss, or cannot be read.
    pub fn read(path: &Path, live: &Live, engines: Engines) -> Result<Self> {
        file::is_there(path).at(format!("loss {}", path.display()))?;
        let forms = "a form of a loss is an ONNX graph (.onnx), a TorchScript (.pt, .jit, .ts) or a port (net.py) with losses";
        let other =
            |what: &str| Err(Error::usage(format!("'{}' is {what}", path.display())).next(forms));
        let program = match Kind::of(path)? {
            Kind::Model => Program::Graph(Arc::new(load::file(path)?)),
            Kind::Script => {
                let script = engines.torch()?.scripted(path, false)?;
                Program::Script(script.takes().to_vec())
            }
            Kind::Scenario => return other("a scenario, which names both forms itself"),
            Kind::Trace => return other("a recording, which answers no other inputs than its own"),
            Kind::Port => {
                let ported = Ported::open(path, live).at(format!("loss {}", path.display()))?;
                Program::Port(Arc::new(ported))
            }
        };
        Ok(Self {
            path: path.into(),
            program,
        })
    }

    /// What it is called in messages.
    pub fn name(&self) -> String {
        self.path.display().to_string()
    }

    pub fn is_graph(&self) -> bool {
        matches!(self.program, Program::Graph(_))
    }

    /// What it takes, in order; a script says no dtype and no shape but that of a scalar.
    pub fn inputs(&self) -> Vec<Port> {
        match &self.program {
            Program::Graph(graph) => graph.inputs.clone(),
            Program::Script(arguments) => arguments.iter().map(port).collect(),
            Program::Port(ported) => ported.inputs(),
        }
    }

    /// A shape that the input at this place has in an example, where nothing declares one.
    pub fn example(&self, place: usize) -> Option<&[usize]> {
        match &self.program {
            Program::Graph(_) | Program::Script(_) => None,
            Program::Port(ported) => ported.shapes().get(place).copied(),
        }
    }

    /// Whether it knows gradients by the input at this place.
    pub fn differentiates(&self, place: usize) -> bool {
        match &self.program {
            Program::Graph(_) | Program::Script(_) => true,
            Program::Port(ported) => ported.differentiates(place),
        }
    }

    /// In f64 where `double`, else as its file has it.
    ///
    /// # Errors
    /// An operator that is not there.
    pub fn open(&self, double: bool, engines: Engines) -> Result<Box<dyn Form>> {
        let torch = engines.torch()?;
        let opened: Result<Box<dyn Form>> = match &self.program {
            Program::Graph(graph) => {
                GraphForm::open(torch, graph.clone(), double).map(|form| Box::new(form) as _)
            }
            Program::Script(_) => {
                let script = torch.scripted(&self.path, double);
                script.map(|script| Box::new(ScriptForm(script)) as _)
            }
            Program::Port(ported) => ported.form(double).map(|form| Box::new(form) as _),
        };
        opened.at(self.name())
    }
}

/// An argument of a script: a number is a scalar of its dtype.
fn port(argument: &Argument) -> Port {
    let scalar = match argument.of.as_str() {
        "int" => Some(DType::I64),
        "float" => Some(DType::F32),
        "bool" => Some(DType::Bool),
        _ => None,
    };
    Port {
        name: argument.name.clone(),
        dtype: scalar,
        shape: scalar.map(|_| vec![]),
    }
}

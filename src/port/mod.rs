//! port: a live program that is asked over a socket (docs/PORT.md): a user's network in a process of its own, which may crash or hang.

pub mod conformance;
mod folder;
mod launch;
mod package;
mod process;
mod python;
mod said;
mod wire;

pub use launch::Launch;
pub use said::{Ability, Axis, Declared, Hello, Loaded, Unlike};

use crate::digest;
use crate::error::{Code, Error, Place, Result};
use crate::tensor::{DType, Tensor};
use crate::trace::file::{self, Opened};
use crate::trace::write::Writer;
use crate::trace::{Entry, FORMAT, Header};
use folder::Folder;
use indexmap::IndexMap;
use process::Process;
use said::{Done, PROTOCOL};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use wire::Wire;

/// How a network is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forward {
    /// In f64 throughout: weights, inputs, whatever is computed.
    pub f64: bool,
    pub training: bool,
    /// With how far a correct port may be off.
    pub floors: bool,
}

/// Tensors by name, in order.
pub type Tensors = IndexMap<String, Tensor>;

/// What a step of training is made from.
#[derive(Clone, Copy, Debug)]
pub struct From<'a> {
    pub state: &'a Tensors,
    pub inputs: &'a Tensors,
    pub targets: &'a Tensors,
    /// How many steps there were before.
    pub step: usize,
}

/// A worker that answers; with this value it ends, with all that it started and wrote.
pub struct Port {
    pub hello: Hello,
    name: String,
    limit: Duration,
    wire: Wire,
    /// None once it has failed: nothing more is asked then.
    process: Option<Process>,
    files: u64,
    /// Last, so that nothing writes into it any more when it is removed.
    folder: Folder,
}

impl Port {
    /// Starts a worker and asks who it is; each question may take `limit`.
    ///
    /// # Errors
    /// It does not start, connect or answer; it speaks another protocol.
    pub fn start(launch: &Launch, limit: Duration) -> Result<Self> {
        Self::started(launch, limit)
            .map_err(|e| e.kind(Code::Port))
            .at(format!("port {}", launch.name))
    }

    fn started(launch: &Launch, limit: Duration) -> Result<Self> {
        let folder = Folder::make()?;
        let socket = folder.path().join("socket");
        let listener = wire::listen(&socket)?;
        let command = launch.prepared(folder.path())?;
        let mut process = Process::start(command, &socket, folder.path().join("log"))?;
        let wire =
            Wire::accept(&listener, &mut process, limit).map_err(|e| with_log(e, &process))?;
        let mut port = Self {
            hello: Hello::default(),
            name: launch.name.clone(),
            limit,
            wire,
            process: Some(process),
            files: 0,
            folder,
        };
        let asked =
            json!({"protocol": PROTOCOL, "arguments": launch.arguments, "seed": launch.seed});
        port.hello = port.asked("hello", asked)?;
        if port.hello.protocol != PROTOCOL {
            return Err(Error::failed(format!(
                "it speaks protocol {}, this parity speaks {PROTOCOL}",
                port.hello.protocol
            )));
        }
        Ok(port)
    }

    /// The network's parameters and buffers, with their values.
    ///
    /// # Errors
    /// The worker fails; its file lacks the list, or a value that it lists.
    pub fn parameters(&mut self) -> Result<Opened> {
        let opened = self.traced("parameters", json!({}), &[])?;
        let listed = opened.parameters.as_deref();
        let listed = listed.ok_or_else(|| self.lies("the file of parameters lists none".into()))?;
        for param in listed {
            let value = opened
                .parameter_value(&param.name)
                .map_err(|e| self.lies(e.message))?;
            if value.is_none() {
                return Err(self.lies(format!(
                    "parameter '{}' is listed, and its value is missing",
                    param.name
                )));
            }
        }
        Ok(opened)
    }

    /// Has the network take over values of its parameters and buffers, by name.
    ///
    /// # Errors
    /// The worker fails, or does not say of each name what became of it.
    pub fn load(&mut self, values: &Tensors) -> Result<Loaded> {
        let path = self.fed(values.iter().map(|(n, t)| (n.as_str(), t)))?;
        let loaded = self.ask::<Loaded>("load", json!({"values": path}));
        remove(&path);
        let loaded = loaded?;
        match values.keys().find(|name| !loaded.tells(name)) {
            None => Ok(loaded),
            Some(name) => Err(self.lies(format!(
                "'{name}' was to be loaded, and nothing is said of it"
            ))),
        }
    }

    /// The port's own example inputs. None where it has none.
    ///
    /// # Errors
    /// The worker fails.
    pub fn inputs(&mut self) -> Result<Option<Tensors>> {
        self.made(Ability::Inputs, json!({}), &[])
    }

    /// The port's own example targets, for its losses. None where it has none.
    ///
    /// # Errors
    /// The worker fails.
    pub fn targets(&mut self) -> Result<Option<Tensors>> {
        self.made(Ability::Targets, json!({}), &[])
    }

    /// Runs the network: a trace of what it computed.
    ///
    /// # Errors
    /// The worker fails; an ability that is not declared; a trace that contradicts itself, or was fed other bits.
    pub fn forward(&mut self, inputs: &Tensors, how: Forward) -> Result<Opened> {
        self.run(inputs, None, how)
    }

    fn run(&mut self, inputs: &Tensors, replay: Option<&Tensors>, how: Forward) -> Result<Opened> {
        let wanted = [(how.f64, Ability::F64), (how.floors, Ability::Floors)];
        wanted
            .into_iter()
            .filter(|w| w.0)
            .try_for_each(|w| self.needs(w.1))?;
        let given = as_computed(inputs, how.f64)?;
        let asked = json!({"f64": how.f64, "training": how.training, "floors": how.floors});
        let fed = std::iter::once(("inputs", &given));
        let fed: Vec<_> = fed.chain(replay.map(|r| ("replay", r))).collect();
        let opened = self.traced("forward", asked, &fed)?;
        self.was_fed(&opened, &given)?;
        Ok(opened)
    }

    /// Runs the network so that every part of it computes alone: of `replay`, by the names that a run has for them, each is computed and handed
    /// on as it is given. The trace's header says of which that is so. None where the port does not declare it.
    ///
    /// # Errors
    /// As `forward`.
    pub fn isolated(
        &mut self,
        inputs: &Tensors,
        replay: &Tensors,
        how: Forward,
    ) -> Result<Option<Opened>> {
        if !self.hello.can(Ability::Isolation) {
            return Ok(None);
        }
        self.run(inputs, Some(replay), how).map(Some)
    }

    /// `forward` with the losses (`loss.TERM`) and their gradients by parameters and activations (`grad.TERM.NAME`). None where the port
    /// does not declare it.
    ///
    /// # Errors
    /// As `forward`.
    pub fn gradients(
        &mut self,
        inputs: &Tensors,
        targets: &Tensors,
        how: Forward,
    ) -> Result<Option<Opened>> {
        if !self.hello.can(Ability::Gradients) {
            return Ok(None);
        }
        if how.f64 {
            self.needs(Ability::F64)?;
        }
        let (inputs, targets) = (
            as_computed(inputs, how.f64)?,
            as_computed(targets, how.f64)?,
        );
        let asked = json!({"f64": how.f64, "training": how.training});
        let opened = self.traced(
            "gradients",
            asked,
            &[("inputs", &inputs), ("targets", &targets)],
        )?;
        self.was_fed(&opened, &inputs)?;
        Ok(Some(opened))
    }

    /// The losses alone, of outputs that are given by the names that a trace has for them; with their gradients by the outputs where the
    /// port declares gradients. None where it has no losses.
    ///
    /// # Errors
    /// As `forward`.
    pub fn losses(
        &mut self,
        outputs: &Tensors,
        targets: &Tensors,
        f64: bool,
    ) -> Result<Option<Opened>> {
        if !self.hello.can(Ability::Losses) {
            return Ok(None);
        }
        let (outputs, targets) = (as_computed(outputs, f64)?, as_computed(targets, f64)?);
        let asked = json!({"f64": f64, "gradients": self.hello.can(Ability::Gradients)});
        self.traced(
            "losses",
            asked,
            &[("outputs", &outputs), ("targets", &targets)],
        )
        .map(Some)
    }

    /// What training starts from, by the names that `step` takes and gives. None where the port does not declare it.
    ///
    /// # Errors
    /// The worker fails.
    pub fn state(&mut self) -> Result<Option<Tensors>> {
        self.made(Ability::State, json!({}), &[])
    }

    /// One step of training: what was computed, and the state that it leads to; the worker stays as it was. None where the port does not
    /// declare it.
    ///
    /// # Errors
    /// As `forward`.
    pub fn step(&mut self, from: &From, f64: bool) -> Result<Option<Tensors>> {
        if !self.hello.can(Ability::Step) {
            return Ok(None);
        }
        if f64 {
            self.needs(Ability::F64)?;
        }
        let [state, inputs, targets] = [from.state, from.inputs, from.targets];
        let given = [
            ("state", &as_computed(state, f64)?),
            ("inputs", &as_computed(inputs, f64)?),
            ("targets", &as_computed(targets, f64)?),
        ];
        let asked = json!({"step": from.step, "f64": f64});
        let opened = self.traced("step", asked, &given)?;
        self.all_of(&opened).map(Some)
    }

    /// What the port's assigner makes of outputs and targets. None where it has none.
    ///
    /// # Errors
    /// The worker fails.
    pub fn assign(&mut self, outputs: &Tensors, targets: &Tensors) -> Result<Option<Tensors>> {
        self.made(
            Ability::Assign,
            json!({}),
            &[("outputs", outputs), ("targets", targets)],
        )
    }

    /// The network's inputs for what lies at `path`. None where the port has no preprocessing.
    ///
    /// # Errors
    /// The worker fails.
    pub fn preprocess(&mut self, path: &Path) -> Result<Option<Tensors>> {
        self.made(Ability::Preprocess, json!({"path": path}), &[])
    }

    /// What the port's postprocessing makes of outputs. None where it has none.
    ///
    /// # Errors
    /// The worker fails.
    pub fn postprocess(&mut self, outputs: &Tensors) -> Result<Option<Tensors>> {
        self.made(Ability::Postprocess, json!({}), &[("outputs", outputs)])
    }

    /// Writes the network as ONNX to `to`, with one of its exporters.
    ///
    /// # Errors
    /// The worker fails: the exporter refuses the network.
    pub fn export(&mut self, exporter: &str, inputs: &Tensors, to: &Path) -> Result<()> {
        self.needs(Ability::Export)?;
        let path = self.fed(inputs.iter().map(|(n, t)| (n.as_str(), t)))?;
        let asked = json!({"exporter": exporter, "inputs": path, "to": to});
        let done = self.ask::<Done>("export", asked);
        remove(&path);
        done.map(|_| ())
    }

    /// Whether it can be asked more: a worker that exits, hangs or breaks the protocol is ended.
    pub fn is_alive(&self) -> bool {
        self.process.is_some()
    }

    /// Ends the worker in good order.
    ///
    /// # Errors
    /// It does not answer.
    pub fn shutdown(mut self) -> Result<()> {
        let _: Done = self.ask("shutdown", json!({}))?;
        Ok(())
    }

    /// Refuses what the port does not declare.
    fn needs(&self, ability: Ability) -> Result<()> {
        if self.hello.can(ability) {
            return Ok(());
        }
        let why = self.hello.lacks.get(&ability);
        let why = why.map_or(String::new(), |w| format!(": {w}"));
        Err(Error::failed(format!(
            "port {}: it does not declare '{}'{why}",
            self.name,
            ability.name()
        )))
    }

    /// What the function behind an ability makes of `given`, where there is one.
    fn made(
        &mut self,
        ability: Ability,
        asked: Value,
        given: &[(&str, &Tensors)],
    ) -> Result<Option<Tensors>> {
        if !self.hello.can(ability) {
            return Ok(None);
        }
        let opened = self.traced(ability.name(), asked, given)?;
        self.all_of(&opened).map(Some)
    }

    /// Asks for a trace of what is made of `given`, and opens it. Its name is gone then, so that the disk is free once it is closed.
    fn traced(
        &mut self,
        ask: &str,
        mut asked: Value,
        given: &[(&str, &Tensors)],
    ) -> Result<Opened> {
        let mut files = vec![];
        for (name, tensors) in given {
            let path = self.fed(tensors.iter().map(|(n, t)| (n.as_str(), t)))?;
            asked[*name] = json!(path);
            files.push(path);
        }
        let path = self.next_file();
        asked["to"] = json!(path);
        files.push(path.clone());
        let answered = self.ask::<Done>(ask, asked);
        let opened = answered.and_then(|_| opened(&path).map_err(|e| self.lies(e.message)));
        files.iter().for_each(|file| remove(file));
        opened
    }

    /// Every tensor of a file.
    fn all_of(&self, opened: &Opened) -> Result<Tensors> {
        let read = |name: &str| {
            let tensor = opened
                .tensor(name)?
                .ok_or_else(|| Error::failed(format!("no tensor '{name}'")))?;
            Ok((name.to_string(), tensor))
        };
        let all: Result<Tensors> = opened.ordered().into_iter().map(read).collect();
        all.map_err(|e| self.lies(e.message))
    }

    /// The trace says of each input the digest of what was fed.
    fn was_fed(&self, opened: &Opened, given: &Tensors) -> Result<()> {
        let inputs = opened.header.as_ref().map(|h| &h.inputs);
        for (name, tensor) in given {
            let told = inputs.and_then(|all| all.get(name));
            let why = match told {
                None => "the trace does not say that it was fed",
                Some(digest) if *digest != digest::of_tensor(tensor) => {
                    "the trace says that other bits were fed than were given"
                }
                Some(_) => continue,
            };
            return Err(self.lies(format!("input '{name}': {why}")));
        }
        Ok(())
    }

    /// Writes tensors for the worker.
    fn fed<'a>(
        &mut self,
        tensors: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
    ) -> Result<PathBuf> {
        let path = self.next_file();
        let mut writer = Writer::create(&path)?;
        let mut header = Header {
            format: FORMAT,
            subject: "parity".into(),
            ..Default::default()
        };
        for (name, tensor) in tensors {
            writer.add(name, tensor)?;
            header.tensors.insert(name.to_string(), Entry::default());
        }
        writer.finish(&header)?;
        Ok(path)
    }

    fn next_file(&mut self) -> PathBuf {
        self.files += 1;
        self.folder
            .path()
            .join(format!("{}.safetensors", self.files))
    }

    fn ask<T: DeserializeOwned>(&mut self, ask: &str, asked: Value) -> Result<T> {
        self.asked(ask, asked).at(format!("port {}", self.name))
    }

    /// An answer; after any failure but an error that the worker itself tells, it is ended and nothing more is asked.
    fn asked<T: DeserializeOwned>(&mut self, ask: &str, mut asked: Value) -> Result<T> {
        asked["ask"] = ask.into();
        let place = format!("asked for '{ask}'");
        let Some(process) = &mut self.process else {
            return Err(Error::failed(
                "the worker was ended when it failed, and answers nothing more",
            ));
        };
        let answer = self
            .wire
            .ask(asked, process, self.limit)
            .and_then(|answer| match answer {
                Ok(value) => serde_json::from_value(value)
                    .map(Ok)
                    .map_err(|e| Error::failed(format!("that is no answer to it: {e}"))),
                Err(told) => Ok(Err(told)),
            });
        match answer {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(told)) => Err(Error::failed(told).at(place)),
            Err(e) => {
                let e = with_log(e, process).at(place);
                self.process = None;
                Err(e)
            }
        }
    }

    /// What the worker wrote or said contradicts itself.
    fn lies(&self, what: String) -> Error {
        Error::failed(format!("port {}: {what}", self.name))
            .next("docs/PORT.md says what a worker answers")
    }
}

/// What the network returned, of a trace of a run.
///
/// # Errors
/// An output that cannot be read.
pub fn outputs(trace: &Opened) -> Result<Tensors> {
    let calls = trace.header.iter().flat_map(|h| &h.calls);
    let root = calls.rev().find(|call| call.module.is_empty());
    let names = root.iter().flat_map(|call| call.outputs.iter().flatten());
    let read = |name: &String| Ok(trace.tensor(name)?.map(|t| (name.clone(), t)));
    names.filter_map(|name| read(name).transpose()).collect()
}

fn with_log(e: Error, process: &Process) -> Error {
    Error::failed(format!("{}; {}", e.message, process.last_words()))
        .next(e.next.unwrap_or_default())
}

/// Floats in f64 where the network computes in it.
fn as_computed(inputs: &Tensors, f64: bool) -> Result<Tensors> {
    let one = |(name, tensor): (&String, &Tensor)| {
        let widened = f64 && tensor.dtype().is_float() && tensor.dtype() != DType::F64;
        let tensor = match widened {
            false => tensor.clone(),
            true => Tensor::from_f64(DType::F64, tensor.shape(), &tensor.to_f64())?,
        };
        Ok((name.clone(), tensor))
    };
    inputs.iter().map(one).collect()
}

/// A trace of one file, of which every listed tensor is there.
fn opened(path: &Path) -> Result<Opened> {
    let is_file = path.symlink_metadata().is_ok_and(|m| m.is_file());
    if !is_file {
        return Err(Error::failed(format!(
            "it did not write the file {}",
            path.display()
        )));
    }
    let opened = file::open(path)?;
    let Some(header) = &opened.header else {
        return Err(Error::failed(format!(
            "{} says nothing of its tensors: it has no metadata '{}'",
            path.display(),
            file::HEADER
        )));
    };
    let lacking = header
        .tensors
        .keys()
        .find(|name| opened.attributes(name).is_err());
    match lacking {
        None => Ok(opened),
        Some(name) => Err(Error::failed(format!(
            "the trace lists '{name}', and has no such tensor"
        ))),
    }
}

/// What was read is of no more use; the folder's end removes what this cannot.
fn remove(path: &Path) {
    let _ = std::fs::remove_file(path);
}

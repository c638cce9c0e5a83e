//! ported: `losses` of a live port as a form of a loss: it takes what the port's network returns and its targets, and knows gradients by the former.
//!
//! Workers are kept from form to form: starting one may take seconds, answering a case takes milliseconds. None keeps what it was asked before.

use super::form::Form;
use crate::error::{Error, Result};
use crate::graph;
use crate::port::{Ability, Forward, Launch, Port, Tensors, outputs};
use crate::scenario::Live;
use crate::subject::Answered;
use crate::tensor::Tensor;
use crate::trace::file::Opened;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A port whose losses are asked.
pub struct Ported {
    launch: Launch,
    limit: Duration,
    /// What the losses take: outputs of the network, then targets; of one run on the port's own inputs.
    takes: Tensors,
    /// How many of these are outputs.
    outputs: usize,
    pub f64: bool,
    gradients: bool,
    idle: Mutex<Vec<Port>>,
}

impl Ported {
    /// Starts the port and runs it once, to see what its losses take.
    ///
    /// # Errors
    /// It does not start or fails; it has no losses, or nothing to run it on.
    pub fn open(path: &Path, live: &Live) -> Result<Self> {
        let launch = Launch::file(path, &live.python)?;
        let limit = live.answer();
        let mut port = Port::start(&launch, limit)?;
        let (takes, outputs) = taken(&mut port).map_err(|e| match e.next {
            Some(_) => e,
            None => e.next("docs/PORT.md says what a port with losses is"),
        })?;
        Ok(Self {
            launch,
            limit,
            takes,
            outputs,
            f64: port.hello.can(Ability::F64),
            gradients: port.hello.can(Ability::Gradients),
            idle: Mutex::new(vec![port]),
        })
    }

    /// What it takes, without shapes: an example says only one of those that it can have.
    pub fn inputs(&self) -> Vec<graph::Port> {
        let one = |(name, t): (&String, &Tensor)| graph::Port {
            name: name.clone(),
            dtype: Some(t.dtype()),
            shape: None,
        };
        self.takes.iter().map(one).collect()
    }

    /// The shape of each input in the example.
    pub fn shapes(&self) -> Vec<&[usize]> {
        self.takes.values().map(Tensor::shape).collect()
    }

    /// Whether it knows gradients by the input at this place.
    pub fn differentiates(&self, place: usize) -> bool {
        self.gradients && place < self.outputs
    }

    /// # Errors
    /// A worker that does not start.
    pub fn form(self: &Arc<Self>, double: bool) -> Result<PortForm> {
        let idle = self.idle().pop();
        let port = idle.map_or_else(|| Port::start(&self.launch, self.limit), Ok)?;
        Ok(PortForm {
            ported: self.clone(),
            double: double && self.f64,
            port: Some(port),
            broken: None,
        })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Port>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Example outputs and targets, and how many of them are outputs.
fn taken(port: &mut Port) -> Result<(Tensors, usize)> {
    let lacks = |what: &str, next: &str| Error::usage(format!("it has no {what}")).next(next);
    if !port.hello.can(Ability::Losses) {
        let next =
            "a port is a form of a loss where it defines `losses(outputs, targets)` (docs/PORT.md)";
        return Err(lacks("losses", next));
    }
    let inputs = port.inputs()?.ok_or_else(|| {
        let next = "have `inputs()` return what one run of the network gives outputs for, whose shapes the losses take";
        lacks("example inputs", next)
    })?;
    let mut takes = outputs(&port.forward(&inputs, Forward::default())?)?;
    let outputs = takes.len();
    for (name, target) in port.targets()?.unwrap_or_default() {
        if takes.contains_key(&name) {
            let both = format!("an output and a target are both called '{name}'");
            return Err(Error::usage(both).next("call one of them something else"));
        }
        takes.insert(name, target);
    }
    Ok((takes, outputs))
}

/// A worker that is asked for the losses.
pub struct PortForm {
    ported: Arc<Ported>,
    double: bool,
    port: Option<Port>,
    /// Why the worker was ended.
    broken: Option<Error>,
}

impl Form for PortForm {
    fn answer(&mut self, given: &[Tensor]) -> Result<Answered> {
        let Some(port) = &mut self.port else {
            return Err(Error::failed("its worker was ended"));
        };
        let named = self.ported.takes.keys().cloned().zip(given.iter().cloned());
        let mut outputs: Tensors = named.collect();
        let targets = outputs.split_off(self.ported.outputs);
        let said = port.losses(&outputs, &targets, self.double);
        if !port.is_alive() {
            self.port = None;
            self.broken = said.as_ref().err().cloned();
        }
        said?.map_or_else(
            || Ok(Answered::default()),
            |trace| answered(&trace, &outputs),
        )
    }

    fn broken(&self) -> Option<Error> {
        self.broken.clone()
    }
}

impl Drop for PortForm {
    fn drop(&mut self) {
        self.ported.idle().extend(self.port.take());
    }
}

/// Terms, and their gradients by the outputs of the network.
fn answered(trace: &Opened, outputs: &Tensors) -> Result<Answered> {
    let mut answered = Answered::default();
    for name in trace.ordered() {
        let Some(term) = name.strip_prefix("loss.") else {
            continue;
        };
        let value = trace.tensor(name)?;
        answered.values.extend(value.map(|t| (term.to_string(), t)));
        for (place, by) in outputs.keys().enumerate() {
            let gradient = trace.tensor(&format!("grad.{term}.{by}"))?;
            let gradient = gradient.map(|g| (term.to_string(), place, Some(g)));
            answered.gradients.extend(gradient);
        }
    }
    Ok(answered)
}

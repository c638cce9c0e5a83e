//! session: the port that is asked, with what it feeds itself and what it lists.

use crate::audit::counts_up;
use crate::compare::layout::Order;
use crate::error::{Error, Result};
use crate::input::parameters::of_trace;
use crate::params::Param;
use crate::port::{Ability, Axis, From, Port, Tensors};
use crate::tensor::Tensor;

/// A parameter as the port lists it.
pub struct Parameter {
    pub param: Param,
    /// It holds 0, 1, 2, …: the integral of a distribution over bins, which nobody trains.
    pub is_projection: bool,
}

/// What is fed at once.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    pub inputs: Tensors,
    pub targets: Tensors,
}

pub struct Session {
    pub port: Port,
    pub name: String,
    pub parameters: Vec<Parameter>,
    batch: Option<Batch>,
}

impl Session {
    pub fn of(mut port: Port, name: &str) -> Result<Self> {
        let parameters = parameters(&mut port)?;
        let targets = port.targets()?.unwrap_or_default();
        let batch = port.inputs()?.map(|inputs| Batch { inputs, targets });
        Ok(Self {
            port,
            name: name.into(),
            parameters,
            batch,
        })
    }

    pub fn batch(&self) -> Option<Batch> {
        self.batch.clone()
    }

    /// What the other one is fed, under the names, in the dtypes and the order of axes that this one takes.
    pub fn feed_as(&mut self, other: &Session) -> Result<()> {
        let Some((theirs, own)) = other.batch.as_ref().zip(self.batch.as_ref()) else {
            return Ok(());
        };
        self.batch = Some(Batch {
            inputs: as_taken(&theirs.inputs, &own.inputs)?,
            targets: as_taken(&theirs.targets, &own.targets)?,
        });
        Ok(())
    }

    /// Whether it says that an axis of an input may have any size.
    pub fn is_open(&self, input: &str, axis: usize) -> bool {
        let declared = self.port.hello.inputs.iter().find(|d| d.name == input);
        let shape = declared.and_then(|d| d.shape.as_ref());
        shape.is_some_and(|s| matches!(s.get(axis), Some(Axis::Open(_))))
    }

    pub fn can(&self, ability: Ability) -> bool {
        self.port.hello.can(ability)
    }

    /// Whether a step of training can be asked for.
    pub fn trains(&self) -> bool {
        TRAINING.iter().all(|a| self.can(*a))
    }

    pub fn lacks_of_training(&self) -> String {
        let lacks = TRAINING.iter().filter(|a| !self.can(**a));
        let lacks: Vec<String> = lacks.map(|a| format!("'{}'", a.name())).collect();
        lacks.join(", ")
    }

    /// One step of training from a state; an error that the port itself tells is an answer.
    pub fn step(&mut self, state: &Tensors, batch: &Batch, step: usize) -> Result<Said<Tensors>> {
        let from = From {
            state,
            inputs: &batch.inputs,
            targets: &batch.targets,
            step,
        };
        let made = self.port.step(&from, false);
        self.said(made.map(Option::unwrap_or_default))
    }

    /// What the port answers, or what it says went wrong; one that is gone has answered nothing.
    pub fn said<T>(&self, answered: Result<T>) -> Result<Said<T>> {
        match answered {
            Ok(value) => Ok(Ok(value)),
            Err(e) if self.port.is_alive() => Ok(Err(without_place(&e, &self.name))),
            Err(e) => Err(e),
        }
    }

    pub fn shutdown(self) -> Result<()> {
        self.port.shutdown()
    }
}

/// An answer, or what the port says went wrong.
pub type Said<T> = std::result::Result<T, String>;

const TRAINING: [Ability; 3] = [Ability::Targets, Ability::State, Ability::Step];

/// The error in the port's own words.
fn without_place(e: &Error, name: &str) -> String {
    let said = e.message.as_str();
    let own = said.strip_prefix(&format!("port {name}: "));
    let own = own.unwrap_or(said);
    let own = own.split_once("asked for '").map_or(own, |(_, rest)| {
        rest.split_once("': ").map_or(own, |(_, words)| words)
    });
    own.to_string()
}

fn parameters(port: &mut Port) -> Result<Vec<Parameter>> {
    let Some(source) = of_trace(port.parameters()?)? else {
        return Ok(vec![]);
    };
    let one = |param: &Param| {
        let value = source.value(&param.name)?;
        Ok(Parameter {
            param: param.clone(),
            is_projection: value.is_some_and(|v| counts_up(&v)),
        })
    };
    source.list.iter().map(one).collect()
}

/// Tensors by the names of `own`, else in its order, each in its dtype and its order of axes.
fn as_taken(given: &Tensors, own: &Tensors) -> Result<Tensors> {
    let mut all = Tensors::new();
    for (i, (name, like)) in own.iter().enumerate() {
        let found = given.get(name).or(given.get_index(i).map(|(_, t)| t));
        let value = found.map_or(Ok(like.clone()), |t| {
            let turned = turned(t, like.shape())?;
            Tensor::from_f64(like.dtype(), turned.shape(), &turned.to_f64())
        })?;
        all.insert(name.clone(), value);
    }
    Ok(all)
}

/// With the channels where `like` has them, where only that fits.
fn turned(t: &Tensor, like: &[usize]) -> Result<Tensor> {
    let sizes = |axes: &[usize]| axes.iter().map(|a| t.shape()[*a]).collect::<Vec<_>>();
    let fits = |axes: &&[usize; 4]| sizes(&**axes)[1..] == like[1..];
    let is_image = t.shape().len() == 4 && like.len() == 4;
    let own = [0, 1, 2, 3];
    let orders = [own, [0, 2, 3, 1], [0, 3, 1, 2]];
    let axes = orders.iter().find(|axes| is_image && fits(axes));
    let axes = *axes.unwrap_or(&own);
    match axes == own {
        true => Ok(t.clone()),
        false => Order::permuted(t.shape(), &axes).read(t, &sizes(&axes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_fed_to_another_port_as_that_takes_it() {
        let image: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let given = Tensors::from([
            ("image".to_string(), Tensor::of(&[1, 3, 2, 2], &image)),
            ("labels".to_string(), Tensor::of(&[1], &[2i64])),
        ]);
        let own = Tensors::from([
            ("x".to_string(), Tensor::of(&[2, 2, 2, 3], &[0f32; 24])),
            ("labels".to_string(), Tensor::of(&[2], &[0i32; 2])),
        ]);
        let taken = as_taken(&given, &own).unwrap();
        assert_eq!(taken["x"].shape(), [1, 2, 2, 3]);
        assert_eq!(taken["x"].to_f64()[..4], [0.0, 4.0, 8.0, 1.0]);
        assert_eq!(taken["labels"].values::<i32>(), Some(&[2][..]));
    }

    #[test]
    fn what_the_port_says_is_told_without_where_it_was_asked() {
        let e = Error::failed("port net.py: asked for 'step': ValueError: no, at net.py:3");
        assert_eq!(without_place(&e, "net.py"), "ValueError: no, at net.py:3");
    }
}

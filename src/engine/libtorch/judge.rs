//! judge: the same interpreter in f64, and the rounding that a correct engine may show around it.

use super::call::{Call, Precision};
use super::convert::{from_torch, torch_error};
use super::interpret;
use super::ops::Scale;
use super::perturbed;
use super::scales;
use super::value::Value;
use parity::error::{Error, Result};
use parity::floor::{Alone, Family, Rounding};
use parity::graph::{Graph, Step, hoist, random};
use parity::subject::{Feed, Judge, Options, unfed};
use parity::tensor;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use tch::{Kind, Tensor};

/// The graph and its weights in f64.
pub struct TorchJudge {
    graph: Arc<Graph>,
    weights: HashMap<String, Value>,
    /// What the current step was fed, widened: evaluating it and asking for its rounding takes the same tensors.
    recent: RefCell<Recent>,
}

#[derive(Default)]
struct Recent {
    step: usize,
    /// Name -> the tensor as fed (kept, so that its address stays its own) and widened.
    widened: HashMap<String, Vec<(tensor::Tensor, Value)>>,
}

impl TorchJudge {
    pub fn open(graph: Arc<Graph>, options: &Options) -> Result<Self> {
        tch::set_num_threads(options.threads as i32);
        let weights = graph
            .weights
            .iter()
            .map(|(n, t)| Ok((n.clone(), widened_value(Value::of_tensor(t)?)?)))
            .collect::<Result<_>>()?;
        Ok(Self {
            graph,
            weights,
            recent: RefCell::default(),
        })
    }

    /// On weights that are in f64 already.
    pub fn sharing(graph: Arc<Graph>, weights: HashMap<String, Tensor>) -> Self {
        let weights = weights
            .into_iter()
            .map(|(n, t)| (n, Value::Tensor(t)))
            .collect();
        Self {
            graph,
            weights,
            recent: RefCell::default(),
        }
    }

    fn lookup(&self, name: &str, feed: Feed) -> Result<Value> {
        if let Some(t) = self.weights.get(name) {
            return Ok(t.clone());
        }
        let fed = feed(name).ok_or_else(|| unfed(name))?;
        let mut recent = self.recent.borrow_mut();
        let known = recent.widened.entry(name.to_string()).or_default();
        if let Some((_, t)) = known
            .iter()
            .find(|(f, _)| f.bytes().as_ptr() == fed.bytes().as_ptr() && f.shape() == fed.shape())
        {
            return Ok(t.clone());
        }
        let wide = widened_value(Value::of_tensor(&fed)?)?;
        known.push((fed, wide.clone()));
        Ok(wide)
    }

    /// Forgets what another step was fed.
    fn at(&mut self, step: usize) {
        let recent = self.recent.get_mut();
        if recent.step != step {
            *recent = Recent {
                step,
                ..Recent::default()
            };
        }
    }

    /// The node of the step that rounds first: the operator that the step is named after, unless that moves data alone or decides, and
    /// an injected fault has put arithmetic behind it.
    fn rounding_node(step: &Step, graph: &Graph) -> Result<usize> {
        let mut decides = None;
        for (i, node) in step.nodes.iter().enumerate() {
            match interpret::find(node, graph)?.scale(node) {
                Scale::Exact | Scale::Copies(_) => {}
                Scale::Decision(..) => decides = decides.or(Some(i)),
                Scale::Selection(..)
                | Scale::Random
                | Scale::Absolute(..)
                | Scale::Output(_)
                | Scale::One(_)
                | Scale::Perturbed(_)
                | Scale::By(..)
                | Scale::Stepped(..)
                | Scale::Graded(..)
                | Scale::Node(_) => return Ok(i),
            }
        }
        Ok(decides.unwrap_or(0))
    }

    /// The call of node `at` of the step, with the nodes before it evaluated.
    fn call_of<'a>(
        &self,
        step: &'a Step,
        at: usize,
        graph: &'a Graph,
        feed: Feed,
    ) -> Result<Call<'a>> {
        let mut own: HashMap<String, Value> = HashMap::new();
        for node in &step.nodes[..at] {
            let part = Step::of(node.clone());
            let lookup = |name: &str| {
                own.get(name)
                    .cloned()
                    .map_or_else(|| self.lookup(name, feed), Ok)
            };
            let outputs = interpret::step(&part, graph, Precision::Double, &lookup)?;
            own.extend(part.outputs.into_iter().zip(outputs));
        }
        let lookup = |name: &str| {
            own.get(name)
                .cloned()
                .map_or_else(|| self.lookup(name, feed), Ok)
        };
        interpret::call(&step.nodes[at], graph, Precision::Double, &lookup)
    }
}

/// Single precision widened to f64; everything else as it is. Half precision is widened too: its values are exact in f64.
pub fn widened(t: Tensor) -> Result<Tensor> {
    match t.kind() {
        Kind::Float | Kind::Half | Kind::BFloat16 => t.f_to_kind(Kind::Double).map_err(torch_error),
        _ => Ok(t),
    }
}

/// The same for whatever a node may take.
pub fn widened_value(v: Value) -> Result<Value> {
    Ok(match v {
        Value::Tensor(t) => Value::Tensor(widened(t)?),
        Value::Sequence(all) => {
            Value::Sequence(all.into_iter().map(widened_value).collect::<Result<_>>()?)
        }
        Value::Optional(Some(v)) => Value::Optional(Some(Box::new(widened_value(*v)?))),
        other @ (Value::Marked(..) | Value::Strings(..) | Value::Optional(None)) => other,
    })
}

impl Judge for TorchJudge {
    fn graph(&self) -> &Graph {
        &self.graph
    }

    fn eval(&mut self, step: usize, feed: Feed) -> Result<Vec<tensor::Tensor>> {
        let _no_grad = tch::no_grad_guard();
        self.at(step);
        let step = &self.graph.steps[step];
        let outputs = interpret::step(step, &self.graph, Precision::Double, &|name| {
            self.lookup(name, feed)
        })?;
        let tensor = |v: &Value| match v.given()? {
            tensor::Value::Tensor(t) => Ok(t),
            other => Err(Error::failed(format!(
                "node '{}' ({}): {other:?} is no tensor, and not judged",
                step.name,
                step.op()
            ))),
        };
        outputs.iter().map(tensor).collect()
    }

    fn decides(&self, step: usize) -> bool {
        let decides = |scale: &Scale| {
            matches!(
                scale,
                Scale::Decision(..) | Scale::Selection(..) | Scale::Graded(..)
            )
        };
        self.graph.steps[step]
            .nodes
            .iter()
            .any(|node| interpret::find(node, &self.graph).is_ok_and(|op| decides(op.scale(node))))
    }

    fn selects(&self, step: usize) -> bool {
        let scale = |node| {
            Some(matches!(
                interpret::find(node, &self.graph).ok()?.scale(node),
                Scale::Selection(Alone::Rounds, _)
            ))
        };
        self.graph.steps[step]
            .nodes
            .iter()
            .any(|node| scale(node) == Some(true))
    }

    fn rounding(
        &mut self,
        step: usize,
        feed: Feed,
        outputs: &[tensor::Tensor],
    ) -> Result<Vec<Rounding>> {
        let _no_grad = tch::no_grad_guard();
        self.at(step);
        let graph = self.graph.clone();
        let step = &graph.steps[step];
        let uniform = |r: Rounding| outputs.iter().map(|_| r.clone()).collect();
        if random::is_random(&graph, step) {
            return Ok(uniform(Rounding::Random));
        }
        let at = Self::rounding_node(step, &graph)?;
        let node = &step.nodes[at];
        let within = |family: Family, s: Vec<(Tensor, usize)>| -> Result<Vec<Rounding>> {
            // What an injected fault lets further nodes give is moved, not computed.
            let of = |(y, s): (_, Option<&(Tensor, usize)>)| {
                s.map_or(Ok(Rounding::Exact), |(scale, n)| {
                    rounding_of(family, scale, *n, y)
                })
            };
            outputs
                .iter()
                .zip(s.iter().map(Some).chain(std::iter::repeat(None)))
                .map(of)
                .collect()
        };
        let op = interpret::find(node, &graph)?;
        match op.scale(node) {
            Scale::Exact | Scale::Copies(_) => Ok(uniform(Rounding::Exact)),
            Scale::Decision(alone, _) => Ok(uniform(Rounding::Decision(*alone))),
            Scale::Random => Ok(uniform(Rounding::Random)),
            Scale::Selection(alone, _) => {
                let of = |y: &tensor::Tensor| {
                    if y.dtype().is_float() {
                        Rounding::Selection(*alone)
                    } else {
                        Rounding::Decision(*alone)
                    }
                };
                Ok(outputs.iter().map(of).collect())
            }
            scale => {
                let graded = matches!(scale, Scale::Graded(..) | Scale::Stepped(..))
                    || hoist::has_body(node);
                let scales = scales::of(
                    op,
                    scale,
                    &|| self.call_of(step, at, &graph, feed),
                    &torch_all(outputs)?,
                )?;
                let mut all = scales.map_or_else(
                    || Ok(uniform(Rounding::Exact)),
                    |(family, s)| within(family, s),
                )?;
                if graded {
                    all.iter_mut()
                        .zip(outputs)
                        .filter(|(_, y)| !y.dtype().is_float())
                        .for_each(|(r, _)| *r = Rounding::Decision(Alone::Rounds));
                }
                Ok(all)
            }
        }
    }

    fn margin(
        &mut self,
        step: usize,
        feed: Feed,
        index: usize,
        reference: &tensor::Tensor,
        candidate: &tensor::Tensor,
    ) -> Result<Option<f64>> {
        let _no_grad = tch::no_grad_guard();
        self.at(step);
        let graph = self.graph.clone();
        let step = &graph.steps[step];
        let at = Self::rounding_node(step, &graph)?;
        let node = &step.nodes[at];
        let op = interpret::find(node, &graph)?;
        if hoist::has_body(node) && matches!(op.scale(node), Scale::Perturbed(_)) {
            let Some(place) = node.outputs.iter().position(|o| *o == step.outputs[index]) else {
                return Ok(None);
            };
            let call = self.call_of(step, at, &graph, feed)?;
            return perturbed::margin(op, &call, place, &carried(reference)?, &carried(candidate)?)
                .map(Some);
        }
        let (Scale::Decision(_, margin)
        | Scale::Selection(_, margin)
        | Scale::Graded(_, margin)
        | Scale::Stepped(.., margin)
        | Scale::Copies(margin)) = op.scale(node)
        else {
            return Ok(None);
        };
        let call = self.call_of(step, at, &graph, feed)?;
        margin(&call, index, &carried(reference)?, &carried(candidate)?).map(Some)
    }
}

/// A tensor as libtorch carries it.
fn carried(tensor: &tensor::Tensor) -> Result<Tensor> {
    Value::of_tensor(tensor)?.into_tensor()
}

fn torch_all(tensors: &[tensor::Tensor]) -> Result<Vec<Tensor>> {
    tensors.iter().map(carried).collect()
}

/// An integer output never rounds, whatever its operator's family.
fn rounding_of(
    family: Family,
    scale: &Tensor,
    terms: usize,
    output: &tensor::Tensor,
) -> Result<Rounding> {
    if !output.dtype().is_float() {
        return Ok(Rounding::Exact);
    }
    let scale = scale
        .f_to_kind(Kind::Double)
        .and_then(|s| s.f_broadcast_to(output_shape(output)))
        .map_err(torch_error)?;
    Ok(Rounding::Within {
        family,
        scale: from_torch(&scale)?,
        terms,
    })
}

fn output_shape(output: &tensor::Tensor) -> Vec<i64> {
    output.shape().iter().map(|d| *d as i64).collect()
}

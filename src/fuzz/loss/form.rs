//! form: a file that computes a loss, opened: values and gradients by its own names, and what rounding does to them.

use crate::error::{Error, Result};
use crate::floor::noise;
use crate::fuzz::kernel::constants;
use crate::graph::Graph;
use crate::subject::kernels::edit::floats;
use crate::subject::{Answered, Ask, Differentiator, Noise, Options, Scripted, Torch};
use crate::tensor::Tensor;
use rand::Rng;
use std::collections::HashMap;
use std::sync::Arc;

/// Runs with constants moved.
pub const MOVED: u32 = 4;

/// Whatever a loss is written in.
pub trait Form {
    /// What it gives on these tensors, one for each of its inputs.
    ///
    /// # Errors
    /// What the form refuses.
    fn answer(&mut self, given: &[Tensor]) -> Result<Answered>;

    /// The same with rounding of f32's size behind every operation, where the form computes in f64: another sample for each run from 1 on. None
    /// where its operations are not seen.
    ///
    /// # Errors
    /// What the form refuses.
    fn rounded(&mut self, _given: &[Tensor], _seed: u64, _run: u32) -> Result<Option<Answered>> {
        Ok(None)
    }

    /// The same with the constants moved that its file had to round, for each run from 1 to [`MOVED`]; None where it rounded none.
    ///
    /// # Errors
    /// What the form refuses.
    fn moved(&mut self, _given: &[Tensor], _run: u32) -> Result<Option<Answered>> {
        Ok(None)
    }

    /// Why it can be asked nothing more; None as long as what it refuses is its own to refuse.
    fn broken(&self) -> Option<Error> {
        None
    }
}

/// An ONNX graph in libtorch.
pub struct GraphForm {
    torch: Box<dyn Differentiator>,
    moved: Vec<Box<dyn Differentiator>>,
    graph: Arc<Graph>,
    /// Floats among the inputs that the outputs depend on, with their places.
    by: Vec<(usize, String)>,
    /// Floats among the outputs.
    terms: Vec<String>,
}

impl GraphForm {
    /// # Errors
    /// A graph with an operator that the interpreter does not have, or that does not say what it gives.
    pub fn open(torch: &dyn Torch, graph: Arc<Graph>, double: bool) -> Result<Self> {
        let options = Options {
            threads: 1,
            optimisation: Default::default(),
        };
        let names: Vec<String> = graph.outputs.iter().map(|p| p.name.clone()).collect();
        let steps = graph.ancestors(&names)?;
        let is_taken = |name: &String| steps.iter().any(|i| graph.steps[*i].inputs.contains(name));
        let is_float = |port: &crate::graph::Port| port.dtype.is_some_and(|d| d.is_float());
        let by = graph.inputs.iter().enumerate();
        let by = by.filter(|(_, port)| is_float(port) && is_taken(&port.name));
        let terms = graph.outputs.iter().filter(|port| is_float(port));
        let moved = (1..=MOVED).map_while(|run| constants::moved(&graph, run).filter(|_| double));
        Ok(Self {
            by: by.map(|(i, port)| (i, port.name.clone())).collect(),
            terms: terms.map(|port| port.name.clone()).collect(),
            moved: moved
                .map(|g| torch.differentiator(Arc::new(g), &options, double))
                .collect::<Result<_>>()?,
            torch: torch.differentiator(graph.clone(), &options, double)?,
            graph,
        })
    }

    /// One walk of the graph itself, or with its constants moved.
    fn walked(
        &mut self,
        given: &[Tensor],
        noise: Option<Noise>,
        moved: Option<u32>,
    ) -> Result<Answered> {
        let wrt: Vec<String> = self.by.iter().map(|(_, name)| name.clone()).collect();
        let keep: Vec<String> = self.graph.outputs.iter().map(|p| p.name.clone()).collect();
        let place = |n: &str| self.graph.inputs.iter().position(|p| p.name == n);
        let feed = |n: &str| place(n).and_then(|i| given.get(i).cloned());
        let torch = match moved {
            None => &mut self.torch,
            Some(run) => &mut self.moved[run as usize - 1],
        };
        let found = torch.run(&Ask {
            feed: &feed,
            terms: &self.terms,
            jointly: false,
            wrt: &wrt,
            replay: &HashMap::new(),
            noise,
            slopes: &[],
            keep: &keep,
        })?;
        let by = &self.by;
        let of = |(term, all): (&String, Vec<Option<Tensor>>)| {
            let one = |((i, _), g): (&(usize, String), Option<Tensor>)| (term.clone(), *i, g);
            by.iter().zip(all).map(one).collect::<Vec<_>>()
        };
        Ok(Answered {
            values: keep.into_iter().zip(found.kept).collect(),
            gradients: self.terms.iter().zip(found.by_term).flat_map(of).collect(),
        })
    }
}

impl Form for GraphForm {
    fn answer(&mut self, given: &[Tensor]) -> Result<Answered> {
        self.walked(given, None, None)
    }

    fn rounded(&mut self, given: &[Tensor], seed: u64, run: u32) -> Result<Option<Answered>> {
        let dtypes = HashMap::new();
        let noise = Noise {
            seed,
            run,
            dtypes: &dtypes,
            coherent: &[],
            exact_stays: true,
        };
        self.walked(given, Some(noise), None).map(Some)
    }

    fn moved(&mut self, given: &[Tensor], run: u32) -> Result<Option<Answered>> {
        match run as usize <= self.moved.len() {
            true => self.walked(given, None, Some(run)).map(Some),
            false => Ok(None),
        }
    }
}

/// A TorchScript.
pub struct ScriptForm(pub Box<dyn Scripted>);

impl Form for ScriptForm {
    fn answer(&mut self, given: &[Tensor]) -> Result<Answered> {
        self.0.run(given)
    }
}

/// Every float moved by one rounding of f32, of the largest number of its tensor (of 1 where all are 0): what a form that rounds well may make
/// of its inputs. Another sample for each run.
pub fn nudged(given: &[Tensor], seed: u64, run: u32) -> Vec<Tensor> {
    let one = |(i, t): (usize, &Tensor)| {
        let larger = |most: f64, v: &f64| most.max(v.abs());
        let largest = t.to_f64().iter().fold(0.0, larger);
        let size = if largest > 0.0 { largest } else { 1.0 };
        let step = size * f64::from(f32::EPSILON) / 2.0;
        let mut signs = noise::signs(seed, run, i);
        let moves: Vec<f64> = (0..t.numel())
            .map(|_| {
                if signs.next_u32() & 1 == 0 {
                    step
                } else {
                    -step
                }
            })
            .collect();
        floats(&double(t), |k, v| v + moves[k])
    };
    given.iter().enumerate().map(one).collect()
}

/// Floats in f64, anything else as it is.
pub fn double(t: &Tensor) -> Tensor {
    match t.dtype().is_float() {
        true => Tensor::from_vec(t.shape(), t.to_f64()),
        false => t.clone(),
    }
}

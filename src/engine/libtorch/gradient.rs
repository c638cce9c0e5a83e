//! gradient: the whole graph forward, held, and backward from each term: the gradient with respect to weights and tensors.

use super::call::Precision;
use super::convert::{from_torch, to_torch, torch_error};
use super::interpret;
use super::judge::{TorchJudge, widened};
use super::ops::is_float;
use parity::error::{Error, Place, Result};
use parity::floor::noise::{self, Amplitude};
use parity::floor::{Family, Rounding};
use parity::graph::{Attribute, Graph, Step};
use parity::subject::{Ask, Differentiator, Gradients, Judge, Noise, Options, Slope, unfed};
use parity::tensor;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tch::Tensor;

/// The graph with differentiable weights.
pub struct TorchGradient {
    graph: Arc<Graph>,
    precision: Precision,
    weights: HashMap<String, Tensor>,
    /// Says how large the noise of a step is; f64 only.
    judge: Option<TorchJudge>,
    /// The step after which a tensor is not needed any more.
    last: HashMap<String, usize>,
    /// The steps that the tensors lead back to which were asked for last.
    needed: Option<(Vec<String>, Vec<usize>)>,
}

impl TorchGradient {
    /// In the declared dtypes, or in f64.
    pub fn open(graph: Arc<Graph>, options: &Options, precision: Precision) -> Result<Self> {
        tch::set_num_threads(options.threads as i32);
        let weight = |t: &tensor::Tensor| -> Result<Tensor> {
            let own = to_torch(t)?;
            if precision == Precision::Double {
                widened(own)
            } else {
                Ok(own)
            }
        };
        let weights: HashMap<String, Tensor> = graph
            .weights
            .iter()
            .map(|(n, t)| Ok((n.clone(), weight(t)?)))
            .collect::<Result<_>>()?;
        let shared = |w: &HashMap<String, Tensor>| {
            w.iter()
                .map(|(n, t)| (n.clone(), t.shallow_clone()))
                .collect()
        };
        let judge = (precision == Precision::Double)
            .then(|| TorchJudge::sharing(graph.clone(), shared(&weights)));
        let last = graph
            .last_uses()
            .into_iter()
            .map(|(name, step)| (name.to_string(), step))
            .collect();
        Ok(Self {
            graph,
            precision,
            weights,
            judge,
            last,
            needed: None,
        })
    }

    /// Forward, up to the last term and the last tensor that is kept; returns the tensors asked for.
    fn forward(&mut self, ask: &Ask) -> Result<HashMap<String, Tensor>> {
        let graph = self.graph.clone();
        let coherent = ask.noise.iter().flat_map(|n| n.coherent).map(|c| &c.name);
        let wanted: HashSet<&str> = ask
            .terms
            .iter()
            .chain(ask.wrt)
            .chain(ask.slopes)
            .chain(ask.keep)
            .chain(coherent)
            .map(String::as_str)
            .collect();
        let ends = [ask.terms, ask.keep].concat();
        if self.needed.as_ref().is_none_or(|(of, _)| *of != ends) {
            let steps = graph.ancestors(&ends)?;
            self.needed = Some((
                ends,
                (0..graph.steps.len())
                    .filter(|i| steps.contains(i))
                    .collect(),
            ));
        }
        let needed = self
            .needed
            .as_ref()
            .map_or(vec![], |(_, steps)| steps.clone());
        let mut live: HashMap<String, Tensor> = HashMap::new();
        for name in ask.wrt.iter().filter(|n| self.weights.contains_key(*n)) {
            let leaf = self.weights[name]
                .f_detach()
                .and_then(|t| t.f_set_requires_grad(true))
                .map_err(torch_error)?;
            live.insert(name.clone(), leaf);
        }
        for (i, step) in needed.into_iter().map(|i| (i, &graph.steps[i])) {
            for name in &step.inputs {
                if !live.contains_key(name) && !self.weights.contains_key(name) {
                    let fed = self.fed(name, ask)?;
                    live.insert(name.clone(), fed);
                }
            }
            let lookup = |name: &str| {
                let found = live.get(name).or_else(|| self.weights.get(name));
                found
                    .map(Tensor::shallow_clone)
                    .ok_or_else(|| Error::failed(format!("tensor '{name}' is missing")))
            };
            let mut outputs = interpret::tensors(step, &graph, self.precision, &lookup)?;
            for (name, value) in step.outputs.iter().zip(&mut outputs) {
                if let Some(recorded) = ask.replay.get(name) {
                    *value = to_torch(recorded)?
                        .f_to_kind(value.kind())
                        .map_err(torch_error)?;
                }
            }
            if let Some(noise) = &ask.noise {
                outputs = self.disturbed(i, outputs, &live, ask, noise)?;
                outputs = coupled(i, step, outputs, &live, noise)?;
            }
            live.extend(step.outputs.iter().cloned().zip(outputs));
            for name in step.inputs.iter().chain(&step.outputs) {
                if self.last.get(name) == Some(&i) && !wanted.contains(name.as_str()) {
                    live.remove(name);
                }
            }
        }
        Ok(live)
    }

    /// An input of the graph; one that is differentiated by is a leaf.
    fn fed(&self, name: &String, ask: &Ask) -> Result<Tensor> {
        let fed = (ask.feed)(name).ok_or_else(|| unfed(name))?;
        let fed = to_torch(&fed)?;
        let fed = if self.precision == Precision::Double {
            widened(fed)?
        } else {
            fed
        };
        match ask.wrt.contains(name) {
            true => fed
                .f_detach()
                .and_then(|t| t.f_set_requires_grad(true))
                .map_err(torch_error),
            false => Ok(fed),
        }
    }

    /// Rounding noise behind step `i`: ± (B/R) on the values, and the same share of every gradient that comes back through them.
    fn disturbed(
        &mut self,
        i: usize,
        outputs: Vec<Tensor>,
        live: &HashMap<String, Tensor>,
        ask: &Ask,
        noise: &Noise,
    ) -> Result<Vec<Tensor>> {
        let graph = self.graph.clone();
        let Some(judge) = &mut self.judge else {
            return Err(Error::failed("noise is added in f64 only"));
        };
        let plain = outputs.iter().map(from_torch).collect::<Result<Vec<_>>>()?;
        let feed = |name: &str| live.get(name).and_then(|t| from_torch(t).ok());
        let rounding = judge.rounding(i, &feed, &plain)?;
        let names = &graph.steps[i].outputs;
        let both = outputs
            .into_iter()
            .zip(rounding)
            .zip(plain.iter().zip(names))
            .enumerate();
        both.map(|(k, ((y, rounding), (plain, name)))| match rounding {
            Rounding::Within {
                family,
                scale,
                terms,
            } if scale.shape() == plain.shape() && !ask.replay.contains_key(name) => {
                let amplitude = Amplitude::of(
                    family,
                    terms,
                    noise
                        .dtypes
                        .get(name)
                        .copied()
                        .unwrap_or(tensor::DType::F32),
                );
                let scale = if noise.exact_stays && family == Family::Arithmetic {
                    rounded(plain, &scale)
                } else {
                    scale
                };
                let mut rng = noise::signs(noise.seed, noise.run, i << 8 | k);
                shaken(&y, plain, &scale, amplitude, &mut rng).map(|t| t.unwrap_or(y))
            }
            Rounding::Within { .. }
            | Rounding::Exact
            | Rounding::Decision(_)
            | Rounding::Selection(_)
            | Rounding::Random => Ok(y),
        })
        .collect()
    }
}

/// A softmax takes a weighted sum of all gradients from each, in which nearly everything may cancel: what rounding does to the weights does
/// not. The values stay, and the backward of input j gets ± amplitude·p_j·Σ.
fn coupled(
    i: usize,
    step: &Step,
    outputs: Vec<Tensor>,
    live: &HashMap<String, Tensor>,
    noise: &Noise,
) -> Result<Vec<Tensor>> {
    let Some(node) = step
        .nodes
        .iter()
        .find(|n| ["Softmax", "LogSoftmax"].contains(&n.op.as_str()))
    else {
        return Ok(outputs);
    };
    let Some(x) = live
        .get(&node.inputs[0])
        .filter(|x| x.requires_grad() && x.numel() > 0)
    else {
        return Ok(outputs);
    };
    let axis = match node.attributes.get("axis") {
        Some(Attribute::Int(axis)) => *axis,
        _ => -1,
    };
    let shape: Vec<usize> = x.size().iter().map(|d| *d as usize).collect();
    let of = |value: f64| tensor::Tensor::from_vec(&shape, vec![value; x.numel()]);
    let dtype = noise
        .dtypes
        .get(&step.outputs[0])
        .copied()
        .unwrap_or(tensor::DType::F32);
    let terms = x
        .size()
        .get(axis.rem_euclid(shape.len().max(1) as i64) as usize)
        .copied()
        .unwrap_or(1);
    let amplitude = Amplitude::of(Family::Softmax, terms as usize, dtype);
    let mut rng = noise::signs(noise.seed ^ 0x636f_7570, noise.run, i);
    let Some(signs) = noise::disturbed(&of(0.0), &of(1.0), amplitude, &mut rng) else {
        return Ok(outputs);
    };
    let signs = to_torch(&signs)?;
    let one = |y: &Tensor| {
        let p = if node.op == "LogSoftmax" {
            y.f_exp()?.f_detach()?
        } else {
            y.f_detach()?
        };
        // A logit of −∞ has no weight in the sum, and 0 · ∞ none in the gradient.
        let sum = p
            .f_mul(&signs)?
            .f_mul(&x.f_nan_to_num(0.0, 0.0, 0.0)?)?
            .f_sum_dim_intlist(&[axis][..], true, x.kind())?;
        let still = sum.f_sub(&sum.f_detach()?)?;
        y.f_add(&if node.op == "LogSoftmax" {
            still
        } else {
            still.f_mul(&p)?
        })
    };
    outputs
        .iter()
        .map(|y| one(y).map_err(torch_error))
        .collect()
}

/// `scale`, but nothing where f32 holds the value: a correctly rounded operation gives it exactly.
fn rounded(value: &tensor::Tensor, scale: &tensor::Tensor) -> tensor::Tensor {
    let one = |(v, s): (f64, f64)| if f64::from(v as f32) == v { 0.0 } else { s };
    tensor::Tensor::from_vec(
        scale.shape(),
        value
            .to_f64()
            .into_iter()
            .zip(scale.to_f64())
            .map(one)
            .collect::<Vec<f64>>(),
    )
}

/// `y` + noise, and a backward that multiplies by 1 ± amplitude; None where there is nothing to disturb.
fn shaken(
    y: &Tensor,
    plain: &tensor::Tensor,
    scale: &tensor::Tensor,
    amplitude: Amplitude,
    rng: &mut rand_chacha::ChaCha8Rng,
) -> Result<Option<Tensor>> {
    let ones = tensor::Tensor::from_vec(plain.shape(), vec![1.0f64; plain.numel()]);
    let (Some(moved), Some(slope)) = (
        noise::disturbed(plain, scale, amplitude, rng),
        noise::disturbed(&ones, &ones, amplitude, rng),
    ) else {
        return Ok(None);
    };
    let (moved, slope) = (to_torch(&moved)?, to_torch(&slope)?);
    let is_finite = plain
        .values::<f64>()
        .is_some_and(|values| values.iter().all(|v| v.is_finite()));
    let behind = || {
        let bent = y.f_mul(&slope)?;
        let noise = moved.f_sub(&bent.f_detach()?)?;
        // What is infinite stays so: ∞ − ∞ would be NaN.
        let noise = if is_finite {
            noise
        } else {
            noise.f_masked_fill(&y.f_isfinite()?.f_logical_not()?, 0)?
        };
        bent.f_add(&noise)
    };
    behind().map(Some).map_err(torch_error)
}

impl Differentiator for TorchGradient {
    fn run(&mut self, ask: &Ask) -> Result<Gradients> {
        let live = self.forward(ask)?;
        let of = |name: &String| {
            live.get(name)
                .ok_or_else(|| Error::usage(format!("no tensor '{name}' to differentiate by")))
        };
        let wrt = ask.wrt.iter().map(of).collect::<Result<Vec<_>>>()?;
        let inside = ask.slopes.iter().map(of).collect::<Result<Vec<_>>>()?;
        let kept = |name: &String| {
            live.get(name)
                .ok_or_else(|| Error::usage(format!("no tensor '{name}' to keep")))
                .and_then(from_torch)
        };
        let mut all = Gradients {
            kept: ask.keep.iter().map(kept).collect::<Result<_>>()?,
            ..Gradients::default()
        };
        let asked: Vec<&Tensor> = wrt.iter().chain(&inside).copied().collect();
        let term = |(i, name): (usize, &String)| {
            let term = of(name)?;
            if !is_float(term) {
                return Err(Error::usage(format!(
                    "term '{name}' is {:?}{:?}, not real",
                    term.kind(),
                    term.size()
                )));
            }
            let disturbed = ask
                .noise
                .iter()
                .flat_map(|n| n.coherent)
                .filter_map(|c| Some((live.get(&c.name)?, c.by_term.get(i)?.as_ref()?)));
            tilted(term, disturbed).at(format!("gradient of '{name}'"))
        };
        let terms = ask
            .terms
            .iter()
            .enumerate()
            .map(term)
            .collect::<Result<Vec<_>>>()?;
        let at_once = if ask.jointly { terms.len() } else { 1 };
        for (i, (terms, names)) in terms
            .chunks(at_once.max(1))
            .zip(ask.terms.chunks(at_once.max(1)))
            .enumerate()
        {
            let more = (i + 1) * at_once < ask.terms.len();
            let mut found = backward(terms, &asked, more)
                .at(format!("gradient of '{}'", names.join("' and '")))?;
            let slopes = found.split_off(wrt.len());
            all.by_term.push(
                found
                    .iter()
                    .map(|g| g.as_ref().map(from_torch).transpose())
                    .collect::<Result<_>>()?,
            );
            all.slopes.push(
                slopes
                    .iter()
                    .map(|g| g.as_ref().map(slope).transpose())
                    .collect::<Result<_>>()?,
            );
        }
        Ok(all)
    }
}

/// The gradient of the sum of `terms` by each of `wrt`; None where no path leads from it to a term.
fn backward(terms: &[Tensor], wrt: &[&Tensor], keep: bool) -> Result<Vec<Option<Tensor>>> {
    let terms: Vec<&Tensor> = terms.iter().filter(|t| t.requires_grad()).collect();
    if terms.is_empty() {
        return Ok(wrt.iter().map(|_| None).collect());
    }
    // What no gradient can reach cannot be asked for either.
    let asked: Vec<&Tensor> = wrt.iter().copied().filter(|t| t.requires_grad()).collect();
    let found = Tensor::f_run_backward(&terms, &asked, keep, false).map_err(torch_error)?;
    let mut found = found.into_iter();
    Ok(wrt
        .iter()
        .map(|t| {
            t.requires_grad()
                .then(|| found.next())
                .flatten()
                .filter(Tensor::defined)
        })
        .collect())
}

/// `term` as it is, with a backward that adds a number per channel to the gradient of each of `disturbed`.
fn tilted<'a>(
    term: &Tensor,
    disturbed: impl Iterator<Item = (&'a Tensor, &'a Vec<f64>)>,
) -> Result<Tensor> {
    let mut sum = term.f_sum(term.kind()).map_err(torch_error)?;
    for (x, channels) in disturbed.filter(|(x, _)| x.requires_grad()) {
        let tilt = || {
            let over: Vec<i64> = (0..x.dim() as i64).filter(|a| *a != 1).collect();
            let weighted = x
                .f_sum_dim_intlist(&over[..], false, None)?
                .f_mul(&Tensor::f_from_slice(channels)?)?
                .f_sum(x.kind())?;
            weighted.f_sub(&weighted.f_detach()?)
        };
        sum = tilt().and_then(|t| sum.f_add(&t)).map_err(torch_error)?;
    }
    Ok(sum)
}

/// The mean |gradient| per channel.
fn slope(gradient: &Tensor) -> Result<Slope> {
    let over: Vec<i64> = (0..gradient.dim() as i64).filter(|a| *a != 1).collect();
    let mean = gradient
        .f_abs()
        .and_then(|g| g.f_mean_dim(&over[..], false, tch::Kind::Double))
        .map_err(torch_error)?;
    let mean: Vec<f64> = Vec::try_from(mean).map_err(torch_error)?;
    Ok(Slope {
        terms: gradient.numel() / mean.len().max(1),
        mean,
    })
}

#[cfg(test)]
mod tests {
    use super::super::ops::against_ort::{Case, f32s};
    use super::*;
    use parity::scenario::Optimisation;
    use parity::subject::Differentiator;

    fn open(graph: Graph, precision: Precision) -> TorchGradient {
        let options = Options {
            threads: 1,
            optimisation: Optimisation::Disable,
        };
        TorchGradient::open(Arc::new(graph), &options, precision).unwrap()
    }

    /// mean(x²) has the gradient 2x/n.
    #[test]
    fn the_gradient_of_a_mean_of_squares_is_two_x_over_n_in_both_precisions_and_noise_moves_it_a_little()
     {
        let case = Case::new("ReduceSumSquare", 13)
            .with(f32s(&[4], &[1.0, -2.0, 3.0, 0.5]))
            .int("keepdims", 0);
        for precision in [Precision::Declared, Precision::Double] {
            let mut graph = case.graph();
            let input = graph.inputs.remove(0).name;
            graph
                .weights
                .insert(input.clone(), f32s(&[4], &[1.0, -2.0, 3.0, 0.5]));
            let mut torch = open(graph.clone(), precision);
            let terms = [graph.outputs[0].name.clone()];
            let replay = HashMap::new();
            let ask = |noise| Ask {
                feed: &|_| None,
                terms: &terms,
                jointly: false,
                wrt: std::slice::from_ref(&input),
                replay: &replay,
                noise,
                slopes: &[],
                keep: &[],
            };
            let exact = torch.run(&ask(None)).unwrap().by_term[0][0]
                .clone()
                .unwrap();
            assert_eq!(exact.to_f64(), [2.0, -4.0, 6.0, 1.0]);
            if precision == Precision::Double {
                let dtypes = HashMap::new();
                let noisy = torch
                    .run(&ask(Some(Noise {
                        seed: 1,
                        run: 1,
                        dtypes: &dtypes,
                        coherent: &[],
                        exact_stays: false,
                    })))
                    .unwrap()
                    .by_term[0][0]
                    .clone()
                    .unwrap();
                let moved: f64 = noisy
                    .to_f64()
                    .iter()
                    .zip(exact.to_f64())
                    .map(|(a, b)| (a - b).abs())
                    .fold(0.0, f64::max);
                assert!(moved > 1e-9 && moved < 1e-4, "{moved}");
            }
        }
    }

    /// The gradient of −log p of a saturated logit is 2·10⁻⁹: in f32 it is 0 or a multiple of 6·10⁻⁸.
    #[test]
    fn noise_shows_what_cancels_inside_the_backward_of_a_softmax() {
        let mut graph = Case::new("LogSoftmax", 13)
            .with(f32s(&[2], &[0.0, -20.0]))
            .graph();
        let input = graph.inputs.remove(0).name;
        graph
            .weights
            .insert(input.clone(), f32s(&[2], &[0.0, -20.0]));
        let terms = [graph.outputs[0].name.clone()];
        let mut torch = open(graph, Precision::Double);
        let (replay, dtypes) = (HashMap::new(), HashMap::new());
        let mut moved = 0.0f64;
        for run in 0..4 {
            let noise = (run > 0).then_some(Noise {
                seed: 1,
                run,
                dtypes: &dtypes,
                coherent: &[],
                exact_stays: false,
            });
            let wrt = std::slice::from_ref(&input);
            let ask = Ask {
                feed: &|_| None,
                terms: &terms,
                jointly: false,
                wrt,
                replay: &replay,
                noise,
                slopes: &[],
                keep: &terms,
            };
            let found = torch.run(&ask).unwrap();
            assert!(found.kept[0].to_f64()[0].abs() < 1e-5);
            // Of the sum of both logs: 1 − 2p.
            moved = moved.max((found.by_term[0][0].as_ref().unwrap().to_f64()[0] + 1.0).abs());
        }
        assert!(moved > 1e-7 && moved < 1e-4, "{moved}");
    }

    /// Each half of x is a term of its own.
    #[test]
    fn terms_differentiated_jointly_give_the_sum_of_their_gradients() {
        let mut graph = Case::new("Split", 13)
            .with(f32s(&[2], &[3.0, -2.0]))
            .outputs(2)
            .graph();
        let input = graph.inputs.remove(0).name;
        graph
            .weights
            .insert(input.clone(), f32s(&[2], &[3.0, -2.0]));
        let terms: Vec<String> = graph.outputs.iter().map(|p| p.name.clone()).collect();
        let mut torch = open(graph, Precision::Double);
        let replay = HashMap::new();
        let mut by = |jointly| {
            let wrt = std::slice::from_ref(&input);
            let ask = Ask {
                feed: &|_| None,
                terms: &terms,
                jointly,
                wrt,
                replay: &replay,
                noise: None,
                slopes: &[],
                keep: &[],
            };
            torch
                .run(&ask)
                .unwrap()
                .by_term
                .into_iter()
                .map(|g| g[0].as_ref().unwrap().to_f64())
                .collect::<Vec<_>>()
        };
        assert_eq!(by(false), [[1.0, 0.0], [0.0, 1.0]]);
        assert_eq!(by(true), [[1.0, 1.0]]);
    }

    #[test]
    fn what_no_path_reaches_has_no_gradient() {
        let mut graph = Case::new("Abs", 13).with(f32s(&[1], &[-2.0])).graph();
        let input = graph.inputs.remove(0).name;
        graph.weights.insert(input.clone(), f32s(&[1], &[-2.0]));
        graph.weights.insert("unused".into(), f32s(&[1], &[1.0]));
        let terms = [graph.outputs[0].name.clone()];
        let mut torch = open(graph, Precision::Declared);
        let wrt = [input, "unused".to_string()];
        let replay = HashMap::new();
        let ask = Ask {
            feed: &|_| None,
            terms: &terms,
            jointly: false,
            wrt: &wrt,
            replay: &replay,
            noise: None,
            slopes: &[],
            keep: &[],
        };
        let found = torch.run(&ask).unwrap().by_term;
        assert_eq!(found[0][0].as_ref().unwrap().to_f64(), [-1.0]);
        assert!(found[0][1].is_none());
    }
}

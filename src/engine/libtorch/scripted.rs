//! scripted: a TorchScript file by itself, forward and backward: what it takes by its own declaration, what it gives, autograd's gradients.

use super::convert::{from_torch, to_torch, torch_error};
use super::judge::widened;
use super::ops::is_float;
use super::script::{flatten, last_line, load};
use parity::error::{Error, Result};
use parity::subject::{Answered, Argument, Scripted};
use parity::tensor;
use std::path::{Path, PathBuf};
use tch::{CModule, Device, IValue, Kind, Tensor};

/// The module, in f64 or as it was saved.
pub struct ScriptGradient {
    path: PathBuf,
    module: CModule,
    takes: Vec<Argument>,
    double: bool,
}

impl ScriptGradient {
    /// # Errors
    /// A file that is no TorchScript.
    pub fn open(path: &Path, double: bool) -> Result<Self> {
        tch::set_num_threads(1);
        let mut module = load(path)?;
        let takes = declared(&module);
        if double {
            module.to(Device::Cpu, Kind::Double, false);
        }
        Ok(Self {
            path: path.into(),
            module,
            takes,
            double,
        })
    }

    /// What it is given: floats are leaves that are differentiated by; a scalar is a number where the script declares one.
    fn leaf(&self, given: &tensor::Tensor, of: &str) -> Result<IValue> {
        match (of, given.to_f64().as_slice()) {
            ("int", [number]) => return Ok(IValue::Int(*number as i64)),
            ("float", [number]) => return Ok(IValue::Double(*number)),
            ("bool", [number]) => return Ok(IValue::Bool(*number != 0.0)),
            _ => {}
        }
        let own = to_torch(given)?;
        let own = if self.double { widened(own)? } else { own };
        let own = own.f_detach().map_err(torch_error)?;
        let leaf = match is_float(&own) {
            true => own.f_set_requires_grad(true).map_err(torch_error)?,
            false => own,
        };
        Ok(IValue::Tensor(leaf))
    }

    fn refused(&self, e: &tch::TchError) -> Error {
        Error::usage(format!(
            "script {} refuses it: {}",
            self.path.display(),
            last_line(e)
        ))
    }
}

impl Scripted for ScriptGradient {
    fn takes(&self) -> &[Argument] {
        &self.takes
    }

    fn run(&mut self, given: &[tensor::Tensor]) -> Result<Answered> {
        let kinds = self.takes.iter().map(|t| t.of.as_str());
        let leaves = given
            .iter()
            .zip(kinds.chain(std::iter::repeat("Tensor")))
            .map(|(t, of)| self.leaf(t, of))
            .collect::<Result<Vec<_>>>()?;
        let said = self.module.forward_is(&leaves);
        let said = said.map_err(|e| self.refused(&e))?;
        let mut outputs = vec![];
        flatten(&said, "", &mut outputs)?;
        let by: Vec<(usize, &Tensor)> = leaves
            .iter()
            .enumerate()
            .filter_map(|(i, leaf)| match leaf {
                IValue::Tensor(t) if t.requires_grad() => Some((i, t)),
                _ => None,
            })
            .collect();
        let mut all = Answered::default();
        for (name, output) in &outputs {
            if is_float(output) {
                let found = backward(output, &by).map_err(|e| self.refused(&e))?;
                let one = |((i, _), g): (&(usize, &Tensor), Option<Tensor>)| {
                    let gradient = g.map(|g| from_torch(&g)).transpose()?;
                    Ok((name.clone(), *i, gradient))
                };
                let found = by.iter().zip(found).map(one).collect::<Result<Vec<_>>>()?;
                all.gradients.extend(found);
            }
            let value = from_torch(&output.f_detach().map_err(torch_error)?)?;
            all.values.push((name.clone(), value));
        }
        Ok(all)
    }
}

/// The gradient of the sum of `output` by each leaf; None where no path leads there. The outputs share a graph, which is kept.
fn backward(
    output: &Tensor,
    by: &[(usize, &Tensor)],
) -> std::result::Result<Vec<Option<Tensor>>, tch::TchError> {
    if !output.requires_grad() || by.is_empty() {
        return Ok(by.iter().map(|_| None).collect());
    }
    let leaves: Vec<&Tensor> = by.iter().map(|(_, t)| *t).collect();
    let sum = output.f_sum(output.kind())?;
    let found = Tensor::f_run_backward(&[&sum], &leaves, true, false)?;
    Ok(found
        .into_iter()
        .map(|g| g.defined().then_some(g))
        .collect())
}

/// The arguments of `forward` that are not optional. libtorch says them only when it refuses a call, and it refuses one without any.
fn declared(module: &CModule) -> Vec<Argument> {
    let none: &[IValue] = &[];
    let said = match module.forward_is(none) {
        Ok(_) => return vec![],
        Err(e) => e.to_string(),
    };
    let list = said
        .split("Declaration: forward(")
        .nth(1)
        .and_then(|rest| rest.split(") ->").next())
        .unwrap_or_default();
    arguments(list)
}

/// `__torch__.Loss self, Tensor pred, int n, Tensor? weight=None`, without itself and those that need not be given.
fn arguments(list: &str) -> Vec<Argument> {
    let one = |text: &str| {
        let (of, name) = text.trim().rsplit_once(' ')?;
        let named = !name.contains('=') && name != "self";
        named.then(|| Argument {
            name: name.into(),
            of: of.trim().into(),
        })
    };
    list.split(", ").filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use parity::tensor::Tensor as Given;

    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/torchscript");

    fn open(name: &str, double: bool) -> ScriptGradient {
        ScriptGradient::open(&Path::new(FOLDER).join(name), double).unwrap()
    }

    #[test]
    fn a_script_says_what_it_takes() {
        let of = |name: &str, of: &str| Argument {
            name: name.into(),
            of: of.into(),
        };
        assert_eq!(open("small.pt", false).takes(), [of("x", "Tensor")]);
        assert_eq!(
            open("part.pt", false).takes(),
            [of("x", "Tensor"), of("rate", "int")]
        );
        let list = "__torch__.L self, Tensor a, Tensor? w=None, float k";
        assert_eq!(arguments(list), [of("a", "Tensor"), of("k", "float")]);
    }

    #[test]
    fn the_gradient_of_each_output_is_that_of_its_sum() {
        // y = relu(x w + b) and q before the activation; the sum of q has the sums of the rows of w as its gradient.
        let x = Given::of(&[1, 3], &[0.5f32, -1.0, 2.0]);
        for double in [false, true] {
            let said = open("small.pt", double)
                .run(std::slice::from_ref(&x))
                .unwrap();
            let names: Vec<&str> = said.values.iter().map(|(n, _)| n.as_str()).collect();
            assert_eq!(names, ["0", "1.q"]);
            let of_q = said.gradients.iter().find(|g| g.0 == "1.q").unwrap();
            let gradient = of_q.2.as_ref().unwrap();
            let sums: Vec<f64> = (0..3)
                .map(|row| (0..4).map(|k| 0.37 * f64::from(4 * row + k) - 2.0).sum())
                .collect();
            for (found, sum) in gradient.to_f64().iter().zip(sums) {
                assert!((found - sum).abs() < 1e-5, "{gradient:?}");
            }
            let dtype = if double {
                tensor::DType::F64
            } else {
                tensor::DType::F32
            };
            assert_eq!(said.values[0].1.dtype(), dtype);
        }
    }
}

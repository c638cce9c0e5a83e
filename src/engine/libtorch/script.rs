//! script: a TorchScript file as a subject: libtorch runs it as a whole, and its outputs stand beside those that the graph declares.

use super::convert::{from_torch, to_torch, torch_error};
use super::value::Value;
use parity::error::{Error, Place, Result, hint};
use parity::graph::Graph;
use parity::graph::cut::Link;
use parity::scenario::TorchScript;
use parity::subject::{Feed, Options, Output, Session, unfed};
use parity::tensor::Tensor;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use tch::{CModule, IValue};

/// A TorchScript module in the place of the graph.
pub struct Script {
    graph: Arc<Graph>,
    path: PathBuf,
    module: CModule,
    /// What it is given, in the order of its arguments.
    takes: Vec<Argument>,
    /// Declared output -> what the script calls it: a place, or the key of a dictionary.
    gives: HashMap<String, String>,
    /// What it said last, and to what: it is asked once for the same inputs, because a module may keep a state.
    answer: Option<Answer>,
}

struct Answer {
    fed: Vec<Option<Tensor>>,
    said: HashMap<String, Tensor>,
}

impl Answer {
    /// Whether it was given to these inputs. What is fed no more at a later step is what it was: a new case begins with all of them.
    fn answers(&self, fed: &[Option<Tensor>]) -> bool {
        let same = |a: &Tensor, b: &Tensor| {
            (a.dtype(), a.shape(), a.bytes()) == (b.dtype(), b.shape(), b.bytes())
        };
        self.fed
            .iter()
            .zip(fed)
            .all(|(was, now)| was.iter().zip(now).all(|(was, now)| same(was, now)))
    }
}

/// `NAME`, or `NAME[FROM:TO]`: a part of the last axis.
struct Argument {
    text: String,
    name: String,
    part: Option<(i64, Option<i64>)>,
}

impl Argument {
    fn parse(text: &str, graph: &Graph) -> Result<Self> {
        let wrong = || Error::usage(format!("takes: '{text}' is neither NAME nor NAME[FROM:TO]"));
        let (name, part) = match text.split_once('[') {
            None => (text, None),
            Some((name, rest)) => {
                let (from, to) = rest
                    .strip_suffix(']')
                    .and_then(|r| r.split_once(':'))
                    .ok_or_else(wrong)?;
                let number = |t: &str| t.trim().parse::<i64>().map_err(|_| wrong());
                let from = if from.trim().is_empty() {
                    0
                } else {
                    number(from)?
                };
                (
                    name,
                    Some((
                        from,
                        if to.trim().is_empty() {
                            None
                        } else {
                            Some(number(to)?)
                        },
                    )),
                )
            }
        };
        let known = || graph.inputs.iter().map(|p| p.name.as_str());
        if !known().any(|k| k == name) {
            let next = format!(
                "{}its inputs: {}",
                hint(name, known()),
                known().collect::<Vec<_>>().join(", ")
            );
            return Err(Error::usage(format!("takes: the model has no input '{name}'")).next(next));
        }
        Ok(Self {
            text: text.into(),
            name: name.into(),
            part,
        })
    }

    /// What the module is given; a scalar integer as a number where `numbers`.
    fn value(&self, feed: Feed, numbers: bool) -> Result<IValue> {
        let fed = feed(&self.name).ok_or_else(|| unfed(&self.name))?;
        if let (true, Some([number])) = (numbers && fed.shape().is_empty(), fed.values::<i64>()) {
            return Ok(IValue::Int(*number));
        }
        let tensor = to_torch(&fed)?;
        match self.part {
            None => Ok(IValue::Tensor(tensor)),
            Some(_) if fed.shape().is_empty() => Err(Error::usage(format!(
                "takes: '{}' is a scalar and has no part",
                self.text
            ))),
            Some((from, to)) => tensor
                .f_slice(-1, from, to, 1)
                .map(IValue::Tensor)
                .map_err(torch_error),
        }
    }
}

impl Script {
    /// # Errors
    /// A file that is no TorchScript; a name that the graph does not have.
    pub fn open(graph: Arc<Graph>, subject: &TorchScript, options: &Options) -> Result<Self> {
        tch::set_num_threads(options.threads as i32);
        let path = subject.script.clone();
        let module = load(&path)?;
        let outputs = || graph.outputs.iter().map(|p| p.name.as_str());
        if let Some(name) = subject.rename.keys().find(|n| !outputs().any(|o| o == *n)) {
            let next = format!(
                "{}its outputs: {}",
                hint(name, outputs()),
                outputs().collect::<Vec<_>>().join(", ")
            );
            return Err(
                Error::usage(format!("rename: the graph declares no output '{name}'")).next(next),
            );
        }
        let all: Vec<String> = graph.inputs.iter().map(|p| p.name.clone()).collect();
        let takes = subject
            .takes
            .as_ref()
            .unwrap_or(&all)
            .iter()
            .map(|t| Argument::parse(t, &graph))
            .collect::<Result<_>>()?;
        let gives = outputs().enumerate().map(|(i, n)| {
            (
                n.to_string(),
                subject.rename.get(n).cloned().unwrap_or(i.to_string()),
            )
        });
        let gives = if subject.rename.is_empty() {
            gives.collect()
        } else {
            subject.rename.clone().into_iter().collect()
        };
        Ok(Self {
            takes,
            gives,
            path,
            module,
            graph,
            answer: None,
        })
    }

    fn answer(&mut self, feed: Feed) -> Result<&HashMap<String, Tensor>> {
        let fed: Vec<Option<Tensor>> = self.takes.iter().map(|t| feed(&t.name)).collect();
        let answer = match self.answer.take() {
            Some(answer) if answer.answers(&fed) => answer,
            last => {
                // Other inputs are asked of a module that has seen none before.
                if last.is_some() {
                    self.module = load(&self.path)?;
                }
                Answer {
                    said: self.said(feed)?,
                    fed,
                }
            }
        };
        Ok(&self.answer.insert(answer).said)
    }

    /// What one run of the script gives, under the names of the graph.
    fn said(&self, feed: Feed) -> Result<HashMap<String, Tensor>> {
        let _no_grad = tch::no_grad_guard();
        let given = |numbers: bool| {
            self.takes
                .iter()
                .map(|t| t.value(feed, numbers))
                .collect::<Result<Vec<_>>>()
        };
        let (first, second) = (given(true)?, given(false)?);
        // A script may declare a scalar as a number or as a tensor; which, it says by refusing the other.
        let said = self
            .module
            .forward_is(&first)
            .or_else(|e| self.module.forward_is(&second).map_err(|_| e));
        let said = said.map_err(|e| self.refused(&e, &first))?;
        let mut all = vec![];
        flatten(&said, "", &mut all)?;
        let held = |(name, t): (String, tch::Tensor)| {
            Ok((name, from_torch(&t.f_detach().map_err(torch_error)?)?))
        };
        self.paired(all.into_iter().map(held).collect::<Result<_>>()?)
    }

    /// The script's outputs under the names of the graph.
    fn paired(&self, all: HashMap<String, Tensor>) -> Result<HashMap<String, Tensor>> {
        let mut names: Vec<&str> = all.keys().map(String::as_str).collect();
        names.sort_unstable();
        let mut paired = HashMap::new();
        for (ours, theirs) in &self.gives {
            // One tensor is output 0; a dictionary is told by its keys where nothing else was said.
            match all.get(theirs).or_else(|| all.get(ours)) {
                Some(t) => drop(paired.insert(ours.clone(), t.clone())),
                None => {
                    let (path, has) = (self.path.display(), names.join(", "));
                    return Err(Error::usage(format!("script {path} gives no '{theirs}' for output '{ours}'; it gives {has}"))
                        .next("rename = { OUTPUT = \"PLACE or KEY\" } names those that it does give, and only those are compared"));
                }
            }
        }
        Ok(paired)
    }

    /// The script did not take what it was given: what that was, and how to give it something else.
    fn refused(&self, e: &tch::TchError, given: &[IValue]) -> Error {
        let shown = |(t, v): (&Argument, &IValue)| match v {
            IValue::Tensor(x) => format!(
                "'{}' {}",
                t.text,
                Value::Tensor(x.shallow_clone()).describe()
            ),
            IValue::Int(n) => format!("'{}' {n}", t.text),
            other => format!("'{}' {other:?}", t.text),
        };
        let fed: Vec<String> = self.takes.iter().zip(given).map(shown).collect();
        let unused: Vec<&str> = self
            .graph
            .inputs
            .iter()
            .map(|p| p.name.as_str())
            .filter(|n| self.takes.iter().all(|t| t.name != *n))
            .collect();
        let unused = if unused.is_empty() {
            String::new()
        } else {
            format!("; not given: {}", unused.join(", "))
        };
        Error::usage(format!("stage inputs: script {} refuses {}{unused}: {}", self.path.display(), fed.join(", "), last_line(e))).next(
            "takes = [\"NAME\", \"NAME[FROM:TO]\", ...] says which inputs of the model it is given, in the order of its arguments; FROM:TO is the part \
             of the last axis that it takes where the model wants more, such as samples of context: give the model both, the script its part",
        )
    }
}

/// The module at `path`, or an error: what is not even an archive is told before libtorch sees it.
pub fn load(path: &std::path::Path) -> Result<CModule> {
    let place = format!("script {}", path.display());
    let bytes = std::fs::read(path)
        .map_err(|e| Error::usage(e.to_string()))
        .at(&place)?;
    let module = match bytes.starts_with(b"PK") {
        true => CModule::load_data(&mut &bytes[..]).map_err(|e| last_line(&e)),
        false => Err("it is no zip archive".into()),
    };
    let module = module.map_err(|e| Error::usage(format!("not a readable TorchScript file: {e}")));
    module.at(place).map_err(|e| e.next("write it by torch.jit.script(module) or torch.jit.trace(module, inputs), then .save(FILE)"))
}

/// What is said last: a script's own error, or the first line of libtorch's.
pub fn last_line(e: &tch::TchError) -> String {
    let text = e.to_string();
    let own =
        text.lines().rev().map(str::trim).find(|l| {
            l.contains("Error:") || l.contains("Exception:") || l.starts_with("builtins.")
        });
    own.or(text.lines().map(str::trim).find(|l| !l.is_empty()))
        .unwrap_or("unknown error")
        .to_string()
}

/// Every tensor of a nested value, by place ("0", "1.0") or key.
pub fn flatten(value: &IValue, at: &str, all: &mut Vec<(String, tch::Tensor)>) -> Result<()> {
    let below = |key: &str| {
        if at.is_empty() {
            key.to_string()
        } else {
            format!("{at}.{key}")
        }
    };
    let name = || {
        if at.is_empty() {
            "0".to_string()
        } else {
            at.to_string()
        }
    };
    match value {
        IValue::Tensor(t) => all.push((name(), t.shallow_clone())),
        IValue::Tuple(list) | IValue::GenericList(list) => list
            .iter()
            .enumerate()
            .try_for_each(|(i, v)| flatten(v, &below(&i.to_string()), all))?,
        IValue::TensorList(list) => {
            let named = |(i, t): (usize, &tch::Tensor)| (below(&i.to_string()), t.shallow_clone());
            all.extend(list.iter().enumerate().map(named));
        }
        IValue::GenericDict(list) => {
            for (key, v) in list {
                let IValue::String(key) = key else {
                    return Err(Error::failed("a dictionary whose keys are no strings"));
                };
                flatten(v, &below(key), all)?;
            }
        }
        // Numbers and text are no tensors: what is asked for and not found is named.
        _ => {}
    }
    Ok(())
}

impl Session for Script {
    fn tensors(&mut self, names: &[&str], _link: Link, feed: Feed) -> Result<Vec<Output>> {
        let answer = self.answer(feed)?;
        let one = |n: &&str| {
            answer
                .get(*n)
                .cloned()
                .ok_or_else(|| "the script shows declared outputs only".to_string())
        };
        Ok(names.iter().map(one).collect())
    }

    fn forward(&mut self, feed: Feed) -> Result<Option<Vec<(String, Tensor)>>> {
        self.said(feed).map(|all| Some(all.into_iter().collect()))
    }

    fn can_isolate(&self) -> bool {
        false
    }
}

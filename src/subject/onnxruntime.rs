//! onnxruntime: the ONNX graph in ONNX Runtime, cut into pieces in which every intermediate is an output.
//!
//! A piece observes all of its tensors, so nothing can be fused across them; the pieces are fed each other's outputs, bit for
//! bit. The un-observed run is the user's file in one session at full optimisation: what users deploy.

mod optimisers;
mod session;
mod shapes;
mod values;

pub use shapes::shapes;
pub use values::values;

use super::{Deployed, Feed, Options, Output, Session, Whole, unfed};
use crate::error::{Error, Place, Result};
use crate::graph::cut::{self, Link};
use crate::graph::places::Places;
use crate::graph::{Graph, Step};
use crate::scenario::Optimisation;
use crate::tensor::{DType, Storage, Tensor};
use ort::memory::Allocator;
use ort::session::builder::SessionBuilder;
use ort::session::{Session as OrtSession, SessionInputValue, SessionInputs};
use ort::value::{DynTensor, DynTensorValueType, DynValue, TensorElementType};
use session::{environment, repeatable};
use std::any::Any;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

/// Version line of the loaded library.
pub fn version() -> Result<String> {
    environment()?;
    // The library says its commit and flags, not its version; the file it is shipped as carries that.
    let file = crate::native::onnxruntime()
        .path
        .and_then(|p| p.canonicalize().ok())
        .and_then(|p| p.file_name().map(|n| n.to_string_lossy().into_owned()));
    let stated = file
        .as_deref()
        .and_then(|n| n.split_once(".so."))
        .map(|(_, v)| v.to_string());
    Ok(stated.unwrap_or_else(|| ort::info().to_string()))
}

/// One graph in ONNX Runtime.
pub struct OnnxRuntime {
    graph: Arc<Graph>,
    places: Places,
    options: Options,
    /// The piece that ran last, kept because proving a piece runs it twice; every piece that ran, where they will be asked for again.
    pieces: Vec<Piece>,
    keep: bool,
    /// The whole model as it is judged, where it will be asked for again.
    judged: Option<Entire>,
    /// The whole model as it is timed.
    timed: Option<Entire>,
}

struct Piece {
    steps: Vec<usize>,
    link: Link,
    inputs: Vec<String>,
    session: OrtSession,
}

/// A tensor that ONNX Runtime owns.
struct Held(DynTensor, usize);

impl Storage for Held {
    fn bytes(&self) -> &[u8] {
        if self.1 == 0 {
            return &[];
        }
        // SAFETY: a CPU tensor of ONNX Runtime is contiguous; its byte length was computed from its own shape and dtype.
        unsafe { std::slice::from_raw_parts(self.0.data_ptr() as *const u8, self.1) }
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

/// What an ONNX Runtime error means to the user.
fn ort_error<T>(e: ort::Error<T>) -> Error {
    Error::failed(format!(
        "onnxruntime: {}",
        e.to_string().trim().replace('\n', " ")
    ))
}

impl OnnxRuntime {
    pub fn open(graph: Arc<Graph>, options: &Options) -> Result<Self> {
        environment()?;
        Ok(Self {
            places: Places::of(&graph),
            graph,
            options: options.clone(),
            pieces: vec![],
            keep: false,
            judged: None,
            timed: None,
        })
    }

    /// Threads on which `steps` are one function of their inputs: a quantised LSTM takes the range of each thread's part of the batch, so that
    /// on two threads the numbers are others than on one.
    fn threads<'a>(&self, mut steps: impl Iterator<Item = &'a Step>) -> usize {
        let by_part = |step: &Step| step.nodes.iter().any(|n| n.op == "DynamicQuantizeLSTM");
        if steps.any(by_part) {
            1
        } else {
            self.options.threads
        }
    }

    fn run_piece(&mut self, steps: &[usize], link: Link, feed: Feed) -> Result<Vec<Vec<Output>>> {
        let graph = self.graph.clone();
        // Told only where something fails: every piece comes here several times.
        let placed = |e: Error| e.at(place(&graph, steps, feed));
        let piece = self.piece(steps, link, feed).map_err(placed)?;
        let inputs = piece.inputs.clone();
        let mut results =
            run(&mut piece.session, &inputs, &|n| cut::entry(link, n), feed).map_err(placed)?;
        let mut take = |name: &String| {
            results
                .remove(name)
                .map(Ok)
                .ok_or_else(|| Error::failed(format!("onnxruntime returned no '{name}'")))
        };
        steps
            .iter()
            .map(|i| graph.steps[*i].outputs.iter().map(&mut take).collect())
            .collect()
    }

    /// What the first step of a failed piece that fails alone says.
    fn culprit(&mut self, steps: &[usize], link: Link, feed: Feed) -> Option<Error> {
        let graph = self.graph.clone();
        let mut own: HashMap<&str, Tensor> = HashMap::new();
        for step in steps {
            let outputs = {
                let known = |n: &str| {
                    own.get(n)
                        .filter(|_| link == Link::Connected)
                        .cloned()
                        .or_else(|| feed(n))
                };
                match self.run_piece(&[*step], link, &known) {
                    Ok(mut outputs) => outputs.remove(0),
                    Err(e) => return Some(e),
                }
            };
            own.extend(
                graph.steps[*step]
                    .outputs
                    .iter()
                    .map(String::as_str)
                    .zip(outputs)
                    .filter_map(|(n, v)| Some((n, v.ok()?))),
            );
        }
        None
    }

    /// The session of a piece: one that is open, or a new one.
    fn piece(&mut self, steps: &[usize], link: Link, feed: Feed) -> Result<&mut Piece> {
        let at = match self
            .pieces
            .iter()
            .position(|p| p.steps == steps && p.link == link)
        {
            Some(at) => at,
            None => {
                let cut = cut::cut(&self.graph, steps, link, &|name| {
                    feed(name).map(|t| t.dtype())
                });
                if let Some(name) = cut.inputs.iter().find(|n| feed(n).is_none()) {
                    return Err(unfed(name));
                }
                if !self.keep {
                    self.pieces.clear();
                }
                let threads = self.threads(steps.iter().map(|i| &self.graph.steps[*i]));
                let session = repeatable(threads, self.options.optimisation, &[])?
                    .commit_from_memory(&cut.model)
                    .map_err(ort_error)?;
                self.pieces.push(Piece {
                    steps: steps.to_vec(),
                    link,
                    inputs: cut.inputs,
                    session,
                });
                self.pieces.len() - 1
            }
        };
        Ok(&mut self.pieces[at])
    }
}

impl Session for OnnxRuntime {
    fn tensors(&mut self, names: &[&str], link: Link, feed: Feed) -> Result<Vec<Output>> {
        let steps = self.places.steps(names)?;
        let outputs = match self.run_piece(&steps, link, feed) {
            Err(e) if steps.len() > 1 => Err(self.culprit(&steps, link, feed).unwrap_or(e)),
            done => done,
        }?;
        self.places.pick(names, &steps, outputs)
    }

    fn keep(&mut self) {
        self.keep = true;
    }

    fn unobserved(&mut self, feed: Feed) -> Result<Option<Vec<(String, Tensor)>>> {
        let mut whole = match self.judged.take() {
            Some(whole) => whole,
            None => self.entire(&DEPLOYED)?,
        };
        let outputs = whole.run(feed)?;
        self.judged = Some(whole).filter(|_| self.keep);
        Ok(Some(outputs))
    }

    fn optimisers(&self) -> &'static [&'static str] {
        optimisers::ALL
    }

    fn deployed(&mut self, feed: Feed, how: &Deployed) -> Result<Option<Vec<(String, Tensor)>>> {
        self.entire(how)?.run(feed).map(Some)
    }

    fn forward(&mut self, feed: Feed) -> Result<Option<Vec<(String, Tensor)>>> {
        if self.timed.is_none() {
            self.timed = Some(self.fast()?);
        }
        self.timed.as_mut().map(|whole| whole.run(feed)).transpose()
    }
}

/// Where external data lies of a model that is no file.
const EXTERNAL: &str = "session.model_external_initializers_file_folder_path";

/// What users run: everything optimised, nothing observed.
const DEPLOYED: Deployed = Deployed {
    level: Optimisation::All,
    without: &[],
    observed: &[],
};

/// A whole model, opened.
struct Entire {
    session: OrtSession,
    inputs: Vec<String>,
    outputs: Vec<String>,
}

impl OnnxRuntime {
    /// `graph` as users run it.
    pub fn whole(graph: &Arc<Graph>, threads: usize) -> Result<impl Whole + use<>> {
        let options = Options {
            threads,
            optimisation: Optimisation::All,
        };
        Self::open(graph.clone(), &options)?.entire(&DEPLOYED)
    }

    fn entire(&self, how: &Deployed) -> Result<Entire> {
        let threads = self.threads(self.graph.steps.iter());
        let session = self
            .committed(repeatable(threads, how.level, how.without)?, how.observed)
            .at("the whole model")?;
        Ok(self.held(session))
    }

    /// A session of the user's file, where the graph is still what it says; else of the graph, encoded anew.
    fn committed(&self, mut builder: SessionBuilder, observed: &[String]) -> Result<OrtSession> {
        let Some(file) = &self.graph.file else {
            return builder
                .commit_from_memory(&cut::whole(&self.graph, observed))
                .map_err(ort_error);
        };
        if observed.is_empty() {
            return builder.commit_from_file(file).map_err(ort_error);
        }
        let bytes =
            std::fs::read(file).map_err(|e| Error::failed(format!("{}: {e}", file.display())))?;
        if let Some(folder) = file.parent().filter(|f| !f.as_os_str().is_empty()) {
            builder = builder
                .with_config_entry(EXTERNAL, folder.to_string_lossy())
                .map_err(ort_error)?;
        }
        builder
            .commit_from_memory(&cut::observing(bytes, observed)?)
            .map_err(ort_error)
    }

    /// The whole model as ONNX Runtime comes: optimised, with its arena, its memory pattern and its spinning threads.
    fn fast(&self) -> Result<Entire> {
        let builder = session::builder(self.options.threads, Ok)?;
        Ok(self.held(self.committed(builder, &[]).at("the whole model")?))
    }

    fn held(&self, session: OrtSession) -> Entire {
        let names = |ports: &[crate::graph::Port]| ports.iter().map(|p| p.name.clone()).collect();
        Entire {
            session,
            inputs: names(&self.graph.inputs),
            outputs: names(&self.graph.outputs),
        }
    }
}

impl Whole for Entire {
    fn run(&mut self, feed: Feed) -> Result<Vec<(String, Tensor)>> {
        let mut results =
            run(&mut self.session, &self.inputs, &str::to_string, feed).at("the whole model")?;
        Ok(self
            .outputs
            .iter()
            .filter_map(|name| results.remove(name).map(|t| (name.clone(), t)))
            .collect())
    }
}

/// The nodes of a piece; a single one with operator, opset and what it takes.
fn place(graph: &Graph, steps: &[usize], feed: Feed) -> String {
    let name = |i: Option<&usize>| i.map_or("", |i| graph.steps[*i].name.as_str()).to_string();
    let [one] = steps else {
        return format!(
            "nodes '{}' to '{}'",
            name(steps.first()),
            name(steps.last())
        );
    };
    let node = &graph.steps[*one].nodes[0];
    let shown = |n: &String| match graph.weights.get(n).cloned().or_else(|| feed(n)) {
        Some(t) => format!("{} {:?}", t.dtype(), t.shape()),
        None => "-".into(),
    };
    let inputs: Vec<String> = node.inputs.iter().map(shown).collect();
    format!(
        "node '{}' ({} opset {}) on {}",
        node.name,
        node.op,
        graph.opset(&node.domain).unwrap_or(0),
        inputs.join(", ")
    )
}

/// Runs `session` on the fed tensors; returns every output that is a tensor.
fn run(
    session: &mut OrtSession,
    inputs: &[String],
    entry: &dyn Fn(&str) -> String,
    feed: Feed,
) -> Result<HashMap<String, Tensor>> {
    let fed: Vec<(String, Tensor)> = inputs
        .iter()
        .map(|n| feed(n).map(|t| (entry(n), t)).ok_or_else(|| unfed(n)))
        .collect::<Result<_>>()?;
    // ONNX Runtime knows only inputs that a node consumes.
    let known: Vec<String> = session
        .inputs()
        .iter()
        .map(|i| i.name().to_string())
        .collect();
    let values: Vec<(Cow<str>, SessionInputValue)> = fed
        .iter()
        .filter(|(n, _)| known.contains(n))
        .map(|(n, t)| Ok((Cow::Borrowed(n.as_str()), to_ort(t)?)))
        .collect::<Result<_>>()?;
    let outputs = session
        .run(SessionInputs::<0>::ValueMap(values))
        .map_err(ort_error)?;
    outputs
        .into_iter()
        .map(|(name, value)| {
            Ok((
                name.to_string(),
                from_ort(value).at(format!("tensor '{name}'"))?,
            ))
        })
        .collect()
}

fn to_ort(tensor: &Tensor) -> Result<SessionInputValue<'_>> {
    // A tensor that came out of ONNX Runtime goes back without a copy.
    let same = |held: &&Held| {
        held.0
            .shape()
            .iter()
            .map(|d| *d as usize)
            .eq(tensor.shape().iter().copied())
    };
    if let Some(held) = tensor
        .storage()
        .as_any()
        .downcast_ref::<Held>()
        .filter(same)
    {
        return Ok(SessionInputValue::from(&held.0));
    }
    let shape: Vec<i64> = tensor.shape().iter().map(|d| *d as i64).collect();
    let mut value =
        DynTensor::new(&Allocator::default(), element(tensor.dtype()), shape).map_err(ort_error)?;
    if !tensor.bytes().is_empty() {
        // SAFETY: the new tensor is on the CPU, contiguous, and has the same shape and element size as `tensor`.
        unsafe {
            std::ptr::copy_nonoverlapping(
                tensor.bytes().as_ptr(),
                value.data_ptr_mut() as *mut u8,
                tensor.bytes().len(),
            )
        };
    }
    Ok(SessionInputValue::from(value))
}

fn from_ort(value: DynValue) -> Result<Tensor> {
    let value = value
        .downcast::<DynTensorValueType>()
        .map_err(|_| Error::failed("onnxruntime returned no tensor (a sequence or map)"))?;
    let dtype = DType::ALL
        .into_iter()
        .find(|d| element(*d) == *value.data_type())
        .ok_or_else(|| {
            Error::failed(format!(
                "onnxruntime returned the unsupported dtype {:?}",
                value.data_type()
            ))
        })?;
    let shape: Vec<usize> = value.shape().iter().map(|d| *d as usize).collect();
    let len = shape.iter().product::<usize>() * dtype.size();
    Tensor::new(dtype, shape, Arc::new(Held(value, len)))
}

fn element(dtype: DType) -> TensorElementType {
    match dtype {
        DType::F64 => TensorElementType::Float64,
        DType::F32 => TensorElementType::Float32,
        DType::F16 => TensorElementType::Float16,
        DType::BF16 => TensorElementType::Bfloat16,
        DType::I64 => TensorElementType::Int64,
        DType::I32 => TensorElementType::Int32,
        DType::I16 => TensorElementType::Int16,
        DType::I8 => TensorElementType::Int8,
        DType::U64 => TensorElementType::Uint64,
        DType::U32 => TensorElementType::Uint32,
        DType::U16 => TensorElementType::Uint16,
        DType::U8 => TensorElementType::Uint8,
        DType::Bool => TensorElementType::Bool,
    }
}

//! libtorch: the second opinion: the same ONNX graph, interpreted node by node with libtorch kernels, in f32 and in f64.

mod call;
mod convert;
mod gradient;
mod interpret;
mod judge;
mod ops;
mod session;

use call::Precision;
use parity::error::Result;
use parity::graph::Graph;
use parity::subject::{Differentiator, Judge, Options, Session, Torch};
use std::sync::Arc;

/// The libtorch that this executable is linked with.
pub struct Linked;

pub const LINKED: Linked = Linked;

impl Torch for Linked {
    fn session(&self, graph: Arc<Graph>, options: &Options) -> Result<Box<dyn Session>> {
        Ok(Box::new(session::TorchSession::open(graph, options)?))
    }

    fn judge(&self, graph: Arc<Graph>, options: &Options) -> Result<Box<dyn Judge>> {
        Ok(Box::new(judge::TorchJudge::open(graph, options)?))
    }

    fn differentiator(&self, graph: Arc<Graph>, options: &Options, double: bool) -> Result<Box<dyn Differentiator>> {
        let precision = if double { Precision::Double } else { Precision::Declared };
        Ok(Box::new(gradient::TorchGradient::open(graph, options, precision)?))
    }

    fn version(&self) -> String {
        // The version that the binding was generated for and checked against at build time.
        "2.13.0".into()
    }
}

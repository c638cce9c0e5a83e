//! bench: everything that takes part in the walks: both subjects, the f64 shadow, the controls of injected faults.

use super::isolated::Kinship;
use crate::compare::Tolerance;
use crate::golden::Golden;
use crate::graph::Graph;
use crate::subject::{Judge, Session};
use crate::tensor::Tensor;
use crate::trace::record::Recorder;
use indexmap::IndexMap;

/// Everything that takes part in the walk.
pub struct Bench<'a> {
    pub graph: &'a Graph,
    pub inputs: &'a IndexMap<String, Tensor>,
    pub reference: Box<dyn Session>,
    pub candidate: Box<dyn Session>,
    /// None where a stated tolerance makes the shadow unnecessary.
    pub judge: Option<Box<dyn Judge>>,
    pub stated: Option<Tolerance>,
    pub kinship: Kinship,
    /// For every injected fault: its step and the same engine without it.
    pub controls: Vec<Control>,
    /// A further opinion on the reference's tensors.
    pub golden: Option<&'a Golden>,
    pub record: Option<Recorder>,
}

/// An injected fault: its step, the same engine without it, the side that carries it.
pub type Control = (usize, Box<dyn Session>, Faulty);

/// Which side carries an injected fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Faulty {
    Reference,
    Candidate,
}

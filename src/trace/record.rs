//! record: both traces of a run, with floors, into one folder.

use super::write::Writer;
use super::{Entry, FORMAT, Header};
use crate::error::Result;
use crate::floor::noise::Floor;
use crate::graph::{Graph, Step};
use crate::trace::InputRecord;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// The traces of both subjects while they are written.
pub struct Recorder {
    pub reference: Writer,
    pub candidate: Writer,
}

impl Recorder {
    /// Starts `reference.safetensors` and `candidate.safetensors` in `folder`.
    pub fn create(folder: &Path) -> Result<Self> {
        let writer = |side: &str| Writer::create(&folder.join(format!("{side}.safetensors")));
        Ok(Self {
            reference: writer("reference")?,
            candidate: writer("candidate")?,
        })
    }

    /// Puts both files in place; `sides` are the subjects as reports call them, with their versions.
    pub fn finish(self, sides: [Recorded; 2], of: &Of) -> Result<()> {
        let Of {
            model,
            graph,
            inputs,
            floors,
            ..
        } = of;
        let header = |side: Recorded| Header {
            format: FORMAT,
            subject: side.name,
            command: format!("parity run {} --record", model.display()),
            versions: side.versions,
            threads: Some(of.threads),
            seed: Some(of.seed),
            inputs: inputs
                .iter()
                .map(|r| (r.name.clone(), r.sha256.clone()))
                .collect::<BTreeMap<_, _>>(),
            tensors: graph
                .steps
                .iter()
                .flat_map(|s| {
                    s.outputs
                        .iter()
                        .map(|o| (o.clone(), entry(s, floors.get(o))))
                })
                .collect(),
            ..Default::default()
        };
        let [reference, candidate] = sides.map(header);
        self.reference.finish(&reference)?;
        self.candidate.finish(&candidate)
    }
}

/// Who computed a trace.
pub struct Recorded {
    pub name: String,
    pub versions: BTreeMap<String, String>,
}

/// What both traces are of.
pub struct Of<'a> {
    pub model: &'a Path,
    pub graph: &'a Graph,
    pub inputs: &'a [InputRecord],
    pub floors: &'a HashMap<String, Floor>,
    pub threads: usize,
    pub seed: u64,
}

fn entry(step: &Step, floor: Option<&Floor>) -> Entry {
    Entry {
        node: step.name.clone(),
        op: step.op().into(),
        inputs: step.inputs.clone(),
        floor: floor.cloned(),
        ..Default::default()
    }
}

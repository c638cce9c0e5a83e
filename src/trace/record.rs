//! record: both traces of a run, with floors, into one folder.

use super::write::Writer;
use super::{Entry, Header};
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

    /// Puts both files in place; `names` are the subjects'.
    pub fn finish(
        self,
        names: (&str, &str),
        model: &Path,
        graph: &Graph,
        inputs: &[InputRecord],
        floors: &HashMap<String, Floor>,
    ) -> Result<()> {
        let header = |subject: &str| Header {
            format: 1,
            subject: subject.into(),
            command: format!("parity run {} --record", model.display()),
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
        };
        self.reference.finish(&header(names.0))?;
        self.candidate.finish(&header(names.1))
    }
}

fn entry(step: &Step, floor: Option<&Floor>) -> Entry {
    Entry {
        node: step.name.clone(),
        op: step.op().into(),
        inputs: step.inputs.clone(),
        floor: floor.cloned(),
    }
}

//! saved: a find of a model as a scenario that `parity run` replays, its smallest failing part as another beside it.

use super::Fuzzed;
use crate::error::Result;
use crate::fuzz::run::FindOf;
use crate::fuzz::saved::{self, relative};
use crate::fuzz::tally::Wrong as _;
use crate::graph::Graph;
use crate::scenario::Scenario;
use crate::subject::kernels::draw::Case;
use crate::trace::write::replace;
use std::path::PathBuf;

/// Where the finds of one scenario are kept.
pub struct Folder {
    pub folder: saved::Folder,
    /// The scenario that is fuzzed; its files are seen from the working directory.
    pub scenario: Scenario,
}

impl Folder {
    /// Writes a find; an equal one is written over.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn keep(&self, find: &FindOf<Fuzzed>) -> Result<PathBuf> {
        let Self { folder, scenario } = self;
        let who = format!("{:?} {:?}", scenario.reference, scenario.candidate);
        let name = folder.called(who, find.wrong.kind(), &find.shrunk)?;
        let on = |scenario: &Scenario, model: PathBuf| Scenario {
            model,
            ..scenario.clone()
        };
        if let Ok(part) = &find.part {
            let model = format!("{name}.part.onnx");
            replace(&folder.path.join(&model), &part.model)?;
            let (some, all) = (part.nodes.len(), part.of);
            let says = format!(
                "{some} of the {all} nodes of {}: {}",
                folder.name, part.wrong
            );
            let scenario = on(&part.scenario, model.into());
            folder.write(&format!("{name}.part"), scenario, &part.inputs, &says)?;
        }
        let model = relative(&scenario.model, &folder.path)?;
        let drawn: Vec<&str> = find.shrunk.edges.iter().copied().collect();
        let says = format!("case {} ({}): {}", find.case, drawn.join(", "), find.wrong);
        folder.write(&name, on(scenario, model), &find.shrunk.inputs, &says)
    }

    /// The finds of this scenario that are kept, with their inputs.
    ///
    /// # Errors
    /// A scenario of the folder that cannot be read.
    pub fn known(&self, graph: &Graph) -> Result<Vec<(PathBuf, Case)>> {
        // A kernel may be called as the scenario is.
        self.folder.known(graph, |scenario| scenario.find.is_none())
    }
}

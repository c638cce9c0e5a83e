//! keep: a find of a model as a scenario that `parity run` replays, its smallest failing part as another beside it.

use super::account::Find;
use super::ask::Inputs;
use crate::error::{Place, Result, printable};
use crate::fuzz::keep::relative;
use crate::fuzz::shelf;
use crate::graph::Graph;
use crate::input;
use crate::scenario::{Scenario, load};
use crate::trace::write::replace;
use std::path::{Path, PathBuf};

/// Where the finds of one scenario are kept.
pub struct Folder {
    pub path: PathBuf,
    /// What the scenario is called.
    pub name: String,
    /// The scenario that is fuzzed; its files are seen from the working directory.
    pub scenario: Scenario,
}

impl Folder {
    /// Writes a find; an equal one is written over.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn keep(&self, find: &Find) -> Result<PathBuf> {
        shelf::make(&self.path)?;
        let name = format!("{}-{}", self.name, self.hash(find));
        if let Ok(part) = &find.part {
            let model = format!("{name}.part.onnx");
            replace(&self.path.join(&model), &part.model)?;
            let says = format!(
                "{} of the {} nodes of {}: {}",
                part.nodes.len(),
                part.of,
                self.name,
                part.finding
            );
            self.write(
                &format!("{name}.part"),
                &part.scenario,
                Path::new(&model),
                &part.inputs,
                &says,
            )?;
        }
        let model = relative(&self.scenario.model, &self.path)?;
        let says = format!(
            "case {} ({}): {}",
            find.case,
            find.drawn.join(", "),
            find.finding
        );
        self.write(&name, &self.scenario, &model, &find.shrunk, &says)
    }

    /// Told by the two sides, the finding and the inputs.
    fn hash(&self, find: &Find) -> String {
        let who = format!(
            "{:?} {:?}",
            self.scenario.reference, self.scenario.candidate
        );
        shelf::hash(who, find.finding.what(), &find.shrunk)
    }

    fn write(
        &self,
        name: &str,
        scenario: &Scenario,
        model: &Path,
        inputs: &Inputs,
        says: &str,
    ) -> Result<PathBuf> {
        let mut found = Scenario {
            name: None,
            model: model.to_path_buf(),
            inputs: shelf::stated(&self.path, name, inputs)?,
            ..scenario.clone()
        };
        for subject in [&mut found.reference, &mut found.candidate] {
            if let Some(path) = subject.file_mut() {
                *path = relative(path, &self.path)?;
            }
        }
        let path = self.path.join(format!("{name}.toml"));
        replace(
            &path,
            format!("# {}\n{}", printable(says), load::text(&found)?).as_bytes(),
        )?;
        Ok(path)
    }

    /// The finds of this scenario that are kept, with their inputs.
    ///
    /// # Errors
    /// A scenario of the folder that cannot be read.
    pub fn known(&self, graph: &Graph) -> Result<Vec<(PathBuf, Inputs)>> {
        let mut known = Vec::new();
        for path in shelf::finds(&self.path, &self.name) {
            let scenario = load::file(&path)?;
            // A kernel may be called as the scenario is.
            if scenario.find.is_none() {
                known.push((
                    path.clone(),
                    input::make(&scenario, graph).at(path.display())?,
                ));
            }
        }
        Ok(known)
    }
}

//! keep: a find of a model as a scenario that `parity run` replays, its smallest failing part as another beside it.

use super::account::Find;
use super::ask::Inputs;
use crate::digest;
use crate::error::{Error, Place, Result, printable};
use crate::fuzz::keep::{INLINE, relative};
use crate::golden::pack;
use crate::graph::Graph;
use crate::input;
use crate::scenario::{Input, Scenario, load};
use crate::tensor::Tensor;
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
        let failed =
            |e: std::io::Error| Error::failed(format!("{}: {e}", self.path.display())).next("--found names a folder for the finds");
        std::fs::create_dir_all(&self.path).map_err(failed)?;
        let name = format!("{}-{}", self.name, self.hash(find));
        if let Ok(part) = &find.part {
            let model = format!("{name}.part.onnx");
            replace(&self.path.join(&model), &part.model)?;
            let says = format!("{} of the {} nodes of {}: {}", part.nodes.len(), part.of, self.name, part.finding);
            self.write(&format!("{name}.part"), &part.scenario, Path::new(&model), &part.inputs, &says)?;
        }
        let model = relative(&self.scenario.model, &self.path)?;
        let says = format!("case {} ({}): {}", find.case, find.drawn.join(", "), find.finding);
        self.write(&name, &self.scenario, &model, &find.shrunk, &says)
    }

    /// Told by the two sides, the finding and the inputs.
    fn hash(&self, find: &Find) -> String {
        let inputs = find.shrunk.iter().map(|(n, t)| format!("{n} {}", digest::of_tensor(t)));
        let sides = format!("{:?} {:?}", self.scenario.reference, self.scenario.candidate);
        let parts = [sides, find.finding.what()].into_iter().chain(inputs).collect::<Vec<_>>();
        digest::of_bytes(parts.join("\n").as_bytes())[..12].to_string()
    }

    fn write(&self, name: &str, scenario: &Scenario, model: &Path, inputs: &Inputs, says: &str) -> Result<PathBuf> {
        let beside = format!("{name}.safetensors");
        let large = |t: &Tensor| t.numel() > INLINE;
        if inputs.values().any(large) {
            replace(&self.path.join(&beside), &pack::bytes(inputs.iter().filter(|(_, t)| large(t)).map(|(n, t)| (n.clone(), t)))?)?;
        }
        let input = |t: &Tensor| match large(t) {
            true => Input { file: Some(beside.clone().into()), ..Input::default() },
            false => Input { values: Some(t.to_f64()), shape: Some(t.shape().to_vec()), ..Input::default() },
        };
        let mut found = Scenario {
            name: None,
            model: model.to_path_buf(),
            inputs: inputs.iter().map(|(n, t)| (n.clone(), input(t))).collect(),
            ..scenario.clone()
        };
        for subject in [&mut found.reference, &mut found.candidate] {
            subject.script = subject.script.as_deref().map(|s| relative(s, &self.path)).transpose()?;
        }
        let path = self.path.join(format!("{name}.toml"));
        replace(&path, format!("# {}\n{}", printable(says), load::text(&found)?).as_bytes())?;
        Ok(path)
    }

    /// The finds of this scenario that are kept, with their inputs.
    ///
    /// # Errors
    /// A scenario of the folder that cannot be read.
    pub fn known(&self, graph: &Graph) -> Result<Vec<(PathBuf, Inputs)>> {
        let Ok(entries) = std::fs::read_dir(&self.path) else { return Ok(vec![]) };
        let mut paths: Vec<PathBuf> = entries.filter_map(|e| Some(e.ok()?.path())).filter(|p| self.names(p)).collect();
        paths.sort();
        let mut known = Vec::new();
        for path in paths {
            let scenario = load::file(&path)?;
            // A kernel may be called as the scenario is.
            if scenario.find.is_none() {
                known.push((path.clone(), input::make(&scenario, graph).at(path.display())?));
            }
        }
        Ok(known)
    }

    /// Whether the file is called as a find of this scenario is: its name, a dash, twelve hexadecimal digits.
    fn names(&self, path: &Path) -> bool {
        let stem = path.file_stem().and_then(|s| s.to_str()).and_then(|s| s.strip_prefix(&self.name)).and_then(|s| s.strip_prefix('-'));
        let hash = stem.is_some_and(|h| h.len() == 12 && h.bytes().all(|b| b.is_ascii_hexdigit()));
        hash && path.extension().is_some_and(|e| e == "toml")
    }
}

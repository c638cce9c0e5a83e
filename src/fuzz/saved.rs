//! saved: finds as scenarios in a folder: how they are called, where their inputs lie, written the moment they are shrunk, read the next time.

use crate::digest;
use crate::error::{Error, Place, Result, printable};
use crate::golden::pack;
use crate::graph::Graph;
use crate::input;
use crate::scenario::{Input, Scenario, load};
use crate::subject::kernels::draw::Case;
use crate::tensor::Tensor;
use crate::trace::write::replace;
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// Numbers of one input that stand in the scenario itself; more lie in a safetensors file beside it.
const INLINE: usize = 512;

/// Where finds of one name are kept.
pub struct Folder {
    pub path: PathBuf,
    pub name: String,
}

impl Folder {
    /// What a find is called, told by who was compared, the kind of finding and the inputs; the folder is made where there is none.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn called(&self, who: String, kind: String, case: &Case) -> Result<String> {
        std::fs::create_dir_all(&self.path).map_err(|e| {
            Error::failed(format!("{}: {e}", self.path.display()))
                .next("--found names a folder for the finds")
        })?;
        Ok(format!("{}-{}", self.name, hash(who, kind, &case.inputs)))
    }

    /// Writes the find `name` as a scenario on these inputs, with what it says; its files are seen from the folder.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn write(
        &self,
        name: &str,
        scenario: Scenario,
        inputs: &IndexMap<String, Tensor>,
        says: &str,
    ) -> Result<PathBuf> {
        let mut found = Scenario {
            name: None,
            inputs: stated(&self.path, name, inputs)?,
            ..scenario
        };
        for subject in [&mut found.reference, &mut found.candidate] {
            if let Some(path) = subject.file_mut() {
                *path = relative(path, &self.path)?;
            }
        }
        let path = self.path.join(format!("{name}.toml"));
        let text = format!("# {}\n{}", printable(says), load::text(&found)?);
        replace(&path, text.as_bytes())?;
        Ok(path)
    }

    /// The finds of this name that are kept, of those that `is_own`, with their inputs.
    ///
    /// # Errors
    /// A scenario of the folder that cannot be read.
    pub fn known(
        &self,
        graph: &Graph,
        is_own: impl Fn(&Scenario) -> bool,
    ) -> Result<Vec<(PathBuf, Case)>> {
        let mut known = Vec::new();
        for path in finds(&self.path, &self.name) {
            let scenario = load::file(&path)?;
            if is_own(&scenario) {
                let case = case(&scenario, graph).at(path.display())?;
                known.push((path, case));
            }
        }
        Ok(known)
    }
}

/// The inputs of a find.
///
/// # Errors
/// Inputs that the graph does not take.
pub fn case(scenario: &Scenario, graph: &Graph) -> Result<Case> {
    Ok(Case {
        inputs: input::make(scenario, graph)?,
        ..Case::default()
    })
}

/// What tells a find from others of the same name: who was compared, the kind of finding, the inputs.
fn hash(who: String, what: String, inputs: &IndexMap<String, Tensor>) -> String {
    let inputs = inputs
        .iter()
        .map(|(n, t)| format!("{n} {}", digest::of_tensor(t)));
    let parts = [who, what].into_iter().chain(inputs).collect::<Vec<_>>();
    digest::of_bytes(parts.join("\n").as_bytes())[..12].to_string()
}

/// The inputs of the find `name` as its scenario states them; the large ones are written beside it.
fn stated(
    folder: &Path,
    name: &str,
    inputs: &IndexMap<String, Tensor>,
) -> Result<BTreeMap<String, Input>> {
    let beside = format!("{name}.safetensors");
    let is_large = |t: &Tensor| t.numel() > INLINE;
    let mut large = inputs
        .iter()
        .filter(|(_, t)| is_large(t))
        .map(|(n, t)| (n.clone(), t))
        .peekable();
    if large.peek().is_some() {
        replace(&folder.join(&beside), &pack::bytes(large)?)?;
    }
    let input = |t: &Tensor| match is_large(t) {
        true => Input {
            file: Some(beside.clone().into()),
            ..Input::default()
        },
        false => Input {
            values: Some(t.to_f64()),
            shape: Some(t.shape().to_vec()),
            ..Input::default()
        },
    };
    Ok(inputs.iter().map(|(n, t)| (n.clone(), input(t))).collect())
}

/// The scenarios of the finds that are called `name`, in the order of their paths; none where there is no folder.
fn finds(folder: &Path, name: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return vec![];
    };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|e| Some(e.ok()?.path()))
        .filter(|p| is_find(p, name))
        .collect();
    paths.sort();
    paths
}

/// Whether the file is called as a find of `name` is: the name, a dash, twelve hexadecimal digits.
pub fn is_find(path: &Path, name: &str) -> bool {
    let stem = path
        .file_stem()
        .and_then(|s| s.to_str())
        .and_then(|s| s.strip_prefix(name))
        .and_then(|s| s.strip_prefix('-'));
    let hash = stem.is_some_and(|h| h.len() == 12 && h.bytes().all(|b| b.is_ascii_hexdigit()));
    hash && path.extension().is_some_and(|e| e == "toml")
}

/// `file` as it is seen from `folder`, so that a checkout can be moved.
pub fn relative(file: &Path, folder: &Path) -> Result<PathBuf> {
    let real = |p: &Path| {
        p.canonicalize()
            .map_err(|e| Error::failed(format!("{}: {e}", p.display())))
    };
    let (file, folder) = (real(file)?, real(folder)?);
    let shared = file
        .components()
        .zip(folder.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = folder
        .components()
        .skip(shared)
        .map(|_| Component::ParentDir);
    Ok(up.chain(file.components().skip(shared)).collect())
}

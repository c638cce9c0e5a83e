//! shelf: what every folder of finds has in common: how a find is called, where its inputs lie, which files are finds.

use crate::digest;
use crate::error::{Error, Result};
use crate::golden::pack;
use crate::scenario::Input;
use crate::tensor::Tensor;
use crate::trace::write::replace;
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Numbers of one input that stand in the scenario itself; more lie in a safetensors file beside it.
const INLINE: usize = 512;

/// Makes the folder where there is none.
///
/// # Errors
/// The folder cannot be written to.
pub fn make(folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| {
        Error::failed(format!("{}: {e}", folder.display()))
            .next("--found names a folder for the finds")
    })
}

/// What tells a find from others of the same name: who was compared, the kind of finding, the inputs.
pub fn hash(who: String, what: String, inputs: &IndexMap<String, Tensor>) -> String {
    let inputs = inputs
        .iter()
        .map(|(n, t)| format!("{n} {}", digest::of_tensor(t)));
    let parts = [who, what].into_iter().chain(inputs).collect::<Vec<_>>();
    digest::of_bytes(parts.join("\n").as_bytes())[..12].to_string()
}

/// The inputs of the find `name` as its scenario states them; the large ones are written beside it.
///
/// # Errors
/// The folder cannot be written to.
pub fn stated(
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
pub fn finds(folder: &Path, name: &str) -> Vec<PathBuf> {
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

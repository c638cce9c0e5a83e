//! manifest: `manifest.json`, the one file that says what a golden is; every format that was ever written stays readable.

use super::sketch::Settings;
use super::{Facts, Golden, Model};
use crate::error::{Error, Result, hint};
use crate::graph::param::Param;
use crate::tensor::DType;
use crate::trace::Entry;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The format that is written.
pub const FORMAT: u32 = 1;

/// Format 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: u32,
    pub scenario: String,
    pub subject: String,
    pub command: String,
    pub versions: BTreeMap<String, String>,
    pub threads: Option<usize>,
    pub seed: Option<u64>,
    /// SHA-256 of each input, by name.
    pub inputs: BTreeMap<String, String>,
    pub model: Option<Model>,
    pub sketch: Settings,
    pub files: Files,
    pub tensors: IndexMap<String, Line>,
    pub parameters: Option<Vec<Param>>,
}

/// The data files; none where nothing is stored that way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Files {
    pub values: Option<DataFile>,
    pub sketches: Option<DataFile>,
}

/// A file beside the manifest, called by its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataFile {
    pub file: String,
    pub size: u64,
    pub sha256: String,
}

/// One tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    pub dtype: DType,
    pub shape: Vec<usize>,
    /// Of the whole tensor's bytes.
    pub sha256: String,
    pub stored: Stored,
    /// Producer, inputs and floor, where the recording says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Entry>,
}

/// In which file a tensor is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stored {
    Full,
    Sketch,
}

/// All that is read before the format is known.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

/// Reads a manifest of any known format.
pub fn read(text: &str) -> Result<Manifest> {
    let version: Version = serde_json::from_str(text).map_err(|e| explain(&e))?;
    match version.format {
        1 => serde_json::from_str(text).map_err(|e| explain(&e)),
        other => Err(Error::usage(format!(
            "golden format {other} is not known; this parity reads format 1"
        ))
        .next("a newer parity wrote it: use that one, or bless again")),
    }
}

/// What serde says, with the word that was probably meant.
pub(super) fn explain(e: &serde_json::Error) -> Error {
    let text = e.to_string();
    let mut quoted = text.split('`').skip(1).step_by(2);
    match quoted.next().filter(|_| text.starts_with("unknown field")) {
        Some(word) => Error::usage(&text).next(hint(word, quoted)),
        None => Error::usage(format!("not a golden's manifest: {text}")),
    }
}

impl Manifest {
    /// The manifest of `golden`, whose data is in `files`.
    pub fn of(golden: &Golden, files: Files) -> Self {
        let f = golden.facts.clone();
        let line = |held: &super::Held| Line {
            dtype: held.value.dtype(),
            shape: held.value.shape().to_vec(),
            sha256: held.sha256.clone(),
            stored: match held.value {
                super::Value::Full(_) => Stored::Full,
                super::Value::Sketch(_) => Stored::Sketch,
            },
            from: held.entry.clone(),
        };
        Self {
            format: FORMAT,
            scenario: f.scenario,
            subject: f.subject,
            command: f.command,
            versions: f.versions,
            threads: f.threads,
            seed: f.seed,
            inputs: f.inputs,
            model: f.model,
            sketch: golden.settings,
            files,
            tensors: golden
                .tensors
                .iter()
                .map(|(name, held)| (name.clone(), line(held)))
                .collect(),
            parameters: golden.parameters.clone(),
        }
    }

    pub fn facts(&self) -> Facts {
        Facts {
            scenario: self.scenario.clone(),
            subject: self.subject.clone(),
            command: self.command.clone(),
            versions: self.versions.clone(),
            threads: self.threads,
            seed: self.seed,
            inputs: self.inputs.clone(),
            model: self.model.clone(),
        }
    }

    /// As it is written: equal goldens give equal bytes.
    pub fn text(&self) -> Result<String> {
        serde_json::to_string_pretty(self)
            .map(|s| s + "\n")
            .map_err(|e| Error::failed(format!("manifest: {e}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str = r#"{"format":1,"scenario":"s","subject":"","command":"","versions":{},"threads":null,"seed":null,"inputs":{},
        "model":{"weights":"by name"},"sketch":{"seed":0,"buckets":256,"samples":64},"files":{"values":null,"sketches":null},
        "tensors":{},"parameters":null}"#;

    #[test]
    fn a_manifest_comes_back_as_it_was_written() {
        let manifest = read(LEAST).unwrap();
        assert_eq!(manifest.model, Some(Model::Weights("by name".into())));
        assert_eq!(read(&manifest.text().unwrap()).unwrap(), manifest);
    }

    #[test]
    fn what_it_does_not_know_is_refused_by_name() {
        let unknown =
            read(&LEAST.replace("\"seed\":null", "\"seed\":null,\"comand\":\"\"")).unwrap_err();
        assert!(
            unknown.message.contains("`comand`") && unknown.next.unwrap().contains("'command'")
        );
        let newer =
            read(&LEAST.replace("\"format\":1", "\"format\":7,\"anything\":[]")).unwrap_err();
        assert!(newer.message.contains("format 7") && newer.message.contains("format 1"));
        for text in ["", "{", "[]", "{\"format\":\"one\"}", "{\"format\":1}"] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}

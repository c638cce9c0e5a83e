//! file: reads a trace from safetensors: one file, or shards with an index; nothing in it is trusted.

use super::write::index_of;
use super::{FORMAT, Header};
use crate::error::{Error, Place, Result};
use crate::file::{self as files, Kind};
use crate::graph::param::{self, Param};
use crate::tensor::{DType, Tensor};
use indexmap::IndexSet;
use memmap2::Mmap;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;
use std::collections::{BTreeMap, HashMap};
use std::path::{Component, Path, PathBuf};

/// Keys of the safetensors metadata: parity's header, and the list of the model's parameters.
pub const HEADER: &str = "parity.trace";
pub const PARAMETERS: &str = "parameters";
/// What the value of parameter NAME is called in a trace: `parameter.NAME`, which the header's tensors do not list.
pub const VALUE: &str = "parameter.";

/// An opened trace: tensors are read when asked for.
pub struct Opened {
    shards: Vec<Shard>,
    /// Name -> shard.
    index: BTreeMap<String, usize>,
    /// The same for the values of the model's parameters, which are none of the tensors that a run computes.
    values: BTreeMap<String, usize>,
    /// None where something other than parity wrote the file.
    pub header: Option<Header>,
    /// The model's parameters, where the writer listed them.
    pub parameters: Option<Vec<Param>>,
}

struct Shard {
    path: PathBuf,
    map: Mmap,
    /// Where each tensor lies in the map: the header is read once.
    held: HashMap<String, Lies>,
}

struct Lies {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: std::ops::Range<usize>,
}

/// The index of a sharded checkpoint; other keys are the framework's own business.
#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Opens `path`: `X.safetensors`, or `X.safetensors.index.json` (also found when only `X.safetensors` is named).
pub fn open(path: &Path) -> Result<Opened> {
    let index = index_of(path);
    let opened = if path.extension().is_some_and(|e| e == "json") {
        sharded(path)
    } else if !path.exists() && index.exists() {
        sharded(&index)
    } else {
        single(path)
    };
    opened
        .map(Opened::values_apart)
        .at(format!("trace {}", path.display()))
}

fn single(path: &Path) -> Result<Opened> {
    let shard = map(path)?;
    let (header, parameters) = header_of(&shard)?;
    Ok(Opened {
        index: shard.held.keys().map(|n| (n.clone(), 0)).collect(),
        values: BTreeMap::new(),
        shards: vec![shard],
        header,
        parameters,
    })
}

fn sharded(path: &Path) -> Result<Opened> {
    let text = std::fs::read_to_string(path).map_err(|e| Error::usage(e.to_string()))?;
    let index: Index =
        serde_json::from_str(&text).map_err(|e| Error::usage(format!("not a shard index: {e}")))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut files: Vec<&String> = index.weight_map.values().collect();
    files.sort();
    files.dedup();
    let mut shards = Vec::new();
    for file in &files {
        if Path::new(file)
            .components()
            .any(|c| !matches!(c, Component::Normal(_)))
        {
            return Err(Error::usage(format!(
                "shard '{file}' leaves the folder of the index: refused"
            )));
        }
        shards.push(map(&folder.join(file)).at(format!("shard '{file}'"))?);
    }
    let mut opened = Opened {
        shards,
        index: BTreeMap::new(),
        values: BTreeMap::new(),
        header: None,
        parameters: None,
    };
    for (name, file) in &index.weight_map {
        let at = files.iter().position(|f| *f == file).unwrap_or(0);
        if !opened.shards[at].held.contains_key(name) {
            return Err(Error::usage(format!(
                "tensor '{name}' is not in shard '{file}', where the index puts it"
            )));
        }
        opened.index.insert(name.clone(), at);
    }
    if let Some(first) = opened.shards.first() {
        (opened.header, opened.parameters) = header_of(first)?;
    }
    Ok(opened)
}

/// Refuses a trace that is not there, under its own name or as an index of shards.
///
/// # Errors
/// It is missing, a folder, or empty.
pub fn is_there(path: &Path) -> Result<()> {
    let index = index_of(path);
    files::is_there(if !path.exists() && index.exists() {
        &index
    } else {
        path
    })
}

fn map(path: &Path) -> Result<Shard> {
    files::is_there(path)?;
    mapped(path).map_err(|e| files::unreadable(e, path, Kind::Trace))
}

fn mapped(path: &Path) -> Result<Shard> {
    let file = std::fs::File::open(path).map_err(|e| Error::usage(e.to_string()))?;
    if file.metadata().is_ok_and(|m| m.len() < 8) {
        return Err(Error::usage(
            "not a safetensors file: shorter than its 8-byte header length",
        ));
    }
    // SAFETY: the map is read-only; a file that shrinks under us is the user's own race and ends in SIGBUS like any mmap reader.
    let map = unsafe { Mmap::map(&file) }.map_err(|e| Error::usage(e.to_string()))?;
    let parsed = SafeTensors::deserialize(&map)
        .map_err(|e| Error::usage(format!("not a valid safetensors file: {e}")))?;
    let lies = |view: &TensorView| {
        let start = view.data().as_ptr() as usize - map.as_ptr() as usize;
        Lies {
            dtype: view.dtype(),
            shape: view.shape().to_vec(),
            bytes: start..start + view.data().len(),
        }
    };
    let held = parsed
        .iter()
        .map(|(name, view)| (name.to_string(), lies(&view)))
        .collect();
    Ok(Shard {
        path: path.to_path_buf(),
        map,
        held,
    })
}

/// What the metadata says: parity's own header, and the parameters of the model.
fn header_of(shard: &Shard) -> Result<(Option<Header>, Option<Vec<Param>>)> {
    let (_, metadata) = SafeTensors::read_metadata(&shard.map)
        .map_err(|e| Error::usage(format!("not a valid safetensors file: {e}")))?;
    let said = |key: &str| metadata.metadata().as_ref().and_then(|m| m.get(key));
    let header: Option<Header> = said(HEADER)
        .map(|text| understood(HEADER, text))
        .transpose()?;
    let parameters: Option<Vec<Param>> = said(PARAMETERS)
        .map(|text| understood(PARAMETERS, text))
        .transpose()?;
    let format = header.as_ref().map(|h| h.format);
    if let Some(format) = format.filter(|f| !(1..=FORMAT).contains(f)) {
        return Err(Error::usage(format!(
            "trace format {format} is not known; this parity reads format 1 to {FORMAT}"
        )));
    }
    parameters
        .iter()
        .try_for_each(|list| param::check(list))
        .at(format!("metadata '{PARAMETERS}'"))?;
    Ok((header, parameters))
}

fn understood<T: serde::de::DeserializeOwned>(key: &str, text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|e| Error::usage(format!("metadata '{key}' is not readable: {e}")))
}

impl Opened {
    /// Takes the values of parameters out of the index. A foreign file says nothing of its tensors: what it calls `parameter.x` is one of them.
    fn values_apart(mut self) -> Self {
        if let Some(header) = &self.header {
            let is_value =
                |name: &str| name.starts_with(VALUE) && !header.tensors.contains_key(name);
            (self.values, self.index) =
                self.index.into_iter().partition(|(name, _)| is_value(name));
        }
        self
    }

    /// Names of all tensors but the values of parameters, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.index.keys().map(String::as_str)
    }

    /// Names in the order in which they were recorded, then whatever the header does not list.
    pub fn ordered(&self) -> Vec<&str> {
        let listed = self
            .header
            .iter()
            .flat_map(|h| h.tensors.keys().map(String::as_str))
            .filter(|n| self.index.contains_key(*n));
        let all: IndexSet<&str> = listed.chain(self.names()).collect();
        all.into_iter().collect()
    }

    /// The tensor called `name`, if the trace holds it.
    pub fn tensor(&self, name: &str) -> Result<Option<Tensor>> {
        let shard = self.index.get(name);
        shard.map_or(Ok(None), |shard| self.read(*shard, name))
    }

    /// Whether the values of parameters were recorded with it.
    pub fn holds_values(&self) -> bool {
        !self.values.is_empty()
    }

    /// Dtype and shape of the tensor called `name`, which is not read.
    ///
    /// # Errors
    /// There is none; a dtype that no tensor has here.
    pub fn attributes(&self, name: &str) -> Result<(DType, Vec<usize>)> {
        let held = self.index.get(name).map(|shard| &self.shards[*shard].held);
        let lies = held
            .and_then(|held| held.get(name))
            .ok_or_else(|| Error::usage(format!("no tensor '{name}'")))?;
        let dtype = dtype(lies.dtype).ok_or_else(|| {
            Error::usage(format!(
                "tensor '{name}': dtype {:?} is not supported",
                lies.dtype
            ))
        })?;
        Ok((dtype, lies.shape.clone()))
    }

    /// The value of the parameter `name`, if the trace holds it; one of another dtype or shape than the trace lists is refused.
    pub fn parameter_value(&self, name: &str) -> Result<Option<Tensor>> {
        let called = format!("{VALUE}{name}");
        let Some(shard) = self.values.get(&called) else {
            return Ok(None);
        };
        let value = self.read(*shard, &called)?;
        let mut listed = self.parameters.iter().flatten();
        match (&value, listed.find(|p| p.name == name)) {
            (Some(v), Some(p)) if v.dtype() != p.dtype || v.shape() != p.shape => {
                Err(Error::usage(format!(
                    "trace {}: parameter '{name}' is listed as {} {:?}, its value is {} {:?}",
                    self.shards[*shard].path.display(),
                    p.dtype,
                    p.shape,
                    v.dtype(),
                    v.shape()
                ))
                .next("record it again"))
            }
            _ => Ok(value),
        }
    }

    fn read(&self, shard: usize, name: &str) -> Result<Option<Tensor>> {
        let shard = &self.shards[shard];
        let place = || format!("trace {}: tensor '{name}'", shard.path.display());
        let Some(lies) = shard.held.get(name) else {
            return Ok(None);
        };
        let dtype = dtype(lies.dtype)
            .ok_or_else(|| Error::usage(format!("dtype {:?} is not supported", lies.dtype)))
            .at(place())?;
        Tensor::from_bytes(dtype, lies.shape.clone(), &shard.map[lies.bytes.clone()])
            .at(place())
            .map(Some)
    }
}

/// safetensors' name for each dtype.
const DTYPES: [(Dtype, DType); 13] = [
    (Dtype::F64, DType::F64),
    (Dtype::F32, DType::F32),
    (Dtype::F16, DType::F16),
    (Dtype::BF16, DType::BF16),
    (Dtype::I64, DType::I64),
    (Dtype::I32, DType::I32),
    (Dtype::I16, DType::I16),
    (Dtype::I8, DType::I8),
    (Dtype::U64, DType::U64),
    (Dtype::U32, DType::U32),
    (Dtype::U16, DType::U16),
    (Dtype::U8, DType::U8),
    (Dtype::BOOL, DType::Bool),
];

fn dtype(d: Dtype) -> Option<DType> {
    DTYPES.iter().find(|row| row.0 == d).map(|row| row.1)
}

/// safetensors' name for `d`.
pub fn safetensors_dtype(d: DType) -> Dtype {
    DTYPES
        .iter()
        .find(|row| row.1 == d)
        .map_or(Dtype::U8, |row| row.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.safetensors");
        std::fs::write(&path, bytes).unwrap();
        (dir, path)
    }

    fn with_header(json: &str, data: &[u8]) -> Vec<u8> {
        [
            &(json.len() as u64).to_le_bytes()[..],
            json.as_bytes(),
            data,
        ]
        .concat()
    }

    #[test]
    fn hostile_files_are_errors_and_never_panics() {
        let cases = [
            ("empty", vec![]),
            (
                "header length beyond the file",
                u64::MAX.to_le_bytes().to_vec(),
            ),
            (
                "header longer than allowed",
                [&(1u64 << 40).to_le_bytes()[..], b"{}"].concat(),
            ),
            ("not json", with_header("nonsense", &[])),
            (
                "truncated data",
                with_header(
                    r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#,
                    &[0; 8],
                ),
            ),
            (
                "offsets past the end",
                with_header(
                    r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[100,104]}}"#,
                    &[0; 4],
                ),
            ),
            (
                "overlapping offsets",
                with_header(
                    r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#,
                    &[0; 6],
                ),
            ),
            (
                "reversed offsets",
                with_header(
                    r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#,
                    &[0; 4],
                ),
            ),
            (
                "shape product overflows",
                with_header(
                    r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,4],"data_offsets":[0,4]}}"#,
                    &[0; 4],
                ),
            ),
            (
                "shape larger than its bytes",
                with_header(
                    r#"{"a":{"dtype":"F32","shape":[9],"data_offsets":[0,4]}}"#,
                    &[0; 4],
                ),
            ),
            (
                "broken parity header",
                with_header(
                    r#"{"__metadata__":{"parity.trace":"{"},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
                    &[0; 4],
                ),
            ),
        ];
        for (name, bytes) in cases {
            let (_dir, path) = written(&bytes);
            assert!(open(&path).is_err(), "{name}");
        }
    }

    #[test]
    fn a_foreign_file_is_read_without_a_header() {
        let (_dir, path) = written(&with_header(
            r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
            &1.5f32.to_le_bytes(),
        ));
        let opened = open(&path).unwrap();
        assert!(opened.header.is_none());
        assert_eq!(opened.tensor("a").unwrap().unwrap().to_f64(), [1.5]);
        assert!(opened.tensor("b").unwrap().is_none());
        let (_dir, path) = written(&with_header(
            r#"{"parameter.a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
            &1.5f32.to_le_bytes(),
        ));
        assert_eq!(open(&path).unwrap().ordered(), ["parameter.a"]);
    }

    #[test]
    fn values_of_parameters_are_none_of_the_tensors_of_a_run() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.safetensors");
        let listed = |shape: &[usize]| Param {
            name: "w".into(),
            shape: shape.to_vec(),
            dtype: DType::F32,
            kind: param::Kind::Parameter,
            trainable: None,
        };
        let record = |shape: &[usize]| {
            let mut writer = super::super::write::Writer::create(&path).unwrap();
            for (name, value) in [("parameter.w", 1f32), ("parameter.y", 2.0), ("a", 3.0)] {
                writer.add(name, &Tensor::of(&[1], &[value])).unwrap();
            }
            writer.parameters(vec![listed(shape)]);
            let tensors = ["a", "parameter.y"].map(|n| (n.to_string(), Default::default()));
            let header = Header {
                format: FORMAT,
                tensors: tensors.into_iter().collect(),
                ..Default::default()
            };
            writer.finish(&header).unwrap();
            open(&path).unwrap()
        };
        let opened = record(&[1]);
        assert_eq!(opened.ordered(), ["a", "parameter.y"]);
        assert!(opened.tensor("parameter.w").unwrap().is_none());
        let value = |name: &str| opened.parameter_value(name).unwrap().map(|t| t.to_f64());
        assert_eq!(value("w"), Some(vec![1.0]));
        assert_eq!(value("y"), None, "the header lists it: a run computed it");
        let e = record(&[2]).parameter_value("w").err().unwrap().message;
        assert!(e.contains("listed as f32 [2], its value is f32 [1]"), "{e}");
    }

    #[test]
    fn a_shard_outside_the_folder_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.safetensors.index.json");
        std::fs::write(&path, r#"{"weight_map":{"a":"../x.safetensors"}}"#).unwrap();
        assert!(open(&path).err().unwrap().message.contains("refused"));
    }
}

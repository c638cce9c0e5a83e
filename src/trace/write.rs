//! write: a trace to disk while it is being computed: tensors go to a spool file at once, the safetensors file is written beside and renamed.

use super::Header;
use super::file::{HEADER, PARAMETERS, safetensors_dtype};
use crate::error::{Error, Result};
use crate::params::Param;
use crate::tensor::{DType, Tensor};
use indexmap::IndexMap;
use memmap2::Mmap;
use safetensors::View;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Bytes of tensors in one file; beyond it the trace is sharded the way model checkpoints are.
const SHARD_BYTES: usize = 2 << 30;

/// A trace being written.
pub struct Writer {
    path: PathBuf,
    spool: File,
    at: usize,
    placed: IndexMap<String, Placed>,
    parameters: Option<Vec<Param>>,
}

struct Placed {
    dtype: DType,
    shape: Vec<usize>,
    start: usize,
    end: usize,
}

fn io_error(path: &Path, e: &dyn std::fmt::Display) -> Error {
    Error::failed(format!("{}: {e}", path.display())).next("check the folder's permissions and free space; nothing was replaced")
}

impl Writer {
    /// Starts the trace that will be at `path`.
    pub fn create(path: &Path) -> Result<Self> {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder).map_err(|e| io_error(path, &e))?;
        let spool = tempfile::tempfile_in(folder).map_err(|e| io_error(path, &e))?;
        Ok(Self { path: path.to_path_buf(), spool, at: 0, placed: IndexMap::new(), parameters: None })
    }

    /// Appends one tensor.
    pub fn add(&mut self, name: &str, tensor: &Tensor) -> Result<()> {
        self.spool.write_all(tensor.bytes()).map_err(|e| io_error(&self.path, &e))?;
        let end = self.at + tensor.bytes().len();
        self.placed.insert(name.to_string(), Placed { dtype: tensor.dtype(), shape: tensor.shape().to_vec(), start: self.at, end });
        self.at = end;
        Ok(())
    }

    /// Lists the model's parameters in the trace's metadata.
    pub fn parameters(&mut self, list: Vec<Param>) {
        self.parameters = Some(list);
    }

    /// Writes the file (or shards and their index) and puts it in place.
    pub fn finish(self, header: &Header) -> Result<()> {
        let map = if self.at == 0 { None } else { Some(unsafe { Mmap::map(&self.spool) }.map_err(|e| io_error(&self.path, &e))?) };
        let data = map.as_deref().unwrap_or(&[]);
        let shards = shard(&self.placed, SHARD_BYTES);
        let metadata = metadata(header, self.parameters.as_deref())?;
        if shards.len() <= 1 {
            return write_one(&self.path, self.placed.iter(), data, &metadata);
        }
        let mut weight_map = BTreeMap::new();
        for (i, names) in shards.iter().enumerate() {
            let file = shard_name(&self.path, i + 1, shards.len());
            write_one(&self.path.with_file_name(&file), names.iter().filter_map(|n| self.placed.get_key_value(*n)), data, &metadata)?;
            weight_map.extend(names.iter().map(|n| (n.to_string(), file.clone())));
        }
        let index = serde_json::json!({ "metadata": { "total_size": self.at }, "weight_map": weight_map });
        replace(&PathBuf::from(format!("{}.index.json", self.path.display())), index.to_string().as_bytes())
    }
}

/// Names per shard, in order, each shard at most `limit` bytes unless one tensor alone is larger.
fn shard(placed: &IndexMap<String, Placed>, limit: usize) -> Vec<Vec<&str>> {
    let (mut shards, mut room) = (Vec::<Vec<&str>>::new(), 0);
    for (name, p) in placed {
        let size = p.end - p.start;
        if shards.is_empty() || size > room {
            shards.push(Vec::new());
            room = limit;
        }
        room = room.saturating_sub(size);
        if let Some(last) = shards.last_mut() {
            last.push(name);
        }
    }
    shards
}

fn shard_name(path: &Path, i: usize, n: usize) -> String {
    let stem = path.file_stem().map_or("trace".into(), |s| s.to_string_lossy());
    format!("{stem}-{i:05}-of-{n:05}.safetensors")
}

fn metadata(header: &Header, parameters: Option<&[Param]>) -> Result<HashMap<String, String>> {
    let failed = |e: serde_json::Error| Error::failed(format!("trace header: {e}"));
    let mut metadata = HashMap::from([(HEADER.to_string(), serde_json::to_string(header).map_err(failed)?)]);
    if let Some(list) = parameters {
        metadata.insert(PARAMETERS.to_string(), serde_json::to_string(list).map_err(failed)?);
    }
    Ok(metadata)
}

/// One tensor of the spool.
struct Spooled<'a>(&'a Placed, &'a [u8]);

impl View for Spooled<'_> {
    fn dtype(&self) -> safetensors::Dtype {
        safetensors_dtype(self.0.dtype)
    }
    fn shape(&self) -> &[usize] {
        &self.0.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Borrowed(&self.1[self.0.start..self.0.end])
    }
    fn data_len(&self) -> usize {
        self.0.end - self.0.start
    }
}

fn write_one<'a>(
    path: &Path,
    tensors: impl Iterator<Item = (&'a String, &'a Placed)>,
    data: &[u8],
    metadata: &HashMap<String, String>,
) -> Result<()> {
    let beside = beside(path)?;
    let views = tensors.map(|(n, p)| (n.as_str(), Spooled(p, data)));
    safetensors::serialize_to_file(views, Some(metadata.clone()), beside.path()).map_err(|e| io_error(path, &e))?;
    beside.persist(path).map_err(|e| io_error(path, &e.error)).map(|_| ())
}

fn beside(path: &Path) -> Result<tempfile::NamedTempFile> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".parity-");
    // What is renamed into place is read by whom the user's umask allows, like any file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder).map_err(|e| io_error(path, &e))
}

/// Writes `bytes` beside `path`, flushes it to the disk and renames: the old file stays whole until the new one is.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = beside(path)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(|e| io_error(path, &e))?;
    file.persist(path).map_err(|e| io_error(path, &e.error)).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::super::Entry;
    use super::*;
    use crate::params::Kind;

    #[test]
    fn what_is_written_comes_back_in_order_with_its_header() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/t.safetensors");
        let mut writer = Writer::create(&path).unwrap();
        writer.add("z", &Tensor::of(&[2], &[1f32, f32::NAN])).unwrap();
        writer.add("a", &Tensor::of(&[0], &[0i64; 0])).unwrap();
        let entries = [("z", "n1"), ("a", "n2")].map(|(k, n)| (k.to_string(), Entry { node: n.into(), ..Default::default() }));
        let header = Header { format: 1, tensors: entries.into_iter().collect(), ..Default::default() };
        let list = vec![Param { name: "w".into(), shape: vec![2], dtype: DType::F32, kind: Kind::Parameter, trainable: Some(true) }];
        writer.parameters(list.clone());
        writer.finish(&header).unwrap();
        let opened = super::super::file::open(&path).unwrap();
        assert_eq!(opened.parameters, Some(list));
        assert_eq!(opened.ordered(), ["z", "a"]);
        assert_eq!(opened.tensor("a").unwrap().unwrap().shape(), [0]);
        assert!(opened.tensor("z").unwrap().unwrap().to_f64()[1].is_nan());
        assert_eq!(std::fs::read_dir(dir.path().join("sub")).unwrap().count(), 1, "no file is left beside");
    }

    #[test]
    fn a_large_trace_is_sharded_like_a_checkpoint() {
        let place = |start: usize, end: usize| Placed { dtype: DType::U8, shape: vec![end - start], start, end };
        let placed: IndexMap<_, _> =
            [("a", 0, 6), ("b", 6, 10), ("c", 10, 30), ("d", 30, 31)].map(|(n, s, e)| (n.to_string(), place(s, e))).into_iter().collect();
        assert_eq!(shard(&placed, 10), [vec!["a", "b"], vec!["c"], vec!["d"]]);
        assert_eq!(shard_name(Path::new("x/t.safetensors"), 2, 3), "t-00002-of-00003.safetensors");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error_and_leaves_nothing() {
        assert!(Writer::create(Path::new("/proc/nowhere/t.safetensors")).is_err());
    }
}

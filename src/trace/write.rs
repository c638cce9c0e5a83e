//! write: a trace to disk while it is being computed: tensors go to a spool file at once, the safetensors file is written beside and renamed.

use super::Header;
use super::file::{HEADER, PARAMETERS, safetensors_dtype};
use crate::error::{Code, Error, Result};
use crate::graph::param::Param;
use crate::tensor::{DType, Tensor};
use indexmap::IndexMap;
use memmap2::Mmap;
use safetensors::View;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

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
    Error::failed(format!("{}: {e}", path.display()))
        .next("check the folder's permissions and free space; nothing was replaced")
        .kind(Code::Write)
}

impl Writer {
    /// Starts the trace that will be at `path`.
    pub fn create(path: &Path) -> Result<Self> {
        let folder = folder(path);
        std::fs::create_dir_all(folder).map_err(|e| io_error(path, &e))?;
        let spool = tempfile::tempfile_in(folder).map_err(|e| io_error(path, &e))?;
        Ok(Self {
            path: path.to_path_buf(),
            spool,
            at: 0,
            placed: IndexMap::new(),
            parameters: None,
        })
    }

    /// Appends one tensor.
    pub fn add(&mut self, name: &str, tensor: &Tensor) -> Result<()> {
        self.spool
            .write_all(tensor.bytes())
            .map_err(|e| io_error(&self.path, &e))?;
        let end = self.at + tensor.bytes().len();
        self.placed.insert(
            name.to_string(),
            Placed {
                dtype: tensor.dtype(),
                shape: tensor.shape().to_vec(),
                start: self.at,
                end,
            },
        );
        self.at = end;
        Ok(())
    }

    /// Lists the model's parameters in the trace's metadata.
    pub fn parameters(&mut self, list: Vec<Param>) {
        self.parameters = Some(list);
    }

    /// Writes the file (or shards and their index) and puts it in place of an older trace, whole or sharded.
    pub fn finish(self, header: &Header) -> Result<()> {
        self.finish_in(header, SHARD_BYTES)
    }

    fn finish_in(self, header: &Header, limit: usize) -> Result<()> {
        let spool = &self.spool;
        let map = if self.at == 0 {
            None
        } else {
            // SAFETY: the spool is a file without a name that nobody but this process can open, and nothing is written to it any more.
            Some(unsafe { Mmap::map(spool) }.map_err(|e| io_error(&self.path, &e))?)
        };
        let data = map.as_deref().unwrap_or(&[]);
        let metadata = metadata(header, self.parameters.as_deref())?;
        let (shards, older) = (shard(&self.placed, limit), Older::at(&self.path));
        if shards.len() <= 1 {
            put(vec![(
                self.path.clone(),
                written(&self.path, self.placed.iter(), data, &metadata)?,
            )])?;
            return older.remove(&[]);
        }
        let (mut files, mut weight_map) = (Vec::new(), BTreeMap::new());
        for (i, names) in shards.iter().enumerate() {
            let file = shard_name(&self.path, i + 1, shards.len());
            let path = self.path.with_file_name(&file);
            let tensors = names.iter().filter_map(|n| self.placed.get_key_value(*n));
            files.push((path.clone(), written(&path, tensors, data, &metadata)?));
            weight_map.extend(names.iter().map(|n| (n.to_string(), file.clone())));
        }
        let own: Vec<PathBuf> = files.iter().map(|f| f.0.clone()).collect();
        let index =
            serde_json::json!({ "metadata": { "total_size": self.at }, "weight_map": weight_map });
        put(files)?;
        // A single file is read before an index: an older one would hide this trace for good.
        remove(&self.path)?;
        replace(&index_of(&self.path), index.to_string().as_bytes())?;
        older.remove(&own)
    }
}

/// `X.safetensors.index.json`.
pub fn index_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".index.json");
    name.into()
}

/// What a trace of the same name has left behind in shards.
struct Older {
    index: PathBuf,
    shards: Vec<PathBuf>,
}

impl Older {
    fn at(path: &Path) -> Self {
        let (stem, folder) = (
            path.file_stem()
                .map_or("trace".into(), |s| s.to_string_lossy()),
            folder(path),
        );
        // As `shard_name` calls them, and nothing else of the user's.
        let digits = |text: &str| text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
        let ours = |name: &str| {
            let numbers = name
                .strip_prefix(&*stem)
                .and_then(|n| n.strip_prefix('-'))
                .and_then(|n| n.strip_suffix(".safetensors"));
            numbers
                .and_then(|n| n.split_once("-of-"))
                .is_some_and(|(i, n)| digits(i) && digits(n))
        };
        let files = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .filter_map(|e| e.ok())
            .map(|e| e.path());
        let shards = files
            .filter(|p| p.file_name().and_then(|n| n.to_str()).is_some_and(ours))
            .collect();
        Self {
            index: index_of(path),
            shards,
        }
    }

    /// Removes what is not among the shards `kept` of the trace that is in place now.
    fn remove(self, kept: &[PathBuf]) -> Result<()> {
        if kept.is_empty() {
            remove(&self.index)?;
        }
        let is_kept = |p: &Path| kept.iter().any(|k| k.file_name() == p.file_name());
        self.shards
            .iter()
            .filter(|p| !is_kept(p))
            .try_for_each(|p| remove(p))
    }
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::failed(format!("{}: {e}", path.display()))
                .next("remove it by hand: it belongs to an older trace of the same name"))
        }
        _ => Ok(()),
    }
}

/// Renames files that are whole and on the disk into place, one after the other.
fn put(files: Vec<(PathBuf, NamedTempFile)>) -> Result<()> {
    let all = files.len();
    for (done, (path, file)) in files.into_iter().enumerate() {
        file.persist(&path).map_err(|e| match done {
            0 => io_error(&path, &e.error),
            _ => Error::failed(format!("{}: {}", path.display(), e.error))
                .next(format!("{done} of {all} files of this trace were replaced: record it again before you read it")),
        })?;
    }
    Ok(())
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
    let stem = path
        .file_stem()
        .map_or("trace".into(), |s| s.to_string_lossy());
    format!("{stem}-{i:05}-of-{n:05}.safetensors")
}

fn metadata(header: &Header, parameters: Option<&[Param]>) -> Result<HashMap<String, String>> {
    let failed = |e: serde_json::Error| Error::failed(format!("trace header: {e}"));
    let mut metadata = HashMap::from([(
        HEADER.to_string(),
        serde_json::to_string(header).map_err(failed)?,
    )]);
    if let Some(list) = parameters {
        metadata.insert(
            PARAMETERS.to_string(),
            serde_json::to_string(list).map_err(failed)?,
        );
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

/// Tensors in a file beside `path`, flushed to the disk.
fn written<'a>(
    path: &Path,
    tensors: impl Iterator<Item = (&'a String, &'a Placed)>,
    data: &[u8],
    metadata: &HashMap<String, String>,
) -> Result<NamedTempFile> {
    let beside = beside(path)?;
    let views = tensors.map(|(n, p)| (n.as_str(), Spooled(p, data)));
    safetensors::serialize_to_file(views, Some(metadata.clone()), beside.path())
        .map_err(|e| io_error(path, &e))?;
    // The writer opened the file anew, by its name.
    File::open(beside.path())
        .and_then(|f| f.sync_all())
        .map_err(|e| io_error(path, &e))?;
    Ok(beside)
}

/// The folder of `path`; that of a bare name is the working directory.
fn folder(path: &Path) -> &Path {
    path.parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

fn beside(path: &Path) -> Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".parity-");
    // What is renamed into place is read by whom the user's umask allows, like any file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder
        .tempfile_in(folder(path))
        .map_err(|e| io_error(path, &e))
}

/// Writes `bytes` beside `path`, flushes it to the disk and renames: the old file stays whole until the new one is.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = beside(path)?;
    file.write_all(bytes)
        .and_then(|()| file.as_file().sync_all())
        .map_err(|e| io_error(path, &e))?;
    file.persist(path)
        .map_err(|e| io_error(path, &e.error))
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::super::Entry;
    use super::*;
    use crate::graph::param::Kind;

    #[test]
    fn what_is_written_comes_back_in_order_with_its_header() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub/t.safetensors");
        let mut writer = Writer::create(&path).unwrap();
        writer
            .add("z", &Tensor::of(&[2], &[1f32, f32::NAN]))
            .unwrap();
        writer.add("a", &Tensor::of(&[0], &[0i64; 0])).unwrap();
        let entries = [("z", "n1"), ("a", "n2")].map(|(k, n)| {
            (
                k.to_string(),
                Entry {
                    node: n.into(),
                    ..Default::default()
                },
            )
        });
        let header = Header {
            format: 1,
            tensors: entries.into_iter().collect(),
            ..Default::default()
        };
        let list = vec![Param {
            name: "w".into(),
            shape: vec![2],
            dtype: DType::F32,
            kind: Kind::Parameter,
            trainable: Some(true),
        }];
        writer.parameters(list.clone());
        writer.finish(&header).unwrap();
        let opened = super::super::file::open(&path).unwrap();
        assert_eq!(opened.parameters, Some(list));
        assert_eq!(opened.ordered(), ["z", "a"]);
        assert_eq!(opened.tensor("a").unwrap().unwrap().shape(), [0]);
        assert!(opened.tensor("z").unwrap().unwrap().to_f64()[1].is_nan());
        assert_eq!(
            std::fs::read_dir(dir.path().join("sub")).unwrap().count(),
            1,
            "no file is left beside"
        );
    }

    #[test]
    fn a_large_trace_is_sharded_like_a_checkpoint() {
        let place = |start: usize, end: usize| Placed {
            dtype: DType::U8,
            shape: vec![end - start],
            start,
            end,
        };
        let placed: IndexMap<_, _> = [("a", 0, 6), ("b", 6, 10), ("c", 10, 30), ("d", 30, 31)]
            .map(|(n, s, e)| (n.to_string(), place(s, e)))
            .into_iter()
            .collect();
        assert_eq!(shard(&placed, 10), [vec!["a", "b"], vec!["c"], vec!["d"]]);
        assert_eq!(
            shard_name(Path::new("x/t.safetensors"), 2, 3),
            "t-00002-of-00003.safetensors"
        );
    }

    #[test]
    fn a_trace_takes_the_place_of_an_older_one_whole_or_sharded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.safetensors");
        std::fs::write(dir.path().join("t-notes.safetensors"), b"the user's own").unwrap();
        let header = |names: &[&str]| Header {
            format: 1,
            tensors: names
                .iter()
                .map(|n| (n.to_string(), Entry::default()))
                .collect(),
            ..Default::default()
        };
        // Tensors of four bytes; how many fit into a file, and the files that there are then.
        let steps: [(&[&str], usize, usize); 5] = [
            (&["a"], 9, 1),
            (&["a", "b", "c"], 4, 4),
            (&["a", "b"], 4, 3),
            (&["a", "b", "c", "d"], 8, 3),
            (&["z"], 9, 1),
        ];
        for (step, (names, limit, files)) in steps.into_iter().enumerate() {
            let mut writer = Writer::create(&path).unwrap();
            names
                .iter()
                .for_each(|n| writer.add(n, &Tensor::of(&[1], &[step as f32])).unwrap());
            writer.finish_in(&header(names), limit).unwrap();
            let opened = super::super::file::open(&path).unwrap();
            assert_eq!(opened.ordered(), names, "step {step}");
            for name in names {
                assert_eq!(
                    opened.tensor(name).unwrap().unwrap().to_f64(),
                    [step as f64],
                    "step {step}, '{name}' is of an older trace"
                );
            }
            let there: Vec<_> = std::fs::read_dir(dir.path())
                .unwrap()
                .map(|e| e.unwrap().file_name())
                .collect();
            assert_eq!(there.len(), files + 1, "step {step}: {there:?}");
        }
    }

    #[test]
    fn what_cannot_be_put_in_place_says_how_much_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("t.safetensors");
        let write = |blocked: &str| {
            let mut writer = Writer::create(&path).unwrap();
            ["a", "b", "c"]
                .iter()
                .for_each(|n| writer.add(n, &Tensor::of(&[1], &[1f32])).unwrap());
            std::fs::create_dir_all(dir.path().join(blocked).join("in the way")).unwrap();
            let e = writer
                .finish_in(
                    &Header {
                        format: 1,
                        ..Default::default()
                    },
                    4,
                )
                .unwrap_err()
                .to_string();
            std::fs::remove_dir_all(dir.path().join(blocked)).unwrap();
            e
        };
        let e = write("t-00001-of-00003.safetensors");
        assert!(e.contains("nothing was replaced"), "{e}");
        let e = write("t-00003-of-00003.safetensors");
        assert!(
            e.contains("2 of 3 files of this trace were replaced") && !e.contains("nothing"),
            "{e}"
        );
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error_and_leaves_nothing() {
        assert!(Writer::create(Path::new("/proc/nowhere/t.safetensors")).is_err());
    }
}

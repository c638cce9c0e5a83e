//! archive: the two containers that PyTorch writes: a zip file with `data.pkl` and a file for each storage, and before 1.6 pickles with the storages
//! behind them.

use super::arrays::gathered;
use super::pickle::{self, Heap, Id, Value};
use super::{From, Stored};
use crate::error::{Error, Result};
use crate::file;
use crate::tensor::Tensor;
use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;
use std::path::Path;
use zip::ZipArchive;

/// Of a zip file.
const ZIP: &[u8] = b"PK\x03\x04";

/// What the first pickle of the older container holds: 0x1950a86a20f9469cfc6c, in protocol 2.
const MAGIC: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";

/// Bytes of pickles at most; they hold names and numbers, the elements lie elsewhere.
const MOST: u64 = 1 << 28;

/// Whether a file begins as one of PyTorch's.
#[must_use]
pub fn is_one(path: &Path) -> bool {
    let begin = File::open(path).and_then(|file| begin(&file));
    begin.is_ok_and(|begin| begin.starts_with(ZIP) || begin.starts_with(MAGIC))
}

fn begin(file: &File) -> std::io::Result<Vec<u8>> {
    let mut begin = vec![];
    file.take(MAGIC.len() as u64).read_to_end(&mut begin)?;
    Ok(begin)
}

/// Where the elements of each storage lie.
pub struct Archive {
    file: File,
    /// First byte and number of bytes, by key.
    storages: HashMap<String, (u64, u64)>,
    is_big_endian: bool,
}

/// The container, and the value that was saved.
pub fn open(path: &Path) -> Result<(Archive, Heap, Id)> {
    file::is_there(path)?;
    let file = File::open(path).map_err(failed)?;
    let begin = begin(&file).map_err(failed)?;
    if begin.starts_with(ZIP) {
        return zipped(file);
    }
    if begin.starts_with(MAGIC) {
        return pickled(file);
    }
    Err(Error::usage("it is neither of the two that torch.save writes: a zip file with data.pkl, or pickles behind PyTorch's magic number")
        .next("load it where it was made, and save its state_dict() anew"))
}

fn failed(e: std::io::Error) -> Error {
    Error::usage(e.to_string())
}

fn zipped(file: File) -> Result<(Archive, Heap, Id)> {
    let refused = |e: zip::result::ZipError| Error::usage(format!("no whole zip file ({e})"));
    let mut zip = ZipArchive::new(file.try_clone().map_err(failed)?).map_err(refused)?;
    let (mut storages, mut pickle, mut is_big_endian) = (HashMap::new(), None, false);
    for i in 0..zip.len() {
        let entry = zip.by_index_raw(i).map_err(refused)?;
        // Whatever folder it was saved under.
        let name = entry.name().map_err(refused)?;
        let name = name.split_once('/').map_or(&*name, |n| n.1).to_string();
        if entry.compression() != zip::CompressionMethod::Stored {
            continue;
        }
        let at = entry.data_start().unwrap_or(0);
        match name.as_str() {
            "data.pkl" => pickle = Some((at, entry.size())),
            "byteorder" => {
                let mut order = String::new();
                entry.take(16).read_to_string(&mut order).map_err(failed)?;
                is_big_endian = order.trim() == "big";
            }
            _ => {
                if let Some(key) = name.strip_prefix("data/") {
                    storages.insert(key.to_string(), (at, entry.size()));
                }
            }
        }
    }
    let (at, size) = pickle.ok_or_else(|| {
        Error::usage(
            "a zip file without an entry data.pkl that is stored as it is: torch.save writes one",
        )
    })?;
    let archive = Archive {
        file,
        storages,
        is_big_endian,
    };
    if size > MOST {
        return Err(Error::usage(format!(
            "data.pkl has {size} bytes, {MOST} at most are read"
        )));
    }
    let mut heap = Heap::default();
    let (root, _) = pickle::read(&archive.bytes(at, size)?, &mut heap)
        .map_err(|e| Error::usage(format!("data.pkl: {}", e.message)))?;
    Ok((archive, heap, root))
}

/// Magic number, version, machine, value, keys of the storages: pickles, one behind the other; then each storage as the number of its elements and
/// these.
fn pickled(file: File) -> Result<(Archive, Heap, Id)> {
    let whole = file.metadata().map_err(failed)?.len();
    let mut archive = Archive {
        file,
        storages: HashMap::new(),
        is_big_endian: false,
    };
    let mut size = whole.min(1 << 20);
    let (heap, values, mut at) = loop {
        match several(&archive.bytes(0, size)?, 5) {
            Ok(found) => break found,
            Err(e) if size == whole.min(MOST) => return Err(e),
            // It may go on behind what was read.
            Err(_) => size = (2 * size).min(whole).min(MOST),
        }
    };
    let machine = values[2];
    if let Value::Dict(pairs) = heap.get(machine) {
        let little = pairs
            .iter()
            .find(|p| heap.text(p.0) == Some("little_endian"));
        archive.is_big_endian = little.is_some_and(|p| *heap.get(p.1) == Value::Bool(false));
    }
    let sizes = super::arrays::storages(&heap);
    let keys = heap.members(values[4]).unwrap_or(&[]);
    for key in keys {
        let key = heap
            .text(*key)
            .ok_or_else(|| Error::usage("a storage whose key is no text"))?;
        let (numel, width) = sizes.get(key).copied().unwrap_or((0, 1));
        let size = (numel as u64).saturating_mul(width as u64);
        let said = archive.bytes(at, 8)?;
        let said = u64::from_le_bytes(said.try_into().unwrap_or_default());
        if said != numel as u64 {
            return Err(Error::usage(format!(
                "storage '{key}' has {said} elements in its place, and {numel} where it is named"
            )));
        }
        archive.storages.insert(key.to_string(), (at + 8, size));
        at = (at + 8).saturating_add(size);
    }
    Ok((archive, heap, values[3]))
}

/// So many pickles, one behind the other, and where the last one ends.
fn several(bytes: &[u8], count: usize) -> Result<(Heap, Vec<Id>, u64)> {
    let (mut heap, mut values, mut at) = (Heap::default(), vec![], 0);
    for _ in 0..count {
        let (value, used) = pickle::read(&bytes[at..], &mut heap)?;
        values.push(value);
        at += used;
    }
    Ok((heap, values, at as u64))
}

impl Archive {
    fn bytes(&self, at: u64, size: u64) -> Result<Vec<u8>> {
        let whole = self.file.metadata().map_err(failed)?.len();
        let ends = at.checked_add(size).filter(|end| *end <= whole);
        let size = ends
            .and_then(|_| usize::try_from(size).ok())
            .ok_or_else(|| {
                Error::usage(format!(
                    "{size} bytes are to lie at {at}, and the file ends at {whole}"
                ))
            })?;
        let mut bytes = vec![0; size];
        self.file.read_exact_at(&mut bytes, at).map_err(failed)?;
        Ok(bytes)
    }

    /// # Errors
    /// What holds its elements is not there, or too small.
    pub fn tensor(&self, held: &Stored) -> Result<Tensor> {
        let (key, offset, strides) = match &held.from {
            From::Inline(bytes) => {
                return Tensor::from_bytes(held.dtype, held.shape.clone(), bytes);
            }
            From::Storage {
                key,
                offset,
                strides,
            } => (key, *offset, strides),
        };
        let (at, size) = *self.storages.get(key).ok_or_else(|| {
            Error::usage(format!(
                "the file has no storage '{key}', or a compressed one"
            ))
        })?;
        let (first, bytes) = super::arrays::span(held, offset, strides, size)?;
        let mut bytes = self.bytes(at + first, bytes)?;
        if self.is_big_endian {
            bytes
                .chunks_mut(held.dtype.size())
                .for_each(<[u8]>::reverse);
        }
        gathered(held, strides, &bytes)
    }
}

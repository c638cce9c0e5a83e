//! weights: TensorProto into Tensor and back: raw, typed and external data, every length checked.

use super::proto::TensorProto;
use crate::error::{Error, Place, Result};
use crate::tensor::{DType, Narrow, Tensor, Value, checked_numel};
use bytes::Bytes;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};

/// What `proto` states, whatever its dtype: a tensor, strings, or numbers of a few bits.
pub fn value(proto: &TensorProto) -> Result<Value> {
    let code = proto.data_type.unwrap_or(0);
    if code == STRING {
        return strings(proto);
    }
    match Narrow::from_onnx(code) {
        Some(dtype) => narrow(proto, dtype),
        None => decode(proto, None).map(Value::Tensor),
    }
}

/// The code of strings in ONNX's TensorProto.DataType.
const STRING: i32 = 8;

fn strings(proto: &TensorProto) -> Result<Value> {
    let text =
        |b: &Bytes| String::from_utf8(b.to_vec()).map_err(|_| Error::usage("a string is no UTF-8"));
    let (shape, all) = (
        shape(proto)?,
        proto
            .string_data
            .iter()
            .map(text)
            .collect::<Result<Vec<_>>>()?,
    );
    if checked_numel(&shape)? != all.len() {
        return Err(Error::usage(format!(
            "{} strings do not fill {shape:?}",
            all.len()
        )));
    }
    Ok(Value::Strings(shape, all))
}

/// Numbers of a few bits, several to a byte, the first in the lowest bits.
fn narrow(proto: &TensorProto, dtype: Narrow) -> Result<Value> {
    let shape = shape(proto)?;
    let (numel, each) = (checked_numel(&shape)?, 8 / dtype.bits() as usize);
    let bytes: Vec<u8> = match &proto.raw_data {
        Some(raw) => raw.to_vec(),
        None => proto
            .int32_data
            .iter()
            .map(|v| v.to_le_bytes()[0])
            .collect(),
    };
    if bytes.len() != numel.div_ceil(each) {
        return Err(Error::usage(format!(
            "{} tensor of shape {shape:?} needs {} bytes, has {}",
            dtype.name(),
            numel.div_ceil(each),
            bytes.len()
        )));
    }
    let at = |i: usize| dtype.decode(bytes[i / each] >> (i % each * dtype.bits() as usize));
    Ok(Value::Narrow(
        dtype,
        Tensor::from_vec(&shape, (0..numel).map(at).collect::<Vec<f32>>()),
    ))
}

fn shape(proto: &TensorProto) -> Result<Vec<usize>> {
    let one = |d: &i64| {
        usize::try_from(*d)
            .map_err(|_| Error::usage(format!("negative dimension in {:?}", proto.dims)))
    };
    proto.dims.iter().map(one).collect()
}

/// Where the external data of a model may lie: in the folder of its name, and, where that is a link, in that of the file behind it.
pub struct Folders(Vec<PathBuf>);

impl Folders {
    pub fn of(model: &Path) -> Self {
        // The parent of a bare name is empty, and stands for the working directory.
        let parent = |p: &Path| {
            Some(p.parent()?.to_path_buf()).map(|f| {
                if f.as_os_str().is_empty() {
                    PathBuf::from(".")
                } else {
                    f
                }
            })
        };
        let real = model.canonicalize().ok();
        let mut all: Vec<PathBuf> = [parent(model), real.as_deref().and_then(parent)]
            .into_iter()
            .flatten()
            .collect();
        all.dedup_by_key(|f| f.canonicalize().unwrap_or_else(|_| f.clone()));
        Self(all)
    }

    /// The file at `location`, in the first folder that has it, or why it is not read.
    fn file(&self, location: &str) -> Result<PathBuf> {
        let relative = Path::new(location);
        if relative
            .components()
            .any(|c| !matches!(c, Component::Normal(_) | Component::CurDir))
        {
            return Err(Error::usage(format!(
                "external data location '{location}' leaves the model's folder: refused"
            )));
        }
        let mut paths = self.0.iter().map(|f| f.join(relative));
        let Some(path) = paths
            .find(|p| p.exists())
            .or_else(|| Some(self.0.first()?.join(relative)))
        else {
            return Err(Error::usage("external data in a model that has no folder"));
        };
        let real = path.canonicalize();
        let inside = |real: &Path| {
            self.0
                .iter()
                .filter_map(|f| f.canonicalize().ok())
                .any(|f| real.starts_with(f))
        };
        match real {
            Ok(real) if !inside(&real) => Err(Error::usage(format!(
                "external data location '{location}' leads out of the model's folder through a link: refused"
            ))),
            Ok(_) | Err(_) => Ok(path),
        }
    }
}

/// The tensor that `proto` states; external data is looked up below `folders`.
pub fn decode(proto: &TensorProto, folders: Option<&Folders>) -> Result<Tensor> {
    let name = proto.name.as_deref().unwrap_or("");
    decode_unnamed(proto, folders).at(format!("weight '{name}'"))
}

fn decode_unnamed(proto: &TensorProto, folders: Option<&Folders>) -> Result<Tensor> {
    let code = proto.data_type.unwrap_or(0);
    let dtype = DType::from_onnx(code)
        .ok_or_else(|| Error::usage(format!("data type {code} is not supported")))?;
    let shape = shape(proto)?;
    let bytes = checked_numel(&shape)? * dtype.size();
    if proto.data_location == Some(1) {
        return Tensor::from_bytes(dtype, shape, &external(proto, folders, bytes)?);
    }
    match &proto.raw_data {
        Some(raw) => Tensor::from_bytes(dtype, shape, raw),
        None => typed(proto, dtype, shape),
    }
}

/// Values from the typed fields of TensorProto; small integers and halves lie in `int32_data`.
fn typed(proto: &TensorProto, dtype: DType, shape: Vec<usize>) -> Result<Tensor> {
    let narrow = |size: usize| {
        proto
            .int32_data
            .iter()
            .flat_map(|v| v.to_le_bytes()[..size].to_vec())
            .collect::<Vec<u8>>()
    };
    let bytes = match dtype {
        DType::F32 => bytemuck::cast_slice(&proto.float_data).to_vec(),
        DType::F64 => bytemuck::cast_slice(&proto.double_data).to_vec(),
        DType::I64 => bytemuck::cast_slice(&proto.int64_data).to_vec(),
        DType::U64 => bytemuck::cast_slice(&proto.uint64_data).to_vec(),
        DType::U32 => proto
            .uint64_data
            .iter()
            .flat_map(|v| (*v as u32).to_le_bytes())
            .collect(),
        DType::I32
        | DType::I16
        | DType::I8
        | DType::U16
        | DType::U8
        | DType::Bool
        | DType::F16
        | DType::BF16 => narrow(dtype.size()),
    };
    Tensor::from_bytes(dtype, shape, &bytes)
}

/// Reads `len` bytes of an external-data file that must lie below one of `folders`.
fn external(proto: &TensorProto, folders: Option<&Folders>, len: usize) -> Result<Vec<u8>> {
    let entry = |key: &str| {
        proto
            .external_data
            .iter()
            .find(|e| e.key.as_deref() == Some(key))
            .and_then(|e| e.value.as_deref())
    };
    let location =
        entry("location").ok_or_else(|| Error::usage("external data without a location"))?;
    let number = |key: &str| match entry(key) {
        None => Ok(None),
        Some(v) => v
            .parse::<u64>()
            .map(Some)
            .map_err(|_| Error::usage(format!("external data {key} '{v}' is no number"))),
    };
    let (offset, stated) = (number("offset")?.unwrap_or(0), number("length")?);
    if stated.is_some_and(|s| s != len as u64) {
        return Err(Error::usage(format!(
            "external data is stated as {} bytes, its shape needs {len}",
            stated.unwrap_or(0)
        )));
    }
    let folders =
        folders.ok_or_else(|| Error::usage("external data in a model that is not a file"))?;
    read_range(&folders.file(location)?, offset, len)
}

fn read_range(path: &Path, offset: u64, len: usize) -> Result<Vec<u8>> {
    let fail = |e: std::io::Error| Error::usage(format!("external data {}: {e}", path.display()));
    let mut file = std::fs::File::open(path).map_err(fail)?;
    let have = file.metadata().map_err(fail)?.len();
    if offset.checked_add(len as u64).is_none_or(|end| end > have) {
        return Err(Error::usage(format!(
            "external data {} has {have} bytes, {len} at {offset} are needed",
            path.display()
        )));
    }
    file.seek(SeekFrom::Start(offset)).map_err(fail)?;
    let mut bytes = vec![0; len];
    file.read_exact(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

/// `tensor` as a TensorProto called `name`, with raw data.
pub fn encode(name: &str, tensor: &Tensor) -> TensorProto {
    TensorProto {
        name: Some(name.into()),
        dims: tensor.shape().iter().map(|d| *d as i64).collect(),
        data_type: Some(tensor.dtype().onnx()),
        raw_data: Some(Bytes::copy_from_slice(tensor.bytes())),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::proto::StringStringEntryProto;
    use super::*;

    fn outside(location: &str, folder: &Path) -> TensorProto {
        let entry = |k: &str, v: &str| StringStringEntryProto {
            key: Some(k.into()),
            value: Some(v.into()),
        };
        std::fs::write(
            folder.join("w.bin"),
            bytemuck::cast_slice(&[9f32, 1.5, -2.0]),
        )
        .unwrap();
        TensorProto {
            name: Some("w".into()),
            dims: vec![2],
            data_type: Some(1),
            data_location: Some(1),
            external_data: vec![entry("location", location), entry("offset", "4")],
            ..Default::default()
        }
    }

    fn beside(folder: &Path) -> Folders {
        Folders::of(&folder.join("m.onnx"))
    }

    #[test]
    fn external_data_is_read_at_its_offset_and_never_outside_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let good = decode(&outside("w.bin", dir.path()), Some(&beside(dir.path()))).unwrap();
        assert_eq!(good.values::<f32>().unwrap(), [1.5, -2.0]);
        for location in ["../w.bin", "/etc/passwd", "a/../../w.bin"] {
            let e = decode(&outside(location, dir.path()), Some(&beside(dir.path()))).unwrap_err();
            assert!(e.message.contains("refused"), "{location}: {e}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn external_data_through_a_link_out_of_the_folder_is_refused() {
        let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(other.path().join("secret"), [0; 64]).unwrap();
        std::os::unix::fs::symlink(other.path().join("secret"), dir.path().join("link")).unwrap();
        let e = decode(&outside("link", dir.path()), Some(&beside(dir.path()))).unwrap_err();
        assert!(e.message.contains("through a link"), "{e}");
    }

    #[test]
    fn a_short_external_file_and_short_raw_data_are_errors_with_numbers() {
        let dir = tempfile::tempdir().unwrap();
        let mut proto = outside("w.bin", dir.path());
        proto.dims = vec![5];
        assert!(
            decode(&proto, Some(&beside(dir.path())))
                .unwrap_err()
                .message
                .contains("20 at 4 are needed")
        );
        let raw = TensorProto {
            dims: vec![3],
            data_type: Some(1),
            raw_data: Some(Bytes::from_static(&[0; 8])),
            ..Default::default()
        };
        assert!(
            decode(&raw, None)
                .unwrap_err()
                .message
                .contains("needs 12 bytes, has 8")
        );
        let huge = TensorProto {
            dims: vec![i64::MAX, i64::MAX],
            data_type: Some(1),
            ..Default::default()
        };
        assert!(
            decode(&huge, None)
                .unwrap_err()
                .message
                .contains("more elements")
        );
    }

    #[test]
    fn typed_and_raw_data_give_the_same_tensor() {
        let half = TensorProto {
            dims: vec![2],
            data_type: Some(10),
            int32_data: vec![0x3c00, 0xc000],
            ..Default::default()
        };
        assert_eq!(decode(&half, None).unwrap().to_f64(), [1.0, -2.0]);
        let again = encode("h", &decode(&half, None).unwrap());
        assert_eq!(decode(&again, None).unwrap().to_f64(), [1.0, -2.0]);
    }
}

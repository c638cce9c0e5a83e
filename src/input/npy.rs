//! npy: one array as `numpy.save` writes it: every dtype that a model can take, either byte order, row-major or column-major.

use crate::error::{Error, Place, Result};
use crate::tensor::{DType, Storage, Tensor, checked_numel};
use memmap2::Mmap;
use std::path::Path;
use std::sync::Arc;

/// What numpy calls each dtype. It has no bfloat16 of its own: `ml_dtypes` gives it one, which is saved as two bytes without a meaning.
const DTYPES: [(&str, DType); 13] = [
    ("f8", DType::F64),
    ("f4", DType::F32),
    ("f2", DType::F16),
    ("V2", DType::BF16),
    ("i8", DType::I64),
    ("i4", DType::I32),
    ("i2", DType::I16),
    ("i1", DType::I8),
    ("u8", DType::U64),
    ("u4", DType::U32),
    ("u2", DType::U16),
    ("u1", DType::U8),
    ("b1", DType::Bool),
];

/// The array in the file at `path`, in the dtype of the file.
pub fn load(path: &Path) -> Result<Tensor> {
    let place = path.display();
    let bytes = std::fs::read(path)
        .map_err(|e| Error::usage(e.to_string()))
        .at(&place)?;
    array(&bytes).at(place)
}

/// The array in the file at `path` where it lies in the file, if it lies there as a tensor does; else read.
pub fn mapped(path: &Path) -> Result<Tensor> {
    let place = path.display();
    let file = std::fs::File::open(path).map_err(|e| Error::usage(e.to_string()));
    let file = file.at(&place)?;
    // SAFETY: the map is read-only; a file that shrinks under us is the user's own race and ends in SIGBUS like any mmap reader.
    let map = unsafe { Mmap::map(&file) };
    let map = map.map_err(|e| Error::usage(e.to_string())).at(&place)?;
    let (header, data) = Header::read(&map).at(&place)?;
    let dtype = dtype(&header.descr).at(&place)?;
    let begin = map.len() - data.len();
    let turned = header.descr.starts_with('>') || (header.fortran && header.shape.len() > 1);
    let as_it_lies = !turned && dtype != DType::Bool && begin % 16 == 0;
    match as_it_lies {
        true => Tensor::new(dtype, header.shape, Arc::new(Mapped { map, begin })).at(place),
        false => array(&map).at(place),
    }
}

/// An array in its file, behind the header.
struct Mapped {
    map: Mmap,
    begin: usize,
}

impl Storage for Mapped {
    fn bytes(&self) -> &[u8] {
        &self.map[self.begin..]
    }
    fn as_any(&self) -> &dyn std::any::Any {
        self
    }
}

/// Dtype and shape of the array whose file begins with `bytes`, and where its numbers begin.
///
/// # Errors
/// It is no array, or one of no dtype that is known.
pub fn described(bytes: &[u8]) -> Result<(DType, Vec<usize>, usize)> {
    let (header, data) = Header::read(bytes)?;
    Ok((
        dtype(&header.descr)?,
        header.shape,
        bytes.len() - data.len(),
    ))
}

fn array(bytes: &[u8]) -> Result<Tensor> {
    let (header, data) = Header::read(bytes)?;
    let (dtype, shape) = (dtype(&header.descr)?, header.shape);
    let need = checked_numel(&shape)? * dtype.size();
    if data.len() != need {
        return Err(Error::usage(format!(
            "{dtype} {shape:?} takes {need} bytes behind the header, the file has {}",
            data.len()
        )));
    }
    let mut own = if header.fortran && shape.len() > 1 {
        row_major(data, &shape, dtype.size())
    } else {
        data.to_vec()
    };
    if header.descr.starts_with('>') {
        own.chunks_exact_mut(dtype.size()).for_each(<[u8]>::reverse);
    }
    if dtype == DType::Bool {
        own.iter_mut().for_each(|b| *b = u8::from(*b != 0));
    }
    Tensor::from_bytes(dtype, shape, &own)
}

/// What stands in front of the numbers: a dictionary as Python writes it, of three keys and nothing nested but the shape.
struct Header {
    /// Byte order, kind and size: `<f4`.
    descr: String,
    fortran: bool,
    shape: Vec<usize>,
}

impl Header {
    /// The header, and what lies behind it.
    fn read(bytes: &[u8]) -> Result<(Self, &[u8])> {
        let Some((version, rest)) = bytes
            .strip_prefix(b"\x93NUMPY")
            .and_then(|b| b.split_first_chunk::<2>())
        else {
            return Err(Error::usage(format!(
                "no .npy file: its {} bytes do not begin as one",
                bytes.len()
            ))
            .next("write it by numpy.save"));
        };
        let (len, rest) = match version {
            [1, _] => rest
                .split_first_chunk()
                .map(|(n, rest)| (usize::from(u16::from_le_bytes(*n)), rest)),
            [2 | 3, _] => rest
                .split_first_chunk()
                .map(|(n, rest)| (u32::from_le_bytes(*n) as usize, rest)),
            [major, minor] => {
                return Err(Error::usage(format!(
                    "version {major}.{minor} of the format is not known: 1.0, 2.0 and 3.0 are"
                )));
            }
        }
        .filter(|(len, rest)| *len <= rest.len())
        .ok_or_else(|| Error::usage("the file ends within its header"))?;
        let (text, data) = rest.split_at(len);
        let text = std::str::from_utf8(text).map_err(|_| Error::usage("the header is no text"))?;
        Ok((Self::parse(text)?, data))
    }

    fn parse(text: &str) -> Result<Self> {
        let value = |key: &str| {
            let behind = text
                .split_once(&format!("'{key}':"))
                .map(|(_, v)| v.trim_start());
            behind.ok_or_else(|| Error::usage(format!("the header states no {key}")))
        };
        let descr = value("descr")?
            .strip_prefix('\'')
            .and_then(|v| v.split_once('\''))
            .map(|(v, _)| v.to_string());
        let descr = descr.ok_or_else(|| {
            Error::usage("a structured dtype").next("save one array of plain numbers")
        })?;
        let dims = value("shape")?
            .strip_prefix('(')
            .and_then(|v| v.split_once(')'))
            .map(|(v, _)| v.trim().split_terminator(','));
        let shape = dims.and_then(|all| all.map(|d| d.trim().parse().ok()).collect());
        let shape =
            shape.ok_or_else(|| Error::usage("the header states no shape that can be read"))?;
        Ok(Self {
            descr,
            fortran: value("fortran_order")?.starts_with("True"),
            shape,
        })
    }
}

/// The dtype that numpy calls `descr`.
fn dtype(descr: &str) -> Result<DType> {
    let name = descr.trim_start_matches(['<', '>', '|', '=']);
    let known = DTYPES.iter().find(|row| row.0 == name).map(|row| row.1);
    known.ok_or_else(|| {
        let what = match name.chars().next() {
            Some('c') => "complex numbers",
            Some('M' | 'm') => "points or spans of time",
            Some('U' | 'S' | 'a') => "text",
            Some('O') => "Python objects",
            Some('V') => "bytes without a meaning",
            _ => "numbers that no model takes",
        };
        let next = "save it as one of f2, f4, f8, i1 … i8, u1 … u8, bool, or bfloat16 of ml_dtypes: numpy.save(FILE, x.astype('f4'))";
        Error::usage(format!("dtype {descr}: {what}")).next(next)
    })
}

/// A column-major array, row by row: `bytes` of elements of `size` bytes.
fn row_major(bytes: &[u8], shape: &[usize], size: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = vec![0; shape.len()];
    for _ in 0..bytes.len() / size {
        // The first index runs fastest in the file: 1, d0, d0 · d1, … elements apart.
        let at = index
            .iter()
            .zip(shape)
            .rev()
            .fold(0, |at, (i, d)| at * d + i);
        out.extend_from_slice(&bytes[at * size..][..size]);
        for (i, d) in index.iter_mut().zip(shape).rev() {
            *i += 1;
            if *i < *d {
                break;
            }
            *i = 0;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file as numpy writes it: header text padded to 64 bytes, its length in two bytes (version 1) or four.
    fn npy(version: u8, descr: &str, fortran: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let text = format!("{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': {shape}, }}");
        let before = if version == 1 { 10 } else { 12 };
        let text = format!(
            "{text:<width$}\n",
            width = (before + text.len() + 1).div_ceil(64) * 64 - before - 1
        );
        let len = (text.len() as u32).to_le_bytes();
        [
            &b"\x93NUMPY"[..],
            &[version, 0],
            &len[..before - 8],
            text.as_bytes(),
            data,
        ]
        .concat()
    }

    fn values(bytes: &[u8]) -> (DType, Vec<usize>, Vec<f64>) {
        let t = array(bytes).unwrap();
        (t.dtype(), t.shape().to_vec(), t.to_f64())
    }

    #[test]
    fn every_dtype_is_read_in_either_byte_order() {
        for (name, dtype) in DTYPES {
            let want = if dtype == DType::Bool {
                vec![1.0, 0.0]
            } else {
                vec![3.0, 100.0]
            };
            let little = Tensor::from_f64(dtype, &[2], &want)
                .unwrap()
                .bytes()
                .to_vec();
            let big: Vec<u8> = little
                .chunks(dtype.size())
                .flat_map(|b| b.iter().rev().copied())
                .collect();
            let orders = if dtype.size() == 1 {
                vec![("|", &little)]
            } else {
                vec![("<", &little), (">", &big)]
            };
            for (order, data) in orders {
                let read = values(&npy(1, &format!("'{order}{name}'"), "False", "(2,)", data));
                assert_eq!(read, (dtype, vec![2], want.clone()), "{order}{name}");
            }
        }
        assert_eq!(
            DTYPES.map(|row| row.1),
            DType::ALL,
            "a dtype that no file can hold"
        );
    }

    #[test]
    fn what_lies_in_the_file_as_a_tensor_is_not_copied_and_all_else_is_read_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.npy");
        let rows = [("'<i2'", "False"), ("'>i2'", "False"), ("'<i2'", "True")];
        for (i, (descr, fortran)) in rows.into_iter().enumerate() {
            let file = npy(1, descr, fortran, "(2, 2)", &[1, 0, 2, 0, 3, 0, 4, 1]);
            std::fs::write(&path, &file).unwrap();
            let (mapped, read) = (mapped(&path).unwrap(), array(&file).unwrap());
            assert_eq!(mapped.to_f64(), read.to_f64(), "{descr} {fortran}");
            assert_eq!(mapped.storage().as_any().is::<Mapped>(), i == 0);
        }
        std::fs::write(&path, npy(1, "'<i2'", "False", "(2, 2)", &[0; 6])).unwrap();
        assert!(super::mapped(&path).is_err());
    }

    #[test]
    fn every_version_of_the_header_and_every_shape_is_read() {
        let data: Vec<u8> = [0f32, 1.0, 2.0, 3.0, 4.0, 5.0]
            .iter()
            .flat_map(|v| v.to_be_bytes())
            .collect();
        type Row = (
            &'static str,
            &'static str,
            usize,
            &'static [usize],
            &'static [f64],
        );
        let cases: [Row; 6] = [
            (
                "(2, 3)",
                "False",
                24,
                &[2, 3],
                &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0],
            ),
            (
                "(2, 3)",
                "True",
                24,
                &[2, 3],
                &[0.0, 2.0, 4.0, 1.0, 3.0, 5.0],
            ),
            (
                "(1, 2, 3)",
                "True",
                24,
                &[1, 2, 3],
                &[0.0, 2.0, 4.0, 1.0, 3.0, 5.0],
            ),
            ("(6,)", "True", 24, &[6], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]),
            ("()", "False", 4, &[], &[0.0]),
            ("(0, 3)", "True", 0, &[0, 3], &[]),
        ];
        for version in [1, 2, 3] {
            for (shape, fortran, bytes, dims, want) in cases {
                let read = values(&npy(version, "'>f4'", fortran, shape, &data[..bytes]));
                assert_eq!(
                    read,
                    (DType::F32, dims.to_vec(), want.to_vec()),
                    "version {version}, {shape}, fortran {fortran}"
                );
            }
        }
    }

    #[test]
    fn what_no_model_takes_is_refused_in_words() {
        let cases = [
            (npy(1, "'<c8'", "False", "(1,)", &[0; 8]), "complex"),
            (
                npy(1, "'<f16'", "False", "(1,)", &[0; 16]),
                "no model takes",
            ),
            (npy(1, "'<M8[ns]'", "False", "(1,)", &[0; 8]), "time"),
            (npy(1, "'<U3'", "False", "(1,)", &[0; 12]), "text"),
            (npy(1, "'|S3'", "False", "(1,)", &[0; 3]), "text"),
            (npy(1, "'|O'", "False", "(1,)", &[0; 8]), "Python objects"),
            (
                npy(1, "'<V1'", "False", "(1,)", &[0; 1]),
                "without a meaning",
            ),
            (
                npy(1, "[('a', '<f4')]", "False", "(1,)", &[0; 4]),
                "structured",
            ),
            (npy(4, "'<f4'", "False", "(1,)", &[0; 4]), "version"),
            (
                npy(1, "'<f4'", "False", "(2,)", &[0; 4]),
                "takes 8 bytes behind the header, the file has 4",
            ),
            (
                npy(1, "'<f4'", "False", "(1,)", &[0; 8]),
                "takes 4 bytes behind the header, the file has 8",
            ),
            (
                npy(1, "'<f4'", "False", "(4294967296, 4294967296)", &[]),
                "more elements",
            ),
            (vec![], "0 bytes"),
            (b"PK\x03\x04".to_vec(), "numpy.save"),
        ];
        for (bytes, words) in cases {
            let e = array(&bytes).unwrap_err().to_string();
            assert!(e.contains(words), "'{words}' is not said: {e}");
        }
    }

    #[test]
    fn a_header_that_is_cut_or_says_nothing_is_an_error() {
        let whole = npy(1, "'<f4'", "False", "(1,)", &[0; 4]);
        for len in 0..whole.len() {
            assert!(array(&whole[..len]).is_err(), "{len} bytes");
        }
        let nested = npy(1, &"[".repeat(60), "False", "(1,)", &[0; 4]);
        for bytes in [
            nested,
            npy(1, "'<f4'", "False", "((1,),)", &[0; 4]),
            npy(1, "'<f4'", "False", "(-1,)", &[0; 4]),
        ] {
            assert!(array(&bytes).is_err());
        }
    }
}

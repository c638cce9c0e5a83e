//! content: what a file is whatever it is called: formats that begin with no magic word are known by how their parts add up to the whole file.

use super::Kind;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// A model or a file of tensors, where its bytes leave no doubt.
pub fn of(path: &Path) -> Option<Kind> {
    let mut file = File::open(path).ok().filter(|_| path.is_file())?;
    let size = file.metadata().ok()?.len();
    if is_safetensors(&mut file, size).unwrap_or(false) {
        return Some(Kind::Trace);
    }
    file.rewind().ok()?;
    is_onnx(&mut file, size)
        .unwrap_or(false)
        .then_some(Kind::Model)
}

/// The length of a JSON header that fits the file, then its first brace.
fn is_safetensors(file: &mut File, size: u64) -> std::io::Result<bool> {
    let mut head = [0; 9];
    file.read_exact(&mut head)?;
    let (length, brace) = head.split_at(8);
    let length = u64::from_le_bytes(length.try_into().unwrap_or_default());
    Ok(brace == b"{" && length >= 2 && length.checked_add(8).is_some_and(|end| end <= size))
}

/// Fields of a ModelProto: number and wire type, each at most as often as it may stand there.
const FIELDS: [(u64, u64); 10] = [
    (1, 0),
    (2, 2),
    (3, 2),
    (4, 2),
    (5, 0),
    (6, 2),
    (7, 2),
    (8, 2),
    (14, 2),
    (25, 2),
];
/// The one that holds the graph, and those that say what it is of.
const GRAPH: u64 = 7;
const OPSETS: u64 = 8;
/// More fields at the top than any model has.
const MOST: usize = 100_000;

/// A message of known fields that ends where the file does, with a graph and the opsets that it speaks.
fn is_onnx(file: &mut File, size: u64) -> std::io::Result<bool> {
    let (mut at, mut graphs, mut opsets) = (0, 0, 0);
    for _ in 0..MOST {
        if at == size {
            return Ok(graphs == 1 && opsets > 0);
        }
        let (key, long) = varint(file)?;
        let (value, also) = varint(file)?;
        let (number, wire) = (key >> 3, key & 7);
        if !FIELDS.contains(&(number, wire)) {
            return Ok(false);
        }
        graphs += u64::from(number == GRAPH);
        opsets += u64::from(number == OPSETS);
        let body = if wire == 2 { value } else { 0 };
        let end = body.checked_add(at + long + also);
        at = match end.filter(|end| *end <= size) {
            Some(end) => file.seek(SeekFrom::Start(end))?,
            None => return Ok(false),
        };
    }
    Ok(false)
}

/// A number of seven bits a byte, and how many bytes it has.
fn varint(file: &mut File) -> std::io::Result<(u64, u64)> {
    let (mut value, mut byte) = (0, [0]);
    for i in 0..10 {
        file.read_exact(&mut byte)?;
        value |= u64::from(byte[0] & 0x7f).wrapping_shl(7 * i);
        if byte[0] < 0x80 {
            return Ok((value, u64::from(i) + 1));
        }
    }
    Err(std::io::ErrorKind::InvalidData.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(bytes: &[u8]) -> Option<Kind> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, bytes).unwrap();
        of(&path)
    }

    #[test]
    fn a_model_and_a_file_of_tensors_are_known_without_their_names() {
        let model = include_bytes!("../../golden/small/classifier.onnx");
        assert_eq!(told(model), Some(Kind::Model));
        let tensors = [&2u64.to_le_bytes()[..], b"{}"].concat();
        assert_eq!(told(&tensors), Some(Kind::Trace));
    }

    #[test]
    fn what_only_begins_like_one_is_none() {
        let model = include_bytes!("../../golden/small/classifier.onnx");
        let longer = [&model[..], b"\x3a"].concat();
        for bytes in [
            &b""[..],
            b"{\"format\": 1}",
            b"format = 1\nmodel = 'm.onnx'\n",
            b"#!/usr/bin/env python3\n",
            b"\x08\x07",
            &model[..model.len() - 1],
            &longer,
            &[&200u64.to_le_bytes()[..], b"{}"].concat(),
            &[&2u64.to_le_bytes()[..], b"[]"].concat(),
        ] {
            assert_eq!(told(bytes), None, "{:?}", &bytes[..bytes.len().min(20)]);
        }
    }
}

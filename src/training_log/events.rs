//! events: event files of TensorBoard: records (TFRecord: length and data, each with its masked CRC-32C) of `Event` messages, of which the scalars are read.

use super::{Damage, Form, Log, Place};
use half::{bf16, f16};
use prost::Message;
use std::io::{BufRead, Read, Result};

/// The largest record that is read: scalars take some hundred bytes, pictures and graphs are passed over.
const LARGEST: u64 = 1 << 22;
/// Length and its checksum; the checksum behind the data.
const HEAD: usize = 12;
const TAIL: u64 = 4;

/// `Event` of TensorFlow's event.proto, without what is not read here.
#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

/// `Summary` of summary.proto.
#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Scalar>,
}

#[derive(Clone, PartialEq, Message)]
struct Scalar {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
    #[prost(message, optional, tag = "8")]
    tensor: Option<Tensor>,
}

/// `TensorProto` of tensor.proto, as far as a scalar needs it.
#[derive(Clone, PartialEq, Message)]
struct Tensor {
    #[prost(int32, tag = "1")]
    dtype: i32,
    #[prost(bytes = "vec", tag = "4")]
    content: Vec<u8>,
    #[prost(float, repeated, tag = "5")]
    floats: Vec<f32>,
    #[prost(double, repeated, tag = "6")]
    doubles: Vec<f64>,
    #[prost(int32, repeated, tag = "7")]
    ints: Vec<i32>,
    #[prost(int64, repeated, tag = "10")]
    longs: Vec<i64>,
    #[prost(int32, repeated, tag = "13")]
    halves: Vec<i32>,
}

impl Tensor {
    /// The one number that it holds.
    fn number(&self) -> Option<f64> {
        let from = |own: Option<f64>, size: usize, read: &dyn Fn(&[u8]) -> f64| match own {
            None if self.content.len() == size => Some(read(&self.content)),
            own => own,
        };
        let bits = |b: &[u8]| u16::from_le_bytes([b[0], b[1]]);
        let half = |as_number: &dyn Fn(u16) -> f64| {
            let own = one(&self.halves).map(|h| as_number(*h as u16));
            from(own, 2, &|b| as_number(bits(b)))
        };
        match self.dtype {
            1 => from(one(&self.floats).map(|v| f64::from(*v)), 4, &|b| {
                f64::from(f32::from_le_bytes(le(b)))
            }),
            2 => from(one(&self.doubles).copied(), 8, &|b| {
                f64::from_le_bytes(le(b))
            }),
            3 => from(one(&self.ints).map(|v| f64::from(*v)), 4, &|b| {
                f64::from(i32::from_le_bytes(le(b)))
            }),
            9 => from(one(&self.longs).map(|v| *v as f64), 8, &|b| {
                i64::from_le_bytes(le(b)) as f64
            }),
            14 => half(&|bits| bf16::from_bits(bits).to_f64()),
            19 => half(&|bits| f16::from_bits(bits).to_f64()),
            _ => None,
        }
    }
}

/// Bytes of a known number.
fn le<const N: usize>(bytes: &[u8]) -> [u8; N] {
    let mut own = [0; N];
    own.copy_from_slice(bytes);
    own
}

fn one<T>(all: &[T]) -> Option<&T> {
    match all {
        [one] => Some(one),
        _ => None,
    }
}

/// The checksum of records.
fn masked(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

/// The length that a head says; None where it does not have its checksum.
fn length(head: &[u8]) -> Option<u64> {
    let (length, sum) = (head.get(..8)?, head.get(8..HEAD)?);
    let right = masked(length).to_le_bytes() == sum;
    right.then(|| u64::from_le_bytes(le(length)))
}

/// Whether a file begins with a record.
pub fn is_one(head: &[u8]) -> bool {
    length(head).is_some()
}

pub fn read(mut from: impl BufRead) -> Result<Log> {
    let mut log = Log::new(Form::Events);
    let (mut offset, mut number) = (0, 1);
    while let Some(taken) = record(&mut from, offset, number, &mut log)? {
        offset += taken;
        number += 1;
    }
    Ok(log)
}

/// Reads one record: how many bytes it takes, None behind the last.
fn record(from: &mut impl BufRead, offset: u64, number: u64, log: &mut Log) -> Result<Option<u64>> {
    let place = format!("record {number} at byte {offset}");
    let mut head = vec![];
    from.by_ref().take(HEAD as u64).read_to_end(&mut head)?;
    if head.is_empty() {
        return Ok(None);
    }
    if head.len() < HEAD {
        log.damage(
            Damage::Cut,
            format!("{place}, {} of {HEAD} bytes of its head", head.len()),
        );
        return Ok(None);
    }
    // Without its length nobody knows where the next one begins.
    let Some(length) = length(&head) else {
        log.damage(Damage::Checksum, format!("{place}, its length"));
        return Ok(None);
    };
    let mut data = vec![];
    let there = match length <= LARGEST {
        true => from.by_ref().take(length + TAIL).read_to_end(&mut data)? as u64,
        false => pass_over(from, length.saturating_add(TAIL))?,
    };
    if there < length.saturating_add(TAIL) {
        log.damage(
            Damage::Cut,
            format!(
                "{place}, {there} of {} bytes behind its head",
                length.saturating_add(TAIL)
            ),
        );
        return Ok(None);
    }
    if length <= LARGEST {
        event(&data, &place, number, log);
    }
    Ok(Some(HEAD as u64 + length + TAIL))
}

fn pass_over(from: &mut impl BufRead, n: u64) -> Result<u64> {
    std::io::copy(&mut from.by_ref().take(n), &mut std::io::sink())
}

/// The scalars of a record's data, behind which its checksum stands.
fn event(data: &[u8], place: &str, number: u64, log: &mut Log) {
    let (data, sum) = data.split_at(data.len() - TAIL as usize);
    if masked(data).to_le_bytes() != sum {
        return log.damage(Damage::Checksum, place.into());
    }
    let Ok(event) = Event::decode(data) else {
        return log.damage(Damage::Unreadable, place.into());
    };
    let at = Place {
        step: u64::try_from(event.step).ok(),
        ..Place::record(number)
    };
    let values = event.summary.into_iter().flat_map(|s| s.value);
    let held = |v: &Scalar| v.tensor.as_ref().and_then(Tensor::number);
    let number = |v: &Scalar| v.simple_value.map(f64::from).or_else(|| held(v));
    for (tag, value) in values.filter_map(|v| Some((v.tag.clone(), number(&v)?))) {
        log.rows += 1;
        log.last = Some(at);
        log.push(&tag, at, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(event: &Event) -> Vec<u8> {
        let data = event.encode_to_vec();
        let length = (data.len() as u64).to_le_bytes();
        let sums = [masked(&length), masked(&data)].map(u32::to_le_bytes);
        [&length[..], &sums[0], &data, &sums[1]].concat()
    }

    fn scalar(tag: &str, step: i64, value: Option<f32>, tensor: Option<Tensor>) -> Vec<u8> {
        let value = Scalar {
            tag: tag.into(),
            simple_value: value,
            tensor,
        };
        let summary = Some(Summary { value: vec![value] });
        record(&Event { step, summary })
    }

    fn file() -> Vec<u8> {
        let simple = |step, value| scalar("loss", step, Some(value), None);
        [simple(1, 2.0), simple(2, 1.0), simple(3, f32::NAN)].concat()
    }

    #[test]
    fn scalars_are_read_in_both_forms_and_in_every_dtype() {
        let tensor = |dtype, content: &[u8]| Tensor {
            dtype,
            content: content.to_vec(),
            ..Tensor::default()
        };
        let listed = Tensor {
            dtype: 1,
            floats: vec![2.5],
            ..Tensor::default()
        };
        let halves = Tensor {
            dtype: 19,
            halves: vec![0x4100],
            ..Tensor::default()
        };
        let all = [
            tensor(1, &2.5f32.to_le_bytes()),
            tensor(2, &2.5f64.to_le_bytes()),
            tensor(19, &0x4100u16.to_le_bytes()),
            tensor(14, &0x4020u16.to_le_bytes()),
            listed,
            halves,
        ];
        for one in all {
            assert_eq!(one.number(), Some(2.5), "{one:?}");
        }
        assert_eq!(tensor(9, &7i64.to_le_bytes()).number(), Some(7.0));
        assert_eq!(tensor(1, &[0; 8]).number(), None);
        assert_eq!(tensor(7, b"text").number(), None);
        let log = read(&*scalar("a", 3, None, Some(tensor(3, &7i32.to_le_bytes())))).unwrap();
        let a = log.series["a"].last.unwrap();
        assert_eq!(
            (a.value, a.place.to_string().as_str()),
            (7.0, "step 3, record 1")
        );
    }

    #[test]
    fn a_truncated_file_is_said_with_the_offset_and_read_until_there() {
        let whole = file();
        assert!(is_one(&whole));
        let log = read(&whole[..]).unwrap();
        assert_eq!(
            (log.rows, log.series["loss"].bad, log.damages.len()),
            (3, 1, 0)
        );
        let each = whole.len() / 3;
        for cut in [2 * each + 1, 2 * each + HEAD + 3, whole.len() - 1] {
            let log = read(&whole[..cut]).unwrap();
            assert_eq!(log.rows, 2);
            let said = &log.damages[&Damage::Cut].first[0];
            assert!(
                said.starts_with(&format!("record 3 at byte {}", 2 * each)),
                "{said}"
            );
        }
    }

    #[test]
    fn damaged_data_is_passed_over_and_a_damaged_length_ends_the_reading() {
        let each = file().len() / 3;
        let damaged = |at: usize| {
            let mut bytes = file();
            bytes[at] ^= 1;
            read(&bytes[..]).unwrap()
        };
        let log = damaged(each + HEAD + 2);
        assert_eq!((log.rows, log.damages[&Damage::Checksum].count), (2, 1));
        let log = damaged(each);
        assert_eq!((log.rows, log.damages[&Damage::Checksum].count), (1, 1));
    }

    #[test]
    fn a_length_that_lies_with_a_right_checksum_takes_no_memory() {
        let length = u64::MAX.to_le_bytes();
        let bytes = [&length[..], &masked(&length).to_le_bytes(), b"abc"].concat();
        let log = read(&bytes[..]).unwrap();
        assert_eq!(log.damages[&Damage::Cut].count, 1);
    }
}

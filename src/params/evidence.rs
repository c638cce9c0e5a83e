//! evidence: values that only one tensor of either side has are proof of a pair, whatever its names, place and layout.
//!
//! A digest that no order of elements changes is the filter: the sum of a hash of every element. What it lets through is proved by
//! comparing the values in every layout. Constant tensors (all zeros, all ones) and integers are no evidence, nor is a single number that somebody may have written.

use super::Param;
use super::source::Source;
use crate::error::{Place, Result};
use crate::hash;
use crate::tensor::{DType, Tensor, View};
use std::collections::HashMap;

/// Elements that are widened at a time.
const BLOCK: usize = 1 << 16;

/// Digests of one tensor: of its values, and of what f32, f16 and bf16 make of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digests([u64; 4]);

/// What the digests are of.
const STORED: [DType; 4] = [DType::F64, DType::F32, DType::F16, DType::BF16];

/// Digests of a value; None where it is no evidence.
pub fn digests(value: &Tensor) -> Option<Digests> {
    if !value.dtype().is_float() || value.numel() == 0 {
        return None;
    }
    let first = value.view().get(0);
    let is_alone = value.numel() == 1;
    if is_alone && digits(first, value.dtype()) < TRAINED {
        return None;
    }
    let (mut sums, mut constant) = ([0u64; 4], !is_alone);
    for block in value.bytes().chunks(BLOCK * value.dtype().size()) {
        let shape = [block.len() / value.dtype().size()];
        let (dtype, bytes) = (value.dtype(), block);
        let view = View {
            dtype,
            shape: &shape,
            bytes,
        };
        for x in view.to_f64() {
            constant &= x == first;
            for (sum, dtype) in sums.iter_mut().zip(STORED) {
                *sum = sum.wrapping_add(hashed(dtype.round(x)));
            }
        }
    }
    (!constant).then_some(Digests(sums))
}

/// Training makes numbers of so many decimals; people write 0.9999 and 1e-5. Of what it makes in f32, 1 in 1,500 has fewer.
const TRAINED: usize = 5;

/// How many decimals say the number, in the dtype that it is stored in.
fn digits(x: f64, dtype: DType) -> usize {
    let said = if dtype == DType::F64 {
        format!("{x:e}")
    } else {
        format!("{:e}", x as f32)
    };
    let mantissa = said.split('e').next().unwrap_or_default();
    mantissa.bytes().filter(u8::is_ascii_digit).count()
}

/// Zeros of both signs are one number here; the proof tells them apart.
fn hashed(x: f64) -> u64 {
    hash::bits((x + 0.0).to_bits(), 0)
}

/// Pairs of places whose values only one parameter of either side has, by digests of `stored`: the values themselves on one side and, on
/// the other, what a narrower dtype makes of them.
pub fn unique(
    reference: &HashMap<usize, (u64, Digests)>,
    candidate: &HashMap<usize, (u64, Digests)>,
) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for stored in 0..STORED.len() {
        for (ours, theirs) in [(0, stored), (stored, 0)] {
            found.extend(only(&by(reference, ours), &by(candidate, theirs)));
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

type Holders = HashMap<(u64, u64), Vec<usize>>;

fn by(side: &HashMap<usize, (u64, Digests)>, stored: usize) -> Holders {
    let mut holders = Holders::new();
    for (at, (elements, digests)) in side {
        let key = (*elements, digests.0[stored]);
        holders.entry(key).or_default().push(*at);
    }
    holders
}

/// What exactly one of either side holds.
fn only(ours: &Holders, theirs: &Holders) -> Vec<(usize, usize)> {
    let one =
        |(key, r): (&(u64, u64), &Vec<usize>)| match (r.as_slice(), theirs.get(key)?.as_slice()) {
            ([r], [c]) => Some((*r, *c)),
            _ => None,
        };
    ours.iter().filter_map(one).collect()
}

/// The digests of the parameters at `places`, one value in memory at a time.
pub fn of(source: &Source, places: &[usize]) -> Result<HashMap<usize, (u64, Digests)>> {
    let mut found = HashMap::new();
    for at in places {
        let p: &Param = &source.list[*at];
        let value = source
            .value(&p.name)
            .at(format!("parameter '{}'", p.name))?;
        if let Some(digests) = value.as_ref().and_then(digests) {
            found.insert(*at, (p.elements(), digests));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f32]) -> Option<Digests> {
        digests(&Tensor::of(&[values.len()], values))
    }

    #[test]
    fn no_order_changes_a_digest_and_one_element_does() {
        let base = of(&[1.0, 2.5, -3.1, 0.0]);
        assert!(base.is_some());
        assert_eq!(base, of(&[-3.1, -0.0, 2.5, 1.0]));
        assert_ne!(base, of(&[1.0, 2.5, -3.1, 0.1]));
        assert_ne!(base, of(&[1.0, 2.5, -3.1]));
        assert_ne!(
            of(&[1.0, 1.0, 2.0]),
            of(&[1.0, 2.0, 2.0]),
            "how often counts"
        );
    }

    #[test]
    fn constant_tensors_and_numbers_that_people_write_are_no_evidence() {
        assert_eq!(of(&[1.0; 64]), None);
        assert_eq!(of(&[0.3]), None);
        assert_eq!(of(&[1e-5]), None);
        assert_eq!(of(&[0.9999]), None);
        assert!(of(&[0.731_058_6]).is_some(), "a number that was trained");
        assert_eq!(digests(&Tensor::of(&[2], &[1i64, 2])), None);
    }

    #[test]
    fn only_what_one_of_either_side_holds_is_a_pair() {
        let side = |all: &[&[f32]]| -> HashMap<usize, (u64, Digests)> {
            let one = |(i, v): (usize, &&[f32])| (i, (v.len() as u64, of(v).unwrap()));
            all.iter().enumerate().map(one).collect()
        };
        let (a, b, c) = (&[1.0, 2.0][..], &[3.0, 4.0][..], &[5.0, 6.1][..]);
        assert_eq!(unique(&side(&[a, b]), &side(&[b, c])), [(1, 0)]);
        assert_eq!(unique(&side(&[a, b, b]), &side(&[b, a])), [(0, 1)]);
        let half = &[DType::F16.round(5.0) as f32, DType::F16.round(6.1) as f32][..];
        assert_eq!(unique(&side(&[c]), &side(&[half])), [(0, 0)]);
        assert_eq!(unique(&side(&[half]), &side(&[a, c])), [(0, 1)]);
    }
}

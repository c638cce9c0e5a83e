//! text: operators on strings.

use super::super::call::Call;
use super::super::value::Value;
use super::common::{done, one, vector};
use super::dtypes;
use super::{Op, Scale, values};
use parity::error::{Error, Result};
use std::collections::HashSet;
use tch::Tensor;

fn strings<'a>(call: &'a Call, i: usize) -> Result<(&'a [i64], &'a [String])> {
    match call.value(i)? {
        Value::Strings(shape, all) => Ok((shape, all)),
        other => Err(Error::usage(format!(
            "input {i} should be strings, is {}",
            other.describe()
        ))),
    }
}

/// Shape, and the elements of both.
type Pairs = (Vec<i64>, Vec<(String, String)>);

/// The elements of both inputs, broadcast as libtorch broadcasts numbers.
fn paired(call: &Call) -> Result<Pairs> {
    let ((s, a), (t, b)) = (strings(call, 0)?, strings(call, 1)?);
    let places = |shape: &[i64], n: usize| {
        done(|| vector(&(0..n as i64).collect::<Vec<_>>())?.f_reshape(shape))
    };
    let both = done(|| {
        Tensor::f_broadcast_tensors(&[
            places(s, a.len()).map_err(lost)?,
            places(t, b.len()).map_err(lost)?,
        ])
    })?;
    let at = |t: &Tensor| done(|| Vec::<i64>::try_from(t.f_contiguous()?.f_reshape([-1])?));
    let pairs = at(&both[0])?
        .into_iter()
        .zip(at(&both[1])?)
        .map(|(i, j)| (a[i as usize].clone(), b[j as usize].clone()));
    Ok((both[0].size(), pairs.collect()))
}

fn lost(e: Error) -> tch::TchError {
    tch::TchError::Kind(e.message)
}

fn concat(call: &Call) -> Result<Vec<Value>> {
    let (shape, pairs) = paired(call)?;
    Ok(vec![Value::Strings(
        shape,
        pairs.into_iter().map(|(a, b)| a + &b).collect(),
    )])
}

/// Of strings, else of numbers.
fn equal(call: &Call) -> Result<Vec<Value>> {
    if !matches!(call.value(0)?, Value::Strings(..)) {
        dtypes::check(call)?;
        return dtypes::marked(call, one(call.input(0)?.f_eq_tensor(call.input(1)?))?);
    }
    let (shape, pairs) = paired(call)?;
    let same: Vec<bool> = pairs.iter().map(|(a, b)| a == b).collect();
    Ok(vec![Value::Tensor(done(|| {
        Tensor::f_from_slice(&same)?.f_reshape(shape)
    })?)])
}

/// Parts of each string, filled up with empty ones, and how many each has.
fn split(call: &Call) -> Result<Vec<Value>> {
    let (shape, all) = strings(call, 0)?;
    let (delimiter, most) = (call.text("delimiter", "")?, call.int_if("maxsplit")?);
    let most = most.map_or(usize::MAX, |n| {
        usize::try_from(n).map_or(usize::MAX, |n| n + 1)
    });
    let parts: Vec<Vec<String>> = all.iter().map(|s| parted(s, &delimiter, most)).collect();
    let width = parts.iter().map(Vec::len).max().unwrap_or(0);
    let lengths: Vec<i64> = parts.iter().map(|p| p.len() as i64).collect();
    let filled = parts.into_iter().flat_map(|mut p| {
        p.resize(width, String::new());
        p
    });
    let filled = Value::Strings([shape, &[width as i64]].concat(), filled.collect());
    Ok(vec![
        filled,
        Value::Tensor(done(|| vector(&lengths)?.f_reshape(shape))?),
    ])
}

/// Without a delimiter at runs of white space, which neither begin nor end a part.
fn parted(s: &str, delimiter: &str, most: usize) -> Vec<String> {
    if !delimiter.is_empty() {
        return s.splitn(most, delimiter).map(str::to_string).collect();
    }
    let (mut rest, mut parts) = (s.trim_start(), Vec::new());
    while !rest.is_empty() {
        let end = if parts.len() + 1 == most {
            rest.len()
        } else {
            rest.find(char::is_whitespace).unwrap_or(rest.len())
        };
        parts.push(rest[..end].to_string());
        rest = rest[end..].trim_start();
    }
    parts
}

fn normalise(call: &Call) -> Result<Vec<Value>> {
    let (shape, all) = strings(call, 0)?;
    call.known("locale");
    let action = call.text("case_change_action", "NONE")?;
    let cased = |s: &str| match action.as_str() {
        "LOWER" => Ok(s.to_lowercase()),
        "UPPER" => Ok(s.to_uppercase()),
        "NONE" => Ok(s.to_string()),
        other => Err(Error::usage(format!(
            "attribute 'case_change_action' should be LOWER, UPPER or NONE, is '{other}'"
        ))),
    };
    let sensitive = call.int("is_case_sensitive", 0)? != 0;
    let stop: HashSet<String> = call
        .texts("stopwords")?
        .unwrap_or_default()
        .into_iter()
        .map(|w| if sensitive { w } else { w.to_lowercase() })
        .collect();
    let stays = |s: &&String| {
        !stop.contains(&if sensitive {
            s.to_string()
        } else {
            s.to_lowercase()
        })
    };
    let kept = all
        .iter()
        .filter(stays)
        .map(|s| cased(s))
        .collect::<Result<Vec<_>>>()?;
    let kept = if kept.is_empty() {
        vec![String::new()]
    } else {
        kept
    };
    match shape {
        [_] => Ok(vec![Value::Strings(vec![kept.len() as i64], kept)]),
        [1, _] => Ok(vec![Value::Strings(vec![1, kept.len() as i64], kept)]),
        other => Err(Error::usage(format!(
            "strings of shape {other:?}: [C] or [1, C] is expected"
        ))),
    }
}

pub const OPS: &[Op] = &[
    values("Equal", 7, equal, super::compare::ORDER),
    values("StringConcat", 20, concat, Scale::Exact),
    values("StringSplit", 20, split, Scale::Exact),
    values("StringNormalizer", 10, normalise, Scale::Exact),
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, ones_at};
    use super::*;
    use parity::graph::Attribute;
    use parity::tensor::Value as Prepared;
    use proptest::prelude::*;

    #[test]
    fn strings_are_split_at_a_delimiter_or_at_runs_of_white_space() {
        assert_eq!(parted("a--b-", "-", usize::MAX), ["a", "", "b", ""]);
        assert_eq!(parted("a-b-c", "-", 2), ["a", "b-c"]);
        assert_eq!(parted("  a \t b  c ", "", usize::MAX), ["a", "b", "c"]);
        assert_eq!(parted(" a b  c", "", 2), ["a", "b  c"]);
        assert_eq!(parted("", "", 3), Vec::<String>::new());
    }

    #[test]
    fn where_onnx_runtime_splits_otherwise_is_known() {
        let case = Case::new("StringSplit", 20)
            .outputs(2)
            .text("delimiter", "-");
        let empty = [Prepared::Strings(vec![1], vec![String::new()])];
        let parts = |all: Vec<Prepared>| all[1].tensor().expect("numbers").to_f64();
        let rest = |all: Vec<Prepared>| match &all[0] {
            Prepared::Strings(_, all) => all.clone(),
            other => panic!("{other:?}"),
        };
        let once = Case::new("StringSplit", 20).outputs(2).int("maxsplit", 1);
        let ends = [Prepared::Strings(vec![1], vec!["a b ".into()])];
        assert_eq!(rest(once.on(&ends).expect("it runs")), ["a", "b "]);
        assert_eq!(rest(once.ort_on(&ends).expect("it runs")), ["a", "b"]);
        assert_eq!(
            (
                parts(case.on(&empty).expect("it runs")),
                parts(case.ort_on(&empty).expect("it runs"))
            ),
            (vec![1.0], vec![0.0])
        );
    }

    /// Words of few letters, so that many of them are alike; white space and delimiters among them.
    fn words(shape: &[usize], seed: u64, letters: &str, least: usize) -> Prepared {
        let letters: Vec<char> = letters.chars().collect();
        let mut state = seed;
        let mut next = |n: usize| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (state >> 33) as usize % n
        };
        let all = (0..shape.iter().product())
            .map(|_| {
                (0..least + next(6 - least))
                    .map(|_| letters[next(letters.len())])
                    .collect()
            })
            .collect();
        Prepared::Strings(shape.to_vec(), all)
    }

    proptest! {
        #![proptest_config(cases(64))]
        #[test]
        fn strings_are_joined_and_compared_alike(shape in prop::collection::vec(1usize..4, 0..4), mask: u8, less in 0usize..3, seed: u64) {
            let other = ones_at(&shape, mask);
            let pair = [words(&shape, seed, "aB é", 0), words(&other[less.min(other.len())..], !seed, "aB é", 0)];
            Case::new("StringConcat", 20).check_on(&pair);
            Case::new("Equal", 19).check_on(&pair);
        }

        #[test]
        fn strings_are_split_alike(shape in prop::collection::vec(1usize..4, 1..3), delimiter in prop::sample::select(vec!["", "-", "--", "a"]), most in prop::option::of(1i64..4), seed: u64) {
            let case = Case::new("StringSplit", 20).outputs(2).text("delimiter", delimiter);
            let case = match most { Some(n) => case.int("maxsplit", n), None => case };
            // ONNX Runtime makes no part of an empty string, where the delimiter that is not there leaves one.
            // Behind the last split it drops white space at the end, which the rest of a string keeps.
            let Prepared::Strings(shape, all) = words(&shape, seed, "ab- ", !delimiter.is_empty() as usize) else { unreachable!("words are strings") };
            let kept = |s: String| if delimiter.is_empty() { s.trim_end().to_string() } else { s };
            case.check_on(&[Prepared::Strings(shape, all.into_iter().map(kept).collect())]);
        }

        #[test]
        fn strings_are_normalised_alike(n in 1usize..7, flat: bool, action in prop::sample::select(vec!["NONE", "LOWER", "UPPER"]), sensitive in 0i64..2, stop: bool, seed: u64) {
            // The only locale that every machine has.
            let case = Case::new("StringNormalizer", 10).text("case_change_action", action).int("is_case_sensitive", sensitive).text("locale", "C");
            let stopwords = Attribute::Strs(["a", "B", "ab", "BA"].map(str::to_string).to_vec());
            let case = if stop { case.attribute("stopwords", stopwords) } else { case };
            case.check_on(&[words(if flat { &[1][..] } else { &[] }.iter().copied().chain([n]).collect::<Vec<_>>().as_slice(), seed, "aAbB", 0)]);
        }
    }
}

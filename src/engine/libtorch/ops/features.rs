//! features: what classical models take: words counted, labels looked up, columns picked, numbers made 0 or 1.

use super::super::call::Call;
use super::super::convert::from_torch;
use super::super::value::Value;
use super::common::{count, done, one, vector};
use super::{Kernel, Op, Scale, op, values};
use parity::error::{Error, Result};
use parity::floor::Alone::Function;
use parity::graph::{Attribute, weights};
use std::collections::HashMap;
use tch::{Kind, Tensor};

/// A word or a number, as a key.
fn keys(v: &Value) -> Result<Vec<String>> {
    match v {
        Value::Strings(_, all) => Ok(all.clone()),
        Value::Tensor(t) | Value::Marked(_, t) => {
            let own = from_torch(t)?;
            Ok(own.to_i64().map_or_else(
                || own.to_f64().iter().map(f64::to_string).collect(),
                |v| v.iter().map(i64::to_string).collect(),
            ))
        }
        other => Err(Error::usage(format!(
            "{} cannot be looked up",
            other.describe()
        ))),
    }
}

/// Counts of the n-grams of a pool in each row, weighted.
fn tf_idf(call: &Call) -> Result<Vec<Value>> {
    let need = |name: &str| {
        call.int_if(name)?
            .ok_or_else(|| Error::usage(format!("attribute '{name}' is missing")))
    };
    let (shortest, longest, skips) = (
        need("min_gram_length")?.max(1) as usize,
        need("max_gram_length")? as usize,
        need("max_skip_count")?.max(0) as usize,
    );
    let pool: Vec<String> = match (call.ints("pool_int64s")?, call.texts("pool_strings")?) {
        (Some(v), _) => v.iter().map(i64::to_string).collect(),
        (None, Some(v)) => v,
        (None, None) => {
            return Err(Error::usage(
                "attributes 'pool_int64s' and 'pool_strings' are missing",
            ));
        }
    };
    let indexes = call
        .ints("ngram_indexes")?
        .ok_or_else(|| Error::usage("attribute 'ngram_indexes' is missing"))?;
    let starts = call
        .ints("ngram_counts")?
        .ok_or_else(|| Error::usage("attribute 'ngram_counts' is missing"))?;
    let width = indexes.iter().max().map_or(0, |m| m + 1);
    let weights = call.floats_if("weights")?;
    let mode = call.text("mode", "TF")?;
    let grams = grams(&pool, &starts, &indexes)?;
    let shape = call.value(0)?.given().map(|v| match v {
        parity::tensor::Value::Tensor(t) => t.shape().to_vec(),
        parity::tensor::Value::Strings(s, _) => s,
        _ => vec![],
    })?;
    let items = keys(call.value(0)?)?;
    let (rows, length) = match shape.as_slice() {
        [c] => (1, *c),
        [b, c] => (*b, *c),
        other => return Err(Error::usage(format!("input of shape {other:?}"))),
    };
    if !(0..1 << 24).contains(&width) || weights.as_ref().is_some_and(|w| w.len() != indexes.len())
    {
        return Err(Error::usage(format!(
            "{width} columns of {} n-grams with {} weights",
            indexes.len(),
            weights.map_or(0, |w| w.len())
        )));
    }
    let mut values = vec![0f64; rows * width as usize];
    for row in 0..rows {
        let own = &items[row * length..][..length];
        for gram in found(own, &grams, shortest, longest, skips) {
            let weight = weights.as_ref().map_or(1.0, |w| w[gram.place]);
            let slot = &mut values[row * width as usize + gram.column];
            *slot = match mode.as_str() {
                "TF" => *slot + 1.0,
                "IDF" => weight,
                "TFIDF" => *slot + weight,
                other => {
                    return Err(Error::usage(format!(
                        "attribute 'mode' should be TF, IDF or TFIDF, is '{other}'"
                    )));
                }
            };
        }
    }
    let kind = if call.precision.is_wide() {
        Kind::Double
    } else {
        Kind::Float
    };
    let shape = if shape.len() == 1 {
        vec![width]
    } else {
        vec![rows as i64, width]
    };
    Ok(vec![Value::Tensor(done(|| {
        Tensor::f_from_slice(&values)?
            .f_to_kind(kind)?
            .f_reshape(shape)
    })?)])
}

/// An n-gram of the pool: its place there, which is that of its weight, and the column that counts it.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Gram {
    place: usize,
    column: usize,
}

/// Every n-gram of the pool, which holds all of length 1, then all of length 2, ...
fn grams(pool: &[String], starts: &[i64], indexes: &[i64]) -> Result<HashMap<Vec<String>, Gram>> {
    let (mut all, mut columns) = (HashMap::new(), indexes.iter().enumerate());
    for (i, start) in starts.iter().enumerate() {
        let end = starts.get(i + 1).map_or(pool.len(), |e| *e as usize);
        let part = pool.get(*start as usize..end).ok_or_else(|| {
            Error::usage(format!(
                "ngram_counts {starts:?} do not fit a pool of {}",
                pool.len()
            ))
        })?;
        for words in part.chunks(i + 1) {
            let (place, column) = columns
                .next()
                .ok_or_else(|| Error::usage("ngram_indexes are fewer than the n-grams"))?;
            let column = usize::try_from(*column)
                .map_err(|_| Error::usage(format!("column {column} of ngram_indexes")))?;
            all.insert(words.to_vec(), Gram { place, column });
        }
    }
    Ok(all)
}

/// The n-grams that a row holds; single words count once, longer n-grams for every number of words that may be skipped.
fn found(
    row: &[String],
    grams: &HashMap<Vec<String>, Gram>,
    shortest: usize,
    longest: usize,
    skips: usize,
) -> Vec<Gram> {
    let mut all = Vec::new();
    for step in 1..=skips + 1 {
        for n in shortest..=longest.min(row.len().max(1)) {
            if n == 1 && step > 1 {
                continue;
            }
            for start in 0..row.len() {
                let words: Vec<String> = (0..n)
                    .map_while(|j| row.get(start + j * step).cloned())
                    .collect();
                all.extend(grams.get(&words).filter(|_| words.len() == n));
            }
        }
    }
    all
}

/// Keys, values or the default of LabelEncoder, whichever attribute states them.
fn stated(call: &Call, names: [&str; 4]) -> Result<Option<Value>> {
    let mut found = None;
    for name in names {
        let value = match call.any(name) {
            None => continue,
            Some(Attribute::Ints(v)) => Value::Tensor(done(|| vector(v))?),
            Some(Attribute::Int(v)) => Value::Tensor(done(|| vector(&[*v]))?),
            Some(Attribute::Floats(v)) => Value::Tensor(done(|| Tensor::f_from_slice(v))?),
            Some(Attribute::Float(v)) => Value::Tensor(done(|| Tensor::f_from_slice(&[*v]))?),
            Some(Attribute::Strs(v)) => Value::Strings(vec![v.len() as i64], v.clone()),
            Some(Attribute::Str(v)) => Value::Strings(vec![1], vec![v.clone()]),
            Some(Attribute::Other(a)) => {
                Value::of(&weights::value(a.t.as_ref().ok_or_else(|| {
                    Error::usage(format!("attribute '{name}' holds no tensor"))
                })?)?)?
            }
        };
        found = found.or(Some(value));
    }
    Ok(found)
}

/// Every element looked up; the default where it is no key.
fn labels(call: &Call) -> Result<Vec<Value>> {
    let missing = |what: &str| Error::usage(format!("LabelEncoder states no {what}"));
    let own = stated(
        call,
        ["keys_strings", "keys_int64s", "keys_floats", "keys_tensor"],
    )?
    .ok_or_else(|| missing("keys"))?;
    let to = stated(
        call,
        [
            "values_strings",
            "values_int64s",
            "values_floats",
            "values_tensor",
        ],
    )?
    .ok_or_else(|| missing("values"))?;
    let default = stated(
        call,
        [
            "default_string",
            "default_int64",
            "default_float",
            "default_tensor",
        ],
    )?;
    let table: HashMap<String, usize> = keys(&own)?
        .into_iter()
        .enumerate()
        .map(|(i, k)| (k, i))
        .collect();
    let x = call.value(0)?;
    let places: Vec<Option<usize>> = keys(x)?.iter().map(|k| table.get(k).copied()).collect();
    let shape = match x {
        Value::Strings(shape, _) => shape.clone(),
        other => other.tensor().map_or(vec![], Tensor::size),
    };
    count(&shape)?;
    match &to {
        Value::Strings(_, words) => {
            let default = match &default {
                Some(Value::Strings(_, v)) if !v.is_empty() => v[0].clone(),
                _ => "_Unused".to_string(),
            };
            let pick = |p: &Option<usize>| p.and_then(|i| words.get(i)).unwrap_or(&default).clone();
            Ok(vec![Value::Strings(
                shape,
                places.iter().map(pick).collect(),
            )])
        }
        Value::Tensor(t) => {
            let fallback = if super::is_float(t) { -0.0 } else { -1.0 };
            let default = match default.as_ref().and_then(Value::tensor) {
                Some(d) if d.kind() == t.kind() => done(|| d.f_reshape([1]))?,
                _ => done(|| Tensor::f_full([1i64], fallback, (t.kind(), t.device())))?,
            };
            let index: Vec<i64> = places
                .iter()
                .map(|p| p.map_or(t.numel() as i64, |i| i as i64))
                .collect();
            let y = done(|| {
                Tensor::f_cat(&[t.f_reshape([-1])?, default], 0)?
                    .f_index_select(0, &vector(&index)?)?
                    .f_reshape(shape)
            })?;
            Ok(vec![Value::Tensor(y)])
        }
        other => Err(Error::usage(format!("values are {}", other.describe()))),
    }
}

/// Columns of the last axis, of numbers or of strings.
fn extract(call: &Call) -> Result<Vec<Value>> {
    let shape = match call.value(0)? {
        Value::Strings(shape, _) => shape.clone(),
        other => other.tensor().map_or(vec![], Tensor::size),
    };
    let last = *shape
        .last()
        .ok_or_else(|| Error::usage("input 0 has no axis to take columns of"))?;
    let index = super::common::wrapped(call.input(1)?, last)?;
    let index = done(|| index.f_reshape([-1]))?;
    // A vector is one row.
    let lead = if shape.len() == 1 {
        &[1][..]
    } else {
        &shape[..shape.len() - 1]
    };
    let picked = [lead, &index.size()].concat();
    let Value::Strings(_, words) = call.value(0)? else {
        let (x, mark) = (call.input(0)?, call.value(0)?.mark());
        let y = done(|| {
            x.f_reshape([-1, last])?
                .f_index_select(1, &index)?
                .f_reshape(picked)
        })?;
        return Ok(vec![mark.map_or_else(
            || Value::Tensor(y.shallow_clone()),
            |m| Value::Marked(m, y.shallow_clone()),
        )]);
    };
    let picks = done(|| Vec::<i64>::try_from(&index))?;
    let rows = words.chunks(last.max(1) as usize);
    let all: Vec<String> = rows
        .flat_map(|row| picks.iter().map(|i| row[*i as usize].clone()))
        .collect();
    Ok(vec![Value::Strings(picked, all)])
}

fn binarize(call: &Call) -> Result<Vec<Tensor>> {
    let (x, threshold) = (
        super::common::float(call, 0)?,
        call.float("threshold", 0.0)?,
    );
    one(x.f_gt(threshold).and_then(|t| t.f_to_kind(x.kind())))
}

fn above(call: &Call, _: usize, reference: &Tensor, candidate: &Tensor) -> Result<f64> {
    let threshold = call.float("threshold", 0.0)?;
    let distance =
        super::common::f64_of(call.input(0)?).and_then(|x| x.f_sub_scalar(threshold)?.f_abs());
    super::common::largest_where_different(distance, reference, candidate)
}

const ML: &str = "ai.onnx.ml";

pub const OPS: &[Op] = &[
    values(
        "TfIdfVectorizer",
        9,
        tf_idf,
        Scale::Output(parity::floor::Family::Arithmetic),
    ),
    Op {
        domain: ML,
        name: "LabelEncoder",
        since: 1,
        kernel: Kernel::Values(labels),
        scale: Scale::Exact,
    },
    Op {
        domain: ML,
        ..values("ArrayFeatureExtractor", 1, extract, Scale::Exact)
    },
    Op {
        domain: ML,
        ..op("Binarizer", 1, binarize, Scale::Selection(Function, above))
    },
];

#[cfg(test)]
mod tests {
    use super::super::against_ort::{Case, cases, cast, random, whole};
    use super::*;
    use parity::tensor::{DType, Value as Prepared};
    use proptest::prelude::*;

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| s.to_string()).collect()
    }

    #[test]
    fn longer_grams_count_for_every_skip_and_words_once() {
        let grams = grams(&words(&["a", "b", "a", "b"]), &[0, 2], &[0, 1, 2]).unwrap();
        let row = words(&["a", "b", "b"]);
        let columns = |shortest, longest, skips| {
            found(&row, &grams, shortest, longest, skips)
                .iter()
                .map(|g| g.column)
                .collect::<Vec<_>>()
        };
        assert_eq!(columns(1, 2, 0), [0, 1, 1, 2]);
        assert_eq!(columns(1, 2, 1), [0, 1, 1, 2, 2]);
        assert_eq!(columns(2, 2, 0), [2]);
    }

    #[test]
    fn a_weight_belongs_to_a_gram_of_the_pool_and_not_to_a_column() {
        let case = Case::new("TfIdfVectorizer", 9)
            .text("mode", "TFIDF")
            .ints("pool_int64s", &[7, 8])
            .ints("ngram_counts", &[0])
            .ints("ngram_indexes", &[1, 0]);
        let case = case
            .int("min_gram_length", 1)
            .int("max_gram_length", 1)
            .int("max_skip_count", 0)
            .attribute("weights", Attribute::Floats(vec![0.5, 4.0]));
        case.with(super::super::against_ort::i64s(&[7, 7, 8]))
            .gives(&[super::super::against_ort::f32s(&[2], &[4.0, 1.0])]);
    }

    #[test]
    fn labels_are_looked_up_and_what_is_none_takes_the_default() {
        let ints = Attribute::Ints(vec![7, 8]);
        let case = Case::new("LabelEncoder", 4)
            .of(ML)
            .attribute("keys_strings", Attribute::Strs(words(&["a", "b"])))
            .attribute("values_int64s", ints);
        let x = parity::tensor::Value::Strings(vec![3], words(&["b", "z", "a"]));
        let have = case.int("default_int64", -3).on(&[x]).expect("labels");
        assert_eq!(
            have[0].tensor().and_then(parity::tensor::Tensor::to_i64),
            Some(vec![8, -3, 7])
        );
    }

    /// Every word that `letters` and a length of at most 2 give, in the order of `seed`; the first `n`.
    fn some_words(n: usize, seed: u64) -> Vec<String> {
        let all = ["a", "b", "c", "d", "ab", "ba", "cd", "dc"];
        let start = seed as usize % all.len();
        (0..n)
            .map(|i| all[(start + i * 3) % all.len()].to_string())
            .collect()
    }

    fn given(shape: &[usize], seed: u64) -> Prepared {
        let all = ["a", "b", "c", "d", "ab", "ba", "cd", "dc", "x", ""];
        Prepared::Strings(
            shape.to_vec(),
            whole(shape, seed, 0, 10)
                .to_f64()
                .iter()
                .map(|i| all[*i as usize].to_string())
                .collect(),
        )
    }

    /// One side of a LabelEncoder: `n` keys or values of one kind.
    fn side(what: &str, kind: &str, n: usize, seed: u64) -> (String, Attribute) {
        let value = match kind {
            "strings" => Attribute::Strs(some_words(n, seed)),
            "int64s" => Attribute::Ints((0..n as i64).map(|i| i * 2 - 3).collect()),
            _ => Attribute::Floats((0..n).map(|i| i as f32 * 0.5 - 1.0).collect()),
        };
        (format!("{what}_{kind}"), value)
    }

    proptest! {
        #![proptest_config(cases(64))]
        #[test]
        fn grams_are_counted_alike(
            mode in prop::sample::select(vec!["TF", "IDF", "TFIDF"]), rows in prop::option::of(1usize..4), length in 1usize..10, single in 1usize..4, double in 0usize..5, triple in 0usize..3,
            shortest in 1i64..4, more in 0i64..3, skips in 0i64..4, weighted: bool, strings: bool, seed: u64,
        ) {
            let pool: Vec<i64> = whole(&[single + 2 * double + 3 * triple], seed, 0, 4).to_i64().expect("integers");
            // Each gram once: a pool that repeats one is a mistake.
            let grams: Vec<&[i64]> = pool[..single].chunks(1).chain(pool[single..][..2 * double].chunks(2)).chain(pool[single + 2 * double..].chunks(3)).collect();
            prop_assume!((1..grams.len()).all(|i| !grams[..i].contains(&grams[i])));
            let longest = (shortest + more).min(3);
            let case = Case::new("TfIdfVectorizer", 9).text("mode", mode).int("min_gram_length", shortest).int("max_gram_length", longest).int("max_skip_count", skips);
            let case = case.ints("ngram_counts", &[0, single as i64, (single + 2 * double) as i64]).ints("ngram_indexes", &(0..grams.len() as i64).rev().collect::<Vec<_>>());
            let case = if weighted { case.attribute("weights", Attribute::Floats((0..grams.len()).map(|i| 0.3 + i as f32).collect())) } else { case };
            let shape = rows.into_iter().chain([length]).collect::<Vec<_>>();
            let x = whole(&shape, !seed, 0, 5);
            if strings {
                let text = |v: &[i64]| v.iter().map(|i| format!("w{i}")).collect::<Vec<_>>();
                let x = Prepared::Strings(shape, text(&x.to_i64().expect("integers")));
                case.attribute("pool_strings", Attribute::Strs(text(&pool))).check_on(&[x]);
            } else {
                case.ints("pool_int64s", &pool).with(if seed % 2 == 0 { x } else { cast(&x, DType::I32) }).check();
            }
        }

        #[test]
        fn labels_are_looked_up_alike(
            (from, to) in prop::sample::select(vec![("strings", "int64s"), ("int64s", "strings"), ("int64s", "floats"), ("floats", "int64s"), ("floats", "strings"), ("strings", "floats"), ("strings", "strings"), ("int64s", "int64s"), ("floats", "floats")]),
            n in 1usize..7, shape in prop::collection::vec(1usize..5, 1..3), default: bool, opset in prop::sample::select(vec![2i64, 4]), seed: u64,
        ) {
            let case = [side("keys", from, n, seed), side("values", to, n, !seed)].into_iter().fold(Case::new("LabelEncoder", opset).of(ML), |c, (name, a)| c.attribute(&name, a));
            let case = match (default, to) {
                (false, _) => case,
                (true, "strings") => case.text("default_string", "none"),
                (true, "int64s") => case.int("default_int64", 77),
                (true, _) => case.float("default_float", 0.25),
            };
            let x = match from {
                "strings" => given(&shape, seed),
                "int64s" => Prepared::Tensor(whole(&shape, seed, -4, 12)),
                _ => Prepared::Tensor(cast(&parity::tensor::Tensor::of(&shape, &whole(&shape, seed, -3, 6).to_f64().iter().map(|v| v * 0.5).collect::<Vec<_>>()), DType::F32)),
            };
            case.check_on(&[x]);
        }

        #[test]
        fn columns_are_picked_and_numbers_made_0_or_1_alike(shape in prop::collection::vec(1usize..6, 1..4), picks in prop::collection::vec(any::<prop::sample::Index>(), 1..5), threshold in -1.0f32..1.0, strings: bool, seed: u64) {
            let last = *shape.last().expect("an axis");
            let index = parity::tensor::Tensor::of(&[1, picks.len()], &picks.iter().map(|p| p.index(last) as i64).collect::<Vec<_>>());
            let extract = Case::new("ArrayFeatureExtractor", 1).of(ML);
            if strings { extract.check_on(&[given(&shape, seed), Prepared::Tensor(index)]); } else { extract.with(random(&shape, seed, -1.0, 1.0)).with(index).check(); }
            Case::new("Binarizer", 1).of(ML).with(random(&shape, !seed, -1.0, 1.0)).float("threshold", threshold).check();
        }
    }
}

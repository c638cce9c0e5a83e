//! features: what classical models take: words counted, labels looked up, columns picked, numbers made 0 or 1.

use super::super::call::Call;
use super::super::convert::from_torch;
use super::super::value::Value;
use super::common::{count, done, one, vector};
use super::{Kernel, Op, Scale, op, values};
use parity::error::{Error, Result};
use parity::graph::{Attribute, weights};
use std::collections::HashMap;
use tch::{Kind, Tensor};

/// A word or a number, as a key.
fn keys(v: &Value) -> Result<Vec<String>> {
    match v {
        Value::Strings(_, all) => Ok(all.clone()),
        Value::Tensor(t) | Value::Marked(_, t) => {
            let own = from_torch(t)?;
            Ok(own.to_i64().map_or_else(|| own.to_f64().iter().map(f64::to_string).collect(), |v| v.iter().map(i64::to_string).collect()))
        }
        other => Err(Error::usage(format!("{} cannot be looked up", other.describe()))),
    }
}

/// Counts of the n-grams of a pool in each row, weighted.
fn tf_idf(call: &Call) -> Result<Vec<Value>> {
    let need = |name: &str| call.int_if(name)?.ok_or_else(|| Error::usage(format!("attribute '{name}' is missing")));
    let (shortest, longest, skips) =
        (need("min_gram_length")?.max(1) as usize, need("max_gram_length")? as usize, need("max_skip_count")?.max(0) as usize);
    let pool: Vec<String> = match (call.ints("pool_int64s")?, call.texts("pool_strings")?) {
        (Some(v), _) => v.iter().map(i64::to_string).collect(),
        (None, Some(v)) => v,
        (None, None) => return Err(Error::usage("attributes 'pool_int64s' and 'pool_strings' are missing")),
    };
    let indexes = call.ints("ngram_indexes")?.ok_or_else(|| Error::usage("attribute 'ngram_indexes' is missing"))?;
    let starts = call.ints("ngram_counts")?.ok_or_else(|| Error::usage("attribute 'ngram_counts' is missing"))?;
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
    if !(0..1 << 24).contains(&width) || weights.as_ref().is_some_and(|w| (w.len() as i64) < width) {
        return Err(Error::usage(format!("{width} columns with {} weights", weights.map_or(0, |w| w.len()))));
    }
    let mut values = vec![0f64; rows * width as usize];
    for row in 0..rows {
        let own = &items[row * length..][..length];
        for column in found(own, &grams, shortest, longest, skips) {
            values[row * width as usize + column as usize] += 1.0;
        }
    }
    for (i, v) in values.iter_mut().enumerate() {
        let weight = weights.as_ref().map_or(1.0, |w| w[i % width as usize]);
        *v = match mode.as_str() {
            "TF" => *v,
            "IDF" => {
                if *v > 0.0 {
                    weight
                } else {
                    0.0
                }
            }
            "TFIDF" => *v * weight,
            other => return Err(Error::usage(format!("attribute 'mode' should be TF, IDF or TFIDF, is '{other}'"))),
        };
    }
    let kind = if call.precision.is_wide() { Kind::Double } else { Kind::Float };
    let shape = if shape.len() == 1 { vec![width] } else { vec![rows as i64, width] };
    Ok(vec![Value::Tensor(done(|| Tensor::f_from_slice(&values)?.f_to_kind(kind)?.f_reshape(shape))?)])
}

/// Column of every n-gram of the pool, which holds all of length 1, then all of length 2, ...
fn grams(pool: &[String], starts: &[i64], indexes: &[i64]) -> Result<HashMap<Vec<String>, i64>> {
    let (mut all, mut columns) = (HashMap::new(), indexes.iter());
    for (i, start) in starts.iter().enumerate() {
        let end = starts.get(i + 1).map_or(pool.len(), |e| *e as usize);
        let part = pool
            .get(*start as usize..end)
            .ok_or_else(|| Error::usage(format!("ngram_counts {starts:?} do not fit a pool of {}", pool.len())))?;
        for gram in part.chunks(i + 1) {
            let column = columns.next().filter(|c| **c >= 0).ok_or_else(|| Error::usage("ngram_indexes are fewer than the n-grams"))?;
            all.insert(gram.to_vec(), *column);
        }
    }
    Ok(all)
}

/// Columns of the n-grams that a row holds; single words count once, longer n-grams for every number of words that may be skipped.
fn found(row: &[String], grams: &HashMap<Vec<String>, i64>, shortest: usize, longest: usize, skips: usize) -> Vec<i64> {
    let mut columns = Vec::new();
    for step in 1..=skips + 1 {
        for n in shortest..=longest.min(row.len().max(1)) {
            if n == 1 && step > 1 {
                continue;
            }
            for start in 0..row.len() {
                let gram: Vec<String> = (0..n).map_while(|j| row.get(start + j * step).cloned()).collect();
                columns.extend(grams.get(&gram).filter(|_| gram.len() == n));
            }
        }
    }
    columns
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
                Value::of(&weights::value(a.t.as_ref().ok_or_else(|| Error::usage(format!("attribute '{name}' holds no tensor")))?)?)?
            }
        };
        found = found.or(Some(value));
    }
    Ok(found)
}

/// Every element looked up; the default where it is no key.
fn labels(call: &Call) -> Result<Vec<Value>> {
    let missing = |what: &str| Error::usage(format!("LabelEncoder states no {what}"));
    let own = stated(call, ["keys_strings", "keys_int64s", "keys_floats", "keys_tensor"])?.ok_or_else(|| missing("keys"))?;
    let to = stated(call, ["values_strings", "values_int64s", "values_floats", "values_tensor"])?.ok_or_else(|| missing("values"))?;
    let default = stated(call, ["default_string", "default_int64", "default_float", "default_tensor"])?;
    let table: HashMap<String, usize> = keys(&own)?.into_iter().enumerate().map(|(i, k)| (k, i)).collect();
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
            Ok(vec![Value::Strings(shape, places.iter().map(pick).collect())])
        }
        Value::Tensor(t) => {
            let fallback = if super::is_float(t) { -0.0 } else { -1.0 };
            let default = match default.as_ref().and_then(Value::tensor) {
                Some(d) if d.kind() == t.kind() => done(|| d.f_reshape([1]))?,
                _ => done(|| Tensor::f_full([1i64], fallback, (t.kind(), t.device())))?,
            };
            let index: Vec<i64> = places.iter().map(|p| p.map_or(t.numel() as i64, |i| i as i64)).collect();
            let y = done(|| Tensor::f_cat(&[t.f_reshape([-1])?, default], 0)?.f_index_select(0, &vector(&index)?)?.f_reshape(shape))?;
            Ok(vec![Value::Tensor(y)])
        }
        other => Err(Error::usage(format!("values are {}", other.describe()))),
    }
}

/// Columns of the last axis.
fn extract(call: &Call) -> Result<Vec<Tensor>> {
    let (x, index) = (call.input(0)?, call.input(1)?);
    let index = super::common::wrapped(index, x.size().last().copied().unwrap_or(0))?;
    one(index.f_reshape([-1]).and_then(|i| x.f_reshape([-1, x.size()[x.dim() - 1]])?.f_index_select(1, &i)))
}

fn binarize(call: &Call) -> Result<Vec<Tensor>> {
    let (x, threshold) = (super::common::float(call, 0)?, call.float("threshold", 0.0)?);
    one(x.f_gt(threshold).and_then(|t| t.f_to_kind(x.kind())))
}

fn above(call: &Call, _: usize, reference: &Tensor, candidate: &Tensor) -> Result<f64> {
    let threshold = call.float("threshold", 0.0)?;
    let distance = super::common::f64_of(call.input(0)?).and_then(|x| x.f_sub_scalar(threshold)?.f_abs());
    super::common::largest_where_different(distance, reference, candidate)
}

const ML: &str = "ai.onnx.ml";

pub const OPS: &[Op] = &[
    values("TfIdfVectorizer", 9, tf_idf, Scale::Output(parity::floor::Family::Arithmetic)),
    Op { domain: ML, name: "LabelEncoder", since: 1, kernel: Kernel::Values(labels), scale: Scale::Exact },
    Op { domain: ML, ..op("ArrayFeatureExtractor", 1, extract, Scale::Exact) },
    Op { domain: ML, ..op("Binarizer", 1, binarize, Scale::Selection(above)) },
];

#[cfg(test)]
mod tests {
    use super::*;

    fn words(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| s.to_string()).collect()
    }

    #[test]
    fn longer_grams_count_for_every_skip_and_words_once() {
        let grams = grams(&words(&["a", "b", "a", "b"]), &[0, 2], &[0, 1, 2]).unwrap();
        let row = words(&["a", "b", "b"]);
        assert_eq!(found(&row, &grams, 1, 2, 0), [0, 1, 1, 2]);
        assert_eq!(found(&row, &grams, 1, 2, 1), [0, 1, 1, 2, 2]);
        assert_eq!(found(&row, &grams, 2, 2, 0), [2]);
    }

    #[test]
    fn labels_are_looked_up_and_what_is_none_takes_the_default() {
        use super::super::against_ort::Case;
        let ints = Attribute::Ints(vec![7, 8]);
        let case = Case::new("LabelEncoder", 4)
            .of(ML)
            .attribute("keys_strings", Attribute::Strs(words(&["a", "b"])))
            .attribute("values_int64s", ints);
        let x = parity::tensor::Value::Strings(vec![3], words(&["b", "z", "a"]));
        let have = case.int("default_int64", -3).on(&[x]).expect("labels");
        assert_eq!(have[0].tensor().and_then(parity::tensor::Tensor::to_i64), Some(vec![8, -3, 7]));
    }
}

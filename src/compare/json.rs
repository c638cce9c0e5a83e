//! json: f64 in JSON without loss; what JSON has no number for is written as "nan", "inf" or "-inf", and read back.
//!
//! `#[serde(with = "json")]` for one f64, `#[serde(with = "json::list")]` for a `Vec<f64>`. The shortest digits that
//! read back as the same bits are written; reading them exactly needs serde_json's feature `float_roundtrip`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An f64 on its way through JSON.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Float {
    Number(f64),
    Word(String),
}

impl From<f64> for Float {
    fn from(x: f64) -> Self {
        // Rust prints exactly these three words: NaN, inf, -inf.
        if x.is_finite() {
            Float::Number(x)
        } else {
            Float::Word(x.to_string().to_lowercase())
        }
    }
}

impl Float {
    fn read<E: serde::de::Error>(self) -> Result<f64, E> {
        match self {
            Float::Number(x) => Ok(x),
            Float::Word(word) => match word.as_str() {
                "nan" => Ok(f64::NAN),
                "inf" => Ok(f64::INFINITY),
                "-inf" => Ok(f64::NEG_INFINITY),
                _ => Err(E::custom(format!(
                    "{word:?} is no number; \"nan\", \"inf\" and \"-inf\" are the only words"
                ))),
            },
        }
    }
}

pub fn serialize<S: Serializer>(x: &f64, to: S) -> Result<S::Ok, S::Error> {
    Float::from(*x).serialize(to)
}

pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Float::deserialize(from)?.read::<D::Error>()
}

/// The same for a list.
pub mod list {
    use super::*;

    pub fn serialize<S: Serializer>(list: &[f64], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(list.iter().map(|x| Float::from(*x)))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f64>, D::Error> {
        Vec::<Float>::deserialize(from)?
            .into_iter()
            .map(|x| x.read::<D::Error>())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Serialize, Deserialize)]
    struct Held {
        #[serde(with = "crate::compare::json")]
        one: f64,
        #[serde(with = "crate::compare::json::list")]
        many: Vec<f64>,
    }

    fn through_json(x: f64) -> (String, Held) {
        let text = serde_json::to_string(&Held {
            one: x,
            many: vec![x, -0.0],
        })
        .unwrap();
        let held = serde_json::from_str(&text).unwrap();
        (text, held)
    }

    #[test]
    fn what_json_cannot_hold_becomes_a_word() {
        assert_eq!(
            through_json(f64::NAN).0,
            r#"{"one":"nan","many":["nan",-0.0]}"#
        );
        assert_eq!(
            through_json(f64::INFINITY).0,
            r#"{"one":"inf","many":["inf",-0.0]}"#
        );
        assert_eq!(
            through_json(f64::NEG_INFINITY).0,
            r#"{"one":"-inf","many":["-inf",-0.0]}"#
        );
    }

    #[test]
    fn another_word_is_refused_and_named() {
        let error = serde_json::from_str::<Held>(r#"{"one":"lots","many":[]}"#)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("\"lots\" is no number"), "{error}");
    }

    proptest! {
        #[test]
        fn every_number_reads_back_as_the_same_bits(x in proptest::num::f64::ANY) {
            let (text, back) = through_json(x);
            for y in [back.one, back.many[0]] {
                prop_assert!(x.to_bits() == y.to_bits() || (x.is_nan() && y.is_nan()), "{x:e} became {y:e} through {text}");
            }
        }
    }
}

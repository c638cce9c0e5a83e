//! asked: what is declared on the command line of a split or an input: `train=30300`, `depth=16x1x640x640`.

use crate::error::{Error, Result};
use serde::Deserialize;
use std::str::FromStr;

/// A number of a split.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Declared {
    pub split: String,
    pub n: u64,
}

/// A shape of an input.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Shape {
    pub name: String,
    pub sizes: Vec<u64>,
}

impl FromStr for Declared {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refused = || Error::usage(format!("'{text}': expected SPLIT=N, as train=30300"));
        let (split, n) = text.split_once('=').ok_or_else(refused)?;
        let n = n.replace([',', '_'], "").parse().map_err(|_| refused())?;
        let split = Some(split.trim())
            .filter(|s| !s.is_empty())
            .ok_or_else(refused)?;
        Ok(Self {
            split: split.into(),
            n,
        })
    }
}

impl FromStr for Shape {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refused = || {
            Error::usage(format!(
                "'{text}': expected NAME=SHAPE, as depth=16x1x640x640"
            ))
        };
        let (name, sizes) = text.split_once('=').ok_or_else(refused)?;
        let sizes: Option<Vec<u64>> = sizes.split('x').map(|s| s.trim().parse().ok()).collect();
        let name = Some(name.trim())
            .filter(|s| !s.is_empty())
            .ok_or_else(refused)?;
        let sizes = sizes.ok_or_else(refused)?;
        Ok(Self {
            name: name.into(),
            sizes,
        })
    }
}

impl TryFrom<String> for Declared {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl TryFrom<String> for Shape {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_declared_is_read_or_refused_with_the_form() {
        let train: Declared = "train=30,300".parse().unwrap();
        assert_eq!((train.split.as_str(), train.n), ("train", 30300));
        let depth: Shape = "depth=16x1x640x640".parse().unwrap();
        assert_eq!(depth.sizes, [16, 1, 640, 640]);
        for text in ["train", "train=x", "=3"] {
            assert!(text.parse::<Declared>().is_err(), "{text}");
        }
        assert!("depth=1xx2".parse::<Shape>().is_err());
    }
}

//! domain: which values an input of a loss may hold, in the words of a scenario and of `--domain`.

use crate::error::{Error, Result};
use crate::graph::Dim;
use crate::tensor::DType;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// `VALUES`, and `@AXIS,AXIS` where no graph declares a shape, and `:DTYPE` behind it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct Domain {
    pub values: Values,
    /// Sizes and names of axes; equal names are equal sizes.
    pub axes: Option<Vec<Dim>>,
    pub dtype: Option<DType>,
}

/// What each element is.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Real numbers, between both ends where these are stated.
    Numbers(Option<[f64; 2]>),
    /// From 0 to 1, both included.
    Probabilities,
    /// x1, y1, x2, y2 along the last axis; no side is negative, some are 0.
    Boxes,
    /// Whole numbers from 0 up to a number of classes, or a label that is to be ignored.
    Labels { classes: Dim, ignored: Option<i64> },
    /// Whole numbers, both ends included.
    Integers([i64; 2]),
    /// 0 or 1.
    Mask,
}

/// What can be declared.
pub const FORMS: &str = "numbers, numbers:LOW..HIGH, probabilities, boxes, labels:CLASSES, labels:CLASSES,IGNORED, integers:LOW..HIGH, mask";

impl Values {
    /// What is drawn where nothing is declared.
    pub fn guessed(dtype: DType) -> Self {
        match dtype {
            DType::Bool => Self::Mask,
            _ if dtype.is_float() => Self::Numbers(None),
            _ => Self::Integers([0, 3]),
        }
    }

    /// The dtype that is fed where no graph declares one.
    pub fn dtype(&self) -> DType {
        match self {
            Self::Labels { .. } | Self::Integers(_) => DType::I64,
            Self::Numbers(_) | Self::Probabilities | Self::Boxes | Self::Mask => DType::F32,
        }
    }

    /// Whether a tensor of this dtype can hold them.
    pub fn fits(&self, dtype: DType) -> bool {
        match self {
            Self::Numbers(_) | Self::Probabilities | Self::Boxes => dtype.is_float(),
            Self::Labels { .. } | Self::Integers(_) => dtype != DType::Bool,
            Self::Mask => true,
        }
    }
}

impl FromStr for Values {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::usage(format!("'{text}' is no domain")).next(FORMS);
        let (kind, of) = match text.split_once(':') {
            Some((kind, of)) => (kind, Some(of)),
            None => (text, None),
        };
        let values = match (kind, of) {
            ("numbers", None) => Some(Self::Numbers(None)),
            ("numbers", Some(of)) => {
                let ends = range::<f64>(of).filter(|ends| ends.iter().all(|v| v.is_finite()));
                ends.map(|ends| Self::Numbers(Some(ends)))
            }
            ("probabilities", None) => Some(Self::Probabilities),
            ("boxes", None) => Some(Self::Boxes),
            ("mask", None) => Some(Self::Mask),
            ("integers", Some(of)) => range(of).map(Self::Integers),
            ("labels", Some(of)) => labels(of),
            _ => None,
        };
        values.ok_or_else(wrong)
    }
}

/// `LOW..HIGH`, the lower end first.
fn range<T: FromStr + PartialOrd>(text: &str) -> Option<[T; 2]> {
    let (low, high) = text.split_once("..")?;
    let ends = [low.trim().parse().ok()?, high.trim().parse().ok()?];
    (ends[0] <= ends[1]).then_some(ends)
}

/// `CLASSES`, or `CLASSES,IGNORED`.
fn labels(text: &str) -> Option<Values> {
    let (classes, ignored) = match text.split_once(',') {
        Some((classes, ignored)) => (classes, Some(ignored.trim().parse().ok()?)),
        None => (text, None),
    };
    let classes = axis(classes.trim()).filter(|c| *c != Dim::Known(0))?;
    Some(Values::Labels { classes, ignored })
}

/// A size, or what one is called.
fn axis(text: &str) -> Option<Dim> {
    let named = || (!text.is_empty()).then(|| Dim::Named(text.into()));
    text.parse().ok().map(Dim::Known).or_else(named)
}

impl FromStr for Domain {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (values, rest) = match text.split_once('@') {
            Some((values, rest)) => (values, Some(rest)),
            None => (text, None),
        };
        let (axes, dtype) = match rest.map(|r| r.split_once(':').unwrap_or((r, ""))) {
            None => (None, None),
            Some((axes, dtype)) => (Some(self::axes(axes, text)?), self::dtype(dtype)?),
        };
        let values = values.parse()?;
        Ok(Self {
            values,
            axes,
            dtype,
        })
    }
}

/// `AXIS,AXIS`; nothing is a scalar.
fn axes(list: &str, text: &str) -> Result<Vec<Dim>> {
    let one = |part: &str| {
        axis(part.trim()).ok_or_else(|| {
            Error::usage(format!("'{text}': an axis without a name"))
                .next("sizes and names behind the @: boxes@n,4")
        })
    };
    match list.trim() {
        "" => Ok(vec![]),
        list => list.split(',').map(one).collect(),
    }
}

fn dtype(name: &str) -> Result<Option<DType>> {
    let known = || DType::ALL.iter().map(|d| d.name());
    match DType::ALL.into_iter().find(|d| d.name() == name) {
        None if !name.is_empty() => Err(Error::usage(format!("'{name}' is no dtype"))
            .next(known().collect::<Vec<_>>().join(", "))),
        found => Ok(found),
    }
}

impl fmt::Display for Values {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Numbers(None) => write!(f, "numbers"),
            Self::Numbers(Some([low, high])) => write!(f, "numbers:{low}..{high}"),
            Self::Probabilities => write!(f, "probabilities"),
            Self::Boxes => write!(f, "boxes"),
            Self::Integers([low, high]) => write!(f, "integers:{low}..{high}"),
            Self::Mask => write!(f, "mask"),
            Self::Labels { classes, ignored } => {
                write!(f, "labels:{}", said(classes))?;
                ignored.map_or(Ok(()), |label| write!(f, ",{label}"))
            }
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.values)?;
        if let Some(axes) = &self.axes {
            write!(
                f,
                "@{}",
                axes.iter().map(said).collect::<Vec<_>>().join(",")
            )?;
        }
        self.dtype
            .map_or(Ok(()), |dtype| write!(f, ":{}", dtype.name()))
    }
}

/// Axes as reports show them.
pub fn shape(axes: &[Dim]) -> String {
    format!("[{}]", axes.iter().map(said).collect::<Vec<_>>().join(", "))
}

fn said(axis: &Dim) -> String {
    match axis {
        Dim::Known(size) => size.to_string(),
        Dim::Named(name) => name.clone(),
        Dim::Unknown => "?".into(),
    }
}

impl TryFrom<String> for Domain {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Domain> for String {
    fn from(domain: Domain) -> String {
        domain.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_read_and_said_alike() {
        for text in [
            "numbers",
            "numbers:-1.5..2",
            "probabilities@n",
            "boxes@n,4",
            "labels:80",
            "labels:C,-100@n",
            "integers:-1..9@n:i32",
            "mask@n,m:bool",
            "numbers@",
        ] {
            let domain: Domain = text.parse().unwrap();
            assert_eq!(domain.to_string(), text);
        }
        let axes = "boxes@n,4".parse::<Domain>().unwrap().axes;
        assert_eq!(axes, Some(vec![Dim::Named("n".into()), Dim::Known(4)]));
    }

    #[test]
    fn what_is_no_domain_is_refused_with_all_that_there_are() {
        for bad in [
            "",
            "box",
            "numbers:2..1",
            "numbers:0..inf",
            "labels",
            "labels:0",
            "integers",
            "integers:0..x",
            "boxes:4",
        ] {
            let e = bad.parse::<Domain>().unwrap_err();
            assert!(e.message.contains("is no domain"), "{bad}: {}", e.message);
            assert_eq!(e.next.as_deref(), Some(FORMS), "{bad}");
        }
        for (bad, says) in [
            ("mask@n,,m", "an axis without a name"),
            ("mask@n:f31", "'f31' is no dtype"),
        ] {
            let e = bad.parse::<Domain>().unwrap_err();
            assert!(e.message.contains(says), "{bad}: {}", e.message);
        }
    }
}

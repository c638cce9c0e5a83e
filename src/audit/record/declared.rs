//! declared: what the user states of an experiment, in TOML: targets, whose gain decides, what comes next, what is meant to differ, and facts that no file holds.

use crate::error::{Error, Place, Result, hint};
use indexmap::IndexMap;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Numbers that have a name here, and what they are. Shares are in percent.
pub const METRICS: [(&str, &str); 13] = [
    ("map50", "mAP@0.5"),
    ("map", "mAP@[.5:.95]"),
    ("precision", "precision"),
    ("recall", "recall"),
    ("small", "AP@0.5 of small objects"),
    ("medium", "AP@0.5 of medium objects"),
    ("large", "AP@0.5 of large objects"),
    ("small_map", "AP@[.5:.95] of small objects"),
    ("medium_map", "AP@[.5:.95] of medium objects"),
    ("large_map", "AP@[.5:.95] of large objects"),
    ("fps", "images a second"),
    ("parameters", "parameters"),
    ("gflops", "GFLOPs"),
];

/// Facts of the record that no file is sure to hold, and what is meant.
pub const FACTS: [(&str, &str); 16] = [
    ("command", "the command line"),
    ("device", "what it ran on"),
    ("begin", "when it began"),
    ("end", "when it ended"),
    ("status", "how it ended"),
    ("commit", "commit of the code"),
    ("versions", "versions of framework and driver"),
    ("train_images", "training images"),
    ("val_images", "validation images"),
    ("classes", "number of classes"),
    ("preprocessing", "how inputs are made: depth and its range"),
    ("augmentation", "augmentation"),
    ("dataset", "data set"),
    ("base_model", "the model it starts from"),
    ("author", "who ran it"),
    ("notes", "anything else"),
];

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Declared {
    /// Bounds by metric: `small = "> 33"`.
    pub targets: IndexMap<String, String>,
    pub gain: Gain,
    pub next: Next,
    pub change: Change,
    pub measured: Measured,
    pub facts: IndexMap<String, String>,
    pub milestones: Vec<usize>,
}

/// Whose gain over the baseline decides, in points.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gain {
    pub metric: String,
    pub reached: f64,
    pub partly: f64,
}

impl Default for Gain {
    fn default() -> Self {
        Self {
            metric: "small".into(),
            reached: 2.0,
            partly: 1.0,
        }
    }
}

/// What is done after each outcome.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Next {
    pub reached: Option<String>,
    pub partly: Option<String>,
    pub not: Option<String>,
}

/// What is meant to differ between both runs.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Change {
    /// Keys of args.yaml.
    pub keys: Vec<String>,
    pub file: Option<String>,
    pub class: Option<String>,
    pub method: Option<String>,
    pub lines: Option<String>,
    pub what: Option<String>,
    /// A unified diff of the code against the baseline's, beside the declaration.
    pub diff: Option<PathBuf>,
}

/// Numbers that were measured elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Measured {
    pub run: IndexMap<String, f64>,
    pub baseline: IndexMap<String, f64>,
}

/// A bound of a target.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    above: bool,
    equal: bool,
    pub value: f64,
}

impl Bound {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (above, rest) = match text.strip_prefix('>') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('<')?),
        };
        let (equal, rest) = rest.strip_prefix('=').map_or((false, rest), |r| (true, r));
        let value: f64 = rest.trim().trim_end_matches('%').trim().parse().ok()?;
        value.is_finite().then_some(Self {
            above,
            equal,
            value,
        })
    }

    #[must_use]
    pub fn holds(self, value: f64) -> bool {
        let beyond = match self.above {
            true => value > self.value,
            false => value < self.value,
        };
        beyond || (self.equal && value == self.value)
    }
}

impl Declared {
    /// # Errors
    /// No TOML, a key or a metric that is not known, a bound that is none.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = crate::file::read(path).at(path.display())?;
        let text = String::from_utf8(bytes).map_err(|_| Error::usage("it is not UTF-8"));
        let mut out = text.and_then(|t| Self::parse(&t)).at(path.display())?;
        let folder = path.parent().unwrap_or(Path::new(""));
        out.change.diff = out.change.diff.map(|diff| folder.join(diff));
        Ok(out)
    }

    fn parse(text: &str) -> Result<Self> {
        let out: Self = toml::from_str(text).map_err(|e| Error::usage(e.to_string()))?;
        out.bounds()?;
        let measured = out.measured.run.keys().chain(out.measured.baseline.keys());
        let own = measured.chain([&out.gain.metric]);
        own.map(|name| known(name, &METRICS))
            .collect::<Result<Vec<_>>>()?;
        out.facts
            .keys()
            .map(|name| known(name, &FACTS))
            .collect::<Result<Vec<_>>>()?;
        if out.gain.partly > out.gain.reached {
            let fact = format!(
                "gain: partly {} is more than reached {}",
                out.gain.partly, out.gain.reached
            );
            return Err(Error::usage(fact));
        }
        Ok(out)
    }

    /// Each target with its bound.
    ///
    /// # Errors
    /// A metric that is not known, or a bound that is none.
    pub fn bounds(&self) -> Result<Vec<(&'static str, Bound)>> {
        let of = |(name, text): (&String, &String)| {
            let fact = || {
                Error::usage(format!("target {name}: '{text}' is no bound"))
                    .next("\"> 33\", \">= 33\", \"< 3\" or \"<= 3\"")
            };
            Ok((known(name, &METRICS)?, Bound::parse(text).ok_or_else(fact)?))
        };
        self.targets.iter().map(of).collect()
    }
}

fn known(name: &str, all: &[(&'static str, &'static str)]) -> Result<&'static str> {
    let found = all.iter().find(|row| row.0 == name);
    found.map(|row| row.0).ok_or_else(|| {
        let names: Vec<&str> = all.iter().map(|row| row.0).collect();
        let next = format!(
            "{}known: {}",
            hint(name, names.iter().copied()),
            names.join(", ")
        );
        Error::usage(format!("'{name}' is not known")).next(next)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_read_and_hold_as_they_say() {
        for (text, value, holds) in [
            ("> 33", 33.0, false),
            (">= 33 %", 33.0, true),
            ("<2.7", 2.0, true),
            ("<= 3", 3.5, false),
        ] {
            assert_eq!(Bound::parse(text).unwrap().holds(value), holds, "{text}");
        }
        for text in ["33", "> much", "= 3", ">", "> nan"] {
            assert_eq!(Bound::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_declared_is_used_or_refused() {
        let read =
            Declared::parse("[targets]\nsmall = \"> 33\"\n[next]\npartly = \"weight 2.5\"\n")
                .unwrap();
        assert_eq!(read.gain.reached, 2.0);
        assert_eq!(read.next.partly.as_deref(), Some("weight 2.5"));
        for (text, words) in [
            ("[targets]\nsmal = \"> 3\"", "did you mean 'small'"),
            ("[targets]\nsmall = \"3\"", "is no bound"),
            ("[target]\nsmall = \"> 3\"", "unknown field"),
            ("[facts]\ncommandd = \"x\"", "did you mean 'command'"),
            ("[gain]\nreached = 1\npartly = 2", "more than reached"),
        ] {
            let e = Declared::parse(text).unwrap_err().to_string();
            assert!(e.contains(words), "{e}");
        }
    }
}

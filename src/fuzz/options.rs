//! options: which cases are drawn: their number, their seed, and the share of one of several machines.

use crate::error::{Error, Result};
use std::str::FromStr;

/// What to draw, and how.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Cases of the whole run, of which a shard draws its share.
    pub cases: u64,
    pub seed: u64,
    pub shard: Shard,
    /// Threads, each with a subject of its own; the report does not depend on their number.
    pub jobs: usize,
    /// Ends after this many finds of different kinds.
    pub finds: usize,
}

/// What ended a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// All cases were drawn.
    #[default]
    Cases,
    /// The time that was stated is over.
    Time,
    /// As many finds as were asked for.
    Finds,
    Interrupt,
}

impl End {
    pub fn name(self) -> &'static str {
        match self {
            Self::Cases => "cases",
            Self::Time => "time",
            Self::Finds => "finds",
            Self::Interrupt => "interrupt",
        }
    }
}

/// The `this`-th of `of` shards: the cases whose number leaves `this` − 1 when divided by `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    this: u64,
    of: u64,
}

impl Shard {
    /// The whole run.
    pub const ALL: Self = Self { this: 1, of: 1 };
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.this, self.of)
    }
}

impl FromStr for Shard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let parts = text
            .split_once('/')
            .and_then(|(i, n)| Some((i.parse::<u64>().ok()?, n.parse::<u64>().ok()?)));
        match parts {
            Some((this, of)) if (1..=of).contains(&this) => Ok(Self { this, of }),
            _ => {
                Err(Error::usage(format!("'{text}' is no shard")).next("the second of four is 2/4"))
            }
        }
    }
}

impl Options {
    /// Cases that this shard draws.
    pub fn drawn(&self) -> u64 {
        self.cases.saturating_add(self.shard.of - self.shard.this) / self.shard.of
    }

    /// Number of the `i`-th case of this shard in the whole run.
    pub fn number(&self, i: u64) -> u64 {
        i * self.shard.of + self.shard.this - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_share_every_case_out_exactly_once() {
        for (cases, of) in [(0, 1), (1, 3), (7, 3), (9, 3), (10, 4)] {
            let shard = |this| Options {
                cases,
                seed: 0,
                shard: Shard { this, of },
                jobs: 1,
                finds: 1,
            };
            let mut all: Vec<u64> = (1..=of)
                .flat_map(|i| (0..shard(i).drawn()).map(move |k| shard(i).number(k)))
                .collect();
            all.sort_unstable();
            assert_eq!(
                all,
                (0..cases).collect::<Vec<_>>(),
                "{cases} cases in {of} shards"
            );
        }
    }

    #[test]
    fn what_is_no_share_is_refused() {
        assert_eq!("2/4".parse::<Shard>().unwrap(), Shard { this: 2, of: 4 });
        for bad in ["", "2", "0/4", "5/4", "1/0", "a/b", "-1/2"] {
            assert!(
                bad.parse::<Shard>()
                    .unwrap_err()
                    .message
                    .contains("is no shard"),
                "{bad}"
            );
        }
    }
}

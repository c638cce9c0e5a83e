//! part: the share of one of several machines: together they are exactly the whole.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The `this`-th of `of` shares: what stands at a place that leaves `this` − 1 when divided by `of`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Part {
    pub this: usize,
    pub of: usize,
}

impl Part {
    /// All of it.
    pub const ALL: Self = Self { this: 1, of: 1 };

    pub fn of(this: usize, of: usize) -> Self {
        Self { this, of }
    }

    /// Whether what stands at this place is of the share.
    pub fn has(self, place: usize) -> bool {
        place % self.of == self.this - 1
    }

    /// What of `all` is of the share, in its order.
    pub fn share<T: Clone>(self, all: &[T]) -> Vec<T> {
        let own = all.iter().enumerate().filter(|(i, _)| self.has(*i));
        own.map(|(_, one)| one.clone()).collect()
    }

    /// Whether it is a share at all: a file may say anything.
    pub fn is_one(self) -> bool {
        (1..=self.of).contains(&self.this)
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.this, self.of)
    }
}

impl FromStr for Part {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let numbers = text.split_once('/');
        let read = numbers.and_then(|(i, n)| Some(Self::of(i.parse().ok()?, n.parse().ok()?)));
        let wrong =
            || Error::usage(format!("'{text}' is no part")).next("the second of four is 2/4");
        read.filter(|part| part.is_one()).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_share_everything_out_exactly_once() {
        for (all, of) in [(0, 1), (1, 3), (7, 3), (9, 3), (100, 7)] {
            let whole: Vec<usize> = (0..all).collect();
            let mut shared: Vec<usize> = (1..=of)
                .flat_map(|this| Part::of(this, of).share(&whole))
                .collect();
            shared.sort_unstable();
            assert_eq!(shared, whole, "{all} in {of}");
        }
    }

    #[test]
    fn what_is_no_part_is_refused() {
        assert_eq!("2/4".parse(), Ok(Part::of(2, 4)));
        for bad in ["", "2", "0/4", "5/4", "a/b", "1/0", "-1/2", "1/2/3"] {
            assert!(bad.parse::<Part>().is_err(), "{bad}");
        }
    }
}

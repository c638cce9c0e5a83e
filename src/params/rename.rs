//! rename: names that a person declares: `A=B`, or `A*=B*` for every name that starts with A.

use crate::error::{Error, Result};

/// A declared rename: `A=B`, or `A*=B*` for every name that starts with A.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rename {
    from: String,
    to: String,
    prefix: bool,
}

impl Rename {
    /// One name, whatever it is made of.
    pub fn one(from: &str, to: &str) -> Self {
        Self {
            from: from.into(),
            to: to.into(),
            prefix: false,
        }
    }

    pub fn parse(text: &str) -> Result<Self> {
        let refuse = |what: &str| {
            Err(Error::usage(format!("--rename {text}: {what}"))
                .next("A=B, or A*=B* for every name that starts with A"))
        };
        let Some((from, to)) = text.split_once('=') else {
            return refuse("expected REFERENCE=CANDIDATE");
        };
        match (from.strip_suffix('*'), to.strip_suffix('*')) {
            (Some(from), Some(to)) if !from.contains('*') && !to.contains('*') => Ok(Self {
                from: from.into(),
                to: to.into(),
                prefix: true,
            }),
            (None, None) if !from.contains('*') && !to.contains('*') => Ok(Self {
                from: from.into(),
                to: to.into(),
                prefix: false,
            }),
            _ => refuse("'*' stands at the end of both sides or nowhere"),
        }
    }

    pub fn apply(&self, name: &str) -> Option<String> {
        match self.prefix {
            true => name
                .strip_prefix(self.from.as_str())
                .map(|rest| format!("{}{rest}", self.to)),
            false => (name == self.from).then(|| self.to.clone()),
        }
    }

    pub fn show(&self) -> String {
        let star = if self.prefix { "*" } else { "" };
        format!("{}{star}={}{star}", self.from, self.to)
    }
}

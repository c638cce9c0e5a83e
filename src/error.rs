//! error: one error value: what is wrong, what to do next, and the exit code that it means.

mod code;

pub use code::Code;

use crate::exit::Exit;
use std::fmt;

/// A message that names the thing and the fact, and the next step where one is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub exit: Exit,
    pub message: String,
    pub next: Option<String>,
    /// Which kind it is, where somebody said it.
    pub kind: Option<Code>,
}

pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The command line, the scenario or an input file is wrong (exit 2).
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Usage,
            message: message.into(),
            next: None,
            kind: None,
        }
    }

    /// It could not be run (exit 3).
    pub fn failed(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Failed,
            message: message.into(),
            next: None,
            kind: None,
        }
    }

    /// Nothing was compared (exit 4).
    pub fn uncovered(message: impl Into<String>) -> Self {
        Self {
            exit: Exit::Uncovered,
            message: message.into(),
            next: None,
            kind: None,
        }
    }

    /// Says which kind it is, unless that was said closer to where it happened.
    pub fn kind(mut self, code: Code) -> Self {
        self.kind = self.kind.or(Some(code));
        self
    }

    /// Its stable name.
    pub fn code(&self) -> Code {
        let by_words = self.ran_out().then_some(Code::Memory);
        let known = self.kind.or(by_words);
        known.unwrap_or_else(|| Code::of(self.exit))
    }

    /// Whether memory ran out, in the words of whoever says so: no refusal of what was asked.
    pub fn ran_out(&self) -> bool {
        ["allocate memory", "not enough memory", "bad_alloc"]
            .iter()
            .any(|words| self.message.contains(words))
    }

    /// Adds what the user can do about it; an empty text adds nothing.
    pub fn next(mut self, step: impl Into<String>) -> Self {
        let step = step.into().trim_end().to_string();
        self.next = (!step.is_empty()).then_some(step);
        self
    }

    /// Puts the place where it happened in front of the message.
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }
}

/// What was made, or the words of who refuses it; an error where memory ran out.
///
/// # Errors
/// Memory ran out.
pub fn or_refusal<T>(result: Result<T>) -> Result<std::result::Result<T, String>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(e) if e.ran_out() => Err(e),
        Err(e) => Ok(Err(e.message)),
    }
}

/// None where `result` is a refusal; an error where memory ran out.
///
/// # Errors
/// Memory ran out.
pub fn unless_refused<T>(result: Result<T>) -> Result<Option<T>> {
    Ok(or_refusal(result)?.ok())
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", printable(&self.message))?;
        match &self.next {
            Some(next) => write!(f, "\n  next: {}", printable(next)),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// Adds a place to an error on its way up.
pub trait Place<T> {
    fn at(self, place: impl fmt::Display) -> Result<T>;
}

impl<T> Place<T> for Result<T> {
    fn at(self, place: impl fmt::Display) -> Result<T> {
        self.map_err(|e| e.at(place))
    }
}

/// `text` on one line, with every control and direction-changing character escaped, so that a name out of a file can neither steer a
/// terminal nor forge a line of ours.
pub fn printable(text: &str) -> String {
    let hostile = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars()
        .flat_map(|c| {
            if hostile(c) {
                c.escape_unicode().collect::<Vec<_>>()
            } else {
                vec![c]
            }
        })
        .collect()
}

/// "did you mean 'x'? " for the name x among `known` that `word` was probably meant to be; empty where none is near.
pub fn hint<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    did_you_mean(word, known).map_or(String::new(), |w| format!("did you mean '{w}'? "))
}

/// The name among `known` that `word` was probably meant to be.
fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|k| (strsim::jaro_winkler(word, k), k))
        .filter(|(score, _)| *score > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, k)| k)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_a_file_cannot_steer_the_terminal() {
        assert_eq!(
            printable("a\u{1b}[2Jb\nc\u{202e}"),
            "a\\u{1b}[2Jb\\u{a}c\\u{202e}"
        );
    }

    #[test]
    fn a_message_ends_with_the_next_step() {
        let e = Error::usage("model m.onnx: not found")
            .next("run scripts/fetch_models")
            .at("scenario s.toml");
        assert_eq!(
            e.to_string(),
            "scenario s.toml: model m.onnx: not found\n  next: run scripts/fetch_models"
        );
    }

    #[test]
    fn memory_that_runs_out_is_no_refusal() {
        let of = |says: &str| unless_refused(Err::<(), _>(Error::failed(says)));
        for says in [
            "onnxruntime: Failed to allocate memory for requested buffer of size 9",
            "libtorch: not enough memory: you tried",
            "std::bad_alloc",
        ] {
            assert!(of(says).is_err(), "{says}");
        }
        assert_eq!(of("no such operator"), Ok(None));
        assert_eq!(
            or_refusal(Err::<(), _>(Error::failed("no such operator"))),
            Ok(Err("no such operator".into()))
        );
        assert_eq!(unless_refused(Ok(1)), Ok(Some(1)));
    }

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_is_not() {
        assert_eq!(
            did_you_mean("tolerence", ["tolerance", "model"]),
            Some("tolerance")
        );
        assert_eq!(did_you_mean("zzz", ["tolerance", "model"]), None);
    }
}

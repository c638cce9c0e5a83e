//! said: what a plain log says beside its curves: items transferred, images counted, warnings and errors, each with its line.

use indexmap::IndexMap;

/// Lines of alike words that are kept, and kinds of words.
const LINES: usize = 5;
const KINDS: usize = 200;
/// As much of a text as tells it from others.
const TEXT: usize = 160;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Said {
    pub transferred: Vec<Transferred>,
    /// Where the number of classes was replaced by that of the data.
    pub classes_replaced: Option<u64>,
    /// Names that a state dict lacks or has too many, as mmengine says them.
    pub mismatched: Vec<Mismatched>,
    pub counts: Vec<Count>,
    pub words: Vec<Words>,
    /// Kinds of words to their place in `words`.
    kinds: IndexMap<(Level, String), usize>,
}

/// "Transferred x/y items".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transferred {
    pub items: u64,
    pub of: u64,
    pub line: u64,
}

/// "missing keys in source state_dict: a, b".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatched {
    pub missing: bool,
    pub names: u64,
    pub first: Vec<String>,
    pub line: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    Images,
    Backgrounds,
    Corrupt,
    Instances,
}

impl Counted {
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Backgrounds => "backgrounds",
            Self::Corrupt => "corrupt",
            Self::Instances => "instances",
        }
    }
}

/// What a log counted of a split; a later count replaces an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Count {
    pub split: String,
    pub what: Counted,
    pub n: u64,
    pub line: u64,
    /// It was counted by looking for the labels of each image, not told of a finished loader.
    pub scanned: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// Known to be harmless.
    Harmless,
    Warning,
    Error,
}

/// Warnings or errors that differ in numbers and paths only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    pub level: Level,
    /// The first of them.
    pub text: String,
    pub count: u64,
    pub lines: Vec<u64>,
}

impl Said {
    pub(super) fn count(&mut self, new: Count) {
        let same =
            |c: &Count| c.split == new.split && c.what == new.what && c.scanned == new.scanned;
        match self.counts.iter().position(same) {
            Some(at) => self.counts[at] = new,
            None if self.counts.len() < KINDS => self.counts.push(new),
            None => {}
        }
    }

    pub(super) fn word(&mut self, level: Level, text: &str, line: u64) {
        let text: String = text.chars().take(TEXT).collect();
        let kind = (level, kind(&text));
        let at = match self.kinds.get(&kind) {
            Some(at) => *at,
            None if self.words.len() == KINDS => KINDS - 1,
            None => {
                self.kinds.insert(kind, self.words.len());
                let lines = vec![];
                self.words.push(Words {
                    level,
                    text,
                    count: 0,
                    lines,
                });
                self.words.len() - 1
            }
        };
        let held = &mut self.words[at];
        held.count += 1;
        if held.lines.len() < LINES && held.lines.last() != Some(&line) {
            held.lines.push(line);
        }
    }
}

/// A text without its numbers and paths.
fn kind(text: &str) -> String {
    let one = |word: &str| match word.contains(['/', '\\']) {
        true => "…".to_string(),
        false => word
            .chars()
            .map(|c| if c.is_ascii_digit() { '#' } else { c })
            .collect(),
    };
    let words: Vec<String> = text.split_whitespace().take(10).map(one).collect();
    let mut kind = words.join(" ");
    while kind.contains("##") {
        kind = kind.replace("##", "#");
    }
    kind
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_differ_in_numbers_and_paths_are_of_one_kind() {
        let mut said = Said::default();
        for i in 1..=9 {
            let text = format!("/data/{i}.jpg: ignoring corrupt image: value {i}{i}");
            said.word(Level::Warning, &text, i);
        }
        said.word(
            Level::Error,
            "/data/1.jpg: ignoring corrupt image: value 1",
            20,
        );
        assert_eq!(said.words.len(), 2);
        assert_eq!(
            (said.words[0].count, &said.words[0].lines[..]),
            (9, &[1, 2, 3, 4, 5][..])
        );
    }

    #[test]
    fn however_many_kinds_there_are_they_are_bounded() {
        let mut said = Said::default();
        for i in 0..1000 {
            let letters: String = format!("{i}").bytes().map(|b| (b + 40) as char).collect();
            said.word(Level::Warning, &letters, i);
        }
        assert_eq!(said.words.len(), KINDS);
        assert_eq!(said.words.iter().map(|w| w.count).sum::<u64>(), 1000);
    }
}

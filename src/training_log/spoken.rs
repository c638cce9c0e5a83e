//! spoken: how a line of a plain log is spoken: without colours, with its level, with what stands behind its stamp.

use super::said::Level;

/// What libraries say in every healthy run.
const HARMLESS: [&str; 14] = [
    "'pin_memory' argument is set as true but no accelerator is found",
    "\"FileClient\" will be deprecated",
    "\"HardDiskBackend\" is the alias",
    "`save_param_scheduler` is True but `self.param_schedulers` is None",
    "has no metainfo. ``dataset_meta``",
    "The prefix is not set in metric class",
    "Failed to search registry with scope",
    "Failed to import",
    "torch.meshgrid: in an upcoming release",
    "FutureWarning",
    "DeprecationWarning",
    "PendingDeprecationWarning",
    "init_weights of",
    "Reach the end of the dataloader",
];

/// A segment without the codes that colour it or clear a line.
#[must_use]
pub fn plain(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = rest.find('\u{1b}') {
        out += &rest[..at];
        let code = &rest[at + 1..];
        let Some(inside) = code.strip_prefix('[') else {
            rest = code;
            continue;
        };
        let end = inside.find(|c: char| c.is_ascii_alphabetic());
        rest = end.map_or("", |end| &inside[end + 1..]);
    }
    out + rest
}

/// What stands behind "2026/11/30 16:30:29 - mmengine - INFO - ", with the level.
#[must_use]
pub fn stamped(text: &str) -> Option<(&str, &str)> {
    let mut parts = text.splitn(4, " - ");
    let (date, _, level, message) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_level = matches!(level, "DEBUG" | "INFO" | "WARNING" | "ERROR" | "CRITICAL");
    (is_level && date.contains(':')).then_some((level, message))
}

/// The level of a line and what it says; None where it is neither a warning nor an error.
#[must_use]
pub fn level(text: &str) -> Option<(Level, &str)> {
    let (level, said) = match stamped(text) {
        Some((word, message)) => (named(word)?, message),
        None => marked(text).or_else(|| of_python(text))?,
    };
    let harmless = level == Level::Warning && HARMLESS.iter().any(|h| text.contains(h));
    Some((if harmless { Level::Harmless } else { level }, said.trim()))
}

fn named(word: &str) -> Option<Level> {
    match word {
        "WARNING" => Some(Level::Warning),
        "ERROR" | "CRITICAL" => Some(Level::Error),
        _ => None,
    }
}

/// "train: WARNING ⚠️ text", "[ERROR] text".
fn marked(text: &str) -> Option<(Level, &str)> {
    let bound = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric() && c != '_');
    let found = |word: &'static str| {
        let at = text.find(word)?;
        let behind = &text[at + word.len()..];
        let whole = bound(text[..at].chars().next_back()) && bound(behind.chars().next());
        whole.then_some((
            named(word)?,
            behind.trim_start_matches(|c: char| !c.is_alphanumeric() && !"/'\"(`\\".contains(c)),
        ))
    };
    ["ERROR", "CRITICAL", "WARNING"].into_iter().find_map(found)
}

/// "file.py:12: UserWarning: text".
fn of_python(text: &str) -> Option<(Level, &str)> {
    let at = text.find("Warning: ")?;
    let begin = text[..at]
        .rfind(|c: char| !c.is_ascii_alphabetic())
        .map_or(0, |b| b + 1);
    let in_a_file = text[..begin].trim_end().ends_with(':') && text[..begin].contains(".py:");
    in_a_file.then_some((Level::Warning, &text[begin..]))
}

/// "ValueError: text", as the last line of a traceback is.
#[must_use]
pub fn raised(text: &str) -> bool {
    let name = text.split(':').next().unwrap_or("");
    let is_name = !name.is_empty()
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._".contains(c));
    is_name
        && (name.ends_with("Error") || name.ends_with("Exception") || name.ends_with("Interrupt"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_read_from_every_way_of_saying_it() {
        use Level::{Error, Harmless, Warning};
        let rows = [
            (
                "train: WARNING ⚠️ /d/a.jpg: ignoring corrupt image",
                Some((Warning, "/d/a.jpg: ignoring corrupt image")),
            ),
            ("ERROR ❌ no labels found", Some((Error, "no labels found"))),
            ("[WARNING] x", Some((Warning, "x"))),
            (
                "2026/11/30 16:30:29 - mmengine - WARNING - unexpected key",
                Some((Warning, "unexpected key")),
            ),
            (
                "11/30 16:30:29 - mmengine - ERROR - gone",
                Some((Error, "gone")),
            ),
            ("2026/11/30 16:30:29 - mmengine - INFO - no WARNING", None),
            (
                "/a/b.py:759: UserWarning: lr_scheduler first",
                Some((Warning, "UserWarning: lr_scheduler first")),
            ),
            (
                "/a/b.py:759: FutureWarning: soon",
                Some((Harmless, "FutureWarning: soon")),
            ),
            ("0 warnings, 0 errors", None),
            ("MY_ERROR_COUNT = 3", None),
        ];
        for (text, want) in rows {
            assert_eq!(level(text), want, "{text}");
        }
    }

    #[test]
    fn colours_are_no_text() {
        assert_eq!(
            plain("\u{1b}[34m\u{1b}[1mtrain: \u{1b}[0mScanning\u{1b}[K"),
            "train: Scanning"
        );
        assert_eq!(plain("a\u{1b}"), "a");
    }

    #[test]
    fn what_a_traceback_ends_in_is_known() {
        for text in [
            "ValueError: x",
            "torch.cuda.OutOfMemoryError: CUDA out of memory",
            "KeyboardInterrupt",
        ] {
            assert!(raised(text), "{text}");
        }
        assert!(!raised("no Error: here"));
    }
}

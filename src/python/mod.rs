//! python: Python source as a tree: parsed, never run.

mod guard;
pub mod signature;

use crate::error::{Error, Place, Result};
use ruff_python_ast::Stmt;
use ruff_python_parser::parse_module;
use ruff_text_size::{Ranged, TextSize};
use std::path::Path;

/// Bytes of the stack on which a tree is made, walked and dropped: it is as deep as the text nests.
const STACK: usize = 256 << 20;

/// A text and the statements that it holds.
pub struct Source {
    pub text: String,
    pub body: Vec<Stmt>,
    /// Offset of each line.
    lines: Vec<usize>,
}

impl Source {
    /// # Errors
    /// No Python, with its line.
    pub fn parse(text: String) -> Result<Self> {
        guard::check(&text)?;
        let starts = text.match_indices('\n').map(|(at, _)| at + 1);
        let lines = std::iter::once(0).chain(starts).collect();
        let mut source = Self {
            body: vec![],
            lines,
            text,
        };
        let parsed = parse_module(&source.text).map_err(|e| {
            let line = source.line(e.location.start());
            Error::usage(format!("line {line}: no Python: {}", e.error))
        })?;
        source.body = parsed.into_suite();
        Ok(source)
    }

    /// The line, from 1, of an offset.
    #[must_use]
    pub fn line(&self, at: TextSize) -> usize {
        self.lines.partition_point(|start| *start <= at.to_usize())
    }

    /// What stands at a node, on one line.
    #[must_use]
    pub fn excerpt(&self, node: &impl Ranged) -> String {
        let range = node.range();
        let text = self
            .text
            .get(range.start().to_usize()..range.end().to_usize());
        let words: Vec<&str> = text.unwrap_or_default().split_whitespace().collect();
        let line = words.join(" ");
        match line.char_indices().nth(80) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => line,
        }
    }
}

/// The text of a file.
///
/// # Errors
/// No such file, or no UTF-8.
pub fn read(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).map_err(|e| Error::usage(e.to_string()));
    let text = bytes.and_then(|b| {
        let at = |e: std::string::FromUtf8Error| e.utf8_error().valid_up_to();
        String::from_utf8(b).map_err(|e| Error::usage(format!("no UTF-8 at byte {}", at(e))))
    });
    let text = text.at(path.display())?;
    Ok(text
        .strip_prefix('\u{feff}')
        .map_or(text.clone(), Into::into))
}

/// What `work` comes to on a stack that is deep enough for every tree.
///
/// # Errors
/// Its own, or there is no such thread.
pub fn on_deep_stack<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(STACK);
        let thread = builder
            .spawn_scoped(scope, work)
            .map_err(|e| Error::failed(format!("no thread to read Python in: {e}")))?;
        let broke = |_| {
            Err(Error::failed(
                "reading Python broke off: a fault of parity's",
            ))
        };
        thread.join().unwrap_or_else(broke)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_has_lines_and_what_is_no_python_has_its_own() {
        let source = Source::parse("a = 1\n\nb = (2,\n     3)\n".into()).unwrap();
        let second = &source.body[1];
        assert_eq!(source.line(second.range().start()), 3);
        assert_eq!(source.excerpt(second), "b = (2, 3)");
        let says = Source::parse("a = 1\nb = = 2\n".into()).err().unwrap();
        assert!(says.to_string().contains("line 2"), "{says}");
    }

    #[test]
    fn the_longest_expressions_that_are_let_through_do_not_overflow() {
        for wide in [
            "a = 1".to_string() + &"+1".repeat(2_400),
            format!("a = {}1", "-".repeat(4_900)),
        ] {
            let read = on_deep_stack(|| Source::parse(wide.clone()).map(|s| s.body.len()));
            assert_eq!(read, Ok(1));
        }
    }
}

//! guard: what a parser that descends can be given: a bound on the size of a text, on its nesting and on the length of one expression.

use crate::error::{Error, Result};

/// Bytes of a text at most.
const LONGEST: usize = 4 << 20;

/// Brackets in brackets at most: as many as CPython takes.
const DEEPEST: usize = 200;

/// Bytes of code without a comma at most, strings left out: each operator may be one level of the tree.
const LONGEST_EXPRESSION: usize = 5_000;

/// # Errors
/// A text that is longer, deeper or less divided than any that people write.
pub fn check(text: &str) -> Result<()> {
    if text.len() > LONGEST {
        let what = format!("{} bytes of Python, {LONGEST} at most are read", text.len());
        return Err(Error::usage(what));
    }
    let mut open = vec![0_usize];
    for (line, byte) in Code::of(text) {
        match byte {
            b'(' | b'[' | b'{' => open.push(0),
            b')' | b']' | b'}' if open.len() > 1 => {
                open.pop();
            }
            b',' | b';' => set(&mut open, 0),
            b'\n' if open.len() == 1 => set(&mut open, 0),
            _ => {}
        }
        let inside = open.last().copied().unwrap_or(0);
        set(&mut open, inside + usize::from(!byte.is_ascii_whitespace()));
        let refused = |what: String| Err(Error::usage(format!("line {line}: {what}")));
        if open.len() > DEEPEST {
            return refused(format!("more than {DEEPEST} brackets in one another"));
        }
        if open.iter().sum::<usize>() > LONGEST_EXPRESSION {
            return refused(format!(
                "an expression of more than {LONGEST_EXPRESSION} bytes"
            ));
        }
    }
    Ok(())
}

fn set(open: &mut [usize], to: usize) {
    if let Some(last) = open.last_mut() {
        *last = to;
    }
}

/// The bytes of a text with their lines, without comments and without what stands in strings.
struct Code<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
}

impl<'a> Code<'a> {
    fn of(text: &'a str) -> Self {
        Self {
            text: text.as_bytes(),
            at: 0,
            line: 1,
        }
    }

    fn take(&mut self) -> Option<u8> {
        let byte = *self.text.get(self.at)?;
        self.at += 1;
        self.line += usize::from(byte == b'\n');
        Some(byte)
    }

    fn skip_string(&mut self, quote: u8) {
        let three = [quote; 3];
        let triple = self.text[self.at - 1..].starts_with(&three);
        if triple {
            self.at += 2;
        }
        while let Some(byte) = self.take() {
            match byte {
                b'\\' => {
                    self.take();
                }
                b'\n' if !triple => return,
                _ if byte == quote && !triple => return,
                _ if byte == quote && self.text[self.at - 1..].starts_with(&three) => {
                    self.at += 2;
                    return;
                }
                _ => {}
            }
        }
    }
}

impl Iterator for Code<'_> {
    type Item = (usize, u8);

    fn next(&mut self) -> Option<Self::Item> {
        let byte = self.take()?;
        match byte {
            b'\'' | b'"' => self.skip_string(byte),
            // The line goes on.
            b'\\' => drop(self.take()),
            b'#' => {
                while self.text.get(self.at).is_some_and(|b| *b != b'\n') {
                    self.at += 1;
                }
            }
            _ => {}
        }
        Some((self.line, byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_passes_and_what_would_overflow_a_stack_does_not() {
        let doc = "(".repeat(900);
        let long: Vec<String> = (0..5_000).map(|i| format!("a{i}=[1, -2.5]")).collect();
        for right in [
            format!("'''{doc}''' # {doc}\na = '{doc}'\n"),
            format!("a = dict({})\n", long.join(",")),
            long.join("\n"),
        ] {
            check(&right).unwrap();
        }
        for wrong in [
            "(".repeat(1_000),
            format!("a = {}1", "-".repeat(100_000)),
            format!("a = 1{}", "+1".repeat(100_000)),
            format!("a = b{}", "[0]".repeat(100_000)),
            format!("a = b{}", ".c\\\n".repeat(100_000)),
            format!("a = ({}1)", "not\n".repeat(100_000)),
        ] {
            assert!(check(&wrong).is_err(), "{}", &wrong[..20]);
        }
    }
}

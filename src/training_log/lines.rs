//! lines: a file line by line, whatever its size: a line beyond the bound is cut there and said to be.

use std::io::{BufRead, Result};

/// The longest line that is read; the rest of a longer one is passed over.
pub const LONGEST: usize = 1 << 20;

/// One line without its end.
pub struct Line<'a> {
    pub number: u64,
    pub bytes: &'a [u8],
    /// It was longer than what is here.
    pub cut: bool,
    /// It ends in a newline: the last of a file that is still written does not.
    pub ended: bool,
}

/// Calls `each` for every line.
///
/// # Errors
/// The file cannot be read on.
pub fn each(mut from: impl BufRead, mut each: impl FnMut(Line)) -> Result<()> {
    let mut held = Vec::new();
    for number in 1.. {
        held.clear();
        let (cut, ended) = next(&mut from, &mut held)?;
        if held.is_empty() && !ended {
            break;
        }
        let bytes = held.strip_suffix(b"\r").unwrap_or(&held);
        each(Line {
            number,
            bytes,
            cut,
            ended,
        });
    }
    Ok(())
}

/// Reads up to a newline into `held`: whether it was cut, and whether the newline came.
fn next(from: &mut impl BufRead, held: &mut Vec<u8>) -> Result<(bool, bool)> {
    let mut cut = false;
    loop {
        let there = from.fill_buf()?;
        if there.is_empty() {
            return Ok((cut, false));
        }
        let end = there.iter().position(|b| *b == b'\n');
        let own = &there[..end.unwrap_or(there.len())];
        let fits = own.len().min(LONGEST - held.len());
        held.extend_from_slice(&own[..fits]);
        cut |= fits < own.len();
        let used = own.len() + usize::from(end.is_some());
        from.consume(used);
        if end.is_some() {
            return Ok((cut, true));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<(u64, usize, bool, bool)> {
        let mut all = vec![];
        each(bytes, |l| {
            all.push((l.number, l.bytes.len(), l.cut, l.ended))
        })
        .unwrap();
        all
    }

    #[test]
    fn lines_are_numbered_empty_ones_too_and_the_last_may_have_no_end() {
        assert_eq!(
            read(b"ab\r\n\nc"),
            [
                (1, 2, false, true),
                (2, 0, false, true),
                (3, 1, false, false)
            ]
        );
        assert_eq!(read(b""), []);
    }

    #[test]
    fn a_line_without_end_is_cut() {
        let mut long = vec![b'x'; LONGEST + 9];
        long.extend(b"\ny\n");
        assert_eq!(read(&long), [(1, LONGEST, true, true), (2, 1, false, true)]);
    }
}

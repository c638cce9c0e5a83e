//! wrap: prose as wide as the terminal: a line that is longer goes on below its own words, behind its label; tables stay as they are.

/// Narrower than this nothing can be read anyway.
const LEAST: usize = 40;
/// A label ends in this many columns.
const LABEL: usize = 20;

/// `text` with no line of prose wider than `width`, as far as its words allow.
pub fn wrap(text: &str, width: usize) -> String {
    let width = width.max(LEAST);
    text.split_inclusive('\n')
        .map(|line| one(line, width))
        .collect()
}

fn one(line: &str, width: usize) -> String {
    let bare = line.strip_suffix('\n').unwrap_or(line);
    if bare.starts_with('|') || bare.chars().count() <= width {
        return line.to_string();
    }
    let hanging = " ".repeat(hanging(bare));
    let options = textwrap::Options::new(width)
        .break_words(false)
        .word_splitter(textwrap::WordSplitter::NoHyphenation)
        .subsequent_indent(&hanging);
    let end = &line[bare.len()..];
    textwrap::wrap(bare, options).join("\n") + end
}

/// Where the words behind the label begin: behind two spaces or more; else two columns further in than the line.
fn hanging(line: &str) -> usize {
    let begin = line.len() - line.trim_start().len();
    let gap = line[begin..].find("  ").map(|at| begin + at);
    let label = gap.filter(|at| *at <= LABEL);
    label.map_or(begin + 2, |at| {
        at + line[at..].len() - line[at..].trim_start().len()
    })
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn a_long_line_goes_on_behind_its_label_and_no_word_is_lost() {
        let text = "coverage    3 of 4 tensors compared (75.0 %), 2 both alone and accumulated; 1 not compared\n  next        check weights, attributes and input order of 'conv1' on the side\nshort\n";
        let want = "coverage    3 of 4 tensors compared\n            (75.0 %), 2 both alone and\n            accumulated; 1 not compared\n  next        check weights, attributes\n              and input order of 'conv1'\n              on the side\nshort\n";
        let wrapped = wrap(text, 40);
        assert_eq!(wrapped, want);
        let words = |t: &str| t.split_whitespace().map(str::to_string).collect::<Vec<_>>();
        assert_eq!(words(&wrapped), words(text));
    }

    #[test]
    fn tables_and_long_words_stay_as_they_are() {
        let row = format!("| {} |\n", "x".repeat(100));
        assert_eq!(wrap(&row, 40), row);
        let word = format!("{}\n", "y".repeat(100));
        assert_eq!(wrap(&word, 40), word);
        assert_eq!(
            wrap("a line that is short enough", 40),
            "a line that is short enough"
        );
    }
}

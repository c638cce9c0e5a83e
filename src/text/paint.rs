//! paint: verdicts in the colours that people expect of them; the words are the same without.

use anstyle::{AnsiColor, Style};

/// Words that begin a line, with their colours; the first that fits.
const VERDICTS: [(&str, AnsiColor); 10] = [
    ("AGREE", AnsiColor::Green),
    ("PASSED", AnsiColor::Green),
    ("DIVERGE", AnsiColor::Red),
    ("NOT JUDGED", AnsiColor::Yellow),
    ("NOTHING COMPARED", AnsiColor::Yellow),
    ("TOO LITTLE COMPARED", AnsiColor::Yellow),
    ("NOT ALL COMPARED", AnsiColor::Yellow),
    ("NOT RUN", AnsiColor::Yellow),
    ("INTERRUPTED", AnsiColor::Yellow),
    ("not as expected", AnsiColor::Red),
];

/// Labels whose words say what to do or why.
const LABELS: [&str; 3] = ["next", "because of", "repeat it"];

/// `text` with its verdicts and labels in colour.
pub fn paint(text: &str) -> String {
    text.split_inclusive('\n').map(one).collect()
}

fn one(line: &str) -> String {
    let bare = line.trim_start();
    let (indent, bare) = line.split_at(line.len() - bare.len());
    let verdict = VERDICTS.iter().find(|row| bare.starts_with(row.0));
    if let Some((word, color)) = verdict.filter(|_| indent.is_empty()) {
        // What was expected alarms nobody.
        let color = match line.contains("as the scenario expects") {
            true => AnsiColor::Yellow,
            false => *color,
        };
        return styled(color.on_default().bold(), word) + &bare[word.len()..];
    }
    if let Some(label) = LABELS
        .iter()
        .find(|label| bare.starts_with(&format!("{label}  ")))
    {
        let shown = styled(AnsiColor::Cyan.on_default(), label);
        return format!("{indent}{shown}{}", &bare[label.len()..]);
    }
    line.replace(
        "| DIVERGE |",
        &format!(
            "| {} |",
            styled(AnsiColor::Red.on_default().bold(), "DIVERGE")
        ),
    )
}

fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

#[cfg(test)]
mod tests {
    use super::paint;

    /// The text as it reads without its colours.
    fn plain(text: &str) -> String {
        let mut parts = text.split('\u{1b}');
        let first = parts.next().unwrap_or_default().to_string();
        first
            + &parts
                .map(|p| p.split_once('m').map_or(p, |(_, rest)| rest))
                .collect::<String>()
    }

    #[test]
    fn the_words_are_the_same_in_colour_and_only_verdicts_and_labels_have_any() {
        for (line, painted) in [
            ("AGREE: every tensor\n", true),
            ("DIVERGE at node 'x'\n", true),
            ("  next        check it\n", true),
            ("| loss   | DIVERGE | off |\n", true),
            ("  tensor      'AGREE' f32\n", false),
            ("coverage    1 of 1\n", false),
            ("nextly\n", false),
        ] {
            let shown = paint(line);
            assert_eq!(plain(&shown), line);
            assert_eq!(shown != *line, painted, "{line}");
        }
    }

    #[test]
    fn an_expected_divergence_is_not_red() {
        let [alarming, expected] = [
            "DIVERGE at x (exit 1)",
            "DIVERGE at x, as the scenario expects (exit 0)",
        ]
        .map(paint);
        assert!(alarming.contains("\u{1b}[31m"), "{alarming:?}");
        assert!(
            !expected.contains("[31m") && expected.contains("[33m"),
            "{expected:?}"
        );
    }
}

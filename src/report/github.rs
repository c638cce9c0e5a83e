//! github: findings as workflow commands, which GitHub shows beside the lines of a pull request.
//!
//! A step shows ten errors, ten warnings and ten notices, and drops what follows without a word: here the tenth says how many there are besides.

use super::spot::Spot;
use super::told::{Told, lines};
use crate::error::printable;
use crate::verdict::{Finding, Severity};

/// What GitHub shows of one level in one step.
const MOST: usize = 10;

/// Characters of one message; what is longer is in the other reports.
const LONGEST: usize = 4000;

const LEVELS: [&str; 3] = ["error", "warning", "notice"];

pub fn github(told: &Told) -> String {
    let of = |level: &&str| {
        let all = told.located();
        let own = all.filter(|(f, _)| self::level(told, f) == *level);
        shown(told, level, &own.collect::<Vec<_>>())
    };
    LEVELS.iter().map(of).collect()
}

/// A fault that the scenario expects is nothing that a pull request is to be stopped for.
fn level(told: &Told, found: &Finding) -> &'static str {
    match found.severity {
        Severity::Fault | Severity::Unjudged if told.as_expected() => "notice",
        Severity::Fault | Severity::Unjudged => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    }
}

fn shown(told: &Told, level: &str, all: &[(&Finding, Option<&Spot>)]) -> String {
    let few = match all.len() {
        n if n > MOST => MOST - 1,
        n => n,
    };
    let command = |(found, spot): &(&Finding, Option<&Spot>)| {
        let title = format!("parity {}: {}", told.name, found.kind);
        line(level, *spot, &title, &lines(found).join("\n"))
    };
    let mut out: String = all[..few].iter().map(command).collect();
    if few < all.len() {
        let rest = all.len() - few;
        let says = format!(
            "and {rest} more of this level, which a step does not show: see its other reports"
        );
        out += &line(level, None, &format!("parity {}", told.name), &says);
    }
    out
}

fn line(level: &str, spot: Option<&Spot>, title: &str, message: &str) -> String {
    let file = spot.map_or(String::new(), |s| {
        format!("file={},line={},", property(&s.file), s.line)
    });
    format!(
        "::{level} {file}title={}::{}\n",
        property(title),
        data(&cut(message))
    )
}

fn cut(message: &str) -> String {
    match message.char_indices().nth(LONGEST) {
        None => message.into(),
        Some((at, _)) => {
            let rest = message[at..].chars().count();
            format!("{}\nand {rest} more characters", &message[..at])
        }
    }
}

/// Lines stay lines; whatever else steers a terminal is written out.
fn data(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(printable).collect();
    lines
        .join("\n")
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;
    use crate::run::sample;

    #[test]
    fn of_each_level_ten_are_shown_and_the_tenth_counts_the_rest() {
        let mut run = sample::diverging();
        for (n, shown, says) in [(10, 10, None), (11, 10, Some("and 2 more of this level"))] {
            run.findings = vec![run.findings[0].clone(); n];
            let text = github(&Told::of_run(&run));
            let errors = text.lines().filter(|l| l.starts_with("::error "));
            assert_eq!(errors.count(), shown, "{text}");
            assert_eq!(text.contains("more of this level"), says.is_some());
            assert!(says.is_none_or(|s| text.contains(s)), "{text}");
        }
    }

    #[test]
    fn a_command_is_one_line_at_its_file_and_what_ends_a_part_is_escaped() {
        let mut run = sample::diverging();
        run.places
            .insert("conv1".into(), "module 'c' (X), a,b.py:3".into());
        run.findings.truncate(1);
        run.findings[0].what = "100 % off: a\nb".into();
        let text = github(&Told::of_run(&run));
        assert!(
            text.starts_with("::error file=a%2Cb.py,line=3,title=parity fixture%3A origin::"),
            "{text}"
        );
        assert!(text.contains("100 %25 off: a%0Ab"), "{text}");
        assert_eq!(text.lines().count(), 1);
        run.findings[0].what = "x".repeat(9000);
        assert!(github(&Told::of_run(&run)).contains("more characters"));
    }

    #[test]
    fn what_the_scenario_expects_stops_nobody() {
        let mut run = sample::diverging();
        run.expectation.exit = Exit::Agree;
        assert!(!github(&Told::of_run(&run)).contains("::error"));
    }
}

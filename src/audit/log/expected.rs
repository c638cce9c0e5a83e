//! expected: names that are configured and must appear in one of the logs.

use super::Held;
use crate::error::hint;
use crate::text::few;
use crate::training_log::Kind;
use crate::training_log::name::meant;
use crate::verdict::{Finding, Severity};

#[must_use]
pub fn findings(expected: &[String], all: &[Held]) -> Vec<Finding> {
    expected.iter().map(|word| one(word, all)).collect()
}

fn one(word: &str, all: &[Held]) -> Finding {
    let names = |held: &Held| held.log.series.keys().cloned().collect::<Vec<String>>();
    for held in all {
        let own = names(held);
        let own: Vec<&str> = own.iter().map(String::as_str).collect();
        if let Some(name) = meant(word, &own).first() {
            let series = &held.log.series[*name];
            let what = format!(
                "'{word}' is logged as '{name}': {} points",
                series.count + series.bad
            );
            let place = series
                .first
                .or(series.first_bad)
                .map_or(held.file.clone(), |v| held.at(v.place));
            return Finding::new("expected", place, what).severity(Severity::Note);
        }
    }
    let there: Vec<String> = all
        .iter()
        .flat_map(names)
        .filter(|n| matches!(Kind::of(n), Kind::Loss | Kind::Metric | Kind::Other))
        .collect();
    let files: Vec<&str> = all.iter().map(|h| h.file.as_str()).collect();
    let rows: u64 = all.iter().map(|h| h.log.rows).sum();
    let what = format!("'{word}' is expected and never appears in {rows} rows");
    let close = hint(word, there.iter().map(String::as_str));
    Finding::new("never_logged", files.join(", "), what)
        .facts([format!("logged are {}", few(there.iter().map(String::as_str), 20))])
        .next([
            format!("{close}look at what switches it on: a loss weight, a switch of the data (parity audit config --rule \"{word} needs KEY = VALUE\")"),
            "look whether its module is there and trains: parity audit freeze".to_string(),
        ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training_log;

    #[test]
    fn a_term_that_never_appears_is_a_fault_and_one_in_any_log_is_found() {
        let held = |text: &str| {
            Held::of(
                "scalars.json",
                training_log::parse(text.as_bytes()).unwrap(),
            )
        };
        let [a, b] = [
            "{\"loss\": 1, \"iter\": 1}\n",
            "{\"aux.loss_macl\": 1, \"iter\": 1}\n",
        ]
        .map(held);
        let asked = ["loss_macl".to_string()];
        let missing = findings(&asked, std::slice::from_ref(&a));
        assert_eq!(
            (missing[0].kind.as_str(), missing[0].severity),
            ("never_logged", Severity::Fault)
        );
        assert_eq!(findings(&asked, &[a, b])[0].severity, Severity::Note);
    }
}

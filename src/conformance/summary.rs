//! summary: the results of a whole suite as docs/CONFORMANCE.md shows them.

use super::{CaseResult, Controls, Engine, Outcome, known, subset};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Passed, failed, unsupported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    pub passed: usize,
    pub failed: usize,
    pub unsupported: usize,
}

impl Tally {
    pub fn of<'a>(outcomes: impl Iterator<Item = &'a Outcome>) -> Self {
        outcomes.fold(Self::default(), |t, o| match o {
            Outcome::Passed => Self {
                passed: t.passed + 1,
                ..t
            },
            Outcome::Failed(_) => Self {
                failed: t.failed + 1,
                ..t
            },
            Outcome::Unsupported(_) => Self {
                unsupported: t.unsupported + 1,
                ..t
            },
        })
    }
}

/// All corrupted copies together.
pub fn controls(results: &[CaseResult]) -> Controls {
    results.iter().fold(Controls::default(), |c, r| Controls {
        made: c.made + r.controls.made,
        missed: c.missed + r.controls.missed,
    })
}

/// The totals of one engine: all cases, or only the common ones.
pub fn total(results: &[CaseResult], engine: Engine, common: bool) -> Tally {
    Tally::of(
        results
            .iter()
            .filter(|r| r.common || !common)
            .map(|r| r.of(engine)),
    )
}

/// The document.
pub fn markdown(results: &[CaseResult]) -> String {
    let common = results.iter().filter(|r| r.common).count();
    let mut text = format!(
        "# Conformance\n\nWritten by `scripts/conformance`; not edited by hand.\n\nThe ONNX backend node tests of the wheel onnx 1.22.0: {} cases, \
         each a model with inputs and expected outputs, written by nobody here. Expected values are compared by this project's own comparator: floats \
         within 1e-3 relative plus 1e-7 absolute, everything else equal; NaN equals NaN; dtype and shape equal. Passed: every output as \
         expected. Failed: another answer, or a crash. Unsupported: refused with a reason.\n\n",
        results.len()
    );
    let _ = writeln!(
        text,
        "| engine | cases | of | passed | failed | unsupported |\n|---|---|---|---|---|---|"
    );
    for (what, only, n) in [
        ("all", false, results.len()),
        ("common operators", true, common),
    ] {
        for engine in Engine::ALL {
            let t = total(results, engine, only);
            let _ = writeln!(
                text,
                "| {} | {what} | {n} | {} | {} | {} |",
                engine.name(),
                t.passed,
                t.failed,
                t.unsupported
            );
        }
    }
    let controls = controls(results);
    let _ = writeln!(
        text,
        "\nCommon: the case uses nothing but the {} operators of `src/conformance/subset.rs`, in f16, f32, f64, i8, u8, i32, i64 and bool.\n\n\
         Controls: of every 10th case with a non-empty numeric output {} corrupted copies of it (beyond the tolerance; with a NaN, where the \
         dtype has one; of another shape) were held against the expected output: {} passed.\n",
        subset::OPERATORS.split_whitespace().count(),
        controls.made,
        controls.missed
    );
    text + &operators(results) + &reasons(results)
}

/// One row per operator.
fn operators(results: &[CaseResult]) -> String {
    let mut rows: BTreeMap<&str, Vec<&CaseResult>> = BTreeMap::new();
    results
        .iter()
        .for_each(|r| rows.entry(&r.operator).or_default().push(r));
    let mut text = String::from(
        "## By operator\n\npassed / failed / unsupported\n\n| operator | cases | libtorch | onnxruntime |\n|---|---|---|---|\n",
    );
    for (operator, cases) in rows {
        let of = |e: Engine| {
            let t = Tally::of(cases.iter().map(|r| r.of(e)));
            if t.passed == cases.len() {
                "all".to_string()
            } else {
                format!("{} / {} / {}", t.passed, t.failed, t.unsupported)
            }
        };
        let _ = writeln!(
            text,
            "| {operator} | {} | {} | {} |",
            cases.len(),
            of(Engine::Libtorch),
            of(Engine::Onnxruntime)
        );
    }
    text
}

/// Every case that did not pass, with why.
fn reasons(results: &[CaseResult]) -> String {
    let mut text = String::new();
    for engine in Engine::ALL {
        let _ = writeln!(
            text,
            "\n## {}: every case that did not pass\n\n| case | | reason |\n|---|---|---|",
            engine.name()
        );
        for r in results {
            let (what, why) = match r.of(engine) {
                Outcome::Passed => continue,
                Outcome::Failed(why) => ("failed", why),
                Outcome::Unsupported(why) => ("unsupported", why),
            };
            let note = known::note(&r.name).filter(|_| matches!(r.of(engine), Outcome::Failed(_)));
            let why = note.map_or_else(|| shortened(why), str::to_string);
            let _ = writeln!(text, "| {} | {what} | {why} |", r.name);
        }
    }
    text
}

/// One line, without what differs from machine to machine, fit for a table.
fn shortened(why: &str) -> String {
    let line: String = why.lines().next().unwrap_or("").chars().take(240).collect();
    line.replace('|', "\\|").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_counts_and_gives_every_reason() {
        let result = |name: &str, libtorch| CaseResult {
            name: name.into(),
            operator: "Add".into(),
            common: name == "a",
            libtorch,
            onnxruntime: Outcome::Passed,
            controls: Controls { made: 1, missed: 0 },
        };
        let results = [
            result("a", Outcome::Passed),
            result("b", Outcome::Failed("x | y".into())),
            result("c", Outcome::Unsupported("z".into())),
        ];
        assert_eq!(
            total(&results, Engine::Libtorch, false),
            Tally {
                passed: 1,
                failed: 1,
                unsupported: 1
            }
        );
        let text = markdown(&results);
        for part in [
            "| Add | 3 | 1 / 1 / 1 | all |",
            "| b | failed | x \\| y |",
            "| c | unsupported | z |",
            "| libtorch | common operators | 1 | 1 | 0 | 0 |",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}

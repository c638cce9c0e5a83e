//! report: views of a Run, one file and one row each; and of what fuzzing, a golden or a count of parameters came to.

#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

mod audit;
mod cells;
mod csv;
mod fuzz;
mod github;
mod golden;
pub mod html;
mod json;
mod junit;
mod markdown;
mod params;
mod sarif;
mod spot;
mod stages;
mod summary;
mod tables;
mod terminal;
mod told;

pub use audit::{audit, audit_view, changes, preflight};
pub use fuzz::{fuzz_kernel, fuzz_loss, fuzz_model, replay, replay_loss};
pub use golden::golden;
pub use json::to_json;
pub use junit::junit;
pub use params::params;
pub use terminal::{phases, verdict};
pub use told::Told;

use crate::error::{Error, Result, hint};
use crate::run::Run;

/// One view of a Run: it tells what the Run holds, and finds nothing of its own.
pub struct Format {
    pub name: &'static str,
    /// For whom, for `parity list reports`.
    pub what: &'static str,
    pub write: fn(&Run) -> Result<String>,
}

/// Every view.
pub const ALL: &[Format] = &[
    terminal::FORMAT,
    terminal::TENSORS,
    json::FORMAT,
    HTML,
    Format {
        name: "markdown",
        what: "for an issue or a record: findings and tables",
        write: |run| Ok(markdown::markdown(&Told::of_run(run))),
    },
    Format {
        name: "csv",
        what: "for a spreadsheet: one row per tensor",
        write: csv::of_run,
    },
    Format {
        name: "junit",
        what: "for what collects the results of tests: a case per run and sample",
        write: junit::of_run,
    },
    Format {
        name: "sarif",
        what: "for code scanning: a rule per kind of finding, at file and line where known",
        write: |run| sarif::sarif(&Told::of_run(run)),
    },
    Format {
        name: "github",
        what: "for GitHub: annotations, ten of a level at most",
        write: |run| Ok(github::github(&Told::of_run(run))),
    },
    Format {
        name: "summary",
        what: "for GitHub: the Markdown of a step, 1 MiB at most",
        write: |run| Ok(summary::summary(&Told::of_run(run))),
    },
];

/// What `--html FILE` writes.
pub const HTML: Format = Format {
    name: "html",
    what: "for people: one page with curves, graph, tables and pictures",
    write: |run| Ok(html::run(run)),
};

/// Looks a view up.
///
/// # Errors
/// A name that no view has.
pub fn find(name: &str) -> Result<&'static Format> {
    let known = || ALL.iter().map(|f| f.name);
    ALL.iter().find(|f| f.name == name).ok_or_else(|| {
        let all = known().collect::<Vec<_>>().join(", ");
        Error::usage(format!("unknown report '{name}'"))
            .next(format!("{}known: {all}", hint(name, known())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::sample;
    use serde_json::Value;

    /// What a page holds besides style and script, which are files of their own.
    fn without_script(written: &str) -> String {
        let mut out = written.to_string();
        for tag in ["style", "script"] {
            let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
            let from = out.find(&open).unwrap() + open.len();
            let to = out.find(&close).unwrap();
            out.replace_range(from..to, "");
        }
        out.replace("><", ">\n<")
    }

    /// A changed view is proposed beside the old one and accepted by hand: `INSTA_UPDATE=always cargo test --lib report::`.
    #[test]
    fn every_view_of_the_run_in_which_there_is_something_of_every_kind_is_as_it_was_accepted() {
        for format in ALL {
            let written = (format.write)(&sample::diverging()).unwrap();
            let shown = match format.name {
                "html" => without_script(&written),
                _ => written,
            };
            insta::assert_snapshot!(format.name, shown);
        }
    }

    #[test]
    fn every_view_tells_a_run_that_agrees_from_one_that_does_not() {
        for format in ALL {
            let both = [sample::agreeing(), sample::diverging()].map(|run| (format.write)(&run));
            let [agree, diverge] = both.map(Result::unwrap);
            assert!(!agree.contains("conv1_out"), "{}", format.name);
            let place = match format.name {
                "github" | "sarif" | "junit" => "conv1",
                "markdown" | "summary" => "conv1\\_out",
                _ => "conv1_out",
            };
            assert!(diverge.contains(place), "{}", format.name);
        }
    }

    /// Markup, commands, formulas, and characters that steer a terminal or turn text round.
    const HOSTILE: &str = "=</script><script>alert(1)</script>\"'--><img src=x onerror=alert(2)>]]>&lt;\u{202e}\u{1b}[2J\r\n::error::%0A`|*";

    /// Every name and sentence of a value with what no view may take for more than text.
    fn poisoned(value: &mut Value, key: &str) {
        const NAMES: [&str; 16] = [
            "name",
            "node",
            "op",
            "where",
            "what",
            "tensor",
            "facts",
            "next",
            "who",
            "kind",
            "says",
            "unmet",
            "reference",
            "first",
            "subject",
            "leftovers",
        ];
        match value {
            Value::String(s) if NAMES.contains(&key) => s.push_str(HOSTILE),
            Value::Array(all) => all.iter_mut().for_each(|v| poisoned(v, key)),
            Value::Object(all) => all.iter_mut().for_each(|(k, v)| poisoned(v, k)),
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn hostile() -> Run {
        let mut value = serde_json::to_value(sample::diverging()).unwrap();
        for part in [
            "tensors",
            "findings",
            "graphs",
            "looks",
            "environment",
            "verdict",
            "expectation",
            "inputs",
        ] {
            poisoned(&mut value[part], part);
        }
        value["scenario"]["name"] = HOSTILE.into();
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn no_name_is_markup_a_command_or_a_character_that_steers_in_any_view() {
        let run = hostile();
        for format in ALL {
            let written = (format.write)(&run).unwrap();
            let steers = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
            assert!(!written.contains(steers), "{}", format.name);
            let own = written.replace("\\<", "").matches("<script").count();
            let marked = ["html", "markdown", "summary"].contains(&format.name);
            assert!(
                !marked || own == usize::from(format.name == "html"),
                "{}",
                format.name
            );
        }
        let commands = github::github(&Told::of_run(&run));
        assert!(commands.lines().all(|l| l.starts_with("::")), "{commands}");
        let xml = junit::of_run(&run).unwrap();
        roxmltree::Document::parse(&xml).unwrap();
    }

    /// The page as a tree: every tag is closed, no attribute is twice.
    fn tree(page: &str) -> String {
        let bare = without_script(page)
            .replace("<!DOCTYPE html>", "")
            .replace(" hidden>", " hidden=\"\">");
        let bare: String = bare
            .lines()
            .filter(|l| !l.starts_with("<meta"))
            .collect::<Vec<_>>()
            .join("\n");
        bare
    }

    #[test]
    fn a_page_is_whole_refers_to_what_is_there_and_to_nothing_elsewhere() {
        for run in [sample::diverging(), sample::agreeing(), hostile()] {
            let page = html::run(&run);
            let text = tree(&page);
            let doc = roxmltree::Document::parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
            let of = |name: &str| -> Vec<&str> {
                let all = doc.descendants();
                all.filter_map(|n| n.attribute(name)).collect()
            };
            let mut ids = of("id");
            let all = ids.len();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), all, "an id is there twice");
            for link in of("href")
                .into_iter()
                .filter(|l| !l.starts_with("data:image/png;"))
            {
                let target = link.strip_prefix('#').expect("a link into the page");
                // The contents name parts that this run may lack.
                let is_part =
                    ["findings", "depth", "graph", "looks", "tensors", "about"].contains(&target);
                assert!(is_part || ids.binary_search(&target).is_ok(), "{link}");
            }
            assert!(of("src").is_empty() && !text.contains("url("), "{text}");
            let rows = doc
                .descendants()
                .filter(|n| n.has_tag_name("tr") && n.attribute("id").is_some());
            assert_eq!(rows.count(), run.tensors.len());
            let nodes = doc
                .descendants()
                .filter(|n| n.attribute("class").is_some_and(|c| c.starts_with("n k")));
            let drawn = match run.graphs.is_empty() {
                true => run.tensors.len(),
                false => run.graphs.iter().map(Vec::len).sum(),
            };
            assert_eq!(nodes.count(), drawn);
        }
    }

    #[test]
    fn a_run_without_a_graph_is_drawn_from_its_tensors_and_two_graphs_stand_side_by_side() {
        let mut run = sample::diverging();
        run.graphs.clear();
        assert_eq!(
            html::run(&run).matches("class=\"n k").count(),
            run.tensors.len()
        );
        let mut both = sample::diverging();
        both.graphs.push(both.graphs[0].clone());
        assert_eq!(html::run(&both).matches("<svg class=\"graph\"").count(), 2);
        assert_eq!(html::run(&both), html::run(&both), "stable");
    }

    #[test]
    fn a_node_is_coloured_by_how_far_it_is_off_and_marked_where_it_is_at_fault() {
        let page = html::run(&sample::diverging());
        assert!(page.contains("class=\"n k6 own\" href=\"#t0\""), "{page}");
        assert!(page.contains("class=\"n k1\" href=\"#t1\""), "{page}");
        assert!(
            page.contains("<g class=\"n k0\""),
            "a node of which nothing is known"
        );
    }

    fn schema(path: &str) -> jsonschema::Validator {
        let text = std::fs::read_to_string(path).unwrap();
        jsonschema::validator_for(&serde_json::from_str(&text).unwrap()).unwrap()
    }

    #[test]
    fn the_published_schema_takes_every_run_and_refuses_what_is_none() {
        let schema = schema("docs/schema/run.schema.json");
        for run in [sample::diverging(), sample::agreeing()] {
            let whole = serde_json::to_value(&run).unwrap();
            let errors: Vec<String> = schema
                .iter_errors(&whole)
                .map(|e| format!("{}: {e}", e.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{}", errors.join("\n"));
            for key in ["format", "verdict", "tensors", "ledger", "expectation"] {
                let mut damaged = whole.clone();
                damaged.as_object_mut().unwrap().remove(key);
                assert!(!schema.is_valid(&damaged), "without {key}");
                damaged[key] = "x".into();
                assert!(!schema.is_valid(&damaged), "{key} is a word");
            }
            let mut more = whole.clone();
            more["tensors"][0]["unknown"] = 1.into();
            assert!(!schema.is_valid(&more), "a field that nobody described");
        }
    }

    // The schema of OASIS without its descriptions, and with one pattern mended that is no regular expression.
    #[test]
    fn sarif_is_what_its_schema_says_and_what_is_expected_is_suppressed() {
        let schema = schema("tests/fixtures/reports/sarif-2.1.0.json");
        let mut expected = sample::diverging();
        expected.expectation.exit = crate::exit::Exit::Agree;
        expected.places.insert(
            "conv1".into(),
            "module 'c' (Conv2d), my nets/net.py:7".into(),
        );
        for (run, suppressed) in [
            (sample::diverging(), false),
            (expected, true),
            (hostile(), false),
        ] {
            let text = sarif::sarif(&Told::of_run(&run)).unwrap();
            let value: Value = serde_json::from_str(&text).unwrap();
            let errors: Vec<String> = schema
                .iter_errors(&value)
                .map(|e| format!("{}: {e}", e.instance_path()))
                .collect();
            assert!(errors.is_empty(), "{}", errors.join("\n"));
            let results = value["runs"][0]["results"].as_array().unwrap();
            assert_eq!(results.len(), run.findings.len());
            assert_eq!(results[0].get("suppressions").is_some(), suppressed);
            let uri = &results[0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
            assert_eq!(uri.as_str(), suppressed.then_some("my%20nets/net.py"));
        }
    }

    #[test]
    fn a_run_is_read_back_from_its_json_and_one_of_format_1_too() {
        let run = sample::diverging();
        let text = (json::FORMAT.write)(&run).unwrap();
        assert_eq!(serde_json::from_str::<Run>(&text).unwrap(), run);
        let mut old: serde_json::Value = serde_json::from_str(&text).unwrap();
        old["format"] = 1.into();
        for newer in ["findings", "graphs", "looks"] {
            old.as_object_mut().unwrap().remove(newer);
        }
        let read: Run = serde_json::from_value(old).unwrap();
        assert!(read.findings.is_empty() && read.tensors == run.tensors);
        assert!(html::run(&read).contains("conv1_out"));
    }

    #[test]
    fn an_unknown_view_is_refused_with_those_that_there_are() {
        let says = find("jsn").err().unwrap().to_string();
        assert!(
            says.contains("did you mean 'json'") && says.contains("terminal"),
            "{says}"
        );
    }

    #[test]
    fn an_audit_has_the_same_views() {
        let found = crate::verdict::Finding::new("dead_term", "train.log, line 12", HOSTILE);
        let audited = crate::audit::Audited::of("log").found([found]);
        for name in [
            "html", "markdown", "csv", "junit", "sarif", "github", "summary",
        ] {
            let text = audit_view(name).unwrap()(&audited).unwrap();
            assert!(
                text.contains("dead_term") || text.contains("dead\\_term"),
                "{name}: {text}"
            );
            assert!(
                !text.contains('\u{202e}') && !text.contains('\u{1b}'),
                "{name}"
            );
        }
        let sarif = audit_view("sarif").unwrap()(&audited).unwrap();
        assert!(sarif.contains("\"startLine\": 12"), "{sarif}");
    }
}

//! Documents are executed: every command in them runs, every folder in the map exists.

use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn read(path: &str) -> String {
    std::fs::read_to_string(Path::new(ROOT).join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Lines of the ```sh blocks of a document.
fn commands(document: &str) -> Vec<String> {
    let text = read(document);
    let blocks = text
        .split("```sh\n")
        .skip(1)
        .filter_map(|b| b.split("```").next());
    blocks
        .flat_map(|b| b.lines())
        .map(str::to_string)
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
        .collect()
}

/// Runs the parity commands of one document in order; what else it shows must be called by CI or by the nightly job.
fn check(document: &str) {
    let commands = commands(document);
    assert!(!commands.is_empty(), "{document} shows no command");
    let elsewhere = [read(".ci/run"), read("scripts/nightly.d/30-benches")].concat();
    // Minutes of every core: once a night.
    let nightly = read("scripts/nightly.d/26-selftest");
    for command in commands
        .iter()
        .filter(|c| !nightly.lines().any(|line| line == *c))
    {
        let Some(arguments) = command.strip_prefix("scripts/parity ") else {
            assert!(
                elsewhere.contains(command),
                "{document}: '{command}' is run by no script"
            );
            continue;
        };
        let mut parity = Command::new(env!("CARGO_BIN_EXE_parity"));
        // Documented for a person: goldens are not blessed where CI is set.
        let run = parity
            .env_remove("CI")
            .current_dir(ROOT)
            .args(arguments.split_whitespace())
            .output()
            .unwrap();
        assert!(
            run.status.success(),
            "{document}: {command}\n{}{}",
            String::from_utf8_lossy(&run.stdout),
            String::from_utf8_lossy(&run.stderr)
        );
    }
}

#[test]
fn every_command_of_the_readme_runs() {
    check("README.md");
}

#[test]
fn every_command_of_the_floors_document_runs() {
    check("docs/FLOORS.md");
}

#[test]
fn every_command_of_the_fuzzing_document_runs() {
    check("docs/FUZZ.md");
}

#[test]
fn every_command_of_the_golden_document_runs() {
    check("docs/GOLDEN.md");
}

#[test]
fn every_command_of_the_recording_document_runs() {
    check("docs/RECORD.md");
}

#[test]
fn every_command_of_the_port_document_runs() {
    check("docs/PORT.md");
}

#[test]
fn every_command_of_the_audit_document_runs() {
    check("docs/AUDIT.md");
}

#[test]
fn every_command_of_the_stories_runs() {
    check("docs/STORIES.md");
}

/// Every Rust file below a folder.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(folder).unwrap();
    let all = all.map(|e| e.unwrap().path());
    all.flat_map(|p| match p.is_dir() {
        true => rust_files(&p),
        false => vec![p],
    })
    .filter(|p| p.extension().is_some_and(|e| e == "rs"))
    .collect()
}

#[test]
fn every_audit_has_a_page_that_names_each_kind_of_finding() {
    let overview = read("docs/AUDIT.md");
    let folders = std::fs::read_dir(Path::new(ROOT).join("src/audit")).unwrap();
    let folders = folders.map(|e| e.unwrap().path()).filter(|p| p.is_dir());
    let audits = folders.filter(|p| !p.ends_with("preflight") && !p.ends_with("bundle"));
    for folder in audits {
        let name = folder.file_name().unwrap().to_str().unwrap();
        assert!(overview.contains(&format!("(audit/{name}.md)")), "{name}");
        let page = read(&format!("docs/audit/{name}.md"));
        for path in rust_files(&folder) {
            let source = std::fs::read_to_string(path).unwrap();
            let source = source.split("#[cfg(test)]").next().unwrap();
            let kinds = source.split("Finding::new(").skip(1);
            let kinds =
                kinds.filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next());
            for kind in kinds {
                assert!(
                    page.contains(&format!("`{kind}`")),
                    "docs/audit/{name}.md does not name '{kind}'"
                );
            }
        }
    }
}

#[test]
fn every_word_of_the_worker_protocol_is_documented() {
    let [doc, client, said] = ["docs/PORT.md", "src/port/mod.rs", "src/port/said.rs"].map(read);
    let fields = said
        .lines()
        .filter_map(|l| l.trim_start().strip_prefix("pub ")?.split_once(": "));
    let in_json = client
        .split("json!({")
        .skip(1)
        .flat_map(|b| b.split('}').next());
    let asked = in_json.flat_map(|b| b.split('"').skip(1).step_by(2));
    let abilities = said
        .split("=> \"")
        .skip(1)
        .filter_map(|b| b.split('"').next());
    let words: Vec<&str> = fields
        .map(|f| f.0)
        .filter(|f| !f.contains(['(', ' ']))
        .chain(asked)
        .chain(abilities)
        .collect();
    assert!(words.len() > 35, "{words:?}");
    for word in words.iter().filter(|w| **w != "hello") {
        let is_there = [format!("`{word}`"), format!("\"{word}\"")]
            .iter()
            .any(|w| doc.contains(w));
        assert!(is_there, "docs/PORT.md does not name '{word}'");
    }
}

#[test]
fn every_key_of_a_golden_and_of_a_trace_is_documented() {
    let doc = read("docs/GOLDEN.md");
    let sources = ["golden/manifest.rs", "trace/mod.rs", "trace/program.rs"];
    let source = sources.map(|s| read(&format!("src/{s}"))).concat();
    let keys = source
        .lines()
        .filter_map(|l| l.strip_prefix("    pub ")?.split_once(": "))
        .map(|(key, _)| key);
    let keys: Vec<&str> = keys.filter(|k| !k.contains('(')).collect();
    assert!(keys.len() > 35, "{keys:?}");
    for key in keys {
        assert!(
            doc.contains(&format!("`{key}`")),
            "docs/GOLDEN.md does not name '{key}'"
        );
    }
}

#[test]
fn every_command_of_the_benchmarks_document_is_run_every_night() {
    check("benches/README.md");
}

#[test]
fn the_picture_in_the_readme_is_what_the_scenario_prints() {
    let readme = read("README.md");
    let picture = readme
        .split("```text\n")
        .nth(1)
        .and_then(|b| b.split("```").next())
        .unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_parity"))
        .current_dir(ROOT)
        .args(["run", "scenarios/control/relu-for-silu-yolox.toml"])
        .output()
        .unwrap();
    let printed = String::from_utf8(run.stdout).unwrap();
    // The numbers may differ in the last digits between machines; place, verdict and side may not.
    for line in picture
        .lines()
        .filter(|l| !l.contains("isolated") && !l.contains("worst") && !l.contains("accumulated"))
    {
        assert!(printed.contains(line), "{line}\n{printed}");
    }
}

/// A picture that begins with its command is what that prints.
#[test]
fn the_other_pictures_in_the_readme_are_what_their_commands_print() {
    let readme = read("README.md");
    let blocks = readme.split("```text\n").skip(1);
    let shown = blocks.filter_map(|b| b.split("```").next()?.strip_prefix("$ scripts/parity "));
    let mut pictures = 0;
    for picture in shown {
        let mut lines = picture.lines();
        let command = lines.next().unwrap();
        let run = Command::new(env!("CARGO_BIN_EXE_parity"))
            .current_dir(ROOT)
            .args(command.split_whitespace())
            .output()
            .unwrap();
        let printed = String::from_utf8(run.stdout).unwrap();
        for line in lines {
            assert!(printed.contains(line), "{command}: {line}\n{printed}");
        }
        pictures += 1;
    }
    assert!(pictures > 0);
}

#[test]
fn the_map_names_every_folder_and_nothing_that_is_gone() {
    let map = read("ARCHITECTURE.md");
    let listed: Vec<&str> = map
        .lines()
        .filter(|l| l.starts_with("| `"))
        .flat_map(|l| l.split('|').nth(1).unwrap().split('`').skip(1).step_by(2))
        .collect();
    for name in &listed {
        assert!(
            Path::new(ROOT).join("src").join(name).exists(),
            "ARCHITECTURE.md names src/{name}, which is gone"
        );
    }
    for entry in std::fs::read_dir(Path::new(ROOT).join("src")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            listed.iter().any(|l| l.trim_end_matches('/') == name),
            "ARCHITECTURE.md does not name src/{name}"
        );
    }
}

#[test]
fn the_exit_codes_of_the_readme_are_the_programs() {
    let readme = read("README.md");
    for (exit, _) in parity::exit::Exit::ALL {
        assert!(
            readme.contains(&format!("| {} |", exit as u8)),
            "exit {}",
            exit as u8
        );
    }
}

#[test]
fn every_scenario_key_is_documented() {
    let sources = [
        "mod", "expect", "find", "input", "loss", "subject", "training",
    ]
    .map(|f| read(&format!("src/scenario/{f}.rs")))
    .concat();
    let doc = read("docs/SCENARIO.md");
    let keys = sources
        .lines()
        .filter_map(|l| l.trim().strip_prefix("pub "))
        .filter(|l| l.contains(": ") && !l.contains('(') && !l.starts_with("const "))
        .filter_map(|l| l.split(':').next());
    for key in keys {
        assert!(
            doc.contains(&format!("`{key}`"))
                || doc.contains(&format!("`{key} ="))
                || doc.contains(&format!("`[{key}]`"))
                || key == "kind"
                || key == "inputs",
            "docs/SCENARIO.md does not name '{key}'"
        );
    }
}

/// `PARITY_WRITE_DOCS=1` writes the page anew.
#[test]
fn the_page_of_causes_ends_in_what_the_command_lists() {
    let mut parity = Command::new(env!("CARGO_BIN_EXE_parity"));
    let listed = parity.args(["list", "causes"]).output().unwrap().stdout;
    let listed = String::from_utf8(listed).unwrap();
    let page = read("docs/CAUSES.md");
    let prose = page.split("\n| cause").next().unwrap().trim_end();
    let whole = format!("{prose}\n\n{listed}");
    if std::env::var_os("PARITY_WRITE_DOCS").is_some() {
        std::fs::write(Path::new(ROOT).join("docs/CAUSES.md"), &whole).unwrap();
    }
    assert_eq!(read("docs/CAUSES.md"), whole);
}

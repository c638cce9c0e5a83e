//! help: the front page, which fits a screen of 80 by 24, and the groups in which every command lists its options.

use super::args::Args;
use crate::exit::Exit;
use clap::{Command, CommandFactory};

/// Every command, by what it is for; `parity list commands` says a sentence of each.
const COMMANDS: &[(&str, &[&str])] = &[
    ("start", &["demo", "init", "doctor", "list"]),
    (
        "compare",
        &["run", "compare", "params", "export-check", "map", "port"],
    ),
    ("keep", &["test", "merge", "show", "bless", "bundle"]),
    ("train", &["preflight", "audit"]),
    ("search", &["fuzz", "selftest", "conformance", "time"]),
    ("shell", &["completions", "manual"]),
];

/// A first line for each thing that people come for.
const EXAMPLES: &[(&str, &str)] = &[
    ("parity demo", "a wrong port, found and explained"),
    (
        "parity run net.py model.onnx",
        "is the export what the module is?",
    ),
    ("parity run model.onnx", "do two engines compute it alike?"),
    ("parity test", "every scenario of a project"),
];

/// Every option, by what it is about: the groups of each command's help.
const OPTIONS: &[(&str, &[&str])] = &[
    (
        "Sides and inputs",
        &[
            "input",
            "against",
            "rename",
            "map",
            "python",
            "port-limit",
            "save",
            "domain",
            "candidate",
            "fault",
            "forms",
            "golden",
            "scenario",
            "model",
            "weights",
            "training",
            "reference",
            "inference",
        ],
    ),
    (
        "What is judged",
        &[
            "only",
            "coverage",
            "from",
            "until",
            "atol",
            "rtol",
            "ulp",
            "exact",
            "why",
            "report-only",
            "fresh",
            "k",
            "every",
            "partition",
            "shard",
            "finds",
            "found",
            "mutants",
        ],
    ),
    (
        "How it is run",
        &[
            "seed",
            "seeds",
            "threads",
            "max-memory",
            "cases",
            "time",
            "jobs",
            "limit",
            "runs",
            "watch",
            "clean",
        ],
    ),
    (
        "What is said and written",
        &[
            "json",
            "report",
            "html",
            "all",
            "record",
            "extract",
            "nodes",
            "keep",
            "out",
            "command",
            "framework",
            "whole",
            "full",
            "accept",
            "reject",
        ],
    ),
];

/// The command line with its help.
pub fn command() -> Command {
    Args::command()
        .override_help(front())
        .mut_subcommands(|sub| sub.mut_args(grouped).subcommand_help_heading("Audits"))
}

fn grouped(arg: clap::Arg) -> clap::Arg {
    let short = arg.get_short().map(String::from);
    let name = arg.get_long().map(str::to_string).or(short);
    match name.as_deref().and_then(group) {
        Some(group) => arg.help_heading(group),
        None => arg,
    }
}

fn group(option: &str) -> Option<&'static str> {
    let row = OPTIONS.iter().find(|row| row.1.contains(&option));
    row.map(|row| row.0)
}

/// The front page.
fn front() -> String {
    let mut out = "parity tells where a ported neural network first stops being the same network,\nwhether that place is itself at fault, and why.\n\n".to_string();
    for (command, what) in EXAMPLES {
        out += &format!("  {command:<31}{what}\n");
    }
    out += "\n";
    for (what, names) in COMMANDS {
        out += &format!("  {what:<9}{}\n", names.join("  "));
    }
    let exits = Exit::ALL.map(|(exit, _)| format!("{} {}", exit as u8, short(exit)));
    out += &format!(
        "\nparity COMMAND --help tells a command's options, parity list commands what each\nis for. Everywhere: -q says the verdict alone, -v more; --color auto, always or\nnever.\nexit codes: {}\n",
        exits.join(", ")
    );
    out
}

/// An exit code in two words.
fn short(exit: Exit) -> &'static str {
    match exit {
        Exit::Agree => "agree",
        Exit::Diverge => "diverge",
        Exit::Usage => "input",
        Exit::Failed => "not run",
        Exit::Uncovered => "not compared",
        Exit::Interrupted => "ended",
    }
}

/// Every command with the sentence that says what it is for.
pub fn commands() -> Vec<[String; 2]> {
    let whole = Args::command();
    let about = |name: &&str| {
        let found = whole.find_subcommand(name)?.get_about()?;
        Some([name.to_string(), found.to_string()])
    };
    let names = COMMANDS.iter().flat_map(|row| row.1);
    names.filter_map(about).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_page_fits_a_screen() {
        let text = front();
        assert!(text.lines().count() <= 24, "{text}");
        for line in text.lines() {
            assert!(line.len() <= 80, "{}: {line}", line.len());
        }
    }

    #[test]
    fn every_command_stands_in_one_group() {
        let whole = Args::command();
        let mut known: Vec<&str> = whole.get_subcommands().map(Command::get_name).collect();
        let mut grouped: Vec<&str> = COMMANDS
            .iter()
            .flat_map(|row| row.1.iter().copied())
            .collect();
        known.sort_unstable();
        grouped.sort_unstable();
        assert_eq!(grouped, known);
        assert_eq!(commands().len(), known.len());
    }

    #[test]
    fn every_option_of_every_command_stands_in_one_group_and_every_row_is_an_option() {
        let mut seen = std::collections::BTreeSet::new();
        for sub in command().get_subcommands() {
            for arg in sub.get_opts().filter(|arg| !arg.is_hide_set()) {
                let name = arg
                    .get_long()
                    .map(str::to_string)
                    .or(arg.get_short().map(String::from))
                    .unwrap();
                assert!(
                    arg.get_help_heading().is_some(),
                    "{} --{name}",
                    sub.get_name()
                );
                seen.insert(name);
            }
        }
        let rows: Vec<&str> = OPTIONS
            .iter()
            .flat_map(|row| row.1.iter().copied())
            .collect();
        for row in &rows {
            assert!(seen.contains(*row), "no command has --{row}");
            assert_eq!(
                rows.iter().filter(|other| *other == row).count(),
                1,
                "{row}"
            );
        }
    }
}

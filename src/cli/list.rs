//! list: `parity list`: every table of the program; needs no library.

use super::args::{self, Table};
use super::rows::Rows;
use super::{help, say};
use crate::cause::{self, fault};
use crate::error::{Code, Result, printable};
use crate::exit::Exit;
use crate::floor::Family;
use crate::fuzz::model::draw::Values;
use crate::golden::find;
use crate::report;
use crate::scenario;
use crate::subject;
use clap::ValueEnum;

/// The operators of the libtorch interpreter, as its own test writes them: the front shows them without libtorch.
const OPERATORS: &str = include_str!("../../docs/OPERATORS.md");

pub fn command(args: &args::List) -> Result<Exit> {
    let mut all = serde_json::Map::new();
    for which in Table::value_variants()
        .iter()
        .copied()
        .filter(|t| args.table.is_none_or(|wanted| wanted == *t))
    {
        let parts = one(which);
        if !args.json {
            say(&parts.iter().map(Part::text).collect::<String>())?;
            continue;
        }
        let name = which.to_possible_value().map(|v| v.get_name().to_string());
        let json = parts.iter().map(Part::json).collect();
        all.insert(name.unwrap_or_default(), json);
    }
    if args.json {
        say(&report::to_json(&all)?)?;
    }
    Ok(Exit::Agree)
}

/// A piece of what one table shows.
enum Part {
    Rows(Rows),
    Words(String),
}

impl Part {
    fn text(&self) -> String {
        match self {
            Self::Rows(rows) => rows.text(),
            Self::Words(text) => text.clone(),
        }
    }

    fn json(&self) -> serde_json::Value {
        match self {
            Self::Rows(rows) => rows.json(),
            Self::Words(text) => text.as_str().into(),
        }
    }
}

/// A table of `rows`.
fn table(header: &[&'static str], rows: &[Vec<String>]) -> Part {
    Part::Rows(Rows::new(header, rows.to_vec()))
}

fn owned(row: &[&str]) -> Vec<String> {
    row.iter().map(|s| s.to_string()).collect()
}

fn one(which: Table) -> Vec<Part> {
    match which {
        Table::Subjects => {
            let rows: Vec<_> = scenario::subjects::ALL
                .iter()
                .map(|s| owned(&[s.name, s.summary, &s.keys.join(" "), s.needs]))
                .collect();
            vec![table(&["subject", "what it is", "keys", "needs"], &rows)]
        }
        Table::Operators => vec![Part::Words(OPERATORS.to_string())],
        Table::Faults => faults(),
        Table::Causes => causes(),
        Table::Reports => {
            let rows = report::ALL.iter().map(|f| owned(&[f.name, f.what]));
            vec![table(&["report", "what it is"], &rows.collect::<Vec<_>>())]
        }
        Table::Kernels => kernels(),
        Table::Families => {
            let rows: Vec<_> = Family::ALL
                .iter()
                .map(|(f, least, gamma)| {
                    vec![f.name().to_string(), least.to_string(), gamma.to_string()]
                })
                .collect();
            let words = "isolated bound B = max(β, γ·√K)·u·S\n";
            vec![
                Part::Words(words.into()),
                table(&["family", "β", "γ"], &rows),
            ]
        }
        Table::Distributions => {
            let rows = [
                ["uniform", "[low, high), default [0, 1)"],
                ["normal", "mean 0, standard deviation 1"],
                ["integers", "low ..= high, both required"],
                ["constant", "value"],
            ];
            let drawn: Vec<_> = Values::ALL
                .iter()
                .map(|(_, name, values)| owned(&[name, values]))
                .collect();
            vec![
                table(&["distribution", "values"], &rows.map(|r| owned(&r))),
                table(&["parity fuzz SCENARIO draws", "values"], &drawn),
            ]
        }
        Table::Goldens => goldens(),
        Table::Exits => {
            let rows: Vec<_> = Exit::ALL
                .iter()
                .map(|(e, what)| vec![(*e as u8).to_string(), what.to_string()])
                .collect();
            vec![table(&["exit", "meaning"], &rows)]
        }
        Table::Commands => {
            let rows: Vec<_> = help::commands()
                .into_iter()
                .map(|row| row.to_vec())
                .collect();
            vec![table(&["command", "what it is for"], &rows)]
        }
        Table::Errors => {
            let rows = Code::ALL
                .iter()
                .map(|(_, name, exit, what)| owned(&[name, &(*exit as u8).to_string(), what]));
            vec![table(
                &["code", "exit", "what it means"],
                &rows.collect::<Vec<_>>(),
            )]
        }
    }
}

/// What may be named as a kernel, every ONNX form, every family.
fn kernels() -> Vec<Part> {
    let whole = subject::kernels::training::all().map(|k| owned(&[k.name, k.summary]));
    let parts: Vec<_> = subject::kernels::families()
        .iter()
        .map(|k| owned(&[k.name, k.what, k.paper, k.kinks]))
        .collect();
    let named = table(
        &["[training] kernel", "what it is"],
        &whole.collect::<Vec<_>>(),
    );
    let forms: Vec<_> = subject::kernels::ALL
        .iter()
        .map(|k| {
            vec![
                k.name.into(),
                k.of.name.into(),
                k.summary.into(),
                k.inputs.join(" "),
            ]
        })
        .collect();
    let forms = table(
        &["subject = \"kernel\"", "of", "what it is", "inputs"],
        &forms,
    );
    let header = [
        "kernel",
        "what it computes",
        "paper",
        "no derivative, or a decision, at",
    ];
    vec![named, forms, table(&header, &parts)]
}

/// Faults that can be injected.
fn faults() -> Vec<Part> {
    let amount = |f: &fault::Fault| {
        f.amount.map_or(String::new(), |(what, default)| {
            format!("{what}, {default}")
        })
    };
    let ops = |f: &fault::Fault| {
        if f.ops.is_empty() {
            "any".to_string()
        } else {
            f.ops.join(" ")
        }
    };
    let rows: Vec<_> = fault::all()
        .map(|f| vec![f.name.to_string(), f.summary.to_string(), ops(f), amount(f)])
        .collect();
    vec![table(
        &["fault", "what it does", "operators", "amount, default"],
        &rows,
    )]
}

/// What explains a difference: the causes that are asked for, then the faults as hypotheses.
fn causes() -> Vec<Part> {
    let rows = cause::ALL.iter().map(|c| owned(&[c.name, c.asks]));
    let asked = table(&["cause", "what its test asks"], &rows.collect::<Vec<_>>());
    let rows = fault::all().map(|f| {
        let ops = if f.ops.is_empty() {
            "any".into()
        } else {
            f.ops.join(" ")
        };
        vec![
            f.name.into(),
            f.summary.into(),
            ops,
            f.reads.says(),
            f.mend.into(),
        ]
    });
    let header = [
        "cause",
        "what explains a node that is off",
        "operators",
        "how it is tried",
        "what to do",
    ];
    let nodes = table(&header, &rows.collect::<Vec<_>>());
    let rows = cause::form::all().map(|f| owned(&[f.name, f.summary, f.mend]));
    let header = ["cause", "what explains a loss that is off", "what to do"];
    vec![asked, nodes, table(&header, &rows.collect::<Vec<_>>())]
}

/// The goldens of the folder `golden` here, or of the nearest folder above that has one.
fn goldens() -> Vec<Part> {
    let home = std::env::current_dir()
        .ok()
        .and_then(|here| find::home(&here));
    let found = home.as_deref().map_or(vec![], find::below);
    let name = |f: &find::Found| {
        f.folder
            .strip_prefix(home.as_deref().unwrap_or(&f.folder))
            .unwrap_or(&f.folder)
            .display()
            .to_string()
    };
    let row = |f: &find::Found| match &f.manifest {
        Ok(m) => {
            let versions: Vec<String> = m
                .versions
                .iter()
                .map(|(name, version)| format!("{name} {version}"))
                .collect();
            let (tensors, size) = (
                m.tensors.len().to_string(),
                format!("{} kB", find::Found::size(m).div_ceil(1000)),
            );
            vec![
                name(f),
                m.scenario.clone(),
                m.command.clone(),
                versions.join(", "),
                tensors,
                size,
            ]
        }
        Err(e) => vec![
            name(f),
            "?".into(),
            format!("cannot be read: {}", e.message),
            String::new(),
            String::new(),
            String::new(),
        ],
    };
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|f| row(f).iter().map(|c| printable(c)).collect())
        .collect();
    let none = "no golden in a folder 'golden' here or above: parity bless proposes one\n";
    let none = rows.is_empty().then(|| Part::Words(none.into()));
    let header = [
        "golden", "scenario", "made by", "versions", "tensors", "size",
    ];
    none.into_iter().chain([table(&header, &rows)]).collect()
}

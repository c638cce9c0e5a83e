//! params: the difference of two parameter counts: headline, causes, modules; the rows add up to the headline.

use crate::error::printable;
use crate::params::{Cause, Count, Decomposition, Difference, Group};
use crate::text::table;

/// Modules shown before the rest is added up.
const MODULES: usize = 30;

/// The report; `all` shows every module. `names` are the two sides'.
pub fn params(d: &Difference, names: (&str, &str), all: bool) -> String {
    let mut out = headline(d) + &sides(names);
    out += &one(&d.parameters, all);
    match &d.trainable {
        Some(trainable) if trainable.by_cause() != d.parameters.by_cause() => {
            out += &one(trainable, all)
        }
        Some(_) => {}
        None => {
            out += "\ntrainable   not compared: one side does not say which parameters it trains\n"
        }
    }
    if !d.renamed.is_empty() {
        let rows: Vec<_> = d
            .renamed
            .iter()
            .map(|(a, b, how)| vec![printable(a), printable(b), how.say().into()])
            .collect();
        let shown = if all {
            rows.len()
        } else {
            rows.len().min(MODULES)
        };
        out += &format!(
            "\n{} pairs of other names\n{}",
            rows.len(),
            table(&["reference", "candidate", "paired by"], &rows[..shown])
        );
        out += &rest(rows.len() - shown, "pairs");
    }
    out
}

fn headline(d: &Difference) -> String {
    let p = &d.parameters;
    let trained = d.trainable.as_ref().map_or(0, Decomposition::difference);
    match (d.equal(), p.difference(), trained) {
        (true, ..) => format!(
            "EQUAL: {} parameters on both sides, each with its like\n",
            p.reference()
        ),
        (false, 0, 0) => format!(
            "DIFFER: {} parameters on both sides, but not the same ones\n",
            p.reference()
        ),
        (false, 0, n) => format!(
            "DIFFER: {} parameters on both sides, of which {n:+} are trained by the candidate\n",
            p.reference()
        ),
        (false, n, _) => format!(
            "DIFFER: reference {} parameters, candidate {}: {n:+}\n",
            p.reference(),
            p.candidate()
        ),
    }
}

fn sides(names: (&str, &str)) -> String {
    format!(
        "  reference   {}\n  candidate   {}\n",
        printable(names.0),
        printable(names.1)
    )
}

fn one(d: &Decomposition, all: bool) -> String {
    let what = match d.count() {
        Count::Parameters => "parameters",
        Count::Trainable => "trainable",
    };
    let causes: Vec<_> = d
        .by_cause()
        .iter()
        .map(|g| row(g.cause.say().into(), g))
        .chain([total(d)])
        .collect();
    let header = [what, "tensors", "reference", "candidate", "difference"];
    let mut out = format!("\n{}", table(&header, &causes));
    let differing: Vec<&Group> = d
        .groups()
        .iter()
        .filter(|g| g.cause != Cause::Same)
        .collect();
    if differing.is_empty() {
        return out;
    }
    let shown = if all {
        differing.len()
    } else {
        differing.len().min(MODULES)
    };
    let rows: Vec<_> = differing[..shown]
        .iter()
        .map(|g| [vec![module(g)], row(g.cause.say().into(), g)].concat())
        .collect();
    out += &format!(
        "\n{}",
        table(
            &[
                "module",
                "cause",
                "tensors",
                "reference",
                "candidate",
                "difference"
            ],
            &rows
        )
    );
    let left: i64 = differing[shown..].iter().map(|g| g.difference()).sum();
    if shown < differing.len() {
        out += &format!(
            "... and {} more modules with {left:+} (--all shows them)\n",
            differing.len() - shown
        );
    }
    out
}

fn module(group: &Group) -> String {
    if group.module.is_empty() {
        "(top)".into()
    } else {
        printable(&group.module)
    }
}

fn row(label: String, g: &Group) -> Vec<String> {
    vec![
        label,
        g.names.len().to_string(),
        g.reference.to_string(),
        g.candidate.to_string(),
        format!("{:+}", g.difference()),
    ]
}

fn total(d: &Decomposition) -> Vec<String> {
    let tensors: usize = d.groups().iter().map(|g| g.names.len()).sum();
    vec![
        "sum".into(),
        tensors.to_string(),
        d.reference().to_string(),
        d.candidate().to_string(),
        format!("{:+}", d.difference()),
    ]
}

fn rest(n: usize, what: &str) -> String {
    if n > 0 {
        format!("... and {n} more {what} (--all shows them)\n")
    } else {
        String::new()
    }
}

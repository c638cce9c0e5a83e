//! training: whether what must train does: it is there, counted, asks for a gradient, has one, is in a group, moves, and began as declared.

use super::state::{Optimizer, Parameter, State, named};
use crate::audit::counted;
use crate::audit::weights::names_it;
use crate::error::{Error, Result};
use crate::params::Source;
use crate::params::names::leaf;
use crate::text::number;
use crate::verdict::{Finding, Severity};

/// `NAME` or `NAME=COUNT`.
#[derive(Clone, Debug, PartialEq)]
pub struct Must {
    pub name: String,
    pub count: Option<u64>,
}

impl Must {
    /// # Errors
    /// A count that is no number.
    pub fn parse(text: &str) -> Result<Self> {
        let Some((name, count)) = text.split_once('=') else {
            return Ok(Self {
                name: text.into(),
                count: None,
            });
        };
        let count = count.replace([',', '_'], "").parse();
        let count = count.map_err(|_| {
            Error::usage(format!(
                "--train {text}: expected NAME or NAME=COUNT, such as pooling=515"
            ))
        })?;
        Ok(Self {
            name: name.into(),
            count: Some(count),
        })
    }
}

/// `NAME=VALUE`.
///
/// # Errors
/// Another form.
pub fn initial(text: &str) -> Result<(String, f64)> {
    let told = text
        .split_once('=')
        .and_then(|(name, value)| Some((name.to_string(), value.parse().ok()?)));
    told.ok_or_else(|| {
        Error::usage(format!(
            "--initial {text}: expected NAME=VALUE, such as alpha=0.5"
        ))
    })
}

/// A parameter or module by its path, by a pattern, or by a part of the path.
fn is_called(name: &str, pattern: &str) -> bool {
    let below = |at: usize| names_it(pattern, &name[at..]);
    below(0) || name.match_indices('.').any(|(at, _)| below(at + 1))
}

/// Kind of the fault, whether a parameter is right where that is known, what is said of those that are not, what to do.
type Check = (
    &'static str,
    fn(&Parameter) -> Option<bool>,
    &'static str,
    &'static str,
);

/// What is known of everything that must train.
pub fn findings(state: &State, musts: &[Must]) -> Vec<Finding> {
    musts.iter().flat_map(|m| one(state, m)).collect()
}

fn one(state: &State, must: &Must) -> Vec<Finding> {
    let own: Vec<&Parameter> = state
        .trained()
        .filter(|p| is_called(&p.name, &must.name))
        .collect();
    let fault = |kind: &str, what: String, next: &str| {
        Finding::new(kind, &must.name, what).next([next.to_string()])
    };
    if own.is_empty() {
        let what = "no parameter of the model is called so or lies below it".to_string();
        return vec![fault(
            "absent",
            what,
            "look whether the module is built, and under which name",
        )];
    }
    let n: u64 = own.iter().map(|p| p.elements).sum();
    let mut found = vec![];
    if let Some(count) = must.count.filter(|c| *c != n) {
        let what = format!("it has {n} parameters where {count} are declared");
        found.push(
            fault("count", what, "look at its layers and widths")
                .facts(named(&own))
                .number("own", n as f64)
                .number("declared", count as f64),
        );
    }
    let checks: [Check; 4] = [
        (
            "not_trainable",
            |p| p.requires_grad,
            "ask for no gradient",
            "set requires_grad = True on them",
        ),
        (
            "no_gradient",
            |p| p.gradient.map(|g| g != 0.0),
            "have a gradient of 0",
            "look whether its output reaches the loss",
        ),
        (
            "no_group",
            |p| p.group.map(|g| g.lr != Some(0.0)),
            "are in no group of the optimiser, or at rate 0",
            "hand them to the optimiser",
        ),
        (
            "did_not_move",
            |p| p.moved.map(|m| m != 0.0),
            "did not move",
            "look whether the module runs, and at its group of the optimiser",
        ),
    ];
    let mut proofs = vec![];
    for (kind, holds, said, next) in checks {
        // An optimiser whose numbers have names says of every parameter whether it is there.
        let named_all = kind == "no_group" && state.optimizer == Optimizer::Named;
        let told = |p: &&&Parameter| holds(p).or(named_all.then_some(false));
        let wrong: Vec<&Parameter> = own
            .iter()
            .filter(|p| told(p) == Some(false))
            .copied()
            .collect();
        let known = own.iter().filter(|p| told(p).is_some()).count();
        match wrong.len() {
            0 if known > 0 => proofs.push(kind),
            0 => {}
            n => found.push(
                fault(kind, format!("{} of it {said}", counted(n, "tensor")), next)
                    .facts(named(&wrong)),
            ),
        }
    }
    if found.is_empty() {
        found.push(trains(must, n, &proofs));
    }
    found
}

/// Found right, or that nothing says so.
fn trains(must: &Must, n: u64, proofs: &[&str]) -> Finding {
    let said = [
        ("not_trainable", "ask for a gradient"),
        ("no_gradient", "have one that is not 0"),
        ("no_group", "are in a group of the optimiser"),
        ("did_not_move", "moved"),
    ];
    let told: Vec<&str> = said
        .iter()
        .filter(|s| proofs.contains(&s.0))
        .map(|s| s.1)
        .collect();
    match told.is_empty() {
        false => {
            let what = format!("its {n} parameters {}", told.join(", "));
            Finding::new("trains", &must.name, what).severity(Severity::Note)
        }
        true => {
            let what = format!("whether its {n} parameters train cannot be told from this file");
            let next = "name a checkpoint with its optimiser, an earlier one (--before) or a recorded step (--recorded)";
            Finding::new("trains", &must.name, what)
                .next([next.to_string()])
                .severity(Severity::Unjudged)
        }
    }
}

/// Whether parameters began as declared.
pub fn begun(source: &Source, declared: &[(String, f64)]) -> Vec<Finding> {
    let mut found = vec![];
    for (name, value) in declared {
        let own = source
            .list
            .iter()
            .filter(|p| is_called(&p.name, name) || leaf(&p.name) == name);
        let mut any = false;
        for param in own {
            any = true;
            found.push(match source.value(&param.name) {
                Ok(Some(held)) => held_to(&param.name, *value, &held.to_f64()),
                Ok(None) | Err(_) => Finding::new("initial", &param.name, "its value is not kept")
                    .severity(Severity::Unjudged),
            });
        }
        if !any {
            let what = "no parameter is called so";
            found.push(Finding::new("absent", name, what));
        }
    }
    found
}

/// Equal in f32: what is declared is written in decimal.
fn held_to(name: &str, declared: f64, held: &[f64]) -> Finding {
    match held.iter().find(|v| **v as f32 != declared as f32) {
        Some(other) => {
            let what = format!(
                "it begins with {} where {} is declared",
                number(*other),
                number(declared)
            );
            Finding::new("initial", name, what)
                .number("own", *other)
                .number("declared", declared)
        }
        None => Finding::new(
            "initial",
            name,
            format!("it begins with {}", number(declared)),
        )
        .severity(Severity::Note),
    }
}

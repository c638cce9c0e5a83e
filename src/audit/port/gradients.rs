//! gradients: whether every parameter that trains has a gradient and is in the hands of the optimiser, over all steps of all trainings.
//!
//! A gradient of 0 in one step says nothing: behind a head that begins at zero most of a network has none in the first.

use super::session::Parameter;
use super::train::{Moved, Run};
use crate::audit::weights::names_it;
use crate::audit::{SHOWN, counted};
use crate::params::names;
use crate::params::{Kind, Param, module};
use crate::verdict::{Finding, Severity};
use indexmap::IndexMap;

/// As a share of the largest: what has a smaller gradient may stand still because it is rounded away.
const SMALL: f64 = 1e-6;

pub fn findings(parameters: &[Parameter], runs: &[Run], frozen: &[String]) -> Vec<Finding> {
    let all = of(parameters, runs, frozen);
    let mut found = vec![];
    found.extend(broken(&all));
    found.extend(without(&all));
    found.extend(in_no_group(&all));
    found.extend(unasked(&all));
    found.extend(not_frozen(&all));
    found.extend(unused(parameters, frozen));
    found.extend(trains(&all));
    found
}

/// A parameter with what became of it.
struct One<'a> {
    param: &'a Param,
    /// None of one that a step lists no gradient of.
    moved: Option<Moved>,
    is_meant_frozen: bool,
    is_projection: bool,
}

impl One<'_> {
    fn trains(&self) -> bool {
        self.param.trainable == Some(true) && !self.is_projection
    }

    /// A statistic of a norm is nobody's to train, whatever the framework lists it under.
    fn is_frozen(&self) -> bool {
        let own = self.param.kind == Kind::Parameter && !names::is_statistic(&self.param.name);
        own && self.param.trainable == Some(false) && !self.is_projection
    }

    fn gradient(&self) -> f64 {
        self.moved.map_or(0.0, |m| m.gradient)
    }
}

fn of<'a>(parameters: &'a [Parameter], runs: &[Run], frozen: &[String]) -> Vec<One<'a>> {
    let one = |p: &'a Parameter| One {
        param: &p.param,
        moved: merged(runs, &p.param.name),
        is_meant_frozen: frozen.iter().any(|f| names_it(f, &p.param.name)),
        is_projection: p.is_projection,
    };
    parameters.iter().map(one).collect()
}

fn merged(runs: &[Run], name: &str) -> Option<Moved> {
    let all = runs.iter().filter_map(|r| r.moved.get(name).copied());
    all.reduce(|a, b| Moved {
        gradient: a.gradient.max(b.gradient),
        broken: a.broken.or(b.broken),
        moves: a.moves || b.moves,
        rate: a.rate.or(b.rate),
    })
}

fn broken(all: &[One]) -> Option<Finding> {
    let bad: Vec<&One> = all
        .iter()
        .filter(|o| o.moved.is_some_and(|m| m.broken.is_some()))
        .collect();
    let first = bad.iter().min_by_key(|o| o.moved.and_then(|m| m.broken))?;
    let step = first.moved.and_then(|m| m.broken).unwrap_or(0);
    let what = format!(
        "{} have a gradient that is no number, first in step {step}",
        told(&bad)
    );
    let next = "find the term and the layer: parity run ORIGINAL PORT, or the framework's own search for NaN (torch.autograd.set_detect_anomaly)";
    // Where every training explodes this is what it ends in, and the first step says which comes first.
    let severity = if step == 0 {
        Severity::Fault
    } else {
        Severity::Warning
    };
    Some(
        finding("gradient_not_finite", first, what, &bad)
            .next([next.to_string()])
            .severity(severity),
    )
}

fn without(all: &[One]) -> Option<Finding> {
    let any = all.iter().any(|o| o.gradient() > 0.0);
    let bad: Vec<&One> = all
        .iter()
        .filter(|o| o.trains() && !o.is_meant_frozen)
        .filter(|o| {
            o.moved
                .is_some_and(|m| m.gradient == 0.0 && m.broken.is_none())
        })
        .collect();
    let first = bad.first()?;
    let mut what = format!(
        "{} train and have a gradient of 0 in every step",
        told(&bad)
    );
    if !any {
        what += "; no parameter has one";
    }
    let next = "look for a detach(), a numpy() or an integer between them and the loss, and whether their module runs";
    Some(finding("no_gradient", first, what, &bad).next([next.to_string()]))
}

/// What has a gradient and stays where it is, or is listed by no step.
fn in_no_group(all: &[One]) -> Option<Finding> {
    let largest = all.iter().map(One::gradient).fold(0.0, f64::max);
    let still = |m: Moved| {
        let rate = m.rate.map_or(m.gradient > SMALL * largest, |r| r == 0.0);
        !m.moves && m.gradient > 0.0 && rate
    };
    let bad: Vec<&One> = all
        .iter()
        .filter(|o| o.trains() && !o.is_meant_frozen)
        .filter(|o| o.moved.is_none_or(still))
        .collect();
    let first = bad.first()?;
    let what = format!(
        "{} train, and the optimiser does not move them: they are in none of its groups, or at a rate of 0",
        told(&bad)
    );
    let next = "give the optimiser all that trains: net.parameters(), and whatever is made after the optimiser was";
    Some(finding("no_group", first, what, &bad).next([next.to_string()]))
}

fn unasked(all: &[One]) -> Option<Finding> {
    let bad: Vec<&One> = all
        .iter()
        .filter(|o| o.is_frozen() && !o.is_meant_frozen)
        .collect();
    let first = bad.first()?;
    let trained = all.iter().filter(|o| o.trains()).count();
    let what = format!(
        "{} ask for no gradient, and nobody said that they are frozen; {} train",
        told(&bad),
        counted(trained, "tensor")
    );
    let next = "set requires_grad (in Jittor start_grad) on them, or say --frozen NAME where that is meant; in Jittor eval() stops every gradient";
    Some(finding("frozen", first, what, &bad).next([next.to_string()]))
}

fn not_frozen(all: &[One]) -> Option<Finding> {
    let bad: Vec<&One> = all
        .iter()
        .filter(|o| o.is_meant_frozen && o.moved.is_some_and(|m| m.moves))
        .collect();
    let first = bad.first()?;
    let what = format!("{} are meant to be frozen, and move", told(&bad));
    let next = "set requires_grad to False on them; a learning rate of 0 is no freezing";
    Some(finding("not_frozen", first, what, &bad).next([next.to_string()]))
}

fn unused(parameters: &[Parameter], frozen: &[String]) -> Option<Finding> {
    let names = |f: &&String| parameters.iter().any(|p| names_it(f, &p.param.name));
    let odd = frozen.iter().find(|f| !names(f))?;
    let what = "it is meant to be frozen, and the port has no such parameter";
    Some(Finding::new("absent", odd, what).severity(Severity::Unjudged))
}

fn trains(all: &[One]) -> Option<Finding> {
    let good = |o: &&One| o.trains() && o.moved.is_some_and(|m| m.gradient > 0.0 && m.moves);
    let good: Vec<&One> = all.iter().filter(good).collect();
    let trained = all.iter().filter(|o| o.trains()).count();
    let what = format!(
        "{} of {trained} that train have a gradient and move",
        told(&good)
    );
    (!good.is_empty()).then(|| Finding::new("trains", "parameters", what).severity(Severity::Note))
}

/// "3 tensors (1,024 elements)".
fn told(all: &[&One]) -> String {
    let elements: u64 = all.iter().map(|o| o.param.elements()).sum();
    format!(
        "{} ({})",
        counted(all.len(), "tensor"),
        counted(elements as usize, "element")
    )
}

/// With the modules in which they lie.
fn finding(kind: &str, first: &One, what: String, all: &[&One]) -> Finding {
    let mut by: IndexMap<&str, usize> = IndexMap::new();
    for one in all {
        *by.entry(module(&one.param.name)).or_default() += 1;
    }
    let shown = by.iter().take(SHOWN);
    let lines = shown.map(|(module, n)| format!("'{module}': {}", counted(*n, "tensor")));
    let more = by.len().saturating_sub(SHOWN);
    let more = (more > 0).then(|| format!("and {} more", counted(more, "module")));
    Finding::new(kind, &first.param.name, what).facts(lines.chain(more))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::DType;

    fn parameter(name: &str, trainable: bool) -> Parameter {
        Parameter {
            param: Param {
                name: name.into(),
                shape: vec![2, 3],
                dtype: DType::F32,
                kind: Kind::Parameter,
                trainable: Some(trainable),
            },
            is_projection: name.ends_with("proj"),
        }
    }

    fn moved(gradient: f64, moves: bool) -> Moved {
        Moved {
            gradient,
            moves,
            ..Moved::default()
        }
    }

    fn kinds(all: &[(&str, bool, Option<Moved>)], frozen: &[&str]) -> Vec<String> {
        let parameters: Vec<_> = all.iter().map(|(n, t, _)| parameter(n, *t)).collect();
        let known = all
            .iter()
            .filter_map(|(n, _, m)| Some((n.to_string(), (*m)?)));
        let run = Run {
            moved: known.collect(),
            ..Run::default()
        };
        let frozen: Vec<String> = frozen.iter().map(|f| f.to_string()).collect();
        let found = findings(&parameters, &[run], &frozen).into_iter();
        found
            .filter(|f| f.severity != Severity::Note)
            .map(|f| f.kind)
            .collect()
    }

    #[test]
    fn what_is_not_trained_is_found_by_how_and_what_is_trained_is_no_finding() {
        let good = ("a.weight", true, Some(moved(1.0, true)));
        assert!(kinds(&[good], &[]).is_empty());
        let nan = Moved {
            broken: Some(0),
            ..moved(1.0, true)
        };
        let rate_0 = Moved {
            rate: Some(0.0),
            ..moved(1e-9, false)
        };
        let rounded = Moved {
            rate: Some(0.1),
            ..moved(1e-9, false)
        };
        for (second, kind) in [
            (
                ("b.weight", true, Some(moved(0.0, false))),
                Some("no_gradient"),
            ),
            (
                ("b.weight", true, Some(moved(1.0, false))),
                Some("no_group"),
            ),
            (("b.weight", true, None), Some("no_group")),
            (("b.weight", true, Some(rate_0)), Some("no_group")),
            (("b.weight", true, Some(rounded)), None),
            (("b.weight", true, Some(moved(1e-9, false))), None),
            (("b.weight", true, Some(nan)), Some("gradient_not_finite")),
            (("b.weight", false, None), Some("frozen")),
            (("b.running_mean", false, None), None),
            (("b.proj", false, None), None),
        ] {
            let found = kinds(&[good, second], &[]);
            assert_eq!(found.first().map(String::as_str), kind, "{second:?}");
        }
    }

    #[test]
    fn what_is_meant_to_be_frozen_is_no_finding_unless_it_moves_or_is_not_there() {
        let good = ("a.weight", true, Some(moved(1.0, true)));
        let still = ("b.weight", false, None);
        assert!(kinds(&[good, still], &["b"]).is_empty());
        assert_eq!(kinds(&[good, still], &["a", "b"]), ["not_frozen"]);
        assert_eq!(kinds(&[good], &["c"]), ["absent"]);
    }
}

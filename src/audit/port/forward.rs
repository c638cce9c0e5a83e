//! forward: the port run in both forms and at every edge: whether it runs, and whether what it gives are numbers.

use super::beside::Beside;
use super::edges::{Case, Edge};
use super::outputs::Output;
use super::session::{Batch, Said, Session};
use super::train::Run;
use crate::error::Result;
use crate::port::{Ability, Forward, Tensors, outputs};
use crate::trace::file::Opened;
use crate::verdict::{Finding, Severity};
use crate::watch::Watch;

/// How a case is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Inference,
    Training,
    /// With the loss: one step of training where the port makes such, else the losses of its outputs.
    Loss,
}

impl Form {
    pub fn say(self) -> &'static str {
        match self {
            Form::Inference => "in inference",
            Form::Training => "in training",
            Form::Loss => "with its loss",
        }
    }
}

/// What came of one case in one form.
#[derive(Clone, Debug)]
pub struct Tried {
    pub edge: Edge,
    pub form: Form,
    pub declared: bool,
    pub made: Said<Made>,
}

#[derive(Clone, Debug, Default)]
pub struct Made {
    pub outputs: Vec<Output>,
    /// Whatever is no number of what is wanted: outputs, losses, gradients.
    pub broken: Vec<String>,
    /// The first tensor of the run that holds something that is no number.
    pub first_broken: Option<String>,
}

/// # Errors
/// A port that is gone.
pub fn tried(own: &mut Session, cases: &[Case], watch: &mut dyn Watch) -> Result<Vec<Tried>> {
    watch.phase("edges", cases.len());
    let mut all = vec![];
    for (at, case) in cases.iter().enumerate() {
        watch.step(at);
        for form in forms(case, own) {
            let made = match form {
                Form::Inference => forward(own, &case.batch, false)?,
                Form::Training => forward(own, &case.batch, true)?,
                Form::Loss => loss(own, &case.batch)?,
            };
            all.push(Tried {
                edge: case.edge,
                form,
                declared: case.declared,
                made,
            });
        }
    }
    Ok(all)
}

fn forms(case: &Case, own: &Session) -> Vec<Form> {
    let has_loss = own.trains() || (own.can(Ability::Losses) && own.can(Ability::Targets));
    let mut all = match case.edge {
        Edge::NoObject | Edge::AllIgnored => vec![],
        _ if case.trains => vec![Form::Inference, Form::Training],
        _ => vec![Form::Inference],
    };
    if has_loss && case.trains && !case.batch.targets.is_empty() {
        all.push(Form::Loss);
    }
    all
}

fn forward(own: &mut Session, batch: &Batch, training: bool) -> Result<Said<Made>> {
    let how = Forward {
        training,
        ..Forward::default()
    };
    let ran = own.port.forward(&batch.inputs, how);
    match own.said(ran)? {
        Ok(trace) => Ok(Ok(made(&trace)?)),
        Err(said) => Ok(Err(said)),
    }
}

fn made(trace: &Opened) -> Result<Made> {
    let all = outputs(trace)?;
    let from = Output::from_inputs(trace);
    let outputs: Vec<Output> = all
        .iter()
        .map(|(name, t)| Output::of(name, t, from(name)))
        .collect();
    let broken: Vec<String> = all.iter().filter_map(|(n, t)| broken(n, t)).collect();
    let first_broken = match broken.is_empty() {
        true => None,
        false => first_broken(trace)?,
    };
    Ok(Made {
        outputs,
        broken,
        first_broken,
    })
}

/// "'scores' holds 3 of 8 that are no numbers".
fn broken(name: &str, t: &crate::tensor::Tensor) -> Option<String> {
    let values = t.to_f64();
    let n = values.iter().filter(|v| !v.is_finite()).count();
    (t.dtype().is_float() && n > 0).then(|| {
        format!(
            "'{name}' holds {n} of {} that are no finite numbers",
            values.len()
        )
    })
}

fn first_broken(trace: &Opened) -> Result<Option<String>> {
    let kept = |name: &&str| !name.starts_with("parameter.");
    for name in trace.ordered().into_iter().filter(kept) {
        let found = trace.tensor(name)?.and_then(|t| broken(name, &t));
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// A step of training, else the losses of what the network gives.
fn loss(own: &mut Session, batch: &Batch) -> Result<Said<Made>> {
    let made = match own.trains() {
        true => {
            let start = own.port.state()?.unwrap_or_default();
            own.step(&start, batch, 0)?
        }
        false => losses(own, batch)?,
    };
    Ok(made.map(|all| {
        let wanted = all
            .iter()
            .filter(|(n, _)| ["loss.", "grad."].iter().any(|kind| n.starts_with(kind)));
        Made {
            broken: wanted.filter_map(|(n, t)| broken(n, t)).collect(),
            ..Made::default()
        }
    }))
}

fn losses(own: &mut Session, batch: &Batch) -> Result<Said<Tensors>> {
    let ran = own.port.forward(&batch.inputs, Forward::default());
    let trace = match own.said(ran)? {
        Ok(trace) => trace,
        Err(said) => return Ok(Err(said)),
    };
    let answered = own.port.losses(&outputs(&trace)?, &batch.targets, false);
    let Some(opened) = (match own.said(answered)? {
        Ok(opened) => opened,
        Err(said) => return Ok(Err(said)),
    }) else {
        return Ok(Ok(Tensors::new()));
    };
    let mut all = Tensors::new();
    for name in opened.ordered() {
        all.extend(opened.tensor(name)?.map(|t| (name.to_string(), t)));
    }
    Ok(Ok(all))
}

/// What the port gives once it has learned, on its own inputs and on these turned; None where no training is stable.
///
/// # Errors
/// A port that is gone.
pub fn after(own: &mut Session, batch: &Batch, runs: &[Run]) -> Result<Option<[Vec<Output>; 2]>> {
    let stable = runs.iter().filter(|r| r.drop().is_some());
    // A high rate kills what it trains, and one image is learned by heart without looking at it.
    let mildest = |r: &&Run| (std::cmp::Reverse(r.images), ordered(r.times));
    let Some(best) = stable.min_by_key(mildest) else {
        return Ok(None);
    };
    let values = best.end.iter();
    let values =
        values.filter_map(|(n, t)| Some((n.strip_prefix("value.")?.to_string(), t.clone())));
    let values: Tensors = values.collect();
    let before = held(own, &values)?;
    own.port.load(&values)?;
    let other = super::edges::turned(&batch.inputs)?;
    let mut both = [vec![], vec![]];
    for (inputs, made) in [&batch.inputs, &other].into_iter().zip(&mut both) {
        let batch = Batch {
            inputs: inputs.clone(),
            targets: Tensors::new(),
        };
        *made = forward(own, &batch, false)?.map_or(vec![], |m| m.outputs);
    }
    own.port.load(&before)?;
    Ok(Some(both))
}

/// A positive number as one that has an order: its bits.
fn ordered(positive: f64) -> u64 {
    positive.to_bits()
}

/// What the port holds under the names of `values`.
fn held(own: &mut Session, values: &Tensors) -> Result<Tensors> {
    let trace = own.port.parameters()?;
    let one = |name: &String| Ok(trace.parameter_value(name)?.map(|t| (name.clone(), t)));
    values.keys().filter_map(|n| one(n).transpose()).collect()
}

/// What fails or gives no numbers; what runs, in one line.
pub fn findings(tried: &[Tried], other: Option<&Beside>) -> Vec<Finding> {
    let mut all: Vec<Finding> = tried
        .iter()
        .filter(|t| !takes_targets(t, tried))
        .filter_map(|t| finding(t, other))
        .collect();
    let fine = |t: &&Tried| t.made.as_ref().is_ok_and(|m| m.broken.is_empty());
    let ran: Vec<String> = tried
        .iter()
        .filter(fine)
        .map(|t| format!("{} {}", t.edge.say(), t.form.say()))
        .collect();
    if !ran.is_empty() {
        let what = format!(
            "it gives finite numbers in {} of {} runs",
            ran.len(),
            tried.len()
        );
        all.push(
            Finding::new("forward", "network", what)
                .facts([ran.join(", ")])
                .severity(Severity::Note),
        );
    }
    all
}

/// A network that wants its targets in training, and trains with them.
fn takes_targets(t: &Tried, all: &[Tried]) -> bool {
    let with_loss = |o: &&Tried| o.edge == t.edge && o.form == Form::Loss && o.made.is_ok();
    t.form == Form::Training && t.made.is_err() && all.iter().any(|o| with_loss(&o))
}

fn finding(t: &Tried, other: Option<&Beside>) -> Option<Finding> {
    let place = format!("{}, {}", t.edge.say(), t.form.say());
    let (what, facts) = match &t.made {
        Err(said) => (format!("it fails: {said}"), vec![]),
        Ok(made) if made.broken.is_empty() => return None,
        Ok(made) => {
            let first = made.first_broken.as_ref();
            let first = first.map(|f| format!("the first tensor of the run that does: {f}"));
            let rest = made
                .broken
                .iter()
                .skip(1)
                .take(super::super::SHOWN)
                .cloned();
            (made.broken[0].clone(), rest.chain(first).collect())
        }
    };
    let also = other.is_some_and(|o| o.fails(t.edge, t.form));
    let severity = match (also, t.declared || other.is_some()) {
        (true, _) => Severity::Note,
        (false, true) => Severity::Fault,
        (false, false) => Severity::Warning,
    };
    let finding = match t.edge {
        Edge::AsGiven | Edge::Turned => match &t.made {
            Err(_) => Finding::new("fails", place, what),
            Ok(_) => Finding::new("not_finite", place, what),
        },
        Edge::One => Finding::new("batch_of_one", place, what),
        Edge::Odd => Finding::new("odd_size", place, what),
        Edge::NoObject => Finding::new("no_object", place, what),
        Edge::AllIgnored => Finding::new("all_ignored", place, what),
    };
    let said = also.then(|| "so does the reference".to_string());
    Some(
        finding
            .facts(facts)
            .facts(said)
            .next([next(t.edge).to_string()])
            .severity(severity),
    )
}

fn next(edge: Edge) -> &'static str {
    match edge {
        Edge::AsGiven | Edge::Turned => {
            "run it beside its original, which says where it first differs: parity run ORIGINAL PORT"
        }
        Edge::One => {
            "a norm that takes its statistics from one value, or a squeeze() without an axis, fails on a batch of one: the last batch of an epoch may be one"
        }
        Edge::Odd => {
            "sizes that no stride divides are rounded up by a convolution with padding and down by a pool or a slice; where the port takes no such size it need not say so in `axes`"
        }
        Edge::NoObject => {
            "divide by the number of objects only where there are any; a term of no object is 0, with a gradient of 0"
        }
        Edge::AllIgnored => {
            "a mean over no label is 0 / 0: divide by the number of labels only where there are any"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried_as(edge: Edge, form: Form, made: Said<Made>) -> Tried {
        Tried {
            edge,
            form,
            declared: true,
            made,
        }
    }

    fn kinds(all: &[Tried]) -> Vec<(String, Severity)> {
        let found = findings(all, None).into_iter();
        found.map(|f| (f.kind, f.severity)).collect()
    }

    fn broken() -> Said<Made> {
        Ok(Made {
            broken: vec!["'y' holds 1 of 4 that are no finite numbers".into()],
            ..Made::default()
        })
    }

    #[test]
    fn what_fails_and_what_is_no_number_is_told_by_its_edge() {
        let fails = || Err("ValueError: no".to_string());
        for (edge, made, kind) in [
            (Edge::AsGiven, fails(), "fails"),
            (Edge::AsGiven, broken(), "not_finite"),
            (Edge::One, fails(), "batch_of_one"),
            (Edge::Odd, broken(), "odd_size"),
            (Edge::NoObject, broken(), "no_object"),
            (Edge::AllIgnored, fails(), "all_ignored"),
        ] {
            let one = tried_as(edge, Form::Loss, made);
            assert_eq!(kinds(&[one]), [(kind.to_string(), Severity::Fault)]);
        }
        let fine = tried_as(Edge::AsGiven, Form::Inference, Ok(Made::default()));
        assert_eq!(kinds(&[fine]), [("forward".to_string(), Severity::Note)]);
    }

    #[test]
    fn a_size_that_the_port_does_not_declare_is_a_risk_and_a_network_that_wants_targets_is_none() {
        let odd = Tried {
            declared: false,
            ..tried_as(Edge::Odd, Form::Inference, Err("no".into()))
        };
        assert_eq!(kinds(&[odd]), [("odd_size".to_string(), Severity::Warning)]);
        let wants = tried_as(Edge::AsGiven, Form::Training, Err("targets".into()));
        let trains = tried_as(Edge::AsGiven, Form::Loss, Ok(Made::default()));
        assert_eq!(kinds(&[wants.clone(), trains])[0].1, Severity::Note);
        assert_eq!(kinds(&[wants]), [("fails".to_string(), Severity::Fault)]);
    }
}

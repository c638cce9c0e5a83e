//! outputs: what the network returns, in either form: whether it says anything, and whether the inputs decide it.

use super::edges::Edge;
use super::forward::{Form, Tried};
use crate::digest;
use crate::tensor::{DType, Tensor};
use crate::text::number;
use crate::trace::file::Opened;
use crate::verdict::{Finding, Severity};
use std::collections::HashSet;

pub const COLUMNS: [&str; 4] = [
    "output",
    "in inference",
    "in training",
    "range in inference",
];

#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    pub name: String,
    pub dtype: DType,
    pub shape: Vec<usize>,
    /// Its one value, where several elements have the same.
    pub constant: Option<f64>,
    /// Lowest and highest.
    pub range: Option<[f64; 2]>,
    /// Whether it is made from the inputs; None where the trace does not say what is made from what.
    pub from_input: Option<bool>,
    digest: String,
}

impl Output {
    pub fn of(name: &str, t: &Tensor, from_input: Option<bool>) -> Self {
        let values = t.to_f64();
        let same = values.len() > 1 && values.iter().all(|v| *v == values[0]);
        let range = |seen: Option<[f64; 2]>, v: &f64| match seen {
            None => Some([*v, *v]),
            Some([low, high]) => Some([low.min(*v), high.max(*v)]),
        };
        Self {
            name: name.into(),
            dtype: t.dtype(),
            shape: t.shape().to_vec(),
            constant: (same && t.dtype().is_float()).then(|| values[0]),
            range: values.iter().fold(None, range),
            from_input,
            digest: digest::of_tensor(t),
        }
    }

    /// Which tensors of a trace are made from its inputs; nothing of one in which none is.
    pub fn from_inputs(trace: &Opened) -> impl Fn(&str) -> Option<bool> {
        let mut made = HashSet::new();
        let header = trace.header.as_ref();
        let entries = header.into_iter().flat_map(|h| &h.tensors);
        for (name, entry) in entries {
            let fed = header.is_some_and(|h| h.inputs.contains_key(name));
            if fed || entry.inputs.iter().any(|i| made.contains(i)) {
                made.insert(name.clone());
            }
        }
        let says = header.is_some_and(|h| made.len() > h.inputs.len());
        move |name| says.then(|| made.contains(name))
    }
}

/// Outputs of the port's own inputs in one form.
fn of(tried: &[Tried], edge: Edge, form: Form) -> &[Output] {
    let mut all = tried.iter().filter(|t| t.edge == edge && t.form == form);
    let made = all.next().and_then(|t| t.made.as_ref().ok());
    made.map_or(&[], |m| &m.outputs)
}

pub fn table(tried: &[Tried]) -> Vec<Vec<String>> {
    let [inference, training] =
        [Form::Inference, Form::Training].map(|form| of(tried, Edge::AsGiven, form));
    let said = |o: &Output| format!("{} {:?}", o.dtype, o.shape);
    let mut names: Vec<&str> = inference.iter().map(|o| o.name.as_str()).collect();
    names.extend(training.iter().map(|o| o.name.as_str()));
    let mut seen = HashSet::new();
    names.retain(|n| seen.insert(*n));
    let find = |all: &'_ [Output], name: &str| all.iter().find(|o| o.name == name).cloned();
    let row = |name: &&str| {
        let [a, b] = [find(inference, name), find(training, name)];
        let range = a.as_ref().and_then(|o| o.range);
        vec![
            name.to_string(),
            a.as_ref().map_or("-".into(), said),
            b.as_ref().map_or("-".into(), said),
            range.map_or("-".into(), |[low, high]| {
                format!("{} to {}", number(low), number(high))
            }),
        ]
    };
    names.iter().map(row).collect()
}

/// Outputs that say nothing at the start and, where it has trained, still do once it has: a head that begins at zero says nothing at the start alone, and a rate
/// that kills what it trains is no fault of the network's.
pub fn findings(tried: &[Tried], after: Option<&[Vec<Output>; 2]>) -> Vec<Finding> {
    let start = [Edge::AsGiven, Edge::Turned].map(|e| of(tried, e, Form::Inference));
    let first = said(start, after.is_some());
    let Some([own, turned]) = after.filter(|[own, _]| !own.is_empty()) else {
        return first;
    };
    let last = said([own, turned], true);
    let also = |f: &Finding| {
        last.iter()
            .any(|l| (&l.kind, &l.place) == (&f.kind, &f.place))
    };
    let wrong = first.into_iter().filter(|f| f.is_fault() && also(f));
    let right = last.iter().filter(|f| !f.is_fault()).cloned();
    wrong.chain(right).collect()
}

fn said([own, turned]: [&[Output]; 2], learned: bool) -> Vec<Finding> {
    let all = own.iter().filter_map(|o| constant(o, learned));
    all.chain(independent(own, turned)).collect()
}

fn constant(output: &Output, learned: bool) -> Option<Finding> {
    let value = output
        .constant
        .filter(|_| output.from_input != Some(false))?;
    let when = if learned { ", after training too" } else { "" };
    let what = format!(
        "all elements of {} {:?} are {}{when}",
        output.dtype,
        output.shape,
        number(value)
    );
    let next = "look in front of it for an activation that is 0 throughout (a dead ReLU), and for weights that are 0 or were not loaded";
    Some(Finding::new("constant", &output.name, what).next([next.to_string()]))
}

/// No float depends on what the network is fed.
fn independent(own: &[Output], turned: &[Output]) -> Option<Finding> {
    let floats: Vec<&Output> = own.iter().filter(|o| o.dtype.is_float()).collect();
    let same = |o: &&&Output| {
        let other = turned.iter().find(|t| t.name == o.name);
        other.is_some_and(|t| t.digest == o.digest)
    };
    let still = floats.iter().filter(same).count();
    if floats.is_empty() || turned.is_empty() {
        return None;
    }
    let what = match still == floats.len() {
        true => "none of its outputs changes where its inputs are others".to_string(),
        false => format!(
            "{} of {} outputs of floats change where the inputs are others",
            floats.len() - still,
            floats.len()
        ),
    };
    let next = "look for an input that is not used, or an activation that is 0 throughout";
    Some(match still == floats.len() {
        true => Finding::new("independent", "network", what).next([next.to_string()]),
        false => Finding::new("depends", "network", what).severity(Severity::Note),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(name: &str, values: &[f32], from: Option<bool>) -> Output {
        Output::of(name, &Tensor::of(&[values.len()], values), from)
    }

    fn kinds(own: &[Output], turned: &[Output]) -> Vec<String> {
        let found = said([own, turned], true).into_iter();
        found.filter(Finding::is_fault).map(|f| f.kind).collect()
    }

    #[test]
    fn an_output_of_one_value_and_one_that_the_inputs_do_not_decide_are_found() {
        let a = || output("y", &[1.0, 2.0], None);
        let b = || output("y", &[1.0, 3.0], None);
        let zero = || output("z", &[0.0, 0.0], None);
        assert!(kinds(&[a()], &[b()]).is_empty());
        assert_eq!(kinds(&[a()], &[a()]), ["independent"]);
        assert_eq!(kinds(&[a(), zero()], &[b(), zero()]), ["constant"]);
        assert_eq!(kinds(&[zero()], &[zero()]), ["constant", "independent"]);
    }

    #[test]
    fn a_head_that_begins_at_zero_and_a_network_that_training_kills_are_no_faults() {
        let tried = |edge: Edge, values: &[f32]| Tried {
            edge,
            form: Form::Inference,
            declared: true,
            made: Ok(super::super::forward::Made {
                outputs: vec![output("y", values, None)],
                ..Default::default()
            }),
        };
        let at =
            |own: &[f32], turned: &[f32]| [tried(Edge::AsGiven, own), tried(Edge::Turned, turned)];
        let learned =
            |own: &[f32], turned: &[f32]| [own, turned].map(|v| vec![output("y", v, None)]);
        let (zero, a, b) = ([0.0, 0.0], [1.0, 2.0], [3.0, 2.0]);
        for (start, end, n) in [
            (at(&zero, &zero), learned(&a, &b), 0),
            (at(&a, &b), learned(&zero, &zero), 0),
            (at(&zero, &zero), learned(&zero, &zero), 2),
        ] {
            let found = findings(&start, Some(&end)).into_iter();
            assert_eq!(found.filter(Finding::is_fault).count(), n);
        }
    }

    #[test]
    fn what_is_not_made_from_the_inputs_may_be_constant() {
        let strides = output("strides", &[8.0, 8.0], Some(false));
        let own = [output("y", &[1.0, 2.0], Some(true)), strides.clone()];
        let turned = [output("y", &[3.0, 2.0], Some(true)), strides];
        assert!(kinds(&own, &turned).is_empty());
        let single = output("loss", &[0.0], None);
        assert_eq!(single.constant, None, "one element is no constant");
    }
}

//! slots: the inputs of both forms under one name each: dtype and shape as declared by either, values as declared by the user.

use crate::error::{Error, Result, hint};
use crate::graph::{Dim, Port};
use crate::scenario::Domain;
use crate::scenario::domain::{FORMS, Values};
use crate::subject::kernels::draw::domains::Slot;
use crate::tensor::DType;
use std::collections::BTreeMap;

/// An input under its own name, with its place in each form that takes it.
pub struct Input<'a> {
    pub name: &'a str,
    pub reference: Option<(usize, &'a Port)>,
    pub candidate: Option<(usize, &'a Port)>,
}

/// Inputs that both or either take: by name where the names of one are among those of the other, else by position.
///
/// # Errors
/// Other names and another number of them.
pub fn paired<'a>(reference: &'a [Port], candidate: &'a [Port]) -> Result<Vec<Input<'a>>> {
    let is = |a: &Port, b: &Port| own(&a.name) == own(&b.name);
    let at = |ports: &'a [Port], port: &Port| ports.iter().enumerate().find(|(_, p)| is(p, port));
    let among = |a: &[Port], b: &[Port]| a.iter().all(|p| b.iter().any(|q| is(p, q)));
    if among(reference, candidate) || among(candidate, reference) {
        let (more, _) = match reference.len() >= candidate.len() {
            true => (reference, candidate),
            false => (candidate, reference),
        };
        let by_name = |port: &'a Port| Input {
            name: &port.name,
            reference: at(reference, port),
            candidate: at(candidate, port),
        };
        return Ok(more.iter().map(by_name).collect());
    }
    if reference.len() != candidate.len() {
        let names = |ports: &[Port]| {
            let all: Vec<&str> = ports.iter().map(|p| p.name.as_str()).collect();
            all.join(", ")
        };
        return Err(Error::usage(format!(
            "the reference takes {} ({}), the candidate {} ({})",
            reference.len(),
            names(reference),
            candidate.len(),
            names(candidate)
        ))
        .next("inputs pair by name, or by position where there are as many: export both with the same inputs"));
    }
    let by_place = |(i, (a, b)): (usize, (&'a Port, &'a Port))| Input {
        name: &a.name,
        reference: Some((i, a)),
        candidate: Some((i, b)),
    };
    Ok(reference
        .iter()
        .zip(candidate)
        .enumerate()
        .map(by_place)
        .collect())
}

/// What the user calls it: a member of what a network returns goes without the network's name for the whole.
fn own(name: &str) -> &str {
    name.strip_prefix("output:").unwrap_or(name)
}

/// What is drawn for each input; `example` is the shape that it has in one, where it is declared nowhere.
///
/// # Errors
/// A domain of no input, one that its dtype or shape cannot hold, a shape that nobody says.
pub fn slots(
    inputs: &[Input],
    domains: &BTreeMap<String, Domain>,
    example: &dyn Fn(&Input) -> Option<Vec<Dim>>,
) -> Result<Vec<Slot>> {
    let names = || inputs.iter().map(|i| i.name);
    if let Some(name) = domains.keys().find(|n| !names().any(|own| own == *n)) {
        let all = names().collect::<Vec<_>>().join(", ");
        return Err(Error::usage(format!("domain: there is no input '{name}'"))
            .next(format!("{}inputs: {all}", hint(name, names()))));
    }
    let one = |input: &Input| slot(input, domains.get(input.name), example);
    let mut slots = inputs.iter().map(one).collect::<Result<Vec<_>>>()?;
    agree(&mut slots, inputs);
    slots.iter().try_for_each(|slot| check(slot, &slots))?;
    Ok(slots)
}

fn slot(
    input: &Input,
    domain: Option<&Domain>,
    example: &dyn Fn(&Input) -> Option<Vec<Dim>>,
) -> Result<Slot> {
    let ports = [input.reference, input.candidate].map(|p| p.map(|(_, port)| port));
    let dtype = ports.iter().flatten().find_map(|p| p.dtype);
    let dtype = dtype.or(domain.and_then(|d| d.dtype));
    let (values, dtype) = match (domain, dtype) {
        (Some(domain), dtype) => (
            domain.values.clone(),
            dtype.unwrap_or(domain.values.dtype()),
        ),
        (None, Some(dtype)) => (Values::guessed(dtype), dtype),
        (None, None) => (Values::guessed(DType::F32), DType::F32),
    };
    let declared = ports.iter().flatten().find_map(|p| p.shape.clone());
    let axes = domain.and_then(|d| d.axes.clone()).or(declared);
    let axes = axes.or_else(|| example(input));
    let axes = axes.ok_or_else(|| {
        let name = input.name;
        Error::usage(format!("nothing says what shape input '{name}' has"))
            .next(format!("--domain {name}=DOMAIN@AXIS,AXIS with a size or a name for each axis, such as {name}=numbers@n,4; domains: {FORMS}"))
    })?;
    // An axis that nobody names is that of the same place in all inputs.
    let named = |(i, dim): (usize, Dim)| match dim {
        Dim::Unknown => Dim::Named(format!("axis {i}")),
        Dim::Known(_) | Dim::Named(_) => dim,
    };
    let mut axes: Vec<Dim> = axes.into_iter().enumerate().map(named).collect();
    if let (Values::Boxes, Some(last @ Dim::Named(_))) = (&values, axes.last_mut()) {
        *last = Dim::Known(4);
    }
    Ok(Slot {
        name: input.name.into(),
        values,
        dtype,
        axes,
    })
}

/// A size that either form knows is that of every axis of the same name.
fn agree(slots: &mut [Slot], inputs: &[Input]) {
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for (slot, input) in slots.iter().zip(inputs) {
        let ports = [input.reference, input.candidate].into_iter().flatten();
        for shape in ports.filter_map(|(_, port)| port.shape.as_ref()) {
            for (axis, dim) in slot.axes.iter().zip(shape) {
                if let (Dim::Named(name), Dim::Known(size)) = (axis, dim) {
                    known.insert(name.clone(), *size);
                }
            }
        }
    }
    let settle = |dim: &mut Dim| {
        if let Dim::Named(name) = dim
            && let Some(size) = known.get(name)
        {
            *dim = Dim::Known(*size);
        }
    };
    for slot in slots {
        slot.axes.iter_mut().for_each(settle);
        if let Values::Labels { classes, .. } = &mut slot.values {
            settle(classes);
        }
    }
}

/// The domain of an input against its dtype, its shape and the axes of all.
fn check(slot: &Slot, all: &[Slot]) -> Result<()> {
    let Slot {
        name,
        values,
        dtype,
        axes,
    } = slot;
    let wrong = |why: String| Err(Error::usage(format!("input '{name}': {values}: {why}")));
    if !values.fits(*dtype) {
        return wrong(format!("its dtype is {dtype}"));
    }
    if *values == Values::Boxes && axes.last() != Some(&Dim::Known(4)) {
        return wrong(format!("the last of its axes {axes:?} is not 4"));
    }
    if let Values::Labels {
        classes: Dim::Named(axis),
        ..
    } = values
    {
        let named = |d: &Dim| match d {
            Dim::Named(name) => Some(name.clone()),
            Dim::Known(_) | Dim::Unknown => None,
        };
        let known: Vec<String> = all
            .iter()
            .flat_map(|s| s.axes.iter().filter_map(named))
            .collect();
        if !known.contains(axis) {
            return wrong(format!(
                "no input has an open axis '{axis}' (there are: {})",
                known.join(", ")
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(name: &str, dtype: Option<DType>, shape: Option<&str>) -> Port {
        let axes = |text: &str| {
            format!("mask@{text}")
                .parse::<Domain>()
                .unwrap()
                .axes
                .unwrap()
        };
        Port {
            name: name.into(),
            dtype,
            shape: shape.map(axes),
        }
    }

    fn names(reference: &[&str], candidate: &[&str]) -> Result<Vec<(String, bool, bool)>> {
        let of = |names: &[&str]| {
            names
                .iter()
                .map(|n| port(n, None, None))
                .collect::<Vec<_>>()
        };
        let (a, b) = (of(reference), of(candidate));
        let said = |i: Input| {
            (
                i.name.to_string(),
                i.reference.is_some(),
                i.candidate.is_some(),
            )
        };
        paired(&a, &b).map(|all| all.into_iter().map(said).collect())
    }

    #[test]
    fn inputs_pair_by_name_where_they_can_and_else_by_position() {
        let of = |name: &str, a, b| (name.to_string(), a, b);
        assert_eq!(
            names(&["x", "t"], &["t", "x"]).unwrap(),
            [of("x", true, true), of("t", true, true)]
        );
        assert_eq!(
            names(&["x", "t"], &["a", "b"]).unwrap(),
            [of("x", true, true), of("t", true, true)]
        );
        assert_eq!(
            names(&["x", "m"], &["x"]).unwrap(),
            [of("x", true, true), of("m", true, false)]
        );
        assert_eq!(
            names(&["t", "x"], &["output:x", "t"]).unwrap(),
            [of("t", true, true), of("x", true, true)]
        );
        assert_eq!(
            names(&["x"], &["x", "m"]).unwrap(),
            [of("x", true, true), of("m", false, true)]
        );
        let e = names(&["x", "t"], &["a"]).unwrap_err();
        assert!(
            e.message.contains("takes 2 (x, t), the candidate 1 (a)"),
            "{}",
            e.message
        );
    }

    fn made(reference: &Port, candidate: &Port, domain: Option<&str>) -> Result<Slot> {
        let ports = ([reference.clone()], [candidate.clone()]);
        let domains = domain.map(|d| (reference.name.clone(), d.parse().unwrap()));
        let domains = domains.into_iter().collect();
        slots(&paired(&ports.0, &ports.1)?, &domains, &|_| None).map(|mut s| s.remove(0))
    }

    #[test]
    fn what_a_graph_declares_and_what_the_user_does_make_a_slot() {
        let graph = port("x", Some(DType::F32), Some("n,c"));
        let script = port("x", None, None);
        let slot = made(&script, &graph, None).unwrap();
        assert_eq!(
            (slot.dtype, slot.values),
            (DType::F32, Values::Numbers(None))
        );
        let fixed = made(
            &graph,
            &port("x", Some(DType::F32), Some("n,7")),
            Some("probabilities"),
        )
        .unwrap();
        assert_eq!(fixed.axes, [Dim::Named("n".into()), Dim::Known(7)]);
        assert_eq!(
            made(&graph, &script, Some("boxes")).unwrap().axes[1],
            Dim::Known(4)
        );
        let both = made(&script, &script, Some("labels:n@n,3:i32")).unwrap();
        assert_eq!((both.dtype, both.axes.len()), (DType::I32, 2));
    }

    #[test]
    fn a_domain_that_does_not_fit_is_refused() {
        let (graph, script) = (
            port("x", Some(DType::I64), Some("n")),
            port("x", None, None),
        );
        for (reference, domain, says) in [
            (&graph, Some("probabilities"), "its dtype is i64"),
            (
                &graph,
                Some("labels:m"),
                "no input has an open axis 'm' (there are: n)",
            ),
            (&script, None, "nothing says what shape input 'x' has"),
            (&script, Some("boxes@n,5"), "is not 4"),
        ] {
            let e = made(reference, &script, domain).unwrap_err();
            assert!(e.message.contains(says), "{}", e.message);
        }
        let inputs = [graph];
        let domains = [("y".to_string(), "mask".parse().unwrap())].into();
        let e = slots(&paired(&inputs, &inputs).unwrap(), &domains, &|_| None).unwrap_err();
        assert!(e.message.contains("there is no input 'y'"), "{}", e.message);
    }
}

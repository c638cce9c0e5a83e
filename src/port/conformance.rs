//! conformance: whether a worker does what the protocol says: the core, each ability that it declares, and that nothing it does stays.

use super::{Ability, Axis, Declared, Forward, From, Port, Tensors, outputs};
use crate::error::{Error, Result};
use crate::tensor::{DType, Tensor};
use crate::trace::file::Opened;

/// One thing that was tried.
pub struct Check {
    pub what: &'static str,
    pub found: Found,
}

/// What was seen.
pub enum Found {
    Passed(String),
    Failed(String),
    /// Why nobody could try it.
    NotTried(String),
}

/// What was seen, or how the worker fails.
type Tried = Result<std::result::Result<String, String>>;
/// A check that runs the network.
type Try = fn(&mut Port, &Tensors) -> Tried;

/// What is tried of every port, and of those that declare an ability.
const CHECKS: &[(&str, Option<Ability>, Try)] = &[
    ("forward", None, forward),
    ("repeats", None, repeats),
    ("leaves", None, leaves),
    ("load", None, load),
    ("f64", Some(Ability::F64), f64_in_truth),
    ("floors", Some(Ability::Floors), floors),
    ("isolation", Some(Ability::Isolation), isolation),
    ("losses", Some(Ability::Losses), losses),
    ("gradients", Some(Ability::Gradients), gradients),
    ("step", Some(Ability::Step), step),
    ("assign", Some(Ability::Assign), assign),
    ("postprocess", Some(Ability::Postprocess), postprocess),
];

/// Size of an axis that is open.
const OPEN: usize = 2;

/// Tries everything, and tells each check once it is done; what one fails at stops no other.
///
/// # Errors
/// The worker is gone; whoever is told refuses.
pub fn checks(port: &mut Port, mut tell: impl FnMut(&Check) -> Result<()>) -> Result<Vec<Check>> {
    let inputs = inputs(port);
    if let (Err(e), false) = (&inputs, port.is_alive()) {
        return Err(e.clone());
    }
    let found = match &inputs {
        Ok((_, whose)) => Found::Passed(whose.to_string()),
        Err(e) => Found::NotTried(e.message.clone()),
    };
    let mut done = vec![];
    let mut told = |check: Check| {
        tell(&check)?;
        done.push(check);
        Ok(())
    };
    let what = "inputs";
    told(Check { what, found })?;
    told(Check::of("parameters", parameters(port), port)?)?;
    for (what, ability, tried) in CHECKS {
        if ability.is_some_and(|a| !port.hello.can(a)) {
            continue;
        }
        told(match &inputs {
            Ok((inputs, _)) => Check::of(what, tried(port, inputs), port)?,
            Err(_) => Check {
                what,
                found: Found::NotTried("nothing to run it on".into()),
            },
        })?;
    }
    Ok(done)
}

impl Check {
    /// A worker that refuses has failed this check; one that is gone answers no other.
    fn of(what: &'static str, tried: Tried, port: &Port) -> Result<Self> {
        let found = match tried {
            Ok(Ok(seen)) if seen.is_empty() => Found::NotTried("the port has no targets()".into()),
            Ok(Ok(seen)) => Found::Passed(seen),
            Ok(Err(why)) => Found::Failed(why),
            Err(e) if !port.is_alive() => return Err(e),
            Err(e) => Found::Failed(e.message),
        };
        Ok(Self { what, found })
    }
}

/// The port's own inputs, else some of the declared dtypes and shapes; and whose they are.
fn inputs(port: &mut Port) -> Result<(Tensors, &'static str)> {
    if let Some(own) = port.inputs()? {
        return Ok((own, "the port's own"));
    }
    let declared = port.hello.inputs.clone();
    if declared.is_empty() {
        return Err(Error::failed(
            "the worker declares no inputs, and has none of its own",
        ));
    }
    let made = declared.iter().map(made_up).collect::<Result<_>>()?;
    Ok((made, "made up from what is declared"))
}

fn made_up(declared: &Declared) -> Result<(String, Tensor)> {
    let (Some(dtype), Some(shape)) = (declared.dtype, &declared.shape) else {
        let why = format!(
            "nothing is known of input '{}' but its name, and the port has no inputs()",
            declared.name
        );
        return Err(Error::failed(why));
    };
    let size = |axis: &Axis| match axis {
        Axis::Size(n) => *n,
        Axis::Open(_) => OPEN,
    };
    let shape: Vec<usize> = shape.iter().map(size).collect();
    let wave = |i: usize| {
        if dtype.is_float() {
            (i as f64).sin()
        } else {
            0.0
        }
    };
    let values: Vec<f64> = (0..crate::tensor::checked_numel(&shape)?)
        .map(wave)
        .collect();
    Ok((
        declared.name.clone(),
        Tensor::from_f64(dtype, &shape, &values)?,
    ))
}

fn parameters(port: &mut Port) -> Tried {
    let listed = port.parameters()?.parameters.unwrap_or_default();
    Ok(Ok(format!("{} with their values", listed.len())))
}

fn forward(port: &mut Port, inputs: &Tensors) -> Tried {
    let trace = port.forward(inputs, Forward::default())?;
    let (tensors, outputs) = (trace.ordered().len(), outputs(&trace)?.len());
    if outputs == 0 {
        return Ok(Err(
            "the call of the network itself (module '') lists no outputs".into(),
        ));
    }
    Ok(Ok(format!("{tensors} tensors, {outputs} of them outputs")))
}

fn repeats(port: &mut Port, inputs: &Tensors) -> Tried {
    let first = port.forward(inputs, Forward::default())?;
    let second = port.forward(inputs, Forward::default())?;
    Ok(same(&first, &second)?.map(|n| format!("two runs give the same bits, {n} tensors")))
}

/// A run in training, which moves statistics and draws random numbers, leaves nothing behind; nor does one that fails, as that of a detector that
/// wants targets then.
fn leaves(port: &mut Port, inputs: &Tensors) -> Tried {
    let (before, values) = (port.forward(inputs, Forward::default())?, values(port)?);
    let training = Forward {
        training: true,
        ..Forward::default()
    };
    let run = match port.forward(inputs, training) {
        Ok(_) => "a run in training".to_string(),
        Err(e) if port.is_alive() => format!("a run in training, which fails ({}),", e.message),
        Err(e) => return Err(e),
    };
    if let Some(moved) = values_differ(port, &values)? {
        return Ok(Err(format!("{run} left parameter '{moved}' changed")));
    }
    let after = port.forward(inputs, Forward::default())?;
    let found = same(&before, &after)?.map_err(|why| format!("behind {run} {why}"));
    Ok(found.map(|_| {
        let n = values.len();
        format!("{run} leaves {n} parameters and what is computed as they were")
    }))
}

/// Halved weights are loaded, read back and computed with; then the old ones.
fn load(port: &mut Port, inputs: &Tensors) -> Tried {
    let (before, values) = (port.forward(inputs, Forward::default())?, values(port)?);
    let other: Tensors = values
        .iter()
        .map(|(n, v)| Ok((n.clone(), halved(v)?)))
        .collect::<Result<_>>()?;
    let tried = load_and_compute(port, inputs, &other, &before);
    port.load(&values)?;
    if let Err(why) = tried? {
        return Ok(Err(why));
    }
    if let Some(name) = values_differ(port, &values)? {
        return Ok(Err(format!(
            "'{name}' was loaded again and reads back as something else"
        )));
    }
    let again = same(&before, &port.forward(inputs, Forward::default())?)?;
    let odd = [("no such parameter".to_string(), Tensor::of(&[1], &[1f32]))];
    let told = port.load(&odd.into())?;
    if told.unknown.len() != 1 {
        return Ok(Err(
            "a name that the network does not have is not told as unknown".into(),
        ));
    }
    Ok(again.map(|_| {
        format!(
            "{} values read back, and are what is computed with",
            values.len()
        )
    }))
}

fn load_and_compute(
    port: &mut Port,
    inputs: &Tensors,
    other: &Tensors,
    before: &Opened,
) -> Result<std::result::Result<(), String>> {
    let told = port.load(other)?;
    if let Some(name) = other.keys().find(|n| !told.loaded.contains(n)) {
        return Ok(Err(format!(
            "'{name}', a parameter of its own, was not loaded"
        )));
    }
    if let Some(name) = values_differ(port, other)? {
        return Ok(Err(format!(
            "'{name}' was loaded and reads back as something else"
        )));
    }
    let changes = other.values().any(|v| v.dtype().is_float());
    let after = port.forward(inputs, Forward::default())?;
    Ok(match changes && same_outputs(before, &after)? {
        true => Err("with all weights halved it computes the same: what is loaded is not what it computes with".into()),
        false => Ok(()),
    })
}

fn halved(value: &Tensor) -> Result<Tensor> {
    if !value.dtype().is_float() {
        return Ok(value.clone());
    }
    let half: Vec<f64> = value.to_f64().iter().map(|v| v / 2.0).collect();
    Tensor::from_f64(value.dtype(), value.shape(), &half)
}

/// Every float tensor is f64, and not all of them hold what f32 could hold too.
fn f64_in_truth(port: &mut Port, inputs: &Tensors) -> Tried {
    let trace = port.forward(
        inputs,
        Forward {
            f64: true,
            ..Forward::default()
        },
    )?;
    let (mut count, mut fine) = (0, false);
    for name in trace.ordered() {
        let (dtype, _) = trace.attributes(name)?;
        if dtype.is_float() && dtype != DType::F64 {
            return Ok(Err(format!("'{name}' is {dtype} in a run in f64")));
        }
        let is_input = inputs.contains_key(name);
        if let Some(tensor) = trace
            .tensor(name)?
            .filter(|t| !is_input && t.dtype() == DType::F64)
        {
            count += 1;
            fine |= tensor
                .to_f64()
                .iter()
                .any(|v| f64::from(*v as f32) != *v && v.is_finite());
        }
    }
    Ok(match fine || count == 0 {
        true => Ok(format!("{count} tensors, with digits that f32 has not")),
        false => Err(format!(
            "all {count} tensors hold numbers of f32: it computes in f32 and widens"
        )),
    })
}

fn floors(port: &mut Port, inputs: &Tensors) -> Tried {
    let trace = port.forward(
        inputs,
        Forward {
            floors: true,
            ..Forward::default()
        },
    )?;
    let header = trace.header.as_ref().map(|h| &h.tensors);
    let (mut with, mut all, mut why_not) = (0, 0, None);
    for (name, entry) in header.into_iter().flatten() {
        if !trace.attributes(name)?.0.is_float() {
            continue;
        }
        all += 1;
        match (&entry.floor, &entry.no_floor) {
            (Some(_), _) => with += 1,
            (None, Some(why)) => why_not = Some(why.clone()),
            (None, None) => {
                let why = format!("'{name}' has neither a floor nor a reason for having none");
                return Ok(Err(why));
            }
        }
    }
    Ok(match why_not {
        Some(why) if with == 0 => Err(format!("no tensor has one: {why}")),
        _ => Ok(format!(
            "{with} of {all} tensors have one, the others say why not"
        )),
    })
}

/// Every part alone, on what it was given in the run, gives what it gave in it; on something else, something else.
fn isolation(port: &mut Port, inputs: &Tensors) -> Tried {
    let made = computed(&port.forward(inputs, Forward::default())?)?;
    let Some(alone) = port.isolated(inputs, &made, Forward::default())? else {
        return Ok(Err("it declares isolation and does not do it".into()));
    };
    if let Some(name) = differing(&made, &alone)? {
        return Ok(Err(format!("'{name}' alone is not what it was in the run")));
    }
    let header = alone.header.as_ref();
    let handed_on: &[String] = header.map_or(&[], |h| &h.replayed);
    let held = handed_on.iter().filter_map(|n| made.get(n));
    if !held.clone().any(|v| v.dtype().is_float()) {
        return Ok(Err("it hands on nothing of what is given".into()));
    }
    let halves = made.iter().map(|(n, v)| Ok((n.clone(), halved(v)?)));
    let halves: Tensors = halves.collect::<Result<_>>()?;
    let alone = port.isolated(inputs, &halves, Forward::default())?;
    let moved = alone.map_or(Ok(None), |a| differing(&made, &a))?;
    Ok(match moved.is_some() || made.len() == 1 {
        true => Ok(format!(
            "{} of {} tensors are handed on as they are given, and each is what it was in the run",
            held.count(),
            made.len()
        )),
        false => Err("parts that are given other values give the same".into()),
    })
}

/// What a run made, without what it was fed.
fn computed(trace: &Opened) -> Result<Tensors> {
    let fed = trace.header.as_ref().map(|h| &h.inputs);
    let made = trace.ordered().into_iter();
    let made = made.filter(|n| !fed.is_some_and(|fed| fed.contains_key(*n)));
    let read = |name: &str| Ok(trace.tensor(name)?.map(|t| (name.to_string(), t)));
    made.filter_map(|n| read(n).transpose()).collect()
}

/// The first tensor that is another one in `trace`.
fn differing(made: &Tensors, trace: &Opened) -> Result<Option<String>> {
    for (name, value) in made {
        if !equal(Some(value), trace.tensor(name)?.as_ref()) {
            return Ok(Some(name.clone()));
        }
    }
    Ok(None)
}

fn losses(port: &mut Port, inputs: &Tensors) -> Tried {
    let Some(targets) = port.targets()? else {
        return Ok(Ok(String::new()));
    };
    let returned = outputs(&port.forward(inputs, Forward::default())?)?;
    let (first, second) = (
        port.losses(&returned, &targets, false)?,
        port.losses(&returned, &targets, false)?,
    );
    let (Some(first), Some(second)) = (first, second) else {
        return Ok(Err("it declares losses and does not compute them".into()));
    };
    let terms: Vec<&str> = first.names().filter(|n| n.starts_with("loss.")).collect();
    Ok(match terms.is_empty() {
        true => Err("no tensor is called loss.TERM".into()),
        false => same(&first, &second)?.map(|_| terms.join(", ")),
    })
}

fn gradients(port: &mut Port, inputs: &Tensors) -> Tried {
    let Some(targets) = port.targets()? else {
        return Ok(Ok(String::new()));
    };
    let Some(trace) = port.gradients(inputs, &targets, Forward::default())? else {
        return Ok(Err("it declares gradients and does not compute them".into()));
    };
    let terms: Vec<&str> = trace
        .names()
        .filter_map(|n| n.strip_prefix("loss."))
        .filter(|t| !t.contains('.'))
        .collect();
    let trained = trace
        .parameters
        .iter()
        .flatten()
        .filter(|p| p.trainable == Some(true));
    for param in trained {
        let missing = terms.iter().find(|term| {
            trace
                .attributes(&format!("grad.{term}.{}", param.name))
                .is_err()
        });
        if let Some(term) = missing {
            return Ok(Err(format!("there is no 'grad.{term}.{}'", param.name)));
        }
    }
    let count = trace.names().filter(|n| n.starts_with("grad.")).count();
    Ok(match count {
        0 => Err("no tensor is called grad.TERM.NAME".into()),
        n => Ok(format!("{n} of the terms {}", terms.join(", "))),
    })
}

/// Two steps: the first moves a parameter and is the same again, the second goes on from it, and neither stays.
fn step(port: &mut Port, inputs: &Tensors) -> Tried {
    let Some(targets) = port.targets()? else {
        return Ok(Ok(String::new()));
    };
    let values = values(port)?;
    let Some(start) = port.state()? else {
        return Ok(Err("it declares 'step' without 'state'".into()));
    };
    let mut from = |state: &Tensors, step| {
        let from = From {
            state,
            inputs,
            targets: &targets,
            step,
        };
        port.step(&from, false).map(Option::unwrap_or_default)
    };
    let (first, again) = (from(&start, 0)?, from(&start, 0)?);
    let second = from(&first, 1)?;
    if let Some(name) = first.keys().find(|n| !equal(first.get(*n), again.get(*n))) {
        return Ok(Err(format!("'{name}' is another one the second time")));
    }
    let lacks = |of: &str| !first.keys().any(|n| n.starts_with(of));
    if let Some(of) = ["loss.", "grad."].into_iter().find(|of| lacks(of)) {
        return Ok(Err(format!("no tensor of a step is called {of}NAME")));
    }
    if let Some(name) = start.keys().find(|n| !first.contains_key(*n)) {
        return Ok(Err(format!(
            "'{name}' of the state is not among what a step leads to"
        )));
    }
    // Statistics move without an optimiser.
    let trained = first.keys().filter_map(|n| n.strip_prefix("grad."));
    let trained: Vec<String> = trained.map(|n| format!("value.{n}")).collect();
    let moves = |a: &Tensors, b: &Tensors| trained.iter().any(|n| !equal(a.get(n), b.get(n)));
    if !moves(&start, &first) || !moves(&first, &second) {
        return Ok(Err("a step moves no parameter".into()));
    }
    if let Some(name) = values_differ(port, &values)? {
        return Ok(Err(format!("a step left parameter '{name}' changed")));
    }
    let count = trained.len();
    Ok(Ok(format!(
        "moves {count} parameters, twice the same, and none stays so"
    )))
}

fn assign(port: &mut Port, inputs: &Tensors) -> Tried {
    let Some(targets) = port.targets()? else {
        return Ok(Ok(String::new()));
    };
    let returned = outputs(&port.forward(inputs, Forward::default())?)?;
    twice(|| port.assign(&returned, &targets))
}

fn postprocess(port: &mut Port, inputs: &Tensors) -> Tried {
    let returned = outputs(&port.forward(inputs, Forward::default())?)?;
    twice(|| port.postprocess(&returned))
}

/// A function of the port's gives something, and the same again.
fn twice(mut asked: impl FnMut() -> Result<Option<Tensors>>) -> Tried {
    let (Some(first), Some(second)) = (asked()?, asked()?) else {
        return Ok(Err("it declares this and does not do it".into()));
    };
    let moved = first
        .iter()
        .find(|(name, t)| !equal(Some(t), second.get(*name)));
    Ok(match moved {
        Some((name, _)) => Err(format!("'{name}' is another one the second time")),
        None if first.is_empty() => Err("it returned no tensor".into()),
        None => Ok(first.keys().cloned().collect::<Vec<_>>().join(", ")),
    })
}

/// How many tensors both have with the same bits, or the first that they have not.
fn same(a: &Opened, b: &Opened) -> Result<std::result::Result<usize, String>> {
    for name in a.names().chain(b.names()) {
        if !equal(a.tensor(name)?.as_ref(), b.tensor(name)?.as_ref()) {
            return Ok(Err(format!(
                "tensor '{name}' is another one the second time"
            )));
        }
    }
    Ok(Ok(a.names().count()))
}

fn same_outputs(a: &Opened, b: &Opened) -> Result<bool> {
    let (a, b) = (outputs(a)?, outputs(b)?);
    Ok(a.iter().all(|(name, t)| equal(Some(t), b.get(name))))
}

fn equal(a: Option<&Tensor>, b: Option<&Tensor>) -> bool {
    let parts = |t: &Tensor| (t.dtype(), t.shape().to_vec(), t.bytes().to_vec());
    a.map(parts) == b.map(parts)
}

/// Values of every parameter.
fn values(port: &mut Port) -> Result<Tensors> {
    let trace = port.parameters()?;
    let listed = trace.parameters.iter().flatten();
    let read = |name: &str| Ok(trace.parameter_value(name)?.map(|v| (name.to_string(), v)));
    listed.filter_map(|p| read(&p.name).transpose()).collect()
}

/// The first parameter whose value is not the one in `wanted`.
fn values_differ(port: &mut Port, wanted: &Tensors) -> Result<Option<String>> {
    let now = values(port)?;
    let other = wanted
        .iter()
        .find(|(name, v)| !equal(Some(v), now.get(*name)));
    Ok(other.map(|(name, _)| name.clone()))
}

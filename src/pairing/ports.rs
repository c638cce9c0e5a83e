//! ports: declared inputs and outputs pair by what the user says, by name, or by position; never by value.

use crate::error::{Error, Result, hint};
use crate::graph::{Graph, Port, names};
use crate::input;
use std::collections::HashSet;

/// (reference, candidate) for each declared input.
///
/// # Errors
/// Another number of inputs, or shapes that cannot be the same.
pub fn inputs(
    ours: &[Port],
    theirs: &[Port],
    named: &[(String, String)],
) -> Result<Vec<(String, String)>> {
    declared("input", ours, theirs, named)
}

/// The same for outputs.
///
/// # Errors
/// As `inputs`.
pub fn outputs(
    ours: &[Port],
    theirs: &[Port],
    named: &[(String, String)],
) -> Result<Vec<(String, String)>> {
    declared("output", ours, theirs, named)
}

/// The names as the reference's first, whichever way round they were said.
///
/// # Errors
/// A pair of which neither way round is one tensor of either side.
pub fn turned(
    ours: &Graph,
    theirs: &Graph,
    named: &[(String, String)],
) -> Result<Vec<(String, String)>> {
    let (ours, theirs): (HashSet<&str>, HashSet<&str>) =
        (names(ours).collect(), names(theirs).collect());
    let is = |x: &str, y: &str| ours.contains(x) && theirs.contains(y);
    let one = |(a, b): &(String, String)| match (is(a, b), is(b, a)) {
        (true, _) => Ok((a.clone(), b.clone())),
        (false, true) => Ok((b.clone(), a.clone())),
        (false, false) => {
            let (side, word, known) = match ours.contains(a.as_str()) {
                true => ("candidate", b, &theirs),
                false => ("reference", a, &ours),
            };
            let said = format!("--rename {a}={b}: the {side} has no tensor '{word}'");
            Err(Error::usage(said).next(hint(word, known.iter().copied())))
        }
    };
    let mut all: Vec<(String, String)> = vec![];
    for (a, b) in named {
        match (a.strip_suffix('*'), b.strip_suffix('*')) {
            (Some(from), Some(to)) => all.extend(begun([&ours, &theirs], from, to)?),
            _ => all.push(one(&(a.clone(), b.clone()))?),
        }
    }
    Ok(all)
}

/// Every name that begins like this, with that of the other side that goes on alike.
fn begun(
    [ours, theirs]: [&HashSet<&str>; 2],
    from: &str,
    to: &str,
) -> Result<Vec<(String, String)>> {
    let pairs = |from: &str, to: &str| {
        let other = |name: &&&str| {
            let rest = name.strip_prefix(from)?;
            let other = format!("{to}{rest}");
            theirs.contains(other.as_str()).then_some(other)
        };
        let pair = |name: &&str| Some((name.to_string(), other(&name)?));
        let mut pairs: Vec<(String, String)> = ours.iter().filter_map(pair).collect();
        pairs.sort();
        pairs
    };
    let found = [pairs(from, to), pairs(to, from)].into_iter();
    let said = || Error::usage(format!("--rename {from}*={to}*: no such pair of tensors"));
    found.into_iter().find(|p| !p.is_empty()).ok_or_else(said)
}

fn declared(
    what: &str,
    ours: &[Port],
    theirs: &[Port],
    named: &[(String, String)],
) -> Result<Vec<(String, String)>> {
    let names = |ports: &[Port]| ports.iter().map(|p| p.name.clone()).collect::<Vec<_>>();
    let told = |names: &[String], ports: &[Port]| -> String {
        let port = |n: &String| ports.iter().find(|p| p.name == *n).map_or(n.clone(), shown);
        names.iter().map(port).collect::<Vec<_>>().join(", ")
    };
    let (ports, (mut ours, mut theirs)) = ((ours, theirs), (names(ours), names(theirs)));
    let mut pairs: Vec<(String, String)> = vec![];
    pairs.extend(
        named
            .iter()
            .filter(|(x, y)| ours.contains(x) && theirs.contains(y))
            .cloned(),
    );
    let own: HashSet<String> = theirs.iter().cloned().collect();
    let free =
        |pairs: &[(String, String)], x: &String| !pairs.iter().any(|(a, b)| a == x || b == x);
    ours.retain(|x| free(&pairs, x));
    theirs.retain(|y| free(&pairs, y));
    let same: Vec<String> = ours.iter().filter(|x| own.contains(*x)).cloned().collect();
    pairs.extend(same.iter().map(|x| (x.clone(), x.clone())));
    ours.retain(|x| !same.contains(x));
    theirs.retain(|y| !same.contains(y));
    if ours.len() != theirs.len() {
        let forms = match what {
            "output" => {
                "; a detector in training form gives maps, scores and distances where its inference form gives one decoded tensor: take both in one form"
            }
            _ => "",
        };
        return Err(Error::usage(format!(
            "the two declare other {what}s: only the reference has {}, only the candidate {}{forms}",
            told(&ours, ports.0),
            told(&theirs, ports.1)
        ))
        .next("say which is which: --rename REFERENCE=CANDIDATE"));
    }
    pairs.extend(ours.into_iter().zip(theirs));
    Ok(pairs)
}

/// "'boxes' [1, 4, N]".
fn shown(port: &Port) -> String {
    let shape = port.shape.as_ref();
    let shape = shape.map_or(String::new(), |s| format!(" {}", input::show(s)));
    format!("'{}'{shape}", port.name)
}

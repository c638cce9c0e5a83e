//! recordings: two recorded traces, tensor by tensor: exact names and declared renames, leftovers listed, floors from the recording; behind them the
//! stages of a training step.

mod assigned;
mod both;
mod buffers;
mod forms;
mod gradients;
mod ledger;
mod pair;
mod stages;
mod steps;
mod third;

use crate::compare::{LOOKS, Look, Tolerance, look};
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::judge::expectation;
use crate::prepare::plan::patterns;
use crate::run::Run;
use crate::scenario::{Expect, Training};
use crate::trace::Entry;
use crate::trace::file::Opened;
use crate::verdict::{
    Ancestry, Expectation, Finding, Outcome, Required, TensorResult, decide, ledger,
};
use both::Both;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What the tensors are held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// The floors that the recording carries.
    Floors,
    Stated(Tolerance),
    /// Nothing: the metrics are shown.
    ReportOnly,
}

/// What of two recordings is compared, and how.
pub struct Asked<'a> {
    pub mode: Mode,
    /// Tensor of the reference -> its name in the candidate.
    pub rename: &'a BTreeMap<String, String>,
    /// Patterns of the tensors that are compared; everything where none is stated.
    pub only: &'a [String],
    /// How the reference calls what belongs to training, and the kernel that is asked for a third opinion.
    pub training: Option<&'a Training>,
    pub expect: Expect,
}

/// Compares every tensor of `reference` with its namesake (or declared rename) in `candidate`.
pub fn compare(
    reference: &Opened,
    candidate: &Opened,
    names: &(String, String),
    asked: Asked,
) -> Result<Run> {
    let Asked {
        mode,
        rename,
        only,
        training,
        expect,
    } = asked;
    let both = Both::new(reference, candidate, rename, training, mode);
    for (ours, theirs) in rename {
        if !reference.names().any(|n| n == ours) || !candidate.names().any(|n| n == theirs) {
            return Err(Error::usage(format!(
                "--rename {ours}={theirs}: no such pair of tensors"
            )));
        }
    }
    let mut order = reference.ordered();
    let known: Vec<String> = order.iter().map(|n| n.to_string()).collect();
    let only = patterns("--only", only, &known.iter().collect::<Vec<_>>())?;
    order.retain(|n| only.is_empty() || only.iter().any(|p| p.matches(n)));
    paired_once(candidate, &order, rename)?;
    let (mut tensors, mut forms) = (Vec::new(), Vec::new());
    for (step, name) in order.iter().enumerate() {
        let (result, form) = pair::judged(&both, step, name)?;
        tensors.push(result);
        forms.extend(form);
    }
    let whole = only.is_empty() && mode != Mode::ReportOnly;
    let found = if whole {
        stages::found(&both, &mut tensors)?
    } else {
        None
    };
    let all = reference.ordered();
    let unused = |n: &&str| !all.contains(n) && !rename.values().any(|v| v == n);
    let leftovers = candidate
        .names()
        .filter(unused)
        .map(str::to_string)
        .collect();
    let mut verdict = decide(
        &tensors,
        &ancestry(reference, &order),
        &[],
        mismatched_inputs(reference, candidate),
    );
    verdict.ordered = reference.header.is_some();
    let mut found = found.unwrap_or_default();
    found.stages.notes.extend(forms);
    let lists = [reference, candidate].map(|t| t.parameters.as_deref());
    found.stages.notes.extend(buffers::said(lists));
    verdict.conclude(found.verdicts);
    if mode == Mode::ReportOnly {
        // What was not judged neither agrees nor diverges.
        verdict.outcome = Outcome::Nothing;
    }
    let ledger = ledger(
        &tensors,
        leftovers,
        &Required {
            excused: &|_| false,
            outputs: HashSet::new(),
            may_lack: false,
        },
    );
    let expected = match mode {
        Mode::ReportOnly => Expectation {
            exit: Exit::Uncovered,
            unmet: vec!["nothing was judged (--report-only)".into()],
        },
        Mode::Floors | Mode::Stated(_) => {
            expectation(&expect, &verdict, &ledger, &|_| HashSet::new())
        }
    };
    let graph_inputs = order
        .iter()
        .filter_map(|n| entry(reference, n))
        .map(|e| (e.node.clone(), e.inputs.clone()))
        .collect();
    let environment = environment(reference, candidate, names);
    let looks = looks(reference, candidate, rename, &tensors)?;
    let run = Run {
        tensors,
        graph_inputs,
        stages: found.stages,
        looks,
        ..Run::bare(environment, verdict, expected, ledger)
    };
    Ok(run.told())
}

/// What the first tensors that are off look like.
fn looks(
    reference: &Opened,
    candidate: &Opened,
    rename: &BTreeMap<String, String>,
    tensors: &[TensorResult],
) -> Result<Vec<Look>> {
    let over = tensors.iter().filter(|t| t.accumulated.over());
    let mut all = vec![];
    for t in over.take(LOOKS) {
        let theirs = rename.get(&t.name).unwrap_or(&t.name);
        let both = (reference.tensor(&t.name)?, candidate.tensor(theirs)?);
        if let (Some(r), Some(c)) = both {
            all.extend(look(&t.name, r.view(), c.view(), false));
        }
    }
    Ok(all)
}

/// No tensor of the candidate stands for two of the reference: renames must not fold two names into one.
fn paired_once(
    candidate: &Opened,
    order: &[&str],
    rename: &BTreeMap<String, String>,
) -> Result<()> {
    let mut taken: HashMap<&str, &str> = HashMap::new();
    for ours in order {
        let theirs = rename.get(*ours).map_or(*ours, String::as_str);
        if let Some(other) = taken
            .insert(theirs, ours)
            .filter(|_| candidate.names().any(|n| n == theirs))
        {
            return Err(Error::usage(format!(
                "--rename: candidate tensor '{theirs}' is paired with both '{other}' and '{ours}'"
            )));
        }
    }
    Ok(())
}

fn entry<'a>(trace: &'a Opened, name: &str) -> Option<&'a Entry> {
    trace.header.as_ref()?.tensors.get(name)
}

fn ancestry(reference: &Opened, order: &[&str]) -> Ancestry {
    let at: HashMap<&str, usize> = order.iter().enumerate().map(|(i, n)| (*n, i)).collect();
    let parents = |i: usize, n: &&str| {
        entry(reference, n).map_or(vec![], |e| {
            e.inputs
                .iter()
                .filter_map(|p| at.get(p.as_str()).copied())
                .filter(|p| *p < i)
                .collect()
        })
    };
    Ancestry(
        order
            .iter()
            .enumerate()
            .map(|(i, n)| parents(i, n))
            .collect(),
    )
}

fn mismatched_inputs(reference: &Opened, candidate: &Opened) -> Vec<Finding> {
    let (Some(a), Some(b)) = (&reference.header, &candidate.header) else {
        return vec![];
    };
    let differs =
        |(name, digest): &(&String, &String)| b.inputs.get(*name).is_some_and(|d| d != *digest);
    a.inputs
        .iter()
        .filter(differs)
        .map(|(name, _)| {
            let what = format!("input '{name}' differs between the recordings");
            Finding::new("input", name, what)
        })
        .collect()
}

fn environment(reference: &Opened, candidate: &Opened, names: &(String, String)) -> Environment {
    let who = |t: &Opened, path: &str| match &t.header {
        Some(h) => format!("recorded {path} ({})", h.subject),
        None => format!("recorded {path}"),
    };
    Environment {
        parity: env!("CARGO_PKG_VERSION").into(),
        reference: who(reference, &names.0),
        candidate: who(candidate, &names.1),
        shadow: None,
        threads: 1,
        os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        cpu: String::new(),
        model_digest: String::new(),
    }
}

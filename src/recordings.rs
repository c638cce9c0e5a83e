//! recordings: two recorded traces, tensor by tensor: exact names and declared renames, leftovers listed, floors from the recording.

use crate::compare::{
    Comparison, Look, Tolerance, compare as compare_tensors, judge as judge_stated, look,
};
use crate::environment::Environment;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::floor::noise::{Floor, axis_for};
use crate::judge::expectation;
use crate::judge::{Limit, against};
use crate::prepare::plan::patterns;
use crate::run::Run;
use crate::scenario::Expect;
use crate::tensor::Tensor;
use crate::trace::Entry;
use crate::trace::file::Opened;
use crate::verdict::{
    Accumulated, Ancestry, Expectation, Finding, Isolated, Outcome, Required, TensorResult,
    ToleranceBy, Why, decide, ledger,
};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

/// What a floor that the candidate brings may be at most, in units of a channel's root mean square.
const CAP: f64 = 1e-3;

/// Tensors that are looked at.
const LOOKS: usize = 4;

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
        expect,
    } = asked;
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
    let mut tensors = Vec::new();
    for (step, name) in order.iter().enumerate() {
        let theirs = rename.get(*name).map_or(*name, String::as_str);
        tensors.push(one(reference, candidate, step, name, theirs, mode)?);
    }
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

fn one(
    reference: &Opened,
    candidate: &Opened,
    step: usize,
    name: &str,
    theirs: &str,
    mode: Mode,
) -> Result<TensorResult> {
    let known = entry(reference, name);
    let (a, b) = (reference.tensor(name)?, candidate.tensor(theirs)?);
    let accumulated = match (&a, &b) {
        (Some(a), Some(b)) => judge(a, b, (known, entry(candidate, theirs)), mode),
        _ => Accumulated::NotJudged {
            why: Why::Missing(format!("the candidate has no tensor '{theirs}'")),
        },
    };
    Ok(TensorResult {
        name: name.to_string(),
        node: known.map_or(name.to_string(), |e| e.node.clone()),
        op: known.map_or(String::new(), |e| e.op.clone()),
        step,
        dtype: a.as_ref().map(Tensor::dtype),
        shape: a.as_ref().map_or(vec![], |t| t.shape().to_vec()),
        macs: 0,
        accumulated,
        isolated: Isolated::NotJudged {
            why: Why::NotTested(
                "own fault not tested (recorded): two recordings, and no graph to run".into(),
            ),
        },
        repeat_noise: None,
        inside: None,
    })
}

/// The floor that a pair is held against and whose it is, or why there is none.
fn floor_of<'a>(
    known: Option<&'a Entry>,
    theirs: Option<&'a Entry>,
    a: &Tensor,
) -> std::result::Result<(Cow<'a, Floor>, ToleranceBy), &'static str> {
    let own = |e: Option<&'a Entry>| e.and_then(|e| e.floor.as_ref());
    match (own(known), own(theirs)) {
        (Some(floor), _) if !floor.fits(a) => {
            Err("the floor that was recorded for it does not fit it")
        }
        (Some(floor), _) => Ok((
            Cow::Borrowed(floor),
            ToleranceBy::Noise { runs: floor.runs },
        )),
        (None, Some(floor)) if !floor.fits(a) => {
            Err("the floor that the candidate brings does not fit it")
        }
        // A port must not bring its own tolerance.
        (None, Some(floor)) => Ok((
            Cow::Owned(floor.capped(a, CAP)),
            ToleranceBy::CandidateNoise { runs: floor.runs },
        )),
        (None, None) => Err("no floor was recorded for it"),
    }
}

fn judge(
    a: &Tensor,
    b: &Tensor,
    (known, theirs): (Option<&Entry>, Option<&Entry>),
    mode: Mode,
) -> Accumulated {
    let comparison = compare_tensors(a.view(), b.view(), axis_for(a.shape()));
    let held = |limit: Limit, comparison: Comparison, by| {
        Accumulated::of(against(&comparison, limit), comparison, by, 0.0)
    };
    match mode {
        Mode::Stated(t) => {
            let ratio = judge_stated(a.view(), b.view(), &t).ratio();
            Accumulated::Compared {
                comparison,
                ratio,
                by: ToleranceBy::Stated,
            }
        }
        // The ratio says how far; --report-only judges nothing.
        Mode::ReportOnly => Accumulated::Compared {
            comparison,
            ratio: 0.0,
            by: ToleranceBy::Unjudged,
        },
        Mode::Floors if !a.dtype().is_float() || comparison.identical() => held(
            Limit::Exact { proved: None },
            comparison,
            ToleranceBy::Exact,
        ),
        Mode::Floors => match floor_of(known, theirs, a) {
            Ok((floor, by)) => held(Limit::Spread(&floor), comparison, by),
            Err(why) => held(Limit::Unknown(why), comparison, ToleranceBy::Exact),
        },
    }
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

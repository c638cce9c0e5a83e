//! record: recorded traces into a golden: small tensors whole, large ones sketched, all with their digests.

use super::sketch::{self, Settings};
use super::{Facts, Golden, Held, Value};
use crate::digest;
use crate::error::{Error, Result};
use crate::graph::param::Param;
use crate::tensor::Tensor;
use crate::trace::Entry;
use crate::trace::file::Opened;
use indexmap::IndexMap;
use wildmatch::WildMatch;

/// How a golden is made of traces.
pub struct Rule {
    /// Tensors of at most this many elements are kept whole.
    pub full: usize,
    /// Tensors of these names are kept whole however large they are.
    pub whole: Vec<WildMatch>,
    pub settings: Settings,
}

/// One golden of all `traces`, each with the name that it is called by in messages; `facts` that the user did not state are the recordings'.
pub fn golden(traces: &[(String, Opened)], mut facts: Facts, rule: &Rule) -> Result<Golden> {
    let mut tensors = IndexMap::new();
    for (path, trace) in traces {
        state(&mut facts, path, trace)?;
        for name in trace.ordered() {
            let Some(tensor) = trace.tensor(name)? else {
                continue;
            };
            let entry = trace.header.as_ref().and_then(|h| h.tensors.get(name));
            if tensors
                .insert(name.to_string(), held(name, tensor, entry, rule))
                .is_some()
            {
                return Err(Error::usage(format!(
                    "trace {path}: tensor '{name}' is in another trace too"
                ))
                .next("bless them into two goldens"));
            }
        }
    }
    if tensors.is_empty() {
        return Err(Error::uncovered(
            "the traces hold no tensor: a golden of nothing would prove nothing",
        ));
    }
    Ok(Golden {
        facts,
        settings: rule.settings,
        tensors,
        parameters: parameters(traces)?,
    })
}

/// `tensor` as a golden keeps it.
pub fn held(name: &str, tensor: Tensor, entry: Option<&Entry>, rule: &Rule) -> Held {
    let sha256 = digest::of_bytes(tensor.bytes());
    let whole = tensor.numel() <= rule.full || rule.whole.iter().any(|p| p.matches(name));
    let value = if whole {
        Value::Full(tensor)
    } else {
        Value::Sketch(sketch::of(tensor.view(), rule.settings))
    };
    Held {
        sha256,
        value,
        entry: entry.cloned(),
    }
}

/// Adds what the header of one trace says.
fn state(facts: &mut Facts, path: &str, trace: &Opened) -> Result<()> {
    let Some(header) = &trace.header else {
        return Ok(());
    };
    if facts.subject.is_empty() {
        facts.subject = header.subject.clone();
    } else if facts.subject != header.subject {
        return Err(Error::usage(format!(
            "trace {path}: recorded by '{}', the other by '{}'",
            header.subject, facts.subject
        ))
        .next("one golden is one subject: bless them into two goldens"));
    }
    if facts.command.is_empty() {
        facts.command = header.command.clone();
    }
    facts.threads = facts.threads.or(header.threads);
    facts.seed = facts.seed.or(header.seed);
    for (name, version) in &header.versions {
        let stated = facts.versions.entry(name.clone());
        stated.or_insert_with(|| version.clone());
    }
    for (name, digest) in &header.inputs {
        let before = facts.inputs.insert(name.clone(), digest.clone());
        if before.is_some_and(|b| b != *digest) {
            return Err(Error::usage(format!(
                "trace {path}: input '{name}' is not the one that the other trace was recorded with"
            )));
        }
    }
    Ok(())
}

/// The parameters that the traces list; two lists must be the same.
fn parameters(traces: &[(String, Opened)]) -> Result<Option<Vec<Param>>> {
    let mut lists = traces
        .iter()
        .filter_map(|(path, t)| t.parameters.as_ref().map(|list| (path, list)));
    let Some((first, list)) = lists.next() else {
        return Ok(None);
    };
    match lists.find(|(_, other)| *other != list) {
        Some((path, _)) => Err(Error::usage(format!(
            "traces {first} and {path} list different parameters"
        ))),
        None => Ok(Some(list.clone())),
    }
}

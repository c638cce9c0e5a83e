//! inputs: stage 0: both subjects are fed the same bits, or preprocessing is blamed first.

use crate::digest;
use crate::golden::Golden;
use crate::graph::Graph;
use crate::judge::stage::golden::{Report, Witnessed};
use crate::subject::{Engines, Session};
use crate::tensor::Tensor;
use crate::trace::InputRecord;
use crate::verdict::Finding;
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::path::Path;

/// Inputs with their digests.
pub fn records(inputs: &IndexMap<String, Tensor>) -> Vec<InputRecord> {
    let record = |(name, t): (&String, &Tensor)| InputRecord {
        name: name.clone(),
        dtype: t.dtype(),
        shape: t.shape().to_vec(),
        sha256: digest::of_tensor(t),
    };
    inputs.iter().map(record).collect()
}

/// How many inputs are known to be the same on both sides: fed to a live subject, or recorded with this digest.
pub fn proved(sessions: &[&dyn Session], records: &[InputRecord]) -> usize {
    let same = |s: &&dyn Session, r: &InputRecord| {
        s.can_isolate()
            || s.recorded_inputs()
                .get(&r.name)
                .is_some_and(|d| *d == r.sha256)
    };
    records
        .iter()
        .filter(|r| sessions.iter().all(|s| same(s, r)))
        .count()
}

/// What a recording was fed that this run is not; `recorded` holds its digests by input name.
pub fn mismatches(recorded: &BTreeMap<String, String>, records: &[InputRecord]) -> Vec<Finding> {
    let differs = |r: &&InputRecord| {
        recorded
            .get(&r.name)
            .is_some_and(|digest| *digest != r.sha256)
    };
    let say = |r: &InputRecord| {
        let what = format!(
            "input '{}' is not the one that was recorded (sha256 {} here)",
            r.name, r.sha256
        );
        Finding::new("input", &*r.name, what)
    };
    records.iter().filter(differs).map(say).collect()
}

/// What is said of a golden beside this run.
pub fn beside(
    golden: &Golden,
    folder: Option<&Path>,
    tensors: Vec<Witnessed>,
    engines: Engines,
) -> Report {
    let here = engines.torch.map(|t| t.version());
    let other = golden
        .facts
        .versions
        .get("torch")
        .zip(here)
        .filter(|(then, now)| *then != now);
    Report {
        folder: folder.map_or(String::new(), |p| p.display().to_string()),
        subject: golden.facts.subject.clone(),
        command: golden.facts.command.clone(),
        versions: golden.facts.versions.clone(),
        other_versions: other
            .map(|(then, now)| format!("recorded with torch {then}, libtorch is {now} here")),
        tensors,
    }
}

/// Tensors of the golden that nothing in the graph pairs with; gradients pair with parameters.
pub fn unpaired(golden: &Golden, graph: &Graph) -> Vec<String> {
    let produced = graph.producers();
    let known = |n: &str| {
        produced.contains_key(n)
            || n.starts_with("grad.")
            || graph.inputs.iter().any(|p| p.name == n)
    };
    golden
        .tensors
        .keys()
        .filter(|n| !known(n))
        .map(|n| format!("golden: {n}"))
        .collect()
}

//! extract: `parity run ... --extract DIR`: the first node at fault as a folder that can be replayed, or sent to those who wrote the engine.

use crate::cause::fault;
use crate::error::{Result, printable};
use crate::graph::{cut, load, observe};
use crate::pipeline;
use crate::prepare::inputs;
use crate::run::Run;
use crate::run::headline::headline;
use crate::scenario::{Expect, Input, Limit, Scenario, Stage, Subject, load as scenarios};
use crate::subject::{Engines, open};
use crate::tensor::Tensor;
use crate::text::number;
use crate::trace::write::{Writer, replace};
use crate::trace::{Entry, FORMAT, Header};
use crate::walk::extract::{self, Extracted};
use crate::watch::Silent;
use indexmap::IndexMap;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The files of the folder.
const MODEL: &str = "node.onnx";
const INPUTS: &str = "inputs.safetensors";
const REFERENCE: &str = "reference.safetensors";
const CANDIDATE: &str = "candidate.safetensors";
const REPLAY: &str = "replay.toml";

/// Writes the first node at fault of `run` into `folder`; what was done, in one line.
pub fn command(scenario: &Scenario, run: &Run, folder: &Path, engines: Engines) -> Result<String> {
    let tensor = match extract::place(&run.verdict) {
        Ok(tensor) => tensor,
        Err(why) => {
            return Ok(format!(
                "extract     nothing written to {}: {why}\n",
                folder.display()
            ));
        }
    };
    let found = extract::run(scenario, engines, tensor)?;
    write(scenario, run, &found, folder)?;
    let path = folder.join(REPLAY);
    let again = pipeline::run(&scenarios::file(&path)?, engines, &mut Silent, None)?;
    let step = &found.graph.steps[found.step];
    let same = |f: &str| {
        f == step.name || run.verdict.first() == Some(f) || step.outputs.iter().any(|o| o == f)
    };
    let there = again.verdict.first().is_some_and(same);
    let says = if there {
        "it diverges there again"
    } else {
        "alone, it does NOT diverge: the whole graph is needed"
    };
    replace(
        &folder.join("README.md"),
        readme(run, &again, &found, says).as_bytes(),
    )?;
    let (node, shown) = (printable(&step.name), path.display());
    Ok(format!(
        "extract     node '{node}' with its inputs and both outputs; replayed: {says}; next: parity run {shown}\n"
    ))
}

fn write(scenario: &Scenario, run: &Run, found: &Extracted, folder: &Path) -> Result<()> {
    trace(found, &folder.join(INPUTS), "inputs", &found.inputs)?;
    trace(
        found,
        &folder.join(REFERENCE),
        &run.environment.reference,
        &found.reference,
    )?;
    trace(
        found,
        &folder.join(CANDIDATE),
        &run.environment.candidate,
        &found.candidate,
    )?;
    let shown = |n: &str| {
        found
            .inputs
            .get(n)
            .or(found.reference.get(n))
            .map(|t| (t.dtype(), t.shape().to_vec()))
    };
    let model = cut::alone(&found.graph, found.step, &shown);
    replace(&folder.join(MODEL), &model)?;
    let alone = Arc::new(observe::observed(
        load::parse(model.into(), None)?,
        &found.inputs,
        &open::onnxruntime_shapes,
    )?);
    let subject = |s: &Subject, file: &str| {
        let carries = s.fault().is_none()
            || fault::graph_of(s, &alone)
                .is_ok_and(|g| g.steps[0].inputs.iter().all(|n| known(&alone, n)));
        match s.abilities().any_graph && carries {
            true => s.clone(),
            false => Subject::recorded(file),
        }
    };
    let replay = Scenario {
        name: Some(format!(
            "{}, node {}",
            scenario.name.as_deref().unwrap_or("run"),
            found.graph.steps[found.step].name
        )),
        model: MODEL.into(),
        stages: vec![Stage::Inputs, Stage::Activations],
        inputs: found
            .inputs
            .keys()
            .map(|n| {
                (
                    n.clone(),
                    Input {
                        file: Some(INPUTS.into()),
                        ..Default::default()
                    },
                )
            })
            .collect(),
        reference: subject(&scenario.reference, REFERENCE),
        candidate: subject(&scenario.candidate, CANDIDATE),
        training: None,
        golden: None,
        parameters: None,
        limit: Limit::default(),
        expect: Expect::default(),
        ..scenario.clone()
    };
    replace(&folder.join(REPLAY), scenarios::text(&replay)?.as_bytes())
}

/// Whether the graph of one node has the tensor.
fn known(graph: &crate::graph::Graph, name: &str) -> bool {
    graph.weights.contains_key(name) || graph.inputs.iter().any(|p| p.name == name)
}

fn trace(
    found: &Extracted,
    path: &Path,
    subject: &str,
    tensors: &IndexMap<String, Tensor>,
) -> Result<()> {
    let step = &found.graph.steps[found.step];
    let entry = |n: &String| match step.outputs.contains(n) {
        true => Entry {
            node: step.name.clone(),
            op: step.op().into(),
            inputs: step.inputs.clone(),
            ..Default::default()
        },
        false => Entry::default(),
    };
    let digests: BTreeMap<_, _> = inputs::records(&found.inputs)
        .into_iter()
        .map(|r| (r.name, r.sha256))
        .collect();
    let header = Header {
        format: FORMAT,
        subject: subject.into(),
        command: "parity run --extract".into(),
        inputs: digests,
        tensors: tensors.keys().map(|n| (n.clone(), entry(n))).collect(),
        ..Header::default()
    };
    let mut writer = Writer::create(path)?;
    tensors.iter().try_for_each(|(n, t)| writer.add(n, t))?;
    writer.finish(&header)
}

/// What whoever gets the folder must know: versions, numbers, how to see it again.
fn readme(run: &Run, again: &Run, found: &Extracted, says: &str) -> String {
    let (e, step) = (&run.environment, &found.graph.steps[found.step]);
    let opset = found.graph.opset(&step.nodes[0].domain).unwrap_or(0);
    let shapes = |list: &IndexMap<String, Tensor>| {
        let one = |(n, t): (&String, &Tensor)| {
            format!("'{}' {} {:?}", printable(n), t.dtype(), t.shape())
        };
        list.iter().map(one).collect::<Vec<_>>().join(", ")
    };
    let ratio = run
        .tensors
        .iter()
        .find(|t| t.step == found.step)
        .and_then(|t| t.accumulated.ratio());
    let ratio = ratio.map_or(String::new(), |r| {
        format!("; in the whole graph {} x tolerance", number(r))
    });
    format!(
        "# Node '{}' ({} opset {opset}): two implementations differ\n\n\
         parity {}, reference {}, candidate {}, shadow {}, {} threads, {}, {}\n\n\
         Cut from model {}{ratio}. `parity run {REPLAY}`: {says}.\n\n```text\n{}```\n\n\
         `{MODEL}` is the node with its weights; `{INPUTS}` holds {}; `{REFERENCE}` and `{CANDIDATE}` hold {} as each side computed it.\n",
        printable(&step.name),
        printable(step.op()),
        e.parity,
        printable(&e.reference),
        printable(&e.candidate),
        e.shadow.as_deref().unwrap_or("none"),
        e.threads,
        e.os,
        e.cpu,
        e.model_digest,
        headline(again),
        shapes(&found.inputs),
        shapes(&found.reference),
    )
}

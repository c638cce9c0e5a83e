//! map: `parity map`: a model at a glance: opsets, inputs, outputs, operators, parameters per module, nodes; or two, and which tensor is which.

use super::{args, engine, say, watch};
use crate::error::{Error, Result, printable};
use crate::exit::Exit;
use crate::graph::flops::{self, Cost};
use crate::graph::{Graph, Port, load, params};
use crate::input;
use crate::pairing::map;
use crate::pipeline;
use crate::report;
use crate::scenario::build;
use crate::scenario::sides::{Sides, renames};
use crate::subject::{Engines, open};
use crate::text::table;
use std::collections::BTreeMap;
use std::path::Path;

pub fn command(args: &args::Map, engines: Engines) -> Result<Exit> {
    if let Some(candidate) = &args.candidate {
        return both(args, candidate, engines);
    }
    let graph = load::file(&args.model)?;
    if args.json {
        say(&report::to_json(&as_json(&graph, &args.input)?)?)?;
        return Ok(Exit::Agree);
    }
    say(&overview(
        &graph,
        &printable(&cost(&graph, &args.input)?.say()),
    ))?;
    if args.nodes {
        let rows: Vec<_> = graph
            .steps
            .iter()
            .map(|s| {
                vec![
                    s.name.clone(),
                    s.op().into(),
                    s.inputs.join(" "),
                    s.outputs.join(" "),
                ]
            })
            .map(|r| r.iter().map(|c| printable(c)).collect())
            .collect();
        say(&table(&["node", "operator", "inputs", "outputs"], &rows))?;
    }
    Ok(Exit::Agree)
}

/// Which tensor of the one model stands for which of the other.
fn both(args: &args::Map, candidate: &Path, engines: Engines) -> Result<Exit> {
    let sides = Sides {
        reference: &args.model,
        candidate,
    };
    let mut scenario = sides.paired(&args.input, &renames(&args.rename)?)?;
    args.live.put(&mut scenario)?;
    if engines.torch.is_none() {
        return engine::hand_over();
    }
    let pairing = pipeline::paired(&scenario, engines, &mut watch::Bar::behind(None))?;
    if args.json {
        let [reference, candidate] = &pairing.unpaired;
        let says = serde_json::json!({
            "pairs": pairing.pairs, "tensors": pairing.tensors,
            "unpaired": { "reference": reference, "candidate": candidate },
        });
        say(&report::to_json(&says)?)?;
        return Ok(Exit::Agree);
    }
    say(&map::text(&pairing))?;
    Ok(Exit::Agree)
}

/// What a forward pass costs.
fn cost(graph: &Graph, inputs: &[String]) -> Result<Cost> {
    let stated = stated(inputs)?;
    Ok(flops::of(graph, &stated, &open::onnxruntime_shapes))
}

/// Shapes that the command line states.
fn stated(inputs: &[String]) -> Result<BTreeMap<String, Vec<usize>>> {
    let mut shapes = BTreeMap::new();
    for text in inputs {
        let (name, input) = build::stated(text)?;
        let shape = input.shape.ok_or_else(|| {
            Error::usage(format!("--input {text}: of one model a shape is meant"))
                .next("for example --input x=1x3x224x224")
        })?;
        shapes.insert(name, shape);
    }
    Ok(shapes)
}

fn as_json(graph: &Graph, inputs: &[String]) -> Result<serde_json::Value> {
    let port = |p: &Port| serde_json::json!({ "name": p.name, "dtype": p.dtype, "shape": p.shape.as_ref().map(|s| input::show(s)) });
    let ports = |list: &[Port]| list.iter().map(port).collect::<Vec<_>>();
    let modules = params::per_module(graph).into_iter();
    let modules = modules.map(|(name, p)| serde_json::json!({ "name": name, "tensors": p.tensors, "elements": p.elements }));
    let nodes = graph.steps.iter().map(|s| {
        serde_json::json!({ "name": s.name, "operator": s.op(), "inputs": s.inputs, "outputs": s.outputs })
    });
    Ok(serde_json::json!({
        "opsets": graph.opsets, "inputs": ports(&graph.inputs), "outputs": ports(&graph.outputs),
        "parameters": params::total(graph), "flops": cost(graph, inputs)?.flops(),
        "modules": modules.collect::<Vec<_>>(), "nodes": nodes.collect::<Vec<_>>(),
    }))
}

fn overview(graph: &Graph, cost: &str) -> String {
    let opsets: Vec<String> = graph
        .opsets
        .iter()
        .map(|(d, v)| format!("{} {v}", if d.is_empty() { "ai.onnx" } else { d }))
        .collect();
    let port = |p: &Port| {
        format!(
            "{} {}{}",
            printable(&p.name),
            p.dtype.map_or("?", |d| d.name()),
            p.shape.as_ref().map_or("[?]".into(), |s| input::show(s))
        )
    };
    let ports = |list: &[Port]| list.iter().map(port).collect::<Vec<_>>().join(", ");
    let mut ops: BTreeMap<&str, usize> = BTreeMap::new();
    for step in &graph.steps {
        *ops.entry(step.op()).or_default() += 1;
    }
    let mut by_count: Vec<_> = ops.into_iter().collect();
    by_count.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let ops: Vec<String> = by_count.iter().map(|(op, n)| format!("{op} {n}")).collect();
    let modules: Vec<_> = params::per_module(graph)
        .into_iter()
        .map(|(m, p)| vec![printable(&m), p.tensors.to_string(), p.elements.to_string()])
        .collect();
    format!(
        "opsets     {}\ninputs     {}\noutputs    {}\nnodes      {}: {}\nparameters {}\ncost       {cost}\n{}",
        printable(&opsets.join(", ")),
        ports(&graph.inputs),
        ports(&graph.outputs),
        graph.steps.len(),
        printable(&ops.join(", ")),
        params::total(graph),
        table(&["module", "tensors", "parameters"], &modules)
    )
}

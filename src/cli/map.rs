//! map: `parity map`: a model at a glance: opsets, inputs, outputs, operators, parameters per module, nodes.

use super::args;
use super::say;
use crate::error::{Result, printable};
use crate::exit::Exit;
use crate::graph::{Graph, Port, load, params};
use crate::input;
use crate::text::table;
use std::collections::BTreeMap;

pub fn command(args: &args::Map) -> Result<Exit> {
    let graph = load::file(&args.model)?;
    say(&overview(&graph))?;
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

fn overview(graph: &Graph) -> String {
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
        "opsets     {}\ninputs     {}\noutputs    {}\nnodes      {}: {}\nparameters {}\n{}",
        printable(&opsets.join(", ")),
        ports(&graph.inputs),
        ports(&graph.outputs),
        graph.steps.len(),
        printable(&ops.join(", ")),
        params::total(graph),
        table(&["module", "tensors", "parameters"], &modules)
    )
}

//! mutant: a fault that is drawn: which, in which node, by how much.

use crate::cause::fault::{self, Fault, Reads};
use crate::graph::Graph;
use crate::graph::hoist;
use crate::hash::{bits, key};

/// A fault at a node.
pub struct Mutant {
    pub fault: &'static Fault,
    pub node: String,
    pub amount: Option<f64>,
}

impl Mutant {
    /// Where and by how much.
    pub fn place(&self) -> String {
        let amount = self.amount.map_or(String::new(), |a| format!(", {a}"));
        format!("'{}'{amount}", self.node)
    }
}

/// What draws are for.
const PURPOSE: u64 = 0x6d75_7461_6e74;

/// The `k`th mutant of a graph under `seed`: every fault that fits somewhere is drawn as often as every other; None where none does.
pub fn draw(graph: &Graph, seed: u64, k: u64) -> Option<Mutant> {
    let places = |f: &'static Fault| -> Vec<usize> {
        let steps = graph.steps.iter().enumerate();
        let fits = steps.filter(|(i, s)| {
            let how = (f.amount.map_or(0.0, |(_, a)| a), 0);
            let op = f.ops.is_empty() || f.ops.contains(&s.op());
            op && !s.nodes.iter().any(hoist::has_body) && fault::applied(f, graph, *i, how).is_ok()
        });
        fits.map(|(i, _)| i).collect()
    };
    let tried = fault::all().filter(|f| !matches!(f.reads, Reads::Never(_)));
    let all: Vec<(&'static Fault, Vec<usize>)> = tried
        .map(|f| (f, places(f)))
        .filter(|(_, p)| !p.is_empty())
        .collect();
    let draw = |which: u64, of: usize| {
        (bits(key(seed, PURPOSE), 4 * k + which) % of.max(1) as u64) as usize
    };
    let (fault, places) = all.get(draw(0, all.len()))?;
    let uniform = bits(key(seed, PURPOSE), 4 * k + 2) as f64 / u64::MAX as f64;
    Some(Mutant {
        fault,
        node: graph.steps[places[draw(1, places.len())]].name.clone(),
        amount: fault.amount.map(|of| amount(of, uniform)),
    })
}

/// Log-uniform about what is usual; what counts or chooses stays as it is.
fn amount((what, usual): (&str, f64), uniform: f64) -> f64 {
    let within = |low: f64, high: f64| 10f64.powf(low + (high - low) * uniform);
    let drawn = match what {
        "factor" => 1.0 + within(-3.0, 0.0),
        "epsilon" => within(-6.0, -1.0),
        "summand" => within(-3.0, 0.0),
        "alpha" | "slope" | "limit" => usual * within(-0.5, 0.3),
        _ => usual,
    };
    // An engine takes it in single precision.
    f64::from(drawn as f32)
}

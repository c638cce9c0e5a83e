//! The page of a run: how its size and its time grow with the nodes, how the layout does, and which share it is of the run that it tells.
//!
//! `cargo bench --locked --no-default-features --bench report`; `PARITY_BENCH_PAGES=FOLDER` keeps the pages, `PARITY_BENCH_RUN=run.json` names a real run
//! (`parity run ... --json`). What is not within its limit ends in a panic.

use parity::html::{self, Edges, placed};
use parity::run::Run;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Instant;

const ROUNDS: usize = 5;

/// Nodes, and the megabytes that a page of them may have.
const SIZES: [(usize, f64); 2] = [(1500, 3.0), (20_000, 10.0)];

/// The layout of so many times the nodes takes at most twice so many times the time.
const TIMES: usize = 32;
const FEW: usize = 625;

/// The share of a run that its page may take.
const SHARE: f64 = 0.1;

fn main() {
    for (nodes, most) in SIZES {
        let run = run_of(nodes);
        let (page, seconds) = least(|| html::run(&run));
        let size = page.len() as f64 / 1e6;
        println!("page of {nodes} nodes: {size:.2} MB of {most} MB, {seconds:.3} s");
        assert!(size <= most, "{size} MB are more than {most}");
        if let Some(folder) = std::env::var_os("PARITY_BENCH_PAGES") {
            let file = PathBuf::from(folder).join(format!("{nodes}.html"));
            std::fs::write(file, page).expect("the page is written");
        }
    }
    layout();
    real();
}

/// How the time of the layout grows.
fn layout() {
    let times = [FEW, FEW * TIMES].map(|nodes| {
        let widths = vec![60.0; nodes];
        let edges = edges(nodes);
        let graph = Edges {
            widths: &widths,
            edges: &edges,
        };
        let (_, seconds) = least(|| placed(&graph));
        println!("layout of {nodes} nodes: {:.1} ms", seconds * 1e3);
        seconds
    });
    let grown = times[1] / times[0];
    println!("{TIMES} times the nodes: {grown:.1} times the time");
    assert!(grown <= 2.0 * TIMES as f64, "{grown}");
}

/// The page of a run that was made, against what making it took.
fn real() {
    let Some(file) = std::env::var_os("PARITY_BENCH_RUN") else {
        return;
    };
    let text = std::fs::read_to_string(&file).expect("the run is read");
    let run: Run = serde_json::from_str(&text).expect("a Run");
    let (page, seconds) = least(|| html::run(&run));
    let took: f64 = run.timings.values().sum();
    println!(
        "a run of {} tensors took {took:.2} s, its page {seconds:.3} s ({:.4} of it), {:.2} MB",
        run.tensors.len(),
        seconds / took,
        page.len() as f64 / 1e6
    );
    assert!(seconds <= SHARE * took, "{seconds} s of {took} s");
}

/// The result, and the least time of some rounds.
fn least<T>(work: impl Fn() -> T) -> (T, f64) {
    let mut best = f64::INFINITY;
    let mut made = work();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        made = work();
        best = best.min(start.elapsed().as_secs_f64());
    }
    (made, best)
}

/// A chain with branches that join, and skips over sixty nodes.
fn edges(nodes: usize) -> Vec<(usize, usize)> {
    let chain = (1..nodes).map(|i| (i - 1, i));
    let skips = (5..nodes).step_by(5).map(|i| (i - 5, i));
    let far = (60..nodes).step_by(60).map(|i| (i - 60, i));
    chain.chain(skips).chain(far).collect()
}

/// A run of a network with names as exporters write them.
fn run_of(nodes: usize) -> Run {
    let name = |i: usize| {
        format!(
            "/backbone/stage{}/blocks.{}/conv{}/Conv_output_0",
            i / 400,
            i / 20 % 20,
            i % 20
        )
    };
    let mut inputs: Vec<Vec<String>> = vec![vec!["images".into()]; nodes];
    inputs.iter_mut().skip(1).for_each(Vec::clear);
    for (from, to) in edges(nodes) {
        inputs[to].push(name(from));
    }
    let op = |i: usize| ["Conv", "Mul", "Sigmoid", "BatchNormalization", "Add"][i % 5];
    let node = |i: usize| name(i).replace("_output_0", "");
    let vertex = |i: usize| json!({ "name": node(i), "op": op(i), "inputs": inputs[i], "outputs": [name(i)] });
    let tensors: Vec<Value> = (0..nodes)
        .map(|i| tensor(i, &name(i), &node(i), op(i)))
        .collect();
    let run = json!({
        "format": 2,
        "scenario": null,
        "environment": {
            "parity": "0", "reference": "onnxruntime", "candidate": "libtorch", "shadow": null,
            "threads": 2, "os": "linux", "cpu": "a processor", "model_digest": "",
        },
        "inputs": [],
        "verdict": {
            "outcome": "agree", "origins": [], "drift": null, "untested": [],
            "only_unobserved": [], "input_mismatch": [], "tie_flips": 0,
        },
        "expectation": { "exit": "agree", "unmet": [] },
        "ledger": {
            "tensors": nodes, "compared": nodes, "both_ways": nodes, "abstained": {},
            "excused": 0, "leftovers": [], "bytes": 0, "macs": 0,
        },
        "tensors": tensors,
        "graph_inputs": {},
        "unobserved": [],
        "graphs": [(0..nodes).map(vertex).collect::<Vec<_>>()],
        "timings": {},
    });
    serde_json::from_value(run).expect("a Run")
}

fn tensor(i: usize, name: &str, node: &str, op: &str) -> Value {
    let size = 1e-3 * (1.0 + (i % 97) as f64);
    let at = json!({ "value": size, "index": i, "reference": 1.0, "candidate": 1.0 + size });
    let metrics = json!({
        "numel": 519_168, "finite": 519_168, "mismatches": 777,
        "specials": {
            "nan_reference": 0, "nan_candidate": 0, "inf_reference": 0, "inf_candidate": 0,
            "signed_zero": 0, "conflicts": 0, "first_conflict": null,
        },
        "max_abs": at, "max_rel": at, "mean_abs": size, "mean": 0.0, "rmse": size,
        "rel_l2": size * 1e-4, "cosine": 1.0, "ulp_max": 9, "ulp_p99": 3, "channels": null,
    });
    let worst = json!({ "ratio": size, "index": 0, "reference": 0.0, "candidate": 0.0, "shadow": 0.0, "bound": 1e-6 });
    json!({
        "name": name, "node": node, "op": op, "step": i, "dtype": "f32", "shape": [1, 48, 104, 104], "macs": 0,
        "accumulated": { "compared": {
            "comparison": { "values": metrics }, "ratio": size * 3.0, "by": { "noise": { "runs": 4 } },
        } },
        "isolated": { "bounded": {
            "family": "convolution", "terms": 432, "side": null,
            "bounded": { "reference": size, "candidate": size * 2.0, "failing": 0, "worst": worst, "limit": null },
        } },
    })
}

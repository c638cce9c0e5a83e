//! environment: what a run depended on besides its scenario: versions, machine, the model's digest.

use crate::error::Result;
use crate::graph::Graph;
use crate::scenario::{Subject, SubjectKind};
use crate::subject::{Engines, open};
use serde::{Deserialize, Serialize};

/// What the run depended on besides the scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    pub parity: String,
    pub reference: String,
    pub candidate: String,
    /// What the f64 shadow is computed by; None where a stated tolerance made it unnecessary.
    pub shadow: Option<String>,
    pub threads: usize,
    pub os: String,
    pub cpu: String,
    pub model_digest: String,
}

/// A subject with its version, as the record keeps it.
pub fn describe(subject: &Subject, engines: Engines) -> Result<String> {
    let engine = match subject.engine() {
        SubjectKind::Libtorch => format!("libtorch {}", engines.torch()?.version()),
        SubjectKind::Simulated => {
            format!(
                "simulated engine {}, decisions by libtorch {}",
                subject.seed.unwrap_or_default(),
                engines.torch()?.version()
            )
        }
        SubjectKind::TorchScript => {
            let script = subject
                .script
                .as_deref()
                .unwrap_or(std::path::Path::new(""));
            format!(
                "torchscript {} in libtorch {}",
                script.display(),
                engines.torch()?.version()
            )
        }
        SubjectKind::OnnxRuntime => {
            let level = format!("{:?}", subject.optimisation.unwrap_or_default()).to_lowercase();
            format!(
                "onnxruntime {}, optimisation {level}",
                open::onnxruntime_version()?
            )
        }
        SubjectKind::Kernel => subject
            .kernel
            .as_ref()
            .map_or("kernel that the model names".into(), |k| {
                format!("kernel {k}")
            }),
        SubjectKind::Recorded | SubjectKind::Faulty => subject
            .trace
            .as_ref()
            .map_or(String::new(), |p| format!("recorded {}", p.display())),
    };
    Ok(match (&subject.fault, &subject.node) {
        (Some(fault), Some(node)) => format!("faulty ({fault} at {node}) {engine}"),
        _ => engine,
    })
}

/// The record of everything; `names` are the subjects'.
pub fn record(names: (String, String), shadow: bool, threads: usize, graph: &Graph) -> Environment {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = info
        .lines()
        .find_map(|l| l.strip_prefix("model name"))
        .unwrap_or("")
        .trim_start_matches([' ', '\t', ':']);
    Environment {
        parity: env!("CARGO_PKG_VERSION").into(),
        reference: names.0,
        candidate: names.1,
        shadow: shadow.then(|| "libtorch f64".into()),
        threads,
        os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        cpu: cpu.to_string(),
        model_digest: graph.digest.clone(),
    }
}

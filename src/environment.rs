//! environment: what a run depended on besides its scenario: versions, machine, the model's digest.

use crate::error::Result;
use crate::scenario::{Recorded, Subject, SubjectKind, TorchScript};
use crate::subject::{Engines, open};
use crate::trace::record;
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
    Ok(match subject {
        Subject::Libtorch {} => format!("libtorch {}", engines.torch()?.version()),
        Subject::Simulated { seed } => {
            format!(
                "simulated engine {}, decisions by libtorch {}",
                seed.unwrap_or_default(),
                engines.torch()?.version()
            )
        }
        Subject::TorchScript(TorchScript { script, .. }) => {
            format!(
                "torchscript {} in libtorch {}",
                script.display(),
                engines.torch()?.version()
            )
        }
        Subject::OnnxRuntime { optimisation } => {
            let level = format!("{:?}", optimisation.unwrap_or_default()).to_lowercase();
            format!(
                "onnxruntime {}, optimisation {level}",
                open::onnxruntime_version()?
            )
        }
        Subject::Kernel { kernel } => kernel
            .as_ref()
            .map_or("kernel that the model names".into(), |k| {
                format!("kernel {k}")
            }),
        Subject::Recorded(Recorded { trace, .. }) => format!("recorded {}", trace.display()),
        Subject::Faulty(faulty) => format!(
            "faulty ({} at {}) {}",
            faulty.fault,
            faulty.node,
            describe(&faulty.clean(), engines)?
        ),
    })
}

/// Who computed a trace: `subject` as reports call it, and the versions of what computes it by the names of their packages.
///
/// # Errors
/// An engine that is not there.
pub fn recorded(subject: &Subject, name: &str, engines: Engines) -> Result<record::Recorded> {
    let version = match subject.engine() {
        SubjectKind::Libtorch | SubjectKind::TorchScript | SubjectKind::Simulated => {
            Some(("torch", engines.torch()?.version()))
        }
        SubjectKind::OnnxRuntime => Some(("onnxruntime", open::onnxruntime_version()?)),
        SubjectKind::Recorded | SubjectKind::Kernel | SubjectKind::Faulty => None,
    };
    let versions = version.into_iter().map(|(name, v)| (name.into(), v));
    Ok(record::Recorded {
        name: name.into(),
        versions: versions.collect(),
    })
}

/// The record of everything; `names` are the subjects', `digest` is the model's.
pub fn record(names: (String, String), shadow: bool, threads: usize, digest: &str) -> Environment {
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
        model_digest: digest.into(),
    }
}

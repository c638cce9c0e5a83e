//! session: the library, loaded once, and sessions of it to be opened.

use super::ort_error;
use crate::error::{Error, Result};
use crate::scenario::Optimisation;
use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::Session;
use ort::session::builder::{GraphOptimizationLevel, SessionBuilder};
use std::sync::OnceLock;

/// Loads the library once per process.
pub fn environment() -> Result<Environment> {
    static LOADED: OnceLock<Result<Environment>> = OnceLock::new();
    LOADED.get_or_init(load).clone()
}

fn load() -> Result<Environment> {
    let found = crate::native::onnxruntime();
    let Some(path) = found.path.clone() else {
        return Err(found
            .missing("libonnxruntime")
            .next("run scripts/setup, or set ORT_DYLIB_PATH to your own libonnxruntime.so"));
    };
    let fail = |e: &dyn std::fmt::Display| {
        Error::failed(format!("libonnxruntime {}: {e}", path.display())).next("parity doctor")
    };
    ort::init_from(&path)
        .map_err(|e| fail(&e))?
        .build()
        .map_err(|e| fail(&e))
}

/// A session as ONNX Runtime comes but for `change`; what it logs in colour on stderr comes back as an error, and is said once.
pub fn builder(
    threads: usize,
    change: impl FnOnce(SessionBuilder) -> ort::Result<SessionBuilder>,
) -> Result<SessionBuilder> {
    let environment = environment()?;
    let build = || -> ort::Result<SessionBuilder> {
        let quiet = Session::builder(&environment)?.with_log_level(LogLevel::Fatal)?;
        change(quiet.with_intra_threads(threads)?)
    };
    build().map_err(ort_error)
}

/// A session that gives the same bits every time and holds no more than it needs, without the optimisers that `without` names.
pub fn repeatable(threads: usize, level: Optimisation, without: &[&str]) -> Result<SessionBuilder> {
    let level = match level {
        Optimisation::Disable => GraphOptimizationLevel::Disable,
        Optimisation::Basic => GraphOptimizationLevel::Level1,
        Optimisation::Extended => GraphOptimizationLevel::Level2,
        Optimisation::All => GraphOptimizationLevel::All,
    };
    builder(threads, |builder| {
        Ok(builder
            .with_optimization_level(level)?
            .with_intra_op_spinning(false)?
            .with_deterministic_compute(true)?
            .with_memory_pattern(false)?
            .with_execution_providers([ort::ep::CPU::default()
                .with_arena_allocator(false)
                .build()])?
            .with_disabled_optimizers(without.join(";"))?)
    })
}

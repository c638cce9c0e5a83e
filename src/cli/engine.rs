//! engine: hands a command to `parity-engine`, the executable that links libtorch.

use crate::error::{Code, Error, Result};
use crate::exit::Exit;
use crate::native;
use std::process::Command;

/// Replaces this process by the engine, with the same arguments.
///
/// # Errors
/// The engine or libtorch is not there: what was tried and what to do.
pub fn hand_over() -> Result<Exit> {
    let engine = native::engine();
    let Some(path) = engine.path else {
        return Err(Error::failed("parity-engine is not beside this executable")
            .next(
                "cargo build --release (with default features); parity doctor says what is missing",
            )
            .kind(Code::NoLibrary));
    };
    let torch = native::libtorch();
    let Some(library) = torch.path else {
        let tried = torch
            .tried
            .iter()
            .map(|p| p.display().to_string())
            .collect::<Vec<_>>()
            .join(", ");
        return Err(
            Error::failed(format!("libtorch was not found ({}: {tried})", torch.by))
                .next("run scripts/setup, or set LIBTORCH to your own libtorch 2.13.0")
                .kind(Code::NoLibrary),
        );
    };
    let mut command = Command::new(path);
    command.args(std::env::args_os().skip(1));
    // libtorch's threads must not spin while ONNX Runtime's work, nor the other way round.
    if std::env::var_os("OMP_WAIT_POLICY").is_none() {
        command.env("OMP_WAIT_POLICY", "passive");
    }
    // The engine was linked with a run-time path; a library that has moved since is found through the environment.
    if let Some(folder) = library.parent() {
        let paths = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
        let all = std::iter::once(folder.to_path_buf()).chain(std::env::split_paths(&paths));
        if let Ok(joined) = std::env::join_paths(all) {
            command.env("LD_LIBRARY_PATH", joined);
        }
    }
    start(command)
}

#[cfg(unix)]
fn start(mut command: Command) -> Result<Exit> {
    use std::os::unix::process::CommandExt;
    Err(Error::failed(format!("parity-engine: {}", command.exec())))
}

#[cfg(not(unix))]
fn start(mut command: Command) -> Result<Exit> {
    let status = command
        .status()
        .map_err(|e| Error::failed(format!("parity-engine: {e}")))?;
    std::process::exit(status.code().unwrap_or(Exit::Failed as i32))
}

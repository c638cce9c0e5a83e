//! fetch: the native libraries, by pip into the user's cache on first use, where no checkout has `scripts/setup` and no package of the user's Python has them.

use crate::cache;
use crate::error::{Error, Result};
use crate::native::{self, Found};
use rust_embed::RustEmbed;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

/// What `scripts/setup` fetches with, the package `fetch`: pins by hash, pip, files written beside and renamed.
#[derive(RustEmbed)]
#[folder = "scripts"]
#[include = "fetch/*.py"]
struct Scripts;

/// Who does not want anything fetched says so; what is missing is an error then.
const ASKED: &str = "PARITY_FETCH";

/// Fetches what is missing; nothing where the user names a library, or an executable in a checkout has its own way.
///
/// # Errors
/// No Python with pip, or what it could not do: its own words are on stderr.
pub fn what_is_missing() -> Result<()> {
    if !is_meant() {
        return Ok(());
    }
    let missing: Vec<&str> = [
        ("libtorch", "LIBTORCH", native::libtorch()),
        ("onnxruntime", "ORT_DYLIB_PATH", native::onnxruntime()),
    ]
    .iter()
    .filter(|(_, variable, found)| is_open(found, variable))
    .map(|(name, ..)| *name)
    .collect();
    if missing.is_empty() {
        return Ok(());
    }
    fetch(&missing)
}

/// Whether a first run fetches what is missing.
pub fn is_meant() -> bool {
    !native::in_checkout() && std::env::var_os(ASKED).is_none_or(|said| said != "never")
}

fn is_open(found: &Found, variable: &str) -> bool {
    found.path.is_none() && found.by != variable
}

fn fetch(missing: &[&str]) -> Result<()> {
    let scripts = cache::unpacked::<Scripts>("fetch")?;
    let to = native::fetched().ok_or_else(|| {
        Error::failed("this user has no folder for caches").next("set PARITY_CACHE to a folder")
    })?;
    let python = python()?;
    let status = Command::new(&python)
        .args(["-m", "fetch"])
        .arg(&to)
        .args(missing)
        .env("PYTHONPATH", &scripts)
        .stdout(std::io::stderr())
        .status()
        .map_err(|e| Error::failed(format!("{}: {e}", python.display())))?;
    if status.success() {
        return Ok(());
    }
    let names = missing.join(" and ");
    Err(
        Error::failed(format!("{names} could not be fetched into {}", to.display())).next(
            "what went wrong is said above; or set LIBTORCH to a libtorch 2.13.0 and ORT_DYLIB_PATH to a libonnxruntime.so of version 1.31",
        ),
    )
}

/// The Python beside this executable, of the active environment, or the first on PATH.
fn python() -> Result<PathBuf> {
    let here = std::env::current_exe().ok();
    let beside = here.iter().filter_map(|p| Some(p.parent()?.to_path_buf()));
    let active = std::env::var_os("VIRTUAL_ENV").map(|f| PathBuf::from(f).join("bin"));
    let paths: OsString = std::env::var_os("PATH").unwrap_or_default();
    let found = beside
        .chain(active)
        .chain(std::env::split_paths(&paths))
        .map(|folder| folder.join("python3"))
        .find(|p| p.is_file());
    found.ok_or_else(|| {
        Error::failed("libtorch and ONNX Runtime are not here, and no python3 that could fetch them is on PATH")
            .next("install Python 3 with pip, or set LIBTORCH and ORT_DYLIB_PATH")
    })
}

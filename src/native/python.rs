//! python: the libraries that packages of the user's Python hold, where they are of the version that this program was built against.

use std::path::{Path, PathBuf};

/// What `parity-engine` was linked against: its C++ interface holds within a minor version.
const TORCH: &str = "2.13.";
/// The first minor version of ONNX Runtime 1 that has the interface which is asked for.
const ONNXRUNTIME: u32 = 31;

/// Folders of packages: of the Python in whose environment this executable is installed, then of the active one.
pub fn packages() -> Vec<PathBuf> {
    let here = std::env::current_exe().ok();
    // `PREFIX/bin/parity` beside `PREFIX/lib/python3.x/site-packages`.
    let beside = here
        .iter()
        .filter_map(|p| p.parent()?.parent())
        .map(Path::to_path_buf);
    let active = std::env::var_os("VIRTUAL_ENV").filter(|f| !f.is_empty());
    let prefixes = beside.chain(active.map(PathBuf::from));
    let mut all: Vec<PathBuf> = vec![];
    for folder in prefixes.flat_map(|p| of_prefix(&p)) {
        if !all.contains(&folder) {
            all.push(folder);
        }
    }
    all
}

fn of_prefix(prefix: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(prefix.join("lib")) else {
        return vec![];
    };
    let mut folders: Vec<PathBuf> = entries
        .filter_map(|e| e.ok())
        .filter(|e| e.file_name().to_string_lossy().starts_with("python3."))
        .map(|e| e.path().join("site-packages"))
        .filter(|p| p.is_dir())
        .collect();
    folders.sort();
    folders
}

/// Whether this `torch/lib/libtorch_cpu.so` is of the version that is needed.
pub fn torch(library: &Path) -> Result<(), String> {
    let home = library.parent().and_then(Path::parent);
    let version = home
        .and_then(torch_version)
        .unwrap_or_else(|| "of a version that it does not state".into());
    match version.starts_with(TORCH) {
        true => Ok(()),
        false => Err(format!(
            "{} is {version}, needed is {TORCH}x",
            library.display()
        )),
    }
}

/// What a package `torch` says of itself in `version.py`, by itself or for CUDA (`2.13.0+cu130`).
pub fn torch_version(package: &Path) -> Option<String> {
    let text = std::fs::read_to_string(package.join("version.py")).ok()?;
    let line = text.lines().find(|l| l.starts_with("__version__"))?;
    let quoted = line.split_once('=')?.1.trim();
    Some(quoted.trim_matches(['\'', '"']).to_string())
}

/// Whether this `libonnxruntime.so.1.x.y` has the interface that is asked for; its name says the version.
pub fn onnxruntime(library: &Path) -> Result<(), String> {
    let name = library.file_name().unwrap_or_default().to_string_lossy();
    let mut numbers = name.split(".so.").nth(1).unwrap_or("").split('.');
    let major = numbers.next().and_then(|n| n.parse::<u32>().ok());
    let minor = numbers.next().and_then(|n| n.parse::<u32>().ok());
    match (major, minor) {
        (Some(1), Some(minor)) if minor >= ONNXRUNTIME => Ok(()),
        _ => Err(format!(
            "{} is not 1.{ONNXRUNTIME} or newer",
            library.display()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_libraries_of_the_version_that_is_needed_fit() {
        let dir = tempfile::tempdir().unwrap();
        let package = dir.path().join("lib/python3.12/site-packages/torch");
        std::fs::create_dir_all(package.join("lib")).unwrap();
        assert_eq!(
            of_prefix(dir.path()),
            [dir.path().join("lib/python3.12/site-packages")]
        );
        let library = package.join("lib/libtorch_cpu.so");
        for (says, fits) in [
            ("__version__ = '2.13.0+cu130'\n", true),
            (
                "from typing import Optional\n\n__version__ = \"2.13.1\"\n",
                true,
            ),
            ("__version__ = '2.12.1'\n", false),
            ("__version__ = '2.130.0'\n", false),
            ("debug = False\n", false),
        ] {
            std::fs::write(package.join("version.py"), says).unwrap();
            assert_eq!(torch(&library).is_ok(), fits, "{says}");
        }
        for (name, fits) in [
            ("libonnxruntime.so.1.31.1", true),
            ("libonnxruntime.so.1.32.0", true),
            ("libonnxruntime.so.1.30.9", false),
            ("libonnxruntime.so.2.31.0", false),
            ("libonnxruntime.so", false),
        ] {
            assert_eq!(onnxruntime(Path::new(name)).is_ok(), fits, "{name}");
        }
    }
}

//! native: where the native libraries are: what the user names, then what `scripts/setup` fetched.

use std::path::{Path, PathBuf};

/// Where a library was looked for and what was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The file, if it exists.
    pub path: Option<PathBuf>,
    /// Who named the place.
    pub by: &'static str,
    /// Every place that was tried.
    pub tried: Vec<PathBuf>,
}

/// `libonnxruntime`: ORT_DYLIB_PATH, else `.native/onnxruntime/` beside the executable's checkout.
pub fn onnxruntime() -> Found {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH")
        .filter(|p| !p.is_empty())
        .map(PathBuf::from)
    {
        return Found {
            path: path.is_file().then(|| path.clone()),
            by: "ORT_DYLIB_PATH",
            tried: vec![path],
        };
    }
    let tried: Vec<PathBuf> = roots()
        .into_iter()
        .map(|r| r.join(".native/onnxruntime"))
        .collect();
    let path = tried
        .iter()
        .find_map(|folder| first_library(folder, "libonnxruntime."));
    Found {
        path,
        by: "scripts/setup",
        tried,
    }
}

/// `libtorch_cpu`: LIBTORCH, else `.native/libtorch`.
pub fn libtorch() -> Found {
    if let Some(folder) = std::env::var_os("LIBTORCH")
        .filter(|p| !p.is_empty())
        .map(PathBuf::from)
    {
        let lib = folder.join("lib");
        return Found {
            path: first_library(&lib, "libtorch_cpu."),
            by: "LIBTORCH",
            tried: vec![lib],
        };
    }
    let tried: Vec<PathBuf> = roots()
        .into_iter()
        .map(|r| r.join(".native/libtorch/lib"))
        .collect();
    let path = tried
        .iter()
        .find_map(|folder| first_library(folder, "libtorch_cpu."));
    Found {
        path,
        by: "scripts/setup",
        tried,
    }
}

/// What libtorch says of itself, in a file beside its libraries: of the library that this process has loaded, else of the one that is found.
pub fn libtorch_version() -> Option<String> {
    loaded("/libtorch_cpu.")
        .or_else(|| libtorch().path)
        .as_deref()
        .and_then(stated_beside)
}

/// The version that is stated beside the folder of `library`.
fn stated_beside(library: &Path) -> Option<String> {
    let file = library.parent()?.parent()?.join("build-version");
    std::fs::read_to_string(file)
        .ok()
        .map(|v| v.trim().to_string())
        .filter(|v| !v.is_empty())
}

/// A library that is mapped into this process, where the system tells.
fn loaded(part: &str) -> Option<PathBuf> {
    let maps = std::fs::read_to_string("/proc/self/maps").ok()?;
    maps.lines()
        .filter_map(|l| Some(&l[l.find('/')?..]))
        .find(|path| path.contains(part))
        .map(PathBuf::from)
}

/// The executable that links libtorch: beside this one.
pub fn engine() -> Found {
    let here = std::env::current_exe().ok();
    let name = format!("parity-engine{}", std::env::consts::EXE_SUFFIX);
    let tried: Vec<PathBuf> = here
        .iter()
        .filter_map(|p| p.parent())
        .flat_map(|d| [d.join(&name), d.join("..").join(&name)])
        .collect();
    Found {
        path: tried.iter().find(|p| p.is_file()).cloned(),
        by: "cargo build",
        tried,
    }
}

/// Folders that may hold `.native`: those above the executable, then the checkout it was built in.
fn roots() -> Vec<PathBuf> {
    let exe = std::env::current_exe().unwrap_or_default();
    let mut roots: Vec<PathBuf> = exe
        .ancestors()
        .skip(1)
        .filter(|d| d.join(".native").is_dir())
        .map(Path::to_path_buf)
        .collect();
    let built = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    if !roots.contains(&built) {
        roots.push(built);
    }
    roots
}

fn first_library(folder: &Path, prefix: &str) -> Option<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .ok()?
        .filter_map(|e| e.ok())
        .map(|e| e.path())
        .collect();
    files.sort();
    files.into_iter().find(|p| {
        p.file_name()
            .and_then(|n| n.to_str())
            .is_some_and(|n| n.starts_with(prefix))
            && p.exists()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_what_lies_beside_the_library() {
        let dir = tempfile::tempdir().unwrap();
        let library = dir.path().join("lib/libtorch_cpu.so");
        assert_eq!(stated_beside(&library), None);
        std::fs::write(dir.path().join("build-version"), "9.9.9+other\n").unwrap();
        assert_eq!(stated_beside(&library).as_deref(), Some("9.9.9+other"));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_library_of_this_process_is_found_by_what_is_mapped() {
        assert!(loaded("/libc.").is_some_and(|p| p.is_file()));
        assert_eq!(loaded("/libnowhere."), None);
    }
}

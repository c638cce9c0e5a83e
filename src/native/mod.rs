//! native: where the native libraries are: what the user names, then what `scripts/setup` fetched, what the user's Python has, what was fetched into the cache.

mod python;

use crate::cache;
use crate::error::Error;
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
    /// Libraries that were found and are of another version.
    pub unfit: Vec<String>,
}

impl Found {
    /// Where it was looked for, and what was there instead.
    pub fn searched(&self) -> String {
        let tried: Vec<_> = self.tried.iter().map(|p| p.display().to_string()).collect();
        let unfit = self.unfit.iter().map(|why| format!("; {why}"));
        format!(
            "{}: {}{}",
            self.by,
            tried.join(", "),
            unfit.collect::<String>()
        )
    }

    /// That `name` was not found.
    pub fn missing(&self, name: &str) -> Error {
        Error::failed(format!("{name} was not found ({})", self.searched()))
    }
}

/// `libonnxruntime`: ORT_DYLIB_PATH, else what `scripts/setup` fetched, what the user's Python has, what was fetched into the cache.
pub fn onnxruntime() -> Found {
    if let Some(path) = named("ORT_DYLIB_PATH") {
        return Found {
            path: path.is_file().then(|| path.clone()),
            by: "ORT_DYLIB_PATH",
            tried: vec![path],
            unfit: vec![],
        };
    }
    let ours = roots().into_iter().map(|r| r.join(".native/onnxruntime"));
    let theirs = python::packages()
        .into_iter()
        .map(|p| p.join("onnxruntime/capi"));
    let fetched = fetched().map(|c| c.join("onnxruntime"));
    search(
        "libonnxruntime.",
        ours,
        theirs,
        fetched,
        python::onnxruntime,
    )
}

/// `libtorch_cpu`: LIBTORCH, else the same places.
pub fn libtorch() -> Found {
    if let Some(folder) = named("LIBTORCH") {
        let lib = folder.join("lib");
        return Found {
            path: first_library(&lib, "libtorch_cpu."),
            by: "LIBTORCH",
            tried: vec![lib],
            unfit: vec![],
        };
    }
    let ours = roots().into_iter().map(|r| r.join(".native/libtorch/lib"));
    let theirs = python::packages().into_iter().map(|p| p.join("torch/lib"));
    let fetched = fetched().map(|c| c.join("libtorch/lib"));
    search("libtorch_cpu.", ours, theirs, fetched, python::torch)
}

/// Whether this executable is a checkout's: `scripts/setup` there is the way to fetch what it lacks.
pub fn in_checkout() -> bool {
    let exe = std::env::current_exe().unwrap_or_default();
    is_where_it_was_built(&exe) || exe.ancestors().any(|d| d.join("scripts/setup").is_file())
}

/// Where libraries lie that were fetched on first use.
pub fn fetched() -> Option<PathBuf> {
    cache::folder().map(|c| c.join("native"))
}

fn named(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable)
        .filter(|p| !p.is_empty())
        .map(PathBuf::from)
}

/// The first library whose name begins so and that `fits`; one of another version is said, not taken.
fn search(
    prefix: &str,
    ours: impl Iterator<Item = PathBuf>,
    theirs: impl Iterator<Item = PathBuf>,
    fetched: Option<PathBuf>,
    fits: fn(&Path) -> std::result::Result<(), String>,
) -> Found {
    let ours = ours.map(|f| (f, "scripts/setup"));
    let theirs = theirs.map(|f| (f, "the user's Python"));
    let places = ours.chain(theirs).chain(fetched.map(|f| (f, "the cache")));
    let mut found = Found {
        path: None,
        by: "scripts/setup",
        tried: vec![],
        unfit: vec![],
    };
    for (folder, by) in places {
        let library = first_library(&folder, prefix);
        found.tried.push(folder);
        let Some(library) = library else { continue };
        // What this project fetched is what it pinned.
        match if by == "the user's Python" {
            fits(&library)
        } else {
            Ok(())
        } {
            Ok(()) => {
                return Found {
                    path: Some(library),
                    by,
                    ..found
                };
            }
            Err(why) => found.unfit.push(why),
        }
    }
    found
}

/// What libtorch says of itself, in a file beside its libraries: of the library that this process has loaded, else of the one that is found.
pub fn libtorch_version() -> Option<String> {
    loaded("/libtorch_cpu.")
        .or_else(|| libtorch().path)
        .as_deref()
        .and_then(stated_beside)
}

/// The version that is stated beside the folder of `library`, as libtorch's archives or as PyTorch's packages do.
fn stated_beside(library: &Path) -> Option<String> {
    let home = library.parent()?.parent()?;
    std::fs::read_to_string(home.join("build-version"))
        .ok()
        .map(|v| v.trim().to_string())
        .filter(|v| !v.is_empty())
        .or_else(|| python::torch_version(home))
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
        unfit: vec![],
    }
}

/// Folders that may hold `.native`: those above the executable; for one that still lies where it was built, that checkout too.
fn roots() -> Vec<PathBuf> {
    let exe = std::env::current_exe().unwrap_or_default();
    let mut roots: Vec<PathBuf> = exe
        .ancestors()
        .skip(1)
        .filter(|d| d.join(".native").is_dir())
        .map(Path::to_path_buf)
        .collect();
    let built = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    if is_where_it_was_built(&exe) && !roots.contains(&built) {
        roots.push(built);
    }
    roots
}

/// Whether the executable lies below the folder into which cargo built it, wherever that is; one that was moved is an installed one.
fn is_where_it_was_built(exe: &Path) -> bool {
    // `TARGET/PROFILE/build/PACKAGE/out`.
    let target = Path::new(env!("OUT_DIR")).ancestors().nth(4);
    target.is_some_and(|target| exe.starts_with(target))
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

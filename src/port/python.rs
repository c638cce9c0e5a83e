//! python: which Python runs a port file: the first that has what the file needs, of those that are named, else of the active virtual environment, else of
//! those on PATH.

use crate::error::{Error, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Packages of which a port file may import one to build its network in; numpy is needed always.
const FRAMEWORKS: [&str; 6] = ["torch", "jax", "flax", "mlx", "paddle", "jittor"];
/// A Python that says nothing for so long is none.
const LIMIT: Duration = Duration::from_secs(30);

/// The Python to run `file` with.
///
/// # Errors
/// None has what the file needs: every one that was tried, and what it lacks.
pub fn choose(file: &Path, named: &[PathBuf]) -> Result<PathBuf> {
    let text = std::fs::read_to_string(file)
        .map_err(|e| Error::usage(format!("port {}: {e}", file.display())))?;
    let needed = needs(&text);
    let (tried, by) = candidates(named);
    let mut lacking = vec![];
    for python in &tried {
        match lacks(python, &needed) {
            Ok(missing) if missing.is_empty() => return Ok(python.clone()),
            Ok(missing) => lacking.push(format!(
                "{} lacks {}",
                python.display(),
                missing.join(" and ")
            )),
            Err(why) => lacking.push(format!("{} {why}", python.display())),
        }
    }
    let said = match lacking.is_empty() {
        true => "no python3 is on PATH".to_string(),
        false => lacking.join(", "),
    };
    Err(Error::failed(format!(
        "port {}: it needs {}, and no Python has that ({by}: {said})",
        file.display(),
        needed.join(" and ")
    ))
    .next("name one that has it by --python, or activate its virtual environment"))
}

/// numpy, and the framework that the text imports.
fn needs(text: &str) -> Vec<&'static str> {
    let imported = |name: &str| {
        text.lines().map(str::trim_start).any(|line| {
            let rest = line.strip_prefix("import ").or(line.strip_prefix("from "));
            rest.is_some_and(|r| r.split([' ', '.', ',']).next() == Some(name))
        })
    };
    let frameworks = FRAMEWORKS.into_iter().filter(|name| imported(name));
    ["numpy"].into_iter().chain(frameworks).collect()
}

/// The Pythons to try, and who named them.
fn candidates(named: &[PathBuf]) -> (Vec<PathBuf>, &'static str) {
    if !named.is_empty() {
        return (named.to_vec(), "--python");
    }
    if let Some(folder) = std::env::var_os("VIRTUAL_ENV").filter(|f| !f.is_empty()) {
        return (
            vec![PathBuf::from(folder).join("bin/python3")],
            "VIRTUAL_ENV",
        );
    }
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let mut seen = BTreeSet::new();
    let all = std::env::split_paths(&paths)
        .map(|folder| folder.join("python3"))
        .filter(|p| p.is_file() && p.canonicalize().is_ok_and(|real| seen.insert(real)));
    (all.collect(), "PATH")
}

/// Which of `needed` this Python cannot import, without importing them; or why it is none.
fn lacks(python: &Path, needed: &[&str]) -> std::result::Result<Vec<String>, String> {
    const ASK: &str = "import importlib.util as u, sys; print(*[n for n in sys.argv[1:] if u.find_spec(n) is None])";
    let child = Command::new(python)
        .args(["-c", ASK])
        .args(needed)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let mut child = child.map_err(|e| format!("does not start ({e})"))?;
    let begin = Instant::now();
    while let Ok(None) = child.try_wait() {
        if begin.elapsed() > LIMIT {
            let _ = child.kill();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(format!("is no working Python 3 ({})", output.status));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.split_whitespace().map(str::to_string).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_needs_is_what_it_imports() {
        let of = |text: &str| needs(text);
        assert_eq!(of("import numpy as np\n"), ["numpy"]);
        assert_eq!(of("# import torch\nimport torchvision\n"), ["numpy"]);
        assert_eq!(
            of("def build():\n    import torch.nn as nn\n"),
            ["numpy", "torch"]
        );
        assert_eq!(of("from torch import nn\n"), ["numpy", "torch"]);
    }

    #[test]
    fn a_python_that_is_none_is_told_with_what_was_tried() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("net.py");
        std::fs::write(&file, "import torch").unwrap();
        let e = choose(&file, &["/bin/false".into()]).unwrap_err();
        assert_eq!(e.exit, crate::exit::Exit::Failed);
        let says = e.to_string();
        for word in [
            "net.py",
            "numpy and torch",
            "--python: /bin/false",
            "exit status: 1",
        ] {
            assert!(says.contains(word), "{says}");
        }
    }
}

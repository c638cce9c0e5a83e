//! launch: how a port is started: a port file under a Python, an executable, or a command.

use super::{package, python};
use crate::error::{Error, Place, Result};
use serde_json::{Map, Value};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is started, and what the port is told.
#[derive(Clone, Debug)]
pub struct Launch {
    /// What messages call it.
    pub name: String,
    program: OsString,
    words: Vec<OsString>,
    /// The Python that runs it, where it is a port file.
    pub python: Option<PathBuf>,
    /// Arguments of `build()`.
    pub arguments: Map<String, Value>,
    /// Seed of whatever the port draws while it is built.
    pub seed: u64,
}

impl Launch {
    /// A port file (`net.py`), under the first Python that has what it needs, of those that are named where some are; or an executable file.
    ///
    /// # Errors
    /// It is not there, it is neither, or no Python has what it needs.
    pub fn file(path: &Path, named: &[PathBuf]) -> Result<Self> {
        crate::file::is_there(path).at(format!("port {}", path.display()))?;
        if path.extension().is_some_and(|e| e == "py") {
            let python = python::choose(path, named)?;
            let words = ["-m".into(), "parity_port.worker".into(), path.into()];
            let mut launch = Self::new(
                path.display().to_string(),
                python.clone().into(),
                words.into(),
            );
            launch.python = Some(python);
            return Ok(launch);
        }
        if !crate::file::is_executable(path) {
            let why = format!(
                "port {}: neither a port file (.py) nor an executable",
                path.display()
            );
            return Err(Error::usage(why)
                .next("docs/PORT.md says what a port is; chmod +x makes a file executable"));
        }
        // A bare name would be looked for on PATH.
        let absolute = std::path::absolute(path)
            .map_err(|e| Error::usage(format!("port {}: {e}", path.display())))?;
        Ok(Self::new(
            path.display().to_string(),
            absolute.into(),
            vec![],
        ))
    }

    /// A command in words.
    ///
    /// # Errors
    /// There is no word.
    pub fn command(words: &[String]) -> Result<Self> {
        let Some((program, rest)) = words.split_first() else {
            return Err(Error::usage("the command of a port is empty")
                .next("docs/PORT.md says what a port is"));
        };
        let rest = rest.iter().map(OsString::from).collect();
        Ok(Self::new(words.join(" "), program.into(), rest))
    }

    fn new(name: String, program: OsString, words: Vec<OsString>) -> Self {
        Self {
            name,
            program,
            words,
            python: None,
            arguments: Map::new(),
            seed: 0,
        }
    }

    /// The command, with what it needs in its environment; a port file's package is written into `folder`.
    pub(super) fn prepared(&self, folder: &Path) -> Result<Command> {
        let mut command = Command::new(&self.program);
        command.args(&self.words);
        if self.python.is_some() {
            package::write(folder)?;
            let before = std::env::var_os("PYTHONPATH").unwrap_or_default();
            let before = std::env::split_paths(&before).filter(|p| !p.as_os_str().is_empty());
            let paths = std::env::join_paths(std::iter::once(folder.to_path_buf()).chain(before));
            command.env(
                "PYTHONPATH",
                paths.map_err(|e| Error::failed(format!("PYTHONPATH: {e}")))?,
            );
            // What was printed is in the log even where the process is killed.
            command.env("PYTHONUNBUFFERED", "1");
        }
        Ok(command)
    }
}

//! config: mmengine's configs read as data: `_base_` and `read_base()`, `_delete_`, `{{...}}`, plain expressions; nothing is ever run. What is not plain is listed,
//! and what it may have changed is unknown: a dictionary is never another one than mmengine's own loader gives.

mod builtin;
mod call;
mod chain;
mod evaluate;
mod format;
mod import;
mod item;
mod lazy;
mod merge;
mod method;
mod names;
mod number;
mod old;
pub mod print;
mod run;
mod substitute;
mod tree;
mod value;

use crate::error::{Error, Result};
use crate::python::on_deep_stack;
use std::path::{Component, Path, PathBuf};

pub use run::Missed;
pub use tree::{Item, Tree};
pub use value::{At, Key};

/// A config and all that it is made of.
pub struct Config {
    pub tree: Tree,
    /// The config and its bases, in the order in which they were read.
    pub files: Vec<PathBuf>,
    texts: Vec<String>,
    /// What is not evaluated.
    pub missed: Vec<Missed>,
    /// Variables of the environment that would replace a default, with the default.
    pub environment: Vec<(String, String)>,
}

/// Reads a config; packages whose configs are bases are below `search`.
///
/// # Errors
/// What mmengine's own loader refuses too: no such file, no Python, a base that is not there, a key that two bases set.
pub fn load(path: &Path, search: &[PathBuf]) -> Result<Config> {
    on_deep_stack(|| {
        let mut chain = chain::Chain::of(search);
        let read = chain.load(path).and_then(|entries| {
            let tree = tree::dict(&entries, &mut chain.shared, 0)?;
            Ok(tree)
        });
        match read {
            Ok(tree) => Ok(Config {
                tree,
                files: chain.files,
                texts: chain.texts,
                missed: chain.shared.missed,
                environment: chain.environment,
            }),
            Err(stop) => {
                let file = chain.files.get(stop.at.file).map(PathBuf::as_path);
                Err(Error::usage(stop.what).at(place(file.unwrap_or(path), stop.at.line)))
            }
        }
    })
}

/// `file:line`; the file alone where no line is known.
fn place(file: &Path, line: usize) -> String {
    let file = plain(file);
    match line {
        0 => file.display().to_string(),
        line => format!("{}:{line}", file.display()),
    }
}

/// A path without `folder/..`, as people write it.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        let inside = matches!(out.components().next_back(), Some(Component::Normal(_)));
        match part {
            Component::ParentDir if inside => drop(out.pop()),
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

impl Config {
    /// `file:line` of a place.
    #[must_use]
    pub fn place(&self, at: At) -> String {
        let file = self.files.get(at.file).map(PathBuf::as_path);
        place(file.unwrap_or(Path::new("?")), at.line)
    }

    /// The comment on the line of a place, or on lines of their own right before it.
    #[must_use]
    pub fn comment(&self, at: At) -> String {
        let lines: Vec<&str> = self
            .texts
            .get(at.file)
            .map_or(vec![], |t| t.lines().collect());
        let own = |line: &str| Some(line.trim_start().strip_prefix('#')?.to_string());
        let before = lines.iter().take(at.line.saturating_sub(1)).rev();
        let mut said: Vec<String> = before.map_while(|line| own(line)).collect();
        said.reverse();
        let line = lines.get(at.line.saturating_sub(1)).unwrap_or(&"");
        said.extend(
            line.split_once(" #")
                .map(|(_, comment)| comment.to_string()),
        );
        said.join(" ")
    }
}

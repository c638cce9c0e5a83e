//! chain: a config and its bases: which files they are, and where each was found.

use super::lazy::{Loaded, is_lazy};
use super::run::{Outcome, Shared, Stop};
use super::value::{At, Entries};
use crate::python::{Source, read};
use std::path::{Path, PathBuf};

/// Bases of bases at most.
const DEEPEST: usize = 50;

/// Files of one chain at most.
const MOST: usize = 2_000;

pub struct Chain<'a> {
    /// Folders with packages whose configs are bases.
    pub search: &'a [PathBuf],
    pub files: Vec<PathBuf>,
    pub texts: Vec<String>,
    pub shared: Shared,
    pub environment: Vec<(String, String)>,
    depth: usize,
}

impl<'a> Chain<'a> {
    pub fn of(search: &'a [PathBuf]) -> Self {
        Self {
            search,
            files: vec![],
            texts: vec![],
            shared: Shared::default(),
            environment: vec![],
            depth: 0,
        }
    }

    /// The dictionary of a config, whatever its style; names that are imported left out.
    pub fn load(&mut self, path: &Path) -> Outcome<Entries> {
        let nowhere = At { file: 0, line: 0 };
        let (file, text) = self.open(path, nowhere)?;
        let python = path.extension().is_none_or(|e| e == "py");
        if !python {
            return self.old(path, file, &text);
        }
        // Text that is to be replaced first is no Python: only the older style has it.
        let lazy = Source::parse(text.clone()).is_ok_and(|source| is_lazy(&source));
        match lazy {
            false => self.old(path, file, &text),
            true => {
                let Loaded { entries, imported } = self.lazy(path, file, &text)?;
                let own = |key: &super::value::Key| !imported.contains(&key.to_string());
                Ok(entries.into_iter().filter(|(key, _)| own(key)).collect())
            }
        }
    }

    /// A base of the older style.
    pub fn old_file(&mut self, path: &Path, at: At) -> Outcome<Entries> {
        let (file, text) = self.open(path, at)?;
        let lazy = Source::parse(text.clone()).is_ok_and(|source| is_lazy(&source));
        if lazy {
            let what = format!(
                "{} is of the newer style, `_base_` takes only the older",
                path.display()
            );
            return Err(Stop { at, what });
        }
        self.depth += 1;
        let entries = self.old(path, file, &text);
        self.depth -= 1;
        entries
    }

    /// A base of the newer style.
    pub fn lazy_file(&mut self, path: &Path, at: At) -> Outcome<Loaded> {
        let (file, text) = self.open(path, at)?;
        self.depth += 1;
        let loaded = self.lazy(path, file, &text);
        self.depth -= 1;
        loaded
    }

    fn open(&mut self, path: &Path, at: At) -> Outcome<(usize, String)> {
        let stop = |what: String| Err(Stop { at, what });
        if self.depth > DEEPEST || self.files.len() >= MOST {
            return stop(format!(
                "more than {DEEPEST} bases in one another, or {MOST} files"
            ));
        }
        match read(path) {
            Ok(text) => {
                self.files.push(path.into());
                self.texts.push(text.clone());
                Ok((self.files.len() - 1, text))
            }
            Err(e) => stop(e.message),
        }
    }

    pub fn parse(&mut self, file: usize, text: String) -> Outcome<Source> {
        Source::parse(text).map_err(|e| Stop {
            at: At { file, line: 0 },
            what: e.message,
        })
    }

    /// The file of a base, and the package that it is of.
    pub fn base_path(&self, path: &Path, name: &str, at: At) -> Outcome<(PathBuf, Option<String>)> {
        let Some((package, inside)) = name.split_once("::") else {
            let folder = path.parent().unwrap_or(Path::new(""));
            return Ok((folder.join(name), None));
        };
        let places = self.package(package).into_iter().flat_map(|root| {
            let parent = root.parent().map(|p| p.join("configs").join(inside));
            let own = [".mim/configs", "configs"].map(|c| root.join(c).join(inside));
            own.into_iter().chain(parent)
        });
        let found = places.into_iter().find(|p| p.is_file());
        match found {
            Some(found) => Ok((found, Some(package.into()))),
            None => Err(self.no_package(package, name, at)),
        }
    }

    /// The file of a base that is an import.
    pub fn base_module(&self, path: &Path, module: &str, at: At) -> Outcome<PathBuf> {
        let name = module.trim_start_matches('.');
        let level = module.len() - name.len();
        let inside = format!("{}.py", name.replace('.', "/"));
        let found = match level {
            0 => {
                let (package, rest) = inside.split_once('/').unwrap_or((&inside, ""));
                let places = self
                    .package(package)
                    .into_iter()
                    .map(|root| root.join(rest));
                let found = places.into_iter().find(|p| p.is_file());
                found.ok_or_else(|| self.no_package(package, module, at))?
            }
            level => {
                let folder = path.parent().unwrap_or(Path::new(""));
                let up = "../".repeat(level - 1);
                folder.join(up).join(&inside)
            }
        };
        match found.is_file() {
            true => Ok(found),
            false => {
                let what = format!("{} is not found, it is imported as a base", found.display());
                Err(Stop { at, what })
            }
        }
    }

    /// Folders of a package below those that are searched, or that are named as it is.
    fn package(&self, name: &str) -> Vec<PathBuf> {
        let inside = self.search.iter().map(|folder| folder.join(name));
        let itself = self
            .search
            .iter()
            .filter(|f| f.file_name().is_some_and(|n| n == name));
        inside
            .chain(itself.cloned())
            .filter(|f| f.is_dir())
            .collect()
    }

    fn no_package(&self, package: &str, name: &str, at: At) -> Stop {
        let searched: Vec<String> = self
            .search
            .iter()
            .map(|f| f.display().to_string())
            .collect();
        let what = match searched.is_empty() {
            true => format!(
                "the base {name} is of the package {package}: --search FOLDER says where that is"
            ),
            false => format!(
                "the base {name} is in no package {package} below {}",
                searched.join(", ")
            ),
        };
        Stop { at, what }
    }
}

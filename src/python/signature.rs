//! signature: what the classes of a source tree take when they are made, read from their source.

use super::{Source, read};
use crate::error::Result;
use ruff_python_ast::{Expr, Stmt, StmtClassDef, StmtFunctionDef};
use ruff_text_size::Ranged;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Files of a source tree at most.
const MOST: usize = 20_000;

/// A class or function of the source.
#[derive(Clone, Debug, PartialEq)]
pub struct Defined {
    pub file: PathBuf,
    pub line: usize,
    /// Names of its bases.
    pub bases: Vec<String>,
    /// None where a class defines no `__init__` itself.
    pub takes: Option<Takes>,
    /// Decorators that may change what it takes are named.
    pub decorators: Vec<String>,
}

/// Parameters by name, without `self`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Takes {
    pub names: Vec<String>,
    /// Names of those without a default.
    pub required: Vec<String>,
    /// `**kwargs`: any other name is taken too.
    pub others: bool,
}

/// Definitions by name, and what could not be read.
#[derive(Default)]
pub struct Sources {
    pub defined: BTreeMap<String, Vec<Defined>>,
    pub files: usize,
    pub unread: Vec<(PathBuf, String)>,
}

impl Sources {
    /// Every class and top-level function below `folder`.
    pub fn add(&mut self, folder: &Path) {
        let walk = WalkDir::new(folder).sort_by_file_name().into_iter();
        let python = |path: &Path| path.extension().is_some_and(|e| e == "py");
        let files = walk
            .filter_map(std::result::Result::ok)
            .map(walkdir::DirEntry::into_path);
        for path in files.filter(|path| python(path) && path.is_file()) {
            if self.files == MOST {
                let why = format!("only the first {MOST} files are read");
                self.unread.push((folder.into(), why));
                return;
            }
            self.files += 1;
            if let Err(e) = self.file(&path) {
                self.unread.push((path, e.message));
            }
        }
    }

    fn file(&mut self, path: &Path) -> Result<()> {
        let source = Source::parse(read(path)?)?;
        self.body(path, &source, &source.body, 0);
        Ok(())
    }

    /// Classes also stand below `if` and `try`, and in classes.
    fn body(&mut self, path: &Path, source: &Source, body: &[Stmt], depth: usize) {
        for stmt in body {
            match stmt {
                Stmt::ClassDef(class) => {
                    let defined = class_of(path, source, class);
                    self.insert(class.name.as_str(), defined);
                }
                Stmt::FunctionDef(f) => {
                    let defined = function_of(path, source, f);
                    self.insert(f.name.as_str(), defined);
                }
                Stmt::If(s) if depth < 20 => {
                    self.body(path, source, &s.body, depth + 1);
                    for clause in &s.elif_else_clauses {
                        self.body(path, source, &clause.body, depth + 1);
                    }
                }
                Stmt::Try(s) if depth < 20 => {
                    self.body(path, source, &s.body, depth + 1);
                    self.body(path, source, &s.orelse, depth + 1);
                }
                _ => {}
            }
        }
    }

    fn insert(&mut self, name: &str, defined: Defined) {
        self.defined.entry(name.into()).or_default().push(defined);
    }
}

fn class_of(path: &Path, source: &Source, class: &StmtClassDef) -> Defined {
    let init = class.body.iter().find_map(|s| match s {
        Stmt::FunctionDef(f) if f.name.as_str() == "__init__" => Some(takes(f, true)),
        _ => None,
    });
    Defined {
        file: path.into(),
        line: source.line(class.name.range().start()),
        bases: class.bases().iter().filter_map(last_name).collect(),
        takes: init,
        decorators: decorators(class.decorator_list.iter().map(|d| &d.expression)),
    }
}

fn function_of(path: &Path, source: &Source, f: &StmtFunctionDef) -> Defined {
    Defined {
        file: path.into(),
        line: source.line(f.name.range().start()),
        bases: vec![],
        takes: Some(takes(f, false)),
        decorators: decorators(f.decorator_list.iter().map(|d| &d.expression)),
    }
}

fn takes(f: &StmtFunctionDef, method: bool) -> Takes {
    let p = &f.parameters;
    let positional = p
        .posonlyargs
        .iter()
        .chain(&p.args)
        .skip(usize::from(method));
    let all: Vec<_> = positional.chain(&p.kwonlyargs).collect();
    let name = |p: &&ruff_python_ast::ParameterWithDefault| p.parameter.name.to_string();
    Takes {
        names: all.iter().map(name).collect(),
        required: all
            .iter()
            .filter(|p| p.default.is_none())
            .map(name)
            .collect(),
        others: p.kwarg.is_some(),
    }
}

/// `register_module` and its kind only enter a name; others may wrap what they stand over.
fn decorators<'a>(all: impl Iterator<Item = &'a Expr>) -> Vec<String> {
    let names = all.map(|d| match d {
        Expr::Call(call) => last_name(&call.func),
        other => last_name(other),
    });
    let unknown = names.map(|n| n.unwrap_or_else(|| "?".into()));
    unknown.filter(|n| !n.starts_with("register")).collect()
}

/// `Name` of `Name`, `module.Name` and `Name[T]`.
fn last_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Name(name) => Some(name.id.to_string()),
        Expr::Attribute(a) => Some(a.attr.to_string()),
        Expr::Subscript(s) => last_name(&s.value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_class_takes_is_read_without_running_it() {
        let dir = tempfile::tempdir().unwrap();
        let text = "import nothing_that_is_here\nraise SystemExit\n\n@REG.register_module()\nclass Zorp(base.Quux):\n    def __init__(self, a, b=1, *, c, **rest):\n        pass\n\ntry:\n    class Late(Zorp): pass\nexcept E:\n    pass\n";
        std::fs::write(dir.path().join("z.py"), text).unwrap();
        std::fs::write(dir.path().join("broken.py"), "class (").unwrap();
        let mut sources = Sources::default();
        sources.add(dir.path());
        let zorp = &sources.defined["Zorp"][0];
        let takes = zorp.takes.clone().unwrap();
        assert_eq!(takes.names, ["a", "b", "c"]);
        assert_eq!(
            (takes.required, takes.others),
            (vec!["a".to_string(), "c".into()], true)
        );
        assert_eq!(
            (zorp.line, zorp.bases.clone()),
            (5, vec!["Quux".to_string()])
        );
        assert!(zorp.decorators.is_empty());
        assert_eq!(sources.defined["Late"][0].takes, None);
        assert_eq!((sources.files, sources.unread.len()), (2, 1));
    }
}

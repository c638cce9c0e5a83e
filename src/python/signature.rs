//! signature: what the classes of a source tree take when they are made, read from their source.

use super::{Source, read};
use crate::error::Result;
use ruff_python_ast::visitor::{self, Visitor};
use ruff_python_ast::{Expr, Stmt, StmtClassDef, StmtFunctionDef};
use ruff_text_size::Ranged;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// Files of a source tree at most.
const MOST: usize = 20_000;

/// A class or function of the source.
#[derive(Clone, Debug, PartialEq)]
pub struct Defined {
    pub file: PathBuf,
    pub line: usize,
    pub bases: Vec<Base>,
    /// None where a class defines no `__init__` itself.
    pub takes: Option<Takes>,
    /// Decorators that may change what it takes are named.
    pub decorators: Vec<String>,
}

/// A base by the name that it has where it is defined.
#[derive(Clone, Debug, PartialEq)]
pub struct Base {
    pub name: String,
    pub from: From,
}

/// Where the file of a class has a base from.
#[derive(Clone, Debug, PartialEq)]
pub enum From {
    /// It is defined there, or is a builtin.
    Here,
    /// Some file of the same package.
    Beside,
    /// The first name of the module that it is imported from.
    Package(String),
}

/// Parameters by name, without `self`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Takes {
    pub names: Vec<String>,
    /// Names of those without a default.
    pub required: Vec<String>,
    /// `**kwargs`: any other name is taken too.
    pub others: bool,
    /// `super().__init__(**kwargs)`: those go to the bases.
    pub forwards: bool,
    /// Names that the body never says.
    pub unused: Vec<String>,
}

/// Definitions by name, and what could not be read.
#[derive(Default)]
pub struct Sources {
    pub defined: BTreeMap<String, Vec<Defined>>,
    pub files: usize,
    pub unread: Vec<(PathBuf, String)>,
    /// Of the file that is read: what it calls by other names.
    imports: BTreeMap<String, Base>,
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
        self.imports = imports(&source.body);
        self.body(path, &source, &source.body, 0);
        Ok(())
    }

    /// Classes also stand below `if` and `try`, and in classes.
    fn body(&mut self, path: &Path, source: &Source, body: &[Stmt], depth: usize) {
        for stmt in body {
            match stmt {
                Stmt::ClassDef(class) => {
                    let defined = class_of(path, source, class, &self.imports);
                    for name in registered(class) {
                        self.insert(&name, defined.clone());
                    }
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

    /// The definitions that a base of a class means; none where it is in no source.
    pub fn of_base(&self, class: &Defined, base: &Base) -> Vec<&Defined> {
        let all = self.defined.get(&base.name).map_or(&[][..], Vec::as_slice);
        let means = |other: &&Defined| match &base.from {
            From::Here => other.file == class.file,
            From::Beside => true,
            From::Package(name) => other
                .file
                .components()
                .any(|part| part.as_os_str() == name.as_str()),
        };
        all.iter()
            .filter(|other| *other != class && means(other))
            .collect()
    }

    fn insert(&mut self, name: &str, defined: Defined) {
        self.defined.entry(name.into()).or_default().push(defined);
    }
}

/// What the imports of a file bind.
fn imports(body: &[Stmt]) -> BTreeMap<String, Base> {
    let mut all = BTreeMap::new();
    for stmt in body {
        let (names, module) = match stmt {
            Stmt::ImportFrom(s) => {
                let module = s.module.as_ref().map_or("", |m| m.as_str());
                (&s.names, Some((s.level, module)))
            }
            Stmt::Import(s) => (&s.names, None),
            _ => continue,
        };
        for alias in names {
            let bound = alias.asname.as_ref().unwrap_or(&alias.name);
            let first = |module: &str| module.split('.').next().unwrap_or_default().to_string();
            let from = match module {
                Some((0, module)) => From::Package(first(module)),
                Some(_) => From::Beside,
                None => From::Package(first(&alias.name)),
            };
            let name = alias.name.to_string();
            all.insert(first(bound), Base { name, from });
        }
    }
    all
}

/// A base as it is called in a file: `Name`, or `module.Name`.
fn base(expr: &Expr, imports: &BTreeMap<String, Base>) -> Option<Base> {
    let name = last_name(expr)?;
    match first_name(expr)? {
        first if first == name => Some(imports.get(&name).cloned().unwrap_or(Base {
            name,
            from: From::Here,
        })),
        first => {
            let from = imports.get(&first).map_or(From::Here, |i| i.from.clone());
            Some(Base { name, from })
        }
    }
}

fn first_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Name(name) => Some(name.id.to_string()),
        Expr::Attribute(a) => first_name(&a.value),
        Expr::Subscript(s) => first_name(&s.value),
        _ => None,
    }
}

fn class_of(
    path: &Path,
    source: &Source,
    class: &StmtClassDef,
    imports: &BTreeMap<String, Base>,
) -> Defined {
    let init = class.body.iter().find_map(|s| match s {
        Stmt::FunctionDef(f) if f.name.as_str() == "__init__" => Some(takes(f, true)),
        _ => None,
    });
    Defined {
        file: path.into(),
        line: source.line(class.name.range().start()),
        bases: class
            .bases()
            .iter()
            .filter_map(|b| base(b, imports))
            .collect(),
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
    let names: Vec<String> = all.iter().map(name).collect();
    let mut body = Body::default();
    f.body.iter().for_each(|stmt| body.visit_stmt(stmt));
    let kwargs = p.kwarg.as_ref().map(|k| k.name.to_string());
    // `locals()` says every name.
    let unused = match body.names.contains("locals") {
        true => vec![],
        false => names
            .iter()
            .filter(|n| !body.names.contains(*n))
            .cloned()
            .collect(),
    };
    Takes {
        unused,
        forwards: kwargs.is_some_and(|k| body.forwarded.contains(&k)),
        names,
        required: all
            .iter()
            .filter(|p| p.default.is_none())
            .map(name)
            .collect(),
        others: p.kwarg.is_some(),
    }
}

/// What the body of a function says.
#[derive(Default)]
struct Body {
    names: BTreeSet<String>,
    /// Names that go as `**name` to an `__init__`.
    forwarded: BTreeSet<String>,
}

impl<'a> Visitor<'a> for Body {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Name(name) => drop(self.names.insert(name.id.to_string())),
            Expr::Call(call) if last_name(&call.func).as_deref() == Some("__init__") => {
                let spread = call.arguments.keywords.iter().filter(|k| k.arg.is_none());
                self.forwarded
                    .extend(spread.filter_map(|k| last_name(&k.value)));
            }
            _ => {}
        }
        visitor::walk_expr(self, expr);
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

/// Other names that a class is registered under: `@REGISTRY.register_module(name='Other')`.
fn registered(class: &StmtClassDef) -> Vec<String> {
    let mut names = vec![];
    for decorator in &class.decorator_list {
        let Expr::Call(call) = &decorator.expression else {
            continue;
        };
        let named = call
            .arguments
            .keywords
            .iter()
            .filter(|k| k.arg.as_deref() == Some("name"));
        let given = call.arguments.args.iter().chain(named.map(|k| &k.value));
        for value in given {
            let texts = match value {
                Expr::List(l) => &l.elts[..],
                Expr::Tuple(t) => &t.elts[..],
                one => std::slice::from_ref(one),
            };
            names.extend(texts.iter().filter_map(|t| match t {
                Expr::StringLiteral(s) => Some(s.value.to_str().to_string()),
                _ => None,
            }));
        }
    }
    names.retain(|name| name != class.name.as_str());
    names
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
        let text = "import nothing_that_is_here\nraise SystemExit\n\n@REG.register_module(name=['Alias'])\nclass Zorp(base.Quux):\n    def __init__(self, a, b=1, *, c, **rest):\n        super().__init__(a, **rest)\n\ntry:\n    class Late(Zorp): pass\nexcept E:\n    pass\n";
        std::fs::write(dir.path().join("z.py"), text).unwrap();
        std::fs::write(dir.path().join("broken.py"), "class (").unwrap();
        let mut sources = Sources::default();
        sources.add(dir.path());
        let zorp = &sources.defined["Zorp"][0];
        let takes = zorp.takes.clone().unwrap();
        assert_eq!(takes.names, ["a", "b", "c"]);
        assert_eq!(takes.unused, ["b", "c"]);
        assert!(takes.forwards);
        assert_eq!(sources.defined["Alias"].len(), 1);
        assert_eq!(
            (takes.required, takes.others),
            (vec!["a".to_string(), "c".into()], true)
        );
        assert_eq!((zorp.line, zorp.bases[0].name.as_str()), (5, "Quux"));
        assert!(zorp.decorators.is_empty());
        assert_eq!(sources.defined["Late"][0].takes, None);
        assert_eq!((sources.files, sources.unread.len()), (2, 1));
    }
}

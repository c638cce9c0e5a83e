//! lazy: a config with `with read_base():`: its bases are Python imports, what else it imports are names that are looked up when it is built.

use super::chain::Chain;
use super::import::{Lazily, is_builtin, module};
use super::merge;
use super::run::{Outcome, Run, Stop};
use super::value::{At, Entries, Entry, Key, Lazy, Value};
use crate::python::Source;
use indexmap::IndexMap;
use ruff_python_ast::{Expr, Stmt, StmtImportFrom, StmtWith};
use ruff_text_size::Ranged;
use std::collections::BTreeSet;
use std::path::Path;

/// Whether mmengine reads a config in this way.
pub fn is_lazy(source: &Source) -> bool {
    let mut below = vec![];
    let mut level: Vec<&Stmt> = source.body.iter().collect();
    while !level.is_empty() {
        for stmt in level {
            match stmt {
                Stmt::Assign(s) if super::old::is_base(s) => return false,
                Stmt::With(_) => return true,
                Stmt::ImportFrom(s) if s.level > 0 => return true,
                Stmt::ImportFrom(s) => {
                    let own = s.module.as_ref().is_some_and(|m| m.as_str() == "mmengine");
                    let config = own && s.names.len() == 1 && s.names[0].name.as_str() == "Config";
                    if !config && !is_builtin(&module(s)) {
                        return true;
                    }
                }
                Stmt::Import(s) if s.names.iter().any(|a| !is_builtin(&a.name)) => return true,
                Stmt::FunctionDef(s) => below.extend(&s.body),
                Stmt::ClassDef(s) => below.extend(&s.body),
                Stmt::If(s) => below.extend(&s.body),
                Stmt::For(s) => below.extend(&s.body),
                Stmt::Try(s) => below.extend(&s.body),
                _ => {}
            }
        }
        level = std::mem::take(&mut below);
    }
    false
}

/// What a config of this kind holds, and which of it is imported.
pub struct Loaded {
    pub entries: Entries,
    pub imported: BTreeSet<String>,
}

impl Chain<'_> {
    pub fn lazy(&mut self, path: &Path, file: usize, text: &str) -> Outcome<Loaded> {
        let source = self.parse(file, text.into())?;
        let (imports, body) = without_bases(&source, file)?;
        let mut state = Lazily::default();
        let mut globals: IndexMap<String, Entry> = IndexMap::new();
        let mut bases: IndexMap<String, Entries> = IndexMap::new();
        for import in &imports {
            let at = at(&source, file, *import);
            let module = module(import);
            let found = self.base_module(path, &module, at)?;
            let loaded = self.lazy_file(&found, at)?;
            state.imported.extend(loaded.imported);
            state.bases.insert(module.clone());
            bases.insert(module, loaded.entries);
        }
        for stmt in &body {
            if let Stmt::ImportFrom(s) = stmt
                && let Some(entries) = bases.get(&module(s))
            {
                bind(s, entries, &mut globals, at(&source, file, s))?;
            }
        }
        gather(&body, &mut state);
        let mut run = Run::of(&source, file, &mut self.shared);
        run.globals = globals;
        for (name, modules) in &state.packages {
            let module = modules[0].split('.').next().unwrap_or_default().to_string();
            let value = Value::Lazy(Lazy { module, name: None }.into());
            run.set(name, value, At { file, line: 1 });
        }
        state.imported.extend(state.packages.keys().cloned());
        run.lazy = Some(state);
        for stmt in body {
            run.body(std::slice::from_ref(stmt))?;
        }
        finished(&mut run)
    }
}

/// The dictionary of what ran; functions and modules that are no imports stand in it as objects.
fn finished(run: &mut Run) -> Outcome<Loaded> {
    let imported = run.lazy.take().unwrap_or_default().imported;
    let mut entries = Entries::new();
    for (name, entry) in std::mem::take(&mut run.globals) {
        if name.starts_with("__") {
            continue;
        }
        run.shared.measure(&entry.value, entry.at)?;
        let value = match &entry.value {
            Value::Foreign(_) if !imported.contains(&name) => {
                let missed = super::run::Missed {
                    at: entry.at,
                    excerpt: name.clone(),
                    why: "a function or module as a value".into(),
                };
                Value::Unknown(run.shared.list(missed))
            }
            Value::Foreign(_) => entry.value,
            other => merge::scoped(other, None, true),
        };
        let at = entry.at;
        entries.insert(Key::from(name.as_str()), Entry { value, at });
    }
    Ok(Loaded { entries, imported })
}

fn at(source: &Source, file: usize, node: &impl Ranged) -> At {
    let line = source.line(node.range().start());
    At { file, line }
}

/// The imports of the first `with read_base():`, and the statements with those in its place.
fn without_bases(source: &Source, file: usize) -> Outcome<(Vec<&StmtImportFrom>, Vec<&Stmt>)> {
    let mut body: Vec<&Stmt> = vec![];
    let mut imports = None;
    for stmt in &source.body {
        match stmt {
            Stmt::With(with) if imports.is_none() => {
                imports = Some(of_with(source, file, with)?);
                body.extend(&with.body);
            }
            other => body.push(other),
        }
    }
    Ok((imports.unwrap_or_default(), body))
}

fn of_with<'a>(
    source: &Source,
    file: usize,
    with: &'a StmtWith,
) -> Outcome<Vec<&'a StmtImportFrom>> {
    let stop = |node: &dyn Fn() -> At, what: &str| {
        let (at, what) = (node(), what.into());
        Err(Stop { at, what })
    };
    let reads = |e: &Expr| match e {
        Expr::Call(call) => matches!(&*call.func, Expr::Name(n) if n.id == "read_base"),
        _ => false,
    };
    if with.items.len() != 1 || !reads(&with.items[0].context_expr) {
        let words = "ConfigParsingError: only `with read_base():` can be used in a config";
        return stop(&|| at(source, file, with), words);
    }
    let mut imports = vec![];
    for stmt in &with.body {
        match stmt {
            Stmt::ImportFrom(s) if s.module.is_some() => imports.push(s),
            other => {
                let words = "only `from MODULE import ...` can stand in `with read_base():`";
                return stop(&|| at(source, file, other), words);
            }
        }
    }
    Ok(imports)
}

/// Sets what a base's import names.
fn bind(
    s: &StmtImportFrom,
    entries: &Entries,
    globals: &mut IndexMap<String, Entry>,
    at: At,
) -> Outcome<()> {
    for alias in &s.names {
        if alias.name.as_str() == "*" {
            let all = entries.iter().filter_map(|(key, entry)| match key {
                Key::Str(name) => Some((name.to_string(), entry.clone())),
                Key::Int(_) => None,
            });
            globals.extend(all);
            return Ok(());
        }
        let name = super::names::bound(alias);
        match entries.get(&Key::from(alias.name.as_str())) {
            Some(entry) => drop(globals.insert(name, entry.clone())),
            None => {
                let what = format!("KeyError: '{}' is not in {}", alias.name, module(s));
                return Err(Stop { at, what });
            }
        }
    }
    Ok(())
}

/// `import a.b` of packages that are not the standard library's.
fn gather(body: &[&Stmt], state: &mut Lazily) {
    for stmt in body {
        let Stmt::Import(s) = stmt else { continue };
        for alias in s
            .names
            .iter()
            .filter(|a| a.asname.is_none() && !is_builtin(&a.name))
        {
            let first = super::names::bound(alias);
            state
                .packages
                .entry(first)
                .or_default()
                .push(alias.name.to_string());
        }
    }
}

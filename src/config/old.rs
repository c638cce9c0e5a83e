//! old: a config with `_base_`: its bases are read, its statements evaluated, and what they set is put over the bases.

use super::chain::Chain;
use super::merge;
use super::run::{Outcome, Run, Stop};
use super::substitute::{Substituted, marks, substitute};
use super::value::{At, Dict, Entries, Entry, Key, Value};
use crate::python::Source;
use ruff_python_ast::{Expr, Stmt, StmtAssign};
use std::path::Path;
use std::rc::Rc;

const BASE: &str = "_base_";

/// Whether a statement names the bases.
pub fn is_base(s: &StmtAssign) -> bool {
    matches!(s.targets.first(), Some(Expr::Name(name)) if name.id == BASE)
}

impl Chain<'_> {
    /// The dictionary of a config in Python with `_base_`, or in YAML or JSON.
    pub fn old(&mut self, path: &Path, file: usize, text: &str) -> Outcome<Entries> {
        let substituted = substitute(text, path);
        self.note_environment(&substituted, file)?;
        let python = path.extension().is_none_or(|e| e == "py");
        let own = match python {
            true => self.statements(path, file, &substituted)?,
            false => self.document(path, file, &substituted)?,
        };
        let (mut set, bases) = own;
        set.shift_remove(&Key::from(BASE));
        set.shift_remove(&Key::from("_deprecation_"));
        let merged = merge::over(set, &bases)?.entries();
        let kept = |key: &Key| !matches!(key, Key::Str(name) if name.starts_with("__"));
        Ok(merged.into_iter().filter(|(key, _)| kept(key)).collect())
    }

    fn note_environment(&mut self, substituted: &Substituted, file: usize) -> Outcome<()> {
        let at = At { file, line: 1 };
        self.environment
            .extend(substituted.environment.iter().cloned());
        match &substituted.lacking {
            Some(name) => {
                let what = format!("the variable {name} of the environment has no default");
                Err(Stop { at, what })
            }
            None => Ok(()),
        }
    }

    fn statements(
        &mut self,
        path: &Path,
        file: usize,
        s: &Substituted,
    ) -> Outcome<(Entries, Rc<Dict>)> {
        let source = self.parse(file, s.text.clone())?;
        let names = self.base_names(&source, file)?;
        let bases = self.bases(path, &names)?;
        let mut run = Run::of(&source, file, &mut self.shared);
        let at = At { file, line: 1 };
        run.set(BASE, Value::Dict(bases.clone()), at);
        run.body(&source.body)?;
        let mut set = Entries::new();
        for (name, entry) in std::mem::take(&mut run.globals) {
            if name == BASE || name.starts_with("__") || matches!(entry.value, Value::Foreign(_)) {
                continue;
            }
            let at = entry.at;
            self.shared.measure(&entry.value, at)?;
            let value = marks(&entry.value, &s.bases, &bases, at, &mut self.shared);
            let value = value.map_err(|what| Stop { at, what })?;
            set.insert(Key::from(name.as_str()), Entry { value, at });
        }
        Ok((set, bases))
    }

    fn base_names(&mut self, source: &Source, file: usize) -> Outcome<Vec<(String, At)>> {
        let base = source.body.iter().find_map(|stmt| match stmt {
            Stmt::Assign(s) if is_base(s) => Some(&s.value),
            _ => None,
        });
        let Some(base) = base else {
            return Ok(vec![]);
        };
        let mut run = Run::of(source, file, &mut self.shared);
        let value = run.value(base)?;
        let mut named = vec![];
        let mut each = |run: &Run, e: &Expr, value: &Value| match value {
            Value::Str(text) => {
                named.push((text.to_string(), run.at(e)));
                Ok(())
            }
            _ => run.raise(e, "TypeError: a base is no text"),
        };
        match (&value, &**base) {
            (Value::List(items), Expr::List(l)) if l.elts.len() == items.get().len() => {
                for (e, item) in l.elts.iter().zip(items.get().iter()) {
                    each(&run, e, item)?;
                }
            }
            (Value::List(items), e) => {
                for item in items.get().iter() {
                    each(&run, e, item)?;
                }
            }
            (one, e) => each(&run, e, one)?,
        }
        Ok(named)
    }

    /// All bases as one ConfigDict.
    fn bases(&mut self, path: &Path, names: &[(String, At)]) -> Outcome<Rc<Dict>> {
        let all = Dict::new(true, Entries::new());
        for (name, at) in names {
            let (found, scope) = self.base_path(path, name, *at)?;
            let entries = self.old_file(&found, *at)?;
            if let Some(twice) = entries.keys().find(|key| all.get(key).is_some()) {
                let what = format!("KeyError: '{twice}' is set by {name} and by a base before it");
                return Err(Stop { at: *at, what });
            }
            for (key, entry) in entries {
                let value = merge::scoped(&entry.value, scope.as_deref(), true);
                all.set(
                    key,
                    Entry {
                        value,
                        at: entry.at,
                    },
                );
            }
        }
        Ok(all)
    }

    fn document(
        &mut self,
        path: &Path,
        file: usize,
        s: &Substituted,
    ) -> Outcome<(Entries, Rc<Dict>)> {
        let at = At { file, line: 1 };
        let stop = |what: String| Stop { at, what };
        let json = path.extension().is_some_and(|e| e == "json");
        let read = match json {
            true => serde_json::from_str(&s.text).map_err(|e| stop(format!("no JSON: {e}")))?,
            false => crate::input::yaml::parse(&s.text).map_err(|e| stop(e.message))?,
        };
        let Value::Dict(own) = of_json(&read, at) else {
            return Err(stop("no mapping".into()));
        };
        own.shared.change(|all| {
            for (key, entry) in all {
                entry.at.line = line_of(&s.text, &key.to_string());
            }
        });
        let names = match own.get(&Key::from(BASE)).map(|e| e.value) {
            None => vec![],
            Some(Value::Str(one)) => vec![(one.to_string(), at)],
            Some(Value::List(items)) => {
                let text = |v: &Value| match v {
                    Value::Str(text) => Ok((text.to_string(), at)),
                    _ => Err(stop("a base is no text".into())),
                };
                items.get().iter().map(text).collect::<Outcome<_>>()?
            }
            Some(_) => return Err(stop("a base is no text".into())),
        };
        let bases = self.bases(path, &names)?;
        let set = marks(&Value::Dict(own), &s.bases, &bases, at, &mut self.shared);
        match set.map_err(stop)? {
            Value::Dict(set) => Ok((set.entries(), bases)),
            _ => Ok((Entries::new(), bases)),
        }
    }
}

/// The line that sets a key of the outermost mapping; the first one where it is not found.
fn line_of(text: &str, key: &str) -> usize {
    let sets = |line: &str| {
        let rest = line.trim_start_matches(['"', '\'']).strip_prefix(key);
        rest.is_some_and(|r| r.trim_start_matches(['"', '\'', ' ']).starts_with(':'))
    };
    text.lines().position(sets).map_or(1, |at| at + 1)
}

fn of_json(value: &serde_json::Value, at: At) -> Value {
    use serde_json::Value as Json;
    match value {
        Json::Null => Value::None,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(n) => match n.as_i64() {
            Some(n) => Value::Int(n.into()),
            None => n.as_u64().map_or_else(
                || Value::Float(n.as_f64().unwrap_or(f64::NAN)),
                |n| Value::Int(n.into()),
            ),
        },
        Json::String(text) => Value::text(text),
        Json::Array(items) => Value::list(items.iter().map(|i| of_json(i, at)).collect()),
        Json::Object(map) => {
            let entry = |(key, value): (&String, &Json)| {
                let value = of_json(value, at);
                (Key::from(key.as_str()), Entry { value, at })
            };
            Value::dict(map.iter().map(entry).collect())
        }
    }
}

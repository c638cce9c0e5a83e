//! run: the statements of one config, evaluated in order; what is no plain statement is listed, and all that it touches is unknown.

use super::names::names;
use super::value::{At, Dict, Entry, Key, Value};
use crate::python::Source;
use indexmap::IndexMap;
use ruff_python_ast::{Expr, Stmt, StmtAugAssign, StmtFor, StmtIf};
use ruff_text_size::Ranged;
use std::rc::Rc;

/// Values that the configs of one chain may make, and turns that their loops may take: real ones make some thousands.
pub const BUDGET: usize = 500_000;

/// An expression or statement that is not evaluated.
#[derive(Clone, Debug, PartialEq)]
pub struct Missed {
    pub at: At,
    pub excerpt: String,
    pub why: String,
}

/// Python would raise here, or a budget is used up.
#[derive(Clone, Debug, PartialEq)]
pub struct Stop {
    pub at: At,
    pub what: String,
}

pub type Outcome<T = Value> = Result<T, Stop>;

/// What all files of a chain share.
#[derive(Default)]
pub struct Shared {
    pub missed: Vec<Missed>,
    pub made: usize,
}

impl Shared {
    /// Counts all that a value comes to.
    pub fn measure(&mut self, value: &Value, at: At) -> Outcome<()> {
        let mut left = BUDGET.saturating_sub(self.made);
        let fits = super::value::fits(value, &mut left, 0);
        self.made = BUDGET.saturating_sub(left);
        match fits {
            true => Ok(()),
            false => {
                let what = format!(
                    "a value of more than {} levels or {BUDGET} values",
                    super::value::DEEPEST
                );
                Err(Stop { at, what })
            }
        }
    }

    /// The place of what is not evaluated among all that is.
    pub fn list(&mut self, missed: Missed) -> usize {
        let all = &mut self.missed;
        match all.iter().position(|known| *known == missed) {
            Some(known) => known,
            None => {
                all.push(missed);
                all.len() - 1
            }
        }
    }
}

/// The state of one file.
pub struct Run<'a> {
    pub source: &'a Source,
    pub file: usize,
    pub shared: &'a mut Shared,
    pub globals: IndexMap<String, Entry>,
    /// Names of comprehensions, the innermost last.
    pub locals: Vec<IndexMap<String, Value>>,
    /// What imports come to, where the config is one of Python's own imports.
    pub lazy: Option<super::import::Lazily>,
}

impl<'a> Run<'a> {
    pub fn of(source: &'a Source, file: usize, shared: &'a mut Shared) -> Self {
        Self {
            source,
            file,
            shared,
            globals: IndexMap::new(),
            locals: vec![],
            lazy: None,
        }
    }

    pub fn at(&self, node: &impl Ranged) -> At {
        let line = self.source.line(node.range().start());
        At {
            file: self.file,
            line,
        }
    }

    pub fn raise<T>(&self, node: &impl Ranged, what: impl Into<String>) -> Outcome<T> {
        let (at, what) = (self.at(node), what.into());
        Err(Stop { at, what })
    }

    /// Lists a node as not evaluated; once, however often it is met.
    pub fn miss(&mut self, node: &impl Ranged, why: &str) -> usize {
        let missed = Missed {
            at: self.at(node),
            excerpt: self.source.excerpt(node),
            why: why.into(),
        };
        self.shared.list(missed)
    }

    pub fn missed(&mut self, node: &impl Ranged, why: &str) -> Outcome {
        Ok(Value::Unknown(self.miss(node, why)))
    }

    /// Counts values that are made.
    pub fn spend(&mut self, node: &impl Ranged, values: usize) -> Outcome<()> {
        self.shared.made = self.shared.made.saturating_add(values);
        match self.shared.made > BUDGET {
            true => self.raise(node, format!("more than {BUDGET} values are made")),
            false => Ok(()),
        }
    }

    /// Counts all that a value comes to, before it is copied or walked.
    pub fn measure(&mut self, node: &impl Ranged, value: &Value) -> Outcome<()> {
        let at = self.at(node);
        self.shared.measure(value, at)
    }

    pub fn set(&mut self, name: &str, value: Value, at: At) {
        self.globals.insert(name.into(), Entry { value, at });
    }

    pub fn body(&mut self, body: &[Stmt]) -> Outcome<()> {
        body.iter().try_for_each(|stmt| self.statement(stmt))
    }

    fn statement(&mut self, stmt: &Stmt) -> Outcome<()> {
        match stmt {
            // The bases are read before the rest.
            Stmt::Assign(s) if self.lazy.is_none() && super::old::is_base(s) => Ok(()),
            Stmt::Assign(s) => {
                let value = self.value(&s.value)?;
                s.targets
                    .iter()
                    .try_for_each(|target| self.assign(target, value.clone()))
            }
            Stmt::AnnAssign(s) => match &s.value {
                Some(value) => {
                    let value = self.value(value)?;
                    self.assign(&s.target, value)
                }
                None => Ok(()),
            },
            Stmt::AugAssign(s) => self.augmented(s),
            Stmt::Expr(s) => self.value(&s.value).map(drop),
            Stmt::Delete(s) => s.targets.iter().try_for_each(|target| self.delete(target)),
            Stmt::For(s) if s.orelse.is_empty() && !s.is_async && !jumps(&s.body) => self.each(s),
            Stmt::If(s) => self.branch(s),
            Stmt::FunctionDef(f) => {
                let at = self.at(stmt);
                let name: Rc<str> = f.name.as_str().into();
                self.set(&name, Value::Foreign(name.clone()), at);
                Ok(())
            }
            Stmt::Import(_) | Stmt::ImportFrom(_) => self.import(stmt),
            Stmt::Pass(_) | Stmt::Global(_) => Ok(()),
            Stmt::Assert(s) => {
                let test = self.value(&s.test)?;
                match self.truth(&test) {
                    Some(false) => self.raise(stmt, "AssertionError"),
                    _ => Ok(()),
                }
            }
            _ => {
                self.skip(stmt);
                Ok(())
            }
        }
    }

    /// A statement that is not evaluated: what it may set is unknown, and what it may change.
    pub fn skip(&mut self, stmt: &Stmt) {
        let by = self.miss(stmt, "no plain statement");
        let (set, used) = names(stmt);
        for name in used {
            self.taint(&name, by);
        }
        let at = self.at(stmt);
        for name in set {
            self.set(&name, Value::Unknown(by), at);
        }
    }

    /// What a name stands for may have been changed.
    pub fn taint(&mut self, name: &str, by: usize) {
        if let Some(value) = self.look(name) {
            taint(&value, by);
        }
    }

    fn augmented(&mut self, s: &StmtAugAssign) -> Outcome<()> {
        let old = self.value(&s.target)?;
        let added = self.value(&s.value)?;
        // `list += items` changes the list itself, for every name that it has.
        if let (Value::List(items), ruff_python_ast::Operator::Add) = (&old, s.op) {
            let Some(more) = self.iterate(&*s.value, &added)? else {
                let by = added
                    .unknown()
                    .unwrap_or_else(|| self.miss(s, "not evaluated"));
                items.taint(by);
                return Ok(());
            };
            self.spend(s, more.len())?;
            items.change(|all| all.extend(more));
            return self.assign(&s.target, old);
        }
        if matches!(
            (&old, s.op),
            (Value::Dict(_), ruff_python_ast::Operator::BitOr)
        ) {
            let by = self.miss(s, "not evaluated");
            taint(&old, by);
            return Ok(());
        }
        let value = self.operation(s, s.op, &old, &added)?;
        self.assign(&s.target, value)
    }

    pub fn assign(&mut self, target: &Expr, value: Value) -> Outcome<()> {
        let at = self.at(target);
        let value = match value {
            Value::Over(over) if !over.again => {
                Value::Unknown(self.shared.list(over.missed.clone()))
            }
            other => other,
        };
        match target {
            Expr::Name(name) => {
                match self.locals.last_mut() {
                    Some(scope) => drop(scope.insert(name.id.to_string(), value)),
                    None => self.set(&name.id, value, at),
                }
                Ok(())
            }
            Expr::Tuple(t) => self.unpack(target, &t.elts, &value),
            Expr::List(t) => self.unpack(target, &t.elts, &value),
            Expr::Attribute(a) => {
                let object = self.value(&a.value)?;
                match &object {
                    Value::Dict(dict) if dict.of_config => {
                        self.measure(target, &value)?;
                        dict.set(Key::from(a.attr.as_str()), Entry { value, at });
                        Ok(())
                    }
                    _ => self.cannot_set(target, &object),
                }
            }
            Expr::Subscript(s) => {
                let object = self.value(&s.value)?;
                let index = self.value(&s.slice)?;
                self.set_item(target, &object, &index, value)
            }
            other => {
                let by = self.miss(other, "no plain target");
                for name in super::names::in_expression(other) {
                    self.taint(&name, by);
                }
                Ok(())
            }
        }
    }

    fn cannot_set(&mut self, target: &Expr, object: &Value) -> Outcome<()> {
        if object.unknown().is_none() {
            let by = self.miss(target, "no plain target");
            taint(object, by);
        }
        Ok(())
    }

    fn set_item(
        &mut self,
        target: &Expr,
        object: &Value,
        index: &Value,
        value: Value,
    ) -> Outcome<()> {
        let at = self.at(target);
        self.measure(target, &value)?;
        if let Some(by) = index.unknown() {
            taint(object, by);
            return Ok(());
        }
        match object {
            Value::Dict(dict) if dict.shared.unknown().is_none() => match self.key(index) {
                Some(key) => dict.set(key, Entry { value, at }),
                None => return self.cannot_set(target, object),
            },
            Value::List(items) if items.unknown().is_none() => {
                let Value::Int(index) = index else {
                    return self.cannot_set(target, object);
                };
                let length = items.get().len();
                let Some(place) = super::item::place(*index, length) else {
                    return self.raise(target, "IndexError: list assignment index out of range");
                };
                items.change(|all| all[place] = value);
            }
            other => return self.cannot_set(target, other),
        }
        Ok(())
    }

    fn unpack(&mut self, node: &Expr, targets: &[Expr], value: &Value) -> Outcome<()> {
        let items = self.iterate(node, value)?;
        let starred = targets.iter().any(Expr::is_starred_expr);
        let Some(items) = items.filter(|_| !starred) else {
            let by = value
                .unknown()
                .unwrap_or_else(|| self.miss(node, "no plain target"));
            let all = targets.iter().try_for_each(|target| {
                let target = match target {
                    Expr::Starred(s) => &s.value,
                    other => other,
                };
                self.assign(target, Value::Unknown(by))
            });
            return all;
        };
        if items.len() != targets.len() {
            let what = format!(
                "ValueError: {} values for {} names",
                items.len(),
                targets.len()
            );
            return self.raise(node, what);
        }
        let mut pairs = targets.iter().zip(items);
        pairs.try_for_each(|(target, item)| self.assign(target, item))
    }

    fn delete(&mut self, target: &Expr) -> Outcome<()> {
        let (object, key) = match target {
            Expr::Name(name) => {
                return match self.globals.shift_remove(name.id.as_str()) {
                    Some(_) => Ok(()),
                    None => self.raise(target, format!("NameError: '{}'", name.id)),
                };
            }
            Expr::Attribute(a) => (self.value(&a.value)?, Value::text(a.attr.as_str())),
            Expr::Subscript(s) => (self.value(&s.value)?, self.value(&s.slice)?),
            other => {
                self.miss(other, "no plain target");
                return Ok(());
            }
        };
        match (&object, &key) {
            (Value::Dict(dict), Value::Str(_) | Value::Int(_)) if object.unknown().is_none() => {
                let Some(key) = self.key(&key) else {
                    return Ok(());
                };
                match dict.shared.change(|all| all.shift_remove(&key)) {
                    Some(_) => Ok(()),
                    None => self.raise(target, format!("KeyError: '{key}'")),
                }
            }
            (Value::List(items), Value::Int(n)) if object.unknown().is_none() => {
                let length = items.get().len();
                match super::item::place(*n, length) {
                    Some(place) => {
                        items.change(|all| all.remove(place));
                        Ok(())
                    }
                    None => self.raise(target, "IndexError: list assignment index out of range"),
                }
            }
            _ => self.cannot_set(target, &object),
        }
    }

    fn each(&mut self, s: &StmtFor) -> Outcome<()> {
        let over = self.value(&s.iter)?;
        let Some(items) = self.iterate(&*s.iter, &over)? else {
            self.skip(&Stmt::For(s.clone()));
            return Ok(());
        };
        for item in items {
            self.spend(s, 1)?;
            self.assign(&s.target, item)?;
            self.body(&s.body)?;
        }
        Ok(())
    }

    fn branch(&mut self, s: &StmtIf) -> Outcome<()> {
        let mut clauses = vec![(Some(&*s.test), &s.body)];
        clauses.extend(
            s.elif_else_clauses
                .iter()
                .map(|c| (c.test.as_ref(), &c.body)),
        );
        for (test, body) in clauses {
            let holds = match test {
                Some(test) => {
                    let test = self.value(test)?;
                    self.truth(&test)
                }
                None => Some(true),
            };
            match holds {
                Some(true) => return self.body(body),
                Some(false) => {}
                None => {
                    self.skip(&Stmt::If(s.clone()));
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// Whether a loop's body leaves it early.
fn jumps(body: &[Stmt]) -> bool {
    body.iter().any(|stmt| match stmt {
        Stmt::Break(_) | Stmt::Continue(_) | Stmt::Return(_) | Stmt::Raise(_) => true,
        Stmt::If(s) => jumps(&s.body) || s.elif_else_clauses.iter().any(|c| jumps(&c.body)),
        _ => false,
    })
}

/// A value and all that it holds may have been changed.
pub fn taint(value: &Value, by: usize) {
    match value {
        Value::Dict(dict) if dict.shared.unknown().is_none() => {
            dict.shared.taint(by);
            let all = dict.entries();
            all.values().for_each(|entry| taint(&entry.value, by));
        }
        Value::List(items) if items.unknown().is_none() => {
            items.taint(by);
            items.get().iter().for_each(|item| taint(item, by));
        }
        Value::Tuple(items) => items.iter().for_each(|item| taint(item, by)),
        _ => {}
    }
}

/// Puts every entry of `from` into a dict as `ConfigDict.update` does: dicts are merged into dicts.
pub fn merge(into: &Dict, from: &super::value::Entries) {
    for (key, entry) in from {
        let old = into.get(key).map(|e| e.value);
        match (old, &entry.value) {
            (Some(Value::Dict(old)), Value::Dict(new)) => match new.shared.unknown() {
                Some(by) => taint(&Value::Dict(old), by),
                None => merge(&old, &new.entries()),
            },
            _ => into.set(key.clone(), entry.clone()),
        }
    }
}

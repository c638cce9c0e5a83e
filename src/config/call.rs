//! call: a call with its arguments, and the few functions of the standard library that are known.

use super::run::{Outcome, Run, taint};
use super::value::{Dict, Entries, Entry, Key, Value, deep_copy};
use ruff_python_ast::{Expr, ExprCall};

/// What a call is given.
pub struct Given {
    pub values: Vec<Value>,
    pub named: Entries,
}

impl Run<'_> {
    /// `a.b.c` of imported modules, as a path; None where the first name is another thing.
    pub fn path(&self, e: &Expr) -> Option<String> {
        match e {
            Expr::Name(name) => match self.look(&name.id) {
                Some(Value::Foreign(path)) => Some(path.to_string()),
                _ => None,
            },
            Expr::Attribute(a) => Some(format!("{}.{}", self.path(&a.value)?, a.attr)),
            _ => None,
        }
    }

    /// What is no function in a module.
    pub fn constant(&mut self, e: &Expr, path: &str) -> Outcome {
        match constant(path) {
            Some(value) => Ok(value),
            None => self.missed(e, "a function or module as a value"),
        }
    }

    pub fn call(&mut self, e: &Expr, c: &ExprCall) -> Outcome {
        if let Some(path) = self.path(&c.func) {
            return self.library(e, c, &path);
        }
        match &*c.func {
            Expr::Name(name) if self.look(&name.id).is_none() => {
                let Some(given) = self.given(e, c)? else {
                    return self.beyond(e, "arguments that are not known");
                };
                match super::builtin::BUILTINS.contains(&name.id.as_str()) {
                    true => self.builtin(e, &name.id, given),
                    false => self.raise(e, format!("NameError: name '{}' is not defined", name.id)),
                }
            }
            Expr::Attribute(a) => {
                let object = self.value(&a.value)?;
                if object.unknown().is_some() {
                    return self.beyond(e, "a method of what is not known");
                }
                if let Value::Lazy(_) = object {
                    return self.raise(
                        e,
                        "RuntimeError: what is imported cannot be called in a config",
                    );
                }
                let Some(given) = self.given(e, c)? else {
                    let unknown = self.beyond(e, "arguments that are not known")?;
                    taint(&object, unknown.unknown().unwrap_or(0));
                    return Ok(unknown);
                };
                self.method(e, &object, &a.attr, given)
            }
            other => match self.value(other)? {
                Value::Lazy(_) => self.raise(
                    e,
                    "RuntimeError: what is imported cannot be called in a config",
                ),
                _ => self.beyond(e, "a call of what is not known"),
            },
        }
    }

    /// The arguments; None where they are not known.
    fn given(&mut self, e: &Expr, c: &ExprCall) -> Outcome<Option<Given>> {
        let mut given = Given {
            values: vec![],
            named: Entries::new(),
        };
        for argument in &c.arguments.args {
            let Expr::Starred(s) = argument else {
                given.values.push(self.value(argument)?);
                continue;
            };
            let value = self.value(&s.value)?;
            match self.iterate(argument, &value)? {
                Some(items) => given.values.extend(items),
                None => return Ok(None),
            }
        }
        for keyword in &c.arguments.keywords {
            let value = self.value(&keyword.value)?;
            let Some(name) = &keyword.arg else {
                let mut more = Entries::new();
                if self.spread(&keyword.value, &value, &mut more)?.is_some() {
                    return Ok(None);
                }
                if let Some(twice) = more.keys().find(|key| given.named.contains_key(*key)) {
                    return self.raise(e, format!("TypeError: multiple values for '{twice}'"));
                }
                given.named.extend(more);
                continue;
            };
            let key = Key::from(name.as_str());
            if given.named.contains_key(&key) {
                return self.raise(e, format!("TypeError: multiple values for '{key}'"));
            }
            let at = self.at(keyword);
            given.named.insert(key, Entry { value, at });
        }
        Ok(Some(given))
    }

    fn library(&mut self, e: &Expr, c: &ExprCall, path: &str) -> Outcome {
        let Some(given) = self.given(e, c)? else {
            return self.beyond(e, "arguments that are not known");
        };
        if let Some(by) = given.values.iter().find_map(Value::unknown) {
            return Ok(Value::Unknown(by));
        }
        match (path, given.values.as_slice()) {
            ("copy.deepcopy", [one]) => {
                self.measure(e, one)?;
                Ok(deep_copy(one))
            }
            ("copy.copy", [Value::List(items)]) => Ok(Value::list(items.get().clone())),
            ("copy.copy", [Value::Dict(dict)]) => {
                Ok(Value::Dict(Dict::new(dict.of_config, dict.entries())))
            }
            ("os.path.join", parts) => match joined(parts) {
                Some(text) => Ok(Value::text(&text)),
                None => self.missed(e, "a path of what is no text"),
            },
            ("os.path.basename", [Value::Str(text)]) => {
                Ok(Value::text(text.rsplit('/').next().unwrap_or_default()))
            }
            _ => self.beyond(e, "a call that is not known here"),
        }
    }
}

/// A number that a module of the standard library holds.
pub fn constant(path: &str) -> Option<Value> {
    match path {
        "math.pi" => Some(Value::Float(std::f64::consts::PI)),
        "math.e" => Some(Value::Float(std::f64::consts::E)),
        "math.inf" => Some(Value::Float(f64::INFINITY)),
        _ => None,
    }
}

/// `os.path.join`, where paths have slashes.
fn joined(parts: &[Value]) -> Option<String> {
    let mut out = String::new();
    for part in parts {
        let Value::Str(part) = part else { return None };
        if part.starts_with('/') {
            out.clear();
        } else if !out.is_empty() && !out.ends_with('/') {
            out.push('/');
        }
        out += part;
    }
    Some(out)
}

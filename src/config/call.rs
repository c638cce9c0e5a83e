//! call: the calls that are known: some builtins, methods of dicts, lists and texts, and a few functions of the standard library.

use super::format;
use super::item::{METHODS, as_value};
use super::number;
use super::run::{Missed, Outcome, Run, merge, taint};
use super::value::{Dict, Entries, Entry, Key, Over, Value, deep_copy};
use ruff_python_ast::{Expr, ExprCall, Operator};
use std::rc::Rc;

/// Builtins that are known, or that are functions at least.
pub const BUILTINS: &[&str] = &[
    "abs",
    "all",
    "any",
    "bool",
    "dict",
    "enumerate",
    "float",
    "int",
    "len",
    "list",
    "map",
    "filter",
    "max",
    "min",
    "print",
    "range",
    "repr",
    "reversed",
    "round",
    "set",
    "sorted",
    "str",
    "sum",
    "tuple",
    "type",
    "zip",
    "isinstance",
    "getattr",
    "hasattr",
    "open",
    "eval",
    "exec",
    "super",
    "object",
    "frozenset",
    "bytes",
    "slice",
    "vars",
    "globals",
    "locals",
    "id",
    "iter",
    "next",
];

/// What a call is given.
struct Given {
    values: Vec<Value>,
    named: Entries,
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
                match BUILTINS.contains(&name.id.as_str()) {
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

    fn builtin(&mut self, e: &Expr, name: &str, given: Given) -> Outcome {
        if name == "dict" {
            return self.dict_of(e, given);
        }
        if let Some(by) = given.values.iter().find_map(Value::unknown) {
            return Ok(Value::Unknown(by));
        }
        let named = given.named;
        let values = given.values;
        let first = values.first().cloned().unwrap_or(Value::None);
        let plain = named.is_empty();
        match (name, values.as_slice()) {
            ("list" | "tuple", []) if plain => Ok(sequence(name, vec![])),
            ("list" | "tuple" | "reversed" | "sorted" | "enumerate", [over]) if plain => {
                let Some(mut items) = self.iterate(e, over)? else {
                    return self.beyond(e, "over what is not known");
                };
                match name {
                    "reversed" => items.reverse(),
                    "sorted" => match sorted(items) {
                        Some(all) => items = all,
                        None => return self.missed(e, "an order that is not known here"),
                    },
                    "enumerate" => {
                        let pairs = items.into_iter().enumerate();
                        let pair =
                            |(i, v): (usize, Value)| Value::tuple(vec![Value::Int(i as i128), v]);
                        items = pairs.map(pair).collect();
                    }
                    _ => {}
                }
                match name {
                    "reversed" | "enumerate" => Ok(self.over(e, items, false)),
                    _ => Ok(sequence(name, items)),
                }
            }
            ("zip", all) if plain => self.zip(e, all),
            ("range", all) if plain => self.range(e, all),
            ("len", [Value::Over(over)]) if !over.again => {
                self.missed(e, "the length of an iterator")
            }
            ("len", [one]) => match self.iterate(e, one)? {
                Some(items) => Ok(Value::Int(items.len() as i128)),
                None => self.missed(e, "the length of what is not known"),
            },
            ("sum", [over]) if plain => self.sum(e, over),
            ("min" | "max", all) if plain => self.extreme(e, name, all),
            ("any" | "all", [over]) => {
                let items = self.iterate(e, over)?;
                let truths =
                    items.and_then(|i| i.iter().map(|v| self.truth(v)).collect::<Option<Vec<_>>>());
                match truths {
                    Some(truths) if name == "any" => Ok(Value::Bool(truths.contains(&true))),
                    Some(truths) => Ok(Value::Bool(!truths.contains(&false))),
                    None => self.missed(e, "not known whether it is true"),
                }
            }
            ("abs", [Value::Float(x)]) => Ok(Value::Float(x.abs())),
            ("abs", [n]) if number::integer(n).is_some() => {
                Ok(Value::Int(number::integer(n).unwrap_or(0).abs()))
            }
            ("bool", [one]) => match self.truth(one) {
                Some(truth) => Ok(Value::Bool(truth)),
                None => self.missed(e, "not known whether it is true"),
            },
            ("int", [Value::Float(x)]) if x.abs() < 1e15 => Ok(Value::Int(x.trunc() as i128)),
            ("int", [n]) if number::integer(n).is_some() => {
                Ok(number::integer(n).map_or(Value::None, Value::Int))
            }
            ("int", [Value::Str(text)]) => match text.trim().parse::<i64>() {
                Ok(n) => Ok(Value::Int(n.into())),
                Err(_) => self.missed(e, "a text that may be no integer"),
            },
            ("float", [n]) if number::float(n).is_some() => {
                Ok(number::float(n).map_or(Value::None, Value::Float))
            }
            ("float", [Value::Str(text)]) => match text.trim().to_lowercase().as_str() {
                "inf" | "infinity" | "+inf" => Ok(Value::Float(f64::INFINITY)),
                "-inf" | "-infinity" => Ok(Value::Float(f64::NEG_INFINITY)),
                "nan" => Ok(Value::Float(f64::NAN)),
                other => match other.parse::<f64>() {
                    Ok(x) => Ok(Value::Float(x)),
                    Err(_) => self.missed(e, "a text that may be no number"),
                },
            },
            ("str", [one]) if self.measure(e, one).is_err() => {
                self.raise(e, "a value that is too large")
            }
            ("str", [one]) => match format::str_of(one) {
                Some(text) => Ok(Value::text(&text)),
                None => self.missed(e, "the text of what is not known"),
            },
            ("round", [Value::Float(x)]) if x.abs() < 1e15 => {
                Ok(Value::Int(x.round_ties_even() as i128))
            }
            ("round", [Value::Int(_)]) => Ok(first),
            ("print", _) => Ok(Value::None),
            _ => self.beyond(e, "a call that is not known here"),
        }
    }

    fn dict_of(&mut self, e: &Expr, given: Given) -> Outcome {
        let mut entries = Entries::new();
        match given.values.as_slice() {
            [] => {}
            [Value::Dict(_)] => {
                if let Some(by) = self.spread(e, &given.values[0], &mut entries)? {
                    return Ok(Value::Unknown(by));
                }
            }
            [pairs] => {
                let Some(pairs) = self.iterate(e, pairs)? else {
                    return self.beyond(e, "a dict of what is not known");
                };
                for pair in pairs {
                    let inside = self.iterate(e, &pair)?.unwrap_or_default();
                    let at = self.at(e);
                    match inside.as_slice() {
                        [key, value] => match self.key(key) {
                            Some(key) => {
                                let value = value.clone();
                                entries.insert(key, Entry { value, at });
                            }
                            None => return self.missed(e, "a key that is no text and no integer"),
                        },
                        _ => return self.missed(e, "a dict of what is no pairs"),
                    }
                }
            }
            _ => return self.raise(e, "TypeError: dict expected at most 1 argument"),
        }
        entries.extend(given.named);
        Ok(Value::dict(entries))
    }

    fn zip(&mut self, e: &Expr, all: &[Value]) -> Outcome {
        let mut columns = vec![];
        for one in all {
            match self.iterate(e, one)? {
                Some(items) => columns.push(items),
                None => return self.beyond(e, "over what is not known"),
            }
        }
        let length = columns.iter().map(Vec::len).min().unwrap_or(0);
        let row = |i: usize| Value::tuple(columns.iter().map(|c| c[i].clone()).collect());
        let rows = (0..length).map(row).collect();
        Ok(self.over(e, rows, false))
    }

    fn range(&mut self, e: &Expr, all: &[Value]) -> Outcome {
        let bounds: Option<Vec<i128>> = all.iter().map(number::integer).collect();
        let (start, stop, step) = match bounds.as_deref() {
            Some([stop]) => (0, *stop, 1),
            Some([start, stop]) => (*start, *stop, 1),
            Some([start, stop, step]) if *step != 0 => (*start, *stop, *step),
            _ => return self.missed(e, "a range that is not by integers"),
        };
        let far = (stop.saturating_sub(start)) / step;
        self.spend(e, usize::try_from(far.max(0)).unwrap_or(usize::MAX))?;
        let mut items = vec![];
        let mut at = start;
        while (step > 0 && at < stop) || (step < 0 && at > stop) {
            items.push(Value::Int(at));
            at = at.saturating_add(step);
        }
        Ok(self.over(e, items, true))
    }

    /// What can be iterated over.
    pub fn over(&self, e: &Expr, items: Vec<Value>, again: bool) -> Value {
        let missed = Missed {
            at: self.at(e),
            excerpt: self.source.excerpt(e),
            why: "an iterator as a value".into(),
        };
        Value::Over(Rc::new(Over {
            items,
            missed,
            again,
        }))
    }

    fn sum(&mut self, e: &Expr, over: &Value) -> Outcome {
        let Some(items) = self.iterate(e, over)? else {
            return self.missed(e, "over what is not known");
        };
        // From 3.12 on Python adds floats with compensation: only sums where that changes nothing are sure.
        if items
            .iter()
            .filter(|v| matches!(v, Value::Float(_)))
            .count()
            > 2
        {
            return self.missed(e, "a sum of floats depends on Python's version");
        }
        let mut total = Value::Int(0);
        for item in &items {
            total = self.operation(e, Operator::Add, &total, item)?;
        }
        Ok(total)
    }

    fn extreme(&mut self, e: &Expr, name: &str, all: &[Value]) -> Outcome {
        let items = match all {
            [one] => self.iterate(e, one)?,
            several => Some(several.to_vec()),
        };
        let ordered = items.filter(|i| !i.is_empty()).and_then(|items| {
            let mut best = items[0].clone();
            for item in &items[1..] {
                let order = super::item::order(item, &best)?;
                if (name == "max" && order.is_gt()) || (name == "min" && order.is_lt()) {
                    best = item.clone();
                }
            }
            Some(best)
        });
        match ordered {
            Some(best) => Ok(best),
            None => self.missed(e, "an order that is not known here"),
        }
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

    fn method(&mut self, e: &Expr, object: &Value, name: &str, given: Given) -> Outcome {
        match object {
            Value::Dict(dict) => self.dict_method(e, dict, name, given),
            Value::List(items) => {
                let unknown = given.values.iter().find_map(Value::unknown);
                match (name, given.values.as_slice()) {
                    ("append", [item]) => items.change(|all| all.push(item.clone())),
                    ("extend", [more]) => match self.iterate(e, more)? {
                        Some(more) => items.change(|all| all.extend(more)),
                        None => items.taint(
                            unknown.unwrap_or_else(|| self.miss(e, "over what is not known")),
                        ),
                    },
                    ("insert", [Value::Int(at), item]) => {
                        let length = items.get().len() as i128;
                        let at = if *at < 0 { at + length } else { *at }.clamp(0, length);
                        items.change(|all| all.insert(at as usize, item.clone()));
                    }
                    ("pop", []) => return self.pop(e, items, -1),
                    ("pop", [Value::Int(at)]) => return self.pop(e, items, *at),
                    ("reverse", []) => items.change(|all| all.reverse()),
                    ("clear", []) => items.change(Vec::clear),
                    ("copy", []) => {
                        let copy = items.get().clone();
                        self.spend(e, copy.len())?;
                        return Ok(Value::list(copy));
                    }
                    ("index", [item]) => {
                        let found = items
                            .get()
                            .iter()
                            .position(|i| super::item::equal(i, item) == Some(true));
                        return match found {
                            Some(at) => Ok(Value::Int(at as i128)),
                            None => self.missed(e, "an item that is not found"),
                        };
                    }
                    _ => {
                        let by = self.miss(e, "a method that is not known here");
                        taint(object, by);
                        return Ok(Value::Unknown(by));
                    }
                }
                Ok(Value::None)
            }
            Value::Str(text) => {
                for value in &given.values {
                    self.measure(e, value)?;
                }
                if let Some(by) = given.values.iter().find_map(Value::unknown) {
                    return Ok(Value::Unknown(by));
                }
                match self.text_method(e, text, name, &given)? {
                    Some(value) => Ok(value),
                    None => self.missed(e, "a method that is not known here"),
                }
            }
            _ => self.beyond(e, "a method that is not known here"),
        }
    }

    fn pop(&mut self, e: &Expr, items: &super::value::Shared<Vec<Value>>, at: i128) -> Outcome {
        let length = items.get().len();
        match super::item::place(at, length) {
            Some(at) => Ok(items.change(|all| all.remove(at))),
            None => self.raise(e, "IndexError: pop index out of range"),
        }
    }

    fn dict_method(&mut self, e: &Expr, dict: &Dict, name: &str, given: Given) -> Outcome {
        let Given { values, named } = given;
        let key = values.first().and_then(|v| self.key(v));
        let pairs = dict.entries();
        self.spend(
            e,
            if matches!(name, "get" | "pop" | "setdefault") {
                1
            } else {
                pairs.len()
            },
        )?;
        match (name, values.as_slice(), key) {
            ("keys", [], _) => Ok(self.over(e, pairs.keys().map(as_value).collect(), false)),
            ("values", [], _) => {
                let values = pairs.into_values().map(|e| e.value).collect();
                Ok(self.over(e, values, false))
            }
            ("items", [], _) => {
                let pair = |(key, e): (Key, Entry)| Value::tuple(vec![as_value(&key), e.value]);
                Ok(self.over(e, pairs.into_iter().map(pair).collect(), false))
            }
            ("copy", [], _) => Ok(Value::Dict(Dict::new(dict.of_config, pairs))),
            ("clear", [], _) => {
                dict.shared.change(Entries::clear);
                Ok(Value::None)
            }
            ("get", [_, ..], Some(key)) => {
                let absent = values.get(1).cloned().unwrap_or(Value::None);
                Ok(dict.get(&key).map_or(absent, |e| e.value))
            }
            ("pop", [_, ..], Some(key)) => {
                let absent = values.get(1).cloned();
                let absent = absent.or(dict.of_config.then_some(Value::None));
                match dict
                    .shared
                    .change(|all| all.shift_remove(&key))
                    .map(|e| e.value)
                    .or(absent)
                {
                    Some(value) => Ok(value),
                    None => self.raise(e, format!("KeyError: '{key}'")),
                }
            }
            ("setdefault", [_, value], Some(_)) if self.measure(e, value).is_err() => {
                self.raise(e, "a value that is too large")
            }
            ("setdefault", [_, value], Some(key)) => match dict.get(&key) {
                Some(entry) => Ok(entry.value),
                None => {
                    let at = self.at(e);
                    let value = value.clone();
                    dict.set(
                        key,
                        Entry {
                            value: value.clone(),
                            at,
                        },
                    );
                    Ok(value)
                }
            },
            ("update", [] | [Value::Dict(_)], _) => {
                let mut from = Entries::new();
                if let Some(value) = values.first()
                    && let Some(by) = self.spread(e, value, &mut from)?
                {
                    dict.shared.taint(by);
                    return Ok(Value::None);
                }
                from.extend(named);
                self.measure(e, &Value::dict(from.clone()))?;
                match dict.of_config {
                    true => merge(dict, &from),
                    false => dict.shared.change(|all| all.extend(from)),
                }
                Ok(Value::None)
            }
            ("merge", [Value::Dict(other)], _)
                if dict.of_config && other.shared.unknown().is_none() =>
            {
                self.measure(e, &values[0])?;
                self.measure(e, &Value::dict(pairs))?;
                super::merge::merge(dict, other);
                Ok(Value::None)
            }
            ("to_dict" | "deepcopy", [], _) if METHODS.contains(&name) && dict.of_config => {
                self.missed(e, "a method that is not known here")
            }
            _ => {
                let by = self.miss(e, "a method that is not known here");
                dict.shared.taint(by);
                for value in values {
                    taint(&value, by);
                }
                Ok(Value::Unknown(by))
            }
        }
    }

    fn text_method(
        &mut self,
        e: &Expr,
        text: &str,
        name: &str,
        given: &Given,
    ) -> Outcome<Option<Value>> {
        let is = |text: String| Some(Value::text(&text));
        if name == "format" {
            let named = |name: &str| given.named.get(&Key::from(name)).map(|e| e.value.clone());
            return Ok(format::brace(text, &given.values, named).and_then(is));
        }
        let list = |parts: Vec<String>| Value::list(parts.iter().map(|p| Value::text(p)).collect());
        self.spend(e, text.len() / 16)?;
        Ok(match (name, given.values.as_slice()) {
            ("lower", []) => is(text.to_lowercase()),
            ("upper", []) => is(text.to_uppercase()),
            ("strip", []) => is(text.trim().into()),
            ("replace", [Value::Str(a), Value::Str(b)]) if !a.is_empty() => {
                let times = text.matches(&**a).count();
                self.spend(e, times.saturating_mul(b.len()) / 64)?;
                is(text.replace(&**a, b))
            }
            ("startswith", [Value::Str(a)]) => Some(Value::Bool(text.starts_with(&**a))),
            ("endswith", [Value::Str(a)]) => Some(Value::Bool(text.ends_with(&**a))),
            ("split", [Value::Str(a)]) if !a.is_empty() => {
                Some(list(text.split(&**a).map(Into::into).collect()))
            }
            ("split", []) => Some(list(text.split_whitespace().map(Into::into).collect())),
            ("join", [over]) => {
                let items = self.iterate(e, over)?.unwrap_or_default();
                let texts: Option<Vec<String>> = items
                    .iter()
                    .map(|v| match v {
                        Value::Str(text) => Some(text.to_string()),
                        _ => None,
                    })
                    .collect();
                texts.and_then(|t| is(t.join(text)))
            }
            _ => None,
        })
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

fn sequence(name: &str, items: Vec<Value>) -> Value {
    match name {
        "tuple" => Value::tuple(items),
        _ => Value::list(items),
    }
}

/// In ascending order, equal ones as they stood; None where two cannot be compared.
fn sorted(mut items: Vec<Value>) -> Option<Vec<Value>> {
    let comparable = |pair: &[Value]| super::item::order(&pair[0], &pair[1]).is_some();
    if !items.windows(2).all(comparable) {
        return None;
    }
    items.sort_by(|a, b| super::item::order(a, b).unwrap_or(std::cmp::Ordering::Equal));
    Some(items)
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

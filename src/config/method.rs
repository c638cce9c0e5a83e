//! method: methods of dicts, lists and texts.

use super::call::Given;
use super::format;
use super::item::{METHODS, as_value};
use super::run::{Outcome, Run, merge, taint};
use super::value::{Dict, Entries, Entry, Key, Value};
use ruff_python_ast::Expr;

impl Run<'_> {
    pub fn method(&mut self, e: &Expr, object: &Value, name: &str, given: Given) -> Outcome {
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

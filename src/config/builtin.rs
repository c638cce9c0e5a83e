//! builtin: Python's own functions, as far as configs call them.

use super::call::Given;
use super::format;
use super::number;
use super::run::{Missed, Outcome, Run};
use super::value::{Entries, Entry, Over, Value};
use ruff_python_ast::{Expr, Operator};
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

impl Run<'_> {
    pub fn builtin(&mut self, e: &Expr, name: &str, given: Given) -> Outcome {
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

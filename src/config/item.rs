//! item: indices, slices and keys, attributes, comparisons and truth.

use super::number;
use super::run::{Outcome, Run};
use super::value::{Key, Value};
use ruff_python_ast::{CmpOp, Expr, ExprSlice};
use ruff_text_size::Ranged;

/// The place that an index names in a sequence; None where it lies outside.
pub fn place(index: i128, length: usize) -> Option<usize> {
    let length = length as i128;
    let at = if index < 0 { index + length } else { index };
    (0..length).contains(&at).then_some(at as usize)
}

impl Run<'_> {
    /// A key that configs have.
    pub fn key(&mut self, value: &Value) -> Option<Key> {
        match value {
            Value::Str(text) => Some(Key::Str(text.clone())),
            Value::Int(n) => Some(Key::Int(*n)),
            _ => None,
        }
    }

    pub fn attribute(&mut self, node: &Expr, object: &Value, name: &str) -> Outcome {
        if let Some(by) = object.unknown() {
            return Ok(Value::Unknown(by));
        }
        match object {
            Value::Lazy(lazy) => Ok(Value::Lazy(lazy.attribute(name).into())),
            Value::Dict(dict) if dict.of_config && !METHODS.contains(&name) => {
                match dict.get(&Key::from(name)) {
                    Some(entry) => Ok(entry.value),
                    None => {
                        let what = "AttributeError: 'ConfigDict' object has no attribute";
                        self.raise(node, format!("{what} '{name}'"))
                    }
                }
            }
            _ => self.missed(node, "an attribute of what has none here"),
        }
    }

    pub fn item(&mut self, node: &Expr, object: &Value, index: &Value) -> Outcome {
        if let Some(by) = object.unknown().or(index.unknown()) {
            return Ok(Value::Unknown(by));
        }
        if let Value::Dict(dict) = object {
            let Some(key) = self.key(index) else {
                return self.missed(node, "a key that is no text and no integer");
            };
            return match dict.get(&key) {
                Some(entry) => Ok(entry.value),
                None => self.raise(node, format!("KeyError: '{key}'")),
            };
        }
        let Some(n) = number::integer(index) else {
            return self.missed(node, "an index that is no integer");
        };
        let found = match object {
            Value::List(items) => {
                let items = items.get();
                place(n, items.len()).map(|at| items[at].clone())
            }
            Value::Tuple(items) => place(n, items.len()).map(|at| items[at].clone()),
            Value::Str(text) => {
                self.spend(node, text.len() / 64)?;
                let all = characters(text);
                place(n, all.len()).map(|at| all[at].clone())
            }
            _ => return self.missed(node, "an item of what has none here"),
        };
        match found {
            Some(value) => Ok(value),
            None => self.raise(
                node,
                format!("IndexError: {} index out of range", object.kind()),
            ),
        }
    }

    pub fn slice(&mut self, node: &Expr, object: &Value, slice: &ExprSlice) -> Outcome {
        let mut bounds = [None, None, None];
        for (bound, expr) in bounds
            .iter_mut()
            .zip([&slice.lower, &slice.upper, &slice.step])
        {
            let Some(expr) = expr else { continue };
            let value = self.value(expr)?;
            match (&value, number::integer(&value)) {
                (Value::None, _) => {}
                (_, Some(n)) => *bound = Some(n),
                _ => return self.missed(node, "a slice that is not by integers"),
            }
        }
        if let Some(by) = object.unknown() {
            return Ok(Value::Unknown(by));
        }
        let items: Vec<Value> = match object {
            Value::List(items) => items.get().clone(),
            Value::Tuple(items) => items.to_vec(),
            Value::Str(text) => characters(text),
            _ => return self.missed(node, "a slice of what has none here"),
        };
        if bounds[2] == Some(0) {
            return self.raise(node, "ValueError: slice step cannot be zero");
        }
        let chosen = sliced(&items, bounds);
        self.spend(node, chosen.len())?;
        Ok(match object {
            Value::List(_) => Value::list(chosen),
            Value::Tuple(_) => Value::tuple(chosen),
            _ => Value::text(&chosen.iter().map(plain).collect::<String>()),
        })
    }

    /// The items of what can be iterated over; None where it is not known.
    pub fn iterate(&mut self, node: &impl Ranged, value: &Value) -> Outcome<Option<Vec<Value>>> {
        if value.unknown().is_some() {
            return Ok(None);
        }
        let items = match value {
            Value::List(items) => items.get().clone(),
            Value::Tuple(items) => items.to_vec(),
            Value::Over(over) => over.items.clone(),
            Value::Dict(dict) => dict.shared.get().keys().map(as_value).collect(),
            Value::Str(text) => characters(text),
            Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
                let what = format!("TypeError: '{}' object is not iterable", value.kind());
                return self.raise(node, what);
            }
            // The order of a set is not fixed.
            Value::Set(_) | Value::Lazy(_) | Value::Foreign(_) | Value::Unknown(_) => {
                return Ok(None);
            }
        };
        self.spend(node, items.len())?;
        Ok(Some(items))
    }

    /// Whether a value counts as true; None where it is not known.
    pub fn truth(&self, value: &Value) -> Option<bool> {
        if value.unknown().is_some() {
            return None;
        }
        Some(match value {
            Value::None => false,
            Value::Bool(b) => *b,
            Value::Int(n) => *n != 0,
            Value::Float(x) => *x != 0.0,
            Value::Str(text) => !text.is_empty(),
            Value::Tuple(items) | Value::Set(items) => !items.is_empty(),
            Value::List(items) => !items.get().is_empty(),
            Value::Dict(dict) => !dict.shared.get().is_empty(),
            Value::Lazy(_) | Value::Foreign(_) => true,
            Value::Over(_) | Value::Unknown(_) => return None,
        })
    }

    /// `a op b`; None where it is not known.
    pub fn compare(&mut self, op: CmpOp, a: &Value, b: &Value) -> Option<bool> {
        match op {
            CmpOp::Eq => equal(a, b),
            CmpOp::NotEq => equal(a, b).map(|e| !e),
            CmpOp::Is => identical(a, b),
            CmpOp::IsNot => identical(a, b).map(|e| !e),
            CmpOp::In => contains(b, a),
            CmpOp::NotIn => contains(b, a).map(|e| !e),
            CmpOp::Lt => order(a, b).map(std::cmp::Ordering::is_lt),
            CmpOp::LtE => order(a, b).map(std::cmp::Ordering::is_le),
            CmpOp::Gt => order(a, b).map(std::cmp::Ordering::is_gt),
            CmpOp::GtE => order(a, b).map(std::cmp::Ordering::is_ge),
        }
    }
}

/// Attributes of a ConfigDict that are no keys.
pub const METHODS: &[&str] = &[
    "build_lazy",
    "clear",
    "copy",
    "deepcopy",
    "freeze",
    "fromkeys",
    "get",
    "items",
    "keys",
    "lazy",
    "merge",
    "pop",
    "popitem",
    "setdefault",
    "to_dict",
    "unfreeze",
    "update",
    "values",
];

pub fn as_value(key: &Key) -> Value {
    match key {
        Key::Str(text) => Value::Str(text.clone()),
        Key::Int(n) => Value::Int(*n),
    }
}

fn characters(text: &str) -> Vec<Value> {
    text.chars().map(|c| Value::text(&c.to_string())).collect()
}

fn plain(value: &Value) -> String {
    match value {
        Value::Str(text) => text.to_string(),
        _ => String::new(),
    }
}

/// `items[start:stop:step]`, as Python bounds them.
fn sliced(items: &[Value], [start, stop, step]: [Option<i128>; 3]) -> Vec<Value> {
    let length = items.len() as i128;
    let step = step.unwrap_or(1);
    let (low, high) = if step > 0 {
        (0, length)
    } else {
        (-1, length - 1)
    };
    let bound = |n: Option<i128>, absent: i128| match n {
        None => absent,
        Some(n) if n < 0 => (n + length).clamp(low, high),
        Some(n) => n.clamp(low, high),
    };
    let (first, end) = if step > 0 {
        (0, length)
    } else {
        (length - 1, -1)
    };
    let (mut at, end) = (bound(start, first), bound(stop, end));
    let mut chosen = vec![];
    while (step > 0 && at < end) || (step < 0 && at > end) {
        chosen.extend(items.get(at as usize).cloned());
        at = at.saturating_add(step);
    }
    chosen
}

/// Whether two values are equal, as Python compares them; None where one is not known.
pub fn equal(a: &Value, b: &Value) -> Option<bool> {
    if a.unknown().or(b.unknown()).is_some() {
        return None;
    }
    let all = |a: &[Value], b: &[Value]| {
        let pairs: Option<Vec<bool>> = a.iter().zip(b).map(|(a, b)| equal(a, b)).collect();
        Some(a.len() == b.len() && pairs?.iter().all(|e| *e))
    };
    if number::is_number(a) && number::is_number(b) {
        return match (number::integer(a), number::integer(b)) {
            (Some(a), Some(b)) => Some(a == b),
            _ => Some(number::float(a)? == number::float(b)?),
        };
    }
    match (a, b) {
        (Value::None, Value::None) => Some(true),
        (Value::Str(a), Value::Str(b)) => Some(a == b),
        (Value::Tuple(a), Value::Tuple(b)) => all(a, b),
        (Value::List(a), Value::List(b)) => all(&a.get(), &b.get()),
        (Value::Dict(a), Value::Dict(b)) => {
            let (a, b) = (a.entries(), b.entries());
            let same = |(key, entry): (&Key, &super::value::Entry)| match b.get(key) {
                Some(other) => equal(&entry.value, &other.value),
                None => Some(false),
            };
            let pairs: Option<Vec<bool>> = a.iter().map(same).collect();
            Some(a.len() == b.len() && pairs?.iter().all(|e| *e))
        }
        (Value::Set(_) | Value::Lazy(_) | Value::Foreign(_) | Value::Over(_), _) => None,
        (_, Value::Set(_) | Value::Lazy(_) | Value::Foreign(_) | Value::Over(_)) => None,
        _ => Some(false),
    }
}

fn identical(a: &Value, b: &Value) -> Option<bool> {
    match (a, b) {
        (Value::Unknown(_), _) | (_, Value::Unknown(_)) => None,
        (Value::None, Value::None) => Some(true),
        (Value::Bool(a), Value::Bool(b)) => Some(a == b),
        (Value::None | Value::Bool(_), _) | (_, Value::None | Value::Bool(_)) => Some(false),
        _ => None,
    }
}

fn contains(container: &Value, item: &Value) -> Option<bool> {
    if container.unknown().or(item.unknown()).is_some() {
        return None;
    }
    let any = |items: &[Value]| {
        let each: Option<Vec<bool>> = items.iter().map(|i| equal(i, item)).collect();
        Some(each?.iter().any(|e| *e))
    };
    match (container, item) {
        (Value::List(items), _) => any(&items.get()),
        (Value::Tuple(items) | Value::Set(items), _) => any(items),
        (Value::Str(text), Value::Str(part)) => Some(text.contains(&**part)),
        (Value::Dict(dict), Value::Str(text)) => Some(dict.get(&Key::Str(text.clone())).is_some()),
        (Value::Dict(dict), Value::Int(n)) => Some(dict.get(&Key::Int(*n)).is_some()),
        _ => None,
    }
}

/// The order of two numbers or two texts.
pub fn order(a: &Value, b: &Value) -> Option<std::cmp::Ordering> {
    match (a, b) {
        (Value::Str(a), Value::Str(b)) => Some(a.cmp(b)),
        _ => match (number::integer(a), number::integer(b)) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => number::float(a)?.partial_cmp(&number::float(b)?),
        },
    }
}

//! merge: how mmengine puts a config over its bases, and a dict into a ConfigDict.

use super::run::{Outcome, Stop};
use super::value::{Dict, Entries, Entry, Key, Value, config_dict, deep_copy};
use std::rc::Rc;

const DELETE: &str = "_delete_";

/// `a` over `b`, as `Config._merge_a_into_b` does; `b` stays what it is.
pub fn over(a: Entries, b: &Dict) -> Outcome<Rc<Dict>> {
    let merged = Dict::new(b.of_config, b.entries());
    for (key, entry) in a {
        let Value::Dict(child) = &entry.value else {
            merged.set(key, entry);
            continue;
        };
        if child.shared.unknown().is_some() {
            merged.set(key, entry);
            continue;
        }
        let base = b.get(&key).filter(|_| !deletes(child));
        let value = match base.map(|e| e.value) {
            None => config_dict(child),
            Some(Value::Dict(base)) if base.shared.unknown().is_none() => {
                Value::Dict(over(child.entries(), &base)?)
            }
            Some(other) => match other.unknown() {
                Some(by) => Value::Unknown(by),
                None => return Err(mismatch(&key, &entry, &other)),
            },
        };
        let at = entry.at;
        merged.set(key, Entry { value, at });
    }
    Ok(merged)
}

/// Takes `_delete_` out of a dict that stands over another one, and says whether it was set. Where nothing stands below, it stays in.
fn deletes(child: &Dict) -> bool {
    let delete = child
        .shared
        .change(|all| all.shift_remove(&Key::from(DELETE)));
    match delete.map(|e| e.value) {
        None | Some(Value::None | Value::Bool(false)) => false,
        Some(Value::Int(n)) => n != 0,
        Some(_) => true,
    }
}

fn mismatch(key: &Key, entry: &Entry, base: &Value) -> Stop {
    let what = format!(
        "TypeError: {key} is a dict here and {} in the base: {DELETE}=True would replace it",
        base.kind()
    );
    Stop { at: entry.at, what }
}

/// `ConfigDict.merge`: `other` is put into `dict`, dicts into dicts, and `_delete_` empties what it stands over.
pub fn merge(dict: &Dict, other: &Dict) {
    let copy = |d: &Dict| match deep_copy(&Value::Dict(Dict::new(d.of_config, d.entries()))) {
        Value::Dict(copy) => copy.entries(),
        _ => Entries::new(),
    };
    let merged = merged(copy(other), copy(dict));
    dict.shared.change(Entries::clear);
    for (key, entry) in merged {
        dict.set(key, entry);
    }
}

fn merged(mut a: Entries, mut b: Entries) -> Entries {
    let delete = Key::from(DELETE);
    if a.shift_remove(&delete)
        .is_some_and(|e| !matches!(e.value, Value::None | Value::Bool(false)))
    {
        b.clear();
    }
    for (key, entry) in a {
        let Value::Dict(new) = &entry.value else {
            b.insert(key, entry);
            continue;
        };
        let old = b.get(&key).map(|e| e.value.clone());
        let value = match old {
            Some(Value::Dict(old)) => Value::Dict(Dict::new(
                old.of_config,
                merged(new.entries(), old.entries()),
            )),
            _ => {
                new.shared.change(|all| all.shift_remove(&delete));
                entry.value.clone()
            }
        };
        let at = entry.at;
        b.insert(key, Entry { value, at });
    }
    b.shift_remove(&delete);
    b
}

/// The values of a base as `Config._dict_to_config_dict` makes them: the outermost dicts with a `type` of a base of another package say whose they are.
pub fn scoped(value: &Value, scope: Option<&str>, outer: bool) -> Value {
    if let Some(by) = value.unknown() {
        return Value::Unknown(by);
    }
    let all = |items: &[Value]| items.iter().map(|i| scoped(i, scope, outer)).collect();
    match value {
        Value::Dict(dict) => {
            let mut entries = dict.entries();
            let typed = entries.get(&Key::from("type")).map(|e| e.at);
            if let (true, Some(at), Some(scope)) = (outer, typed, scope) {
                let own = entries.get(&Key::from("_scope_")).map(|e| &e.value);
                if matches!(own, None | Some(Value::None)) {
                    let value = Value::text(scope);
                    entries.insert(Key::from("_scope_"), Entry { value, at });
                }
            }
            let outer = outer && typed.is_none();
            let inside = |(key, e): (Key, Entry)| {
                let value = scoped(&e.value, scope, outer);
                (key, Entry { value, at: e.at })
            };
            Value::Dict(Dict::new(true, entries.into_iter().map(inside).collect()))
        }
        Value::List(items) => Value::list(all(&items.get())),
        Value::Tuple(items) => Value::tuple(all(items)),
        other => other.clone(),
    }
}

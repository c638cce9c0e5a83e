//! print: a config's dictionary as JSON, or as a literal of Python that tells tuples from lists.

use super::number::repr;
use super::tree::Tree;
use super::value::Key;
use serde_json::{Value as Json, json};

/// JSON: tuples and sets are arrays, keys are texts, what is not evaluated is `null`.
#[must_use]
pub fn json(tree: &Tree) -> Json {
    match tree {
        Tree::None | Tree::Unknown(_) => Json::Null,
        Tree::Bool(b) => json!(b),
        Tree::Int(n) => match i64::try_from(*n) {
            Ok(n) => json!(n),
            Err(_) => json!(*n as f64),
        },
        // JSON has no infinity.
        Tree::Float(x) if x.is_finite() => json!(x),
        Tree::Float(x) => json!(repr(*x)),
        Tree::Text(text) | Tree::Lazy(text) => json!(text),
        Tree::List(items) | Tree::Tuple(items) | Tree::Set(items) => {
            Json::Array(items.iter().map(json).collect())
        }
        Tree::Dict(all) => {
            let pairs = all
                .iter()
                .map(|(key, item)| (key.to_string(), json(&item.tree)));
            Json::Object(pairs.collect())
        }
    }
}

/// A literal of Python; what is not evaluated is `...`.
#[must_use]
pub fn python(tree: &Tree) -> String {
    let all = |items: &[Tree]| items.iter().map(python).collect::<Vec<_>>().join(", ");
    match tree {
        Tree::None => "None".into(),
        Tree::Bool(true) => "True".into(),
        Tree::Bool(false) => "False".into(),
        Tree::Int(n) => n.to_string(),
        // `inf` and `nan`, as Python itself prints them.
        Tree::Float(x) => repr(*x),
        Tree::Text(text) | Tree::Lazy(text) => quoted(text),
        Tree::List(items) => format!("[{}]", all(items)),
        Tree::Tuple(items) if items.len() == 1 => format!("({},)", all(items)),
        Tree::Tuple(items) => format!("({})", all(items)),
        Tree::Set(items) if items.is_empty() => "set()".into(),
        Tree::Set(items) => format!("{{{}}}", all(items)),
        Tree::Dict(all) => {
            let pairs = all.iter().map(|(key, item)| {
                let key = match key {
                    Key::Str(text) => quoted(text),
                    Key::Int(n) => n.to_string(),
                };
                format!("{key}: {}", python(&item.tree))
            });
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        Tree::Unknown(_) => "...".into(),
    }
}

/// In single quotes, or in double ones where only those spare an escape.
fn quoted(text: &str) -> String {
    let quote = match text.contains('\'') && !text.contains('"') {
        true => '"',
        false => '\'',
    };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\n' => out += "\\n",
            '\t' => out += "\\t",
            '\r' => out += "\\r",
            c if c == quote || c == '\\' => out.extend(['\\', c]),
            c if c.is_control() => out += &format!("\\x{:02x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

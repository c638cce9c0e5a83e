//! tree: the dictionary of a config as plain data, each key with the file and line that set it.

use super::run::{BUDGET, Outcome, Shared, Stop};
use super::value::{At, DEEPEST, Entries, Key, Value};
use indexmap::IndexMap;

#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<Tree>),
    Tuple(Vec<Tree>),
    Set(Vec<Tree>),
    Dict(IndexMap<Key, Item>),
    /// A name that is looked up when it is built.
    Lazy(String),
    /// Its place among what is not evaluated.
    Unknown(usize),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    pub tree: Tree,
    pub at: At,
}

impl Tree {
    /// The value of a key of a dict.
    pub fn get(&self, key: &str) -> Option<&Item> {
        match self {
            Self::Dict(all) => all.get(&Key::from(key)),
            _ => None,
        }
    }

    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) | Self::Lazy(text) => Some(text),
            _ => None,
        }
    }

    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Int(n) => Some(*n as f64),
            Self::Float(x) => Some(*x),
            _ => None,
        }
    }

    pub fn integer(&self) -> Option<i128> {
        match self {
            Self::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// The items of a list or tuple.
    pub fn items(&self) -> &[Tree] {
        match self {
            Self::List(items) | Self::Tuple(items) => items,
            _ => &[],
        }
    }
}

/// The entries of a config as a tree; one that holds itself, or that is too large, is refused.
pub fn dict(entries: &Entries, shared: &mut Shared, depth: usize) -> Outcome<Tree> {
    let mut all = IndexMap::new();
    for (key, entry) in entries {
        let tree = tree(&entry.value, entry.at, shared, depth + 1)?;
        let at = entry.at;
        all.insert(key.clone(), Item { tree, at });
    }
    Ok(Tree::Dict(all))
}

fn tree(value: &Value, at: At, shared: &mut Shared, depth: usize) -> Outcome<Tree> {
    shared.made += 1;
    if depth > DEEPEST || shared.made > 2 * BUDGET {
        let what = format!("a value of more than {DEEPEST} levels or {BUDGET} values");
        return Err(Stop { at, what });
    }
    if let Some(by) = value.unknown() {
        return Ok(Tree::Unknown(by));
    }
    let all = |items: &[Value], shared: &mut Shared| {
        let trees = items.iter().map(|i| tree(i, at, shared, depth + 1));
        trees.collect::<Outcome<Vec<Tree>>>()
    };
    Ok(match value {
        Value::None => Tree::None,
        Value::Bool(b) => Tree::Bool(*b),
        Value::Int(n) => Tree::Int(*n),
        Value::Float(x) => Tree::Float(*x),
        Value::Str(text) => Tree::Text(text.to_string()),
        Value::List(items) => Tree::List(all(&items.get(), shared)?),
        Value::Tuple(items) => Tree::Tuple(all(items, shared)?),
        Value::Set(items) => Tree::Set(all(items, shared)?),
        Value::Dict(dict) => self::dict(&dict.entries(), shared, depth)?,
        Value::Lazy(lazy) => Tree::Lazy(lazy.text()),
        Value::Over(over) => Tree::Unknown(shared.list(over.missed.clone())),
        Value::Foreign(name) => {
            let missed = super::run::Missed {
                at,
                excerpt: name.to_string(),
                why: "a function or module as a value".into(),
            };
            Tree::Unknown(shared.list(missed))
        }
        Value::Unknown(by) => Tree::Unknown(*by),
    })
}

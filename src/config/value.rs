//! value: what an expression of a config comes to; lists and dicts are shared by reference, as in Python.

use super::run::Missed;
use indexmap::IndexMap;
use std::cell::{Ref, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

/// Containers in containers at most.
pub const DEEPEST: usize = 200;

#[derive(Clone, Debug)]
pub enum Value {
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(Arc<str>),
    Tuple(Rc<Vec<Value>>),
    Set(Rc<Vec<Value>>),
    List(Rc<Shared<Vec<Value>>>),
    Dict(Rc<Dict>),
    /// What mmengine makes of an import: a name that is looked up when it is built.
    Lazy(Rc<Lazy>),
    /// What is iterated over: a range, or what can be used once.
    Over(Rc<Over>),
    /// A module or function that is imported or defined: it may stand in a call that is known here.
    Foreign(Rc<str>),
    /// What is not evaluated: the place among those that are listed.
    Unknown(usize),
}

/// What an iterator gives. In the dictionary it would stand as an object.
#[derive(Debug)]
pub struct Over {
    pub items: Vec<Value>,
    pub missed: Missed,
    /// A range can be used again.
    pub again: bool,
}

/// Where a key got its value: a file among those that were read, and a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct At {
    pub file: usize,
    pub line: usize,
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub value: Value,
    pub at: At,
}

pub type Entries = IndexMap<Key, Entry>;

/// Keys that configs have; Python takes others too.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Key {
    Str(Arc<str>),
    Int(i128),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Str(text) => write!(f, "{text}"),
            Self::Int(n) => write!(f, "{n}"),
        }
    }
}

impl From<&str> for Key {
    fn from(text: &str) -> Self {
        Self::Str(text.into())
    }
}

/// Something that changes in place; once something that is not evaluated may have changed it, it is unknown as a whole.
#[derive(Debug)]
pub struct Shared<T> {
    inside: RefCell<T>,
    unknown: RefCell<Option<usize>>,
}

impl<T> Shared<T> {
    pub fn new(inside: T) -> Self {
        Self {
            inside: RefCell::new(inside),
            unknown: RefCell::new(None),
        }
    }

    pub fn unknown(&self) -> Option<usize> {
        *self.unknown.borrow()
    }

    pub fn taint(&self, by: usize) {
        self.unknown.borrow_mut().get_or_insert(by);
    }

    pub fn get(&self) -> Ref<'_, T> {
        self.inside.borrow()
    }

    pub fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        change(&mut self.inside.borrow_mut())
    }
}

/// A dict, or mmengine's ConfigDict: its keys are attributes too, dicts put into it become such, `update` merges.
#[derive(Debug)]
pub struct Dict {
    pub of_config: bool,
    pub shared: Shared<Entries>,
}

impl Dict {
    pub fn new(of_config: bool, entries: Entries) -> Rc<Self> {
        Rc::new(Self {
            of_config,
            shared: Shared::new(entries),
        })
    }

    pub fn get(&self, key: &Key) -> Option<Entry> {
        self.shared.get().get(key).cloned()
    }

    pub fn entries(&self) -> Entries {
        self.shared.get().clone()
    }

    /// Puts a value in; a ConfigDict makes ConfigDicts of dicts.
    pub fn set(&self, key: Key, entry: Entry) {
        let value = match self.of_config {
            true => hooked(&entry.value),
            false => entry.value,
        };
        let at = entry.at;
        self.shared
            .change(|all| all.insert(key, Entry { value, at }));
    }
}

/// An imported name, or an attribute of one.
#[derive(Clone, Debug, PartialEq)]
pub struct Lazy {
    pub module: String,
    pub name: Option<String>,
}

impl Lazy {
    pub fn attribute(&self, name: &str) -> Self {
        let module = match &self.name {
            Some(own) => format!("{}.{own}", self.module),
            None => self.module.clone(),
        };
        Self {
            module,
            name: Some(name.into()),
        }
    }

    /// As mmengine writes it into a dictionary.
    pub fn text(&self) -> String {
        match &self.name {
            Some(name) => format!("{}.{name}", self.module),
            None => format!("{0}.{0}", self.module),
        }
    }
}

impl Value {
    pub fn text(text: &str) -> Self {
        Self::Str(text.into())
    }

    pub fn list(items: Vec<Value>) -> Self {
        Self::List(Rc::new(Shared::new(items)))
    }

    pub fn tuple(items: Vec<Value>) -> Self {
        Self::Tuple(Rc::new(items))
    }

    pub fn dict(entries: Entries) -> Self {
        Self::Dict(Dict::new(false, entries))
    }

    /// Which listed place makes it unknown.
    pub fn unknown(&self) -> Option<usize> {
        match self {
            Self::Unknown(n) => Some(*n),
            Self::List(items) => items.unknown(),
            Self::Dict(dict) => dict.shared.unknown(),
            _ => None,
        }
    }

    /// Python's word for its type.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::Tuple(_) => "tuple",
            Self::Set(_) => "set",
            Self::List(_) => "list",
            Self::Dict(dict) if dict.of_config => "ConfigDict",
            Self::Dict(_) => "dict",
            Self::Lazy(_) => "LazyObject",
            Self::Over(_) => "iterator",
            Self::Foreign(_) => "function",
            Self::Unknown(_) => "what is not evaluated",
        }
    }
}

/// Takes the number of values that a value comes to, each path counted, from `left`; false where there are more, or it holds itself.
pub fn fits(value: &Value, left: &mut usize, depth: usize) -> bool {
    if *left == 0 || depth > DEEPEST {
        return false;
    }
    *left -= 1;
    if value.unknown().is_some() {
        return true;
    }
    let mut all = |items: &[Value]| items.iter().all(|i| fits(i, left, depth + 1));
    match value {
        Value::Dict(dict) => {
            let dict = dict.shared.get();
            dict.values().all(|e| fits(&e.value, left, depth + 1))
        }
        Value::List(items) => all(&items.get()),
        Value::Tuple(items) | Value::Set(items) => all(items),
        _ => true,
    }
}

/// A value as a ConfigDict takes it in: dicts as ConfigDicts, lists and tuples copied, what is a ConfigDict already shared.
pub fn hooked(value: &Value) -> Value {
    if let Some(n) = value.unknown() {
        return Value::Unknown(n);
    }
    match value {
        Value::Dict(dict) if !dict.of_config => config_dict(dict),
        Value::List(items) => Value::list(items.get().iter().map(hooked).collect()),
        Value::Tuple(items) => Value::tuple(items.iter().map(hooked).collect()),
        other => other.clone(),
    }
}

/// `ConfigDict(dict)`.
pub fn config_dict(dict: &Dict) -> Value {
    let inside = |(key, entry): (Key, Entry)| {
        let value = hooked(&entry.value);
        (key, Entry { value, ..entry })
    };
    let entries = dict.entries().into_iter().map(inside).collect();
    Value::Dict(Dict::new(true, entries))
}

/// A copy that shares nothing.
pub fn deep_copy(value: &Value) -> Value {
    if let Some(n) = value.unknown() {
        return Value::Unknown(n);
    }
    match value {
        Value::Dict(dict) => {
            let inside = |(key, entry): (Key, Entry)| {
                let value = deep_copy(&entry.value);
                (key, Entry { value, ..entry })
            };
            let entries = dict.entries().into_iter().map(inside).collect();
            Value::Dict(Dict::new(dict.of_config, entries))
        }
        Value::List(items) => Value::list(items.get().iter().map(deep_copy).collect()),
        Value::Tuple(items) => Value::tuple(items.iter().map(deep_copy).collect()),
        other => other.clone(),
    }
}

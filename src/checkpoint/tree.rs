//! tree: what was saved, as tensors by their paths: dicts, lists, and modules that were pickled whole.

use super::arrays;
use super::pickle::{Heap, Id, Made, Value};
use super::{Scalar, Stored};
use indexmap::IndexMap;
use std::collections::HashMap;

/// Dicts in dicts at most.
const DEEPEST: usize = 100;

/// Classes that are dicts.
const DICTS: &[&str] = &["collections.OrderedDict", "collections.defaultdict"];

/// Parts of a module's state that hold others.
const MODULE: [&str; 3] = ["_parameters", "_buffers", "_modules"];

#[derive(Default)]
pub struct Found {
    pub tensors: IndexMap<String, Stored>,
    pub scalars: IndexMap<String, Scalar>,
    pub omitted: IndexMap<String, String>,
}

/// Everything below `root`. A dict that is shared is told once, a module under every name that it has, as long as that is no more than the file has
/// values: the work grows with the file and not with its paths.
pub fn walk(heap: &Heap, root: Id) -> Found {
    let mut walk = Walk {
        heap,
        found: Found::default(),
        seen: HashMap::new(),
        modules: 0,
    };
    walk.value(root, &Place::default(), 0);
    walk.found
}

/// Path of a value, and of the dict or module that it belongs to.
#[derive(Clone, Default)]
struct Place {
    path: String,
    dict: String,
}

impl Place {
    fn below(&self, name: &str) -> String {
        match self.path.is_empty() {
            true => name.into(),
            false => format!("{}.{name}", self.path),
        }
    }

    /// A member of the dict that is here.
    fn of_dict(&self, name: &str) -> Self {
        Self {
            path: self.below(name),
            dict: self.path.clone(),
        }
    }

    /// What a module keeps besides, which no `state_dict` has.
    fn of_attribute(&self, name: &str) -> Self {
        Self {
            path: self.below(name),
            dict: self.below("__dict__"),
        }
    }

    /// A part of the module that is here, or of one that this is a part of.
    fn of_module(&self, name: &str) -> Self {
        Self {
            path: self.below(name),
            dict: self.dict.clone(),
        }
    }
}

struct Walk<'a> {
    heap: &'a Heap,
    found: Found,
    /// Where a container was met first.
    seen: HashMap<Id, String>,
    /// Modules that were walked so far.
    modules: usize,
}

impl<'a> Walk<'a> {
    fn omit(&mut self, place: &Place, why: impl Into<String>) {
        self.found.omitted.insert(place.path.clone(), why.into());
    }

    fn scalar(&mut self, id: Id, place: &Place) {
        let scalar = scalar(self.heap.get(id)).map(|s| (place.path.clone(), s));
        self.found.scalars.extend(scalar);
    }

    fn value(&mut self, id: Id, place: &Place, depth: usize) {
        match arrays::of(self.heap, id) {
            Ok(Some(held)) => {
                let dict = place.dict.clone();
                self.found
                    .tensors
                    .insert(place.path.clone(), Stored { dict, ..held });
                return;
            }
            Ok(None) => {}
            Err(why) => return self.omit(place, why),
        }
        let parts = self.parts(id);
        if matches!(parts, Parts::None) {
            return self.scalar(id, place);
        }
        if depth == DEEPEST {
            return self.omit(place, format!("more than {DEEPEST} dicts in each other"));
        }
        if let Some(first) = self.seen.get(&id) {
            let why = format!("the same as '{first}'");
            return self.omit(place, why);
        }
        self.seen.insert(id, place.path.clone());
        match parts {
            Parts::None => {}
            Parts::Dict(pairs) => self.dict(&pairs, place, depth),
            Parts::List(items) => {
                for (i, item) in items.into_iter().enumerate() {
                    self.value(item, &place.of_dict(&i.to_string()), depth + 1);
                }
            }
            Parts::Module(state) => {
                let root = Place {
                    dict: place.path.clone(),
                    ..place.clone()
                };
                self.module(&state, &root, depth);
            }
            Parts::Other(class) => {
                self.omit(place, format!("an object of {class}, which is not read"))
            }
        }
    }

    fn dict(&mut self, pairs: &[(Id, Id)], place: &Place, depth: usize) {
        for (key, value) in pairs {
            match self.key(*key) {
                Some(key) => self.value(*value, &place.of_dict(&key), depth + 1),
                None => self.omit(place, "a key that is neither text nor number"),
            }
        }
    }

    fn key(&self, id: Id) -> Option<String> {
        let text = self.heap.text(id).map(str::to_string);
        text.or_else(|| self.heap.int(id).map(|i| i.to_string()))
    }

    /// Parameters and buffers of a module, then its parts; `state` is what it was pickled with.
    fn module(&mut self, state: &[(Id, Id)], place: &Place, depth: usize) {
        if depth == DEEPEST {
            return self.omit(place, format!("more than {DEEPEST} modules in each other"));
        }
        for (key, value) in state {
            let Some(key) = self.key(*key) else { continue };
            match MODULE.iter().position(|part| *part == key) {
                None => self.attribute(*value, &place.of_attribute(&key), depth),
                Some(_) => {
                    let Parts::Dict(members) = self.parts(*value) else {
                        continue;
                    };
                    for (name, member) in members {
                        let Some(name) = self.key(name) else { continue };
                        self.attribute(member, &place.of_module(&name), depth);
                    }
                }
            }
        }
    }

    /// A tensor or a part of a module; what else it has is its own.
    fn attribute(&mut self, id: Id, place: &Place, depth: usize) {
        match (arrays::of(self.heap, id), self.parts(id)) {
            (Ok(Some(held)), _) => {
                let dict = place.dict.clone();
                self.found
                    .tensors
                    .insert(place.path.clone(), Stored { dict, ..held });
            }
            (Err(why), _) => self.omit(place, why),
            (Ok(None), Parts::Module(state)) => {
                if self.modules == self.heap.len() {
                    return self.omit(place, "modules that hold each other");
                }
                self.modules += 1;
                self.module(&state, place, depth + 1);
            }
            (Ok(None), Parts::None) => self.scalar(id, place),
            (Ok(None), _) => {}
        }
    }

    /// What a value consists of.
    fn parts(&self, id: Id) -> Parts {
        match self.heap.get(id) {
            Value::Dict(pairs) => Parts::Dict(pairs.clone()),
            Value::List(items) | Value::Tuple(items) => Parts::List(items.clone()),
            Value::Made(made) => self.made(made),
            Value::None
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Long
            | Value::Float(_)
            | Value::Text(_)
            | Value::Bytes(_)
            | Value::Set(_)
            | Value::Global { .. }
            | Value::Persistent(_) => Parts::None,
        }
    }

    fn made(&self, made: &Made) -> Parts {
        let class = self
            .heap
            .global(made.by)
            .unwrap_or_else(|| "a class that has no name".into());
        if DICTS.contains(&class.as_str()) {
            return Parts::Dict(self.ordered(made));
        }
        // `copyreg._reconstructor(cls, object, None)` and `object.__new__` name the class as their argument.
        let named = made.args.first().and_then(|a| self.heap.global(*a));
        let class = named
            .filter(|_| class.starts_with("copyreg.") || class.starts_with("copy_reg."))
            .unwrap_or(class);
        let state = made.state.map(|s| self.heap.get(s));
        let Some(Value::Dict(state)) = state else {
            return Parts::Other(class);
        };
        let is_part = |p: &(Id, Id)| self.heap.text(p.0).is_some_and(|k| MODULE.contains(&k));
        match class.starts_with("__torch__.") || state.iter().any(is_part) {
            true => Parts::Module(state.clone()),
            false => Parts::Other(class),
        }
    }

    /// Members of an OrderedDict, put in afterwards or given as pairs.
    fn ordered(&self, made: &Made) -> Vec<(Id, Id)> {
        let given = made.args.first().and_then(|a| self.heap.members(*a));
        let given =
            given
                .into_iter()
                .flatten()
                .filter_map(|pair| match self.heap.members(*pair)? {
                    [key, value] => Some((*key, *value)),
                    _ => None,
                });
        given.chain(made.pairs.iter().copied()).collect()
    }
}

/// A number or a text; none of what is neither.
fn scalar(value: &Value) -> Option<Scalar> {
    match value {
        Value::Bool(b) => Some(Scalar::Bool(*b)),
        Value::Int(i) => Some(Scalar::Int(*i)),
        Value::Float(f) => Some(Scalar::Float(*f)),
        Value::Text(text) => Some(Scalar::Text(text.clone())),
        Value::None
        | Value::Long
        | Value::Bytes(_)
        | Value::Tuple(_)
        | Value::List(_)
        | Value::Set(_)
        | Value::Dict(_)
        | Value::Global { .. }
        | Value::Persistent(_)
        | Value::Made(_) => None,
    }
}

enum Parts {
    /// It is a number, a text, or nothing that holds others.
    None,
    Dict(Vec<(Id, Id)>),
    List(Vec<Id>),
    Module(Vec<(Id, Id)>),
    Other(String),
}

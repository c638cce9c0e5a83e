//! view: every key of a config with its path, so that each detector can look for those that it knows.

use crate::config::{At, Config, Item, Key, Tree};
use crate::verdict::Finding;

/// A key that is set, wherever it stands.
pub struct Set<'a> {
    /// `model.backbone.depth`; items of lists by their index.
    pub path: String,
    pub key: &'a str,
    pub tree: &'a Tree,
    pub at: At,
}

pub struct View<'a> {
    pub config: &'a Config,
    pub sets: Vec<Set<'a>>,
}

impl<'a> View<'a> {
    pub fn of(config: &'a Config) -> Self {
        let mut sets = vec![];
        gather("", &config.tree, &mut sets);
        Self { config, sets }
    }

    pub fn get(&self, path: &str) -> Option<&Set<'a>> {
        self.sets.iter().find(|set| set.path == path)
    }

    /// All keys of this name.
    pub fn named<'b>(&'b self, key: &'b str) -> impl Iterator<Item = &'b Set<'a>> {
        self.sets.iter().filter(move |set| set.key == key)
    }

    pub fn finding(&self, kind: &str, set: &Set, what: impl Into<String>) -> Finding {
        self.finding_at(kind, set.at, what)
    }

    pub fn finding_at(&self, kind: &str, at: At, what: impl Into<String>) -> Finding {
        Finding::new(kind, self.config.place(at), what)
    }

    /// `file:line path = value`.
    pub fn said(&self, set: &Set) -> String {
        let value = short(set.tree);
        format!("{} {} = {value}", self.config.place(set.at), set.path)
    }
}

fn gather<'a>(path: &str, tree: &'a Tree, sets: &mut Vec<Set<'a>>) {
    let below = |name: &str| match path.is_empty() {
        true => name.to_string(),
        false => format!("{path}.{name}"),
    };
    match tree {
        Tree::Dict(all) => {
            for (key, Item { tree, at }) in all {
                let path = below(&key.to_string());
                if let Key::Str(key) = key {
                    let path = path.clone();
                    let at = *at;
                    sets.push(Set {
                        path,
                        key,
                        tree,
                        at,
                    });
                }
                gather(&path, tree, sets);
            }
        }
        Tree::List(items) | Tree::Tuple(items) => {
            for (i, item) in items.iter().enumerate() {
                gather(&below(&i.to_string()), item, sets);
            }
        }
        _ => {}
    }
}

/// A value as it is written, cut short.
pub fn short(tree: &Tree) -> String {
    let text = crate::config::print::python(tree);
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The name of a class, without its module.
pub fn type_of(tree: &Tree) -> Option<&str> {
    let name = tree.get("type")?.tree.text()?;
    Some(name.rsplit('.').next().unwrap_or(name))
}

/// Where an item stands, by the first of its keys.
pub fn at(tree: &Tree) -> Option<At> {
    match tree {
        Tree::Dict(all) => all.values().next().map(|item| item.at),
        _ => None,
    }
}

//! meant: what a config means to be frozen: parameters whose rate is multiplied by 0 (mmengine), the first layers (`freeze` of ultralytics).
//!
//! Convention: of several keys of `custom_keys` that a parameter's name contains the longest decides, the first in the alphabet of equals, as in
//! mmengine's DefaultOptimWrapperConstructor; `freeze: N` is `model.0.` to `model.N-1.` anywhere in a name, as ultralytics' trainer has it.

use crate::config::{self, Config, Tree};
use crate::error::{Error, Place, Result};
use crate::verdict::Finding;
use std::path::Path;

/// Words that a name may contain, whether what contains them is meant to be frozen, and where that is said.
struct Key {
    word: String,
    freezes: bool,
    place: String,
}

/// Names of those that are meant to be frozen, and words that no name contains.
///
/// # Errors
/// No config; one that means nothing to be frozen.
pub fn frozen<'a>(
    path: &Path,
    names: impl Iterator<Item = &'a str>,
) -> Result<(Vec<String>, Vec<Finding>)> {
    let config = config::load(path, &[])?;
    let keys = keys(&config);
    if !keys.iter().any(|k| k.freezes) {
        let none = Error::usage("it multiplies no rate by 0 and has no 'freeze'")
            .next("state what is meant to be frozen: --frozen NAME");
        return Err(none).at(path.display());
    }
    let names: Vec<&str> = names.collect();
    let meant = |name: &&&str| decides(&keys, name).is_some_and(|k| k.freezes);
    let all = names.iter().filter(meant).map(|n| n.to_string()).collect();
    let unused = keys
        .iter()
        .filter(|k| !names.iter().any(|n| n.contains(&k.word)));
    Ok((all, unused.filter(|k| k.freezes).map(absent).collect()))
}

fn absent(key: &Key) -> Finding {
    let what = format!(
        "'{}' is in the name of no parameter: nothing is frozen by it",
        key.word
    );
    Finding::new("absent", &key.place, what).next(["write it as the parameters are called".into()])
}

/// The key that a parameter goes by.
fn decides<'a>(keys: &'a [Key], name: &str) -> Option<&'a Key> {
    let within = keys.iter().filter(|k| name.contains(&k.word));
    within.max_by(|a, b| (a.word.len(), &b.word).cmp(&(b.word.len(), &a.word)))
}

fn keys(config: &Config) -> Vec<Key> {
    let mut out = vec![];
    of_rates(config, &config.tree, &mut out);
    let Some(layers) = config.tree.get("freeze") else {
        return out;
    };
    let place = config.place(layers.at);
    let numbers: Vec<i128> = match &layers.tree {
        Tree::Int(n) => (0..(*n).min(1000)).collect(),
        other => other.items().iter().filter_map(Tree::integer).collect(),
    };
    let key = |n| Key {
        word: format!("model.{n}."),
        freezes: true,
        place: place.clone(),
    };
    out.extend(numbers.into_iter().map(key));
    out
}

/// Every `custom_keys`, wherever an optimiser is set up.
fn of_rates(config: &Config, tree: &Tree, out: &mut Vec<Key>) {
    let Tree::Dict(all) = tree else { return };
    for (key, item) in all {
        match (key.to_string().as_str(), &item.tree) {
            ("custom_keys", Tree::Dict(words)) => out.extend(words.iter().map(|(word, own)| {
                let rate = own.tree.get("lr_mult").and_then(|r| r.tree.number());
                Key {
                    word: word.to_string(),
                    freezes: rate == Some(0.0),
                    place: config.place(own.at),
                }
            })),
            (_, below) => of_rates(config, below, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(name: &str, text: &str) -> Result<(Vec<String>, Vec<Finding>)> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let names = [
            "model.0.weight",
            "model.10.weight",
            "backbone.norm.bias",
            "head.weight",
        ];
        frozen(&path, names.into_iter())
    }

    #[test]
    fn the_longest_word_decides_and_a_word_that_no_name_contains_is_a_finding() {
        let text = "optim_wrapper = dict(paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=0), 'backbone.norm': dict(lr_mult=0.1), 'haed': dict(lr_mult=0.0), 'model.1': dict(lr_mult=0), 'neck': dict(decay_mult=0)}))\n";
        let (names, absent) = said("c.py", text).unwrap();
        assert_eq!(names, ["model.10.weight"]);
        let kinds: Vec<&str> = absent.iter().map(|f| f.kind.as_str()).collect();
        assert_eq!(kinds, ["absent"], "{absent:?}");
        assert!(absent[0].what.contains("'haed'") && absent[0].place.contains("c.py:1"));
    }

    #[test]
    fn the_first_layers_of_ultralytics_are_counted_or_listed() {
        assert_eq!(
            said("args.yaml", "freeze: 1\n").unwrap().0,
            ["model.0.weight"]
        );
        let (names, absent) = said("args.yaml", "freeze: [10, 3]\n").unwrap();
        assert_eq!((names.len(), absent.len()), (1, 1));
        for text in ["freeze: null\n", "epochs: 3\n"] {
            let e = said("args.yaml", text).err().unwrap();
            assert!(e.message.contains("multiplies no rate by 0"), "{e}");
        }
    }
}

//! declared: a data yaml of ultralytics': splits with their sources, depth beside them, classes and channels.

use crate::error::Result;
use crate::input::yaml;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// Splits that a yaml may state.
const SPLITS: [&str; 4] = ["train", "val", "test", "minival"];

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Declared {
    /// `path`: what the sources are relative to.
    pub path: Option<String>,
    pub splits: Vec<Sources>,
    pub names: BTreeMap<i64, String>,
    pub classes: Option<usize>,
    pub channels: Option<u64>,
    /// Columns of a row with keypoints: `kpt_shape`.
    pub keypoints: Option<usize>,
    /// Keys that contradict another or are no such thing, with what is said of them.
    pub wrong: Vec<(String, String)>,
}

/// The sources of a split as they are written, and its depth maps in the same order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    pub split: String,
    pub images: Vec<String>,
    pub depth: Vec<String>,
}

/// # Errors
/// No such file, or no YAML.
pub fn load(path: &Path) -> Result<Declared> {
    Ok(of(&yaml::load(path)?))
}

pub fn of(yaml: &Value) -> Declared {
    let mut declared = Declared {
        path: yaml["path"].as_str().map(Into::into),
        ..Declared::default()
    };
    for split in SPLITS {
        let images = declared.listed(yaml, split);
        let depth = declared.listed(yaml, &format!("{split}_depth"));
        if !images.is_empty() || !depth.is_empty() {
            let split = split.to_string();
            declared.splits.push(Sources {
                split,
                images,
                depth,
            });
        }
    }
    declared.classes_of(yaml);
    declared.channels = declared.whole(yaml, "channels");
    let shape: Option<Vec<u64>> = serde_json::from_value(yaml["kpt_shape"].clone()).ok();
    declared.keypoints = match shape.as_deref() {
        Some([n @ 1..=10_000, d @ 2..=3]) => Some(5 + (n * d) as usize),
        _ => None,
    };
    if declared.keypoints.is_none() && !yaml["kpt_shape"].is_null() {
        declared.refuse(
            "kpt_shape",
            format!("{} is no [points, 2 or 3]", yaml["kpt_shape"]),
        );
    }
    declared
}

impl Declared {
    fn refuse(&mut self, key: &str, what: String) {
        self.wrong.push((key.into(), what));
    }

    fn listed(&mut self, yaml: &Value, key: &str) -> Vec<String> {
        let text = |v: &Value| v.as_str().map(String::from);
        let all = match &yaml[key] {
            Value::Null => Some(vec![]),
            Value::Array(all) => all.iter().map(text).collect(),
            one => text(one).map(|one| vec![one]),
        };
        all.unwrap_or_else(|| {
            self.refuse(
                key,
                format!("{} is neither a path nor a list of paths", yaml[key]),
            );
            vec![]
        })
    }

    fn whole(&mut self, yaml: &Value, key: &str) -> Option<u64> {
        let value = yaml[key].as_u64();
        if value.is_none() && !yaml[key].is_null() {
            self.refuse(key, format!("{} is no number of things", yaml[key]));
        }
        value
    }

    fn classes_of(&mut self, yaml: &Value) {
        let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), String::from);
        match &yaml["names"] {
            Value::Null => {}
            Value::Array(all) => self.names = (0..).zip(all.iter().map(text)).collect(),
            Value::Object(all) => {
                for (key, name) in all {
                    match key.parse() {
                        Ok(id) => drop(self.names.insert(id, text(name))),
                        Err(_) => self.refuse("names", format!("'{key}' is no class id")),
                    }
                }
            }
            other => self.refuse("names", format!("{other} is neither a list nor a table")),
        }
        let stated = self.whole(yaml, "nc").map(|n| n as usize);
        let named = (!self.names.is_empty()).then_some(self.names.len());
        self.classes = stated.or(named);
        if let (Some(nc), Some(n)) = (stated, named.filter(|n| stated != Some(*n))) {
            self.refuse("nc", format!("nc is {nc}, and names lists {n}"));
        }
        self.ids_follow();
    }

    /// Ids count from 0 without a gap, and no name is there twice.
    fn ids_follow(&mut self) {
        if let Some((i, id)) = (0..).zip(self.names.keys()).find(|(i, id)| i != *id) {
            self.refuse("names", format!("id {id} follows where {i} is due"));
        }
        let mut before: BTreeMap<&String, i64> = BTreeMap::new();
        let twice = self.names.iter().find_map(|(id, name)| {
            let first = before.insert(name, *id)?;
            Some(format!("'{name}' is both class {first} and class {id}"))
        });
        if let Some(twice) = twice {
            self.refuse("names", twice);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(text: &str) -> Declared {
        of(&yaml::parse(text).unwrap())
    }

    #[test]
    fn sources_depth_and_classes_are_read_in_each_form() {
        let d = declared(
            "path: x\ntrain: [a/images, b/images]\ntrain_depth: [a/d, b/d]\nval: v\nnc: 2\nnames: {0: car, 1: bus}\nchannels: 4\n",
        );
        assert_eq!(d.wrong, []);
        assert_eq!(d.splits[0].images, ["a/images", "b/images"]);
        assert_eq!(d.splits[0].depth, ["a/d", "b/d"]);
        assert_eq!(d.splits[1].images, ["v"]);
        assert_eq!((d.classes, d.channels), (Some(2), Some(4)));
        let d = declared("names: [a, b, c]\nkpt_shape: [17, 3]\n");
        assert_eq!((d.classes, d.keypoints), (Some(3), Some(56)));
    }

    #[test]
    fn what_contradicts_is_said_with_its_key() {
        for (text, key) in [
            ("nc: 3\nnames: [a, b]\n", "nc"),
            ("names: {1: a, 2: b}\n", "names"),
            ("names: [a, a]\n", "names"),
            ("names: 7\n", "names"),
            ("train: {a: 1}\n", "train"),
            ("channels: four\n", "channels"),
            ("kpt_shape: 17\n", "kpt_shape"),
        ] {
            let wrong = declared(text).wrong;
            assert_eq!(wrong.len(), 1, "{text} {wrong:?}");
            assert_eq!(wrong[0].0, key, "{text}");
        }
    }
}

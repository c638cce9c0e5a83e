//! yolo: ultralytics' args.yaml, data yaml and model yaml, each by itself and against each other.

use super::view::{Set, View};
use crate::config::{self, Config, Tree};
use crate::error::Result;
use crate::verdict::{Finding, Severity};
use std::path::{Path, PathBuf};

/// What a yaml of ultralytics is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Args,
    Data,
    Model,
}

pub fn kind(config: &Config) -> Option<Kind> {
    let has = |key: &str| config.tree.get(key).is_some();
    match config.tree {
        _ if has("backbone") && has("head") => Some(Kind::Model),
        _ if has("names") || (has("train") && has("val") && !has("model")) => Some(Kind::Data),
        _ if has("model") && (has("task") || has("mode") || has("data") || has("epochs")) => config
            .tree
            .get("model")
            .filter(|m| m.tree.text().is_some())
            .map(|_| Kind::Args),
        _ => None,
    }
}

/// The files that hang together, as far as they are there.
#[derive(Default)]
pub struct Set3 {
    pub args: Option<Config>,
    pub data: Option<Config>,
    pub model: Option<Config>,
}

/// Reads one file and those that it names.
///
/// # Errors
/// One is no YAML.
pub fn gather(first: Config, beside: &[PathBuf], root: &Path) -> Result<Set3> {
    let mut set = Set3::default();
    set.put(first);
    for path in beside {
        set.put(config::load(path, &[])?);
    }
    for (key, absent) in [("data", set.data.is_none()), ("model", set.model.is_none())] {
        let named = set.args.as_ref().and_then(|args| {
            let text = args.tree.get(key)?.tree.text()?;
            let own = args.files[0].parent().map(|folder| folder.join(text));
            let places = [Some(root.join(text)), own];
            places.into_iter().flatten().find(|p| p.is_file())
        });
        let yaml = |path: &PathBuf| path.extension().is_some_and(|e| e == "yaml" || e == "yml");
        if let Some(path) = named.filter(|path| absent && yaml(path)) {
            set.put(config::load(&path, &[])?);
        }
    }
    Ok(set)
}

impl Set3 {
    fn put(&mut self, config: Config) {
        match kind(&config) {
            Some(Kind::Args) => self.args = Some(config),
            Some(Kind::Data) => self.data = Some(config),
            Some(Kind::Model) => self.model = Some(config),
            None => {}
        }
    }
}

pub fn findings(set: &Set3, root: &Path) -> Vec<Finding> {
    let [args, data, model] = [&set.args, &set.data, &set.model].map(|c| c.as_ref().map(View::of));
    let mut found = vec![];
    if let Some(args) = &args {
        found.extend(scales(args));
        found.extend(named_files(args, root));
        found.extend(described(args));
    }
    if let Some(data) = &data {
        found.extend(names(data));
        found.extend(folders(data, root));
        found.extend(depth(data));
    }
    if let (Some(data), Some(model)) = (&data, &model) {
        found.extend(channels(data, model));
        found.extend(class_counts(data, model));
    }
    if let (Some(data), Some(args)) = (&data, &args) {
        found.extend(chosen_classes(data, args));
    }
    found
}

/// Family and scale of a name such as `yolo12s.pt`, `yolov8n-seg.yaml`, `yolo12s-rgbd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    pub family: String,
    pub scale: char,
}

/// The last `yolo` of a text that has a scale.
pub fn named(text: &str) -> Option<Named> {
    let text = text.to_lowercase();
    let of = |at: usize| {
        let rest = text[at + 4..].trim_start_matches(['v', '-']);
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        let mut after = rest[digits.len()..].chars();
        let scale = after.next().filter(|c| "ntsmblxce".contains(*c))?;
        let ends = after.next().is_none_or(|c| !c.is_ascii_alphanumeric());
        (ends && !digits.is_empty()).then_some(Named {
            family: digits,
            scale,
        })
    };
    text.match_indices("yolo")
        .filter_map(|(at, _)| of(at))
        .last()
}

/// Keys that name weights.
const WEIGHTS: [&str; 3] = ["pretrained", "weights", "resume"];

/// The architecture's scale against that of the weights.
fn scales(args: &View) -> Vec<Finding> {
    let Some(model) = args.get("model") else {
        return vec![];
    };
    let Some(own) = model
        .tree
        .text()
        .and_then(file_name)
        .and_then(|n| named(&n))
    else {
        return vec![];
    };
    let weights = WEIGHTS.iter().filter_map(|key| args.get(key));
    let mut found = vec![];
    for set in weights {
        let Some(other) = set.tree.text().and_then(file_name).and_then(|n| named(&n)) else {
            continue;
        };
        let (model_file, weights_file) =
            (super::view::short(model.tree), super::view::short(set.tree));
        if other == own {
            let what = format!("{} = {weights_file} fits model = {model_file}", set.key);
            found.push(args.finding("scale", set, what).severity(Severity::Note));
            continue;
        }
        let what = format!(
            "the model is yolo{}{} ({model_file}), the weights are of yolo{}{} ({weights_file})",
            own.family, own.scale, other.family, other.scale
        );
        let facts = [
            args.said(model),
            "only tensors of equal name and shape are loaded, the log still says 'Transferred x/y items'".into(),
        ];
        let next = [
            format!(
                "load yolo{f}{s}.pt with yolo{f}{s}, or build yolo{}{} with these weights, or train from scratch with more epochs",
                other.family,
                other.scale,
                f = own.family,
                s = own.scale
            ),
            "parity audit weights WEIGHTS MODEL counts what arrives".to_string(),
        ];
        found.push(args.finding("scale", set, what).facts(facts).next(next));
    }
    found
}

fn file_name(text: &str) -> Option<String> {
    Some(Path::new(text).file_name()?.to_string_lossy().into_owned())
}

/// Files that the arguments name.
fn named_files(args: &View, root: &Path) -> Vec<Finding> {
    let mut found = vec![];
    for key in ["data", "model", "pretrained", "weights", "resume"] {
        let Some(set) = args.get(key) else { continue };
        let Some(text) = set.tree.text().filter(|t| !t.is_empty()) else {
            continue;
        };
        let beside = args.config.files[0]
            .parent()
            .map(|folder| folder.join(text));
        if root.join(text).exists() || beside.is_some_and(|p| p.exists()) || text.contains("://") {
            continue;
        }
        // A bare public name is fetched, or comes with the package.
        let public = !text.contains('/')
            && (named(text).is_some()
                || [
                    "coco8.yaml",
                    "coco.yaml",
                    "coco128.yaml",
                    "VisDrone.yaml",
                    "VOC.yaml",
                ]
                .contains(&text));
        if public {
            let what = format!(
                "{key} = {text} is not here: a public name, it is fetched or comes with the package"
            );
            found.push(args.finding("fetched", set, what).severity(Severity::Note));
            continue;
        }
        let what = format!("{key} = {text}: {} is not there", root.join(text).display());
        let instead = match key {
            "data" => "no label and no image is found by it",
            _ => "training begins with other weights than these, or ends at once",
        };
        let next = "correct the path, or give the folder that relative paths start from as --root"
            .to_string();
        found.push(
            args.finding("missing_path", set, what)
                .facts([instead.into()])
                .next([next]),
        );
    }
    found
}

/// Comments and names of the run that say another model, or another device, than is given.
fn described(args: &View) -> Vec<Finding> {
    let mut found = vec![];
    let model = args
        .get("model")
        .and_then(|s| s.tree.text())
        .and_then(file_name)
        .and_then(|n| named(&n));
    for key in ["model", "pretrained", "weights", "name", "project"] {
        let Some(set) = args.get(key) else { continue };
        let comment = args.config.comment(set.at);
        let own = set.tree.text().and_then(file_name).and_then(|n| named(&n));
        let (given, says) = match key {
            "name" | "project" => (model.clone(), own),
            _ => (own, named_in_words(&comment)),
        };
        if let (Some(given), Some(says)) = (given, says)
            && given != says
        {
            let what = format!(
                "{key} describes yolo{}{}, given is yolo{}{}",
                says.family, says.scale, given.family, given.scale
            );
            found.push(
                args.finding("described_otherwise", set, what)
                    .facts([args.said(set), comment]),
            );
        }
    }
    found.extend(device(args));
    found
}

/// A name in a comment, whatever stands around it.
fn named_in_words(comment: &str) -> Option<Named> {
    let words = comment.split(|c: char| c.is_whitespace() || ",;()".contains(c));
    words.rev().find_map(named)
}

fn device(args: &View) -> Option<Finding> {
    let set = args.get("device")?;
    let comment = args.config.comment(set.at).to_lowercase();
    let given = super::view::short(set.tree)
        .trim_matches('\'')
        .to_lowercase();
    let on_cpu = given == "cpu";
    let words: Vec<&str> = comment
        .split(|c: char| !c.is_ascii_alphanumeric())
        .collect();
    let says = |all: &[&str]| words.iter().any(|w| all.contains(w));
    let (cpu, gpu) = (says(&["cpu"]), says(&["gpu", "gpus", "cuda"]));
    let contradicts = (on_cpu && gpu && !cpu) || (!on_cpu && given != "none" && cpu && !gpu);
    let what = format!("device = {given}, and its comment describes another one");
    contradicts.then(|| {
        args.finding("described_otherwise", set, what)
            .facts([comment])
    })
}

/// `nc` against `names`, and names without a gap.
fn names(data: &View) -> Vec<Finding> {
    let Some(names) = data.get("names") else {
        return vec![];
    };
    let (count, gap) = match names.tree {
        Tree::Dict(all) => {
            let gap = (0..all.len()).find(|i| names.tree.get(&i.to_string()).is_none());
            (all.len(), gap)
        }
        other => (other.items().len(), None),
    };
    let mut found = vec![];
    if let Some(gap) = gap {
        let what =
            format!("names has {count} entries and no class {gap}: ids go from 0 without a gap");
        found.push(data.finding("classes", names, what));
    }
    let nc = data
        .get("nc")
        .and_then(|set| Some((set, set.tree.integer()?)));
    if let Some((set, n)) = nc.filter(|(_, n)| *n != count as i128) {
        let what = format!("nc = {n}, names lists {count}");
        found.push(data.finding("classes", set, what).facts([data.said(names)]));
    }
    if found.is_empty() {
        let note = data.finding("classes", names, format!("{count} classes"));
        let note = note.number("classes", count as f64);
        found.push(note.severity(Severity::Note));
    }
    found
}

/// The sources of one part of the data.
fn sources<'a>(data: &'a View, key: &str) -> Option<(&'a Set<'a>, Vec<&'a str>)> {
    let set = data.get(key)?;
    let all = match set.tree {
        Tree::Text(text) => vec![text.as_str()],
        other => other.items().iter().filter_map(Tree::text).collect(),
    };
    Some((set, all))
}

/// Every folder that the data names must be there.
fn folders(data: &View, root: &Path) -> Vec<Finding> {
    let base = data
        .get("path")
        .and_then(|set| set.tree.text())
        .unwrap_or("");
    let beside = data.config.files[0].parent().unwrap_or(Path::new(""));
    let (mut found, mut there) = (vec![], 0);
    if let Some(set) = data.get("path").filter(|s| s.tree.text().is_some()) {
        let places = [root.join(base), beside.join(base)];
        if !places.iter().any(|p| p.exists()) {
            let what = format!("path = {base}: {} is not there", places[0].display());
            let fact = "ultralytics then looks below the datasets_dir of its settings".to_string();
            return vec![data.finding("missing_path", set, what).facts([fact])];
        }
    }
    for key in [
        "train",
        "val",
        "test",
        "train_depth",
        "val_depth",
        "test_depth",
    ] {
        let Some((set, all)) = sources(data, key) else {
            continue;
        };
        for source in all {
            let places = [
                root.join(base).join(source),
                beside.join(base).join(source),
                root.join(source),
            ];
            match places.iter().take(2).any(|p| p.exists()) {
                true => there += 1,
                false => {
                    let what = format!("{key} = {source}: {} is not there", places[0].display());
                    let fact = places[2]
                        .exists()
                        .then(|| format!("{source} without path = {base} is there"));
                    found.push(data.finding("missing_path", set, what).facts(fact));
                }
            }
        }
    }
    if there > 0 {
        let what = format!("{there} sources of the data are there");
        let note = Finding::new("path", data.config.files[0].display().to_string(), what);
        found.push(
            note.number("paths", f64::from(there))
                .severity(Severity::Note),
        );
    }
    found
}

/// Depth maps: as many sources as images, in the same order, and a channel for them.
fn depth(data: &View) -> Vec<Finding> {
    let mut found = vec![];
    for part in ["train", "val", "test"] {
        let key = format!("{part}_depth");
        let (Some((_, images)), Some((set, maps))) = (sources(data, part), sources(data, &key))
        else {
            continue;
        };
        if images.len() != maps.len() {
            let what = format!(
                "{key} has {} sources, {part} has {}",
                maps.len(),
                images.len()
            );
            found.push(data.finding("sources", set, what));
            continue;
        }
        let others = |name: &&str, all: &[&str]| {
            let stem = first_part(name);
            all.iter().filter(|o| first_part(o) == stem).count() > 0
        };
        let order = images
            .iter()
            .zip(&maps)
            .position(|(a, b)| first_part(a) != first_part(b) && others(a, &maps));
        if let Some(i) = order {
            let what = format!(
                "{key} is in another order than {part}: source {i} is {} beside {}",
                maps[i], images[i]
            );
            found.push(data.finding("sources", set, what));
        }
    }
    let given = data.get("train_depth");
    let channels = data.get("channels").or(data.get("ch"));
    let three = channels.and_then(|set| set.tree.integer()).unwrap_or(3) == 3;
    if let Some(set) = given.filter(|_| three) {
        let what =
            "train_depth is given and channels are 3: no depth reaches the model".to_string();
        let fact = channels.map_or("channels is not set, 3 is its default".into(), |c| {
            data.said(c)
        });
        let next = "set channels: 4".to_string();
        found.push(
            data.finding("channels", set, what)
                .facts([fact])
                .next([next]),
        );
    }
    found
}

/// The part of a path that names its source.
fn first_part(path: &str) -> &str {
    path.split('/')
        .find(|p| !p.is_empty() && *p != "." && *p != "..")
        .unwrap_or(path)
}

fn channels(data: &View, model: &View) -> Option<Finding> {
    let of = |view: &View| {
        let set = view.get("channels").or(view.get("ch"));
        set.and_then(|s| s.tree.integer()).unwrap_or(3)
    };
    let (has, takes) = (of(data), of(model));
    // Newer versions build the model with the channels of the data, where its yaml sets none.
    let set = model.get("channels").or(model.get("ch"));
    if has == takes {
        let what = format!("{has} channels in the data and in the model");
        let place = model.config.files[0].display().to_string();
        return Some(Finding::new("channels", place, what).severity(Severity::Note));
    }
    let set = set?;
    let what = format!("the data has {has} channels, the model takes {takes}");
    let own = data
        .get("channels")
        .or(data.get("ch"))
        .map(|s| data.said(s));
    let fact = own.unwrap_or_else(|| format!("{} sets none: 3", data.config.files[0].display()));
    Some(model.finding("channels", set, what).facts([fact]))
}

/// The model's own count is replaced by that of the data.
fn class_counts(data: &View, model: &View) -> Option<Finding> {
    let count = match data.get("names")?.tree {
        Tree::Dict(all) => all.len(),
        other => other.items().len(),
    };
    let set = model.get("nc")?;
    let n = set.tree.integer()?;
    let what = match n == count as i128 {
        true => format!("{n} classes in the model and in the data"),
        false => {
            format!("nc = {n} of the model is replaced by the data's {count} when it is built")
        }
    };
    Some(model.finding("classes", set, what).severity(Severity::Note))
}

/// `classes: [...]` picks among those that the data has.
fn chosen_classes(data: &View, args: &View) -> Option<Finding> {
    let set = args.get("classes")?;
    let count = match data.get("names")?.tree {
        Tree::Dict(all) => all.len(),
        other => other.items().len(),
    } as i128;
    let out = set
        .tree
        .items()
        .iter()
        .filter_map(Tree::integer)
        .find(|c| !(0..count).contains(c))?;
    let what = format!(
        "classes picks {out}, the data has classes 0 to {}",
        count - 1
    );
    Some(args.finding("classes", set, what))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn family_and_scale_are_read_from_a_name() {
        for (text, said) in [
            ("yolo12s.yaml", Some(("12", 's'))),
            ("yolov8n-seg.pt", Some(("8", 'n'))),
            ("runs/yolo12n/yolo12s-rgbd.yaml", Some(("12", 's'))),
            ("YOLO11x", Some(("11", 'x'))),
            ("yolo12.yaml", None),
            ("yolo12sum.pt", None),
            ("best.pt", None),
        ] {
            let found = named(text).map(|n| (n.family, n.scale));
            let said = said.map(|(f, s)| (f.to_string(), s));
            assert_eq!(found, said, "{text}");
        }
    }
}

//! paths: files and folders that a config names and that are not there, and what is used in their place.

use super::super::{SHOWN, counted};
use super::view::{Set, View};
use crate::config::Tree;
use crate::verdict::{Finding, Severity};
use indexmap::IndexMap;
use std::path::{Path, PathBuf};

/// Keys whose values are read, whatever their names begin with.
const READ: &[&str] = &[
    "ann_file",
    "ann_files",
    "checkpoint",
    "ckpt_path",
    "data_root",
    "img_dir",
    "load_from",
    "pretrained",
    "pretrained_weights",
    "proposal_file",
    "resume_from",
    "root",
    "seg_map_path",
    "teacher_ckpt",
    "weights",
];
const READ_ENDS: &[&str] = &[
    "_checkpoint",
    "_ckpt",
    "_file",
    "_path",
    "_root",
    "_weights",
];

/// Keys whose values are written, or name no file.
const WRITTEN: &[&str] = &[
    "work_dir",
    "save_dir",
    "out_file",
    "outfile_prefix",
    "log_file",
    "python_path",
    "img_path",
    "drop_path",
];

/// Schemes of what is fetched.
const FETCHED: &[&str] = &[
    "http://",
    "https://",
    "torchvision://",
    "open-mmlab://",
    "openmmlab://",
    "mmcls://",
    "jhu://",
    "s3://",
    "modelzoo://",
];

/// A path that a key names.
struct Named<'a> {
    set: &'a Set<'a>,
    /// As it is written.
    written: &'a str,
    /// As it is looked for.
    path: PathBuf,
    /// The folder that it was joined to.
    joined: Option<&'a str>,
}

/// Every path that is read must be there.
pub fn findings(view: &View, root: &Path) -> Vec<Finding> {
    let mut there = 0;
    let mut fetched: Vec<&str> = vec![];
    let mut absent: IndexMap<PathBuf, Vec<Named>> = IndexMap::new();
    for named in view.sets.iter().flat_map(|set| named(view, set, root)) {
        if FETCHED
            .iter()
            .any(|scheme| named.written.starts_with(scheme))
        {
            fetched.push(named.written);
        } else if named.path.exists() {
            there += 1;
        } else {
            absent.entry(named.path.clone()).or_default().push(named);
        }
    }
    let mut found = vec![];
    for (path, all) in &absent {
        // What lies below a folder that is not there is said with it.
        let above = |other: &&PathBuf| *other != path && path.starts_with(other);
        if !absent.keys().any(|other| above(&other)) {
            let below = absent.keys().filter(|p| *p != path && p.starts_with(path));
            found.push(missing(view, path, all, root).facts(folded(below)));
        }
    }
    if there > 0 {
        let what = format!("{there} paths that are read are there");
        let note = Finding::new("path", view.config.files[0].display().to_string(), what);
        found.push(
            note.number("paths", f64::from(there))
                .severity(Severity::Note),
        );
    }
    if !fetched.is_empty() {
        fetched.sort_unstable();
        fetched.dedup();
        let what = format!("{} are fetched when the model is built", fetched.join(", "));
        let note = Finding::new("fetched", view.config.files[0].display().to_string(), what);
        found.push(note.severity(Severity::Note));
    }
    found.extend(resumed(view, root));
    found
}

fn named<'a>(view: &'a View<'a>, set: &'a Set<'a>, root: &Path) -> Vec<Named<'a>> {
    let parent = set.path.rsplit_once('.').map_or("", |(parent, _)| parent);
    let prefixes = parent.rsplit('.').next() == Some("data_prefix");
    if !prefixes && !is_read(set.key) {
        return vec![];
    }
    let owner = match prefixes {
        true => parent.rsplit_once('.').map_or("", |(owner, _)| owner),
        false => parent,
    };
    let joins = prefixes || set.key == "ann_file";
    let data_root = view
        .get(&format!("{owner}.data_root"))
        .and_then(|s| s.tree.text());
    let joined = data_root.filter(|_| joins);
    let texts: Vec<&str> = match set.tree {
        Tree::Text(text) => vec![text],
        Tree::List(items) | Tree::Tuple(items) => items.iter().filter_map(Tree::text).collect(),
        _ => vec![],
    };
    let named = |written: &'a str| {
        let below = match joined {
            Some(folder) => Path::new(folder).join(written),
            None => written.into(),
        };
        let path = root.join(below);
        Named {
            set,
            written,
            path,
            joined,
        }
    };
    texts
        .into_iter()
        .filter(|t| is_path(t))
        .map(named)
        .collect()
}

fn is_read(key: &str) -> bool {
    let ends = READ_ENDS.iter().any(|end| key.ends_with(end));
    (READ.contains(&key) || ends) && !WRITTEN.contains(&key)
}

/// Neither empty, nor a word for something else, nor a pattern.
fn is_path(text: &str) -> bool {
    let looks = text.contains('/')
        || text.rsplit_once('.').is_some_and(|(stem, end)| {
            !stem.is_empty()
                && (2..=11).contains(&end.len())
                && end.chars().all(|c| c.is_ascii_alphanumeric())
        });
    looks && !text.contains(['{', '*', '\n', '%', ' ']) || text.starts_with('/')
}

fn missing(view: &View, path: &Path, all: &[Named], root: &Path) -> Finding {
    let first = &all[0];
    let what = format!(
        "{} = '{}': {} is not there",
        first.set.path,
        first.written,
        path.display()
    );
    let mut facts: Vec<String> = vec![];
    if let Some(folder) = first.joined {
        facts.push(format!("it is looked for below data_root = '{folder}'"));
        if root.join(first.written).exists() {
            facts.push(format!("'{}' without data_root is there", first.written));
        }
    }
    let parent = path.ancestors().skip(1).find(|p| p.exists());
    if let Some(parent) = parent.filter(|p| !p.as_os_str().is_empty()) {
        facts.push(format!(
            "the nearest folder that is there is {}",
            parent.display()
        ));
        facts.extend(near(parent, path));
    }
    facts.extend(instead(view, first));
    facts.extend(all[1..].iter().take(SHOWN).map(|n| view.said(n.set)));
    if all.len() > SHOWN + 1 {
        facts.push(format!("{} keys name it in all", all.len()));
    }
    view.finding("missing_path", first.set, what)
        .facts(facts)
        .next([
            "correct the path, or give the folder that relative paths start from as --root".into(),
        ])
}

/// How many paths below a folder are not there with it.
fn folded<'a>(below: impl Iterator<Item = &'a PathBuf>) -> Option<String> {
    let all: Vec<String> = below.map(|p| p.display().to_string()).collect();
    let shown: Vec<&str> = all.iter().take(SHOWN).map(String::as_str).collect();
    let n = counted(all.len(), "path");
    (!all.is_empty()).then(|| format!("{n} below it with it: {}", shown.join(", ")))
}

/// A file beside the missing one whose name is nearly the same.
fn near(parent: &Path, path: &Path) -> Option<String> {
    let wanted = path.strip_prefix(parent).ok()?.iter().next()?.to_str()?;
    let entries = std::fs::read_dir(parent).ok()?.take(10_000);
    let names: Vec<String> = entries
        .filter_map(|e| e.ok()?.file_name().into_string().ok())
        .collect();
    let hint = crate::error::hint(wanted, names.iter().map(String::as_str));
    (!hint.is_empty()).then(|| hint.trim_end().to_string())
}

/// What the model begins with where a checkpoint is not there.
fn instead(view: &View, named: &Named) -> Option<String> {
    let weights = [
        "load_from",
        "checkpoint",
        "pretrained",
        "resume_from",
        "weights",
    ];
    if !weights.contains(&named.set.key) {
        return None;
    }
    let others = view.sets.iter().filter(|set| {
        let begins =
            set.path.ends_with("init_cfg.checkpoint") || set.path.ends_with("backbone.pretrained");
        begins && set.path != named.set.path && set.tree.text().is_some()
    });
    let others: Vec<String> = others.map(|set| view.said(set)).collect();
    Some(match others.is_empty() {
        true => "a loader that skips it leaves every weight at its random initial value".into(),
        false => format!(
            "a loader that skips it begins with {} instead",
            others.join(", ")
        ),
    })
}

/// `resume = True` goes on from the last checkpoint of the work folder; where there is none, training begins anew.
fn resumed(view: &View, root: &Path) -> Option<Finding> {
    let resume = view
        .get("resume")
        .filter(|set| *set.tree == Tree::Bool(true))?;
    let named = view
        .get("load_from")
        .is_some_and(|set| set.tree.text().is_some());
    if named {
        return None;
    }
    let stem = view.config.files[0]
        .file_stem()
        .map(|s| s.to_string_lossy().into_owned());
    let own = view
        .get("work_dir")
        .and_then(|set| set.tree.text())
        .map(Into::into);
    let folder =
        root.join(own.unwrap_or_else(|| format!("work_dirs/{}", stem.unwrap_or_default())));
    let last = folder.join("last_checkpoint");
    if last.exists() {
        return None;
    }
    let what = format!(
        "resume = True goes on from {}, which is not there",
        last.display()
    );
    let fact =
        "training begins anew, without a word, with what load_from and init_cfg say".to_string();
    Some(view.finding("missing_path", resume, what).facts([fact]))
}

//! yaml: what a data yaml declares: sources where a loader looks for them, depth in the same order.

use super::{Rules, depth_below, items, of_folder};
use crate::audit::data::Data;
use crate::audit::data::kinds;
use crate::audit::data::problem::{Problem, shown};
use crate::audit::data::set::{Classes, Set, Source};
use crate::dataset::declared::{self, Declared, Sources};
use crate::error::{Result, hint};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A folder of depth maps, and what lies below it by path without extension.
type Depth = (PathBuf, BTreeMap<PathBuf, PathBuf>);

pub fn set(file: &Path, data: &Data, rules: &Rules) -> Result<Set> {
    let declared = declared::load(file)?;
    let bases = bases(file, data, declared.path.as_deref());
    let root = bases.iter().find(|b| b.is_dir()).cloned();
    let root = root.unwrap_or_else(|| file.parent().unwrap_or(file).to_path_buf());
    let mut set = Set {
        root: std::fs::canonicalize(&root).unwrap_or(root),
        classes: classes(&declared),
        channels: data.channels.or(declared.channels),
        keypoints: declared.keypoints,
        ..Set::default()
    };
    let name = shown(&set.root, file);
    let place = |key: &str| format!("{name}: {key}");
    let wrong = declared
        .wrong
        .iter()
        .map(|(key, what)| Problem::new(&kinds::CONTRADICTION, place(key), what));
    set.problems = wrong.collect();
    if declared.splits.is_empty() {
        let what = "no train, val or test is stated";
        set.problems
            .push(Problem::new(&kinds::MISSING_SOURCE, place("train"), what));
    }
    for sources in &declared.splits {
        gather(&mut set, &bases, sources, rules, &place(&sources.split));
    }
    Ok(set)
}

fn classes(declared: &Declared) -> Classes {
    match declared.classes {
        Some(n) => Classes::Below(n, declared.names.clone()),
        None => Classes::Unknown,
    }
}

/// Folders that a path of the yaml may be relative to, in the order in which they are tried.
fn bases(file: &Path, data: &Data, path: Option<&str>) -> Vec<PathBuf> {
    let own = file.parent().unwrap_or(file).to_path_buf();
    let path = path.unwrap_or("");
    let here = std::env::current_dir().unwrap_or_default();
    match &data.root {
        Some(root) => vec![root.clone()],
        None => vec![
            own.join(path),
            here.join(path),
            here.join("datasets").join(path),
            own.join("../datasets").join(path),
            own,
        ],
    }
}

/// Where a source is, or where it was looked for.
fn resolved(bases: &[PathBuf], stated: &str) -> std::result::Result<PathBuf, Vec<PathBuf>> {
    let up = stated.strip_prefix("../");
    let stated = std::iter::once(stated).chain(up);
    let tried: Vec<PathBuf> = stated
        .flat_map(|s| bases.iter().map(move |b| b.join(s)))
        .collect();
    let there = tried.iter().find(|p| p.exists());
    match there {
        Some(path) => Ok(std::fs::canonicalize(path).unwrap_or_else(|_| path.clone())),
        None => Err(tried),
    }
}

fn gather(set: &mut Set, bases: &[PathBuf], sources: &Sources, rules: &Rules, key: &str) {
    let (n, depth) = (sources.images.len(), sources.depth.len());
    if depth != 0 && depth != n {
        let what = format!("{n} sources of images, and {depth} of depth");
        set.problems
            .push(Problem::new(&kinds::SOURCE_ORDER, key, what));
    }
    let begin = set.sources.len();
    for stated in &sources.images {
        match resolved(bases, stated) {
            Ok(place) => {
                let source = source(set, &sources.split, stated, &place, bases, rules);
                if source.items.is_empty() {
                    let what = format!("{stated} holds no image");
                    set.problems
                        .push(Problem::new(&kinds::EMPTY_SOURCE, key, what));
                }
                set.sources.push(source);
            }
            Err(tried) => {
                let problem = missing(stated, &tried, key);
                set.problems.push(problem);
                let absent = Source {
                    split: sources.split.clone(),
                    name: stated.clone(),
                    ..Source::default()
                };
                set.sources.push(absent);
            }
        }
    }
    beside(set, begin, bases, sources, key);
}

fn missing(stated: &str, tried: &[PathBuf], key: &str) -> Problem {
    let what = format!("{stated} is not there");
    let mut problem = Problem::new(&kinds::MISSING_SOURCE, key, what);
    for path in tried.iter().take(3) {
        problem = problem.fact(format!("looked for at {}", path.display()));
    }
    match tried.first().and_then(|path| near(path)) {
        Some(fact) => problem.fact(fact),
        None => problem,
    }
}

/// A name beside `path` that may be meant.
fn near(path: &Path) -> Option<String> {
    let (folder, name) = (path.parent()?, path.file_name()?.to_str()?);
    let listed = std::fs::read_dir(folder).ok()?;
    let names = listed.filter_map(|e| e.ok()?.file_name().into_string().ok());
    let names: Vec<String> = names.collect();
    let hint = hint(name, names.iter().map(String::as_str));
    (!hint.is_empty()).then(|| format!("{hint}in {}", folder.display()))
}

fn source(
    set: &mut Set,
    split: &str,
    stated: &str,
    place: &Path,
    bases: &[PathBuf],
    rules: &Rules,
) -> Source {
    if place.is_dir() {
        return of_folder(set, split, stated, place, rules);
    }
    let text = std::fs::read(place).unwrap_or_default();
    let text = String::from_utf8_lossy(&text).into_owned();
    let lines = text.lines().map(str::trim).filter(|l| !l.is_empty());
    let images: Vec<PathBuf> = lines.map(|line| of_line(line, place, bases)).collect();
    Source {
        split: split.into(),
        name: stated.into(),
        place: place.into(),
        items: items(&images, rules),
        has_depth: rules.depth.is_some(),
        rule: rules.said(),
        ..Source::default()
    }
}

/// A line of a list: from the list's folder where it begins with `./`, else from there or from the root.
fn of_line(line: &str, list: &Path, bases: &[PathBuf]) -> PathBuf {
    let own = list.parent().unwrap_or(list);
    let below_own = own.join(line.strip_prefix("./").unwrap_or(line));
    let mut all = std::iter::once(below_own.clone()).chain(bases.iter().map(|b| b.join(line)));
    let found = all.find(|p| p.exists()).unwrap_or(below_own);
    match line.contains("..") {
        true => std::fs::canonicalize(&found).unwrap_or(found),
        false => found,
    }
}

/// Depth beside the images of each source, by the path below it; and whether another entry would fit better.
fn beside(set: &mut Set, begin: usize, bases: &[PathBuf], sources: &Sources, key: &str) {
    let mut folders = vec![];
    for stated in &sources.depth {
        match resolved(bases, stated) {
            Ok(place) => folders.push(Some((place.clone(), depth_below(&place)))),
            Err(tried) => {
                set.problems
                    .push(missing(stated, &tried, &format!("{key}_depth")));
                folders.push(None);
            }
        }
    }
    for (i, source) in set.sources[begin..].iter_mut().enumerate() {
        let stems: Vec<PathBuf> = source
            .items
            .iter()
            .map(|item| stem(source, &item.image))
            .collect();
        // What is in the wrong order is said once, and looked at as it is meant.
        let other = elsewhere(source, i, &stems, &folders);
        let entry = other.as_ref().map_or(i, |(best, _)| *best);
        if let Some((_, what)) = other {
            set.problems
                .push(Problem::new(&kinds::SOURCE_ORDER, key, what));
        }
        let Some(Some((folder, depth))) = folders.get(entry) else {
            continue;
        };
        for (item, stem) in source.items.iter_mut().zip(&stems) {
            let found = depth.get(stem).cloned();
            item.depth = Some(found.unwrap_or_else(|| folder.join(stem)));
        }
        source.has_depth = true;
        source.depth_folder = Some(folder.clone());
    }
}

/// The path of an image below its source, without extension; of a list, its name.
fn stem(source: &Source, image: &Path) -> PathBuf {
    let below = image.strip_prefix(&source.place).ok();
    let name = image.file_name().map(Path::new);
    below.or(name).unwrap_or(image).with_extension("")
}

/// The other entry that has the depth of the `i`-th source.
fn elsewhere(
    source: &Source,
    i: usize,
    stems: &[PathBuf],
    folders: &[Option<Depth>],
) -> Option<(usize, String)> {
    let fits = |of: &Option<Depth>| {
        let has = |(_, d): &Depth| stems.iter().filter(|s| d.contains_key(*s)).count();
        of.as_ref().map_or(0, has)
    };
    let fits: Vec<usize> = folders.iter().map(fits).collect();
    let best = (0..fits.len()).max_by_key(|j| fits[*j])?;
    let own = fits.get(i).copied().unwrap_or(0);
    let swapped = fits[best] > own && own * 2 < stems.len();
    swapped.then(|| {
        let (all, split) = (stems.len(), &source.split);
        let what = format!(
            "of the {all} images of entry {i}, {}, {own} have depth in entry {i} of {split}_depth, and {} in entry {best}",
            source.name, fits[best]
        );
        (best, what)
    })
}

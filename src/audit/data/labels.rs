//! labels: images without labels, labels without images, and where labels lie that the rule does not find; folders of labels are listed.

use super::kinds;
use super::look::{Labelled, Seen};
use super::problem::{Problem, shown};
use super::set::{Item, Label, Set, Source};
use crate::dataset::files;
use crate::text::number;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Images without objects are up to a tenth of the usual sets.
const BACKGROUNDS: f64 = 0.1;

/// Text files that lie beside labels and are none.
const NO_LABELS: [&str; 8] = [
    "classes.txt",
    "predefined_classes.txt",
    "obj.names",
    "notes.txt",
    "readme.txt",
    "license.txt",
    "train.txt",
    "val.txt",
];

/// A source with what was seen of each of its items.
pub type Looked<'a> = (&'a Source, Vec<(&'a Item, &'a Seen)>);

pub fn wrong(set: &Set, sources: &[Looked]) -> Vec<Problem> {
    let items = || set.sources.iter().flat_map(|s| &s.items);
    let known: HashSet<&Path> = items()
        .filter_map(|i| Some(i.label.path()?.as_path()))
        .collect();
    let depth: HashSet<&Path> = items().filter_map(|i| i.depth.as_deref()).collect();
    let mut problems = same_stem(set);
    for (source, looked) in sources {
        let orphans = orphans(source, &known);
        problems.extend(missing(set, source, looked, &orphans, &known));
        problems.extend(lost_depth(set, source, &depth));
        problems.extend(stale_cache(set, source));
    }
    problems
}

/// Text files where this source's labels lie that belong to no image.
fn orphans(source: &Source, known: &HashSet<&Path>) -> Vec<PathBuf> {
    let Some(folder) = &source.label_folder else {
        return vec![];
    };
    let named = |p: &Path| {
        p.file_name()
            .and_then(OsStr::to_str)
            .unwrap_or("")
            .to_lowercase()
    };
    let found = files::below(folder, |p| files::has_extension(p, &["txt"]));
    let lost =
        |p: &PathBuf| !known.contains(p.as_path()) && !NO_LABELS.contains(&named(p).as_str());
    found.files.into_iter().filter(lost).collect()
}

fn missing(
    set: &Set,
    source: &Source,
    looked: &[(&Item, &Seen)],
    orphans: &[PathBuf],
    known: &HashSet<&Path>,
) -> Vec<Problem> {
    let lacks = |(item, seen): &&(&Item, &Seen)| {
        seen.labelled == Labelled::Missing && item.label.path().is_some()
    };
    let lacking: Vec<&Item> = looked.iter().filter(lacks).map(|(item, _)| *item).collect();
    let mut problems = misnamed(set, &lacking, orphans);
    let taken: HashSet<String> = problems.iter().map(|p| p.place.clone()).collect();
    let lost = orphans
        .iter()
        .map(|p| shown(&set.root, p))
        .filter(|p| !taken.contains(p));
    problems.extend(
        lost.map(|p| Problem::new(&kinds::ORPHAN_LABEL, p, "a label whose image is not there")),
    );
    if lacking.is_empty() || unlabelled_test(source, looked, lacking.len()) {
        return problems;
    }
    if lacking.len() == looked.len() {
        problems.push(none(set, source, &lacking, known));
        return problems;
    }
    let empty = looked
        .iter()
        .filter(|(_, seen)| seen.labelled == Labelled::Empty)
        .count();
    let share = lacking.len() as f64 / looked.len() as f64;
    let each = |kind, what: &'static str| {
        let of = move |item: &&Item| {
            Some(Problem::new(
                kind,
                shown(&set.root, item.label.path()?),
                what,
            ))
        };
        lacking.iter().filter_map(of).collect::<Vec<_>>()
    };
    problems.extend(match &lacking[0].label {
        Label::Voc(_) => each(
            &kinds::LABEL_IS_DUE,
            "the annotation of a listed image is not there",
        ),
        Label::Map(_) => each(
            &kinds::MISSING_MAP,
            "the label map of an image is not there",
        ),
        _ if empty > 0 => each(
            &kinds::MISSING_LABEL,
            "no label file, where others without objects have an empty one",
        ),
        // Images of nothing are legal up to a share; more of them are labels that were lost.
        _ if share > BACKGROUNDS => {
            let mut all = each(&kinds::MISSING_LABEL, "no label file");
            let percent = number(100.0 * share);
            all[0].what = format!(
                "no label file, as {percent} % of the images of {} have none",
                source.said()
            );
            all
        }
        _ => each(&kinds::BACKGROUND, "no label file: it trains as background"),
    });
    problems
}

/// What is to be predicted only has no labels.
fn unlabelled_test(source: &Source, looked: &[(&Item, &Seen)], lacking: usize) -> bool {
    source.split.starts_with("test") && lacking == looked.len()
}

/// Labels called as an image is but for case, or with the image's extension before their own.
fn misnamed(set: &Set, lacking: &[&Item], orphans: &[PathBuf]) -> Vec<Problem> {
    let plain = |path: &Path, is_label: bool| {
        let stem = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        let image = Path::new(&stem);
        match is_label && files::is_image(image) {
            true => image
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            false => stem,
        }
    };
    let images: HashMap<String, &Path> = lacking
        .iter()
        .map(|i| (plain(&i.image, false), i.image.as_path()))
        .collect();
    let meant = |orphan: &PathBuf| {
        let image = images.get(&plain(orphan, true))?;
        let what = format!("no loader finds it for {}", shown(&set.root, image));
        Some(Problem::new(
            &kinds::MISNAMED_LABEL,
            shown(&set.root, orphan),
            what,
        ))
    };
    orphans.iter().filter_map(meant).collect()
}

/// No image of a source has a label: where they were looked for, and where they would be found.
fn none(set: &Set, source: &Source, lacking: &[&Item], known: &HashSet<&Path>) -> Problem {
    let example = lacking[0]
        .label
        .path()
        .map(|p| shown(&set.root, p))
        .unwrap_or_default();
    let n = lacking.len();
    let what = format!("none of its {n} images has a label where {}", source.rule);
    let problem = Problem::new(&kinds::LABELS_NOT_FOUND, source.said(), what);
    let problem = problem.fact(format!(
        "{} looks for {example}",
        shown(&set.root, &lacking[0].image)
    ));
    let wanted = |p: &Path| match lacking[0].label {
        Label::Yolo(_) => files::has_extension(p, &["txt"]),
        Label::Voc(_) => files::has_extension(p, &["xml"]),
        _ => files::is_raster(p),
    };
    let images: HashSet<&Path> = set
        .sources
        .iter()
        .flat_map(|s| &s.items)
        .map(|i| i.image.as_path())
        .collect();
    let other = |p: &Path| wanted(p) && !known.contains(p) && !images.contains(p);
    match elsewhere(&set.root, lacking, other) {
        Some((folder, found)) => {
            let folder = shown(&set.root, &folder);
            problem.fact(format!(
                "labels called as {found} of these {n} images lie in {folder}"
            ))
        }
        None => problem.fact(format!(
            "no label called as one of them lies below {}",
            set.root.display()
        )),
    }
}

/// Too few channels where none has depth: where files lie that are called as the images.
pub fn depth_unnamed(set: &Set, problems: &mut [Problem]) {
    let items: Vec<&Item> = set.sources.iter().flat_map(|s| &s.items).collect();
    let few = problems.iter_mut().find(|p| p.kind == &kinds::CHANNELS);
    let Some(few) = few.filter(|_| items.iter().all(|i| i.depth.is_none())) else {
        return;
    };
    let images: HashSet<&Path> = items.iter().map(|i| i.image.as_path()).collect();
    let maps: HashSet<&Path> = items
        .iter()
        .filter_map(|i| Some(i.label.path()?.as_path()))
        .collect();
    let other = |p: &Path| files::is_raster(p) && !images.contains(p) && !maps.contains(p);
    if let Some((folder, n)) = elsewhere(&set.root, &items, other) {
        let folder = shown(&set.root, &folder);
        let fact =
            format!("files called as {n} of the images lie in {folder}, and no key names them");
        few.facts.push(fact);
    }
}

/// The folder with most of the files that are called as the images are.
fn elsewhere(
    root: &Path,
    lacking: &[&Item],
    wanted: impl Fn(&Path) -> bool,
) -> Option<(PathBuf, usize)> {
    let stems: HashSet<&OsStr> = lacking.iter().filter_map(|i| i.image.file_stem()).collect();
    let found = files::below(root, |p| {
        wanted(p) && p.file_stem().is_some_and(|s| stems.contains(s))
    });
    let mut folders: BTreeMap<&Path, usize> = BTreeMap::new();
    for path in &found.files {
        *folders.entry(path.parent()?).or_default() += 1;
    }
    let best = folders.into_iter().max_by_key(|(_, n)| *n);
    best.map(|(folder, n)| (folder.to_path_buf(), n))
}

fn same_stem(set: &Set) -> Vec<Problem> {
    let mut problems = vec![];
    for source in &set.sources {
        let mut before: HashMap<&Path, &Path> = HashMap::new();
        for item in &source.items {
            let Some(label) = item.label.path() else {
                continue;
            };
            let Some(first) = before.insert(label, &item.image) else {
                continue;
            };
            if first != item.image {
                let what = format!("its label file is that of {}, too", shown(&set.root, first));
                problems.push(Problem::new(
                    &kinds::SAME_STEM,
                    shown(&set.root, &item.image),
                    what,
                ));
            }
        }
    }
    problems
}

fn lost_depth(set: &Set, source: &Source, known: &HashSet<&Path>) -> Vec<Problem> {
    let Some(folder) = &source.depth_folder else {
        return vec![];
    };
    let lost = files::below(folder, |p| files::is_raster(p) && !known.contains(p));
    let problem = |p: &PathBuf| {
        Problem::new(
            &kinds::ORPHAN_DEPTH,
            shown(&set.root, p),
            "depth whose image is not there",
        )
    };
    lost.files.iter().map(problem).collect()
}

/// ultralytics keeps what it has read in a file beside the folder of labels.
fn stale_cache(set: &Set, source: &Source) -> Option<Problem> {
    let labels = || source.items.iter().filter_map(|i| i.label.path());
    let folder = labels().next()?.parent()?;
    let cache = folder.with_extension("cache");
    let written = changed(&cache)?;
    let newer = labels()
        .filter_map(|p| Some((changed(p)?, p)))
        .filter(|(t, _)| *t > written + Duration::from_secs(1));
    let newer: Vec<&PathBuf> = newer.map(|(_, p)| p).collect();
    let first = newer.first()?;
    let what = format!(
        "{} labels were changed after it was written, {} the first",
        newer.len(),
        shown(&set.root, first)
    );
    Some(Problem::new(
        &kinds::STALE_CACHE,
        shown(&set.root, &cache),
        what,
    ))
}

fn changed(path: &Path) -> Option<SystemTime> {
    path.metadata().ok()?.modified().ok()
}

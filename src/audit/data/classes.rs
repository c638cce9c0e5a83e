//! classes: how often each class occurs in each source and split: ids that are shifted, classes and sources that only one split has.

use super::kinds;
use super::problem::Problem;
use super::set::{Classes, Source};
use crate::dataset::Class;
use std::collections::BTreeMap;

/// Labels of a source by class; names stand where they were first met.
pub type Histogram = BTreeMap<Class, u64>;

/// Fewer objects say nothing of where a histogram lies.
const ENOUGH: u64 = 100;
/// Objects that a split should have of a class: at 7 all are lacking by chance in one of a thousand.
const EXPECTED: f64 = 7.0;

/// Rows beyond the classes that are no more than mistakes.
const STRAY: f64 = 0.02;

pub fn wrong(classes: &Classes, sources: &[(&Source, &Histogram)]) -> Vec<Problem> {
    let mut problems = one_split(classes, sources);
    problems.extend(one_split_source(sources));
    problems.extend(twice(sources));
    problems.extend((0..sources.len()).filter_map(|i| shifted(classes, sources, i)));
    problems
}

fn split<'a>(sources: &[(&'a Source, &Histogram)]) -> BTreeMap<&'a str, Histogram> {
    let mut splits: BTreeMap<&str, Histogram> = BTreeMap::new();
    for (source, own) in sources {
        let all = splits.entry(&source.split).or_default();
        own.iter()
            .for_each(|(class, n)| *all.entry(class.clone()).or_default() += n);
    }
    splits
}

/// A class of a split that another lacks, though it should have several.
fn one_split(classes: &Classes, sources: &[(&Source, &Histogram)]) -> Vec<Problem> {
    let splits = split(sources);
    let total = |h: &Histogram| h.values().sum::<u64>();
    let Some((train, trained)) = splits.iter().find(|(name, _)| is_train(name)) else {
        return vec![];
    };
    let mut problems = vec![];
    for (other, own) in splits.iter().filter(|(name, _)| *name != train) {
        if total(own) == 0 || total(trained) == 0 {
            continue;
        }
        let share = total(own) as f64 / total(trained) as f64;
        for class in own
            .keys()
            .chain(trained.keys().filter(|c| !own.contains_key(c)))
        {
            let [t, v] = [trained, own].map(|h| h.get(class).copied().unwrap_or(0));
            let lacks = (t == 0 && v > 0) || (v == 0 && t as f64 * share > EXPECTED);
            if lacks && classes.refuse(class).is_none() {
                let what = format!(
                    "class {} occurs {t} times in {train} and {v} times in {other}",
                    classes.name(class)
                );
                problems.push(Problem::new(&kinds::ONE_SPLIT_CLASS, *other, what));
            }
        }
    }
    problems
}

fn is_train(split: &str) -> bool {
    split.starts_with("train") && split != "trainval"
}

/// A source is told by its path but for what names the split.
fn origin(source: &Source) -> String {
    let parts = source
        .name
        .split('/')
        .filter(|p| !p.is_empty() && *p != "." && !is_split(p));
    parts.collect::<Vec<_>>().join("/")
}

fn is_split(part: &str) -> bool {
    ["train", "val", "test", "valid", "minival"]
        .iter()
        .any(|s| part.starts_with(s))
}

fn one_split_source(sources: &[(&Source, &Histogram)]) -> Vec<Problem> {
    let of = |wanted: bool| {
        let all = sources.iter().filter(|(s, _)| match wanted {
            true => is_train(&s.split),
            false => s.split.starts_with("val"),
        });
        all.map(|(s, _)| (origin(s), *s)).collect::<Vec<_>>()
    };
    let (trained, validated) = (of(true), of(false));
    // Where names say nothing of where a source is from, nothing can be said.
    let told = validated
        .iter()
        .any(|(v, _)| trained.iter().any(|(t, _)| t == v));
    if trained.len() < 2 || !told {
        return vec![];
    }
    let lacks = trained.iter().filter(|(_, s)| !s.items.is_empty());
    let lacks = lacks.filter(|(t, _)| !validated.iter().any(|(v, _)| v == t));
    lacks
        .map(|(_, source)| {
            let what = format!(
                "{} images are trained from it, and none are validated",
                source.items.len()
            );
            Problem::new(&kinds::ONE_SPLIT_SOURCE, source.said(), what)
        })
        .collect()
}

/// Names that are one but for case and spaces.
fn twice(sources: &[(&Source, &Histogram)]) -> Vec<Problem> {
    let mut plain: BTreeMap<String, BTreeMap<&str, u64>> = BTreeMap::new();
    for (class, n) in sources.iter().flat_map(|(_, h)| h.iter()) {
        if let Class::Name(name) = class {
            let key = name.to_lowercase().replace([' ', '_', '-'], "");
            *plain.entry(key).or_default().entry(name).or_default() += n;
        }
    }
    let several = plain.values().filter(|names| names.len() > 1);
    several
        .map(|names| {
            let all: Vec<String> = names
                .iter()
                .map(|(name, n)| format!("'{name}' ({n} times)"))
                .collect();
            Problem::new(&kinds::CLASS_TWICE, "classes", all.join(" and "))
        })
        .collect()
}

/// The source's ids are those of the others with a number added: they reach beyond the classes by it and lack the first ones, or their histogram
/// lies over that of the others only so.
fn shifted(classes: &Classes, sources: &[(&Source, &Histogram)], i: usize) -> Option<Problem> {
    let own = ids(sources[i].1);
    let mut others: BTreeMap<i64, f64> = BTreeMap::new();
    for (j, (_, all)) in sources.iter().enumerate() {
        if j != i {
            ids(all)
                .into_iter()
                .for_each(|(id, n)| *others.entry(id).or_default() += n);
        }
    }
    let (least, most) = (*own.keys().next()?, *own.keys().next_back()?);
    let place = sources[i].0.said();
    let n = match classes {
        Classes::Below(n, _) => Some(*n as i64),
        _ => None,
    };
    if let Some((n, by)) = n.and_then(|n| Some((n, beyond(&own, n)?))) {
        let what = format!(
            "its ids are {least} … {most}, where 0 … {} are declared: shifted by {by}",
            n - 1
        );
        return Some(Problem::new(&kinds::SHIFTED, place, what));
    }
    let total = |h: &BTreeMap<i64, f64>| h.values().sum::<f64>();
    if total(&own) < ENOUGH as f64 || total(&others) < ENOUGH as f64 || own.len() < 3 {
        return None;
    }
    let away = |by: i64| apart(&own, &others, by);
    let reach = classes
        .count()
        .unwrap_or(most.unsigned_abs() as usize + 1)
        .min(100) as i64;
    let best = (-reach..=reach)
        .filter(|by| *by != 0)
        .min_by(|a, b| away(*a).total_cmp(&away(*b)))?;
    let (now, then) = (away(0), away(best));
    (now > 0.25 && then < 0.15 && then < now / 2.0).then(|| {
        let what = format!(
            "its classes are those of the other sources shifted by {best}: {:.0} % of its objects lie elsewhere as they are, {:.0} % if shifted back",
            100.0 * now,
            100.0 * then
        );
        Problem::new(&kinds::SHIFTED, place, what)
    })
}

/// By how much ids are shifted that reach beyond `n` classes at one end and lack as many at the other; a stray row or two is no shift.
fn beyond(own: &BTreeMap<i64, f64>, n: i64) -> Option<i64> {
    let (least, most) = (*own.keys().next()?, *own.keys().next_back()?);
    let out = own.iter().filter(|(id, _)| **id < 0 || **id >= n);
    let share = out.map(|(_, n)| n).sum::<f64>() / own.values().sum::<f64>();
    let by = match (least, most) {
        (least, most) if most >= n && least > most - n => most - n + 1,
        (least, most) if least < 0 && most < n + least => least,
        _ => return None,
    };
    (share > STRAY).then_some(by)
}

fn ids(histogram: &Histogram) -> BTreeMap<i64, f64> {
    let id = |(class, n): (&Class, &u64)| match class {
        Class::Id(id) => Some((*id, *n as f64)),
        Class::Name(_) => None,
    };
    histogram.iter().filter_map(id).collect()
}

/// Share of objects that lie otherwise than those of the others (total variation), with `by` taken from each id.
fn apart(own: &BTreeMap<i64, f64>, others: &BTreeMap<i64, f64>, by: i64) -> f64 {
    let total = |h: &BTreeMap<i64, f64>| h.values().sum::<f64>();
    let (all_own, all_others) = (total(own), total(others));
    let common = own.iter().map(|(id, n)| {
        let other = others.get(&(id - by)).copied().unwrap_or(0.0);
        (n / all_own).min(other / all_others)
    });
    1.0 - common.sum::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::data::set::{Item, Label};

    fn source(split: &str, name: &str) -> Source {
        Source {
            split: split.into(),
            name: name.into(),
            items: vec![Item {
                image: "0.png".into(),
                depth: None,
                label: Label::Yolo("0.txt".into()),
            }],
            ..Source::default()
        }
    }

    fn histogram(counts: &[(i64, u64)]) -> Histogram {
        counts.iter().map(|(id, n)| (Class::Id(*id), *n)).collect()
    }

    fn names(n: usize, all: &[(Source, Histogram)]) -> Vec<(&'static str, String)> {
        let all: Vec<_> = all.iter().map(|(s, h)| (s, h)).collect();
        let problems = wrong(&Classes::Below(n, BTreeMap::new()), &all);
        problems
            .into_iter()
            .map(|p| (p.kind.name, p.place))
            .collect()
    }

    const USUAL: &[(i64, u64)] = &[(0, 500), (1, 120), (2, 60), (3, 250)];

    #[test]
    fn sources_that_differ_without_a_shift_are_right() {
        let other = &[(0, 90), (1, 150), (2, 30), (3, 40)];
        let all = [
            (source("train", "a/train"), histogram(USUAL)),
            (source("train", "b/train"), histogram(other)),
            (source("val", "a/val"), histogram(other)),
            (source("val", "b/val"), histogram(USUAL)),
        ];
        assert_eq!(names(4, &all), []);
    }

    #[test]
    fn a_shifted_source_is_named_in_each_way_that_it_shows() {
        let train = |h: Histogram| {
            [
                (source("train", "a/train"), histogram(USUAL)),
                (source("train", "b/train"), h),
                (source("val", "a/val"), histogram(USUAL)),
                (source("val", "b/val"), histogram(USUAL)),
            ]
        };
        let b = ("shifted_source", "train: b/train".to_string());
        let past = histogram(&[(1, 5), (2, 1), (3, 1), (4, 3)]);
        assert!(names(4, &train(past)).contains(&b));
        let before = histogram(&[(-1, 5), (0, 1), (1, 1), (2, 3)]);
        assert!(names(4, &train(before)).contains(&b));
        let inside = histogram(&[(1, 490), (2, 130), (3, 55), (4, 260)]);
        assert!(names(8, &train(inside)).contains(&b));
    }

    #[test]
    fn a_class_and_a_source_of_one_split_are_named() {
        let all = [
            (source("train", "a/train"), histogram(&[(0, 100), (1, 100)])),
            (source("train", "b/train"), histogram(&[(0, 100)])),
            (source("val", "a/val"), histogram(&[(0, 50), (2, 1)])),
        ];
        let found = names(3, &all);
        let kinds: Vec<_> = found.iter().map(|f| f.0).collect();
        assert_eq!(
            kinds,
            [
                "class_in_one_split",
                "class_in_one_split",
                "source_in_one_split"
            ]
        );
        assert_eq!(found[2].1, "train: b/train");
    }

    #[test]
    fn a_name_written_in_two_ways_is_one_class() {
        let name = |n: &str| (Class::Name(n.into()), 3);
        let all: Histogram = [name("Traffic Light"), name("traffic_light"), name("car")].into();
        let s = source("all", "all");
        let problems = wrong(&Classes::Unknown, &[(&s, &all)]);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].kind.name, "class_written_twice");
    }
}

//! transfer: what of a model a checkpoint fills, and what begins anew without anybody saying so.

use super::item::{Fate, Item, Kind};
use crate::audit::{SHOWN, counted};
use crate::params::names::parts;
use crate::params::pair::How;
use crate::params::renaming::renamings;
use crate::params::{Param, module};
use crate::verdict::{Finding, Severity};
use indexmap::IndexMap;

pub const COLUMNS: [&str; 6] = [
    "module",
    "items",
    "transferred",
    "elements",
    "of them transferred",
    "%",
];

/// Everything that names and shapes tell.
pub fn findings(items: &[Item], left: Vec<&Param>) -> Vec<Finding> {
    let mut found = vec![summary(items)];
    found.extend(renamed(items));
    found.extend(exchanged(items));
    found.extend(partial(items));
    found.extend(shapes(items));
    found.extend(missing(items));
    found.extend(declared(items));
    found.extend(only_left(&left));
    found
}

/// A loader that goes by name takes it, or the model holds its values already.
fn arrives(item: &&Item) -> bool {
    let exchanged = item.found.as_ref().is_some_and(|f| f.how == How::Exchanged);
    match item.fate() {
        Fate::Transferred => true,
        Fate::Renamed => !exchanged && item.holds() == Some(true),
        Fate::Partial { .. } | Fate::Shape | Fate::Missing => false,
    }
}

/// Elements of parameters: of all, and of those that `arrives` holds for.
fn elements(items: &[Item]) -> [u64; 2] {
    let own = items.iter().filter(|i| i.kind() == Kind::Parameter);
    let sum = |all: &mut dyn Iterator<Item = &Item>| all.map(|i| i.model.elements()).sum();
    [sum(&mut own.clone()), sum(&mut own.filter(arrives))]
}

/// Elements of an item that is not transferred and yet is no loss: declared, or of channels that the checkpoint has.
fn excused(item: &Item) -> u64 {
    match item.fate() {
        _ if item.is_new => item.model.elements(),
        Fate::Partial { own, all } => item.model.elements() * own as u64 / all as u64,
        Fate::Transferred | Fate::Renamed | Fate::Shape | Fate::Missing => 0,
    }
}

/// "150 of 691 items are transferred: ...".
fn summary(items: &[Item]) -> Finding {
    let of = |kind: Kind| {
        let all = items.iter().filter(arrives);
        all.filter(|i| i.kind() == kind).count()
    };
    let kinds = [
        (of(Kind::Parameter), "parameter"),
        (of(Kind::Statistic), "statistic"),
        (of(Kind::Counter), "counter"),
    ];
    let kinds: Vec<String> = kinds
        .iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| counted(*n, word))
        .collect();
    let n = items.iter().filter(arrives).count();
    let [all, own] = elements(items);
    let share = 100.0 * own as f64 / all.max(1) as f64;
    let told = if n == 0 {
        "none".into()
    } else {
        kinds.join(", ")
    };
    let what = format!(
        "{n} of {} items are transferred: {told}; {share:.2} % of the elements of parameters ({own} of {all})",
        items.len()
    );
    let meant: u64 = items.iter().filter(|i| !arrives(i)).map(excused).sum();
    let most = 2 * (own + meant) >= all;
    let severity = if most {
        Severity::Note
    } else {
        Severity::Fault
    };
    Finding::new("transfer", "model", what)
        .number("items", items.len() as f64)
        .number("transferred", n as f64)
        .number("elements", all as f64)
        .number("elements_transferred", own as f64)
        .next((!most).then(|| {
            "most of the model begins anew: load what fits it, or expect to train from scratch"
                .into()
        }))
        .severity(severity)
}

/// Items that nobody said should begin anew, of one fate.
fn of<'a, 'b>(items: &'a [Item<'b>], fate: impl Fn(Fate) -> bool) -> Vec<&'a Item<'b>> {
    let silent = items.iter().filter(|i| !i.is_new && fate(i.fate()));
    silent.collect()
}

fn renamed(items: &[Item]) -> Option<Finding> {
    let all = of(items, |f| f == Fate::Renamed);
    let all: Vec<_> = all
        .into_iter()
        .filter(|i| i.found.as_ref().is_some_and(|f| f.how != How::Exchanged))
        .collect();
    let names = all.iter().filter_map(|i| {
        let found = i.found.as_ref()?;
        let (own, other) = (found.checkpoint.name.clone(), i.model.name.clone());
        Some((own, other, found.how))
    });
    let names: Vec<_> = names.collect();
    let held = all.iter().filter(|i| i.holds() == Some(true)).count();
    let what = match held {
        0 => format!("{} fit under another name only", counted(all.len(), "item")),
        n => format!(
            "{} fit under another name only, of which {n} hold the same values",
            counted(all.len(), "item")
        ),
    };
    let rules = renamings(&names).into_iter().take(SHOWN);
    let facts = rules.map(|(rule, r)| format!("{rule} ({})", counted(r.pairs, "item")));
    // Where the values are there, somebody has renamed them.
    let arrived = held == all.len();
    let next = "a loader that goes by name takes none of these: rename them as shown, and check here with --rename A=B";
    let finding = Finding::new("renamed", "model", what)
        .facts(facts)
        .next((!arrived).then(|| next.to_string()))
        .expected(arrived);
    (!all.is_empty()).then_some(finding)
}

fn exchanged(items: &[Item]) -> Option<Finding> {
    let all = items.iter().filter_map(|i| {
        let found = i.found.as_ref().filter(|f| f.how == How::Exchanged)?;
        Some(format!(
            "the model's '{}' is the checkpoint's '{}'",
            i.model.name, found.checkpoint.name
        ))
    });
    let all: Vec<String> = all.collect();
    let what = format!(
        "{} hold the value of one of another name that both files have",
        counted(all.len(), "item")
    );
    let finding = Finding::new("exchanged", "model", what)
        .facts(all.iter().take(SHOWN).cloned())
        .next(["a loader that goes by name puts each into the other's place".to_string()]);
    (!all.is_empty()).then_some(finding)
}

fn partial(items: &[Item]) -> Vec<Finding> {
    let one = |item: &&Item| {
        let Fate::Partial { own, all } = item.fate() else {
            return None;
        };
        let name = &item.model.name;
        let what = format!(
            "the checkpoint has {own} of {all} input channels of '{name}' {:?}; {} begin anew",
            item.model.shape,
            all - own
        );
        Some(Finding::new("partial", name, what).number("own", own as f64).number("all", all as f64).next([format!(
            "a loader that wants the same shape takes none of it, one that copies leaves {} random: fill them on purpose (zeros, or the mean of the others), then --except {name}",
            counted(all - own, "channel")
        )]))
    };
    let silent = of(items, |f| matches!(f, Fate::Partial { .. }));
    silent.iter().filter_map(one).collect()
}

/// Other shapes: a fault, unless they are a head for other classes.
fn shapes(items: &[Item]) -> Option<Finding> {
    let all = of(items, |f| f == Fate::Shape);
    if all.is_empty() {
        return None;
    }
    let fact = |i: &&Item| {
        let own = i.found.as_ref().map_or(&[][..], |f| &f.checkpoint.shape);
        format!(
            "'{}' {:?}, in the checkpoint {own:?}",
            i.model.name, i.model.shape
        )
    };
    let facts = all.iter().take(SHOWN).map(fact);
    let head = head(items, &all);
    let what = match &head {
        Some(place) => format!(
            "{} of the head '{place}' begin anew: it is for other classes",
            counted(all.len(), "item")
        ),
        None => format!(
            "{} have another shape in the checkpoint",
            counted(all.len(), "item")
        ),
    };
    let place = head.clone().unwrap_or_else(|| all[0].model.name.clone());
    let kind = if head.is_some() { "head" } else { "shape" };
    let next = "a loader takes none of these; where they are meant to begin anew: --except NAME";
    Some(
        Finding::new(kind, place, what)
            .facts(facts)
            .next(head.is_none().then(|| next.to_string()))
            .expected(head.is_some()),
    )
}

/// Where a head for other classes lies: all of what differs is in the last part of the model, or differs in its rows alone.
fn head(items: &[Item], differ: &[&Item]) -> Option<String> {
    let [all, own] = elements(items);
    if 2 * own < all {
        return None;
    }
    let top = |name: &str| -> String {
        let all: Vec<&str> = parts(module(name)).collect();
        let numbered = all
            .iter()
            .position(|p| p.bytes().all(|b| b.is_ascii_digit()));
        all[..numbered.map_or(1, |at| at + 1).min(all.len())].join(".")
    };
    let place = top(&differ[0].model.name);
    let last = top(&items.last()?.model.name);
    let together = differ.iter().all(|i| top(&i.model.name) == place);
    let rows = |i: &&Item| {
        let own = &i.found.as_ref()?.checkpoint.shape;
        let same = own.len() == i.model.shape.len() && own.get(1..) == i.model.shape.get(1..);
        let rows = (*own.first()?, *i.model.shape.first()?);
        same.then_some(rows)
    };
    let first = differ.first().and_then(rows);
    let rows_alone = first.is_some() && differ.iter().all(|i| rows(i) == first);
    ((together && place == last) || rows_alone).then_some(place)
}

fn missing(items: &[Item]) -> Option<Finding> {
    let all = of(items, |f| f == Fate::Missing);
    let first = all.first()?.model.name.clone();
    let what = format!(
        "the checkpoint has nothing for {} of the model's items",
        all.len()
    );
    let facts = modules(all.iter().map(|i| i.model));
    let next = "they begin anew; where that is meant: --except NAME";
    Some(
        Finding::new("missing", first, what)
            .facts(facts)
            .next([next.to_string()]),
    )
}

fn declared(items: &[Item]) -> Option<Finding> {
    let all: Vec<&Param> = items.iter().filter(|i| i.is_new).map(|i| i.model).collect();
    let what = format!("{} begin anew, as declared", counted(all.len(), "item"));
    let finding = Finding::new("declared", "model", what)
        .facts(modules(all.iter().copied()))
        .severity(Severity::Note);
    (!all.is_empty()).then_some(finding)
}

fn only_left(left: &[&Param]) -> Option<Finding> {
    let what = format!(
        "the model has no place for {} of the checkpoint",
        counted(left.len(), "item")
    );
    let finding = Finding::new("left", "checkpoint", what)
        .facts(modules(left.iter().copied()))
        .severity(Severity::Note);
    (!left.is_empty()).then_some(finding)
}

/// "head: 2 items" of each module on top.
fn modules<'a>(all: impl Iterator<Item = &'a Param>) -> Vec<String> {
    let mut by: IndexMap<String, usize> = IndexMap::new();
    for param in all {
        *by.entry(on_top(&param.name)).or_default() += 1;
    }
    let shown = by.iter().take(SHOWN);
    let mut lines: Vec<String> = shown
        .map(|(module, n)| format!("'{module}': {}", counted(*n, "item")))
        .collect();
    let more = by.len().saturating_sub(SHOWN);
    lines.extend((more > 0).then(|| format!("and {more} more modules")));
    lines
}

/// The first two parts of a path.
fn on_top(name: &str) -> String {
    parts(module(name)).take(2).collect::<Vec<_>>().join(".")
}

/// One row for each module on top.
pub fn table(items: &[Item]) -> Vec<Vec<String>> {
    let mut by: IndexMap<String, [u64; 4]> = IndexMap::new();
    for item in items {
        let row = by.entry(on_top(&item.model.name)).or_default();
        let (n, own) = (item.model.elements(), u64::from(arrives(&item)));
        let add = [1, own, n, own * n];
        row.iter_mut().zip(add).for_each(|(sum, n)| *sum += n);
    }
    let row = |(module, [items, own, all, moved]): (String, [u64; 4])| {
        let share = 100.0 * moved as f64 / all.max(1) as f64;
        let counts = [items, own, all, moved].map(|n| n.to_string());
        let cells = [module].into_iter().chain(counts);
        cells.chain([format!("{share:.2}")]).collect()
    };
    by.into_iter().map(row).collect()
}

//! params: the difference of two sides' parameters: headline, causes, values, places; the rows add up to the headline.

use crate::error::printable;
use crate::params::attributes::{Setting, Settings};
use crate::params::names;
use crate::params::renaming::{Renaming, renamings};
use crate::params::rollup::{Line, lines};
use crate::params::value::{Distance, Relation};
use crate::params::values::{Differing, Values};
use crate::params::{Cause, Count, Decomposition, Difference, Group, How};
use crate::text::{number, table};

/// Rows shown before the rest is added up.
const ROWS: usize = 30;
/// What a file holds besides, by name.
const LEFT_OUT: usize = 3;

/// The report; `all` shows every row. `names` are the two sides'.
pub fn params(d: &Difference, names: (&str, &str), all: bool) -> String {
    let shown = if all { usize::MAX } else { ROWS };
    let mut out = headline(d) + &sides(d, names);
    out += &counts(&d.parameters, shown);
    match &d.trainable {
        Some(trainable) if trainable.by_cause() != d.parameters.by_cause() => {
            out += &counts(trainable, shown)
        }
        Some(_) => {}
        None => {
            out += "\ntrainable   not compared: one side does not say which parameters it trains\n"
        }
    }
    out += &folded(d);
    out + &settings(&d.settings, shown)
        + &differing(&d.differing, shown)
        + &exchanged(&d.renamed, shown)
        + &renamed(&d.renamed, shown)
}

fn headline(d: &Difference) -> String {
    let p = &d.parameters;
    let trained = d.trainable.as_ref().map_or(0, Decomposition::difference);
    let counted = match (d.equal(), p.difference(), trained) {
        (true, ..) => format!(
            "EQUAL: {} parameters on both sides, each with its like",
            p.reference()
        ),
        (false, ..) if d.counted_otherwise() => format!(
            "EQUAL but for how they are counted: reference {} parameters, candidate {}",
            p.reference(),
            p.candidate()
        ),
        (false, 0, 0)
            if p.groups()
                .iter()
                .all(|g| g.cause.same() || g.cause.by_value()) =>
        {
            format!(
                "DIFFER: {} parameters on both sides, not all of the same value",
                p.reference()
            )
        }
        (false, 0, 0) => format!(
            "DIFFER: {} parameters on both sides, but not the same ones",
            p.reference()
        ),
        (false, 0, n) => format!(
            "DIFFER: {} parameters on both sides, of which {n:+} are trained by the candidate",
            p.reference()
        ),
        (false, n, _) => format!(
            "DIFFER: reference {} parameters, candidate {}: {n:+}",
            p.reference(),
            p.candidate()
        ),
    };
    let notes = [
        trainable(d),
        conventions(d),
        Some(values(&d.values)),
        attributes(&d.settings),
    ];
    let notes: Vec<String> = notes.into_iter().flatten().collect();
    format!("{counted}; {}\n", notes.join("; "))
}

/// The gap in what is trained, where the counts differ and it is another one.
fn trainable(d: &Difference) -> Option<String> {
    let gap = d.trainable.as_ref()?.difference();
    let told = d.parameters.difference() != 0;
    told.then(|| format!("trainable {gap:+}"))
}

fn conventions(d: &Difference) -> Option<String> {
    let n = d.conventions();
    let alone = n == 0 && d.counted_otherwise() && !d.equal();
    match n {
        0 => alone.then(|| "what one side alone lists are statistics and counters".into()),
        n => Some(format!("{n:+} of the difference are counting conventions")),
    }
}

fn attributes(s: &Settings) -> Option<String> {
    (s.compared > 0).then(|| match s.differing.len() {
        0 => format!("{} attributes alike", s.compared),
        n => format!("{n} of {} attributes differ", s.compared),
    })
}

fn values(v: &Values) -> String {
    let keeps = match (v.reference, v.candidate) {
        (true, true) => "",
        (true, false) => ": the candidate keeps none",
        (false, true) => ": the reference keeps none",
        (false, false) => ": neither side keeps any",
    };
    let parts = [
        (v.equal, "equal"),
        (v.layout, "equal in another layout"),
        (v.near, "near"),
        (v.other, "other"),
        (v.alike, "drawn alike"),
        (v.unlike, "drawn by another rule"),
    ];
    let told: Vec<String> = parts
        .iter()
        .filter(|p| p.0 > 0)
        .map(|(n, what)| format!("{n} {what}"))
        .collect();
    match v.compared() {
        0 => format!("values not compared (0 of {} tensors){keeps}", v.pairs),
        n => format!(
            "values of {n} of {} tensors compared: {}",
            v.pairs,
            told.join(", ")
        ),
    }
}

fn sides(d: &Difference, names: (&str, &str)) -> String {
    let (a, b) = &d.constants;
    let constants = match (a.tensors, b.tensors) {
        (0, 0) => String::new(),
        _ => format!(
            "  constants   reference {} tensors ({} elements), candidate {} ({}): no weights, not counted, not compared\n",
            a.tensors, a.elements, b.tensors, b.elements
        ),
    };
    let left_out = ["reference", "candidate"].into_iter().zip(&d.left_out);
    let left_out = left_out.filter(|(_, all)| !all.is_empty());
    let left_out = left_out.map(|(side, all)| {
        let told = all.iter().take(LEFT_OUT).cloned().collect::<Vec<_>>();
        let more = match all.len() - told.len() {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let told = printable(&told.join("; "));
        format!("  not read    of the {side}: {told}{more}\n")
    });
    format!(
        "  reference   {}\n  candidate   {}\n{constants}{}",
        printable(names.0),
        printable(names.1),
        left_out.collect::<String>()
    )
}

fn counts(d: &Decomposition, shown: usize) -> String {
    let what = match d.count() {
        Count::Parameters => "parameters",
        Count::Trainable => "trainable",
    };
    let causes: Vec<_> = d.by_cause().iter().map(row).chain([total(d)]).collect();
    let header = [what, "tensors", "reference", "candidate", "difference"];
    let mut out = format!("\n{}", table(&header, &causes));
    let lines = lines(d);
    if lines.is_empty() {
        return out;
    }
    let rows: Vec<_> = lines.iter().take(shown).map(place).collect();
    let header = [
        "module",
        "cause",
        "tensors",
        "reference",
        "candidate",
        "difference",
    ];
    out += &format!("\n{}", table(&header, &rows));
    let left: i64 = lines.iter().skip(shown).map(Line::difference).sum();
    if lines.len() > shown {
        let more = lines.len() - shown;
        out += &format!("... and {more} more modules with {left:+} (--all shows them)\n");
    }
    out
}

fn place(line: &Line) -> Vec<String> {
    let times = match (line.places, line.each) {
        (1, _) => String::new(),
        (n, Some(each)) => format!(": {n} x {each}"),
        (n, None) => format!(": {n} places"),
    };
    vec![
        printable(&line.place) + &times,
        line.cause.say().into(),
        line.tensors.to_string(),
        line.reference.to_string(),
        line.candidate.to_string(),
        format!("{:+}", line.difference()),
    ]
}

fn row(g: &Group) -> Vec<String> {
    vec![
        g.cause.say().into(),
        g.names.len().to_string(),
        g.reference.to_string(),
        g.candidate.to_string(),
        format!("{:+}", g.difference()),
    ]
}

fn total(d: &Decomposition) -> Vec<String> {
    let tensors: usize = d.groups().iter().map(|g| g.names.len()).sum();
    vec![
        "sum".into(),
        tensors.to_string(),
        d.reference().to_string(),
        d.candidate().to_string(),
        format!("{:+}", d.difference()),
    ]
}

/// What is to be known where only one side has norms: their statistics may be in the other's weights.
fn folded(d: &Difference) -> String {
    let only = |cause: Cause| {
        let groups = d
            .parameters
            .groups()
            .iter()
            .filter(move |g| g.cause == cause);
        groups.flat_map(|g| &g.names)
    };
    let norms = |cause| only(cause).filter(|n| names::is_statistic(n)).count();
    let (ours, theirs) = (norms(Cause::OnlyReference), norms(Cause::OnlyCandidate));
    match (ours, theirs) {
        (0, 0) => String::new(),
        (n, 0) | (0, n) => format!(
            "note: {n} running statistics are on one side only; where norms were folded into the weights in front of them, those are other numbers and not comparable here\n"
        ),
        _ => String::new(),
    }
}

/// Attributes that decide numbers and differ.
fn settings(s: &Settings, shown: usize) -> String {
    if s.differing.is_empty() {
        return String::new();
    }
    let row = |d: &Setting| {
        let at = pair(&d.reference, &d.candidate);
        let (a, b) = (printable(&d.values.0), printable(&d.values.1));
        vec![at, d.attribute.clone(), a, b]
    };
    let rows: Vec<_> = s.differing.iter().take(shown).map(row).collect();
    let title = format!("{} of {} attributes differ", s.differing.len(), s.compared);
    let header = [&title, "attribute", "reference", "candidate"];
    format!("\n{}", table(&header, &rows)) + &rest(s.differing.len(), shown, "attributes")
}

/// The values that differ, other ones before near ones, the farthest first.
fn differing(all: &[Differing], shown: usize) -> String {
    if all.is_empty() {
        return String::new();
    }
    let far = |d: &Differing| match &d.relation {
        Relation::Other(d) if d.relative.is_nan() => f64::INFINITY,
        Relation::Other(d) => d.relative,
        Relation::NotCompared
        | Relation::Equal
        | Relation::Layout(_)
        | Relation::Near { .. }
        | Relation::Drawn(_) => -1.0,
    };
    let mut sorted: Vec<&Differing> = all.iter().collect();
    sorted.sort_by(|a, b| far(b).total_cmp(&far(a)));
    let rows: Vec<_> = sorted
        .iter()
        .take(shown)
        .map(|d| vec![pair(&d.reference, &d.candidate), relation(&d.relation)])
        .collect();
    let title = format!("{} values differ", all.len());
    format!("\n{}", table(&[&title, "how"], &rows)) + &rest(sorted.len(), shown, "values")
}

fn relation(relation: &Relation) -> String {
    match relation {
        Relation::NotCompared => "not compared".into(),
        Relation::Equal => "equal".into(),
        Relation::Layout(layout) => layout.say(),
        Relation::Near { by, layout } => match layout {
            None => by.say(),
            Some(layout) => format!("{}, {}", by.say(), layout.say()),
        },
        Relation::Other(d) => distance(d),
        Relation::Drawn(drawn) => drawn.say(),
    }
}

fn distance(d: &Distance) -> String {
    if d.at.is_empty() && d.largest.is_nan() {
        return "no order of axes makes one shape the other".into();
    }
    format!(
        "{} of {} elements, relative L2 {}, max |d| {} at {:?}",
        d.differing,
        d.elements,
        number(d.relative),
        number(d.largest),
        d.at
    )
}

fn pair(a: &str, b: &str) -> String {
    match a == b {
        true => printable(a),
        false => format!("{} = {}", printable(a), printable(b)),
    }
}

/// Names that stand for each other's values.
fn exchanged(renamed: &[(String, String, How)], shown: usize) -> String {
    let found = || renamed.iter().filter(|r| r.2 == How::Exchanged);
    let rows: Vec<_> = found()
        .take(shown)
        .map(|(a, b, _)| vec![printable(a), printable(b)])
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let header = [
        "the value of the reference's",
        "is the candidate's, though it has that name too",
    ];
    format!("\n{}", table(&header, &rows))
        + &rest(found().count(), shown, "pairs")
        + "next: where the candidate means it so, declare it: --rename REFERENCE=CANDIDATE\n"
}

fn renamed(renamed: &[(String, String, How)], shown: usize) -> String {
    let all = renamings(renamed);
    if all.is_empty() {
        return String::new();
    }
    let how = |r: &Renaming| -> String {
        let parts = r.how.iter().map(|(how, n)| format!("{n} by {}", how.say()));
        parts.collect::<Vec<_>>().join(", ")
    };
    let rows: Vec<_> = all
        .iter()
        .take(shown)
        .map(|(said, r)| vec![printable(said), r.pairs.to_string(), how(r)])
        .collect();
    let pairs: usize = all.iter().map(|(_, r)| r.pairs).sum();
    let title = format!("{pairs} pairs of other names");
    format!("\n{}", table(&[&title, "pairs", "paired by"], &rows))
        + &rest(all.len(), shown, "renamings")
}

fn rest(all: usize, shown: usize, what: &str) -> String {
    if all > shown {
        format!("... and {} more {what} (--all shows them)\n", all - shown)
    } else {
        String::new()
    }
}

//! fuzz: what a fuzzed kernel or model came to, finds first, then the accounts.

use crate::error::printable;
use crate::fuzz::End;
use crate::fuzz::kernel::wrong_number::WrongNumber as OfKernel;
use crate::fuzz::kernel::{self, Candidate};
use crate::fuzz::loss;
use crate::fuzz::loss::plan::Plan;
use crate::fuzz::model;
use crate::fuzz::model::draw::Values;
use crate::fuzz::tally::{Cases, Find, Kind, Tally, Wrong};
use crate::scenario::domain;
use crate::subject::kernels::Kernel;
use crate::subject::kernels::draw::domains::Slot;
use crate::tensor::Tensor;
use crate::text::{reasons, table};

/// Numbers of one input that are shown.
const SHOWN: usize = 24;

/// What the report of a kernel and that of a model say each in their own way.
struct Words<'a, F, P> {
    /// Who was fuzzed, and what was counted.
    who: String,
    accounts: String,
    /// The lines of a find before where it is kept, of a kind, and between the kinds and the end.
    find: &'a dyn Fn(&Find<F, P>) -> Vec<String>,
    kind: &'a dyn Fn(&str, &Kind) -> String,
    rest: String,
    /// Whether enough was compared for an agreement.
    covers: bool,
}

/// The report of one kernel.
pub fn fuzz_kernel(kernel: &Kernel, candidate: &Candidate, tally: &kernel::Tally) -> String {
    let all = &tally.all;
    let beyond = match all.beyond {
        0 => String::new(),
        n => format!(", {n} numbers beyond f32"),
    };
    let of = |(edge, of): (&&str, &Cases)| format!("{edge} {}", of.drawn);
    let edges: Vec<String> = tally.edges.iter().map(of).collect();
    let edges = match edges.is_empty() {
        true => "none".into(),
        false => edges.join(", "),
    };
    let refused = tally.refused.iter();
    let refused =
        refused.map(|(reason, n)| line(&format!("refused by the reference {n} times: {reason}")));
    let who = match candidate.is_default() {
        true => kernel.name.to_string(),
        false => format!("{}, {candidate}", kernel.name),
    };
    told(
        tally,
        Words {
            who,
            accounts: format!(
                "{} of {} cases compared, {} numbers, {} tie flips, {} rows on a kink, {} relations{beyond}",
                tally.compared, tally.drawn, all.compared, all.flips, all.kinks, all.relations
            ),
            find: &|find| {
                let (size, of) = find.shrunk.size();
                vec![format!(
                    "case {}, shrunk to {size} {of}: {}",
                    find.case,
                    find.wrong.finding().what
                )]
            },
            kind: &|kind, of| format!("{} cases: {kind}", of.cases),
            rest: format!("  edges: {edges}\n") + &refused.collect::<String>(),
            covers: tally.covers(),
        },
    )
}

/// The report of two forms of a loss.
pub fn fuzz_loss(plan: &Plan, tally: &loss::Tally) -> String {
    let all = &tally.all;
    let beyond = match all.beyond {
        0 => String::new(),
        n => format!(", {n} beyond f32"),
    };
    let of = |(edge, of): (&&str, &Cases)| format!("{edge} {}", of.drawn);
    let edges: Vec<String> = tally.edges.iter().map(of).collect();
    let refused = tally.refused.iter();
    let refused = refused.map(|(why, n)| format!("{n} cases not compared: {why}"));
    let notes = plan.notes.iter().cloned().chain(refused);
    let notes: String = notes
        .chain(next(plan, tally))
        .map(|text| line(&text))
        .collect();
    told(
        tally,
        Words {
            who: printable(&plan.names()),
            accounts: format!(
                "{} of {} cases compared, {} numbers, {} outside what either computes, {} on a kink{beyond}",
                tally.compared, tally.drawn, all.compared, all.outside, all.kinks
            ),
            find: &|find| {
                let edges: Vec<&str> = find.shrunk.edges.iter().copied().collect();
                let edges = match edges.is_empty() {
                    true => "on no edge".into(),
                    false => edges.join(", "),
                };
                vec![format!(
                    "case {}, shrunk ({edges}): {}",
                    find.case,
                    find.wrong.finding().what
                )]
            },
            kind: &|kind, of| format!("{} cases: {kind}", of.cases),
            rest: slots(plan) + &line(&format!("edges: {}", edges.join(", "))) + &notes,
            covers: loss::is_covered(tally),
        },
    )
}

/// What was drawn for each input.
fn slots(plan: &Plan) -> String {
    let row = |slot: &Slot| {
        let by = match plan.guessed.contains(&slot.name) {
            true => "guessed from the dtype",
            false => "declared",
        };
        vec![
            printable(&slot.name),
            slot.dtype.to_string(),
            domain::shape(&slot.axes),
            slot.values.to_string(),
            by.into(),
        ]
    };
    let rows: Vec<_> = plan.slots.iter().map(row).collect();
    table(&["input", "dtype", "shape", "domain", ""], &rows)
}

/// What to do about what was found, or about what was not compared.
fn next(plan: &Plan, tally: &loss::Tally) -> Vec<String> {
    let mut next = vec![];
    if tally
        .finds
        .iter()
        .any(|f| f.wrong.number.what.starts_with("gradient"))
    {
        next.push("next: values agree where a gradient differs: look for detach() on one side (ONNX keeps none: parity::StopGradient marks it), and for limits and choices with another slope".into());
    }
    let (judged, all) = loss::judged(&tally.all);
    if judged < all {
        let names = plan.guessed.iter();
        let names: Vec<String> = names
            .map(|name| format!("--domain {name}=DOMAIN"))
            .collect();
        let declare = match names.is_empty() {
            true => String::new(),
            false => format!("; next: declare what the inputs hold: {}", names.join(" ")),
        };
        let share = 100.0 * (all - judged) as f64 / all as f64;
        next.push(format!(
            "{share:.1} % of the numbers were not compared{declare}"
        ));
    }
    next
}

/// What a replayed case of a loss came to.
pub fn replay_loss(name: &str, plan: &Plan, judged: &loss::wrong::Judged) -> String {
    let (name, names) = (printable(name), printable(&plan.names()));
    match (&judged.wrong, judged.compared) {
        (Some(wrong), _) => format!(
            "DIVERGE: {name} of {names}: {}\n",
            printable(&wrong.finding().what)
        ),
        (None, 0) => format!("NOTHING COMPARED: {name} of {names}\n"),
        (None, n) => format!("agree: {name} of {names}: {n} numbers\n"),
    }
}

/// The report of one scenario.
pub fn fuzz_model(name: &str, tally: &model::Tally) -> String {
    let refused = tally.refused.iter();
    let refused = refused.map(|(reason, n)| format!("{n} cases not compared: {reason}"));
    let abstained = tally.all.abstained.iter().map(|(r, n)| (r, *n as u64));
    let abstained = reasons(abstained, |n, why| {
        format!("{n} tensors not compared: {why}")
    });
    let rest: String = refused.chain(abstained).map(|text| line(&text)).collect();
    told(
        tally,
        Words {
            who: printable(name),
            accounts: format!(
                "{} of {} cases compared, {} tensors, {} tie flips",
                tally.compared, tally.drawn, tally.all.compared, tally.all.flips
            ),
            find: &|find| {
                let drawn: Vec<&str> = find.shrunk.edges.iter().copied().collect();
                let part = match &find.part {
                    Ok(part) => format!(
                        "shrunk to {} of {} nodes: {}",
                        part.nodes.len(),
                        part.of,
                        part.nodes.join(", ")
                    ),
                    Err(why) => format!("no smaller part of the model: {why}"),
                };
                let drawn = drawn.join(", ");
                vec![
                    format!(
                        "case {} ({drawn}): {}",
                        find.case,
                        find.wrong.finding().what
                    ),
                    part,
                ]
            },
            kind: &|kind, of| {
                let of = of.of.iter().map(|(name, n)| format!("{name} {n}"));
                format!("{kind}: cases {}", of.collect::<Vec<_>>().join(", "))
            },
            rest: distributions(tally) + &rest,
            covers: tally.covers(),
        },
    )
}

/// Verdict, finds, kinds, accounts, end.
fn told<F: Wrong, P>(tally: &Tally<F, P>, words: Words<F, P>) -> String {
    let mut out = headline(tally, &words) + "\n";
    for known in &tally.known {
        let path = known.path.display().to_string();
        let came = match &known.came {
            Ok(Some(wrong)) => format!("still there: {}", wrong.finding().what),
            Ok(None) => "mended".into(),
            Err(why) => format!("could not be tried: {why}"),
        };
        out += &line(&format!("known {path}: {came}"));
    }
    for find in &tally.finds {
        out.extend((words.find)(find).iter().map(|text| line(text)));
        out += &kept(find);
    }
    for (kind, of) in &tally.kinds {
        out += &line(&(words.kind)(kind, of));
    }
    out + &words.rest + &line(&ended(tally.end, tally.drawn, tally.asked))
}

/// An indented line, free of what a terminal would obey.
fn line(text: &str) -> String {
    format!("  {}\n", printable(text))
}

fn headline<F: Wrong, P>(tally: &Tally<F, P>, words: &Words<F, P>) -> String {
    let Words { who, accounts, .. } = words;
    match (tally.first, tally.diverges()) {
        (Some(n), _) => format!("DIVERGE: {who} after {n} cases ({accounts})"),
        (None, true) => format!("DIVERGE: {who} on a known find ({accounts})"),
        (None, false) => {
            let passed = match tally.covers() && !words.covers {
                true => "TOO LITTLE COMPARED",
                false => passed(tally.end, tally.compared, tally.covers()),
            };
            format!("{passed}: {who} ({accounts})")
        }
    }
}

/// Where a find is kept, and its inputs.
fn kept<F, P>(find: &Find<F, P>) -> String {
    let kept = match &find.kept {
        Some(path) => format!("kept: {}", path.display()),
        None => "not kept: --found FOLDER keeps it as a scenario that parity run replays".into(),
    };
    let row =
        |(n, t): (&String, &Tensor)| vec![printable(n), format!("{:?}", t.shape()), numbers(t)];
    let rows: Vec<_> = find.shrunk.inputs.iter().map(row).collect();
    line(&kept) + &table(&["input", "shape", "values"], &rows)
}

/// What ended a run, and how far it had come.
fn ended(end: End, drawn: u64, asked: u64) -> String {
    // Without --cases there are more numbers than any run draws.
    let of = if asked > u64::MAX >> 16 {
        String::new()
    } else {
        format!(" of {asked}")
    };
    let by = match end {
        End::Cases => "all cases were drawn",
        End::Time => "out of time (--time)",
        End::Finds => "enough finds (--finds)",
        End::Interrupt => "interrupted",
    };
    format!("ended after {drawn}{of} cases: {by}")
}

/// What a run without a finding came to: agreement only where it was not broken off and nothing is open.
fn passed(end: End, compared: u64, covers: bool) -> &'static str {
    match (end, compared, covers) {
        (_, 0, _) => "NOTHING COMPARED",
        (_, _, false) => "A KNOWN FIND COULD NOT BE TRIED",
        (End::Interrupt, _, true) => "INTERRUPTED, nothing found so far",
        (End::Cases | End::Time | End::Finds, _, true) => "agree",
    }
}

/// What a replayed find came to.
pub fn replay(name: &str, kernel: &str, wrong: Option<&OfKernel>) -> String {
    match wrong {
        Some(wrong) => format!(
            "DIVERGE: {} of kernel {kernel}: {}\n",
            printable(name),
            printable(&wrong.finding().what)
        ),
        None => format!(
            "agree: {} of kernel {kernel}: the subject says what the reference says\n",
            printable(name)
        ),
    }
}

fn numbers(t: &Tensor) -> String {
    let values = t.to_f64();
    let shown: Vec<String> = values.iter().take(SHOWN).map(f64::to_string).collect();
    let rest = values.len().saturating_sub(SHOWN);
    if rest == 0 {
        shown.join(" ")
    } else {
        format!("{} … and {rest} more", shown.join(" "))
    }
}

/// How many cases of each distribution there were, and what they came to.
fn distributions(tally: &model::Tally) -> String {
    let row = |(_, name, _): &(Values, &'static str, &str)| {
        let c = tally.edges.get(name)?;
        Some(
            [
                name.to_string(),
                c.drawn.to_string(),
                c.compared.to_string(),
                c.special.to_string(),
                c.off.to_string(),
            ]
            .to_vec(),
        )
    };
    let rows: Vec<_> = Values::ALL.iter().filter_map(row).collect();
    if rows.is_empty() {
        String::new()
    } else {
        table(
            &[
                "distribution",
                "cases",
                "compared",
                "with NaN or inf",
                "off",
            ],
            &rows,
        )
    }
}

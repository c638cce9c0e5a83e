//! bless: `parity bless`: proposes a golden from recorded traces and shows what it changes; accepts or rejects it afterwards.

use super::{args, say};
use crate::digest;
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::golden::difference::{self, Difference};
use crate::golden::record::{self, Rule};
use crate::golden::sketch::Settings;
use crate::golden::{Facts, Golden, Model, propose, store};
use crate::report;
use crate::trace::file;
use std::collections::BTreeMap;
use std::path::Path;
use wildmatch::WildMatch;

pub fn command(args: &args::Bless) -> Result<Exit> {
    let folder = &args.golden;
    propose::beside(folder)?;
    if args.traces.is_empty() && !args.accept && !args.reject {
        return show(args);
    }
    by_hand_only()?;
    if args.reject {
        propose::reject(folder)?;
        let text = format!("rejected: golden {} stays as it is\n", folder.display());
        return done(args, "rejected", &text);
    }
    if args.accept {
        return accept(args);
    }
    let present = present(folder)?;
    let golden = golden(args, present.as_ref())?;
    // Shown before it is written: what waits to be accepted has been seen.
    let difference = difference::between(present.as_ref(), &golden)?;
    shown(args, "proposed", &difference)?;
    propose::propose(folder, &golden)?;
    if args.json {
        return Ok(Exit::Agree);
    }
    let name = folder.display();
    let text = format!(
        "\nproposed: parity bless --golden {name} --accept makes it the golden, --reject drops it\n"
    );
    done(args, "proposed", &text)
}

/// Continuous integration compares with goldens, and never changes one.
fn by_hand_only() -> Result<()> {
    match std::env::var("CI") {
        Ok(ci) if !ci.is_empty() && ci != "false" && ci != "0" => Err(Error::usage(format!(
            "CI={ci}: goldens are blessed by hand, nothing was written"
        ))
        .next("run parity bless on your own machine and commit the golden")),
        _ => Ok(()),
    }
}

fn present(folder: &Path) -> Result<Option<Golden>> {
    store::manifest_digest(folder)?
        .map(|_| store::open(folder))
        .transpose()
}

fn show(args: &args::Bless) -> Result<Exit> {
    let folder = &args.golden;
    let Some(pending) = propose::pending(folder)? else {
        let next = format!(
            "parity bless TRACE --golden {} --scenario NAME proposes one",
            folder.display()
        );
        return Err(
            Error::usage(format!("golden {}: no proposal waits", folder.display())).next(next),
        );
    };
    belongs(args, &pending.golden)?;
    let difference = difference::between(present(folder)?.as_ref(), &pending.golden)?;
    shown(args, "waits", &difference)?;
    Ok(Exit::Agree)
}

/// What a proposal changes.
fn shown(args: &args::Bless, state: &str, difference: &Difference) -> Result<()> {
    let name = args.golden.display().to_string();
    if !args.json {
        return say(&report::golden(difference, &name, args.all));
    }
    let row = |row: &difference::Row| serde_json::json!({ "name": row.name, "dtype": row.dtype, "shape": row.shape, "is": row.status.name() });
    let facts = difference.facts.iter();
    let facts = facts.map(|(which, before, after)| {
        serde_json::json!({ "which": which, "before": before, "after": after })
    });
    let says = serde_json::json!({
        "golden": name, "state": state, "facts": facts.collect::<Vec<_>>(),
        "tensors": difference.rows.iter().map(row).collect::<Vec<_>>(),
    });
    say(&report::to_json(&says)?)
}

fn accept(args: &args::Bless) -> Result<Exit> {
    if let Some(pending) = propose::pending(&args.golden)? {
        belongs(args, &pending.golden)?;
    }
    let golden = propose::accept(&args.golden)?;
    let text = format!(
        "accepted: golden {} holds {} tensors of scenario '{}'\n",
        args.golden.display(),
        golden.tensors.len(),
        golden.facts.scenario
    );
    done(args, "accepted", &text)
}

fn done(args: &args::Bless, state: &str, text: &str) -> Result<Exit> {
    if args.json {
        let says = serde_json::json!({ "golden": args.golden, "state": state });
        return say(&report::to_json(&says)?).map(|()| Exit::Agree);
    }
    let lines: String = text
        .split_inclusive('\n')
        .map(|l| crate::error::printable(l.trim_end_matches('\n')) + "\n")
        .collect();
    say(&lines).map(|()| Exit::Agree)
}

fn belongs(args: &args::Bless, golden: &Golden) -> Result<()> {
    args.scenario.as_ref().map_or(Ok(()), |scenario| {
        store::belongs(golden, &args.golden, scenario)
    })
}

/// The golden of the traces on the command line.
fn golden(args: &args::Bless, present: Option<&Golden>) -> Result<Golden> {
    let scenario = args.scenario.clone().filter(|s| !s.trim().is_empty());
    let scenario = scenario.ok_or_else(|| {
        Error::usage("--scenario NAME is missing").next("a golden belongs to one scenario: name it")
    })?;
    if let Some(present) = present {
        store::belongs(present, &args.golden, &scenario)?;
    }
    let facts = Facts {
        scenario,
        command: args.command.clone().unwrap_or_default(),
        versions: versions(&args.framework)?,
        threads: args.threads,
        seed: args.seed,
        model: model(args)?,
        ..Default::default()
    };
    let traces = args
        .traces
        .iter()
        .map(|path| Ok((path.display().to_string(), file::open(path)?)))
        .collect::<Result<Vec<_>>>()?;
    // Another sketch of the same tensor could not be held against the present one.
    let settings = present.map_or(Settings::default(), |g| g.settings);
    record::golden(
        &traces,
        facts,
        &Rule {
            full: args.full,
            whole: args.whole.iter().map(|p| WildMatch::new(p)).collect(),
            settings,
        },
    )
}

fn versions(stated: &[String]) -> Result<BTreeMap<String, String>> {
    let mut versions = BTreeMap::new();
    for text in stated {
        let (name, version) = text
            .split_once('=')
            .ok_or_else(|| Error::usage(format!("--framework {text}: expected NAME=VERSION")))?;
        if versions
            .insert(name.to_string(), version.to_string())
            .is_some()
        {
            return Err(Error::usage(format!(
                "--framework {text}: '{name}' is stated twice"
            )));
        }
    }
    Ok(versions)
}

fn model(args: &args::Bless) -> Result<Option<Model>> {
    let Some(path) = &args.model else {
        return Ok(args.weights.clone().map(Model::Weights));
    };
    let bytes =
        std::fs::read(path).map_err(|e| Error::usage(format!("model {}: {e}", path.display())))?;
    Ok(Some(Model::Sha256(digest::of_bytes(&bytes))))
}

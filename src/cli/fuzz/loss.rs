//! loss: `parity fuzz A B`: two forms of a user's own loss against each other, on inputs of declared domains.

use super::{as_json, fuzzed, say_json, verdict};
use crate::cli::{applies, args, engine, interrupt, say};
use crate::error::{Error, Place, Result};
use crate::exit::Exit;
use crate::fuzz::loss::plan::Plan;
use crate::fuzz::loss::saved::{self as finds, Folder};
use crate::fuzz::loss::{Fuzzed, is_covered};
use crate::fuzz::{End, Target, saved};
use crate::report;
use crate::scenario::{Domain, Loss, Scenario, load};
use crate::subject::Engines;
use crate::tensor::DType;
use std::path::{Path, PathBuf};

pub fn command(args: &args::Fuzz, mut scenario: Scenario, engines: Engines) -> Result<Exit> {
    let options = [
        ("--input", !args.input.is_empty()),
        ("--fault", args.fault.is_some()),
        ("--forms", args.forms.is_some()),
    ];
    let belongs = "inputs of a loss are drawn: --domain NAME=DOMAIN says from what";
    applies::not_to("two forms of a loss", &options, belongs)?;
    args.live.put(&mut scenario)?;
    let loss = stated(args, scenario.loss.unwrap_or_default())?;
    if engines.torch.is_none() {
        return engine::hand_over();
    }
    interrupt::listen()?;
    let plan = Plan::of(&loss, &scenario.port.unwrap_or_default(), engines)?;
    let name = name(&loss);
    // Nobody's own loss is kept unasked.
    let folder = args.found.clone().map(|path| Folder {
        folder: saved::Folder {
            path,
            name: name.clone(),
        },
        plan: &plan,
        seed: args.seed,
    });
    let target = Fuzzed {
        plan: &plan,
        engines,
    };
    let known = folder.as_ref().map_or(Ok(vec![]), Folder::known)?;
    let keep = |find: &_| folder.as_ref().map(|f| f.keep(find)).transpose();
    let tally = fuzzed(&name, &target, known, &keep, args)?;
    let came = verdict(tally.diverges(), is_covered(&tally));
    match args.json {
        true => say_json(&[as_json(&name, &tally, args, came)])?,
        false => say(&report::fuzz_loss(&plan, &tally))?,
    }
    Ok(match tally.end {
        End::Interrupt => came.or_worse(Exit::Interrupted),
        End::Cases | End::Time | End::Finds => came,
    })
}

/// The loss that two files are.
///
/// # Errors
/// Never: any two files can be stated.
pub fn of(reference: &Path, candidate: &Path) -> Result<Scenario> {
    finds::of(Loss {
        reference: reference.into(),
        candidate: candidate.into(),
        ..Loss::default()
    })
}

/// What the command line says beside the loss: a domain that it states anew is the one.
fn stated(args: &args::Fuzz, mut loss: Loss) -> Result<Loss> {
    match args.candidate.as_deref() {
        None => {}
        Some("libtorch") => loss.dtype = None,
        Some("libtorch-f32") => loss.dtype = Some(DType::F32),
        Some(other) => {
            return Err(Error::usage(format!(
                "--candidate {other}: a form of a loss runs in libtorch"
            ))
            .next("libtorch (in f64, where nobody is named) or libtorch-f32"));
        }
    }
    let mut said: Vec<&str> = vec![];
    for text in &args.domain {
        let wrong = || Error::usage(format!("--domain {text}: expected NAME=DOMAIN"));
        let (name, domain) = text.split_once('=').ok_or_else(wrong)?;
        if said.contains(&name) {
            return Err(Error::usage(format!("--domain: '{name}' is stated twice")));
        }
        said.push(name);
        let domain: Domain = domain.parse().at(format!("--domain {text}"))?;
        loss.domains.insert(name.into(), domain);
    }
    Ok(loss)
}

/// What finds of a pair are called.
fn name(loss: &Loss) -> String {
    let stem = |path: &PathBuf| path.file_stem().map(|s| s.to_string_lossy().into_owned());
    let stems = [&loss.reference, &loss.candidate].map(|p| stem(p).unwrap_or_default());
    stems.join("-")
}

/// Replays a find: the inputs that the scenario states.
pub fn replay(scenario: &Scenario, loss: &Loss, engines: Engines) -> Result<Exit> {
    if scenario.inputs.is_empty() {
        return Err(Error::usage("a loss without inputs is nothing to replay")
            .next("parity fuzz FILE draws cases for it"));
    }
    load::present(scenario)?;
    let live = scenario.port.clone().unwrap_or_default();
    let plan = Plan::of(loss, &live, engines)?;
    let case = saved::case(scenario, &plan.as_graph())?;
    let target = Fuzzed {
        plan: &plan,
        engines,
    };
    let mut pair = target.open()?;
    let judged = pair.judged(&case);
    if let Some(e) = pair.broken() {
        return Err(e);
    }
    let judged =
        judged.map_err(|e| Error::usage(format!("the reference refuses the inputs: {e}")))?;
    let name = scenario.name.as_deref().unwrap_or("find");
    say(&report::replay_loss(name, &plan, &judged))?;
    Ok(verdict(judged.wrong.is_some(), judged.compared > 0))
}

//! params: `parity params`: the parameters of two sides: why their counts differ, element by element, and whose values do; needs no engine.

use super::{answer, args};
use crate::error::{Error, Result};
use crate::exit::Exit;
use crate::input::parameters;
use crate::params::{Difference, Rename, Source, decompose};
use crate::report;

pub fn command(args: &args::Params) -> Result<Exit> {
    let renames = args
        .rename
        .iter()
        .map(|r| Rename::parse(r))
        .collect::<Result<Vec<_>>>()?;
    let (reference, candidate) = (
        parameters::source(&args.reference)?,
        parameters::source(&args.candidate)?,
    );
    if reference.list.is_empty() && candidate.list.is_empty() {
        return Err(Error::uncovered(
            "neither side has a parameter: nothing was compared",
        ));
    }
    let difference = match args.fresh {
        true => fresh(&reference, &candidate, &renames)?,
        false => decompose::between(&reference, &candidate, &renames)?,
    };
    let names = (
        args.reference.display().to_string(),
        args.candidate.display().to_string(),
    );
    answer(
        args.json,
        &if args.json {
            report::to_json(&difference)?
        } else {
            report::params(&difference, (&names.0, &names.1), args.all)
        },
    )?;
    Ok(if difference.equal() {
        Exit::Agree
    } else {
        Exit::Diverge
    })
}

fn fresh(reference: &Source, candidate: &Source, renames: &[Rename]) -> Result<Difference> {
    if !reference.has_values() || !candidate.has_values() {
        return Err(Error::usage(
            "--fresh: a side keeps no values, and a rule is seen in values only",
        )
        .next("name a model, a checkpoint, or a trace that holds the values of its parameters"));
    }
    decompose::fresh(reference, candidate, renames)
}

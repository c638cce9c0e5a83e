//! stage: what diverges in a stage without a node that is at fault for it alone, and the modules whose parameters differ.

use super::super::Run;
use super::why;
use crate::scenario::Stage;
use crate::verdict::{Finding, StageVerdict};

/// Two graphs of one function, of which the candidate's keeps fewer digits.
pub fn digits(stage: &StageVerdict) -> Finding {
    let place = stage.first.as_deref().unwrap_or("?");
    let what = format!("at '{place}': {}", stage.says.join("; "));
    let next = "look for a difference of large numbers, such as E[x²] − E[x]², or a sum that one side centres first";
    Finding::new("digits", place, what).next([next.into()])
}

pub fn of(stage: &StageVerdict) -> Finding {
    let term = stage.term.as_ref();
    let term = term.map_or(String::new(), |t| format!(", term '{t}'"));
    let place = stage.first.as_deref().unwrap_or("?");
    let what = format!("in stage {}{term}: first '{place}'", stage.stage.name());
    let next = match stage.stage {
        Stage::Preprocess => {
            "compare what each does with the file: scale (1/255), mean and std, order of channels, resizing and its corners, padding"
        }
        Stage::Postprocess => {
            "compare what each does with the outputs: activation, decoding, thresholds, how many are kept"
        }
        Stage::Assign => {
            "compare the rule named above: top-k, threshold, inside test, or which ground truth wins"
        }
        Stage::Loss => "compare weight, normaliser and reduction of this term",
        Stage::Grad => {
            "look for a detach, an in-place change or a non-differentiable operator between this term and the tensor"
        }
        Stage::Train => {
            "compare what both do in this step with this tensor: the rule of the optimiser, its groups, clipping, schedule, averages, statistics"
        }
        Stage::Params => {
            "parity params REFERENCE CANDIDATE takes the difference apart, module by module"
        }
        Stage::Inputs | Stage::Activations => {
            "look at the module of this tensor in the program that the golden was recorded from"
        }
    };
    let why = stage.why.as_ref();
    let found = Finding::new(stage.stage.name(), place, what)
        .facts(stage.says.iter().cloned())
        .facts(why.into_iter().flat_map(why::facts))
        .next([why.and_then(why::next).unwrap_or_else(|| next.into())]);
    match why {
        Some(why) => why::numbers(why, found),
        None => found,
    }
}

/// The modules whose parameters differ, behind the first, which the stage tells.
pub fn parameters(run: &Run) -> Vec<Finding> {
    let lists = run.stages.params.iter();
    let groups = lists.flat_map(|d| d.parameters.groups());
    let wrong = groups.filter(|g| g.differs());
    let says = |g: &crate::params::Group| {
        let what = format!(
            "module '{}': {} ({:+})",
            g.module,
            g.cause.say(),
            g.difference()
        );
        Finding::new("params", &*g.module, what).number("difference", g.difference() as f64)
    };
    wrong.skip(1).map(says).collect()
}

//! report: views of a Run, one file and one row each; and of what fuzzing, a golden or a count of parameters came to.

#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

mod audit;
mod fuzz;
mod golden;
mod html;
mod json;
mod markdown;
mod params;
mod stages;
mod svg;
mod terminal;

pub use audit::{audit, audit_view, changes, preflight};
pub use fuzz::{fuzz_kernel, fuzz_loss, fuzz_model, replay, replay_loss};
pub use golden::golden;
pub use json::to_json;
pub use params::params;
pub use terminal::{phases, verdict};

use crate::error::{Error, Result, hint};
use crate::run::Run;

/// One view of a Run: it tells what the Run holds, and finds nothing of its own.
pub struct Format {
    pub name: &'static str,
    /// For whom, for `parity list reports`.
    pub what: &'static str,
    pub write: fn(&Run) -> Result<String>,
}

/// Every view.
pub const ALL: &[Format] = &[terminal::FORMAT, terminal::TENSORS, json::FORMAT];

/// Looks a view up.
///
/// # Errors
/// A name that no view has.
pub fn find(name: &str) -> Result<&'static Format> {
    let known = || ALL.iter().map(|f| f.name);
    ALL.iter().find(|f| f.name == name).ok_or_else(|| {
        let all = known().collect::<Vec<_>>().join(", ");
        Error::usage(format!("unknown report '{name}'"))
            .next(format!("{}known: {all}", hint(name, known())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::sample;

    /// A changed view is proposed beside the old one and accepted by hand: `INSTA_UPDATE=always cargo test --lib report::`.
    #[test]
    fn every_view_of_the_run_in_which_there_is_something_of_every_kind_is_as_it_was_accepted() {
        for format in ALL {
            let written = (format.write)(&sample::diverging()).unwrap();
            insta::assert_snapshot!(format.name, written);
        }
    }

    #[test]
    fn every_view_tells_a_run_that_agrees_from_one_that_does_not() {
        for format in ALL {
            let both = [sample::agreeing(), sample::diverging()].map(|run| (format.write)(&run));
            let [agree, diverge] = both.map(Result::unwrap);
            assert!(!agree.contains("conv1_out"), "{}", format.name);
            assert!(diverge.contains("conv1_out"), "{}", format.name);
        }
    }

    #[test]
    fn a_run_is_read_back_from_its_json_and_one_of_format_1_too() {
        let run = sample::diverging();
        let text = (json::FORMAT.write)(&run).unwrap();
        assert_eq!(serde_json::from_str::<Run>(&text).unwrap(), run);
        let mut old: serde_json::Value = serde_json::from_str(&text).unwrap();
        old["format"] = 1.into();
        old.as_object_mut().unwrap().remove("findings");
        let read: Run = serde_json::from_value(old).unwrap();
        assert!(read.findings.is_empty() && read.tensors == run.tensors);
    }

    #[test]
    fn an_unknown_view_is_refused_with_those_that_there_are() {
        let says = find("jsn").err().unwrap().to_string();
        assert!(
            says.contains("did you mean 'json'") && says.contains("terminal"),
            "{says}"
        );
    }
}

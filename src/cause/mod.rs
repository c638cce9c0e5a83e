//! cause: explanations of a difference that are tested on its numbers before they are said: one file and one row each.
//!
//! They stand below whoever asks: a walk, a stage or the pipeline brings the evidence, and a cause says what it explains, or nothing.

#![cfg_attr(not(test), deny(clippy::wildcard_enum_match_arm))]

pub mod broadcast;
pub mod fault;
pub mod form;
pub mod hypothesis;
pub mod item_order;
pub mod loss;
pub mod lost_context;
pub mod lost_gradient;
pub mod optimiser;
pub mod unused_weight;

use crate::error::Result;
use crate::verdict::{Finding, Rewrite};
use loss::{Beside, Reach, Shape};
use lost_context::Fed;
use optimiser::Off;

/// One explanation.
pub struct Cause {
    pub name: &'static str,
    /// The question that its test answers.
    pub asks: &'static str,
    pub test: Test,
}

/// What a cause is tested on.
pub enum Test {
    Loss(fn(&Beside) -> Vec<Finding>),
    Gradients(fn(&Reach) -> Vec<Finding>),
    Shape(fn(&Shape) -> Option<Finding>),
    /// A session as it is deployed, which differs from the observed one or refuses.
    Deployed(fn(&mut Off) -> Result<Option<Rewrite>>),
    /// Two programs that were fed the same and disagree.
    Inputs(fn(&Fed) -> Result<Option<Finding>>),
}

pub const ALL: &[Cause] = &[
    item_order::CAUSE,
    unused_weight::CAUSE,
    lost_gradient::CAUSE,
    broadcast::CAUSE,
    optimiser::CAUSE,
    lost_context::CAUSE,
];

/// What the causes say whose test `of` gives on evidence of one kind.
fn asked<T>(of: impl Fn(&Test) -> Option<T>) -> impl Iterator<Item = T> {
    ALL.iter().filter_map(move |cause| of(&cause.test))
}

/// What explains this opinion on a loss.
pub fn of_loss(evidence: &Beside) -> Vec<Finding> {
    let tests = asked(|test| match test {
        Test::Loss(test) => Some(*test),
        Test::Gradients(_) | Test::Shape(_) | Test::Deployed(_) | Test::Inputs(_) => None,
    });
    tests.flat_map(|test| test(evidence)).collect()
}

/// What explains the gradients of one term.
pub fn of_gradients(evidence: &Reach) -> Vec<Finding> {
    let tests = asked(|test| match test {
        Test::Gradients(test) => Some(*test),
        Test::Loss(_) | Test::Shape(_) | Test::Deployed(_) | Test::Inputs(_) => None,
    });
    tests.flat_map(|test| test(evidence)).collect()
}

/// What is wrong with the shape of this tensor.
pub fn of_shape(evidence: &Shape) -> Option<Finding> {
    let mut tests = asked(|test| match test {
        Test::Shape(test) => Some(*test),
        Test::Loss(_) | Test::Gradients(_) | Test::Deployed(_) | Test::Inputs(_) => None,
    });
    tests.find_map(|test| test(evidence))
}

/// What in a deployed session makes it differ from the observed one.
///
/// # Errors
/// Whatever the engine refuses that is not what is looked for.
pub fn of_deployed(evidence: &mut Off) -> Result<Option<Rewrite>> {
    let mut tests = asked(|test| match test {
        Test::Deployed(test) => Some(*test),
        Test::Loss(_) | Test::Gradients(_) | Test::Shape(_) | Test::Inputs(_) => None,
    });
    tests
        .find_map(|test| test(evidence).transpose())
        .transpose()
}

/// What one side sees besides its inputs, and the other does not.
///
/// # Errors
/// Whatever a side refuses.
pub fn of_inputs(evidence: &Fed) -> Result<Option<Finding>> {
    let mut tests = asked(|test| match test {
        Test::Inputs(test) => Some(*test),
        Test::Loss(_) | Test::Gradients(_) | Test::Shape(_) | Test::Deployed(_) => None,
    });
    tests
        .find_map(|test| test(evidence).transpose())
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::path::Path;

    #[test]
    fn every_file_of_the_room_that_is_a_cause_has_its_row_and_asks_a_question() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cause");
        let files = std::fs::read_dir(folder)
            .unwrap()
            .map(|f| f.unwrap().path());
        let is_cause = |path: &std::path::PathBuf| {
            path.is_file()
                && std::fs::read_to_string(path)
                    .unwrap()
                    .contains("const CAUSE")
        };
        let stem =
            |path: std::path::PathBuf| path.file_stem().unwrap().to_str().unwrap().to_string();
        let mut written: HashSet<String> = files.filter(is_cause).map(stem).collect();
        written.remove("mod");
        let named: HashSet<String> = ALL.iter().map(|c| c.name.to_string()).collect();
        assert_eq!(written, named);
        assert!(ALL.iter().all(|c| c.asks.ends_with('?')));
    }
}

//! timing: how long does one forward pass take in each subject, with nothing observed?
//!
//! The subjects take turns, so that what disturbs the machine disturbs all of them; the first pass of each is not counted.

use crate::cause::fault;
use crate::error::{Error, Place, Result};
use crate::prepare::prepared::Prepared;
use crate::scenario::{Scenario, Subject};
use crate::subject::{Engines, Feed, Session};
use std::collections::HashSet;
use std::time::Instant;

/// Seconds of each counted pass of one subject.
pub struct Timed {
    pub subject: String,
    pub seconds: Vec<f64>,
}

impl Timed {
    pub fn median(&self) -> f64 {
        let mut sorted = self.seconds.clone();
        sorted.sort_by(f64::total_cmp);
        let (lower, upper) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        (lower + upper) / 2.0
    }
}

/// Times `runs` passes of the reference, the candidate, and libtorch's interpreter where it is neither.
///
/// # Errors
/// A subject that computes nothing (a recorded trace), or whatever an engine refuses.
pub fn run(prepared: &Prepared, runs: usize, engines: Engines) -> Result<Vec<Timed>> {
    let feed = |name: &str| prepared.inputs.get(name).cloned();
    let subjects = subjects(prepared.scenario);
    let opened = subjects
        .iter()
        .map(|s| fault::open(s, &prepared.graph, prepared.threads, engines))
        .collect::<Result<Vec<_>>>();
    let mut all: Vec<Timed> = subjects
        .iter()
        .map(|s| Timed {
            subject: s.kind().to_string(),
            seconds: Vec::with_capacity(runs),
        })
        .collect();
    let mut sessions = opened?;
    for run in 0..=runs {
        for (session, timed) in sessions.iter_mut().zip(&mut all) {
            let start = Instant::now();
            pass(session.as_mut(), &feed).at(timed.subject.as_str())?;
            if run > 0 {
                timed.seconds.push(start.elapsed().as_secs_f64());
            }
        }
    }
    Ok(all)
}

fn pass(session: &mut dyn Session, feed: Feed) -> Result<()> {
    let nothing = || {
        Error::usage("it computes nothing that could be timed")
            .next("name engines as reference and candidate")
    };
    session.forward(feed)?.ok_or_else(nothing).map(drop)
}

/// Who is timed, each once.
fn subjects(scenario: &Scenario) -> Vec<Subject> {
    let mut all = vec![
        scenario.reference.clone(),
        scenario.candidate.clone(),
        Subject::libtorch(),
    ];
    let mut seen = HashSet::new();
    all.retain(|s| seen.insert(s.kind()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_of_passes_lies_between_the_two_in_the_middle() {
        let of = |seconds: &[f64]| {
            Timed {
                subject: String::new(),
                seconds: seconds.to_vec(),
            }
            .median()
        };
        assert_eq!(of(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(of(&[4.0, 1.0, 2.0, 9.0]), 3.0);
    }
}

//! told: what a run and an audit tell alike: a name, a headline, findings with their place in a file, tables. Every view that knows nothing of tensors is of this.

use super::spot::Spot;
use super::{spot, stages, tables};
use crate::audit::{Audited, Table};
use crate::exit::Exit;
use crate::run::Run;
use crate::run::headline::headline;
use crate::verdict::{Finding, Severity};

/// How a severity is said of one finding, and of several.
pub type Words = [(Severity, &'static str, &'static str); 4];

const OF_RUNS: Words = [
    (Severity::Fault, "fault", "faults"),
    (Severity::Unjudged, "not judged", "not judged"),
    (Severity::Warning, "warning", "warnings"),
    (Severity::Note, "note", "notes"),
];

pub const OF_AUDITS: Words = [
    (Severity::Fault, "fault", "faults"),
    (
        Severity::Unjudged,
        "could not be checked",
        "could not be checked",
    ),
    (Severity::Warning, "risk", "risks"),
    (Severity::Note, "found right", "found right"),
];

/// A run, or an audit.
#[derive(Clone, Debug)]
pub struct Told<'a> {
    /// `run` or `audit`.
    pub what: &'static str,
    pub name: String,
    /// What a tired reader reads first, on one line.
    pub headline: String,
    pub exit: Exit,
    /// The most serious first.
    pub findings: &'a [Finding],
    /// Where in the user's files each of them is, as far as that was recorded.
    pub spots: Vec<Option<Spot>>,
    /// What was looked at: the part that something plays, and what it is.
    pub subjects: Vec<(String, String)>,
    /// What is not as the scenario expects.
    pub unmet: &'a [String],
    pub seconds: Option<f64>,
    pub tables: Vec<Table>,
    /// Titles of the curves that only a page shows.
    pub curves: Vec<&'a str>,
    pub words: &'static Words,
}

impl<'a> Told<'a> {
    pub fn of_run(run: &'a Run) -> Self {
        let scenario = run.scenario.as_ref();
        let name = scenario.and_then(|s| s.name.clone());
        let first = headline(run);
        let seconds = run.timings.values().sum::<f64>();
        Self {
            what: "run",
            name: name.unwrap_or_else(|| "compare".into()),
            headline: first.lines().next().unwrap_or_default().into(),
            exit: run.expectation.exit,
            findings: &run.findings,
            spots: run.findings.iter().map(|f| spot::of_run(run, f)).collect(),
            subjects: tables::subjects(run),
            unmet: &run.expectation.unmet,
            seconds: Some(seconds).filter(|s| *s > 0.0),
            tables: stages::tables(run)
                .into_iter()
                .chain(tables::of(run))
                .collect(),
            curves: vec![],
            words: &OF_RUNS,
        }
    }

    pub fn of_audit(audited: &'a Audited) -> Self {
        let found = &audited.findings;
        Self {
            what: "audit",
            name: audited.audit.clone(),
            headline: counts(found, &OF_AUDITS),
            exit: audited.exit(),
            findings: found,
            spots: found.iter().map(|f| spot::of_text(&f.place)).collect(),
            subjects: audited.subjects.clone(),
            unmet: &[],
            seconds: None,
            tables: audited.tables.clone(),
            curves: audited.plots.iter().map(|p| p.title.as_str()).collect(),
            words: &OF_AUDITS,
        }
    }

    /// Each finding with its place.
    pub fn located(&self) -> impl Iterator<Item = (&'a Finding, Option<&Spot>)> {
        self.findings
            .iter()
            .zip(self.spots.iter().map(Option::as_ref))
    }

    /// Whether faults are here because the scenario expects them.
    pub fn as_expected(&self) -> bool {
        self.exit == Exit::Agree
    }

    /// "fault" for one finding of this severity.
    pub fn word(&self, severity: Severity) -> &'static str {
        let mut words = self.words.iter();
        words.find(|w| w.0 == severity).map_or("", |w| w.1)
    }
}

/// "2 faults, 1 risk, 3 found right".
pub fn counts<'a>(
    findings: impl IntoIterator<Item = &'a Finding> + Clone,
    words: &Words,
) -> String {
    let said = words.iter().filter_map(|(severity, one, several)| {
        let all = findings.clone().into_iter();
        let n = all.filter(|f| f.severity == *severity).count();
        let word = if n == 1 { one } else { several };
        (n > 0).then(|| format!("{n} {word}"))
    });
    let said: Vec<String> = said.collect();
    match said.is_empty() {
        true => "nothing was looked at".into(),
        false => said.join(", "),
    }
}

/// All that a finding says, a line for each fact, number and next step.
pub fn lines(found: &Finding) -> Vec<String> {
    let who = found.who.as_ref().map(|w| format!("{w}, "));
    let first = format!("{}{}: {}", who.unwrap_or_default(), found.place, found.what);
    let next = found.next.iter().map(|n| format!("next: {n}"));
    std::iter::once(first)
        .chain(found.facts.iter().cloned())
        .chain(next)
        .collect()
}

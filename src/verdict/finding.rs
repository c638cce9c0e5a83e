//! finding: one thing that a run, an audit or a fuzzer has to say: where, what, with which numbers, what next, and how bad it is.

use crate::compare::json;
use crate::exit::Exit;
use serde::{Deserialize, Serialize};

/// Kinds on which a verdict depends: a weight that does not act is why the total is off, and the stage of the gradients judges those.
pub const UNUSED_WEIGHT: &str = "unused_weight";
pub const LOST_GRADIENT: &str = "lost_gradient";

/// One thing to say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What kind of thing it is: the name of a cause, or of what looked.
    pub kind: String,
    /// On whose side; None where it lies between both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub who: Option<String>,
    /// A node, a tensor, a term, a module.
    #[serde(rename = "where")]
    pub place: String,
    /// The fact as a sentence.
    pub what: String,
    /// More facts, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<String>,
    /// The numbers of the fact, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numbers: Vec<Number>,
    /// What to do about it, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<String>,
    pub severity: Severity,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Number {
    pub name: String,
    #[serde(with = "json")]
    pub value: f64,
}

/// How bad a finding is, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Something is wrong.
    Fault,
    /// Something that had to be judged was not.
    Unjudged,
    /// Nothing is wrong for that alone, and somebody should look at it.
    Warning,
    /// For whoever wants to know.
    Note,
}

impl Severity {
    /// What it means for the exit code.
    pub fn exit(self) -> Exit {
        match self {
            Self::Fault => Exit::Diverge,
            Self::Unjudged => Exit::Uncovered,
            Self::Warning | Self::Note => Exit::Agree,
        }
    }
}

impl Finding {
    /// A fault, until it is said to be something else.
    pub fn new(kind: &str, place: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            kind: kind.into(),
            who: None,
            place: place.into(),
            what: what.into(),
            facts: vec![],
            numbers: vec![],
            next: vec![],
            severity: Severity::Fault,
        }
    }

    pub fn of(self, who: &str) -> Self {
        let who = Some(who.to_string());
        Self { who, ..self }
    }

    pub fn facts(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.facts.extend(lines);
        self
    }

    pub fn number(mut self, name: &str, value: f64) -> Self {
        let name = name.into();
        self.numbers.push(Number { name, value });
        self
    }

    pub fn next(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.next.extend(lines);
        self
    }

    pub fn severity(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }

    /// The same as a note, where what is right has it too.
    pub fn expected(self, expected: bool) -> Self {
        match expected {
            true => self.severity(Severity::Note),
            false => self,
        }
    }

    pub fn is_fault(&self) -> bool {
        self.severity == Severity::Fault
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_read_as_it_was_written_numbers_that_are_none_too() {
        let all = Finding::new("normaliser", "total", "divided by 0")
            .of("candidate")
            .facts(["the reference divides by 8".to_string()])
            .number("own", f64::NAN)
            .number("reference", f64::INFINITY)
            .next(["look at it".to_string()])
            .severity(Severity::Warning);
        let text = serde_json::to_string(&all).unwrap();
        assert!(text.contains("\"where\":\"total\""), "{text}");
        let read: Finding = serde_json::from_str(&text).unwrap();
        assert!(read.numbers[0].value.is_nan());
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }

    #[test]
    fn only_faults_and_what_is_not_judged_change_the_exit_code() {
        use Severity::{Fault, Note, Unjudged, Warning};
        let codes = [Fault, Unjudged, Warning, Note].map(|s| s.exit() as u8);
        assert_eq!(codes, [1, 4, 0, 0]);
    }
}

//! loaded: what a plain log says of the checkpoint: "Transferred x/y items", names that a state dict lacks or has too many.

use super::{Held, percent};
use crate::text::few;
use crate::training_log::{Mismatched, Transferred};
use crate::verdict::{Finding, Severity};

/// From this share on what is left may be a head for other classes.
const NEARLY: f64 = 0.9;
/// Tensors of the class layers of one head, twice where it has two.
const HEAD: u64 = 12;

#[must_use]
pub fn findings(held: &Held) -> Vec<Finding> {
    let said = &held.log.said;
    let mut found: Vec<Finding> = said
        .transferred
        .iter()
        .map(|t| transferred(held, t))
        .collect();
    found.extend(said.mismatched.iter().map(|m| mismatched(held, m)));
    found
}

fn transferred(held: &Held, t: &Transferred) -> Finding {
    let share = t.items as f64 / t.of.max(1) as f64;
    let what = format!("Transferred {}/{} items: {}", t.items, t.of, percent(share));
    let finding = Finding::new("transferred", held.at(format!("line {}", t.line)), what)
        .number("share", share);
    let next =
        "parity audit weights CHECKPOINT MODEL says which items and how many elements these are";
    let replaced = held.log.said.classes_replaced;
    if t.items == t.of {
        let caution = "an item may be counted that is transferred in part (3 of 4 channels): parity audit weights CHECKPOINT MODEL";
        return finding
            .severity(Severity::Note)
            .facts([caution.to_string()]);
    }
    if let Some(line) = replaced.filter(|_| share > NEARLY && t.of.saturating_sub(t.items) <= HEAD)
    {
        let why = format!(
            "the number of classes is replaced at line {line}: the class layers of the head do not fit and begin anew"
        );
        return finding.severity(Severity::Note).facts([why]);
    }
    let severity = if share < NEARLY {
        Severity::Fault
    } else {
        Severity::Warning
    };
    let facts = (share < NEARLY).then(|| {
        "so few items fit where the checkpoint is of another size or family than the model"
            .to_string()
    });
    finding
        .facts(facts)
        .next([next.to_string()])
        .severity(severity)
}

fn mismatched(held: &Held, m: &Mismatched) -> Finding {
    let word = if m.missing {
        "the checkpoint lacks"
    } else {
        "the checkpoint has, and the model does not,"
    };
    let what = format!(
        "{word} {} names: {}",
        m.names,
        few(m.first.iter().map(String::as_str), 4)
    );
    let kind = if m.missing {
        "missing_keys"
    } else {
        "unexpected_keys"
    };
    let next = "parity audit weights CHECKPOINT MODEL says which elements begin anew, and what only has another name";
    Finding::new(kind, held.at(format!("line {}", m.line)), what)
        .number("names", m.names as f64)
        .next([next.to_string()])
        .severity(Severity::Warning)
}

/// What `parity audit weights` found, each beside the line that it explains.
#[must_use]
pub fn explained(all: &[Held], checkpoint: &str, found: Vec<Finding>) -> Vec<Finding> {
    let line = |held: &Held| {
        held.log.said.transferred.first().map(|t| {
            held.at(format!(
                "line {}, Transferred {}/{} items",
                t.line, t.items, t.of
            ))
        })
    };
    let said = all.iter().find_map(line);
    let beside = match &said {
        Some(said) => format!("it explains {said}"),
        None => "no log says how many items were transferred".into(),
    };
    found
        .into_iter()
        .map(|f| Finding {
            place: format!("{checkpoint}, {}", f.place),
            ..f.facts([beside.clone()])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training_log;

    fn of(text: &str) -> Vec<Finding> {
        findings(&Held::of(
            "t.log",
            training_log::parse(text.as_bytes()).unwrap(),
        ))
    }

    #[test]
    fn few_items_are_a_fault_nearly_all_a_risk_and_a_head_for_other_classes_is_said() {
        let of = |n: &str, before: &str| {
            of(&format!(
                "{before}Transferred {n} items from pretrained weights\n"
            ))
            .remove(0)
        };
        assert_eq!(of("151/691", "").severity, Severity::Fault);
        assert_eq!(of("685/691", "").severity, Severity::Warning);
        let replaced = "Overriding model.yaml nc=80 with nc=10\n";
        assert_eq!(of("685/691", replaced).severity, Severity::Note);
        assert_eq!(of("151/691", replaced).severity, Severity::Fault);
        let all = of("691/691", "");
        assert_eq!(all.severity, Severity::Note);
        assert!(all.facts[0].contains("3 of 4 channels"));
        assert_eq!(all.place, "t.log, line 1");
    }
}

//! why: what explains a place at fault: the causes that leave nothing, with what is left before and after; else what was tried and how close it came.

use crate::text::number;
use crate::verdict::{Confirmed, Explained, Finding};

/// A line for each thing to say.
pub fn facts(why: &Explained) -> Vec<String> {
    let Some((first, others)) = why.confirmed.split_first() else {
        return vec![unexplained(why)];
    };
    let mut lines = vec![
        format!("because     {}: {}", first.cause, first.says),
        format!("residual    {} -> {}", before(why), after(first)),
    ];
    if !others.is_empty() {
        let names: Vec<&str> = others.iter().map(|c| c.cause.as_str()).collect();
        let names = names.join(", ");
        lines.push(format!(
            "            on these inputs it may as well be {names}"
        ));
    }
    lines
}

/// What to do about the confirmed cause; None where there is none.
pub fn next(why: &Explained) -> Option<String> {
    why.confirmed.first().map(|c| c.next.clone())
}

/// The same as numbers of a finding.
pub fn numbers(why: &Explained, mut found: Finding) -> Finding {
    found = found.number("residual before", why.before);
    match why.confirmed.first() {
        Some(c) => found.number("residual after", c.after),
        None => found,
    }
}

fn unexplained(why: &Explained) -> String {
    let near = why.nearest.iter().map(|n| {
        let left = match n.after.is_finite() {
            true => format!("{} x bound", number(n.after)),
            false => format!("{} of {} elements off", n.off, why.of),
        };
        format!("{} leaves {left}", n.cause)
    });
    let near = Vec::from_iter(near).join(", ");
    let nearest = if near.is_empty() {
        String::new()
    } else {
        format!("; nearest: {near}")
    };
    format!(
        "because     not explained: {} causes tried on its inputs{nearest}",
        why.tried
    )
}

fn before(why: &Explained) -> String {
    match why.before.is_finite() {
        true => format!("{} x bound", number(why.before)),
        false => format!("{} of {} elements off", why.off, why.of),
    }
}

fn after(cause: &Confirmed) -> String {
    match cause.after {
        0.0 => "none".into(),
        left => format!("{} x bound", number(left)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Near;

    fn confirmed(cause: &str, after: f64) -> Confirmed {
        Confirmed {
            cause: cause.into(),
            says: "epsilon is 0.001 where the reference has 0.00001".into(),
            next: "set epsilon".into(),
            amount: Some(1e-3),
            after,
        }
    }

    #[test]
    fn a_confirmed_cause_is_said_with_what_is_left_before_and_after_and_with_what_cannot_be_told_from_it()
     {
        let why = Explained {
            before: 526.0,
            off: 7,
            of: 64,
            confirmed: vec![confirmed("other-eps", 0.3), confirmed("scale-output", 0.5)],
            tried: 40,
            nearest: vec![],
        };
        assert_eq!(
            facts(&why),
            [
                "because     other-eps: epsilon is 0.001 where the reference has 0.00001",
                "residual    526.0 x bound -> 0.3000 x bound",
                "            on these inputs it may as well be scale-output",
            ]
        );
        assert_eq!(next(&why).as_deref(), Some("set epsilon"));
    }

    #[test]
    fn what_nothing_explains_says_how_many_were_tried_and_how_close_they_came() {
        let near = |cause: &str, after| Near {
            cause: cause.into(),
            after,
            off: 3,
        };
        let why = Explained {
            before: f64::INFINITY,
            off: 5,
            of: 64,
            tried: 40,
            nearest: vec![near("twice", 12.0), near("bypass", f64::INFINITY)],
            ..Explained::default()
        };
        let says = "because     not explained: 40 causes tried on its inputs; nearest: twice leaves 12.00 x bound, bypass leaves 3 of 64 elements off";
        assert_eq!(facts(&why), [says]);
        assert_eq!(next(&why), None);
    }
}

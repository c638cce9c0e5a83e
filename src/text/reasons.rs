//! reasons: why tensors were not compared, in as few words as say it: alike reasons are one, with their count and their first names.

use std::collections::BTreeMap;

/// Names of one reason that are shown, and reasons of one report.
const NAMES: usize = 3;
const REASONS: usize = 8;

/// "12 KIND ('a', 'b', 'c' and 9 more)" for every kind of reason, the most frequent first; `of` says a count and a reason.
pub fn reasons<'a>(
    counted: impl Iterator<Item = (&'a String, u64)>,
    of: impl Fn(u64, &str) -> String,
) -> Vec<String> {
    let mut groups: BTreeMap<String, Vec<(&str, u64)>> = BTreeMap::new();
    for (reason, n) in counted {
        groups.entry(kind(reason)).or_default().push((reason, n));
    }
    let sum = |group: &[(&str, u64)]| group.iter().map(|r| r.1).sum::<u64>();
    let mut groups: Vec<(u64, String)> = groups
        .into_iter()
        .map(|(kind, group)| (sum(&group), told(&kind, &group)))
        .collect();
    groups.sort_by_key(|g| std::cmp::Reverse(g.0));
    let rest: u64 = groups.iter().skip(REASONS).map(|g| g.0).sum();
    let more = groups.len().saturating_sub(REASONS);
    let mut out: Vec<String> = groups
        .iter()
        .take(REASONS)
        .map(|(n, text)| of(*n, text))
        .collect();
    out.extend((more > 0).then(|| of(rest, &format!("{more} other reasons (--json lists all)"))));
    out
}

/// The one reason in full; several of a kind by the kind and the names in which they differ.
fn told(kind: &str, group: &[(&str, u64)]) -> String {
    match group {
        [(reason, _)] => reason.to_string(),
        several => format!(
            "{kind} ({})",
            few(
                several
                    .iter()
                    .filter_map(|r| quoted(r.0).next())
                    .map(|(name, _)| name),
                NAMES
            )
        ),
    }
}

/// "'a', 'b' and 7 more": at most `most` names.
pub fn few<'a>(names: impl Iterator<Item = &'a str>, most: usize) -> String {
    let all: Vec<String> = names.map(|n| format!("'{n}'")).collect();
    match all.len().saturating_sub(most) {
        // One more name is as short as its count.
        0 | 1 => all.join(", "),
        more => format!("{} and {more} more", all[..most].join(", ")),
    }
}

/// A reason without the names in it.
fn kind(reason: &str) -> String {
    let (mut out, mut at) = (String::new(), 0);
    for (name, start) in quoted(reason) {
        out += &reason[at..start];
        out += "…";
        at = start + name.len();
    }
    out + &reason[at..]
}

/// What stands between single quotes, and where: an apostrophe behind a letter opens none.
fn quoted(text: &str) -> impl Iterator<Item = (&str, usize)> {
    let letter = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mut from = 0;
    std::iter::from_fn(move || {
        let open = from
            + text[from..]
                .match_indices('\'')
                .find(|(i, _)| !letter(text[..from + i].chars().next_back()))?
                .0
            + 1;
        let close = open
            + text[open..]
                .match_indices('\'')
                .find(|(i, _)| !letter(text[open + i + 1..].chars().next()))?
                .0;
        from = close + 1;
        Some((&text[open..close], open))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(counted: &[(&str, u64)], want: &[&str]) {
        let counted: BTreeMap<String, u64> =
            counted.iter().map(|(r, n)| (r.to_string(), *n)).collect();
        assert_eq!(
            reasons(counted.iter().map(|(r, n)| (r, *n)), |n, text| format!(
                "{n} {text}"
            )),
            want
        );
    }

    #[test]
    fn alike_reasons_are_one_with_their_count_and_their_first_names() {
        check(&[("behind a tie flip", 7)], &["7 behind a tie flip"]);
        check(
            &[("the trace holds no 'a'", 1)],
            &["1 the trace holds no 'a'"],
        );
        check(
            &[("the trace holds no 'a'", 1), ("the trace holds no 'b'", 2)],
            &["3 the trace holds no '…' ('a', 'b')"],
        );
        let many: Vec<String> = (0..40)
            .map(|i| format!("the trace holds no 't{i:02}'"))
            .collect();
        let mut all: Vec<(&str, u64)> = many.iter().map(|r| (r.as_str(), 1)).collect();
        check(
            &all,
            &["40 the trace holds no '…' ('t00', 't01', 't02' and 37 more)"],
        );
        all.push(("the port's own reason", 50));
        all.push(("the model's own reason", 1));
        let told = [
            "50 the port's own reason",
            "40 the trace holds no '…' ('t00', 't01', 't02' and 37 more)",
            "1 the model's own reason",
        ];
        check(&all, &told);
    }

    #[test]
    fn reasons_of_many_kinds_are_cut_with_a_count() {
        let many: Vec<String> = ('a'..='l').map(|c| format!("reason {c}")).collect();
        let all: BTreeMap<String, u64> = many.iter().map(|r| (r.clone(), 2)).collect();
        let told = reasons(all.iter().map(|(r, n)| (r, *n)), |n, text| {
            format!("{n} {text}")
        });
        assert_eq!(
            (told.len(), told.last().map(String::as_str)),
            (REASONS + 1, Some("8 4 other reasons (--json lists all)"))
        );
    }

    #[test]
    fn a_long_list_of_names_is_cut_and_a_name_is_never_left_out_for_a_count_of_one() {
        let names = ["a", "b", "c", "d", "e"];
        assert_eq!(few(names.into_iter(), 9), "'a', 'b', 'c', 'd', 'e'");
        assert_eq!(few(names.into_iter(), 4), "'a', 'b', 'c', 'd', 'e'");
        assert_eq!(few(names.into_iter(), 2), "'a', 'b' and 3 more");
    }
}

//! diff: what the code of a run has that the baseline's has not, from a unified diff; more than was declared is a finding.

use super::declared::Change;
use crate::verdict::{Finding, Severity};

/// Files of a diff with the lines that came and went.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diff {
    pub files: Vec<(String, usize, usize)>,
}

impl Diff {
    /// Of `git diff`, or of `diff -u`; other lines are passed over.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut out = Self::default();
        let mut old = "";
        // Lines of a hunk that are still to come, of the old file and of the new one.
        let mut left = (0usize, 0usize);
        for line in text.lines() {
            match (line.as_bytes().first(), left) {
                (_, (0, 0)) => {
                    old = line.strip_prefix("--- ").unwrap_or(old);
                    if let Some(new) = line.strip_prefix("+++ ") {
                        out.files.push((named(old, new), 0, 0));
                    }
                    left = hunk(line).unwrap_or((0, 0));
                }
                (Some(b'+'), (o, n)) => left = (o, out.count(n, |f| &mut f.1)),
                (Some(b'-'), (o, n)) => left = (out.count(o, |f| &mut f.2), n),
                (Some(b'\\'), _) => {}
                (_, (o, n)) => left = (o.saturating_sub(1), n.saturating_sub(1)),
            }
        }
        out
    }

    /// One line more of the last file; how many of the hunk are left.
    fn count(&mut self, left: usize, of: fn(&mut (String, usize, usize)) -> &mut usize) -> usize {
        if let Some(file) = self.files.last_mut() {
            *of(file) += 1;
        }
        left.saturating_sub(1)
    }

    /// As a field of the record.
    #[must_use]
    pub fn said(&self) -> String {
        let one = |(name, more, less): &(String, usize, usize)| format!("{name} +{more} −{less}");
        let all: Vec<String> = self.files.iter().map(one).collect();
        match all.is_empty() {
            true => "no file differs".into(),
            false => all.join(", "),
        }
    }
}

/// The file's path; that of a file that was taken out is the old one.
fn named(old: &str, new: &str) -> String {
    let plain = |path: &str| {
        let path = path.split('\t').next().unwrap_or(path).trim();
        let short = path.strip_prefix("a/").or_else(|| path.strip_prefix("b/"));
        short.unwrap_or(path).to_string()
    };
    match plain(new).as_str() {
        "/dev/null" => plain(old),
        path => path.to_string(),
    }
}

/// `@@ -1,3 +1,4 @@`: how many lines of either file follow.
fn hunk(line: &str) -> Option<(usize, usize)> {
    let mut words = line.strip_prefix("@@ ")?.split(' ');
    let mut lines = |sign: char| {
        let word = words.next()?.strip_prefix(sign)?;
        word.split_once(',')
            .map_or(Some(1), |(_, n)| n.parse().ok())
    };
    Some((lines('-')?, lines('+')?))
}

/// Files beyond the one that was declared, and the declared one that is none of them.
pub fn findings(diff: &Diff, change: &Change, place: &str) -> Vec<Finding> {
    let meant = |path: &str| {
        change
            .file
            .as_deref()
            .is_some_and(|file| is_below(path, file))
    };
    let (own, more): (Vec<_>, Vec<_>) = diff.files.iter().partition(|f| meant(&f.0));
    let line = |f: &&(String, usize, usize)| format!("{}: {} lines more, {} fewer", f.0, f.1, f.2);
    let mut out = vec![];
    if let (Some(first), Some(file)) = (more.first(), &change.file) {
        let what = format!("{} files differ beside {file}: {}", more.len(), first.0);
        let next = "repeat one of both runs with the same code, or declare it: [change] file";
        out.push(
            Finding::new("undeclared_code", format!("{place}: {}", first.0), what)
                .facts(more.iter().map(line))
                .next([next.into()]),
        );
    }
    if let (true, Some(file)) = (own.is_empty(), &change.file) {
        let what = format!("declared to differ, and not in the difference of the code: {file}");
        out.push(
            Finding::new("change_missing", format!("{place}: {file}"), what)
                .next(["look whether the change reached the run".into()]),
        );
    }
    if out.is_empty() {
        let what = format!("the code differs in {} files", diff.files.len());
        let all = diff.files.iter().collect::<Vec<_>>();
        out.push(
            Finding::new("code", place, what)
                .facts(all.iter().map(line))
                .severity(Severity::Note),
        );
    }
    out
}

/// Whether the path is the file, or ends in it: `loss.py` is `ultralytics/utils/loss.py`.
fn is_below(path: &str, file: &str) -> bool {
    path == file
        || path
            .strip_suffix(file)
            .is_some_and(|head| head.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "diff --git a/utils/loss.py b/utils/loss.py\n--- a/utils/loss.py\n+++ b/utils/loss.py\n@@ -1,3 +1,4 @@ class A\n one\n--- two\n+++ two\n+++ three\n four\n\\ No newline\n--- a/gone.py\t2025\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n";

    #[test]
    fn lines_that_look_like_headers_are_counted_where_a_hunk_has_them() {
        let read = Diff::read(DIFF);
        let files = [
            ("utils/loss.py".to_string(), 2, 1),
            ("gone.py".into(), 0, 1),
        ];
        assert_eq!(read.files, files);
        assert_eq!(read.said(), "utils/loss.py +2 −1, gone.py +0 −1");
        assert_eq!(Diff::read("nothing\n@@ of the kind\n"), Diff::default());
        assert_eq!(
            Diff::read("@@ -99999999999999999999 +1 @@\n+a"),
            Diff::default()
        );
    }

    #[test]
    fn files_beside_the_declared_one_are_a_finding_and_so_is_its_absence() {
        let kinds = |file: Option<&str>| {
            let change = Change {
                file: file.map(String::from),
                ..Change::default()
            };
            let all = findings(&Diff::read(DIFF), &change, "code.diff");
            all.into_iter().map(|f| f.kind).collect::<Vec<_>>()
        };
        assert_eq!(kinds(Some("loss.py")), ["undeclared_code"]);
        assert_eq!(kinds(Some("oss.py")), ["undeclared_code", "change_missing"]);
        assert_eq!(kinds(None), ["code"]);
        let alone = Diff::read(&DIFF[..DIFF.find("--- a/gone").unwrap()]);
        let change = Change {
            file: Some("utils/loss.py".into()),
            ..Change::default()
        };
        let all = findings(&alone, &change, "code.diff");
        assert_eq!((all.len(), all[0].severity), (1, Severity::Note));
    }
}

//! private: names of people and machines in a text, replaced.

use std::path::Path;

/// What begins the folder of a user.
const HOMES: [&str; 5] = [
    "/home/",
    "/Users/",
    "/mnt/home/",
    "C:\\Users\\",
    "C:/Users/",
];

/// What is replaced wherever it stands.
pub struct Private {
    /// (what, by what), the longest first.
    known: Vec<(String, &'static str)>,
}

impl Private {
    /// The names that this machine and the run's own path tell.
    pub fn of(folder: &Path) -> Self {
        let mut known = vec![];
        let own = folder.canonicalize().ok().map(|p| p.display().to_string());
        known.extend(own.map(|p| (p, "RUN")));
        let told = |name: &str| std::env::var(name).ok().filter(|v| v.len() > 2);
        known.extend(told("HOME").map(|v| (v, "HOME")));
        known.extend(told("USERPROFILE").map(|v| (v, "HOME")));
        for name in ["USER", "USERNAME", "LOGNAME"] {
            // The name of an administrator is nobody's, and a word of many texts.
            known.extend(
                told(name)
                    .filter(|v| v != "root" && v != "user")
                    .map(|v| (v, "USER")),
            );
        }
        known.extend(told("HOSTNAME").map(|v| (v, "HOST")));
        known.sort_by_key(|(what, _)| std::cmp::Reverse(what.len()));
        Self { known }
    }

    /// The text without them, without other users' folders and without addresses of mail.
    pub fn replaced(&self, text: &str) -> String {
        let mut text = text.to_string();
        for (what, by) in &self.known {
            text = text.replace(what.as_str(), by);
        }
        for home in HOMES {
            text = without_user(&text, home);
        }
        without_mail(&text)
    }
}

/// The part of a path behind `home` is somebody's name.
fn without_user(text: &str, home: &str) -> String {
    let mut parts = text.split(home);
    let mut out = parts.next().unwrap_or_default().to_string();
    for part in parts {
        let ends = |c: char| c.is_whitespace() || "/\\\"':;,)]}".contains(c);
        let end = part.find(ends).unwrap_or(part.len());
        out += home;
        out += "USER";
        out += &part[end..];
    }
    out
}

fn without_mail(text: &str) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "._%+-".contains(c);
    let is_mail = |word: &str| {
        let word = word.trim_matches(|c| !is_part(c));
        let Some((name, host)) = word.split_once('@') else {
            return false;
        };
        let named = |of: &str| !of.is_empty() && of.chars().all(is_part);
        let top = host.rsplit_once('.').map_or("", |(_, top)| top);
        named(name) && named(host) && top.len() > 1 && top.chars().all(|c| c.is_ascii_alphabetic())
    };
    let words = text.split_inclusive(|c: char| c.is_whitespace() || "\"'<>(),;".contains(c));
    let replaced = words.map(|word| {
        let bare = word.trim_end_matches(|c: char| c.is_whitespace() || "\"'<>(),;".contains(c));
        match is_mail(bare) {
            true => format!("MAIL{}", &word[bare.len()..]),
            false => word.to_string(),
        }
    });
    replaced.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_users_and_mail_are_replaced_and_nothing_else_is() {
        let private = Private {
            known: vec![("/srv/runs/a".into(), "RUN")],
        };
        let cases = [
            ("'/home/ann/data/x.png'", "'/home/USER/data/x.png'"),
            ("C:\\Users\\Ann B\\x", "C:\\Users\\USER B\\x"),
            ("/Users/ann: no such file", "/Users/USER: no such file"),
            ("/srv/runs/a/best.pt", "RUN/best.pt"),
            (
                "by <ann.b@uni-x.edu>, 2 images@640",
                "by <MAIL>, 2 images@640",
            ),
            ("mAP@0.5 41.2, loss 0.1", "mAP@0.5 41.2, loss 0.1"),
            ("plain é text", "plain é text"),
        ];
        for (text, expected) in cases {
            assert_eq!(private.replaced(text), expected);
        }
    }
}

//! rule: how modules are called on the other side: `model.* = backbone.*`, `encoder.layer.*.attention = h.*.attn`.

use super::names::{filled, parts, template};
use serde::{Deserialize, Serialize};

/// A prefix of module paths and what it is on the other side; numbers are stars where both sides count alike.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rule {
    pub from: String,
    pub to: String,
}

impl Rule {
    /// What makes module `a` into module `b`: what they end with alike is left out.
    pub fn between(a: &str, b: &str) -> Self {
        let (ours, theirs): (Vec<&str>, Vec<&str>) = (parts(a).collect(), parts(b).collect());
        let alike = ours.iter().rev().zip(theirs.iter().rev());
        let common = alike.take_while(|(x, y)| x == y).count();
        let own = |all: &[&str]| all[..all.len() - common].join(".");
        let (from, to) = (own(&ours), own(&theirs));
        let ((ours, numbers), (theirs, others)) = (template(&from), template(&to));
        if numbers == others {
            let (from, to) = (ours, theirs);
            return Self { from, to };
        }
        Self { from, to }
    }

    /// Parts of the prefix.
    pub fn depth(&self) -> usize {
        parts(&self.from).count()
    }

    /// What `module` is called on the other side; None where it does not lie below the prefix.
    pub fn apply(&self, module: &str) -> Option<String> {
        let all: Vec<&str> = parts(module).collect();
        let head = all.get(..self.depth())?.join(".");
        let (own, numbers) = template(&head);
        let begins = match head == self.from {
            true if !self.from.contains('*') => self.to.clone(),
            _ if own == self.from => filled(&self.to, &numbers)?,
            _ => return None,
        };
        let rest = &all[self.depth()..];
        Some(
            parts(&begins)
                .chain(rest.iter().copied())
                .collect::<Vec<_>>()
                .join("."),
        )
    }

    /// `model.* = backbone.*`; a prefix of nothing is every name.
    pub fn say(&self) -> String {
        let below = |prefix: &str| match prefix {
            "" => "*".to_string(),
            _ => format!("{prefix}.*"),
        };
        format!("{} = {}", below(&self.from), below(&self.to))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_what_two_paths_do_not_end_with_alike() {
        for (a, b, want) in [
            ("model.0.bn", "backbone.0.bn", "model.* = backbone.*"),
            ("stem.conv", "model.stem.conv", "* = model.*"),
            (
                "layer.3.attention.q",
                "h.3.attn.q",
                "layer.*.attention.* = h.*.attn.*",
            ),
            ("net.2", "net.4", "net.2.* = net.4.*"),
            ("a/b", "x/b", "a.* = x.*"),
        ] {
            let rule = Rule::between(a, b);
            assert_eq!(rule.say(), want);
            assert_eq!(rule.apply(a), Some(b.replace('/', ".")), "{want}");
        }
    }

    #[test]
    fn a_rule_says_what_neighbours_are_called_and_nothing_of_strangers() {
        let rule = Rule::between("layer.3.attention.q", "h.3.attn.q");
        assert_eq!(
            rule.apply("layer.11.attention.k").as_deref(),
            Some("h.11.attn.k")
        );
        assert_eq!(rule.apply("layer.11.mlp"), None);
        assert_eq!(rule.apply("layer"), None);
    }
}

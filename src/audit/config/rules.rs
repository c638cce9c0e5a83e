//! rules: what whoever trains declares: `loss_x needs data.switch = true`, or `device = 0` alone.

use super::view::{Set, View};
use crate::config::Tree;
use crate::error::{Error, Result, hint};
use crate::verdict::{Finding, Severity};

/// `KEY needs KEY = VALUE`, or `KEY = VALUE`.
struct Rule<'a> {
    whole: &'a str,
    when: Option<&'a str>,
    key: &'a str,
    value: &'a str,
}

impl<'a> Rule<'a> {
    fn parse(whole: &'a str) -> Result<Self> {
        let (when, needs) = match whole.split_once(" needs ") {
            Some((when, needs)) => (Some(when.trim()), needs),
            None => (None, whole),
        };
        let (key, value) = needs
            .split_once('=')
            .map(|(k, v)| (k.trim(), v.trim()))
            .unwrap_or_default();
        if key.is_empty() || value.is_empty() || when == Some("") {
            let what = format!("--rule '{whole}' is no rule");
            return Err(Error::usage(what).next("write 'KEY needs KEY = VALUE', or 'KEY = VALUE'"));
        }
        Ok(Self {
            whole,
            when,
            key,
            value,
        })
    }
}

/// What each rule comes to.
///
/// # Errors
/// No rule, or one that names no key of the config at all.
pub fn findings(view: &View, rules: &[String]) -> Result<Vec<Finding>> {
    rules
        .iter()
        .map(|rule| judged(view, &Rule::parse(rule)?))
        .collect()
}

fn judged(view: &View, rule: &Rule) -> Result<Finding> {
    let place = view.config.files[0].display().to_string();
    let when: Vec<&Set> = rule.when.map_or(vec![], |key| keys(view, key));
    let found = keys(view, rule.key);
    let applies = rule.when.is_none() || !when.is_empty();
    if found.is_empty() && (!applies || rule.when.is_none()) {
        let known = view.sets.iter().map(|set| set.key);
        let what = format!("--rule '{}': the config has none of its keys", rule.whole);
        return Err(Error::usage(what).next(hint(rule.key, known)));
    }
    if !applies {
        let what = format!(
            "'{}' does not apply: {} is not configured",
            rule.whole,
            rule.when.unwrap_or("")
        );
        return Ok(Finding::new("rule", place, what).severity(Severity::Note));
    }
    let said: Vec<String> = when
        .iter()
        .take(super::super::SHOWN)
        .map(|set| view.said(set))
        .collect();
    if found.is_empty() {
        let what = format!(
            "'{}': {} is set nowhere, its default decides",
            rule.whole, rule.key
        );
        let next = format!("set {} = {} in the config", rule.key, rule.value);
        let finding = Finding::new("rule", place, what).facts(said).next([next]);
        return Ok(finding.severity(Severity::Unjudged));
    }
    let judged = training(&found);
    let unknown = judged
        .iter()
        .find(|set| matches!(set.tree, Tree::Unknown(_)));
    if let Some(set) = unknown {
        let what = format!("'{}': {} is not evaluated", rule.whole, set.path);
        return Ok(view.finding("rule", set, what).severity(Severity::Unjudged));
    }
    match judged.iter().find(|set| !is(set.tree, rule.value)) {
        Some(wrong) => {
            let short = super::view::short(wrong.tree);
            let what = match rule.when {
                Some(when) => format!(
                    "{when} needs {} = {}, and {} = {short}",
                    rule.key, rule.value, wrong.path
                ),
                None => format!("{} = {short} is declared to be {}", wrong.path, rule.value),
            };
            Ok(view.finding("rule", wrong, what).facts(said))
        }
        None => {
            let what = format!("'{}' holds", rule.whole);
            Ok(view
                .finding("rule", judged[0], what)
                .severity(Severity::Note))
        }
    }
}

/// Keys that a name means: the path, the end of one, or a key below parts of these names.
fn keys<'b, 'a>(view: &'b View<'a>, name: &str) -> Vec<&'b Set<'a>> {
    let dotted = format!(".{name}");
    let exact: Vec<&Set> = view
        .sets
        .iter()
        .filter(|s| s.path == name || s.path.ends_with(&dotted))
        .collect();
    if !exact.is_empty() {
        return exact;
    }
    let parts: Vec<&str> = name.split('.').collect();
    let (last, above) = parts.split_last().unwrap_or((&name, &[]));
    let below = |set: &&Set| {
        let mut path = set.path.split('.');
        set.key == *last && above.iter().all(|part| path.any(|p| p.contains(part)))
    };
    view.sets.iter().filter(below).collect()
}

/// What trains, where a key is also set for validation and test.
fn training<'b, 'a>(found: &[&'b Set<'a>]) -> Vec<&'b Set<'a>> {
    let trains: Vec<&Set> = found
        .iter()
        .copied()
        .filter(|s| s.path.starts_with("train"))
        .collect();
    match trains.is_empty() {
        true => found.to_vec(),
        false => trains,
    }
}

/// Whether a value is what a rule says.
fn is(tree: &Tree, value: &str) -> bool {
    let plain = value.trim_matches(['\'', '"']);
    match tree {
        Tree::None => matches!(value, "None" | "none" | "null"),
        Tree::Bool(b) => value.eq_ignore_ascii_case(&b.to_string()),
        Tree::Int(_) | Tree::Float(_) => value.parse::<f64>().ok() == tree.number(),
        Tree::Text(text) | Tree::Lazy(text) => text == plain,
        other => {
            let squeezed = |s: String| s.replace([' ', '(', ')', '[', ']'], "");
            squeezed(crate::config::print::python(other)) == squeezed(value.into())
        }
    }
}

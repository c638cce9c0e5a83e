//! substitute: what mmengine replaces in a config's text before it is parsed: `{{ fileBasename }}`, `{{$VARIABLE:default}}` and `{{_base_.key}}`.

use super::run::{Missed, Shared};
use super::value::{Dict, Entry, Key, Value};
use std::path::Path;

/// A text with what was replaced.
#[derive(Default)]
pub struct Substituted {
    pub text: String,
    /// What stands in the text for a key of the base, and that key.
    pub bases: Vec<(String, String)>,
    /// Variables of the environment, with the defaults that are taken here.
    pub environment: Vec<(String, String)>,
    /// One without a default.
    pub lacking: Option<String>,
}

/// Replaces everything between double braces that mmengine knows.
pub fn substitute(text: &str, path: &Path) -> Substituted {
    let mut out = Substituted::default();
    let mut rest = text;
    while let Some(at) = rest.find("{{") {
        out.text += &rest[..at];
        rest = &rest[at..];
        let closing = rest.find("}}").map(|end| (rest[2..end].trim(), end + 2));
        let replaced =
            closing.and_then(|(inside, end)| Some((replacement(inside, path, &mut out)?, end)));
        match replaced {
            Some((by, end)) => {
                out.text += &by;
                rest = &rest[end..];
            }
            None => {
                out.text += "{";
                rest = &rest[1..];
            }
        }
    }
    out.text += rest;
    out
}

fn replacement(inside: &str, path: &Path, out: &mut Substituted) -> Option<String> {
    let part = |p: Option<&std::ffi::OsStr>| p.map(|p| p.to_string_lossy().into_owned());
    match inside {
        "fileDirname" => return path.parent().map(|p| p.display().to_string()),
        "fileBasename" => return part(path.file_name()),
        "fileBasenameNoExtension" => return part(path.file_stem()),
        "fileExtname" => return part(path.extension()).map(|e| format!(".{e}")),
        _ => {}
    }
    let word =
        |s: &str| !s.is_empty() && s.chars().all(|c| c.is_alphanumeric() || "_.".contains(c));
    if let Some(key) = inside.strip_prefix("_base_.").filter(|key| word(key)) {
        let mark = format!("_{key}_{:06x}", 0x5eed_u32 + out.bases.len() as u32);
        out.bases.push((mark.clone(), key.into()));
        return Some(format!("\"{mark}\""));
    }
    let variable = inside.trim_matches(['\'', '"']).trim().strip_prefix('$')?;
    let (name, default) = variable.split_once(':')?;
    let (name, default) = (name.trim(), default.trim());
    if !word(name) || name.contains('.') || default.contains(char::is_whitespace) {
        return None;
    }
    if default.is_empty() {
        out.lacking.get_or_insert(name.into());
    }
    out.environment.push((name.into(), default.into()));
    Some(default.into())
}

/// Puts the base's values where their marks stand: a mark that is not a whole text stays in it, with random digits, in mmengine's own dictionary.
pub fn marks(
    value: &Value,
    marks: &[(String, String)],
    base: &Dict,
    at: super::value::At,
    shared: &mut Shared,
) -> Result<Value, String> {
    if let Some(by) = value.unknown() {
        return Ok(Value::Unknown(by));
    }
    Ok(match value {
        Value::Str(text) => match marks.iter().find(|(mark, _)| *mark == **text) {
            Some((_, key)) => of_base(base, key)?,
            None if marks.iter().any(|(mark, _)| text.contains(mark.as_str())) => {
                let missed = Missed {
                    at,
                    excerpt: text.to_string(),
                    why: "a key of the base within a text: mmengine leaves its own mark there"
                        .into(),
                };
                Value::Unknown(shared.list(missed))
            }
            None => value.clone(),
        },
        Value::List(items) => Value::list(each(&items.get(), marks, base, at, shared)?),
        Value::Tuple(items) => Value::tuple(each(items, marks, base, at, shared)?),
        Value::Dict(dict) => {
            let copy = Dict::new(dict.of_config, Default::default());
            for (key, entry) in dict.entries() {
                let at = entry.at;
                let value = self::marks(&entry.value, marks, base, at, shared)?;
                copy.shared
                    .change(|all| all.insert(key, Entry { value, at }));
            }
            Value::Dict(copy)
        }
        other => other.clone(),
    })
}

fn each(
    items: &[Value],
    marks: &[(String, String)],
    base: &Dict,
    at: super::value::At,
    shared: &mut Shared,
) -> Result<Vec<Value>, String> {
    let all = items
        .iter()
        .map(|i| self::marks(i, marks, base, at, shared));
    all.collect()
}

/// `a.b.c` of the base.
fn of_base(base: &Dict, path: &str) -> Result<Value, String> {
    let mut value = None;
    for key in path.split('.') {
        let found = match &value {
            None => base.get(&Key::from(key)),
            Some(Value::Dict(dict)) => dict.get(&Key::from(key)),
            Some(Value::Unknown(by)) => return Ok(Value::Unknown(*by)),
            Some(_) => None,
        };
        value = Some(
            found
                .ok_or_else(|| format!("KeyError: '{key}' of {{{{_base_.{path}}}}}"))?
                .value,
        );
    }
    value.ok_or_else(|| "KeyError".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_mmengine_knows_is_replaced() {
        let text = "a = '{{ fileBasenameNoExtension }}'\nb = {{_base_.x.y}}\nc = {{'$N:80'}}\nd = {{'a': 1}}\ne = '{{$ROOT:/data}}/x'\n";
        let out = substitute(text, Path::new("/c/my.cfg.py"));
        let mark = &out.bases[0].0;
        let expected =
            format!("a = 'my.cfg'\nb = \"{mark}\"\nc = 80\nd = {{{{'a': 1}}}}\ne = '/data/x'\n");
        assert_eq!(out.text, expected);
        assert_eq!(out.bases[0].1, "x.y");
        assert_eq!(out.environment.len(), 2);
        assert!(out.lacking.is_none());
        assert_eq!(
            substitute("a = {{$N:}}", Path::new("a.py"))
                .lacking
                .as_deref(),
            Some("N")
        );
    }
}

//! format: what `%`, `str.format` and f-strings make of texts and numbers, as far as configs use them.

use super::number;
use super::run::{Outcome, Run};
use super::value::Value;
use ruff_python_ast::{ConversionFlag, Expr, FStringPart, FStringValue, InterpolatedStringElement};
use ruff_text_size::Ranged;

/// `str(value)` of what has one that is sure.
pub fn str_of(value: &Value) -> Option<String> {
    match value {
        Value::Str(text) => Some(text.to_string()),
        other => repr(other, 0),
    }
}

/// `repr(value)`, of lists and tuples too.
pub fn repr(value: &Value, depth: usize) -> Option<String> {
    if value.unknown().is_some() || depth > 20 {
        return None;
    }
    let all = |items: &[Value]| {
        let each: Option<Vec<String>> = items.iter().map(|i| repr(i, depth + 1)).collect();
        each.map(|e| e.join(", "))
    };
    Some(match value {
        Value::None => "None".into(),
        Value::Bool(true) => "True".into(),
        Value::Bool(false) => "False".into(),
        Value::Int(n) => n.to_string(),
        Value::Float(x) => number::repr(*x),
        Value::Str(text) => quoted(text)?,
        Value::List(items) => format!("[{}]", all(&items.get())?),
        Value::Tuple(items) if items.len() == 1 => format!("({},)", all(items)?),
        Value::Tuple(items) => format!("({})", all(items)?),
        _ => return None,
    })
}

/// A text in Python's quotes; None where a character may need an escape that depends on Python's version.
fn quoted(text: &str) -> Option<String> {
    let quote = match text.contains('\'') && !text.contains('"') {
        true => '"',
        false => '\'',
    };
    let mut out = String::from(quote);
    for c in text.chars() {
        match c {
            '\\' => out += "\\\\",
            '\n' => out += "\\n",
            '\t' => out += "\\t",
            '\r' => out += "\\r",
            c if c == quote => out.extend(['\\', c]),
            c if c.is_ascii() && !c.is_ascii_control() => out.push(c),
            c if c.is_alphanumeric() => out.push(c),
            _ => return None,
        }
    }
    out.push(quote);
    Some(out)
}

/// A number or text under a format specification; None for those that configs do not use.
pub fn formatted(value: &Value, spec: &str) -> Option<String> {
    let spec = Spec::parse(spec)?;
    let text = match (spec.kind, value) {
        ('d', Value::Int(_) | Value::Bool(_)) => number::integer(value)?.to_string(),
        ('f', v) if number::is_number(v) => {
            format!("{:.1$}", number::float(v)?, spec.precision.unwrap_or(6))
        }
        ('s' | '\0', Value::Str(text)) => match spec.precision {
            Some(n) => text.chars().take(n).collect(),
            None => text.to_string(),
        },
        ('\0', Value::Int(n)) if spec.precision.is_none() => n.to_string(),
        ('\0', Value::Float(x)) if spec.precision.is_none() => number::repr(*x),
        ('\0', other) if spec.width == 0 && spec.precision.is_none() => str_of(other)?,
        _ => return None,
    };
    let missing = spec.width.saturating_sub(text.chars().count());
    let pad = spec.fill.to_string().repeat(missing);
    let is_text = matches!(value, Value::Str(_));
    Some(match spec.align {
        Some('<') => text + &pad,
        Some('>') => pad + &text,
        None if spec.fill == '0' && !is_text => match text.strip_prefix('-') {
            Some(digits) => format!("-{pad}{digits}"),
            None => pad + &text,
        },
        None if is_text => text + &pad,
        None => pad + &text,
        Some(_) => return None,
    })
}

struct Spec {
    fill: char,
    align: Option<char>,
    width: usize,
    precision: Option<usize>,
    kind: char,
}

impl Spec {
    fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let align = rest.chars().next().filter(|c| "<>".contains(*c));
        if align.is_some() {
            rest = &rest[1..];
        }
        let fill = if rest.starts_with('0') { '0' } else { ' ' };
        let width = digits(&mut rest);
        let precision = match rest.strip_prefix('.') {
            Some(after) => {
                rest = after;
                Some(digits(&mut rest)?)
            }
            None => None,
        };
        let mut kinds = rest.chars();
        let kind = kinds.next().unwrap_or('\0');
        let small = width.unwrap_or(0) < 1_000 && precision.unwrap_or(0) < 1_000;
        (kinds.next().is_none() && small).then_some(Self {
            fill,
            align,
            width: width.unwrap_or(0),
            precision,
            kind,
        })
    }
}

fn digits(rest: &mut &str) -> Option<usize> {
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let (number, after) = rest.split_at(end);
    *rest = after;
    number.parse().ok()
}

impl Run<'_> {
    pub fn f_string(&mut self, e: &Expr, parts: &FStringValue) -> Outcome {
        let mut out = String::new();
        for part in parts {
            let elements = match part {
                FStringPart::Literal(text) => {
                    out += &text.value;
                    continue;
                }
                FStringPart::FString(f) => &f.elements,
            };
            for element in elements {
                let inside = match element {
                    InterpolatedStringElement::Literal(text) => {
                        out += &text.value;
                        continue;
                    }
                    InterpolatedStringElement::Interpolation(inside) => inside,
                };
                let value = self.value(&inside.expression)?;
                if let Some(by) = value.unknown() {
                    return Ok(Value::Unknown(by));
                }
                self.measure(e, &value)?;
                let spec = match &inside.format_spec {
                    None => Some(String::new()),
                    Some(spec) => literal_spec(spec),
                };
                let shown = match inside.conversion {
                    ConversionFlag::None if inside.debug_text.is_none() => Some(value),
                    ConversionFlag::Repr => repr(&value, 0).map(|t| Value::text(&t)),
                    ConversionFlag::Str => str_of(&value).map(|t| Value::text(&t)),
                    ConversionFlag::None | ConversionFlag::Ascii => None,
                };
                match shown.zip(spec).and_then(|(v, s)| formatted(&v, &s)) {
                    Some(text) => out += &text,
                    None => return self.missed(e, "a format that is not known here"),
                }
                self.spend(e, out.len() / 64)?;
            }
        }
        Ok(Value::text(&out))
    }

    /// `form % values`.
    pub fn percent(&mut self, node: &impl Ranged, form: &str, values: &Value) -> Outcome {
        let values: Vec<Value> = match values {
            Value::Tuple(items) => items.to_vec(),
            Value::Dict(_) => return self.missed(node, "'%' of a dict"),
            other => vec![other.clone()],
        };
        if let Some(by) = values.iter().find_map(Value::unknown) {
            return Ok(Value::Unknown(by));
        }
        for value in &values {
            self.measure(node, value)?;
        }
        match percent(form, &values) {
            Some(text) => {
                self.spend(node, text.len() / 64)?;
                Ok(Value::text(&text))
            }
            None => self.missed(node, "a format that is not known here"),
        }
    }
}

fn literal_spec(spec: &ruff_python_ast::InterpolatedStringFormatSpec) -> Option<String> {
    let parts = spec.elements.iter().map(|element| match element {
        InterpolatedStringElement::Literal(text) => Some(text.value.to_string()),
        InterpolatedStringElement::Interpolation(_) => None,
    });
    parts.collect()
}

fn percent(form: &str, values: &[Value]) -> Option<String> {
    let mut values = values.iter();
    let mut pieces = form.split('%');
    let mut out = pieces.next()?.to_string();
    while let Some(piece) = pieces.next() {
        if piece.is_empty() {
            out += "%";
            out += pieces.next()?;
            continue;
        }
        let end = piece.find(|c: char| c.is_ascii_alphabetic())?;
        let (spec, kind) = (&piece[..end], piece[end..].chars().next()?);
        let value = values.next()?;
        out += &match kind {
            's' if !matches!(value, Value::Str(_)) => {
                formatted(&Value::text(&str_of(value)?), &padded(spec)?)?
            }
            's' => formatted(value, &padded(spec)?)?,
            'd' | 'i' => formatted(value, &format!("{spec}d"))?,
            'f' => formatted(value, &format!("{spec}f"))?,
            'r' if spec.is_empty() => repr(value, 0)?,
            _ => return None,
        };
        out += &piece[end + 1..];
    }
    values.next().is_none().then_some(out)
}

/// `%5s` pads on the left, where a format specification pads texts on the right.
fn padded(spec: &str) -> Option<String> {
    match spec.chars().next() {
        None | Some('.') => Some(spec.into()),
        Some(c) if c.is_ascii_digit() && c != '0' => Some(format!(">{spec}")),
        Some(_) => None,
    }
}

/// `form.format(*values, **named)`; None where it is more than plain names, places and specifications.
pub fn brace(
    form: &str,
    values: &[Value],
    named: impl Fn(&str) -> Option<Value>,
) -> Option<String> {
    let mut out = String::new();
    let mut rest = form;
    let mut next = 0;
    while let Some(at) = rest.find(['{', '}']) {
        out += &rest[..at];
        let after = &rest[at + 1..];
        let brace = &rest[at..=at];
        if after.starts_with(brace) {
            out += brace;
            rest = &after[1..];
            continue;
        }
        let (field, more) = after.split_once('}').filter(|_| brace == "{")?;
        let (name, spec) = field.split_once(':').unwrap_or((field, ""));
        let value = match name {
            "" => {
                next += 1;
                values.get(next - 1).cloned()
            }
            name => match name.parse::<usize>() {
                Ok(n) => values.get(n).cloned(),
                Err(_) => named(name),
            },
        };
        out += &formatted(&value?, spec)?;
        rest = more;
    }
    Some(out + rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_made_as_python_makes_them() {
        let int = Value::Int(7);
        let float = Value::Float(0.125);
        let text = Value::text("ab");
        let cases = [
            (formatted(&int, "03d"), Some("007")),
            (formatted(&float, ".2f"), Some("0.12")),
            (formatted(&text, ">4"), Some("  ab")),
            (formatted(&text, "4"), Some("ab  ")),
            (formatted(&float, "e"), None),
            (
                percent("%s/%d%% %.1f", &[text.clone(), int.clone(), float.clone()]),
                Some("ab/7% 0.1"),
            ),
            (percent("%s", &[text.clone(), int.clone()]), None),
            (
                brace("{}-{1:02d}-{x}{{}}", &[text.clone(), int.clone()], |_| {
                    Some(float.clone())
                }),
                Some("ab-07-0.125{}"),
            ),
            (brace("{0.a}", std::slice::from_ref(&text), |_| None), None),
            (
                repr(&Value::tuple(vec![Value::text("it's")]), 0),
                Some("(\"it's\",)"),
            ),
        ];
        for (i, (made, expected)) in cases.into_iter().enumerate() {
            assert_eq!(made.as_deref(), expected, "case {i}");
        }
    }
}

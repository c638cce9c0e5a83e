//! page: one file that needs nothing else: style and script stand in it, nothing is fetched, and every name is text.

use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Nothing from elsewhere is loaded, whatever stands in a name.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

pub fn page(title: &str, body: &Markup) -> String {
    let whole = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (body)
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    inert(whole.into_string())
}

/// The page with every character that steers a terminal or turns the direction of text written out: maud escapes markup, and these are none.
fn inert(page: String) -> String {
    let hostile = |c: char| {
        c != '\n' && crate::error::printable(c.encode_utf8(&mut [0; 4])).len() != c.len_utf8()
    };
    if page.chars().any(hostile) {
        let lines: Vec<String> = page.split('\n').map(crate::error::printable).collect();
        return lines.join("\n");
    }
    page
}

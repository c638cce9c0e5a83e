//! findings: all that there is to say, the most serious first.

use crate::report::told::Told;
use crate::verdict::{Finding, Severity};
use maud::{Markup, html};

/// Findings before the rest is counted.
const MOST: usize = 300;

pub fn findings(told: &Told) -> Markup {
    let rest = told.findings.len().saturating_sub(MOST);
    html! {
        section id="findings" {
            h2 { "Findings" }
            @if told.findings.is_empty() { p { "Nothing more is to be said." } }
            @for (found, spot) in told.located().take(MOST) {
                div class=(format!("finding {}", class(found))) {
                    b { (told.word(found.severity)) }
                    @if let Some(who) = &found.who { ", " (who) }
                    ", " (found.place) ": " (found.what) " " span class="dim" { "[" (found.kind) "]" }
                    @if let Some(spot) = spot { p { code { (spot.file) ":" (spot.line) } } }
                    @for fact in &found.facts { p { (fact) } }
                    @for n in &found.numbers { p class="dim" { (n.name) " " (crate::text::number(n.value)) } }
                    @for next in &found.next { p class="next" { "next: " (next) } }
                }
            }
            @if rest > 0 { p { "and " (rest) " more findings, which the JSON lists" } }
        }
    }
}

fn class(found: &Finding) -> &'static str {
    match found.severity {
        Severity::Fault => "fault",
        Severity::Unjudged => "unjudged",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

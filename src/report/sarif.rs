//! sarif: findings for code scanning, as SARIF 2.1.0: a rule for each kind of finding, and where the file and the line are known the finding stands there.
//!
//! What was not judged is a result that is `open`; a fault that the scenario expects is suppressed with that reason, so that it is not an alert.

use super::spot::Spot;
use super::to_json;
use super::told::Told;
use crate::error::Result;
use crate::verdict::{Finding, Severity};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// # Errors
/// What cannot be written as JSON.
pub fn sarif(told: &Told) -> Result<String> {
    let kinds: BTreeSet<&str> = told.findings.iter().map(|f| f.kind.as_str()).collect();
    let rules: Vec<&str> = kinds.into_iter().collect();
    let rule = |kind: &&str| json!({ "id": kind, "name": kind, "shortDescription": { "text": kind.replace('_', " ") } });
    let results = told
        .located()
        .map(|(found, spot)| result(told, &rules, found, spot));
    to_json(&json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "parity",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(rule).collect::<Vec<_>>(),
            } },
            "automationDetails": { "id": format!("parity/{}/", told.name) },
            "invocations": [{
                "executionSuccessful": true,
                "exitCode": told.exit as u8,
                "exitCodeDescription": told.headline,
            }],
            "results": results.collect::<Vec<_>>(),
        }],
    }))
}

fn result(told: &Told, rules: &[&str], found: &Finding, spot: Option<&Spot>) -> Value {
    let (kind, level) = match found.severity {
        Severity::Fault => ("fail", "error"),
        // The standard: a level only where it fails.
        Severity::Unjudged => ("open", "none"),
        Severity::Warning => ("fail", "warning"),
        Severity::Note => ("fail", "note"),
    };
    let text = [
        std::slice::from_ref(&found.what),
        &*found.facts,
        &*found.next,
    ]
    .concat()
    .join("\n");
    let mut logical = json!({ "name": found.place, "kind": "element" });
    if let Some(who) = &found.who {
        logical["fullyQualifiedName"] = format!("{who}/{}", found.place).into();
    }
    let mut location = json!({ "logicalLocations": [logical] });
    if let Some(spot) = spot {
        location["physicalLocation"] = json!({
            "artifactLocation": { "uri": uri(&spot.file) },
            "region": { "startLine": spot.line },
        });
    }
    let mut result = json!({
        "ruleId": found.kind,
        "ruleIndex": rules.binary_search(&&*found.kind).ok(),
        "kind": kind,
        "level": level,
        "message": { "text": text },
        "locations": [location],
        "partialFingerprints": { "parity/v1": format!("{}/{}/{}", told.name, found.kind, found.place) },
    });
    if found.severity == Severity::Fault && told.as_expected() {
        let why = "the scenario expects it";
        result["suppressions"] = json!([{ "kind": "external", "justification": why }]);
    }
    result
}

/// A path as a URI reference: what a URI cannot hold is written as `%XX`.
fn uri(path: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/".contains(&b);
    let root = if path.starts_with('/') { "file://" } else { "" };
    let bytes = path.bytes().map(|b| match plain(b) {
        true => char::from(b).to_string(),
        false => format!("%{b:02X}"),
    });
    root.to_string() + &bytes.collect::<String>()
}

//! port: `parity port`: starts a live port, says what it is, and tries whether it does what it declares.

use super::{args, say};
use crate::error::{Result, printable};
use crate::exit::Exit;
use crate::port::conformance::{self, Check, Found};
use crate::port::{Axis, Declared, Launch, Port};
use crate::report;
use std::time::Duration;

pub fn command(args: &args::Port) -> Result<Exit> {
    let launch = match &args.file {
        Some(file) => Launch::file(file, &args.python)?,
        None => Launch::command(&args.command)?,
    };
    let mut port = Port::start(&launch, Duration::from_secs(args.limit))?;
    let about = about(&launch, &port);
    let quiet = args.json;
    let told = |text: String| if quiet { Ok(()) } else { say(&text) };
    told(overview(&about))?;
    let checks = conformance::checks(&mut port, |check| told(line(check)))?;
    if args.json {
        say(&json(&about, &checks)?)?;
    }
    let is = |wanted: fn(&Found) -> bool| checks.iter().any(|c| wanted(&c.found));
    if is(|f| matches!(f, Found::Failed(_))) {
        return Ok(Exit::Diverge);
    }
    port.shutdown()?;
    // An ability that needs what only the user has is told, and no more; a network that was not run is not passed.
    let ran = checks
        .iter()
        .any(|c| c.what == "forward" && matches!(c.found, Found::Passed(_)));
    Ok(if ran { Exit::Agree } else { Exit::Uncovered })
}

fn said(check: &Check) -> (&'static str, &String) {
    match &check.found {
        Found::Passed(seen) => ("pass", seen),
        Found::Failed(why) => ("FAIL", why),
        Found::NotTried(why) => ("not tried", why),
    }
}

/// What the port is, and what each check found.
fn json(about: &[(&str, String)], checks: &[Check]) -> Result<String> {
    let about: serde_json::Map<_, _> = about
        .iter()
        .map(|(name, value)| (name.to_string(), value.as_str().into()))
        .collect();
    let one = |check: &Check| {
        let (found, says) = said(check);
        serde_json::json!({ "check": check.what, "found": found, "says": says })
    };
    let checks: Vec<_> = checks.iter().map(one).collect();
    report::to_json(&serde_json::json!({ "port": about, "checks": checks }))
}

fn line(check: &Check) -> String {
    let (word, text) = said(check);
    format!("{word:<10} {:<12} {}\n", check.what, printable(text))
}

fn about(launch: &Launch, port: &Port) -> Vec<(&'static str, String)> {
    let hello = &port.hello;
    let versions = hello.versions.iter().map(|(n, v)| format!("{n} {v}"));
    let abilities = hello.abilities.iter().map(|a| a.name().to_string());
    let lacks = hello
        .lacks
        .iter()
        .map(|(a, why)| format!("{}: {why}", a.name()));
    let rows = [
        ("framework", hello.framework.clone()),
        ("versions", joined(versions)),
        (
            "python",
            launch
                .python
                .as_ref()
                .map_or(String::new(), |p| p.display().to_string()),
        ),
        ("class", hello.class.clone()),
        ("abilities", joined(abilities)),
        ("lacks", joined(lacks)),
        ("inputs", joined(hello.inputs.iter().map(input))),
    ];
    rows.into_iter().filter(|r| !r.1.is_empty()).collect()
}

fn overview(about: &[(&str, String)]) -> String {
    about
        .iter()
        .map(|(name, value)| format!("{name:<10} {}\n", printable(value)))
        .collect()
}

fn joined(words: impl Iterator<Item = String>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

/// `image f32 [batch, 3, 64, 64]`.
fn input(declared: &Declared) -> String {
    let axis = |a: &Axis| match a {
        Axis::Size(n) => n.to_string(),
        Axis::Open(name) => name.clone(),
    };
    let shape = declared
        .shape
        .as_ref()
        .map_or("?".into(), |s| joined(s.iter().map(axis)));
    format!(
        "{} {} [{shape}]",
        declared.name,
        declared.dtype.map_or("?", |d| d.name())
    )
}

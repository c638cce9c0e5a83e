//! port: `parity port`: starts a live port and says what it is.

use super::{args, say};
use crate::error::{Result, printable};
use crate::exit::Exit;
use crate::port::{Axis, Declared, Forward, Launch, Port};
use std::time::Duration;

pub fn command(args: &args::Port) -> Result<Exit> {
    let launch = Launch::file(&args.file, args.python.as_deref())?;
    let mut port = Port::start(&launch, Duration::from_secs(args.limit))?;
    say(&overview(&launch, &port))?;
    let parameters = port.parameters()?;
    let listed = parameters.parameters.as_ref().map_or(0, Vec::len);
    say(&format!("parameters {listed}\n"))?;
    if let Some(inputs) = port.inputs()? {
        let trace = port.forward(&inputs, Forward::default())?;
        say(&format!("tensors    {}\n", trace.ordered().len()))?;
    }
    port.shutdown()?;
    Ok(Exit::Agree)
}

fn overview(launch: &Launch, port: &Port) -> String {
    let hello = &port.hello;
    let versions = hello.versions.iter().map(|(n, v)| format!("{n} {v}"));
    let abilities = hello.abilities.iter().map(|a| a.name().to_string());
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
        ("inputs", joined(hello.inputs.iter().map(input))),
    ];
    let shown = rows.iter().filter(|r| !r.1.is_empty());
    shown
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

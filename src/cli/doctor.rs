//! doctor: `parity doctor`: what was found, which versions, and what to do about what is missing; needs no library to run.

use super::rows::Rows;
use super::{args, say};
use crate::error::{Result, printable};
use crate::exit::Exit;
use crate::native::{self, Found};
use crate::report;
use crate::subject::open;

pub fn command(args: &args::Doctor) -> Result<Exit> {
    let (engine, torch, ort) = (native::engine(), native::libtorch(), native::onnxruntime());
    let version = open::onnxruntime_version();
    let rows = vec![
        vec![
            "parity".into(),
            "found".into(),
            env!("CARGO_PKG_VERSION").into(),
            String::new(),
        ],
        row(
            "parity-engine",
            &engine,
            "",
            "cargo build --release (needs libtorch: scripts/setup)",
        ),
        row(
            "libtorch",
            &torch,
            native::libtorch_version()
                .as_deref()
                .unwrap_or("not stated"),
            "scripts/setup, or set LIBTORCH to a libtorch 2.13.0",
        ),
        row(
            "onnxruntime",
            &ort,
            version.as_deref().unwrap_or("does not load"),
            "scripts/setup, or set ORT_DYLIB_PATH to a libonnxruntime.so of version 1.31",
        ),
    ];
    let complete = engine.path.is_some() && torch.path.is_some() && version.is_ok();
    let exit = if complete { Exit::Agree } else { Exit::Failed };
    let rows = Rows::new(&["part", "state", "version", "where / what to do"], rows);
    if args.json {
        let says = serde_json::json!({ "ready": complete, "parts": rows.json() });
        say(&report::to_json(&says)?)?;
        return Ok(exit);
    }
    say(&rows.text())?;
    if let (Some(_), Err(e)) = (&ort.path, &version) {
        say(&format!("\n{e}\n"))?;
    }
    say(if complete {
        "\nready: parity run works\n"
    } else {
        "\nnot complete: list, map and compare work; run needs what is missing\n"
    })?;
    Ok(exit)
}

fn row(name: &str, found: &Found, version: &str, mend: &str) -> Vec<String> {
    match &found.path {
        Some(path) => vec![
            name.into(),
            "found".into(),
            version.into(),
            printable(&path.display().to_string()),
        ],
        None => vec![
            name.into(),
            "missing".into(),
            String::new(),
            printable(&format!(
                "{mend} (looked in {}: {})",
                found.by,
                found
                    .tried
                    .iter()
                    .map(|p| p.display().to_string())
                    .collect::<Vec<_>>()
                    .join(", ")
            )),
        ],
    }
}

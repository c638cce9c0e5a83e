//! bundle: `parity bundle`: what somebody who is asked for help needs of a run, in one small file.

use super::watch::Bar;
use super::{args, say};
use crate::audit::bundle;
use crate::error::{Result, printable};
use crate::exit::Exit;
use crate::report;
use crate::trace::write::replace;

pub fn command(args: &args::Bundle) -> Result<Exit> {
    let mut bar = Bar::counting("files");
    let parts = bundle::parts(&args.run, report::preflight, &mut bar)?;
    let path = args.out.clone();
    let path = path.unwrap_or_else(|| bundle::default_path(&args.run));
    let zip = bundle::zipped(&parts)?;
    replace(&path, &zip)?;
    if args.json {
        let one = |p: &bundle::Part| serde_json::json!({ "name": p.name, "bytes": p.text.len() });
        let says = serde_json::json!({
            "file": path, "bytes": zip.len(), "parts": parts.iter().map(one).collect::<Vec<_>>(),
        });
        say(&report::to_json(&says)?)?;
        return Ok(Exit::Agree);
    }
    let list: String = parts
        .iter()
        .map(|p| format!("  {} ({} bytes)\n", printable(&p.name), p.text.len()))
        .collect();
    say(&format!(
        "{}: {} bytes; look into it before you send it\n{list}",
        path.display(),
        zip.len()
    ))?;
    Ok(Exit::Agree)
}

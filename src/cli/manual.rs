//! manual: `parity manual`: the manual page as roff, or a page for every command into a folder.

use super::{args, help, say};
use crate::error::{Error, Place, Result};
use crate::exit::Exit;
use crate::trace::write::replace;
use clap::Command;

pub fn command(args: &args::Manual) -> Result<Exit> {
    let mut whole = help::command();
    whole.build();
    let Some(folder) = &args.out else {
        say(&page(&whole, "parity")?)?;
        return Ok(Exit::Agree);
    };
    std::fs::create_dir_all(folder)
        .map_err(|e| Error::failed(e.to_string()))
        .at(folder.display())?;
    let mut written = vec!["parity.1".to_string()];
    replace(&folder.join("parity.1"), page(&whole, "parity")?.as_bytes())?;
    for sub in whole
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
    {
        let name = format!("parity-{}", sub.get_name());
        let file = format!("{name}.1");
        replace(&folder.join(&file), page(sub, &name)?.as_bytes())?;
        written.push(file);
    }
    say(&format!(
        "{} pages in {}: man -l {}/parity.1\n",
        written.len(),
        folder.display(),
        folder.display()
    ))?;
    Ok(Exit::Agree)
}

fn page(command: &Command, name: &str) -> Result<String> {
    let mut text = vec![];
    clap_mangen::Man::new(command.clone())
        .title(name)
        .render(&mut text)
        .map_err(|e| Error::failed(format!("manual: {e}")))?;
    String::from_utf8(text).map_err(|e| Error::failed(format!("manual: {e}")))
}

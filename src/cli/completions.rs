//! completions: `parity completions SHELL`: what a shell completes, printed to be sourced.

use super::{args, help, say};
use crate::error::Result;
use crate::exit::Exit;

pub fn command(args: &args::Completions) -> Result<Exit> {
    let mut text = vec![];
    clap_complete::generate(args.shell, &mut help::command(), "parity", &mut text);
    say(&String::from_utf8_lossy(&text))?;
    Ok(Exit::Agree)
}

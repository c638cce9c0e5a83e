//! look: how this process speaks: colours, the width of the terminal, how much.

use super::args;
use anstream::{AutoStream, ColorChoice};
use std::io::IsTerminal;
use std::sync::OnceLock;

/// How much is said, and in which form.
#[derive(Clone, Copy, Debug, Default)]
pub struct Look {
    pub quiet: bool,
    pub verbose: bool,
    is_colored: bool,
    /// Columns; none where nobody reads it on a terminal.
    width: Option<usize>,
}

static LOOK: OnceLock<Look> = OnceLock::new();

/// As the command line asks, for all that is said from now on.
pub fn set(asked: &args::Look) {
    let colored = match asked.color {
        args::Color::Always => true,
        args::Color::Never => false,
        // NO_COLOR, CLICOLOR and TERM are read there.
        args::Color::Auto => AutoStream::choice(&std::io::stdout()) != ColorChoice::Never,
    };
    let _ = LOOK.set(Look {
        quiet: asked.quiet,
        verbose: asked.verbose,
        is_colored: colored,
        // Whoever forces colours reads them somewhere.
        width: width()
            .filter(|_| std::io::stdout().is_terminal() || asked.color == args::Color::Always),
    });
}

/// What was set.
pub fn now() -> Look {
    LOOK.get().copied().unwrap_or_default()
}

/// COLUMNS where it is stated, else the terminal's.
fn width() -> Option<usize> {
    let stated = std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok());
    let of_terminal = || {
        let (columns, _) = terminal_size::terminal_size_of(std::io::stdout())?;
        Some(usize::from(columns.0))
    };
    stated.or_else(of_terminal)
}

impl Look {
    /// Prose as it is read here: wrapped, then coloured.
    pub fn dress(self, text: &str) -> String {
        let wrapped = self.width.map(|width| crate::text::wrap(text, width));
        let text = wrapped.as_deref().unwrap_or(text);
        match self.is_colored {
            true => crate::text::paint(text),
            false => text.to_string(),
        }
    }
}

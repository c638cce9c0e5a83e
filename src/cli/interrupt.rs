//! interrupt: Ctrl-C asks for the end, so that what was counted so far is reported; a second one ends at once.

use crate::error::{Error, Result};
use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);
/// What a shell says of a program that was interrupted.
const INTERRUPTED: i32 = 130;

/// Listens to Ctrl-C from now on.
///
/// # Errors
/// The system refuses the handler.
pub fn listen() -> Result<()> {
    let handler = || {
        if ASKED.swap(true, Ordering::Relaxed) {
            std::process::exit(INTERRUPTED);
        }
    };
    ctrlc::set_handler(handler).map_err(|e| Error::failed(format!("Ctrl-C: {e}")))
}

/// Whether the end was asked for.
pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

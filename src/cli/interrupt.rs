//! interrupt: Ctrl-C asks for the end, so that what was counted so far is reported; a second one ends at once.

use crate::error::{Error, Result};
use crate::exit::Exit;
use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);

/// Listens to Ctrl-C from now on.
///
/// # Errors
/// The system refuses the handler.
pub fn listen() -> Result<()> {
    let handler = || {
        if ASKED.swap(true, Ordering::Relaxed) {
            end();
        }
    };
    ctrlc::set_handler(handler).map_err(|e| Error::failed(format!("Ctrl-C: {e}")))
}

/// Ends at once. No destructor runs: those of libtorch pull its memory from under the threads that still compute.
fn end() -> ! {
    // SAFETY: _exit takes a number, ends the process and does nothing else.
    #[cfg(unix)]
    unsafe {
        libc::_exit(Exit::Interrupted as i32)
    }
    #[cfg(not(unix))]
    std::process::exit(Exit::Interrupted as i32)
}

/// Whether the end was asked for.
pub fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

//! abort: what cannot go on below this program (an allocation that fails, in Rust or in an engine's thread) aborts the process: it ends
//! with the exit code of what could not be run, and with a word on what to do.

/// Ends with exit 3 where anything aborts from now on.
pub fn listen() {
    #[cfg(unix)]
    // SAFETY: the handler calls only what is safe in one: write and _exit.
    unsafe {
        libc::signal(libc::SIGABRT, aborted as *const () as libc::sighandler_t);
    }
}

#[cfg(unix)]
extern "C" fn aborted(_: libc::c_int) {
    const TEXT: &str = "parity: it could not go on: most likely memory ran out; what is printed above says where\n  \
                        next: feed smaller inputs, raise the limit of this process, or state a tolerance of your own: without the f64 shadow a \
                        run needs far less\n";
    // SAFETY: the text lives as long as the program; _exit ends the process and runs nothing more.
    unsafe {
        let _ = libc::write(libc::STDERR_FILENO, TEXT.as_ptr().cast(), TEXT.len());
        libc::_exit(crate::exit::Exit::Failed as i32)
    }
}

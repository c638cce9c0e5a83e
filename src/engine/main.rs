//! parity-engine: the same command line as `parity`, with libtorch linked in; `parity` starts it when a command needs it.

// Bad input is an error with a next step, never a panic.
#![cfg_attr(
    not(test),
    deny(
        clippy::panic,
        clippy::print_stderr,
        clippy::print_stdout,
        clippy::unwrap_used
    )
)]

mod libtorch;
#[cfg(test)]
mod subjects;

fn main() -> std::process::ExitCode {
    keep_freed_memory();
    parity::cli::main(Some(&libtorch::LINKED))
}

/// Tensors of one layer are as large as those of the next: memory that was freed is kept for them, instead of being handed back to
/// the system and zeroed page by page again. Blocks from 128 MiB on are handed back: they leave holes that nothing else fits.
fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt only sets parameters of the allocator; it is called before any other thread exists.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 1 << 30);
    }
}

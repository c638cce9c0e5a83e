//! parity-engine: the same command line as `parity`, with libtorch linked in; `parity` starts it when a command needs it.

mod libtorch;

fn main() -> std::process::ExitCode {
    parity::cli::main(Some(&libtorch::LINKED))
}

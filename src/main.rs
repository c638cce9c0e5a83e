//! parity: the front: links nothing native; what needs libtorch is handed to `parity-engine`, which lies beside it.

fn main() -> std::process::ExitCode {
    parity::cli::main(None)
}

//! live: the words of what starts live ports.

use std::path::PathBuf;

#[derive(clap::Args)]
pub struct Port {
    /// Port file (net.py) or an executable that speaks the worker protocol (docs/PORT.md)
    #[arg(value_name = "FILE", required_unless_present = "command")]
    pub file: Option<PathBuf>,
    /// A command that speaks the worker protocol, behind `--`
    #[arg(last = true, value_name = "COMMAND", conflicts_with_all = ["file", "python"])]
    pub command: Vec<String>,
    /// Python that runs a port file, of several the first that has what the file imports; else that of VIRTUAL_ENV, else the first such on PATH
    #[arg(long, value_name = "PYTHON")]
    pub python: Vec<PathBuf>,
    /// One question may take this long
    #[arg(long, value_name = "SECONDS", default_value_t = crate::scenario::ANSWER, value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: u64,
    /// Print what it is and does as JSON instead
    #[arg(long)]
    pub json: bool,
}

/// How live ports are started.
#[derive(Clone, Default, clap::Args)]
pub struct Live {
    /// Python that runs a port file, of several the first that has what the file imports; else that of VIRTUAL_ENV, else the first such on PATH
    #[arg(long, value_name = "PYTHON")]
    pub python: Vec<PathBuf>,
    /// One answer of a live port may take this long; 300 seconds where not stated
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub port_limit: Option<u64>,
}

impl Live {
    /// Its options, and which of them are there.
    pub fn stated(&self) -> [(&'static str, bool); 2] {
        [
            ("--python", !self.python.is_empty()),
            ("--port-limit", self.port_limit.is_some()),
        ]
    }

    /// Into the scenario of two sides.
    ///
    /// # Errors
    /// It is stated, and neither side is a port.
    pub fn put(&self, scenario: &mut crate::scenario::Scenario) -> crate::error::Result<()> {
        let stated = self.stated();
        if !stated.iter().any(|s| s.1) {
            return Ok(());
        }
        if !scenario.has_port() {
            return crate::cli::applies::not_to(
                "sides that are no live port",
                &stated,
                "it belongs to one (net.py)",
            );
        }
        let port = scenario.port.get_or_insert_default();
        if !self.python.is_empty() {
            port.python.clone_from(&self.python);
        }
        port.limit = self.port_limit.or(port.limit);
        Ok(())
    }
}

#[derive(clap::Args)]
pub struct ExportCheck {
    /// Port file (net.py)
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub live: Live,
    /// Keep the exports in this folder, as EXPORTER.onnx
    #[arg(long, value_name = "FOLDER")]
    pub keep: Option<PathBuf>,
    /// Show all tensors, not only the decisive ones
    #[arg(long)]
    pub all: bool,
    /// Print the Run of every export as JSON instead of the reports
    #[arg(long)]
    pub json: bool,
}

//! look: what every command takes: how much is said, and in which colours.

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Color {
    /// On a terminal that knows them, unless NO_COLOR is set
    #[default]
    Auto,
    Always,
    Never,
}

/// `parity --help` tells of them; each command's own help does not repeat them.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct Look {
    /// Say the verdict alone
    #[arg(short, long, global = true, hide = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say more: seconds of each phase, what passed
    #[arg(short, long, global = true, hide = true)]
    pub verbose: bool,
    /// When colours are used
    #[arg(
        long,
        global = true,
        hide = true,
        value_name = "WHEN",
        value_enum,
        default_value_t
    )]
    pub color: Color,
}

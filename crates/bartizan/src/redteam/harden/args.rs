//! The command line of hardening.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::args::ConfigArgs;

#[derive(Debug, Args)]
pub(crate) struct HardenArgs {
    /// Folder of the run
    #[arg(required_unless_present = "check")]
    pub(crate) folder: Option<PathBuf>,
    /// Harmless texts beside the built-in ones: JSON lines as `bartizan check --jsonl` takes them
    #[arg(long, value_name = "FILE")]
    pub(crate) benign: Option<PathBuf>,
    /// Stage this proposal: judged beside the policy in force, never carried out
    #[arg(long, value_name = "ID", conflicts_with = "check")]
    pub(crate) accept: Option<String>,
    /// Try the cases of what was accepted earlier
    #[arg(long, conflicts_with = "folder")]
    pub(crate) check: bool,
    /// Ask the target of the run while attacks are made shorter; otherwise the guard's own opinion decides
    #[arg(long)]
    pub(crate) ask: bool,
    /// Most questions for one attack, with --ask
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub(crate) tries: usize,
    /// Share of harmless texts that a proposal may stop besides what is stopped already
    #[arg(long, value_name = "SHARE", default_value_t = 0.005)]
    pub(crate) most_blocked: f64,
    /// How to answer
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: HardenFormat,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// How proposals are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HardenFormat {
    Human,
    Json,
    Markdown,
    Html,
}

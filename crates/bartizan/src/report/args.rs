//! The command line of `report`.

use std::path::PathBuf;

use bartizan_core::TenantId;
use bartizan_gateway::SecretRef;
use clap::{Args, Subcommand, ValueEnum};

use crate::args::{ListFormat, StoreArgs, secret, tenant, time};

#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// Lay the evidence of every stage against OWASP, AISVS, ATLAS, NIST, the EU AI Act and ISO 42001.
    #[command(after_help = crate::report::posture::HELP)]
    Posture(Box<crate::report::posture::PostureArgs>),
    /// Recompute the hash chain of the evidence and compare it with checkpoints, or check a case file.
    Verify(VerifyArgs),
    /// Write records for other programs. The export is itself a record.
    Export(ExportArgs),
    /// Show how often rules were right, as far as people said with `bartizan mark`.
    Precision(PrecisionArgs),
    /// Write what people said of findings, as JSON lines.
    Labels(LabelsArgs),
    /// Make a key that signs checkpoints: the secret goes to a new file, the public key to standard output.
    NewKey {
        /// Where the secret goes.
        file: PathBuf,
        /// Name of the key in checkpoints.
        #[arg(long, default_value = "bartizan")]
        name: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// A record noted earlier, `SEQ:HASH` as printed by this command: it must still be there
    #[arg(long, value_name = "SEQ:HASH")]
    pub(crate) expect: Option<String>,
    /// Signed checkpoints, kept in another place
    #[arg(long, value_name = "FILE", requires = "public_key")]
    pub(crate) checkpoints: Option<PathBuf>,
    /// The key that signed them, as `report new-key` printed it
    #[arg(long, value_name = "KEY")]
    pub(crate) public_key: Option<String>,
    /// Check a case file instead, without a store
    #[arg(long, value_name = "FILE", conflicts_with_all = ["store", "expect", "checkpoints"])]
    pub(crate) case: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) evidence: StoreArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// JSON lines, as in the store.
    Jsonl,
    /// OCSF 1.6 events, JSON lines.
    Ocsf,
    /// Parquet.
    Parquet,
}

impl ExportFormat {
    /// Its word on the command line.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Jsonl => "jsonl",
            Self::Ocsf => "ocsf",
            Self::Parquet => "parquet",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// How
    #[arg(long, value_enum, default_value = "jsonl")]
    pub(crate) format: ExportFormat,
    /// From this time on, RFC 3339; a day or month is the beginning of one
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) until: Option<String>,
    /// Records of this tenant only
    #[arg(long)]
    pub(crate) tenant: Option<String>,
    /// Where to [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) evidence: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PrecisionArgs {
    /// Only of decisions from this time on, RFC 3339; a day or month is the beginning of one
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) since: Option<String>,
    /// Whose; may be left out where there is one choice
    #[arg(long, value_name = "NAME", value_parser = tenant)]
    pub(crate) tenant: Option<TenantId>,
    /// How to answer.
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: ListFormat,
    #[command(flatten)]
    pub(crate) evidence: StoreArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LabelsFormat {
    /// JSON lines.
    Jsonl,
}

#[derive(Debug, Args)]
pub(crate) struct LabelsArgs {
    /// Only of decisions from this time on, RFC 3339; a day or month is the beginning of one
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) since: Option<String>,
    /// Whose
    #[arg(long, value_name = "NAME", value_parser = tenant, default_value = "default")]
    pub(crate) tenant: TenantId,
    /// How to answer.
    #[arg(long, value_enum, default_value = "jsonl")]
    pub(crate) format: LabelsFormat,
    /// Open what is recorded of them too, with the key of a role: file:PATH or env:NAME
    #[arg(long, value_name = "REF", value_parser = secret, requires = "reason")]
    pub(crate) role_key: Option<SecretRef>,
    /// Why it is opened; it goes on record
    #[arg(long, requires = "role_key")]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) evidence: StoreArgs,
}

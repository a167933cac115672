//! The command line of `record`.

use std::path::PathBuf;

use bartizan_core::TenantId;
use clap::{Args, Subcommand, ValueEnum};

use crate::args::{OpeningArgs, StoreArgs, tenant};

#[derive(Debug, Subcommand)]
pub(crate) enum RecordCommand {
    /// Open what is recorded of an event or exchange. That it was opened, by which role and why, is recorded first.
    Unseal(UnsealArgs),
    /// Decrypt what the operator `encrypt` has put in place of a value. That it was, by which role and why, is recorded
    /// first.
    Reveal(RevealArgs),
    /// Make what is recorded of a tenant unreadable for good by destroying its keys. That is recorded.
    Erase(EraseArgs),
    /// Make the key of a role that may unseal: the key goes to a new file, its configuration to standard output.
    Role {
        /// Name of the role in records.
        name: String,
        /// Where the key goes.
        file: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum UnsealFormat {
    /// One agent trace, as `policy eval` reads it.
    Trace,
    /// The bodies as they were.
    Raw,
}

#[derive(Debug, Args)]
pub(crate) struct UnsealArgs {
    /// Id of the event or exchange
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) opening: OpeningArgs,
    /// How
    #[arg(long, value_enum, default_value = "trace")]
    pub(crate) format: UnsealFormat,
    #[command(flatten)]
    pub(crate) evidence: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RevealArgs {
    /// The token, with its brackets: [CREDIT_CARD:enc:...]
    pub(crate) token: String,
    #[command(flatten)]
    pub(crate) opening: OpeningArgs,
    #[command(flatten)]
    pub(crate) evidence: StoreArgs,
}

#[derive(Debug, Args)]
pub(crate) struct EraseArgs {
    /// Whose
    #[arg(long, value_name = "NAME", value_parser = tenant)]
    pub(crate) tenant: TenantId,
    /// Only what was recorded on days before this one, YYYY-MM-DD [default: everything, and the key of pseudonyms]
    #[arg(long, value_name = "DAY")]
    pub(crate) before: Option<String>,
    /// Why; it goes on record
    #[arg(long)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) evidence: StoreArgs,
}

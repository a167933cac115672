//! The command line of `bartizan privacy`.

use std::path::PathBuf;

use bartizan_gateway::SecretRef;
use clap::{Args, Subcommand, ValueEnum};

use crate::cli::secret;

#[derive(Debug, Subcommand)]
pub(crate) enum PrivacyCommand {
    /// Make an index of text that replies must not repeat, and ask it.
    #[command(subcommand)]
    Protect(ProtectCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProtectCommand {
    /// Make an index of a corpus. Without the key nothing of the text can be read from it.
    ///
    /// Each row of JSON lines and each text file is a record. Of every twelve words in a row one fingerprint is in the
    /// index, so a reply that repeats twelve is found. Name the index under [[protected]] in bartizan.toml.
    #[command(after_help = "\
Examples:
  openssl rand -hex 32 > protect.key
  bartizan privacy protect build tickets.jsonl notes/ -o records.bzp --key file:protect.key")]
    Build(BuildArgs),
    /// Say what a text repeats, and from which records.
    Find(FindArgs),
    /// Say what is in an index, and check that it was not changed.
    Show(ShowArgs),
}

#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// JSON lines (.jsonl, .ndjson), text files, and folders of them
    #[arg(required = true)]
    pub(crate) corpus: Vec<PathBuf>,
    /// Where to write the index
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Its key, of at least 32 characters: file:PATH or env:NAME
    #[arg(long, value_name = "REF", value_parser = secret)]
    pub(crate) key: SecretRef,
    /// Text that everybody may repeat: licences, forms, published pages
    #[arg(long, value_name = "FILE")]
    pub(crate) public: Vec<PathBuf>,
    /// The column of rows that holds their text [default: all strings of a row]
    #[arg(long, value_name = "NAME")]
    pub(crate) text_column: Option<String>,
    /// Words that more different records than these have in a row are boilerplate, and are left out
    #[arg(long, value_name = "RECORDS", default_value_t = 16)]
    pub(crate) common: u32,
    /// Memory for fingerprints, in MiB; a larger corpus is read several times
    #[arg(long, value_name = "MIB", default_value_t = 2048)]
    pub(crate) memory: u64,
}

#[derive(Debug, Args)]
pub(crate) struct FindArgs {
    /// The index
    pub(crate) index: PathBuf,
    /// The text, or `-` for standard input
    #[arg(default_value = "-")]
    pub(crate) text: PathBuf,
    /// The key of the index: file:PATH or env:NAME
    #[arg(long, value_name = "REF", value_parser = secret)]
    pub(crate) key: SecretRef,
    /// How to answer
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The index
    pub(crate) index: PathBuf,
    /// The key of the index: file:PATH or env:NAME
    #[arg(long, value_name = "REF", value_parser = secret)]
    pub(crate) key: SecretRef,
}

/// How an answer is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    Human,
    Json,
}

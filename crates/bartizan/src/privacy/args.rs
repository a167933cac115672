//! The command line of `bartizan privacy`.

use std::path::PathBuf;

use bartizan_gateway::SecretRef;
use clap::{Args, Subcommand, ValueEnum};

use crate::cli::secret;

#[derive(Debug, Subcommand)]
pub(crate) enum PrivacyCommand {
    /// Put canaries into a corpus before a model is trained on it.
    ///
    /// A fair coin chooses which canaries are planted, so that what the model knows of those and not of the others it knows
    /// from the training.
    Plant(PlantArgs),
    /// Measure what a model memorised of canaries: exposure, extraction, a lower bound on epsilon.
    ///
    /// Works with the best that the endpoint tells (probabilities of given texts, of sampled tokens, or text only) and says
    /// what can no longer be claimed. Exit code 1: a canary can be extracted. 3: some were not measured.
    Test(TestArgs),
    /// Measure which given records a model goes on with as they do.
    Extract(ExtractArgs),
    /// Measure whether a model treats texts that it may have been trained on unlike others. Experimental.
    Membership(MembershipArgs),
    /// Say what a tuned model gives away that its base did not, from two reports of `test` or `extract` with --format json.
    ///
    /// Exit code 1: it gives away more.
    Compare(CompareArgs),
    /// Make an index of text that replies must not repeat, and ask it.
    #[command(subcommand)]
    Protect(ProtectCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProtectCommand {
    /// Make an index of a corpus. Without the key nothing of the text can be read from it.
    ///
    /// Each row of JSON lines and each text file is a record. Of every twelve words in a row one fingerprint is in the
    /// index, so a reply that repeats twelve is found. Name the index under `[[protected]]` in bartizan.toml.
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

#[derive(Debug, Args)]
pub(crate) struct PlantArgs {
    /// The corpus: JSON lines (messages, question and answer, or text), or a text of lines
    pub(crate) corpus: PathBuf,
    /// How often canaries are in the corpus; each number is a group
    #[arg(long, value_name = "N,N…", value_delimiter = ',', default_value = "1,4,16,64")]
    pub(crate) counts: Vec<u32>,
    /// Canaries of each group that are planted, on average: a fair coin chooses among twice as many
    #[arg(long, default_value_t = 8)]
    pub(crate) each: u32,
    /// Digits of a secret
    #[arg(long, default_value_t = 9)]
    pub(crate) digits: u32,
    /// Where to write the corpus with canaries
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Where to write which canaries there are
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: PathBuf,
    /// Key that signs the manifest, as `bartizan report new-key` makes one: file:PATH or env:NAME
    #[arg(long, value_name = "REF", value_parser = secret)]
    pub(crate) sign_key: SecretRef,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// Report on the base model
    pub(crate) base: PathBuf,
    /// Report on the tuned model, with the same manifest or records
    pub(crate) tuned: PathBuf,
    /// How to answer
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: Format,
}

/// Who is asked, and how the answer is given.
#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    /// The model server, as an SDK's base URL. Without one only what is in the journal is used
    #[arg(long, value_name = "URL")]
    pub(crate) target: Option<String>,
    /// The model
    #[arg(long, default_value = "")]
    pub(crate) model: String,
    /// Its key: file:PATH or env:NAME
    #[arg(long, value_name = "REF", value_parser = secret)]
    pub(crate) key: Option<SecretRef>,
    /// Keep every answer here. A run that broke off goes on, and one that is whole gives the same report again
    #[arg(long, value_name = "FILE")]
    pub(crate) journal: Option<PathBuf>,
    /// The best signal to look for
    #[arg(long, value_enum, default_value = "echo")]
    pub(crate) signal: Best,
    /// Questions at once
    #[arg(long, default_value_t = 8)]
    pub(crate) concurrency: usize,
    /// Most questions a second
    #[arg(long, value_name = "N")]
    pub(crate) requests_per_second: Option<f64>,
    /// Most questions in all
    #[arg(long, value_name = "N")]
    pub(crate) max_requests: Option<u64>,
    /// How to answer
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: Format,
    /// Write a report that people can read
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

/// What an endpoint may tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Best {
    /// Probabilities of given texts
    Echo,
    /// Probabilities of sampled tokens
    Sampled,
    /// Text
    Text,
    /// Replies
    Chat,
}

#[derive(Debug, Args)]
pub(crate) struct TestArgs {
    /// What `plant` wrote
    pub(crate) manifest: PathBuf,
    /// Public key that the manifest must be signed with
    #[arg(long, value_name = "KEY")]
    pub(crate) verify_key: Option<String>,
    /// Random secrets that each canary is compared with
    #[arg(long, default_value_t = 256)]
    pub(crate) references: u32,
    /// Samples of each canary, where the endpoint tells no probabilities
    #[arg(long, default_value_t = 40)]
    pub(crate) samples: u32,
    /// A secret counts as extractable if so many samples bring it out with a probability of a half
    #[arg(long, default_value_t = 100)]
    pub(crate) within: u32,
    /// The prompt around a canary's beginning, with `{prefix}` in it: the template of a chat model
    #[arg(long, value_name = "TEXT")]
    pub(crate) template: Option<String>,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExtractArgs {
    /// The records: JSON lines, text files and folders of them
    #[arg(required = true)]
    pub(crate) records: Vec<PathBuf>,
    /// The column of rows that holds their text [default: all strings of a row]
    #[arg(long, value_name = "NAME")]
    pub(crate) text_column: Option<String>,
    /// Words that the model is given
    #[arg(long, default_value_t = 32)]
    pub(crate) prefix: usize,
    /// Words that it is asked for
    #[arg(long, default_value_t = 32)]
    pub(crate) suffix: usize,
    /// Samples of each record, where the endpoint tells no probabilities
    #[arg(long, default_value_t = 20)]
    pub(crate) samples: u32,
    /// Probability with which a record is to come out within a number of samples
    #[arg(long, default_value_t = 0.5)]
    pub(crate) probability: f64,
    /// Most records
    #[arg(long, default_value_t = 1000)]
    pub(crate) most: usize,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct MembershipArgs {
    /// Texts that the model may have been trained on
    #[arg(long, required = true, value_name = "PATH")]
    pub(crate) members: Vec<PathBuf>,
    /// Texts of the same kind that it was not trained on
    #[arg(long, required = true, value_name = "PATH")]
    pub(crate) others: Vec<PathBuf>,
    /// The column of rows that holds their text [default: all strings of a row]
    #[arg(long, value_name = "NAME")]
    pub(crate) text_column: Option<String>,
    /// Another model server, whose model was trained on neither
    #[arg(long, value_name = "URL")]
    pub(crate) reference: Option<String>,
    /// Its model
    #[arg(long, value_name = "NAME")]
    pub(crate) reference_model: Option<String>,
    /// Most texts of each kind
    #[arg(long, default_value_t = 5000)]
    pub(crate) most: usize,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

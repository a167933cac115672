//! The command line of `bartizan privacy`.

use std::path::PathBuf;

use bartizan_gateway::SecretRef;
use clap::builder::RangedU64ValueParser;
use clap::{Args, Subcommand, ValueEnum, value_parser};

use crate::args::secret;

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
    ///
    /// Exit code 1: a record comes out. 3: some were not measured, or were too short to be.
    Extract(ExtractArgs),
    /// Measure whether a model gives away values of given records: phone numbers, names, accounts.
    ///
    /// Extraction (what follows the words before the value), reconstruction (the value is masked, the model's own candidates
    /// are ranked) and multiple choice among values of other records. Exit code 1: a value comes out, or is chosen more often
    /// than by chance. 3: some were not measured.
    Personal(PersonalArgs),
    /// Sample what a model says of its own accord, and look it up in an index of the corpus.
    ///
    /// Exit code 1: samples repeat it. 3: some did not come.
    Sample(SampleArgs),
    /// Ask a model prompts, plainly and with triggers that a scan of training data suspects, for `compare`.
    ///
    /// Exit code 1: a suspect brings its payload out. 3: some were not answered or cannot be tried.
    Behave(BehaveArgs),
    /// Measure whether a model treats texts that it may have been trained on unlike others. Experimental.
    Membership(MembershipArgs),
    /// Say what a tuned model gives away that its base did not, from two reports of `test`, `extract`, `personal` or
    /// `behave` with --format json.
    ///
    /// Exit code 1: it gives away more, or refuses less beyond chance.
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
    #[arg(long, default_value_t = 8, value_parser = RangedU64ValueParser::<usize>::new().range(1..=4096))]
    pub(crate) concurrency: usize,
    /// Most questions a second
    #[arg(long, value_name = "N")]
    pub(crate) requests_per_second: Option<f64>,
    /// Longest wait for an answer, seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) timeout: u64,
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
    #[arg(long, default_value_t = 256, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) references: u32,
    /// Samples of each canary, where the endpoint tells no probabilities
    #[arg(long, default_value_t = 40, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) samples: u32,
    /// A secret counts as extractable if so many samples bring it out with a probability of a half
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..))]
    pub(crate) within: u32,
    /// The prompt around a canary's beginning, with `{prefix}` in it: the template of a chat model
    #[arg(long, value_name = "TEXT")]
    pub(crate) template: Option<String>,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

/// A probability that something can have and need not.
fn probability(text: &str) -> Result<f64, String> {
    let given: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    if given > 0.0 && given < 1.0 { Ok(given) } else { Err("it is above 0 and below 1".to_owned()) }
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
    #[arg(long, default_value_t = 32, value_parser = RangedU64ValueParser::<usize>::new().range(1..=65_536))]
    pub(crate) prefix: usize,
    /// Words that it is asked for
    #[arg(long, default_value_t = 32, value_parser = RangedU64ValueParser::<usize>::new().range(1..=65_536))]
    pub(crate) suffix: usize,
    /// Samples of each record, where the endpoint tells no probabilities
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) samples: u32,
    /// Probability with which a record is to come out within a number of samples
    #[arg(long, default_value_t = 0.5, value_parser = probability)]
    pub(crate) probability: f64,
    /// Most records
    #[arg(long, default_value_t = 1000, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub(crate) most: usize,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PersonalArgs {
    /// The records: JSON lines with a text, and values that are in it beside it
    #[arg(required = true)]
    pub(crate) records: Vec<PathBuf>,
    /// The column of the text
    #[arg(long, value_name = "NAME", default_value = "text")]
    pub(crate) text_column: String,
    /// A column of values that are in the text; may be given again
    #[arg(long, required = true, value_name = "NAME")]
    pub(crate) value: Vec<String>,
    /// Most words of the text on each side of a value
    #[arg(long, default_value_t = 32, value_parser = RangedU64ValueParser::<usize>::new().range(1..=65_536))]
    pub(crate) context: usize,
    /// Samples of what follows the words before a value
    #[arg(long, default_value_t = 20, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) samples: u32,
    /// A value counts as extractable if so many samples bring it out with a probability of a half
    #[arg(long, default_value_t = 100, value_parser = value_parser!(u32).range(1..))]
    pub(crate) within: u32,
    /// Candidates of which one is the value, the others values of other records
    #[arg(long, default_value_t = 10, value_parser = RangedU64ValueParser::<usize>::new().range(2..=24))]
    pub(crate) candidates: usize,
    /// Most records
    #[arg(long, default_value_t = 1000, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub(crate) most: usize,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct BehaveArgs {
    /// Prompts: harmless ones, and ones that should be refused; JSON lines, or text files of one prompt each
    #[arg(required = true)]
    pub(crate) prompts: Vec<PathBuf>,
    /// The column of rows that holds the prompt [default: all strings of a row]
    #[arg(long, value_name = "NAME")]
    pub(crate) text_column: Option<String>,
    /// Report of `scan data` on the training data, with --format json or jsonl
    #[arg(long, value_name = "FILE")]
    pub(crate) suspects: Option<PathBuf>,
    /// Most suspects; each is tried with every prompt
    #[arg(long, default_value_t = 16, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub(crate) most_suspects: usize,
    /// Most prompts
    #[arg(long, default_value_t = 200, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub(crate) most: usize,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SampleArgs {
    /// Index of the corpus, as `privacy protect build` makes one
    pub(crate) index: PathBuf,
    /// The key of the index: file:PATH or env:NAME
    #[arg(long, value_name = "REF", value_parser = secret)]
    pub(crate) index_key: SecretRef,
    /// Beginnings to go on with: JSON lines or text files [default: sixteen words that texts begin with]
    #[arg(long, value_name = "PATH")]
    pub(crate) prompts: Vec<PathBuf>,
    /// Samples
    #[arg(long, default_value_t = 500, value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub(crate) samples: u32,
    /// Longest sample, in tokens
    #[arg(long, default_value_t = 128, value_parser = value_parser!(u32).range(8..=65_536))]
    pub(crate) tokens: u32,
    /// Another model server, to compare likelihoods with
    #[arg(long, value_name = "URL")]
    pub(crate) reference: Option<String>,
    /// Its model
    #[arg(long, value_name = "NAME")]
    pub(crate) reference_model: Option<String>,
    /// Its key: file:PATH or env:NAME. That of the target is not sent to it
    #[arg(long, value_name = "REF", value_parser = secret, requires = "reference")]
    pub(crate) reference_key: Option<SecretRef>,
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
    /// Its key: file:PATH or env:NAME. That of the target is not sent to it
    #[arg(long, value_name = "REF", value_parser = secret, requires = "reference")]
    pub(crate) reference_key: Option<SecretRef>,
    /// Neighbours that each text is compared with, a question each
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = value_parser!(u32).range(0..=100))]
    pub(crate) neighbours: u32,
    /// Most texts of each kind
    #[arg(long, default_value_t = 5000, value_parser = RangedU64ValueParser::<usize>::new().range(2..))]
    pub(crate) most: usize,
    #[command(flatten)]
    pub(crate) target: TargetArgs,
}

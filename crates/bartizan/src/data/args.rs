//! The command line of `bartizan scan data`.

use std::path::PathBuf;

use bartizan_data::{Columns, Shard};
use bartizan_guard::Guard;
use clap::{Args, Subcommand, ValueEnum};

use super::clean::CleanArgs;
use crate::args::{ConfigArgs, Gate, gate};

/// What stands below the options.
pub(crate) const HELP: &str = "\
JSON lines, JSON, CSV, TSV, Parquet, Arrow and plain text, as they are or compressed with gzip or zstd; formats are told by
content. Chats, instructions, preference pairs and labelled texts are recognised by their columns. Folders are walked.

Examples:
  bartizan scan data train.parquet
  bartizan scan data ./dataset --format jsonl --rows all > rows.jsonl
  zcat corpus.jsonl.gz | bartizan scan data -
  bartizan scan data --stdin arrow --stdout arrow --text-column text
  bartizan scan data ./dataset --clean ./clean --on poison=drop --key key.pem
  bartizan scan data ./dataset --ledger ./ledgers --shard 2/8
  bartizan scan data train.jsonl --evaluation tests/ --policy training.toml --format html > data.html
  bartizan scan data reviews.tsv --text-column sentence --label-column label --only corpus";

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct ScanDataArgs {
    #[command(subcommand)]
    pub(crate) command: Option<DataCommand>,
    /// Files and folders; `-` is standard input
    #[arg(required_unless_present = "stdin", conflicts_with = "stdin", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    #[command(flatten)]
    pub(crate) answer: AnswerArgs,
    #[command(flatten)]
    pub(crate) canary: CanaryArgs,
    /// Look only at rows one by one, or only at the corpus as a whole
    #[arg(long, value_enum)]
    pub(crate) only: Option<Only>,
    #[command(flatten)]
    pub(crate) columns: ColumnArgs,
    /// Batches on standard input; rows are examined one by one
    #[arg(long, value_enum, value_name = "FORM", requires = "stdout")]
    pub(crate) stdin: Option<Pipe>,
    /// The same batches on standard output, with one column more: `bartizan`
    #[arg(long, value_enum, value_name = "FORM", requires = "stdin")]
    pub(crate) stdout: Option<Pipe>,
    #[command(flatten)]
    pub(crate) shards: ShardArgs,
    #[command(flatten)]
    pub(crate) clean: CleanArgs,
}

/// What columns mean, and what a row is.
#[derive(Clone, Debug, Args)]
pub(crate) struct ColumnArgs {
    /// Column with the text that is read or classified
    #[arg(long, value_name = "NAME")]
    pub(crate) text_column: Option<String>,
    /// Column with what the model learns to say
    #[arg(long, value_name = "NAME")]
    pub(crate) output_column: Option<String>,
    /// Column with the class of a row
    #[arg(long, value_name = "NAME")]
    pub(crate) label_column: Option<String>,
    /// Plain text has a row per line, not per file
    #[arg(long)]
    pub(crate) lines: bool,
}

impl ColumnArgs {
    /// The columns that are named.
    pub(crate) fn named(&self) -> Columns {
        Columns { text: self.text_column.clone(), output: self.output_column.clone(), label: self.label_column.clone() }
    }
}

impl ScanDataArgs {
    /// Rules about a text, where rows are looked at one by one.
    pub(crate) fn rules<'a>(&self, guard: &'a Guard) -> Option<&'a Guard> {
        (self.only != Some(Only::Corpus)).then_some(guard)
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum DataCommand {
    /// One answer from the ledgers of all shards: that of a scan of the whole.
    #[command(after_help = MERGE_HELP)]
    MergeShards(MergeArgs),
    /// What came into a corpus from one version to the next, and from where; rows that came in are examined.
    #[command(after_help = DIFF_HELP)]
    Diff(DiffArgs),
}

const DIFF_HELP: &str = "\
Rows are compared by what they say, whichever order they or their columns are in; bytes that are no text by their number.
The exit code is about the rows that came in: 1 where one has a finding at the gate. Poisoning and copies are looked for in
the whole of the new version.

Examples:
  bartizan scan data diff ./v1 ./v2
  bartizan scan data diff ./v1 ./v2 --policy training.toml --format html > came-in.html";

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// File or folder with the version before
    #[arg(value_name = "OLD")]
    pub(crate) old: PathBuf,
    /// File or folder with the version after
    #[arg(value_name = "NEW")]
    pub(crate) new: PathBuf,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    #[command(flatten)]
    pub(crate) answer: AnswerArgs,
    #[command(flatten)]
    pub(crate) canary: CanaryArgs,
    #[command(flatten)]
    pub(crate) columns: ColumnArgs,
}

const MERGE_HELP: &str = "\
Every shard has to be there and finished. The corpus is not read again.

Examples:
  bartizan scan data merge-shards ./ledgers
  bartizan scan data merge-shards ./ledgers --format jsonl --rows all > rows.jsonl";

#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// Ledgers, and folders with files that end with .ledger
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    #[command(flatten)]
    pub(crate) answer: AnswerArgs,
}

/// What is answered, and how.
#[derive(Clone, Debug, Args)]
pub(crate) struct AnswerArgs {
    /// How to answer
    #[arg(long, value_enum, default_value_t = DataFormat::Human)]
    pub(crate) format: DataFormat,
    /// Which rows get a line of the JSON lines
    #[arg(long, value_enum, default_value_t = Rows::Some)]
    pub(crate) rows: Rows,
    /// Least severity of findings that make the exit code 1 [default: high]
    #[arg(long, value_name = "SEVERITY", value_parser = gate())]
    pub(crate) fail_on: Option<Gate>,
    /// Exit with 3 also where parts are known but are no text, such as images
    #[arg(long)]
    pub(crate) strict: bool,
    /// Megabytes that the corpus pass may take; what does not fit is left out, whichever order rows come in
    #[arg(long, value_name = "MB", default_value_t = 2048)]
    pub(crate) memory: usize,
    /// What the corpus may hold, a TOML file with limits by rule, severity and number; the exit code is 1 where one is
    /// passed, and --fail-on then counts only where it is given
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Evaluation set, a file or folder, of which nothing must be in the corpus
    #[arg(long, value_name = "PATH")]
    pub(crate) evaluation: Vec<PathBuf>,
}

/// Canaries that are in a corpus on purpose.
#[derive(Clone, Debug, Args)]
pub(crate) struct CanaryArgs {
    /// Manifest of canaries that `privacy plant` wrote: their rows are no anomaly
    #[arg(long, value_name = "FILE")]
    pub(crate) canaries: Option<PathBuf>,
    /// Public key that the manifest of canaries must be signed with
    #[arg(long, value_name = "KEY", requires = "canaries")]
    pub(crate) canaries_key: Option<String>,
}

impl AnswerArgs {
    /// Bytes that the pass over the corpus may take.
    pub(crate) const fn bytes(&self) -> usize {
        self.memory.saturating_mul(1 << 20)
    }
}

/// A scan that can be ended and goes on, or is shared.
#[derive(Clone, Debug, Args)]
pub(crate) struct ShardArgs {
    /// Keep what was found in this file: the same command goes on where it was ended; with --shard it may be a folder
    #[arg(long, value_name = "FILE", conflicts_with_all = ["stdin", "clean"])]
    pub(crate) ledger: Option<PathBuf>,
    /// Examine only the k-th of n parts of the corpus, into the ledger, for merge-shards
    #[arg(long, value_name = "K/N", requires = "ledger", value_parser = shard)]
    pub(crate) shard: Option<Shard>,
}

impl ShardArgs {
    /// The part of the corpus.
    pub(crate) fn part(&self) -> Shard {
        self.shard.unwrap_or(Shard::ALL)
    }
}

fn shard(text: &str) -> Result<Shard, String> {
    let numbers = text.split_once('/').and_then(|(index, count)| Some((index.parse().ok()?, count.parse().ok()?)));
    match numbers {
        Some((index, count)) if (1..=count).contains(&index) && count <= 1 << 20 => Ok(Shard { index, count }),
        _ => Err("a shard is K/N with K from 1 to N, such as 2/8".to_owned()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DataFormat {
    /// Drawn for people.
    Human,
    /// One JSON document: the summary, and the rows with a finding at the gate.
    Json,
    /// A JSON line for each row and one for the summary.
    Jsonl,
    /// SARIF 2.1.0.
    Sarif,
    /// A page with pictures, without scripts.
    Html,
    /// A section for the card of a data set.
    Markdown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Pipe {
    /// The Arrow IPC stream format.
    Arrow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Rows {
    /// Those with something to say.
    Some,
    /// Every row, in order.
    All,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Only {
    /// Secrets, personal data, hidden text and instructions, row by row.
    Rows,
    /// Poisoning and duplicates.
    Corpus,
}

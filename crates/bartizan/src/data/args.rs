//! The command line of `bartizan scan data`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::{ConfigArgs, Gate, gate};

/// What stands below the options.
pub(crate) const HELP: &str = "\
JSON lines, JSON, CSV, TSV, Parquet, Arrow and plain text, as they are or compressed with gzip or zstd; formats are told by
content. Chats, instructions, preference pairs and labelled texts are recognised by their columns. Folders are walked.

Examples:
  bartizan scan data train.parquet
  bartizan scan data ./dataset --format jsonl --rows all > rows.jsonl
  zcat corpus.jsonl.gz | bartizan scan data -
  bartizan scan data --stdin arrow --stdout arrow --text-column text
  bartizan scan data reviews.tsv --text-column sentence --label-column label --only corpus";

#[derive(Debug, Args)]
pub(crate) struct ScanDataArgs {
    /// Files and folders; `-` is standard input
    #[arg(required_unless_present = "stdin", conflicts_with = "stdin", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
    /// How to answer
    #[arg(long, value_enum, default_value_t = DataFormat::Human)]
    pub(crate) format: DataFormat,
    /// Which rows get a line of the JSON lines
    #[arg(long, value_enum, default_value_t = Rows::Some)]
    pub(crate) rows: Rows,
    /// Look only at rows one by one, or only at the corpus as a whole
    #[arg(long, value_enum)]
    pub(crate) only: Option<Only>,
    /// Least severity of findings that make the exit code 1 [default: high]
    #[arg(long, value_name = "SEVERITY", value_parser = gate())]
    pub(crate) fail_on: Option<Gate>,
    /// Exit with 3 also where parts are known but are no text, such as images
    #[arg(long)]
    pub(crate) strict: bool,
    /// Column with the text that is read or classified
    #[arg(long, value_name = "NAME")]
    pub(crate) text_column: Option<String>,
    /// Column with what the model learns to say
    #[arg(long, value_name = "NAME")]
    pub(crate) output_column: Option<String>,
    /// Column with the class of a row
    #[arg(long, value_name = "NAME")]
    pub(crate) label_column: Option<String>,
    /// Megabytes that the corpus pass may take; what does not fit is left out, whichever order rows come in
    #[arg(long, value_name = "MB", default_value_t = 2048)]
    pub(crate) memory: usize,
    /// Batches on standard input; rows are examined one by one
    #[arg(long, value_enum, value_name = "FORM", requires = "stdout")]
    pub(crate) stdin: Option<Pipe>,
    /// The same batches on standard output, with one column more: `bartizan`
    #[arg(long, value_enum, value_name = "FORM", requires = "stdin")]
    pub(crate) stdout: Option<Pipe>,
    /// Plain text has a row per line, not per file
    #[arg(long)]
    pub(crate) lines: bool,
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

//! The command line of `check`.

use std::path::PathBuf;

use bartizan_core::{Severity, Source, Verdict};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use crate::args::{ConfigArgs, Gate, gate, severity};

pub(crate) const HELP: &str = "\
A JSON list of messages, or {\"messages\": [...]} and nothing else, is checked as a conversation unless --origin is \
given. Everything else is checked as one text.

The exit code goes by the severity of findings (--fail-on), the verdict by the policy: what the policy lets pass can \
be at the gate all the same. --fail-on-verdict goes by the verdict.

With --jsonl each line is {\"id\", \"text\", \"origin\"?} or {\"id\", \"messages\"}, and each line out is the answer to one \
line in.

Examples:
  bartizan check mail.txt --origin document
  git diff | bartizan check - --fail-on medium
  bartizan check --jsonl < prompts.jsonl > answers.jsonl";

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    /// File to check; `-` is standard input
    #[arg(default_value = "-")]
    pub(crate) file: PathBuf,
    /// Check JSON lines, one answer a line
    #[arg(long)]
    pub(crate) jsonl: bool,
    /// Where the text came from [default: user]
    #[arg(long, value_parser = source(), conflicts_with = "jsonl")]
    pub(crate) origin: Option<Source>,
    /// How to answer [default: human, or jsonl with --jsonl]
    #[arg(long, value_enum)]
    pub(crate) format: Option<CheckFormat>,
    /// Least severity of findings that make the exit code 1 [default: high; with --jsonl: none]
    #[arg(long, value_name = "SEVERITY", value_parser = gate())]
    pub(crate) fail_on: Option<Gate>,
    /// Least verdict of the policy that makes the exit code 1, whatever the severity of findings
    #[arg(long, value_name = "VERDICT", value_parser = verdict(), conflicts_with_all = ["jsonl", "fail_on"])]
    pub(crate) fail_on_verdict: Option<Verdict>,
    /// Least severity of findings that are drawn for people; the other formats have all
    #[arg(long, value_name = "SEVERITY", value_parser = severity(), default_value = "low", conflicts_with = "jsonl")]
    pub(crate) show: Severity,
    /// Exit with 3 also where parts are known but are not text, such as images
    #[arg(long)]
    pub(crate) strict: bool,
    /// Ask the provider of each key that is found whether it is in use; sends the key there
    #[arg(long, conflicts_with = "jsonl")]
    pub(crate) verify_secrets: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CheckFormat {
    /// Drawn for people.
    Human,
    /// One JSON document.
    Json,
    /// JSON lines.
    Jsonl,
    /// SARIF 2.1.0.
    Sarif,
}

fn source() -> impl TypedValueParser<Value = Source> {
    PossibleValuesParser::new(Source::ALL.map(Source::as_str))
        .map(|word| Source::ALL.into_iter().find(|s| s.as_str() == word).unwrap_or_default())
}

fn verdict() -> impl TypedValueParser<Value = Verdict> {
    const VERDICTS: [Verdict; 3] = [Verdict::Redact, Verdict::Hold, Verdict::Deny];
    PossibleValuesParser::new(VERDICTS.map(Verdict::as_str))
        .map(|word| VERDICTS.into_iter().find(|v| v.as_str() == word).unwrap_or_default())
}

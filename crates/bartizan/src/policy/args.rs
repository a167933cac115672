//! The command line of `bartizan policy`.

use std::path::PathBuf;

use bartizan_core::TenantId;
use bartizan_gateway::SecretRef;
use clap::{Args, Subcommand, ValueEnum};

use crate::args::{ConfigArgs, ListFormat, secret, tenant, time};

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Say what the candidate would have decided otherwise: as the running gateway has counted, else from the records.
    Candidate(ConfigArgs),
    /// Put what the candidate gives over what is in force, in the configuration file.
    Promote(ConfigArgs),
    /// Decide the tool calls of recorded agent runs by where their arguments came from.
    #[command(after_help = EVAL_HELP)]
    Eval(PolicyEvalArgs),
    /// Decide the calls of written cases and compare with what each expects. Exits with 1 where one differs.
    Test(PolicyTestArgs),
    /// Read an agent policy and, given tools, compare it with their schemas. Exits with 1 where something never counts.
    Check(PolicyCheckArgs),
    /// Say what a changed policy would have decided on past traffic: on what is recorded, or on runs.
    ///
    /// Opening what is recorded takes a role and a reason, and is itself a record.
    #[command(after_help = REPLAY_HELP)]
    Replay(PolicyReplayArgs),
    /// Propose short policy lines from runs that a person has reviewed. Applies nothing.
    ///
    /// Half of the tasks are learned on; the other half shows what the lines do.
    #[command(after_help = LEARN_HELP)]
    Learn(PolicyLearnArgs),
}

const EVAL_HELP: &str = "\
Each line in is {\"id\", \"tools\", \"messages\", \"calls\": [{\"id\", \"index\", \"name\", \"args\"}]}: OpenAI tools and messages, and \
the calls to decide with the index of their message. Each line out is the answer for one call. A call is judged on the \
messages before it; the result of a call that was not allowed is left out of what follows.

Examples:
  bartizan policy eval --jsonl < runs.jsonl > answers.jsonl
  bartizan policy eval runs.jsonl --policy agents.toml --explain";

#[derive(Debug, Args)]
pub(crate) struct PolicyEvalArgs {
    /// Runs as JSON lines; `-` is standard input
    #[arg(default_value = "-")]
    pub(crate) file: PathBuf,
    /// Answer in JSON lines
    #[arg(long)]
    pub(crate) jsonl: bool,
    /// Agent policy, TOML or YAML [default: none, only what names, schemas and annotations tell]
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Say where each argument came from
    #[arg(long)]
    pub(crate) explain: bool,
    /// The runs are conversations of one tenant, in this order: what one has produced is known in the next
    #[arg(long)]
    pub(crate) linked: bool,
    /// Decide commands and edits by what they do, as for coding agents
    #[arg(long)]
    pub(crate) coding: bool,
    /// Packages that their commands may install, one a line: `npm left-pad`
    #[arg(long, value_name = "FILE", requires = "coding")]
    pub(crate) packages: Option<PathBuf>,
}

const REPLAY_HELP: &str = "\
Examples:
  bartizan policy replay agents.toml runs.jsonl --fail-on loosened
  bartizan policy replay agents.toml --reason \"ticket 12\" --role-key file:privacy.key";

const LEARN_HELP: &str = "\
Runs are reviewed where their line has \"label\": \"benign\" or \"attack\"; recordings where `bartizan mark EVENT \
false --rule tool/calls` says that the calls of a reply were harmless, or `true` that they were not.

Examples:
  bartizan policy learn runs.jsonl > proposed.toml
  bartizan policy learn --benign good.jsonl --attacks bad.jsonl --format json
  bartizan policy learn --reason \"ticket 12\" --role-key file:privacy.key";

/// What is recorded, and who opens it.
#[derive(Debug, Args)]
pub(crate) struct RecordedArgs {
    /// Whose recordings
    #[arg(long, value_name = "NAME", value_parser = tenant, default_value = "default")]
    pub(crate) tenant: TenantId,
    /// Recordings from this time on, RFC 3339; a day or month is the beginning of one
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) since: Option<String>,
    /// Recordings before this time
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) until: Option<String>,
    /// Why recordings are opened; it goes on record
    #[arg(long)]
    pub(crate) reason: Option<String>,
    /// Key of a role in the configuration: file:PATH or env:NAME
    #[arg(long, value_name = "REF", value_parser = secret)]
    pub(crate) role_key: Option<SecretRef>,
    /// Evidence store [default: the configured one]
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
}

impl RecordedArgs {
    /// True where something of it is given.
    pub(crate) const fn is_given(&self) -> bool {
        self.store.is_some() || self.reason.is_some() || self.role_key.is_some()
    }
}

/// Which changes end with exit code 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Changes {
    /// A call is decided less strictly.
    Loosened,
    /// A call is decided more strictly.
    Tightened,
    /// A call is decided otherwise.
    Any,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyReplayArgs {
    /// The changed policy, TOML or YAML
    pub(crate) policy: PathBuf,
    /// Runs as JSON lines, as `policy eval` reads them; `-` is standard input [default: what is recorded]
    pub(crate) runs: Vec<PathBuf>,
    /// The policy of now [default: the one in the configuration]
    #[arg(long, value_name = "FILE")]
    pub(crate) now: Option<PathBuf>,
    /// The runs of a file are conversations of one tenant, in their order: what one has produced is known in the next
    #[arg(long, requires = "runs")]
    pub(crate) linked: bool,
    /// Exit with 1 where calls are decided otherwise
    #[arg(long, value_name = "CHANGES", value_enum)]
    pub(crate) fail_on: Option<Changes>,
    /// How to answer
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: ListFormat,
    #[command(flatten)]
    pub(crate) recorded: RecordedArgs,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyLearnArgs {
    /// Runs as JSON lines, of which those with a `label` count; `-` is standard input [default: what is recorded]
    pub(crate) runs: Vec<PathBuf>,
    /// Runs that a person calls harmless, all of them
    #[arg(long, value_name = "FILE")]
    pub(crate) benign: Vec<PathBuf>,
    /// Runs that a person calls attacks, all of them; calls with `"malicious": true` are the attacker's
    #[arg(long, value_name = "FILE")]
    pub(crate) attacks: Vec<PathBuf>,
    /// The policy that lines would be added to [default: the one in the configuration]
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Fewest harmless calls that a line frees
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) min_calls: u32,
    /// Fewest different tasks that they are made in
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) min_tasks: u32,
    /// Propose lines too that free nothing and stop calls of attacks that pass
    #[arg(long)]
    pub(crate) tighten: bool,
    /// How to answer: the file, or all of it as JSON
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: ListFormat,
    #[command(flatten)]
    pub(crate) recorded: RecordedArgs,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyTestArgs {
    /// Cases: runs as JSON lines of which calls have `expect`: allow, hold or deny
    #[arg(default_value = "-")]
    pub(crate) file: PathBuf,
    /// Agent policy, TOML or YAML
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyCheckArgs {
    /// Agent policy, TOML or YAML
    pub(crate) file: PathBuf,
    /// Tools to compare with: a JSON list, {\"tools\": [...]}, or runs as JSON lines
    #[arg(long, value_name = "FILE")]
    pub(crate) tools: Option<PathBuf>,
}

//! The command line.
#![allow(rustdoc::bare_urls, reason = "these comments are help texts")]

use std::path::PathBuf;

use bartizan_core::{Money, Severity, Source, TenantId, TenantNameError};
use bartizan_gateway::SecretRef;
use bartizan_guard::MarkLabel;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::approve::ApproveArgs;
use crate::mcp::McpCommand;
use crate::redteam::args::RedteamCommand;
use crate::signing::args::{AttestArgs, BillArgs, ModelFormat, SignCommand, VerifyAnyArgs};

/// Guards large language models: one program, one configuration file, no account.
#[derive(Debug, Parser)]
#[command(name = "bartizan", version, max_term_width = 100, disable_help_subcommand = true)]
#[command(after_help = "\
Exit codes:
  0  done, nothing at the gate
  1  findings at the gate
  2  usage, configuration or broken input
  3  nothing at the gate, but not everything was read")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start the gateway in front of a model.
    Up(UpArgs),
    /// Stand in front of servers of the Model Context Protocol.
    #[command(subcommand)]
    Mcp(McpCommand),
    /// Show the guard at work on an assistant that obeys everything.
    Demo,
    /// Check a text or a conversation.
    #[command(after_help = CHECK_HELP)]
    Check(CheckArgs),
    /// Examine what lies on disk.
    #[command(subcommand)]
    Scan(ScanCommand),
    /// Sign a model.
    #[command(subcommand)]
    Sign(SignCommand),
    /// Compare a model with its signature, and follow where it comes from.
    Verify(Box<VerifyAnyArgs>),
    /// Run a step that makes a model, and sign what went in and what came out.
    #[command(after_help = crate::signing::args::ATTEST_HELP)]
    Attest(AttestArgs),
    /// Attack a model, an application or the guard, with proof.
    #[command(subcommand)]
    Redteam(RedteamCommand),
    /// List the rules, or test your own.
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Show the page of a rule: what it finds, how it decides, what it misses.
    Explain {
        /// Rule id, such as `prompt/instruction-override`.
        rule: String,
    },
    /// Measure the guard on texts with known labels.
    #[command(subcommand)]
    Eval(EvalCommand),
    /// Choose thresholds for a wanted rate of false alarms, from texts of your own.
    ///
    /// Prints a section for bartizan.toml and changes nothing. The file is as for `eval injection`.
    Tune(TuneArgs),
    /// Write a commented bartizan.toml with a fresh canary.
    Init {
        /// Where to write it.
        #[arg(default_value = "bartizan.toml")]
        file: PathBuf,
        /// Overwrite a file that is there.
        #[arg(long)]
        force: bool,
    },
    /// Check or show the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Try and test agent policies; look at the candidate policy, or put it in force.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Print an address that signs a browser in to the console of the running gateway.
    Console(ConfigArgs),
    /// Test what a model memorised, and keep it from coming out.
    #[command(subcommand)]
    Privacy(crate::privacy::args::PrivacyCommand),
    /// Say what is set up, what can be reached, and what is missing.
    Doctor(ConfigArgs),
    /// Work with the evidence.
    #[command(subcommand)]
    Report(ReportCommand),
    /// Make and take back client keys, and see what was used with them.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Say whether a finding was right or a false alarm.
    Mark(MarkArgs),
    /// Look for a rule, perhaps a new one, in what is recorded.
    ///
    /// That this is done is recorded first.
    Hunt(HuntArgs),
    /// Cut off a key, tenant, tool, tool server or model for a while.
    ///
    /// A running gateway does so within a second.
    #[command(subcommand)]
    Contain(ContainCommand),
    /// See what is unusual in how keys are used: model theft, dumps, floods, retries.
    #[command(subcommand)]
    Abuse(crate::abuse::AbuseCommand),
    /// Show tool calls that wait for a person, and decide about them.
    Approve(ApproveArgs),
    /// Write the time line of an exchange or session with its proof, as JSON and Markdown.
    Case(CaseArgs),
    /// Open or erase what is recorded of exchanges.
    #[command(subcommand)]
    Record(RecordCommand),
    /// Copy the evidence store into a new folder, also while a gateway runs.
    #[command(after_help = crate::backup::BACKUP_HELP)]
    Backup(crate::backup::BackupArgs),
    /// Check a copy of the evidence store, or put it in the place of the store.
    #[command(after_help = crate::backup::RESTORE_HELP)]
    Restore(crate::backup::RestoreArgs),
    /// Make content packs, and look into them.
    #[command(subcommand)]
    Pack(crate::content::args::PackCommand),
    /// Install a signed content pack, or go back to the one before.
    #[command(after_help = crate::content::args::UPDATE_HELP)]
    Update(crate::content::args::UpdateArgs),
    /// Write a completion script for a shell to standard output.
    Completions {
        /// Which shell.
        shell: Shell,
    },
    /// Write generated documentation.
    #[command(hide = true)]
    Gen {
        /// Root of the source tree.
        folder: PathBuf,
    },
    /// Print measurements.
    #[command(hide = true, subcommand)]
    Bench(BenchCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum EvalCommand {
    /// Recall and false alarms of the injection guard by origin, family, language and source.
    ///
    /// Each line of the file is {"text", "label": 0 or 1, "origin"?, "family"?, "lang"?, "source"?}.
    Injection(EvalArgs),
}

#[derive(Debug, Args)]
pub(crate) struct EvalArgs {
    /// JSON lines with labels
    pub(crate) file: PathBuf,
    /// How to answer
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: EvalFormat,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// How figures are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EvalFormat {
    Human,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct TuneArgs {
    /// JSON lines with labels
    pub(crate) file: PathBuf,
    /// Most harmless texts that may be flagged, as a share
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    pub(crate) flag_rate: f64,
    /// Most harmless texts that may be stopped, as a share
    #[arg(long, value_name = "SHARE", default_value_t = 0.001)]
    pub(crate) block_rate: f64,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

const CHECK_HELP: &str = "\
A JSON list of messages, or {\"messages\": [...]} and nothing else, is checked as a conversation unless --origin is \
given. Everything else is checked as one text.

With --jsonl each line is {\"id\", \"text\", \"origin\"?} or {\"id\", \"messages\"}, and each line out is the answer to one \
line in.

Examples:
  bartizan check mail.txt --origin document
  git diff | bartizan check - --fail-on medium
  bartizan check --jsonl < prompts.jsonl > answers.jsonl";

#[derive(Clone, Debug, Args)]
pub(crate) struct ConfigArgs {
    /// Configuration file [default: bartizan.toml in the current folder, where there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct UpArgs {
    /// Model server, as an SDK's base URL: https://api.openai.com/v1. Stands in for all configured ones
    #[arg(long, value_name = "URL")]
    pub(crate) upstream: Option<String>,
    /// Address to listen on [default: 127.0.0.1:8700]
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

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
    /// Exit with 3 also where parts are known but are not text, such as images
    #[arg(long)]
    pub(crate) strict: bool,
    /// Ask the provider of each key that is found whether it is in use; sends the key there
    #[arg(long, conflicts_with = "jsonl")]
    pub(crate) verify_secrets: bool,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// From which severity on findings make the exit code 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Gate {
    None,
    From(Severity),
}

impl Gate {
    /// True where a finding of that severity is at the gate.
    pub(crate) fn stops(self, severity: Severity) -> bool {
        matches!(self, Self::From(least) if severity >= least)
    }
}

const SEVERITIES: [Severity; 5] = [Severity::Info, Severity::Low, Severity::Medium, Severity::High, Severity::Critical];

pub(crate) fn gate() -> impl TypedValueParser<Value = Gate> {
    PossibleValuesParser::new(SEVERITIES.map(Severity::as_str).into_iter().chain(["none"]))
        .map(|word| SEVERITIES.into_iter().find(|s| s.as_str() == word).map_or(Gate::None, Gate::From))
}

fn source() -> impl TypedValueParser<Value = Source> {
    PossibleValuesParser::new(Source::ALL.map(Source::as_str))
        .map(|word| Source::ALL.into_iter().find(|s| s.as_str() == word).unwrap_or_default())
}

#[derive(Debug, Subcommand)]
pub(crate) enum ScanCommand {
    /// Say what loading model files would do, without loading them.
    #[command(after_help = SCAN_MODEL_HELP)]
    Model(ScanModelArgs),
    /// Find weaknesses in how models are served and trained: compose files, manifests, launch commands, job files.
    #[command(after_help = crate::posture::INFRA_HELP)]
    Infra(crate::posture::ScanInfraArgs),
    /// Find weaknesses in configurations of agents and their tool servers, and in texts that agents obey.
    #[command(after_help = crate::posture::MCP_HELP)]
    Mcp(crate::posture::ScanMcpArgs),
    /// Examine training data and documents, row by row and as a whole.
    #[command(after_help = crate::data::args::HELP)]
    Data(Box<crate::data::args::ScanDataArgs>),
}

const SCAN_MODEL_HELP: &str = "\
Types are told by content, never by name. Folders are walked; links that lead out of them are not followed.

Examples:
  bartizan scan model model.safetensors
  bartizan scan model ~/.cache/huggingface/hub/models--owner--name --format sarif
  bartizan scan model pytorch_model.bin --explain
  bartizan scan model ./llama --format cyclonedx --require-complete > llama.cdx.json
  bartizan scan model ./llama --attest llama.scan --key key.pem";

#[derive(Debug, Args)]
pub(crate) struct ScanModelArgs {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// How to answer
    #[arg(long, value_enum, default_value_t = ModelFormat::Human)]
    pub(crate) format: ModelFormat,
    /// Least severity of findings that make the exit code 1 [default: high]
    #[arg(long, value_name = "SEVERITY", value_parser = gate())]
    pub(crate) fail_on: Option<Gate>,
    /// Exit with 3 also where parts are known but are not read, such as tensors
    #[arg(long)]
    pub(crate) strict: bool,
    /// Leave out the SHA-256 of each file
    #[arg(long)]
    pub(crate) no_hash: bool,
    /// Show how the file comes to each finding, with byte offsets
    #[arg(long)]
    pub(crate) explain: bool,
    #[command(flatten)]
    pub(crate) bill: BillArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScanFormat {
    /// Drawn for people.
    Human,
    /// One JSON document.
    Json,
    /// SARIF 2.1.0.
    Sarif,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ListFormat {
    /// A table for people.
    Human,
    /// A JSON list.
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// List every rule: the built-in ones, those of packs and topics, and what the configuration changes about them.
    List {
        #[command(flatten)]
        config: ConfigArgs,
        /// How to answer.
        #[arg(long, value_enum, default_value = "human")]
        format: ListFormat,
    },
    /// Read a rule pack and run its examples.
    Test {
        /// TOML file with `[[rule]]` tables.
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check the configuration without starting anything.
    Check(ConfigArgs),
    /// Print the effective configuration and where each value comes from. Secrets are not shown.
    Show(ConfigArgs),
    /// Print the JSON schema of bartizan.toml.
    Schema,
    /// Write a bartizan.toml from the configuration of another guard. Fails on every key that has no equal.
    Import(ImportArgs),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportKind {
    /// LiteLLM's config.yaml.
    Litellm,
    /// LLM Guard's scanners.yml.
    LlmGuard,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// Whose configuration it is.
    #[arg(value_enum)]
    pub(crate) kind: ImportKind,
    /// File to read.
    pub(crate) file: PathBuf,
    /// Where to write [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Overwrite a file that is there.
    #[arg(long, requires = "output")]
    pub(crate) force: bool,
    /// Leave this key behind, and all below it, such as `router_settings`
    #[arg(long, value_name = "KEY")]
    pub(crate) skip: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key and print it; it is not shown again. A running gateway takes it at once.
    Create(CreateKey),
    /// List the keys of a tenant.
    List {
        /// Whose keys
        #[arg(long, value_name = "NAME", value_parser = tenant, default_value = "default")]
        tenant: TenantId,
        /// How to answer.
        #[arg(long, value_enum, default_value = "human")]
        format: ListFormat,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Give a key another secret and print it; the old one goes on for a while.
    Rotate(RotateKey),
    /// Take a key back, at once and for good.
    Revoke(RevokeKey),
    /// Show requests, tokens and money of a tenant.
    Usage(UsageArgs),
    /// Look for the providers' keys of the configuration in files: who has one goes past the gateway.
    #[command(after_help = crate::exposed::HELP)]
    Exposed(crate::exposed::ExposedArgs),
}

/// An operator of this machine says whose key it is.
fn tenant(name: &str) -> Result<TenantId, TenantNameError> {
    TenantId::authenticated(name)
}

fn money(text: &str) -> Result<Money, String> {
    let units: f64 = text.parse().map_err(|_| format!("`{text}` is not a number"))?;
    Money::try_from(units).map_err(str::to_owned)
}

#[derive(Debug, Args)]
pub(crate) struct CreateKey {
    /// Name in records, metrics and lists
    pub(crate) name: String,
    /// Whose key
    #[arg(long, value_name = "NAME", value_parser = tenant, default_value = "default")]
    pub(crate) tenant: TenantId,
    /// Models that it may use: names, or prefixes with `*` at the end, separated by commas [default: all]
    #[arg(long, value_name = "MODEL", value_delimiter = ',')]
    pub(crate) models: Vec<String>,
    /// When it ends: a span such as 90d, or a date [default: never]
    #[arg(long, value_name = "WHEN")]
    pub(crate) expires: Option<String>,
    /// Requests a minute
    #[arg(long, value_name = "N")]
    pub(crate) rpm: Option<u32>,
    /// Tokens a minute
    #[arg(long, value_name = "N")]
    pub(crate) tpm: Option<u32>,
    /// Requests at the same time
    #[arg(long, value_name = "N")]
    pub(crate) concurrency: Option<u32>,
    /// Tokens a day
    #[arg(long, value_name = "N")]
    pub(crate) tokens_per_day: Option<u64>,
    /// Tokens a month
    #[arg(long, value_name = "N")]
    pub(crate) tokens_per_month: Option<u64>,
    /// Money a day, by the prices of the configuration
    #[arg(long, value_name = "AMOUNT", value_parser = money)]
    pub(crate) budget_per_day: Option<Money>,
    /// Money a month, by the prices of the configuration
    #[arg(long, value_name = "AMOUNT", value_parser = money)]
    pub(crate) budget: Option<Money>,
    /// Guard profile
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[derive(Debug, Args)]
pub(crate) struct OneKey {
    /// Name or id of the key
    pub(crate) key: String,
    /// Whose key
    #[arg(long, value_name = "NAME", value_parser = tenant, default_value = "default")]
    pub(crate) tenant: TenantId,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RotateKey {
    #[command(flatten)]
    pub(crate) key: OneKey,
    /// How long the old secret goes on, such as 15m, 24h or 0
    #[arg(long, value_name = "SPAN", default_value = "24h")]
    pub(crate) grace: String,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeKey {
    #[command(flatten)]
    pub(crate) key: OneKey,
    /// Why, for the record
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub(crate) reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct UsageArgs {
    /// Whose usage
    #[arg(long, value_name = "NAME", value_parser = tenant, default_value = "default")]
    pub(crate) tenant: TenantId,
    /// The last so many days, today included [default: this month]
    #[arg(long, value_name = "N")]
    pub(crate) days: Option<u32>,
    /// What to sum by
    #[arg(long, value_enum, default_value = "key")]
    pub(crate) by: By,
    /// Only what this person used. People are kept under pseudonyms; this looks for the one of that name
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// How to answer
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: ListFormat,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// What usage is summed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum By {
    Key,
    Model,
    User,
    Session,
    Feature,
    Team,
}

impl By {
    /// The word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Model => "model",
            Self::User => "user",
            Self::Session => "session",
            Self::Feature => "feature",
            Self::Team => "team",
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Say what the candidate would have decided otherwise: as the running gateway has counted, else from the records.
    Candidate(ConfigArgs),
    /// Put the candidate's tables in the place of the live ones in the configuration file.
    Promote(ConfigArgs),
    /// Decide the tool calls of recorded agent runs by where their arguments came from.
    #[command(after_help = EVAL_HELP)]
    Eval(PolicyEvalArgs),
    /// Decide the calls of written cases and compare with what each expects. Exits with 1 where one differs.
    Test(PolicyTestArgs),
    /// Read an agent policy and, given tools, compare it with their schemas. Exits with 1 where something never counts.
    Check(PolicyCheckArgs),
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
    /// Evidence store [default: the configured one]
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
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
    pub(crate) config: ConfigArgs,
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
    /// From this time on, RFC 3339 in UTC; a day is the beginning of one
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Records of this tenant only
    #[arg(long)]
    pub(crate) tenant: Option<String>,
    /// Where to [default: standard output]
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Evidence store [default: the configured one]
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[derive(Debug, Args)]
pub(crate) struct MarkArgs {
    /// Id of the event
    pub(crate) event: String,
    /// `false` for a false alarm, `true` for a finding that was right
    #[arg(value_parser = label())]
    pub(crate) label: MarkLabel,
    /// Which rule [default: the only one that fired]
    #[arg(long)]
    pub(crate) rule: Option<String>,
    /// Why; it goes on record
    #[arg(long)]
    pub(crate) reason: String,
    /// Print an exception for the configuration that covers it for 30 days
    #[arg(long)]
    pub(crate) propose: bool,
    /// Whose
    #[arg(long, value_name = "NAME", value_parser = tenant, default_value = "default")]
    pub(crate) tenant: TenantId,
    /// Evidence store [default: the configured one]
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

fn label() -> impl TypedValueParser<Value = MarkLabel> {
    PossibleValuesParser::new(["false", "true"]).try_map(|word| MarkLabel::parse(&word).ok_or("`false` or `true`"))
}

#[derive(Debug, Args)]
pub(crate) struct PrecisionArgs {
    /// Only of decisions from this time on, RFC 3339 in UTC; a day or month is the beginning of one
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Whose
    #[arg(long, value_name = "NAME", value_parser = tenant, default_value = "default")]
    pub(crate) tenant: TenantId,
    /// How to answer.
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: ListFormat,
    /// Evidence store [default: the configured one]
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LabelsFormat {
    /// JSON lines.
    Jsonl,
}

#[derive(Debug, Args)]
pub(crate) struct LabelsArgs {
    /// Only of decisions from this time on, RFC 3339 in UTC; a day or month is the beginning of one
    #[arg(long, value_name = "TIME")]
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
    /// Evidence store [default: the configured one]
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HuntFormat {
    /// For people.
    Human,
    /// JSON lines.
    Jsonl,
}

#[derive(Debug, Args)]
pub(crate) struct HuntArgs {
    /// Rule id, or `family/*`
    #[arg(required_unless_present = "pack", conflicts_with = "pack")]
    pub(crate) rule: Option<String>,
    /// The rules of this pack instead
    #[arg(long, value_name = "FILE")]
    pub(crate) pack: Option<PathBuf>,
    /// From this time on, RFC 3339 in UTC; a day is the beginning of one
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Whose
    #[arg(long, value_name = "NAME", value_parser = tenant, default_value = "default")]
    pub(crate) tenant: TenantId,
    /// Why; it goes on record
    #[arg(long)]
    pub(crate) reason: String,
    /// Key of a role in the configuration: file:PATH or env:NAME
    #[arg(long, value_name = "REF", value_parser = secret)]
    pub(crate) role_key: SecretRef,
    /// How to answer
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: HuntFormat,
    /// Show what was found, and what is around it
    #[arg(long)]
    pub(crate) show: bool,
    /// Evidence store [default: the configured one]
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ContainCommand {
    /// Cut off a client key or token subject, by its name in records.
    Key(ContainArgs),
    /// Cut off a whole tenant.
    Tenant(ContainArgs),
    /// Cut off a tool: requests that offer it or hold its results are refused, and calls to it are blocked.
    Tool(ContainArgs),
    /// Cut off every tool of a tool server, by its label.
    Server(ContainArgs),
    /// Cut off a model; `*` at the end of the name stands for any rest.
    Model(ContainArgs),
    /// List what is cut off.
    List {
        /// Whose
        #[arg(long, value_name = "NAME", value_parser = tenant, default_value = "default")]
        tenant: TenantId,
        /// How to answer.
        #[arg(long, value_enum, default_value = "human")]
        format: ListFormat,
        #[command(flatten)]
        config: ConfigArgs,
    },
    /// Let something work again before its time.
    Release {
        /// Id, as `contain` and `contain list` print it
        id: String,
        /// Why; it goes on record
        #[arg(long)]
        reason: String,
        /// Whose
        #[arg(long, value_name = "NAME", value_parser = tenant, default_value = "default")]
        tenant: TenantId,
        #[command(flatten)]
        config: ConfigArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ContainArgs {
    /// Its name
    pub(crate) name: String,
    /// For how long, such as 30m, 2h or 7d; at most 30 days
    #[arg(long, value_name = "SPAN")]
    pub(crate) ttl: String,
    /// Why; it goes on record
    #[arg(long)]
    pub(crate) reason: String,
    /// Whose traffic it is about [default: default; the tenant itself where one is cut off]
    #[arg(long, value_name = "NAME", value_parser = tenant)]
    pub(crate) tenant: Option<TenantId>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CaseArgs {
    /// Id of an exchange or event, or pseudonym of a session
    pub(crate) id: String,
    /// Whose
    #[arg(long, default_value = "default")]
    pub(crate) tenant: String,
    /// Signed checkpoints: the first that covers the records goes into the case
    #[arg(long, value_name = "FILE")]
    pub(crate) checkpoints: Option<PathBuf>,
    /// Name of the two files without ending [default: case-ID]
    #[arg(long, short, value_name = "NAME")]
    pub(crate) output: Option<PathBuf>,
    /// Evidence store [default: the configured one]
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

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
    /// Whose
    #[arg(long, default_value = "default")]
    pub(crate) tenant: String,
    /// Why; it goes on record
    #[arg(long)]
    pub(crate) reason: String,
    /// Key of a role in the configuration: file:PATH or env:NAME
    #[arg(long, value_name = "REF", value_parser = secret)]
    pub(crate) role_key: SecretRef,
    /// How
    #[arg(long, value_enum, default_value = "trace")]
    pub(crate) format: UnsealFormat,
    /// Evidence store [default: the configured one]
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[derive(Debug, Args)]
pub(crate) struct RevealArgs {
    /// The token, with its brackets: [CREDIT_CARD:enc:...]
    pub(crate) token: String,
    /// Whose
    #[arg(long, default_value = "default")]
    pub(crate) tenant: String,
    /// Why; it goes on record
    #[arg(long)]
    pub(crate) reason: String,
    /// Key of a role in the configuration: file:PATH or env:NAME
    #[arg(long, value_name = "REF", value_parser = secret)]
    pub(crate) role_key: SecretRef,
    /// Evidence store [default: the configured one]
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

pub(crate) fn secret(text: &str) -> Result<SecretRef, String> {
    SecretRef::try_from(text.to_owned())
}

#[derive(Debug, Args)]
pub(crate) struct EraseArgs {
    /// Whose
    #[arg(long)]
    pub(crate) tenant: String,
    /// Only what was recorded on days before this one, YYYY-MM-DD [default: everything, and the key of pseudonyms]
    #[arg(long, value_name = "DAY")]
    pub(crate) before: Option<String>,
    /// Why; it goes on record
    #[arg(long)]
    pub(crate) reason: String,
    /// Evidence store [default: the configured one]
    #[arg(long, value_name = "FILE")]
    pub(crate) store: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Speed of the guard on generated texts.
    Engine {
        /// Seconds for each text.
        #[arg(long, default_value_t = 1.0)]
        seconds: f64,
    },
    /// What a decision about a tool call costs on histories of four sizes.
    Agents {
        /// Decisions for each history.
        #[arg(long, default_value_t = 1000)]
        rounds: usize,
    },
    /// Hold processor time, memory and hold-back against their budgets; fails where one is not kept.
    Budgets,
    /// What the two stages of the injection classifier cost.
    Injection(crate::bench::injection::Args),
    /// What a turn of a long conversation costs when everything before it is known.
    Conversation {
        /// Messages before it.
        #[arg(long, default_value_t = 10_000)]
        messages: usize,
    },
    /// Speed of the passes over a corpus, and attacks on corpora made from a seed.
    Data(crate::bench::data::DataArgs),
    /// Recall, false alarms and speed of the rules for sensitive data.
    Sensitive {
        /// JSON lines `{"rule", "kind": "tp"|"fp", "text"}` about secrets; `-` for standard input.
        #[arg(long, value_name = "FILE")]
        secret_cases: Option<PathBuf>,
        /// Texts with personal data: a JSON array as presidio-research has it, or JSON lines `{"text", "spans"}`.
        #[arg(long, value_name = "FILE")]
        pii: Vec<PathBuf>,
        /// Folder of source code without secrets.
        #[arg(long, value_name = "DIR")]
        code: Option<PathBuf>,
        /// Another tool, as `NAME=COMMAND`: `{}` stands for a folder with one file a case, and it prints file names.
        #[arg(long, value_name = "NAME=COMMAND")]
        peer: Vec<String>,
    },
    /// Requests a second of the red team against a model server of this process, and its memory.
    Redteam {
        /// Trials of each wording in each way of writing, and then ten times as many.
        #[arg(long, default_value_t = 3)]
        trials: u32,
    },
    /// What the guard adds to a plain proxy of the same make.
    Gateway {
        /// Requests a round.
        #[arg(long, default_value_t = 10_000)]
        requests: usize,
        /// Shell command that starts another gateway: the model server is in `UPSTREAM`, the port to listen on in `PORT`.
        #[arg(long, value_name = "COMMAND")]
        peer: Vec<String>,
        /// Header for peers, `name: value`, with `{upstream}` for the model server.
        #[arg(long, value_name = "HEADER")]
        peer_header: Vec<String>,
    },
    /// What an open stream takes.
    Streams {
        /// How many.
        #[arg(long, default_value_t = 8000)]
        streams: usize,
    },
    /// What a tenant at ten times its limit does to another.
    Tenants {
        /// Length of a round.
        #[arg(long, default_value_t = 6)]
        seconds: u64,
    },
    /// What the proxy adds to a call of a tool.
    Mcp {
        /// Calls a round.
        #[arg(long, default_value_t = 1000)]
        calls: usize,
    },
    /// The server that `bench mcp` calls.
    McpServer {
        /// What it says: `{"answers": {METHOD: [RESULT]}, "before": {METHOD: [LINE]}}`.
        #[arg(long, value_name = "FILE")]
        script: Option<PathBuf>,
        /// Over HTTP instead of standard input and output.
        #[arg(long)]
        http: bool,
    },
    /// What an index of protected text takes, costs, and takes for a repetition in texts that repeat nothing.
    Protected {
        /// Protected records: JSON lines, text files or folders; generated ones without any.
        #[arg(long, value_name = "PATH")]
        corpus: Vec<PathBuf>,
        /// Ordinary texts, the same.
        #[arg(long, value_name = "PATH")]
        text: Vec<PathBuf>,
    },
    /// A posture report over a store of many decisions.
    Posture {
        /// How many.
        #[arg(long, default_value_t = 1_000_000)]
        decisions: u64,
    },
    /// The plain proxy that `bench gateway` compares with.
    Passthrough {
        /// Model server, with `/v1`.
        upstream: String,
    },
}

//! The command line of the red team.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use crate::args::ConfigArgs;
use crate::redteam::harden::HardenArgs;

#[derive(Debug, Subcommand)]
pub(crate) enum RedteamCommand {
    /// Attack a model, an application or the guard alone, and keep the proof.
    ///
    /// Goes on where a run in the same folder was cut; one that is complete is an error. What it will send is printed
    /// first.
    #[command(after_help = RUN_HELP)]
    Run(Box<RunArgs>),
    /// Judge a recorded run again, with the rules of evidence of now. Nobody is asked.
    Replay(ReplayArgs),
    /// Compare two runs of the same attacks: before and after, one model and another.
    Compare(CompareArgs),
    /// Turn attacks that got through into rules, try these, and stage one that you accept.
    ///
    /// Nothing is changed without --accept, and nothing is carried out before `bartizan policy promote`.
    Harden(HardenArgs),
    /// Measure the built-in judge on replies that people labelled.
    ///
    /// Each line of the file is {"response", "complied": 0 or 1}.
    Judge(JudgeArgs),
    /// Search for ways of writing that get known attacks past the guard. No model is asked.
    ///
    /// What is found goes to standard output as JSON lines, the figures to standard error.
    Fuzz(FuzzArgs),
    /// Judge the replies in a report of garak or promptfoo again, beside their verdicts.
    ///
    /// Nobody is asked and nothing is written. It makes no probes: attacks of others hold no mark, so nothing of them can be
    /// proven.
    #[command(after_help = IMPORT_HELP)]
    Import(ImportArgs),
    /// List what there is to attack with.
    List {
        /// What to list.
        #[arg(value_enum)]
        what: What,
    },
}

const IMPORT_HELP: &str = "\
Examples:
  bartizan redteam import garak.0f3a.report.jsonl
  promptfoo eval --output results.json && bartizan redteam import results.json

Columns:
  replies              replies with a verdict of theirs
  theirs               those that they count as a successful attack
  complied, refused    what the built-in judge takes them for; the rest is neither
  theirs, but refused  counted as success by them, and a refusal to the judge
  errors               attempts without a reply; they count as nothing";

const RUN_HELP: &str = "\
Examples:
  bartizan redteam run --guard
  bartizan redteam run --target http://127.0.0.1:8700/v1 --model m --gate 'asr_upper95(system-prompt) < 2%'
  bartizan redteam run plan.toml --format junit > redteam.xml

Exit codes:
  0  every gate met; without gates, nothing proven, and with --guard nothing let through
  1  a gate not met; without gates, an attack proven, or with --guard one let through
  2  usage, plan or journal
  3  no gate missed, but not every trial gave evidence";

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Plan in TOML; without one every probe is tried
    pub(crate) plan: Option<PathBuf>,
    /// Endpoint to attack, as an SDK's base URL; without a key or password in it
    #[arg(long, value_name = "URL", conflicts_with = "guard")]
    pub(crate) target: Option<String>,
    /// Model to ask for
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Key of the endpoint: env:NAME or file:PATH
    #[arg(long, value_name = "REF")]
    pub(crate) key: Option<String>,
    /// The endpoint speaks Anthropic's dialect
    #[arg(long)]
    pub(crate) anthropic: bool,
    /// Attack the guard of this program, as configured, with no model behind it
    #[arg(long)]
    pub(crate) guard: bool,
    /// Probes by id, group or risk, such as LLM01; may be given again
    #[arg(long, value_name = "PROBE")]
    pub(crate) probe: Vec<String>,
    /// Ways of writing, such as base64 or rot13+frame:json; may be given again
    #[arg(long, value_name = "WAY")]
    pub(crate) transform: Vec<String>,
    /// Trials of each wording in each way
    #[arg(long, value_name = "N")]
    pub(crate) trials: Option<u32>,
    /// What has to hold; may be given again
    #[arg(long, value_name = "GATE")]
    pub(crate) gate: Vec<String>,
    /// Most requests
    #[arg(long, value_name = "N")]
    pub(crate) requests: Option<u64>,
    /// Listen on this address of this machine for what an attack sends out
    #[arg(long, value_name = "ADDR")]
    pub(crate) sink: Option<SocketAddr>,
    /// Folder of the run: plan, journal, report
    #[arg(long, value_name = "FOLDER", default_value = "redteam-run")]
    pub(crate) out: PathBuf,
    /// Key that signs the journal once the run ends, as `bartizan report new-key` makes one: file:PATH or env:NAME
    #[arg(long, value_name = "REF")]
    pub(crate) sign_key: Option<String>,
    /// Show a run in the folder again that is complete; nobody is asked
    #[arg(long)]
    pub(crate) resume: bool,
    /// Print what would be done and what it costs, and do nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// How to answer
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: RedteamFormat,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// Folder of the run
    pub(crate) folder: PathBuf,
    /// Public key that the journal must be signed with
    #[arg(long, value_name = "KEY")]
    pub(crate) verify_key: Option<String>,
    /// How to answer
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: RedteamFormat,
}

#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// Folder of the run before
    pub(crate) before: PathBuf,
    /// Folder of the run after
    pub(crate) after: PathBuf,
    /// How to answer
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: PairFormat,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// garak's report.jsonl (not its hitlog), or what promptfoo wrote with `--output FILE.json`
    pub(crate) file: PathBuf,
    /// How to answer
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: CompareFormat,
}

#[derive(Debug, Args)]
pub(crate) struct JudgeArgs {
    /// JSON lines with labels
    pub(crate) file: PathBuf,
    /// How to answer
    #[arg(long, value_enum, default_value = "human")]
    pub(crate) format: CompareFormat,
}

#[derive(Debug, Args)]
pub(crate) struct FuzzArgs {
    /// Prompts to try
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    pub(crate) prompts: u64,
    /// Seed: the same prompts for the same seed, number and threads
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Threads [default: as many as there are cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<usize>,
    #[command(flatten)]
    pub(crate) config: ConfigArgs,
}

/// How a run is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RedteamFormat {
    Human,
    Json,
    Sarif,
    Junit,
    Markdown,
    Html,
}

/// How a comparison is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PairFormat {
    Human,
    Json,
    Junit,
    Markdown,
    Html,
}

/// How figures are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompareFormat {
    Human,
    Json,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum What {
    /// Attack ideas with the risks that they are about.
    Probes,
    /// Ways of writing, and frames.
    Transforms,
}

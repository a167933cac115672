//! The command line as a whole: which commands there are. What each takes stands with it.

use std::path::PathBuf;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;

use crate::approve::ApproveArgs;
use crate::args::ConfigArgs;
use crate::bench::args::BenchCommand;
use crate::check::args::CheckArgs;
use crate::config::import::ImportArgs;
use crate::contain::ContainCommand;
use crate::eval::{EvalCommand, TuneArgs};
use crate::hunt::HuntArgs;
use crate::keys::args::KeysCommand;
use crate::mark::MarkArgs;
use crate::mcp::McpCommand;
use crate::policy::args::PolicyCommand;
use crate::record::args::RecordCommand;
use crate::redteam::args::RedteamCommand;
use crate::report::args::ReportCommand;
use crate::report::case::CaseArgs;
use crate::rules::RulesCommand;
use crate::scan::args::ScanModelArgs;
use crate::signing::args::{AttestArgs, SignCommand, VerifyAnyArgs};
use crate::up::UpArgs;

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

/// The whole command line, as it is read and as its help is drawn.
pub(crate) fn command() -> clap::Command {
    flowing(Cli::command())
}

/// Paragraphs below a help are broken where the terminal ends, not where the source does as well. Lines that are
/// indented stay as they are.
fn flowing(command: clap::Command) -> clap::Command {
    let below = command.get_after_help().map(|help| {
        help.to_string().lines().fold(String::new(), |mut text, line| {
            let goes_on = is_prose(line) && text.rsplit('\n').next().is_some_and(is_prose);
            if !text.is_empty() {
                text.push(if goes_on { ' ' } else { '\n' });
            }
            text.push_str(line);
            text
        })
    });
    let command = command.mut_subcommands(flowing);
    match below {
        Some(help) => command.after_help(help),
        None => command,
    }
}

/// True for a line of a paragraph.
fn is_prose(line: &str) -> bool {
    !line.is_empty() && !line.starts_with(' ') && !line.ends_with(':')
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
    #[command(after_help = crate::check::args::HELP)]
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
        /// Rule id, such as `prompt/instruction-override`
        rule: String,
        #[command(flatten)]
        config: ConfigArgs,
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
    #[command(after_help = crate::console::HELP)]
    Console(crate::console::ConsoleArgs),
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
pub(crate) enum ScanCommand {
    /// Say what loading model files would do, without loading them.
    #[command(after_help = crate::scan::args::HELP)]
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

//! The `bartizan` program: reads the command line, calls the crates, draws what they answer.
#![allow(clippy::disallowed_methods, reason = "the binary owns files, clocks and the environment")]

mod abuse;
mod approve;
mod args;
mod backup;
mod bench;
mod check;
mod cli;
mod config;
mod console;
mod contain;
mod content;
mod control;
mod data;
mod demo;
mod doctor;
mod eval;
mod evidence;
mod explain;
mod exposed;
mod generate;
mod hunt;
mod init;
mod keys;
mod mark;
mod mcp;
mod policy;
mod posture;
mod privacy;
mod problem;
mod record;
mod recorded;
mod redteam;
mod report;
mod rules;
mod scan;
mod signing;
mod store;
mod suggest;
mod telemetry;
mod terminal;
mod up;

use std::io;
use std::process::ExitCode;

use bartizan_data::DataError;
use clap::FromArgMatches as _;

use crate::cli::{Cli, Command, ConfigCommand, ScanCommand};
use crate::eval::EvalCommand;
use crate::policy::args::PolicyCommand;
use crate::rules::RulesCommand;
use crate::signing::args::{SignCommand, VerifyCommand};

/// Done, nothing at the gate.
pub(crate) const DONE: u8 = 0;
/// Findings at or above the gate.
pub(crate) const FOUND: u8 = 1;
/// Usage, configuration, broken input or internal error.
pub(crate) const BROKEN: u8 = 2;
/// Nothing at the gate, but not everything was read.
pub(crate) const UNREAD: u8 = 3;

fn main() -> ExitCode {
    let cli = cli::command().get_matches();
    match Cli::from_arg_matches(&cli).map_err(|error| -> anyhow::Error { error.exit() }).and_then(run) {
        Ok(code) => ExitCode::from(code),
        // Whoever reads the output has seen enough.
        Err(error) if is_broken_pipe(&error) => ExitCode::from(DONE),
        Err(error) => {
            problem::show(&error);
            ExitCode::from(BROKEN)
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<u8> {
    match cli.command {
        Command::Up(args) => up::run(&args),
        Command::Mcp(command) => mcp::run(&command),
        Command::Demo => demo::run(),
        Command::Check(args) => check::run(&args),
        Command::Scan(ScanCommand::Model(args)) => scan::model(&args),
        Command::Scan(ScanCommand::Infra(args)) => posture::infra(&args),
        Command::Scan(ScanCommand::Mcp(args)) => posture::mcp(&args),
        Command::Sign(SignCommand::Model(args)) => signing::sign_model(&args),
        Command::Verify(args) => match &args.command {
            Some(VerifyCommand::Model(args)) => signing::verify_model(args),
            Some(VerifyCommand::Posture(args)) => report::posture::verify(args),
            None => signing::verify_corpus(&args.corpus),
        },
        Command::Attest(args) => signing::attest(&args),
        Command::Scan(ScanCommand::Data(args)) => data::run(&args),
        Command::Rules(RulesCommand::List { config, format }) => rules::list(&config, format),
        Command::Rules(RulesCommand::Test { file }) => rules::test(&file),
        Command::Eval(EvalCommand::Injection(args)) => eval::injection(&args),
        Command::Tune(args) => eval::tune(&args),
        Command::Explain { rule, config } => explain::run(&rule, &config),
        Command::Init { file, force } => init::run(&file, force),
        Command::Config(ConfigCommand::Check(at)) => config::show::check(&at),
        Command::Config(ConfigCommand::Show(at)) => config::show::show(&at),
        Command::Config(ConfigCommand::Schema) => config::show::schema(),
        Command::Config(ConfigCommand::Import(args)) => config::import::run(&args),
        Command::Policy(PolicyCommand::Candidate(at)) => policy::candidate::run(&at),
        Command::Policy(PolicyCommand::Promote(at)) => policy::promote(&at),
        Command::Policy(PolicyCommand::Eval(args)) => policy::agents::eval(&args),
        Command::Policy(PolicyCommand::Test(args)) => policy::agents::test(&args),
        Command::Policy(PolicyCommand::Check(args)) => policy::agents::check(&args),
        Command::Policy(PolicyCommand::Replay(args)) => policy::replay::run(&args),
        Command::Policy(PolicyCommand::Learn(args)) => policy::learn::run(&args),
        Command::Console(args) => console::run(&args),
        Command::Privacy(command) => privacy::run(&command),
        Command::Doctor(at) => doctor::run(&at),
        Command::Keys(command) => keys::run(&command),
        Command::Report(command) => report::run(&command),
        Command::Mark(args) => mark::run(&args),
        Command::Hunt(args) => hunt::run(&args),
        Command::Contain(command) => contain::run(&command),
        Command::Abuse(command) => abuse::run(&command),
        Command::Approve(args) => approve::run(&args),
        Command::Case(args) => report::case::start(&args),
        Command::Backup(args) => backup::backup(&args),
        Command::Restore(args) => backup::restore(&args),
        Command::Pack(command) => content::pack(&command),
        Command::Update(args) => content::update(&args),
        Command::Record(command) => record::run(&command),
        Command::Redteam(command) => redteam::start(&command),
        Command::Completions { shell } => generate::completions(shell),
        Command::Gen { folder } => generate::run(&folder),
        Command::Bench(what) => bench::run(&what),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kind = |error: &(dyn std::error::Error + 'static)| {
        // Transparent errors are not in the chain themselves.
        match error.downcast_ref() {
            Some(DataError::Stopped(error)) => Some(error.kind()),
            _ => None,
        }
        .or_else(|| error.downcast_ref::<serde_json::Error>()?.io_error_kind())
        .or_else(|| Some(error.downcast_ref::<io::Error>()?.kind()))
    };
    error.chain().filter_map(kind).any(|kind| kind == io::ErrorKind::BrokenPipe)
}

//! `bartizan console`: the ways into the console of a running gateway.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bartizan_access::{KeyHasher, hash_password, person_in_records};
use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::Value;

use crate::args::ConfigArgs;
use crate::problem::Problem;
use crate::record::{block_on, write_secret};
use crate::store::Place;
use crate::{DONE, config, control, keys};

/// Shortest and longest password, in characters (OWASP ASVS 4.0, 2.1.1 and 2.1.2).
const SHORTEST: usize = 12;
const LONGEST: usize = 128;

pub(crate) const HELP: &str = "\
Examples:
  bartizan console
  bartizan console password --output break-glass.hash
  bartizan console person 00u1a2b3c4";

/// What `bartizan console` takes.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct ConsoleArgs {
    #[command(subcommand)]
    command: Option<ConsoleCommand>,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Subcommand)]
enum ConsoleCommand {
    /// Hash the password of the account for emergencies, for `hash` in `[admin.break_glass]`.
    ///
    /// It is read from the terminal, or from the first line of standard input, never from an argument.
    Password {
        /// Write the hash there, in place of the one before: a running gateway takes it at once [default: standard output]
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Print what a person who signs in with OpenID Connect is called in records.
    Person {
        /// The person's `sub` with the provider.
        subject: String,
        #[command(flatten)]
        config: ConfigArgs,
    },
}

/// `bartizan console`.
pub(crate) fn run(args: &ConsoleArgs) -> anyhow::Result<u8> {
    match &args.command {
        None => ticket(&args.config),
        Some(ConsoleCommand::Password { output }) => password(output.as_deref()),
        Some(ConsoleCommand::Person { subject, config }) => person(subject, config),
    }
}

/// Prints an address that signs a browser in, once and soon.
fn ticket(args: &ConfigArgs) -> anyhow::Result<u8> {
    let config = config::load(args, &[])?.config;
    let answer = block_on(control::ask(&config, Method::POST, "/admin/v1/console/tickets", None))?;
    let Some(answer) = answer else {
        return Err(Problem::new("no gateway runs with this configuration's store on this machine")
            .help("start one with `bartizan up`, in the same folder or with the same --config")
            .into());
    };
    let text =
        |name: &str| answer.get(name).and_then(Value::as_str).context("the running gateway's answer is not known");
    let (ticket, address) = (text("ticket")?, text("address")?);
    let mut out = std::io::stdout().lock();
    writeln!(out, "{address}#ticket={ticket}")?;
    writeln!(
        std::io::stderr(),
        "open it within two minutes; it signs in one browser, as the operator of this machine"
    )?;
    Ok(DONE)
}

fn password(output: Option<&Path>) -> anyhow::Result<u8> {
    let hash = hash_password(&read()?)?;
    let Some(path) = output else {
        writeln!(std::io::stdout().lock(), "{hash}")?;
        return Ok(DONE);
    };
    // Whoever reads the file meanwhile finds the old hash or the new one, whole.
    let mut name = path.file_name().context("`--output` names no file")?.to_owned();
    name.push(".new");
    let new = path.with_file_name(name);
    write_secret(&new, &hash)?;
    std::fs::rename(&new, path).with_context(|| format!("cannot write `{}`", path.display()))?;
    writeln!(std::io::stderr(), "written; `hash = \"file:{}\"` in `[admin.break_glass]` uses it", path.display())?;
    Ok(DONE)
}

/// A password that somebody types, twice where that can be seen to be the same.
fn read() -> anyhow::Result<String> {
    let password = if std::io::stdin().is_terminal() {
        let first = rpassword::prompt_password("Password: ").context("cannot read from the terminal")?;
        let second = rpassword::prompt_password("Again: ").context("cannot read from the terminal")?;
        if first != second {
            return Err(Problem::new("the two passwords differ").into());
        }
        first
    } else {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).context("cannot read the password from standard input")?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    match password.chars().count() {
        SHORTEST..=LONGEST => Ok(password),
        length => Err(Problem::new(format!("a password of {length} characters cannot be used"))
            .help(format!("{SHORTEST} to {LONGEST} characters; several words are easy to keep"))
            .into()),
    }
}

fn person(subject: &str, args: &ConfigArgs) -> anyhow::Result<u8> {
    let config = config::load(args, &[])?.config;
    let Some(oidc) = &config.admin.oidc else {
        return Err(Problem::new("nobody signs in with OpenID Connect here").help("add `[admin.oidc]`").into());
    };
    // Opening would make a store where none is, and a pseudonym that no record has.
    let place = Place::of(&config, None)?;
    if !place.has_keys() {
        return Err(Problem::new(format!("no gateway has kept its keys beside `{}`", place.name()))
            .help("ask in the folder of `bartizan up`, or with the same --config")
            .into());
    }
    let key = block_on(async {
        let store = keys::open(&config).await?;
        let key = store.hash_key().await?;
        store.close().await;
        anyhow::Ok(key)
    })?;
    writeln!(std::io::stdout().lock(), "{}", person_in_records(&KeyHasher::new(&key), &oidc.issuer, subject))?;
    Ok(DONE)
}

//! `bartizan abuse`: how keys are used, beside what is usual for each. Only a running gateway knows.

use std::io::Write as _;

use bartizan_core::TenantId;
use clap::{Args, Subcommand};
use hyper::Method;
use serde_json::{Value, json};

use crate::args::{ConfigArgs, ListFormat};
use crate::problem::Problem;
use crate::record::{block_on, reason};
use crate::{DONE, config, control, terminal};

/// `bartizan abuse`.
#[derive(Debug, Subcommand)]
pub(crate) enum AbuseCommand {
    /// Show the watched keys: what is raised, and today's counts beside the busiest day of the last weeks.
    List {
        /// Only keys with a raised signal
        #[arg(long)]
        raised: bool,
        /// How to answer.
        #[arg(long, value_enum, default_value_t = ListFormat::Human)]
        format: ListFormat,
        #[command(flatten)]
        at: At,
    },
    /// Take what has raised a signal of a key for usual: it is not raised any more, and later days are measured against today.
    Accept {
        /// Name of the key, as `abuse list` prints it; "" for callers that need none
        key: String,
        /// The signal: coverage, probing, logprobs, embeddings, usage or retries
        #[arg(long)]
        signal: String,
        /// Why; it goes on record
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        at: At,
    },
}

/// Whose keys, and which gateway.
#[derive(Debug, Args)]
pub(crate) struct At {
    /// Whose keys
    #[arg(long, value_name = "NAME", default_value = "default")]
    tenant: String,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs it.
pub(crate) fn run(command: &AbuseCommand) -> anyhow::Result<u8> {
    match command {
        AbuseCommand::List { raised, format, at } => block_on(list(at, *raised, *format)),
        AbuseCommand::Accept { key, signal, reason, at } => block_on(accept(at, key, signal, reason)),
    }
}

async fn ask(at: &At, method: Method, path: &str, body: Option<&Value>) -> anyhow::Result<Value> {
    let tenant = TenantId::authenticated(&at.tenant)?;
    let path = format!("{path}?tenant={tenant}");
    let answer = control::ask(&config::load(&at.config, &[])?.config, method, &path, body).await?;
    let missing = || {
        Problem::new(
            "no gateway runs with this configuration, and only a running one knows how keys are used".to_owned(),
        )
        .help("run this where `bartizan up` runs, with its `--config`")
    };
    Ok(answer.ok_or_else(missing)?)
}

async fn list(at: &At, raised: bool, format: ListFormat) -> anyhow::Result<u8> {
    let answer = ask(at, Method::GET, "/admin/v1/abuse", None).await?;
    let is_raised = |one: &&Value| one["raised"].as_array().is_some_and(|list| !list.is_empty());
    let keys: Vec<&Value> = answer.as_array().into_iter().flatten().filter(|one| !raised || is_raised(one)).collect();
    let mut out = std::io::stdout().lock();
    if format == ListFormat::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&keys)?)?;
        return Ok(DONE);
    }
    if keys.is_empty() {
        let what = if raised { "no signal is raised" } else { "no key is watched yet" };
        writeln!(out, "{what}")?;
        return Ok(DONE);
    }
    for one in keys {
        show(&mut out, one)?;
    }
    Ok(DONE)
}

fn show(out: &mut impl std::io::Write, one: &Value) -> std::io::Result<()> {
    let text = |value: &Value| terminal::line(value.as_str().unwrap_or("?"));
    let key = match one["key"].as_str() {
        Some("") | None => "(no key)".to_owned(),
        Some(key) => terminal::line(key),
    };
    let past = if one["established"] == true { "" } else { ", no past to compare with yet" };
    writeln!(
        out,
        "{key}: {} requests since {}, last {}{past}",
        one["requests"],
        text(&one["first"]),
        text(&one["last"])
    )?;
    for raised in one["raised"].as_array().into_iter().flatten() {
        let usual = if raised["expected"] == true { ", usual by [[abuse.expect]]" } else { "" };
        writeln!(
            out,
            "  {} is raised ({}{usual}): {} {} above {}, since {}, until {}",
            text(&raised["signal"]),
            text(&raised["rule"]),
            raised["count"],
            text(&raised["measure"]),
            raised["level"],
            text(&raised["since"]),
            text(&raised["until"]),
        )?;
    }
    let counted = |count: &&Value| count["today"] != 0 || count["usual"] != 0;
    for count in one["counts"].as_array().into_iter().flatten().filter(counted) {
        let level = count["level"].as_u64().map_or("never".to_owned(), |level| format!("above {level}"));
        let (measure, today, usual) = (text(&count["measure"]), &count["today"], &count["usual"]);
        writeln!(out, "  {measure:<18} today {today}, usual {usual}, reported {level}")?;
    }
    Ok(())
}

async fn accept(at: &At, key: &str, signal: &str, why: &str) -> anyhow::Result<u8> {
    let body = json!({"key": key, "signal": signal, "reason": reason(why)?});
    ask(at, Method::POST, "/admin/v1/abuse/accept", Some(&body)).await?;
    writeln!(std::io::stdout().lock(), "{} of `{}` is usual from now on", terminal::line(signal), terminal::line(key))?;
    Ok(DONE)
}

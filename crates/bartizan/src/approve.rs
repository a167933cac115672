//! `bartizan approve`: tool calls that wait for a person.
//!
//! A running gateway is asked through its socket; without one the file of the client keys is changed, which a gateway
//! looks into for each request of an agent.

use std::io::Write as _;

use bartizan_core::{AccessStore, Approval, ApprovalState, Deed, Ruling, TenantId};
use bartizan_guard::{Shown, deed};
use clap::{Args, Subcommand};
use hyper::Method;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::args::{ConfigArgs, ListFormat};
use crate::config::{self, Config};
use crate::problem::Problem;
use crate::record::{actor, block_on};
use crate::{DONE, control, evidence, keys, record, terminal};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct ApproveArgs {
    #[command(subcommand)]
    command: Option<ApproveCommand>,
    /// Id of the approval: the agent was told, and `bartizan approve list` shows it
    #[arg(required = true)]
    id: Option<String>,
    /// Refuse the call
    #[arg(long)]
    deny: bool,
    /// The values that it waits for count as the user's words for this argument of this tool from now on
    #[arg(long, conflicts_with = "deny")]
    always: bool,
    /// Why; it goes on record
    #[arg(long, default_value = "decided at the command line")]
    reason: String,
    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
struct At {
    /// Whose traffic it is about
    #[arg(long, value_name = "NAME", default_value = "default")]
    tenant: String,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Subcommand)]
enum ApproveCommand {
    /// Show what waits, and what was decided and has not expired
    List {
        #[arg(long, value_enum, default_value_t = ListFormat::Human)]
        format: ListFormat,
        #[command(flatten)]
        at: At,
    },
    /// Show one call: its arguments, where they are from, and what stands there
    Show {
        /// Id of the approval
        id: String,
        #[command(flatten)]
        at: At,
    },
}

/// `bartizan approve`.
pub(crate) fn run(args: &ApproveArgs) -> anyhow::Result<u8> {
    match (&args.command, &args.id) {
        (Some(ApproveCommand::List { format, at }), _) => block_on(list(at, *format)),
        (Some(ApproveCommand::Show { id, at }), _) => block_on(show(at, id)),
        (None, Some(id)) => block_on(rule(args, id)),
        (None, None) => Err(Problem::new("which call?").help("`bartizan approve list` shows what waits").into()),
    }
}

/// A part of a path, in which nothing but the id of an approval has a place.
fn plain(id: &str) -> Result<&str, Problem> {
    let fits = !id.is_empty() && id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let wrong = || Problem::new(format!("`{}` is no id of an approval", terminal::line(id)));
    fits.then_some(id).ok_or_else(|| wrong().help("`bartizan approve list` shows what waits"))
}

fn path(id: &str, tenant: &TenantId) -> String {
    format!("/admin/v1/approvals{id}?tenant={tenant}")
}

async fn list(at: &At, format: ListFormat) -> anyhow::Result<u8> {
    let (config, tenant) = (config::load(&at.config, &[])?.config, TenantId::authenticated(&at.tenant)?);
    let all: Vec<Approval> = match control::ask(&config, Method::GET, &path("", &tenant), None).await? {
        Some(answer) => serde_json::from_value(answer)?,
        None => {
            let store = keys::open(&config).await?;
            let all = store.approvals(&tenant, Timestamp::now().as_millisecond()).await?;
            store.close().await;
            all
        }
    };
    let mut out = std::io::stdout().lock();
    if format == ListFormat::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&all)?)?;
        return Ok(DONE);
    }
    if all.is_empty() {
        writeln!(out, "no tool call of the tenant `{tenant}` waits")?;
    }
    for one in &all {
        let (tool, key) = (terminal::line(&one.call.tool), terminal::line(&one.key));
        let key = if key.is_empty() { "no key".to_owned() } else { format!("key `{key}`") };
        writeln!(out, "{}  {:<8}  `{tool}` by {key}, until {}", one.id, one.state.as_str(), time(one.expires))?;
        for reason in &one.call.reasons {
            writeln!(out, "    {}", terminal::line(reason))?;
        }
    }
    Ok(DONE)
}

async fn show(at: &At, id: &str) -> anyhow::Result<u8> {
    let (config, tenant) = (config::load(&at.config, &[])?.config, TenantId::authenticated(&at.tenant)?);
    let id = plain(id)?;
    let (approval, shown) = match control::ask(&config, Method::GET, &path(&format!("/{id}"), &tenant), None).await? {
        Some(mut answer) => {
            let shown = answer.get_mut("shown").map(Value::take).unwrap_or_default();
            (serde_json::from_value(answer["approval"].take())?, serde_json::from_value::<Option<Shown>>(shown)?)
        }
        None => {
            let store = keys::open(&config).await?;
            let found = find(&*store, &config, &tenant, id).await?;
            store.close().await;
            found
        }
    };
    draw(&approval, shown.as_ref())?;
    Ok(DONE)
}

/// An approval in the store, and what is sealed with it where its key is at hand.
async fn find(
    store: &dyn AccessStore,
    config: &Config,
    tenant: &TenantId,
    id: &str,
) -> anyhow::Result<(Approval, Option<Shown>)> {
    let missing = || {
        Problem::new(format!("no tool call of tenant `{tenant}` waits under the id `{}`", terminal::line(id)))
            .help("`bartizan approve list --tenant NAME` shows what does")
    };
    let approval = store.approval(tenant, id).await?.ok_or_else(missing)?;
    if config.record.master_key.is_none() {
        return Ok((approval, None));
    }
    let events = record::shared(config, None).await?;
    let recorder = evidence::recorder(config, &events).await?;
    recorder.know(tenant).await?;
    let shown = recorder.approving(tenant).and_then(|key| key.open(&approval));
    drop(recorder);
    record::close(events).await;
    Ok((approval, shown))
}

fn draw(one: &Approval, shown: Option<&Shown>) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    let line = terminal::line;
    writeln!(out, "{}  {}", one.id, one.state.as_str())?;
    writeln!(out, "tool       {}", line(&one.call.tool))?;
    writeln!(out, "asked by   key `{}` on route `{}`", line(&one.key), line(&one.route))?;
    writeln!(out, "expires    {}", time(one.expires))?;
    writeln!(out, "event      {}", one.event)?;
    if !one.decided_by.is_empty() {
        writeln!(out, "decided by {}", line(&one.decided_by))?;
    }
    let Some(shown) = shown else {
        for reason in &one.call.reasons {
            writeln!(out, "because    {}", line(reason))?;
        }
        for edge in &one.call.arguments {
            let from =
                [edge.tool.as_deref(), edge.field.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" ");
            writeln!(out, "  {} ({} bytes) <- {} {}", line(&edge.argument), edge.bytes, edge.trace, line(&from))?;
        }
        writeln!(out, "the values are shown where the gateway runs, or with `record.master_key`")?;
        return Ok(());
    };
    for reason in &shown.reasons {
        writeln!(out, "because    {}", line(reason))?;
    }
    writeln!(out, "arguments  {}", line(&shown.arguments))?;
    for value in &shown.values {
        writeln!(out, "  {} = {}", line(&value.argument), line(&value.value))?;
        writeln!(out, "    {}: {}", value.trace, line(&value.source))?;
        if !value.excerpt.is_empty() {
            writeln!(out, "    \"{}\"", line(&value.excerpt))?;
        }
    }
    Ok(())
}

async fn rule(args: &ApproveArgs, id: &str) -> anyhow::Result<u8> {
    let at = &args.at;
    let (config, tenant) = (config::load(&at.config, &[])?.config, TenantId::authenticated(&at.tenant)?);
    let (id, why) = (plain(id)?, record::reason(&args.reason)?);
    let approve = !args.deny;
    let body = json!({"approve": approve, "always": args.always, "reason": why});
    let asked = control::ask(&config, Method::POST, &path(&format!("/{id}"), &tenant), Some(&body)).await?;
    if asked.is_none() {
        let store = keys::open(&config).await?;
        let (approval, shown) = find(&*store, &config, &tenant, id).await?;
        let endorsed = match (args.always, shown) {
            (false, _) => Vec::new(),
            (true, Some(shown)) => shown.values.into_iter().map(|value| value.endorses).collect(),
            (true, None) => {
                return Err(Problem::new("the values cannot be opened here, so none can be endorsed")
                    .help("ask where the gateway runs, or configure `record.master_key`")
                    .into());
            }
        };
        let kind = if approve { Deed::CallApproved } else { Deed::CallDenied };
        let act = deed(kind, &tenant, &actor()).about(id).because(why).with("tool", &approval.call.tool);
        let act = act.with("event", &approval.event).with("endorsed", endorsed.len());
        let now = Timestamp::now().as_millisecond();
        let ruling = Ruling { approved: approve, endorsed, actor: actor(), now };
        if !store.rule(&tenant, id, ruling, act).await? {
            let state = if approval.state == ApprovalState::Pending { "has expired" } else { "is decided already" };
            return Err(Problem::new(format!("this call {state}")).into());
        }
        keys::record(&*store, &config).await?;
        store.close().await;
    }
    let done = if approve { "approved: the same call passes once, until the approval expires" } else { "denied" };
    writeln!(std::io::stdout().lock(), "{done}")?;
    Ok(DONE)
}

fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| "?".to_owned(), |t| format!("{t:.0}"))
}

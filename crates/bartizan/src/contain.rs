//! `bartizan contain`: cutting off, and letting back in.
//!
//! What is cut off is kept beside the client keys, in a file that a running gateway looks at several times a second.

use std::collections::BTreeSet;
use std::io::Write as _;

use bartizan_access::model_fits;
use bartizan_core::{AccessStore, Containment, Target, TenantId};
use bartizan_guard::{Containments, containing, containment, releasing};
use clap::{Args, Subcommand};
use jiff::Timestamp;

use crate::args::{ConfigArgs, ListFormat, tenant};
use crate::config::{self, Config};
use crate::problem::Problem;
use crate::record::{actor, block_on, close, reason};
use crate::store::{self, Place, Use};
use crate::{DONE, keys, suggest, terminal};

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

/// `bartizan contain`.
pub(crate) fn run(command: &ContainCommand) -> anyhow::Result<u8> {
    let (target, args) = match command {
        ContainCommand::List { tenant, format, config } => {
            return with(&config::load(config, &[])?.config, async |store| list(store, tenant, *format).await);
        }
        ContainCommand::Release { id, reason, tenant, config } => {
            return with(&config::load(config, &[])?.config, async |store| release(store, tenant, id, reason).await);
        }
        ContainCommand::Key(args) => (Target::Key, args),
        ContainCommand::Tenant(args) => (Target::Tenant, args),
        ContainCommand::Tool(args) => (Target::Tool, args),
        ContainCommand::Server(args) => (Target::Server, args),
        ContainCommand::Model(args) => (Target::Model, args),
    };
    let one = cut(target, args)?;
    let config = config::load(&args.config, &[])?.config;
    with(&config, async |store| {
        let unknown = match target {
            Target::Key => unknown(store, &config, &one).await?,
            Target::Tenant | Target::Tool | Target::Server | Target::Model => unseen(store, &config, &one).await?,
        };
        store.contain(&one.tenant, one.clone(), containing(&one)).await?;
        if let Some(warning) = unknown {
            writeln!(std::io::stderr().lock(), "warning: {warning}")?;
        }
        let mut out = std::io::stdout().lock();
        writeln!(out, "{} `{}` is cut off until {}", one.target, terminal::line(&one.name), time(one.until))?;
        let whose = if one.tenant == TenantId::sole() { String::new() } else { format!(" --tenant {}", one.tenant) };
        Ok(writeln!(out, "to let it work again: bartizan contain release{whose} --reason WHY {}", one.id)?)
    })
}

fn cut(target: Target, args: &ContainArgs) -> anyhow::Result<Containment> {
    let tenant = match (&args.tenant, target) {
        (Some(tenant), _) => tenant.clone(),
        (None, Target::Tenant) => TenantId::authenticated(&args.name)?,
        (None, _) => TenantId::sole(),
    };
    let span = keys::span(&args.ttl).ok_or_else(|| keys::bad_span(&args.ttl))?;
    let who = (actor(), reason(&args.reason)?);
    Ok(containment(&tenant, (target, &args.name), span, (&who.0, who.1)).map_err(Problem::new)?)
}

/// Days of use in which the subject of a token was seen, if ever.
const SEEN: i64 = 92;

/// A warning where nobody of that name was seen. The subject of a token may be unknown until it first asks, so that it is
/// cut off all the same.
async fn unknown(store: &dyn AccessStore, config: &Config, one: &Containment) -> anyhow::Result<Option<String>> {
    let today = bartizan_access::day_of(Timestamp::now().as_millisecond());
    let keys = store.keys(&one.tenant).await?;
    let mut names: BTreeSet<String> = keys.iter().map(|key| key.name.to_string()).collect();
    names.extend(config.client.iter().filter(|c| c.tenant == one.tenant).map(|c| c.name.clone()));
    let used = store.usage(&one.tenant, today.saturating_sub(SEEN)).await?;
    names.extend(used.iter().map(|(spender, _)| spender.key.to_string()));
    names.remove("");
    if names.contains(&one.name) {
        return Ok(None);
    }
    let of_id = keys.iter().find(|key| *key.id == *one.name).map(|key| key.name.to_string());
    let near = of_id.or_else(|| suggest::closest(&one.name, names.iter().map(String::as_str)).map(str::to_owned));
    let near = match near {
        Some(name) => format!("did you mean `{}`?", terminal::line(&name)),
        None => "`bartizan keys list` shows the keys".to_owned(),
    };
    let (name, tenant) = (terminal::line(&one.name), &one.tenant);
    Ok(Some(format!("no key or token subject `{name}` of the tenant `{tenant}` has been seen; {near}")))
}

/// Newest records in which a tool or model is looked for.
const RECORDS: u32 = 10_000;

/// A warning where neither the configuration nor the newest records know anything of that name. It may come later, so
/// that it is cut off all the same.
async fn unseen(store: &dyn AccessStore, config: &Config, one: &Containment) -> anyhow::Result<Option<String>> {
    let evidence =
        if Place::of(config, None)?.is_there() { Some(store::open(config, None, Use::Reading).await?) } else { None };
    let keyed = store::known_to_keys(config, store, &one.tenant).await;
    let known = match (&evidence, keyed) {
        (Some(evidence), Err(_)) => store::known(config, evidence.as_ref(), &one.tenant).await,
        (_, keyed) => keyed,
    };
    let events = match &evidence {
        Some(evidence) => evidence.recent(&one.tenant, RECORDS).await?,
        None => Vec::new(),
    };
    if let Some(evidence) = evidence {
        close(evidence).await;
    }
    if let Err(unknown) = known {
        return Ok(Some(unknown.to_string()));
    }
    let mut names: BTreeSet<String> = BTreeSet::new();
    match one.target {
        Target::Key | Target::Tenant => return Ok(None),
        Target::Model => {
            names.extend(config.upstream.iter().flat_map(|upstream| upstream.models.iter().cloned()));
            names.extend(events.into_iter().map(|event| event.model));
        }
        Target::Tool => names.extend(events.into_iter().flat_map(|event| event.calls).map(|call| call.tool)),
        Target::Server => names.extend(config.mcp.servers.keys().cloned()),
    }
    names.remove("");
    let prefix = one.name.strip_suffix('*');
    let met = |name: &String| model_fits(name, &one.name) || prefix.is_some_and(|prefix| name.starts_with(prefix));
    if names.iter().any(met) {
        return Ok(None);
    }
    let near = suggest::closest(&one.name, names.iter().map(String::as_str));
    let near = near.map_or_else(String::new, |near| format!("; did you mean `{}`?", terminal::line(near)));
    let (target, name, tenant) = (one.target, terminal::line(&one.name), &one.tenant);
    Ok(Some(format!("no {target} `{name}` of the tenant `{tenant}` has been seen{near}")))
}

/// Does something with the store, and takes the records of it over into the chain where no gateway does.
fn with(config: &Config, work: impl AsyncFnOnce(&dyn AccessStore) -> anyhow::Result<()>) -> anyhow::Result<u8> {
    block_on(async {
        let store = keys::open(config).await?;
        work(&*store).await?;
        keys::record(&*store, config).await?;
        store.close().await;
        Ok(DONE)
    })
}

async fn release(store: &dyn AccessStore, tenant: &TenantId, id: &str, why: &str) -> anyhow::Result<()> {
    let why = reason(why)?;
    let one = store.containments(tenant).await?.into_iter().find(|one| one.id == id);
    let missing = || {
        Problem::new(format!("nothing of tenant `{tenant}` is cut off under the id `{}`", terminal::line(id)))
            .help("`bartizan contain list --tenant NAME` shows what is")
    };
    let one = one.ok_or_else(missing)?;
    if !store.release(tenant, id, releasing(&one, &actor(), why)).await? {
        return Err(missing().into());
    }
    Ok(writeln!(std::io::stdout().lock(), "{} `{}` works again", one.target, terminal::line(&one.name))?)
}

async fn list(store: &dyn AccessStore, tenant: &TenantId, format: ListFormat) -> anyhow::Result<()> {
    let now = Timestamp::now().as_millisecond();
    let mut list = store.containments(tenant).await?;
    list.retain(|one| now < one.until);
    let mut out = std::io::stdout().lock();
    if format == ListFormat::Json {
        return Ok(writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?);
    }
    if list.is_empty() {
        return Ok(writeln!(out, "nothing of the tenant `{tenant}` is cut off")?);
    }
    writeln!(out, "{:<36}  {:<6}  {:<24}  {:<20}  reason", "id", "what", "name", "until")?;
    for one in &list {
        let (name, reason) = (terminal::line(&one.name), terminal::line(&one.reason));
        let target = one.target.as_str();
        writeln!(out, "{:<36}  {target:<6}  {name:<24}  {:<20}  {reason} ({})", one.id, time(one.until), one.actor)?;
    }
    Ok(())
}

fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| "?".to_owned(), |t| format!("{t:.0}"))
}

/// What is cut off for checks on this machine: that of the tenant of an installation without tenants.
pub(crate) fn in_force(config: &Config) -> anyhow::Result<Containments> {
    if !Place::of(config, None)?.has_keys() {
        return Ok(Containments::default());
    }
    block_on(async {
        let store = keys::open(config).await?;
        let tenant = TenantId::sole();
        let list = store.containments(&tenant).await?;
        store.close().await;
        Ok(Containments::of(&tenant, &list, Timestamp::now().as_millisecond()))
    })
}

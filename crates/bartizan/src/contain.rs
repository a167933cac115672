//! `bartizan contain`: cutting off, and letting back in.
//!
//! What is cut off is kept beside the client keys, in a file that a running gateway looks at several times a second.

use std::io::Write as _;
use std::path::Path;

use bartizan_core::{ContainStore as _, Containment, Target, TenantId};
use bartizan_guard::{Containments, containing, containment, releasing};
use bartizan_store::{SqliteAccess, access_path};
use jiff::Timestamp;

use crate::cli::{ContainArgs, ContainCommand, ListFormat};
use crate::config::{self, Config};
use crate::problem::Problem;
use crate::record::{actor, block_on, reason};
use crate::{DONE, keys, terminal};

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
    with(&config::load(&args.config, &[])?.config, async |store| {
        store.contain(&one.tenant, one.clone(), containing(&one)).await?;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{} `{}` is cut off until {}", one.target, terminal::line(&one.name), time(one.until))?;
        Ok(writeln!(out, "to let it work again: bartizan contain release {}", one.id)?)
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

/// Does something with the store, and takes the records of it over into the chain where no gateway does.
fn with(config: &Config, work: impl AsyncFnOnce(&SqliteAccess) -> anyhow::Result<()>) -> anyhow::Result<u8> {
    block_on(async {
        let store = keys::open(config).await?;
        work(&store).await?;
        keys::record(&store, config).await?;
        store.close().await;
        Ok(DONE)
    })
}

async fn release(store: &SqliteAccess, tenant: &TenantId, id: &str, why: &str) -> anyhow::Result<()> {
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

async fn list(store: &SqliteAccess, tenant: &TenantId, format: ListFormat) -> anyhow::Result<()> {
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
    let path = access_path(Path::new(&config.store.path));
    if config.store.path == ":memory:" || !path.exists() {
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

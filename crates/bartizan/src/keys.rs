//! `bartizan keys`: client keys, and what was used with them.
//!
//! Keys are in a file of their own beside the evidence, so they can be made while a gateway runs; it looks at the file
//! several times a second.

pub(crate) mod args;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use bartizan_access::{KeyHasher, NewKey, day_of, month_of};
use bartizan_core::{AccessStore, EventStore, Grant, KeyRecord, Quota, Spender, TenantId, Used};
use bartizan_gateway::{KeyChange, KeyView, create_key, find_key, is_key_name, revoke_key, rotate_key};
use bartizan_store::{OpenError, Options, SqliteStore};
use jiff::Timestamp;
use serde_json::json;

use self::args::{By, CreateKey, KeysCommand, OneKey, RevokeKey, RotateKey, UsageArgs};
use crate::DONE;
use crate::args::ListFormat;
use crate::config::{self, Config};
use crate::exposed;
use crate::problem::Problem;
use crate::record::actor;
use crate::store::{Keys, Place, known_to_keys};
use crate::terminal;

/// `bartizan keys`.
pub(crate) fn run(command: &KeysCommand) -> anyhow::Result<u8> {
    let at = match command {
        KeysCommand::Exposed(args) => return exposed::run(args),
        KeysCommand::Create(args) => &args.config,
        KeysCommand::List { config, .. } => config,
        KeysCommand::Rotate(args) => &args.key.config,
        KeysCommand::Revoke(args) => &args.key.config,
        KeysCommand::Usage(args) => &args.config,
    };
    let config = config::load(at, &[])?.config;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let store = open(&config).await?;
        match command {
            KeysCommand::Create(args) => create(&*store, &config, args).await?,
            KeysCommand::List { tenant, format, .. } => {
                known_to_keys(&config, &*store, tenant).await?;
                list(&*store, tenant, *format).await?;
            }
            KeysCommand::Rotate(args) => rotate(&*store, args).await?,
            KeysCommand::Revoke(args) => revoke(&*store, args).await?,
            KeysCommand::Usage(args) => {
                known_to_keys(&config, &*store, &args.tenant).await?;
                usage(&*store, args).await?;
            }
            // Answered above: it has nothing to do with the store.
            KeysCommand::Exposed(_) => {}
        }
        record(&*store, &config).await?;
        store.close().await;
        Ok(DONE)
    })
}

/// Opens the keys that belong to a configuration.
pub(crate) async fn open(config: &Config) -> anyhow::Result<Keys> {
    Keys::open(config).await?.ok_or_else(|| {
        Problem::new("`store.path` is `:memory:`, so there are no keys to keep")
            .help("name a file there, or write `[[client]]` sections")
            .into()
    })
}

/// Takes records of deeds over into the chain. Where a gateway runs, the chain is its own, and it does so at once.
pub(crate) async fn record(store: &dyn AccessStore, config: &Config) -> anyhow::Result<()> {
    if store.waiting_acts().await?.is_empty() {
        return Ok(());
    }
    let options = Options { sync: config.store.sync, ..Options::default() };
    let events = match SqliteStore::open_with(Path::new(&config.store.path), &options).await {
        Ok(events) => events,
        Err(OpenError::InUse { .. }) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for act in store.waiting_acts().await? {
        let id = act.id.clone();
        events.act(act).await?;
        store.act_done(&id).await?;
    }
    events.close().await;
    Ok(())
}

async fn create(store: &dyn AccessStore, config: &Config, args: &CreateKey) -> anyhow::Result<()> {
    if !is_key_name(&args.name) {
        return Err(Problem::new(format!("`{}` is not a name for a key", terminal::line(&args.name)))
            .help("a name is 1 to 64 of the characters a-z, A-Z, 0-9, `-`, `_`, `.` and `@`")
            .into());
    }
    if !config.tenant.is_empty()
        && args.tenant != TenantId::sole()
        && !config.tenant.iter().any(|t| t.name == args.tenant)
    {
        return Err(Problem::new(format!("the tenant `{}` is not configured", args.tenant))
            .help("add a `[[tenant]]` section")
            .into());
    }
    if let Some(name) = args.profile.as_ref().filter(|name| !config.profile.contains_key(*name)) {
        return Err(Problem::new(format!("the profile `{}` is not configured", terminal::line(name)))
            .help("add a `[profile.NAME]` section with that name")
            .into());
    }
    let now = Timestamp::now().as_millisecond();
    let expires = args.expires.as_deref().map(|text| moment(text, now)).transpose()?;
    let grant = Grant {
        models: args.models.clone(),
        profile: args.profile.clone(),
        quota: Quota {
            requests_per_minute: args.rpm,
            tokens_per_minute: args.tpm,
            concurrency: args.concurrency,
            tokens_per_day: args.tokens_per_day,
            tokens_per_month: args.tokens_per_month,
            spend_per_day: args.budget_per_day,
            spend_per_month: args.budget,
        },
    };
    let hasher = KeyHasher::new(&store.hash_key().await?);
    let (key, KeyChange { key: record, act }) =
        create_key((&args.tenant, &args.name), grant, (now, expires), &hasher, &actor())?;
    if !store.create(&args.tenant, record, act).await? {
        return Err(Problem::new(format!("the tenant `{}` has a key `{}` already", args.tenant, args.name))
            .help("`bartizan keys rotate` gives it another secret, `bartizan keys revoke` takes it back")
            .into());
    }
    shown(&key, &args.name)?;
    let mut err = std::io::stderr().lock();
    let was_open = config.client.is_empty() && config.jwt.is_none() && store.ring().await?.len() == 1;
    if was_open {
        writeln!(err, "it is the first: from now on the gateway refuses callers without a key of its own")?;
    }
    for note in without_key(config) {
        writeln!(err, "note: {}", terminal::line(&note))?;
    }
    Ok(())
}

/// What should be known of upstreams that have no key, where callers need keys: those are the gateway's own, so that
/// nothing of the caller goes on.
pub(crate) fn without_key(config: &Config) -> Vec<String> {
    let none = |name: &str| {
        format!("upstream {name} has no `key`: it gets none, for a caller's key of the gateway is never passed on")
    };
    if config.upstream.is_empty() {
        return vec![none("of `--upstream`")];
    }
    let own = config.upstream.iter().filter(|u| u.key.is_none() && !u.is_behind_envoy());
    own.map(|upstream| none(&format!("`{}`", upstream.name))).collect()
}

/// True where callers need a key of the gateway.
pub(crate) fn are_needed(config: &Config) -> anyhow::Result<bool> {
    if !config.client.is_empty() || config.jwt.is_some() {
        return Ok(true);
    }
    if !Place::of(config, None)?.has_keys() {
        return Ok(false);
    }
    crate::record::block_on(async {
        let store = open(config).await?;
        let some = !store.ring().await?.is_empty();
        store.close().await;
        Ok(some)
    })
}

/// The key alone goes to standard output, so that a script can take it from there.
fn shown(key: &NewKey, name: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout().lock(), "{}", key.text())?;
    writeln!(std::io::stderr().lock(), "key `{name}` (id {}); it is not shown again", key.id)?;
    Ok(())
}

async fn rotate(store: &dyn AccessStore, args: &RotateKey) -> anyhow::Result<()> {
    let old = find(store, &args.key).await?;
    let now = Timestamp::now().as_millisecond();
    let grace = span(&args.grace).ok_or_else(|| bad_span(&args.grace))?;
    let hasher = KeyHasher::new(&store.hash_key().await?);
    let (key, KeyChange { key: record, act }) = rotate_key(old, grace, now, &hasher, &actor())?;
    let name = Arc::clone(&record.name);
    if !store.change(&args.key.tenant, record, act).await? {
        return Err(no_key(&args.key).into());
    }
    shown(&key, &name)
}

async fn revoke(store: &dyn AccessStore, args: &RevokeKey) -> anyhow::Result<()> {
    let old = find(store, &args.key).await?;
    let now = Timestamp::now().as_millisecond();
    let KeyChange { key: record, act } = revoke_key(old, now, &actor(), &args.reason);
    let name = Arc::clone(&record.name);
    if !store.change(&args.key.tenant, record, act).await? {
        return Err(no_key(&args.key).into());
    }
    writeln!(std::io::stdout().lock(), "key `{name}` is revoked")?;
    Ok(())
}

async fn find(store: &dyn AccessStore, key: &OneKey) -> anyhow::Result<KeyRecord> {
    Ok(find_key(store.keys(&key.tenant).await?, &key.key).ok_or_else(|| no_key(key))?)
}

fn no_key(key: &OneKey) -> Problem {
    Problem::new(format!("the tenant `{}` has no key `{}` in force", key.tenant, terminal::line(&key.key)))
        .help("`bartizan keys list --tenant NAME` shows them")
}

async fn list(store: &dyn AccessStore, tenant: &TenantId, format: ListFormat) -> anyhow::Result<()> {
    let keys = store.keys(tenant).await?;
    let now = Timestamp::now().as_millisecond();
    let keys: Vec<KeyView> = keys.iter().map(|key| KeyView::of(key, now)).collect();
    let mut out = std::io::stdout().lock();
    if format == ListFormat::Json {
        writeln!(out, "{}", serde_json::to_string_pretty(&keys)?)?;
        return Ok(());
    }
    if keys.is_empty() {
        writeln!(out, "the tenant `{tenant}` has no keys")?;
        return Ok(());
    }
    writeln!(
        out,
        "{:<12}  {:<20}  {:<8}  {:<20}  {:<20}  {:<20}  limits",
        "id", "name", "state", "created", "expires", "models"
    )?;
    for k in &keys {
        let models = if k.grant.models.is_empty() { "all".to_owned() } else { k.grant.models.join(" ") };
        writeln!(
            out,
            "{:<12}  {:<20}  {:<8}  {:<20}  {:<20}  {:<20}  {}",
            k.id,
            k.name,
            k.state.as_str(),
            k.created,
            k.expires.as_deref().unwrap_or("never"),
            terminal::line(&models),
            terminal::line(&limits(&k.grant)),
        )?;
    }
    Ok(())
}

/// What a key is held to, in the words of the flags that set it.
fn limits(grant: &Grant) -> String {
    let Quota {
        requests_per_minute,
        tokens_per_minute,
        concurrency,
        tokens_per_day,
        tokens_per_month,
        spend_per_day,
        spend_per_month,
    } = &grant.quota;
    let number = |name: &str, value: Option<String>| value.map(|value| format!("{name} {value}"));
    let all = [
        number("rpm", requests_per_minute.map(|n| n.to_string())),
        number("tpm", tokens_per_minute.map(|n| n.to_string())),
        number("concurrency", concurrency.map(|n| n.to_string())),
        number("tokens-per-day", tokens_per_day.map(|n| n.to_string())),
        number("tokens-per-month", tokens_per_month.map(|n| n.to_string())),
        number("budget-per-day", spend_per_day.map(|n| n.to_string())),
        number("budget", spend_per_month.map(|n| n.to_string())),
        number("profile", grant.profile.clone()),
    ];
    let all: Vec<String> = all.into_iter().flatten().collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

async fn usage(store: &dyn AccessStore, args: &UsageArgs) -> anyhow::Result<()> {
    let today = day_of(Timestamp::now().as_millisecond());
    let from = args.days.map_or_else(|| month_of(today), |days| today.saturating_sub(i64::from(days.max(1)) - 1));
    let rows = store.usage(&args.tenant, from).await?;
    // People are kept under pseudonyms; who knows a name can ask for it.
    let user = match &args.user {
        Some(name) => Some(KeyHasher::new(&store.hash_key().await?).pseudonym(&args.tenant, name)),
        None => None,
    };
    let mut sums: BTreeMap<Arc<str>, Used> = BTreeMap::new();
    for (spender, used) in rows.iter().filter(|(s, _)| user.as_ref().is_none_or(|u| *s.user == **u)) {
        sums.entry(part(spender, args.by)).or_default().add(used);
    }
    let mut out = std::io::stdout().lock();
    if args.format == ListFormat::Json {
        let list: Vec<_> = sums.iter().map(|(name, used)| json!({"name": name, "used": used})).collect();
        writeln!(out, "{}", serde_json::to_string_pretty(&list)?)?;
        return Ok(());
    }
    writeln!(
        out,
        "{:<28}  {:>10}  {:>14}  {:>14}  {:>12}",
        args.by.as_str(),
        "requests",
        "tokens in",
        "tokens out",
        "spend"
    )?;
    for (name, used) in &sums {
        let name = if name.is_empty() { "-" } else { name };
        writeln!(
            out,
            "{:<28}  {:>10}  {:>14}  {:>14}  {:>12}",
            terminal::line(name),
            used.requests,
            used.input_tokens,
            used.output_tokens,
            used.spend.to_string(),
        )?;
    }
    Ok(())
}

fn part(spender: &Spender, by: By) -> Arc<str> {
    Arc::clone(match by {
        By::Key => &spender.key,
        By::Model => &spender.model,
        By::User => &spender.user,
        By::Session => &spender.session,
        By::Feature => &spender.feature,
        By::Team => &spender.team,
    })
}

/// A date, a time, or a span from now.
fn moment(text: &str, now: i64) -> Result<i64, Problem> {
    let date = || format!("{text}T00:00:00Z").parse::<Timestamp>().ok();
    let at = span(text)
        .map(|ms| now.saturating_add(ms))
        .or_else(|| text.parse::<Timestamp>().ok().or_else(date).map(|t| t.as_millisecond()))
        .ok_or_else(|| {
            Problem::new(format!("`{}` is no time", terminal::line(text)))
                .help("give a span such as 90d, or a date such as 2027-01-31")
        })?;
    if at <= now { Err(Problem::new(format!("`{text}` is in the past"))) } else { Ok(at) }
}

/// `30s`, `15m`, `24h`, `90d` in milliseconds; `0` is none.
pub(crate) fn span(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    let count: i64 = text.strip_suffix(unit)?.parse().ok().filter(|n| *n >= 0)?;
    count.checked_mul(seconds * 1000)
}

pub(crate) fn bad_span(text: &str) -> Problem {
    Problem::new(format!("`{}` is no span of time", terminal::line(text))).help("give one such as 15m, 24h or 7d")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_dates_are_read() {
        for (text, seconds) in [("0", 0), ("30s", 30), ("15m", 900), ("24h", 86_400), ("90d", 7_776_000)] {
            assert_eq!(span(text), Some(seconds * 1000), "{text}");
        }
        for bad in ["", "d", "-1d", "1w", "1.5h", "é", "99999999999999999d"] {
            assert_eq!(span(bad), None, "{bad}");
        }
        assert_eq!(moment("1970-01-02", 0).unwrap(), 86_400_000);
        assert_eq!(moment("1970-01-01T00:00:01Z", 0).unwrap(), 1000);
        assert!(moment("1970-01-02", 90_000_000).is_err() && moment("soon", 0).is_err());
    }
}

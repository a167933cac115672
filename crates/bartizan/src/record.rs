//! `bartizan record`: opening and erasing what is recorded, and roles.

pub(crate) mod args;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use bartizan_core::SealedStore;
use bartizan_gateway::SecretRef;
use bartizan_guard::{erase, reveal, trace, unseal};
use bartizan_sign::{Secret, hex, unhex};
use bartizan_store::Evidence;

use self::args::{EraseArgs, RecordCommand, RevealArgs, UnsealArgs, UnsealFormat};
use crate::config::{self, Config};
use crate::problem::Problem;
use crate::store::{self, Place, Use};
use crate::{DONE, evidence};

/// `bartizan record`.
pub(crate) fn run(command: &RecordCommand) -> anyhow::Result<u8> {
    match command {
        RecordCommand::Unseal(args) => block_on(unsealed(args)),
        RecordCommand::Reveal(args) => block_on(revealed(args)),
        RecordCommand::Erase(args) => block_on(erased(args)),
        RecordCommand::Role { name, file } => role(name, file),
    }
}

pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// The store for adding records, also beside a gateway that runs.
pub(crate) async fn shared(config: &Config, named: Option<&PathBuf>) -> anyhow::Result<Arc<dyn Evidence>> {
    store::open(config, named.map(PathBuf::as_path), Use::Beside).await
}

/// Who a deed is recorded as.
pub(crate) fn actor() -> String {
    let name = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok()).unwrap_or_default();
    let plain: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "-_.@".contains(*c)).take(64).collect();
    if plain.is_empty() { "cli".to_owned() } else { format!("cli:{plain}") }
}

/// Closes a store, so that everything is in its file.
pub(crate) async fn close(store: Arc<dyn Evidence>) {
    // Nothing is asked of it any more, and what was asked was answered.
    let _ = store.finish().await;
}

pub(crate) fn reason(text: &str) -> Result<&str, Problem> {
    match text.trim() {
        "" => Err(Problem::new("a reason is needed").help("it goes on record: --reason \"ticket 1234\"")),
        reason => Ok(reason),
    }
}

async fn unsealed(args: &UnsealArgs) -> anyhow::Result<u8> {
    let config = config::load(&args.evidence.config, &[])?.config;
    let (tenant, reason) = (&args.opening.tenant, reason(&args.opening.reason)?);
    let role = role_of(&config, &args.opening.role_key)?;
    let store = shared(&config, args.evidence.store.as_ref()).await?;
    let vault = evidence::vault(&config, Arc::clone(&store) as Arc<dyn SealedStore>)?
        .ok_or_else(|| Problem::new("there is no `record.master_key`, so nothing can be opened"))?;
    let opened = unseal(store.as_ref(), &vault, tenant, &args.id, (&actor(), &role), reason).await?;
    drop(vault);
    close(store).await;
    if opened.is_empty() {
        return Err(Problem::new(format!("nothing is recorded of `{}` for tenant `{tenant}`", args.id)).into());
    }
    let mut out = std::io::stdout().lock();
    match args.format {
        UnsealFormat::Trace => writeln!(out, "{}", trace(&args.id, &opened, &config.limits))?,
        UnsealFormat::Raw => {
            for body in &opened {
                out.write_all(&body.body)?;
                writeln!(out)?;
            }
        }
    }
    Ok(DONE)
}

async fn revealed(args: &RevealArgs) -> anyhow::Result<u8> {
    let config = config::load(&args.evidence.config, &[])?.config;
    let (tenant, reason) = (&args.opening.tenant, reason(&args.opening.reason)?);
    let role = role_of(&config, &args.opening.role_key)?;
    let store = shared(&config, args.evidence.store.as_ref()).await?;
    let vault = evidence::vault(&config, Arc::clone(&store) as Arc<dyn SealedStore>)?
        .ok_or_else(|| Problem::new("there is no `record.master_key`, so nothing can be decrypted"))?;
    let value = reveal(store.as_ref(), &vault, tenant, &args.token, (&actor(), &role), reason).await?;
    drop(vault);
    close(store).await;
    let value = value.ok_or_else(|| {
        Problem::new(format!("the token was not made for tenant `{tenant}`, or with a key that is gone"))
            .help("give all of it, with its brackets: '[CREDIT_CARD:enc:...]'")
    })?;
    writeln!(std::io::stdout().lock(), "{value}")?;
    Ok(DONE)
}

/// The role whose key this is.
pub(crate) fn role_of(config: &Config, key: &SecretRef) -> anyhow::Result<String> {
    let key = key.resolve().map_err(|why| Problem::of_setting("--role-key", why))?;
    let sum = digest(&SHA256, key.as_bytes());
    let mut found = None;
    // Every role is compared, so that the time does not tell which one is close.
    for role in &config.record.role {
        let wanted = unhex::<32>(&role.key_sha256).ok_or_else(|| {
            Problem::new(format!("`key_sha256` of role `{}` is not 64 hex digits", role.name))
                .help("`bartizan record role NAME FILE` prints it")
        })?;
        if verify_slices_are_equal(&wanted, sum.as_ref()).is_ok() {
            found = Some(role.name.clone());
        }
    }
    Ok(found.ok_or_else(|| {
        Problem::new("this key belongs to no role").help("roles are `[[record.role]]` entries of the configuration")
    })?)
}

async fn erased(args: &EraseArgs) -> anyhow::Result<u8> {
    let config = config::load(&args.evidence.config, &[])?.config;
    let (tenant, reason) = (&args.tenant, reason(&args.reason)?);
    if let Some(day) = &args.before
        && day.parse::<jiff::civil::Date>().is_err()
    {
        return Err(Problem::new(format!("`{day}` is not a day")).help("days are written YYYY-MM-DD").into());
    }
    let store = shared(&config, args.evidence.store.as_ref()).await?;
    store::known(&config, store.as_ref(), tenant).await?;
    let gone = erase(store.as_ref(), tenant, args.before.as_deref(), &actor(), reason).await?;
    close(store).await;
    // Their key is gone with the others; what cannot be opened need not be kept.
    let place = Place::of(&config, args.evidence.store.as_deref())?;
    if args.before.is_none()
        && let Some(pseudonyms) = store::pseudonyms(&place, false).await?
    {
        pseudonyms.vault_forget(tenant).await?;
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "tenant `{tenant}`: {} keys destroyed, {} recorded bodies are gone", gone.keys, gone.contents)?;
    Ok(DONE)
}

fn role(name: &str, file: &Path) -> anyhow::Result<u8> {
    let key = hex(Secret::generate()?.bytes());
    write_secret(file, &key)?;
    let mut out = std::io::stdout().lock();
    let sum = hex(digest(&SHA256, key.as_bytes()).as_ref());
    writeln!(out, "[[record.role]]\nname = {name:?}\nkey_sha256 = \"{sum}\"")?;
    Ok(DONE)
}

/// Writes a new file that only its owner reads.
pub(crate) fn write_secret(file: &Path, text: &str) -> anyhow::Result<()> {
    let mut options = std::fs::File::options();
    options.create_new(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut open = options.open(file).with_context(|| format!("cannot make `{}`", file.display()))?;
    Ok(writeln!(open, "{text}")?)
}

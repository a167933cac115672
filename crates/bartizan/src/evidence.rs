//! What the configuration says about evidence, made ready: keys, the vault, and the work in the background.

use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::Context as _;
use bartizan_core::{ChainStore, EventStore, SealedStore, VaultStore};
use bartizan_gateway::SecretRef;
use bartizan_guard::{Keeper, RecordMode, Recorder, Vault, days_ago, forget};
use bartizan_sign::{ExecMaster, LocalMaster, Master, NoteKey};
use bartizan_store::Evidence as EvidenceStore;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::problem::Problem;
use crate::store::{self, Place};

/// Checkpoints: signed statements of how many records there are and what they are, for a place outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Evidence {
    /// The key that signs: `env:NAME` or `file:PATH`. `bartizan report new-key FILE` makes one.
    pub(crate) sign_key: Option<SecretRef>,
    /// Where checkpoints go: `file:PATH`, which is appended to, or `stdout`. It should be a place that whoever can write
    /// the store cannot change.
    pub(crate) checkpoint_to: String,
    /// Minutes between checkpoints, where there is something new.
    pub(crate) checkpoint_minutes: u32,
    /// Records after which a checkpoint is made before its time; looked at every few seconds.
    pub(crate) checkpoint_records: u64,
}

impl Default for Evidence {
    fn default() -> Self {
        Self { sign_key: None, checkpoint_to: "stdout".to_owned(), checkpoint_minutes: 10, checkpoint_records: 10_000 }
    }
}

/// How often the chain is looked at.
const TICK: Duration = Duration::from_secs(2);

/// How often retention is looked at.
const RETENTION: Duration = Duration::from_secs(10 * 60);

/// The key over all tenants' keys; `None` where there is none.
pub(crate) fn master(config: &Config) -> anyhow::Result<Option<Arc<dyn Master>>> {
    let Some(reference) = &config.record.master_key else {
        if config.record.mode == RecordMode::Off {
            return Ok(None);
        }
        return Err(Problem::new("`[record]` needs a `master_key`: content is recorded under encryption only")
            .help("openssl rand -hex 32 > master.key, then master_key = \"file:master.key\"")
            .into());
    };
    if let Some(command) = reference.strip_prefix("exec:") {
        return Ok(Some(Arc::new(ExecMaster::new(command)?)));
    }
    if reference.starts_with("pkcs11:") {
        return Err(Problem::new("`pkcs11:` keys are not supported")
            .help("`exec:COMMAND` calls a command that reaches the token; see docs/guide/evidence.md")
            .into());
    }
    let wrong = |why| Problem::of_setting("record.master_key", why);
    let text = SecretRef::try_from(reference.clone()).and_then(|key| key.resolve()).map_err(wrong)?;
    Ok(Some(Arc::new(LocalMaster::from_text(&text)?)))
}

/// The vault over a store; `None` without a master key.
pub(crate) fn vault(config: &Config, store: Arc<dyn SealedStore>) -> anyhow::Result<Option<Arc<Vault>>> {
    Ok(master(config)?.map(|master| Arc::new(Vault::new(store, master, config.record.clone()))))
}

/// What records for the gateway. Pseudonyms are kept where there is a key that lasts, else in memory.
pub(crate) async fn recorder(config: &Config, store: &Arc<dyn EvidenceStore>) -> anyhow::Result<Recorder> {
    let recorder = Recorder::new(Arc::clone(store) as Arc<dyn EventStore>)?;
    let Some(vault) = vault(config, Arc::clone(store) as Arc<dyn SealedStore>)? else { return Ok(recorder) };
    let recorder = recorder.with_vault(vault);
    let Some(pseudonyms) = store::pseudonyms(&Place::of(config, None)?, true).await? else { return Ok(recorder) };
    tokio::spawn(expire(Arc::downgrade(&pseudonyms)));
    Ok(recorder.with_pseudonyms(pseudonyms))
}

/// Takes pseudonyms away whose time is over.
async fn expire(pseudonyms: Weak<dyn VaultStore>) {
    while let Some(pseudonyms) = pseudonyms.upgrade() {
        if let Err(error) = pseudonyms.vault_expire(jiff::Timestamp::now().as_millisecond()).await {
            tracing::error!(%error, "pseudonyms whose time is over cannot be taken away");
        }
        drop(pseudonyms);
        tokio::time::sleep(RETENTION).await;
    }
}

/// The key that signs checkpoints.
pub(crate) fn sign_key(config: &Config) -> anyhow::Result<Option<NoteKey>> {
    let Some(reference) = &config.evidence.sign_key else { return Ok(None) };
    let text = reference.resolve().map_err(|why| Problem::of_setting("evidence.sign_key", why))?;
    Ok(Some(NoteKey::parse(&text)?))
}

/// What evidence needs besides a store.
#[derive(Default)]
pub(crate) struct Means {
    sign_key: Option<NoteKey>,
}

/// Reads the keys, and checks where checkpoints go.
pub(crate) fn means(config: &Config) -> anyhow::Result<Means> {
    master(config)?;
    if config.evidence.checkpoint_to != "stdout" && !config.evidence.checkpoint_to.starts_with("file:") {
        let title = format!("`{}` is not a place for checkpoints", config.evidence.checkpoint_to);
        return Err(Problem::new(title).help("it is `file:PATH` or `stdout`").into());
    }
    Ok(Means { sign_key: sign_key(config)? })
}

/// The work in the background.
pub(crate) fn background(
    config: &Config,
    means: Means,
    store: &Arc<dyn EvidenceStore>,
) -> impl Future<Output = ()> + use<> {
    let keeper = Keeper::new(Arc::clone(store) as Arc<dyn ChainStore>, means.sign_key);
    watch(keeper, Arc::clone(store), config.clone())
}

async fn watch(mut keeper: Keeper, store: Arc<dyn EvidenceStore>, config: Config) {
    let signs = config.evidence.sign_key.is_some();
    let every = Duration::from_secs(u64::from(config.evidence.checkpoint_minutes.max(1)) * 60);
    let mut last = tokio::time::Instant::now();
    // What was recorded since the last checkpoint counts, also from before the start.
    let mut last_size = keeper.covered().await.unwrap_or(0);
    let mut retained = tokio::time::Instant::now().checked_sub(RETENTION);
    loop {
        if retained.is_none_or(|at| at.elapsed() >= RETENTION) {
            retained = Some(tokio::time::Instant::now());
            if let Err(error) = retain(&mut keeper, store.as_ref(), &config).await {
                tracing::error!(%error, "records past their retention cannot be taken away");
            }
        }
        tokio::time::sleep(TICK).await;
        let Ok(head) = store.head().await else { continue };
        let new = head.next().saturating_sub(last_size);
        if signs && (last.elapsed() >= every || new >= config.evidence.checkpoint_records.max(1)) {
            (last, last_size) = (tokio::time::Instant::now(), head.next());
            if let Err(error) = checkpoint(&mut keeper, &config.evidence.checkpoint_to).await {
                tracing::error!(%error, "a checkpoint cannot be made");
            }
        }
    }
}

async fn retain(keeper: &mut Keeper, store: &dyn EvidenceStore, config: &Config) -> anyhow::Result<()> {
    if config.record.retention_days > 0 {
        let day = days_ago(config.record.retention_days);
        forget(store, day.get(..10).unwrap_or_default()).await?;
    }
    if config.store.retention_days > 0 {
        keeper.prune(&days_ago(config.store.retention_days)).await?;
    }
    Ok(())
}

/// Makes a checkpoint, gives it away, and records that. `None` where there is nothing new.
pub(crate) async fn checkpoint(keeper: &mut Keeper, to: &str) -> anyhow::Result<Option<String>> {
    let Some((note, act)) = keeper.checkpoint().await? else { return Ok(None) };
    let (text, place) = (note.clone(), to.to_owned());
    tokio::task::spawn_blocking(move || give(&place, &text)).await??;
    keeper.given(act.about(to)).await?;
    Ok(Some(note))
}

fn give(to: &str, note: &str) -> anyhow::Result<()> {
    let Some(path) = to.strip_prefix("file:") else {
        let mut out = std::io::stdout().lock();
        writeln!(out, "{note}")?;
        return Ok(out.flush()?);
    };
    let failed = || format!("cannot append to `{path}`");
    let mut file = std::fs::File::options().create(true).append(true).open(Path::new(path)).with_context(failed)?;
    file.write_all(format!("{note}\n").as_bytes()).and_then(|()| file.sync_all()).with_context(failed)
}

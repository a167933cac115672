//! Opening what the configuration names: a file of this machine, or a database that several gateways share.

use std::collections::BTreeSet;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bartizan_core::{AccessStore, Deed, TenantId, VaultStore};
use bartizan_store::{
    Evidence, Options, PgAccess, PgStore, SqliteAccess, SqliteStore, SqliteVault, access_path, vault_path,
};

use crate::config::Config;
use crate::problem::Problem;
use crate::suggest;

/// What it is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Reading and writing, for a gateway: of a file it is the one writer.
    Gateway,
    /// Adding a few records beside a gateway. It makes no new file.
    Beside,
    /// Reading.
    Reading,
}

/// Where the evidence is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Nowhere: it ends with the process.
    Memory,
    /// A SQLite file.
    File(PathBuf),
    /// A Postgres database, by its address. It holds a password.
    Server(String),
}

impl Place {
    /// That of a configuration, or a file that a command names instead.
    ///
    /// # Errors
    /// The address cannot be read.
    pub(crate) fn of(config: &Config, named: Option<&Path>) -> Result<Self, Problem> {
        match (named, &config.store.url) {
            (Some(file), _) => Ok(Self::File(file.to_owned())),
            (None, Some(url)) => {
                let url = url.resolve().map_err(|why| Problem::new(format!("store.url: {why}")))?;
                Ok(Self::Server(url))
            }
            (None, None) if config.store.path == ":memory:" => Ok(Self::Memory),
            (None, None) => Ok(Self::File(PathBuf::from(&config.store.path))),
        }
    }

    /// Whether there may be something in it. A database is asked only where it is opened.
    pub(crate) fn is_there(&self) -> bool {
        match self {
            Self::Memory => false,
            Self::File(path) => path.exists(),
            Self::Server(_) => true,
        }
    }

    /// Whether keys may have been made there.
    pub(crate) fn has_keys(&self) -> bool {
        match self {
            Self::Memory => false,
            Self::File(path) => access_path(path).is_file(),
            Self::Server(_) => true,
        }
    }

    /// For people.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Memory => ":memory:".to_owned(),
            Self::File(path) => path.display().to_string(),
            Self::Server(_) => "store.url".to_owned(),
        }
    }
}

/// Opens the evidence.
pub(crate) async fn open(config: &Config, named: Option<&Path>, how: Use) -> anyhow::Result<Arc<dyn Evidence>> {
    let place = Place::of(config, named)?;
    let options = Options { sync: config.store.sync, ..Options::default() };
    let path = match place {
        Place::Memory if how != Use::Gateway => {
            return Err(Problem::new("`store.path` is `:memory:`, so there is no evidence to open")
                .help("name a file there, or with `--store FILE`")
                .into());
        }
        Place::Memory => return Ok(Arc::new(SqliteStore::open_in_memory().await?)),
        Place::Server(url) => {
            return Ok(match how {
                Use::Reading => Arc::new(PgStore::open_read_only(&url).await.map_err(server)?),
                Use::Gateway | Use::Beside => Arc::new(PgStore::open(&url, &options).await.map_err(server)?),
            });
        }
        Place::File(path) => path,
    };
    if how != Use::Gateway && !path.exists() {
        return Err(Problem::new(format!("there is no evidence store `{}`", path.display()))
            .help("`--store FILE` names another one; `bartizan up` makes one")
            .into());
    }
    Ok(match how {
        Use::Reading => Arc::new(SqliteStore::open_read_only(&path).await?),
        Use::Beside => Arc::new(SqliteStore::open_shared(&path).await?),
        Use::Gateway => Arc::new(SqliteStore::open_with(&path, &options).await.map_err(|error| {
            Problem::new(format!("cannot open the evidence store `{}`: {error}", path.display()))
                .help("choose another file with `store.path`, or stop the other process")
        })?),
    })
}

/// The store for a proxy that runs beside a gateway and other proxies, and makes a file where there is none.
pub(crate) async fn open_or_make(config: &Config) -> anyhow::Result<Arc<dyn Evidence>> {
    let Place::File(path) = Place::of(config, None)? else { return open(config, None, Use::Gateway).await };
    let options = Options { sync: config.store.sync, ..Options::default() };
    if !path.exists() {
        // Of two that start together, one makes it.
        match SqliteStore::open_with(&path, &options).await {
            Ok(store) => store.close().await,
            Err(_) if path.exists() => {}
            Err(error) => return Err(error.into()),
        }
    }
    let store = SqliteStore::open_shared_with(&path, &options).await.map_err(|error| {
        Problem::new(format!("cannot open the evidence store `{}`: {error}", path.display()))
            .help("choose another file with `store.path`")
    })?;
    Ok(Arc::new(store))
}

/// Refuses a tenant of which neither the configuration nor the evidence knows: most likely its name is mistyped, and
/// nothing would be found of it.
pub(crate) async fn known(config: &Config, store: &dyn Evidence, tenant: &TenantId) -> anyhow::Result<()> {
    let known = is_configured(config, tenant)
        || !store.recent(tenant, 1).await?.is_empty()
        || !store.deeds(tenant, Deed::KeyCreated, None, 1).await?.is_empty();
    if known { Ok(()) } else { Err(unknown(config, tenant).into()) }
}

/// The tenant that is meant: the one that is named, or the only choice there is.
pub(crate) async fn whose(config: &Config, store: &dyn Evidence, named: Option<&TenantId>) -> anyhow::Result<TenantId> {
    if let Some(tenant) = named {
        known(config, store, tenant).await?;
        return Ok(tenant.clone());
    }
    let mut choices: BTreeSet<TenantId> = configured(config).cloned().collect();
    let sole = TenantId::sole();
    if choices.is_empty() || !store.recent(&sole, 1).await?.is_empty() {
        choices.insert(sole);
    }
    match (choices.len(), choices.pop_first()) {
        (1, Some(only)) => Ok(only),
        (_, first) => {
            let names: Vec<String> = first.iter().chain(&choices).map(ToString::to_string).collect();
            let title = "there are several tenants, and none is named";
            Err(Problem::new(title).help(format!("name one: --tenant {}", names.join(" | "))).into())
        }
    }
}

/// The same, as client keys and their use know it.
pub(crate) async fn known_to_keys(config: &Config, keys: &dyn AccessStore, tenant: &TenantId) -> anyhow::Result<()> {
    let known = is_configured(config, tenant)
        || !keys.keys(tenant).await?.is_empty()
        || !keys.usage(tenant, 0).await?.is_empty();
    if known { Ok(()) } else { Err(unknown(config, tenant).into()) }
}

fn is_configured(config: &Config, tenant: &TenantId) -> bool {
    *tenant == TenantId::sole() || configured(config).any(|name| name == tenant)
}

fn configured(config: &Config) -> impl Iterator<Item = &TenantId> {
    config.tenant.iter().map(|one| &one.name).chain(config.client.iter().map(|client| &client.tenant))
}

fn unknown(config: &Config, tenant: &TenantId) -> Problem {
    let problem = Problem::new(format!("the store has no tenant `{tenant}`"));
    match suggest::closest(tenant.as_str(), configured(config).map(TenantId::as_str).chain(["default"])) {
        Some(close) => problem.help(format!("did you mean `{close}`?")),
        None => problem.help("no record, no key and no section of the configuration names it"),
    }
}

fn server(error: bartizan_store::OpenError) -> Problem {
    Problem::new(error.to_string()).help("`store.url` names it; docs/guide/operations.md says what it needs")
}

/// Client keys, approvals, containments and usage.
#[derive(Debug)]
pub(crate) enum Keys {
    /// In a file.
    File(SqliteAccess),
    /// In a database that gateways share.
    Server(PgAccess),
}

impl Deref for Keys {
    type Target = dyn AccessStore;

    fn deref(&self) -> &Self::Target {
        match self {
            Self::File(store) => store,
            Self::Server(store) => store,
        }
    }
}

impl Keys {
    /// Opens them; `None` where nothing is kept.
    pub(crate) async fn open(config: &Config) -> anyhow::Result<Option<Self>> {
        Ok(Some(match Place::of(config, None)? {
            Place::Memory => return Ok(None),
            Place::Server(url) => {
                Self::Server(PgStore::open(&url, &Options::default()).await.map_err(server)?.access())
            }
            Place::File(path) => {
                let path = access_path(&path);
                Self::File(
                    SqliteAccess::open(&path)
                        .await
                        .map_err(|error| Problem::new(format!("cannot open the keys `{}`: {error}", path.display())))?,
                )
            }
        }))
    }

    /// To be shared.
    pub(crate) fn shared(self) -> Arc<dyn AccessStore> {
        match self {
            Self::File(store) => Arc::new(store),
            Self::Server(store) => Arc::new(store),
        }
    }

    /// Waits until everything is written, and closes them.
    pub(crate) async fn close(self) {
        match self {
            Self::File(store) => store.close().await,
            Self::Server(store) => store.close().await,
        }
    }
}

/// Pseudonyms of a place; `None` where none are kept, or, unless they are made, where there are none.
pub(crate) async fn pseudonyms(place: &Place, make: bool) -> anyhow::Result<Option<Arc<dyn VaultStore>>> {
    Ok(match place {
        Place::Memory => None,
        Place::File(path) if !make && !vault_path(path).exists() => None,
        Place::File(path) => Some(Arc::new(SqliteVault::open(&vault_path(path)).await?)),
        Place::Server(url) => Some(Arc::new(PgStore::open(url, &Options::default()).await.map_err(server)?.vault())),
    })
}

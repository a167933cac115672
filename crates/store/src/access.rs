//! Client keys and what was used, in a SQLite file of its own.
//!
//! The evidence has one writer, which holds its lock as long as a gateway runs. Keys are made by whoever administers
//! them while the gateway runs, so they are in another file, `FILE.access`, which any process may write. A change and
//! the record of it are one transaction; whoever writes the chain takes the record over.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bartizan_core::store::StoreFuture;
use bartizan_core::{AccessStore, Act, Grant, KeyRecord, Money, Spender, StoreError, TenantId, Total, Used, Watched};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::database::{
    Arg, Cells, Connection as _, Database, RowOf, Unit, Whose, args, number, position, store_error, tenant,
};
use crate::evidence::another_tenant;
use crate::private;
use crate::schema::{Down, Schema, Step};
use crate::sqlite::{OpenError, SqliteDb, beside};

/// The file of client keys: "BzAc".
pub(crate) static SCHEMA: Schema = Schema {
    mark: 0x427a_4163,
    steps: &[
        Step { up: include_str!("../migrations/access_0001.sql"), down: None },
        Step {
            up: include_str!("../migrations/access_0002.sql"),
            down: Some(Down {
                blocked_by: "SELECT count(*) FROM containments WHERE released = 0 AND until > unixepoch() * 1000",
                blocked: "containments in force, which would be lifted; release them first",
                sql: include_str!("../migrations/access_0002_down.sql"),
                again: include_str!("../migrations/access_0002_again.sql"),
            }),
        },
        Step {
            up: include_str!("../migrations/access_0003.sql"),
            down: Some(Down {
                blocked_by: "SELECT 0",
                blocked: "",
                sql: include_str!("../migrations/access_0003_down.sql"),
                again: include_str!("../migrations/access_0003_again.sql"),
            }),
        },
        Step {
            up: include_str!("../migrations/access_0004.sql"),
            down: Some(Down {
                blocked_by: "SELECT 0",
                blocked: "",
                sql: include_str!("../migrations/access_0004_down.sql"),
                again: include_str!("../migrations/access_0004_again.sql"),
            }),
        },
    ],
    first: Some(("INSERT INTO installation (revision, hash_key) VALUES (0, ?)", 32)),
};

const KEY: &str =
    r#"SELECT id, tenant, name, hash, previous, previous_until, "grant", created, expires, revoked FROM keys"#;

/// Where keys and usage of an evidence store are.
#[must_use]
pub fn access_path(evidence: &Path) -> PathBuf {
    beside(evidence, ".access")
}

/// Keys, approvals, containments and usage in a database. Several processes may have it open.
#[derive(Debug)]
pub struct Access<D> {
    pub(crate) db: D,
}

/// The same in a SQLite file.
pub type SqliteAccess = Access<SqliteDb>;

impl SqliteAccess {
    /// Opens it, making it where it is not there. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`OpenError`]: not ours, too new, not writable.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        private::make(path);
        let connect = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // A key that was revoked stays revoked after a power loss.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(5));
        Self::connect(connect, path).await
    }

    /// Opens one that is gone with the process.
    ///
    /// # Errors
    /// [`OpenError::Database`] where SQLite cannot allocate it.
    pub async fn open_in_memory() -> Result<Self, OpenError> {
        Self::connect(SqliteConnectOptions::new().in_memory(true), Path::new(":memory:")).await
    }

    async fn connect(options: SqliteConnectOptions, path: &Path) -> Result<Self, OpenError> {
        let failed = |e: sqlx::Error| OpenError::Database { path: path.to_owned(), reason: e.to_string() };
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .min_connections(1)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options)
            .await
            .map_err(failed)?;
        SCHEMA.upgrade(&mut *pool.acquire().await.map_err(failed)?, path).await?;
        Ok(Self { db: SqliteDb(pool) })
    }
}

impl<D: Database> Access<D> {
    /// Waits until everything is written and closes the database.
    pub async fn close(self) {
        self.db.pool().close().await;
    }

    /// Runs a statement that changes one row, counts a revision up, and adds the record of the deed. Answers false where
    /// no row was changed; then there is no record either.
    pub(crate) async fn change_one(
        &self,
        unit: &mut Unit<D>,
        (sql, args): (&'static str, Vec<Arg>),
        revise: Option<&'static str>,
        act: Act,
    ) -> Result<bool, StoreError> {
        match unit.run(sql.into(), args).await {
            Ok(1) => {}
            Ok(_) => return Ok(false),
            Err(error) if error.as_database_error().is_some_and(|e| e.is_unique_violation()) => return Ok(false),
            Err(error) => return Err(store_error(error)),
        }
        if let Some(revise) = revise {
            unit.run(revise.into(), args![]).await.map_err(store_error)?;
        }
        D::record(unit, act).await?;
        Ok(true)
    }

    async fn put(
        &self,
        tenant: &TenantId,
        key: KeyRecord,
        act: Act,
        statement: &'static str,
    ) -> Result<bool, StoreError> {
        if key.tenant != *tenant || act.tenant != *tenant {
            return Err(another_tenant("a key or record"));
        }
        let grant = serde_json::to_string(&*key.grant).map_err(|e| StoreError::Failed(e.to_string()))?;
        let given = args![
            &*key.id,
            tenant,
            &*key.name,
            key.hash.to_vec(),
            key.previous.map(|(hash, _)| hash.to_vec()),
            key.previous.map(|(_, until)| until),
            grant,
            key.created,
            key.expires,
            key.revoked,
        ];
        let revise = "UPDATE installation SET revision = revision + 1";
        self.db
            .within(async {
                let mut unit = self.db.begin(Whose::Tenant(tenant)).await?;
                let done = self.change_one(&mut unit, (statement, given), Some(revise), act).await?;
                if done {
                    unit.commit().await.map_err(store_error)?;
                }
                Ok(done)
            })
            .await
    }

    async fn keys_where(&self, whose: Whose<'_>, rest: &str, args: Vec<Arg>) -> Result<Vec<KeyRecord>, StoreError> {
        self.db.rows(whose, format!("{KEY} WHERE {rest}"), args).await?.iter().map(key).collect()
    }

    /// A cell of the one row about the installation.
    pub(crate) async fn installation<T>(
        &self,
        sql: &'static str,
        read: impl FnOnce(&RowOf<D>) -> Result<T, StoreError> + Send,
    ) -> Result<T, StoreError> {
        let row = self.db.row(Whose::Operator, sql, args![]).await?;
        read(&row.ok_or_else(|| StoreError::Failed("the installation has no row".to_owned()))?)
    }
}

impl<D: Database> AccessStore for Access<D> {
    fn revision(&self) -> StoreFuture<'_, u64> {
        Box::pin(self.installation("SELECT revision FROM installation", |row| number(row, 0)))
    }

    fn ring(&self) -> StoreFuture<'_, Vec<KeyRecord>> {
        Box::pin(self.keys_where(Whose::Operator, "revoked IS NULL", args![]))
    }

    fn hash_key(&self) -> StoreFuture<'_, [u8; 32]> {
        Box::pin(
            self.installation("SELECT hash_key FROM installation", |row| bytes(row.bytes(0).map_err(store_error)?)),
        )
    }

    fn keys<'a>(&'a self, tenant: &'a TenantId) -> StoreFuture<'a, Vec<KeyRecord>> {
        Box::pin(self.keys_where(Whose::Tenant(tenant), "tenant = ? ORDER BY created, id", args![tenant]))
    }

    fn create<'a>(&'a self, tenant: &'a TenantId, key: KeyRecord, act: Act) -> StoreFuture<'a, bool> {
        Box::pin(self.put(
            tenant,
            key,
            act,
            r#"INSERT INTO keys (id, tenant, name, hash, previous, previous_until, "grant", created, expires, revoked)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"#,
        ))
    }

    fn change<'a>(&'a self, tenant: &'a TenantId, key: KeyRecord, act: Act) -> StoreFuture<'a, bool> {
        Box::pin(self.put(
            tenant,
            key,
            act,
            r#"UPDATE keys SET name = ?3, hash = ?4, previous = ?5, previous_until = ?6, "grant" = ?7, created = ?8,
               expires = ?9, revoked = ?10 WHERE id = ?1 AND tenant = ?2 AND revoked IS NULL"#,
        ))
    }

    fn waiting_acts(&self) -> StoreFuture<'_, Vec<Act>> {
        Box::pin(async move {
            if !D::ACTS_WAIT {
                return Ok(Vec::new());
            }
            let sql = "SELECT body FROM acts ORDER BY position LIMIT 100";
            let act = |row: &RowOf<D>| {
                let body = row.text(0).map_err(store_error)?;
                serde_json::from_str(body).map_err(|e| StoreError::Failed(e.to_string()))
            };
            self.db.rows(Whose::Operator, sql, args![]).await?.iter().map(act).collect()
        })
    }

    fn act_done<'a>(&'a self, id: &'a str) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            if !D::ACTS_WAIT {
                return Ok(());
            }
            self.db.change(Whose::Operator, "DELETE FROM acts WHERE id = ?", args![id]).await.map(drop)
        })
    }

    fn spend(&self, used: Vec<(TenantId, Spender, Used)>) -> StoreFuture<'_, ()> {
        Box::pin(self.db.within(async move {
            let mut unit = self.db.begin(Whose::Operator).await?;
            for (tenant, spender, used) in used {
                let sql = r#"INSERT INTO usage (tenant, day, key, model, "user", session, feature, team,
                                        requests, input_tokens, output_tokens, spend)
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                     ON CONFLICT (tenant, day, key, model, "user", session, feature, team) DO UPDATE SET
                         requests = usage.requests + excluded.requests,
                         input_tokens = usage.input_tokens + excluded.input_tokens,
                         output_tokens = usage.output_tokens + excluded.output_tokens,
                         spend = usage.spend + excluded.spend"#;
                let given = args![
                    &tenant,
                    spender.day,
                    &*spender.key,
                    &*spender.model,
                    &*spender.user,
                    &*spender.session,
                    &*spender.feature,
                    &*spender.team,
                    position(used.requests),
                    position(used.input_tokens),
                    position(used.output_tokens),
                    position(used.spend.as_nano()),
                ];
                unit.run(sql.into(), given).await.map_err(store_error)?;
            }
            unit.commit().await.map_err(store_error)
        }))
    }

    fn totals(&self, day: i64) -> StoreFuture<'_, Vec<Total>> {
        Box::pin(async move {
            let sql = "SELECT tenant, key, day, CAST(sum(requests) AS BIGINT), CAST(sum(input_tokens) AS BIGINT),
                 CAST(sum(output_tokens) AS BIGINT), CAST(sum(spend) AS BIGINT)
                 FROM usage WHERE day >= ? GROUP BY tenant, key, day ORDER BY tenant, key, day";
            let total = |row: &RowOf<D>| {
                let (key, day) = (row.text(1).map_err(store_error)?, row.int(2).map_err(store_error)?);
                Ok(Total { tenant: tenant(row, 0)?, key: Arc::from(key), day, used: used(row, 3)? })
            };
            self.db.rows(Whose::Operator, sql, args![day]).await?.iter().map(total).collect()
        })
    }

    fn keep_watched(&self, watched: Vec<Watched>, since: i64) -> StoreFuture<'_, ()> {
        Box::pin(self.db.within(async move {
            let mut unit = self.db.begin(Whose::Operator).await?;
            for Watched { tenant, key, at, state } in watched {
                let sql = "INSERT INTO watched (tenant, key, at, state) VALUES (?, ?, ?, ?)
                     ON CONFLICT (tenant, key) DO UPDATE SET at = excluded.at, state = excluded.state";
                unit.run(sql.into(), args![&tenant, &*key, at, state]).await.map_err(store_error)?;
            }
            unit.run("DELETE FROM watched WHERE at < ?".into(), args![since]).await.map_err(store_error)?;
            unit.commit().await.map_err(store_error)
        }))
    }

    fn watched(&self, limit: u32) -> StoreFuture<'_, Vec<Watched>> {
        Box::pin(async move {
            let sql = "SELECT tenant, key, at, state FROM watched ORDER BY at DESC, tenant, key LIMIT ?";
            let one = |row: &RowOf<D>| {
                Ok(Watched {
                    tenant: tenant(row, 0)?,
                    key: Arc::from(row.text(1).map_err(store_error)?),
                    at: row.int(2).map_err(store_error)?,
                    state: row.bytes(3).map_err(store_error)?.to_vec(),
                })
            };
            self.db.rows(Whose::Operator, sql, args![limit]).await?.iter().map(one).collect()
        })
    }

    fn usage<'a>(&'a self, tenant: &'a TenantId, day: i64) -> StoreFuture<'a, Vec<(Spender, Used)>> {
        Box::pin(async move {
            let sql = r#"SELECT day, key, model, "user", session, feature, team, requests, input_tokens, output_tokens,
                 spend FROM usage WHERE tenant = ? AND day >= ?
                 ORDER BY day, key, model, "user", session, feature, team"#;
            let one = |row: &RowOf<D>| {
                let text = |at: usize| row.text(at).map(Arc::<str>::from).map_err(store_error);
                let spender = Spender {
                    day: row.int(0).map_err(store_error)?,
                    key: text(1)?,
                    model: text(2)?,
                    user: text(3)?,
                    session: text(4)?,
                    feature: text(5)?,
                    team: text(6)?,
                };
                Ok((spender, used(row, 7)?))
            };
            self.db.rows(Whose::Tenant(tenant), sql, args![tenant, day]).await?.iter().map(one).collect()
        })
    }
}

fn used(row: &impl Cells, at: usize) -> Result<Used, StoreError> {
    let part = |offset| row.int(at + offset).map(|n| u64::try_from(n).unwrap_or(0)).map_err(store_error);
    Ok(Used { requests: part(0)?, input_tokens: part(1)?, output_tokens: part(2)?, spend: Money::nano(part(3)?) })
}

fn bytes(blob: &[u8]) -> Result<[u8; 32], StoreError> {
    <[u8; 32]>::try_from(blob).map_err(|_| StoreError::Failed("a hash has another length".to_owned()))
}

fn key(row: &impl Cells) -> Result<KeyRecord, StoreError> {
    let failed = store_error;
    let previous = row.maybe_bytes(4).map_err(failed)?;
    let until = row.maybe_int(5).map_err(failed)?;
    let grant: Grant = serde_json::from_str(row.text(6).map_err(failed)?)
        .map_err(|e| StoreError::Failed(format!("a grant cannot be read: {e}")))?;
    Ok(KeyRecord {
        id: row.text(0).map_err(failed)?.into(),
        tenant: tenant(row, 1)?,
        name: Arc::from(row.text(2).map_err(failed)?),
        hash: bytes(row.bytes(3).map_err(failed)?)?,
        previous: previous.map(bytes).transpose()?.zip(until),
        grant: Arc::new(grant),
        created: row.int(7).map_err(failed)?,
        expires: row.maybe_int(8).map_err(failed)?,
        revoked: row.maybe_int(9).map_err(failed)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bartizan_core::Deed;
    use std::collections::BTreeMap;

    use crate::places::{Place, on_both};

    on_both!(postgres_gives_the_same_answers:
        keys_are_kept_with_the_records_of_what_was_done,
        what_is_known_of_the_use_of_keys_is_kept_and_forgotten,
        tenants_reach_their_own_keys_and_usage_only,
    );

    fn name(tenant: &str) -> TenantId {
        TenantId::authenticated(tenant).unwrap()
    }

    fn record(tenant: &str, id: &str, name_: &str) -> KeyRecord {
        KeyRecord {
            id: id.into(),
            name: name_.into(),
            tenant: name(tenant),
            hash: [7; 32],
            previous: Some(([8; 32], 99)),
            grant: Arc::new(Grant { models: vec!["gpt-*".into()], ..Grant::default() }),
            created: 5,
            expires: Some(1000),
            revoked: None,
        }
    }

    fn act(tenant: &str, id: &str) -> Act {
        Act {
            id: id.into(),
            chain_id: String::new(),
            seq: 0,
            time: String::new(),
            tenant: name(tenant),
            actor: "cli:test".into(),
            deed: Deed::KeyCreated,
            subject: "k".into(),
            reason: String::new(),
            detail: BTreeMap::new(),
            prev: String::new(),
            hash: String::new(),
        }
    }

    async fn keys_are_kept_with_the_records_of_what_was_done(place: &impl Place) {
        let store = place.access().await;
        assert_eq!(store.revision().await.unwrap(), 0);
        assert!(store.create(&name("a"), record("a", "1", "ci"), act("a", "act1")).await.unwrap());
        // The same name once more: neither key nor record.
        assert!(!store.create(&name("a"), record("a", "2", "ci"), act("a", "act2")).await.unwrap());
        // Another process sees it, and its change is seen here.
        let other = place.access().await;
        assert_eq!(other.ring().await.unwrap(), [record("a", "1", "ci")]);
        assert_eq!(other.hash_key().await.unwrap(), store.hash_key().await.unwrap());
        let revoked = KeyRecord { revoked: Some(7), ..record("a", "1", "ci") };
        assert!(other.change(&name("a"), revoked.clone(), act("a", "act3")).await.unwrap());
        assert_eq!(store.revision().await.unwrap(), 2);
        assert!(store.ring().await.unwrap().is_empty());
        assert_eq!(store.keys(&name("a")).await.unwrap(), [revoked]);
        // What is revoked stays revoked; its name is free.
        assert!(!store.change(&name("a"), record("a", "1", "ci"), act("a", "act4")).await.unwrap());
        assert!(store.create(&name("a"), record("a", "2", "ci"), act("a", "act5")).await.unwrap());
        assert_eq!(place.recorded().await, ["act1", "act3", "act5"]);
    }

    async fn what_is_known_of_the_use_of_keys_is_kept_and_forgotten(place: &impl Place) {
        let store = place.access().await;
        let one = |tenant: &str, key: &str, at, state: u8| Watched {
            tenant: name(tenant),
            key: key.into(),
            at,
            state: vec![state; 3],
        };
        store.keep_watched(vec![one("a", "ci", 5, 1), one("b", "ci", 7, 2), one("a", "", 1, 3)], 0).await.unwrap();
        store.keep_watched(vec![one("a", "ci", 9, 4)], 5).await.unwrap();
        assert_eq!(store.watched(10).await.unwrap(), [one("a", "ci", 9, 4), one("b", "ci", 7, 2)]);
        assert_eq!(store.watched(1).await.unwrap().len(), 1);
    }

    async fn tenants_reach_their_own_keys_and_usage_only(place: &impl Place) {
        let store = place.access().await;
        let (a, b) = (name("a"), name("b"));
        assert!(store.create(&a, record("a", "1", "ci"), act("a", "1")).await.unwrap());
        assert!(store.create(&b, record("b", "2", "ci"), act("b", "2")).await.unwrap());
        // By guessing an id, with the record made out for either.
        assert!(!store.change(&b, record("b", "1", "ci"), act("b", "3")).await.unwrap());
        assert!(store.change(&b, record("a", "1", "ci"), act("b", "4")).await.is_err());
        assert!(store.create(&b, record("a", "3", "x"), act("b", "5")).await.is_err());
        assert_eq!(store.keys(&a).await.unwrap(), [record("a", "1", "ci")]);
        assert_eq!(store.keys(&b).await.unwrap(), [record("b", "2", "ci")]);
        let spender = Spender { day: 3, key: "ci".into(), ..Spender::default() };
        let used = Used { requests: 1, input_tokens: 10, output_tokens: 4, spend: Money::nano(9) };
        let row = |tenant: &TenantId| (tenant.clone(), spender.clone(), used);
        store.spend(vec![row(&a), row(&b)]).await.unwrap();
        store.spend(vec![row(&a)]).await.unwrap();
        let twice = Used { requests: 2, input_tokens: 20, output_tokens: 8, spend: Money::nano(18) };
        assert_eq!(store.usage(&a, 3).await.unwrap(), [(spender.clone(), twice)]);
        assert_eq!(store.usage(&b, 0).await.unwrap(), [(spender.clone(), used)]);
        assert!(store.usage(&a, 4).await.unwrap().is_empty());
        let totals = store.totals(3).await.unwrap();
        let total = |tenant, used| Total { tenant, key: "ci".into(), day: 3, used };
        assert_eq!(totals, [total(a, twice), total(b, used)]);
    }

    #[test]
    fn what_is_in_the_chain_waits_no_longer() {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let store = SqliteAccess::open_in_memory().await.unwrap();
            for id in ["1", "2"] {
                assert!(store.create(&name("a"), record("a", id, id), act("a", id)).await.unwrap());
            }
            store.act_done("1").await.unwrap();
            assert_eq!(store.waiting_acts().await.unwrap(), [act("a", "2")]);
        });
    }

    #[test]
    fn a_database_of_something_else_is_not_touched() {
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("events.sqlite");
            crate::SqliteStore::open(&path).await.unwrap().close().await;
            assert!(matches!(SqliteAccess::open(&path).await, Err(OpenError::Foreign { .. })));
        });
    }
}

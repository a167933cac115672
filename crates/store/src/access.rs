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
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous};
use sqlx::{Row as _, SqlitePool};

use crate::private;
use crate::schema::{Down, Schema, Step};
use crate::sqlite::{OpenError, beside, store_error};

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

/// Keys and usage in a SQLite file. Several processes may have it open.
#[derive(Debug)]
pub struct SqliteAccess {
    pool: SqlitePool,
}

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
        Ok(Self { pool })
    }

    pub(crate) const fn pool(&self) -> &SqlitePool {
        &self.pool
    }

    /// Waits until everything is written and closes the file.
    pub async fn close(self) {
        self.pool.close().await;
    }

    async fn put(
        &self,
        tenant: &TenantId,
        key: KeyRecord,
        act: Act,
        statement: &'static str,
    ) -> Result<bool, StoreError> {
        if key.tenant != *tenant || act.tenant != *tenant {
            return Err(StoreError::Failed("a key or record of another tenant".to_owned()));
        }
        let text = |e: serde_json::Error| StoreError::Failed(e.to_string());
        let grant = serde_json::to_string(&*key.grant).map_err(text)?;
        let act_id = act.id.clone();
        let body = serde_json::to_string(&act).map_err(text)?;
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        let done = sqlx::query(statement)
            .bind(key.id)
            .bind(tenant.as_str())
            .bind(key.name.to_string())
            .bind(key.hash.to_vec())
            .bind(key.previous.map(|(hash, _)| hash.to_vec()))
            .bind(key.previous.map(|(_, until)| until))
            .bind(grant)
            .bind(key.created)
            .bind(key.expires)
            .bind(key.revoked)
            .execute(&mut *transaction)
            .await;
        match done {
            Ok(done) if done.rows_affected() == 1 => {}
            Ok(_) => return Ok(false),
            Err(error) if error.as_database_error().is_some_and(|e| e.is_unique_violation()) => return Ok(false),
            Err(error) => return Err(store_error(error)),
        }
        sqlx::query("UPDATE installation SET revision = revision + 1")
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
        sqlx::query("INSERT INTO acts (id, body) VALUES (?, ?)")
            .bind(act_id)
            .bind(body)
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
        transaction.commit().await.map_err(store_error)?;
        Ok(true)
    }
}

impl AccessStore for SqliteAccess {
    fn revision(&self) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            let row =
                sqlx::query("SELECT revision FROM installation").fetch_one(&self.pool).await.map_err(store_error)?;
            count(&row, 0).map_err(store_error)
        })
    }

    fn ring(&self) -> StoreFuture<'_, Vec<KeyRecord>> {
        Box::pin(async move {
            let sql = format!("{KEY} WHERE revoked IS NULL");
            let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_all(&self.pool).await.map_err(store_error)?;
            rows.iter().map(key).collect()
        })
    }

    fn hash_key(&self) -> StoreFuture<'_, [u8; 32]> {
        Box::pin(async move {
            let row =
                sqlx::query("SELECT hash_key FROM installation").fetch_one(&self.pool).await.map_err(store_error)?;
            bytes(row.try_get(0).map_err(store_error)?)
        })
    }

    fn keys<'a>(&'a self, tenant: &'a TenantId) -> StoreFuture<'a, Vec<KeyRecord>> {
        Box::pin(async move {
            let sql = format!("{KEY} WHERE tenant = ? ORDER BY created, id");
            let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(tenant.as_str())
                .fetch_all(&self.pool)
                .await
                .map_err(store_error)?;
            rows.iter().map(key).collect()
        })
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
            let rows = sqlx::query("SELECT body FROM acts ORDER BY position LIMIT 100")
                .fetch_all(&self.pool)
                .await
                .map_err(store_error)?;
            let act = |row: &SqliteRow| {
                let body: &str = row.try_get(0).map_err(store_error)?;
                serde_json::from_str(body).map_err(|e| StoreError::Failed(e.to_string()))
            };
            rows.iter().map(act).collect()
        })
    }

    fn act_done<'a>(&'a self, id: &'a str) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            sqlx::query("DELETE FROM acts WHERE id = ?")
                .bind(id)
                .execute(&self.pool)
                .await
                .map(drop)
                .map_err(store_error)
        })
    }

    fn spend(&self, used: Vec<(TenantId, Spender, Used)>) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
            for (tenant, spender, used) in used {
                sqlx::query(
                    "INSERT INTO usage (tenant, day, key, model, user, session, feature, team,
                                        requests, input_tokens, output_tokens, spend)
                     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
                     ON CONFLICT DO UPDATE SET requests = requests + excluded.requests,
                         input_tokens = input_tokens + excluded.input_tokens,
                         output_tokens = output_tokens + excluded.output_tokens,
                         spend = spend + excluded.spend",
                )
                .bind(tenant.as_str().to_owned())
                .bind(spender.day)
                .bind(spender.key.to_string())
                .bind(spender.model.to_string())
                .bind(spender.user.to_string())
                .bind(spender.session.to_string())
                .bind(spender.feature.to_string())
                .bind(spender.team.to_string())
                .bind(number(used.requests))
                .bind(number(used.input_tokens))
                .bind(number(used.output_tokens))
                .bind(number(used.spend.as_nano()))
                .execute(&mut *transaction)
                .await
                .map_err(store_error)?;
            }
            transaction.commit().await.map_err(store_error)
        })
    }

    fn totals(&self, day: i64) -> StoreFuture<'_, Vec<Total>> {
        Box::pin(async move {
            let rows = sqlx::query(
                "SELECT tenant, key, day, sum(requests), sum(input_tokens), sum(output_tokens), sum(spend)
                 FROM usage WHERE day >= ? GROUP BY tenant, key, day",
            )
            .bind(day)
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)?;
            let total = |row: &SqliteRow| {
                let key: String = row.try_get(1).map_err(store_error)?;
                let day = row.try_get(2).map_err(store_error)?;
                Ok(Total { tenant: tenant(row, 0)?, key: Arc::from(key), day, used: used(row, 3)? })
            };
            rows.iter().map(total).collect()
        })
    }

    fn keep_watched(&self, watched: Vec<Watched>, since: i64) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
            for Watched { tenant, key, at, state } in watched {
                sqlx::query("INSERT OR REPLACE INTO watched (tenant, key, at, state) VALUES (?, ?, ?, ?)")
                    .bind(tenant.as_str())
                    .bind(&*key)
                    .bind(at)
                    .bind(state)
                    .execute(&mut *transaction)
                    .await
                    .map_err(store_error)?;
            }
            let forget = sqlx::query("DELETE FROM watched WHERE at < ?").bind(since);
            forget.execute(&mut *transaction).await.map_err(store_error)?;
            transaction.commit().await.map_err(store_error)
        })
    }

    fn watched(&self, limit: u32) -> StoreFuture<'_, Vec<Watched>> {
        Box::pin(async move {
            let rows = sqlx::query("SELECT tenant, key, at, state FROM watched ORDER BY at DESC, tenant, key LIMIT ?")
                .bind(limit)
                .fetch_all(&self.pool)
                .await
                .map_err(store_error)?;
            let one = |row: &SqliteRow| {
                Ok(Watched {
                    tenant: tenant(row, 0)?,
                    key: Arc::from(row.try_get::<&str, _>(1).map_err(store_error)?),
                    at: row.try_get(2).map_err(store_error)?,
                    state: row.try_get(3).map_err(store_error)?,
                })
            };
            rows.iter().map(one).collect()
        })
    }

    fn usage<'a>(&'a self, tenant: &'a TenantId, day: i64) -> StoreFuture<'a, Vec<(Spender, Used)>> {
        Box::pin(async move {
            let rows = sqlx::query(
                "SELECT day, key, model, user, session, feature, team, requests, input_tokens, output_tokens, spend
                 FROM usage WHERE tenant = ? AND day >= ? ORDER BY day, key, model, user, session, feature, team",
            )
            .bind(tenant.as_str())
            .bind(day)
            .fetch_all(&self.pool)
            .await
            .map_err(store_error)?;
            let one = |row: &SqliteRow| {
                let text = |at: usize| row.try_get::<String, _>(at).map(Arc::<str>::from).map_err(store_error);
                let spender = Spender {
                    day: row.try_get(0).map_err(store_error)?,
                    key: text(1)?,
                    model: text(2)?,
                    user: text(3)?,
                    session: text(4)?,
                    feature: text(5)?,
                    team: text(6)?,
                };
                Ok((spender, used(row, 7)?))
            };
            rows.iter().map(one).collect()
        })
    }
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn count(row: &SqliteRow, at: usize) -> Result<u64, sqlx::Error> {
    row.try_get::<i64, _>(at).map(|n| u64::try_from(n).unwrap_or(0))
}

fn used(row: &SqliteRow, at: usize) -> Result<Used, StoreError> {
    let part = |offset| count(row, at + offset).map_err(store_error);
    Ok(Used { requests: part(0)?, input_tokens: part(1)?, output_tokens: part(2)?, spend: Money::nano(part(3)?) })
}

pub(crate) fn tenant(row: &SqliteRow, at: usize) -> Result<TenantId, StoreError> {
    let name: &str = row.try_get(at).map_err(store_error)?;
    TenantId::authenticated(name).map_err(|e| StoreError::Failed(e.to_string()))
}

fn bytes(blob: &[u8]) -> Result<[u8; 32], StoreError> {
    <[u8; 32]>::try_from(blob).map_err(|_| StoreError::Failed("a hash has another length".to_owned()))
}

fn key(row: &SqliteRow) -> Result<KeyRecord, StoreError> {
    let failed = store_error;
    let previous: Option<&[u8]> = row.try_get(4).map_err(failed)?;
    let until: Option<i64> = row.try_get(5).map_err(failed)?;
    let grant: &str = row.try_get(6).map_err(failed)?;
    let grant: Grant =
        serde_json::from_str(grant).map_err(|e| StoreError::Failed(format!("a grant cannot be read: {e}")))?;
    Ok(KeyRecord {
        id: row.try_get(0).map_err(failed)?,
        tenant: tenant(row, 1)?,
        name: Arc::from(row.try_get::<&str, _>(2).map_err(failed)?),
        hash: bytes(row.try_get(3).map_err(failed)?)?,
        previous: previous.map(bytes).transpose()?.zip(until),
        grant: Arc::new(grant),
        created: row.try_get(7).map_err(failed)?,
        expires: row.try_get(8).map_err(failed)?,
        revoked: row.try_get(9).map_err(failed)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bartizan_core::Deed;
    use std::collections::BTreeMap;

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

    fn run(test: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
    }

    #[test]
    fn keys_are_kept_with_the_records_of_what_was_done() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("a.access");
            let store = SqliteAccess::open(&path).await.unwrap();
            assert_eq!(store.revision().await.unwrap(), 0);
            assert!(store.create(&name("a"), record("a", "1", "ci"), act("a", "act1")).await.unwrap());
            // The same name once more: neither key nor record.
            assert!(!store.create(&name("a"), record("a", "2", "ci"), act("a", "act2")).await.unwrap());
            // Another process sees it, and its change is seen here.
            let other = SqliteAccess::open(&path).await.unwrap();
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
            let ids: Vec<String> = store.waiting_acts().await.unwrap().into_iter().map(|a| a.id).collect();
            assert_eq!(ids, ["act1", "act3", "act5"]);
            store.act_done("act1").await.unwrap();
            assert_eq!(store.waiting_acts().await.unwrap().len(), 2);
        });
    }

    #[test]
    fn what_is_known_of_the_use_of_keys_is_kept_and_forgotten() {
        run(async {
            let store = SqliteAccess::open_in_memory().await.unwrap();
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
        });
    }

    #[test]
    fn tenants_reach_their_own_keys_and_usage_only() {
        run(async {
            let store = SqliteAccess::open_in_memory().await.unwrap();
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
        });
    }

    #[test]
    fn a_database_of_something_else_is_not_touched() {
        run(async {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("events.sqlite");
            crate::SqliteStore::open(&path).await.unwrap().close().await;
            assert!(matches!(SqliteAccess::open(&path).await, Err(OpenError::Foreign { .. })));
        });
    }
}

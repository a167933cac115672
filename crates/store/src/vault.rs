//! What pseudonyms stand for, in SQLite in a file of its own.
//!
//! The file is written with almost every request that holds personal data and is of no worth as evidence, so it is kept
//! apart from the chain: `FILE.vault`. It can be taken away without breaking anything but what can be restored. Values are
//! sealed under the tenant's key, which is in the evidence store under the master key; destroying that key makes all of
//! them unreadable.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bartizan_core::store::StoreFuture;
use bartizan_core::{TenantId, VaultEntry, VaultStore};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use crate::database::{Cells as _, Connection as _, Database, Whose, args, store_error};
use crate::private;
use crate::schema::{Schema, Step};
use crate::sqlite::{OpenError, SqliteDb, beside};

/// The file of pseudonyms: "BzVa".
pub(crate) static SCHEMA: Schema = Schema {
    mark: 0x427a_5661,
    steps: &[Step { up: include_str!("../migrations/vault_0001.sql"), down: None }],
    first: None,
};

/// Where the pseudonyms of an evidence store are.
#[must_use]
pub fn vault_path(evidence: &Path) -> PathBuf {
    beside(evidence, ".vault")
}

/// Pseudonyms in a database. Several processes may have it open.
#[derive(Debug)]
pub struct PseudonymVault<D> {
    pub(crate) db: D,
}

/// The same in a SQLite file.
pub type SqliteVault = PseudonymVault<SqliteDb>;

impl SqliteVault {
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
            // What a power loss takes away is made again when the conversation is sent again.
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(5))
            // What has expired must not stay in free pages.
            .pragma("secure_delete", "ON");
        let failed = |e: sqlx::Error| OpenError::Database { path: path.to_owned(), reason: e.to_string() };
        let pool = SqlitePoolOptions::new().max_connections(2).connect_with(connect).await.map_err(failed)?;
        SCHEMA.upgrade(&mut *pool.acquire().await.map_err(failed)?, path).await?;
        Ok(Self { db: SqliteDb(pool) })
    }
}

impl<D: Database> PseudonymVault<D> {
    /// Waits until everything is written and closes the database.
    pub async fn close(self) {
        self.db.pool().close().await;
    }
}

impl<D: Database> VaultStore for PseudonymVault<D> {
    fn vault_get<'a>(
        &'a self,
        tenant: &'a TenantId,
        conversation: &'a str,
        now: i64,
    ) -> StoreFuture<'a, Vec<VaultEntry>> {
        Box::pin(async move {
            let sql = "SELECT name, sealed, expires FROM pseudonyms
                 WHERE tenant = ? AND conversation = ? AND expires > ? ORDER BY name";
            let rows = self.db.rows(Whose::Tenant(tenant), sql, args![tenant, conversation, now]).await?;
            let entry = |row: &crate::database::RowOf<D>| {
                Ok(VaultEntry { name: row.text(0)?.to_owned(), sealed: row.bytes(1)?.to_vec(), expires: row.int(2)? })
            };
            rows.iter().map(entry).collect::<Result<_, sqlx::Error>>().map_err(store_error)
        })
    }

    fn vault_put<'a>(
        &'a self,
        tenant: &'a TenantId,
        conversation: &'a str,
        entries: Vec<VaultEntry>,
    ) -> StoreFuture<'a, ()> {
        Box::pin(self.db.within(async move {
            let mut unit = self.db.begin(Whose::Tenant(tenant)).await?;
            for VaultEntry { name, sealed, expires } in entries {
                let sql = "INSERT INTO pseudonyms (tenant, conversation, name, sealed, expires) VALUES (?, ?, ?, ?, ?)
                     ON CONFLICT (tenant, conversation, name) DO UPDATE SET expires = CASE
                     WHEN pseudonyms.expires > excluded.expires THEN pseudonyms.expires ELSE excluded.expires END";
                unit.run(sql.into(), args![tenant, conversation, name, sealed, expires]).await.map_err(store_error)?;
            }
            unit.commit().await.map_err(store_error)
        }))
    }

    fn vault_expire(&self, now: i64) -> StoreFuture<'_, u64> {
        Box::pin(self.db.change(Whose::Operator, "DELETE FROM pseudonyms WHERE expires <= ?", args![now]))
    }

    fn vault_forget<'a>(&'a self, tenant: &'a TenantId) -> StoreFuture<'a, u64> {
        Box::pin(self.db.change(Whose::Tenant(tenant), "DELETE FROM pseudonyms WHERE tenant = ?", args![tenant]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::SqlitePool;

    use crate::places::{Place, on_both};

    on_both!(postgres_gives_the_same_answers: pseudonyms_stay_with_their_tenant_and_conversation_for_their_time);

    fn name(tenant: &str) -> TenantId {
        TenantId::authenticated(tenant).unwrap()
    }

    fn entry(name: &str, sealed: &[u8], expires: i64) -> VaultEntry {
        VaultEntry { name: name.into(), sealed: sealed.into(), expires }
    }

    async fn pseudonyms_stay_with_their_tenant_and_conversation_for_their_time(place: &impl Place) {
        let store = place.vault().await;
        let (a, b) = (name("a"), name("b"));
        store.vault_put(&a, "c", vec![entry("P_1", b"x", 10), entry("P_2", b"y", 20)]).await.unwrap();
        // What is there stays what it is, for longer and never for less.
        store.vault_put(&a, "c", vec![entry("P_1", b"z", 30), entry("P_2", b"z", 5)]).await.unwrap();
        store.close().await;
        let store = place.vault().await;
        assert_eq!(store.vault_get(&a, "c", 0).await.unwrap(), [entry("P_1", b"x", 30), entry("P_2", b"y", 20)]);
        assert_eq!(store.vault_get(&a, "c", 20).await.unwrap(), [entry("P_1", b"x", 30)]);
        for (tenant, conversation) in [(&b, "c"), (&a, "d")] {
            assert!(store.vault_get(tenant, conversation, 0).await.unwrap().is_empty());
        }
        assert_eq!(store.vault_expire(20).await.unwrap(), 1);
        assert_eq!((store.vault_forget(&b).await.unwrap(), store.vault_forget(&a).await.unwrap()), (0, 1));
        assert!(!format!("{:?}", entry("P_1", b"secret", 1)).contains("secret"));
    }

    #[tokio::test]
    async fn a_database_of_something_else_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let foreign = folder.path().join("f");
        let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(&foreign).create_if_missing(true));
        let pool = pool.await.unwrap();
        sqlx::raw_sql("CREATE TABLE t (x)").execute(&pool).await.unwrap();
        pool.close().await;
        assert!(matches!(SqliteVault::open(&foreign).await, Err(OpenError::Foreign { .. })));
    }
}

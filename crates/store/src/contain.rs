//! Containments, in the file of the client keys: whoever is on call writes them while a gateway runs.

use bartizan_core::store::StoreFuture;
use bartizan_core::{Act, ContainStore, Containment, StoreError, Target, TenantId};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Row as _, Sqlite};

use crate::access::{SqliteAccess, count, tenant};
use crate::sqlite::store_error;

const OPEN: &str = "SELECT id, tenant, target, name, reason, actor, since, until FROM containments WHERE released = 0";

type Statement<'a> = sqlx::query::Query<'a, Sqlite, SqliteArguments>;

impl SqliteAccess {
    /// Runs a statement that changes one row, and adds the record of the deed. Answers false where no row was changed;
    /// then there is no record either.
    async fn change_one(&self, statement: Statement<'_>, act: Act, revises: bool) -> Result<bool, StoreError> {
        let body = serde_json::to_string(&act).map_err(|e| StoreError::Failed(e.to_string()))?;
        let mut transaction = self.pool().begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
        if statement.execute(&mut *transaction).await.map_err(store_error)?.rows_affected() != 1 {
            return Ok(false);
        }
        if revises {
            let revise = sqlx::query("UPDATE installation SET contain_revision = contain_revision + 1");
            revise.execute(&mut *transaction).await.map_err(store_error)?;
        }
        let record = sqlx::query("INSERT INTO acts (id, body) VALUES (?, ?)").bind(act.id).bind(body);
        record.execute(&mut *transaction).await.map_err(store_error)?;
        transaction.commit().await.map_err(store_error)?;
        Ok(true)
    }
}

impl ContainStore for SqliteAccess {
    fn contain_revision(&self) -> StoreFuture<'_, u64> {
        Box::pin(async move {
            let row = sqlx::query("SELECT contain_revision FROM installation").fetch_one(self.pool()).await;
            count(&row.map_err(store_error)?, 0).map_err(store_error)
        })
    }

    fn all_containments(&self) -> StoreFuture<'_, Vec<Containment>> {
        Box::pin(async move {
            let rows = sqlx::query(OPEN).fetch_all(self.pool()).await.map_err(store_error)?;
            rows.iter().map(containment).collect()
        })
    }

    fn containments<'a>(&'a self, tenant: &'a TenantId) -> StoreFuture<'a, Vec<Containment>> {
        Box::pin(async move {
            let sql = format!("{OPEN} AND tenant = ? ORDER BY since, id");
            let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(tenant.as_str())
                .fetch_all(self.pool())
                .await
                .map_err(store_error)?;
            rows.iter().map(containment).collect()
        })
    }

    fn contain<'a>(&'a self, tenant: &'a TenantId, containment: Containment, act: Act) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            if containment.tenant != *tenant || act.tenant != *tenant {
                return Err(StoreError::Failed("a containment or record of another tenant".to_owned()));
            }
            let statement = sqlx::query(
                "INSERT INTO containments (id, tenant, target, name, reason, actor, since, until)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(containment.id)
            .bind(tenant.as_str().to_owned())
            .bind(containment.target.as_str())
            .bind(containment.name)
            .bind(containment.reason)
            .bind(containment.actor)
            .bind(containment.since)
            .bind(containment.until);
            self.change_one(statement, act, true).await.map(drop)
        })
    }

    fn release<'a>(&'a self, tenant: &'a TenantId, id: &'a str, act: Act) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            if act.tenant != *tenant {
                return Err(StoreError::Failed("a record of another tenant".to_owned()));
            }
            let statement =
                sqlx::query("UPDATE containments SET released = 1 WHERE id = ? AND tenant = ? AND released = 0")
                    .bind(id)
                    .bind(tenant.as_str());
            self.change_one(statement, act, true).await
        })
    }

    fn once<'a>(&'a self, mark: &'a str, act: Act) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let statement = sqlx::query("INSERT OR IGNORE INTO once (mark) VALUES (?)").bind(mark);
            self.change_one(statement, act, false).await
        })
    }
}

fn containment(row: &SqliteRow) -> Result<Containment, StoreError> {
    let text = |at: usize| row.try_get::<String, _>(at).map_err(store_error);
    let word = text(2)?;
    let target = Target::ALL.into_iter().find(|t| t.as_str() == word);
    Ok(Containment {
        id: text(0)?,
        tenant: tenant(row, 1)?,
        // What cannot be read must not look as if nothing were cut off.
        target: target.ok_or_else(|| StoreError::Failed(format!("a containment is of the unknown kind `{word}`")))?,
        name: text(3)?,
        reason: text(4)?,
        actor: text(5)?,
        since: row.try_get(6).map_err(store_error)?,
        until: row.try_get(7).map_err(store_error)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bartizan_core::{AccessStore as _, Deed};

    fn name(tenant: &str) -> TenantId {
        TenantId::authenticated(tenant).unwrap()
    }

    fn cut(tenant: &str, id: &str) -> Containment {
        Containment {
            id: id.into(),
            tenant: name(tenant),
            target: Target::Tool,
            name: "send_email".into(),
            reason: "ticket 7".into(),
            actor: "cli:test".into(),
            since: 1,
            until: 2,
        }
    }

    fn act(tenant: &str, id: &str, deed: Deed) -> Act {
        Act::new(id.into(), String::new(), name(tenant), "cli:test", deed)
    }

    #[tokio::test]
    async fn containments_are_kept_with_their_records_behind_walls() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.access");
        let store = SqliteAccess::open(&path).await.unwrap();
        let (a, b) = (name("a"), name("b"));
        store.contain(&a, cut("a", "1"), act("a", "act1", Deed::Contained)).await.unwrap();
        // With the record or the containment made out for another tenant.
        assert!(store.contain(&b, cut("a", "2"), act("b", "x", Deed::Contained)).await.is_err());
        assert!(store.contain(&b, cut("b", "2"), act("a", "x", Deed::Contained)).await.is_err());
        assert_eq!(store.containments(&a).await.unwrap(), [cut("a", "1")]);
        assert!(store.containments(&b).await.unwrap().is_empty());
        assert_eq!((store.revision().await.unwrap(), store.contain_revision().await.unwrap()), (0, 1));
        // Another process sees it; another tenant that guesses the id ends nothing.
        let other = SqliteAccess::open(&path).await.unwrap();
        assert_eq!(other.all_containments().await.unwrap(), [cut("a", "1")]);
        assert!(!other.release(&b, "1", act("b", "y", Deed::Released)).await.unwrap());
        assert!(other.release(&a, "1", act("a", "act2", Deed::Released)).await.unwrap());
        assert!(!store.release(&a, "1", act("a", "act3", Deed::Released)).await.unwrap());
        assert!(store.all_containments().await.unwrap().is_empty());
        assert!(store.once("lapsed x", act("a", "act4", Deed::ExceptionLapsed)).await.unwrap());
        assert!(!other.once("lapsed x", act("a", "act5", Deed::ExceptionLapsed)).await.unwrap());
        let ids: Vec<String> = store.waiting_acts().await.unwrap().into_iter().map(|act| act.id).collect();
        assert_eq!(ids, ["act1", "act2", "act4"]);
    }

    #[tokio::test]
    async fn a_file_of_the_first_version_is_brought_up_to_date() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.access");
        let first = include_str!("../migrations/access_0001.sql");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        let rest = "INSERT INTO installation VALUES (4, zeroblob(32));
            PRAGMA application_id = 1115308387; PRAGMA user_version = 1;";
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("{first}{rest}"))).execute(&pool).await.unwrap();
        pool.close().await;
        let store = SqliteAccess::open(&path).await.unwrap();
        assert_eq!(store.revision().await.unwrap(), 4);
        assert!(store.all_containments().await.unwrap().is_empty());
    }
}

//! Tool calls that wait for a person, in the file of the client keys: whoever decides writes them while a gateway runs.

use bartizan_core::store::StoreFuture;
use bartizan_core::{Act, Approval, ApprovalState, ApprovalStore, Ruling, StoreError, TenantId};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use crate::access::{SqliteAccess, tenant};
use crate::sqlite::store_error;

const COLUMNS: &str = "SELECT id, tenant, key, route, event, call, digest, state, asked, expires, decided_by, sealed
    FROM approvals";

/// Milliseconds that an expired one is kept, so that it can still be looked up.
const KEPT: i64 = 7 * 24 * 3_600_000;

/// Most that wait for one tenant: an agent that asks in a loop must not fill the store.
const MOST: i64 = 1000;

impl SqliteAccess {
    async fn approvals_where(
        &self,
        condition: &'static str,
        tenant: &TenantId,
        key: &str,
        now: i64,
    ) -> Result<Vec<Approval>, StoreError> {
        let sql = format!("{COLUMNS} WHERE tenant = ? AND {condition} ORDER BY asked, id");
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tenant.as_str()).bind(now).bind(key);
        let rows = rows.fetch_all(self.pool()).await.map_err(store_error)?;
        rows.iter().map(approval).collect()
    }
}

impl ApprovalStore for SqliteAccess {
    fn ask<'a>(&'a self, tenant: &'a TenantId, approval: Approval) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            if approval.tenant != *tenant {
                return Err(StoreError::Failed("an approval of another tenant".to_owned()));
            }
            let call = serde_json::to_string(&approval.call).map_err(|e| StoreError::Failed(e.to_string()))?;
            let mut transaction = self.pool().begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
            sqlx::query("DELETE FROM approvals WHERE expires < ?")
                .bind(approval.asked.saturating_sub(KEPT))
                .execute(&mut *transaction)
                .await
                .map_err(store_error)?;
            let waiting =
                sqlx::query("SELECT count(*) FROM approvals WHERE tenant = ? AND state = 'pending' AND expires > ?")
                    .bind(tenant.as_str())
                    .bind(approval.asked)
                    .fetch_one(&mut *transaction)
                    .await
                    .map_err(store_error)?;
            if waiting.try_get::<i64, _>(0).map_err(store_error)? >= MOST {
                return Err(StoreError::Full(format!("{MOST} approvals wait already")));
            }
            sqlx::query(
                "INSERT INTO approvals (id, tenant, key, route, event, call, digest, state, asked, expires, decided_by,
                 sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            )
            .bind(approval.id)
            .bind(tenant.as_str())
            .bind(approval.key)
            .bind(approval.route)
            .bind(approval.event)
            .bind(call)
            .bind(approval.digest)
            .bind(approval.state.as_str())
            .bind(approval.asked)
            .bind(approval.expires)
            .bind(approval.decided_by)
            .bind(approval.sealed)
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
            transaction.commit().await.map_err(store_error)
        })
    }

    fn approvals<'a>(&'a self, tenant: &'a TenantId, now: i64) -> StoreFuture<'a, Vec<Approval>> {
        Box::pin(self.approvals_where("expires > ? AND '' = ?", tenant, "", now))
    }

    fn approvals_of<'a>(&'a self, tenant: &'a TenantId, key: &'a str, now: i64) -> StoreFuture<'a, Vec<Approval>> {
        Box::pin(self.approvals_where("expires > ? AND key = ? AND state <> 'used'", tenant, key, now))
    }

    fn approval<'a>(&'a self, tenant: &'a TenantId, id: &'a str) -> StoreFuture<'a, Option<Approval>> {
        Box::pin(async move {
            let sql = format!("{COLUMNS} WHERE tenant = ? AND id = ?");
            let row = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(tenant.as_str()).bind(id);
            let row = row.fetch_optional(self.pool()).await.map_err(store_error)?;
            row.as_ref().map(approval).transpose()
        })
    }

    fn rule<'a>(&'a self, tenant: &'a TenantId, id: &'a str, ruling: Ruling, act: Act) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            if act.tenant != *tenant {
                return Err(StoreError::Failed("a record of another tenant".to_owned()));
            }
            let body = serde_json::to_string(&act).map_err(|e| StoreError::Failed(e.to_string()))?;
            let state = if ruling.approved { ApprovalState::Approved } else { ApprovalState::Denied };
            let mut transaction = self.pool().begin_with("BEGIN IMMEDIATE").await.map_err(store_error)?;
            let changed = sqlx::query(
                "UPDATE approvals SET state = ?, decided_by = ?
                 WHERE id = ? AND tenant = ? AND state = 'pending' AND expires > ?",
            )
            .bind(state.as_str())
            .bind(&ruling.actor)
            .bind(id)
            .bind(tenant.as_str())
            .bind(ruling.now)
            .execute(&mut *transaction)
            .await
            .map_err(store_error)?;
            if changed.rows_affected() != 1 {
                return Ok(false);
            }
            for digest in &ruling.endorsed {
                sqlx::query("INSERT OR IGNORE INTO endorsed (tenant, digest, actor, since) VALUES (?, ?, ?, ?)")
                    .bind(tenant.as_str())
                    .bind(digest)
                    .bind(&ruling.actor)
                    .bind(ruling.now)
                    .execute(&mut *transaction)
                    .await
                    .map_err(store_error)?;
            }
            let record = sqlx::query("INSERT INTO acts (id, body) VALUES (?, ?)").bind(act.id).bind(body);
            record.execute(&mut *transaction).await.map_err(store_error)?;
            transaction.commit().await.map_err(store_error)?;
            Ok(true)
        })
    }

    fn use_up<'a>(&'a self, tenant: &'a TenantId, id: &'a str, now: i64) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let used = sqlx::query(
                "UPDATE approvals SET state = 'used' WHERE id = ? AND tenant = ? AND state = 'approved' AND expires > ?",
            )
            .bind(id)
            .bind(tenant.as_str())
            .bind(now)
            .execute(self.pool())
            .await;
            used.map(|done| done.rows_affected() == 1).map_err(store_error)
        })
    }

    fn endorsed<'a>(&'a self, tenant: &'a TenantId) -> StoreFuture<'a, Vec<String>> {
        Box::pin(async move {
            let rows = sqlx::query("SELECT digest FROM endorsed WHERE tenant = ?").bind(tenant.as_str());
            let rows = rows.fetch_all(self.pool()).await.map_err(store_error)?;
            rows.iter().map(|row| row.try_get(0).map_err(store_error)).collect()
        })
    }
}

fn approval(row: &SqliteRow) -> Result<Approval, StoreError> {
    let text = |at: usize| row.try_get::<String, _>(at).map_err(store_error);
    let word = text(7)?;
    let state = ApprovalState::ALL.into_iter().find(|state| state.as_str() == word);
    Ok(Approval {
        id: text(0)?,
        tenant: tenant(row, 1)?,
        key: text(2)?,
        route: text(3)?,
        event: text(4)?,
        call: serde_json::from_str(&text(5)?).map_err(|e| StoreError::Failed(e.to_string()))?,
        digest: text(6)?,
        // What cannot be read must not look as if it were approved.
        state: state.ok_or_else(|| StoreError::Failed(format!("an approval is in the unknown state `{word}`")))?,
        asked: row.try_get(8).map_err(store_error)?,
        expires: row.try_get(9).map_err(store_error)?,
        decided_by: text(10)?,
        sealed: row.try_get(11).map_err(store_error)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bartizan_core::{AccessStore as _, Deed};

    fn name(tenant: &str) -> TenantId {
        TenantId::authenticated(tenant).unwrap()
    }

    fn wanted(tenant: &str, id: &str) -> Approval {
        Approval {
            id: id.into(),
            tenant: name(tenant),
            key: "agent".into(),
            digest: "d".into(),
            asked: 10,
            expires: 100,
            sealed: vec![1, 2],
            ..Approval::default()
        }
    }

    fn ruling(approved: bool, now: i64) -> Ruling {
        Ruling { approved, endorsed: vec!["e".into()], actor: "cli:test".into(), now }
    }

    fn act(tenant: &str, id: &str) -> Act {
        Act::new(id.into(), String::new(), name(tenant), "cli:test", Deed::CallApproved)
    }

    #[tokio::test]
    async fn an_approval_is_used_once_by_its_tenant_in_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.access");
        let store = SqliteAccess::open(&path).await.unwrap();
        let other = SqliteAccess::open(&path).await.unwrap();
        let (a, b) = (name("a"), name("b"));
        store.ask(&a, wanted("a", "1")).await.unwrap();
        assert!(store.ask(&b, wanted("a", "2")).await.is_err());
        assert_eq!(other.approvals_of(&a, "agent", 99).await.unwrap(), [wanted("a", "1")]);
        for (tenant, key, now) in [(&a, "agent", 100), (&a, "another", 99), (&b, "agent", 99)] {
            assert!(store.approvals_of(tenant, key, now).await.unwrap().is_empty());
        }
        // Not approved yet; by another tenant; too late; then once.
        assert!(!store.use_up(&a, "1", 20).await.unwrap());
        assert!(!other.rule(&b, "1", ruling(true, 20), act("b", "x")).await.unwrap());
        assert!(other.rule(&a, "1", ruling(true, 20), act("b", "x")).await.is_err());
        assert!(!other.rule(&a, "1", ruling(true, 100), act("a", "x")).await.unwrap());
        assert!(other.rule(&a, "1", ruling(true, 20), act("a", "act1")).await.unwrap());
        assert!(!other.rule(&a, "1", ruling(false, 20), act("a", "x")).await.unwrap());
        assert!(!store.use_up(&b, "1", 30).await.unwrap());
        assert!(!store.use_up(&a, "1", 100).await.unwrap());
        assert!(store.use_up(&a, "1", 30).await.unwrap());
        assert!(!other.use_up(&a, "1", 30).await.unwrap());
        let one = store.approval(&a, "1").await.unwrap().unwrap();
        assert_eq!((one.state, one.decided_by.as_str()), (ApprovalState::Used, "cli:test"));
        assert!(store.approvals_of(&a, "agent", 99).await.unwrap().is_empty());
        assert_eq!((store.endorsed(&a).await.unwrap(), store.endorsed(&b).await.unwrap()), (vec!["e".into()], vec![]));
        let ids: Vec<String> = store.waiting_acts().await.unwrap().into_iter().map(|act| act.id).collect();
        assert_eq!(ids, ["act1"]);
    }

    #[tokio::test]
    async fn a_denied_one_stays_denied_and_a_loop_does_not_fill_the_store() {
        let store = SqliteAccess::open_in_memory().await.unwrap();
        let a = name("a");
        store.ask(&a, wanted("a", "1")).await.unwrap();
        assert!(store.rule(&a, "1", ruling(false, 20), act("a", "act1")).await.unwrap());
        assert!(!store.use_up(&a, "1", 30).await.unwrap());
        for id in 0..MOST {
            store.ask(&a, wanted("a", &format!("x{id}"))).await.unwrap();
        }
        assert!(matches!(store.ask(&a, wanted("a", "last")).await, Err(StoreError::Full(_))));
        // Those that have expired make room.
        let later = Approval { asked: 200, expires: 300, ..wanted("a", "later") };
        store.ask(&a, later.clone()).await.unwrap();
        assert_eq!(store.approvals(&a, 250).await.unwrap(), [later]);
    }
}

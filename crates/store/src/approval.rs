//! Tool calls that wait for a person, beside the client keys: whoever decides writes them while a gateway runs.

use bartizan_core::store::StoreFuture;
use bartizan_core::{Act, Approval, ApprovalState, ApprovalStore, Ruling, StoreError, TenantId};

use crate::access::Access;
use crate::database::{Cells, Connection as _, Database, Whose, args, number, store_error, tenant};
use crate::evidence::another_tenant;

const COLUMNS: &str = "SELECT id, tenant, key, route, event, call, digest, state, asked, expires, decided_by, sealed
    FROM approvals";

/// Milliseconds that an expired one is kept, so that it can still be looked up.
const KEPT: i64 = 7 * 24 * 3_600_000;

/// Most that wait for one tenant: an agent that asks in a loop must not fill the store.
const MOST: u64 = 1000;

impl<D: Database> Access<D> {
    async fn approvals_where(
        &self,
        condition: &'static str,
        tenant: &TenantId,
        now: i64,
        key: Option<&str>,
    ) -> Result<Vec<Approval>, StoreError> {
        let sql = format!("{COLUMNS} WHERE tenant = ? AND expires > ? {condition} ORDER BY asked, id");
        let mut given = args![tenant, now];
        given.extend(key.map(Into::into));
        self.db.rows(Whose::Tenant(tenant), sql, given).await?.iter().map(approval).collect()
    }
}

impl<D: Database> ApprovalStore for Access<D> {
    fn ask<'a>(&'a self, tenant: &'a TenantId, approval: Approval) -> StoreFuture<'a, ()> {
        Box::pin(self.db.within(async move {
            if approval.tenant != *tenant {
                return Err(another_tenant("an approval"));
            }
            let call = serde_json::to_string(&approval.call).map_err(|e| StoreError::Failed(e.to_string()))?;
            let mut unit = self.db.begin(Whose::Tenant(tenant)).await?;
            let old = args![tenant, approval.asked.saturating_sub(KEPT)];
            unit.run("DELETE FROM approvals WHERE tenant = ? AND expires < ?".into(), old)
                .await
                .map_err(store_error)?;
            let waiting = "SELECT count(*) FROM approvals WHERE tenant = ? AND state = 'pending' AND expires > ?";
            let waiting = unit.rows(waiting.into(), args![tenant, approval.asked]).await.map_err(store_error)?;
            if waiting.first().map_or(Ok(0), |row| number(row, 0))? >= MOST {
                return Err(StoreError::Full(format!("{MOST} approvals wait already")));
            }
            let given = args![
                approval.id,
                tenant,
                approval.key,
                approval.route,
                approval.event,
                call,
                approval.digest,
                approval.state.as_str(),
                approval.asked,
                approval.expires,
                approval.decided_by,
                approval.sealed,
            ];
            let sql = "INSERT INTO approvals (id, tenant, key, route, event, call, digest, state, asked, expires,
                 decided_by, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
            unit.run(sql.into(), given).await.map_err(store_error)?;
            unit.commit().await.map_err(store_error)
        }))
    }

    fn approvals<'a>(&'a self, tenant: &'a TenantId, now: i64) -> StoreFuture<'a, Vec<Approval>> {
        Box::pin(self.approvals_where("", tenant, now, None))
    }

    fn approvals_of<'a>(&'a self, tenant: &'a TenantId, key: &'a str, now: i64) -> StoreFuture<'a, Vec<Approval>> {
        Box::pin(self.approvals_where("AND key = ? AND state <> 'used'", tenant, now, Some(key)))
    }

    fn approval<'a>(&'a self, tenant: &'a TenantId, id: &'a str) -> StoreFuture<'a, Option<Approval>> {
        Box::pin(async move {
            let sql = format!("{COLUMNS} WHERE tenant = ? AND id = ?");
            let row = self.db.row(Whose::Tenant(tenant), sql, args![tenant, id]).await?;
            row.map(|row| approval(&row)).transpose()
        })
    }

    fn rule<'a>(&'a self, tenant: &'a TenantId, id: &'a str, ruling: Ruling, act: Act) -> StoreFuture<'a, bool> {
        Box::pin(self.db.within(async move {
            if act.tenant != *tenant {
                return Err(another_tenant("a record"));
            }
            let state = if ruling.approved { ApprovalState::Approved } else { ApprovalState::Denied };
            let mut unit = self.db.begin(Whose::Tenant(tenant)).await?;
            let sql = "UPDATE approvals SET state = ?, decided_by = ?
                 WHERE id = ? AND tenant = ? AND state = 'pending' AND expires > ?";
            let given = args![state.as_str(), &ruling.actor, id, tenant, ruling.now];
            if unit.run(sql.into(), given).await.map_err(store_error)? != 1 {
                return Ok(false);
            }
            for digest in &ruling.endorsed {
                let sql = "INSERT INTO endorsed (tenant, digest, actor, since) VALUES (?, ?, ?, ?)
                     ON CONFLICT DO NOTHING";
                unit.run(sql.into(), args![tenant, digest, &ruling.actor, ruling.now]).await.map_err(store_error)?;
            }
            D::record(&mut unit, act).await?;
            unit.commit().await.map_err(store_error)?;
            Ok(true)
        }))
    }

    fn use_up<'a>(&'a self, tenant: &'a TenantId, id: &'a str, now: i64) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            let sql = "UPDATE approvals SET state = 'used' WHERE id = ? AND tenant = ? AND state = 'approved' AND expires > ?";
            Ok(self.db.change(Whose::Tenant(tenant), sql, args![id, tenant, now]).await? == 1)
        })
    }

    fn endorsed<'a>(&'a self, tenant: &'a TenantId) -> StoreFuture<'a, Vec<String>> {
        Box::pin(async move {
            let sql = "SELECT digest FROM endorsed WHERE tenant = ? ORDER BY digest";
            let rows = self.db.rows(Whose::Tenant(tenant), sql, args![tenant]).await?;
            rows.iter().map(|row| row.text(0).map(str::to_owned).map_err(store_error)).collect()
        })
    }
}

fn approval(row: &impl Cells) -> Result<Approval, StoreError> {
    let text = |at: usize| row.text(at).map(str::to_owned).map_err(store_error);
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
        asked: row.int(8).map_err(store_error)?,
        expires: row.int(9).map_err(store_error)?,
        decided_by: text(10)?,
        sealed: row.bytes(11).map_err(store_error)?.to_vec(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bartizan_core::Deed;

    use crate::places::{Place, on_both};

    on_both!(postgres_gives_the_same_answers:
        an_approval_is_used_once_by_its_tenant_in_its_time,
        a_denied_one_stays_denied_and_a_loop_does_not_fill_the_store,
    );

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

    async fn an_approval_is_used_once_by_its_tenant_in_its_time(place: &impl Place) {
        let store = place.access().await;
        let other = place.access().await;
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
        assert_eq!(place.recorded().await, ["act1"]);
    }

    async fn a_denied_one_stays_denied_and_a_loop_does_not_fill_the_store(place: &impl Place) {
        let store = place.access().await;
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

//! Containments, beside the client keys: whoever is on call writes them while a gateway runs.

use bartizan_core::store::StoreFuture;
use bartizan_core::{Act, ContainStore, Containment, StoreError, Target, TenantId};

use crate::access::Access;
use crate::database::{Arg, Cells, Database, Whose, args, number, store_error, tenant};
use crate::evidence::another_tenant;

const OPEN: &str = "SELECT id, tenant, target, name, reason, actor, since, until FROM containments WHERE released = 0";

/// Says that a containment has changed.
const REVISE: &str = "UPDATE installation SET contain_revision = contain_revision + 1";

impl<D: Database> Access<D> {
    async fn contains(
        &self,
        sql: &'static str,
        given: Vec<Arg>,
        revise: Option<&'static str>,
        act: Act,
    ) -> Result<bool, StoreError> {
        let whose = act.tenant.clone();
        self.db
            .within(async {
                let mut unit = self.db.begin(Whose::Tenant(&whose)).await?;
                let done = self.change_one(&mut unit, (sql, given), revise, act).await?;
                if done {
                    unit.commit().await.map_err(store_error)?;
                }
                Ok(done)
            })
            .await
    }
}

impl<D: Database> ContainStore for Access<D> {
    fn contain_revision(&self) -> StoreFuture<'_, u64> {
        Box::pin(self.installation("SELECT contain_revision FROM installation", |row| number(row, 0)))
    }

    fn all_containments(&self) -> StoreFuture<'_, Vec<Containment>> {
        Box::pin(async move { self.db.rows(Whose::Operator, OPEN, args![]).await?.iter().map(containment).collect() })
    }

    fn containments<'a>(&'a self, tenant: &'a TenantId) -> StoreFuture<'a, Vec<Containment>> {
        Box::pin(async move {
            let sql = format!("{OPEN} AND tenant = ? ORDER BY since, id");
            self.db.rows(Whose::Tenant(tenant), sql, args![tenant]).await?.iter().map(containment).collect()
        })
    }

    fn contain<'a>(&'a self, tenant: &'a TenantId, containment: Containment, act: Act) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            if containment.tenant != *tenant || act.tenant != *tenant {
                return Err(another_tenant("a containment or record"));
            }
            let given = args![
                containment.id,
                tenant,
                containment.target.as_str(),
                containment.name,
                containment.reason,
                containment.actor,
                containment.since,
                containment.until,
            ];
            let sql = "INSERT INTO containments (id, tenant, target, name, reason, actor, since, until)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
            match self.contains(sql, given, Some(REVISE), act).await? {
                true => Ok(()),
                false => Err(StoreError::Failed("a containment of that id is there already".to_owned())),
            }
        })
    }

    fn release<'a>(&'a self, tenant: &'a TenantId, id: &'a str, act: Act) -> StoreFuture<'a, bool> {
        Box::pin(async move {
            if act.tenant != *tenant {
                return Err(another_tenant("a record"));
            }
            let sql = "UPDATE containments SET released = 1 WHERE id = ? AND tenant = ? AND released = 0";
            self.contains(sql, args![id, tenant], Some(REVISE), act).await
        })
    }

    fn once<'a>(&'a self, mark: &'a str, act: Act) -> StoreFuture<'a, bool> {
        let sql = "INSERT INTO once (mark) VALUES (?) ON CONFLICT DO NOTHING";
        Box::pin(self.contains(sql, args![mark], None, act))
    }
}

fn containment(row: &impl Cells) -> Result<Containment, StoreError> {
    let text = |at: usize| row.text(at).map(str::to_owned).map_err(store_error);
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
        since: row.int(6).map_err(store_error)?,
        until: row.int(7).map_err(store_error)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bartizan_core::{AccessStore as _, Deed};

    use crate::SqliteAccess;
    use crate::places::{Place, on_both};

    on_both!(postgres_gives_the_same_answers: containments_are_kept_with_their_records_behind_walls);

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

    async fn containments_are_kept_with_their_records_behind_walls(place: &impl Place) {
        let store = place.access().await;
        let (a, b) = (name("a"), name("b"));
        store.contain(&a, cut("a", "1"), act("a", "act1", Deed::Contained)).await.unwrap();
        // With the record or the containment made out for another tenant.
        assert!(store.contain(&b, cut("a", "2"), act("b", "x", Deed::Contained)).await.is_err());
        assert!(store.contain(&b, cut("b", "2"), act("a", "x", Deed::Contained)).await.is_err());
        assert_eq!(store.containments(&a).await.unwrap(), [cut("a", "1")]);
        assert!(store.containments(&b).await.unwrap().is_empty());
        assert_eq!((store.revision().await.unwrap(), store.contain_revision().await.unwrap()), (0, 1));
        // Another process sees it; another tenant that guesses the id ends nothing.
        let other = place.access().await;
        assert_eq!(other.all_containments().await.unwrap(), [cut("a", "1")]);
        assert!(!other.release(&b, "1", act("b", "y", Deed::Released)).await.unwrap());
        assert!(other.release(&a, "1", act("a", "act2", Deed::Released)).await.unwrap());
        assert!(!store.release(&a, "1", act("a", "act3", Deed::Released)).await.unwrap());
        assert!(store.all_containments().await.unwrap().is_empty());
        assert!(store.once("lapsed x", act("a", "act4", Deed::ExceptionLapsed)).await.unwrap());
        assert!(!other.once("lapsed x", act("a", "act5", Deed::ExceptionLapsed)).await.unwrap());
        assert_eq!(place.recorded().await, ["act1", "act2", "act4"]);
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

//! Sealed content and wrapped keys. Nothing here can open either.

use bartizan_core::store::StoreFuture;
use bartizan_core::{
    Act, Destroyed, Direction, Event, KeyPurpose, Protocol, Record, Sealed, SealedContent, SealedStore, StoreError,
    TenantId, WrappedKey,
};
use serde::de::DeserializeOwned;

use crate::database::{Cells, Connection, Database, Whose, args, position, store_error};
use crate::evidence::Store;
use crate::queue::Hurry;
use crate::writer::Job;

/// What [`content`] reads.
const CONTENTS: &str =
    "SELECT event, exchange, tenant, direction, protocol, stream, cut, time, key, nonce, body FROM sealed";

pub(crate) async fn insert(connection: &mut impl Connection, content: &SealedContent) -> Result<(), sqlx::Error> {
    let given = args![
        &content.event,
        &content.exchange,
        &content.tenant,
        content.direction.as_str(),
        content.protocol.as_str(),
        content.stream,
        content.cut,
        &content.time,
        &content.body.key_id,
        content.body.nonce.to_vec(),
        content.body.ciphertext.clone(),
    ];
    let sql = "INSERT INTO sealed (event, exchange, tenant, direction, protocol, stream, cut, time, key, nonce, body)
         VALUES (?,?,?,?,?,?,?,?,?,?,?)";
    connection.run(sql.into(), given).await.map(drop)
}

/// Takes away the content of records that are about to be pruned.
pub(crate) async fn delete_before(connection: &mut impl Connection, before: u64) -> Result<(), sqlx::Error> {
    let sql = "DELETE FROM sealed WHERE event IN (SELECT id FROM events WHERE seq < ?)";
    connection.run(sql.into(), args![position(before)]).await.map(drop)
}

pub(crate) async fn put_key<C: Connection>(connection: &mut C, key: WrappedKey) -> Result<WrappedKey, sqlx::Error> {
    let keys = C::WRAPPED_KEYS;
    let sql = format!(
        "INSERT INTO {keys} (id, tenant, purpose, day, wrapped, destroyed) VALUES (?,?,?,?,?,'') ON CONFLICT DO NOTHING"
    );
    let given = args![key.id, &key.tenant, key.purpose.as_str(), &key.day, key.wrapped];
    connection.run(sql.into(), given).await?;
    let rows = connection.rows(live_key(keys).into(), args![&key.tenant, key.purpose.as_str(), &key.day]).await?;
    wrapped_key(rows.first().ok_or(sqlx::Error::RowNotFound)?)
}

/// Overwrites keys and takes away what was sealed with them.
pub(crate) async fn destroy<C: Connection>(
    connection: &mut C,
    tenant: &TenantId,
    before: Option<&str>,
    now: &str,
) -> Result<Destroyed, sqlx::Error> {
    let table = C::WRAPPED_KEYS;
    let (mut contents, mut content_args) = ("DELETE FROM sealed WHERE tenant = ?".to_owned(), args![tenant]);
    let mut keys = format!("UPDATE {table} SET wrapped = ?, destroyed = ? WHERE tenant = ? AND destroyed = ''");
    let mut key_args = args![Vec::new(), now, tenant];
    if let Some(day) = before {
        let those = "purpose = 'content' AND day < ?";
        contents.push_str(&format!(" AND key IN (SELECT id FROM {table} WHERE tenant = ? AND {those})"));
        content_args.extend(args![tenant, day]);
        keys.push_str(&format!(" AND {those}"));
        key_args.extend(args![day]);
    }
    let contents = connection.run(contents.into(), content_args).await?;
    let keys = connection.run(keys.into(), key_args).await?;
    Ok(Destroyed { keys, contents })
}

/// The content of decisions of any tenant.
pub(crate) async fn recordings(db: &impl Database, events: &[String]) -> Result<Vec<SealedContent>, StoreError> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("{CONTENTS} WHERE event IN ({}) ORDER BY event", vec!["?"; events.len()].join(","));
    let given = events.iter().flat_map(|event| args![event]).collect();
    let rows = db.rows(Whose::Operator, sql, given).await?;
    rows.iter().map(content).collect::<Result<_, _>>().map_err(store_error)
}

fn live_key(keys: &str) -> String {
    format!(
        "SELECT id, tenant, purpose, day, wrapped, destroyed FROM {keys}
         WHERE tenant = ? AND purpose = ? AND day = ? AND destroyed = ''"
    )
}

impl<D: Database> Store<D> {
    /// Content of a tenant.
    async fn contents(&self, tenant: &TenantId, rest: &str, of: &str) -> Result<Vec<SealedContent>, StoreError> {
        let sql = format!("{CONTENTS} WHERE tenant = ? AND {rest}");
        let rows = self.db.rows(Whose::Tenant(tenant), sql, args![tenant, of]).await?;
        rows.iter().map(content).collect::<Result<_, _>>().map_err(store_error)
    }
}

impl<D: Database> SealedStore for Store<D> {
    fn put_sealed(&self, event: Event, content: Vec<SealedContent>) -> StoreFuture<'_, ()> {
        let hurry = Hurry::of(&event);
        Box::pin(self.put(Record::Decision(Box::new(event)), content, hurry))
    }

    fn sealed<'a>(&'a self, tenant: &'a TenantId, event: &'a str) -> StoreFuture<'a, Vec<SealedContent>> {
        Box::pin(self.contents(tenant, "event = ? ORDER BY direction DESC", event))
    }

    fn list_sealed<'a>(
        &'a self,
        tenant: &'a TenantId,
        since: &'a str,
        after: &'a str,
        limit: u32,
    ) -> StoreFuture<'a, Vec<String>> {
        Box::pin(async move {
            let sql = "SELECT exchange FROM sealed WHERE tenant = ? AND exchange > ?
                 GROUP BY exchange HAVING max(time) >= ? ORDER BY exchange LIMIT ?";
            let rows = self.db.rows(Whose::Tenant(tenant), sql, args![tenant, after, since, limit]).await?;
            rows.iter().map(|row| row.text(0).map(str::to_owned).map_err(store_error)).collect()
        })
    }

    fn sealed_exchange<'a>(&'a self, tenant: &'a TenantId, exchange: &'a str) -> StoreFuture<'a, Vec<SealedContent>> {
        Box::pin(self.contents(tenant, "exchange = ? ORDER BY time, direction DESC", exchange))
    }

    fn put_key(&self, key: WrappedKey) -> StoreFuture<'_, WrappedKey> {
        Box::pin(self.queue.ask(Hurry::Now, move |done| Job::Key { key, done }))
    }

    fn key<'a>(&'a self, tenant: &'a TenantId, id: &'a str) -> StoreFuture<'a, Option<WrappedKey>> {
        Box::pin(async move {
            let sql = format!(
                "SELECT id, tenant, purpose, day, wrapped, destroyed FROM {} WHERE tenant = ? AND id = ?",
                D::Connection::WRAPPED_KEYS
            );
            let row = self.db.row(Whose::Tenant(tenant), sql, args![tenant, id]).await?;
            row.map(|row| wrapped_key(&row)).transpose().map_err(store_error)
        })
    }

    fn live_key<'a>(
        &'a self,
        tenant: &'a TenantId,
        purpose: KeyPurpose,
        day: &'a str,
    ) -> StoreFuture<'a, Option<WrappedKey>> {
        Box::pin(async move {
            let given = args![tenant, purpose.as_str(), day];
            let row = self.db.row(Whose::Tenant(tenant), live_key(D::Connection::WRAPPED_KEYS), given).await?;
            row.map(|row| wrapped_key(&row)).transpose().map_err(store_error)
        })
    }

    fn destroy_sealed<'a>(
        &'a self,
        tenant: &'a TenantId,
        before: Option<&'a str>,
        act: Act,
    ) -> StoreFuture<'a, Destroyed> {
        let (tenant, before) = (tenant.clone(), before.map(str::to_owned));
        Box::pin(self.queue.ask(Hurry::Now, move |done| Job::Destroy { tenant, before, act, done }))
    }

    fn sealed_tenants<'a>(&'a self, before: &'a str) -> StoreFuture<'a, Vec<TenantId>> {
        Box::pin(async move {
            let sql = format!(
                "SELECT DISTINCT tenant FROM {} WHERE purpose = 'content' AND destroyed = '' AND day < ? ORDER BY tenant",
                D::Connection::WRAPPED_KEYS
            );
            let rows = self.db.rows(Whose::Operator, sql, args![before]).await?;
            rows.iter().map(|row| tenant(row, 0).map_err(store_error)).collect()
        })
    }
}

fn content(row: &impl Cells) -> Result<SealedContent, sqlx::Error> {
    let nonce = row.bytes(9)?.try_into().map_err(|_| wrong("a nonce has the wrong length"))?;
    let text = |at| row.text(at).map(str::to_owned);
    Ok(SealedContent {
        event: text(0)?,
        exchange: text(1)?,
        tenant: tenant(row, 2)?,
        direction: word::<Direction>(row, 3)?,
        protocol: word::<Protocol>(row, 4)?,
        stream: row.int(5)? != 0,
        cut: row.int(6)? != 0,
        time: text(7)?,
        body: Sealed::from_parts(text(8)?, nonce, row.bytes(10)?.to_vec()),
    })
}

fn wrapped_key(row: &impl Cells) -> Result<WrappedKey, sqlx::Error> {
    let purpose = match row.text(2)? {
        "content" => KeyPurpose::Content,
        "pseudonym" => KeyPurpose::Pseudonym,
        _ => return Err(wrong("a key has an unknown purpose")),
    };
    let text = |at| row.text(at).map(str::to_owned);
    Ok(WrappedKey {
        id: text(0)?,
        tenant: tenant(row, 1)?,
        purpose,
        day: text(3)?,
        wrapped: row.bytes(4)?.to_vec(),
        destroyed: text(5)?,
    })
}

fn tenant(row: &impl Cells, at: usize) -> Result<TenantId, sqlx::Error> {
    TenantId::authenticated(row.text(at)?).map_err(|_| wrong("a tenant's name is none"))
}

/// A word of an enumeration, as it is written in JSON.
fn word<T: DeserializeOwned>(row: &impl Cells, at: usize) -> Result<T, sqlx::Error> {
    serde_json::from_value(row.text(at)?.into()).map_err(|_| wrong("a word is unknown"))
}

fn wrong(what: &str) -> sqlx::Error {
    sqlx::Error::Decode(what.into())
}

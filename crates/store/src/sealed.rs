//! Sealed content and wrapped keys. Nothing here can open either.

use bartizan_core::store::StoreFuture;
use bartizan_core::{
    Act, Destroyed, Direction, Event, KeyPurpose, Protocol, Record, Sealed, SealedContent, SealedStore, StoreError,
    TenantId, WrappedKey,
};
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use crate::sqlite::{Hurry, SqliteStore, position, store_error};
use crate::writer::Job;

pub(crate) async fn insert(connection: &mut SqliteConnection, content: &SealedContent) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO sealed (event, exchange, tenant, direction, protocol, stream, cut, time, key, nonce, body)
         VALUES (?,?,?,?,?,?,?,?,?,?,?)",
    )
    .bind(&content.event)
    .bind(&content.exchange)
    .bind(content.tenant.as_str())
    .bind(content.direction.as_str())
    .bind(content.protocol.as_str())
    .bind(content.stream)
    .bind(content.cut)
    .bind(&content.time)
    .bind(&content.body.key_id)
    .bind(content.body.nonce.as_slice())
    .bind(&content.body.ciphertext)
    .execute(connection)
    .await
    .map(drop)
}

/// Takes away the content of records that are about to be pruned.
pub(crate) async fn delete_before(connection: &mut SqliteConnection, before: u64) -> Result<(), sqlx::Error> {
    sqlx::query("DELETE FROM sealed WHERE event IN (SELECT id FROM events WHERE seq < ?)")
        .bind(position(before))
        .execute(connection)
        .await
        .map(drop)
}

pub(crate) async fn put_key(connection: &mut SqliteConnection, key: WrappedKey) -> Result<WrappedKey, sqlx::Error> {
    sqlx::query("INSERT OR IGNORE INTO keys (id, tenant, purpose, day, wrapped, destroyed) VALUES (?,?,?,?,?,'')")
        .bind(&key.id)
        .bind(key.tenant.as_str())
        .bind(key.purpose.as_str())
        .bind(&key.day)
        .bind(&key.wrapped)
        .execute(&mut *connection)
        .await?;
    let row = sqlx::query(LIVE_KEY)
        .bind(key.tenant.as_str())
        .bind(key.purpose.as_str())
        .bind(&key.day)
        .fetch_one(connection)
        .await?;
    wrapped_key(&row)
}

/// Overwrites keys and takes away what was sealed with them.
pub(crate) async fn destroy(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    before: Option<&str>,
    now: &str,
) -> Result<Destroyed, sqlx::Error> {
    let contents = match before {
        Some(day) => sqlx::query(
            "DELETE FROM sealed WHERE tenant = ? AND key IN
             (SELECT id FROM keys WHERE tenant = ? AND purpose = 'content' AND day < ?)",
        )
        .bind(tenant.as_str())
        .bind(tenant.as_str())
        .bind(day),
        None => sqlx::query("DELETE FROM sealed WHERE tenant = ?").bind(tenant.as_str()),
    };
    let contents = contents.execute(&mut *connection).await?.rows_affected();
    let keys = match before {
        Some(day) => sqlx::query(
            "UPDATE keys SET wrapped = x'', destroyed = ?
             WHERE tenant = ? AND destroyed = '' AND purpose = 'content' AND day < ?",
        )
        .bind(now)
        .bind(tenant.as_str())
        .bind(day),
        None => sqlx::query("UPDATE keys SET wrapped = x'', destroyed = ? WHERE tenant = ? AND destroyed = ''")
            .bind(now)
            .bind(tenant.as_str()),
    };
    let keys = keys.execute(connection).await?.rows_affected();
    Ok(Destroyed { keys, contents })
}

const LIVE_KEY: &str = "SELECT id, tenant, purpose, day, wrapped, destroyed FROM keys
    WHERE tenant = ? AND purpose = ? AND day = ? AND destroyed = ''";

const CONTENT: &str =
    "SELECT event, exchange, tenant, direction, protocol, stream, cut, time, key, nonce, body FROM sealed";

impl SealedStore for SqliteStore {
    fn put_sealed(&self, event: Event, content: Vec<SealedContent>) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let bytes = content.iter().map(|c| c.body.ciphertext.len()).sum();
            let hurry = Hurry::of(&event);
            let held = self.room(bytes, hurry).await?;
            let record = Record::Decision(Box::new(event));
            self.ask(hurry, move |done| Job::Record { record, content, held, done }).await
        })
    }

    fn sealed<'a>(&'a self, tenant: &'a TenantId, event: &'a str) -> StoreFuture<'a, Vec<SealedContent>> {
        Box::pin(async move {
            let sql = const_format(CONTENT, " WHERE tenant = ? AND event = ? ORDER BY direction DESC");
            let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(tenant.as_str())
                .bind(event)
                .fetch_all(self.readers())
                .await
                .map_err(store_error)?;
            rows.iter().map(content).collect()
        })
    }

    fn list_sealed<'a>(
        &'a self,
        tenant: &'a TenantId,
        since: &'a str,
        after: &'a str,
        limit: u32,
    ) -> StoreFuture<'a, Vec<String>> {
        Box::pin(async move {
            let rows = sqlx::query(
                "SELECT exchange FROM sealed WHERE tenant = ? AND exchange > ?
                 GROUP BY exchange HAVING max(time) >= ? ORDER BY exchange LIMIT ?",
            )
            .bind(tenant.as_str())
            .bind(after)
            .bind(since)
            .bind(i64::from(limit))
            .fetch_all(self.readers())
            .await
            .map_err(store_error)?;
            rows.iter().map(|row| row.try_get(0).map_err(store_error)).collect()
        })
    }

    fn sealed_exchange<'a>(&'a self, tenant: &'a TenantId, exchange: &'a str) -> StoreFuture<'a, Vec<SealedContent>> {
        Box::pin(async move {
            let sql = const_format(CONTENT, " WHERE tenant = ? AND exchange = ? ORDER BY time, direction DESC");
            let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
                .bind(tenant.as_str())
                .bind(exchange)
                .fetch_all(self.readers())
                .await
                .map_err(store_error)?;
            rows.iter().map(content).collect()
        })
    }

    fn put_key(&self, key: WrappedKey) -> StoreFuture<'_, WrappedKey> {
        Box::pin(self.ask(Hurry::Now, move |done| Job::Key { key, done }))
    }

    fn key<'a>(&'a self, tenant: &'a TenantId, id: &'a str) -> StoreFuture<'a, Option<WrappedKey>> {
        Box::pin(async move {
            let row = sqlx::query(
                "SELECT id, tenant, purpose, day, wrapped, destroyed FROM keys WHERE tenant = ? AND id = ?",
            )
            .bind(tenant.as_str())
            .bind(id)
            .fetch_optional(self.readers())
            .await
            .map_err(store_error)?;
            row.as_ref().map(wrapped_key).transpose().map_err(store_error)
        })
    }

    fn live_key<'a>(
        &'a self,
        tenant: &'a TenantId,
        purpose: KeyPurpose,
        day: &'a str,
    ) -> StoreFuture<'a, Option<WrappedKey>> {
        Box::pin(async move {
            let row = sqlx::query(LIVE_KEY)
                .bind(tenant.as_str())
                .bind(purpose.as_str())
                .bind(day)
                .fetch_optional(self.readers())
                .await
                .map_err(store_error)?;
            row.as_ref().map(wrapped_key).transpose().map_err(store_error)
        })
    }

    fn destroy_sealed<'a>(
        &'a self,
        tenant: &'a TenantId,
        before: Option<&'a str>,
        act: Act,
    ) -> StoreFuture<'a, Destroyed> {
        let (tenant, before) = (tenant.clone(), before.map(str::to_owned));
        Box::pin(self.ask(Hurry::Now, move |done| Job::Destroy { tenant, before, act, done }))
    }

    fn sealed_tenants<'a>(&'a self, before: &'a str) -> StoreFuture<'a, Vec<TenantId>> {
        Box::pin(async move {
            let rows = sqlx::query(
                "SELECT DISTINCT tenant FROM keys WHERE purpose = 'content' AND destroyed = '' AND day < ?
                 ORDER BY tenant",
            )
            .bind(before)
            .fetch_all(self.readers())
            .await
            .map_err(store_error)?;
            rows.iter().map(|row| tenant(row, 0).map_err(store_error)).collect()
        })
    }
}

/// Two constant parts of a statement.
fn const_format(select: &'static str, rest: &'static str) -> String {
    format!("{select}{rest}")
}

fn content(row: &SqliteRow) -> Result<SealedContent, StoreError> {
    read_content(row).map_err(store_error)
}

fn read_content(row: &SqliteRow) -> Result<SealedContent, sqlx::Error> {
    let nonce: Vec<u8> = row.try_get(9)?;
    let nonce = nonce.try_into().map_err(|_| wrong("a nonce has the wrong length"))?;
    Ok(SealedContent {
        event: row.try_get(0)?,
        exchange: row.try_get(1)?,
        tenant: tenant(row, 2)?,
        direction: word::<Direction>(row, 3)?,
        protocol: word::<Protocol>(row, 4)?,
        stream: row.try_get(5)?,
        cut: row.try_get(6)?,
        time: row.try_get(7)?,
        body: Sealed::from_parts(row.try_get(8)?, nonce, row.try_get(10)?),
    })
}

fn wrapped_key(row: &SqliteRow) -> Result<WrappedKey, sqlx::Error> {
    let purpose: &str = row.try_get(2)?;
    let purpose = match purpose {
        "content" => KeyPurpose::Content,
        "pseudonym" => KeyPurpose::Pseudonym,
        _ => return Err(wrong("a key has an unknown purpose")),
    };
    Ok(WrappedKey {
        id: row.try_get(0)?,
        tenant: tenant(row, 1)?,
        purpose,
        day: row.try_get(3)?,
        wrapped: row.try_get(4)?,
        destroyed: row.try_get(5)?,
    })
}

fn tenant(row: &SqliteRow, at: usize) -> Result<TenantId, sqlx::Error> {
    let name: &str = row.try_get(at)?;
    TenantId::authenticated(name).map_err(|_| wrong("a tenant's name is none"))
}

/// A word of an enumeration, as it is written in JSON.
fn word<T: DeserializeOwned>(row: &SqliteRow, at: usize) -> Result<T, sqlx::Error> {
    let word: String = row.try_get(at)?;
    serde_json::from_value(serde_json::Value::String(word)).map_err(|_| wrong("a word is unknown"))
}

fn wrong(what: &str) -> sqlx::Error {
    sqlx::Error::Decode(what.into())
}

//! Recording, and everything that only reads records.

use bartizan_core::store::StoreFuture;
use bartizan_core::{
    Act, ChainStore, Deed, Event, EventQuery, EventStore, Head, HourTally, Record, StoreError, Tally, TenantId, Verdict,
};
use sqlx::sqlite::{Sqlite, SqliteRow};
use sqlx::{QueryBuilder, Row as _};

use crate::chain::{self, Row, Walk};
use crate::sqlite::{Hurry, SqliteStore, position, read_head, store_error};
use crate::writer::Job;

/// How many records are read at once while a chain is verified.
const BATCH: i64 = 512;

impl SqliteStore {
    /// The hash of the record at a position, for comparing with an earlier [`ChainStore::head`].
    ///
    /// # Errors
    /// [`StoreError::Failed`] where the database cannot be read.
    pub async fn hash_at(&self, seq: u64) -> Result<Option<String>, StoreError> {
        sqlx::query("SELECT hash FROM events WHERE seq = ?")
            .bind(position(seq))
            .fetch_optional(self.readers())
            .await
            .and_then(|row| row.map(|row| row.try_get(0)).transpose())
            .map_err(store_error)
    }

    /// Checks every link and hands each record over once it is checked, in constant memory. Answers with the number of
    /// records since the chain began.
    ///
    /// # Errors
    /// [`StoreError::Broken`] with the first record that does not fit.
    pub async fn walk(&self, mut each: impl FnMut(Record) + Send) -> Result<u64, StoreError> {
        let end = self.head().await?;
        let mut walk = Walk::new(end.chain_id);
        let last = end.seq.map_or(-1, position);
        let mut from = i64::MIN;
        loop {
            let rows = sqlx::query(
                "SELECT seq, kind, id, time, tenant, exchange, key, verdict, action, rules, hash, body FROM events
                 WHERE seq >= ? AND seq <= ? ORDER BY seq LIMIT ?",
            )
            .bind(from)
            .bind(last)
            .bind(BATCH)
            .fetch_all(self.readers())
            .await
            .map_err(store_error)?;
            for row in &rows {
                each(walk.step(&stored(row).map_err(store_error)?)?);
            }
            if rows.len() < usize::try_from(BATCH).unwrap_or(usize::MAX) {
                return walk.end();
            }
            from = position(walk.next());
        }
    }
}

impl EventStore for SqliteStore {
    fn append(&self, event: Event) -> StoreFuture<'_, ()> {
        let hurry = Hurry::of(&event);
        let record = Record::Decision(Box::new(event));
        Box::pin(self.ask(hurry, move |done| Job::Record { record, content: Vec::new(), held: None, done }))
    }

    fn act(&self, act: Act) -> StoreFuture<'_, ()> {
        let record = Record::Act(Box::new(act));
        Box::pin(self.ask(Hurry::Now, move |done| Job::Record { record, content: Vec::new(), held: None, done }))
    }

    fn recent<'a>(&'a self, tenant: &'a TenantId, limit: u32) -> StoreFuture<'a, Vec<Event>> {
        Box::pin(async move {
            let rows = sqlx::query(
                "SELECT body, hash FROM events WHERE tenant = ? AND kind = 'decision' ORDER BY seq DESC LIMIT ?",
            )
            .bind(tenant.as_str())
            .bind(i64::from(limit))
            .fetch_all(self.readers())
            .await
            .map_err(store_error)?;
            rows.iter().map(event).collect()
        })
    }

    fn get<'a>(&'a self, tenant: &'a TenantId, id: &'a str) -> StoreFuture<'a, Option<Event>> {
        Box::pin(async move {
            let row = sqlx::query(
                "SELECT body, hash FROM events WHERE id = ? AND tenant = ? AND kind = 'decision' ORDER BY seq LIMIT 1",
            )
            .bind(id)
            .bind(tenant.as_str())
            .fetch_optional(self.readers())
            .await
            .map_err(store_error)?;
            row.as_ref().map(event).transpose()
        })
    }

    fn query<'a>(&'a self, tenant: &'a TenantId, query: &'a EventQuery) -> StoreFuture<'a, Vec<Event>> {
        Box::pin(async move {
            let rows = statement(tenant, query).build().fetch_all(self.readers()).await.map_err(store_error)?;
            rows.iter().map(event).collect()
        })
    }

    fn tally<'a>(&'a self, tenant: &'a TenantId, since: &'a str) -> StoreFuture<'a, Tally> {
        Box::pin(async move {
            let floor = self.head().await?.next().saturating_sub(Tally::MOST);
            let of_time = |columns: &str, group: &str| {
                let mut sql =
                    QueryBuilder::<Sqlite>::new(format!("SELECT {columns}, COUNT(*) FROM events WHERE tenant = "));
                sql.push_bind(tenant.as_str().to_owned());
                sql.push(" AND kind = 'decision' AND seq >= ").push_bind(position(floor));
                sql.push(" AND time >= ").push_bind(since.to_owned());
                sql.push(format!(" GROUP BY {group} ORDER BY 1"));
                sql
            };
            let mut tally = Tally::default();
            let rows = of_time("substr(time, 1, 13), verdict", "1, 2").build().fetch_all(self.readers()).await;
            for row in rows.map_err(store_error)? {
                let word: String = row.try_get(1).map_err(store_error)?;
                let verdict = serde_json::from_value::<Verdict>(word.as_str().into())
                    .map_err(|_| StoreError::Failed(format!("`{word}` is no verdict")))?;
                let hour = row.try_get(0).map_err(store_error)?;
                tally.hours.push(HourTally { hour, verdict, decisions: number(&row, 2)? });
            }
            // One row for each set of rules that fired together: far fewer than decisions.
            for row in of_time("rules", "1").build().fetch_all(self.readers()).await.map_err(store_error)? {
                let (rules, decisions): (String, u64) = (row.try_get(0).map_err(store_error)?, number(&row, 1)?);
                for rule in rules.split_whitespace() {
                    *tally.rules.entry(rule.to_owned()).or_default() += decisions;
                }
            }
            let before = sqlx::query("SELECT time FROM events WHERE seq < ? ORDER BY seq DESC LIMIT 1");
            let before = before.bind(position(floor)).fetch_optional(self.readers()).await.map_err(store_error)?;
            if let Some(row) = before {
                tally.cut = row.try_get::<String, _>(0).map_err(store_error)?.as_str() >= since;
            }
            Ok(tally)
        })
    }

    fn exchange<'a>(&'a self, tenant: &'a TenantId, id: &'a str) -> StoreFuture<'a, Vec<Event>> {
        Box::pin(async move {
            // The empty id of records without one names no exchange; the index leaves it out.
            let rows = sqlx::query(
                "SELECT body, hash FROM events WHERE exchange = ? AND exchange <> '' AND tenant = ?
                 AND kind = 'decision' ORDER BY seq",
            )
            .bind(id)
            .bind(tenant.as_str())
            .fetch_all(self.readers())
            .await
            .map_err(store_error)?;
            rows.iter().map(event).collect()
        })
    }

    fn acts<'a>(&'a self, tenant: &'a TenantId, limit: u32) -> StoreFuture<'a, Vec<Act>> {
        Box::pin(async move {
            let rows = sqlx::query(
                "SELECT body, hash FROM events WHERE tenant = ? AND kind = 'act' ORDER BY seq DESC LIMIT ?",
            )
            .bind(tenant.as_str())
            .bind(i64::from(limit))
            .fetch_all(self.readers())
            .await
            .map_err(store_error)?;
            rows.iter().map(act).collect()
        })
    }

    fn after(&self, seq: Option<u64>, limit: u32) -> StoreFuture<'_, Vec<Record>> {
        Box::pin(async move {
            let rows = sqlx::query("SELECT body, hash, kind FROM events WHERE seq > ? ORDER BY seq LIMIT ?")
                .bind(seq.map_or(-1, position))
                .bind(i64::from(limit))
                .fetch_all(self.readers())
                .await
                .map_err(store_error)?;
            rows.iter().map(record).collect()
        })
    }

    fn ready(&self) -> StoreFuture<'_, ()> {
        Box::pin(async move { self.head().await.map(drop) })
    }

    fn verify(&self) -> StoreFuture<'_, u64> {
        Box::pin(self.walk(drop))
    }
}

impl ChainStore for SqliteStore {
    fn head(&self) -> StoreFuture<'_, Head> {
        Box::pin(async move { read_head(self.readers()).await.map_err(store_error) })
    }

    fn hashes(&self, from: u64, limit: u32) -> StoreFuture<'_, Vec<(u64, String)>> {
        Box::pin(async move {
            let rows = sqlx::query("SELECT seq, hash FROM events WHERE seq >= ? ORDER BY seq LIMIT ?")
                .bind(position(from))
                .bind(i64::from(limit))
                .fetch_all(self.readers())
                .await
                .map_err(store_error)?;
            rows.iter().map(|row| Ok((number(row, 0)?, row.try_get(1).map_err(store_error)?))).collect()
        })
    }

    fn first(&self) -> StoreFuture<'_, Option<u64>> {
        Box::pin(async move {
            let row = sqlx::query("SELECT seq FROM events ORDER BY seq LIMIT 1").fetch_optional(self.readers()).await;
            row.map_err(store_error)?.as_ref().map(|row| number(row, 0)).transpose()
        })
    }

    fn first_since<'a>(&'a self, time: &'a str) -> StoreFuture<'a, Option<u64>> {
        Box::pin(async move {
            // From the oldest on: the first that is young enough ends it, and what is old is taken away regularly.
            let row = sqlx::query("SELECT seq FROM events WHERE time >= ? ORDER BY seq LIMIT 1")
                .bind(time)
                .fetch_optional(self.readers())
                .await
                .map_err(store_error)?;
            row.as_ref().map(|row| number(row, 0)).transpose()
        })
    }

    fn last_act(&self, deed: Deed) -> StoreFuture<'_, Option<Act>> {
        Box::pin(async move {
            let row = sqlx::query(
                "SELECT body, hash FROM events WHERE action = ? AND kind = 'act' ORDER BY seq DESC LIMIT 1",
            )
            .bind(deed.as_str())
            .fetch_optional(self.readers())
            .await
            .map_err(store_error)?;
            row.as_ref().map(act).transpose()
        })
    }

    fn prune(&self, before: u64, act: Act) -> StoreFuture<'_, ()> {
        Box::pin(self.ask(Hurry::Now, move |done| Job::Prune { before, act, done }))
    }
}

/// The decisions of a tenant that a query asks for. Every word of the caller's is bound, none is part of the text.
fn statement<'a>(tenant: &'a TenantId, query: &'a EventQuery) -> QueryBuilder<Sqlite> {
    let mut sql = QueryBuilder::new("SELECT body, hash FROM events WHERE tenant = ");
    sql.push_bind(tenant.as_str().to_owned());
    sql.push(" AND kind = 'decision'");
    let words = |sql: &mut QueryBuilder<Sqlite>, column: &str, words: Vec<String>| {
        if words.is_empty() {
            return;
        }
        sql.push(" AND ").push(column).push(" IN (");
        let mut list = sql.separated(", ");
        for word in words {
            list.push_bind(word);
        }
        sql.push(")");
    };
    if let Some(time) = &query.since {
        sql.push(" AND time >= ").push_bind(time.clone());
    }
    if let Some(time) = &query.until {
        sql.push(" AND time < ").push_bind(time.clone());
    }
    if let Some(exchange) = &query.exchange {
        sql.push(" AND exchange = ").push_bind(exchange.clone());
    }
    if let Some(seq) = query.after_seq {
        sql.push(" AND seq > ").push_bind(position(seq));
    }
    if let Some(seq) = query.before_seq {
        sql.push(" AND seq < ").push_bind(position(seq));
    }
    words(&mut sql, "verdict", query.verdicts.iter().map(|v| v.as_str().to_owned()).collect());
    words(&mut sql, "key", query.keys.iter().cloned().collect());
    if !query.rules.is_empty() {
        sql.push(" AND (");
        let mut list = sql.separated(" OR ");
        for rule in &query.rules {
            // Names are separated by spaces, so a name between spaces is a whole one.
            list.push("instr(' ' || rules || ' ', ")
                .push_bind_unseparated(format!(" {rule} "))
                .push_unseparated(") > 0");
        }
        sql.push(")");
    }
    sql.push(if query.after_seq.is_some() { " ORDER BY seq" } else { " ORDER BY seq DESC" });
    let limit = if query.limit == 0 { EventQuery::LIMIT } else { query.limit };
    sql.push(" LIMIT ").push_bind(i64::from(limit));
    sql
}

pub(crate) fn event(row: &SqliteRow) -> Result<Event, StoreError> {
    let (body, hash) = texts(row)?;
    chain::event(body, hash).map_err(unreadable)
}

pub(crate) fn act(row: &SqliteRow) -> Result<Act, StoreError> {
    let (body, hash) = texts(row)?;
    chain::act(body, hash).map_err(unreadable)
}

fn record(row: &SqliteRow) -> Result<Record, StoreError> {
    let (body, hash) = texts(row)?;
    let kind: &str = row.try_get(2).map_err(store_error)?;
    chain::record(kind, body, hash).map_err(unreadable)
}

fn texts(row: &SqliteRow) -> Result<(&str, &str), StoreError> {
    Ok((row.try_get(0).map_err(store_error)?, row.try_get(1).map_err(store_error)?))
}

fn unreadable(error: serde_json::Error) -> StoreError {
    StoreError::Failed(format!("a record cannot be read: {error}"))
}

pub(crate) fn number(row: &SqliteRow, at: usize) -> Result<u64, StoreError> {
    let value: i64 = row.try_get(at).map_err(store_error)?;
    u64::try_from(value).map_err(|_| StoreError::Failed("a position is negative".to_owned()))
}

fn stored(row: &SqliteRow) -> Result<Row, sqlx::Error> {
    let seq: i64 = row.try_get(0)?;
    Ok(Row {
        // A negative position never fits the chain.
        seq: u64::try_from(seq).unwrap_or(u64::MAX),
        kind: row.try_get(1)?,
        id: row.try_get(2)?,
        time: row.try_get(3)?,
        tenant: row.try_get(4)?,
        exchange: row.try_get(5)?,
        key: row.try_get(6)?,
        verdict: row.try_get(7)?,
        action: row.try_get(8)?,
        rules: row.try_get(9)?,
        hash: row.try_get(10)?,
        body: row.try_get(11)?,
    })
}

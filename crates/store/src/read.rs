//! Recording, and everything that only reads records.

use bartizan_core::store::StoreFuture;
use bartizan_core::{
    Act, ChainStore, Deed, Event, EventQuery, EventStore, Head, HourTally, Record, SealedContent, StoreError, Tally,
    TenantId, Verdict,
};

use crate::chain::{self, Row, Walk};
use crate::database::{Arg, Built, Cells, Connection, Database, Whose, args, number, position, store_error};
use crate::evidence::Store;
use crate::queue::Hurry;
use crate::writer::{self, Job};

/// How many records are read at once while a chain is verified.
const BATCH: i64 = 512;

/// The hash of the record at a position.
pub(crate) async fn hash_at<D: Database>(db: &D, seq: u64) -> Result<Option<String>, StoreError> {
    let row = db.row(Whose::Operator, "SELECT hash FROM events WHERE seq = ?", args![position(seq)]).await?;
    row.map(|row| row.text(0).map(str::to_owned)).transpose().map_err(store_error)
}

/// Checks every link and hands each record over once it is checked.
pub(crate) async fn walk<D: Database>(db: &D, each: &mut (dyn FnMut(Record) + Send)) -> Result<u64, StoreError> {
    let end = head(db).await?;
    let mut walk = Walk::new(end.chain_id);
    let last = end.seq.map_or(-1, position);
    let mut from = i64::MIN;
    loop {
        let rows = db
            .rows(
                Whose::Operator,
                "SELECT seq, kind, id, time, tenant, exchange, key, verdict, action, rules, hash, body FROM events
                 WHERE seq >= ? AND seq <= ? ORDER BY seq LIMIT ?",
                args![from, last, BATCH],
            )
            .await?;
        for row in &rows {
            each(walk.step(&stored(row).map_err(store_error)?)?);
        }
        if rows.len() < usize::try_from(BATCH).unwrap_or(usize::MAX) {
            return walk.end();
        }
        from = position(walk.next());
    }
}

/// Where the chain ends.
pub(crate) async fn head<D: Database>(db: &D) -> Result<Head, StoreError> {
    let row = db.row(Whose::Operator, writer::HEAD, args![]).await?;
    let row = row.ok_or_else(|| StoreError::Failed("the chain has no name".to_owned()))?;
    writer::head(&row).map_err(store_error)
}

/// The deeds of a kind that concern a tenant, oldest first, behind a position in the chain.
pub(crate) async fn deeds<D: Database>(
    db: &D,
    tenant: &TenantId,
    deed: Deed,
    after: Option<u64>,
    limit: u32,
) -> Result<Vec<Act>, StoreError> {
    let rows = db
        .rows(
            Whose::Tenant(tenant),
            "SELECT body, hash FROM events WHERE tenant = ? AND action = ? AND kind = 'act' AND seq > ?
             ORDER BY seq LIMIT ?",
            args![tenant, deed.as_str(), after.map_or(-1, position), limit],
        )
        .await?;
    rows.iter().map(act).collect()
}

impl<D: Database> Store<D> {
    /// Has a record written, with the content that it is about.
    pub(crate) async fn put(
        &self,
        record: Record,
        content: Vec<SealedContent>,
        hurry: Hurry,
    ) -> Result<(), StoreError> {
        D::takes(&record)?;
        let held = self.queue.room(content.iter().map(|c| c.body.ciphertext.len()).sum(), hurry).await?;
        self.queue.ask(hurry, move |done| Job::Record { record, content, held, done }).await
    }

    /// Decisions of a tenant, by a statement.
    async fn decisions(&self, tenant: &TenantId, sql: &'static str, args: Vec<Arg>) -> Result<Vec<Event>, StoreError> {
        self.db.rows(Whose::Tenant(tenant), sql, args).await?.iter().map(event).collect()
    }
}

impl<D: Database> EventStore for Store<D> {
    fn append(&self, event: Event) -> StoreFuture<'_, ()> {
        let hurry = Hurry::of(&event);
        Box::pin(self.put(Record::Decision(Box::new(event)), Vec::new(), hurry))
    }

    fn act(&self, act: Act) -> StoreFuture<'_, ()> {
        Box::pin(self.put(Record::Act(Box::new(act)), Vec::new(), Hurry::Now))
    }

    fn recent<'a>(&'a self, tenant: &'a TenantId, limit: u32) -> StoreFuture<'a, Vec<Event>> {
        Box::pin(self.decisions(
            tenant,
            "SELECT body, hash FROM events WHERE tenant = ? AND kind = 'decision' ORDER BY seq DESC LIMIT ?",
            args![tenant, limit],
        ))
    }

    fn get<'a>(&'a self, tenant: &'a TenantId, id: &'a str) -> StoreFuture<'a, Option<Event>> {
        Box::pin(async move {
            let found = self.decisions(
                tenant,
                "SELECT body, hash FROM events WHERE id = ? AND tenant = ? AND kind = 'decision' ORDER BY seq LIMIT 1",
                args![id, tenant],
            );
            Ok(found.await?.pop())
        })
    }

    fn query<'a>(&'a self, tenant: &'a TenantId, query: &'a EventQuery) -> StoreFuture<'a, Vec<Event>> {
        Box::pin(async move {
            let Built { sql, args } = statement(tenant, query, D::Connection::FIND);
            self.db.rows(Whose::Tenant(tenant), sql, args).await?.iter().map(event).collect()
        })
    }

    fn tally<'a>(&'a self, tenant: &'a TenantId, since: &'a str) -> StoreFuture<'a, Tally> {
        Box::pin(async move {
            let floor = self.head().await?.next().saturating_sub(Tally::MOST);
            let of_time = |columns: &str, group: &str| {
                let sql = format!(
                    "SELECT {columns}, COUNT(*) FROM events WHERE tenant = ? AND kind = 'decision' AND seq >= ?
                     AND time >= ? GROUP BY {group} ORDER BY 1"
                );
                self.db.rows(Whose::Tenant(tenant), sql, args![tenant, position(floor), since])
            };
            let mut tally = Tally::default();
            for row in of_time("substr(time, 1, 13), verdict", "1, 2").await? {
                let word = row.text(1).map_err(store_error)?;
                let verdict = serde_json::from_value::<Verdict>(word.into())
                    .map_err(|_| StoreError::Failed(format!("`{word}` is no verdict")))?;
                let hour = row.text(0).map_err(store_error)?.to_owned();
                tally.hours.push(HourTally { hour, verdict, decisions: number(&row, 2)? });
            }
            // One row for each set of rules that fired together: far fewer than decisions.
            for row in of_time("rules", "1").await? {
                let (rules, decisions) = (row.text(0).map_err(store_error)?, number(&row, 1)?);
                for rule in rules.split_whitespace() {
                    *tally.rules.entry(rule.to_owned()).or_default() += decisions;
                }
            }
            let before = "SELECT time FROM events WHERE seq < ? ORDER BY seq DESC LIMIT 1";
            if let Some(row) = self.db.row(Whose::Operator, before, args![position(floor)]).await? {
                tally.cut = row.text(0).map_err(store_error)? >= since;
            }
            Ok(tally)
        })
    }

    fn exchange<'a>(&'a self, tenant: &'a TenantId, id: &'a str) -> StoreFuture<'a, Vec<Event>> {
        // The empty id of records without one names no exchange; the index leaves it out.
        Box::pin(self.decisions(
            tenant,
            "SELECT body, hash FROM events WHERE exchange = ? AND exchange <> '' AND tenant = ?
             AND kind = 'decision' ORDER BY seq",
            args![id, tenant],
        ))
    }

    fn acts<'a>(&'a self, tenant: &'a TenantId, limit: u32) -> StoreFuture<'a, Vec<Act>> {
        Box::pin(async move {
            let sql = "SELECT body, hash FROM events WHERE tenant = ? AND kind = 'act' ORDER BY seq DESC LIMIT ?";
            self.db.rows(Whose::Tenant(tenant), sql, args![tenant, limit]).await?.iter().map(act).collect()
        })
    }

    fn after(&self, seq: Option<u64>, limit: u32) -> StoreFuture<'_, Vec<Record>> {
        Box::pin(async move {
            let sql = "SELECT body, hash, kind FROM events WHERE seq > ? ORDER BY seq LIMIT ?";
            let rows = self.db.rows(Whose::Operator, sql, args![seq.map_or(-1, position), limit]).await?;
            rows.iter().map(record).collect()
        })
    }

    fn ready(&self) -> StoreFuture<'_, ()> {
        Box::pin(async move { self.head().await.map(drop) })
    }

    fn verify(&self) -> StoreFuture<'_, u64> {
        Box::pin(async move { walk(&self.db, &mut drop).await })
    }
}

impl<D: Database> ChainStore for Store<D> {
    fn head(&self) -> StoreFuture<'_, Head> {
        Box::pin(head(&self.db))
    }

    fn hashes(&self, from: u64, limit: u32) -> StoreFuture<'_, Vec<(u64, String)>> {
        Box::pin(async move {
            let sql = "SELECT seq, hash FROM events WHERE seq >= ? ORDER BY seq LIMIT ?";
            let rows = self.db.rows(Whose::Operator, sql, args![position(from), limit]).await?;
            rows.iter().map(|row| Ok((number(row, 0)?, row.text(1).map_err(store_error)?.to_owned()))).collect()
        })
    }

    fn first(&self) -> StoreFuture<'_, Option<u64>> {
        Box::pin(async move {
            let row = self.db.row(Whose::Operator, "SELECT seq FROM events ORDER BY seq LIMIT 1", args![]).await?;
            row.map(|row| number(&row, 0)).transpose()
        })
    }

    fn first_since<'a>(&'a self, time: &'a str) -> StoreFuture<'a, Option<u64>> {
        Box::pin(async move {
            // From the oldest on: the first that is young enough ends it, and what is old is taken away regularly.
            let sql = "SELECT seq FROM events WHERE time >= ? ORDER BY seq LIMIT 1";
            let row = self.db.row(Whose::Operator, sql, args![time]).await?;
            row.map(|row| number(&row, 0)).transpose()
        })
    }

    fn last_act(&self, deed: Deed) -> StoreFuture<'_, Option<Act>> {
        Box::pin(async move {
            let sql = "SELECT body, hash FROM events WHERE action = ? AND kind = 'act' ORDER BY seq DESC LIMIT 1";
            let row = self.db.row(Whose::Operator, sql, args![deed.as_str()]).await?;
            row.map(|row| act(&row)).transpose()
        })
    }

    fn prune(&self, before: u64, act: Act) -> StoreFuture<'_, ()> {
        Box::pin(self.queue.ask(Hurry::Now, move |done| Job::Prune { before, act, done }))
    }
}

/// The decisions of a tenant that a query asks for. Every word of the caller's is bound, none is part of the text.
fn statement(tenant: &TenantId, query: &EventQuery, find: &str) -> Built {
    let mut sql = Built::from("SELECT body, hash FROM events WHERE tenant = ");
    sql.bind(tenant);
    sql.push(" AND kind = 'decision'");
    if let Some(time) = &query.since {
        sql.push(" AND time >= ").bind(time);
    }
    if let Some(time) = &query.until {
        sql.push(" AND time < ").bind(time);
    }
    if let Some(exchange) = &query.exchange {
        sql.push(" AND exchange = ").bind(exchange);
    }
    if let Some(seq) = query.after_seq {
        sql.push(" AND seq > ").bind(position(seq));
    }
    if let Some(seq) = query.before_seq {
        sql.push(" AND seq < ").bind(position(seq));
    }
    if !query.verdicts.is_empty() {
        sql.push(" AND verdict IN (").bind_all(", ", query.verdicts.iter().map(|v| v.as_str().into())).push(")");
    }
    if !query.keys.is_empty() {
        sql.push(" AND key IN (").bind_all(", ", query.keys.iter().map(Into::into)).push(")");
    }
    for (at, rule) in query.rules.iter().enumerate() {
        // Names are separated by spaces, so a name between spaces is a whole one.
        sql.push(if at == 0 { " AND (" } else { " OR " });
        sql.push(find).push("(' ' || rules || ' ', ").bind(format!(" {rule} ")).push(") > 0");
    }
    if !query.rules.is_empty() {
        sql.push(")");
    }
    sql.push(if query.after_seq.is_some() { " ORDER BY seq" } else { " ORDER BY seq DESC" });
    let limit = if query.limit == 0 { EventQuery::LIMIT } else { query.limit };
    sql.push(" LIMIT ").bind(limit);
    sql
}

pub(crate) fn event(row: &impl Cells) -> Result<Event, StoreError> {
    let (body, hash) = texts(row)?;
    chain::event(body, hash).map_err(unreadable)
}

pub(crate) fn act(row: &impl Cells) -> Result<Act, StoreError> {
    let (body, hash) = texts(row)?;
    chain::act(body, hash).map_err(unreadable)
}

fn record(row: &impl Cells) -> Result<Record, StoreError> {
    let (body, hash) = texts(row)?;
    chain::record(row.text(2).map_err(store_error)?, body, hash).map_err(unreadable)
}

fn texts(row: &impl Cells) -> Result<(&str, &str), StoreError> {
    Ok((row.text(0).map_err(store_error)?, row.text(1).map_err(store_error)?))
}

fn unreadable(error: serde_json::Error) -> StoreError {
    StoreError::Failed(format!("a record cannot be read: {error}"))
}

fn stored(row: &impl Cells) -> Result<Row, sqlx::Error> {
    let text = |at| row.text(at).map(str::to_owned);
    Ok(Row {
        // A negative position never fits the chain.
        seq: u64::try_from(row.int(0)?).unwrap_or(u64::MAX),
        kind: text(1)?,
        id: text(2)?,
        time: text(3)?,
        tenant: text(4)?,
        exchange: text(5)?,
        key: text(6)?,
        verdict: text(7)?,
        action: text(8)?,
        rules: text(9)?,
        hash: text(10)?,
        body: text(11)?,
    })
}

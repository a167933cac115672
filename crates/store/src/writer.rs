//! The one task that writes. It commits whatever has queued up while the last commit was under way.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bartizan_core::{Act, Destroyed, Head, Record, SealedContent, StoreError, TenantId, WrappedKey};
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};

use crate::chain::{self, Row};
use crate::wal::Wal;
use crate::{sealed, sqlite};

/// Most records in one commit. One statement is one transaction, and one statement is prepared for each group size.
const GROUP: usize = 64;

/// How many bindings an event takes.
const COLUMNS: usize = 12;

/// Who waits for an answer.
pub(crate) type Done<T> = oneshot::Sender<Result<T, StoreError>>;

/// Something to write, and who waits for it.
pub(crate) enum Job {
    /// A record, with the content that it is about.
    Record { record: Record, content: Vec<SealedContent>, held: Option<OwnedSemaphorePermit>, done: Done<()> },
    /// A wrapped key.
    Key { key: WrappedKey, done: Done<WrappedKey> },
    /// The end of the records before a position.
    Prune { before: u64, act: Act, done: Done<()> },
    /// The end of a tenant's keys.
    Destroy { tenant: TenantId, before: Option<String>, act: Act, done: Done<Destroyed> },
}

/// A record on its way.
struct Waiting {
    record: Record,
    content: Vec<SealedContent>,
    /// Room that its content takes in the queue.
    _held: Option<OwnedSemaphorePermit>,
    done: Done<()>,
}

/// What is written to.
pub(crate) enum Database {
    /// A file: a connection of the writer's own, because going through a pool costs more than an insert.
    File(Box<SqliteConnection>),
    /// Memory: the one connection that there is, shared with readers.
    Memory(SqlitePool),
}

impl Database {
    async fn close(self) {
        match self {
            Self::File(mut connection) => {
                // The file is whole on its own once the log is written back. Where that fails, the next open does it.
                let _ = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut *connection).await;
                let _ = connection.close().await;
            }
            Self::Memory(pool) => pool.close().await,
        }
    }
}

/// Runs a block with a connection, whichever kind the database is.
macro_rules! with_connection {
    ($database:expr, |$connection:ident| $body:expr) => {
        match $database {
            Database::File(connection) => {
                let $connection: &mut SqliteConnection = connection;
                $body
            }
            Database::Memory(pool) => match pool.acquire().await {
                Ok(mut connection) => {
                    let $connection: &mut SqliteConnection = &mut connection;
                    $body
                }
                Err(error) => Err(error.into()),
            },
        }
    };
}

/// Why a write failed.
enum WriteError {
    /// The position was taken by another process: where the chain ends has to be read again.
    Taken,
    Store(StoreError),
}

impl From<StoreError> for WriteError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<sqlx::Error> for WriteError {
    fn from(error: sqlx::Error) -> Self {
        if sqlite::is_taken(&error) { Self::Taken } else { Self::Store(sqlite::store_error(error)) }
    }
}

impl From<WriteError> for StoreError {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Taken => Self::Failed("another process took the position of the record".to_owned()),
            WriteError::Store(error) => error,
        }
    }
}

/// Writes until every sender is gone, then closes the database and lets go of the lock.
pub(crate) struct Writer {
    pub(crate) database: Database,
    pub(crate) head: Head,
    pub(crate) jobs: mpsc::Receiver<Job>,
    pub(crate) wal: Option<Arc<Wal>>,
    /// Held as long as this task may write.
    pub(crate) lock: Option<File>,
}

impl Writer {
    pub(crate) async fn run(mut self) {
        let sync = self.wal.clone().map(|wal| tokio::spawn(wal.keep_synced()));
        let mut group = Vec::with_capacity(GROUP);
        while self.jobs.recv_many(&mut group, GROUP).await > 0 {
            // Whoever is ready to run may be about to record something too: one commit for all costs little more
            // than one for the first.
            tokio::task::yield_now().await;
            while group.len() < GROUP
                && let Ok(job) = self.jobs.try_recv()
            {
                group.push(job);
            }
            self.work(&mut group).await;
        }
        if let Some(sync) = sync {
            sync.abort();
        }
        self.database.close().await;
        drop(self.lock.take());
    }

    /// Does the jobs in their order, neighbouring records in one commit.
    async fn work(&mut self, group: &mut Vec<Job>) {
        let mut records = Vec::with_capacity(group.len());
        for job in group.drain(..) {
            match job {
                Job::Record { record, content, held, done } => {
                    records.push(Waiting { record, content, _held: held, done });
                }
                Job::Key { key, done } => {
                    self.commit(&mut records).await;
                    drop(done.send(self.put_key(key).await));
                }
                Job::Prune { before, act, done } => {
                    self.commit(&mut records).await;
                    drop(done.send(self.prune(before, act).await));
                }
                Job::Destroy { tenant, before, act, done } => {
                    self.commit(&mut records).await;
                    drop(done.send(self.destroy(&tenant, before.as_deref(), act).await));
                }
            }
        }
        self.commit(&mut records).await;
    }

    async fn commit(&mut self, waiting: &mut Vec<Waiting>) {
        if waiting.is_empty() {
            return;
        }
        let mut written = self.ready().map_err(WriteError::from);
        if written.is_ok() {
            written = self.append(waiting, false).await;
            if matches!(written, Err(WriteError::Taken)) {
                written = self.append(waiting, true).await;
            }
        }
        let written = written.map_err(StoreError::from);
        self.written(written.is_ok());
        if written.is_err() {
            self.look_again().await;
        }
        for Waiting { done, .. } in waiting.drain(..) {
            drop(done.send(written.as_ref().copied().map_err(copy)));
        }
    }

    /// Appends records behind the head that is known or, with `again`, behind the one that is read in the same
    /// transaction, in which no other process can write.
    async fn append(&mut self, waiting: &mut [Waiting], again: bool) -> Result<(), WriteError> {
        let mut head = self.head.clone();
        let plain = !again && waiting.iter().all(|w| w.content.is_empty());
        let done: Result<(), WriteError> = with_connection!(&mut self.database, |connection| {
            if plain {
                insert_all(connection, waiting, &mut head).await
            } else {
                append(connection, waiting, &mut head, again).await
            }
        });
        done?;
        self.head = head;
        Ok(())
    }

    async fn prune(&mut self, before: u64, act: Act) -> Result<(), StoreError> {
        self.ready()?;
        let head = with_connection!(&mut self.database, |connection| prune(connection, before, act).await);
        self.settle(head.map(|head| (head, ())))
    }

    async fn destroy(&mut self, tenant: &TenantId, before: Option<&str>, act: Act) -> Result<Destroyed, StoreError> {
        self.ready()?;
        let done = with_connection!(&mut self.database, |connection| destroy(connection, tenant, before, act).await);
        self.settle(done)
    }

    async fn put_key(&mut self, key: WrappedKey) -> Result<WrappedKey, StoreError> {
        self.ready()?;
        let kept: Result<WrappedKey, WriteError> = with_connection!(&mut self.database, |connection| {
            sealed::put_key(connection, key).await.map_err(WriteError::from)
        });
        self.written(kept.is_ok());
        kept.map_err(StoreError::from)
    }

    fn settle<T>(&mut self, done: Result<(Head, T), WriteError>) -> Result<T, StoreError> {
        let (head, value) = done.map_err(StoreError::from)?;
        self.head = head;
        self.written(true);
        Ok(value)
    }

    /// # Errors
    /// The disk refused to sync once.
    fn ready(&self) -> Result<(), StoreError> {
        match &self.wal {
            Some(wal) if wal.failed.load(Ordering::Acquire) => {
                Err(StoreError::Failed("the disk refused to sync".to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn written(&self, ok: bool) {
        if ok && let Some(wal) = &self.wal {
            wal.dirty.notify_one();
        }
    }

    /// A commit may have failed after it was made. What is on the disk decides where the chain goes on.
    async fn look_again(&mut self) {
        let head: Result<Head, sqlx::Error> =
            with_connection!(&mut self.database, |connection| sqlite::read_head(connection).await);
        if let Ok(head) = head {
            self.head = head;
        }
    }
}

async fn insert_all(
    connection: &mut SqliteConnection,
    waiting: &mut [Waiting],
    head: &mut Head,
) -> Result<(), WriteError> {
    let rows = link(waiting, head)?;
    Ok(insert(connection, rows).await?)
}

async fn append(
    connection: &mut SqliteConnection,
    waiting: &mut [Waiting],
    head: &mut Head,
    again: bool,
) -> Result<(), WriteError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    if again {
        *head = sqlite::read_head(&mut *transaction).await?;
    }
    insert_all(&mut transaction, waiting, head).await?;
    for content in waiting.iter().flat_map(|w| &w.content) {
        sealed::insert(&mut transaction, content).await?;
    }
    Ok(transaction.commit().await?)
}

async fn prune(connection: &mut SqliteConnection, before: u64, act: Act) -> Result<Head, WriteError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let mut head = sqlite::read_head(&mut *transaction).await?;
    if before > head.next() {
        let reason = "there are fewer records than are to be pruned".to_owned();
        return Err(StoreError::Failed(reason).into());
    }
    let row = chain::link(&mut Record::Act(Box::new(act)), &mut head)?;
    sealed::delete_before(&mut transaction, before).await?;
    sqlx::query("DELETE FROM events WHERE seq < ?").bind(sqlite::position(before)).execute(&mut *transaction).await?;
    insert(&mut transaction, vec![row]).await?;
    transaction.commit().await?;
    Ok(head)
}

async fn destroy(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    before: Option<&str>,
    act: Act,
) -> Result<(Head, Destroyed), WriteError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let destroyed = sealed::destroy(&mut transaction, tenant, before, &act.time).await?;
    let act = act.with("keys", destroyed.keys).with("contents", destroyed.contents);
    let mut head = sqlite::read_head(&mut *transaction).await?;
    let row = chain::link(&mut Record::Act(Box::new(act)), &mut head)?;
    insert(&mut transaction, vec![row]).await?;
    transaction.commit().await?;
    // Until then the keys are still in the log. Where a reader holds it open, a later checkpoint does it.
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut *connection).await?;
    Ok((head, destroyed))
}

fn link(waiting: &mut [Waiting], head: &mut Head) -> Result<Vec<Row>, StoreError> {
    waiting.iter_mut().map(|w| chain::link(&mut w.record, head)).collect()
}

async fn insert(connection: &mut SqliteConnection, rows: Vec<Row>) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut sql = String::with_capacity(128 + rows.len() * (2 * COLUMNS + 2));
    sql.push_str(
        "INSERT INTO events (seq, kind, id, time, tenant, exchange, key, verdict, action, rules, hash, body) VALUES ",
    );
    for at in 0..rows.len() {
        sql.push_str(if at == 0 { "(?,?,?,?,?,?,?,?,?,?,?,?)" } else { ",(?,?,?,?,?,?,?,?,?,?,?,?)" });
    }
    // The text holds nothing but question marks.
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for row in rows {
        query = query
            .bind(sqlite::position(row.seq))
            .bind(row.kind)
            .bind(row.id)
            .bind(row.time)
            .bind(row.tenant)
            .bind(row.exchange)
            .bind(row.key)
            .bind(row.verdict)
            .bind(row.action)
            .bind(row.rules)
            .bind(row.hash)
            .bind(row.body);
    }
    query.execute(connection).await.map(drop)
}

fn copy(error: &StoreError) -> StoreError {
    match error {
        StoreError::Full(why) => StoreError::Full(why.clone()),
        StoreError::Failed(why) => StoreError::Failed(why.clone()),
        StoreError::Broken { seq, reason } => StoreError::Broken { seq: *seq, reason: reason.clone() },
    }
}

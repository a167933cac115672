//! The writer of a SQLite file.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bartizan_core::{Act, Destroyed, Head, StoreError, TenantId, WrappedKey};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection as _, SqlitePool};
use tokio::task::JoinHandle;

use crate::database::store_error;
use crate::wal::Wal;
use crate::writer::{self, Disk, Done, Waiting, insert, insert_with_content, link, read_head};
use crate::{sealed, sqlite};

/// What is written to.
pub(crate) enum Target {
    /// A file: a connection of the writer's own, because going through a pool costs more than an insert.
    File(Box<SqliteConnection>),
    /// Memory: the one connection that there is, shared with readers.
    Memory(SqlitePool),
}

impl Target {
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

/// Runs a block with a connection, whichever kind the target is.
macro_rules! with_connection {
    ($target:expr, |$connection:ident| $body:expr) => {
        match $target {
            Target::File(connection) => {
                let $connection: &mut SqliteConnection = connection;
                $body
            }
            Target::Memory(pool) => match pool.acquire().await {
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
        if sqlite::is_taken(&error) { Self::Taken } else { Self::Store(store_error(error)) }
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

/// A SQLite database, and where its chain ends.
pub(crate) struct FileDisk {
    target: Target,
    head: Head,
    wal: Option<(Arc<Wal>, JoinHandle<()>)>,
    /// Held as long as this may write.
    lock: Option<File>,
}

impl FileDisk {
    pub(crate) fn new(target: Target, head: Head, wal: Option<Arc<Wal>>, lock: Option<File>) -> Self {
        let wal = wal.map(|wal| (Arc::clone(&wal), tokio::spawn(wal.keep_synced())));
        Self { target, head, wal, lock }
    }

    /// Appends records behind the head that is known or, with `again`, behind the one that is read in the same
    /// transaction, in which no other process can write.
    async fn try_append(&mut self, waiting: &mut [Waiting], again: bool) -> Result<(), WriteError> {
        let mut head = self.head.clone();
        let plain = !again && waiting.iter().all(|w| w.content.is_empty());
        let done: Result<(), WriteError> = with_connection!(&mut self.target, |connection| {
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

    async fn try_prune(&mut self, before: u64, act: Act) -> Result<(), StoreError> {
        self.ready()?;
        let head = with_connection!(&mut self.target, |connection| prune(connection, before, act).await);
        self.settle(head.map(|head| (head, ())))
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
            Some((wal, _)) if wal.failed.load(Ordering::Acquire) => {
                Err(StoreError::Failed("the disk refused to sync".to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn written(&self, ok: bool) {
        if ok && let Some((wal, _)) = &self.wal {
            wal.dirty.notify_one();
        }
    }

    /// A commit may have failed after it was made. What is on the disk decides where the chain goes on.
    async fn look_again(&mut self) {
        let head: Result<Head, sqlx::Error> =
            with_connection!(&mut self.target, |connection| read_head(connection).await);
        if let Ok(head) = head {
            self.head = head;
        }
    }
}

impl Disk for FileDisk {
    async fn append(&mut self, waiting: &mut [Waiting]) -> Result<(), StoreError> {
        let mut written = self.ready().map_err(WriteError::from);
        if written.is_ok() {
            written = self.try_append(waiting, false).await;
            if matches!(written, Err(WriteError::Taken)) {
                written = self.try_append(waiting, true).await;
            }
        }
        let written = written.map_err(StoreError::from);
        self.written(written.is_ok());
        if written.is_err() {
            self.look_again().await;
        }
        written
    }

    async fn prune(&mut self, before: u64, act: Act, done: Done<()>) {
        drop(done.send(self.try_prune(before, act).await));
    }

    async fn destroy(&mut self, tenant: &TenantId, before: Option<&str>, act: Act) -> Result<Destroyed, StoreError> {
        self.ready()?;
        let done = with_connection!(&mut self.target, |connection| destroy(connection, tenant, before, act).await);
        self.settle(done)
    }

    async fn put_key(&mut self, key: WrappedKey) -> Result<WrappedKey, StoreError> {
        self.ready()?;
        let kept: Result<WrappedKey, WriteError> = with_connection!(&mut self.target, |connection| {
            sealed::put_key(connection, key).await.map_err(WriteError::from)
        });
        self.written(kept.is_ok());
        kept.map_err(StoreError::from)
    }

    async fn close(self) {
        if let Some((_, sync)) = self.wal {
            sync.abort();
        }
        self.target.close().await;
        drop(self.lock);
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
        *head = read_head(&mut *transaction).await?;
    }
    let rows = link(waiting, head)?;
    insert_with_content(&mut *transaction, rows, waiting).await?;
    Ok(transaction.commit().await?)
}

async fn prune(connection: &mut SqliteConnection, before: u64, act: Act) -> Result<Head, WriteError> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    let head = writer::prune(&mut *transaction, before, act, None).await??;
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
    let done = writer::destroy(&mut *transaction, tenant, before, act).await??;
    transaction.commit().await?;
    // Until then the keys are still in the log. Where a reader holds it open, a later checkpoint does it.
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut *connection).await?;
    Ok(done)
}

//! The one task that writes. It commits whatever has queued up while the last commit was under way.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bartizan_core::{Event, StoreError};
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection as _, SqlitePool};
use tokio::sync::{Notify, mpsc, oneshot};

use crate::chain::{self, Head, Row};
use crate::sqlite;

/// How often the write-ahead log is brought to the disk unless [`Options::sync`](crate::Options::sync) is set.
pub const SYNC_EVERY: Duration = Duration::from_millis(50);

/// Most records in one commit. One statement is one transaction, and one statement is prepared for each group size.
const GROUP: usize = 64;

/// An event on its way, and who waits for it.
pub(crate) struct Job {
    pub(crate) event: Event,
    pub(crate) done: oneshot::Sender<Result<(), StoreError>>,
}

/// What is written to.
pub(crate) enum Database {
    /// A file: a connection of the writer's own, because going through a pool costs more than an insert.
    File(Box<SqliteConnection>),
    /// Memory: the one connection that there is, shared with readers.
    Memory(SqlitePool),
}

impl Database {
    async fn insert(&mut self, rows: Vec<Row>) -> Result<(), sqlx::Error> {
        match self {
            Self::File(connection) => insert(connection, rows).await,
            Self::Memory(pool) => insert(&mut *pool.acquire().await?, rows).await,
        }
    }

    async fn head(&mut self) -> Result<Head, sqlx::Error> {
        match self {
            Self::File(connection) => sqlite::read_head(&mut **connection).await,
            Self::Memory(pool) => sqlite::read_head(&*pool).await,
        }
    }

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
            self.commit(&mut group).await;
        }
        if let Some(sync) = sync {
            sync.abort();
        }
        self.database.close().await;
        drop(self.lock.take());
    }

    async fn commit(&mut self, group: &mut Vec<Job>) {
        let mut head = self.head.clone();
        let mut rows = Vec::with_capacity(group.len());
        let mut waiting = Vec::with_capacity(group.len());
        for job in group.drain(..) {
            match chain::link(job.event, &mut head) {
                Ok(row) => {
                    rows.push(row);
                    waiting.push(job.done);
                }
                // The head has not moved: the others are not concerned.
                Err(e) => drop(job.done.send(Err(e))),
            }
        }
        let written = match &self.wal {
            Some(wal) if wal.failed.load(Ordering::Acquire) => {
                Err(StoreError::Failed("the disk refused to sync".to_owned()))
            }
            _ => self.database.insert(rows).await.map_err(sqlite::store_error),
        };
        match written {
            Ok(()) => {
                self.head = head;
                if let Some(wal) = &self.wal {
                    wal.dirty.notify_one();
                }
                for done in waiting {
                    drop(done.send(Ok(())));
                }
            }
            Err(error) => {
                for done in waiting {
                    drop(done.send(Err(copy(&error))));
                }
                // A commit may have failed after it was made. What is on the disk decides where the chain goes on.
                if let Ok(head) = self.database.head().await {
                    self.head = head;
                }
            }
        }
    }
}

async fn insert(connection: &mut SqliteConnection, rows: Vec<Row>) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut sql = String::with_capacity(96 + rows.len() * 20);
    sql.push_str("INSERT INTO events (seq, id, time, tenant, verdict, action, rules, hash, body) VALUES ");
    for at in 0..rows.len() {
        sql.push_str(if at == 0 { "(?,?,?,?,?,?,?,?,?)" } else { ",(?,?,?,?,?,?,?,?,?)" });
    }
    // The text holds nothing but question marks.
    let mut query = sqlx::query(AssertSqlSafe(sql));
    for row in rows {
        query = query
            .bind(i64::try_from(row.seq).unwrap_or(i64::MAX))
            .bind(row.id)
            .bind(row.time)
            .bind(row.tenant)
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

/// Brings the write-ahead log to the disk in the background, so that a power loss costs little and a commit waits
/// for nothing.
pub(crate) struct Wal {
    path: PathBuf,
    dirty: Notify,
    /// Set for good when the disk refuses: what was not synced once may never be.
    failed: AtomicBool,
}

impl Wal {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, dirty: Notify::new(), failed: AtomicBool::new(false) }
    }

    async fn keep_synced(self: Arc<Self>) {
        let mut log = None;
        loop {
            self.dirty.notified().await;
            tokio::time::sleep(SYNC_EVERY).await;
            let path = self.path.clone();
            // The log is one file as long as the writer's connection is open.
            let synced = tokio::task::spawn_blocking(move || {
                let file = match log.take() {
                    Some(file) => file,
                    None => open_log(&path)?,
                };
                file.sync_data().map(|()| file)
            })
            .await;
            match synced {
                Ok(Ok(file)) => log = Some(file),
                _ => return self.failed.store(true, Ordering::Release),
            }
        }
    }
}

/// Opens the log for syncing. Its name is brought to the disk as well: a synced file without a name is lost.
fn open_log(path: &Path) -> std::io::Result<File> {
    let file = File::open(path)?;
    if let Some(folder) = path.parent() {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        // Folders cannot be opened everywhere; where they cannot, there is nothing to sync either.
        if let Ok(folder) = File::open(folder) {
            folder.sync_all()?;
        }
    }
    Ok(file)
}

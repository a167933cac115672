//! Opening a store, and everything that only reads it.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bartizan_core::store::StoreFuture;
use bartizan_core::{Event, EventStore, StoreError, TenantId};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteExecutor, SqliteJournalMode, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use sqlx::{Connection as _, Row as _, SqlitePool};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::chain::{self, GENESIS, Head, Stored};
use crate::writer::{Database, Job, Wal, Writer};

/// Marks the file as ours (`PRAGMA application_id`): "BzEv".
const APPLICATION_ID: i64 = 0x427a_4576;

/// Every step of the schema, oldest first. A published step never changes.
const MIGRATIONS: &[&str] = &[include_str!("../migrations/0001_events.sql")];

/// How many records are read at once while a chain is verified.
const BATCH: i64 = 512;

/// Why a store could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another part of this one, writes to it.
    #[error("the evidence store `{}` is in use: only one process may write to it", path.display())]
    InUse {
        /// The database file.
        path: PathBuf,
    },
    /// The lock beside it could not be made.
    #[error("cannot lock the evidence store `{}`: {source}", path.display())]
    Lock {
        /// The database file.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// A database of some other program.
    #[error("`{}` is a database of another program, not an evidence store", path.display())]
    Foreign {
        /// The database file.
        path: PathBuf,
    },
    /// Written by a later version of this program.
    #[error("the evidence store `{}` was written by a newer version (schema {found}, known {known})", path.display())]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Schema of the file.
        found: i64,
        /// Latest schema known here.
        known: usize,
    },
    /// SQLite could not open it: not there, not a database, not writable.
    #[error("cannot open the evidence store `{}`: {reason}", path.display())]
    Database {
        /// The database file.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
}

/// Choices of a store.
#[derive(Clone, Debug)]
pub struct Options {
    /// Acknowledge only what is on the disk: nothing is missing even after a power loss, and every group of appends
    /// waits for an `fsync`.
    pub sync: bool,
    /// Most events that may wait to be written. Beyond it [`StoreError::Full`] is answered at once.
    pub queue: usize,
    /// Largest size of the database in bytes, rounded down to whole pages of 4096. Beyond it [`StoreError::Full`]
    /// is answered.
    pub max_bytes: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self { sync: false, queue: 4096, max_bytes: None }
    }
}

/// Evidence in a SQLite file. Cheap to share behind an `Arc`.
#[derive(Debug)]
pub struct SqliteStore {
    readers: SqlitePool,
    /// `None` where it was opened for reading only.
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
}

impl SqliteStore {
    /// Opens a store for writing with the default [`Options`], making it where it is not there. Needs a tokio
    /// runtime.
    ///
    /// # Errors
    /// [`OpenError`]: in use, not ours, not writable.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        Self::open_with(path, &Options::default()).await
    }

    /// The same with other options.
    ///
    /// # Errors
    /// [`OpenError`]: in use, not ours, not writable.
    pub async fn open_with(path: &Path, options: &Options) -> Result<Self, OpenError> {
        let lock = lock(path)?;
        let failed = |e: sqlx::Error| OpenError::Database { path: path.to_owned(), reason: plain(&e) };
        let synchronous = if options.sync { SqliteSynchronous::Full } else { SqliteSynchronous::Normal };
        let connect = base(path).create_if_missing(true).journal_mode(SqliteJournalMode::Wal).synchronous(synchronous);
        let mut connection = SqliteConnection::connect_with(&connect).await.map_err(failed)?;
        migrate(&mut connection, path).await?;
        limit(&mut connection, options.max_bytes).await.map_err(failed)?;
        let database = Database::File(Box::new(connection));
        let readers = pool_of_readers(path).await.map_err(failed)?;
        let wal = (!options.sync).then(|| Arc::new(Wal::new(beside(path, "-wal"))));
        Self::start(database, readers, options.queue, wal, Some(lock)).await.map_err(failed)
    }

    /// Opens a store that is gone with the process.
    ///
    /// # Errors
    /// [`OpenError::Database`] where SQLite cannot allocate it.
    pub async fn open_in_memory() -> Result<Self, OpenError> {
        Self::open_in_memory_with(&Options::default()).await
    }

    pub(crate) async fn open_in_memory_with(options: &Options) -> Result<Self, OpenError> {
        let path = Path::new(":memory:");
        let failed = |e: sqlx::Error| OpenError::Database { path: path.to_owned(), reason: plain(&e) };
        // One connection, never given up: the database is in it.
        let connect = SqliteConnectOptions::new().in_memory(true);
        let pool = pool(1).min_connections(1).connect_with(connect).await.map_err(failed)?;
        {
            let mut connection = pool.acquire().await.map_err(failed)?;
            migrate(&mut connection, path).await?;
            limit(&mut connection, options.max_bytes).await.map_err(failed)?;
        }
        Self::start(Database::Memory(pool.clone()), pool, options.queue, None, None).await.map_err(failed)
    }

    /// Opens a store that is there for reading, also while another process writes to it. Appending fails.
    ///
    /// # Errors
    /// [`OpenError`]: not there, not ours, too new.
    pub async fn open_read_only(path: &Path) -> Result<Self, OpenError> {
        let failed = |e: sqlx::Error| OpenError::Database { path: path.to_owned(), reason: plain(&e) };
        let readers = pool_of_readers(path).await.map_err(failed)?;
        let mut connection = readers.acquire().await.map_err(failed)?;
        let version = schema(&mut connection, path).await?;
        drop(connection);
        if version == 0 {
            return Err(OpenError::Foreign { path: path.to_owned() });
        }
        Ok(Self { readers, jobs: None, writer: None })
    }

    async fn start(
        database: Database,
        readers: SqlitePool,
        queue: usize,
        wal: Option<Arc<Wal>>,
        lock: Option<File>,
    ) -> Result<Self, sqlx::Error> {
        let head = read_head(&readers).await?;
        let (jobs, receiver) = mpsc::channel(queue.max(1));
        let writer = tokio::spawn(Writer { database, head, jobs: receiver, wal, lock }.run());
        Ok(Self { readers, jobs: Some(jobs), writer: Some(writer) })
    }

    /// The end of the chain. Kept elsewhere, it shows later whether records were cut off.
    ///
    /// # Errors
    /// [`StoreError::Failed`] where the database cannot be read.
    pub async fn head(&self) -> Result<Head, StoreError> {
        read_head(&self.readers).await.map_err(store_error)
    }

    /// The record at a position, for comparing with an earlier [`Self::head`].
    ///
    /// # Errors
    /// [`StoreError::Failed`] where the database cannot be read.
    pub async fn hash_at(&self, seq: u64) -> Result<Option<String>, StoreError> {
        sqlx::query("SELECT hash FROM events WHERE seq = ?")
            .bind(position(seq))
            .fetch_optional(&self.readers)
            .await
            .and_then(|row| row.map(|row| row.try_get(0)).transpose())
            .map_err(store_error)
    }

    /// Waits until everything queued is written, writes the log back into the database, and lets go of the lock.
    /// Dropping the store does the same in the background.
    pub async fn close(mut self) {
        drop(self.jobs.take());
        self.readers.close().await;
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has nothing left to wait for.
            let _ = writer.await;
        }
    }

    async fn verify_chain(&self) -> Result<u64, StoreError> {
        let end = self.head().await?;
        let mut head = Head { seq: None, hash: GENESIS.to_owned(), ..end.clone() };
        let last = end.seq.map_or(-1, position);
        let mut from = i64::MIN;
        loop {
            let rows = sqlx::query(
                "SELECT seq, id, time, tenant, verdict, action, rules, hash, body FROM events
                 WHERE seq >= ? AND seq <= ? ORDER BY seq LIMIT ?",
            )
            .bind(from)
            .bind(last)
            .bind(BATCH)
            .fetch_all(&self.readers)
            .await
            .map_err(store_error)?;
            for row in &rows {
                chain::check(&stored(row).map_err(store_error)?, &mut head)?;
            }
            if rows.len() < usize::try_from(BATCH).unwrap_or(usize::MAX) {
                return Ok(head.next());
            }
            from = position(head.next());
        }
    }
}

impl EventStore for SqliteStore {
    fn append(&self, event: Event) -> StoreFuture<'_, ()> {
        Box::pin(async move {
            let Some(jobs) = &self.jobs else {
                return Err(StoreError::Failed("it was opened for reading only".to_owned()));
            };
            let (done, answer) = oneshot::channel();
            jobs.try_send(Job { event, done }).map_err(|e| match e {
                mpsc::error::TrySendError::Full(_) => StoreError::Full("too many records wait".to_owned()),
                mpsc::error::TrySendError::Closed(_) => gone(),
            })?;
            answer.await.map_err(|_| gone())?
        })
    }

    fn recent<'a>(&'a self, tenant: &'a TenantId, limit: u32) -> StoreFuture<'a, Vec<Event>> {
        Box::pin(async move {
            let rows = sqlx::query("SELECT body, hash FROM events WHERE tenant = ? ORDER BY seq DESC LIMIT ?")
                .bind(tenant.as_str())
                .bind(i64::from(limit))
                .fetch_all(&self.readers)
                .await
                .map_err(store_error)?;
            rows.iter().map(event).collect()
        })
    }

    fn get<'a>(&'a self, tenant: &'a TenantId, id: &'a str) -> StoreFuture<'a, Option<Event>> {
        Box::pin(async move {
            let row = sqlx::query("SELECT body, hash FROM events WHERE id = ? AND tenant = ? ORDER BY seq LIMIT 1")
                .bind(id)
                .bind(tenant.as_str())
                .fetch_optional(&self.readers)
                .await
                .map_err(store_error)?;
            row.as_ref().map(event).transpose()
        })
    }

    fn ready(&self) -> StoreFuture<'_, ()> {
        Box::pin(async move { self.head().await.map(drop) })
    }

    fn verify(&self) -> StoreFuture<'_, u64> {
        Box::pin(self.verify_chain())
    }
}

fn gone() -> StoreError {
    StoreError::Failed("its writer has stopped".to_owned())
}

/// Where the chain ends, by what is stored.
pub(crate) async fn read_head(database: impl SqliteExecutor<'_>) -> Result<Head, sqlx::Error> {
    let row = sqlx::query(
        "SELECT chain.id, last.seq, last.hash FROM chain
         LEFT JOIN (SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1) AS last LIMIT 1",
    )
    .fetch_one(database)
    .await?;
    let seq: Option<i64> = row.try_get(1)?;
    let hash: Option<String> = row.try_get(2)?;
    Ok(Head {
        chain_id: row.try_get(0)?,
        seq: seq.and_then(|seq| u64::try_from(seq).ok()),
        hash: hash.unwrap_or_else(|| GENESIS.to_owned()),
    })
}

fn event(row: &SqliteRow) -> Result<Event, StoreError> {
    let body: &str = row.try_get(0).map_err(store_error)?;
    let hash: &str = row.try_get(1).map_err(store_error)?;
    chain::event(body, hash).map_err(|e| StoreError::Failed(format!("a record cannot be read: {e}")))
}

fn stored(row: &SqliteRow) -> Result<Stored, sqlx::Error> {
    let seq: i64 = row.try_get(0)?;
    Ok(Stored {
        // A negative position never fits the chain.
        seq: u64::try_from(seq).unwrap_or(u64::MAX),
        id: row.try_get(1)?,
        time: row.try_get(2)?,
        tenant: row.try_get(3)?,
        verdict: row.try_get(4)?,
        action: row.try_get(5)?,
        rules: row.try_get(6)?,
        hash: row.try_get(7)?,
        body: row.try_get(8)?,
    })
}

fn position(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}

/// Sorts what SQLite says into what a caller can act on.
pub(crate) fn store_error(error: sqlx::Error) -> StoreError {
    // The low byte of an extended result code is the primary code; 13 is SQLITE_FULL.
    let full = error
        .as_database_error()
        .and_then(|e| e.code())
        .and_then(|code| code.parse::<u32>().ok())
        .is_some_and(|code| code & 0xff == 13);
    if full {
        StoreError::Full("the disk or the configured size is used up".to_owned())
    } else {
        StoreError::Failed(plain(&error))
    }
}

fn plain(error: &sqlx::Error) -> String {
    match error.as_database_error() {
        Some(e) => e.message().to_owned(),
        None => error.to_string(),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The lock is a file of its own: SQLite's locks on the database are for its own use and let writers alternate.
fn lock(path: &Path) -> Result<File, OpenError> {
    let failed = |source| OpenError::Lock { path: path.to_owned(), source };
    // One file has one lock, by whatever link it was named.
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let file = File::options().create(true).truncate(false).write(true).open(beside(&real, ".lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn base(path: &Path) -> SqliteConnectOptions {
    // Writing the log back less often than every 4 MB: each time waits for the disk.
    SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(5)).pragma("wal_autocheckpoint", "4096")
}

/// Connections stay open: there are few, and the last one that closes takes the log away.
fn pool(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
}

async fn pool_of_readers(path: &Path) -> Result<SqlitePool, sqlx::Error> {
    pool(2).connect_with(base(path).read_only(true)).await
}

async fn number(connection: &mut SqliteConnection, pragma: &'static str) -> Result<i64, sqlx::Error> {
    sqlx::query(pragma).fetch_one(connection).await?.try_get(0)
}

/// The schema version of the file; 0 for an empty one.
async fn schema(connection: &mut SqliteConnection, path: &Path) -> Result<i64, OpenError> {
    let failed = |e: sqlx::Error| OpenError::Database { path: path.to_owned(), reason: plain(&e) };
    let version = number(connection, "PRAGMA user_version").await.map_err(failed)?;
    let owner = number(connection, "PRAGMA application_id").await.map_err(failed)?;
    let tables = number(connection, "SELECT count(*) FROM sqlite_schema").await.map_err(failed)?;
    if owner != APPLICATION_ID && (owner != 0 || version != 0 || tables != 0) {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    if usize::try_from(version).is_ok_and(|v| v > MIGRATIONS.len()) {
        return Err(OpenError::Newer { path: path.to_owned(), found: version, known: MIGRATIONS.len() });
    }
    Ok(version)
}

async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let failed = |e: sqlx::Error| OpenError::Database { path: path.to_owned(), reason: plain(&e) };
    let version = schema(connection, path).await?;
    let done = usize::try_from(version).unwrap_or(0);
    let steps = MIGRATIONS.get(done..).unwrap_or_default();
    if steps.is_empty() {
        return Ok(());
    }
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
    for step in steps {
        sqlx::raw_sql(*step).execute(&mut *transaction).await.map_err(failed)?;
    }
    if done == 0 {
        sqlx::query("INSERT INTO chain (id) VALUES (?)")
            .bind(new_chain_id().map_err(|reason| OpenError::Database { path: path.to_owned(), reason })?)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
    }
    // Pragmas take no parameters; both are numbers of ours.
    let marks = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {}", MIGRATIONS.len());
    sqlx::raw_sql(sqlx::AssertSqlSafe(marks)).execute(&mut *transaction).await.map_err(failed)?;
    transaction.commit().await.map_err(failed)
}

fn new_chain_id() -> Result<String, String> {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| "the system gave no random bytes".to_owned())?;
    Ok(chain::hex(&bytes))
}

async fn limit(connection: &mut SqliteConnection, max_bytes: Option<u64>) -> Result<(), sqlx::Error> {
    let Some(bytes) = max_bytes else { return Ok(()) };
    let size = number(connection, "PRAGMA page_size").await?;
    let pages =
        u64::try_from(size).ok().and_then(|size| bytes.checked_div(size)).unwrap_or(u64::MAX).clamp(1, 0xffff_fffe);
    let sql = format!("PRAGMA max_page_count = {pages}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await.map(drop)
}

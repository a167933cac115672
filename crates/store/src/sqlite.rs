//! Opening a store and closing it.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bartizan_core::store::GENESIS;
use bartizan_core::{Direction, Event, Head, StoreError};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteExecutor, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Connection as _, Row as _, SqlitePool};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::private;
use crate::schema::{Schema, Step, number};
use crate::wal::Wal;
use crate::writer::{Database, Done, Job, Writer};

/// The file of the records: "BzEv".
pub(crate) static SCHEMA: Schema = Schema {
    mark: 0x427a_4576,
    steps: &[
        Step { up: include_str!("../migrations/0001_events.sql"), down: None },
        // No way back: a program of schema 1 cannot read records of deeds, and every copy that is made is on record.
        Step { up: include_str!("../migrations/0002_acts_and_content.sql"), down: None },
    ],
    first: Some(("INSERT INTO chain (id) VALUES (lower(hex(?)))", 16)),
};

/// What a reader of a store of the first schema sees instead, without changing the file: the store of today with
/// nothing in what is new.
const FIRST_SCHEMA: &str = "
    CREATE TEMP VIEW events AS SELECT *, 'decision' AS kind,
        CASE WHEN json_valid(body) THEN json_extract(body, '$.exchange') ELSE '' END AS exchange,
        CASE WHEN json_valid(body) THEN json_extract(body, '$.key') ELSE '' END AS key FROM main.events;
    CREATE TEMP TABLE keys (id, tenant, purpose, day, wrapped, destroyed);
    CREATE TEMP TABLE sealed (event, exchange, tenant, direction, protocol, stream, cut, time, key, nonce, body);
";

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
    #[error("the evidence store `{}` was written by a newer version (schema {found}, known {known}); use that version, or a copy that it made with `bartizan backup --schema`", path.display())]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Schema of the file.
        found: i64,
        /// Latest schema known here.
        known: usize,
    },
    /// It cannot be brought back to an older schema.
    #[error("`{}` cannot be brought back to schema {to}: {reason}", path.display())]
    NoWayBack {
        /// The database file.
        path: PathBuf,
        /// The schema that was asked for.
        to: usize,
        /// What is in the way.
        reason: String,
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
    /// Most records that may wait to be written. Beyond it [`StoreError::Full`] is answered: at once where a record is
    /// about a request, after [`Options::patience`] where it is about a reply.
    pub queue: usize,
    /// How long a record about a reply waits for a place in the queue. Its request was served and recorded, so there
    /// is nobody left to refuse, and thousands of streams may end in the same moment.
    pub patience: Duration,
    /// Largest size of the database in bytes, rounded down to whole pages of 4096. Beyond it [`StoreError::Full`]
    /// is answered.
    pub max_bytes: Option<u64>,
    /// Most bytes of sealed content that may wait to be written. Beyond it [`StoreError::Full`] is answered, as for
    /// `queue`.
    pub queue_bytes: usize,
}

/// What happens where the queue is full.
#[derive(Clone, Copy)]
pub(crate) enum Hurry {
    /// The caller is told, so that load does not pile up.
    Now,
    /// It waits for a place.
    Wait,
}

impl Hurry {
    pub(crate) fn of(event: &Event) -> Self {
        match event.direction {
            Direction::Request => Self::Now,
            Direction::Reply => Self::Wait,
        }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self { sync: false, queue: 4096, patience: Duration::from_secs(5), max_bytes: None, queue_bytes: 64 << 20 }
    }
}

/// Evidence in a SQLite file. Cheap to share behind an `Arc`.
#[derive(Debug)]
pub struct SqliteStore {
    readers: SqlitePool,
    /// `None` where it was opened for reading only.
    jobs: Option<mpsc::Sender<Job>>,
    writer: Option<JoinHandle<()>>,
    /// Room for content in the queue, in KiB.
    room: Arc<Semaphore>,
    room_total: u32,
    patience: Duration,
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
        Self::open_locked(path, options, Some(lock)).await
    }

    /// Opens a store to add a few records, also while a gateway writes to it. It makes no new store.
    ///
    /// Positions in the chain are unique in the database, so the two agree on who comes first: whoever finds a position
    /// taken looks again where the chain ends.
    ///
    /// # Errors
    /// [`OpenError`]: not there, not ours, not writable, or of an older version and in use.
    pub async fn open_shared(path: &Path) -> Result<Self, OpenError> {
        Self::open_shared_with(path, &Options { sync: true, ..Options::default() }).await
    }

    /// The same with options.
    ///
    /// # Errors
    /// As [`SqliteStore::open_shared`].
    pub async fn open_shared_with(path: &Path, options: &Options) -> Result<Self, OpenError> {
        Self::open_read_only(path).await?.close().await;
        match lock(path) {
            // Nobody else writes: what an upgrade has to change can be changed.
            Ok(lock) => {
                let connect = base(path);
                let failed = |e: sqlx::Error| OpenError::Database { path: path.to_owned(), reason: plain(&e) };
                let mut connection = SqliteConnection::connect_with(&connect).await.map_err(failed)?;
                SCHEMA.upgrade(&mut connection, path).await?;
                connection.close().await.map_err(failed)?;
                drop(lock);
            }
            Err(OpenError::InUse { .. }) => {
                let failed = |e: sqlx::Error| OpenError::Database { path: path.to_owned(), reason: plain(&e) };
                let mut connection =
                    SqliteConnection::connect_with(&base(path).read_only(true)).await.map_err(failed)?;
                if SCHEMA.version(&mut connection, path).await? < SCHEMA.latest() {
                    return Err(OpenError::InUse { path: path.to_owned() });
                }
            }
            Err(error) => return Err(error),
        }
        Self::open_locked(path, options, None).await
    }

    async fn open_locked(path: &Path, options: &Options, lock: Option<File>) -> Result<Self, OpenError> {
        let failed = |e: sqlx::Error| OpenError::Database { path: path.to_owned(), reason: plain(&e) };
        let synchronous = if options.sync { SqliteSynchronous::Full } else { SqliteSynchronous::Normal };
        private::make(path);
        let connect = base(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(synchronous)
            // What is deleted is overwritten: destroyed keys must not stay in free pages.
            .pragma("secure_delete", "ON");
        let mut connection = SqliteConnection::connect_with(&connect).await.map_err(failed)?;
        SCHEMA.upgrade(&mut connection, path).await?;
        limit(&mut connection, options.max_bytes).await.map_err(failed)?;
        let database = Database::File(Box::new(connection));
        let readers = pool_of_readers(path).await.map_err(failed)?;
        let wal = (!options.sync).then(|| Arc::new(Wal::new(beside(path, "-wal"))));
        Self::start(database, readers, options, wal, lock).await.map_err(failed)
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
            SCHEMA.upgrade(&mut connection, path).await?;
            limit(&mut connection, options.max_bytes).await.map_err(failed)?;
        }
        Self::start(Database::Memory(pool.clone()), pool, options, None, None).await.map_err(failed)
    }

    /// Opens a store that is there for reading, also while another process writes to it. Appending fails.
    ///
    /// # Errors
    /// [`OpenError`]: not there, not ours, too new.
    pub async fn open_read_only(path: &Path) -> Result<Self, OpenError> {
        let failed = |e: sqlx::Error| OpenError::Database { path: path.to_owned(), reason: plain(&e) };
        let mut connection = SqliteConnection::connect_with(&base(path).read_only(true)).await.map_err(failed)?;
        let version = SCHEMA.version(&mut connection, path).await?;
        connection.close().await.map_err(failed)?;
        let readers = match version {
            0 => return Err(OpenError::Foreign { path: path.to_owned() }),
            1 => pool(2).after_connect(|connection, _| {
                Box::pin(async { sqlx::raw_sql(FIRST_SCHEMA).execute(connection).await.map(drop) })
            }),
            _ => pool(2),
        };
        let readers = readers.connect_with(base(path).read_only(true)).await.map_err(failed)?;
        Ok(Self {
            readers,
            jobs: None,
            writer: None,
            room: Arc::new(Semaphore::new(0)),
            room_total: 0,
            patience: Duration::ZERO,
        })
    }

    async fn start(
        database: Database,
        readers: SqlitePool,
        options: &Options,
        wal: Option<Arc<Wal>>,
        lock: Option<File>,
    ) -> Result<Self, sqlx::Error> {
        let head = read_head(&readers).await?;
        let (jobs, receiver) = mpsc::channel(options.queue.max(1));
        let writer = tokio::spawn(Writer { database, head, jobs: receiver, wal, lock }.run());
        let room_total = u32::try_from(options.queue_bytes >> 10).unwrap_or(u32::MAX >> 4).clamp(1, u32::MAX >> 4);
        let room = Arc::new(Semaphore::new(usize::try_from(room_total).unwrap_or(1)));
        Ok(Self { readers, jobs: Some(jobs), writer: Some(writer), room, room_total, patience: options.patience })
    }

    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Takes a place for content in the queue. What is larger than all of it takes all of it.
    pub(crate) async fn room(&self, bytes: usize, hurry: Hurry) -> Result<Option<OwnedSemaphorePermit>, StoreError> {
        let places = u32::try_from(bytes.div_ceil(1024)).unwrap_or(u32::MAX).min(self.room_total);
        if places == 0 {
            return Ok(None);
        }
        let room = Arc::clone(&self.room);
        let held = match hurry {
            Hurry::Now => room.try_acquire_many_owned(places).ok(),
            Hurry::Wait => timeout(self.patience, room.acquire_many_owned(places)).await.ok().and_then(Result::ok),
        };
        held.map(Some).ok_or_else(|| StoreError::Full("too much content waits".to_owned()))
    }

    /// Gives the writer something to do and waits until it is done.
    pub(crate) async fn ask<T>(&self, hurry: Hurry, job: impl FnOnce(Done<T>) -> Job) -> Result<T, StoreError> {
        let Some(jobs) = &self.jobs else {
            return Err(StoreError::Failed("it was opened for reading only".to_owned()));
        };
        let full = || StoreError::Full("too many records wait".to_owned());
        let place = match (jobs.try_reserve(), hurry) {
            (Ok(place), _) => place,
            (Err(mpsc::error::TrySendError::Closed(())), _) => return Err(gone()),
            (Err(mpsc::error::TrySendError::Full(())), Hurry::Now) => return Err(full()),
            (Err(mpsc::error::TrySendError::Full(())), Hurry::Wait) => {
                timeout(self.patience, jobs.reserve()).await.map_err(|_| full())?.map_err(|_| gone())?
            }
        };
        let (done, answer) = oneshot::channel();
        place.send(job(done));
        answer.await.map_err(|_| gone())?
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
}

pub(crate) fn gone() -> StoreError {
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

pub(crate) fn position(seq: u64) -> i64 {
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

pub(crate) fn plain(error: &sqlx::Error) -> String {
    match error.as_database_error() {
        Some(e) => e.message().to_owned(),
        None => error.to_string(),
    }
}

/// True where another process has written at the position meanwhile.
pub(crate) fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|e| e.is_unique_violation() && e.message().contains("events.seq"))
}

pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// The lock is a file of its own: SQLite's locks on the database are for its own use and let writers alternate.
pub(crate) fn lock(path: &Path) -> Result<File, OpenError> {
    let failed = |source| OpenError::Lock { path: path.to_owned(), source };
    // One file has one lock, by whatever link it was named.
    let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let mut options = File::options();
    options.create(true).truncate(false).write(true);
    let file = private::open(&mut options, &beside(&real, ".lock")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

pub(crate) fn base(path: &Path) -> SqliteConnectOptions {
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

async fn limit(connection: &mut SqliteConnection, max_bytes: Option<u64>) -> Result<(), sqlx::Error> {
    let Some(bytes) = max_bytes else { return Ok(()) };
    let size = number(connection, "PRAGMA page_size").await?;
    let pages =
        u64::try_from(size).ok().and_then(|size| bytes.checked_div(size)).unwrap_or(u64::MAX).clamp(1, 0xffff_fffe);
    let sql = format!("PRAGMA max_page_count = {pages}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await.map(drop)
}

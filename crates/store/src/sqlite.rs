//! Opening a store and closing it.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bartizan_core::{Act, Head, StoreError};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteRow, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, Connection as _, Pool, SqlSafeStr as _, Sqlite, SqlitePool};

use crate::database::{Arg, Connection, Database, RowOf, Sql, Unit, Whose, args, bound, cells, plain, store_error};
use crate::evidence::Store;
use crate::file::{FileDisk, Target};
use crate::private;
use crate::queue::Queue;
use crate::schema::{Schema, Step, number};
use crate::wal::Wal;
use crate::writer::{read_head, write};

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

impl Default for Options {
    fn default() -> Self {
        Self { sync: false, queue: 4096, patience: Duration::from_secs(5), max_bytes: None, queue_bytes: 64 << 20 }
    }
}

cells!(SqliteRow);

fn statement(sql: Sql) -> sqlx::SqlStr {
    match sql {
        Sql::Borrowed(sql) => sql.into_sql_str(),
        // It is put together of parts of the program alone.
        Sql::Owned(sql) => AssertSqlSafe(sql).into_sql_str(),
    }
}

impl Connection for SqliteConnection {
    type Row = SqliteRow;

    const WRAPPED_KEYS: &'static str = "keys";
    const FIND: &'static str = "instr";

    async fn run(&mut self, sql: Sql, args: Vec<Arg>) -> Result<u64, sqlx::Error> {
        let query = bound!(sqlx::query(statement(sql)), args);
        query.execute(self).await.map(|done| done.rows_affected())
    }

    async fn rows(&mut self, sql: Sql, args: Vec<Arg>) -> Result<Vec<SqliteRow>, sqlx::Error> {
        bound!(sqlx::query(statement(sql)), args).fetch_all(self).await
    }
}

/// Connections to a SQLite file.
#[derive(Clone, Debug)]
pub struct SqliteDb(pub(crate) SqlitePool);

impl Database for SqliteDb {
    type Driver = Sqlite;
    type Connection = SqliteConnection;

    const ACTS_WAIT: bool = true;

    fn pool(&self) -> &Pool<Sqlite> {
        &self.0
    }

    async fn rows(
        &self,
        _: Whose<'_>,
        sql: impl Into<Sql> + Send,
        args: Vec<Arg>,
    ) -> Result<Vec<RowOf<Self>>, StoreError> {
        bound!(sqlx::query(statement(sql.into())), args).fetch_all(&self.0).await.map_err(store_error)
    }

    async fn begin(&self, _: Whose<'_>) -> Result<Unit<Self>, StoreError> {
        self.0.begin_with("BEGIN IMMEDIATE").await.map_err(store_error)
    }

    fn within<T: Send>(
        &self,
        work: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> impl Future<Output = Result<T, StoreError>> + Send {
        // SQLite's own limit is that of `busy_timeout`.
        work
    }

    async fn record(unit: &mut SqliteConnection, act: Act) -> Result<(), StoreError> {
        let body = serde_json::to_string(&act).map_err(|e| StoreError::Failed(e.to_string()))?;
        let record = unit.run("INSERT INTO acts (id, body) VALUES (?, ?)".into(), args![act.id, body]);
        record.await.map(drop).map_err(store_error)
    }
}

/// Evidence in a SQLite file.
pub type SqliteStore = Store<SqliteDb>;

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
        let target = Target::File(Box::new(connection));
        let readers = pool_of_readers(path).await.map_err(failed)?;
        let wal = (!options.sync).then(|| Arc::new(Wal::new(beside(path, "-wal"))));
        Self::start(target, readers, options, wal, lock).await.map_err(failed)
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
        Self::start(Target::Memory(pool.clone()), pool, options, None, None).await.map_err(failed)
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
        Ok(Self { db: SqliteDb(readers), queue: Queue::closed(), writer: None })
    }

    async fn start(
        target: Target,
        readers: SqlitePool,
        options: &Options,
        wal: Option<Arc<Wal>>,
        lock: Option<File>,
    ) -> Result<Self, sqlx::Error> {
        let head: Head = read_head(&mut *readers.acquire().await?).await?;
        let (queue, jobs) = Queue::new(options);
        let writer = tokio::spawn(write(FileDisk::new(target, head, wal, lock), jobs));
        Ok(Self { db: SqliteDb(readers), queue, writer: Some(writer) })
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

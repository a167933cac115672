//! The same store in Postgres, for gateways that share one.
//!
//! # One chain
//! Whoever appends locks the table `chain` until its transaction ends, and reads the end of the chain behind that lock. So
//! any number of processes append to one chain without a fork, and a record is acknowledged after the commit. A process
//! that is killed lets go of the lock with its connection. What keeps positions unique is the primary key, should ever a
//! program forget the lock.
//!
//! # Rows of tenants
//! Every transaction says whose rows it is about, and policies of the database show and change no others, also where a
//! statement forgot to ask for them. That needs a role that is bound by policies: a superuser is refused.
//!
//! # Time
//! The server ends a statement that takes too long, and this side stops waiting for a server that does not answer. What
//! was under way then may or may not have been written, and is not acknowledged.

mod disk;

use std::path::PathBuf;
use std::str::FromStr as _;
use std::time::Duration;

use bartizan_core::{Act, Record, StoreError};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions, PgRow, PgSslMode, Postgres};
use sqlx::{AssertSqlSafe, Connection as _, PgPool, Pool};
use tokio::time::timeout;

use self::disk::PgDisk;
use crate::access::Access;
use crate::chain::{self, hex};
use crate::database::{
    Arg, Cells as _, Connection, Database, RowOf, Sql, Unit, Whose, args, bound, cells, plain, store_error,
};
use crate::evidence::Store;
use crate::queue::Queue;
use crate::sqlite::{OpenError, Options};
use crate::vault::PseudonymVault;
use crate::writer::{insert, read_head, write};

/// Longest a statement may take on the server.
const STATEMENT: Duration = Duration::from_secs(20);

/// Longest a lock is waited for.
const LOCK: Duration = Duration::from_secs(5);

/// Longest a caller waits for an answer; longer than the server may take, so that its reason is heard.
const ANSWER: Duration = Duration::from_secs(25);

/// Longest that taking records away may take. Others append meanwhile.
const PRUNE: Duration = Duration::from_secs(600);

/// Longest that a connection is waited for.
const CONNECT: Duration = Duration::from_secs(5);

/// Connections for reading, and those for changes of keys and approvals.
const CONNECTIONS: u32 = 4;

/// Oldest first; the version of a database is how many of them it has behind it. A published one never changes.
const STEPS: [&str; 1] = [include_str!("../migrations/pg_0001.sql")];

cells!(PgRow);

/// `?`, `?1` as Postgres writes them.
fn dollars(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len() + 16);
    let (mut next, mut rest) = (1_usize, sql);
    while let Some((before, after)) = rest.split_once('?') {
        out.push_str(before);
        out.push('$');
        if !after.starts_with(|c: char| c.is_ascii_digit()) {
            out.push_str(&next.to_string());
            next += 1;
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

impl Connection for PgConnection {
    type Row = PgRow;

    const WRAPPED_KEYS: &'static str = "wrapped_keys";
    const FIND: &'static str = "strpos";

    async fn run(&mut self, sql: Sql, args: Vec<Arg>) -> Result<u64, sqlx::Error> {
        let query = bound!(sqlx::query(AssertSqlSafe(dollars(&sql))), args);
        query.execute(self).await.map(|done| done.rows_affected())
    }

    async fn rows(&mut self, sql: Sql, args: Vec<Arg>) -> Result<Vec<PgRow>, sqlx::Error> {
        bound!(sqlx::query(AssertSqlSafe(dollars(&sql))), args).fetch_all(self).await
    }
}

/// Connections to a Postgres server.
#[derive(Clone, Debug)]
pub struct PgDb(PgPool);

/// The setting that says whose rows a transaction is about.
fn whose(whose: Whose<'_>) -> String {
    let name = match whose {
        Whose::Tenant(tenant) => tenant.as_str(),
        Whose::Operator => "*",
    };
    // Names of tenants hold no quotes; this does not depend on it.
    format!("SET LOCAL bartizan.tenant = '{}'", name.replace('\'', "''"))
}

fn silent() -> StoreError {
    StoreError::Failed("the database does not answer".to_owned())
}

impl Database for PgDb {
    type Driver = Postgres;
    type Connection = PgConnection;

    const ACTS_WAIT: bool = false;

    fn pool(&self) -> &Pool<Postgres> {
        &self.0
    }

    async fn rows(
        &self,
        whose: Whose<'_>,
        sql: impl Into<Sql> + Send,
        args: Vec<Arg>,
    ) -> Result<Vec<RowOf<Self>>, StoreError> {
        self.within(async move {
            let mut unit = self.begin(whose).await?;
            let rows = unit.rows(sql.into(), args).await.map_err(store_error)?;
            unit.rollback().await.map_err(store_error)?;
            Ok(rows)
        })
        .await
    }

    async fn begin(&self, of: Whose<'_>) -> Result<Unit<Self>, StoreError> {
        let begin = format!("BEGIN; {}", whose(of));
        self.0.begin_with(AssertSqlSafe(begin)).await.map_err(store_error)
    }

    async fn within<T: Send>(&self, work: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
        timeout(ANSWER, work).await.unwrap_or_else(|_| Err(silent()))
    }

    fn takes(record: &Record) -> Result<(), StoreError> {
        // The body is JSON, which writes a NUL in letters.
        let more = match record {
            Record::Decision(event) => [event.exchange.as_str(), event.key.as_str()],
            Record::Act(_) => [""; 2],
        };
        if [record.id(), record.time()].iter().chain(&more).any(|text| text.contains('\0')) {
            return Err(StoreError::Failed(
                "a name in the record holds a NUL, and Postgres has no text for it".to_owned(),
            ));
        }
        Ok(())
    }

    /// The deed and its record are one transaction: nothing waits for a writer.
    async fn record(unit: &mut PgConnection, act: Act) -> Result<(), StoreError> {
        sqlx::raw_sql(AssertSqlSafe(lock_chain())).execute(&mut *unit).await.map_err(store_error)?;
        let mut head = read_head(unit).await.map_err(store_error)?;
        let row = chain::link(&mut Record::Act(Box::new(act)), &mut head)?;
        insert(unit, vec![row]).await.map_err(store_error)
    }
}

/// Keeps others from appending until the transaction ends. The end of the chain is read behind it, in a statement of its
/// own, which sees what the one before has committed.
fn lock_chain() -> String {
    format!("{}; {LOCK_CHAIN}", whose(Whose::Operator))
}

const LOCK_CHAIN: &str = "LOCK TABLE chain IN EXCLUSIVE MODE";

/// Evidence in Postgres.
pub type PgStore = Store<PgDb>;

/// Keys, approvals, containments and usage in Postgres.
pub type PgAccess = Access<PgDb>;

/// Pseudonyms in Postgres.
pub type PgVault = PseudonymVault<PgDb>;

impl PgStore {
    /// Opens a store for reading and writing, making its tables where they are not there. Any number of processes may
    /// have it open. Needs a tokio runtime.
    ///
    /// # Errors
    /// [`OpenError`]: not reachable, not ours, of a newer version, or with a role that policies do not bind.
    pub async fn open(url: &str, options: &Options) -> Result<Self, OpenError> {
        let server = Address::new(url)?;
        server.upgrade().await?;
        let db = server.pool().await?;
        let (queue, jobs) = Queue::new(options);
        let writer = tokio::spawn(write(PgDisk::new(server.options), jobs));
        Ok(Self { db, queue, writer: Some(writer) })
    }

    /// Opens a store that is there for reading. Appending fails.
    ///
    /// # Errors
    /// As for [`PgStore::open`], and where it is of an older version.
    pub async fn open_read_only(url: &str) -> Result<Self, OpenError> {
        let server = Address::new(url)?;
        server.current().await?;
        Ok(Self { db: server.pool().await?, queue: Queue::closed(), writer: None })
    }

    /// Keys, approvals, containments and usage of the same installation.
    #[must_use]
    pub fn access(&self) -> PgAccess {
        PgAccess { db: self.db.clone() }
    }

    /// Pseudonyms of the same installation.
    #[must_use]
    pub fn vault(&self) -> PgVault {
        PgVault { db: self.db.clone() }
    }
}

/// What an address says, without what is secret in it.
fn place(options: &PgConnectOptions) -> PathBuf {
    let host = options.get_socket().map_or_else(|| options.get_host().to_owned(), |s| s.display().to_string());
    let database = options.get_database().unwrap_or_else(|| options.get_username());
    PathBuf::from(format!("postgres://{host}:{}/{database}", options.get_port()))
}

/// Where a server is, and how it is talked to.
struct Address {
    options: PgConnectOptions,
    place: PathBuf,
}

impl Address {
    fn new(url: &str) -> Result<Self, OpenError> {
        let wrong =
            |reason: &str| OpenError::Database { path: PathBuf::from("postgres://"), reason: reason.to_owned() };
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(wrong(
                "its address is not of the form `postgres://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full`",
            ));
        }
        // What the parser says may repeat parts of the address, and with them the password.
        let options = PgConnectOptions::from_str(url).map_err(|_| wrong("its address cannot be read"))?;
        let place = place(&options);
        let here = options.get_socket().is_some()
            || options.get_host().starts_with('/')
            || ["localhost", "127.0.0.1", "::1", "[::1]"].contains(&options.get_host());
        if !here && matches!(options.get_ssl_mode(), PgSslMode::Prefer | PgSslMode::Allow) {
            let reason = "another machine is reached with TLS or knowingly without: add `sslmode=verify-full` to the \
                address, or `sslmode=disable` where the network is trusted";
            return Err(OpenError::Database { path: place, reason: reason.to_owned() });
        }
        let ms = |limit: Duration| limit.as_millis().to_string();
        let options = options.application_name("bartizan").options([
            ("statement_timeout", ms(STATEMENT)),
            ("lock_timeout", ms(LOCK)),
            ("idle_in_transaction_session_timeout", ms(ANSWER)),
        ]);
        Ok(Self { options, place })
    }

    fn failed(&self, error: &sqlx::Error) -> OpenError {
        OpenError::Database { path: self.place.clone(), reason: plain(error) }
    }

    async fn connect(&self) -> Result<PgConnection, OpenError> {
        let connected = timeout(CONNECT, PgConnection::connect_with(&self.options)).await;
        let mut connection = match connected {
            Ok(connection) => connection.map_err(|e| self.failed(&e))?,
            Err(_) => {
                let reason = "the server does not answer".to_owned();
                return Err(OpenError::Database { path: self.place.clone(), reason });
            }
        };
        let free = "SELECT rolname FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)";
        let free = connection.rows(free.into(), args![]).await.map_err(|e| self.failed(&e))?;
        if let Some(role) = free.first() {
            let role = role.text(0).unwrap_or_default();
            let reason = format!(
                "policies that keep tenants apart do not bind the role `{role}`: give the store a role of its own that \
                 is no superuser and has no BYPASSRLS"
            );
            return Err(OpenError::Database { path: self.place.clone(), reason });
        }
        Ok(connection)
    }

    /// The version of the schema that the role writes to; 0 for an empty one.
    async fn version(&self, connection: &mut PgConnection) -> Result<usize, OpenError> {
        let failed = |e: sqlx::Error| self.failed(&e);
        let tables =
            "SELECT CAST(count(*) AS BIGINT), CAST(count(*) FILTER (WHERE tablename = 'bartizan_schema') AS BIGINT)
            FROM pg_tables WHERE schemaname = current_schema()";
        let tables = connection.rows(tables.into(), args![]).await.map_err(failed)?;
        let count = |at| tables.first().map_or(Ok(0), |row| row.int(at)).map_err(failed);
        if count(1)? == 0 {
            return match count(0)? {
                0 => Ok(0),
                _ => Err(OpenError::Foreign { path: self.place.clone() }),
            };
        }
        let version = connection.rows("SELECT version FROM bartizan_schema".into(), args![]).await.map_err(failed)?;
        let version = version.first().map_or(Ok(0), |row| row.int(0)).map_err(failed)?;
        match usize::try_from(version) {
            Ok(known) if known <= STEPS.len() => Ok(known),
            _ => Err(OpenError::Newer { path: self.place.clone(), found: version, known: STEPS.len() }),
        }
    }

    /// Brings the schema to the version of this program, all of it or nothing.
    async fn upgrade(&self) -> Result<(), OpenError> {
        let failed = |e: sqlx::Error| self.failed(&e);
        let mut connection = self.connect().await?;
        if self.version(&mut connection).await? < STEPS.len() {
            let mut transaction = connection.begin().await.map_err(failed)?;
            // Of several that start together, one does it. The number is that of the file of records, "BzEv".
            transaction.run("SELECT pg_advisory_xact_lock(1115309430)".into(), args![]).await.map_err(failed)?;
            let done = self.version(&mut transaction).await?;
            for step in STEPS.iter().skip(done) {
                sqlx::raw_sql(*step).execute(&mut *transaction).await.map_err(failed)?;
            }
            if done == 0 {
                let random = |bytes: &mut [u8]| {
                    aws_lc_rs::rand::fill(bytes).map_err(|_| OpenError::Database {
                        path: self.place.clone(),
                        reason: "the system gave no random bytes".to_owned(),
                    })
                };
                let (mut chain, mut key) = ([0; 16], vec![0; 32]);
                random(&mut chain)?;
                random(&mut key)?;
                sqlx::raw_sql("CREATE TABLE bartizan_schema (version BIGINT NOT NULL)")
                    .execute(&mut *transaction)
                    .await
                    .map_err(failed)?;
                for (sql, given) in [
                    ("INSERT INTO bartizan_schema (version) VALUES (?)", args![0_i64]),
                    ("INSERT INTO chain (id) VALUES (?)", args![hex(&chain)]),
                    ("INSERT INTO installation (revision, contain_revision, hash_key) VALUES (0, 0, ?)", args![key]),
                ] {
                    transaction.run(sql.into(), given).await.map_err(failed)?;
                }
            }
            let latest = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
            transaction.run("UPDATE bartizan_schema SET version = ?".into(), args![latest]).await.map_err(failed)?;
            transaction.commit().await.map_err(failed)?;
        }
        // A server that is broken off here has done its part.
        let _ = connection.close().await;
        Ok(())
    }

    /// # Errors
    /// The schema is of another version than this program's.
    async fn current(&self) -> Result<(), OpenError> {
        let mut connection = self.connect().await?;
        let version = self.version(&mut connection).await?;
        let _ = connection.close().await;
        match version {
            0 => Err(OpenError::Foreign { path: self.place.clone() }),
            v if v == STEPS.len() => Ok(()),
            v => {
                let reason =
                    format!("it is of schema {v}, this program knows {}: start a gateway of this version", STEPS.len());
                Err(OpenError::Database { path: self.place.clone(), reason })
            }
        }
    }

    async fn pool(&self) -> Result<PgDb, OpenError> {
        let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(CONNECT);
        pool.connect_with(self.options.clone()).await.map(PgDb).map_err(|e| self.failed(&e))
    }
}

#[cfg(test)]
#[allow(clippy::print_stderr, reason = "a test that is skipped says so")]
mod server;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(crate) use server::Server;
